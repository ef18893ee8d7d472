// Copyright: opengeoai.hub contributors
// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

const (
	idleLimit    = 30 * time.Second
	messageLimit = 1 << 16
	// Fields of the protocol's outer message.
	registerPeer         = 6
	registerPeerResponse = 7
	testNatRequest       = 20
	testNatResponse      = 21
)

// reply answers the two requests with which a client finds out that it talks to a rendezvous server, and through which port.
func reply(message []byte, from net.Addr) []byte {
	field, _, ok := outerField(message)
	switch {
	case ok && field == registerPeer:
		// request_pk: the client shall send its public key.
		return outer(registerPeerResponse, []byte{2 << 3, 1})
	case ok && field == testNatRequest:
		return outer(testNatResponse, binary.AppendUvarint([]byte{1 << 3}, uint64(portOf(from))))
	}
	return nil
}

func outerField(message []byte) (field uint64, body []byte, ok bool) {
	tag, n := binary.Uvarint(message)
	if n <= 0 || tag&7 != 2 {
		return 0, nil, false
	}
	size, m := binary.Uvarint(message[n:])
	if m <= 0 || uint64(len(message)-n-m) != size {
		return 0, nil, false
	}
	return tag >> 3, message[n+m:], true
}

func outer(field uint64, body []byte) []byte {
	head := binary.AppendUvarint(nil, field<<3|2)
	return append(binary.AppendUvarint(head, uint64(len(body))), body...)
}

func portOf(address net.Addr) int {
	switch a := address.(type) {
	case *net.TCPAddr:
		return a.Port
	case *net.UDPAddr:
		return a.Port
	}
	return 0
}

func answerDatagrams(socket net.PacketConn) {
	buffer := make([]byte, messageLimit)
	for {
		n, from, err := socket.ReadFrom(buffer)
		if err != nil {
			continue
		}
		if answer := reply(buffer[:n], from); answer != nil {
			_, _ = socket.WriteTo(answer, from)
		}
	}
}

// answerFrames speaks the length-prefixed framing of the TCP ports: the two low bits of the first byte say how many more bytes
// the length has.
func answerFrames(connection net.Conn) {
	reader := bufio.NewReader(connection)
	for {
		_ = connection.SetReadDeadline(time.Now().Add(idleLimit))
		message, err := readFrame(reader)
		if err != nil {
			return
		}
		if answer := reply(message, connection.RemoteAddr()); answer != nil {
			if _, err := connection.Write(frame(answer)); err != nil {
				return
			}
		}
	}
}

func readFrame(reader *bufio.Reader) ([]byte, error) {
	first, err := reader.ReadByte()
	if err != nil {
		return nil, err
	}
	length := uint32(first)
	for i := 0; i < int(first&3); i++ {
		next, err := reader.ReadByte()
		if err != nil {
			return nil, err
		}
		length |= uint32(next) << (8 * (i + 1))
	}
	length >>= 2
	if length > messageLimit {
		return nil, errors.New("frame too long")
	}
	message := make([]byte, length)
	_, err = io.ReadFull(reader, message)
	return message, err
}

// frame is for the short answers of this program: one byte of length, or two.
func frame(message []byte) []byte {
	if len(message) <= 0x3f {
		return append([]byte{byte(len(message) << 2)}, message...)
	}
	return append(binary.LittleEndian.AppendUint16(nil, uint16(len(message)<<2|1)), message...)
}

// holdConnection is what a relay does with a client whose partner has not come.
func holdConnection(connection net.Conn) {
	_ = connection.SetReadDeadline(time.Now().Add(idleLimit))
	_, _ = io.Copy(io.Discard, connection)
}

// answerWebsocket upgrades as RFC 6455 says, answers what it knows and echoes the rest.
func answerWebsocket(connection net.Conn) {
	_ = connection.SetReadDeadline(time.Now().Add(idleLimit))
	reader := bufio.NewReader(connection)
	request, err := http.ReadRequest(reader)
	if err != nil {
		return
	}
	key := request.Header.Get("Sec-WebSocket-Key")
	if !strings.EqualFold(request.Header.Get("Upgrade"), "websocket") || key == "" ||
		!strings.Contains(strings.ToLower(request.Header.Get("Connection")), "upgrade") {
		_, _ = io.WriteString(connection, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		return
	}
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	accept := base64.StdEncoding.EncodeToString(sum[:])
	_, err = io.WriteString(connection, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"+
		"Connection: Upgrade\r\nSec-WebSocket-Accept: "+accept+"\r\n\r\n")
	for err == nil {
		_ = connection.SetReadDeadline(time.Now().Add(idleLimit))
		err = answerWebsocketFrame(connection, reader)
	}
}

const (
	opClose = 8
	opPing  = 9
	opPong  = 10
)

func answerWebsocketFrame(connection net.Conn, reader *bufio.Reader) error {
	first, err := reader.ReadByte()
	if err != nil {
		return err
	}
	second, err := reader.ReadByte()
	if err != nil {
		return err
	}
	if second&0x80 == 0 {
		return errors.New("a client's frame has to be masked")
	}
	length := uint64(second & 0x7f)
	if extended := map[uint64]int{126: 2, 127: 8}[length]; extended > 0 {
		field := make([]byte, 8)
		if _, err := io.ReadFull(reader, field[8-extended:]); err != nil {
			return err
		}
		length = binary.BigEndian.Uint64(field)
	}
	if length > messageLimit {
		return errors.New("frame too long")
	}
	mask := make([]byte, 4)
	payload := make([]byte, length)
	if _, err := io.ReadFull(reader, mask); err != nil {
		return err
	}
	if _, err := io.ReadFull(reader, payload); err != nil {
		return err
	}
	for i := range payload {
		payload[i] ^= mask[i%4]
	}
	switch opcode := first & 0x0f; opcode {
	case opPong:
		return nil
	case opPing:
		return writeWebsocketFrame(connection, 0x80|opPong, payload)
	case opClose:
		_ = writeWebsocketFrame(connection, 0x80|opClose, payload)
		return io.EOF
	default:
		if answer := reply(payload, connection.RemoteAddr()); answer != nil {
			payload = answer
		}
		return writeWebsocketFrame(connection, first, payload)
	}
}

func writeWebsocketFrame(connection net.Conn, first byte, payload []byte) error {
	head := []byte{first}
	switch {
	case len(payload) < 126:
		head = append(head, byte(len(payload)))
	case len(payload) <= 0xffff:
		head = binary.BigEndian.AppendUint16(append(head, 126), uint16(len(payload)))
	default:
		head = binary.BigEndian.AppendUint64(append(head, 127), uint64(len(payload)))
	}
	_, err := connection.Write(append(head, payload...))
	return err
}

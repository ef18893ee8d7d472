// Copyright: opengeoai.hub contributors
// SPDX-License-Identifier: GPL-3.0-or-later

// A stand-in for RustDesk's hbbs and hbbr, used only where the real image cannot be reached. It keeps what a deployment can
// see of them: arguments, key files, ports, log lines, and an answer on each port. It relays nothing.
package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	secretFile = "id_ed25519"
	publicFile = "id_ed25519.pub"
)

// option is a command line option that takes a value, under its short and its long name.
type option struct{ short, long string }

var (
	hbbsOptions = []option{
		{"-c", "--config"}, {"-k", "--key"}, {"-M", "--rmem"}, {"-m", "--mask"}, {"-p", "--port"},
		{"-r", "--relay-servers"}, {"-R", "--rendezvous-servers"}, {"-s", "--serial"}, {"-u", "--software-url"},
	}
	hbbrOptions = []option{{"-k", "--key"}, {"-p", "--port"}}
)

func main() {
	log.SetFlags(log.Ldate | log.Ltime | log.LUTC)
	log.SetOutput(os.Stdout)
	var err error
	if name := filepath.Base(os.Args[0]); name == "hbbr" {
		err = runHbbr(os.Args[1:])
	} else {
		err = runHbbs(os.Args[1:])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// parse reads options as the real programs do: "-k _", "-k=_", "--key _" and "--key=_" mean the same; nothing else is taken.
func parse(arguments []string, options []option) (map[string]string, error) {
	values := map[string]string{}
	for i := 0; i < len(arguments); i++ {
		name, value, joined := strings.Cut(arguments[i], "=")
		found := ""
		for _, o := range options {
			if name == o.short || name == o.long {
				found = o.long
			}
		}
		if found == "" {
			return nil, fmt.Errorf("Found argument '%s' which wasn't expected, or isn't valid in this context", arguments[i])
		}
		if !joined {
			if i++; i == len(arguments) {
				return nil, fmt.Errorf("The argument '%s' requires a value but none was supplied", name)
			}
			value = arguments[i]
		}
		values[found] = value
	}
	return values, nil
}

func port(values map[string]string, standard int) (int, error) {
	text, given := values["--port"]
	if !given {
		return standard, nil
	}
	number, err := strconv.Atoi(text)
	if err != nil || number < 1 || number > 65533 {
		return 0, fmt.Errorf("Invalid port %q", text)
	}
	return number, nil
}

func runHbbs(arguments []string) error {
	values, err := parse(arguments, hbbsOptions)
	if err != nil {
		return err
	}
	main, err := port(values, 21116)
	if err != nil {
		return err
	}
	if err := serverKey(values["--key"], true, 0); err != nil {
		return err
	}
	database := os.Getenv("DB_URL")
	if database == "" {
		database = "./db_v2.sqlite3"
	}
	log.Printf("INFO DB_URL=%s", database)
	if err := touch(database); err != nil {
		return err
	}
	log.Printf("INFO relay-servers=%q", strings.FieldsFunc(values["--relay-servers"], func(r rune) bool { return r == ',' }))
	always := "N"
	if strings.ToUpper(os.Getenv("ALWAYS_USE_RELAY")) == "Y" {
		always = "Y"
	}
	log.Printf("INFO ALWAYS_USE_RELAY=%s", always)

	udp, err := net.ListenPacket("udp", fmt.Sprintf(":%d", main))
	if err != nil {
		return err
	}
	log.Printf("INFO Listening on tcp/udp :%d", main)
	go answerDatagrams(udp)
	if err := listen(main, answerFrames); err != nil {
		return err
	}
	log.Printf("INFO Listening on tcp :%d, extra port for NAT test", main-1)
	if err := listen(main-1, answerFrames); err != nil {
		return err
	}
	log.Printf("INFO Listening on websocket :%d", main+2)
	if err := listen(main+2, answerWebsocket); err != nil {
		return err
	}
	return waitForSignal()
}

func runHbbr(arguments []string) error {
	values, err := parse(arguments, hbbrOptions)
	if err != nil {
		return err
	}
	main, err := port(values, 21117)
	if err != nil {
		return err
	}
	// A moment's grace for hbbs, which may be about to write the pair.
	if err := serverKey(values["--key"], false, 300*time.Millisecond); err != nil {
		return err
	}
	log.Printf("INFO Listening on tcp :%d", main)
	if err := listen(main, holdConnection); err != nil {
		return err
	}
	log.Printf("INFO Listening on websocket :%d", main+2)
	if err := listen(main+2, answerWebsocket); err != nil {
		return err
	}
	return waitForSignal()
}

// serverKey does what both programs do with -k: "_" or "-" loads or makes the pair in the working directory, a base64 key of
// 64 bytes is the private key itself, and anything else is an opaque token for which there is no pair.
func serverKey(key string, signing bool, grace time.Duration) error {
	if raw, err := base64.StdEncoding.DecodeString(key); err == nil && len(raw) == ed25519.PrivateKeySize && signing {
		log.Print("INFO The key is a crypto private key")
		key = base64.StdEncoding.EncodeToString(raw[ed25519.SeedSize:])
	} else if key == "_" || key == "-" || (key == "" && signing) {
		public, err := loadOrMakePair(grace)
		if err != nil {
			return err
		}
		if key != "" {
			key = public
		}
	}
	if key != "" {
		log.Printf("INFO Key: %s", key)
	}
	return nil
}

func loadOrMakePair(grace time.Duration) (string, error) {
	if _, err := os.Stat(secretFile); errors.Is(err, fs.ErrNotExist) {
		time.Sleep(grace)
	}
	text, err := os.ReadFile(secretFile)
	if err == nil {
		raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
		if err != nil || len(raw) != ed25519.PrivateKeySize {
			return "", fmt.Errorf("%s is not a base64 key of %d bytes", secretFile, ed25519.PrivateKeySize)
		}
		log.Printf("INFO Private key comes from %s", secretFile)
		return base64.StdEncoding.EncodeToString(raw[ed25519.SeedSize:]), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	public, secret, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", err
	}
	encoded := base64.StdEncoding.EncodeToString(public)
	if err := os.WriteFile(publicFile, []byte(encoded), 0o644); err != nil {
		return "", err
	}
	// As readable as the real one: who deploys it has to shut the directory.
	if err := os.WriteFile(secretFile, []byte(base64.StdEncoding.EncodeToString(secret)), 0o644); err != nil {
		return "", err
	}
	log.Printf("INFO Private/public key written to %s/%s", secretFile, publicFile)
	return encoded, nil
}

func touch(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	return file.Close()
}

func listen(port int, serve func(net.Conn)) error {
	listener, err := net.Listen("tcp", fmt.Sprintf(":%d", port))
	if err != nil {
		return err
	}
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				log.Printf("ERROR accept on :%d: %v", port, err)
				time.Sleep(100 * time.Millisecond)
				continue
			}
			go func() {
				defer connection.Close()
				serve(connection)
			}()
		}
	}()
	return nil
}

func waitForSignal() error {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT)
	log.Printf("INFO signal %s", <-signals)
	return nil
}

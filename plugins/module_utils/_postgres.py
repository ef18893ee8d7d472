# Copyright (c) 2026, opengeoai.hub contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""What is wanted in a PostgreSQL server, what is there, and the statements between the two."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import os
import re
import stringprep
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

# NAMEDATALEN - 1: the server truncates longer names without an error, and would then never be converged.
_LONGEST_NAME = 63

# What CREATE ROLE is given and what is mended when it drifts: column of pg_authid -> wanted value, clause.
_ROLE_ATTRIBUTES: Mapping[str, tuple[bool, str]] = {
    "rolcanlogin": (True, "LOGIN"),
    "rolsuper": (False, "NOSUPERUSER"),
    "rolcreatedb": (False, "NOCREATEDB"),
    "rolcreaterole": (False, "NOCREATEROLE"),
    "rolreplication": (False, "NOREPLICATION"),
    "rolbypassrls": (False, "NOBYPASSRLS"),
}

# Tables and sequences that users of an extension write to, but that belong to the superuser who created it.
# Without a grant the owner of the database can create no topology and no spatial reference system.
_WRITTEN_BY_USERS: Mapping[str, tuple[str, ...]] = {
    "postgis": ("spatial_ref_sys",),
    "postgis_topology": ("topology", "layer", "topology_id_seq"),
}

# The server's own default (RFC 7677 asks for 4096 at least); generated passwords gain nothing by more.
_ITERATIONS = 4096
_SALT_LENGTH = 16

# Settings of every session. The log settings keep the password's verifier out of the server's log, also when
# a statement fails; the lock timeout bounds the run when somebody else holds the database.
SESSION_OPTIONS = (
    "-c client_min_messages=warning -c log_statement=none -c log_min_error_statement=panic "
    "-c log_min_duration_statement=-1 -c standard_conforming_strings=on -c lock_timeout=30s"
)


# --- quoting ---------------------------------------------------------------------------------------------


def quote_identifier(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def quote_literal(text: str) -> str:
    """A text as an SQL string, right whatever standard_conforming_strings is."""
    quoted = text.replace("'", "''")
    if "\\" in quoted:
        return "E'" + quoted.replace("\\", "\\\\") + "'"
    return f"'{quoted}'"


def connect_command(database: str) -> str:
    """psql's command that changes the database and keeps everything else.

    As a URI, since psql takes both kinds of quotes out of an argument by rules of its own.
    """
    return f"\\connect -reuse-previous=on postgresql:///{quote(database, safe='')}"


# --- passwords -------------------------------------------------------------------------------------------


def saslprep(password: str) -> bytes:
    """Normalise a password as PostgreSQL does before hashing it.

    PostgreSQL checks the characters before the normalisation and not after it as RFC 4013 says, and takes the
    bytes as they are when the check fails.
    """
    try:
        raw = password.encode("utf-8")
    except UnicodeEncodeError:
        return password.encode("utf-8", "surrogateescape")
    if password.isascii():
        return raw
    mapped = "".join(
        " " if stringprep.in_table_c12(char) else char
        for char in password
        if stringprep.in_table_c12(char) or not stringprep.in_table_b1(char)
    )
    if not mapped or any(_is_prohibited(char) for char in mapped) or not _bidi_holds(mapped):
        return raw
    return unicodedata.normalize("NFKC", mapped).encode("utf-8")


def _is_prohibited(char: str) -> bool:
    return (
        stringprep.in_table_a1(char)
        or stringprep.in_table_c12(char)
        or stringprep.in_table_c21_c22(char)
        or stringprep.in_table_c3(char)
        or stringprep.in_table_c4(char)
        or stringprep.in_table_c5(char)
        or stringprep.in_table_c6(char)
        or stringprep.in_table_c7(char)
        or stringprep.in_table_c8(char)
        or stringprep.in_table_c9(char)
    )


def _bidi_holds(text: str) -> bool:
    if not any(stringprep.in_table_d1(char) for char in text):
        return True
    if any(stringprep.in_table_d2(char) for char in text):
        return False
    return stringprep.in_table_d1(text[0]) and stringprep.in_table_d1(text[-1])


def scram_verifier(password: str, salt: bytes, iterations: int = _ITERATIONS) -> str:
    """What pg_authid stores for a password: SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>."""
    salted = hashlib.pbkdf2_hmac("sha256", saslprep(password), salt, iterations)
    client_key = hmac.new(salted, b"Client Key", hashlib.sha256).digest()
    stored_key = hashlib.sha256(client_key).digest()
    server_key = hmac.new(salted, b"Server Key", hashlib.sha256).digest()
    encoded = [base64.b64encode(part).decode("ascii") for part in (salt, stored_key, server_key)]
    return f"SCRAM-SHA-256${iterations}:{encoded[0]}${encoded[1]}:{encoded[2]}"


_VERIFIER = re.compile(r"SCRAM-SHA-256\$([1-9][0-9]{0,9}):([A-Za-z0-9+/=]+)\$[A-Za-z0-9+/=]+:[A-Za-z0-9+/=]+")


def password_matches(password: str, stored: str | None) -> bool:
    """Whether a stored verifier is one of this password. No verifier, or one by MD5, is not."""
    match = _VERIFIER.fullmatch(stored or "")
    if match is None:
        return False
    try:
        salt = base64.b64decode(match.group(2), validate=True)
    except binascii.Error:
        return False
    return hmac.compare_digest(scram_verifier(password, salt, int(match.group(1))), stored or "")


def new_salt() -> bytes:
    return os.urandom(_SALT_LENGTH)


# --- what is wanted --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Role:
    name: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class Database:
    name: str
    owner: str
    extensions: tuple[str, ...] = ()


def check_name(variable: str, name: str) -> None:
    """Refuse a name that the server would refuse, truncate or reserve."""
    shown = json.dumps(name, ensure_ascii=False)
    if not name:
        raise ValueError(f"{variable}: is empty; give it a name")
    if any(unicodedata.category(char) in ("Cc", "Cs") for char in name):
        raise ValueError(f"{variable}: {json.dumps(name)} holds a control character; use printable characters")
    if len(name.encode("utf-8")) > _LONGEST_NAME:
        raise ValueError(f"{variable}: {shown} is longer than {_LONGEST_NAME} bytes; shorten it")


def check_role_name(variable: str, name: str) -> None:
    check_name(variable, name)
    if name.startswith("pg_") or name in ("public", "none"):
        raise ValueError(f'{variable}: "{name}" is reserved by PostgreSQL; choose another name')


def check_not_the_servers(variable: str, value: str) -> None:
    """Refuse names that the server has for itself."""
    if value == "postgres":
        raise ValueError(f'{variable}: "postgres" is the superuser and the database of the server itself; choose another name')
    if value in ("template0", "template1"):
        raise ValueError(f'{variable}: "{value}" is what the server copies new databases from; choose another name')


def parse_roles(raw: Sequence[Mapping[str, Any]], superuser: str) -> tuple[Role, ...]:
    """The wanted roles, checked."""
    roles: list[Role] = []
    for index, item in enumerate(raw):
        variable = f"roles[{index}]"
        name, password = str(item["name"]), str(item["password"])
        check_role_name(f"{variable}.name", name)
        if name == superuser:
            raise ValueError(f'{variable}.name: "{name}" is the superuser, which would lose its rights; remove it from roles')
        if any(role.name == name for role in roles):
            raise ValueError(f'{variable}.name: "{name}" is listed twice; keep one')
        if not password:
            raise ValueError(f'{variable}.password: is empty for "{name}", so nobody could log in; set one')
        if "\0" in password:
            raise ValueError(f'{variable}.password: holds a NUL character for "{name}"; no client can send it')
        roles.append(Role(name, password))
    return tuple(roles)


def parse_databases(raw: Sequence[Mapping[str, Any]]) -> tuple[Database, ...]:
    """The wanted databases, checked; an extension named twice counts once."""
    databases: list[Database] = []
    for index, item in enumerate(raw):
        variable = f"databases[{index}]"
        name, owner = str(item["name"]), str(item["owner"])
        check_name(f"{variable}.name", name)
        if name in ("template0", "template1"):
            raise ValueError(f'{variable}.name: "{name}" belongs to PostgreSQL; choose another name')
        if any(database.name == name for database in databases):
            raise ValueError(f'{variable}.name: "{name}" is listed twice; merge the entries')
        check_role_name(f"{variable}.owner", owner)
        extensions = tuple(dict.fromkeys(str(extension) for extension in item.get("extensions") or ()))
        for number, extension in enumerate(extensions):
            check_name(f"{variable}.extensions[{number}]", extension)
        databases.append(Database(name, owner, extensions))
    return tuple(databases)


# --- what is there ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RoleState:
    attributes: Mapping[str, bool]
    verifier: str | None = field(repr=False)


@dataclass(frozen=True)
class DatabaseState:
    owner: str
    encoding: str
    public: tuple[str, ...]
    connectable: bool = True
    extensions: tuple[str, ...] = ()
    # Extensions whose tables the wanted owner cannot write to.
    ungranted: tuple[str, ...] = ()


@dataclass(frozen=True)
class State:
    version: str
    roles: Mapping[str, RoleState]
    databases: Mapping[str, DatabaseState]
    # Extension that could be installed -> the extensions it needs.
    available: Mapping[str, tuple[str, ...]]


def _in_list(column: str, names: Sequence[str]) -> str:
    return f"{column} IN ({', '.join(quote_literal(name) for name in names)})" if names else "false"


def _written_relations(extensions: Sequence[str]) -> str:
    """FROM and WHERE of the relations (c) that users of these extensions (x) write to."""
    pairs = [(extension, relation) for extension in extensions for relation in _WRITTEN_BY_USERS[extension]]
    listed = ", ".join(f"({quote_literal(extension)}, {quote_literal(relation)})" for extension, relation in pairs)
    return (
        "FROM pg_depend p "
        "JOIN pg_extension x ON p.refclassid = 'pg_extension'::regclass AND p.refobjid = x.oid "
        "JOIN pg_class c ON p.classid = 'pg_class'::regclass AND p.objid = c.oid "
        f"WHERE p.deptype = 'e' AND (x.extname, c.relname) IN ({listed})"
    )


def _ungranted(owner: str) -> str:
    """The extensions whose tables a role, which need not exist yet, cannot write to."""
    granted = (
        "CASE c.relkind WHEN 'S' THEN has_sequence_privilege(r.oid, c.oid, 'USAGE') "
        "ELSE has_table_privilege(r.oid, c.oid, 'INSERT') AND has_table_privilege(r.oid, c.oid, 'UPDATE') "
        "AND has_table_privilege(r.oid, c.oid, 'DELETE') END"
    )
    return (
        f"SELECT jsonb_agg(DISTINCT x.extname) {_written_relations(list(_WRITTEN_BY_USERS))} "
        "AND NOT coalesce("
        f"(SELECT {granted} FROM pg_roles r WHERE r.rolname = {quote_literal(owner)}), false)"
    )


def state_script(roles: Sequence[Role], databases: Sequence[Database], superuser: Role | None = None) -> str:
    """A psql script that prints the state, a JSON object a line: the server, then each database there is."""
    managed = [role.name for role in (*roles, *([superuser] if superuser else []))]
    names = list(dict.fromkeys(managed + [database.owner for database in databases]))
    attributes = ", ".join(f"'{column}', r.{column}" for column in _ROLE_ATTRIBUTES)
    pin = "SET search_path = pg_catalog;"
    lines = [
        "\\set ON_ERROR_STOP on",
        # Objects in a database belong to its owner; the superuser must not run them in place of the system's.
        pin,
        f"""SELECT jsonb_build_object(
  'version', current_setting('server_version'),
  'roles', (SELECT jsonb_object_agg(r.rolname, jsonb_build_object({attributes},
      'verifier', CASE WHEN {_in_list("r.rolname", managed)} THEN r.rolpassword END))
    FROM pg_authid r WHERE {_in_list("r.rolname", names)}),
  'databases', (SELECT jsonb_object_agg(d.datname, jsonb_build_object(
      'owner', pg_get_userbyid(d.datdba), 'encoding', pg_encoding_to_char(d.encoding),
      'connectable', d.datallowconn,
      'public', (SELECT jsonb_agg(DISTINCT a.privilege_type)
        FROM aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a
        WHERE a.grantee = 0 AND a.privilege_type IN ('CONNECT', 'TEMPORARY'))))
    FROM pg_database d WHERE {_in_list("d.datname", [database.name for database in databases])}),
  'available', (SELECT jsonb_object_agg(e.name, coalesce(to_jsonb(v.requires), '[]'))
    FROM pg_available_extensions e
    JOIN pg_available_extension_versions v ON v.name = e.name AND v.version = e.default_version));""",
    ]
    for database in databases:
        lines += [
            f"SELECT EXISTS (SELECT 1 FROM pg_database WHERE datallowconn AND datname = {quote_literal(database.name)}) AS present \\gset",
            "\\if :present",
            connect_command(database.name),
            pin,
            "SELECT jsonb_build_object('database', current_database(), "
            "'extensions', (SELECT jsonb_agg(extname) FROM pg_extension), "
            f"'ungranted', ({_ungranted(database.owner)}));",
            "\\endif",
        ]
    return "\n".join(lines) + "\n"


def parse_state(output: str) -> State:
    """Read what the state script printed."""
    try:
        server, *rest = [json.loads(line) for line in output.split("\n") if line.strip()]
        extensions = {item["database"]: tuple(sorted(item["extensions"] or ())) for item in rest}
        ungranted = {item["database"]: tuple(sorted(item["ungranted"] or ())) for item in rest}
        return State(
            version=server["version"],
            roles={
                name: RoleState({key: bool(item[key]) for key in _ROLE_ATTRIBUTES}, item["verifier"])
                for name, item in (server["roles"] or {}).items()
            },
            databases={
                name: DatabaseState(
                    owner=item["owner"],
                    encoding=item["encoding"],
                    public=tuple(sorted(item["public"] or ())),
                    connectable=item["connectable"],
                    extensions=extensions.get(name, ()),
                    ungranted=ungranted.get(name, ()),
                )
                for name, item in (server["databases"] or {}).items()
            },
            available={name: tuple(needs) for name, needs in (server["available"] or {}).items()},
        )
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise ValueError(f"psql printed something else than the server's state ({exc!r})") from exc


# --- the way between -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Step:
    """One change: what a person reads, and the statements (which may hold a verifier)."""

    description: str
    statements: tuple[str, ...] = field(repr=False)
    database: str | None = None


def problems(roles: Sequence[Role], databases: Sequence[Database], state: State) -> list[str]:
    """Everything that makes the change impossible, found before the first one."""
    found: list[str] = []
    known = {role.name for role in roles} | set(state.roles)
    for index, database in enumerate(databases):
        if database.owner not in known:
            found.append(f'databases[{index}].owner: role "{database.owner}" of database "{database.name}" does not exist; add it to roles')
        there = state.databases.get(database.name)
        if there is not None and there.encoding != "UTF8":
            found.append(
                f'databases[{index}].name: database "{database.name}" exists with encoding {there.encoding}, '
                "which cannot be changed; dump it, drop it, and restore it into one with UTF8"
            )
        if there is not None and not there.connectable:
            found.append(
                f'databases[{index}].name: database "{database.name}" allows no connections; '
                f"ALTER DATABASE {quote_identifier(database.name)} ALLOW_CONNECTIONS true"
            )
        installed = there.extensions if there is not None else ()
        for extension in database.extensions:
            if extension in installed:
                continue
            lacking = _lacking(extension, installed, state.available)
            if lacking is None:
                continue
            needed = "" if lacking == extension else f' (needed by "{extension}")'
            found.append(
                f'databases[{index}].extensions: "{lacking}"{needed}, wanted in database "{database.name}", '
                f"is not available in this server's image; use an image that has it, or one of: "
                f"{', '.join(sorted(state.available)) or '(none)'}"
            )
    return found


def _lacking(extension: str, installed: Sequence[str], available: Mapping[str, tuple[str, ...]]) -> str | None:
    """The first extension that CREATE EXTENSION ... CASCADE would not find, if any."""
    seen: set[str] = set()
    queue = [extension]
    while queue:
        name = queue.pop(0)
        if name in seen or name in installed:
            continue
        if name not in available:
            return name
        seen.add(name)
        queue.extend(available[name])
    return None


def plan(
    roles: Sequence[Role],
    databases: Sequence[Database],
    state: State,
    salt: Callable[[], bytes] = new_salt,
    superuser: Role | None = None,
) -> list[Step]:
    """The steps from what is there to what is wanted; nothing is ever dropped. Of a superuser only the password is kept."""
    steps = [] if superuser is None else _password_steps(superuser, state.roles.get(superuser.name), salt)
    steps += [step for role in roles for step in _role_steps(role, state.roles.get(role.name), salt)]
    for database in databases:
        steps += _database_steps(database, state.databases.get(database.name))
    for database in databases:
        steps += _extension_steps(database, state.databases.get(database.name))
    return steps


def _role_steps(role: Role, there: RoleState | None, salt: Callable[[], bytes]) -> list[Step]:
    name = quote_identifier(role.name)
    if there is None:
        clauses = " ".join(clause for _value, clause in _ROLE_ATTRIBUTES.values())
        verifier = quote_literal(scram_verifier(role.password, salt()))
        return [Step(f"create role {role.name}", (f"CREATE ROLE {name} {clauses} PASSWORD {verifier};",))]
    steps: list[Step] = []
    drifted = [clause for column, (value, clause) in _ROLE_ATTRIBUTES.items() if there.attributes[column] != value]
    if drifted:
        clauses = " ".join(drifted)
        steps.append(Step(f"alter role {role.name}: {clauses}", (f"ALTER ROLE {name} {clauses};",)))
    return steps + _password_steps(role, there, salt)


def _password_steps(role: Role, there: RoleState | None, salt: Callable[[], bytes]) -> list[Step]:
    if password_matches(role.password, there.verifier if there is not None else None):
        return []
    verifier = quote_literal(scram_verifier(role.password, salt()))
    statement = f"ALTER ROLE {quote_identifier(role.name)} PASSWORD {verifier};"
    return [Step(f"set the password of role {role.name}", (statement,))]


def _database_steps(database: Database, there: DatabaseState | None) -> list[Step]:
    name, owner = quote_identifier(database.name), quote_identifier(database.owner)
    revoke = f"REVOKE CONNECT, TEMPORARY ON DATABASE {name} FROM PUBLIC;"
    if there is None:
        # template0: template1 may have another encoding, or objects that somebody put there.
        create = f"CREATE DATABASE {name} OWNER {owner} ENCODING 'UTF8' TEMPLATE template0;"
        return [Step(f"create database {database.name} owned by {database.owner}", (create, revoke))]
    steps: list[Step] = []
    if there.owner != database.owner:
        steps.append(
            Step(
                f"change the owner of database {database.name} from {there.owner} to {database.owner}",
                (f"ALTER DATABASE {name} OWNER TO {owner};",),
            )
        )
    if there.public:
        steps.append(Step(f"revoke {', '.join(there.public)} on database {database.name} from everybody", (revoke,)))
    return steps


def _extension_steps(database: Database, there: DatabaseState | None) -> list[Step]:
    installed = there.extensions if there is not None else ()
    steps = [
        Step(
            f"create extension {extension} in database {database.name}",
            # IF NOT EXISTS: an extension before it in the list may have brought it in.
            (f"CREATE EXTENSION IF NOT EXISTS {quote_identifier(extension)} CASCADE;",),
            database.name,
        )
        for extension in database.extensions
        if extension not in installed
    ]
    ungranted = there.ungranted if there is not None else ()
    for extension in database.extensions:
        if extension in _WRITTEN_BY_USERS and (extension not in installed or extension in ungranted):
            steps.append(
                Step(
                    f"let {database.owner} write to the tables of extension {extension} in database {database.name}",
                    (
                        "BEGIN;",
                        "SET LOCAL search_path = pg_catalog;",
                        _grant(extension, database.owner),
                        "COMMIT;",
                    ),
                    database.name,
                )
            )
    return steps


def _grant(extension: str, owner: str) -> str:
    """Grant by the catalogue, since the schema of a relocatable extension is known only there."""
    return (
        "SELECT format(CASE c.relkind WHEN 'S' THEN 'GRANT USAGE, SELECT ON SEQUENCE %s TO %I' "
        "ELSE 'GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE %s TO %I' END, c.oid::regclass, "
        f"{quote_literal(owner)}) {_written_relations([extension])} \\gexec"
    )


def change_script(steps: Sequence[Step]) -> str:
    """A psql script that carries out the steps and stops at the first error."""
    lines = ["\\set ON_ERROR_STOP on"]
    connected: str | None = None
    for step in steps:
        if step.database is not None and step.database != connected:
            lines.append(connect_command(step.database))
            connected = step.database
        lines += step.statements
    return "\n".join(lines) + "\n"


def verifiers_in(text: str) -> list[str]:
    """Every password verifier in a text, so that an error message can be rid of them."""
    return [match.group(0) for match in _VERIFIER.finditer(text)]


def diff_of(roles: Sequence[Role], databases: Sequence[Database], state: State) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is there and what will be, without a password or a verifier."""
    before: dict[str, Any] = {"roles": {}, "databases": {}}
    after: dict[str, Any] = {"roles": {}, "databases": {}}
    wanted = [clause for _value, clause in _ROLE_ATTRIBUTES.values()]
    for role in roles:
        there = state.roles.get(role.name)
        after["roles"][role.name] = {"attributes": wanted, "password": "as given"}
        if there is not None:
            before["roles"][role.name] = {
                "attributes": [
                    clause if there.attributes[column] == value else _opposite(clause)
                    for column, (value, clause) in _ROLE_ATTRIBUTES.items()
                ],
                "password": "as given" if password_matches(role.password, there.verifier) else "another",
            }
    for database in databases:
        actual = state.databases.get(database.name)
        installed = actual.extensions if actual is not None else ()
        after["databases"][database.name] = {
            "owner": database.owner,
            "public": [],
            "extensions": sorted({*installed, *database.extensions}),
            "owner_writes": sorted(name for name in database.extensions if name in _WRITTEN_BY_USERS),
        }
        if actual is not None:
            before["databases"][database.name] = {
                "owner": actual.owner,
                "public": list(actual.public),
                "extensions": list(installed),
                "owner_writes": sorted(
                    name for name in database.extensions if name in _WRITTEN_BY_USERS and name in installed and name not in actual.ungranted
                ),
            }
    return before, after


def _opposite(clause: str) -> str:
    return clause[2:] if clause.startswith("NO") else f"NO{clause}"


__all__ = (
    "SESSION_OPTIONS",
    "Database",
    "DatabaseState",
    "Role",
    "RoleState",
    "State",
    "Step",
    "change_script",
    "check_name",
    "check_not_the_servers",
    "check_role_name",
    "connect_command",
    "diff_of",
    "new_salt",
    "parse_databases",
    "parse_roles",
    "parse_state",
    "password_matches",
    "plan",
    "problems",
    "quote_identifier",
    "quote_literal",
    "saslprep",
    "scram_verifier",
    "state_script",
    "verifiers_in",
)

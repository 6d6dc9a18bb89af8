"""``seenby.toml``: everything one region's gateway is told. Unknown keys are refused, with the nearest known one.

::

    region = "eu"
    origin = "eu.log.platform.example"      # the log's name, in every checkpoint
    state = "state"                         # ledger and keys; relative paths are relative to this file
    datamap = "datamap.toml"
    directory = "directory.toml"            # principals: stands for the identity provider
    policies = ""                           # a folder of .cedar files; empty: the set that ships
    organisation = "platform.example+..."   # whose signature a list of regions carries; "" = a single region
    regions = "regions"                     # that list (docs/formats/trust.md), logged when it is a new one

    [listen]
    host = "127.0.0.1"                      # "" = no TCP
    port = 6432
    socket_dir = "run"                      # unix socket .s.PGSQL.<port>; "" = none
    tls_cert = "tls/server.crt"             # both empty = no TLS
    tls_key = "tls/server.key"
    require_tls = true                      # TCP only; unix sockets are always allowed

    [database]                              # the user data, as seenby_guard
    host = "/run/postgresql"
    port = 5432
    dbname = "platform"
    user = "seenby_guard"
    password_file = "keys/guard.pw"
    managed = false                         # true: a service without superuser (docs/guide/attach.md says what is open)

    [control]                               # the control database, and the API's socket
    dbname = "seenby"
    user = "seenby_control"
    password_file = "keys/control.pw"
    socket = "run/control.sock"

    [keys]                                  # people's keys, and what wraps them (docs/formats/ledger.md, "Key store")
    kms = "file"                            # or "pkcs11"; each region has its own
    kms_dir = "state/kms"                   # file: a directory that is in no backup; default: kms in state
    module = "/usr/lib/softhsm/libsofthsm2.so"  # pkcs11: the vendor's library
    token = "seenby-eu"                     # pkcs11: the token's label
    pin_file = "keys/token.pin"             # pkcs11
    dbname = "seenby_keys"                  # a database for people's keys, never the user data's; "" = a file in state
    host = "/run/postgresql"                # "" = the same server as [database]
    port = 5432
    user = "seenby_keys"
    password_file = "keys/keys.pw"
    rotate_days = 30                        # how old the key over all of them becomes
    destroy_after_days = 30                 # how long an old one stays, and with it what older backups hold

    [limits]
    max_message = 16777216                  # bytes, a client's single message
    max_sessions = 1000
    connections_per_grant = 100

    [reconcile]                             # `seenby reconcile`: who connected that was not Seenby?
    log = "/var/log/postgresql"             # the database's jsonlog: a file, or the folder of its *.json files
    since = "2026-11-22T09:30:00Z"          # when Seenby took the database over; what was before is not judged

    [publish]                               # the public log over HTTP; any web server may serve a copy instead
    host = "0.0.0.0"                        # "" = not served
    port = 8443
    tls_cert = "tls/log.crt"                # both empty = no TLS
    tls_key = "tls/log.key"

    [witnesses]                             # who is asked to cosign the log
    policy = "witnesses.policy"             # C2SP tlog-policy (docs/formats/trust.md); "" = nobody

    [auditors]
    threshold = 2                           # so many of the directory's auditors open records together; 0 = none named

    [erasure]
    every_minutes = 1440                    # erasures wait for this grid of times (UTC), so that theirs says little
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from seenby.errors import ConfigError
from seenby.stores.keystore_config import Keys, resolve


@dataclass(frozen=True, slots=True)
class Listen:
    host: str = "127.0.0.1"
    port: int = 6432
    socket_dir: str = ""
    tls_cert: str = ""
    tls_key: str = ""
    require_tls: bool = True


@dataclass(frozen=True, slots=True)
class Database:
    """Where a Postgres database is and as whom to go there. ``host`` may be a socket directory."""

    host: str = ""
    port: int = 5432
    dbname: str = ""
    user: str = ""
    password_file: str = ""
    managed: bool = False

    def password(self) -> str:
        """Reads the password. Raises ConfigError when the file is not there or others may read it."""
        path = Path(self.password_file)
        try:
            if path.stat().st_mode & 0o077:
                raise ConfigError(f"{path} is readable by others", hint=f"chmod 600 {path}")
            return path.read_text().strip()
        except OSError as error:
            raise ConfigError(f"cannot read the password file {path}: {error.strerror}") from None

    def dsn(self) -> str:
        """A libpq connection string with the password."""
        return (
            f"host={self.host} port={self.port} dbname={self.dbname} user={self.user} "
            f"password={self.password()} application_name=seenby"
        )


@dataclass(frozen=True, slots=True)
class Control:
    host: str = ""  # "" = the same server as [database]
    port: int = 0
    dbname: str = "seenby"
    user: str = "seenby_control"
    password_file: str = ""
    socket: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    max_message: int = 16 * 1024 * 1024
    max_sessions: int = 1000
    connections_per_grant: int = 100


@dataclass(frozen=True, slots=True)
class Reconcile:
    log: str = ""
    since: str = ""


@dataclass(frozen=True, slots=True)
class Publish:
    host: str = ""
    port: int = 0
    tls_cert: str = ""
    tls_key: str = ""


@dataclass(frozen=True, slots=True)
class Witnesses:
    policy: str = ""


@dataclass(frozen=True, slots=True)
class AuditorsNeeded:
    threshold: int = 0


@dataclass(frozen=True, slots=True)
class Erasure:
    every_minutes: int = 1440


@dataclass(frozen=True, slots=True)
class Config:
    """One region's gateway. All paths are absolute."""

    file: Path
    region: str
    origin: str
    state: Path
    datamap_file: Path
    directory_file: Path
    policies_dir: Path | None
    listen: Listen
    database: Database
    control_database: Database
    control_socket: Path
    limits: Limits
    reconcile: Reconcile = Reconcile()
    keys: Keys = field(default_factory=Keys)
    publish: Publish = Publish()
    witnesses: Witnesses = Witnesses()
    auditors: AuditorsNeeded = AuditorsNeeded()
    erasure: Erasure = Erasure()
    organisation: str = ""
    regions_file: Path | None = None

    @property
    def ledger_dir(self) -> Path:
        return self.state / "ledger"

    @property
    def keys_dir(self) -> Path:
        return self.state / "keys"

    @property
    def control_dsn(self) -> str:
        return self.control_database.dsn()


TOP = frozenset(
    {
        "region",
        "origin",
        "state",
        "datamap",
        "directory",
        "policies",
        "organisation",
        "regions",
        "listen",
        "database",
        "control",
        "keys",
        "limits",
        "reconcile",
        "publish",
        "witnesses",
        "auditors",
        "erasure",
    }
)
Section = TypeVar(
    "Section", Listen, Database, Control, Keys, Limits, Reconcile, Publish, Witnesses, AuditorsNeeded, Erasure
)


def load_config(path: Path | str) -> Config:
    """Reads ``seenby.toml``. Raises ConfigError that names the file, the key and what was expected."""
    file = Path(path).expanduser().resolve()
    try:
        raw = tomllib.loads(file.read_text())
    except OSError as error:
        raise ConfigError(
            f"cannot read {path}: {error.strerror}", hint="give --config FILE; `seenby demo` writes complete examples"
        ) from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not text in UTF-8", hint="save it as UTF-8; is it the region's file?") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not TOML: {error}") from None
    _known(file, "", raw, TOP)
    base = file.parent

    def path_of(value: str) -> Path:
        return (base / value).resolve()

    def place(key: str, default: str) -> Path:
        return path_of(_text(file, raw, key, default))

    listen = _section(file, raw, "listen", Listen)
    database = _section(file, raw, "database", Database)
    control = _section(file, raw, "control", Control)
    if not control.socket:
        raise ConfigError(f"{file}: [control] socket is missing", hint='write socket = "run/control.sock"')
    policies = _text(file, raw, "policies", "")
    listen = Listen(
        listen.host,
        listen.port,
        str(path_of(listen.socket_dir)) if listen.socket_dir else "",
        str(path_of(listen.tls_cert)) if listen.tls_cert else "",
        str(path_of(listen.tls_key)) if listen.tls_key else "",
        listen.require_tls,
    )
    if bool(listen.tls_cert) != bool(listen.tls_key):
        raise ConfigError(f"{file}: [listen] tls_cert and tls_key go together")
    reconcile = _section(file, raw, "reconcile", Reconcile)
    publish = _section(file, raw, "publish", Publish)
    if publish.host and not 0 < publish.port < 65_536:
        raise ConfigError(f"{file}: [publish] port must be from 1 to 65535, not {publish.port}", hint="port = 8443")
    if bool(publish.tls_cert) != bool(publish.tls_key):
        raise ConfigError(f"{file}: [publish] tls_cert and tls_key go together")
    publish = replace(
        publish,
        tls_cert=str(path_of(publish.tls_cert)) if publish.tls_cert else "",
        tls_key=str(path_of(publish.tls_key)) if publish.tls_key else "",
    )
    witnesses = _section(file, raw, "witnesses", Witnesses)
    erasure = _section(file, raw, "erasure", Erasure)
    if not 0 < erasure.every_minutes <= 60 * 24 * 31:
        raise ConfigError(f"{file}: [erasure] every_minutes must be from 1 to 44640, not {erasure.every_minutes}")
    organisation, regions = _text(file, raw, "organisation", ""), _text(file, raw, "regions", "")
    if bool(organisation) != bool(regions):
        raise ConfigError(f"{file}: organisation and regions go together", hint="docs/formats/trust.md explains both")
    host = str(path_of(database.host)) if database.host.startswith((".", "/")) else database.host
    return Config(
        file=file,
        region=_text(file, raw, "region"),
        origin=_text(file, raw, "origin"),
        state=place("state", "state"),
        datamap_file=place("datamap", "datamap.toml"),
        directory_file=place("directory", "directory.toml"),
        policies_dir=path_of(policies) if policies else None,
        listen=listen,
        database=replace(database, host=host, password_file=str(path_of(database.password_file))),
        control_database=Database(
            control.host or host,
            control.port or database.port,
            control.dbname,
            control.user,
            str(path_of(control.password_file)),
        ),
        control_socket=path_of(control.socket),
        keys=resolve(file, _section(file, raw, "keys", Keys), database, place("state", "state")),
        limits=_section(file, raw, "limits", Limits),
        reconcile=Reconcile(str(path_of(reconcile.log)) if reconcile.log else "", reconcile.since),
        publish=publish,
        witnesses=Witnesses(str(path_of(witnesses.policy)) if witnesses.policy else ""),
        auditors=_section(file, raw, "auditors", AuditorsNeeded),
        erasure=erasure,
        organisation=organisation,
        regions_file=path_of(regions) if regions else None,
    )


def _known(file: Path, section: str, table: Mapping[str, Any], names: frozenset[str]) -> None:
    for key in table:
        if key not in names:
            near = difflib.get_close_matches(key, names, 1)
            raise ConfigError(
                f"{file}: {section + '.' if section else ''}{key} is not a setting",
                hint=f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(names))}",
            )


def _text(file: Path, table: Mapping[str, Any], key: str, default: str | None = None) -> str:
    value = table.get(key, default)
    if not isinstance(value, str) or (default is None and not value):
        raise ConfigError(f"{file}: {key} must be a text", hint=f'write {key} = "..."')
    return value


def _section(file: Path, raw: Mapping[str, Any], name: str, kind: type[Section]) -> Section:
    table = raw.get(name, {})
    if not isinstance(table, dict):
        raise ConfigError(f"{file}: {name} must be a section", hint=f"write [{name}]")
    _known(file, name, table, frozenset(field.name for field in fields(kind)))
    defaults = kind()
    for key, value in table.items():
        expected = type(getattr(defaults, key))
        if type(value) is not expected:
            raise ConfigError(f"{file}: {name}.{key} must be of type {expected.__name__}, not {value!r}")
    return kind(**table)

"""One region of the demo: a Postgres cluster with user data and control database, its configuration, its gateway."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

import psycopg
from psycopg import sql

from seenby.datamap import parse
from seenby.demo import generate
from seenby.demo.people import write_secret
from seenby.errors import Unavailable
from seenby.guard import scram
from seenby.stores.cluster import BIN, Cluster, free_port, release_port
from seenby.stores.config import load_config
from seenby.stores.jsonlog import Reconciliation, read_lines
from seenby.stores.keystore_open import open_keystore
from seenby.stores.userdb import attach
from seenby_verify.tlog.vkey import VerifierKey

PLATFORM, CONTROL = "platform", "seenby"
OWNER = "platform_owner"
GATEWAY_START_SECONDS = 30.0
GATEWAY_STOP_SECONDS = 5.0

CONFIG = """\
region = {region}
origin = {origin}
state = "state"
datamap = "datamap.toml"
directory = "../directory.toml"
organisation = {organisation}
regions = "../regions"

[publish]
host = "127.0.0.1"
port = {log_port}

[witnesses]
policy = "../trust.policy"

[listen]
host = "127.0.0.1"
port = {port}
socket_dir = {sockets}
tls_cert = "tls/server.crt"
tls_key = "tls/server.key"
require_tls = true

[database]
host = {cluster_sockets}
port = {cluster_port}
dbname = "platform"
user = "seenby_guard"
password_file = "keys/guard.pw"

[control]
dbname = "seenby"
user = "seenby_control"
password_file = "keys/control.pw"
socket = {control_socket}

[reconcile]
log = {log}
since = {since}
"""


@dataclass
class Region:
    """One region's servers. Make it, ``build``, ``start_gateway``; ``stop`` ends everything.

    Attributes:
        name: "eu" or "us".
        directory: everything of this region lies here.
        organisation: whose signature the list of regions carries.
        cluster: its Postgres; None before ``build``.
        port: where the gateway listens on 127.0.0.1, with TLS; ``log_port``: where it serves the public log.
        passwords: of the database roles ``platform_owner``, ``seenby_guard``, ``seenby_control``.
        rows: by table.
    """

    name: str
    directory: Path
    organisation: VerifierKey
    durable: bool = True
    cluster: Cluster | None = None
    port: int = field(default_factory=free_port)
    log_port: int = field(default_factory=free_port)
    passwords: dict[str, str] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    gateway: subprocess.Popen[bytes] | None = None
    abandoned: bool = False

    @property
    def config_file(self) -> Path:
        return self.directory / "seenby.toml"

    @property
    def log_url(self) -> str:
        """Where anybody reads this region's log."""
        return f"http://127.0.0.1:{self.log_port}/"

    def log_key(self) -> VerifierKey:
        """The log's verifier key; its key store is made if it is not there."""
        config = load_config(self.config_file)
        keystore = open_keystore(config)
        try:
            return keystore.verifier_key(config.origin)
        finally:
            keystore.close()

    @property
    def socket_dir(self) -> Path:
        """Of the gateway: its unix socket and the control API's. Short, because a socket's path has 107 bytes."""
        return self.running.sockets / "gw"

    @property
    def running(self) -> Cluster:
        """The cluster. Raises Unavailable before ``build``."""
        if self.cluster is None:
            raise Unavailable(f"region {self.name} has no database yet")
        return self.cluster

    @property
    def gateway_log(self) -> Path:
        return self.directory / "gateway.log"

    def build(self, *, people: int, seed: int, today: datetime, progress: generate.OnProgress) -> None:
        """Cluster, roles, user data, attachment, configuration. ``tls/`` is filled by the world."""
        progress("starting PostgreSQL", 0.0)
        for folder in ("keys", "state", "tls"):
            (self.directory / folder).mkdir(mode=0o700, parents=True)
        self.cluster = Cluster.create(self.directory / "pg", durable=self.durable)
        if self.abandoned:
            raise Unavailable(f"region {self.name} was given up")
        self.socket_dir.mkdir(mode=0o700)
        self._roles()
        self.rows = generate.load(
            self.cluster.dsn(PLATFORM),
            region=self.name,
            people=people,
            seed=seed,
            today=today,
            owner=OWNER,
            progress=progress,
        )
        (self.directory / "datamap.toml").write_text(files("seenby.demo").joinpath("datamap.toml").read_text())
        self._attach()
        self._watch()
        self._write_config(self._taken_over())

    def _roles(self) -> None:
        for role, file in ((OWNER, "owner.pw"), ("seenby_guard", "guard.pw"), ("seenby_control", "control.pw")):
            self.passwords[role] = secrets.token_urlsafe(24)
            write_secret(self.directory / "keys" / file, self.passwords[role])
        with psycopg.connect(self.running.dsn(), autocommit=True) as connection:
            for role, database in ((OWNER, PLATFORM), ("seenby_control", CONTROL)):
                verifier = sql.Literal(scram.verifier(self.passwords[role], secrets.token_bytes(16)))
                name = sql.Identifier(role)
                connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(name, verifier))
                connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(database), name))
                connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(database)))

    def _attach(self) -> None:
        datamap = parse((self.directory / "datamap.toml").read_text(), source="datamap.toml", region=self.name)
        asyncio.run(attach(self.running.dsn(PLATFORM), datamap, guard_password=self.passwords["seenby_guard"]))

    def _watch(self) -> None:
        """From the next session on, every statement of those who could bypass Seenby is in the database's log.

        Only a superuser can switch that off again, and that statement would be in the log. Grants' roles are left
        out: the gateway records what they do, and their connections are logged anyhow.
        """
        with psycopg.connect(self.running.dsn(PLATFORM), autocommit=True) as connection:
            for role in (OWNER, "postgres"):
                connection.execute(sql.SQL("ALTER ROLE {} SET log_statement = 'all'").format(sql.Identifier(role)))

    def _taken_over(self) -> float:
        """Unix seconds just after the last session of the setup, by the database's own log.

        What happened to the database before it stood behind Seenby is not Seenby's to judge.
        """
        deadline = time.monotonic() + 10
        while True:
            setup = Reconciliation(PLATFORM, local=True)
            for line, _ in read_lines(self.running.jsonlog):
                setup.add(line)
            ends = [session.ended for session in setup.foreign.values()]
            if all(ends):
                return max((end for end in ends if end), default=0.0) + 0.001
            if time.monotonic() > deadline:
                raise Unavailable("a session of the setup did not end", detail=str(setup.foreign))
            time.sleep(0.01)

    def _write_config(self, since: float) -> None:
        stamp = datetime.fromtimestamp(since, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        values = {
            "region": self.name,
            "origin": f"{self.name}.log.orbit.example",
            "port": self.port,
            "log_port": self.log_port,
            "organisation": str(self.organisation),
            "sockets": str(self.socket_dir),
            "control_socket": str(self.socket_dir / "control.sock"),
            "cluster_sockets": str(self.running.sockets),
            "cluster_port": self.running.port,
            "log": str(self.running.jsonlog),
            "since": stamp,
        }
        self.config_file.write_text(CONFIG.format(**{key: json.dumps(value) for key, value in values.items()}))

    def start_gateway(self) -> None:
        """Runs ``seenby serve`` and waits until it listens. Raises Unavailable, with the end of its log."""
        command = [sys.executable, "-c", "from seenby.cli import main; main()"]
        with self.gateway_log.open("ab") as log:
            self.gateway = subprocess.Popen(
                [*command, "serve", "--config", str(self.config_file)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.directory,
                start_new_session=True,  # a Ctrl-C is for the demo, which then ends the gateway in its own order
            )
        deadline = time.monotonic() + GATEWAY_START_SECONDS
        while not _listens(self.port):
            if self.gateway.poll() is not None or time.monotonic() > deadline:
                tail = self.gateway_log.read_text(errors="replace")[-2000:]
                self.stop_gateway()
                raise Unavailable(f"the gateway of region {self.name} did not start", detail=tail)
            time.sleep(0.02)

    def stop_gateway(self) -> None:
        """SIGTERM, a moment, then SIGKILL to it and to whatever it started."""
        gateway, self.gateway = self.gateway, None
        if gateway is None:
            return
        if gateway.poll() is None:
            gateway.terminate()
            try:
                gateway.wait(GATEWAY_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                pass
        _kill_group(gateway.pid)
        gateway.wait()

    def abandon(self) -> None:
        """Makes a ``build`` in another thread fail soon."""
        self.abandoned = True
        if self.cluster is not None:
            self.cluster.stop(immediate=True)

    def stop(self) -> None:
        """Ends gateway and database, for good. The files stay."""
        self.stop_gateway()
        for port in (self.port, self.log_port):
            release_port(port)
        if self.cluster is not None:
            self.cluster.stop(immediate=True)
            release_port(self.cluster.port)

    def connection(self, user: str, *, grant: str = "", tls: bool = True) -> str:
        """A libpq connection string to the gateway, without the password: TCP with TLS, or its unix socket.

        The embedded wheel's own psql is built without TLS; drivers such as psycopg bring their own libpq, with it.
        """
        ca = self.directory.parent / "ca.crt"
        place = f"host=localhost sslmode=verify-full sslrootcert={ca}" if tls else f"host={self.socket_dir}"
        options = f" options='-c seenby.grant={grant}'" if grant else ""
        return f"{place} port={self.port} dbname={PLATFORM} user={user}{options}"

    def psql(self, user: str, password: str, *, grant: str = "") -> str:
        """A command line to paste, with the embedded wheel's psql."""
        target = self.connection(user, grant=grant, tls=False)
        return f"PGPASSWORD={shlex.quote(password)} {BIN / 'psql'} {shlex.quote(target)}"


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _kill_group(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return

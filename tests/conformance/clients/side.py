"""One of the two servers that a client is pointed at, and what is said of a client where they answer differently."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psycopg.conninfo import make_conninfo

Outcome = Any
"""What a client made of one feature: rows, names, SQLSTATEs, as plain JSON."""

Outcomes = dict[str, Outcome]


@dataclass(frozen=True, slots=True)
class Side:
    """Where a client connects.

    Attributes:
        gateway: through Seenby, over TCP with TLS, with a certificate that is checked; else directly, over TCP.
        sockets: folder of its unix socket: the wheel's psql is built without TLS.
        authority: file of the certificate authority; None without TLS.
        masked: name and password of somebody whose grant shows contact data only, the rest masked; directly: the same.
    """

    gateway: bool
    port: int
    user: str
    password: str
    sockets: Path
    authority: Path | None
    masked: tuple[str, str]
    host: str = "localhost"
    database: str = "platform"

    @property
    def dsn(self) -> str:
        """For libpq."""
        secure = {"sslmode": "verify-full", "sslrootcert": str(self.authority)} if self.authority else {}
        return make_conninfo(
            host=self.host, port=self.port, user=self.user, password=self.password, dbname=self.database, **secure
        )

    @property
    def local(self) -> str:
        """For libpq, over the unix socket."""
        return make_conninfo(
            host=str(self.sockets), port=self.port, user=self.user, password=self.password, dbname=self.database
        )

    @property
    def tls(self) -> ssl.SSLContext | None:
        return ssl.create_default_context(cafile=str(self.authority)) if self.authority else None

    @property
    def environment(self) -> dict[str, str]:
        """For programs that read libpq's variables, and for those of ours (node, java, go)."""
        named = {
            "PGHOST": self.host, "PGPORT": str(self.port), "PGUSER": self.user, "PGPASSWORD": self.password,
            "PGDATABASE": self.database,
        }  # fmt: skip
        secure = {"PGSSLMODE": "verify-full", "PGSSLROOTCERT": str(self.authority)} if self.authority else {}
        return named | (secure or {"PGSSLMODE": "disable"})


@dataclass(frozen=True, slots=True)
class Sides:
    """``direct``: a copy of the platform's database that physically holds only what the grant shows."""

    direct: Side
    through: Side


@dataclass(frozen=True, slots=True)
class Differs:
    """A feature that the two sides answer differently, and on purpose.

    Attributes:
        why: for the matrix.
        direct, through: what each of them answers.
    """

    why: str
    direct: Outcome
    through: Outcome


def compare(sides: Sides, run: Callable[[Side], Outcomes], differences: Mapping[str, Differs]) -> Outcomes:
    """Runs the same checks on both sides. Every answer must be equal, or differ exactly as stated.

    Returns what came through the gateway.
    """
    direct, through = run(sides.direct), run(sides.through)
    assert list(direct) == list(through)
    wrong = []
    for feature, expected in direct.items():
        found, stated = through[feature], differences.get(feature)
        if stated is None and found != expected:
            wrong.append(f"{feature}{_first(expected, found)}")
        elif stated is not None and (expected, found) != (stated.direct, stated.through):
            wrong.append(f"{feature}, which the matrix states otherwise{_first(expected, found, whole=True)}")
    assert not wrong, "\n" + "\n".join(wrong)
    return through


def _first(expected: Outcome, found: Outcome, where: str = "", *, whole: bool = False) -> str:
    """Where two outcomes differ first."""
    if not whole and type(expected) is type(found) and expected != found:
        if isinstance(expected, dict) and list(expected) == list(found):
            name = next(name for name in expected if expected[name] != found[name])
            return _first(expected[name], found[name], f"{where}[{name!r}]")
        if isinstance(expected, list) and len(expected) == len(found):
            place = next(i for i, one in enumerate(expected) if one != found[i])
            return _first(expected[place], found[place], f"{where}[{place}]")
    return f"{where}\n  direct:  {_short(expected)}\n  through: {_short(found)}"


def _short(value: Outcome) -> str:
    text = repr(value)
    return text if len(text) < 1500 else f"{text[:1500]}... ({len(text)} characters)"

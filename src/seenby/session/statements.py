"""Prepared statements and portals: the client's names, and what stands for them in Postgres."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from seenby.attribute.noise import Draw
from seenby.model.plan import QueryPlan, Runnable, WritePlan
from seenby.session.record import RecordTemplate
from seenby.wire import backend
from seenby.wire.frontend import NO_VALUES


@dataclass(slots=True, eq=False)
class ServerStatement:
    """A rewritten statement as Postgres knows it, on this session's link.

    ``described`` turns true when Postgres has answered Describe; ``fields`` are the user's columns, without keys.
    """

    name: bytes
    key: tuple[str, tuple[int, ...]]
    hidden: int  # person keys in front
    width: int | None  # columns, with the keys; None: only Postgres knows, and there are no keys
    described: bool = False
    parameters: tuple[int, ...] = ()
    fields: tuple[backend.Field, ...] = ()


@dataclass(slots=True, eq=False)
class ClientStatement:
    """What the client calls by ``name``. ``server`` is None for statements that return nothing.

    ``executes`` is set for EXECUTE: the statement's name, what it stood for, and its arguments as in Bind.
    """

    text: str
    plan: Runnable | WritePlan
    version: int
    server: ServerStatement | None = None
    executes: Executes | None = None


class Executes(NamedTuple):
    name: bytes
    statement: ClientStatement
    values: bytes


@dataclass(slots=True, eq=False)
class Result:
    """One execution of one plan: what was found and shown so far, over all its parts."""

    plan: QueryPlan
    server: ServerStatement
    template: RecordTemplate
    parameters: list[str | None]
    values: bytes
    keys: tuple[set[bytes], ...]
    named: dict[str, int] = field(default_factory=dict)  # person -> bit set of keys already recorded
    upper: list[str] = field(default_factory=list)  # the companion's people, not recorded yet
    part: int = 0
    skip: int = 0  # rows still to drop (OFFSET)
    started: bool = False  # an Execute was sent
    cohort: int = 0  # people behind a statistic
    noise: Draw | None = None  # for its counts


@dataclass(slots=True, eq=False)
class Portal:
    """``batch``: between which two Syncs it was bound. ``result`` is None unless it stands for a SELECT in Postgres.

    ``name`` is Postgres's, ``p`` and ``number``, and never given twice. The client's may be taken again while
    Postgres still has what it stood for (a Close that it skipped), and then rows of one would pass for the other's.
    Only the unnamed portal is unnamed there too: an error behind which it could be confused is left by ROLLBACK TO,
    which runs in it and so takes it away.
    """

    statement: ClientStatement
    formats: tuple[int, ...]
    result: Result | None
    batch: int
    name: bytes
    number: int
    values: bytes = NO_VALUES

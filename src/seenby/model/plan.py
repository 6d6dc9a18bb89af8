"""What the analysis of one statement decided: the plan that a session carries out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import NamedTuple

from seenby.errors import SeenbyError
from seenby.model.classes import DataClass
from seenby.model.statistic import CohortQuery, Noisy


class Bound(StrEnum):
    """How exactly the entry names the people (invariant I4, ARCHITECTURE.md)."""

    EXACT = "exact"  # person keys travelled with every row
    UPPER = "upper"  # a companion query in the same snapshot named everybody who took part
    STATISTIC = "statistic"  # one cohort entry; no person named
    NOBODY = "nobody"  # no table with people was read (constants, the catalog, tables without a person)


class ControlKind(Enum):
    """Statements that the session answers or forwards without any person's data."""

    BEGIN = "BEGIN"
    COMMIT = "COMMIT"
    ROLLBACK = "ROLLBACK"
    SAVEPOINT = "SAVEPOINT"
    RELEASE = "RELEASE"
    ROLLBACK_TO = "ROLLBACK TO"
    SET = "SET"
    SHOW = "SHOW"
    DEALLOCATE = "DEALLOCATE"
    DECLARE = "DECLARE"
    CLOSE = "CLOSE"
    DISCARD = "DISCARD"
    EMPTY = ""


@dataclass(frozen=True, slots=True)
class OutputKey:
    """A person key in the rewritten output. Keys stand FIRST, in this order, so that stripping needs no walk.

    ``columns`` are the visible tables and columns ("accounts.phone") that belong to this key's person, with
    their classes: what the person's part of the record says was shown. ``many``: one row may hold several keys, as an
    array's text (attribute/arrays.py): ``{1000000042,1000000043}``.
    """

    kind: str
    columns: tuple[tuple[str, DataClass], ...]
    many: bool = False


@dataclass(frozen=True, slots=True)
class Explaining:
    """EXPLAIN: what may be shown of the plan (sql/explained.py).

    Attributes:
        form: text, xml, json or yaml.
        tables: that the grant shows: (schema, table).
        names: what the user calls what is read: tables, aliases, WITH.
        columns: that the grant shows, and names that the user gives.
        constants: the user's, as text.
        functions, types: that a statement may name.
    """

    form: str
    tables: frozenset[tuple[str, str]]
    names: frozenset[str]
    columns: frozenset[str]
    constants: frozenset[str]
    functions: frozenset[str]
    types: frozenset[str]


@dataclass(frozen=True, slots=True)
class QueryPlan:
    """A SELECT that may run.

    Attributes:
        sql: rewritten text; the first ``len(keys)`` output columns are person keys, as text.
        bound: how the people are found.
        visible: how many columns the user sees; 0 without keys: what Postgres says (a star over the catalog).
        keys: the person keys in the output (EXACT only).
        companion: asked first if ``beside``, otherwise after an error: rows ``(kind text, key text)``, distinct,
            capped by ``companion_cap + 1`` if the analysis can push the cap. Takes the same $n parameters as ``sql``.
        parts: for UPPER: what the record says was shown of each person found by the companion.
        tables, columns, classes: what the query record names, sorted ("accounts", "accounts.phone", "contact").
        offset: rows to drop in the gateway, after attribution (OFFSET k runs as LIMIT k+n).
        agreed: LIMIT below the top is read as at the top: its first rows are named, not those behind (ADR 5).
        offset_parameter: OFFSET $n: as many rows more as this parameter says; 0: none.
        catalog_only: reads only Seenby's catalog views.
        notices: sentences for the user (as in: rows limited by the grant's scope).
        pinned: a person key column is fixed by a constant or parameter.
        examined: asked when the result names nobody though it is pinned: rows as the companion's, of those whom it
            was about. Takes the same $n parameters as ``sql``.
        several: it is pinned to a list, of which some may be found and others not: ``examined`` is always asked.
        parameters: the highest $n.
        tag: what CommandComplete says; "" for SELECT and the number of rows.
        changes: the setting that it changes (set_config), in lower case.
        cohort: for STATISTIC: who stands behind it.
        conditions: for STATISTIC: the columns that choose its people and make its groups.
        instead: for STATISTIC: how the same text is answered where everybody must be named (attribute/verdict.py);
            None: refused.
        explains: for EXPLAIN, which answers with a plan of its own.
        noise: for STATISTIC: what is added to its figures before they leave.
        lookup: ``examined`` is there, or written later.
        later: the same plan with ``companion`` and ``examined``, which an exact answer seldom needs. Pure.
    """

    sql: str
    bound: Bound
    visible: int
    keys: tuple[OutputKey, ...] = ()
    companion: str | None = None
    parts: tuple[tuple[str, DataClass], ...] = ()
    tables: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    classes: tuple[DataClass, ...] = ()
    offset: int = 0
    agreed: bool = False
    offset_parameter: int = 0
    catalog_only: bool = False
    notices: tuple[str, ...] = ()
    pinned: bool = False
    examined: str | None = None
    several: bool = False
    parameters: int = 0
    tag: str = ""
    changes: str = ""
    cohort: CohortQuery | None = None
    conditions: tuple[str, ...] = ()
    instead: QueryPlan | None = None
    explains: Explaining | None = None
    noise: Noisy | None = None
    lookup: bool = False
    later: Callable[[], QueryPlan] | None = field(default=None, compare=False, repr=False)

    @property
    def in_full(self) -> QueryPlan:
        """With ``companion`` and ``examined`` written out."""
        return self if self.later is None else self.later()

    @property
    def looks_up(self) -> bool:
        """It asks for people by key."""
        return self.lookup or self.examined is not None

    @property
    def beside(self) -> bool:
        """Other queries run in the same snapshot, before the rows come."""
        return self.bound in {Bound.UPPER, Bound.STATISTIC} or (self.bound is Bound.EXACT and not self.keys)


@dataclass(frozen=True, slots=True)
class ControlPlan:
    """Transaction control, SET, SHOW: ``sql`` is what Postgres is sent, "" if the session answers alone."""

    kind: ControlKind
    tag: str  # CommandComplete tag
    sql: str = ""
    name: str = ""  # the setting, savepoint or prepared statement
    value: str = ""
    notice: str = ""  # for the user


class Constant(NamedTuple):
    """A value as text (None: NULL) and its type's oid; 0: a plain string, which is read as whatever it is used for."""

    text: str | None
    oid: int


@dataclass(frozen=True, slots=True)
class PreparePlan:
    """PREPARE. ``oids``: the declared types of the parameters, 0 where they are open."""

    name: str
    query: QueryPlan
    oids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ExecutePlan:
    """EXECUTE. What is read follows from the statement of this name."""

    name: str
    arguments: tuple[Constant, ...] = ()


@dataclass(frozen=True, slots=True)
class DeclarePlan:
    """DECLARE CURSOR, forward only."""

    name: str
    query: QueryPlan
    binary: bool = False


@dataclass(frozen=True, slots=True)
class FetchPlan:
    """FETCH and MOVE, forward. ``count``: None is all."""

    name: str
    count: int | None = 1
    move: bool = False


@dataclass(frozen=True, slots=True)
class CopyForm:
    """How COPY writes rows: ``kind`` is text, csv or binary. ``force_quote``: names of columns, or ``("*",)``."""

    kind: str = "text"
    delimiter: bytes = b"\t"
    null: bytes = b"\\N"
    header: bool = False
    quote: bytes = b'"'
    escape: bytes = b'"'
    force_quote: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CopyPlan:
    """COPY (SELECT ...) TO STDOUT."""

    query: QueryPlan
    form: CopyForm


class WriteAction(Enum):
    """What a WritePlan does to rows; the value is the tag of CommandComplete before the count."""

    UPDATE = "UPDATE"
    DELETE = "DELETE"
    INSERT = "INSERT 0"


MAX_WRITTEN = 20
"""Rows that one statement may change. Its text stops at one more."""


@dataclass(frozen=True, slots=True)
class WritePlan:
    """An UPDATE, DELETE or INSERT that may run (docs/adr/0013).

    Each row that it returns begins with hidden columns, all as text: the person keys, then ``row`` as it was before
    (not for INSERT), then ``row`` as it is afterwards (not for DELETE), then what the user asked for.

    Attributes:
        sql: rewritten text, for a transaction of its own.
        keys: the people whose row it is; their columns are those that are read or changed.
        row: the columns of a row as the grant shows it, and their classes.
        identity: those of them that are the primary key.
        visible: columns of RETURNING.
        table: as users write it.
        changed: columns that get a value, as in "videos.visibility".
        tables, columns, classes: what the record names, sorted.
        parameters: the highest $n.
        examined: asked when no row fits: rows (kind, key) of those whom the conditions name. None: it could be about
            anybody in the grant.
    """

    action: WriteAction
    sql: str
    keys: tuple[OutputKey, ...]
    row: tuple[tuple[str, DataClass], ...]
    identity: tuple[str, ...]
    visible: int
    table: str
    changed: tuple[str, ...]
    tables: tuple[str, ...]
    columns: tuple[str, ...]
    classes: tuple[DataClass, ...]
    parameters: int = 0
    examined: str | None = None

    @property
    def before(self) -> bool:
        return self.action is not WriteAction.INSERT

    @property
    def after(self) -> bool:
        return self.action is not WriteAction.DELETE

    @property
    def hidden(self) -> int:
        """Columns in front of the user's."""
        return len(self.keys) + len(self.row) * (self.before + self.after)


@dataclass(frozen=True, slots=True)
class RefusedPlan:
    """A statement that will not run, and why. Recorded as a refused attempt if it concerned data."""

    error: SeenbyError
    text: str = ""
    attempt: bool = True


Runnable = QueryPlan | ControlPlan | PreparePlan | ExecutePlan | DeclarePlan | FetchPlan | CopyPlan
Plan = Runnable | WritePlan | RefusedPlan

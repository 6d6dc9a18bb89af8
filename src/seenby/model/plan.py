"""What the analysis of one statement decided: the plan that a session carries out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum

from seenby.errors import SeenbyError
from seenby.model.classes import DataClass


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
    EMPTY = ""


@dataclass(frozen=True, slots=True)
class OutputKey:
    """A person key in the rewritten output. Keys stand FIRST, in this order, so that stripping needs no walk.

    ``columns`` are the visible tables and columns ("accounts.phone") that belong to this key's person, with
    their classes: what the person's part of the record says was shown.
    """

    kind: str
    columns: tuple[tuple[str, DataClass], ...]


@dataclass(frozen=True, slots=True)
class QueryPlan:
    """A SELECT that may run.

    Attributes:
        sql: rewritten text; the first ``len(keys)`` output columns are person keys, as text.
        bound: how the people are found.
        visible: how many columns the user sees; 0 without keys: what Postgres says (a star over the catalog).
        keys: the person keys in the output (EXACT only).
        companion: for UPPER, and for the error path of EXACT: rows ``(kind text, key text)``, distinct, capped by
            ``companion_cap + 1`` if the analysis can push the cap. Takes the same $n parameters as ``sql``.
        parts: for UPPER: what the record says was shown of each person found by the companion.
        tables, columns, classes: what the query record names, sorted ("accounts", "accounts.phone", "contact").
        offset: rows to drop in the gateway, after attribution (OFFSET k runs as LIMIT k+n).
        catalog_only: reads only Seenby's catalog views.
        notices: sentences for the user (as in: rows limited by the grant's scope).
        pinned: a person key column is fixed by a constant or parameter.
        parameters: the highest $n.
        tag: what CommandComplete says; "" for SELECT and the number of rows.
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
    catalog_only: bool = False
    notices: tuple[str, ...] = ()
    pinned: bool = False
    parameters: int = 0
    tag: str = ""


@dataclass(frozen=True, slots=True)
class ControlPlan:
    """Transaction control, SET, SHOW: ``sql`` is what Postgres is sent, "" if the session answers alone."""

    kind: ControlKind
    tag: str  # CommandComplete tag
    sql: str = ""
    name: str = ""  # the setting, savepoint or prepared statement
    value: str = ""


@dataclass(frozen=True, slots=True)
class RefusedPlan:
    """A statement that will not run, and why. Recorded as a refused attempt if it concerned data."""

    error: SeenbyError
    text: str = ""
    attempt: bool = True


Plan = QueryPlan | ControlPlan | RefusedPlan

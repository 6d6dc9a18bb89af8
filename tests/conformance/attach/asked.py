"""Staff ask an attached database through the gateway; and the same of tables that hold only what their grant shows."""

from __future__ import annotations

import json
import random
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg

from seenby.model.disclosure import EntryBound, QueryDisclosure
from tests.fixtures.attached import STAFF, Attached, Fill, attached
from tests.fixtures.gateway import AS_THE_GATEWAY, CLASSES, Running, watching
from tests.fixtures.reading import Name, Reading, Rows, place
from tests.fixtures.staff_queries import Source

ROWS = list[tuple[str, ...]]


@dataclass(frozen=True)
class Refusal:
    """An error as a client is told it."""

    sqlstate: str
    message: str
    hint: str


@dataclass
class Granted:
    """A grant, what it shows, and ``copy``, a database that holds exactly that."""

    name: str
    id: str
    reading: Reading
    copy: psycopg.Connection[Any]
    people: dict[Name, dict[str, list[str]]] = field(default_factory=dict)

    def owners(self, source: str, tables: Source) -> set[str]:
        """Whose rows a join shows: every person of every row that takes part."""
        places = ", ".join(f"{alias}.ctid::text" for alias, _ in tables)
        found: set[str] = set()
        for row in self.copy.execute(f"SELECT {places} {source}".encode()).fetchall():
            for (_, table), where in zip(tables, row, strict=True):
                found.update(self.people[table].get(where, ()))
        return found

    def everybody(self) -> list[str]:
        return sorted({one for rows in self.people.values() for people in rows.values() for one in people})

    @contextmanager
    def without(self, person: str) -> Iterator[None]:
        """The copy, as if this person had never been."""
        with self.copy.transaction(force_rollback=True):
            for table, rows in self.people.items():
                theirs = [where for where, people in rows.items() if person in people]
                if theirs:
                    self.copy.execute(f"DELETE FROM {place(table)} WHERE ctid = ANY (%s::tid[])".encode(), (theirs,))
            yield


@dataclass(frozen=True)
class Answer:
    """What came through the gateway, and who was handed to the ledger for it: ``examined`` without being shown."""

    rows: ROWS | Refusal
    people: set[str]
    examined: set[str]
    exact: bool


@dataclass
class Office:
    """An attached database with its gateway running and grants to ask it under."""

    made: Attached
    served: Running
    rows: Rows
    grants: dict[str, Granted]

    def ask(self, connection: psycopg.Connection[Any], text: str) -> Answer:
        found: list[QueryDisclosure] = []
        with watching(self.served, found.append):
            rows = rows_of(connection, text)
        named = [shown for item in found for shown in item.people]
        examined = {shown.person for shown in named if json.loads(shown.part)["how"] == "examined"}
        people = {shown.person for shown in named} - examined
        return Answer(rows, people, examined, bool(found) and all(item.bound is EntryBound.EXACT for item in found))

    def connect(self, grant: Granted) -> psycopg.Connection[Any]:
        return self.served.connect(STAFF, grant.id)


def rows_of(connection: psycopg.Connection[Any], text: str) -> ROWS | Refusal:
    """The rows; in an order of their own unless the query has one."""
    try:
        rows = [tuple(map(str, row)) for row in connection.execute(text.encode()).fetchall()]
    except psycopg.Error as error:
        return Refusal(error.sqlstate or "", error.diag.message_primary or str(error), error.diag.message_hint or "")
    ordered = re.search(r"ORDER BY [^()]*$", text)
    return rows if ordered else sorted(rows)


@contextmanager
def office(
    name: str,
    script: str,
    grants: Mapping[str, tuple[dict[str, set[str]], int | None]],
    *,
    answers: Mapping[str, str] | None = None,
    edits: Sequence[tuple[str, str]] = (),
    fill: Fill | None = None,
    pick: random.Random,
) -> Iterator[Office]:
    """Attaches a database and opens it for questions.

    Args:
        grants: by name: cells, and how many people; None: everybody.
    """
    with ExitStack() as stack:
        made = stack.enter_context(attached(name, script, answers, edits, fill))
        hollow = _hollow(made)
        served = stack.enter_context(made.serve())
        with psycopg.connect(made.dsn, autocommit=True, options=AS_THE_GATEWAY) as connection:
            rows = Rows(connection, tomllib.loads(made.map.read_text("utf-8")))
        opened: dict[str, Granted] = {}
        for number, (title, (cells, count)) in enumerate(grants.items()):
            people = None if count is None else friends(rows, count, pick)
            listed = None if people is None else sorted(f"{kind}:{key}" for kind, key in people)
            wanted = [(what, sorted(homes)) for what, homes in cells.items()]
            grant = served.grant(STAFF, *wanted, people=listed)
            reading = Reading(rows, cells, None if people is None else set(people))
            _database(made, f"copy_{number}", hollow)
            copy = psycopg.connect(made.cluster.dsn(f"copy_{number}"), autocommit=True, options="-c TimeZone=UTC")
            stack.callback(copy.close)
            reading.write(copy)
            opened[title] = Granted(title, grant, reading, copy, _people(copy, reading))
        yield Office(made, served, rows, opened)


def classes(*names: str, homes: Iterable[str] = ("eu", "us")) -> dict[str, set[str]]:
    return {name: set(homes) for name in names or CLASSES}


def _hollow(made: Attached) -> str:
    """A copy of the database without its tables: types, schemas and collations are left."""
    _database(made, "hollow", made.name)
    with psycopg.connect(made.cluster.dsn("hollow"), autocommit=True) as connection:
        there = connection.execute(
            "SELECT format('DROP %s IF EXISTS %I.%I CASCADE', CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN"
            " 'MATERIALIZED VIEW' WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END, nspname, relname)"
            " FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind IN ('r', 'p', 'v', 'm', 'f')"
            " AND nspname !~ '^(pg_|information_schema$|seenby)' AND NOT EXISTS (SELECT FROM pg_depend d WHERE"
            " d.objid = c.oid AND d.deptype = 'e')"
        ).fetchall()
        for (statement,) in there:
            connection.execute(statement.encode())
    return "hollow"


def _database(made: Attached, name: str, template: str) -> None:
    """A database to which only the superuser can connect: Seenby shows nothing while everybody can use another one."""
    with psycopg.connect(made.cluster.dsn(), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE {name} TEMPLATE "{template}"'.encode())
        connection.execute(f"REVOKE ALL ON DATABASE {name} FROM PUBLIC".encode())


def _people(copy: psycopg.Connection[Any], reading: Reading) -> dict[Name, dict[str, list[str]]]:
    """table -> where a row lies -> its people. A fresh table's rows lie in the order in which they were written."""
    found: dict[Name, dict[str, list[str]]] = {}
    for table, rows in reading.inside.items():
        places = [row[0] for row in copy.execute(f"SELECT ctid::text FROM {place(table)}".encode()).fetchall()]
        found[table] = {where: people for where, (_, people) in zip(places, rows, strict=True)}
    return found


def nameable(key: str) -> bool:
    """Whether a grant can name this person (docs/formats/grant.md)."""
    return bool(key) and key.isprintable()


def friends(rows: Rows, count: int, pick: random.Random) -> list[tuple[str, str]]:
    """So many people, of those who share rows with each other where that is possible."""
    together: dict[tuple[str, str], set[tuple[str, str]]] = {one: set() for one in rows.people if nameable(one[1])}
    for owned in rows.owned.values():
        for _, owners in owned:
            named = [owner[:2] for owner in owners or () if nameable(owner[1])]
            for one in named:
                together[one].update(named)
    found: list[tuple[str, str]] = []
    everybody = sorted(together)
    waiting = [pick.choice(everybody)]
    while len(found) < min(count, len(everybody)):
        one = waiting.pop(0) if waiting else pick.choice(everybody)
        if one not in found:
            found.append(one)
            waiting += pick.sample(sorted(together[one]), min(4, len(together[one])))
    return found


IN_WORDS = frozenset({"0A000", "42501", "42883"})
"""A refusal: not supported, not in this grant, not a function that a query may call."""


def check(grant: Granted, text: str, answer: Answer) -> str:
    """What is wrong with an answer: "" if it is the copy's, or a refusal in words with a hint."""
    wanted = rows_of(grant.copy, text)
    if not isinstance(answer.rows, Refusal):
        return "" if answer.rows == wanted else f"{answer.rows}, wanted {wanted}"
    told = answer.rows
    if told.message and told.hint and (told.sqlstate in IN_WORDS or getattr(wanted, "sqlstate", "") == told.sqlstate):
        return ""
    return f"{told}, wanted {wanted}"

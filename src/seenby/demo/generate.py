"""Fills one region's user database: every row is a function of its number and a seed, computed by Postgres itself.

Data is loaded into bare tables in one transaction (with ``wal_level = minimal`` such rows skip the WAL), then keys,
indexes and foreign keys are built, then statistics. What remains is an ordinary database.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files

import psycopg

from seenby.errors import UsageError

REGION_NUMBERS = {"eu": 1, "us": 2}
"""Ids of a region are ``number * 10**9 + n``."""

FEWEST_PEOPLE = 100
"""Per region: the people of the tour have numbers below this."""

MOST_PEOPLE = 19_000_000
"""Per region: 50 watch events a person must stay below 10**9."""

CHUNK_ROWS = 100_000
BUILD_SHARE = 0.35
"""How much of the time keys, indexes and statistics take: only the progress bar depends on it."""

OnProgress = Callable[[str, float], None]
"""Called with what is being made ("watch_events") and how much of everything is done (0..1)."""


@dataclass(frozen=True, slots=True)
class Step:
    """One INSERT of generate.sql: runs for numbers 1..round(driver * people), ``weight`` rows a number."""

    table: str
    driver: float
    weight: float
    sql: str

    def numbers(self, people: int) -> int:
        return int(self.driver * people)

    def rows(self, people: int) -> float:
        """About how many rows it makes."""
        return self.weight * (self.numbers(people) or 1)


def account_id(region: str, number: int) -> int:
    """The id of person ``number`` (1, 2, ...) of a region."""
    return REGION_NUMBERS[region] * 10**9 + number


def check_people(people: int) -> None:
    """Raises UsageError unless a region can have so many."""
    if not FEWEST_PEOPLE <= people <= MOST_PEOPLE:
        raise UsageError(
            f"{people} people a region is outside {FEWEST_PEOPLE}..{MOST_PEOPLE}", hint="choose another --people"
        )


def load(
    conninfo: str, *, region: str, people: int, seed: int, today: datetime, owner: str, progress: OnProgress
) -> dict[str, int]:
    """Makes the tables and their rows in an empty database.

    Args:
        conninfo: of somebody who may SET ROLE to ``owner``.
        region: "eu" or "us".
        people: accounts, at least FEWEST_PEOPLE.
        seed: any 31-bit number; the same seed and day give the same rows.
        today: events end at its midnight.
        owner: the role that owns everything afterwards.

    Returns:
        rows by table.

    Raises:
        UsageError: too few or too many people.
    """
    check_people(people)
    tables, keys = _sections(_text("schema.sql"))
    functions, steps, cast = _steps(_filled(region, people, seed, today))
    # Autocommit would end the transaction in which the tables are new, and with it the shortcut past the WAL.
    with psycopg.connect(conninfo, application_name="seenby demo: data") as connection:
        connection.execute("SET maintenance_work_mem = '256MB'")
        connection.execute("SET synchronous_commit = off")
        connection.execute(f'SET ROLE "{owner}"')
        connection.execute("SET client_min_messages = warning")
        connection.execute(tables)
        connection.execute(functions)
        _insert(connection, steps, people, progress)
        connection.execute(cast)
        statements = [part for part in keys.split(";\n") if part.strip()]
        for done, statement in enumerate(statements):
            progress("indexes", 1 - BUILD_SHARE * (1 - done / len(statements)))
            connection.execute(statement)
        connection.execute("DROP SCHEMA gen CASCADE")
        counts = {step.table: _count(connection, step.table) for step in steps}
        connection.commit()
        connection.execute("ANALYZE")
    progress("ready", 1.0)
    return counts


def _insert(connection: psycopg.Connection, steps: list[Step], people: int, progress: OnProgress) -> None:
    total = sum(step.rows(people) for step in steps)
    done = 0.0
    with psycopg.RawCursor(connection) as cursor:
        for step in steps:
            progress(step.table, (1 - BUILD_SHARE) * done / total)
            for low, high in _chunks(step, people):
                cursor.execute(step.sql, (low, high) if high else None)
                done += step.weight * (high - low + 1)
                progress(step.table, (1 - BUILD_SHARE) * done / total)


def _chunks(step: Step, people: int) -> Iterator[tuple[int, int]]:
    numbers, size = step.numbers(people), max(1, int(CHUNK_ROWS / step.weight))
    if step.driver == 0:
        yield 0, 0
    for low in range(1, numbers + 1, size):
        yield low, min(low + size - 1, numbers)


def _count(connection: psycopg.Connection, table: str) -> int:
    row = connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()
    assert row is not None
    return int(row[0])


def _text(name: str) -> str:
    return files("seenby.demo").joinpath(name).read_text(encoding="utf-8")


def _sections(schema: str) -> tuple[str, str]:
    before, after = schema.split("-- section 2", 1)
    return before, after.split("\n", 1)[1]


def _filled(region: str, people: int, seed: int, today: datetime) -> str:
    number = REGION_NUMBERS[region]
    values = {
        "people": people,
        "seed": seed % 2**31,
        "region": number,
        "foreign": 3 - number,
        "today": int(today.replace(hour=0, minute=0, second=0, microsecond=0).timestamp()),
    }
    return re.sub(r"(?<![:\w]):([a-z]+)\b", lambda found: str(values[found[1]]), _text("generate.sql"))


def _steps(text: str) -> tuple[str, list[Step], str]:
    """generate.sql -> (functions, inserts, the people of the tour)."""
    body, cast = text.split("\n-- cast", 1)
    functions, *blocks = body.split("\n-- @ ")
    steps = []
    for block in blocks:
        head, sql = block.split("\n", 1)
        table, driver, weight = head.split()
        steps.append(Step(table, float(driver), float(weight), sql))
    return functions, steps, cast.split("\n", 1)[1]

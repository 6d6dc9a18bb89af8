"""Databases of other people's platforms, each made once from its file under ``schemas``, seen as an ordinary role."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from seenby.attach.inspection import Contained, Inspection, Trial
from seenby.attach.proposal import Proposal
from seenby.attach.propose import propose, trials
from seenby.stores.cluster import Cluster
from seenby.stores.inspect import Inspector

SCHEMAS = Path(__file__).parent / "schemas"
NAMES = tuple(sorted(path.stem for path in SCHEMAS.glob("*.sql")))
LOOKER = "attach_looker"
PASSWORD = "looks-only"


@dataclass(frozen=True)
class Platform:
    """One such database. ``dsn``: as somebody who may read its tables, no more; ``superuser``: for the tests."""

    name: str
    dsn: str
    superuser: str
    text: str

    @property
    def expected(self) -> dict[str, list[set[str] | str]]:
        """``--= likes = user_id + post_id>author_id | ask``: what is right for each table, of several one."""
        found: dict[str, list[set[str] | str]] = {}
        for table, ways in re.findall(r"^--= (\S+) = (.*)$", self.text, re.MULTILINE):
            found[table] = [way if way in {"ask", "nobody"} else set(way.split(" + ")) for way in ways.split(" | ")]
        return found

    @property
    def personal(self) -> list[tuple[str, str]]:
        """``--! users.email``: columns that must never be harmless."""
        listed = re.findall(r"^--! (.*)$", self.text, re.MULTILINE)
        return [(name.split(".")[0], name.split(".")[1]) for line in listed for name in line.split()]

    def look(self) -> tuple[Inspection, dict[Trial, Contained]]:
        return look(self.dsn)

    def propose(self) -> Proposal:
        return propose(*self.look(), {})


def look(dsn: str) -> tuple[Inspection, dict[Trial, Contained]]:
    with Inspector(dsn) as inspector:
        found = inspector.inspect()
        return found, inspector.contained(found, trials(found, {}))


@pytest.fixture(scope="session")
def platform(cluster: Cluster) -> Iterator[Callable[[str], Platform]]:
    """platform(name): the database of ``schemas/<name>.sql``."""
    with psycopg.connect(cluster.dsn(), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(LOOKER), PASSWORD))

    @cache
    def made(name: str) -> Platform:
        text = (SCHEMAS / f"{name}.sql").read_text("utf-8")
        database = f"attach_{name}"
        with psycopg.connect(cluster.dsn(), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
        with psycopg.connect(cluster.dsn(database), autocommit=True) as connection:
            connection.execute(text.encode())
            schemas = connection.execute(
                "SELECT nspname FROM pg_namespace WHERE nspname <> 'information_schema' AND nspname !~ '^pg_'"
            ).fetchall()
            for (schema,) in schemas:
                who = {"schema": sql.Identifier(schema), "role": sql.Identifier(LOOKER)}
                connection.execute(sql.SQL("GRANT USAGE ON SCHEMA {schema} TO {role}").format(**who))
                connection.execute(sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role}").format(**who))
            connection.execute("ANALYZE")
        return Platform(name, cluster.dsn(database, LOOKER, PASSWORD), cluster.dsn(database), text)

    yield made
    for name in NAMES:
        with psycopg.connect(cluster.dsn(), autocommit=True) as connection:
            connection.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(f"attach_{name}"))
            )
    with psycopg.connect(cluster.dsn(), autocommit=True) as connection:
        connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(LOOKER)))

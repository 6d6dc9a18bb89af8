"""A proposed map is one that Seenby runs on: it fits the live catalogue, and views can be made and read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import psycopg
import pytest

from seenby.attach.write import to_toml
from seenby.datamap import parse
from seenby.guard import Fence
from seenby.model.classes import DataClass
from seenby.model.grant import Cell, GrantTerms
from seenby.model.people import Person
from seenby.stores.userdb import UserDatabase
from tests.conformance.attach.conftest import NAMES, Platform

pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("attach")]

OWN_SCHEMA = """
CREATE SCHEMA seenby;
CREATE TABLE seenby.scope (role name, kind text, person text, PRIMARY KEY (role, kind, person));
CREATE TABLE seenby.holder (role name PRIMARY KEY, principal text);
CREATE TABLE seenby.shape_schema (nspname name PRIMARY KEY, shows_as name);
"""


def grant(people: tuple[Person, ...] | None) -> GrantTerms:
    cells = tuple(Cell(one.value, ("eu",)) for one in DataClass)
    return GrantTerms("0" * 32, "eu", "p", "IE", "E", "u", "r", "support", "T", cells, people, 0, 1, 1, 1, 2, 0)


@pytest.mark.parametrize("name", NAMES)
def test_views_of_a_proposed_map(name: str, platform: Callable[[str], Platform]) -> None:
    made = platform(name)
    datamap = parse(to_toml(made.propose()), source=f"{name}.toml", region="eu")

    async def load() -> UserDatabase:
        database = UserDatabase(made.superuser, datamap)
        try:
            await database.load_catalog()  # holds the map against the catalogue: names, keys, uniqueness, types
        finally:
            await database.close()
        return database

    database = asyncio.run(load())
    kind = next(iter(datamap.kinds))
    with psycopg.connect(made.superuser) as connection:
        connection.execute(OWN_SCHEMA)
        for people in (None, (Person(kind, "1"),)):
            shape = database.design(grant(people))
            assert shape.fence is (Fence.FENCED if people else Fence.REGIONS)
            connection.execute("SAVEPOINT views")
            for statement in (*shape.as_guard, *shape.as_owner):
                connection.execute(statement.encode())
            for view in shape.shape.views.values():
                connection.execute(f'SELECT * FROM "{view.view_schema}"."{view.view}" LIMIT 1'.encode())
            assert len(shape.shape.views) == len(datamap.tables)
            connection.execute("ROLLBACK TO views")
        connection.rollback()

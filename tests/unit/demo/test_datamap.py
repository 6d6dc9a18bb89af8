"""The demo's data map and its schema say the same: nothing unmapped, nothing mapped that does not exist."""

from __future__ import annotations

from importlib.resources import files

import psycopg
import pytest

from seenby.datamap import DataMap, TableName, parse
from seenby.model.classes import DataClass

pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module")
def datamap() -> DataMap:
    return parse(files("seenby.demo").joinpath("datamap.toml").read_text(), source="datamap.toml", region="eu")


@pytest.fixture(scope="module")
def live(platform_dsn: str) -> dict[TableName, set[str]]:
    found: dict[TableName, set[str]] = {}
    with psycopg.connect(platform_dsn) as connection:
        for schema, table, column in connection.execute(
            "SELECT table_schema, table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
        ):
            found.setdefault(TableName(schema, table), set()).add(column)
    return found


def test_every_table_and_column_is_classified_and_nothing_else(
    datamap: DataMap, live: dict[TableName, set[str]]
) -> None:
    assert {name: set(table.columns) for name, table in datamap.tables.items()} == live


def test_keys_are_the_primary_keys(datamap: DataMap, platform_dsn: str) -> None:
    with psycopg.connect(platform_dsn) as connection:
        keys = connection.execute(
            "SELECT conrelid::regclass::text, array_agg(attname::text ORDER BY array_position(conkey, attnum))"
            " FROM pg_constraint JOIN pg_attribute ON attrelid = conrelid AND attnum = ANY (conkey)"
            " WHERE contype = 'p' AND connamespace = 'public'::regnamespace GROUP BY 1"
        ).fetchall()
    assert {str(name): list(table.key) for name, table in datamap.tables.items()} == dict(keys)


def test_every_reference_to_a_person_is_an_owner(datamap: DataMap, platform_dsn: str) -> None:
    """A column that refers to accounts makes that account an owner of the row: nobody is forgotten."""
    with psycopg.connect(platform_dsn) as connection:
        references = connection.execute(
            "SELECT conrelid::regclass::text, attname FROM pg_constraint JOIN pg_attribute ON attrelid = conrelid"
            " AND attnum = conkey[1] WHERE contype = 'f' AND confrelid = 'accounts'::regclass"
        ).fetchall()
    owners = {
        (str(name), owner.column) for name, table in datamap.tables.items() for owner in table.owners if not owner.hops
    }
    assert set(references) <= owners


def test_only_what_its_maker_published_is_public(datamap: DataMap) -> None:
    public = {
        str(name)
        for name, table in datamap.tables.items()
        if not table.nobody and all(column.data_class is DataClass.PUBLIC for column in table.columns.values())
    }
    assert public == {"videos", "comments"}
    account = datamap.tables[TableName("public", "accounts")].columns
    assert {name for name, column in account.items() if column.data_class is DataClass.PUBLIC} == {
        "id", "handle", "display_name", "bio", "home_region", "created_at",
    }  # fmt: skip


def test_payment_is_refused_by_name_not_masked(datamap: DataMap) -> None:
    columns = [column for table in datamap.tables.values() for column in table.columns.values()]
    assert all(column.mask is None for column in columns if column.data_class is DataClass.PAYMENT)
    used = {column.data_class for column in columns}
    assert used == set(DataClass), "the demo has something of every class"

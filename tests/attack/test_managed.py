"""Attached as the owner of the database, without superuser: what stays closed, and that no more is open than said."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import psycopg
import pytest

from seenby.errors import ConfigError
from seenby.model.shape import Shape
from seenby.stores.userdb import UserDatabase, attach
from tests.attack import world
from tests.attack.channels import CLOSED, Closed
from tests.attack.conftest import FENCED, OTHER, PASSWORD, REGION, Attacked
from tests.attack.test_direct import fill, foreign_values
from tests.fixtures.small_platform import as_a_service_has_it

pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("managed")]

OPEN = {
    "statistics of tables and indexes (pg_stat_*)": {
        "counts of base rows visited",
        "counts of base rows visited, function",
        "counts of live rows",
        "counts of index use",
    },
    "other sessions and locks (pg_stat_activity, pg_locks)": {"who is connected", "locks", "who blocks whom"},
    "sizes (pg_relation_size and its like)": {"size of a table", "size of everything"},
    "NOTIFY, the WAL, exported snapshots": {"notify, function", "export a snapshot", "write to the WAL"},
    "waiting and locking (pg_sleep, advisory locks, pg_terminate_backend)": {
        "sleep",
        "advisory lock",
        "end another session",
        "cancel another session",
    },
    "large objects (lo_*)": {"large object, create", "large object, from bytes"},
    "SQL in a text (query_to_xml, ts_stat)": {"SQL in a text", "SQL in a text, text search"},
}
"""By what guard/managed.py lists, the channels that the database closes where a superuser attached it."""
OPEN_NAMES = frozenset().union(*OPEN.values())


@pytest.fixture(scope="module")
def managed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    cluster = world.make(tmp_path_factory.mktemp("managed") / "c")
    try:
        as_a_service_has_it(cluster)
        with psycopg.connect(cluster.dsn("platform"), autocommit=True) as superuser:
            superuser.execute("ALTER ROLE platform_owner CREATEROLE CREATEDB")

        async def prepare() -> tuple[Shape, Shape, Shape]:
            dsn = cluster.dsn("platform", "platform_owner", world.OWNER_PASSWORD)
            await attach(dsn, world.datamap(), guard_password=world.GUARD_PASSWORD, managed=True)
            guard = cluster.dsn("platform", "seenby_guard", world.GUARD_PASSWORD)
            database = UserDatabase(guard, world.datamap(), connections_per_grant=4, managed=True)
            contact = {"contact": ("eu",), "location": ("eu",), "device": ("eu",)}
            try:
                with pytest.raises(ConfigError, match="dblink"):
                    # An extension's functions are nobody's but the service's, and still no hole to live with.
                    await database.activate(world.terms(contact), REGION, PASSWORD)
                with psycopg.connect(cluster.dsn("platform"), autocommit=True) as superuser:
                    superuser.execute("DROP EXTENSION dblink")
                other = world.terms(contact | {"communication": ("eu",)}, ("account:13331",))
                return (
                    await database.activate(world.terms(contact, ("account:1", "account:3")), FENCED, PASSWORD),
                    await database.activate(world.terms(contact), REGION, PASSWORD),
                    await database.activate(other, OTHER, PASSWORD),
                )
            finally:
                await database.close()

        yield Attacked(cluster, *asyncio.run(prepare()))
    finally:
        cluster.remove()


def attempt(managed: Attacked, channel: Closed, role: str) -> str:
    """ "" if the database refuses the channel; else what it said."""
    with managed.superuser() as superuser:
        row = superuser.execute("SELECT lo_from_bytea(0, 'SECRET')").fetchone()
        assert row
    with managed.connect(role) as attacker:
        *before, last = channel.sql
        for statement in before:
            attacker.execute(fill(statement, managed, role))
        try:
            cursor = attacker.execute(fill(last, managed, role, int(row[0])))
        except psycopg.Error as error:
            # The embedded Postgres is built without XML: what would be open elsewhere is not supported there.
            missing = isinstance(error, psycopg.errors.FeatureNotSupported) and channel.name in OPEN_NAMES
            return "not refused, but not built in" if missing else ""
        return f"answered {cursor.fetchall() if cursor.description else ''}"


@pytest.mark.parametrize("channel", [one for one in CLOSED if "dblink" not in one.name], ids=lambda one: one.name)
def test_what_is_open_is_what_is_said(managed: Attacked, channel: Closed) -> None:
    said = {role: attempt(managed, channel, role) for role in (FENCED, REGION)}
    is_open = channel.name in OPEN_NAMES
    assert {role: bool(one) for role, one in said.items()} == dict.fromkeys(said, is_open), said
    for role, words in said.items():
        assert not foreign_values(words, role), "open, but no value of the platform's comes out"


@pytest.mark.parametrize("database", ["other", "postgres"])
def test_other_databases_are_open(managed: Attacked, database: str) -> None:
    with managed.connect(REGION, database) as connection:
        connection.execute("SELECT 1")


def test_every_entry_is_shown_by_a_test() -> None:
    from seenby.guard.managed import REMAINS_OPEN

    assert {one.what for one in REMAINS_OPEN} == {*OPEN, "pg_hba.conf", "other databases of the server"}
    assert {one.name for one in CLOSED} >= OPEN_NAMES

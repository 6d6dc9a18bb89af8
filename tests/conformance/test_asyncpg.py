"""asyncpg through the gateway: binary results, type introspection, its own cursors, against a direct connection."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, date, datetime
from typing import Any

import asyncpg
import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.conformance.test_psycopg import TABLES
from tests.fixtures.gateway import Served, everything

pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("served")]

Check = Callable[[Any], Awaitable[Any]]
Both = Callable[[Check], Any]


@pytest.fixture(scope="module")
def grant(served: Served) -> Iterator[str]:
    made = everything(served, "ines.moreau")
    yield made
    served.revoke("ines.moreau", made)


@pytest.fixture
def both(served: Served, grant: str) -> Both:
    """Runs a check on a direct connection and through the gateway, asserts equal answers, returns them."""
    where = conninfo_to_dict(served.world.regions["eu"].running.dsn("platform"))

    async def run(check: Check) -> tuple[Any, Any]:
        direct = await asyncpg.connect(
            host=where["host"], port=where["port"], user=where["user"], database="platform",
            password=where.get("password"),
            server_settings={"default_transaction_isolation": "repeatable read", "TimeZone": "UTC"},
        )  # fmt: skip
        through = await asyncpg.connect(
            host=str(served.config.listen.socket_dir), port=served.config.listen.port, user="ines.moreau",
            password=served.world.staff["ines.moreau"].password, database="platform",
            server_settings={"seenby.grant": grant, "application_name": "conformance"},
        )  # fmt: skip
        try:
            return await check(direct), await check(through)
        finally:
            await direct.close()
            await through.close()

    def compare(check: Check) -> Any:
        expected, found = asyncio.run(run(check))
        assert found == expected
        return found

    return compare


def test_tables(both: Both) -> None:
    async def check(connection: Any) -> Any:
        return [
            [tuple(row.items()) for row in await connection.fetch(f"SELECT * FROM {table} ORDER BY 1, 2 LIMIT 50")]
            for table in TABLES
        ]

    assert all(both(check))


def test_parameters_and_prepared_statements(both: Both) -> None:
    async def check(connection: Any) -> Any:
        prepared = await connection.prepare(
            "SELECT handle, interests, settings FROM accounts WHERE id = ANY($1) ORDER BY id"
        )
        told = [
            [one.name for one in prepared.get_attributes()],
            [(one.name, one.type.name) for one in prepared.get_attributes()],
            [one.name for one in prepared.get_parameters()],
            await prepared.fetch([1000000042, 1000000043]),
            await prepared.fetch([]),
            await connection.fetchval("SELECT count(*) FROM accounts WHERE birth_date < $1", date(1990, 1, 1)),
            await connection.fetch("SELECT id FROM logins WHERE at > $1 ORDER BY id", datetime(2026, 1, 1, tzinfo=UTC)),
            await connection.fetch("SELECT id FROM watch_events WHERE source = $1 ORDER BY id LIMIT 5", "search"),
            await connection.fetchrow("SELECT NULL::text, $1::int8, $2::text", 5, None),
        ]
        for key in range(1000000040, 1000000060):
            told.append(await connection.fetchrow("SELECT phone FROM accounts WHERE id = $1", key))
        return told

    both(check)


def test_transactions_and_cursors(both: Both) -> None:
    async def check(connection: Any) -> Any:
        told: list[Any] = []
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            told.append(await connection.fetchval("SELECT count(*) FROM accounts"))
            try:
                async with connection.transaction():
                    await connection.fetch("SELECT 1 / 0")
            except asyncpg.DivisionByZeroError as error:
                told.append(error.sqlstate)
            cursor = await connection.cursor("SELECT id, handle FROM accounts ORDER BY id")
            told.append(await cursor.fetch(5))
            told.append(await cursor.fetch(5))
            told.append([row async for row in connection.cursor("SELECT id FROM videos ORDER BY id", prefetch=7)])
        told.append(await connection.fetchval("SELECT 5"))
        return told

    both(check)


def test_errors(both: Both) -> None:
    async def check(connection: Any) -> Any:
        told = []
        for query in (
            "SELEC",
            "SELECT nothing FROM accounts",
            "SELECT 1/0",
            "SELECT * FROM nothing",
            "SELECT handle::int FROM accounts",
        ):
            try:
                await connection.fetch(query)
            except asyncpg.PostgresError as error:
                told.append((type(error).__name__, error.sqlstate))
        return told

    assert len(both(check)) == 5


def test_a_cancelled_task_cancels_its_statement(both: Both) -> None:
    async def check(connection: Any) -> Any:
        endless = "SELECT count(*) FROM watch_events a, watch_events b, watch_events c WHERE a.id + b.id <> c.id"
        with pytest.raises(asyncio.TimeoutError):
            await connection.fetch(endless, timeout=0.2)
        return await connection.fetchval("SELECT 7")

    assert both(check) == 7

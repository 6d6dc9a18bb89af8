"""psycopg 3 (blocking and asyncio), asyncpg and pg8000."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from io import BytesIO
from typing import Any

import asyncpg
import pg8000.dbapi
import psycopg
import pytest
from psycopg.types.enum import EnumInfo

from tests.conformance.clients.checks import (
    COPY,
    ERRORS,
    HIDDEN,
    KEYS,
    LONG,
    MASKED,
    PARAMETERS,
    STEPS,
    TABLES,
    WRITE,
    Attempts,
)
from tests.conformance.clients.matrix import DIFFERENCES, check_client
from tests.conformance.clients.side import Outcomes, Side, Sides, compare

pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("clients")]


def psycopg_checks(side: Side) -> Outcomes:
    attempt = Attempts(psycopg.Error, lambda error: error.sqlstate or "")
    with psycopg.connect(side.dsn, autocommit=True) as connection:

        def rows(text: str, arguments: Any = None, **options: Any) -> Any:
            return connection.execute(text.encode(), arguments, **options).fetchall()

        def portions() -> Any:
            with connection.transaction(), connection.cursor("portions") as cursor:
                cursor.itersize = 7
                cursor.execute("SELECT id FROM videos ORDER BY id LIMIT 50")
                return [cursor.fetchmany(3), cursor.fetchone(), list(cursor)]

        def pipeline() -> Any:
            with connection.pipeline():
                cursors = [connection.execute("SELECT id FROM accounts ORDER BY 1 LIMIT %s", (n,)) for n in range(20)]
                return [one.fetchall() for one in cursors]

        def copied() -> Any:
            with connection.cursor().copy(COPY.encode()) as copy:
                return b"".join(bytes(part) for part in copy).decode()

        def cancelled() -> Any:
            connection.cancel_safe()  # of nothing
            connection.execute("SET application_name TO 'cancelled'")
            return rows("SELECT 7")

        info = connection.info
        attempt("sign in", lambda: [info.server_version, info.user, info.dbname, info.encoding])
        attempt(
            "column types",
            lambda: [
                rows(f"SELECT * FROM {table} ORDER BY 1, 2 LIMIT 20", binary=binary)
                for table in TABLES
                for binary in (False, True)
            ],
        )
        attempt("parameters", lambda: [rows(text.replace("$1", "%s", 1), (value,)) for text, value in PARAMETERS])
        by_key = "SELECT handle FROM accounts WHERE id = %s"
        attempt("prepared statements", lambda: [rows(by_key, (key,), prepare=True) for key in KEYS])
        attempt("errors", lambda: attempt.codes(rows, ERRORS))
        attempt("transactions", lambda: attempt.codes(lambda text: connection.execute(text.encode()), STEPS))
        attempt("rows in portions", portions)
        attempt("pipeline or batch", pipeline)
        attempt("COPY TO STDOUT", copied)
        attempt("cancel", cancelled)
        attempt("catalogue", lambda: (found := EnumInfo.fetch(connection, "watch_source")) and list(found.labels))
        attempt("change", lambda: rows(WRITE))
        attempt("hidden column", lambda: rows(HIDDEN))
    user, password = side.masked
    with psycopg.connect(side.dsn, user=user, password=password) as masked:
        attempt("masked column", lambda: masked.execute(MASKED.encode()).fetchall())
    with psycopg.connect(side.dsn) as own:

        def transaction() -> Any:
            own.isolation_level, own.read_only = psycopg.IsolationLevel.READ_COMMITTED, True
            own.execute("SELECT 1")
            return own.info.transaction_status.name

        attempt("its own transactions", transaction)
    return attempt.found


def asyncio_checks(side: Side) -> Outcomes:
    attempt = Attempts(psycopg.Error, lambda error: error.sqlstate or "")

    async def run() -> None:
        async with await psycopg.AsyncConnection.connect(side.dsn, autocommit=True) as connection:

            async def rows(text: str, arguments: Any = None, **options: Any) -> Any:
                return await (await connection.execute(text.encode(), arguments, **options)).fetchall()

            async def portions() -> Any:
                async with connection.transaction(), connection.cursor("portions") as cursor:
                    await cursor.execute("SELECT id FROM videos ORDER BY id LIMIT 50")
                    return [await cursor.fetchmany(3), await cursor.fetchall()]

            async def cancelled() -> Any:
                task = asyncio.create_task(rows(LONG))
                await asyncio.sleep(0.2)
                task.cancel()
                try:
                    await task
                except asyncio.CancelledError:
                    return await rows("SELECT 7")
                return "was not cancelled"

            await attempt.later("column types", lambda: rows("SELECT * FROM devices ORDER BY id", binary=True))
            await attempt.later("rows in portions", portions)
            await attempt.later("cancel", cancelled)

    asyncio.run(run())
    return attempt.found


def asyncpg_checks(side: Side) -> Outcomes:
    attempt = Attempts(asyncpg.PostgresError, lambda error: error.sqlstate or "")

    async def run() -> None:
        pool = await asyncpg.create_pool(
            host=side.host, port=side.port, user=side.user, password=side.password, database=side.database,
            ssl=side.tls or False, min_size=1, max_size=2,
        )  # fmt: skip
        async with pool:

            async def take(check: Callable[[Any], Awaitable[Any]]) -> Any:
                async with pool.acquire() as connection:  # given back: the pool's own reset
                    return await check(connection)

            async def portions(connection: Any) -> Any:
                async with connection.transaction(isolation="repeatable_read", readonly=True):
                    cursor = await connection.cursor("SELECT id FROM videos ORDER BY id LIMIT 50")
                    return [await cursor.fetch(3), await cursor.fetchrow(), await cursor.fetch(100)]

            async def copied(connection: Any) -> Any:
                out = BytesIO()
                query = COPY[COPY.index("(") + 1 : COPY.index(") TO")]
                await connection.copy_from_query(query, output=out, format="csv", header=True)
                return out.getvalue().decode()

            async def prepared(connection: Any) -> Any:
                statement = await connection.prepare("SELECT handle FROM accounts WHERE id = $1")
                return [await statement.fetch(key) for key in KEYS]

            async def many(connection: Any) -> Any:
                return [await connection.fetchmany("SELECT id FROM accounts WHERE id = $1", [(key,) for key in KEYS])]

            async def cancelled(connection: Any) -> Any:
                try:
                    await connection.fetch(LONG, timeout=0.2)
                except TimeoutError:
                    return await connection.fetchval("SELECT 7")

            async def steps(connection: Any) -> Any:
                return [await attempt.later_outcome(partial(connection.execute, step)) for step in STEPS]

            async def masked() -> Any:
                user, password = side.masked
                connection = await asyncpg.connect(
                    host=side.host, port=side.port, user=user, password=password, database=side.database,
                    ssl=side.tls or False,
                )  # fmt: skip
                try:
                    return await connection.fetch(MASKED)
                finally:
                    await connection.close()

            async def own(connection: Any) -> Any:
                async with connection.transaction():
                    return await connection.fetchval("SELECT count(*) FROM accounts")

            async def signed_in(connection: Any) -> Any:
                return [connection.get_server_version().major, connection.get_settings().server_encoding]

            await attempt.later("sign in", lambda: take(signed_in))
            await attempt.later(
                "column types",
                lambda: take(lambda c: _all(c.fetch(f"SELECT * FROM {t} ORDER BY 1, 2 LIMIT 20") for t in TABLES)),
            )
            await attempt.later("parameters", lambda: take(lambda c: _all(c.fetch(t, v) for t, v in PARAMETERS)))
            await attempt.later("prepared statements", lambda: take(prepared))
            await attempt.later(
                "errors",
                lambda: take(lambda c: _all(attempt.later_outcome(partial(c.fetch, t)) for t in ERRORS)),
            )
            await attempt.later("transactions", lambda: take(steps))
            await attempt.later("rows in portions", lambda: take(portions))
            await attempt.later("pipeline or batch", lambda: take(many))
            await attempt.later("COPY TO STDOUT", lambda: take(copied))
            await attempt.later("cancel", lambda: take(cancelled))
            await attempt.later(
                "catalogue",
                lambda: take(
                    lambda c: c.fetch("SELECT DISTINCT source, ARRAY[source] AS a FROM watch_events ORDER BY 1")
                ),
            )
            await attempt.later("change", lambda: take(lambda c: c.execute(WRITE)))
            await attempt.later("hidden column", lambda: take(lambda c: c.fetch(HIDDEN)))
            await attempt.later("masked column", masked)
            await attempt.later("its own transactions", lambda: take(own))
            await attempt.later("pool", lambda: _all(take(lambda c: c.fetchval("SELECT 1")) for _ in range(20)))

    asyncio.run(run())
    return attempt.found


async def _all(many: Any) -> list[Any]:
    return [await one for one in many]


def pg8000_checks(side: Side) -> Outcomes:
    attempt = Attempts(pg8000.dbapi.Error, lambda error: error.args[0]["C"])

    def connect(user: str, password: str) -> Any:
        return pg8000.dbapi.connect(
            user, host=side.host, port=side.port, password=password, database=side.database, ssl_context=side.tls
        )

    connection = connect(side.user, side.password)

    def rows(text: str, arguments: tuple[Any, ...] = (), on: Any = connection) -> Any:
        cursor = on.cursor()
        try:
            cursor.execute(text, arguments)
            return [list(row) for row in cursor.fetchall()] if cursor.description else []
        finally:
            cursor.close()

    def portions() -> Any:
        cursor = connection.cursor()
        cursor.execute("SELECT id FROM videos ORDER BY id LIMIT 50")
        return [cursor.fetchmany(3), cursor.fetchone(), cursor.fetchall()]

    def copied() -> Any:
        out = BytesIO()
        connection.cursor().execute(COPY, stream=out)
        return out.getvalue().decode()

    def own() -> Any:
        connection.autocommit = False
        told = [rows("SELECT count(*) FROM accounts")]
        connection.rollback()
        told.append(rows("SELECT count(*) FROM videos"))
        connection.commit()
        connection.autocommit = True
        return told

    try:
        connection.autocommit = True
        attempt("sign in", lambda: rows("SELECT current_database(), version() LIKE 'PostgreSQL 18%'"))
        attempt("column types", lambda: [rows(f"SELECT * FROM {table} ORDER BY 1, 2 LIMIT 20") for table in TABLES])
        attempt("parameters", lambda: [rows(text.replace("$1", "%s", 1), (value,)) for text, value in PARAMETERS])
        by_key = "SELECT handle FROM accounts WHERE id = %s"
        attempt("prepared statements", lambda: [rows(by_key, (key,)) for key in KEYS])
        attempt("errors", lambda: attempt.codes(rows, ERRORS))
        attempt("transactions", lambda: attempt.codes(rows, STEPS))
        attempt("rows in portions", portions)
        attempt("COPY TO STDOUT", copied)
        attempt("change", lambda: rows(WRITE))
        attempt("hidden column", lambda: rows(HIDDEN))
        attempt("its own transactions", own)
        masked = connect(*side.masked)
        attempt("masked column", lambda: rows(MASKED, on=masked))
        masked.close()
    finally:
        connection.close()
    return attempt.found


CLIENTS: dict[str, Callable[[Side], Outcomes]] = {
    "psycopg": psycopg_checks,
    "psycopg (asyncio)": asyncio_checks,
    "asyncpg": asyncpg_checks,
    "pg8000": pg8000_checks,
}


@pytest.mark.parametrize("client", CLIENTS)
def test_the_same_checks_directly_and_through_the_gateway(sides: Sides, client: str) -> None:
    found = compare(sides, CLIENTS[client], DIFFERENCES[client])
    check_client(client, found)

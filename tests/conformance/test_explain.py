"""EXPLAIN (COSTS OFF) through the gateway: what a grant for one person is shown of a plan, and what never."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from typing import Any

import asyncpg
import psycopg
import psycopg.conninfo
import pytest

from seenby.model.disclosure import EntryBound, QueryDisclosure
from seenby.stores.grouping import Done
from seenby.stores.ledger import Item
from tests.fixtures.gateway import Served, everything

pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("served")]

Connection = psycopg.Connection[Any]
STAFF = "ben.ortiz"
PERSON = "account:1000000042"
CELLS = tuple((what, ["eu"]) for what in ("communication", "contact", "device"))
NEVER = (
    "seenby", "scope", "current_user", "person", "kind", "role", "payments", "credentials", "password", "imei", "iban",
    "region", "rows=", "cost=", "width=", "_pkey", "Rows", "Cost", "Output", "Schema", "Index Name", "'eu'",
)  # fmt: skip
"""The insides of the views, tables, columns and indexes beyond the grant, constants that the user did not write,
statistics."""

QUERIES = (
    "SELECT handle FROM accounts",
    "SELECT * FROM accounts",
    "SELECT handle, phone FROM accounts a WHERE a.id = 1000000042",
    "SELECT handle FROM accounts WHERE email = 'nobody@example.org' ORDER BY handle DESC LIMIT 3",
    "SELECT * FROM devices",
    "SELECT a.handle, d.model FROM accounts a JOIN devices d ON d.account_id = a.id",
    "SELECT model, count(*) FROM devices GROUP BY model HAVING count(*) > 1",
    "SELECT handle FROM accounts WHERE id IN (SELECT account_id FROM devices)",
    "SELECT handle FROM accounts WHERE NOT EXISTS (SELECT 1 FROM devices WHERE account_id = accounts.id)",
    "WITH d AS MATERIALIZED (SELECT account_id FROM devices) SELECT * FROM d JOIN accounts s ON s.id = d.account_id",
    "SELECT id FROM accounts EXCEPT SELECT account_id FROM devices",
    "SELECT t.handle, row_number() OVER (ORDER BY t.handle) FROM accounts t",
    "SELECT o1.handle FROM accounts o1, accounts o2, LATERAL (SELECT model FROM devices WHERE account_id = o2.id) s",
    "SELECT s.id, t.id FROM accounts s FULL JOIN devices t ON s.id = t.account_id",
    "SELECT name FROM countries c WHERE c.name = 'x'",
    "SELECT body FROM messages m WHERE m.body = 'x'",
    "SELECT posted_at FROM videos ORDER BY posted_at",
)


@pytest.fixture(scope="module")
def grant(served: Served) -> Iterator[str]:
    made = served.grant(STAFF, *CELLS, people=[PERSON])
    yield made
    served.revoke(STAFF, made)


@pytest.fixture
def through(served: Served, grant: str) -> Iterator[Connection]:
    with served.connect(STAFF, grant) as connection:
        yield connection


def explained(connection: Connection, query: str, form: str = "text") -> str:
    rows = connection.execute(f"EXPLAIN (COSTS OFF, FORMAT {form}) {query}".encode()).fetchall()
    return "\n".join(row[0] if isinstance(row[0], str) else json.dumps(row[0]) for row in rows)


def told(connection: Connection, text: str) -> tuple[object, ...]:
    """Tag, and each column's name and type."""
    result = connection.pgconn.exec_(text.encode())
    columns = [(result.fname(i), result.ftype(i), result.fsize(i)) for i in range(result.nfields)]
    return result.command_status, columns, result.error_message


def test_a_plan_is_shown_in_the_users_own_words(through: Connection) -> None:
    query = "SELECT handle FROM accounts AS who WHERE id = 1000000042 AND email LIKE '%@example.org' ORDER BY handle"
    assert explained(through, query).splitlines()[:4] == [
        "Sort",
        "  Sort Key: who.handle",
        "  ->  Subquery Scan on who",
        "        Filter: (((who.email)::text ~~ '%@example.org'::text) AND (who.id = 1000000042))",
    ]
    assert re.search(r"->  (Index|Seq|Bitmap Heap) Scan on accounts\n?", explained(through, query))


@pytest.mark.parametrize("form", ["text", "json", "yaml", "xml"])
def test_each_format_is_described_as_by_postgres(through: Connection, served: Served, form: str) -> None:
    text = f"EXPLAIN (COSTS OFF, FORMAT {form}) SELECT handle FROM accounts"
    with served.direct() as direct:
        assert told(through, text) == told(direct, text)
    for binary in (False, True):
        cursor = through.cursor(binary=binary)
        cursor.execute(text.encode(), prepare=True)
        found = str(cursor.fetchall())
        assert "accounts" in found
        assert "seenby" not in found


@pytest.mark.parametrize("form", ["text", "json", "yaml", "xml"])
@pytest.mark.parametrize("query", QUERIES)
def test_no_plan_tells_of_anything_beyond_the_grant(
    through: Connection, served: Served, grant: str, query: str, form: str
) -> None:
    said = explained(through, query, form)
    assert "Scan" in said
    assert [word for word in NEVER if word in said] == []
    if "countries" not in query:  # a table of nobody: no fence, no insides
        role, password = served.role(STAFF, grant)
        access = next(a for a in served.region.gateway.grants.accesses(STAFF) if a.terms.id == grant)
        plan = access.plans[f"EXPLAIN (COSTS OFF, FORMAT {form}) {query}"][0]
        with served.direct() as direct:
            direct.execute(f"SET SESSION AUTHORIZATION {role}".encode())
            whole = json.dumps(direct.execute(plan.sql.encode()).fetchall())  # type: ignore[union-attr]
        assert password not in said
        assert [word for word in ("seenby", "scope", "person", "Output", "Schema") if word not in whole] == []


def test_the_plan_is_the_same_whatever_constant_is_asked_for(through: Connection) -> None:
    """Whether a value is frequent, rare or not there does not move the plan: the fence has no statistics."""
    for column, values in (
        ("email", ("clara.novak@example.org", "x")), ("handle", ("clara.novak", "x")), ("phone", ("+33639980021", "x")),
    ):  # fmt: skip
        query = f"SELECT id FROM accounts WHERE {column} = "
        plans = {explained(through, f"{query}'{one}'").replace(f"'{one}'", "") for one in values}
        assert len(plans) == 1, plans


def test_values_that_are_bound(through: Connection) -> None:
    cursor = through.execute("EXPLAIN (COSTS OFF) SELECT handle FROM accounts WHERE handle = %s", ["clara.novak"])
    assert "Filter: ((accounts.handle)::text = 'clara.novak'::text)" in str(cursor.fetchall())


def test_a_driver_that_fetches_one_row(served: Served, grant: str) -> None:
    async def ask() -> str:
        keys = psycopg.conninfo.conninfo_to_dict(served.dsn(STAFF, grant))
        connection = await asyncpg.connect(
            host=str(keys["host"]), port=int(str(keys["port"])), user=STAFF, password=str(keys["password"]),
            database="platform", server_settings={"seenby.grant": grant},
        )  # fmt: skip
        try:
            text = "EXPLAIN (COSTS OFF, FORMAT json) SELECT id FROM accounts WHERE id = $1"
            assert len(await connection.fetch(text.replace("json", "text"), 42)) > 2
            return str(await connection.fetchval(text, 42))
        finally:
            await connection.close()

    assert json.loads(asyncio.run(ask()))[0]["Plan"]["Filter"] == "(accounts.id = '42'::bigint)"


def test_it_names_nobody_and_is_recorded(through: Connection, served: Served) -> None:
    text = "EXPLAIN (COSTS OFF) SELECT phone FROM accounts"
    found: list[QueryDisclosure] = []
    submit = served.region.ledger.submit

    def watched(item: Item, done: Done) -> None:
        if isinstance(item, QueryDisclosure):
            found.append(item)
        submit(item, done)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(served.region.ledger, "submit", watched)
        through.execute(text.encode())
    (item,) = found
    assert (item.bound, item.people, item.rows) == (EntryBound.NOBODY, (), 0)
    assert json.loads(item.withheld)["statement"] == text
    assert b'"tables":["accounts"]' in item.record


def test_in_transactions_and_beside_other_statements(through: Connection) -> None:
    with through.transaction():
        assert "accounts" in explained(through, "SELECT id FROM accounts")
        assert through.execute("SELECT id FROM accounts").fetchall() == [(1000000042,)]
    result = through.pgconn.exec_(b"SELECT 1; EXPLAIN (COSTS OFF) SELECT id FROM accounts; SELECT 2")
    assert result.get_value(0, 0) == b"2"
    with pytest.raises(psycopg.Error) as caught:
        through.execute("EXPLAIN (COSTS OFF) SELECT id FROM accounts WHERE 1 / 0 = id")
    assert caught.value.sqlstate == "22012"


@pytest.mark.parametrize(
    "text",
    ["EXPLAIN SELECT id FROM accounts", "EXPLAIN ANALYZE SELECT id FROM accounts", "EXPLAIN (COSTS OFF) SELECT 1"],
)
def test_what_is_refused_says_how_it_is_asked(through: Connection, text: str) -> None:
    with pytest.raises(psycopg.errors.FeatureNotSupported) as caught:
        through.execute(text.encode())
    assert caught.value.diag.message_hint
    assert through.execute("SELECT 1").fetchone() == (1,)


def test_a_grant_for_everybody_is_shown_no_plan(served: Served) -> None:
    with served.connect("aoife.byrne", everything(served)) as connection:
        with pytest.raises(psycopg.errors.FeatureNotSupported) as caught:
            connection.execute("EXPLAIN (COSTS OFF) SELECT id FROM accounts")
        assert "rows outside of it" in str(caught.value)

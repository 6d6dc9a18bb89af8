"""The attach script with names that were made to end a comment, a quoted text or a block: each stays a name."""

from __future__ import annotations

import json

import psycopg
import pytest
from psycopg import sql as raw

from seenby import datamap as maps
from seenby.datamap import DataMap
from seenby.guard import attach_sql, managed, scan_sql
from seenby.guard.quote import block, ident, qualified
from seenby.stores.cluster import Cluster

pytestmark = pytest.mark.postgres

DROP = "DROP\tTABLE\tcanary;"  # a map's names have neither spaces nor dots
SCHEMAS = {
    "the end of a line": f"a\n{DROP}--",
    "the end of a block": f"a$$;{DROP}DO$$BEGIN",
    "the end of the other block": f"a$$$seenby1$;{DROP}DO$$BEGIN",
    "the end of a text": f"a';{DROP}--",
    "the end of a name": f'a";{DROP}--',
    "a backslash": f"a\\';{DROP}--",
    "percent signs": "a%s%I%",
    "63 bytes": "ü" * 31 + "x",
}
TABLE, NOTES = "t$$'\"\\%\n;--é", "n$$'\"\\%\n;--é"


def nasty(schema: str) -> DataMap:
    """A table of people and one of notes about them, to which staff may add."""
    people, notes = (json.dumps(f"{schema}.{table}") for table in (TABLE, NOTES))
    text = f"""version = 1
[people.account]
table = {people}
key = "id"
region = "eu"
[tables.{people}]
key = ["id"]
owners = [{{ kind = "account", path = "id" }}]
[tables.{people}.columns]
id = "public"
[tables.{notes}]
key = ["id"]
owners = [{{ kind = "account", path = "account_id" }}]
[tables.{notes}.staff_writable]
insert = ["account_id", "body"]
author = "author"
[tables.{notes}.columns]
id = "public"
account_id = "public"
body = "content"
author = "public"
"""
    return maps.parse(text, source="nasty", region="eu")


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
def test_a_name_stays_a_name(cluster: Cluster, schema: str) -> None:
    datamap = nasty(schema)
    with psycopg.connect(cluster.dsn()) as connection, connection.transaction(force_rollback=True):
        people, notes = qualified(schema, TABLE), qualified(schema, NOTES)
        connection.execute("CREATE TABLE public.canary ()")
        connection.execute(raw.SQL(f"CREATE SCHEMA {ident(schema)}"))
        connection.execute(raw.SQL(f"CREATE TABLE {people} (id bigint PRIMARY KEY)"))
        connection.execute(
            raw.SQL(f"CREATE TABLE {notes} (id bigserial PRIMARY KEY, account_id bigint, body text, author text)")
        )
        script = attach_sql(datamap, database=connection.info.dbname, guard_verifier="")
        connection.execute(raw.SQL(script))
        connection.execute("SELECT FROM public.canary")
        connection.execute(raw.SQL(scan_sql(datamap)))
        readable = connection.execute(
            "SELECT array_agg(relname::text ORDER BY relname DESC) FROM pg_class WHERE relkind = 'r' AND oid >= 16384"
            " AND relnamespace NOT IN ('seenby'::regnamespace, 'seenby_catalog'::regnamespace)"
            " AND has_table_privilege('seenby_owner', oid, 'SELECT')"
        ).fetchone()
        assert readable == ([TABLE, NOTES],)


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
def test_a_name_stays_a_name_where_nobody_is_superuser(cluster: Cluster, schema: str) -> None:
    """The managed script looks at every table first; a superuser gets no further than to be told so."""
    refused = pytest.raises(psycopg.errors.RaiseException, match="you are superuser")
    with psycopg.connect(cluster.dsn()) as connection, refused:
        connection.execute(raw.SQL(managed.preconditions(nasty(schema))))


def test_a_block_is_ended_by_nothing_in_it(cluster: Cluster) -> None:
    for text in ("x", "$$", "$$ $seenby1$", "$seenby1$"):
        with psycopg.connect(cluster.dsn()) as connection:
            body = f"BEGIN RAISE EXCEPTION USING MESSAGE = '{text}'; END"
            with pytest.raises(psycopg.errors.RaiseException) as raised:
                connection.execute(raw.SQL(block(body)))
            assert raised.value.diag.message_primary == text

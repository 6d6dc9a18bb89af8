"""``seenby_catalog`` as real clients read it, and what it must never tell.

The platform's database names everything that a grant must not see with the word "hidden"; the copy holds the rest.
"""

from __future__ import annotations

import asyncio
import difflib
import os
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import asyncpg
import psycopg
import pytest
from psycopg import sql
from psycopg.types.composite import CompositeInfo
from psycopg.types.enum import EnumInfo
from psycopg.types.multirange import MultirangeInfo
from psycopg.types.range import RangeInfo

from seenby.guard.catalog import CATALOG_FUNCTIONS, REG_ARRAYS, RELATIONS, REWRITTEN_FUNCTIONS, catalog_sql
from tests.conformance.record_psql import COMMANDS, RECORDED, announced, record
from tests.conformance.relay import rewrite
from tests.fixtures.catalog import CatalogWorld
from tests.fixtures.psql import Psql

pytestmark = pytest.mark.postgres

SAME = (
    r"\d", r"\dt", r"\dt public.*", r"\dt nothing", r"\dti", r"\di", r"\dit accounts*", r"\dn", r"\dv", r"\dm", r"\ds",
    r"\dE", r"\d accounts", r"\d+ accounts", r"\d public.videos", r"\d+ videos", r"\d accounts_pkey", r"\d pg_roles",
    r"\d videos_account_id_length_s_idx", r"\d place", r"\dT", r"\dT+", r"\dD", r"\dD+", r"\dp",
    r"\z accounts", r"\ddp", r"\dA", r"\dF+ simple",
    r"\dO", r"\dRp", r"\dX", r"\dy", r"\det", r"\encoding",
)  # fmt: skip
"""Commands that print the same as on the filtered copy."""


BUILT_IN = {("postgres", "pg_settings"), ("postgres", "pg_proc")}
"""IntervalStyle's default is called postgres, and there is a function postgresql_fdw_validator."""


@pytest.fixture
def mine(catalog_world: CatalogWorld) -> Iterator[psycopg.Connection[Any]]:
    """The grant's role, queries rewritten on the way."""
    with psycopg.connect(catalog_world.mine, autocommit=True) as connection:
        yield connection


@pytest.fixture
def admin(catalog_world: CatalogWorld) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(catalog_world.admin, autocommit=True) as connection:
        yield connection


def test_psql_prints_the_same_as_on_the_filtered_copy(catalog_world: CatalogWorld, psql: Psql) -> None:
    script = announced(SAME)
    expected, got = psql(catalog_world.copy, script), psql(catalog_world.mine, script)
    assert got.stdout == expected.stdout, _difference(expected.stdout, got.stdout)
    assert got.stderr == expected.stderr
    assert "Foreign-key constraints" in got.stdout
    assert "Not-null constraints" in got.stdout


def test_every_backslash_command_of_psql_works(catalog_world: CatalogWorld, psql: Psql) -> None:
    got = psql(catalog_world.mine, "\n".join(COMMANDS))
    complaints = [line for line in got.stderr.splitlines() if not line.startswith("Did not find any ")]
    assert complaints == ["ERROR:  nothing shown has that name"]  # \sf lower: there are three of that name
    assert "hidden" not in got.stdout


def test_the_recorded_queries_are_those_of_this_psql(catalog_world: CatalogWorld) -> None:
    now, then = record(catalog_world.copy), RECORDED.read_text() if RECORDED.exists() else ""
    if os.environ.get("SEENBY_RECORD"):
        RECORDED.write_text(now)
    assert now == then, "run this again with SEENBY_RECORD=1 and read:\n" + _difference(then, now)
    assert now.count(";\n") > 90


def _difference(expected: str, got: str) -> str:
    return "\n".join(difflib.unified_diff(expected.splitlines(), got.splitlines(), lineterm="", n=1))


def test_psycopg_looks_up_types(catalog_world: CatalogWorld, mine: psycopg.Connection[Any]) -> None:
    with psycopg.connect(catalog_world.copy) as copy:
        for connection in (copy, mine):
            mood = EnumInfo.fetch(connection, "mood")
            place = CompositeInfo.fetch(connection, "public.place")
            years = RangeInfo.fetch(connection, "years")
            many = MultirangeInfo.fetch(connection, "years_multirange")
            accounts = CompositeInfo.fetch(connection, "accounts")
            assert mood is not None
            assert (list(mood.labels), mood.regtype) == (["calm", "loud"], "mood")
            assert place is not None
            assert dict(zip(place.field_names, place.field_types, strict=True)) == {"street": 25, "number": 23}
            assert years is not None
            assert years.subtype_oid == 23
            assert many is not None
            assert many.range_oid == years.oid
            assert accounts is not None
            assert " ".join(accounts.field_names) == "id handle email mood tags home active balance created_at"


def test_psycopg_does_not_find_types_outside_the_shape(mine: psycopg.Connection[Any]) -> None:
    for name in ("mood_hidden", "public.mood_hidden", "messages_hidden", "public.messages_hidden", "mood_hidden[]"):
        assert EnumInfo.fetch(mine, name) is None


def test_asyncpg_introspects_enum_composite_range_and_array(catalog_world: CatalogWorld) -> None:
    async def row(dsn: dict[str, Any]) -> Any:
        connection = await asyncpg.connect(**dsn)
        try:
            return await connection.fetchrow(
                "SELECT mood, ARRAY[mood] AS moods, home, active, tags, handle, balance, created_at FROM accounts"
            )
        finally:
            await connection.close()

    expected = asyncio.run(row(_asyncpg(catalog_world.copy)))
    got = asyncio.run(row(_asyncpg(catalog_world.mine)))
    assert dict(got) == dict(expected)
    assert got["home"] == ("High St", 7)
    assert got["moods"] == ["loud"]
    assert got["balance"] == Decimal("1.50")


def _asyncpg(dsn: str) -> dict[str, Any]:
    parts = psycopg.conninfo.conninfo_to_dict(dsn)
    names = {"host": "host", "port": "port", "dbname": "database", "user": "user", "password": "password"}
    return {new: parts[old] for old, new in names.items()} | {"ssl": False if "sslmode" in parts else None}


@pytest.mark.parametrize(
    "query",
    [
        "SELECT table_schema, table_name, table_type FROM information_schema.tables WHERE table_schema = 'public'",
        "SELECT table_name, column_name, ordinal_position, is_nullable, data_type, character_maximum_length,"
        " character_octet_length, numeric_precision, numeric_scale, datetime_precision, udt_schema, udt_name,"
        " domain_schema, domain_name FROM information_schema.columns WHERE table_schema = 'public'",
        "SELECT table_name, constraint_name, constraint_type FROM information_schema.table_constraints"
        " WHERE table_schema = 'public' AND constraint_type <> 'CHECK'",
        "SELECT table_name, constraint_name, column_name, ordinal_position FROM information_schema.key_column_usage"
        " WHERE table_schema = 'public'",
        "SELECT schema_name FROM information_schema.schemata WHERE schema_name <> 'pg_toast'",
        "SELECT schemaname, tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
        "SELECT schemaname, tablename, tableowner, hasindexes FROM pg_tables WHERE schemaname = 'public'",
        # SQLAlchemy and Rails ask like this
        "SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a"
        " WHERE a.attrelid = 'public.accounts'::regclass AND a.attnum > 0",
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'videos'::regclass",
        "SELECT conrelid::regclass, confrelid::regclass FROM pg_constraint WHERE contype = 'f'",
        "SELECT to_regclass('videos') IS NULL, to_regclass('public.videos') IS NULL, to_regclass('nothing') IS NULL",
        "SELECT current_schema(), current_schemas(true), current_schemas(false)",
        "SELECT has_table_privilege('accounts'::regclass, 'select'), has_schema_privilege('public', 'USAGE')",
    ],
)
def test_other_ways_to_ask_get_the_answers_of_the_copy(
    query: str, catalog_world: CatalogWorld, mine: psycopg.Connection[Any]
) -> None:
    with psycopg.connect(catalog_world.copy) as copy:
        expected = sorted(copy.execute(query.encode()).fetchall())
    assert sorted(mine.execute(query.encode()).fetchall()) == expected
    assert expected


def test_relations_have_the_columns_of_the_real_ones(admin: psycopg.Connection[Any]) -> None:
    columns = """
        SELECT a.attname, a.atttypid::regtype::text FROM pg_attribute a
        WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"""
    for name in RELATIONS:
        real = admin.execute(columns, [name]).fetchall()
        ours = admin.execute(columns, [f'seenby_catalog."{name}"']).fetchall()
        as_text = {"anyarray": "text[]", "aclitem[]": "text[]"}
        assert ours == [(column, as_text.get(kind, kind)) for column, kind in real], name


def test_functions_made_are_the_functions_listed(admin: psycopg.Connection[Any]) -> None:
    made = """SELECT DISTINCT proname FROM pg_proc WHERE pronamespace = 'seenby_catalog'::regnamespace
        AND has_function_privilege('seenby_g_mine', oid, 'EXECUTE')"""
    behind = {name for name, relation in RELATIONS.items() if "." in name and relation.source}
    assert {name for (name,) in admin.execute(made)} == REWRITTEN_FUNCTIONS | {"shown_type_name"} | behind
    real = """
        SELECT proname FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace UNION SELECT typname FROM pg_type
        UNION SELECT 'information_schema.' || proname FROM pg_proc
        WHERE pronamespace = 'information_schema'::regnamespace"""
    assert {name for (name,) in admin.execute(real)} >= CATALOG_FUNCTIONS - REG_ARRAYS


def test_no_row_of_any_relation_names_what_is_hidden(catalog_world: CatalogWorld) -> None:
    with psycopg.connect(catalog_world.direct, autocommit=True) as mine:
        names = mine.execute("""
            SELECT relname FROM pg_catalog.pg_class WHERE relnamespace = 'seenby_catalog'::regnamespace
            AND relkind = 'v'""").fetchall()
        assert {name for (name,) in names} >= set(RELATIONS)
        rows = 0
        for (name,) in names:
            for (row,) in mine.execute(sql.SQL("SELECT t::text FROM seenby_catalog.{} t").format(sql.Identifier(name))):
                rows += 1
                told = row.replace("seenby_s_0123456789abcdef", "").replace("seenby_v_0123456789abcdef", "")
                for word in ("hidden", "seenby$", "seenby_s_", "seenby_owner", "seenby_guard", "postgres", "87650001"):
                    assert word not in told or (word, name) in BUILT_IN, f"{name}: {row}"
        assert rows > 5000


def test_relations_of_information_schema_are_joined_in_no_time(mine: psycopg.Connection[Any]) -> None:
    """As Metabase and many others do. The planner must not expect a single row of each (catalog.sql)."""
    query = """SELECT c.column_name FROM information_schema.columns c JOIN information_schema.key_column_usage k
        USING (table_schema, table_name, column_name) JOIN information_schema.table_constraints t
        USING (constraint_schema, constraint_name)"""
    plan = "\n".join(line for (line,) in mine.execute(f"EXPLAIN {rewrite(query)}".encode()))
    assert "Nested Loop" not in plan
    assert "Hash Join" in plan or "Merge Join" in plan


def test_tables_of_the_catalogue_itself_are_closed(catalog_world: CatalogWorld) -> None:
    with psycopg.connect(catalog_world.direct, autocommit=True) as mine:
        for name in ("schema", "namespace", "class", "attribute", "type", "index", "constraint"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                mine.execute(sql.SQL("SELECT FROM seenby_catalog.{}").format(sql.Identifier(f"kept_{name}")))
        for call in ("keep_shape('otherhidden')", "forget_shape('0123456789abcdef')"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                mine.execute(f"SELECT seenby_catalog.{call}".encode())


def test_no_function_prints_anything_hidden_for_any_number(
    catalog_world: CatalogWorld, admin: psycopg.Connection[Any]
) -> None:
    """Every rewritten function that takes an oid, for the oid of every object in the database and the cluster."""
    oids = admin.execute("""
        SELECT oid FROM pg_class UNION SELECT oid FROM pg_type UNION SELECT oid FROM pg_proc WHERE oid >= 16384
        UNION SELECT oid FROM pg_constraint UNION SELECT oid FROM pg_namespace UNION SELECT oid FROM pg_authid
        UNION SELECT oid FROM pg_trigger UNION SELECT oid FROM pg_rewrite UNION SELECT oid FROM pg_policy
        UNION SELECT oid FROM pg_statistic_ext UNION SELECT oid FROM pg_database UNION SELECT oid FROM pg_attrdef
        UNION SELECT oid FROM pg_operator WHERE oid >= 16384 UNION SELECT oid FROM pg_collation WHERE oid >= 16384
        UNION SELECT oid FROM pg_ts_config UNION SELECT oid FROM pg_ts_dict UNION SELECT oid FROM pg_ts_parser
    """).fetchall()
    functions = admin.execute("""
        SELECT p.oid::regprocedure::text, p.proargtypes::oid[]::regtype[]::text[] FROM pg_proc p
        WHERE p.pronamespace = 'seenby_catalog'::regnamespace
            AND p.proargtypes::oid[] && '{oid,oidvector,oid[]}'::regtype[]::oid[]
            AND has_function_privilege('seenby_g_mine', p.oid, 'EXECUTE')""").fetchall()
    values = {
        "oid": "o", "integer": "1", "smallint": "1::smallint", "boolean": "true", "name": "current_user",
        "text": "'SELECT'", "oidvector": "ARRAY[o]::oidvector",
        "oid[]": "ARRAY[o]", '"char"': "'r'::\"char\"", "pg_node_tree": "NULL",
    }  # fmt: skip
    assert len(functions) > 60
    with psycopg.connect(catalog_world.direct, autocommit=True) as mine:
        for signature, types in functions:
            arguments = ", ".join(values[kind] for kind in types)
            call = f"{signature.split('(')[0]}({arguments})".replace("type(o, 1)", "type(o, -1)").replace(
                "type_name(o, 1)", "type_name(o, -1)"
            )
            query = f"SELECT coalesce(string_agg(x::text, ' '), '') FROM unnest(%s::oid[]) o, LATERAL {call} x"
            (told,) = mine.execute(query.encode(), [[oid for (oid,) in oids]]).fetchone() or ("",)
            assert "hidden" not in told, signature
            assert "seenby_v_" not in told, signature
            assert "seenby$" not in told, signature


@pytest.mark.parametrize(
    "name",
    ["messages_hidden", "public.messages_hidden", "ops_hidden.staff_hidden", "seenby_v_otherhidden.messages_hidden"],
)
def test_a_name_outside_the_shape_is_no_name(name: str, mine: psycopg.Connection[Any]) -> None:
    """The real regclass would tell that it exists."""
    assert mine.execute(f"SELECT to_regclass('{name}')".encode()).fetchone() == (None,)
    for cast in ("regclass", "regtype"):
        with pytest.raises((psycopg.errors.UndefinedTable, psycopg.errors.UndefinedObject), match="nothing shown"):
            mine.execute(f"SELECT '{name}'::{cast}".encode())


@pytest.mark.parametrize("name", ["role_hidden", "role_nowhere", "postgres"])
@pytest.mark.parametrize(
    "query",
    [
        "SELECT '{{{0}=r/{0}}}'::aclitem[]",
        "SELECT '{0}=r/{0}'::aclitem",
        "SELECT count(*) FROM aclexplode('{{{0}=r/{0}}}')",
        "SELECT count(*) FROM pg_class WHERE relacl = '{{{0}=r/{0}}}'",
        "SELECT count(*) FROM pg_class c, aclexplode(COALESCE(c.relacl, '{{{0}=r/{0}}}'))",
        "SELECT '{0}'::regrole",
        "SELECT has_table_privilege('{0}', 'accounts', 'SELECT')",
        "SELECT has_schema_privilege('{0}', 'public', 'USAGE')",
        "SELECT has_database_privilege('{0}', 'platform', 'CONNECT')",
        "SELECT pg_has_role('{0}', 'pg_monitor', 'MEMBER')",
        "SELECT pg_get_userbyid(oid) FROM pg_roles WHERE rolname = '{0}'",
    ],
)
def test_a_role_that_is_there_answers_like_one_that_is_not(
    query: str, name: str, mine: psycopg.Connection[Any]
) -> None:
    def answer(role: str) -> Any:
        try:
            return mine.execute(query.format(role).encode()).fetchall()
        except psycopg.Error as error:
            return error.sqlstate

    assert answer(name) == answer("role_of_nobody")


def test_settings_beyond_the_list_are_not_told_and_not_set(mine: psycopg.Connection[Any]) -> None:
    assert mine.execute("SELECT current_setting('server_version_num')::int / 10000").fetchone() == (18,)
    assert mine.execute("SELECT set_config('jit', 'off', false)").fetchone() == ("off",)
    with pytest.raises(psycopg.errors.UndefinedObject):
        mine.execute("SELECT current_setting('data_directory')")
    with pytest.raises(psycopg.errors.CantChangeRuntimeParam):
        mine.execute("SELECT set_config('search_path', 'pg_catalog', false)")


def test_a_shape_is_kept_when_its_transaction_commits_and_forgotten_when_it_goes(
    admin: psycopg.Connection[Any],
) -> None:
    """Two schemas of one shape; a foreign key from one to the other; the rows are written before the views exist."""
    count = "SELECT count(*) FROM seenby_catalog.kept_class WHERE shape = 'fedcba9876543210'"
    with admin.transaction():
        admin.execute("""
            CREATE SCHEMA extra; CREATE TABLE extra.notes (
                video_id bigint REFERENCES videos, line int, PRIMARY KEY (video_id, line));
            GRANT USAGE ON SCHEMA extra TO seenby_owner; GRANT SELECT ON extra.notes TO seenby_owner;
            CREATE ROLE seenby_s_fedcba9876543210; CREATE ROLE seenby_g_second IN ROLE seenby_s_fedcba9876543210;
            GRANT seenby_grants TO seenby_g_second;
            CREATE SCHEMA seenby_v_fedcba9876543210 AUTHORIZATION seenby_owner;
            CREATE SCHEMA seenby_v_fedcba9876543210_2 AUTHORIZATION seenby_owner;
            SET LOCAL ROLE seenby_owner;
            INSERT INTO seenby.shape_schema VALUES
                ('seenby_v_fedcba9876543210', 'public'), ('seenby_v_fedcba9876543210_2', 'extra');
            CREATE VIEW seenby_v_fedcba9876543210.videos AS SELECT id FROM public.videos;
            CREATE VIEW seenby_v_fedcba9876543210_2.notes AS SELECT * FROM extra.notes;
            GRANT USAGE ON SCHEMA seenby_v_fedcba9876543210, seenby_v_fedcba9876543210_2 TO seenby_s_fedcba9876543210;
            GRANT SELECT ON seenby_v_fedcba9876543210.videos, seenby_v_fedcba9876543210_2.notes
                TO seenby_s_fedcba9876543210;""")
    assert admin.execute(count).fetchone() == (4,)  # two tables, two indexes
    with admin.transaction():
        admin.execute("SET LOCAL ROLE seenby_g_second; SET LOCAL search_path = seenby_v_fedcba9876543210_2")
        found = admin.execute(
            rewrite("""
            SELECT n.nspname, c.relname, k.conname, pg_get_constraintdef(k.oid) FROM pg_constraint k
            JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE k.contype IN ('f', 'p') ORDER BY 1, 3""").encode()
        ).fetchall()
    assert found == [
        ("extra", "notes", "notes_pkey", "PRIMARY KEY (video_id, line)"),
        ("extra", "notes", "notes_video_id_fkey", "FOREIGN KEY (video_id) REFERENCES public.videos(id)"),
        ("public", "videos", "videos_pkey", "PRIMARY KEY (id)"),
    ]
    with admin.transaction():
        admin.execute("""
            SET LOCAL ROLE seenby_owner;
            DROP SCHEMA seenby_v_fedcba9876543210, seenby_v_fedcba9876543210_2 CASCADE;
            DELETE FROM seenby.shape_schema WHERE nspname LIKE 'seenby_v_fedcba9876543210%'""")
    assert admin.execute(count).fetchone() == (0,)
    admin.execute("DROP SCHEMA extra CASCADE; DROP ROLE seenby_g_second, seenby_s_fedcba9876543210")


def test_running_the_script_again_changes_nothing(admin: psycopg.Connection[Any]) -> None:
    kept = "SELECT t::text FROM seenby_catalog.kept_{} t ORDER BY 1"
    names = ("namespace", "attribute", "type", "index", "constraint")
    before = [admin.execute(kept.format(name).encode()).fetchall() for name in names]
    with admin.transaction():
        admin.execute(catalog_sql().encode())
    assert [admin.execute(kept.format(name).encode()).fetchall() for name in names] == before

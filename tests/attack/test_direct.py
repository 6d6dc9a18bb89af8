"""Straight to Postgres with a grant role's own secret: what comes out, what does not (I3)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator

import psycopg
import pytest

from seenby.errors import ConfigError
from tests.attack import world
from tests.attack.channels import CLOSED, GATEWAY_ONLY, NO_LEAK, Closed, GatewayOnly, NoLeak
from tests.attack.conftest import FENCED, OTHER, PASSWORD, REGION, Attacked

pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("attack")]

SCOPE = {FENCED: {1, 3}}


@pytest.fixture(scope="module")
def large_object(attacked: Attacked) -> int:
    """Somebody's large object."""
    with attacked.superuser() as connection:
        row = connection.execute("SELECT lo_from_bytea(0, 'SECRET')").fetchone()
        assert row is not None
        return int(row[0])


@pytest.fixture(params=[FENCED, REGION], ids=["fenced", "region-wide"])
def role(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def attacker(attacked: Attacked, role: str) -> Iterator[psycopg.Connection]:
    with attacked.connect(role) as connection:
        yield connection


def fill(text: str, attacked: Attacked, role: str, large_object: int = 0) -> str:
    schema = attacked.view(role, "accounts").split(".")[0]
    return text.format(
        table=attacked.view(role, "accounts"),
        schema=schema,
        role=role,
        shape=schema.replace("seenby_v_", "seenby_s_"),
        other=attacked.view(OTHER, "accounts").split(".")[0],
        other_role=OTHER,
        password=PASSWORD,
        large_object=large_object,
    )


@pytest.mark.parametrize("channel", CLOSED, ids=lambda channel: channel.name)
def test_the_database_refuses(
    channel: Closed, attacked: Attacked, attacker: psycopg.Connection, role: str, large_object: int
) -> None:
    *before, last = channel.sql
    for statement in before:
        attacker.execute(fill(statement, attacked, role))
    with pytest.raises(psycopg.Error) as refused:
        attacker.execute(fill(last, attacked, role, large_object))
    assert refused.value.sqlstate in channel.sqlstate.split(), refused.value
    assert not foreign_values(str(refused.value), role)


@pytest.mark.parametrize("channel", NO_LEAK, ids=lambda channel: channel.name)
def test_no_value_from_outside_the_scope(
    channel: NoLeak, attacked: Attacked, attacker: psycopg.Connection, role: str
) -> None:
    said: list[str] = []
    attacker.add_notice_handler(lambda notice: said.append(f"{notice.message_primary} {notice.message_detail}"))
    try:
        for statement in channel.sql:
            cursor = attacker.execute(fill(statement, attacked, role))
            if cursor.description:
                said += map(str, cursor.fetchall())
    except psycopg.Error as error:
        said.append(str(error))
    assert not foreign_values("\n".join(said), role)


@pytest.mark.parametrize("channel", GATEWAY_ONLY, ids=lambda channel: channel.name)
def test_only_the_gateway_closes_it(
    channel: GatewayOnly, attacked: Attacked, attacker: psycopg.Connection, role: str
) -> None:
    """The list is honest: what the database closes by itself does not stand in it."""
    for statement in channel.sql[:-1]:
        attacker.execute(fill(statement, attacked, role))
    last = fill(channel.sql[-1], attacked, role)
    try:
        if channel.error:
            with pytest.raises(psycopg.Error, match=channel.error):
                attacker.execute(last)
        else:
            attacker.execute(last)
    finally:
        with attacked.superuser() as superuser:
            superuser.execute(f"ALTER ROLE {role} RESET ALL")


def foreign_values(text: str, role: str) -> list[str]:
    """Values of people outside the scope, and unmasked values of masked columns, that stand in ``text``."""
    scope = SCOPE.get(role)

    def visible(number: int) -> bool:
        return number in scope if scope else number % 2 == 1

    found = ["SECRET"] if "SECRET" in text else []
    found += [f"+44{n}" for n in re.findall(r"\+44(7\d{9})", text) if not visible((int(n) - 7_000_000_000) // 7)]
    found += [mail for mail, n in re.findall(r"(user(\d+)@mail)", text) if not visible(int(n))]
    found += re.findall(r"'?user\d+'?(?!@|\d)", text)  # handles are masked in every grant here
    return found


def test_the_detector_detects() -> None:
    assert foreign_values("x SECRET y", FENCED)
    assert foreign_values(f"+44{7_000_000_000 + 14}", FENCED)
    assert foreign_values("user12@mail.example", REGION)
    assert foreign_values("('user3',)", FENCED)
    assert not foreign_values(f"+44{7_000_000_000 + 7} user3@mail.example u***", FENCED)


def test_the_scope_is_what_the_view_shows(attacked: Attacked) -> None:
    with attacked.connect(FENCED) as fenced, attacked.connect(REGION) as region:
        rows = fenced.execute(
            f"SELECT id, phone, email, handle, born FROM {attacked.view(FENCED, 'accounts')}"
        ).fetchall()
        assert sorted(row[0] for row in rows) == [1, 3]
        assert {str(row[4])[4:] for row in rows} == {"-01-01"}
        everybody = region.execute(f"SELECT count(*), count(phone) FROM {attacked.view(REGION, 'accounts')}").fetchone()
        assert everybody == (world.PEOPLE // 2, world.PEOPLE // 2)


@pytest.mark.parametrize("database", ["other", "postgres", "template1"])
def test_other_databases(attacked: Attacked, role: str, database: str) -> None:
    with pytest.raises(psycopg.OperationalError, match="reject"):
        attacked.connect(role, database)


def test_only_over_the_unix_socket(attacked: Attacked, role: str) -> None:
    cluster = attacked.cluster
    with pytest.raises(psycopg.OperationalError, match="reject"):
        psycopg.connect(host="127.0.0.1", port=cluster.port, dbname="platform", user=role, password=PASSWORD)


def test_not_without_the_secret(attacked: Attacked, role: str) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(attacked.cluster.dsn("platform", role, "guess"))


def test_not_as_replication(attacked: Attacked, role: str) -> None:
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(attacked.cluster.dsn("platform", role, PASSWORD) + " replication=database")


def test_not_as_a_role_of_the_startup_packet(attacked: Attacked, role: str) -> None:
    with pytest.raises(psycopg.OperationalError, match="permission denied to set role"):
        psycopg.connect(attacked.cluster.dsn("platform", role, PASSWORD) + " options='-c role=seenby_owner'")


def test_definitions_name_no_person(attacked: Attacked) -> None:
    """Everybody reads every view's text, however hard one hides it; so no key of a person may stand there."""
    with attacked.connect(REGION) as connection:
        texts = [row[0] for row in connection.execute("SELECT definition FROM pg_views WHERE schemaname ~ '^seenby_v'")]
        assert len(texts) > 10
        assert not [text for text in texts if "13331" in text]


def test_settings_and_comments_tell_nothing(attacked: Attacked, role: str) -> None:
    with attacked.connect(role) as connection:
        texts = connection.execute(
            "SELECT coalesce(shobj_description(oid, 'pg_authid'), '') || rolconfig::text FROM pg_roles"
            " WHERE starts_with(rolname, 'seenby_')"
        ).fetchall()
        assert {text for (text,) in texts} <= {None, ""}


PREDICATES = (
    "phone = 'x'",
    "phone = '+447000000007'",
    "home_region = 'eu'",
    "home_region = 'us'",
    "email LIKE 'user1%'",
)


def test_the_fence_tells_no_estimates(attacked: Attacked) -> None:
    """Estimates depend on the kind of predicate, never on its constant: no statistics of other people."""
    with attacked.connect(FENCED) as connection:
        connection.execute("SET max_parallel_workers_per_gather = 0")
        plans = {
            condition: connection.execute(
                f"EXPLAIN SELECT * FROM {attacked.view(FENCED, 'accounts')} WHERE {condition}"
            )
            for condition in PREDICATES
        }
        shapes = {
            condition: re.sub(r"Filter: .*", "Filter", "\n".join(row[0] for row in plan))
            for condition, plan in plans.items()
        }
    assert shapes[PREDICATES[0]] == shapes[PREDICATES[1]]
    assert shapes[PREDICATES[2]] == shapes[PREDICATES[3]]
    inside = {re.sub(r"\A.*\n.*\n", "", plan) for plan in shapes.values()}
    assert len(inside) == 1, "the plan below the fence depends on the predicate"


def test_without_the_fence_estimates_do_tell(attacked: Attacked) -> None:
    """Why the gateway refuses EXPLAIN on unfenced views, and that the test above can fail."""
    with attacked.connect(REGION) as connection:
        view = attacked.view(REGION, "accounts")
        plans = [
            [row[0] for row in connection.execute(f"EXPLAIN SELECT * FROM {view} WHERE home_region = '{region}'")]
            for region in ("eu", "us")
        ]
    assert [line.split("rows=")[1] for line in plans[0][:1]] != [line.split("rows=")[1] for line in plans[1][:1]]


def plan(attacked: Attacked, role: str, query: str) -> str:
    with attacked.superuser() as superuser:
        superuser.execute(f"SET ROLE {role}")
        rows = superuser.execute(f"EXPLAIN (ANALYZE, TIMING OFF, SUMMARY OFF) {query}").fetchall()
    return "\n".join(row[0] for row in rows)


@pytest.mark.parametrize(
    ("table", "condition"),
    [
        ("accounts", "phone = '+447000000007'"),
        ("accounts", "id = 3"),
        ("posts", "account_id = 3"),
        ("posts", "id = 3"),
        ("positions", "device_id = 3"),
        ("address_book", "phone = '+4917'"),
    ],
)
def test_a_lookup_in_one_region_uses_the_index(attacked: Attacked, table: str, condition: str) -> None:
    found = plan(attacked, REGION, f"SELECT * FROM {attacked.view(REGION, table)} WHERE {condition}")
    assert "Seq Scan" not in found, found


@pytest.mark.parametrize("table", ["accounts", "posts", "positions", "address_book", "devices"])
def test_a_fenced_table_is_read_from_its_people(attacked: Attacked, table: str) -> None:
    """Both halves of the union for a table of two owners (address_book) too."""
    found = plan(
        attacked,
        FENCED,
        f"SELECT * FROM {attacked.view(FENCED, table)} WHERE {'phone' if table == 'accounts' else 'id::text'} <> 'x'",
    )
    assert not re.search(r"Seq Scan on (?!scope)", found), found


def test_a_fenced_table_of_two_owners_is_read_from_its_people(attacked: Attacked) -> None:
    found = plan(attacked, OTHER, f"SELECT * FROM {attacked.view(OTHER, 'messages')}")
    assert not re.search(r"Seq Scan on (?!scope)", found), found


def test_a_row_of_two_owners_needs_both_in_scope(attacked: Attacked) -> None:
    """Account 13331 exchanged messages, but with people whom the grant does not name."""
    with attacked.superuser() as superuser:
        written = superuser.execute("SELECT count(*) FROM messages WHERE 13331 IN (sender_id, recipient_id)").fetchone()
        assert written is not None
        assert written[0] > 0
    with attacked.connect(OTHER) as connection:
        assert connection.execute(f"SELECT * FROM {attacked.view(OTHER, 'messages')}").fetchall() == []


def test_an_imported_snapshot_shows_what_was_erased(attacked: Attacked) -> None:
    """No privilege guards SET TRANSACTION SNAPSHOT: the gateway refuses it, attaching hides the ids (pg_locks)."""
    with attacked.superuser() as superuser, attacked.connect(FENCED) as attacker:
        superuser.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        row = superuser.execute("SELECT pg_export_snapshot()").fetchone()
        assert row is not None
        attacker.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        attacker.execute(f"SET TRANSACTION SNAPSHOT '{row[0]}'")
        attacker.execute("ROLLBACK")


def test_a_hole_that_is_opened_later_stops_activation(attacked: Attacked) -> None:
    async def activate() -> None:
        guard = attacked.guard()
        try:
            await guard.activate(world.terms({"contact": ("eu",)}), "seenby_g_never00001", PASSWORD)
        finally:
            await guard.close()

    with attacked.superuser() as superuser:
        superuser.execute("GRANT SELECT ON internal_audit TO PUBLIC")
        try:
            with pytest.raises(ConfigError, match="internal_audit") as refused:
                asyncio.run(activate())
            assert "REVOKE ALL ON public.internal_audit FROM PUBLIC" in refused.value.hint
        finally:
            superuser.execute("REVOKE ALL ON internal_audit FROM PUBLIC")

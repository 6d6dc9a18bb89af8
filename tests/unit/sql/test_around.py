"""PREPARE, EXECUTE, cursors, COPY, and the settings that drivers send: text -> plan."""

from __future__ import annotations

import pytest

from seenby.errors import SeenbyError
from seenby.model.plan import (
    Constant,
    ControlKind,
    ControlPlan,
    CopyForm,
    CopyPlan,
    DeclarePlan,
    ExecutePlan,
    FetchPlan,
    Plan,
    PreparePlan,
    QueryPlan,
    RefusedPlan,
)
from seenby.sql import analyse
from seenby.sql.constants import fits
from tests.unit.sql.world import CATALOG, SHAPE


def plan_of(text: str) -> Plan:
    (plan,) = analyse(text, SHAPE, CATALOG, cap=5)
    return plan


def refusal(text: str) -> SeenbyError:
    plan = plan_of(text)
    assert isinstance(plan, RefusedPlan), plan
    assert plan.error.hint
    return plan.error


@pytest.mark.parametrize(
    "text",
    [
        "PREPARE p AS {}",
        "DECLARE c CURSOR FOR {}",
        "DECLARE c NO SCROLL CURSOR WITHOUT HOLD FOR {}",
        "COPY ({}) TO STDOUT",
    ],
)
def test_what_is_inside_is_analysed_like_any_other(text: str) -> None:
    inner = "SELECT id, handle FROM accounts WHERE id < 5 ORDER BY id LIMIT 2 OFFSET 1"
    plan = plan_of(text.format(inner))
    assert isinstance(plan, PreparePlan | DeclarePlan | CopyPlan)
    assert plan.query == plan_of(inner)
    for wrong in ("SELECT nothing_such FROM accounts", "SELECT pg_sleep(1)", "SELECT id FROM accounts FOR UPDATE"):
        whole, alone = plan_of(text.format(wrong)), plan_of(wrong)
        assert isinstance(whole, RefusedPlan)
        assert isinstance(alone, RefusedPlan)
        assert (str(whole.error), whole.attempt) == (str(alone.error), alone.attempt)


def test_copy_of_a_table_is_copy_of_a_select() -> None:
    for text, inner in (
        ("COPY accounts TO STDOUT", "SELECT * FROM accounts"),
        ("COPY accounts (id, handle) TO STDOUT", "SELECT id, handle FROM accounts"),
        ("COPY public.accounts (handle) TO STDOUT", "SELECT handle FROM public.accounts"),
    ):
        plan = plan_of(text)
        assert isinstance(plan, CopyPlan)
        assert plan.query == plan_of(inner)


@pytest.mark.parametrize(
    ("options", "form"),
    [
        ("", CopyForm()),
        ("(FORMAT binary)", CopyForm("binary")),
        ("(DELIMITER '|', NULL '', HEADER)", CopyForm("text", b"|", b"", True)),
        ("CSV", CopyForm("csv", b",", b"")),
        ("CSV QUOTE ''''", CopyForm("csv", b",", b"", False, b"'", b"'")),
        ('(FORMAT csv, FORCE_QUOTE (id, "A"))', CopyForm("csv", b",", b"", False, b'"', b'"', ("id", "A"))),
        ("CSV FORCE QUOTE *", CopyForm("csv", b",", b"", False, b'"', b'"', ("*",))),
    ],
)
def test_copys_options(options: str, form: CopyForm) -> None:
    plan = plan_of(f"COPY (SELECT 1) TO STDOUT {options}")
    assert isinstance(plan, CopyPlan)
    assert plan.form == form


@pytest.mark.parametrize(
    ("options", "state"),
    [
        ("(FORMAT xml)", "22023"), ("(NOTHING_SUCH)", "0A000"), ("(FREEZE)", "0A000"), ("(ENCODING 'latin1')", "0A000"),
        ("(DELIMITER 'x')", "22023"), ("(DELIMITER E'\\n')", "22023"), ("(DELIMITER '')", "0A000"),
        ("(QUOTE '''')", "22023"), ("(FORCE_QUOTE *)", "22023"), ("(NULL E'a\\nb')", "22023"),
        ("(DELIMITER '|', NULL 'a|b')", "22023"), ("(FORMAT csv, QUOTE ',')", "22023"), ("(HEADER, HEADER)", "22023"),
        ("(FORMAT binary, HEADER)", "22023"), ("(FORMAT csv, NULL '\"')", "22023"), ("(HEADER match)", "22023"),
    ],
)  # fmt: skip
def test_what_copy_does_not_write(options: str, state: str) -> None:
    assert refusal(f"COPY (SELECT 1) TO STDOUT {options}").state == state


def test_arguments_of_execute() -> None:
    plan = plan_of(
        "EXECUTE p(1, -2, 99999999999, 1.5, 'x', NULL, true, '2020-01-01'::date, int8 '7', ARRAY[1, 2],"
        " ARRAY['a\"b', NULL], 3::numeric)"
    )
    assert isinstance(plan, ExecutePlan)
    assert plan.arguments == (
        Constant("1", 23), Constant("-2", 23), Constant("99999999999", 20), Constant("1.5", 1700), Constant("x", 0),
        Constant(None, 0), Constant("true", 16), Constant("2020-01-01", 1082), Constant("7", 20),
        Constant('{"1","2"}', 1007), Constant('{"a\\"b",NULL}', 1009), Constant("3", 1700),
    )  # fmt: skip


@pytest.mark.parametrize(
    "argument", ["now()", "1 + 1", "$1", "id", "(SELECT 1)", "1.5::int", "'x'::varchar(2)", "B'1'"]
)
def test_other_arguments_are_refused(argument: str) -> None:
    refusal(f"EXECUTE p({argument})")


@pytest.mark.parametrize(
    ("value", "oid", "does"),
    [
        (Constant("x", 0), 1184, True), (Constant("1", 23), 20, True), (Constant("1", 23), 25, True),
        (Constant("1", 23), 16, False), (Constant("1.5", 1700), 23, False), (Constant("1.5", 1700), 701, True),
        (Constant("2020-01-01", 1082), 1114, False), (Constant(None, 1082), 16, True), (Constant("x", 25), 1043, True),
    ],
)  # fmt: skip
def test_which_values_read_as_text_are_what_an_assignment_gives(value: Constant, oid: int, does: bool) -> None:
    assert fits(value, oid) is does


def test_types_of_prepare() -> None:
    plan = plan_of("PREPARE p (int, bigint[], timestamp with time zone, varchar(3), text) AS SELECT $1, $2, $3, $4, $5")
    assert isinstance(plan, PreparePlan)
    assert plan.oids == (23, 1016, 1184, 1043, 25)
    for closed in ("regclass", "mood", "oid", "public.x", "anyelement"):
        refusal(f"PREPARE p ({closed}) AS SELECT $1")


@pytest.mark.parametrize(
    ("text", "plan"),
    [
        ("FETCH c", FetchPlan("c")), ("FETCH 5 FROM c", FetchPlan("c", 5)), ("FETCH ALL IN c", FetchPlan("c", None)),
        ("FETCH FORWARD ALL FROM c", FetchPlan("c", None)), ("MOVE 3 IN c", FetchPlan("c", 3, True)),
        ("FETCH RELATIVE 1 FROM c", FetchPlan("c")), ('FETCH "C d"', FetchPlan("C d")),
        ("CLOSE c", ControlPlan(ControlKind.CLOSE, "CLOSE CURSOR", 'CLOSE "c"', "c")),
        ("CLOSE ALL", ControlPlan(ControlKind.CLOSE, "CLOSE CURSOR ALL", "CLOSE ALL")),
        ("DISCARD ALL", ControlPlan(ControlKind.DISCARD, "DISCARD ALL", "RESET ALL", "all")),
        ("UNLISTEN *", ControlPlan(ControlKind.DISCARD, "UNLISTEN")),
        ("COMMIT AND CHAIN", ControlPlan(ControlKind.COMMIT, "COMMIT", "COMMIT AND CHAIN")),
        ("SET client_min_messages = debug5", ControlPlan(ControlKind.SET, "SET", "", "client_min_messages", "debug5")),
    ],
)  # fmt: skip
def test_statements_that_hold_no_select(text: str, plan: Plan) -> None:
    assert plan_of(text) == plan


@pytest.mark.parametrize(
    ("text", "sql"),
    [
        ("BEGIN", "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"),
        ("BEGIN READ WRITE", "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"),
        ("BEGIN ISOLATION LEVEL READ COMMITTED", "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"),
        ("BEGIN ISOLATION LEVEL SERIALIZABLE", "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY"),
        ("BEGIN NOT DEFERRABLE", "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"),
        ("START TRANSACTION DEFERRABLE", "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY DEFERRABLE"),
        ("SET statement_timeout = '2min'", "SET statement_timeout TO 120000"),
        ("SET LOCAL lock_timeout = 100", "SET LOCAL lock_timeout TO 100"),
        ("SET lock_timeout = 0", "SET lock_timeout TO 10000"),
        ("SET lock_timeout TO DEFAULT", "SET lock_timeout TO 10000"),
        ("RESET lock_timeout", "RESET lock_timeout"),
    ],
)
def test_what_postgres_is_sent(text: str, sql: str) -> None:
    plan = plan_of(text)
    assert isinstance(plan, ControlPlan)
    assert plan.sql == sql


@pytest.mark.parametrize(
    "text",
    [
        "SET statement_timeout = 'x'", "SET work_mem = '1GB'", "SET role = postgres", "RESET search_path",
        "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE", "SET plan_cache_mode = auto",
        "SELECT set_config('TimeZone', 'UTC', false) FROM accounts",
        "FETCH BACKWARD ALL FROM c", "FETCH 0 FROM c", "DECLARE c SCROLL CURSOR FOR SELECT 1",
        "DECLARE c CURSOR WITH HOLD FOR SELECT 1", "PREPARE p AS DELETE FROM accounts", "COPY accounts FROM STDIN",
        "COPY (SELECT $1::int) TO STDOUT",
        "COPY accounts TO PROGRAM 'cat'", "EXPLAIN (COSTS OFF) SELECT 1", "EXPLAIN ANALYZE SELECT 1",
    ],
)  # fmt: skip
def test_refused_with_a_hint(text: str) -> None:
    refusal(text)


def test_set_config_of_what_may_be_set() -> None:
    plan = plan_of("SELECT pg_catalog.set_config('timezone', 'Asia/Tokyo', true) AS x")
    assert isinstance(plan, QueryPlan)
    assert plan.sql == "SELECT pg_catalog.set_config('TimeZone', 'Asia/Tokyo', true) AS \"x\""
    assert plan.changes == "timezone"

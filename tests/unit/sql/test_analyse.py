"""The path of a text: one plan per statement, never an exception, fast enough for the hot path."""

from __future__ import annotations

import os
import random
import re
from pathlib import Path

import pytest

from seenby.errors import SeenbyError
from seenby.model.plan import Bound, ControlKind, ControlPlan, QueryPlan, RefusedPlan
from seenby.sql import analyse
from tests.unit.sql.world import CATALOG, SHAPE, cases

RECORDED = Path(__file__).parents[2] / "conformance" / "data" / "psql18_catalog_queries.sql"


def test_an_empty_text_is_an_empty_statement() -> None:
    for text in ("", "  ", ";", "-- nothing"):
        assert analyse(text, SHAPE, CATALOG, cap=1) == (ControlPlan(ControlKind.EMPTY, ""),)


def test_every_statement_of_a_text_is_analysed() -> None:
    text = "SELECT 'é', 1; SELECT card FROM accounts ;BEGIN"
    first, second, third = analyse(text, SHAPE, CATALOG, cap=1)
    assert isinstance(first, QueryPlan)
    assert isinstance(second, RefusedPlan)
    assert second.text == "SELECT card FROM accounts"
    assert second.attempt
    assert isinstance(third, ControlPlan)


def test_a_syntax_error_anywhere_stops_the_whole_text() -> None:
    (plan,) = analyse("SELECT 1; SELEC 2", SHAPE, CATALOG, cap=1)
    assert isinstance(plan, RefusedPlan)
    assert plan.error.state == "42601"
    assert not plan.attempt


def test_without_a_grant_only_what_needs_no_table_works() -> None:
    for text in ("SELECT 1", "SELECT now()", "BEGIN", "SHOW server_version", "VALUES (1)"):
        (plan,) = analyse(text, None, CATALOG, cap=0)
        assert not isinstance(plan, RefusedPlan)
    for text in (
        "SELECT * FROM accounts",
        "TABLE nothing",
        "SELECT relname FROM pg_class",
        "SELECT (SELECT id FROM a)",
    ):
        (plan,) = analyse(text, None, CATALOG, cap=0)
        assert isinstance(plan, RefusedPlan)
        assert plan.error.state in {"42501", "0A000"}
    (plan,) = analyse("SELECT * FROM accounts", None, CATALOG, cap=0)
    assert isinstance(plan, RefusedPlan)
    assert "seenby grant request" in plan.error.hint


def test_a_refused_setting_is_no_attempt_at_data() -> None:
    (plan,) = analyse("SET work_mem = '1GB'", SHAPE, CATALOG, cap=1)
    assert isinstance(plan, RefusedPlan)
    assert not plan.attempt
    (plan,) = analyse("DELETE FROM accounts", SHAPE, CATALOG, cap=1)
    assert isinstance(plan, RefusedPlan)
    assert plan.attempt


def test_two_shapes_with_one_id_are_not_mixed_up() -> None:
    other = type(SHAPE)(SHAPE.id, SHAPE.fenced, {("public", "regions"): SHAPE.views["public", "regions"]})
    (before,) = analyse("SELECT id FROM accounts", SHAPE, CATALOG, cap=1)
    (after,) = analyse("SELECT id FROM accounts", other, CATALOG, cap=1)
    assert isinstance(before, QueryPlan)
    assert isinstance(after, RefusedPlan)


def test_psqls_own_queries_read_the_served_catalog_alone() -> None:
    plans = analyse(RECORDED.read_text(), SHAPE, CATALOG, cap=1)
    refused = [plan.error.message for plan in plans if isinstance(plan, RefusedPlan)]
    assert not refused
    queries = [plan for plan in plans if isinstance(plan, QueryPlan)]
    assert len(queries) > 150
    for plan in queries:
        assert plan.bound is Bound.NOBODY
        # A system column of the catalogue (c.tableoid) has become the number of one of its own relations.
        own = re.sub(r"'pg_catalog\.pg_\w+'::pg_catalog\.regclass::pg_catalog\.oid", "", plan.sql)
        bare = re.sub(r"'(?:[^']|'')*'", "", own)
        assert not re.search(r"(FROM|JOIN|,)\s+(pg_catalog\.)?pg_\w+(?![\w(.])", bare)
        assert not re.search(r"::\s*(pg_catalog\.)?reg\w+", bare)


def _tokens() -> list[str]:
    texts = [case["sql"] for name in ("answered", "refused") for case in cases(name) if len(case["sql"]) < 300]
    return sorted({token for text in texts for token in re.findall(r"'[^']*'|\"[^\"]*\"|\w+|\S", text)})


@pytest.mark.parametrize("chunk", range(4))
def test_whatever_stands_in_a_text_there_is_a_plan(chunk: int) -> None:
    """Real statements with pieces swapped, dropped and put in: a plan or a refusal in words, never an exception."""
    source = random.Random(f"{os.environ['SEENBY_SEED']}/sql/{chunk}")
    tokens = _tokens()
    texts = [case["sql"] for case in cases("answered")]
    rounds = 20_000 if os.environ.get("SEENBY_CAMPAIGN") == "long" else 600
    parsed = 0
    for _ in range(rounds):
        words = re.findall(r"'[^']*'|\"[^\"]*\"|\w+|\s+|\S", source.choice(texts))
        for _ in range(source.randint(1, 3)):
            place = source.randrange(len(words))
            token = source.choice(tokens)
            if source.random() < 0.7:  # a word for a word
                while token.isalpha() != words[place].isalpha():
                    place, token = source.randrange(len(words)), source.choice(tokens)
                words[place] = token
            else:
                words[place : place + source.randint(0, 2)] = [" ", token, " "]
        text = "".join(words)
        for plan in analyse(text, SHAPE, CATALOG, cap=5):
            if isinstance(plan, RefusedPlan):
                assert isinstance(plan.error, SeenbyError), text
                assert plan.error.state != "XX000", text
                assert "\n" not in plan.error.message, text
            parsed += not (isinstance(plan, RefusedPlan) and plan.error.state == "42601")
    assert parsed > rounds / 20


@pytest.mark.parametrize(
    ("text", "people"),
    [
        (
            "SELECT id FROM devices d WHERE account_id = 5 AND model LIKE 'A%'",
            """SELECT 'account'::text, d."seenby$1" FROM seenby_v.devices d WHERE d.account_id = 5 UNION ALL """
            """SELECT 'account'::text, "seenby$p"."seenby$1" FROM seenby_v.accounts "seenby$p" """
            """WHERE "seenby$p".id = 5""",
        ),
        (
            "SELECT count(*) FROM accounts WHERE id IN (5, 6) AND home = $1",
            """SELECT 'account'::text, accounts."seenby$1" FROM seenby_v.accounts accounts"""
            " WHERE accounts.id IN (5, 6)",
        ),
        ("SELECT id FROM devices WHERE account_id > 5", ""),
        ("SELECT id FROM devices WHERE account_id = id", ""),
    ],
)
def test_a_lookup_by_key_says_whom_it_examines(text: str, people: str) -> None:
    """Whatever else it asks of them: that decides whether they are shown, not whether they were looked up."""
    (plan,) = analyse(text, SHAPE, CATALOG, cap=10)
    assert isinstance(plan, QueryPlan)
    wanted = f"SELECT DISTINCT kind, key FROM ({people}) AS c (kind, key) WHERE key IS NOT NULL LIMIT 11"
    assert plan.in_full.examined == (wanted if people else None)
    assert plan.looks_up == bool(people)
    assert plan.several == ("IN (5, 6)" in text)


def test_what_would_double_at_each_step_is_refused_before_it_is_written_down() -> None:
    links = ["c0 AS (SELECT id, home FROM accounts)"]
    links += [f"c{n} AS (SELECT x.id, y.home FROM c{n - 1} x JOIN c{n - 1} y ON x.id = y.id)" for n in range(1, 30)]
    (plan,) = analyse(f"WITH {', '.join(links)} SELECT count(*) FROM c29", SHAPE, CATALOG, cap=10)
    assert isinstance(plan, RefusedPlan)
    assert (plan.error.state, plan.error.message) == ("54001", "a companion query for this statement would be too long")

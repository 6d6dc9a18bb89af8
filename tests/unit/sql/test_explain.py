"""EXPLAIN: which options are answered, and what of a plan is shown, however hostile the plan."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import Any

import pytest

from seenby.errors import ProtocolError, SeenbyError
from seenby.model.grant import Answers
from seenby.model.plan import Bound, Explaining, QueryPlan, RefusedPlan
from seenby.model.statistic import Answering
from seenby.sql import analyse
from seenby.sql.explain_forms import written
from seenby.sql.explained import Node, shown
from tests.unit.sql.world import CATALOG, SHAPE

FENCED = replace(SHAPE, fenced=True)
QUERY = (
    "SELECT a.handle FROM accounts a JOIN devices AS d ON d.account_id = a.id WHERE a.home IN ('eu', 'us') AND a.id > 5"
)


def explain(text: str) -> QueryPlan:
    (plan,) = analyse(text, FENCED, CATALOG, cap=5)
    assert isinstance(plan, QueryPlan), plan
    return plan


def refusal(text: str, shape: Any = FENCED) -> SeenbyError:
    (plan,) = analyse(text, shape, CATALOG, cap=5)
    assert isinstance(plan, RefusedPlan), plan
    assert plan.attempt
    assert plan.error.hint
    return plan.error


# ---------------------------------------------------------------- what may be asked


@pytest.mark.parametrize(
    ("options", "form"),
    [
        ("COSTS OFF", "text"), ("COSTS false", "text"), ("COSTS 0, FORMAT text", "text"),
        ("FORMAT json, COSTS OFF", "json"),
        ("COSTS OFF, FORMAT yaml", "yaml"), ("COSTS OFF, FORMAT 'XML'", "xml"), ("COSTS, COSTS OFF", "text"),
        ("COSTS OFF, VERBOSE OFF, SETTINGS OFF, TIMING OFF, SUMMARY OFF, BUFFERS OFF", "text"),
        ("COSTS OFF, ANALYZE OFF, SERIALIZE NONE, WAL OFF, MEMORY OFF", "text"),
    ],
)  # fmt: skip
def test_options_that_are_answered(options: str, form: str) -> None:
    plan = explain(f"EXPLAIN ({options}) SELECT handle FROM accounts WHERE id = $1")
    asked = "SELECT handle FROM seenby_v.accounts accounts WHERE id = $1"
    assert plan.sql == f"EXPLAIN (COSTS OFF, VERBOSE, FORMAT JSON) {asked}"
    assert plan.explains is not None
    assert (plan.explains.form, plan.bound, plan.visible, plan.keys) == (form, Bound.NOBODY, 1, ())
    assert (plan.tables, plan.columns, plan.classes, plan.parameters, plan.tag) == (("accounts",), (), (), 1, "EXPLAIN")


@pytest.mark.parametrize(
    ("start", "state", "words"),
    [
        ("EXPLAIN", "0A000", "estimates"), ("EXPLAIN (COSTS)", "0A000", "estimates"),
        ("EXPLAIN (FORMAT json)", "0A000", "estimates"), ("EXPLAIN (COSTS OFF, COSTS ON)", "0A000", "estimates"),
        ("EXPLAIN ANALYZE", "0A000", "ANALYZE"), ("EXPLAIN VERBOSE", "0A000", "VERBOSE"),
        ("EXPLAIN ANALYZE VERBOSE", "0A000", "ANALYZE"), ("EXPLAIN (COSTS OFF, ANALYZE)", "0A000", "ANALYZE"),
        ("EXPLAIN (COSTS OFF, ANALYZE 1)", "0A000", "ANALYZE"), ("EXPLAIN (COSTS OFF, BUFFERS)", "0A000", "BUFFERS"),
        ("EXPLAIN (COSTS OFF, WAL)", "0A000", "WAL"), ("EXPLAIN (COSTS OFF, MEMORY)", "0A000", "MEMORY"),
        ("EXPLAIN (COSTS OFF, SERIALIZE)", "0A000", "SERIALIZE"), ("EXPLAIN (COSTS OFF, TIMING ON)", "0A000", "TIMING"),
        ("EXPLAIN (COSTS OFF, VERBOSE)", "0A000", "VERBOSE"), ("EXPLAIN (COSTS OFF, SUMMARY)", "0A000", "SUMMARY"),
        ("EXPLAIN (COSTS OFF, GENERIC_PLAN)", "0A000", "generic"),
        ("EXPLAIN (COSTS OFF, SETTINGS)", "0A000", "SETTINGS"),
        ("EXPLAIN (COSTS OFF, NEW_THING)", "0A000", "NEW_THING"),
        ("EXPLAIN (COSTS OFF, BUFFERS maybe)", "22023", "maybe"),
        ("EXPLAIN (COSTS 2)", "22023", "2"), ("EXPLAIN (COSTS OFF, FORMAT csv)", "22023", "csv"),
        ("EXPLAIN (COSTS OFF, COSTS 1.5)", "22023", "no value"),
    ],
)  # fmt: skip
def test_options_that_are_refused_in_words(start: str, state: str, words: str) -> None:
    error = refusal(f"{start} SELECT handle FROM accounts")
    assert error.state == state
    assert words in error.message


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM accounts",
        "EXECUTE p",
        "CREATE TABLE x AS SELECT 1",
        "DECLARE c CURSOR FOR SELECT handle FROM accounts",
    ],
)
def test_only_a_select_is_explained(statement: str) -> None:
    assert "SELECT only" in refusal(f"EXPLAIN (COSTS OFF) {statement}").message


@pytest.mark.parametrize("statement", ["SELECT 1", "SELECT * FROM pg_class", "VALUES (1)"])
def test_only_tables_of_the_platform_are_explained(statement: str) -> None:
    assert "reads none" in refusal(f"EXPLAIN (COSTS OFF) {statement}").message


@pytest.mark.parametrize(
    "wrong",
    [
        "SELECT id FROM accounts WHERE phone = 'x'", "SELECT card FROM accounts", "SELECT * FROM payments",
        "SELECT pg_sleep(1)", "SELECT id FROM accounts FOR UPDATE", "SELECT id INTO x FROM accounts",
        "SELECT set_config('TimeZone', 'UTC', false)", 'SELECT "seenby$1" FROM accounts',
    ],
)  # fmt: skip
def test_what_may_not_be_asked_may_not_be_explained(wrong: str) -> None:
    (alone,) = analyse(wrong, FENCED, CATALOG, cap=5)
    error = refusal(f"EXPLAIN (COSTS OFF) {wrong}")
    if isinstance(alone, RefusedPlan):
        assert str(error) == str(alone.error)


@pytest.mark.parametrize("shape", [SHAPE, None])
def test_without_the_fence_nothing_is_explained(shape: Any) -> None:
    assert "rows outside of it" in refusal("EXPLAIN (COSTS OFF) SELECT handle FROM accounts", shape).message


@pytest.mark.parametrize(
    ("query", "words"),
    [("SELECT count(*) FROM accounts", "not with plans"), ("SELECT handle FROM accounts", "statistics only")],
)
def test_a_grant_for_statistics_is_shown_no_plan(query: str, words: str) -> None:
    answering = Answering(Answers.STATISTICS)
    (plan,) = analyse(f"EXPLAIN (COSTS OFF) {query}", FENCED, CATALOG, cap=5, answering=answering)
    assert isinstance(plan, RefusedPlan)
    assert words in plan.error.message


# ---------------------------------------------------------------- what of a plan is shown


def asked(query: str = QUERY) -> Explaining:
    what = explain(f"EXPLAIN (COSTS OFF) {query}").explains
    assert what is not None
    return what


def kept(*parameters: str, query: str = QUERY, **node: Any) -> Node:
    plan = [{"Plan": {"Node Type": "Seq Scan", **{key.replace("_", " "): value for key, value in node.items()}}}]
    found = shown(json.dumps(plan).encode(), asked(query), parameters)
    assert found.pop("Node Type") == "Seq Scan"
    return found


OWN = (
    "(a.id > 5)", "(a.id > '5'::bigint)", "(a.id > '-5'::integer)", "((a.handle)::text = 'eu'::text)",
    "((a.id > 5) AND (d.account_id = a.id))", "(a_1.id = d_2.account_id)", "(a.handle IS NOT NULL)",
    "(a.home = ANY ('{eu,us}'::text[]))", "(lower(a.handle) = 'us'::text)", "(NOT (a.id > 5))",
)  # fmt: skip
FOREIGN = (
    "(t.id > 5)", "(s.person = o1.id)", "(a.card > 5)", "(a.note IS NULL)", "(id > 5)", "(a.id > 6)", "(a.* IS NULL)",
    "(a.handle = 'ann'::text)", "(a.home = ANY ('{eu,fr}'::text[]))", "(a.handle = CURRENT_USER)", '(a."seenby$1" = 5)',
    "(a.handle = 'eu'::secret_kind)", "(secret_function(a.handle) = 'eu'::text)", "(a.id > $0)", "(a.id = (SubPlan 1))",
    "(CASE WHEN (a.id > 5) THEN a.handle ELSE a.home END = 'eu'::text)", "EXISTS(SELECT 5)", "((SELECT 5) > 5)",
    "(public.accounts.id > 5)", "5; SELECT 5", "5 FROM accounts a", "5 UNION SELECT 5", "5 INTO x", "5, 5", "",
    "(a.id > 5) AS note", "count(*) OVER (PARTITION BY a.id)", "(a.id > 5)\0", "\ud800", "5 WHERE true", "DISTINCT 5",
)  # fmt: skip


@pytest.mark.parametrize("key", ["Filter", "Index Cond", "Hash Cond", "Join Filter", "Merge Cond", "Recheck Cond"])
def test_a_condition_of_the_users_own_words_is_shown(key: str) -> None:
    for text in OWN:
        assert kept(**{key: text}) == {key: text}


@pytest.mark.parametrize("text", FOREIGN)
def test_any_other_condition_is_left_out(text: str) -> None:
    assert kept(Filter=text) == {}
    assert kept(Sort_Key=[text]) == {}
    assert kept(Group_Key=["a.id", text]) == {}


def test_keys_of_sorts_and_groups() -> None:
    keys = ["a.handle DESC NULLS LAST", '(lower(a.home)) COLLATE "C"', "a.id"]
    assert kept(Sort_Key=keys[::2]) == {"Sort Key": keys[::2]}
    assert kept(Sort_Key=keys) == {}  # a collation is not among the words
    assert kept(Sort_Key="a.id", Group_Key=[1], Filter=["(a.id > 5)"]) == {}


def test_what_is_bound_is_the_users_own() -> None:
    query = "SELECT handle FROM accounts a WHERE id = $1"
    assert kept("77", query=query, Filter="(a.id = '77'::bigint)") == {"Filter": "(a.id = '77'::bigint)"}
    assert kept("78", query=query, Filter="(a.id = '77'::bigint)") == {}
    for binary in ("\\x4d", "\\x000000000000004d", "\\x3737"):
        assert kept(binary, query=query, Filter="(a.id = '77'::bigint)") == {"Filter": "(a.id = '77'::bigint)"}
    for other in ("\\x4e", "\\xzz", "\\x", "4d", "\\xff"):
        assert kept(other, query=query, Filter="(a.id = '77'::bigint)") == {}


def test_relations_are_those_that_the_grant_shows() -> None:
    assert kept(Relation_Name="devices", Schema="public", Alias="o1") == {"Relation Name": "devices"}
    for schema, table in (("public", "payments"), ("audit", "devices"), ("seenby", "scope"), (None, "devices")):
        assert kept(Relation_Name=table, Schema=schema, Alias=table) == {}


def test_aliases_are_the_users() -> None:
    for name, told in (("a", True), ("a_1", True), ("accounts", True), ("s", False), ("t", False), ("payments", False)):
        plan = [{"Plan": {"Node Type": "Subquery Scan", "Alias": name}}]
        assert ("Alias" in shown(json.dumps(plan).encode(), asked())) is told


def test_subplans_are_numbered_or_of_the_users_name() -> None:
    query = "WITH mine AS MATERIALIZED (SELECT id FROM accounts) SELECT * FROM mine"
    for name, told in (
        ("InitPlan 1", "InitPlan 1"), ("SubPlan 2 (returns $1)", "SubPlan 2"), ("CTE mine", "CTE mine"),
        ("CTE hidden", "CTE"), ("anything", None),
    ):  # fmt: skip
        assert kept(query=query, Subplan_Name=name).get("Subplan Name") == told


def test_all_else_is_left_out() -> None:
    assert (
        kept(
            Total_Cost=1.5, Plan_Rows=10, Plan_Width=8, Actual_Rows=3, Output=["a.id"], Index_Name="payments_iban_key",
            Schema="seenby", Function_Name="secret", Parallel_Aware=True, Inner_Unique=True, Cache_Key="a.id",
            Disabled=False, Workers_Planned=2, One_Time_Filter="(a.id > 5)", Remote_SQL="SELECT", Strategy="Secret",
            Join_Type="Inner; x", Parent_Relationship="x", Command={}, Scan_Direction="Sideways", New_Key="a.id",
        )
        == {}
    )  # fmt: skip
    plan = [{"Plan": {"Node Type": "payments", "Plans": [{"Node Type": "Hash"}]}, "Settings": {}, "Query Text": "x"}]
    found = shown(json.dumps(plan).encode(), asked())
    assert found == {"Node Type": "Other", "Plans": [{"Node Type": "Hash"}]}


@pytest.mark.parametrize(
    "answer",
    [b"", b"{}", b"[]", b"[1]", b"[{}]", b'[{"Plan": 1}]', b'[{"Plan": {}}]', b'[{"Plan": {"Node Type": "Hash"}}, {}]',
     b'[{"Plan": {"Node Type": "Hash", "Plans": [3]}}]', b'[{"Plan": {"Node Type": ["Hash"]}}]', b"\xff",
     b'[{"Plan":' * 100_000],
)  # fmt: skip
def test_an_answer_of_another_form_ends_the_session(answer: bytes) -> None:
    with pytest.raises(ProtocolError):
        shown(answer, asked())


# ---------------------------------------------------------------- how it is written

PLAN: Node = {
    "Node Type": "Hash Join",
    "Join Type": "Left",
    "Hash Cond": "(a.id = d.id)",
    "Plans": [
        {"Node Type": "CTE Scan", "Subplan Name": "CTE w", "CTE Name": "w", "Alias": "x"},
        {
            "Node Type": "Aggregate",
            "Strategy": "Hashed",
            "Partial Mode": "Partial",
            "Group Key": ["a.id", 'a."<&"'],
            "Plans": [{"Node Type": "Index Scan", "Scan Direction": "Backward", "Relation Name": "accounts"}],
        },
        {"Node Type": "SetOp", "Strategy": "Hashed", "Command": "Except All"},
    ],
}
TEXT = """\
Hash Left Join
  Hash Cond: (a.id = d.id)
  CTE w
    ->  CTE Scan on w x
  ->  Partial HashAggregate
        Group Key: a.id, a."<&"
        ->  Index Scan Backward on accounts
  ->  HashSetOp Except All"""
YAML = """\
- Plan:\x20
    Node Type: "Hash Join"
    Join Type: "Left"
    Plans:\x20
      - Node Type: "Sort"
        Sort Key:\x20
          - "a.\\"x\\""
      - Node Type: "Hash"\
"""


def test_text_as_postgres_lays_it_out() -> None:
    assert "\n".join(written(PLAN, "text")) == TEXT


def test_json_and_xml_hold_the_same() -> None:
    (text,) = written(PLAN, "json")
    assert json.loads(text) == [{"Plan": PLAN}]
    (text,) = written(PLAN, "xml")
    root = ET.fromstring(text)
    space = "{http://www.postgresql.org/2009/explain}"
    assert [one.text for one in root.iter(f"{space}Node-Type")] == [
        "Hash Join", "CTE Scan", "Aggregate", "Index Scan", "SetOp",
    ]  # fmt: skip
    assert [one.text for one in root.iter(f"{space}Item")] == ["a.id", 'a."<&"']


def test_yaml() -> None:
    sort = {"Node Type": "Sort", "Sort Key": ['a."x"']}
    node = {"Node Type": "Hash Join", "Join Type": "Left", "Plans": [sort, {"Node Type": "Hash"}]}
    assert written(node, "yaml") == [YAML]

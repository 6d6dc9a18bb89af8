"""The list of functions that a query may call, as a file that people read, and the rules behind it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest

from seenby.guard import facts
from seenby.guard.functions import ALLOWED, FunctionFact, decide, refusal
from seenby.guard.types import castable
from seenby.stores.cluster import Cluster

LIST = Path(__file__).with_name("allowed_functions.txt")


def read(cluster: Cluster) -> list[FunctionFact]:
    with psycopg.connect(cluster.dsn()) as connection:
        rows = connection.execute(facts.FUNCTIONS).fetchall()
    return [FunctionFact(name, kind, volatility, tuple(types), *rest) for name, kind, volatility, types, *rest in rows]


@pytest.mark.postgres
def test_the_list_is_the_one_that_was_read(cluster: Cluster) -> None:
    """A new PostgreSQL changes the list only with somebody's eyes on it."""
    made = decide(read(cluster))
    kinds = dict.fromkeys(made.aggregates, "aggregate") | dict.fromkeys(made.windows, "window")
    lines = [
        " ".join(filter(None, [name, kinds.get(name, ""), "set" if name in made.set_returning else ""]))
        for name in sorted(made.allowed)
    ]
    assert lines == LIST.read_text().splitlines()


NEVER = """
    pg_stat_get_xact_tuples_returned pg_relation_size pg_get_viewdef pg_get_functiondef pg_sleep pg_advisory_lock
    pg_try_advisory_lock lo_get lo_import lo_create loread query_to_xml table_to_xml xpath ts_stat ts_rewrite
    pg_notify pg_export_snapshot pg_logical_emit_message current_setting set_config current_query txid_current
    pg_current_snapshot pg_read_file pg_ls_dir has_table_privilege to_regclass obj_description format_type
    nextval currval lastval setval pg_terminate_backend inet_client_addr random gen_random_uuid clock_timestamp
    json_populate_record jsonb_populate_recordset json_to_record currtid2 pg_blocking_pids version
    int4in textout record_out int4eq record_eq texteq hashtext row_security_active pg_describe_object
"""


@pytest.mark.postgres
def test_never(cluster: Cluster) -> None:
    found = read(cluster)
    assert set(NEVER.split()) <= {fact.name for fact in found}, "a name here is misspelt"
    assert not set(NEVER.split()) & decide(found).allowed


@pytest.mark.postgres
def test_every_exception_is_needed(cluster: Cluster) -> None:
    """A name stands in ALLOWED only while a rule speaks against it and Postgres has it."""
    found = read(cluster)
    names = {fact.name for fact in found}
    for name in ALLOWED:
        assert name in names
        renamed = [
            FunctionFact("x" + f.name, *(getattr(f, slot) for slot in f.__slots__[1:])) for f in found if f.name == name
        ]
        assert any(refusal(fact) for fact in renamed) or name.startswith("pg_")


def fact(name: str = "f", **changes: Any) -> FunctionFact:
    values: dict[str, Any] = {
        "name": name, "kind": "f", "volatility": "i", "types": ("text",), "returns_set": False, "definer": False,
        "serves": False,
    } | changes  # fmt: skip
    return FunctionFact(**values)


@pytest.mark.parametrize(
    "change",
    [{"kind": "p"}, {"volatility": "v"}, {"definer": True}, {"serves": True}, {"types": ("text", "regclass")},
     {"types": ("_cstring",)}, {"name": "pg_anything"}],
)  # fmt: skip
def test_each_rule_alone_refuses(change: dict[str, Any]) -> None:
    assert refusal(fact()) == ""
    assert refusal(fact(**change))


def test_one_overload_speaks_for_the_name() -> None:
    assert decide([fact("f"), fact("f", volatility="v")]).allowed == frozenset()
    assert decide([fact("f"), fact("f", types=("int4",))]).allowed == {"f"}


def test_kinds() -> None:
    made = decide([fact("a", kind="a"), fact("w", kind="w"), fact("s", returns_set=True), fact("f")])
    assert [set(part) for part in (made.aggregates, made.windows, made.set_returning)] == [{"a"}, {"w"}, {"s"}]


def test_types() -> None:
    assert castable(["text", "regclass", "pg_lsn", "xml", "mood", "tid"]) == {"text", "mood"}

"""Which of Postgres's own functions a query may call: rules over pg_proc, then names with a reason.

A name is allowed iff every built-in function of that name is: statements are judged by name, before Postgres picks an
overload. The result for PostgreSQL 18 lies in tests/unit/guard/allowed_functions.txt, to be read by people.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from seenby.guard.quote import literal, literals


@dataclass(frozen=True, slots=True)
class FunctionFact:
    """One row of pg_proc.

    Attributes:
        kind: prokind: f function, a aggregate, w window.
        volatility: provolatile: i, s, v.
        types: names of its argument and result types, as in pg_type.typname.
        returns_set: proretset.
        definer: prosecdef.
        serves: Postgres itself calls it: behind an operator, an aggregate, a type, an index, a language.
    """

    name: str
    kind: str
    volatility: str
    types: tuple[str, ...]
    returns_set: bool
    definer: bool
    serves: bool


@dataclass(frozen=True, slots=True)
class Functions:
    """Names only, without schema. The last three are subsets of ``allowed``."""

    allowed: frozenset[str]
    aggregates: frozenset[str]
    windows: frozenset[str]
    set_returning: frozenset[str]


_HIDDEN = """
    aclitem cid cstring event_trigger fdw_handler gtsvector index_am_handler internal language_handler
    pg_brin_bloom_summary
    pg_brin_minmax_multi_summary pg_ddl_command pg_dependencies pg_mcv_list pg_ndistinct pg_node_tree pg_snapshot
    refcursor regclass regcollation regconfig regdictionary regnamespace regoper regoperator regproc regprocedure
    regrole regtype table_am_handler tid trigger tsm_handler txid_snapshot xid xid8 xml
"""
HIDDEN_TYPES = frozenset(_HIDDEN.split())
"""No allowed function takes or returns these: internals, catalog objects by name or number, row positions, XML."""

TEXT_SEARCH = re.compile(r"(to_ts(vector|query)|(plain|phrase|websearch_)to_tsquery|ts_headline|json(b)?_to_tsvector)")
"""Text search takes a configuration by name (regconfig): a word list, nothing of a person's."""

ALLOWED: dict[str, str] = {
    "max": "has an overload for row positions, which no query can obtain",
    "min": "as max",
    "age": "has an overload for transaction numbers, which no query can obtain",
    "pg_typeof": "the name of a visible column's type",
    "starts_with": "stands behind ^@",
    "array_append": "stands behind ||",
    "array_prepend": "stands behind ||",
    "array_cat": "stands behind ||",
    "json_extract_path": "stands behind #>",
    "json_extract_path_text": "stands behind #>>",
    "jsonb_extract_path": "stands behind #>",
    "jsonb_extract_path_text": "stands behind #>>",
    "inet_merge": "stands behind an index",
    "inet_same_family": "stands behind an index",
    "isempty": "stands behind an index",
    "range_merge": "stands behind an index",
    "tsquery_phrase": "stands behind <->",
}
"""Names that a query may call although a rule below speaks against one of their overloads, and why."""

DENIED: tuple[tuple[str, str], ...] = (
    (r"pg_.*", "the server's state, files, locks, sizes, definitions"),
    (r"has_.*|row_security_active|makeaclitem|acl.*", "privileges of any object or role"),
    (r"(col|obj|shobj)_description|to_reg.*|format_type|.*_is_visible", "the catalogue"),
    (r"lo|lo_.*|loread|lowrite", "large objects"),
    (r"(query|table|schema|database|cursor)_to_xml.*|xml.*|.*xpath.*", "SQL text, whole tables, XML"),
    (r"ts_stat|ts_rewrite|ts_debug|ts_lexize|ts_parse|ts_token_type", "runs SQL text or reads dictionaries"),
    (r"current_setting|set_config|current_query|version", "settings; the gateway answers those a client needs"),
    (r"inet_(client|server)_(addr|port)", "the gateway's own connection"),
    (r"txid_.*|currtid.*|mxid_age", "transactions and row positions"),
    (r"nextval|setval|currval|lastval", "sequences"),
    (r"(json|jsonb)_populate_record.*|(json|jsonb)_to_record(set)?", "rows of a named type"),
    (r"dblink.*|connectby|crosstab.*|normal_rand", "extensions that run SQL text"),
    (r"binary_upgrade_.*|satisfies_hash_partition|suppress_redundant.*|unique_key_recheck|RI_.*", "internals"),
    (r"getpgusername|.*_validator|icu_unicode_version|oidvectortypes|nameconcatoid|hash.*", "internals"),
    (r"d(exp|log1|log10|round|trunc)|int4inc|int8_sum|numeric_(div_trunc|exp|inc|ln|log|sqrt)|textlen", "internals"),
)
"""Names that no query may call, and why. Whole names, as regular expressions."""

_DENIED = re.compile("|".join(f"(?:{pattern})" for pattern, _ in DENIED))


def decide(facts: Iterable[FunctionFact]) -> Functions:
    """The allow-list out of the built-in functions (those of schema pg_catalog made by initdb)."""
    by_name: dict[str, list[FunctionFact]] = {}
    for fact in facts:
        by_name.setdefault(fact.name, []).append(fact)
    allowed = {name: found for name, found in by_name.items() if all(not refusal(fact) for fact in found)}
    return Functions(
        allowed=frozenset(allowed),
        aggregates=frozenset(name for name, found in allowed.items() if found[0].kind == "a"),
        windows=frozenset(name for name, found in allowed.items() if any(fact.kind == "w" for fact in found)),
        set_returning=frozenset(name for name, found in allowed.items() if any(fact.returns_set for fact in found)),
    )


def refusal(fact: FunctionFact) -> str:
    """Why this function may not be called, "" if it may."""
    if fact.kind not in {"f", "a", "w"}:
        return "a procedure"
    if fact.definer:
        return "SECURITY DEFINER"
    if fact.volatility == "v":
        return "volatile: a different answer each time, or an effect"
    if fact.name in ALLOWED:
        return ""
    # Aggregates and ordinary functions show internals in the same way: through their types.
    hidden = HIDDEN_TYPES & {name.removeprefix("_") for name in fact.types}
    if hidden and not (hidden == {"regconfig"} and TEXT_SEARCH.fullmatch(fact.name)):
        return f"takes or returns {', '.join(sorted(hidden))}"
    if fact.serves:
        return "what an operator, an aggregate, a type or an index is made of"
    if _DENIED.fullmatch(fact.name):
        return next(why for pattern, why in DENIED if re.fullmatch(pattern, fact.name))
    return ""


_TAKEN_PREFIXES = """
    pg_stat_ pg_advisory_ pg_try_advisory_ pg_sleep pg_control_ pg_xact_ lo_ currtid dblink
    query_to_xml table_to_xml schema_to_xml database_to_xml cursor_to_xml
"""
_TAKEN_NAMES = """
    pg_lock_status pg_blocking_pids pg_safe_snapshot_blocking_pids pg_isolation_test_session_is_blocked
    pg_notify pg_notification_queue_usage pg_listening_channels pg_export_snapshot pg_logical_emit_message
    pg_relation_size pg_table_size pg_total_relation_size pg_indexes_size pg_database_size pg_tablespace_size
    pg_prepared_xact pg_cancel_backend pg_terminate_backend pg_get_replication_slots pg_last_committed_xact
    txid_status lo loread lowrite ts_stat ts_rewrite
"""


def taken_from_public(column: str) -> str:
    """SQL condition over proname: functions that attaching takes from PUBLIC and gives to seenby_platform.

    With them a role that may read nothing learns counts, sizes, other sessions, or leaves something behind.
    """
    # LIKE, because Postgres turns it into a range of pg_proc's index over names; as a filter it would cost 20 ms.
    patterns = [prefix.replace("_", "\\_") + "%" for prefix in _TAKEN_PREFIXES.split()]
    prefixes = " OR ".join(f"{column} LIKE {literal(pattern)}" for pattern in patterns)
    return f"({column} IN ({literals(_TAKEN_NAMES.split())}) OR {prefixes})"


GUARD_NEEDS = ("pg_stat_get_activity", "pg_terminate_backend", "pg_advisory_xact_lock")
"""Of those, what the guard itself calls."""

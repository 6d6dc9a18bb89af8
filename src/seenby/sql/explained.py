"""Postgres's plan -> what a grant shows of it. Default deny: a key, a word or a name that nobody allowed is left out.

A plan names the insides of the grant's views: other tables on the way to a person, the table that says who is in
scope, their columns and conditions. What is kept of a node:

======================  ======================================================================================
Node Type, Join Type... words from closed lists; a node of a type that is not listed is "Other"
Relation Name           a table that the grant shows, as users write it
Alias, CTE Name         a name that stands in the user's statement
Filter, Sort Key...     only if it is made of the user's own words: every table, column and constant in it
======================  ======================================================================================
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from google.protobuf.message import DecodeError, Message
from postgast import PgQueryError
from postgast import parse as _parse
from postgast import pg_query_pb2 as pb

from seenby.errors import ProtocolError
from seenby.model.plan import Explaining
from seenby.sql.explain import constant

Node = dict[str, Any]
"""Kept keys in Postgres's order: texts, lists of texts, and last ``Plans``, a list of nodes."""


def _closed(text: str) -> frozenset[str]:
    return frozenset(one.strip() for one in text.split(","))


NODES = _closed("""
    Result, ProjectSet, Append, Merge Append, Recursive Union, BitmapAnd, BitmapOr, Nested Loop, Merge Join, Hash Join,
    Seq Scan, Gather, Gather Merge, Index Scan, Index Only Scan, Bitmap Index Scan, Bitmap Heap Scan, Tid Scan,
    Tid Range Scan, Subquery Scan, Function Scan, Table Function Scan, Values Scan, CTE Scan, WorkTable Scan,
    Materialize, Memoize, Sort, Incremental Sort, Group, Aggregate, WindowAgg, Unique, SetOp, Limit, Hash
    """)
OTHER = "Other"
WORDS = {
    "Strategy": _closed("Plain, Sorted, Hashed, Mixed"),
    "Partial Mode": _closed("Simple, Partial, Finalize"),
    "Parent Relationship": _closed("Outer, Inner, Member, InitPlan, SubPlan, Subquery"),
    "Join Type": _closed("Inner, Left, Right, Full, Semi, Anti, Right Semi, Right Anti"),
    "Scan Direction": _closed("Forward, Backward"),
    "Command": _closed("Except, Except All, Intersect, Intersect All"),
}
CONDITIONS = _closed("Index Cond, Recheck Cond, Filter, Join Filter, Hash Cond, Merge Cond")
KEYS = _closed("Sort Key, Presorted Key, Group Key")
_READ_BY_NAME = _closed("Subquery Scan, Function Scan, Table Function Scan, Values Scan, CTE Scan, WorkTable Scan")

_SUBPLAN = re.compile(r"((?:InitPlan|SubPlan) [0-9]+)(?: .*)?|CTE (.+)", re.DOTALL)
_NUMBERED = re.compile(r"_[0-9]+\Z")
_PLAIN = (
    pb.Node, pb.String, pb.List, pb.A_Expr, pb.BoolExpr, pb.NullTest, pb.BooleanTest, pb.A_ArrayExpr, pb.CoalesceExpr,
    pb.MinMaxExpr, pb.Integer, pb.SortBy,
)  # fmt: skip


def shown(answer: bytes, what: Explaining, parameters: Sequence[str | None] = ()) -> Node:
    """The root of the plan.

    Args:
        answer: of EXPLAIN (COSTS OFF, VERBOSE, FORMAT JSON).
        parameters: what the user has bound; they are the user's constants too.
    """
    try:
        ((top),) = json.loads(answer)
        return _Filter(what, parameters).node(top["Plan"])
    except (ValueError, TypeError, KeyError, RecursionError):
        raise ProtocolError("Postgres explained a statement in a form that is not known") from None


class _Filter:
    def __init__(self, what: Explaining, parameters: Sequence[str | None]) -> None:
        self._what = what
        self._constants = what.constants.union(*(_bound(one) for one in parameters if one is not None))

    def node(self, node: Node) -> Node:
        kind = node["Node Type"]
        kept: Node = {"Node Type": kind if kind in NODES else OTHER}
        for key, value in node.items():
            found = self._value(kept["Node Type"], key, value, node)
            if found:
                kept[key] = found
        if plans := [self.node(one) for one in node.get("Plans", ())]:
            kept["Plans"] = plans
        return kept

    def _value(self, kind: str, key: str, value: object, node: Node) -> str | list[str] | None:
        """What may be shown of one key; None: nothing."""
        if key in KEYS and isinstance(value, list):
            whole = value and all(isinstance(one, str) and self._is_own(one, "SELECT 1 ORDER BY ") for one in value)
            return value if whole else None
        if not isinstance(value, str):
            return None
        if key in WORDS:
            return value if value in WORDS[key] else None
        if key in CONDITIONS:
            return value if self._is_own(value, "SELECT ") else None
        if key == "Relation Name":
            schema = node.get("Schema")
            known = (schema, value) in self._what.tables
            return (value if schema == "public" else f"{schema}.{value}") if known else None
        if key == "Subplan Name":
            return self._subplan(value)
        if key == "CTE Name" or (key == "Alias" and kind in _READ_BY_NAME):
            return value if self._named(value) else None
        return None

    def _subplan(self, value: str) -> str | None:
        found = _SUBPLAN.fullmatch(value)
        if found is None:
            return None
        own: str | None = found[1]
        return own or (value if found[2] in self._what.names else "CTE")

    def _named(self, name: str) -> bool:
        """A name of the user; Postgres numbers those that stand there twice."""
        return name in self._what.names or _NUMBERED.sub("", name) in self._what.names

    def _is_own(self, text: str, before: str) -> bool:
        """Whether an expression is made of the user's words. What the parser does not take is not."""
        if "\0" in text:
            return False
        try:
            statements = _parse(before + text).stmts
        except (PgQueryError, DecodeError, UnicodeEncodeError):
            return False
        if len(statements) != 1:
            return False
        select = statements[0].stmt.select_stmt
        names = {field.name for field, _ in select.ListFields()}
        if not names <= {"target_list", "sort_clause", "limit_option", "op"}:
            return False
        if len(select.target_list) != 1 or len(select.sort_clause) > 1 or select.target_list[0].res_target.name:
            return False
        return self._own(select.sort_clause[0] if select.sort_clause else select.target_list[0].res_target.val)

    def _own(self, message: Message) -> bool:
        match message:
            case pb.A_Const():
                return self._own_constant(constant(message))
            case pb.ColumnRef():
                return self._own_column(message)
            case pb.TypeCast():
                return message.type_name.names[-1].string.sval in self._what.types and self._own(message.arg)
            case pb.FuncCall():
                plain = not (message.HasField("over") or message.HasField("agg_filter") or message.agg_order)
                return (
                    plain
                    and message.funcname[-1].string.sval in self._what.functions
                    and all(self._own(one) for one in message.args)
                )
        if not isinstance(message, _PLAIN):
            return False
        return all(
            self._own(one)
            for field, value in message.ListFields()
            if field.message_type is not None and field.name != "name"
            for one in (value if field.is_repeated else (value,))
        )

    def _own_constant(self, text: str) -> bool:
        """``IN (1, 2)`` comes back as the array ``{1,2}``, ``-1`` as ``'-1'``."""
        if text in self._constants or text.removeprefix("-") in self._constants:
            return True
        if not (text.startswith("{") and text.endswith("}")):
            return False
        elements = [one.removeprefix('"').removesuffix('"') for one in text[1:-1].split(",")]
        return all(one in self._constants or one.removeprefix("-") in self._constants for one in elements)

    def _own_column(self, message: pb.ColumnRef) -> bool:
        """``alias.column``: VERBOSE spells every column like this."""
        parts = [field.string.sval for field in message.fields if field.WhichOneof("node") == "string"]
        return len(parts) == len(message.fields) == 2 and self._named(parts[0]) and (parts[1] in self._what.columns)


def _bound(value: str) -> set[str]:
    """What a parameter may look like in a plan. One in binary comes as ``\\x2a``: an integer, or a text."""
    try:
        raw = bytes.fromhex(value.removeprefix("\\x"))
    except ValueError:
        return {value}
    if not value.startswith("\\x"):
        return {value}
    return {value, str(int.from_bytes(raw, "big", signed=True)), raw.decode(errors="replace")}

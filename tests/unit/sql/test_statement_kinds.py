"""Default deny: every node that libpg_query can put where a statement stands, and every node of an expression."""

from __future__ import annotations

import pytest
from postgast import pg_query_pb2 as pb

from seenby.errors import SeenbyError, Unsupported
from seenby.model.plan import ControlPlan, ExecutePlan, FetchPlan
from seenby.sql import statements
from seenby.sql.blocks import Query
from seenby.sql.expressions import Expressions
from seenby.sql.scope import EMPTY, Scope
from tests.unit.sql.world import CATALOG

KINDS = [field.name for field in pb.Node.DESCRIPTOR.oneofs_by_name["node"].fields]
AROUND_A_SELECT = {"prepare_stmt", "declare_cursor_stmt", "copy_stmt"}
ANSWERED = {
    "transaction_stmt", "variable_show_stmt", "variable_set_stmt", "deallocate_stmt", "execute_stmt", "fetch_stmt",
    "close_portal_stmt", "discard_stmt", "unlisten_stmt",
}  # fmt: skip
EXPRESSIONS = set(
    """
    column_ref param_ref a_const a_expr bool_expr null_test boolean_test named_arg_expr coalesce_expr min_max_expr
    row_expr list a_array_expr case_expr type_cast collate_clause sqlvalue_function a_indirection func_call sub_link
    grouping_func
    """.split()  # noqa: SIM905
)


def _no_subquery(select: pb.SelectStmt, scope: Scope) -> Query:
    raise AssertionError(f"a subquery is read: {select} {scope}")


def _node(kind: str) -> pb.Node:
    node = pb.Node()
    getattr(node, kind).SetInParent()
    return node


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ANSWERED | AROUND_A_SELECT | {"select_stmt"}])
def test_every_other_statement_is_refused_by_name(kind: str) -> None:
    with pytest.raises(SeenbyError) as caught:
        statements.decide(_node(kind), kind, ("public",))
    assert caught.value.sqlstate in {"42501", "0A000"}
    assert caught.value.hint
    assert not caught.value.message.startswith(" ")


def test_the_list_of_answered_statements_is_this() -> None:
    """An empty message of an answered kind may be refused for what it says, not for what it is."""
    answered = set()
    for kind in KINDS:
        try:
            plan = statements.decide(_node(kind), kind, ("public",))
        except SeenbyError:
            continue
        assert isinstance(plan, (ControlPlan, ExecutePlan, FetchPlan))
        answered.add(kind)
    assert answered <= ANSWERED
    assert "deallocate_stmt" in answered


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in EXPRESSIONS])
def test_every_other_expression_is_refused(kind: str) -> None:
    with pytest.raises(Unsupported) as caught:
        Expressions(CATALOG, _no_subquery).read(_node(kind), EMPTY, "WHERE")
    assert "WHERE" in caught.value.message
    assert caught.value.hint

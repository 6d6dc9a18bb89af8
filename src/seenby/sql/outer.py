"""Outer joins: when the keys in the output name everybody, and whom to add when they do not.

A row of an outer join that was filled with NULL is there because another row is *not* there. If nothing above the join
looks at the optional side, every row of that side that matters stands in the output with its key, and nothing is
added. If something does, as in ``LEFT JOIN ... WHERE x.id IS NULL``, people decide about the output without standing
in it; the companion query finds them (influence.py).

Strict conditions make an outer join an inner one first (PostgreSQL source: reduce_outer_joins, prepjointree.c).
"""

from __future__ import annotations

from collections.abc import Iterable

from postgast import pg_query_pb2 as pb

from seenby.sql import functions
from seenby.sql.blocks import Block, Join, Query
from seenby.sql.scope import Column, Level, Scope

Strict = frozenset[int]
"""What a condition is strict in: columns, by identity, and relations, by their bit as a negative number."""

_NONE: Strict = frozenset()


def reduce(block: Block) -> None:
    """Gives every join of ``block`` the kind that it amounts to."""
    forced = 0
    for conjunct in block.conjuncts:
        if conjunct.join is None:
            forced |= conjunct.strict_bits
    for join in block.roots:
        _reduce(join, forced)


def _reduce(join: Join, forced: int) -> None:
    left, right = forced & join.left, forced & join.right
    kind = join.kind
    if kind == pb.JOIN_FULL and left and right:
        kind = pb.JOIN_INNER
    elif kind == pb.JOIN_FULL and left:
        kind = pb.JOIN_LEFT
    elif kind == pb.JOIN_FULL and right:
        kind = pb.JOIN_RIGHT
    if (kind == pb.JOIN_LEFT and right) or (kind == pb.JOIN_RIGHT and left):
        kind = pb.JOIN_INNER
    join.kind = kind
    own = 0
    for conjunct in join.conjuncts:
        own |= conjunct.strict_bits
    for lower in join.lower:
        on_left = lower.left & join.left
        # Below a side that stays whole, only what is forced from above holds; below the other, ON holds as well.
        if kind == pb.JOIN_INNER:
            passed = forced | own
        elif kind == pb.JOIN_FULL:
            passed = 0
        elif (kind == pb.JOIN_LEFT) == bool(on_left):
            passed = forced
        else:
            passed = own
        _reduce(lower, passed)


def check(block: Block) -> None:
    """Sets ``block.exact``."""
    block.exact = all(_adds_nobody(join, block) for join in block.joins if join.nullable)


def looks_inside(block: Block) -> bool:
    """A condition looks at what an outer join elsewhere (in a subquery, in the SELECT around it) may fill with NULL."""
    return any(
        column.fragility and not (column.fragility == 1 and id(column) in conjunct.strict)
        for conjunct in block.conjuncts
        if not conjunct.shrinks
        for column in conjunct.refs
    )


def _adds_nobody(join: Join, block: Block) -> bool:
    optional = join.nullable
    sides = [join.left, join.right] if join.kind == pb.JOIN_FULL else [optional]
    for conjunct in block.conjuncts:
        above = conjunct.join
        if not conjunct.bits & optional or above is join or (above is not None and _inside(above, join)):
            continue
        keeps = above is not None and (above.kind == pb.JOIN_FULL or (above.nullable and not above.nullable & optional))
        if not (above and keeps and all(_on_strict(above, side) for side in sides if conjunct.bits & side)):
            return False
    return True


def _on_strict(join: Join, side: int) -> bool:
    """ON of ``join`` cannot hold where the relations ``side`` are NULL."""
    return any(conjunct.strict_bits & side for conjunct in join.conjuncts)


def _inside(join: Join, outer: Join) -> bool:
    """``join`` stands somewhere below ``outer``."""
    return any(lower is join or _inside(join, lower) for lower in outer.lower)


def fragile(block: Block, refs: Iterable[Column], *, plain: bool) -> int:
    """How an output computed from ``refs`` changes when somebody's row goes away (Column.fragile)."""
    optional = 0
    for join in block.joins:
        optional |= join.nullable
    worst = 0
    for column in refs:
        one = column.fragility
        if column.bits & optional:
            one = max(one, 1 if column.strict else 2)
        worst = max(worst, one)
    return worst if plain or not worst else 2


# Strictness: which columns make a condition other than true when they are NULL.


def strict_parts(node: pb.Node, scope: Scope) -> Strict:
    """The columns and relations of which each alone, being NULL, keeps ``node`` from being true."""
    kind = node.WhichOneof("node")
    if kind == "bool_expr":
        args = node.bool_expr.args
        if node.bool_expr.boolop == pb.AND_EXPR:
            return _NONE.union(*(strict_parts(arg, scope) for arg in args))
        if node.bool_expr.boolop == pb.OR_EXPR:
            return frozenset.intersection(*(strict_parts(arg, scope) for arg in args))
        return _null_parts(args[0], scope)
    if kind == "null_test":
        return _null_parts(node.null_test.arg, scope) if node.null_test.nulltesttype == pb.IS_NOT_NULL else _NONE
    if kind == "boolean_test":
        if node.boolean_test.booltesttype == pb.IS_TRUE:
            return strict_parts(node.boolean_test.arg, scope)
        wants = node.boolean_test.booltesttype == pb.IS_FALSE
        return _null_parts(node.boolean_test.arg, scope) if wants else _NONE
    if kind == "a_expr":
        expr = node.a_expr
        if expr.kind in {pb.AEXPR_OP_ANY, pb.AEXPR_IN}:
            return _null_parts(expr.lexpr, scope)
        if expr.kind in {pb.AEXPR_BETWEEN, pb.AEXPR_BETWEEN_SYM}:
            bounds = [_null_parts(item, scope) for item in expr.rexpr.list.items]
            if expr.kind == pb.AEXPR_BETWEEN_SYM:
                bounds = []
            return _null_parts(expr.lexpr, scope).union(*bounds)
        if expr.kind in {pb.AEXPR_NOT_BETWEEN, pb.AEXPR_NOT_BETWEEN_SYM}:
            return _null_parts(expr.lexpr, scope)
    if kind == "sub_link" and node.sub_link.sub_link_type == pb.ANY_SUBLINK:
        operator = node.sub_link.oper_name[-1].string.sval if node.sub_link.oper_name else "="
        test = node.sub_link.testexpr
        parts = test.row_expr.args if test.WhichOneof("node") == "row_expr" else [test]
        known = operator in (functions.COMPARISONS if len(parts) == 1 else {"="})
        return _NONE.union(*(_null_parts(one, scope) for one in parts)) if known else _NONE
    return _null_parts(node, scope)


def asked_parts(query: Query, level: Level) -> Strict:
    """The columns and relations of a SELECT of which each alone, being NULL, keeps a subquery in it empty."""
    if query.branches is not None or query.recursion or query.blocks[0].lone_row:
        return _NONE
    parts: Strict = _NONE
    for conjunct in query.blocks[0].conjuncts:
        for column in conjunct.refs if conjunct.join is None else ():
            if column.origin is not None and column.level is level and id(column) in conjunct.strict:
                parts |= column_parts(column.origin)
    return parts


def _null_parts(node: pb.Node, scope: Scope) -> Strict:
    """The columns and relations of which each alone, being NULL, makes ``node`` NULL."""
    kind = node.WhichOneof("node")
    if kind == "column_ref":
        column = _column(node.column_ref, scope)
        return column_parts(column) if column is not None else _NONE
    if kind == "type_cast":
        return _null_parts(node.type_cast.arg, scope)
    if kind == "collate_clause":
        return _null_parts(node.collate_clause.arg, scope)
    if kind == "a_expr":
        expr = node.a_expr
        if expr.kind not in {pb.AEXPR_OP, pb.AEXPR_LIKE, pb.AEXPR_ILIKE}:
            return _NONE
        if expr.name[-1].string.sval not in functions.STRICT_OPERATORS:
            return _NONE
        return _null_parts(expr.lexpr, scope) | _null_parts(expr.rexpr, scope)
    if kind == "func_call" and node.func_call.funcname[-1].string.sval in functions.STRICT:
        return _NONE.union(*(_null_parts(arg, scope) for arg in node.func_call.args))
    return _NONE


def column_parts(column: Column) -> Strict:
    if column.origin is not None:
        return frozenset({id(column)}) if column.origin.strict else _NONE
    return frozenset({id(column), -column.bits}) if column.strict else _NONE


def _column(ref: pb.ColumnRef, scope: Scope) -> Column | None:
    return scope.meaning([part.string.sval for part in ref.fields])

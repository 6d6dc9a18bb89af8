"""Rows that stand for several: when they can carry the keys of all of these, so that nobody else need be named.

    SELECT imei, count(*) FROM devices GROUP BY imei HAVING count(*) > 1
    -> SELECT array_agg(DISTINCT "seenby$1")::text, imei, count(*) FROM v.devices GROUP BY imei HAVING count(*) > 1

Whoever stands only in groups that are not shown decides about nothing, if these groups cannot be shown without
somebody else either: the condition in HAVING must not turn true when rows are taken away, and with LIMIT no group may
move forward. ``count(*) > 1`` and ``ORDER BY count(*) DESC`` are such; ``avg(x) > 1`` is not.

A subquery of the select list says of each row whose data it looked at; one in WHERE does if rows that fail it cannot
pass without somebody: EXISTS and IN over plain joins, not NOT EXISTS.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from postgast import pg_query_pb2 as pb

from seenby.sql import functions, tree
from seenby.sql.blocks import Block, Query, Sublink
from seenby.sql.extremes import cannot_fail, owners, unless
from seenby.sql.influence import Influence, compared_at
from seenby.sql.offset import constant
from seenby.sql.readings import Reading
from seenby.sql.scope import Column, Key, Relation, Shown
from seenby.sql.sure import VALUE, joined
from seenby.sql.usable import Around, qualified

_MORE, _LESS = frozenset({">", ">="}), frozenset({"<", "<="})
_CONSTANT = frozenset({"a_const", "param_ref"})


def only_shrinks(node: pb.Node, *, aggregate: bool) -> bool:
    """A condition of HAVING that does not turn true when rows are taken away. ``aggregate``: it has one."""
    if not aggregate:
        return True
    kind = node.WhichOneof("node")
    if kind == "bool_expr":
        return node.bool_expr.boolop != pb.NOT_EXPR and all(
            only_shrinks(one, aggregate=_has_call(one)) for one in node.bool_expr.args
        )
    if kind != "a_expr" or node.a_expr.kind != pb.AEXPR_OP:
        return False
    operator, left, right = node.a_expr.name[-1].string.sval, node.a_expr.lexpr, node.a_expr.rexpr
    if left.WhichOneof("node") in _CONSTANT:
        operator = {">": "<", ">=": "<=", "<": ">", "<=": ">="}.get(operator, "")
        left, right = right, left
    if right.WhichOneof("node") not in _CONSTANT or left.WhichOneof("node") != "func_call":
        return False
    call = left.func_call
    if call.HasField("over"):
        return False
    name = call.funcname[-1].string.sval
    return (operator in _MORE and name in {"count", "max"}) or (operator in _LESS and name == "min")


def grows_with_rows(node: pb.Node) -> bool:
    """count(...): never NULL, and never more after rows are taken away."""
    return (
        node.WhichOneof("node") == "func_call"
        and node.func_call.funcname[-1].string.sval == "count"
        and not node.func_call.HasField("over")
    )


def is_more_than(node: pb.Node, refs: Sequence[Column]) -> bool:
    """``n.comments >= 5``, where the column counts rows."""
    if node.WhichOneof("node") != "a_expr" or node.a_expr.kind != pb.AEXPR_OP or len(refs) != 1 or not refs[0].grows:
        return False
    left, right = (side.WhichOneof("node") for side in (node.a_expr.lexpr, node.a_expr.rexpr))
    operator = node.a_expr.name[-1].string.sval
    return (left == "column_ref" and right in _CONSTANT and operator in _MORE) or (
        right == "column_ref" and left in _CONSTANT and operator in _LESS
    )


def ask_for_equal(node: pb.Node, links: Sequence[Sublink], refs: Sequence[Column]) -> None:
    """``x = (SELECT y ...)`` is read as ``x IN (SELECT y ...)``: where it gives one row they say the same."""
    if node.WhichOneof("node") != "a_expr" or node.a_expr.kind != pb.AEXPR_OP or len(links) != 1:
        return
    expr, (link,) = node.a_expr, links
    if expr.name[-1].string.sval != "=" or link.kind != pb.EXPR_SUBLINK or len(link.query.outputs) != 1:
        return
    for side, other in ((expr.lexpr, expr.rexpr), (expr.rexpr, expr.lexpr)):
        if side.WhichOneof("node") == "sub_link" and other.WhichOneof("node") in {"column_ref", *_CONSTANT}:
            link.kind, link.test, link.required = pb.ANY_SUBLINK, other, True
            one_row = link.query.lone_row or constant(link.query.select.limit_count) == 1
            link.scalar = not one_row
            link.test_refs, link.test_total = tuple(refs), all(column.total for column in refs)


def stays_behind(column: Column, *, down: bool, last: bool) -> bool:
    """Sorted by this output, no row moves forward when others go away. ``down``: DESC; ``last``: NULLS LAST."""
    return not column.fragile or (column.grows and down) or (column.fragile == 1 and last)


def in_any_order(block: Block, readings: Iterable[Reading]) -> bool:
    """All aggregates of the block give the same in whatever order the rows come."""
    return not block.aggregated or all(
        one.name in functions.ANY_ORDER for reading in readings if reading.level is block.level for one in reading.mixed
    )


def _has_call(node: pb.Node) -> bool:
    """There may be an aggregate in it."""
    return b"pg_catalog" in node.SerializeToString()


def settle(block: Block) -> None:
    """Adds to the keys of a block those of its subqueries in expressions; or the block is lost."""
    links = [link for link in block.sublinks if link.query.persons]
    if any(relation.persons and not relation.keys for relation in block.relations):
        block.lost = True
    for link in links:
        listed = link in block.listed
        if (listed and not block.gathers) or (link.required and not listed and shrinks(link)):
            continue
        block.lost = True
    if block.lost or not links:
        return
    for link in links:
        block.keys += _keys(link, block)


def shrinks(link: Sublink) -> bool:
    """A subquery that gives no other rows when some are taken away."""
    query = link.query
    if query.limited and (link.kind != pb.EXISTS_SUBLINK or query.select.HasField("limit_offset")):
        return False
    return not query.recursion and _only_unions(query) and all(_shrinks(block) for block in query.blocks)


def _only_unions(query: Query) -> bool:
    if query.branches is None:
        return True
    whole = query.select.op == pb.SETOP_UNION and not any(branch.limited for branch in query.branches)
    return whole and all(_only_unions(branch) for branch in query.branches)


def _shrinks(block: Block) -> bool:
    if block.aggregated or block.firsts or block.lost or any(join.nullable for join in block.joins):
        return False
    if any("window" in one or "LIMIT" in one for one in block.obstacles):
        return False
    for one in block.conjuncts:
        if any(column.fragility for column in one.refs):
            return False
        if any(not link.required or (link.query.persons and not shrinks(link)) for link in one.sublinks):
            return False
    return all(column.fragility == 0 for column in block.outputs)


def _keys(link: Sublink, block: Block) -> list[Key]:
    """Per part and kind one column with the keys of everybody whom the subquery looked at for a row."""
    influence, around = Influence(), Around()
    compared: list[pb.Node] = []
    if link.required and link.kind == pb.ANY_SUBLINK and link.test is not None:
        same = tree.operation(link.operator, qualified(link.test, link.names), tree.column("", VALUE))
        compared = [same]
    elif link.needs or not link.test_refs:  # else it is asked once for all rows, and so are its people
        compared = influence.compared(block, link, around)
    certain = None
    each = bool(link.needs or (compared and link.test_refs))
    if (each or not link.test_refs) and cannot_fail(link.query):
        certain = influence.settled(link, block, around, owners(block, around) if each else ())
    guards = influence.guards(link, block, around)
    found = []
    relation = Relation("", 0, pb.Node())
    uses = list(_uses(link.query))
    for part in influence.parts(link.query, [(0, VALUE)] if compared else [], around):
        gives = part.select.target_list[0].res_target.name == VALUE
        for number, kind in enumerate(part.kinds, 1):
            select = tree.select([], [tree.subselect(part.select, "seenby$x")])
            key = tree.column("seenby$x", f"seenby$k{number}")
            select.target_list.add().res_target.val.CopyFrom(tree.gathered(key, many=False))
            conditions = [] if certain is None else [unless(certain)]
            if compared and gives:
                conditions.append(joined(pb.OR_EXPR, [compared_at(one, "seenby$x") for one in compared]))
            if conditions:
                select.where_clause.CopyFrom(tree.conjunction(conditions))
            node = pb.Node()
            node.sub_link.sub_link_type = pb.EXPR_SUBLINK
            node.sub_link.subselect.select_stmt.CopyFrom(select)
            found.append(Key(kind, relation, "", uses, many=True, node=tree.only_if(guards, node)))
    return found


def _uses(query: Query) -> Iterable[set[Shown]]:
    for block in query.blocks:
        for relation in block.relations:
            if relation.index is not None and relation.keys:
                yield relation.uses
            elif relation.query is not None:
                yield from _uses(relation.query)
        for link in block.sublinks:
            yield from _uses(link.query)

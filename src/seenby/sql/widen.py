"""Subqueries with outer joins that others look at: in the companion query they give every row that they could give.

A row that LEFT JOIN filled with NULL appears when the other side's row goes away. Where a condition above looks at it,
as in ``SELECT ... FROM (SELECT ... FROM y LEFT JOIN x ...) s WHERE s.x IS NULL``, or inside at the optional side, the
rows that are there today do not name everybody. So the companion reads instead of such a block all rows that it gives
in any subset of the data:

    y LEFT JOIN x ON c      ->      y LEFT JOIN x ON c   UNION ALL   y LEFT JOIN (SELECT * FROM x WHERE false) x ON c

and, besides, everybody who can make one of these rows go away: the block's own branches (outer.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from postgast import pg_query_pb2 as pb

from seenby.errors import Unsupported
from seenby.sql import carry, tree
from seenby.sql.blocks import Block, Query
from seenby.sql.core import branches, leave_out_risky
from seenby.sql.scope import Key, Relation

MAX_VARIANTS = 16


def subqueries(query: Query, found: carry.Slots, blocks: list[Block]) -> list[tuple[Block, pb.SelectStmt]]:
    """Widens every block below ``query`` that has outer joins, in place, inner ones first. Returns who can make rows
    of them go away, as SELECTs of the key columns ``found``, each with the block whose CTEs it needs.
    """
    kinds = [next(key.kind for key in column if key is not None) for column in found]
    deciding = []
    for block in blocks:
        if block in query.blocks or not block.persons or not any(join.nullable for join in block.joins):
            continue
        for key in block.keys:
            if key.kind in kinds:
                place = kinds.index(key.kind)
                keys: list[Key | None] = [key if place == other else None for other in range(len(kinds))]
                deciding += [(block, select) for select in branches(block, keys)]
        leave_out_risky(block)
        _widen(block)
        block.widened = True
    return deciding


def _widen(block: Block) -> None:
    variants = [_variant(block, emptied) for emptied in _choices(block)]
    whole = variants[0]
    for variant in variants[1:]:
        union = pb.SelectStmt(op=pb.SETOP_UNION, all=True, limit_option=pb.LIMIT_OPTION_DEFAULT)
        union.larg.CopyFrom(whole)
        union.rarg.CopyFrom(variant)
        whole = union
    if block.select.HasField("with_clause"):
        whole.with_clause.CopyFrom(block.select.with_clause)
    block.select.CopyFrom(whole)


def _choices(block: Block) -> Iterator[int]:
    """Which relations to empty: per outer join none, or a side that it may fill with NULL."""
    sides: list[tuple[int, ...]] = []
    for join in block.joins:
        if join.kind == pb.JOIN_FULL:
            sides.append((0, join.left, join.right))
        elif join.nullable:
            sides.append((0, join.nullable))
    choices = set()
    for choice in product(*sides):
        emptied = 0
        for side in choice:
            emptied |= side
        choices.add(emptied)
        if len(choices) > MAX_VARIANTS:
            raise Unsupported(
                "a subquery with so many outer joins cannot be attributed to people yet",
                hint="move its outer joins to the outermost SELECT",
            )
    return iter(sorted(choices))


def _variant(block: Block, emptied: int) -> pb.SelectStmt:
    relations = [relation for relation in block.relations if relation.bit & emptied]
    before = [relation.node.SerializeToString() for relation in relations]
    for relation in relations:
        _empty(relation)
    variant = pb.SelectStmt.FromString(block.select.SerializeToString())
    for relation, data in zip(relations, before, strict=True):
        relation.node.CopyFrom(pb.Node.FromString(data))
    variant.ClearField("with_clause")
    variant.ClearField("sort_clause")
    return variant


def _empty(relation: Relation) -> None:
    """``x`` -> ``(SELECT * FROM x WHERE false) x``: the same columns, no row."""
    part = pb.RangeSubselect()
    select = part.subquery.select_stmt
    select.target_list.add().res_target.val.column_ref.fields.add().a_star.SetInParent()
    select.from_clause.append(relation.node)
    select.where_clause.CopyFrom(tree.false())
    select.op, select.limit_option = pb.SETOP_NONE, pb.LIMIT_OPTION_DEFAULT
    part.alias.aliasname = relation.alias
    relation.node.range_subselect.CopyFrom(part)

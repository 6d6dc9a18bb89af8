"""LIMIT below the top: ``FROM (SELECT ... ORDER BY at DESC LIMIT 20) x JOIN ...``, the latest row of each.

Read to the letter, everybody behind a LIMIT is disclosed: without the rows in front theirs would come (ADR 5). As at
the top we read it so that the rows that came are named, whatever else the statement does with them; then nothing of
the answer changes when somebody goes away who is not named. Which rows came is known up to peers in the order, so all
peers of the last one are named too:

    ORDER BY at DESC LIMIT 20 OFFSET 5     ->     ORDER BY at DESC FETCH FIRST 25 ROWS WITH TIES
"""

from __future__ import annotations

from collections.abc import Sequence

from postgast import pg_query_pb2 as pb

from seenby.sql import tree
from seenby.sql.blocks import Block, Query
from seenby.sql.carry import key_target
from seenby.sql.offset import MAX_INT, constant
from seenby.sql.scope import Relation

ROWS = "seenby$f"


def settles(query: Query) -> bool:
    """Its first rows can be named: they are plain rows of tables, in an order, and nothing in it can fail."""
    if not query.limited or query.branches is not None or query.recursion or query.obstacles:
        return False
    (block,) = query.blocks
    select = query.select
    if block.lost or not block.exact or block.gathers or block.sublinks or not block.keys or not select.sort_clause:
        return False
    if any(key.many for key in block.keys) or _number(select) is None:
        return False
    if any(not table.schemaname for table in tree.table_references(select, frozenset())):
        return False  # a WITH query around it: its name means nothing where the companion is written down
    if any(join.nullable for join in block.joins) or not all(column.total for column in block.outputs):
        return False
    if not all(_names_its_own(relation) for relation in block.relations) or _sorts_by_others(block, select):
        return False
    # What stands around it may be fragile or not: the place where it is written down tells (influence.py).
    own = [column for one in block.conjuncts for column in one.refs if column.origin is None]
    return all(one.total for one in block.conjuncts) and not any(column.fragility for column in own)


def _names_its_own(relation: Relation) -> bool:
    """It is written down as it stands, so that nothing in FROM may name what stands around without saying of whom."""
    return relation.index is not None or (relation.query is not None and not _looks_outwards(relation.query))


def _looks_outwards(query: Query) -> bool:
    for block in query.blocks:
        if block.aggregated or block.sublinks or query.limited or block.values is not None:
            return True  # it may, in a place that is not looked at here
        named = [column for one in block.conjuncts for column in one.refs]
        named += [column for one in block.outputs for column in one.sources]
        if any(column.origin is not None for column in named):
            return True
        if not all(_names_its_own(relation) for relation in block.relations):
            return True
    return False


def _sorts_by_others(block: Block, select: pb.SelectStmt) -> bool:
    names = {column.name for column in block.outputs}
    for ref in (ref for item in select.sort_clause for ref in tree.column_references(item)):
        name = ref.fields[0].string.sval
        if len(ref.fields) == 1 and name not in names and block.scope.find(name) is None:
            return True
    bare = [*block.names, *(one.names for one in block.conjuncts)]
    return any(column.origin is not None for one in bare for column in one.values())


def _number(select: pb.SelectStmt) -> int | None:
    """How many rows come, with those that OFFSET skips."""
    if not select.HasField("limit_count"):
        return None
    count = constant(select.limit_count)
    offset = constant(select.limit_offset) if select.HasField("limit_offset") else 0
    if count is None or offset is None or min(count, offset) < 0 or count + offset > MAX_INT:
        return None
    return count + offset


def first_rows(query: Query, places: Sequence[tuple[int, str]], *, keys: bool) -> tuple[pb.SelectStmt, tuple[str, ...]]:
    """SELECT of outputs, or of keys ``seenby$k1`` ..., of the rows that come and their peers; the kinds of the keys."""
    (block,) = query.blocks
    inner = pb.SelectStmt.FromString(query.select.SerializeToString())
    inner.target_list.extend(key_target(key) for key in block.keys)
    inner.ClearField("limit_offset")
    number = _number(query.select)
    assert number is not None
    inner.limit_count.a_const.ival.SetInParent()
    inner.limit_count.a_const.ival.ival = number
    inner.limit_option = pb.LIMIT_OPTION_WITH_TIES
    entry = tree.subselect(inner, ROWS)
    names = [f"c{number}" for number in range(len(block.outputs))] + [f"k{n}" for n in range(1, len(block.keys) + 1)]
    entry.range_subselect.alias.colnames.extend(tree.string(name) for name in names)
    if keys:
        targets = [tree.column_target(ROWS, f"k{n}", f"seenby$k{n}") for n in range(1, len(block.keys) + 1)]
    else:
        targets = [tree.column_target(ROWS, f"c{place}", name) for place, name in places] or [tree.one_target()]
    return tree.select(targets, [entry]), tuple(key.kind for key in block.keys)

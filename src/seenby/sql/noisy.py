"""Which statistics can be answered with noise: those of which it is known how much one person changes.

Counts of people, where each person stands in one row at most: then they change each count by one at most, and are in
one group of each set. Sums are none of them: one person's amount has no bound that the statement would not choose.
"""

from __future__ import annotations

from collections.abc import Sequence

from postgast import pg_query_pb2 as pb

from seenby.model.statistic import Noisy
from seenby.sql.blocks import Query
from seenby.sql.groupsets import same
from seenby.sql.harmless import column_of, name_of_call
from seenby.sql.scope import Column
from seenby.sql.sources import Why, pin_of
from seenby.sql.statistics import Leaf, ordered_by
from seenby.sql.weights import UniqueKeys, follows, is_persons


def read_noisy(query: Query, leaves: Sequence[Leaf], unique: UniqueKeys, epsilon: int) -> Noisy | Why:
    """What noise is added to, or why none can be.

    Args:
        query: the whole statement.
        leaves: its statistics.
        unique: the unique keys of tables.
        epsilon: that each statistic costs, in thousandths.
    """
    if len(leaves) != 1 or leaves[0].block.select is not query.select:
        return "what is computed of figures would be computed of exact ones: ask for the counts alone"
    (leaf,) = leaves
    select, block = leaf.block.select, leaf.block
    if leaf.has_windows or block.sublinks or select.HasField("having_clause") or select.distinct_clause:
        return "HAVING, DISTINCT, windows and subqueries would go by exact counts: leave them out"
    columns = []
    for place, target in enumerate(select.target_list):
        node = target.res_target.val
        if node.WhichOneof("node") == "func_call" and name_of_call(node.func_call) == "count":
            columns.append(place)
        elif not _is_group(node, leaf):
            return "noise is added to counts of people alone, each as it is: count(*), without arithmetic"
    for item in select.sort_clause:
        output = ordered_by(item.sort_by.node, query)
        if output in columns or (output is None and not _is_group(item.sort_by.node, leaf)):
            return "ORDER BY would go by exact counts: order by what it groups by"
    if not _once(leaf, unique) and not _each_counted_once(leaf, columns):
        return "somebody can have several rows, so nobody knows how much they change: count people, each in one row"
    return Noisy(tuple(columns), max(len(columns), 1) * leaf.shown, epsilon)


def _is_group(node: pb.Node, leaf: Leaf) -> bool:
    return node.WhichOneof("node") in {"a_const", "grouping_func"} or any(
        same(node, group, leaf.block) for group in leaf.groups
    )


def _once(leaf: Leaf, unique: UniqueKeys) -> bool:
    """Everybody is in one row at most: of a table with a row per person, or of a subquery that makes such rows."""
    block = leaf.block
    about = [relation for relation in block.relations if relation.persons]
    elements = any(one.index is None and one.query is None for one in leaf.sources.relations)
    if len(leaf.sources.persons) != 1 or len(about) != 1 or elements:
        return False
    (person,), (relation,) = leaf.sources.persons, about
    if is_persons(relation):
        assert relation.query is not None
        (below,) = relation.query.blocks
        width = len(below.select.group_clause) if below.gathers == "group" else len(below.outputs)
        alone = width == 1 and pin_of(relation.query) is not None
    elif relation.index is not None:
        view = relation.index.view
        pins = frozenset(key.pins for key in view.keys if key.name == person.key.name)
        alone = pins in unique.get((view.schema, view.table), ())
    else:
        return False
    return alone and follows(relation, block, unique)


def _each_counted_once(leaf: Leaf, columns: Sequence[int]) -> bool:
    """``SELECT count(DISTINCT account_id)``, without groups: nobody is in two of them."""
    # Of whom is followed, not one of those who follow is left if they go away.
    if not leaf.lone or len(leaf.sources.persons) != 1:
        return False
    for place in columns:
        call = leaf.block.select.target_list[place].res_target.val.func_call
        column: Column | None = column_of(call.args[0], leaf.block) if len(call.args) == 1 else None
        if not call.agg_distinct or column is None or column.pin is None:
            return False
    return True

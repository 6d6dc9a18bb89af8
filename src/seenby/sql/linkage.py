"""Who is compared with whom by where they are and what they use. That links people, and is a purpose of its own.

A column *links* when the data map says that its values tell people's places and devices (classes ``location`` and
``device``), unless many people share them. A statement is refused that holds such a value of one person against
another's: in a condition or any other expression, in GROUP BY, DISTINCT, PARTITION BY, the order of a window or a set
operation, or by collecting many people's values into one. Not refused is what stays with one person:

==============================================  =====================================================================
one person because                              as in
==============================================  =====================================================================
they are columns of one row                     ``p.latitude * p.longitude``
keys say so, where NULL cannot come between     ``l.device_id = d.id AND d.account_id = a.id``
a constant says so                              ``d.account_id = 42 ... GROUP BY l.ip``
the person is part of the group                 ``GROUP BY d.account_id, l.ip``
==============================================  =====================================================================

Values that stand beside each other in the output are nobody's comparison but the reader's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

from postgast import pg_query_pb2 as pb

from seenby.errors import Refused
from seenby.model.grant import GrantTerms
from seenby.model.shape import Shape
from seenby.sql import functions
from seenby.sql.blocks import Block, Query
from seenby.sql.readings import Item, Mixed, Reading, Window
from seenby.sql.scope import Column, Level
from seenby.sql.whose import Owner, Whose, sets

ONE_VALUE = functions.words("""
    min max avg sum any_value bool_and bool_or every stddev stddev_pop stddev_samp variance var_pop var_samp corr
    regr_slope percentile_cont percentile_disc
    """)
"""Aggregates that do not say which of the rows have the same value."""


def allowed(terms: GrantTerms, shape: Shape) -> bool:
    """Whether a grant may compare people by their places and devices; with one person there is nobody to compare."""
    return terms.purpose in shape.linking or (terms.people is not None and len(terms.people) == 1)


def check(query: Query, blocks: Sequence[Block], readings: Sequence[Reading], shape: Shape) -> Refused | None:
    """Raises Refused if the statement compares people; if it groups them, says why it is refused unless a statistic."""
    there = any(relation.index is not None and relation.index.links for block in blocks for relation in block.relations)
    if not there:
        return None
    linkage = _Linkage(blocks, readings, shape.linking)
    linkage.compared()
    try:
        linkage.grouped(query)
    except Refused as error:
        return error
    return None


class _Linkage(Whose):
    def __init__(self, blocks: Sequence[Block], readings: Sequence[Reading], purposes: Sequence[str]) -> None:
        super().__init__(blocks, readings)
        self._purposes = purposes

    def compared(self) -> None:
        """Raises Refused if an expression holds one person's value against another's."""
        for reading in self._readings:
            self._together(reading.refs, self._taken(reading.refs, reading.sublinks), reading.level, reading.use)
        for block in self._blocks.values():
            for conjunct in block.conjuncts:
                if conjunct.node is None:  # USING
                    self._together(conjunct.refs, [self.link(column) for column in conjunct.refs], block.level, "USING")

    def grouped(self, query: Query) -> None:
        """Raises Refused if the statement puts people together by a value."""
        for reading in self._readings:
            self._mixed(reading)
        for block in self._blocks.values():
            self._grouped(block)
        for one in _set_operations(query, set()):
            self._united(one)

    # what is compared

    def _mixed(self, reading: Reading) -> None:
        """Of values that many rows give: only one aggregate in an expression, which does not tell the rows apart."""
        for inner in (one for link in reading.sublinks if link.kind == pb.ARRAY_SUBLINK for one in link.query.blocks):
            self._settled(inner.outputs, [self.link(column) for column in inner.outputs], (), inner, "an array")
        block = self._blocks.get(reading.level)
        if block is None:
            return
        mixing: list[Mixed] = []
        for mixed in reading.mixed:
            inside = self._taken(mixed.refs, mixed.sublinks)
            if mixed.window is not None:
                self._windowed(mixed, mixed.window, inside, block)
            elif any(inside) and not (mixed.name == "count" and not mixed.distinct):
                groups = () if sets(block) else self._items(block.select.group_clause, block)
                if not all(self._belongs(one, groups, block) for one in inside if one):
                    if mixed.distinct or mixed.name not in ONE_VALUE:
                        raise self._refused(mixed.refs, "an aggregate")
                    mixing.append(mixed)
        found = [one for one in self._taken(reading.refs, reading.sublinks) if one is not None]
        if mixing and (len(mixing) > 1 or len(found) > self._number(mixing[0])):
            raise self._refused(reading.refs, reading.use)

    def _number(self, mixed: Mixed) -> int:
        return len([one for one in self._taken(mixed.refs, mixed.sublinks) if one is not None])

    def _windowed(self, mixed: Mixed, window: Window, inside: list[Owner | None], block: Block) -> None:
        partition, order = list(window.partition), list(window.order)
        place = window
        while (base := self._windows.get((block.level, place.base or place.name))) is not None and base is not place:
            partition, order, place = [*base.partition, *partition], [*base.order, *order], base
        owners = [one for item in [*partition, *order] for one in self._of(item)]
        if mixed.name != "count":
            owners += inside
        refs = [column for item in [*partition, *order] for column in item.columns]
        self._settled([*refs, *mixed.refs], owners, partition, block, "a window function")

    def _together(self, refs: Iterable[Column], owners: Iterable[Owner | None], level: Level, use: str) -> None:
        there = list(dict.fromkeys(one for one in owners if one is not None))
        for one, other in combinations(there, 2):
            if not any(self.same(one, other, place) for place in {level, one.level, other.level}):
                raise self._refused(refs, use)

    def _settled(
        self,
        refs: Iterable[Column],
        owners: Iterable[Owner | None],
        items: Sequence[Item],
        block: Block,
        use: str,
    ) -> None:
        """Every owner is one person within a group of ``items``."""
        if not all(self._belongs(one, items, block) for one in owners if one is not None):
            raise self._refused(refs, use)

    def _grouped(self, block: Block) -> None:
        select = block.select
        items = self._items(select.group_clause, block)
        together = () if sets(block) else items
        self._settled_items(items, together, block, "GROUP BY")
        if not select.distinct_clause:
            return
        if select.distinct_clause[0].WhichOneof("node") is None:
            items = [Item(column) for column in block.outputs]
        else:
            items = self._items(select.distinct_clause, block)
        self._settled_items(items, items, block, "DISTINCT")

    def _settled_items(self, items: Sequence[Item], together: Sequence[Item], block: Block, use: str) -> None:
        refs = [column for item in items for column in item.columns]
        self._settled(refs, [one for item in items for one in self._of(item)], together, block, use)

    def _united(self, query: Query) -> None:
        leaves = query.blocks
        for place in range(len(query.outputs)):
            owners = [self.link(block.outputs[place]) for block in leaves]
            if not any(owners):
                continue
            pairs = [(one, block) for one, block in zip(owners, leaves, strict=True) if one is not None]
            known = [self._reached(one, block.level) for one, block in pairs]
            constants = [{node for node in one if isinstance(node, tuple)} for one in known]
            if set.intersection(*constants):
                continue
            if not any(self._in_every(number, pairs) for number in range(len(query.outputs))):
                raise self._refused([block.outputs[place] for block in leaves], query.operation or "a set operation")

    def _in_every(self, number: int, pairs: Sequence[tuple[Owner, Block]]) -> bool:
        """Output ``number`` tells in every SELECT whose the value is, by the same kind of key."""
        kinds = [
            {what for what, one in self.means(block.outputs[number]) if self._tells(one, owner, block.level)}
            for owner, block in pairs
        ]
        return bool(set.intersection(*kinds))

    def _refused(self, refs: Iterable[Column], use: str) -> Refused:
        labels = sorted({label for column in refs for label in _labels(column)})
        by = f"{', '.join(labels)} in {use}" if labels else use
        hint = "name one person by key (account_id = 42), or keep the person in the group (GROUP BY account_id, ...)"
        if self._purposes:
            hint += f"; people are linked only under the purpose {' or '.join(self._purposes)}"
        return Refused(
            f"this statement links people: it compares them by {by}, and that is not what this grant is for", hint=hint
        )


def _labels(column: Column) -> Iterator[str]:
    """The columns that link, among those that ``column`` is made of."""
    if column.origin is not None:
        yield from _labels(column.origin)
    elif column.relation is not None and column.relation.index is not None:
        index = column.relation.index
        if index.original(column) in index.links:
            yield f"{index.label}.{index.original(column)}"
    else:
        for source in column.sources:
            yield from _labels(source)


def _set_operations(query: Query, seen: set[int]) -> Iterator[Query]:
    """Every one that compares rows, wherever it stands."""
    if id(query) in seen:
        return
    seen.add(id(query))
    if query.branches is not None:
        if query.select.op != pb.SETOP_UNION or not query.select.all:
            yield query
        for branch in query.branches:
            yield from _set_operations(branch, seen)
    for block in query.blocks:
        for inner in (relation.query for relation in block.relations):
            if inner is not None:
                yield from _set_operations(inner, seen)
        for link in block.sublinks:
            yield from _set_operations(link.query, seen)

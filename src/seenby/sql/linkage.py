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
from dataclasses import dataclass
from itertools import combinations

from postgast import pg_query_pb2 as pb

from seenby.errors import Refused
from seenby.model.grant import GrantTerms
from seenby.model.shape import Shape
from seenby.sql import functions, tree
from seenby.sql.blocks import Block, Conjunct, Query, Sublink
from seenby.sql.readings import Item, Mixed, Reading, Window
from seenby.sql.scope import Column, Level, Relation

ONE_VALUE = functions.words("""
    min max avg sum any_value bool_and bool_or every stddev stddev_pop stddev_samp variance var_pop var_samp corr
    regr_slope percentile_cont percentile_disc
    """)
"""Aggregates that do not say which of the rows have the same value."""


def allowed(terms: GrantTerms, shape: Shape) -> bool:
    """Whether a grant may compare people by their places and devices; with one person there is nobody to compare."""
    return terms.purpose in shape.linking or (terms.people is not None and len(terms.people) == 1)


@dataclass(slots=True, eq=False)
class _Owner:
    """Whose a row of a table reference is. ``inner``: of a subquery's row, per SELECT in it (None: nobody's there)."""

    level: Level
    bit: int
    relation: Relation | None = None
    inner: tuple[_Owner | None, ...] = ()


_Constant = tuple[str, str]
"""Somebody whom a constant names: what it is a key of, and the constant."""

_Node = _Owner | _Constant


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


class _Linkage:
    def __init__(self, blocks: Sequence[Block], readings: Sequence[Reading], purposes: Sequence[str]) -> None:
        self._readings = readings
        self._purposes = purposes
        self._blocks = {block.level: block for block in blocks}
        self._home = {relation: block for block in blocks for relation in block.relations}
        self._made = {reading.output: reading for reading in readings if reading.output is not None}
        self._windows = {(one.level, one.window.name): one.window for one in readings if one.window is not None}
        self._links: dict[Column, _Owner | None] = {}
        self._owners: dict[Relation, _Owner] = {}
        self._copies: dict[Relation, dict[tuple[_Owner | None, ...], _Owner]] = {}
        self._edges: dict[Level, dict[_Node, list[_Node]]] = {}
        self._known: dict[tuple[_Owner, Level], list[_Node]] = {}
        self._named_by: dict[Column, list[tuple[str, _Owner]]] = {}
        for block in blocks:
            if block.values is not None:
                self._values(block)

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
                groups = () if _sets(block) else self._items(block.select.group_clause, block)
                if not all(self._belongs(one, groups, block) for one in inside if one):
                    if mixed.distinct or mixed.name not in ONE_VALUE:
                        raise self._refused(mixed.refs, "an aggregate")
                    mixing.append(mixed)
        found = [one for one in self._taken(reading.refs, reading.sublinks) if one is not None]
        if mixing and (len(mixing) > 1 or len(found) > self._number(mixing[0])):
            raise self._refused(reading.refs, reading.use)

    def _number(self, mixed: Mixed) -> int:
        return len([one for one in self._taken(mixed.refs, mixed.sublinks) if one is not None])

    def _windowed(self, mixed: Mixed, window: Window, inside: list[_Owner | None], block: Block) -> None:
        partition, order = list(window.partition), list(window.order)
        place = window
        while (base := self._windows.get((block.level, place.base or place.name))) is not None and base is not place:
            partition, order, place = [*base.partition, *partition], [*base.order, *order], base
        owners = [one for item in [*partition, *order] for one in self._of(item)]
        if mixed.name != "count":
            owners += inside
        refs = [column for item in [*partition, *order] for column in item.columns]
        self._settled([*refs, *mixed.refs], owners, partition, block, "a window function")

    def _together(self, refs: Iterable[Column], owners: Iterable[_Owner | None], level: Level, use: str) -> None:
        there = list(dict.fromkeys(one for one in owners if one is not None))
        for one, other in combinations(there, 2):
            if not any(self.same(one, other, place) for place in {level, one.level, other.level}):
                raise self._refused(refs, use)

    def _settled(
        self,
        refs: Iterable[Column],
        owners: Iterable[_Owner | None],
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
        together = () if _sets(block) else items
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

    def _in_every(self, number: int, pairs: Sequence[tuple[_Owner, Block]]) -> bool:
        """Output ``number`` tells in every SELECT whose the value is, by the same kind of key."""
        kinds = [
            {what for what, one in self.means(block.outputs[number]) if self._tells(one, owner, block.level)}
            for owner, block in pairs
        ]
        return bool(set.intersection(*kinds))

    def _items(self, nodes: Iterable[pb.Node], block: Block) -> list[Item]:
        """GROUP BY or DISTINCT ON, entry by entry."""
        items: list[Item] = []
        for node in nodes:
            kind = node.WhichOneof("node")
            if kind == "grouping_set":
                items += self._items(node.grouping_set.content, block)
            elif kind == "a_const" and node.a_const.WhichOneof("val") == "ival":
                items.append(Item(block.outputs[node.a_const.ival.ival - 1]))
            elif kind == "column_ref" and (column := self._named(node.column_ref, block)) is not None:
                items.append(Item(column))
            else:
                refs = [self._named(ref, block) for ref in tree.column_references(node)]
                links = tuple(block.sublinks) if tree.has_subquery(node) else ()
                items.append(Item(None, tuple(one for one in refs if one is not None), links))
        return items

    @staticmethod
    def _named(ref: pb.ColumnRef, block: Block) -> Column | None:
        parts = [part.string.sval for part in ref.fields]
        if len(parts) == 1 and block.scope.find(parts[0]) is None:
            return next((one for one in block.outputs if one.name == parts[0]), None) or block.scope.meaning(parts)
        return block.scope.meaning(parts[-3:])

    # whose a value is

    def _of(self, item: Item) -> list[_Owner | None]:
        return self._taken(item.columns, item.sublinks)

    def _taken(self, refs: Iterable[Column], links: Iterable[Sublink]) -> list[_Owner | None]:
        """The owners of what an expression looks at."""
        found = [self.link(column) for column in refs]
        for link in links:
            if link.kind != pb.EXISTS_SUBLINK:
                found += [self.link(column) for block in link.query.blocks for column in block.outputs]
        return found

    def link(self, column: Column) -> _Owner | None:
        """Whose place or device the value of ``column`` tells, if it does."""
        if column.origin is not None:
            return self.link(column.origin)
        if column not in self._links:
            self._links[column] = None
            self._links[column] = self._link(column)
        return self._links[column]

    def _link(self, column: Column) -> _Owner | None:
        relation = column.relation
        if relation is None and (reading := self._made.get(column)) is not None:
            return self._result(reading)
        if relation is None or (relation.index is None and relation.query is None and relation.own is None):
            asked = () if relation is None else relation.asked
            return next((one for one in self._taken(column.sources, asked) if one is not None), None)
        if relation.index is not None:
            return self._owner(relation) if relation.index.original(column) in relation.index.links else None
        if relation.own is not None:
            return self._owner(relation)  # what later rounds put there is not known here
        inner = tuple(self.link(one) for one in _leaves(relation, column))
        return self._copy(relation, inner) if any(inner) else None

    def _result(self, reading: Reading) -> _Owner | None:
        found = [one for one in self._taken(reading.refs, reading.sublinks) if one is not None]
        if not found or reading.counts:
            return None
        block = self._blocks[reading.level]
        for mixed in reading.mixed:
            groups = () if _sets(block) else self._items(block.select.group_clause, block)
            inside = [one for one in self._taken(mixed.refs, mixed.sublinks) if one is not None]
            if mixed.window is None and not all(self._belongs(one, groups, block) for one in inside):
                return _Owner(reading.level, 0)  # of many: comparable with nothing
        return found[0]

    def _values(self, block: Block) -> None:
        found = [one for one in self._readings if one.level is block.level]
        if any(one is not None for reading in found for one in self._taken(reading.refs, reading.sublinks)):
            for column in block.outputs:
                self._links[column] = _Owner(block.level, 0)

    def _owner(self, relation: Relation) -> _Owner:
        if relation not in self._owners:
            self._owners[relation] = _Owner(self._home[relation].level, relation.bit)
        return self._owners[relation]

    def _copy(self, relation: Relation, inner: tuple[_Owner | None, ...]) -> _Owner:
        copies = self._copies.setdefault(relation, {})
        if inner not in copies:
            copies[inner] = _Owner(self._home[relation].level, relation.bit, relation, inner)
        return copies[inner]

    def means(self, column: Column) -> list[tuple[str, _Owner]]:
        """Whom the value of ``column`` names: what it is a key of, and whose row it stands in."""
        if column.origin is not None:
            return self.means(column.origin)
        if column not in self._named_by:
            self._named_by[column] = []
            self._named_by[column] = self._means(column)
        return self._named_by[column]

    def _means(self, column: Column) -> list[tuple[str, _Owner]]:
        relation = column.relation
        if relation is None:
            if column in self._made or not column.strict or not column.sources:
                return []
            return self.means(column.sources[0]) if column.plain else []
        if relation.index is not None:
            names = relation.index.persons(column)
            return [(what, self._owner(relation)) for what in names]
        if relation.query is None or relation.own is not None:
            return []
        each = [dict(self.means(one)) for one in _leaves(relation, column)]
        common = set.intersection(*(set(one) for one in each))
        return [(what, self._copy(relation, tuple(one[what] for one in each))) for what in sorted(common)]

    # the same person

    def _belongs(self, owner: _Owner, items: Iterable[Item], block: Block) -> bool:
        """A group of ``items``, or the row around a subquery, holds values of one person only."""
        around = set(self._around(block.level))
        if any(isinstance(node, tuple) or node.level in around for node in self._reached(owner, block.level)):
            return True
        return any(
            self._tells(one, owner, block.level)
            for item in items
            if item.column is not None
            for _, one in self.means(item.column)
        )

    def _tells(self, one: _Owner, owner: _Owner, level: Level) -> bool:
        if one is owner or self._alike(one, owner):
            return True
        return not self._optional(one) and None not in one.inner and self.same(one, owner, level)

    def same(self, one: _Owner, other: _Owner, level: Level) -> bool:
        return one is other or other in self._reached(one, level)

    def _reached(self, start: _Owner, level: Level) -> list[_Node]:
        """Who is the same person as ``start``, through rows that are there whenever both ends are.

        Subqueries are asked in turn, and may lead back here (LATERAL): then nothing more is known, which refuses more.
        """
        known = self._known.get((start, level))
        if known is not None:
            return known
        self._known[start, level] = [start]
        seen: dict[_Node, None] = {start: None}
        queue: list[_Node] = [start]
        while queue:
            here = queue.pop()
            if here is not start and isinstance(here, _Owner) and (self._optional(here) or None in here.inner):
                continue
            for there in self._beside(here, level):
                if there not in seen:
                    seen[there] = None
                    queue.append(there)
        found = self._known[start, level] = list(seen)
        return found

    def _beside(self, node: _Node, level: Level) -> Iterator[_Node]:
        for place in (level, *self._around(level)):
            yield from self._equalities(place).get(node, ())
        if isinstance(node, _Owner) and node.relation is not None:
            yield from (one for one in self._copies[node.relation].values() if self._alike(node, one))
            yield from self._from_inside(node)

    def _around(self, level: Level) -> Iterator[Level]:
        """The SELECTs around one, inner ones first."""
        block = self._blocks.get(level)
        scope = block.scope.parent if block is not None else None
        while scope is not None:
            if scope.level is not level:
                yield scope.level
            scope = scope.parent

    def _from_inside(self, owner: _Owner) -> list[_Node]:
        """What every SELECT of a subquery says of its rows: constants, and rows around it."""
        assert owner.relation is not None
        assert owner.relation.query is not None
        reached = [
            {
                node
                for node in self._reached(one, block.level)
                if isinstance(node, tuple) or node.level is not block.level
            }
            for one, block in zip(owner.inner, owner.relation.query.blocks, strict=True)
            if one is not None
        ]
        return list(set.intersection(*reached))

    def _alike(self, one: _Owner, other: _Owner) -> bool:
        """Two owners of one subquery's row are the same person in each of its SELECTs."""
        if one is other:
            return True
        relation = one.relation
        if relation is None or relation is not other.relation or relation.query is None:
            return False
        return all(
            left is None or right is None or self.same(left, right, block.level)
            for left, right, block in zip(one.inner, other.inner, relation.query.blocks, strict=True)
        )

    def _optional(self, owner: _Owner) -> bool:
        block = self._blocks.get(owner.level)
        return block is not None and bool(block.level.nullable & owner.bit)

    def _equalities(self, level: Level) -> dict[_Node, list[_Node]]:
        """Of a SELECT's own conditions."""
        if level in self._edges:
            return self._edges[level]
        edges = self._edges[level] = {}
        block = self._blocks.get(level)
        for conjunct in block.conjuncts if block is not None else ():
            join = conjunct.join
            if join is not None and join.nullable and not conjunct.bits & join.nullable:
                continue  # a row of the other side stays, whether this holds or not
            for one, other in self._equal(conjunct):
                edges.setdefault(one, []).append(other)
                edges.setdefault(other, []).append(one)
        return edges

    def _equal(self, conjunct: Conjunct) -> Iterator[tuple[_Node, _Node]]:
        if conjunct.equal is not None:
            left, right = (self.means(column) for column in conjunct.equal)
            yield from ((one, other) for what, one in left for kind, other in right if what == kind)
        elif conjunct.node is not None and len(conjunct.refs) == 1 and (text := _constant(conjunct.node)):
            yield from ((one, (what, text)) for what, one in self.means(conjunct.refs[0]))

    def _refused(self, refs: Iterable[Column], use: str) -> Refused:
        labels = sorted({label for column in refs for label in _labels(column)})
        by = f"{', '.join(labels)} in {use}" if labels else use
        hint = "name one person by key (account_id = 42), or keep the person in the group (GROUP BY account_id, ...)"
        if self._purposes:
            hint += f"; people are linked only under the purpose {' or '.join(self._purposes)}"
        return Refused(
            f"this statement links people: it compares them by {by}, and that is not what this grant is for", hint=hint
        )


def _sets(block: Block) -> bool:
    """GROUP BY makes several sets of groups, so that an entry may be missing in one."""
    return bool(block.select.group_clause) and not block.plain_group


def _leaves(relation: Relation, column: Column) -> list[Column]:
    """The output that ``column`` shows, in each SELECT of the subquery."""
    assert relation.query is not None
    place = next(n for n, one in enumerate(relation.query.outputs) if one is column.sources[0])
    return [block.outputs[place] for block in relation.query.blocks]


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


def _constant(node: pb.Node) -> str:
    """``42::bigint`` of ``id = 42::bigint``, or ""."""
    expr = node.a_expr
    if node.WhichOneof("node") != "a_expr" or expr.kind != pb.AEXPR_OP or expr.name[-1].string.sval != "=":
        return ""
    for side, other in ((expr.lexpr, expr.rexpr), (expr.rexpr, expr.lexpr)):
        if side.WhichOneof("node") == "column_ref":
            return _text(other)
    return ""


def _text(node: pb.Node) -> str:
    kind = node.WhichOneof("node")
    if kind == "param_ref":
        return f"${node.param_ref.number}"
    if kind == "type_cast":
        inner = _text(node.type_cast.arg)
        return inner and f"{inner}::{node.type_cast.type_name.names[-1].string.sval}"
    if kind != "a_const" or node.a_const.isnull:
        return ""
    which = node.a_const.WhichOneof("val")
    return "" if which is None else str(getattr(node.a_const, which)).strip()

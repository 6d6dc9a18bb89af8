"""Whose a value of a statement is, and who is the same person: of the values that link people (linkage.py).

Two rows belong to one person if keys say so, or a constant names that person, through rows that are there whenever both
are. What is not known is somebody else's, which refuses more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from postgast import pg_query_pb2 as pb

from seenby.sql import tree
from seenby.sql.blocks import Block, Conjunct, Sublink
from seenby.sql.readings import Item, Reading
from seenby.sql.scope import Column, Level, Relation


@dataclass(slots=True, eq=False)
class Owner:
    """Whose a row of a table reference is. ``inner``: of a subquery's row, per SELECT in it (None: nobody's there)."""

    level: Level
    bit: int
    relation: Relation | None = None
    inner: tuple[Owner | None, ...] = ()


_Constant = tuple[str, str]
"""Somebody whom a constant names: what it is a key of, and the constant."""

_Node = Owner | _Constant


class Whose:
    """Of one statement that was read whole."""

    def __init__(self, blocks: Sequence[Block], readings: Sequence[Reading]) -> None:
        self._readings = readings
        self._blocks = {block.level: block for block in blocks}
        self._home = {relation: block for block in blocks for relation in block.relations}
        self._made = {reading.output: reading for reading in readings if reading.output is not None}
        self._windows = {(one.level, one.window.name): one.window for one in readings if one.window is not None}
        self._links: dict[Column, Owner | None] = {}
        self._owners: dict[Relation, Owner] = {}
        self._copies: dict[Relation, dict[tuple[Owner | None, ...], Owner]] = {}
        self._edges: dict[Level, dict[_Node, list[_Node]]] = {}
        self._known: dict[tuple[Owner, Level], list[_Node]] = {}
        self._named_by: dict[Column, list[tuple[str, Owner]]] = {}
        for block in blocks:
            if block.values is not None:
                self._values(block)

    # whose a value is

    def _of(self, item: Item) -> list[Owner | None]:
        return self._taken(item.columns, item.sublinks)

    def _taken(self, refs: Iterable[Column], links: Iterable[Sublink]) -> list[Owner | None]:
        """The owners of what an expression looks at."""
        found = [self.link(column) for column in refs]
        for link in links:
            if link.kind != pb.EXISTS_SUBLINK:
                found += [self.link(column) for block in link.query.blocks for column in block.outputs]
        return found

    def link(self, column: Column) -> Owner | None:
        """Whose place or device the value of ``column`` tells, if it does."""
        if column.origin is not None:
            return self.link(column.origin)
        if column not in self._links:
            self._links[column] = None
            self._links[column] = self._link(column)
        return self._links[column]

    def _link(self, column: Column) -> Owner | None:
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

    def _result(self, reading: Reading) -> Owner | None:
        found = [one for one in self._taken(reading.refs, reading.sublinks) if one is not None]
        if not found or reading.counts:
            return None
        block = self._blocks[reading.level]
        for mixed in reading.mixed:
            groups = () if sets(block) else self._items(block.select.group_clause, block)
            inside = [one for one in self._taken(mixed.refs, mixed.sublinks) if one is not None]
            if mixed.window is None and not all(self._belongs(one, groups, block) for one in inside):
                return Owner(reading.level, 0)  # of many: comparable with nothing
        return found[0]

    def _values(self, block: Block) -> None:
        found = [one for one in self._readings if one.level is block.level]
        if any(one is not None for reading in found for one in self._taken(reading.refs, reading.sublinks)):
            for column in block.outputs:
                self._links[column] = Owner(block.level, 0)

    def _owner(self, relation: Relation) -> Owner:
        if relation not in self._owners:
            self._owners[relation] = Owner(self._home[relation].level, relation.bit)
        return self._owners[relation]

    def _copy(self, relation: Relation, inner: tuple[Owner | None, ...]) -> Owner:
        copies = self._copies.setdefault(relation, {})
        if inner not in copies:
            copies[inner] = Owner(self._home[relation].level, relation.bit, relation, inner)
        return copies[inner]

    def means(self, column: Column) -> list[tuple[str, Owner]]:
        """Whom the value of ``column`` names: what it is a key of, and whose row it stands in."""
        if column.origin is not None:
            return self.means(column.origin)
        if column not in self._named_by:
            self._named_by[column] = []
            self._named_by[column] = self._means(column)
        return self._named_by[column]

    def _means(self, column: Column) -> list[tuple[str, Owner]]:
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

    def _belongs(self, owner: Owner, items: Iterable[Item], block: Block) -> bool:
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

    def _tells(self, one: Owner, owner: Owner, level: Level) -> bool:
        if one is owner or self._alike(one, owner):
            return True
        return not self._optional(one) and None not in one.inner and self.same(one, owner, level)

    def same(self, one: Owner, other: Owner, level: Level) -> bool:
        return one is other or other in self._reached(one, level)

    def _reached(self, start: Owner, level: Level) -> list[_Node]:
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
            if here is not start and isinstance(here, Owner) and (self._optional(here) or None in here.inner):
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
        if isinstance(node, Owner) and node.relation is not None:
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

    def _from_inside(self, owner: Owner) -> list[_Node]:
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

    def _alike(self, one: Owner, other: Owner) -> bool:
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

    def _optional(self, owner: Owner) -> bool:
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


def sets(block: Block) -> bool:
    """GROUP BY makes several sets of groups, so that an entry may be missing in one."""
    return bool(block.select.group_clause) and not block.plain_group


def _leaves(relation: Relation, column: Column) -> list[Column]:
    """The output that ``column`` shows, in each SELECT of the subquery."""
    assert relation.query is not None
    place = next(n for n, one in enumerate(relation.query.outputs) if one is column.sources[0])
    return [block.outputs[place] for block in relation.query.blocks]


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

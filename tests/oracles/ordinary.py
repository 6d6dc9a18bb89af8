"""Queries as people write them: inner joins along ids, mild conditions, one subquery that gives columns of its own.

``Wide`` looks for mistakes, so its outer joins meet conditions that undo them, and its subqueries give columns of the
query around them. There a rule names people whom no ordinary query would bring near. Precision over these queries says
what a person's list of entries will look like.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from tests.oracles.expressions import Out, Scope
from tests.oracles.generate import KEYS
from tests.oracles.makers import Made
from tests.oracles.query import Block, Case, Expect, Join, Node, Query, Sort
from tests.oracles.ranges import beside, total_order
from tests.oracles.wide import CONDITIONS, Wide

MARK = ", ordinary"
ORDINARY = (*(label + MARK for label in CONDITIONS), f"scalar in SELECT{MARK}", f"window{MARK}")


@dataclass(slots=True)
class Ordinary(Wide):
    def case(self, shape: str = "") -> Case:
        while True:
            made = super(Ordinary, self).case(shape.removesuffix(MARK))
            if made.query.limit is None and made.query.offset is None:
                return Case(made.query, made.params, Expect.EITHER, shape)

    def sources(self, depth: int, ctes: dict[str, list[Out]]) -> tuple[tuple[Node, ...], Scope]:
        taken: set[str] = set()
        node, scope = self.leaf(0, {}, taken)
        if self.chance(0.35):
            right, more = self.leaf(0, {}, taken)
            node = Join("JOIN", node, right, on=(self.equality(scope, more),))
            scope = Scope(scope.relations + more.relations, scope.star + more.star)
        return (node,), scope

    def equality(self, left: Scope, right: Scope) -> str:
        ours, theirs = ([text for text in self.ids(scope) if "." in text] for scope in (left, right))
        if ours and theirs:
            return f"{self.random.choice(ours)} = {self.random.choice(theirs)}"
        return super(Ordinary, self).equality(left, right)

    def start(self, depth: int) -> tuple[tuple[Node, ...], Scope, tuple[str, ...]]:
        nodes, scope = self.sources(depth, self.known)
        where = [text for _ in range(self.random.choice((0, 1, 1))) if (text := self.mild(scope))]
        around = beside(scope, self.outer).relations[len(scope.relations) :]
        if around and self.chance(0.65):
            where.append(self.equality(scope, Scope(around, [])))
        return nodes, scope, tuple(where)

    def of_kind(self, scope: Scope, kind: str) -> str:
        """A column of the query's own FROM, an id where there is a choice."""
        found = [text for text, _ in scope.references(kind)]
        ids = [text for text in found if text.rpartition(".")[2] in KEYS]
        found = ids if ids and self.chance(0.6) else found
        return self.random.choice(found) if found else self.literal(kind)

    def make_plain(self, depth: int, types: tuple[str, ...], *, order: bool = False) -> Made:
        nodes, scope, where = self.start(depth)
        self.keyed = False
        columns = self.columns(types)
        items = tuple(f"{self.of_kind(scope, column.kind)} AS {column.name}" for column in columns)
        query = Query(Block(items, nodes, where))
        if order:
            query = replace(query, order=(*self.first_key(scope), *map(Sort, total_order(scope))))
        return query, columns

    def conditioned(self, how: str, deep: int = 1, linking: float = 0.0) -> Made:
        self.deep, self.simple = 1, True
        query, columns, scope = self.base()
        assert isinstance(query.body, Block)
        return replace(query, body=replace(query.body, where=(*query.body.where, self.link(how, scope)))), columns

    def base(self, depth: int = 0) -> tuple[Query, list[Out], Scope]:
        nodes, scope, where = self.start(depth)
        columns = self.columns(self.some_types())
        items = tuple(f"{self.of_kind(scope, column.kind)} AS {column.name}" for column in columns)
        return Query(Block(items, nodes, where)), columns, scope

    def in_select(self) -> Made:
        self.deep, self.simple = 1, True
        query, columns, scope = self.base()
        assert isinstance(query.body, Block)
        kind = self.random.choice(("int", "text"))
        body = replace(query.body, items=(*query.body.items, f"{self.scalar(scope, kind)} AS zz"))
        return replace(query, body=body), [*columns, Out("zz", kind)]

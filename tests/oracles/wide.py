"""Random queries over everything but plain joins: one shape each over plain tables, and mixtures two and three deep."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from tests.oracles.expressions import Out, Scope
from tests.oracles.links import resolved
from tests.oracles.makers import Made, Makers, lone_row, scope_of
from tests.oracles.query import TOKEN, Block, Case, Count, Cte, Expect, Join, Named, Node, Query, Sort, printed
from tests.oracles.ranges import NOTHING
from tests.oracles.shapes import IN_SELECT, row_of
from tests.oracles.trees import compact, work

MOST_WORK, MOST_TABLES = 350, 10
SETS = ("UNION", "INTERSECT", "EXCEPT", "INTERSECT ALL", "EXCEPT ALL")
CONDITIONS = {
    "EXISTS": "exists",
    "NOT EXISTS": "not exists",
    "IN": "in",
    "NOT IN": "not in",
    "ANY": "any",
    "ALL": "all",
    "row IN": "row in",
    "scalar in WHERE": "scalar",
    "ARRAY(SELECT)": "array",
}
BELOW = {
    "limit below": "limited",
    "aggregate below": "aggregate",
    "group by below": "grouped",
    "window below": "windowed",
    "distinct below": "distinct",
    "distinct on below": "distinct_on",
    "set operation below": "combined",
    "recursion below": "recursive",
}
SPLIT = frozenset({*CONDITIONS, IN_SELECT, "window"})
"""Shapes that the table has without outer joins."""

FALLIBLE = frozenset({"scalar of many rows"})
"""Where it is known which rows are looked at: with LIMIT it would be the planner's choice whether the query fails."""

FUNCTIONS = ("generate_series(1, 2)", "unnest(ARRAY['ann', 'x'])", "unnest({array})", "jsonb_object_keys({json})")


@dataclass(slots=True)
class Wide(Makers):
    def case(self, shape: str = "") -> Case:
        """One query of ``shape``, or of any."""
        while True:
            label = shape or self.random.choices(list(SHAPES), [weight for weight, _ in SHAPES.values()])[0]
            self.params, self.links, self.forced = [], [], []
            self.outer, self.known, self.strict_output = NOTHING, {}, False
            self.linking, self.deep, self.below, self.usual, self.simple = 0.0, 0, 0, 1.0, False
            query, columns = SHAPES[label][1](self)
            if self.forced:
                continue
            if not (query.order or query.limit or label in FALLIBLE):
                query = self.sliced(query, columns)
            query = resolved(query, self.links)
            if work(query)[1] <= MOST_WORK and len(TOKEN.findall(printed(query))) <= MOST_TABLES:
                query, params = compact(query, tuple(self.params))
                suffix = " + limit" if query.limit or query.offset else ""
                return Case(query, params, Expect.EITHER, row_of(label, query, SPLIT) + suffix)

    def sliced(self, query: Query, columns: list[Out]) -> Query:
        """ORDER BY, LIMIT and OFFSET of the top level, where peers may come in any order."""
        allowed = [n for n, column in enumerate(columns, 1) if not column.masked]
        order: tuple[Sort, ...] = ()
        if allowed and self.chance(0.4):
            chosen = self.random.sample(allowed, self.random.randint(1, len(allowed)))
            order = tuple(Sort(str(n), n - 1, self.random.choice(("", "DESC", "NULLS FIRST"))) for n in chosen)
        limit = offset = None
        if self.chance(0.22):
            value = self.random.choice((1, 1, 2, 3))
            limit = Count(f"LIMIT {value}", value)
            if order and self.chance(0.3) and not lone_row(query):
                limit = Count(f"FETCH FIRST {value} ROWS WITH TIES", value, ties=True)
            elif self.chance(0.25):
                offset = Count("OFFSET 1", 1)
        return replace(query, order=order, limit=limit, offset=offset)

    # --- shapes ----------------------------------------------------------------------------------------------------

    def made_of(self, maker: str) -> Made:
        return self.made(maker, self.some_types(), 0)

    def grouped_with(self, how: str) -> Made:
        return self.make_grouped(0, self.some_types(), how)

    def set_operation(self, operator: str) -> Made:
        return self.make_combined(0, self.some_types(), operator)

    def conditioned(self, how: str, deep: int = 1, linking: float = 0.0) -> Made:
        """A plain query with a subquery in its WHERE."""
        self.deep, self.linking, self.simple = deep, linking, bool(how)
        query, columns, scope = self.base()
        assert isinstance(query.body, Block)
        link = self.link(how or self.random.choice(list(CONDITIONS.values())), scope)
        if self.chance(0.2):
            link = self.random.choice(
                (f"({link} OR {self.condition(scope, 0)})", f"NOT ({link})", f"({link}) IS NOT TRUE")
            )
        return replace(query, body=replace(query.body, where=(*query.body.where, link))), columns

    def base(self, depth: int = 0) -> tuple[Query, list[Out], Scope]:
        """A plain query without subqueries, and the scope of its FROM."""
        linking, self.linking = self.linking, 0.0
        nodes, scope = self.sources(depth, self.known)
        types = self.some_types()
        columns = self.columns(types)
        items = []
        for n, column in enumerate(columns):
            masked = [text for text, out in scope.references(column.kind, masked=True) if out.masked]
            if masked and self.chance(0.12):
                columns[n] = replace(column, masked=True)
                items.append(f"{self.random.choice(masked)} AS {column.name}")
            else:
                items.append(f"{self.of_kind(scope, column.kind)} AS {column.name}")
        where = tuple(self.condition(scope, 1) for _ in range(self.random.choice((0, 0, 1, 1, 2))))
        self.linking = linking
        return Query(Block(tuple(items), nodes, where)), columns, scope

    def in_select(self) -> Made:
        self.deep = self.random.choice((1, 1, 2))
        self.linking = 0.2 if self.deep == 2 else 0.0
        query, columns, scope = self.base()
        assert isinstance(query.body, Block)
        kind = self.random.choice(("int", "text", "bool"))
        how = self.random.choice(("exists", "in", "any"))
        text = self.link(how, scope) if kind == "bool" else self.scalar(scope, kind)
        if self.chance(0.25):
            text = f"CASE WHEN {self.link('exists', scope)} THEN {text} END"
        body = replace(query.body, items=(*query.body.items, f"{text} AS zz"))
        return replace(query, body=body), [*columns, Out("zz", kind)]

    def of_many_rows(self) -> Made:
        """A scalar subquery that may give several rows, which is an error that tells about all of them."""
        self.deep, self.simple = 1, True
        node, scope = self.leaf(0, {}, set())
        kind = self.random.choice(("int", "int", "text"))
        ids = self.ids(scope)
        self.keyed = bool(ids)
        value = self.random.choice(ids) if ids and kind == "int" else self.value(scope, kind)
        inner = self.linked(self.inner(scope, (kind,)))
        columns = self.columns(self.some_types())
        items = tuple(f"{self.of_kind(scope, column.kind)} AS {column.name}" for column in columns)
        if self.chance(0.3):
            return Query(Block((*items, f"{inner} AS zz"), (node,))), [*columns, Out("zz", kind)]
        return Query(Block(items, (node,), (f"{value} {self.random.choice(('=', '=', '<>'))} {inner}",))), columns

    def in_order(self) -> Made:
        """ORDER BY a subquery, with LIMIT."""
        self.deep = 1
        query, columns, scope = self.base()
        value = self.random.choice((1, 2, 3))
        order = (Sort(self.scalar(scope, "int"), None, self.random.choice(("", "DESC"))),)
        limit = Count(f"LIMIT {value}", value) if self.chance(0.8) else None
        return replace(query, order=order, limit=limit), columns

    def in_on(self) -> Made:
        self.deep = 1
        left, one = self.leaf(0, {}, set())
        right, two = self.leaf(0, {}, {one.relations[0].alias})
        kind = self.random.choice(("JOIN", "LEFT JOIN", "LEFT JOIN", "RIGHT JOIN"))
        within = Scope(one.relations + two.relations, [])
        on = (self.equality(one, two), self.link(self.random.choice(list(CONDITIONS.values())), within))
        columns = self.columns(self.some_types())
        items = tuple(f"{self.of_kind(within, column.kind)} AS {column.name}" for column in columns)
        where = (self.condition(within, 0),) if self.chance(0.4) else ()
        return Query(Block(items, (Join(kind, left, right, on=on),), where)), columns

    def in_having(self) -> Made:
        self.deep, self.linking = 1, 1.0
        query, columns = self.make_grouped(0, self.some_types())
        return query, columns

    def in_case(self) -> Made:
        self.deep = 1
        query, columns, scope = self.base()
        assert isinstance(query.body, Block)
        link = self.link(self.random.choice(list(CONDITIONS.values())), scope)
        text = f"CASE WHEN {link} THEN {self.value(scope, 'int')} ELSE {self.value(scope, 'int')} END"
        where = (*query.body.where, f"{text} {self.random.choice(('>', '=', '<'))} {self.value(scope, 'int')}")
        return replace(query, body=replace(query.body, where=where)), columns

    def over(self, maker: str) -> Made:
        """A plain query over a subquery of that kind, perhaps joined, perhaps filtered."""
        self.forced = [maker]
        return self.base(1)[:2]

    def over_cte(self) -> Made:
        """Any kind of subquery, of rows that a WITH query gives."""
        inner, columns = self.made("plain", ("int", "text"), 0)
        self.known = {"base": columns}
        query, outs = self.over(self.random.choice(list(BELOW.values())))
        return replace(query, ctes=(Cte("base", inner),)), outs

    def twice(self) -> Made:
        """A WITH query that is read twice."""
        kind = self.random.choice(("plain", "grouped", "limited", "windowed", "combined", "distinct_on"))
        inner, columns = self.made(kind, ("int", self.random.choice(("int", "text"))), 0)
        columns = [replace(column, name=name) for column, name in zip(columns, ("i", "j"), strict=True)]
        cte = Cte("pairs", inner, ("i", "j"), self.random.choice(("", "MATERIALIZED ", "NOT MATERIALIZED ")))
        one, two = scope_of("p", columns), scope_of("q", columns)
        within = Scope(one.relations + two.relations, [])
        left, right = Named("pairs", "p"), Named("pairs", "q")
        if self.chance(0.7):
            kind = self.random.choice(("JOIN", "LEFT JOIN", "FULL JOIN"))
            on = f"p.{self.random.choice('ij')} = q.{self.random.choice('i')}"
            sources: tuple[Node, ...] = (
                Join(kind, left, right, on=(on if columns[1].kind == "int" else "p.i = q.i",)),
            )
            where: tuple[str, ...] = (self.condition(within, 1),) if self.chance(0.5) else ()
        else:
            sources, within, self.deep = (left,), one, 1
            where = (f"{self.value(one, 'int')} > (SELECT max(i) - 1 FROM pairs)",)
        outs = self.columns(self.some_types())
        items = tuple(f"{self.of_kind(within, column.kind)} AS {column.name}" for column in outs)
        return Query(Block(items, sources, where), (cte,)), outs

    def beside_tables(self, more: str, deep: int = 0) -> Made:
        """FROM with LATERAL, a function, VALUES or NATURAL."""
        self.deep = deep
        node, scope = self.tree(0, {}, set(), self.random.choice((1, 1, 2)))
        nodes: tuple[Node, ...] = (node,)
        nodes, scope = getattr(self, more)(nodes, scope, 1, {})
        columns = self.columns(self.some_types())
        items = tuple(f"{self.of_kind(scope, column.kind)} AS {column.name}" for column in columns)
        where = tuple(self.condition(scope, 1) for _ in range(self.random.choice((0, 1, 1))))
        return Query(Block(items, nodes, where)), columns

    def rows_in_select(self) -> Made:
        query, columns, scope = self.base()
        assert isinstance(query.body, Block)
        arrays = [text for text, _ in scope.references("array")] or ["ARRAY['x']"]
        jsons = [text for text, _ in scope.references("json")] or ["'{\"a\": 1}'::jsonb"]
        text = self.random.choice(FUNCTIONS).replace("{array}", arrays[0]).replace("{json}", jsons[0])
        body = replace(query.body, items=(*query.body.items, f"{text} AS zz"))
        return replace(query, body=body), [*columns, Out("zz", "text")]

    def arrays(self) -> Made:
        """Conditions and values of arrays and JSON."""
        columns = self.columns(self.some_types())
        node, scope = self.leaf(0, {}, set())
        for _ in range(20):
            if scope.references("array"):
                break
            node, scope = self.leaf(0, {}, set())
        items = tuple(
            f"{self.of_json(scope, column.kind) or self.of_kind(scope, column.kind)} AS {column.name}"
            for column in columns
        )
        where = tuple(
            text for text in (self.of_json(scope, "bool"), self.condition(scope, 1)) if text and self.chance(0.7)
        )
        return Query(Block(items, (node,), where)), columns

    def starred(self) -> Made:
        """Stars and bare names over whatever FROM has."""
        self.usual = 0.5
        nodes, scope = self.sources(1, {})
        items, columns = self.items(scope, unique=False, masked=True)
        where = tuple(self.condition(scope, 1) for _ in range(self.random.choice((0, 1))))
        return Query(Block(items, nodes, where)), columns

    def mixed(self, depth: int) -> Made:
        self.usual, self.linking, self.deep, self.below = 0.75, 0.12, 2, self.random.choice((0, 0, 1))
        return self.query(depth, {})

    def grouped_over(self) -> Made:
        """Aggregates over subqueries in FROM."""
        self.usual = 0.7
        return self.made(self.random.choice(("grouped", "aggregate", "distinct", "windowed")), self.some_types(), 1)


Shape = Callable[[Wide], Made]


def _shapes() -> dict[str, tuple[float, Shape]]:
    shapes: dict[str, tuple[float, Shape]] = {
        "aggregate": (1, lambda wide: wide.made_of("aggregate")),
        "group by": (2, lambda wide: wide.grouped_with("")),
        "having": (2, lambda wide: wide.grouped_with("having")),
        "grouping sets": (2, lambda wide: wide.grouped_with("sets")),
        "distinct": (1, lambda wide: wide.made_of("distinct")),
        "distinct on": (2, lambda wide: wide.made_of("distinct_on")),
        "window": (3, lambda wide: wide.made_of("windowed")),
        "ordered limit": (1, lambda wide: wide.made_of("first")),
        "scalar in SELECT": (3, lambda wide: wide.in_select()),
        "scalar of many rows": (1, lambda wide: wide.of_many_rows()),
        "subquery in ORDER BY": (2, lambda wide: wide.in_order()),
        "subquery in ON": (3, lambda wide: wide.in_on()),
        "subquery in HAVING": (2, lambda wide: wide.in_having()),
        "subquery in CASE": (2, lambda wide: wide.in_case()),
        "subqueries two deep": (
            4,
            lambda wide: wide.conditioned(wide.random.choice(list(CONDITIONS.values())), 2, 0.5),
        ),
        "over a CTE": (3, lambda wide: wide.over_cte()),
        "CTE read twice": (3, lambda wide: wide.twice()),
        "LATERAL": (4, lambda wide: wide.beside_tables("lateral")),
        "function in FROM": (3, lambda wide: wide.beside_tables("function", 1)),
        "VALUES": (1, lambda wide: wide.beside_tables("values")),
        "NATURAL JOIN": (1, lambda wide: wide.beside_tables("natural")),
        "function in SELECT": (1, lambda wide: wide.rows_in_select()),
        "recursion": (3, lambda wide: wide.made_of("recursive")),
        "arrays, JSON": (1, lambda wide: wide.arrays()),
        "stars": (2, lambda wide: wide.starred()),
        "aggregate over FROM": (3, lambda wide: wide.grouped_over()),
        "mixed, depth 1": (4, lambda wide: wide.mixed(1)),
        "mixed, depth 2": (8, lambda wide: wide.mixed(2)),
        "mixed, depth 3": (6, lambda wide: wide.mixed(3)),
    }
    for label, how in CONDITIONS.items():
        shapes[label] = (2, lambda wide, how=how: wide.conditioned(how))  # type: ignore[misc]
    for operator in SETS:
        shapes[operator] = (1, lambda wide, operator=operator: wide.set_operation(operator))  # type: ignore[misc]
    for label, maker in BELOW.items():
        shapes[label] = (2, lambda wide, maker=maker: wide.over(maker))  # type: ignore[misc]
    return shapes


SHAPES = _shapes()

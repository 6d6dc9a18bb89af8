"""One kind of query each, of wanted types, with columns that an outer query can name.

Below the outermost SELECT the answer is one function of the data: a LIMIT, DISTINCT ON, row number or frame of rows
has a total order (up to rows that nobody can tell apart). SQL permits several answers elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from tests.oracles.expressions import SQL_TYPE, Out, Relation, Scope, has_column
from tests.oracles.generate import NAMES
from tests.oracles.links import Links
from tests.oracles.query import Base, Block, Count, Cte, Derived, Join, Named, Node, Query, Sort, UnionAll
from tests.oracles.ranges import beside, total_order
from tests.oracles.world import BY_NAME

Made = tuple[Query, list[Out]]
MAKERS = {
    "plain": 5,
    "grouped": 2,
    "aggregate": 1,
    "sets": 1,
    "distinct": 1,
    "distinct_on": 1,
    "windowed": 2,
    "limited": 2,
    "combined": 2,
    "union_all": 1,
    "values_of": 0.5,
    "recursive": 0.5,
}
OPERATORS = ("UNION", "UNION", "INTERSECT", "EXCEPT", "EXCEPT", "INTERSECT ALL", "EXCEPT ALL")
FRAMES = (
    "ROWS UNBOUNDED PRECEDING",
    "ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING",
    "ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING",
    "RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW",
    "GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW EXCLUDE TIES",
    "ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW EXCLUDE CURRENT ROW",
)


@dataclass(slots=True)
class Makers(Links):
    """``forced``: the kinds of the next subqueries in FROM, where the shape at hand is about those.

    ``strict_output``: no masked columns in the output, because it is compared.
    """

    forced: list[str] = field(default_factory=list)
    strict_output: bool = False

    def query(
        self, depth: int, ctes: dict[str, list[Out]], *, top: bool = False, types: tuple[str, ...] | None = None
    ) -> Made:
        ctes, made = dict(ctes), list[Cte]()
        if depth and self.chance(0.15):
            name = self.random.choice([name for name in ("c1", "c2", "recent", "accounts") if name not in ctes])
            inner, columns = self.query(depth - 1, ctes)
            ctes[name] = columns
            made.append(Cte(name, inner, hint=self.random.choice(("", "", "MATERIALIZED "))))
        self.known, before = ctes, self.known
        kind = self.random.choices(list(MAKERS), list(MAKERS.values()))[0]
        query, columns = self.made(kind, types or self.some_types(), depth)
        self.known = before
        if made:
            query = (
                Query(Block(("*",), (Derived(query, "w"),)), tuple(made))
                if query.ctes
                else replace(query, ctes=tuple(made))
            )
        return query, columns

    def made(self, maker: str, types: tuple[str, ...], depth: int | None = None) -> Made:
        depth = self.below if depth is None else depth
        query, columns = getattr(self, f"make_{maker}")(depth, types)
        return query, columns

    # --- what all have in common -----------------------------------------------------------------------------------

    def leaf(self, depth: int, ctes: dict[str, list[Out]], taken: set[str]) -> tuple[Node, Scope]:
        if self.forced:
            query, columns = self.made(self.forced.pop(), self.some_types(), max(0, depth - 1))
            alias = self.alias(taken)
            return Derived(query, alias), scope_of(alias, columns)
        return super(Makers, self).leaf(depth, ctes, taken)

    def start(self, depth: int) -> tuple[tuple[Node, ...], Scope, tuple[str, ...]]:
        """FROM, what it offers, and WHERE."""
        nodes, scope = self.sources(depth, self.known)
        within = beside(scope, self.outer)
        where = [self.condition(within, 1) for _ in range(self.random.choice((0, 0, 1, 1, 2)))]
        if len(within.relations) > len(scope.relations) and self.chance(0.65):
            where.append(self.equality(scope, Scope(within.relations[len(scope.relations) :], [])))
        return nodes, scope, tuple(where)

    def columns(self, types: tuple[str, ...]) -> list[Out]:
        names = self.random.sample([name for name in NAMES if name[0] != '"'] + ["k0", "k1", "k2", "k3"], len(types))
        return [Out(name, kind) for name, kind in zip(names, types, strict=True)]

    def of_kind(self, scope: Scope, kind: str) -> str:
        return self.expression(scope, kind, self.random.choice((0, 0, 1)))

    # --- kinds -----------------------------------------------------------------------------------------------------

    def make_plain(self, depth: int, types: tuple[str, ...], *, order: bool = False) -> Made:
        keyed, self.keyed = self.keyed, False
        nodes, scope, where = self.start(depth)
        within = beside(scope, self.outer)
        columns, items = self.columns(types), []
        ids = self.ids(scope) if keyed else []
        for n, column in enumerate(columns):
            text = self.random.choice(ids) if ids and column.kind == "int" else self.of_kind(within, column.kind)
            if not order and not self.strict_output and self.chance(0.12):
                masked = [text for text, out in scope.references(column.kind, masked=True) if out.masked]
                if masked:
                    text, columns[n] = self.random.choice(masked), replace(column, masked=True)
            items.append(f"{text} AS {column.name}")
        query = Query(Block(tuple(items), nodes, where))
        if order:
            query = replace(query, order=(*self.first_key(scope), *map(Sort, total_order(scope))))
        return query, columns

    def first_key(self, scope: Scope) -> tuple[Sort, ...]:
        """A bare name would mean the output column, if there is one."""
        text = self.expression(scope, self.random.choice(("int", "text", "date")), self.random.choice((0, 0, 1)))
        if not has_column(text) or not ("." in text or "(" in text) or "$" in text or "⟦" in text:
            return ()
        return (Sort(text, None, self.random.choice(("", "DESC", "DESC NULLS LAST"))),)

    def make_single(self, depth: int, types: tuple[str, ...]) -> Made:
        """One row: aggregates over everything."""
        nodes, scope, where = self.start(depth)
        columns = self.columns(types)
        items = tuple(f"{self.aggregated(scope, column.kind)} AS {column.name}" for column in columns)
        return Query(Block(items, nodes, where)), columns

    def make_first(self, depth: int, types: tuple[str, ...]) -> Made:
        """At most one row: the first in an order."""
        query, columns = self.make_plain(depth, types, order=True)
        return replace(query, limit=Count("LIMIT 1", 1)), columns

    def make_limited(self, depth: int, types: tuple[str, ...]) -> Made:
        if self.chance(0.6):
            query, columns = self.make_plain(depth, types, order=True)
        else:
            kind = self.random.choice(("plain", "grouped", "distinct", "combined", "windowed", "union_all"))
            strict, self.strict_output = self.strict_output, True
            query, columns = self.made(kind, types, depth)
            self.strict_output = strict
            if query.order or query.limit:
                return query, columns
            ordinals = list(range(1, len(columns) + 1))
            self.random.shuffle(ordinals)
            order = tuple(Sort(str(n), n - 1, self.random.choice(("", "", "DESC"))) for n in ordinals)
            query = replace(query, order=order)
        value = self.random.choice((1, 1, 2, 3))
        ties = self.chance(0.2) and not lone_row(query)
        words = (
            "FETCH FIRST {} ROWS WITH TIES" if ties else self.random.choice(("LIMIT {}", "FETCH FIRST {} ROWS ONLY"))
        )
        if self.chance(0.05):
            return replace(query, offset=Count("OFFSET 2", 2)), columns
        offset = Count("OFFSET 1", 1) if self.chance(0.2) else None
        return replace(query, limit=Count(words.format(value), value, ties), offset=offset), columns

    def make_aggregate(self, depth: int, types: tuple[str, ...]) -> Made:
        return self.make_single(depth, types)

    def aggregated(self, scope: Scope, kind: str) -> str:
        """An aggregate of that type, the same whatever the order of the rows.

        Without subqueries: an aggregate that names nothing but what a subquery in it names may belong to an outer
        query, and a world's number is such an outer name.
        """
        linking, self.linking = self.linking, 0.0
        distinct = "DISTINCT " if self.chance(0.15) else ""
        where = f" FILTER (WHERE {self.condition(scope, 0)})" if self.chance(0.12) else ""
        value = self.of_kind(scope, kind)
        match kind:
            case "int":
                any_kind = self.random.choice(("int", "text"))
                text = self.random.choice(
                    (
                        f"count(*){where}::int" if not where else f"(count(*){where})::int",
                        f"(count({distinct}{self.of_kind(scope, any_kind)}){where})::int",
                        f"(sum({distinct}{value}){where})::int",
                        f"max({value}){where}",
                        f"min({value}){where}",
                    )
                )
            case "text":
                text = self.random.choice(
                    (
                        f"max({value}){where}",
                        f"min({value}){where}",
                        f"string_agg({value}, ',' ORDER BY {value}){where}",
                    )
                )
            case "bool":
                condition = self.condition(scope, 0)
                text = f"{self.random.choice(('bool_and', 'bool_or'))}({condition}){where}"
            case _:
                text = f"{self.random.choice(('max', 'min'))}({value}){where}"
        self.linking = linking
        return text

    def make_grouped(self, depth: int, types: tuple[str, ...], how: str = "") -> Made:
        nodes, scope, where = self.start(depth)
        columns, items, keys = self.columns(types), [], list[str]()
        linking, self.linking = self.linking, 0.0  # a subquery in GROUP BY is another expression in SELECT
        for n, column in enumerate(columns):
            key = self.expression(scope, column.kind, self.random.choice((0, 0, 0, 1)))
            if has_column(key) and "$" not in key and (n == 0 or self.chance(0.4)):
                keys.append(key)
                items.append(f"{key} AS {column.name}")
            else:
                items.append(f"{self.aggregated(scope, column.kind)} AS {column.name}")
        if not keys or self.chance(0.2):
            key = self.expression(scope, self.random.choice(("int", "text")), 0)
            keys += [key] if has_column(key) and "$" not in key else []
        having = (self.condition_of_group(scope),) if how == "having" or self.chance(0.25) else ()
        self.linking = linking
        if self.deep > 0 and self.chance(self.linking):
            having = (*having, self.link_of_group(scope, keys))
        return Query(Block(tuple(items), nodes, where, self.grouping(keys, how), having)), columns

    def grouping(self, keys: list[str], how: str) -> tuple[str, ...]:
        if not keys or how != "sets":
            return tuple(dict.fromkeys(keys))
        keys = list(dict.fromkeys(keys))
        word = self.random.choice(("ROLLUP", "CUBE", "GROUPING SETS"))
        if word == "GROUPING SETS":
            return (f"GROUPING SETS ({', '.join(f'({key})' for key in keys)}, ())",)
        return (f"{word} ({', '.join(keys)})",)

    def make_sets(self, depth: int, types: tuple[str, ...]) -> Made:
        return self.make_grouped(depth, types, "sets")

    def condition_of_group(self, scope: Scope) -> str:
        kind = self.random.choice(("int", "int", "text"))
        if kind == "text":
            test = self.random.choice(("IS NOT NULL", "> 'b'", "= 'ann'"))
            return f"max({self.expression(scope, 'text', 0)}) {test}"
        operator = self.random.choice(("=", ">", "<", "<>", ">="))
        return f"{self.aggregated(scope, 'int')} {operator} {self.random.choice('0123')}"

    def link_of_group(self, scope: Scope, keys: list[str]) -> str:
        """HAVING with a subquery, which may name what is grouped by."""
        grouped = {key for key in keys if "." in key and "(" not in key}
        relations = [
            replace(relation, columns=kept)
            for relation in scope.relations
            if (kept := tuple(c for c in relation.columns if f"{relation.alias}.{c.name}" in grouped))
        ]
        within = Scope([relation for relation in relations if not relation.prefix], [])
        if within.relations and self.chance(0.6):
            return self.link(self.random.choice(("exists", "not exists", "in", "not in")), within)
        if self.chance(0.3):
            inner = self.linked(self.inner(within, ("int",)))
            return f"{self.aggregated(scope, 'int')} {self.random.choice(('IN', 'NOT IN', '= ANY'))} {inner}"
        return f"{self.aggregated(scope, 'int')} {self.random.choice(('>', '<=', '='))} {self.scalar(within, 'int')}"

    def make_distinct(self, depth: int, types: tuple[str, ...]) -> Made:
        strict, self.strict_output = self.strict_output, True
        query, columns = self.make_plain(depth, types)
        self.strict_output = strict
        assert isinstance(query.body, Block)
        return replace(query, body=replace(query.body, distinct=True)), columns

    def make_distinct_on(self, depth: int, types: tuple[str, ...]) -> Made:
        query, columns = self.make_plain(depth, types, order=True)
        body = query.body
        assert isinstance(body, Block)
        first = query.order[0]
        return replace(query, body=replace(body, distinct_on=(first.text,))), columns

    def make_windowed(self, depth: int, types: tuple[str, ...]) -> Made:
        nodes, scope, where = self.start(depth)
        columns, items = self.columns(types), []
        linking, self.linking = self.linking, 0.0
        part = self.expression(scope, self.random.choice(("int", "text")), 0)
        partition = f"PARTITION BY {part} " if self.chance(0.5) else ""
        order = self.expression(scope, self.random.choice(("int", "text", "date")), 0)
        total = f"{partition}ORDER BY {order}{self.random.choice(('', ' DESC'))}, {', '.join(total_order(scope))}"
        peers = f"{partition}ORDER BY {order}"
        named = self.chance(0.25)
        for n, column in enumerate(columns):
            if n and self.chance(0.4):
                items.append(f"{self.of_kind(scope, column.kind)} AS {column.name}")
            else:
                over = "win" if named else total
                items.append(f"{self.window(scope, column.kind, over, peers, partition)} AS {column.name}")
        self.linking = linking
        windows = (f"win AS ({total})",) if named else ()
        return Query(Block(tuple(items), nodes, where, windows=windows)), columns

    def window(self, scope: Scope, kind: str, total: str, peers: str, partition: str) -> str:
        value = self.of_kind(scope, kind)
        if not has_column(value):
            value = f"{value}::{SQL_TYPE[kind]}"
        framed = f"({total} {self.random.choice(FRAMES)})"
        total = f"({total})" if total != "win" or self.chance(0.3) else total
        shifts = (
            f"lag({value}) OVER {total}",
            f"lead({value}, 2) OVER {total}",
            f"first_value({value}) OVER {total}",
            f"last_value({value}) OVER {framed}",
            f"nth_value({value}, 2) OVER {total}",
        )
        own: dict[str, tuple[str, ...]] = {
            "int": (
                f"(row_number() OVER {total})::int",
                f"(rank() OVER ({peers}))::int",
                f"(dense_rank() OVER ({peers}))::int",
                f"ntile(2) OVER {total}",
                f"(count(*) OVER ({partition.strip()}))::int",
                f"(sum({value}) OVER {framed})::int",
                f"(sum({value}) OVER ({peers}))::int",
                f"(count(*) FILTER (WHERE {self.condition(scope, 0)}) OVER ({partition.strip()}))::int",
            ),
            "bool": (f"bool_or({self.condition(scope, 0)}) OVER ({peers})",),
        }
        extreme = f"max({value}) OVER ({partition.strip()})", f"min({value}) OVER {framed}"
        return self.random.choice(own.get(kind, extreme) + shifts)

    def make_combined(self, depth: int, types: tuple[str, ...], operator: str = "") -> Made:
        """UNION, INTERSECT, EXCEPT."""
        operator = operator or self.random.choice(OPERATORS)
        strict, self.strict_output = self.strict_output, True
        made = [self.branch(depth, types) for _ in range(self.random.choice((2, 2, 2, 3)))]
        self.strict_output = strict
        return Query(UnionAll(tuple(query for query, _ in made), operator)), made[0][1]

    def make_union_all(self, depth: int, types: tuple[str, ...]) -> Made:
        made = [self.branch(depth, types) for _ in range(self.random.choice((2, 2, 3)))]
        masked = [any(columns[n].masked for _, columns in made) for n in range(len(types))]
        columns = [replace(column, masked=one) for column, one in zip(made[0][1], masked, strict=True)]
        return Query(UnionAll(tuple(query for query, _ in made))), columns

    def branch(self, depth: int, types: tuple[str, ...]) -> Made:
        kind = "plain"
        if self.chance(0.4 if depth else 0.12):
            kind = self.random.choice(("combined", "union_all", "grouped", "limited", "values_of", "distinct"))
        return self.made(kind, types, max(0, depth - 1))

    def make_values_of(self, depth: int, types: tuple[str, ...]) -> Made:
        return self.rows(types)

    def make_recursive(self, depth: int, types: tuple[str, ...]) -> Made:
        """Along the messages or from a person to the people in their address book, three steps at most."""
        strict, self.strict_output = self.strict_output, True
        base, _ = self.make_plain(0, ("int", "int"))
        self.strict_output = strict
        assert isinstance(base.body, Block)
        first, second = base.body.items
        base = replace(base, body=replace(base.body, items=(first, "1 AS d" if self.chance(0.7) else second)))
        name = self.random.choice(("r", "walk"))
        table, here, there = self.random.choice(
            (("messages", "sender", "recipient"), ("messages", "recipient", "sender"), ("contacts", "owner", "id"))
        )
        added = table_scope(table, "t9")
        more = (self.condition(added, 0),) if self.chance(0.3) else ()
        step = Block(
            (f"t9.{there}", f"{name}.d + 1"),
            (Join("JOIN", Named(name), Base(table, table, "t9"), on=(f"t9.{here} = {name}.p",)),),
            (f"{name}.d < {self.random.choice('23')}", *more),
        )
        operator = self.random.choice(("UNION", "UNION ALL"))
        cte = Cte(name, Query(UnionAll((base, Query(step)), operator)), ("p", "d"))
        within = scope_of(name, [Out("p", "int"), Out("d", "int")])
        source: Node = Named(name)
        if self.chance(0.5):
            source = Join("JOIN", source, Base("accounts", "public.accounts", "a9"), on=(f"a9.id = {name}.p",))
            added = table_scope("accounts", "a9")
            within = Scope(within.relations + added.relations, within.star + added.star)
        columns = self.columns(types)
        items = tuple(f"{self.of_kind(within, column.kind)} AS {column.name}" for column in columns)
        where = (self.condition(within, 1),) if self.chance(0.5) else ()
        return Query(Block(items, (source,), where), (cte,), recursive=True), columns


def lone_row(query: Query) -> bool:
    """An aggregate without GROUP BY, of those that PostgreSQL reads off an index or a constant: at WITH TIES, version
    18 fails with 21000 then, by mistake.
    """
    body = query.body
    return (
        isinstance(body, Block)
        and not body.group
        and any(word in item for word in ("min(", "max(", "bool_and(", "bool_or(", "every(") for item in body.items)
    )


def scope_of(alias: str, columns: list[Out]) -> Scope:
    return Scope([Relation(alias, tuple(columns))], list(columns))


def table_scope(table: str, alias: str) -> Scope:
    return scope_of(alias, [Out(c.name, c.kind, bool(c.mask)) for c in BY_NAME[table].visible])

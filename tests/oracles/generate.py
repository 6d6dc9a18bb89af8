"""Random queries over the answered shapes: typed, so that nearly all of them run.

The generator knows each column's type and whether it is masked. Masked columns appear as bare output columns only;
every use that must be refused comes from ``tests.oracles.refusals``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random

from tests.oracles.query import (
    Base,
    Block,
    Case,
    Count,
    Cte,
    Derived,
    Expect,
    Join,
    Named,
    Node,
    Query,
    Sort,
    UnionAll,
    compact,
    work,
)
from tests.oracles.world import BY_NAME, TABLES

TYPES = ("int", "text", "bool", "date")
ALIASES = (
    "a",
    "b",
    "m",
    "x",
    "t1",
    "t2",
    "u",
    '"Q"',
    '"order"',
    '"we ""ird"',
    "größe",
    "videos",
    "accounts",
    "devices",
)
CTE_NAMES = ("c1", "c2", "recent", "accounts", "messages", "regions")
NAMES = ("n", "v", "id", "handle", "home", "total", "x", "owner", '"Mixed"', "coins", '"select"', '"a.b"')
LITERALS = {
    "int": ("0", "1", "2", "3", "5", "10", "-1"),
    "text": ("'ann'", "'eu'", "'us'", "'tel'", "'cats'", "'+441'", "''", "'2'"),
    "bool": ("true", "false"),
    "date": ("date '2024-02-01'", "'2025-01-01'::date"),
}
SQL_TYPE = {"int": "int", "text": "text", "bool": "boolean", "date": "date"}
MOST_ROWS = 400
COMPARISONS = ("=", "=", "=", "<>", "<", ">", "<=", ">=")


@dataclass(frozen=True, slots=True)
class Out:
    """A column as an outer block sees it. ``name`` "" cannot be named."""

    name: str
    kind: str
    masked: bool = False


@dataclass(frozen=True, slots=True)
class Relation:
    alias: str
    columns: tuple[Out, ...]
    prefix: str = ""  # what stands before the dot, when not the alias


@dataclass(slots=True)
class Scope:
    """What a block's expressions may name: relations, and the columns that ``*`` gives (USING merges some)."""

    relations: list[Relation]
    star: list[Out]

    def references(self, kind: str | None, *, masked: bool = False) -> list[tuple[str, Out]]:
        """(text, column): qualified always, bare too where that is unambiguous."""
        found: list[tuple[str, Out]] = []
        bare = Counter(column.name for column in self.star)
        for relation in self.relations:
            own = Counter(column.name for column in relation.columns)
            for column in relation.columns:
                if column.name and own[column.name] == 1 and column.masked <= masked and kind in {None, column.kind}:
                    found.append((f"{relation.prefix or relation.alias}.{column.name}", column))
        for column in self.star:
            if column.name and bare[column.name] == 1 and column.masked <= masked and kind in {None, column.kind}:
                found.append((column.name, column))
        return found


@dataclass(slots=True)
class Generator:
    random: Random
    params: list[str] = field(default_factory=list)

    def case(self) -> Case:
        """One query over the answered shapes."""
        while True:
            self.params = []
            query, _ = self.query(depth=self.random.choice((0, 1, 1, 2)), ctes={}, top=True)
            if work(query)[1] <= MOST_ROWS:
                return Case(*compact(query, tuple(self.params)))

    def unanswered(self) -> Case:
        """One query of a shape that is perhaps not answered yet. If it is, it must be right."""
        while True:
            self.params = []
            query, why = self.unusual()
            if work(query)[1] <= MOST_ROWS:
                query, params = compact(query, tuple(self.params))
                return Case(query, params, Expect.EITHER, why)

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    # --- queries ---------------------------------------------------------------------------------------------------

    def query(
        self, depth: int, ctes: dict[str, list[Out]], *, top: bool = False, types: tuple[str, ...] | None = None
    ) -> tuple[Query, list[Out]]:
        """A query and its columns. ``types``: the columns a UNION ALL wants."""
        ctes = dict(ctes)
        made: list[Cte] = []
        if depth and types is None and self.chance(0.22 if top else 0.08):
            for _ in range(self.random.choice((1, 1, 2))):
                name = self.random.choice([name for name in CTE_NAMES if name not in {cte.name for cte in made}])
                inner, columns = self.query(depth - 1, ctes)
                renamed: tuple[str, ...] = ()
                if self.chance(0.1) and len(columns) < len(NAMES):
                    renamed = tuple(self.random.sample(NAMES, len(columns)))
                    columns = [replace(out, name=name) for out, name in zip(columns, renamed, strict=True)]
                hint = self.random.choice(("", "", "", "MATERIALIZED ", "NOT MATERIALIZED "))
                made.append(Cte(name, inner, renamed, hint))
                ctes[name] = columns
        if depth and self.chance(0.16 if types is None else 0.1):
            query, columns = self.union(depth, ctes, types)
            scope = None
        else:
            block, columns, scope = self.block(depth, ctes, top=top, types=types)
            query = Query(block)
        query = replace(query, ctes=tuple(made))
        if top:
            query = self.ordered(query, columns, scope)
        return query, columns

    def union(self, depth: int, ctes: dict[str, list[Out]], types: tuple[str, ...] | None) -> tuple[Query, list[Out]]:
        wanted = types or tuple(
            self.random.choice(("int", "text", "text", "date")) for _ in range(self.random.randint(1, 3))
        )
        branches, columns = [], None
        for _ in range(self.random.choice((2, 2, 3))):
            branch, outs = self.query(depth - 1, ctes, types=wanted)
            branches.append(branch)
            first = columns or outs
            columns = [replace(a, masked=a.masked or b.masked) for a, b in zip(first, outs, strict=True)]
        assert columns
        return Query(UnionAll(tuple(branches))), columns

    def ordered(self, query: Query, columns: list[Out], scope: Scope | None) -> Query:
        """ORDER BY, LIMIT and OFFSET of the top level."""
        order: list[Sort] = []
        if self.chance(0.5):
            names = Counter(column.name for column in columns)
            block = query.body if isinstance(query.body, Block) else None
            grouped = block is not None and (block.group or block.having or block.distinct)
            for _ in range(self.random.choice((1, 1, 2))):
                suffix = self.random.choice(("", "", "ASC", "DESC", "DESC NULLS LAST", "NULLS FIRST"))
                allowed = [n for n, column in enumerate(columns) if not column.masked]
                how = self.random.random()
                if how < 0.4 and scope is not None and not grouped and not self._has_aggregate(query):
                    kind = self.random.choice(("int", "text", "date"))
                    text = self.expression(scope, kind, 1)
                    if "." in text or "(" in text:  # a bare name would mean the output column, if there is one
                        order.append(Sort(text, None, suffix))
                elif allowed:
                    n = self.random.choice(allowed)
                    named = columns[n].name not in {"", FALLIBLE} and names[columns[n].name] == 1
                    order.append(Sort(columns[n].name if named and how < 0.75 else str(n + 1), n, suffix))
        limit = offset = None
        fallible = any(column.name == FALLIBLE for column in columns)
        if self.chance(0.3) and not fallible:
            value = self.random.choice((0, 1, 1, 2, 3, 5))
            words = ("LIMIT {}", "LIMIT {}", "LIMIT {}", "FETCH FIRST {} ROWS ONLY")
            limit = Count(self.random.choice(words).format(value), value)
        if self.chance(0.3 if limit else 0.04) and not fallible:
            value = self.random.choice((0, 1, 2, 3))
            offset = Count(self.random.choice(("OFFSET {}", "OFFSET {}", "OFFSET {} ROWS")).format(value), value)
        return replace(query, order=tuple(order), limit=limit, offset=offset)

    @staticmethod
    def _has_aggregate(query: Query) -> bool:
        return isinstance(query.body, Block) and any(item.startswith(AGGREGATE_WORDS) for item in query.body.items)

    # --- blocks ----------------------------------------------------------------------------------------------------

    def block(
        self, depth: int, ctes: dict[str, list[Out]], *, top: bool, types: tuple[str, ...] | None
    ) -> tuple[Block, list[Out], Scope]:
        sources, scope = self.sources(depth, ctes)
        where = tuple(self.condition(scope, 2) for _ in range(self.random.choice((0, 0, 1, 1, 1, 2, 3))))
        if any(isinstance(source, Join) for source in sources) and self.chance(0.15):
            # The idiom of the anti-join, where a row is hidden by somebody else's.
            keys = [text for text, _ in scope.references("int") if text.endswith(KEYS)]
            if keys:
                where = (*where[:1], f"{self.random.choice(keys)} IS NULL")
        if types is not None:
            items, columns = self.typed_items(scope, types)
            return Block(items, sources, where), columns, scope
        kind = self.random.random()
        if top and kind < 0.2:
            block, columns = self.grouped(scope, sources, where)
            return block, columns, scope
        if top and kind < 0.25:
            items, columns = self.items(scope, unique=False, masked=False)
            return Block(items, sources, where, distinct=True), columns, scope
        items, columns = self.items(scope, unique=not top, masked=True)
        if top and kind > 0.97:
            items = (*items, self.fallible(scope))
            columns = [*columns, Out(FALLIBLE, "int")]
        return Block(items, sources, where), columns, scope

    def items(self, scope: Scope, *, unique: bool, masked: bool) -> tuple[tuple[str, ...], list[Out]]:
        """A select list. ``unique``: name each column, so that an outer block can."""
        items: list[str] = []
        columns: list[Out] = []
        unmasked_star = not any(out.masked for out in scope.star)
        for _ in range(self.random.choice((1, 2, 2, 3, 4))):
            how = self.random.random()
            taken = {column.name for column in columns}
            if how < 0.1 and scope.star and (masked or unmasked_star):
                items.append("*")
                columns += scope.star
            elif how < 0.18 and scope.relations:
                relation = self.random.choice(scope.relations)
                if masked or not any(out.masked for out in relation.columns):
                    items.append(f"{relation.prefix or relation.alias}.*")
                    columns += relation.columns
            elif how < 0.7:
                references = scope.references(None, masked=masked)
                if references:
                    text, out = self.random.choice(references)
                    if (unique and out.name in taken) or self.chance(0.2):
                        name = self.random.choice([name for name in NAMES if name not in taken] or ["z9"])
                        text, out = f"{text} AS {name}", replace(out, name=name)
                    items.append(text)
                    columns.append(out)
            else:
                kind = self.random.choice(TYPES)
                text = self.expression(scope, kind, 2)
                name = ""
                if unique or self.chance(0.5):
                    name = self.random.choice([name for name in NAMES if name not in taken] or ["z8"])
                    text = f"{text} {'' if name == 'n' else 'AS '}{name}"
                items.append(text)
                columns.append(Out(name, kind))
        if not items:
            items, columns = ["1 AS one"], [Out("one", "int")]
        return tuple(items), columns

    def typed_items(self, scope: Scope, types: tuple[str, ...]) -> tuple[tuple[str, ...], list[Out]]:
        items, columns = [], []
        for n, kind in enumerate(types):
            references = scope.references(kind, masked=True)
            if references and self.chance(0.7):
                text, out = self.random.choice(references)
                masked = out.masked
            else:
                text, masked = self.expression(scope, kind, 1), False
            items.append(f"{text} AS k{n}")
            columns.append(Out(f"k{n}", kind, masked))
        return tuple(items), columns

    def grouped(self, scope: Scope, sources: tuple[Node, ...], where: tuple[str, ...]) -> tuple[Block, list[Out]]:
        items: list[str] = []
        columns: list[Out] = []
        group: list[str] = []
        for n in range(self.random.choice((0, 0, 1, 1, 2))):
            kind = self.random.choice(TYPES)
            text = self.expression(scope, kind, self.random.choice((0, 1)))
            if not _has_column(text):
                continue  # GROUP BY a constant is an ordinal, or an error
            how = self.random.random()
            if how < 0.25:
                items.append(text)
                group.append(str(len(items)))
                columns.append(Out("", kind))
            elif how < 0.5:
                # A name that an input column has too means the input column here, and the output one in ORDER BY.
                name = self.random.choice((f"g{n}", f"g{n}", f"g{n}", "id", "home"))
                items.append(f"{text} AS {name}")
                group.append(name)
                columns.append(Out(name, kind))
            else:
                group.append(text)
                if self.chance(0.8):
                    items.append(text)
                    columns.append(Out("", kind))
        for _ in range(self.random.choice((1, 1, 2))):
            items.append(self.aggregate(scope))
            columns.append(Out("", "int"))
            if self.chance(0.3):
                items[-1] += f" AS q{len(items)}"
                columns[-1] = Out(f"q{len(items)}", "int")
        having = (self.having(scope),) if self.chance(0.25) else ()
        return Block(tuple(items), sources, where, tuple(group), having), columns

    def aggregate(self, scope: Scope) -> str:
        how = self.random.random()
        if how < 0.35:
            text = "count(*)"
        elif how < 0.5:
            kind = self.random.choice(TYPES)
            text = f"count({'DISTINCT ' if self.chance(0.5) else ''}{self.expression(scope, kind, 1)})"
        elif how < 0.7:
            text = f"{self.random.choice(('sum', 'avg'))}({self.expression(scope, 'int', 1)})"
        elif how < 0.85:
            kind = self.random.choice(("int", "text", "date"))
            text = f"{self.random.choice(('min', 'max'))}({self.expression(scope, kind, 1)})"
        elif how < 0.93:
            text = f"{self.random.choice(('bool_and', 'bool_or'))}({self.condition(scope, 1)})"
        else:
            value = self.expression(scope, "text", 1)
            text = f"string_agg({value}, ',' ORDER BY {value})"
        return text

    def having(self, scope: Scope) -> str:
        how = self.random.random()
        if how < 0.5:
            return f"count(*) {self.random.choice(COMPARISONS)} {self.random.choice(('0', '1', '2', '5'))}"
        if how < 0.75:
            return f"sum({self.expression(scope, 'int', 0)}) > {self.random.choice(LITERALS['int'])}"
        return f"max({self.expression(scope, 'text', 0)}) IS NOT NULL"

    def fallible(self, scope: Scope) -> str:
        """Fails for some rows. In a select list of a query without LIMIT only, where it is known which rows are."""
        number = self.expression(scope, "int", 0)
        return self.random.choice(
            (
                f"10 / {number}",
                f"10 % ({number} - 5)",
                f"({self.expression(scope, 'text', 0)})::int",
                f"{number} * 700000000",
            )
        )

    # --- shapes beyond the answered ones ---------------------------------------------------------------------------

    def unusual(self) -> tuple[Query, str]:
        sources, scope = self.sources(1, {})
        items, columns = self.items(scope, unique=False, masked=True)
        where = tuple(self.condition(scope, 1) for _ in range(self.random.choice((0, 1))))
        plain = Query(Block(items, sources, where))
        how = self.random.randrange(11)
        if how == 9:
            count = self.random.choice(("count(*)", "sum(1)"))
            item = f"{count} FILTER (WHERE {self.condition(scope, 1)})"
            return Query(Block((item,), sources, where)), "FILTER"
        if how == 10:
            self.params.append("2")
            return replace(plain, limit=Count(f"LIMIT ${len(self.params)}", 2)), "a parameter in LIMIT"
        if how < 2:
            return Query(Block(items, sources, (*where, self.sublink(scope)))), "a sublink in WHERE"
        if how == 2:
            return Query(Block((*items, self.scalar(scope)), sources, where)), "a sublink in the select list"
        if how == 3 and not any(column.masked for column in columns):
            operator = self.random.choice(("UNION", "INTERSECT", "EXCEPT", "INTERSECT ALL", "EXCEPT ALL"))
            wanted = tuple(self.random.choice(("int", "text")) for _ in range(2))
            branches = tuple(Query(self.block(1, {}, top=False, types=wanted)[0]) for _ in range(2))
            return Query(UnionAll(branches, operator)), operator
        if how == 4:
            inner, columns = self.grouped(scope, sources, where)
            return Query(Block(("*",), (Derived(Query(inner), "g"),))), "an aggregate below"
        if how == 5:
            inner = Block(self.items(scope, unique=True, masked=False)[0], sources, where, distinct=True)
            return Query(Block(("*",), (Derived(Query(inner), "d"),))), "DISTINCT below"
        if how == 6:
            windows = "count(*) OVER ()", "rank() OVER (ORDER BY true)", "sum(1) OVER ()"
            return Query(Block((*items, self.random.choice(windows)), sources, where)), "a window"
        if how == 7 and not any(column.masked for column in columns):
            order = tuple(Sort(str(n + 1), n) for n in range(len(columns)))
            inner_query = replace(plain, order=order, limit=Count("LIMIT 2", 2))
            return Query(Block(("count(*)",), (Derived(inner_query, "l"),))), "LIMIT below"
        table = self.random.choice(TABLES)
        inner_query = Query(
            Block(("count(*) AS n",), (Base(table.name, table.name, "i"),), (self.correlated(scope, "i", table.name),))
        )
        return (
            Query(Block((*items, "la.n"), (*sources, Derived(inner_query, "la", lateral=True)), where)),
            "LATERAL",
        )

    def correlated(self, scope: Scope, alias: str, table: str) -> str:
        outer = [text for text, _ in scope.references("int") if "." in text]
        inner = [column.name for column in BY_NAME[table].visible if column.kind == "int"]
        if not outer or not inner:
            return "true"
        return f"{alias}.{self.random.choice(inner)} {self.random.choice(COMPARISONS)} {self.random.choice(outer)}"

    def sublink(self, scope: Scope) -> str:
        table = self.random.choice([table for table in TABLES if table.name != "regions"])
        inner = self.random.choice([column.name for column in table.visible if column.kind == "int"])
        where = self.correlated(scope, "i", table.name) if self.chance(0.6) else "true"
        value = self.expression(scope, "int", 0)
        no = self.random.choice(("", "NOT "))
        return self.random.choice(
            (
                f"{no}EXISTS (SELECT 1 FROM ⟦{table.name}⟧ i WHERE {where})",
                f"{value} {no}IN (SELECT i.{inner} FROM ⟦{table.name}⟧ i WHERE {where})",
                f"{value} > ALL (SELECT i.{inner} FROM ⟦{table.name}⟧ i WHERE {where})",
                f"{value} <= (SELECT count(*) FROM ⟦{table.name}⟧ i WHERE {where})",
            )
        )

    def scalar(self, scope: Scope) -> str:
        table = self.random.choice(TABLES)
        return f"(SELECT count(*) FROM ⟦{table.name}⟧ i WHERE {self.correlated(scope, 'i', table.name)})"

    # --- FROM ------------------------------------------------------------------------------------------------------

    def sources(self, depth: int, ctes: dict[str, list[Out]]) -> tuple[tuple[Node, ...], Scope]:
        taken: set[str] = set()
        nodes: list[Node] = []
        relations: list[Relation] = []
        star: list[Out] = []
        count = self.random.choice((1, 1, 1, 1, 1, 1, 1, 2)) if not self.chance(0.02) else 0
        for _ in range(count):
            node, scope = self.tree(
                depth, ctes, taken, self.random.choice((1, 1, 1, 2, 2, 2, 3) if not nodes else (1,))
            )
            nodes.append(node)
            relations += scope.relations
            star += scope.star
        return tuple(nodes), Scope(relations, star)

    def tree(self, depth: int, ctes: dict[str, list[Out]], taken: set[str], leaves: int) -> tuple[Node, Scope]:
        if leaves == 1:
            return self.leaf(depth, ctes, taken)
        split = self.random.choice((1, leaves - 1))
        left, left_scope = self.tree(depth, ctes, taken, split if self.chance(0.3) else leaves - 1)
        used = 1 if not isinstance(left, Join) else 2
        right, right_scope = self.tree(depth, ctes, taken, max(1, leaves - used))
        both = Scope(left_scope.relations + right_scope.relations, left_scope.star + right_scope.star)
        kind = self.random.choice(
            (
                "JOIN",
                "JOIN",
                "JOIN",
                "INNER JOIN",
                "LEFT JOIN",
                "LEFT OUTER JOIN",
                "RIGHT JOIN",
                "FULL JOIN",
                "CROSS JOIN",
            )
        )
        brackets = self.chance(0.1)
        if kind == "CROSS JOIN":
            return Join(kind, left, right, brackets=brackets), both
        shared = self._shared(left_scope, right_scope)
        if shared and self.chance(0.3):
            name = self.random.choice(shared)
            merged = next(out for out in left_scope.star if out.name == name)
            star = [merged, *(out for out in left_scope.star + right_scope.star if out.name != name)]
            return Join(kind, left, right, using=(name,), brackets=brackets), Scope(both.relations, star)
        on = [self.equality(left_scope, right_scope)]
        if kind != "FULL JOIN":
            if self.chance(0.15):
                on = [self.condition(both, 1)]
            elif self.chance(0.3):
                on.append(self.condition(both, 1))
        return Join(kind, left, right, on=tuple(on), brackets=brackets), both

    @staticmethod
    def _shared(left: Scope, right: Scope) -> list[str]:
        """Names that USING may merge: once on each side, of one type, unmasked."""
        sides = []
        for scope in (left, right):
            once = Counter(out.name for out in scope.star)
            sides.append(
                {out.name: out.kind for out in scope.star if out.name and once[out.name] == 1 and not out.masked}
            )
        return [name for name, kind in sides[0].items() if sides[1].get(name) == kind]

    def equality(self, left: Scope, right: Scope) -> str:
        """``a.x = b.y``, mostly along the ids that people are joined by."""
        for kind in self.random.choice((("int", "text"), ("int", "text"), ("text", "int"))):
            ours = [text for text, _ in left.references(kind) if "." in text]
            theirs = [text for text, _ in right.references(kind) if "." in text]
            if kind == "int" and self.chance(0.7):
                ours = [text for text in ours if text.endswith(KEYS)] or ours
                theirs = [text for text in theirs if text.endswith(KEYS)] or theirs
            if ours and theirs:
                return f"{self.random.choice(ours)} = {self.random.choice(theirs)}"
        return "true" if self.chance(0.5) else "1 = 1"

    def leaf(self, depth: int, ctes: dict[str, list[Out]], taken: set[str]) -> tuple[Node, Scope]:
        how = self.random.random()
        if depth and how < 0.2:
            query, columns = self.query(depth - 1, ctes)
            alias = self.alias(taken)
            names: tuple[str, ...] = ()
            if self.chance(0.1) and len(columns) < len(NAMES):
                names = tuple(self.random.sample(NAMES, len(columns)))
                columns = [replace(out, name=name) for out, name in zip(columns, names, strict=True)]
            return Derived(query, alias, names), _scope(Relation(alias, tuple(columns)))
        if ctes and how < 0.75:
            name = self.random.choice(list(ctes))
            alias = self.alias(taken) if name in taken or self.chance(0.6) else ""
            taken.add(alias or name)
            return Named(name, alias), _scope(Relation(alias or name, tuple(ctes[name])))
        table = self.random.choice(TABLES)
        spelling = table.name
        if table.name in ctes or self.chance(0.15):
            spelling = self.random.choice((f"public.{table.name}", f'"public"."{table.name}"'))
        elif self.chance(0.1):
            spelling = self.random.choice((f'"{table.name}"', table.name.upper()))
        alias = self.alias(taken) if table.name in taken or self.chance(0.65) else ""
        taken.add(alias or table.name)
        outs = tuple(Out(column.name, column.kind, bool(column.mask)) for column in BY_NAME[table.name].visible)
        prefix = f"public.{table.name}" if not alias and spelling.startswith("public") and self.chance(0.5) else ""
        names = ()
        if alias and self.chance(0.05):
            names = tuple(self.random.sample(NAMES, len(outs)))
            outs = tuple(replace(out, name=name) for out, name in zip(outs, names, strict=True))
        return Base(table.name, spelling, alias, names), _scope(Relation(alias or table.name, outs, prefix))

    def alias(self, taken: set[str]) -> str:
        alias = self.random.choice([alias for alias in ALIASES if alias not in taken])
        taken.add(alias)
        return alias

    # --- expressions -----------------------------------------------------------------------------------------------

    def param(self, kind: str) -> str:
        """A new parameter with a value of that type; only where Postgres infers its type, or with a cast."""
        literal = self.random.choice(LITERALS[kind])
        self.params.append(literal.removeprefix("date ").removesuffix("::date").strip("'"))
        return f"${len(self.params)}"

    def expression(self, scope: Scope, kind: str, depth: int) -> str:
        references = scope.references(kind)
        how = self.random.random()
        if references and (depth == 0 or how < 0.5):
            return self.random.choice(references)[0]
        if depth == 0 or how < 0.58:
            if self.chance(0.2):
                return f"{self.param(kind)}::{SQL_TYPE[kind]}"
            return self.random.choice(LITERALS[kind])

        def sub(kind: str) -> str:
            return self.expression(scope, kind, depth - 1)

        common = (
            lambda: f"coalesce({sub(kind)}, {sub(kind)})",
            lambda: f"CASE WHEN {self.condition(scope, depth - 1)} THEN {sub(kind)} ELSE {sub(kind)} END",
            lambda: f"CASE WHEN {self.condition(scope, depth - 1)} THEN {sub(kind)} END",
            lambda: f"nullif({sub(kind)}, {sub(kind)})",
        )
        own: dict[str, tuple[Callable[[], str], ...]] = {
            "int": (
                lambda: f"({sub('int')} + {sub('int')})",
                lambda: f"({sub('int')} - {sub('int')})",
                lambda: f"length({sub('text')})",
                lambda: f"abs({sub('int')})",
                lambda: f"greatest({sub('int')}, {sub('int')})",
                lambda: f"CASE {sub('text')} WHEN {sub('text')} THEN {sub('int')} ELSE 7 END",
            ),
            "text": (
                lambda: f"upper({sub('text')})",
                lambda: f"({sub('text')} || {sub('text')})",
                lambda: f"left({sub('text')}, 2)",
                lambda: f"({sub('int')})::text",
                lambda: f"CAST({sub('int')} AS text)",
            ),
            "bool": (lambda: f"({self.condition(scope, depth - 1)})",) * 3,
            "date": (lambda: f"({sub('date')} + {sub('int')})",),
        }
        return self.random.choice((*common, *own[kind]))()

    def condition(self, scope: Scope, depth: int) -> str:
        kinds = [kind for kind in ("int", "int", "text", "text", "date", "bool") if scope.references(kind)]
        kind = self.random.choice(kinds or ["int"])
        left = self.expression(scope, kind, max(0, depth - 1))
        how = self.random.random()
        if how < 0.35:
            right = self.param(kind) if self.chance(0.25) and _has_column(left) else self.expression(scope, kind, 0)
            return f"{left} {self.random.choice(COMPARISONS)} {right}"
        if how < 0.5:
            return f"{left} IS {self.random.choice(('', 'NOT '))}NULL"
        if how < 0.6:
            values = ", ".join(self.random.choice((*LITERALS[kind], "NULL")) for _ in range(self.random.randint(1, 3)))
            return f"{left} {self.random.choice(('', 'NOT '))}IN ({values})"
        if how < 0.66:
            return f"{left} IS {self.random.choice(('', 'NOT '))}DISTINCT FROM {self.expression(scope, kind, 0)}"
        if how < 0.72:
            like = self.random.choice(("LIKE", "NOT LIKE"))
            return f"{self.expression(scope, 'text', 0)} {like} {self.random.choice(PATTERNS)}"
        if how < 0.78:
            return f"{left} BETWEEN {self.expression(scope, kind, 0)} AND {self.expression(scope, kind, 0)}"
        if how < 0.84 or depth == 0:
            flag = self.expression(scope, "bool", 0)
            return self.random.choice((flag, f"NOT {flag}", f"{flag} IS NOT TRUE", f"{flag} IS UNKNOWN"))
        one, two = self.condition(scope, depth - 1), self.condition(scope, depth - 1)
        return self.random.choice((f"({one} OR {two})", f"({one} OR {two})", f"NOT ({one} AND {two})", f"NOT ({one})"))


FALLIBLE = "may fail"
KEYS = ("id", "account_id", "sender", "recipient", "author", "owner", "device_id")
PATTERNS = ("'a%'", "'%n'", "'%e%'", "'_nn'")
AGGREGATE_WORDS = ("count(", "sum(", "avg(", "min(", "max(", "bool_and(", "bool_or(", "string_agg(")


def _scope(relation: Relation) -> Scope:
    return Scope([relation], list(relation.columns))


def _has_column(text: str) -> bool:
    """Whether an expression is more than constants and parameters (which have no place in GROUP BY)."""
    return text[0] not in "'$0123456789-" and not text.startswith(("date ", "true", "false", "NULL"))


__all__ = ["Case", "Expect", "Generator"]

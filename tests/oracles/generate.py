"""Random queries over the answered shapes: typed, so that nearly all of them run.

The generator knows each column's type and whether it is masked. Masked columns appear as bare output columns only;
every use that must be refused comes from ``tests.oracles.refusals``.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from tests.oracles.expressions import AGGREGATE_WORDS, TYPES, Expressions, Out, Relation, Scope, has_column
from tests.oracles.query import Base, Block, Case, Count, Cte, Derived, Join, Named, Node, Query, Sort, UnionAll
from tests.oracles.trees import compact, work
from tests.oracles.world import BY_NAME, TABLES

SHADOWS = ("videos", "accounts", "devices")
ALIASES = ("a", "b", "m", "x", "t1", "t2", "u", '"Q"', '"order"', '"we ""ird"', "größe", *SHADOWS)
CTE_NAMES = ("c1", "c2", "recent", "accounts", "messages", "regions")
NAMES = ("n", "v", "id", "handle", "home", "total", "x", "owner", '"Mixed"', "coins", '"select"', '"a.b"')
MOST_ROWS = 400


@dataclass(slots=True)
class Generator(Expressions):
    def case(self) -> Case:
        """One query over the answered shapes."""
        while True:
            self.params = []
            query, _ = self.query(depth=self.random.choice((0, 1, 1, 2)), ctes={}, top=True)
            if work(query)[1] <= MOST_ROWS:
                return Case(*compact(query, tuple(self.params)))

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
            if not has_column(text):
                continue  # GROUP BY a constant is an ordinal, or an error
            how = self.random.random()
            if how < 0.25:
                items.append(text)
                group.append(str(len(items)))
                columns.append(Out("", kind))
            elif how < 0.5:
                # A name that an input column has too means the input column here, and the output one in ORDER BY.
                name = self.random.choice((f"g{n}", f"g{n}", f"g{n}", "id", "home"))
                if any(out.masked and out.name == name for out in scope.star):
                    name = f"g{n}"
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


FALLIBLE = "may fail"
KEYS = ("id", "account_id", "sender", "recipient", "author", "owner", "device_id")


def _scope(relation: Relation) -> Scope:
    return Scope([relation], list(relation.columns))

"""FROM with what may stand in it beside tables, CTEs and subqueries: LATERAL, functions, VALUES, NATURAL."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from tests.oracles.expressions import LITERALS, Out, Relation, Scope
from tests.oracles.generate import NAMES, Generator
from tests.oracles.query import Block, Derived, Function, Join, Node, Query
from tests.oracles.world import BY_NAME

Nodes = tuple[Node, ...]
NOTHING = Scope([], [])
SEARCHED = {tuple(column.name for column in table.visible): table.name for table in BY_NAME.values()}


def beside(inner: Scope, outer: Scope) -> Scope:
    """What an inner query may name: its own columns, and the outer ones by their alias, unless that is shadowed."""
    own = {relation.alias for relation in inner.relations}
    seen = [relation for relation in outer.relations if relation.alias not in own and not relation.prefix]
    return Scope(inner.relations + seen, inner.star)


def total_order(scope: Scope) -> list[str]:
    """An order of the rows of FROM, total up to rows that are equal in all that may be named."""
    keys: list[str] = []
    for relation in scope.relations:
        names = tuple(column.name for column in relation.columns)
        if names in SEARCHED:  # a table, whose first column is its key
            keys.append(f"{relation.alias}.{names[0]}")
        else:
            one = Scope([replace(relation, prefix="")], [])
            keys += [text for text, out in one.references(None) if out.kind != "json"]
    return keys or ["1 + 0"]


@dataclass(slots=True)
class Ranges(Generator):
    """``outer`` is what the queries around the one at hand offer, ``most`` how much deeper it may get."""

    outer: Scope = field(default_factory=lambda: NOTHING)
    usual: float = 0.8  # how often FROM has nothing of what this module is about

    def sources(self, depth: int, ctes: dict[str, list[Out]]) -> tuple[tuple[Node, ...], Scope]:
        nodes, scope = super(Ranges, self).sources(depth, ctes)
        while depth and nodes and not self.chance(self.usual):
            more = self.random.choice((self.lateral, self.lateral, self.function, self.values, self.natural))
            nodes, scope = more(nodes, scope, depth, ctes)
        return nodes, scope

    def joined(
        self, nodes: tuple[Node, ...], scope: Scope, right: Node, added: Relation
    ) -> tuple[tuple[Node, ...], Scope]:
        """``right``, which may look at all of ``nodes[-1]``, joined to it."""
        both = Scope([*scope.relations, added], [*scope.star, *added.columns])
        how = self.random.random()
        if how < 0.25 and len(nodes) == 1:
            return (*nodes, right), both
        if how < 0.5:
            join = Join("CROSS JOIN", nodes[-1], right)
        else:
            kind = self.random.choice(("LEFT JOIN", "LEFT JOIN", "JOIN"))
            named = Scope([added], [])
            join = Join(kind, nodes[-1], right, on=("true" if self.chance(0.6) else self.condition(named, 0),))
        return (*nodes[:-1], join), both

    def seen_from(self, nodes: Nodes, scope: Scope) -> Scope:
        """Of ``scope``, what a LATERAL right of ``nodes`` may name without doubt."""
        return beside(Scope(scope.relations, []), self.outer)

    def lateral(self, nodes: Nodes, scope: Scope, depth: int, ctes: dict[str, list[Out]]) -> tuple[Nodes, Scope]:
        before, self.outer = self.outer, self.seen_from(nodes, scope)
        query, columns = self.query(max(0, depth - 1), ctes)
        self.outer = before
        alias = self.alias({relation.alias for relation in scope.relations})
        return self.joined(nodes, scope, Derived(query, alias, lateral=True), Relation(alias, tuple(columns)))

    def function(self, nodes: Nodes, scope: Scope, depth: int, ctes: dict[str, list[Out]]) -> tuple[Nodes, Scope]:
        alias = self.alias({relation.alias for relation in scope.relations})
        call, kinds = self.rows_of(self.seen_from(nodes, scope))
        names = tuple(self.random.sample(NAMES, len(kinds)))
        if self.chance(0.25):
            call += " WITH ORDINALITY"
            kinds = (*kinds, "bigint")
            names = (*names, "nr")
        columns = tuple(Out(name, kind) for name, kind in zip(names, kinds, strict=True))
        return self.joined(nodes, scope, Function(call, alias, names), Relation(alias, columns))

    def rows_of(self, scope: Scope) -> tuple[str, tuple[str, ...]]:
        """A call of a function that gives rows, and the types of its columns. None of them can fail."""
        calls: list[tuple[str, tuple[str, ...]]] = [
            (f"generate_series(1, {self.random.choice('123')})", ("int",)),
            ("unnest(ARRAY['ann', 'eu', NULL])", ("text",)),
        ]
        for text, _ in scope.references("int")[:3]:
            calls.append((f"generate_series(1, least({text}, 3))", ("int",)))
            calls.append((f"unnest(ARRAY[{text}, 2])", ("int",)))
        for text, _ in scope.references("text")[:3]:
            calls.append((f"regexp_split_to_table({text}, 'n')", ("text",)))
            calls.append((f"string_to_table({text}, 'e')", ("text",)))
            calls.append((f"unnest(string_to_array({text}, 'n'))", ("text",)))
        for text, _ in scope.references("array"):
            calls += [(f"unnest({text})", ("text",))] * 6
        for text, _ in scope.references("json"):
            calls += [(f"jsonb_array_elements_text({text} -> 'l')", ("text",))] * 4
            calls += [(f"jsonb_each_text({text})", ("text", "text"))] * 3
            calls.append((f"jsonb_each({text})", ("text", "json")))
            calls.append((f"jsonb_object_keys({text})", ("text",)))
            calls.append((f"jsonb_array_elements({text} -> 'l')", ("json",)))
        return self.random.choice(calls)

    def values(self, nodes: Nodes, scope: Scope, depth: int, ctes: dict[str, list[Out]]) -> tuple[Nodes, Scope]:
        alias = self.alias({relation.alias for relation in scope.relations})
        query, columns = self.rows((self.random.choice(("int", "text")), "int"))
        names = tuple(self.random.sample(NAMES, 2))
        columns = [replace(column, name=name) for column, name in zip(columns, names, strict=True)]
        added = Relation(alias, tuple(columns))
        right = Derived(query, alias, names)
        on = self.equality(scope, Scope([added], list(columns)))
        both = Scope([*scope.relations, added], [*scope.star, *columns])
        kind = self.random.choice(("JOIN", "LEFT JOIN", "RIGHT JOIN"))
        return (*nodes[:-1], Join(kind, nodes[-1], right, on=(on if len(nodes) == 1 else "true",))), both

    def rows(self, types: tuple[str, ...]) -> tuple[Query, list[Out]]:
        rows = [
            "(" + ", ".join(self.random.choice(LITERALS[kind]) for kind in types) + ")"
            for _ in range(self.random.choice((1, 2, 3)))
        ]
        columns = [Out(f"column{n}", kind) for n, kind in enumerate(types, 1)]
        return Query(Block((), raw=f"VALUES {', '.join(rows)}")), columns

    def natural(self, nodes: Nodes, scope: Scope, depth: int, ctes: dict[str, list[Out]]) -> tuple[Nodes, Scope]:
        """NATURAL JOIN of the last element and a table, where the columns of one name are of one type and unmasked."""
        if len(nodes) != 1:
            return nodes, scope
        right, added = self.leaf(0, {}, {relation.alias for relation in scope.relations})
        shared = self._shared(scope, added)
        if not shared or set(shared) != {out.name for out in scope.star} & {out.name for out in added.star}:
            return nodes, scope
        kind = self.random.choice(("NATURAL JOIN", "NATURAL LEFT JOIN", "NATURAL FULL JOIN"))
        merged = [next(out for out in scope.star if out.name == name) for name in shared]
        rest = [out for out in scope.star + added.star if out.name not in shared]
        return (Join(kind, nodes[0], right),), Scope(scope.relations + added.relations, merged + rest)

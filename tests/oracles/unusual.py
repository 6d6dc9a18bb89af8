"""Shapes that are perhaps not answered yet: refused, or answered right."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tests.oracles.expressions import COMPARISONS, Scope
from tests.oracles.generate import MOST_ROWS, Generator
from tests.oracles.query import Base, Block, Case, Count, Derived, Expect, Query, Sort, UnionAll
from tests.oracles.trees import compact, work
from tests.oracles.world import BY_NAME, TABLES


@dataclass(slots=True)
class Unusual(Generator):
    def unanswered(self) -> Case:
        """One query of a shape that is perhaps not answered yet. If it is, it must be right."""
        while True:
            self.params = []
            query, why = self.unusual()
            if work(query)[1] <= MOST_ROWS:
                query, params = compact(query, tuple(self.params))
                return Case(query, params, Expect.EITHER, why)

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

"""Subqueries in expressions: EXISTS, IN, ANY, ALL, rows, scalars, ARRAY; correlated or not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.oracles.expressions import COMPARISONS, LITERALS, TYPES, Out, Scope
from tests.oracles.generate import KEYS
from tests.oracles.query import LINK, Query, Sub, rewritten
from tests.oracles.ranges import Ranges, beside

LINKS = ("exists", "not exists", "in", "not in", "any", "all", "row in", "scalar", "array")
JSON = ('\'{"k": "ann"}\'', "'{}'", '\'{"l": ["x"]}\'')


@dataclass(slots=True)
class Links(Ranges):
    """``links`` are the subqueries so far, which stand in texts as ``⟦?n⟧`` until ``resolved`` puts them there.

    Attributes:
        linking: how often a condition is a subquery.
        deep: how many subqueries may stand in each other from here on.
        below: the depth of FROM in a subquery.
        simple: subqueries are plain joins, or one aggregate of these.
        keyed: the next subquery gives ids, where it gives numbers.
    """

    links: list[Query] = field(default_factory=list)
    linking: float = 0.0
    deep: int = 0
    below: int = 0
    simple: bool = False
    keyed: bool = False
    known: dict[str, list[Out]] = field(default_factory=dict)

    def inner(self, scope: Scope, types: tuple[str, ...], maker: str = "") -> Query:
        """A query of those types that may name the columns of ``scope``."""
        before = self.outer, self.deep
        self.outer, self.deep = beside(Scope(scope.relations, []), self.outer), self.deep - 1
        maker = maker or ("plain" if self.simple else "")
        query, _ = self.query(self.below, self.known, types=types) if not maker else self.made(maker, types)
        self.outer, self.deep = before
        self.keyed = False
        return query

    def made(self, maker: str, types: tuple[str, ...]) -> tuple[Query, list[Out]]:
        raise NotImplementedError

    def linked(self, query: Query) -> str:
        self.links.append(query)
        return f"(⟦?{len(self.links) - 1}⟧)"

    def condition(self, scope: Scope, depth: int) -> str:
        if self.deep > 0 and self.chance(self.linking):
            return self.link(self.random.choice(LINKS), scope)
        if self.chance(0.2) and (found := self.of_json(scope, "bool")):
            return found
        if self.chance(0.55) and (found := self.mild(scope)):
            return found
        return super(Links, self).condition(scope, depth)

    def mild(self, scope: Scope) -> str:
        """A condition that about half of the rows pass: in an empty answer nobody can be missing."""
        kind = self.random.choice(("int", "int", "text", "date", "bool"))
        references = scope.references(kind)
        if not references:
            return ""
        tests = {
            "int": ("< 5", "<= 3", ">= 2", "> 1", "<> 2", "IN (1, 2, 3, 5)", "BETWEEN 1 AND 5", "= 1", "= 2"),
            "text": ("<> 'eu'", "> 'b'", "LIKE '%n%'", "IN ('eu', 'ann', 'cats', 'tel', '+441')", "IS NOT NULL"),
            "date": (">= '2024-02-01'", "< '2025-01-02'", "IS NOT NULL"),
            "bool": ("IS NOT FALSE", "", "IS TRUE"),
        }
        return f"{self.random.choice(references)[0]} {self.random.choice(tests[kind])}".strip()

    def equality(self, left: Scope, right: Scope) -> str:
        """Mostly along the ids that people are joined by: what else is equal is mostly nothing."""
        for _ in range(3):
            text = super(Links, self).equality(left, right)
            if all(part.rpartition(".")[2] in KEYS for part in text.split(" = ")):
                break
        return text

    def expression(self, scope: Scope, kind: str, depth: int) -> str:
        if depth and self.deep > 0 and self.chance(self.linking / 2):
            return self.scalar(scope, kind)
        if self.chance(0.1) and (found := self.of_json(scope, kind)):
            return found
        return super(Links, self).expression(scope, kind, depth)

    def value(self, scope: Scope, kind: str) -> str:
        """A plain value of ``scope``: a column, if there is one."""
        references = scope.references(kind)
        return self.random.choice(references)[0] if references and self.chance(0.9) else self.literal(kind)

    def literal(self, kind: str) -> str:
        return self.random.choice(LITERALS[kind])

    def link(self, how: str, scope: Scope) -> str:
        """A condition with a subquery."""
        kinds = [kind for kind in ("int", "int", "int", "text", "date") if scope.references(kind)]
        kind = self.random.choice(kinds or ["int"])
        value = self.value(scope, kind)
        ids = self.ids(scope)
        if kind == "int" and ids and self.chance(0.7):  # ids are compared with ids: other numbers are seldom equal
            value, self.keyed = self.random.choice(ids), True
        match how:
            case "exists" | "not exists":
                return f"{how.upper()} {self.linked(self.inner(scope, ('int',)))}"
            case "in" | "not in":
                return f"{value} {how.upper()} {self.linked(self.inner(scope, (kind,)))}"
            case "any" | "all":
                word = "ALL" if how == "all" else self.random.choice(("ANY", "SOME"))
                return f"{value} {self.random.choice(COMPARISONS)} {word} {self.linked(self.inner(scope, (kind,)))}"
            case "row in":
                no = self.random.choice(("", "NOT "))
                second = self.random.choice(("int", "text"))
                inner = self.linked(self.inner(scope, (kind, second)))
                return f"({value}, {self.value(scope, second)}) {no}IN {inner}"
            case "array":
                array = f"ARRAY{self.linked(self.inner(scope, (kind,)))}"
                return self.random.choice(
                    (f"{value} = ANY ({array})", f"cardinality({array}) > 1", f"NOT ({value} = ALL ({array}))")
                )
        return f"{value} {self.random.choice(COMPARISONS)} {self.scalar(scope, kind)}"

    def rows_of(self, scope: Scope) -> tuple[str, tuple[str, ...]]:
        if self.deep > 0 and self.chance(0.2):
            return f"generate_series(1, least({self.scalar(scope, 'int')}, 3))", ("int",)
        return super(Links, self).rows_of(scope)

    def ids(self, scope: Scope) -> list[str]:
        return [text for text, _ in scope.references("int") if text.rpartition(".")[2] in KEYS]

    def scalar(self, scope: Scope, kind: str) -> str:
        """At most one row, whatever the data: an aggregate, or the first of a total order."""
        maker = "single" if self.simple or self.chance(0.6) else "first"
        return self.linked(self.inner(scope, (kind,), maker))

    def of_json(self, scope: Scope, kind: str) -> str:
        """A value of ``kind`` out of an array or JSON column, "" if there is none. None of them can fail."""
        arrays = [text for text, _ in scope.references("array")]
        jsons = [text for text, _ in scope.references("json")]
        found: list[str] = []
        for text in arrays[:1]:
            found += {
                "int": [f"cardinality({text})", f"coalesce(array_length({text}, 1), 0)"],
                "text": [f"({text})[1]"],
                "bool": [
                    f"'cats' = ANY ({text})",
                    f"{text} && ARRAY['eu', 'dogs']",
                    f"{text} @> ARRAY['cats']",
                    f"{text} = '{{cats}}'",
                    f"{text} IS NULL",
                ],
            }.get(kind, [])
        for text in jsons[:1]:
            found += {
                "int": [f"length({text} ->> 'k')", f"jsonb_array_length({text} -> 'l')"],
                "text": [f"({text} ->> 'k')", f"({text} #>> '{{l,0}}')", f"({text} -> 'l' ->> 0)"],
                "bool": [
                    f"{text} @> {self.random.choice(JSON)}",
                    f"{text} ? 'k'",
                    f"{text} ->> 'k' = 'ann'",
                    f"{text} -> 'n' IS NOT NULL",
                    f"{text} ?| ARRAY['n', 'x']",
                ],
            }.get(kind, [])
        text = self.random.choice(found) if found else ""
        return f"({text})" if kind == "bool" and text else text

    def some_types(self) -> tuple[str, ...]:
        return tuple(self.random.choice(TYPES) for _ in range(self.random.choice((1, 2, 2, 3))))


def resolved(value: Any, links: list[Query]) -> Any:
    """The tree with each text that has subqueries as a ``Sub``."""

    def put_in(text: str) -> str:
        numbers = list(dict.fromkeys(int(number) for number in LINK.findall(text))) if "⟦?" in text else []
        if not numbers:
            return text
        renumbered = LINK.sub(lambda match: f"⟦?{numbers.index(int(match[1]))}⟧", text)
        return Sub(renumbered, tuple(resolved(links[number], links) for number in numbers))

    return rewritten(value, put_in)

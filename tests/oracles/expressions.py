"""Typed expressions over a scope: columns that may be named, literals, parameters, conditions, aggregates."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random

TYPES = ("int", "text", "bool", "date")
LITERALS = {
    "int": ("0", "1", "2", "3", "5", "10", "-1"),
    "text": ("'ann'", "'eu'", "'us'", "'tel'", "'cats'", "'+441'", "''", "'2'"),
    "bool": ("true", "false"),
    "date": ("date '2024-02-01'", "'2025-01-01'::date"),
}
SQL_TYPE = {"int": "int", "text": "text", "bool": "boolean", "date": "date"}
COMPARISONS = ("=", "=", "=", "<>", "<", ">", "<=", ">=")
PATTERNS = ("'a%'", "'%n'", "'%e%'", "'_nn'")
AGGREGATE_WORDS = ("count(", "sum(", "avg(", "min(", "max(", "bool_and(", "bool_or(", "string_agg(")


@dataclass(frozen=True, slots=True)
class Out:
    """A column as an outer block sees it. ``name`` "" cannot be named."""

    name: str
    kind: str
    masked: bool = False


def unambiguous(columns: Iterable[Out]) -> list[Out]:
    """Those with a name that no other has."""
    names = [column.name for column in columns]
    many = {name for name in names if names.count(name) > 1} if len(set(names)) < len(names) else ()
    return [column for column in columns if column.name and column.name not in many]


@dataclass(frozen=True, slots=True)
class Relation:
    alias: str
    columns: tuple[Out, ...]
    prefix: str = ""  # what stands before the dot, when not the alias
    named: tuple[Out, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "named", tuple(unambiguous(self.columns)))


@dataclass(slots=True)
class Scope:
    """What a block's expressions may name: relations, and the columns that ``*`` gives (USING merges some)."""

    relations: list[Relation]
    star: list[Out]

    def references(self, kind: str | None, *, masked: bool = False) -> list[tuple[str, Out]]:
        """(text, column): qualified always, bare too where that is unambiguous."""
        qualified = [
            (f"{relation.prefix or relation.alias}.{column.name}", column)
            for relation in self.relations
            for column in relation.named
            if (kind is None or kind == column.kind) and column.masked <= masked
        ]
        bare = [
            (column.name, column)
            for column in unambiguous(self.star)
            if (kind is None or kind == column.kind) and column.masked <= masked
        ]
        return qualified + bare


@dataclass(slots=True)
class Expressions:
    """The random source, the values of the parameters so far, and expressions."""

    random: Random
    params: list[str] = field(default_factory=list)

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

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
            right = self.param(kind) if self.chance(0.25) and has_column(left) else self.expression(scope, kind, 0)
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


def has_column(text: str) -> bool:
    """Whether an expression is more than constants and parameters (which have no place in GROUP BY)."""
    return text[0] not in "'$0123456789-" and not text.startswith(("date ", "true", "false", "NULL"))

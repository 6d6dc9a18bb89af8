"""A query as a tree that can be printed in two ways: as a user writes it, and as one answer for every world.

Expressions are text. A table stands in them, and in FROM, as the token ``⟦name⟧`` (``⟦name|spelling⟧``), so that the
same tree reads the platform's table in the one form and the rows of one world in the other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from enum import Enum
from typing import Any, cast

from tests.oracles.world import BY_NAME

TOKEN = re.compile(r"⟦(\w+)(?:\|([^|⟧]*)(\|)?)?⟧")
WORLD = '"~w"."m"'
"""The column that says who is deleted in the world at hand, as bits."""


class Expect(Enum):
    ANSWER = "must be answered, and right"
    EITHER = "refused, or answered right"
    REFUSE = "must be refused"


@dataclass(frozen=True, slots=True)
class Base:
    """A table of the platform; ``spelling`` is how the user writes its name."""

    table: str
    spelling: str
    alias: str = ""
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Named:
    """A CTE by its name."""

    name: str
    alias: str = ""


@dataclass(frozen=True, slots=True)
class Derived:
    query: Query
    alias: str
    columns: tuple[str, ...] = ()
    lateral: bool = False


@dataclass(frozen=True, slots=True)
class Join:
    kind: str  # "JOIN", "LEFT JOIN", ...
    left: Node
    right: Node
    on: tuple[str, ...] = ()
    using: tuple[str, ...] = ()
    brackets: bool = False


Node = Base | Named | Derived | Join


@dataclass(frozen=True, slots=True)
class Sort:
    """``text`` is what the user writes; ``column`` the output column it names (from 0), else it is an expression."""

    text: str
    column: int | None = None
    suffix: str = ""


@dataclass(frozen=True, slots=True)
class Block:
    items: tuple[str, ...]
    sources: tuple[Node, ...] = ()
    where: tuple[str, ...] = ()
    group: tuple[str, ...] = ()
    having: tuple[str, ...] = ()
    distinct: bool = False


@dataclass(frozen=True, slots=True)
class UnionAll:
    branches: tuple[Query, ...]
    operator: str = "UNION ALL"


@dataclass(frozen=True, slots=True)
class Count:
    """A LIMIT or OFFSET: the clause as it is written, and the number it means."""

    text: str
    value: int


@dataclass(frozen=True, slots=True)
class Cte:
    name: str
    query: Query
    columns: tuple[str, ...] = ()
    hint: str = ""  # "MATERIALIZED"


@dataclass(frozen=True, slots=True)
class Query:
    body: Block | UnionAll
    ctes: tuple[Cte, ...] = ()
    order: tuple[Sort, ...] = ()
    limit: Count | None = None
    offset: Count | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """A generated query with its parameters (text values for $1, $2, ...), and what is expected of the analysis."""

    query: Query
    params: tuple[str, ...] = ()
    expect: Expect = Expect.ANSWER
    why: str = ""
    raw: str = ""  # for statements that are no Query at all

    @property
    def text(self) -> str:
        return self.raw or user_text(self.query)


def user_text(query: Query) -> str:
    """The query as a user writes it."""
    return TOKEN.sub(lambda match: match[2] or match[1], _query(query))


def printed(query: Query) -> str:
    """The query with its tokens, for a caller that replaces them itself."""
    return _query(query)


def world_text(query: Query, visible: int) -> str:
    """Rows ``(rank, c1 .. cn)`` of the query without LIMIT and OFFSET in world ``"~w".m``.

    Rows of equal rank are peers: SQL permits any order among them. Without ORDER BY all rows are peers.
    """
    extra = [sort.text for sort in query.order if sort.column is None]
    names = [f"c{n}" for n in range(visible)] + [f"s{n}" for n in range(len(extra))]
    keys, hidden = [], 0
    for sort in query.order:
        if sort.column is None:
            keys.append(f"s{hidden} {sort.suffix}")
            hidden += 1
        else:
            keys.append(f"c{sort.column} {sort.suffix}")
    rank = f"rank() OVER (ORDER BY {', '.join(keys)})" if keys else "1::bigint"
    core = _query(replace(query, order=(), limit=None, offset=None), tuple(extra))
    text = f"SELECT {rank} AS r, {', '.join(names[:visible])} FROM ({core}) AS q({', '.join(names)})"
    return TOKEN.sub(_world_table, text.replace("public.", ""))


def _world_table(match: re.Match[str]) -> str:
    table = BY_NAME[match[1]]
    columns = ", ".join(column.name for column in table.visible)
    named = f" AS {table.name}" if match[3] else ""
    return f"(SELECT {columns} FROM worlds.{table.name} WHERE o & {WORLD} = 0){named}"


def _query(query: Query, extra: tuple[str, ...] = ()) -> str:
    parts = []
    if query.ctes:
        parts.append("WITH " + ", ".join(_cte(cte) for cte in query.ctes))
    body = query.body
    parts.append(_block(body, extra) if isinstance(body, Block) else _union(body))
    if query.order:
        parts.append("ORDER BY " + ", ".join(f"{sort.text} {sort.suffix}".strip() for sort in query.order))
    parts.extend(count.text for count in (query.limit, query.offset) if count)
    return " ".join(parts)


def _cte(cte: Cte) -> str:
    columns = f"({', '.join(cte.columns)})" if cte.columns else ""
    return f"{cte.name}{columns} AS {cte.hint}({_query(cte.query)})"


def _union(union: UnionAll) -> str:
    return f" {union.operator} ".join(
        _query(branch) if _is_plain(branch) else f"({_query(branch)})" for branch in union.branches
    )


def _is_plain(query: Query) -> bool:
    return isinstance(query.body, Block) and not (query.ctes or query.order or query.limit or query.offset)


def _block(block: Block, extra: tuple[str, ...]) -> str:
    parts = ["SELECT DISTINCT" if block.distinct else "SELECT", ", ".join((*block.items, *extra))]
    if block.sources:
        parts.append("FROM " + ", ".join(_node(source) for source in block.sources))
    if block.where:
        parts.append("WHERE " + _conjunction(block.where))
    if block.group:
        parts.append("GROUP BY " + ", ".join(block.group))
    if block.having:
        parts.append("HAVING " + _conjunction(block.having))
    return " ".join(parts)


def _conjunction(conjuncts: tuple[str, ...]) -> str:
    return " AND ".join(f"({text})" if " OR " in text else text for text in conjuncts)


def _node(node: Node) -> str:
    match node:
        case Base(table, spelling, alias, columns):
            # The world's form of a table is a subquery; without an alias ("|⟧") it must get the table's own name.
            text = f"⟦{table}|{spelling}⟧ AS {alias}" if alias else f"⟦{table}|{spelling}|⟧"
            return text + (f"({', '.join(columns)})" if columns else "")
        case Named(name, alias):
            return f"{name} {alias}".strip()
        case Derived(query, alias, columns, lateral):
            text = "LATERAL " if lateral else ""
            text += f"({_query(query)}) AS {alias}" if alias else f"({_query(query)})"
            return text + (f"({', '.join(columns)})" if columns else "")
        case Join(kind, left, right, on, using, brackets):
            inner = f"({_node(right)})" if isinstance(right, Join) else _node(right)
            text = f"{_node(left)} {kind} {inner}"
            if using:
                text += f" USING ({', '.join(using)})"
            elif on:
                text += f" ON {_conjunction(on)}"
            return f"({text})" if brackets else text


PARAMETER = re.compile(r"\$(\d+)")


def compact(query: Query, params: tuple[str, ...]) -> tuple[Query, tuple[str, ...]]:
    """Renumbers $n so that there are no gaps, and drops the values of parameters that are not there."""
    used = sorted({int(number) for number in PARAMETER.findall(user_text(query))})
    numbers = {old: new for new, old in enumerate(used, 1)}

    def renumber(value: object) -> Any:
        if isinstance(value, str):
            return PARAMETER.sub(lambda match: f"${numbers[int(match[1])]}", value)
        if isinstance(value, tuple):
            return tuple(renumber(element) for element in value)
        if is_dataclass(value) and not isinstance(value, type):
            return replace(value, **{part.name: renumber(getattr(value, part.name)) for part in fields(value)})
        return value

    return cast("Query", renumber(query)), tuple(params[number - 1] for number in used)


def work(query: Query, ctes: dict[str, float] | None = None) -> tuple[float, float]:
    """(rows of the result, rows of its largest part), roughly: to leave out queries that would take seconds."""
    known, most = dict(ctes or {}), 0.0
    for cte in query.ctes:
        known[cte.name], inner = work(cte.query, known)
        most = max(most, inner)
    if isinstance(query.body, UnionAll):
        parts = [work(branch, known) for branch in query.body.branches]
        rows = sum(part for part, _ in parts)
    else:
        parts = [_node_work(node, known) for node in query.body.sources]
        rows = 1.0
        for part, _ in parts:
            rows *= part
    return rows, max(most, rows, *(inner for _, inner in parts), 0.0)


def _node_work(node: Node, ctes: dict[str, float]) -> tuple[float, float]:
    match node:
        case Base():
            return 6.0, 6.0
        case Named(name):
            return ctes[name], 0.0
        case Derived(query):
            return work(query, ctes)
        case Join(_, left, right, on, using):
            (a, most_a), (b, most_b) = _node_work(left, ctes), _node_work(right, ctes)
            joined = bool(using) or any(re.fullmatch(r"\S+ = \S+", text) and text != "1 = 1" for text in on)
            rows = max(a, b, a * b / 4) if joined else a * b
            return rows, max(most_a, most_b, rows)


def smaller(value: object) -> Iterator[Any]:
    """Every tree that lacks one part of ``value``: one clause, one list element, one join side."""
    if isinstance(value, tuple):
        for n in range(len(value)):
            yield value[:n] + value[n + 1 :]
        for n, element in enumerate(value):
            for less in smaller(element):
                yield (*value[:n], less, *value[n + 1 :])
    elif is_dataclass(value) and not isinstance(value, type):
        if isinstance(value, Join):
            yield value.left
            yield value.right
        if isinstance(value, UnionAll):
            yield from (branch.body for branch in value.branches)
        for part in fields(value):
            old = getattr(value, part.name)
            if isinstance(old, Count) or old is True:
                yield replace(value, **{part.name: False if old is True else None})
            else:
                for less in smaller(old):
                    if less == () and part.name in {"items", "branches"}:
                        continue
                    yield replace(value, **{part.name: less})


def shrunk(case: Case) -> Iterator[Case]:
    """Simpler cases, the boldest cuts first. Sort columns are numbers, so items go only when no Sort needs them."""
    if case.raw:
        return
    queries = [query for query in smaller(case.query) if isinstance(query, Query)]
    for smallest in sorted(queries, key=lambda query: len(user_text(query))):
        query, params = compact(smallest, case.params)
        yield replace(case, query=query, params=params)

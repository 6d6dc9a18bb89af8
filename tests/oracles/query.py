"""A query as a tree that can be printed in two ways: as a user writes it, and as one answer for every world.

Expressions are text. A table stands in them, and in FROM, as the token ``⟦name⟧`` (``⟦name|spelling⟧``), so that the
same tree reads the platform's table in the one form and the rows of one world in the other.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass, replace
from enum import Enum
from typing import Any

from tests.oracles.world import BY_NAME

TOKEN = re.compile(r"⟦(\w+)(?:\|([^|⟧]*)(\|)?)?⟧")
PARAMETER = re.compile(r"\$(\d+)")
LINK = re.compile(r"⟦\?(\d+)⟧")
WORLD = '"~w"."m"'
"""The column that says who is deleted in the world at hand, as bits."""


class Sub(str):
    """An expression with subqueries in it: ``⟦?0⟧`` stands for the first of ``queries``, without brackets."""

    queries: tuple[Query, ...]

    def __new__(cls, text: str, queries: tuple[Query, ...]) -> Sub:
        made = super().__new__(cls, text)
        made.queries = queries
        return made


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


@dataclass(frozen=True, slots=True)
class Function:
    """A function in FROM: the call, and perhaps WITH ORDINALITY."""

    call: str
    alias: str
    columns: tuple[str, ...] = ()


Node = Base | Named | Derived | Join | Function


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
    distinct_on: tuple[str, ...] = ()
    windows: tuple[str, ...] = ()
    raw: str = ""  # instead of everything else: text with tokens for its tables


@dataclass(frozen=True, slots=True)
class UnionAll:
    branches: tuple[Query, ...]
    operator: str = "UNION ALL"


@dataclass(frozen=True, slots=True)
class Count:
    """A LIMIT or OFFSET: the clause as it is written, and the number it means. ``ties``: WITH TIES."""

    text: str
    value: int
    ties: bool = False


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
    recursive: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """A generated query with its parameters (text values for $1, $2, ...), and what is expected of the analysis."""

    query: Query
    params: tuple[str, ...] = ()
    expect: Expect = Expect.ANSWER
    why: str = ""
    raw: str = ""  # for statements that are no Query at all
    loose: bool = False  # SQL permits several answers, not only by the order of the outermost rows

    @property
    def text(self) -> str:
        return self.raw or user_text(self.query)


def rewritten(value: Any, change: Callable[[str], str]) -> Any:
    """The tree with ``change`` done to each text in it (a ``Sub`` too, whose queries are for ``change`` to see to)."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, tuple):
        elements = tuple([rewritten(element, change) for element in value])
        same = all(map(operator.is_, elements, value))
        return value if same else elements
    new = {}
    for name in _parts(type(value)):
        old = getattr(value, name)
        if (part := rewritten(old, change)) is not old:  # a Sub equals its text
            new[name] = part
    return replace(value, **new) if new else value


_PARTS: dict[type, tuple[str, ...]] = {}


def _parts(kind: type) -> tuple[str, ...]:
    if kind not in _PARTS:
        _PARTS[kind] = tuple(part.name for part in fields(kind)) if is_dataclass(kind) else ()
    return _PARTS[kind]


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
    kept = query.order if isinstance(query.body, Block) and query.body.distinct_on else ()
    core = _query(replace(query, order=kept, limit=None, offset=None), tuple(extra))
    text = f"SELECT {rank} AS r, {', '.join(names[:visible])} FROM ({core}) AS q({', '.join(names)})"
    return TOKEN.sub(_world_table, text.replace("public.", ""))


def tables(query: Query) -> frozenset[str]:
    """The tables that a query names."""
    return frozenset(match[1] for match in TOKEN.finditer(_query(query)))


def _world_table(match: re.Match[str]) -> str:
    table = BY_NAME[match[1]]
    columns = ", ".join(column.name for column in table.visible)
    named = f" AS {table.name}" if match[3] else ""
    return f"(SELECT {columns} FROM worlds.{table.name} WHERE o & {WORLD} = 0){named}"


def _query(query: Query, extra: tuple[str, ...] = ()) -> str:
    parts = []
    if query.ctes:
        words = "WITH RECURSIVE " if query.recursive else "WITH "
        parts.append(words + ", ".join(_cte(cte) for cte in query.ctes))
    body = query.body
    parts.append(_block(body, extra) if isinstance(body, Block) else _union(body))
    if query.order:
        parts.append("ORDER BY " + ", ".join(f"{_text(sort.text)} {sort.suffix}".strip() for sort in query.order))
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
    if block.raw:
        return block.raw
    parts = ["SELECT DISTINCT" if block.distinct else "SELECT"]
    if block.distinct_on:
        parts.append(f"DISTINCT ON ({', '.join(map(_text, block.distinct_on))})")
    parts.append(", ".join(map(_text, (*block.items, *extra))))
    if block.sources:
        parts.append("FROM " + ", ".join(_node(source) for source in block.sources))
    if block.where:
        parts.append("WHERE " + _conjunction(block.where))
    if block.group:
        parts.append("GROUP BY " + ", ".join(map(_text, block.group)))
    if block.having:
        parts.append("HAVING " + _conjunction(block.having))
    if block.windows:
        parts.append("WINDOW " + ", ".join(block.windows))
    return " ".join(parts)


def _conjunction(conjuncts: tuple[str, ...]) -> str:
    return " AND ".join(f"({_text(text)})" if " OR " in text else _text(text) for text in conjuncts)


def _text(text: str) -> str:
    if not isinstance(text, Sub):
        return text
    return LINK.sub(lambda match: _query(text.queries[int(match[1])]), text)


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
        case Function(call, alias, columns):
            text = f"{_text(call)} AS {alias}"
            return text + (f"({', '.join(columns)})" if columns else "")
        case Join(kind, left, right, on, using, brackets):
            inner = f"({_node(right)})" if isinstance(right, Join) else _node(right)
            text = f"{_node(left)} {kind} {inner}"
            if using:
                text += f" USING ({', '.join(using)})"
            elif on:
                text += f" ON {_conjunction(on)}"
            return f"({text})" if brackets else text

"""What was read of each expression, for rules that look at a statement as a whole (linkage.py)."""

from __future__ import annotations

from dataclasses import dataclass

from seenby.sql.blocks import Sublink
from seenby.sql.scope import Column, Level


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """One entry of GROUP BY, PARTITION BY and the like: a column as it is, or what an expression names."""

    column: Column | None
    refs: tuple[Column, ...] = ()
    sublinks: tuple[Sublink, ...] = ()

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.refs if self.column is None else (self.column,)


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """A window. ``name``: of ``OVER name`` and in the WINDOW clause; ``base``: the one that it adds to; "": none."""

    name: str
    base: str
    partition: tuple[Item, ...]
    order: tuple[Item, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Mixed:
    """A call whose value depends on many rows: an aggregate, or a window function with its ``window``.

    ``refs`` and ``sublinks``: of its arguments, its FILTER and its own ORDER BY.
    """

    name: str
    distinct: bool
    refs: tuple[Column, ...]
    sublinks: tuple[Sublink, ...]
    window: Window | None


@dataclass(slots=True, eq=False)
class Reading:
    """One expression.

    Attributes:
        level: the SELECT that it stands in.
        use: where it stands, in words.
        refs, sublinks: what it names, what it asks.
        mixed: the aggregates and window functions in it.
        counts: it is count(...) and nothing else.
        output: it makes this column of the select list.
        window: it is one of the WINDOW clause.
    """

    level: Level
    use: str
    refs: tuple[Column, ...]
    sublinks: tuple[Sublink, ...]
    mixed: tuple[Mixed, ...]
    counts: bool = False
    output: Column | None = None
    window: Window | None = None

"""What one SELECT is made of, once every name in it is resolved: the values between reading, deciding and rewriting."""

from __future__ import annotations

from dataclasses import dataclass, field

from postgast import pg_query_pb2 as pb

from seenby.sql.scope import Column, Key, Level, Relation, Scope


@dataclass(slots=True, eq=False)
class Join:
    """One JOIN of a FROM clause. ``kind`` starts as written and becomes what the join amounts to (outer.py).

    ``left`` and ``right`` are the relations of the sides, as bits; ``lower`` the joins directly inside.
    """

    kind: pb.JoinType.ValueType
    left: int
    right: int
    node: pb.JoinExpr
    lower: tuple[Join, ...] = ()
    conjuncts: list[Conjunct] = field(default_factory=list)
    sides: tuple[Item, Item] | None = None

    @property
    def nullable(self) -> int:
        """The relations that it may fill with NULL."""
        return {pb.JOIN_LEFT: self.right, pb.JOIN_RIGHT: self.left, pb.JOIN_FULL: self.left | self.right}.get(
            self.kind, 0
        )


Item = Relation | Join
"""What a comma separates in FROM."""


@dataclass(slots=True, eq=False)
class Sublink:
    """A subquery in an expression.

    Attributes:
        kind: as libpg_query has it.
        test: the left side of IN and its like; None for the others.
        test_refs: the columns that it names.
        names: what its unqualified names mean.
        operator: of ``test`` and the subquery's column.
        join: it stands in the ON of this join.
        required: no row passes unless the subquery has a row (that ``test`` equals): EXISTS or IN, AND-ed.
        conditional: it stands in WHERE or ON.
        scalar: it was written ``x = (SELECT ...)``, and fails when the subquery has two rows.
        needs: the relations of the block around it that it names.
    """

    node: pb.SubLink
    query: Query
    kind: pb.SubLinkType.ValueType
    test: pb.Node | None = None
    test_refs: tuple[Column, ...] = ()
    test_total: bool = True
    names: dict[str, Column] = field(default_factory=dict)
    operator: str = "="
    join: Join | None = None
    required: bool = False
    conditional: bool = False
    scalar: bool = False
    needs: int = 0


@dataclass(slots=True, eq=False)
class Conjunct:
    """One AND-ed condition of WHERE (``join`` None) or of a join.

    Attributes:
        node: the expression; None for an equality that USING implies.
        bits: the relations that it names.
        total: it cannot raise an error, whatever the data.
        strict: the columns (by identity) and relations (bits, negative) that keep it from being true when NULL; only
            filled in where a join or a subquery with outer joins is near.
        equal: both columns, if it is ``a.x = b.y``.
        pins: the person key that it fixes, if it is ``key = constant`` or ``key = $1``.
        names: what its unqualified names mean.
        shrinks: it is ``count > 3`` or the like, which does not turn true when rows go away.
        sublinks: the subqueries in it.
        sure: as ``total``, of what stands outside of them.
    """

    node: pb.Node | None
    refs: list[Column]
    bits: int
    total: bool
    join: Join | None
    strict: frozenset[int] = frozenset()
    equal: tuple[Column, Column] | None = None
    pins: Key | None = None
    names: dict[str, Column] = field(default_factory=dict)
    shrinks: bool = False
    sublinks: tuple[Sublink, ...] = ()
    sure: bool = True

    @property
    def pins_several(self) -> bool:
        """``key IN (5, 6)``, ``key = ANY ($1)``."""
        return self.pins is not None and self.node is not None and self.node.a_expr.kind != pb.AEXPR_OP

    @property
    def strict_bits(self) -> int:
        bits = 0
        for part in self.strict:
            if part < 0:
                bits |= -part
        return bits


@dataclass(slots=True, eq=False)
class Block:
    """One SELECT without its set operations: FROM, conditions, output.

    Attributes:
        select: its tree; for VALUES the tree with the lists.
        joins: every JOIN of FROM, outermost last.
        roots: the joins that FROM lists directly.
        obstacles: what keeps the person keys from travelling through it, in words.
        delicate: a join, or a subquery with fragile columns, stands in FROM: strictness of conditions matters.
        exact: its outer joins add nobody who is not in a row of it (outer.py).
        items: FROM.
        firsts: for DISTINCT ON its columns, by identity ({0} if there are only expressions).
        argued: outputs whose value is that of one of the rows: min(x), max(x).
        values: the lists of VALUES, if it is that.
        names: per output, what its unqualified names mean.
        sublinks: the subqueries in its expressions, wherever they stand.
        listed: those of the select list and of ORDER BY.
        any_order: its aggregates give the same in whatever order the rows come.
        gathers: "group" or "distinct": its rows stand for several rows of FROM, whose keys they can carry together.
        grouped: the columns that GROUP BY names.
        lost: people decide about it whose keys its rows cannot carry.
        sets: it has several sets of groups.
        plain_group: it has GROUP BY and one set of groups, so that it gives no row where FROM and WHERE leave none.
    """

    select: pb.SelectStmt
    scope: Scope
    relations: list[Relation] = field(default_factory=list)
    joins: list[Join] = field(default_factory=list)
    roots: list[Join] = field(default_factory=list)
    conjuncts: list[Conjunct] = field(default_factory=list)
    outputs: list[Column] = field(default_factory=list)
    obstacles: list[str] = field(default_factory=list)
    keys: list[Key] = field(default_factory=list)
    delicate: bool = False
    exact: bool = True
    aggregated: bool = False
    items: list[Item] = field(default_factory=list)
    names: list[dict[str, Column]] = field(default_factory=list)
    sublinks: list[Sublink] = field(default_factory=list)
    firsts: frozenset[int] = frozenset()
    values: pb.SelectStmt | None = None
    argued: set[int] = field(default_factory=set)
    sets: bool = False
    plain_group: bool = False
    listed: list[Sublink] = field(default_factory=list)
    any_order: bool = True
    gathers: str = ""
    lost: bool = False
    grouped: list[Column] = field(default_factory=list)
    ordinals: list[pb.A_Const] = field(default_factory=list)

    @property
    def level(self) -> Level:
        return self.scope.level

    @property
    def persons(self) -> bool:
        return any(relation.persons for relation in self.relations) or any(one.query.persons for one in self.sublinks)

    @property
    def steady(self) -> bool:
        """Its rows only go away when rows of tables do: none of them changes its values instead."""
        return not self.level.nullable and not any(
            column.fragility for relation in self.relations for column in relation.ordered or ()
        )

    @property
    def lone_row(self) -> bool:
        """An aggregate without GROUP BY: one row, whatever FROM and WHERE leave."""
        return self.aggregated and not self.plain_group


@dataclass(slots=True, eq=False)
class Query:
    """A SELECT with its set operations.

    Attributes:
        select: where WITH, ORDER BY and LIMIT stand.
        blocks: the leaves of the set operations, left to right.
        selects: every node of that tree.
        operation: "" for one block, "UNION ALL" if nothing else is used, otherwise one of the others.
        limited: it has LIMIT or OFFSET.
        ordinals: constants of ORDER BY that count output columns.
        branches: the sides of a set operation.
        recursion: for WITH RECURSIVE: its name.
        settled: it has LIMIT, and its first rows can be named (first.py).
        settles_inside: it, or something in it, is settled.
    """

    select: pb.SelectStmt
    blocks: list[Block]
    selects: list[pb.SelectStmt]
    outputs: list[Column]
    operation: str = ""
    limited: bool = False
    obstacles: list[str] = field(default_factory=list)
    ordinals: list[pb.A_Const] = field(default_factory=list)
    branches: tuple[Query, Query] | None = None
    recursion: str = ""
    settled: bool = False
    settles_inside: bool = False

    _persons: bool | None = None

    @property
    def persons(self) -> bool:
        """Tables with people stand somewhere in it. Asked when it was read whole, and then known."""
        if self._persons is None:
            self._persons = any(block.persons for block in self.blocks)
        return self._persons

    @property
    def lone_row(self) -> bool:
        """It gives a row whatever the tables hold."""
        return self.branches is None and self.blocks[0].lone_row

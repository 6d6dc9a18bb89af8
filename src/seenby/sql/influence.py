"""Who decides about a result: SELECTs that together give the key of everybody whose rows can make a difference.

``rows`` writes down what a query could give in any part of the data, ``parts`` who decides about it. For every column
that a part gives, this holds: which rows with the value x the query gives, in any part of the data, is decided by
people whom the part gives together with x. So a condition on that column may cut people off, and a filter on one
person does not name thousands:

    SELECT u.handle, s.n FROM accounts u JOIN (SELECT sender, count(*) AS n FROM messages GROUP BY sender) s
        ON s.sender = u.id WHERE u.id = 42 AND s.n > 100
    -> SELECT u."seenby$1", s.k FROM accounts u, (SELECT sender, "seenby$1" AS k FROM messages) s
        WHERE s.sender = u.id AND u.id = 42

===================  ==================================================================================================
in the query         here
===================  ==================================================================================================
an aggregate         its FROM and WHERE; the aggregate's own value is not relied on (usable.py)
LIMIT                its first rows, in an order that can be told (first.py); otherwise left out
windows              left out; nothing that follows cuts off others of the partition
an outer join        itself, and conditions above it that look at the optional side are left out
a subquery in an     a part of its own: the rows of FROM, and for each the subquery's people (LATERAL)
expression
UNION and the like   a part per branch
WITH RECURSIVE       the rows of all rounds; who stands in the first and in the later ones
===================  ==================================================================================================
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from postgast import pg_query_pb2 as pb

from seenby.errors import TooComplex, Unsupported
from seenby.sql import tree
from seenby.sql.blocks import Block, Item, Join, Query, Sublink
from seenby.sql.extremes import VALUE, Extremes, cannot_fail, grade, owners, says_nothing_else, unless
from seenby.sql.first import first_rows
from seenby.sql.parse import SPLIT_HINT
from seenby.sql.pieces import Condition, Part, Piece, finished, select_of
from seenby.sql.scope import Relation
from seenby.sql.usable import Around, column_holds, gives, holds, qualified, target, written

Places = Sequence[tuple[int, str]]
"""Outputs of a query by number, each with the name that it gets."""

MAX_FULL_JOINS = 3
MAX_WRITTEN = 1000
"""Entries of FROM. A WITH query is written down wherever it is named, so that a chain of them can double each time."""


@dataclass(frozen=True, slots=True)
class _Core:
    """FROM and WHERE of a block as far as they hold; ``named``: the relations whose keys are in it."""

    pieces: list[Piece]
    conditions: list[Condition]
    around: Around
    named: int


class Influence(Extremes):
    """Writes the companion of one statement. Reads the tree; what it gives are copies."""

    def __init__(self) -> None:
        self._made = 0
        self._written = 0
        self._riding: dict[int, bool] = {}
        self.agreed = False  # LIMIT below the top is read as at the top

    def _name(self, letter: str) -> str:
        self._made += 1
        return f"seenby${letter}{self._made}"

    # what a query could give

    def rows(self, query: Query, places: Places, around: Around) -> pb.SelectStmt:
        """What ``query`` gives in any part of the data, and perhaps more."""
        if query.recursion:
            return self._rounds(query, places, around)
        if query.branches is not None:
            left, right = (self.rows(one, places, around) for one in query.branches)
            op = query.select.op
            if op == pb.SETOP_EXCEPT:
                return left
            meet = op == pb.SETOP_INTERSECT and places
            return tree.united(left, right, pb.SETOP_INTERSECT if meet else pb.SETOP_UNION, keep=not meet)
        (block,) = query.blocks
        if block.values is not None:
            return _values(block.values, places)
        if around.first and self._comes_first(query, around):
            return first_rows(query, places, keys=False)[0]
        selects = []
        for kinds in _variants(block):
            core = self._core(block, around, kinds, None, None)
            selects.append(select_of(_targets(block, places), core.pieces, core.conditions))
        if block.lone_row:
            selects.append(tree.select([tree.null_output(name) for _, name in places] or [tree.one_target()], []))
        whole = selects[0]
        for select in selects[1:]:
            whole = tree.united(whole, select, pb.SETOP_UNION, keep=True)
        return whole

    def _rounds(self, query: Query, places: Places, around: Around) -> pb.SelectStmt:
        """WITH RECURSIVE r (c1, c2) AS (base UNION step) SELECT c1 AS ... FROM r."""
        assert query.branches is not None
        name = self._name("r")
        every = [(number, column.real) for number, column in enumerate(query.branches[0].outputs)]
        base, step = query.branches
        inside = around.writing(query, name)
        block = step.blocks[0]
        if not all(holds(one, block, inside) for one in block.conjuncts):
            raise Unsupported(
                f"WITH RECURSIVE {query.recursion} cannot be attributed to people in this form",
                hint="its second part may compare columns of tables, of itself, and constants",
            )
        both = tree.united(
            self.rows(base, every, inside), self.rows(step, every, inside), pb.SETOP_UNION, keep=query.select.all
        )
        select = tree.select([tree.column_target(name, query.branches[0].outputs[n].real, to) for n, to in places], [])
        if not places:
            select.target_list.append(tree.one_target())
        select.from_clause.append(tree.table(name))
        select.with_clause.recursive = True
        cte = select.with_clause.ctes.add().common_table_expr
        cte.ctename, cte.ctematerialized = name, pb.CTEMaterializeDefault
        cte.aliascolnames.extend(tree.string(real) for _, real in every)
        cte.ctequery.select_stmt.CopyFrom(both)
        return select

    # who decides about it

    def parts(self, query: Query, places: Places, around: Around) -> Iterator[Part]:
        """Everybody who decides about what ``query`` gives. Each part gives ``places`` too, as ``kept`` leaves them."""
        if self._comes_first(query, around):
            yield Part(*first_rows(query, (), keys=True))
        elif query.recursion:
            assert query.branches is not None
            for branch in query.branches:
                yield from self.parts(branch, (), around)
        elif query.branches is not None:
            for branch in query.branches:
                yield from self.parts(branch, places, around)
        else:
            yield from self._parts(query.blocks[0], places, around)

    def everybody(self, query: Query) -> Iterator[Part]:
        """``parts`` of the whole statement. Its own LIMIT is left out: it is asked when there are no rows."""
        settled, query.settled = query.settled, False
        yield from self.parts(query, (), Around())
        query.settled = settled

    def _comes_first(self, query: Query, around: Around) -> bool:
        """It has LIMIT, its first rows can be named, and what it names of the SELECT around it is there."""
        if not query.settled:
            return False
        (block,) = query.blocks
        outer = [(column, one.strict) for one in block.conjuncts for column in one.refs if column.origin is not None]
        for one in block.outputs:
            outer += [(column, frozenset({id(column)})) for column in one.sources if column.origin is not None]
        if not all(column_holds(column, block.level, around, strict) for column, strict in outer):
            return False
        self.agreed = True
        return True

    def _parts(self, block: Block, places: Places, around: Around) -> Iterator[Part]:
        if not block.persons:
            return
        targets = _targets(block, places)
        for kinds in _variants(block):
            core = self._core(block, around, kinds, None, None)
            yield from finished(targets, core.pieces, core.conditions)
            for relation in block.relations:
                if relation.query is None or not relation.persons or relation.bit & core.named:
                    continue
                inside = around.looking_at(block.level, relation.bit)
                inside = inside.literally() if relation.query.settles_inside else inside
                wanted = _kept(relation, inside)
                for part in self.parts(relation.query, wanted, inside):
                    there = self._core(block, inside, kinds, relation, part)
                    yield from finished(targets, there.pieces, there.conditions)
            for link in block.sublinks:
                yield from self._linked(block, link, targets, around, kinds)

    def _linked(
        self, block: Block, link: Sublink, targets: list[pb.Node], around: Around, kinds: dict[int, int]
    ) -> Iterator[Part]:
        """The rows of FROM, and with each the people of a subquery that is evaluated for it."""
        if not link.query.persons:
            return
        around = around.literally() if link.query.settles_inside else around
        if block.lone_row and (block.sets or not link.needs) and not link.conditional:
            # The row of a group of no rows has it too.
            everything = sum(relation.bit for relation in block.relations)
            core = _Core([], [], around.without(block.level, everything), 0)
        else:
            core = self._core(block, around, kinds, None, None, but=link)
            known = [node for node, _, _ in core.conditions]
            core.conditions.extend(one for one in self._undecided(block, link, core.around) if one[0] not in known)
        for piece in core.pieces:
            piece.keys = []
        compared = self._compared(block, link, core.around)
        for part in self.parts(link.query, [(0, VALUE)] if compared else [], core.around):
            alias = self._name("s")
            keys = [(kind, alias, f"seenby$k{n}") for n, kind in enumerate(part.kinds, 1)]
            bits = _touched(link)
            for condition in compared or [None]:
                node = tree.subselect(part.select, alias, lateral=True)
                piece = Piece(node, 0, bits, keys)
                extra = [] if condition is None else [(_at(condition, alias), bits, piece)]
                yield from finished(targets, [*core.pieces, piece], [*core.conditions, *extra])

    def _undecided(self, block: Block, link: Sublink, around: Around) -> Iterator[Condition]:
        """Rows for which it is not certain anyway what the subquery's EXISTS or IN says, or the condition around it."""
        if not cannot_fail(link.query):
            return
        nodes = [self.settled(link, block, around)]
        for conjunct in block.conjuncts:
            if link not in conjunct.sublinks or says_nothing_else(conjunct.node, link):
                continue
            if conjunct.join is None or not block.level.nullable:
                nodes.append(self.worst(conjunct, block, around.literally(), owners(block)))
        for text in dict.fromkeys(node.SerializeToString() for node in nodes if node is not None):
            node = unless(pb.Node.FromString(text))
            yield node, _named_bits(node, block), None

    def _compared(self, block: Block, link: Sublink, around: Around) -> list[pb.Node]:
        """Of ``x IN (SELECT v ...)`` which rows of the subquery matter, as alternatives; none: all do."""
        if link.scalar or link.test is None or not link.test_total:
            return []
        if link.kind not in {pb.ANY_SUBLINK, pb.ALL_SUBLINK}:
            return []
        fragile, _ = grade(link.query, 0)
        if fragile or not link.query.outputs[0].total or len(link.query.outputs) > 1:
            return []
        optional = any(column.bits & block.level.nullable for column in link.test_refs)
        if (optional and not link.required) or not all(
            column_holds(column, block.level, around) for column in link.test_refs
        ):
            return []
        test = qualified(link.test, link.names)
        value = tree.column("", VALUE)
        same = tree.operation(link.operator, test, value)
        if link.required:
            return [same]
        if link.kind == pb.ALL_SUBLINK:
            same = tree.negated(same)
        return [same, tree.is_null(value), *([tree.is_null(test)] if link.test_refs else [])]

    # FROM and WHERE

    def _core(
        self,
        block: Block,
        around: Around,
        kinds: dict[int, int],
        focus: Relation | None,
        part: Part | None,
        but: Sublink | None = None,
    ) -> _Core:
        """FROM and WHERE of a block as far as they hold; ``part`` stands there instead of the relation ``focus``, and
        what the subquery ``but`` asks is left out.
        """
        gone = named = 0
        pieces = {}
        for relation in block.relations:
            # What stands further right may name this one, but only what is left of it.
            piece = self._relation(relation, block, around.without(block.level, gone), focus, part)
            if piece is None:
                gone |= relation.bit
            else:
                pieces[relation.bit] = piece
                named |= relation.bit if piece.keys else 0
        around = around.without(block.level, gone)
        conditions: list[Condition] = []
        optional = any(join.nullable for join in block.joins)
        if optional:
            found = [self._tree(item, block, around, pieces, kinds) for item in block.items]
        else:
            found = list(pieces.values())
        for conjunct in block.conjuncts:
            if (optional and conjunct.join is not None) or (
                but is not None and but.required and but in conjunct.sublinks
            ):
                continue
            if conjunct.sublinks:
                node = self.best(conjunct, block, around)
                if node is not None:
                    conditions.append((node, conjunct.bits | _named_bits(node, block), None))
            elif holds(conjunct, block, around):
                conditions.append((written(conjunct), conjunct.bits, None))
        return _Core(found, conditions, around, named)

    def _relation(
        self, relation: Relation, block: Block, around: Around, focus: Relation | None, part: Part | None
    ) -> Piece | None:
        """An entry of FROM; None if it tells nothing."""
        self._written += 1
        if self._written > MAX_WRITTEN:
            raise TooComplex("a companion query for this statement would be too long", hint=SPLIT_HINT)
        if relation.index is not None:
            keys = [(key.kind, relation.alias, key.name) for key in relation.keys] if focus is None else []
            return Piece(relation.node, relation.bit, 0, keys)
        if relation is focus:
            assert part is not None
            node = tree.subselect(part.select, relation.alias, lateral=relation.lateral)
            keys = [(kind, relation.alias, f"seenby$k{n}") for n, kind in enumerate(part.kinds, 1)]
            return Piece(node, relation.bit, relation.needs, keys)
        if relation.own is not None:
            name = around.own.get(id(relation.own))
            if name is not None:
                return Piece(tree.table(name, relation.alias, _names(relation)), relation.bit, 0, [])
            places = [(number, column.real) for number, column in enumerate(relation.ordered or ())]
            return Piece(tree.subselect(self.rows(relation.own, places, around), relation.alias), relation.bit, 0, [])
        if relation.query is None:
            known = all(
                column_holds(source, block.level, around, frozenset({id(source)}))
                for column in relation.ordered or ()
                for source in column.sources
            )
            if (
                not (relation.total or around.risky)
                or not known
                or relation.needs & around.gone.get(id(block.level), 0)
            ):
                return None
            outwards = any(one.origin is not None for column in relation.ordered or () for one in column.sources)
            return Piece(relation.node, relation.bit, relation.needs, [], bare=outwards)
        kept = _kept(relation, around) if focus is None and self._rides(relation) else []
        if kept:
            (only,) = self.parts(relation.query, kept, around)
            node = tree.subselect(only.select, relation.alias, lateral=relation.lateral)
            keys = [(kind, relation.alias, f"seenby$k{n}") for n, kind in enumerate(only.kinds, 1)]
            return Piece(node, relation.bit, relation.needs, keys)
        places = _possible(relation, around)
        if not places and not relation.query.lone_row and not relation.query.limited:
            return Piece(
                tree.subselect(self.rows(relation.query, (), around), relation.alias, lateral=relation.lateral),
                relation.bit, relation.needs, [],
            )  # fmt: skip
        if not places:
            return None
        node = tree.subselect(self.rows(relation.query, places, around), relation.alias, lateral=relation.lateral)
        return Piece(node, relation.bit, relation.needs, [])

    def _rides(self, relation: Relation) -> bool:
        """The keys of a subquery can stand in its rows: one plain SELECT, whose columns all tell rows apart."""
        query = relation.query
        if query is None:
            return False
        known = self._riding.get(id(query))
        if known is None:
            known = self._riding[id(query)] = self._keys_ride(query)
        return known

    def _keys_ride(self, query: Query) -> bool:
        if query.recursion or query.branches is not None or query.limited or not query.persons:
            return False
        (block,) = query.blocks
        if block.lone_row or block.sublinks or any(join.kind == pb.JOIN_FULL for join in block.joins):
            return False
        if any(column.fragile == 2 and column.possible for column in query.outputs):
            return False
        if not any(column.fragile < 2 and column.total for column in query.outputs):
            return False
        return all(bool(one.index) or not one.persons or self._rides(one) for one in block.relations)

    def _tree(self, item: Item, block: Block, around: Around, pieces: dict[int, Piece], kinds: dict[int, int]) -> Piece:
        if isinstance(item, Relation):
            piece = pieces.get(item.bit)
            return piece if piece is not None else Piece(tree.nothing(item.alias), item.bit, 0, [])
        left, right = (self._tree(side, block, around, pieces, kinds) for side in _sides(item))
        nodes = [written(one) for one in item.conjuncts if holds(one, block, around)]
        node = pb.Node()
        join = node.join_expr
        join.jointype = kinds.get(id(item), item.kind)
        join.larg.CopyFrom(left.node)
        join.rarg.CopyFrom(right.node)
        join.quals.CopyFrom(tree.conjunction(nodes) if nodes else tree.true())
        return Piece(node, left.bits | right.bits, left.needs | right.needs, left.keys + right.keys)


def _named_bits(node: pb.Node, block: Block) -> int:
    """The relations of a block whose names stand in an expression, its subqueries too."""
    names = set(tree.qualifiers(node))
    return sum(relation.bit for relation in block.relations if relation.alias in names)


def _touched(link: Sublink) -> int:
    """The relations around it that a subquery names."""
    bits = link.needs
    for column in link.test_refs:
        bits |= column.bits
    return bits


def _sides(join: Join) -> tuple[Item, Item]:
    assert join.sides is not None
    return join.sides


def _names(relation: Relation) -> list[str]:
    return [column.real for column in relation.ordered or ()]


def _kept(relation: Relation, around: Around) -> list[tuple[int, str]]:
    """The outputs of a subquery that tell its rows apart in every part of the data."""
    assert relation.query is not None
    return [
        (number, column.real)
        for number, column in enumerate(relation.ordered or ())
        if column.fragile < 2 and (column.total or around.risky) and gives(relation.query, number, around)
    ]


def _possible(relation: Relation, around: Around) -> list[tuple[int, str]]:
    """The outputs of a subquery whose values are among those of its rows."""
    query = relation.query
    assert query is not None
    return [
        (number, column.real)
        for number, column in enumerate(relation.ordered or ())
        if (column.fragile < 2 or column.possible)
        and (column.total or around.risky or query.recursion)
        and gives(query, number, around)
    ]


def _variants(block: Block) -> Iterator[dict[int, int]]:
    """FULL JOIN needs conditions that can be merged or hashed, so it becomes a LEFT and a RIGHT one."""
    full = [join for join in block.joins if join.kind == pb.JOIN_FULL]
    if len(full) > MAX_FULL_JOINS:
        raise Unsupported(
            f"more than {MAX_FULL_JOINS} FULL JOINs in one SELECT cannot be attributed to people",
            hint="split the statement",
        )
    for choice in product((pb.JOIN_LEFT, pb.JOIN_RIGHT), repeat=len(full)):
        yield {id(join): kind for join, kind in zip(full, choice, strict=True)}


def _targets(block: Block, places: Places) -> list[pb.Node]:
    if block.values is not None:
        return [tree.null_output(name) for _, name in places]
    return [target(block, place, name) for place, name in places]


def _values(lists: pb.SelectStmt, places: Places) -> pb.SelectStmt:
    """SELECT v.column1 AS x FROM (VALUES ...) AS v."""
    targets = [tree.column_target("v", f"column{place + 1}", name) for place, name in places]
    return tree.select(targets or [tree.one_target()], [tree.subselect(lists, "v")])


def _at(condition: pb.Node, alias: str) -> pb.Node:
    """The condition with the subquery's column qualified."""
    copy = pb.Node.FromString(condition.SerializeToString())
    tree.requalify(copy, VALUE, alias)
    return copy

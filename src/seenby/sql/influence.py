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
an outer join        itself; conditions above it that look at the optional side count where they fail with it and
                     without it (nulled.py)
a subquery in an     a part of its own: the rows of FROM, and for each the subquery's people (LATERAL)
expression
UNION and the like   a part per branch
WITH RECURSIVE       the rows of all rounds; who stands in the first and in the later ones
===================  ==================================================================================================
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from postgast import pg_query_pb2 as pb

from seenby.errors import Unsupported
from seenby.sql import tree
from seenby.sql.blocks import Block, Query, Sublink
from seenby.sql.extremes import Places, cannot_fail, grade, owners, says_nothing_else, unless
from seenby.sql.first import first_rows
from seenby.sql.pieces import Condition, Part, Piece, finished, select_of
from seenby.sql.ranges import Core, Ranges, kept_outputs, named_bits
from seenby.sql.sure import VALUE
from seenby.sql.usable import Around, column_holds, gives, holds, qualified, target

MAX_FULL_JOINS = 3


class Influence(Ranges):
    """Writes the companion of one statement. Reads the tree; what it gives are copies."""

    def __init__(self) -> None:
        super().__init__()
        self._made = 0
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
            core = self.core(block, around, kinds, None, None)
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
        around_it = (
            column_holds(source, part.level, inside, frozenset({id(source)}))
            for branch in query.branches
            for part in branch.blocks
            for output in part.outputs
            for source in output.sources
            if source.origin is not None
        )
        if not all(holds(one, block, inside) for one in block.conjuncts) or not all(around_it):
            raise Unsupported(
                f"WITH RECURSIVE {query.recursion} cannot be attributed to people in this form",
                hint="its second part may compare columns of tables, of itself, and constants; try it without LATERAL",
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
            core = self.core(block, around, kinds, None, None)
            yield from finished(targets, core.pieces, core.conditions)
            for relation in block.relations:
                if relation.query is None or not relation.persons or relation.bit & core.named:
                    continue
                inside = around.looking_at(block.level, relation.bit)
                inside = inside.literally() if relation.query.settles_inside else inside
                wanted = kept_outputs(relation, inside)
                for part in self.parts(relation.query, wanted, inside):
                    there = self.core(block, inside, kinds, relation, part)
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
            core = Core([], [], around.without(block.level, everything), 0)
        else:
            core = self.core(block, around, kinds, None, None, but=link)
            known = [one for node, _, _ in core.conditions for one in tree.conjuncts(node)]
            core.conditions.extend(one for one in self._undecided(block, link, core.around) if one[0] not in known)
            core.conditions.extend((one, named_bits(one, block, 0), None) for one in self.guards(link, block, around))
        for piece in core.pieces:
            piece.keys = []
        compared = self.compared(block, link, core.around)
        for part in self.parts(link.query, [(0, VALUE)] if compared else [], core.around):
            alias = self._name("s")
            keys = [(kind, alias, f"seenby$k{n}") for n, kind in enumerate(part.kinds, 1)]
            bits = _touched(link)
            for condition in compared or [None]:
                node = tree.subselect(part.select, alias, lateral=True)
                piece = Piece(node, 0, bits, keys)
                extra = [] if condition is None else [(compared_at(condition, alias), bits, piece)]
                yield from finished(targets, [*core.pieces, piece], [*core.conditions, *extra])

    def _undecided(self, block: Block, link: Sublink, around: Around) -> Iterator[Condition]:
        """Rows for which it is not certain anyway what the subquery's EXISTS or IN says, or the condition around it."""
        if not cannot_fail(link.query):
            return
        nodes = [self.settled(link, block, around, owners(block, around))]
        for conjunct in block.conjuncts:
            if link not in conjunct.sublinks or says_nothing_else(conjunct.node, link):
                continue
            if conjunct.join is None or not block.level.nullable:
                nodes.append(self.worst(conjunct, block, around.literally(), owners(block, around)))
        decided = (one for node in nodes if node is not None for one in tree.conjuncts(unless(node)))
        for text in dict.fromkeys(one.SerializeToString() for one in decided):
            node = pb.Node.FromString(text)
            yield node, named_bits(node, block, _touched(link)), None

    def compared(self, block: Block, link: Sublink, around: Around) -> list[pb.Node]:
        """Of ``x IN (SELECT v ...)`` which rows of the subquery matter, as alternatives; none: all do."""
        if link.scalar or link.test is None or not link.test_total:
            return []
        if link.kind not in {pb.ANY_SUBLINK, pb.ALL_SUBLINK}:
            return []
        fragile, _ = grade(link.query, 0)
        if fragile > link.required or not link.query.outputs[0].total or len(link.query.outputs) > 1:
            return []
        if not gives(link.query, 0, around):  # it may be a column of the query around it, which is gone
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


def _touched(link: Sublink) -> int:
    """The relations around it that a subquery names."""
    bits = link.needs
    for column in link.test_refs:
        bits |= column.bits
    return bits


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


def compared_at(condition: pb.Node, alias: str) -> pb.Node:
    """The condition with the subquery's column qualified."""
    copy = pb.Node.FromString(condition.SerializeToString())
    tree.requalify(copy, VALUE, alias)
    return copy

"""What may be answered as a statistic, without naming its people.

A statement may compute whatever it likes of figures that may be shown: they are published, and what follows from them
is no news. So the question is which of its SELECTs make figures of people's rows, and whether each of these may::

    SELECT month, n, sum(n) OVER (ORDER BY month) FROM (SELECT date_trunc('month', at) AS month, count(*) AS n
                                                        FROM logins GROUP BY 1) m ORDER BY month LIMIT 12
                                                        ^ these are figures; the rest is made of them

What a figure may be made of is a closed list, because one person's value can hide in a sum: ``sum(CASE WHEN id = 42
THEN balance END)``. So conditions stand in WHERE, GROUP BY and FILTER alone, where they decide about whole rows and are
seen by the cohort query (cohort.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from postgast import pg_query_pb2 as pb

from seenby.model.shape import Catalog
from seenby.sql import singled, tree
from seenby.sql.arguments import COUNTS, FIGURES, OF_PERSON, Arguments, choices, names_a_person
from seenby.sql.blocks import Block, Query, Sublink
from seenby.sql.groupsets import group_expressions, grouping_sets, same
from seenby.sql.harmless import Total, children, column_of, harmless, inside, name_of_call, references
from seenby.sql.own import conditions_of, is_own
from seenby.sql.scope import Column, Scope
from seenby.sql.sources import NO_SUBQUERIES, Person, Sources, Why, absent, read_sources

MOST_SETS = 16
"""Of GROUPING SETS."""


@dataclass(slots=True, eq=False)
class Leaf:
    """A SELECT whose aggregates are figures about people.

    Attributes:
        groups: what it groups by, each expression once.
        sets: of GROUP BY, as places in ``groups``, each once; one empty set where there is no GROUP BY.
        shown: how many sets are written: one that is written twice is shown twice.
        filters: what chooses rows for some figure, each once: FILTER, a branch of CASE, values that are not NULL.
        written: those of FILTER and CASE, as they are written.
        values: of each filter the columns that are not NULL where it holds, if that is what it is for; "" otherwise.
            Figures of some values are compared with others of them, and not with those of all rows.
        chosen: figures, each once, and the places in ``filters`` of what chooses their rows.
        weighed: whoever has more rows weighs more in some figure.
        lone: it has no GROUP BY: one row, or none where too few people stand behind it.
    """

    query: Query
    block: Block
    sources: Sources
    groups: list[pb.Node] = field(default_factory=list)
    sets: list[tuple[int, ...]] = field(default_factory=list)
    shown: int = 1
    filters: list[pb.Node] = field(default_factory=list)
    written: list[pb.Node] = field(default_factory=list)
    values: list[str] = field(default_factory=list)
    chosen: list[tuple[pb.Node, tuple[int, ...]]] = field(default_factory=list)
    weighed: bool = False

    @property
    def lone(self) -> bool:
        return not self.block.select.group_clause

    @property
    def has_windows(self) -> bool:
        return any(
            node.WhichOneof("node") == "func_call" and node.func_call.HasField("over")
            for node in inside(self.block.select)
        )

    def exempt(self, condition: pb.Node) -> list[Person]:
        """Of whom no row is there where ``condition`` holds, by what it says."""
        return absent(condition, self.block, self.sources.persons)

    @property
    def exempt_by_group(self) -> list[tuple[int, bool, Person]]:
        """``GROUP BY s.account_id IS NOT NULL``: (place of the group expression, its value then, who is missing)."""
        if len(self.sets) != 1:
            return []
        found = []
        for place, node in enumerate(self.groups):
            if node.WhichOneof("node") == "null_test":
                condition = pb.Node.FromString(node.SerializeToString())
                condition.null_test.nulltesttype = pb.IS_NULL
                value = node.null_test.nulltesttype == pb.IS_NULL
                found += [(place, value, person) for person in self.exempt(condition)]
        return found


class Finder:
    """Finds the figures of one statement that was read."""

    def __init__(self, catalog: Catalog, cannot_fail: Callable[[pb.Node, Scope], bool]) -> None:
        """``cannot_fail``: says it of an expression of the SELECT with these names."""
        self._catalog = catalog
        self._cannot_fail_in = cannot_fail
        self.leaves: list[Leaf] = []
        self._arguments = Arguments(catalog.aggregates, catalog.required, self._total_at)
        self._own: list[pb.SubLink] = []  # subqueries about the very person of the row
        self._seen: set[int] = set()

    def why_not(self, query: Query) -> Why:
        """Why a statement is none; "" if it is one, and then ``leaves`` is what it is made of."""
        if id(query) in self._seen:
            return ""
        self._seen.add(id(query))
        if query.recursion:
            return "a statistic has no recursion"
        if query.branches is not None:
            return next((why for side in query.branches if (why := self.why_not(side))), "")
        (block,) = query.blocks
        if not block.persons:
            return ""
        if not block.aggregated:
            return self._made_of_figures(block)
        before = list(self.leaves), set(self._seen)
        why = self._leaf(query, block)
        if why and not any(relation.keys and relation.index is not None for relation in block.relations):
            # No table about people stands in its FROM: perhaps what it counts are figures already.
            kept, (self.leaves, self._seen) = (list(self.leaves), set(self._seen)), before
            if not self._made_of_figures(block):
                return ""
            self.leaves, self._seen = kept
        return why

    def _made_of_figures(self, block: Block) -> Why:
        for relation in block.relations:
            if relation.lateral or relation.own is not None:
                return "LATERAL and recursion are not part of a statistic"
            if relation.index is not None and relation.persons:
                return "this statement asks for rows"
            if relation.query is not None and (why := self.why_not(relation.query)):
                return why
        return self._sublinks(block.sublinks)

    def _sublinks(self, links: Sequence[Sublink]) -> Why:
        for link in links:
            if link.needs:
                return "a subquery that looks at each row of the SELECT around it is not part of a statistic"
            if why := self.why_not(link.query):
                return why
        return ""

    # figures

    def _leaf(self, query: Query, block: Block) -> Why:
        sources = read_sources(block, self._catalog.unique_keys)
        if isinstance(sources, str):
            return sources
        leaf = Leaf(query, block, sources)
        own = [link for link in block.sublinks if is_own(link, sources.persons)]
        self._own += [link.node for link in own]
        others = [link for link in block.sublinks if link not in own]
        if any(link.conditional for link in others):
            return NO_SUBQUERIES
        calls = [
            node.func_call for one in sources.blocks for target in one.select.target_list for node in inside(target)
        ]
        if any(name_of_call(call) in self._catalog.set_returning for call in calls if call.funcname):
            return "a function that gives several rows could count single people several times"
        why = self._groups(leaf) or self._figures(leaf) or self._cannot_fail(leaf, own) or self._sublinks(others)
        why = why or self._singled_out(leaf, own)
        # What its own subqueries are about, these say themselves.
        if not why and any(not one.exact or (one.lost and not one.sublinks) for one in sources.blocks):
            why = "it does not say whose rows take part"
        if not why:
            self.leaves.append(leaf)
        return why

    def _groups(self, leaf: Leaf) -> Why:
        block = leaf.block
        for node in group_expressions(block):
            if not any(same(node, one, block) for one in leaf.groups):
                leaf.groups.append(node)
        if any(self._has_others(node) for node in leaf.groups):
            return NO_SUBQUERIES
        written = grouping_sets(block, leaf.groups, MOST_SETS)
        if len(written) > MOST_SETS:
            return f"it has more than {MOST_SETS} sets of groups"
        leaf.sets = list(dict.fromkeys(written))
        leaf.shown = len(written)
        for node in leaf.groups:
            column = column_of(node, block)
            if column is not None and names_a_person(column):
                return "its groups would be single people: group by something that many people share"
        return ""

    def _figures(self, leaf: Leaf) -> Why:
        block, select = leaf.block, leaf.block.select
        # Behind its own columns, a subquery has columns of ours.
        expressions = [target.res_target.val for target in select.target_list[: len(block.outputs)]]
        if select.HasField("having_clause"):
            expressions.append(select.having_clause)
        expressions += [one for window in select.window_clause for one in children(window)]
        expressions += [node for node in select.distinct_clause if node.WhichOneof("node")]  # DISTINCT ON
        for item in select.sort_clause:
            node = item.sort_by.node
            if ordered_by(node, leaf.query) is None:
                expressions.append(node)
        return next((why for node in expressions if (why := self._why_not_figure(node, leaf, block))), "")

    def _why_not_figure(self, node: pb.Node, leaf: Leaf, block: Block) -> Why:
        """Is it made of figures, grouping expressions, constants and other statistics?"""
        if any(same(node, group, block) for group in leaf.groups):
            return ""
        kind = node.WhichOneof("node")
        if kind == "sub_link":
            # The subquery is a statistic of its own, or none: _sublinks. What it is compared with is of this SELECT.
            test = node.sub_link.testexpr
            return self._why_not_figure(test, leaf, block) if node.sub_link.HasField("testexpr") else ""
        if kind == "func_call" and not node.func_call.HasField("over"):
            call = node.func_call
            name = name_of_call(call)
            if name in FIGURES:
                leaf.weighed = leaf.weighed or not self._counts_people(call, block)
                return self._chosen(node, leaf) or self._arguments.why_not(call, block)
            if name in self._catalog.aggregates or call.agg_within_group:
                return f"{name} can give a single person's value"
            if name in self._catalog.set_returning:
                return "a function that gives several rows could count single people several times"
        if kind == "column_ref":
            return f"{node.column_ref.fields[-1].string.sval} is neither a figure nor in GROUP BY"
        return next((why for child in children(node) if (why := self._why_not_figure(child, leaf, block))), "")

    @staticmethod
    def _counts_people(call: pb.FuncCall, block: Block) -> bool:
        """``count(DISTINCT account_id)``: each counts once, however many rows they have."""
        column = column_of(call.args[0], block) if len(call.args) == 1 and call.agg_distinct else None
        return name_of_call(call) == "count" and column is not None and names_a_person(column)

    def _chosen(self, figure: pb.Node, leaf: Leaf) -> Why:
        """FILTER makes a group of its own of the rows that it lets through (cohort.py), and so do CASE and values that
        are not NULL."""
        call, block = figure.func_call, leaf.block
        if any(same(figure, one, block) for one, _ in leaf.chosen):
            return ""
        places = []
        for choice in choices(call):
            condition = choice.condition
            if condition is not None:
                if self._has_others(condition):
                    return NO_SUBQUERIES
                if not harmless(condition, block, self._total_at(block)):
                    return _CAN_FAIL
                leaf.written.append(condition)
                places.append(_place(leaf, condition))
            refs = [ref for value in choice.values for ref in self._arguments.absent(value, block)]
            if refs:
                chosen = [*([] if condition is None else [condition]), *map(tree.is_not_null, refs)]
                # How many have a value is told by count alone. What the others say of values is held against that.
                counted = name_of_call(call) in COUNTS and not call.agg_distinct
                values = "" if counted else _values(refs, block)
                places.append(_place(leaf, tree.conjunction(chosen), values))
        if places:
            leaf.chosen.append((pb.Node.FromString(figure.SerializeToString()), tuple(places)))
        return ""

    def _has_others(self, node: pb.Node) -> bool:
        """Some subquery in it is not about the very person of the row."""
        links = (one.sub_link for one in (node, *inside(node)) if one.WhichOneof("node") == "sub_link")
        return any(link not in self._own for link in links)

    def _singled_out(self, leaf: Leaf, own: Sequence[Sublink]) -> Why:
        below = [block for block in leaf.sources.blocks if block is not leaf.block]
        expressions = [(leaf.block, node) for node in [*leaf.groups, *leaf.written]]
        expressions += [(one, one.select.having_clause) for one in below if one.select.HasField("having_clause")]
        return singled.why_not(leaf.sources.blocks, expressions, own, self._catalog.unique_keys)

    # errors

    def _cannot_fail(self, leaf: Leaf, own: Sequence[Sublink]) -> Why:
        """An error, or its absence, would be an answer about one row. The output is computed of groups."""
        decided = [(leaf.block, node) for node in leaf.groups]
        for block in [*leaf.sources.blocks, *(below for link in own for below in link.query.blocks)]:
            if block.select.HasField("having_clause"):
                decided.append((block, _without_figures(block.select.having_clause)))
            decided += [(block, one.node) for one in block.conjuncts if not one.total and one.node is not None]
            if any(not one.total and one.node is None for one in block.conjuncts):
                return _CAN_FAIL
            if block is not leaf.block:
                targets = block.select.target_list
                decided += [
                    (block, _without_figures(targets[place].res_target.val))
                    for place, column in enumerate(block.outputs)
                    if not column.total
                ]
        if all(harmless(node, block, self._total_at(block)) for block, node in decided):
            return ""
        return _CAN_FAIL

    def _total_at(self, block: Block) -> Total:
        def total(node: pb.Node) -> bool:
            if node.WhichOneof("node") == "sub_link":
                return node.sub_link in self._own
            if any(one.WhichOneof("node") == "sub_link" for one in inside(node)):
                return False  # it was read with its subqueries: harmless() looks at its parts
            return self._cannot_fail_in(node, block.scope)

        return total


def _place(leaf: Leaf, condition: pb.Node, values: str = "") -> int:
    """Where it stands among the leaf's filters."""
    for place, one in enumerate(leaf.filters):
        if leaf.values[place] == values and same(condition, one, leaf.block):
            return place
    leaf.filters.append(condition)
    leaf.values.append(values)
    return len(leaf.filters) - 1


def _values(refs: Sequence[pb.Node], block: Block) -> str:
    """What the figure is made of, as in ``accounts.bio``: the same, however it is written."""
    columns = [column for ref in refs if (column := column_of(ref, block)) is not None]
    return " ".join(sorted({label for column in columns for label in _labels(column)})) or "?"


_CAN_FAIL = (
    "a condition that can fail on a row could tell on a single person: compare columns as they are, without "
    "arithmetic and casts"
)


def _without_figures(node: pb.Node) -> pb.Node:
    """The same with a parameter for each figure and subquery: none of them can fail."""
    copy = pb.Node.FromString(node.SerializeToString())
    for one in [copy, *inside(copy)]:
        if one.WhichOneof("node") == "sub_link" or (
            one.WhichOneof("node") == "func_call" and name_of_call(one.func_call) in OF_PERSON
        ):
            one.param_ref.number = 0
    return copy


def choosing(leaves: Sequence[Leaf]) -> tuple[str, ...]:
    """The columns that choose the people or make the groups, as in accounts.country; sorted."""
    found: list[Column] = []
    for leaf in leaves:
        for block in leaf.sources.blocks:
            found += [column for conjunct in block.conjuncts for column in conjunct.refs] + conditions_of(block)
        for node in [*leaf.groups, *leaf.written]:
            found += [column for ref in references(node) if (column := column_of(ref, leaf.block)) is not None]
    return tuple(sorted({label for column in found for label in _labels(column)}))


def _labels(column: Column) -> Iterator[str]:
    if column.shown is not None:
        yield column.shown[0]
    for source in column.sources:
        yield from _labels(source)


def ordered_by(node: pb.Node, query: Query) -> int | None:
    """The place of the output that an entry of ORDER BY names."""
    kind = node.WhichOneof("node")
    if kind == "a_const":
        place: int = node.a_const.ival.ival - 1
        return place
    if kind == "column_ref" and len(node.column_ref.fields) == 1:
        name = node.column_ref.fields[0].string.sval
        return next((place for place, one in enumerate(query.outputs) if one.name == name), None)
    return None

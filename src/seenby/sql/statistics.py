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
from seenby.sql.blocks import Block, Query, Sublink
from seenby.sql.functions import words as names
from seenby.sql.groupsets import group_expressions, grouping_sets, same
from seenby.sql.harmless import (
    NUMERIC,
    OF_FIELD,
    Total,
    children,
    column_of,
    harmless,
    inside,
    name_of_call,
    references,
    series_call,
)
from seenby.sql.scope import Column, Scope
from seenby.sql.sources import NO_SUBQUERIES, Person, Sources, Why, absent, read_sources
from seenby.sql.weights import base, is_persons

FIGURES = names("""
    count sum avg stddev stddev_pop stddev_samp variance var_pop var_samp corr covar_pop covar_samp regr_avgx regr_avgy
    regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy
    """)
"""Aggregates whose value is no single person's. min, max, percentiles, lists of values and the like are not here; nor
are bool_and and bool_or, which say something of every person, or of one."""

_OF_PERSON = FIGURES | {"min", "max"}
"""What may be computed of each person before figures are made of many: min and max give a value of their own."""

PLAIN = names("length char_length character_length octet_length lower upper abs")
"""Functions of one column that may stand inside of a figure. None of them lets a constant pick a person."""

MOST_SETS = 16
"""Of GROUPING SETS."""


@dataclass(slots=True, eq=False)
class Leaf:
    """A SELECT whose aggregates are figures about people.

    Attributes:
        groups: what it groups by, each expression once.
        sets: of GROUP BY, as places in ``groups``; one empty set where there is no GROUP BY.
        filters: the conditions of FILTER, each once.
        weighed: whoever has more rows weighs more in some figure.
        lone: it has no GROUP BY: one row, or none where too few people stand behind it.
    """

    query: Query
    block: Block
    sources: Sources
    groups: list[pb.Node] = field(default_factory=list)
    sets: list[tuple[int, ...]] = field(default_factory=list)
    filters: list[pb.Node] = field(default_factory=list)
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
        if any(link.conditional for link in block.sublinks):
            return NO_SUBQUERIES
        sources = read_sources(block, self._catalog.unique_keys)
        if isinstance(sources, str):
            return sources
        leaf = Leaf(query, block, sources)
        calls = [
            node.func_call for one in sources.blocks for target in one.select.target_list for node in inside(target)
        ]
        if any(name_of_call(call) in self._catalog.set_returning for call in calls if call.funcname):
            return "a function that gives several rows could count single people several times"
        why = self._groups(leaf) or self._figures(leaf) or self._cannot_fail(leaf) or self._sublinks(block.sublinks)
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
        if any(one.WhichOneof("node") == "sub_link" for node in leaf.groups for one in (node, *inside(node))):
            return NO_SUBQUERIES
        leaf.sets = grouping_sets(block, leaf.groups)
        if len(leaf.sets) > MOST_SETS:
            return f"it has more than {MOST_SETS} sets of groups"
        for node in leaf.groups:
            column = column_of(node, block)
            if column is not None and _names_a_person(column):
                return "its groups would be single people: group by something that many people share"
        return ""

    def _figures(self, leaf: Leaf) -> Why:
        block, select = leaf.block, leaf.block.select
        # Behind its own columns, a subquery has columns of ours.
        expressions = [target.res_target.val for target in select.target_list[: len(block.outputs)]]
        if select.HasField("having_clause"):
            expressions.append(select.having_clause)
        expressions += [one for window in select.window_clause for one in children(window)]
        for item in select.sort_clause:
            node = item.sort_by.node
            if not _names_output(node, leaf.query):
                expressions.append(node)
        return next((why for node in expressions if (why := self._why_not_figure(node, leaf, block))), "")

    def _why_not_figure(self, node: pb.Node, leaf: Leaf, block: Block) -> Why:
        """Is it made of figures, grouping expressions, constants and other statistics?"""
        if any(same(node, group, block) for group in leaf.groups):
            return ""
        kind = node.WhichOneof("node")
        if kind == "sub_link":
            return ""  # a statistic of its own, or none: _sublinks
        if kind == "func_call" and not node.func_call.HasField("over"):
            call = node.func_call
            name = name_of_call(call)
            if name in FIGURES:
                leaf.weighed = leaf.weighed or not self._counts_people(call, block)
                return self._filter(call, leaf) or self._why_not_argument(call, name, block)
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
        return name_of_call(call) == "count" and column is not None and _names_a_person(column)

    def _filter(self, call: pb.FuncCall, leaf: Leaf) -> Why:
        """FILTER makes a group of its own of the rows that it lets through (cohort.py)."""
        if not call.HasField("agg_filter"):
            return ""
        condition = call.agg_filter
        if any(one.WhichOneof("node") == "sub_link" for one in (condition, *inside(condition))):
            return NO_SUBQUERIES
        if not harmless(condition, leaf.block, self._total_at(leaf.block)):
            return _CAN_FAIL
        if not any(same(condition, one, leaf.block) for one in leaf.filters):
            leaf.filters.append(condition)
        return ""

    def _why_not_argument(self, call: pb.FuncCall, name: str, block: Block) -> Why:
        """Is it a figure about columns as they are?"""
        if call.agg_distinct and name != "count":
            return f"{name}(DISTINCT ...) is not part of a statistic"
        if call.agg_order or call.agg_within_group or call.func_variadic:
            return f"{name} is written in a way that is not part of a statistic"
        for argument in call.args:
            if argument.WhichOneof("node") == "a_const":
                continue
            if not self._plain(argument, block):
                return (
                    f"what stands inside of {name}() could pick a single person: only columns as they are can stand "
                    "there"
                )
            if _overflows(argument, block):
                return (
                    f"+ and - inside of {name}() could fail on a single large value: write x::numeric + y::numeric, "
                    "and extract(epoch FROM x) for times"
                )
            for ref in references(argument):
                column = column_of(ref, block)
                if column is None or not self._is_known(column, name):
                    return f"{name}() of what a subquery computed could pick a single person"
                if name != "count" and _names_a_person(column):
                    return f"{name}() of what says who somebody is, is no figure"
        return ""

    def _is_known(self, column: Column, name: str) -> bool:
        """A table's column as it is, what one aggregate says of each person, or a constant of each side of a union."""
        found = base(column)
        if found is None:
            if column.relation is not None and column.relation.query is not None:
                return self._of_sides(column, column.relation.query)
            return name == "count" and series_call(column) is not None
        if found.relation is None or not is_persons(found.relation):
            return True
        query = found.relation.query
        assert query is not None
        (below,) = query.blocks
        node = _target(found, query)
        if node is None:
            return False
        if node.WhichOneof("node") == "func_call" and name_of_call(node.func_call) in self._catalog.aggregates:
            call = node.func_call
            if name_of_call(call) not in _OF_PERSON or call.HasField("agg_filter") or call.HasField("over"):
                return False
            return not self._why_not_argument(call, name_of_call(call), below)
        return self._plain(node, below) and all(
            one is not None and base(one) is not None for one in (column_of(ref, below) for ref in references(node))
        )

    def _of_sides(self, column: Column, query: Query) -> bool:
        """A column of UNION ALL: a constant, or a column as it is, on each side."""
        if query.branches is None or column.relation is None:
            return False
        place = next(place for place, one in enumerate(column.relation.ordered or ()) if one is column)
        for block in query.blocks:
            node = block.select.target_list[place].res_target.val
            if node.WhichOneof("node") == "a_const":
                continue
            refs = [column_of(ref, block) for ref in references(node)]
            if not self._plain(node, block) or any(ref is None or base(ref) is None for ref in refs):
                return False
        return True

    def _plain(self, node: pb.Node, block: Block) -> bool:
        """A column, a cast or a function of one that no constant steers, or a sum or difference of such.

        A cast that fails on some values would say whether they are there.
        """
        match node.WhichOneof("node"):
            case "column_ref":
                return True
            case "type_cast":
                return harmless(node, block, self._total_at(block)) and self._plain(node.type_cast.arg, block)
            case "func_call":
                call = node.func_call
                name = name_of_call(call)
                if call.agg_distinct or call.agg_order or call.HasField("agg_filter") or call.HasField("over"):
                    return False
                if name in OF_FIELD and len(call.args) == 2:
                    return harmless(node, block, self._total_at(block)) and self._plain(call.args[1], block)
                return name in PLAIN and len(call.args) == 1 and self._plain(call.args[0], block)
            case "a_expr":
                expr = node.a_expr
                operator = expr.name[-1].string.sval
                linear = expr.kind == pb.AEXPR_OP and operator in {"+", "-"} and expr.HasField("lexpr")
                return linear and self._plain(expr.lexpr, block) and self._plain(expr.rexpr, block)
        return False

    # errors

    def _cannot_fail(self, leaf: Leaf) -> Why:
        """An error, or its absence, would be an answer about one row. The output is computed of groups."""
        decided = [(leaf.block, node) for node in leaf.groups]
        for block in leaf.sources.blocks:
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
        return lambda node: self._cannot_fail_in(node, block.scope)


_CAN_FAIL = (
    "a condition that can fail on a row could tell on a single person: compare columns as they are, without "
    "arithmetic and casts"
)


def _names_a_person(column: Column) -> bool:
    """It holds a person's key, perhaps through subqueries."""
    return column.pin is not None or (column.plain and any(map(_names_a_person, column.sources)))


def _target(column: Column, query: Query) -> pb.Node | None:
    """What a subquery's column was computed from."""
    assert column.relation is not None
    for place, one in enumerate(column.relation.ordered or ()):
        if one is column:
            node: pb.Node = query.blocks[0].select.target_list[place].res_target.val
            return node
    return None


def _without_figures(node: pb.Node) -> pb.Node:
    """The same with a parameter for each figure and subquery: none of them can fail."""
    copy = pb.Node.FromString(node.SerializeToString())
    for one in [copy, *inside(copy)]:
        if one.WhichOneof("node") == "sub_link" or (
            one.WhichOneof("node") == "func_call" and name_of_call(one.func_call) in _OF_PERSON
        ):
            one.param_ref.number = 0
    return copy


def choosing(leaves: Sequence[Leaf]) -> tuple[str, ...]:
    """The columns that choose the people or make the groups, as in accounts.country; sorted."""
    found: list[Column] = []
    for leaf in leaves:
        for block in leaf.sources.blocks:
            found += [column for conjunct in block.conjuncts for column in conjunct.refs]
        for node in [*leaf.groups, *leaf.filters]:
            found += [column for ref in references(node) if (column := column_of(ref, leaf.block)) is not None]
    return tuple(sorted({label for column in found for label in _labels(column)}))


def _labels(column: Column) -> Iterator[str]:
    if column.shown is not None:
        yield column.shown[0]
    for source in column.sources:
        yield from _labels(source)


def _names_output(node: pb.Node, query: Query) -> bool:
    kind = node.WhichOneof("node")
    if kind == "a_const":
        return True
    if kind != "column_ref" or len(node.column_ref.fields) != 1:
        return False
    return any(output.name == node.column_ref.fields[0].string.sval for output in query.outputs)


def _overflows(node: pb.Node, block: Block) -> bool:
    """Is there a sum or difference of what is not numeric? It fails beyond some value, and sums of one column with
    itself bring that value down to any number: so the largest value of all people would be found."""
    return any(one.WhichOneof("node") == "a_expr" and not _is_numeric(one, block) for one in (node, *inside(node)))


def _is_numeric(node: pb.Node, block: Block) -> bool:
    """Of type numeric. ``node``: as ``_plain`` has it."""
    match node.WhichOneof("node"):
        case "column_ref":
            column = column_of(node, block)
            return column is not None and column.type_oid == NUMERIC
        case "type_cast":
            return bool(node.type_cast.type_name.names[-1].string.sval == "numeric")
        case "func_call":
            name = name_of_call(node.func_call)
            return name == "extract" or (name == "abs" and _is_numeric(node.func_call.args[0], block))
        case "a_expr":
            return _is_numeric(node.a_expr.lexpr, block) and _is_numeric(node.a_expr.rexpr, block)
    return False

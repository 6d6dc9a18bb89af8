"""What stands inside of a figure: columns as they are, because one person's value can hide in a sum.

sum(balance)   avg(length(bio))   count(DISTINCT device_id)      columns, and functions that no constant steers
sum(n) FROM (SELECT account_id, count(*) AS n ... GROUP BY 1)    what one aggregate says of each person
avg(CASE WHEN price < 5 THEN 1 ELSE 0 END)                       each branch is as a FILTER, and needs as many people
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

from postgast import pg_query_pb2 as pb

from seenby.sql import tree
from seenby.sql.blocks import Block, Query
from seenby.sql.functions import words as names
from seenby.sql.harmless import (
    NUMERIC,
    OF_FIELD,
    Total,
    column_of,
    harmless,
    inside,
    name_of_call,
    references,
    series_call,
)
from seenby.sql.scope import Column
from seenby.sql.sources import Why
from seenby.sql.weights import base, is_persons

FIGURES = names("""
    count sum avg stddev stddev_pop stddev_samp variance var_pop var_samp corr covar_pop covar_samp regr_avgx regr_avgy
    regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy
    """)
"""Aggregates whose value is no single person's. min, max, percentiles, lists of values and the like are not here; nor
are bool_and and bool_or, which say something of every person, or of one."""

COUNTS = names("count regr_count")
"""Of rows, or of values."""

LINEAR = COUNTS | names("sum avg")
"""The others multiply values with each other: covar_pop(balance, extract(second FROM created_at)) is a sum of balances,
each times a number that may be known. With hours, minutes, days... there are as many sums as people, which tells all of
their balances at once. So these are of columns as they are, and there are few of those."""

OF_PERSON = FIGURES | {"min", "max"}
"""What may be computed of each person before figures are made of many: min and max give a value of their own."""

PLAIN = names("length char_length character_length octet_length lower upper abs")
"""Functions of one column that may stand inside of a figure. None of them lets a constant pick a person."""


@dataclass(frozen=True, slots=True)
class Arguments:
    """Says why a figure's arguments are none.

    Attributes:
        aggregates: by name.
        required: the columns of tables that are never NULL.
        total_at: whether an expression of a block cannot fail.
    """

    aggregates: Collection[str]
    required: Mapping[tuple[str, str], Collection[str]]
    total_at: Callable[[Block], Total]

    def why_not(self, call: pb.FuncCall, block: Block) -> Why:
        """``call``: of one of FIGURES."""
        name = name_of_call(call)
        if call.agg_distinct and name != "count":
            return f"{name}(DISTINCT ...) is not part of a statistic"
        if call.agg_order or call.agg_within_group or call.func_variadic:
            return f"{name} is written in a way that is not part of a statistic"
        if sum(argument.WhichOneof("node") == "case_expr" for argument in call.args) > 1:
            # Its rows are those where both give a value, and these are nobody's group.
            return f"{name}() of two CASEs could pick a single person: let WHERE or FILTER choose the rows"
        for argument in call.args:
            results = _results(argument)
            if why := next((why for one in results if (why := self._why_not_value(one, name, block))), ""):
                return why
        return ""

    def _why_not_value(self, argument: pb.Node, name: str, block: Block) -> Why:
        if argument.WhichOneof("node") == "a_const":
            return ""
        if name not in LINEAR and not _is_column(argument):
            return f"{name}() of more than columns could weigh each person by what is known of them"
        if not self.plain(argument, block):
            return (
                f"what stands inside of {name}() could pick a single person: only columns as they are can stand there"
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
            if name != "count" and names_a_person(column):
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
        if node.WhichOneof("node") == "func_call" and name_of_call(node.func_call) in self.aggregates:
            call = node.func_call
            if name_of_call(call) not in OF_PERSON or call.HasField("agg_filter") or call.HasField("over"):
                return False
            # A branch of CASE would choose some of a person's rows, where no cohort sees it.
            return all(one.WhichOneof("node") != "case_expr" for one in call.args) and not self.why_not(call, below)
        return self.plain(node, below) and all(
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
            if not self.plain(node, block) or any(ref is None or base(ref) is None for ref in refs):
                return False
        return True

    def absent(self, value: pb.Node, block: Block) -> list[pb.Node]:
        """The columns of a figure's argument that may be NULL: where one is, the row says nothing to the figure.

        What ``plain`` lets through is NULL where one of its columns is, and nowhere else.
        """
        found = []
        for ref in references(value):
            column = column_of(ref, block)
            if column is None or self._may_be_null(column):
                found.append(ref)
        return found

    def _may_be_null(self, column: Column) -> bool:
        found = base(column)
        if found is None or found.relation is None:
            call = series_call(column)
            return call is None or name_of_call(call) != "generate_series"
        if not is_persons(found.relation):
            # On the optional side of an outer join a key is missing too, and that side needs people of its own.
            index = found.relation.index
            if index is None:
                return True
            view = index.view
            return index.original(found) not in self.required.get((view.schema, view.table), ())
        query = found.relation.query
        assert query is not None
        node, (below,) = _target(found, query), query.blocks
        if node is None:
            return True
        if node.WhichOneof("node") == "func_call" and name_of_call(node.func_call) in self.aggregates:
            if name_of_call(node.func_call) == "count":
                return False
            if name_of_call(node.func_call) not in {"sum", "avg", "min", "max"}:
                return True  # stddev of one row is NULL
        return bool(self.absent(node, below))

    def plain(self, node: pb.Node, block: Block) -> bool:
        """A column, a cast or a function of one that no constant steers, or a sum or difference of such.

        A cast that fails on some values would say whether they are there.
        """
        match node.WhichOneof("node"):
            case "column_ref":
                return True
            case "type_cast":
                return harmless(node, block, self.total_at(block)) and self.plain(node.type_cast.arg, block)
            case "func_call":
                call = node.func_call
                name = name_of_call(call)
                if call.agg_distinct or call.agg_order or call.HasField("agg_filter") or call.HasField("over"):
                    return False
                if name in OF_FIELD and len(call.args) == 2:
                    return harmless(node, block, self.total_at(block)) and self.plain(call.args[1], block)
                return name in PLAIN and len(call.args) == 1 and self.plain(call.args[0], block)
            case "a_expr":
                expr = node.a_expr
                operator = expr.name[-1].string.sval
                linear = expr.kind == pb.AEXPR_OP and operator in {"+", "-"} and expr.HasField("lexpr")
                return linear and self.plain(expr.lexpr, block) and self.plain(expr.rexpr, block)
        return False


def _is_column(node: pb.Node) -> bool:
    """As it is, or cast."""
    while node.WhichOneof("node") == "type_cast":
        node = node.type_cast.arg
    found: bool = node.WhichOneof("node") == "column_ref"
    return found


# CASE


def _results(argument: pb.Node) -> list[pb.Node]:
    """What it can be: of CASE each branch, otherwise itself."""
    if argument.WhichOneof("node") != "case_expr":
        return [argument]
    case = argument.case_expr
    results = [when.case_when.result for when in case.args]
    return [*results, case.defresult] if case.HasField("defresult") else results


@dataclass(frozen=True, slots=True)
class Choice:
    """Some rows of a figure's: those where ``condition`` holds (None: all), and what is made of them there."""

    condition: pb.Node | None
    values: tuple[pb.Node, ...]


def choices(call: pb.FuncCall) -> list[Choice]:
    """What FILTER chooses, and of CASE each branch, without those before it."""
    cases = [argument.case_expr for argument in call.args if argument.WhichOneof("node") == "case_expr"]
    values = tuple(argument for argument in call.args if argument.WhichOneof("node") != "case_expr")
    found: list[Choice] = []
    for case in cases:
        before: list[pb.Node] = []
        for when in case.args:
            condition = pb.Node.FromString(when.case_when.expr.SerializeToString())
            if case.HasField("arg"):
                condition = tree.operation("=", case.arg, condition)
            if not _is_null(when.case_when.result):
                found.append(Choice(tree.conjunction([*before, condition]), (when.case_when.result, *values)))
            before.append(_not_true(condition))
        if case.HasField("defresult") and not _is_null(case.defresult):
            found.append(Choice(tree.conjunction(before), (case.defresult, *values)))
    if not call.HasField("agg_filter"):
        return found or [Choice(None, values)]
    within = [replace(one, condition=tree.conjunction([call.agg_filter, one.condition])) for one in found]
    return within or [Choice(call.agg_filter, values)]


def _is_null(node: pb.Node) -> bool:
    return node.WhichOneof("node") == "a_const" and bool(node.a_const.isnull)


def _not_true(condition: pb.Node) -> pb.Node:
    """``NOT coalesce(condition, false)``."""
    node = pb.Node()
    node.coalesce_expr.args.extend([condition, tree.false()])
    return tree.negated(node)


def names_a_person(column: Column) -> bool:
    """It holds a person's key, perhaps through subqueries."""
    return column.pin is not None or (column.plain and any(map(names_a_person, column.sources)))


def _target(column: Column, query: Query) -> pb.Node | None:
    """What a subquery's column was computed from."""
    assert column.relation is not None
    for place, one in enumerate(column.relation.ordered or ()):
        if one is column:
            node: pb.Node = query.blocks[0].select.target_list[place].res_target.val
            return node
    return None


def _overflows(node: pb.Node, block: Block) -> bool:
    """Is there a sum or difference of what is not numeric? It fails beyond some value, and sums of one column with
    itself bring that value down to any number: so the largest value of all people would be found."""
    return any(one.WhichOneof("node") == "a_expr" and not _is_numeric(one, block) for one in (node, *inside(node)))


def _is_numeric(node: pb.Node, block: Block) -> bool:
    """Of type numeric. ``node``: as ``Arguments.plain`` has it."""
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

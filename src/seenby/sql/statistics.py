"""What may be answered as a statistic, without naming its people.

What a figure may be made of is a closed list, because one person's value can hide in a sum: ``sum(CASE WHEN id = 42
THEN balance END)``. So conditions stand in WHERE and GROUP BY alone, where they decide about whole rows and are seen by
the cohort query (cohort.py).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

from google.protobuf.message import Message
from postgast import pg_query_pb2 as pb

from seenby.model.shape import Catalog
from seenby.sql.blocks import Block, Query
from seenby.sql.functions import DATE_FIELDS
from seenby.sql.functions import words as names
from seenby.sql.scope import Column
from seenby.sql.weights import base, multiplies

FIGURES = names("""
    count sum avg stddev stddev_pop stddev_samp variance var_pop var_samp corr covar_pop covar_samp regr_avgx regr_avgy
    regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy
    """)
"""Aggregates whose value is no single person's. min, max, percentiles, lists of values and the like are not here; nor
are bool_and and bool_or, which say something of every person, or of one."""

PLAIN = names("length char_length character_length octet_length lower upper abs")
"""Functions of one column that may stand inside of a figure. None of them lets a constant pick a person."""

OF_FIELD = names("date_trunc date_part extract")

_NUMERIC = 1700
"""Of pg_type.dat. Its numbers have up to 131,072 digits: no sum that fits into a statement is too large."""

Why = str
"""Why it is no statistic, as in ``..., and WHY``."""


Total = Callable[[pb.Node], bool]
"""Evaluating it cannot raise an error, whatever the data."""


def why_not(query: Query, blocks: Sequence[Block], catalog: Catalog, total: Total) -> Why:
    """Why a statement that was read is no statistic; "" if it is one.

    ``blocks``: all of it, those of subqueries too.
    """
    if query.branches or query.recursion:
        return "a statistic is one SELECT, without UNION and the like"
    select, block = query.select, query.blocks[0]
    if not block.aggregated:
        return "this statement asks for rows"
    if select.distinct_clause or any("window" in obstacle for obstacle in query.obstacles):
        return "DISTINCT and window functions are not part of a statistic"
    if select.group_clause and not block.plain_group:
        return "GROUPING SETS, ROLLUP and CUBE are not part of a statistic: run one query per grouping"
    if any(one.sublinks for one in blocks):
        return "a statistic has no subqueries in expressions: write them as joins"
    if not block.keys or any(relation.persons and not relation.keys for relation in block.relations):
        return "it does not say whose rows take part"
    if any(key.many for key in block.keys):
        return "its rows are groups already: a statistic groups tables"
    if why := _why_not_rows(query, blocks, catalog):
        return why
    groups = group_expressions(block)
    for node in groups:
        column = _column(node, block)
        if column is not None and column.pin is not None:
            return "its groups would be single people: group by something that many people share"
    expressions = [target.res_target.val for target in select.target_list]
    if select.HasField("having_clause"):
        expressions.append(select.having_clause)
    for item in select.sort_clause:
        node = item.sort_by.node
        if not _names_output(node, query):
            expressions.append(node)
    for node in expressions:
        if why := _why_not_figure(node, groups, block, catalog.aggregates, total):
            return why
    if not _cannot_fail(block, blocks, groups, total):
        return (
            "a condition that can fail on a row could tell on a single person: compare columns as they are, without "
            "arithmetic and casts"
        )
    return ""


def _why_not_rows(query: Query, blocks: Sequence[Block], catalog: Catalog) -> Why:
    """Could the statement give one person more rows than the data does? Their value would weigh more in every sum.

    An outer join whose ON names a person does, a join with a list of numbers does, UNION ALL of somebody's row does,
    and a table that is joined with itself (weights.py).
    """
    for relation in (relation for block in blocks for relation in block.relations):
        if relation.lateral or (relation.index is None and relation.query is None):
            return "a function or LATERAL in FROM could count single people several times"
        if relation.query is not None and relation.query.branches:
            return "UNION in FROM could count single people several times"
    calls = (one.func_call for one in _all(query.select) if one.WhichOneof("node") == "func_call")
    if any(name_of_call(call) in catalog.set_returning for call in calls):
        return "a function that gives several rows could count single people several times"
    for block in blocks:
        if block.values is not None:
            return "VALUES in FROM could count single people several times"
        if any(join.nullable for join in block.joins):
            return "an outer join could pick single people: write JOIN"
        for conjunct in block.conjuncts:
            several = conjunct.bits & (conjunct.bits - 1)
            if several and not (conjunct.equal and all(map(base, conjunct.equal))):
                return "tables are joined by columns that are equal, and by no other condition"
    if multiplies(query, catalog.unique_keys):
        return "its joins could count single people several times: join all tables but one by a whole unique key"
    return ""


def _cannot_fail(block: Block, blocks: Sequence[Block], groups: Sequence[pb.Node], total: Total) -> bool:
    """An error, or its absence, would be an answer about one row. What stands in the output is computed of groups."""
    decided = list(groups)
    if block.select.HasField("having_clause"):
        decided.append(_without_figures(block.select.having_clause))
    return (
        all(conjunct.total for one in blocks for conjunct in one.conjuncts)
        and all(column.total for one in blocks if one is not block for column in one.outputs)
        and all(map(total, decided))
    )


def _without_figures(node: pb.Node) -> pb.Node:
    """The same with a parameter for each figure: none of them can fail."""
    copy = pb.Node.FromString(node.SerializeToString())
    for one in [copy, *_all(copy)]:
        if one.WhichOneof("node") == "func_call" and name_of_call(one.func_call) in FIGURES:
            one.param_ref.number = 0
    return copy


def _all(message: Message) -> list[pb.Node]:
    """Every node inside."""
    return [inner for child in _children(message) for inner in (child, *_all(child))]


def group_expressions(block: Block) -> list[pb.Node]:
    """GROUP BY with positions and names of the output replaced by what they stand for."""
    targets = block.select.target_list
    found = []
    for node in block.select.group_clause:
        kind = node.WhichOneof("node")
        if kind == "a_const" and node.a_const.WhichOneof("val") == "ival":
            found.append(targets[node.a_const.ival.ival - 1].res_target.val)
        elif kind == "column_ref" and len(node.column_ref.fields) == 1 and _column(node, block) is None:
            name = node.column_ref.fields[0].string.sval
            place = next(number for number, output in enumerate(block.outputs) if output.name == name)
            found.append(targets[place].res_target.val)
        else:
            found.append(node)
    return found


def choosing(blocks: Sequence[Block], block: Block) -> tuple[str, ...]:
    """The columns that choose the people or make the groups, as in accounts.country; sorted."""
    found = [column for one in blocks for conjunct in one.conjuncts for column in conjunct.refs]
    for node in group_expressions(block):
        found += [column for ref in _refs(node) if (column := _column(ref, block)) is not None]
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


def _why_not_figure(
    node: pb.Node, groups: Sequence[pb.Node], block: Block, aggregates: Collection[str], total: Total
) -> Why:
    """Is it made of figures, grouping expressions and constants?"""
    if any(_same(node, group, block) for group in groups):
        return ""
    kind = node.WhichOneof("node")
    if kind == "func_call":
        name = name_of_call(node.func_call)
        if name in FIGURES:
            return _why_not_argument(node.func_call, name, block, total)
        if name in aggregates or node.func_call.agg_within_group:
            return f"{name} can give a single person's value"
    if kind == "column_ref":
        return f"{node.column_ref.fields[-1].string.sval} is neither a figure nor in GROUP BY"
    children = _children(node)
    return next((why for child in children if (why := _why_not_figure(child, groups, block, aggregates, total))), "")


def _why_not_argument(call: pb.FuncCall, name: str, block: Block, total: Total) -> Why:
    """Is it a figure about columns as they are?"""
    if call.HasField("agg_filter"):
        return "FILTER could pick a single person: write the condition in WHERE, or group by it"
    if call.agg_distinct and name != "count":
        return f"{name}(DISTINCT ...) is not part of a statistic"
    if call.agg_order or call.agg_within_group or call.func_variadic:
        return f"{name} is written in a way that is not part of a statistic"
    for argument in call.args:
        if argument.WhichOneof("node") == "a_const":
            continue
        if not _plain(argument, total):
            return (
                f"what stands inside of {name}() could pick a single person: only columns as they are can stand there"
            )
        if _overflows(argument, block):
            return (
                f"+ and - inside of {name}() could fail on a single large value: write x::numeric + y::numeric, and "
                "extract(epoch FROM x) for times"
            )
        for ref in _refs(argument):
            column = _column(ref, block)
            if column is None or base(column) is None:
                return f"{name}() of what a subquery computed could pick a single person"
            if name != "count" and column.pin is not None:
                return f"{name}() of what says who somebody is, is no figure"
    return ""


def _plain(node: pb.Node, total: Total) -> bool:
    """A column, a cast or a function of one that no constant steers, or a sum or difference of such.

    A cast that fails on some values would say whether they are there.
    """
    match node.WhichOneof("node"):
        case "column_ref":
            return True
        case "type_cast":
            return total(node) and _plain(node.type_cast.arg, total)
        case "func_call":
            call = node.func_call
            name = name_of_call(call)
            if call.agg_distinct or call.agg_order or call.HasField("agg_filter") or call.HasField("over"):
                return False
            if name in OF_FIELD and len(call.args) == 2:
                return call.args[0].a_const.sval.sval.lower() in DATE_FIELDS and _plain(call.args[1], total)
            return name in PLAIN and len(call.args) == 1 and _plain(call.args[0], total)
        case "a_expr":
            expr = node.a_expr
            operator = expr.name[-1].string.sval
            linear = expr.kind == pb.AEXPR_OP and operator in {"+", "-"}
            return linear and expr.HasField("lexpr") and _plain(expr.lexpr, total) and _plain(expr.rexpr, total)
    return False


def _overflows(node: pb.Node, block: Block) -> bool:
    """Is there a sum or difference of what is not numeric? It fails beyond some value, and sums of one column with
    itself bring that value down to any number: so the largest value of all people would be found."""
    return any(one.WhichOneof("node") == "a_expr" and not _is_numeric(one, block) for one in (node, *_all(node)))


def _is_numeric(node: pb.Node, block: Block) -> bool:
    """Of type numeric. ``node``: as ``_plain`` has it."""
    match node.WhichOneof("node"):
        case "column_ref":
            column = _column(node, block)
            return column is not None and column.type_oid == _NUMERIC
        case "type_cast":
            return bool(node.type_cast.type_name.names[-1].string.sval == "numeric")
        case "func_call":
            name = name_of_call(node.func_call)
            return name == "extract" or (name == "abs" and _is_numeric(node.func_call.args[0], block))
        case "a_expr":
            return _is_numeric(node.a_expr.lexpr, block) and _is_numeric(node.a_expr.rexpr, block)
    return False


def _refs(node: pb.Node) -> list[pb.Node]:
    return [one for one in (node, *_all(node)) if one.WhichOneof("node") == "column_ref"]


def name_of_call(call: pb.FuncCall) -> str:
    """Without its schema."""
    name: str = call.funcname[-1].string.sval
    return name


def _column(node: pb.Node, block: Block) -> Column | None:
    """What a name means in FROM; None if it is no column of it."""
    if node.WhichOneof("node") != "column_ref":
        return None
    return block.scope.meaning([part.string.sval for part in node.column_ref.fields][-3:])


def _children(message: Message) -> Iterator[pb.Node]:
    """The nodes directly inside."""
    for part, value in message.ListFields():
        if part.message_type is None:
            continue
        for one in value if part.is_repeated else (value,):
            if isinstance(one, pb.Node):
                yield one
            else:
                yield from _children(one)


def _same(one: Message, other: Message, block: Block) -> bool:
    """Do two expressions say the same? Where they stand in the text does not matter."""
    if isinstance(one, pb.Node) and isinstance(other, pb.Node):
        left, right = _column(one, block), _column(other, block)
        if left is not None or right is not None:
            return left is right
    if type(one) is not type(other):
        return False
    fields = [
        {part.name: value for part, value in each.ListFields() if part.name != "location"} for each in (one, other)
    ]
    if fields[0].keys() != fields[1].keys():
        return False
    for name, value in fields[0].items():
        part = one.DESCRIPTOR.fields_by_name[name]
        mine, theirs = (value, fields[1][name]) if part.is_repeated else ((value,), (fields[1][name],))
        if len(mine) != len(theirs):
            return False
        for a, b in zip(mine, theirs, strict=True):
            if not (_same(a, b, block) if isinstance(a, Message) else a == b):
                return False
    return True

"""Statistics: an aggregate that may be answered without naming its people, and the query that says who they are.

    SELECT country, count(*) FROM accounts GROUP BY country
    -> SELECT country, count(*) FROM v.accounts GROUP BY country HAVING count(DISTINCT accounts."seenby$1") >= 10

What a figure may be made of is a closed list, because one person's value can hide in a sum: ``sum(CASE WHEN id = 42
THEN balance END)``. So conditions stand in WHERE and GROUP BY alone, where they decide about whole rows and are seen by
the cohort query: it gives for each group and key column how many people there are, and sums of hashes of their keys
(attribute/cohorts.py).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from google.protobuf.message import Message
from postgast import pg_query_pb2 as pb

from seenby.model.statistic import BUCKETS, MAX_GROUPS, CohortQuery, names_a_moment
from seenby.sql import carry
from seenby.sql.blocks import Block, Query
from seenby.sql.functions import DATE_FIELDS
from seenby.sql.functions import words as names
from seenby.sql.parse import deparse, parse
from seenby.sql.scope import Column

FIGURES = names("""
    count sum avg stddev stddev_pop stddev_samp variance var_pop var_samp corr covar_pop covar_samp regr_avgx regr_avgy
    regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy
    """)
"""Aggregates whose value is no single person's. min, max, percentiles, lists of values and the like are not here; nor
are bool_and and bool_or, which say something of every person, or of one."""

PLAIN = names("length char_length character_length octet_length lower upper abs")
"""Functions of one column that may stand inside of a figure. None of them lets a constant pick a person."""

STEADY = (
    FIGURES
    | PLAIN
    | names("""
    date_trunc date_part extract timezone round floor ceil trunc left right substring substr btrim ltrim rtrim trim
    concat strpos position starts_with split_part replace md5 cardinality array_length host family make_interval
    """)
)
"""Functions that give the same for the same arguments, under the same settings."""

OF_FIELD = names("date_trunc date_part extract")

Why = str
"""Why it is no statistic, as in ``..., and WHY``."""


def why_not(query: Query, blocks: Sequence[Block], aggregates: Collection[str]) -> Why:
    """Why a statement that was read is no statistic; "" if it is one.

    ``blocks``: all of it, those of subqueries too; ``aggregates``: the names of all aggregates.
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
    if why := _why_not_rows(blocks):
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
    return next((why for node in expressions if (why := _why_not_figure(node, groups, block, aggregates))), "")


def _why_not_rows(blocks: Sequence[Block]) -> Why:
    """Could the statement give one person more rows than the data does? Their value would weigh more in every sum.

    An outer join whose ON names a person does, a join with a list of numbers does, UNION ALL of somebody's row does.
    """
    for relation in (relation for block in blocks for relation in block.relations):
        if relation.lateral or (relation.index is None and relation.query is None):
            return "a function or LATERAL in FROM could count single people several times"
        if relation.query is not None and relation.query.branches:
            return "UNION in FROM could count single people several times"
    for block in blocks:
        if block.values is not None:
            return "VALUES in FROM could count single people several times"
        if any(join.nullable for join in block.joins):
            return "an outer join could pick single people: write JOIN"
        for conjunct in block.conjuncts:
            several = conjunct.bits & (conjunct.bits - 1)
            if several and not (conjunct.equal and all(map(_straight, conjunct.equal))):
                return "tables are joined by columns that are equal, and by no other condition"
    return ""


def _straight(column: Column | None) -> bool:
    """It shows a table's column as it is, through whatever subqueries."""
    if column is None:
        return False
    if column.shown is not None:
        return True
    return column.plain and len(column.sources) == 1 and _straight(column.sources[0])


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


def _why_not_figure(node: pb.Node, groups: Sequence[pb.Node], block: Block, aggregates: Collection[str]) -> Why:
    """Is it made of figures, grouping expressions and constants?"""
    if any(_same(node, group, block) for group in groups):
        return ""
    kind = node.WhichOneof("node")
    if kind == "func_call":
        name = _name(node.func_call)
        if name in FIGURES:
            return _why_not_argument(node.func_call, name, block)
        if name in aggregates or node.func_call.agg_within_group:
            return f"{name} can give a single person's value"
    if kind == "column_ref":
        return f"{node.column_ref.fields[-1].string.sval} is neither a figure nor in GROUP BY"
    children = _children(node)
    return next((why for child in children if (why := _why_not_figure(child, groups, block, aggregates))), "")


def _why_not_argument(call: pb.FuncCall, name: str, block: Block) -> Why:
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
        if not _plain(argument):
            return (
                f"what stands inside of {name}() could pick a single person: only columns as they are can stand there"
            )
        for ref in _refs(argument):
            column = _column(ref, block)
            if not _straight(column):
                return f"{name}() of what a subquery computed could pick a single person"
            if name != "count" and column is not None and column.pin is not None:
                return f"{name}() of what says who somebody is, is no figure"
    return ""


def _plain(node: pb.Node) -> bool:
    """A column, a cast or a function of one that no constant steers, or a sum or difference of such."""
    match node.WhichOneof("node"):
        case "column_ref":
            return True
        case "type_cast":
            return _plain(node.type_cast.arg)
        case "func_call":
            call = node.func_call
            name = _name(call)
            if call.agg_distinct or call.agg_order or call.HasField("agg_filter") or call.HasField("over"):
                return False
            if name in OF_FIELD and len(call.args) == 2:
                return call.args[0].a_const.sval.sval.lower() in DATE_FIELDS and _plain(call.args[1])
            return name in PLAIN and len(call.args) == 1 and _plain(call.args[0])
        case "a_expr":
            expr = node.a_expr
            operator = expr.name[-1].string.sval
            linear = expr.kind == pb.AEXPR_OP and operator in {"+", "-"}
            return linear and expr.HasField("lexpr") and _plain(expr.lexpr) and _plain(expr.rexpr)
    return False


def _refs(node: pb.Node) -> Iterator[pb.Node]:
    if node.WhichOneof("node") == "column_ref":
        yield node
    for child in _children(node):
        yield from _refs(child)


def _name(call: pb.FuncCall) -> str:
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


# What runs.


def guarded(query: Query, block: Block, least: int) -> pb.SelectStmt:
    """The statement without its groups of fewer than ``least`` people under any key."""
    select = pb.SelectStmt.FromString(query.select.SerializeToString())
    conditions = []
    for key in block.keys:
        node = pb.Node.FromString(_LEAST.SerializeToString())
        node.a_expr.lexpr.func_call.args[0].CopyFrom(carry.key_target(key).res_target.val)
        node.a_expr.rexpr.a_const.ival.ival = least
        conditions.append(node)
    if select.HasField("having_clause"):
        conditions.insert(0, pb.Node.FromString(select.having_clause.SerializeToString()))
    select.ClearField("having_clause")
    if len(conditions) == 1:
        select.having_clause.CopyFrom(conditions[0])
    else:
        select.having_clause.bool_expr.boolop = pb.AND_EXPR
        select.having_clause.bool_expr.args.extend(conditions)
    return select


_LEAST = parse("SELECT 1 HAVING pg_catalog.count(DISTINCT k) >= 10")[0].node.select_stmt.having_clause


def cohort_query(query: Query, blocks: Sequence[Block], least: int, seed: int) -> CohortQuery:
    """Who stands behind each group. ``seed``: of the hashes; whoever knows it could make cohorts that look alike."""
    block = query.blocks[0]
    inner = pb.SelectStmt.FromString(query.select.SerializeToString())
    targets = []
    for node in group_expressions(block):
        target = pb.Node()
        target.res_target.val.CopyFrom(node)
        targets.append(target)
    targets += [carry.key_target(key) for key in block.keys]
    targets = [pb.Node.FromString(node.SerializeToString()) for node in targets]
    for name in ("target_list", "group_clause", "having_clause", "sort_clause", "limit_count", "limit_offset"):
        inner.ClearField(name)
    inner.limit_option = pb.LIMIT_OPTION_DEFAULT
    inner.target_list.extend(targets)
    groups = [f"g{number}" for number in range(1, len(targets) - len(block.keys) + 1)]
    keys = [f"k{number}" for number in range(1, len(block.keys) + 1)]
    rows = f"({deparse(inner)}) AS c ({', '.join(groups + keys)})"
    each = "".join(f"{name}, " for name in groups)
    if len(keys) == 1:
        people = f"{each}1 AS j, k1 AS key, count(*) AS m FROM {rows} GROUP BY {each}k1"
    else:
        pairs = ", ".join(f"({number}, {name})" for number, name in enumerate(keys, 1))
        beside = f"CROSS JOIN LATERAL (VALUES {pairs}) AS v (j, key)"
        people = f"{each}j, key, count(*) AS m FROM {rows} {beside} GROUP BY {each}j, key"
    if groups:
        # As many ranks as groups; and everybody in a group that is large enough, as group 0.
        source = (
            f"WITH q AS MATERIALIZED (SELECT dense_rank() OVER (ORDER BY {', '.join(groups)}) AS g, {people}) "
            "SELECT {} FROM (SELECT g, j, key, m FROM q UNION ALL SELECT 0, j, key, sum(m)::bigint FROM q WHERE g IN "
            "(SELECT g FROM (SELECT g, count(key) AS n FROM q GROUP BY g, j) AS l GROUP BY g "
            f"HAVING min(n) >= {least}) GROUP BY j, key) AS a"
        )
    else:
        source = f"SELECT {{}} FROM (SELECT 1 AS g, {people}) AS a"
    sums = (
        f"g, j, pg_catalog.hashtextextended(key, {seed}) & {BUCKETS - 1} AS b, count(key), "
        f"coalesce(sum(pg_catalog.hashtextextended(key, {seed + 1})), 0), "
        f"coalesce(sum(pg_catalog.hashtextextended(key || ':' || m, {seed + 2})), 0)"
    )
    start, end = source.split("{}")
    sql = f"{start}{sums}{end} WHERE g <= {MAX_GROUPS + 1} GROUP BY g, j, b"
    relations = (relation for one in blocks for relation in one.relations)
    tables = {relation.index.label for relation in relations if relation.index and relation.keys}
    return CohortQuery(
        sql, least, tuple(key.kind for key in block.keys), bool(groups), tuple(sorted(tables)), _steady(inner)
    )


def _steady(message: Message) -> bool:
    """Nothing in it depends on when, or by whom, it is asked."""
    if isinstance(message, pb.FuncCall) and _name(message) not in STEADY:
        return False
    if isinstance(message, pb.SQLValueFunction) or (isinstance(message, pb.String) and names_a_moment(message.sval)):
        return False
    for part, value in message.ListFields():
        if part.message_type is not None and not all(map(_steady, value if part.is_repeated else (value,))):
            return False
    return True

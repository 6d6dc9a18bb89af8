"""What runs for a statistic: the statement without its small groups, and the query that says who stands behind it.

    SELECT country, count(*) FROM accounts GROUP BY country
    -> SELECT country, count(*) FROM v.accounts GROUP BY country HAVING count(DISTINCT accounts."seenby$1") >= 10

The cohort query gives for each group and key column how many people there are, and sums of hashes of their keys
(attribute/cohorts.py).
"""

from __future__ import annotations

from collections.abc import Sequence

from google.protobuf.message import Message
from postgast import pg_query_pb2 as pb

from seenby.model.statistic import BUCKETS, MAX_GROUPS, CohortQuery, names_a_moment
from seenby.sql import carry
from seenby.sql.blocks import Block, Query
from seenby.sql.functions import words as names
from seenby.sql.parse import deparse, parse
from seenby.sql.statistics import FIGURES, PLAIN, group_expressions, name_of_call

STEADY = (
    FIGURES
    | PLAIN
    | names("""
    date_trunc date_part extract timezone round floor ceil trunc left right substring substr btrim ltrim rtrim trim
    concat strpos position starts_with split_part replace md5 cardinality array_length host family make_interval
    """)
)
"""Functions that give the same for the same arguments, under the same settings."""


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
    # A row per bucket, and one more per group and key column: the rows of whoever has most, and of all together.
    sums = (
        f"g, j, CASE grouping(b) WHEN 0 THEN b ELSE {BUCKETS} END, CASE grouping(b) WHEN 0 THEN count(key) ELSE 0 END, "
        f"coalesce(CASE grouping(b) WHEN 0 THEN sum(pg_catalog.hashtextextended(key, {seed + 1})) "
        "ELSE max(m) FILTER (WHERE key IS NOT NULL) END, 0), "
        f"coalesce(CASE grouping(b) WHEN 0 THEN sum(pg_catalog.hashtextextended(key || ':' || m, {seed + 2})) "
        "ELSE sum(m) FILTER (WHERE key IS NOT NULL) END, 0)"
    )
    bucket = f"pg_catalog.hashtextextended(key, {seed}) & {BUCKETS - 1}"
    start, end = source.split("{}")
    sql = (
        f"{start}{sums} FROM (SELECT g, j, key, m, {bucket} AS b{end} WHERE g <= {MAX_GROUPS + 1}) AS s "
        "GROUP BY GROUPING SETS ((g, j, b), (g, j))"
    )
    relations = (relation for one in blocks for relation in one.relations)
    tables = {relation.index.label for relation in relations if relation.index and relation.keys}
    return CohortQuery(
        sql, least, tuple(key.kind for key in block.keys), bool(groups), tuple(sorted(tables)), _steady(inner)
    )


def _steady(message: Message) -> bool:
    """Nothing in it depends on when, or by whom, it is asked."""
    if isinstance(message, pb.FuncCall) and name_of_call(message) not in STEADY:
        return False
    if isinstance(message, pb.SQLValueFunction) or (isinstance(message, pb.String) and names_a_moment(message.sval)):
        return False
    for part, value in message.ListFields():
        if part.message_type is not None and not all(map(_steady, value if part.is_repeated else (value,))):
            return False
    return True

"""What runs for a statistic: the statement without its small groups, and the query that says who stands behind it.

    SELECT country, count(*) FROM accounts GROUP BY country
    -> SELECT country, count(*) FROM v.accounts GROUP BY country HAVING count(DISTINCT accounts."seenby$1") >= 10

The cohort query gives for each group and key column how many people there are, and sums of hashes of their keys
(attribute/cohorts.py). Each set of GROUP BY is a *level* of groups, and each FILTER makes another one of the same
groups. What is left out of a level is a difference too: so everybody in the groups that are large enough, taken
together by what a coarser set groups by, is a cohort beside that set's own group. For each two of these that are told
about one group, there is a level of the rows between them. ROLLUP (os, model)::

    level 0   (os, model)                                    shown
    level 1   (os)                                           shown
    level 2   ()                                             shown
    level 3   level 0's large groups by os
    level 4   level 0's large groups together
    level 5   level 1's large groups together
    level 6   the rows of a group of level 1 that level 3 has not        few people here tell on somebody
    ...
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

from google.protobuf.message import Message
from postgast import pg_query_pb2 as pb

from seenby.model.statistic import BUCKETS, MAX_GROUPS, CohortQuery, Level, names_a_moment
from seenby.sql import tree
from seenby.sql.arguments import FIGURES, PLAIN
from seenby.sql.functions import words as names
from seenby.sql.groupsets import same
from seenby.sql.harmless import children, inside, name_of_call
from seenby.sql.parse import deparse, parse
from seenby.sql.sources import Person
from seenby.sql.statistics import Leaf

STEADY = (
    FIGURES
    | PLAIN
    | names("""
    date_trunc date_part extract timezone round floor ceil trunc left right substring substr btrim ltrim rtrim trim
    concat strpos position starts_with split_part replace md5 cardinality array_length host family make_interval
    width_bucket to_char min max array_agg
    """)
)
"""Functions that give the same for the same arguments, under the same settings."""

_LEAST = parse("SELECT pg_catalog.count(DISTINCT k) >= 10")[0].node.select_stmt.target_list[0].res_target.val
_ENOUGH = parse("SELECT CASE WHEN c THEN f END")[0].node.select_stmt.target_list[0].res_target.val


def guard(leaf: Leaf, least: int, *, fenced: bool) -> None:
    """Takes away groups of fewer than ``least`` people under any key.

    Figures of which a FILTER or a branch of CASE chooses too few become NULL.

    ``fenced``: nothing that stands around it is computed of groups that it leaves out.
    """
    select = leaf.block.select
    for figure, places in leaf.chosen:
        enough = [one for place in places for one in _enough(leaf, least, leaf.filters[place])]
        _replace(select, figure, tree.conjunction(enough), leaf)
    conditions = []
    if select.HasField("having_clause"):
        conditions.append(pb.Node.FromString(select.having_clause.SerializeToString()))
    select.having_clause.CopyFrom(tree.conjunction([*conditions, *_enough(leaf, least)]))
    if fenced and not select.HasField("limit_offset"):
        select.limit_offset.a_const.ival.ival = 0
        if not select.HasField("limit_count"):
            select.limit_option = pb.LIMIT_OPTION_COUNT


def _enough(leaf: Leaf, least: int, filtered: pb.Node | None = None) -> list[pb.Node]:
    """At least so many people under each key, but for those of whom no row is there by what a condition says."""
    exempt = [] if filtered is None else [one.key for one in leaf.exempt(filtered)]
    by_group = leaf.exempt_by_group
    conditions = []
    for person in leaf.sources.persons:
        if person.key in exempt:
            continue
        condition = _least(person, least, filtered)
        for place, value, one in by_group:
            if one is person:
                other = leaf.groups[place] if value else tree.negated(leaf.groups[place])
                condition = tree.disjunction([condition, other])
        conditions.append(condition)
    return conditions


def _least(person: Person, least: int, filtered: pb.Node | None = None) -> pb.Node:
    node = pb.Node.FromString(_LEAST.SerializeToString())
    node.a_expr.lexpr.func_call.args[0].CopyFrom(person.node)
    if filtered is not None:
        node.a_expr.lexpr.func_call.agg_filter.CopyFrom(filtered)
    node.a_expr.rexpr.a_const.ival.ival = least
    return node


def _replace(message: Message, figure: pb.Node, enough: pb.Node, leaf: Leaf) -> None:
    """A figure, wherever it stands, becomes NULL where too few people are behind one of its parts."""
    for node in children(message):
        if node.WhichOneof("node") == "sub_link":
            # What it is compared with is of this SELECT, as in ``count(*) FILTER (...) IN (SELECT ...)``.
            beside = pb.SubLink(testexpr=node.sub_link.testexpr) if node.sub_link.HasField("testexpr") else pb.SubLink()
            _replace(beside, figure, enough, leaf)
            if beside.HasField("testexpr"):
                node.sub_link.testexpr.CopyFrom(beside.testexpr)
        elif same(node, figure, leaf.block):
            instead = pb.Node.FromString(_ENOUGH.SerializeToString())
            instead.case_expr.args[0].case_when.expr.CopyFrom(enough)
            instead.case_expr.args[0].case_when.result.CopyFrom(node)
            node.CopyFrom(instead)
        else:
            _replace(node, figure, enough, leaf)


# who stands behind it


@dataclass(slots=True)
class _Made:
    """The cohort query while it is written: a SELECT per statistic, and the levels of all."""

    least: int
    seed: int
    complete: bool
    levels: list[Level] = field(default_factory=list)
    selects: list[str] = field(default_factory=list)
    steady: bool = True

    def add(self, leaf: Leaf, whole: pb.SelectStmt) -> None:
        persons, sets = leaf.sources.persons, leaf.sets
        filters = [f"f{number}" for number in range(1, len(leaf.filters) + 1)]
        inner, around = _rows(leaf), _around(leaf.block.select, whole)
        self.steady = self.steady and all(map(_steady, [inner, *around]))
        q = f"q{len(self.selects)}"
        kinds, tables = tuple(one.kind for one in persons), tuple(one.tables for one in persons)
        there = [f"o{number}" for number, one in enumerate(persons, 1) if one.optional]
        # Every set that is grouped by, and what two of them have in common.
        every = dict.fromkeys([*sets, *(_common(one, other) for one in sets for other in sets), ()])
        rank = {one: f"r{number}" for number, one in enumerate(every)}
        ctes = [f"{q} AS MATERIALIZED ({_ranked(leaf, inner, around, rank)})"]
        cohorts: list[str] = []

        told: dict[tuple[tuple[int, ...], str], list[tuple[int, str]]] = {}

        def level(source: str, found: Level) -> int:
            cohorts.append(f"SELECT {len(self.levels)} AS l, g, j, key, m FROM {source}")
            self.levels.append(found)
            return len(self.levels) - 1

        plain = Level(kinds, tables, len(self.selects), sides=bool(leaf.sources.unions))
        # A set, which filter, which values are told of it, and which rows are in what is shown of it.
        shown: list[tuple[tuple[int, ...], int, str, str]] = []

        def of(values: str, level: Level) -> Level:
            return replace(level, kinds=tuple(f"{kind} {values}" for kind in kinds)) if values else level

        for one in sets:
            name = f"{q}l{len(shown)}"
            ctes.append(f"{name} AS MATERIALIZED ({_people(q, rank[one])})")
            usual = replace(plain, by=one, shown=True, weighed=leaf.weighed)
            number = level(name, replace(usual, lone=leaf.lone))
            told[one, ""] = [(number, "true"), *((number, flag) for flag in there)]
            enough = self._enough(rank[one], name)
            shown.append((one, 0, "", enough))
            for chosen, (condition, values) in enumerate(zip(leaf.filters, leaf.values, strict=True), 1):
                flag = filters[chosen - 1]
                exempt = {persons.index(person) + 1 for person in leaf.exempt(condition)}
                without = "".join(f" AND j <> {j}" for j in sorted(exempt))
                name = f"{q}l{len(shown)}"
                ctes.append(f"{name} AS MATERIALIZED ({_people(q, rank[one], f' WHERE {flag}{without}')})")
                number = level(name, of(values, replace(usual, chosen=chosen)))
                told.setdefault((one, values), []).append((number, f"coalesce({flag}, false)"))
                rows = f"coalesce({flag}, false) AND {enough} AND {self._enough(rank[one], name)}"
                shown.append((one, chosen, values, rows))
        for one, chosen, values, rows in shown:
            for coarse in every:
                if set(coarse) < set(one):
                    together = f"({_people(q, rank[coarse], f' WHERE {rows}')}) AS u"
                    number = level(together, of(values, replace(plain, by=coarse, chosen=chosen)))
                    told.setdefault((coarse, values), []).append((number, rows))
        for (one, values), each in told.items():
            for (first, here), (second, other) in combinations(each, 2):
                rows = f"({_people(q, rank[one], f' WHERE ({here}) <> ({other})')}) AS d"
                level(rows, of(values, replace(plain, between=(first, second))))
        self.selects.append(
            f"SELECT * FROM (WITH {', '.join(ctes)} {_sketched(' UNION ALL '.join(cohorts), self.seed)}) AS o{q}"
        )

    def _enough(self, rank: str, name: str) -> str:
        """A row is in a group of level ``name`` that is shown."""
        if self.complete:
            return "true"
        return (
            f"{rank} IN (SELECT g FROM (SELECT g, j, count(key) AS n FROM {name} GROUP BY g, j) AS s GROUP BY g "
            f"HAVING min(n) >= {self.least})"
        )


def _rows(leaf: Leaf) -> pb.SelectStmt:
    """What stands below its figures: groups, filters, keys, and how many rows of tables a row of persons is."""
    inner = pb.SelectStmt.FromString(leaf.block.select.SerializeToString())
    for name in ("target_list", "distinct_clause", "group_clause", "having_clause", "sort_clause", "limit_count",
                 "limit_offset", "window_clause"):  # fmt: skip
        inner.ClearField(name)
    inner.limit_option = pb.LIMIT_OPTION_DEFAULT
    persons = leaf.sources.persons
    weighed = [one for one in persons if one.rows is not None]
    for node in [*leaf.groups, *leaf.filters, *(one.node for one in persons), *(one.rows for one in weighed)]:
        assert node is not None
        inner.target_list.add().res_target.val.CopyFrom(node)
    return inner


def _ranked(leaf: Leaf, inner: pb.SelectStmt, around: Sequence[pb.Node], rank: Mapping[tuple[int, ...], str]) -> str:
    """Each person of each group with how many rows; the groups of each set are numbered from 1."""
    persons = leaf.sources.persons
    weighed = [one for one in persons if one.rows is not None]
    groups = [f"g{number}" for number in range(1, len(leaf.groups) + 1)]
    filters = [f"f{number}" for number in range(1, len(leaf.filters) + 1)]
    keys = [f"k{number}" for number in range(1, len(persons) + 1)]
    weights = {id(one): f"w{number}" for number, one in enumerate(weighed, 1)}
    rows = f"({deparse(inner)}) AS c ({', '.join([*groups, *filters, *keys, *weights.values()])})"
    if around:
        rows = f"({_with(around)} SELECT * FROM {rows}) AS c"
    absent: dict[int, list[str]] = {id(one): [] for one in persons}
    for place, value, one in leaf.exempt_by_group:
        absent[id(one)].append(f"g{place + 1} IS {'TRUE' if value else 'FALSE'}")
    values = ", ".join(
        f"({number}, {key}, {weights.get(id(one), '1')}::bigint, {' OR '.join(absent[id(one)]) or 'false'})"
        for number, (one, key) in enumerate(zip(persons, keys, strict=True), 1)
    )
    ranks = ", ".join(f"{_rank([groups[place] for place in one])} AS {name}" for one, name in rank.items())
    there = {f"o{number}": key for number, (one, key) in enumerate(zip(persons, keys, strict=True), 1) if one.optional}
    shown = [*filters, *(f"{key} IS NOT NULL AS {name}" for name, key in there.items()), "j", "key"]
    each = ", ".join([*groups, *filters, *(f"{key} IS NOT NULL" for key in there.values()), "j", "key"])
    return (
        f"SELECT {ranks}, {', '.join(shown)}, sum(w)::bigint AS m FROM {rows} "
        f"CROSS JOIN LATERAL (VALUES {values}) AS v (j, key, w, gone) WHERE NOT coalesce(gone, false) GROUP BY {each}"
    )


def _rank(by: Sequence[str]) -> str:
    return f"dense_rank() OVER (ORDER BY {', '.join(by)})" if by else "1"


def _people(q: str, rank: str, where: str = "") -> str:
    return f"SELECT {rank} AS g, j, key, sum(m)::bigint AS m FROM {q}{where} GROUP BY {rank}, j, key"


def _sketched(cohorts: str, seed: int) -> str:
    """A row per bucket, and one more per group and key column: the rows of whoever has most, and of all together."""
    sums = (
        f"l, g, j, CASE grouping(b) WHEN 0 THEN b ELSE {BUCKETS} END, "
        "CASE grouping(b) WHEN 0 THEN count(key) ELSE 0 END, "
        f"coalesce(CASE grouping(b) WHEN 0 THEN sum(pg_catalog.hashtextextended(key, {seed + 1})) "
        "ELSE max(m) FILTER (WHERE key IS NOT NULL) END, 0), "
        f"coalesce(CASE grouping(b) WHEN 0 THEN sum(pg_catalog.hashtextextended(key || ':' || m, {seed + 2})) "
        "ELSE sum(m) FILTER (WHERE key IS NOT NULL) END, 0)"
    )
    bucket = f"pg_catalog.hashtextextended(key, {seed}) & {BUCKETS - 1}"
    return (
        f"SELECT {sums} FROM (SELECT l, g, j, key, m, {bucket} AS b FROM ({cohorts}) AS a WHERE g <= {MAX_GROUPS + 1}) "
        "AS s GROUP BY GROUPING SETS ((l, g, j, b), (l, g, j))"
    )


def _common(one: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(place for place in one if place in other)


def cohort_query(
    leaves: Sequence[Leaf], whole: pb.SelectStmt, least: int, seed: int, *, complete: bool = False
) -> CohortQuery:
    """Who stands behind each group.

    Args:
        leaves: of the statement, before they are guarded.
        whole: the statement.
        least: people that a group needs.
        seed: of the hashes; whoever knows it could make cohorts that look alike.
        complete: no group is left out, so that what groups are together is all of them.
    """
    made = _Made(least, seed, complete)
    for leaf in leaves:
        made.add(leaf, whole)
    grouped = any(not leaf.lone for leaf in leaves)
    filtered = any(leaf.filters for leaf in leaves)
    return CohortQuery(" UNION ALL ".join(made.selects), least, tuple(made.levels), grouped, filtered, made.steady)


def _around(leaf: pb.SelectStmt, whole: pb.SelectStmt) -> list[pb.Node]:
    """The WITH queries around it that it names, and those that these name; each behind those that it can name."""
    known: dict[str, pb.Node] = {}
    for cte in _ctes(whole):
        known.setdefault(cte.common_table_expr.ctename, cte)
    wanted: dict[str, pb.Node] = {}

    def want(message: Message) -> None:
        for var in _tables(message):
            cte = known.get(var.relname) if not var.schemaname else None
            if cte is not None and var.relname not in wanted:
                wanted[var.relname] = cte
                want(cte)

    want(leaf)
    own = {cte.common_table_expr.ctename for cte in leaf.with_clause.ctes}
    return [cte for name, cte in known.items() if name in wanted and name not in own]


def _with(ctes: Sequence[pb.Node]) -> str:
    """``WITH a AS (...), b AS (...)``."""
    clause = pb.SelectStmt(op=pb.SETOP_NONE, limit_option=pb.LIMIT_OPTION_DEFAULT)
    clause.with_clause.ctes.extend(ctes)
    clause.target_list.add().res_target.val.a_const.ival.ival = 1
    text: str = deparse(clause)
    return text.removesuffix("SELECT 1").rstrip()


def repeats_names(whole: pb.SelectStmt) -> bool:
    """Two WITH queries have one name: which of them is meant would have to be asked of each place."""
    found = [cte.common_table_expr.ctename for cte in _ctes(whole)]
    return len(set(found)) < len(found)


def _ctes(message: Message) -> Iterator[pb.Node]:
    """All WITH queries, each behind those that it can name."""
    for node in _every(message):
        if node.WhichOneof("node") == "common_table_expr":
            yield from _ctes(node.common_table_expr)
            yield node
        else:
            yield from _ctes(node)


def _every(message: Message) -> Iterator[pb.Node]:
    """The nodes directly inside, WITH first."""
    found = list(children(message))
    yield from sorted(found, key=lambda node: node.WhichOneof("node") != "common_table_expr")


def _tables(message: Message) -> list[pb.RangeVar]:
    return [node.range_var for node in inside(message) if node.WhichOneof("node") == "range_var"]


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

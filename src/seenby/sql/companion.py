"""The companion query: everybody whose rows take part in a statement, as rows (kind, key), in the same snapshot.

It runs beside a query whose output cannot carry keys (an aggregate), and after a run-time error of any query, because
an error tells something about these people. So it must not fail where the query fails: conditions that can raise an
error are left out of it, which can only add people. Who these people are, influence.py says.

    SELECT count(*) FROM accounts a WHERE a.country = 'IE'
    -> SELECT DISTINCT 'account'::text AS kind, k1 AS key                      -- in its plain form, see _people
       FROM (SELECT a."seenby$1" FROM v.accounts a WHERE a.country = 'IE') AS c (k1)
       WHERE k1 IS NOT NULL LIMIT 501
"""

from __future__ import annotations

from postgast import pg_query_pb2 as pb

from seenby.errors import TooComplex
from seenby.sql import tree
from seenby.sql.blocks import Block, Query
from seenby.sql.influence import Influence
from seenby.sql.parse import SPLIT_HINT, deparse
from seenby.sql.pieces import Part

_ROWS_PER_PERSON = 20
MAX_PARTS = 300
_MANY = 20


def companion(query: Query, cap: int, *, early: bool) -> str:
    """SQL text. Call it when the statement itself has been printed.

    Args:
        query: the statement.
        cap: people.
        early: it runs beside every execution, so it should stop early.
    """
    parts = []
    influence = Influence()
    for part in influence.everybody(query):
        parts.append(part)
        if len(parts) > MAX_PARTS:
            raise TooComplex("too many parts of the statement decide about its result", hint=SPLIT_HINT)
    kinds = _slots(parts)
    texts = list(dict.fromkeys(deparse(_arranged(part, kinds)) for part in parts))
    core = texts[0] if len(texts) == 1 else " UNION ALL ".join(f"({text})" for text in texts)
    return _people(core, kinds, cap, early=early)


def is_plain(block: Block) -> bool:
    """Tables, joined without FULL JOIN, and no subquery: a companion for these can always be written."""
    if block.sublinks or any(join.kind == pb.JOIN_FULL for join in block.joins):
        return False
    return len(block.relations) <= _MANY and all(relation.index is not None for relation in block.relations)


def _slots(parts: list[Part]) -> list[str]:
    """The kinds of the key columns: of each as many as the part with the most of them needs."""
    most: dict[str, int] = {}
    for part in parts:
        for kind in part.kinds:
            most[kind] = max(most.get(kind, 0), part.kinds.count(kind))
    return [kind for kind, number in most.items() for _ in range(number)]


def _arranged(part: Part, kinds: list[str]) -> pb.SelectStmt:
    """The part's SELECT with its keys in these columns; NULL where it has none."""
    left = list(zip(part.kinds, part.select.target_list[-len(part.kinds) :], strict=True))
    targets = []
    for kind in kinds:
        found = next((one for one in left if one[0] == kind), None)
        targets.append(tree.null_target() if found is None else found[1])
        if found is not None:
            left.remove(found)
    select = pb.SelectStmt.FromString(part.select.SerializeToString())
    copies = [pb.Node.FromString(node.SerializeToString()) for node in targets]
    del select.target_list[:]
    select.target_list.extend(copies)
    return select


def _people(core: str, kinds: list[str], cap: int, *, early: bool) -> str:
    """Distinct (kind, key) out of the key columns of ``core``, at most ``cap`` + 1.

    DISTINCT reads everything before it gives a row. ``early`` looks at the first rows alone, and at all of them only
    if there are more and they did not name too many people already: on 300,000 rows 11 ms instead of 74 ms when the
    cap is passed, and 0.03 ms more when there are few rows.
    """
    names = [f"k{number}" for number in range(1, len(kinds) + 1)]
    columns = ", ".join(names)
    pairs = ", ".join(f"({_quote(kind)}, {name})" for kind, name in zip(kinds, names, strict=True))
    if len(kinds) == 1:
        pick, unnest, there = f"{_quote(kinds[0])}::text AS kind, k1 AS key", "", "k1 IS NOT NULL"
    else:
        pick, there = "v.kind, v.key", "v.key IS NOT NULL"
        unnest = f" CROSS JOIN LATERAL (VALUES {pairs}) AS v (kind, key)"
    rows = f"({core}) AS c ({columns}){unnest} WHERE {there}"
    if not early:
        return f"SELECT DISTINCT {pick} FROM {rows} LIMIT {cap + 1}"
    first = _ROWS_PER_PERSON * (cap + 1)
    return (
        f"WITH h AS MATERIALIZED (SELECT * FROM ({core}) AS c ({columns}) LIMIT {first}), "
        f"d AS MATERIALIZED (SELECT DISTINCT {pick} FROM h{unnest} WHERE {there} LIMIT {cap + 1}) "
        f"SELECT kind, key FROM d UNION SELECT {pick} FROM {rows} "
        f"AND (SELECT count(*) FROM h) = {first} AND (SELECT count(*) FROM d) <= {cap} LIMIT {cap + 1}"
    )


def _quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"

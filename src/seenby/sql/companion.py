"""The companion query: everybody whose rows take part in a statement, as rows (kind, key), in the same snapshot.

It runs beside a query whose output cannot carry keys (an aggregate), and after a run-time error of any query, because
an error tells something about these people. So it must not fail where the query fails: conditions that can raise an
error are left out of it, which can only add people.

    SELECT count(*) FROM accounts a WHERE a.country = 'IE'
    -> SELECT DISTINCT 'account'::text AS kind, k1 AS key
       FROM (SELECT a."seenby$1" FROM v.accounts a WHERE a.country = 'IE') AS c (k1)
       WHERE k1 IS NOT NULL LIMIT 501
"""

from __future__ import annotations

from google.protobuf.message import Message
from postgast import pg_query_pb2 as pb

from seenby.sql import carry, outer, tree
from seenby.sql.blocks import Block, Conjunct, Query
from seenby.sql.parse import deparse
from seenby.sql.scope import Column

_BESIDE_CORE = (
    "target_list", "distinct_clause", "group_clause", "group_distinct", "having_clause", "window_clause",
    "values_lists", "sort_clause", "limit_count", "limit_offset",
)  # fmt: skip


def companion(query: Query, found: carry.Slots, blocks: list[Block], cap: int) -> str:
    """SQL text. Spends the tree: call it when the statement itself has been printed.

    ``found``: the key columns of the query; ``blocks``: every block of the statement; ``cap``: people.
    """
    for block in blocks:
        if block.exact:
            _leave_out_risky(block)
    kinds = [next(key.kind for key in column if key is not None) for column in found]
    if all(block.exact for block in query.blocks):
        core = _core(query, found)
    else:
        core = _with(query.select) + " UNION ALL ".join(
            text for place, block in enumerate(query.blocks) for text in _branches(block, place, query, found)
        )
    if len(kinds) == 1:
        return (
            f"SELECT DISTINCT {_quote(kinds[0])}::text AS kind, k1 AS key FROM ({core}) AS c (k1) "
            f"WHERE k1 IS NOT NULL LIMIT {cap + 1}"
        )
    names = [f"k{number}" for number in range(1, len(kinds) + 1)]
    pairs = ", ".join(f"({_quote(kind)}, {name})" for kind, name in zip(kinds, names, strict=True))
    return (
        f"SELECT DISTINCT v.kind, v.key FROM ({core}) AS c ({', '.join(names)}) "
        f"CROSS JOIN LATERAL (VALUES {pairs}) AS v (kind, key) WHERE v.key IS NOT NULL LIMIT {cap + 1}"
    )


def _core(query: Query, found: carry.Slots) -> str:
    """The keys of all rows that FROM and WHERE leave, of every block."""
    for select in query.selects:
        for name in _BESIDE_CORE:
            select.ClearField(name)
        select.limit_option = pb.LIMIT_OPTION_DEFAULT
        if select.op != pb.SETOP_NONE:
            select.op, select.all = pb.SETOP_UNION, True
    for place, block in enumerate(query.blocks):
        block.select.target_list.extend(carry.key_target(column[place]) for column in found)
    return deparse(query.select)


def _branches(block: Block, place: int, query: Query, found: carry.Slots) -> list[str]:
    """The same for one block, as inner joins if its outer joins let people decide who stand in no row (outer.py)."""
    texts = []
    everything = sum(relation.bit for relation in block.relations)
    for present, named, conditions in [(everything, everything, [])] if block.exact else outer.branches(block):
        keys = [key if (key := column[place]) is not None and key.relation.bit & named else None for column in found]
        if not any(keys):
            continue
        select = pb.SelectStmt(op=pb.SETOP_NONE, limit_option=pb.LIMIT_OPTION_DEFAULT)
        select.target_list.extend(carry.key_target(key) for key in keys)
        if block.select is not query.select and block.select.HasField("with_clause"):
            select.with_clause.CopyFrom(block.select.with_clause)
        if block.exact:
            select.from_clause.extend(block.select.from_clause)
            if block.select.HasField("where_clause"):
                select.where_clause.CopyFrom(block.select.where_clause)
        else:
            select.from_clause.extend(relation.node for relation in block.relations if relation.bit & present)
            nodes = [node for one in conditions if (node := _qualified(one)) is not None]
            if nodes:
                select.where_clause.CopyFrom(tree.conjunction(nodes))
        texts.append(deparse(select))
    return texts


def _qualified(conjunct: Conjunct) -> pb.Node | None:
    """The condition with every column qualified, for a FROM without USING; None if that cannot be said."""
    names: dict[str, Column] = {}
    for column in conjunct.refs:
        base = column.base
        if base is None:
            return None
        if column.relation is None or column.name not in names:
            names[column.name] = base
    if conjunct.node is None:
        left, right = (column.base for column in conjunct.refs)
        assert left is not None
        assert right is not None
        return tree.equality(_place(left), _place(right))
    _qualify(conjunct.node, names)
    return conjunct.node


def _place(column: Column) -> tuple[str, str]:
    assert column.relation is not None
    return column.relation.alias, column.real


def _qualify(message: Message, names: dict[str, Column]) -> None:
    if isinstance(message, pb.ColumnRef):
        if len(message.fields) == 1:
            alias, name = _place(names[message.fields[0].string.sval])
            message.fields[0].string.sval = alias
            message.fields.add().string.sval = name
        return
    for field, value in message.ListFields():
        if field.message_type is not None:
            for one in value if field.is_repeated else (value,):
                _qualify(one, names)


def _with(select: pb.SelectStmt) -> str:
    """``WITH ... `` of a statement, or ""."""
    if not select.HasField("with_clause"):
        return ""
    lone = pb.SelectStmt()
    lone.with_clause.CopyFrom(select.with_clause)
    lone.target_list.add().res_target.val.a_const.ival.ival = 1
    lone.op, lone.limit_option = pb.SETOP_NONE, pb.LIMIT_OPTION_DEFAULT
    return deparse(lone).removesuffix("SELECT 1")


def _leave_out_risky(block: Block) -> None:
    select = block.select
    where = [one for one in block.conjuncts if one.join is None]
    if not all(one.total for one in where):
        nodes = [one.node for one in where if one.total and one.node is not None]
        if nodes:
            kept = pb.Node()
            kept.CopyFrom(tree.conjunction(nodes))
            select.where_clause.CopyFrom(kept)
        else:
            select.ClearField("where_clause")
    for join in block.joins:
        if all(one.total for one in join.conjuncts):
            continue
        nodes = [one.node for one in join.conjuncts if one.total and one.node is not None]
        kept = pb.Node()
        kept.CopyFrom(tree.conjunction(nodes) if nodes else tree.true())
        join.node.quals.CopyFrom(kept)


def _quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"

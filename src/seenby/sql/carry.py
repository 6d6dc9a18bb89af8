"""Person keys travel as columns: from the hidden columns of the views, through every block, to the output.

A block passes keys on if it is plain select-project-join, a set operation if it is UNION ALL; there a branch without
such a key gives NULL. A row that stands for several (GROUP BY, DISTINCT) has all their keys in one column, as the text
of an array; so has a row whose people a subquery of the select list finds (gather.py). Between blocks keys are the
last columns, in the outermost output the first ones.
"""

from __future__ import annotations

from collections.abc import Iterable

from postgast import pg_query_pb2 as pb

from seenby.sql import tree
from seenby.sql.blocks import Block, Conjunct, Query
from seenby.sql.scope import Column, Key, Shown

# Equal values of these types print equally, so that an equality of two keys makes one of them redundant:
# bigint, smallint, integer, uuid (pg_type.dat). Not text: a collation may call two spellings equal.
_PRINTS_EQUAL = ({20, 21, 23}, {2950})

Slots = list[list[Key | None]]
"""Per key column of the output, the key of each block (None: it has no such key)."""


def distinct_keys(block: Block) -> list[Key]:
    """The keys of the block's relations, without those that another key of the same row always equals.

    ``accounts a JOIN devices d ON d.account_id = a.id`` needs one key: both name the same person.
    """
    keys = [key for relation in block.relations for key in relation.keys]
    if len(keys) < 2:
        return keys
    order = {id(key): place for place, key in enumerate(keys)}
    outer_bits = 0
    for one in block.joins:
        outer_bits |= one.nullable
    for conjunct in block.conjuncts:
        pair = _equal_keys(conjunct)
        if pair is None:
            continue
        first, second = sorted(pair, key=lambda key: order[id(key)])
        join = conjunct.join
        if join is not None and join.nullable:
            # ON holds wherever the optional side is there, so its key repeats the other side's.
            if first.relation.bit & join.nullable:
                first, second = second, first
            if first.relation.bit & join.nullable or not second.relation.bit & join.nullable:
                continue
        whole_row = not (first.relation.bit | second.relation.bit) & outer_bits
        keep, drop = first.root, second.root if whole_row else second
        if keep is not drop and drop.same is None:
            drop.same = keep
            keep.uses = _each_once([*keep.uses, *drop.uses])
    return [key for key in keys if key.same is None]


def _each_once(uses: Iterable[set[Shown]]) -> list[set[Shown]]:
    """A chain of WITH queries that each name the last one twice would double them at each step."""
    return list({id(use): use for use in uses}.values())


def _equal_keys(conjunct: Conjunct) -> tuple[Key, Key] | None:
    if conjunct.equal is None:
        return None
    left, right = conjunct.equal
    if left.pin is None or right.pin is None or left.pin is right.pin or left.pin.kind != right.pin.kind:
        return None
    if not any(left.type_oid in same and right.type_oid in same for same in _PRINTS_EQUAL):
        return None
    return left.pin, right.pin


def slots(query: Query) -> Slots:
    """The key columns of ``query``: per kind as many as the block with the most of them needs."""
    kinds: dict[str, list[list[Key | None]]] = {}
    for place, block in enumerate(query.blocks):
        seen: dict[str, int] = {}
        for key in block.keys:
            kind = key.kind + "*" * (key.many or bool(block.gathers))
            columns = kinds.setdefault(kind, [])
            number = seen[kind] = seen.get(kind, 0) + 1
            if number > len(columns):
                columns.append([None] * len(query.blocks))
            columns[number - 1][place] = key
    return [column for columns in kinds.values() for column in columns]


def is_many(query: Query, column: list[Key | None]) -> bool:
    """One row may have several keys in this column."""
    return any(key.many or block.gathers for block, key in zip(query.blocks, column, strict=True) if key is not None)


def append_keys(query: Query) -> list[Key]:
    """Makes ``query`` give its keys as its last columns. Returns them; the relation over it makes its own of them."""
    found = slots(query)
    _select_from_values(query.blocks[0])
    _group_instead(query, 0)
    keys = []
    for number, column in enumerate(found, 1):
        name = f"seenby$k{number}"
        uses = _each_once(use for key in column if key is not None for use in key.uses)
        one = next(key for key in column if key is not None)
        keys.append(Key(one.kind, one.relation, name, uses, many=is_many(query, column)))
        for place, (block, key) in enumerate(zip(query.blocks, column, strict=True)):
            _append(block, key, name if place == 0 else "")
    for output in query.outputs:
        output.pin = _outer_pin(output, query, found, keys)
    return keys


def _outer_pin(output: Column, query: Query, found: Slots, keys: list[Key]) -> Key | None:
    if output.pin is None or len(query.blocks) > 1 or query.blocks[0].gathers:
        return None
    return next((key for key, (inner,) in zip(keys, found, strict=True) if inner is output.pin.root), None)


def _append(block: Block, key: Key | None, name: str) -> None:
    if block.select.values_lists:
        for row in block.select.values_lists:
            row.list.items.append(tree.null_text())
    else:
        block.select.target_list.append(_target(block, key, name))


def key_target(key: Key, name: str = "") -> pb.Node:
    """A key as an entry of the select list."""
    target = tree.column_target(key.relation.alias, key.name, name)
    if key.node is not None:
        target.res_target.val.CopyFrom(key.node)
    return target


def _target(block: Block, key: Key | None, name: str = "") -> pb.Node:
    if key is None:
        return tree.null_target(name)
    target = key_target(key, name)
    if block.gathers:
        target.res_target.val.CopyFrom(tree.gathered(target.res_target.val, many=key.many, sort=block.any_order))
    return target


def _select_from_values(block: Block) -> None:
    """``VALUES (1)`` -> ``SELECT v.column1 FROM (VALUES (1)) AS v``: beside keys its columns keep their names."""
    whole = block.select
    if not whole.values_lists:
        return
    targets = [tree.column_target("v", column.name, column.name) for column in block.outputs]
    made = tree.select(targets, [tree.subselect(pb.SelectStmt.FromString(whole.SerializeToString()), "v")])
    whole.CopyFrom(made)


def _group_instead(query: Query, shift: int) -> None:
    """``SELECT DISTINCT x, y`` -> ``SELECT x, y ... GROUP BY 1, 2``: so the keys of equal rows can come together."""
    for block in query.blocks:
        if block.gathers == "distinct":
            del block.select.distinct_clause[:]
            for number in range(1, len(block.outputs) + 1):
                block.select.group_clause.add().a_const.ival.ival = number + shift


def unite_by_groups(query: Query, found: Slots) -> pb.SelectStmt:
    """``A UNION B`` -> ``SELECT x, y FROM (A UNION ALL B) u (x, y) GROUP BY x, y``, with the keys of both gathered."""
    many = [is_many(query, column) for column in found]
    _select_from_values(query.blocks[0])
    _group_instead(query, 0)
    for number, column in enumerate(found, 1):
        for place, (block, key) in enumerate(zip(query.blocks, column, strict=True)):
            _append(block, key, f"seenby$k{number}" if place == 0 else "")
    inner = pb.SelectStmt.FromString(query.select.SerializeToString())
    for name in ("sort_clause", "limit_count", "limit_offset", "with_clause"):
        inner.ClearField(name)
    inner.limit_option = pb.LIMIT_OPTION_DEFAULT
    _keep_all(inner)
    names = [f"c{number}" for number in range(1, len(query.outputs) + 1)]
    keys = [f"k{number}" for number in range(1, len(found) + 1)]
    entry = tree.subselect(inner, "seenby$u")
    entry.range_subselect.alias.colnames.extend(tree.string(name) for name in names + keys)
    outer = tree.select([], [entry])
    for name, several in zip(keys, many, strict=True):
        key = tree.column("seenby$u", name)
        outer.target_list.add().res_target.val.CopyFrom(tree.gathered(key, many=several))
    for number, (name, output) in enumerate(zip(names, query.outputs, strict=True), 1):
        outer.target_list.append(tree.column_target("seenby$u", name, output.name))
        outer.group_clause.add().a_const.ival.ival = number + len(found)
    for name in ("sort_clause", "limit_count", "limit_option", "with_clause"):
        if name == "limit_option":
            outer.limit_option = query.select.limit_option
        elif name == "sort_clause":
            outer.sort_clause.extend(query.select.sort_clause)
        elif query.select.HasField(name):
            getattr(outer, name).CopyFrom(getattr(query.select, name))
    for item in outer.sort_clause:
        if item.sort_by.node.WhichOneof("node") == "a_const":
            item.sort_by.node.a_const.ival.ival += len(found)
    return outer


def _keep_all(select: pb.SelectStmt) -> None:
    if select.op == pb.SETOP_UNION:
        select.all = True
        _keep_all(select.larg)
        _keep_all(select.rarg)


def prepend_keys(query: Query, found: Slots) -> None:
    """Makes the outermost query give its keys first; positions in ORDER BY and GROUP BY move."""
    _group_instead(query, len(found))
    _select_from_values(query.blocks[0])
    for block, keys in zip(query.blocks, zip(*found, strict=True), strict=True):
        if block.select.values_lists:
            for row in block.select.values_lists:
                for _ in keys:
                    row.list.items.insert(0, tree.null_text())
        else:
            for place, key in enumerate(keys):
                block.select.target_list.insert(place, _target(block, key))
    for constant in query.ordinals:
        constant.ival.ival += len(found)

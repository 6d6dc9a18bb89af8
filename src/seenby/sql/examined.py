"""Whom a lookup is about though it shows nobody: ``WHERE account_id = 5 AND ip = '10.1.2.3'`` with no row tells
something about account 5. Rows that are not there change nothing when somebody's data goes away, so I4 does not name
them; the record says that they were *examined*.

    SELECT at FROM logins WHERE account_id = $1 AND ip = '10.1.2.3'
    -> SELECT DISTINCT 'account'::text AS kind, l."seenby$1" AS key FROM v.logins l WHERE l.account_id = $1
       UNION ALL ... 'account'::text, p."seenby$1" FROM v.accounts p WHERE p.id = $1

The second part finds who has no login at all; it needs a grant that shows where such people are listed, by keys of the
same type.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from postgast import pg_query_pb2 as pb

from seenby.sql import tree
from seenby.sql.blocks import Block, Conjunct
from seenby.sql.parse import deparse
from seenby.sql.scope import Key
from seenby.sql.usable import written
from seenby.sql.views import Views

_LISTED: Final = "seenby$p"


def examined(blocks: Sequence[Block], views: Views | None, cap: int) -> str | None:
    """The people whom conditions name by key, as rows (kind, key); None if there are no such conditions.

    Everybody whom the table of such a condition knows under that key, or the list of such people, whatever the other
    conditions say.
    """
    texts = []
    for conjunct, key in _pinned(blocks):
        select = tree.select([_kind(key), tree.column_target(key.relation.alias, key.name)], [key.relation.node])
        select.where_clause.CopyFrom(written(conjunct))
        texts.append(deparse(select))
        if views is not None and (listed := _listed(key, conjunct, views)) is not None:
            texts.append(deparse(listed))
    if not texts:
        return None
    core = " UNION ALL ".join(dict.fromkeys(texts))
    return f"SELECT DISTINCT kind, key FROM ({core}) AS c (kind, key) WHERE key IS NOT NULL LIMIT {cap + 1}"


def looks_up(blocks: Sequence[Block]) -> bool:
    """There is somebody to be examined."""
    return next(_pinned(blocks), None) is not None


def _pinned(blocks: Sequence[Block]) -> Iterator[tuple[Conjunct, Key]]:
    for block in blocks:
        for conjunct in block.conjuncts:
            if conjunct.pins is not None and conjunct.pins.relation.index is not None:
                yield conjunct, conjunct.pins


def _listed(key: Key, conjunct: Conjunct, views: Views) -> pb.SelectStmt | None:
    """The same condition on the table where such people are listed; None: it stands there already, or cannot."""
    found = views.lists(key.kind)
    index = key.relation.index
    if found is None or index is None or found[0] is index.view:
        return None
    view, listed = found
    (column,) = conjunct.refs
    there = next((one for one in view.columns if one.name == listed.pins), None)
    if there is None or there.type_oid != column.type_oid:
        return None
    table = tree.table(view.view, _LISTED)
    table.range_var.schemaname = view.view_schema
    select = tree.select([_kind(key), tree.column_target(_LISTED, listed.name)], [table])
    select.where_clause.CopyFrom(written(conjunct))
    for reference in tree.column_references(select.where_clause):
        reference.CopyFrom(tree.column(_LISTED, listed.pins).column_ref)
    return select


def _kind(key: Key) -> pb.Node:
    target = tree.null_target()
    target.res_target.val.CopyFrom(tree.cast_to_text(tree.text(key.kind)))
    return target

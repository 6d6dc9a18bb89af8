"""Whom a lookup is about though it shows nobody: ``WHERE account_id = 5 AND ip = '10.1.2.3'`` with no row tells
something about account 5. Rows that are not there change nothing when somebody's data goes away, so I4 does not name
them; the record says that they were *examined*.

    SELECT at FROM logins WHERE account_id = $1 AND ip = '10.1.2.3'
    -> SELECT DISTINCT 'account'::text AS kind, l."seenby$1" AS key FROM v.logins l WHERE l.account_id = $1 ...
"""

from __future__ import annotations

from collections.abc import Sequence

from postgast import pg_query_pb2 as pb

from seenby.sql import tree
from seenby.sql.blocks import Block
from seenby.sql.parse import deparse
from seenby.sql.scope import Key
from seenby.sql.usable import written


def examined(blocks: Sequence[Block], cap: int) -> str | None:
    """The people whom conditions name by key, as rows (kind, key); None if there are no such conditions.

    Everybody whom the table of such a condition knows under that key, whatever the other conditions say.
    """
    texts = []
    for block in blocks:
        for conjunct in block.conjuncts:
            key = conjunct.pins
            if key is None or key.relation.index is None:
                continue
            select = tree.select([_kind(key), tree.column_target(key.relation.alias, key.name)], [key.relation.node])
            select.where_clause.CopyFrom(written(conjunct))
            texts.append(deparse(select))
    if not texts:
        return None
    core = " UNION ALL ".join(dict.fromkeys(texts))
    return f"SELECT DISTINCT kind, key FROM ({core}) AS c (kind, key) WHERE key IS NOT NULL LIMIT {cap + 1}"


def _kind(key: Key) -> pb.Node:
    target = tree.null_target()
    target.res_target.val.CopyFrom(tree.cast_to_text(tree.text(key.kind)))
    return target

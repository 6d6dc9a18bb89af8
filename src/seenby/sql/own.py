"""Subqueries in conditions that look at rows of the very person whom the row is about: as a column of theirs would.

SELECT count(*) FILTER (WHERE EXISTS (SELECT 1 FROM videos v WHERE v.account_id = a.id)) FROM accounts a
SELECT country, count(*) FROM accounts WHERE id IN (SELECT account_id FROM videos WHERE length_s > 60) GROUP BY 1
"""

from __future__ import annotations

from collections.abc import Sequence

from postgast import pg_query_pb2 as pb

from seenby.sql.blocks import Block, Sublink
from seenby.sql.scope import Column, Key
from seenby.sql.sources import Person


def is_own(link: Sublink, persons: Sequence[Person]) -> bool:
    """Deleting somebody else's rows never changes what it says of a row. ``persons``: whom rows are about."""
    query = link.query
    if query.branches is not None or query.recursion or query.limited or query.obstacles:
        return False
    (block,) = query.blocks
    if block.aggregated or block.gathers or block.sublinks or len(block.relations) != 1:
        return False
    (relation,) = block.relations
    if relation.index is None or len(relation.keys) != 1:
        return False
    (key,) = relation.keys
    if link.kind == pb.EXISTS_SUBLINK:
        return any(_same_person(conjunct.equal, key, persons) for conjunct in block.conjuncts if conjunct.equal)
    # ``x = (SELECT y ...)`` is read as IN, and fails where there are two.
    if (
        link.kind == pb.ANY_SUBLINK
        and not link.scalar
        and link.operator == "="
        and len(link.test_refs) == 1
        and len(block.outputs) == 1
    ):
        plain = link.test is not None and link.test.WhichOneof("node") == "column_ref"
        output = block.outputs[0]
        shows = output.plain and len(output.sources) == 1 and output.sources[0].pin is key
        return plain and shows and _is_whose(link.test_refs[0], key, persons)
    return False


def _same_person(pair: tuple[Column, Column], key: Key, persons: Sequence[Person]) -> bool:
    """``v.account_id = a.id``, where the first is the subquery's and the second the row's."""
    return any(
        one.pin is key and other.origin is not None and _is_whose(other.origin, key, persons)
        for one, other in (pair, pair[::-1])
    )


def _is_whose(column: Column, key: Key, persons: Sequence[Person]) -> bool:
    """It holds the key of somebody whom the row is about."""
    pin = column.pin
    return pin is not None and pin.kind == key.kind and any(pin.root is person.key.root for person in persons)


def conditions_of(block: Block) -> list[Column]:
    """What its subqueries in conditions choose by."""
    return [
        column
        for link in block.sublinks
        for below in link.query.blocks
        for conjunct in below.conjuncts
        for column in conjunct.refs
    ]

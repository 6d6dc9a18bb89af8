"""Conditions of a statistic that single somebody out, and then ask something about them.

    SELECT count(*) FROM accounts WHERE id IN (nine others) OR (id = 42 AND gender = 'f')      ten people, or nine

Nine are too few, so whether there is an answer says what 42 is; with a few such questions a whole date of birth is
found, and no two answers differ by anybody. So where a condition goes by who somebody is (a person's key, or a column
that is a unique key by itself), no condition looks at two columns at once: who they are decides, and each other column,
and all must hold. What stands under NOT EXISTS or in ON of an outer join is one condition, because it is turned round.

    WHERE id NOT IN (test accounts) AND country = 'DE'                                       is answered
    WHERE id IN (nine Germans and 42) AND (country = 'DE' OR gender = 'f')                   is not
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from postgast import pg_query_pb2 as pb

from seenby.sql.blocks import Block, Conjunct, Sublink
from seenby.sql.harmless import children, column_of
from seenby.sql.scope import Column
from seenby.sql.sources import Why
from seenby.sql.weights import UniqueKeys, base

WHY = "a condition that goes by who somebody is, beside one that looks at two columns, could ask about a single person"


@dataclass(slots=True)
class _Condition:
    """The columns that one condition looks at, as in accounts.country, and whether one of them says who somebody is."""

    labels: set[str] = field(default_factory=set)
    who: bool = False


def why_not(
    blocks: Sequence[Block],
    expressions: Sequence[tuple[Block, pb.Node]],
    own: Sequence[Sublink],
    unique: UniqueKeys,
) -> Why:
    """Why these conditions could ask about one person; "" if they could not.

    Args:
        blocks: whose WHERE and ON choose rows.
        expressions: what else does, or makes groups: FILTER, CASE, GROUP BY, HAVING.
        own: subqueries about the person of the row.
        unique: keys of the tables.
    """
    reading = _Reading(own, unique)
    found: list[_Condition] = []
    for block in blocks:
        turned: dict[int, _Condition] = {}  # ON of outer joins
        for conjunct in block.conjuncts:
            if conjunct.equal is not None and all(base(one) is not None for one in conjunct.equal):
                continue  # a join
            if conjunct.join is not None and conjunct.join.nullable:
                condition = turned.setdefault(id(conjunct.join), _Condition())
            else:
                condition = _Condition()
            found.append(condition)
            reading.read(conjunct, block, condition)
    for block, node in expressions:
        found.append(condition := _Condition())
        reading.walk(node, block, condition)
    if any(one.who for one in found) and any(len(one.labels) > 1 for one in found):
        return WHY
    return ""


@dataclass(frozen=True, slots=True)
class _Reading:
    own: Sequence[Sublink]
    unique: UniqueKeys

    def read(self, conjunct: Conjunct, block: Block, into: _Condition) -> None:
        if conjunct.node is None:
            for column in conjunct.refs:
                self._add(column, into)
        else:
            self.walk(conjunct.node, block, into)

    def walk(self, node: pb.Node, block: Block, into: _Condition) -> None:
        kind = node.WhichOneof("node")
        if kind == "sub_link":
            # Whom it is about is no condition: ``a.id IN (SELECT account_id ...)``, ``v.account_id = a.id``.
            for link in self.own:
                if link.node == node.sub_link:
                    self._subquery(link, into)
            return
        if kind == "column_ref":
            column = column_of(node, block)
            if column is not None:
                self._add(column, into)
            return
        for child in children(node):
            self.walk(child, block, into)

    def _subquery(self, link: Sublink, into: _Condition) -> None:
        for block in link.query.blocks:
            for conjunct in block.conjuncts:
                if conjunct.equal is None:
                    self.read(conjunct, block, into)

    def _add(self, column: Column, into: _Condition) -> None:
        """A column of UNION ALL is one: each row has it of one side."""
        found = list(_base(column))
        labels = {one.shown[0] for one in found if one.shown is not None}
        query = None if column.relation is None else column.relation.query
        into.labels |= {" ".join(sorted(labels))} if query is not None and query.branches is not None else labels
        into.who = into.who or any(map(self._says_who, found))

    def _says_who(self, column: Column) -> bool:
        relation = column.relation
        if column.pin is not None:
            return True
        if relation is None or relation.index is None or not relation.keys:
            return False
        view = relation.index.view
        keys = self.unique.get((view.schema, view.table), ())
        return frozenset({relation.index.original(column)}) in keys


def _base(column: Column) -> Iterator[Column]:
    """The columns of tables that it is made of."""
    if column.shown is not None:
        yield column
    for source in column.sources:
        yield from _base(source)

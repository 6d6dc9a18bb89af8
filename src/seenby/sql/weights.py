"""Could a join give one person more rows than the data does? Their value would weigh more in every figure.

    wallets w JOIN videos v ON v.account_id = w.account_id JOIN videos x ON x.account_id = w.account_id
    -> whoever has 14 videos has 196 rows; with a few more joins an average is theirs alone

So all tables but one are joined by a whole unique key. Then each row of that one stands in at most one row of the
join, and nobody has more of them than they have there.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from seenby.sql.blocks import Block
from seenby.sql.scope import Column, Relation

UniqueKeys = Mapping[tuple[str, str], Collection[frozenset[str]]]
"""(schema, table) -> the columns of each unique key."""

_ALIKE = (frozenset({20, 21, 23}), frozenset({25, 1043}))
"""Types (pg_type.dat: int8 20, int2 21, int4 23, text 25, varchar 1043) whose values are equal to one value of the
other at most. Not so float8 and int8: many large integers are the same float8."""


def multiplies(block: Block, unique: UniqueKeys) -> bool:
    """``block``: a statistic's, without set operations in its FROM.

    Functions in FROM are left to the bound on the share of rows (attribute/cohorts.py): how many elements somebody's
    array has is theirs as the number of their videos is, and a calendar gives all people of a day as many rows.
    """
    tables = _Tables()
    if not tables.gather(block):
        return True
    return bool(tables.found) and not any(tables.follow_from(first, unique) for first in tables.found)


def follows(relation: Relation, block: Block, unique: UniqueKeys) -> bool:
    """A row of ``relation`` stands in at most one row of the join."""
    tables = _Tables()
    return tables.gather(block) and relation in tables.found and tables.follow_from(relation, unique)


def is_persons(relation: Relation) -> bool:
    """A subquery that groups."""
    query = relation.query
    return query is not None and query.branches is None and bool(query.blocks[0].gathers)


@dataclass(slots=True)
class _Tables:
    """The tables of a statistic and of the subqueries in FROM, and which of their columns are equal."""

    found: list[Relation] = field(default_factory=list)
    equal: list[tuple[Column, Column]] = field(default_factory=list)
    _seen: set[int] = field(default_factory=set)

    def gather(self, block: Block) -> bool:
        """False if it cannot be said how often a row takes part: a WITH query that is read twice is two tables."""
        if id(block) in self._seen:
            return False
        self._seen.add(id(block))
        for relation in block.relations:
            if relation.index is not None or is_persons(relation):
                self.found.append(relation)
            elif relation.query is None:
                continue
            elif relation.query.obstacles or relation.query.branches or not self.gather(relation.query.blocks[0]):
                return False
        for conjunct in block.conjuncts:
            if conjunct.equal is not None:
                one, other = map(base, conjunct.equal)
                if one is not None and other is not None and _alike(one.type_oid, other.type_oid):
                    self.equal += [(one, other), (other, one)]
        return True

    def follow_from(self, first: Relation, unique: UniqueKeys) -> bool:
        """Does a row of ``first`` say which row of every other table it is joined with?"""
        known, rest = {id(first)}, [one for one in self.found if one is not first]
        while rest:
            told = [one for one in rest if any(key <= self._fixed(one, known) for key in _keys(one, unique))]
            if not told:
                return False
            known.update(map(id, told))
            rest = [one for one in rest if id(one) not in known]
        return True

    def _fixed(self, relation: Relation, known: set[int]) -> set[str]:
        """The columns of ``relation`` that are equal to some of ``known`` tables."""
        return {
            one.name if relation.index is None else relation.index.original(one)
            for one, other in self.equal
            if one.relation is relation and id(other.relation) in known
        }


def _keys(relation: Relation, unique: UniqueKeys) -> Collection[frozenset[str]]:
    if relation.index is None:
        assert relation.query is not None
        (below,) = relation.query.blocks
        if below.gathers == "distinct":
            return [frozenset(column.name for column in relation.ordered or ())]
        # What it is grouped by: if all of that is among its columns.
        shown = [
            column.name
            for column in relation.ordered or ()
            for output in column.sources
            if output.plain and any(one is source for source in output.sources for one in below.grouped)
        ]
        groups = below.select.group_clause
        return [frozenset(shown)] if len(below.grouped) == len(groups) == len(shown) else []
    view = relation.index.view
    return unique.get((view.schema, view.table), ())


def base(column: Column) -> Column | None:
    """The column that ``column`` shows as it is, through whatever subqueries: a table's, or of a row per person."""
    relation = column.relation
    if column.shown is not None or (relation is not None and is_persons(relation)):
        return column
    if relation is not None and relation.node.WhichOneof("node") == "range_function":
        return None
    if column.plain and len(column.sources) == 1:
        return base(column.sources[0])
    return None


def _alike(one: int, other: int) -> bool:
    return one == other or any({one, other} <= alike for alike in _ALIKE)

"""``SELECT a.handle, count(*) ... GROUP BY a.id``: SQL allows it because ``id`` is the primary key and fixes the rest
of the row. A view has no primary key, so the columns that are named are added to GROUP BY; the groups stay the same.

    SELECT a.handle, count(*) FROM accounts a JOIN videos v ON v.account_id = a.id GROUP BY a.id
    -> SELECT a.handle, count(*) FROM v.accounts a JOIN v.videos v ON v.account_id = a.id GROUP BY a.id, a.handle

PostgreSQL documentation, 7.2.3; the constraint's own rules in PostgreSQL's source: check_functional_grouping.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from seenby.sql import tree
from seenby.sql.blocks import Block
from seenby.sql.readings import Reading
from seenby.sql.scope import Column, Relation


def complete_groups(block: Block, keys: Mapping[tuple[str, str], tuple[str, ...]], readings: Iterable[Reading]) -> None:
    """Adds to GROUP BY the named columns of every table whose primary key stands there.

    ``keys``: of all tables; ``readings``: of the statement so far, among them those of subqueries of the block.
    """
    if not block.select.group_clause or block.sets:  # DISTINCT ON makes no groups
        return
    grouped = {id(column) for column in block.grouped}
    fixed = [relation for relation in block.relations if _is_fixed(relation, grouped, keys)]
    for column in _named(block, readings) if fixed else ():
        if column.relation in fixed and id(column) not in grouped and not column.masked:
            grouped.add(id(column))
            target = tree.column_target(column.relation.alias, column.real)
            block.select.group_clause.append(target.res_target.val)


def _is_fixed(relation: Relation, grouped: set[int], keys: Mapping[tuple[str, str], tuple[str, ...]]) -> bool:
    if relation.index is None:
        return False
    names = keys.get((relation.index.view.schema, relation.index.view.table), ())
    columns = [relation.columns.get(name) for name in names]
    return bool(names) and all(column is not None and id(column) in grouped for column in columns)


def _named(block: Block, readings: Iterable[Reading]) -> Iterator[Column]:
    """The columns of FROM that the select list, HAVING and ORDER BY name, and their subqueries."""
    for reading in readings:
        for named in reading.refs:
            if named.origin is not None and named.level is block.level:
                yield named.origin
    nodes = [*block.select.target_list, block.select.having_clause, *block.select.sort_clause]
    for ref in (ref for node in nodes for ref in tree.column_references(node)):
        parts = [part.string.sval for part in ref.fields]
        column = None if "" in parts else block.scope.meaning(parts)
        if column is not None and column.origin is None:
            yield column

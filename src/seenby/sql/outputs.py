"""The columns that a SELECT gives: what a star stands for, how an output follows from what it was computed of."""

from __future__ import annotations

from postgast import pg_query_pb2 as pb

from seenby.errors import AmbiguousName
from seenby.sql import tree
from seenby.sql.named import masked_use
from seenby.sql.scope import Column, Scope


def output(name: str, column: Column) -> Column:
    """An output that shows a column as it is."""
    return Column(
        name,
        name,
        masked=column.masked,
        type_oid=column.type_oid,
        pin=column.pin,
        total=column.total,
        grows=column.grows,
        sources=(column,),
    )


def star_target(column: Column, scope: Scope) -> pb.Node:
    """What stands in the select list for one column of a star."""
    if column.relation is not None:
        output = column.name if column.real != column.name else ""
        return tree.column_target(column.relation.alias, column.real, output)
    try:
        alone = scope.find(column.name) is column
    except AmbiguousName:
        alone = False
    if alone:
        return tree.column_target("", column.name)
    node = pb.Node()
    node.res_target.name = column.name
    node.res_target.val.CopyFrom(written_out(column))
    return node


def written_out(column: Column) -> pb.Node:
    """A column of JOIN ... USING without its short name, which means two things where another table has it too."""
    if column.relation is not None:
        return tree.column_target(column.relation.alias, column.real).res_target.val
    first, second = column.sources
    if column.strict and column.type_oid:
        return written_out(first)
    node = pb.Node()
    node.coalesce_expr.args.extend([written_out(first), written_out(second)])
    return node


def united(left: Column, right: Column) -> Column:
    """An output of UNION, INTERSECT or EXCEPT."""
    return Column(
        left.name,
        left.real,
        masked=left.masked or right.masked,
        type_oid=left.type_oid if left.type_oid == right.type_oid else 0,
        total=left.total and right.total,
        fragile=max(left.fragile, right.fragile),
        possible=all(one.possible or one.fragile == 0 for one in (left, right)),
        sources=(left, right),
    )


def named(outputs: list[Column], name: str, use: str) -> list[Column]:
    """The output columns that ``name`` means; they are used."""
    found = [column for column in outputs if column.name == name]
    for column in found:
        if column.masked:
            raise masked_use(column.masked, use)
        column.use()
    return found

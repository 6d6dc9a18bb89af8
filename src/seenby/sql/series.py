"""A function in FROM, as in ``FROM videos v, unnest(v.tags) AS t``: rows made of a value, which belong to whom it does.

jsonb_each_text(a.settings) AS s (name, value)      unnest(v.tags) WITH ORDINALITY      generate_series(1, 7) AS n
"""

from __future__ import annotations

from postgast import pg_query_pb2 as pb

from seenby.errors import SyntaxFailed, Unsupported
from seenby.sql import functions
from seenby.sql.expressions import Expressions
from seenby.sql.named import own_name
from seenby.sql.scope import Column, Relation, Scope, doubled

COLUMNS = {
    "json_each": ("key", "value"),
    "jsonb_each": ("key", "value"),
    "json_each_text": ("key", "value"),
    "jsonb_each_text": ("key", "value"),
}
"""Those that give more than one column, by what Postgres calls these (pg_proc.proargnames)."""

_VALUE = functions.words("""
    json_array_elements jsonb_array_elements json_array_elements_text jsonb_array_elements_text
    """)
_RECORDS = functions.words("json_to_record jsonb_to_record json_to_recordset jsonb_to_recordset")

TOTAL = functions.words("unnest generate_subscripts string_to_table")
"""Cannot raise an error, whatever the data."""


def read(node: pb.Node, place: int, beside: Scope, expressions: Expressions) -> Relation:
    """The relation that a function in FROM is; ``beside`` is what stands before it. Its row goes with theirs."""
    part = node.range_function
    if part.is_rowsfrom or len(part.functions) != 1:
        raise Unsupported("ROWS FROM (...) is not used here", hint="join the functions' results instead")
    items = part.functions[0].list.items
    call = items[0]
    if call.WhichOneof("node") != "func_call":
        raise Unsupported("this cannot stand in FROM here", hint="call a function, as in  FROM unnest(v.tags) AS t")
    refs = list(expressions.read(call, beside, "a function in FROM"))
    found = expressions.found
    for column in refs:
        column.use()
    name = call.func_call.funcname[-1].string.sval
    alias = own_name(part.alias.aliasname) if part.HasField("alias") else name
    defined = [*part.coldeflist, *(items[1].list.items if len(items) > 1 else ())]
    names = _names(name, call.func_call, defined, alias if part.HasField("alias") else "")
    if part.ordinality:
        names.append("ordinality")
    given = [own_name(one.string.sval) for one in part.alias.colnames]
    if len(given) > len(names):
        raise SyntaxFailed(f'table "{alias}" has {len(names)} columns available but {len(given)} columns specified')
    names[: len(given)] = given
    relation = Relation(alias, 1 << place, node, asked=tuple(found.sublinks))
    constant = not refs and not expressions.parameters and not found.sublinks
    simple = all(one.WhichOneof("node") in {"column_ref", "a_const", "param_ref"} for one in call.func_call.args)
    relation.total = constant or (name in TOTAL and simple and all(column.total for column in refs))
    sure = relation.total and all(column.fragility < 2 for column in refs)
    possible = relation.total and all(column.fragility < 2 or column.possible for column in refs)
    relation.ordered = [
        Column(
            one,
            one,
            relation,
            relation.bit,
            fragile=0 if sure else 2,
            possible=possible and not sure,
            sources=tuple(refs),
        )
        for one in names
    ]
    relation.columns = {column.name: column for column in relation.ordered}
    if len(names) == 1:
        relation.columns.setdefault(alias, relation.ordered[0])  # the row of one value is that value
    relation.doubled = doubled(names)
    return relation


def _names(name: str, call: pb.FuncCall, defined: list[pb.Node], alias: str) -> list[str]:
    if name in _RECORDS:
        if not defined:
            raise SyntaxFailed(
                f"a column definition list is required for {name}", hint="as in  AS x (id bigint, name text)"
            )
    elif defined:
        raise SyntaxFailed(f"a column definition list is redundant for {name}", hint="leave the types out")
    if defined:
        for one in defined:
            functions.check_type(one.column_def.type_name, _DEFINED)
        return [own_name(one.column_def.colname) for one in defined]
    if name in COLUMNS:
        return list(COLUMNS[name])
    if name == "unnest" and len(call.args) > 1:
        return [name] * len(call.args)
    if name in _VALUE:
        return ["value"]
    return [alias or name]


_DEFINED = functions.words("""
    bool int2 int4 int8 float4 float8 numeric text varchar bpchar date time timetz timestamp timestamptz interval uuid
    json jsonb inet cidr
    """)

"""Small pieces of parse tree that the rewriting puts into a statement."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from google.protobuf.message import Message
from postgast import pg_query_pb2 as pb

_NULL_TEXT = pb.Node()
_NULL_TEXT.type_cast.arg.a_const.isnull = True
_NULL_TEXT.type_cast.type_name.names.add().string.sval = "text"
_NULL_TEXT.type_cast.type_name.typemod = -1

_TRUE = pb.Node()
_TRUE.a_const.boolval.boolval = True
_FALSE = pb.Node()
_FALSE.a_const.boolval.boolval = False


def column_target(alias: str, name: str, output: str = "") -> pb.Node:
    """``alias.name AS output``, as an entry of a target list; without ``AS`` when ``output`` is empty."""
    node = pb.Node()
    if output:
        node.res_target.name = output
    fields = node.res_target.val.column_ref.fields
    if alias:
        fields.add().string.sval = alias
    fields.add().string.sval = name
    return node


def null_target(output: str = "") -> pb.Node:
    """``NULL::text AS output``."""
    node = pb.Node()
    if output:
        node.res_target.name = output
    node.res_target.val.CopyFrom(_NULL_TEXT)
    return node


def null_text() -> pb.Node:
    return _NULL_TEXT


def true() -> pb.Node:
    return _TRUE


def false() -> pb.Node:
    return _FALSE


def conjunction(nodes: Sequence[pb.Node]) -> pb.Node:
    """``a AND b AND c``; at least one node."""
    return _flat(pb.AND_EXPR, nodes)


def disjunction(nodes: Sequence[pb.Node]) -> pb.Node:
    """``a OR b OR c``; at least one node."""
    return _flat(pb.OR_EXPR, nodes)


def conjuncts(node: pb.Node) -> Iterator[pb.Node]:
    """The parts of ``a AND b AND c``."""
    if node.WhichOneof("node") == "bool_expr" and node.bool_expr.boolop == pb.AND_EXPR:
        for one in node.bool_expr.args:
            yield from conjuncts(one)
    else:
        yield node


def _flat(operator: pb.BoolExprType.ValueType, nodes: Sequence[pb.Node]) -> pb.Node:
    """As Postgres reads it again: what has the same operator stands there without parentheses of its own."""
    if len(nodes) == 1:
        return nodes[0]
    made = pb.Node()
    made.bool_expr.boolop = operator
    for node in nodes:
        same = node.WhichOneof("node") == "bool_expr" and node.bool_expr.boolop == operator
        made.bool_expr.args.extend(node.bool_expr.args if same else [node])
    return made


def equality(left: tuple[str, str], right: tuple[str, str]) -> pb.Node:
    """``a.x = b.y``."""
    node = pb.Node()
    node.a_expr.kind = pb.AEXPR_OP
    node.a_expr.name.add().string.sval = "="
    for side, (alias, name) in ((node.a_expr.lexpr, left), (node.a_expr.rexpr, right)):
        side.column_ref.fields.add().string.sval = alias
        side.column_ref.fields.add().string.sval = name
    return node


def table_references(message: Message, ctes: frozenset[str]) -> Iterator[pb.RangeVar]:
    """Every table reference that is not a CTE's, with WITH's scoping."""
    if isinstance(message, pb.RangeVar):
        if message.schemaname or message.relname not in ctes:
            yield message
        return
    if isinstance(message, pb.SelectStmt) and message.HasField("with_clause"):
        clause = message.with_clause
        names = frozenset(node.common_table_expr.ctename for node in clause.ctes)
        known = ctes | names if clause.recursive else ctes
        for node in clause.ctes:
            yield from table_references(node.common_table_expr.ctequery, known)
            known |= {node.common_table_expr.ctename}
        ctes = known
    for field, value in message.ListFields():
        if field.message_type is None or field.name == "with_clause":
            continue
        for one in value if field.is_repeated else (value,):
            yield from table_references(one, ctes)


# SELECTs of our own


def select(targets: Sequence[pb.Node], entries: Sequence[pb.Node]) -> pb.SelectStmt:
    """``SELECT targets FROM entries``."""
    made = pb.SelectStmt(op=pb.SETOP_NONE, limit_option=pb.LIMIT_OPTION_DEFAULT)
    made.target_list.extend(targets)
    made.from_clause.extend(entries)
    return made


def united(left: pb.SelectStmt, right: pb.SelectStmt, op: pb.SetOperation.ValueType, *, keep: bool) -> pb.SelectStmt:
    """``left UNION right`` or the like, with ALL if ``keep``."""
    made = pb.SelectStmt(op=op, all=keep, limit_option=pb.LIMIT_OPTION_DEFAULT)
    made.larg.CopyFrom(left)
    made.rarg.CopyFrom(right)
    return made


def subselect(inner: pb.SelectStmt, alias: str, *, lateral: bool = False) -> pb.Node:
    """``LATERAL (inner) AS alias``."""
    node = pb.Node()
    node.range_subselect.subquery.select_stmt.CopyFrom(inner)
    node.range_subselect.alias.aliasname = alias
    node.range_subselect.lateral = lateral
    return node


def nothing(alias: str) -> pb.Node:
    """A relation of one row that has none of the columns that anybody names."""
    return subselect(select([one_target()], []), alias)


def table(name: str, alias: str = "", columns: Sequence[str] = ()) -> pb.Node:
    """``name AS alias (columns)``, as an entry of FROM."""
    node = pb.Node()
    node.range_var.relname, node.range_var.inh, node.range_var.relpersistence = name, True, "p"
    if alias:
        node.range_var.alias.aliasname = alias
        node.range_var.alias.colnames.extend(string(column) for column in columns)
    return node


def string(text: str) -> pb.Node:
    node = pb.Node()
    node.string.sval = text
    return node


def one_target() -> pb.Node:
    """``1``."""
    node = pb.Node()
    node.res_target.val.a_const.ival.ival = 1
    return node


def null_output(name: str) -> pb.Node:
    """``NULL AS name``, of whatever type is wanted."""
    node = pb.Node()
    node.res_target.name = name
    node.res_target.val.a_const.isnull = True
    return node


def column(alias: str, name: str) -> pb.Node:
    """``alias.name``."""
    return column_target(alias, name).res_target.val


def operation(operator: str, left: pb.Node, right: pb.Node) -> pb.Node:
    """``left operator right``."""
    node = pb.Node()
    node.a_expr.kind = pb.AEXPR_OP
    node.a_expr.name.append(string(operator))
    node.a_expr.lexpr.CopyFrom(left)
    node.a_expr.rexpr.CopyFrom(right)
    return node


def negated(condition: pb.Node) -> pb.Node:
    """``NOT condition``."""
    node = pb.Node()
    node.bool_expr.boolop = pb.NOT_EXPR
    node.bool_expr.args.append(condition)
    return node


def exists(select: pb.SelectStmt) -> pb.Node:
    """``EXISTS (select)``."""
    node = pb.Node()
    node.sub_link.sub_link_type = pb.EXISTS_SUBLINK
    node.sub_link.subselect.select_stmt.CopyFrom(select)
    return node


def is_null(value: pb.Node) -> pb.Node:
    """``value IS NULL``."""
    node = pb.Node()
    node.null_test.nulltesttype = pb.IS_NULL
    node.null_test.arg.CopyFrom(value)
    return node


def is_not_null(value: pb.Node) -> pb.Node:
    """``value IS NOT NULL``."""
    node = is_null(value)
    node.null_test.nulltesttype = pb.IS_NOT_NULL
    return node


def only_if(conditions: Sequence[pb.Node], value: pb.Node) -> pb.Node:
    """``CASE WHEN conditions THEN value END``; ``value`` if there are none."""
    if not conditions:
        return value
    node = pb.Node()
    branch = node.case_expr.args.add().case_when
    branch.expr.CopyFrom(conjunction(conditions))
    branch.result.CopyFrom(value)
    return node


def requalify(message: Message, name: str, alias: str) -> None:
    """``name`` -> ``alias.name``, wherever it stands alone."""
    if isinstance(message, pb.ColumnRef):
        if len(message.fields) == 1 and message.fields[0].string.sval == name:
            message.fields.insert(0, string(alias))
        return
    for part, value in message.ListFields():
        if part.message_type is not None:
            for one in value if part.is_repeated else (value,):
                requalify(one, name, alias)


def column_references(message: Message) -> Iterator[pb.ColumnRef]:
    """Every column that an expression names, not those of its subqueries."""
    if isinstance(message, pb.ColumnRef):
        yield message
        return
    for part, value in message.ListFields():
        if part.message_type is not None and not (isinstance(message, pb.SubLink) and part.name == "subselect"):
            for one in value if part.is_repeated else (value,):
                yield from column_references(one)


def qualifiers(message: Message) -> Iterator[str]:
    """The names of tables before columns, in subqueries too."""
    if isinstance(message, pb.ColumnRef):
        if len(message.fields) > 1:
            yield message.fields[0].string.sval
        return
    for part, value in message.ListFields():
        if part.message_type is not None:
            for one in value if part.is_repeated else (value,):
                yield from qualifiers(one)


def has_subquery(message: Message) -> bool:
    """Whether there is one in an expression."""
    if isinstance(message, pb.SubLink):
        return True
    return any(
        has_subquery(one)
        for part, value in message.ListFields()
        if part.message_type is not None
        for one in (value if part.is_repeated else (value,))
    )


def call(name: str, *arguments: pb.Node) -> pb.Node:
    """``pg_catalog.name(arguments)``."""
    node = pb.Node()
    node.func_call.funcname.extend((string("pg_catalog"), string(name)))
    node.func_call.args.extend(arguments)
    node.func_call.funcformat = pb.COERCE_EXPLICIT_CALL
    return node


def cast_to_text(value: pb.Node) -> pb.Node:
    """``value::text``."""
    node = pb.Node()
    node.type_cast.CopyFrom(_NULL_TEXT.type_cast)
    node.type_cast.arg.CopyFrom(value)
    return node


def text(value: str) -> pb.Node:
    """``'value'``."""
    node = pb.Node()
    node.a_const.sval.sval = value
    return node


def gathered(key: pb.Node, *, many: bool, sort: bool = True) -> pb.Node:
    """The keys of all rows of a group, as the text of an array; of arrays' texts, one behind the other.

    ``sort``: each once. Postgres may then give *all* aggregates their rows in another order, which changes the last
    digit of a sum of floats.
    """
    if many:
        return call("string_agg", key, text(""))
    node = call("array_agg", key)
    node.func_call.agg_distinct = sort
    there = is_null(key)
    there.null_test.nulltesttype = pb.IS_NOT_NULL
    node.func_call.agg_filter.CopyFrom(there)
    return cast_to_text(node)

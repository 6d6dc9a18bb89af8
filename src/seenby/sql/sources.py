"""Whose rows stand below a statistic's figures, and whether FROM counts everybody as often as the data does.

=============  ============================================================  ========================================
in FROM        example                                                       its people
=============  ============================================================  ========================================
a table        accounts a                                                    the keys of its rows
rows           (SELECT * FROM accounts WHERE language = 'de') a              as of its tables
a union        (SELECT at FROM likes UNION ALL SELECT at FROM shares) e      a key of its own for each side
persons        (SELECT account_id, count(*) AS n FROM likes GROUP BY 1) l    one key, and the number of rows behind it
elements       unnest(a.interests) i                                         those of the row they are made of
a series       generate_series(current_date - 14, current_date, '1 day') d   nobody
=============  ============================================================  ========================================
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from postgast import pg_query_pb2 as pb

from seenby.sql import carry, tree
from seenby.sql.blocks import Block, Conjunct, Query
from seenby.sql.harmless import column_of, name_of_call, references, series_call
from seenby.sql.parse import parse
from seenby.sql.scope import Column, Key, Relation
from seenby.sql.weights import UniqueKeys, base, is_persons, multiplies

Why = str
"""Why it is no statistic, as in ``..., and WHY``; "" if it may be one."""

SIDE, ROWS = "seenby$b", "seenby$w"
"""Columns that the subqueries below a statistic get: which side of UNION ALL, and how many rows of tables."""

_ELEMENTS = frozenset({"unnest"})
_SERIES = frozenset({"generate_series"})
_FIRST = parse("SELECT (k::text[])[1]")[0].node.select_stmt.target_list[0].res_target.val
_OF_SIDE = parse("SELECT CASE WHEN b = 1 THEN k END")[0].node.select_stmt.target_list[0].res_target.val
_COUNT = parse('SELECT pg_catalog.count(*) AS "seenby$w"')[0].node.select_stmt.target_list[0]


@dataclass(frozen=True, slots=True, eq=False)
class Person:
    """Who a row is about.

    Attributes:
        node: the key, as text.
        rows: how many rows of tables the row stands for; None: one.
        key: of the relation.
        tables: with people, below it; sorted.
        optional: an outer join can leave it out.
    """

    kind: str
    node: pb.Node
    rows: pb.Node | None
    key: Key
    tables: tuple[str, ...] = ()
    optional: bool = False


@dataclass(slots=True)
class Sources:
    """What stands in FROM of a statistic.

    Attributes:
        blocks: whose conditions choose rows: the statistic's own, and those of the subqueries below it.
        persons: the keys.
        unions, grouped: subqueries that need the columns SIDE and ROWS.
    """

    blocks: list[Block]
    persons: list[Person] = field(default_factory=list)
    unions: list[Query] = field(default_factory=list)
    grouped: list[Query] = field(default_factory=list)

    @property
    def relations(self) -> Iterator[Relation]:
        return (relation for block in self.blocks for relation in block.relations)

    def prepare(self) -> None:
        """Makes the subqueries give what ``persons`` name. Their own columns stay as they are."""
        for query in self.unions:
            for number, block in enumerate(query.blocks, 1):
                if not _has(block, SIDE):
                    target = block.select.target_list.add()
                    target.res_target.name = SIDE
                    target.res_target.val.a_const.ival.ival = number
        for query in self.grouped:
            if not _has(query.blocks[0], ROWS):
                query.blocks[0].select.target_list.append(_COUNT)


def _has(block: Block, name: str) -> bool:
    return any(target.res_target.name == name for target in block.select.target_list)


def read_sources(block: Block, unique: UniqueKeys) -> Sources | Why:
    """``block``: a SELECT with aggregates."""
    found = Sources([block])
    if why := _relations(block, found):
        return why
    if not found.persons:
        return "it does not say whose rows take part"
    for one in found.blocks:
        if why := _why_not_joined(one):
            return why
    every = _tables(*found.blocks)
    found.persons = [one if one.tables else replace(one, tables=every) for one in found.persons]
    if not found.unions and multiplies(block, unique):
        return "its joins could count single people several times: join all tables but one by a whole unique key"
    return found


def _tables(*blocks: Block) -> tuple[str, ...]:
    relations = (relation for block in blocks for relation in block.relations)
    return tuple(sorted({one.index.label for one in relations if one.index is not None and one.keys}))


def _relations(block: Block, found: Sources) -> Why:
    optional = block.level.nullable
    for relation in block.relations:
        query = relation.query
        if relation.lateral or relation.own is not None:
            return "LATERAL and recursion could count single people several times"
        if query is not None:
            why = _subquery(relation, query, block, found)
        elif relation.index is not None:
            why = _persons_of_rows(relation, optional, found)
        else:
            why = _why_not_function(relation)
        if why:
            return why
    return ""


def _persons_of_rows(relation: Relation, optional: int, found: Sources) -> Why:
    if relation.persons and not relation.keys:
        return "it does not say whose rows take part"
    for key in relation.keys:
        if key.many:
            return "its rows are groups already: a statistic groups tables"
        outside = bool(relation.bit & optional)
        # On the side that may be missing, who is there is not who is on the other side.
        if key.same is None or outside:
            found.persons.append(Person(key.kind, carry.key_target(key).res_target.val, None, key, optional=outside))
    return ""


def _subquery(relation: Relation, query: Query, block: Block, found: Sources) -> Why:
    if query.recursion:
        return "LATERAL and recursion could count single people several times"
    if not query.persons and (query.branches is not None or query.blocks[0].values is not None):
        return "VALUES and UNION in FROM could count single people several times"
    if query.branches is not None:
        return _union(relation, query, block, found)
    if is_persons(relation):
        return _grouped(relation, query, block, found)
    inner = Sources([])
    (below,) = query.blocks
    if why := _why_not_below(below):
        return why
    if query.obstacles or query.limited:
        return f"{[*query.obstacles, 'LIMIT'][0]} below a statistic does not say whose rows take part"
    found.blocks.append(below)
    why = _relations(below, inner)
    if any(is_persons(one) or (one.query is not None and one.query.branches) for one in below.relations):
        return "its rows are groups already: a statistic groups tables"
    found.blocks += inner.blocks
    return why or _persons_of_rows(relation, block.level.nullable, found)


def _union(relation: Relation, query: Query, block: Block, found: Sources) -> Why:
    """Each side has a key of its own, so that each figure of a side is about enough people."""
    if query.operation != "UNION ALL" or query.obstacles or query.limited:
        return "of the set operations UNION ALL alone may stand below a statistic"
    if len(block.relations) > 1:
        return "UNION ALL in FROM could count single people several times: let it stand there alone"
    found.unions.append(query)
    columns = carry.slots(query)
    for number, one in enumerate(query.blocks, 1):
        if why := _why_not_below(one):
            return why
        if one.values is not None or one.aggregated or one.gathers:
            return "UNION in FROM could count single people several times"
        inner = Sources([])
        if why := _relations(one, inner):
            return why
        if any(below.query is not None for below in one.relations):
            return "UNION ALL below a statistic is of tables: without subqueries in its sides"
        if not one.keys:
            return "a side of UNION ALL does not say whose rows take part"
        found.blocks.append(one)
        for key, column in zip(relation.keys, columns, strict=True):
            if column[number - 1] is not None:
                node = pb.Node.FromString(_OF_SIDE.SerializeToString())
                when = node.case_expr.args[0].case_when
                when.expr.a_expr.lexpr.CopyFrom(tree.column(relation.alias, SIDE))
                when.expr.a_expr.rexpr.a_const.ival.ival = number
                when.result.CopyFrom(carry.key_target(key).res_target.val)
                found.persons.append(Person(key.kind, node, None, key, _tables(one, *inner.blocks)))
    return ""


def _grouped(relation: Relation, query: Query, block: Block, found: Sources) -> Why:
    """One row per person, or per person and day: what was computed of it is theirs as a column of a table is."""
    (below,) = query.blocks
    pin = pin_of(query)
    if query.limited or query.obstacles or below.sets or pin is None or len(relation.keys) != 1:
        return "its rows are groups already: a statistic groups tables, or what one table says of each person"
    if why := _why_not_below(below):
        return why
    if any(one.query is not None or one.index is None for one in below.relations):
        return "its rows are groups already: below them are tables alone"
    found.blocks.append(below)
    found.grouped.append(query)
    (key,) = relation.keys
    node = pb.Node.FromString(_FIRST.SerializeToString())
    node.a_indirection.arg.type_cast.arg.CopyFrom(carry.key_target(key).res_target.val)
    outside = bool(relation.bit & block.level.nullable)
    found.persons.append(Person(key.kind, node, tree.column(relation.alias, ROWS), key, optional=outside))
    return ""


NO_SUBQUERIES = "a statistic has no subqueries in its conditions: write them as joins"


def _why_not_below(block: Block) -> Why:
    if block.sublinks:
        return NO_SUBQUERIES
    if block.level.nullable:
        # It would hide who is on the side that may be missing (carry.py).
        return "an outer join in a subquery could pick single people: write it in the SELECT with the figures"
    return ""


def pin_of(query: Query) -> Column | None:
    """The column that says whose a grouped row is, if it is one person's."""
    (below,) = query.blocks
    if len(below.keys) != 1 or below.keys[0].many:
        return None
    columns = below.grouped if below.gathers == "group" else [one for output in below.outputs for one in output.sources]
    return next((one for one in columns if one.pin is not None and one.pin.root is below.keys[0].root), None)


def absent(node: pb.Node, block: Block, persons: list[Person]) -> list[Person]:
    """Whom the condition ``key IS NULL`` excludes, perhaps beside others: no row of theirs is there."""
    if node.WhichOneof("node") == "bool_expr" and node.bool_expr.boolop == pb.AND_EXPR:
        return [one for part in node.bool_expr.args for one in absent(part, block, persons)]
    if node.WhichOneof("node") != "null_test" or node.null_test.nulltesttype != pb.IS_NULL:
        return []
    column = column_of(node.null_test.arg, block)
    if column is None or column.relation is None:
        return []
    relation = column.relation
    if is_persons(relation):
        assert relation.query is not None
        pin = pin_of(relation.query)
        there = any(one is pin for output in column.sources for one in output.sources)
    else:
        there = column.pin is not None
    return [one for one in persons if one.optional and there and one.key.relation is relation]


def _why_not_function(relation: Relation) -> Why:
    column = next(iter(relation.ordered or ()), None)
    call = None if column is None else series_call(column)
    if call is None or relation.asked:
        return "a function in FROM could count single people several times"
    name = name_of_call(call)
    refs = [ref for argument in call.args for ref in references(argument)]
    if name in _SERIES and not refs and not relation.needs:
        return ""
    if name in _ELEMENTS and len(call.args) == 1 and call.args[0].WhichOneof("node") == "column_ref":
        source = next(iter(column.sources), None) if column is not None else None
        if relation.total and source is not None and base(source) is not None:
            return ""
    return f"{name} in FROM could count single people several times: unnest(column) and generate_series may stand there"


def _why_not_joined(block: Block) -> Why:
    """An outer join whose ON names a person, or a join by anything but equal columns, could give them other rows."""
    for join in block.joins:
        if join.kind == pb.JOIN_FULL:
            return "FULL JOIN could pick single people: write JOIN or LEFT JOIN"
        for relation in block.relations:
            # Nobody would see which of the other side's rows ON picks.
            if relation.bit & join.nullable and not relation.keys:
                return "an outer join with a table about nobody could pick single people: write JOIN"
    for conjunct in block.conjuncts:
        bits = _bits(conjunct, block)
        if bits & (bits - 1) and not _equal(conjunct, block):
            return "tables are joined by columns that are equal, and by no other condition"
    return ""


def _bits(conjunct: Conjunct, block: Block) -> int:
    """The tables and subqueries whose rows it compares; elements of an array belong to the row that has it."""
    bits = 0
    for relation in block.relations:
        if conjunct.bits & relation.bit:
            bits |= (
                relation.needs if relation.index is None and relation.query is None and relation.needs else relation.bit
            )
    return bits


def _equal(conjunct: Conjunct, block: Block) -> bool:
    if conjunct.equal is not None:
        return all(base(one) is not None or series_call(one) is not None for one in conjunct.equal)
    node = conjunct.node
    if node is None or node.WhichOneof("node") != "a_expr" or node.a_expr.kind != pb.AEXPR_OP:
        return False
    return node.a_expr.name[-1].string.sval == "=" and all(
        _only_columns(side, block) for side in (node.a_expr.lexpr, node.a_expr.rexpr)
    )


def _only_columns(node: pb.Node, block: Block) -> bool:
    """A column or a cast of one, as in ``y.at::date = d.day``: no constant steers it."""
    if node.WhichOneof("node") == "type_cast":
        return _only_columns(node.type_cast.arg, block)
    column = column_of(node, block)
    return column is not None and (base(column) is not None or series_call(column) is not None)

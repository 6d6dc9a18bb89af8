"""The path of one text: parsed, each statement decided, plans in order."""

from __future__ import annotations

import functools

from google.protobuf.message import Error as MessageError
from postgast import pg_query_pb2 as pb

from seenby.errors import SeenbyError
from seenby.model.plan import ControlKind, ControlPlan, Plan, QueryPlan, RefusedPlan
from seenby.model.shape import Catalog, Shape
from seenby.model.statistic import ROWS, Answering
from seenby.sql import around, catalogq, explain, linkage, rules, settings, statements, writes
from seenby.sql.parse import Statement, parse, too_complex
from seenby.sql.read import Reader
from seenby.sql.views import Views


def analyse(
    text: str,
    shape: Shape | None,
    catalog: Catalog,
    *,
    cap: int,
    linking: bool = False,
    answering: Answering = ROWS,
) -> tuple[Plan, ...]:
    """One plan per statement of ``text``, in order; never empty, never raises for what a user may write.

    Args:
        shape: the views of the grant; None: no grant is active, so every table is closed.
        catalog: of the database.
        cap: people whom the grant may still see; companion queries stop at one more.
        answering: rows, statistics, or both.
        linking: whether it may compare people by where they are and what they use.
    """
    try:
        parsed = parse(text)
    except SeenbyError as error:
        return (RefusedPlan(error, text, attempt=False),)
    if not parsed:
        return (ControlPlan(ControlKind.EMPTY, ""),)
    views = None if shape is None else _views(shape, catalog)
    return tuple(_decide(statement, views, catalog, cap, linking, answering) for statement in parsed)


def _again(tree: bytes, views: Views | None, catalog: Catalog, cap: int, answering: Answering) -> QueryPlan:
    """The plan of a SELECT with everything written out, by reading it once more."""
    reader = Reader(views, catalog)
    query = reader.statement(pb.SelectStmt.FromString(tree))
    return rules.decide(rules.Case(query, reader, cap, answering))


_RECENT: dict[tuple[int, int], Views] = {}
_MAX_RECENT = 64


def _views(shape: Shape, catalog: Catalog) -> Views:
    """``Views`` of a shape, kept while it is in use. It holds both, so their identities stay theirs."""
    key = (id(shape), id(catalog))
    views = _RECENT.get(key)
    if views is None:
        while len(_RECENT) >= _MAX_RECENT:
            del _RECENT[next(iter(_RECENT))]
        views = _RECENT[key] = Views(shape, catalog)
    return views


def _decide(
    statement: Statement, views: Views | None, catalog: Catalog, cap: int, linking: bool, answering: Answering
) -> Plan:
    node, kind = statement.node, statements.kind(statement.node)

    def select(tree: pb.SelectStmt) -> Plan:
        plan = catalogq.decide(tree, statement.text, catalog, granted=views is not None)
        if plan is not None:
            return plan
        again = functools.partial(_again, tree.SerializeToString(), views, catalog, cap)
        reader = Reader(views, catalog)
        query = reader.statement(tree)
        case = rules.Case(query, reader, cap, answering, again)
        refused = None
        if views is not None and not linking:
            refused = linkage.check(query, reader.blocks, reader.expressions.readings, views.shape)
        return rules.decide(case) if refused is None else rules.decide_statistic(case, refused)

    try:
        if kind == "select_stmt":
            return settings.called(node.select_stmt) or select(node.select_stmt)
        if kind == "explain_stmt":
            return explain.decide(node.explain_stmt, select, views, catalog)
        plan = around.decide(node, kind, select)
        if plan is not None:
            return plan
        if kind in writes.KINDS:
            return writes.decide(node, kind, views, catalog)
        return statements.decide(node, kind, () if views is None else views.shape.search_path)
    except SeenbyError as error:
        return RefusedPlan(error, statement.text, attempt=kind not in statements.ABOUT_THE_SESSION)
    except (RecursionError, MessageError):  # protobuf's own limit on depth, met while a piece is copied
        return RefusedPlan(too_complex(), statement.text)

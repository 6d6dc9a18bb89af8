"""The closed list of statements beside SELECT and those around it (around.py, explain.py). All others are refused.

A transaction is always REPEATABLE READ READ ONLY: the companion query must see what the query sees.
"""

from __future__ import annotations

from collections.abc import Sequence

from postgast import pg_query_pb2 as pb

from seenby.errors import Refused, SeenbyError, Unsupported
from seenby.model.plan import ControlKind, ControlPlan, ExecutePlan, FetchPlan, Runnable
from seenby.sql import functions, settings
from seenby.sql.constants import constants
from seenby.sql.named import own_name

ABOUT_THE_SESSION = functions.words("""
    transaction_stmt variable_set_stmt variable_show_stmt deallocate_stmt discard_stmt execute_stmt fetch_stmt
    close_portal_stmt constraints_set_stmt check_point_stmt unlisten_stmt
    """)
"""Refusing one of these is no attempt at anybody's data."""

_NOT_YET = {
    "return_stmt": ("RETURN", "use SELECT"),
    "plassign_stmt": ("an assignment", "use SELECT"),
    "set_operation_stmt": ("a set operation", "use SELECT"),
}

_WRITES = {
    "insert_stmt": "INSERT", "update_stmt": "UPDATE", "delete_stmt": "DELETE", "merge_stmt": "MERGE",
    "truncate_stmt": "TRUNCATE", "create_table_as_stmt": "CREATE TABLE AS", "refresh_mat_view_stmt": "REFRESH",
    "create_stmt": "CREATE TABLE", "index_stmt": "CREATE INDEX", "view_stmt": "CREATE VIEW", "drop_stmt": "DROP",
    "create_seq_stmt": "CREATE SEQUENCE", "alter_seq_stmt": "ALTER SEQUENCE", "alter_table_stmt": "ALTER TABLE",
    "rename_stmt": "ALTER ... RENAME", "comment_stmt": "COMMENT", "define_stmt": "CREATE",
}  # fmt: skip

_FORBIDDEN = {
    "listen_stmt": "LISTEN", "notify_stmt": "NOTIFY", "do_stmt": "DO", "call_stmt": "CALL",
    "lock_stmt": "LOCK", "load_stmt": "LOAD", "vacuum_stmt": "VACUUM and ANALYZE", "cluster_stmt": "CLUSTER",
    "reindex_stmt": "REINDEX", "check_point_stmt": "CHECKPOINT", "grant_stmt": "GRANT and REVOKE",
    "grant_role_stmt": "GRANT and REVOKE", "constraints_set_stmt": "SET CONSTRAINTS",
    "alter_system_stmt": "ALTER SYSTEM",
}  # fmt: skip

_ALL = 2**63 - 1  # parsenodes.h: FETCH_ALL
_ONLY = "use SELECT; a grant shows data, it changes nothing and runs no code"


def kind(node: pb.Node) -> str:
    """What libpg_query calls the statement, as in ``select_stmt``."""
    return node.WhichOneof("node") or "nothing"


def decide(node: pb.Node, kind: str, search_path: Sequence[str]) -> Runnable:
    """The plan of anything that holds no SELECT. Raises for everything that is not on the list."""
    if kind == "transaction_stmt":
        return _transaction(node.transaction_stmt)
    if kind == "variable_show_stmt":
        return settings.show(node.variable_show_stmt, search_path)
    if kind == "variable_set_stmt":
        return settings.change(node.variable_set_stmt, search_path)
    if kind == "deallocate_stmt":
        name = node.deallocate_stmt.name
        return ControlPlan(ControlKind.DEALLOCATE, "DEALLOCATE" if name else "DEALLOCATE ALL", name=name)
    if kind == "discard_stmt":
        return _discard(node.discard_stmt)
    if kind == "unlisten_stmt":
        return ControlPlan(ControlKind.DISCARD, "UNLISTEN")  # nobody listens
    if kind == "execute_stmt":
        return ExecutePlan(node.execute_stmt.name, constants(node.execute_stmt.params))
    if kind == "fetch_stmt":
        return _fetch(node.fetch_stmt)
    if kind == "close_portal_stmt":
        name = node.close_portal_stmt.portalname
        sql = f"CLOSE {settings.identifier(name)}" if name else "CLOSE ALL"
        return ControlPlan(ControlKind.CLOSE, "CLOSE CURSOR" if name else "CLOSE CURSOR ALL", sql, name)
    raise _refusal(kind)


def _refusal(kind: str) -> SeenbyError:
    if kind in _NOT_YET:
        name, hint = _NOT_YET[kind]
        return Unsupported(f"{name} is not answered here", hint=hint)
    if kind in _WRITES:
        return Refused(f"{_WRITES[kind]} changes the database; a grant only reads", hint=_ONLY)
    name = _FORBIDDEN.get(kind) or kind.removesuffix("_stmt").replace("_", " ").upper()
    return Refused(f"{name} is not on the list of statements that a grant may run", hint=_ONLY)


def _discard(statement: pb.DiscardStmt) -> ControlPlan:
    """DISCARD ALL forgets statements, cursors and settings; there are no sequences and temporary tables to forget."""
    if statement.target == pb.DISCARD_ALL:
        return ControlPlan(ControlKind.DISCARD, "DISCARD ALL", "RESET ALL", settings.EVERYTHING)
    names = {pb.DISCARD_PLANS: "PLANS", pb.DISCARD_SEQUENCES: "SEQUENCES", pb.DISCARD_TEMP: "TEMP"}
    if statement.target not in names:
        raise Unsupported("this DISCARD is not answered here", hint="use DISCARD ALL")
    return ControlPlan(ControlKind.DISCARD, f"DISCARD {names[statement.target]}")


def _fetch(statement: pb.FetchStmt) -> FetchPlan:
    verb = "MOVE" if statement.ismove else "FETCH"
    count = statement.how_many
    if statement.direction == pb.FETCH_RELATIVE and count == 1:  # NEXT
        return FetchPlan(statement.portalname, 1, statement.ismove)
    if statement.direction != pb.FETCH_FORWARD or count < 1:
        raise Unsupported(f"{verb} only goes forward here", hint=f"use {verb} NEXT, FORWARD n or ALL")
    return FetchPlan(statement.portalname, None if count >= _ALL else count, statement.ismove)


def _transaction(statement: pb.TransactionStmt) -> ControlPlan:
    name = own_name(statement.savepoint_name)
    quoted = settings.identifier(name)
    chain = " AND CHAIN" if statement.chain else ""
    match statement.kind:
        case pb.TRANS_STMT_BEGIN | pb.TRANS_STMT_START:
            tag = "BEGIN" if statement.kind == pb.TRANS_STMT_BEGIN else "START TRANSACTION"
            return ControlPlan(ControlKind.BEGIN, tag, settings.begin(statement.options))
        case pb.TRANS_STMT_COMMIT:
            return ControlPlan(ControlKind.COMMIT, "COMMIT", f"COMMIT{chain}")
        case pb.TRANS_STMT_ROLLBACK:
            return ControlPlan(ControlKind.ROLLBACK, "ROLLBACK", f"ROLLBACK{chain}")
        case pb.TRANS_STMT_SAVEPOINT:
            return ControlPlan(ControlKind.SAVEPOINT, "SAVEPOINT", f"SAVEPOINT {quoted}", name)
        case pb.TRANS_STMT_RELEASE:
            return ControlPlan(ControlKind.RELEASE, "RELEASE", f"RELEASE SAVEPOINT {quoted}", name)
        case pb.TRANS_STMT_ROLLBACK_TO:
            return ControlPlan(ControlKind.ROLLBACK_TO, "ROLLBACK", f"ROLLBACK TO SAVEPOINT {quoted}", name)
    raise Refused("prepared transactions are not used here", hint="use BEGIN and COMMIT")

"""SHOW, SET and RESET: a short list. Everything else could change what a query means, costs or tells (GUC by GUC).

======================================  ==============================================================================
setting                                 may become
======================================  ==============================================================================
application_name                        anything
DateStyle, IntervalStyle, TimeZone      anything that Postgres knows: how values are written and read; such a SET
extra_float_digits, bytea_output        stands alone (session/meaning.py)
client_encoding                         UTF8, what every session has
standard_conforming_strings             on, what every session has
search_path                             what it is: the schemas of the grant
default_transaction_isolation           repeatable read, what every session has
default_transaction_read_only           on, what every session has
SET TRANSACTION, SESSION CHARACTERISTICS  REPEATABLE READ, READ ONLY, what every transaction has
======================================  ==============================================================================

Timeouts are the gateway's: they belong to the grant. What would change nothing is answered without asking Postgres.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from postgast import pg_query_pb2 as pb

from seenby.errors import ParameterFixed, Refused
from seenby.model.plan import ControlKind, ControlPlan
from seenby.sql import functions

FREE = {
    "application_name": "application_name",
    "datestyle": "DateStyle",
    "intervalstyle": "IntervalStyle",
    "timezone": "TimeZone",
    "extra_float_digits": "extra_float_digits",
    "bytea_output": "bytea_output",
}
"""What a client may set to anything, with Postgres's spelling."""

_ON = ("on", "true", "yes", "1")
SAME = {
    "client_encoding": ("UTF8", "utf8", "utf-8", "unicode"),
    "standard_conforming_strings": _ON,
    "default_transaction_isolation": ("repeatable read",),
    "default_transaction_read_only": _ON,
    "transaction_isolation": ("repeatable read",),
    "transaction_read_only": _ON,
}
"""What a client may set to the value that it has anyway, in each of its spellings."""

SHOWN = (
    FREE.keys()
    | SAME.keys()
    | functions.words("""
    search_path server_version server_version_num server_encoding max_identifier_length integer_datetimes
    lc_collate lc_ctype lc_messages lc_monetary lc_numeric lc_time in_hot_standby is_superuser block_size
    session_authorization transaction_deferrable max_index_keys jit
    """)
)

_LIST = "a session may set: " + ", ".join(sorted(FREE.values()))


def show(statement: pb.VariableShowStmt, search_path: Sequence[str]) -> ControlPlan:
    """``SHOW name`` for the names in SHOWN. The search path is the platform's, in which users write their names."""
    name = statement.name.lower()
    if name not in SHOWN:
        raise Refused(f"SHOW {statement.name} is not on the list", hint="shown are: " + ", ".join(sorted(SHOWN)))
    sql = f"SHOW {identifier(name)}"
    if name == "search_path":
        sql = f"SELECT {literal(', '.join(search_path))} AS search_path"
    return ControlPlan(ControlKind.SHOW, "SHOW", sql, name)


def change(statement: pb.VariableSetStmt, search_path: Sequence[str]) -> ControlPlan:
    """SET and RESET. Raises ParameterFixed for what a client may not change."""
    if statement.kind == pb.VAR_SET_MULTI:
        return _characteristics(statement)
    name = statement.name.lower()
    tag = "RESET" if statement.kind in {pb.VAR_RESET, pb.VAR_RESET_ALL} else "SET"
    if statement.kind == pb.VAR_RESET_ALL:
        raise ParameterFixed("RESET ALL would reset what Seenby fixed", hint=f"reset settings one by one; {_LIST}")
    if name == "search_path":
        path = [value.lower() for value in _values(statement.args) if value != "$user"]
        if statement.kind == pb.VAR_SET_VALUE and path == [one.lower() for one in search_path]:
            return ControlPlan(ControlKind.SET, tag, name=name, value=", ".join(path))
        raise ParameterFixed(
            "search_path is fixed by the grant",
            hint="write schema.table; the path is: " + (", ".join(search_path) or '""'),
        )
    if statement.kind == pb.VAR_SET_CURRENT:
        raise ParameterFixed("SET ... FROM CURRENT belongs to functions", hint="name a value")
    values = list(_values(statement.args))
    value = ", ".join(values)
    if name in SAME:
        # Postgres reads letters and digits of an encoding's name only; asyncpg sends  'utf-8'  with the quotes.
        said = re.sub("[^a-z0-9]", "", value.lower()) if name == "client_encoding" else value.lower()
        if statement.kind == pb.VAR_SET_VALUE and said in SAME[name]:
            return ControlPlan(ControlKind.SET, tag, name=name, value=value)
        raise ParameterFixed(f"{name} is fixed here", hint=f"it is {SAME[name][0]}; {_LIST}")
    if name not in FREE:
        raise ParameterFixed(f"{statement.name} cannot be set here", hint=_LIST)
    where = "LOCAL " if statement.is_local else ""
    if tag == "RESET":
        sql = f"RESET {FREE[name]}"
    elif statement.kind == pb.VAR_SET_DEFAULT:
        sql = f"SET {where}{FREE[name]} TO DEFAULT"
    else:
        sql = f"SET {where}{FREE[name]} TO " + ", ".join(literal(one) for one in values)
    return ControlPlan(ControlKind.SET, tag, sql, name, value)


def _characteristics(statement: pb.VariableSetStmt) -> ControlPlan:
    """SET TRANSACTION and SET SESSION CHARACTERISTICS: only what every transaction here is anyway."""
    if statement.name not in {"TRANSACTION", "SESSION CHARACTERISTICS"}:
        raise Refused(f"SET {statement.name} is not on the list", hint="leave it out")
    for mode, value in modes(statement.args):
        if (mode, value) not in {
            ("transaction_isolation", "repeatable read"),
            ("transaction_read_only", "1"),
            ("transaction_deferrable", "0"),
        }:
            raise ParameterFixed(
                "every transaction here is REPEATABLE READ READ ONLY", hint="leave the statement out, or say just that"
            )
    return ControlPlan(ControlKind.SET, "SET", name=statement.name.lower())


def modes(options: Iterable[pb.Node]) -> Iterator[tuple[str, str]]:
    """Transaction modes, as in ("transaction_isolation", "serializable"), ("transaction_read_only", "1")."""
    for option in options:
        element = option.def_elem
        yield element.defname, next(_values([element.arg]), "")


def _values(nodes: Iterable[pb.Node]) -> Iterator[str]:
    for node in nodes:
        constant = node.a_const
        which = constant.WhichOneof("val")
        if node.WhichOneof("node") != "a_const" or which is None:
            raise ParameterFixed("only plain values can be set", hint="write the value as a string, as in  'UTC'")
        if which == "ival":
            yield str(constant.ival.ival)
        elif which == "fval":
            yield constant.fval.fval
        elif which == "boolval":
            yield "true" if constant.boolval.boolval else "false"
        else:
            yield constant.sval.sval


def identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A string constant; standard_conforming_strings is on in every session."""
    return "'" + text.replace("'", "''") + "'"

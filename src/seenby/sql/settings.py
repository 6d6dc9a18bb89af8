"""SHOW, SET and RESET: a short list. Everything else could change what a query means, costs or tells (GUC by GUC).

======================================  ==============================================================================
setting                                 may become
======================================  ==============================================================================
application_name, jit                   anything
DateStyle, IntervalStyle, TimeZone      anything that Postgres knows: how values are written and read
extra_float_digits, bytea_output        (session/meaning.py)
client_encoding                         UTF8, what every session has
standard_conforming_strings             on, what every session has
search_path                             what it is: the schemas of the grant
isolation, by any of its names          up to REPEATABLE READ, which every transaction has; BEGIN also SERIALIZABLE
READ ONLY, READ WRITE, DEFERRABLE       anything: every transaction is READ ONLY, and SHOW says so
statement_timeout and its like          shorter than the gateway's own (LIMITS); else a notice says what it stays at
client_min_messages and its like        anything, without effect: the gateway passes no messages of the server on
======================================  ==============================================================================

What would change nothing is answered without asking Postgres.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from postgast import pg_query_pb2 as pb

from seenby.errors import ParameterFixed, Refused, UsageError
from seenby.model.plan import Bound, ControlKind, ControlPlan, QueryPlan
from seenby.sql import functions

FREE = {
    "application_name": "application_name",
    "datestyle": "DateStyle",
    "intervalstyle": "IntervalStyle",
    "timezone": "TimeZone",
    "extra_float_digits": "extra_float_digits",
    "bytea_output": "bytea_output",
    "jit": "jit",
}
"""What a client may set to anything, with Postgres's spelling."""

EVERYTHING = "all"
"""The name of RESET ALL and DISCARD ALL. The link's settings stand in its startup message, so that these lead back to
them, not to the server's or the role's own.
"""

_ON = ("on", "true", "yes", "1")
_ANY_BOOLEAN = (*_ON, "off", "false", "no", "0")
_WEAKER = ("read uncommitted", "read committed", "repeatable read")
SAME = {
    "client_encoding": ("UTF8", "utf8", "utf-8", "unicode"),
    "standard_conforming_strings": _ON,
    "default_transaction_isolation": ("repeatable read", *_WEAKER),
    "default_transaction_read_only": _ANY_BOOLEAN,
    "default_transaction_deferrable": _ANY_BOOLEAN,
    "transaction_isolation": ("repeatable read", *_WEAKER),
    "transaction_read_only": _ANY_BOOLEAN,
    "transaction_deferrable": _ANY_BOOLEAN,
    "row_security": _ON,
}
"""What a client may ask for and has anyway, or has more of, in each of its spellings."""

WITHOUT_EFFECT = frozenset({"client_min_messages", "log_min_messages", "escape_string_warning"})
"""A client may say anything: nothing follows from it here."""

LIMITS = {
    "statement_timeout": 0,
    "lock_timeout": 10_000,
    "idle_in_transaction_session_timeout": 900_000,
    "idle_session_timeout": 0,
    "transaction_timeout": 0,  # PostgreSQL 17
}
"""Milliseconds that the gateway gives; 0: as long as the grant lasts. A client may ask for less."""
_UNITS = {"": 1, "us": 0.001, "ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}

SHOWN = (
    FREE.keys()
    | SAME.keys()
    | LIMITS.keys()
    | (WITHOUT_EFFECT - {"log_min_messages"})
    | functions.words("""
    search_path server_version server_version_num server_encoding max_identifier_length integer_datetimes
    lc_collate lc_ctype lc_messages lc_monetary lc_numeric lc_time in_hot_standby is_superuser block_size
    session_authorization max_index_keys
    """)
)

_LIST = "a session may set: " + ", ".join(sorted([*FREE.values(), *LIMITS]))


SHOW_ALL = QueryPlan(
    f"SELECT name, setting, short_desc AS description FROM {functions.SERVED}.pg_settings ORDER BY name",
    Bound.NOBODY,
    3,
    tag="SHOW",
    catalog_only=True,
)


def show(statement: pb.VariableShowStmt, search_path: Sequence[str]) -> ControlPlan | QueryPlan:
    """``SHOW name`` for the names in SHOWN. The search path is the platform's, in which users write their names."""
    name = statement.name.lower()
    if name == EVERYTHING:
        return SHOW_ALL
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
        return ControlPlan(ControlKind.SET, tag, "RESET ALL", EVERYTHING)
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
    if name in WITHOUT_EFFECT:
        return ControlPlan(ControlKind.SET, tag, name=name, value=value)
    if name in LIMITS:
        return _limit(name, value, tag, local=statement.is_local)
    if name in SAME:
        # Postgres reads letters and digits of an encoding's name only; asyncpg sends  'utf-8'  with the quotes.
        said = re.sub("[^a-z0-9]", "", value.lower()) if name == "client_encoding" else value.lower()
        if statement.kind != pb.VAR_SET_VALUE or said in SAME[name]:
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


def _limit(name: str, value: str, tag: str, *, local: bool) -> ControlPlan:
    """A timeout: Postgres is told the shorter one of the client's and the gateway's."""
    most = LIMITS[name]
    if tag == "RESET":
        return ControlPlan(ControlKind.SET, tag, f"RESET {name}", name)
    wanted = most
    if value and value != "default":
        found = re.fullmatch(r"(\d{1,10})\s*([a-z]*)", value.strip())
        if found is None or found[2] not in _UNITS:
            raise UsageError(f'invalid value for parameter "{name}": "{value}"', hint="as in  5000  or  '5s'")
        wanted = int(int(found[1]) * _UNITS[found[2]])
    notice = ""
    if most and not 0 < wanted <= most:
        notice, wanted = f"{name} stays at {most // 1000} seconds here", most
    sql = f"SET {'LOCAL ' if local else ''}{name} TO {wanted}"
    return ControlPlan(ControlKind.SET, tag, sql, name, str(wanted), notice)


def _characteristics(statement: pb.VariableSetStmt) -> ControlPlan:
    """SET TRANSACTION and SET SESSION CHARACTERISTICS: what every transaction here is anyway, or more than asked."""
    if statement.name not in {"TRANSACTION", "SESSION CHARACTERISTICS"}:
        raise Refused(f"SET {statement.name} is not on the list", hint="leave it out")
    for mode, value in modes(statement.args):
        if mode == "transaction_isolation" and value not in _WEAKER:
            raise ParameterFixed(
                "every transaction here is REPEATABLE READ",
                hint="leave the statement out, or begin with  BEGIN ISOLATION LEVEL SERIALIZABLE",
            )
    return ControlPlan(ControlKind.SET, "SET", name=statement.name.lower())


def begin(options: Iterable[pb.Node]) -> str:
    """BEGIN as Postgres is sent it. READ COMMITTED gets more than it asks for, SERIALIZABLE what it asks for."""
    asked = dict(modes(options))
    level = asked.get("transaction_isolation", "")
    serializable = "SERIALIZABLE" if level == "serializable" else "REPEATABLE READ"
    deferrable = " DEFERRABLE" if asked.get("transaction_deferrable") == "1" else ""
    return f"BEGIN ISOLATION LEVEL {serializable} READ ONLY{deferrable}"


def called(select: pb.SelectStmt) -> QueryPlan | None:
    """What drivers and pools call without FROM: set_config of what a client may set to anything, and the release of
    advisory locks, of which there are none. None: another statement.
    """
    if len(select.target_list) != 1 or select.from_clause or select.HasField("where_clause"):
        return None
    target = select.target_list[0].res_target
    call = target.val.func_call
    name = [part.string.sval for part in call.funcname]
    if target.val.WhichOneof("node") != "func_call" or name[:-1] not in ([], ["pg_catalog"]):
        return None
    column = identifier(target.name or name[-1])
    if name[-1] == "pg_advisory_unlock_all" and not call.args:
        return QueryPlan(f"SELECT ''::pg_catalog.void AS {column}", Bound.NOBODY, 1)
    if name[-1] != "set_config" or len(call.args) != 3:
        return None
    setting, value, local = call.args
    known = setting.a_const.sval.sval.lower()
    if known not in FREE or local.WhichOneof("node") != "a_const":
        return None
    if value.WhichOneof("node") == "param_ref" and value.param_ref.number == 1:
        text, parameters = "$1", 1
    elif value.a_const.WhichOneof("val") == "sval":
        text, parameters = literal(value.a_const.sval.sval), 0
    else:
        return None
    where = "true" if local.a_const.boolval.boolval else "false"
    sql = f"SELECT pg_catalog.set_config('{FREE[known]}', {text}, {where}) AS {column}"
    return QueryPlan(sql, Bound.NOBODY, 1, parameters=parameters, changes=known)


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

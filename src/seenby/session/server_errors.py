"""Postgres's errors, told without its words.

A run-time error text may hold a value (``invalid input syntax for type integer: "+44 7700 900123"``), so message,
detail, hint and context are replaced by ours, per SQLSTATE (PostgreSQL documentation, appendix A). An error of the
parse analysis cannot: no row has been read. Its message passes, without the names of our views.
"""

from __future__ import annotations

import re

from seenby.errors import ServerError

_TEXTS = {
    "21000": "a subquery used as an expression returned more than one row",
    "22001": "a value is too long for its type",
    "22003": "a number is out of the range of its type",
    "22007": "a value is not a valid date or time",
    "22008": "a date or time is out of range",
    "22011": "a substring length is negative",
    "22012": "division by zero",
    "22023": "a parameter of a function is invalid",
    "2201B": "a regular expression is invalid",
    "2201W": "a row count in LIMIT is invalid",
    "2201X": "a row count in OFFSET is invalid",
    "22021": "a text is not valid in its encoding",
    "22P02": "a value cannot be read as the type it is cast to",
    "22P03": "a binary value cannot be read as its type",
    "25P02": "the transaction has failed: nothing is done until ROLLBACK",
    "26000": "this prepared statement does not exist",
    "34000": "this portal does not exist",
    "3B001": "this savepoint does not exist",
    "40001": "the statement could not be serialised with others",
    "42501": "the database does not allow this to the grant's role",
    "42704": "a name given as a value is not one that this grant may read",
    "44000": "the row would belong to somebody outside of the grant",
    "42P01": "a table given as a value is not one that this grant shows",
    "53100": "the database's disk is full",
    "53200": "the database is out of memory",
    "53300": "the database has no connection left",
    "54000": "the statement is beyond a limit of the database",
    "54001": "the statement is too complex for the database",
    "55006": "an object is in use",
    "55P02": "this setting cannot be changed here",
    "57014": "the statement was cancelled",
    "57P01": "the database closed the connection",
    "57P02": "the database crashed",
    "57P03": "the database is not ready",
}
_CLASSES = {
    "08": "the connection to the database failed",
    "22": "a value does not fit the operation",
    "23": "a constraint of the database is violated",
    "25": "the transaction is not in the right state",
    "40": "the transaction was rolled back",
    "42": "the database refused the statement",
    "53": "the database is short of resources",
    "57": "the database stopped the statement",
    "58": "the database met a system error",
    "XX": "the database met an internal error",
}
_HINTS = {
    "22": "check the casts and the arguments; the value itself is not shown, since it may be a person's data",
    "25": "send ROLLBACK",
    "42": "look at the names and the arguments; \\dt and \\df list what there is for this grant",
    "44": "name people of the grant, and rows of theirs",
    "53": "try again later",
    "55": "leave it as it is",
}
_SQLSTATE = re.compile("[0-9A-Z]{5}")
_OUR_NAMES = re.compile(r'(?:"seenby_[vcgs][a-z0-9_]*"|seenby_[vcgs][a-z0-9_]*)\.|seenby\$\d+')


def _code(fields: dict[str, str]) -> str:
    code = fields.get("C", "")
    return code if _SQLSTATE.fullmatch(code) else "XX000"


def run_time_error(fields: dict[str, str]) -> ServerError:
    """The replacement for an ErrorResponse that came while rows were produced."""
    code = _code(fields)
    text = _TEXTS.get(code) or _CLASSES.get(code[:2]) or "the database refused the statement"
    return ServerError(text, code=code, hint=_HINTS.get(code[:2], ""))


def parse_error(fields: dict[str, str]) -> ServerError:
    """The replacement for an ErrorResponse to Parse: Postgres's message without our names."""
    code = _code(fields)
    if code[:2] not in {"42", "0A"}:
        return run_time_error(fields)
    return ServerError(_OUR_NAMES.sub("", fields.get("M", "")), code=code, hint=_OUR_NAMES.sub("", fields.get("H", "")))


def depends_on_data(code: str) -> bool:
    """Whether an error while rows were produced tells something about rows: then it is a result, and recorded.

    Lost connections, states of transactions and portals, serialisation failures and cancelling do not. Being out of
    memory and internal errors do: ``WHERE CASE WHEN phone LIKE '+44%' THEN length(repeat(x, 5e8) || repeat(x, 5e8))
    > 0 END`` ends in XX000 (invalid memory alloc request size) for the rows that somebody wants to find.
    """
    return code[:2] not in {"08", "25", "26", "34", "40", "57"}

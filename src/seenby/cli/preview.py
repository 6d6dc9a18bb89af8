"""``seenby preview``: what a change would do, row by row, without doing it."""

from __future__ import annotations

import json
import os
import sys
from getpass import getpass
from pathlib import Path
from typing import Annotated, Any

import psycopg
from cyclopts import Parameter
from psycopg.conninfo import make_conninfo
from rich.table import Table

from seenby.cli.grant import As, Json
from seenby.errors import ServerError, Unavailable, UsageError
from seenby.stores.config import load_config
from seenby_verify.cli.plain import PlainConsole

COLUMNS = ("row", "column", "before", "after")


def preview(
    statement: str,
    /,
    *,
    as_: As,
    grant: str = "",
    config: Annotated[Path | None, Parameter(env_var="SEENBY_CONFIG")] = None,
    dsn: str = "",
    json_: Json = False,
) -> None:
    """Show the rows that an UPDATE, DELETE or INSERT would change, before and after. Nothing is changed.

    The statement runs through the gateway, under the grant, and is taken back. What it shows is recorded like every
    look at people's data. The password is libpq's: PGPASSWORD, PGPASSFILE or a question.

    Parameters
    ----------
    statement
        As you would send it with psql: "UPDATE videos SET visibility = 'hidden' WHERE id = 7".
    grant
        The grant's id; needed when you have several active ones.
    config
        The region's seenby.toml, where the gateway is on this machine.
    dsn
        Instead: how the gateway is reached, as in "host=gateway.example port=6432 dbname=platform sslmode=verify-full".
    """
    options = "-c seenby.preview=on" + (f" -c seenby.grant={grant}" if grant else "")
    where = make_conninfo(_where(config, dsn), user=as_, options=options, application_name="seenby preview")
    rows = _rows(where, statement)
    if json_:
        print(json.dumps([dict(zip(COLUMNS, row, strict=True)) for row in rows], indent=2))
        return
    console = PlainConsole(highlight=False, markup=False)
    if not console.is_terminal:
        console.width = 200  # a pipe has no width; what reads it should not meet broken words
    if rows:
        console.print(_table(rows))
    changed = len({row[0] for row in rows})
    many = {0: "No row would change.", 1: "One row would change."}.get(changed, f"{changed} rows would change.")
    console.print(f"{many} Nothing was changed; the log says that you looked.")


def _where(config: Path | None, dsn: str) -> str:
    if dsn:
        return dsn
    if config is None:
        raise UsageError("where is the gateway?", hint="give --config seenby.toml, or --dsn 'host=... port=...'")
    settings = load_config(config)
    listen = settings.listen
    return make_conninfo(host=str(listen.socket_dir or listen.host), port=listen.port, dbname=settings.database.dbname)


def _rows(where: str, statement: str) -> list[tuple[Any, ...]]:
    """Raises ServerError with the gateway's own words, Unavailable when it cannot be reached."""
    try:
        with _connect(where) as connection:
            cursor = connection.execute(statement.encode())
            if tuple(one.name for one in cursor.description or ()) != COLUMNS:
                raise UsageError("this statement changes nothing", hint="run it with psql")
            return cursor.fetchall()
    except psycopg.Error as error:
        if error.sqlstate is None:
            raise Unavailable(
                "the gateway cannot be reached, or does not let you in",
                hint="look at the name, the password (PGPASSWORD) and where it is",
                detail=str(error).strip(),
            ) from None
        words = error.diag.message_primary or str(error)
        raise ServerError(words, code=error.sqlstate, hint=error.diag.message_hint or "") from None


def _connect(where: str) -> psycopg.Connection[Any]:
    if "PGPASSWORD" in os.environ or "PGPASSFILE" in os.environ or not sys.stdin.isatty():
        return psycopg.connect(where, autocommit=True, connect_timeout=10)
    return psycopg.connect(where, autocommit=True, connect_timeout=10, password=getpass("password: "))


def _table(rows: list[tuple[Any, ...]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in COLUMNS:
        table.add_column(heading, overflow="fold")
    last = ""
    for row, column, before, after in rows:
        table.add_row(
            "" if row == last else row, column, *("(none)" if one is None else one for one in (before, after))
        )
        last = row
    return table

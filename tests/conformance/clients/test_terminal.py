"""psql and pgcli: what a person types at a terminal, its tables, its completions."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from csv import reader
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pgcli.pgexecute import PGExecute

from tests.conformance.clients.checks import COPY, ERRORS, HIDDEN, STEPS, WRITE, Attempts
from tests.conformance.clients.matrix import DIFFERENCES, check_client
from tests.conformance.clients.side import Outcomes, Side, Sides, compare
from tests.conformance.record_psql import COMMANDS, announced
from tests.fixtures.needs import missing
from tests.fixtures.psql import run_psql

pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("clients")]

OTHERWISE = {
    r"\l": "a grant knows its own database alone", r"\l+": "a grant knows its own database alone",
    **dict.fromkeys((r"\du", r"\du+", r"\dg", r"\drg", r"\drds", r"\conninfo"), "a grant knows its own role alone"),
    **dict.fromkeys((r"\dx", r"\dx+"), "extensions are not told"),
    r"\dnS": "the schema of TOAST is not told",
    r"\dS": "some relations of the catalogue are refused: pg_authid, pg_statistic ...",
    r"\d pg_class": "indexes of the catalogue are not told",
    **dict.fromkeys((r"\dconfig", r"\dconfig+ work_mem"), "a short list of settings is told"),
    r"\df+ lower": "the source of functions is not told",
    r"\sv pg_roles": "definitions are not told",
    **dict.fromkeys((r"\dFd+", r"\dFp+"), "comments on what initdb made are not told"),
    **dict.fromkeys((r"\db+", r"\dRs+"), "directly they are refused, for want of privileges"),
}  # fmt: skip
"""Commands that print something else on purpose, and why."""

NOT_TOLD = {"Owner", "Size", "Description"}
"""Columns of psql's tables: owners, sizes and comments are the same for everybody, or empty."""

META = (
    "SELECT id, handle FROM accounts ORDER BY id LIMIT 3 \\g",
    "SELECT * FROM accounts ORDER BY id LIMIT 1 \\gx",
    "SELECT format('SELECT %s AS n', id) FROM accounts ORDER BY id LIMIT 3 \\gexec",
    "SELECT count(*) AS n FROM accounts \\gset\n\\echo :n",
    "SELECT id FROM videos WHERE id > $1 ORDER BY id LIMIT 2 \\bind 1000000005 \\g",
    "SELECT 1 \\watch i=0.01 c=2",
    "SELECT country, language, count(*) FROM accounts GROUP BY 1, 2 ORDER BY 1, 2 \\crosstabview",
    "SELECT id FROM accounts \\gdesc",
    "\\copy (SELECT id, handle, phone FROM accounts ORDER BY id LIMIT 5) TO STDOUT CSV HEADER",
    "\\copy (SELECT id, interests FROM accounts ORDER BY id LIMIT 5) TO STDOUT",
    "\\timing off\n\\pset format csv\nTABLE countries ORDER BY code;",
    "\\startpipeline\nSELECT 1 \\bind \\sendpipeline\nSELECT 2 \\bind \\sendpipeline\n\\endpipeline",
)


def psql_checks(side: Side) -> Outcomes:
    def printed(script: str, *options: str) -> Any:
        done = run_psql(side.local, script, *options)
        return [done.stdout.splitlines(), done.code]

    # Aligned, as a person reads it; as CSV, to leave out what is not told.
    aligned, csv = (
        dict(zip(COMMANDS, run_psql(side.local, form + announced(COMMANDS)).stdout.split("@@@ ")[1:], strict=True))
        for form in ("", "\\pset format csv\n")
    )

    def told(command: str) -> Any:
        if command in OTHERWISE:
            return OTHERWISE[command] if aligned[command] else ""
        rows = list(reader(csv[command].splitlines()[1:]))
        left_out = {place for row in rows[:1] for place, name in enumerate(row) if name in NOT_TOLD}
        if left_out:
            return [[one for place, one in enumerate(row) if place not in left_out] for row in rows]
        return aligned[command].splitlines()

    def code(text: str) -> list[str]:
        done = run_psql(side.local, f"\\set VERBOSITY verbose\n{text};")
        return re.findall(r"^ERROR: +([0-9A-Z]{5}):", done.stderr, re.MULTILINE)

    return {
        "sign in": printed("\\echo :SERVER_VERSION_NUM :DBNAME :ENCODING"),
        "catalogue": {command: told(command) for command in COMMANDS},
        "errors": [code(text) for text in ERRORS],
        "transactions": printed(";\n".join(STEPS) + ";"),
        "meta-commands": [[re.sub(r".*every 0.01s.*", "", line) for line in printed(script)[0]] for script in META],
        "rows in portions": printed("\\set FETCH_COUNT 7\nSELECT id, handle FROM accounts ORDER BY id;"),
        "COPY TO STDOUT": printed(COPY + ";"),
        "change": code(WRITE),
        "hidden column": code(HIDDEN),
    }


def test_psql(sides: Sides) -> None:
    check_client("psql", compare(sides, psql_checks, DIFFERENCES["psql"]), but={"completion"})


KEYS = (
    "SELECT * FROM acc\t\t",
    "SELECT * FROM v\t\t",
    "SELECT handle FROM accounts WHERE \t\t",
    "\\d vid\t\t",
    "SELECT * FROM public.\t\t",
)


def completions(program: str, side: Side) -> list[str]:
    """What a terminal shows after each of KEYS. ``psql`` of the distribution: the wheel's has no readline."""
    shown = []
    for keys in KEYS:
        child, terminal = pty.fork()
        if child == 0:
            os.environ.update(TERM="dumb", LC_ALL="C.UTF-8", INPUTRC="/dev/null", PAGER="cat")
            os.execv(program, [program, "-X", "-q", "-v", "PROMPT1=> ", "-d", side.local])
        try:
            until(terminal, "> ")
            os.write(terminal, keys.encode())
            os.write(terminal, b"\x15\\echo that is all\n")
            shown.append(until(terminal, "\nthat is all").split("\\echo")[0])
            os.write(terminal, b"\\q\n")
        finally:
            os.close(terminal)
            os.waitpid(child, 0)
    return shown


def until(terminal: int, mark: str, seconds: float = 20) -> str:
    """All that comes up to ``mark``."""
    text, end = "", time.monotonic() + seconds
    while mark not in text.replace("\r", ""):
        ready, _, _ = select.select([terminal], [], [], max(0.0, end - time.monotonic()))
        assert ready, f"nothing like {mark!r} in {seconds} s: {text!r}"
        text += os.read(terminal, 65536).decode()
    return text.replace("\r", "")


def test_tab_completion_of_psql(sides: Sides) -> None:
    program = shutil.which("psql")
    if program is None:
        missing("a psql with readline", "apt-get install postgresql-client")
    found = compare(sides, lambda side: {"completion": completions(program, side)}, {})
    assert "accounts" in found["completion"][0]
    assert "is_protected" in found["completion"][2]


def pgcli_checks(side: Side) -> Outcomes:
    """The program, and the queries with which it fills its completions in the background."""
    attempt = Attempts(psycopg.Error, lambda error: error.sqlstate or "")

    def ran(*arguments: str) -> Any:
        done = subprocess.run(
            [str(Path(sys.executable).parent / "pgcli"), "--pgclirc", os.devnull, "--less-chatty", "-w", *arguments],
            env=os.environ | side.environment | {"TERM": "dumb", "HOME": "/nonexistent"},
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        # pgcli does not sort the tables that refer to this one
        return [
            done.returncode,
            sorted(re.sub("Time: .*", "", done.stdout).splitlines()),
            "error" in done.stderr.lower(),
        ]

    def public(items: Iterable[Any]) -> Any:
        return sorted(tuple(one) for one in items if one[0] == "public")

    executor = PGExecute(dsn=side.dsn)
    try:
        attempt("sign in", lambda: [executor.server_version.split()[0], executor.dbname, executor.user])
        attempt("completion", lambda: {
            "schemas": sorted(set(executor.schemata()) - {"pg_toast"}),
            "tables": public(executor.tables()), "views": public(executor.views()),
            "columns": public(executor.table_columns()), "keys": sorted(executor.foreignkeys()),
            "types": public(executor.datatypes()), "path": executor.search_path(),
            "databases": sorted(set(executor.databases()) - {"template0"}),
            "functions": sum(one.schema_name == "pg_catalog" for one in executor.functions()) > 2500,
            "time zone": executor.get_timezone(),
        })  # fmt: skip
        attempt("errors", lambda: attempt.codes(lambda text: list(executor.run(text)), ERRORS))
    finally:
        executor.conn.close()
    attempt("meta-commands", lambda: [ran("-c", text) for text in ("\\d accounts", "\\dt", "\\dn", "SELECT 1 AS one")])
    return attempt.found


def test_pgcli(sides: Sides) -> None:
    check_client("pgcli", compare(sides, pgcli_checks, DIFFERENCES["pgcli"]))

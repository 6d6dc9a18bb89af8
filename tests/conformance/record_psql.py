"""What psql 18 asks of the catalogue, command by command: ``data/psql18_catalog_queries.sql``.

The commands stand in ``data/psql18_commands.txt``. After a change of either:
``python -m pytest tests/conformance/test_catalog_direct.py -k recorded`` says what differs and how to write the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from tests.fixtures.psql import run_psql

DATA = Path(__file__).parent / "data"
COMMANDS = (DATA / "psql18_commands.txt").read_text().splitlines()
RECORDED = DATA / "psql18_catalog_queries.sql"

_ECHOED = re.compile(r"/\*{8} QUERY \*{9}/\n(.*?)\n/\*{24}/", re.DOTALL)
_OID = re.compile(r"'(1[6-9]\d{3}|[2-9]\d{4})'")


def announced(commands: Iterable[str]) -> str:
    """A script that prints ``@@@`` and the command before what the command prints."""
    return "".join("\\echo '@@@ {}'\n{}\n".format(command.replace("\\", "\\\\"), command) for command in commands)


def record(dsn: str) -> str:
    """Every command and, under it, the queries psql sent for it; numbers of relations become 16384."""
    seen: set[str] = set()
    lines: list[str] = []
    for part in run_psql(dsn, announced(COMMANDS), "-E").stdout.split("@@@ ")[1:]:
        lines.append(f"-- {part.splitlines()[0]}\n")
        for query in (_OID.sub("'16384'", text).strip() for text in _ECHOED.findall(part)):
            if query not in seen:
                seen.add(query)
                lines.append(query + "\n" if query.endswith(";") else query + ";\n")
    return "\n".join(lines)

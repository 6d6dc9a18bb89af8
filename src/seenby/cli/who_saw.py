"""``seenby who-saw``: who has seen a person's data, when, which kind, for what purpose; every row checked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from seenby.model.people import Person
from seenby.stores.config import load_config
from seenby.stores.keystore import KeyStore
from seenby.stores.records import Seen
from seenby.stores.records import who_saw as read_ledger


def who_saw(
    person: str,
    /,
    *,
    config: Path,
    auditor: Annotated[bool, Parameter(negative="")] = False,
    json_: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> int:
    """List every time a person's data was shown: when, for what purpose, which kind of data.

    Every row is checked: its label and commitments, the sealed records' digests, and that the public log holds it.

    Parameters
    ----------
    person
        KIND:KEY, as in account:42.
    config
        The region's seenby.toml.
    auditor
        Also show who it was, and the statement. Names of staff are withheld from the people concerned by default.
    json_
        Print JSON instead of a table.
    """
    name = str(Person.parse(person))
    settings = load_config(config)
    keystore = KeyStore.open(settings.keys_dir, read_only=True)
    key = keystore.verifier_key(settings.origin)
    rows = [as_row(seen, auditor) for seen in read_ledger(name, settings.ledger_dir, settings.region, key, keystore)]
    if json_:
        print(json.dumps({"person": name, "region": settings.region, "log": str(key), "seen": rows}, indent=2))
        return 0
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 200  # a pipe has no width; what reads it should not meet broken words
    if not rows:
        console.print(
            f"Nobody was shown data of {name} in region {settings.region}: no entry of the ledger names them."
        )
        return 0
    console.print(_table(name, rows, auditor))
    pending = sum(not row["published"] for row in rows)
    console.print(
        f"{'Once' if len(rows) == 1 else f'{len(rows)} times'}. "
        "Each row was checked: label, commitments, digests, and its place in the public log"
        + (f" ({pending} not yet published: ask again in a second)." if pending else "."),
        soft_wrap=True,
    )
    return 0


def _table(name: str, rows: list[dict[str, Any]], auditor: bool) -> Table:
    table = Table(title=f"Who saw data of {name}", title_justify="left")
    for heading in ("when (UTC)", "purpose", "reference"):
        table.add_column(heading, no_wrap=True)
    for heading in ("data", "columns"):
        table.add_column(heading, overflow="fold")
    for heading in ("how", "entry"):
        table.add_column(heading, no_wrap=True)
    if auditor:
        table.add_column("who", overflow="fold")
        table.add_column("statement", overflow="fold")
    for row in rows:
        how = row["how"] + (" (at most)" if row["bound"] == "upper" else "")
        when = str(row["when"]).replace("T", " ")[:19]
        # A count shows no column of theirs, and still tells that they are there.
        columns = " ".join(row["columns"]) or "(only that they are there)"
        cells = [when, row["purpose"], row["reference"], " ".join(row["classes"]), columns, how, str(row["entry"])]
        if auditor:
            cells += [_in_words(row["who"]), row["statement"]]
        table.add_row(*cells)
    return table


def as_row(seen: Seen, auditor: bool) -> dict[str, Any]:
    """What is shown of one access; ``auditor``: with the principal and the statement."""
    record, part = seen.record, seen.part
    row: dict[str, Any] = {
        "entry": seen.index,
        "published": seen.published,
        "when": str(record.get("at", "")),
        "purpose": str(record.get("purpose", "")),
        "reference": str(_object(record, "reference").get("kind", "")),
        "classes": [str(one) for one in part.get("classes", [])],
        "columns": [str(one) for one in part.get("columns", [])],
        "how": str(part.get("how", "disclosed")),
        "bound": seen.bound,
    }
    if auditor:
        row["who"] = record.get("principal", {})
        row["approvers"] = record.get("approvers", [])
        row["statement"] = str(record.get("statement", ""))
        row["reference_id"] = record.get("reference", "")
    return row


def _object(record: dict[str, Any], name: str) -> dict[str, Any]:
    value = record.get(name)
    return value if isinstance(value, dict) else {}


def _in_words(who: object) -> str:
    """``{"name": "sam", "role": "support", ...}`` -> ``sam support ...``."""
    if not isinstance(who, dict):
        return str(who)
    return " ".join(str(who.get(one, "")) for one in ("name", "role", "unit", "entity", "country"))

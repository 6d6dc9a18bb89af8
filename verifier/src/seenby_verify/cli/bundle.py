"""``seenby-verify bundle``: is the list of who saw somebody's data whole and true?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from rich.console import Group
from rich.table import Table
from rich.text import Text

from seenby_verify.cli.accesses import THERE, access_cells, access_table
from seenby_verify.cli.output import AS_SAVED, console, say_steps, taken
from seenby_verify.cli.plain import cells
from seenby_verify.cli.trust import Json, Key, Organisation, PolicyFile, organisation_of, policy_of, read_file
from seenby_verify.tlog.bundle import BundleCheck

CANNOT_SHOW: Final = (
    "an access that the operator did not log, or logged under another label",
    "what was logged after the bundle's checkpoints: ask for a new one, and look at the time in step 2",
    "that its list of regions is the newest: take the policy, which names all logs, from who does not run them",
)
"""docs/formats/bundle.md, "What a bundle cannot show"."""
_HOW: Final = {
    "disclosed": "shown",
    "examined": "looked through",
    "enrolled": "your key was made",
    "erased": "your key was erased",
}


def bundle(
    file: Path,
    /,
    *,
    key: Key = None,
    policy: PolicyFile = None,
    organisation: Organisation = None,
    receipt: Path | None = None,
    json_: Json = False,
) -> int:
    """Check a person's bundle, and show who saw their data: when, for what, which kind.

    Needs no network. Exit status 0: the list is whole and true, as far as any log can show. 1: it is not.

    Parameters
    ----------
    file
        The bundle, NAME.bundle.json. It holds the person's key: keep it to yourself.
    receipt
        The enrolment receipt that the person kept, NAME.tlog-proof: nobody can show them a second, clean key then.
    """
    check = BundleCheck(
        read_file(file),
        policy_of(key, policy),
        organisation=organisation_of(organisation),
        receipt=None if receipt is None else read_file(receipt),
    )
    done, fault = taken(check.steps())

    def holds() -> tuple[list[str], dict[str, Any]]:
        rows = [asdict(one) for one in check.shown]
        lines = [f"The bundle holds: {_times(rows)}."]
        if not receipt:
            lines.append("No enrolment receipt was given: a second, clean key would not be noticed.")
        return lines, {"shown": rows, "cannot_show": list(CANNOT_SHOW)}

    advice = "ask for a new bundle; if it fails too, keep both: anybody can check them, but they hold your key"
    if fault and fault.where == "receipt":
        advice = f"the receipt: {AS_SAVED}"
    status = say_steps(check.TITLES, done, fault, as_json=json_, holds=holds, advice=advice)
    if status == 0 and not json_:
        limits = Text("What no bundle can show:\n" + "\n".join(f"  - {one}" for one in CANNOT_SHOW))
        to = console()
        to.print(Group(shown_table([asdict(one) for one in check.shown]), limits), soft_wrap=False)
    return status


def _times(rows: Sequence[dict[str, Any]]) -> str:
    """What happened to the person's data, in numbers."""
    said = []
    for how, verb in (("disclosed", "shown"), ("examined", "looked through without being shown")):
        number = sum(row["how"] == how for row in rows)
        if number:
            said.append(f"{verb} {'once' if number == 1 else f'{number} times'}")
    return f"your data was {' and '.join(said)}" if said else "nobody was shown your data"


def shown_table(rows: Sequence[dict[str, Any]]) -> Table:
    """Of ``tlog.bundle.Shown`` as dictionaries."""
    table = access_table("Who saw your data", "region\nentry")
    for row in sorted(rows, key=lambda row: row["when"]):
        how = _HOW.get(row["how"], row["how"]) + (" (at most)" if row["bound"] in ("upper", 2) else "")
        if row["part"].get("changes"):
            how += ", and changed"
        columns = row["columns"] or (() if row["how"] in ("enrolled", "erased") else THERE)
        table.add_row(*access_cells(row, columns, how), cells((row["region"], row["index"])))
    return table

"""``seenby who-saw``: who has seen a person's data, when, which kind, for what purpose; every row checked."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict
from itertools import zip_longest
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from rich.table import Table

from seenby.cli.beside import PersonName, RegionFile, beside
from seenby.errors import ConfigError, NotFound, UsageError
from seenby.model.people import Person
from seenby.stores.config import Config
from seenby.stores.records import Event, History, Names, Seen, history
from seenby_verify.cli.accesses import THERE, access_cells, access_table
from seenby_verify.cli.plain import PlainConsole, cell
from seenby_verify.tlog.shares import OpenedEpochKey


def who_saw(
    person: PersonName,
    /,
    *,
    config: RegionFile,
    auditor: Annotated[bool, Parameter(negative="")] = False,
    auditor_key: Annotated[list[Path] | None, Parameter(negative="")] = None,
    json_: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> int:
    """List every time a person's data was shown: when, for what purpose, which kind of data.

    Every row is checked: its label and commitments, the sealed records' digests, and that the public log holds it; and
    under the seal of every month, that no row is missing.

    Parameters
    ----------
    auditor
        Also show who it was, and the statement. Names of staff are withheld from the people concerned by default.
    auditor_key
        With --auditor, where the region has auditors: a month's key, the file that the last one got from
        `seenby audit open`. Once for each month.
    json_
        Print JSON instead of a table.
    """
    name = str(Person.parse(person))
    if auditor_key and not auditor:
        raise UsageError("--auditor-key opens what --auditor shows", hint="give --auditor too")
    with beside(config) as at:
        region, key = at.config.region, at.log
        opened = tuple(_epoch_key(path) for path in auditor_key or ())
        names = Names(region, at.keystore, opened) if auditor else None
        found = history(name, at.config.ledger_dir, region, key, at.keystore, names)
        if not (found.seen or found.events):
            _known(Person.parse(person).kind, at.config)
    rows = [as_row(seen, auditor) for seen in found.seen]
    if json_:
        told = {"person": name, "region": region, "log": str(key), "size": found.size, "seen": rows}
        print(json.dumps({**told, "events": [asdict(one) for one in found.events]}, indent=2))
        return 0
    console = PlainConsole(highlight=False, markup=False)
    if not console.is_terminal:
        console.width = 200  # a pipe has no width; what reads it should not meet broken words
    if rows:
        console.print(_table(name, rows, auditor))
    for sentence in _sentences(name, region, found):
        console.print(sentence, soft_wrap=True)
    return 0


def _known(kind: str, config: Config) -> None:
    """Raises NotFound for a kind of people that there is not: that nobody saw such a person says nothing."""
    from seenby.gateway.service import read_datamap

    with suppress(ConfigError):  # the map is the gateway's; where it cannot be read, the ledger still can
        kinds = read_datamap(config).kinds
        if kind not in kinds:
            raise NotFound(
                f"region {config.region} knows no people of kind {kind!r:.80}",
                hint=f"the data map's kinds: {', '.join(sorted(kinds))}",
            )


def _sentences(name: str, region: str, found: History) -> list[str]:
    said = [_event(one) for one in found.events]
    if not found.seen:
        erased = "" if found.events else ", or their key was erased since"  # nothing tells the two apart
        said.append(
            f"Nobody was shown data of {name} in region {region}{erased}: no entry of the ledger leads to them."
        )
    else:
        times = "Once" if len(found.seen) == 1 else f"{len(found.seen)} times"
        said.append(f"{times}. Each row was checked: label, commitments, digests, and its place in the public log.")
    if found.months:
        seals = "the seal of 1 month" if found.months == 1 else f"the seals of {found.months} months"
        said.append(
            f"The list is whole: under {seals} there is nothing more about them in the public log of {found.size} "
            "entries. What was shown in the last second may not be in it yet: ask again."
        )
    for epoch, why in found.closed.items():
        hint = f" Give --auditor-key FILE (seenby audit open --epoch {epoch})." if "auditors" in why else ""
        said.append(f"Names and statements of {epoch} are not shown: they are {why}.{hint}")
    return said


def _event(event: Event) -> str:
    words = {"enrolled": "was made", "erased": "was erased"}
    when = event.when.replace("T", " ")[:19]
    return f"Their key {event.version} {words[event.how]} {when} UTC (entry {event.index})."


def _table(name: str, rows: list[dict[str, Any]], auditor: bool) -> Table:
    table = access_table(f"Who saw data of {name}", "entry", *(("who", "statement") if auditor else ()))
    for row in rows:
        how = ("changed" if "changes" in row else row["how"]) + (" (at most)" if row["bound"] == "upper" else "")
        line = [*access_cells(row, row["columns"] or THERE, how), cell(row["entry"])]
        if auditor:
            line += [cell(_in_words(row["who"])), cell(row["statement"] if row["opened"] else "(sealed)")]
        table.add_row(*line)
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
    if part.get("changes"):
        row["changes"] = part["changes"]
    if auditor:
        withheld = seen.withheld or {}
        none: dict[str, Any] = {}
        approvers = zip_longest(record.get("approvers", ()), withheld.get("approvers", ()), fillvalue=none)
        row["opened"] = seen.withheld is not None
        row["who"] = _object(record, "principal") | _object(withheld, "principal")
        row["approvers"] = [one | other for one, other in approvers]
        row["statement"] = str(withheld.get("statement", ""))
        row["reference_id"] = str(_object(withheld, "reference").get("id", ""))
    return row


def _epoch_key(path: Path) -> OpenedEpochKey:
    try:
        return OpenedEpochKey.parse(path.read_bytes())
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}", hint="check the name") from None


def _object(record: dict[str, Any], name: str) -> dict[str, Any]:
    value = record.get(name)
    return value if isinstance(value, dict) else {}


def _in_words(who: dict[str, Any]) -> str:
    """``{"name": "sam", "role": "support", ...}`` -> ``sam support ...``."""
    return " ".join(str(who[one]) for one in ("name", "role", "unit", "entity", "country") if who.get(one))

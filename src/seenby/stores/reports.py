"""What a daily report counts, read from the journal (docs/formats/reports.md).

The journal says when each group was written, and by which grant each query was made. So a report needs no memory of
the day: after a crash, or days later, it is the same.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

from seenby.errors import LedgerFailed
from seenby.stores.journal import SEGMENT_HEADER, JournalReader, Place, damaged, segment_path
from seenby.stores.layout import PERSON_PRIVATE
from seenby.stores.state import GROUP_PLACE, State
from seenby_verify.tlog.entries import PersonNamed, Query
from seenby_verify.tlog.names import counted
from seenby_verify.tlog.reports import LEAST, SORTS, Cell, Report, midnight_after

GRANT: Final = 16
_AGAIN: Final = "stop the gateway and delete this folder: it is made again from the journal"
Facts = Mapping[bytes, Mapping[str, str]]
"""Grant (16 bytes) -> what its terms say: ``{"country": "IE", "purpose": "support"}``."""


@dataclass(slots=True)
class Tally:
    """Accesses of one sort. ``people``: pseudonyms of different people behind them, up to LEAST."""

    count: int = 0
    people: set[bytes] = field(default_factory=set)

    def add(self, pseudonym: bytes) -> None:
        self.count += 1
        if len(self.people) < LEAST:
            self.people.add(pseudonym)


def make_report(ledger: Path, state: State, region: str, day: date, first: int, facts: Facts) -> Report:
    """The report of ``day`` (UTC), which is over, from entry ``first`` on.

    Args:
        state: covers everything that was written on that day.
        first: where the report before it ends; 0 for the first one.

    Raises LedgerFailed, OSError.
    """
    end = max(first, written_before(state, 1000 * midnight_after(day)))
    kinds = bytearray()
    tallies: dict[tuple[str, str], Tally] = {}
    counting: list[Tally] = []
    journal = ledger / "private" / "journal"
    for group in JournalReader(journal, _place(journal, state, first)).groups(end) if end > first else ():
        for entry, private in group.pairs:
            kind = entry[1]
            kinds.append(kind)
            if kind == PersonNamed.KIND:
                for tally in counting:
                    tally.add(private[:PERSON_PRIVATE])
            elif kind == Query.KIND:
                said = facts.get(private[:GRANT]) or {}
                counting = [tallies.setdefault((by, said.get(by, "")), Tally()) for by in SORTS]
            else:
                counting = []
        time.sleep(0)  # sessions wait for this interpreter: let them go on after every group
    return Report(day.isoformat(), region, first, end, counted(bytes(kinds)), cells(tallies))


def cells(tallies: Mapping[tuple[str, str], Tally]) -> tuple[Cell, ...]:
    """Those that may be told: behind each, and behind all that are left out together, are at least LEAST people.

    How many accesses there are in all is public, so who adds up the cells knows what was left out. What nobody knows
    (the empty name) is left out first.
    """
    told: list[Cell] = []
    for by in sorted({by for by, _ in tallies}):
        mine = {what: tally for (one, what), tally in tallies.items() if one == by}
        order = sorted(mine, key=lambda what: (what != "", len(mine[what].people), mine[what].count, what))
        hidden: set[bytes] = set()
        while order and (not order[0] or len(mine[order[0]].people) < LEAST or 0 < len(hidden) < LEAST):
            hidden |= mine[order.pop(0)].people
        told += [Cell(by, what, mine[what].count) for what in sorted(order)]
    return tuple(told)


def written_before(state: State, milliseconds: int) -> int:
    """How many entries were written before this time: the journal's times never fall."""
    with state.env.begin() as txn:
        place = txn.get(b"place", db=state.table("meta"))
        end = Place.decode(place).index if place else 0
        with txn.cursor(state.table("groups")) as cursor:
            there = cursor.last()
            while there and GROUP_PLACE.unpack(cursor.value())[2] >= milliseconds:
                end = int.from_bytes(cursor.key(), "big")
                there = cursor.prev()
    return end


def begun(state: State) -> date:
    """The day on which the log's first entry was written."""
    group = state.group(0)
    if group is None:
        raise LedgerFailed(f"the state in {state.directory} does not know the log's first entry", hint=_AGAIN)
    return datetime.fromtimestamp(group[3] / 1000, UTC).date()


def _place(journal: Path, state: State, index: int) -> Place:
    """Where the group that starts with entry ``index`` stands, so that a reader holds it against the one before."""
    found = state.group(index)
    if found is None or found[0] != index:
        raise LedgerFailed(f"the state in {state.directory} has no group that starts with entry {index}", hint=_AGAIN)
    _, segment, offset, _ = found
    path = segment_path(journal, segment)
    # A segment's header ends with the digest of the group before it, as every group does.
    with path.open("rb") as file:
        file.seek(offset - 32)
        digest = file.read(32)
    if len(digest) != 32 or offset < SEGMENT_HEADER.size:
        raise damaged(path, offset, "no group can stand there")
    return Place(index, segment, offset, digest)

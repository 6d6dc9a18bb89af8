"""What ``seenby attach`` tells on the terminal: the map in numbers, what is open, and what to do next."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.text import Text

from seenby.attach.asking import SHOWN, words
from seenby.attach.proposal import Proposal


def summary(console: Console, proposal: Proposal, out: Path | None, kept: list[str]) -> None:
    """To stderr: the map itself may be on stdout."""
    tables = list(proposal.tables.values())
    owned = [one for one in tables if one.owners and not one.refused]
    nobody = [one for one in tables if one.nobody]
    verdicts = [verdict for table in tables for verdict in table.columns.values()]
    unknown = sum(1 for one in verdicts if one.data_class is None)
    for kind in proposal.people:
        console.print(Text(f"People: {kind.kind}, by {kind.table}.{kind.key}  ({'; '.join(kind.reasons)})"))
    console.print(
        f"{len(tables)} tables: {len(owned)} of people, {len(nobody)} about nobody, "
        f"{len(tables) - len(owned) - len(nobody)} refused until somebody decides. "
        f"{len(verdicts)} columns, {unknown} unclassified (refused)."
    )
    if kept:
        console.print(Text(f"Kept as people wrote it: {', '.join(kept[:8])}{', ...' if len(kept) > 8 else ''}"))
    if proposal.questions:
        console.print("Open questions, the most valuable first:")
        for one in proposal.questions[:SHOWN]:
            console.print(Text(f"  - {words(one)}"))
        if len(proposal.questions) > SHOWN:
            console.print(f"  ... and {len(proposal.questions) - SHOWN} more about little")
    if out:
        asks = "seenby attach DSN --out " + str(out) + " --review, then " if proposal.questions else ""
        console.print(Text(f"Written to {out}. Next: {asks}seenby datamap check --map {out} DSN"))

"""``seenby-verify receipt``: is the entry of a receipt in the log?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from seenby_verify.cli.output import AS_SAVED, say_steps, taken
from seenby_verify.cli.trust import Json, Key, PolicyFile, policy_of, read_file
from seenby_verify.cli.words import in_words
from seenby_verify.tlog.note import MAX_NOTE
from seenby_verify.tlog.proof import ReceiptCheck
from seenby_verify.tlog.times import clock


def receipt(file: Path, /, *, key: Key = None, policy: PolicyFile = None, json_: Json = False) -> int:
    """Check a receipt: is the entry that it holds in the log, under a checkpoint that you can trust?

    Needs no network. Exit status 0: the entry is in the log. 1: the receipt does not prove it.

    Parameters
    ----------
    file
        The receipt, NAME.tlog-proof.
    """
    check = ReceiptCheck(read_file(file, MAX_NOTE + 1), policy_of(key, policy))
    done, fault = taken(check.steps())

    def holds() -> tuple[list[str], dict[str, Any]]:
        found, entry = check.accepted.checkpoint, check.entry
        lines = [
            f"The receipt holds: entry {check.proof.index} of {found.origin} is {in_words(entry)}, in {entry.epoch}."
        ]
        if check.accepted.time is not None:
            lines.append(f"Witnesses saw the log with it at {clock(check.accepted.time)}.")
        return lines, {
            "origin": found.origin,
            "index": check.proof.index,
            "kind": type(entry).__name__,
            "epoch": entry.epoch,
            "size": found.size,
            "time": check.accepted.time,
        }

    return say_steps(check.TITLES, done, fault, as_json=json_, holds=holds, advice=AS_SAVED)

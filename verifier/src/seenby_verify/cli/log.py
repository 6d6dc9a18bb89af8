"""``seenby-verify log``: recompute a public log from its files."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from seenby_verify.cli.output import say_steps
from seenby_verify.cli.reading import check_log
from seenby_verify.cli.trust import Json, Key, Organisation, PolicyFile, organisation_of, policy_of
from seenby_verify.tlog.verify import TITLES


def log(
    place: str,
    /,
    *,
    key: Key = None,
    policy: PolicyFile = None,
    organisation: Organisation = None,
    cache: Path | None = None,
    json_: Json = False,
) -> int:
    """Check a whole public log: signatures, every hash, every entry, every approval, every seal.

    Trusts nothing but the keys that you give. Exit status 0: everything holds. 1: something does not; the first fault
    is named with its file and entry.

    Parameters
    ----------
    place
        Where the log is: its URL, a ledger, its public half, or a copy of that.
    cache
        A directory where tiles that came from a URL are kept.
    """
    started = time.monotonic()
    check, steps, fault = check_log(
        place, policy_of(key, policy), organisation=organisation_of(organisation), cache=cache
    )

    def holds() -> tuple[list[str], dict[str, Any]]:
        accepted = check.accepted
        found = accepted.checkpoint
        lines = [
            f"The log holds. {time.monotonic() - started:.1f} s",
            f"{found.origin} cannot change or take back any of its {found.size} entries without being caught by who "
            "has this checkpoint.",
        ]
        if not accepted.cosignatures:
            lines.append(
                "No witness was asked for, so others may be shown another version: "
                "compare checkpoints, or give a --policy with witnesses."
            )
        return lines, {
            "origin": found.origin,
            "size": found.size,
            "root": found.root.hex(),
            "time": accepted.time,
            "witnesses": sorted({one.key.name for one in accepted.cosignatures}),
        }

    advice = "keep a copy of the log's files, which show it; look once more from elsewhere, and ask who runs the log"
    return say_steps(TITLES, steps, fault, as_json=json_, holds=holds, advice=advice)

"""``seenby-verify grant``: what became of one grant, and whose keys signed."""

from __future__ import annotations

from typing import Any

from seenby_verify.cli.output import console, say_json
from seenby_verify.cli.reading import checked_log
from seenby_verify.cli.trust import Json, Key, PolicyFile, policy_of
from seenby_verify.cli.words import ENDS
from seenby_verify.errors import NotFound, UsageError
from seenby_verify.tlog.entries import (
    BreakGlass,
    EndReason,
    Entry,
    GrantActivated,
    GrantEnded,
    KeyAdded,
    KeyRetired,
    key_id,
)
from seenby_verify.tlog.grantlog import GRANT_EVENTS, LoggedGrant
from seenby_verify.tlog.names import NAMES


def grant(place: str, grant_id: str, /, *, key: Key = None, policy: PolicyFile = None, json_: Json = False) -> int:
    """Show every event of a grant, and which keys signed it. Checks the whole log first.

    Exit status 0: every signature holds. 1: the log does not. 66: the log has no such grant.

    Parameters
    ----------
    place
        Where the log is: a URL or a directory.
    grant_id
        The grant's id, 32 hex digits.
    """
    try:
        wanted = bytes.fromhex(grant_id)
    except ValueError:
        wanted = b""
    if len(wanted) != 16:
        raise UsageError(f"{grant_id!r:.80} is no grant's id", hint="it has 32 hex digits")
    check = checked_log(place, policy_of(key, policy))
    logged = check.rules.grants.grants.get(wanted)
    if logged is None:
        raise NotFound(f"the log has no grant {wanted.hex()}", hint="check the id, and the region's log")
    rows = _rows(check.rules.events, wanted, logged.reviews)
    if json_:
        members = {"grant": wanted.hex(), "state": logged.state, "approvals_needed": logged.request.approvals}
        say_json({"ok": True, "fault": None, **members, "events": rows})
        return 0
    to = console()
    to.print(f"[bold green]Grant {wanted.hex()}: {logged.state}.[/] {_counted(logged)}")
    for row in rows:
        signer = f"signed by {row['role']}'s key {row['key']}" if row["key"] else "written by the gateway"
        to.print(f"  entry {row['entry']}, {row['epoch']}: {row['event']}, {signer}", markup=False)
    to.print(
        "Every signature was checked, and that its key counted there. What the grant allows is in its sealed terms."
    )
    return 0


def _counted(logged: LoggedGrant) -> str:
    """``2 of 2 approvals needed``; break-glass needs none before, but reviews."""
    needed = logged.request.approvals
    if isinstance(logged.request, BreakGlass):
        return f"Break-glass: {len(logged.reviews)} reviews; {needed} of each region needed."
    return f"{len(logged.approvals)} of {needed} approvals needed."


def _rows(events: list[tuple[int, Entry]], wanted: bytes, reviews: dict[int, bool]) -> list[dict[str, Any]]:
    keys: dict[bytes, KeyAdded] = {}
    rows: list[dict[str, Any]] = []
    for index, event in events:
        if isinstance(event, KeyAdded):
            keys[key_id(event.key)] = event
        elif isinstance(event, GRANT_EVENTS) and not isinstance(event, KeyRetired) and event.grant == wanted:
            said = NAMES[type(event)]
            if isinstance(event, GrantEnded):
                said += f", since {ENDS[EndReason(event.reason)]}"
            if index in reviews:
                said += ": justified" if reviews[index] else ": NOT justified"
            row = {"entry": index, "epoch": event.epoch, "event": said, "role": "", "key": ""}
            if not isinstance(event, GrantActivated | GrantEnded):
                signer = keys[event.key_id]
                row |= {"role": signer.role, "key": signer.key.hex()}
            rows.append(row)
    return rows

"""Holds the control database against the truth, puts it right, and tells the protection officer what somebody changed.

Nothing here decides about access: a row that says ``active`` is as worthless before this runs as after it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from seenby.gateway.grant_truth import Grant, Truth
from seenby.stores.control import DecisionRow, GrantRow
from seenby.stores.directory import Directory
from seenby_verify.tlog import entries

_Decisions = set[tuple[str, bytes, bytes]]
"""(verb, key id, signature)"""


async def audit(truth: Truth, directory: Directory) -> None:
    """One pass over every row. Raises Unavailable.

    Differences are looked at again under the grant's lock, so that a write of our own between two reads is never
    taken for somebody else's. ``directory``: names of those who signed.
    """
    rows = {row.id: row for row in await truth.control.grants()}
    signed = _by_grant(await truth.control.decisions())
    for row in rows.values():
        if row.id not in truth.history.grants and (row.status != "new" or row.id in signed):
            await _tell(truth, row.id, f"a row says {row.status!r}, but the log has no request; it does not work")
    suspects = [
        grant
        for name, grant in list(truth.grants.items())
        if _differences(grant, rows.get(name), signed.get(name, ()), truth)
    ]
    for grant in suspects:
        async with grant.lock:
            again = next((row for row in await truth.control.grants() if row.id == grant.terms.id), None)
            now_signed = _by_grant(await truth.control.decisions()).get(grant.terms.id, [])
            for difference in _differences(grant, again, now_signed, truth):
                await _tell(truth, grant.terms.id, difference)
            await _put_right(truth, directory, grant, again)


async def _tell(truth: Truth, grant_id: str, text: str) -> None:
    await truth.notify("tampering", f"somebody changed the control database: {text}", grant_id)


def _by_grant(rows: Iterable[DecisionRow]) -> dict[str, list[DecisionRow]]:
    found: dict[str, list[DecisionRow]] = {}
    for row in rows:
        found.setdefault(row.grant_id, []).append(row)
    return found


def _logged(truth: Truth, grant: Grant) -> _Decisions:
    return {
        (entries.VERBS[type(event)], event.key_id, event.signature)
        for event in (logged.entry for logged in truth.history.grants[grant.terms.id])
        if isinstance(event, entries.GrantApproved | entries.GrantDenied | entries.GrantRevoked)
    } | {(review.verb, review.key_id, review.signature) for review in grant.standing.reviews}


def _differences(grant: Grant, row: GrantRow | None, signed: Sequence[DecisionRow], truth: Truth) -> list[str]:
    """What the copy says otherwise than the log, in words."""
    if row is None:
        return ["the grant's row is gone"]
    found = []
    if (row.terms, row.opening) != (grant.data, grant.opening):
        found.append("the terms are not the ones that were signed")
    if row.status != grant.state:
        found.append(f"the row says {row.status!r}, the log says {str(grant.state)!r}")
    copied = {(row.verb, row.key_id, row.signature) for row in signed}
    logged = _logged(truth, grant)
    for verb, key, _ in sorted(copied - logged):
        found.append(f"a signature to {verb} by key {key.hex()} is not in the log")
    for verb, key, _ in sorted(logged - copied):
        found.append(f"the signature to {verb} by key {key.hex()} is gone")
    return found


async def _put_right(truth: Truth, directory: Directory, grant: Grant, row: GrantRow | None) -> None:
    request = truth.history.grants[grant.terms.id][0].entry
    assert isinstance(request, entries.GrantRequested | entries.BreakGlass)
    await truth.control.put_right(
        GrantRow(
            grant.terms.id,
            grant.data,
            grant.opening,
            request.key_id,
            request.signature,
            grant.state,
            grant.terms.requested_at,
            row.changed_at if row else grant.terms.requested_at,
        ),
        [
            DecisionRow(grant.terms.id, verb, key, _name(directory, key), signature, grant.terms.requested_at)
            for verb, key, signature in sorted(_logged(truth, grant))
        ],
    )


def _name(directory: Directory, key: bytes) -> str:
    who = directory.by_key(key)
    return who.name if who else ""

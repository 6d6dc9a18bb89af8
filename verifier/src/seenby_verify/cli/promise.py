"""``seenby-verify promise``: was a promise kept, and if not, evidence of it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Final

from seenby_verify.cli.output import AS_SAVED, advising, console, fault_of, say_error, say_json, write_file
from seenby_verify.cli.reading import reader
from seenby_verify.cli.trust import Json, Key, PolicyFile, policy_of, read_file
from seenby_verify.client import open_log
from seenby_verify.errors import VerificationError
from seenby_verify.placed import proven
from seenby_verify.tlog.evidence import BrokenPromise
from seenby_verify.tlog.fsck import CHECKPOINT
from seenby_verify.tlog.note import MAX_NOTE
from seenby_verify.tlog.policy import Accepted, Policy
from seenby_verify.tlog.promise import Promise, Verdict
from seenby_verify.tlog.times import clock
from seenby_verify.tlog.tree import leaf_hash

OPEN: Final = 75
"""Exit status: nobody can say yet."""


def promise(
    file: Path,
    place: str,
    /,
    *,
    key: Key = None,
    policy: PolicyFile = None,
    evidence: Path | None = None,
    json_: Json = False,
) -> int:
    """Hold a promise against the log: kept, still open, or broken.

    Exit status 0: kept. 1: broken, or not a promise of this log. 75: open; ask again when it is due.

    Parameters
    ----------
    file
        The promise, NAME.promise.
    place
        Where the log is: a URL or a directory.
    evidence
        Where to write the evidence if the promise is broken. Anybody can check it: seenby-verify evidence FILE.
    """
    trusted = policy_of(key, policy)
    note = read_file(file, MAX_NOTE + 1)
    with advising(AS_SAVED):
        given = Promise.open(note, trusted)
    with open_log(place) as source:
        checkpoint = source.fresh(CHECKPOINT)
        if checkpoint is None:
            raise VerificationError("there is no checkpoint", where=CHECKPOINT, hint="give the log's directory or URL")
        accepted = trusted.accepts(checkpoint)
        mine = accepted.checkpoint.origin == given.origin
        entry = proven(reader(source), given.index, accepted.checkpoint) if mine else None
    verdict = given.judge(accepted, leaf_hash(entry[0]) if entry else None)
    told = _told(given, accepted, verdict, entry is not None)
    members: dict[str, Any] = {
        "verdict": str(verdict),
        "origin": given.origin,
        "index": given.index,
        "due": given.due,
        "size": accepted.checkpoint.size,
        "time": accepted.time,
    }
    if verdict is not Verdict.BROKEN:
        kept = verdict is Verdict.KEPT
        if json_:
            say_json({"ok": True if kept else None, "fault": None, **members})
        else:
            console().print(f"[bold {'green' if kept else 'yellow'}]{verdict}[/] {told}")
        return 0 if kept else OPEN
    hint = "keep this as evidence: give --evidence FILE"
    if evidence is not None:
        _write(evidence, BrokenPromise(note, checkpoint, entry), trusted)
        hint = f"show it to anybody: seenby-verify evidence {evidence} --policy POLICY"
    fault = VerificationError(f"the promise is broken: {told}", where="promise", hint=hint)
    if json_:
        say_json({"ok": False, "fault": fault_of(fault), **members, "evidence": evidence and str(evidence)})
        return fault.exit_code
    return say_error(fault)


def _told(given: Promise, accepted: Accepted, verdict: Verdict, other: bool) -> str:
    what = f"entry {given.index} of {given.origin}, promised for {clock(given.due)}"
    if verdict is Verdict.KEPT:
        return f"{what}, is in the log."
    instead = "another entry stands there" if other else f"the log ends at entry {accepted.checkpoint.size}"
    if verdict is Verdict.BROKEN:
        return f"{what}, is not in the log that witnesses saw at {clock(accepted.time or 0)}: {instead}"
    if accepted.time is None and time.time() > given.due:
        return (
            f"{what}, is not there, and by this machine's clock it should be: {instead}. "
            "Without witnesses nobody can prove the time; give a --policy with a quorum."
        )
    return f"{what}, is not there yet: {instead}. Ask again after that time."


def _write(path: Path, document: BrokenPromise, trusted: Policy) -> None:
    document.check(trusted)  # what we hand out is checked as others will check it
    write_file(path, document.encode())

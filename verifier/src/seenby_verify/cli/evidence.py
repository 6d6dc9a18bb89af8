"""``seenby-verify evidence``: does a file prove that a log broke its word?"""

from __future__ import annotations

from pathlib import Path

from seenby_verify.cli.output import AS_SAVED, advising, console, say_json
from seenby_verify.cli.trust import Json, Key, PolicyFile, policy_of, read_file
from seenby_verify.tlog.evidence import MAX_EVIDENCE, parse_evidence


def evidence(file: Path, /, *, key: Key = None, policy: PolicyFile = None, json_: Json = False) -> int:
    """Check evidence of a broken promise, or of two histories of one log.

    Needs no network. Exit status 0: it proves that the log broke its word. 1: it proves nothing.

    Parameters
    ----------
    file
        What seenby-verify promise or seenby-verify monitor wrote.
    """
    trusted = policy_of(key, policy)
    data = read_file(file, MAX_EVIDENCE + 1)
    with advising(AS_SAVED):
        found = parse_evidence(data)
    proves = found.check(trusted)
    if json_:
        say_json({"ok": True, "fault": None, "kind": type(found).__name__, "proves": proves})
    else:
        console().print("[bold]The evidence holds.[/]")
        console().print(f"{proves}.", markup=False)
    return 0

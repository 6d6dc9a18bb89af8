"""Golden vectors of notes and of whole logs: what has one spelling (docs/formats/text.md), and what may stand where."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from seenby_verify.cli.output import taken
from seenby_verify.errors import VerificationError
from seenby_verify.tlog.evidence import parse_evidence
from seenby_verify.tlog.policy import Policy
from seenby_verify.tlog.regions import RegionList
from seenby_verify.tlog.verify import LogCheck
from seenby_verify.tlog.vkey import COSIGNATURE, VerifierKey
from tests.fixtures.bundles_log import WITNESSES, Log, public
from tests.fixtures.bundles_vectors import VECTORS
from tests.fixtures.spelling_logs import Small
from tests.fixtures.written_logs import write_log

NOTES = json.loads((VECTORS / "notes.json").read_text("utf-8"))
LOGS = json.loads((VECTORS / "logs.json").read_text("utf-8"))


def raw(case: dict[str, Any]) -> bytes:
    return case["text"].encode() if "text" in case else base64.b64decode(case["base64"])


def key(text: str | None) -> VerifierKey | None:
    return None if text is None else VerifierKey.parse(text)


def checkpoint(case: dict[str, Any]) -> dict[str, Any]:
    found = Policy.parse(case["policy"].encode()).accepts(raw(case))
    return {"size": found.checkpoint.size, "time": found.time}


def policy(case: dict[str, Any]) -> dict[str, Any]:
    Policy.parse(raw(case))
    return {}


def regions(case: dict[str, Any]) -> dict[str, Any]:
    found = RegionList.open(raw(case), key(case["organisation"]))
    return {"serial": found.serial, "regions": [region for region, _ in found.logs]}


def fork(case: dict[str, Any]) -> dict[str, Any]:
    parse_evidence(json.dumps(case["evidence"]).encode()).check(Policy.parse(case["policy"].encode()))
    return {}


READERS = {"checkpoints": checkpoint, "policies": policy, "regions": regions, "forks": fork}


@pytest.mark.parametrize(
    ("sort", "case"),
    [(sort, case) for sort, cases in NOTES.items() for case in cases],
    ids=lambda value: value if isinstance(value, str) else value["name"],
)
def test_golden_notes(sort: str, case: dict[str, Any]) -> None:
    if "fault" in case:
        with pytest.raises(VerificationError):
            READERS[sort](case)
    else:
        assert READERS[sort](case) == case["ok"]


def seen(case: dict[str, Any]) -> tuple[Log, list[bytes], Policy]:
    """The case's log with its keys, its entries, and a policy that asks for a witness if the case has a time."""
    log, entries = Small(), [bytes.fromhex(entry) for entry in case["entries"]]
    log.entries = list(entries)
    quorum = "quorum none\n"
    if case["time"] is not None:
        witness = VerifierKey(WITNESSES[0], public(log.witnesses[0]), COSIGNATURE)
        quorum = f"witness w {witness}\nquorum w\n"
    return log, entries, Policy.parse(f"log {case['key']}\n{quorum}".encode())


@pytest.mark.parametrize("case", LOGS, ids=lambda case: case["name"])
def test_golden_logs(case: dict[str, Any], tmp_path: Path) -> None:
    log, entries, trusted = seen(case)
    note = log.checkpoint(case["time"] or 0, cosigners=0 if case["time"] is None else 1)
    place = write_log(entries, note, tmp_path / "log")
    files = {path.relative_to(place).as_posix(): path.read_bytes() for path in place.rglob("*") if path.is_file()}
    check = LogCheck(lambda _: list(files), files.get, trusted, organisation=key(case["organisation"]))
    done, fault = taken(check.steps())
    if "fault" in case:
        assert fault is not None
        assert len(done) + 1 == case["fault"]["step"], fault.message
    else:
        assert fault is None
        assert check.accepted.checkpoint.size == case["ok"]["size"]

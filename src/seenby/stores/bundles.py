"""Makes what people take away: the bundle of a person, and the receipt of their enrolment (docs/formats/bundle.md).

The own region's log is read as of one checkpoint (``LogView``); those of other regions, from their public files
(``OtherLog``), where all that a bundle shows is that the person has no entry.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from seenby.errors import UsageError, VerificationError
from seenby.stores.layout import PERSON_PRIVATE, intact, sealed_record
from seenby.stores.other_logs import OtherLog
from seenby.stores.person import Counted, Enrolled, counted
from seenby.stores.view import LogView
from seenby_verify.tlog.entries import Regions, decode
from seenby_verify.tlog.proof import Proof
from seenby_verify.tlog.records import label
from seenby_verify.tlog.regions import RegionList
from seenby_verify.tlog.steps import Placed


def make_bundle(
    person: str, keys: list[Enrolled], view: LogView, region: str, *, now: float, others: Sequence[OtherLog] = ()
) -> bytes:
    """The bundle of ``account:42``; whoever has it can read it.

    Args:
        keys: of ``person.enrolled``, in the same view.
        region: whose log the view is of.
        now: Unix seconds.
        others: the logs of all other regions in the newest list of regions.

    Raises UsageError (another set of logs than the list's), VerificationError (what lies here is not what was logged,
    or another region has entries about this person), LedgerFailed, OSError.
    """
    made = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    listed = view.regions()
    placed = None if listed is None else view.placed(listed)
    _check_others(region, placed, others)
    logs = [_own_log(view, region, keys, placed), *(_other_log(one, keys) for one in others)]
    bundle = {
        "format": "seenby/bundle/v1",
        "person": person,
        "made": made,
        "keys": [
            {"version": one.key.version, "key": _b64(one.key.key), "region": region, "index": one.index} for one in keys
        ],
        "logs": logs,
    }
    return json.dumps(bundle, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def enrolment_receipt(view: LogView, key: Enrolled) -> bytes:
    """The proof that the log holds the entry that enrolled this key (docs/formats/receipts.md)."""
    return receipt(view, key.index)


def receipt(view: LogView, index: int) -> bytes:
    """A tlog-proof of an entry, with the entry."""
    placed = view.placed(index)
    return Proof(index, placed.proof, view.note, placed.entry).encode()


def listed_regions(view: LogView) -> RegionList | None:
    """The newest list of regions in the log."""
    index = view.regions()
    if index is None:
        return None
    entry = decode(view.entry(index))
    if not isinstance(entry, Regions):
        raise VerificationError(f"entry {index} is not the list of regions")
    return RegionList.open(entry.document, None)


def _check_others(region: str, placed: Placed | None, others: Sequence[OtherLog]) -> None:
    entry = decode(placed.entry) if placed else None
    named = RegionList.open(entry.document, None).logs if isinstance(entry, Regions) else ()
    needed = {name: key for name, key in named if name != region}
    given = {one.region: one.key for one in others}
    if missing := sorted(needed.keys() - given.keys()):
        raise UsageError(
            f"the list of regions names {missing[0]}, and its log was not given",
            hint=f"give --log PLACE, where the log {needed[missing[0]].name} lies: a directory or a URL",
        )
    if needed != given:
        raise UsageError("a log was given that the newest list of regions does not name", hint="leave it out")


# --- the own region's log


def _own_log(view: LogView, region: str, keys: list[Enrolled], regions: Placed | None) -> dict[str, Any]:
    write = _Writer()
    epochs: list[dict[str, Any]] = []
    shown: list[tuple[int, dict[str, Any]]] = []
    for epoch, seal, counts in counted(view, region, keys):
        if epochs:
            epochs[-1]["next"] = write.placed(view.placed(epochs[-1]["seal"]["index"] + 1))
        epochs.append(
            {
                "epoch": epoch,
                "seal": write.placed(view.placed(seal)),
                "next": None,
                "keys": [_key(one) for one in counts],
            }
        )
        for one in counts:
            shown += [(index, _shown(view, write, one, epoch, n, index)) for n, index in enumerate(one.indexes)]
    return {
        "region": region,
        "origin": view.checkpoint.origin,
        "checkpoint": view.note.decode(),
        "regions": write.placed(regions) if regions else None,
        "start": None,
        "epochs": epochs,
        "shown": [item for _, item in sorted(shown, key=lambda pair: pair[0])],
    }


def _key(one: Counted) -> dict[str, Any]:
    return {"version": one.version, "count": len(one.indexes), "absent": one.absent.to_json()}


def _shown(view: LogView, write: _Writer, key: Counted, epoch: int, n: int, index: int) -> dict[str, Any]:
    head, mine = view.records(index)
    if head is None or not intact(head.entry[1], head.entry, head.private):
        raise VerificationError(f"the record behind entry {index} is not the one that was logged")
    if not intact(mine.entry[1], mine.entry, mine.private):
        raise VerificationError(f"the sealed part behind entry {index} is not the one that was logged")
    return {
        "version": key.version,
        "epoch": epoch,
        "n": n,
        "entry": write.placed(view.placed(index, mine.entry)),
        "sealed": _b64(mine.private[PERSON_PRIVATE:]),
        "head": write.placed(view.placed(head.index, head.entry)),
        "record": _b64(sealed_record(head.entry[1], head.private)),
    }


# --- other regions' logs


def _other_log(log: OtherLog, keys: list[Enrolled]) -> dict[str, Any]:
    write = _Writer()
    first = keys[0].epoch
    items = log.epochs_since(first)
    epochs = []
    for item in items:
        absent = []
        for key in keys:
            if key.epoch > item.epoch:
                continue
            mine = label(key.key.key, log.region, item.epoch, 0)
            proof = item.tree.prove(mine)
            if proof.leaf == mine:
                raise VerificationError(
                    f"the log of region {log.region} has entries about this person in {item.epoch}",
                    hint=f"their records lie there: make the bundle in region {log.region}",
                )
            absent.append({"version": key.key.version, "count": 0, "absent": proof.to_json()})
        following = write.placed(log.placed(item.seal + 1)) if item is not items[-1] else None
        epochs.append(
            {"epoch": item.epoch, "seal": write.placed(log.placed(item.seal)), "next": following, "keys": absent}
        )
    return {
        "region": log.region,
        "origin": log.checkpoint.origin,
        "checkpoint": log.note.decode(),
        "regions": write.placed(log.placed(log.regions)) if log.regions is not None else None,
        "start": write.placed(log.placed(0)) if items[0].epoch > first else None,
        "epochs": epochs,
        "shown": [],
    }


class _Writer:
    """Proofs as JSON. Those of one log share most of their hashes: each is written in base64 once."""

    def __init__(self) -> None:
        self._known: dict[bytes, str] = {}

    def placed(self, placed: Placed) -> dict[str, Any]:
        known, proof = self._known, []
        for one in placed.proof:
            text = known.get(one)
            if text is None:
                text = known[one] = _b64(one)
            proof.append(text)
        return {"index": placed.index, "entry": _b64(placed.entry), "proof": proof}


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")

"""What auditors do with a ledger's private half: read the records of a month, and destroy its keys in the end."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seenby.errors import NotFound, UsageError, VerificationError
from seenby.stores.auditors import epochs_file, read_shares
from seenby.stores.durable import sync_directory
from seenby.stores.journal import JournalReader, Record
from seenby.stores.keystore import KeyStore
from seenby.stores.layout import RECORDED, intact, sealed_record
from seenby.stores.state import State
from seenby_verify.tlog.entries import BreakGlass, EpochKey, GrantRequested, decode
from seenby_verify.tlog.grantlog import GRANT_EVENTS, OVER, GrantLog
from seenby_verify.tlog.records import RecordOpener
from seenby_verify.tlog.shares import EpochShares


@dataclass(frozen=True, slots=True)
class Audited:
    """One record of the log, with both halves. ``index``: of its entry."""

    index: int
    record: dict[str, Any]
    withheld: dict[str, Any]


def shares_of(ledger: Path, epoch: int) -> EpochShares:
    """The shares of an epoch's key, held against the log. Raises NotFound, LedgerFailed."""
    entry = next((one for one in _events(ledger) if isinstance(one[1], EpochKey) and one[1].epoch == epoch), None)
    if entry is None:
        raise NotFound(
            f"the log has no auditors' key of {epoch}",
            hint="the region had no auditors then: its own key opens those records",
        )
    assert isinstance(entry[1], EpochKey)
    if not epochs_file(ledger, epoch).exists():
        raise NotFound(f"the shares of {epoch} are not there any more", hint="they may have been destroyed")
    return read_shares(ledger, entry[1])


def read_records(ledger: Path, epoch: int, opener: RecordOpener) -> Iterator[Audited]:
    """Every record of an epoch, in the log's order, each held against its entry.

    Raises VerificationError, naming the entry; LedgerFailed; NotFound if there is no ledger.
    """
    journal = ledger / "private" / "journal"
    if not journal.is_dir():
        raise NotFound(f"there is no ledger in {ledger}", hint="give --config FILE, or --ledger DIRECTORY")
    for group in JournalReader(journal).groups():
        if int.from_bytes(group.pairs[0][0][2:6], "big") > epoch:
            return
        for record in group:
            if record.entry[1] in RECORDED and int.from_bytes(record.entry[2:6], "big") == epoch:
                yield _open(record, opener)


def _open(record: Record, opener: RecordOpener) -> Audited:
    kind = record.entry[1]
    try:
        if not intact(kind, record.entry, record.private):
            raise VerificationError("what is sealed beside it is not what its digest says")
        opened = opener.open(sealed_record(kind, record.private))
        if opened.record.commit != record.entry[6:38]:
            raise VerificationError("its record is not the one that it commits to")
    except VerificationError as error:
        raise VerificationError(
            f"entry {record.index}: {error.message}", where=f"entry {record.index}", hint=error.hint
        ) from None
    return Audited(record.index, json.loads(opened.record.text), json.loads(opened.withheld.text))


def destroy_epoch(ledger: Path, keystore: KeyStore, region: str, epoch: int, now_epoch: int) -> list[str]:
    """Destroys what opens the records of an epoch, and its grants' terms; answers what was there, in words.

    Raises UsageError: the epoch is not over, or a grant of it has not ended.
    """
    if epoch >= now_epoch:
        raise UsageError(f"{epoch} is not over", hint="destroy the keys of months whose retention has ended")
    grants = GrantLog(region)
    asked: dict[bytes, int] = {}
    for index, event in _events(ledger):
        if isinstance(event, GRANT_EVENTS):
            grants.apply(index, event)
            if isinstance(event, GrantRequested | BreakGlass):
                asked[event.grant] = event.epoch
    alive = [one for one, of in asked.items() if of == epoch and grants.grants[one].state not in OVER]
    if alive:
        raise UsageError(
            f"grant {alive[0].hex()[:8]} of {epoch} has not ended: its terms would be lost",
            hint="revoke it first, or wait until it ends",
        )
    gone = []
    shares = epochs_file(ledger, epoch)
    if shares.exists():
        os.unlink(shares)
        sync_directory(shares.parent)
        gone.append("the auditors' shares")
    if keystore.destroy_epoch_key(epoch):
        gone.append("the region's key")
    return gone


def _events(ledger: Path) -> Iterator[tuple[int, Any]]:
    directory = ledger / "private" / "state"
    if not directory.is_dir():
        raise NotFound(f"there is no ledger in {ledger}", hint="give --config FILE, or --ledger DIRECTORY")
    state = State(directory, readonly=True)
    try:
        for record in state.events():
            yield record.index, decode(record.entry)
    finally:
        state.close()

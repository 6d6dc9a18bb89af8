"""Whose erasure is in the log while their key is still there: what a crash between the two leaves."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from seenby.errors import VerificationError
from seenby.stores.counting import People
from seenby.stores.journal import read_group
from seenby.stores.keystore import KeyStore
from seenby.stores.layout import PERSON_PRIVATE
from seenby.stores.ledger import Ledger
from seenby.stores.sealing import ERASED
from seenby.stores.state import State
from seenby_verify.tlog.records import PersonCrypto


def said_erased(ledger: Ledger, keystore: KeyStore, region: str, people: Iterable[str]) -> list[str]:
    """Those of ``people`` whose key's last entry is their erasure.

    Call it right after the ledger was opened: then its state covers the whole journal, and the last epoch in it is the
    one that was written in. Raises LedgerFailed, OSError.
    """
    snapshot = ledger.state.snapshot()
    if snapshot is None:
        return []
    counted = People(region, keystore, ledger.state)
    counted.begin(snapshot.epoch)
    found = []
    for person in people:
        known = counted.known(person)
        if known is not None and known.labels:
            key = keystore.known_keys(person)[-1]
            crypto = PersonCrypto(key.key, key.version, region, snapshot.epoch)
            if _erased(ledger, snapshot.epoch, crypto, known.labels - 1):
                found.append(person)
    return found


def _erased(ledger: Ledger, epoch: int, crypto: PersonCrypto, number: int) -> bool:
    label = crypto.label(number)
    private = private_of(ledger.state, ledger.directory, epoch, label)
    try:
        return private is not None and crypto.open(label, private[PERSON_PRIVATE:]).part == ERASED
    except VerificationError:
        return False


def private_of(state: State, ledger: Path, epoch: int, label: bytes) -> bytes | None:
    """What the journal holds in private beside the entry with this label."""
    index = state.labelled(epoch, label)
    place = None if index is None else state.group(index)
    if index is None or place is None:
        return None
    first, segment, offset, _ = place
    return read_group(ledger / "private" / "journal", first, segment, offset).pairs[index - first][1]

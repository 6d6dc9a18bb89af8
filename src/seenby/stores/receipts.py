"""What people and staff take away: promises at once, then receipts (docs/formats/receipts.md).

Staff's queries are theirs by their name, what they signed about grants by their key: the log knows signers by that
alone. What is about a person is theirs by their key's labels, and by its pseudonym as long as it is not public.

An entry that is durable and not in a checkpoint that everybody accepts yet gets the log's promise; one that is gets a
tlog-proof. Both follow from what the ledger holds, so nothing is stored for it: after a restart the same promise is
signed again, with the time at which the entry was written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from seenby.errors import VerificationError
from seenby.stores.bundles import receipt
from seenby.stores.journal import JournalReader
from seenby.stores.keystore import PersonKey
from seenby.stores.layout import PERSON_PRIVATE
from seenby.stores.ledger import Ledger, holder
from seenby.stores.person import counted, enrolments
from seenby.stores.reading import Recent
from seenby.stores.state import State, receipts_prefix
from seenby.stores.view import LogView
from seenby_verify.tlog.entries import PersonNamed
from seenby_verify.tlog.grantlog import signer
from seenby_verify.tlog.policy import Policy
from seenby_verify.tlog.promise import Promise
from seenby_verify.tlog.records import pseudonym
from seenby_verify.tlog.tree import leaf_hash

DELAY: Final = 60
"""Seconds within which the log promises to show an entry. It takes less than one; the rest is for bad days."""
PAGE: Final = 200
WAIT_SECONDS: Final = 2.0
"""The state is ahead of the published file for moments."""


@dataclass(frozen=True, slots=True)
class Given:
    """What somebody gets for an entry of theirs: a receipt, or else the promise of one."""

    index: int
    text: bytes
    is_receipt: bool


@dataclass(frozen=True, slots=True)
class Page:
    """In the log's order. ``next``: where the next page begins; None: this was the last one."""

    given: list[Given]
    next: int | None


class Receipts:
    """For one region. ``close`` it before the ledger: its thread reads the ledger's state.

    Args:
        key: the log's checkpoint key; it signs promises.
        policy: whose cosignatures a receipt must carry, if the region has witnesses. Until they are there the
            promise stands: a receipt that readers with this policy refuse is none.
        page: how many entries at once.
    """

    def __init__(self, ledger: Ledger, key: Ed25519PrivateKey, policy: Policy | None = None, page: int = PAGE) -> None:
        self._ledger = ledger
        self._key = key
        self._policy = policy
        self._page = page
        # One thread: proofs of all who ask wait for each other, and never for the gateway's loop.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"receipts-{ledger.region}")

    def close(self) -> None:
        self._thread.shutdown(cancel_futures=True)

    async def page(self, principal: str, since: int, key_id: bytes = b"") -> Page:
        """What this principal's sessions made, and what this key signed about grants, from entry ``since`` on.

        What nobody signs about a grant, that it was activated and that it ended, belongs to who asked for it.
        Raises VerificationError (what lies here is not what was logged), Unavailable, LedgerFailed.
        """
        ledger = self._ledger
        # Before the checkpoint is looked at: what is published in between is then in both, never in neither.
        mine = ledger.recent(principal) + (ledger.recent(holder(key_id)) if key_id else [])
        recent = sorted((one for one in mine if one.place >= since), key=lambda one: one.place)
        signed = [
            one.index for one in ledger.grant_events()
            if key_id and one.index >= since and signer(one.event, ledger.grants) == key_id
        ]  # fmt: skip
        work = asyncio.get_running_loop().run_in_executor(self._thread, self._read, principal, since, signed, recent)
        return await work

    def _read(self, principal: str, since: int, signed: list[int], recent: list[Recent]) -> Page:
        """On the thread."""
        ledger = self._ledger
        with LogView.at_checkpoint(ledger.directory, ledger.state, ledger.verifier_key, wait=WAIT_SECONDS) as view:
            size = view.checkpoint.size
            asked = _listed(ledger.state, principal, since, size, self._page + 1)
            return self._given(view, sorted([*asked, *(one for one in signed if one < size)]), recent)

    async def of_person(self, keys: Sequence[PersonKey], since: int) -> Page:
        """What the log holds about the person with these keys, all they have, from entry ``since`` on.

        Raises VerificationError (what lies here is not what was logged), Unavailable, LedgerFailed.
        """
        # Before the checkpoint is looked at, as above. Up to there the journal's groups are whole.
        work = asyncio.get_running_loop().run_in_executor(self._thread, self._about, keys, since, self._ledger.size)
        return await work

    def _about(self, keys: Sequence[PersonKey], since: int, durable: int) -> Page:
        """On the thread."""
        ledger = self._ledger
        with LogView.at_checkpoint(ledger.directory, ledger.state, ledger.verifier_key, wait=WAIT_SECONDS) as view:
            mine = enrolments(view, keys)
            items = counted(view, ledger.region, mine) if mine else ()
            public = sorted(index for _, _, counts in items for one in counts for index in one.indexes)
            ahead = _unpublished(ledger.directory, view, durable, {pseudonym(key.key) for key in keys})
            return self._given(view, [one for one in public if one >= since], [o for o in ahead if o.place >= since])

    def _given(self, view: LogView, public: list[int], recent: list[Recent]) -> Page:
        """``public``: indexes under the view's checkpoint; ``recent``: what is durable, public or not."""
        accepted = self._accepts(view.note)
        given = [self._public(view, index, accepted) for index in public[: self._page]]
        ahead = [one for one in recent if one.place >= view.checkpoint.size]
        room = self._page - len(given)
        given += [self._promise(one.place, one.entry, one.time) for one in ahead[:room]]
        rest = [*public[self._page :], *(one.place for one in ahead[room:])]
        return Page(given, rest[0] if rest else None)

    def _public(self, view: LogView, index: int, accepted: bool) -> Given:
        if accepted:
            return Given(index, receipt(view, index), True)
        group = self._ledger.state.group(index)
        if group is None:
            raise VerificationError(f"entry {index} is published, and the ledger's state does not know its group")
        return self._promise(index, view.placed(index).entry, group[3])

    def _promise(self, index: int, entry: bytes, milliseconds: int) -> Given:
        promise = Promise(self._ledger.origin, index, leaf_hash(entry), milliseconds // 1000, DELAY)
        return Given(index, promise.sign(self._key), False)

    def _accepts(self, note: bytes) -> bool:
        if self._policy is None:
            return True
        try:
            self._policy.accepts(note)
        except VerificationError:
            return False
        return True


def _unpublished(ledger: Path, view: LogView, durable: int, pseudonyms: set[bytes]) -> list[Recent]:
    """Entries about somebody that the view's checkpoint does not cover, of the first ``durable`` ones."""
    found: list[Recent] = []
    if view.place.index >= durable:
        return found
    for group in JournalReader(ledger / "private" / "journal", view.place).groups(durable):
        for index, (entry, private) in enumerate(group.pairs, group.place.index):
            if entry[1] == PersonNamed.KIND and private[:PERSON_PRIVATE] in pseudonyms:
                found.append(Recent(index, entry, "", group.time))
    return found


def _listed(state: State, principal: str, since: int, size: int, limit: int) -> list[int]:
    """The indexes of this principal's first entries in [since, size). ``State.receipts`` reads them all."""
    prefix = receipts_prefix(principal.encode())
    found: list[int] = []
    with state.env.begin(state.table("receipts")) as txn, txn.cursor() as cursor:
        there = cursor.set_range(prefix + since.to_bytes(8, "big"))
        while there and cursor.key().startswith(prefix) and len(found) < limit:
            index = int.from_bytes(cursor.key()[16:], "big")
            if index >= size:
                break
            found.append(index)
            there = cursor.next()
    return found

"""A region's log as of one checkpoint: journal, state and public half agree on it, though the gateway writes on.

Proofs are made from the state's hashes halfway up each tile and a memory of the nodes above, so that several hundred
of them in a log of millions take milliseconds. Every entry that is handed out is held against its leaf in the tiles.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Final

import lmdb

from seenby.errors import NotFound, Unavailable, VerificationError
from seenby.stores.finding import Finder
from seenby.stores.journal import Place, Record
from seenby.stores.state import REGIONS, TILE, State
from seenby_verify.tlog.checkpoint import Checkpoint, VerifierKey, open_checkpoint
from seenby_verify.tlog.entries import Seal, encode
from seenby_verify.tlog.labels import LabelProof
from seenby_verify.tlog.steps import Placed
from seenby_verify.tlog.tiles import HEIGHT, WIDTH, Read, read_tile
from seenby_verify.tlog.tree import leaf_hash, range_hash

HALF: Final = HEIGHT // 2
WAIT_SECONDS: Final = 10.0
_PAUSE: Final = 0.005
Accepts = Callable[[bytes], bool]
"""Whether a signed checkpoint has all the signatures that one wants under it."""


def public_reader(directory: Path) -> Read:
    """Files of a public half. A path that leads outside is not there."""

    def read(path: str) -> bytes | None:
        if ".." in path:
            return None
        try:
            return (directory / path).read_bytes()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return None

    return read


@contextmanager
def open_state(ledger: Path) -> Iterator[State]:
    """The state of a ledger that another process may be writing. Raises NotFound, LedgerFailed."""
    directory = ledger / "private" / "state"
    if not (directory / "data.mdb").exists():
        raise NotFound(f"there is no ledger in {ledger}", hint="check state in seenby.toml; `seenby serve` starts it")
    state = State(directory, readonly=True)
    try:
        yield state
    finally:
        state.close()


class LogView:
    """See the module. Make it with ``LogView.at_checkpoint``. For one thread.

    Attributes:
        note, checkpoint: as published.
        place: of the first group in the journal that the checkpoint does not cover.
    """

    def __init__(
        self, ledger: Path, state: State, txn: lmdb.Transaction, note: bytes, checkpoint: Checkpoint, place: Place
    ) -> None:
        self.note = note
        self.checkpoint = checkpoint
        self.place = place
        self._state = state
        self._txn = txn
        self._finder = Finder(ledger / "private" / "journal", state, txn)
        self._read = public_reader(ledger / "public")
        self._tiles: dict[tuple[int, int], bytes] = {}
        self._nodes: dict[tuple[int, int], bytes] = {}

    @classmethod
    @contextmanager
    def at_checkpoint(
        cls,
        ledger: Path,
        state: State,
        key: VerifierKey,
        *,
        accepts: Accepts = lambda _: True,
        wait: float = WAIT_SECONDS,
    ) -> Iterator[LogView]:
        """The log of the newest checkpoint.

        Between two of them the state is ahead of the file for moments; then this waits.

        Args:
            key: of the log.
            accepts: asked about each checkpoint; others are waited for.
            wait: seconds.

        Raises NotFound (nothing is published), VerificationError (the checkpoint is not this log's), Unavailable.
        """
        until = time.monotonic() + wait
        while True:
            note = public_reader(ledger / "public")("checkpoint")
            if note is None:
                raise NotFound(f"nothing is published in {ledger}", hint="check state in seenby.toml")
            checkpoint = open_checkpoint(note, key)
            with state.env.begin() as txn:
                data = txn.get(b"place", db=state.table("meta"))
                place = Place.decode(data) if data else Place()
                fits = place.index == checkpoint.size
                if fits and accepts(note):
                    view = cls(ledger, state, txn, note, checkpoint, place)
                    try:
                        yield view
                    finally:
                        view._finder.close()
                    return
            if time.monotonic() > until:
                raise _too_late(fits)
            time.sleep(_PAUSE)

    # --- what the state knows

    def labelled(self, epoch: int, label: bytes) -> int | None:
        """The index of the entry with this label."""
        return self._state.labels.index(self._txn, epoch, label)

    def prove_label(self, epoch: int, label: bytes) -> LabelProof:
        """Under the root of the epoch's newest seal."""
        return self._state.labels.prove(self._txn, epoch, label)

    def enrolled(self, pseudonym: bytes) -> int | None:
        """The index of the person entry that enrolled them."""
        return self._number("enrolled", pseudonym)

    def regions(self) -> int | None:
        """The index of the newest list of regions."""
        return self._number("regions", REGIONS)

    def seals(self, since: int) -> list[tuple[int, int]]:
        """(epoch, index of its newest seal) of each epoch from ``since`` on that has entries."""
        found = []
        with self._txn.cursor(self._state.table("seals")) as cursor:
            if cursor.set_range(since.to_bytes(4, "big")):
                found = [(int.from_bytes(epoch, "big"), int.from_bytes(index, "big")) for epoch, index in cursor]
        return found

    def _number(self, table: str, key: bytes) -> int | None:
        value = self._txn.get(key, db=self._state.table(table))
        return None if value is None else int.from_bytes(value, "big")

    # --- entries

    def placed(self, index: int, entry: bytes | None = None) -> Placed:
        """An entry with its proof. ``entry``: if it was read already.

        Raises VerificationError if it is not the one in the tree, LedgerFailed, OSError.
        """
        entry = self.entry(index) if entry is None else self._published(index, entry)
        return Placed(index, entry, tuple(self.proof(index)))

    def entry(self, index: int) -> bytes:
        """As it was published. Raises VerificationError if the journal has another one, LedgerFailed, OSError."""
        entry = self.records(index)[1].entry
        if entry[1] == Seal.KIND:  # the journal has its place alone
            epoch = int.from_bytes(entry[2:6], "big")
            if (epoch, index) not in self.seals(epoch)[:1]:
                raise VerificationError(f"entry {index} is not the newest seal of epoch {epoch}")
            entry = encode(Seal(epoch, index, self._state.labels.root(self._txn, epoch)))
        return self._published(index, entry)

    def _published(self, index: int, entry: bytes) -> bytes:
        if self._leaf(index) != leaf_hash(entry):
            raise VerificationError(f"entry {index} of the journal is not the one in the public log")
        return entry

    def records(self, index: int) -> tuple[Record | None, Record]:
        """The journal's record of an entry, after that of the entry which it belongs to (``Finder.records``)."""
        if not 0 <= index < self.checkpoint.size:
            raise VerificationError(f"entry {index} is not in the public log of {self.checkpoint.size} entries")
        return self._finder.records(index)

    # --- proofs

    def proof(self, index: int) -> list[bytes]:
        """PATH(index, D[0:size]), the leaf's sibling first (RFC 6962, 2.1.1): at every level the sibling, if any."""
        size, hashes, level = self.checkpoint.size, [], 0
        while 1 << level < size:
            sibling = index >> level ^ 1
            if sibling << level < size:
                hashes.append(self._node(level, sibling))
            level += 1
        return hashes

    def _node(self, level: int, index: int) -> bytes:
        """The hash over the entries from ``index << level`` on, 2**level of them or those that there are."""
        known = self._nodes.get((level, index))
        if known is None:
            end = (index + 1) << level
            if end > self.checkpoint.size:
                known = range_hash(self._node, index << level, self.checkpoint.size)
            else:
                known = self._complete(level, index)
            self._nodes[level, index] = known
        return known

    def _complete(self, level: int, index: int) -> bytes:
        tile_level, above = divmod(level, HEIGHT)
        first = index << above
        tile, at = divmod(first, WIDTH)
        if above >= HALF:
            halfway = self._txn.get(TILE.pack(tile_level, tile), db=self._state.table("nodes"))
            if halfway is not None:
                at >>= HALF
                return _root(bytes(halfway[32 * at : 32 * (at + (1 << above - HALF))]))
        row = self._row(tile_level, tile)[32 * at : 32 * (at + (1 << above))]
        if len(row) != 32 << above:
            raise VerificationError(f"the tile {tile} of level {tile_level} is too short")
        return _root(row)

    def _leaf(self, index: int) -> bytes:
        tile, at = divmod(index, WIDTH)
        return self._row(0, tile)[32 * at : 32 * at + 32]

    def _row(self, level: int, tile: int) -> bytes:
        row = self._tiles.get((level, tile))
        if row is None:
            row = self._tiles[level, tile] = read_tile(self._read, self.checkpoint.size, level, tile)[1]
        return row


def _root(row: bytes) -> bytes:
    """The root over 2**k hashes, which lie side by side."""
    while len(row) > 32:
        row = b"".join([sha256(b"\x01" + row[at : at + 64]).digest() for at in range(0, len(row), 64)])
    return row


def _too_late(fits: bool) -> Unavailable:
    if fits:
        return Unavailable(
            "the newest checkpoint has not the cosignatures that were asked for",
            hint="see whether the witnesses answer, then ask again",
        )
    return Unavailable(
        "the published checkpoint is not the one that the ledger has come to",
        hint="start the gateway: it publishes what is written",
    )

"""Opening a ledger: lets the public half and the state catch up with the journal, and holds them against it.

The journal is the truth. The state says how far the rest has come, so that a restart reads only what is new; without a
state everything is made again from the journal. A published checkpoint is never contradicted (docs/formats/ledger.md).
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from seenby.errors import LedgerFailed, NotFound, VerificationError
from seenby.stores.integrate import Integrator
from seenby.stores.journal import START, JournalWriter, encode_record
from seenby.stores.keystore import KeyStore
from seenby.stores.layout import seal_mark
from seenby.stores.publish import CheckpointFile, Tiles
from seenby.stores.sealing import GrantDocument, epoch_of, open_document
from seenby.stores.state import State
from seenby_verify.tlog.entries import (
    BreakGlass,
    EpochKey,
    GrantEvent,
    GrantRequested,
    KeyEvent,
    LogStarted,
    Regions,
    decode,
    encode,
)
from seenby_verify.tlog.grantlog import GRANT_EVENTS, GrantLog
from seenby_verify.tlog.tiles import WIDTH, TileReader, tiles_of
from seenby_verify.tlog.tree import tree_root

log = structlog.get_logger("seenby.ledger")


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """A grant or key entry with its index; ``document`` only for requests."""

    index: int
    event: GrantEvent | KeyEvent
    document: GrantDocument | None = None


@dataclass(slots=True)
class Opened:
    """The files of a ledger, at one size: that of its published checkpoint.

    Attributes:
        grants, events: what the grant and key entries amount to, and the entries.
        epoch_key: the last one in the log; regions: the newest list, as it was signed.
    """

    state: State
    tiles: Tiles
    integrator: Integrator
    checkpoint: CheckpointFile
    journal: JournalWriter
    grants: GrantLog
    events: list[LoggedEvent] = field(default_factory=list)
    epoch_key: EpochKey | None = None
    regions: bytes = b""

    @property
    def size(self) -> int:
        return self.checkpoint.size

    def close(self) -> None:
        self.journal.close()
        self.state.close()


def open_files(
    directory: Path,
    region: str,
    origin: str,
    keystore: KeyStore,
    clock: Callable[[], float],
    segment_bytes: int,
) -> Opened:
    """Everything that the one writer needs. Raises LedgerFailed, OSError."""
    private, public = directory / "private", directory / "public"
    key, temporary = keystore.checkpoint_key(), private / "publishing.tmp"
    checkpoint = CheckpointFile(public, temporary, origin, key)
    state = State(private / "state")
    if not _complete(state, public):
        log.warning("rebuilding", ledger=str(directory), reason="files of the public half are missing")
        state.close()
        shutil.rmtree(private / "state")
        state = State(private / "state")
    try:
        tiles = Tiles(public, temporary)
        integrator = Integrator(private / "journal", state, tiles)
        integrator.advance()
        _fits(checkpoint, tiles, public)
        journal = JournalWriter(private / "journal", integrator.reader, clock=clock, segment_bytes=segment_bytes)
        if integrator.reader.place == START:
            epoch = epoch_of(clock())[0]
            started = encode(LogStarted(epoch, region, origin, key.public_key().public_bytes_raw()))
            mark = encode_record(seal_mark(epoch, 1), b"")
            journal.append(encode_record(started, b"") + mark, 2)
            integrator.reader.torn = None
            integrator.advance()
        elif not integrator.sealed:
            journal.append(encode_record(seal_mark(integrator.epoch, tiles.size), b""), 1)
            integrator.reader.torn = None
            integrator.advance()
        opened = Opened(state, tiles, integrator, checkpoint, journal, GrantLog(region))
        _read_events(opened, integrator.started, region, origin, keystore)
        checkpoint.publish(tiles.size, tiles.root())
    except BaseException:
        state.close()
        raise
    return opened


def _complete(state: State, public: Path) -> bool:
    """Whether every full tile is there that the state says was written. Partial ones are written anew anyhow."""
    snapshot = state.snapshot()
    # Plain text and no Path objects: ten million entries have 80,000 tiles.
    return snapshot is None or all(
        os.path.exists(f"{public}/{tile.path}") for tile in tiles_of(snapshot.place.index) if tile.width == WIDTH
    )


def _fits(checkpoint: CheckpointFile, tiles: Tiles, public: Path) -> None:
    """Raises LedgerFailed unless the journal continues what was published."""
    before = checkpoint.checkpoint
    if before is None:
        return
    if tiles.size < before.size:
        raise LedgerFailed(
            f"the journal ends after {tiles.size} entries, but {before.size} are published",
            hint="restore the ledger's private half from its backup; a checkpoint is never contradicted",
        )

    def read(path: str) -> bytes | None:
        return (public / path).read_bytes()

    if tree_root(TileReader(read, tiles.size).node, before.size) != before.root:
        raise LedgerFailed(
            f"the journal gives another root for size {before.size} than the published checkpoint",
            hint="restore the ledger's private half from its backup; a checkpoint is never contradicted",
        )


def _read_events(opened: Opened, started: bytes, region: str, origin: str, keystore: KeyStore) -> None:
    index = 0
    try:
        first = decode(started)
        if not isinstance(first, LogStarted) or (first.region, first.origin) != (region, origin):
            raise VerificationError(f"it is not the log {origin} of region {region}")
        for record in opened.state.events():
            index, entry = record.index, decode(record.entry)
            if isinstance(entry, EpochKey):
                opened.epoch_key = entry
            elif isinstance(entry, Regions):
                opened.regions = entry.document
            elif isinstance(entry, GRANT_EVENTS):
                opened.grants.apply(index, entry)
                document = None
                if isinstance(entry, GrantRequested | BreakGlass):
                    with contextlib.suppress(NotFound):  # the month's key was destroyed: its grants are over
                        document = open_document(keystore, region, record.private, entry)
                opened.events.append(LoggedEvent(index, entry, document))
    except VerificationError as error:
        raise LedgerFailed(
            f"entry {index} of the journal is refused: {error.message}",
            hint="check region, origin and state in seenby.toml",
        ) from None

"""Verifies a whole public log with nothing but its files and its verifier key. Numbered steps; the first fault ends it.

1. checkpoint   the signature is by the key, over this origin, size and root
2. files        every tile and bundle of that size is there
3. hashes       entries -> leaf hashes -> tiles -> the signed root
4. extra        nothing else is there
5. entries      every entry is well formed (docs/formats/entries.md)
6. order        the log starts as it must, epochs never fall, people stand directly after what concerns them
7. grants       every approval, denial, revocation and review is signed by a key that counted there
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from seenby_verify.errors import VerificationError
from seenby_verify.tlog.checkpoint import Checkpoint, VerifierKey, open_checkpoint
from seenby_verify.tlog.entries import (
    AttemptRefused,
    Disclosure,
    Entry,
    Erasure,
    GrantActivated,
    LogStarted,
    Move,
    PersonEnrolled,
    PersonNamed,
    Query,
    Statistic,
    Transfer,
    bucket,
    decode,
)
from seenby_verify.tlog.fsck import CHECKPOINT, Files
from seenby_verify.tlog.grantlog import GRANT_EVENTS, GrantLog
from seenby_verify.tlog.tiles import WIDTH, Read, subtree_root
from seenby_verify.tlog.tree import leaf_hash

TITLES = (
    "checkpoint: signed by the key",
    "files: every tile and bundle is there",
    "hashes: entries, tiles and the signed root agree",
    "nothing else is in the directory",
    "entries: every one is well formed",
    "order: people stand where they are named, epochs never fall",
    "grants: every signature is by a key that counted there",
)


@dataclass(frozen=True, slots=True)
class Step:
    """A step that holds. ``number`` from 1; ``detail``: what was looked at."""

    number: int
    title: str
    detail: str


def verify(paths: Iterable[str], read: Read, key: VerifierKey) -> Iterator[Step]:
    """Yields each step when it holds; raises VerificationError, naming the place, in the one that does not.

    Args:
        paths: every file in the public directory, relative, with "/".
        read: the content of one of them.
        key: the log's verifier key.
    """
    note = read(CHECKPOINT)
    if note is None:
        raise VerificationError("there is no checkpoint", where=CHECKPOINT, hint="give the ledger's public directory")
    checkpoint = open_checkpoint(note, key)
    yield _step(1, f"{checkpoint.origin}, size {checkpoint.size}, root {checkpoint.root.hex()[:16]}…")

    files = Files(paths, read, checkpoint)
    yield _step(2, _count(files.missing(), "file", "files"))

    log = _Log(checkpoint, key)
    blocks: list[bytes] = []
    edge: list[bytes] = []
    for path, first, entries in files.entries():
        hashes = [leaf_hash(entry) for entry in entries]
        if len(hashes) == WIDTH:
            blocks.append(subtree_root(hashes))
        else:
            edge = hashes
        log.take(path, first, entries)
    files.hashes(blocks, edge)
    yield _step(3, _count(checkpoint.size, "entry", "entries"))

    older = files.extra(key)
    yield _step(
        4,
        _count(older, "partial tile of an earlier checkpoint", "partial tiles of earlier checkpoints") if older else "",
    )

    # The entries were looked at while they passed, but a fault in their bytes is told first.
    if log.malformed:
        raise log.malformed
    yield _step(5, log.counted())
    log.finish()
    if log.misplaced:
        raise log.misplaced
    yield _step(6, _count(log.counts[PersonNamed], "person entry", "person entries"))
    if log.unsigned:
        raise log.unsigned
    signatures, grants = log.grants.signatures, len(log.grants.grants)
    yield _step(7, f"{_count(signatures, 'signature', 'signatures')} on {_count(grants, 'grant', 'grants')}")


def _step(number: int, detail: str) -> Step:
    return Step(number, TITLES[number - 1], detail)


class _Log:
    """Looks at every entry once, in order; keeps the first fault of each sort."""

    def __init__(self, checkpoint: Checkpoint, key: VerifierKey) -> None:
        self.counts: Counter[type] = Counter()
        self.malformed: VerificationError | None = None
        self.misplaced: VerificationError | None = None
        self.unsigned: VerificationError | None = None
        self.grants = GrantLog("")
        self._checkpoint = checkpoint
        self._key = key
        self._epoch = 0
        self._owed: int | None = None  # the bucket of the entry whose people are being named
        self._named = 0
        self._labels: set[bytes] = set()
        self._path = CHECKPOINT

    def take(self, path: str, first: int, entries: list[bytes]) -> None:
        self._path = path
        for index, data in enumerate(entries, first):
            if self.malformed:
                return
            try:
                entry = decode(data)
            except VerificationError as error:
                self.malformed = _at(index, path, error)
                return
            self.counts[type(entry)] += 1
            try:
                if not self.misplaced:
                    self._place(index, entry)
            except VerificationError as error:
                self.misplaced = _at(index, path, error)
            try:
                if not self.unsigned and isinstance(entry, GRANT_EVENTS):
                    self.grants.apply(index, entry)
            except VerificationError as error:
                self.unsigned = _at(index, path, error)

    def _place(self, index: int, entry: Entry) -> None:
        if (index == 0) is not isinstance(entry, LogStarted):
            raise VerificationError("a log starts with the entry that says so, and only there")
        if isinstance(entry, LogStarted):
            if (entry.origin, entry.key) != (self._checkpoint.origin, self._key.key):
                raise VerificationError("the log started under another name or key")
            self.grants.region = entry.region
        if entry.epoch < self._epoch:
            raise VerificationError(f"epoch {entry.epoch} after {self._epoch}")
        if isinstance(entry, PersonNamed):
            if self._owed is None or bucket(self._named + 1) > self._owed:
                raise VerificationError("a person is named where nobody is announced")
            if entry.epoch != self._epoch:
                raise VerificationError("a person is named in another epoch than what concerns them")
            if entry.label in self._labels:
                raise VerificationError("a label stands in the log twice")
            self._labels.add(entry.label)
            self._named += 1
            return
        self.end()
        self._epoch = entry.epoch
        self._owed, self._named = None, 0
        if isinstance(entry, Query) and entry.bound == 0 and entry.bucket:
            raise VerificationError("a query that read nobody's data announces people")
        if isinstance(entry, Query | PersonEnrolled | Erasure | Move | Transfer | Disclosure):
            self._owed = entry.bucket

    def end(self) -> None:
        """The people announced must have been named by now."""
        if self._owed is not None and bucket(self._named) != self._owed:
            raise VerificationError(
                f"{self._named} people are named up to here, but a number of {self._owed} digits is announced"
            )

    def finish(self) -> None:
        """The log ends here: are the last people named?"""
        try:
            if not self.misplaced:
                self.end()
        except VerificationError as error:
            self.misplaced = _at(self._checkpoint.size - 1, self._path, error)

    def counted(self) -> str:
        names = (
            (Query, "query", "queries"),
            (Statistic, "statistic", "statistics"),
            (AttemptRefused, "refused attempt", "refused attempts"),
            (GrantActivated, "grant activated", "grants activated"),
        )
        return ", ".join(_count(self.counts[kind], one, many) for kind, one, many in names if self.counts[kind])


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _at(index: int, path: str, error: VerificationError) -> VerificationError:
    return VerificationError(f"{path}: entry {index}: {error.message}", where=path, hint=error.hint)

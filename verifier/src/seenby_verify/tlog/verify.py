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

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from seenby_verify.errors import VerificationError
from seenby_verify.tlog.checkpoint import VerifierKey, open_checkpoint
from seenby_verify.tlog.entries import AttemptRefused, GrantActivated, PersonNamed, Query, Statistic
from seenby_verify.tlog.fsck import CHECKPOINT, Files
from seenby_verify.tlog.rules import EntryRules
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

    log = EntryRules(key)
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
    yield _step(5, _counted(log))
    log.finish(checkpoint.size)
    if log.misplaced:
        raise log.misplaced
    yield _step(6, _count(log.counts[PersonNamed], "person entry", "person entries"))
    if log.unsigned:
        raise log.unsigned
    signatures, grants = log.grants.signatures, len(log.grants.grants)
    yield _step(7, f"{_count(signatures, 'signature', 'signatures')} on {_count(grants, 'grant', 'grants')}")


def _step(number: int, detail: str) -> Step:
    return Step(number, TITLES[number - 1], detail)


def _counted(log: EntryRules) -> str:
    names = (
        (Query, "query", "queries"),
        (Statistic, "statistic", "statistics"),
        (AttemptRefused, "refused attempt", "refused attempts"),
        (GrantActivated, "grant activated", "grants activated"),
    )
    return ", ".join(_count(log.counts[kind], one, many) for kind, one, many in names if log.counts[kind])


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"

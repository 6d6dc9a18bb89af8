"""The whole verifier: what holds, and every kind of damage found and named."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from seenby.errors import VerificationError
from seenby.stores.records import public_reader
from seenby_verify.tlog.checkpoint import Checkpoint, VerifierKey, sign_checkpoint
from seenby_verify.tlog.entries import (
    Entry,
    Erasure,
    GrantActivated,
    GrantApproved,
    LogStarted,
    PersonNamed,
    Query,
    encode,
)
from seenby_verify.tlog.steps import Step
from seenby_verify.tlog.tiles import ENTRIES, Tile
from seenby_verify.tlog.tree import leaf_hash, root_of
from seenby_verify.tlog.verify import TITLES, verify
from tests.fixtures.ledgers import (
    APPROVERS,
    COMMIT,
    EPOCH,
    GRANT,
    LOG_KEY,
    ORIGIN,
    STARTED,
    VERIFIER,
    keys,
    publish,
    query,
    requested,
    signed,
)

LONG = os.environ.get("SEENBY_CAMPAIGN") == "long"
GRANTED = [
    *keys(),
    requested(),
    *(signed(GrantApproved, key) for key in APPROVERS),
    GrantActivated(EPOCH, GRANT, COMMIT),
]
SAMPLE: list[Entry] = [STARTED, *GRANTED, *query(0), *query(9, 1), *query(10, 2), *query(600, 3), *query(1, 4)]
Files = dict[str, bytes]


def check(files: Files, key: VerifierKey = VERIFIER) -> list[Step]:
    return list(verify(list(files), files.get, key))


def load(directory: Path) -> Files:
    paths = [path for path in directory.rglob("*") if path.is_file()]
    return {path.relative_to(directory).as_posix(): path.read_bytes() for path in paths}


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """634 entries; checkpoints at 300 and 600 were published on the way."""
    directory = tmp_path_factory.mktemp("log") / "public"
    publish(SAMPLE, directory, checkpoints={300, 530, 600})
    return load(directory)


def build(entries: Iterable[Entry | bytes], directory: Path) -> Files:
    publish(entries, directory / "public")
    return load(directory / "public")


def test_a_good_log_holds(log: Files) -> None:
    steps = check(log)
    assert [(step.number, step.title) for step in steps] == list(enumerate(TITLES, 1))
    assert "5 queries, 1 grant activated" in steps[4].detail
    assert steps[6].detail == "3 signatures on 1 grant"


def test_the_files_are_those_of_the_specification(log: Files) -> None:
    assert sorted(log) == [
        "checkpoint",
        "tile/0/000",
        "tile/0/001",
        "tile/0/002.p/121",
        "tile/0/002.p/18",
        "tile/0/002.p/88",
        "tile/1/000.p/1",
        "tile/1/000.p/2",
        "tile/entries/000",
        "tile/entries/001",
        "tile/entries/002.p/121",
        "tile/entries/002.p/18",
        "tile/entries/002.p/88",
    ]


def _bundle_entry(data: bytes, offset: int) -> int:
    at = number = 0
    while True:
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        if offset < end:
            return number
        at, number = end, number + 1


def test_a_flipped_bit_anywhere_is_found_and_named(log: Files) -> None:
    """Every file; bytes at both ends and all over it. In bundles and tiles of hashes the entry is named too."""
    generator = random.Random(int(os.environ["SEENBY_SEED"]))
    for path, data in log.items():
        some = generator.sample(range(len(data)), min(len(data), 200 if LONG else 12))
        for offset in {0, 1, 2, 3, len(data) // 2, len(data) - 2, len(data) - 1, *some}:
            changed = bytearray(data)
            changed[offset] ^= 1 << generator.randrange(8)
            with pytest.raises(VerificationError) as caught:
                check({**log, path: bytes(changed)})
            error = caught.value
            assert error.where == path, (path, offset, error.message)
            tile = Tile.parse(path)
            if tile is None or path.endswith((".p/18", ".p/88", "1/000.p/1")):
                continue
            if tile.level == ENTRIES:
                assert f"entry {tile.index * 256 + _bundle_entry(data, offset)} " in error.message, (path, offset)
            elif tile.level == 0:
                assert f"the hash of entry {tile.index * 256 + offset // 32} is wrong" in error.message
            else:
                first = offset // 32 * 256
                assert f"entries {first} to {first + 255}, is wrong" in error.message


def test_a_cut_or_longer_file_is_named(log: Files) -> None:
    for path, data in log.items():
        for changed in (b"", data[:-1], data[: len(data) // 2], data + b"\x00", data + data[-40:]):
            with pytest.raises(VerificationError) as caught:
                check({**log, path: changed})
            assert caught.value.where == path, (path, len(changed))


def test_a_missing_file_is_named(log: Files) -> None:
    for path in log:
        files = {name: data for name, data in log.items() if name != path}
        if path.endswith((".p/18", ".p/88", "1/000.p/1")):
            check(files)  # forerunners of a tile may go
            continue
        with pytest.raises(VerificationError) as caught:
            check(files)
        assert caught.value.where == path


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        ("notes.txt", "does not belong"),
        ("checkpoint.old", "does not belong"),
        ("tile/0/0", "does not belong"),
        ("tile/0/000.p/7", "is not the beginning of tile/0/000"),
        ("tile/entries/002.p/5", "is not the beginning of tile/entries/002.p/121"),
        ("tile/0/002.p/122", "beyond the checkpoint"),
        ("tile/0/002", "beyond the checkpoint"),
        ("tile/0/003", "beyond the checkpoint"),
        ("tile/entries/003.p/1", "beyond the checkpoint"),
        ("tile/2/000.p/1", "beyond the checkpoint"),
        ("tile/1/000.p/3", "beyond the checkpoint"),
    ],
)
def test_an_extra_file_is_named(log: Files, path: str, fault: str) -> None:
    with pytest.raises(VerificationError, match=fault) as caught:
        check({**log, path: b"x" * 32})
    assert caught.value.where == path


def test_a_log_at_work_holds(log: Files, tmp_path: Path) -> None:
    """Files were listed and the checkpoint read; then the writer went on: new tiles, old partial ones gone."""
    later = build([*SAMPLE, *query(400, 9)], tmp_path)
    moved = {path: data for path, data in later.items() if path != "checkpoint"}
    gone = {"tile/0/002.p/121", "tile/entries/002.p/121", *(path for path in log if path.endswith((".p/18", ".p/88")))}
    files = {**{path: data for path, data in log.items() if path not in gone}, **moved}
    notes = iter([log["checkpoint"], later["checkpoint"]])
    note = next(notes)

    def read(path: str) -> bytes | None:
        nonlocal note
        if path == "checkpoint":
            note, now = next(notes, note), note
            return now
        return files.get(path)

    assert len(list(verify([*files], read, VERIFIER))) == 7


def test_a_rewritten_entry_with_all_its_hashes_contradicts_the_signed_root(log: Files, tmp_path: Path) -> None:
    forged = build([*SAMPLE[:-1], PersonNamed(EPOCH, b"x" * 32, b"c" * 32, b"s" * 32)], tmp_path)
    with pytest.raises(VerificationError, match="is what the log signed") as caught:
        check({**forged, "checkpoint": log["checkpoint"]})
    assert caught.value.where == "checkpoint"


def test_a_rewritten_full_block_is_named_by_the_tile_above(log: Files, tmp_path: Path) -> None:
    other = list(SAMPLE)
    other[100] = PersonNamed(EPOCH, b"x" * 32, b"c" * 32, b"s" * 32)
    forged = build(other, tmp_path)
    mixed = {**log, **{path: forged[path] for path in ("tile/entries/000", "tile/0/000")}}
    with pytest.raises(VerificationError, match="entries 0 to 255 are not the ones in tile/1/000"):
        check(mixed)


def test_bundle_and_hash_that_disagree_with_each_other_and_the_root(log: Files) -> None:
    bundle, hashes = bytearray(log["tile/entries/000"]), bytearray(log["tile/0/000"])
    bundle[-1] ^= 1
    hashes[-1] ^= 1
    with pytest.raises(VerificationError, match="entry 255 and its hash in tile/0/000 disagree, and neither"):
        check({**log, "tile/entries/000": bytes(bundle), "tile/0/000": bytes(hashes)})


def test_another_key_or_another_log(log: Files) -> None:
    with pytest.raises(VerificationError, match="no signature by a key that you trust"):
        check(log, VerifierKey(ORIGIN, bytes(32)))
    with pytest.raises(VerificationError, match="there is no checkpoint"):
        check({})


def test_a_checkpoint_of_another_tree(log: Files) -> None:
    root = root_of(leaf_hash(encode(entry)) for entry in SAMPLE)
    for size in (len(SAMPLE) - 1, len(SAMPLE) + 1, 0, 10**12):
        with pytest.raises(VerificationError):
            check({**log, "checkpoint": sign_checkpoint(Checkpoint(ORIGIN, size, root), LOG_KEY)})


HEAD = query(1)[0]
assert isinstance(HEAD, Query)
PERSON = query(1)[1]
assert isinstance(PERSON, PersonNamed)
REQUEST = requested()
OTHER = query(1, 5)[1]


def bad_key(log_started: LogStarted) -> LogStarted:
    return replace(log_started, key=bytes(32))


@pytest.mark.parametrize(
    ("entries", "step", "index", "fault"),
    [
        ([STARTED, b"\x01\x7f"], 5, 1, "kind 0x7f is unknown"),
        ([STARTED, encode(HEAD) + b"\x00", PERSON], 5, 1, "too many"),
        ([STARTED, b""], 5, 1, "no entry"),
        ([HEAD, PERSON], 6, 0, "a log starts with"),
        ([STARTED, STARTED], 6, 1, "a log starts with"),
        ([bad_key(STARTED)], 6, 0, "another name or key"),
        ([replace(STARTED, origin="us.test/ledger")], 6, 0, "another name or key"),
        ([STARTED, PERSON], 6, 1, "nobody is announced"),
        ([STARTED, *query(0), PERSON], 6, 2, "nobody is announced"),
        ([STARTED, *query(9), OTHER], 6, 11, "nobody is announced"),
        ([STARTED, *query(10)[:-1], *query(0)], 6, 11, "9 people are named up to here"),
        ([STARTED, HEAD, *query(0)], 6, 2, "0 people are named up to here"),
        ([STARTED, HEAD], 6, 1, "0 people are named up to here"),
        ([STARTED, HEAD, PERSON, replace(HEAD, part=1), PERSON], 6, 4, "a label stands in the log twice"),
        ([STARTED, HEAD, replace(PERSON, epoch=202612)], 6, 2, "another epoch"),
        ([STARTED, replace(HEAD, epoch=202610), PERSON], 6, 1, "epoch 202610 after 202611"),
        ([STARTED, replace(HEAD, bound=0), PERSON], 6, 1, "announces people"),
        ([STARTED, Erasure(EPOCH, bytes(32), bytes(32), 1)], 6, 1, "0 people"),
        ([STARTED, GRANTED[-1]], 7, 1, "nobody requested"),
        ([STARTED, *GRANTED[:-2], GRANTED[-1]], 7, 6, "1 approvals are missing"),
        ([STARTED, *keys(), REQUEST, replace(REQUEST, grant=bytes(16))], 7, 5, "does not match"),
    ],
)
def test_entries_that_may_not_stand_there(
    entries: list[Any], step: int, index: int, fault: str, tmp_path: Path
) -> None:
    files = build(entries, tmp_path)
    steps: list[Step] = []
    with pytest.raises(VerificationError, match=fault) as caught:
        steps.extend(verify(list(files), files.get, VERIFIER))
    assert len(steps) + 1 == step
    assert f"entry {index}: " in caught.value.message
    assert caught.value.where == Tile(ENTRIES, 0, len(entries)).path


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 511, 512, 513])
def test_sizes_around_tiles(size: int, tmp_path: Path) -> None:
    files = build([STARTED, *(entry for n in range(size - 1) for entry in query(0))], tmp_path)
    assert len(check(files)) == 7


def test_70_000_entries_are_built_and_verified_in_ten_seconds(tmp_path: Path) -> None:
    started = time.monotonic()
    head, person = encode(HEAD), encode(PERSON)
    entries = [encode(STARTED), *query(0)]
    for n in range((70_000 - 2) // 2):
        entries += [head, person[:6] + n.to_bytes(32, "big") + person[38:]]
    directory = tmp_path / "public"
    publish(entries, directory)
    read: Callable[[str], bytes | None] = public_reader(directory)
    paths = [path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file()]
    steps = list(verify(paths, read, VERIFIER))
    assert steps[2].detail == "70000 entries"
    assert len(paths) == 274 * 2 + 2 + 1 + 1
    assert time.monotonic() - started < 10

"""The whole verifier: what holds, and every kind of damage found and named."""

from __future__ import annotations

import hashlib
import os
import random
import tempfile
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
    DailyReport,
    Entry,
    Erasure,
    GrantActivated,
    GrantApproved,
    LogStarted,
    PersonNamed,
    Query,
    Regions,
    Seal,
    decode,
    encode,
    key_id,
)
from seenby_verify.tlog.labels import LabelTree
from seenby_verify.tlog.policy import Policy
from seenby_verify.tlog.steps import Step
from seenby_verify.tlog.tiles import ENTRIES, Tile
from seenby_verify.tlog.tree import leaf_hash, root_of
from seenby_verify.tlog.verify import TITLES, verify
from tests.fixtures.bundles import World
from tests.fixtures.bundles_log import NOW, TIMES
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
    with_seal,
)
from tests.fixtures.pace import in_time
from tests.fixtures.written_logs import write_log, written

LONG = os.environ.get("SEENBY_CAMPAIGN") == "long"
GRANTED = [
    *keys(),
    requested(),
    *(signed(GrantApproved, key) for key in APPROVERS),
    GrantActivated(EPOCH, GRANT, COMMIT),
]
UNSEALED: list[Entry] = [STARTED, *GRANTED, *query(0), *query(9, 1), *query(10, 2), *query(600, 3), *query(1, 4)]
SAMPLE = with_seal(UNSEALED)
Files = dict[str, bytes]


def check(files: Files, key: VerifierKey = VERIFIER) -> list[Step]:
    return list(verify(list(files), files.get, key))


def load(directory: Path) -> Files:
    paths = [path for path in directory.rglob("*") if path.is_file()]
    return {path.relative_to(directory).as_posix(): path.read_bytes() for path in paths}


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """634 entries, the last of them a seal; checkpoints at 300 and 600 were published on the way."""
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
        "tile/0/002.p/122",
        "tile/0/002.p/18",
        "tile/0/002.p/88",
        "tile/1/000.p/1",
        "tile/1/000.p/2",
        "tile/entries/000",
        "tile/entries/001",
        "tile/entries/002.p/122",
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


@pytest.mark.parametrize("partial", ["tile/0/002.p/122", "tile/1/000.p/2", "tile/entries/002.p/122"])
def test_a_full_tile_in_a_partial_ones_place_is_full(log: Files, partial: str) -> None:
    """tlog-tiles: a log at work may have it by now, and then it has 256 hashes or entries."""
    path = partial.partition(".p/")[0]
    older = [name for name in log if name.startswith(f"{path}.p/")]
    files = {name: data for name, data in log.items() if name not in older}
    data, one = log[partial], b"\x00\x02\x01\x41" if "entries" in partial else bytes(32)
    missing = 256 - int(partial.rpartition("/")[2])
    for more in (0, 1, missing - 1, missing + 1):
        with pytest.raises(VerificationError, match="is no full tile") as caught:
            check({**files, path: data + one * more})
        assert caught.value.where == path
    with pytest.raises(VerificationError, match="is no full tile"):
        check({**files, path: data + one * missing + b"\x00"})
    check({**files, path: data + one * missing})


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        ("notes.txt", "does not belong"),
        ("checkpoint.old", "does not belong"),
        ("tile/0/0", "does not belong"),
        ("tile/0/000.p/7", "is not the beginning of tile/0/000"),
        ("tile/entries/002.p/5", "is not the beginning of tile/entries/002.p/122"),
        ("tile/0/002.p/123", "beyond the checkpoint"),
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
    gone = {"tile/0/002.p/122", "tile/entries/002.p/122", *(path for path in log if path.endswith((".p/18", ".p/88")))}
    files = {**{path: data for path, data in log.items() if path not in gone}, **moved}
    notes = iter([log["checkpoint"], later["checkpoint"]])
    note = next(notes)

    def read(path: str) -> bytes | None:
        nonlocal note
        if path == "checkpoint":
            note, now = next(notes, note), note
            return now
        return files.get(path)

    assert len(list(verify([*files], read, VERIFIER))) == len(TITLES)


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


@pytest.mark.parametrize("size", [2, 255, 256, 257, 511, 512, 513])
def test_sizes_around_tiles(size: int, tmp_path: Path) -> None:
    files = build(with_seal([STARTED, *(entry for n in range(size - 2) for entry in query(0))]), tmp_path)
    assert check(files)[2].detail == f"{size} entries"


def test_70_000_entries_are_built_and_verified_in_ten_seconds(tmp_path: Path) -> None:
    started = time.process_time()  # others may be at work
    head, person = encode(HEAD), encode(PERSON)
    entries = [encode(STARTED)]
    labels = [n.to_bytes(32, "big") for n in range((70_000 - 2) // 2)]
    for label in labels:
        entries += [head, person[:6] + label + person[38:]]
    entries.append(encode(Seal(EPOCH, 69_999, LabelTree(labels).root())))
    directory = tmp_path / "public"
    publish(entries, directory)
    read: Callable[[str], bytes | None] = public_reader(directory)
    paths = [path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file()]
    steps = list(verify(paths, read, VERIFIER))
    assert steps[2].detail == "70000 entries"
    assert len(paths) == 274 * 2 + 2 + 1 + 1
    assert in_time(time.process_time() - started, 10, time.process_time)


SEALED = with_seal([STARTED, *query(3)])
SEAL = SEALED[-1]
assert isinstance(SEAL, Seal)
LABELS = [entry.label for entry in SEALED if isinstance(entry, PersonNamed)]
DECEMBER = [replace(entry, epoch=202612) for entry in query(1, 7)]


def in_december(*entries: Any) -> list[Any]:
    labels = [entry.label for entry in DECEMBER if isinstance(entry, PersonNamed)]
    return [*entries, Seal(202612, len(entries), LabelTree(labels).root())]


def test_seals_of_two_months_and_in_between() -> None:
    """A checkpoint on the way has its own seal; a month's set begins empty."""
    again = Seal(EPOCH, 8, LabelTree([*LABELS, b"\0" * 15 + b"\x09" + bytes(16)]).root())
    entries = [*SEALED, *query(1, 9), again]
    for log in (entries, in_december(*entries, *DECEMBER), [*SEALED, Seal(202612, 6, bytes(32))]):
        files = in_memory(log)
        assert len(check(files)) == len(TITLES)


def in_memory(entries: Iterable[Entry | bytes]) -> Files:
    data = [entry if isinstance(entry, bytes) else encode(entry) for entry in entries]
    root = root_of(leaf_hash(entry) for entry in data)
    with tempfile.TemporaryDirectory() as directory:
        note = sign_checkpoint(Checkpoint(ORIGIN, len(data), root), LOG_KEY)
        return load(write_log(data, note, Path(directory)))


@pytest.mark.parametrize(
    ("entries", "index", "fault"),
    [
        (SEALED[:-1], 4, "does not end in a seal; the log has no seal at all"),
        ([*SEALED, *query(0)], 6, "does not end in a seal$"),
        ([*SEALED[:-1], replace(SEAL, root=LabelTree(LABELS[1:]).root())], 5, "not that of the 3 labels"),
        ([*SEALED[:-1], replace(SEAL, root=bytes(32))], 5, "not that of the 3 labels"),
        ([*SEALED[:-1], replace(SEAL, covers=4)], 5, "covers 4 entries, but 5 are before it"),
        (in_december(*SEALED[:-1], *DECEMBER), 5, "epoch 202612 begins, but no seal ends the epoch 202611"),
        (in_december(*SEALED, *query(0), *DECEMBER), 7, "no seal ends the epoch 202611"),
        ([*SEALED[:-1], Seal(202612, 5, bytes(32))], 5, "no seal ends the epoch 202611"),
        ([*SEALED, *DECEMBER, Seal(202612, 8, LabelTree(LABELS).root())], 8, "not that of the 1 labels"),
    ],
)
def test_a_seal_that_is_missing_or_false(entries: list[Any], index: int, fault: str) -> None:
    files = in_memory(entries)
    steps: list[Step] = []
    with pytest.raises(VerificationError, match=fault) as caught:
        steps.extend(verify(list(files), files.get, VERIFIER))
    assert len(steps) + 1 == 8
    assert f"entry {index}: " in caught.value.message


def test_a_log_without_entries_has_no_seal() -> None:
    with pytest.raises(VerificationError, match="over no entries"):
        check(in_memory([]))


# Whole logs over four months, with witnesses, lists of regions and a daily report


def eu(world: World, *, time: int = NOW, cosigners: int = 2) -> Files:
    with tempfile.TemporaryDirectory() as directory:
        return load(written(world.eu, Path(directory), time=time, cosigners=cosigners))


@pytest.fixture(scope="module")
def world() -> World:
    return World()


def policy(world: World) -> Policy:
    return Policy.parse(world.policy().encode())


def test_everything_at_once(world: World) -> None:
    files = eu(world)
    steps = list(verify(list(files), files.get, policy(world), organisation=world.org_key))
    assert [step.title for step in steps] == list(TITLES)
    assert "2 witnesses" in steps[0].detail
    assert steps[6].detail == "3 signatures on 1 grant, 1 report"
    assert steps[8].detail == "2 lists, the newest names eu, us; signed by the organisation"
    assert steps[9].detail == "witnesses saw it at 2026-11-22 09:10:00 UTC"


def test_too_few_witnesses_and_a_checkpoint_that_is_older_than_its_entries(world: World) -> None:
    files = eu(world, cosigners=1)
    with pytest.raises(VerificationError, match="has not the cosignatures"):
        list(verify(list(files), files.get, policy(world)))
    files = eu(world, time=TIMES[202610])
    steps: list[Step] = []
    with pytest.raises(VerificationError, match="entries of 202611 stand in a checkpoint that witnesses saw in 202610"):
        steps.extend(verify(list(files), files.get, policy(world)))
    assert len(steps) == 9


def test_another_organisation_signed_the_list_of_regions(world: World) -> None:
    files = eu(world)
    steps: list[Step] = []
    with pytest.raises(VerificationError, match="entry 1: the list of regions is not signed by the organisation's key"):
        steps.extend(verify(list(files), files.get, policy(world), organisation=world.us.vkey))
    assert len(steps) == 8


def changed(world: World, kind: type, change: Callable[[Any], Any]) -> Files:
    """The world's log with its last entry of a kind changed, and seals that fit."""
    entries: list[Any] = [decode(entry) for entry in world.eu.entries]
    at = max(index for index, entry in enumerate(entries) if isinstance(entry, kind))
    entries[at] = change(entries[at])
    data = [encode(entry) for entry in entries]
    note = world.eu.checkpoint(NOW, root=root_of(leaf_hash(entry) for entry in data))
    with tempfile.TemporaryDirectory() as directory:
        return load(write_log(data, note, Path(directory)))


@pytest.mark.parametrize(
    ("kind", "change", "step", "fault"),
    [
        (DailyReport, lambda e: replace(e, day=7), 7, "the auditor's signature under the daily report does not match"),
        (DailyReport, lambda e: replace(e, document=b"{}"), 7, "the auditor's signature"),
        (
            DailyReport,
            lambda e: replace(e, key_id=key_id(APPROVERS[0].public_key().public_bytes_raw())),
            7,
            "no auditor",
        ),
        (Regions, lambda e: replace(e, document=e.document.replace(b"\n2\n", b"\n3\n")), 9, "does not follow number 1"),
        (Regions, lambda e: replace(e, document=b"rubbish"), 9, "list of regions has no signature block"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else None,
)
def test_reports_and_lists_that_may_not_stand_there(
    world: World, kind: type, change: Callable[[Any], Any], step: int, fault: str
) -> None:
    files = changed(world, kind, change)
    steps: list[Step] = []
    with pytest.raises(VerificationError, match=fault):
        steps.extend(verify(list(files), files.get, policy(world)))
    assert len(steps) + 1 == step


def test_a_report_is_an_auditors(world: World) -> None:
    """An approver's key counts in the log, and its signature is good."""

    def by_approver(entry: Any) -> Any:
        digest = hashlib.sha256(entry.document).hexdigest()
        signature = world.approver.sign(f"seenby/report/v1\neu\n{entry.epoch}\n{entry.day}\n{digest}\n".encode())
        return replace(entry, key_id=key_id(world.approver.public_key().public_bytes_raw()), signature=signature)

    files = changed(world, DailyReport, by_approver)
    with pytest.raises(VerificationError, match="is no auditor's here"):
        list(verify(list(files), files.get, policy(world)))


def test_a_list_of_regions_names_the_log_that_it_stands_in(world: World) -> None:
    files = changed(world, Regions, lambda entry: replace(entry, document=world.regions(2, world.us)))
    with pytest.raises(VerificationError, match="leaves out the log that it stands in"):
        list(verify(list(files), files.get, policy(world)))

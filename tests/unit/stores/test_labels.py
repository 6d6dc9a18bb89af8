"""The label trees in LMDB: the definition and the tree in memory on random and hostile histories, and damage."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lmdb
import pytest

from seenby.errors import LedgerFailed
from seenby.stores.label_pages import page_sum, stride_at
from seenby.stores.labels import LabelStore
from seenby.stores.native import Worked
from seenby_verify.tlog.labels import EMPTY, LabelProof, LabelTree, verify_absent, verify_present
from tests.fixtures.labels import SHAPES, definition

VECTORS = json.loads((Path(__file__).parents[1] / "tlog/vectors/labels.json").read_text())


def seeded(salt: object) -> random.Random:
    return random.Random(f"{os.environ['SEENBY_SEED']} {salt}")


def opened(path: Path, **more: Any) -> lmdb.Environment:
    return lmdb.open(str(path), map_size=1 << 30, max_dbs=2, readahead=False, sync=False, **more)


@pytest.fixture
def env(tmp_path: Path) -> Iterator[lmdb.Environment]:
    with opened(tmp_path / "state") as env:
        yield env


def insert(env: lmdb.Environment, store: LabelStore, labels: list[bytes], first: int = 0, epoch: int = 7) -> bytes:
    with env.begin(write=True) as txn:
        return store.insert(txn, epoch, [(label, first + at) for at, label in enumerate(labels)])


def content(env: lmdb.Environment) -> list[tuple[bytes, bytes]]:
    with env.begin(env.open_db(b"labels", create=False)) as txn:
        return list(txn.cursor())


@pytest.mark.parametrize("case", VECTORS["sets"], ids=lambda case: case["name"])
def test_golden_roots(case: dict[str, Any], env: lmdb.Environment, worked: Worked) -> None:
    assert (
        insert(env, LabelStore(env, worked), [bytes.fromhex(label) for label in case["labels"]]).hex() == case["root"]
    )


@pytest.mark.parametrize("case", VECTORS["proofs"], ids=lambda case: f"{case['set']}-{case['label'][:8]}")
def test_golden_proofs(case: dict[str, Any], env: lmdb.Environment, worked: Worked) -> None:
    (members,) = (item["labels"] for item in VECTORS["sets"] if item["name"] == case["set"])
    store = LabelStore(env, worked)
    insert(env, store, [bytes.fromhex(label) for label in members])
    with env.begin() as txn:
        assert store.prove(txn, 7, bytes.fromhex(case["label"])).to_json() == case["proof"]


@pytest.mark.parametrize("batch", [1, 9, 250])
@pytest.mark.parametrize("shape", SHAPES)
def test_histories(shape: str, batch: int, env: lmdb.Environment, worked: Worked) -> None:
    """After each batch the root is the definition's; in the end every proof is that of the tree in memory."""
    generator = seeded((shape, batch))
    labels = SHAPES[shape](generator, 250 if batch > 1 else 80)
    store, tree = LabelStore(env, worked), LabelTree()
    for at in range(0, len(labels), batch):
        some = labels[at : at + batch]
        tree.insert(some)
        assert insert(env, store, some, at) == tree.root()
    assert tree.root() == definition(labels)
    absent = SHAPES[shape](generator, 30) + SHAPES["random"](generator, 20)
    for label in labels[::3]:  # not there, but close to one that is
        absent.append((int.from_bytes(label, "big") ^ 1 << generator.randrange(256)).to_bytes(32, "big"))
    with env.begin() as txn:
        assert (store.root(txn, 7), store.count(txn, 7)) == (tree.root(), len(labels))
        for at, label in enumerate(labels):
            assert store.index(txn, 7, label) == at
            proof = store.prove(txn, 7, label)
            assert proof == tree.prove(label)
            verify_present(label, proof, tree.root())
        for label in set(absent) - set(labels):
            assert store.index(txn, 7, label) is None
            proof = store.prove(txn, 7, label)
            assert proof == tree.prove(label)
            verify_absent(label, proof, tree.root())


@pytest.mark.parametrize("shape", SHAPES)
def test_the_bytes_are_a_function_of_the_set(shape: str, tmp_path: Path, worked: Worked) -> None:
    """A state that is made again from the journal has other batches, and must not differ (``State.differs``)."""
    generator = seeded(shape)
    numbered = [(label, at) for at, label in enumerate(SHAPES[shape](generator, 300))]
    found = []
    for batch in (1000, 70, 3):
        generator.shuffle(numbered)
        with opened(tmp_path / str(batch)) as env:
            store = LabelStore(env, worked)
            for at in range(0, len(numbered), batch):
                with env.begin(write=True) as txn:
                    store.insert(txn, 7, iter(numbered[at : at + batch]))
            found.append(content(env))
    assert found[0] == found[1] == found[2]


def test_many_random_labels(env: lmdb.Environment, worked: Worked) -> None:
    """So many that pages of every stride are in use: bits 0 to 8, to 16, to 20."""
    generator = seeded("many")
    labels = SHAPES["random"](generator, 20_000)
    near = labels[0][:2]
    labels += [near + generator.randbytes(30) for _ in range(200)]
    generator.shuffle(labels)
    store, tree = LabelStore(env, worked), LabelTree()
    for low, high in ((0, 15_000), (15_000, 18_000), (18_000, 20_199), (20_199, 20_200)):
        tree.insert(labels[low:high])
        assert insert(env, store, labels[low:high], low) == tree.root()
    with env.begin(buffers=True) as txn:
        for at in generator.sample(range(len(labels)), 300):
            assert store.prove(txn, 7, labels[at]) == tree.prove(labels[at])
            assert store.index(txn, 7, labels[at]) == at
    assert {key[4] for key, _ in content(env) if len(key) > 4} >= {0, 8, 16, 20}
    pages = sum(len(key) + len(value) for key, value in content(env))
    assert pages < 250 * len(labels)


def test_an_empty_epoch_and_an_empty_batch(env: lmdb.Environment, worked: Worked) -> None:
    store = LabelStore(env, worked)
    with env.begin(write=True) as txn:
        assert store.insert(txn, 1, []) == store.root(txn, 1) == EMPTY
        assert (store.count(txn, 1), store.index(txn, 1, bytes(32))) == (0, None)
        assert store.prove(txn, 1, bytes(32)) == LabelProof(None)
        root = store.insert(txn, 1, [(bytes(32), 5)])
        assert store.insert(txn, 1, []) == store.root(txn, 1) == root == definition([bytes(32)])
        assert (store.count(txn, 1), store.index(txn, 1, bytes(32))) == (1, 5)


def test_epochs_stand_side_by_side(env: lmdb.Environment, worked: Worked) -> None:
    """With the same labels even: that the log must not do so is for others to see."""
    generator = seeded("epochs")
    store = LabelStore(env, worked)
    sets = {epoch: SHAPES["random"](generator, 50 * (at + 1)) for at, epoch in enumerate((0, 1, 256, 2**32 - 1))}
    sets[2] = sets[1][:20]
    for low in range(0, 200, 10):
        for epoch, labels in sets.items():
            insert(env, store, labels[low : low + 10], low, epoch)
    with env.begin() as txn:
        for epoch, labels in sets.items():
            assert store.root(txn, epoch) == definition(labels)
            assert store.count(txn, epoch) == len(labels)
            assert store.index(txn, epoch, labels[-1]) == len(labels) - 1
        assert store.index(txn, 2, sets[1][20]) is None


@pytest.mark.parametrize("buffers", [False, True])
def test_what_was_aborted_never_was(buffers: bool, env: lmdb.Environment, worked: Worked) -> None:
    generator = seeded("abort")
    labels = SHAPES["random"](generator, 3000)
    store = LabelStore(env, worked)
    root, before = insert(env, store, labels[:1000]), content(env)
    kind: Any = {"buffers": buffers}
    with env.begin(write=True, **kind) as txn:
        assert store.insert(txn, 7, [(label, 0) for label in labels[1000:]]) == definition(labels)
        assert store.root(txn, 7) == definition(labels), "the transaction sees its own"
        with env.begin(**kind) as reader:
            assert store.root(reader, 7) == root, "nobody else does"
        txn.abort()
    assert content(env) == before
    assert insert(env, store, labels[1000:], 1000) == definition(labels)


@pytest.mark.parametrize("count", [1, 3, 4, 500])
def test_a_label_twice(count: int, env: lmdb.Environment, worked: Worked) -> None:
    generator = seeded(("twice", count))
    labels = SHAPES["random"](generator, count)
    store = LabelStore(env, worked)
    for some in ([*labels, labels[-1]], [labels[0]] * 5, [*labels, *labels]):
        with pytest.raises(LedgerFailed, match="stands in an epoch twice"):
            insert(env, store, some)
        assert not content(env), "the transaction was aborted"
    with env.begin(write=True) as txn, pytest.raises(LedgerFailed, match="stands in an epoch twice"):
        store.insert(txn, 7, [(labels[0], 1)] * 5)  # more than a page takes: no bit will ever part them
    insert(env, store, labels)
    before = content(env)
    for some in ([labels[0]], labels, SHAPES["random"](generator, 100) + labels[-1:]):
        with pytest.raises(LedgerFailed, match="stands in an epoch twice"):
            insert(env, store, some)
        assert content(env) == before


@pytest.mark.parametrize("label", [b"", bytes(31), bytes(33)])
def test_what_is_no_label(label: bytes, env: lmdb.Environment, worked: Worked) -> None:
    with pytest.raises(LedgerFailed, match=f"^{len(label)} bytes are no label"):
        insert(env, LabelStore(env, worked), [bytes(32), label])


def test_opened_again_and_read_only(tmp_path: Path, worked: Worked) -> None:
    generator = seeded("again")
    labels = SHAPES["random"](generator, 1000)
    path = tmp_path / "state"
    opened(path).close()
    with opened(path, readonly=True) as env, pytest.raises(LedgerFailed, match="cannot be opened"):
        LabelStore(env, worked)
    for low in range(0, 1000, 250):
        with opened(path) as env:
            root = insert(env, LabelStore(env, worked), labels[low : low + 250], low)
    with opened(path, readonly=True) as env:
        store = LabelStore(env, worked)
        txn = env.begin()
        assert store.root(txn, 7) == root == definition(labels)
        verify_present(labels[3], store.prove(txn, 7, labels[3]), root)
        assert store.index(txn, 7, labels[999]) == 999


def test_another_process_sees_the_last_commit(env: lmdb.Environment, worked: Worked) -> None:
    """One that reads all the while: each line that it is sent asks for the root."""
    program = (
        "import lmdb, sys\nfrom seenby.stores.labels import LabelStore\n"
        "env = lmdb.open(sys.argv[1], map_size=1 << 30, max_dbs=2, readonly=True)\nstore = LabelStore(env)\n"
        "for line in sys.stdin:\n    with env.begin() as txn:\n        print(store.root(txn, 7).hex(), flush=True)\n"
    )
    labels = SHAPES["random"](seeded("process"), 300)
    store = LabelStore(env, worked)
    command = [sys.executable, "-c", program, env.path()]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as reader:
        assert reader.stdin is not None
        assert reader.stdout is not None

        def seen() -> str:
            assert reader.stdin is not None
            assert reader.stdout is not None
            reader.stdin.write("\n")
            return reader.stdout.readline().strip()

        assert seen() == EMPTY.hex()
        for low in range(0, 300, 100):
            before = seen()
            with env.begin(write=True) as txn:
                root = store.insert(txn, 7, [(label, 0) for label in labels[low : low + 100]])
                assert seen() == before
            assert seen() == root.hex()
        reader.stdin.close()
    assert reader.returncode == 0


def damaged(env: lmdb.Environment, generator: random.Random) -> Iterator[tuple[str, bytes, bytes | None]]:
    """What, key, value that the page at this key has instead."""
    pages = content(env)
    for at, (key, value) in enumerate(pages):
        bit = generator.randrange(8 * len(value))
        yield "flip", key, (int.from_bytes(value, "big") ^ 1 << bit).to_bytes(len(value), "big")
        yield "cut", key, value[: generator.randrange(len(value))]
        yield "longer", key, value + b"\0"
        yield "another page", key, pages[at - 1][1]
        if len(key) > 4:
            yield "missing", key, None


@pytest.mark.parametrize("shape", ["random", "one prefix"])
def test_damage_is_noticed_before_it_is_sealed(shape: str, env: lmdb.Environment, worked: Worked) -> None:
    """Whatever is wrong with a page: who goes through it is refused, reading or writing."""
    generator = seeded(("damage", shape))
    labels = SHAPES[shape](generator, 200)
    store = LabelStore(env, worked)
    insert(env, store, labels[:-1])
    db, count = env.open_db(b"labels", create=False), 0
    for what, key, value in damaged(env, generator):
        with env.begin(write=True) as txn:
            if value is None:
                txn.delete(key, db=db)
            else:
                txn.put(key, value, db=db)
            depth = key[4] if len(key) > 4 else 0
            bits = int.from_bytes(key[5:].ljust(32, b"\0"), "big") >> (256 - depth)
            through = next(label for label in labels[:-1] if int.from_bytes(label, "big") >> (256 - depth) == bits)
            beside = (int.from_bytes(through, "big") ^ 1).to_bytes(32, "big")
            for step in (
                lambda: store.prove(txn, 7, through),  # noqa: B023 (called here)
                lambda: store.index(txn, 7, through),  # noqa: B023
                lambda: store.insert(txn, 7, [(beside, 1)]),  # noqa: B023
            ):
                with pytest.raises(LedgerFailed, match="label tree is damaged") as caught:
                    step()
                assert "made again from the journal" in (caught.value.hint or ""), what
                count += 1
            txn.abort()
    assert count > 20


def test_pages_that_nobody_wrote_never_end_in_a_traceback(env: lmdb.Environment, worked: Worked) -> None:
    """Their sums are right. What they lead to may be wrong, as with the hashes of an older page; most is noticed."""
    generator = seeded("hostile")
    labels = SHAPES["random"](generator, 1_500)
    store = LabelStore(env, worked)
    insert(env, store, labels[:-1])
    db, told = env.open_db(b"labels", create=False), list[str]()
    pages = [(key, value) for key, value in content(env) if len(key) > 4]
    for _ in range(300):
        key, value = generator.choice(pages)
        page = bytearray(value[:-4])
        for _ in range(generator.randrange(1, 4)):
            match generator.randrange(3):
                case 0:
                    page[generator.randrange(2 << stride_at(key[4]))] = generator.choice([0, 1, 2, 3, 4, 8, 254, 255])
                case 1:
                    page = page[: generator.randrange(len(page))] or bytearray(1)
                    break
                case 2:
                    page[: 1 << stride_at(key[4])] = bytes((generator.randrange(256),)) * (1 << stride_at(key[4]))
        through = next(label for label in labels[:-1] if key[4] == 0 or label[0] == key[5])
        beside = (int.from_bytes(through, "big") ^ 1).to_bytes(32, "big")
        with env.begin(write=True) as txn:
            txn.put(key, bytes(page) + page_sum(key, page), db=db)
            for step in (
                lambda: store.prove(txn, 7, through),  # noqa: B023 (called here)
                lambda: store.index(txn, 7, through),  # noqa: B023
                lambda: store.insert(txn, 7, [(beside, 1)]),  # noqa: B023
            ):
                try:
                    step()
                except LedgerFailed as error:
                    told.append(str(error))
            txn.abort()
    assert len(told) > 300
    assert all("label tree is damaged" in words or "twice" in words for words in told)


def test_a_page_of_an_older_time_is_noticed_by_its_proof(env: lmdb.Environment, worked: Worked) -> None:
    """Its sum is right; the hashes are not."""
    labels = SHAPES["random"](seeded("older"), 2000)
    store = LabelStore(env, worked)
    insert(env, store, labels[:1000])
    old = dict(content(env))
    insert(env, store, labels[1000:])
    key = next(key for key, value in content(env) if len(key) == 6 and old.get(key, value) != value)
    with env.begin(write=True) as txn:
        txn.put(key, old[key], db=env.open_db(b"labels", txn, create=False))
    label = next(label for label in labels[:1000] if label[0] == key[5])
    with env.begin() as txn, pytest.raises(LedgerFailed, match="label tree is damaged: the label proof does not lead"):
        store.prove(txn, 7, label)


def test_memory_is_that_of_the_batch(env: lmdb.Environment, worked: Worked) -> None:
    """The tree is 4 MB on disk; what a small batch needs does not tell."""
    generator = seeded("memory")
    store = LabelStore(env, worked)
    insert(env, store, SHAPES["random"](generator, 25_000))
    labels = SHAPES["random"](generator, 50)
    tracemalloc.start()
    try:
        root = insert(env, store, labels, 25_000)
        assert tracemalloc.get_traced_memory()[1] < 1_500_000
    finally:
        tracemalloc.stop()
    with env.begin() as txn:
        assert store.root(txn, 7) == root

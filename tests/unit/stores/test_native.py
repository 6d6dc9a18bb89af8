"""The native half of the ledger's work: to the byte what Python does, and an exception for what is odd."""

from __future__ import annotations

import json
import os
import random
import struct
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import lmdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seenby.errors import LedgerFailed
from seenby.stores import native as module
from seenby.stores.label_pages import CHILD, page_sum, stride_at
from seenby.stores.labels import LabelStore
from seenby.stores.native import PYTHON, Worked
from seenby_verify.errors import VerificationError
from seenby_verify.tlog.records import BLOCK_BYTES, HOLE, PART_RANDOM, RECORD_RANDOM
from tests.fixtures.labels import SHAPES

VECTOR: dict[str, Any] = json.loads((Path(__file__).parents[1] / "tlog/vectors/records.json").read_text())
REGIONS = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=32)
EPOCHS = st.integers(0, 2**32 - 1)


def value(name: str) -> bytes:
    return bytes.fromhex(VECTOR[name])


def test_golden_vectors(worked: Worked) -> None:
    """docs/formats/records.md's, made without our code."""
    person = worked.person(value("person_key"), 1, "eu", 202611)
    assert (person.pseudonym, person.label(VECTOR["n"])) == (value("pseudonym"), value("label"))
    random_bytes = value("part_opening") + value("part_nonce")
    (entry,), written = worked.name_people(
        202611, [person], [VECTOR["n"]], [value("part")], value("query_key"), random_bytes
    )
    sealed = value("sealed_part")
    assert entry == b"\x01\x21" + (202611).to_bytes(4, "big") + value("label") + value("part_commit") + value(
        "part_digest"
    )
    framed = len(entry).to_bytes(2, "big") + entry + (16 + len(sealed)).to_bytes(4, "big")
    assert written == framed + value("pseudonym") + sealed
    record = value("record").removesuffix(value("withheld_commit").hex().encode() + b'"}')
    assert record.endswith(HOLE)
    names = ("query_key", "withheld_key", "opening", "withheld_opening", "wrap_nonce")
    random_bytes = b"".join(map(value, names))
    for key, block, expected, digest in (
        ("epoch_key", b"", "sealed_record", "record_digest"),
        ("block_key", value("block"), "sealed_for_auditors", "for_auditors_digest"),
    ):
        sealer = worked.record_sealer(value(key), "eu", 202611, block)
        entry, written = sealer.entry(0x20, b"tail", b"private", record, value("withheld"), random_bytes)
        assert entry == b"\x01\x20" + (202611).to_bytes(4, "big") + value("record_commit") + value(digest) + b"tail"
        lengths = len(entry).to_bytes(2, "big"), (7 + len(value(expected))).to_bytes(4, "big")
        assert written == lengths[0] + entry + lengths[1] + b"private" + value(expected)


@given(st.binary(min_size=32, max_size=32), st.integers(0, 255), REGIONS, EPOCHS, st.integers(0, 2**64 - 1))
def test_labels_and_pseudonyms(native: Worked, key: bytes, version: int, region: str, epoch: int, n: int) -> None:
    mine, theirs = (one.person(key, version, region, epoch) for one in (native, PYTHON))
    assert (mine.pseudonym, mine.label(n)) == (theirs.pseudonym, theirs.label(n))


@given(
    st.lists(
        st.tuples(
            st.binary(min_size=32, max_size=32), st.integers(1, 9), st.integers(0, 2**40), st.binary(max_size=400)
        ),
        max_size=9,
    ),
    REGIONS,
    EPOCHS,
)
def test_person_entries(native: Worked, named: list[tuple[bytes, int, int, bytes]], region: str, epoch: int) -> None:
    query_key, fresh = os.urandom(32), os.urandom(PART_RANDOM * len(named))
    found = []
    for one in (native, PYTHON):
        people = [one.person(key, version, region, epoch) for key, version, _, _ in named]
        numbers, parts = [n for _, _, n, _ in named], [part for _, _, _, part in named]
        found.append(one.name_people(epoch, people, numbers, parts, query_key, fresh))
    assert found[0] == found[1]


@given(
    st.tuples(st.integers(0, 255), *(st.binary(max_size=size) for size in (9, 300, 2000, 2000))),
    REGIONS,
    EPOCHS,
    st.booleans(),
)
def test_records(
    native: Worked, given: tuple[int, bytes, bytes, bytes, bytes], region: str, epoch: int, block: bool
) -> None:
    key, fresh, wrapped = os.urandom(32), os.urandom(RECORD_RANDOM), os.urandom(BLOCK_BYTES) if block else b""
    mine, theirs = (one.record_sealer(key, region, epoch, wrapped).entry(*given, fresh) for one in (native, PYTHON))
    assert mine == theirs


@given(st.lists(st.binary(max_size=300), max_size=20), st.integers(0, 4), st.integers(0, 3))
def test_leaves_and_what_is_above(native: Worked, entries: list[bytes], levels: int, nodes: int) -> None:
    assert native.leaves(entries) == PYTHON.leaves(entries)
    hashes = os.urandom(32 * nodes << levels)
    assert native.above(hashes, levels) == PYTHON.above(hashes, levels)


@pytest.mark.parametrize("shape", SHAPES)
def test_pages(shape: str, native: Worked, tmp_path: Path) -> None:
    """One begins, the other goes on: the same bytes in the end, whoever did which part."""
    generator = random.Random(f"{os.environ['SEENBY_SEED']} native {shape}")
    labels = SHAPES[shape](generator, 600)
    found: list[list[tuple[bytes, bytes]]] = []
    for turns in ((native, PYTHON), (PYTHON, native), (PYTHON, PYTHON)):
        path = tmp_path / str(len(found))
        with lmdb.open(str(path), map_size=1 << 28, max_dbs=2, sync=False) as env:
            stores = [LabelStore(env, one) for one in turns]
            for at in range(0, len(labels), 60):
                with env.begin(write=True) as txn:
                    stores[at // 60 % 2].insert(txn, 7, [(label, at) for label in labels[at : at + 60]])
            with env.begin(env.open_db(b"labels", create=False)) as txn:
                found.append(list(txn.cursor()))
    assert found[0] == found[1] == found[2]


def test_what_does_not_fit_together_is_refused(worked: Worked) -> None:
    """By an exception that ``Ledger.submit`` knows what to do with: nothing is shown. Whoever does the work."""
    odd = (ValueError, OverflowError, VerificationError, struct.error)
    person = worked.person(bytes(32), 1, "eu", 202611)
    for people, numbers, parts, key, fresh in (
        ([person], [], [b""], bytes(32), bytes(44)),
        ([person], [0], [], bytes(32), bytes(44)),
        ([person], [0], [b""], bytes(31), bytes(44)),
        ([person], [0], [b""], bytes(32), bytes(43)),
        ([person], [0], [b""], bytes(32), bytes(88)),
        ([], [], [], bytes(32), bytes(1)),
        ([], [], [], bytes(33), b""),
        ([person], [-1], [b""], bytes(32), bytes(44)),
        ([person], [2**64], [b""], bytes(32), bytes(44)),
    ):
        with pytest.raises(odd):
            worked.name_people(202611, people, numbers, parts, key, fresh)
    for size in (0, 16, 31, 33, 64, 65):
        with pytest.raises(odd, match="a person key has 32 bytes"):
            worked.person(bytes(size), 1, "eu", 202611)
        with pytest.raises(odd, match="a key has 32 bytes"):
            worked.record_sealer(bytes(size), "eu", 202611, b"")
    for version in (-1, 256):
        with pytest.raises(odd):
            worked.person(bytes(32), version, "eu", 202611)
    for region, epoch in (("e" * 256, 1), ("île", 1), ("\ud800", 1), ("eu", -1), ("eu", 2**32)):
        with pytest.raises(odd):
            worked.person(bytes(32), 1, region, epoch)
        with pytest.raises(odd):
            worked.record_sealer(bytes(32), region, epoch, b"")
    for size in (1, 79, 81):
        with pytest.raises(odd, match="80 bytes"):
            worked.record_sealer(bytes(32), "eu", 202611, bytes(size))
    sealer = worked.record_sealer(bytes(32), "eu", 202611, b"")
    for size in (0, 128, 139, 141, 172):
        with pytest.raises(odd, match="140 random bytes"):
            sealer.entry(0x20, b"", b"", b"", b"", bytes(size))
    for kind, tail in ((256, b""), (-1, b""), (0x20, bytes(65_536 - 70))):
        with pytest.raises(odd):
            sealer.entry(kind, tail, b"", b"", b"", bytes(140))
    assert len(sealer.entry(0x20, bytes(65_535 - 70), b"", b"", b"", bytes(140))[0]) == 65_535
    with pytest.raises(odd):
        worked.leaves([bytes(65_536)])


def test_no_nodes_above_what_is_no_whole_subtree(native: Worked) -> None:
    for size, levels in ((33, 0), (32, 1), (96, 1), (64, 60), (64, 2**32 - 1)):
        with pytest.raises(ValueError, match="no whole subtrees"):
            native.above(bytes(size), levels)


class Pages(dict[bytes, bytes]):
    """What ``insert`` uses of a transaction, in memory: anybody can change a page."""

    def get(self, key: bytes, default: object = None, db: object = None) -> Any:
        return super().get(key)

    def cursor(self, db: object) -> Pages:
        return self

    def putmulti(self, pages: list[tuple[bytes, bytes]]) -> None:
        self.update(pages)


def test_pages_that_go_on_below_the_last_bit_are_refused(worked: Worked) -> None:
    """Whoever can write the state can make a page of its own of each slot, with right sums, as deep as keys can say."""
    pages: Any = Pages()
    record = bytes(range(40))
    worked.insert_labels(pages, pages, 7, True, [record])
    for depth in (0, 8, *range(16, 324, 4)):
        width, at = 1 << stride_at(depth), depth >> 3
        key = (7).to_bytes(4, "big") + bytes((depth & 255,)) + record[:at]
        key += bytes((record[at] & 0xF0,)) if depth & 4 else b""
        page = bytes((CHILD,)) * width + bytes(width) + bytes(64 * width - 64)
        pages[key] = page + page_sum(key, page)
    with pytest.raises(LedgerFailed, match="a page is not what was written"):
        worked.insert_labels(pages, pages, 7, False, [record])


@settings(max_examples=600)
@given(st.data())
def test_no_page_is_so_odd_that_it_ends_the_process(native: Worked, data: st.DataObject) -> None:
    """A page whose sum is right and whose content is not: whoever can write the state can write such a one."""
    stored = Pages()
    generator = random.Random(data.draw(st.integers()))
    labels = SHAPES[data.draw(st.sampled_from(list(SHAPES)))](generator, 80)
    numbered = [label + bytes(8) for label in labels]
    pages: Any = stored
    native.insert_labels(pages, pages, 7, True, numbered[:40])
    key = data.draw(st.sampled_from(sorted(stored)))
    page = bytearray(stored[key][:-4])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, min(len(page), data.draw(st.sampled_from([16, 32, 256, 600]))) - 1))
        page[at] = data.draw(st.sampled_from([0, 1, 2, 3, 4, 5, 8, 9, 66, 68, 72, 254, 255]))
    page = page[: data.draw(st.sampled_from([len(page)] * 5 + list(range(0, len(page), 40))))]
    stored[key] = bytes(page) + page_sum(key, page)
    with suppress(LedgerFailed):
        assert len(native.insert_labels(pages, pages, 7, False, numbered[40:])) == 32


def test_another_version_of_it_is_left_alone(native: Worked, monkeypatch: pytest.MonkeyPatch) -> None:
    import seenby_native

    monkeypatch.setattr(seenby_native, "INTERFACE", module.INTERFACE + 1)
    assert module._native() is None
    monkeypatch.delattr(seenby_native, "INTERFACE")
    assert module._native() is None
    monkeypatch.undo()
    assert module._native() is not None


def test_which_it_is(native: Worked) -> None:
    """As it is said to the operator, in a process of its own."""
    asked = "from seenby.stores.native import described; print(described())"
    other = "import seenby_native; seenby_native.INTERFACE += 1\n"
    for program, wish, expected in (
        (asked, "", "native"),
        (asked, "0", "Python (SEENBY_NATIVE=0)"),
        (
            other + asked,
            "",
            "Python (seenby-native is of another version: install the one that comes with this Seenby)",
        ),
    ):
        done = subprocess.run(
            [sys.executable, "-c", program], env=os.environ | {"SEENBY_NATIVE": wish}, capture_output=True, text=True,
            check=True,
        )  # fmt: skip
        assert done.stdout.strip() == expected


def test_where_it_is_not_installed() -> None:
    program = (
        "import sys\nsys.modules['seenby_native'] = None\n"
        "from seenby.stores.native import HERE, PYTHON\nprint(HERE is PYTHON)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"

"""Somebody else's implementation of the C2SP formats accepts our log, and refuses it when it is changed."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from seenby_verify.tlog.checkpoint import VerifierKey, parse_checkpoint
from seenby_verify.tlog.entries import encode
from tests.fixtures.ledgers import STARTED, VERIFIER, publish, query

tlog: Any = pytest.importorskip("aics_tlog", reason="aics-tlog, the other implementation, needs Python 3.12")

ENTRIES = [encode(entry) for entry in [STARTED, *query(3), *query(700, 1)]]
OLD = 300


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("log") / "public"
    publish(ENTRIES, directory, checkpoints={OLD})
    return directory


def accepts(log: Path, key: VerifierKey) -> bool:
    note = tlog.parse_note((log / "checkpoint").read_text())
    if not tlog.verify_checkpoint(note, tlog.parse_vkey(str(key))).ok:
        return False
    checkpoint = parse_checkpoint((log / "checkpoint").read_bytes().partition(b"\n\n")[0] + b"\n")
    size, root = checkpoint.size, checkpoint.root
    reader = tlog.FileSystemTileReader(log)
    old_root = tlog.tree_root_from_tiles(reader, OLD, size)
    proof = tlog.consistency_proof_from_tiles(reader, OLD, size)
    return tlog.verify_consistency(OLD, size, old_root, root, proof) and all(
        tlog.verify_leaf_inclusion(
            tlog.read_entry(reader, index, size),
            index,
            size,
            tlog.inclusion_proof_from_tiles(reader, index, size),
            root,
        )
        for index in range(0, size, 7)
    )


def test_the_log_is_accepted(log: Path) -> None:
    assert accepts(log, VERIFIER)
    reader = tlog.FileSystemTileReader(log)
    assert [tlog.read_entry(reader, index, len(ENTRIES)) for index in range(len(ENTRIES))] == ENTRIES


def test_its_tiles_are_byte_for_byte_ours(log: Path) -> None:
    theirs: dict[str, bytes] = tlog.tiles.materialise_tiles(ENTRIES)
    assert {path: (log / path).read_bytes() for path in theirs} == theirs


def test_a_changed_log_is_refused(log: Path, tmp_path: Path) -> None:
    for path in ("checkpoint", "tile/0/001", "tile/1/000.p/2"):
        copy = tmp_path / path.replace("/", "_")
        shutil.copytree(log, copy)
        data = bytearray((copy / path).read_bytes())
        data[20] ^= 1
        (copy / path).write_bytes(data)
        assert not accepts(copy, VERIFIER)
    assert not accepts(log, VerifierKey(VERIFIER.name, bytes(31) + b"\x09"))

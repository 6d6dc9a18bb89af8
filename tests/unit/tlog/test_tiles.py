"""C2SP tlog-tiles: names, which tiles a tree has, bundles, and proofs out of tiles."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seenby.errors import VerificationError
from seenby.stores.records import public_reader
from seenby_verify.tlog.entries import encode
from seenby_verify.tlog.tiles import ENTRIES, Tile, TileReader, decode_bundle, encode_bundle, tiles_of
from seenby_verify.tlog.tree import inclusion_proof, leaf_hash, root_of, tree_root, verify_inclusion
from tests.fixtures.ledgers import STARTED, publish, query


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 0), "tile/0/000"),
        (Tile(0, 1234067), "tile/0/x001/x234/067"),
        (Tile(3, 999), "tile/3/999"),
        (Tile(1, 1000, 17), "tile/1/x001/000.p/17"),
        (Tile(ENTRIES, 255, 255), "tile/entries/255.p/255"),
        (Tile(63, 5, 1), "tile/63/005.p/1"),
    ],
)
def test_names(tile: Tile, path: str) -> None:
    assert tile.path == path
    assert Tile.parse(path) == tile


@pytest.mark.parametrize(
    "path",
    [
        "tile/00/000",
        "tile/64/000",
        "tile/0/0",
        "tile/0/x000/001",
        "tile/0/001/002",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000.p",
        "tile/entries/000.tmp",
        "tile/-1/000",
        "tile/0/٠٠٠",
        "/tile/0/000",
        "tile/0/000\n",
        "checkpoint",
        "",
    ],
)
def test_other_spellings_name_no_tile(path: str) -> None:
    assert Tile.parse(path) is None


@given(st.builds(Tile, st.integers(-1, 63), st.integers(0, 10**12), st.integers(1, 256)))
def test_names_round_trip(tile: Tile) -> None:
    assert Tile.parse(tile.path) == tile


def test_the_tree_of_70_000_of_the_specification() -> None:
    tiles = list(tiles_of(70_000))
    by_level = {level: [tile for tile in tiles if tile.level == level] for level in (ENTRIES, 0, 1, 2)}
    assert len(by_level[0]) == 274
    assert by_level[0][-1] == Tile(0, 273, 112)
    assert by_level[1] == [Tile(1, 0), Tile(1, 1, 17)]
    assert by_level[2] == [Tile(2, 0, 1)]
    assert [(tile.index, tile.width) for tile in by_level[ENTRIES]] == [
        (tile.index, tile.width) for tile in by_level[0]
    ]
    assert list(tiles_of(256)) == [Tile(ENTRIES, 0), Tile(0, 0), Tile(1, 0, 1)]
    assert list(tiles_of(0)) == []


def test_bundles() -> None:
    entries = [b"", b"a", b"b" * 65_535]
    data = encode_bundle(entries)
    assert data[:5] == b"\x00\x00\x00\x01a"
    assert decode_bundle(data, 3, 0, "p") == entries
    for wrong, count in ((data[:-1], 3), (data + b"\x00", 3), (data, 4), (data, 2), (data[:1], 1)):
        with pytest.raises(VerificationError, match=r"^p: "):
            decode_bundle(wrong, count, 0, "p")


def test_proofs_out_of_tiles(tmp_path: Path) -> None:
    entries = [encode(entry) for entry in [STARTED, *query(700)]]
    publish(entries, tmp_path / "log")
    leaves = [leaf_hash(entry) for entry in entries]
    tiles = TileReader(public_reader(tmp_path / "log"), len(entries))
    root = root_of(leaves)
    assert tree_root(tiles.node, len(entries)) == root
    for index in (0, 1, 255, 256, 511, 512, 700, 701):
        assert tiles.entry(index) == entries[index]
        verify_inclusion(leaves[index], index, len(entries), inclusion_proof(tiles.node, index, len(entries)), root)
    with pytest.raises(VerificationError):
        tiles.node(0, len(entries))
    with pytest.raises(VerificationError):
        tiles.entry(len(entries))


def test_a_partial_tile_that_was_deleted_is_read_from_the_full_one(tmp_path: Path) -> None:
    entries = [encode(entry) for entry in [STARTED, *query(511)]]
    publish(entries, tmp_path / "log", checkpoints={300})
    assert not (tmp_path / "log" / Tile(0, 1, 44).path).exists()
    tiles = TileReader(public_reader(tmp_path / "log"), 300)
    assert tree_root(tiles.node, 300) == root_of(leaf_hash(entry) for entry in entries[:300])
    assert tiles.entry(299) == entries[299]

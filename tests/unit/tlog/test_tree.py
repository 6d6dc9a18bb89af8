"""RFC 6962, section 2.1: known answers, and proofs against the definition taken literally."""

from __future__ import annotations

import hashlib
import os

import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from seenby.errors import VerificationError
from seenby_verify.tlog.tree import (
    EMPTY_ROOT,
    Frontier,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root_of,
    tree_root,
    verify_consistency,
    verify_inclusion,
)

SEED = int(os.environ["SEENBY_SEED"])

# The inputs and roots that Certificate Transparency's implementations test with.
INPUTS = [
    bytes.fromhex(data)
    for data in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
LEAVES = [leaf_hash(str(n).encode()) for n in range(70)]


def mth(leaves: list[bytes]) -> bytes:
    """RFC 6962, 2.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + mth(leaves[:k]) + mth(leaves[k:])).digest()


def read(level: int, index: int) -> bytes:
    return mth(LEAVES[index << level : (index + 1) << level])


@pytest.mark.parametrize("size", range(9))
def test_known_roots(size: int) -> None:
    assert root_of(leaf_hash(data) for data in INPUTS[:size]).hex() == ROOTS[size]


def test_known_inclusion_proof() -> None:
    leaves = [leaf_hash(data) for data in INPUTS]
    proof = inclusion_proof(lambda level, index: mth(leaves[index << level : (index + 1) << level]), 5, 8)
    assert [step.hex() for step in proof] == [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]


def test_the_frontier_has_the_root_at_every_size() -> None:
    frontier = Frontier()
    assert frontier.root() == EMPTY_ROOT
    for size, leaf in enumerate(LEAVES, 1):
        frontier.append(leaf)
        assert (frontier.size, frontier.root()) == (size, mth(LEAVES[:size]))
        assert tree_root(read, size) == mth(LEAVES[:size])


def test_every_inclusion_proof_up_to_size_40() -> None:
    for size in range(1, 41):
        root = mth(LEAVES[:size])
        for index in range(size):
            proof = inclusion_proof(read, index, size)
            verify_inclusion(LEAVES[index], index, size, proof, root)


def test_every_consistency_proof_up_to_size_40() -> None:
    for new in range(41):
        for old in range(new + 1):
            verify_consistency(old, new, mth(LEAVES[:old]), mth(LEAVES[:new]), consistency_proof(read, old, new))


@seed(SEED)
@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_wrong_inclusion_proof_fails(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 70))
    index = data.draw(st.integers(0, size - 1))
    root = mth(LEAVES[:size])
    proof = inclusion_proof(read, index, size)
    wrong: list[tuple[bytes, int, int, list[bytes], bytes]] = [
        (LEAVES[index], index, size, [*proof, bytes(32)], root),
        (LEAVES[index], index, size, proof, bytes(32)),
        (bytes(32), index, size, proof, root),
        (LEAVES[index], size, size, proof, root),
    ]
    if proof:
        at = data.draw(st.integers(0, len(proof) - 1))
        wrong += [
            (LEAVES[index], index, size, proof[:at] + proof[at + 1 :], root),
            (LEAVES[index], index, size, [*proof[:at], bytes(32), *proof[at + 1 :]], root),
            (LEAVES[index], index ^ 1, size, proof, root),
        ]
    for arguments in wrong:
        with pytest.raises(VerificationError):
            verify_inclusion(*arguments)


@seed(SEED)
@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_wrong_consistency_proof_fails(data: st.DataObject) -> None:
    new = data.draw(st.integers(2, 70))
    old = data.draw(st.integers(1, new - 1))
    before, after = mth(LEAVES[:old]), mth(LEAVES[:new])
    proof = consistency_proof(read, old, new)
    at = data.draw(st.integers(0, len(proof) - 1))
    other = bytes(32)
    for arguments in (
        (old, new, before, after, [*proof, other]),
        (old, new, before, after, proof[:at] + proof[at + 1 :]),
        (old, new, before, after, [*proof[:at], other, *proof[at + 1 :]]),
        (old, new, other, after, proof),
        (old, new, before, other, proof),
        (new, old, after, before, proof),
        (old, old, before, other, []),
        (0, new, other, after, []),
    ):
        with pytest.raises(VerificationError):
            verify_consistency(*arguments)

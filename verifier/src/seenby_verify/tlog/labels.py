"""The label tree of an epoch: hashes, proofs, and a tree in memory for who replays a log (docs/formats/seals.md).

A binary prefix tree without nodes of one child. Three labels that begin with the bits 00, 01 and 1::

    03 00 ── 03 01 ── 02 00...
      │        └───── 02 01...
      └────── 02 1...
"""

from __future__ import annotations

import base64
import hashlib
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from seenby_verify.errors import VerificationError
from seenby_verify.tlog.strict import decode_base64

EMPTY: Final = bytes(32)
"""The root over no labels."""
NODE_PREFIX: Final = tuple(bytes((3, bit)) for bit in range(256))
"""What is hashed before the two children of a node that splits at this bit."""


def leaf_hash(label: bytes) -> bytes:
    return hashlib.sha256(b"\x02" + label).digest()


def node_hash(bit: int, left: bytes, right: bytes) -> bytes:
    """``left`` is over the labels that have 0 at ``bit`` (0 to 255), ``right`` over those with 1."""
    return hashlib.sha256(NODE_PREFIX[bit] + left + right).digest()


def bit_of(label: bytes, bit: int) -> int:
    """Bit 0 is the highest of the first byte."""
    return label[bit >> 3] >> (~bit & 7) & 1


def first_difference(one: bytes, other: bytes) -> int:
    """The first bit in which two labels differ; 256 if they are the same."""
    return 256 - (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).bit_length()


@dataclass(frozen=True, slots=True)
class LabelProof:
    """Where the path of a label ends: the leaf there, and (bit, hash of the other child) from the leaf up."""

    leaf: bytes | None
    steps: tuple[tuple[int, bytes], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """``{"leaf": base64 or null, "steps": [[17, base64], ...]}``."""
        leaf = None if self.leaf is None else _base64(self.leaf)
        return {"leaf": leaf, "steps": [[bit, _base64(value)] for bit, value in self.steps]}

    @classmethod
    def from_json(cls, value: object) -> LabelProof:
        """The inverse; raises VerificationError for everything that ``to_json`` does not write."""
        if not isinstance(value, dict) or value.keys() != {"leaf", "steps"}:
            raise VerificationError('a label proof has "leaf" and "steps" and nothing else')
        leaf, steps = value["leaf"], value["steps"]
        if not isinstance(steps, list):
            raise VerificationError("the steps of a label proof are not a list")
        read: list[tuple[int, bytes]] = []
        for step in steps:
            if not isinstance(step, list) or len(step) != 2 or type(step[0]) is not int or not 0 <= step[0] <= 255:
                raise VerificationError("a step of a label proof is not a bit and a hash")
            read.append((step[0], _hash(step[1])))
        return cls(None if leaf is None else _hash(leaf), tuple(read))


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


def _hash(value: object) -> bytes:
    """32 bytes in their one base64 form."""
    data = decode_base64(value) if isinstance(value, str) else None
    if data is None or len(data) != 32:
        raise VerificationError("a label proof holds something that is not base64 of 32 bytes")
    return data


def verify_present(label: bytes, proof: LabelProof, root: bytes) -> None:
    """Raises VerificationError unless ``label`` is in the set with this root."""
    _check(label, proof, root)
    if proof.leaf != label:
        raise VerificationError("the label is not in the epoch's set")


def verify_absent(label: bytes, proof: LabelProof, root: bytes) -> None:
    """Raises VerificationError unless ``label`` is not in the set with this root."""
    _check(label, proof, root)
    if proof.leaf == label:
        raise VerificationError("the label is in the epoch's set")


def _check(label: bytes, proof: LabelProof, root: bytes) -> None:
    """Is ``proof.leaf`` where the path of ``label`` ends? The numbers are those of the format's list."""
    leaf = proof.leaf
    if len(label) != 32:
        raise VerificationError(f"{len(label)} bytes are no label")
    if leaf is None:  # 1
        if proof.steps:
            raise VerificationError("the label proof has steps but no leaf")
        if root != EMPTY:
            raise VerificationError("the label proof says that the epoch has no labels, but its root says otherwise")
        return
    if len(leaf) != 32:
        raise VerificationError(f"the leaf of the label proof has {len(leaf)} bytes")
    last, value = 256, leaf_hash(leaf)
    for bit, other in proof.steps:
        if not 0 <= bit < last:  # 2
            raise VerificationError("the bits of the label proof do not fall")
        last = bit
        side = bit_of(label, bit)
        if bit_of(leaf, bit) != side:
            raise VerificationError(f"the label proof leads elsewhere than the label: bit {bit} differs")
        if len(other) != 32:
            raise VerificationError(f"a hash of the label proof has {len(other)} bytes")
        value = node_hash(bit, other, value) if side else node_hash(bit, value, other)  # 3
    if value != root:  # 4
        raise VerificationError("the label proof does not lead to the seal's root")


class LabelTree:
    """The tree over a growing set of labels, in memory: about 110 bytes a label.

    Nodes are numbered from 1. Node n has the edges 2n (left) and 2n + 1 (right); edge 1 leads to the root. An edge
    leads to a node, or to label i as ``~i``, and keeps the hash of what it leads to: so the hashes of a node's children
    lie side by side, as they are hashed.
    """

    __slots__ = ("_bits", "_edges", "_hashes", "_labels")

    def __init__(self, labels: Iterable[bytes] = ()) -> None:
        self._labels = bytearray()  # 32 bytes a label
        self._bits = bytearray(1)  # of a node: the first bit in which its labels differ
        self._edges = array("i", (0, 0))  # 0 leads nowhere: no label yet
        self._hashes = bytearray(64)  # 32 bytes an edge
        self.insert(labels)

    def __len__(self) -> int:
        return len(self._labels) // 32

    def __contains__(self, label: bytes) -> bool:
        return self.prove(label).leaf == label

    def root(self) -> bytes:
        return bytes(self._hashes[32:64])

    def prove(self, label: bytes) -> LabelProof:
        """That ``label`` (32 bytes) is in the set, or that it is not."""
        steps: list[tuple[int, bytes]] = []
        at = self._edges[1]
        while at > 0:
            bit = self._bits[at]
            edge = 2 * at + bit_of(label, bit)
            other = 32 * (edge ^ 1)
            steps.append((bit, bytes(self._hashes[other : other + 32])))
            at = self._edges[edge]
        return LabelProof(bytes(self._labels[32 * ~at : 32 * ~at + 32]) if at else None, tuple(reversed(steps)))

    def insert(self, labels: Iterable[bytes]) -> None:
        """Adds labels of 32 bytes, in any order; the more at once, the cheaper.

        Raises VerificationError for a label that is there already; some of the others are added then.

        Sorted labels lead from left to right through the tree. What lies left of a label's path does not change any
        more, so every node that changes is hashed once: when the walk leaves it.
        """
        stored, bits, edges, hashes = self._labels, self._bits, self._edges, self._hashes
        sha256 = hashlib.sha256
        path: list[int] = []  # edges to the nodes that will change, from the root down
        before = 0
        todo = sorted(labels)
        if odd := set(map(len, todo)) - {32}:
            raise VerificationError(f"{odd.pop()} bytes are no label")
        for label in todo:
            value = int.from_bytes(label, "big")
            shared = 256 - (value ^ before).bit_length()
            before = value
            while path and bits[at := edges[path[-1]]] > shared:
                edge = 32 * path.pop()
                hashes[edge : edge + 32] = sha256(NODE_PREFIX[bits[at]] + hashes[64 * at : 64 * at + 64]).digest()
            edge = 1
            if path:
                at = edges[path[-1]]
                bit = bits[at]
                edge = 2 * at + (label[bit >> 3] >> (~bit & 7) & 1)
            at = edges[edge]
            while at > 0:
                path.append(edge)
                bit = bits[at]
                edge = 2 * at + (label[bit >> 3] >> (~bit & 7) & 1)
                at = edges[edge]
            leaf = sha256(b"\x02" + label).digest()
            number = ~(len(stored) // 32)
            if not at:
                stored += label
                edges[1] = number
                hashes[32:64] = leaf
                continue
            split = 256 - (value ^ int.from_bytes(stored[32 * ~at : 32 * ~at + 32], "big")).bit_length()
            if split == 256:
                self._leave(path)
                raise VerificationError("a label stands in an epoch twice")
            stored += label
            while path and bits[edges[path[-1]]] > split:  # entered for nothing: nothing below it changes
                edge = path.pop()
            node = len(bits)
            bits.append(split)
            other = bytes(hashes[32 * edge : 32 * edge + 32])
            if label[split >> 3] >> (~split & 7) & 1:
                edges.extend((edges[edge], number))
                hashes += other + leaf
            else:
                edges.extend((number, edges[edge]))
                hashes += leaf + other
            edges[edge] = node
            path.append(edge)
        self._leave(path)

    def _leave(self, path: list[int]) -> None:
        """Hashes the nodes that the last label's path still holds."""
        bits, edges, hashes = self._bits, self._edges, self._hashes
        for edge in reversed(path):
            at = edges[edge]
            children = bytes(hashes[64 * at : 64 * at + 64])
            hashes[32 * edge : 32 * edge + 32] = node_hash(bits[at], children[:32], children[32:])

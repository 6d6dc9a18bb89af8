"""The label trees of all epochs in LMDB, for the one writer and for readers in any process (docs/formats/seals.md).

Everything is in the database: there is no cache to load, to write back or to forget. What an aborted transaction did
never was; a read-only transaction of another process sees the last commit. docs/adr/0007 says why it is laid out so.

A tree is cut into pages that fit into one page of LMDB. A page is a small tree like ``seenby_verify.tlog.labels.LabelTree``,
whose edges may also lead to another page::

    epoch u32             -> labels u64 | next page's number u32
    epoch u32 | page u32  -> labels u16 | nodes u16 | bits | edges | hashes | (label[32] | index u64)*
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterable
from hashlib import sha256
from typing import Final

import lmdb

from seenby.errors import LedgerFailed
from seenby_verify.tlog.labels import EMPTY, NODE_PREFIX, LabelProof

CAPACITY: Final = 36
"""Labels and further pages that a page leads to: 4,072 bytes, and LMDB has 4,080 for a value of one page."""
LABEL: Final = 40
_HEAD: Final = struct.Struct(">HH")
_META: Final = struct.Struct(">QI")
_ROOT: Final = 0


class _Page:
    """Nodes are numbered from 1; node n has the edges 2n (bit 0) and 2n + 1; edge 1 leads to the page's first node.

    An edge leads to node n (n > 0), to label i (``~(2 i)``), to page p (``~(2 p + 1)``), or nowhere yet (0). It keeps the
    hash of what it leads to, so that the hashes of a node's children lie side by side, as they are hashed.
    """

    __slots__ = ("bits", "edges", "hashes", "labels", "number", "parent", "parent_edge")

    def __init__(self, number: int, parent: _Page | None, parent_edge: int) -> None:
        self.number = number
        self.parent = parent
        self.parent_edge = parent_edge
        self.bits = bytearray(1)
        self.edges = array("i", (0, 0))
        self.hashes = bytearray(64)
        self.labels = bytearray()

    def read(self, value: bytes | memoryview) -> None:
        labels, nodes = _HEAD.unpack_from(value)
        at = 4 + nodes + 1
        middle = at + 8 * (nodes + 1)
        end = middle + 64 * (nodes + 1)
        if len(value) != end + LABEL * labels:
            raise _damaged()
        self.bits = bytearray(value[4:at])
        self.edges = array("i", bytes(value[at:middle]))
        self.hashes = bytearray(value[middle:end])
        self.labels = bytearray(value[end:])

    def encode(self) -> bytes:
        head = _HEAD.pack(len(self.labels) // LABEL, len(self.bits) - 1)
        return b"".join((head, self.bits, self.edges.tobytes(), self.hashes, self.labels))

    @property
    def leads_to(self) -> int:
        return len(self.bits)


def _damaged() -> LedgerFailed:
    return LedgerFailed(
        "the label tree is damaged", hint="delete the folder state of the ledger: it is made again from the journal"
    )


class LabelStore:
    """Labels by epoch, where each stands in the log, and the hashes over them.

    Uses one named database, ``labels``, of the environment that it is given: open that with ``max_dbs`` of at least one
    more than you need, and with ``readahead=False``. Transactions are the caller's, with ``buffers`` or without.
    """

    def __init__(self, env: lmdb.Environment) -> None:
        """Opens the database, or makes it. Raises LedgerFailed if it is not there and the environment is read-only.

        Must not be called while this thread has a write transaction open.
        """
        try:
            self._db = env.open_db(b"labels", create=not env.flags()["readonly"])
        except lmdb.Error as error:
            raise LedgerFailed(f"there is no label tree: {error}", hint="start the gateway once") from None

    def insert(self, txn: lmdb.Transaction, epoch: int, labels: Iterable[tuple[bytes, int]]) -> bytes:
        """Adds (label of 32 bytes, index of its entry in the log) in any order; answers the root with them.

        Bigger batches are cheaper: a node over several new labels is hashed once. Raises LedgerFailed if a label is
        there already, twice in the batch, or the database is damaged: abort the transaction then.
        """
        todo = sorted(labels)
        if not todo:
            return self.root(txn, epoch)
        return _Insertion(txn, self._db, epoch).run(todo)

    def root(self, txn: lmdb.Transaction, epoch: int) -> bytes:
        """The root of the epoch's tree as of this transaction; 32 zero bytes if it has no labels."""
        page = self._page(txn, epoch, _ROOT)
        return EMPTY if page is None else bytes(page.hashes[32:64])

    def count(self, txn: lmdb.Transaction, epoch: int) -> int:
        """How many labels the epoch has."""
        meta = txn.get(epoch.to_bytes(4, "big"), db=self._db)
        return 0 if meta is None else int(_META.unpack(meta)[0])

    def index(self, txn: lmdb.Transaction, epoch: int, label: bytes) -> int | None:
        """Which entry of the log has this label; None if none has."""
        page = self._page(txn, epoch, _ROOT)
        edge = 1
        while page is not None:
            at = page.edges[edge]
            while at > 0:
                bit = page.bits[at]
                edge = 2 * at + (label[bit >> 3] >> (~bit & 7) & 1)
                at = page.edges[edge]
            number = ~at
            if number & 1:
                page, edge = self._child(txn, epoch, number >> 1), 1
                continue
            start = LABEL * (number >> 1)
            if at == 0 or page.labels[start : start + 32] != label:
                return None
            return int.from_bytes(page.labels[start + 32 : start + LABEL], "big")
        return None

    def prove(self, txn: lmdb.Transaction, epoch: int, label: bytes) -> LabelProof:
        """The proof, under ``root`` of the same transaction, that ``label`` is there, or that it is not."""
        page = self._page(txn, epoch, _ROOT)
        steps: list[tuple[int, bytes]] = []
        edge = 1
        while page is not None:
            at = page.edges[edge]
            while at > 0:
                bit = page.bits[at]
                edge = 2 * at + (label[bit >> 3] >> (~bit & 7) & 1)
                other = 32 * (edge ^ 1)
                steps.append((bit, bytes(page.hashes[other : other + 32])))
                at = page.edges[edge]
            number = ~at
            if number & 1:
                page, edge = self._child(txn, epoch, number >> 1), 1
                continue
            start = LABEL * (number >> 1)
            return LabelProof(bytes(page.labels[start : start + 32]), tuple(reversed(steps)))
        return LabelProof(None)

    def _page(self, txn: lmdb.Transaction, epoch: int, number: int) -> _Page | None:
        value = txn.get(epoch.to_bytes(4, "big") + number.to_bytes(4, "big"), db=self._db)
        if value is None:
            return None
        page = _Page(number, None, 0)
        page.read(value)
        return page

    def _child(self, txn: lmdb.Transaction, epoch: int, number: int) -> _Page:
        page = self._page(txn, epoch, number)
        if page is None:
            raise _damaged()
        return page


class _Insertion:
    """One batch. Sorted labels lead from left to right through the tree: what lies left of a label's path does not
    change any more, so every node that changes is hashed once, and every page written once: when the walk leaves it.
    """

    def __init__(self, txn: lmdb.Transaction, db: object, epoch: int) -> None:
        self._txn = txn
        self._db = db
        self._epoch = epoch.to_bytes(4, "big")
        meta = txn.get(self._epoch, db=db)
        self._count, self._next = (0, 1) if meta is None else _META.unpack(meta)

    def run(self, todo: list[tuple[bytes, int]]) -> bytes:
        root = _Page(_ROOT, None, 0)
        if self._count:
            self._read(root)
        path: list[tuple[_Page, int]] = []  # edges to the nodes that will change, from the root down
        before = 0
        for label, index in todo:
            if len(label) != 32:
                raise LedgerFailed(f"{len(label)} bytes are no label")
            value = int.from_bytes(label, "big")
            shared = 256 - (value ^ before).bit_length()
            before = value
            while path:
                page, edge = path[-1]
                if page.bits[page.edges[edge]] <= shared:
                    break
                path.pop()
                self._leave(page, edge)
            page, edge = root, 1
            if path:
                page, edge = path[-1]
                at = page.edges[edge]
                bit = page.bits[at]
                edge = 2 * at + (label[bit >> 3] >> (~bit & 7) & 1)
            edges = page.edges
            while True:
                at = edges[edge]
                if at > 0:
                    path.append((page, edge))
                    bit = page.bits[at]
                    edge = 2 * at + (label[bit >> 3] >> (~bit & 7) & 1)
                elif ~at & 1:
                    page = _Page(~at >> 1, page, edge)
                    self._read(page)
                    edges, edge = page.edges, 1
                else:
                    break
            leaf = sha256(b"\x02" + label).digest()
            if not at:
                page.labels += label + index.to_bytes(8, "big")
                edges[1] = ~0
                page.hashes[32:64] = leaf
                continue
            start = LABEL * (~at >> 1)
            split = 256 - (value ^ int.from_bytes(page.labels[start : start + 32], "big")).bit_length()
            if split == 256:
                raise LedgerFailed("a label stands in an epoch twice", hint="the journal is not one of Seenby's")
            while path:  # entered for nothing: nothing below the split changes
                above, over = path[-1]
                if above.bits[above.edges[over]] < split:
                    break
                page, edge = path.pop()
            self._add(page, edge, split, label, index, leaf)
            path.append((page, edge))
        while path:
            self._leave(*path.pop())
        if len(root.bits) == 1:  # a single label: there was no node to leave
            self._write(root)
        self._count += len(todo)
        self._txn.put(self._epoch, _META.pack(self._count, self._next), db=self._db)
        return bytes(root.hashes[32:64])

    @staticmethod
    def _add(page: _Page, edge: int, split: int, label: bytes, index: int, leaf: bytes) -> None:
        """A node on ``edge``, between what was there and the new label."""
        edges, hashes = page.edges, page.hashes
        number = ~(len(page.labels) // LABEL << 1)
        page.labels += label + index.to_bytes(8, "big")
        node = len(page.bits)
        page.bits.append(split)
        other = hashes[32 * edge : 32 * edge + 32]
        if label[split >> 3] >> (~split & 7) & 1:
            edges.append(edges[edge])
            edges.append(number)
            hashes += other + leaf
        else:
            edges.append(number)
            edges.append(edges[edge])
            hashes += leaf + other
        edges[edge] = node

    def _leave(self, page: _Page, edge: int) -> None:
        at, hashes = page.edges[edge], page.hashes
        value = sha256(NODE_PREFIX[page.bits[at]] + hashes[64 * at : 64 * at + 64]).digest()
        hashes[32 * edge : 32 * edge + 32] = value
        if edge == 1:
            if page.parent is not None:
                page.parent.hashes[32 * page.parent_edge : 32 * page.parent_edge + 32] = value
            if len(page.bits) > CAPACITY:
                self._divide(page)
            self._write(page)

    def _read(self, page: _Page) -> None:
        value = self._txn.get(self._epoch + page.number.to_bytes(4, "big"), db=self._db)
        if value is None:
            raise _damaged()
        page.read(value)

    def _write(self, page: _Page) -> None:
        self._txn.put(self._epoch + page.number.to_bytes(4, "big"), page.encode(), db=self._db)

    def _divide(self, page: _Page) -> None:
        """Cuts off what does not fit, as pages that are at least half full."""
        sizes: dict[int, int] = {}
        order, stack = [], [page.edges[1]]
        while stack:
            node = stack.pop()
            order.append(node)
            stack += [to for to in (page.edges[2 * node], page.edges[2 * node + 1]) if to > 0]
        for node in reversed(order):  # from the leaves up
            left, right = 2 * node, 2 * node + 1
            while True:
                a = sizes[page.edges[left]] if page.edges[left] > 0 else 1
                b = sizes[page.edges[right]] if page.edges[right] > 0 else 1
                if a + b <= CAPACITY:
                    break
                edge = left if a >= b else right
                cut = _Page(self._next, None, 0)
                self._next += 1
                _copy(page, edge, cut)
                self._write(cut)
                page.edges[edge] = ~(2 * cut.number + 1)
            sizes[node] = a + b
        whole = _Page(page.number, page.parent, page.parent_edge)
        _copy(page, 1, whole)
        page.bits, page.edges, page.hashes, page.labels = whole.bits, whole.edges, whole.hashes, whole.labels


def _copy(page: _Page, edge: int, into: _Page) -> None:
    """What ``edge`` leads to, within its page, becomes the whole of a new page."""
    into.hashes[32:64] = page.hashes[32 * edge : 32 * edge + 32]
    todo = [(edge, 1)]
    while todo:
        old, new = todo.pop()
        to = page.edges[old]
        if to > 0:
            node = len(into.bits)
            into.bits.append(page.bits[to])
            into.edges.append(0)
            into.edges.append(0)
            into.hashes += page.hashes[64 * to : 64 * to + 64]
            into.edges[new] = node
            todo += ((2 * to, 2 * node), (2 * to + 1, 2 * node + 1))
        elif ~to & 1:
            into.edges[new] = to
        else:
            start = LABEL * (~to >> 1)
            into.edges[new] = ~(len(into.labels) // LABEL << 1)
            into.labels += page.labels[start : start + LABEL]

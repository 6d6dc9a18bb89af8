"""Noise is added to counts in rows, text or binary, and to nothing else."""

from __future__ import annotations

from itertools import count

import pytest

from seenby.attribute.noise import noised
from seenby.errors import ProtocolError
from seenby.wire import backend


def row(*cells: bytes | None) -> bytes:
    body = len(cells).to_bytes(2, "big")
    for cell in cells:
        body += b"\xff\xff\xff\xff" if cell is None else len(cell).to_bytes(4, "big") + cell
    return b"D" + (4 + len(body)).to_bytes(4, "big") + body


def cells(data: bytes) -> list[list[bytes | None]]:
    found, at = [], 0
    while at < len(data):
        assert data[at : at + 1] == b"D"
        end = at + 1 + int.from_bytes(data[at + 1 : at + 5], "big")
        found.append(backend.read_values(data[at + 5 : end]))
        at = end
    return found


def test_each_count_gets_noise_of_its_own() -> None:
    rows = row(b"DE", b"120", None) + row(None, b"9", b"1000")
    assert cells(noised(rows, (1, 2), count(5).__next__)) == [[b"DE", b"125", None], [None, b"15", b"1007"]]


def test_binary_and_text_are_told_apart_by_their_first_byte() -> None:
    binary = (12345678).to_bytes(8, "big")
    rows = row(binary, b"12345678", binary)
    assert cells(noised(rows, (0, 1), lambda: -3)) == [[(12345675).to_bytes(8, "big"), b"12345675", binary]]


def test_a_count_may_turn_negative() -> None:
    assert cells(noised(row(b"2", (2).to_bytes(8, "big")), (0, 1), lambda: -5)) == [
        [b"-3", (-3).to_bytes(8, "big", signed=True)]
    ]


@pytest.mark.parametrize("cell", [b"", b"1.5", b"-1", b"x", b"\x00\x01", bytes([1, 0, 0, 0, 0, 0, 0, 0])])
def test_what_is_no_count_ends_the_session(cell: bytes) -> None:
    with pytest.raises(ProtocolError):
        noised(row(cell), (0,), lambda: 1)


def test_so_does_a_column_that_is_not_there() -> None:
    with pytest.raises(ProtocolError):
        noised(row(b"1"), (1,), lambda: 1)

"""The framer: no byte lost, none invented, however the stream is cut; and never more memory than the limit."""

from __future__ import annotations

import itertools
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seenby.errors import ProtocolError
from seenby.wire.framing import Framer, Message
from tests.fixtures.generated import generated

SELECT_1 = b"Q\0\0\0\x0dSELECT 1\0"
SYNC = b"S\0\0\0\x04"


def pack(messages: list[Message]) -> bytes:
    return b"".join(bytes([kind]) + struct.pack(">I", 4 + len(body)) + body for kind, body in messages)


def test_a_whole_message() -> None:
    assert Framer(100).feed(SELECT_1) == [(ord("Q"), b"SELECT 1\0")]


def test_byte_by_byte_a_message_appears_with_its_last_byte() -> None:
    framer = Framer(100)
    got = [framer.feed(SELECT_1[at : at + 1]) for at in range(len(SELECT_1))]
    assert got == [[]] * 13 + [[(ord("Q"), b"SELECT 1\0")]]


def test_trailing_bytes_wait_for_the_rest() -> None:
    framer = Framer(100)
    assert framer.feed(SELECT_1 + SYNC[:3]) == [(ord("Q"), b"SELECT 1\0")]
    assert framer.pending == 3
    assert framer.feed(SYNC[3:] + SYNC) == [(ord("S"), b""), (ord("S"), b"")]
    assert framer.pending == 0


@pytest.mark.parametrize("length", [0, 3, 101, 2**31, 2**32 - 1])
def test_a_length_below_four_or_over_the_limit_ends_it_as_soon_as_it_is_read(length: int) -> None:
    framer = Framer(100)
    with pytest.raises(ProtocolError):
        framer.feed(b"Q" + struct.pack(">I", length))


def test_a_message_at_the_limit_passes() -> None:
    assert Framer(100).feed(pack([(1, b"x" * 96)])) == [(1, b"x" * 96)]


def test_a_declared_length_alone_takes_no_memory() -> None:
    framer = Framer(1 << 30)
    framer.feed(b"Q" + struct.pack(">I", 1 << 30))
    assert framer.pending == 5


@generated(80)
@given(
    st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=40)), max_size=8),
    st.binary(max_size=4),
    st.lists(st.integers(0, 400), max_size=12),
)
def test_any_chunking_gives_the_same_messages(messages: list[Message], tail: bytes, cuts: list[int]) -> None:
    stream = pack(messages) + tail
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    framer = Framer(1000)
    got = [one for a, b in itertools.pairwise(edges) for one in framer.feed(stream[a:b])]
    assert got == messages
    assert framer.pending == len(tail)

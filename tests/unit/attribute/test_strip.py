"""strip_rows against a reference so slow that it is obvious: parse each row, drop the first k values, build it anew."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seenby.attribute.strip import strip_rows
from seenby.errors import ProtocolError
from seenby.wire.backend import read_values
from tests.fixtures.generated import generated

Value = bytes | None
COMPLETE = b"C\0\0\0\x0dSELECT 1\0"


def data_row(values: list[Value]) -> bytes:
    body = struct.pack(">H", len(values))
    body += b"".join(struct.pack(">i", -1) if one is None else struct.pack(">i", len(one)) + one for one in values)
    return b"D" + struct.pack(">I", 4 + len(body)) + body


def strip(data: bytes, count: int, at: int = 0) -> tuple[int, int, list[set[bytes]], bytes]:
    keys = tuple(set[bytes]() for _ in range(count))
    out: list[bytes] = []
    position, rows = strip_rows(data, at, len(data), keys, out)
    return position, rows, list(keys), b"".join(out)


def reference(data: bytes, count: int, at: int = 0) -> tuple[int, int, list[set[bytes]], bytes]:
    keys: list[set[bytes]] = [set() for _ in range(count)]
    out, rows = b"", 0
    while len(data) - at >= 5 and data[at : at + 1] == b"D":
        stop = at + 1 + int.from_bytes(data[at + 1 : at + 5], "big")
        if stop > len(data):
            break
        values = read_values(data[at + 5 : stop])
        for found, value in zip(keys, values[:count], strict=True):
            if value is not None:
                found.add(value)
        out += data_row(values[count:])
        at, rows = stop, rows + 1
    return at, rows, keys, out


def test_one_key_and_a_phone_number() -> None:
    """The bytes of the module's own example."""
    from_postgres = bytes.fromhex("44 00000019 0002 00000002") + b"42" + bytes.fromhex("00000009") + b"+49123456"
    to_client = bytes.fromhex("44 00000013 0001 00000009") + b"+49123456"
    assert strip(from_postgres, 1) == (26, 1, [{b"42"}], to_client)


VALUES = st.none() | st.binary(max_size=12) | st.sampled_from([b"D\0\0\0\x04", b"42", b"", b"\0" * 300])


@st.composite
def streams(draw: st.DrawFn) -> tuple[int, bytes]:
    count = draw(st.integers(0, 4))
    rows = draw(st.lists(st.lists(VALUES, min_size=count, max_size=count + 3), max_size=6))
    data = b"".join(data_row(row) for row in rows) + draw(st.sampled_from([b"", COMPLETE, b"Z\0\0\0\5I"]))
    return count, data


@generated(120)
@given(streams(), st.integers(0, 2000))
def test_the_same_as_the_reference_wherever_the_bytes_are_cut(stream: tuple[int, bytes], cut: int) -> None:
    count, data = stream
    first = data[: min(cut, len(data))]
    assert strip(first, count) == reference(first, count)
    at = strip(first, count)[0]
    assert strip(data, count, at) == reference(data, count, at)


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_a_row_cut_at_every_byte_waits_whole(count: int) -> None:
    row = data_row([b"42", None, b"", b"7", b"\0\1binary\xff"])
    for cut in range(len(row)):
        assert strip(row[:cut], count) == (0, 0, [set()] * count, b"")
        # A row before it is not held up.
        position, rows, _, out = strip(row + row[:cut], count)
        assert (position, rows) == (len(row), 1)
        assert out == data_row([b"42", None, b"", b"7", b"\0\1binary\xff"][count:])


@pytest.mark.parametrize("count", [1, 2, 4])
@pytest.mark.parametrize("tail", [b"", COMPLETE])
@pytest.mark.parametrize(
    "row",
    [
        data_row([]),
        b"D" + struct.pack(">IHi", 10, 1, 2),  # the key would lie behind the row's end
        b"D" + struct.pack(">IHi", 10, 1, 2**31 - 1),
        b"D" + struct.pack(">I", 4),
    ],
)
def test_a_row_without_its_keys_is_refused_and_never_loops(count: int, tail: bytes, row: bytes) -> None:
    with pytest.raises(ProtocolError):
        strip(row + tail, count)


@pytest.mark.parametrize("count", [0, 1, 2])
@pytest.mark.parametrize("columns", [3, 5])
@pytest.mark.parametrize("first", [[], [b"1", b"2", b"3", b"4"]])
def test_a_row_with_other_columns_than_were_asked_for_is_refused(count: int, columns: int, first: list[Value]) -> None:
    """With one column more it could hold a person's key, with one less lack it."""
    data = (data_row(first) if first else b"") + data_row([b"1"] * columns)
    keys = tuple(set[bytes]() for _ in range(count))
    with pytest.raises(ProtocolError):
        strip_rows(data, 0, len(data), keys, [], 4)
    whole = data_row([b"1", None, b"3", b"4"])
    assert strip_rows(whole, 0, len(whole), keys, [], 4) == (len(whole), 1)

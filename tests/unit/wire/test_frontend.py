"""What clients send: read whole, refused when cut short or too long; what we send to Postgres."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seenby.errors import ProtocolError
from seenby.wire import frontend
from seenby.wire.frontend import Bind, Parse
from tests.fixtures.generated import generated

NO_ZERO = st.binary(max_size=12).map(lambda raw: raw.replace(b"\0", b""))
TEXTS = st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), max_size=30)
U16 = st.integers(0, 0xFFFF)


def values(formats: tuple[int, ...], parameters: list[bytes | None]) -> bytes:
    """The middle of a Bind: parameter formats and values."""
    parts = [struct.pack(f">H{len(formats)}HH", len(formats), *formats, len(parameters))]
    for one in parameters:
        parts.append(struct.pack(">i", -1) if one is None else struct.pack(">i", len(one)) + one)
    return b"".join(parts)


def body(message: bytes) -> bytes:
    assert int.from_bytes(message[1:5], "big") == len(message) - 1
    return message[5:]


PARSE = b"st\0select $1\0" + bytes.fromhex("0002 00000017 00000019")
BIND = b"po\0st\0" + values((0, 1, 0), [b"42", b"\0\1", None]) + bytes.fromhex("0001 0001")
READERS: list[tuple[Callable[[bytes], Any], bytes, Any]] = [
    (frontend.text_of, b"select 1\0", "select 1"),
    (frontend.text_of, "sélect 'ü'\0".encode(), "sélect 'ü'"),
    (frontend.text_of, b"\0", ""),
    (frontend.read_parse, PARSE, Parse(b"st", "select $1", (23, 25))),
    (frontend.read_parse, b"\0\0\0\0", Parse(b"", "", ())),
    (
        frontend.read_bind,
        BIND,
        Bind(b"po", b"st", values((0, 1, 0), [b"42", b"\0\1", None]), 3, (1,)),
    ),
    (frontend.read_bind, bytes.fromhex("0000 0000 0000 0000"), Bind(b"", b"", frontend.NO_VALUES, 0, ())),
    (frontend.read_bind, b"\0\0" + values((), [b""]) + b"\0\0", Bind(b"", b"", values((), [b""]), 1, ())),
    (frontend.read_target, b"Sst\0", (b"S", b"st")),
    (frontend.read_target, b"P\0", (b"P", b"")),
    (frontend.read_execute, b"po\0\0\0\0\x05", (b"po", 5)),
    (frontend.read_execute, b"\0\xff\xff\xff\xff", (b"", -1)),
]


@pytest.mark.parametrize(("read", "raw", "meaning"), READERS)
def test_read_whole_cut_short_and_too_long(read: Callable[[bytes], Any], raw: bytes, meaning: Any) -> None:
    assert read(raw) == meaning
    for cut in range(len(raw)):
        with pytest.raises(ProtocolError):
            read(raw[:cut])
    for tail in (b"\0", b"x", b"\0\0\0\0"):
        with pytest.raises(ProtocolError):
            read(raw + tail)


@pytest.mark.parametrize("read", [frontend.text_of, frontend.read_parse, frontend.read_bind, frontend.read_execute])
def test_nothing_at_all_is_refused(read: Callable[[bytes], Any]) -> None:
    with pytest.raises(ProtocolError):
        read(b"")


def test_texts_that_are_not_utf8_or_hide_a_tail_behind_a_zero_are_refused() -> None:
    for raw in (b"select \xff\0", b"select 1\0; drop table x\0"):
        with pytest.raises(ProtocolError):
            frontend.text_of(raw)
    with pytest.raises(ProtocolError):
        frontend.read_parse(b"\0select \xff\0\0\0")


def test_a_target_is_a_statement_or_a_portal() -> None:
    with pytest.raises(ProtocolError):
        frontend.read_target(b"Xname\0")


@pytest.mark.parametrize("formats", [(0, 0), (0, 1, 0, 1)])
def test_as_many_parameter_formats_as_parameters_or_one_or_none(formats: tuple[int, ...]) -> None:
    with pytest.raises(ProtocolError):
        frontend.read_bind(b"\0\0" + values(formats, [b"1", b"2", b"3"]) + b"\0\0")


def test_a_negative_length_is_null_only_when_it_is_minus_one() -> None:
    raw = b"\0\0" + struct.pack(">HHi", 0, 1, -2) + b"\0\0"
    with pytest.raises(ProtocolError):
        frontend.read_bind(raw)


def test_a_length_beyond_the_message_is_refused() -> None:
    raw = b"\0\0" + struct.pack(">HHi", 0, 1, 2**31 - 1) + b"ab\0\0"
    with pytest.raises(ProtocolError):
        frontend.read_bind(raw)


def test_parameters_for_the_record() -> None:
    assert frontend.parameter_texts(frontend.NO_VALUES) == []
    assert frontend.parameter_texts(values((), [b"a", None, b""])) == ["a", None, ""]
    assert frontend.parameter_texts(values((1,), [b"\0\xff", None])) == ["\\x00ff", None]
    assert frontend.parameter_texts(values((0, 1), ["ü".encode(), b"\1"])) == ["ü", "\\x01"]
    assert frontend.parameter_texts(values((), [b"\xff"])) == ["\ufffd"]


@generated(80)
@given(NO_ZERO, TEXTS, st.lists(st.integers(0, 2**32 - 1), max_size=5).map(tuple))
def test_parse_round_trip(name: bytes, text: str, oids: tuple[int, ...]) -> None:
    assert frontend.read_parse(body(frontend.parse(name, text, oids))) == Parse(name, text, oids)


@generated(80)
@given(
    NO_ZERO,
    NO_ZERO,
    st.lists(st.none() | st.binary(max_size=20), max_size=5),
    st.sampled_from(["none", "one", "each"]),
    st.lists(U16, max_size=4).map(tuple),
)
def test_bind_round_trip(
    portal: bytes, statement: bytes, given_values: list[bytes | None], how: str, formats: tuple[int, ...]
) -> None:
    codes = {"none": (), "one": (1,), "each": tuple(index % 2 for index in range(len(given_values)))}[how]
    middle = values(codes, given_values)
    read = frontend.read_bind(body(frontend.bind(portal, statement, middle, formats)))
    assert read == Bind(portal, statement, middle, len(given_values), formats)
    assert len(frontend.parameter_texts(read.values)) == len(given_values)


@generated(50)
@given(st.sampled_from([b"S", b"P"]), NO_ZERO, st.integers(0, 2**31 - 1))
def test_small_messages_round_trip(kind: bytes, name: bytes, limit: int) -> None:
    assert frontend.read_target(body(frontend.describe(kind, name))) == (kind, name)
    assert frontend.read_target(body(frontend.close(kind, name))) == (kind, name)
    assert frontend.read_execute(body(frontend.execute(name, limit))) == (name, limit)


@generated(120)
@given(st.binary(max_size=60))
def test_garbage_is_read_or_refused_and_nothing_else(raw: bytes) -> None:
    for read in (
        frontend.text_of,
        frontend.read_parse,
        frontend.read_target,
        frontend.read_execute,
        lambda data: frontend.parameter_texts(frontend.read_bind(data).values),
        lambda data: frontend.parameter_texts(frontend.read_bind(b"\0\0" + data).values),
    ):
        with contextlib.suppress(ProtocolError):
            read(raw)


def test_sample_bytes() -> None:
    assert frontend.query("SELECT 1") == b"Q\0\0\0\x0dSELECT 1\0"
    assert frontend.sync() == b"S\0\0\0\x04"
    assert frontend.flush() == b"H\0\0\0\x04"
    assert frontend.terminate() == b"X\0\0\0\x04"
    assert frontend.execute(b"p") == b"E\0\0\0\x0ap\0\0\0\0\0"
    assert frontend.password(b"n,,") == b"p\0\0\0\x07n,,"
    assert frontend.bind(b"", b"s") == b"B\0\0\0\x0d\0s\0\0\0\0\0\0\0"

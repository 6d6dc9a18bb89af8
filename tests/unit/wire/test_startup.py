"""The first packet: one of four kinds, or the end."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seenby.errors import ProtocolError
from seenby.wire.startup import (
    MAX_STARTUP,
    PROTOCOL_3_0,
    PROTOCOL_3_2,
    CancelRequest,
    GSSENCRequest,
    SSLRequest,
    Startup,
    StartupMessage,
    cancel_request,
    read_startup,
    startup_message,
)
from tests.fixtures.generated import generated

SSL = bytes.fromhex("00000008 04d2162f")
GSS = bytes.fromhex("00000008 04d21630")
ALICE = bytes.fromhex("0000001a 00030000") + b"user\0alice\0a\0b c\0\0"
CASES: list[tuple[bytes, Startup]] = [
    (SSL, SSLRequest()),
    (GSS, GSSENCRequest()),
    (bytes.fromhex("00000010 04d2162e 0000002a 01020304"), CancelRequest(42, b"\1\2\3\4")),
    (cancel_request(7, bytes(256)), CancelRequest(7, bytes(256))),
    (ALICE, StartupMessage(PROTOCOL_3_0, {"user": "alice", "a": "b c"}, ())),
    (
        startup_message({"_pq_.b": "1", "user": "bob", "_pq_.a": ""}, PROTOCOL_3_2),
        StartupMessage(PROTOCOL_3_2, {"user": "bob"}, ("_pq_.a", "_pq_.b")),
    ),
    (bytes.fromhex("00000009 00030000 00"), StartupMessage(PROTOCOL_3_0, {}, ())),
]


@pytest.mark.parametrize(("packet", "meaning"), CASES)
def test_whole_byte_by_byte_and_with_trailing_bytes(packet: bytes, meaning: Startup) -> None:
    assert read_startup(packet) == (meaning, len(packet))
    assert read_startup(packet + b"Q\0\0\0") == (meaning, len(packet))
    for cut in range(len(packet)):
        assert read_startup(packet[:cut]) is None


@pytest.mark.parametrize(
    "packet",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        bytes.fromhex("16030100a5010000a10303"),  # TLS hello without SSLRequest
        b"SSH-2.0-OpenSSH_9.6\r\n",
        bytes(8),
        bytes.fromhex("00000007 000300"),
        (MAX_STARTUP + 1).to_bytes(4, "big"),
        bytes.fromhex("ffffffff"),
        bytes.fromhex("00000008 00020000"),  # protocol 2
        bytes.fromhex("00000008 00040000"),  # protocol 4
        SSL[:3] + b"\x09" + SSL[4:] + b"\0",  # SSLRequest with a body
        bytes.fromhex("0000000f 04d2162e 0000002a 010203"),  # a cancel key of 3 bytes
        cancel_request(7, bytes(257)),
        bytes.fromhex("0000000d 00030000") + b"user\0",  # a name without a value
        bytes.fromhex("0000000f 00030000") + b"user\0al",  # no last zero
        bytes.fromhex("00000013 00030000") + b"user\0a\0\0x\0\0",  # bytes after the terminator
        bytes.fromhex("00000010 00030000") + b"user\0\xff\0\0",  # not UTF-8
        bytes.fromhex("0000000b 00030000") + b"\0\0\0",  # a setting without a name
        bytes.fromhex("00000008 00030000"),  # not even the terminator
    ],
)
def test_anything_else_is_refused(packet: bytes) -> None:
    with pytest.raises(ProtocolError):
        read_startup(packet)


NAMES = st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), min_size=1, max_size=8)


@generated(80)
@given(st.dictionaries(NAMES, NAMES, max_size=5), st.integers(0, 0xFFFF))
def test_a_startup_message_survives_the_round_trip(parameters: dict[str, str], minor: int) -> None:
    packet = startup_message(parameters, 0x0003_0000 | minor)
    plain = {name: value for name, value in parameters.items() if not name.startswith("_pq_.")}
    options = tuple(sorted(set(parameters) - set(plain)))
    assert read_startup(packet) == (StartupMessage(0x0003_0000 | minor, plain, options), len(packet))


@generated(120)
@given(st.binary(max_size=60))
def test_garbage_is_incomplete_or_refused_and_nothing_else(garbage: bytes) -> None:
    for head in (b"", bytes.fromhex("00000020 00030000"), bytes.fromhex("00000010 04d2162e")):
        with contextlib.suppress(ProtocolError):
            read_startup(head + garbage)

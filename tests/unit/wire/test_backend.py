"""What a server sends: built for the client, read from Postgres."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seenby.errors import GrantEnded, ProtocolError, Refused, ServerError
from seenby.wire import backend
from seenby.wire.backend import Field
from tests.fixtures.generated import generated

NAMES = st.binary(max_size=10).map(lambda raw: raw.replace(b"\0", b""))
FIELDS = st.builds(
    Field, NAMES, st.integers(0, 2**32 - 1), st.integers(-2, 2**15 - 1), st.integers(-(2**31), 2**31 - 1)
)


def body(message: bytes) -> bytes:
    assert int.from_bytes(message[1:5], "big") == len(message) - 1
    return message[5:]


def data_row(values: list[bytes | None]) -> bytes:
    parts = [struct.pack(">H", len(values))]
    parts += [struct.pack(">i", -1) if one is None else struct.pack(">i", len(one)) + one for one in values]
    return b"".join(parts)


def test_sample_bytes() -> None:
    assert backend.ready("I") == b"Z\0\0\0\x05I"
    assert backend.command_complete("SELECT 1") == b"C\0\0\0\x0dSELECT 1\0"
    assert backend.parameter_status("TimeZone", "UTC") == b"S\0\0\0\x11TimeZone\0UTC\0"
    assert backend.key_data(1, b"abcd") == b"K\0\0\0\x0c\0\0\0\x01abcd"
    assert backend.authentication(backend.AUTH_SASL, b"X\0\0") == b"R\0\0\0\x0b\0\0\0\x0aX\0\0"
    assert backend.authentication(0) == backend.AUTH_OK


def test_negotiation_names_the_whole_version_as_postgres_does() -> None:
    """PostgreSQL 18.6 answers protocol 3.9 with ``76 0000000c 00030002 00000000``; libpq takes a bare 2 for a fault."""
    assert backend.negotiate(0x0003_0002, ()) == bytes.fromhex("76 0000000c 00030002 00000000")
    assert backend.negotiate(0x0003_0000, ("_pq_.foo",)) == bytes.fromhex("76 00000015 00030000 00000001") + (
        b"_pq_.foo\0"
    )


def test_an_error_carries_state_message_detail_and_hint() -> None:
    error = Refused("column phone is masked", hint="ask for class contact", detail="grant 1")
    assert backend.read_report(body(backend.error_response(error, position=7))) == {
        "S": "ERROR",
        "V": "ERROR",
        "C": "42501",
        "M": "column phone is masked",
        "D": "grant 1",
        "H": "ask for class contact",
        "P": "7",
    }
    fatal = backend.read_report(body(backend.error_response(GrantEnded("over"), fatal=True)))
    assert fatal == {"S": "FATAL", "V": "FATAL", "C": "57P01", "M": "over"}


def test_an_error_text_cannot_smuggle_fields() -> None:
    """A zero byte would end the field: ``M`` x, then a field of the sender's choice."""
    raw = body(backend.error_response(ServerError("x\0Hdo this", code="22012")))
    assert backend.read_report(raw)["M"].startswith("x")
    assert "H" not in backend.read_report(raw)


def test_a_notice() -> None:
    raw = body(backend.notice_response("only people of eu are shown"))
    assert backend.read_report(raw) == {
        "S": "NOTICE",
        "V": "NOTICE",
        "C": "00000",
        "M": "only people of eu are shown",
    }


@generated(60)
@given(st.lists(FIELDS, max_size=5).map(tuple))
def test_row_description_round_trip(fields: tuple[Field, ...]) -> None:
    assert backend.read_row_description(body(backend.row_description(fields))) == fields


def test_row_description_says_the_formats() -> None:
    fields = (Field(b"a", 23, 4, -1), Field(b"b", 25, -1, -1))

    def codes(formats: tuple[int, ...]) -> list[int]:
        raw = body(backend.row_description(fields, formats))
        return [raw[2 + 2 + 17], raw[2 + 20 + 2 + 17]]

    assert codes(()) == [0, 0]
    assert codes((1,)) == [1, 1]
    assert codes((0, 1)) == [0, 1]


@generated(50)
@given(st.lists(st.integers(0, 2**32 - 1), max_size=6).map(tuple))
def test_parameter_description_round_trip(oids: tuple[int, ...]) -> None:
    assert backend.read_parameter_description(body(backend.parameter_description(oids))) == oids


@generated(60)
@given(st.lists(st.none() | st.binary(max_size=10), max_size=5))
def test_values_of_a_row(values: list[bytes | None]) -> None:
    raw = data_row(values)
    assert backend.read_values(raw) == values
    with pytest.raises(ProtocolError):
        backend.read_values(raw + b"x")


def test_parameter_status_is_read() -> None:
    assert backend.read_parameter_status(b"TimeZone\0UTC\0") == ("TimeZone", "UTC")


@generated(80)
@given(st.binary(max_size=40))
def test_what_is_cut_short_is_a_protocol_error_and_nothing_else(raw: bytes) -> None:
    for read in (
        backend.read_row_description,
        backend.read_parameter_description,
        backend.read_values,
        backend.read_parameter_status,
    ):
        try:
            read(raw)
        except ProtocolError:
            continue
    assert isinstance(backend.read_report(raw), dict)

"""docs/formats/entries.md: golden vectors, round trips, and everything that a reader must refuse."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seenby.errors import VerificationError
from seenby_verify.tlog.codec import Blob, Epoch, Fixed, Flag, Text, Unsigned
from seenby_verify.tlog.entries import (
    HEAD_STRUCT,
    KINDS,
    PERSON_STRUCT,
    QUERY_TAIL,
    STATISTIC_TAIL,
    VERBS,
    Entry,
    GrantApproved,
    PersonNamed,
    Query,
    Statistic,
    bucket,
    decode,
    encode,
    grant_message,
    key_id,
)
from seenby_verify.tlog.tree import leaf_hash

VECTORS: list[dict[str, Any]] = json.loads((Path(__file__).parent / "vectors" / "entries.json").read_text())


def _entry(vector: dict[str, Any]) -> Entry:
    kind: Any = KINDS[vector["kind"]]
    hints = get_type_hints(kind)
    values = {name: bytes.fromhex(value) if hints[name] is bytes else value for name, value in vector["fields"].items()}
    entry: Entry = kind(**values)
    return entry


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_golden_vector(vector: dict[str, Any]) -> None:
    entry = _entry(vector)
    assert type(entry).__name__ == vector["name"]
    assert encode(entry).hex() == vector["bytes"]
    assert decode(bytes.fromhex(vector["bytes"])) == entry
    assert leaf_hash(encode(entry)).hex() == vector["leaf"]


def test_every_kind_has_a_vector() -> None:
    assert sorted(KINDS) == sorted(vector["kind"] for vector in VECTORS)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_cut_or_extended_is_refused(vector: dict[str, Any]) -> None:
    data = bytes.fromhex(vector["bytes"])
    for length in range(len(data)):
        with pytest.raises(VerificationError):
            decode(data[:length])
    with pytest.raises(VerificationError, match="1 bytes too many"):
        decode(data + b"\x00")


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_every_changed_byte_is_refused_or_another_entry(vector: dict[str, Any]) -> None:
    data = bytes.fromhex(vector["bytes"])
    entry = decode(data)
    for at in range(len(data)):
        for bit in range(8):
            changed = bytearray(data)
            changed[at] ^= 1 << bit
            try:
                other = decode(bytes(changed))
            except VerificationError:
                continue
            assert other != entry
            assert encode(other) == changed


def _strategy(codec: object) -> st.SearchStrategy[Any]:
    match codec:
        case Fixed(size):
            return st.binary(min_size=size, max_size=size)
        case Unsigned(size, low, high):
            return st.integers(low, 256**size - 1 if high is None else high)
        case Flag():
            return st.booleans()
        case Epoch():
            return st.builds(lambda year, month: year * 100 + month, st.integers(2000, 9999), st.integers(1, 12))
        case Text():
            return st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=255)
        case Blob():
            return st.binary(max_size=300)
    raise AssertionError(codec)


def _entries() -> st.SearchStrategy[Entry]:
    def of(kind: type[Entry]) -> st.SearchStrategy[Entry]:
        hints = get_type_hints(kind, include_extras=True)
        return st.builds(kind, *[_strategy(hints[field.name].__metadata__[0]) for field in fields(kind)])

    return st.one_of([of(kind) for kind in KINDS.values()])


@settings(max_examples=500)
@given(_entries())
def test_round_trip(entry: Entry) -> None:
    assert decode(encode(entry)) == entry


@settings(max_examples=500)
@given(
    st.binary(max_size=120)
    | st.builds(lambda kind, body: bytes([1, kind]) + body, st.sampled_from(sorted(KINDS)), st.binary(max_size=250))
)
def test_any_bytes_are_refused_or_canonical(data: bytes) -> None:
    try:
        entry = decode(data)
    except VerificationError:
        return
    assert encode(entry) == data


def test_unknown_versions_and_kinds_are_refused() -> None:
    body = encode(PersonNamed(202611, bytes(32), bytes(32), bytes(32)))[2:]
    with pytest.raises(VerificationError, match="entry version 2 is unknown"):
        decode(b"\x02\x21" + body)
    with pytest.raises(VerificationError, match="entry kind 0x7f is unknown"):
        decode(b"\x01\x7f" + body)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (PersonNamed, (202613, bytes(32), bytes(32), bytes(32))),
        (PersonNamed, (202600, bytes(32), bytes(32), bytes(32))),
        (PersonNamed, (202611, bytes(31), bytes(32), bytes(32))),
        (PersonNamed, (202611, "x" * 32, bytes(32), bytes(32))),
        (Query, (202611, bytes(32), bytes(32), 2**32, True, 1, 1)),
        (Query, (202611, bytes(32), bytes(32), 0, 1, 1, 1)),
        (Query, (202611, bytes(32), bytes(32), 0, True, 3, 1)),
        (Query, (202611, bytes(32), bytes(32), -1, True, 1, 1)),
        (KINDS[0x08], (202611, "é", "eu", bytes(32))),
        (KINDS[0x08], (202611, "x" * 256, "eu", bytes(32))),
        (KINDS[0x08], (202611, "a\nb", "eu", bytes(32))),
        (KINDS[0x15], (202611, bytes(16), bytes(32), 0)),
        (KINDS[0x40], (202611, 1, bytes(65_536), bytes(8), bytes(64))),
        (KINDS[0x40], (202611, 1, bytes(65_500), bytes(8), bytes(64))),
    ],
)
def test_values_outside_the_format_are_not_written(kind: Any, values: tuple[Any, ...]) -> None:
    with pytest.raises(VerificationError):
        encode(kind(*values))


def test_the_hot_path_writes_the_same_bytes() -> None:
    commit, digest, label = b"c" * 32, b"d" * 32, b"l" * 32
    head = HEAD_STRUCT.pack(1, 0x20, 202611, commit, digest)
    assert head + QUERY_TAIL.pack(7, True, 2, 3) == encode(Query(202611, commit, digest, 7, True, 2, 3))
    head = HEAD_STRUCT.pack(1, 0x22, 202611, commit, digest)
    assert head + STATISTIC_TAIL.pack(7, False, 2) == encode(Statistic(202611, commit, digest, 7, False, 2))
    assert PERSON_STRUCT.pack(1, 0x21, 202611, label, commit, digest) == encode(
        PersonNamed(202611, label, commit, digest)
    )


@pytest.mark.parametrize(("people", "digits"), [(0, 0), (1, 1), (9, 1), (10, 2), (99, 2), (100, 3), (1000, 4)])
def test_bucket(people: int, digits: int) -> None:
    assert bucket(people) == digits


def test_what_is_signed_over_a_grant() -> None:
    message = grant_message(VERBS[GrantApproved], "eu", bytes(range(16)), b"\xab" * 32)
    assert message == (b"seenby/grant/v1\napprove\neu\n000102030405060708090a0b0c0d0e0f\n" + b"ab" * 32 + b"\n")
    # SHA-256 of 32 zero bytes starts like this.
    assert key_id(bytes(32)).hex() == "66687aadf862bd77"

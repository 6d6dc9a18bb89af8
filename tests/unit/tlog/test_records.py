"""docs/formats/records.md: golden vectors made without our code, and what must not open."""

from __future__ import annotations

import hmac
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seenby.errors import VerificationError
from seenby_verify.tlog.records import (
    PART_RANDOM,
    RECORD_RANDOM,
    EpochCrypto,
    PersonCrypto,
    commitment,
    label,
    open_record,
    pseudonym,
)

VECTOR: dict[str, Any] = json.loads((Path(__file__).parent / "vectors" / "records.json").read_text())


def value(name: str) -> bytes:
    return bytes.fromhex(VECTOR[name])


PERSON = PersonCrypto(value("person_key"), 1, "eu", 202611)
EPOCH = EpochCrypto(value("epoch_key"), "eu", 202611)


def test_labels_and_pseudonyms() -> None:
    assert PERSON.label(VECTOR["n"]) == value("label")
    assert label(value("person_key"), "eu", 202611, VECTOR["n"]) == value("label")
    assert PERSON.pseudonym == pseudonym(value("person_key")) == value("pseudonym")


def test_a_sealed_record() -> None:
    random = value("query_key") + value("opening") + value("wrap_nonce")
    assert len(random) == RECORD_RANDOM
    sealed = EPOCH.seal(value("record"), random)
    assert sealed == (value("record_commit"), value("sealed_record"), value("record_digest"))
    assert EPOCH.seal(value("record"), random[:32] + bytes(32) + random[64:], value("opening")) == sealed
    for opened in (EPOCH.open(value("sealed_record")), open_record(value("sealed_record"), value("query_key"))):
        assert (opened.opening, opened.record) == (value("opening"), value("record"))


def test_a_sealed_part() -> None:
    random = value("part_opening") + value("part_nonce")
    assert len(random) == PART_RANDOM
    sealed = PERSON.seal(value("label"), value("query_key"), value("part"), random)
    assert sealed == (value("part_commit"), value("sealed_part"), value("part_digest"))
    opened = PERSON.open(value("label"), value("sealed_part"))
    assert (opened.query_key, opened.opening, opened.part) == (
        value("query_key"),
        value("part_opening"),
        value("part"),
    )


@given(st.binary(max_size=300))
def test_a_commitment_is_an_hmac(record: bytes) -> None:
    opening = os.urandom(32)
    assert commitment(opening, record) == hmac.digest(opening, record, "sha256")


def test_an_opening_has_32_bytes() -> None:
    with pytest.raises(VerificationError):
        commitment(bytes(31), b"record")


@given(st.integers(0, 2**64 - 1))
def test_a_label_is_an_hmac(n: int) -> None:
    assert PERSON.label(n) == label(value("person_key"), "eu", 202611, n)


def test_labels_differ_by_region_epoch_number_and_person() -> None:
    key = value("person_key")
    labels = {
        label(key, "eu", 202611, 0),
        label(key, "us", 202611, 0),
        label(key, "eu", 202612, 0),
        label(key, "eu", 202611, 1),
        label(bytes(32), "eu", 202611, 0),
        label(key, "e", 202611, 0),
    }
    assert len(labels) == 6


def test_every_flipped_byte_of_a_part_is_found() -> None:
    sealed = value("sealed_part")
    for at in range(len(sealed)):
        if at == 1:
            continue  # the key's version is a hint for the reader; the digest in the log covers it
        changed = bytearray(sealed)
        changed[at] ^= 1
        with pytest.raises(VerificationError):
            PERSON.open(value("label"), bytes(changed))
    for length in range(len(sealed)):
        with pytest.raises(VerificationError):
            PERSON.open(value("label"), sealed[:length])


def test_every_flipped_byte_of_a_record_is_found() -> None:
    sealed = value("sealed_record")
    for at in range(len(sealed)):
        changed = bytearray(sealed)
        changed[at] ^= 1
        with pytest.raises(VerificationError):
            EPOCH.open(bytes(changed))
    for length in range(len(sealed)):
        with pytest.raises(VerificationError):
            EPOCH.open(sealed[:length])
        with pytest.raises(VerificationError):
            open_record(sealed[:length], value("query_key"))


def test_nobody_else_opens() -> None:
    other = PersonCrypto(bytes(32), 1, "eu", 202611)
    with pytest.raises(VerificationError):
        other.open(value("label"), value("sealed_part"))
    with pytest.raises(VerificationError):
        PERSON.open(PERSON.label(8), value("sealed_part"))
    for wrong in (
        EpochCrypto(bytes(32), "eu", 202611),
        EpochCrypto(value("epoch_key"), "us", 202611),
        EpochCrypto(value("epoch_key"), "eu", 202612),
    ):
        with pytest.raises(VerificationError):
            wrong.open(value("sealed_record"))
    with pytest.raises(VerificationError):
        open_record(value("sealed_record"), bytes(32))

"""docs/formats/records.md: golden vectors made without our code, and what must not open."""

from __future__ import annotations

import hmac
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from seenby.errors import VerificationError
from seenby_verify.tlog.records import (
    BY_REGION,
    DOCUMENT_RANDOM,
    HOLE,
    PART_RANDOM,
    RECORD,
    RECORD_RANDOM,
    WITHHELD_AAD,
    DocumentCrypto,
    Opened,
    OpenedRecord,
    PersonCrypto,
    RecordCrypto,
    RecordOpener,
    SealedRecord,
    commitment,
    label,
    pseudonym,
)

VECTOR: dict[str, Any] = json.loads((Path(__file__).parent / "vectors" / "records.json").read_text())


def value(name: str) -> bytes:
    return bytes.fromhex(VECTOR[name])


PERSON = PersonCrypto(value("person_key"), 1, "eu", 202611)
DOCUMENTS = DocumentCrypto(value("epoch_key"), "eu", 202611)
OPENER = RecordOpener("eu", 202611, region_key=value("epoch_key"), auditors_key=value("auditors_key"))
SEALED = ("sealed_record", "sealed_for_auditors")


def test_labels_and_pseudonyms() -> None:
    assert PERSON.label(VECTOR["n"]) == value("label")
    assert label(value("person_key"), "eu", 202611, VECTOR["n"]) == value("label")
    assert PERSON.pseudonym == pseudonym(value("person_key")) == value("pseudonym")


def test_a_sealed_document() -> None:
    random = value("document_key") + value("document_nonce")
    assert len(random) == DOCUMENT_RANDOM
    sealed = DOCUMENTS.seal(value("document"), value("document_opening"), random)
    assert sealed == (value("sealed_document"), value("document_digest"))
    opened = DOCUMENTS.open(value("sealed_document"))
    assert opened == Opened(value("document_opening"), value("document"))
    assert opened.commit == value("document_commit")


@pytest.mark.parametrize(
    ("crypto", "sealed", "digest"),
    [
        (RecordCrypto(value("epoch_key"), "eu", 202611), "sealed_record", "record_digest"),
        (
            RecordCrypto(value("block_key"), "eu", 202611, value("block")),
            "sealed_for_auditors",
            "for_auditors_digest",
        ),
    ],
)
def test_a_sealed_record(crypto: RecordCrypto, sealed: str, digest: str) -> None:
    names = ("query_key", "withheld_key", "opening", "withheld_opening", "wrap_nonce")
    random = b"".join(map(value, names))
    assert len(random) == RECORD_RANDOM
    record = value("record").removesuffix(value("withheld_commit").hex().encode() + b'"}')
    assert record.endswith(HOLE)
    assert crypto.seal(record, value("withheld"), random) == (value("record_commit"), value(sealed), value(digest))


@pytest.mark.parametrize("sealed", SEALED)
def test_auditors_open_both_halves_and_persons_the_record(sealed: str) -> None:
    record = Opened(value("opening"), value("record"))
    withheld = Opened(value("withheld_opening"), value("withheld"))
    assert OPENER.open(value(sealed)) == OpenedRecord(record, withheld)
    assert SealedRecord.parse(value(sealed)).record(value("query_key")) == record
    assert (record.commit, withheld.commit) == (value("record_commit"), value("withheld_commit"))


@pytest.mark.parametrize("sealed", SEALED)
def test_what_a_person_has_does_not_open_the_withheld_half(sealed: str) -> None:
    """Neither as a key for the other box, nor by swapping the boxes."""
    fields = SealedRecord.parse(value(sealed))
    for box in (fields.withheld, fields.wrapped):
        with pytest.raises(VerificationError):
            replace(fields, box=box).record(value("query_key"))
    with pytest.raises(VerificationError):  # the label in the aad differs, even where the key is the same
        replace(fields, box=fields.withheld).record(value("withheld_key"))


def test_each_wrap_opens_with_its_own_key_only() -> None:
    region = RecordOpener("eu", 202611, region_key=value("epoch_key"))
    auditors = RecordOpener("eu", 202611, auditors_key=value("auditors_key"))
    region.open(value("sealed_record"))
    auditors.open(value("sealed_for_auditors"))
    with pytest.raises(VerificationError, match="for the auditors"):
        region.open(value("sealed_for_auditors"))
    with pytest.raises(VerificationError, match="region's key is needed"):
        auditors.open(value("sealed_record"))
    # The region's key where a block key belongs: cut the block out and call it the other wrap.
    fields = SealedRecord.parse(value("sealed_for_auditors"))
    with pytest.raises(VerificationError, match="does not open"):
        region.open(RECORD + BY_REGION + value("sealed_for_auditors")[2 + len(fields.block) :])


def test_another_withheld_half_under_the_right_keys_is_found() -> None:
    """Who seals could pair a record with another withheld half: the record names its commitment."""
    sealed = value("sealed_record")
    other = AESGCM(value("withheld_key")).encrypt(bytes(12), bytes(32) + value("withheld"), WITHHELD_AAD)
    changed = sealed[: -len(SealedRecord.parse(sealed).withheld)] + other
    with pytest.raises(VerificationError, match="not the one that the record names"):
        OPENER.open(changed)


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


@pytest.mark.parametrize("sealed", SEALED)
def test_every_flipped_byte_of_a_record_is_found(sealed: str) -> None:
    data = value(sealed)
    for at in range(len(data)):
        changed = bytearray(data)
        changed[at] ^= 1
        with pytest.raises(VerificationError):
            OPENER.open(bytes(changed))
    for length in range(len(data)):
        with pytest.raises(VerificationError):
            OPENER.open(data[:length])


def test_every_flipped_byte_of_a_document_is_found() -> None:
    sealed = value("sealed_document")
    for at in range(len(sealed)):
        changed = bytearray(sealed)
        changed[at] ^= 1
        with pytest.raises(VerificationError):
            DOCUMENTS.open(bytes(changed))
        with pytest.raises(VerificationError):
            DOCUMENTS.open(sealed[:at])


def test_nobody_else_opens() -> None:
    other = PersonCrypto(bytes(32), 1, "eu", 202611)
    with pytest.raises(VerificationError):
        other.open(value("label"), value("sealed_part"))
    with pytest.raises(VerificationError):
        PERSON.open(PERSON.label(8), value("sealed_part"))
    for region, epoch in (("us", 202611), ("eu", 202612)):
        wrong = RecordOpener(region, epoch, region_key=value("epoch_key"), auditors_key=value("auditors_key"))
        for sealed in SEALED:
            with pytest.raises(VerificationError):
                wrong.open(value(sealed))
        with pytest.raises(VerificationError):
            DocumentCrypto(value("epoch_key"), region, epoch).open(value("sealed_document"))
    wrong = RecordOpener("eu", 202611, region_key=bytes(32), auditors_key=value("epoch_key"))
    for sealed in SEALED:
        with pytest.raises(VerificationError):
            wrong.open(value(sealed))
        with pytest.raises(VerificationError):
            SealedRecord.parse(value(sealed)).record(bytes(32))
    with pytest.raises(VerificationError):
        DocumentCrypto(bytes(32), "eu", 202611).open(value("sealed_document"))


def test_a_document_is_no_record_and_a_record_no_document() -> None:
    with pytest.raises(VerificationError):
        OPENER.open(value("sealed_document"))
    with pytest.raises(VerificationError):
        DOCUMENTS.open(value("sealed_record"))

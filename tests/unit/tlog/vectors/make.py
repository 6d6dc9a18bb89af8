"""Writes the golden vectors, straight from docs/formats and without the code under test. They never change again.

python tests/unit/tlog/vectors/make.py
"""

from __future__ import annotations

import hashlib
import hmac
import json
import struct
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

HERE = Path(__file__).parent
EPOCH = 202611


def fill(byte: int, size: int = 32) -> bytes:
    return bytes([byte]) * size


def text(value: str) -> bytes:
    return bytes([len(value)]) + value.encode()


def entries() -> list[dict[str, Any]]:
    epoch = struct.pack(">I", EPOCH)
    grant = epoch + fill(0x10, 16) + fill(0x20)
    signed = grant + fill(0x30, 8) + fill(0x40, 64)
    head = epoch + fill(0x50) + fill(0x60)
    grant_fields = {"epoch": EPOCH, "grant": fill(0x10, 16).hex(), "grant_commit": fill(0x20).hex()}
    signed_fields = {**grant_fields, "key_id": fill(0x30, 8).hex(), "signature": fill(0x40, 64).hex()}
    head_fields = {"epoch": EPOCH, "commit": fill(0x50).hex(), "sealed_digest": fill(0x60).hex()}
    key_fields = {"epoch": EPOCH, "role": "approver", "region": "eu", "key": fill(0x70).hex()}
    key = epoch + text("approver") + text("eu") + fill(0x70)
    request = {**signed_fields, "approvals": 2, "sealed_digest": fill(0x60).hex()}
    event = {**head_fields, "bucket": 1}
    report = b'{"cells":[]}'
    note = b"seenby/regions/v1\n"
    rows: list[tuple[int, str, dict[str, Any], bytes]] = [
        (
            0x01,
            "LogStarted",
            {"epoch": EPOCH, "region": "eu", "origin": "eu.example/log", "key": fill(0x70).hex()},
            epoch + text("eu") + text("eu.example/log") + fill(0x70),
        ),
        (0x08, "KeyAdded", key_fields, key),
        (0x09, "KeyRetired", key_fields, key),
        (
            0x0A,
            "EpochKey",
            {"epoch": EPOCH, "threshold": 2, "auditors": 3, "key": fill(0x70).hex(), "shares_digest": fill(0x60).hex()},
            epoch + b"\x02\x03" + fill(0x70) + fill(0x60),
        ),
        (0x0B, "Regions", {"epoch": EPOCH, "document": note.hex()}, epoch + struct.pack(">H", len(note)) + note),
        (0x10, "GrantRequested", request, signed + b"\x02" + fill(0x60)),
        (0x11, "GrantApproved", signed_fields, signed),
        (0x12, "GrantDenied", signed_fields, signed),
        (0x13, "GrantActivated", grant_fields, grant),
        (0x14, "GrantRevoked", signed_fields, signed),
        (0x15, "GrantEnded", {**grant_fields, "reason": 3}, grant + b"\x03"),
        (0x16, "GrantReviewed", signed_fields, signed),
        (0x17, "BreakGlass", request, signed + b"\x02" + fill(0x60)),
        (
            0x20,
            "Query",
            {**head_fields, "part": 258, "final": True, "bound": 2, "bucket": 3},
            head + bytes.fromhex("00000102 01 02 03"),
        ),
        (
            0x21,
            "PersonNamed",
            {"epoch": EPOCH, "label": fill(0x11).hex(), "commit": fill(0x22).hex(), "sealed_digest": fill(0x33).hex()},
            epoch + fill(0x11) + fill(0x22) + fill(0x33),
        ),
        (
            0x22,
            "Statistic",
            {**head_fields, "part": 0, "final": False, "cohort": 4},
            head + bytes.fromhex("00000000 00 04"),
        ),
        (0x23, "AttemptRefused", head_fields, head),
        (0x30, "PersonEnrolled", event, head + b"\x01"),
        (0x31, "Erasure", event, head + b"\x01"),
        (0x32, "Move", {**event, "from_region": "eu", "to_region": "us"}, head + b"\x01" + text("eu") + text("us")),
        (0x33, "Transfer", {**event, "home": "eu", "country": "CN"}, head + b"\x01" + text("eu") + text("CN")),
        (0x34, "Disclosure", {**event, "recipient": 2}, head + b"\x01\x02"),
        (
            0x40,
            "DailyReport",
            {
                "epoch": EPOCH,
                "day": 22,
                "document": report.hex(),
                "key_id": fill(0x30, 8).hex(),
                "signature": fill(0x40, 64).hex(),
            },
            epoch + b"\x16" + struct.pack(">H", len(report)) + report + fill(0x30, 8) + fill(0x40, 64),
        ),
        (
            0x41,
            "Seal",
            {"epoch": EPOCH, "covers": 70_000, "root": fill(0x80).hex()},
            epoch + struct.pack(">Q", 70_000) + fill(0x80),
        ),
    ]
    return [
        {
            "kind": kind,
            "name": name,
            "fields": fields,
            "bytes": (bytes([1, kind]) + body).hex(),
            "leaf": hashlib.sha256(b"\x00" + bytes([1, kind]) + body).hexdigest(),
        }
        for kind, name, fields, body in rows
    ]


def records() -> dict[str, Any]:
    person_key, epoch_key, query_key, opening, part_opening = (fill(byte) for byte in (1, 2, 3, 4, 5))
    wrap_nonce, part_nonce = fill(6, 12), fill(7, 12)
    record, part = b'{"purpose":"support","v":1}', b'{"classes":["contact"],"v":1}'
    scope = b"\x02eu" + struct.pack(">I", EPOCH)
    label = hmac.digest(person_key, b"seenby/label/v1\n" + scope + struct.pack(">Q", 7), "sha256")
    wrapped = AESGCM(epoch_key).encrypt(wrap_nonce, query_key, b"seenby/epoch-wrap/v1\n" + scope)
    box = AESGCM(query_key).encrypt(bytes(12), opening + record, b"seenby/record/v1\n")
    sealed_record = b"\x01" + wrap_nonce + wrapped + box
    wrapping_key = HKDF(SHA256(), 32, None, b"seenby/person-wrap/v1").derive(person_key)
    plain = query_key + part_opening + part
    sealed_part = (
        b"\x01\x01" + part_nonce + AESGCM(wrapping_key).encrypt(part_nonce, plain, b"seenby/part/v1\n" + label)
    )
    values = {
        "person_key": person_key,
        "epoch_key": epoch_key,
        "query_key": query_key,
        "opening": opening,
        "part_opening": part_opening,
        "wrap_nonce": wrap_nonce,
        "part_nonce": part_nonce,
        "record": record,
        "part": part,
        "label": label,
        "pseudonym": hmac.digest(person_key, b"seenby/pseudonym/v1", "sha256")[:16],
        "record_commit": hmac.digest(opening, record, "sha256"),
        "sealed_record": sealed_record,
        "record_digest": hashlib.sha256(sealed_record).digest(),
        "part_commit": hmac.digest(part_opening, part, "sha256"),
        "sealed_part": sealed_part,
        "part_digest": hashlib.sha256(sealed_part).digest(),
    }
    return {
        "region": "eu",
        "epoch": EPOCH,
        "n": 7,
        "version": 1,
        **{name: value.hex() for name, value in values.items()},
    }


def main() -> None:
    for name, value in (("entries", entries()), ("records", records())):
        (HERE / f"{name}.json").write_text(json.dumps(value, indent=1) + "\n")


if __name__ == "__main__":
    main()

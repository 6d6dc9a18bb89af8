"""Writes the golden vectors, straight from docs/formats and without the code under test. They never change again.

python tests/unit/tlog/vectors/make.py
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import struct
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
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


def hpke(secret: bytes, public: bytes, info: bytes, plain: bytes) -> bytes:
    """RFC 9180, base mode, X25519, HKDF-SHA-256, AES-256-GCM, with a given ephemeral secret: enc || ciphertext."""

    def extract(salt: bytes, suite: bytes, name: bytes, value: bytes) -> bytes:
        return hmac.digest(salt or bytes(32), b"HPKE-v1" + suite + name + value, "sha256")

    def expand(key: bytes, suite: bytes, name: bytes, value: bytes, size: int) -> bytes:
        message = struct.pack(">H", size) + b"HPKE-v1" + suite + name + value
        return hmac.digest(key, message + b"\x01", "sha256")[:size]

    ephemeral = X25519PrivateKey.from_private_bytes(secret)
    enc = ephemeral.public_key().public_bytes_raw()
    kem = b"KEM\x00\x20"
    shared = extract(b"", kem, b"eae_prk", ephemeral.exchange(X25519PublicKey.from_public_bytes(public)))
    shared = expand(shared, kem, b"shared_secret", enc + public, 32)
    suite = b"HPKE\x00\x20\x00\x01\x00\x02"
    context = b"\x00" + extract(b"", suite, b"psk_id_hash", b"") + extract(b"", suite, b"info_hash", info)
    secret = extract(shared, suite, b"secret", b"")
    key, nonce = expand(secret, suite, b"key", context, 32), expand(secret, suite, b"base_nonce", context, 12)
    return enc + AESGCM(key).encrypt(nonce, plain, b"")


def public_of(secret: bytes) -> bytes:
    return X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()


def records() -> dict[str, Any]:
    person_key, epoch_key, query_key, opening, part_opening = (fill(byte) for byte in (1, 2, 3, 4, 5))
    wrap_nonce, part_nonce, document_nonce = fill(6, 12), fill(7, 12), fill(8, 12)
    withheld_key, withheld_opening, document_key, document_opening = (fill(byte) for byte in (9, 10, 11, 12))
    document, part = b'{"id":"6f","v":1}', b'{"classes":["contact"],"v":1}'
    withheld = b'{"principal":{"name":"sam"},"statement":"SELECT 1","v":1}'
    withheld_commit = hmac.digest(withheld_opening, withheld, "sha256")
    record = b'{"purpose":"support","v":1,"withheld":"' + withheld_commit.hex().encode() + b'"}'
    scope = b"\x02eu" + struct.pack(">I", EPOCH)
    aad = b"seenby/epoch-wrap/v1\n" + scope
    label = hmac.digest(person_key, b"seenby/label/v1\n" + scope + struct.pack(">Q", 7), "sha256")

    sealed_document = (
        b"\x01"
        + document_nonce
        + AESGCM(epoch_key).encrypt(document_nonce, document_key, aad)
        + AESGCM(document_key).encrypt(bytes(12), document_opening + document, b"seenby/record/v1\n")
    )
    box = AESGCM(query_key).encrypt(bytes(12), opening + record, b"seenby/record/v1\n")
    hidden = AESGCM(withheld_key).encrypt(bytes(12), withheld_opening + withheld, b"seenby/withheld/v1\n")
    boxes = struct.pack(">I", len(box)) + box + hidden
    wrapped = wrap_nonce + AESGCM(epoch_key).encrypt(wrap_nonce, query_key + withheld_key, aad)
    sealed_record = b"\x02\x01" + wrapped + boxes

    auditors_key, block_key = fill(13), fill(14)
    block = hpke(fill(15), public_of(auditors_key), b"seenby/block/v1\n", block_key)
    wrapped = wrap_nonce + AESGCM(block_key).encrypt(wrap_nonce, query_key + withheld_key, aad)
    sealed_for_auditors = b"\x02\x02" + block + wrapped + boxes

    info = b"seenby/epoch-share/v1\neu\n202611\n"
    auditors = {"ada": fill(16), "ben": fill(17), "cid": fill(18)}
    shares = []
    for first, second in (("ada", "ben"), ("ada", "cid"), ("ben", "cid")):
        inner = hpke(fill(19), public_of(auditors[second]), info, auditors_key)
        outer = hpke(fill(20), public_of(auditors[first]), info, inner)
        shares.append({"quorum": [first, second], "sealed": base64.b64encode(outer).decode()})
    listed = [{"key": base64.b64encode(public_of(key)).decode(), "name": name} for name, key in auditors.items()]
    public = base64.b64encode(public_of(auditors_key)).decode()
    epochs = {
        "auditors": listed, "epoch": EPOCH, "public": public, "region": "eu", "shares": shares, "threshold": 2, "v": 1
    }  # fmt: skip
    epoch_document = json.dumps(epochs, sort_keys=True, separators=(",", ":")).encode()

    wrapping_key = HKDF(SHA256(), 32, None, b"seenby/person-wrap/v1").derive(person_key)
    plain = query_key + part_opening + part
    sealed_part = (
        b"\x01\x01" + part_nonce + AESGCM(wrapping_key).encrypt(part_nonce, plain, b"seenby/part/v1\n" + label)
    )
    values = {
        "person_key": person_key,
        "epoch_key": epoch_key,
        "label": label,
        "pseudonym": hmac.digest(person_key, b"seenby/pseudonym/v1", "sha256")[:16],
        "document": document,
        "document_key": document_key,
        "document_opening": document_opening,
        "document_nonce": document_nonce,
        "document_commit": hmac.digest(document_opening, document, "sha256"),
        "sealed_document": sealed_document,
        "document_digest": hashlib.sha256(sealed_document).digest(),
        "query_key": query_key,
        "withheld_key": withheld_key,
        "opening": opening,
        "withheld_opening": withheld_opening,
        "wrap_nonce": wrap_nonce,
        "record": record,
        "withheld": withheld,
        "withheld_commit": withheld_commit,
        "record_commit": hmac.digest(opening, record, "sha256"),
        "sealed_record": sealed_record,
        "record_digest": hashlib.sha256(sealed_record).digest(),
        "auditors_key": auditors_key,
        "block_key": block_key,
        "block": block,
        "sealed_for_auditors": sealed_for_auditors,
        "for_auditors_digest": hashlib.sha256(sealed_for_auditors).digest(),
        "epoch_document": epoch_document,
        "epoch_document_digest": hashlib.sha256(epoch_document).digest(),
        "part": part,
        "part_opening": part_opening,
        "part_nonce": part_nonce,
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
        "auditors": {name: key.hex() for name, key in auditors.items()},
    }


def bit(label: bytes, number: int) -> int:
    return label[number // 8] >> (7 - number % 8) & 1


def cut(labels: list[bytes]) -> tuple[int, list[bytes], list[bytes]]:
    """The first bit in which the labels of a set differ, those with 0 there and those with 1."""
    first = next(number for number in range(256) if len({bit(label, number) for label in labels}) == 2)
    return first, [x for x in labels if not bit(x, first)], [x for x in labels if bit(x, first)]


def label_root(labels: list[bytes]) -> bytes:
    if not labels:
        return bytes(32)
    if len(labels) == 1:
        return hashlib.sha256(b"\x02" + labels[0]).digest()
    first, left, right = cut(labels)
    return hashlib.sha256(b"\x03" + bytes([first]) + label_root(left) + label_root(right)).digest()


def label_proof(label: bytes, labels: list[bytes]) -> dict[str, Any]:
    steps: list[tuple[int, bytes]] = []
    while len(labels) > 1:
        first, left, right = cut(labels)
        labels, others = (right, left) if bit(label, first) else (left, right)
        steps.insert(0, (first, label_root(others)))
    leaf = base64.b64encode(labels[0]).decode() if labels else None
    return {"leaf": leaf, "steps": [[first, base64.b64encode(other).decode()] for first, other in steps]}


def labels() -> dict[str, Any]:
    """Sets with their roots; proofs that hold; proofs that do not, each with one thing wrong."""
    some = [hashlib.sha256(b"label %d" % n).digest() for n in range(300)]
    deep = [bytes(32)] + [(1 << n).to_bytes(32, "big") for n in range(256)]
    sets = {
        "empty": [],
        "one": [fill(0x11)],
        "two that differ in the last bit": [bytes(32), bytes(31) + b"\x01"],
        "two that differ in the first bit": [bytes(32), fill(0xFF)],
        "three": [bytes(32), b"\x40" + bytes(31), b"\x80" + bytes(31)],
        "seven": some[:7],
        "three hundred": some,
        "256 deep": deep,
        "one prefix of 200 bits": [fill(0xAB, 25) + label[:7] for label in some[:40]],
    }
    asked = {
        "empty": [fill(0x11)],
        "one": [fill(0x11), fill(0x12)],
        "two that differ in the last bit": [bytes(32), bytes(31) + b"\x01", bytes(31) + b"\x02"],
        "two that differ in the first bit": [fill(0xFF), fill(0x7F)],
        "three": [b"\x40" + bytes(31), b"\x60" + bytes(31), b"\xc0" + bytes(31)],
        "seven": [some[3], some[8]],
        "three hundred": [some[0], some[299], hashlib.sha256(b"label 300").digest()],
        "256 deep": [deep[0], deep[1], deep[256], fill(0xFF), bytes(31) + b"\x03"],
        "one prefix of 200 bits": [fill(0xAB, 25) + some[7][:7], fill(0xAA), fill(0xAB)],
    }
    seven, root = sets["seven"], label_root(sets["seven"])
    good = label_proof(some[8], seven)
    steps = good["steps"]
    spoilt = {
        "another root": (some[8], good, fill(0x11)),
        "the root of no labels": (some[8], good, bytes(32)),
        "nothing is there": (some[8], {"leaf": None, "steps": []}, root),
        "steps without a leaf": (some[8], {"leaf": None, "steps": steps}, root),
        "a step is left out": (some[8], {**good, "steps": steps[1:]}, root),
        "a step stands twice": (some[8], {**good, "steps": [steps[0], *steps]}, root),
        "steps in the wrong order": (some[8], {**good, "steps": steps[::-1]}, root),
        "another bit": (some[8], {**good, "steps": [[steps[0][0] + 1, steps[0][1]], *steps[1:]]}, root),
        "another hash": (some[8], {**good, "steps": [[steps[0][0], steps[-1][1]], *steps[1:]]}, root),
        "another leaf": (some[8], {**good, "leaf": base64.b64encode(fill(0x11)).decode()}, root),
        "the path of another label": next(
            (some[n], good, root) for n in range(9, 99) if label_proof(some[n], seven) != good
        ),
    }
    return {
        "sets": [
            {"name": name, "labels": [x.hex() for x in members], "root": label_root(members).hex()}
            for name, members in sets.items()
        ],
        "proofs": [
            {
                "set": name,
                "label": label.hex(),
                "present": label in sets[name],
                "proof": label_proof(label, sets[name]),
                "root": label_root(sets[name]).hex(),
            }
            for name, those in asked.items()
            for label in those
        ],
        "refused": [
            {"why": why, "label": label.hex(), "proof": proof, "root": root.hex()}
            for why, (label, proof, root) in spoilt.items()
        ],
    }


def main() -> None:
    for name, value in (("entries", entries()), ("records", records()), ("labels", labels())):
        (HERE / f"{name}.json").write_text(json.dumps(value, indent=1) + "\n")


if __name__ == "__main__":
    main()

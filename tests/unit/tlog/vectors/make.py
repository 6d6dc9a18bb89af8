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

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
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


def reports() -> list[dict[str, Any]]:
    """docs/formats/reports.md: a log by the kinds of its entries, a byte each, and the reports that stand in it."""
    names = {
        0x01: "log started",
        0x20: "query",
        0x21: "person",
        0x30: "person enrolled",
        0x40: "daily report",
        0x41: "seal",
    }
    key = Ed25519PrivateKey.from_private_bytes(fill(0x01))
    log = key.public_key().public_bytes_raw()

    def canonical(value: object) -> bytes:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    # Entry 0; an enrolment of 12; two queries, of 12 and 11 people: 39 entries. The report. A seal. The next. A seal.
    kinds = b"\x01\x30" + b"\x21" * 12 + b"\x20" + b"\x21" * 12 + b"\x20" + b"\x21" * 11
    kinds += b"\x40\x41" + b"\x40\x41"
    first, last = 39, 41

    def report(date: str, begin: int, end: int, cells: list[Any] | None = None, **other: Any) -> dict[str, Any]:
        counts: dict[str, int] = {}
        for kind in kinds[begin:end]:
            counts[names[kind]] = counts.get(names[kind], 0) + 1
        document = {
            "cells": cells or [],
            "counts": counts,
            "date": date,
            "from": begin,
            "region": "eu",
            "to": end,
            "v": 1,
        }
        return {**document, **other}

    def cell(by: str, what: str, count: int) -> dict[str, Any]:
        return {"by": by, "count": count, "what": what}

    def entry(document: bytes, epoch: int, day: int) -> str:
        digest = hashlib.sha256(document).hexdigest()
        signature = key.sign(f"seenby/report/v1\neu\n{epoch}\n{day}\n{digest}\n".encode())
        body = struct.pack(">IBH", epoch, day, len(document)) + document + hashlib.sha256(log).digest()[:8] + signature
        return (b"\x01\x40" + body).hex()

    support, research = cell("purpose", "support", 12), cell("purpose", "research", 11)
    ireland = cell("country", "IE", 23)
    one = canonical(report("2026-11-30", 0, 39, [ireland, research, support]))
    two = canonical(report("2026-12-01", 39, 41))
    empty = canonical(report("2026-12-01", 39, 39))
    good = entry(one, 202612, 30)

    def case(name: str, fault: str, *found: tuple[int, str]) -> dict[str, Any]:
        return {"name": name, "fault": fault, "reports": [{"index": at, "entry": data} for at, data in found]}

    def single(name: str, fault: str, document: Any, epoch: int = 202612, day: int = 30) -> dict[str, Any]:
        data = document if isinstance(document, bytes) else canonical(document)
        return case(name, fault, (first, entry(data, epoch, day)))

    def second(name: str, fault: str, document: Any, day: int) -> dict[str, Any]:
        return case(name, fault, (first, good), (last, entry(canonical(document), 202612, day)))

    honest = report("2026-11-30", 0, 39)
    return [
        {"kinds": kinds.hex(), "region": "eu", "log": log.hex()},
        case("two days, over the turn of a month", "", (first, good), (last, entry(two, 202612, 1))),
        case("a day on which nothing happened", "", (first, good), (last, entry(empty, 202612, 1))),
        case("confirmed", "", (first, good), (last, good)),
        single("written in its own month", "", honest, 202611),
        single("a small cell", "has a cell of 9", report("2026-11-30", 0, 39, [cell("purpose", "support", 9)])),
        single(
            "too little left out", "leaves out 3 accesses by country", {**honest, "cells": [cell("country", "IE", 20)]}
        ),
        single(
            "more accesses than there are",
            "counts 24 accesses by country",
            {**honest, "cells": [cell("country", "IE", 24)]},
        ),
        single("cells in another order", "another order", {**honest, "cells": [support, research]}),
        single("a cell twice", "or one of them twice", {**honest, "cells": [research, research]}),
        single("another sort of cells", "nobody counts by", {**honest, "cells": [cell("name", "sam", 23)]}),
        single(
            "a query less",
            "counts 1 of 'query' in entries 0 to 38, where 2 stand",
            {**honest, "counts": {**honest["counts"], "query": 1}},
        ),
        single("a kind that nobody knows", "counts 1 of 'look'", {**honest, "counts": {**honest["counts"], "look": 1}}),
        single(
            "a number that is none", "not names with numbers", {**honest, "counts": {**honest["counts"], "query": True}}
        ),
        single("an entry less", "in entries 0 to 37, where", {**honest, "to": 38}),
        single("more entries than there are", "which do not all stand before it", {**honest, "to": 40}),
        single("not from the beginning", "nobody counted those from 0 on", report("2026-11-30", 1, 39)),
        single("another region", "says that its region is 'us'", {**honest, "region": "us"}),
        single("another day in the entry", "stands in an entry of day 29", honest, 202612, 29),
        single("a month too early", "in 202610", honest, 202610),
        single("no day", "which is no day", {**honest, "date": "2026-11-31"}, 202612, 31),
        single("a day in another spelling", "which is no day", {**honest, "date": "20261130"}),
        single("another version", "v is not an integer from 1 to 1", {**honest, "v": 2}),
        single("a member more", "unknown member 'note'", {**honest, "note": ""}),
        single("a member less", "lacks the member 'cells'", {k: v for k, v in honest.items() if k != "cells"}),
        single("with spaces", "is not canonical JSON", json.dumps(honest, sort_keys=True).encode()),
        second("a day left out", "leaves a day out", report("2026-12-02", 39, 41), 2),
        second("the same day, otherwise", "comes behind the report of 2026-11-30", report("2026-11-30", 39, 41), 30),
        second("an earlier day", "comes behind the report of 2026-11-30", report("2026-11-29", 39, 41), 29),
        second("counted twice", "counts from entry 38 on", report("2026-12-01", 38, 41), 1),
        second("not counted at all", "counts from entry 40 on", report("2026-12-01", 40, 41), 1),
    ]


def main() -> None:
    made = (("entries", entries()), ("records", records()), ("labels", labels()), ("reports", reports()))
    for name, value in made:
        (HERE / f"{name}.json").write_text(json.dumps(value, indent=1) + "\n")


if __name__ == "__main__":
    main()

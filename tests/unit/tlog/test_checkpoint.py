"""C2SP signed-note and tlog-checkpoint."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from seenby.errors import VerificationError
from seenby_verify.tlog.checkpoint import (
    Checkpoint,
    VerifierKey,
    open_checkpoint,
    open_note,
    parse_checkpoint,
    sign_checkpoint,
)
from seenby_verify.tlog.tree import EMPTY_ROOT

# The example of the signed-note specification.
SPEC_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
SPEC_NOTE = (
    b"This is an example message.\n\n\xe2\x80\x94 example.com/foo "
    b"Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
VERIFIER = VerifierKey("eu.test/log", KEY.public_key().public_bytes_raw())
CHECKPOINT = Checkpoint("eu.test/log", 70_000, b"\xaa" * 32)
NOTE = sign_checkpoint(CHECKPOINT, KEY)


def test_the_specifications_example() -> None:
    key = VerifierKey.parse(SPEC_KEY)
    assert str(key) == SPEC_KEY
    assert open_note(SPEC_NOTE, [key]) == b"This is an example message.\n"


def test_golden_checkpoint() -> None:
    text, _, signatures = NOTE.partition(b"\n\n")
    assert text == b"eu.test/log\n70000\n" + base64.b64encode(b"\xaa" * 32)
    assert signatures == b"\xe2\x80\x94 eu.test/log " + base64.b64encode(VERIFIER.id + KEY.sign(text + b"\n")) + b"\n"
    assert open_checkpoint(NOTE, VERIFIER) == CHECKPOINT
    assert VerifierKey.parse(str(VERIFIER)) == VERIFIER


def test_the_empty_tree() -> None:
    empty = Checkpoint("eu.test/log", 0, EMPTY_ROOT)
    assert open_checkpoint(sign_checkpoint(empty, KEY), VERIFIER) == empty


def test_every_flipped_byte_is_found() -> None:
    for at in range(len(NOTE)):
        for bit in (0, 5, 7):
            changed = bytearray(NOTE)
            changed[at] ^= 1 << bit
            with pytest.raises(VerificationError):
                open_checkpoint(bytes(changed), VERIFIER)


def test_every_cut_is_found() -> None:
    for length in range(len(NOTE)):
        with pytest.raises(VerificationError):
            open_checkpoint(NOTE[:length], VERIFIER)


def test_signatures_by_others_are_ignored_and_may_stand_beside() -> None:
    witness = "\n— witness.test ".encode()[1:] + base64.b64encode(b"wxyz" + bytes(72)) + b"\n"
    assert open_checkpoint(NOTE + witness, VERIFIER) == CHECKPOINT
    other = VerifierKey("eu.test/log", Ed25519PrivateKey.from_private_bytes(b"x" * 32).public_key().public_bytes_raw())
    with pytest.raises(VerificationError, match="no signature by a key that you trust"):
        open_checkpoint(NOTE + witness, other)


def test_a_false_signature_by_a_known_key_refuses_the_note_even_beside_a_good_one() -> None:
    false = "— eu.test/log ".encode() + base64.b64encode(VERIFIER.id + bytes(64)) + b"\n"
    with pytest.raises(VerificationError, match="is false"):
        open_checkpoint(NOTE + false, VERIFIER)


def test_the_key_of_another_log_does_not_open_it() -> None:
    text = CHECKPOINT.text.replace(b"eu.test/log", b"us.test/log")
    note = text + "\n— eu.test/log ".encode() + base64.b64encode(VERIFIER.id + KEY.sign(text)) + b"\n"
    with pytest.raises(VerificationError, match=r"of the log 'us\.test/log'"):
        open_checkpoint(note, VERIFIER)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"eu\n",
        b"eu\n1\n",
        b"eu\n01\n" + base64.b64encode(bytes(32)) + b"\n",
        b"eu\n-1\n" + base64.b64encode(bytes(32)) + b"\n",
        b"eu\n1\n" + base64.b64encode(bytes(31)) + b"\n",
        b"eu\n1\n" + base64.b64encode(bytes(32)).rstrip(b"=") + b"\n",
        b"\n1\n" + base64.b64encode(bytes(32)) + b"\n",
        b"eu\n1\n" + base64.b64encode(bytes(32)) + b"\n\n",
        b"eu\n1\n" + base64.b64encode(bytes(32)),
    ],
)
def test_malformed_texts(text: bytes) -> None:
    with pytest.raises(VerificationError):
        parse_checkpoint(text)


def test_extension_lines_are_read_over() -> None:
    assert parse_checkpoint(CHECKPOINT.text + b"more\n") == CHECKPOINT


@pytest.mark.parametrize(
    "key",
    [
        "",
        "a",
        "example.com/foo+530d903a",
        SPEC_KEY.replace("530d903a", "530d903b"),
        SPEC_KEY.replace("example.com/foo", "example.com/bar"),
        SPEC_KEY.replace("example.com/foo", "example com"),
        SPEC_KEY.replace("+AekyeR", "+BOkyeR"),
        SPEC_KEY[:-4],
        SPEC_KEY.replace("+Aeky", "+!eky"),
    ],
)
def test_malformed_keys(key: str) -> None:
    with pytest.raises(VerificationError, match="verifier key"):
        VerifierKey.parse(key)


@pytest.mark.parametrize("origin", ["", "a b", "a+b", "a\u00a0b", "a\nb"])
def test_origins_that_cannot_be_names(origin: str) -> None:
    with pytest.raises(VerificationError):
        sign_checkpoint(Checkpoint(origin, 0, EMPTY_ROOT), KEY)

"""C2SP signed-note: a text and the signatures under it, by keys of the types that we know.

::

    This is an example message.

    — example.com/foo <base64 of key id[4] and signature>
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from seenby_verify.errors import VerificationError
from seenby_verify.tlog.cosignature import verify_cosignature
from seenby_verify.tlog.strict import decode_base64
from seenby_verify.tlog.vkey import COSIGNATURE, VerifierKey, valid_name

MAX_SIGNATURES: Final = 64
MAX_NOTE: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Line:
    """One signature line. ``raw``: what stands after the key id."""

    name: str
    key_id: bytes
    raw: bytes


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature that holds. ``time``: Unix time of a cosignature, 0 for other types."""

    key: VerifierKey
    time: int


@dataclass(frozen=True, slots=True)
class Note:
    """A note as it is written; nothing is checked yet. ``what`` names it in errors."""

    text: bytes
    lines: tuple[Line, ...]
    what: str

    @classmethod
    def parse(cls, data: bytes, what: str = "note") -> Note:
        """Raises VerificationError if ``data`` is not a signed note."""

        def wrong(why: str) -> VerificationError:
            return VerificationError(f"the {what} {why}", where=what)

        if len(data) > MAX_NOTE:
            raise wrong(f"is longer than {MAX_NOTE} bytes")
        try:
            content = data.decode("utf-8")
        except UnicodeDecodeError:
            raise wrong("is not UTF-8") from None
        if any(c < " " and c != "\n" for c in content):
            raise wrong("holds control characters")
        text, blank, signatures = content.rpartition("\n\n")
        if not blank or not signatures.endswith("\n"):
            raise wrong("has no signature block, or it is cut off")
        lines: list[Line] = []
        for line in signatures[:-1].split("\n"):
            parts = line.split(" ")
            raw = decode_base64(parts[2]) if len(parts) == 3 else None
            if parts[0] != "—" or raw is None or not valid_name(parts[1]) or len(raw) < 5:
                raise wrong("has a line that is no signature line")
            lines.append(Line(parts[1], raw[:4], raw[4:]))
        if len(lines) > MAX_SIGNATURES:
            raise wrong(f"has more than {MAX_SIGNATURES} signatures")
        return cls((text + "\n").encode(), tuple(lines), what)

    def signatures(self, keys: Iterable[VerifierKey]) -> tuple[Signature, ...]:
        """The signatures by these keys, as they stand. Lines by other keys are passed over.

        A false signature by one of them raises VerificationError: it refuses the whole note (signed-note).
        """
        known = {(key.name, key.id): key for key in keys}
        good: list[Signature] = []
        for line in self.lines:
            key = known.get((line.name, line.key_id))
            if key is None:
                continue
            time = 0
            try:
                if key.type == COSIGNATURE:
                    time = verify_cosignature(key.key, line.raw, self.text)
                else:
                    Ed25519PublicKey.from_public_bytes(key.key).verify(line.raw, self.text)
            except (InvalidSignature, ValueError, VerificationError):
                raise VerificationError(
                    f"the {self.what}'s signature by {line.name} is false", where=self.what
                ) from None
            good.append(Signature(key, time))
        return tuple(good)


def sign_note(text: bytes, name: str, key: Ed25519PrivateKey) -> bytes:
    """``text``, which ends in a newline, with one signature of type 0x01."""
    signer = VerifierKey(name, key.public_key().public_bytes_raw())
    return text + f"\n— {name} {base64.b64encode(signer.id + key.sign(text)).decode()}\n".encode()


def open_note(data: bytes, keys: Iterable[VerifierKey], what: str = "note") -> bytes:
    """The text of a note of which at least one of ``keys`` signed. Raises VerificationError."""
    note = Note.parse(data, what)
    if not note.signatures(keys):
        raise VerificationError(
            f"the {what} carries no signature by a key that you trust", where=what, hint="check the key that you gave"
        )
    return note.text

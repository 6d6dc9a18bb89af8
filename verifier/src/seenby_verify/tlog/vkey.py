"""C2SP signed-note: keys by which a verifier knows who signed. ``example.com/foo+530d903a+AekyeR...``"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import Final

from seenby_verify.errors import VerificationError
from seenby_verify.tlog.strict import decode_base64

ED25519: Final = 0x01
"""Signature type: Ed25519 over the note's text (signed-note). Logs, promises, lists of regions."""
COSIGNATURE: Final = 0x04
"""Signature type: Ed25519 with a time (tlog-cosignature, cosignature/v1). Witnesses."""

_HINT: Final = "a verifier key looks like example.org/log+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """``name+<key id, 8 hex digits>+base64(type || Ed25519 public key)``: all that a verifier trusts.

    ``type``: ED25519 or COSIGNATURE.
    """

    name: str
    key: bytes
    type: int = ED25519

    @property
    def id(self) -> bytes:
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self.type]) + self.key).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(bytes([self.type]) + self.key).decode()}"

    @classmethod
    def parse(cls, text: str, type: int = ED25519) -> VerifierKey:
        """Raises VerificationError, with what is wrong, if ``text`` is not an Ed25519 verifier key of this type."""
        parts = text.strip().split("+", 2)
        if len(parts) != 3:
            raise VerificationError("the verifier key has not three parts joined by +", where="key", hint=_HINT)
        name, key_id, encoded = parts
        if not valid_name(name):
            raise VerificationError("the verifier key has no valid name", where="key", hint=_HINT)
        material = decode_base64(encoded)
        if not material:
            raise VerificationError("the verifier key's last part is not base64", where="key", hint=_HINT)
        if material[0] != type:
            needed = "witness" if type == COSIGNATURE else "log"
            raise VerificationError(
                f"the verifier key has signature type 0x{material[0]:02x}; a {needed}'s is 0x{type:02x}",
                where="key",
                hint=_HINT,
            )
        if len(material) != 33:
            raise VerificationError("the verifier key is not an Ed25519 key of 32 bytes", where="key", hint=_HINT)
        key = cls(name, material[1:], type)
        if key.id.hex() != key_id:
            raise VerificationError("the verifier key's id does not fit its name and key", where="key", hint=_HINT)
        return key


def valid_name(name: str) -> bool:
    """Whether signed-note allows this as a key's name (and we as an origin): no spaces, plus or control characters."""
    return bool(name) and not any(c in "+\x7f" or c < " " or c.isspace() or "\ud800" <= c <= "\udfff" for c in name)

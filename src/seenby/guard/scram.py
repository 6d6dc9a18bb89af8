"""What Postgres stores instead of a password (RFC 5802, RFC 7677), so that the password never travels to it."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64encode

ITERATIONS = 4096


def verifier(password: str, salt: bytes) -> str:
    """``SCRAM-SHA-256$4096:<salt>$<StoredKey>:<ServerKey>``, all base64; the form of pg_authid.rolpassword.

    Args:
        password: printable ASCII, so that SASLprep (RFC 4013) changes nothing.
        salt: 16 random bytes.
    """
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, ITERATIONS)
    stored_key = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    salt64, stored64, server64 = (b64encode(part).decode() for part in (salt, stored_key, server_key))
    return f"SCRAM-SHA-256${ITERATIONS}:{salt64}${stored64}:{server64}"

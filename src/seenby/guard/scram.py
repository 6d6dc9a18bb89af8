"""What Postgres stores instead of a password (RFC 5802, RFC 7677), so that the password never travels to it."""

from __future__ import annotations

from base64 import b64encode

from scramp import ScramMechanism

ITERATIONS = 4096


def verifier(password: str, salt: bytes, iterations: int = ITERATIONS) -> str:
    """``SCRAM-SHA-256$4096:<salt>$<StoredKey>:<ServerKey>``, all base64; the form of pg_authid.rolpassword (RFC 5803).

    Args:
        salt: 16 random bytes.
    """
    mechanism = ScramMechanism("SCRAM-SHA-256")
    _, stored, server, _ = mechanism.make_auth_info(password, iteration_count=iterations, salt=salt)
    salt64, stored64, server64 = (b64encode(part).decode() for part in (salt, stored, server))
    return f"SCRAM-SHA-256${iterations}:{salt64}${stored64}:{server64}"

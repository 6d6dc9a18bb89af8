from __future__ import annotations

from base64 import b64encode

from scramp.core import ScramMechanism

from seenby.guard import verifier


def test_the_form_and_the_keys_that_another_implementation_makes() -> None:
    made = verifier("pencil", bytes(range(16)))
    mechanism = ScramMechanism(mechanism="SCRAM-SHA-256")
    salt, stored_key, server_key, iterations = mechanism.make_auth_info(
        "pencil", iteration_count=4096, salt=bytes(range(16))
    )
    head, tail = made.removeprefix("SCRAM-SHA-256$").split("$")
    assert head == f"{iterations}:AAECAwQFBgcICQoLDA0ODw=="
    assert tail == f"{b64encode(stored_key).decode()}:{b64encode(server_key).decode()}"
    assert salt == bytes(range(16))

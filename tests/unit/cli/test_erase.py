"""`seenby erase` against a real gateway: what people are told, and that the key is gone."""

from __future__ import annotations

import asyncio

import httpx2
import pytest

from seenby.gateway.control_api import WRITER
from seenby.model.disclosure import PeopleEvent
from seenby.stores.keystore_open import open_keystore
from tests.fixtures.gateway import Served
from tests.unit.cli.test_enrol import Say, say

pytestmark = pytest.mark.postgres

__all__ = ["say"]


def people_of(served: Served, count: int) -> list[str]:
    """Some who live in eu, whom no other test looks at."""
    with served.direct() as connection:
        found = connection.execute(
            "SELECT id FROM accounts WHERE home_region = 'eu' ORDER BY id DESC OFFSET 20 LIMIT %s", (count,)
        ).fetchall()
    return [f"account:{key}" for (key,) in found]


def enrol(served: Served, people: list[str]) -> None:
    async def work() -> None:
        await served.region.ledger.append(PeopleEvent(tuple(people), False))

    asyncio.run_coroutine_threadsafe(work(), served.loop).result(20)


def keyless(served: Served, people: list[str]) -> list[str]:
    store = open_keystore(served.config, read_only=True)
    try:
        return store.without_key(people)
    finally:
        store.close()


def test_from_the_request_to_the_end(served: Served, say: Say) -> None:
    (first, second), nobody = people_of(served, 2), "account:9999999999999"
    enrol(served, [first, second])
    code, said = say("ines.moreau", "erase", first, nobody, "--key-only")
    assert (code, "1 key will be erased at" in said, "00:00" in said) == (0, True, True)
    assert f"{nobody} has no key: there is nothing to erase." in said
    code, said = say("marta.silva", "erase", "--status")
    assert (code, f"{first} ines.moreau" in said) == (0, True)
    assert keyless(served, [first, second]) == []
    code, said = say("jonas.weber", "erase", second, "--key-only", "--now")
    assert (code, "Erased:" in said, "Whoever watches the log saw when it was done" in said) == (0, True, True)
    assert keyless(served, [first, second]) == [first, second]
    code, said = say("marta.silva", "erase", "--status")
    assert (code, said) == (0, "Nobody waits to be erased.")
    assert not (served.config.state / "erasures.json").exists()


@pytest.mark.parametrize(
    ("name", "arguments", "status", "words"),
    [
        ("ines.moreau", ["account:1"], 64, "give --key-only if that is what you want"),
        ("ines.moreau", ["--key-only"], 64, "say whose keys"),
        ("ines.moreau", ["account:1", "--status"], 64, "--status names nobody"),
        ("ines.moreau", ["clara", "--key-only"], 64, "write KIND:KEY, as in account:42"),
        ("aoife.byrne", ["account:1", "--key-only"], 77, "aoife.byrne guards nobody's data"),
        ("root.ops", ["account:1", "--key-only", "--now"], 77, "root.ops guards nobody's data"),
        ("dana.price", ["--status"], 77, "dana.price guards nobody of eu"),
    ],
)
def test_what_is_refused_and_why(say: Say, name: str, arguments: list[str], status: int, words: str) -> None:
    code, said = say(name, "erase", *arguments)
    assert (code, words in said) == (status, True), said


def test_a_signature_is_over_path_time_and_body(served: Served) -> None:
    client = served.client("ines.moreau")
    sent: list[httpx2.Request] = []
    client._http.event_hooks["request"].append(sent.append)
    client.post_signed("/erasures", {"people": ["account:9999999999999"], "now": False})
    client._http.event_hooks["request"].clear()
    header, body = sent[-1].headers[WRITER], sent[-1].content
    with httpx2.Client(
        transport=httpx2.HTTPTransport(uds=str(served.config.control_socket)), base_url="http://gateway"
    ) as http:
        for path, said, content in (
            ("/erasures", header, body.replace(b"false", b"true")),
            ("/enrolments", header, body),
            ("/erasures", header.replace("ines.moreau", "marta.silva"), body),
            ("/erasures", "", body),
        ):
            answer = http.post(path, content=content, headers={WRITER: said} if said else {})
            assert answer.status_code in (401, 422), (path, answer.text)

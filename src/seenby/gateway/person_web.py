"""``GET /mine`` beside the public log: a person fetches promises and receipts of the entries about them.

Who holds the person's key is the person: it is in every bundle, and a MAC under it is all that is sent. After an
erasure nobody can ask any more, since no key is known (docs/formats/receipts.md, "Fetching, for a person").
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
from collections.abc import Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from seenby.errors import AuthFailed, SeenbyError, Unavailable
from seenby.gateway.control_receipts import page_json, since_of
from seenby.stores.keystore import KeyStore, PersonKey
from seenby.stores.receipts import Page, Receipts
from seenby_verify.tlog.records import person_mac
from seenby_verify.tlog.strict import decode_decimal

HEADER: Final = "seenby-person"
"""``BASE64(NAME) UNIX-SECONDS MAC-IN-HEX``."""
SECONDS: Final = 60
"""How far the time in a request may be from the gateway's."""
RATE: Final = 100
"""Requests a second that are looked at. Each looks a key up on the loop on which sessions run."""
REFUSED_AFTER: Final = 0.25
"""Seconds between a request and its refusal, always: how long a name was looked up tells whether the key store knew it.
For people without an account that would be whether a phone number stands in somebody's address book."""
_NOBODY: Final = PersonKey(0, bytes(32))
"""Stands for the key of a name that has none."""


class PersonDesk:
    """One region's. ``clock``: Unix seconds."""

    def __init__(self, region: str, receipts: Receipts, keystore: KeyStore, clock: Callable[[], float]) -> None:
        self._region = region
        self._receipts = receipts
        self._keystore = keystore
        self._clock = clock
        self._second = 0
        self._asked = 0
        self._answering: set[bytes] = set()

    async def answer(self, request: Request) -> Response:
        """JSON, whatever happens; nothing of it is to be kept by anybody in between."""
        loop = asyncio.get_running_loop()
        refused_at = loop.time() + REFUSED_AFTER
        try:
            keys = self._keys(request)
            found = page_json(await self._page(keys, since_of(request)))
            return JSONResponse(found, headers={"cache-control": "no-store"})
        except SeenbyError as error:
            if isinstance(error, AuthFailed):
                await asyncio.sleep(refused_at - loop.time())
            told = {"error": error.message, "hint": error.hint, "sqlstate": error.state}
            return JSONResponse(told, error.http, headers={"cache-control": "no-store"})

    async def _page(self, keys: list[PersonKey], since: int) -> Page:
        """One at a time for each person: proofs of a year take long, and everybody who asks waits for one thread.

        Raises Unavailable, VerificationError, LedgerFailed.
        """
        who = keys[0].key
        if who in self._answering:
            raise Unavailable("your last question is not answered yet", hint="ask again when it is")
        self._answering.add(who)
        try:
            return await self._receipts.of_person(keys, since)
        finally:
            self._answering.discard(who)

    def _keys(self, request: Request) -> list[PersonKey]:
        """The keys of whoever signed this. Raises AuthFailed, the same for whatever is wrong; Unavailable."""
        now = self._clock()
        if int(now) != self._second:
            self._second, self._asked = int(now), 0
        self._asked += 1
        if self._asked > RATE:
            raise Unavailable("too many people ask at once", hint="ask again in a few seconds")
        words = request.headers.get(HEADER, "").split(" ")
        try:
            person = base64.b64decode(words[0], validate=True).decode()
            at, mac = decode_decimal(words[1]), bytes.fromhex(words[2])
        except (IndexError, ValueError, binascii.Error):
            raise _refused() from None
        if at is None or abs(at - now) > SECONDS or len(words) != 3 or not person.isprintable():
            raise _refused()
        target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        keys = self._keystore.known_keys(person)
        matches = [
            hmac.compare_digest(person_mac(one.key, person, self._region, target, at), mac) for one in keys or [_NOBODY]
        ]
        if not keys or not any(matches):
            raise _refused()
        return keys


def _refused() -> AuthFailed:
    return AuthFailed(
        "this request is by nobody whose key is known here",
        hint="take the newest bundle, and set this machine's clock; after an erasure no key is known",
    )

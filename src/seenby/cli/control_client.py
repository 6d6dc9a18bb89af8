"""The CLI's side of the control API: signed requests over the gateway's unix socket, errors as SeenbyError."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Self

import httpx2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from seenby.errors import NotFound, SeenbyError, Unavailable, UsageError
from seenby.grants.signing import Verb, read_message, sign_grant, write_message
from seenby.stores.directory import load_private_key
from seenby_verify.tlog.reports import report_message

TIMEOUT = 30.0
_ID: Final = re.compile(r"[0-9a-fA-F]{1,32}", re.ASCII)
READER, WRITER = "seenby-reader", "seenby-writer"


def grant_path(id: str) -> str:
    """Where the gateway has a grant. Raises NotFound for what cannot be the id of one, or its beginning."""
    if not _ID.fullmatch(id):
        raise NotFound(f"there is no grant {id!r:.80}", hint="`seenby grant list` shows the ones you may see")
    return f"/grants/{id}"


class ControlClient:
    """Talks to one gateway as one member of staff.

    Args:
        socket: the gateway's control socket.
        name: who asks.
        key_file: their private key.

    Raises:
        Unavailable: no gateway listens there.
        UsageError: the key cannot be used.
    """

    def __init__(self, socket: Path, name: str, key_file: Path) -> None:
        self.name = name
        self._key: Ed25519PrivateKey = load_private_key(key_file)
        self._socket = socket
        if not socket.is_socket():
            raise self._nobody()
        self._http = httpx2.Client(
            transport=httpx2.HTTPTransport(uds=str(socket)), base_url="http://gateway", timeout=TIMEOUT
        )
        try:
            self.region = str(self._send("GET", "/healthz")["region"])
        except SeenbyError:
            self.close()
            raise

    def close(self) -> None:
        """Ends the connection."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read(self, path: str) -> Any:
        """GET, signed with the time."""
        at = int(time.time())
        signature = self._key.sign(read_message(self.name, self.region, path, at))
        return self._send("GET", path, headers={READER: f"{self.name} {at} {signature.hex()}"})

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """POST of a JSON object."""
        return self._send("POST", path, json=body)

    def post_signed(self, path: str, body: dict[str, Any]) -> Any:
        """POST of a JSON object, signed with the time and the body's digest."""
        at, data = int(time.time()), json.dumps(body).encode()
        signature = self._key.sign(write_message(self.name, self.region, path, at, data))
        return self._send("POST", path, content=data, headers={WRITER: f"{self.name} {at} {signature.hex()}"})

    def sign(self, verb: Verb, grant_id: str, commit: bytes) -> str:
        """This member's signature over a grant, in hex."""
        return sign_grant(self._key, verb, self.region, grant_id, commit).hex()

    def sign_report(self, epoch: int, day: int, document: bytes) -> str:
        """This member's signature over a daily report, for an entry of ``epoch``, in hex."""
        return self._key.sign(report_message(self.region, epoch, day, document)).hex()

    def _send(self, method: str, path: str, **options: Any) -> Any:
        try:
            answer = self._http.request(method, path, **options)
            body = answer.json()
        except httpx2.TransportError:
            raise self._nobody() from None
        except ValueError:
            raise Unavailable(f"what listens at {self._socket} is not a gateway of Seenby") from None
        if answer.is_success:
            return body
        raise _error(answer.status_code, body if isinstance(body, dict) else {})

    def _nobody(self) -> Unavailable:
        return Unavailable(
            f"no gateway answers at {self._socket}",
            hint="start it with `seenby serve --config FILE`, and check [control] socket there",
        )


def _error(status: int, body: dict[str, Any]) -> SeenbyError:
    """The error that the gateway raised, as far as HTTP status and SQLSTATE tell them apart."""
    told = {name: str(body.get(name, "")) for name in ("hint", "detail")}
    for kind in _kinds(SeenbyError):
        if (kind.http, kind.sqlstate) == (status, body.get("sqlstate")) and kind.__init__ is SeenbyError.__init__:
            return kind(str(body.get("error", "")), **told)
    return UsageError(str(body.get("error", f"the gateway answered {status}")), **told)


def _kinds(kind: type[SeenbyError]) -> Iterator[type[SeenbyError]]:
    yield kind
    for under in kind.__subclasses__():
        yield from _kinds(under)

"""The control API: HTTP on a unix socket, beside the gateway. docs/formats/grant.md lists every path.

Whoever reaches the socket is nobody yet. What changes something carries a signature over the grant and the verb, so
a recorded request can be sent again without harm: the life cycle refuses it. What reads carries one over the path and
the time. Errors are ``{"error", "hint", "detail", "sqlstate"}`` with the HTTP status of seenby.errors.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from seenby.errors import AuthFailed, ConfigError, NotFound, SeenbyError, UsageError
from seenby.gateway.active import lost_words
from seenby.gateway.grant_truth import Grant
from seenby.gateway.grants import GrantService
from seenby.gateway.listening import serve_http
from seenby.grants.lifecycle import ENDED, EVENTS, Logged, Standing, missing_approvals
from seenby.grants.review import missing_reviews, review_due
from seenby.grants.signing import READ_SECONDS, Verb, read_message, verify_read, write_message
from seenby.grants.terms import MAX_TEXT, answers_from, encode_terms, noise_from, writes_from
from seenby.model.grant import Cell, GrantState
from seenby.model.people import Person
from seenby.model.principal import Principal
from seenby_verify.tlog import entries

MAX_BODY = 256 * 1024
READER = "seenby-reader"
"""Header of everything that reads: ``NAME UNIX-SECONDS SIGNATURE-IN-HEX`` over ``read_message``."""
WRITER = "seenby-writer"
"""The same, over ``write_message``, of what changes something that is not a grant."""

log = structlog.get_logger("seenby.control")


def control_app(
    service: GrantService, clock: Callable[[], float] = time.time, *more: Callable[[Api], list[Route]]
) -> Starlette:
    """The API of one region's grant service. ``clock``: Unix seconds, for the time in signed readings.

    ``more``: make the routes of other services.
    """
    api = Api(service, clock)
    return Starlette(
        routes=[
            Route("/healthz", api.healthz),
            Route("/drafts", api.draft, methods=["POST"]),
            Route("/grants", api.request, methods=["POST"]),
            Route("/grants", api.list),
            Route("/grants/{id}", api.show),
            Route("/grants/{id}/review", api.review, methods=["POST"]),
            Route("/grants/{id}/{verb}", api.decide, methods=["POST"]),
            Route("/notices", api.notices),
            *(route for routes in more for route in routes(api)),
        ],
        exception_handlers={SeenbyError: _told, HTTPException: _no_such_path, Exception: _our_fault},
    )


async def serve_control(app: Starlette, path: Path) -> None:
    """Serves ``app`` on the unix socket ``path`` (mode 0660) until it is cancelled.

    Raises ConfigError when another process listens there.
    """
    listener = _listen(path)
    config = uvicorn.Config(app, lifespan="off", log_config=None, access_log=False, timeout_graceful_shutdown=1)
    try:
        await serve_http(config, listener)
    finally:
        path.unlink(missing_ok=True)


def _listen(path: Path) -> socket.socket:
    made = socket.socket(socket.AF_UNIX)
    try:
        if path.is_socket():
            with socket.socket(socket.AF_UNIX) as probe:
                if probe.connect_ex(str(path)) == 0:
                    raise ConfigError(f"another gateway listens on {path}", hint="stop it first")
            path.unlink()
        path.parent.mkdir(parents=True, exist_ok=True)
        made.bind(str(path))
        path.chmod(0o660)
    except OSError as error:
        made.close()
        raise ConfigError(
            f"cannot listen on {path}: {error.strerror or error}", hint="check [control] socket in seenby.toml"
        ) from None
    except ConfigError:
        made.close()
        raise
    made.setblocking(False)
    return made


class Api:
    def __init__(self, service: GrantService, clock: Callable[[], float]) -> None:
        self.service = service
        self.clock = clock
        self.decisions: dict[str, Callable[[str, str, bytes], Awaitable[Grant]]] = {
            "approve": service.approve,
            "deny": service.deny,
            "revoke": service.revoke,
        }

    async def healthz(self, _: Request) -> Response:
        return JSONResponse({"ok": True, "region": self.service.region})

    async def draft(self, request: Request) -> Response:
        body = await json_body(request)
        wish = Fields(body)
        terms, needed = self.service.draft(
            wish.text("principal"),
            id=wish.text("id"),
            purpose=wish.text("purpose"),
            reference=wish.text("reference"),
            cells=tuple(Cell(what, tuple(homes)) for what, homes in wish.pairs("cells")),
            people=None if body.get("people") is None else tuple(Person.parse(p) for p in wish.texts("people")),
            not_before=wish.integer("not_before"),
            seconds=wish.integer("seconds"),
            max_people=wish.integer("max_people"),
            max_rows=wish.integer("max_rows"),
            answers=answers_from(body.get("answers", "rows")),
            noise=None if body.get("noise") is None else noise_from(body["noise"]),
            writes=writes_from(body.get("writes", [])),
            reason=wish.text("reason") if "reason" in body else "",
            emergency=wish.flag("emergency") if "emergency" in body else False,
        )
        because = [rule.says for rule in needed.because]
        return JSONResponse({"terms": encode_terms(terms).decode(), "because": because})

    async def request(self, request: Request) -> Response:
        wish = Fields(await json_body(request))
        grant = await self.service.request(wish.text("terms").encode(), wish.hex("opening"), wish.hex("signature"))
        return JSONResponse(self.view(grant), 201)

    async def decide(self, request: Request) -> Response:
        decision = self.decisions.get(request.path_params["verb"])
        if decision is None:
            raise NotFound(f"a grant cannot be {request.path_params['verb']!r}d", hint="approve, deny or revoke it")
        wish = Fields(await json_body(request))
        return JSONResponse(
            self.view(await decision(request.path_params["id"], wish.text("name"), wish.hex("signature")))
        )

    async def review(self, request: Request) -> Response:
        reviewer, body = await self.writer(request)
        verdict, note = body.text("verdict"), body.text("note")
        if verdict not in {Verb.JUSTIFIED, Verb.UNJUSTIFIED}:
            raise body.wrong("verdict", f"{Verb.JUSTIFIED} or {Verb.UNJUSTIFIED}")
        if len(note) > MAX_TEXT or not note.isprintable():
            raise body.wrong("note", f"one line of at most {MAX_TEXT} printable characters")
        grant_id, signature = request.path_params["id"], body.hex("signature")
        return JSONResponse(self.view(await self.service.review(grant_id, reviewer, signature, Verb(verdict), note)))

    async def list(self, request: Request) -> Response:
        reader = self.reader(request)
        return JSONResponse([self.view(g) for g in self.service.truth.grants.values() if _may_see(reader, g)])

    async def show(self, request: Request) -> Response:
        reader, name = self.reader(request), request.path_params["id"]
        grant = self.service.truth.find(name)
        if not _may_see(reader, grant):
            raise NotFound(f"there is no grant {name} that you may see", hint="`seenby grant list` shows yours")
        return JSONResponse(self.view(grant))

    async def notices(self, request: Request) -> Response:
        reader = self.reader(request)
        if (reader.role, reader.region) != ("protection-officer", self.service.region):
            raise AuthFailed("notices are for the region's protection officer", hint="ask them")
        found = await self.service.truth.control.notices()
        return JSONResponse(
            [{"at": n.at, "kind": n.kind, "grant": n.grant_id, "principal": n.principal, "text": n.text} for n in found]
        )

    def reader(self, request: Request) -> Principal:
        """Who signed this reading. Raises AuthFailed."""
        return self._signer(request, READER, read_message)

    async def writer(self, request: Request) -> tuple[Principal, Fields]:
        """Who signed this request, and what they sent. Raises AuthFailed, UsageError."""
        body = await _bytes(request)

        def message(name: str, region: str, target: str, at: int) -> bytes:
            return write_message(name, region, target, at, body)

        return self._signer(request, WRITER, message), Fields(_object(body))

    def _signer(self, request: Request, header: str, message: Callable[[str, str, str, int], bytes]) -> Principal:
        try:
            name, at, signature = request.headers.get(header, "").split(" ")
            seconds, signed = int(at), bytes.fromhex(signature)
        except ValueError:
            raise AuthFailed("this request is not signed", hint="give --as NAME and --key FILE") from None
        principal = self.service.directory.current.principal(name)
        target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        verify_read(principal.public_key, signed, message(name, self.service.region, target, seconds))
        if abs(seconds - self.clock()) > READ_SECONDS:
            raise AuthFailed("this request was signed at another time", hint="set this machine's clock")
        return principal

    def view(self, grant: Grant) -> dict[str, Any]:
        """A grant with everything that lets the reader check it: terms, opening, signatures and keys."""
        standing, history, terms = grant.standing, self.service.truth.history, grant.terms
        lock = None if grant.state in ENDED else self.service.judge.lock_of(terms.principal)
        glass = {"due": review_due(terms), "missing": missing_reviews(terms, standing)} if terms.emergency else None
        return {
            "id": grant.terms.id,
            "state": str(grant.state),
            "terms": grant.data.decode(),
            "opening": grant.opening.hex(),
            "commit": grant.commit.hex(),
            "ended_because": standing.ended_because,
            "blocked": grant.blocked or (lock.message if lock else "") or self._waits(grant),
            "review": glass,
            "missing": missing_approvals(grant.terms, standing.approvals)
            if grant.state is GrantState.REQUESTED
            else {},
            "signatures": [
                self._signature(logged, logged.entry, standing)
                for logged in history.grants[grant.terms.id]
                if not isinstance(logged.entry, entries.GrantActivated | entries.GrantEnded)
            ],
            "problems": list(standing.problems),
        }

    def _waits(self, grant: Grant) -> str:
        """A migration suspends it, or took something of it away."""
        if grant.state in ENDED:
            return ""
        if self.service.paused is not None:
            return self.service.paused.message
        return lost_words(grant.active.lost) if grant.active else ""

    def _signature(self, logged: Logged, entry: entries.SignedGrantEvent, standing: Standing) -> dict[str, str]:
        who = self.service.directory.current.by_key(entry.key_id)
        event = EVENTS[type(entry)]
        verdicts = {review.signature: str(review.verb) for review in standing.reviews}
        return {
            "verb": verdicts.get(entry.signature, entries.VERBS[type(entry)]),
            "done": event.value,
            "name": who.name if who else "",
            "region": logged.key.region if logged.key else "",
            "key": logged.key.key.hex() if logged.key else "",
            "key_id": entry.key_id.hex(),
            "signature": entry.signature.hex(),
        }


def _may_see(reader: Principal, grant: Grant) -> bool:
    """One's own grants, those about the people whom one guards, and for auditors all. Whoever runs Seenby: none."""
    return reader.name == grant.terms.principal or reader.region in grant.terms.home_regions or reader.role == "auditor"


async def json_body(request: Request) -> dict[str, Any]:
    """The JSON object that was sent, at most MAX_BODY bytes. Raises UsageError."""
    return _object(await _bytes(request))


async def _bytes(request: Request) -> bytes:
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > MAX_BODY:
            raise UsageError("this request is too long", hint="name fewer people")
    return bytes(data)


def _object(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise UsageError("the body is not a JSON object", hint="docs/formats/grant.md shows one for every path")
    return value


class Fields:
    """Members of a JSON object by type. Every method raises UsageError that names the member."""

    def __init__(self, body: dict[str, Any]) -> None:
        self.body = body

    def wrong(self, name: str, kind: str) -> UsageError:
        return UsageError(f"the member {name!r} must be {kind}", hint="docs/formats/grant.md lists every member")

    def text(self, name: str) -> str:
        value = self.body.get(name)
        if not isinstance(value, str):
            raise self.wrong(name, "a text")
        return value

    def integer(self, name: str) -> int:
        value = self.body.get(name)
        if type(value) is not int:
            raise self.wrong(name, "an integer")
        return value

    def flag(self, name: str) -> bool:
        value = self.body.get(name)
        if type(value) is not bool:
            raise self.wrong(name, "true or false")
        return value

    def hex(self, name: str) -> bytes:
        try:
            return bytes.fromhex(self.text(name))
        except ValueError:
            raise self.wrong(name, "bytes in hex") from None

    def texts(self, name: str) -> list[str]:
        value = self.body.get(name)
        if not (isinstance(value, list) and all(isinstance(item, str) for item in value)):
            raise self.wrong(name, "a list of texts")
        return value

    def pairs(self, name: str) -> list[tuple[str, list[str]]]:
        value = self.body.get(name)
        try:
            found = [(what, [str(home) for home in homes]) for what, homes in value or ()]
        except (TypeError, ValueError):
            found = []
        if not found or not all(isinstance(what, str) for what, _ in found):
            raise self.wrong(name, 'a list of [class or column, [home regions]], as in [["contact", ["eu"]]]')
        return found


async def _told(_: Request, error: Exception) -> Response:
    assert isinstance(error, SeenbyError)
    body = {"error": error.message, "hint": error.hint, "detail": error.detail, "sqlstate": error.state}
    return JSONResponse(body, error.http)


async def _no_such_path(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    body = {"error": f"there is nothing here: {error.detail}", "hint": "see docs/formats/grant.md", "detail": ""}
    return JSONResponse(body | {"sqlstate": NotFound.sqlstate}, error.status_code)


async def _our_fault(_: Request, error: Exception) -> Response:
    log.error("control API", kind=type(error).__name__, error=str(error))
    body = {"error": "the gateway failed", "hint": "look at the gateway's log", "detail": "", "sqlstate": "XX000"}
    return JSONResponse(body, 500)

"""The public half of the ledger over HTTP (C2SP tlog-tiles), for whoever has no web server of their own for it.

::

    /checkpoint                 the newest; to be asked for each time
    /tile/0/x001/234            tiles and bundles, for ever the same
    /                           what this is, and the log's key
    /verify.html                the page that checks a person's bundle in the browser
    /mine                       what is about one person, for who holds their key (seenby.gateway.person_web)

The list of paths is closed: there are no directories, and nothing that anybody could climb out of. Who reads what is
not written down: to look at a log must not leave a trace that says for whom.
"""

from __future__ import annotations

import base64
import hashlib
import html
import socket
import ssl
from collections.abc import Awaitable, Callable
from importlib import resources
from pathlib import Path
from typing import Final

import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from seenby.errors import ConfigError
from seenby.gateway.listening import serve_http
from seenby.stores.config import Publish
from seenby_verify.tlog.tiles import Tile
from seenby_verify.tlog.vkey import VerifierKey

MAX_CONNECTIONS: Final = 500
"""Beyond that readers get a 503: the gateway's own sessions run in the same process."""
CHECKED: Final = "no-cache"
"""May be kept, but must be asked for each time (RFC 9111, 5.2.2.4): a log's newest state is never a cached one."""
IMMUTABLE: Final = "public, max-age=31536000, immutable"
TEXT: Final = "text/plain; charset=utf-8"
HTML: Final = "text/html; charset=utf-8"
BYTES: Final = "application/octet-stream"
_ALWAYS: Final = {
    "access-control-allow-origin": "*",  # the page that checks a bundle reads the log from file:// or elsewhere
    "cross-origin-resource-policy": "cross-origin",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}
_STYLE: Final = (
    "body{max-width:46rem;margin:3rem auto;padding:0 1rem;font:1rem/1.5 sans-serif}code{overflow-wrap:anywhere}"
)

log = structlog.get_logger("seenby.public")


Answer = Callable[[Request], Awaitable[Response]]


def public_app(public: Path, key: VerifierKey, mine: Answer | None = None) -> Starlette:
    """Serves the directory ``public`` of the log with this key; the files may change while it runs.

    ``mine`` answers people who ask about themselves; None: nobody does here.
    """
    files = _Files(public, key, mine)
    return Starlette(
        routes=[Route("/{path:path}", files.answer)],
        exception_handlers={HTTPException: _refused, OSError: _unreadable},
    )


class _Files:
    def __init__(self, public: Path, key: VerifierKey, mine: Answer | None) -> None:
        self._public = public
        self._mine = mine
        self._index = _index(key)
        self._page = (resources.files("seenby_verify") / "page" / "verify.html").read_bytes()

    async def answer(self, request: Request) -> Response:
        path: str = request.scope["path"]  # whole: a route's own pattern would let a newline at the end pass
        match path:
            case "/checkpoint":
                return _answer(request, await self._read("checkpoint"), TEXT, CHECKED)
            case "/":
                return _answer(request, self._index, HTML, CHECKED, policy=_policy())
            case "/verify.html":
                # Scripts and connections are limited by the page itself, with the hashes of what is in it.
                return _answer(request, self._page, HTML, CHECKED, policy="frame-ancestors 'none'")
            case "/mine" if self._mine is not None:
                return await self._mine(request)
        # Only what a log names so: the path that is opened is made from the tile, not from the request.
        tile = Tile.parse(path.removeprefix("/"))
        if tile is None:
            raise HTTPException(404)
        return _answer(request, await self._read(tile.path), BYTES, IMMUTABLE)

    async def _read(self, path: str) -> bytes:
        """One read of one file: it is renamed into place whole, and a partial tile may go at any moment."""
        try:
            return await run_in_threadpool((self._public / path).read_bytes)
        except (FileNotFoundError, NotADirectoryError):
            raise HTTPException(404) from None


def _answer(request: Request, data: bytes, kind: str, cache: str, *, policy: str = "") -> Response:
    tag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
    headers = _ALWAYS | {"cache-control": cache, "etag": tag}
    if policy:
        headers["content-security-policy"] = policy
    known = [one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")]
    if tag in known or known == ["*"]:
        return Response(status_code=304, headers=headers)
    return Response(data, headers=headers | {"content-type": kind})


async def _refused(_: Request, error: Exception) -> Response:
    """404 and 405. Not to be kept: the tile may be there tomorrow."""
    assert isinstance(error, HTTPException)
    words = {404: "there is nothing here\n", 405: "this log can only be read\n"}.get(error.status_code, "refused\n")
    headers = _ALWAYS | {"cache-control": "no-store"} | dict(error.headers or {})
    return Response(words, error.status_code, headers=headers | {"content-type": TEXT})


async def _unreadable(_: Request, error: Exception) -> Response:
    log.error("the public log cannot be read", error=str(error))
    headers = _ALWAYS | {"cache-control": "no-store", "content-type": TEXT}
    return Response("the log cannot be read at the moment\n", 503, headers=headers)


def _policy() -> str:
    style = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _index(key: VerifierKey) -> bytes:
    name, full = html.escape(key.name), html.escape(str(key))
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{name}</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>{name}</h1>
<p>This is a public log of accesses to the data of people. Whenever somebody on the staff of a platform is shown a
person's data, an entry for that person is in this log before the first byte is shown. The log holds no names and no
data: only the person concerned can find and open the entries about themselves. It can be added to, but not changed
without everybody noticing.</p>
<h2>Check it</h2>
<p>Take the log's verifier key from a place that you trust, and not only from this page:</p>
<p><code>{full}</code></p>
<p>Then recompute the whole log, with the address of this page as PLACE:</p>
<p><code>seenby-verify log PLACE --key {full}</code></p>
<p>To check a file that says who has seen <em>your</em> data, open it on <a href="verify.html">this page</a>. The file
stays in your browser. You may save the page and open it from your own disk.</p>
<h2>Read it</h2>
<p><a href="checkpoint">checkpoint</a>: the size and root of the log, signed by the log and cosigned by its witnesses.
The entries and hashes are files named as <a href="https://c2sp.org/tlog-tiles">C2SP tlog-tiles</a> has it: any program
that knows that format can follow the log, and any web server can serve a copy.</p>
</body>
</html>
""".encode()


def listen_public(publish: Publish) -> socket.socket:
    """The socket that ``[publish]`` names. Raises ConfigError."""
    family = socket.AF_INET6 if ":" in publish.host else socket.AF_INET
    # The protocol is named, since asyncio sets TCP_NODELAY only then: without, each answer waits 40 ms for an ACK.
    made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((publish.host, publish.port))
        made.listen(128)
    except OSError as error:
        made.close()
        raise ConfigError(
            f"cannot listen on {publish.host}:{publish.port}: {error.strerror or error}",
            hint="check [publish] host and port in seenby.toml",
        ) from None
    return made


async def serve_public(app: Starlette, listener: socket.socket, publish: Publish = Publish()) -> None:  # noqa: B008  # frozen
    """Serves ``app`` until it is cancelled, then closes ``listener``. Raises ConfigError for a bad certificate."""
    config = uvicorn.Config(
        app,
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_graceful_shutdown=1,
        ssl_certfile=publish.tls_cert or None,
        ssl_keyfile=publish.tls_key or None,
    )
    try:
        config.load()
    except (OSError, ssl.SSLError) as error:
        listener.close()
        raise ConfigError(
            f"cannot use {publish.tls_cert} and {publish.tls_key}: {error}",
            hint="check [publish] tls_cert and tls_key in seenby.toml",
        ) from None
    await serve_http(config, listener)

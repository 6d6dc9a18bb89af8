"""The control API's paths about migrations of the platform's schema (docs/formats/grant.md lists them)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from seenby.gateway.control_api import Api
from seenby.gateway.migration import Migration
from seenby.grants.terms import MAX_TEXT


def migration_routes(migration: Migration) -> Callable[[Api], list[Route]]:
    """For ``control_app``."""

    def routes(api: Api) -> list[Route]:
        async def status(request: Request) -> Response:
            api.reader(request)
            return JSONResponse({"open": migration.status()})

        async def begin(request: Request) -> Response:
            who, sent = await api.writer(request)
            reason = sent.text("reason")
            if len(reason) > MAX_TEXT or not reason.isprintable():
                raise sent.wrong("reason", f"one line of at most {MAX_TEXT} printable characters")
            await migration.begin(who, sent.integer("minutes"), reason)
            return JSONResponse({"open": migration.status()}, 201)

        async def end(request: Request) -> Response:
            who, _ = await api.writer(request)
            return JSONResponse(asdict(await migration.end(who)))

        return [
            Route("/migration", status),
            Route("/migration", begin, methods=["POST"]),
            Route("/migration/end", end, methods=["POST"]),
        ]

    return routes

"""The control API's paths about people's keys: enrolment and erasure (docs/formats/grant.md lists them)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from seenby.gateway.control_api import Api
from seenby.gateway.enrolment import Enrolment
from seenby.gateway.erasure import ErasureService


def people_routes(enrolment: Enrolment, erasures: ErasureService) -> Callable[[Api], list[Route]]:
    """For ``control_app``."""

    def routes(api: Api) -> list[Route]:
        async def count(request: Request) -> Response:
            return JSONResponse(await enrolment.count(api.reader(request)))

        async def enrol(request: Request) -> Response:
            who, sent = await api.writer(request)
            after = None if sent.body.get("after") is None else sent.text("after")
            return JSONResponse(asdict(await enrolment.enrol(who, sent.text("kind"), after)))

        async def erase(request: Request) -> Response:
            who, sent = await api.writer(request)
            answer = await erasures.ask(who, sent.texts("people"), at_once=sent.flag("now"))
            return JSONResponse(answer, 202)

        async def waiting(request: Request) -> Response:
            return JSONResponse(erasures.due() | {"waiting": erasures.waiting(api.reader(request))})

        return [
            Route("/people", count),
            Route("/enrolments", enrol, methods=["POST"]),
            Route("/erasures", erase, methods=["POST"]),
            Route("/erasures", waiting),
        ]

    return routes

"""The control API's paths for daily reports: an auditor reads the newest one, and confirms it."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from seenby.gateway.control_api import Api
from seenby.gateway.reporting import DailyReports


def report_routes(reports: DailyReports) -> Callable[[Api], list[Route]]:
    """For ``control_app``."""

    def routes(api: Api) -> list[Route]:
        async def newest(request: Request) -> Response:
            api.reader(request)
            found, epoch = await reports.newest()
            return JSONResponse({"document": found.encode().decode(), "epoch": epoch})

        async def confirm(request: Request) -> Response:
            by, sent = await api.writer(request)
            document, epoch, signature = sent.text("document").encode(), sent.integer("epoch"), sent.hex("signature")
            await reports.confirm(api.service.truth, by, document, epoch, signature)
            return JSONResponse({"confirmed": True}, 201)

        return [Route("/reports/newest", newest), Route("/reports/newest", confirm, methods=["POST"])]

    return routes

"""The control API's path for receipts (docs/formats/receipts.md): everybody lists their own, nobody another's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from seenby.errors import UsageError
from seenby.gateway.control_api import Api
from seenby.stores.receipts import Given, Page, Receipts
from seenby_verify.tlog.entries import key_id
from seenby_verify.tlog.strict import decode_decimal


def receipt_routes(receipts: Receipts) -> Callable[[Api], list[Route]]:
    """For ``control_app``."""

    def routes(api: Api) -> list[Route]:
        async def own(request: Request) -> Response:
            reader = api.reader(request)
            page = await receipts.page(reader.name, since_of(request), key_id(reader.public_key))
            return JSONResponse(page_json(page))

        return [Route("/receipts", own)]

    return routes


def since_of(request: Request) -> int:
    """The first entry wanted. Raises UsageError."""
    sent = request.query_params.multi_items()
    if not sent:
        return 0
    since = decode_decimal(sent[0][1])
    if len(sent) != 1 or sent[0][0] != "since" or since is None:
        raise UsageError("this path takes one number, the first entry wanted", hint="as in /receipts?since=73894")
    return since


def page_json(page: Page) -> dict[str, Any]:
    """As docs/formats/receipts.md has it, "Fetching"."""
    return {"entries": [_entry(one) for one in page.given], "next": page.next}


def _entry(one: Given) -> dict[str, Any]:
    return {"index": one.index, "receipt" if one.is_receipt else "promise": one.text.decode()}

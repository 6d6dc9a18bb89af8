"""The kinds of grants that staff would have, with the classes and caps that an approver would agree to.

A support agent sees one person and a few more; a case or an access request, whose messages and address books are
other people's too, two hundred; somebody who works on a whole region five thousand. A cap counts over a grant's whole
life, and each query stands for one grant's: so the grants that are made here have high caps, and ``Kind``'s are applied
to every query alone.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from seenby.grants.signing import Verb
from seenby.grants.terms import decode_terms, grant_commit
from tests.fixtures.gateway import Served

REGION = 1_000_000_000
CUSTOMER = (REGION + 42,)
CREATORS = tuple(REGION + n for n in (20, 21, 22, 42))
CASE = tuple(REGION + n for n in range(1, 81))
"""Whom a case is about: people of the cast among them, and enough others that they write to each other."""


@dataclass(frozen=True)
class Kind:
    """A kind of grant: ``cells`` are classes and columns, of people whose home is the region; no ``people``: all."""

    purpose: str
    cells: tuple[str, ...]
    people: tuple[int, ...] | None
    max_people: int
    max_rows: int
    answers: str = "rows"


EVERYTHING = ("behaviour", "biometric", "communication", "contact", "content", "device", "identity", "location",
              "payment", "public")  # fmt: skip

KINDS = {
    "ticket": Kind("support", ("contact", "identity", "communication", "device", "logins.at", "accounts.language"),
                   CUSTOMER, 5, 1_000),
    "ticket-payment": Kind("support", ("contact", "payment"), CUSTOMER, 5, 1_000),
    "queue": Kind("support", ("communication",), None, 5_000, 100_000),
    "public": Kind("research", ("public",), None, 5_000, 100_000),
    "reports": Kind("safety", ("communication",), None, 5_000, 100_000),
    "case": Kind("safety", ("communication", "contact", "identity"), CASE, 200, 100_000),
    "childsafety": Kind("safety", ("behaviour", "biometric", "communication", "identity"), CASE, 200, 100_000),
    "investigation": Kind("security", EVERYTHING, CASE, 200, 100_000),
    "case-payment": Kind("security", ("identity", "payment"), CASE, 200, 100_000),
    "payments": Kind("security", ("payment",), None, 5_000, 100_000),
    "payments-figures": Kind("research", ("payment",), None, 5_000, 100_000, "both"),
    "figures": Kind("research", ("behaviour", "contact", "device", "identity", "location"), None, 5_000, 100_000,
                    "both"),
    "engineering": Kind("engineering", ("behaviour", "device"), None, 5_000, 100_000),
    "engineering-case": Kind("engineering", ("behaviour", "device"), CUSTOMER, 5, 10_000),
    "access-request": Kind("legal", EVERYTHING, CUSTOMER, 200, 10_000),
    "contracts": Kind("research", ("contact", "identity"), CREATORS, 5, 10_000),
}  # fmt: skip


def make(served: Served, name: str, kind: Kind) -> str:
    """An active grant of ``kind`` for ``name``; returns its id."""
    wish: dict[str, Any] = {
        "principal": name,
        "id": secrets.token_hex(16),
        "purpose": kind.purpose,
        "reference": "T-1001",
        "cells": [[what, ["eu"]] for what in sorted(kind.cells)],
        "people": kind.people and [f"account:{one}" for one in kind.people],
        "not_before": 0,
        "seconds": 3600,
        "max_people": 100_000,
        "max_rows": 10_000_000,
        "answers": kind.answers,
    }
    client = served.client(name)
    data = client.post("/drafts", wish)["terms"].encode()
    opening, terms = secrets.token_bytes(32), decode_terms(data)
    signature = client.sign(Verb.REQUEST, terms.id, grant_commit(opening, data))
    view = client.post("/grants", {"terms": data.decode(), "opening": opening.hex(), "signature": signature})
    assert view["state"] == "active", view
    return terms.id

"""The control API: nobody by default, errors in words, nothing that a recorded request could do twice."""

from __future__ import annotations

import json
import socket
import stat
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest

from seenby.errors import ConfigError
from seenby.gateway.control_api import READER, _listen
from seenby.grants.signing import Verb, read_message
from seenby.grants.terms import encode_terms
from seenby.model.grant import GrantTerms
from seenby.model.principal import Principal
from tests.fixtures.grant_gateway import Door, open_door
from tests.fixtures.grants import (
    ADA,
    AUDREY,
    BEN,
    DORA,
    JO,
    LI,
    OPENING,
    ROOT,
    SAM,
    UNA,
    private_key,
    signed,
    wish,
)
from tests.fixtures.ledgers import entries

pytestmark = pytest.mark.postgres


@pytest.fixture
def door(tmp_path: Path, control_dsn: str) -> Iterator[Door]:
    with open_door(tmp_path, control_dsn, time.time) as opened:
        yield opened


@pytest.fixture
def http(door: Door) -> Iterator[httpx2.Client]:
    with httpx2.Client(transport=httpx2.HTTPTransport(uds=str(door.socket)), base_url="http://gateway") as client:
        yield client


def now_wish(*arguments: Any, **changes: Any) -> GrantTerms:
    now = int(time.time())
    return wish(*arguments, not_before=now, not_after=now + 1800, requested_at=now, **changes)


def request_body(terms: GrantTerms, by: Principal) -> dict[str, str]:
    return {
        "terms": encode_terms(terms).decode(),
        "opening": OPENING.hex(),
        "signature": signed(by, Verb.REQUEST, terms).hex(),
    }


def decision(by: Principal, verb: Verb, terms: GrantTerms) -> dict[str, str]:
    return {"name": by.name, "signature": signed(by, verb, terms).hex()}


def read(http: httpx2.Client, by: Principal, path: str, at: int | None = None, of: str = "") -> httpx2.Response:
    seconds = int(time.time()) if at is None else at
    signature = private_key(by.name).sign(read_message(by.name, "eu", of or path, seconds))
    return http.get(path, headers={READER: f"{by.name} {seconds} {signature.hex()}"})


def test_a_grant_from_request_to_revocation(http: httpx2.Client, door: Door) -> None:
    terms = now_wish()
    made = http.post("/grants", json=request_body(terms, SAM))
    assert (made.status_code, made.json()["state"], made.json()["missing"]) == (201, "requested", {"eu": 2})
    for who, state in ((ADA, "requested"), (BEN, "active")):
        answer = http.post(f"/grants/{terms.id}/approve", json=decision(who, Verb.APPROVE, terms))
        assert (answer.status_code, answer.json()["state"]) == (200, state)
    assert len(door.office.service.active_for("sam")) == 1
    view = read(http, SAM, f"/grants/{terms.id}").json()
    assert view["terms"] == encode_terms(terms).decode()
    assert [(s["verb"], s["name"]) for s in view["signatures"]] == [
        ("request", "sam"), ("approve", "ada"), ("approve", "ben"),
    ]  # fmt: skip
    again = http.post("/grants", json=request_body(terms, SAM))
    assert (again.status_code, "requested before" in again.json()["error"]) == (400, True)
    ended = http.post(f"/grants/{terms.id}/revoke", json=decision(SAM, Verb.REVOKE, terms))
    assert ended.json()["state"] == "revoked"
    assert http.post(f"/grants/{terms.id}/revoke", json=decision(SAM, Verb.REVOKE, terms)).status_code == 400


def test_a_refusal_keeps_its_status_and_its_words(http: httpx2.Client) -> None:
    terms = now_wish(LI)
    answer = http.post("/grants", json=request_body(terms, LI))
    assert answer.status_code == 403
    told = answer.json()
    assert set(told) == {"error", "hint", "detail", "sqlstate"}
    assert told["sqlstate"] == "42501"
    assert told["detail"].startswith("rule country-outside-region")
    forged = http.post("/grants", json=request_body(now_wish(), SAM) | {"signature": "00" * 64})
    assert (forged.status_code, forged.json()["sqlstate"]) == (422, "22000")


def test_who_may_read_what(http: httpx2.Client, door: Door) -> None:
    terms = now_wish()
    http.post("/grants", json=request_body(terms, SAM))
    for who in (SAM, ADA, DORA, AUDREY):
        assert read(http, who, f"/grants/{terms.id}").status_code == 200
        assert len(read(http, who, "/grants").json()) == 1
    for who in (LI, ROOT, UNA):
        assert read(http, who, f"/grants/{terms.id}").status_code == 404
        assert read(http, who, "/grants").json() == []
    protected = now_wish(AUDREY, "device", people=(JO,), id="01" * 16)
    assert http.post("/grants", json=request_body(protected, AUDREY)).status_code == 403
    [notice] = read(http, DORA, "/notices").json()
    assert (notice["kind"], notice["principal"]) == ("protected person", "audrey")
    for who in (SAM, ADA, AUDREY, ROOT, UNA):
        assert read(http, who, "/notices").status_code == 401


def test_a_reading_must_be_signed_for_this_path_now_by_its_reader(http: httpx2.Client) -> None:
    assert http.get("/grants").status_code == 401
    assert http.get("/grants", headers={READER: "dora 1"}).status_code == 401
    assert http.get("/grants", headers={READER: "dora x zz"}).status_code == 401
    assert read(http, DORA, "/notices", of="/grants").status_code == 422
    assert read(http, DORA, "/notices?all=1", of="/notices").status_code == 422
    for shift in (-120, 120):
        answer = read(http, DORA, "/notices", at=int(time.time()) + shift)
        assert (answer.status_code, "another time" in answer.json()["error"]) == (401, True)
    assert read(http, replace(DORA, name="mallory"), "/notices").status_code == 401


def test_a_draft_says_what_is_needed_and_nothing_about_people(http: httpx2.Client, door: Door) -> None:
    asked = {
        "principal": "sam", "id": "01" * 16, "purpose": "support", "reference": "t:1", "cells": [["contact", ["eu"]]],
        "people": ["account:42"], "not_before": 0, "seconds": 60, "max_people": 1, "max_rows": 10,
    }  # fmt: skip
    answers = [http.post("/drafts", json=asked | {"people": [f"account:{key}"]}).json() for key in (42, 7, 404)]
    terms = [json.loads(answer["terms"]) for answer in answers]
    assert [t["approvals"] for t in terms] == [2, 2, 2]
    assert terms[0]["country"] == "IE"
    size = len(entries(door.office.folder))
    assert size == 1, "a draft is no attempt"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/grants", b"{"),
        ("POST", "/grants", b"[]"),
        ("POST", "/grants", b"{}"),
        ("POST", "/grants", b'{"terms": 1, "opening": "00", "signature": "00"}'),
        ("POST", "/grants", b'{"terms": "{}", "opening": "zz", "signature": "00"}'),
        ("POST", "/grants", b'{"terms": "{}", "opening": "00", "signature": "00"}'),
        ("POST", "/grants", b"\xff" * 100),
        ("POST", "/grants", b"[" * 200_000),
        ("POST", "/grants", b" " * 300_000),
        ("POST", "/drafts", b'{"principal": "sam", "id": "x", "purpose": "p", "reference": "", "cells": [1]}'),
        ("POST", "/grants/abcd/approve", b'{"name": "ada", "signature": "00"}'),
        ("POST", "/grants/abcd/bless", b"{}"),
        ("GET", "/nothing", b""),
        ("DELETE", "/grants", b""),
    ],
    ids=lambda value: repr(value[:40]) if isinstance(value, bytes) else value,
)
def test_whatever_comes_the_answer_is_a_sentence(http: httpx2.Client, method: str, path: str, body: bytes) -> None:
    answer = http.request(method, path, content=body)
    assert 400 <= answer.status_code < 500
    assert set(answer.json()) == {"error", "hint", "detail", "sqlstate"}
    assert answer.json()["error"]


def test_our_own_fault_shows_no_insides(http: httpx2.Client, door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(prefix: str) -> None:
        raise RuntimeError("account:42 is secret")

    monkeypatch.setattr(door.office.service.truth, "find", broken)
    answer = http.post("/grants/abcd/approve", json={"name": "ada", "signature": "00"})
    assert answer.status_code == 500
    assert answer.json()["error"] == "the gateway failed"
    assert "secret" not in answer.text


def test_the_socket_is_for_one_gateway_and_its_group(door: Door, http: httpx2.Client) -> None:
    assert http.get("/healthz").json() == {"ok": True, "region": "eu"}
    assert stat.S_IMODE(door.socket.stat().st_mode) == 0o660
    with pytest.raises(ConfigError, match="another gateway listens"):
        _listen(door.socket)


def test_a_socket_left_by_a_crash_is_taken_over(tmp_path: Path) -> None:
    left = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(left))
    _listen(left).close()


def test_a_body_is_read_only_so_far(http: httpx2.Client) -> None:
    answer = http.post("/grants", content=b'{"terms": "' + b"x" * 300_000 + b'"}')
    assert (answer.status_code, answer.json()["error"]) == (400, "this request is too long")

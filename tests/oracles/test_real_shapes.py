"""The two oracles once more, on the demo's platform: real grants, real views, the running gateway.

Here nothing of the guard is taken for granted. What a grant shows is read from the data map a second time, in Python
(``Reading``), and written into tables of their own; what belongs to whom likewise. Then, for generated queries of the
answered shapes under fenced, listed and region-wide grants, through the gateway:

* the answer equals the one on those tables (I5);
* whoever changes the answer of the views when all their rows are deleted is among the recorded people (I4).
"""

from __future__ import annotations

import os
import random
import secrets
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.resources import files
from typing import Any

import psycopg
import pytest

from tests.fixtures.gateway import Served, submissions
from tests.fixtures.reading import Reading, Rows, quoted
from tests.fixtures.staff_queries import Generator, Question, usable

pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("oracles")]

MAP = tomllib.loads((files("seenby.demo") / "datamap.toml").read_text())
LONG = os.environ.get("SEENBY_CAMPAIGN") == "long"
ACCOUNTS = ("public", "accounts")
QUERIES = 100 if LONG else 15  # a grant
DELETED = 150 if LONG else 12  # people, of about 700

JOINS = tuple(
    (("public", left), (left_column,), ("public", right), (right_column,))
    for left, left_column, names in (
        ("accounts", "id", "videos.account_id comments.account_id devices.account_id likes.account_id"
         " messages.sender_id messages.recipient_id follows.followee_id contacts.account_id"
         " contacts.matched_account_id watch_events.account_id wallets.account_id"),
        ("accounts", "phone", "contacts.phone"),
        ("devices", "id", "logins.device_id positions.device_id"),
        ("videos", "id", "comments.video_id likes.video_id watch_events.video_id"),
        ("videos", "sound_id", "sounds.id"),
        ("videos", "account_id", "follows.follower_id messages.sender_id"),
        ("wallets", "id", "purchases.wallet_id"),
    )
    for right, right_column in (name.split(".") for name in names.split())
)  # fmt: skip


@dataclass
class Granted:
    name: str
    id: str
    role: str
    schema: str  # of the views
    copy: str
    reading: Reading


def _grants(accounts: Sequence[str]) -> Iterator[tuple[str, dict[str, set[str]], list[str] | None]]:
    both, eu, us = {"eu", "us"}, {"eu"}, {"us"}
    yield "one", {"contact": eu, "public": eu}, list(accounts[:1])
    yield "fenced", {"contact": both, "public": both, "communication": both, "behaviour": both, "device": both,
                     "location": eu, "payment": both}, list(accounts[:25])  # fmt: skip
    yield "listed", {"contact": eu, "public": both, "communication": both, "behaviour": eu, "device": both,
                     "accounts.full_name": us, "contacts.name": us, "payment": both}, list(accounts[:60])  # fmt: skip
    yield "wide", {"public": eu}, None
    yield "partial", {"contact": us, "public": both, "communication": us, "identity": eu, "location": us,
                      "device": both, "behaviour": both, "accounts.phone": eu}, None  # fmt: skip


@pytest.fixture(scope="module")
def platform(served: Served) -> Iterator[Rows]:
    """Every third account has moved: to the other region, though its data stayed."""
    with served.direct() as connection:
        connection.execute("UPDATE accounts SET home_region = 'us' WHERE id % 3 = 0")
        try:
            yield Rows(connection, MAP)
        finally:
            connection.execute("UPDATE accounts SET home_region = 'eu'")


@pytest.fixture(scope="module")
def granted(served: Served, platform: Rows) -> Iterator[list[Granted]]:
    made = []
    accounts = [f"account:{row['id']}" for row in platform.rows[ACCOUNTS]]
    prefix = f"reading_{secrets.token_hex(3)}"
    with pytest.MonkeyPatch.context() as patch, served.direct() as connection:
        patch.setattr(import_module("seenby.guard.design"), "FENCE_LIMIT", 30)
        for name, cells, people in _grants(accounts):
            grant = served.grant("aoife.byrne", *((one, sorted(homes)) for one, homes in cells.items()), people=people)
            scope = None if people is None else {("account", one.partition(":")[2]) for one in people}
            reading = Reading(platform, cells, scope)
            connection.execute(f"CREATE SCHEMA {prefix}_{name}".encode())
            reading.write(connection, {"public": f"{prefix}_{name}"})
            with served.connect("aoife.byrne", grant) as through:
                (role,) = through.execute("SELECT current_user").fetchone() or ("",)
            (schema,) = connection.execute(
                "SELECT nspname FROM pg_namespace"
                " WHERE nspname ~ '^seenby_v' AND has_schema_privilege(%s, oid, 'USAGE')",
                (role,),
            ).fetchone() or ("",)
            made.append(Granted(name, grant, role, schema, f"{prefix}_{name}", reading))
        try:
            yield made
        finally:
            for one in made:
                connection.execute(f"DROP SCHEMA {one.copy} CASCADE".encode())


def rows_of(connection: psycopg.Connection[Any], text: str) -> list[str] | str:
    """The rows in an order of their own (generated queries do not fix it), or the SQLSTATE."""
    try:
        return sorted(map(str, connection.execute(text.encode()).fetchall()))
    except psycopg.Error as error:
        return error.sqlstate or "?"


def test_the_views_show_what_the_data_map_says(served: Served, granted: list[Granted]) -> None:
    with served.direct("-c TimeZone=UTC") as direct:
        for one in granted:
            assert one.reading.shown
            with served.connect("aoife.byrne", one.id) as through:
                for (_, table), columns in one.reading.shown.items():
                    text = f"SELECT {', '.join(map(quoted, columns))} FROM {table}"
                    direct.execute(f"SET search_path = {one.copy}".encode())
                    assert rows_of(through, text) == rows_of(direct, text), (one.name, table)
                    assert rows_of(through, f"SELECT * FROM {table}") == rows_of(direct, f"SELECT * FROM {table}")
                for table in MAP["tables"].keys() - {name for _, name in one.reading.shown}:
                    assert rows_of(through, f"SELECT 1 FROM {table}") == "42501", (one.name, table)


def test_generated_queries(served: Served, platform: Rows, granted: list[Granted]) -> None:
    pick = random.Random(f"{os.environ['SEENBY_SEED']} real shapes")
    asked: list[tuple[Granted, Question, set[str]]] = []
    answered = 0
    with served.direct("-c TimeZone=UTC") as direct:
        for one in granted:
            direct.execute(f"SET search_path = {one.copy}".encode())
            joins = [join for join in JOINS if usable(one.reading, join)]
            generator = Generator(one.reading, pick, joins, schemas=False)
            with served.connect("aoife.byrne", one.id) as through:
                for question in [generator.ask() for _ in range(QUERIES)]:
                    text = question.text
                    with submissions(served) as found:
                        got = rows_of(through, text)
                    if got in ("0A000", "42501"):
                        continue  # refused in words
                    wanted = rows_of(direct, text)
                    assert got == wanted, (one.name, text)
                    answered += 1
                    asked.append((one, question, {person for people in found for person in people}))
    assert answered > len(granted) * QUERIES // 3
    # In the order of people, so that each is deleted once.
    first = [("account", str(row["id"])) for row in platform.rows[ACCOUNTS][:8]]  # in every grant
    people = first + pick.sample(platform.people, min(DELETED, len(platform.people)))
    disclosed = 0
    with served.direct("-c TimeZone=UTC -c session_replication_role=replica -c jit=off") as direct:
        bases: list[list[str] | str] = []
        for kind, key in [("nobody", ""), *people]:
            with direct.transaction(force_rollback=True):
                if key:
                    platform.delete(direct, kind, key)
                for place, (one, question, recorded) in enumerate(asked):
                    with direct.transaction(force_rollback=True):
                        direct.execute(f"SET LOCAL search_path = {one.schema}; SET LOCAL ROLE {one.role}".encode())
                        now = rows_of(direct, question.named)  # a star would show the view's keys
                    if not key:
                        bases.append(now)
                    elif now != bases[place]:
                        disclosed += 1
                        assert f"{kind}:{key}" in recorded, (one.name, question.text)
    assert disclosed > len(people) // 2

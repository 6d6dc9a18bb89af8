"""The two oracles once more, on the demo's platform: real grants, real views, the running gateway.

Here nothing of the guard is taken for granted. What a grant shows is read from the data map a second time, in Python
(``Reading``), and written into tables of their own; what belongs to whom likewise. Then, for generated queries of the
answered shapes under fenced, listed and region-wide grants, through the gateway:

* the answer equals the one on those tables (I5);
* whoever changes the answer of the views when all their rows are deleted is among the recorded people (I4).
"""

from __future__ import annotations

import ipaddress
import os
import random
import secrets
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Decimal
from functools import cached_property
from importlib import import_module
from importlib.resources import files
from typing import Any

import psycopg
import pytest

from tests.fixtures.gateway import Served, submissions

pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("oracles")]

MAP = tomllib.loads((files("seenby.demo") / "datamap.toml").read_text())
LONG = os.environ.get("SEENBY_CAMPAIGN") == "long"
QUERIES = 100 if LONG else 15  # a grant
DELETED = 150 if LONG else 12  # people, of about 700

Row = dict[str, str | None]
Owners = list[tuple[str, str, str]]  # (kind, key, home region)


class Platform:
    """All rows as text, and whose they are."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.rows: dict[str, list[Row]] = {}
        self.types: dict[str, dict[str, str]] = {}
        for table in MAP["tables"]:
            described = connection.execute(
                "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute"
                f" WHERE attrelid = '{table}'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum".encode()
            ).fetchall()
            self.types[table] = dict(described)
            texts = ", ".join(f"{name}::text" for name in self.types[table])
            read = connection.execute(f"SELECT {texts} FROM public.{table}".encode()).fetchall()
            self.rows[table] = [dict(zip(self.types[table], row, strict=True)) for row in sorted(read, key=str)]
        self._index: dict[tuple[str, str], dict[str | None, Row]] = {}
        self.owned = {table: [(row, self._owners(table, row)) for row in rows] for table, rows in self.rows.items()}

    def _one(self, table: str, column: str, value: str) -> Row | None:
        index = self._index.get((table, column))
        if index is None:
            index = self._index[table, column] = {row[column]: row for row in self.rows[table]}
        return index.get(value)

    def _owners(self, table: str, row: Row) -> Owners | None:
        """None: a reference leads nowhere, or an owner that must be there is not."""
        owners: Owners = []
        any_of = MAP["tables"][table].get("scope") == "any"
        for owner in MAP["tables"][table].get("owners", ()):
            path = [owner["path"]] if isinstance(owner["path"], str) else owner["path"]
            here: Row | None = row
            lost = absent = False
            for hop in path[:-1]:
                column, target = hop.split(" -> ")
                assert here is not None
                value = here[column]
                absent = absent or value is None
                there, _, unique = target.partition(".")
                here = None if value is None else self._one(there, unique, value)
                if here is None:
                    lost = not absent
                    break
            key = None if here is None else here[path[-1]]
            kind = MAP["people"][owner["kind"]]
            region: str | None = "eu"
            if key is not None and kind.get("account", True):
                person = self._one(kind["table"], kind["key"], key)
                region = person["home_region"] if person else None
                lost = person is None
            if key is None and not (owner.get("nullable") or any_of):
                return None
            if lost and not any_of:
                return None
            if key is not None and not lost:
                owners.append((owner["kind"], key, region or ""))
        return owners

    @cached_property
    def people(self) -> list[tuple[str, str]]:
        return sorted(
            {(kind, key) for rows in self.owned.values() for _, owners in rows for kind, key, _ in owners or ()}
        )

    def delete(self, connection: psycopg.Connection[Any], kind: str, key: str) -> None:
        """All rows of one person, however far away they are."""
        for table, rows in self.owned.items():
            names = MAP["tables"][table]["key"]
            mine = [
                "(" + ", ".join(f"'{row[name]}'" for name in names) + ")"
                for row, owners in rows
                if owners and any(owner[:2] == (kind, key) for owner in owners)
            ]
            if mine:
                texts = ", ".join(f"{name}::text" for name in names)
                connection.execute(f"DELETE FROM public.{table} WHERE ({texts}) IN ({', '.join(mine)})".encode())


@dataclass
class Reading:
    """What a grant shows, by a second reading of docs/formats/datamap.md."""

    platform: Platform
    cells: dict[str, set[str]]
    people: set[tuple[str, str]] | None
    shown: dict[str, list[str]] = field(default_factory=dict)  # table -> columns of the view
    plain: dict[str, list[str]] = field(default_factory=dict)  # of these, the ones never masked

    def regions(self, table: str, column: str) -> set[str]:
        mapped = MAP["tables"][table]["columns"][column]
        data_class = mapped if isinstance(mapped, str) else mapped["class"]
        if data_class == "public":
            return set().union(*self.cells.values())
        return self.cells.get(data_class, set()) | self.cells.get(f"{table}.{column}", set())

    @staticmethod
    def mask(table: str, column: str) -> Any:
        """The mask, "null", or None: refused instead."""
        mapped = MAP["tables"][table]["columns"][column]
        if not isinstance(mapped, str) and "mask" in mapped:
            return mapped["mask"]
        data_class = mapped if isinstance(mapped, str) else mapped["class"]
        return "null" if data_class in MAP["mask"] else None

    def write(self, connection: psycopg.Connection[Any], schema: str) -> None:
        connection.execute(f"CREATE SCHEMA {schema}".encode())
        for table, mapped in MAP["tables"].items():
            columns = [name for name in self.platform.types[table] if name in mapped["columns"]]
            nobody = mapped.get("nobody", False)
            revealed = {name: self.regions(table, name) for name in columns}
            homes = set().union(*revealed.values())
            if nobody:
                columns = [name for name in columns if mapped["columns"][name] == "public"]
            else:
                columns = [name for name in columns if revealed[name] or self.mask(table, name) is not None]
            if not columns or not homes:
                continue
            self.shown[table] = columns
            self.plain[table] = [name for name in columns if nobody or revealed[name] >= homes]
            typed = ", ".join(f"{name} {self.platform.types[table][name]}" for name in columns)
            connection.execute(f"CREATE TABLE {schema}.{table} ({typed})".encode())
            rows = []
            for row, owners in self.platform.owned[table]:
                if nobody:
                    rows.append([row[name] for name in columns])
                    continue
                inside = [
                    one for one in owners or () if one[2] in homes and (not self.people or one[:2] in self.people)
                ]
                any_of = mapped.get("scope") == "any"
                if not inside or (not any_of and len(inside) < len(owners or ())):
                    continue
                judge = any if any_of else all
                rows.append([
                    row[name]
                    if judge(region in revealed[name] for _, _, region in inside)
                    else masked(self.mask(table, name), row[name])
                    for name in columns
                ])  # fmt: skip
            places = ", ".join(f"%s::{self.platform.types[table][name]}" for name in columns)
            with connection.cursor() as cursor:
                cursor.executemany(f"INSERT INTO {schema}.{table} VALUES ({places})".encode(), rows)
        connection.execute(f"GRANT USAGE ON SCHEMA {schema} TO PUBLIC".encode())


def masked(mask: Any, value: str | None) -> str | None:
    if isinstance(mask, dict):
        return str(mask["constant"])
    if value is None or mask in {"null", None}:  # None: shown in other rows, so here it is NULL
        return None
    match mask:
        case "last4":
            return "****" + (value[-4:] if len(value) > 8 else "")
        case "initial":
            return value[0] + "***" if value else None
        case "email-domain":
            return "***@" + value.split("@")[1] if "@" in value else None
        case "year":
            return value[:4] + "-01-01"
        case "day":
            return value[:10] + " 00:00:00+00"
        case "network":
            address = ipaddress.ip_interface(value)
            return str(ipaddress.ip_network(f"{address.ip}/{16 if address.version == 4 else 32}", strict=False))
        case "one-decimal":
            return str(Decimal(value).quantize(Decimal("0.1"), ROUND_DOWN))
    raise AssertionError(mask)


# --- queries ------------------------------------------------------------------------------------------------------

JOINS = tuple(
    (left, left_column, right, right_column)
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


class Generator:
    """Queries over what one grant shows; decided by ``pick`` alone."""

    def __init__(self, reading: Reading, pick: random.Random) -> None:
        self.reading = reading
        self.pick = pick
        plain = reading.plain
        self.joins = [join for join in JOINS if join[1] in plain.get(join[0], ()) and join[3] in plain.get(join[2], ())]
        self.tables = [table for table in plain if reading.platform.rows[table] and table != "sounds"]

    def constant(self, table: str, column: str) -> str:
        values = [row[column] for row in self.reading.platform.rows[table] if row[column] is not None] or ["0"]
        return "'" + str(self.pick.choice(values)).replace("'", "''") + "'"

    def condition(self, alias: str, table: str) -> str:
        column = self.pick.choice(self.reading.plain[table] or ["NULL"])
        if column == "NULL":
            return "true"
        name = f"{alias}.{column}"
        kind = self.reading.platform.types[table][column]
        test = self.pick.choice(["=", "<>", "<", ">=", "IN", "NULL", "NOT NULL", "CASE"])
        if kind in {"jsonb", "json"} or test in {"NULL", "NOT NULL"}:
            return f"{name} IS {'NOT ' if test != 'NULL' else ''}NULL"
        if test == "IN":
            return f"{name} IN ({self.constant(table, column)}, {self.constant(table, column)})"
        if test == "CASE":
            return f"CASE WHEN {name} > {self.constant(table, column)} THEN {name} IS NOT NULL ELSE false END"
        return f"{name} {test} {self.constant(table, column)}"

    def outputs(self, alias: str, table: str, *, plain: bool = False) -> list[str]:
        names = (self.reading.plain if plain else self.reading.shown)[table]
        return [f"{alias}.{name}" for name in self.pick.sample(names, min(len(names), self.pick.randint(1, 4)))]

    def source(self) -> tuple[str, list[tuple[str, str]]]:
        """FROM, and its (alias, table)s."""
        if not self.joins or self.pick.random() < 0.35:
            table = self.pick.choice(self.tables)
            where = f" WHERE {self.condition('a', table)}" if self.pick.random() < 0.7 else ""
            return f"FROM {table} a{where}", [("a", table)]
        left, left_column, right, right_column = self.pick.choice(self.joins)
        kind = self.pick.choice(["JOIN", "JOIN", "LEFT JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"])
        on = f"a.{left_column} = b.{right_column}"
        if kind != "FULL JOIN" and self.pick.random() < 0.4:
            on += f" AND {self.condition('b', right)}"
        where = self.pick.choice(["", f" WHERE {self.condition('a', left)}", f" WHERE {self.condition('b', right)}",
                                  f" WHERE b.{right_column} IS NULL"])  # fmt: skip
        return f"FROM {left} a {kind} {right} b ON {on}{where}", [("a", left), ("b", right)]

    def plain_select(self, *, plain: bool = False) -> tuple[str, list[str]]:
        text, tables = self.source()
        outputs = [one for alias, table in tables for one in self.outputs(alias, table, plain=plain)]
        named = [f"{one} AS c{place}" for place, one in enumerate(outputs)]
        return f"SELECT {', '.join(named) or '1 AS c0'} {text}", outputs

    def query(self) -> str:
        shape = self.pick.choice(
            [
                "plain",
                "plain",
                "star",
                "group",
                "count",
                "distinct",
                "window",
                "union",
                "set",
                "derived",
                "with",
                "limit",
            ]
        )
        if shape == "plain":
            return self.plain_select()[0]
        if shape == "star":
            text, _ = self.source()
            return f"SELECT * {text}"
        if shape == "derived":
            return f"SELECT d.* FROM ({self.plain_select()[0]}) d"
        if shape == "with":
            return f"WITH w AS ({self.plain_select()[0]}) SELECT count(*) FROM w"
        if shape == "limit":
            text, outputs = self.plain_select(plain=True)
            order = ", ".join(f"{place}" for place in range(1, len(outputs) + 1)) or "1"
            return f"{text} ORDER BY {order} LIMIT {self.pick.randint(0, 5)} OFFSET {self.pick.randint(0, 3)}"
        text, outputs = self.plain_select(plain=True)
        if shape == "count":
            return f"SELECT count(*), max(c0::text) FROM ({text}) d"
        if shape == "group":
            return f"SELECT c0::text, count(*) FROM ({text}) d GROUP BY 1 HAVING count(*) < {self.pick.randint(1, 9)}"
        if shape == "distinct":
            return f"SELECT DISTINCT c0::text FROM ({text}) d"
        if shape == "window":
            return f"SELECT c0, count(*) OVER (PARTITION BY c0::text) FROM ({text}) d"
        other, _ = self.plain_select(plain=True)
        operation = self.pick.choice(["UNION ALL"] if shape == "union" else ["UNION", "EXCEPT", "INTERSECT"])
        return f"SELECT c0::text FROM ({text}) d {operation} SELECT c0::text FROM ({other}) e"


# --- the grants ---------------------------------------------------------------------------------------------------


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
def platform(served: Served) -> Iterator[Platform]:
    """Every third account has moved: to the other region, though its data stayed."""
    with served.direct() as connection:
        connection.execute("UPDATE accounts SET home_region = 'us' WHERE id % 3 = 0")
        try:
            yield Platform(connection)
        finally:
            connection.execute("UPDATE accounts SET home_region = 'eu'")


@pytest.fixture(scope="module")
def granted(served: Served, platform: Platform) -> Iterator[list[Granted]]:
    made = []
    accounts = [f"account:{row['id']}" for row in platform.rows["accounts"]]
    prefix = f"reading_{secrets.token_hex(3)}"
    with pytest.MonkeyPatch.context() as patch, served.direct() as connection:
        patch.setattr(import_module("seenby.guard.design"), "FENCE_LIMIT", 30)
        for name, cells, people in _grants(accounts):
            grant = served.grant("aoife.byrne", *((one, sorted(homes)) for one, homes in cells.items()), people=people)
            scope = None if people is None else {("account", one.partition(":")[2]) for one in people}
            reading = Reading(platform, cells, scope)
            reading.write(connection, f"{prefix}_{name}")
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
                for table, columns in one.reading.shown.items():
                    text = f"SELECT {', '.join(columns)} FROM {table}"
                    direct.execute(f"SET search_path = {one.copy}".encode())
                    assert rows_of(through, text) == rows_of(direct, text), (one.name, table)
                    assert rows_of(through, f"SELECT * FROM {table}") == rows_of(direct, f"SELECT * FROM {table}")
                for table in MAP["tables"].keys() - one.reading.shown.keys():
                    assert rows_of(through, f"SELECT 1 FROM {table}") == "42501", (one.name, table)


def test_generated_queries(served: Served, platform: Platform, granted: list[Granted]) -> None:
    pick = random.Random(f"{os.environ['SEENBY_SEED']} real shapes")
    asked: list[tuple[Granted, str, list[str] | str, set[str]]] = []
    answered = 0
    with served.direct("-c TimeZone=UTC") as direct:
        for one in granted:
            direct.execute(f"SET search_path = {one.copy}".encode())
            generator = Generator(one.reading, pick)
            with served.connect("aoife.byrne", one.id) as through:
                for text in [generator.query() for _ in range(QUERIES)]:
                    with submissions(served) as found:
                        got = rows_of(through, text)
                    if got in ("0A000", "42501"):
                        continue  # refused in words
                    wanted = rows_of(direct, text)
                    assert got == wanted, (one.name, text)
                    answered += 1
                    asked.append((one, text, got, {person for people in found for person in people}))
    assert answered > len(granted) * QUERIES // 3
    # In the order of people, so that each is deleted once.
    first = [("account", str(row["id"])) for row in platform.rows["accounts"][:8]]  # in every grant
    people = first + pick.sample(platform.people, min(DELETED, len(platform.people)))
    disclosed = 0
    with served.direct("-c TimeZone=UTC -c session_replication_role=replica -c jit=off") as direct:
        bases: list[list[str] | str] = []
        for kind, key in [("nobody", ""), *people]:
            with direct.transaction(force_rollback=True):
                if key:
                    platform.delete(direct, kind, key)
                for place, (one, text, _, recorded) in enumerate(asked):
                    with direct.transaction(force_rollback=True):
                        direct.execute(f"SET LOCAL search_path = {one.schema}; SET LOCAL ROLE {one.role}".encode())
                        now = rows_of(direct, _without_keys(text, one))
                    if not key:
                        bases.append(now)
                    elif now != bases[place]:
                        disclosed += 1
                        assert f"{kind}:{key}" in recorded, (one.name, text)
    assert disclosed > len(people) // 2


def _without_keys(text: str, one: Granted) -> str:
    """``SELECT *`` of a view would show its keys."""
    if not text.startswith("SELECT * "):
        return text
    aliases = [(alias, table) for alias, table in _aliases(text)]
    names = [f"{alias}.{name}" for alias, table in aliases for name in one.reading.shown[table]]
    return f"SELECT {', '.join(names)} {text.removeprefix('SELECT * ')}"


def _aliases(text: str) -> Iterator[tuple[str, str]]:
    words = text.split()
    for place, word in enumerate(words):
        if word in {"FROM", "JOIN"}:
            yield words[place + 2], words[place + 1]

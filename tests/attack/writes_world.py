"""A small platform whose data map lets staff change some of it, and one grant that may change most of that."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
import pytest

from seenby.datamap import DataMap, parse
from seenby.model.grant import GrantTerms, Write, WriteAction
from seenby.model.shape import Shape
from seenby.stores.cluster import Cluster
from seenby.stores.userdb import UserDatabase, attach
from tests.attack import world

SCHEMA = """
CREATE TABLE accounts (id bigint PRIMARY KEY, handle text NOT NULL UNIQUE, bio text, home_region text NOT NULL);
CREATE TABLE videos (
  id bigint PRIMARY KEY, account_id bigint NOT NULL REFERENCES accounts, caption text NOT NULL,
  visibility text NOT NULL DEFAULT 'public' CHECK (visibility IN ('public', 'hidden')));
CREATE TABLE tickets (id bigint PRIMARY KEY, account_id bigint NOT NULL REFERENCES accounts);
CREATE TABLE notes (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, ticket_id bigint NOT NULL REFERENCES tickets,
  body text NOT NULL, author text NOT NULL, created_at timestamptz NOT NULL);
CREATE TABLE decisions (
  id bigserial PRIMARY KEY, account_id bigint NOT NULL REFERENCES accounts, video_id bigint REFERENCES videos,
  facts text NOT NULL, decided_by text NOT NULL);
CREATE TABLE links (id bigint PRIMARY KEY, account_id bigint NOT NULL REFERENCES accounts, network text NOT NULL);
CREATE TABLE follows (
  follower_id bigint REFERENCES accounts, followee_id bigint REFERENCES accounts, muted boolean NOT NULL,
  PRIMARY KEY (follower_id, followee_id));
CREATE TABLE seen (what text);
CREATE FUNCTION leak(text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001
  AS $$ BEGIN RAISE NOTICE 'leak %', $1; RETURN true; END $$;
CREATE FUNCTION note_it() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
INSERT INTO accounts SELECT n, 'user' || n, 'bio ' || n, CASE WHEN n % 5 = 0 THEN 'us' ELSE 'eu' END
  FROM generate_series(1, 10) n;
INSERT INTO videos SELECT n, 1 + (n - 1) % 10, 'video ' || n FROM generate_series(1, 30) n;
INSERT INTO tickets SELECT n, n FROM generate_series(1, 10) n;
INSERT INTO links SELECT n, 1 + (n - 1) % 10, 'Chirp' FROM generate_series(1, 20) n;
INSERT INTO follows SELECT a, b, false FROM generate_series(1, 10) a, generate_series(1, 10) b WHERE a <> b;
"""

DATAMAP = """
version = 1
mask = ["identity"]
[people.account]
table = "accounts"
key = "id"
region_column = "home_region"
[tables.accounts]
key = ["id"]
owners = [{ kind = "account", path = "id" }]
columns = { id = "public", handle = "identity", bio = "content", home_region = "public" }
staff_writable = { update = ["bio"] }
[tables.videos]
key = ["id"]
owners = [{ kind = "account", path = "account_id" }]
columns = { id = "public", account_id = "public", caption = "public", visibility = "public" }
staff_writable = { update = ["visibility", "caption"] }
[tables.tickets]
key = ["id"]
owners = [{ kind = "account", path = "account_id" }]
columns = { id = "communication", account_id = "communication" }
[tables.notes]
key = ["id"]
owners = [{ kind = "account", path = ["ticket_id -> tickets.id", "account_id"] }]
[tables.notes.columns]
id = "communication"
ticket_id = "communication"
body = "communication"
author = "communication"
created_at = "communication"
[tables.notes.staff_writable]
insert = ["ticket_id", "body"]
author = "author"
at = "created_at"
[tables.decisions]
key = ["id"]
owners = [
  { kind = "account", path = "account_id" },
  { kind = "account", path = ["video_id -> videos.id", "account_id"], nullable = true },
]
columns = { id = "content", account_id = "content", video_id = "content", facts = "content", decided_by = "content" }
staff_writable = { insert = ["account_id", "video_id", "facts"], author = "decided_by" }
[tables.links]
key = ["id"]
owners = [{ kind = "account", path = "account_id" }]
columns = { id = "identity", account_id = "identity", network = "identity" }
staff_writable = { delete = true }
[tables.follows]
key = ["follower_id", "followee_id"]
owners = [{ kind = "account", path = "follower_id" }, { kind = "account", path = "followee_id" }]
columns = { follower_id = "behaviour", followee_id = "behaviour", muted = "behaviour" }
staff_writable = { update = ["muted"] }
"""

ROLE = "seenby_g_writer0001"
READER = "seenby_g_reader0001"
PASSWORD = "grant-password"
PEOPLE = ("account:1", "account:2", "account:5")
"""1 and 2 are at home in eu, 5 in us, of which the grant reveals nothing."""
CELLS = {"behaviour": ("eu",), "communication": ("eu",), "content": ("eu",), "identity": ("eu",)}
WRITES = (
    Write("decisions", WriteAction.INSERT),
    Write("follows", WriteAction.UPDATE, ("muted",)),
    Write("links", WriteAction.DELETE),
    Write("notes", WriteAction.INSERT),
    Write("videos", WriteAction.UPDATE, ("visibility",)),
)


def datamap(text: str = DATAMAP) -> DataMap:
    return parse(text, source="datamap.toml", region="eu")


def terms(writes: tuple[Write, ...] = WRITES, people: tuple[str, ...] | None = PEOPLE) -> GrantTerms:
    return replace(world.terms(CELLS, people), writes=writes)


@dataclass(frozen=True)
class Writable:
    cluster: Cluster
    shape: Shape

    def superuser(self) -> psycopg.Connection:
        return psycopg.connect(self.cluster.dsn("platform"), autocommit=True)

    def role(self) -> psycopg.Connection:
        """A session as the gateway opens one, past the gateway, in which the role has taken the brakes off."""
        connection = psycopg.connect(self.cluster.dsn("platform", ROLE, PASSWORD), autocommit=True)
        connection.execute("SET default_transaction_isolation = 'repeatable read'")
        schema = self.shape.views["public", "videos"].view_schema
        connection.execute(f"SET search_path = {schema}")
        return connection

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        with self.superuser() as connection:
            return connection.execute(sql.encode()).fetchall()

    def guard(self, text: str = DATAMAP) -> UserDatabase:
        return UserDatabase(self.cluster.dsn("platform", "seenby_guard", world.GUARD_PASSWORD), datamap(text))


@pytest.fixture(scope="module")
def writable() -> Iterator[Writable]:
    # Not below pytest's own temporary folder, which another pytest closes to the server's user (fixtures/cluster.py).
    folder = Path(tempfile.mkdtemp(prefix="seenby-writes-"))
    cluster = Cluster.create(folder / "c", durable=False)
    try:
        with psycopg.connect(cluster.dsn(), autocommit=True) as connection:
            connection.execute("CREATE ROLE platform_owner LOGIN PASSWORD 'x'")
            connection.execute("CREATE DATABASE platform OWNER platform_owner")
        with psycopg.connect(cluster.dsn("platform", "platform_owner", "x")) as connection:
            connection.execute(SCHEMA.encode())

        async def prepare() -> Shape:
            await attach(cluster.dsn("platform"), datamap(), guard_password=world.GUARD_PASSWORD)
            database = UserDatabase(cluster.dsn("platform", "seenby_guard", world.GUARD_PASSWORD), datamap())
            try:
                await database.activate(terms(writes=()), READER, PASSWORD)
                return await database.activate(terms(), ROLE, PASSWORD)
            finally:
                await database.close()

        yield Writable(cluster, asyncio.run(prepare()))
    finally:
        cluster.remove()
        shutil.rmtree(folder)

"""A small platform to attack: 20,000 accounts, what they do, and things that are not mapped."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import psycopg

from seenby.datamap import DataMap, parse
from seenby.model.grant import Cell, GrantTerms
from seenby.model.people import Person
from seenby.stores.cluster import Cluster

PEOPLE = 20_000

SCHEMA = """
CREATE DOMAIN handle_name AS varchar(30) NOT NULL CHECK (VALUE <> '');
CREATE TYPE mood AS ENUM ('calm', 'angry');
CREATE TABLE accounts (
  id bigint PRIMARY KEY, handle handle_name, phone varchar(20) UNIQUE, email text COLLATE "C", born date,
  balance numeric(12,2) NOT NULL, home_region text, flagged boolean NOT NULL DEFAULT false, mood mood, note text);
CREATE TABLE posts (id bigint PRIMARY KEY, account_id bigint NOT NULL REFERENCES accounts, body text NOT NULL);
CREATE INDEX ON posts (account_id);
CREATE TABLE messages (
  id bigint PRIMARY KEY, sender_id bigint NOT NULL REFERENCES accounts,
  recipient_id bigint NOT NULL REFERENCES accounts, body text NOT NULL);
CREATE INDEX ON messages (sender_id);
CREATE INDEX ON messages (recipient_id);
CREATE TABLE address_book (id bigint PRIMARY KEY, account_id bigint NOT NULL REFERENCES accounts, phone text NOT NULL);
CREATE INDEX ON address_book (account_id);
CREATE INDEX ON address_book (phone);
CREATE TABLE devices (id bigint PRIMARY KEY, account_id bigint NOT NULL REFERENCES accounts, model text NOT NULL);
CREATE INDEX ON devices (account_id);
CREATE TABLE positions (
  id bigint PRIMARY KEY, device_id bigint NOT NULL REFERENCES devices, lat double precision NOT NULL, ip inet NOT NULL);
CREATE INDEX ON positions (device_id);
CREATE TABLE songs (id bigint PRIMARY KEY, title text NOT NULL, contract text NOT NULL);
CREATE TABLE internal_audit (id bigint PRIMARY KEY, secret text NOT NULL);
CREATE SEQUENCE internal_seq;
CREATE MATERIALIZED VIEW phones AS SELECT id, phone FROM accounts WITH NO DATA;
CREATE VIEW owner_rights AS SELECT id, phone FROM accounts;
CREATE FUNCTION phone_of(bigint) RETURNS text LANGUAGE sql SECURITY DEFINER
  AS 'SELECT phone FROM accounts WHERE id = $1';
CREATE FUNCTION leak(text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001
  AS $$ BEGIN RAISE NOTICE 'leak %', $1; RETURN true; END $$;
"""

DATA = f"""
INSERT INTO accounts SELECT n, 'user' || n, '+44' || (7000000000 + n * 7), 'user' || n || '@mail.example',
  date '1960-01-01' + (n % 15000), n * 1.5, CASE WHEN n % 10 = 0 THEN NULL WHEN n % 2 = 0 THEN 'us' ELSE 'eu' END,
  n % 100 = 7, CASE WHEN n % 3 = 0 THEN 'angry' ELSE 'calm' END::mood, 'SECRET' || n
  FROM generate_series(1, {PEOPLE}) n;
INSERT INTO posts SELECT n, 1 + n % {PEOPLE}, 'post ' || n FROM generate_series(1, {PEOPLE} * 2) n;
INSERT INTO messages SELECT n, 1 + n % {PEOPLE}, 1 + (n * 7) % {PEOPLE}, 'SECRET message ' || n
  FROM generate_series(1, {PEOPLE}) n;
INSERT INTO address_book SELECT n, 1 + n % {PEOPLE}, '+49' || (n % 5000) FROM generate_series(1, {PEOPLE}) n;
INSERT INTO devices SELECT n, n, 'model ' || n % 7 FROM generate_series(1, {PEOPLE}) n;
INSERT INTO positions SELECT n, n, n % 90, inet '10.0.0.0' + n FROM generate_series(1, {PEOPLE}) n;
INSERT INTO songs SELECT n, 'song ' || n, 'SECRET contract' FROM generate_series(1, 20) n;
INSERT INTO internal_audit VALUES (1, 'SECRET audit');
REFRESH MATERIALIZED VIEW phones;
"""

DATAMAP = """
version = 1
mask = ["contact", "identity", "location"]
[people.account]
table = "accounts"
key = "id"
region_column = "home_region"
protected = "flagged"
[people.contact]
table = "address_book"
key = "phone"
account = false
region = "local"
[tables.accounts]
key = ["id"]
owners = [{ kind = "account", path = "id" }]
[tables.accounts.columns]
id = "public"
handle = { class = "identity", mask = "initial" }
phone = { class = "contact", mask = "last4" }
email = { class = "contact", mask = "email-domain" }
born = { class = "identity", mask = "year" }
mood = { class = "behaviour", mask = { constant = "calm" } }
balance = "payment"
home_region = "public"
[tables.posts]
key = ["id"]
owners = [{ kind = "account", path = "account_id" }]
columns = { id = "public", account_id = "public", body = "content" }
[tables.messages]
key = ["id"]
owners = [{ kind = "account", path = "sender_id" }, { kind = "account", path = "recipient_id" }]
columns = { id = "communication", sender_id = "communication", recipient_id = "communication", body = "communication" }
[tables.address_book]
key = ["id"]
scope = "any"
owners = [{ kind = "account", path = "account_id" }, { kind = "contact", path = "phone" }]
columns = { id = "contact", account_id = "contact", phone = "contact" }
[tables.devices]
key = ["id"]
owners = [{ kind = "account", path = "account_id" }]
columns = { id = "device", account_id = "device", model = "device" }
[tables.positions]
key = ["id"]
owners = [{ kind = "account", path = ["device_id -> devices.id", "account_id"] }]
[tables.positions.columns]
id = "location"
device_id = "location"
lat = { class = "location", mask = "one-decimal" }
ip = { class = "location", mask = "network" }
[tables.songs]
key = ["id"]
nobody = true
columns = { id = "public", title = "public", contract = "payment" }
"""

GUARD_PASSWORD = "guard-password"
OWNER_PASSWORD = "owner-password"


def datamap() -> DataMap:
    return parse(DATAMAP, source="datamap.toml", region="eu")


def make(directory: Path) -> Cluster:
    """A cluster with the platform in it, not attached yet."""
    cluster = Cluster.create(directory, durable=False)
    with psycopg.connect(cluster.dsn(), autocommit=True) as connection:
        connection.execute(f"CREATE ROLE platform_owner LOGIN PASSWORD '{OWNER_PASSWORD}'")
        connection.execute("CREATE DATABASE platform OWNER platform_owner")
        connection.execute("CREATE DATABASE other")
    with psycopg.connect(cluster.dsn("platform", "platform_owner", OWNER_PASSWORD)) as connection:
        connection.execute(SCHEMA)
        connection.execute(DATA)
    with psycopg.connect(cluster.dsn("platform"), autocommit=True) as connection:
        connection.execute("CREATE EXTENSION dblink")
        connection.execute("VACUUM ANALYZE")
    return cluster


def terms(cells: Mapping[str, tuple[str, ...]], people: tuple[str, ...] | None = None) -> GrantTerms:
    """``terms({"contact": ("eu",)}, ("account:1",))``; the rest does not matter to the guard."""
    return GrantTerms(
        id="0" * 32,
        region="eu",
        principal="sean",
        country="IE",
        entity="Platform Ireland",
        unit="support",
        role="support",
        purpose="support",
        reference="T-1",
        cells=tuple(Cell(what, regions) for what, regions in cells.items()),
        people=None if people is None else tuple(Person.parse(person) for person in people),
        not_before=0,
        not_after=1,
        max_people=10,
        max_rows=100,
        approvals=2,
        requested_at=0,
    )

"""What Postgres has beside plain tables: each is in the map, or left out with a sentence. Nothing is a traceback."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator

import psycopg
import pytest

from seenby.attach.inspection import RelationKind
from seenby.attach.proposal import Answer, Proposal
from seenby.attach.propose import propose
from seenby.attach.write import to_toml
from seenby.datamap import TableName, parse
from seenby.errors import ConfigError, Unavailable
from seenby.model.classes import DataClass
from seenby.stores.cluster import Cluster
from seenby.stores.inspect import Inspector
from tests.conformance.attach.conftest import look

pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("attach")]

SCHEMA = """
CREATE EXTENSION file_fdw;
CREATE EXTENSION pg_stat_statements;
CREATE SCHEMA billing; CREATE SCHEMA "Größe";
CREATE DOMAIN mail_address AS text CHECK (VALUE LIKE '%@%');
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TYPE place AS (street text, city text);
CREATE TABLE users (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email mail_address NOT NULL, password_hash text,
  nick text, nick_lower text GENERATED ALWAYS AS (lower(nick)) STORED, feeling mood, feelings mood[], home place,
  search tsvector, picture oid, spouse_id bigint REFERENCES users, "first name" text, "pub.key" text);
CREATE TABLE "Größe"."Beiträge" ("Id" bigint PRIMARY KEY, "BenutzerId" bigint NOT NULL REFERENCES users,
  "Überschrift" text, "abcdefghijklmnopqrstuvwxyz_abcdefghijklmnopqrstuvwxyz_abcdefghi" text);
CREATE TABLE billing.invoices (tenant int, number int, user_id bigint NOT NULL REFERENCES users, total numeric(12,2),
  PRIMARY KEY (tenant, number));
CREATE TABLE billing.lines (tenant int NOT NULL, number int NOT NULL, line int NOT NULL, what text,
  FOREIGN KEY (tenant, number) REFERENCES billing.invoices);
CREATE TABLE events (id bigint, user_id bigint NOT NULL REFERENCES users, at timestamptz NOT NULL, PRIMARY KEY (id, at))
  PARTITION BY RANGE (at);
CREATE TABLE events_2025 PARTITION OF events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE events_2026 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE TABLE animals (id int PRIMARY KEY, name text);
CREATE TABLE cats (purrs boolean) INHERITS (animals);
CREATE TABLE nothing ();
CREATE TABLE "odd name" (id int PRIMARY KEY);
CREATE TABLE chicken (id int PRIMARY KEY, egg_id int);
CREATE TABLE egg (id int PRIMARY KEY, chicken_id int REFERENCES chicken);
ALTER TABLE chicken ADD FOREIGN KEY (egg_id) REFERENCES egg;
CREATE TABLE locked (id int PRIMARY KEY, user_id bigint REFERENCES users);
CREATE TABLE hidden (id int PRIMARY KEY, user_id bigint REFERENCES users, body text);
CREATE TABLE facts (id int PRIMARY KEY, user_id bigint REFERENCES users, payload jsonb, codes text[]);
CREATE TABLE bare (user_id bigint NOT NULL REFERENCES users, tag text);
CREATE VIEW user_names AS SELECT id, nick FROM users;
CREATE MATERIALIZED VIEW totals AS SELECT user_id, sum(total) FROM billing.invoices GROUP BY 1;
CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
CREATE FOREIGN TABLE elsewhere (id int, email text) SERVER files OPTIONS (filename '/dev/null');
INSERT INTO users (email, nick, feeling, home)
  SELECT 'p' || n || '@example.org', 'p' || n, 'ok', ROW('Main St', 'Oslo')::place FROM generate_series(1, 50) n;
INSERT INTO events SELECT n, 1 + n % 50, '2025-06-01'::timestamptz + n * interval '1 day'
  FROM generate_series(1, 300) n;
INSERT INTO facts SELECT n, 1 + n % 50,
  jsonb_build_object('contact', jsonb_build_object('mail', 'x' || n || '@example.org'), 'ok', true),
  ARRAY['a', 'b'] FROM generate_series(1, 50) n;
SELECT lo_create(0);
CREATE ROLE odd_looker LOGIN PASSWORD 'looks-only';
GRANT USAGE ON SCHEMA billing, "Größe" TO odd_looker;
GRANT SELECT ON ALL TABLES IN SCHEMA public, billing, "Größe" TO odd_looker;
REVOKE SELECT ON hidden FROM odd_looker;
ANALYZE;
"""


@pytest.fixture(scope="module")
def odd(cluster: Cluster) -> Iterator[str]:
    with psycopg.connect(cluster.dsn(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE attach_odd")
    with psycopg.connect(cluster.dsn("attach_odd"), autocommit=True) as connection:
        connection.execute(SCHEMA)
        with connection.transaction():  # a migration that takes its time
            connection.execute("LOCK TABLE locked IN ACCESS EXCLUSIVE MODE")
            yield cluster.dsn("attach_odd", "odd_looker", "looks-only")
    with psycopg.connect(cluster.dsn(), autocommit=True) as connection:
        connection.execute("DROP DATABASE attach_odd WITH (FORCE)")
        connection.execute("DROP ROLE odd_looker")


@pytest.fixture(scope="module")
def proposal(odd: str) -> Proposal:
    return propose(*look(odd), {})


def paths(proposal: Proposal, name: str, schema: str = "public") -> list[tuple[str, ...]]:
    return [owner.path for owner in proposal.tables[TableName(schema, name)].owners]


def test_the_map_loads(proposal: Proposal) -> None:
    text = to_toml(proposal)
    loaded = parse(text, source="odd.toml", region="eu")
    assert TableName("Größe", "Beiträge") in loaded.tables
    assert loaded.tables[TableName("public", "bare")].key == ()


def test_owners(proposal: Proposal) -> None:
    assert paths(proposal, "users") == [("id",), ("spouse_id",)], "a reference to the same table is another owner"
    assert paths(proposal, "Beiträge", "Größe") == [("BenutzerId",)]
    assert paths(proposal, "lines", "billing") == [("tenant, number -> billing.invoices.tenant, number", "user_id")], (
        "a key of two columns is one step"
    )
    assert paths(proposal, "events") == [("user_id",)]
    for unseen in ("locked", "hidden"):
        assert paths(proposal, unseen) == [("user_id",)], "the catalogue says enough where no row can be read"


def test_circles_are_not_followed(proposal: Proposal) -> None:
    for name in ("chicken", "egg"):
        assert proposal.tables[TableName("public", name)].nobody


def test_partitions_are_part_of_their_table(proposal: Proposal) -> None:
    assert proposal.tables[TableName("public", "events")].found.partitions == 2
    assert TableName("public", "events_2025") not in proposal.tables
    assert proposal.tables[TableName("public", "events")].found.columns["user_id"].samples


def test_inheritance_is_refused_at_the_parent(proposal: Proposal) -> None:
    assert "cats inherit from it" in proposal.tables[TableName("public", "animals")].refused


def test_what_a_map_cannot_hold_has_a_sentence(proposal: Proposal) -> None:
    told = {str(name): why for name, why in proposal.others}
    assert "a foreign table" in told["elsewhere"]
    assert "extension pg_stat_statements" in told["pg_stat_statements"]
    assert "nobody sees them" in told["large objects"]
    text = to_toml(proposal)
    assert "# odd name: its name has a dot, a comma or a space" in text
    for left_out in ("elsewhere", "pg_stat_statements"):
        assert f"# {left_out}: " in text


def test_views_have_a_place_of_their_own(proposal: Proposal) -> None:
    written = tomllib.loads(to_toml(proposal))["views"]
    assert written["user_names"]["owners"] == [
        {"kind": "user", "path": ["id -> users.id", "id"]},
        {"kind": "user", "path": ["id -> users.id", "spouse_id"], "nullable": True},
    ], "the second person of a user's row is one of the view's row too"
    assert "aggregates" in written["totals"]["refused"]
    assert written["totals"]["stored"]


def test_columns_of_odd_types(proposal: Proposal) -> None:
    columns = proposal.tables[TableName("public", "users")].columns
    assert columns["email"].data_class is DataClass.CONTACT, "a domain, by its values"
    assert columns["feeling"].data_class is DataClass.IDENTITY, "an enum carries what its row is about"
    for unknown in ("search", "home", "picture"):
        assert columns[unknown].data_class is not DataClass.PUBLIC
    written = tomllib.loads(to_toml(proposal))["tables"]["users"]
    assert {"first name", "pub.key"} <= set(written["unclassified"]), "names that a path cannot write"


def test_json_by_its_paths(proposal: Proposal) -> None:
    payload = proposal.tables[TableName("public", "facts")].columns["payload"]
    assert payload.data_class is DataClass.CONTACT
    assert dict(payload.paths)["contact.mail"] is DataClass.CONTACT
    assert "@" not in to_toml(proposal), "no value of a row is in the map"


def test_what_was_found(odd: str) -> None:
    with Inspector(odd) as inspector:
        found = inspector.inspect()
    assert found.large_objects
    assert found.tables[TableName("public", "totals")].kind is RelationKind.MATERIALIZED
    users = found.tables[TableName("public", "users")]
    assert users.columns["id"].identity
    assert users.columns["nick_lower"].generated
    assert users.columns["feelings"].labels == ("sad", "ok", "happy")
    assert users.columns["home"].kind == "c"
    assert not found.tables[TableName("public", "hidden")].readable
    assert not found.tables[TableName("public", "hidden")].columns["body"].samples


def test_it_writes_nothing(odd: str) -> None:
    with Inspector(odd) as inspector, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        inspector.connection.execute("CREATE TEMP TABLE x ()")


def test_an_answer_changes_the_map(odd: str) -> None:
    answers = {"tables.animals": Answer("tables.animals", "nobody", "ana", "2026-11-29T08:00:00Z")}
    with Inspector(odd) as inspector:
        found = inspector.inspect()
    made = propose(found, {}, answers)
    assert "inherit" in made.tables[TableName("public", "animals")].refused, "no answer makes the impossible possible"
    answers = {"tables.facts": Answer("tables.facts", "nobody", "ana", "2026-11-29T08:00:00Z")}
    made = propose(found, {}, answers)
    assert made.tables[TableName("public", "facts")].nobody
    assert tomllib.loads(to_toml(made))["answers"][0]["by"] == "ana"


def test_no_database(cluster: Cluster) -> None:
    with pytest.raises(Unavailable, match="does not answer"):
        Inspector(cluster.dsn("there_is_none"))


def test_no_people(cluster: Cluster) -> None:
    with Inspector(cluster.dsn("template1")) as inspector:
        found = inspector.inspect()
    with pytest.raises(ConfigError, match="no table of database template1 looks as if it listed people"):
        propose(found, {}, {})


def test_a_database_of_bytes(cluster: Cluster) -> None:
    """SQL_ASCII: the server does not say how text is written. A table whose values are not UTF-8 has no samples."""
    with psycopg.connect(cluster.dsn(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE attach_bytes ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0")
    try:
        with psycopg.connect(cluster.dsn("attach_bytes"), autocommit=True) as connection:
            connection.execute("CREATE TABLE users (id int PRIMARY KEY, email text); CREATE TABLE bytes (t text)")
            connection.execute(r"INSERT INTO users VALUES (1, 'a@example.org'); INSERT INTO bytes VALUES (E'\xfc')")
        with Inspector(cluster.dsn("attach_bytes")) as inspector:
            found = inspector.inspect()
        assert found.tables[TableName("public", "users")].columns["email"].samples == ("a@example.org",)
        assert found.tables[TableName("public", "bytes")].columns["t"].samples == ()
    finally:
        with psycopg.connect(cluster.dsn(), autocommit=True) as connection:
            connection.execute("DROP DATABASE attach_bytes")

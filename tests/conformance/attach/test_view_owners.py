"""Whose rows a view's are, against Postgres: a person's are those that go away when their rows do.

Every view of a small shop is made, derived, and asked for each person (as ``seenby sample`` does). Then the person's
rows are deleted from the tables, and the rows that are gone from the view must be exactly those it was said to have.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from seenby.attach.check import Level, check
from seenby.attach.proposal import Proposal
from seenby.attach.propose import propose
from seenby.attach.sample import ways
from seenby.attach.views import Derived
from seenby.attach.write import to_toml
from seenby.datamap import DataMap, TableName, parse
from seenby.model.classes import DataClass
from seenby.model.people import Person
from seenby.stores.cluster import Cluster
from seenby.stores.inspect import Inspector
from tests.conformance.attach.conftest import look

pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("attach")]

TABLES = """
CREATE SCHEMA "Büro";
CREATE TYPE state AS ENUM ('open', 'sent');
CREATE TABLE users (id int PRIMARY KEY, email text NOT NULL UNIQUE, password_hash text, boss_id int);
CREATE TABLE shops (id int PRIMARY KEY, user_id int NOT NULL REFERENCES users, name text NOT NULL,
  slug text UNIQUE);
CREATE TABLE orders (id int PRIMARY KEY, user_id int NOT NULL REFERENCES users, shop_id int NOT NULL REFERENCES shops,
  state state NOT NULL, street text, zz9 numeric);
CREATE TABLE lines (order_id int NOT NULL REFERENCES orders, line int NOT NULL, what text NOT NULL,
  PRIMARY KEY (order_id, line));
CREATE TABLE notes (id int PRIMARY KEY, about_type text NOT NULL, about_id int NOT NULL, body text);
CREATE TABLE countries (code text PRIMARY KEY, name text NOT NULL);
CREATE EXTENSION pg_stat_statements;
CREATE TABLE visits (user_id int NOT NULL REFERENCES users, day date NOT NULL) PARTITION BY RANGE (day);
CREATE TABLE visits_2026 PARTITION OF visits FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE TABLE secrets (id int PRIMARY KEY, phone text, room text);
INSERT INTO users SELECT n, 'u' || n || '@example.org', 'x' || n, NULL FROM generate_series(1, 12) n;
INSERT INTO visits SELECT n, date '2026-01-01' + n FROM generate_series(1, 12) n;
INSERT INTO shops SELECT n, 1 + n % 12, 'Shop ' || n FROM generate_series(1, 9) n;
INSERT INTO orders SELECT n, 1 + (n * 5) % 12, 1 + n % 9, (ARRAY['open', 'sent'])[1 + n % 2]::state, n || ' Long Road'
  FROM generate_series(1, 40) n;
INSERT INTO lines SELECT 1 + n % 40, n, 'a thing' FROM generate_series(1, 90) n;
INSERT INTO notes SELECT n, (ARRAY['Shop', 'User'])[1 + n % 2], 1 + n % 9, 'a note on ' || n
  FROM generate_series(1, 30) n;
INSERT INTO countries VALUES ('FR', 'France'), ('PL', 'Poland');
CREATE FUNCTION bodies(int) RETURNS text LANGUAGE sql STABLE AS 'SELECT body FROM notes WHERE id = $1';
"""

EXACT = {
    "open_orders": "SELECT id, street FROM orders WHERE state = 'open'",
    "carried": "SELECT user_id AS who, shop_id AS at, state FROM orders",
    "shop_of": "SELECT o.user_id AS who, o.shop_id AS at FROM orders o JOIN shops s ON s.id = o.shop_id",
    "beside": "SELECT u.id, o.street FROM users u LEFT JOIN orders o ON o.user_id = u.id AND o.state = 'open'",
    "keeper": "SELECT u.id, s.name FROM users u LEFT JOIN shops s ON s.user_id = u.id",
    "by_email": "SELECT o.id AS number, u.email FROM orders o JOIN users u ON u.id = o.user_id WHERE o.street > '2'",
    "equal_only": "SELECT u.id, u.email, s.id AS shop FROM orders o, users u, shops s"
                  " WHERE o.user_id = u.id AND o.shop_id = s.id",
    "many": "SELECT l.order_id AS nr, l.line AS pos, l.what, o.street FROM lines l JOIN orders o ON l.order_id = o.id",
    "outer_join": "SELECT u.id, s.id AS shop, s.name FROM users u LEFT JOIN shops s ON s.id = u.id",
    "right_join": "SELECT u.email, o.id AS order_nr FROM orders o RIGHT JOIN users u ON u.id = o.user_id",
    "over_a_view": "SELECT number AS n, lower(email) AS mail FROM by_email WHERE number > 7",
    "mixed": "SELECT id, street || zz9 AS both, street || 'x' AS one FROM orders",
    "nothing": "SELECT FROM countries",
    "of_a_day": "SELECT user_id, day FROM visits",
    "about": "SELECT id, about_type AS kind, about_id AS of, body FROM notes",
    "Büro.Offen": 'SELECT id AS "Nr.", id AS "Nummer", shop_id AS "Laden" FROM orders',
    "two_of_one": "SELECT a.id AS one, b.id AS other FROM shops a JOIN shops b ON a.id < b.id",
    "countries_by_name": "SELECT name, code FROM countries ORDER BY name",
}  # fmt: skip
"""Views whose query tells. Names in the map's order of speech: schema.name."""

NOT = {
    "grouped": ("SELECT user_id, count(*) AS n FROM orders GROUP BY user_id", "aggregates"),
    "whole_count": ("SELECT count(*) AS n FROM orders", "aggregates"),
    "each_once": ("SELECT DISTINCT user_id FROM orders", "DISTINCT"),
    "ranked": ("SELECT id, row_number() OVER (ORDER BY id) AS r FROM orders", "window functions"),
    "some": ("SELECT id FROM orders ORDER BY id LIMIT 5", "LIMIT"),
    "both": ("SELECT id FROM orders UNION ALL SELECT id FROM shops", "UNION"),
    "with_it": ("WITH x AS (SELECT id FROM orders) SELECT id FROM x", "WITH"),
    "there_is": ("SELECT id FROM users u WHERE EXISTS (SELECT FROM orders o WHERE o.user_id = u.id)", "subqueries"),
    "inner_query": ("SELECT x.id FROM (SELECT id FROM orders) x", "reads something else"),
    "a_series": ("SELECT o.id, g AS n FROM orders o, generate_series(1, 2) g", "reads something else"),
    "split": ("SELECT id, unnest(ARRAY[1, 2]) AS n FROM orders", "functions that give rows"),
    "full_join": ("SELECT u.id, s.id AS shop FROM users u FULL JOIN shops s ON s.user_id = u.id", "FULL"),
    "used": ("SELECT a.id FROM orders a JOIN orders b USING (id)", "USING"),
    "no_key": ("SELECT street FROM orders", "neither a key of orders"),
    "half_a_key": ("SELECT l.line, l.what FROM lines l", "neither a key of lines"),
    "outer_no_key": ("SELECT u.email, u.id, s.name FROM users u LEFT JOIN shops s ON s.id = u.boss_id", "key of shops"),
    "optional_owner": (
        "SELECT o.user_id AS who, s.name FROM shops s LEFT JOIN orders o ON o.user_id = s.user_id",
        "neither a key of shops",
    ),
    "nullable_key": ("SELECT slug FROM shops", "neither a key of shops"),
    "called": ("SELECT id, public.bodies(id) AS b FROM orders", "calls public.bodies"),
    "by_xml": (
        "SELECT id, query_to_xml('SELECT * FROM notes', true, false, '') AS x FROM orders",
        "calls query_to_xml",
    ),
    "sized": ("SELECT id FROM orders WHERE pg_relation_size('notes') > 0", "calls pg_relation_size"),
    "a_partition": ("SELECT user_id FROM visits_2026", "reads visits_2026, which is a partition"),
    "an_extension": ("SELECT queryid FROM pg_stat_statements", "not the platform's"),
    "closed": ("SELECT id FROM secrets", "reads secrets, whose people are not known"),
    "over_closed": ("SELECT n FROM grouped", "reads grouped, whose people are not known"),
    "tables_of_postgres": ("SELECT relname FROM pg_class", "it reads pg_catalog.pg_class"),
    "renamed": ("SELECT x.a FROM orders x (a)", "other names"),
}


@pytest.fixture(scope="module")
def shop(cluster: Cluster) -> Iterator[str]:
    with psycopg.connect(cluster.dsn(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE view_owners")
    with psycopg.connect(cluster.dsn("view_owners"), autocommit=True) as connection:
        connection.execute(TABLES)
        for name, query in (*EXACT.items(), *((name, query) for name, (query, _) in NOT.items())):
            connection.execute(sql.SQL("CREATE VIEW {} AS ").format(sql.Identifier(*name.split("."))) + sql.SQL(query))
        connection.execute("CREATE MATERIALIZED VIEW kept AS SELECT id, user_id FROM orders WHERE state = 'sent'")
        connection.execute("CREATE UNIQUE INDEX ON kept (id)")
        connection.execute("CREATE VIEW over_kept AS SELECT id FROM kept")
        connection.execute("ANALYZE")
    yield cluster.dsn("view_owners")
    with psycopg.connect(cluster.dsn(), autocommit=True) as connection:
        connection.execute("DROP DATABASE view_owners WITH (FORCE)")


@pytest.fixture(scope="module")
def proposal(shop: str) -> Proposal:
    return propose(*look(shop), {})


@pytest.fixture(scope="module")
def datamap(proposal: Proposal) -> DataMap:
    return parse(to_toml(proposal), source="map.toml", region="eu")


def view(proposal: Proposal, name: str) -> Derived:
    return next(one for one in proposal.views if str(one.name) == name)


def paths(proposal: Proposal, name: str) -> list[str]:
    return [" / ".join(owner.path) for owner in view(proposal, name).owners]


@pytest.mark.parametrize("name", EXACT)
def test_a_persons_rows_are_those_that_go_with_them(name: str, shop: str, datamap: DataMap) -> None:
    place = TableName(*name.split(".")) if "." in name else TableName("public", name)
    shown = sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier(*place))
    total = 0
    with psycopg.connect(shop) as connection:
        connection.execute("SET session_replication_role = replica")  # no foreign key stops the deletions
        before = {row[0] for row in connection.execute(shown).fetchall()}
        for number in range(1, 13):
            person = Person("user", str(number))
            mine = set(theirs(connection, datamap, person, place, "t::text"))
            connection.execute("SAVEPOINT there")
            remove(connection, datamap, person)
            after = {row[0] for row in connection.execute(shown).fetchall()}
            connection.execute("ROLLBACK TO there")
            assert mine == before - after
            total += len(mine)
    assert bool(total) == bool(datamap.views[place].owners)


def theirs(connection: psycopg.Connection, datamap: DataMap, person: Person, place: TableName, what: str) -> list[str]:
    """Of each row of a table or view on any path to a person, with the joins that ``seenby sample`` uses."""
    found: list[str] = []
    for way in ways(datamap, person):
        if way.table == place:
            rows = way.sql.partition("(SELECT count(*) ")[2].partition("), ARRAY(")[0]
            found += [row[0] for row in connection.execute(f"SELECT {what} {rows}".encode(), [person.key]).fetchall()]
    return found


def remove(connection: psycopg.Connection, datamap: DataMap, person: Person) -> None:
    """All their rows. They are found first and go then: a path may lead through rows that go too."""
    rows = {name: theirs(connection, datamap, person, name, "t.ctid::text") for name in datamap.tables}
    for name, found in rows.items():
        text = sql.SQL("DELETE FROM {} WHERE ctid = ANY (%s::tid[])").format(sql.Identifier(*name))
        connection.execute(text, [found])


@pytest.mark.parametrize("name", NOT)
def test_a_query_that_does_not_tell_is_refused_with_a_sentence(name: str, proposal: Proposal) -> None:
    made = view(proposal, name)
    assert NOT[name][1] in made.refused
    assert (made.owners, set(made.columns.values())) == ((), {None})


def test_the_ways_to_the_people(proposal: Proposal) -> None:
    assert paths(proposal, "open_orders") == ["id -> orders.id / user_id"], "by its key"
    assert paths(proposal, "carried") == ["who"], "by the column that leads there"
    assert paths(proposal, "shop_of") == ["at -> shops.id / user_id", "who"], "all people of all its tables"
    assert paths(proposal, "by_email") == ["number -> orders.id / user_id"], "the user joined to it is the same person"
    assert paths(proposal, "many")[0].startswith("nr -> orders.id"), "the hop of its own table, renamed"
    assert paths(proposal, "Büro.Offen")[0].startswith("Nummer -> orders.id"), "no path can write the other name"
    assert view(proposal, "countries_by_name").owners == ()


def test_a_row_that_an_outer_join_lacks_has_no_owner(proposal: Proposal) -> None:
    kinds = {owner.path: owner.nullable for owner in view(proposal, "outer_join").owners}
    assert kinds == {("id",): False, ("shop -> shops.id", "user_id"): True}
    assert paths(proposal, "keeper") == ["id"], "a shop that is there is that user's, by ON"


def test_classes_are_the_strictest_of_what_a_column_is_made_of(proposal: Proposal) -> None:
    assert view(proposal, "over_a_view").columns["mail"] is DataClass.CONTACT
    assert view(proposal, "open_orders").columns["street"] is DataClass.CONTACT
    assert view(proposal, "mixed").columns["one"] is DataClass.CONTACT
    assert view(proposal, "mixed").columns["both"] is None, "nobody knows what zz9 is"
    assert view(proposal, "Büro.Offen").columns["Nr."] is None


def test_a_materialized_view_is_a_copy(proposal: Proposal, datamap: DataMap) -> None:
    assert datamap.views[TableName("public", "kept")].stored
    assert paths(proposal, "kept") == ["user_id"]
    assert "neither a key of kept" in view(proposal, "over_kept").refused, "a copy has no key that a path could use"


def test_the_check_notices_a_query_that_changed(shop: str, proposal: Proposal, datamap: DataMap) -> None:
    written = tomllib.loads(to_toml(proposal))

    def found(connection: Inspector, changed: str = "") -> dict[str, tuple[Level, str]]:
        told = check(parse(changed, source="m", region="eu") if changed else datamap,
                     tomllib.loads(changed) if changed else written, connection.inspect(samples=False), [])  # fmt: skip
        return {one.place: (one.level, one.message) for one in told if one.place.startswith("views.")}

    with Inspector(shop) as inspector:
        assert found(inspector) == {}
        text = (
            to_toml(proposal).replace("[views.carried]", "[views.karried]").replace("views.carried.", "views.karried.")
        )
        assert found(inspector, text)["views.karried"] == (Level.PROBLEM, "the view is not in the database")
        text = to_toml(proposal).replace('path = "who"', 'path = "at"')
        assert "belong to other people" in found(inspector, text)["views.carried"][1]
        text = to_toml(proposal).replace('who = "', 'whom = "')
        assert "differ in who, whom" in found(inspector, text)["views.carried"][1]
        text = to_toml(proposal)
        head, tail = text.split("[views.grouped]\n")
        text = f'{head}[views.grouped]\nowners = [{{ kind = "user", path = "user_id" }}]\n' + (
            'unclassified = ["user_id", "n"]\n' + tail.split("\n", 1)[1]
        )
        assert found(inspector, text)["views.grouped"][0] is Level.WARNING, "a person may know better, and says so"

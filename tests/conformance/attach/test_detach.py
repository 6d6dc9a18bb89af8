"""Detaching leaves the cluster as it was before it was attached: every privilege, role and schema."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from seenby.datamap import parse
from seenby.guard import attach_sql, verifier
from seenby.guard.detach import detach_sql
from seenby.stores.cluster import Cluster

pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("attach")]

MAP = """
version = 1
[people.user]
table = "users"
key = "id"
region = "local"
[tables.users]
key = ["id"]
owners = [{ kind = "user", path = "id" }]
columns = { id = "public", name = "identity" }
"""
PLATFORM = """
CREATE TABLE users (id bigint PRIMARY KEY, name text);
ALTER TABLE users OWNER TO shop;
CREATE FUNCTION name_of(bigint) RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT name FROM users WHERE id = $1';
CREATE PROCEDURE forget(bigint) LANGUAGE sql SECURITY DEFINER AS 'DELETE FROM users WHERE id = $1';
GRANT CREATE ON SCHEMA public TO PUBLIC;
"""
STATE = """
SELECT 'database', datname, a.grantee::regrole::text, a.privilege_type
FROM pg_database d, aclexplode(coalesce(datacl, acldefault('d', datdba))) a
UNION ALL SELECT 'schema', nspname, a.grantee::regrole::text, a.privilege_type
FROM pg_namespace, aclexplode(coalesce(nspacl, acldefault('n', nspowner))) a
UNION ALL SELECT 'function', p.oid::regprocedure::text, a.grantee::regrole::text, a.privilege_type
FROM pg_proc p, aclexplode(coalesce(proacl, acldefault('f', proowner))) a
UNION ALL SELECT 'relation', c.oid::regclass::text, a.grantee::regrole::text, a.privilege_type
FROM pg_class c,
     aclexplode(coalesce(relacl, acldefault(CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", relowner))) a
WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
UNION ALL SELECT 'default', pg_get_userbyid(r.oid), a.grantee::regrole::text, a.privilege_type
FROM pg_roles r LEFT JOIN pg_default_acl d ON d.defaclrole = r.oid AND d.defaclobjtype = 'f' AND d.defaclnamespace = 0,
     aclexplode(coalesce(d.defaclacl, acldefault('f', r.oid))) a
UNION ALL SELECT 'member', m.roleid::regrole::text, m.member::regrole::text, '' FROM pg_auth_members m
UNION ALL SELECT 'role', rolname, '', '' FROM pg_roles
"""


@pytest.fixture(scope="module")
def own_cluster() -> Iterator[Cluster]:
    """A cluster of its own: attaching closes every database of one."""
    folder = Path(tempfile.mkdtemp(prefix="seenby-pg-"))
    made = Cluster.create(folder / "c", durable=False, platform="one")
    with psycopg.connect(made.dsn(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE one")
        connection.execute("CREATE DATABASE two")
        connection.execute("CREATE ROLE shop LOGIN")
    for database in ("one", "two"):
        with psycopg.connect(made.dsn(database), autocommit=True) as connection:
            connection.execute(
                (PLATFORM if database == "one" else PLATFORM.replace("CREATE ROLE shop LOGIN;", "")).encode()
            )
    yield made
    made.remove()
    shutil.rmtree(folder)


def state(cluster: Cluster, database: str) -> set[tuple[str, ...]]:
    with psycopg.connect(cluster.dsn(database)) as connection:
        return set(connection.execute(STATE.encode()).fetchall())


def attach(cluster: Cluster, database: str) -> None:
    script = attach_sql(
        parse(MAP, source="map", region="eu"), database=database, guard_verifier=verifier("secret", b"0123456789abcdef")
    )
    with psycopg.connect(cluster.dsn(database)) as connection:
        connection.execute(script.encode())


def detach(cluster: Cluster, database: str) -> list[str]:
    notices: list[str] = []
    with psycopg.connect(cluster.dsn(database)) as connection:
        connection.add_notice_handler(lambda one: notices.append(one.message_primary or ""))
        connection.execute(detach_sql().encode())
    return notices


def test_attach_and_detach_is_nothing(own_cluster: Cluster) -> None:
    before = state(own_cluster, "one")
    attach(own_cluster, "one")
    assert len(before ^ state(own_cluster, "one")) > 50, "attaching does much"
    detach(own_cluster, "one")
    assert state(own_cluster, "one") == before
    detach(own_cluster, "one")
    assert state(own_cluster, "one") == before, "again: nothing to do"


def test_another_attached_database_stays_closed(own_cluster: Cluster) -> None:
    attach(own_cluster, "one")
    attach(own_cluster, "two")
    both = state(own_cluster, "two")
    assert any("another database" in notice for notice in detach(own_cluster, "one"))
    kept = {row for row in both if row[0] in {"function", "schema", "relation"}}
    assert kept <= state(own_cluster, "two")
    with psycopg.connect(own_cluster.dsn("one")) as connection:
        held = connection.execute("SELECT nspname FROM pg_namespace WHERE starts_with(nspname, 'seenby')").fetchall()
    assert held == []
    detach(own_cluster, "two")
    assert not any(row[0] == "role" and row[1].startswith("seenby") for row in state(own_cluster, "two"))


def test_not_while_seenby_is_connected(own_cluster: Cluster) -> None:
    attach(own_cluster, "one")
    with (
        psycopg.connect(own_cluster.dsn("one", "seenby_guard", "secret")),
        pytest.raises(psycopg.errors.RaiseException, match="Seenby is still connected: seenby_guard"),
    ):
        detach(own_cluster, "one")
    detach(own_cluster, "one")

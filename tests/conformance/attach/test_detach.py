"""Detaching leaves the cluster as it was before it was attached: every privilege with its grantor, role and schema."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from seenby.datamap import parse
from seenby.guard import attach_sql, verifier
from seenby.guard.detach import detach_sql
from seenby.stores.cluster import BIN, Cluster

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
CREATE SCHEMA odd AUTHORIZATION shop;
CREATE TABLE users (id bigint PRIMARY KEY, name text, note text);
ALTER TABLE users OWNER TO shop;
GRANT SELECT (name), UPDATE (note) ON users TO helper WITH GRANT OPTION;
CREATE TABLE odd.things (id int);
ALTER TABLE odd.things OWNER TO closed;
CREATE FUNCTION name_of(bigint) RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT name FROM users WHERE id = $1';
CREATE FUNCTION by_helper() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1';
REVOKE EXECUTE ON FUNCTION by_helper() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION by_helper() TO helper WITH GRANT OPTION;
SET ROLE helper;
GRANT EXECUTE ON FUNCTION by_helper() TO PUBLIC;
RESET ROLE;
CREATE FUNCTION for_helper() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1';
REVOKE EXECUTE ON FUNCTION for_helper() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION for_helper() TO helper;
CREATE PROCEDURE forget(bigint) LANGUAGE sql SECURITY DEFINER AS 'DELETE FROM users WHERE id = $1';
GRANT CREATE ON SCHEMA public TO PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE closed REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE closed IN SCHEMA odd GRANT EXECUTE ON FUNCTIONS TO PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE shop GRANT SELECT ON TABLES TO helper;
"""
CLUSTER = """
CREATE ROLE shop LOGIN PASSWORD 'x';
CREATE ROLE helper LOGIN CONNECTION LIMIT 3;
CREATE ROLE closed NOLOGIN;
GRANT closed TO shop WITH ADMIN TRUE, INHERIT FALSE;
ALTER ROLE helper SET work_mem = '8MB';
CREATE DATABASE one;
CREATE DATABASE two OWNER shop;
CREATE DATABASE nobody;
CREATE DATABASE connect_only;
CREATE DATABASE temp_only;
CREATE DATABASE by_helper;
REVOKE ALL ON DATABASE nobody FROM PUBLIC;
GRANT CONNECT ON DATABASE nobody TO helper;
REVOKE TEMPORARY ON DATABASE connect_only FROM PUBLIC;
REVOKE CONNECT ON DATABASE temp_only FROM PUBLIC;
REVOKE CONNECT ON DATABASE by_helper FROM PUBLIC;
GRANT CONNECT ON DATABASE by_helper TO helper WITH GRANT OPTION;
SET ROLE helper;
GRANT CONNECT ON DATABASE by_helper TO PUBLIC;
RESET ROLE;
"""
ACL = "a.grantee::regrole::text, a.privilege_type, a.grantor::regrole::text, a.is_grantable::text"
STATE = f"""
SELECT 'database', datname, {ACL}
FROM pg_database d, aclexplode(coalesce(datacl, acldefault('d', datdba))) a
UNION ALL SELECT 'schema', nspname, {ACL}
FROM pg_namespace, aclexplode(coalesce(nspacl, acldefault('n', nspowner))) a
UNION ALL SELECT 'function', p.oid::regprocedure::text, {ACL}
FROM pg_proc p, aclexplode(coalesce(proacl, acldefault('f', proowner))) a
UNION ALL SELECT 'relation', c.oid::regclass::text, {ACL}
FROM pg_class c,
     aclexplode(coalesce(relacl, acldefault(CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", relowner))) a
WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
UNION ALL SELECT 'column', attrelid::regclass || '.' || attname, {ACL} FROM pg_attribute, aclexplode(attacl) a
UNION ALL SELECT 'default', concat(pg_get_userbyid(r.oid), d.defaclnamespace, d.defaclobjtype), {ACL}
FROM pg_roles r LEFT JOIN pg_default_acl d ON d.defaclrole = r.oid,
     aclexplode(coalesce(d.defaclacl, acldefault('f', r.oid))) a
UNION ALL SELECT 'member', m.roleid::regrole::text, m.member::regrole::text,
                 concat(admin_option, inherit_option, set_option), m.grantor::regrole::text, '' FROM pg_auth_members m
UNION ALL SELECT 'role', rolname, concat(rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolbypassrls),
                 rolconnlimit::text, rolpassword, '' FROM pg_authid
UNION ALL SELECT 'setting', name, setting, source, '', '' FROM pg_settings WHERE source NOT IN ('client', 'session')
UNION ALL SELECT 'role setting', setdatabase::text, setrole::regrole::text, setconfig::text, '', ''
FROM pg_db_role_setting
UNION ALL SELECT 'hba', line_number::text, type, database::text, user_name::text, auth_method FROM pg_hba_file_rules
"""


@pytest.fixture(scope="module")
def own_cluster() -> Iterator[Cluster]:
    """A cluster of its own: attaching closes every database of one."""
    folder = Path(tempfile.mkdtemp(prefix="seenby-pg-"))
    made = Cluster.create(folder / "c", durable=False, platform="one")
    with psycopg.connect(made.dsn(), autocommit=True) as connection:
        for statement in CLUSTER.strip().split(";\n"):
            connection.execute(statement.encode())
    for database in ("one", "two"):
        with psycopg.connect(made.dsn(database), autocommit=True) as connection:
            connection.execute(PLATFORM.encode())
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


def dump(cluster: Cluster) -> list[str]:
    """Roles, definitions and privileges of the whole cluster, as a DBA would compare them; order is not a privilege."""
    where = {"PGHOST": str(cluster.sockets), "PGPORT": str(cluster.port), "PGPASSWORD": cluster.superuser_password}
    command = [str(BIN / "pg_dumpall"), "--schema-only", "--username=postgres"]  # it starts pg_dump, with no password
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **where})
    assert done.returncode == 0, done.stderr
    return sorted(line for line in done.stdout.splitlines() if not line.startswith(("--", "\\")))


def test_attach_and_detach_is_nothing(own_cluster: Cluster) -> None:
    before, dumped = state(own_cluster, "one"), dump(own_cluster)
    attach(own_cluster, "one")
    assert len(before ^ state(own_cluster, "one")) > 50, "attaching does much"
    attach(own_cluster, "one")
    detach(own_cluster, "one")
    assert state(own_cluster, "one") ^ before == set()
    assert dump(own_cluster) == dumped
    detach(own_cluster, "one")
    assert state(own_cluster, "one") == before, "again: nothing to do"


def test_nobody_of_the_platform_gains_or_loses_anything_by_attaching(own_cluster: Cluster) -> None:
    """seenby_platform, of which all are members, has what PUBLIC had: no door that was closed opens."""
    may = """
    SELECT r.rolname, d.datname, has_database_privilege(r.oid, d.oid, 'CONNECT'),
           has_database_privilege(r.oid, d.oid, 'TEMPORARY') FROM pg_roles r, pg_database d
    WHERE rolname IN ('shop', 'helper', 'closed') AND datname <> 'template0' ORDER BY 1, 2"""
    with psycopg.connect(own_cluster.dsn("one"), autocommit=True) as connection:
        before = connection.execute(may).fetchall()
        attach(own_cluster, "one")
        assert connection.execute(may).fetchall() == before
        open_doors = connection.execute(
            "SELECT datname FROM pg_database d, aclexplode(coalesce(datacl, acldefault('d', datdba))) a"
            " WHERE grantee = 0 AND datallowconn"
        ).fetchall()
        assert open_doors == []
        detach(own_cluster, "one")


def test_another_attached_database_stays_closed(own_cluster: Cluster) -> None:
    before = state(own_cluster, "one")
    attach(own_cluster, "one")
    attach(own_cluster, "two")
    both = state(own_cluster, "two")
    assert any("another database" in notice for notice in detach(own_cluster, "one"))
    gone = {row for row in both if row[:2] == ("database", "one") and row[2].startswith("seenby_")}
    kept = {("database", "one", "seenby_platform", may, "postgres", "false") for may in ("CONNECT", "TEMPORARY")}
    assert both - state(own_cluster, "two") == gone - kept
    with psycopg.connect(own_cluster.dsn("one")) as connection:
        held = connection.execute("SELECT nspname FROM pg_namespace WHERE starts_with(nspname, 'seenby')").fetchall()
    assert held == []
    detach(own_cluster, "two")
    assert state(own_cluster, "one") ^ before == set()


def test_not_while_seenby_is_connected(own_cluster: Cluster) -> None:
    attach(own_cluster, "one")
    with (
        psycopg.connect(own_cluster.dsn("one", "seenby_guard", "secret")),
        pytest.raises(psycopg.errors.RaiseException, match="Seenby is still connected: seenby_guard"),
    ):
        detach(own_cluster, "one")
    detach(own_cluster, "one")

"""The two sides: a region served for real, and a cluster of its own with a copy of what the grant shows."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from seenby.stores.cluster import BIN, Cluster
from tests.conformance.clients.side import Side, Sides
from tests.fixtures.gateway import Served, everything

# Nobody else's: a session that names no grant must find one active.
STAFF = "grace.kim"
MASKED = "jonas.weber"

ONLY_WHAT_THE_GRANT_SHOWS = """
SET search_path = public;
DO $$
DECLARE
    one record;
BEGIN
    CREATE TABLE shown AS SELECT login, entity, unit FROM staff;
    DROP TABLE staff CASCADE;
    ALTER TABLE shown RENAME TO staff;
    ALTER TABLE staff ALTER entity SET NOT NULL, ALTER unit SET NOT NULL, ADD PRIMARY KEY (login);
    ALTER TABLE reports ADD FOREIGN KEY (handled_by) REFERENCES staff;
    ALTER TABLE ticket_messages ADD FOREIGN KEY (staff_login) REFERENCES staff;
    ALTER TABLE tickets ADD FOREIGN KEY (assignee) REFERENCES staff;
    FOR one IN SELECT conrelid::regclass AS relation, conname FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace AND contype = 'c'
    LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', one.relation, one.conname);
    END LOOP;
    FOR one IN SELECT attrelid::regclass AS relation, attname, attidentity FROM pg_attribute
        WHERE (atthasdef OR attidentity <> '')
            AND attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r')
    LOOP
        EXECUTE format('ALTER TABLE %s ALTER %I DROP %s', one.relation, one.attname,
            CASE one.attidentity WHEN '' THEN 'DEFAULT' ELSE 'IDENTITY' END);
    END LOOP;
    FOR one IN SELECT oid::regclass AS relation FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'i')
    LOOP
        EXECUTE format('ALTER TABLE %s OWNER TO seenby', one.relation);
    END LOOP;
    FOR one IN SELECT oid::regtype AS name FROM pg_type WHERE typnamespace = 'public'::regnamespace AND typtype = 'e'
    LOOP
        EXECUTE format('ALTER TYPE %s OWNER TO seenby', one.name);
    END LOOP;
END $$;
ALTER SCHEMA public OWNER TO seenby;
ANALYZE;
"""
"""Defaults, checks, identity and comments are never told (seenby.guard.catalog); two columns nobody classified."""


@pytest.fixture(scope="session")
def sides(served: Served) -> Iterator[Sides]:
    """The same name and password on both. On the copy: a member of the owner, with the settings of a grant."""
    everything(served, STAFF)
    served.grant(MASKED, ("contact", ["eu"]))
    password = served.world.staff[STAFF].password
    # Not in pytest's own folder: as root, the next pytest that starts closes it to the database's user.
    folder = Path(tempfile.mkdtemp(prefix="seenby-copy-"))
    cluster = Cluster.create(folder / "c", durable=False, max_connections=60)
    try:
        with psycopg.connect(cluster.dsn(), autocommit=True) as admin:
            admin.execute("CREATE DATABASE platform")
            admin.execute("CREATE ROLE seenby")
            staff = sql.Identifier(STAFF)
            admin.execute(
                sql.SQL("CREATE ROLE {} LOGIN PASSWORD {} IN ROLE seenby").format(staff, sql.Literal(password))
            )
            for name, value in (
                ("default_transaction_isolation", "repeatable read"),
                ("default_transaction_read_only", "on"),
                ("search_path", "public"),
            ):
                admin.execute(
                    sql.SQL("ALTER ROLE {} SET {} = {}").format(staff, sql.Identifier(name), sql.Literal(value))
                )
        with psycopg.connect(cluster.dsn("platform"), autocommit=True) as admin:
            # A grant knows of no other database.
            admin.execute("ALTER DATABASE template1 IS_TEMPLATE false")
            admin.execute("DROP DATABASE template1")
            admin.execute("DROP DATABASE postgres")
        platform = served.world.regions["eu"].running.dsn("platform")
        dumped = subprocess.run(
            [str(BIN / "pg_dump"), "--schema=public", "--no-owner", "--no-acl", "--no-comments", "-d", platform],
            capture_output=True, check=True,
        )  # fmt: skip
        load = [str(BIN / "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", cluster.dsn("platform")]
        script = b"DROP SCHEMA public;" + dumped.stdout + ONLY_WHAT_THE_GRANT_SHOWS.encode()
        loaded = subprocess.run(load, input=script, capture_output=True, check=False)
        assert loaded.returncode == 0, loaded.stderr.decode()
        listen = served.config.listen
        authority = served.world.directory / "ca.crt"
        yield Sides(
            direct=Side(False, cluster.port, STAFF, password, cluster.sockets, None, (STAFF, password)),
            through=Side(
                True,
                listen.port,
                STAFF,
                password,
                Path(listen.socket_dir or ""),
                authority,
                (MASKED, served.world.staff[MASKED].password),
            ),
        )
    finally:
        cluster.remove()
        shutil.rmtree(folder, ignore_errors=True)

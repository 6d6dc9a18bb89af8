"""Attaching where nobody is superuser: a managed service, whose largest role owns the database and may make roles.

What belongs to the service itself (the functions of ``pg_catalog``, other databases, ``pg_hba.conf``) cannot be taken
from PUBLIC there. ``REMAINS_OPEN`` says what that leaves to somebody who has a grant's own password: the gateway alone
closes it then.
"""

from __future__ import annotations

from dataclasses import dataclass

from seenby.datamap import DataMap
from seenby.guard import names
from seenby.guard.quote import block, literal, literals, qualified


@dataclass(frozen=True, slots=True)
class Remains:
    """``what``: the channel; ``tells``: what comes out of it; ``instead``: what stands against it."""

    what: str
    tells: str
    instead: str


GATEWAY = "the gateway refuses it in every statement; nobody but the gateway has the password"

REMAINS_OPEN: tuple[Remains, ...] = (
    Remains(
        "pg_hba.conf",
        "a grant's role may sign in from any address that the service lets in, over any of its databases",
        "let only the gateway's address through the service's own network rules",
    ),
    Remains(
        "other databases of the server",
        "CONNECT, and temporary tables there, wherever PUBLIC has them and another role owns the database",
        "REVOKE CONNECT, TEMPORARY ON DATABASE ... FROM PUBLIC as their owner; keep nothing else on the server",
    ),
    Remains(
        "statistics of tables and indexes (pg_stat_*)",
        "how many rows were read and changed, in all and by one's own transaction: whether somebody exists",
        GATEWAY,
    ),
    Remains("other sessions and locks (pg_stat_activity, pg_locks)", "who works now; which rows are locked", GATEWAY),
    Remains("sizes (pg_relation_size and its like)", "how large tables are", GATEWAY),
    Remains(
        "NOTIFY, the WAL, exported snapshots", "a way to leave something behind, or to see what was erased", GATEWAY
    ),
    Remains(
        "waiting and locking (pg_sleep, advisory locks, pg_terminate_backend)",
        "a way to hold up others, or to signal to them; to end sessions of the same grant",
        GATEWAY,
    ),
    Remains("large objects (lo_*)", "making them; those of others stay closed", GATEWAY),
    Remains(
        "SQL in a text (query_to_xml, ts_stat)",
        "nothing beyond the grant's views, but past the gateway's reading of the statement",
        GATEWAY,
    ),
)


def preconditions(datamap: DataMap) -> str:
    mapped = ", ".join(f"({literal(qualified(*name))})" for name in sorted(datamap.tables))
    enough = block(f"""DECLARE me pg_roles; listed text; BEGIN
  SELECT * INTO me FROM pg_roles WHERE rolname = current_user;
  IF me.rolsuper THEN
    RAISE EXCEPTION 'this script leaves open what only a managed service forbids to close, and you are superuser'
      USING HINT = 'take managed = true out of [database] in seenby.toml, and print it again';
  END IF;
  IF NOT me.rolcreaterole THEN
    RAISE EXCEPTION 'role % may not make roles', me.rolname USING HINT = 'run it as a role with CREATEROLE';
  END IF;
  IF NOT pg_has_role((SELECT datdba FROM pg_database WHERE datname = current_database()), 'USAGE') THEN
    RAISE EXCEPTION 'role % does not own database %', me.rolname, current_database() USING HINT = 'run it as its owner';
  END IF;
  SELECT string_agg(v.name, ', ') INTO listed FROM (VALUES {mapped}) v (name)
    LEFT JOIN pg_class c ON c.oid = to_regclass(v.name) WHERE NOT coalesce(pg_has_role(c.relowner, 'USAGE'), false);
  IF listed IS NOT NULL THEN
    RAISE EXCEPTION 'role % does not own: %', me.rolname, listed
      USING HINT = 'run it as a role that is a member of their owners; tables that are gone: take them out of the map';
  END IF;
  SELECT string_agg(v.name, ', ') INTO listed FROM (VALUES {mapped}) v (name)
    JOIN pg_class c ON c.oid = to_regclass(v.name) WHERE c.relrowsecurity;
  IF listed IS NOT NULL AND NOT me.rolbypassrls THEN
    RAISE EXCEPTION 'row security would silently take rows out of grants: %', listed
      USING HINT = 'only a role with BYPASSRLS can let {names.OWNER} see all rows; take these tables out of the map';
  END IF;
END""")
    return f"""
-- Who runs this, and is it enough?
{enough}
"""


def roles(guard_verifier: str) -> str:
    ours = literals([names.OWNER, names.WRITER, names.GUARD, names.GRANTS, names.PLATFORM])
    return f"""
-- Roles, as attributes that only a superuser may name have them anyhow. Whoever makes a role may administer it.
DO $$ DECLARE name text; BEGIN
  FOREACH name IN ARRAY ARRAY[{ours}] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
      EXECUTE format('CREATE ROLE %I NOLOGIN', name);
    ELSIF NOT pg_has_role(name, 'MEMBER WITH ADMIN OPTION') THEN
      RAISE EXCEPTION 'role % is there, and somebody else made it', name USING HINT = 'run this as who attached before';
    END IF;
  END LOOP;
  IF (SELECT rolbypassrls FROM pg_roles WHERE rolname = current_user) THEN
    ALTER ROLE {names.OWNER} BYPASSRLS;
  END IF;
END $$;
ALTER ROLE {names.GUARD} LOGIN CREATEROLE PASSWORD {literal(guard_verifier)};
-- Until the end of this script.
GRANT {names.OWNER}, {names.WRITER} TO CURRENT_USER WITH INHERIT TRUE, SET TRUE;
"""


def at_the_end() -> str:
    listed = "\n".join(f"--   {one.what}: {one.tells}.\n--     Instead: {one.instead}." for one in REMAINS_OPEN)
    return f"""
REVOKE {names.OWNER}, {names.WRITER} FROM CURRENT_USER GRANTED BY CURRENT_USER;
-- What this service does not let anybody close. Somebody with a grant's own password could use it:
{listed}
"""

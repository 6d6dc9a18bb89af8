"""The SQL that a DBA runs once in the platform's database, before Seenby stands in front of it: as superuser, or as the
owner of the database where a managed service has none for its users (managed.py).

It can be run again, and must be after the data map names new tables. Nothing that the platform's own roles could do is
lost: what is taken from PUBLIC goes to the group seenby_platform, of which every existing role becomes a member. Roles
that are made later need ``GRANT seenby_platform TO ...``.
"""

from __future__ import annotations

from seenby.datamap import DataMap
from seenby.guard import managed as for_managed
from seenby.guard import names
from seenby.guard.catalog import catalog_sql
from seenby.guard.functions import GUARD_NEEDS, taken_from_public
from seenby.guard.quote import block, ident, literal, literals, qualified
from seenby.guard.writable import writable_sql

FIRST_USER_OID = 16384
"""Objects below were made by initdb (PostgreSQL source, access/transam.h: FirstNormalObjectId)."""


def attach_sql(datamap: DataMap, *, database: str, guard_verifier: str, managed: bool = False) -> str:
    """One script, to be run in one transaction; its statements depend on each other's order.

    Args:
        database: the platform's database.
        guard_verifier: SCRAM verifier of seenby_guard's password.
        managed: for the owner of a database whose service makes nobody superuser (managed.py says what stays open).
    """
    tables = sorted(datamap.tables)
    as_owner = f"SET LOCAL ROLE {names.OWNER};\n" if managed else ""
    back = "RESET ROLE;\n" if managed else ""
    parts = [
        _preconditions(),
        for_managed.preconditions(datamap) if managed else _superuser(),
        for_managed.roles(guard_verifier) if managed else _roles(guard_verifier),
        _memberships(),
        _public(database),
        _functions(),
        as_owner + _own_schema().strip() + "\n" + back,
        *(_readable(schema, [name for name in tables if name.schema == schema]) for schema in _schemas(datamap)),
        writable_sql(datamap),
        _default_privileges(_schemas(datamap)),
        "" if managed else _rewrites(),
        as_owner + catalog_sql() + back,
        for_managed.at_the_end() if managed else "",
    ]
    return "\n".join(part.strip() + "\n" for part in parts if part)


def _schemas(datamap: DataMap) -> list[str]:
    return sorted({name.schema for name in datamap.tables})


def _preconditions() -> str:
    return """
SET LOCAL client_min_messages = warning;
-- What cannot be arranged from here.
DO $$ BEGIN
  IF current_setting('server_version_num')::int < 160000 THEN
    RAISE EXCEPTION 'Seenby needs PostgreSQL 16 or later' USING HINT = 'memberships without SET exist since 16';
  END IF;
  IF current_setting('max_prepared_transactions') <> '0' THEN
    RAISE EXCEPTION 'max_prepared_transactions must be 0: a prepared transaction outlives its grant'
      USING HINT = 'set it in postgresql.conf and restart';
  END IF;
END $$;
"""


def _superuser() -> str:
    return """
DO $$ BEGIN
  IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
    RAISE EXCEPTION 'role % is not superuser', current_user
      USING HINT = 'where nobody is, write managed = true under [database] in seenby.toml, and print this again';
  END IF;
END $$;
"""


def _roles(guard_verifier: str) -> str:
    owner, guard, grants, writer = names.OWNER, names.GUARD, names.GRANTS, names.WRITER
    return f"""
-- Roles. The owner of the views reads the mapped tables and can do nothing else; BYPASSRLS, because a policy of the
-- platform would silently take rows out of a grant's scope. The writer reads the same, and changes what the data map
-- lets staff change.
DO $$ DECLARE name text; BEGIN
  FOREACH name IN ARRAY ARRAY[{literals([owner, writer, guard, grants, names.PLATFORM])}] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
      EXECUTE format('CREATE ROLE %I NOLOGIN', name);
    END IF;
  END LOOP;
END $$;
ALTER ROLE {owner} NOLOGIN NOSUPERUSER NOCREATEROLE NOCREATEDB BYPASSRLS;
ALTER ROLE {writer} NOLOGIN NOSUPERUSER NOCREATEROLE NOCREATEDB NOBYPASSRLS;
ALTER ROLE {guard} LOGIN CREATEROLE NOSUPERUSER NOCREATEDB PASSWORD {literal(guard_verifier)};
ALTER ROLE {grants} NOLOGIN NOSUPERUSER NOCREATEROLE NOCREATEDB;
GRANT pg_signal_backend TO {guard};
"""


def _memberships() -> str:
    owner, guard, grants, writer = names.OWNER, names.GUARD, names.GRANTS, names.WRITER
    return f"""
-- What they may be; and the platform's own roles, who lose nothing.
GRANT {owner} TO {guard} WITH INHERIT FALSE, SET TRUE;
GRANT {owner} TO {writer} WITH INHERIT TRUE, SET FALSE;
GRANT {writer} TO {guard} WITH INHERIT FALSE, SET TRUE;
GRANT {grants} TO {guard} WITH ADMIN TRUE, INHERIT FALSE, SET FALSE;
DO $$ DECLARE name text; BEGIN
  FOR name IN SELECT rolname FROM pg_roles
              WHERE (rolname = 'pg_monitor' OR NOT starts_with(rolname, 'pg_'))
                AND NOT starts_with(rolname, 'seenby') AND NOT rolsuper LOOP
    EXECUTE format('GRANT {names.PLATFORM} TO %I WITH INHERIT TRUE', name);
  END LOOP;
END $$;
"""


def _public(database: str) -> str:
    doors = "'CONNECT', 'TEMPORARY'"
    databases = _move("d.datname", "pg_database d", doors, "d.datacl", "'d', d.datdba", "DATABASE %I", "d.datallowconn")
    schemas = _move("n.nspname", "pg_namespace n", "'CREATE'", "n.nspacl", "'n', n.nspowner", "SCHEMA %I")
    return f"""
-- Databases: nobody connects anywhere, or makes temporary tables, by being anybody.
{databases}
GRANT CONNECT ON DATABASE {ident(database)} TO {names.GUARD}, {names.GRANTS};
GRANT CREATE ON DATABASE {ident(database)} TO {names.OWNER};
{schemas}
"""


def _move(
    name: str, relation: str, privileges: str, acl: str, default: str, spelt: str, condition: str = "true"
) -> str:
    """Takes privileges from PUBLIC and gives them to seenby_platform, one by one and as whoever granted them.

    So seenby_platform holds exactly what was taken, which is what detaching gives back; it is recorded where the whole
    cluster sees it, and a grant that somebody else than the object's owner made goes and comes back too. What whoever
    runs this cannot take stays: the privilege scan finds it.
    """
    held = f"""FROM {relation}, aclexplode(coalesce({acl}, acldefault({default}))) a
             WHERE a.grantee = 0 AND a.privilege_type IN ({privileges}) AND {condition}
               AND pg_has_role(a.grantor, 'SET')"""
    return handed_over(name, held, spelt, "PUBLIC", names.PLATFORM)


def handed_over(name: str, held: str, spelt: str, giver: str, taker: str) -> str:
    """Privileges of ``giver`` become ``taker``'s. ``held``: FROM ... WHERE, in which ``a`` is one of them."""
    return f"""DO $$ DECLARE one record; BEGIN
  FOR one IN SELECT {name} AS name, a.privilege_type AS may, a.grantor::regrole AS grantor
             {held} LOOP
    EXECUTE format('SET LOCAL ROLE %s', one.grantor);
    EXECUTE format('REVOKE %s ON {spelt} FROM {giver}', one.may, one.name);
    EXECUTE format('GRANT %s ON {spelt} TO {taker}', one.may, one.name);
    RESET ROLE;
  END LOOP;
END $$;"""


def _functions() -> str:
    needs = literals(GUARD_NEEDS)
    taken = _move(
        "p.oid::regprocedure",
        "pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace",
        "'EXECUTE'",
        "p.proacl",
        "'f', p.proowner",
        "ROUTINE %s",
        f"(p.prosecdef AND p.oid >= {FIRST_USER_OID} OR p.prokind <> 'p' AND {taken_from_public('p.proname')})"
        " AND n.nspname <> 'seenby_catalog' AND p.prokind IN ('f', 'w', 'a', 'p')",
    )
    return f"""
-- Functions: code that runs with somebody else's rights, and what tells counts, sizes, locks and other sessions.
{taken}
DO $$ DECLARE f regprocedure; BEGIN
  FOR f IN SELECT oid FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace AND proname IN ({needs})
             AND NOT has_function_privilege('{names.GUARD}', oid, 'EXECUTE') LOOP
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO {names.GUARD}', f);
  END LOOP;
END $$;
"""


def _own_schema() -> str:
    return f"""
-- Seenby's own tables: who is in the scope of which grant, whose grant it is, and which schema stands for which.
CREATE SCHEMA IF NOT EXISTS {names.SCHEMA} AUTHORIZATION {names.OWNER};
CREATE TABLE IF NOT EXISTS {names.SCOPE} (
  role name NOT NULL,
  kind text NOT NULL,
  person text NOT NULL,
  PRIMARY KEY (role, kind, person)
);
CREATE TABLE IF NOT EXISTS {names.HOLDER} (role name PRIMARY KEY, principal text NOT NULL);
CREATE TABLE IF NOT EXISTS {names.SHAPE_SCHEMA} (nspname name PRIMARY KEY, shows_as name NOT NULL);
ALTER TABLE {names.SCOPE} OWNER TO {names.OWNER};
ALTER TABLE {names.HOLDER} OWNER TO {names.OWNER};
ALTER TABLE {names.SHAPE_SCHEMA} OWNER TO {names.OWNER};
"""


def _readable(schema: str, tables: list[tuple[str, str]]) -> str:
    listed = ",\n  ".join(qualified(*name) for name in tables)
    taken = block(f"""DECLARE name regclass; BEGIN
  FOR name IN SELECT DISTINCT c.oid::regclass FROM pg_class c, aclexplode(c.relacl) a
              WHERE c.relnamespace = {literal(ident(schema))}::regnamespace
                AND a.grantee = '{names.OWNER}'::regrole LOOP
    EXECUTE format('REVOKE ALL ON %s FROM {names.OWNER}', name);
  END LOOP;
END""")
    # The name of the schema is not in the comment: it may hold the end of a line, and what follows would be SQL.
    return f"""
-- The mapped tables of one schema, and no others.
{taken}
GRANT USAGE ON SCHEMA {ident(schema)} TO {names.OWNER};
GRANT SELECT ON
  {listed}
TO {names.OWNER};
"""


def _default_privileges(schemas: list[str]) -> str:
    later = block(f"""DECLARE one record; BEGIN
  FOR one IN SELECT r.oid::regrole AS who, '' AS place
             FROM pg_roles r
             LEFT JOIN pg_default_acl d ON d.defaclrole = r.oid AND d.defaclobjtype = 'f' AND d.defaclnamespace = 0,
                  aclexplode(coalesce(d.defaclacl, acldefault('f', r.oid))) a
             WHERE a.grantee = 0 AND pg_has_role(r.oid, 'USAGE') AND r.oid IN
               (SELECT c.relowner FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                WHERE c.relkind IN ('r', 'p') AND n.nspname IN ({literals(schemas)}))
             UNION ALL
             SELECT d.defaclrole::regrole, format(' IN SCHEMA %I', n.nspname)
             FROM pg_default_acl d JOIN pg_namespace n ON n.oid = d.defaclnamespace, aclexplode(d.defaclacl) a
             WHERE d.defaclobjtype = 'f' AND a.grantee = 0 AND pg_has_role(d.defaclrole, 'USAGE') LOOP
    EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %s%s REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC',
                   one.who, one.place);
    EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %s%s GRANT EXECUTE ON FUNCTIONS TO {names.PLATFORM}',
                   one.who, one.place);
  END LOOP;
END""")
    return f"""
-- Functions that the platform makes later: not for everybody.
{later}
"""


def _rewrites() -> str:
    return f"""
-- A rewritten table is empty for a transaction that began before (PostgreSQL documentation, 13.6): a query that waits
-- for the rewrite would answer that there is nothing. So no mapped table is rewritten while grants are active.
CREATE OR REPLACE FUNCTION {names.NO_REWRITE}() RETURNS event_trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$ DECLARE
  rewritten regclass := pg_event_trigger_table_rewrite_oid();
  whole regclass := coalesce(pg_partition_root(rewritten), rewritten);
BEGIN
  IF has_table_privilege('{names.OWNER}', whole, 'SELECT')
     AND EXISTS (SELECT FROM pg_roles WHERE starts_with(rolname, '{names.GRANT_PREFIX}') AND rolcanlogin) THEN
    RAISE EXCEPTION 'this change rewrites %, and grants of Seenby are active', whole
      USING ERRCODE = 'object_in_use',
            DETAIL = 'a query that waits for the rewrite would see an empty table',
            HINT = 'suspend the grants meanwhile: seenby migrate run ... -- COMMAND';
  END IF;
END $$;
DROP EVENT TRIGGER IF EXISTS seenby_no_rewrite;
CREATE EVENT TRIGGER seenby_no_rewrite ON table_rewrite EXECUTE FUNCTION {names.NO_REWRITE}();
"""

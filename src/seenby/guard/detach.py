"""The SQL that undoes what attaching did: what was taken from PUBLIC goes back, and nothing of Seenby's stays.

What attaching took went to seenby_platform; so what that role holds is what goes back. Roles belong to the whole
cluster: where another of its databases is attached too, they stay, and with them the closed doors of the databases.
"""

from __future__ import annotations

from seenby.guard import names
from seenby.guard.quote import literals


def detach_sql() -> str:
    """One script, to be run in one transaction, as superuser in the platform's database; it may be run again."""
    return "\n".join(part.strip() + "\n" for part in (_preconditions(), _schemas(), _back(), _roles()))


def _preconditions() -> str:
    return """
-- Nobody may be in the middle of something.
DO $$ DECLARE busy text; BEGIN
  SELECT string_agg(DISTINCT usename, ', ') INTO busy FROM pg_stat_activity
  WHERE datname = current_database() AND starts_with(usename, 'seenby');
  IF busy IS NOT NULL THEN
    RAISE EXCEPTION 'Seenby is still connected: %', busy USING HINT = 'stop seenby serve first';
  END IF;
END $$;
"""


def _schemas() -> str:
    return f"""
-- The views of all grants, their scopes, the filtered catalogue.
DO $$ DECLARE name text; BEGIN
  FOR name IN SELECT nspname FROM pg_namespace
              WHERE nspname IN ('{names.SCHEMA}', 'seenby_catalog') OR starts_with(nspname, '{names.VIEW_PREFIX}') LOOP
    EXECUTE format('DROP SCHEMA %I CASCADE', name);
  END LOOP;
END $$;
"""


def _back() -> str:
    platform = names.PLATFORM
    held = f"a.grantee = (SELECT oid FROM pg_roles WHERE rolname = '{platform}')"
    return f"""
-- What attaching took from PUBLIC.
DO $$ DECLARE one record; BEGIN
  FOR one IN SELECT n.nspname FROM pg_namespace n, aclexplode(n.nspacl) a
             WHERE a.privilege_type = 'CREATE' AND {held} LOOP
    EXECUTE format('GRANT CREATE ON SCHEMA %I TO PUBLIC', one.nspname);
  END LOOP;
  FOR one IN SELECT p.oid::regprocedure AS f FROM pg_proc p, aclexplode(p.proacl) a
             WHERE a.privilege_type = 'EXECUTE' AND {held} LOOP
    EXECUTE format('GRANT EXECUTE ON ROUTINE %s TO PUBLIC', one.f);
  END LOOP;
  FOR one IN SELECT DISTINCT pg_get_userbyid(d.defaclrole) AS who FROM pg_default_acl d, aclexplode(d.defaclacl) a
             WHERE d.defaclobjtype = 'f' AND d.defaclnamespace = 0 AND {held} LOOP
    EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %I REVOKE EXECUTE ON FUNCTIONS FROM {platform}', one.who);
    EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %I GRANT EXECUTE ON FUNCTIONS TO PUBLIC', one.who);
  END LOOP;
END $$;
"""


def _roles() -> str:
    platform = names.PLATFORM
    every = literals([names.GUARD, names.GRANTS, names.WRITER, names.OWNER, platform])
    ours = f"""(starts_with(rolname, '{names.GRANT_PREFIX}') OR starts_with(rolname, '{names.SHAPE_PREFIX}')
                     OR rolname IN ({every}))"""
    return f"""
-- The roles, unless another database of this cluster is attached too.
DO $$ DECLARE one record; BEGIN
  FOR one IN SELECT rolname FROM pg_roles WHERE {ours} LOOP
    EXECUTE format('DROP OWNED BY %I', one.rolname);
  END LOOP;
  IF EXISTS (SELECT FROM pg_shdepend d JOIN pg_roles r ON r.oid = d.refobjid AND d.refclassid = 'pg_authid'::regclass
             WHERE {ours} AND d.dbid NOT IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))) THEN
    RAISE NOTICE 'another database of this cluster is attached: the roles stay, and databases stay closed to PUBLIC';
    EXECUTE format('GRANT CONNECT, TEMPORARY ON DATABASE %I TO {platform}', current_database());
    RETURN;
  END IF;
  -- As initdb and CREATE DATABASE have it: in template databases PUBLIC may connect, and no more.
  FOR one IN SELECT datname, datistemplate FROM pg_database WHERE datallowconn LOOP
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = '{platform}') THEN
      EXECUTE format('GRANT %s ON DATABASE %I TO PUBLIC',
                     CASE WHEN one.datistemplate THEN 'CONNECT' ELSE 'CONNECT, TEMPORARY' END, one.datname);
    END IF;
  END LOOP;
  FOR one IN SELECT rolname FROM pg_roles WHERE {ours} LOOP
    EXECUTE format('DROP ROLE %I', one.rolname);
  END LOOP;
END $$;
"""

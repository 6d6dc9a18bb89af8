"""The SQL that undoes what attaching did: what was taken from PUBLIC goes back, and nothing of Seenby's stays.

What attaching took went to seenby_platform, privilege by privilege and in the name of whoever had granted it
(attach.py); so what that role holds is exactly what goes back. Roles belong to the whole cluster: where another of its
databases is attached too, they stay, and with them the closed doors of the databases.
"""

from __future__ import annotations

from seenby.guard import names
from seenby.guard.attach import handed_over
from seenby.guard.quote import literals

_EVERY = literals([names.GUARD, names.GRANTS, names.WRITER, names.OWNER, names.PLATFORM])
_OURS = f"""(starts_with(rolname, '{names.GRANT_PREFIX}') OR starts_with(rolname, '{names.SHAPE_PREFIX}')
                     OR rolname IN ({_EVERY}))"""
_HERE = "(SELECT oid FROM pg_database WHERE datname = current_database())"


def detach_sql() -> str:
    """One script, to be run in one transaction in the platform's database by whoever attached it, also again."""
    return "\n".join(
        part.strip() + "\n" for part in (_preconditions(), _reach(), _schemas(), _back(), _here(), _roles())
    )


def _preconditions() -> str:
    return """
SET LOCAL client_min_messages = warning;
-- Nobody may be in the middle of something.
DO $$ DECLARE busy text; BEGIN
  SELECT string_agg(DISTINCT usename, ', ') INTO busy FROM pg_stat_activity
  WHERE datname = current_database() AND starts_with(usename, 'seenby');
  IF busy IS NOT NULL THEN
    RAISE EXCEPTION 'Seenby is still connected: %', busy USING HINT = 'stop seenby serve first';
  END IF;
END $$;
"""


def _reach() -> str:
    """Whoever is not superuser made the roles, and may let themselves into them: what they own is to be dropped."""
    return f"""
DO $$ DECLARE one record; BEGIN
  IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
    RETURN;
  END IF;
  FOR one IN SELECT rolname FROM pg_roles WHERE rolname IN ({_EVERY}) LOOP
    EXECUTE format('GRANT %I TO CURRENT_USER WITH INHERIT TRUE, SET TRUE', one.rolname);
  END LOOP;
  FOR one IN SELECT rolname FROM pg_roles WHERE {_OURS} AND rolname NOT IN ({_EVERY}) LOOP
    EXECUTE format('GRANT %I TO CURRENT_USER WITH INHERIT TRUE', one.rolname);
  END LOOP;
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
-- What attaching took from PUBLIC in this database.
{_move("n.nspname", "pg_namespace n", "n.nspacl", "SCHEMA %I", held)}
{_move("p.oid::regprocedure", "pg_proc p", "p.proacl", "ROUTINE %s", held)}
DO $$ DECLARE one record; BEGIN
  FOR one IN SELECT d.defaclrole::regrole AS who, coalesce(' IN SCHEMA ' || quote_ident(n.nspname), '') AS place
             FROM pg_default_acl d LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace, aclexplode(d.defaclacl) a
             WHERE d.defaclobjtype = 'f' AND {held} LOOP
    EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %s%s REVOKE EXECUTE ON FUNCTIONS FROM {platform}',
                   one.who, one.place);
    EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %s%s GRANT EXECUTE ON FUNCTIONS TO PUBLIC', one.who, one.place);
  END LOOP;
END $$;
"""


def _move(name: str, relation: str, acl: str, spelt: str, held: str) -> str:
    """What attaching moved, the other way."""
    return handed_over(name, f"FROM {relation}, aclexplode({acl}) a WHERE {held}", spelt, names.PLATFORM, "PUBLIC")


def _here() -> str:
    """DROP OWNED takes away privileges on *all* databases, also on those that stay attached: these are given again."""
    return f"""
-- What the roles still hold in this database; what they hold on others stays.
DO $$ DECLARE one record; keep text[]; again text; BEGIN
  SELECT array_agg(format('SET LOCAL ROLE %s; GRANT %s ON DATABASE %I TO %s; RESET ROLE',
                          a.grantor::regrole, a.privilege_type, d.datname, a.grantee::regrole)) INTO keep
  FROM pg_database d, aclexplode(d.datacl) a JOIN pg_roles r ON r.oid = a.grantee
  WHERE {_OURS} AND (d.datname <> current_database() OR r.rolname = '{names.PLATFORM}');
  -- Those of grants first: DROP OWNED takes memberships back that a role gave, as the guard gave theirs.
  FOR one IN SELECT rolname FROM pg_roles WHERE {_OURS} ORDER BY rolname IN ({_EVERY}) LOOP
    EXECUTE format('DROP OWNED BY %I', one.rolname);
  END LOOP;
  FOREACH again IN ARRAY coalesce(keep, '{{}}') LOOP
    EXECUTE again;
  END LOOP;
  -- Shapes of this database alone have nothing left, and the grants that had them are nobody's.
  FOR one IN SELECT g.rolname FROM pg_roles g
             WHERE starts_with(g.rolname, '{names.GRANT_PREFIX}') AND NOT EXISTS
               (SELECT FROM pg_auth_members m JOIN pg_roles s ON s.oid = m.roleid
                JOIN pg_shdepend d ON d.refclassid = 'pg_authid'::regclass AND d.refobjid = s.oid
                WHERE m.member = g.oid AND starts_with(s.rolname, '{names.SHAPE_PREFIX}'))
             UNION ALL
             SELECT s.rolname FROM pg_roles s
             WHERE starts_with(s.rolname, '{names.SHAPE_PREFIX}') AND NOT EXISTS
               (SELECT FROM pg_shdepend d WHERE d.refclassid = 'pg_authid'::regclass AND d.refobjid = s.oid) LOOP
    EXECUTE format('DROP ROLE %I', one.rolname);
  END LOOP;
END $$;
"""


def _roles() -> str:
    held = f"a.grantee = (SELECT oid FROM pg_roles WHERE rolname = '{names.PLATFORM}')"
    return f"""
-- The doors of the databases, and the roles, unless another database of this cluster is attached too.
DO $$ BEGIN
  IF EXISTS (SELECT FROM pg_shdepend d JOIN pg_roles r ON r.oid = d.refobjid AND d.refclassid = 'pg_authid'::regclass
             WHERE {_OURS} AND d.dbid NOT IN (0, {_HERE})) THEN
    RAISE WARNING 'another database of this cluster is attached: the roles stay, and databases stay closed to PUBLIC';
  END IF;
END $$;
{_move("d.datname", "pg_database d", "d.datacl", "DATABASE %I", f"{held} AND {_alone()}")}
DO $$ DECLARE one record; BEGIN
  FOR one IN SELECT rolname FROM pg_roles WHERE {_OURS} AND {_alone()} LOOP
    EXECUTE format('DROP OWNED BY %I', one.rolname);
  END LOOP;
  FOR one IN SELECT rolname FROM pg_roles WHERE {_OURS} AND {_alone()} LOOP
    EXECUTE format('DROP ROLE %I', one.rolname);
  END LOOP;
END $$;
"""


def _alone() -> str:
    """No role of Seenby's is used in another database."""
    ours = _OURS.replace("rolname", "o.rolname")
    return f"""NOT EXISTS
  (SELECT FROM pg_shdepend x JOIN pg_roles o ON o.oid = x.refobjid AND x.refclassid = 'pg_authid'::regclass
   WHERE {ours} AND x.dbid NOT IN (0, {_HERE}))"""

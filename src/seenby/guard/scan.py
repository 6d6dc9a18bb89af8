"""The privilege scan: one query that lists everything a grant's role could reach beyond its views.

seenby_grants holds nothing but CONNECT and the filtered catalogue, so "what seenby_grants may" is what everybody and
every grant may. A grant is activated only when the list is empty; the scan is repeated while grants are active.
"""

from __future__ import annotations

from dataclasses import dataclass

from seenby.datamap import DataMap
from seenby.errors import ConfigError
from seenby.guard import names
from seenby.guard.attach import FIRST_USER_OID
from seenby.guard.functions import taken_from_public
from seenby.guard.quote import literals, qualified
from seenby.guard.writable import findings_sql


@dataclass(frozen=True, slots=True)
class Finding:
    """One hole. ``what``: the kind; ``name``: the object; ``fix``: what the DBA does about it."""

    what: str
    name: str
    fix: str

    def __str__(self) -> str:
        return f"{self.what}: {self.name}"


def refuse_findings(findings: list[Finding]) -> None:
    """Raises ConfigError naming what is open, unless nothing is."""
    if findings:
        listed = "; ".join(str(finding) for finding in findings[:5])
        more = f"; and {len(findings) - 5} more" if len(findings) > 5 else ""
        fixes = list(dict.fromkeys(finding.fix for finding in findings))
        raise ConfigError(
            f"the database lets every role reach more than its grant: {listed}{more}",
            hint="; ".join(fixes[:3]),
            detail="\n".join(f"{finding} -- {finding.fix}" for finding in findings),
        )


def scan_sql(datamap: DataMap, *, managed: bool = False) -> str:
    """Rows (what, name, fix), ordered. Runs as seenby_guard; reads catalogs only (3 to 10 ms).

    Args:
        managed: leaves out what a managed service lets nobody close (guard/managed.py): its own functions, databases
            of others.
    """
    closable = f"p.oid >= {FIRST_USER_OID}" if managed else "true"
    door = "d.datdba = (SELECT datdba FROM pg_database WHERE datname = current_database())" if managed else "true"
    mapped = ", ".join(f"({literals((*name, qualified(*name)))})" for name in sorted(datamap.tables))
    everybody = f"'{names.GRANTS}'"
    writable = findings_sql(datamap)
    more = f"UNION ALL\nSELECT * FROM ({writable}) writable (what, name, fix)" if writable else ""
    user_made = f"c.oid >= {FIRST_USER_OID} AND n.nspname <> 'seenby_catalog'"
    return f"""
WITH mapped AS (SELECT c.oid, v.name FROM (VALUES {mapped}) v (nspname, relname, name)
                -- Not to_regclass: it fails without USAGE on the schema, which the guard does not need.
                LEFT JOIN pg_namespace n USING (nspname)
                LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = v.relname),
ours AS (SELECT oid, rolname FROM pg_roles
         WHERE starts_with(rolname, '{names.GRANT_PREFIX}') OR starts_with(rolname, '{names.SHAPE_PREFIX}'))
SELECT 'everybody may read or change a relation' AS what, c.oid::regclass::text AS name,
       format('REVOKE ALL ON %s FROM PUBLIC', c.oid::regclass) AS fix
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE {user_made} AND CASE
  WHEN c.relkind = 'S' THEN has_sequence_privilege({everybody}, c.oid, 'USAGE, SELECT, UPDATE')
  WHEN c.relkind IN ('r', 'p', 'v', 'm', 'f') THEN
    has_table_privilege({everybody}, c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
    OR has_any_column_privilege({everybody}, c.oid, 'SELECT, INSERT, UPDATE, REFERENCES')
  ELSE false END
UNION ALL
SELECT 'everybody may read a closed catalog', c.oid::regclass::text,
       format('REVOKE ALL ON %s FROM PUBLIC', c.oid::regclass)
FROM pg_init_privs i JOIN pg_class c ON c.oid = i.objoid AND i.classoid = 'pg_class'::regclass AND i.objsubid = 0
WHERE c.oid < {FIRST_USER_OID} AND c.relkind IN ('r', 'v') AND has_table_privilege({everybody}, c.oid, 'SELECT')
  AND NOT EXISTS (SELECT FROM aclexplode(i.initprivs) a WHERE a.grantee = 0 AND a.privilege_type = 'SELECT')
UNION ALL
SELECT 'everybody may run a SECURITY DEFINER function', p.oid::regprocedure::text, 'run the attach script again'
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE p.oid >= {FIRST_USER_OID} AND p.prosecdef AND n.nspname <> 'seenby_catalog'
  AND has_function_privilege({everybody}, p.oid, 'EXECUTE')
UNION ALL
SELECT 'everybody may run a function that attaching takes away', p.oid::regprocedure::text,
       'run the attach script again'
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE {taken_from_public("p.proname")} AND n.nspname <> 'seenby_catalog' AND {closable}
  AND has_function_privilege({everybody}, p.oid, 'EXECUTE')
UNION ALL
SELECT 'everybody may run a function of superusers', p.oid::regprocedure::text,
       format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', p.oid::regprocedure)
FROM pg_init_privs i JOIN pg_proc p ON p.oid = i.objoid AND i.classoid = 'pg_proc'::regclass
WHERE p.oid < {FIRST_USER_OID} AND has_function_privilege({everybody}, p.oid, 'EXECUTE')
  AND NOT EXISTS (SELECT FROM aclexplode(i.initprivs) a WHERE a.grantee = 0)
UNION ALL
SELECT 'a function made LEAKPROOF sees rows outside every scope', p.oid::regprocedure::text,
       format('ALTER FUNCTION %s NOT LEAKPROOF', p.oid::regprocedure)
FROM pg_proc p WHERE p.oid >= {FIRST_USER_OID} AND p.proleakproof
UNION ALL
SELECT 'row security would hide rows from a grant', m.name, 'ALTER ROLE {names.OWNER} BYPASSRLS'
FROM mapped m JOIN pg_class c ON c.oid = m.oid
WHERE c.relrowsecurity AND NOT (SELECT rolbypassrls FROM pg_roles WHERE rolname = '{names.OWNER}')
UNION ALL
SELECT '{names.OWNER} cannot read a mapped table', m.name, 'run the attach script again'
FROM mapped m WHERE m.oid IS NOT NULL AND NOT has_table_privilege('{names.OWNER}', m.oid, 'SELECT')
UNION ALL
SELECT 'a setting keeps grants alive or objects open', s.name, 'set ' || s.name || ' = ' || s.wanted || ' and restart'
FROM (VALUES ('max_prepared_transactions', '0'), ('lo_compat_privileges', 'off')) s (name, wanted)
WHERE current_setting(s.name) <> s.wanted
UNION ALL
SELECT 'what is made later is open to everybody',
       format('default privileges of %s', pg_get_userbyid(d.defaclrole)),
       format('ALTER DEFAULT PRIVILEGES FOR ROLE %I REVOKE ALL ON TABLES FROM PUBLIC', pg_get_userbyid(d.defaclrole))
FROM pg_default_acl d, aclexplode(d.defaclacl) a
WHERE a.grantee IN (0, {everybody}::regrole) AND d.defaclobjtype <> 'T' AND d.defaclobjtype <> 'f'
UNION ALL
SELECT 'everybody may make things in a schema', n.nspname, format('REVOKE CREATE ON SCHEMA %I FROM PUBLIC', n.nspname)
FROM pg_namespace n WHERE has_schema_privilege({everybody}, n.oid, 'CREATE')
UNION ALL
SELECT 'everybody may look into a schema of Seenby', n.nspname,
       format('REVOKE USAGE ON SCHEMA %I FROM PUBLIC', n.nspname)
FROM pg_namespace n
WHERE (n.nspname = '{names.SCHEMA}' OR starts_with(n.nspname, '{names.VIEW_PREFIX}'))
  AND has_schema_privilege({everybody}, n.oid, 'USAGE')
UNION ALL
SELECT 'everybody may use a database', d.datname, 'run the attach script again'
FROM pg_database d
WHERE d.datallowconn AND {door} AND (has_database_privilege({everybody}, d.oid, 'TEMPORARY, CREATE')
  OR d.datname <> current_database() AND has_database_privilege({everybody}, d.oid, 'CONNECT'))
UNION ALL
SELECT 'everybody may read or change a large object', l.oid::text,
       format('REVOKE ALL ON LARGE OBJECT %s FROM PUBLIC', l.oid)
FROM pg_largeobject_metadata l, aclexplode(l.lomacl) a WHERE a.grantee = 0
UNION ALL
SELECT 'everybody may change a setting', p.parname, format('REVOKE ALL ON PARAMETER %I FROM PUBLIC', p.parname)
FROM pg_parameter_acl p, aclexplode(p.paracl) a WHERE a.grantee = 0
UNION ALL
SELECT 'everybody may use a foreign server', s.srvname,
       format('REVOKE USAGE ON FOREIGN SERVER %I FROM PUBLIC', s.srvname)
FROM pg_foreign_server s WHERE has_server_privilege({everybody}, s.oid, 'USAGE')
UNION ALL
SELECT 'everybody may use an untrusted language', l.lanname,
       format('REVOKE USAGE ON LANGUAGE %I FROM PUBLIC', l.lanname)
FROM pg_language l WHERE NOT l.lanpltrusted AND l.oid >= {FIRST_USER_OID}
  AND has_language_privilege({everybody}, l.oid, 'USAGE')
UNION ALL
SELECT 'a role of a grant is a member of more than its shape', format('%s in %s', m.member::regrole, m.roleid::regrole),
       format('REVOKE %s FROM %s', m.roleid::regrole, m.member::regrole)
FROM pg_auth_members m
WHERE m.member IN (SELECT oid FROM ours UNION ALL SELECT {everybody}::regrole)
  AND NOT (m.member IN (SELECT oid FROM ours WHERE starts_with(rolname, '{names.GRANT_PREFIX}'))
           AND (m.roleid = {everybody}::regrole
                OR m.roleid IN (SELECT oid FROM ours WHERE starts_with(rolname, '{names.SHAPE_PREFIX}'))))
UNION ALL
SELECT '{names.WRITER} is a member of more than {names.OWNER}', m.roleid::regrole::text,
       format('REVOKE %s FROM {names.WRITER}', m.roleid::regrole)
FROM pg_auth_members m WHERE m.member = '{names.WRITER}'::regrole AND m.roleid <> '{names.OWNER}'::regrole
UNION ALL
SELECT 'a role of a grant has a privilege of its own', format('%s on %s', o.rolname,
         pg_describe_object(d.classid, d.objid, d.objsubid)), format('DROP OWNED BY %I, as superuser', o.rolname)
FROM pg_shdepend d JOIN pg_roles o ON o.oid = d.refobjid
WHERE d.refclassid = 'pg_authid'::regclass AND (d.refobjid IN (SELECT oid FROM ours)) IS TRUE
  AND d.dbid IN (0, (SELECT oid FROM pg_database WHERE datname = current_database())) AND d.deptype IN ('a', 'o')
  AND NOT (d.classid = 'pg_namespace'::regclass
           AND d.objid IN (SELECT oid FROM pg_namespace WHERE starts_with(nspname, '{names.VIEW_PREFIX}')))
  AND NOT (d.classid = 'pg_class'::regclass
           AND d.objid IN (SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                           WHERE starts_with(n.nspname, '{names.VIEW_PREFIX}')))
UNION ALL
SELECT 'a role of Seenby has an attribute that passes every check', r.rolname,
       format('ALTER ROLE %I NOSUPERUSER NOCREATEROLE NOCREATEDB NOREPLICATION', r.rolname)
FROM pg_roles r
WHERE (r.oid IN (SELECT oid FROM ours) OR r.rolname IN ('{names.OWNER}', '{names.WRITER}', '{names.GRANTS}'))
  AND (r.rolsuper OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication
       OR r.rolbypassrls AND r.rolname <> '{names.OWNER}'
       OR r.rolcanlogin AND NOT starts_with(r.rolname, '{names.GRANT_PREFIX}'))
UNION ALL
SELECT 'a view of a grant is no barrier any more', c.oid::regclass::text, 'DROP SCHEMA ... CASCADE, as {names.OWNER}'
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE starts_with(n.nspname, '{names.VIEW_PREFIX}')
  AND (c.relkind <> 'v' OR c.relowner <> '{names.OWNER}'::regrole
       OR NOT coalesce('security_barrier=true' = ANY (c.reloptions), false))
{more}
ORDER BY 1, 2
"""

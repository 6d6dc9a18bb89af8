"""What the data map lets staff change, as privileges of seenby_writer, and what the scan must not find about it.

An error of a change is told to staff, so it must not depend on other people's rows; and what a change does must be
what it says. So these are findings: unique indexes and foreign keys over such columns, triggers and rules that
nobody accepted, row security of the platform (docs/adr/0013).
"""

from __future__ import annotations

from collections.abc import Iterable

from seenby.datamap import DataMap, MappedTable
from seenby.guard import names
from seenby.guard.quote import block, ident, literal, qualified, relation_oid


def writable_sql(datamap: DataMap) -> str:
    """For the attach script: seenby_writer's privileges, and no others."""
    parts = [
        f"""
-- What staff can change at all, by the data map's staff_writable.
DO $$ DECLARE name regclass; BEGIN
  FOR name IN SELECT DISTINCT d.objid::regclass FROM pg_shdepend d
              WHERE d.refclassid = 'pg_authid'::regclass AND d.refobjid = '{names.WRITER}'::regrole
                AND d.classid = 'pg_class'::regclass AND d.deptype = 'a'
                AND d.dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) LOOP
    EXECUTE format('REVOKE ALL ON %s FROM {names.WRITER}', name);
  END LOOP;
END $$;"""
    ]
    for table in _tables(datamap):
        staff, name = table.staff, qualified(*table.name)
        assert staff is not None
        may = [f"UPDATE ({_listed(staff.update)})"] if staff.update else []
        may += ["DELETE"] if staff.delete else []
        may += [f"INSERT ({_listed((*staff.insert, *staff.forced))})"] if staff.insert else []
        parts.append(f"GRANT {', '.join(may)} ON {name} TO {names.WRITER};")
        if staff.insert:  # a default of a column may be taken from a sequence
            parts.append(
                block(f"""DECLARE name regclass; BEGIN
  FOR name IN SELECT d.objid::regclass FROM pg_depend d JOIN pg_class c ON c.oid = d.objid AND c.relkind = 'S'
              WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
                AND d.refobjid = {literal(name)}::regclass AND d.deptype IN ('a', 'i') LOOP
    EXECUTE format('GRANT USAGE ON SEQUENCE %s TO {names.WRITER}', name);
  END LOOP;
END""")
            )
    return "\n".join(parts)


def findings_sql(datamap: DataMap) -> str:
    """For the scan: SELECTs of (what, name, fix), joined by UNION ALL; "" if staff can change nothing."""
    columns, deletes, inserts, accepted, ways = [], [], [], [], []
    for table in _tables(datamap):
        staff, name = table.staff, relation_oid(*table.name)
        assert staff is not None
        columns += [f"({name}, 'UPDATE', {literal(column)})" for column in staff.update]
        columns += [f"({name}, 'INSERT', {literal(column)})" for column in (*staff.insert, *staff.forced)]
        deletes += [f"({name})"] if staff.delete else []
        inserts += [f"({name})"] if staff.insert else []
        accepted += [f"({name}, {literal(trigger)})" for trigger in staff.triggers]
        for owner in table.owners:
            first, leads = (owner.hops[0].column, owner.hops[0].table) if owner.hops else (owner.column, None)
            target = leads or datamap.kinds[owner.kind].table
            ways.append(f"({name}, {literal(first)}, {relation_oid(*target)})")
    if not columns and not deletes:
        return ""
    nobody = [f"({relation_oid(*name)})" for name, table in datamap.tables.items() if table.nobody]
    return f"""
WITH cols AS (SELECT v.name::oid AS oid, v.action, v.col
              FROM ({_values(columns, 3)}) v (name, action, col)),
dels AS (SELECT v.name::oid AS oid FROM ({_values(deletes, 1)}) v (name)),
inss AS (SELECT v.name::oid AS oid FROM ({_values(inserts, 1)}) v (name)),
tabs AS (SELECT oid FROM cols UNION SELECT oid FROM dels),
accepted AS (SELECT v.name::oid AS oid, v.tg FROM ({_values(accepted, 2)}) v (name, tg)),
ways AS (SELECT v.name::oid AS oid, v.col, v.target::oid AS target
         FROM ({_values(ways, 3)}) v (name, col, target)),
nobody AS (SELECT v.name::oid AS oid FROM ({_values(nobody, 1)}) v (name)),
held AS (SELECT c.oid, a.privilege_type, NULL::text AS col FROM pg_class c, aclexplode(c.relacl) a
         WHERE a.grantee = '{names.WRITER}'::regrole AND c.relkind <> 'S'
         UNION ALL
         SELECT t.attrelid, a.privilege_type, t.attname::text FROM pg_attribute t, aclexplode(t.attacl) a
         WHERE a.grantee = '{names.WRITER}'::regrole)
SELECT 'row security of the platform decides about a table that staff can change', c.oid::regclass::text,
       'take staff_writable out of the data map for it'
FROM tabs JOIN pg_class c USING (oid) WHERE c.relrowsecurity
UNION ALL
SELECT 'a row of another table may have the key of a row that staff change', c.oid::regclass::text,
       'take staff_writable out of the data map for it: other tables inherit from it'
FROM tabs JOIN pg_class c USING (oid)
WHERE c.relkind = 'r' AND EXISTS (SELECT FROM pg_inherits i WHERE i.inhparent = c.oid)
UNION ALL
SELECT 'a rule changes what staff write', format('%s on %s', r.rulename, r.ev_class::regclass),
       format('DROP RULE %I ON %s, or take staff_writable out', r.rulename, r.ev_class::regclass)
FROM tabs JOIN pg_rewrite r ON r.ev_class = tabs.oid
UNION ALL
SELECT 'a trigger runs when staff change a table, and the data map does not name it',
       format('%s on %s', t.tgname, t.tgrelid::regclass),
       'look at what it does, then name it under staff_writable.triggers'
FROM tabs JOIN pg_trigger t ON t.tgrelid = tabs.oid
WHERE NOT t.tgisinternal AND t.tgenabled <> 'D'
  AND (t.tgtype & 16 <> 0 AND tabs.oid IN (SELECT oid FROM cols WHERE action = 'UPDATE')
       OR t.tgtype & 4 <> 0 AND tabs.oid IN (SELECT oid FROM inss)
       OR t.tgtype & 8 <> 0 AND tabs.oid IN (SELECT oid FROM dels))
  AND NOT EXISTS (SELECT FROM accepted a WHERE a.oid = t.tgrelid AND a.tg = t.tgname)
UNION ALL
SELECT 'an error would tell whether somebody else has this value', format('%s.%s', cols.oid::regclass, cols.col),
       format('take it out of staff_writable: %s is unique', i.indexrelid::regclass)
FROM cols JOIN pg_index i ON i.indrelid = cols.oid AND (i.indisunique OR i.indisexclusion)
JOIN pg_attribute a ON a.attrelid = cols.oid AND a.attname = cols.col
WHERE a.attnum = ANY (i.indkey::int2[])
   OR EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
                AND d.refclassid = 'pg_class'::regclass AND d.refobjid = cols.oid AND d.refobjsubid = a.attnum)
UNION ALL
SELECT 'an error would tell whether somebody else''s row exists', format('%s.%s', cols.oid::regclass, cols.col),
       format('take it out of staff_writable: it refers to %s', k.confrelid::regclass)
FROM cols JOIN pg_attribute a ON a.attrelid = cols.oid AND a.attname = cols.col
JOIN pg_constraint k ON k.conrelid = cols.oid AND k.contype = 'f' AND a.attnum = ANY (k.conkey)
WHERE k.confrelid NOT IN (SELECT oid FROM nobody WHERE oid IS NOT NULL)
  AND NOT (cols.action = 'INSERT' AND cardinality(k.conkey) = 1
           AND EXISTS (SELECT FROM ways w
                       WHERE w.oid = cols.oid AND w.col = cols.col AND w.target = k.confrelid))
UNION ALL
SELECT 'deleting a row would touch rows of others, or tell of them', dels.oid::regclass::text,
       format('take delete out of staff_writable: %s refers to it', k.conrelid::regclass)
FROM dels JOIN pg_constraint k ON k.confrelid = dels.oid AND k.contype = 'f'
UNION ALL
SELECT 'a column that staff can write is computed by the database', format('%s.%s', cols.oid::regclass, cols.col),
       'take it out of staff_writable'
FROM cols JOIN pg_attribute a ON a.attrelid = cols.oid AND a.attname = cols.col
WHERE a.attgenerated <> '' OR a.attidentity <> ''
UNION ALL
SELECT '{names.WRITER} may change more than the data map says', format('%s on %s', held.privilege_type,
         coalesce(format('%s.%s', held.oid::regclass, held.col), held.oid::regclass::text)),
       'run the attach script again'
FROM held
WHERE NOT (held.col IS NULL AND held.privilege_type = 'DELETE' AND held.oid IN (SELECT oid FROM dels)
           OR EXISTS (SELECT FROM cols WHERE cols.oid = held.oid AND cols.col = held.col
                        AND cols.action = held.privilege_type))
UNION ALL
SELECT '{names.WRITER} cannot change what the data map says', format('%s.%s', cols.oid::regclass, cols.col),
       'run the attach script again'
FROM cols WHERE NOT has_column_privilege('{names.WRITER}', cols.oid, cols.col, cols.action)
UNION ALL
SELECT '{names.WRITER} cannot change what the data map says', dels.oid::regclass::text, 'run the attach script again'
FROM dels WHERE NOT has_table_privilege('{names.WRITER}', dels.oid, 'DELETE')"""


def _tables(datamap: DataMap) -> list[MappedTable]:
    return [table for _, table in sorted(datamap.tables.items()) if table.staff is not None]


def _listed(columns: Iterable[str]) -> str:
    return ", ".join(ident(column) for column in columns)


def _values(rows: list[str], width: int) -> str:
    """VALUES, also of no rows."""
    nulls = ", ".join(["NULL::text"] * width)
    return f"VALUES {', '.join(rows)}" if rows else f"SELECT {nulls} WHERE false"

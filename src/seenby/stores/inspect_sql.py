"""The catalogue queries of an inspection: a handful for the whole database, whatever its size."""

from __future__ import annotations

from seenby.guard import names
from seenby.guard.quote import ident, literal, qualified

PLATFORM = f"""
  n.nspname NOT IN ('information_schema', 'seenby_catalog', '{names.SCHEMA}') AND NOT starts_with(n.nspname, 'pg_')
  AND NOT starts_with(n.nspname, '{names.VIEW_PREFIX}')"""

RELATIONS = f"""
SELECT n.nspname, c.relname, c.oid::int8, c.relkind::text, c.reltuples::float8, c.relispartition,
       coalesce(obj_description(c.oid, 'pg_class'), ''),
       (SELECT count(*) FROM pg_inherits i WHERE i.inhparent = c.oid),
       ARRAY(SELECT i.inhparent::int8 FROM pg_inherits i WHERE i.inhrelid = c.oid ORDER BY i.inhseqno),
       (SELECT e.extname FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
          AND d.refclassid = 'pg_extension'::regclass LIMIT 1),
       has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relpersistence <> 't' AND {PLATFORM}
ORDER BY 1, 2"""

COLUMNS = f"""
SELECT c.oid::int8, a.attname, format_type(a.atttypid, a.atttypmod), b.typname, b.typtype::text,
       coalesce(e.typname, ''), a.attnotnull OR t.typnotnull, a.attgenerated <> '', a.attidentity <> '',
       coalesce(pg_get_expr(d.adbin, d.adrelid), ''), coalesce(col_description(c.oid, a.attnum), ''),
       ARRAY(SELECT l.enumlabel::text FROM pg_enum l WHERE l.enumtypid IN (b.oid, e.oid) ORDER BY l.enumsortorder)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
JOIN pg_type b ON b.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END
LEFT JOIN pg_type e ON e.oid = b.typelem AND b.typcategory = 'A'
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition AND {PLATFORM}
ORDER BY c.oid, a.attnum"""

INDEXES = f"""
SELECT c.oid::int8, i.indisprimary,
       i.indisunique AND i.indimmediate AND i.indpred IS NULL AND NOT 0 = ANY (i.indkey::int2[]),
       i.indpred IS NULL,
       ARRAY(SELECT coalesce(a.attname::text, '')
             FROM unnest((i.indkey::int2[])[0:i.indnkeyatts - 1]) WITH ORDINALITY k (attnum, place)
             LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum AND k.attnum > 0 ORDER BY k.place)
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE i.indisvalid AND NOT c.relispartition AND {PLATFORM}
ORDER BY c.oid, 5"""

FOREIGN_KEYS = f"""
SELECT c.oid::int8, k.confrelid::int8,
       ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY u (attnum, place)
             JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.attnum ORDER BY u.place),
       ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY u (attnum, place)
             JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.attnum ORDER BY u.place)
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE k.contype = 'f' AND NOT c.relispartition AND k.conparentid = 0 AND {PLATFORM}
ORDER BY 1, 3, 2"""

STATISTICS = f"""
SELECT c.oid::int8, s.attname, s.null_frac::float8, s.n_distinct::float8
FROM pg_stats s JOIN pg_namespace n ON n.nspname = s.schemaname
JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = s.tablename
WHERE s.inherited = (c.relkind = 'p') AND {PLATFORM}"""
"""Only of tables that the role may read: pg_stats shows no others (PostgreSQL documentation, 53.27)."""

VIEWS = f"""
SELECT DISTINCT c.oid::int8, d.refobjid::int8
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_rewrite r ON r.ev_class = c.oid
JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass
  AND d.refobjid <> c.oid
WHERE c.relkind IN ('v', 'm') AND {PLATFORM}
ORDER BY 1, 2"""

DEFINITIONS = f"""
SELECT c.oid::int8, pg_get_viewdef(c.oid),
       ARRAY(SELECT o.told FROM (VALUES ('hasAggs', 'aggregates'), ('hasWindowFuncs', 'window functions'),
                                        ('hasTargetSRFs', 'functions that give rows'), ('hasSubLinks', 'subqueries')
                                ) o (flag, told) WHERE r.ev_action::text LIKE '%:' || o.flag || ' true%')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_rewrite r ON r.ev_class = c.oid AND r.rulename = '_RETURN'
WHERE c.relkind IN ('v', 'm') AND {PLATFORM}
ORDER BY 1"""
"""A view's query, and what the server's own tree says is in it (PostgreSQL source, nodes/parsenodes.h: Query)."""

LEAVES = f"""
SELECT c.oid::int8, n2.nspname, l.relname
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (
  SELECT k.relname, k.relnamespace FROM pg_partition_tree(c.oid) t JOIN pg_class k ON k.oid = t.relid
  WHERE t.isleaf AND k.relkind = 'r' ORDER BY k.relpages DESC, k.relname LIMIT 3) l
JOIN pg_namespace n2 ON n2.oid = l.relnamespace
WHERE c.relkind = 'p' AND NOT c.relispartition AND {PLATFORM}
ORDER BY 1, 2, 3"""
"""The largest partitions of each partitioned table: samples come from them."""

PLACES = 8
ROWS = 200


def size_sql(schema: str, table: str) -> str:
    return f"SELECT pg_relation_size({literal(qualified(schema, table))}::regclass) / 8192"


def sample_sql(schema: str, table: str, columns: list[tuple[str, str]], pages: int) -> str:
    """At most ROWS rows from up to PLACES places of the table, found by their physical address.

    A TID range scan (PostgreSQL 14 and later) reads the named pages and no others, whatever the table's size;
    TABLESAMPLE looks at the number of every page.

    Args:
        columns: names, and how they become short text.
    """
    picked = ", ".join(text for _, text in columns)
    place = qualified(schema, table)
    if pages <= 2 * PLACES:
        return f"SELECT {picked} FROM {place} LIMIT {ROWS}"
    each = ROWS // PLACES
    starts = [pages * number // PLACES for number in range(PLACES)]
    return "\nUNION ALL\n".join(
        f"(SELECT {picked} FROM {place} WHERE ctid >= '({start},0)' AND ctid < '({start + 2},0)' LIMIT {each})"
        for start in starts
    )


def short_text(column: str, base_name: str) -> str | None:
    """How a column's value is sampled; None: not at all."""
    if base_name in {"bytea", "tsvector", "tsquery", "_bytea", "geometry", "geography", "raster", "vector"}:
        return None
    length = 4000 if base_name in {"json", "jsonb"} else 200
    return f"left({ident(column)}::text, {length})"


def contained_sql(schema: str, table: str, target: str, type_name: str) -> str:
    """How many of the values (parameter 1, text[]) are there, by its unique index; and whether anything is there."""
    column = f"t.{ident(target)}"
    place = qualified(schema, table)
    return (
        f"SELECT (SELECT count(*) FROM unnest(%s::text[]) v (value)"
        f" WHERE EXISTS (SELECT FROM {place} t WHERE {column} = v.value::{type_name})),"
        f" NOT EXISTS (SELECT FROM {place})"
    )


_USER_MADE = 16384
"""Objects below were made by initdb (PostgreSQL source, access/transam.h: FirstNormalObjectId)."""

AROUND = f"""
SELECT 'definer', p.oid::regprocedure::text, format('owner %s', pg_get_userbyid(p.proowner))
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE p.prosecdef AND p.oid >= {_USER_MADE} AND {PLATFORM}
  AND EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
              WHERE a.grantee = 0 AND a.privilege_type = 'EXECUTE')
  AND EXISTS (SELECT FROM aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) a
              WHERE a.grantee = 0 AND a.privilege_type = 'USAGE')
UNION ALL
SELECT CASE WHEN c.relkind IN ('v', 'm') THEN 'public view' ELSE 'public table' END, c.oid::regclass::text,
       (SELECT string_agg(DISTINCT lower(a.privilege_type), ', ' ORDER BY lower(a.privilege_type))
        FROM aclexplode(c.relacl) a WHERE a.grantee = 0)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND {PLATFORM}
  AND EXISTS (SELECT FROM aclexplode(c.relacl) a WHERE a.grantee = 0)
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                  AND d.deptype = 'e')
UNION ALL
SELECT 'default', format('default privileges of %s', pg_get_userbyid(d.defaclrole)), ''
FROM pg_default_acl d WHERE d.defaclobjtype NOT IN ('T', 'f')
  AND EXISTS (SELECT FROM aclexplode(d.defaclacl) a WHERE a.grantee = 0)
UNION ALL
SELECT 'rls', c.oid::regclass::text, ''
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND c.relrowsecurity AND {PLATFORM}
ORDER BY 1, 2"""
"""(kind, name, detail) of what passes the map by: by the ACLs of everybody, so that any role can ask."""

COLLATIONS = f"""
SELECT n.nspname, c.relname, a.attname, format('%I.%I', o.nspname, l.collname)
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_type t ON t.oid = a.atttypid
JOIN pg_collation l ON l.oid = a.attcollation AND a.attcollation <> t.typcollation
JOIN pg_namespace o ON o.oid = l.collnamespace
WHERE a.attnum > 0 AND {PLATFORM}"""

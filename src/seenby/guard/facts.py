"""Queries over the live catalog: what ``seenby.datamap.facts`` and ``functions`` decide from. Pure text."""

from __future__ import annotations

from seenby.datamap import DataMap
from seenby.guard import names
from seenby.guard.quote import literals

_NOT_PLATFORM = f"""
  n.nspname NOT IN ('information_schema', 'seenby_catalog', '{names.SCHEMA}') AND NOT starts_with(n.nspname, 'pg_')
  AND NOT starts_with(n.nspname, '{names.VIEW_PREFIX}')"""

COLUMNS = f"""
SELECT n.nspname, c.relname, c.oid::int8, a.attname, a.atttypid::int8, format_type(a.atttypid, a.atttypmod),
       b.typname,
       CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod)
            ELSE format_type(a.atttypid, a.atttypmod) END,
       b.typcategory::text, a.attnotnull,
       CASE WHEN a.attcollation <> t.typcollation AND a.attcollation <> 0
            THEN (SELECT format('%I.%I', cn.nspname, co.collname) FROM pg_collation co
                  JOIN pg_namespace cn ON cn.oid = co.collnamespace WHERE co.oid = a.attcollation) ELSE '' END
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
JOIN pg_type b ON b.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END
WHERE c.relkind IN ('r', 'p') AND {_NOT_PLATFORM}
ORDER BY 1, 2, a.attnum"""
"""Every column of every ordinary and partitioned table, in its order."""

INDEXES = f"""
SELECT n.nspname, c.relname,
       ARRAY(SELECT a.attname::text
             FROM unnest((i.indkey::int2[])[0:i.indnkeyatts - 1]) WITH ORDINALITY k (attnum, place)
             LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum AND k.attnum > 0 ORDER BY k.place),
       i.indisunique AND i.indimmediate AND i.indpred IS NULL AND NOT 0 = ANY (i.indkey::int2[])
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE i.indisvalid AND i.indpred IS NULL AND {_NOT_PLATFORM}
ORDER BY 1, 2, 3, 4"""
"""(schema, table, key columns, identifies a row). An expression is NULL among the columns."""

RELATION_NAMES = f"""
SELECT n.nspname, c.relname, ARRAY(SELECT a.attname::text FROM pg_attribute a
                                   WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum),
       wn.nspname, w.relname
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_class w ON c.relispartition AND w.oid = pg_partition_root(c.oid)
LEFT JOIN pg_namespace wn ON wn.oid = w.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND {_NOT_PLATFORM}
ORDER BY 1, 2"""
"""Everything a user could name by mistake: tables and views with their columns, partitions with the whole table."""

PRIMARY_KEYS = f"""
SELECT n.nspname, c.relname, ARRAY(SELECT a.attname::text FROM unnest(k.conkey) u (attnum)
                                   JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = u.attnum)
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE k.contype = 'p' AND NOT k.condeferrable AND {_NOT_PLATFORM}
ORDER BY 1, 2"""
"""(schema, table, columns); not those that are checked at the end of a transaction only, as GROUP BY wants it."""

FUNCTIONS = """
WITH serving AS (
  SELECT oprcode::oid AS oid FROM pg_operator
  UNION SELECT amproc::oid FROM pg_amproc
  UNION SELECT unnest(ARRAY[aggtransfn, aggfinalfn, aggcombinefn, aggserialfn, aggdeserialfn, aggmtransfn,
                            aggminvtransfn, aggmfinalfn]::oid[]) FROM pg_aggregate
  UNION SELECT unnest(ARRAY[typinput, typoutput, typreceive, typsend, typmodin, typmodout, typanalyze,
                            typsubscript]::oid[]) FROM pg_type
  UNION SELECT unnest(ARRAY[lanplcallfoid, laninline, lanvalidator]) FROM pg_language
  UNION SELECT unnest(ARRAY[rngcanonical, rngsubdiff]::oid[]) FROM pg_range)
SELECT p.proname::text, p.prokind::text, p.provolatile::text,
       ARRAY(SELECT t.typname::text
             FROM unnest(p.prorettype || p.proargtypes::oid[] || coalesce(p.proallargtypes, '{}')) o (oid)
             JOIN pg_type t ON t.oid = o.oid),
       p.proretset, p.prosecdef, p.oid IN (SELECT oid FROM serving)
FROM pg_proc p WHERE p.pronamespace = 'pg_catalog'::regnamespace"""
"""Functions that an extension put into pg_catalog are judged by the same rules."""

TYPES = f"""
SELECT t.typname::text FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE n.nspname = 'pg_catalog' AND t.typtype IN ('b', 'r', 'm') AND t.typcategory <> 'A'
   OR t.typtype = 'e' AND {_NOT_PLATFORM}"""
"""Names of built-in base and range types, and of the platform's enums."""


def fingerprint(datamap: DataMap) -> str:
    """One digest that changes whenever a mapped table, its columns, indexes or policies do, or a function is made."""
    schemas = literals(sorted({name.schema for name in datamap.tables}))
    return f"""
WITH r AS MATERIALIZED (
  SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname IN ({schemas}) AND c.relkind IN ('r', 'p', 'v', 'm', 'f'))
SELECT md5(concat(
  (SELECT string_agg(concat_ws(' ', c.oid, c.relname, c.relkind, c.relrowsecurity, c.relacl), ',' ORDER BY c.oid)
   FROM r JOIN pg_class c USING (oid)),
  (SELECT string_agg(concat_ws(' ', a.attrelid, a.attname, a.atttypid, a.atttypmod, a.attnotnull, a.attcollation), ','
                     ORDER BY a.attrelid, a.attnum)
   FROM r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped),
  (SELECT string_agg(concat_ws(' ', i.indexrelid, i.indisunique, i.indisvalid), ',' ORDER BY i.indexrelid)
   FROM r JOIN pg_index i ON i.indrelid = r.oid),
  (SELECT string_agg(concat_ws(' ', t.oid, t.xmin), ',' ORDER BY t.oid)
   FROM pg_type t WHERE t.oid >= 16384 AND t.typtype IN ('d', 'e')),
  (SELECT string_agg(concat_ws(' ', e.oid, e.xmin), ',' ORDER BY e.oid) FROM pg_enum e),
  (SELECT string_agg(concat_ws(' ', p.oid, p.xmin), ',' ORDER BY p.oid) FROM pg_proc p
   WHERE p.oid >= 16384 AND p.pronamespace <> ALL (SELECT oid FROM pg_namespace
     WHERE nspname = 'seenby_catalog' OR starts_with(nspname, '{names.VIEW_PREFIX}')))
))"""

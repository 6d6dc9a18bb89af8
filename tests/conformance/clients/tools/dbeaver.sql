-- What DBeaver (24.x) asks: the relations, columns, functions and constructs of its queries, read in its public source
-- (org.jkiss.dbeaver.ext.postgresql), in this project's layout. Its driver, pgjdbc, is tested by itself.

-- at connect
SELECT current_database();

-- at connect: the schema and its search path
SELECT current_schema();

-- at connect
SHOW search_path;

-- at connect
SELECT version();

-- at connect: is there a relation, a column?
SELECT reltype FROM pg_catalog.pg_class WHERE 1 <> 1 LIMIT 1;

-- at connect: is there a relation?
SELECT * FROM pg_catalog.pg_enum WHERE 1 <> 1 LIMIT 1;

-- databases
SELECT db.datname, db.encoding, db.datcollate, db.datallowconn FROM pg_catalog.pg_database db
WHERE 1 = 1 AND datallowconn AND NOT datistemplate ORDER BY db.datname;

-- a database's comment
SELECT description FROM pg_shdescription JOIN pg_database ON objoid = pg_database.oid WHERE datname = 'platform';

-- encodings
SELECT c.contoencoding AS encid, pg_catalog.pg_encoding_to_char(c.contoencoding) AS encname
FROM pg_catalog.pg_conversion c GROUP BY c.contoencoding ORDER BY 2;

-- access methods
SELECT am.oid, am.* FROM pg_catalog.pg_am am ORDER BY am.oid;

-- schemas
SELECT n.nspname, d.description FROM pg_catalog.pg_namespace n
LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = n.oid AND d.objsubid = 0 AND d.classoid = 'pg_namespace'::regclass
WHERE n.nspname NOT LIKE 'pg\_%' ORDER BY nspname;

-- types of a schema
SELECT t.typname, t.typtype, t.typcategory, c.relkind, format_type(nullif(t.typbasetype, 0), t.typtypmod) AS base_type_name,
    d.description FROM pg_catalog.pg_type t
LEFT OUTER JOIN pg_catalog.pg_type et ON et.oid = t.typelem
LEFT OUTER JOIN pg_catalog.pg_class c ON c.oid = t.typrelid
LEFT OUTER JOIN pg_catalog.pg_description d ON t.oid = d.objoid
WHERE t.typname IS NOT NULL AND (c.relkind IS NULL OR c.relkind = 'c') AND (et.typcategory IS NULL OR et.typcategory <> 'C')
    AND t.typnamespace = {public} ORDER BY t.typname;

-- tables of a schema
SELECT c.relname, c.relkind, c.relpersistence, c.relhasindex, d.description,
    pg_catalog.pg_get_expr(c.relpartbound, c.oid) AS partition_expr, pg_catalog.pg_get_partkeydef(c.oid) AS partition_key
FROM pg_catalog.pg_class c
LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = c.oid AND d.objsubid = 0 AND d.classoid = 'pg_class'::regclass
WHERE c.relnamespace = {public} AND c.relkind NOT IN ('i', 'I', 'c') ORDER BY c.relname;

-- all columns of the catalogue's row, as a star
SELECT c.* FROM pg_catalog.pg_class c WHERE false;

-- columns of a table
SELECT c.relname, a.attname, a.atttypmod, a.attnotnull, a.attidentity,
    pg_catalog.pg_get_expr(ad.adbin, ad.adrelid, true) AS def_value, dsc.description, dep.objid
FROM pg_catalog.pg_attribute a
INNER JOIN pg_catalog.pg_class c ON (a.attrelid = c.oid)
LEFT OUTER JOIN pg_catalog.pg_attrdef ad ON (a.attrelid = ad.adrelid AND a.attnum = ad.adnum)
LEFT OUTER JOIN pg_catalog.pg_description dsc ON (c.oid = dsc.objoid AND a.attnum = dsc.objsubid)
LEFT OUTER JOIN pg_depend dep ON dep.refobjid = a.attrelid AND dep.deptype = 'i' AND dep.refobjsubid = a.attnum
    AND dep.classid = dep.refclassid
WHERE NOT a.attisdropped AND c.relkind NOT IN ('i', 'I', 'c') AND c.oid = {accounts} AND a.attnum > 0 ORDER BY a.attnum;

-- constraints of a schema
SELECT c.conname, c.contype, t.relname AS tabrelname, rt.relnamespace <> 0 AS refnamespace, d.description,
    pg_catalog.pg_get_constraintdef(c.oid) AS definition
FROM pg_catalog.pg_constraint c
INNER JOIN pg_catalog.pg_class t ON t.oid = c.conrelid
LEFT OUTER JOIN pg_catalog.pg_class rt ON rt.oid = c.confrelid
LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = c.oid AND d.objsubid = 0 AND d.classoid = 'pg_constraint'::regclass
WHERE t.relnamespace = {public} ORDER BY c.conname;

-- indexes of a schema
SELECT i.indkey, i.indisunique, i.indisprimary, c.relname, c.relam, tc.relname AS tabrelname, dsc.description,
    pg_catalog.pg_get_expr(i.indpred, i.indrelid) AS pred_expr,
    pg_catalog.pg_get_expr(i.indexprs, i.indrelid, true) AS expr, pg_catalog.pg_stat_get_numscans(i.indexrelid) < 0 AS scans
FROM pg_catalog.pg_index i
INNER JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
INNER JOIN pg_catalog.pg_class tc ON tc.oid = i.indrelid
LEFT OUTER JOIN pg_catalog.pg_description dsc ON i.indexrelid = dsc.objoid
WHERE c.relnamespace = {public} AND false ORDER BY c.relname;

-- the text of an index
SELECT pg_catalog.pg_get_indexdef({accounts_pkey});

-- sequences, triggers, event triggers, extensions, foreign servers of a schema
SELECT c.relname FROM pg_catalog.pg_class c WHERE c.relnamespace = {public} AND c.relkind = 'S'
UNION ALL SELECT x.tgname FROM pg_catalog.pg_trigger x INNER JOIN pg_catalog.pg_class c ON c.oid = x.tgrelid
    WHERE c.relnamespace = {public} AND NOT x.tgisinternal
UNION ALL SELECT pet.evtname FROM pg_catalog.pg_event_trigger pet
    LEFT OUTER JOIN pg_catalog.pg_description d ON pet."oid" = d.objoid
UNION ALL SELECT s.srvname FROM pg_catalog.pg_foreign_server s ORDER BY 1;

-- functions of a schema
SELECT p.proname, pg_catalog.pg_get_function_result(p.oid) AS returns, l.lanname, d.description
FROM pg_catalog.pg_proc p LEFT OUTER JOIN pg_catalog.pg_language l ON l.oid = p.prolang
LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = p.oid AND d.objsubid = 0
WHERE p.pronamespace = {public} AND p.prokind <> 'a' ORDER BY p.proname;

-- inherited tables
SELECT i.*, rc.relnamespace FROM pg_catalog.pg_inherits i, pg_catalog.pg_class rc
WHERE i.inhparent = {accounts} AND rc.oid = i.inhrelid ORDER BY i.inhseqno;

-- what depends on a table
SELECT DISTINCT dep.deptype, dep.classid, cl.relkind, attr.attname, pg_get_expr(ad.adbin, ad.adrelid) AS adefval
FROM pg_depend dep
LEFT JOIN pg_class cl ON dep.objid = cl.oid
LEFT JOIN pg_attrdef ad ON ad.oid = dep.objid
LEFT JOIN pg_attribute attr ON attr.attrelid = ad.adrelid AND attr.attnum = ad.adnum
WHERE dep.refobjid = {accounts} AND false;

-- privileges of the role on tables
-- the rows differ: the copy's owner granted nothing, a grant's session is told what it may select
SELECT table_name, privilege_type, is_grantable FROM information_schema.table_privileges
WHERE table_catalog = 'platform' AND grantee = current_user AND table_schema = 'public' ORDER BY 1, 2;

-- settings
SELECT name FROM pg_catalog.pg_settings WHERE name = 'server_version';

-- search by name: tables, columns, constraints
SELECT x.relname, x.relkind FROM pg_catalog.pg_class x WHERE x.relkind IN ('r', 'v', 'm', 'f', 'p')
    AND x.relname ILIKE '%acc%' AND x.relnamespace IN ({public}) ORDER BY x.relname LIMIT 100;

-- search by name
SELECT x.attname, pc.relname FROM pg_catalog.pg_attribute x JOIN pg_catalog.pg_class pc ON pc.oid = x.attrelid
WHERE x.attname ILIKE '%phone%' AND pc.relnamespace IN ({public}) AND pc.relkind <> 'i' ORDER BY 2, 1 LIMIT 100;

-- data of a table: the first page
SELECT t.* FROM public.countries t ORDER BY code LIMIT 200;

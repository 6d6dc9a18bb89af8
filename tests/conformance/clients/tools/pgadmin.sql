-- What pgAdmin 4 (9.x, 2026) asks: the relations, columns, functions and constructs of its queries, read in its public
-- source (utils/driver/psycopg3/connection.py, browser/server_groups, dashboard), in this project's layout.
-- {accounts}, {public} ... stand for numbers of objects, which differ from database to database.

-- at connect: four statements in one message
SET DateStyle = ISO; SET client_min_messages = notice; SELECT set_config('bytea_output', 'hex', false) FROM pg_show_all_settings() WHERE name = 'bytea_output'; SET client_encoding = 'utf-8';

-- at connect: the version
SELECT version();

-- at connect: the database
SELECT db.oid > 0 AS did, db.datname, db.datallowconn, pg_encoding_to_char(db.encoding) AS serverencoding,
    has_database_privilege(db.oid, 'CREATE') AS cancreate, datistemplate
FROM pg_catalog.pg_database db WHERE db.datname = current_database();

-- at connect: GSSAPI
SELECT gss_authenticated, encrypted FROM pg_catalog.pg_stat_gssapi WHERE pid = pg_backend_pid();

-- at connect: the user
SELECT roles.rolname LIKE 'p%' AS other, roles.rolsuper AS is_superuser,
    CASE WHEN roles.rolsuper THEN true ELSE roles.rolcreaterole END AS can_create_role,
    CASE WHEN 'pg_signal_backend' = ANY (ARRAY(
        WITH RECURSIVE cte AS (
            SELECT pg_roles.oid, pg_roles.rolname FROM pg_catalog.pg_roles WHERE pg_roles.oid = roles.oid
            UNION ALL
            SELECT m.roleid, pgr.rolname FROM cte cte_1
            JOIN pg_catalog.pg_auth_members m ON m.member = cte_1.oid
            JOIN pg_catalog.pg_roles pgr ON pgr.oid = m.roleid
        ) SELECT rolname FROM cte)) THEN true ELSE false END AS can_signal_backend
FROM pg_catalog.pg_roles AS roles WHERE rolname = current_user;

-- the server's node: replication
SELECT CASE WHEN (SELECT count(extname) FROM pg_catalog.pg_extension WHERE extname = 'bdr') > 0 THEN 'pgd'
    WHEN (SELECT count(*) FROM pg_replication_slots) > 0 THEN 'log' ELSE NULL END AS type;

-- databases
SELECT db.datname AS name, ta.spcname, db.datallowconn, has_database_privilege(db.oid, 'CREATE') AS cancreate,
    (SELECT count(*) FROM pg_catalog.pg_db_role_setting s WHERE s.setdatabase = db.oid AND s.setrole = 5) AS settings,
    shobj_description(db.oid, 'pg_database') AS description
FROM pg_catalog.pg_database db LEFT OUTER JOIN pg_catalog.pg_tablespace ta ON db.dattablespace = ta.oid
WHERE db.datname = 'platform' ORDER BY datname;

-- databases: the locales to choose from, a column named by a subquery
SELECT CASE WHEN datlocprovider = 'i' THEN
    (SELECT datlocale AS cname FROM pg_catalog.pg_database WHERE datname = current_database())
    ELSE (SELECT datcollate AS cname FROM pg_catalog.pg_database WHERE datname = current_database()
        UNION SELECT datctype AS cname FROM pg_catalog.pg_database WHERE datname = current_database()) END
FROM pg_catalog.pg_database WHERE datname = current_database();

-- schemas
SELECT nsp.nspname AS name, has_schema_privilege(nsp.oid, 'USAGE') AS has_usage, des.description
FROM pg_catalog.pg_namespace nsp LEFT OUTER JOIN pg_catalog.pg_description des
    ON des.objoid = nsp.oid AND des.classoid = 'pg_namespace'::regclass
WHERE nspname NOT LIKE E'pg\\_%' AND NOT (nsp.nspname IN ('pg_catalog', 'information_schema')
    AND EXISTS (SELECT 1 FROM pg_catalog.pg_class WHERE relname = 'tables' AND relnamespace = nsp.oid LIMIT 1))
ORDER BY nspname;

-- privileges of the schema: nobody is told any
SELECT array_agg(b.privilege_type) AS privileges, array_agg(b.is_grantable) AS grantable
FROM (SELECT (d).grantee AS grantee, (d).grantor AS grantor, (d).is_grantable AS is_grantable,
        CASE (d).privilege_type WHEN 'CREATE' THEN 'C' WHEN 'USAGE' THEN 'U' ELSE 'UNKNOWN' END AS privilege_type
    FROM (SELECT aclexplode(db.nspacl) AS d FROM pg_catalog.pg_namespace db WHERE db.oid = {public}::oid AND false) a) b
LEFT JOIN pg_catalog.pg_roles g ON b.grantor = g.oid GROUP BY g.rolname;

-- tables
SELECT rel.relname AS name, rel.relkind,
    (SELECT count(*) FROM pg_catalog.pg_trigger WHERE tgrelid = rel.oid AND tgisinternal = FALSE) AS triggercount,
    (SELECT count(*) FROM pg_catalog.pg_inherits WHERE inhrelid = rel.oid LIMIT 1) AS is_inherits
FROM pg_catalog.pg_class rel
WHERE rel.relkind IN ('r', 's', 't', 'p') AND rel.relnamespace = {public}::oid AND NOT rel.relispartition
ORDER BY rel.relname;

-- one table
SELECT rel.relname AS name, spc.spcname, con.conname, con.conkey, rel.relpersistence AS persistence, rel.relispartition,
    array_to_string(rel.reloptions, ', ') AS options, EXISTS (
        SELECT 1 FROM pg_catalog.pg_trigger JOIN pg_catalog.pg_proc pt ON pt.oid = tgfoid AND pt.proname = 'logtrigger'
        JOIN pg_catalog.pg_proc pc ON pc.pronamespace = pt.pronamespace AND pc.proname = 'slonyversion'
        WHERE tgrelid = rel.oid) AS isrepl,
    ARRAY(SELECT CASE WHEN nspname NOT LIKE 'pg\_%' THEN pg_catalog.quote_ident(nspname) || '.' ELSE '' END
        || pg_catalog.quote_ident(c.relname) FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c ON c.oid = i.inhparent
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE i.inhrelid = rel.oid ORDER BY inhseqno) AS inherits,
    pg_catalog.pg_get_partkeydef(rel.oid) AS partition_scheme, rel.reloftype, am.amname,
    (SELECT st.setting FROM pg_catalog.pg_show_all_settings() st WHERE st.name = 'default_table_access_method') AS usual
FROM pg_catalog.pg_class rel
LEFT OUTER JOIN pg_catalog.pg_tablespace spc ON spc.oid = rel.reltablespace
LEFT OUTER JOIN pg_catalog.pg_description des ON des.objoid = rel.oid AND des.objsubid = 0
LEFT OUTER JOIN pg_catalog.pg_constraint con ON con.conrelid = rel.oid AND con.contype = 'p'
LEFT OUTER JOIN pg_catalog.pg_class tst ON tst.oid = rel.reltoastrelid
LEFT JOIN pg_catalog.pg_type typ ON rel.reloftype = typ.oid
LEFT JOIN pg_catalog.pg_am am ON am.oid = rel.relam
WHERE rel.relkind IN ('r', 's', 't', 'p') AND rel.relnamespace = {public}::oid AND rel.oid = {accounts}::oid;

-- columns of a table
SELECT att.attname AS name, att.atttypid::oid < 16384 AS built_in, att.attlen, att.attnum, att.attndims, att.atttypmod,
    att.attnotnull, att.attstorage, att.attidentity, pg_catalog.pg_get_expr(def.adbin, def.adrelid) AS defval,
    CASE WHEN ty.typtype = 'd' THEN '' ELSE pg_catalog.format_type(ty.oid, att.atttypmod) END AS cltype,
    pg_catalog.format_type(ty.oid, NULL) AS typname, tn.nspname AS typnspname,
    (SELECT count(1) FROM pg_catalog.pg_type t2 WHERE t2.typname = ty.typname) > 1 AS isdup, indkey, coll.collname,
    EXISTS (SELECT 1 FROM pg_catalog.pg_constraint WHERE conrelid = att.attrelid AND contype = 'f'
        AND att.attnum = ANY (conkey)) AS is_fk,
    (SELECT array_agg(provider || '=' || label) FROM pg_catalog.pg_seclabels sl1
        WHERE sl1.objoid = att.attrelid AND sl1.objsubid = att.attnum) AS seclabels, seq.*
FROM pg_catalog.pg_attribute att
JOIN pg_catalog.pg_type ty ON ty.oid = atttypid
JOIN pg_catalog.pg_namespace tn ON tn.oid = ty.typnamespace
JOIN pg_catalog.pg_class cl ON cl.oid = att.attrelid
LEFT OUTER JOIN pg_catalog.pg_attrdef def ON adrelid = att.attrelid AND adnum = att.attnum
LEFT OUTER JOIN pg_catalog.pg_description des ON des.objoid = att.attrelid AND des.objsubid = att.attnum
LEFT OUTER JOIN (pg_catalog.pg_depend JOIN pg_catalog.pg_class cs ON classid = 'pg_class'::regclass AND objid = cs.oid
    AND cs.relkind = 'S') ON refobjid = att.attrelid AND refobjsubid = att.attnum
LEFT OUTER JOIN pg_catalog.pg_index pi ON pi.indrelid = att.attrelid AND indisprimary
LEFT OUTER JOIN pg_catalog.pg_collation coll ON att.attcollation = coll.oid
LEFT OUTER JOIN pg_catalog.pg_sequence seq ON cs.oid = seq.seqrelid
WHERE att.attrelid = {accounts}::oid AND att.attnum > 0 AND att.attisdropped IS FALSE ORDER BY att.attnum;

-- types to choose from
SELECT pg_catalog.format_type(t.oid, NULL) AS typname, CASE WHEN typelem > 0 THEN typelem < 0 ELSE false END AS element,
    typtype, nspname FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace nsp ON typnamespace = nsp.oid
WHERE NOT (typname = 'unknown' AND nspname = 'pg_catalog') AND typisdefined AND typtype IN ('b', 'c', 'd', 'e', 'r')
    AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_class WHERE relnamespace = typnamespace AND relname = typname
        AND relkind != 'c')
    AND (typname NOT LIKE '_%' OR NOT EXISTS (SELECT 1 FROM pg_catalog.pg_class WHERE relnamespace = typnamespace
        AND relname = substring(typname FROM 2)::name AND relkind != 'c')) AND nsp.nspname = 'public'
ORDER BY nspname = 'pg_catalog' DESC, nspname, 1;

-- constraints of a table
SELECT conname AS name, NOT convalidated AS convalidated, contype, condeferrable,
    pg_catalog.pg_get_constraintdef(ct.oid) AS definition
FROM pg_catalog.pg_constraint ct WHERE conrelid = {videos}::oid AND contype IN ('p', 'f', 'u', 'c', 'x') ORDER BY conname;

-- foreign keys of a table
SELECT conname AS name, condeferrable, condeferred, confupdtype, confdeltype,
    CASE confmatchtype WHEN 's' THEN FALSE WHEN 'f' THEN TRUE END AS confmatchtype, conkey, confkey, cl.relname AS fktab,
    nr.nspname AS refnsp, cr.relname AS reftab
FROM pg_catalog.pg_constraint ct
JOIN pg_catalog.pg_class cl ON cl.oid = conrelid
JOIN pg_catalog.pg_namespace nl ON nl.oid = cl.relnamespace
JOIN pg_catalog.pg_class cr ON cr.oid = confrelid
JOIN pg_catalog.pg_namespace nr ON nr.oid = cr.relnamespace
LEFT OUTER JOIN pg_catalog.pg_description des ON des.objoid = ct.oid AND des.classoid = 'pg_constraint'::regclass
WHERE ct.contype = 'f' AND conrelid = {videos}::oid ORDER BY conname;

-- indexes of a table
SELECT DISTINCT ON (cls.relname) cls.relname AS name, indisunique, indisprimary, indisclustered, indisvalid, am.amname,
    CASE WHEN contype IN ('p', 'u', 'x') THEN desp.description ELSE des.description END AS description,
    pg_catalog.pg_get_expr(indpred, indrelid, true) AS indconstraint, contype, condeferrable,
    substring(pg_catalog.array_to_string(cls.reloptions, ',') FROM 'fillfactor=([0-9]*)') AS fillfactor
FROM pg_catalog.pg_index idx
JOIN pg_catalog.pg_class cls ON cls.oid = indexrelid
JOIN pg_catalog.pg_class tab ON tab.oid = indrelid
LEFT OUTER JOIN pg_catalog.pg_tablespace ta ON ta.oid = cls.reltablespace
JOIN pg_catalog.pg_namespace n ON n.oid = tab.relnamespace
JOIN pg_catalog.pg_am am ON am.oid = cls.relam
LEFT JOIN pg_catalog.pg_depend dep ON dep.classid = cls.tableoid AND dep.objid = cls.oid AND dep.refobjsubid = '0'
LEFT OUTER JOIN pg_catalog.pg_constraint con ON con.conindid = cls.oid AND con.contype IN ('p', 'u', 'x')
LEFT OUTER JOIN pg_catalog.pg_description des ON des.objoid = cls.oid AND des.classoid = 'pg_class'::regclass
LEFT OUTER JOIN pg_catalog.pg_description desp ON desp.objoid = con.oid AND desp.objsubid = 0
WHERE indrelid = {accounts}::oid ORDER BY cls.relname;

-- columns of an index
SELECT i.indoption[i.attnum - 1] AS options, pg_catalog.pg_get_indexdef(i.indexrelid, i.attnum, true) AS attdef,
    CASE WHEN (o.opcdefault = FALSE) THEN o.opcname ELSE NULL END AS opcname, op.oprname, c.collname
FROM (SELECT indexrelid, i.indoption, i.indclass, pg_catalog.unnest(ARRAY(
        SELECT pg_catalog.generate_series(1, i.indnatts) AS n)) AS attnum
    FROM pg_catalog.pg_index i WHERE i.indexrelid = {accounts_pkey}::oid) i
LEFT JOIN pg_catalog.pg_opclass o ON (o.oid = i.indclass[i.attnum - 1])
LEFT OUTER JOIN pg_catalog.pg_constraint c0 ON c0.conindid = i.indexrelid
LEFT OUTER JOIN pg_catalog.pg_operator op ON (op.oid = c0.conexclop[i.attnum])
LEFT JOIN pg_catalog.pg_attribute a ON (a.attrelid = i.indexrelid AND a.attnum = i.attnum)
LEFT JOIN pg_catalog.pg_collation c ON a.attcollation = c.oid ORDER BY i.attnum;

-- triggers, rules and policies of a table
SELECT t.tgname AS name, t.xmin, pg_catalog.pg_get_triggerdef(t.oid) AS definition FROM pg_catalog.pg_trigger t
WHERE NOT tgisinternal AND tgrelid = {accounts}::oid
UNION ALL SELECT rw.rulename, rw.xmin, pg_catalog.pg_get_ruledef(rw.oid) FROM pg_catalog.pg_rewrite rw
WHERE rw.ev_class = {accounts}::oid
UNION ALL SELECT pl.polname, pl.xmin, pg_catalog.pg_get_expr(pl.polqual, pl.polrelid) FROM pg_catalog.pg_policy pl
WHERE pl.polrelid = {accounts}::oid ORDER BY 1;

-- views, functions and sequences of the schema
SELECT 'view' AS kind, c.relname AS name, pg_catalog.pg_get_viewdef(c.oid, true) AS definition
FROM pg_catalog.pg_class c WHERE c.relkind = 'v' AND c.relnamespace = {public}::oid
UNION ALL SELECT 'function', pr.proname || '(' || COALESCE(pg_catalog.pg_get_function_identity_arguments(pr.oid), '') || ')',
    oidvectortypes(pr.proargtypes)
FROM pg_catalog.pg_proc pr JOIN pg_catalog.pg_type typ ON typ.oid = prorettype
JOIN pg_catalog.pg_language lng ON lng.oid = prolang WHERE pr.prokind IN ('f', 'w') AND pronamespace = {public}::oid
UNION ALL SELECT 'sequence', cl.relname, NULL FROM pg_catalog.pg_class cl WHERE cl.relkind = 'S'
    AND cl.relnamespace = {public}::oid ORDER BY 1, 2;

-- enums
SELECT t.typname AS name, format_type(t.oid, null) AS alias, e.enumlabel FROM pg_catalog.pg_type t
JOIN pg_catalog.pg_enum e ON e.enumtypid = t.oid WHERE t.typnamespace = {public}::oid
ORDER BY t.typname, e.enumsortorder;

-- the dashboard: sessions, of which there is one
SELECT state, backend_type, datname FROM pg_catalog.pg_stat_activity WHERE pid = pg_backend_pid();

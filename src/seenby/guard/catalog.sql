-- The filtered catalogue of a grant; catalog.py says what it is for, lists its relations, and puts them in place of
-- :'relations' (JSON). Order: what the current role is shown (shown_*), the relations, the functions.
SET LOCAL search_path = pg_catalog;
SET LOCAL client_min_messages = warning;
DROP SCHEMA IF EXISTS seenby_catalog CASCADE;
CREATE SCHEMA seenby_catalog;

-- The schemas of the current role's shape, under the names they show. In a view current_user is who asks, while
-- the tables are read as the view's owner; so every view here filters by the grant role's own privileges.
CREATE VIEW seenby_catalog.shown_schema AS
    SELECT n.oid, n.nspname, s.shows_as, b.oid AS base
    FROM seenby.shape_schema s
    JOIN pg_namespace n ON n.nspname = s.nspname
    LEFT JOIN pg_namespace b ON b.nspname = s.shows_as
    WHERE has_schema_privilege(n.oid, 'USAGE');

-- Its views, and the platform's table behind each.
CREATE VIEW seenby_catalog.shown_table AS
    SELECT c.oid, c.relname, c.relnamespace, c.reltype, b.oid AS base, b.relname AS base_name, s.base AS base_schema,
        s.shows_as
    FROM seenby_catalog.shown_schema s
    JOIN pg_class c ON c.relnamespace = s.oid AND c.relkind = 'v'
    LEFT JOIN pg_class b ON b.relnamespace = s.base AND b.relname = c.relname AND b.relkind IN ('r', 'p', 'f')
    WHERE has_table_privilege(c.oid, 'SELECT');

-- The hidden person keys ("seenby$1") are the last columns of a view.
CREATE VIEW seenby_catalog.shown_column AS
    SELECT t.oid AS attrelid, a.attname, a.attnum, a.atttypid, a.attcollation, t.base, b.attnum AS base_attnum,
        COALESCE(b.attnotnull, false) AS attnotnull
    FROM seenby_catalog.shown_table t
    JOIN pg_attribute a ON a.attrelid = t.oid
    LEFT JOIN pg_attribute b ON b.attrelid = t.base AND b.attname = a.attname AND b.attnum > 0
    WHERE a.attnum > 0 AND NOT a.attisdropped AND NOT starts_with(a.attname::text, 'seenby$');

-- Types of those columns, what they are made of, and what initdb made. The row type of a table stands in a column
-- only if that table is shown: its array, elements and columns would name it.
CREATE VIEW seenby_catalog.shown_type AS
    WITH RECURSIVE used(oid) AS (
        SELECT atttypid FROM seenby_catalog.shown_column
        UNION
        SELECT reltype FROM seenby_catalog.shown_table
        UNION
        SELECT part.oid
        FROM used u
        JOIN pg_type t ON t.oid = u.oid
        CROSS JOIN LATERAL (
            SELECT unnest(ARRAY[t.typelem, t.typarray, t.typbasetype])
            UNION ALL
            SELECT a.atttypid FROM pg_attribute a WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
            UNION ALL
            SELECT unnest(ARRAY[g.rngtypid, g.rngmultitypid, g.rngsubtype])
            FROM pg_range g WHERE g.rngtypid = t.oid OR g.rngmultitypid = t.oid
        ) part(oid)
        WHERE (t.typrelid = 0 OR EXISTS (SELECT FROM pg_class c WHERE c.oid = t.typrelid AND c.relkind = 'c'))
            OR part.oid = t.typarray
    )
    SELECT t.oid FROM pg_type t WHERE t.oid < 16384
    UNION ALL
    SELECT t.oid
    FROM used u
    JOIN pg_type t ON t.oid = u.oid AND t.oid >= 16384
    LEFT JOIN pg_type e ON e.oid = t.typelem
    LEFT JOIN pg_class c ON c.oid = GREATEST(t.typrelid, e.typrelid) AND c.oid <> 0
    WHERE c.oid IS NULL OR c.relkind = 'c' OR c.oid IN (SELECT oid FROM seenby_catalog.shown_table);

-- Plain indexes: every key and included column is visible; no expression, no predicate, nothing of the platform's own
-- (access method, operator class, collation) in the text after " USING ", which therefore can be Postgres's.
CREATE VIEW seenby_catalog.shown_index AS
    SELECT x.oid, x.indrelid, x.relnamespace, x.relam, x.relnatts, x.indkey, x.tablename, x.constraint_oid,
        (x.wish || CASE WHEN x.n > 1 THEN (x.n - 1)::text ELSE '' END)::name AS relname,
        format(
            'CREATE %sINDEX %I ON %I.%I%s', CASE WHEN x.indisunique THEN 'UNIQUE ' ELSE '' END,
            (x.wish || CASE WHEN x.n > 1 THEN (x.n - 1)::text ELSE '' END)::name, x.shows_as, x.tablename, x.rest
        ) AS indexdef
    FROM (
        SELECT w.*, row_number() OVER (PARTITION BY w.relnamespace, w.wish ORDER BY w.oid) AS n
        FROM (
            SELECT i.indexrelid AS oid, t.oid AS indrelid, t.relnamespace, t.relname AS tablename, t.shows_as, c.relam,
                c.relnatts, i.indisunique, k.indkey::int2vector AS indkey, con.oid AS constraint_oid,
                CASE
                    WHEN i.indisprimary THEN format('%s_pkey', t.relname)
                    WHEN con.oid IS NOT NULL THEN format('%s_%s_key', t.relname, k.names)
                    ELSE format('%s_%s_idx', t.relname, k.names)
                END AS wish,
                substr(
                    pg_get_indexdef(i.indexrelid),
                    1 + length(format(
                        'CREATE %sINDEX %I ON %s%I.%I', CASE WHEN i.indisunique THEN 'UNIQUE ' ELSE '' END, c.relname,
                        CASE WHEN c.relkind = 'I' THEN 'ONLY ' ELSE '' END, bn.nspname, t.base_name
                    ))
                ) AS rest
            FROM seenby_catalog.shown_table t
            JOIN pg_index i ON i.indrelid = t.base AND i.indpred IS NULL AND i.indexprs IS NULL AND i.indislive
                AND i.indisvalid AND NOT i.indisexclusion
            JOIN pg_class c ON c.oid = i.indexrelid AND c.relam < 16384
            JOIN pg_namespace bn ON bn.oid = t.base_schema
            LEFT JOIN pg_constraint con ON con.conindid = i.indexrelid AND con.conrelid = i.indrelid
                AND con.contype IN ('p', 'u')
            CROSS JOIN LATERAL (
                SELECT string_agg(s.attnum::text, ' ' ORDER BY u.n) AS indkey,
                    string_agg(s.attname, '_' ORDER BY u.n) AS names, count(s.attnum) AS visible
                FROM unnest(i.indkey::int2[]) WITH ORDINALITY u(attnum, n)
                LEFT JOIN seenby_catalog.shown_column s ON s.attrelid = t.oid AND s.base_attnum = u.attnum
            ) k
            WHERE k.visible = i.indnatts
                AND 16384 > ALL (i.indclass::oid[])
                AND 16384 > ALL (i.indcollation::oid[])
        ) w
    ) x;

-- Primary and unique keys of those indexes, foreign keys between shown tables, NOT NULL (a constraint since 18).
CREATE VIEW seenby_catalog.shown_constraint AS
    SELECT con.oid, i.relname AS conname, i.relnamespace AS connamespace, i.indrelid AS conrelid, i.oid AS conindid,
        0::oid AS confrelid, (i.indkey::int2[])[0:(cardinality(con.conkey) - 1)] AS conkey, NULL::int2[] AS confkey,
        pg_get_constraintdef(con.oid) AS condef
    FROM seenby_catalog.shown_index i
    JOIN pg_constraint con ON con.oid = i.constraint_oid
    UNION ALL
    SELECT con.oid, format('%s_%s_fkey', t.relname, k.names)::name, t.relnamespace, t.oid,
        COALESCE((SELECT i.oid FROM seenby_catalog.shown_index i WHERE i.oid = con.conindid), 0), f.oid, k.key, k.fkey,
        replace(
            pg_get_constraintdef(con.oid), format(' REFERENCES %I.%I(', fn.nspname, f.base_name),
            format(' REFERENCES %s%I(', CASE WHEN f.shows_as = t.shows_as THEN '' ELSE format('%I.', f.shows_as) END,
                f.relname)
        )
    FROM seenby_catalog.shown_table t
    JOIN pg_constraint con ON con.conrelid = t.base AND con.contype = 'f'
    JOIN seenby_catalog.shown_table f ON f.base = con.confrelid
    JOIN pg_namespace fn ON fn.oid = f.base_schema
    CROSS JOIN LATERAL (
        SELECT array_agg(s.attnum ORDER BY u.n) AS key, string_agg(s.attname, '_' ORDER BY u.n) AS names,
            array_agg(r.attnum ORDER BY u.n) AS fkey, count(s.attnum + r.attnum) AS visible
        FROM unnest(con.conkey, con.confkey) WITH ORDINALITY u(attnum, fattnum, n)
        LEFT JOIN seenby_catalog.shown_column s ON s.attrelid = t.oid AND s.base_attnum = u.attnum
        LEFT JOIN seenby_catalog.shown_column r ON r.attrelid = f.oid AND r.base_attnum = u.fattnum
    ) k
    WHERE k.visible = cardinality(con.conkey)
    UNION ALL
    SELECT con.oid, format('%s_%s_not_null', t.relname, s.attname)::name, t.relnamespace, t.oid, 0, 0, ARRAY[s.attnum],
        NULL, format('NOT NULL %I', s.attname)
    FROM seenby_catalog.shown_table t
    JOIN pg_constraint con ON con.conrelid = t.base AND con.contype = 'n'
    JOIN seenby_catalog.shown_column s ON s.attrelid = t.oid AND s.base_attnum = con.conkey[1];

CREATE VIEW seenby_catalog.shown_namespace AS
    SELECT s.oid, s.shows_as AS nspname FROM seenby_catalog.shown_schema s
    UNION ALL
    SELECT n.oid, n.nspname FROM pg_namespace n WHERE n.nspname IN ('pg_catalog', 'information_schema')
    UNION ALL
    -- schemas of shown types only, as long as no shown schema stands in their place
    SELECT n.oid, n.nspname FROM pg_namespace n
    WHERE n.nspname NOT IN ('pg_catalog', 'information_schema')
        AND n.oid NOT IN (SELECT oid FROM seenby_catalog.shown_schema)
        AND n.oid NOT IN (SELECT base FROM seenby_catalog.shown_schema WHERE base IS NOT NULL)
        AND n.oid IN (SELECT t.typnamespace FROM pg_type t JOIN seenby_catalog.shown_type s ON s.oid = t.oid
            WHERE t.oid >= 16384);

CREATE VIEW seenby_catalog.shown_class AS
    SELECT t.oid, t.relname, t.relnamespace, t.reltype, 'r'::"char" AS relkind, 2::oid AS relam,
        (SELECT count(*)::int2 FROM seenby_catalog.shown_column s WHERE s.attrelid = t.oid) AS relnatts,
        EXISTS (SELECT FROM seenby_catalog.shown_index i WHERE i.indrelid = t.oid) AS relhasindex
    FROM seenby_catalog.shown_table t
    UNION ALL
    SELECT i.oid, i.relname, i.relnamespace, 0, 'i', i.relam, i.relnatts, false FROM seenby_catalog.shown_index i
    UNION ALL
    SELECT c.oid, c.relname, COALESCE(s.oid, c.relnamespace), c.reltype, 'c', 0, c.relnatts, false
    FROM pg_class c
    JOIN seenby_catalog.shown_type t ON t.oid = c.reltype
    LEFT JOIN seenby_catalog.shown_schema s ON s.base = c.relnamespace
    WHERE c.relkind = 'c' AND c.oid >= 16384
    UNION ALL
    -- the catalogue itself, as far as seenby_catalog serves it
    SELECT c.oid, c.relname, c.relnamespace, c.reltype, c.relkind, c.relam, c.relnatts, false
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname IN ('pg_catalog', 'information_schema')
    JOIN pg_class served ON served.relnamespace = 'seenby_catalog'::regnamespace
        AND served.relname = CASE WHEN n.nspname = 'pg_catalog' THEN '' ELSE 'information_schema.' END || c.relname
    WHERE c.oid < 16384;

CREATE VIEW seenby_catalog.shown_attribute AS
    SELECT s.attrelid, s.attnum, s.attname, s.attnotnull FROM seenby_catalog.shown_column s
    UNION ALL
    SELECT i.oid, u.n::int2, s.attname, false
    FROM seenby_catalog.shown_index i
    CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY u(attnum, n)
    JOIN seenby_catalog.shown_column s ON s.attrelid = i.indrelid AND s.attnum = u.attnum
    UNION ALL
    SELECT a.attrelid, a.attnum, a.attname, a.attnotnull
    FROM seenby_catalog.shown_class c
    JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE (c.relkind = 'c' OR c.oid < 16384) AND a.attnum > 0 AND NOT a.attisdropped;

-- One view per relation, with the columns that this server's version of the relation has.
DO $make$
DECLARE
    spec record;
    columns text;
    relid regclass;
BEGIN
    FOR spec IN
        SELECT * FROM jsonb_to_recordset(:'relations') AS s(name text, source text, columns jsonb, rest boolean)
    LOOP
        relid := to_regclass(spec.name);
        CONTINUE WHEN relid IS NULL;
        SELECT string_agg(format('(%s)::%s AS %I', CASE
            WHEN spec.source = '' THEN 'NULL'
            WHEN spec.columns ? a.attname THEN spec.columns ->> a.attname
            WHEN spec.rest AND a.attname ~ '(owner|datdba)$' THEN '10'
            WHEN spec.rest AND a.atttypid NOT IN ('aclitem[]'::regtype, 'pg_node_tree'::regtype, 'anyarray'::regtype)
                THEN format('r.%I', a.attname)
            WHEN y.typcategory = 'B' THEN 'false'
            WHEN y.typcategory = 'N' THEN '0'
            ELSE 'NULL'
            END, replace(format_type(a.atttypid, a.atttypmod), 'anyarray', 'text[]'), a.attname
        ), ', ' ORDER BY a.attnum)
        INTO columns
        FROM pg_attribute a JOIN pg_type y ON y.oid = a.atttypid
        WHERE a.attrelid = relid AND a.attnum > 0 AND NOT a.attisdropped;
        IF spec.name !~ '\.' THEN
            columns := format('%s, %s::oid AS tableoid', columns, relid::oid);
        END IF;
        EXECUTE format('CREATE VIEW seenby_catalog.%I WITH (security_barrier) AS SELECT %s %s',
            spec.name, columns, CASE WHEN spec.source = '' THEN 'WHERE false' ELSE 'FROM ' || spec.source END);
    END LOOP;
END
$make$;

-- Visible: its schema stands in the search path.
CREATE FUNCTION seenby_catalog.pg_table_is_visible(oid) RETURNS boolean STABLE
    RETURN (SELECT n.nspname = ANY (pg_catalog.current_schemas(true))
        FROM seenby_catalog.pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = $1);
CREATE FUNCTION seenby_catalog.pg_type_is_visible(oid) RETURNS boolean STABLE
    RETURN (SELECT n.nspname = ANY (pg_catalog.current_schemas(true))
        FROM seenby_catalog.pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE t.oid = $1);

-- format_type writes the real schema before a type that is not in the search path: put the shown one there, or none.
CREATE FUNCTION seenby_catalog.shown_type_name(oid, integer) RETURNS text STABLE
    RETURN COALESCE((
        SELECT CASE
            WHEN NOT starts_with(w.real, w.prefix) THEN w.real
            WHEN seenby_catalog.pg_type_is_visible(t.oid) THEN substr(w.real, length(w.prefix) + 1)
            ELSE format('%I.', n.nspname) || substr(w.real, length(w.prefix) + 1)
            END
        FROM seenby_catalog.pg_type t
        JOIN seenby_catalog.pg_namespace n ON n.oid = t.typnamespace
        JOIN pg_catalog.pg_type b ON b.oid = t.oid
        JOIN pg_catalog.pg_namespace bn ON bn.oid = b.typnamespace
        CROSS JOIN LATERAL (
            SELECT pg_catalog.format_type($1, $2) AS real, format('%I.', bn.nspname) AS prefix
        ) w
        WHERE t.oid = $1
    ), '???');
CREATE FUNCTION seenby_catalog.format_type(oid, integer) RETURNS text STABLE
    RETURN CASE WHEN $1 IS NULL OR $1 < 16384 THEN pg_catalog.format_type($1, $2)
        ELSE seenby_catalog.shown_type_name($1, $2) END;

CREATE FUNCTION seenby_catalog.pg_get_userbyid(oid) RETURNS name STABLE
    RETURN COALESCE((SELECT rolname FROM seenby_catalog.pg_roles WHERE oid = $1), 'seenby');
CREATE FUNCTION seenby_catalog.pg_get_indexdef(oid) RETURNS text STABLE
    RETURN (SELECT indexdef FROM seenby_catalog.shown_index WHERE oid = $1);
CREATE FUNCTION seenby_catalog.pg_get_indexdef(oid, integer, boolean) RETURNS text STABLE
    RETURN CASE WHEN $2 = 0 THEN seenby_catalog.pg_get_indexdef($1) ELSE (
        SELECT quote_ident(a.attname) FROM seenby_catalog.pg_attribute a
        JOIN seenby_catalog.pg_index i ON i.indexrelid = a.attrelid AND a.attnum = $2
        WHERE i.indexrelid = $1) END;
CREATE FUNCTION seenby_catalog.pg_get_constraintdef(oid, boolean DEFAULT false) RETURNS text STABLE
    RETURN (SELECT condef FROM seenby_catalog.shown_constraint WHERE oid = $1);

CREATE FUNCTION seenby_catalog.pg_relation_is_publishable(oid) RETURNS boolean IMMUTABLE RETURN false;
CREATE FUNCTION seenby_catalog.pg_partition_ancestors(oid) RETURNS SETOF regclass IMMUTABLE
    BEGIN ATOMIC SELECT NULL::regclass WHERE false; END;
CREATE FUNCTION seenby_catalog.pg_partition_tree(oid)
    RETURNS TABLE (relid regclass, parentrelid regclass, isleaf boolean, level integer) IMMUTABLE
    BEGIN ATOMIC SELECT NULL::regclass, NULL::regclass, false, 0 WHERE false; END;
CREATE FUNCTION seenby_catalog.pg_available_extensions()
    RETURNS TABLE (name name, default_version text, comment text) IMMUTABLE
    BEGIN ATOMIC SELECT NULL::name, NULL::text, NULL::text WHERE false; END;
CREATE FUNCTION seenby_catalog.ts_token_type(oid) RETURNS TABLE (tokid integer, alias text, description text) STABLE
    BEGIN ATOMIC SELECT t.* FROM seenby_catalog.pg_ts_parser p, pg_catalog.ts_token_type(p.oid) t WHERE p.oid = $1; END;

-- Privileges: SELECT on what is shown, and nothing else.
CREATE FUNCTION seenby_catalog.has_table_privilege(oid, text) RETURNS boolean STABLE
    RETURN (SELECT $2 ~* '^(.*,)?\s*SELECT\s*(,.*)?$' FROM seenby_catalog.pg_class WHERE oid = $1);
CREATE FUNCTION seenby_catalog.has_any_column_privilege(oid, text) RETURNS boolean STABLE
    RETURN seenby_catalog.has_table_privilege($1, $2);
CREATE FUNCTION seenby_catalog.has_schema_privilege(oid, text) RETURNS boolean STABLE
    RETURN (SELECT $2 ~* '^(.*,)?\s*USAGE\s*(,.*)?$' FROM seenby_catalog.pg_namespace WHERE oid = $1);
CREATE FUNCTION seenby_catalog.has_schema_privilege(text, text) RETURNS boolean STABLE
    RETURN (SELECT $2 ~* '^(.*,)?\s*USAGE\s*(,.*)?$' FROM seenby_catalog.pg_namespace WHERE nspname = $1);
CREATE FUNCTION seenby_catalog.has_database_privilege(text, text) RETURNS boolean STABLE
    RETURN $1 = current_database() AND $2 ~* '^(.*,)?\s*CONNECT\s*(,.*)?$';
CREATE FUNCTION seenby_catalog.has_database_privilege(oid, text) RETURNS boolean STABLE
    RETURN (SELECT $2 ~* '^(.*,)?\s*CONNECT\s*(,.*)?$' FROM seenby_catalog.pg_database WHERE oid = $1);
CREATE FUNCTION seenby_catalog.pg_has_role(text, text) RETURNS boolean STABLE
    RETURN $1 = current_user;
CREATE FUNCTION seenby_catalog.pg_has_role(oid, text) RETURNS boolean STABLE
    RETURN EXISTS (SELECT FROM seenby_catalog.pg_roles WHERE oid = $1);

CREATE FUNCTION seenby_catalog.current_schemas(boolean) RETURNS name[] STABLE
    RETURN ARRAY(SELECT n.nspname FROM unnest(pg_catalog.current_schemas($1)) WITH ORDINALITY u(name, i)
        JOIN pg_catalog.pg_namespace b ON b.nspname = u.name JOIN seenby_catalog.pg_namespace n ON n.oid = b.oid
        ORDER BY u.i);
CREATE FUNCTION seenby_catalog.current_schema() RETURNS name STABLE
    RETURN (seenby_catalog.current_schemas(false))[1];

-- Settings: those of pg_settings above can be read; asyncpg sets jit before it looks at types, which changes nothing
-- of the answers, so that is answered and not done.
CREATE FUNCTION seenby_catalog.current_setting(text, boolean DEFAULT false) RETURNS text STABLE LANGUAGE plpgsql AS $$
BEGIN
    IF NOT $2 AND NOT EXISTS (SELECT FROM seenby_catalog.pg_settings WHERE lower(name) = lower($1)) THEN
        RAISE undefined_object USING MESSAGE = 'that configuration parameter is not shown';
    END IF;
    RETURN (SELECT setting FROM seenby_catalog.pg_settings WHERE lower(name) = lower($1));
END $$;
CREATE FUNCTION seenby_catalog.set_config(text, text, boolean) RETURNS text STABLE LANGUAGE plpgsql AS $$
BEGIN
    IF lower($1) <> 'jit' THEN
        RAISE cant_change_runtime_param USING MESSAGE = 'that configuration parameter is fixed';
    END IF;
    RETURN $2;
END $$;

-- A name as users write it -> what is shown under it. x::regclass comes here as regclass(x): text is looked up,
-- a number is written as text, so that the real output function, which names anything, has no value to print.
CREATE FUNCTION seenby_catalog.to_regnamespace(text) RETURNS regnamespace STABLE
    RETURN (SELECT oid::regnamespace FROM seenby_catalog.pg_namespace
        WHERE nspname = CASE WHEN cardinality(parse_ident($1)) = 1 THEN (parse_ident($1))[1] END);
CREATE FUNCTION seenby_catalog.to_regclass(text) RETURNS regclass STABLE
    RETURN CASE WHEN $1 ~ '^[0-9]+$' THEN
        (SELECT c.oid::regclass FROM seenby_catalog.pg_class c WHERE c.oid = $1::oid AND c.relkind <> 'i')
    WHEN cardinality(parse_ident($1)) = 1 THEN
        (SELECT c.oid::regclass FROM seenby_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relname = (parse_ident($1))[1] AND c.relkind <> 'i'
        ORDER BY array_position(pg_catalog.current_schemas(true), n.nspname) LIMIT 1)
    ELSE
        (SELECT c.oid::regclass FROM seenby_catalog.pg_class c JOIN seenby_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE ARRAY[n.nspname, c.relname]::text[] = parse_ident($1) AND c.relkind <> 'i')
    END;
-- Arrays, modifiers and names of several words are the business of the real to_regtype: try the name as it is, then in
-- the real schema of each shown schema in the path, then with the schema's name replaced (row types of views).
CREATE FUNCTION seenby_catalog.to_regtype(text) RETURNS regtype STABLE
    RETURN COALESCE(
        (SELECT oid::regtype FROM seenby_catalog.pg_type WHERE oid = pg_catalog.to_regtype($1)),
        (SELECT t.oid::regtype FROM unnest(pg_catalog.current_schemas(false)) WITH ORDINALITY p(name, i)
            JOIN seenby_catalog.shown_schema s ON s.nspname = p.name
            JOIN seenby_catalog.pg_type t ON t.oid = pg_catalog.to_regtype(format('%I.%s', s.shows_as, $1))
            ORDER BY p.i LIMIT 1),
        (SELECT t.oid::regtype FROM seenby_catalog.shown_schema s
            JOIN seenby_catalog.pg_type t ON t.oid = pg_catalog.to_regtype(
                format('%I.%s', s.nspname, substr($1, length(quote_ident(s.shows_as)) + 2)))
            WHERE starts_with($1, quote_ident(s.shows_as) || '.') LIMIT 1)
    );

CREATE FUNCTION seenby_catalog.regclass(oid) RETURNS text STABLE
    RETURN CASE WHEN $1 = 0 THEN '-' ELSE COALESCE((
        SELECT CASE WHEN seenby_catalog.pg_table_is_visible(c.oid) THEN quote_ident(c.relname)
            ELSE format('%I.%I', n.nspname, c.relname) END
        FROM seenby_catalog.pg_class c JOIN seenby_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = $1
    ), $1::text) END;
CREATE FUNCTION seenby_catalog.regtype(oid) RETURNS text STABLE
    RETURN CASE WHEN $1 = 0 THEN '-' ELSE replace(seenby_catalog.format_type($1, NULL), '???', $1::text) END;
CREATE FUNCTION seenby_catalog.regnamespace(oid) RETURNS text STABLE
    RETURN CASE WHEN $1 = 0 THEN '-'
        ELSE COALESCE((SELECT quote_ident(nspname) FROM seenby_catalog.pg_namespace WHERE oid = $1), $1::text) END;
CREATE FUNCTION seenby_catalog.regrole(oid) RETURNS text STABLE
    RETURN quote_ident(seenby_catalog.pg_get_userbyid($1));

DO $make$
DECLARE
    kind text;
    body text;
    result text;
    signature text;
BEGIN
    FOREACH kind IN ARRAY ARRAY['regclass', 'regtype', 'regnamespace'] LOOP
        EXECUTE format($sql$
            CREATE FUNCTION seenby_catalog.%1$I(text) RETURNS %1$I STABLE LANGUAGE plpgsql AS $body$
            BEGIN
                IF seenby_catalog.to_%1$s($1) IS NULL THEN
                    RAISE %2$s USING MESSAGE = 'nothing shown has that name';
                END IF;
                RETURN seenby_catalog.to_%1$s($1);
            END $body$ $sql$, kind, CASE kind WHEN 'regclass' THEN 'undefined_table' ELSE 'undefined_object' END);
    END LOOP;
    CREATE FUNCTION seenby_catalog.regrole(text) RETURNS regrole STABLE LANGUAGE plpgsql AS $body$
        BEGIN
            IF $1 <> quote_ident(current_user) THEN
                RAISE undefined_object USING MESSAGE = 'nothing shown has that name';
            END IF;
            RETURN $1::regrole;
        END $body$;
    -- what initdb made
    FOREACH kind IN ARRAY ARRAY['regproc', 'regprocedure', 'regoper', 'regoperator', 'regcollation', 'regconfig',
        'regdictionary']
    LOOP
        EXECUTE format($sql$
            CREATE FUNCTION seenby_catalog.%1$I(oid) RETURNS text STABLE
                RETURN CASE WHEN $1 < 16384 THEN $1::%1$I::text ELSE $1::text END;
            CREATE FUNCTION seenby_catalog.%1$I(text) RETURNS %1$I STABLE LANGUAGE plpgsql AS $body$
            BEGIN
                IF $1::%1$I::oid >= 16384 THEN
                    RAISE undefined_object;
                END IF;
                RETURN $1::%1$I;
            EXCEPTION WHEN undefined_object OR undefined_function OR ambiguous_function OR undefined_table OR invalid_schema_name THEN
                RAISE undefined_object USING MESSAGE = 'nothing shown has that name';
            END $body$ $sql$, kind);
    END LOOP;
    FOREACH signature IN ARRAY ARRAY['pg_get_function_arguments', 'pg_get_function_identity_arguments',
        'pg_get_function_result']
    LOOP
        EXECUTE format('CREATE FUNCTION seenby_catalog.%1$I(oid) RETURNS text STABLE
            RETURN CASE WHEN $1 < 16384 THEN pg_catalog.%1$I($1) END', signature);
    END LOOP;
    -- what nobody is told: comments, expressions, definitions, sizes
    FOR signature, result IN
        SELECT s, CASE WHEN s LIKE '%size(%' THEN 'bigint' ELSE 'text' END
        FROM unnest(ARRAY[
            'col_description(oid, integer)', 'obj_description(oid)', 'obj_description(oid, name)',
            'shobj_description(oid, name)', 'pg_describe_object(oid, oid, integer)', 'pg_get_expr(pg_node_tree, oid)',
            'pg_get_expr(pg_node_tree, oid, boolean)', 'pg_get_partition_constraintdef(oid)', 'pg_get_partkeydef(oid)',
            'pg_get_ruledef(oid)', 'pg_get_ruledef(oid, boolean)', 'pg_get_serial_sequence(text, text)',
            'pg_get_statisticsobjdef(oid)', 'pg_get_statisticsobjdef_columns(oid)', 'pg_get_triggerdef(oid)',
            'pg_get_triggerdef(oid, boolean)', 'pg_tablespace_location(oid)', 'pg_database_size(oid)',
            'pg_database_size(text)', 'pg_indexes_size(oid)', 'pg_relation_size(oid)', 'pg_relation_size(oid, text)',
            'pg_table_size(oid)', 'pg_tablespace_size(oid)', 'pg_tablespace_size(text)', 'pg_total_relation_size(oid)'
        ]) s
    LOOP
        EXECUTE format('CREATE FUNCTION seenby_catalog.%1$s RETURNS %2$s IMMUTABLE RETURN NULL::%2$s', signature, result);
    END LOOP;

    -- owner and privileges
    FOR kind, signature IN
        SELECT 'VIEW', oid::regclass::text FROM pg_class WHERE relnamespace = 'seenby_catalog'::regnamespace AND relkind = 'v'
        UNION ALL
        SELECT 'FUNCTION', oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'seenby_catalog'::regnamespace
    LOOP
        EXECUTE format('ALTER %s %s OWNER TO seenby_owner', kind, signature);
    END LOOP;
END
$make$;
ALTER SCHEMA seenby_catalog OWNER TO seenby_owner;
REVOKE ALL ON ALL TABLES IN SCHEMA seenby_catalog FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA seenby_catalog FROM PUBLIC;
GRANT USAGE ON SCHEMA seenby_catalog TO seenby_grants;
GRANT SELECT ON ALL TABLES IN SCHEMA seenby_catalog TO seenby_grants;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA seenby_catalog TO seenby_grants;

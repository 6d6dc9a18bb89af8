-- The filtered catalogue of a grant; catalog.py says what it is for, lists its relations, and puts them in place of
-- :'relations' (JSON). What a shape shows is worked out once, when the transaction that makes the shape commits, and
-- kept: asked of the real catalogue each time, one \d took seconds of planning. The order here: what is kept, the
-- relations, the functions, the recording.
SET LOCAL search_path = pg_catalog;
SET LOCAL client_min_messages = warning;
DROP SCHEMA IF EXISTS seenby_catalog CASCADE;
CREATE SCHEMA seenby_catalog;

-- Rows of shape '' are shown to every grant: the catalogue itself, as far as it is served. No grant reads these tables.
CREATE TABLE seenby_catalog.kept_schema (
    oid oid PRIMARY KEY, shape text NOT NULL, nspname name NOT NULL, shows_as name NOT NULL, base oid
);
CREATE TABLE seenby_catalog.kept_namespace (shape text, oid oid, nspname name NOT NULL, PRIMARY KEY (shape, oid));
CREATE TABLE seenby_catalog.kept_class (
    shape text, oid oid, relname name NOT NULL, relnamespace oid NOT NULL, relkind "char" NOT NULL, relam oid NOT NULL,
    relnatts int2 NOT NULL, relhasindex boolean NOT NULL DEFAULT false, base oid, PRIMARY KEY (shape, oid)
);
CREATE TABLE seenby_catalog.kept_attribute (
    shape text, attrelid oid, attnum int2, attname name NOT NULL, attnotnull boolean NOT NULL, base_attnum int2,
    PRIMARY KEY (shape, attrelid, attnum)
);
CREATE TABLE seenby_catalog.kept_type (shape text, oid oid, PRIMARY KEY (shape, oid));
CREATE TABLE seenby_catalog.kept_index (
    shape text, oid oid, indrelid oid NOT NULL, indkey int2vector NOT NULL, indexdef text NOT NULL,
    constraint_oid oid, PRIMARY KEY (shape, oid)
);
CREATE TABLE seenby_catalog.kept_constraint (
    shape text, oid oid, conname name NOT NULL, connamespace oid NOT NULL, conrelid oid NOT NULL, conindid oid NOT NULL,
    confrelid oid NOT NULL, conkey int2[] NOT NULL, confkey int2[], condef text NOT NULL, PRIMARY KEY (shape, oid)
);

-- In a view current_user is who asks, while tables are read as the view's owner: so this filters by the privileges of
-- the grant's role. Everybody may see which shapes they may see.
CREATE VIEW seenby_catalog.shown_shape WITH (security_barrier) AS
    SELECT shape FROM seenby_catalog.kept_schema WHERE has_schema_privilege(oid, 'USAGE') UNION SELECT '';

CREATE VIEW seenby_catalog.shown_schema WITH (security_barrier) AS
    SELECT nspname, shows_as FROM seenby_catalog.kept_schema WHERE has_schema_privilege(oid, 'USAGE');
CREATE VIEW seenby_catalog.shown_index WITH (security_barrier) AS
    SELECT oid, indexdef FROM seenby_catalog.kept_index
    WHERE shape = ANY (ARRAY(SELECT shape FROM seenby_catalog.shown_shape));
CREATE VIEW seenby_catalog.shown_constraint WITH (security_barrier) AS
    SELECT oid, condef FROM seenby_catalog.kept_constraint
    WHERE shape = ANY (ARRAY(SELECT shape FROM seenby_catalog.shown_shape));

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
END
$make$;

-- What one shape shows, worked out and kept. Its schemas are those of the rows of seenby.shape_schema that have its id
-- ("seenby_v_<id>", "seenby_v_<id>_2"); its tables are the views there that somebody but the owner may read.
CREATE FUNCTION seenby_catalog.keep_shape(wanted text) RETURNS void LANGUAGE plpgsql
    SET search_path = pg_catalog AS $keep$
BEGIN
    INSERT INTO seenby_catalog.kept_schema
        SELECT n.oid, wanted, n.nspname, s.shows_as, b.oid
        FROM seenby.shape_schema s
        JOIN pg_namespace n ON n.nspname = s.nspname
        LEFT JOIN pg_namespace b ON b.nspname = s.shows_as
        WHERE split_part(s.nspname, '_', 3) = wanted;

    INSERT INTO seenby_catalog.kept_class
        SELECT wanted, c.oid, c.relname, c.relnamespace, 'r', 2, 0, false, b.oid
        FROM seenby_catalog.kept_schema s
        JOIN pg_class c ON c.relnamespace = s.oid AND c.relkind = 'v'
            AND EXISTS (SELECT FROM aclexplode(c.relacl) a WHERE a.grantee <> c.relowner AND a.privilege_type = 'SELECT')
        LEFT JOIN pg_class b ON b.relnamespace = s.base AND b.relname = c.relname AND b.relkind IN ('r', 'p', 'f')
        WHERE s.shape = wanted;

    -- The hidden person keys ("seenby$1") are the last columns of a view. NOT NULL is the table's.
    INSERT INTO seenby_catalog.kept_attribute
        SELECT wanted, c.oid, a.attnum, a.attname, COALESCE(b.attnotnull, false), b.attnum
        FROM seenby_catalog.kept_class c
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
            AND NOT starts_with(a.attname::text, 'seenby$')
        LEFT JOIN pg_attribute b ON b.attrelid = c.base AND b.attname = a.attname AND b.attnum > 0
        WHERE c.shape = wanted;

    -- Types of those columns and what they are made of. A table's row type (as a column's type) shows only if that
    -- table does: it and its array would name it, its columns are not followed.
    INSERT INTO seenby_catalog.kept_type
        WITH RECURSIVE used(oid) AS (
            SELECT a.atttypid
            FROM seenby_catalog.kept_attribute k
            JOIN pg_attribute a ON a.attrelid = k.attrelid AND a.attnum = k.attnum
            WHERE k.shape = wanted
            UNION
            SELECT c.reltype FROM seenby_catalog.kept_class k JOIN pg_class c ON c.oid = k.oid WHERE k.shape = wanted
            UNION
            SELECT part.oid
            FROM used u
            JOIN pg_type t ON t.oid = u.oid
            CROSS JOIN LATERAL (
                SELECT unnest(ARRAY[t.typelem, t.typarray, t.typbasetype])
                UNION ALL
                SELECT a.atttypid
                FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid AND c.relkind = 'c'
                WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
                UNION ALL
                SELECT unnest(ARRAY[g.rngtypid, g.rngmultitypid, g.rngsubtype])
                FROM pg_range g WHERE g.rngtypid = t.oid OR g.rngmultitypid = t.oid
            ) part(oid)
        )
        SELECT wanted, t.oid
        FROM used u
        JOIN pg_type t ON t.oid = u.oid AND t.oid >= 16384
        LEFT JOIN pg_type e ON e.oid = t.typelem
        LEFT JOIN pg_class c ON c.oid = GREATEST(t.typrelid, e.typrelid) AND c.oid <> 0
        WHERE c.oid IS NULL OR c.relkind = 'c'
            OR c.oid IN (SELECT k.oid FROM seenby_catalog.kept_class k WHERE k.shape = wanted);

    INSERT INTO seenby_catalog.kept_namespace
        SELECT wanted, s.oid, s.shows_as FROM seenby_catalog.kept_schema s WHERE s.shape = wanted
        UNION
        SELECT wanted, n.oid, n.nspname
        FROM seenby_catalog.kept_type k
        JOIN pg_type t ON t.oid = k.oid
        JOIN pg_namespace n ON n.oid = t.typnamespace AND n.nspname NOT IN ('pg_catalog', 'information_schema')
        WHERE k.shape = wanted AND NOT EXISTS (
            SELECT FROM seenby_catalog.kept_schema s WHERE s.shape = wanted AND n.oid IN (s.oid, s.base)
        );

    INSERT INTO seenby_catalog.kept_class
        SELECT wanted, c.oid, c.relname, COALESCE(s.oid, c.relnamespace), 'c', 0, c.relnatts
        FROM seenby_catalog.kept_type k
        JOIN pg_type t ON t.oid = k.oid
        JOIN pg_class c ON c.oid = t.typrelid AND c.relkind = 'c'
        LEFT JOIN seenby_catalog.kept_schema s ON s.shape = wanted AND s.base = c.relnamespace
        WHERE k.shape = wanted;
    INSERT INTO seenby_catalog.kept_attribute
        SELECT wanted, a.attrelid, a.attnum, a.attname, a.attnotnull
        FROM seenby_catalog.kept_class c
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE c.shape = wanted AND c.relkind = 'c';

    -- Plain indexes: every key and included column is visible; no expression, no predicate, nothing of the platform's
    -- own (access method, operator class, collation) in the text after the table's name, which therefore can be
    -- Postgres's. The real name may tell of what is hidden ("accounts_phone_of_informants_idx").
    WITH plain AS (
        SELECT i.indexrelid, t.oid AS indrelid, t.relnamespace, t.relname, s.shows_as, c.relam, c.relnatts,
            CASE WHEN i.indisunique THEN 'CREATE UNIQUE INDEX' ELSE 'CREATE INDEX' END AS verb, k.indkey, con.oid AS con,
            CASE
                WHEN i.indisprimary THEN format('%s_pkey', t.relname)
                WHEN con.oid IS NOT NULL THEN format('%s_%s_key', t.relname, k.names)
                ELSE format('%s_%s_idx', t.relname, k.names)
            END AS wish,
            format('%I ON %s%I.%I', c.relname, CASE WHEN c.relkind = 'I' THEN 'ONLY ' ELSE '' END, bn.nspname, b.relname)
                AS target
        FROM seenby_catalog.kept_class t
        JOIN seenby_catalog.kept_schema s ON s.oid = t.relnamespace
        JOIN pg_class b ON b.oid = t.base
        JOIN pg_namespace bn ON bn.oid = b.relnamespace
        JOIN pg_index i ON i.indrelid = b.oid AND i.indpred IS NULL AND i.indexprs IS NULL AND i.indislive
            AND i.indisvalid AND NOT i.indisexclusion
        JOIN pg_class c ON c.oid = i.indexrelid AND c.relam < 16384
        LEFT JOIN pg_constraint con ON con.conindid = i.indexrelid AND con.conrelid = b.oid AND con.contype IN ('p', 'u')
        CROSS JOIN LATERAL (
            SELECT string_agg(a.attnum::text, ' ' ORDER BY u.n) AS indkey, count(a.attnum) AS visible,
                string_agg(a.attname, '_' ORDER BY u.n) AS names
            FROM unnest(i.indkey::int2[]) WITH ORDINALITY u(attnum, n)
            LEFT JOIN seenby_catalog.kept_attribute a
                ON a.shape = wanted AND a.attrelid = t.oid AND a.base_attnum = u.attnum
        ) k
        WHERE t.shape = wanted AND t.relkind = 'r' AND k.visible = i.indnatts
            AND 16384 > ALL (i.indclass::oid[]) AND 16384 > ALL (i.indcollation::oid[])
    ), named AS (
        SELECT p.*, (p.wish || CASE WHEN p.n > 1 THEN (p.n - 1)::text ELSE '' END)::name AS shown
        FROM (SELECT *, row_number() OVER (PARTITION BY relnamespace, wish ORDER BY indexrelid) AS n FROM plain) p
    ), class AS (
        INSERT INTO seenby_catalog.kept_class
            SELECT wanted, indexrelid, shown, relnamespace, 'i', relam, relnatts FROM named
    )
    INSERT INTO seenby_catalog.kept_index
        SELECT wanted, indexrelid, indrelid, indkey::int2vector, format('%s %I ON %I.%I%s', verb, shown, shows_as, relname,
            substr(pg_get_indexdef(indexrelid), length(verb || target) + 2)), con
        FROM named;
    INSERT INTO seenby_catalog.kept_attribute
        SELECT wanted, i.oid, u.n, a.attname, false
        FROM seenby_catalog.kept_index i
        CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY u(attnum, n)
        JOIN seenby_catalog.kept_attribute a ON a.shape = wanted AND a.attrelid = i.indrelid AND a.attnum = u.attnum
        WHERE i.shape = wanted;
    UPDATE seenby_catalog.kept_class c
        SET relnatts = (SELECT count(*) FROM seenby_catalog.kept_attribute a WHERE a.shape = wanted AND a.attrelid = c.oid),
            relhasindex = EXISTS (
                SELECT FROM seenby_catalog.kept_index i WHERE i.shape = wanted AND i.indrelid = c.oid)
        WHERE c.shape = wanted AND c.relkind = 'r';

    -- Primary and unique keys of those indexes, foreign keys between shown tables, NOT NULL (a constraint since 18).
    INSERT INTO seenby_catalog.kept_constraint
        SELECT wanted, con.oid, c.relname, c.relnamespace, i.indrelid, i.oid, 0,
            (i.indkey::int2[])[0:cardinality(con.conkey) - 1], NULL, pg_get_constraintdef(con.oid)
        FROM seenby_catalog.kept_index i
        JOIN seenby_catalog.kept_class c ON c.shape = wanted AND c.oid = i.oid
        JOIN pg_constraint con ON con.oid = i.constraint_oid
        WHERE i.shape = wanted
        UNION ALL
        SELECT wanted, con.oid, format('%s_%s_fkey', t.relname, k.names)::name, t.relnamespace, t.oid,
            COALESCE((SELECT i.oid FROM seenby_catalog.kept_index i WHERE i.shape = wanted AND i.oid = con.conindid), 0),
            f.oid, k.key, k.fkey,
            replace(pg_get_constraintdef(con.oid), format(' REFERENCES %I.%I(', fn.nspname, fb.relname),
                CASE WHEN f.relnamespace = t.relnamespace THEN format(' REFERENCES %I(', f.relname)
                ELSE format(' REFERENCES %I.%I(', fn.nspname, f.relname) END)
        FROM seenby_catalog.kept_class t
        JOIN pg_constraint con ON con.conrelid = t.base AND con.contype = 'f'
        JOIN seenby_catalog.kept_class f ON f.shape = wanted AND f.base = con.confrelid
        JOIN pg_class fb ON fb.oid = con.confrelid
        JOIN pg_namespace fn ON fn.oid = fb.relnamespace
        CROSS JOIN LATERAL (
            SELECT array_agg(a.attnum ORDER BY u.n) AS key, string_agg(a.attname, '_' ORDER BY u.n) AS names,
                array_agg(r.attnum ORDER BY u.n) AS fkey, count(a.attnum + r.attnum) AS visible
            FROM unnest(con.conkey, con.confkey) WITH ORDINALITY u(attnum, fattnum, n)
            LEFT JOIN seenby_catalog.kept_attribute a
                ON a.shape = wanted AND a.attrelid = t.oid AND a.base_attnum = u.attnum
            LEFT JOIN seenby_catalog.kept_attribute r
                ON r.shape = wanted AND r.attrelid = f.oid AND r.base_attnum = u.fattnum
        ) k
        WHERE t.shape = wanted AND k.visible = cardinality(con.conkey)
        UNION ALL
        SELECT wanted, con.oid, format('%s_%s_not_null', t.relname, a.attname)::name, t.relnamespace, t.oid, 0, 0,
            ARRAY[a.attnum], NULL, format('NOT NULL %I', a.attname)
        FROM seenby_catalog.kept_class t
        JOIN pg_constraint con ON con.conrelid = t.base AND con.contype = 'n'
        JOIN seenby_catalog.kept_attribute a
            ON a.shape = wanted AND a.attrelid = t.oid AND a.base_attnum = con.conkey[1]
        WHERE t.shape = wanted;
END $keep$;

CREATE FUNCTION seenby_catalog.forget_shape(unwanted text) RETURNS void LANGUAGE plpgsql AS $forget$
DECLARE
    part text;
BEGIN
    FOREACH part IN ARRAY ARRAY['schema', 'namespace', 'class', 'attribute', 'type', 'index', 'constraint'] LOOP
        EXECUTE format('DELETE FROM seenby_catalog.kept_%s WHERE shape = $1', part) USING unwanted;
    END LOOP;
END $forget$;

-- At commit, because the row of seenby.shape_schema may be written before the views are made.
CREATE FUNCTION seenby_catalog.shape_changed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog AS $changed$
DECLARE
    shape text := split_part(COALESCE(NEW.nspname, OLD.nspname), '_', 3);
BEGIN
    IF TG_OP = 'INSERT' AND EXISTS (SELECT FROM seenby_catalog.kept_schema k WHERE k.nspname = NEW.nspname) THEN
        RETURN NULL;  -- kept with another schema of the same shape
    END IF;
    PERFORM seenby_catalog.forget_shape(shape);
    PERFORM seenby_catalog.keep_shape(shape);
    RETURN NULL;
END $changed$;
CREATE CONSTRAINT TRIGGER seenby_catalog AFTER INSERT OR UPDATE OR DELETE ON seenby.shape_schema
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION seenby_catalog.shape_changed();

-- The catalogue itself, and the shapes that exist already.
INSERT INTO seenby_catalog.kept_namespace
    SELECT '', oid, nspname FROM pg_namespace WHERE nspname IN ('pg_catalog', 'information_schema');
INSERT INTO seenby_catalog.kept_class
    SELECT '', c.oid, c.relname, c.relnamespace, c.relkind, c.relam, c.relnatts
    FROM pg_class c
    JOIN seenby_catalog.kept_namespace n ON n.oid = c.relnamespace
    JOIN pg_class served ON served.relnamespace = 'seenby_catalog'::regnamespace
        AND served.relname = CASE WHEN n.nspname = 'pg_catalog' THEN '' ELSE 'information_schema.' END || c.relname
    WHERE c.oid < 16384;
INSERT INTO seenby_catalog.kept_attribute
    SELECT '', a.attrelid, a.attnum, a.attname, a.attnotnull
    FROM seenby_catalog.kept_class c
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0;
SELECT seenby_catalog.keep_shape(shape) FROM (SELECT DISTINCT split_part(nspname, '_', 3) AS shape FROM seenby.shape_schema) s;

DO $make$
DECLARE
    kind text;
    name text;
BEGIN
    FOR kind, name IN
        SELECT CASE relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END, oid::regclass::text
        FROM pg_class WHERE relnamespace = 'seenby_catalog'::regnamespace AND relkind IN ('v', 'r')
        UNION ALL
        SELECT 'FUNCTION', oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'seenby_catalog'::regnamespace
    LOOP
        EXECUTE format('ALTER %s %s OWNER TO seenby_owner', kind, name);
        IF kind <> 'TABLE' THEN
            EXECUTE format('REVOKE ALL ON %s %s FROM PUBLIC', replace(kind, 'VIEW', ''), name);
        END IF;
        IF kind <> 'TABLE' AND name !~ '\.(keep_shape|forget_shape|shape_changed)\(' THEN
            EXECUTE format('GRANT %s ON %s %s TO seenby_grants', CASE kind WHEN 'VIEW' THEN 'SELECT' ELSE 'EXECUTE' END,
                replace(kind, 'VIEW', ''), name);
        END IF;
    END LOOP;
END
$make$;
ALTER SCHEMA seenby_catalog OWNER TO seenby_owner;
GRANT USAGE ON SCHEMA seenby_catalog TO seenby_grants;

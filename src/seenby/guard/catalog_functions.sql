-- Run after catalog.sql: the functions that stand in front of Postgres's own (REWRITTEN_FUNCTIONS).
-- They run as the caller and know nothing but the relations of seenby_catalog.

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

-- Privileges: SELECT on what is shown, USAGE of its schema and types, EXECUTE on what initdb made, and nothing else.
-- Names are those of the platform; about any other role than the session's own nothing is known (NULL).
CREATE FUNCTION seenby_catalog.has_table_privilege(oid, text) RETURNS boolean STABLE
    RETURN (SELECT $2 ~* '^(.*,)?\s*SELECT\s*(,.*)?$' FROM seenby_catalog.pg_class WHERE oid = $1);
CREATE FUNCTION seenby_catalog.has_any_column_privilege(oid, text) RETURNS boolean STABLE
    RETURN seenby_catalog.has_table_privilege($1, $2);
CREATE FUNCTION seenby_catalog.has_column_privilege(oid, smallint, text) RETURNS boolean STABLE
    RETURN (SELECT seenby_catalog.has_table_privilege($1, $3) FROM seenby_catalog.pg_attribute
        WHERE attrelid = $1 AND attnum = $2);
CREATE FUNCTION seenby_catalog.has_column_privilege(oid, text, text) RETURNS boolean STABLE
    RETURN (SELECT seenby_catalog.has_table_privilege($1, $3) FROM seenby_catalog.pg_attribute
        WHERE attrelid = $1 AND attname = $2);
CREATE FUNCTION seenby_catalog.has_sequence_privilege(oid, text) RETURNS boolean IMMUTABLE RETURN NULL::boolean;
CREATE FUNCTION seenby_catalog.has_function_privilege(oid, text) RETURNS boolean STABLE
    RETURN (SELECT true FROM seenby_catalog.pg_proc WHERE oid = $1);
CREATE FUNCTION seenby_catalog.has_type_privilege(oid, text) RETURNS boolean STABLE
    RETURN (SELECT true FROM seenby_catalog.pg_type WHERE oid = $1);
CREATE FUNCTION seenby_catalog.has_language_privilege(oid, text) RETURNS boolean STABLE
    RETURN (SELECT false FROM seenby_catalog.pg_language WHERE oid = $1);
CREATE FUNCTION seenby_catalog.has_language_privilege(text, text) RETURNS boolean STABLE
    RETURN (SELECT false FROM seenby_catalog.pg_language WHERE lanname = $1);
CREATE FUNCTION seenby_catalog.has_tablespace_privilege(oid, text) RETURNS boolean STABLE
    RETURN (SELECT false FROM seenby_catalog.pg_tablespace WHERE oid = $1);
CREATE FUNCTION seenby_catalog.has_tablespace_privilege(text, text) RETURNS boolean STABLE
    RETURN (SELECT false FROM seenby_catalog.pg_tablespace WHERE spcname = $1);
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
CREATE FUNCTION seenby_catalog.pg_has_role(name, oid, text) RETURNS boolean STABLE
    RETURN CASE WHEN $1 = current_user THEN seenby_catalog.pg_has_role($2, $3) END;
CREATE FUNCTION seenby_catalog.pg_has_role(name, text, text) RETURNS boolean STABLE
    RETURN CASE WHEN $1 = current_user THEN seenby_catalog.pg_has_role($2, $3) END;

CREATE FUNCTION seenby_catalog.current_schemas(boolean) RETURNS name[] STABLE
    RETURN ARRAY(SELECT n.nspname FROM unnest(pg_catalog.current_schemas($1)) WITH ORDINALITY u(name, i)
        JOIN pg_catalog.pg_namespace b ON b.nspname = u.name JOIN seenby_catalog.pg_namespace n ON n.oid = b.oid
        ORDER BY u.i);
CREATE FUNCTION seenby_catalog.current_schema() RETURNS name STABLE
    RETURN (seenby_catalog.current_schemas(false))[1];

-- Settings: those of pg_settings above can be read. Clients also set some to what they are (pgAdmin: bytea_output), and
-- asyncpg sets jit before it looks at types, which changes nothing of the answers: that is answered and not done.
CREATE FUNCTION seenby_catalog.pg_show_all_settings() RETURNS SETOF seenby_catalog.pg_settings STABLE
    BEGIN ATOMIC SELECT * FROM seenby_catalog.pg_settings; END;
CREATE FUNCTION seenby_catalog.current_setting(text, boolean DEFAULT false) RETURNS text STABLE LANGUAGE plpgsql AS $$
BEGIN
    IF NOT $2 AND NOT EXISTS (SELECT FROM seenby_catalog.pg_settings WHERE lower(name) = lower($1)) THEN
        RAISE undefined_object USING MESSAGE = 'that configuration parameter is not shown';
    END IF;
    RETURN (SELECT setting FROM seenby_catalog.pg_settings WHERE lower(name) = lower($1));
END $$;
CREATE FUNCTION seenby_catalog.set_config(text, text, boolean) RETURNS text STABLE LANGUAGE plpgsql AS $$
BEGIN
    IF lower($1) <> 'jit' AND lower($2) IS DISTINCT FROM lower(seenby_catalog.current_setting($1, true)) THEN
        RAISE cant_change_runtime_param USING MESSAGE = 'that configuration parameter is fixed';
    END IF;
    RETURN $2;
END $$;

-- The server and the session. The number of a session is the one that the gateway gave to its client (seenby.pid, set when
-- it signs in). Addresses would be the gateway's own, so there are none, as over a unix socket.
CREATE FUNCTION seenby_catalog.pg_backend_pid() RETURNS integer STABLE
    RETURN COALESCE(NULLIF(pg_catalog.current_setting('seenby.pid', true), '')::integer, 0);
CREATE FUNCTION seenby_catalog.pg_is_in_recovery() RETURNS boolean IMMUTABLE RETURN false;
CREATE FUNCTION seenby_catalog.pg_blocking_pids(integer) RETURNS integer[] IMMUTABLE RETURN ARRAY[]::integer[];
CREATE FUNCTION seenby_catalog.pg_my_temp_schema() RETURNS oid IMMUTABLE RETURN 0::oid;
CREATE FUNCTION seenby_catalog.pg_is_other_temp_schema(oid) RETURNS boolean IMMUTABLE RETURN false;
CREATE FUNCTION seenby_catalog.pg_relation_is_updatable(oid, boolean) RETURNS integer IMMUTABLE RETURN 0;
CREATE FUNCTION seenby_catalog.pg_column_is_updatable(oid, smallint, boolean) RETURNS boolean IMMUTABLE RETURN false;

-- Privileges are never shown, so there is nothing to take apart; the real ones print and look up any role. Columns of
-- privileges are text[] here.
CREATE FUNCTION seenby_catalog.aclexplode(anyarray)
    RETURNS TABLE (grantor oid, grantee oid, privilege_type text, is_grantable boolean) IMMUTABLE LANGUAGE sql
    AS 'SELECT NULL::pg_catalog.oid, NULL::pg_catalog.oid, NULL::pg_catalog.text, NULL::pg_catalog.bool WHERE false';
CREATE FUNCTION seenby_catalog.acldefault("char", oid) RETURNS text[] IMMUTABLE RETURN NULL::text[];
CREATE FUNCTION seenby_catalog.oidvectortypes(oidvector) RETURNS text STABLE
    RETURN (SELECT COALESCE(string_agg(seenby_catalog.format_type(u.o, NULL), ', ' ORDER BY u.i), '')
        FROM unnest($1) WITH ORDINALITY u(o, i));
CREATE FUNCTION seenby_catalog.pg_identify_object(oid, oid, integer, OUT type text, OUT schema text, OUT name text,
    OUT identity text) IMMUTABLE BEGIN ATOMIC SELECT NULL::text, NULL::text, NULL::text, NULL::text; END;

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
        (SELECT c.oid::regclass
        FROM seenby_catalog.pg_class c JOIN seenby_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE ARRAY[n.nspname, c.relname]::text[] = parse_ident($1) AND c.relkind <> 'i')
    END;
-- Built-in types have names of several words, synonyms and modifiers: the real to_regtype's business. It is not
-- asked for a name with a schema, because it would tell whether there is such a schema (permission denied).
CREATE FUNCTION seenby_catalog.to_regtype(text) RETURNS regtype STABLE
    RETURN COALESCE(
        (SELECT oid::regtype FROM seenby_catalog.pg_type
            WHERE $1 ~ '^[^.]*$|^(pg_catalog|information_schema)\.'
                AND oid = pg_catalog.to_regtype($1) AND oid < 16384),
        (SELECT CASE WHEN w.base = $1 THEN t.oid ELSE NULLIF(t.typarray, 0) END::regtype
            FROM (SELECT regexp_replace($1, '\s*\[\d*\]\s*$', '') AS base) w
            CROSS JOIN LATERAL (SELECT CASE
                WHEN w.base ~ '^\s*("([^"]|"")+"|[[:alpha:]_][\w$]*)(\.("([^"]|"")+"|[[:alpha:]_][\w$]*))?\s*$'
                THEN parse_ident(w.base) END AS name) p
            JOIN seenby_catalog.pg_type t ON t.typname = p.name[cardinality(p.name)] AND t.oid >= 16384
            JOIN seenby_catalog.pg_namespace n ON n.oid = t.typnamespace
            WHERE CASE cardinality(p.name) WHEN 1 THEN seenby_catalog.pg_type_is_visible(t.oid)
                ELSE n.nspname = p.name[1] END
            LIMIT 1)
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
            EXCEPTION WHEN OTHERS THEN  -- "permission denied for schema" would tell that there is one
                RAISE undefined_object USING MESSAGE = 'nothing shown has that name';
            END $body$ $sql$, kind);
    END LOOP;
    -- x::regtype[] comes here as "regtype[]"(x): an oid[] or oidvector, element by element
    FOREACH kind IN ARRAY ARRAY['regclass', 'regcollation', 'regconfig', 'regdictionary', 'regnamespace', 'regoper',
        'regoperator', 'regproc', 'regprocedure', 'regrole', 'regtype']
    LOOP
        EXECUTE format('CREATE FUNCTION seenby_catalog.%1$I(oid[]) RETURNS text[] STABLE
            RETURN CASE WHEN $1 IS NOT NULL THEN ARRAY(SELECT seenby_catalog.%2$I(u.o)::text
                FROM unnest($1) WITH ORDINALITY u(o, i) ORDER BY u.i) END', kind || '[]', kind);
    END LOOP;
    FOREACH signature IN ARRAY ARRAY['pg_get_function_arguments', 'pg_get_function_identity_arguments',
        'pg_get_function_result']
    LOOP
        EXECUTE format('CREATE FUNCTION seenby_catalog.%1$I(oid) RETURNS text STABLE
            RETURN CASE WHEN $1 < 16384 THEN pg_catalog.%1$I($1) END', signature);
    END LOOP;
    -- what nobody is told: comments, expressions, definitions, sizes
    FOR signature, result IN
        SELECT regexp_replace(s, ' \w+$', ''), regexp_replace(s, '.*\) ', '')
        FROM unnest(ARRAY[
            'col_description(oid, integer) text', 'obj_description(oid) text', 'obj_description(oid, name) text',
            'shobj_description(oid, name) text', 'pg_describe_object(oid, oid, integer) text',
            'pg_get_expr(pg_node_tree, oid) text', 'pg_get_expr(pg_node_tree, oid, boolean) text',
            'pg_get_function_arg_default(oid, integer) text', 'pg_get_function_sqlbody(oid) text',
            'pg_get_functiondef(oid) text', 'pg_get_partition_constraintdef(oid) text', 'pg_get_partkeydef(oid) text',
            'pg_get_ruledef(oid) text', 'pg_get_ruledef(oid, boolean) text', 'pg_get_serial_sequence(text, text) text',
            'pg_get_statisticsobjdef(oid) text', 'pg_get_statisticsobjdef_columns(oid) text',
            'pg_get_triggerdef(oid) text', 'pg_get_triggerdef(oid, boolean) text', 'pg_get_viewdef(oid) text',
            'pg_get_viewdef(oid, boolean) text', 'pg_get_viewdef(oid, integer) text', 'pg_get_viewdef(text) text',
            'pg_get_viewdef(text, boolean) text', 'pg_tablespace_location(oid) text',
            'pg_database_size(oid) bigint', 'pg_database_size(text) bigint', 'pg_indexes_size(oid) bigint',
            'pg_indexes_size(text) bigint', 'pg_relation_size(oid) bigint', 'pg_relation_size(text) bigint',
            'pg_relation_size(oid, text) bigint', 'pg_relation_size(text, text) bigint', 'pg_table_size(oid) bigint',
            'pg_table_size(text) bigint', 'pg_tablespace_size(oid) bigint', 'pg_tablespace_size(text) bigint',
            'pg_total_relation_size(oid) bigint', 'pg_total_relation_size(text) bigint',
            'pg_stat_get_numscans(oid) bigint', 'pg_relation_filenode(oid) oid',
            'pg_conf_load_time() timestamptz', 'pg_postmaster_start_time() timestamptz', 'inet_client_addr() inet',
            'inet_client_port() integer', 'inet_server_addr() inet', 'inet_server_port() integer'
        ]) s
    LOOP
        EXECUTE format('CREATE FUNCTION seenby_catalog.%1$s RETURNS %2$s IMMUTABLE RETURN NULL::%2$s',
            signature, result);
    END LOOP;
    -- by name: the table, then the role before it; of the others the role alone
    FOREACH signature IN ARRAY ARRAY['has_table_privilege', 'has_any_column_privilege'] LOOP
        EXECUTE format('CREATE FUNCTION seenby_catalog.%1$I(text, text) RETURNS boolean STABLE
            RETURN seenby_catalog.%1$I(seenby_catalog.regclass($1)::oid, $2)', signature);
    END LOOP;
    CREATE FUNCTION seenby_catalog.has_column_privilege(text, text, text) RETURNS boolean STABLE
        RETURN seenby_catalog.has_column_privilege(seenby_catalog.regclass($1)::oid, $2, $3);
    FOREACH signature IN ARRAY ARRAY['has_table_privilege', 'has_any_column_privilege', 'has_schema_privilege',
        'has_database_privilege'] LOOP
        EXECUTE format('CREATE FUNCTION seenby_catalog.%1$I(name, text, text) RETURNS boolean STABLE
            RETURN CASE WHEN $1 = current_user THEN seenby_catalog.%1$I($2, $3) END', signature);
        EXECUTE format('CREATE FUNCTION seenby_catalog.%1$I(name, oid, text) RETURNS boolean STABLE
            RETURN CASE WHEN $1 = current_user THEN seenby_catalog.%1$I($2, $3) END', signature);
    END LOOP;
END
$make$;

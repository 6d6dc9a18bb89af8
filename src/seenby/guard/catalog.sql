-- The filtered catalogue of a grant; catalog.py says what it is for, lists its relations, and puts them in (JSON,
-- the variable below). What a shape shows is worked out once, when the transaction that makes the shape commits, and
-- kept (catalog_shapes.sql): asked of the real catalogue each time, one \d took seconds of planning.
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
    relnatts int2 NOT NULL, relhasindex boolean NOT NULL DEFAULT false, base oid, relhastriggers boolean NOT NULL DEFAULT false,
    PRIMARY KEY (shape, oid)
);
CREATE TABLE seenby_catalog.kept_attribute (
    shape text, attrelid oid, attnum int2, attname name NOT NULL, attnotnull boolean NOT NULL, base_attnum int2,
    attndims int2 NOT NULL DEFAULT 0, PRIMARY KEY (shape, attrelid, attnum)
);
CREATE TABLE seenby_catalog.kept_type (shape text, oid oid, typnamespace oid NOT NULL, PRIMARY KEY (shape, oid));
CREATE TABLE seenby_catalog.kept_index (
    shape text, oid oid, indrelid oid NOT NULL, indkey int2vector NOT NULL, indexdef text NOT NULL,
    constraint_oid oid, PRIMARY KEY (shape, oid)
);
CREATE TABLE seenby_catalog.kept_constraint (
    shape text, oid oid, conname name NOT NULL, connamespace oid NOT NULL, conrelid oid NOT NULL, conindid oid NOT NULL,
    confrelid oid NOT NULL, conkey int2[] NOT NULL, confkey int2[], condef text NOT NULL, PRIMARY KEY (shape, oid)
);
CREATE INDEX ON seenby_catalog.kept_index (shape, indrelid);
CREATE INDEX ON seenby_catalog.kept_constraint (shape, conrelid);
CREATE INDEX ON seenby_catalog.kept_constraint (shape, confrelid);

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
    query text;
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
            -- printed by name: of a shown type's functions only the built-in ones
            WHEN spec.rest AND a.atttypid = 'regproc'::regtype
                THEN format('CASE WHEN r.%1$I::oid < 16384 THEN r.%1$I ELSE 0 END', a.attname)
            WHEN spec.rest AND a.atttypid NOT IN ('aclitem[]'::regtype, 'pg_node_tree'::regtype, 'anyarray'::regtype)
                THEN format('r.%I', a.attname)
            WHEN y.typcategory = 'B' THEN 'false'
            WHEN y.typcategory = 'N' THEN '0'
            ELSE 'NULL'
            -- A constant compared with an aclitem would be looked up among all roles.
            END, regexp_replace(format_type(a.atttypid, a.atttypmod), '^(anyarray|aclitem\[\])$', 'text[]'), a.attname
        ), ', ' ORDER BY a.attnum)
        INTO columns
        FROM pg_attribute a JOIN pg_type y ON y.oid = a.atttypid
        WHERE a.attrelid = relid AND a.attnum > 0 AND NOT a.attisdropped;
        -- information_schema: behind a function, whose rows are many and kept. Clients join these relations with each
        -- other; from a view the planner expects one row, and nested loops over 209 columns took 40 s, now 0.1 s.
        query := format('SELECT %s %s', columns,
            CASE WHEN spec.source = '' THEN 'WHERE false' ELSE 'FROM ' || spec.source END);
        IF spec.source <> '' AND starts_with(spec.name, 'information_schema.') THEN
            EXECUTE format('CREATE VIEW seenby_catalog.%I WITH (security_barrier) AS %s', 'of ' || spec.name, query);
            EXECUTE format('CREATE FUNCTION seenby_catalog.%1$I() RETURNS SETOF seenby_catalog.%2$I STABLE LANGUAGE sql
                ROWS 1000 SET enable_nestloop = off AS %3$L', spec.name, 'of ' || spec.name,
                format('SELECT * FROM seenby_catalog.%I', 'of ' || spec.name));
            query := format('SELECT * FROM seenby_catalog.%I()', spec.name);
        END IF;
        EXECUTE format('CREATE VIEW seenby_catalog.%I WITH (security_barrier) AS %s', spec.name, query);
    END LOOP;
END
$make$;


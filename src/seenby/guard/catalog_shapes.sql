
-- What one shape shows, worked out and kept. Its schemas are those of the rows of seenby.shape_schema that have its id
-- ("seenby_v_<id>", "seenby_v_<id>_2"); its tables are the views there that somebody but the owner may read.
-- No nested loops: of a shape just written no statistics tell, and one wrong guess took 13 s for 190 tables.
CREATE FUNCTION seenby_catalog.keep_shape(wanted text) RETURNS void LANGUAGE plpgsql
    SET search_path = pg_catalog SET enable_nestloop = off AS $keep$
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
            AND EXISTS (SELECT FROM aclexplode(c.relacl) a
                WHERE a.grantee <> c.relowner AND a.privilege_type = 'SELECT')
        LEFT JOIN pg_class b ON b.relnamespace = s.base AND b.relname = c.relname AND b.relkind IN ('r', 'p', 'f')
        WHERE s.shape = wanted;

    -- The hidden person keys ("seenby$1") are the last columns of a view. NOT NULL is the table's.
    INSERT INTO seenby_catalog.kept_attribute
        SELECT wanted, c.oid, a.attnum, a.attname, COALESCE(b.attnotnull, false), b.attnum,
            COALESCE(b.attndims, a.attndims)
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
        SELECT wanted, t.oid, COALESCE(s.oid, t.typnamespace)
        FROM used u
        JOIN pg_type t ON t.oid = u.oid AND t.oid >= 16384
        LEFT JOIN seenby_catalog.kept_schema s ON s.shape = wanted AND s.base = t.typnamespace
        LEFT JOIN pg_type e ON e.oid = t.typelem
        LEFT JOIN pg_class c ON c.oid = GREATEST(t.typrelid, e.typrelid) AND c.oid <> 0
        WHERE c.oid IS NULL OR c.relkind = 'c'
            OR c.oid IN (SELECT k.oid FROM seenby_catalog.kept_class k WHERE k.shape = wanted);

    INSERT INTO seenby_catalog.kept_namespace
        SELECT wanted, s.oid, s.shows_as FROM seenby_catalog.kept_schema s WHERE s.shape = wanted
        UNION
        SELECT wanted, n.oid, n.nspname
        FROM seenby_catalog.kept_type k
        JOIN pg_namespace n ON n.oid = k.typnamespace AND n.nspname NOT IN ('pg_catalog', 'information_schema')
        WHERE k.shape = wanted AND n.oid NOT IN (SELECT s.oid FROM seenby_catalog.kept_schema s);

    INSERT INTO seenby_catalog.kept_class
        SELECT wanted, c.oid, c.relname, k.typnamespace, 'c', 0, c.relnatts
        FROM seenby_catalog.kept_type k
        JOIN pg_type t ON t.oid = k.oid
        JOIN pg_class c ON c.oid = t.typrelid AND c.relkind = 'c'
        WHERE k.shape = wanted;
    INSERT INTO seenby_catalog.kept_attribute
        SELECT wanted, a.attrelid, a.attnum, a.attname, a.attnotnull, NULL, a.attndims
        FROM seenby_catalog.kept_class c
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE c.shape = wanted AND c.relkind = 'c';

    -- Plain indexes: every key and included column is visible; no expression, no predicate, nothing of the platform's
    -- own (access method, operator class, collation) in the text after the table's name, which therefore can be
    -- Postgres's. The real name may tell of what is hidden ("accounts_phone_of_informants_idx").
    WITH plain AS (
        SELECT i.indexrelid, t.oid AS indrelid, t.relnamespace, t.relname, s.shows_as, c.relam, c.relnatts,
            CASE WHEN i.indisunique THEN 'CREATE UNIQUE INDEX' ELSE 'CREATE INDEX' END AS verb, k.indkey,
            con.oid AS con,
            CASE
                WHEN i.indisprimary THEN format('%s_pkey', t.relname)
                WHEN con.oid IS NOT NULL THEN format('%s_%s_key', t.relname, k.names)
                ELSE format('%s_%s_idx', t.relname, k.names)
            END AS wish,
            format('%I ON %s%I.%I', c.relname, CASE WHEN c.relkind = 'I' THEN 'ONLY ' ELSE '' END, bn.nspname,
                b.relname) AS target
        FROM seenby_catalog.kept_class t
        JOIN seenby_catalog.kept_schema s ON s.oid = t.relnamespace
        JOIN pg_class b ON b.oid = t.base
        JOIN pg_namespace bn ON bn.oid = b.relnamespace
        JOIN pg_index i ON i.indrelid = b.oid AND i.indpred IS NULL AND i.indexprs IS NULL AND i.indislive
            AND i.indisvalid AND NOT i.indisexclusion
        JOIN pg_class c ON c.oid = i.indexrelid AND c.relam < 16384
        LEFT JOIN pg_constraint con
            ON con.conindid = i.indexrelid AND con.conrelid = b.oid AND con.contype IN ('p', 'u')
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
        SELECT wanted, indexrelid, indrelid, indkey::int2vector,
            format('%s %I ON %I.%I%s', verb, shown, shows_as, relname,
                substr(pg_get_indexdef(indexrelid), length(verb || target) + 2)),
            con
        FROM named;
    INSERT INTO seenby_catalog.kept_attribute
        SELECT wanted, i.oid, u.n, a.attname, false
        FROM seenby_catalog.kept_index i
        CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY u(attnum, n)
        JOIN seenby_catalog.kept_attribute a ON a.shape = wanted AND a.attrelid = i.indrelid AND a.attnum = u.attnum
        WHERE i.shape = wanted;
    UPDATE seenby_catalog.kept_class c
        SET relnatts = (
                SELECT count(*) FROM seenby_catalog.kept_attribute a WHERE a.shape = wanted AND a.attrelid = c.oid),
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
            COALESCE((
                SELECT i.oid FROM seenby_catalog.kept_index i WHERE i.shape = wanted AND i.oid = con.conindid), 0),
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

    -- Foreign keys are triggers, on both tables: some clients ask for them only where this is said.
    UPDATE seenby_catalog.kept_class c
        SET relhastriggers = true
        FROM seenby_catalog.kept_constraint k
        WHERE c.shape = wanted AND k.shape = wanted AND k.confrelid <> 0 AND c.oid IN (k.conrelid, k.confrelid);

    -- The same for those who read.
    ANALYZE seenby_catalog.kept_class, seenby_catalog.kept_attribute, seenby_catalog.kept_type,
        seenby_catalog.kept_index, seenby_catalog.kept_constraint;
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
    SELECT '', a.attrelid, a.attnum, a.attname, a.attnotnull, NULL, a.attndims
    FROM seenby_catalog.kept_class c
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0;
-- Not the row types of relations that are not served, which would name them.
INSERT INTO seenby_catalog.kept_type
    SELECT '', t.oid, t.typnamespace
    FROM pg_type t
    LEFT JOIN pg_type e ON e.oid = t.typelem
    WHERE t.oid < 16384 AND (GREATEST(t.typrelid, e.typrelid) IN (SELECT oid FROM seenby_catalog.kept_class)
        OR COALESCE(GREATEST(t.typrelid, e.typrelid), 0) = 0);
DO $$
DECLARE
    shape text;
BEGIN
    FOR shape IN SELECT DISTINCT split_part(nspname, '_', 3) FROM seenby.shape_schema LOOP
        PERFORM seenby_catalog.keep_shape(shape);
    END LOOP;
END $$;

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

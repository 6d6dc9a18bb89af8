"""Every way out that we know of, as data: closed by the database, or by the gateway alone.

In statements, ``{table}`` is the attacking grant's view of accounts, ``{schema}`` its schema, ``{role}`` the attacker,
``{other}`` another grant's schema, ``{other_role}`` its role.
"""

from __future__ import annotations

from dataclasses import dataclass

DENIED = "42501"


@dataclass(frozen=True)
class Closed:
    """``sql`` runs on one connection; the last statement must fail with one of ``sqlstate``."""

    name: str
    sql: tuple[str, ...]
    sqlstate: str = DENIED


@dataclass(frozen=True)
class NoLeak:
    """``sql`` may succeed; what comes back (rows, notices, error texts) holds no value from outside the scope."""

    name: str
    sql: tuple[str, ...]


@dataclass(frozen=True)
class GatewayOnly:
    """The database answers ``sql``; the gateway must refuse its last statement, or hide what it says.

    ``why``: what it would tell. ``error``: the answer is an error whose text tells it.
    """

    name: str
    sql: tuple[str, ...]
    why: str
    error: str = ""


_RW = "SET default_transaction_read_only = off"

CLOSED: tuple[Closed, ...] = (
    Closed("base table", ("SELECT * FROM public.accounts",)),
    Closed("base table, count", ("SELECT count(*) FROM accounts",)),
    Closed("base table, TABLE", ("TABLE accounts",)),
    Closed("base table, sample", ("SELECT * FROM accounts TABLESAMPLE SYSTEM (100)",)),
    Closed("base table, no column", ("SELECT 1 FROM accounts",)),
    Closed("base table, in a DO block", ("DO $$ BEGIN PERFORM phone FROM public.accounts; END $$",)),
    Closed("base table, COPY", ("COPY public.accounts TO STDOUT",)),
    Closed("table that is not mapped", ("SELECT * FROM internal_audit",)),
    Closed("materialized view", ("SELECT * FROM phones",)),
    Closed("view with its owner's rights", ("SELECT * FROM owner_rights",)),
    Closed("sequence", ("SELECT last_value FROM internal_seq",)),
    Closed("sequence, nextval", (_RW, "SELECT nextval('internal_seq')")),
    Closed("another grant's view", ("SELECT * FROM {other}.accounts",)),
    Closed("who is in which scope", ("SELECT * FROM seenby.scope",)),
    Closed("which shapes exist", ("SELECT * FROM seenby.shape_schema",)),
    Closed("own scope, widened", (_RW, "INSERT INTO seenby.scope VALUES ('{role}', 'account', '2')")),
    Closed("write through the view", (_RW, "UPDATE {table} SET phone = phone"), "42501 55000"),
    Closed("insert through the view", (_RW, "INSERT INTO {table} (id) VALUES (1)"), "42501 55000"),
    Closed("lock rows", (_RW, "SELECT id FROM {table} FOR SHARE")),
    Closed("lock the base table", ("BEGIN", "LOCK TABLE accounts IN ACCESS SHARE MODE")),
    Closed("system column", ("SELECT ctid FROM {table}",), "42703"),
    Closed("SECURITY DEFINER function", ("SELECT phone_of(2)",)),
    Closed("become the platform", ("SET ROLE platform_owner",)),
    Closed("become the views' owner", ("SET ROLE seenby_owner",)),
    Closed("become the guard", ("SET ROLE seenby_guard",)),
    Closed("become the shape", ("SET ROLE {shape}",)),
    Closed("become every grant", ("SET ROLE seenby_grants",)),
    Closed("become another grant", ("SET ROLE {other_role}",)),
    Closed("become the superuser", ("SET SESSION AUTHORIZATION postgres",)),
    Closed("become another grant for good", ("SET SESSION AUTHORIZATION {other_role}",)),
    Closed("grant oneself a role", ("GRANT seenby_owner TO {role}",)),
    Closed("grant oneself a table", ("GRANT SELECT ON accounts TO {role}",)),
    Closed("pass the shape on", ("GRANT {shape} TO {other_role}",)),
    Closed("be superuser", ("ALTER ROLE {role} SUPERUSER",)),
    Closed("pass row security", ("ALTER ROLE {role} BYPASSRLS",)),
    Closed("make roles", ("ALTER ROLE {role} CREATEROLE",)),
    Closed("more connections", ("ALTER ROLE {role} CONNECTION LIMIT -1",)),
    Closed("live longer", ("ALTER ROLE {role} VALID UNTIL 'infinity'",)),
    Closed("another grant's password", ("ALTER ROLE {other_role} PASSWORD 'x'",)),
    Closed("another role's settings", ("ALTER ROLE seenby_guard SET search_path = public",)),
    Closed("every role's settings", ("ALTER DATABASE platform SET search_path = public",)),
    Closed("temporary table", (_RW, "CREATE TEMP TABLE accounts (id int)")),
    Closed("temporary view", (_RW, "CREATE TEMP VIEW accounts AS SELECT 1 AS id")),
    Closed("temporary function", (_RW, "CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 1'")),
    Closed("table", (_RW, "CREATE TABLE public.mine (id int)")),
    Closed("function", (_RW, "CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS 'SELECT 1'")),
    Closed("schema", (_RW, "CREATE SCHEMA mine")),
    Closed("object in the view schema", (_RW, "CREATE TABLE {schema}.mine (id int)")),
    Closed("view without its barrier", (_RW, "ALTER VIEW {table} SET (security_barrier = false)")),
    Closed("view replaced", (_RW, "CREATE OR REPLACE VIEW {table} AS SELECT 1::bigint AS id")),
    Closed("extension", (_RW, "CREATE EXTENSION postgres_fdw")),
    Closed("publication", (_RW, "CREATE PUBLICATION p FOR TABLE accounts")),
    Closed("subscription", (_RW, "CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p WITH (connect = false)")),
    Closed("extended statistics", (_RW, "CREATE STATISTICS public.s ON id, phone FROM accounts")),
    Closed("event trigger", (_RW, "CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION leak()")),
    Closed("server", (_RW, "CREATE SERVER s FOREIGN DATA WRAPPER dblink_fdw")),
    Closed("write to a program", ("COPY (SELECT 1) TO PROGRAM 'cat'",)),
    Closed("write to a file", ("COPY (SELECT 1) TO '/tmp/seenby-attack'",)),
    Closed("read a file", ("SELECT pg_read_file('postgresql.conf')",)),
    Closed("read a file as bytes", ("SELECT pg_read_binary_file('pg_hba.conf')",)),
    Closed("list a directory", ("SELECT pg_ls_dir('.')",)),
    Closed("list the log", ("SELECT * FROM pg_ls_logdir()",)),
    Closed("stat a file", ("SELECT pg_stat_file('PG_VERSION')",)),
    Closed("pg_hba.conf", ("SELECT * FROM pg_hba_file_rules",)),
    Closed("load a library", ("LOAD '/tmp/x.so'",)),
    Closed("large object, import", (_RW, "SELECT lo_import('/etc/passwd')")),
    Closed("large object, create", (_RW, "SELECT lo_create(0)")),
    Closed("large object, from bytes", (_RW, "SELECT lo_from_bytea(0, 'x')")),
    Closed("large object, read", ("SELECT lo_get({large_object})",)),
    Closed("large objects' pages", ("SELECT * FROM pg_largeobject",)),
    Closed("dblink", ("SELECT * FROM public.dblink('dbname=platform', 'SELECT 1') t (x int)",)),
    Closed("dblink, connect", ("SELECT public.dblink_connect('dbname=other')",)),
    Closed("counts of base rows visited", ("SELECT * FROM pg_stat_xact_all_tables",)),
    Closed(
        "counts of base rows visited, function",
        ("SELECT pg_stat_get_xact_tuples_returned('public.accounts'::regclass)",),
    ),
    Closed("counts of live rows", ("SELECT * FROM pg_stat_user_tables",)),
    Closed("counts of index use", ("SELECT * FROM pg_statio_all_indexes",)),
    Closed("who is connected", ("SELECT * FROM pg_stat_activity",)),
    Closed("locks", ("SELECT * FROM pg_locks",)),
    Closed("who blocks whom", ("SELECT pg_blocking_pids(1)",)),
    Closed("advisory lock", ("SELECT pg_advisory_lock(1)",)),
    Closed("size of a table", ("SELECT pg_relation_size('public.accounts')",)),
    Closed("size of everything", ("SELECT pg_database_size('platform')",)),
    Closed("statistics", ("SELECT * FROM pg_statistic",)),
    Closed("extended statistics' data", ("SELECT * FROM pg_statistic_ext_data",)),
    Closed("passwords", ("SELECT * FROM pg_authid",)),
    Closed("user mappings", ("SELECT * FROM pg_user_mapping",)),
    Closed("SQL in a text", ("SELECT query_to_xml('SELECT 1', true, true, '')",)),
    Closed("a table as XML", ("SELECT table_to_xml('accounts', true, true, '')",)),
    Closed("SQL in a text, text search", ("SELECT * FROM ts_stat('SELECT to_tsvector(''a'')')",)),
    Closed("export a snapshot", ("BEGIN", "SELECT pg_export_snapshot()")),
    Closed("notify, function", ("SELECT pg_notify('c', 'x')",)),
    Closed("write to the WAL", ("SELECT pg_logical_emit_message(false, 'a', 'b')",)),
    Closed("sleep", ("SELECT pg_sleep(0)",)),
    Closed("end another session", ("SELECT pg_terminate_backend(1)",)),
    Closed("cancel another session", ("SELECT pg_cancel_backend(1)",)),
    Closed("row version by number", ("SELECT currtid2('public.accounts', '(0,1)')",)),
    Closed("prepared transaction", ("BEGIN", "SELECT 1", "PREPARE TRANSACTION 'x'"), "55000"),
    Closed("replication", ("SELECT pg_create_physical_replication_slot('x')",)),
    Closed("server's log settings", ("SET log_statement = 'all'",)),
    Closed("skip triggers", ("SET session_replication_role = replica",)),
    Closed("read others' large objects", ("SET lo_compat_privileges = on",)),
    Closed("reload", ("SELECT pg_reload_conf()",)),
    Closed("rotate the log", ("SELECT pg_rotate_logfile()",)),
    Closed("memory of another backend", ("SELECT pg_log_backend_memory_contexts(1)",)),
)

NO_LEAK: tuple[NoLeak, ...] = (
    NoLeak("everything the view has", ("SELECT * FROM {table}",)),
    NoLeak("whole rows", ("SELECT row_to_json(v), v FROM {table} v",)),
    NoLeak("a cheap leaky function", ("SELECT id FROM {table} WHERE leak(phone)",)),
    NoLeak("a cheap leaky function on a masked column", ("SELECT id FROM {table} WHERE leak(handle::text)",)),
    NoLeak("a cast that fails", ("SELECT id FROM {table} WHERE phone::int = 5",)),
    NoLeak("a cast that fails on a masked column", ("SELECT id FROM {table} WHERE handle::text::int = 5",)),
    NoLeak("a leakproof predicate beside a cast that fails", (
        "SELECT id FROM {table} WHERE phone = '5' AND email::int = 5",
    )),
    NoLeak("division by zero", ("SELECT 1 / (id - 2) FROM {table}",)),
    NoLeak("a subquery that fails", ("SELECT (SELECT v.email::int) FROM {table} v",)),
    NoLeak("a masked value by equality", ("SELECT * FROM {table} WHERE handle = 'user3'",)),
    NoLeak("a masked value by order", ("SELECT id, row_number() OVER (ORDER BY handle, born) FROM {table}",)),
    NoLeak("join against itself", ("SELECT a.*, b.* FROM {table} a JOIN {table} b ON a.phone < b.phone LIMIT 500",)),
    NoLeak("merge joins only", ("SET enable_hashjoin = off", "SET enable_nestloop = off", "SELECT * FROM {table}")),
    NoLeak("no index", ("SET enable_indexscan = off", "SET enable_bitmapscan = off", "SELECT * FROM {table}")),
    NoLeak("parallel", ("SET debug_parallel_query = on", "SELECT * FROM {table} WHERE leak(phone)")),
    NoLeak("everything printed", (
        "SET client_min_messages = debug5", "SELECT * FROM {table} WHERE leak(phone)",
    )),
    NoLeak("row security off", ("SET row_security = off", "SELECT * FROM {table}")),
    NoLeak("search path", ("SET search_path = public, pg_catalog", "SELECT * FROM {table}")),
    NoLeak("statistics of columns", ("SELECT * FROM pg_stats WHERE schemaname NOT IN ('pg_catalog')",)),
    NoLeak("extended statistics", ("SELECT * FROM pg_stats_ext", "SELECT * FROM pg_stats_ext_exprs")),
    NoLeak("ANALYZE", (_RW, "ANALYZE public.accounts")),
    NoLeak("cursor", ("BEGIN", "DECLARE c CURSOR FOR SELECT * FROM {table}", "FETCH ALL c")),
    NoLeak("prepared", ("PREPARE p (text) AS SELECT * FROM {table} WHERE phone <> $1", "EXECUTE p ('x')")),
    NoLeak("generic plan", (
        "SET plan_cache_mode = force_generic_plan",
        "PREPARE q (text) AS SELECT * FROM {table} WHERE leak(phone) OR phone = $1",
        "EXECUTE q ('x')",
    )),
    NoLeak("aggregate", ("SELECT string_agg(phone, ','), max(email), min(handle::text) FROM {table}",)),
    NoLeak("recursive", ("WITH RECURSIVE r AS (SELECT id, phone FROM {table} UNION SELECT * FROM r) SELECT * FROM r",)),
    NoLeak("positions", ("SELECT * FROM {schema}.positions",)),
    NoLeak("address book", ("SELECT * FROM {schema}.address_book",)),
    NoLeak("a table of nobody: only its public columns", ("SELECT * FROM {schema}.songs",)),
)  # fmt: skip

GATEWAY_ONLY: tuple[GatewayOnly, ...] = (
    GatewayOnly("LISTEN", ("LISTEN anything",), "the platform's NOTIFY payloads; no privilege exists"),
    GatewayOnly("NOTIFY", ("NOTIFY anything, 'x'",), "speaks to the platform's own listeners"),
    GatewayOnly("EXPLAIN", ("EXPLAIN SELECT * FROM {table} WHERE home_region = 'us'",), "estimates"),
    GatewayOnly("EXPLAIN without costs", ("EXPLAIN (COSTS OFF) SELECT * FROM {table}",), "which plan was chosen"),
    GatewayOnly("EXPLAIN ANALYZE", ("EXPLAIN ANALYZE SELECT * FROM {table} WHERE phone = 'x'",), "counts of rows"),
    GatewayOnly("plan in the log, log to the client", (
        "SET debug_print_plan = on", "SET client_min_messages = log", "SELECT 1 FROM {table}",
    ), "estimates, through NOTICEs"),
    GatewayOnly("planner costs", ("SET random_page_cost = 1000",), "moves plans, so timing and EXPLAIN tell more"),
    GatewayOnly("planner switches", ("SET enable_seqscan = off",), "as planner costs"),
    GatewayOnly("set_config", ("SELECT set_config('enable_seqscan', 'off', false)",), "as SET"),
    GatewayOnly("read-write", ("SET default_transaction_read_only = off",), "opens what READ ONLY closes"),
    GatewayOnly("read-write transaction", ("BEGIN READ WRITE",), "as read-write"),
    GatewayOnly("another isolation level", ("BEGIN ISOLATION LEVEL READ COMMITTED",), "two statements, two snapshots"),
    GatewayOnly("no timeout", ("SET statement_timeout = 0",), "the caps of the session"),
    GatewayOnly("search path", ("SET search_path = public",), "names resolve elsewhere between Parse and Execute"),
    GatewayOnly("RESET ALL", ("RESET ALL",), "all that the gateway set"),
    GatewayOnly("DISCARD ALL", ("DISCARD ALL",), "all that the gateway set"),
    GatewayOnly("own password", ("ALTER ROLE {role} PASSWORD '{password}'",), "locks the gateway out"),
    GatewayOnly("own settings", ("ALTER ROLE {role} SET work_mem = '1MB'",), "settings of later sessions"),
    GatewayOnly("own default privileges", (
        "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO {role}",
    ), "a dependency that would stop DROP ROLE"),
    GatewayOnly("DO", ("DO $$ BEGIN RAISE NOTICE 'x'; END $$",), "a second language nobody analyses"),
    GatewayOnly("LOCK", ("BEGIN", "LOCK TABLE {table} IN ACCESS SHARE MODE"), "stops the platform's ALTER TABLE"),
    GatewayOnly("cursor beyond the transaction", (
        "DECLARE h CURSOR WITH HOLD FOR SELECT id FROM {table}",
    ), "delivers after REVOKE"),
    GatewayOnly("error text with a value", (
        "SELECT (id || 'x')::int FROM {table}",
    ), "a value before any row, so before any entry", error='invalid input syntax for type integer: "1x"'),
    GatewayOnly("row counts of every table", ("SELECT reltuples, relpages FROM pg_class",), "counts"),
    GatewayOnly("view definitions", ("SELECT definition FROM pg_views",), "regions and masks of other grants"),
    GatewayOnly("view definitions, function", ("SELECT pg_get_viewdef('{schema}.accounts'::regclass)",), "as above"),
    GatewayOnly("view definitions, raw", ("SELECT ev_action FROM pg_rewrite",), "as view definitions"),
    GatewayOnly("function source", ("SELECT prosrc FROM pg_proc",), "the platform's code"),
    GatewayOnly("index predicates", ("SELECT pg_get_indexdef(indexrelid) FROM pg_index",), "listed handles, statuses"),
    GatewayOnly("roles", ("SELECT rolname FROM pg_roles",), "how many grants there are"),
    GatewayOnly("memberships", ("SELECT * FROM pg_auth_members",), "which grants have the same shape"),
    GatewayOnly("role settings", ("SELECT * FROM pg_db_role_setting",), "secrets in settings"),
    GatewayOnly("policies", ("SELECT * FROM pg_policies",), "values in policies"),
    GatewayOnly("publications", ("SELECT * FROM pg_publication_tables",), "values in filters"),
    GatewayOnly("comments", ("SELECT description FROM pg_description",), "whatever people wrote there"),
    GatewayOnly("enum labels", ("SELECT enumlabel FROM pg_enum",), "words of the platform"),
    GatewayOnly("names of tables", ("SELECT 'public.internal_audit'::regclass",), "existence of a table"),
    GatewayOnly("settings", ("SELECT name, setting FROM pg_settings",), "the server's configuration"),
    GatewayOnly("one setting", ("SELECT current_setting('shared_buffers')",), "as settings"),
    GatewayOnly("position of the WAL", ("SELECT pg_current_wal_lsn()",), "how much is written"),
    GatewayOnly("transaction numbers", ("SELECT pg_current_snapshot()",), "how much is written, and ids of snapshots"),
)  # fmt: skip

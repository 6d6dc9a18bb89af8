-- A small platform database with one of everything that a catalogue can tell. Names that a grant must never see hold
-- the word "hidden"; values, comments and bodies too.
CREATE SCHEMA ops_hidden;
CREATE TYPE mood AS ENUM ('calm', 'loud');
CREATE TYPE mood_hidden AS ENUM ('label_hidden');
CREATE TYPE place AS (street text, number integer);
CREATE DOMAIN handle AS varchar(40) DEFAULT 'default_hidden' CHECK (VALUE <> 'value_hidden');
CREATE FUNCTION diff_hidden(integer, integer) RETURNS float8 LANGUAGE sql IMMUTABLE RETURN $1 - $2;
CREATE TYPE years AS RANGE (subtype = integer, subtype_diff = diff_hidden);
CREATE SEQUENCE counter_hidden;
CREATE FUNCTION function_hidden() RETURNS trigger LANGUAGE plpgsql AS 'begin /* body_hidden */ return new; end';
CREATE TABLE accounts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    token_hidden text DEFAULT 'default_hidden',
    handle handle NOT NULL,
    email varchar(120) UNIQUE,
    phone_hidden varchar(20) UNIQUE,
    mood mood DEFAULT 'calm',
    feeling_hidden mood_hidden,
    tags text[] NOT NULL DEFAULT '{default_hidden}',
    home place,
    active years,
    balance numeric(12, 2) NOT NULL CONSTRAINT check_hidden CHECK (balance > -87650001),
    created_at timestamptz(3) NOT NULL DEFAULT now()
);
CREATE TABLE videos (
    id bigint PRIMARY KEY,
    account_id bigint NOT NULL CONSTRAINT fk_hidden REFERENCES accounts (id),
    title text COLLATE "C",
    length_s smallint
);
CREATE TABLE messages_hidden (id bigint PRIMARY KEY, sender_id bigint REFERENCES accounts, body text);
CREATE TABLE ops_hidden.staff_hidden (login text PRIMARY KEY, parent text);
CREATE TABLE parts_hidden (at date) PARTITION BY RANGE (at);
CREATE TABLE part1_hidden PARTITION OF parts_hidden FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE VIEW view_hidden AS SELECT id FROM accounts WHERE handle = 'constant_hidden';
CREATE MATERIALIZED VIEW matview_hidden AS SELECT 1 AS one;
CREATE INDEX partial_hidden ON accounts (created_at) WHERE email = 'predicate_hidden';
CREATE INDEX expression_hidden ON accounts (lower(email || 'expression_hidden'));
CREATE INDEX includes_hidden ON videos (account_id) INCLUDE (length_s);
CREATE INDEX ON videos (title text_pattern_ops);
CREATE INDEX gin_hidden ON accounts USING gin (tags);
CREATE TRIGGER trigger_hidden BEFORE INSERT ON accounts FOR EACH ROW EXECUTE FUNCTION function_hidden();
CREATE RULE rule_hidden AS ON DELETE TO videos DO INSTEAD NOTHING;
ALTER TABLE videos ENABLE ROW LEVEL SECURITY;
CREATE POLICY policy_hidden ON videos USING (title <> 'policy_constant_hidden');
CREATE STATISTICS statistics_hidden ON id, account_id FROM videos;
CREATE ROLE role_hidden;
CREATE FOREIGN DATA WRAPPER wrapper_hidden;
CREATE SERVER server_hidden FOREIGN DATA WRAPPER wrapper_hidden OPTIONS (host 'host_hidden');
CREATE USER MAPPING FOR role_hidden SERVER server_hidden OPTIONS (password 'password_hidden');
CREATE FOREIGN TABLE foreign_hidden (x integer) SERVER server_hidden;
CREATE OPERATOR === (leftarg = text, rightarg = text, function = texteq);
CREATE COLLATION collation_hidden (provider = libc, locale = 'C');
CREATE TEXT SEARCH CONFIGURATION config_hidden (copy = simple);
CREATE AGGREGATE aggregate_hidden (integer) (sfunc = int4pl, stype = integer);
CREATE CAST (place AS text) WITH INOUT;
SELECT lo_create(424242);
COMMENT ON TABLE accounts IS 'comment_hidden';
COMMENT ON COLUMN accounts.email IS 'comment_hidden';
COMMENT ON FUNCTION lower(text) IS 'comment_hidden';
COMMENT ON DATABASE platform IS 'comment_hidden';
COMMENT ON ROLE postgres IS 'comment_hidden';
SET LOCAL client_min_messages = error;  -- wal_level = minimal: "publications not usable yet"
CREATE PUBLICATION publication_hidden FOR TABLE videos WHERE (id > 87650001);
CREATE FUNCTION event_hidden() RETURNS event_trigger LANGUAGE plpgsql AS 'begin end';
CREATE EVENT TRIGGER event_hidden ON ddl_command_end EXECUTE FUNCTION event_hidden();
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO role_hidden;
ALTER DATABASE platform SET search_path = public, ops_hidden;
ALTER ROLE role_hidden SET application_name = 'secret_hidden';
GRANT SELECT ON accounts TO role_hidden;
GRANT role_hidden TO postgres WITH ADMIN OPTION;

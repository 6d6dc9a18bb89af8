-- The database that physically holds what the shape of catalog_shape.sql shows: its catalogue is the expected answer.
-- What the grant does not show by rule is left out here too: defaults, checks, identity, comments; the owner is called as
-- the grant is told.
CREATE ROLE seenby SUPERUSER LOGIN PASSWORD 'copy';
ALTER SCHEMA public OWNER TO seenby;
SET LOCAL ROLE seenby;
CREATE TYPE mood AS ENUM ('calm', 'loud');
CREATE TYPE place AS (street text, number integer);
CREATE DOMAIN handle AS varchar(40);
CREATE TYPE years AS RANGE (subtype = integer);
CREATE TABLE accounts (
    id bigint PRIMARY KEY,
    handle handle NOT NULL,
    email varchar(120) UNIQUE,
    mood mood,
    tags text[] NOT NULL,
    home place,
    active years,
    balance numeric(12, 2) NOT NULL,
    created_at timestamptz(3) NOT NULL
);
CREATE TABLE videos (
    id bigint PRIMARY KEY,
    account_id bigint NOT NULL REFERENCES accounts (id),
    title text COLLATE "C",
    length_s smallint
);
CREATE INDEX ON videos (account_id) INCLUDE (length_s);
CREATE INDEX ON videos (title text_pattern_ops);
CREATE INDEX ON accounts USING gin (tags);
INSERT INTO accounts VALUES
    (1, 'ann', 'ann@example.org', 'loud', '{a,b}', ('High St', 7), '[2020,2024)', 1.50, '2026-11-01 10:00:00+00');
INSERT INTO videos VALUES (1, 1, 'first', 30);

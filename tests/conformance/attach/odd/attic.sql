-- What Postgres allows and somebody, somewhere, has done. Everything is fictitious.
CREATE SCHEMA "Größe"; CREATE SCHEMA billing;
CREATE DOMAIN mail_address AS text CHECK (VALUE LIKE '%@%');
CREATE DOMAIN handle AS varchar(40) CHECK (VALUE <> '');
CREATE TYPE mood AS ENUM ('sad', 'so, so', 'it''s "ok"', 'froh');
CREATE TYPE place AS (street text, town text);
-- Keys are text of any kind, compared bytewise: spaces, quotes, commas, braces, backslashes, line ends, what looks like NULL.
CREATE TABLE "user" (id text COLLATE "C" PRIMARY KEY, email mail_address NOT NULL, password_hash text, nick handle, nick_lower text GENERATED ALWAYS AS (lower(nick)) STORED,
  feeling mood, feelings mood[], home place, born date, seen timestamptz, phone varchar(20), spouse text COLLATE "C" REFERENCES "user", gone boolean, bits bit(3), pin char(6), worth numeric(20,4), tags text[], latitude double precision);
ALTER TABLE "user" DROP COLUMN gone;
CREATE TABLE "Größe"."Beiträge" ("Nr" bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "BenutzerId" text COLLATE "C" NOT NULL REFERENCES "user", "Überschrift" text,
  "abcdefghijklmnopqrstuvwxyz_abcdefghijklmnopqrstuvwxyz_abcdefghi" text, "select" int, body text);
CREATE INDEX ON "Größe"."Beiträge" ("BenutzerId");
CREATE TABLE billing.invoices (tenant smallint, number int, user_id varchar NOT NULL, total numeric(12,2), PRIMARY KEY (tenant, number));
CREATE TABLE billing.lines (tenant int NOT NULL, number bigint NOT NULL, line int NOT NULL, what text, payload jsonb);
CREATE TABLE billing.notes (id int PRIMARY KEY, user_id text NOT NULL REFERENCES "user", body text);
CREATE TABLE notes (id bigint PRIMARY KEY, user_id text NOT NULL REFERENCES "user", body text, at interval, span int4range);
-- Partitions in two levels; one of them was a table before and has its columns in another order.
CREATE TABLE events (id bigint NOT NULL, user_id text NOT NULL REFERENCES "user", kind text NOT NULL, at timestamptz NOT NULL, PRIMARY KEY (id, kind, at)) PARTITION BY LIST (kind);
CREATE TABLE events_a PARTITION OF events FOR VALUES IN ('a') PARTITION BY RANGE (at);
CREATE TABLE events_a1 PARTITION OF events_a FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE events_rest (at timestamptz NOT NULL, junk int, kind text NOT NULL, user_id text NOT NULL, id bigint NOT NULL);
ALTER TABLE events_rest DROP COLUMN junk;
ALTER TABLE events ATTACH PARTITION events_rest DEFAULT;
-- No key, two owners; a key that may be NULL, two owners; a unique key of two columns of which one may be NULL.
CREATE TABLE pokes (from_user text NOT NULL REFERENCES "user", to_user text REFERENCES "user", n int);
CREATE TABLE gifts (code int UNIQUE, giver_user_id text REFERENCES "user", taker_user_id text REFERENCES "user", what text);
CREATE UNLOGGED TABLE drafts (user_id text NOT NULL REFERENCES "user", slot int, body text, UNIQUE (user_id, slot));
-- Old inheritance.
CREATE TABLE animals (id int PRIMARY KEY, user_id text NOT NULL REFERENCES "user", name text);
CREATE TABLE cats (purrs boolean) INHERITS (animals);
-- Owners by name and id, in an enum with a blank; the keys of things are bigints, of people text.
CREATE TYPE thing AS ENUM ('Big Note', 'Event');
CREATE TABLE flags (id uuid PRIMARY KEY, reporter_user_id text NOT NULL REFERENCES "user", thing_type thing NOT NULL, thing_id bigint NOT NULL, why text);
-- Two columns of different collations: a join has to say which of them counts.
CREATE TABLE clubs (name text COLLATE "POSIX" PRIMARY KEY, user_id text NOT NULL REFERENCES "user", motto text);
CREATE TABLE club_dues (id int PRIMARY KEY, club text COLLATE "C" NOT NULL REFERENCES clubs (name), amount numeric);
CREATE TABLE letters (id char(8) PRIMARY KEY, from_user_id text NOT NULL REFERENCES "user", to_user_id text REFERENCES "user", body text);
CREATE TABLE letter_stamps (letter_id char(8) NOT NULL REFERENCES letters, stamp text NOT NULL, PRIMARY KEY (letter_id, stamp));
ALTER TABLE notes ENABLE ROW LEVEL SECURITY; ALTER TABLE notes FORCE ROW LEVEL SECURITY;
CREATE TABLE made AS SELECT n, (ARRAY['a b', 'o''hara', 'x,y', '{z}', 'back\slash', E'two\nlines', 'NULL', '', 'Zoë', 'zoë', '"q"', '0', '00', 'ﬁn', '''; --', '$1', '%s', '(a,b)', E'tab\there', '日本'])[n] AS id FROM generate_series(1, 20) n;
INSERT INTO "user" (id, email, password_hash, nick, feeling, feelings, home, born, seen, phone, bits, pin, worth, tags, latitude)
  SELECT id, 'p' || n || '@example.org', md5(n::text), 'Nick' || n, (enum_range(NULL::mood))[1 + n % 4], ARRAY['sad', 'so, so']::mood[], CASE WHEN n % 3 > 0 THEN ROW('Str, "' || n || '"', NULL)::place END,
  date '1960-01-01' + 400 * n, timestamptz '2026-01-01 12:00:00.123456+00' + n * interval '1 day', '+4479009' || lpad(n::text, 5, '0'), B'101', lpad(n::text, 3, '0'), n * 1.1, ARRAY['a', NULL, 'b,c'], 48 + n / 10.0 FROM made;
UPDATE "user" u SET spouse = o.id FROM made m, made o WHERE u.id = m.id AND m.n % 4 = 0 AND o.n = m.n - 1;
INSERT INTO "Größe"."Beiträge" ("BenutzerId", "Überschrift", "abcdefghijklmnopqrstuvwxyz_abcdefghijklmnopqrstuvwxyz_abcdefghi", "select", body)
  SELECT m.id, 'Titel ' || k, 'long ' || k, k, 'Was ich sagen wollte, Teil ' || k FROM generate_series(1, 60) k JOIN made m ON m.n = 1 + k % 20;
INSERT INTO billing.invoices SELECT 1 + k % 2, k, m.id, k * 1.25 FROM generate_series(1, 40) k JOIN made m ON m.n = 1 + k * 3 % 20;
INSERT INTO billing.lines SELECT 1 + k % 2, k, l, 'thing ' || k, jsonb_build_object('ip', '203.0.113.' || k, 'deep', jsonb_build_object('mail', 'x@example.org')) FROM generate_series(1, 40) k, generate_series(1, 2) l;
INSERT INTO billing.lines VALUES (9, 9, 9, 'of no invoice', NULL);
INSERT INTO billing.notes SELECT k, m.id, 'Paid late, ' || k FROM generate_series(1, 30) k JOIN made m ON m.n = 1 + k % 20;
INSERT INTO notes SELECT 9007199254740993 + k, m.id, 'Note to self ' || k, k * interval '1 hour', int4range(k, k + 5) FROM generate_series(1, 50) k JOIN made m ON m.n = 1 + k * 7 % 20;
INSERT INTO events SELECT k, m.id, (ARRAY['a', 'b'])[1 + k % 2], timestamptz '2025-02-01' + k * interval '3 days' FROM generate_series(1, 60) k JOIN made m ON m.n = 1 + k % 20;
INSERT INTO pokes SELECT m.id, o.id, k FROM generate_series(1, 60) k JOIN made m ON m.n = 1 + k % 20 LEFT JOIN made o ON o.n = 1 + k * 3 % 20 AND k % 5 > 0;
INSERT INTO pokes SELECT * FROM pokes LIMIT 5;
INSERT INTO gifts SELECT CASE WHEN k % 3 > 0 THEN k END, CASE WHEN k % 4 > 0 THEN m.id END, CASE WHEN k % 5 > 0 THEN o.id END, 'Gift ' || k FROM generate_series(1, 60) k JOIN made m ON m.n = 1 + k % 20 JOIN made o ON o.n = 1 + k * 3 % 20;
INSERT INTO drafts SELECT m.id, CASE WHEN k % 3 > 0 THEN k END, 'Draft ' || k FROM generate_series(1, 40) k JOIN made m ON m.n = 1 + k % 20;
INSERT INTO animals SELECT k, m.id, 'Animal ' || k FROM generate_series(1, 20) k JOIN made m ON m.n = k;
INSERT INTO cats SELECT 100 + k, m.id, 'Cat ' || k, true FROM generate_series(1, 20) k JOIN made m ON m.n = k;
INSERT INTO flags SELECT md5('f' || k)::uuid, m.id, (CASE WHEN k % 2 = 0 THEN 'Big Note' ELSE 'Event' END)::thing, CASE WHEN k % 2 = 0 THEN 9007199254740993 + k ELSE k END, 'Because ' || k FROM generate_series(1, 40) k JOIN made m ON m.n = 1 + k % 20;
INSERT INTO clubs SELECT 'Club ' || n, id, 'Motto ' || n FROM made;
INSERT INTO club_dues SELECT k, 'Club ' || 1 + k % 20, k FROM generate_series(1, 40) k;
INSERT INTO letters SELECT 'L' || k, m.id, CASE WHEN k % 4 > 0 THEN o.id END, 'Dear friend, ' || k FROM generate_series(1, 40) k JOIN made m ON m.n = 1 + k % 20 JOIN made o ON o.n = 1 + k * 3 % 20;
INSERT INTO letter_stamps SELECT 'L' || k, 'stamp ' || s FROM generate_series(1, 40) k, generate_series(1, 2) s;
DROP TABLE made;

-- A village's forum, grown over the years: text keys, not one foreign key, short names. Everything is fictitious.
CREATE TABLE members (login text PRIMARY KEY, email text NOT NULL, joined date NOT NULL, born date, village text, pass_hash text);
CREATE TABLE boards (slug text PRIMARY KEY, title text NOT NULL, colour text);
CREATE TABLE threads (id text PRIMARY KEY, board text NOT NULL, starter text NOT NULL, headline text, opened timestamptz NOT NULL);
CREATE INDEX ON threads (starter);
CREATE TABLE replies (id text PRIMARY KEY, thread text NOT NULL, writer text NOT NULL, body text, ip text, written timestamptz NOT NULL);
CREATE INDEX ON replies (writer);
CREATE TABLE thanks (reply_id text NOT NULL, login text NOT NULL, PRIMARY KEY (reply_id, login));
CREATE TABLE letters (id bigint PRIMARY KEY, from_login text NOT NULL, to_login text NOT NULL, body text, opened boolean NOT NULL);
CREATE INDEX ON letters (from_login);
CREATE INDEX ON letters (to_login);
CREATE TABLE reply_pictures (id bigint PRIMARY KEY, reply_id text NOT NULL, path text NOT NULL);
CREATE TABLE visits (who text NOT NULL, day date NOT NULL, agent text, PRIMARY KEY (who, day));
CREATE TABLE waiting_list (email text PRIMARY KEY, since date NOT NULL);
INSERT INTO members SELECT 'm' || to_hex(7919 * n), 'm' || n || '@example.org', date '2020-01-01' + n, date '1960-01-01' + 97 * n,
  (ARRAY['Upper Wick', 'Nether Wick'])[1 + n % 2], '$2b$12$' || repeat(md5(n::text), 2) FROM generate_series(1, 200) n;
INSERT INTO boards VALUES ('news', 'What happened', '#aa0000'), ('barter', 'Give and take', '#00aa00'), ('help', 'Who can help?', '#0000aa');
INSERT INTO threads SELECT 't' || to_hex(104729 * n), (ARRAY['news', 'barter', 'help'])[1 + n % 3], 'm' || to_hex(7919 * (1 + n % 200)),
  'Thread number ' || n || ' of the year', now() - n * interval '1 hour' FROM generate_series(1, 300) n;
INSERT INTO replies SELECT 'r' || to_hex(15485863 * n::bigint), 't' || to_hex(104729 * (1 + n % 300)), 'm' || to_hex(7919 * (1 + 7 * n % 200)),
  'I think that is right, and ' || n || ' times so', '198.51.100.' || n % 250, now() - n * interval '10 minutes' FROM generate_series(1, 1500) n;
INSERT INTO thanks SELECT 'r' || to_hex(15485863 * n::bigint), 'm' || to_hex(7919 * (1 + 11 * n % 200)) FROM generate_series(1, 900) n;
INSERT INTO letters SELECT n, 'm' || to_hex(7919 * (1 + n % 200)), 'm' || to_hex(7919 * (1 + 3 * n % 200)), 'Dear neighbour, number ' || n || ' is yours', n % 2 = 0
  FROM generate_series(1, 400) n;
INSERT INTO reply_pictures SELECT n, 'r' || to_hex(15485863 * (2 * n)::bigint), 'pictures/' || md5(n::text) || '.jpg' FROM generate_series(1, 100) n;
INSERT INTO visits SELECT 'm' || to_hex(7919 * n), date '2026-11-01' + d, 'Mozilla/5.0 (X11; Linux x86_64)' FROM generate_series(1, 200) n, generate_series(0, 4) d;
INSERT INTO waiting_list SELECT 'w' || n || '@example.net', date '2026-10-01' + n FROM generate_series(1, 20) n;

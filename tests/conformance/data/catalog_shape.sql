-- What the guard makes of a grant, by hand: one shape with two tables, and another grant's shape beside it.
CREATE ROLE seenby_owner NOLOGIN BYPASSRLS;
CREATE ROLE seenby_grants NOLOGIN;
CREATE ROLE seenby_s_0123456789abcdef NOLOGIN;
CREATE ROLE seenby_s_otherhidden NOLOGIN;
CREATE ROLE seenby_g_mine LOGIN PASSWORD 'mine' IN ROLE seenby_s_0123456789abcdef, seenby_grants;
CREATE ROLE seenby_g_otherhidden LOGIN PASSWORD 'other' IN ROLE seenby_s_otherhidden, seenby_grants;
GRANT USAGE ON SCHEMA public TO seenby_owner;
GRANT SELECT ON accounts, videos, messages_hidden TO seenby_owner;
CREATE SCHEMA seenby AUTHORIZATION seenby_owner;
CREATE SCHEMA seenby_v_0123456789abcdef AUTHORIZATION seenby_owner;
CREATE SCHEMA seenby_v_otherhidden AUTHORIZATION seenby_owner;
GRANT USAGE ON SCHEMA seenby_v_0123456789abcdef TO seenby_s_0123456789abcdef;
GRANT USAGE ON SCHEMA seenby_v_otherhidden TO seenby_s_otherhidden;
SET LOCAL ROLE seenby_owner;
CREATE TABLE seenby.shape_schema (nspname name PRIMARY KEY, shows_as name NOT NULL);
INSERT INTO seenby.shape_schema VALUES ('seenby_v_0123456789abcdef', 'public'), ('seenby_v_otherhidden', 'public');
CREATE VIEW seenby_v_0123456789abcdef.accounts WITH (security_barrier) AS
    SELECT id, handle, CASE WHEN id = 1 THEN email ELSE 'mask_hidden'::varchar(120) END AS email, mood, tags, home,
        active, balance, created_at, id::text AS "seenby$1" FROM public.accounts;
CREATE VIEW seenby_v_0123456789abcdef.videos WITH (security_barrier) AS
    SELECT id, account_id, title, length_s, account_id::text AS "seenby$1" FROM public.videos;
CREATE VIEW seenby_v_0123456789abcdef.internal_hidden AS SELECT 1 AS one;
CREATE VIEW seenby_v_otherhidden.messages_hidden AS SELECT id, body FROM public.messages_hidden;
GRANT SELECT ON seenby_v_0123456789abcdef.accounts, seenby_v_0123456789abcdef.videos TO seenby_s_0123456789abcdef;
GRANT SELECT ON seenby_v_otherhidden.messages_hidden TO seenby_s_otherhidden;
RESET ROLE;
ALTER ROLE seenby_g_mine SET search_path = seenby_v_0123456789abcdef;
INSERT INTO accounts (handle, email, mood, tags, home, active, balance, created_at) VALUES
    ('ann', 'ann@example.org', 'loud', '{a,b}', ('High St', 7), '[2020,2024)', 1.50, '2026-11-01 10:00:00+00');
INSERT INTO videos VALUES (1, 1, 'first', 30);

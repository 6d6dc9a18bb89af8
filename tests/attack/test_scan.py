"""The privilege scan: each hole, opened in turn, is found by name, with what to do; without one it is silent."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from seenby.errors import ConfigError
from seenby.guard import Finding, attach_sql, refuse_findings, verifier
from tests.attack import world
from tests.attack.conftest import FENCED, REGION, Attacked

pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("attack")]


def scan(attacked: Attacked) -> list[Finding]:
    async def work() -> list[Finding]:
        guard = attacked.guard()
        try:
            return await guard.privilege_findings()
        finally:
            await guard.close()

    return asyncio.run(work())


def test_silent_when_attached(attacked: Attacked) -> None:
    assert scan(attacked) == []


def test_silent_after_attaching_again(attacked: Attacked) -> None:
    """Attaching is repeatable: with grants active, after the map has grown."""
    with attacked.superuser() as superuser:
        guard = verifier(world.GUARD_PASSWORD, bytes(16))
        superuser.execute(attach_sql(world.datamap(), database="platform", guard_verifier=guard).encode())
    assert scan(attacked) == []
    with attacked.connect(REGION) as connection:
        assert connection.execute(f"SELECT 1 FROM {attacked.view(REGION, 'accounts')} LIMIT 1").fetchone()


def test_silent_about_a_schema_that_the_guard_may_not_use(attacked: Attacked) -> None:
    """As every schema but public is, until somebody opens it: the scan looks at the catalogue alone."""
    with attacked.superuser() as superuser:
        superuser.execute("REVOKE USAGE ON SCHEMA public FROM PUBLIC")
        try:
            findings = scan(attacked)
        finally:
            superuser.execute("GRANT USAGE ON SCHEMA public TO PUBLIC")
    assert findings == []


HOLES: tuple[tuple[str, str, str], ...] = (
    ("GRANT SELECT ON accounts TO PUBLIC", "REVOKE ALL ON accounts FROM PUBLIC", "relation: public.accounts"),
    ("GRANT SELECT (phone) ON accounts TO PUBLIC", "REVOKE ALL (phone) ON accounts FROM PUBLIC", "public.accounts"),
    ("GRANT SELECT ON phones TO PUBLIC", "REVOKE ALL ON phones FROM PUBLIC", "relation: public.phones"),
    ("GRANT SELECT ON owner_rights TO PUBLIC", "REVOKE ALL ON owner_rights FROM PUBLIC", "public.owner_rights"),
    ("GRANT USAGE ON SEQUENCE internal_seq TO PUBLIC", "REVOKE ALL ON internal_seq FROM PUBLIC", "internal_seq"),
    ("GRANT SELECT ON internal_audit TO seenby_grants", "REVOKE ALL ON internal_audit FROM seenby_grants", "internal_"),
    ("GRANT SELECT ON pg_authid TO PUBLIC", "REVOKE ALL ON pg_authid FROM PUBLIC", "closed catalog: pg_authid"),
    ("GRANT EXECUTE ON FUNCTION phone_of TO PUBLIC", "REVOKE ALL ON FUNCTION phone_of FROM PUBLIC", "SECURITY DEFINER"),
    ("GRANT EXECUTE ON FUNCTION pg_read_file(text) TO PUBLIC", "REVOKE ALL ON FUNCTION pg_read_file(text) FROM PUBLIC",
     "function of superusers: pg_read_file"),
    ("GRANT EXECUTE ON FUNCTION pg_lock_status TO PUBLIC",
     "REVOKE ALL ON FUNCTION pg_lock_status FROM PUBLIC", "pg_lock_"),
    ("ALTER FUNCTION leak LEAKPROOF", "ALTER FUNCTION leak NOT LEAKPROOF", "LEAKPROOF sees rows outside"),
    ("ALTER ROLE seenby_owner NOBYPASSRLS; ALTER TABLE accounts ENABLE ROW LEVEL SECURITY",
     "ALTER ROLE seenby_owner BYPASSRLS; ALTER TABLE accounts DISABLE ROW LEVEL SECURITY", "row security"),
    ("REVOKE SELECT ON posts FROM seenby_owner", "GRANT SELECT ON posts TO seenby_owner", "cannot read a mapped table"),
    ("ALTER DEFAULT PRIVILEGES FOR ROLE platform_owner GRANT SELECT ON TABLES TO PUBLIC",
     "ALTER DEFAULT PRIVILEGES FOR ROLE platform_owner REVOKE SELECT ON TABLES FROM PUBLIC", "default privileges of"),
    ("GRANT CREATE ON SCHEMA public TO PUBLIC",
     "REVOKE CREATE ON SCHEMA public FROM PUBLIC", "make things in a schema"),
    ("GRANT USAGE ON SCHEMA seenby TO PUBLIC", "REVOKE USAGE ON SCHEMA seenby FROM PUBLIC", "schema of Seenby: seenby"),
    ("GRANT TEMP ON DATABASE platform TO PUBLIC",
     "REVOKE TEMP ON DATABASE platform FROM PUBLIC", "use a database: platform"),
    ("GRANT CONNECT ON DATABASE other TO PUBLIC",
     "REVOKE CONNECT ON DATABASE other FROM PUBLIC", "use a database: other"),
    ("SELECT lo_create(4711); GRANT SELECT ON LARGE OBJECT 4711 TO PUBLIC", "SELECT lo_unlink(4711)", "object: 4711"),
    ("GRANT SET ON PARAMETER log_statement TO PUBLIC",
     "REVOKE SET ON PARAMETER log_statement FROM PUBLIC", "log_statement"),
    ("CREATE SERVER s FOREIGN DATA WRAPPER dblink_fdw; GRANT USAGE ON FOREIGN SERVER s TO PUBLIC",
     "DROP SERVER s", "server: s"),
    (f"GRANT platform_owner TO {FENCED}", f"REVOKE platform_owner FROM {FENCED}", f"{FENCED} in platform_owner"),
    ("GRANT platform_owner TO seenby_grants",
     "REVOKE platform_owner FROM seenby_grants", "seenby_grants in platform_owner"),
    (f"GRANT SELECT ON songs TO {FENCED}", f"REVOKE SELECT ON songs FROM {FENCED}", f"{FENCED} on table public.songs"),
    (f"ALTER ROLE {FENCED} BYPASSRLS", f"ALTER ROLE {FENCED} NOBYPASSRLS", f"passes every check: {FENCED}"),
    ("ALTER ROLE seenby_owner LOGIN", "ALTER ROLE seenby_owner NOLOGIN", "passes every check: seenby_owner"),
    ("ALTER VIEW {view} SET (security_barrier = false)",
     "ALTER VIEW {view} SET (security_barrier = true)", "no barrier"),
)  # fmt: skip


@pytest.mark.parametrize(("opened", "closed", "found"), HOLES, ids=[hole[0][:60] for hole in HOLES])
def test_each_hole_is_found(attacked: Attacked, opened: str, closed: str, found: str) -> None:
    view = attacked.view(REGION, "accounts")
    with attacked.superuser() as superuser:
        superuser.execute(opened.replace("{view}", view).encode())
        try:
            findings = scan(attacked)
        finally:
            superuser.execute(closed.replace("{view}", view).encode())
    assert any(found in str(finding) for finding in findings), findings
    assert all(finding.fix for finding in findings)
    assert scan(attacked) == []


@pytest.mark.parametrize(
    "fix",
    ["REVOKE ALL ON public.accounts FROM PUBLIC"],
)
def test_the_fix_that_is_named_closes_it(attacked: Attacked, fix: str) -> None:
    with attacked.superuser() as superuser:
        superuser.execute("GRANT SELECT ON accounts TO PUBLIC")
        (finding,) = scan(attacked)
        assert finding.fix == fix
        superuser.execute(finding.fix.encode())
    assert scan(attacked) == []


def test_the_refusal_names_what_is_open() -> None:
    holes = [Finding("everybody may read", f"table{n}", f"REVOKE {n}") for n in range(7)]
    with pytest.raises(ConfigError, match=r"table0.*table4; and 2 more") as refused:
        refuse_findings(holes)
    assert refused.value.hint == "REVOKE 0; REVOKE 1; REVOKE 2"
    assert "table6 -- REVOKE 6" in refused.value.detail
    refuse_findings([])


def test_attaching_needs_a_server_without_prepared_transactions(attacked: Attacked) -> None:
    """The precondition is in the script itself, so that psql stops as well."""
    script = attach_sql(world.datamap(), database="platform", guard_verifier="SCRAM-SHA-256$4096:x$y:z")
    assert "max_prepared_transactions must be 0" in script.split("-- Roles")[0]
    with attacked.superuser() as superuser, pytest.raises(psycopg.Error):
        superuser.execute(script.replace("<> '0' THEN", "<> 'x' THEN").encode())

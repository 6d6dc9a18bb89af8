"""A managed service: the owner of the database is no superuser, and everything still works but for what is listed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import psycopg
import pytest

from seenby.guard.managed import REMAINS_OPEN
from seenby.stores.cluster import BIN
from tests.conformance.attach.test_detach import state
from tests.fixtures.small_platform import OWNER, OWNER_PASSWORD, SEENBY, Platform

pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("dba")]

STAFF, OPERATOR = "aoife.byrne", "root.ops"
GUIDE = Path(__file__).parents[3] / "docs" / "guide" / "attach.md"


def printed(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*SEENBY, *arguments], capture_output=True, text=True, check=True)


def as_owner(platform: Platform, script: str) -> subprocess.CompletedProcess[str]:
    dsn = platform.cluster.dsn("platform", OWNER, OWNER_PASSWORD)
    command = [str(BIN / "psql"), "-Xq", "--single-transaction", "-v", "ON_ERROR_STOP=1", dsn]
    return subprocess.run(command, input=script, capture_output=True, text=True, check=False)


def attach(platform: Platform) -> subprocess.CompletedProcess[str]:
    """As the guide says; returns what was printed."""
    script = printed("attach", "--config", str(platform.config))
    done = as_owner(platform, script.stdout)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return script


def test_the_owner_attaches_staff_work_the_owner_detaches(managed_platform: Platform) -> None:
    platform = managed_platform
    before = state(platform.cluster, "platform")
    script = attach(platform)
    attach(platform)
    for one in REMAINS_OPEN:
        assert one.what in script.stdout
        assert f"- {one.what}: {one.tells}." in script.stderr
        assert one.what in GUIDE.read_text()
    with psycopg.connect(platform.cluster.dsn("platform")) as connection:
        held = "SELECT r.rolname FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid JOIN pg_roles o"
        held += f" ON o.oid = m.member WHERE o.rolname = '{OWNER}' AND (m.inherit_option OR m.set_option) ORDER BY 1"
        # What it was given for the script is gone again; of seenby_platform every role of the platform is a member.
        assert connection.execute(held.encode()).fetchall() == [("seenby_platform",)]
    with platform.serve() as running:
        grant = running.grant(STAFF, ("contact", ["eu"]), people=["account:7"])
        with running.connect(STAFF, grant) as session:
            assert session.execute("SELECT id, phone FROM accounts").fetchall() == [(7, "+447")]
            assert session.execute("SELECT relname FROM pg_class WHERE relname = 'accounts'").fetchall()
            with pytest.raises(psycopg.Error, match="posts"):
                session.execute("SELECT body FROM posts")
            running.revoke(STAFF, grant)  # the guard ends a session without pg_signal_backend
            with pytest.raises(psycopg.OperationalError, match="ended"):
                session.execute("SELECT 1")
        platform.seenby(OPERATOR, "migrate", "begin")
        assert platform.psql("ALTER TABLE accounts ALTER phone TYPE text").returncode == 0
        assert platform.seenby(OPERATOR, "migrate", "end").returncode == 0
        running.grant(STAFF, ("contact", ["eu"]))
    done = as_owner(platform, printed("detach").stdout)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert state(platform.cluster, "platform") ^ before == set()


def test_the_script_for_a_superuser_says_what_to_do_instead(managed_platform: Platform) -> None:
    platform = managed_platform
    platform.config.write_text(platform.config.read_text().replace("managed = true", "managed = false"))
    done = as_owner(platform, printed("attach", "--config", str(platform.config)).stdout)
    assert done.returncode != 0
    assert "role shop_owner is not superuser" in done.stderr
    assert "managed = true under [database]" in done.stderr


def test_what_the_script_needs(managed_platform: Platform) -> None:
    """Each thing that is missing is said, with a hint, and nothing is changed."""
    platform = managed_platform
    cases = (
        ("ALTER ROLE shop_owner NOCREATEROLE", "ALTER ROLE shop_owner CREATEROLE", "may not make roles"),
        ("ALTER ROLE shop_owner SUPERUSER", "ALTER ROLE shop_owner NOSUPERUSER", "and you are superuser"),
        (
            "ALTER DATABASE platform OWNER TO postgres",
            "ALTER DATABASE platform OWNER TO shop_owner",
            "does not own database platform",
        ),
        (
            "ALTER TABLE posts OWNER TO postgres",
            "ALTER TABLE posts OWNER TO shop_owner",
            'does not own: "public"."posts"',
        ),
        (
            "ALTER TABLE posts ENABLE ROW LEVEL SECURITY",
            "ALTER TABLE posts DISABLE ROW LEVEL SECURITY",
            'take rows out of grants: "public"."posts"',
        ),
        ("CREATE ROLE seenby_owner", "DROP ROLE seenby_owner", "is there, and somebody else made it"),
    )
    script = printed("attach", "--config", str(platform.config)).stdout
    with psycopg.connect(platform.cluster.dsn("platform"), autocommit=True) as superuser:
        for broken, mended, words in cases:
            superuser.execute(broken.encode())
            before = state(platform.cluster, "platform")
            done = as_owner(platform, script)
            assert (done.returncode, words in done.stderr, "HINT" in done.stderr) == (3, True, True), done.stderr
            assert state(platform.cluster, "platform") == before
            superuser.execute(mended.encode())


def test_what_the_owner_could_close_is_a_finding_there_too(managed_platform: Platform) -> None:
    attach(managed_platform)
    with managed_platform.serve() as running:
        with managed_platform.owner() as owner:
            owner.execute("GRANT SELECT ON devices TO PUBLIC")
        with pytest.raises(AssertionError, match="expired"):
            running.grant(STAFF, ("contact", ["eu"]))
        notices = [one["text"] for one in running.client("ines.moreau").read("/notices")]
        assert any("everybody may read or change a relation: public.devices" in one for one in notices)

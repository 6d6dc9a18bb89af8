"""Migration mode: the platform's DDL runs, nobody sees anything meanwhile, grants go on with what is left."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql as raw

from seenby.stores import userdb
from seenby.stores.cluster import BIN
from seenby.stores.migrating import MigrationFile, OpenMigration
from tests.fixtures.gateway import Running
from tests.fixtures.small_platform import Platform

pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("dba")]

STAFF, OPERATOR, OFFICER = "aoife.byrne", "root.ops", "ines.moreau"
QUERY = "SELECT id, phone FROM accounts WHERE id = 7"
GUIDE = Path(__file__).parents[3] / "docs" / "guide" / "attach.md"


def contact(running: Running) -> str:
    return running.grant(STAFF, ("contact", ["eu"]), ("content", ["eu"]))


def told(running: Running, grant: str, query: str = QUERY) -> tuple[str, str]:
    """(SQLSTATE, words) of a new session; ("", "") if it is answered."""
    try:
        with running.connect(STAFF, grant) as connection:
            connection.execute(query)
    except psycopg.Error as error:
        return error.sqlstate or "", str(error)
    return "", ""


def begin(platform: Platform, *more: str) -> None:
    done = platform.seenby(OPERATOR, "migrate", "begin", *more)
    assert done.returncode == 0, done.stderr


def end(platform: Platform) -> dict[str, Any]:
    done = platform.seenby(OPERATOR, "migrate", "end", "--json")
    assert done.returncode == 0, done.stderr
    outcome: dict[str, Any] = json.loads(done.stdout)
    return outcome


def seenbys_views(platform: Platform) -> int:
    with psycopg.connect(platform.cluster.dsn("platform")) as connection:
        row = connection.execute("SELECT count(*) FROM pg_namespace WHERE nspname ~ '^seenby_v_'").fetchone()
        assert row
        return int(row[0])


def edit_map(platform: Platform, *changes: tuple[str, str]) -> None:
    text = platform.map.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    platform.map.write_text(text)


def test_what_psql_says_while_grants_are_active_is_in_the_guide(platform: Platform) -> None:
    guide = GUIDE.read_text()
    with platform.serve() as running:
        contact(running)
        for ddl in (
            "ALTER TABLE accounts ALTER phone TYPE text",
            "ALTER TABLE accounts DROP phone",
            "DROP TABLE posts",
        ):
            refused = platform.psql(ddl)
            first, detail = refused.stderr.splitlines()[:2]
            assert (refused.returncode, first in guide) == (1, True), refused.stderr
            assert "view seenby_v_" in detail


def test_sessions_are_cut_nobody_comes_in_and_grants_go_on(platform: Platform) -> None:
    with platform.serve() as running:
        grant = contact(running)
        with running.connect(STAFF, grant) as session:
            session.execute(QUERY)
            begin(platform, "--reason", "phones become text")
            with pytest.raises(psycopg.OperationalError, match=r"schema is being changed since .* UTC") as cut:
                session.execute(QUERY)
            assert cut.value.sqlstate == "57P03"
        state, words = told(running, grant)
        assert (state, "all grants are suspended" in words, "try again later" in words) == ("", True, True)
        assert seenbys_views(platform) == 0
        view = running.client(STAFF).read(f"/grants/{grant}")
        assert (view["state"], "all grants are suspended" in view["blocked"]) == ("active", True)
        for ddl in (
            "ALTER TABLE accounts ALTER phone TYPE text",
            "ALTER TABLE accounts ADD COLUMN birthday date",
            "ALTER TABLE accounts RENAME handle TO nick",
        ):
            done = platform.psql(ddl)
            assert done.returncode == 0, done.stderr
        edit_map(platform, ('handle = "public"', 'nick = "public"'))
        outcome = end(platform)
        assert (outcome["again"], outcome["ended"], outcome["narrowed"]) == ([grant], {}, {})
        assert [one["place"] for one in outcome["findings"]] == ["tables.accounts"]
        assert "does not name birthday: refused until somebody classifies it" in outcome["findings"][0]["message"]
        with running.connect(STAFF, grant) as session:
            assert session.execute("SELECT nick, phone FROM accounts WHERE id = 7").fetchall() == [("user7", "+447")]
            with pytest.raises(psycopg.Error, match="birthday"):
                session.execute("SELECT birthday FROM accounts")
        notices = [one["text"] for one in running.client(OFFICER).read("/notices") if one["kind"] == "migration"]
        assert len(notices) == 2
        assert "root.ops began a migration" in notices[0]
        assert notices[0].endswith("phones become text")


def test_a_grant_goes_on_without_what_was_dropped(platform: Platform) -> None:
    with platform.serve() as running:
        both = running.grant(STAFF, ("accounts.phone", ["eu"]), ("accounts.email", ["eu"]))
        phone = running.grant(STAFF, ("accounts.phone", ["eu"]))
        begin(platform)
        assert platform.psql("ALTER TABLE accounts DROP phone; DROP TABLE posts").returncode == 0
        refused = platform.seenby(OPERATOR, "migrate", "end")
        assert refused.returncode == 78
        said = " ".join(refused.stderr.split())
        assert "the migration stays open, and grants suspended" in said
        assert "tables.accounts.phone: there is no such column" in said
        assert "tables.posts: the table is not in the database" in said
        assert "seenby migrate end" in said
        assert "all grants are suspended" in told(running, both)[1]
        posts = platform.map.read_text().split("[tables.posts]")[1].split("[tables.devices]")[0]
        edit_map(platform, ('phone = "contact"\n', ""), (f"[tables.posts]{posts}", ""))
        outcome = end(platform)
        assert outcome["again"] == [both]
        assert "goes on without accounts.phone" in outcome["narrowed"][both]
        assert list(outcome["ended"]) == [phone]
        with psycopg.connect(running.dsn(STAFF, both), autocommit=True) as session:
            assert session.execute("SELECT email FROM accounts WHERE id = 7").fetchall() == [("user7@mail.example",)]
            with pytest.raises(psycopg.errors.UndefinedColumn):
                session.execute("SELECT phone FROM accounts")
        assert "goes on without accounts.phone" in running.client(STAFF).read(f"/grants/{both}")["blocked"]
        notices = [one["text"] for one in running.client(OFFICER).read("/notices")]
        assert any("goes on without accounts.phone" in one for one in notices)
        assert any("nothing that this grant shows is left: accounts.phone" in one for one in notices)


def test_a_table_that_was_made_again_needs_the_attach_script(platform: Platform) -> None:
    """Its privileges went with it: it would be a hole in what grants show, or one around it."""
    with platform.serve() as running:
        grant = contact(running)
        begin(platform)
        again = "CREATE TABLE posts (id bigint PRIMARY KEY, account_id bigint NOT NULL, body text)"
        assert platform.psql(f"DROP TABLE posts; {again}").returncode == 0
        refused = platform.seenby(OPERATOR, "migrate", "end")
        said = " ".join(refused.stderr.split())
        assert (refused.returncode, "seenby_owner cannot read a mapped table" in said) == (78, True), said
        assert "next: run the attach script again; then again: seenby migrate end" in said
        platform.attach()
        assert end(platform)["again"] == [grant]


def test_grants_end_meanwhile_as_ever_and_what_takes_too_long_is_told(platform: Platform) -> None:
    with platform.serve() as running:
        revoked, over, later = contact(running), running.grant(STAFF, ("public", ["eu"]), seconds=60), contact(running)
        begin(platform, "--minutes", "1")
        running.revoke(STAFF, revoked)
        again = platform.seenby(OPERATOR, "migrate", "begin")
        assert (again.returncode, "and it is not over" in again.stderr) == (64, True)
        running.clock.offset = 58  # no more: requests are signed with the time
        deadline = time.monotonic() + 60
        while not any("is not over, after 1 minute" in one["text"] for one in running.client(OFFICER).read("/notices")):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert json.loads(platform.seenby(OPERATOR, "migrate", "status", "--json").stdout)["open"]["late"]
        assert "all grants are suspended" in told(running, later)[1]
        assert end(platform)["again"] == [later]
        states = {one: running.client(STAFF).read(f"/grants/{one}")["state"] for one in (revoked, over, later)}
        assert states == {revoked: "revoked", over: "expired", later: "active"}


def test_a_killed_gateway_starts_suspended(platform: Platform) -> None:
    """Also in the middle of DDL, when the data map fits nothing."""
    with platform.process() as gateway:
        begin(platform)
        assert platform.psql("ALTER TABLE accounts DROP phone").returncode == 0
        gateway.send_signal(signal.SIGKILL)
        gateway.wait()
    with platform.process():
        assert platform.seenby(OPERATOR, "migrate", "status").returncode == 1
        dsn = f"host={platform.cluster.sockets / 'gw'} port=6432 dbname=platform user={STAFF}"
        with pytest.raises(psycopg.OperationalError, match="all grants are suspended"):
            psycopg.connect(f"{dsn} password={platform.staff[STAFF].password}")
        assert platform.seenby(OPERATOR, "migrate", "end").returncode == 78
        edit_map(platform, ('phone = "contact"\n', ""))
        end(platform)
        assert platform.seenby(OPERATOR, "migrate", "status").returncode == 0


def test_a_gateway_killed_before_the_views_were_gone_takes_them_out_when_it_starts(platform: Platform) -> None:
    """The file is there first; what was to follow is made up for."""
    with platform.serve() as running:
        grant = contact(running)
    assert seenbys_views(platform) == 1
    MigrationFile(platform.folder / "state" / "migration.json").open(OpenMigration(OPERATOR, int(time.time()), 60, ""))
    with platform.serve() as running:
        assert seenbys_views(platform) == 0
        assert "all grants are suspended" in told(running, grant)[1]
        assert end(platform)["again"] == [grant]
        assert told(running, grant) == ("", "")


def test_run_ends_it_whatever_the_command_does(platform: Platform) -> None:
    with platform.serve() as running:
        grant = contact(running)
        dsn = platform.cluster.dsn("platform")
        psql = [str(BIN / "psql"), "-Xq", "-v", "ON_ERROR_STOP=1", dsn, "-c"]
        good = platform.seenby(OPERATOR, "migrate", "run", "--", *psql, "ALTER TABLE accounts ALTER phone TYPE text")
        assert (good.returncode, "1 grants are active again" in good.stdout) == (0, True), good.stderr
        assert told(running, grant) == ("", "")
        bad = platform.seenby(OPERATOR, "migrate", "run", "--", *psql, "ALTER TABLE nowhere ADD x int")
        assert (bad.returncode, "psql failed (exit status 1)" in bad.stdout) == (1, True), bad.stdout
        assert told(running, grant) == ("", "")
        command = platform.command(OPERATOR, "migrate", "run", "--", *psql, "SELECT pg_sleep(60)")
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            assert "suspended" in process.stdout.readline()
            process.terminate()
            assert process.wait(60) == 128 + signal.SIGTERM
        assert told(running, grant) == ("", "")
        assert platform.seenby(OPERATOR, "migrate", "status").returncode == 0


def test_views_that_a_dump_holds_are_taken_out_when_somebody_begins_again(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(userdb, "LOCK_SECONDS", 2)  # ten are waited for twice
    with platform.serve() as running:
        grant = contact(running)
        with psycopg.connect(platform.cluster.dsn("platform")) as dump:
            view = dump.execute(
                "SELECT oid::regclass FROM pg_class WHERE relnamespace::regnamespace::text ~ '^seenby_v_'"
            )
            (name,) = view.fetchone() or ("",)
            dump.execute(raw.SQL(f"LOCK TABLE {name} IN ACCESS SHARE MODE"))
            alone = platform.seenby(OPERATOR, "migrate", "run", "--", "true")
            assert (alone.returncode, "true was not run" in alone.stdout) == (69, True), alone.stdout + alone.stderr
            assert told(running, grant) == ("", "")
            held = platform.seenby(OPERATOR, "migrate", "begin")
            assert (held.returncode, "still in the database" in held.stderr) == (69, True), held.stderr
            assert "all grants are suspended" in told(running, grant)[1]
        begin(platform)
        assert seenbys_views(platform) == 0
        again = platform.seenby(OPERATOR, "migrate", "begin")
        assert (again.returncode, "it is not over" in again.stderr) == (64, True)
        assert end(platform)["again"] == [grant]
        assert told(running, grant) == ("", "")


def test_who_may_and_what_makes_sense(platform: Platform) -> None:
    cases: tuple[tuple[str, list[str], int, str], ...] = (
        (STAFF, ["begin"], 77, "aoife.byrne cannot suspend everybody's grants"),
        (OFFICER, ["end"], 77, "ines.moreau cannot suspend"),
        (OPERATOR, ["end"], 64, "no migration is open"),
        (OPERATOR, ["begin", "--minutes", "0"], 64, "cannot take 0 minutes"),
        (OPERATOR, ["run"], 64, "which command?"),
        (OPERATOR, ["run", "--", "no-such-program"], 64, "there is no command no-such-program"),
    )
    with platform.serve():
        for name, arguments, status, words in cases:
            refused = platform.seenby(name, "migrate", *arguments)
            assert (refused.returncode, words in refused.stderr) == (status, True), (arguments, refused.stderr)

"""A grant that may change rows, straight to Postgres with its role's own secret: what it changes, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from seenby.errors import ConfigError, SeenbyError, UsageError
from seenby.model.grant import GrantTerms, Write, WriteAction
from tests.attack import world
from tests.attack.writes_world import DATAMAP, PASSWORD, READER, ROLE, WRITES, Writable, terms, writable

__all__ = ["writable"]

pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("attack-writes")]

TABLES = ("accounts", "videos", "tickets", "notes", "decisions", "links", "follows", "seen")


@pytest.fixture
def untouched(writable: Writable) -> Iterator[None]:
    """Whatever the test tried, every table is as it was."""

    def everything() -> list[tuple[object, ...]]:
        return [row for table in TABLES for row in writable.rows(f"SELECT t::text FROM {table} t ORDER BY 1")]

    before = everything()
    yield
    assert everything() == before


# ---------------------------------------------------------------- what the grant is for


def test_a_named_column_of_a_person_in_the_grant(writable: Writable) -> None:
    with writable.role() as role:
        changed = role.execute("UPDATE videos SET visibility = 'hidden' WHERE id = 11 RETURNING id, visibility")
        assert changed.fetchall() == [(11, "hidden")]
    assert writable.rows("SELECT id FROM videos WHERE visibility = 'hidden'") == [(11,)]
    with writable.superuser() as superuser:
        superuser.execute("UPDATE videos SET visibility = 'public'")


def test_without_a_where_only_rows_of_people_in_the_grant_change(writable: Writable) -> None:
    with writable.role() as role:
        assert role.execute("UPDATE videos SET visibility = 'hidden'").rowcount == 6
    assert writable.rows("SELECT DISTINCT account_id FROM videos WHERE visibility = 'hidden' ORDER BY 1") == [
        (1,),
        (2,),
    ]
    with writable.superuser() as superuser:
        superuser.execute("UPDATE videos SET visibility = 'public'")


def test_a_row_of_two_people_needs_both(writable: Writable) -> None:
    with writable.role() as role:
        assert role.execute("UPDATE follows SET muted = true").rowcount == 2
    assert writable.rows("SELECT follower_id, followee_id FROM follows WHERE muted ORDER BY 1") == [(1, 2), (2, 1)]


def test_a_row_is_deleted(writable: Writable) -> None:
    with writable.role() as role:
        assert role.execute("DELETE FROM links WHERE id = 11 RETURNING id").fetchall() == [(11,)]
        assert role.execute("DELETE FROM links WHERE id = 13").rowcount == 0
    assert len(writable.rows("SELECT FROM links")) == 19


def test_who_wrote_a_row_and_when_is_not_theirs_to_say(writable: Writable) -> None:
    with writable.role() as role:
        made = role.execute(
            "INSERT INTO notes (ticket_id, body) VALUES (1, 'called back') RETURNING id, author, created_at, ticket_id"
        ).fetchone()
    assert made is not None
    assert made[1] == "sean"
    assert abs(made[2] - datetime.now(UTC)) < timedelta(minutes=1)
    assert writable.rows("SELECT body, author FROM notes") == [("called back", "sean")]


def test_a_row_about_an_account_and_their_video(writable: Writable) -> None:
    with writable.role() as role:
        sql = (
            'INSERT INTO decisions (account_id, video_id, facts) VALUES (1, %s, \'f\') RETURNING "seenby$1", "seenby$2"'
        )
        assert role.execute(sql, (11,)).fetchone() == ("1", "1")
        assert role.execute(sql, (None,)).fetchone() == ("1", None)
        assert role.execute(sql, (2,)).fetchone() == ("1", "2")


# ---------------------------------------------------------------- what it is not for

CLOSED = {
    "a column that the grant does not name": "UPDATE videos SET caption = 'x' WHERE id = 1",
    "the owner of a row": "UPDATE videos SET account_id = 9 WHERE id = 1",
    "the key of a row": "UPDATE videos SET id = 999 WHERE id = 1",
    "a hidden person key": "UPDATE videos SET \"seenby$1\" = '9' WHERE id = 1",
    "a table that the grant only shows": "UPDATE accounts SET bio = 'x' WHERE id = 1",
    "a table that it shows, deleting": "DELETE FROM videos WHERE id = 1",
    "a table that it shows, inserting": "INSERT INTO videos (id, account_id, caption) VALUES (999, 1, 'x')",
    "the table itself": "UPDATE public.videos SET visibility = 'hidden'",
    "the table itself, deleting": "DELETE FROM public.links",
    "the table itself, inserting": "INSERT INTO public.notes (ticket_id, body) VALUES (1, 'x')",
    "a note about somebody else's ticket": "INSERT INTO notes (ticket_id, body) VALUES (3, 'x')",
    "a note about a ticket of a region that it does not reveal": "INSERT INTO notes (ticket_id, body) VALUES (5, 'x')",
    "a note about a ticket that is not there": "INSERT INTO notes (ticket_id, body) VALUES (12345, 'x')",
    "a note about no ticket": "INSERT INTO notes (ticket_id, body) VALUES (NULL, 'x')",
    "a decision about somebody else": "INSERT INTO decisions (account_id, facts) VALUES (3, 'x')",
    "a decision about somebody else's video":
        "INSERT INTO decisions (account_id, video_id, facts) VALUES (1, 3, 'x')",
    "a decision about a video that is not there":
        "INSERT INTO decisions (account_id, video_id, facts) VALUES (1, 12345, 'x')",
    "an author of their own": "INSERT INTO notes (ticket_id, body, author) VALUES (1, 'x', 'somebody')",
    "a time of their own": "INSERT INTO notes (ticket_id, body, created_at) VALUES (1, 'x', now())",
    "a key of their own": "INSERT INTO notes (id, ticket_id, body) OVERRIDING SYSTEM VALUE VALUES (7, 1, 'x')",
    "MERGE, for a row that is not matched":
        "MERGE INTO notes n USING (VALUES (3)) v (t) ON n.ticket_id = v.t"
        " WHEN NOT MATCHED THEN INSERT (ticket_id, body) VALUES (v.t, 'x')",
    "INSERT ON CONFLICT": "INSERT INTO notes (ticket_id, body) VALUES (3, 'x') ON CONFLICT DO NOTHING",
    "COPY": "COPY notes (ticket_id, body) FROM PROGRAM 'echo 3'",
    "TRUNCATE": "TRUNCATE videos",
    "the function itself": 'SELECT "seenby$w1"()',
    "a trigger of their own": 'CREATE TRIGGER t INSTEAD OF DELETE ON videos EXECUTE FUNCTION "seenby$w1"()',
    "another body for the function": 'ALTER FUNCTION "seenby$w1"() SECURITY INVOKER',
    "the writer's role": "SET ROLE seenby_writer",
    "the writer's role for a session": "SET SESSION AUTHORIZATION seenby_writer",
    "the scope": "INSERT INTO seenby.scope VALUES (session_user, 'account', '3')",
    "whose grant it is": "UPDATE seenby.holder SET principal = 'somebody'",
    "reading whose grant it is": "SELECT * FROM seenby.holder",
    "a view of their own over the table": "CREATE VIEW v AS SELECT * FROM public.videos",
    "a sequence": "SELECT setval('public.decisions_id_seq', 1)",
    "COPY into the view": "COPY videos FROM STDIN",
    "a lock on the table": "BEGIN; LOCK TABLE videos IN SHARE ROW EXCLUSIVE MODE",
    "a lock on rows": "SELECT * FROM videos FOR UPDATE",
}  # fmt: skip


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("sql", CLOSED.values(), ids=CLOSED.keys())
def test_the_database_refuses(sql: str, writable: Writable) -> None:
    with writable.role() as role:
        role.execute("SET default_transaction_read_only = off")
        with pytest.raises(psycopg.Error) as refused:
            role.execute(sql.encode())
    assert refused.value.sqlstate in {"42501", "44000", "42809", "0A000", "55000", "428C9"}, refused.value


OUTSIDE = (
    "UPDATE videos SET visibility = 'hidden' WHERE id = 3",
    "UPDATE videos SET visibility = 'hidden' WHERE id = 5",
    "UPDATE videos v SET visibility = 'hidden' FROM accounts a WHERE v.account_id = a.id AND a.id = 3",
    "UPDATE follows SET muted = true WHERE follower_id = 1 AND followee_id = 3",
    "DELETE FROM links WHERE id = 3",
    "DELETE FROM links WHERE account_id = 5",
)


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("sql", OUTSIDE)
def test_rows_of_others_are_not_there(sql: str, writable: Writable) -> None:
    with writable.role() as role:
        assert role.execute(sql.encode()).rowcount == 0


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE videos SET visibility = visibility WHERE public.leak(caption)",
        "UPDATE videos SET visibility = CASE WHEN public.leak(caption) THEN visibility END",
        "UPDATE videos SET visibility = visibility RETURNING public.leak(caption)",
        "DELETE FROM links WHERE NOT public.leak(network || id)",
        "UPDATE follows SET muted = muted WHERE public.leak(follower_id || '-' || followee_id)",
    ],
)
def test_a_function_that_tells_what_it_is_given_is_given_rows_in_scope_only(sql: str, writable: Writable) -> None:
    told: list[str] = []
    with writable.role() as role:
        role.add_notice_handler(lambda notice: told.append(notice.message_primary or ""))
        role.execute(sql.encode())
    in_scope = {
        *(f"leak video {n}" for n in range(1, 31) if (n - 1) % 10 in {0, 1}),
        *(f"leak Chirp{n}" for n in range(1, 21) if (n - 1) % 10 in {0, 1}),
        "leak 1-2",
        "leak 2-1",
    }
    assert told
    assert set(told) <= in_scope


@pytest.mark.usefixtures("untouched")
def test_a_missing_row_and_somebody_elses_are_refused_in_the_same_words(writable: Writable) -> None:
    said = set()
    for ticket in (3, 5, 12345):
        with writable.role() as role, pytest.raises(psycopg.Error) as refused:
            role.execute("INSERT INTO notes (ticket_id, body) VALUES (%s, 'x')", (ticket,))
        said.add(str(refused.value))
    assert len(said) == 1, said


@pytest.mark.usefixtures("untouched")
def test_a_change_needs_the_snapshot_in_which_its_rows_were_found(writable: Writable) -> None:
    with writable.role() as role:
        role.execute("SET default_transaction_isolation = 'read committed'")
        with pytest.raises(psycopg.Error, match="REPEATABLE READ"):
            role.execute("UPDATE videos SET visibility = 'hidden' WHERE id = 1")


@pytest.mark.usefixtures("untouched")
def test_a_row_that_moved_meanwhile_is_not_changed(writable: Writable) -> None:
    with writable.role() as role, writable.superuser() as platform:
        role.execute("BEGIN")
        assert role.execute("SELECT id FROM videos WHERE id = 1").fetchall() == [(1,)]
        platform.execute("UPDATE videos SET account_id = 3 WHERE id = 1")
        try:
            with pytest.raises(psycopg.errors.SerializationFailure):
                role.execute("UPDATE videos SET visibility = 'hidden' WHERE id = 1")
        finally:
            platform.execute("UPDATE videos SET account_id = 1 WHERE id = 1")


@pytest.mark.usefixtures("untouched")
def test_a_grant_that_only_reads_has_another_shape(writable: Writable) -> None:
    with psycopg.connect(writable.cluster.dsn("platform", READER, PASSWORD), autocommit=True) as reader:
        schema = writable.shape.views["public", "videos"].view_schema
        reader.execute("SET default_transaction_read_only = off")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute(f"UPDATE {schema}.videos SET visibility = 'hidden'")
        shown = reader.execute("SELECT nspname FROM pg_namespace WHERE starts_with(nspname, 'seenby_v_')").fetchall()
        for (mine,) in shown:
            with pytest.raises(psycopg.Error) as refused:
                reader.execute(f"UPDATE {mine}.videos SET visibility = 'hidden'")
            assert refused.value.sqlstate in {"42501", "55000"}


def test_nothing_is_left_when_the_grant_has_ended(writable: Writable) -> None:
    async def life() -> None:
        database = writable.guard()
        try:
            await database.load_catalog()
            await database.activate(terms(writes=WRITES[:1]), "seenby_g_short00001", PASSWORD)
            assert not await database.privilege_findings()
            await database.end(["seenby_g_short00001"])
            await database.sweep({ROLE, READER})
        finally:
            await database.close()

    asyncio.run(life())
    assert writable.rows("SELECT role FROM seenby.holder ORDER BY 1") == [(READER,), (ROLE,)]
    functions = "SELECT count(*) FROM pg_proc WHERE starts_with(proname, 'seenby$w')"
    assert writable.rows(functions) == [(5,)]


# ---------------------------------------------------------------- what no grant can ask for


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (terms(people=None), "names its people"),
        (terms((Write("videos", WriteAction.UPDATE, ("account_id",)),)), "nobody change account_id of videos"),
        (terms((Write("tickets", WriteAction.DELETE),)), "nobody delete rows of tickets"),
        (terms((Write("videos", WriteAction.INSERT),)), "nobody write new rows of videos"),
        (terms((Write("nothing", WriteAction.DELETE),)), "no table nothing"),
        (
            replace(terms((Write("links", WriteAction.DELETE),)), cells=world.terms({"content": ("eu",)}).cells),
            "must reveal links.id",
        ),
        (
            replace(
                terms((Write("links", WriteAction.DELETE),)),
                cells=world.terms({"content": ("us",), "identity": ("eu",), "public": ("eu", "us")}).cells,
            ),
            "",
        ),
    ],
    ids=["no list of people", "owner", "no delete", "no insert", "no table", "not revealed", "possible"],
)
def test_what_a_grant_can_ask_for(asked: GrantTerms, words: str, writable: Writable) -> None:
    async def ask() -> None:
        database = writable.guard()
        try:
            await database.load_catalog()
            database.design(asked)
        finally:
            await database.close()

    if not words:
        asyncio.run(ask())
        return
    with pytest.raises(SeenbyError, match=words) as refused:
        asyncio.run(ask())
    assert isinstance(refused.value, UsageError) or words == "no table nothing"
    assert refused.value.hint


HAZARDS = {
    "a trigger runs": (
        "CREATE TRIGGER surprise BEFORE UPDATE ON videos FOR EACH ROW EXECUTE FUNCTION note_it()",
        "DROP TRIGGER surprise ON videos",
    ),
    "a rule changes": (
        "CREATE RULE also AS ON UPDATE TO videos DO ALSO INSERT INTO seen VALUES ('x')",
        "DROP RULE also ON videos",
    ),
    "somebody else has this value": (
        "CREATE UNIQUE INDEX one ON videos (lower(visibility || id))",
        "DROP INDEX one",
    ),
    "somebody else's row exists": (
        "ALTER TABLE accounts ADD UNIQUE (bio); ALTER TABLE notes ADD CONSTRAINT f FOREIGN KEY (body)"
        " REFERENCES accounts (bio) NOT VALID",
        "ALTER TABLE notes DROP CONSTRAINT f; ALTER TABLE accounts DROP CONSTRAINT accounts_bio_key",
    ),
    "touch rows of others": (
        "ALTER TABLE seen ADD link bigint REFERENCES links ON DELETE CASCADE",
        "ALTER TABLE seen DROP link",
    ),
    "may have the key": ("CREATE TABLE old_videos () INHERITS (videos)", "DROP TABLE old_videos"),
    "row security": (
        "ALTER TABLE videos ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE videos DISABLE ROW LEVEL SECURITY",
    ),
    "may change more": ("GRANT UPDATE ON videos TO seenby_writer", "REVOKE UPDATE ON videos FROM seenby_writer;"
        " GRANT UPDATE (visibility, caption) ON videos TO seenby_writer"),
    "cannot change": (
        "REVOKE UPDATE (visibility) ON videos FROM seenby_writer",
        "GRANT UPDATE (visibility) ON videos TO seenby_writer",
    ),
    "passes every check": ("ALTER ROLE seenby_writer LOGIN", "ALTER ROLE seenby_writer NOLOGIN"),
    "member of more": ("GRANT platform_owner TO seenby_writer", "REVOKE platform_owner FROM seenby_writer"),
}  # fmt: skip


@pytest.mark.parametrize("hazard", HAZARDS)
def test_the_scan_finds_what_would_make_a_change_more_than_it_says(hazard: str, writable: Writable) -> None:
    break_it, mend = HAZARDS[hazard]

    async def scan() -> None:
        database = writable.guard()
        try:
            await database.activate(terms(), "seenby_g_scan000001", PASSWORD)
        finally:
            await database.close()

    async def findings() -> list[str]:
        database = writable.guard()
        try:
            return [str(one) for one in await database.privilege_findings()]
        finally:
            await database.close()

    assert asyncio.run(findings()) == []
    with writable.superuser() as platform:
        platform.execute(break_it.encode())
        try:
            with pytest.raises(ConfigError, match=hazard):
                asyncio.run(scan())
        finally:
            platform.execute(mend.encode())
    assert asyncio.run(findings()) == []


def test_an_accepted_trigger_may_run(writable: Writable) -> None:
    text = DATAMAP.replace('["visibility", "caption"]', '["visibility", "caption"], triggers = ["surprise"]')

    async def findings() -> list[object]:
        database = writable.guard(text)
        try:
            return list(await database.privilege_findings())
        finally:
            await database.close()

    with writable.superuser() as platform:
        platform.execute(HAZARDS["a trigger runs"][0].encode())
        try:
            assert asyncio.run(findings()) == []
        finally:
            platform.execute(HAZARDS["a trigger runs"][1].encode())

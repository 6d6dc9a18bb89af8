"""Changes through the gateway: what a moderator and a support agent do, in a real region (docs/adr/0013)."""

from __future__ import annotations

import asyncio
import hmac
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import asyncpg
import psycopg
import pytest

from seenby.cli import command_line, report
from seenby.errors import SeenbyError
from seenby.model.disclosure import QueryDisclosure, RefusedAttempt
from seenby.model.grant import Write, WriteAction
from seenby.session.record import canonical
from seenby.stores.grouping import Done
from seenby.stores.ledger import Item
from tests.fixtures.gateway import Served

pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("served")]

CLARA, OTHER, FRIEND = 1_000_000_042, 1_000_000_043, 1_000_000_044
WRITES = (
    Write("linked_accounts", WriteAction.DELETE),
    Write("moderation_decisions", WriteAction.INSERT),
    Write("ticket_notes", WriteAction.INSERT),
    Write("videos", WriteAction.UPDATE, ("visibility",)),
)
MODERATOR = "lotte.maes"


@dataclass
class Written:
    """What was handed to the ledger meanwhile, in order."""

    items: list[Item] = field(default_factory=list)

    @property
    def changes(self) -> list[dict[str, Any]]:
        return [
            record["change"]
            for one in self.items
            if isinstance(one, QueryDisclosure) and "change" in (record := _opened(one.record))
        ]


def _opened(record: bytes) -> dict[str, Any]:
    """A record as it is handed over lacks its last value."""
    opened: dict[str, Any] = json.loads(record + b'"}')
    return opened


@contextmanager
def written(served: Served) -> Iterator[Written]:
    ledger, found = served.region.ledger, Written()
    submit = ledger.submit

    def watched(item: Item, done: Done) -> None:
        found.items.append(item)
        submit(item, done)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ledger, "submit", watched)
        yield found


@pytest.fixture(scope="module")
def grant(served: Served) -> str:
    cells = (("communication", ["eu"]), ("content", ["eu"]), ("identity", ["eu"]))
    people = [f"account:{one}" for one in (CLARA, OTHER)]
    return served.grant(MODERATOR, *cells, people=people, writes=WRITES)


@pytest.fixture
def moderator(served: Served, grant: str) -> Iterator[psycopg.Connection[Any]]:
    with served.connect(MODERATOR, grant) as connection:
        yield connection


@pytest.fixture(scope="module")
def videos(served: Served) -> Iterator[dict[int, list[int]]]:
    """Thirty videos for Clara, two for another in the grant, one for somebody who is not. Gone afterwards, with all
    that was written.
    """
    made = {CLARA: list(range(90_001, 90_031)), OTHER: [90_101, 90_102], FRIEND: [90_201]}
    with served.direct() as platform:
        for owner, ids in made.items():
            for one in ids:
                platform.execute(
                    "INSERT INTO videos (id, account_id, caption, tags, length_s, views, posted_at)"
                    " VALUES (%s, %s, 'for the tests', '{}', 10, 0, now())",
                    (one, owner),
                )
    yield made
    with served.direct() as platform:
        platform.execute(
            "DELETE FROM moderation_decisions WHERE decided_by = %s AND facts LIKE 'Three reports%%'", (MODERATOR,)
        )
        platform.execute("DELETE FROM ticket_notes WHERE author = %s", (MODERATOR,))
        platform.execute("DELETE FROM videos WHERE caption = 'for the tests'")


def visibility(served: Served, *ids: int) -> list[str]:
    with served.direct() as platform:
        rows = platform.execute("SELECT visibility FROM videos WHERE id = ANY (%s) ORDER BY id", (list(ids),))
        return [str(one) for (one,) in rows]


# ---------------------------------------------------------------- UPDATE


def test_a_moderator_hides_a_video(
    served: Served, moderator: psycopg.Connection[Any], videos: dict[int, list[int]]
) -> None:
    video = videos[CLARA][0]
    with written(served) as found:
        cursor = moderator.execute(
            "UPDATE videos SET visibility = 'hidden' WHERE id = %s RETURNING id, visibility, views + 1 AS more",
            (video,),
        )
        assert cursor.fetchall() == [(video, "hidden", 1)]
        assert cursor.statusmessage == "UPDATE 1"
    assert visibility(served, video) == ["hidden"]
    (entry,) = found.items
    assert isinstance(entry, QueryDisclosure)
    assert [one.person for one in entry.people] == [f"account:{CLARA}"]
    record = _opened(entry.record)
    assert record["change"] == {"action": "update", "columns": ["videos.visibility"], "state": "attempted"}
    assert record["columns"] == ["videos.id", "videos.views", "videos.visibility"]
    assert record["purpose"] == "support"
    part = json.loads(entry.people[0].part)
    assert part["columns"] == record["columns"]
    (change,) = part["changes"]
    salt = bytes.fromhex(change["salt"])
    with served.direct("-c TimeZone=UTC") as platform:
        columns = [
            one
            for (one,) in platform.execute(
                "SELECT attname FROM pg_attribute WHERE attrelid = 'videos'::regclass AND attnum > 0 ORDER BY attnum"
            )
        ]
        listed = ", ".join(f"{one}::text" for one in columns)
        values = platform.execute(f"SELECT {listed} FROM videos WHERE id = {video}").fetchone()
    assert values is not None
    after = dict(zip(columns, values, strict=True))
    before = after | {"visibility": "public"}
    for name, held in (("before", before), ("after", after)):
        assert change[name] == hmac.digest(salt, canonical(held), "sha256").hex(), name
    assert json.loads(entry.withheld)["changes"] == [change]
    assert json.loads(entry.withheld)["rows"] == 1


def test_without_returning_there_is_a_count(
    served: Served, moderator: psycopg.Connection[Any], videos: dict[int, list[int]]
) -> None:
    cursor = moderator.execute(
        "UPDATE videos SET visibility = 'limited' WHERE account_id = %s AND caption = 'for the tests'", (OTHER,)
    )
    assert (cursor.statusmessage, cursor.description) == ("UPDATE 2", None)
    assert visibility(served, *videos[OTHER]) == ["limited", "limited"]


def test_both_people_are_named_and_learn_nothing_of_each_other(
    served: Served, moderator: psycopg.Connection[Any], videos: dict[int, list[int]]
) -> None:
    both = [videos[CLARA][1], videos[OTHER][0]]
    with written(served) as found:
        assert moderator.execute("UPDATE videos SET visibility = 'hidden' WHERE id = ANY (%s)", (both,)).rowcount == 2
    (entry,) = found.items
    assert isinstance(entry, QueryDisclosure)
    parts = {one.person: json.loads(one.part)["changes"] for one in entry.people}
    assert sorted(parts) == [f"account:{CLARA}", f"account:{OTHER}"]
    assert [len(changes) for changes in parts.values()] == [1, 1]
    assert parts[f"account:{CLARA}"] != parts[f"account:{OTHER}"]
    assert "changes" not in _opened(entry.record)


def test_somebody_elses_video_is_not_there(
    served: Served, moderator: psycopg.Connection[Any], videos: dict[int, list[int]]
) -> None:
    assert moderator.execute("UPDATE videos SET visibility = 'hidden' WHERE id = %s", videos[FRIEND]).rowcount == 0
    assert visibility(served, *videos[FRIEND]) == ["public"]


CLARAS, ANYBODYS = [f"account:{CLARA}"], [f"account:{one}" for one in (CLARA, OTHER)]
GUESSES = {
    "UPDATE videos SET visibility = visibility WHERE account_id = %(clara)s AND length_s > 5000": CLARAS,
    "UPDATE videos SET visibility = 'hidden' WHERE id = %(video)s AND account_id = %(clara)s AND views > 9": CLARAS,
    "UPDATE videos SET visibility = 'hidden' WHERE id = %(video)s AND length_s > 5000 RETURNING id": ANYBODYS,
    "UPDATE videos SET visibility = 'hidden' WHERE account_id = %(friend)s": ANYBODYS,
    "UPDATE videos SET visibility = 'hidden' WHERE id = %(gone)s": ANYBODYS,
    "DELETE FROM linked_accounts WHERE account_id = ANY (%(both)s) AND network = 'Nowhere'": ANYBODYS,
}


@pytest.mark.parametrize("client", [psycopg.Cursor, psycopg.ClientCursor], ids=["extended", "simple"])
@pytest.mark.parametrize("state", ["attempted", "previewed"])
@pytest.mark.parametrize("text", GUESSES)
def test_a_guess_that_changes_nothing_names_everybody_whom_it_could_be_about(
    text: str, state: str, client: type[psycopg.Cursor[Any]], served: Served, grant: str, videos: dict[int, list[int]]
) -> None:
    """Otherwise somebody who may change rows could find out about people, and nobody would ever see it."""
    known = {"clara": CLARA, "both": [CLARA, OTHER], "friend": FRIEND, "video": videos[CLARA][0], "gone": 1}
    dsn = served.dsn(MODERATOR, grant)
    if state == "previewed":
        dsn = dsn.replace("seenby.grant=", "seenby.preview=on -c seenby.grant=")
    with written(served) as found, psycopg.connect(dsn, autocommit=True) as connection:
        assert client(connection).execute(text.encode(), known).rowcount == 0
    (entry,) = found.items
    assert isinstance(entry, QueryDisclosure)
    assert sorted(one.person for one in entry.people) == GUESSES[text]
    assert {json.loads(one.part)["how"] for one in entry.people} == {"examined"}
    assert [change["state"] for change in found.changes] == [state]


def test_more_rows_than_one_statement_may_change(
    served: Served, moderator: psycopg.Connection[Any], videos: dict[int, list[int]]
) -> None:
    before = visibility(served, *videos[CLARA])
    with written(served) as found, pytest.raises(psycopg.Error) as refused:
        moderator.execute("UPDATE videos SET visibility = 'limited' WHERE account_id = %s", (CLARA,))
    assert refused.value.sqlstate == "53400"
    assert visibility(served, *videos[CLARA]) == before
    (entry,) = found.items
    assert isinstance(entry, QueryDisclosure)
    assert [one.person for one in entry.people] == [f"account:{CLARA}"]
    assert found.changes[0]["state"] == "undone"
    assert moderator.execute("SELECT 1").fetchone() == (1,)


def test_an_error_of_the_change_is_recorded_about_everybody_it_could_be_about(
    served: Served, moderator: psycopg.Connection[Any], videos: dict[int, list[int]]
) -> None:
    with written(served) as found, pytest.raises(psycopg.errors.CheckViolation) as refused:
        moderator.execute("UPDATE videos SET visibility = 'nonsense' WHERE id = %s", (videos[CLARA][2],))
    assert "nonsense" not in str(refused.value)
    (entry,) = found.items
    assert isinstance(entry, QueryDisclosure)
    assert sorted(one.person for one in entry.people) == [f"account:{CLARA}", f"account:{OTHER}"]
    assert visibility(served, videos[CLARA][2]) == ["public"]
    assert moderator.execute("SELECT 1").fetchone() == (1,)


SAME = (
    "UPDATE videos SET visibility = 'limited' WHERE id = {a}",
    "UPDATE videos SET visibility = 'limited' WHERE id IN ({a}, {b}, {friend}) AND views >= 0 RETURNING id, caption c",
    "UPDATE public.videos SET visibility = NULL WHERE false AND id = {a} RETURNING *",
    "UPDATE videos v SET visibility = CASE WHEN length_s > 5 THEN 'hidden' ELSE 'public' END"
    " WHERE v.id = ANY (ARRAY[{a}, {b}]) RETURNING v.*, v.views + 1, upper(v.visibility) AS loud",
    'UPDATE videos AS "select" SET visibility = coalesce(NULL, visibility) WHERE {a} = id RETURNING "select".tags',
    "UPDATE videos SET visibility = 'hidden' WHERE account_id = {other} AND caption = 'for the tests' RETURNING *",
    "UPDATE videos SET visibility = 'hidden' WHERE id = {a} AND visibility = 'hidden' RETURNING id",
    "UPDATE videos SET visibility = lower('HIDDEN') WHERE id = '{a}'::bigint RETURNING (id, views) IS NULL, 1 AS one",
)


@pytest.mark.parametrize("prepared", [False, True], ids=["simple", "prepared"])
@pytest.mark.parametrize("text", SAME)
def test_as_postgres_does_it(
    text: str, prepared: bool, served: Served, moderator: psycopg.Connection[Any], videos: dict[int, list[int]]
) -> None:
    """The same statement straight to the tables, in which only these people's rows count, and what is there then."""
    mine = [*videos[CLARA], *videos[OTHER]]
    a, b = videos[CLARA][20:22]
    sql = text.format(a=a, b=b, other=OTHER, friend=videos[FRIEND][0]).encode()
    state = b"SELECT id, visibility FROM videos WHERE id = ANY (%s) ORDER BY id"

    def told(cursor: psycopg.Cursor[Any]) -> tuple[Any, ...]:
        rows = sorted(cursor.fetchall()) if cursor.description else None
        return cursor.statusmessage, [(one.name, one.type_code) for one in cursor.description or ()], rows

    with served.direct("-c TimeZone=UTC") as platform:
        before = platform.execute(state, (mine,)).fetchall()
        platform.execute("BEGIN")
        platform.execute("DELETE FROM videos WHERE id = %s", videos[FRIEND])
        direct = told(platform.execute(sql))
        wanted = platform.execute(state, (mine,)).fetchall()
        platform.execute("ROLLBACK")
        through = told(moderator.execute(sql, prepare=prepared) if prepared else moderator.cursor().execute(sql))
        assert through == direct
        assert platform.execute(state, (mine,)).fetchall() == wanted
        for video, visible in before:
            platform.execute("UPDATE videos SET visibility = %s WHERE id = %s", (visible, video))


def test_the_person_sees_that_it_was_changed(
    served: Served, moderator: psycopg.Connection[Any], videos: dict[int, list[int]]
) -> None:
    def who_saw(*more: str) -> str:  # a process of its own: this one has the ledger open
        run = [sys.executable, "-c", "from seenby.cli import main; main()", "who-saw", f"account:{OTHER}"]
        run += ["--config", str(served.config.file), *more]
        return subprocess.run(run, check=True, capture_output=True, text=True).stdout

    with written(served) as found:
        moderator.execute("UPDATE videos SET visibility = 'limited' WHERE id = %s", (videos[OTHER][1],))
    (entry,) = found.items
    assert isinstance(entry, QueryDisclosure)
    deadline = time.monotonic() + 60
    while True:  # a checkpoint a second
        rows = json.loads(who_saw("--json"))["seen"]
        mine = [row for row in rows if row.get("changes") == json.loads(entry.people[0].part)["changes"]]
        if mine or time.monotonic() > deadline:
            break
        time.sleep(0.1)
    assert [row["columns"] for row in mine] == [["videos.id", "videos.visibility"]]
    lines = who_saw().splitlines()  # the columns stand one below the other
    assert any("changed" in one and "videos.id" in one and "videos.visibility" in two for one, two in pairwise(lines))


# ---------------------------------------------------------------- INSERT and DELETE


def test_a_decision_with_its_reasons(
    served: Served, moderator: psycopg.Connection[Any], videos: dict[int, list[int]]
) -> None:
    with written(served) as found:
        cursor = moderator.execute(
            "INSERT INTO moderation_decisions (account_id, video_id, measure, ground, facts, automated)"
            " VALUES (%s, %s, 'hidden', 'Terms 5.1', 'Three reports; the clip shows a home address', false)"
            " RETURNING id, decided_by",
            (CLARA, videos[CLARA][0]),
        )
        made = cursor.fetchone()
        assert cursor.statusmessage == "INSERT 0 1"
    assert made is not None
    assert made[1] == MODERATOR
    assert [one["action"] for one in found.changes] == ["insert"]
    with served.direct() as platform:
        row = platform.execute(
            "SELECT account_id, measure FROM moderation_decisions WHERE id = %s", made[:1]
        ).fetchone()
    assert row == (CLARA, "hidden")


@pytest.mark.parametrize("account", [FRIEND, 1_999_999_999])
def test_a_decision_about_somebody_outside_of_the_grant(
    served: Served, moderator: psycopg.Connection[Any], account: int
) -> None:
    with pytest.raises(psycopg.Error, match="would belong to somebody outside of the grant") as refused:
        moderator.execute(
            "INSERT INTO moderation_decisions (account_id, measure, ground, facts, automated)"
            " VALUES (%s, 'none', 'x', 'y', false)",
            (account,),
        )
    assert refused.value.sqlstate == "44000"
    assert moderator.execute("SELECT 1").fetchone() == (1,)


def test_a_note_in_the_simple_protocol(served: Served, grant: str) -> None:
    ticket = 1_000_000_001
    with served.connect(MODERATOR, grant) as connection, psycopg.ClientCursor(connection) as cursor:
        cursor.execute(
            "INSERT INTO ticket_notes (ticket_id, body) VALUES (%s, 'it''s done') RETURNING author", (ticket,)
        )
        assert cursor.fetchall() == [(MODERATOR,)]
        cursor.execute("SELECT body FROM ticket_notes WHERE ticket_id = %s AND author = %s", (ticket, MODERATOR))
        assert cursor.fetchall() == [("it's done",)]


def test_a_row_is_deleted(served: Served, moderator: psycopg.Connection[Any]) -> None:
    with served.direct() as platform:
        platform.execute("INSERT INTO linked_accounts VALUES (91000, %s, 'Chirp', 'c', 't', now())", (CLARA,))
    with written(served) as found:
        cursor = moderator.execute("DELETE FROM linked_accounts WHERE id = 91000 RETURNING network")
        assert (cursor.fetchall(), cursor.statusmessage) == ([("Chirp",)], "DELETE 1")
    (entry,) = found.items
    assert isinstance(entry, QueryDisclosure)
    (change,) = json.loads(entry.people[0].part)["changes"]
    assert change["after"] is None
    assert len(change["before"]) == 64
    with served.direct() as platform:
        assert platform.execute("SELECT count(*) FROM linked_accounts WHERE id = 91000").fetchone() == (0,)


# ---------------------------------------------------------------- alone


def test_a_change_stands_alone(
    served: Served, moderator: psycopg.Connection[Any], videos: dict[int, list[int]]
) -> None:
    update = f"UPDATE videos SET visibility = 'hidden' WHERE id = {videos[CLARA][3]}"
    for text in (f"SELECT 1; {update}", f"{update}; SELECT 1", f"{update}; {update}", f"BEGIN; {update}; COMMIT"):
        with pytest.raises(psycopg.Error, match="stands alone") as refused:
            psycopg.ClientCursor(moderator).execute(text.encode())
        assert refused.value.sqlstate == "25001"
        moderator.rollback()
    with pytest.raises(psycopg.Error, match="stands alone"), moderator.transaction():
        moderator.execute(update.encode())
    assert visibility(served, videos[CLARA][3]) == ["public"]


def test_everything_else_of_the_session_is_as_before(
    moderator: psycopg.Connection[Any], videos: dict[int, list[int]]
) -> None:
    for _ in range(3):
        moderator.execute("UPDATE videos SET visibility = 'public' WHERE id = %s", (videos[CLARA][0],), prepare=True)
        with moderator.transaction():
            assert moderator.execute("SHOW transaction_read_only").fetchone() == ("on",)
    with pytest.raises(psycopg.Error, match=r"does not update videos\.caption"):
        moderator.execute("UPDATE videos SET caption = 'x' WHERE id = %s", (videos[CLARA][0],))


def test_a_pipeline_holds_one_change(
    served: Served, moderator: psycopg.Connection[Any], videos: dict[int, list[int]]
) -> None:
    sql = "UPDATE videos SET visibility = %s WHERE id = %s"

    def two() -> None:
        with moderator.pipeline():
            moderator.execute(sql, ("limited", videos[CLARA][4]))
            moderator.execute(sql, ("limited", videos[CLARA][5]))

    with pytest.raises(psycopg.Error) as refused:
        two()
    assert refused.value.sqlstate == "25001"
    assert visibility(served, videos[CLARA][5]) == ["public"]
    assert moderator.execute("SELECT 1").fetchone() == (1,)


async def _asyncpg(dsn: dict[str, Any], video: int) -> tuple[Any, str]:
    connection = await asyncpg.connect(**dsn)
    try:
        sql = "UPDATE videos SET visibility = $1 WHERE id = $2"
        row = await connection.fetchrow(f"{sql} RETURNING id, posted_at, tags", "limited", video)
        return row, await connection.execute(sql, "public", video)
    finally:
        await connection.close()


def test_asyncpg_gets_binary_rows(served: Served, grant: str, videos: dict[int, list[int]]) -> None:
    listen = served.config.listen
    dsn = {
        "host": str(listen.socket_dir), "port": listen.port, "database": "platform", "user": MODERATOR,
        "password": served.world.staff[MODERATOR].password, "server_settings": {"seenby.grant": grant},
    }  # fmt: skip
    row, tag = asyncio.run(_asyncpg(dsn, videos[CLARA][6]))
    assert (row["id"], row["tags"], tag) == (videos[CLARA][6], [], "UPDATE 1")


# ---------------------------------------------------------------- recorded first


class Held:
    """Disclosures on their way to the ledger, kept back until they are let go."""

    def __init__(self, served: Served) -> None:
        self._served = served
        self._submit = served.region.ledger.submit
        self._held: list[tuple[Item, Done]] = []
        self.arrived = threading.Event()

    def submit(self, item: Item, done: Done) -> None:
        if isinstance(item, QueryDisclosure):
            self._held.append((item, done))
            self.arrived.set()
        else:
            self._submit(item, done)

    def let_go(self) -> None:
        for item, done in self._held:
            self._served.loop.call_soon_threadsafe(self._submit, item, done)
        self._held.clear()


@pytest.fixture
def held(served: Served, monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    made = Held(served)
    monkeypatch.setattr(served.region.ledger, "submit", made.submit)
    yield made
    made.let_go()


def hide(connection: psycopg.Connection[Any], video: int) -> Future[str]:
    """On a thread of its own: what it is told, when it is."""
    told: Future[str] = Future()

    def run() -> None:
        try:
            cursor = connection.execute("UPDATE videos SET visibility = 'hidden' WHERE id = %s", (video,))
            told.set_result(cursor.statusmessage or "")
        except psycopg.Error as error:
            told.set_result(error.sqlstate or "lost")

    threading.Thread(target=run, daemon=True).start()
    return told


def test_nothing_counts_before_its_entry_is_durable(
    served: Served, moderator: psycopg.Connection[Any], videos: dict[int, list[int]], held: Held
) -> None:
    video = videos[CLARA][7]
    told = hide(moderator, video)
    assert held.arrived.wait(30)
    assert visibility(served, video) == ["public"]
    held.let_go()
    assert told.result(30) == "UPDATE 1"
    assert visibility(served, video) == ["hidden"]


def test_that_nothing_fits_is_not_told_before_its_entry_is_durable(
    moderator: psycopg.Connection[Any], videos: dict[int, list[int]], held: Held
) -> None:
    told = hide(moderator, videos[FRIEND][0])
    assert held.arrived.wait(30)
    assert not told.done()
    held.let_go()
    assert told.result(30) == "UPDATE 0"


def test_a_grant_that_ends_before_the_commit_changes_nothing(
    served: Served, videos: dict[int, list[int]], held: Held
) -> None:
    video = videos[CLARA][9]
    grant = served.grant(MODERATOR, ("content", ["eu"]), people=[f"account:{CLARA}"], writes=WRITES[3:])
    with served.connect(MODERATOR, grant) as connection:
        told = hide(connection, video)
        assert held.arrived.wait(30)
        served.revoke("jonas.weber", grant)
        held.let_go()
        assert told.result(30) == "57P01"
    assert visibility(served, video) == ["public"]


def until_it_waits(watcher: psycopg.Connection[Any]) -> None:
    """Returns once a grant's statement waits for a lock."""
    deadline = time.monotonic() + 30
    waits = "SELECT FROM pg_stat_activity WHERE starts_with(usename, 'seenby_g_') AND wait_event_type = 'Lock'"
    while not watcher.execute(waits).fetchall():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_row_that_the_platform_changes_meanwhile_is_not_changed(
    served: Served, moderator: psycopg.Connection[Any], videos: dict[int, list[int]]
) -> None:
    video = videos[CLARA][11]
    with served.direct() as platform, served.direct() as watcher:
        platform.execute("BEGIN")
        platform.execute("UPDATE videos SET views = views + 1 WHERE id = %s", (video,))
        told = hide(moderator, video)
        until_it_waits(watcher)
        platform.execute("COMMIT")
        assert told.result(30) == "40001"
    assert visibility(served, video) == ["public"]
    assert moderator.execute("UPDATE videos SET visibility = 'hidden' WHERE id = %s", (video,)).rowcount == 1


def test_a_change_that_waits_can_be_cancelled(
    served: Served, moderator: psycopg.Connection[Any], videos: dict[int, list[int]]
) -> None:
    video = videos[CLARA][12]
    with served.direct() as platform, served.direct() as watcher:
        platform.execute("BEGIN")
        platform.execute("UPDATE videos SET views = views + 1 WHERE id = %s", (video,))
        told = hide(moderator, video)
        until_it_waits(watcher)
        moderator.cancel_safe(timeout=30)
        assert told.result(30) == "57014"
        platform.execute("ROLLBACK")
    assert visibility(served, video) == ["public"]
    assert moderator.execute("SELECT 1").fetchone() == (1,)


# ---------------------------------------------------------------- preview


def test_a_preview_shows_before_and_after_and_changes_nothing(
    served: Served, grant: str, videos: dict[int, list[int]]
) -> None:
    dsn = served.dsn(MODERATOR, grant).replace("seenby.grant=", "seenby.preview=on -c seenby.grant=")
    video = videos[CLARA][8]
    with written(served) as found, psycopg.connect(dsn, autocommit=True) as preview:
        for cursor in (preview.cursor(), psycopg.ClientCursor(preview)):
            cursor.execute("UPDATE videos SET visibility = 'hidden' WHERE id = %s RETURNING id", (video,))
            assert [one.name for one in cursor.description or ()] == ["row", "column", "before", "after"]
            assert cursor.fetchall() == [(f"videos id={video}", "visibility", "public", "hidden")]
        made = preview.execute("INSERT INTO ticket_notes (ticket_id, body) VALUES (1000000001, 'previewed')").fetchall()
        assert ("body", None, "previewed") in [row[1:] for row in made]
        assert ("author", None, MODERATOR) in [row[1:] for row in made]
    assert [one["state"] for one in found.changes] == ["previewed"] * 3
    assert all(
        "changes" not in json.loads(shown.part)
        for item in found.items
        if isinstance(item, QueryDisclosure)
        for shown in item.people
    )
    assert visibility(served, video) == ["public"]
    with served.direct() as platform:
        assert platform.execute("SELECT count(*) FROM ticket_notes WHERE body = 'previewed'").fetchone() == (0,)


def test_a_preview_that_is_misspelt_is_not_for_real(served: Served, grant: str) -> None:
    dsn = served.dsn(MODERATOR, grant).replace("seenby.grant=", "seenby.preview=yes -c seenby.grant=")
    with pytest.raises(psycopg.OperationalError, match=r"seenby\.preview is on or off"):
        psycopg.connect(dsn)


@dataclass
class Shown:
    """What `seenby preview` printed, and its exit status."""

    status: int
    out: str
    err: str


@pytest.fixture
def preview(
    served: Served, grant: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Shown]:
    monkeypatch.setenv("PGPASSWORD", served.world.staff[MODERATOR].password)

    def run(statement: str, *more: str) -> Shown:
        common = ("--as", MODERATOR, "--grant", grant, "--config", str(served.config.file))
        words = ["preview", statement, *common, *more]
        status = 0
        try:
            command_line(words)(words, exit_on_error=False, result_action="return_value")
        except SeenbyError as error:
            status = report(error)
        said = capsys.readouterr()
        return Shown(status, said.out, said.err)

    return run


def test_the_command_shows_what_would_change(
    served: Served, videos: dict[int, list[int]], preview: Callable[..., Shown]
) -> None:
    one, two = videos[CLARA][13:15]
    shown = preview(f"UPDATE videos SET visibility = 'hidden' WHERE id IN ({one}, {two})")
    lines = shown.out.splitlines()
    assert lines[0].split() == ["row", "column", "before", "after"]
    assert sorted(line.split() for line in lines[1:3]) == [
        ["videos", f"id={id_}", "visibility", "public", "hidden"] for id_ in (one, two)
    ]
    assert lines[3] == "2 rows would change. Nothing was changed; the log says that you looked."
    assert (shown.status, shown.err) == (0, "")
    told = json.loads(preview(f"UPDATE videos SET visibility = 'hidden' WHERE id = {one}", "--json").out)
    assert told == [{"row": f"videos id={one}", "column": "visibility", "before": "public", "after": "hidden"}]
    nobody = preview(f"UPDATE videos SET visibility = 'hidden' WHERE id = {videos[FRIEND][0]}")
    assert nobody.out == "No row would change. Nothing was changed; the log says that you looked.\n"
    assert visibility(served, one, two) == ["public", "public"]


def test_the_command_says_what_the_gateway_refuses(preview: Callable[..., Shown], videos: dict[int, list[int]]) -> None:
    shown = preview("UPDATE videos SET caption = 'x' WHERE id = 1")
    assert (shown.status, shown.out) == (69, "")
    assert "this grant does not update videos.caption" in shown.err
    assert "it gives visibility" in shown.err
    shown = preview("SELECT 1")
    assert shown.status == 64
    assert "this statement changes nothing" in shown.err


def test_the_command_cannot_get_in(preview: Callable[..., Shown], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", "wrong")
    shown = preview("UPDATE videos SET visibility = 'hidden' WHERE id = 1")
    assert shown.status == 69
    assert "does not let you in" in shown.err


# ---------------------------------------------------------------- what is refused is an attempt


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (Write("accounts", WriteAction.UPDATE, ("email",)), "the data map lets nobody change email of accounts"),
        (Write("payments", WriteAction.DELETE), "the data map lets nobody delete rows of payments"),
        (Write("nope", WriteAction.INSERT), "the data map has no table nope"),
        (Write("ticket_notes", WriteAction.INSERT), r"must reveal ticket_notes\.id"),
    ],
    ids=lambda one: one.table if isinstance(one, Write) else "",
)
def test_nobody_is_asked_to_approve_what_cannot_be(served: Served, write: Write, words: str) -> None:
    with pytest.raises(SeenbyError, match=words):
        served.grant(MODERATOR, ("content", ["eu"]), people=[f"account:{CLARA}"], writes=[write])


def test_a_change_that_the_grant_does_not_have_is_recorded_as_an_attempt(
    served: Served, moderator: psycopg.Connection[Any]
) -> None:
    with written(served) as found, pytest.raises(psycopg.Error, match="does not update accounts"):
        moderator.execute("UPDATE accounts SET display_name = 'x' WHERE id = %s", (CLARA,))
    assert [type(one) for one in found.items] == [RefusedAttempt]

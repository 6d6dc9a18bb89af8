"""The demo's data: the same from the same seed, plausible, obviously fictitious, in the end an ordinary database."""

from __future__ import annotations

import re
from typing import Any

import psycopg
import pytest

from seenby.demo.generate import FEWEST_PEOPLE, account_id, load
from seenby.demo.people import Cast
from seenby.errors import UsageError
from tests.fixtures.demo import TODAY, MakePlatform

pytestmark = pytest.mark.postgres

TABLES = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1"


def rows(dsn: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(query.encode()).fetchall()


def value(dsn: str, query: str) -> Any:
    return rows(dsn, query)[0][0]


def digests(dsn: str) -> dict[str, str]:
    """Table -> a digest of all its rows, whatever their order."""
    return {
        table: value(dsn, f"SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {table} t")
        for (table,) in rows(dsn, TABLES)
    }


def test_the_same_seed_gives_the_same_rows_and_another_seed_others(make_platform: MakePlatform) -> None:
    first = digests(make_platform("demo_seed_a", people=100, seed=7))
    assert digests(make_platform("demo_seed_b", people=100, seed=7)) == first
    other = digests(make_platform("demo_seed_c", people=100, seed=8))
    constant = {table for table in first if first[table] == other[table]}
    assert constant == {"countries", "staff"}


def test_no_two_regions_share_an_id(make_platform: MakePlatform, platform_dsn: str) -> None:
    elsewhere = make_platform("demo_us", region="us", people=100)
    for (table,) in rows(platform_dsn, TABLES):
        key = value(
            platform_dsn, f"SELECT attname FROM pg_attribute WHERE attrelid = '{table}'::regclass AND attnum = 1"
        )
        if key in {"code", "login"}:
            continue
        assert value(platform_dsn, f"SELECT min({key}) / 1000000000, max({key}) / 1000000000 FROM {table}") == 1
        assert value(elsewhere, f"SELECT min({key}) / 1000000000 FROM {table}") == 2
    phones = {phone for (phone,) in rows(platform_dsn, "SELECT phone FROM accounts")}
    assert not phones & {phone for (phone,) in rows(elsewhere, "SELECT phone FROM accounts")}


def test_what_remains_is_an_ordinary_database(platform_dsn: str) -> None:
    owners = rows(
        platform_dsn,
        "SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class WHERE relnamespace = 'public'::regnamespace",
    )
    assert owners == [("platform_owner",)]
    assert rows(platform_dsn, "SELECT relname FROM pg_class WHERE relpersistence <> 'p'") == []
    assert rows(platform_dsn, "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_|information_schema'") == [
        ("public",)
    ]
    assert rows(platform_dsn, "SELECT conname FROM pg_constraint WHERE NOT convalidated OR NOT conenforced") == []
    assert rows(platform_dsn, "SELECT indexrelid FROM pg_index WHERE NOT indisvalid") == []
    never = (
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND reltuples < 1"
    )
    assert rows(platform_dsn, never) == []
    without_key = (
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        " AND NOT EXISTS (SELECT FROM pg_constraint WHERE conrelid = pg_class.oid AND contype = 'p')"
    )
    assert rows(platform_dsn, without_key) == []


def test_every_reference_has_an_index_or_a_reason(platform_dsn: str) -> None:
    """A lookup by person must not scan: every column that leads to an account leads an index."""
    missing = rows(
        platform_dsn,
        """SELECT conrelid::regclass::text, attname
           FROM pg_constraint JOIN pg_attribute ON attrelid = conrelid AND attnum = conkey[1]
           WHERE contype = 'f'
             AND confrelid::regclass::text IN ('accounts', 'devices', 'wallets', 'purchases', 'tickets')
             AND NOT EXISTS (SELECT FROM pg_index WHERE indrelid = conrelid AND indkey[0] = conkey[1]) ORDER BY 1, 2""",
    )
    assert missing == [("contacts", "matched_account_id")]


def test_people_of_the_tour_are_there(platform_dsn: str) -> None:
    cast = Cast()
    customer, journalist = cast.customer.person.key, cast.journalist_eu.person.key
    assert int(customer) == account_id("eu", 42)
    assert rows(platform_dsn, f"SELECT handle, home_region, is_protected FROM accounts WHERE id = {customer}") == [
        (cast.customer.handle, "eu", False)
    ]
    assert rows(platform_dsn, f"SELECT handle, is_protected, protected_as FROM accounts WHERE id = {journalist}") == [
        (cast.journalist_eu.handle, True, "journalist")
    ]
    assert rows(platform_dsn, f"SELECT account_id, assignee FROM tickets WHERE reference = '{cast.ticket}'") == [
        (int(customer), "aoife.byrne")
    ]


def test_some_people_live_in_another_regions_cluster(platform_dsn: str) -> None:
    found = dict(rows(platform_dsn, "SELECT home_region, count(*) FROM accounts GROUP BY 1"))
    assert set(found) == {"eu", "us"}
    assert 0 < found["us"] < 0.05 * found["eu"]


def test_behaviour_is_skewed_as_in_life(platform_dsn: str) -> None:
    watched = [n for (n,) in rows(platform_dsn, "SELECT count(*) FROM watch_events GROUP BY video_id ORDER BY 1 DESC")]
    assert watched[0] > 20 * watched[len(watched) // 2], "few videos are watched by many"
    evening, night = (
        value(
            platform_dsn,
            f"SELECT count(*) FROM watch_events WHERE extract(hour FROM at AT TIME ZONE 'UTC') IN ({hours})",
        )
        for hours in ("18, 19, 20", "5, 6, 7")
    )
    assert evening > 5 * night
    mean, median = rows(
        platform_dsn, "SELECT avg(watched_s), percentile_cont(0.5) WITHIN GROUP (ORDER BY watched_s) FROM watch_events"
    )[0]
    assert mean > 1.3 * median, "watch times are log-normal"
    assert value(platform_dsn, "SELECT count(*) FROM watch_events") == 300 * 50


def test_everything_is_obviously_fictitious(platform_dsn: str) -> None:
    phones = rows(platform_dsn, "SELECT phone FROM accounts UNION SELECT phone FROM contacts")
    # ARCEP and ComReg numbers for films, NANPA 555-01xx, and the unassigned country code 999.
    film = re.compile(r"\+33639980\d{3}|\+3532091\d{5}|\+1\d{3}55501\d\d|\+999\d{9,11}")
    assert [phone for (phone,) in phones if not film.fullmatch(phone)] == []
    mails = rows(platform_dsn, "SELECT email FROM accounts UNION SELECT email FROM contacts WHERE email IS NOT NULL")
    assert [mail for (mail,) in mails if not re.search(r"@(example\.(com|org|net)|mail\.example)$", mail)] == []
    outside = (
        "SELECT count(*) FROM logins WHERE NOT (ip << '10.0.0.0/8' OR ip << '100.64.0.0/10' OR ip << '198.18.0.0/15')"
    )
    assert value(platform_dsn, outside) == 0
    assert value(platform_dsn, "SELECT count(*) FROM devices WHERE imei NOT LIKE '00%'") == 0
    assert value(platform_dsn, "SELECT count(*) FROM payments WHERE iban NOT LIKE 'ZZ%'") == 0


def test_rows_of_two_people_are_of_two_people(platform_dsn: str) -> None:
    for table, one, other in (
        ("messages", "sender_id", "recipient_id"),
        ("follows", "follower_id", "followee_id"),
        ("reports", "reporter_id", "reported_id"),
        ("contacts", "account_id", "matched_account_id"),
    ):
        assert value(platform_dsn, f"SELECT count(*) FROM {table} WHERE {one} = {other}") == 0


@pytest.mark.parametrize("people", [0, FEWEST_PEOPLE - 1, 10**9])
def test_too_few_or_too_many_people_are_refused_before_anything_is_done(people: int) -> None:
    with pytest.raises(UsageError, match="people a region"):
        load("host=nowhere", region="eu", people=people, seed=1, today=TODAY, owner="x", progress=lambda _s, _d: None)


def test_progress_only_grows_and_ends_at_one(make_platform: MakePlatform, platform_dsn: str) -> None:
    seen: list[float] = []
    with psycopg.connect(platform_dsn, autocommit=True) as connection:
        connection.execute("CREATE DATABASE demo_progress OWNER platform_owner")
    load(
        platform_dsn.replace("dbname=demo_eu", "dbname=demo_progress"),
        region="us",
        people=100,
        seed=1,
        today=TODAY,
        owner="platform_owner",
        progress=lambda _stage, done: seen.append(done),
    )
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    assert len(set(seen)) > 30

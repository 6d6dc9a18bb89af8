"""People's keys in a database of their own: what a database can do that a file cannot."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from seenby.errors import ConfigError, Unavailable
from seenby.stores import keystore_postgres
from seenby.stores.keystore_postgres import PostgresShelf
from seenby.stores.keystore_rows import generation_of
from tests.fixtures.keystores import DatabasePlace

PEOPLE = [f"account:{n}" for n in range(20)]


def test_connections_that_broke_are_opened_again(database_place: DatabasePlace) -> None:
    place = database_place
    store = place.open(cached_people=1)
    keys = store.person_keys(PEOPLE)
    store.flush()
    for version in range(2, 5):
        place.admin(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{place.name}'")
        assert store.person_keys(PEOPLE) == keys
        place.admin(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{place.name}'")
        keys[0] = store.renew("account:0")
        assert keys[0].version == version
        store.flush()
    assert len(place.rows()) == 23
    store.close()


def test_a_database_that_is_gone_loses_nothing(database_place: DatabasePlace) -> None:
    place = database_place
    first = place.open()
    first.person_keys(["account:2", "account:3"])
    first.flush()
    first.close()
    store = place.open(cached_people=1)
    key = store.person_key("account:1")
    place.admin(f"ALTER ROLE {place.name} NOLOGIN")
    place.admin(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{place.name}'")
    try:
        for use in (store.flush, lambda: store.known_keys("account:2"), lambda: store.rotate_when_due(1, 1)):
            with pytest.raises(Unavailable, match="does not answer, so nothing is shown"):
                use()
    finally:
        place.admin(f"ALTER ROLE {place.name} LOGIN")
    store.flush()
    assert store.known_keys("account:1") == [key]
    assert len(place.rows()) == 3
    store.close()


def test_the_same_rows_twice_are_written_once(database_place: DatabasePlace) -> None:
    """The connection breaks after the commit, so the same statement is sent again."""
    place = database_place
    store = place.open()
    store.person_keys(PEOPLE)
    store.flush()
    store.close()
    rows = b"".join(place.rows())
    shelf = place.shelf()
    assert shelf.add(rows, 1)
    assert len(place.rows()) == 20
    with pytest.raises(ConfigError, match="another process has written"):
        shelf.add(rows[:-1] + bytes([rows[-1] ^ 1]), 1)
    assert b"".join(place.rows()) == rows, "all or none"
    assert not shelf.add(rows, 0)


def test_a_rotation_waits_for_rows_on_their_way(database_place: DatabasePlace) -> None:
    """Whoever adds under a generation holds it: when it is closed, none of its rows comes after."""
    place = database_place
    store = place.open()
    store.person_keys(PEOPLE)
    row = store._keyring.wrap(store._keyring.id_of("account:late"), 1, bytes(32))
    with psycopg.connect(place.dsn, options="-c search_path=seenby_keys") as adding:
        assert keystore_postgres._count(keystore_postgres._ADD, row, 1, adding) == 1
        with ThreadPoolExecutor(1) as pool:
            rotated = pool.submit(store.rotate)
            waiting = "SELECT count(*) > 0 FROM pg_stat_activity WHERE usename = %s AND wait_event_type = 'Lock'"
            while place.sql(waiting, place.name) != [(True,)]:
                assert not rotated.done()
            adding.commit()
            assert rotated.result().number == 2
    store.flush()
    assert [generation_of(row) for row in place.rows()] == [2] * 21
    store.close()


def test_the_tables_are_made_once(database_place: DatabasePlace) -> None:
    place = database_place
    with ThreadPoolExecutor(4) as pool:
        for shelf in pool.map(lambda _: PostgresShelf(place.dsn, read_only=False), range(4)):
            shelf.close()
    assert place.sql("SELECT name FROM migrations") == [("0001_person_keys.sql",)]
    assert place.sql("SELECT nspname FROM pg_namespace WHERE nspname = 'seenby_keys'") == [("seenby_keys",)]


def test_looking_at_a_database_without_keys_makes_none(database_place: DatabasePlace) -> None:
    place = database_place
    with pytest.raises(ConfigError, match="refuses"):
        place.open(read_only=True)
    assert place.sql("SELECT count(*) FROM pg_namespace WHERE nspname = 'seenby_keys'") == [(0,)]


def test_a_generation_of_somebody_else_is_not_overwritten(database_place: DatabasePlace) -> None:
    place = database_place
    place.open().close()
    shelf = place.shelf()
    (first,) = shelf.generations()
    other = type(first)(1, "seenby-people-1-other", b"x", 1.0)
    with pytest.raises(Unavailable, match="rotated by another process"):
        shelf.save([other])
    assert shelf.generations() == [first]

"""Rotation and destruction: after them no copy of the key store from before opens, and today's opens as ever."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from seenby.errors import ConfigError, Unavailable
from seenby.stores import keystore_rotation as rotation
from seenby.stores.keystore import KeyStore, PersonKey
from seenby.stores.keystore_rotation import DAY
from seenby.stores.keystore_rows import generation_of
from seenby.stores.kms_pkcs11 import Pkcs11Kms
from tests.fixtures.keystores import DatabasePlace, Place
from tests.fixtures.softhsm import Token

PEOPLE = [f"account:{n}" for n in range(20)]
ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that twenty people are a rotation in several steps."""
    monkeypatch.setattr(rotation, "PAGE", 6)


def filled(store: KeyStore) -> dict[str, PersonKey]:
    keys = dict(zip(PEOPLE, store.person_keys(PEOPLE), strict=True))
    store.flush()
    return keys


def opens(place: Place, keys: dict[str, PersonKey]) -> bool:
    """Whether a store that is opened now has exactly these keys."""
    store = place.open()
    try:
        return {person: store.person_key(person) for person in keys} == keys
    finally:
        store.close()


def generations(place: Place) -> set[int]:
    return {generation_of(row) for row in place.rows()}


def test_after_a_rotation_every_key_opens_under_the_new_generation(place: Place) -> None:
    store = place.open()
    keys = filled(store)
    keys["account:0"] = store.renew("account:0")
    store.flush()
    before = place.rows()
    told: list[tuple[int, int]] = []
    place.now += DAY
    made = store.rotate(progress=lambda done, total: told.append((done, total)))
    assert made.number == 2
    assert (told[0], told[-1], told) == ((0, 21), (21, 21), sorted(set(told)))
    assert len(told) >= 4
    assert generations(place) == {2}
    assert [row[:18] for row in place.rows()] == [row[:18] for row in before]
    assert not {row[22:] for row in place.rows()} & {row[22:] for row in before}
    assert {person: store.person_key(person) for person in PEOPLE} == keys
    assert [key.version for key in store.known_keys("account:0")] == [1, 2]
    shelf = place.shelf(read_only=True)
    first, second = shelf.generations()
    assert (first.made, first.closed, first.retired, first.destroyed) == (place.now - DAY, place.now, place.now, None)
    assert (second.made, second.closed) == (place.now, None)
    shelf.close()
    store.close()
    assert opens(place, keys)


@pytest.mark.parametrize("kind", ["directory", "token"])
def test_an_old_backup_opens_nothing(place: Place, kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """The promise of it all: who was erased is not in a backup that anybody could open."""
    if kind == "token":
        token: Token = request.getfixturevalue("token")
        place.kms = Pkcs11Kms(token.module, token.label, token.pin_file)
    store = place.open()
    keys = filled(store)
    place.backup(tmp_path / "old")
    store.forget(["account:3"])
    del keys["account:3"]
    store.rotate()
    store.close()
    place.backup(tmp_path / "new")

    place.restore(tmp_path / "old")  # too early: this is what destruction is for
    early = place.open()
    assert early.known_keys("account:3") != []
    early.close()

    place.restore(tmp_path / "new")
    store = place.open()
    assert [one.number for one in store.destroy_old(0)] == [1]
    store.close()
    assert opens(place, keys)
    place.backup(tmp_path / "newest")

    place.restore(tmp_path / "old")
    for read_only in (True, False):
        with pytest.raises(ConfigError, match="was destroyed: nothing in it opens any more"):
            place.open(read_only=read_only)
    rows = place.rows()
    assert len(rows) == 20
    assert not [name for name in place.kms.names() if name.startswith("seenby-people-1-")]

    place.restore(tmp_path / "newest")  # and today's is as good as ever
    assert opens(place, keys)
    store = place.open()
    assert store.known_keys("account:3") == []
    store.close()


def test_old_rows_in_a_store_of_today_do_not_open(place: Place) -> None:
    """Who has an old backup cannot put a row of it back either."""
    store = place.open()
    filled(store)
    old = place.rows()[0]
    store.rotate()
    store.destroy_old(0)
    new = next(row for row in place.rows() if row[:18] == old[:18])
    place.change(new, old)
    person = next(one for one in PEOPLE if store._keyring.id_of(one) == old[:16])
    store.close()
    again = place.open()
    with pytest.raises(ConfigError, match="under generation 1, which is gone"):
        again.person_key(person)
    again.close()
    place.change(old, old[:18] + new[18:22] + old[22:])  # nor under the new generation's number
    again = place.open()
    with pytest.raises(ConfigError, match="its row was changed"):
        again.person_key(person)
    again.close()


class Broken(Exception):
    """Ends a rotation in the middle."""


def test_a_rotation_that_broke_off_is_finished(place: Place) -> None:
    store = place.open()
    keys = filled(store)

    def break_off(done: int, _total: int) -> None:
        if done >= 10:
            raise Broken

    with pytest.raises(Broken):
        store.rotate(progress=break_off)
    assert generations(place) == {1, 2}
    assert {person: store.person_key(person) for person in PEOPLE} == keys
    assert store.person_key("account:new").version == 1
    store.flush()
    assert store.destroy_old(0) == []
    assert opens(place, keys)
    assert store.rotate_when_due(30, 30).made == place.generations()[-1]
    assert generations(place) == {2}
    assert [one.number for one in store.destroy_old(0)] == [1]
    assert {person: store.person_key(person) for person in PEOPLE} == keys
    store.close()
    assert opens(place, keys)


KILLED = """
import os, signal, sys
from pathlib import Path
from seenby.stores import keystore_rotation as rotation
from seenby.stores.keystore_file import FileShelf
from seenby.stores.keystore_postgres import PostgresShelf
from seenby.stores.kms_file import FileKms
where, dsn, at = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
shelf = PostgresShelf(dsn, read_only=False) if dsn else FileShelf(where / "keys", read_only=False)
rotation.PAGE = 6
rotation.rotate(shelf, FileKms(where / "kms"), 1.9e9, progress=lambda done, _: done >= at and os.kill(os.getpid(), 9))
"""


@pytest.mark.parametrize("at", [0, 12, 20])
def test_a_rotation_that_was_killed_is_finished_by_another_process(place: Place, at: int) -> None:
    store = place.open()
    keys = filled(store)
    dsn = place.dsn if isinstance(place, DatabasePlace) else ""
    command = [sys.executable, "-c", KILLED, str(place.directory), dsn, str(at)]
    killed = subprocess.run(command, check=False, capture_output=True)
    assert (killed.returncode, killed.stderr) == (-9, b"")
    assert [one.closed is None for one in place.generations()] == [False, True]
    keys["account:new"] = store.person_key("account:new")  # a gateway that ran all the while
    store.flush()
    assert {person: store.person_key(person) for person in keys} == keys
    store.close()
    assert opens(place, keys)
    again = place.open()
    again.rotate()
    again.destroy_old(0)
    again.close()
    assert generations(place) == {2}
    assert opens(place, keys)


def test_the_gateway_goes_on_while_another_process_rotates(place: Place) -> None:
    gateway, other = place.open(), place.open()
    keys = filled(gateway)
    keys["account:waiting"] = gateway.person_key("account:waiting")  # under generation 1 when it was made

    def meanwhile(done: int, _total: int) -> None:
        if done >= 6 and "account:new" not in keys:
            gateway.forget(["account:1", "account:2"])
            gateway.flush()
            keys["account:new"] = gateway.person_key("account:new")
            gateway.flush()
        with pytest.raises(Unavailable, match="rotated by another process"):
            gateway.rotate()
        assert gateway.person_key("account:5") == keys["account:5"]

    other.rotate(progress=meanwhile)
    assert len(place.rows()) == 20, "two new, two gone; and those who went did not come back"
    assert generations(place) == {2}
    other.destroy_old(0)
    other.close()
    del keys["account:1"], keys["account:2"]
    assert {person: gateway.person_key(person) for person in keys} == keys
    assert gateway.without_key(["account:1", "account:2"]) == ["account:1", "account:2"]
    gateway.person_key("account:newer")
    gateway.flush()
    gateway.close()
    assert opens(place, keys)


@pytest.mark.parametrize("cached", [1, 1000])
def test_a_gateway_that_slept_through_a_rotation_and_a_destruction(place: Place, cached: int) -> None:
    gateway, other = place.open(cached_people=cached), place.open()
    keys = filled(gateway)
    waiting = gateway.person_key("account:waiting")
    for _ in range(3):
        other.rotate()
        other.destroy_old(0)
    other.close()
    assert {person: gateway.person_key(person) for person in keys} == keys
    assert gateway.person_key("account:waiting") == waiting
    gateway.flush()
    assert generations(place) == {4}
    gateway.close()
    assert opens(place, keys | {"account:waiting": waiting})


def test_once_an_hour(place: Place) -> None:
    """Thirty days a generation lives, thirty more it is kept."""
    store = place.open()
    keys = filled(store)
    done = []
    for hour in range(0, 62 * 24, 24):
        place.now = 1_800_000_000.0 + hour * 3600
        upkeep = store.rotate_when_due(30, 30)
        if upkeep.made or upkeep.destroyed:
            numbers = [one.number for one in upkeep.destroyed]
            done.append((hour / 24, upkeep.made and upkeep.made.number, numbers))
    assert done == [(30, 2, []), (60, 3, [1])]
    assert {person: store.person_key(person) for person in PEOPLE} == keys
    counts = {one.generation.number: one.rows for one in rotation.status(place.shelf())}
    assert counts == {1: 0, 2: 0, 3: 20}
    store.close()


def test_a_destruction_that_broke_off(place: Place) -> None:
    """The key is gone from the KMS and nobody wrote it down."""
    store = place.open()
    keys = filled(store)
    made = store.rotate()
    first = place.generations()[0]
    place.kms.destroy(first.kek)
    assert opens(place, keys)
    assert [one.number for one in store.destroy_old(0)] == [1]
    first, second = place.generations()
    assert (first.destroyed, first.wrapped, second) == (place.now, b"", made)
    assert store.destroy_old(0) == []
    store.close()


def test_a_generation_with_rows_is_never_destroyed(place: Place) -> None:
    store = place.open()
    keys = filled(store)
    old = place.rows()[0]
    store.rotate()
    new = next(row for row in place.rows() if row[:18] == old[:18])
    place.change(new, old)
    with pytest.raises(ConfigError, match="1 keys are under generation 1, which is retired"):
        store.destroy_old(0)
    assert len([name for name in place.kms.names() if name.startswith("seenby-people-")]) == 2
    store.close()
    place.change(old, new)
    assert opens(place, keys)


def test_a_changed_row_stops_the_rotation_and_what_is_old_stays(place: Place) -> None:
    store = place.open()
    filled(store)
    row = place.rows()[9]
    place.change(row, row[:-1] + bytes([row[-1] ^ 1]))
    with pytest.raises(ConfigError, match="its row was changed"):
        store.rotate()
    assert store.destroy_old(0) == []
    place.change(row, row)
    store.rotate()
    assert [one.number for one in store.destroy_old(0)] == [1]
    store.close()


def test_a_generation_in_another_ones_place_is_refused(place: Place) -> None:
    store = place.open()
    filled(store)
    store.rotate()
    store.close()
    shelf = place.shelf()
    first, second = shelf.generations()
    shelf.save([replace(second, wrapped=first.wrapped)])
    with pytest.raises(ConfigError, match="does not open"):
        place.open()
    opened = place.kms.unwrap(first.kek, first.wrapped)  # even by somebody who may use the KMS
    shelf.save([replace(second, wrapped=place.kms.wrap(second.kek, opened))])
    with pytest.raises(ConfigError, match="generation 2 of the key store holds something else"):
        place.open()
    shelf.save([second])
    shelf.close()
    place.open().close()


def test_nothing_is_lost_at_random(place: Place) -> None:
    """Everything a store can be asked, in any order, from two processes, held against a plain list."""
    import random

    generator = random.Random(int(os.environ["SEENBY_SEED"]))
    stores = [place.open(cached_people=generator.choice([3, 1000])) for _ in range(2)]
    keys: dict[str, list[PersonKey]] = {}
    for _ in range(60):
        number = generator.randrange(2)
        store, person = stores[number], f"account:{generator.randrange(15)}.{number}"  # each has its own people
        chosen = generator.choice(["key", "key", "renew", "forget", "rotate", "destroy", "reopen"])
        if chosen == "key":
            known = keys.setdefault(person, [])
            key = store.person_key(person)
            if not known:
                known.append(key)
            assert key == known[-1]
        elif chosen == "renew" and len(keys.get(person, ())) < 5:
            keys.setdefault(person, []).append(store.renew(person))
        elif chosen == "forget":
            store.forget([person])
            keys.pop(person, None)
        elif chosen == "rotate":
            store.rotate()
        elif chosen == "destroy":
            store.destroy_old(0)
        elif chosen == "reopen":
            store.flush()
            store.close()
            stores[number] = place.open()
        if generator.random() < 0.5:
            stores[number].flush()
    for number, store in enumerate(stores):
        store.flush()
        for person, known in keys.items():
            if person.endswith(f".{number}"):
                assert store.known_keys(person) == known
        store.close()
    assert len(place.rows()) == sum(map(len, keys.values()))

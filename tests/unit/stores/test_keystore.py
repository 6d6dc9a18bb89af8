"""The key store: a key that was used is never lost, one that was erased never comes back, nothing else is made up.

What is said here holds for people's keys in a file and in a database alike.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from seenby.errors import ConfigError, UsageError
from seenby.stores.keystore import MAX_VERSION, KeyStore, PersonKey
from seenby.stores.keystore_file import encode_batch
from seenby.stores.keystore_rows import ROW, Table, rows_of
from tests.fixtures.keystores import DatabasePlace, Place
from tests.fixtures.pace import in_time

PEOPLE = [f"account:{n}" for n in range(20)]


def filled(place: Place) -> dict[str, PersonKey]:
    """Keys of everybody, made one by one, in three batches."""
    store = place.open()
    keys = {}
    for batch in (PEOPLE[:1], PEOPLE[1:10], PEOPLE[10:]):
        keys.update({person: store.person_key(person) for person in batch})
        store.flush()
    store.close()
    return keys


def test_keys_stay(place: Place) -> None:
    keys = filled(place)
    assert len({key.key for key in keys.values()}) == len(PEOPLE)
    assert all(key.fresh and key.version == 1 and len(key.key) == 32 for key in keys.values())
    store = place.open()
    again = {person: store.person_key(person) for person in PEOPLE}
    assert again == keys
    assert not any(key.fresh for key in again.values())
    assert len(store) == len(PEOPLE)
    store.close()


def test_a_key_that_was_not_flushed_was_never_there(place: Place) -> None:
    store = place.open()
    first = store.person_key("account:1")
    assert store.person_key("account:1") == first
    store.close()
    again = place.open()
    assert again.known_keys("account:1") == []
    assert again.without_key(["account:1"]) == ["account:1"]
    again.close()


def test_many_at_once_are_the_same_as_one_by_one(place: Place) -> None:
    store = place.open()
    known = store.person_key("account:3")
    made = store.person_keys([*PEOPLE, "account:5"])
    assert made[3] == known
    assert [key.fresh for key in made] == [n != 3 for n in range(20)] + [False]
    assert made[20] == made[5]
    store.flush()
    assert [store.person_key(person) for person in PEOPLE] == made[:20]
    store.close()
    again = place.open()
    assert again.person_keys(PEOPLE) == made[:20]
    again.flush()
    assert len(place.rows()) == 20
    again.close()


def test_versions(place: Place) -> None:
    keys = filled(place)
    store = place.open()
    newer = store.renew("account:0")
    assert (newer.version, newer.fresh) == (2, True)
    assert store.person_key("account:0") == newer
    assert store.renew("account:99").version == 1
    store.flush()
    store.close()
    again = place.open()
    assert again.known_keys("account:0") == [keys["account:0"], newer]
    assert again.person_key("account:0") == newer
    for version in range(3, MAX_VERSION + 1):
        assert again.renew("account:0").version == version
    with pytest.raises(UsageError, match="at most 255 keys"):
        again.renew("account:0")
    again.close()


def test_names_of_any_length(place: Place) -> None:
    store = place.open()
    names = ["", "contact:+447946000123", "contact:" + "é" * 201, "contact:" + "x" * 10_000]
    keys = [store.person_key(name) for name in names]
    assert len({key.key for key in keys}) == len(names)
    store.flush()
    store.close()
    again = place.open()
    assert [again.person_key(name) for name in names] == keys
    again.close()


def test_nothing_on_disk_names_a_person_or_is_a_key(place: Place, tmp_path: Path) -> None:
    store = place.open()
    made = [store.person_key("contact:+447946000123"), store.person_key("account:x@mail.example")]
    store.flush()
    secrets = [key.key for key in made]
    secrets += [store.epoch_key(202611), store.checkpoint_key().private_bytes_raw(), b"+447946", b"mail.example"]
    store.close()
    place.backup(tmp_path / "backup")
    kept = [path.read_bytes() for path in (tmp_path / "backup").rglob("*") if path.is_file()]
    assert len(kept) >= 3
    for secret in secrets:
        assert not any(form in data for data in kept for form in (secret, secret.hex().encode()))
    for person in ("contact:+447946000123", "account:x@mail.example"):
        assert person not in repr([*place.rows(), *made])


def test_forget_is_final(place: Place) -> None:
    keys = filled(place)
    store = place.open()
    store.renew("account:1")
    store.forget(["account:0", "account:1", "account:none"])
    assert store.known_keys("account:0") == []
    assert store.known_keys("account:1") == []
    store.flush()
    assert len(place.rows()) == 18
    store.close()
    again = place.open()
    assert again.without_key(PEOPLE) == ["account:0", "account:1"]
    assert again.person_key("account:2") == keys["account:2"]
    assert again.person_key("account:0").key != keys["account:0"].key
    again.close()


def test_forgotten_while_it_was_queued(place: Place) -> None:
    store = place.open()
    store.person_keys(PEOPLE)
    store.forget(PEOPLE[:5])
    store.flush()
    assert len(place.rows()) == 15
    assert store.without_key(PEOPLE) == PEOPLE[:5]
    store.close()


def test_forgotten_while_it_was_fetched(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The row has left the shelf for memory when the erasure comes: it must not stay there."""
    filled(place)
    shelf = place.shelf()
    store = place.open(cached_people=1, shelf=shelf)
    fetch = shelf.fetch

    def fetch_and_forget(ids: Sequence[bytes]) -> bytes:
        block = fetch(ids)
        monkeypatch.undo()
        store.forget(["account:9"])
        return block

    monkeypatch.setattr(shelf, "fetch", fetch_and_forget)
    store._table = Table()
    assert store.known_keys("account:9") == []
    store.close()


@pytest.mark.parametrize("cached", [1, 7])
def test_more_people_than_memory_holds(place: Place, cached: int) -> None:
    keys = filled(place)
    store = place.open(cached_people=cached)
    generator = random.Random(int(os.environ["SEENBY_SEED"]))
    for n in range(60):
        person = generator.choice(PEOPLE)
        assert store.person_key(person) == keys[person]
        assert store.person_key(f"queued:{n % 9}").version == 1
        assert len(store) < cached + 20
    assert store.without_key([*PEOPLE, "queued:1", "account:none"]) == ["account:none"]
    store.prefetch(PEOPLE)
    assert store.person_keys(PEOPLE) == [keys[person] for person in PEOPLE]
    store.flush()
    assert len(place.rows()) == 29
    store.close()


def test_two_threads(place: Place) -> None:
    """The loop asks for keys while the journal's thread flushes and another one erases."""
    store = place.open(cached_people=8)
    made: dict[str, PersonKey] = {}
    stop = threading.Event()
    faults: list[BaseException] = []

    def flush() -> None:
        try:
            while not stop.is_set():
                store.flush()
        except BaseException as fault:  # told below
            faults.append(fault)

    def forget() -> None:
        try:
            for n in range(20):
                store.forget([f"gone:{n}"])
        except BaseException as fault:  # told below
            faults.append(fault)

    threads = [threading.Thread(target=flush), threading.Thread(target=forget)]
    for thread in threads:
        thread.start()
    for n in range(300):
        person = f"account:{n % 150}"
        key = store.person_key(person)
        assert made.setdefault(person, key) == key
        store.person_key(f"gone:{n % 20}")
    threads[1].join()
    stop.set()
    threads[0].join()
    assert not faults
    store.flush()
    store.forget([f"gone:{n}" for n in range(20)])
    store.close()
    again = place.open()
    assert {person: again.person_key(person) for person in made} == made
    assert len(again) == 150
    again.close()


def test_two_gateways_never_give_a_person_two_keys(place: Place) -> None:
    filled(place)
    one, two = place.open(), place.open()
    one.person_key("account:new")
    two.person_key("account:new")
    two.person_key("account:other")
    one.flush()
    with pytest.raises(ConfigError, match="another process has written keys of the same people"):
        two.flush()
    assert len(place.rows()) == 21
    one.close()
    two.close()


def test_two_processes_that_know_different_people(place: Place) -> None:
    one, two = place.open(), place.open()
    for n in range(0, 10, 2):
        one.person_key(f"account:{n}")
        one.flush()
        two.person_key(f"account:{n + 1}")
        two.flush()
    assert len(place.rows()) == 10
    one.close()
    two.close()


def test_read_only_never_writes(place: Place) -> None:
    with pytest.raises(ConfigError):
        place.open(read_only=True)
    keys = filled(place)
    before = place.rows(), sorted(place.directory.rglob("*"))
    store = place.open(read_only=True)
    for write in (
        lambda: store.person_key("account:new"),
        lambda: store.person_keys(["account:new"]),
        lambda: store.renew("account:1"),
        lambda: store.forget(["account:1"]),
        store.rotate,
        lambda: store.destroy_old(0),
        lambda: store.rotate_when_due(1, 1),
    ):
        with pytest.raises(ConfigError, match="read only"):
            write()
    with pytest.raises(ConfigError, match=r"202611.* is missing"):
        store.epoch_key(202611)
    assert store.known_keys("account:new") == []
    assert store.known_keys("account:1") == [keys["account:1"]]
    store.close()
    assert (place.rows(), sorted(place.directory.rglob("*"))) == before


def test_a_row_that_was_changed_does_not_open(place: Place) -> None:
    filled(place)
    row = place.rows()[0]
    store = place.open()
    ids = {store._keyring.id_of(person): person for person in PEOPLE}
    store.close()
    person = ids[row[:16]]
    for at in (22, 33, 34, 66, ROW - 1):
        place.change(row, row[:at] + bytes([row[at] ^ 1]) + row[at + 1 :])
        store = place.open()
        with pytest.raises(ConfigError, match="its row was changed"):
            store.person_key(person)
        store.close()
        place.change(row, row)


def test_a_row_in_another_ones_place_does_not_open(place: Place) -> None:
    filled(place)
    one, two = place.rows()[:2]
    place.change(two, two[:22] + one[22:])  # another person's key
    store = place.open()
    ids = {store._keyring.id_of(person): person for person in PEOPLE}
    with pytest.raises(ConfigError, match="its row was changed"):
        store.person_key(ids[two[:16]])
    store.close()
    place.change(two, two[:16] + b"\x00\x02" + two[18:])  # the first key as if it were the second
    store = place.open()
    with pytest.raises(ConfigError, match="its row was changed"):
        store.person_key(ids[two[:16]])
    store.close()


def test_the_regions_own_keys(place: Place) -> None:
    store = place.open()
    keys = store.epoch_key(202611), store.epoch_key(202612), str(store.verifier_key("eu.test/log"))
    store.close()
    again = place.open()
    assert (again.epoch_key(202611), again.epoch_key(202612), str(again.verifier_key("eu.test/log"))) == keys
    again.close()
    assert keys[0] != keys[1]
    november, december = place.keys / "epochs" / "202611", place.keys / "epochs" / "202612"
    assert november.stat().st_mode & 0o777 == 0o600
    december.write_bytes(november.read_bytes())
    again = place.open()
    with pytest.raises(ConfigError, match="holds something else"):
        again.epoch_key(202612)
    november.write_bytes(b"short")
    with pytest.raises(ConfigError, match="does not open"):
        again.epoch_key(202611)
    again.close()


def test_keys_without_a_generation_are_not_a_new_store(place: Place) -> None:
    """Else a store would begin anew over keys that it cannot open, and everybody would get a second one."""
    filled(place)
    if isinstance(place, DatabasePlace):
        place.sql("DELETE FROM deks")
    else:
        (place.keys / "generations.json").unlink()
    with pytest.raises(ConfigError, match="the generations of the key store are missing"):
        place.open()
    assert len(place.rows()) == 20


def test_open_makes_a_store_with_its_kms_beside_it(tmp_path: Path) -> None:
    store = KeyStore.open(tmp_path / "state" / "keys")
    key = store.person_key("account:1")
    store.flush()
    store.close()
    assert {path.name for path in (tmp_path / "state").iterdir()} == {"keys", "kms"}
    again = KeyStore.open(tmp_path / "state" / "keys", read_only=True)
    assert again.known_keys("account:1") == [key]
    again.close()


def test_the_table_is_the_same_as_a_dictionary() -> None:
    """Any order of fill, put, remove; ids that crowd in one chunk and ids that are spread."""
    generator = random.Random(int(os.environ["SEENBY_SEED"]))
    for spread in (1, 3, 200):
        table, plain, blocks = Table(), dict[bytes, bytes](), list[bytes]()

        def fresh(spread: int = spread) -> bytes:
            start = generator.randrange(spread).to_bytes(2, "big") + generator.randrange(40).to_bytes(14, "big")
            return start + generator.choice(b"\x01\x02").to_bytes(2, "big") + generator.randbytes(64)

        for _ in range(120):
            chosen = generator.randrange(4)
            if chosen == 0:
                block = {one[:18]: one for one in (fresh() for _ in range(generator.randrange(60)))}
                table.fill(b"".join(block[place] for place in sorted(block)))
                plain |= block
                blocks.append(b"".join(block[place] for place in sorted(block)))
            elif chosen == 1:
                one = fresh()
                table.put(one)
                plain[one[:18]] = one
            elif chosen == 2:
                gone = fresh()[:16]
                table.remove(gone)
                plain = {place: kept for place, kept in plain.items() if place[:16] != gone}
            else:
                asked = fresh()
                assert table.get(asked[:16]) == [plain[place] for place in sorted(plain) if place[:16] == asked[:16]]
                assert (asked[:18] in table) == (asked[:18] in plain)
            assert len(table) == len(plain)
        assert b"".join(table.blocks()) == b"".join(plain[place] for place in sorted(plain))
        again, plain = Table(), {}
        again.fill_all(blocks)
        for one in blocks:
            plain |= {row[:18]: row for row in rows_of(one)}
        assert b"".join(again.blocks()) == b"".join(plain[place] for place in sorted(plain))
        assert len(again) == len(plain)


def test_people_who_came_one_by_one_are_read_fast(tmp_path: Path) -> None:
    """A restart reads a batch for every sync: 100,000 here, in half a second where nothing else runs."""
    store = KeyStore.open(tmp_path / "k")
    made = store.person_keys([f"account:{n}" for n in range(100_000)])
    rows = [row for block in store._table.blocks() for row in rows_of(block)]
    store.close()
    random.Random(int(os.environ["SEENBY_SEED"])).shuffle(rows)
    with (tmp_path / "k" / "persons.keys").open("ab") as file:
        file.write(b"".join(encode_batch(b"".join(sorted(rows[at : at + 3]))) for at in range(0, len(rows), 3)))
    started = time.process_time()
    again = KeyStore.open(tmp_path / "k")
    assert in_time(time.process_time() - started, 2, time.process_time)
    assert again.person_keys(["account:0", "account:99999"]) == [made[0], made[-1]]
    again.close()

"""The key store: a key that was used is never lost, and nothing else is made up."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from seenby.errors import ConfigError
from seenby.stores.keystore import BATCH, MAGIC, KeyStore, PersonKey, encode_batch, encode_key

PEOPLE = [f"account:{n}" for n in range(20)]


def filled(directory: Path) -> dict[str, PersonKey]:
    """Three batches."""
    store = KeyStore.open(directory)
    keys = {}
    for batch in (PEOPLE[:1], PEOPLE[1:10], PEOPLE[10:]):
        keys.update({person: store.person_key(person) for person in batch})
        store.flush()
    store.close()
    return keys


def test_keys_stay(tmp_path: Path) -> None:
    keys = filled(tmp_path / "k")
    assert len({key.key for key in keys.values()}) == len(PEOPLE)
    store = KeyStore.open(tmp_path / "k")
    assert {person: store.person_key(person) for person in PEOPLE} == keys
    assert len(store) == len(PEOPLE)


def test_a_key_that_was_not_flushed_was_never_there(tmp_path: Path) -> None:
    store = KeyStore.open(tmp_path / "k")
    first = store.person_key("account:1")
    assert store.person_key("account:1") == first
    store.close()
    assert KeyStore.open(tmp_path / "k").known_keys("account:1") == []


def test_modes(tmp_path: Path) -> None:
    filled(tmp_path / "k")
    store = KeyStore.open(tmp_path / "k")
    store.epoch_key(202611)
    store.checkpoint_key()
    assert (tmp_path / "k").stat().st_mode & 0o777 == 0o700
    for path in (tmp_path / "k").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path
    (tmp_path / "k").chmod(0o750)
    with pytest.raises(ConfigError, match="open to others"):
        KeyStore.open(tmp_path / "k")


def test_the_highest_version_counts_and_the_older_ones_are_known(tmp_path: Path) -> None:
    filled(tmp_path / "k")
    older, newer = PersonKey(2, b"2" * 32), PersonKey(3, b"3" * 32)
    with (tmp_path / "k" / "persons.keys").open("ab") as file:
        file.write(encode_batch(encode_key("account:0", newer) + encode_key("account:0", older)))
    store = KeyStore.open(tmp_path / "k")
    assert store.person_key("account:0") == newer
    assert [key.version for key in store.known_keys("account:0")] == [1, 2, 3]


def test_long_and_unicode_ids(tmp_path: Path) -> None:
    store = KeyStore.open(tmp_path / "k")
    names = ["contact:+447946000123", "contact:" + "é" * 200, "contact:" + "é" * 201, "contact:" + "x" * 10_000]
    keys = [store.person_key(name) for name in names]
    store.flush()
    again = KeyStore.open(tmp_path / "k")
    assert [again.person_key(name) for name in names] == keys
    assert len(set(keys)) == len(names)


def test_a_torn_last_batch_is_cut_at_any_byte(tmp_path: Path) -> None:
    keys = filled(tmp_path / "k")
    path = tmp_path / "k" / "persons.keys"
    data = path.read_bytes()
    last = data.rindex(BATCH)
    for length in range(last, len(data), 7):
        for tail in (b"", bytes(len(data) - length)):
            path.write_bytes(data[:length] + tail)
            store = KeyStore.open(tmp_path / "k")
            assert len(store) == 10
            assert store.person_key(PEOPLE[9]) == keys[PEOPLE[9]]
            store.person_key("account:new")
            store.flush()
            store.close()
            assert len(KeyStore.open(tmp_path / "k")) == 11


def test_any_other_damage_is_refused(tmp_path: Path) -> None:
    filled(tmp_path / "k")
    path = tmp_path / "k" / "persons.keys"
    data = path.read_bytes()
    for at in range(data.rindex(BATCH)):
        changed = bytearray(data)
        changed[at] ^= 1
        path.write_bytes(changed)
        with pytest.raises(ConfigError, match="is not a file of person keys" if at < len(MAGIC) else "damaged at byte"):
            KeyStore.open(tmp_path / "k")


def test_read_only_never_writes(tmp_path: Path) -> None:
    filled(tmp_path / "k")
    before = {path: path.read_bytes() for path in (tmp_path / "k").rglob("*") if path.is_file()}
    store = KeyStore.open(tmp_path / "k", read_only=True)
    with pytest.raises(ConfigError):
        store.person_key("account:new")
    with pytest.raises(ConfigError):
        store.epoch_key(202611)
    with pytest.raises(ConfigError):
        store.checkpoint_key()
    assert store.known_keys("account:new") == []
    assert {path: path.read_bytes() for path in (tmp_path / "k").rglob("*") if path.is_file()} == before
    with pytest.raises(ConfigError, match="cannot be opened"):
        KeyStore.open(tmp_path / "other", read_only=True)


def test_epoch_and_checkpoint_keys_stay(tmp_path: Path) -> None:
    store = KeyStore.open(tmp_path / "k")
    keys = store.epoch_key(202611), store.epoch_key(202612), str(store.verifier_key("eu.test/log"))
    again = KeyStore.open(tmp_path / "k")
    assert (again.epoch_key(202611), again.epoch_key(202612), str(again.verifier_key("eu.test/log"))) == keys
    assert keys[0] != keys[1]
    (tmp_path / "k" / "epochs" / "202611").write_bytes(b"short")
    with pytest.raises(ConfigError, match="32 bytes"):
        KeyStore.open(tmp_path / "k").epoch_key(202611)
    (tmp_path / "k" / "checkpoint.key").write_bytes(b"not PEM")
    with pytest.raises(ConfigError, match="PEM"):
        KeyStore.open(tmp_path / "k").checkpoint_key()


def test_many_people_load_fast(tmp_path: Path) -> None:
    records = b"".join(encode_key(f"account:{n}", PersonKey(1, n.to_bytes(32, "big"))) for n in range(200_000))
    KeyStore.open(tmp_path / "k").close()
    (tmp_path / "k" / "persons.keys").write_bytes(MAGIC + encode_batch(records))
    started = time.monotonic()
    store = KeyStore.open(tmp_path / "k")
    assert time.monotonic() - started < 2
    assert store.person_key("account:199999").key == (199_999).to_bytes(32, "big")

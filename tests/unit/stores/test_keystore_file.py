"""People's keys in a file: a crash takes back what nobody was told, any other damage is refused."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from seenby.errors import ConfigError
from seenby.stores.keystore import KeyStore, PersonKey
from seenby.stores.keystore_file import BATCH, MAGIC, FileShelf, encode_batch
from seenby.stores.keystore_rows import PLACE, ROW, rows_of

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


def count(directory: Path) -> int:
    store = KeyStore.open(directory)
    store.close()
    return len(store)


def test_modes(tmp_path: Path) -> None:
    filled(tmp_path / "k")
    store = KeyStore.open(tmp_path / "k")
    store.epoch_key(202611)
    store.checkpoint_key()
    store.rotate()
    store.close()
    for folder in (tmp_path / "k", tmp_path / "kms"):
        assert folder.stat().st_mode & 0o777 == 0o700
        for path in folder.rglob("*"):
            assert path.stat().st_mode & 0o077 == 0, path
    (tmp_path / "k").chmod(0o750)
    with pytest.raises(ConfigError, match="open to others"):
        KeyStore.open(tmp_path / "k")
    with pytest.raises(ConfigError, match="cannot be opened"):
        KeyStore.open(tmp_path / "none", read_only=True)


def test_a_torn_last_batch_is_cut_at_any_byte(tmp_path: Path) -> None:
    keys = filled(tmp_path / "k")
    path = tmp_path / "k" / "persons.keys"
    data = path.read_bytes()
    last = data.rindex(BATCH)
    for length in range(last, len(data), 23):
        for tail in (b"", bytes(len(data) - length)):
            path.write_bytes(data[:length] + tail)
            reader = KeyStore.open(tmp_path / "k", read_only=True)
            assert reader.known_keys(PEOPLE[10]) == []
            reader.close()
            store = KeyStore.open(tmp_path / "k")
            assert len(store) == 10
            assert store.person_key(PEOPLE[9]) == keys[PEOPLE[9]]
            store.person_key("account:new")
            store.flush()
            store.close()
            assert count(tmp_path / "k") == 11


def test_another_process_left_a_torn_batch_while_this_one_runs(tmp_path: Path) -> None:
    keys = filled(tmp_path / "k")
    store = KeyStore.open(tmp_path / "k")
    path = tmp_path / "k" / "persons.keys"
    data = path.read_bytes()
    works: list[Callable[[], object]] = [lambda: None, lambda: store.forget([PEOPLE[3]]), store.rotate]
    for number, work in enumerate(works):
        with path.open("ab") as file:
            file.write(data[data.rindex(BATCH) : -5])
        work()
        new = store.person_key(f"account:new{number}")
        assert new.fresh
        store.flush()
    store.close()
    assert count(tmp_path / "k") == 22
    again = KeyStore.open(tmp_path / "k")
    assert again.person_key(PEOPLE[19]) == keys[PEOPLE[19]]
    again.close()


def test_any_other_damage_is_refused(tmp_path: Path) -> None:
    filled(tmp_path / "k")
    path = tmp_path / "k" / "persons.keys"
    data = path.read_bytes()
    for at in range(0, data.rindex(BATCH), 3):
        changed = bytearray(data)
        changed[at] ^= 1
        path.write_bytes(changed)
        with pytest.raises(ConfigError, match="is not a file of person keys" if at < len(MAGIC) else "damaged at byte"):
            KeyStore.open(tmp_path / "k")


def test_a_version_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    KeyStore.open(tmp_path / "k").close()
    (tmp_path / "k" / "persons.keys").write_bytes(b"seenby/persons/1")
    with pytest.raises(ConfigError, match="is not a file of person keys"):
        KeyStore.open(tmp_path / "k")


@pytest.mark.parametrize("text", ["", "{", "[1]", '[{"number": 1}]', '[{"wrapped": "zz"}]'])
def test_damaged_generations_are_refused(tmp_path: Path, text: str) -> None:
    filled(tmp_path / "k")
    (tmp_path / "k" / "generations.json").write_text(text)
    with pytest.raises(ConfigError, match=r"generations.json is damaged"):
        KeyStore.open(tmp_path / "k")


def test_a_failed_write_keeps_the_keys_queued(tmp_path: Path) -> None:
    """A real limit of the file's size: a part is written, then an error; later it is written whole."""
    code = f"""
import resource, signal, sys
from pathlib import Path
from seenby.stores.keystore import KeyStore
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
store = KeyStore.open(Path({str(tmp_path / "k")!r}))
store.person_keys([f"account:{{n}}" for n in range(100)])
resource.setrlimit(resource.RLIMIT_FSIZE, (4000, resource.RLIM_INFINITY))
try:
    store.flush()
except OSError as error:
    print(error.strerror)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
store.flush()
store.close()
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "File too large\n"
    assert count(tmp_path / "k") == 100


WRITER = """
import sys
from collections.abc import Callable
from pathlib import Path
from seenby.stores.keystore import KeyStore
store = KeyStore.open(Path(sys.argv[1]))
print("open", flush=True)
n = int(sys.argv[2])
while True:
    key = store.person_key(f"account:{n}")
    store.flush()
    print(n, key.key.hex(), flush=True)
    n += 1
    if n % 25 == 0:
        store.rotate()
        store.destroy_old(0)
"""


def test_killed_at_random_moments(tmp_path: Path) -> None:
    """kill -9 while keys are made and rotated: every key that somebody was told of is there."""
    generator = random.Random(int(os.environ["SEENBY_SEED"]))
    rounds = 60 if os.environ.get("SEENBY_CAMPAIGN") == "long" else 5
    told: dict[str, str] = {}
    for _ in range(rounds):
        command = [sys.executable, "-c", WRITER, str(tmp_path / "k"), str(len(told) + 100 * generator.randrange(1000))]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "open\n"
            for _ in range(generator.randrange(1, 80)):
                number, key = process.stdout.readline().split()
                told[f"account:{number}"] = key
            process.kill()
            for line in process.stdout:
                if line.endswith("\n"):
                    number, key = line.split()
                    told[f"account:{number}"] = key
    store = KeyStore.open(tmp_path / "k")
    assert {person: store.person_key(person).key.hex() for person in told} == told
    store.rotate()
    store.close()
    kept = json.loads((tmp_path / "k" / "generations.json").read_text())
    assert [one["number"] for one in kept] == list(range(1, len(kept) + 1))


def test_one_is_found_as_among_all(tmp_path: Path) -> None:
    """A few people are looked for in the file itself; more are looked up in its sorted rows."""
    generator = random.Random(f"{os.environ['SEENBY_SEED']} found")
    ids = [generator.randbytes(16) for _ in range(40)]
    directory = tmp_path / "k"
    directory.mkdir(0o700)
    shelf = FileShelf(directory, read_only=True)
    assert shelf.fetch(ids[:1]) == b""
    data, path = MAGIC, directory / "persons.keys"
    for _ in range(30):
        places = {(generator.choice(ids), generator.randrange(1, 4)) for _ in range(generator.randrange(1, 20))}
        rows = []
        for id_, version in sorted(places):
            rest = generator.randbytes(ROW - PLACE.size)
            at = generator.randrange(len(rest) - 16)
            if generator.random() < 0.3:  # the same bytes where no row begins
                rest = rest[:at] + generator.choice(ids) + rest[at + 16 :]
            rows.append(PLACE.pack(id_, version) + rest)
        data += encode_batch(b"".join(rows))
        path.write_bytes(data + encode_batch(PLACE.pack(ids[0], 9).ljust(ROW, b"\0"))[:-1])  # torn
        among = shelf.fetch(ids)
        for id_ in ids:
            expected = [row for row in rows_of(among) if row.startswith(id_)]
            assert shelf.fetch([id_]) == b"".join(expected)
    assert shelf.fetch(ids[3:7]) == b"".join(row for id_ in ids[3:7] for row in rows_of(among) if row.startswith(id_))
    shelf.close()

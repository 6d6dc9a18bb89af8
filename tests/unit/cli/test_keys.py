"""``seenby keys`` and [keys] in seenby.toml, as the operator of a region meets them."""

from __future__ import annotations

import json
import re
import shutil
import time
from pathlib import Path

import pytest

from seenby.cli.keys import outlook
from seenby.errors import ConfigError
from seenby.stores.config import load_config
from seenby.stores.keystore_open import open_keystore
from seenby.stores.keystore_rotation import DAY
from seenby.stores.keystore_rotation import status as read_status
from seenby.stores.kms_file import FileKms
from tests.fixtures.keystores import DatabasePlace, Place
from tests.fixtures.softhsm import Token
from tests.unit.cli.test_verify import run

PEOPLE = [f"account:{n}" for n in range(20)]


def write(directory: Path, *keys: str) -> Path:
    """A region's seenby.toml with these lines in [keys]."""
    directory.mkdir(exist_ok=True)
    file = directory / "seenby.toml"
    head = 'region = "eu"\norigin = "eu.test/log"\nstate = "state"\n[control]\nsocket = "control.sock"\n'
    database = '[database]\nhost = "/pg"\ndbname = "platform"\nuser = "seenby_guard"\n'
    file.write_text(head + database + "[keys]\n" + "\n".join(keys) + "\n")
    return file


def filled(file: Path) -> None:
    store = open_keystore(load_config(file))
    store.person_keys(PEOPLE)
    store.flush()
    store.close()


def test_look_rotate_destroy(tmp_path: Path) -> None:
    file = write(tmp_path)
    filled(file)
    assert {path.name for path in (tmp_path / "state").iterdir()} == {"keys", "kms"}
    said = run("keys", "status", "--config", file)
    assert (said.returncode, said.stderr) == (0, "")
    assert re.search(r"\b1 +\S* *20\b", said.stdout)
    assert "The next rotation is due" in said.stdout
    assert "is gone from every backup by" in said.stdout

    said = run("keys", "rotate", "--config", file)
    assert (said.returncode, said.stdout) == (0, "All 20 keys are under generation 2 now.\n")
    assert "20/20" in said.stderr
    assert "Generation 1 is destroyed from" in run("keys", "status", "--config", file).stdout
    assert len(FileKms(tmp_path / "state" / "kms").names()) == 2

    shutil.copytree(tmp_path / "state" / "keys", tmp_path / "old")
    said = run("keys", "rotate", "--config", file, "--destroy")
    assert said.returncode == 0
    for sentence in (
        "All 20 keys are under generation 3 now.",
        "Generation 1 is destroyed",
        "Generation 2 is destroyed",
        "Make a new one now.",
    ):
        assert sentence in said.stdout
    told = json.loads(run("keys", "status", "--config", file, "--json").stdout)
    assert [(one["generation"], one["keys"], one["destroyed"] is None) for one in told["generations"]] == [
        (1, 0, False),
        (2, 0, False),
        (3, 20, True),
    ]
    assert told["region"] == "eu"
    assert told["rotation_due"] < told["erased_now_gone_by"]

    shutil.rmtree(tmp_path / "state" / "keys")
    shutil.copytree(tmp_path / "old", tmp_path / "state" / "keys")
    said = run("keys", "rotate", "--config", file)
    assert (said.returncode, "was destroyed: nothing in it opens any more" in said.stderr) == (78, True)


def test_looking_makes_nothing(tmp_path: Path) -> None:
    file = write(tmp_path)
    for command in ("status", "rotate"):
        said = run("keys", command, "--config", file)
        assert (said.returncode, "Traceback" in said.stderr, said.stdout) == (78, False, "")
    (tmp_path / "state" / "keys").mkdir(mode=0o700, parents=True)
    said = run("keys", "rotate", "--config", file)
    assert (said.returncode, "the key store is empty" in said.stderr) == (78, True)
    assert list((tmp_path / "state").rglob("*")) == [tmp_path / "state" / "keys"]


def test_a_rotation_that_broke_off_is_told(tmp_path: Path) -> None:
    file = write(tmp_path)
    filled(file)
    store = open_keystore(load_config(file))

    def break_off(done: int, _: int) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        store.rotate(progress=break_off)
    store.close()
    assert "A rotation is under way, or broke off" in run("keys", "status", "--config", file).stdout
    assert "generation 2" in run("keys", "rotate", "--config", file).stdout
    assert "broke off" not in run("keys", "status", "--config", file).stdout


@pytest.mark.parametrize("erased_on", [0, 1, 29, 30, 31, 45])
def test_the_day_that_status_names_is_the_last_one(tmp_path: Path, erased_on: int) -> None:
    """A backup of the day of the erasure, tried on every day after, with a gateway that does its upkeep once a day."""
    config = load_config(write(tmp_path))
    place = Place(tmp_path / "place")
    started = place.now
    store = place.open()
    store.person_keys(PEOPLE)
    store.flush()
    gone_by = 0.0
    for day in range(erased_on + 62):
        place.now = started + day * DAY
        store.rotate_when_due(config.keys.rotate_days, config.keys.destroy_after_days)
        if day == erased_on:
            place.backup(tmp_path / "old")
            store.forget(["account:3"])
            gone_by = outlook(read_status(place.shelf(read_only=True)), config, place.now).gone_by
        if day > erased_on:
            other = Place(tmp_path / "other")
            other.kms, other.now = place.kms, place.now
            shutil.copytree(tmp_path / "old", other.keys)
            try:
                old = other.open(read_only=True)
            except ConfigError:
                assert place.now <= gone_by + DAY
                break
            assert old.known_keys("account:3") != []
            assert place.now < gone_by
            old.close()
            shutil.rmtree(other.keys)
    else:
        pytest.fail("it opens still")
    store.close()
    place.close()


def test_a_database_and_a_token(tmp_path: Path, database_place: DatabasePlace, token: Token) -> None:
    place = database_place
    (tmp_path / "pw").write_text(place.password)
    (tmp_path / "pw").chmod(0o600)
    where = f'host = "{place.cluster.sockets}"', f"port = {place.cluster.port}", f'dbname = "{place.name}"'
    whom = f'user = "{place.name}"', 'password_file = "pw"'
    kms = 'kms = "pkcs11"', f'module = "{token.module}"', f'token = "{token.label}"', f'pin_file = "{token.pin_file}"'
    file = write(tmp_path, *where, *whom, *kms)
    filled(file)
    assert len(place.rows()) == 20
    assert not (tmp_path / "state" / "kms").exists()
    said = run("keys", "rotate", "--config", file, "--destroy")
    assert (said.returncode, "All 20 keys are under generation 2 now." in said.stdout) == (0, True)
    assert re.search(r"\b2 +\S* *20\b", run("keys", "status", "--config", file).stdout)


DATABASE = ('dbname = "k"', 'user = "k"', 'password_file = "k.pw"')


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        (['kms = "vault"'], "keys.kms is 'vault'"),
        (['kms = "pkcs11"', 'module = "x.so"', 'token = "t"'], "keys.pin_file is missing"),
        (['kms_dir = "state/keys/kms"'], "keys.kms_dir is inside"),
        (['kms_dir = "state/keys"'], "keys.kms_dir is inside"),
        (['kms_dir = "state/ledger/private"'], "keys.kms_dir is inside"),
        (["rotate_days = 0"], "keys.rotate_days is at least 1"),
        (["destroy_after_days = -1"], "keys.rotate_days is at least 1"),
        (['dbname = "k"'], "keys.user and keys.password_file are missing"),
        ([DATABASE[0], 'user = "seenby_guard"', DATABASE[2]], "is the role of [database]"),
        (['dbname = "platform"', *DATABASE[1:]], "in the database of their data"),
        (['dbname = "platform"', *DATABASE[1:], 'host = "/pg"', "port = 5432"], "in the database of their data"),
        (["rotate = 1"], "keys.rotate is not a setting"),
    ],
)
def test_what_may_not_be_configured(tmp_path: Path, keys: list[str], words: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(words)):
        load_config(write(tmp_path, *keys))


def test_what_may_be_configured(tmp_path: Path) -> None:
    keys = load_config(write(tmp_path)).keys
    assert (keys.kms, keys.kms_dir, keys.dbname) == ("file", str(tmp_path / "state" / "kms"), "")
    assert (keys.rotate_days, keys.destroy_after_days) == (30, 30)
    keys = load_config(write(tmp_path, *DATABASE, "port = 5433", 'kms_dir = "/mnt/kms"')).keys
    assert (keys.host, keys.port, keys.kms_dir) == ("/pg", 5433, "/mnt/kms")
    assert keys.password_file == str(tmp_path / "k.pw")
    other_server = load_config(write(tmp_path, 'dbname = "platform"', *DATABASE[1:], 'host = "keys.example"')).keys
    assert other_server.host == "keys.example"


def test_the_outlook_of_an_overdue_rotation(tmp_path: Path) -> None:
    """A gateway that stood still for a year: the count begins now, not then."""
    file = write(tmp_path, "rotate_days = 10", "destroy_after_days = 5")
    filled(file)
    config = load_config(file)
    store = open_keystore(config)
    standings = read_status(store._shelf)
    store.close()
    now = time.time()
    made = standings[-1].generation.made
    assert outlook(standings, config, now).gone_by == made + 15 * DAY
    assert outlook(standings, config, now + 365 * DAY).gone_by == now + 365 * DAY + 5 * DAY

"""directory.toml: everything is checked, every error names the key, and what is written is read back."""

from __future__ import annotations

import re
import shutil
import stat
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import scramp

from seenby.errors import AuthFailed, ConfigError, UsageError
from seenby.model.classes import DataClass
from seenby.model.statistic import Thresholds
from seenby.stores.directory import (
    DirectoryFile,
    load_directory,
    load_private_key,
    make_principal,
    parse_directory,
    render_directory,
)
from seenby_verify.tlog.entries import key_id
from tests.fixtures.grants import ADA, BEN, DIRECTORY, DORA, SAM, UNA, private_key

TEXT = render_directory(DIRECTORY)


def test_what_is_written_is_read_back() -> None:
    assert parse_directory(TEXT, "directory.toml") == DIRECTORY
    odd = replace(SAM, name="o'neil@x".replace("'", "."), unit='Care "\\" é')
    again = replace(DIRECTORY, principals={odd.name: odd})
    assert parse_directory(render_directory(again), "d") == again


def test_who_is_who() -> None:
    assert DIRECTORY.principal("sam") is SAM
    assert DIRECTORY.by_key(key_id(ADA.public_key)) is ADA
    assert DIRECTORY.by_key(bytes(8)) is None
    assert DIRECTORY.guardians("eu") == (ADA, BEN, DORA)
    assert DIRECTORY.guardians("us") == (UNA,)
    with pytest.raises(AuthFailed, match="nobody called 'mallory'"):
        DIRECTORY.principal("mallory")


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("version = 1", "version = 2", "version"),
        ("version = 1\n", "", "version is missing"),
        ("[purposes]", "[porpoises]", "porpoises is not a known key"),
        ('[principals."sam"]', '[principals."Sam Smith"]', "must be a login name"),
        ('role = "operator"', 'role = "Big Boss"', "principals.root.role"),
        ('country = "CN"', 'country = "China"', "principals.li.country"),
        ('country = "CN"', "country = 86", "principals.li.country"),
        ('entity = "Orbit Beijing Co."', 'entity = "Orbyt"', "principals.li.entity names 'Orbyt'"),
        ('region = "us"', 'region = "mars"', "principals.una.region names 'mars'"),
        ('region = "us"', 'region = ""', "principals.una.region is for approvers"),
        ('role = "operator"\nregion = ""', 'role = "operator"\nregion = "eu"', "principals.root.region is for"),
        ('role = "operator"\n', "", "principals.root.role is missing"),
        ('role = "operator"\n', 'role = "operator"\nadmin = true\n', "principals.root.admin is not a known key"),
        ('scram = "SCRAM-SHA-256$4096', 'scram = "md5', "principals.sam.scram"),
        ('public_key = "', 'public_key = "AAAA', "public_key must be an Ed25519 public key"),
        ('public_key = "', 'public_key = "*', "public_key must be an Ed25519 public key"),
        ('countries = ["DE", "IE"]', 'countries = "IE"', "regions.eu.countries must be a list"),
        ('countries = ["DE", "IE"]', 'countries = ["Ireland"]', "regions.eu.countries"),
        ('entities = ["Orbit Inc."]', 'entities = ["Nobody"]', "regions.us.entities names 'Nobody'"),
        ("[entities]", "[entities", "is not TOML"),
        ("[entities]", "[statistics]\ndefault = 2\n[entities]", "statistics.default must be a number from 3 to 30"),
        ("[entities]", "[statistics]\nlocation = 31\n[entities]", "statistics.location must be a number from 3 to 30"),
        ("[entities]", "[statistics]\nlocation = true\n[entities]", "statistics.location must be a number"),
        ("[entities]", "[statistics]\nplaces = 10\n[entities]", "statistics.places is neither default nor a data cl"),
        ('[regions."eu"]', "[regions]\neu = 1\n[regions.xx]", "regions.eu must be a section"),
    ],
)
def test_every_error_names_its_key(old: str, new: str, place: str) -> None:
    assert old in TEXT
    with pytest.raises(ConfigError) as caught:
        parse_directory(TEXT.replace(old, new, 1), "d.toml")
    assert caught.value.message.startswith("d.toml")
    assert place in caught.value.message


def test_how_many_people_stand_behind_a_figure() -> None:
    assert parse_directory(TEXT, "d").statistics == Thresholds(10)
    other = replace(DIRECTORY, statistics=Thresholds(15, {DataClass.LOCATION: 25}))
    assert parse_directory(render_directory(other), "d") == other
    assert [other.statistics.of(classes) for classes in ((), (DataClass.PUBLIC,), tuple(DataClass))] == [15, 15, 25]


def test_a_key_is_one_persons_own() -> None:
    shared = replace(DIRECTORY, principals={"ada": ADA, "ben": replace(BEN, public_key=ADA.public_key)})
    with pytest.raises(ConfigError, match="is also the key of ada"):
        parse_directory(render_directory(shared), "d")


def test_the_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "directory.toml"
    path.write_text(TEXT)
    file = DirectoryFile(path)
    assert not file.changed()
    path.write_text(render_directory(replace(DIRECTORY, principals={"sam": replace(SAM, country="CN")})))
    assert file.changed()
    assert file.current.principal("sam").country == "CN"
    path.write_text("[broken")
    with pytest.raises(ConfigError):
        file.changed()
    assert not file.changed(), "told once"
    assert file.current.principal("sam").country == "CN", "what was good still counts"
    path.unlink()
    with pytest.raises(ConfigError, match="cannot read"):
        file.changed()


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read"):
        load_directory(tmp_path / "nowhere.toml")
    (tmp_path / "latin.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="UTF-8"):
        load_directory(tmp_path / "latin.toml")


def test_a_new_member_of_staff_gets_a_key_that_only_they_can_read(tmp_path: Path) -> None:
    key = tmp_path / "sam.pem"
    made = make_principal("sam", "secret", key, country="IE", entity="Orbit", role="support")
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert load_private_key(key).public_key().public_bytes_raw() == made.public_key
    with pytest.raises(UsageError, match="already there"):
        make_principal("sam", "secret", key, country="IE", entity="Orbit", role="support")


def test_keys_that_cannot_be_used(tmp_path: Path) -> None:
    open_to_others = tmp_path / "open.pem"
    make_principal("a", "s", open_to_others, country="", entity="x", role="y")
    open_to_others.chmod(0o640)
    with pytest.raises(UsageError, match="can be read by others"):
        load_private_key(open_to_others)
    with pytest.raises(UsageError, match="cannot read"):
        load_private_key(tmp_path / "nowhere")
    rubbish = tmp_path / "rubbish"
    rubbish.write_text("rubbish")
    rubbish.chmod(0o600)
    with pytest.raises(UsageError, match="not a private key"):
        load_private_key(rubbish)
    if shutil.which("openssl"):
        rsa = tmp_path / "rsa.pem"
        subprocess.run(["openssl", "genrsa", "-out", str(rsa), "2048"], check=True, capture_output=True)
        rsa.chmod(0o600)
        with pytest.raises(UsageError, match="not an Ed25519 key"):
            load_private_key(rsa)


def test_the_verifier_is_one_that_scram_accepts(tmp_path: Path) -> None:
    ann, ben = (
        make_principal(name, "pencil", tmp_path / name, country="IE", entity="Orbit", role="support").scram
        for name in ("ann", "ben")
    )
    made = re.fullmatch(r"SCRAM-SHA-256\$4096:([^$]+)\$([^:]+):(.+)", ann)
    assert made
    assert ann != ben, "a fresh salt"
    import base64

    salt, stored, server = (base64.b64decode(part) for part in made.groups())
    mechanism = scramp.ScramMechanism("SCRAM-SHA-256")
    assert mechanism.make_auth_info("pencil", iteration_count=4096, salt=salt)[1:3] == (stored, server)
    assert private_key("sam").public_key().public_bytes_raw() == SAM.public_key

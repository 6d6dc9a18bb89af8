"""What holds for every KMS: a directory, and a real PKCS#11 token (SoftHSM2)."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from seenby.errors import ConfigError, NotFound, Unavailable, UsageError
from seenby.stores.kms import Kms
from seenby.stores.kms_file import FileKms
from seenby.stores.kms_pkcs11 import Pkcs11Kms
from tests.fixtures.softhsm import Token


@pytest.fixture(params=["directory", "token"])
def kms(request: pytest.FixtureRequest, tmp_path: Path) -> Kms:
    if request.param == "directory":
        return FileKms(tmp_path / "kms")
    token: Token = request.getfixturevalue("token")
    return Pkcs11Kms(token.module, token.label, token.pin_file)


@pytest.fixture
def name() -> str:
    """The token is one for all tests, so each takes a name of its own."""
    return f"test-{secrets.token_hex(8)}"


def test_what_is_wrapped_opens_again(kms: Kms, name: str) -> None:
    kms.create(name)
    for data in (b"", b"x", bytes(82), secrets.token_bytes(1000)):
        wrapped = kms.wrap(name, data)
        assert len(wrapped) == 12 + len(data) + 16
        assert kms.unwrap(name, wrapped) == data
    assert kms.wrap(name, b"x") != kms.wrap(name, b"x")
    assert name in kms.names()


def test_what_was_changed_does_not_open(kms: Kms, name: str) -> None:
    kms.create(name)
    wrapped = kms.wrap(name, b"secret")
    changed = [wrapped[:at] + bytes([wrapped[at] ^ 1]) + wrapped[at + 1 :] for at in range(len(wrapped))]
    for one in [*changed, b"", wrapped[:-1], wrapped[:20], wrapped + b"x"]:
        with pytest.raises(ConfigError, match=f"under the key {name} does not open"):
            kms.unwrap(name, one)
    assert kms.unwrap(name, wrapped) == b"secret"


def test_another_key_does_not_open_it(kms: Kms, name: str) -> None:
    kms.create(name)
    kms.create(name + "x")
    with pytest.raises(ConfigError, match="does not open"):
        kms.unwrap(name + "x", kms.wrap(name, b"secret"))


def test_destruction_is_final(kms: Kms, name: str) -> None:
    kms.create(name)
    wrapped = kms.wrap(name, b"secret")
    kms.destroy(name)
    kms.destroy(name)
    assert name not in kms.names()
    with pytest.raises(NotFound, match=f"the KMS has no key {name}"):
        kms.unwrap(name, wrapped)
    with pytest.raises(NotFound, match=f"the KMS has no key {name}"):
        kms.wrap(name, b"x")
    kms.create(name)  # the name alone brings nothing back
    with pytest.raises(ConfigError, match="does not open"):
        kms.unwrap(name, wrapped)


def test_a_key_is_made_once(kms: Kms, name: str) -> None:
    kms.create(name)
    wrapped = kms.wrap(name, b"secret")
    with pytest.raises(ConfigError, match=f"there is a key {name} already"):
        kms.create(name)
    assert kms.unwrap(name, wrapped) == b"secret"


@pytest.mark.parametrize("wrong", ["", "../x", "A", "-x", "x/y", "x" * 64, "x\n", "é"])
def test_names_that_could_be_something_else(kms: Kms, wrong: str) -> None:
    with pytest.raises(UsageError, match="cannot be the name of a key"):
        kms.create(wrong)
    with pytest.raises(UsageError, match="cannot be the name of a key"):
        kms.destroy(wrong)


def test_both_write_the_same_format(kms: Kms, tmp_path: Path) -> None:
    """nonce[12], then AES-256-GCM with the key's name beside it: here opened by hand."""
    if isinstance(kms, FileKms):
        kms.create("by-hand")
        wrapped = kms.wrap("by-hand", b"secret")
        key = (tmp_path / "kms" / "by-hand.kek").read_bytes()
        assert AESGCM(key).decrypt(wrapped[:12], wrapped[12:], b"by-hand") == b"secret"
    else:
        kms.create("by-hand")
        wrapped = kms.wrap("by-hand", b"secret")
        assert len(wrapped) == 12 + 6 + 16
        kms.destroy("by-hand")


def test_a_directory_that_others_may_read(tmp_path: Path) -> None:
    kms = FileKms(tmp_path / "kms")
    assert not (tmp_path / "kms").exists(), "it is made with the first key, so that looking makes none"
    assert kms.names() == []
    kms.create("x")
    assert (tmp_path / "kms").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "kms" / "x.kek").stat().st_mode & 0o777 == 0o600
    (tmp_path / "kms").chmod(0o755)
    with pytest.raises(ConfigError, match="open to others"):
        FileKms(tmp_path / "kms")


def test_a_directory_that_is_damaged_or_none(tmp_path: Path) -> None:
    kms = FileKms(tmp_path / "kms")
    kms.create("x")
    (tmp_path / "kms" / "x.kek").write_bytes(b"short")
    with pytest.raises(ConfigError, match="does not hold 32 bytes"):
        kms.wrap("x", b"")
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match="cannot be used"):
        FileKms(tmp_path / "file" / "kms").create("x")


def test_a_token_keeps_its_keys_for_itself(token: Token) -> None:
    kms = Pkcs11Kms(token.module, token.label, token.pin_file)
    kms.create("inside")
    with kms._session("inside") as session:
        key = kms._key(session, "inside")
        with pytest.raises(kms._pkcs11.PKCS11Error):
            key[kms._pkcs11.Attribute.VALUE]
        assert key[kms._pkcs11.Attribute.EXTRACTABLE] is False
    kms.destroy("inside")


def test_a_token_that_is_not_there(token: Token, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no token 'another'"):
        Pkcs11Kms(token.module, "another", token.pin_file).names()
    with pytest.raises(ConfigError, match="does not load"):
        Pkcs11Kms(tmp_path / "none.so", token.label, token.pin_file)
    with pytest.raises(ConfigError, match="cannot read the PIN"):
        Pkcs11Kms(token.module, token.label, tmp_path / "none")
    pin_file = tmp_path / "pin"
    pin_file.write_text("0000")
    pin_file.chmod(0o644)
    with pytest.raises(ConfigError, match="readable by others"):
        Pkcs11Kms(token.module, token.label, pin_file)
    pin_file.chmod(0o600)
    with pytest.raises(ConfigError, match="refuses the PIN"):
        Pkcs11Kms(token.module, token.label, pin_file).names()
    assert isinstance(Pkcs11Kms(token.module, token.label, token.pin_file).names(), list)

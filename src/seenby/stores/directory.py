"""``directory.toml``: who works here. It stands for the identity provider; Seenby only reads it.

::

    version = 1

    [entities]                              # legal entities, and the country of each
    "Orbit Ireland Ltd" = "IE"

    [purposes]                              # what a request may give as its purpose
    support = "answer a ticket that the person opened"

    [regions.eu]                            # where the data of its people may be looked at, and by whose staff
    countries = ["IE", "DE", "FR"]
    entities = ["Orbit Ireland Ltd"]

    [principals.sam]
    country = "IE"                          # where they are now; "" = unknown
    entity = "Orbit Ireland Ltd"
    unit = "Customer Care"
    role = "support"
    region = ""                             # approvers and protection officers: whose people they guard
    public_key = "qj0l...="                 # Ed25519, 32 bytes in base64
    scram = "SCRAM-SHA-256$4096:...$...:..."  # the verifier of the password, as Postgres writes it

    [auditors]                              # may be left out: who opens the records, with their X25519 keys
    "audrey" = "Zm9v...="

docs/formats/directory.md explains every key.
"""

from __future__ import annotations

import base64
import json
import os
import re
import stat
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from seenby.errors import AuthFailed, ConfigError, UsageError
from seenby.grants.facts import RegionRules
from seenby.guard.scram import verifier
from seenby.model.classes import DataClass
from seenby.model.principal import Principal
from seenby.model.statistic import LEAST_LEAST, LEAST_PEOPLE, MOST_LEAST, USUAL, Thresholds
from seenby_verify.tlog.entries import key_id

APPROVING_ROLES = frozenset({"approver", "protection-officer"})
"""Roles that guard the people of a region, and so must name it."""

_COUNTRY = re.compile(r"[A-Z]{2}")
_NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,62}")
_ROLE = re.compile(r"[a-z][a-z0-9-]{0,31}")
_SCRAM = re.compile(r"SCRAM-SHA-256\$[0-9]{4,7}:[A-Za-z0-9+/]+=*\$[A-Za-z0-9+/]{43}=:[A-Za-z0-9+/]{43}=")


@dataclass(frozen=True)
class Directory:
    """One reading of the file. Immutable.

    Attributes:
        principals: by login name.
        entities: legal entity -> its country.
        purposes: word -> what it means, one sentence.
        regions: what the policy needs to know of each region.
        auditors: who opens the records of an epoch together, with their X25519 public keys.
        statistics: how many people must stand behind a figure.
    """

    principals: Mapping[str, Principal]
    entities: Mapping[str, str]
    purposes: Mapping[str, str]
    regions: Mapping[str, RegionRules]
    auditors: Mapping[str, bytes] = field(default_factory=dict)
    statistics: Thresholds = USUAL

    @cached_property
    def _keys(self) -> dict[bytes, Principal]:
        return {key_id(principal.public_key): principal for principal in self.principals.values()}

    def principal(self, name: str) -> Principal:
        """Raises AuthFailed for a name that is not here."""
        try:
            return self.principals[name]
        except KeyError:
            raise AuthFailed(
                f"the directory knows nobody called {name!r}", hint="check the name that you gave with --as"
            ) from None

    def by_key(self, key: bytes) -> Principal | None:
        """Whose key id (8 bytes) is this?"""
        return self._keys.get(key)

    def guardians(self, region: str, roles: Iterable[str] = APPROVING_ROLES) -> tuple[Principal, ...]:
        """Approvers and protection officers of a region, sorted by name."""
        found = (p for p in self.principals.values() if p.region == region and p.role in set(roles))
        return tuple(sorted(found, key=lambda principal: principal.name))


class DirectoryFile:
    """The file, and what it said when it was last good.

    Args:
        path: of ``directory.toml``.

    Raises:
        ConfigError: the file cannot be read, or says something that makes no sense (which key, what is expected).
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen = _fingerprint(path)
        self.current = load_directory(path)

    def changed(self) -> bool:
        """Reads the file again if it is another one than last time; True if ``current`` is new.

        Raises ConfigError when the new text is wrong: once per change, and ``current`` stays.
        """
        seen = _fingerprint(self.path)
        if seen == self._seen:
            return False
        self._seen = seen
        before, self.current = self.current, load_directory(self.path)
        return before != self.current


def load_directory(path: Path) -> Directory:
    """Reads and checks ``directory.toml``. Raises ConfigError with the key at fault."""
    try:
        return parse_directory(path.read_text(), str(path))
    except OSError as error:
        raise ConfigError(f"cannot read the directory {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"the directory {path} is not UTF-8") from None


def parse_directory(text: str, place: str) -> Directory:
    """As ``load_directory``, from text; ``place`` is named in errors."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{place} is not TOML: {error}") from None
    reader = _Reader(place)
    raw.setdefault("auditors", {})
    raw.setdefault("statistics", {})
    reader.keys("", raw, {"version", "entities", "purposes", "regions", "principals", "auditors", "statistics"})
    if raw["version"] != 1:
        raise reader.wrong("version", "must be 1")
    entities = {name: reader.country(f"entities.{name}", value) for name, value in raw["entities"].items()}
    purposes = {name: reader.text(f"purposes.{name}", value) for name, value in raw["purposes"].items()}
    regions = {name: reader.region(name, table, entities) for name, table in raw["regions"].items()}
    principals = {name: reader.principal(name, table, entities, regions) for name, table in raw["principals"].items()}
    owners: dict[bytes, str] = {}
    for name, principal in principals.items():
        # Two names with one key could approve as two people.
        other = owners.setdefault(key_id(principal.public_key), name)
        if other != name:
            raise reader.wrong(f"principals.{name}.public_key", f"is also the key of {other}; everybody has their own")
    auditors = {name: reader.auditor(name, value) for name, value in raw["auditors"].items()}
    return Directory(principals, entities, purposes, regions, auditors, reader.thresholds(raw["statistics"]))


@dataclass(frozen=True)
class _Reader:
    """Checks values; every error names file and key."""

    place: str

    def wrong(self, key: str, what: str) -> ConfigError:
        return ConfigError(f"{self.place}: {key} {what}", hint="docs/formats/directory.md explains every key")

    def keys(self, where: str, table: object, expected: set[str]) -> None:
        if not isinstance(table, dict):
            raise self.wrong(where, "must be a section")
        prefix = f"{where}." if where else ""
        for key in sorted(expected ^ set(table)):
            raise self.wrong(f"{prefix}{key}", "is missing" if key in expected else "is not a known key")
        for key, value in table.items():
            if not where and key != "version" and not isinstance(value, dict):
                raise self.wrong(key, "must be a section")

    def thresholds(self, table: Mapping[str, object]) -> Thresholds:
        least: dict[str, int] = {}
        for name, value in table.items():
            if name != "default" and name not in set(DataClass):
                raise self.wrong(f"statistics.{name}", "is neither default nor a data class")
            if type(value) is not int or not LEAST_LEAST <= value <= MOST_LEAST:
                raise self.wrong(f"statistics.{name}", f"must be a number from {LEAST_LEAST} to {MOST_LEAST}")
            least[name] = value
        default = least.pop("default", LEAST_PEOPLE)
        return Thresholds(default, {DataClass(name): value for name, value in least.items()})

    def text(self, key: str, value: object, *, empty: bool = False) -> str:
        if not isinstance(value, str) or len(value) > 200 or not value.isprintable() or not (value or empty):
            raise self.wrong(key, "must be one line of text")
        return value

    def country(self, key: str, value: object, *, empty: bool = False) -> str:
        text = self.text(key, value, empty=empty)
        if text and not _COUNTRY.fullmatch(text):
            raise self.wrong(key, 'must be a country by its two capital letters (ISO 3166-1), as in "IE"')
        return text

    def names(self, key: str, value: object) -> list[str]:
        if not isinstance(value, list):
            raise self.wrong(key, 'must be a list, as in ["..."]')
        return [self.text(key, item) for item in value]

    def region(self, name: str, table: dict[str, Any], entities: Mapping[str, str]) -> RegionRules:
        where = f"regions.{name}"
        self.keys(where, table, {"countries", "entities"})
        countries = [
            self.country(f"{where}.countries", item) for item in self.names(f"{where}.countries", table["countries"])
        ]
        allowed = self.names(f"{where}.entities", table["entities"])
        for entity in allowed:
            if entity not in entities:
                raise self.wrong(f"{where}.entities", f"names {entity!r}, which [entities] does not have")
        return RegionRules(frozenset(countries), frozenset(allowed))

    def principal(
        self, name: str, table: dict[str, Any], entities: Mapping[str, str], regions: Mapping[str, RegionRules]
    ) -> Principal:
        where = f"principals.{name}"
        if not _NAME.fullmatch(name):
            raise self.wrong(where, "must be a login name: lower-case letters, digits, and . _ @ -")
        self.keys(where, table, {"country", "entity", "unit", "role", "region", "public_key", "scram"})
        made = Principal(
            name=name,
            country=self.country(f"{where}.country", table["country"], empty=True),
            entity=self.text(f"{where}.entity", table["entity"]),
            unit=self.text(f"{where}.unit", table["unit"], empty=True),
            role=self.text(f"{where}.role", table["role"]),
            region=self.text(f"{where}.region", table["region"], empty=True),
            public_key=self._key(f"{where}.public_key", table["public_key"], "an Ed25519"),
            scram=self.text(f"{where}.scram", table["scram"]),
        )
        if made.entity not in entities:
            raise self.wrong(f"{where}.entity", f"names {made.entity!r}, which [entities] does not have")
        if not _ROLE.fullmatch(made.role):
            raise self.wrong(f"{where}.role", 'must be one word, as in "support"')
        if made.region and made.region not in regions:
            raise self.wrong(f"{where}.region", f"names {made.region!r}, which [regions] does not have")
        if bool(made.region) != (made.role in APPROVING_ROLES):
            raise self.wrong(f"{where}.region", "is for approvers and protection officers, and they need one")
        if not _SCRAM.fullmatch(made.scram):
            raise self.wrong(f"{where}.scram", "must be a SCRAM-SHA-256 verifier, as Postgres writes it")
        return made

    def auditor(self, name: str, value: object) -> bytes:
        if not _NAME.fullmatch(name):
            raise self.wrong(f"auditors.{name}", "must be a name: lower-case letters, digits, and . _ @ -")
        return self._key(f"auditors.{name}", value, "an X25519")

    def _key(self, key: str, value: object, kind: str) -> bytes:
        try:
            data = base64.b64decode(self.text(key, value), validate=True)
        except ValueError:
            data = b""
        if len(data) != 32:
            raise self.wrong(key, f"must be {kind} public key: 32 bytes in base64")
        return data


def render_directory(directory: Directory) -> str:
    """TOML that ``parse_directory`` reads back to an equal Directory."""
    lines = ["version = 1", "", "[entities]"]
    lines += [f"{_quoted(name)} = {_quoted(country)}" for name, country in directory.entities.items()]
    lines += ["", "[purposes]"]
    lines += [f"{_quoted(name)} = {_quoted(sentence)}" for name, sentence in directory.purposes.items()]
    for name, rules in directory.regions.items():
        lines += ["", f"[regions.{_quoted(name)}]"]
        lines += [f"countries = [{', '.join(map(_quoted, sorted(rules.countries)))}]"]
        lines += [f"entities = [{', '.join(map(_quoted, sorted(rules.entities)))}]"]
    for name, principal in directory.principals.items():
        lines += ["", f"[principals.{_quoted(name)}]"]
        for key in ("country", "entity", "unit", "role", "region"):
            lines.append(f"{key} = {_quoted(getattr(principal, key))}")
        lines.append(f"public_key = {_quoted(base64.b64encode(principal.public_key).decode())}")
        lines.append(f"scram = {_quoted(principal.scram)}")
    if directory.statistics != USUAL:
        least = {"default": directory.statistics.default}
        least |= {str(name): number for name, number in directory.statistics.classes.items()}
        lines += ["", "[statistics]", *(f"{name} = {number}" for name, number in least.items())]
    if directory.auditors:
        lines += ["", "[auditors]"]
        lines += [
            f"{_quoted(name)} = {_quoted(base64.b64encode(key).decode())}" for name, key in directory.auditors.items()
        ]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    # A TOML basic string has JSON's escapes (TOML 1.0, "String"), and the directory holds printable text only.
    return json.dumps(text, ensure_ascii=False)


def make_principal(
    name: str,
    password: str,
    key_file: Path,
    *,
    country: str,
    entity: str,
    role: str,
    unit: str = "",
    region: str = "",
) -> Principal:
    """A new member of staff: writes their private key to ``key_file`` (PEM, mode 0600), returns their entry.

    Raises UsageError when the file is already there.
    """
    private = Ed25519PrivateKey.generate()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        descriptor = os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise UsageError(f"{key_file} is already there", hint="keys are never written over; move it away") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
    public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return Principal(name, country, entity, unit, role, region, public, verifier(password, os.urandom(16)))


def load_private_key(path: Path) -> Ed25519PrivateKey:
    """Reads what ``make_principal`` wrote. Raises UsageError: not there, not Ed25519, readable by others."""
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise UsageError(f"{path} can be read by others", hint=f"chmod 600 {path}")
        key = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise UsageError(f"cannot read the key {path}: {error.strerror}", hint="give --key FILE") from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise UsageError(f"{path} is not a private key", hint="give --key FILE, an unencrypted PEM file") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise UsageError(
            f"{path} is not an Ed25519 key", hint="give --key FILE, the key that the directory lists for you"
        )
    return key


def _fingerprint(path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
    except OSError:
        return ()
    return (found.st_mtime_ns, found.st_size, found.st_ino)

"""The signed list of regions (docs/formats/trust.md): which logs a person's list must cover.

::

    seenby/regions/v1
    platform.example
    3
    eu eu.log.platform.example+530d903a+AekyeR...
    us us.log.platform.example+...

    — platform.example <base64 of key id[4] and signature[64]>
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from seenby_verify.errors import VerificationError
from seenby_verify.tlog.note import Note, sign_note
from seenby_verify.tlog.strict import decode_decimal
from seenby_verify.tlog.vkey import VerifierKey, valid_name

_FIRST: Final = "seenby/regions/v1"
_WHAT: Final = "list of regions"


@dataclass(frozen=True, slots=True)
class RegionList:
    """``logs``: (region, the log's verifier key), by region. ``serial`` counts from 1."""

    organisation: str
    serial: int
    logs: tuple[tuple[str, VerifierKey], ...]

    @property
    def text(self) -> bytes:
        lines = [_FIRST, self.organisation, str(self.serial), *(f"{region} {key}" for region, key in self.logs), ""]
        return "\n".join(lines).encode()

    @classmethod
    def parse(cls, text: bytes) -> RegionList:
        """From the text of a note. Raises VerificationError; there is one spelling only."""
        lines = text.decode("utf-8", "replace").split("\n")
        if lines[0] != _FIRST or len(lines) < 5:
            raise _wrong(f"does not begin with {_FIRST}, organisation, serial number and one region")
        serial = decode_decimal(lines[2])
        if not valid_name(lines[1]) or not serial:
            raise _wrong("has no organisation or no serial number from 1")
        logs: list[tuple[str, VerifierKey]] = []
        for line in lines[3:-1]:
            region, _, key = line.partition(" ")
            if not valid_region(region):
                raise _wrong(f"has a line without a region: {line!r:.80}")
            try:
                logs.append((region, VerifierKey.parse(key)))
            except VerificationError as error:
                raise _wrong(f"region {region}: {error.message}") from None
        found = cls(lines[1], serial, tuple(logs))
        names = [region for region, _ in logs]
        if names != sorted(set(names)):
            raise _wrong("is not sorted by region, or names a region twice")
        if len({key.name for _, key in logs}) != len(logs) or len({key.key for _, key in logs}) != len(logs):
            raise _wrong("names a log twice")
        if found.text != text:
            raise _wrong("is not written as the format says")
        return found

    @classmethod
    def open(cls, document: bytes, key: VerifierKey | None) -> RegionList:
        """The list in a signed note. ``key``: the organisation's; without it no signature is checked."""
        note = Note.parse(document, _WHAT)
        if key is not None and not note.signatures([key]):
            raise _wrong("is not signed by the organisation's key that you gave")
        found = cls.parse(note.text)
        if key is not None and found.organisation != key.name:
            raise _wrong(f"is of {found.organisation!r:.80}, the key of {key.name!r}")
        return found

    def sign(self, key: Ed25519PrivateKey) -> bytes:
        """The signed note. Raises VerificationError if the list cannot be written."""
        RegionList.parse(self.text)
        return sign_note(self.text, self.organisation, key)

    def check_follows(self, older: RegionList) -> None:
        """Raises VerificationError unless this may be the next list in a log after ``older``."""
        if self.organisation != older.organisation or self.serial != older.serial + 1:
            raise _wrong(f"number {self.serial} does not follow number {older.serial} of {older.organisation!r:.80}")
        missing = [region for region, key in older.logs if (region, key) not in self.logs]
        if missing:
            raise _wrong(f"number {self.serial} leaves out or changes region {missing[0]}")


def valid_region(region: str) -> bool:
    return 0 < len(region) <= 64 and region.isascii() and region.isprintable() and " " not in region


def _wrong(what: str) -> VerificationError:
    return VerificationError(f"the {_WHAT} {what}", where=_WHAT)

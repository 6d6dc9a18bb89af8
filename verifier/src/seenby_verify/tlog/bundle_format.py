"""The bundle of a person as it is written (docs/formats/bundle.md); ``bundle.BundleCheck`` says whether it holds.

::

    {"format":"seenby/bundle/v1","person":"account:42","made":"2026-11-22T12:00:00Z",
     "keys":[{"version":1,"key":"<32 bytes>","region":"eu","index":12}],"logs":[...]}
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Final

from seenby_verify.errors import VerificationError
from seenby_verify.tlog.labels import LabelProof
from seenby_verify.tlog.note import MAX_NOTE
from seenby_verify.tlog.regions import valid_region
from seenby_verify.tlog.steps import Placed, at, fault
from seenby_verify.tlog.strict import Fields, load_json

FORMAT: Final = "seenby/bundle/v1"
MAX_BUNDLE: Final = 1 << 28
"""Bytes of a bundle: some 30,000 accesses."""
_MANY: Final = 1 << 20
_SEALED: Final = 1 << 24
_MADE: Final = re.compile(r"\d{4}-\d\d-\d\dT(?!24)\d\d:\d\d:\d\dZ", re.ASCII)
"""Not the hour 24, which some versions of Python take for the next day's first."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key of the person. ``region``, ``index``: where the entry is that enrolled it."""

    version: int
    key: bytes
    region: str
    index: int

    @classmethod
    def read(cls, value: object, place: str) -> Key:
        fields = Fields(value, place, ("version", "key", "region", "index"))
        return cls(_version(fields), fields.binary("key", 32), _region(fields), fields.number("index"))


@dataclass(frozen=True, slots=True)
class KeyCount:
    """How many labels of a key are in an epoch, and the proof that the next one is not."""

    version: int
    count: int
    absent: LabelProof

    @classmethod
    def read(cls, value: object, place: str) -> KeyCount:
        fields = Fields(value, place, ("version", "count", "absent"))
        try:
            absent = LabelProof.from_json(fields.raw("absent"))
        except VerificationError as error:
            raise at(fields.at("absent"), error) from None
        return cls(_version(fields), fields.number("count"), absent)


@dataclass(frozen=True, slots=True)
class EpochItem:
    """``seal``: the closing one; ``next``: what stands behind it, None at the log's end."""

    epoch: int
    seal: Placed
    next: Placed | None
    keys: tuple[KeyCount, ...]

    @classmethod
    def read(cls, value: object, place: str) -> EpochItem:
        fields = Fields(value, place, ("epoch", "seal", "next", "keys"))
        return cls(
            _epoch(fields), _placed(fields, "seal"), _maybe(fields, "next"), fields.each("keys", 255, KeyCount.read)
        )


@dataclass(frozen=True, slots=True)
class ShownItem:
    """Label ``n`` of a key in an epoch: its person entry, the entry that this follows, and the sealed blobs of both."""

    version: int
    epoch: int
    n: int
    entry: Placed
    sealed: bytes
    head: Placed
    record: bytes

    @classmethod
    def read(cls, value: object, place: str) -> ShownItem:
        fields = Fields(value, place, ("version", "epoch", "n", "entry", "sealed", "head", "record"))
        return cls(
            _version(fields),
            _epoch(fields),
            fields.number("n"),
            _placed(fields, "entry"),
            fields.binary("sealed", limit=_SEALED),
            _placed(fields, "head"),
            fields.binary("record", limit=_SEALED),
        )


@dataclass(frozen=True, slots=True)
class LogItem:
    """``checkpoint``: the signed note. ``regions``: the newest list of regions; ``start``: entry 0, if it is needed."""

    region: str
    origin: str
    checkpoint: bytes
    regions: Placed | None
    start: Placed | None
    epochs: tuple[EpochItem, ...]
    shown: tuple[ShownItem, ...]

    @classmethod
    def read(cls, value: object, place: str) -> LogItem:
        fields = Fields(value, place, ("region", "origin", "checkpoint", "regions", "start", "epochs", "shown"))
        found = cls(
            _region(fields),
            fields.text("origin"),
            fields.text("checkpoint", MAX_NOTE).encode(),
            _maybe(fields, "regions"),
            _maybe(fields, "start"),
            fields.each("epochs", 12 * 8000, EpochItem.read),
            fields.each("shown", _MANY, ShownItem.read),
        )
        for i, (item, following) in enumerate(pairwise(found.epochs), 1):
            if following.epoch <= item.epoch:
                raise fault(f"{place}.epochs[{i}]", f"epoch {following.epoch} stands behind {item.epoch}")
        for i, (one, other) in enumerate(pairwise(found.shown), 1):
            if other.entry.index <= one.entry.index:
                raise fault(f"{place}.shown[{i}]", f"entry {other.entry.index} stands behind {one.entry.index}")
        return found


@dataclass(frozen=True, slots=True)
class Bundle:
    """``person``: what the operator calls them. ``made``: when, in UTC. Neither is signed."""

    person: str
    made: str
    keys: tuple[Key, ...]
    logs: tuple[LogItem, ...]

    @classmethod
    def parse(cls, data: bytes) -> Bundle:
        """Step 1 of the format's list. Raises VerificationError with the place of the first fault."""
        try:
            value = load_json(data, "the bundle", MAX_BUNDLE)
        except VerificationError as error:
            raise VerificationError(error.message, where="bundle", hint="is it the whole file?") from None
        # A later version may have other members: say that it is one before they are missed.
        if isinstance(value, dict) and value.get("format") != FORMAT:
            raise VerificationError(
                f"the bundle's format is not {FORMAT}", where="format", hint="take a newer version of the verifier"
            )
        fields = Fields(value, "", ("format", "person", "made", "keys", "logs"))
        made = fields.text("made", 20)
        if not _MADE.fullmatch(made) or not _is_time(made):
            raise fault("made", "is not a time such as 2026-11-22T12:00:00Z")
        keys = fields.each("keys", 255, Key.read)
        if not keys or any(key.version != number for number, key in enumerate(keys, 1)):
            raise fault("keys", "the versions do not count from 1")
        return cls(fields.text("person"), made, keys, fields.each("logs", 1024, LogItem.read))


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _version(fields: Fields) -> int:
    return fields.number("version", 1, 255)


def _epoch(fields: Fields) -> int:
    epoch = fields.number("epoch", 2000_01, 9999_12)
    if not 1 <= epoch % 100 <= 12:
        raise fault(fields.at("epoch"), f"{epoch} is not an epoch such as 202611")
    return epoch


def _region(fields: Fields) -> str:
    region = fields.text("region")
    if not valid_region(region):
        raise fault(fields.at("region"), "is not the name of a region")
    return region


def _placed(fields: Fields, name: str) -> Placed:
    return Placed.read(fields.raw(name), fields.at(name))


def _maybe(fields: Fields, name: str) -> Placed | None:
    return None if fields.raw(name) is None else _placed(fields, name)

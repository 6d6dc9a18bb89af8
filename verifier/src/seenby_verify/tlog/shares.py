"""The sealed shares of an epoch's private key; how auditors open them one after the other (docs/formats/records.md).

Pure: sealing draws randomness and is elsewhere (``seenby.stores.auditors``).
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import combinations
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from seenby_verify.errors import VerificationError
from seenby_verify.tlog.entries import EpochKey
from seenby_verify.tlog.records import SUITE
from seenby_verify.tlog.strict import Fields, canonical, load_json

MAX_QUORUMS: Final = 500
_MAX_AUDITORS: Final = 255
_MAX_BYTES: Final = 1 << 24
_LAYER: Final = 32 + 16
"""What each layer adds: ``enc[32]`` and the tag."""


def share_info(region: str, epoch: int) -> bytes:
    """``seenby/epoch-share/v1\\neu\\n202611\\n``."""
    return f"seenby/epoch-share/v1\n{region}\n{epoch}\n".encode("ascii")


def quorums(names: Sequence[str], threshold: int) -> list[tuple[str, ...]]:
    """Every set of ``threshold`` auditors, each in the order of their names: ada ben, ada cid, ben cid."""
    return list(combinations(sorted(names), threshold))


def public_key(private: bytes) -> bytes:
    """The X25519 public key of 32 private bytes."""
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


@dataclass(frozen=True, slots=True)
class Share:
    """The private key, sealed to all of ``quorum``: the first one opens the outermost layer."""

    quorum: tuple[str, ...]
    sealed: bytes


@dataclass(frozen=True, slots=True)
class EpochShares:
    """``private/epochs/202611.json``. ``auditors``: names and X25519 keys; ``public``: the epoch's public key."""

    region: str
    epoch: int
    threshold: int
    auditors: tuple[tuple[str, bytes], ...]
    public: bytes
    shares: tuple[Share, ...]

    def encode(self) -> bytes:
        """The one encoding."""
        return canonical(
            {
                "auditors": [{"key": _base64(key), "name": name} for name, key in self.auditors],
                "epoch": self.epoch,
                "public": _base64(self.public),
                "region": self.region,
                "shares": [{"quorum": list(one.quorum), "sealed": _base64(one.sealed)} for one in self.shares],
                "threshold": self.threshold,
                "v": 1,
            }
        )

    def entry(self) -> EpochKey:
        """What the log says of it."""
        digest = sha256(self.encode()).digest()
        return EpochKey(self.epoch, self.threshold, len(self.auditors), self.public, digest)

    @classmethod
    def parse(cls, data: bytes) -> EpochShares:
        """Raises VerificationError unless it is such a document, with one share for each quorum, in order."""
        names = {"auditors", "epoch", "public", "region", "shares", "threshold", "v"}
        fields = Fields(load_json(data, "the document with the shares", _MAX_BYTES), "", names)
        fields.number("v", 1, 1)
        made = cls(
            fields.text("region"),
            fields.number("epoch"),
            fields.number("threshold", 1, _MAX_AUDITORS),
            fields.each("auditors", _MAX_AUDITORS, _auditor),
            fields.binary("public", 32),
            fields.each("shares", MAX_QUORUMS, _share),
        )
        known = [name for name, _ in made.auditors]
        if known != sorted(set(known)) or len(known) < made.threshold:
            raise VerificationError(
                "the auditors are not as many as the threshold, each once, in order", where="auditors"
            )
        if [one.quorum for one in made.shares] != quorums(known, made.threshold):
            raise VerificationError("there is not one share for every quorum, in order", where="shares")
        if made.encode() != data:
            raise VerificationError("the document with the shares is not canonical JSON")
        return made

    def start(self) -> Progress:
        """Nobody has opened a layer yet."""
        return Progress(
            self.region, self.epoch, self.public, tuple(Layer(one.quorum, 0, one.sealed) for one in self.shares)
        )

    def name_of(self, key: bytes) -> str | None:
        """Whose public key this is."""
        return next((name for name, known in self.auditors if known == key), None)


@dataclass(frozen=True, slots=True)
class Layer:
    """A share of which the first ``done`` auditors of ``quorum`` have opened their layers."""

    quorum: tuple[str, ...]
    done: int
    sealed: bytes

    @property
    def turn(self) -> str:
        return self.quorum[self.done]


@dataclass(frozen=True, slots=True)
class Progress:
    """What one auditor hands to the next."""

    region: str
    epoch: int
    public: bytes
    layers: tuple[Layer, ...]

    @property
    def turns(self) -> list[str]:
        """Who can go on."""
        return sorted({layer.turn for layer in self.layers})

    def open(self, name: str, key: X25519PrivateKey) -> Progress | bytes:
        """Opens ``name``'s layer wherever it is their turn: what goes to the next, or the epoch's private key.

        Raises VerificationError: it is not their turn anywhere, or a layer does not open.
        """
        mine = [layer for layer in self.layers if layer.turn == name]
        if not mine:
            raise VerificationError(f"it is not {name}'s turn", hint=f"next: {' or '.join(self.turns)}")
        opened = []
        for layer in mine:
            try:
                plain = SUITE.decrypt(layer.sealed, key, share_info(self.region, self.epoch))
            except InvalidTag:
                raise VerificationError(f"the share of {', '.join(layer.quorum)} does not open with this key") from None
            if layer.done + 1 == len(layer.quorum):
                if len(plain) != 32 or public_key(plain) != self.public:
                    raise VerificationError("what was sealed is not the private key of this epoch")
                return plain
            opened.append(Layer(layer.quorum, layer.done + 1, plain))
        return Progress(self.region, self.epoch, self.public, tuple(opened))

    def encode(self) -> bytes:
        layers = [{"done": one.done, "quorum": list(one.quorum), "sealed": _base64(one.sealed)} for one in self.layers]
        return canonical(
            {"epoch": self.epoch, "layers": layers, "public": _base64(self.public), "region": self.region, "v": 1}
        )

    @classmethod
    def parse(cls, data: bytes) -> Progress:
        """Raises VerificationError."""
        value = load_json(data, "the partly opened share", _MAX_BYTES)
        fields = Fields(value, "", {"epoch", "layers", "public", "region", "v"})
        fields.number("v", 1, 1)
        layers = fields.each("layers", MAX_QUORUMS, _layer)
        return cls(fields.text("region"), fields.number("epoch"), fields.binary("public", 32), layers)


@dataclass(frozen=True, slots=True)
class OpenedEpochKey:
    """The file that the last auditor gets: who has it opens every record of the epoch."""

    region: str
    epoch: int
    private: bytes

    def encode(self) -> bytes:
        return canonical({"epoch": self.epoch, "private": _base64(self.private), "region": self.region, "v": 1})

    @classmethod
    def parse(cls, data: bytes) -> OpenedEpochKey:
        """Raises VerificationError."""
        fields = Fields(load_json(data, "the epoch's key", 4096), "", {"epoch", "private", "region", "v"})
        fields.number("v", 1, 1)
        return cls(fields.text("region"), fields.number("epoch"), fields.binary("private", 32))


def _auditor(value: object, place: str) -> tuple[str, bytes]:
    fields = Fields(value, place, {"key", "name"})
    return fields.text("name"), fields.binary("key", 32)


def _quorum(fields: Fields) -> tuple[str, ...]:
    names = tuple(fields.array("quorum", _MAX_AUDITORS))
    if not names or not all(isinstance(name, str) for name in names):
        raise VerificationError(f"{fields.at('quorum')} is not a list of names", where=fields.at("quorum"))
    return names


def _share(value: object, place: str) -> Share:
    fields = Fields(value, place, {"quorum", "sealed"})
    made = Share(_quorum(fields), fields.binary("sealed"))
    if len(made.sealed) != 32 + _LAYER * len(made.quorum):
        raise VerificationError(f"{place}.sealed has not one layer for each of its quorum", where=place)
    return made


def _layer(value: object, place: str) -> Layer:
    fields = Fields(value, place, {"done", "quorum", "sealed"})
    quorum = _quorum(fields)
    return Layer(quorum, fields.number("done", 0, len(quorum) - 1), fields.binary("sealed"))


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()

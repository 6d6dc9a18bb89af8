"""Records are sealed for the region's auditors, k of n, and the gateway itself cannot open them afterwards.

One key pair per epoch: the private key is sealed to every quorum (``private/epochs/202611.json``) and forgotten at
once; the log gets the public one. Records are sealed with *block keys*, sealed to it, that live in memory for ten
minutes or 10,000 records (docs/formats/records.md, docs/adr/0010).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from math import comb
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from seenby.errors import ConfigError, LedgerFailed
from seenby.stores.durable import create, sync_directory
from seenby.stores.native import HERE, RecordSealer
from seenby_verify.errors import VerificationError
from seenby_verify.tlog.entries import EpochKey
from seenby_verify.tlog.records import BLOCK_INFO, SUITE
from seenby_verify.tlog.shares import MAX_QUORUMS, EpochShares, Share, quorums, share_info

BLOCK_SECONDS: Final = 600.0
BLOCK_RECORDS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Auditors:
    """Who can open records, and how many of them must act together. ``keys``: X25519, 32 bytes, by name."""

    threshold: int
    keys: Mapping[str, bytes]

    def __post_init__(self) -> None:
        """Raises ConfigError."""
        count = len(self.keys)
        if not 1 <= self.threshold <= count <= 255:
            raise ConfigError(
                f"{self.threshold} of {count} auditors cannot be", hint="1 <= threshold <= auditors <= 255"
            )
        sets = comb(count, self.threshold)
        if sets > MAX_QUORUMS:
            raise ConfigError(
                f"{self.threshold} of {count} auditors are {sets} quorums; at most {MAX_QUORUMS} are possible",
                hint="each of them gets a share of its own; name fewer auditors",
            )
        if len(set(self.keys.values())) != count:
            raise ConfigError("two auditors have the same key", hint="everybody makes their own: seenby audit keygen")
        for name, key in self.keys.items():
            try:
                X25519PrivateKey.generate().exchange(X25519PublicKey.from_public_bytes(key))
            except ValueError:  # not 32 bytes, or a point whose shared secret everybody knows
                raise ConfigError(f"the key of the auditor {name} is not an X25519 public key") from None


def auditors_of(keys: Mapping[str, bytes], threshold: int) -> Auditors | None:
    """The auditors that the directory names, with the threshold of seenby.toml; None: there are none.

    Raises ConfigError: only one of the two is there, or they do not fit.
    """
    if not keys and not threshold:
        return None
    if not keys:
        raise ConfigError("[auditors] has a threshold, but the directory names no auditors", hint="see directory.md")
    if not threshold:
        raise ConfigError(
            "the directory names auditors, but nothing says how many must act together",
            hint="write threshold = 2 below [auditors] in seenby.toml",
        )
    return Auditors(threshold, dict(keys))


def seal_shares(auditors: Auditors, region: str, epoch: int, key: X25519PrivateKey) -> EpochShares:
    """The epoch's private key, sealed to each quorum: to its last auditor first, to its first one last."""
    info = share_info(region, epoch)
    shares = []
    for quorum in quorums(list(auditors.keys), auditors.threshold):
        sealed = key.private_bytes_raw()
        for name in reversed(quorum):
            sealed = SUITE.encrypt(sealed, X25519PublicKey.from_public_bytes(auditors.keys[name]), info)
        shares.append(Share(quorum, sealed))
    public = key.public_key().public_bytes_raw()
    return EpochShares(region, epoch, auditors.threshold, tuple(sorted(auditors.keys.items())), public, tuple(shares))


def epochs_file(ledger: Path, epoch: int) -> Path:
    """Where a ledger keeps the shares of an epoch."""
    return ledger / "private" / "epochs" / f"{epoch}.json"


def read_shares(ledger: Path, entry: EpochKey) -> EpochShares:
    """The shares that the log's entry names. Raises LedgerFailed: without them nobody could open the records."""
    path = epochs_file(ledger, entry.epoch)
    try:
        data = path.read_bytes()
        if sha256(data).digest() != entry.shares_digest:
            raise VerificationError("it is not the document that the log names")
        shares = EpochShares.parse(data)
        if shares.entry() != entry:
            raise VerificationError("it says something else than the log's entry")
    except OSError as error:
        raise LedgerFailed(f"{path} cannot be read: {error.strerror}", hint="restore it from a backup") from None
    except VerificationError as error:
        raise LedgerFailed(f"{path}: {error.message}", hint="restore it from a backup") from None
    return shares


class RecordKeys:
    """What records are sealed with.

    Where the region has auditors: a block key, until ``renew_at`` or for ``records`` records; then ``renew`` makes the
    next one. Otherwise the region's own key.

    Attributes:
        renew_at: Unix seconds.
        records: so many may be sealed with what ``renew`` returned.
    """

    def __init__(self, ledger: Path, region: str, auditors: Callable[[], Auditors | None]) -> None:
        """``auditors``: of the region, as the directory says now; asked once per epoch."""
        self.renew_at = float("inf")
        self.records = 1 << 62
        self._ledger = ledger
        self._region = region
        self._auditors = auditors
        self._logged: EpochKey | None = None
        self._region_key = b""
        self._epoch = 0

    def restore(self, entry: EpochKey) -> None:
        """This is the last epoch key in the log. Raises LedgerFailed if its shares are not there."""
        read_shares(self._ledger, entry)
        self._logged = entry

    def begin(self, epoch: int, region_key: bytes) -> EpochKey | None:
        """A (re)start or a new epoch. Returns what must stand in the log before the next record, if anything.

        An epoch keeps the key that it has, whatever the directory says now. Raises OSError.
        """
        self._epoch, self._region_key = epoch, region_key
        if self._logged is not None and self._logged.epoch == epoch:
            return None
        auditors = self._auditors()
        if auditors is None:
            self._logged = None
            return None
        shares = seal_shares(auditors, self._region, epoch, X25519PrivateKey.generate())
        path = epochs_file(self._ledger, epoch)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        sync_directory(path.parent.parent)
        # A file that is there already was written just before a crash: no record was sealed to its key.
        create(path, shares.encode())
        self._logged = shares.entry()
        return self._logged

    def renew(self, now: float) -> RecordSealer:
        """A new block key. The one before is forgotten with the object that used it."""
        if self._logged is None:
            self.renew_at, self.records = float("inf"), 1 << 62
            return HERE.record_sealer(self._region_key, self._region, self._epoch, b"")
        self.renew_at, self.records = now + BLOCK_SECONDS, BLOCK_RECORDS
        key = os.urandom(32)
        block = SUITE.encrypt(key, X25519PublicKey.from_public_bytes(self._logged.key), BLOCK_INFO)
        return HERE.record_sealer(key, self._region, self._epoch, block)

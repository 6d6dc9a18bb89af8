"""What statistics are compared with, across restarts: a file of cohorts, encrypted, written before a figure leaves.

::

    "seenby/statistics/v1\\n"
    u32 length | nonce[12] | AES-256-GCM(u64 seconds | u16 length | principal | cohort), additional data: u64 number

A cohort of no kind says that the principal changed rows then.

Key and seed of the sketches follow from the gateway's secret (HKDF-SHA-256), which is not in the file: without it
nobody can ask of the file whether somebody is in a cohort. A record that is cut off at the end was never answered for;
everything else that cannot be read stops the gateway, because a statistic that nobody remembers is compared with
nothing.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from seenby.attribute.cohorts import Cohort, Memory, decode_cohort, encode_cohort
from seenby.errors import LedgerFailed
from seenby.stores import durable

MAGIC: Final = b"seenby/statistics/v1\n"
WINDOW: Final = 400 * 86_400
"""Seconds after which a statistic is no longer compared with: more than a year, so that yearly figures are."""
SLACK: Final = 64 << 20
"""Bytes beyond twice of what is still remembered, at which the file is written anew."""

_LENGTH = struct.Struct(">I")
_HEAD = struct.Struct(">QH")
_NONCE, _TAG = 12, 16


class Remembered:
    """The file and the memories of all principals. One process has it open: the ledger's lock sees to that.

    Attributes:
        seed: of the sketches, 60 bits.
    """

    def __init__(self, path: Path, secret: bytes, clock: Callable[[], float]) -> None:
        """Reads the file, and writes it anew without what is too old. Raises LedgerFailed if it cannot be read."""
        derived = HKDF(SHA256(), 40, None, b"seenby/statistics/v1").derive(secret)
        self.seed = int.from_bytes(derived[32:], "big") >> 4
        self._cipher = AESGCM(derived[:32])
        self._path = path
        self._clock = clock
        self._memories: dict[str, Memory] = {}
        self._number = 0
        self._size = self._least = 0
        try:
            for principal, cohort in self._read():
                if cohort.at > clock() - WINDOW:
                    self.memory(principal).recall(cohort)
            self._rewrite()
        except OSError as error:
            raise _unreadable(path, error.strerror or str(error)) from error

    def memory(self, principal: str) -> Memory:
        """What one principal has been told; what is added to it is on disk when ``add`` returns."""
        found = self._memories.get(principal)
        if found is None:
            found = self._memories[principal] = Memory(keep=lambda cohorts: self._append(principal, cohorts))
        return found

    def _append(self, principal: str, cohorts: list[Cohort]) -> None:
        """Raises LedgerFailed: the statistic must not be shown."""
        for cohort in cohorts:
            cohort.at = int(self._clock())
        try:
            if self._size > 2 * self._least + SLACK:
                self._rewrite()
            data = b"".join(self._record(principal, cohort) for cohort in cohorts)
            file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
            try:
                durable.write_all(file, data)
                os.fdatasync(file)
            finally:
                os.close(file)
        except OSError as error:
            raise LedgerFailed(
                f"what this statistic must be compared with cannot be kept in {self._path}: {error.strerror or error}",
                hint="ask whoever runs this gateway to look at its disk",
            ) from error
        self._size += len(data)

    def _record(self, principal: str, cohort: Cohort) -> bytes:
        name = principal.encode()
        nonce = os.urandom(_NONCE)
        plain = _HEAD.pack(cohort.at, len(name)) + name + encode_cohort(cohort)
        sealed = self._cipher.encrypt(nonce, plain, self._number.to_bytes(8, "big"))
        self._number += 1
        return _LENGTH.pack(_NONCE + len(sealed)) + nonce + sealed

    def _rewrite(self) -> None:
        """What is still remembered, and nothing else."""
        kept = [(name, one) for name, memory in self._memories.items() for one in memory.cohorts()]
        self._number = 0
        data = MAGIC + b"".join(self._record(name, one) for name, one in kept)
        durable.replace(self._path.with_name(f".{self._path.name}.new"), self._path, data, mode=0o600)
        durable.sync_directory(self._path.parent)
        self._size = self._least = len(data)

    def _read(self) -> Iterator[tuple[str, Cohort]]:
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return
        if not data.startswith(MAGIC):
            raise _unreadable(self._path, "it does not begin as it should")
        at, number = len(MAGIC), 0
        while at < len(data):
            if len(data) - at < _LENGTH.size:
                return
            (length,) = _LENGTH.unpack_from(data, at)
            at += _LENGTH.size
            if len(data) - at < length:
                return  # the process ended while it was written, and so before it was answered for
            nonce, sealed = data[at : at + _NONCE], data[at + _NONCE : at + length]
            at += length
            try:
                plain = self._cipher.decrypt(nonce, sealed, number.to_bytes(8, "big"))
            except (InvalidTag, ValueError):
                raise _unreadable(self._path, f"record {number} is damaged, or of another gateway's secret") from None
            number += 1
            seconds, size = _HEAD.unpack_from(plain)
            principal = plain[_HEAD.size : _HEAD.size + size].decode()
            cohort = decode_cohort(plain[_HEAD.size + size :])
            cohort.at = seconds
            yield principal, cohort


def _unreadable(path: Path, why: str) -> LedgerFailed:
    return LedgerFailed(
        f"{path}, which says what statistics are compared with, cannot be read: {why}",
        hint="restore it, or move it away and say so: what was asked before is then compared with nothing",
    )

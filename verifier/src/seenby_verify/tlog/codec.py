"""Field codecs of log entries (docs/formats/entries.md): one encoding per value, everything else is refused."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Protocol

from seenby_verify.errors import VerificationError


class Codec(Protocol):
    """How one field of an entry is written and read.

    ``decode`` gets the whole entry and the position of the field and answers the value and the position after it.
    Both raise VerificationError for a value that the format does not have.
    """

    def encode(self, value: object) -> bytes: ...

    def decode(self, data: bytes, at: int) -> tuple[object, int]: ...


def _short(at: int) -> VerificationError:
    return VerificationError(f"the entry ends within the field at byte {at}")


@dataclass(frozen=True, slots=True)
class Fixed:
    """``size`` bytes as they are."""

    size: int

    def encode(self, value: object) -> bytes:
        if not isinstance(value, bytes) or len(value) != self.size:
            raise VerificationError(f"an entry needs {self.size} bytes here")
        return value

    def decode(self, data: bytes, at: int) -> tuple[bytes, int]:
        end = at + self.size
        if end > len(data):
            raise _short(at)
        return data[at:end], end


@dataclass(frozen=True, slots=True)
class Unsigned:
    """A big-endian integer of ``size`` bytes, from ``low`` to ``high``; ``high`` None: what fits."""

    size: int
    low: int = 0
    high: int | None = None

    def encode(self, value: object) -> bytes:
        if not isinstance(value, int):
            raise VerificationError("an entry needs an integer here")
        self._check(int(value))
        return int(value).to_bytes(self.size, "big")

    def decode(self, data: bytes, at: int) -> tuple[int, int]:
        end = at + self.size
        if end > len(data):
            raise _short(at)
        value = int.from_bytes(data[at:end], "big")
        self._check(value)
        return value, end

    def _check(self, value: int) -> None:
        high = 256**self.size - 1 if self.high is None else self.high
        if not self.low <= value <= high:
            raise VerificationError(f"{value} is not between {self.low} and {high}")


@dataclass(frozen=True, slots=True)
class Flag:
    """One byte, 0 or 1."""

    def encode(self, value: object) -> bytes:
        if value is not True and value is not False:
            raise VerificationError("an entry needs true or false here")
        return b"\x01" if value else b"\x00"

    def decode(self, data: bytes, at: int) -> tuple[bool, int]:
        if at >= len(data):
            raise _short(at)
        if data[at] > 1:
            raise VerificationError(f"a flag at byte {at} is {data[at]}, neither 0 nor 1")
        return data[at] == 1, at + 1


@dataclass(frozen=True, slots=True)
class Epoch:
    """u32, year * 100 + month: ``00 03 17 73`` is 202611."""

    def encode(self, value: object) -> bytes:
        if not isinstance(value, int) or not _is_epoch(value):
            raise VerificationError(f"{value!r} is not an epoch such as 202611")
        return struct.pack(">I", value)

    def decode(self, data: bytes, at: int) -> tuple[int, int]:
        if at + 4 > len(data):
            raise _short(at)
        value = int.from_bytes(data[at : at + 4], "big")
        if not _is_epoch(value):
            raise VerificationError(f"{value} is not an epoch such as 202611")
        return value, at + 4


def _is_epoch(value: int) -> bool:
    return 2000_00 <= value <= 9999_12 and 1 <= value % 100 <= 12


@dataclass(frozen=True, slots=True)
class Text:
    """u8 length, then printable ASCII: ``02 65 75`` is "eu"."""

    def encode(self, value: object) -> bytes:
        if not isinstance(value, str) or len(value) > 255 or not (value.isascii() and value.isprintable()):
            raise VerificationError("an entry needs at most 255 printable ASCII characters here")
        return bytes([len(value)]) + value.encode("ascii")

    def decode(self, data: bytes, at: int) -> tuple[str, int]:
        if at >= len(data) or at + 1 + data[at] > len(data):
            raise _short(at)
        end = at + 1 + data[at]
        raw = data[at + 1 : end]
        if any(byte < 0x20 or byte > 0x7E for byte in raw):
            raise VerificationError(f"the text at byte {at} is not printable ASCII")
        return raw.decode("ascii"), end


@dataclass(frozen=True, slots=True)
class Blob:
    """u16 length, then bytes."""

    def encode(self, value: object) -> bytes:
        if not isinstance(value, bytes) or len(value) > 65_535:
            raise VerificationError("an entry needs at most 65535 bytes here")
        return struct.pack(">H", len(value)) + value

    def decode(self, data: bytes, at: int) -> tuple[bytes, int]:
        if at + 2 > len(data):
            raise _short(at)
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        if end > len(data):
            raise _short(at)
        return data[at + 2 : end], end

"""Reads a public log where it lies: a directory, or a web server (C2SP tlog-tiles). Nothing is trusted here.

::

    with open_log("https://eu.log.platform.example/") as log:
        note = log.fresh("checkpoint")
        tile = log.read("tile/0/x001/234")
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final

import httpx2

from seenby_verify.errors import NotFound, Unavailable, UsageError, VerificationError
from seenby_verify.patience import Patience, TooSlow
from seenby_verify.tlog.tiles import ENTRIES, WIDTH, Tile, tiles_of

CHECKPOINT: Final = "checkpoint"
SMALL: Final = 256 << 10
"""Bytes that a checkpoint, or anything that is no tile, may have."""
BUNDLE: Final = WIDTH * (2 + 65_535)
PAUSES: Final = 3.0
"""Timeouts that an answer as a whole may take, and more if it is long (patience.SLOWEST)."""
_OWNER: Final = "ask whose files these are"
_PLACE: Final = "give a directory with the log's files, or its URL, which begins with https://"


class LogSource(ABC):
    """The files of one public log.

    Attributes:
        location: what it was opened with, for messages.
    """

    location: str

    @abstractmethod
    def read(self, path: str) -> bytes | None:
        """A file ("tile/0/000"), None if there is none. Raises Unavailable, or VerificationError if it is too big."""

    @abstractmethod
    def fresh(self, path: str) -> bytes | None:
        """``read``, past every cache: for the checkpoint."""

    @abstractmethod
    def paths(self, size: int) -> list[str]:
        """The files there are; where a place cannot be listed, those that a log of ``size`` entries must have."""

    def close(self) -> None:  # noqa: B027  # a directory has nothing to close
        """Lets connections go."""

    def __enter__(self) -> LogSource:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_log(
    location: str | Path,
    *,
    cache: Path | None = None,
    timeout: float = 10.0,
    attempts: int = 4,
    sleep: Callable[[float], None] = time.sleep,
) -> LogSource:
    """The log at ``location``: a directory (a ledger, its public half, or a copy of that) or an http(s) URL.

    Args:
        cache: a directory where full tiles of a URL are kept; they never change.
        timeout: seconds for a connection, and for each pause within an answer; a whole answer gets PAUSES times that,
            and what its longest length takes at patience.SLOWEST.
        attempts: how often a request is made when the server does not answer, or answers 429 or 5xx.
        sleep: how to wait between two attempts.

    Raises NotFound if there is no such directory, UsageError if the URL is none. A server is asked on the first read.
    """
    text = str(location)
    if not text:
        raise UsageError("the place of the log is empty", hint=_PLACE)
    if "://" not in text:
        return _Directory(Path(text))
    try:
        url = httpx2.URL(text)
    except (httpx2.InvalidURL, UnicodeEncodeError) as error:  # the latter: octets that are no text, from a policy
        shown = text.encode("utf-8", "backslashreplace").decode()
        raise UsageError(f"{shown} is not a URL: {error}", hint="as in https://eu.log.platform.example/") from None
    if url.scheme not in ("http", "https") or not url.host or url.query or url.fragment:
        raise UsageError(f"{text} is no place of a log", hint=_PLACE)
    return _Server(text, cache, timeout, attempts, sleep)


def _limit(path: str) -> int:
    tile = Tile.parse(path)
    if tile is None:
        return SMALL
    return BUNDLE if tile.level == ENTRIES else WIDTH * 32


def _checked(path: str) -> str:
    """Paths are made by us or come from a list of files; none of them leaves the log."""
    if path.startswith("/") or any(part in ("", ".", "..") for part in path.split("/")):
        raise UsageError(f"{path!r} is no path in a log")
    return path


def _too_big(path: str, where: str) -> VerificationError:
    return VerificationError(f"{path}: has more than {_limit(path)} bytes", where=path, detail=where)


def _without_waiting(path: str, flags: int) -> int:
    """A pipe in the place of a file, as an archive may hold one, would be waited for without end."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


class _Directory(LogSource):
    def __init__(self, directory: Path) -> None:
        try:
            if not directory.is_dir():
                raise NotFound(f"there is no directory {directory}", hint=_PLACE)
            if not (directory / CHECKPOINT).exists() and (directory / "public" / CHECKPOINT).exists():
                directory /= "public"
        except OSError as error:
            raise NotFound(f"cannot look into {directory}: {error.strerror}", hint=_PLACE) from None
        self.location = str(directory)
        self._directory = directory

    def read(self, path: str) -> bytes | None:
        try:
            with open(self._directory / _checked(path), "rb", opener=_without_waiting) as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    raise VerificationError(f"{path}: is no file", where=path, hint=_OWNER, detail=self.location)
                data = file.read(_limit(path) + 1)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        except OSError as error:
            raise Unavailable(f"{self._directory / path} cannot be read: {error.strerror}", hint=_OWNER) from None
        if len(data) > _limit(path):
            raise _too_big(path, self.location)
        return data

    def fresh(self, path: str) -> bytes | None:
        return self.read(path)

    def paths(self, size: int) -> list[str]:  # noqa: ARG002  # a directory can be listed
        found = []
        for folder, _, names in os.walk(self._directory):
            base = Path(folder).relative_to(self._directory)
            found += [(base / name).as_posix() for name in names]
        return found


class _Server(LogSource):
    def __init__(
        self, location: str, cache: Path | None, timeout: float, attempts: int, sleep: Callable[[float], None]
    ) -> None:
        self.location = location
        self._prefix = location.rstrip("/") + "/"
        # One directory for several logs is fine: each has its own part.
        self._cache = cache / hashlib.sha256(self._prefix.encode()).hexdigest()[:16] if cache else None
        self._attempts = attempts
        self._sleep = sleep
        self._pause = PAUSES * timeout
        self._patience = Patience()
        self._client = httpx2.Client(
            timeout=timeout,
            follow_redirects=True,
            max_redirects=3,
            headers={"user-agent": "seenby-verify", "accept-encoding": "gzip, identity"},
        )

    def close(self) -> None:
        self._client.close()

    def read(self, path: str) -> bytes | None:
        tile = Tile.parse(_checked(path))
        kept = self._cache / path if self._cache and tile and tile.width == WIDTH else None
        if kept is not None:
            with contextlib.suppress(OSError):
                return kept.read_bytes()
        data = self._get(path, {})
        if kept is not None and data is not None:
            # A cache that cannot be written is none.
            with contextlib.suppress(OSError):
                kept.parent.mkdir(parents=True, exist_ok=True)
                part = kept.with_name(f"{kept.name}.{os.getpid()}.part")
                part.write_bytes(data)
                part.replace(kept)
        return data

    def fresh(self, path: str) -> bytes | None:
        return self._get(_checked(path), {"cache-control": "no-cache"})

    def paths(self, size: int) -> list[str]:
        return [CHECKPOINT, *(tile.path for tile in tiles_of(size))]

    def _get(self, path: str, headers: dict[str, str]) -> bytes | None:
        url = self._prefix + path
        fault = ""
        for attempt in range(self._attempts):
            if attempt:
                self._sleep(0.25 * 4 ** (attempt - 1))  # 0.25 s, 1 s, 4 s
            try:
                with (
                    self._patience.for_answer(self._pause, _limit(path)),
                    self._client.stream("GET", url, headers=headers, extensions=self._patience.extensions) as answer,
                ):
                    if answer.status_code == 200:
                        return self._body(path, answer)
                    if answer.status_code in (404, 410):
                        return None
                    fault = f"it answers {answer.status_code}"
                    if answer.status_code < 500 and answer.status_code not in (408, 425, 429):
                        break
            except TooSlow as error:
                fault = str(error)
                break  # it would be as slow once more
            except httpx2.TimeoutException:
                fault = "no answer in time"
            except httpx2.TransportError as error:
                fault = str(error) or type(error).__name__
            except httpx2.TooManyRedirects:
                fault = "it redirects in circles"
                break
            except httpx2.DecodingError:
                fault = "the answer is compressed in a way that is not what it says"
        raise Unavailable(
            f"{url} cannot be read: {fault}", hint="check the URL and the network, then try again", detail=self.location
        )

    def _body(self, path: str, answer: httpx2.Response) -> bytes:
        parts, size = [], 0
        for part in answer.iter_bytes(65_536):
            size += len(part)
            if size > _limit(path):
                raise _too_big(path, self.location)
            parts.append(part)
        return b"".join(parts)

"""A directory of promises and receipts that somebody keeps; each is checked before it is saved.

::

    73811.tlog-proof        a receipt
    73894.promise           until its receipt is there, which takes its place

Format: docs/formats/receipts.md.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from seenby_verify.errors import UsageError, VerificationError
from seenby_verify.files import write_durably
from seenby_verify.tlog.note import MAX_NOTE
from seenby_verify.tlog.policy import Policy
from seenby_verify.tlog.promise import Promise
from seenby_verify.tlog.proof import ReceiptCheck
from seenby_verify.tlog.strict import decode_decimal
from seenby_verify.tlog.times import clock
from seenby_verify.tlog.tree import leaf_hash

PROMISE: Final = ".promise"
RECEIPT: Final = ".tlog-proof"
POLL_SECONDS: Final = 0.5


@dataclass
class Folder:
    """What lies in one directory: ``INDEX.promise``, and ``INDEX.tlog-proof`` as soon as there is one.

    Attributes:
        path: the directory; it is made if it is not there.
        policy: whose promises and receipts these are.
        owned: raises VerificationError for an entry that is none of whom the folder belongs to.
        promises: those that have no receipt yet.
        kept, replaced: indexes of the receipts that this run has written, and those for which a promise lay there.
    """

    path: Path
    policy: Policy
    owned: Callable[[bytes], None] = lambda _: None
    promises: dict[int, Promise] = field(default_factory=dict)
    kept: set[int] = field(default_factory=set)
    replaced: set[int] = field(default_factory=set)
    next: int = 0

    def __post_init__(self) -> None:
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            names = [one.name for one in self.path.iterdir()]
            for index in _indexes(names, PROMISE):
                self.promises[index] = self._promise(index, self._file(index, PROMISE).read_bytes())
            if (newest := max(_indexes(names, RECEIPT), default=None)) is not None:
                self._check(newest, self._file(newest, RECEIPT).read_bytes())
                self.next = newest + 1
        except OSError as error:
            raise _unusable(self.path, error) from None
        except VerificationError as error:
            raise UsageError(
                f"what lies in {self.path} is not of this log: {error.message}", hint="give each log a directory"
            ) from None

    @property
    def since(self) -> int:
        """The first entry to ask for: pages come in the log's order, so nothing below is missing."""
        return min(self.promises, default=self.next)

    def to_json(self) -> dict[str, list[int]]:
        """What this run did, for machines."""
        return {"receipts": sorted(self.kept), "replaced": sorted(self.replaced), "promises": sorted(self.promises)}

    def promised(self, index: int, note: bytes) -> None:
        promise = self._promise(index, note)
        before = self.promises.get(index)
        if before is not None:
            if before.leaf != promise.leaf:
                raise _broken(index, self._file(index, PROMISE))
            return  # the first one stays
        if not self._file(index, RECEIPT).exists():
            self._write(self._file(index, PROMISE), note)
            self.promises[index] = promise

    def given(self, index: int, data: bytes) -> None:
        """A receipt. It takes the place of a promise that it keeps, and of no other."""
        entry = self._check(index, data)
        promise, file = self.promises.get(index), self._file(index, RECEIPT)
        if promise is not None and promise.leaf != leaf_hash(entry):
            raise _broken(index, self._file(index, PROMISE))
        if not file.exists():
            self._write(file, data)
            self.kept.add(index)
        if promise is not None:
            self._file(index, PROMISE).unlink()
            del self.promises[index]
            self.replaced.add(index)
        self.next = max(self.next, index + 1)

    def _check(self, index: int, data: bytes) -> bytes:
        """The entry in a receipt."""
        check = ReceiptCheck(data, self.policy)
        for _ in check.steps():
            pass
        if check.proof.index != index or check.proof.extra is None:
            raise _other(index)
        self.owned(check.proof.extra)
        return check.proof.extra

    def _promise(self, index: int, note: bytes) -> Promise:
        promise = Promise.open(note, self.policy)
        if promise.index != index:
            raise _other(index)
        return promise

    def _file(self, index: int, suffix: str) -> Path:
        return self.path / f"{index}{suffix}"

    def _write(self, path: Path, data: bytes) -> None:
        try:
            write_durably(path, data, mode=0o600)
        except OSError as error:
            raise _unusable(self.path, error) from None


def fetch(read: Callable[[str], Any], path: str, folder: Folder) -> None:
    """Saves everything that is new, page by page. ``read``: the JSON that the gateway answers for a path.

    Raises VerificationError for what does not hold; what was read before it is saved.
    """
    since: int | None = folder.since
    while since is not None:
        entries, following = _fields(read(f"{path}?since={since}"), since)
        for index, text, is_receipt in entries:
            (folder.given if is_receipt else folder.promised)(index, text.encode())
        since = following


def _fields(page: Any, since: int) -> tuple[list[tuple[int, str, bool]], int | None]:
    """(index, text, whether it is a receipt) of each entry, and where the next page begins."""
    try:
        found = [(one["index"], one.get("receipt", one.get("promise")), "receipt" in one) for one in page["entries"]]
        following = page["next"]
    except (TypeError, KeyError, AttributeError):
        raise _nonsense() from None
    newest = -1
    for index, text, _ in found:
        if type(index) is not int or index < max(newest, 0) or not isinstance(text, str) or len(text) > MAX_NOTE:
            raise _nonsense()
        newest = index
    # A page that is not the last one has something new, and the next one goes on behind it: pages come to an end.
    if following is not None and not (type(following) is int and following > since and following >= newest >= since):
        raise _nonsense()
    return found, following


def collect(read: Callable[[str], Any], path: str, folder: Folder, wait: float) -> None:
    """``fetch``, again and again as long as something is only promised, for ``wait`` seconds."""
    until = time.monotonic() + wait
    fetch(read, path, folder)
    while folder.promises and time.monotonic() < until:
        time.sleep(POLL_SECONDS)
        fetch(read, path, folder)


def check_due(folder: Folder, now: float) -> None:
    """Raises VerificationError if a promise is outstanding whose time is over. ``now``: Unix seconds."""
    late = [index for index, promise in sorted(folder.promises.items()) if promise.due < now]
    if late:
        file = folder.path / f"{late[0]}{PROMISE}"
        raise VerificationError(
            f"the log promised entry {late[0]} for an earlier time than now, and gives no receipt for it",
            hint=f"hold it against the log: seenby-verify promise {file} LOG --policy FILE",
        )


def in_words(folder: Folder, what: str) -> list[str]:
    """What was done, a sentence each. ``what``: of which there is a receipt, if there is nothing new."""
    where = str(folder.path)
    if not folder.kept and not folder.promises:
        return [f"Nothing new: {where} has a receipt of {what}."]
    said = []
    if folder.kept:
        promised = f", {len(folder.replaced)} of them promised before" if folder.replaced else ""
        said.append(f"{_count(len(folder.kept), 'receipt')} saved in {where}{promised}; each was checked.")
    if folder.promises:
        due = clock(max(promise.due for promise in folder.promises.values()))
        said.append(
            f"{_count(len(folder.promises), 'promise')} in {where}: the log signed to show "
            f"{'it' if len(folder.promises) == 1 else 'them'} by {due}. Run this again for the receipts."
        )
    return said


def _indexes(names: list[str], suffix: str) -> list[int]:
    stems = (decode_decimal(name.removesuffix(suffix)) for name in names if name.endswith(suffix))
    return [index for index in stems if index is not None]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _broken(index: int, promise: Path) -> VerificationError:
    return VerificationError(
        f"the log promised another entry {index} than it has",
        hint=f"keep {promise}, and make evidence: seenby-verify promise {promise} LOG --policy FILE --evidence FILE",
    )


def _other(index: int) -> VerificationError:
    return VerificationError(
        f"what came for entry {index} is about another entry", hint="tell whoever runs the gateway"
    )


def _nonsense() -> VerificationError:
    return VerificationError("the gateway's answer is no list of receipts", hint="tell whoever runs the gateway")


def _unusable(folder: Path, error: OSError) -> UsageError:
    return UsageError(f"{folder} cannot be used: {error.strerror}", hint="give --out with a directory of yours")

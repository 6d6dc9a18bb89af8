"""``seenby receipts``: staff keep what proves that what they did is in the log; each is checked before it is kept."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from seenby.cli.control_client import ControlClient
from seenby.cli.grant import As, ConfigFile, Json, Key, Socket, open_client
from seenby.errors import UsageError, VerificationError
from seenby.stores.config import load_config
from seenby_verify.files import write_durably
from seenby_verify.tlog.note import MAX_NOTE
from seenby_verify.tlog.policy import Policy
from seenby_verify.tlog.promise import Promise
from seenby_verify.tlog.proof import ReceiptCheck
from seenby_verify.tlog.strict import decode_decimal
from seenby_verify.tlog.tree import leaf_hash
from seenby_verify.tlog.vkey import VerifierKey

WAIT_SECONDS = 60
POLL_SECONDS = 0.5
PROMISE, RECEIPT = ".promise", ".tlog-proof"


def receipts(
    *,
    as_: As,
    key: Key,
    out: Path,
    wait: int = WAIT_SECONDS,
    log_key: str = "",
    config: ConfigFile = None,
    socket: Socket = None,
    json_: Json = False,
) -> None:
    """Keep the receipts of your queries and of what you signed about grants: proof that the log holds each of them.

    An entry that is not public yet comes as the log's signed promise, N.promise; its receipt, N.tlog-proof, takes the
    promise's place as soon as it is there. Run it as often as you like: it asks for what is missing. Anybody can check
    the files: seenby-verify receipt N.tlog-proof --policy FILE. Exit status 1: the log broke a promise.

    Parameters
    ----------
    out
        The directory for the files; one for each region. It is made if it is not there.
    wait
        How many seconds to wait for receipts of what is only promised. Default: 60, the promise's delay; 0: do not.
    log_key
        The log's verifier key. Default: the file log.vkey that the gateway keeps beside its ledger.
    """
    folder = Folder(out, _trusted(log_key, config))
    until = time.monotonic() + wait
    with open_client(as_, key, config, socket) as client:
        _fetch(client, folder)
        while folder.promises and time.monotonic() < until:
            time.sleep(POLL_SECONDS)
            _fetch(client, folder)
    if json_:
        done = {"receipts": sorted(folder.kept), "replaced": sorted(folder.replaced), "promises": folder.outstanding}
        print(json.dumps(done))
    else:
        _say(folder)
    late = [index for index, promise in sorted(folder.promises.items()) if promise.due < time.time()]
    if late:
        raise VerificationError(
            f"the log promised entry {late[0]} for an earlier time than now, and gives no receipt for it",
            hint=f"hold it against the log: seenby-verify promise {out / f'{late[0]}{PROMISE}'} LOG --policy FILE",
        )


@dataclass
class Folder:
    """What lies in the directory.

    Attributes:
        promises: those that have no receipt yet.
        kept, replaced: indexes of the receipts that this run has written, and those for which a promise lay there.
    """

    path: Path
    policy: Policy
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

    @property
    def outstanding(self) -> list[int]:
        return sorted(self.promises)

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


def _fetch(client: ControlClient, folder: Folder) -> None:
    since: int | None = folder.since
    while since is not None:
        entries, following = _fields(client.read(f"/receipts?since={since}"), since)
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
    for index, text, _ in found:
        if type(index) is not int or index < 0 or not isinstance(text, str) or len(text) > MAX_NOTE:
            raise _nonsense()
    if following is not None and not (type(following) is int and following > since):
        raise _nonsense()
    return found, following


def _trusted(log_key: str, config: Path | None) -> Policy:
    if log_key:
        text, where = log_key, "--log-key"
    elif config is None:
        raise UsageError("whose receipts? the log's key is missing", hint="give --config FILE, or --log-key KEY")
    else:
        file = load_config(config).state / "log.vkey"
        where = str(file)
        try:
            text = file.read_text().strip()
        except OSError as error:
            raise UsageError(f"cannot read {file}: {error.strerror}", hint="give --log-key KEY") from None
    try:
        return Policy.trusting(VerifierKey.parse(text))
    except VerificationError as error:
        raise UsageError(f"{where}: {error.message}", hint="it looks like NAME+HASH+BASE64") from None


def _indexes(names: list[str], suffix: str) -> list[int]:
    stems = (decode_decimal(name.removesuffix(suffix)) for name in names if name.endswith(suffix))
    return [index for index in stems if index is not None]


def _say(folder: Folder) -> None:
    out = Console(highlight=False, soft_wrap=True)
    where = escape(str(folder.path))
    if not folder.kept and not folder.promises:
        out.print(f"Nothing new: {where} has a receipt of everything that your sessions made and your key signed.")
        return
    if folder.kept:
        promised = f", {len(folder.replaced)} of them promised before" if folder.replaced else ""
        out.print(f"[bold]{_count(len(folder.kept), 'receipt')}[/] saved in {where}{promised}; each was checked.")
    if folder.promises:
        last = max(promise.due for promise in folder.promises.values())
        due = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(last))
        out.print(
            f"[bold]{_count(len(folder.promises), 'promise')}[/] in {where}: the log signed to show "
            f"{'it' if len(folder.promises) == 1 else 'them'} by {due} UTC. Run this again for the receipts."
        )


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

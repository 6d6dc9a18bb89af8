"""``seenby audit``: auditors' keys, and the records of a month that they open together."""

from __future__ import annotations

import base64
import json
import os
import time
from pathlib import Path
from typing import Annotated, Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cyclopts import App, Parameter
from rich.markup import escape
from rich.table import Table

from seenby.errors import NotFound, UsageError, VerificationError
from seenby.stores.audit import Audited, destroy_epoch, read_records, shares_of
from seenby.stores.config import load_config
from seenby.stores.keystore_open import open_keystore
from seenby.stores.sealing import epoch_of
from seenby_verify.cli.plain import PlainConsole, sentences
from seenby_verify.tlog.records import RecordOpener
from seenby_verify.tlog.shares import OpenedEpochKey, Progress

app = App(
    name="audit",
    help="Auditors' keys; open and read the records of a month; destroy them in the end.",
    help_epilogue="What staff looked at, by name and with the statement, is sealed for the region's auditors, of whom "
    "so many as seenby.toml says must act together. Each runs `seenby audit open` with their own key and hands the "
    "file on; the last one gets the month's key.",
)

app.command("seenby.cli.confirm:confirm", name="confirm", help="Recount the newest daily report, and sign it.")


def _month(_: object, value: int) -> None:
    if value and not (1970 <= value // 100 <= 9999 and 1 <= value % 100 <= 12):  # 0: not given
        raise ValueError("a month is written as in 202611")


Epoch = Annotated[int, Parameter(help="The month, as in 202611.", validator=_month)]
ConfigFile = Annotated[
    Path | None, Parameter(name="--config", env_var="SEENBY_CONFIG", help="The region's seenby.toml.")
]
LedgerDir = Annotated[Path | None, Parameter(help="The ledger's directory, or a copy of it, instead of --config.")]


@app.command
def keygen(*, out: Path) -> None:
    """Make an auditor's key, and print the line for the directory.

    Parameters
    ----------
    out
        The new file with the private key. Nobody else may ever have it.
    """
    key = X25519PrivateKey.generate()
    _write(out, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public = base64.b64encode(key.public_key().public_bytes_raw()).decode()
    console = sentences()
    console.print(f"The private key is in {out}. Below [auditors] in directory.toml write:", markup=False)
    console.print(f'{out.stem} = "{public}"', markup=False)


@app.command(name="open")
def open_(
    *,
    key: Annotated[Path, Parameter(help="Your private key, the file that `seenby audit keygen` made.")],
    out: Annotated[Path, Parameter(help="The new file for the next auditor; after the last one it holds the key.")],
    epoch: Epoch = 0,
    shares: Path | None = None,
    config: ConfigFile = None,
    ledger: LedgerDir = None,
) -> None:
    """Open a month's key, one auditor after the other.

    The first one names the month and the ledger, the others the file that they were handed.

    Parameters
    ----------
    shares
        What the auditor before you wrote.
    """
    private = _private_key(key)
    if (shares is None) == (epoch == 0):
        raise UsageError("what is to be opened?", hint="give --epoch 202611 --config FILE, or --shares FILE")
    if shares is None:
        found = shares_of(_ledger(config, ledger), epoch)
        name = found.name_of(private.public_key().public_bytes_raw())
        if name is None:
            named = ", ".join(name for name, _ in found.auditors)
            raise UsageError("this key is none of the auditors' of that month", hint=f"they are {named}")
        opened = found.start().open(name, private)
    else:
        name, opened = _go_on(Progress.parse(_read(shares)), private)
    console = sentences()
    if isinstance(opened, bytes):
        region, of = (found.region, found.epoch) if shares is None else _place(shares)
        _write(out, OpenedEpochKey(region, of, opened).encode())
        console.print(f"[bold]{escape(name)}[/] was the last: {escape(str(out))} holds the key of {of}.")
        console.print(f"next: seenby audit records --epoch {of} --key {escape(str(out))} --config FILE")
        return
    _write(out, opened.encode())
    console.print(f"[bold]{escape(name)}[/] has opened their part.")
    console.print(f"next: {escape(' or '.join(opened.turns))} runs")
    console.print(f"  seenby audit open --shares {escape(str(out))} --key FILE --out FILE")


@app.command
def records(
    *,
    epoch: Epoch,
    key: Annotated[Path | None, Parameter(help="The month's key, the file that the last auditor got.")] = None,
    config: ConfigFile = None,
    ledger: LedgerDir = None,
    json_: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """List what staff did in a month: when, who, why, the statement. Each row is held against the log's entry.

    Where the region had no auditors, the region's own key opens the records, and --config is enough.

    Parameters
    ----------
    json_
        Print one JSON object a line, with both halves of each record.
    """
    found = read_records(_ledger(config, ledger), epoch, _opener(epoch, key, config))
    if json_:
        for one in found:
            print(json.dumps({"entry": one.index, "record": one.record, "withheld": one.withheld}))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("entry", "when (UTC)", "what"):
        table.add_column(name, no_wrap=True)
    for name in ("who", "why", "statement"):
        table.add_column(name, overflow="fold")
    for one in found:
        table.add_row(*map(escape, _row(one)))
    console = PlainConsole(highlight=False)
    if not console.is_terminal:
        console.width = 200  # a pipe has no width; what reads it should not meet broken words
    console.print(table)
    console.print(f"{table.row_count} records of {epoch}, each held against its entry in the log.", soft_wrap=True)


@app.command
def destroy(*, epoch: Epoch, config: Annotated[Path, Parameter(env_var="SEENBY_CONFIG")]) -> None:
    """Destroy what opens the records of a month, at the end of its retention. It cannot be undone.

    The people concerned go on reading their own lists: their keys open those. What auditors opened before, and backups
    of the ledger's private half and of the key store, are theirs to destroy.
    """
    settings = load_config(config)
    keystore = open_keystore(settings)
    try:
        now = epoch_of(time.time())[0]
        gone = destroy_epoch(settings.ledger_dir, keystore, settings.region, epoch, now)
    finally:
        keystore.close()
    if not gone:
        raise NotFound(f"there are no keys of {epoch}", hint="they may have been destroyed before")
    console = sentences()
    console.print(f"[bold]Destroyed[/]: {' and '.join(gone)} of {epoch}. The log still verifies.")
    console.print("A gateway that runs keeps what it has in memory until it is started again.")


def _ledger(config: Path | None, ledger: Path | None) -> Path:
    if (config is None) == (ledger is None):
        raise UsageError("which ledger?", hint="give --config FILE (the region's seenby.toml), or --ledger DIRECTORY")
    return ledger or load_config(config or "").ledger_dir


def _opener(epoch: int, key: Path | None, config: Path | None) -> RecordOpener:
    if key is not None:
        opened = OpenedEpochKey.parse(_read(key))
        if opened.epoch != epoch:
            raise UsageError(f"{key} is the key of {opened.epoch}", hint=f"give --epoch {opened.epoch}")
        return RecordOpener(opened.region, epoch, auditors_key=opened.private)
    if config is None:
        raise UsageError("which key?", hint="give --key FILE: `seenby audit open` makes it")
    settings = load_config(config)
    keystore = open_keystore(settings, read_only=True)
    try:
        return RecordOpener(settings.region, epoch, region_key=keystore.epoch_key(epoch))
    finally:
        keystore.close()


def _go_on(progress: Progress, key: X25519PrivateKey) -> tuple[str, Progress | bytes]:
    """Whose turn it is, and what they opened."""
    for name in progress.turns:
        try:
            return name, progress.open(name, key)
        except VerificationError:
            continue
    raise UsageError(
        "this key opens nothing here", hint=f"it is the turn of {' or '.join(progress.turns)}, with their own key"
    )


def _place(shares: Path) -> tuple[str, int]:
    progress = Progress.parse(_read(shares))
    return progress.region, progress.epoch


def _row(one: Audited) -> list[str]:
    def words(value: Any, *names: str) -> str:
        return " ".join(str(value[name]) for name in names if value.get(name)) if isinstance(value, dict) else ""

    who = words(one.withheld.get("principal"), "name"), words(one.record.get("principal"), "role", "unit", "country")
    why = str(one.record.get("purpose", "")), words(one.withheld.get("reference"), "id")
    told = str(one.withheld.get("statement", ""))
    if one.withheld.get("message"):
        told += f" ({one.withheld['message']})"
    when = str(one.record.get("at", "")).replace("T", " ")[:19]
    return [
        str(one.index), when, str(one.record.get("kind", "")), " ".join(filter(None, who)),
        " ".join(filter(None, why)), told,
    ]  # fmt: skip


def _private_key(path: Path) -> X25519PrivateKey:
    data = _read(path)
    if path.stat().st_mode & 0o077:
        raise UsageError(f"{path} can be read by others", hint=f"chmod 600 {path}")
    try:
        key = load_pem_private_key(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, X25519PrivateKey):
        raise UsageError(f"{path} is not an auditor's key", hint="`seenby audit keygen` makes one")
    return key


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}", hint="check the name") from None


def _write(path: Path, data: bytes) -> None:
    """A new file that only its owner reads."""
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise UsageError(f"{path} is already there", hint="keys are never written over; move it away") from None
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}", hint="check the folder") from None
    with os.fdopen(file, "wb") as stream:
        stream.write(data)

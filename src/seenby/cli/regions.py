"""``seenby regions``: the organisation's signed list of regions (docs/formats/trust.md)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cyclopts import App, Parameter
from rich.markup import escape

from seenby.errors import UsageError
from seenby.stores.directory import load_private_key
from seenby_verify.cli.plain import sentences
from seenby_verify.cli.trust import parse_key
from seenby_verify.tlog.regions import RegionList
from seenby_verify.tlog.vkey import VerifierKey, valid_name

app = App(
    name="regions",
    help="Make and sign the organisation's list of regions.",
    help_epilogue="The list says which logs a person's bundle must cover. Each region's gateway puts it into its log "
    "when `regions` in seenby.toml names the file; a list never leaves out a region that the list before had.",
)


@app.command
def keygen(*, organisation: str, out: Path) -> None:
    """Make the organisation's key, and print the verifier key that seenby.toml and everybody else must be given.

    Parameters
    ----------
    organisation
        Its name, as in platform.example.
    out
        The new file with the private key.
    """
    if not valid_name(organisation):
        raise UsageError(f"{organisation!r} cannot be the name of a key", hint="no spaces and no plus sign")
    key = Ed25519PrivateKey.generate()
    _write(out, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), 0o600)
    print(VerifierKey(organisation, key.public_key().public_bytes_raw()))


@app.command
def sign(
    *,
    key: Path,
    out: Path,
    log: Annotated[Sequence[str], Parameter(negative="")] = (),
    organisation: str = "",
    after: Path | None = None,
) -> None:
    """Sign a list: the first one, or the one that follows another.

    Parameters
    ----------
    key
        The organisation's private key.
    out
        The new file.
    log
        REGION=KEY: a log's verifier key, or the file that holds it (state/log.vkey of its gateway). Give it several
        times; with --after: only those that are new.
    organisation
        The name of the key, for the first list.
    after
        The list before. Its regions stay.
    """
    private = load_private_key(key)
    added = dict(_log(text) for text in log)
    serial, known = 1, {}
    if after is not None:
        before = RegionList.open(_read(after), None)
        organisation, serial, known = before.organisation, before.serial + 1, dict(before.logs)
        for region in added.keys() & known.keys():
            raise UsageError(f"region {region} has its log in {after}", hint="a region's log never changes")
    if not organisation:
        raise UsageError("whose list is it?", hint="give --organisation NAME, or --after FILE")
    made = RegionList(organisation, serial, tuple(sorted((known | added).items())))
    _write(out, made.sign(private), 0o644)
    console = sentences()
    console.print(f"List number {serial} of {escape(organisation)}: {', '.join(name for name, _ in made.logs)}.")
    console.print(f"next: have each gateway's seenby.toml say regions = {escape(str(out))!r}")


def _log(text: str) -> tuple[str, VerifierKey]:
    region, equals, key = text.partition("=")
    if not (region and equals and key):
        raise UsageError(f"{text!r} names no log", hint="write REGION=KEY, as in eu=state/log.vkey")
    path = Path(key)
    return region, parse_key(_read(path).decode("utf-8", "replace").strip() if path.is_file() else key, "--log")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}", hint="check the name") from None


def _write(path: Path, data: bytes, mode: int) -> None:
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}", hint="give the name of a new file") from None
    with os.fdopen(file, "wb") as stream:
        stream.write(data)

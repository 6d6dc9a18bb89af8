"""``seenby bundle``: the file that a person takes away, with which anybody can check that their list is whole."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from seenby.cli.beside import PersonName, RegionFile, beside
from seenby.errors import UsageError, VerificationError
from seenby.model.people import Person
from seenby.stores.bundles import enrolment_receipt, listed_regions, make_bundle
from seenby.stores.config import Config
from seenby.stores.keystore import KeyStore
from seenby.stores.other_logs import OtherLog
from seenby.stores.person import enrolled
from seenby.stores.view import Accepts, LogView, open_state
from seenby.stores.witnesses import load_policy
from seenby_verify.cli.plain import sentences
from seenby_verify.client import open_log
from seenby_verify.tlog.policy import Log, Policy
from seenby_verify.tlog.regions import RegionList
from seenby_verify.tlog.vkey import VerifierKey


def bundle(
    person: PersonName,
    /,
    *,
    config: RegionFile,
    out: Path,
    receipt: Path | None = None,
    log: Annotated[list[str] | None, Parameter(negative="")] = None,
) -> None:
    """Write a person's bundle: every entry about them, with the proof that none is left out.

    It can be checked without Seenby and without a network: seenby-verify bundle FILE --policy FILE. It holds the
    person's key, so it is theirs alone.

    Example: seenby bundle account:42 --config eu.toml --out 42.bundle.json --log us=https://us.log.platform.example/

    Parameters
    ----------
    out
        The new file.
    receipt
        Also write the person's enrolment receipt to this new file. They keep it: it shows that this key is theirs.
    log
        Where the log of another region lies, as REGION=PLACE: a directory or a URL. The organisation's list of regions
        says which are needed.
    """
    name = str(Person.parse(person))
    files = [out] if receipt is None else [out, receipt]
    for path in files:
        _check_new(path)
    if out == receipt:
        raise UsageError("bundle and receipt cannot be one file", hint="give two names")
    with beside(config) as region:
        settings, keystore, key = region.config, region.keystore, region.log
        policy = load_policy(Path(settings.witnesses.policy)) if settings.witnesses.policy else None
        with open_state(settings.ledger_dir) as state, ExitStack() as sources:
            with LogView.at_checkpoint(settings.ledger_dir, state, key) as view:
                enrolled(view, keystore, name)  # before other logs are read for nothing
                regions = listed_regions(view)
            # Reading them may take a minute, and the state cannot reuse space while somebody has a view of it.
            others = _read_others(_places(log or []), regions, settings.region, policy, sources)
            with LogView.at_checkpoint(settings.ledger_dir, state, key, accepts=cosigned(policy, key)) as view:
                made = _make(name, view, settings, keystore, others)
    console = sentences()
    for path, data in zip(files, made, strict=False):
        _write(path, data)
    console.print(f"The bundle of {name} is in {out}.", markup=False)
    console.print("It holds the person's key: whoever has the file can read it. Hand it to them alone.")
    if receipt is not None:
        console.print(f"The enrolment receipt is in {receipt}: it proves later that the key is theirs.", markup=False)
    console.print(f"next: seenby-verify bundle {out} --policy FILE", markup=False)


def cosigned(policy: Policy | None, key: VerifierKey) -> Accepts:
    """Whether a checkpoint of this log has the cosignatures that the gateway's own policy asks for."""
    if policy is None:
        return lambda _: True
    mine = replace(policy, logs=(Log(key),))  # the gateway's file need not name every region's log

    def accepts(note: bytes) -> bool:
        try:
            mine.accepts(note)
        except VerificationError:
            return False
        return True

    return accepts


def _make(name: str, view: LogView, config: Config, keystore: KeyStore, others: Sequence[OtherLog]) -> list[bytes]:
    """The bundle, and the receipt of the newest key: a list with that key has all before it."""
    keys = enrolled(view, keystore, name)
    made = make_bundle(name, keys, view, config.region, now=time.time(), others=others)
    return [made, enrolment_receipt(view, keys[-1])]


def _places(given: Sequence[str]) -> dict[str, str]:
    """``["us=https://us.log.example/"]`` -> by region."""
    places: dict[str, str] = {}
    for one in given:
        region, equals, place = one.partition("=")
        if not (equals and region and place):
            raise UsageError(f"--log {one} names no region and place", hint="write --log us=https://us.log.example/")
        if region in places:
            raise UsageError(f"--log {region} was given twice", hint="a region has one log")
        places[region] = place
    return places


def _read_others(
    places: dict[str, str], regions: RegionList | None, home: str, policy: Policy | None, sources: ExitStack
) -> list[OtherLog]:
    """The logs of all other regions. Every key is out of the list that the organisation signed.

    ``sources``: keeps them open, since proofs are read when the bundle is made.
    """
    known = {region: key for region, key in regions.logs if region != home} if regions else {}
    if missing := sorted(known.keys() - places.keys()):
        raise UsageError(
            f"the list of regions names {missing[0]}, and its log was not given",
            hint=f"give --log {missing[0]}=PLACE, where the log {known[missing[0]].name} lies: a directory or a URL",
        )
    if unknown := sorted(places.keys() - known.keys()):
        raise UsageError(
            f"the list of regions does not name {unknown[0]} beside {home}", hint=f"leave --log {unknown[0]} out"
        )
    others = []
    for region, place in sorted(places.items()):
        source = sources.enter_context(open_log(place))
        others.append(OtherLog.read(source, region, known[region], accepts=cosigned(policy, known[region])))
    return others


def _check_new(path: Path) -> None:
    if path.exists():
        raise UsageError(f"{path} is already there", hint="give the name of a new file")
    if not path.absolute().parent.is_dir():
        raise UsageError(f"cannot write {path}: there is no such folder", hint="give the name of a new file")


def _write(path: Path, data: bytes) -> None:
    """A new file that only its owner reads; none at all if it cannot be written to its end."""
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(file, "wb") as stream:
                stream.write(data)
        except OSError:
            path.unlink()
            raise
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}", hint="give the name of a new file") from None

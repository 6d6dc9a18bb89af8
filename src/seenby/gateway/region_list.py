"""The organisation's signed list of regions goes into the log when there is a new one (docs/formats/trust.md)."""

from __future__ import annotations

import asyncio
from pathlib import Path

import structlog

from seenby.errors import ConfigError, SeenbyError, VerificationError
from seenby.stores.ledger import Ledger
from seenby_verify.tlog.entries import Regions
from seenby_verify.tlog.regions import RegionList
from seenby_verify.tlog.vkey import VerifierKey

POLL_SECONDS = 0.5

log = structlog.get_logger("seenby.regions")


class RegionsFile:
    """The file that ``regions`` in seenby.toml names.

    Args:
        organisation: its verifier key, as text.
        region: whose log this is: the list must name it as it is.
    """

    def __init__(self, path: Path, organisation: str, region: str, ledger: Ledger) -> None:
        """Raises ConfigError: the organisation's key cannot be read."""
        self._path = path
        self._region = region
        self._ledger = ledger
        self._seen = b""
        try:
            self._key = VerifierKey.parse(organisation)
        except VerificationError as error:
            raise ConfigError(f"organisation in seenby.toml: {error.message}", hint="write its verifier key") from None

    async def log_it(self) -> bool:
        """Logs what the file holds, if it is a new list; True if it did.

        Raises ConfigError, in words, for everything that is no list, not signed by the organisation, not about this
        log, or does not follow the list that the log has.
        """
        try:
            document = self._path.read_bytes()
        except OSError as error:
            raise ConfigError(f"cannot read the list of regions {self._path}: {error.strerror}") from None
        if document in (self._seen, self._ledger.regions):
            return False
        self._seen = document  # one complaint for each text
        try:
            self._check(document)
        except VerificationError as error:
            raise ConfigError(
                f"{self._path} is refused: {error.message}",
                hint="`seenby regions sign --after OLD` makes the list that follows; each list is logged, one by one",
            ) from None
        await self._ledger.append(Regions(0, document))
        log.info("regions", logged=str(self._path))
        return True

    def _check(self, document: bytes) -> None:
        found = RegionList.open(document, self._key)
        mine = dict(found.logs).get(self._region)
        if mine != self._ledger.verifier_key:
            raise VerificationError(f"it does not name this log for region {self._region}: {self._ledger.verifier_key}")
        if self._ledger.regions:
            found.check_follows(RegionList.open(self._ledger.regions, None))

    async def run(self) -> None:
        """Looks again whenever the file changes, until it is cancelled. A wrong list changes nothing."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            try:
                await self.log_it()
            except SeenbyError as error:
                log.error("regions", error=error.message, hint=error.hint)

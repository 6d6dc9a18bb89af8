"""Migration mode: grants are suspended while the platform's schema is changed, because their views would block that.

::

    begin ──> the file (stores/migrating.py) ──> sessions cut, roles and views gone ──> the platform's own DDL
    end ──> the data map is read again ──> does it fit? no: everything stays suspended, and what is wrong is said
                                       └─> yes: the file goes, grants get roles and views again

The file comes first and goes last: a gateway that is killed at any moment starts suspended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import structlog

from seenby.attach.check import Finding, Level, check
from seenby.datamap import DataMap
from seenby.errors import ConfigError, PolicyDenied, SeenbyError, Unavailable, UnderMigration, UsageError
from seenby.gateway.accesses import AccessBook
from seenby.gateway.active import lost_words
from seenby.gateway.enforce import NewestCatalog
from seenby.gateway.grants import GrantService
from seenby.grants.lifecycle import ENDED
from seenby.grants.words import clock as clock_words
from seenby.grants.words import duration
from seenby.model.grant import GrantState
from seenby.model.principal import Principal
from seenby.stores.inspect import Inspector
from seenby.stores.migrating import MigrationFile, OpenMigration
from seenby.stores.userdb import UserDatabase

MAX_MINUTES = 24 * 60
WARN_SECONDS = 60.0
"""So often the gateway's log says that a migration takes longer than it should."""
REBUILD_SECONDS = 20.0
"""So long ``end`` waits for the grants; the rest follows by itself."""

log = structlog.get_logger("seenby.migration")


@dataclass(frozen=True, slots=True)
class Ended:
    """What the end of a migration found and did.

    Attributes:
        findings: what ``seenby datamap check`` says of map and database as they are now.
        again: grants that are active again.
        narrowed: of these, the ones that lost something: id -> what, in words.
        ended: grants that could not go on: id -> why.
        waiting: grants that will be active again in a moment.
    """

    findings: list[dict[str, Any]]
    again: list[str]
    narrowed: dict[str, str]
    ended: dict[str, str]
    waiting: list[str]


class Migration:
    """One per gateway process, on its loop.

    Args:
        file: where it is written down.
        read_map: reads the data map anew: (the map, as it is written). Raises ConfigError.
        dsn: of the platform's database, as seenby_guard.
        clock: Unix seconds.
    """

    def __init__(
        self,
        *,
        file: MigrationFile,
        grants: GrantService,
        database: UserDatabase,
        catalog: NewestCatalog,
        book: AccessBook,
        read_map: Callable[[], tuple[DataMap, dict[str, Any]]],
        dsn: str,
        clock: Callable[[], float],
    ) -> None:
        self._file = file
        self._grants = grants
        self._database = database
        self._catalog = catalog
        self._book = book
        self._read_map = read_map
        self._dsn = dsn
        self._clock = clock
        self._lock = asyncio.Lock()
        self._rebuilding: asyncio.Task[None] | None = None
        self._out = True  # with a migration open: no view of Seenby's is in the database any more
        self.current: OpenMigration | None = None

    def found(self, migration: OpenMigration | None) -> None:
        """Before grants are started: a migration that was open when the gateway stopped is open still."""
        self.current = migration
        if migration is not None:
            self._grants.paused = self._database.paused = _told(migration)
            log.warning("migration", open_since=migration.at, by=migration.by, grants="suspended")

    def status(self) -> dict[str, Any] | None:
        """The open migration, None if there is none. ``late``: it takes longer than it should."""
        if self.current is None:
            return None
        return asdict(self.current) | {"until": self.current.until, "late": self._clock() >= self.current.until}

    async def begin(self, by: Principal, minutes: int, reason: str) -> None:
        """Suspends every grant. When this returns, no view of Seenby's is in the platform's database.

        Raises PolicyDenied, UsageError; Unavailable when the database does not obey (a dump reads the views, say): then
        it is open all the same, and whoever begins again lets what is left be taken out.
        """
        _check_operator(by)
        if not 1 <= minutes <= MAX_MINUTES:
            raise UsageError(f"a migration cannot take {minutes} minutes", hint=f"give 1 to {MAX_MINUTES}")
        async with self._lock:
            if self.current is not None and not self._out:
                await self._take_out(self.current)
                return
            if self.current is not None:
                raise UsageError(
                    f"{self.current.by} began a migration at {clock_words(self.current.at)}, and it is not over",
                    hint="end it first: seenby migrate end",
                )
            opened = OpenMigration(by.name, int(self._clock()), minutes, reason)
            self._file.open(opened)
            self.current = opened
            try:
                await self._take_out(opened)
            finally:
                until = clock_words(opened.until)
                await self._notify(by, f"{by.name} began a migration, until {until}: {reason or 'no reason given'}")

    async def _take_out(self, opened: OpenMigration) -> None:
        self._out = False
        error = self._database.paused = _told(opened)
        try:
            await self._grants.pause(error)
        except Unavailable as failed:
            raise Unavailable(
                "all grants are suspended, but views of Seenby's are still in the database, which does not let go",
                hint="whoever reads or locks them (a dump?) must end; then begin again, or give up: seenby migrate end",
                detail=f"{failed.message} {failed.detail}".strip(),
            ) from None
        self._out = True

    async def end(self, by: Principal) -> Ended:
        """Reads the data map again, and lets the grants go on if it fits the database as it is now.

        Raises PolicyDenied, UsageError; ConfigError when it does not fit: then everything stays suspended.
        """
        _check_operator(by)
        async with self._lock:
            if self.current is None:
                raise UsageError("no migration is open", hint="seenby migrate begin")
            datamap, written = self._read_map()
            findings = await asyncio.to_thread(self._check, datamap, written)
            try:
                catalog = await self._database.change_map(datamap)
            except ConfigError as error:
                raise _does_not_fit(error, findings) from None
            before = {name for name, grant in self._grants.truth.grants.items() if grant.state is GrantState.ACTIVE}
            self._file.close()
            opened, self.current = self.current, None
            self._database.paused = None
            self._catalog.current = catalog
            self._book.catalog_changed()
            self._book.open()
            self._grants.resume()
        await self._notify(by, f"{by.name} ended the migration that {opened.by} began at {clock_words(opened.at)}")
        self._rebuilding = asyncio.create_task(self._grants.tick())
        await asyncio.wait([self._rebuilding], timeout=REBUILD_SECONDS)
        return self._outcome(before, findings)

    async def run(self) -> None:
        """Says so, loudly and again and again, when a migration takes longer than it should. Until cancelled."""
        while True:
            await asyncio.sleep(0.5)
            while (status := self.status()) is not None and status["late"]:
                text = f"the migration that {status['by']} began at {clock_words(status['at'])} is not over"
                log.error("migration", error=f"{text}: every grant is suspended", hint="seenby migrate end")
                await self._notify(None, f"{text}, after {duration(60 * status['minutes'])}")
                await asyncio.sleep(WARN_SECONDS)

    def _check(self, datamap: DataMap, written: dict[str, Any]) -> list[Finding]:
        with Inspector(self._dsn) as inspector:
            return check(datamap, written, inspector.inspect(samples=False), inspector.around())

    def _outcome(self, before: set[str], findings: list[Finding]) -> Ended:
        grants = [self._grants.truth.grants[name] for name in sorted(before)]
        return Ended(
            findings=[asdict(one) for one in findings if one.level is not Level.NOTE],
            again=[grant.terms.id for grant in grants if grant.active],
            narrowed={g.terms.id: lost_words(g.active.lost) for g in grants if g.active and g.active.lost},
            ended={grant.terms.id: grant.standing.ended_because for grant in grants if grant.state in ENDED},
            waiting=[grant.terms.id for grant in grants if grant.state not in ENDED and grant.active is None],
        )

    async def _notify(self, by: Principal | None, text: str) -> None:
        """For the protection officer. A control database that is away keeps nobody from migrating."""
        try:
            await self._grants.truth.notify("migration", text, "", by.name if by else "")
        except SeenbyError as error:
            log.warning("migration", text=text, stored=error.message)


def _check_operator(by: Principal) -> None:
    if by.role != "operator":
        raise PolicyDenied(
            f"{by.name} cannot suspend everybody's grants", hint="an operator begins and ends a migration"
        )


def _told(migration: OpenMigration) -> UnderMigration:
    """What sessions that are cut are told, and everybody who comes meanwhile."""
    return UnderMigration(
        f"the platform's schema is being changed since {clock_words(migration.at)}: all grants are suspended",
        hint=f"try again later: it should be over by {clock_words(migration.until)}; your grant goes on by itself",
    )


def _does_not_fit(error: ConfigError, findings: list[Finding]) -> ConfigError:
    drift = [f"{one.place}: {one.message}" for one in findings if one.what == "drift"]
    return ConfigError(
        f"the migration stays open, and grants suspended: {error.message}",
        hint=f"{error.hint or 'correct the data map'}; then again: seenby migrate end",
        detail="\n  ".join([*filter(None, [error.detail]), *drift]),
    )

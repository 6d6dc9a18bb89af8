"""One region, assembled: keys, ledger, databases, grants, control API, gateway.

``seenby serve`` runs this, and so do the tests, with a clock of their own.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
import tomllib
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from seenby import datamap as maps
from seenby.datamap import DataMap
from seenby.errors import ConfigError, SeenbyError, Unavailable
from seenby.gateway.accesses import AccessBook
from seenby.gateway.control_api import control_app, serve_control
from seenby.gateway.control_migration import migration_routes
from seenby.gateway.control_people import people_routes
from seenby.gateway.control_receipts import receipt_routes
from seenby.gateway.control_reports import report_routes
from seenby.gateway.enforce import NOTHING_KNOWN, MappedPeople, NewestCatalog, PostgresEnforcer
from seenby.gateway.enrolment import Enrolment
from seenby.gateway.erasure import ErasureService
from seenby.gateway.grants import GrantService
from seenby.gateway.migration import Migration
from seenby.gateway.person_web import PersonDesk
from seenby.gateway.public_web import listen_public, public_app, serve_public
from seenby.gateway.region_list import RegionsFile
from seenby.gateway.reporting import DailyReports, grant_facts
from seenby.gateway.server import Gateway
from seenby.guard.managed import REMAINS_OPEN
from seenby.model.shape import Catalog
from seenby.stores.auditors import auditors_of
from seenby.stores.config import Config
from seenby.stores.control import Control
from seenby.stores.directory import DirectoryFile
from seenby.stores.erasures import ErasureQueue
from seenby.stores.keystore import KeyStore
from seenby.stores.keystore_open import open_keystore
from seenby.stores.ledger import Ledger
from seenby.stores.migrating import MigrationFile
from seenby.stores.policies import load_policies
from seenby.stores.receipts import Receipts
from seenby.stores.remembered import Remembered
from seenby.stores.userdb import UserDatabase
from seenby.stores.witnesses import Cosigner, load_policy, tile_proof

log = structlog.get_logger()

CATALOG_SECONDS = 0.3
"""A changed schema is noticed within a second."""
KEYS_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Region:
    """Everything that runs for one region. ``failed`` raises when a part of it ends by itself."""

    config: Config
    ledger: Ledger
    keystore: KeyStore
    database: UserDatabase
    enforcer: PostgresEnforcer
    grants: GrantService
    erasures: ErasureService
    gateway: Gateway
    failed: asyncio.Future[None]


@asynccontextmanager
async def running(config: Config, clock: Callable[[], float] = time.time) -> AsyncIterator[Region]:
    """Starts a region and stops it in the opposite order. Raises SeenbyError when something is not there."""
    async with AsyncExitStack() as stack:
        region = await _assemble(config, clock, stack)
        await region.gateway.start()
        stack.push_async_callback(region.gateway.stop)
        yield region


async def _assemble(config: Config, clock: Callable[[], float], stack: AsyncExitStack) -> Region:
    keystore = open_keystore(config)
    stack.callback(keystore.close)
    directory = DirectoryFile(config.directory_file)
    auditors_of(directory.current.auditors, config.auditors.threshold)
    ledger = Ledger.open(
        config.ledger_dir,
        region=config.region,
        origin=config.origin,
        keystore=keystore,
        clock=clock,
        auditors=lambda: auditors_of(directory.current.auditors, config.auditors.threshold),
        apart=True,
    )
    stack.push_async_callback(ledger.close)
    (config.state / "log.vkey").write_text(f"{ledger.verifier_key}\n")
    datamap = read_datamap(config)
    database = UserDatabase(
        config.database.dsn(),
        datamap,
        connections_per_grant=config.limits.connections_per_grant,
        managed=config.database.managed,
    )
    if config.database.managed:
        log.warning("managed", open_to_a_grants_own_password=[one.what for one in REMAINS_OPEN])
    stack.push_async_callback(database.close)
    migrating = MigrationFile(config.state / "migration.json")
    open_migration = migrating.read()
    catalog = NewestCatalog(database, await _first_catalog(database, migrating=open_migration is not None))
    control = await Control.open(config.control_dsn)
    stack.push_async_callback(control.close)
    secret = gateway_secret(config.keys_dir / "gateway.secret")
    refresh = asyncio.Event()
    enforcer = PostgresEnforcer(database, secret, refresh.set)
    people = MappedPeople(database)
    service = GrantService(
        region=config.region,
        ledger=ledger,
        control=control,
        directory=directory,
        policies=load_policies(config.policies_dir),
        people=people,
        enforcer=enforcer,
        clock=clock,
    )
    enrolment = Enrolment(region=config.region, ledger=ledger, keystore=keystore, database=database)
    erasures = ErasureService(
        grants=service,
        ledger=ledger,
        keystore=keystore,
        facts=people,
        queue=ErasureQueue(config.state / "erasures.json"),
        every_minutes=config.erasure.every_minutes,
        clock=clock,
    )
    remembered = Remembered(config.state / "statistics.log", secret, clock)
    book = AccessBook(service, ledger, catalog, remembered)
    gateway = Gateway(
        config, ledger=ledger, grants=book, catalog=catalog, secret=secret, clock=clock, enforcer=enforcer
    )
    book.on_end = gateway.cut_ended
    migration = Migration(
        file=migrating,
        grants=service,
        database=database,
        catalog=catalog,
        book=book,
        read_map=lambda: read_map(config),
        dsn=config.database.dsn(),
        clock=clock,
    )
    migration.found(open_migration)
    failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    stack.callback(failed.cancel)
    await erasures.start()
    await service.start()
    _run_beside(stack, failed, service.run())
    _run_beside(stack, failed, erasures.run())
    reports = DailyReports(ledger, lambda: grant_facts(service.truth), clock)
    _run_beside(stack, failed, reports.run())
    _run_beside(stack, failed, migration.run())
    if config.regions_file is not None:
        regions = RegionsFile(config.regions_file, config.organisation, config.region, ledger)
        await regions.log_it()
        _run_beside(stack, failed, regions.run())
    _run_beside(stack, failed, _watch_catalog(catalog, service, book, refresh))
    _run_beside(stack, failed, _renew_keys(config, keystore))
    witnessed = load_policy(Path(config.witnesses.policy)) if config.witnesses.policy else None
    receipts = Receipts(ledger, keystore.checkpoint_key(), witnessed)
    stack.callback(receipts.close)
    desk = PersonDesk(config.region, receipts, keystore, clock)
    _publish(config, ledger, desk, stack, failed)
    more = (
        people_routes(enrolment, erasures),
        receipt_routes(receipts),
        migration_routes(migration),
        report_routes(reports),
    )
    _run_beside(stack, failed, serve_control(control_app(service, clock, *more), config.control_socket))
    return Region(config, ledger, keystore, database, enforcer, service, erasures, gateway, failed)


def _publish(
    config: Config, ledger: Ledger, desk: PersonDesk, stack: AsyncExitStack, failed: asyncio.Future[None]
) -> None:
    """The public log over HTTP, and witnesses for its checkpoints, where they are configured."""
    public = config.ledger_dir / "public"
    if config.publish.host:
        listener = listen_public(config.publish)
        stack.callback(listener.close)
        app = public_app(public, ledger.verifier_key, desk.answer)
        _run_beside(stack, failed, serve_public(app, listener, config.publish))
    if config.witnesses.policy:
        cosigner = Cosigner(load_policy(Path(config.witnesses.policy)), ledger.verifier_key, tile_proof(public))
        stack.push_async_callback(cosigner.close)
        cosigner.submit(ledger.note)
        ledger.on_published(lambda _, note: cosigner.submit(note))
        _run_beside(stack, failed, cosigner.run(ledger.cosigned))


async def _renew_keys(config: Config, keystore: KeyStore) -> None:
    """Once an hour: what wraps people's keys is renewed and destroyed when its days are over."""
    while True:
        try:
            days = config.keys.rotate_days, config.keys.destroy_after_days
            await asyncio.to_thread(keystore.rotate_when_due, *days)
        except SeenbyError as error:
            log.error("keys", error=error.message, hint=error.hint)
        await asyncio.sleep(KEYS_SECONDS)


def read_datamap(config: Config) -> DataMap:
    """The data map of a region. Raises ConfigError with file, table and column."""
    return read_map(config)[0]


def read_map(config: Config) -> tuple[DataMap, dict[str, Any]]:
    """The data map as the gateway goes by it, and as it is written. Raises ConfigError with file, table and column."""
    try:
        text = config.datamap_file.read_text()
    except OSError as error:
        raise ConfigError(f"cannot read the data map {config.datamap_file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"the data map {config.datamap_file} is not text in UTF-8", hint="save it as UTF-8") from None
    return maps.parse(text, source=str(config.datamap_file), region=config.region), tomllib.loads(text)


async def _first_catalog(database: UserDatabase, *, migrating: bool) -> Catalog:
    """In the middle of a migration the data map may fit no database: the gateway starts all the same, to end it."""
    try:
        return await database.load_catalog()
    except ConfigError as error:
        if not migrating:
            raise
        log.warning("catalog", error=error.message, because="the platform's schema is being changed")
        return NOTHING_KNOWN


def gateway_secret(path: Path) -> bytes:
    """32 random bytes in a file of mode 0600, made at the first start."""
    with contextlib.suppress(FileExistsError):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(os.urandom(32))
    secret = path.read_bytes()
    if len(secret) != 32 or path.stat().st_mode & 0o077:
        raise ConfigError(f"{path} must hold 32 bytes that only its owner can read", hint=f"chmod 600 {path}")
    return secret


async def _watch_catalog(
    catalog: NewestCatalog, grants: GrantService, book: AccessBook, at_once: asyncio.Event
) -> None:
    """Reads the catalogue again when the schema changed; not in the middle of a migration, which ends with that."""
    while True:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(at_once.wait(), CATALOG_SECONDS)
        at_once.clear()
        if grants.paused is not None:
            continue
        try:
            if await catalog.refresh():
                book.catalog_changed()
                if catalog.fresh:
                    log.warning(
                        "unclassified", names=sorted(catalog.fresh), hint="nobody sees them; name them in the data map"
                    )
            book.open()
        except Unavailable as error:
            log.warning("catalog", error=error.message)
        except ConfigError as error:
            log.error("catalog", error=error.message, hint=error.hint)
            book.close_all(error)


def _run_beside(stack: AsyncExitStack, failed: asyncio.Future[None], work: Coroutine[Any, Any, None]) -> None:
    """A task that ends with the region. If it ends before, ``failed`` says so: half a gateway is none."""
    task = asyncio.ensure_future(work)

    def ended(done: asyncio.Task[None]) -> None:
        if not done.cancelled() and not failed.done():
            failed.set_exception(done.exception() or Unavailable("a part of the gateway ended"))

    task.add_done_callback(ended)

    async def stop() -> None:
        task.remove_done_callback(ended)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    stack.push_async_callback(stop)

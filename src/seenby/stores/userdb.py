"""The platform's database as seenby_guard sees it: reads the catalogue, makes and ends the grants' roles.

All SQL comes from ``seenby.guard``; this file only carries it out. One connection, one operation at a time.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql as raw

from seenby.datamap import DatabaseFacts, DataMap
from seenby.errors import ConfigError, SeenbyError, Unavailable, UsageError
from seenby.guard import Finding, ShapeDesign, attach_sql, design, lifecycle, names, refuse_findings, scan_sql
from seenby.guard.homes import home_region
from seenby.guard.quote import ident, literals, qualified
from seenby.guard.scram import verifier
from seenby.model.grant import GrantTerms
from seenby.model.people import Person
from seenby.model.shape import Catalog, Shape
from seenby.stores.userdb_catalog import read_catalog, read_fingerprint, rows, run

LOCK_SECONDS = 10
"""So long the guard waits for whoever reads or locks a view that it takes out."""
END_WITHIN_S = 10.0
"""How long ``end`` waits for backends that were told to go. They go when they next look, mostly at once."""


@dataclass(frozen=True, slots=True)
class PersonFacts:
    """What policies ask about a person. ``region`` is None when it is NULL."""

    region: str | None
    protected: bool
    employee: bool


async def attach(dsn: str, datamap: DataMap, *, guard_password: str, managed: bool = False) -> None:
    """Runs the attach script, as a DBA would with psql. Raises ConfigError with Postgres's own words.

    Args:
        dsn: of a superuser; ``managed``: of the database's owner.
    """
    async with await psycopg.AsyncConnection.connect(dsn) as connection:
        script = attach_sql(
            datamap,
            database=connection.info.dbname,
            guard_verifier=verifier(guard_password, secrets.token_bytes(16)),
            managed=managed,
        )
        try:
            await connection.execute(raw.SQL(script))
        except psycopg.Error as error:
            raise ConfigError(
                f"attaching to database {connection.info.dbname} failed: {_words(error)}",
                hint=error.diag.message_hint or "run it as superuser, in the platform's own database",
                detail=error.diag.context or "",
            ) from None


class UserDatabase:
    """The platform's database of one region.

    Args:
        dsn: libpq connection string for seenby_guard.
        datamap: checked against the database by ``load_catalog``.
        connections_per_grant: CONNECTION LIMIT of every grant's role.
        managed: a service in which nobody is superuser: what it lets nobody close is no finding.
    """

    def __init__(self, dsn: str, datamap: DataMap, *, connections_per_grant: int = 100, managed: bool = False) -> None:
        self._dsn = dsn
        self._managed = managed
        self._connections_per_grant = connections_per_grant
        self._datamap = datamap
        self._lock = asyncio.Lock()
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._facts: DatabaseFacts | None = None
        self._fingerprint = ""
        self.paused: SeenbyError | None = None
        """While it is set nothing is made for any grant: ``activate`` raises it."""

    @property
    def datamap(self) -> DataMap:
        """The map that everything goes by now."""
        return self._datamap

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()
            self._connection = None

    # -- reading --------------------------------------------------------------------------------------------------

    async def load_catalog(self) -> Catalog:
        """Reads the catalogue. Raises ConfigError when the data map names what the database does not have."""
        async with self._session() as connection:
            return await self._load(connection, self._datamap)

    async def change_map(self, datamap: DataMap) -> Catalog:
        """Goes over to another data map, if the database has what it names and encloses what it maps.

        Raises ConfigError, and goes on with the map from before.
        """
        async with self._session() as connection:
            return await self._load(connection, datamap, enclosed=True)

    async def catalog_changed(self) -> bool:
        """Whether ``load_catalog`` would return something else than last time. A few milliseconds."""
        async with self._session() as connection:
            return await self._changed(connection)

    async def privilege_findings(self) -> list[Finding]:
        """Everything a grant's role could reach beyond its views."""
        async with self._session() as connection:
            return await self._findings(connection, self._datamap)

    async def person_facts(self, people: Collection[Person]) -> dict[Person, PersonFacts]:
        """Home region and flags of people; who does not exist is not in the answer. Read as seenby_owner.

        Somebody without an account is there when they are mentioned; with several home regions they have none.
        """
        found: dict[Person, PersonFacts] = {}
        async with self._session() as connection, self._as_owner(connection):
            for kind in {person.kind for person in people} & self._datamap.kinds.keys():
                mapped = self._datamap.kinds[kind]
                keys = [person.key for person in people if person.kind == kind]
                region = home_region(mapped, self._known_facts, "p")
                flags = [
                    f"coalesce({ident(flag)}, false)" if flag else "false"
                    for flag in (mapped.protected, mapped.employee)
                ]
                await self._refuse_odd_keys(connection, kind, keys)
                base_type = self._known_facts.tables[mapped.table].columns[mapped.key].base_type
                answered = await rows(
                    connection,
                    f"SELECT DISTINCT {ident(mapped.key)}::text, {region}, {', '.join(flags)}"
                    f" FROM {qualified(*mapped.table)} p"
                    f" WHERE {ident(mapped.key)} = ANY (ARRAY[{literals(keys)}]::text[]::{base_type}[])",
                )
                for key, where, protected, employee in answered:
                    person = Person(kind, key)
                    other = found.get(person)
                    same = other is None or other.region == where
                    found[person] = PersonFacts(where if same else None, protected, employee)
        return found

    @asynccontextmanager
    async def as_owner(self) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
        """The connection as seenby_owner, who reads the mapped tables and can do nothing else, for one operation."""
        async with self._session() as connection, self._as_owner(connection):
            yield connection

    # -- grants ---------------------------------------------------------------------------------------------------

    def design(self, terms: GrantTerms) -> ShapeDesign:
        """What ``activate`` would make. Needs ``load_catalog`` first."""
        return design(terms, self._datamap, self._known_facts)

    async def activate(self, terms: GrantTerms, role_name: str, password: str) -> Shape:
        """Makes the grant's role, its shape if it is new, and its scope. The same role again: no change.

        Raises:
            ConfigError: the database lets every role reach more than its grant (privilege scan).
            UsageError: a person's key cannot be one.
        """
        async with self._session() as connection:
            if self.paused is not None:
                raise self.paused
            refuse_findings(await self._findings(connection, self._datamap))
            if self._facts is None or await self._changed(connection):
                await self._load(connection, self._datamap)
            made = self.design(terms)
            people = terms.people or ()
            for kind in sorted({person.kind for person in people}):
                await self._refuse_odd_keys(connection, kind, [person.key for person in people if person.kind == kind])
            async with connection.transaction():
                await run(connection, lifecycle.shape_lock(made.shape.id))
                await self._make_shape(connection, made)
                await self._make_role(connection, made, role_name, password, people, terms.principal)
            return made.shape

    async def end(self, role_names: Sequence[str]) -> None:
        """Ends grants: no new session, no privilege, no running session, no role. Unavailable: one will not go."""
        if role_names:
            async with self._session() as connection:
                await self._end(connection, list(role_names))

    async def sweep(self, active: Collection[str]) -> tuple[str, ...]:
        """Ends every grant role that is not in ``active`` and drops shapes nobody uses. Returns the ended roles."""
        async with self._session() as connection:
            there = [row[0] for row in await rows(connection, lifecycle.GRANT_ROLES)]
            stale = [role for role in there if role not in active]
            await self._end(connection, stale)
            for (role,) in await rows(connection, lifecycle.UNUSED_SHAPES):
                await self._drop_shape(connection, role.removeprefix(names.SHAPE_PREFIX))
        return tuple(stale)

    # -- inside -----------------------------------------------------------------------------------------------------

    @property
    def _known_facts(self) -> DatabaseFacts:
        if self._facts is None:
            raise Unavailable("the database's catalogue was not read yet", hint="call load_catalog first")
        return self._facts

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
        """The connection, for one operation; opened anew when it broke. psycopg's errors become ours."""
        async with self._lock:
            try:
                if self._connection is not None and not await _alive(self._connection):
                    await self._connection.close()
                if self._connection is None or self._connection.closed:
                    self._connection = await psycopg.AsyncConnection.connect(self._dsn, autocommit=True)
                    # format_type and regclass then qualify everything that is not Postgres's own.
                    settings = f"SET search_path = ''; SET lock_timeout = '{LOCK_SECONDS}s'; SET jit = off"
                    await run(self._connection, settings)
                yield self._connection
            except SeenbyError:
                raise
            except psycopg.OperationalError as error:
                raise Unavailable(
                    "the platform's database does not answer the guard",
                    hint="is it running, and was it attached?",
                    detail=_words(error),
                ) from error
            except psycopg.Error as error:
                raise ConfigError(
                    f"the platform's database refused the guard: {_words(error)}",
                    hint=error.diag.message_hint or "run the attach script again",
                    detail=error.sqlstate or "",
                ) from error

    @asynccontextmanager
    async def _as_owner(self, connection: psycopg.AsyncConnection[Any], role: str = names.OWNER) -> AsyncIterator[None]:
        async with connection.transaction():
            await run(connection, f"SET LOCAL ROLE {role}")
            yield
            await run(connection, "RESET ROLE")

    async def _load(
        self, connection: psycopg.AsyncConnection[Any], datamap: DataMap, *, enclosed: bool = False
    ) -> Catalog:
        """``enclosed``: only if the privilege scan finds nothing either."""
        read = await read_catalog(connection, datamap)
        if enclosed:
            refuse_findings(await self._findings(connection, datamap))
        self._datamap, self._facts, self._fingerprint = datamap, read.facts, read.fingerprint
        return read.catalog

    async def _changed(self, connection: psycopg.AsyncConnection[Any]) -> bool:
        return await read_fingerprint(connection, self._datamap) != self._fingerprint

    async def _findings(self, connection: psycopg.AsyncConnection[Any], datamap: DataMap) -> list[Finding]:
        return [Finding(*row) for row in await rows(connection, scan_sql(datamap, managed=self._managed))]

    async def _refuse_odd_keys(self, connection: psycopg.AsyncConnection[Any], kind: str, keys: Sequence[str]) -> None:
        mapped = self._datamap.kinds[kind]
        base_type = self._known_facts.tables[mapped.table].columns[mapped.key].base_type
        try:
            odd = await rows(connection, lifecycle.odd_keys(base_type, keys))
        except psycopg.DataError:
            raise UsageError(
                f"one of the people of kind {kind} has a key that is no {base_type}",
                hint=f"write {kind}:KEY as the table has it",
            ) from None
        if odd:
            raise UsageError(
                f"{kind}:{odd[0][0]} is not how PostgreSQL writes this key", hint="leave out zeros and spaces"
            )

    async def _make_shape(self, connection: psycopg.AsyncConnection[Any], made: ShapeDesign) -> None:
        if await rows(connection, f"SELECT FROM pg_roles WHERE rolname IN ({literals([made.role])})"):
            return
        for check in made.checks:
            await run(connection, check)
        for statement in made.as_guard:
            await run(connection, statement)
        async with self._as_owner(connection):
            for statement in made.as_owner:
                await run(connection, statement)
        if made.as_writer:
            async with self._as_owner(connection, names.WRITER):
                for statement in made.as_writer:
                    await run(connection, statement)
            async with self._as_owner(connection):
                for statement in made.as_owner_again:
                    await run(connection, statement)

    async def _make_role(
        self,
        connection: psycopg.AsyncConnection[Any],
        made: ShapeDesign,
        role: str,
        password: str,
        people: Sequence[Person],
        principal: str,
    ) -> None:
        memberships = await rows(
            connection,
            "SELECT s.rolname FROM pg_roles g LEFT JOIN (pg_auth_members m JOIN pg_roles s ON s.oid = m.roleid"
            f" AND starts_with(s.rolname, '{names.SHAPE_PREFIX}')) ON m.member = g.oid"
            f" WHERE g.rolname IN ({literals([role])})",
        )
        if memberships:
            if [(made.role,)] != memberships:
                raise ConfigError(
                    f"role {role} exists, but with another shape than this grant's",
                    hint="end the grant's role and activate it again: the schema or the data map changed",
                )
            async with self._as_owner(connection):
                there = await rows(connection, lifecycle.people_of(role))
            if set(there) != {(person.kind, person.key) for person in people}:
                raise ConfigError(
                    f"role {role} exists, but for other people than this grant's",
                    hint="one role serves one grant: choose another name",
                )
            return
        salt = secrets.token_bytes(16)
        for statement in lifecycle.create_role(role, verifier(password, salt), made.role, self._connections_per_grant):
            await run(connection, statement)
        async with self._as_owner(connection):
            await run(connection, lifecycle.add_holder(role, principal))
            if people:
                await run(connection, lifecycle.add_people(role, people))

    async def _end(self, connection: psycopg.AsyncConnection[Any], roles: list[str]) -> None:
        for start in range(0, len(roles), lifecycle.DROP_BATCH):
            batch = roles[start : start + lifecycle.DROP_BATCH]
            there = [row[0] for row in await rows(connection, lifecycle.existing(batch))]
            if not there:
                continue
            async with connection.transaction():
                await run(connection, lifecycle.cut_off(there))
            await self._disconnect(connection, there)
            async with connection.transaction():
                async with self._as_owner(connection):
                    await run(connection, lifecycle.remove_people(there))
                await run(connection, lifecycle.drop_roles(there))

    async def _disconnect(self, connection: psycopg.AsyncConnection[Any], roles: list[str]) -> None:
        deadline = asyncio.get_running_loop().time() + END_WITHIN_S
        while await rows(connection, lifecycle.signal(roles)):
            if asyncio.get_running_loop().time() > deadline:
                raise Unavailable(
                    f"{len(roles)} ended grants still have sessions in the database",
                    hint="they have no privileges any more; look for hanging backends in pg_stat_activity",
                )
            await asyncio.sleep(0.005)

    async def _drop_shape(self, connection: psycopg.AsyncConnection[Any], shape_id: str) -> None:
        schemas = [
            row[0]
            for row in await rows(
                connection,
                f"SELECT nspname FROM pg_namespace WHERE starts_with(nspname, '{names.VIEW_PREFIX}{shape_id}')",
            )
        ]
        async with connection.transaction():
            await run(connection, lifecycle.shape_lock(shape_id))
            if schemas:
                async with self._as_owner(connection):
                    await run(connection, lifecycle.drop_shape_schemas(schemas))
            await run(connection, f"DROP ROLE {ident(names.shape_role(shape_id))}")


async def _alive(connection: psycopg.AsyncConnection[Any]) -> bool:
    """Whether it survived since it was last used: a restart of the database shows only when something is sent."""
    try:
        await run(connection, "")
    except psycopg.OperationalError:
        return False
    return True


def _words(error: psycopg.Error) -> str:
    return error.diag.message_primary or str(error).strip()

"""What the grant service needs of the platform's database: that it encloses grants, and what it knows of people."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from seenby.datamap import DataMap, unmapped
from seenby.gateway.active import Enforced
from seenby.grants.facts import PersonFact
from seenby.guard.remaining import what_remains
from seenby.model.classes import DataClass
from seenby.model.grant import GrantTerms
from seenby.model.people import Person
from seenby.model.shape import Catalog
from seenby.stores.userdb import UserDatabase


class PostgresEnforcer:
    """Makes the platform's database enclose grants. Role names and passwords follow from the gateway's secret.

    Args:
        secret: 32 bytes that only the gateway has.
    """

    def __init__(self, database: UserDatabase, secret: bytes, on_activate: Callable[[], None]) -> None:
        self._database = database
        self._secret = secret
        self._on_activate = on_activate

    def role(self, grant: str) -> str:
        """``seenby_g_`` and 32 hex digits that tell nothing of the grant without the secret."""
        return "seenby_g_" + hmac.digest(self._secret, b"role\0" + bytes.fromhex(grant), hashlib.sha256).hex()[:32]

    def password(self, role: str) -> str:
        digest = hmac.digest(self._secret, b"password\0" + role.encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(digest).decode()

    async def activate(self, terms: GrantTerms) -> Enforced:
        role = self.role(terms.id)
        password = self.password(role)
        shape = await self._database.activate(terms, role, password)
        self._on_activate()
        return Enforced(shape, role, password)

    async def end(self, grant_ids: Sequence[str]) -> None:
        await self._database.end([self.role(grant) for grant in grant_ids])

    async def keep_only(self, grant_ids: Collection[str]) -> None:
        await self._database.sweep({self.role(grant) for grant in grant_ids})


class MappedPeople:
    """Facts about people and columns, through the data map that the database goes by now."""

    def __init__(self, database: UserDatabase) -> None:
        self._database = database
        self._classes: tuple[DataMap, dict[str, DataClass]] | None = None

    async def lookup(self, people: Sequence[Person]) -> Mapping[Person, PersonFact]:
        found = await self._database.person_facts(people)
        return {person: PersonFact(facts.region or "", facts.protected) for person, facts in found.items()}

    def check_writes(self, terms: GrantTerms) -> None:
        if terms.writes:
            self._database.design(terms)

    def what_remains(self, terms: GrantTerms) -> tuple[GrantTerms, tuple[str, ...]]:
        return what_remains(terms, self._database.datamap)

    def classes_of(self, columns: Iterable[str]) -> Mapping[str, DataClass]:
        datamap = self._database.datamap
        if self._classes is None or self._classes[0] is not datamap:
            by_name = {
                f"{table.name}.{column.name}": column.data_class
                for table in datamap.tables.values()
                for column in table.columns.values()
            }
            self._classes = datamap, by_name
        known = self._classes[1]
        return {column: known[column] for column in columns if column in known}


NOTHING_KNOWN = Catalog(
    version="",
    functions=frozenset(),
    aggregates=frozenset(),
    windows=frozenset(),
    set_returning=frozenset(),
    types=frozenset(),
    catalog_views=frozenset(),
    catalog_functions=frozenset(),
    tables={},
)
"""While the platform's schema is being changed and fits no data map: a catalogue under which no statement passes."""


class NewestCatalog:
    """The catalogue that analyses go by; read again when the schema changed.

    Attributes:
        fresh: what the newest has, the one before had not, and the data map does not name: nobody sees it.
    """

    def __init__(self, database: UserDatabase, first: Catalog) -> None:
        """``first``: NOTHING_KNOWN if nobody is let in before there is another one."""
        self._database = database
        self.current = first
        self.fresh: frozenset[str] = frozenset()

    def __call__(self) -> Catalog:
        return self.current

    async def refresh(self) -> bool:
        """True when ``current`` is new. Raises ConfigError when the data map no longer fits: nothing may be shown."""
        if not await self._database.catalog_changed():
            return False
        before, self.current = self.current, await self._database.load_catalog()
        self.fresh = self._unmapped(self.current) - self._unmapped(before)
        return True

    def _unmapped(self, catalog: Catalog) -> frozenset[str]:
        return unmapped(self._database.datamap, catalog.tables, catalog.partitions)

"""What the grant service needs of the platform's database: that it encloses grants, and what it knows of people."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from seenby.datamap import DataMap
from seenby.gateway.active import Enforced
from seenby.grants.facts import PersonFact
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
    """Facts about people and columns, through the data map."""

    def __init__(self, database: UserDatabase, datamap: DataMap) -> None:
        self._database = database
        self._classes = {
            f"{table.name}.{column.name}": column.data_class
            for table in datamap.tables.values()
            for column in table.columns.values()
        }

    async def lookup(self, people: Sequence[Person]) -> Mapping[Person, PersonFact]:
        found = await self._database.person_facts(people)
        return {person: PersonFact(facts.region or "", facts.protected) for person, facts in found.items()}

    def check_writes(self, terms: GrantTerms) -> None:
        if terms.writes:
            self._database.design(terms)

    def classes_of(self, columns: Iterable[str]) -> Mapping[str, DataClass]:
        return {column: self._classes[column] for column in columns if column in self._classes}


class NewestCatalog:
    """The catalogue that analyses go by; read again when the schema changed."""

    def __init__(self, database: UserDatabase, first: Catalog) -> None:
        self._database = database
        self.current = first

    def __call__(self) -> Catalog:
        return self.current

    async def refresh(self) -> bool:
        """True when ``current`` is new. Raises ConfigError when the data map no longer fits: nothing may be shown."""
        if not await self._database.catalog_changed():
            return False
        self.current = await self._database.load_catalog()
        return True

"""The platform under attack, one per test process, attached, with two grants: one fenced, one region-wide."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest

from seenby.model.shape import Shape
from seenby.stores.cluster import Cluster
from seenby.stores.userdb import UserDatabase, attach
from tests.attack import world

FENCED = "seenby_g_fenced0001"
REGION = "seenby_g_region0001"
OTHER = "seenby_g_other00001"
PASSWORD = "grant-password"
CONNECTIONS = 4


@dataclass(frozen=True)
class Attacked:
    cluster: Cluster
    fenced: Shape
    region: Shape
    other: Shape

    def superuser(self) -> psycopg.Connection:
        return psycopg.connect(self.cluster.dsn("platform"), autocommit=True)

    def connect(self, role: str, database: str = "platform") -> psycopg.Connection:
        """With the grant role's own secret, past the gateway."""
        return psycopg.connect(self.cluster.dsn(database, role, PASSWORD), autocommit=True)

    def view(self, role: str, table: str) -> str:
        shape = {FENCED: self.fenced, REGION: self.region, OTHER: self.other}[role]
        found = shape.views["public", table]
        return f"{found.view_schema}.{found.view}"

    def guard(self) -> UserDatabase:
        """The gateway's side; to be closed."""
        return guard(self.cluster)


def guard(cluster: Cluster) -> UserDatabase:
    dsn = cluster.dsn("platform", "seenby_guard", world.GUARD_PASSWORD)
    return UserDatabase(dsn, world.datamap(), connections_per_grant=CONNECTIONS)


@pytest.fixture(scope="session")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    """FENCED: contact data of accounts 1 and 3 (eu). REGION: of all eu. OTHER: messages of account 13331."""
    cluster = world.make(tmp_path_factory.mktemp("attack") / "c")
    try:

        async def prepare() -> tuple[Shape, Shape, Shape]:
            await attach(cluster.dsn("platform"), world.datamap(), guard_password=world.GUARD_PASSWORD)
            database = guard(cluster)
            contact = {"contact": ("eu",), "location": ("eu",), "device": ("eu",)}
            try:
                return (
                    await database.activate(world.terms(contact, ("account:1", "account:3")), FENCED, PASSWORD),
                    await database.activate(world.terms(contact), REGION, PASSWORD),
                    await database.activate(
                        world.terms(contact | {"communication": ("eu",)}, ("account:13331",)), OTHER, PASSWORD
                    ),
                )
            finally:
                await database.close()

        yield Attacked(cluster, *asyncio.run(prepare()))
    finally:
        cluster.remove()

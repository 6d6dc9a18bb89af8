"""The world: complete configuration, real certificates, a database that passes the guard's own scan."""

from __future__ import annotations

import asyncio
import socket
import ssl
import stat
import threading

import psycopg
import pytest

from seenby.datamap import DataMap, parse
from seenby.demo.people import STAFF, Cast
from seenby.demo.region import Region
from seenby.demo.world import World
from seenby.model.classes import DataClass
from seenby.model.grant import Cell, GrantTerms
from seenby.stores.config import load_config
from seenby.stores.directory import load_directory, load_private_key
from seenby.stores.userdb import PersonFacts, UserDatabase

pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("world")]


@pytest.fixture(params=["eu", "us"])
def region(world: World, request: pytest.FixtureRequest) -> Region:
    return world.regions[request.param]


@pytest.fixture
def datamap(region: Region) -> DataMap:
    return parse(load_config(region.config_file).datamap_file.read_text(), source="datamap.toml", region=region.name)


def terms(*classes: DataClass, people: bool = False) -> GrantTerms:
    cells = tuple(Cell(data_class, ("eu",)) for data_class in classes)
    return GrantTerms(
        id="0" * 32, region="eu", principal="aoife.byrne", country="IE", entity="x", unit="x", role="support",
        purpose="support", reference="T-1001", cells=cells, people=(Cast().customer.person,) if people else None,
        not_before=0, not_after=60, max_people=10, max_rows=10, approvals=2, requested_at=0,
    )  # fmt: skip


def test_the_configuration_is_complete_and_its_secrets_are_secret(region: Region) -> None:
    config = load_config(region.config_file)
    assert (config.region, config.listen.port) == (region.name, region.port)
    for database in (config.database, config.control_database):
        with psycopg.connect(database.dsn()) as connection:
            assert connection.info.user == database.user
    assert config.ledger_dir.is_relative_to(region.directory)
    secrets = [*region.directory.glob("keys/*"), *region.directory.glob("tls/*.key")]
    assert len(secrets) == 4
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in secrets)


def test_every_member_of_staff_is_in_the_directory_with_a_key_of_their_own(world: World) -> None:
    directory = load_directory(world.directory / "directory.toml")
    assert sorted(directory.principals) == sorted(name for name, *_ in STAFF)
    for name, member in world.staff.items():
        public = load_private_key(member.key_file).public_key().public_bytes_raw()
        assert directory.principal(name).public_key == public
        assert directory.principal(name).scram.startswith("SCRAM-SHA-256$4096:")
    assert len({member.password for member in world.staff.values()}) == len(STAFF)
    for name in world.regions:
        assert len(directory.guardians(name, {"approver"})) == 2
        assert len(directory.guardians(name, {"protection-officer"})) == 1


def test_the_gateways_certificate_convinces_a_client_that_trusts_the_worlds_authority(
    world: World, region: Region
) -> None:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    listen = load_config(region.config_file).listen
    server.load_cert_chain(listen.tls_cert, listen.tls_key)
    client = ssl.create_default_context(cafile=str(world.directory / "ca.crt"))
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    for host in ("localhost", "127.0.0.1"):
        here, there = socket.socketpair()

        def greet(side: socket.socket = there) -> None:
            with server.wrap_socket(side, server_side=True) as secure:
                secure.sendall(b"hello")

        greeting = threading.Thread(target=greet)
        greeting.start()
        with client.wrap_socket(here, server_hostname=host) as secure:
            assert secure.recv(5) == b"hello"
        greeting.join()


def test_the_guard_finds_nothing_to_object_to(region: Region, datamap: DataMap) -> None:
    async def look() -> dict[object, PersonFacts]:
        database = UserDatabase(load_config(region.config_file).database.dsn(), datamap)
        try:
            await database.load_catalog()
            assert await database.privilege_findings() == []
            cast = Cast()
            people = [known.person for known in (cast.customer, cast.journalist, cast.journalist_eu)]
            return {str(person): facts for person, facts in (await database.person_facts(people)).items()}
        finally:
            await database.close()

    found = asyncio.run(look())
    cast = Cast()
    if region.name == "us":
        assert found == {str(cast.journalist.person): PersonFacts("us", True, False)}
    else:
        assert found == {
            str(cast.customer.person): PersonFacts("eu", False, False),
            str(cast.journalist_eu.person): PersonFacts("eu", True, False),
        }


@pytest.mark.parametrize("people", [False, True])
def test_a_grant_for_any_class_can_be_made_from_the_map(world: World, people: bool) -> None:
    """Each class alone, so that every mask is used on its column; and all at once."""
    config = load_config(world.regions["eu"].config_file)
    datamap = parse(config.datamap_file.read_text(), source="datamap.toml", region="eu")

    async def activate() -> dict[str, int]:
        database = UserDatabase(config.database.dsn(), datamap)
        shown = {}
        try:
            await database.load_catalog()
            for number, classes in enumerate([*[(one,) for one in DataClass], tuple(DataClass)]):
                role = f"seenby_g_{'people' if people else 'region'}{number:02}"
                shape = await database.activate(terms(*classes, people=people), role, "x" * 20)
                shown["+".join(classes)] = len(shape.views)
            await database.sweep([])
        finally:
            await database.close()
        return shown

    shown = asyncio.run(activate())
    assert shown.pop("+".join(DataClass)) == len(datamap.tables)
    assert shown[DataClass.PUBLIC] < shown[DataClass.BEHAVIOUR]


def test_what_the_roles_may_do(world: World) -> None:
    region = world.regions["eu"]
    with psycopg.connect(region.running.dsn()) as connection:
        roles = connection.execute(
            "SELECT rolname, ARRAY[rolcanlogin, rolsuper, rolcreaterole, rolbypassrls] FROM pg_roles"
            " WHERE rolname ~ '^(seenby|platform)' AND NOT starts_with(rolname, 'seenby_s_')"
        ).fetchall()
    assert dict(roles) == {
        "platform_owner": [True, False, False, False],
        "seenby_control": [True, False, False, False],
        "seenby_grants": [False, False, False, False],
        "seenby_guard": [True, False, True, False],
        "seenby_owner": [False, False, False, True],
        "seenby_writer": [False, False, False, False],
        "seenby_platform": [False, False, False, False],
    }

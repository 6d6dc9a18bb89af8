"""Grants come and go: what an ended one can still do (nothing), and how long it takes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import psycopg
import pytest

from seenby.datamap import parse
from seenby.errors import ConfigError, UsageError
from seenby.guard import FENCE_LIMIT
from seenby.guard.names import SHAPE_PREFIX
from seenby.model.people import Person
from seenby.stores.userdb import PersonFacts, UserDatabase
from tests.attack import world
from tests.attack.conftest import CONNECTIONS, FENCED, OTHER, PASSWORD, REGION, Attacked
from tests.fixtures.pace import in_time

pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("attack")]

ROLE = "seenby_g_ending0001"
CONTACT = {"contact": ("eu",)}


T = TypeVar("T")


def run(attacked: Attacked, work: Callable[[UserDatabase], Awaitable[T]]) -> T:
    async def inner() -> T:
        guard = attacked.guard()
        try:
            return await work(guard)
        finally:
            await guard.close()

    return asyncio.run(inner())


def gone(attacked: Attacked, role: str) -> bool:
    with attacked.superuser() as superuser:
        rows = superuser.execute(
            "SELECT rolname FROM pg_roles WHERE rolname = %s UNION ALL SELECT role FROM seenby.scope WHERE role = %s"
            " UNION ALL SELECT usename FROM pg_stat_activity WHERE usename = %s",
            (role, role, role),
        ).fetchall()
    return not rows


def test_an_ended_grant_is_cut_in_the_middle_of_a_result(attacked: Attacked) -> None:
    shape = run(attacked, lambda guard: guard.activate(world.terms(CONTACT), ROLE, PASSWORD))
    view = shape.views["public", "accounts"]
    with attacked.connect(ROLE) as streaming, attacked.connect(ROLE) as idle:
        streaming.autocommit = False
        streaming.execute(f"DECLARE c CURSOR FOR SELECT * FROM {view.view_schema}.accounts")
        assert len(streaming.execute("FETCH 10 c").fetchall()) == 10
        started = time.perf_counter()
        run(attacked, lambda guard: guard.end([ROLE]))
        assert in_time(time.perf_counter() - started, 1)
        with pytest.raises(psycopg.OperationalError):
            streaming.execute("FETCH 10 c")
        with pytest.raises(psycopg.OperationalError):
            idle.execute("SELECT 1")
    assert gone(attacked, ROLE)
    with pytest.raises(psycopg.OperationalError):
        attacked.connect(ROLE)


def test_what_the_role_changed_about_itself_does_not_keep_it(attacked: Attacked) -> None:
    run(attacked, lambda guard: guard.activate(world.terms(CONTACT, ("account:1",)), ROLE, PASSWORD))
    with attacked.connect(ROLE) as connection:
        connection.execute(f"ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO {OTHER}")
        connection.execute(f"ALTER ROLE {ROLE} SET work_mem = '1MB'")
        connection.execute(f"ALTER ROLE {ROLE} PASSWORD 'other'")
        connection.execute("LISTEN anything")
    run(attacked, lambda guard: guard.end([ROLE]))
    assert gone(attacked, ROLE)


def test_ending_twice_and_ending_nobody(attacked: Attacked) -> None:
    run(attacked, lambda guard: guard.activate(world.terms(CONTACT, ("account:1",)), ROLE, PASSWORD))
    for _ in range(2):
        run(attacked, lambda guard: guard.end([ROLE, "seenby_g_neverthere"]))
    assert gone(attacked, ROLE)


@pytest.mark.parametrize("name", ["platform_owner", "seenby_guard", "seenby_g_", "seenby_g_x; DROP ROLE postgres"])
def test_only_roles_of_grants_can_be_ended(attacked: Attacked, name: str) -> None:
    with pytest.raises(UsageError):
        run(attacked, lambda guard: guard.end([name]))


def test_activation_again_changes_nothing_and_another_grant_is_refused(attacked: Attacked) -> None:
    async def work(guard: UserDatabase) -> None:
        first = await guard.activate(world.terms(CONTACT, ("account:1",)), ROLE, PASSWORD)
        assert await guard.activate(world.terms(CONTACT, ("account:1",)), ROLE, PASSWORD) == first
        with pytest.raises(ConfigError, match="another shape"):
            await guard.activate(world.terms(CONTACT), ROLE, PASSWORD)
        with pytest.raises(ConfigError, match="other people"):
            await guard.activate(world.terms(CONTACT, ("account:3",)), ROLE, PASSWORD)
        await guard.end([ROLE])

    run(attacked, work)


def test_people_are_not_part_of_the_shape(attacked: Attacked) -> None:
    async def work(guard: UserDatabase) -> None:
        await guard.load_catalog()
        one, two = (guard.design(world.terms(CONTACT, (p,))) for p in ("account:1", "account:3"))
        assert one == two
        assert guard.design(world.terms(CONTACT)).shape.id != one.shape.id
        assert guard.design(world.terms({"contact": ("us",)}, ("account:1",))).shape.id != one.shape.id

    run(attacked, work)


@pytest.mark.parametrize(
    ("person", "message"), [("account:x", "no bigint"), ("account:007", "not how PostgreSQL writes")]
)
def test_a_key_that_cannot_be_one_is_refused(attacked: Attacked, person: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        run(attacked, lambda guard: guard.activate(world.terms(CONTACT, (person,)), ROLE, PASSWORD))
    assert gone(attacked, ROLE)


def test_many_people_are_listed_not_fenced(attacked: Attacked) -> None:
    people = tuple(f"account:{n}" for n in range(1, 2 * FENCE_LIMIT + 4, 2))

    async def work(guard: UserDatabase) -> None:
        shape = await guard.activate(world.terms(CONTACT, people), ROLE, PASSWORD)
        assert not shape.fenced
        view = shape.views["public", "accounts"]
        with attacked.connect(ROLE) as connection:
            rows = connection.execute(f"SELECT id FROM {view.view_schema}.accounts").fetchall()
        assert {f"account:{number}" for (number,) in rows} == set(people)
        await guard.end([ROLE])

    run(attacked, work)


def test_the_sweep_ends_what_no_grant_stands_for(attacked: Attacked) -> None:
    async def work(guard: UserDatabase) -> None:
        shape = await guard.activate(world.terms({"identity": ("us",)}), ROLE, PASSWORD)
        assert await guard.sweep({FENCED, REGION, OTHER}) == (ROLE,)
        assert await guard.sweep({FENCED, REGION, OTHER}) == ()
        with attacked.superuser() as superuser:
            left = superuser.execute(
                "SELECT rolname FROM pg_roles WHERE rolname = %s"
                " UNION ALL SELECT nspname FROM pg_namespace WHERE nspname ~ %s",
                (SHAPE_PREFIX + shape.id, shape.id),
            ).fetchall()
        assert left == []

    run(attacked, work)
    with attacked.connect(REGION) as connection:
        assert connection.execute(f"SELECT 1 FROM {attacked.view(REGION, 'accounts')} LIMIT 1").fetchone()


def test_no_more_connections_than_allowed(attacked: Attacked) -> None:
    open_ones: list[psycopg.Connection] = []
    deadline = time.monotonic() + 20
    try:
        while len(open_ones) < CONNECTIONS:
            try:
                open_ones.append(attacked.connect(FENCED))
            except psycopg.OperationalError:  # those of earlier tests count until their backends are gone
                if time.monotonic() > deadline:
                    raise
        with pytest.raises(psycopg.OperationalError, match="too many connections"):
            attacked.connect(FENCED)
    finally:
        for connection in open_ones:
            connection.close()


def test_the_catalogue_changes_when_the_schema_does_and_not_when_grants_do(attacked: Attacked) -> None:
    async def work(guard: UserDatabase) -> None:
        before = await guard.load_catalog()
        await guard.activate(world.terms(CONTACT, ("account:1",)), ROLE, PASSWORD)
        await guard.end([ROLE])
        assert not await guard.catalog_changed()
        with attacked.superuser() as superuser:
            superuser.execute("ALTER TABLE songs ADD COLUMN added int")
            try:
                assert await guard.catalog_changed()
                after = await guard.load_catalog()
                assert after.version != before.version
                assert "added" in after.tables["public", "songs"]
                assert not await guard.catalog_changed()
            finally:
                superuser.execute("ALTER TABLE songs DROP COLUMN added")

    run(attacked, work)


def test_a_column_that_is_revealed_in_part(attacked: Attacked) -> None:
    """Of a domain (NOT NULL, CHECK), of an enum, of a text with its own collation, of varchar(20) and of date."""

    async def work(guard: UserDatabase) -> list[tuple[object, ...]]:
        cells = {"identity": ("us",), "contact": ("eu",), "behaviour": ("us",)}
        shape = await guard.activate(world.terms(cells), ROLE, PASSWORD)
        view = shape.views["public", "accounts"]
        assert {column.name for column in view.columns if column.partial} == {
            "handle",
            "phone",
            "email",
            "born",
            "mood",
        }
        with attacked.connect(ROLE) as connection:
            rows = connection.execute(
                f"SELECT id, handle, phone, email, born::text, mood::text FROM {view.view_schema}.accounts"
                " WHERE id IN (10, 11, 12) ORDER BY id, email"
            ).fetchall()
        await guard.end([ROLE])
        return rows

    assert run(attacked, work) == [
        (11, "u***", "+447000000077", "user11@mail.example", "1960-01-01", "calm"),
        (12, "user12", "****0084", "***@mail.example", "1960-01-13", "angry"),
    ]


def test_facts_of_people(attacked: Attacked) -> None:
    async def work(guard: UserDatabase) -> dict[Person, PersonFacts]:
        await guard.load_catalog()
        return await guard.person_facts([Person("account", key) for key in ("7", "10", "12", "999999")])

    assert run(attacked, work) == {
        Person("account", "7"): PersonFacts("eu", True, False),
        Person("account", "10"): PersonFacts(None, False, False),
        Person("account", "12"): PersonFacts("us", False, False),
    }


@pytest.mark.parametrize(("rest", "home"), [("", None), ('region = "jp"', "jp")])
def test_people_at_home_by_their_country(attacked: Attacked, rest: str, home: str | None) -> None:
    """``eu`` and ``us`` read as countries: account 10 has none, so its home is nowhere, or with the rest.

    What a grant shows says the same as what the gateway is told of a person.
    """
    by_country = f'country_column = "home_region"\ncountries = {{ us = ["US"], eu = ["EU", "FR"] }}\n{rest}'
    text = world.DATAMAP.replace('region_column = "home_region"', by_country)

    async def work() -> tuple[dict[str, str | None], list[str]]:
        guard = UserDatabase(
            attacked.cluster.dsn("platform", "seenby_guard", world.GUARD_PASSWORD),
            parse(text, source="map.toml", region="eu"),
            connections_per_grant=CONNECTIONS,
        )
        try:
            await guard.load_catalog()
            told = await guard.person_facts([Person("account", key) for key in ("10", "11", "12")])
            shown = await guard.activate(world.terms({"contact": ("eu", "jp")}), ROLE, PASSWORD)
            with attacked.connect(ROLE) as connection:
                rows = connection.execute(
                    f"SELECT id::text FROM {shown.views['public', 'accounts'].view_schema}.accounts"
                    " WHERE id IN (10, 11, 12) ORDER BY id"
                ).fetchall()
            await guard.end([ROLE])
            return {person.key: facts.region for person, facts in told.items()}, [row[0] for row in rows]
        finally:
            await guard.close()

    told, shown = asyncio.run(work())
    assert told == {"10": home, "11": "eu", "12": "us"}
    assert shown == [key for key, region in told.items() if region in {"eu", "jp"}]


def test_two_processes_make_one_shape(attacked: Attacked) -> None:
    roles = [f"seenby_g_race{n:06}" for n in range(4)]

    async def work() -> None:
        guards = [attacked.guard() for _ in roles]
        try:
            made = await asyncio.gather(
                *(
                    g.activate(world.terms({"behaviour": ("eu",)}), role, PASSWORD)
                    for g, role in zip(guards, roles, strict=True)
                )
            )
            assert len({shape.id for shape in made}) == 1
            await guards[0].end(roles)
        finally:
            for guard in guards:
                await guard.close()

    asyncio.run(work())


def test_times_for_200_grants(attacked: Attacked, capsys: pytest.CaptureFixture[str]) -> None:
    roles = [f"seenby_g_many{n:06}" for n in range(200)]

    async def work(guard: UserDatabase) -> tuple[float, float]:
        started = time.perf_counter()
        for number, role in enumerate(roles):
            await guard.activate(world.terms(CONTACT, (f"account:{2 * number + 1}",)), role, PASSWORD)
        activated = time.perf_counter()
        await guard.end(roles)
        return activated - started, time.perf_counter() - activated

    up, down = run(attacked, work)
    with capsys.disabled():
        print(f"\n200 grants: activation {up / 200 * 1000:.1f} ms each, ending {down / 200 * 1000:.1f} ms each")
    assert all(gone(attacked, role) for role in roles[::50])

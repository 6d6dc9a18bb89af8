"""Erasure: who may ask, when it happens, what a crash leaves, and that nothing leads to the person afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from seenby.errors import ConfigError, PolicyDenied, Unavailable, UsageError
from seenby.gateway.erasure import ErasureService
from seenby.model.disclosure import EntryBound, PeopleEvent, QueryDisclosure, Shown
from seenby.stores.erasures import ErasureQueue, next_batch
from seenby.stores.journal import JournalReader
from seenby.stores.keystore import KeyStore
from seenby.stores.layout import PERSON_PRIVATE, sealed_record
from seenby_verify.errors import VerificationError
from seenby_verify.tlog.entries import AttemptRefused, Erasure, PersonEnrolled, PersonNamed
from seenby_verify.tlog.records import PersonCrypto, RecordOpener, pseudonym
from seenby_verify.tlog.verify import verify
from tests.fixtures.grant_office import Office, open_office
from tests.fixtures.grants import ADA, AL, AUDREY, DORA, EVE, JO, NOW, SAM, UNA
from tests.fixtures.ledgers import PART, RECORD, WITHHELD

pytestmark = pytest.mark.postgres

DAY = 86_400
PEOPLE = (str(EVE), str(JO), str(AL))


def shown(*people: str) -> QueryDisclosure:
    named = tuple(Shown(person, PART) for person in people)
    return QueryDisclosure(RECORD, WITHHELD, named, 0, True, EntryBound.EXACT, bytes(16), 1)


def keys_of(office: Office) -> KeyStore:
    return office.ledger._keystore


def service_of(office: Office) -> ErasureService:
    return ErasureService(
        grants=office.service,
        ledger=office.ledger,
        keystore=keys_of(office),
        facts=office.facts,
        queue=ErasureQueue(office.folder / "erasures.json"),
        every_minutes=1440,
        clock=office.clock,
    )


def kinds(office: Office) -> list[int]:
    """The kinds of all entries, in order."""
    groups = JournalReader(office.folder / "ledger" / "private" / "journal").groups()
    return [record.entry[1] for group in groups for record in group]


@asynccontextmanager
async def opened(folder: Path, dsn: str) -> AsyncIterator[tuple[Office, ErasureService]]:
    """An office in which eve, jo and al have been seen once."""
    async with open_office(folder, dsn) as office:
        await office.ledger.append(shown(*PEOPLE))
        yield office, service_of(office)


Use = Callable[[Office, ErasureService], Awaitable[None]]


@pytest.fixture
def with_office(tmp_path: Path, control_dsn: str) -> Callable[[Use], None]:
    def run(use: Use) -> None:
        async def work() -> None:
            async with opened(tmp_path, control_dsn) as (office, service):
                await use(office, service)

        asyncio.run(work())

    return run


def test_the_grid_is_the_same_for_everybody() -> None:
    midnight = NOW // DAY * DAY + DAY
    assert {next_batch(NOW + second, 1440) for second in (0, 1, 600)} == {midnight}
    assert next_batch(midnight - 0.001, 1440) == midnight
    assert next_batch(midnight, 1440) == midnight + DAY
    assert next_batch(midnight + 60, 15) == midnight + 900


def test_it_waits_for_its_batch_and_then_the_key_is_gone(with_office: Callable[[Use], None]) -> None:
    async def use(office: Office, service: ErasureService) -> None:
        answer = await service.ask(DORA, [str(EVE), str(JO), "account:no-such"], at_once=False)
        assert (answer["waiting"], answer["erased"], answer["without_key"]) == (2, 0, ["account:no-such"])
        assert answer["next"] == next_batch(NOW, 1440)
        assert [one["person"] for one in service.waiting(DORA)] == [str(EVE), str(JO)]
        assert await service.erase_due() == 0
        assert keys_of(office).without_key(PEOPLE) == []
        office.now = next_batch(NOW, 1440)
        assert await service.erase_due() == 2
        assert keys_of(office).without_key(PEOPLE) == [str(EVE), str(JO)]
        # One entry for both; its time is the grid's.
        assert kinds(office).count(Erasure.KIND) == 1
        assert not (office.folder / "erasures.json").exists()
        told = await office.notices("erasure")
        assert ["dora erases 2 people's keys" in told[0].text, str(EVE) in told[0].text] == [True, False]

    with_office(use)


def test_at_once_takes_everybody_who_waits(with_office: Callable[[Use], None]) -> None:
    async def use(office: Office, service: ErasureService) -> None:
        await service.ask(ADA, [str(EVE)], at_once=False)
        assert (await service.ask(DORA, [str(JO)], at_once=True))["erased"] == 2
        assert keys_of(office).without_key(PEOPLE) == [str(EVE), str(JO)]

    with_office(use)


@pytest.mark.parametrize(
    ("by", "person", "words"),
    [
        (SAM, EVE, "sam guards nobody's data"),
        (AUDREY, EVE, "audrey guards nobody's data"),
        (UNA, EVE, "una guards people of us"),
        (DORA, AL, "dora guards people of eu"),
    ],
)
def test_only_who_guards_the_person_may(with_office: Callable[[Use], None], by: Any, person: Any, words: str) -> None:
    async def use(office: Office, service: ErasureService) -> None:
        with pytest.raises(PolicyDenied, match=words):
            await service.ask(by, [str(person)], at_once=True)
        assert keys_of(office).without_key(PEOPLE) == []
        assert not service._queue.waiting
        # It is recorded, and the record leads to nobody.
        groups = JournalReader(office.folder / "ledger" / "private" / "journal").groups()
        refused = [one for group in groups for one in group if one.entry[1] == AttemptRefused.KIND]
        opener = RecordOpener("eu", 202611, region_key=keys_of(office).epoch_key(202611))
        record = opener.open(sealed_record(AttemptRefused.KIND, refused[-1].private))
        assert b"seenby erase" in record.withheld.text
        assert b"account" not in record.withheld.text + record.record.text

    with_office(use)


def test_whose_home_is_another_region_is_erased_by_who_guards_that(with_office: Callable[[Use], None]) -> None:
    async def use(office: Office, service: ErasureService) -> None:
        assert (await service.ask(UNA, [str(AL)], at_once=True))["erased"] == 1
        assert keys_of(office).without_key(PEOPLE) == [str(AL)]
        # Nobody knows where a person without an account lives; this region holds the key.
        await office.ledger.append(shown("contact:+353"))
        with pytest.raises(PolicyDenied):
            await service.ask(UNA, ["contact:+353"], at_once=True)
        assert (await service.ask(DORA, ["contact:+353"], at_once=True))["erased"] == 1

    with_office(use)


def test_nonsense_is_refused(with_office: Callable[[Use], None]) -> None:
    async def use(office: Office, service: ErasureService) -> None:
        with pytest.raises(UsageError, match="0 people"):
            await service.ask(DORA, [], at_once=False)
        with pytest.raises(UsageError, match="does not name a person"):
            await service.ask(DORA, ["eve"], at_once=False)
        with pytest.raises(PolicyDenied):
            service.waiting(UNA)

    with_office(use)


def test_afterwards_nothing_leads_to_the_person_and_the_log_verifies(with_office: Callable[[Use], None]) -> None:
    async def use(office: Office, service: ErasureService) -> None:
        person, (key,) = str(EVE), keys_of(office).known_keys(str(EVE))
        before = kinds(office).count(PersonNamed.KIND)
        await service.ask(DORA, [person], at_once=True)
        await office.ledger.published()
        for file in (path for path in office.folder.rglob("*") if path.is_file()):
            data = file.read_bytes()
            # directory.toml, the KMS and all: the key is nowhere, and her name is nowhere.
            assert key.key not in data, file
            assert b"account:42" not in data, file
        # Her pseudonym is in two places; it is a function of the key, and without that nobody can tell whose it is.
        named = [
            path.relative_to(office.folder / "ledger").parts[:2]
            for path in (office.folder / "ledger").rglob("*")
            if path.is_file() and pseudonym(key.key) in path.read_bytes()
        ]
        assert sorted(set(named)) == [("private", "journal"), ("private", "state")]
        # Her parts open with the key, and with no other key that there is.
        parts = [
            (record.entry[6:38], record.private[PERSON_PRIVATE:])
            for group in JournalReader(office.folder / "ledger" / "private" / "journal").groups()
            for record in group
            if record.entry[1] == PersonNamed.KIND
        ]
        assert len(parts) == before + 1
        hers = PersonCrypto(key.key, key.version, "eu", 202611)
        labels = {hers.label(n) for n in range(3)}
        assert len(labels & {label for label, _ in parts}) == 3  # enrolled, seen, erased
        assert keys_of(office).known_keys(person) == []
        others = [PersonCrypto(one.key, one.version, "eu", 202611)
                  for name in PEOPLE[1:] for one in keys_of(office).known_keys(name)]  # fmt: skip
        for label, sealed in parts:
            if label in labels:
                for crypto in others:
                    with pytest.raises(VerificationError):
                        crypto.open(label, sealed)
        check_public(office)

    with_office(use)


def check_public(office: Office) -> None:
    public = office.folder / "ledger" / "public"
    paths = [path.relative_to(public).as_posix() for path in public.rglob("*") if path.is_file()]
    assert list(verify(paths, lambda path: (public / path).read_bytes(), office.ledger.verifier_key))


def test_who_comes_back_is_somebody_new(with_office: Callable[[Use], None]) -> None:
    async def use(office: Office, service: ErasureService) -> None:
        (old,) = keys_of(office).known_keys(str(EVE))
        await service.ask(DORA, [str(EVE)], at_once=True)
        await office.ledger.append(shown(str(EVE)))
        (new,) = keys_of(office).known_keys(str(EVE))
        assert new.key != old.key
        assert kinds(office)[-4:] == [PersonEnrolled.KIND, PersonNamed.KIND, 0x20, PersonNamed.KIND]
        await office.ledger.published()
        crypto = PersonCrypto(new.key, 1, "eu", 202611)
        assert [office.ledger.state.labelled(202611, crypto.label(n)) is None for n in range(3)] == [False, False, True]
        check_public(office)

    with_office(use)


def test_nothing_is_written_about_somebody_whose_key_is_going(
    with_office: Callable[[Use], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def use(office: Office, service: ErasureService) -> None:
        loop, store = asyncio.get_running_loop(), keys_of(office)
        begun, go_on = asyncio.Event(), asyncio.Event()
        forget = store.forget

        def slowly(people: Any) -> None:
            loop.call_soon_threadsafe(begun.set)
            asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result(10)
            forget(people)

        monkeypatch.setattr(store, "forget", slowly)
        erasing = asyncio.create_task(service.ask(DORA, [str(EVE)], at_once=True))
        await begun.wait()
        for item in (shown(str(EVE), str(JO)), PeopleEvent((str(EVE),), False), PeopleEvent((str(EVE),), True)):
            with pytest.raises(Unavailable, match="just being erased"):
                await office.ledger.append(item)
        office.ledger.pseudonym(str(EVE))  # as the caps of a grant ask; it must not bring the old key back
        await office.ledger.append(shown(str(JO)))
        go_on.set()
        await erasing
        (old, before) = kinds(office).count(PersonEnrolled.KIND), len(kinds(office))
        await office.ledger.append(shown(str(EVE)))
        assert (kinds(office).count(PersonEnrolled.KIND), len(kinds(office))) == (old + 1, before + 4)
        await office.ledger.published()  # no label stands there twice: the tree would refuse it
        check_public(office)

    with_office(use)


def test_a_key_store_that_is_away_is_asked_again(
    with_office: Callable[[Use], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def use(office: Office, service: ErasureService) -> None:
        def away(_: Any) -> None:
            raise Unavailable("the key store is away")

        with monkeypatch.context() as patch:
            patch.setattr(keys_of(office), "forget", away)
            with pytest.raises(Unavailable, match="away"):
                await service.ask(DORA, [str(EVE)], at_once=True)
            with pytest.raises(Unavailable, match="just being erased"):
                await office.ledger.append(shown(str(EVE)))
        await office.ledger.published()  # so that her entries could be found again
        assert await service.erase_due() == 1
        assert keys_of(office).without_key(PEOPLE) == [str(EVE)]
        assert kinds(office).count(Erasure.KIND) == 1
        await office.ledger.append(shown(str(EVE)))

    with_office(use)


def test_what_a_crash_left_between_entry_and_key_is_finished_at_the_start(
    with_office: Callable[[Use], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def use(office: Office, service: ErasureService) -> None:
        def killed(_: Any) -> None:
            raise Unavailable("killed here")

        monkeypatch.setattr(keys_of(office), "forget", killed)
        await service.ask(DORA, [str(JO)], at_once=False)
        with pytest.raises(Unavailable, match="killed"):
            await service.ask(DORA, [str(EVE)], at_once=True)
        service._queue.add([str(AL)], "una", NOW)  # and one whose erasure had not begun
        assert kinds(office).count(Erasure.KIND) == 1
        await office.restart()
        assert keys_of(office).without_key(PEOPLE) == []
        again = service_of(office)
        await again.start()
        assert sorted(keys_of(office).without_key(PEOPLE)) == [str(EVE), str(JO)]
        assert list(again._queue.waiting) == [str(AL)]
        office.now = next_batch(NOW, 1440)
        assert await again.erase_due() == 1
        assert kinds(office).count(Erasure.KIND) == 2

    with_office(use)


def test_what_waits_survives_a_restart_and_a_damaged_queue_is_told(
    with_office: Callable[[Use], None],
) -> None:
    async def use(office: Office, service: ErasureService) -> None:
        await service.ask(DORA, [str(EVE)], at_once=False)
        file = office.folder / "erasures.json"
        assert file.stat().st_mode & 0o777 == 0o600
        await office.restart()
        again = service_of(office)
        await again.start()
        assert list(again._queue.waiting) == [str(EVE)]
        file.write_bytes(file.read_bytes()[:-9])
        with pytest.raises(ConfigError, match=r"erasures\.json cannot be read"):
            service_of(office)

    with_office(use)

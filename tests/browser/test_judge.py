"""The page's own judgement of bundles, many at once, in a real browser (docs/formats/bundle.md, To check a bundle)."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path
from typing import Any

import pytest

from seenby_verify.errors import VerificationError
from seenby_verify.tlog.bundle import BundleCheck
from seenby_verify.tlog.policy import Policy
from seenby_verify.tlog.vkey import VerifierKey
from tests.browser.changes import change, places
from tests.conftest import SEED
from tests.fixtures.browser import PAGE, Browser, Case
from tests.fixtures.bundles import World
from tests.fixtures.bundles_case import spoiler
from tests.fixtures.bundles_log import NOW, Person

VECTORS = Path(__file__).parents[1] / "unit/tlog/vectors"

pytestmark = pytest.mark.xdist_group("browser")


@pytest.fixture(scope="module")
def world() -> World:
    return World()


@pytest.fixture(scope="module")
def page(browser: Browser) -> Browser:
    browser.open(PAGE.as_uri())
    return browser


def case(world: World, bundle: object, **options: Any) -> Case:
    data = bundle if isinstance(bundle, bytes) else json.dumps(bundle).encode()
    options.setdefault("organisation", str(world.org_key))
    return Case(data, options.pop("policy", world.policy()).encode(), **options)


def test_every_good_bundle_holds_and_shows_exactly_what_was_recorded(page: Browser, world: World) -> None:
    people: list[tuple[Person, ...]] = [
        (world.ada, world.ada2),
        (world.ben,),
        (world.cleo,),
        (world.dan,),
        *((one,) for one in world.crowd[:20]),
    ]
    answers = page.check([case(world, world.bundle(*keys)) for keys in people])
    for keys, answer in zip(people, answers, strict=True):
        assert answer["ok"], (keys, answer)
        assert answer["steps"] == [1, 2, 3, 4, 5, 6, 7, 8]
        assert answer["shown"] == world.shown(*keys)


def test_a_log_that_began_after_the_enrolment_proves_its_beginning(page: Browser, world: World) -> None:
    bundle = world.bundle(world.ada, world.ada2)
    assert bundle["logs"][1]["start"], "us began after ada was enrolled"
    without = copy.deepcopy(bundle)
    without["logs"][1]["start"] = None
    later = copy.deepcopy(bundle)
    later["logs"][1]["start"] = world.us.placed_at(1, len(world.us.entries))
    cut = copy.deepcopy(bundle)
    del cut["logs"][1]["epochs"][0]
    cut["logs"][1]["shown"] = [one for one in cut["logs"][1]["shown"] if one["epoch"] != 202609]
    answers = page.check([case(world, one) for one in (bundle, without, later, cut)])
    assert [(one["ok"], one["step"]) for one in answers] == [(True, 8), (False, 5), (False, 5), (False, 5)]


def test_receipt_organisation_and_policy_are_compared(page: Browser, world: World) -> None:
    bundle = world.bundle(world.ada, world.ada2)
    mark = world.eu.checkpoint(NOW)
    own = world.eu.receipt(bundle["keys"][0]["index"], mark)
    other = world.eu.receipt(bundle["keys"][0]["index"] + 1, mark)
    stranger = World(seed=9)
    alone = world.bundle(world.ada, world.ada2, cosigners=0)
    told = {
        "with a receipt": (case(world, bundle, receipt=own), 8),
        "another's receipt": (case(world, bundle, receipt=other), 4),
        "a receipt that is cut": (case(world, bundle, receipt=own[:-20]), 4),
        "no organisation": (case(world, bundle, organisation=None), 8),
        "another organisation": (case(world, bundle, organisation=str(stranger.org_key)), 3),
        "other logs": (case(world, bundle, policy=stranger.policy()), 2),
        "one log of two": (case(world, bundle, policy=world.policy(world.eu)), 2),
        "too few witnesses": (case(world, world.bundle(world.ada, world.ada2, cosigners=1)), 2),
        "no witness needed": (case(world, alone, policy=world.policy(quorum=False)), 8),
        "dated ahead": (case(world, world.bundle(world.ada, world.ada2, time=1791500000)), 8),
    }  # fmt: skip
    answers = page.check([one for one, _ in told.values()])
    assert {name: one["step"] for name, one in zip(told, answers, strict=True)} == {n: s for n, (_, s) in told.items()}
    good = {name for name, one in zip(told, answers, strict=True) if one["ok"]}
    assert good == {"with a receipt", "no organisation", "no witness needed"}


def test_bytes_that_are_no_bundle_fail_in_the_first_step(page: Browser, world: World) -> None:
    text = json.dumps(world.bundle(world.dan))
    twice = text.replace('"person": ', '"person": "somebody", "person": ', 1)
    wrong = [
        b"",
        b"{",
        b"null",
        b"\xff" + text.encode(),
        b"\xef\xbb\xbf" + text.encode(),
        text[:-1].encode(),
        text.encode() + b"1",
        twice.encode(),
        text.replace("bundle/v1", "bundle/v2").encode(),
        text.replace('"version": 1', '"version": 1.0', 1).encode(),
        text.replace('"version": 1', '"version": true', 1).encode(),
        text.replace('"version": 1', '"version": 01', 1).encode(),
        text.replace('"n": 0', '"n": -1', 1).encode(),
        text.replace('"n": 0', '"n": -0', 1).encode(),
        text.replace('"n": 0', '"n": 9223372036854775808', 1).encode(),
        text.replace("account:9", "\\ud800", 1).encode(),
        b"[" * 100_000,
    ]
    assert text.encode() not in wrong
    for data, answer in zip(wrong, page.check([case(world, one) for one in wrong]), strict=True):
        assert (answer["ok"], answer["step"]) == (False, 1), (data[:60], answer)
        assert "could not finish" not in answer["message"]


def test_what_is_odd_and_right_holds(page: Browser, world: World) -> None:
    """Where a browser would count or spell otherwise than docs/formats (text.md) and the command line do."""
    policy = world.policy().encode()
    other = world.policy().replace(f"log {world.eu.vkey}", f"log {VerifierKey(world.eu.origin, bytes(32))}")
    told = {
        "a name of 1,024 characters, each two units": ({"person": "\U0001f600" * 1024}, policy),
        "a policy in Latin 1": ({}, b"# caf\xe9\n" + policy.replace(b"outside", b"outsid\xe9")),
        "two names that are one in no encoding": (
            {},
            policy.replace(b" new ", b" \xc3\xa9 ").replace(b" uni ", b" \xe9 "),
        ),
        "a URL of octets": ({}, policy.replace(b"https://eu", b"https://\xe9", 1)),
        "two keys of one log": ({}, other.encode() + f"log {world.eu.vkey}\n".encode()),
    }
    cases = [Case(json.dumps(world.bundle(world.dan) | more).encode(), text) for more, text in told.values()]
    cases += [case(world, world.bundle(world.dan, time=time)) for time in (2**40, 2**62, 2**63 - 1)]
    for name, one, answer in zip([*told, "2^40", "2^62", "2^63 - 1"], cases, page.check(cases), strict=True):
        assert answer["ok"], (name, answer)
        assert all(step.number for step in BundleCheck(one.bundle, Policy.parse(one.policy)).steps()), name


@pytest.mark.parametrize(("member", "step"), [(31, 8), (32, 7)])
def test_a_record_is_as_deep_as_every_reader_reads(page: Browser, member: int, step: int) -> None:
    deep: object = 1
    for _ in range(member):
        deep = [deep]
    world = World(spoil=spoiler("record", lambda r: r["kind"] == "query", lambda r: {**r, "later": deep}))
    (answer,) = page.check([case(world, world.bundle(world.dan))])
    assert (answer["ok"], answer["step"]) == (step == 8, step)


def test_the_golden_vectors(page: Browser) -> None:
    """tests/unit/tlog/vectors/bundle.json: the same verdict, in the same step, as the command line."""
    vectors = json.loads((VECTORS / "bundle.json").read_text(encoding="utf-8"))
    cases = [
        Case(
            one["bundle"].encode(),
            one["policy"].encode(),
            None if one["receipt"] is None else one["receipt"].encode(),
            one["organisation"],
        )
        for one in vectors
    ]
    wrong = []
    for one, answer in zip(vectors, page.check(cases), strict=True):
        expected = (True, 8) if "ok" in one else (False, one["fault"]["step"])
        if (answer["ok"], answer["step"]) != expected or (answer["ok"] and answer["shown"] != one["ok"]["shown"]):
            wrong.append(f"{one['name']}: {expected}, not {answer['ok'], answer['step'], answer['message']}")
        assert "could not finish" not in answer["message"], (one["name"], answer)
    assert not wrong, "\n".join(wrong)
    assert len(vectors) > 100


READ_NOTES = """
const bytesOf = (octets) => Uint8Array.from(octets, (one) => one.charCodeAt(0));
const raw = (one) => ("text" in one ? new TextEncoder().encode(one.text) : bytesOf(atob(one.base64)));
const read = {
  checkpoints: async (one) => {
    const policy = await parsePolicy(new TextEncoder().encode(one.policy));
    const source = readText(raw(one), "the checkpoint", "");
    const { size, time } = await openCheckpoint(source, source.split("\\n")[0], policy, "");
    return [size, String(time)];
  },
  policies: async (one) => (await parsePolicy(raw(one)), []),
  regions: async (one) => {
    const organisation = one.organisation === null ? null : await parseKey(one.organisation, LOG_KEY, "key");
    return [...(await parseRegions(raw(one), organisation, "")).keys()];
  },
};
const told = ([sort, one]) => read[sort](one).catch((error) => (error instanceof Failure ? null : String(error)));
return Promise.all(arguments[0].map(told));
"""


def test_the_golden_notes(page: Browser) -> None:
    """tests/unit/tlog/vectors/notes.json: what is one spelling to the command line is one to the page."""
    notes = json.loads((VECTORS / "notes.json").read_text(encoding="utf-8"))
    cases = [(sort, one) for sort in ("checkpoints", "policies", "regions") for one in notes[sort]]
    for (sort, one), answer in zip(cases, page.script(READ_NOTES, cases), strict=True):
        ok = one.get("ok")
        if ok and sort == "checkpoints":
            ok = [ok["size"], str(ok["time"])]
        elif ok is not None:
            ok = ok.get("regions", [])
        assert answer == ok, (sort, one["name"])


def test_no_single_change_is_believed(page: Browser, world: World) -> None:
    """Flip, drop, add, duplicate, swap, another value of the same kind: at random places all over the bundle."""
    chance = random.Random(SEED)
    bundle = world.bundle(world.ada, world.ada2)
    assert page.check([case(world, bundle)])[0]["ok"]
    changes = list(change(bundle, list(places(bundle)), chance, 150))
    cases = [case(world, made) for _, _, made in changes]
    for one, (place, what, _), answer in zip(cases, changes, page.check(cases), strict=True):
        told = f"{what} at {place}, SEENBY_SEED={SEED}: {answer['message']}"
        assert (answer["ok"], answer["step"]) == python_verdict(one), told
        # Two members that nobody signed; the order of the logs and another log's own list, which say nothing.
        free = place in (("person",), ("made",), ("logs", 1, "regions")) or (what == "swap" and place[:-1] == ("logs",))
        assert not answer["ok"] or free, told
        assert "could not finish" not in answer["message"], told


def python_verdict(one: Case) -> tuple[bool, int]:
    """What the command line says of it: (ok, the step that failed or 8)."""
    organisation = None if one.organisation is None else VerifierKey.parse(one.organisation)
    check = BundleCheck(one.bundle, Policy.parse(one.policy), organisation=organisation, receipt=one.receipt)
    done = 0
    try:
        for step in check.steps():
            done = step.number
    except VerificationError:
        return False, done + 1
    return True, done

"""The tamper campaign, bundles: every member changed in every way that its type allows; each is caught in its step.

``step_of`` says in which step a change at a place must be caught. What nobody needs to notice is in ``FREE``.
"""

from __future__ import annotations

import base64
import copy
import os
import random
from collections.abc import Iterator
from typing import Any, Final

import pytest

from seenby_verify.errors import VerificationError
from seenby_verify.tlog.bundle import BundleCheck
from seenby_verify.tlog.policy import Policy
from tests.fixtures.bundles import Pair, World
from tests.fixtures.bundles_case import dumped
from tests.fixtures.bundles_log import NOW, TIMES, b64, label, label_proof
from tests.fixtures.tampering import LONG, Campaign, Path, list_changes, places, put, shape_changes

pytestmark = pytest.mark.tampers("bundle")
WORLD, PAIR = World(), Pair()
WORLDS = {"ben": WORLD, "ada": WORLD, "pair": PAIR}
BUNDLES = {
    "ben": WORLD.bundle(WORLD.ben),
    "ada": WORLD.bundle(WORLD.ada, WORLD.ada2),
    "pair": PAIR.bundle(PAIR.ada, PAIR.ada2),
}
POLICIES = {name: Policy.parse(world.policy().encode()) for name, world in WORLDS.items()}
POLICY = POLICIES["ben"]
SMALL = ("ben", "pair")
"""Of these every member is changed."""
_OTHER = World(seed=4)
STRANGE = _OTHER.bundle(_OTHER.cleo)
ENROLLED = {"ben": {(0, 0)}, "ada": {(0, 0), (1, 2)}, "pair": {(0, 0), (1, 1)}}
"""(log, item of shown): the entries that enrolled a key."""
FREE: Final = {
    ("person",): "what the operator calls the person is not signed",
    ("made",): "when the bundle was made is not signed; the checkpoints' times are",
    ("logs",): "the order of the logs has no meaning",
    ("logs", 1, "regions"): "the home log's list counts; another log need not show one",
}


def seeded(salt: object) -> random.Random:
    return random.Random(f"{os.environ['SEENBY_SEED']} {salt}")


def caught_in(bundle: object, world: World = WORLD, policy: Policy = POLICY) -> tuple[int, str]:
    """(the step that does not hold, why); 0: it holds."""
    return caught_text(bundle if isinstance(bundle, str) else dumped(bundle), world, policy)


def caught_of(name: str, bundle: object) -> tuple[int, str]:
    return caught_in(bundle, WORLDS[name], POLICIES[name])


def caught_text(text: str, world: World = WORLD, policy: Policy = POLICY) -> tuple[int, str]:
    check = BundleCheck(text.encode("utf-8", "surrogatepass"), policy, organisation=world.org_key)
    done = 0
    try:
        for _ in check.steps():
            done += 1
    except VerificationError as error:
        assert check.shown == ()
        return done + 1, error.message
    return 0, ""


def step_of(name: str, path: Path) -> set[int]:
    """In which step a well-formed change at this place must be caught."""
    match path:
        case () | ("format" | "person" | "made", *_):
            return {1}
        case ("keys",):
            return {1, 6}  # 6: the last of several keys is left out
        case ("keys", _, "version"):
            return {1}
        case ("keys", 0, "region"):
            return {3, 4}
        case ("keys", *_):
            return {4}
        case ("logs",) | ("logs", _, "origin" | "checkpoint"):
            return {2}
        case ("logs", _, "region"):
            return {2, 3}  # 2: the other log has it
        case ("logs", _, "regions", *_):
            return {3}
        case ("logs", _, "start", *_):
            return {5}
        case ("logs", _, "epochs") | ("logs", _, "epochs", _, "epoch"):
            return {1, 5}  # 1: out of order
        case ("logs", _, "epochs", _, "seal" | "next", *_):
            return {5}
        case ("logs", _, "epochs", _, "keys", *_):
            return {6}
        case ("logs", _, "shown"):
            return {1, 4, 6}  # 1: out of order; 4: an enrolment is missing
        case ("logs", int(log), "shown", int(item), *rest):
            enrols = {4} if (log, item) in ENROLLED[name] else set()
            match rest:
                case ["version" | "epoch" | "n"]:
                    return enrols or {6}
                case ["entry"] | ["entry", "index"]:
                    return enrols | {1, 6, 7}  # 1: out of order; 6: behind the month's seal
                case ["entry" | "head", "entry"] | ["head"]:
                    return enrols | {7}
                case _:
                    return {7}
    raise AssertionError(f"nobody said what a change at {path} leads to")


def passed_over(path: Path, generator: random.Random) -> bool:
    """Most of what is there many times and all alike: hashes of proofs, and items of shown behind the second."""
    if LONG:
        return False
    alike = path[2:3] == ("shown",) and len(path) > 3 and int(path[3]) > 1
    return generator.random() < (0.97 if "proof" in path[:-1] else 0.8 if alike else 0.0)


def value_changes(value: Any, generator: random.Random) -> Iterator[tuple[str, Any]]:
    """Changes after which the member still has its type and spelling."""
    if isinstance(value, int):
        yield "flip", value ^ 1
        yield "flip", value + 1
        if value:
            yield "flip", value - 1
    elif isinstance(value, str):
        try:
            raw = base64.b64decode(value, validate=True)
        except ValueError:
            raw = b""
        if len(raw) < 32:  # text
            n = generator.randrange(len(value))
            yield "flip", value[:n] + chr(ord(value[n]) ^ 1) + value[n + 1 :]
            yield "truncate", value[:-1]
            return
        for n in {0, generator.randrange(len(raw)), len(raw) - 1} if LONG else {generator.randrange(len(raw))}:
            yield "flip", b64(raw[:n] + bytes([raw[n] ^ 1 << generator.randrange(8)]) + raw[n + 1 :])


@pytest.mark.parametrize("name", BUNDLES)
def test_the_bundles_hold_as_they_are(name: str, campaign: Campaign) -> None:
    assert caught_of(name, BUNDLES[name]) == (0, "")


@pytest.mark.parametrize("name", SMALL)
def test_no_member_is_dropped_added_renamed_or_of_another_type(name: str, campaign: Campaign) -> None:
    bundle, generator = BUNDLES[name], seeded(("shape", name))
    for path, value in places(bundle):
        if passed_over(path, generator):
            continue
        for change, other in shape_changes(value, generator):
            step, why = caught_of(name, put(bundle, path, other))
            assert step == 1, (path, change, other, why)
            campaign.catch(change)


@pytest.mark.parametrize("name", SMALL)
def test_no_value_is_changed(name: str, campaign: Campaign) -> None:
    bundle, generator = BUNDLES[name], seeded(("value", name))
    for path, value in places(bundle):
        if passed_over(path, generator):
            continue
        for change, other in value_changes(value, generator):
            step, why = caught_of(name, put(bundle, path, other))
            if path in FREE and not step:
                campaign.allow(FREE[path])
                continue
            # A number, a name or base64 that is cut may leave what the format allows.
            allowed = step_of(name, path) | ({1} if change == "truncate" or isinstance(value, int) else set())
            assert step in allowed, (path, change, other, step, why)
            campaign.catch(change)


@pytest.mark.parametrize("name", SMALL)
def test_no_list_is_cut_stretched_or_reordered(name: str, campaign: Campaign) -> None:
    bundle, generator = BUNDLES[name], seeded(("list", name))
    for path, value in places(bundle):
        if not isinstance(value, list) or isinstance(path[-1], int):
            continue
        for change, other in list_changes(value, generator):
            step, why = caught_of(name, put(bundle, path, other))
            if path in FREE and change == "reorder":
                assert not step, why
                campaign.allow(FREE[path])
                continue
            assert step in step_of(name, path), (path, change, step, why)
            campaign.catch(change)


@pytest.mark.parametrize("name", SMALL)
def test_nothing_stands_in_the_place_of_another(name: str, campaign: Campaign) -> None:
    """Entries, labels, blobs, notes: each where another of its sort belongs, out of this bundle or somebody else's."""
    bundle, generator = BUNDLES[name], seeded(("splice", name))
    others = [bundle, *(BUNDLES[other] for other in BUNDLES if other != name), STRANGE]
    pool: dict[str, list[Any]] = {}
    for other in others:
        for path, value in places(other):
            if path and isinstance(path[-1], str):
                pool.setdefault(sort_of(path), []).append(value)
    for path, value in places(bundle):
        if not path or not isinstance(path[-1], str) or passed_over(path, generator):
            continue
        candidates = [one for one in pool[sort_of(path)] if one != value]
        for other in generator.sample(candidates, min(9 if LONG else 2, len(candidates))):
            step, why = caught_of(name, put(bundle, path, other))
            if path in FREE and not step:
                campaign.allow(FREE[path])
                continue
            if isinstance(value, list) and path[-1] in ("keys", "logs", "epochs", "shown"):
                assert step, (path, other)  # somebody else's whole list: whatever does not fit first
            else:
                # An index may leave the order; a checkpoint may be of another tree that the same log signed.
                more = {1} if path[-1] == "index" or other is None else {3} if path[-1] == "checkpoint" else set()
                allowed = step_of(name, path) | more
                assert step in allowed, (path, other, step, why)
            campaign.catch("splice")


def sort_of(path: Path) -> str:
    """What could stand here and be well formed."""
    if path[-1] in ("seal", "next", "entry", "head", "regions", "start") and path[-2] not in (
        "seal", "next", "entry", "head", "regions", "start",
    ):  # fmt: skip
        return "placed"
    return "blob" if path[-1] in ("sealed", "record") else str(path[-1])


def test_an_older_checkpoint_under_newer_proofs(campaign: Campaign) -> None:
    """Signed and cosigned as it should be, and yet not what the proofs lead to."""
    bundle = BUNDLES["ben"]
    for size in (46, 70, 78, 97):
        for time in (NOW, TIMES[202609]):
            step, why = caught_in(put(bundle, ("logs", 0, "checkpoint"), WORLD.eu.checkpoint(time, size=size).decode()))
            assert step == 3, why
            campaign.catch("older")
    for root in (WORLD.us.root(34), bytes(32)):
        forged = WORLD.eu.checkpoint(NOW, root=root).decode()
        assert caught_in(put(bundle, ("logs", 0, "checkpoint"), forged))[0] == 3
        campaign.catch("older")


def test_an_older_bundle_holds_and_says_when(campaign: Campaign) -> None:
    """bundle.md, what a bundle cannot show: what was logged later. So the time of the checkpoints is told."""
    world = World()
    older = world.bundle(world.dan, time=NOW)
    world.eu.query(world.dan)
    world.eu.seal()
    assert caught_in(older, world)[0] == 0
    newer = world.bundle(world.dan, time=NOW + 3600)
    assert caught_in(newer, world)[0] == 0
    for member in ("checkpoint", "epochs", "shown", "regions"):
        mixed = copy.deepcopy(newer)
        mixed["logs"][0][member] = older["logs"][0][member]
        assert caught_in(mixed, world)[0] == {"checkpoint": 3, "epochs": 5, "shown": 6, "regions": 3}[member]
        campaign.catch("older")
    campaign.allow("a whole bundle that is older; its time is told in step 2")


def test_every_access_hidden_in_every_way(campaign: Campaign) -> None:
    """Dropped; dropped and not counted, with the best proof there is; and with those behind it moved up."""
    world, bundle = WORLD, BUNDLES["ada"]
    keys = {1: world.ada, 2: world.ada2}
    for i, log in enumerate(world.logs):
        for j, shown in enumerate(bundle["logs"][i]["shown"]):
            if (i, j) in ENROLLED["ada"]:
                continue
            hidden = copy.deepcopy(bundle)
            part = hidden["logs"][i]
            del part["shown"][j]
            assert caught_in(hidden)[0] == 6
            campaign.catch("hidden entry")
            version, epoch = shown["version"], shown["epoch"]
            (item,) = (one for one in part["epochs"] if one["epoch"] == epoch)
            (counted,) = (one for one in item["keys"] if one["version"] == version)
            counted["count"] -= 1
            for n in range(counted["count"] + 2):
                x = label(keys[version].key, log.region, epoch, n)
                counted["absent"] = label_proof(log.labels[epoch], x)
                assert caught_in(hidden)[0] == 6
                campaign.catch("hidden entry")
            moved = copy.deepcopy(hidden)
            same = [one for one in moved["logs"][i]["shown"] if (one["version"], one["epoch"]) == (version, epoch)]
            for n, one in enumerate(same):
                one["n"] = n
            assert caught_in(moved)[0] in {4, 6}
            campaign.catch("hidden entry")


def test_every_month_hidden(campaign: Campaign) -> None:
    for name in ("ben", "ada"):
        bundle = BUNDLES[name]
        for i, log in enumerate(bundle["logs"]):
            for j, item in enumerate(log["epochs"]):
                hidden = copy.deepcopy(bundle)
                del hidden["logs"][i]["epochs"][j]
                assert caught_in(hidden)[0] == 5, (name, i, j)
                kept = [one for one in log["shown"] if one["epoch"] != item["epoch"]]
                hidden["logs"][i]["shown"] = kept
                # Without its enrolment a key falls in step 4, before anybody misses the month.
                gone = any(log["shown"][k]["epoch"] == item["epoch"] for m, k in ENROLLED[name] if m == i)
                assert caught_in(hidden)[0] == (4 if gone else 5), (name, i, j)
                if j:
                    hidden["logs"][i]["epochs"][j - 1]["next"] = item["next"]
                    assert caught_in(hidden)[0] == (4 if gone else 5), (name, i, j)
                    campaign.catch("hidden month")
                campaign.catch("hidden month")
                campaign.catch("hidden month")


def test_every_region_hidden(campaign: Campaign) -> None:
    """Also from those who took their policy from the operator: the logged list names every log."""
    for bundle in (BUNDLES["ben"], BUNDLES["ada"]):
        for i, log in enumerate(WORLD.logs):
            hidden = copy.deepcopy(bundle)
            del hidden["logs"][i]
            narrow = Policy.trusting(*(other.vkey for other in WORLD.logs if other is not log))
            assert caught_in(hidden)[0] == 2
            assert caught_in(hidden, policy=narrow)[0] == 3
            campaign.catch("hidden region")
            campaign.catch("hidden region")


def test_a_region_hidden_with_its_list_and_the_policy(campaign: Campaign) -> None:
    """bundle.md, what a bundle cannot show: whose policy and list are the operator's sees the operator's regions.

    A key that was enrolled in the hidden region still gives it away, and an honest policy always does.
    """
    narrow = Policy.trusting(WORLD.eu.vkey)
    for name, step in (("ben", 0), ("ada", 4)):
        hidden = copy.deepcopy(BUNDLES[name])
        del hidden["logs"][1]
        hidden["logs"][0]["regions"] = None
        assert caught_in(hidden, policy=narrow)[0] == step
        assert caught_in(hidden)[0] == 2
        campaign.catch("hidden region")
    campaign.allow("a policy that the operator made, for a log whose list is left out")


def test_a_second_key_for_the_same_person(campaign: Campaign) -> None:
    """Each key of somebody else's in the place of one's own, with the entries that were shown or with theirs."""
    for name in ("ben", "ada"):
        bundle = BUNDLES[name]
        for i in range(len(bundle["keys"])):
            for other in (WORLD.cleo, WORLD.dan, WORLD.ada2 if name == "ben" else WORLD.ben, *WORLD.crowd[:5]):
                step, why = caught_in(put(bundle, ("keys", i, "key"), b64(other.key)))
                assert step == 4, why
                campaign.catch("second key")


def test_a_log_of_other_keys_under_the_same_names(campaign: Campaign) -> None:
    """A second world with the same names: its bundle is true in it, and nothing of it counts here."""
    other = World(seed=4)
    bundle = other.bundle(other.ben)
    assert caught_in(bundle, other, Policy.parse(other.policy().encode()))[0] == 0
    assert caught_in(bundle)[0] == 2
    campaign.catch("splice")
    for i in range(2):
        mixed = put(BUNDLES["ben"], ("logs", i), bundle["logs"][i])
        assert caught_in(mixed)[0] == 2
        mixed["logs"][i]["checkpoint"] = BUNDLES["ben"]["logs"][i]["checkpoint"]
        assert caught_in(mixed)[0] == 3
        campaign.catch("splice")
        campaign.catch("splice")


def test_any_character_of_the_file(campaign: Campaign) -> None:
    """Characters at random places: flipped, dropped, doubled, the file cut off."""
    text, generator = dumped(BUNDLES["pair"]), seeded("characters")
    for _ in range(3000 if LONG else 300):
        n = generator.randrange(len(text))
        changes = {
            "flip": text[:n] + chr(ord(text[n]) ^ 1 << generator.randrange(7)) + text[n + 1 :],
            "drop": text[:n] + text[n + 1 :],
            "truncate": text[:n],
        }
        for change, other in changes.items():
            step, _ = caught_text(other, PAIR, POLICIES["pair"])
            if step:
                campaign.catch(change)
                continue
            assert other[: n - 24].find('"keys"') == -1, (n, change, other[n - 40 : n + 40])
            campaign.allow("a character of what the operator calls the person, or of the bundle's time")

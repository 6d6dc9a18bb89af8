"""The signed list of regions: one spelling, one line for each region and log, and no list leaves out an older line."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from seenby_verify.errors import VerificationError
from seenby_verify.tlog.note import sign_note
from seenby_verify.tlog.regions import RegionList
from seenby_verify.tlog.vkey import VerifierKey
from tests.fixtures.bundles import World
from tests.fixtures.bundles_log import ORG

WORLD = World()
EU, US = WORLD.eu.vkey, WORLD.us.vkey
NOTE = WORLD.regions(3, WORLD.eu, WORLD.us)
TEXT = NOTE.rpartition(b"\n\n")[0].decode() + "\n"


def test_a_list() -> None:
    found = RegionList.open(NOTE, WORLD.org_key)
    assert found == RegionList(ORG, 3, (("eu", EU), ("us", US)))
    assert found.text.decode() == TEXT
    assert found.sign(WORLD.org) == NOTE
    assert RegionList.open(NOTE, None) == found, "without a key it can be read, and is worth that much"


def test_the_words_of_the_format() -> None:
    assert f"seenby/regions/v1\n{ORG}\n3\neu {EU}\nus {US}\n" == TEXT


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda t: t.replace("/v1", "/v2"), "does not begin"),
        (lambda t: t.split("eu ")[0], "does not begin"),
        (lambda t: t.replace(ORG, "platform example"), "no organisation"),
        (lambda t: t.replace(ORG, ""), "no organisation"),
        (lambda t: t.replace("\n3\n", "\n0\n"), "no serial number"),
        (lambda t: t.replace("\n3\n", "\n03\n"), "no serial number"),
        (lambda t: t.replace("\n3\n", "\n\n"), "no serial number"),
        (lambda t: t.replace("\neu ", "\n "), "without a region"),
        (lambda t: t.replace("\neu ", "\neü "), "without a region"),
        (lambda t: t.replace("\neu ", "\n" + "e" * 65 + " "), "without a region"),
        (lambda t: t.replace("\neu ", "\neu  "), "not written as the format says"),
        (lambda t: t.replace("\nus ", "\nus\t"), "without a region"),
        (lambda t: t.replace("\nus ", "\n\nus "), "without a region"),
        (lambda t: t.replace(str(EU), str(EU)[:-4]), "region eu: the verifier key"),
        (lambda t: t.replace("\neu ", "\nzz "), "not sorted"),
        (lambda t: t.replace("\nus ", "\neu "), "names a region twice"),
        (lambda t: t.replace(str(US), str(EU)), "names a log twice"),
        (lambda t: t.replace(str(US), str(VerifierKey(EU.name, US.key))), "names a log twice"),
        (lambda t: t.replace(str(US), str(VerifierKey(US.name, EU.key))), "names a log twice"),
        (lambda t: t[:-1], "not written as the format says"),
        (lambda t: t + "\n", "without a region"),
    ],
)
def test_other_spellings(change: Callable[[str], str], match: str) -> None:
    text = change(TEXT)
    assert text != TEXT
    with pytest.raises(VerificationError, match=match):
        RegionList.parse(text.encode())


def test_signed_by_somebody_else() -> None:
    with pytest.raises(VerificationError, match="not signed by the organisation's key"):
        RegionList.open(NOTE, EU)
    with pytest.raises(VerificationError, match=r"signature by platform\.example is false"):
        RegionList.open(NOTE.replace(b"\n3\n", b"\n4\n"), WORLD.org_key)
    with pytest.raises(VerificationError, match="has no signature block"):
        RegionList.open(TEXT.encode(), None)


def test_the_organisation_of_the_text_is_that_of_the_key() -> None:
    borrowed = sign_note(RegionList("other.example", 1, (("eu", EU),)).text, ORG, WORLD.org)
    with pytest.raises(VerificationError, match=r"is of 'other\.example', the key of 'platform\.example'"):
        RegionList.open(borrowed, WORLD.org_key)


def test_nobody_signs_a_list_that_nobody_could_read() -> None:
    with pytest.raises(VerificationError, match="not sorted"):
        RegionList(ORG, 1, (("us", US), ("eu", EU))).sign(WORLD.org)
    with pytest.raises(VerificationError, match="no serial number"):
        RegionList(ORG, 0, (("eu", EU),)).sign(WORLD.org)
    with pytest.raises(VerificationError, match="one region"):
        RegionList(ORG, 1, ()).sign(WORLD.org)


def test_the_next_list_in_a_log() -> None:
    one, two = RegionList(ORG, 1, (("eu", EU),)), RegionList(ORG, 2, (("eu", EU), ("us", US)))
    two.check_follows(one)
    RegionList(ORG, 3, two.logs).check_follows(two)
    for wrong, match in (
        (RegionList(ORG, 3, two.logs), "number 3 does not follow number 1"),
        (RegionList(ORG, 1, two.logs), "number 1 does not follow number 1"),
        (RegionList("other.example", 2, two.logs), "does not follow"),
        (RegionList(ORG, 2, (("us", US),)), "leaves out or changes region eu"),
        (RegionList(ORG, 2, (("eu", US),)), "leaves out or changes region eu"),
        (RegionList(ORG, 2, (("de", EU),)), "leaves out or changes region eu"),
    ):
        with pytest.raises(VerificationError, match=match):
            wrong.check_follows(one)

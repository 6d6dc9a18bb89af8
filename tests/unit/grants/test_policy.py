"""The policy that ships: who may ask for what, how many must agree, and which rule says no."""

from __future__ import annotations

from dataclasses import replace

import pytest

from seenby.errors import NotFound, UnknownColumn, UsageError
from seenby.grants.facts import PersonFact
from seenby.grants.policy import Allowed, Denied, Verdict
from seenby.model.classes import ABOVE_CONTENT, DataClass
from seenby.model.grant import Answers, Cell, GrantTerms, Write, WriteAction
from seenby.model.people import Person
from seenby.model.principal import Principal
from seenby.stores.policies import load_policies
from tests.fixtures.grants import (
    ADA,
    AL,
    AMERICA,
    AUDREY,
    BEN,
    DORA,
    EVE,
    FACTS,
    GHOST,
    IRELAND,
    JO,
    LI,
    NOW,
    ROOT,
    SAM,
    UNA,
    emergency,
    staff,
    wish,
)

POLICIES = load_policies()
EVERYBODY = [SAM, LI, ADA, BEN, UNA, DORA, AUDREY, ROOT, GHOST]
FORBIDDEN_OF_PROTECTED = ["contact", "location", "device", "behaviour", "communication", "biometric", "credential"]


def decide(terms: GrantTerms, by: Principal = SAM) -> Verdict:
    return POLICIES.decide_request(terms, by, FACTS)


def rules(verdict: Verdict) -> list[str]:
    assert isinstance(verdict, Denied)
    return [rule.id for rule in verdict.rules]


@pytest.mark.parametrize("data_class", sorted(ABOVE_CONTENT - {DataClass.CREDENTIAL}))
def test_above_content_two_must_agree(data_class: DataClass) -> None:
    verdict = decide(wish(SAM, data_class))
    assert isinstance(verdict, Allowed)
    assert verdict.approvals == 2
    assert "two-approvers" in [rule.id for rule in verdict.because]


def test_content_needs_one_and_public_nobody() -> None:
    assert isinstance(one := decide(wish(SAM, "content", "public")), Allowed)
    assert (one.approvals, [rule.id for rule in one.because]) == (1, ["content-needs-one-approver"])
    assert decide(wish(SAM, "public", people=None)) == Allowed(0)
    assert decide(wish(SAM, "videos.title", people=None)) == Allowed(0)
    assert isinstance(column := decide(wish(SAM, "accounts.phone")), Allowed)
    assert column.approvals == 2, "a column is decided by its class"


def test_an_engineer_in_beijing_gets_public_data_of_anywhere_and_nothing_else() -> None:
    for home, person in (("eu", EVE), ("us", AL)):
        assert decide(wish(LI, "public", homes=(home,), people=None), LI) == Allowed(0)
        for data_class in DataClass:
            if data_class is not DataClass.PUBLIC:
                found = rules(decide(wish(LI, data_class, homes=(home,), people=(person,)), LI))
                assert {"country-outside-region", "entity-outside-region"} <= set(found)


def test_country_and_company_are_two_facts_and_both_count() -> None:
    assert rules(decide(wish(), replace(SAM, country="US"))) == ["country-outside-region"]
    assert rules(decide(wish(), replace(SAM, entity=AMERICA))) == ["entity-outside-region"]
    assert rules(decide(wish(), replace(SAM, country=""))) == ["country-unknown"]
    assert decide(wish(GHOST, "public", people=None), GHOST) == Allowed(0)


def test_every_home_region_is_asked_for() -> None:
    terms = wish(SAM, "contact", homes=("eu", "us"), people=(EVE, AL))
    verdict = decide(terms)
    assert rules(verdict) == ["country-outside-region", "entity-outside-region"]
    assert isinstance(verdict, Denied)
    assert verdict.what == "contact data of people of us"


@pytest.mark.parametrize("data_class", FORBIDDEN_OF_PROTECTED)
@pytest.mark.parametrize("by", EVERYBODY, ids=lambda who: who.name)
def test_no_role_may_look_up_a_protected_person(by: Principal, data_class: str) -> None:
    terms = wish(by, data_class, people=(EVE, JO))
    assert "protected-people" in rules(decide(terms, by))
    if data_class != "credential" and by is SAM:
        assert isinstance(decide(replace(terms, people=(EVE,)), by), Allowed)


def test_protected_people_cannot_be_met_by_asking_for_everybody() -> None:
    for data_class in FORBIDDEN_OF_PROTECTED:
        assert "protected-people-could-be-among-them" in rules(decide(wish(SAM, data_class, people=None)))


def test_a_protected_person_has_a_right_to_support_all_the_same() -> None:
    assert isinstance(decide(wish(SAM, "payment", people=(JO,))), Allowed)


@pytest.mark.parametrize("data_class", sorted(DataClass))
def test_operators_see_nothing_not_even_public_data(data_class: DataClass) -> None:
    assert rules(decide(wish(ROOT, data_class), ROOT))[0] == "operators-see-nothing"


def test_auditors_have_no_standing_access() -> None:
    named = wish(AUDREY, "identity")
    assert isinstance(decide(named, AUDREY), Allowed)
    assert rules(decide(replace(named, people=None), AUDREY)) == ["auditors-have-no-standing-access"]
    assert rules(decide(replace(named, not_after=NOW + 86_401), AUDREY)) == ["auditors-have-no-standing-access"]
    assert isinstance(decide(replace(wish(SAM, "identity"), not_after=NOW + 86_401)), Allowed)


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"purpose": "curiosity"}, "purpose-not-listed"),
        ({"reference": ""}, "reference-missing"),
        ({"reference": "   "}, "reference-missing"),
        ({"not_after": NOW + 7 * 86_400 + 1}, "window-too-long"),
        ({"not_before": NOW + 7 * 86_400 + 1, "not_after": NOW + 7 * 86_400 + 60}, "starts-too-late"),
        ({"max_people": 1001}, "too-many-people"),
        ({"max_rows": 1_000_001}, "too-many-rows"),
        ({"cells": (Cell("credential", ("eu",)),)}, "credentials-stay-secret"),
    ],
    ids=str,
)
def test_limits_and_purpose(changes: dict[str, object], rule: str) -> None:
    assert rules(decide(replace(wish(), **changes))) == [rule]  # type: ignore[arg-type]  # values of several types


def test_limits_are_inclusive() -> None:
    assert isinstance(decide(wish(not_after=NOW + 7 * 86_400, max_people=1000, max_rows=1_000_000)), Allowed)
    assert isinstance(decide(wish(SAM, "content", reference="")), Allowed)


def test_the_refusal_says_what_why_and_what_next() -> None:
    verdict = decide(wish(LI), LI)
    assert isinstance(verdict, Denied)
    error = verdict.error("li")
    assert error.message.startswith("policy refuses li contact data of people of eu: From the country where you are")
    assert "--class public" in error.hint
    assert error.detail.startswith("rule country-outside-region (2-where.cedar:")
    assert "also entity-outside-region" in error.detail
    assert error.http == 403


def test_who_exists_is_told_only_to_those_who_may_ask() -> None:
    nobody = Person("account", "404")
    with pytest.raises(NotFound, match="account:404 with home region eu"):
        decide(wish(people=(nobody,)))
    with pytest.raises(NotFound, match="account:99"):
        decide(wish(people=(AL,)))
    assert rules(decide(wish(LI, people=(nobody,)), LI)) == rules(decide(wish(LI), LI))


def test_a_person_whose_region_is_unknown_is_nobodys_to_approve() -> None:
    facts = replace(FACTS, people={EVE: PersonFact("", False)})
    with pytest.raises(NotFound):
        POLICIES.decide_request(wish(), SAM, facts)


def test_unknown_columns_and_regions_are_named() -> None:
    with pytest.raises(UnknownColumn, match="no column accounts"):
        decide(wish(SAM, "accounts.shoe_size"))
    with pytest.raises(UsageError, match="no region 'mars'"):
        decide(wish(SAM, "contact", homes=("mars",)))


@pytest.mark.parametrize(
    ("approver", "rule"),
    [
        (ADA, None),
        (BEN, None),
        (DORA, None),
        (replace(BEN, country="CN"), "approver-is-elsewhere"),
        (replace(BEN, country=""), "approver-is-elsewhere"),
        (UNA, "default-deny"),
        (SAM, "default-deny"),
        (ROOT, "default-deny"),
        (staff("fay", "IE", IRELAND, "operator", "eu"), "default-deny"),
    ],
    ids=lambda value: f"{value.name} in {value.country or 'nowhere'}" if isinstance(value, Principal) else None,
)
def test_who_may_approve(approver: Principal, rule: str | None) -> None:
    verdict = POLICIES.decide_approval(wish(), approver, FACTS)
    assert (None if verdict is None else verdict.rules[0].id) == rule


def test_not_your_own() -> None:
    verdict = POLICIES.decide_approval(wish(ADA), ADA, FACTS)
    assert verdict is not None
    assert [rule.id for rule in verdict.rules] == ["not-your-own"]


def test_odd_names_are_data_and_never_syntax() -> None:
    odd = replace(SAM, name='x"; permit(principal, action, resource); //', unit='"\\\n')
    assert isinstance(decide(replace(wish(), principal=odd.name), odd), Allowed)
    assert rules(decide(replace(wish(), principal=odd.name), replace(odd, country="CN"))) == ["country-outside-region"]


UPDATE = (Write("accounts", WriteAction.UPDATE, ("phone",)),)


@pytest.mark.parametrize("write", [*UPDATE, Write("notes", WriteAction.DELETE), Write("notes", WriteAction.INSERT)])
def test_changes_need_two_approvers_whatever_they_show(write: Write) -> None:
    verdict = decide(wish(SAM, "public", writes=(write,)))
    assert isinstance(verdict, Allowed)
    assert (verdict.approvals, [rule.id for rule in verdict.because]) == (2, ["two-approvers-for-changes"])
    assert rules(decide(wish(SAM, "public", writes=(write,), reference=" "))) == ["changes-need-a-reference"]
    assert rules(decide(wish(AUDREY, "public", writes=(write,)), AUDREY)) == ["auditors-change-nothing"]


@pytest.mark.parametrize("data_class", sorted(ABOVE_CONTENT - {DataClass.CREDENTIAL}))
def test_statistics_about_everybody_need_one_approver(data_class: DataClass) -> None:
    everybody = wish(SAM, data_class, people=None, answers=Answers.STATISTICS)
    verdict = decide(everybody)
    assert isinstance(verdict, Allowed)
    assert (verdict.approvals, [rule.id for rule in verdict.because]) == (1, ["statistics-need-one-approver"])
    both = decide(replace(everybody, answers=Answers.BOTH))
    if data_class in FORBIDDEN_OF_PROTECTED:
        assert rules(both) == ["protected-people-could-be-among-them"], "whoever sees rows names the people"
    else:
        assert isinstance(both, Allowed)
        assert both.approvals == 2
    assert decide(wish(SAM, "public", people=None, answers=Answers.STATISTICS)) == Allowed(0)
    assert rules(decide(wish(SAM, "credential", people=None, answers=Answers.STATISTICS))) == [
        "credentials-stay-secret"
    ]


def glass(by: Principal = SAM, *what: str, people: tuple[Person, ...] = (EVE,), **changes: object) -> Verdict:
    return POLICIES.decide_break_glass(emergency(by, *what, people=people, **changes), by, FACTS)


def test_break_glass_needs_two_reviews_and_no_reference() -> None:
    for data_class in ("public", "content", "contact", "location", "communication"):
        verdict = glass(SAM, data_class)
        assert isinstance(verdict, Allowed)
        assert (verdict.approvals, [rule.id for rule in verdict.because]) == (2, ["two-reviewers"])


def test_break_glass_softens_nothing_but_approvals() -> None:
    assert rules(glass(ROOT)) == ["operators-see-nothing", "who-breaks-glass"]
    assert rules(glass(AUDREY)) == ["who-breaks-glass"]
    assert rules(glass(SAM, "device")) == ["break-glass-classes"]
    assert "protected-people" in rules(glass(SAM, "location", people=(JO,)))
    assert {"country-outside-region", "entity-outside-region", "who-breaks-glass"} <= set(rules(glass(LI)))
    assert rules(glass(SAM, purpose="fun")) == ["purpose-not-listed"]
    with pytest.raises(NotFound):
        glass(people=(Person("account", "404"),))

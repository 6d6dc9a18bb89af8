"""Policy files are checked when they are loaded; a rule that cannot work never loads silently."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest

from seenby.errors import ConfigError
from seenby.grants.policy import Allowed, Denied, Policies
from seenby.stores.policies import load_policies
from tests.fixtures.grants import FACTS, SAM, wish

SCHEMA = (files("seenby.grants") / "policies" / "seenby.cedarschema").read_text()
PERMIT = '@id("ok")\n@says("yes")\npermit (principal, action, resource);\n'


def load(*texts: str) -> Policies:
    return Policies({f"{number}.cedar": text for number, text in enumerate(texts)}, SCHEMA)


def forbid(condition: str) -> str:
    head = '@id("no")\n@says("No.")\nforbid (principal, action == Action::"request", resource)'
    return f"{head}\nwhen {{ {condition} }};\n"


def test_the_set_that_ships_loads_and_is_the_default() -> None:
    shipped = load_policies()
    assert len(shipped.rules) >= 20
    assert all(rule.says.endswith(".") for rule in shipped.rules)
    assert all(rule.next for rule in shipped.rules if rule.id.startswith(("country", "entity", "protected", "too")))


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("permit (principal, action, resource);", "1.cedar:1", "starts with a line of its own"),
        ('// one\n\n@id("a")\n@says("x")\npermit (prin', "1.cedar:3", "not a Cedar policy"),
        ('@id("a")\npermit (principal, action, resource);', "1.cedar:1", "no @says"),
        ('@id("")\n@says("x")\npermit (principal, action, resource);', "1.cedar:1", "no @id"),
        (PERMIT.replace("ok", "a") + "forbid (principal, action, resource);", "1.cedar:1", "starts with a line"),
        (PERMIT, "1.cedar:1", "second rule 'ok'"),
        (forbid('resource.klass == "public"'), "1.cedar:1", "does not fit the schema"),
        (forbid('context.window > "long"'), "1.cedar:1", "does not fit the schema"),
        (forbid('principal.country == "IE"').replace('"request"', '"look"'), "1.cedar:1", "does not fit the schema"),
        ('\n@id("t")\n@says("x")\npermit (principal == ?principal, action, resource);', "1.cedar:2", "no template"),
        ("what is this", "1.cedar:1", "not a Cedar policy"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else None,
)
def test_a_wrong_rule_is_named_with_its_place(text: str, place: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(PERMIT, text)
    assert caught.value.message.startswith(place)
    assert words in caught.value.message


def test_no_rules_at_all() -> None:
    with pytest.raises(ConfigError, match="no rules"):
        load("// nothing yet\n")


def test_nothing_is_allowed_that_no_rule_permits() -> None:
    verdict = load(forbid("false")).decide_request(wish(), SAM, FACTS)
    assert isinstance(verdict, Denied)
    assert verdict.rules[0].id == "default-deny"


def test_a_forbid_wins_over_every_permit_wherever_it_stands() -> None:
    for texts in ((PERMIT, forbid("true")), (forbid("true"), PERMIT)):
        verdict = load(*texts).decide_request(wish(), SAM, FACTS)
        assert isinstance(verdict, Denied)
        assert [rule.id for rule in verdict.rules] == ["no"]


def test_a_rule_that_fails_while_it_is_evaluated_refuses() -> None:
    # Cedar skips a policy whose evaluation fails: here an overflow in a forbid, which must not let things pass.
    with pytest.raises(ConfigError, match="could not be evaluated"):
        load(PERMIT, forbid("context.window + 9223372036854775807 > 0")).decide_request(wish(), SAM, FACTS)


def test_an_organisation_writes_its_own_numbers(tmp_path: Path) -> None:
    for name, text in {f.name: f.read_text() for f in (files("seenby.grants") / "policies").iterdir()}.items():
        (tmp_path / name).write_text(text.replace("context.approvals < 2", "context.approvals < 3"))
    mine = load_policies(tmp_path)
    verdict = mine.decide_request(wish(approvals=3), SAM, FACTS)
    assert isinstance(verdict, Allowed)
    assert verdict.approvals == 3


def test_no_number_of_approvals_is_enough() -> None:
    never = '@id("never")\n@says("Never.")\nforbid (principal, action == Action::"activate", resource);\n'
    verdict = load(PERMIT, never).decide_request(wish(), SAM, FACTS)
    assert isinstance(verdict, Denied)
    assert verdict.rules[0].id == "never"


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read the policy folder"):
        load_policies(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="no rules"):
        load_policies(tmp_path)

"""What sampled values are, and which class a column gets; doubt is no class."""

from __future__ import annotations

import pytest

from seenby.attach.classify import SENSITIVE, classify
from seenby.attach.values import json_paths, kind_of, main_kind
from seenby.model.classes import DataClass
from tests.unit.attach.build import column, database


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("ana@example.org", "e-mail addresses"),
        ("+44 20 7946 0958", "phone numbers"),
        ("198.51.100.7", "IP addresses"),
        ("2001:db8::1", "IP addresses"),
        ("DE89370400440532013000", "bank accounts"),
        ("4111 1111 1111 1111", "card numbers"),
        ("Mozilla/5.0 (X11; Linux x86_64)", "user agents"),
        ("$argon2id$v=19$m=65536", "password hashes"),
        ("01:23:45:67:89:ab", "hardware addresses"),
        ("44051401359", "national ids"),
        ("@ana:example.org", "Matrix ids"),
        ("48.8566, 2.3522", "coordinates"),
        ("12345678", ""),
        ("2026-11-29", ""),
        ("1.2.3", ""),
        ("hello world", ""),
        ("https://example.org/a@b", ""),
    ],
)
def test_kinds_of_values(value: str, kind: str) -> None:
    assert kind_of(value) == kind


def test_a_share_of_values() -> None:
    assert main_kind(["a@example.org", "b@example.org", "-"])[0] == "e-mail addresses"
    assert main_kind(["a@example.org"]) == ("e-mail addresses", 1.0), "one value is enough to be careful"
    assert main_kind(["word", "other"]) == ("", 0.0)


def test_json_paths() -> None:
    found = json_paths(['{"a": {"b": ["x", {"c": 1}]}, "n": null}', "[", '{"a": {"b": []}}'])
    assert found == {"a.b[]": ["x"], "a.b[].c": ["1"]}


def verdict(name: str, kind: str = "text", samples: tuple[str, ...] = (), *, owned: bool = True, table: str = "posts"):  # type: ignore[no-untyped-def]
    found = next(iter(database(**{table: "id*, body"}).base.values()))
    return classify(found, column(name, kind, samples), owned=owned, about=DataClass.CONTENT, reference="")


def test_values_win_over_an_innocent_name() -> None:
    made = verdict("extra", samples=("a@example.org", "b@example.org", "c@example.org"))
    assert made.data_class is DataClass.CONTACT
    assert "100%" in made.reason
    assert "example" not in made.reason, "no value is told"


def test_a_strict_name_wins_over_values() -> None:
    assert verdict("reset_token", samples=("a@b.org", "c@d.org", "e@f.org")).data_class is DataClass.CREDENTIAL


def test_a_few_personal_values_are_a_doubt() -> None:
    assert verdict("extra", samples=("a@example.org", *(f"word{n}" for n in range(9)))).data_class is None


def test_what_only_carries_its_row() -> None:
    for name, kind in (("id", "int"), ("created_at", "time"), ("is_sticky", "bool"), ("reply_count", "int")):
        assert verdict(name, kind).data_class is DataClass.CONTENT
    assert verdict("birth_date", "time").data_class is DataClass.IDENTITY, "a birth date is no mere time"


def test_nothing_of_people_is_harmless() -> None:
    for name in ("slug", "code", "version", "title", "id", "kind", "name"):
        assert verdict(name).data_class is not DataClass.PUBLIC


def test_text_of_nobody_needs_a_reason() -> None:
    assert verdict("code", owned=False, table="things").data_class is DataClass.PUBLIC
    assert verdict("name", owned=False, table="countries").data_class is DataClass.PUBLIC
    assert verdict("name", owned=False, table="things").data_class is None
    assert verdict("name", owned=False, table="user_settings").data_class is None, "settings, but of users"
    assert verdict("blob", "json", owned=False, table="countries").data_class is None
    assert verdict("code", samples=("a long text that somebody wrote",) * 1, owned=False).data_class is DataClass.PUBLIC
    prose = ("I think it is so", "you know that it is", "what a day this was")
    assert verdict("code", samples=prose, owned=False).data_class is None


def test_sensitive_is_an_order_over_all_classes() -> None:
    assert set(SENSITIVE) == set(DataClass)


def test_a_comment_says_what_a_name_does_not() -> None:
    found = next(iter(database(posts="id*, body").base.values()))
    made = classify(
        found, column("c17", comment="E-Mail of the sender"), owned=True, about=DataClass.CONTENT, reference=""
    )
    assert made.data_class is DataClass.CONTACT

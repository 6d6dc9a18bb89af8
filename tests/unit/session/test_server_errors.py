"""Postgres's errors in our words: a run-time text may hold a value, so no word of it passes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seenby.session.server_errors import depends_on_data, parse_error, run_time_error
from tests.fixtures.generated import generated

SECRET = "xq77zz"
FULL = {letter: f"{SECRET} {letter}" for letter in "MDHWPpqstcdnFLR"}


@pytest.mark.parametrize(
    "code",
    [
        "22P02",
        "22003",
        "22007",
        "22012",
        "21000",
        "23505",
        "22023",
        "42883",
        "42501",
        "57014",
        "XX000",
        "P0001",
        "99999",
    ],
)
def test_no_word_passes_at_run_time_whatever_the_code(code: str) -> None:
    error = run_time_error({"C": code, "S": "ERROR", "V": "ERROR", **FULL})
    assert error.state == code
    assert error.message
    for text in (error.message, error.hint, error.detail):
        assert SECRET not in text


@generated(80)
@given(st.text(min_size=0, max_size=6), st.sampled_from(["run", "parse"]))
def test_any_code_has_a_sentence(code: str, when: str) -> None:
    error = (run_time_error if when == "run" else parse_error)({"C": code})
    assert error.message or when == "parse"


@pytest.mark.parametrize("code", ["", "22", "220123", "22p02", "22012\ufffdMvalue xq77zz"])
def test_without_a_code_that_can_be_one_it_is_an_internal_error(code: str) -> None:
    assert run_time_error({"C": code}).state == "XX000"
    assert run_time_error({}).state == "XX000"


@pytest.mark.parametrize("code", ["22P02", "22003", "XX000", "58P01", "23514"])
def test_parse_errors_about_constants_are_run_time_errors(code: str) -> None:
    """``invalid input syntax for type integer: "abc"`` repeats a constant; nothing is gained by passing it on."""
    assert SECRET not in parse_error({"C": code, **FULL}).message


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ('column "fone" does not exist', 'column "fone" does not exist'),
        ('relation "seenby_v0123456789abcdef.accounts" does not exist', 'relation "accounts" does not exist'),
        ("permission denied for view seenby_v01.accounts", "permission denied for view accounts"),
        ('column u."seenby$1" is ambiguous', 'column u."" is ambiguous'),
        ('perhaps you meant "u.seenby$2"', 'perhaps you meant "u."'),
        ("function seenby_catalog.pg_get_viewdef(oid)", "function pg_get_viewdef(oid)"),
    ],
)
def test_parse_errors_do_not_tell_our_names(said: str, told: str) -> None:
    error = parse_error({"C": "42P01", "M": said, "H": said})
    assert (error.message, error.hint) == (told, told)
    assert "seenby" not in error.message


@pytest.mark.parametrize(
    ("code", "depends"),
    [("22012", True), ("21000", True), ("P0001", True), ("54001", True), ("42883", True), ("57014", False),
     ("53200", True), ("53400", True), ("58030", True), ("XX000", True), ("40001", False), ("25P02", False),
     ("34000", False), ("08P01", False)],
)  # fmt: skip
def test_which_errors_are_results(code: str, depends: bool) -> None:
    assert depends_on_data(code) is depends

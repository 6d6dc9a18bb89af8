"""Canonical JSON is RFC 8785 for our closed set of values, and nothing else is read."""

from __future__ import annotations

import json
import os

import pytest
from hypothesis import given, seed
from hypothesis import strategies as st

from seenby.errors import UsageError
from seenby.grants.canonical import MAX_INTEGER, Json, decode, encode

SEED = int(os.environ["SEENBY_SEED"])
KEYS = st.text(st.characters(max_codepoint=127), max_size=5)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-MAX_INTEGER, MAX_INTEGER)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=10,
)


def test_the_escapes_of_rfc_8785() -> None:
    # RFC 8785, 3.2.2.2: the short escapes, \u00xx in lower case for other controls, everything else as it is.
    written = encode({"b": "\u20ac$\u000f\u000aA'\u0042\u0022\\\"\u2028/", "a": [None, True, 0, -1]})
    assert written == '{"a":[null,true,0,-1],"b":"€$\\u000f\\nA\'B\\"\\\\\\"\u2028/"}'.encode()


@seed(SEED)
@given(VALUES)
def test_same_as_json_with_sorted_keys_and_back(value: Json) -> None:
    data = encode(value)
    assert data == json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    assert decode(data) == value
    assert encode(decode(data)) == data


@pytest.mark.parametrize(
    "value", [1.0, float("nan"), MAX_INTEGER + 1, "\ud800", {"é": 1}, {1: 2}, {"a": {1}}, b"x"], ids=repr
)
def test_values_outside_the_set_are_refused(value: Json) -> None:
    with pytest.raises(UsageError):
        encode(value)


@pytest.mark.parametrize(
    "data",
    [
        b'{"a": 1}',
        b'{"b":1,"a":1}',
        b'{"a":1,"a":1}',
        b'{"a":1.0}',
        b'{"a":1e0}',
        b'{"a":-0}',
        b'{"a":NaN}',
        b'{"a":"\\u0041"}',
        b'{"a":"\\/"}',
        b'{"a":1}\n',
        b'\xef\xbb\xbf{"a":1}',
        b'{"a":"\xff"}',
        b'{"a":"\\ud800"}',
        b"",
        b"[" * 100_000,
    ],
    ids=lambda data: repr(data[:20]),
)
def test_a_second_spelling_is_refused(data: bytes) -> None:
    with pytest.raises(UsageError):
        decode(data)

"""Keys of several people in one column."""

from __future__ import annotations

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seenby.attribute.arrays import elements
from seenby.errors import ProtocolError


@pytest.mark.parametrize(
    ("raw", "keys"),
    [
        (b"{}", []),
        (b"", []),
        (b"{42}", ["42"]),
        (b"{1000000042,1000000043}", ["1000000042", "1000000043"]),
        (b"{1,2}{2,3}", ["1", "2", "2", "3"]),
        (b'{"o\'neill, p","a\\"b"}{c}', ["o'neill, p", 'a"b', "c"]),
        (b'{"","{}"}', ["", "{}"]),
        (b'{"NULL"}', ["NULL"]),
        ('{"ö ß",ü}'.encode(), ["ö ß", "ü"]),
    ],
)
def test_arrays_one_behind_the_other(raw: bytes, keys: list[str]) -> None:
    assert elements(raw) == keys


@pytest.mark.parametrize("raw", [b'x"y"', b'{"a" ,"b"}', b'{"a'])
def test_anything_else_is_refused(raw: bytes) -> None:
    with pytest.raises(ProtocolError):
        elements(raw)


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@given(st.lists(st.lists(TEXT, max_size=4), max_size=3))
def test_what_a_driver_writes_as_arrays_is_read(arrays: list[list[str]]) -> None:
    dumper = psycopg.adapters.get_dumper(list, psycopg.adapt.PyFormat.TEXT)(list)
    text = b"".join(bytes(dumper.dump(one) or b"") for one in arrays)
    assert elements(text) == [key for one in arrays for key in one]

"""One spelling for each value (docs/formats/text.md)."""

from __future__ import annotations

import pytest

from seenby_verify.errors import VerificationError
from seenby_verify.tlog.strict import load_json


@pytest.mark.parametrize("text", ["0", "-1", "9223372036854775807", "-9223372036854775807"])
def test_whole_numbers(text: str) -> None:
    assert load_json(b"[%s]" % text.encode(), "it", 100) == [int(text)]


WRONG = [
    *("-0", "00", "+1", "1.0", "1e2", "1E2", ".5", "NaN", "Infinity", "1_0", "0x1", "\u0661"),
    *("9223372036854775808", "-9223372036854775808", "9" * 20, "9" * 5000),
]


@pytest.mark.parametrize("text", WRONG)
def test_numbers_in_another_spelling_or_beyond_all_counts(text: str) -> None:
    with pytest.raises(VerificationError, match=r"it (holds a number|is not JSON)"):
        load_json(b"[%s]" % text.encode(), "it", 10_000)

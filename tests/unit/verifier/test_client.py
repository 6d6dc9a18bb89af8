"""How the verifier reads a log over the network."""

from __future__ import annotations

import pytest

from seenby_verify.client import open_log
from seenby_verify.errors import Unavailable, UsageError
from seenby_verify.tlog.fsck import CHECKPOINT


@pytest.mark.parametrize("place", ["http://127.0.0.1:1/\udcff", "http://\udcff.example/"])
def test_octets_that_are_no_text_are_no_url(place: str) -> None:
    """As the command line or a policy may have them (tlog-policy: URLs are octets)."""
    with pytest.raises(UsageError, match="is not a URL"):
        open_log(place)


def test_a_silent_server_is_asked_again_after_longer_and_longer_pauses() -> None:
    pauses: list[float] = []
    with open_log("http://127.0.0.1:1/", sleep=pauses.append) as source, pytest.raises(Unavailable, match="cannot be"):
        source.read(CHECKPOINT)
    assert pauses == [0.25, 1, 4]

"""How the verifier reads a log over the network."""

from __future__ import annotations

import pytest

from seenby_verify.client import open_log
from seenby_verify.errors import Unavailable
from seenby_verify.tlog.fsck import CHECKPOINT


def test_a_silent_server_is_asked_again_after_longer_and_longer_pauses() -> None:
    pauses: list[float] = []
    with open_log("http://127.0.0.1:1/", sleep=pauses.append) as source, pytest.raises(Unavailable, match="cannot be"):
        source.read(CHECKPOINT)
    assert pauses == [0.25, 1, 4]

"""Django: inspectdb over every table, then a session that reads with the models it wrote."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conformance.clients.matrix import DIFFERENCES, check_client
from tests.conformance.clients.side import Outcomes, Side, Sides, compare

pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("clients")]

PROGRAM = Path(__file__).with_name("django_program.py")


def checks(side: Side) -> Outcomes:
    """In a process of its own: Django's settings are of the process."""
    done = subprocess.run(
        [sys.executable, str(PROGRAM)],
        env={"PATH": os.environ["PATH"], **side.environment},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: Outcomes = json.loads(done.stdout)
    return found


def test_the_same_checks_directly_and_through_the_gateway(sides: Sides) -> None:
    found = compare(sides, checks, DIFFERENCES["Django"])
    assert "class Accounts(models.Model)" in found["catalogue"]
    check_client("Django", found)

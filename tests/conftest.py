"""One fixture file per resource, under tests/fixtures; the seed of generated tests is printed in the header."""

from __future__ import annotations

import os
import random
import signal

from hypothesis import HealthCheck, settings

pytest_plugins = [
    "tests.fixtures.catalog",
    "tests.fixtures.cluster",
    "tests.fixtures.demo",
    "tests.fixtures.oracles",
    "tests.fixtures.psql",
    "tests.fixtures.grant_office",
    "tests.fixtures.gateway",
    "tests.fixtures.others",
    "tests.fixtures.keystores",
    "tests.fixtures.softhsm",
    "tests.fixtures.tampering",
    "tests.fixtures.watch",
    "tests.fixtures.worked",
]

# By default a property fails, or is called too slow, for an example that took a fifth of a second: as any may on a busy
# machine.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # As a shell starts what it runs in the background. Programs that tests start and interrupt would inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)

os.environ.pop("COLUMNS", None)  # of whoever runs the tests: the commands' tables would be wrapped there

SEED = int(os.environ.get("SEENBY_SEED") or random.SystemRandom().randrange(2**32))
os.environ["SEENBY_SEED"] = str(SEED)  # xdist's workers inherit it


def pytest_report_header() -> str:
    return f"seed: SEENBY_SEED={SEED}"

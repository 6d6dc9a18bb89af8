"""What every client is asked to do; each does it in its own way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from tests.conformance.clients.side import Outcome, Outcomes
from tests.conformance.test_psycopg import TABLES

__all__ = [
    "COPY",
    "ERRORS",
    "HIDDEN",
    "KEYS",
    "LONG",
    "MASKED",
    "PARAMETERS",
    "STEPS",
    "TABLES",
    "WRITE",
    "Attempts",
    "plain",
]

KEYS = range(1000000040, 1000000050)

PARAMETERS: tuple[tuple[str, Any], ...] = (
    ("SELECT id, phone, birth_date, interests, settings FROM accounts WHERE id = $1", 1000000042),
    ("SELECT count(*) FROM accounts WHERE handle > $1", "m"),
    ("SELECT id, caption FROM videos WHERE length_s < $1 ORDER BY id LIMIT 3", 30),
    ("SELECT count(*) FROM accounts WHERE is_protected = $1", True),
    ("SELECT handle FROM accounts WHERE handle = $1", "it's – \\ \" $1"),
)

ERRORS = (
    "SELEC 1", "SELECT nothing_such FROM accounts", "SELECT 1 FROM nothing_such", "SELECT 1 / 0",
    "SELECT handle::int FROM accounts", "SELECT nothing_such(1)", "SELECT id, count(*) FROM accounts",
)  # fmt: skip

STEPS = (
    "BEGIN", "SELECT 1", "SAVEPOINT a", "SELECT 1 / 0", "SELECT 1", "ROLLBACK TO a", "SELECT 1", "RELEASE a", "COMMIT",
    "ROLLBACK", "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", "SELECT count(*) FROM accounts", "ROLLBACK",
)  # fmt: skip

COPY = "COPY (SELECT id, handle, phone, settings FROM accounts ORDER BY id LIMIT 20) TO STDOUT (FORMAT csv, HEADER)"

WRITE = "UPDATE accounts SET phone = '1' WHERE id = 1000000042"

HIDDEN = "SELECT full_name FROM staff"
"""A column that nobody classified: the copy does not have it."""

MASKED = "SELECT handle, phone, full_name, birth_date FROM accounts WHERE id = 1000000042"
"""Shown to somebody whose grant gives contact data."""

LONG = "SELECT count(*) FROM watch_events a, watch_events b, watch_events c WHERE a.id + b.id <> c.id"


def plain(value: Any) -> Outcome:
    """Lists, numbers and texts."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    if isinstance(value, dict):
        return [[str(name), plain(one)] for name, one in value.items()]
    if isinstance(value, list | tuple | range) or hasattr(value, "items"):
        return [plain(one) for one in value]
    return str(value)


class Attempts:
    """Collects a client's outcomes; an error of the driver is an outcome: ["error", SQLSTATE]."""

    def __init__(self, error: type[Exception], code: Callable[[Any], str]) -> None:
        self.found: Outcomes = {}
        self._error = error
        self._code = code

    def __call__(self, feature: str, check: Callable[[], Any]) -> None:
        self.found[feature] = self.outcome(check)

    def outcome(self, check: Callable[[], Any]) -> Outcome:
        try:
            return plain(check())
        except self._error as error:
            return ["error", self._code(error)]

    def codes(self, run: Callable[[str], Any], texts: tuple[str, ...]) -> list[Outcome]:
        """Of statements that are run one after the other: the SQLSTATEs."""

        def ran(text: str) -> str:
            run(text)
            return "done"

        return [self.outcome(partial(ran, text)) for text in texts]

    async def later(self, feature: str, check: Callable[[], Awaitable[Any]]) -> None:
        self.found[feature] = await self.later_outcome(check)

    async def later_outcome(self, check: Callable[[], Awaitable[Any]]) -> Outcome:
        try:
            return plain(await check())
        except self._error as error:
            return ["error", self._code(error)]

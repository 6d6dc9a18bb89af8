"""A person, as the rest of Seenby names one."""

from __future__ import annotations

from dataclasses import dataclass

from seenby.errors import UsageError


@dataclass(frozen=True, slots=True, order=True)
class Person:
    """A data subject: a kind that the data map names, and the key as Postgres prints it.

    >>> str(Person("account", "42"))
    'account:42'
    """

    kind: str
    key: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.key}"

    @classmethod
    def parse(cls, text: str) -> Person:
        """``account:42`` -> Person. Raises UsageError when there is no kind."""
        kind, colon, key = text.partition(":")
        if not (colon and kind and key):
            raise UsageError(f"{text!r} does not name a person", hint="write KIND:KEY, as in account:42")
        return cls(kind, key)

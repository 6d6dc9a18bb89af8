"""Grants that work right now, as sessions see them, and what the grant service needs of the rest of the gateway."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from seenby.errors import NoGrant, SeenbyError
from seenby.grants.facts import PersonFact
from seenby.grants.lifecycle import end_words, ended_error
from seenby.model.classes import DataClass
from seenby.model.grant import GrantTerms
from seenby.model.people import Person
from seenby.model.shape import Shape
from seenby_verify.tlog.entries import EndReason

log = structlog.get_logger("seenby.grants")


@dataclass(slots=True)
class Life:
    """Whether a grant is still alive. Sessions look at ``ended`` before every part of a result.

    Attributes:
        ended: None while it is alive; then the error that its sessions are told.
    """

    ended: SeenbyError | None = None
    _listeners: dict[int, Callable[[SeenbyError], None]] = field(default_factory=dict)
    _count: int = 0

    def on_end(self, listener: Callable[[SeenbyError], None]) -> Callable[[], None]:
        """Calls ``listener`` once when the grant ends, at once if it has; the answer takes the listener off again."""
        if self.ended is not None:
            listener(self.ended)
            return lambda: None
        self._count += 1
        number = self._count
        self._listeners[number] = listener

        def forget() -> None:
            self._listeners.pop(number, None)

        return forget

    def end(self, error: SeenbyError) -> None:
        """Ends it; only the first call counts. One listener's fault keeps no other session alive: it is logged."""
        if self.ended is not None:
            return
        self.ended = error
        listeners, self._listeners = list(self._listeners.values()), {}
        for listener in listeners:
            try:
                listener(error)
            except Exception:
                log.exception("a session failed while its grant ended")


@dataclass(frozen=True, slots=True)
class Enforced:
    """What the database was made to be for a grant.

    Attributes:
        shape: the views.
        role, password: as which the gateway goes to the database for this grant.
    """

    shape: Shape
    role: str
    password: str


@dataclass(frozen=True, slots=True, eq=False)
class ActiveGrant:
    """A grant that sessions may use while ``why_not`` says nothing.

    Attributes:
        approvers: (name, unit) of everybody who approved it, for the query record.
        life: shared by everything that uses the grant.
        lost: what the terms name and the data map no longer has, in words.
    """

    terms: GrantTerms
    shape: Shape
    role: str
    password: str
    approvers: tuple[tuple[str, str], ...]
    life: Life = field(default_factory=Life)
    lost: tuple[str, ...] = ()

    def why_not(self, now: float) -> SeenbyError | None:
        """Why it may not be used at Unix time ``now``; does not rely on any timer having run."""
        if self.life.ended is not None:
            return self.life.ended
        if now >= self.terms.not_after:
            return ended_error(self.terms, end_words(EndReason.WINDOW))
        if now < self.terms.not_before:
            return NoGrant(f"grant {self.terms.id[:8]} has not begun yet", hint="wait until its time begins")
        return None


def lost_words(lost: Sequence[str]) -> str:
    """``this grant goes on without accounts.phone: ...``; "" if nothing is lost."""
    if not lost:
        return ""
    return f"this grant goes on without {', '.join(lost)}: the platform no longer has it, or the data map does not"


class Enforcer(Protocol):
    """Makes the database enclose a grant, and ends that. Idempotent. Raises Unavailable if it may be tried again."""

    async def activate(self, terms: GrantTerms) -> Enforced: ...

    async def end(self, grant_ids: Sequence[str]) -> None: ...

    async def keep_only(self, grant_ids: Collection[str]) -> None:
        """At the start: ends the role of every grant that is not among these (a crash may have left some)."""


class PeopleFacts(Protocol):
    """What is known of people and columns in this region."""

    async def lookup(self, people: Sequence[Person]) -> Mapping[Person, PersonFact]:
        """The facts of those who exist; the others are left out. Raises Unavailable."""

    def check_writes(self, terms: GrantTerms) -> None:
        """Can the database let the grant change what it asks for? Raises UsageError, UnknownTable."""

    def what_remains(self, terms: GrantTerms) -> tuple[GrantTerms, tuple[str, ...]]:
        """The terms without what the data map no longer has, and that in words.

        Raises UnknownColumn when nothing is left.
        """

    def classes_of(self, columns: Iterable[str]) -> Mapping[str, DataClass]:
        """``accounts.phone`` -> its data class; columns that nobody classified are left out."""

"""Towards the ledger and the client: what is recorded before it is told; whom an error is about (invariants I1, I4)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from seenby.errors import LimitReached, SeenbyError, ServerError, Unavailable
from seenby.model.disclosure import QueryDisclosure, RefusedAttempt, Shown
from seenby.model.plan import QueryPlan
from seenby.session.access import Access
from seenby.session.expect import Item
from seenby.session.meaning import Meaning
from seenby.session.outbox import Outbox
from seenby.session.outcome import Attribution, Outcome
from seenby.session.record import RecordFacts, RecordTemplate, attempt_record
from seenby.session.results import NO_GRANT, people_of_error, told_by_error
from seenby.session.statements import Result
from seenby.wire import backend

MAX_TEMPLATES = 200


class Telling:
    """The half of a Session that records and tells; see session.py for its arguments."""

    def __init__(
        self, access: Access | None, facts: RecordFacts, clock: Callable[[], float], principal: str, meaning: Meaning
    ) -> None:
        self.access = access
        self.principal = principal
        self.clock = clock
        self.grant_id = bytes.fromhex(access.terms.id) if access else b""
        self.meaning = meaning
        self._facts = facts
        self._out = Outcome()
        self.outbox = Outbox()
        self.emit = self.outbox.emit
        self.pending: deque[Item] = deque()
        self._failed_results: dict[int, tuple[Result, ServerError]] = {}
        self._lookups: dict[int, tuple[Result, QueryDisclosure]] = {}
        self._templates: dict[tuple[int, str], RecordTemplate] = {}
        self._skipping = False  # extended protocol: an error, so everything up to Sync is skipped
        self._fail_block = False

    @property
    def facts(self) -> RecordFacts:
        """What every record of this session says."""
        return self._facts

    def hand_over(self, ticket: int, item: QueryDisclosure) -> None:
        """Hands ``item`` to the ledger; what waits for it is held by the caller."""
        self._out.records.append((ticket, item))

    def record(self, item: QueryDisclosure, data: bytes) -> None:
        """Hands ``item`` to the ledger; ``data`` and all that follows wait until it is durable."""
        ticket = self.outbox.ticket()
        self._out.records.append((ticket, item))
        self.outbox.hold(ticket, data)

    def _record_attempt(self, error: SeenbyError, text: str, ticket: int = 0) -> int:
        """Hands a refused attempt to the ledger when it is made, whatever becomes of the answer. Returns its ticket."""
        record, withheld = attempt_record(
            self._facts, self.clock(), text, sqlstate=error.state, message=error.message, detail=error.detail
        )
        ticket = ticket or self.outbox.ticket()
        self._out.records.append((ticket, RefusedAttempt(record, withheld, self.grant_id, self.principal)))
        return ticket

    def attribute_error(self, result: Result, error: ServerError) -> None:
        """A run-time error waits until everybody it could be about is recorded."""
        ticket = self.outbox.ticket()
        self._failed_results[ticket] = (result, error)
        self.outbox.hold(ticket)
        companion = result.plan.in_full.companion
        if companion is None:
            self._tell_failure(ticket, None)
        else:
            self._out.attributions.append(
                Attribution(ticket, companion, result.server.parameters, result.values, dict(self.meaning.now))
            )

    def examine(self, result: Result, item: QueryDisclosure, data: bytes) -> None:
        """A lookup by key waits until those whom it was about and who are not shown are recorded as examined."""
        examined = result.plan.in_full.examined
        assert examined is not None
        ticket = self.outbox.ticket()
        self._lookups[ticket] = (result, item)
        self.outbox.hold(ticket, data)
        asked = Attribution(ticket, examined, result.server.parameters, result.values, dict(self.meaning.now))
        self._out.attributions.append(asked)

    def _attributed(self, ticket: int, people: list[str] | None) -> None:
        if ticket not in self._lookups:
            self._tell_failure(ticket, people)
            return
        result, item = self._lookups.pop(ticket)
        access = self.access
        assert access is not None
        if people is None:
            raise Unavailable("who was looked up could not be recorded, so the answer is not shown", hint="try again")
        part = result.template.examined
        shown = {one.person for one in item.people} | result.named.keys()
        examined = [person for person in dict.fromkeys(people) if person not in shown]
        named = (*item.people, *(Shown(person, part) for person in examined))
        try:
            access.usage.charge(access.terms, examined, 0)
        except LimitReached:
            self._out.records.append((ticket, item._replace(people=named, grant=NO_GRANT)))
            raise
        self._out.records.append((ticket, item._replace(people=named)))

    def _tell_failure(self, ticket: int, people: list[str] | None) -> None:
        result, error = self._failed_results.pop(ticket)
        told: SeenbyError = error
        named = people_of_error(self, result, people)
        if named is None:
            self._record_attempt(told, result.template.text, ticket)
        else:
            access = self.access
            assert access is not None
            try:
                access.usage.charge(access.terms, [shown.person for shown in named], 0)
            except LimitReached as limit:
                told = limit
            grant = self.grant_id if told is error else NO_GRANT
            self._out.records.append((ticket, told_by_error(self, result, told, named, grant)))
        self.outbox.fill(ticket, backend.error_response(told))

    # ---------------------------------------------------------------- records

    def template(self, plan: QueryPlan, text: str) -> RecordTemplate:
        """What every record of this statement in this session has in common."""
        key = (id(plan), text)
        template = self._templates.get(key)
        if template is None:
            if len(self._templates) >= MAX_TEMPLATES:
                self._templates.clear()
            template = self._templates[key] = RecordTemplate(self._facts, plan, text)
        return template

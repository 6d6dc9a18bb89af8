"""What waits: messages of the client that cannot be taken yet, and why.

===========  ============================================================================================
``_stalled``  a statement that Postgres has to describe first
``_full``     everything that was asked before has to be answered first
``_step``     the statement whose people were asked for: what is sent depends on the answer (statistics.py)
``_rest``     the statements of a Query message behind one that had to wait
===========  ============================================================================================
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from seenby.errors import Internal
from seenby.model.plan import ControlKind, ControlPlan, DeclarePlan, FetchPlan, Plan
from seenby.session.access import Access
from seenby.session.meaning import Meaning, ask
from seenby.session.names import Names
from seenby.session.record import RecordFacts
from seenby.session.statements import Result, ServerStatement
from seenby.session.telling import Telling
from seenby.wire import frontend
from seenby.wire.framing import Message

if TYPE_CHECKING:
    from seenby.session.simple import Rest

REST = -1
"""The type of a message that no client can send: the statements of a Query message that had to wait."""


class Waiting(Telling):
    """The part of a Session that holds messages back; see session.py for its arguments."""

    def __init__(
        self, access: Access | None, facts: RecordFacts, clock: Callable[[], float], principal: str, meaning: Meaning
    ) -> None:
        super().__init__(access, facts, clock, principal, meaning)
        self.names = Names()
        self._held: deque[Message] = deque()
        self._stalled: ServerStatement | None = None
        self._full = False
        self._step: Callable[[], None] | None = None
        self._rest: Rest | None = None

    def send(self, data: bytes) -> None:
        self._out.to_server.append(data)

    def described(self, statement: ServerStatement) -> None:
        if self._stalled is statement:
            self._stalled = None

    def must_wait(self, plan: Plan) -> bool:
        """Whether ``plan`` waits until everything before it is answered (meaning.py).

        So does a cursor whose name is taken: what is not answered yet may have freed it. And FETCH of some rows, while
        it is not known how many OFFSET still skips.
        """
        if not self.pending:
            return False
        if isinstance(plan, (DeclarePlan, FetchPlan)):
            portal = self.names.portals.get(plan.name.encode())
            if isinstance(plan, DeclarePlan):
                return portal is not None
            return portal is not None and plan.count is not None and self.skipping(portal.result)
        return self.meaning.changed_by(plan)

    def skipping(self, result: Result | None) -> bool:
        """Rows that OFFSET skips were asked for and have not come yet: perhaps Postgres passes over the question."""
        return result is not None and result.skip > 0 and result.started and bool(self.pending)

    def in_step(self, plan: Plan) -> None:
        """``plan`` was sent. If it could change what texts mean, all that follows waits (meaning.py)."""
        if self.meaning.changed_by(plan):
            self.meaning.unsure = True
            ask(self)
            self.wait()
        elif self.meaning.unsure and isinstance(plan, ControlPlan):
            if plan.kind is ControlKind.ROLLBACK_TO or plan.sql.endswith("AND CHAIN"):
                ask(self)
            self.wait()

    def wait(self, message: Message | None = None) -> None:
        """Whatever the client sent behind this (and ``message`` first) waits until all before it is answered."""
        if self.pending and not self._full:
            self.send(frontend.flush())
            self._full = True
        if message is not None:
            self._held.appendleft(message)

    def go_on_with(self, step: Callable[[], None]) -> None:
        """``step`` is next when all that was asked is answered; if some of it failed, it is passed over."""
        if self._step is not None:
            raise Internal("two statements of one session are to go on at once")
        self._step = step
        self.wait()

    def stall(self, statement: ServerStatement, message: Message) -> None:
        """``message`` and all behind it wait until Postgres has described ``statement``."""
        self.send(frontend.flush())
        self._stalled = statement
        self._held.appendleft(message)

    def pause(self, rest: Rest, statement: ServerStatement | None = None) -> None:
        """The rest of a Query message waits: until Postgres has described ``statement``, or for all before it."""
        self._rest = rest
        if statement is not None:
            self.stall(statement, (REST, b""))
        else:
            self.wait((REST, b""))

    def take_rest(self) -> Rest | None:
        """What waited; None: a statement in front of it has failed."""
        rest, self._rest = self._rest, None
        failed, self._skipping = self._skipping, False
        return None if failed else rest

    @property
    def waits(self) -> bool:
        """What follows in a Query message has to wait."""
        return self._full

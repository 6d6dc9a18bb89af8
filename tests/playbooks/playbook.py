"""A tiny language for what a session does: events in, expected commands out, in order.

A play drives one Session without any I/O. Every event says the whole Outcome that must follow: what goes to Postgres,
to the ledger and to the client, nothing more and nothing less::

    play = Play({"select phone": PHONE})
    play.client(query("select phone")).server(parse("s1", PHONE.sql), describe("s1"), bind(...), execute(), sync())
    play.postgres(prepared("id", "phone"), rows(("42", "+44"))).client_sees(heading)
    ...
    play.recorded(1).client_sees(row("+44"), complete(1), ready("I"))

Client and server messages are compared message by message, so that a failure reads well.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from seenby.errors import NoGrant
from seenby.model.classes import DataClass
from seenby.model.disclosure import QueryDisclosure, RefusedAttempt
from seenby.model.grant import Cell, GrantTerms
from seenby.model.people import Person
from seenby.model.plan import Bound, ControlKind, ControlPlan, OutputKey, Plan, QueryPlan
from seenby.model.shape import Catalog, Shape
from seenby.session.access import Access, Usage
from seenby.session.outcome import Outcome
from seenby.session.record import RecordFacts
from seenby.session.session import Session
from seenby.wire import backend, frontend
from seenby.wire.backend import Field
from seenby.wire.framing import Framer

NOW = 1_795_303_800.25
GRANT = "6f" * 16
FACTS = RecordFacts({"grant": GRANT}, {"principal": {"name": "sam"}})

# ---------------------------------------------------------------- plans

PHONE_KEY = OutputKey("account", (("accounts.phone", DataClass.CONTACT),))


def exact(text: str, *, keys: Sequence[OutputKey] = (PHONE_KEY,), visible: int = 1, **more: Any) -> QueryPlan:
    """As the analysis would rewrite ``text``: person keys in front."""
    names = ", ".join(f"k{index}" for index in range(len(keys)))
    return QueryPlan(
        sql=f"rewritten({names}) {text}",
        bound=Bound.EXACT,
        visible=visible,
        keys=tuple(keys),
        companion=f"companion {text}",
        tables=("accounts",),
        columns=("accounts.phone",),
        classes=(DataClass.CONTACT,),
        **more,
    )


def upper(text: str, *, parameters: int = 0) -> QueryPlan:
    return QueryPlan(
        sql=f"rewritten {text}",
        bound=Bound.UPPER,
        visible=1,
        companion=f"companion {text}",
        parts=(("accounts.phone", DataClass.CONTACT),),
        tables=("accounts",),
        columns=("accounts.phone",),
        classes=(DataClass.CONTACT,),
        parameters=parameters,
    )


def nobody(text: str, *, visible: int = 1, **more: Any) -> QueryPlan:
    return QueryPlan(sql=f"rewritten {text}", bound=Bound.NOBODY, visible=visible, **more)


def control(kind: ControlKind, tag: str, sql: str = "", name: str = "") -> ControlPlan:
    return ControlPlan(kind, tag, sql or (tag if kind is not ControlKind.DEALLOCATE else ""), name)


BEGIN = control(ControlKind.BEGIN, "BEGIN")
COMMIT = control(ControlKind.COMMIT, "COMMIT")
ROLLBACK_TO = control(ControlKind.ROLLBACK_TO, "ROLLBACK", "ROLLBACK TO s")
SAVEPOINT = control(ControlKind.SAVEPOINT, "SAVEPOINT", "SAVEPOINT s")

# ---------------------------------------------------------------- what the client sends

query = frontend.query
parse = frontend.parse
bind = frontend.bind
execute = frontend.execute
sync = frontend.sync
flush = frontend.flush


def describe(name: bytes) -> bytes:
    return frontend.describe(b"S", name)


def describe_portal(name: bytes = b"") -> bytes:
    return frontend.describe(b"P", name)


def text_values(*values: str | None) -> bytes:
    """The middle of a Bind: all values as text."""
    parts = [struct.pack(">HH", 0, len(values))]
    for one in values:
        parts.append(struct.pack(">i", -1) if one is None else struct.pack(">i", len(one.encode())) + one.encode())
    return b"".join(parts)


# ---------------------------------------------------------------- what Postgres sends

PARSED, BOUND, CLOSED = backend.PARSE_DONE, backend.BIND_DONE, backend.CLOSE_DONE


def fields(*names: str) -> tuple[Field, ...]:
    return tuple(Field(name.encode(), 25, -1, -1) for name in names)


def heading(*names: str, formats: tuple[int, ...] = ()) -> bytes:
    return backend.row_description(fields(*names), formats)


def prepared(*names: str, oids: tuple[int, ...] = ()) -> bytes:
    """The answer to Parse and Describe."""
    return PARSED + backend.parameter_description(oids) + heading(*names)


def row(*values: str | bytes | None) -> bytes:
    parts = [struct.pack(">H", len(values))]
    for one in values:
        raw = one.encode() if isinstance(one, str) else one
        parts.append(struct.pack(">i", -1) if raw is None else struct.pack(">i", len(raw)) + raw)
    return backend.message(b"D", b"".join(parts))


def complete(tag: int | str) -> bytes:
    return backend.command_complete(f"SELECT {tag}" if isinstance(tag, int) else tag)


def failure(code: str, text: str = "text of Postgres with a value: +44 7700 900123", severity: str = "ERROR") -> bytes:
    return backend.message(b"E", f"S{severity}\0V{severity}\0C{code}\0M{text}\0Dkey (x)=(+44) is there\0\0".encode())


ready = backend.ready
suspended = backend.SUSPENDED_DONE

# ---------------------------------------------------------------- what is expected


@dataclass(frozen=True)
class Told:
    """An ErrorResponse for the client, by SQLSTATE and by words that its sentence holds."""

    code: str
    words: str = ""
    fatal: bool = False


def cut(data: bytes) -> list[bytes]:
    """Whole messages of either side."""
    framer = Framer(1 << 30)
    messages = [backend.message(bytes([kind]), body) for kind, body in framer.feed(data)]
    assert framer.pending == 0, "a message is cut in two"
    return messages


def error_of(message: bytes) -> dict[str, str]:
    assert message[:1] == b"E", f"not an error: {message!r}"
    return backend.read_report(message[5:])


def same_for_client(got: list[bytes], expected: Sequence[bytes | Told]) -> None:
    wanted: list[bytes | Told] = []
    for one in expected:
        wanted += cut(one) if isinstance(one, bytes) else [one]
    shown = [message if message[:1] != b"E" else error_of(message) for message in got]
    assert len(got) == len(wanted), f"the client sees {shown}"
    for message, want in zip(got, wanted, strict=True):
        if isinstance(want, bytes):
            assert message == want, f"the client sees {shown}"
        else:
            said = error_of(message)
            assert said["C"] == want.code, said
            assert want.words in said["M"], said
            assert (said["V"] == "FATAL") is want.fatal, said


@dataclass(frozen=True)
class Expected:
    """The Outcome of one event; each method checks and takes one part, ``done`` checks that nothing is left."""

    outcome: Outcome

    def server(self, *messages: bytes) -> Expected:
        assert cut(b"".join(self.outcome.to_server)) == cut(b"".join(messages))
        self.outcome.to_server.clear()
        return self

    def client_sees(self, *messages: bytes | Told) -> Expected:
        same_for_client(cut(b"".join(self.outcome.to_client)), messages)
        self.outcome.to_client.clear()
        return self

    def ledger(self, ticket: int, *people: str, rows: int, part: int = 0, final: bool = True) -> Expected:
        """The next thing for the ledger is a disclosure of these people."""
        got, item = self.outcome.records.pop(0)
        assert isinstance(item, QueryDisclosure), item
        assert (got, sorted(one.person for one in item.people)) == (ticket, sorted(people))
        assert (item.rows, item.part, item.final) == (rows, part, final)
        assert item.grant == bytes.fromhex(GRANT)
        return self

    def breach(self, ticket: int, text: str, *people: str, part: int = 0) -> Expected:
        """The next thing for the ledger names whom a breached cap tells about; it is not charged to the grant."""
        got, item = self.outcome.records.pop(0)
        assert isinstance(item, QueryDisclosure), item
        assert (got, sorted(one.person for one in item.people)) == (ticket, sorted(people))
        assert (item.rows, item.part, item.final, item.grant) == (0, part, True, bytes(16))
        record = json.loads(item.withheld)
        assert (record["statement"], record["sqlstate"]) == (text, "53400")
        return self

    def attempt(self, ticket: int, text: str, code: str) -> Expected:
        """The next thing for the ledger is a refused attempt."""
        got, item = self.outcome.records.pop(0)
        assert isinstance(item, RefusedAttempt), item
        record = json.loads(item.withheld)
        assert (got, record["statement"], record["sqlstate"]) == (ticket, text, code)
        return self

    def attribution(self, ticket: int, companion: str, oids: tuple[int, ...], values: bytes) -> Expected:
        one = self.outcome.attributions.pop(0)
        assert (one.ticket, one.companion, one.oids, one.values) == (ticket, companion, oids, values)
        return self

    def closes(self) -> Expected:
        assert self.outcome.close
        self.outcome.close = False
        return self

    def done(self) -> None:
        out = self.outcome
        left = (out.records, out.attributions, out.to_server, out.to_client, out.close)
        assert left == ([], [], [], [], False), left


class Play:
    """One session with these analysed texts. Every event first checks that the last one left nothing unexpected."""

    def __init__(
        self,
        plans: dict[str, Plan | tuple[Plan, ...]] | None = None,
        *,
        people: int = 1000,
        rows: int = 100_000,
        scope: tuple[Person, ...] | None = None,
        granted: bool = True,
    ) -> None:
        self.access = access(plans or {}, people=people, rows=rows, scope=scope)
        self.session = Session(
            access=self.access if granted else None,
            no_access=NoGrant("sam has no active grant", hint="ask for one"),
            facts=FACTS,
            clock=lambda: NOW,
            max_message=1 << 20,
            settings={},
        )
        self._last = Expected(Outcome())

    def _event(self, outcome: Outcome) -> Expected:
        self._last.done()
        if outcome.fault is not None:
            raise outcome.fault
        self._last = Expected(outcome)
        return self._last

    def client(self, *messages: bytes) -> Expected:
        return self._event(self.session.client_data(b"".join(messages)))

    def postgres(self, *messages: bytes) -> Expected:
        return self._event(self.session.server_data(b"".join(messages)))

    def recorded(self, ticket: int) -> Expected:
        return self._event(self.session.recorded(ticket))

    def attributed(self, ticket: int, people: list[str] | None) -> Expected:
        return self._event(self.session.attributed(ticket, people))

    def reads(self) -> bool:
        """Whether the session wants more from the client."""
        return self.session.wants_more

    def over(self) -> None:
        """The end of the play."""
        self._last.done()


def terms(people: int, rows: int, scope: tuple[Person, ...] | None) -> GrantTerms:
    return GrantTerms(
        id=GRANT,
        region="eu",
        principal="sam",
        country="IE",
        entity="Orbit Ireland Ltd",
        unit="Care",
        role="support",
        purpose="support",
        reference="ticket:1",
        cells=(Cell("contact", ("eu",)),),
        people=scope,
        not_before=int(NOW) - 60,
        not_after=int(NOW) + 1800,
        max_people=people,
        max_rows=rows,
        approvals=2,
        requested_at=int(NOW) - 90,
    )


NO_CATALOG = Catalog("1", *(frozenset[str](),) * 7, {})


def access(
    plans: dict[str, Plan | tuple[Plan, ...]],
    *,
    people: int = 1000,
    rows: int = 100_000,
    scope: tuple[Person, ...] | None = None,
) -> Access:
    """A grant whose statements are analysed already."""
    made = Access(
        terms(people, rows, scope),
        Shape("0" * 16, False, {}),
        NO_CATALOG,
        Usage(0, set(), lambda person: person.encode()),
        RecordFacts({}, {}),
    )
    for text, plan in plans.items():
        made.plans[text] = plan if isinstance(plan, tuple) else (plan,)
    return made

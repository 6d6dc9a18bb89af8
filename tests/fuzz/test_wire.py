"""Bytes from the network, random and mutated. The invariant, whatever comes:

- no event raises; a session carries on or closes, and a closed one says nothing more;
- no value of a row is shown before the ticket of its entry is durable;
- a message that only announces itself as huge takes no memory.

``SEENBY_CAMPAIGN=long`` runs twenty times as many.
"""

from __future__ import annotations

import random
import re
import tracemalloc
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seenby.errors import NoGrant, Refused
from seenby.model.disclosure import QueryDisclosure
from seenby.model.plan import (
    Constant,
    ControlKind,
    CopyForm,
    CopyPlan,
    DeclarePlan,
    ExecutePlan,
    FetchPlan,
    Plan,
    PreparePlan,
    RefusedPlan,
)
from seenby.session import results
from seenby.session.handshake import Handshake
from seenby.session.meaning import ASK
from seenby.session.outcome import Outcome
from seenby.session.session import Session
from seenby.wire import frontend
from seenby.wire.framing import Framer
from seenby.wire.startup import cancel_request, startup_message
from tests.fixtures.generated import LONG, SEED, generated
from tests.playbooks.playbook import (
    BEGIN,
    BOUND,
    CLOSED,
    COMMIT,
    FACTS,
    NOW,
    PARSED,
    ROLLBACK_TO,
    SAVEPOINT,
    access,
    bind,
    complete,
    control,
    cut,
    describe,
    describe_portal,
    exact,
    execute,
    failure,
    flush,
    nobody,
    parse,
    prepared,
    query,
    ready,
    row,
    suspended,
    sync,
    text_values,
    upper,
)

TEXTS: dict[str, Plan | tuple[Plan, ...]] = {
    "phones": exact("phones"),
    "phone of $1": exact("phone of $1", parameters=1),
    "page": exact("page", offset=2),
    "count": upper("count"),
    "count of $1": upper("count of $1", parameters=1),
    "one": nobody("one"),
    "two": (nobody("one"), exact("phones")),
    "begin": BEGIN,
    "commit": COMMIT,
    "savepoint": SAVEPOINT,
    "rollback to": ROLLBACK_TO,
    "show": control(ControlKind.SHOW, "SHOW", "SHOW x"),
    "empty": control(ControlKind.EMPTY, ""),
    "deallocate": control(ControlKind.DEALLOCATE, "DEALLOCATE", name="a"),
    "iban": RefusedPlan(Refused("no"), "iban"),
    "prepare": PreparePlan("a", exact("phone of $1", parameters=1)),
    "prepare count": PreparePlan("b", upper("count of $1", parameters=1)),
    "execute": ExecutePlan("a", (Constant("42", 23),)),
    "execute b": ExecutePlan("b", (Constant("42", 23),)),
    "prepare, execute": (
        PreparePlan("p", exact("phones")),
        ExecutePlan("p"),
        control(ControlKind.DEALLOCATE, "D", name="p"),
    ),
    "declare": DeclarePlan("c", exact("page", offset=2)),
    "declare one": DeclarePlan("c", nobody("one")),
    "declare of $1": DeclarePlan("c", exact("phone of $1", parameters=1)),
    "declare count": DeclarePlan("d", upper("count"), binary=True),
    "fetch": FetchPlan("c"),
    "fetch 2": FetchPlan("c", 2),
    "fetch all": FetchPlan("c", None),
    "fetch d": FetchPlan("d", 3),
    "move": FetchPlan("c", 2, move=True),
    "move all": FetchPlan("c", None, move=True),
    "close": control(ControlKind.CLOSE, "CLOSE CURSOR", 'CLOSE "c"', "c"),
    "close all": control(ControlKind.CLOSE, "CLOSE CURSOR ALL", "CLOSE ALL"),
    "declare, fetch": (DeclarePlan("e", exact("phones")), FetchPlan("e", 2), FetchPlan("e", None, move=True)),
    "copy": CopyPlan(exact("phones"), CopyForm()),
    "copy csv": CopyPlan(exact("page", offset=2), CopyForm("csv", b",", b"", header=True)),
    "copy binary": CopyPlan(upper("count"), CopyForm("binary")),
    "set": control(ControlKind.SET, "SET", "SET DateStyle TO 'x'", "datestyle"),
    "set, phones": (control(ControlKind.SET, "SET", "SET DateStyle TO 'x'", "datestyle"), exact("phones")),
    "set and back": (
        BEGIN,
        control(ControlKind.SET, "SET", "SET DateStyle TO 'x'", "datestyle"),
        exact("phones"),
        control(ControlKind.ROLLBACK, "ROLLBACK"),
    ),
    "set_config": nobody("set_config", changes="datestyle"),
    "discard": control(ControlKind.DISCARD, "DISCARD ALL", "RESET ALL", "all"),
    "rollback": control(ControlKind.ROLLBACK, "ROLLBACK"),
    "rollback and chain": control(ControlKind.ROLLBACK, "ROLLBACK", "ROLLBACK AND CHAIN"),
    "set, chain, phones": (
        BEGIN,
        control(ControlKind.SET, "SET", "SET DateStyle TO 'x'", "datestyle"),
        exact("phones"),
        control(ControlKind.ROLLBACK, "ROLLBACK", "ROLLBACK AND CHAIN"),
        exact("phones"),
    ),
}
OFTEN = [*TEXTS, *("phones", "set and back", "fetch", "declare", "set, chain, phones") * 5]
NAMES = [b"", b"a", b"b"]
CURSOR = re.compile(r"(FETCH|CLOSE|DECLARE) .*?\b(p\d+)(?:.* FOR (.*))?")


def client_message(pick: random.Random) -> bytes:
    name, other, text = pick.choice(NAMES), pick.choice(NAMES), pick.choice(OFTEN)
    return pick.choice(
        [
            query(text), query(text), parse(name, text), parse(name, text, (20,)), bind(name, other),
            bind(name, other, text_values("42")), bind(name, other, formats=(1,)), describe(name),
            describe_portal(name), execute(name), execute(name, 1), frontend.close(b"S", name),
            frontend.close(b"P", name), flush(), sync(), sync(), sync(),
            frontend.terminate() if pick.random() < 0.1 else sync(),
        ]
    )  # fmt: skip


def mutated(data: bytes, pick: random.Random) -> bytes:
    out = bytearray(data)
    for _ in range(pick.randrange(1, 4)):
        at = pick.randrange(len(out) + 1)
        match pick.randrange(4):
            case 0 if at < len(out):
                out[at] = pick.randrange(256)
            case 1:
                out[at:at] = pick.randbytes(pick.randrange(1, 6))
            case 2:
                del out[at : at + pick.randrange(1, 6)]
            case _:
                out[at:at] = out[: pick.randrange(20)]
    return bytes(out)


class Rehearsed:
    """Answers as Postgres would, from the bytes that the session sends; every row of a person has a value of its own.

    What the answers depend on is modelled: names of statements and portals and how long they live, the transaction's
    state, the skipping after an error. What it is asked is never more than that.
    """

    def __init__(self, pick: random.Random) -> None:
        self._pick = pick
        self._framer = Framer(1 << 20)
        self._statements: dict[bytes, str] = {}
        self._portals: dict[bytes, str] = {}
        self._skip = False
        self._block = "I"
        self._ran = False  # an Execute since the last Sync
        self._failed_alone = False  # an error outside of a block since the last Sync
        self._setting = self._before = self._saved = 0  # DateStyle: now, before the transaction, at the savepoint
        self._kept: set[bytes] = set()  # portals that the savepoint has
        self._meant: dict[bytes, int] = {}  # what each statement's constants mean
        self.values = 0

    def answer(self, data: bytes) -> bytes:
        return b"".join(self._one(kind, body) for kind, body in self._framer.feed(data))

    def _one(self, kind: int, body: bytes) -> bytes:
        if kind == frontend.SYNC:
            if self._block == "I":
                self._portals.clear()
                self._setting = self._before = self._before if self._failed_alone else self._setting
            self._skip = self._ran = self._failed_alone = False
            return ready(self._block)
        if self._skip or kind == frontend.FLUSH:
            return b""
        if self._pick.random() < 0.03:
            if kind in {frontend.PARSE, frontend.DESCRIBE}:
                return self._error("42P01", 'relation "x" does not exist')  # of the parse analysis, so it passes
            return self._error(self._pick.choice(["22012", "42883", "57014", "53200"]))
        match kind:
            case frontend.PARSE:
                message = frontend.read_parse(body)
                if message.text == "seenby refused the statement":
                    return self._error("42601", "syntax error")
                if self._failed(message.text):
                    return self._error("25P02")
                assert not message.name or message.name not in self._statements
                self._statements[message.name] = message.text
                self._meant[message.name] = self._setting
                return PARSED
            case frontend.DESCRIBE:
                text = self._statements.get(frontend.read_target(body)[1])
                if text is None or self._failed(text):
                    return self._error("26000" if text is None else "25P02")
                return prepared(*columns(text), oids=(23,) if "$1" in text else ())[len(PARSED) :]
            case frontend.BIND:
                bound = frontend.read_bind(body)
                text = self._statements.get(bound.statement)
                if text is None or self._failed(text):
                    return self._error("26000" if text is None else "25P02")
                if bound.portal and bound.portal in self._portals:
                    return self._error("42P03")
                self._portals[bound.portal] = text
                assert self._meant[bound.statement] == self._setting, "constants of another DateStyle"
                return BOUND
            case frontend.CLOSE:
                target, name = frontend.read_target(body)
                (self._statements if target == b"S" else self._portals).pop(name, None)
                return CLOSED
            case frontend.EXECUTE:
                text = self._portals.get(frontend.read_execute(body)[0])
                if text is None or self._failed(text):
                    return self._error("34000" if text is None else "25P02")
                answer = self._run(text)
                self._ran = True
                return answer
        raise AssertionError(f"the session asks Postgres {chr(kind)!r}")

    def _failed(self, text: str) -> bool:
        return self._block == "E" and text not in {"COMMIT", "ROLLBACK", "ROLLBACK TO s", "ROLLBACK AND CHAIN"}

    def _run(self, text: str) -> bytes:
        match text:
            case "BEGIN":
                self._block = "T"
                return complete("BEGIN")
            case "COMMIT" | "ROLLBACK":
                tag = "ROLLBACK" if self._block == "E" else text
                if tag == "ROLLBACK" and self._block != "I":
                    self._setting = self._before
                self._before = self._setting
                self._block = "I"
                self._portals.clear()
                return complete(tag)
            case "ROLLBACK AND CHAIN":
                if self._block == "I":
                    return self._error("25P01")
                self._setting = self._before
                self._block = "T"
                self._portals.clear()
                return complete("ROLLBACK")
            case "SAVEPOINT s" | "ROLLBACK TO s":
                if self._block == "I":
                    return self._error("25P01")
                self._block = "T"
                if text == "SAVEPOINT s":
                    self._saved, self._kept = self._setting, set(self._portals)
                else:
                    self._setting = self._saved
                    self._portals = {name: one for name, one in self._portals.items() if name in self._kept}
                return complete("SAVEPOINT" if text == "SAVEPOINT s" else "ROLLBACK")
            case "SET DateStyle TO 'x'" | "RESET ALL":
                self._setting = 0 if text == "RESET ALL" else self._pick.randrange(3)
                return complete(text.split()[0])
            case "CLOSE ALL":
                self._portals.clear()
                return complete("CLOSE CURSOR ALL")
        if text == ASK:
            return row("hex", str(self._setting), "1", "postgres", "UTC") + complete(1)
        if text == "rewritten set_config":
            self._setting = self._pick.randrange(3)
            return row("x") + complete(1)
        if found := CURSOR.match(text):
            return self._cursor(found[1], found[2].encode(), found[3], text)
        return self._rows(text)

    def _cursor(self, verb: str, name: bytes, query: str, text: str) -> bytes:
        if verb == "DECLARE":
            if self._block == "I" and not self._ran:
                return self._error("25P01")
            if name in self._portals:
                return self._error("42P03")
            self._portals[name] = query
            return complete("DECLARE CURSOR")
        if name not in self._portals:
            return self._error("34000")
        if verb == "CLOSE":
            del self._portals[name]
            return complete("CLOSE CURSOR")
        rows = self._rows(self._portals[name], suspend=False)
        return rows[: -len(complete(9))] + complete("FETCH 9")

    def _rows(self, text: str, *, suspend: bool = True) -> bytes:
        rows = b""
        for _ in range(self._pick.randrange(4)):
            self.values += 1
            key, value = b"%d" % self._pick.randrange(5), b"<value %d>" % self.values
            if text.startswith("SELECT NULL"):
                continue
            if text.startswith("companion"):
                rows += row(b"account", key)
            elif text.startswith("rewritten(k0)"):
                rows += row(key, value)
            else:
                rows += row(value if "count" in text else b"1")
        suspend = suspend and not text.startswith(("companion", "SELECT NULL"))
        return rows + (suspended if suspend and self._pick.random() < 0.1 else complete(9))

    def _error(self, code: str, text: str = "a value: +44 7700 900123") -> bytes:
        self._skip = True
        if self._block == "T":
            self._block = "E"
        self._failed_alone = self._failed_alone or self._block == "I"
        return failure(code, text)


def columns(text: str) -> tuple[str, ...]:
    if text.startswith(("companion", "SELECT NULL")):
        return ("kind", "key")
    return ("k0", "x") if text.startswith("rewritten(k0)") else ("x",)


class Watched:
    """A session, and what the invariant says of each of its outcomes."""

    def __init__(self, pick: random.Random, *, granted: bool = True) -> None:
        self.session = Session(
            access=access(dict(TEXTS), people=pick.choice([3, 1000]), rows=pick.choice([5, 1000])) if granted else None,
            no_access=NoGrant("no grant"),
            facts=FACTS,
            clock=lambda: NOW,
            max_message=100_000,
            settings={},
        )
        self.pick = pick
        self.closed = False
        self.waiting: list[int] = []
        self.attributions: list[int] = []
        self.recorded_rows = 0
        self.durable_rows = 0
        self.rows: dict[int, int] = {}
        self.shown_rows = 0
        self.messages: list[bytes] = []

    def seen(self, out: Outcome) -> bytes:
        """Checks one outcome; returns what goes to Postgres."""
        shown = b"".join(out.to_client)
        self.messages += cut(shown)
        if out.fault is not None and not isinstance(out.fault, UnicodeDecodeError):
            raise out.fault
        if self.closed:
            assert (out.to_client, out.to_server, out.records, out.close) == ([], [], [], False)
        for ticket, item in out.records:
            self.waiting.append(ticket)
            self.rows[ticket] = item.rows if isinstance(item, QueryDisclosure) else 0
        self.attributions += [one.ticket for one in out.attributions]
        self.shown_rows += shown.count(b"<value ")
        assert self.shown_rows <= self.durable_rows, "a row was shown before its entry was durable"
        assert b"+44 7700" not in shown, "a word of Postgres's error"
        self.closed = self.closed or out.close
        return b"".join(out.to_server)

    def settle(self, server: Rehearsed | None = None) -> None:
        """Some of what the ledger owes comes, in any order; and what that lets go to Postgres is answered."""
        self.pick.shuffle(self.waiting)
        for _ in range(self.pick.randrange(len(self.waiting) + 1)):
            ticket = self.waiting.pop()
            self.durable_rows += self.rows.pop(ticket)
            self.talk(self.session.recorded(ticket), server)
        while self.attributions and self.pick.random() < 0.7:
            ticket = self.attributions.pop()
            people = self.pick.choice([None, ["account:1"], ["account:1", "account:2", "account:3", "account:4"]])
            self.talk(self.session.attributed(ticket, people), server)

    def talk(self, out: Outcome, server: Rehearsed | None) -> None:
        sent = self.seen(out)
        while sent and server is not None:
            sent = self.seen(self.session.server_data(server.answer(sent)))


def ready_count(watched: Watched) -> int:
    return sum(message[:1] == b"Z" for message in watched.messages)


def runs(count: int) -> Iterator[random.Random]:
    for number in range(count * (20 if LONG else 1)):
        yield random.Random(f"{SEED}/{number}")


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "PART_BYTES", 60)


def test_conversations_in_order() -> None:
    """No mutation: whatever a client pipelines, the session and a well-behaved Postgres never lose each other.

    At the end every Sync and every Query has its ReadyForQuery, and nothing waits any more.
    """
    shown = answered = 0
    for pick in runs(600):
        watched, server = Watched(pick), Rehearsed(pick)
        sent: list[bytes] = []
        for _ in range(pick.randrange(1, 12)):
            some = [client_message(pick) for _ in range(pick.randrange(1, 8))]
            sent += some
            watched.talk(watched.session.client_data(b"".join(some)), server)
            watched.settle(server)
        watched.talk(watched.session.client_data(sync()), server)
        while watched.waiting or watched.attributions:
            watched.settle(server)
        shown += watched.shown_rows
        if watched.closed:
            told = watched.messages[-1] if watched.messages else b""
            known = b"beyond a cap of the grant" in told or b"which settings are in force" in told
            assert frontend.terminate() in sent or known, told
            continue
        assert not watched.session.pending
        assert watched.session.waiting == 0
        assert watched.session.wants_more
        syncs = 1 + sent.count(sync())
        queries = sum(one[:1] == b"Q" for one in sent)
        # After an error of the extended protocol a Query is skipped too, as Postgres does.
        assert syncs <= ready_count(watched) <= syncs + queries
        answered += ready_count(watched)
    assert shown > 100, "these conversations show something"
    assert answered > 400


def test_mutated_clients() -> None:
    for pick in runs(400):
        watched, server = Watched(pick, granted=pick.random() < 0.9), Rehearsed(pick)
        sent = b"".join(client_message(pick) for _ in range(pick.randrange(1, 12)))
        data = mutated(sent, pick)
        while data:
            size = pick.choice([1, 3, 20, 1000])
            watched.talk(watched.session.client_data(data[:size]), server)
            data = data[size:]
            watched.settle(server)


def test_mutated_servers() -> None:
    for pick in runs(400):
        watched, server = Watched(pick), Rehearsed(pick)
        sent = b"".join(client_message(pick) for _ in range(pick.randrange(1, 8))) + sync()
        to_server = watched.seen(watched.session.client_data(sent))
        answer = server.answer(to_server)
        data = mutated(answer, pick) if answer else b""
        while data:
            size = pick.choice([1, 3, 20, 1000])
            watched.seen(watched.session.server_data(data[:size]))
            data = data[size:]


def test_these_campaigns_would_notice_a_hasty_session(monkeypatch: pytest.MonkeyPatch) -> None:
    def hasty(self: Session, item: QueryDisclosure, data: bytes) -> None:
        self.emit(data)

    monkeypatch.setattr(Session, "record", hasty)
    with pytest.raises(AssertionError, match="before its entry was durable"):
        test_conversations_in_order()


@generated(150)
@given(st.binary(max_size=200), st.integers(1, 50))
def test_random_bytes_from_either_side(data: bytes, size: int) -> None:
    for feed in ("client", "server"):
        watched = Watched(random.Random(0))
        watched.seen(watched.session.client_data(query("phones")))
        event: Callable[[bytes], Outcome] = getattr(watched.session, feed + "_data")
        for at in range(0, len(data), size):
            watched.seen(event(data[at : at + size]))


def sign_in(pick: random.Random) -> Handshake:
    tls = pick.random() < 0.5
    server = Handshake(
        lambda _: None, secret=b"s", nonce="nonce", tls=tls, need_tls=tls and pick.random() < 0.5, binding=b"b"
    )
    if tls and pick.random() < 0.5:
        server.secured()
    return server


def test_mutated_sign_ins() -> None:
    first = b"n,,n=sam,r=clientnonce"
    good = [
        bytes.fromhex("00000008 04d2162f"),
        bytes.fromhex("00000008 04d21630"),
        cancel_request(7, b"keykeykey"),
        startup_message({"user": "sam", "options": "-c a=b"}, 0x0003_0002),
        frontend.password(b"SCRAM-SHA-256\0" + len(first).to_bytes(4, "big") + first),
        frontend.password(b"c=biws,r=clientnoncenonce,p=" + b"A" * 43 + b"="),
    ]
    for pick in runs(500):
        server = sign_in(pick)
        data = b"".join(pick.choice(good) if pick.random() < 0.3 else one for one in good[pick.randrange(4) :])
        if pick.random() < 0.8:
            data = mutated(data, pick)
        over = False
        while data:
            size = pick.choice([1, 8, 30, 500])
            for step in server.data(data[:size]):
                assert not over, "a connection that is closed answers"
                assert step.admitted is None
                over = step.close
            data = data[size:]


def test_a_huge_message_is_refused_when_it_is_announced() -> None:
    pick = random.Random(0)
    tracemalloc.start()
    try:
        for length in (100_001, 1 << 30, (1 << 32) - 1):
            watched = Watched(pick)
            watched.seen(watched.session.client_data(b"Q" + length.to_bytes(4, "big")))
            assert watched.closed
            server = Handshake(lambda _: None, secret=b"", nonce="n", tls=False, need_tls=False, binding=b"")
            assert server.data(length.to_bytes(4, "big"))[-1].close
        watched = Watched(pick)
        watched.seen(watched.session.client_data(b"Q" + (100_000).to_bytes(4, "big")))
        watched.seen(watched.session.server_data(b"T\x3f\xff\xff\xff"))
        assert not watched.closed
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()

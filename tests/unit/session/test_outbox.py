"""The outbox against a model: a list of everything in order, of which the longest durable head may be seen."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from seenby.session.outbox import Outbox
from tests.fixtures.generated import generated


def test_what_waits_holds_up_everything_behind_it() -> None:
    box = Outbox()
    box.emit(b"T")
    one, two = box.ticket(), box.ticket()
    box.hold(one, b"D")
    box.emit(b"C")
    box.hold(two, b"d")
    assert box.take() == [b"T"]
    box.durable(two)
    assert box.take() == []
    assert len(box) == 2
    box.durable(one)
    assert box.take() == [b"D", b"C", b"d"]
    box.emit(b"Z")
    assert box.take() == [b"Z"]


def test_a_place_that_is_kept_is_filled_later_in_front_of_what_followed() -> None:
    box = Outbox()
    ticket = box.ticket()
    box.hold(ticket)
    box.emit(b"Z")
    box.fill(ticket, b"E")
    box.durable(ticket)
    assert box.take() == [b"E", b"Z"]


def test_a_ticket_that_was_durable_before_its_bytes_came() -> None:
    box = Outbox()
    ticket = box.ticket()
    box.durable(ticket)
    box.hold(ticket, b"E")
    assert box.take() == [b"E"]


def test_muted_tells_nothing_and_keeps_the_order() -> None:
    box = Outbox()
    ticket = box.ticket()
    box.muted = True
    box.emit(b"C")
    box.hold(ticket, b"D")
    box.muted = False
    box.emit(b"Z")
    assert box.take() == []
    box.durable(ticket)
    assert box.take() == [b"Z"]


def test_cleared_means_never_shown() -> None:
    box = Outbox()
    ticket = box.ticket()
    box.emit(b"T")
    box.hold(ticket, b"D")
    box.clear()
    box.durable(ticket)
    assert box.take() == []


EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("emit"), st.integers(0, 9)),
        st.tuples(st.just("hold"), st.integers(0, 9)),
        st.tuples(st.just("durable"), st.integers(1, 9)),
    ),
    max_size=25,
)


@generated(120)
@given(EVENTS)
def test_like_the_model(events: list[tuple[str, int]]) -> None:
    box = Outbox()
    order: list[tuple[int, bytes]] = []  # (the ticket it waits for, 0: none; bytes)
    durable: set[int] = set()
    shown = b""
    for what, number in events:
        if what == "emit":
            box.emit(b"e%d" % number)
            order.append((0, b"e%d" % number))
        elif what == "hold":
            ticket = box.ticket()
            box.hold(ticket, b"h%d" % number)
            order.append((ticket, b"h%d" % number))
        elif number not in durable:
            durable.add(number)
            box.durable(number)
        shown += b"".join(box.take())
        visible = b""
        for ticket, data in order:
            if ticket and ticket not in durable:
                break
            visible += data
        assert shown == visible

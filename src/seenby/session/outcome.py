"""What a session asks the driver to do after an event. The session itself does no I/O."""

from __future__ import annotations

from dataclasses import dataclass, field

from seenby.model.disclosure import QueryDisclosure, RefusedAttempt


@dataclass(frozen=True, slots=True)
class Attribution:
    """Run ``companion`` on a connection of its own: a run-time error told something about these people.

    ``oids`` are the parameters' types as the failed statement had them; ``values`` as in Bind; ``settings`` those in
    force when it failed. The driver answers with ``Session.attributed(ticket, people or None)``.
    """

    ticket: int
    companion: str
    oids: tuple[int, ...]
    values: bytes
    settings: dict[str, str]


@dataclass(slots=True)
class Outcome:
    """Commands, to be carried out in this order: records first, then bytes.

    Attributes:
        records: (ticket, item) for the ledger; the driver answers with ``Session.recorded(ticket)`` when durable.
        attributions: see Attribution.
        to_server: bytes for Postgres; the driver opens the link when there are any and no link is there.
        to_client: bytes that may be shown now: whatever they show is durably recorded.
        close: end both sides after sending ``to_client``.
        fault: what ended the session, if it was our own mistake; for the gateway's log.
    """

    records: list[tuple[int, QueryDisclosure | RefusedAttempt]] = field(default_factory=list)
    attributions: list[Attribution] = field(default_factory=list)
    to_server: list[bytes] = field(default_factory=list)
    to_client: list[bytes] = field(default_factory=list)
    close: bool = False
    fault: Exception | None = None

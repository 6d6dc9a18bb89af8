"""What a change waits for from Postgres beside its own rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from seenby.errors import ProtocolError
from seenby.session.expect import Item, Ready
from seenby.wire import backend

if TYPE_CHECKING:
    from seenby.session.session import Session


class Before(Ready):
    """The Sync that ends what the client's Parse began: nothing was done in it."""

    __slots__ = ()

    def on(self, session: Session, kind: int, body: bytes) -> bool:
        if kind != backend.READY or body != b"I":
            raise ProtocolError("a change began inside of another transaction")
        session.names.transaction_ended(session.batch)
        return True


class Undone(Item):
    """The error that takes a change back."""

    __slots__ = ()

    def failed(self, session: Session, fields: dict[str, str]) -> None:
        """It is ours."""


class Lookup(Item):
    """Whom a change that finds no row was about, asked in its transaction: ``1``, ``2``, rows (kind, key), ``C``."""

    __slots__ = ("_people", "_refused", "_then")

    def __init__(self, then: Callable[[list[str]], None], refused: Callable[[dict[str, str]], None]) -> None:
        self._people: list[str] = []
        self._then = then
        self._refused = refused

    def on(self, session: Session, kind: int, body: bytes) -> bool:
        if kind == backend.DATA_ROW:
            person_kind, key = backend.read_values(body)
            if person_kind is None or key is None:
                raise ProtocolError("Postgres sent a person without a key")
            self._people.append(f"{person_kind.decode()}:{key.decode()}")
            return False
        if kind in {backend.PARSE_COMPLETE, backend.BIND_COMPLETE}:
            return False
        if kind != backend.COMMAND_COMPLETE:
            return super().on(session, kind, body)
        self._then(self._people)
        return True

    def failed(self, session: Session, fields: dict[str, str]) -> None:  # noqa: ARG002
        self._refused(fields)

"""What is prepared and bound on one session: the client's names, and Postgres's statements behind them."""

from __future__ import annotations

from collections.abc import Mapping

from seenby.errors import ServerError
from seenby.model.plan import ControlKind, ControlPlan, QueryPlan
from seenby.session.statements import ClientStatement, Portal, Result, ServerStatement

MAX_SERVER_STATEMENTS = 500
MAX_STATEMENTS = 5000
"""Statements that one client may keep prepared."""
MAX_PORTALS = 1000


class Names:
    """Client statements and portals by name, server statements by (rewritten text, parameter types).

    Several names of a client may stand for one statement of Postgres, which is prepared once a session.
    """

    __slots__ = ("_made", "_opened", "_outdated", "_savepoints", "_server", "portals", "statements")

    def __init__(self) -> None:
        self.statements: dict[bytes, ClientStatement] = {}
        self.portals: dict[bytes, Portal] = {}
        self._server: dict[tuple[str, tuple[int, ...]], ServerStatement] = {}
        self._outdated: list[ServerStatement] = []
        self._made = 0
        self._opened = 0  # portals, so far
        self._savepoints: list[tuple[str, int]] = []  # name, and how many portals had been opened

    # Postgres's statements

    def server(self, text: str, oids: tuple[int, ...]) -> ServerStatement | None:
        """The statement of Postgres for this text and these types, if there is one."""
        return self._server.get((text, oids))

    def new_server(self, plan: QueryPlan, oids: tuple[int, ...]) -> ServerStatement:
        """A statement that Postgres is about to be asked to prepare."""
        self._made += 1
        key = (plan.sql, oids)
        # A star over the catalog, which has no keys, has as many columns as Postgres says.
        width = len(plan.keys) + plan.visible
        statement = ServerStatement(b"s%d" % self._made, key, len(plan.keys), width or None)
        self._server[key] = statement
        return statement

    def evict(self) -> list[ServerStatement]:
        """For the caller to close: what is outdated; of too many, the oldest without a name of the client too."""
        outdated, self._outdated = self._outdated, []
        if len(self._server) < MAX_SERVER_STATEMENTS:
            return outdated
        used = {id(one.server) for one in self.statements.values()}
        oldest = list(self._server.values())[: MAX_SERVER_STATEMENTS // 4]
        unused = [one for one in oldest if id(one) not in used]
        for one in unused:
            del self._server[one.key]
        return outdated + unused

    def is_current(self, statement: ServerStatement) -> bool:
        """Postgres still has it, with constants that mean what they mean now."""
        return self._server.get(statement.key) is statement

    def outdate(self) -> None:
        """Constants mean something else now: all statements are prepared anew when they are used next."""
        self._outdated += self._server.values()
        self._server.clear()

    def forget_server(self, statement: ServerStatement) -> None:
        """Postgres refused to prepare it, or skipped it."""
        if self._server.get(statement.key) is statement:
            del self._server[statement.key]
        self.forget_names_of(statement)

    # the client's names

    def full_statements(self) -> ServerError | None:
        """Why no further statement can be prepared, or None."""
        if len(self.statements) < MAX_STATEMENTS:
            return None
        return ServerError(
            f"more than {MAX_STATEMENTS} prepared statements", code="53400", hint="close those not needed any more"
        )

    def full_portals(self) -> ServerError | None:
        """Why no further portal or cursor can be opened, or None."""
        if len(self.portals) < MAX_PORTALS:
            return None
        return ServerError(f"more than {MAX_PORTALS} open portals", code="53400", hint="close some")

    def forget_names_of(self, statement: ServerStatement) -> None:
        """The client was never told that it is prepared, under whatever names."""
        for name in [name for name, one in self.statements.items() if one.server is statement]:
            del self.statements[name]

    def forget_name(self, name: bytes, statement: ClientStatement) -> None:
        """``name`` stands for ``statement`` no more; if it stands for another one by now, it stays."""
        if self.statements.get(name) is statement:
            del self.statements[name]

    @property
    def opened(self) -> int:
        """How many portals were opened so far, which is the number of the newest."""
        return self._opened

    def open(
        self, name: bytes, statement: ClientStatement, formats: tuple[int, ...], result: Result | None, batch: int
    ) -> Portal:
        """A portal that the client calls ``name``, with a name of its own in Postgres."""
        self._opened += 1
        own = b"p%d" % self._opened if name else b""
        portal = self.portals[name] = Portal(statement, formats, result, batch, own, self._opened)
        return portal

    def reopen(self, closed: Mapping[bytes, Portal]) -> None:
        """They were not closed after all, but for names that stand for something else by now."""
        self.portals = {**closed, **self.portals}

    def unbind(self, name: bytes, portal: Portal) -> None:
        """The Bind of ``portal`` failed."""
        if self.portals.get(name) is portal:
            del self.portals[name]

    def take_unnamed_portal(self) -> None:
        """We are about to use it ourselves, so the client's is gone."""
        portal = self.portals.get(b"")
        if portal is not None and portal.result is not None:
            del self.portals[b""]

    def transaction_ended(self, batch: int) -> None:
        """Portals live as long as their transaction; those bound after the Sync of ``batch`` belong to a later one."""
        self._savepoints.clear()
        if self.portals:
            self.portals = {name: one for name, one in self.portals.items() if one.batch > batch}

    def controlled(self, plan: ControlPlan, opened: int) -> None:
        """Postgres has carried out ``plan``, sent when ``opened`` portals had been opened: which of them are gone?

        This decides only whether a name counts as taken; a portal that is gone in Postgres is an error there.
        """
        inside = self._savepoints
        match plan.kind:
            case ControlKind.SAVEPOINT:
                inside.append((plan.name, opened))
            case ControlKind.COMMIT | ControlKind.ROLLBACK:
                inside.clear()
                self._gone(0, opened)
            case ControlKind.RELEASE | ControlKind.ROLLBACK_TO:
                while inside and inside[-1][0] != plan.name:
                    inside.pop()
                if plan.kind is ControlKind.RELEASE:
                    del inside[-1:]
                elif inside:
                    self._gone(inside[-1][1], opened)

    def _gone(self, after: int, last: int) -> None:
        self.portals = {name: one for name, one in self.portals.items() if not after < one.number <= last}

"""SQLAlchemy 2: Core, a session of the ORM that reads, and the inspector over every table, with three drivers."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from tests.conformance.clients.checks import ERRORS, HIDDEN, KEYS, PARAMETERS, TABLES, WRITE, Attempts
from tests.conformance.clients.matrix import DIFFERENCES, check_client
from tests.conformance.clients.side import Outcomes, Side, Sides, compare

pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("clients")]


class Base(DeclarativeBase):
    pass


class Account(Base):
    __tablename__ = "accounts"
    id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True)
    handle: Mapped[str]
    videos: Mapped[list[Video]] = relationship(back_populates="account", order_by="Video.id")


class Video(Base):
    __tablename__ = "videos"
    id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True)
    account_id: Mapped[int] = mapped_column(sa.ForeignKey("accounts.id"))
    caption: Mapped[str]
    account: Mapped[Account] = relationship(back_populates="videos")


def engine(driver: str, side: Side) -> sa.Engine:
    arguments: dict[str, Any] = {"host": side.host, "port": side.port, "user": side.user, "password": side.password}
    if driver == "pg8000":
        arguments |= {"database": side.database, "ssl_context": side.tls}
    else:
        arguments |= {"dbname": side.database}
        if side.authority:
            arguments |= {"sslmode": "verify-full", "sslrootcert": str(side.authority)}
    return sa.create_engine(f"postgresql+{driver}://", connect_args=arguments)


def reflection(inspector: sa.Inspector) -> dict[str, Any]:
    """All that the inspector can tell."""
    told: dict[str, Any] = {
        "schemas": inspector.get_schema_names(),
        "tables": sorted(inspector.get_table_names()),
        "views": inspector.get_view_names(),
        "materialized views": inspector.get_materialized_view_names(),
        "sequences": inspector.get_sequence_names(),
        "temporary tables": inspector.get_temp_table_names(),
        "enums": inspector.get_enums(),  # type: ignore[attr-defined]
        "domains": inspector.get_domains(),  # type: ignore[attr-defined]
        "is there": [inspector.has_table(name) for name in ("accounts", "nothing_such", "pg_class")],
    }
    for what in (
        "columns", "pk_constraint", "foreign_keys", "indexes", "unique_constraints", "check_constraints",
        "table_comment", "table_options",
    ):  # fmt: skip
        found = getattr(inspector, f"get_multi_{what}")()
        told[what] = [[name, repr(one)] for name, one in sorted(found.items(), key=lambda item: str(item[0]))]
    return told


def checks(driver: str, side: Side) -> Outcomes:
    attempt = Attempts(sa.exc.DBAPIError, lambda error: _code(error.orig))
    made = engine(driver, side)
    try:
        with made.connect() as connection:

            def rows(text: str, value: Any = None) -> Any:
                bound = sa.text(text.replace("::", "\\:\\:").replace("$1", ":value", 1))
                try:
                    return [
                        list(row)
                        for row in connection.execute(bound, {"value": value} if ":value" in str(bound) else {})
                    ]
                finally:
                    connection.rollback()

            attempt("sign in", lambda: [made.dialect.server_version_info, made.dialect.default_schema_name])
            attempt(
                "column types",
                lambda: [rows(f"SELECT * FROM {table} ORDER BY 1, 2 LIMIT 20") for table in TABLES],
            )
            attempt("parameters", lambda: [rows(text, value) for text, value in PARAMETERS])
            attempt("errors", lambda: attempt.codes(rows, ERRORS))
            attempt("change", lambda: rows(WRITE))
            attempt("hidden column", lambda: rows(HIDDEN))

        def core() -> Any:
            accounts = sa.Table("accounts", sa.MetaData(), autoload_with=made)
            wanted = sa.select(accounts.c.handle, accounts.c.settings).where(accounts.c.id.in_(KEYS)).order_by("handle")
            with made.connect() as connection:
                return [list(row) for row in connection.execute(wanted)]

        def orm() -> Any:
            with Session(made) as session:
                wanted = sa.select(Account).where(Account.id.in_(KEYS)).order_by(Account.id)
                told = [[one.handle, [video.caption for video in one.videos]] for one in session.scalars(wanted)]
                joined = sa.select(Account).options(sa.orm.selectinload(Account.videos)).order_by(Account.id).limit(5)
                told += [[one.handle, [str(len(one.videos))]] for one in session.scalars(joined)]
                return [told, session.scalar(sa.select(sa.func.count()).select_from(Video).join(Video.account))]

        def portions() -> Any:
            with made.connect().execution_options(yield_per=7) as connection:
                return [list(row) for row in connection.execute(sa.text("SELECT id FROM videos ORDER BY id LIMIT 50"))]

        def isolation() -> Any:
            with made.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
                return connection.execute(sa.text("SELECT count(*) FROM accounts")).scalar()

        attempt("catalogue", lambda: reflection(sa.inspect(made)))
        attempt("queries it writes", core)
        attempt("ORM", orm)
        attempt("rows in portions", portions)
        attempt("its own transactions", isolation)
    finally:
        made.dispose()
    return attempt.found


def _code(error: Any) -> str:
    return str(error.sqlstate if hasattr(error, "sqlstate") else error.args[0]["C"])


@pytest.mark.parametrize("driver", ["psycopg", "pg8000"])
def test_the_same_checks_directly_and_through_the_gateway(sides: Sides, driver: str) -> None:
    client = f"SQLAlchemy ({driver})"
    found = compare(sides, lambda side: checks(driver, side), DIFFERENCES[client])
    check_client(client, found)

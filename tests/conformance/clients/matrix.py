"""Which client does what through Seenby: stated here, held against the clients by the tests beside, written as a page.

``docs/guide/clients.md`` is what ``page()`` makes; after a change, ``SEENBY_RECORD=1`` with test_page.py writes it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from tests.conformance.clients.side import Differs, Outcomes

CHANGE = "a grant only reads, unless it says which columns may change; the words and the SQLSTATE are Seenby's (42501)"
HIDDEN = "a column that the grant does not show is refused by name, with how to ask for it (42501), as if it were there"

READS_ONLY = {
    "change": Differs(CHANGE, ["error", "25006"], ["error", "42501"]),
    "hidden column": Differs(HIDDEN, ["error", "42703"], ["error", "42501"]),
}

MASKED = "a masked column holds the mask of the data map, to every client"
MASKS = READS_ONLY | {
    "masked column": Differs(
        MASKED,
        [["clara.novak", "+33639980021", "Clara Novak", "2007-06-22"]],
        [["clara.novak", "+33639980021", "C***", "2007-01-01"]],
    )
}

FEATURES = {
    "sign in": "TLS with a checked certificate, SCRAM, what is asked at connect",
    "column types": "every column type of the demo's schema, text and binary",
    "parameters": "typed parameters",
    "prepared statements": "one statement, prepared once, run ten times",
    "errors": "SQLSTATEs of seven mistakes",
    "transactions": "BEGIN, savepoints, an error in between, ROLLBACK TO, COMMIT",
    "its own transactions": "transactions as the client or its ORM begins them",
    "rows in portions": "server-side cursors, fetch sizes",
    "pipeline or batch": "several statements on their way at once, or in one message",
    "COPY TO STDOUT": "COPY (query) TO STDOUT as CSV, through the client's own interface",
    "cancel": "a statement is cancelled, the session goes on",
    "pool": "a connection pool with its own reset",
    "catalogue": "tables, columns, keys, indexes, types as the client asks for them",
    "completion": "what completes names",
    "meta-commands": r"\g \gx \gexec \gset \bind \watch \crosstabview \copy and their like",
    "queries it writes": "queries that its query builder makes",
    "ORM": "objects and their relations, read",
    "cursor WITH HOLD": "a cursor that outlives its transaction",
    "change": "UPDATE",
    "hidden column": "a column that the grant does not show",
    "masked column": "a column that it masks",
}
"""In the order of the page, with what is done."""


@dataclass(frozen=True, slots=True)
class Client:
    """Attributes:
    version: tested with this one or a newer one.
    features: what of FEATURES its test does.
    connect: how, as a person writes it.
    differences: features that differ on purpose.
    """

    version: str
    features: str
    connect: str
    differences: dict[str, Differs] = field(default_factory=lambda: READS_ONLY)

    @property
    def does(self) -> tuple[str, ...]:
        return tuple(name.strip() for name in self.features.split(","))


_PYTHON = (
    "sign in, column types, parameters, prepared statements, errors, transactions, rows in portions, COPY TO STDOUT,"
    " change, hidden column, its own transactions"
)
_SQLALCHEMY = (
    "sign in, column types, parameters, errors, change, hidden column, catalogue, queries it writes, ORM,"
    " rows in portions, its own transactions"
)
_TOOL = "sign in, catalogue, change, hidden column"
_HOLD = Differs(
    "Django's iterator() outside a transaction declares its cursor WITH HOLD, which is refused: use"
    " transaction.atomic(), or DISABLE_SERVER_SIDE_CURSORS",
    50,
    ["error", "0A000"],
)

CLIENTS = {
    "psql": Client(
        "18",
        "sign in, errors, transactions, rows in portions, COPY TO STDOUT, catalogue, completion, meta-commands, change,"
        " hidden column",
        'psql "host=HOST port=5433 dbname=platform user=aoife.byrne sslmode=verify-full sslrootcert=ca.crt"',
        {
            "change": Differs(CHANGE, ["25006"], ["42501"]),
            "hidden column": Differs(HIDDEN, ["42703"], ["42501"]),
        },
    ),
    "pgcli": Client(
        "4.7",
        "sign in, errors, completion, meta-commands",
        'pgcli "postgresql://aoife.byrne@HOST:5433/platform?sslmode=verify-full&sslrootcert=ca.crt"',
        {},
    ),
    "psycopg": Client(
        "3.3",
        _PYTHON + ", masked column, pipeline or batch, cancel, catalogue",
        'psycopg.connect("host=HOST port=5433 dbname=platform user=aoife.byrne sslmode=verify-full ...")',
        MASKS,
    ),
    "psycopg (asyncio)": Client(
        "3.3", "column types, rows in portions, cancel", "await psycopg.AsyncConnection.connect(the same)", {}
    ),
    "asyncpg": Client(
        "0.32",
        _PYTHON + ", masked column, pipeline or batch, cancel, catalogue, pool",
        'await asyncpg.create_pool(host="HOST", port=5433, user="aoife.byrne", database="platform", ssl=context)',
        MASKS,
    ),
    "pg8000": Client(
        "1.31",
        _PYTHON + ", masked column",
        'pg8000.dbapi.connect("aoife.byrne", host="HOST", port=5433, database="platform", ssl_context=context)',
        MASKS,
    ),
    "SQLAlchemy (psycopg)": Client(
        "2.1",
        _SQLALCHEMY,
        'create_engine("postgresql+psycopg://aoife.byrne@HOST:5433/platform?sslmode=verify-full&sslrootcert=ca.crt")',
    ),
    "SQLAlchemy (pg8000)": Client(
        "2.1",
        _SQLALCHEMY,
        'create_engine("postgresql+pg8000://aoife.byrne@HOST:5433/platform", connect_args={"ssl_context": context})',
    ),
    "Django": Client(
        "5.2",
        "sign in, catalogue, parameters, queries it writes, ORM, rows in portions, cursor WITH HOLD,"
        " its own transactions, change, hidden column",
        '"ENGINE": "django.db.backends.postgresql", "HOST": "HOST", "OPTIONS": {"sslmode": "verify-full"}, ...',
        READS_ONLY | {"cursor WITH HOLD": _HOLD},
    ),
    "node-postgres": Client(
        "8.23.1",
        _PYTHON + ", pipeline or batch, cancel, pool",
        'new pg.Pool({host: "HOST", port: 5433, user: "aoife.byrne", database: "platform", ssl: {ca}})',
    ),
    "pgjdbc": Client(
        "42.7.14",
        _PYTHON + ", cancel, catalogue",
        "jdbc:postgresql://HOST:5433/platform?user=aoife.byrne&sslmode=verify-full&sslrootcert=ca.crt",
    ),
    "pgx": Client(
        "5.13.0",
        _PYTHON + ", pipeline or batch, cancel, pool",
        'pgxpool.New(ctx, "postgres://aoife.byrne@HOST:5433/platform?sslmode=verify-full&sslrootcert=ca.crt")',
    ),
    "pgAdmin 4": Client("9", _TOOL, "as a server: host, port, maintenance database `platform`, SSL mode verify-full"),
    "DBeaver": Client("24", _TOOL, "as pgjdbc, whose settings it takes"),
    "Metabase": Client("0.58", _TOOL, "as a PostgreSQL database, with SSL"),
}

DIFFERENCES = {name: client.differences for name, client in CLIENTS.items()}
VERSIONS = {name: client.version for name, client in CLIENTS.items()}


def check_client(name: str, found: Outcomes, *, but: Collection[str] = ()) -> None:
    """The test did what the matrix says, apart from what another test of the same client does."""
    assert sorted(found) == sorted(set(CLIENTS[name].does) - set(but))
    assert set(found) <= set(FEATURES)


def page() -> str:
    """docs/guide/clients.md."""
    reasons = list(dict.fromkeys(one.why for client in CLIENTS.values() for one in client.differences.values()))

    def cell(client: Client, feature: str) -> str:
        if feature not in client.does:
            return ""
        stated = client.differences.get(feature)
        return "same" if stated is None else f"({reasons.index(stated.why) + 1})"

    table = ["| | " + " | ".join(CLIENTS) + " |", "|---|" + "---|" * len(CLIENTS)]
    table += ["| tested with | " + " | ".join(client.version for client in CLIENTS.values()) + " |"]
    for feature in FEATURES:
        table.append(f"| {feature} | " + " | ".join(cell(client, feature) for client in CLIENTS.values()) + " |")
    return _PAGE.format(
        table="\n".join(table),
        reasons="\n".join(f"{i}. {why[0].upper() + why[1:]}." for i, why in enumerate(reasons, 1)),
        features="\n".join(f"- **{name}**: {what}" for name, what in FEATURES.items()),
        connect="\n".join(f"| {name} | {_code(client.connect)} |" for name, client in CLIENTS.items()),
    )


def _code(text: str) -> str:
    return text if text.startswith("as ") else "`" + text.replace("|", "\\|") + "`"


_PAGE = """\
# Clients

<!-- Made by tests/conformance/clients/matrix.py; tests hold the table against the clients. -->

Seenby speaks PostgreSQL's wire protocol, so clients stay as they are: the same program, another host and port. This
page says which ones are tested, what is the same, and what differs on purpose.

## How it is tested

Each client runs the same checks twice: directly, on a copy of the database that physically holds only what the grant
shows, and through the gateway, over TCP with TLS (psql: over a unix socket). All that the client makes of the answers
must be equal: rows, names, types, SQLSTATEs, what its catalogue interface tells. That is what **same** means. Where
it differs, the table gives the number of the reason, and the test holds both answers. Empty: the client has no such
thing, or another test stands for it. Versions are the oldest that passed; tests take what is installed, if newer.

pgAdmin, DBeaver and Metabase are tested by what they ask: queries that they send at connect and when a table is
browsed, after their public sources. Their drivers (psycopg, pgjdbc) are tested by themselves.

{table}

{reasons}

What is done:

{features}

## How to connect

Whoever has one active grant says nothing more. With several, the session says which one it uses:
`options='-c seenby.grant=ID'` (libpq, JDBC, pgx: `options`; asyncpg: `server_settings={{"seenby.grant": "ID"}}`).

| client | |
|---|---|
{connect}

## What the catalogue tells

Clients ask the catalogue before anything else, and get the one of the grant:

- Tables, columns, types, NOT NULL, keys, foreign keys and plain indexes of what the grant shows. Constraints and
  indexes have the names that Postgres would choose by itself.
- Of everything else, what initdb made: functions, operators, casts, collations, time zones.
- No comments, defaults, checks, identity, texts of views and functions, sizes, estimates, statistics, triggers,
  policies, extensions: such relations are there and empty, such functions answer NULL.
- One role, one database, one session: the client's own. `current_user` is the role of the grant, not the name that
  signed in; everything belongs to `seenby`.
- `pg_authid`, `pg_statistic`, `pg_hba_file_rules` and their like are refused.

Of the 110 commands of psql that are compared, these print something else than on such a copy: `\\l` `\\du` `\\dg`
`\\drg` `\\drds` `\\conninfo` (one role, one database), `\\dx` `\\dconfig` `\\dnS` `\\dS` (a shorter list), `\\sv`
`\\df+` (no texts), `\\d pg_class` (no indexes of the catalogue). Everywhere the owner is `seenby`, and sizes and
descriptions are empty.
"""

"""Who the people are, page by page out of the platform's database, as its data map says."""

from __future__ import annotations

from psycopg import sql as raw

from seenby.datamap.model import PersonKind
from seenby.guard.quote import ident, literal, qualified
from seenby.stores.userdb import UserDatabase


async def count_people(database: UserDatabase, kind: PersonKind) -> int:
    """How many people of this kind there are now. Raises Unavailable, ConfigError."""
    number = f"count({'' if kind.account else 'DISTINCT '}{ident(kind.key)})"
    async with database.as_owner() as connection:
        cursor = await connection.execute(raw.SQL(f"SELECT {number} FROM {qualified(*kind.table)}"))
        row = await cursor.fetchone()
        return int(row[0]) if row else 0


async def people_after(database: UserDatabase, kind: PersonKind, after: str | None, limit: int) -> list[str]:
    """The next ``limit`` keys in the order of the key, behind ``after`` (None: from the first), as Postgres prints.

    People without an account are mentioned any number of times; each is named once. Raises Unavailable, ConfigError.
    """
    key = ident(kind.key)
    # An untyped literal takes the column's type, so that the index serves this.
    behind = f" AND {key} > {literal(after)}" if after is not None else ""
    distinct = "" if kind.account else "DISTINCT "
    query = (
        f"SELECT found.key::text FROM (SELECT {distinct}{key} AS key FROM {qualified(*kind.table)}"
        f" WHERE {key} IS NOT NULL{behind} ORDER BY {key} LIMIT {limit}) AS found ORDER BY found.key"
    )
    async with database.as_owner() as connection:
        cursor = await connection.execute(raw.SQL(query))
        return [row[0] for row in await cursor.fetchall()]

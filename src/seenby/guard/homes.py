"""Where somebody is at home, as SQL: their region's column, their country's, or one region for all of them."""

from __future__ import annotations

from seenby.datamap import DatabaseFacts, PersonKind
from seenby.guard.quote import ident, literal, literals

TEXT_TYPES = frozenset({"text", "varchar"})


def home_region(kind: PersonKind, facts: DatabaseFacts, alias: str) -> str:
    """The home region as text; NULL where nobody knows it, which is in no grant's regions.

    Args:
        alias: what the people's table is called.
    """
    if kind.home_column is None:
        return literal(kind.region or "")
    fact = facts.tables[kind.table].columns[kind.home_column]
    column = f"{alias}.{ident(kind.home_column)}"
    text = column if fact.base_name in TEXT_TYPES else f"{column}::text"
    if kind.countries is None:
        return text
    code = f'pg_catalog.upper({text} COLLATE pg_catalog."C")'
    listed = " ".join(
        f"WHEN {code} IN ({literals(codes)}) THEN {literal(region)}" for region, codes in kind.countries.regions
    )
    rest = f" ELSE {literal(kind.countries.rest)}" if kind.countries.rest else ""
    return f"CASE {listed}{rest} END"

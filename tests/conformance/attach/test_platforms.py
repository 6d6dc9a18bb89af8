"""Whose data is where, on platforms of other people's style: each table's owners as a person who knows it would say.

The files under ``schemas`` say what is right. The bars: no table wrong (asked is not wrong), at least 90 % right
without being asked, no personal column harmless, at most 15 questions, a map that loads, the same map every time.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from seenby.attach.asking import SHOWN
from seenby.attach.proposal import Proposal, ProposedTable
from seenby.attach.propose import propose
from seenby.attach.write import to_toml
from seenby.datamap import parse
from seenby.model.classes import DataClass
from tests.conformance.attach.conftest import NAMES, Platform

pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("attach")]


def steps(table: ProposedTable) -> set[str] | str:
    """As the schemas' files write it."""
    if table.refused:
        return "ask"
    if table.nobody:
        return "nobody"
    return {">".join((*(hop.column for hop in owner.hops), owner.column)) for owner in table.owners}


def by_name(proposal: Proposal) -> dict[str, ProposedTable]:
    return {str(name): table for name, table in proposal.tables.items()}


def is_right(found: set[str] | str, ways: list[set[str] | str]) -> bool:
    return any(way <= found if isinstance(way, set) and isinstance(found, set) else way == found for way in ways)


@pytest.mark.parametrize("name", NAMES)
def test_owners(name: str, platform: Callable[[str], Platform]) -> None:
    made = platform(name)
    proposal = made.propose()
    tables = by_name(proposal)
    assert set(tables) == set(made.expected), "the file says of every table what is right"
    found = {table: steps(tables[table]) for table in made.expected}
    wrong = {
        table: (found[table], ways)
        for table, ways in made.expected.items()
        if not is_right(found[table], ways) and found[table] != "ask"
    }
    assert not wrong
    right = sum(is_right(found[table], ways) for table, ways in made.expected.items())
    asked = sum(1 for table in found.values() if table == "ask")
    print(f"{name}: {right} of {len(found)} right, {asked} asked about, {len(proposal.questions)} questions")
    assert right >= 0.9 * len(found)
    assert len(proposal.questions) <= SHOWN


@pytest.mark.parametrize("name", NAMES)
def test_nothing_personal_is_harmless(name: str, platform: Callable[[str], Platform]) -> None:
    made = platform(name)
    tables = by_name(made.propose())
    harmless = [
        f"{table}.{column}"
        for table, column in made.personal
        if tables[table].columns[column].data_class is DataClass.PUBLIC
    ]
    assert harmless == []


@pytest.mark.parametrize("name", NAMES)
def test_the_map_loads_and_is_stable(name: str, platform: Callable[[str], Platform]) -> None:
    made = platform(name)
    inspection, contained = made.look()
    text = to_toml(propose(inspection, contained, {}))
    loaded = parse(text, source=f"{name}.toml", region="eu")
    assert len(loaded.tables) >= 0.6 * len(inspection.base)
    assert to_toml(made.propose()) == text
    assert all(len(line) <= 120 for line in text.splitlines() if line.startswith("#"))

"""Every query of the list through the running gateway, each under a fresh grant, compared with a filtered copy.

The copy holds what the grant shows, by a second reading of the data map (``tests/oracles/test_real_shapes.py``), in a
schema of its own; the query runs on it directly. A query is *answered* only if the rows are the same.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from seenby.demo.world import World
from seenby.model.disclosure import EntryBound, QueryDisclosure
from seenby.stores.config import load_config
from seenby.stores.grouping import Done
from seenby.stores.ledger import Item
from tests.conformance.staff import grants
from tests.conformance.staff.queries import EXPECTED, HERE, QUERIES, Query, expected_toml, load_expected, load_queries
from tests.fixtures.gateway import PERMIT_ALL, Served, serve
from tests.oracles.test_real_shapes import Platform, Reading

pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("staff")]

STAFF = "aoife.byrne"
OTHER_LIST = os.environ.get("SEENBY_STAFF_QUERIES")
ANSWERED = ("exact", "upper", "statistic", "nobody")

NOT_COMPARED = {
    "oncall-13": "the catalog of the copy is another catalog: it lists every schema's tables",
    "oncall-14": "what runs at the moment differs between two moments",
    "oncall-15": "a plan over views is not the plan over tables",
}
"""Queries whose answer no copy can give. Whether they are answered is still asserted."""


@dataclass
class Outcome:
    query: Query
    kind: str  # one of ANSWERED, or an SQLSTATE, or "WRONG"
    rows: int = 0
    people: int = 0
    words: str = ""


@pytest.fixture(scope="module")
def platform_served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Region eu, whose events end today: staff ask for the last seven days."""
    policies: Path = tmp_path_factory.mktemp("policies")
    (policies / "all.cedar").write_text(PERMIT_ALL)
    with World(durable=False) as world:
        world.build(people=400, seed=1, today=datetime.now(UTC), progress=lambda _region, _stage, _done: None)
        config = replace(load_config(world.regions["eu"].config_file), policies_dir=policies)
        with serve(world, config) as served:
            with served.direct() as direct:
                direct.execute((HERE / "rows.sql").read_bytes())
            yield served


@contextmanager
def disclosures(served: Served) -> Iterator[list[QueryDisclosure]]:
    """What is handed to the ledger meanwhile."""
    ledger = served.region.ledger
    found: list[QueryDisclosure] = []
    submit = ledger.submit

    def watched(item: Item, done: Done) -> None:
        if isinstance(item, QueryDisclosure):
            found.append(item)
        submit(item, done)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ledger, "submit", watched)
        yield found


def run(served: Served, query: Query, direct: psycopg.Connection[Any], schema: str) -> Outcome:
    grant = grants.make(served, STAFF, grants.KINDS[query.grant])
    with disclosures(served) as found, served.connect(STAFF, grant) as connection:
        try:
            connection.execute("BEGIN")
            (now,) = connection.execute("SELECT now()::text").fetchone() or ("",)
            got = connection.execute(query.sql.encode()).fetchall()
        except psycopg.Error as error:
            hint = error.diag.message_hint
            words = f"{error.diag.message_primary}" + (f" ({hint})" if hint else "")
            return Outcome(query, error.sqlstate or "?", words=words)
    served.revoke(STAFF, grant)
    bound = max((one.bound for one in found), default=EntryBound.NOBODY)
    people = {shown.person for one in found for shown in one.people}
    outcome = Outcome(query, bound.name.lower(), len(got), len(people))
    if query.id in NOT_COMPARED:
        return outcome
    # The copy's own now() comes first, and says what it was there.
    direct.execute(f"SET search_path = {schema}, pg_catalog; SET staff.now = '{now}'".encode())
    wanted = direct.execute(query.sql.replace("public.", f"{schema}.").encode()).fetchall()
    if not same(got, wanted):
        return replace(outcome, kind="WRONG", words=f"got {got[:3]}, not {wanted[:3]}")
    return outcome


def same(left: Sequence[Sequence[Any]], right: Sequence[Sequence[Any]]) -> bool:
    """The same rows. Sums of floats depend on the order in which Postgres adds, so they are rounded."""
    return sorted(map(_plain, left)) == sorted(map(_plain, right))


def _plain(row: Sequence[Any]) -> str:
    return str([float(f"{value:.9g}") if isinstance(value, float) else value for value in row])


@pytest.fixture(scope="module")
def outcomes(platform_served: Served) -> list[Outcome]:
    """One run of the whole list."""
    queries = load_queries(Path(OTHER_LIST) if OTHER_LIST else QUERIES)
    with platform_served.direct("-c TimeZone=UTC") as direct:
        platform = Platform(direct)
        schemas = {}
        for name in sorted({query.grant for query in queries}):
            kind = grants.KINDS[name]
            people = kind.people and {("account", str(one)) for one in kind.people}
            reading = Reading(platform, {cell: {"eu"} for cell in kind.cells}, people or None)
            schemas[name] = f"copy_{name.replace('-', '_')}"
            reading.write(direct, schemas[name])
            direct.execute(
                f"CREATE FUNCTION {schemas[name]}.now() RETURNS timestamptz STABLE"
                " RETURN pg_catalog.current_setting('staff.now')::timestamptz".encode()
            )
        return [run(platform_served, query, direct, schemas[query.grant]) for query in queries]


def report(outcomes: Sequence[Outcome]) -> str:
    lines = []
    for outcome in outcomes:
        query = outcome.query
        what = f"{outcome.rows} rows, {outcome.people} people" if outcome.kind in ANSWERED else outcome.words
        lines.append(f"{query.id:18} {query.grant:17} {outcome.kind:10} {what}")
    roles = Counter(one.query.role for one in outcomes)
    for role, total in roles.items():
        kinds = Counter(one.kind for one in outcomes if one.query.role == role)
        lines.append(f"{role:42} {total:4}: {_counted(kinds, total)}")
    total = len(outcomes)
    lines.append(f"{'all':42} {total:4}: {_counted(Counter(one.kind for one in outcomes), total)}")
    return "\n".join(lines)


def _counted(kinds: Counter[str], total: int) -> str:
    answered = sum(kinds[kind] for kind in ANSWERED)
    each = ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items()))
    return f"{100 * answered / total:5.1f} % answered ({each})"


def test_every_answer_has_the_right_rows(outcomes: list[Outcome]) -> None:
    print("\n" + report(outcomes))
    assert [one for one in outcomes if one.kind == "WRONG"] == []


@pytest.mark.skipif(OTHER_LIST is not None, reason="another list has no outcomes yet")
def test_outcomes_are_the_expected_ones(outcomes: list[Outcome]) -> None:
    found = {one.query.id: one.kind for one in outcomes}
    if os.environ.get("SEENBY_STAFF_WRITE"):
        EXPECTED.write_text(expected_toml(found))
    expected = load_expected()
    assert {name: kind for name, kind in found.items() if expected.get(name) != kind} == {}
    assert found.keys() == expected.keys()

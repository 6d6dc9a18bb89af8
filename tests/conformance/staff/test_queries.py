"""Every query of the list through the running gateway, under a grant of its kind, compared with a filtered copy.

The copy holds what the grant shows, by a second reading of the data map (``tests/oracles/test_real_shapes.py``), in a
schema of its own; the query runs on it directly. A query is *answered* only if the rows are the same.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import postgast
import psycopg
import pytest

from seenby.attribute.cohorts import Memory
from seenby.demo.world import World
from seenby.model.disclosure import EntryBound, QueryDisclosure
from seenby.stores.config import load_config
from seenby.stores.grouping import Done
from seenby.stores.ledger import Item
from tests.conformance.staff import grants
from tests.conformance.staff.queries import EXPECTED, HERE, QUERIES, Query, expected_toml, load_expected, load_queries
from tests.fixtures.gateway import PERMIT_ALL, Served, same_secret, serve
from tests.fixtures.reading import Reading, Rows
from tests.oracles.test_real_shapes import MAP

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


SMALL_GROUPS = "are left out"
"""The notice of a statistic that has fewer rows than the copy's answer."""


COMPUTED = "What is computed of groups"
"""The notice of a statistic whose numbers differ from the copy's where groups are left out."""


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
        same_secret(config)
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


@dataclass
class Granted:
    """A grant of one kind, a session under it, and the schema with the copy of what it shows."""

    kind: grants.Kind
    connection: psycopg.Connection[Any]
    copy: str
    notices: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.connection.execute("SET statement_timeout = '8s'")  # longer than anybody waits
        self.connection.add_notice_handler(lambda told: self.notices.append(told.message_primary or ""))


def run(served: Served, query: Query, direct: psycopg.Connection[Any], granted: Granted) -> Outcome:
    kind, schema = granted.kind, granted.copy
    for access in served.region.gateway.grants.accesses(STAFF):
        access.cohorts = Memory()  # the query stands for itself: nothing was asked before
    granted.notices.clear()
    with disclosures(served) as found:
        try:
            with granted.connection.transaction() as block:
                (now,) = block.connection.execute("SELECT now()::text").fetchone() or ("",)
                got = block.connection.execute(query.sql.encode()).fetchall()
        except psycopg.Error as error:
            hint = error.diag.message_hint
            words = f"{error.diag.message_primary}" + (f" ({hint})" if hint else "")
            return Outcome(query, error.sqlstate or "?", words=words)
    bound = max((one.bound for one in found), default=EntryBound.NOBODY)
    people = {shown.person for one in found for shown in one.people}
    outcome = Outcome(query, bound.name.lower(), len(got), len(people))
    if len(people) > kind.max_people or len(got) > kind.max_rows:
        return replace(outcome, kind="53400", words=f"{len(people)} people and {len(got)} rows are beyond the caps")
    if query.id in NOT_COMPARED:
        return outcome
    # The copy's own now() comes first, and says what it was there.
    direct.execute(f"SET search_path = {schema}, pg_catalog; SET staff.now = '{now}'".encode())
    there = query.sql.replace("public.", f"{schema}.")
    wanted = direct.execute(there.encode()).fetchall()
    if bound is EntryBound.STATISTIC and any(COMPUTED in notice for notice in granted.notices):
        right = len(got) <= len(wanted)  # tests/oracles/test_statistics.py has the numbers
    elif bound is EntryBound.STATISTIC and any(SMALL_GROUPS in notice for notice in granted.notices):
        right = not Counter(map(_plain, got)) - Counter(map(_plain, wanted))
    else:
        right = same(got, wanted) or tied(there, got, wanted, direct)
    if not right:
        return replace(outcome, kind="WRONG", words=f"got {got[:3]}, not {wanted[:3]}")
    return outcome


def same(left: Sequence[Sequence[Any]], right: Sequence[Sequence[Any]]) -> bool:
    """The same rows. Sums of floats depend on the order in which Postgres adds, so they are rounded."""
    return sorted(map(_plain, left)) == sorted(map(_plain, right))


def tied(text: str, got: list[Any], wanted: list[Any], direct: psycopg.Connection[Any]) -> bool:
    """Rows that are equal in what LIMIT goes by are equally good: both are among all, and go by the same values."""
    parsed = postgast.parse(text)
    node = parsed.stmts[0].stmt.select_stmt
    places = [item.sort_by.node.a_const.ival.ival - 1 for item in node.sort_clause]
    if not node.HasField("limit_count") or not places or min(places) < 0:
        return False
    node.ClearField("limit_count")
    node.limit_option = postgast.pg_query_pb2.LIMIT_OPTION_DEFAULT
    every = direct.execute(postgast.deparse(parsed).encode()).fetchall()
    by = [[[row[place] for place in places] for row in rows] for rows in (got, wanted)]
    return by[0] == by[1] and not Counter(map(_plain, got)) - Counter(map(_plain, every))


def _plain(row: Sequence[Any]) -> str:
    return str([float(f"{value:.9g}") if isinstance(value, float) else value for value in row])


@dataclass
class Run:
    """``figures``: the queries of grants for rows and statistics again, under grants for statistics alone."""

    outcomes: list[Outcome]
    figures: list[Outcome]


@pytest.fixture(scope="module")
def done(platform_served: Served) -> Iterator[Run]:
    """One run of the whole list."""
    queries = load_queries(Path(OTHER_LIST) if OTHER_LIST else QUERIES)
    with platform_served.direct("-c TimeZone=UTC") as direct, ExitStack() as stack:
        platform = Rows(direct, MAP)
        granted: dict[tuple[str, str], Granted] = {}
        for name in sorted({query.grant for query in queries}):
            kind = grants.KINDS[name]
            people = kind.people and {("account", str(one)) for one in kind.people}
            reading = Reading(platform, {cell: {"eu"} for cell in kind.cells}, people or None)
            schema = f"copy_{name.replace('-', '_')}"
            direct.execute(f"CREATE SCHEMA {schema}".encode())
            reading.write(direct, {"public": schema})
            direct.execute(
                f"CREATE FUNCTION {schema}.now() RETURNS timestamptz STABLE"
                " RETURN pg_catalog.current_setting('staff.now')::timestamptz".encode()
            )
            for answers in ("both", "statistics") if kind.answers == "both" else ("rows",):
                grant = grants.make(platform_served, STAFF, replace(kind, answers=answers))
                connection = stack.enter_context(platform_served.connect(STAFF, grant))
                granted[name, answers] = Granted(kind, connection, schema)
        yield Run(
            [run(platform_served, one, direct, granted[one.grant, grants.KINDS[one.grant].answers]) for one in queries],
            [
                run(platform_served, one, direct, granted[one.grant, "statistics"])
                for one in queries
                if grants.KINDS[one.grant].answers == "both"
            ],
        )


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


def test_every_answer_has_the_right_rows(done: Run) -> None:
    print("\n" + report(done.outcomes))
    print("\nunder grants for statistics alone\n" + report(done.figures))
    assert [one for one in done.outcomes + done.figures if one.kind == "WRONG"] == []


@pytest.mark.skipif(OTHER_LIST is not None, reason="another list has no outcomes yet")
def test_outcomes_are_the_expected_ones(done: Run) -> None:
    found = {one.query.id: one.kind for one in done.outcomes}
    found |= {f"{one.query.id}-statistics": one.kind for one in done.figures}
    if os.environ.get("SEENBY_STAFF_WRITE"):
        EXPECTED.write_text(expected_toml(found))
    expected = load_expected()
    assert {name: kind for name, kind in found.items() if expected.get(name) != kind} == {}
    assert found.keys() == expected.keys()

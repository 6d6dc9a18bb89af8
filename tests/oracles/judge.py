"""The two oracles: what must hold of every plan that the analysis of a query hands out.

*Deletion* (invariant I4). Somebody is *disclosed* by a result if there is a set of other people such that, in a world
without that set, it makes a difference to the answer (or its error) whether this person exists. Eight people make 256
worlds; all of them are computed. Whoever is disclosed must be attributed. A limited result needs care, because
without the people in front everybody moves up into it:

* the people were found by a companion (upper bound): the sentence above is taken literally, and two worlds differ when
  SQL permits different sets of answers in them;
* person keys travelled with the rows (exact): the plan chose one of the orders that SQL permits, so the answer it gave
  must still be permitted in every world that lacks any set of the people who were *not* attributed.

*Filtered copy* (invariant I5). Columns, types, rows or SQLSTATE equal those of the original text on tables that
physically hold only what the grant reveals.
"""

from __future__ import annotations

import functools
import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

import psycopg
from psycopg import pq

from seenby.attribute.arrays import elements
from seenby.model.people import Person
from seenby.model.plan import Bound, Plan, QueryPlan, RefusedPlan
from tests.oracles.query import PARAMETER, WORLD, Case, Expect, Query, tables, world_text
from tests.oracles.shapes import may_be_refused, shape_of
from tests.oracles.world import PEOPLE, Places, revealed

Analyse = Callable[[str], tuple[Plan, ...]]
Cells = tuple[bytes | None, ...]
Ranked = list[tuple[int, Cells]]

ALL = (1 << len(PEOPLE)) - 1
BIT = {person: 1 << n for n, person in enumerate(PEOPLE)}
FAMILY = sorted(
    {0, ALL, *BIT.values(), *(ALL ^ bit for bit in BIT.values())}
    | {a | b for a, b in itertools.combinations(BIT.values(), 2)}
)
"""Worlds for queries that fail in some of them, where one failing world would spoil the statement for all: nobody,
one, two, all but one, or all deleted. Two suffice to tell apart people who hide behind one duplicate each."""


PLAN = b"plan"
"""The name of the prepared statement, because the companion runs between its Parse and its Execute."""

SLOW = "too slow"
"""The kind of a statement that the server ended (57014, query_canceled): nobody is told anything, whoever asked waits.
An upper bound reads without LIMIT, and a generated query may multiply what a LIMIT kept small."""

PATIENCE_S = 20
CANCELED = "57014"

CHECKED = 8
"""Of so many answers without an order one is held against the worlds' form of the query too."""

OWNED = {name: functools.reduce(int.__or__, (bits for _, bits in rows), 0) for name, rows in revealed().items()}


def owners(query: Query) -> int:
    """The bits of everybody who owns a row of a table in ``query``: deleting others cannot make a difference."""
    return functools.reduce(int.__or__, (OWNED[name] for name in tables(query)), 0)


class OracleFailure(AssertionError):
    """A plan that breaks an invariant. ``kind`` is one word, stable while a case is shrunk."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind


class OracleBroken(Exception):
    """The oracle contradicts itself: its own fault, not the plan's."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: an SQLSTATE in ``state``, or columns and rows."""

    state: str
    names: tuple[bytes | None, ...] = ()
    types: tuple[int, ...] = ()
    rows: tuple[Cells, ...] = ()


@dataclass(frozen=True, slots=True)
class Run:
    """A plan carried out as the gateway does it."""

    answer: Answer
    people: frozenset[Person]


@dataclass(frozen=True, slots=True)
class Verdict:
    shape: str
    outcome: str  # "exact", "upper", "nobody", "refused"
    disclosed: int = 0
    attributed: int = 0
    failed: bool = False


class Link:
    """One connection, raw: text parameters without types, text results, as a plain client sends them."""

    def __init__(self, dsn: str, search_path: str) -> None:
        self.connection = psycopg.connect(dsn, autocommit=True)
        self._pg = self.connection.pgconn
        for setting in (
            f"search_path = {search_path}",
            f"statement_timeout = '{PATIENCE_S}s'",
            "jit = off",
            "max_parallel_workers_per_gather = 0",
        ):
            self.run(f"SET {setting}")

    def close(self) -> None:
        self.connection.close()

    def run(self, text: str, params: tuple[str, ...] = (), types: tuple[int, ...] = ()) -> Answer:
        values = [value.encode() for value in params]
        return _answer(self._pg.exec_params(text.encode(), values, types[: len(values)] or None))

    def describe(self, text: str, name: bytes = b"") -> tuple[int, tuple[int, ...]] | str:
        """(number of columns, types of the parameters), as Parse and Describe tell; the SQLSTATE if Parse fails."""
        prepared = self._pg.prepare(name, text.encode())
        if prepared.status != pq.ExecStatus.COMMAND_OK:
            return _answer(prepared).state
        described = self._pg.describe_prepared(name)
        return described.nfields, tuple(described.param_type(n) for n in range(described.nparams))

    def run_described(self, name: bytes, params: tuple[str, ...]) -> Answer:
        """What was described under ``name``, which is free again afterwards: the text is not read twice."""
        try:
            return _answer(self._pg.exec_prepared(name, [value.encode() for value in params]))
        finally:
            self._pg.close_prepared(name)


def _answer(result: pq.abc.PGresult) -> Answer:
    if result.status not in {pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK}:
        return Answer((result.error_field(pq.DiagnosticField.SQLSTATE) or b"?").decode())
    columns = range(result.nfields)
    return Answer(
        "",
        tuple(result.fname(n) for n in columns),
        tuple(result.ftype(n) for n in columns),
        tuple(tuple(result.get_value(row, n) for n in columns) for row in range(result.ntuples)),
    )


class Judge:
    """Holds the connections to the three forms of the world."""

    def __init__(self, places: Places) -> None:
        self.copied = Link(places.copied, "public")
        self.worlds = Link(places.worlds, "worlds")
        self.reader = Link(places.reader, "pg_catalog")

    def close(self) -> None:
        for link in (self.copied, self.worlds, self.reader):
            link.close()

    def carry_out(self, plan: QueryPlan, params: tuple[str, ...]) -> Run:
        """Companion and main query in one snapshot, keys taken off, OFFSET's rows dropped after attribution."""
        parsed = self.reader.describe(plan.sql, PLAN)
        if isinstance(parsed, str):  # wrong in itself: the gateway sends nothing but Parse
            return Run(Answer(parsed), frozenset())
        _, types = parsed
        companion: Answer | None = None
        self.reader.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        if plan.beside and plan.companion is not None:
            companion = self.reader.run(plan.companion, params, types)
        answer = self.reader.run_described(PLAN, params)
        self.reader.run("ROLLBACK")
        if answer.state and not plan.beside and (text := plan.in_full.companion) is not None:
            companion = self.reader.run(text, params, types)
        if answer.state == CANCELED or (companion and companion.state == CANCELED):
            raise OracleFailure(SLOW, f"{plan.sql}\ncompanion: {plan.in_full.companion}")
        if companion is not None and companion.state:
            raise OracleFailure("companion", f"fails with {companion.state}: {plan.in_full.companion}")
        people = {_person(kind, key) for kind, key in companion.rows} if companion else set()
        if answer.state:
            return Run(answer, frozenset(people))
        width = len(plan.keys)
        if len(answer.names) != width + plan.visible:
            raise OracleFailure("columns", f"{len(answer.names)} columns, but {width} keys and {plan.visible} visible")
        for row in answer.rows:
            for key, cell in zip(plan.keys, row, strict=False):
                names = elements(cell) if key.many and cell else [cell.decode()] if cell else []
                people |= {Person(key.kind, name) for name in names}
        skipped = plan.offset + (int(params[plan.offset_parameter - 1]) if plan.offset_parameter else 0)
        rows = tuple(row[width:] for row in answer.rows[skipped:])
        return Run(
            replace(answer, names=answer.names[width:], types=answer.types[width:], rows=rows), frozenset(people)
        )

    def judge(self, case: Case, analyse: Analyse) -> Verdict:
        """Raises OracleFailure if what ``analyse`` makes of the case breaks I2, I4 or I5."""
        plan = self._planned(case, analyse)
        if isinstance(plan, RefusedPlan):
            if case.expect is Expect.ANSWER and not may_be_refused(case.query):
                if self.copied.run(case.text, case.params).state != plan.error.state:
                    raise OracleFailure(f"refused with {plan.error.state}", plan.error.message)
                return Verdict("an error in any form", "refused")
            return Verdict(case.why or shape_of(case.query), "refused")
        if case.expect is Expect.REFUSE:
            raise OracleFailure("answered", f"{case.why}: {plan.sql}")
        run = self.carry_out(plan, case.params)
        try:
            truth = self._same_as_copy(case, run.answer)
            verdict = self._nobody_missing(case, plan, run, truth)
        except OracleFailure as failure:
            failure.add_note(
                f"plan: {plan.sql}\ncompanion: {plan.companion}\nbound: {plan.bound} offset: {plan.offset}"
            )
            raise
        return verdict

    @staticmethod
    def _planned(case: Case, analyse: Analyse) -> QueryPlan | RefusedPlan:
        try:
            plans = analyse(case.text)
        except Exception as error:
            raise OracleFailure("raised", f"{type(error).__name__}: {error}") from error
        refused = [plan for plan in plans if isinstance(plan, RefusedPlan)]
        if refused:
            return refused[0]
        if len(plans) != 1 or not isinstance(plans[0], QueryPlan):
            raise OracleFailure("plan", f"{plans}")
        return plans[0]

    def _same_as_copy(self, case: Case, got: Answer) -> Answer:
        truth = self.copied.run(case.text, case.params)
        if truth.state != got.state:
            raise OracleFailure("error", f"copy {truth.state or 'answers'}, gateway {got.state or 'answers'}")
        if truth.state:
            return truth
        if (truth.names, truth.types) != (got.names, got.types):
            raise OracleFailure("columns", f"copy {truth.names} {truth.types}, gateway {got.names} {got.types}")
        if case.loose:
            return truth
        query = case.query
        if not (query.order or query.limit or query.offset) and len(case.text) % CHECKED:
            if Counter(truth.rows) != Counter(got.rows):
                raise OracleFailure("rows", f"copy {truth.rows}, gateway {got.rows}")
            return truth
        ranked = self._ranked(case, len(truth.names), [0])[0]
        if not permitted(ranked, case.query, truth.rows):
            raise OracleBroken(f"the copy's own answer is not permitted: {case.text}\n{truth.rows}\n{ranked}")
        if not permitted(ranked, case.query, got.rows):
            raise OracleFailure("rows", f"copy {truth.rows}, gateway {got.rows}")
        return truth

    def _nobody_missing(self, case: Case, plan: QueryPlan, run: Run, truth: Answer) -> Verdict:
        label, outcome = case.why or shape_of(case.query), plan.bound.value
        strangers = run.people - set(PEOPLE)
        if strangers:
            raise OracleFailure("strangers", f"{sorted(map(str, strangers))} are not in scope")
        if case.loose:
            return Verdict(label, outcome, 0, 0, bool(truth.state))
        if (case.query.limit or case.query.offset) and plan.bound is Bound.EXACT and not truth.state:
            missing, disclosed = self._deleted_changes_limited(case, run)
        else:
            width: int | None = len(truth.names)
            if truth.state:
                parsed = self.copied.describe(case.text)
                width = parsed[0] if isinstance(parsed, tuple) else None
            disclosed = frozenset() if width is None else self._disclosed(case, width)
            missing = disclosed - run.people
            if plan.agreed and missing and width is not None:
                missing = self._unnamed_who_change(case, width, frozenset(PEOPLE) - run.people)
        if missing:
            raise OracleFailure(
                "missing", f"{sorted(map(str, missing))} disclosed, attributed {sorted(map(str, run.people))}"
            )
        return Verdict(label, outcome, len(disclosed & run.people), len(run.people), bool(truth.state))

    def _unnamed_who_change(self, case: Case, width: int, unnamed: frozenset[Person]) -> frozenset[Person]:
        """LIMIT below the top: nobody is missing if the answer stays when any set of those who are not named goes."""
        rest = sum(BIT[person] for person in unnamed)
        digests = self.digests(case, width)
        worlds = [mask for mask in digests if not mask & ~rest]
        changed = [mask for mask in worlds if digests[mask] != digests[0]]
        return unnamed if changed else frozenset()

    def _disclosed(self, case: Case, width: int) -> frozenset[Person]:
        digests = self.digests(case, width)
        return frozenset(
            person
            for person, bit in BIT.items()
            if any(
                not world & bit and world | bit in digests and digest != digests[world | bit]
                for world, digest in digests.items()
            )
        )

    def _deleted_changes_limited(self, case: Case, run: Run) -> tuple[frozenset[Person], frozenset[Person]]:
        """(some of those missing, everybody whose deletion alone makes the answer impossible)."""
        concerned = owners(case.query)
        rest = [bit for person, bit in BIT.items() if person not in run.people and bit & concerned]
        everybody = sum(rest)
        masks = {0, everybody, *(everybody ^ bit for bit in rest), *(bit for bit in BIT.values() if bit & concerned)}
        masks |= {a | b for a, b in itertools.combinations(rest, 2)}
        worlds = self._ranked(case, len(run.answer.names), sorted(masks))
        impossible = {mask for mask in masks if not permitted(worlds[mask], case.query, run.answer.rows)}
        disclosed = frozenset(person for person, bit in BIT.items() if bit in impossible)
        for mask in sorted(impossible, key=int.bit_count):
            if not mask & ~everybody:
                return frozenset(person for person, bit in BIT.items() if bit & mask), disclosed
        return frozenset(), disclosed

    def _ranked(self, case: Case, width: int, masks: list[int]) -> dict[int, Ranked]:
        body = world_text(case.query, width)
        array = ",".join(map(str, masks))
        answer = self._in_worlds(case, f'SELECT {WORLD}, z.* FROM unnest(ARRAY[{array}]) "~w"(m), LATERAL ({body}) z')
        if answer.state:
            raise OracleBroken(f"{answer.state} in a world: {case.text}\n{body}")
        worlds: dict[int, Ranked] = {mask: [] for mask in masks}
        for mask, rank, *cells in answer.rows:
            worlds[int(mask or b"0")].append((int(rank or b"0"), tuple(cells)))
        return worlds

    def _in_worlds(self, case: Case, text: str) -> Answer:
        """A parameter that stands in LIMIT only is not there in the text for worlds."""
        highest = max(map(int, PARAMETER.findall(text)), default=0)
        return self.worlds.run(text, case.params[:highest])

    def digests(self, case: Case, width: int) -> dict[int, bytes | None]:
        """Per world, a digest of the answers that SQL permits there (or the SQLSTATE)."""
        body = _digest(case.query, width)
        others = ALL & ~owners(case.query)
        worlds = f'generate_series(0, {ALL}) "~w"(m) WHERE "~w"."m" & {others} = 0'
        answer = self._in_worlds(case, f"SELECT {WORLD}, {body} FROM {worlds}")
        if not answer.state:
            return {int(mask or b"0"): digest for mask, digest in answer.rows}
        found: dict[int, bytes | None] = {}
        for mask in (mask for mask in FAMILY if not mask & others):
            one = self._in_worlds(case, f'SELECT {body} FROM (VALUES ({mask})) "~w"(m)')
            found[mask] = one.state.encode() if one.state else one.rows[0][0]
        return found


def _person(kind: bytes | None, key: bytes | None) -> Person:
    return Person((kind or b"").decode(), (key or b"").decode())


def _digest(query: Query, width: int) -> str:
    cells = ", ".join(f"z.c{n}" for n in range(width))
    body = world_text(query, width)
    if query.limit is None and query.offset is None:
        rows = f"SELECT ROW(z.r, {cells})::text AS x FROM ({body}) z"
    else:
        start, stop = slice_of(query)
        # Of a group of peers that the slice cuts, any may come: the group whole, and how many of it are taken.
        end = "z.r - 1 + n" if query.limit and query.limit.ties else f"least(z.r - 1 + n, {stop})"
        rows = (
            f"SELECT ROW(greatest(z.r - 1, {start}), {end}, {cells})::text AS x"
            f" FROM (SELECT *, count(*) OVER (PARTITION BY r) AS n FROM ({body}) y) z"
            f" WHERE z.r - 1 < {stop} AND z.r - 1 + n > {start}"
        )
    return f"(SELECT md5(string_agg(t.x, E'\\x1e' ORDER BY t.x)) FROM ({rows}) t)"


def slice_of(query: Query) -> tuple[int, int]:
    start = query.offset.value if query.offset else 0
    return start, start + query.limit.value if query.limit else 1 << 40


def permitted(ranked: Ranked, query: Query, answer: tuple[Cells, ...]) -> bool:
    """Whether SQL permits ``answer``, when ``ranked`` are the rows that the query has without LIMIT and OFFSET."""
    start, stop = slice_of(query)
    position = taken = 0
    for _, group in itertools.groupby(sorted(ranked, key=lambda row: row[0]), key=lambda row: row[0]):
        rows = Counter(cells for _, cells in group)
        size = rows.total()
        if query.limit and query.limit.ties and position < stop < position + size:
            stop = position + size
        count = min(position + size, stop) - max(position, start)
        position += size
        if count > 0:
            if not Counter(answer[taken : taken + count]) <= rows or len(answer) < taken + count:
                return False
            taken += count
    return taken == len(answer)

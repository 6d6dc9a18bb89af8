"""The oracles themselves: right plans pass, and each kind of wrong plan is found. All plans here are by hand."""

from __future__ import annotations

from dataclasses import replace

import psycopg
import pytest

from seenby.errors import Unsupported
from seenby.model.people import Person
from seenby.model.plan import Bound, OutputKey, Plan, QueryPlan, RefusedPlan
from tests.oracles import world
from tests.oracles.campaign import SLOW_ALLOWED, minimise, run, told
from tests.oracles.judge import FAMILY, PATIENCE_S, SLOW, Judge, OracleFailure, Ranked, permitted
from tests.oracles.query import Base, Block, Case, Count, Expect, Join, Query, Sort, UnionAll, user_text, world_text
from tests.oracles.trees import compact

pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("oracles")]

ACCOUNT = OutputKey("account", ())
CONTACT = OutputKey("contact", ())
SHOWN = "shown.{0} AS {0}"


def case(text_items: str, *sources: Base | Join, **more: object) -> Case:
    block = Block(tuple(text_items.split(", ")), sources, where=more.pop("where", ()))  # type: ignore[arg-type]
    return Case(Query(block, **more))  # type: ignore[arg-type]


def table(name: str, alias: str = "") -> Base:
    return Base(name, name, alias)


def judged(judge: Judge, query: Case, plan: Plan) -> str:
    """ "right", or the kind of failure that the oracles find."""
    try:
        judge.judge(query, lambda text: (plan,))
    except OracleFailure as failure:
        return failure.kind
    return "right"


# --- the three forms of the world agree --------------------------------------------------------------------------


@pytest.mark.parametrize("name", list(world.BY_NAME))
def test_the_views_show_what_the_copy_holds_and_name_its_owners(name: str, judge: Judge) -> None:
    columns = [column.name for column in world.BY_NAME[name].visible]
    keys = world.BY_NAME[name].keys
    names = ", ".join(columns)
    hidden = "".join(f', "{key.name}"' for key in keys)
    view = judge.reader.run(f"SELECT {names}{hidden} FROM shown.{name}")
    copy = judge.copied.run(f"SELECT {names} FROM {name}")
    assert sorted(map(str, (row[: len(columns)] for row in view.rows))) == sorted(map(str, copy.rows))
    assert view.types[: len(columns)] == copy.types
    bits = judge.worlds.run(f"SELECT {names}, o FROM worlds.{name}").rows
    for row in view.rows:
        owners = {
            Person(key.kind, cell.decode())
            for key, cell in zip(keys, row[len(columns) :], strict=True)
            if cell is not None
        }
        mask = sum(1 << world.PEOPLE.index(owner) for owner in owners)
        assert (*row[: len(columns)], str(mask).encode()) in bits


def test_the_reader_cannot_read_a_base_table(judge: Judge) -> None:
    assert judge.reader.run("SELECT 1 FROM public.accounts").state == "42501"


def test_nothing_of_a_person_out_of_scope_is_in_the_copy(judge: Judge) -> None:
    with psycopg.connect(judge.copied.connection.info.dsn, password=judge.copied.connection.info.password) as copy:
        for name in ("accounts", "videos", "messages", "contacts", "devices", "logins"):
            text = str(copy.execute(f"SELECT * FROM {name}".encode()).fetchall())
            assert not any(word in text for word in ("gus", "hal", "far", "psst", "Bo", "10.0.0", "356-", "1990"))


# --- what SQL permits --------------------------------------------------------------------------------------------

ROWS: Ranked = [(1, (b"a",)), (2, (b"b",)), (2, (b"b",)), (2, (b"c",)), (5, (b"d",))]


@pytest.mark.parametrize(
    ("limit", "offset", "answer", "allowed"),
    [
        (None, None, "abbcd", True),
        (None, None, "acbbd", True),
        (None, None, "baabd", False),
        (None, None, "abbc", False),
        (2, None, "ab", True),
        (2, None, "ac", True),
        (2, None, "bc", False),
        (2, None, "a", False),
        (3, 1, "cbb", True),
        (3, 1, "ccb", False),
        (9, 4, "d", True),
        (9, 4, "", False),
        (9, 7, "", True),
        (0, None, "", True),
    ],
)
def test_a_slice_of_any_order_of_peers_is_permitted(
    limit: int | None, offset: int | None, answer: str, allowed: bool
) -> None:
    counts = {
        name: Count(str(value), value) for name, value in (("limit", limit), ("offset", offset)) if value is not None
    }
    query = Query(Block(("x",)), order=(Sort("x", 0),), **counts)  # type: ignore[arg-type]
    assert permitted(ROWS, query, tuple((letter.encode(),) for letter in answer)) is allowed


def test_the_family_of_worlds_for_failing_queries() -> None:
    assert len(FAMILY) == 1 + 8 + 28 + 8 + 1


def test_one_tree_is_printed_for_users_and_for_worlds() -> None:
    tree = Query(
        Block(
            ("a.id",),
            (Join("LEFT JOIN", Base("accounts", "public.accounts", "a"), Base("regions", "regions"), using=("home",)),),
            ("EXISTS (SELECT 1 FROM ⟦videos⟧ v WHERE v.author = a.id)",),
        ),
        order=(Sort("a.coins", None, "DESC"), Sort("1", 0)),
        limit=Count("LIMIT 2", 2),
    )
    assert user_text(tree) == (
        "SELECT a.id FROM public.accounts AS a LEFT JOIN regions USING (home)"
        " WHERE EXISTS (SELECT 1 FROM videos v WHERE v.author = a.id) ORDER BY a.coins DESC, 1 LIMIT 2"
    )
    assert world_text(tree, 1) == (
        "SELECT rank() OVER (ORDER BY s0 DESC, c0 ) AS r, c0 FROM (SELECT a.id, a.coins FROM"
        " (SELECT id, handle, email, phone, home, coins, joined FROM worlds.accounts"
        ' WHERE o & "~w"."m" = 0) AS a LEFT JOIN'
        ' (SELECT home, title, rank FROM worlds.regions WHERE o & "~w"."m" = 0) AS regions USING (home) WHERE EXISTS'
        ' (SELECT 1 FROM (SELECT id, author, title, views, open FROM worlds.videos WHERE o & "~w"."m" = 0) v'
        " WHERE v.author = a.id)) AS q(c0, s0)"
    )


def test_parameters_are_renumbered_without_gaps() -> None:
    query, params = compact(Query(Block(("$3::int",), where=("$1 = x",))), ("one", "two", "three"))
    assert (user_text(query), params) == ("SELECT $2::int WHERE $1 = x", ("one", "three"))


# --- right plans, and each wrong one -----------------------------------------------------------------------------

HANDLES = case("handle", table("accounts"))
HANDLES_PLAN = QueryPlan('SELECT "seenby$1", handle FROM shown.accounts', Bound.EXACT, 1, (ACCOUNT,))
MESSAGES = case("id", table("messages"))
MESSAGES_PLAN = QueryPlan('SELECT "seenby$1", "seenby$2", id FROM shown.messages', Bound.EXACT, 1, (ACCOUNT, ACCOUNT))


@pytest.mark.parametrize(("query", "plan"), [(HANDLES, HANDLES_PLAN), (MESSAGES, MESSAGES_PLAN)])
def test_a_right_exact_plan_passes(judge: Judge, query: Case, plan: QueryPlan) -> None:
    assert judged(judge, query, plan) == "right"


def test_a_missing_key_is_found(judge: Judge) -> None:
    senders = replace(MESSAGES_PLAN, sql='SELECT "seenby$1", id FROM shown.messages', keys=(ACCOUNT,))
    assert judged(judge, MESSAGES, senders) == "missing"


def test_a_key_of_the_wrong_kind_is_found(judge: Judge) -> None:
    """``contact:2`` is not ``account:2``, although both keys print as 2."""
    contacts = case("id", table("contacts"))
    text = 'SELECT "seenby$1", "seenby$2", id FROM shown.contacts'
    assert judged(judge, contacts, QueryPlan(text, Bound.EXACT, 1, (ACCOUNT, CONTACT))) == "right"
    assert judged(judge, contacts, QueryPlan(text, Bound.EXACT, 1, (ACCOUNT, ACCOUNT))) in {"missing", "strangers"}


COUNT = case("count(*)", table("videos"), where=("title = 'cats'",))
COUNT_PLAN = QueryPlan(
    "SELECT count(*) FROM shown.videos WHERE title = 'cats'",
    Bound.UPPER,
    1,
    companion="SELECT 'account', \"seenby$1\" FROM shown.videos WHERE title = 'cats' AND \"seenby$1\" IS NOT NULL",
)


def test_a_companion_names_who_is_counted(judge: Judge) -> None:
    assert judged(judge, COUNT, COUNT_PLAN) == "right"
    narrow = replace(COUNT_PLAN, companion=f"{COUNT_PLAN.companion} AND views > 7")
    assert judged(judge, COUNT, narrow) == "missing"
    assert judged(judge, COUNT, replace(COUNT_PLAN, companion=None)) == "missing"
    unscoped = replace(COUNT_PLAN, companion="SELECT 'account', \"seenby$1\" FROM unscoped.videos")
    assert judged(judge, COUNT, unscoped) == "strangers"
    assert judged(judge, COUNT, replace(COUNT_PLAN, companion="SELECT 1/0, 2")) == "companion"


def test_two_duplicates_that_hide_each_other_are_both_missed(judge: Judge) -> None:
    """Deleting one of two equal rows changes nothing in SELECT DISTINCT: only sets of people show both."""
    query = Case(Query(Block(("title",), (table("videos"),), ("views = 10",), distinct=True)))
    text = "SELECT DISTINCT title FROM shown.videos WHERE views = 10"
    one = QueryPlan(text, Bound.UPPER, 1, companion="SELECT 'account', '1'")
    both = replace(one, companion="SELECT 'account', unnest('{1,2}'::text[])")
    assert (judged(judge, query, one), judged(judge, query, both)) == ("missing", "right")


ANTI = case(
    "v.id",
    Join("LEFT JOIN", table("videos", "v"), table("messages", "m"), on=("m.id = v.id",)),
    where=("m.id IS NULL",),
)
ANTI_FROM = "shown.videos v LEFT JOIN shown.messages m ON m.id = v.id WHERE m.id IS NULL"
ANTI_CORE = f"SELECT 'account', v.\"seenby$1\" FROM {ANTI_FROM}"
NULLABLE = "shown.videos v JOIN shown.messages m ON m.id = v.id"


def test_the_nullable_side_of_an_outer_join_belongs_to_the_companion(judge: Judge) -> None:
    whole = " UNION ".join(
        [f'{ANTI_CORE} AND v."seenby$1" IS NOT NULL']
        + [f'SELECT \'account\', m."seenby${n}" FROM {NULLABLE} WHERE m."seenby${n}" IS NOT NULL' for n in (1, 2)]
    )
    plan = QueryPlan(f"SELECT v.id FROM {ANTI_FROM}", Bound.UPPER, 1, companion=whole)
    assert judged(judge, ANTI, plan) == "right"
    assert judged(judge, ANTI, replace(plan, companion=whole.split(" UNION ")[0])) == "missing"


BOTH = Case(Query(UnionAll((HANDLES.query, Query(Block(("title",), (table("videos"),)))))))
BOTH_TEXT = (
    'SELECT "seenby$1", NULL::text, handle FROM shown.accounts UNION ALL SELECT NULL, {}, title FROM shown.videos'
)


def test_a_branch_without_its_key_is_found(judge: Judge) -> None:
    right = QueryPlan(BOTH_TEXT.format('"seenby$1"'), Bound.EXACT, 1, (ACCOUNT, ACCOUNT))
    # Every author has an account that the first branch names already, so only another branch shows the mistake.
    assert judged(judge, BOTH, right) == "right"
    contacts = Case(Query(UnionAll((MESSAGES.query, Query(Block(("id",), (table("contacts"),)))))))
    first = 'SELECT "seenby$1" AS a, "seenby$2" AS b, NULL::text AS c, id FROM shown.messages'
    for key, verdict in (('"seenby$2"', "right"), ("NULL", "missing")):
        text = f'{first} UNION ALL SELECT "seenby$1", NULL, {key}, id FROM shown.contacts'
        plan = QueryPlan(text, Bound.EXACT, 1, (ACCOUNT, ACCOUNT, CONTACT))
        assert judged(judge, contacts, plan) == verdict


SECOND = case("id", table("accounts"), order=(Sort("id", 0),), limit=Count("LIMIT 2", 2), offset=Count("OFFSET 1", 1))
SECOND_TEXT = 'SELECT "seenby$1", id FROM shown.accounts ORDER BY id LIMIT '


def test_rows_skipped_by_offset_are_attributed(judge: Judge) -> None:
    right = QueryPlan(SECOND_TEXT + "3", Bound.EXACT, 1, (ACCOUNT,), offset=1)
    assert judged(judge, SECOND, right) == "right"
    assert judged(judge, SECOND, replace(right, sql=SECOND_TEXT + "2 OFFSET 1", offset=0)) == "missing"
    assert judged(judge, SECOND, replace(right, offset=0)) == "rows"


def test_any_of_equal_rows_may_come_first_but_its_person_must_be_named(judge: Judge) -> None:
    query = case("handle", table("accounts"), where=("handle = 'ann'",), limit=Count("LIMIT 1", 1))
    text = "SELECT {} FROM shown.accounts WHERE handle = 'ann' ORDER BY id {} LIMIT 1"
    for direction in ("ASC", "DESC"):
        plan = QueryPlan(text.format('"seenby$1", handle', direction), Bound.EXACT, 1, (ACCOUNT,))
        assert judged(judge, query, plan) == "right"
    nobody = QueryPlan(text.format("NULL::text, handle", ""), Bound.EXACT, 1, (ACCOUNT,))
    assert judged(judge, query, nobody) == "missing"


def test_an_error_is_one_bit_about_the_people_of_the_companion(judge: Judge) -> None:
    query = case("10 / coins", table("accounts"))
    text = 'SELECT "seenby$1", 10 / coins FROM shown.accounts'
    plan = QueryPlan(text, Bound.EXACT, 1, (ACCOUNT,), companion="SELECT 'account', \"seenby$1\" FROM shown.accounts")
    assert judged(judge, query, plan) == "right"
    assert judged(judge, query, replace(plan, companion=None)) == "missing"
    assert judged(judge, query, replace(plan, sql=text.replace("10 /", "10 *"))) == "error"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('SELECT "seenby$1", handle FROM unscoped.accounts', "rows"),
        ('SELECT "seenby$1", handle FROM shown.accounts WHERE id > 1', "rows"),
        ('SELECT "seenby$1", handle FROM shown.accounts UNION ALL SELECT NULL, NULL', "rows"),
        ('SELECT "seenby$1", handle AS h FROM shown.accounts', "columns"),
        ('SELECT "seenby$1", handle::varchar FROM shown.accounts', "columns"),
        ('SELECT "seenby$1", handle, id FROM shown.accounts', "columns"),
        ('SELECT handle, "seenby$1" AS handle FROM shown.accounts', "rows"),
        ('SELECT "seenby$1", handle FROM public.accounts', "error"),
    ],
)
def test_a_plan_that_is_silently_wrong_is_found(judge: Judge, text: str, kind: str) -> None:
    assert judged(judge, HANDLES, replace(HANDLES_PLAN, sql=text)) == kind


def test_a_view_that_does_not_mask_is_found(judge: Judge) -> None:
    query = case("email", table("accounts"))
    text = 'SELECT "seenby$1", email FROM {}.accounts'
    plan = QueryPlan(text.format("shown"), Bound.EXACT, 1, (ACCOUNT,))
    assert judged(judge, query, plan) == "right"
    assert judged(judge, query, replace(plan, sql=text.format("leaky"))) == "rows"


def test_a_wrong_order_is_found_only_where_the_order_is_fixed(judge: Judge) -> None:
    by_home = replace(HANDLES, query=replace(HANDLES.query, order=(Sort("home || ''", None),)))
    plan = replace(HANDLES_PLAN, sql=HANDLES_PLAN.sql + " ORDER BY home DESC")
    assert judged(judge, by_home, plan) == "rows"
    for tie in ("id", "id DESC"):
        assert judged(judge, by_home, replace(plan, sql=f"{HANDLES_PLAN.sql} ORDER BY home, {tie}")) == "right"


def test_refusals_are_judged_by_what_was_expected(judge: Judge) -> None:
    no = RefusedPlan(Unsupported("no"))
    assert judged(judge, HANDLES, no) == "refused with 0A000"
    assert judged(judge, replace(HANDLES, expect=Expect.EITHER), no) == "right"
    assert judged(judge, replace(HANDLES, expect=Expect.REFUSE), no) == "right"
    assert judged(judge, replace(HANDLES, expect=Expect.REFUSE), HANDLES_PLAN) == "answered"


def test_a_failing_case_is_shrunk_to_what_matters(judge: Judge) -> None:
    """The plan names nobody: one table and one column are enough to show it."""
    big = case(
        "v.title, v.views",
        Join("JOIN", table("videos", "v"), table("accounts", "a"), on=("v.author = a.id",)),
        where=("v.views > 1", "a.coins IS NOT NULL"),
        order=(Sort("a.joined", None),),
        limit=Count("LIMIT 5", 5),
    )

    def nobody(text: str) -> tuple[Plan, ...]:
        text = text.replace("videos AS", "shown.videos AS").replace("accounts AS", "shown.accounts AS")
        visible = text.split(" FROM ", 1)[0].count(",") + 1
        return (QueryPlan(text, Bound.NOBODY, visible),)

    small = minimise(judge, big, nobody, "missing")
    assert small.text in {"SELECT v.title FROM videos AS v", "SELECT v.views FROM videos AS v"}


ENDLESS = "pg_catalog.pg_sleep(3600)"


@pytest.mark.parametrize(
    "plan",
    [
        replace(HANDLES_PLAN, bound=Bound.UPPER, companion=f"SELECT 'account', '1' FROM {ENDLESS}"),
        replace(HANDLES_PLAN, sql=f"{HANDLES_PLAN.sql}, {ENDLESS}"),
    ],
)
def test_a_query_that_takes_too_long_is_counted_and_several_are_told(judge: Judge, plan: QueryPlan) -> None:
    judge.reader.run("SET statement_timeout = 20")
    try:
        counts, failures = run(judge, [HANDLES] * SLOW_ALLOWED, lambda text: (plan,))
        assert (counts[SLOW]["queries"], counts[SLOW]["refused"], failures) == (SLOW_ALLOWED, SLOW_ALLOWED, {})
        counts, failures = run(judge, [HANDLES] * (SLOW_ALLOWED + 1), lambda text: (plan,))
        assert SLOW not in counts
        assert HANDLES.text in told(judge, "a seed", lambda text: (plan,), failures)
    finally:
        judge.reader.run(f"SET statement_timeout = '{PATIENCE_S}s'")

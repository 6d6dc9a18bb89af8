"""What an analyst may try who wants to know about one person: each of these once told, and is refused or left out."""

from __future__ import annotations

import psycopg
import pytest

from seenby.model.grant import Write, WriteAction
from tests.conformance.test_statistics import Connection, analyst, grant, real, rows
from tests.fixtures.gateway import Served

__all__ = ["analyst"]
pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("served")]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT max(birth_date) > ALL (SELECT date '1990-01-01') FROM accounts",
        "SELECT string_agg(handle, ',') IN (SELECT 'x') FROM accounts",
        "SELECT count(*) FROM accounts HAVING max(birth_date) > ALL (SELECT date '1990-01-01')",
        "SELECT count(*) FROM accounts ORDER BY max(birth_date) IN (SELECT date '1990-01-01')",
    ],
)
def test_what_a_subquery_is_compared_with_is_a_figure_too(analyst: Connection, sql: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="single person's value"):
        rows(analyst, sql)


def test_a_filtered_figure_that_a_subquery_is_compared_with_is_left_out_too(analyst: Connection) -> None:
    asked = ", ".join(
        f"count(*) FILTER (WHERE country = '{one}') IN (SELECT {n})" for one, n in (("GR", 6), ("DE", 17))
    )
    assert rows(analyst, f"SELECT {asked} FROM accounts") == [(None, True)]


def test_two_cases_do_not_meet_in_one_person(served: Served, analyst: Connection) -> None:
    """Either chooses more than ten people, and the rows where both give a value are of one."""
    [(one,)] = real(served, "SELECT id FROM accounts WHERE country = 'FR' LIMIT 1")
    arguments = ", ".join(f"CASE WHEN country = '{c}' OR id = {one} THEN length(handle) END" for c in ("DE", "IE"))
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="of two CASEs could pick a single person"):
        rows(analyst, f"SELECT regr_avgx({arguments}) FROM accounts")


@pytest.mark.parametrize("who", ["id", "handle", "email", "phone"])
def test_nine_who_are_known_and_one_if_she_is_a_woman_are_no_statistic(
    served: Served, analyst: Connection, who: str
) -> None:
    """Ten people or nine: whether there is an answer would say it, of anybody, and no answer would be near another."""
    ten = real(
        served, f"SELECT {who}, gender FROM accounts WHERE {who} IS NOT NULL AND gender <> '' ORDER BY id LIMIT 10"
    )
    nine = ", ".join(f"'{one}'" for one, _ in ten[:9])
    one, gender = ten[9]
    for condition in (f"{who} IN ({nine}) OR ({who} = '{one}' AND gender = '{gender}')",
                      f"{who} IN ({nine}, '{one}') AND (handle > '' OR gender = '{gender}')"):  # fmt: skip
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="could ask about a single person"):
            rows(analyst, f"SELECT 1, count(*) FROM accounts WHERE {condition} GROUP BY 1")
    sql = f"SELECT count(*) FROM accounts WHERE {who} NOT IN ({nine}) AND country = 'IE'"
    assert rows(analyst, sql) == real(served, sql), "people may be left out"


def test_the_same_question_is_not_asked_again_after_a_change_of_one_s_own(served: Served) -> None:
    """Hide somebody's only video, and what the sum has lost is what they earned with it."""
    served.region.gateway.grants._remembered._memories.pop("lotte.maes", None)  # type: ignore[attr-defined]
    sql = "SELECT sum(views), count(*) FROM videos WHERE visibility = 'public'"
    [(video, person)] = real(served, "SELECT min(id), account_id FROM videos WHERE visibility = 'public' "
                                     "GROUP BY 2 HAVING count(*) = 1 LIMIT 1")  # fmt: skip
    asks = served.grant("lotte.maes", ("content", ("eu", "us")), answers="statistics")
    cells = (("communication", ["eu", "us"]), ("content", ["eu", "us"]))
    changes = served.grant("lotte.maes", *cells, people=[f"account:{person}"],
                           writes=[Write("videos", WriteAction.UPDATE, ("visibility",))])  # fmt: skip
    with (
        served.connect("lotte.maes", asks) as connection,
        served.connect("lotte.maes", changes) as changing,
        served.direct() as direct,
    ):
        assert rows(connection, sql) == real(served, sql)
        assert rows(connection, sql) == real(served, sql)
        changing.execute(f"UPDATE videos SET visibility = 'hidden' WHERE id = {video}".encode())
        try:
            with pytest.raises(psycopg.errors.ConfigurationLimitExceeded, match="differ by fewer than 10 people"):
                rows(connection, sql)
        finally:
            direct.execute("UPDATE videos SET visibility = 'public' WHERE id = %s", (video,))
        assert rows(connection, sql) == real(served, sql), "what was told may be told again"


def test_two_sets_of_groups_are_compared_as_two_statistics_are(served: Served, analyst: Connection) -> None:
    """17 Germans, and 18 people who are German or Mr X."""
    [(one,)] = real(served, "SELECT created_at FROM accounts WHERE country = 'IT' LIMIT 1")
    sets = "GROUP BY GROUPING SETS ((country = 'DE'), (country = 'DE' OR created_at = '{}'))"
    with pytest.raises(psycopg.errors.ConfigurationLimitExceeded, match="two figures of this statistic differ by"):
        rows(analyst, f"SELECT count(*) FROM accounts {sets.format(one)}")
    apart = "SELECT count(*) FROM accounts GROUP BY GROUPING SETS ((country = 'DE'), (language = 'en')) ORDER BY 1"
    assert rows(analyst, apart) == real(served, apart)


def test_values_are_not_weighed_by_what_is_known_of_each_person(served: Served, analyst: Connection) -> None:
    """Ten people and ten sums, each coin times the hour, the minute... at which its owner signed up: ten unknowns."""
    ten = ", ".join(str(one) for (one,) in real(served, "SELECT id FROM accounts ORDER BY 1 LIMIT 10"))
    source = f"FROM wallets w JOIN accounts a ON a.id = w.account_id WHERE a.id IN ({ten})"
    for figure in (
        "covar_pop(w.coins, extract(minute FROM a.created_at))",
        "corr(w.coins, length(a.handle))",
        "var_pop(w.coins::numeric + extract(minute FROM a.created_at))",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="weigh each person by what is known of them"):
            rows(analyst, f"SELECT {figure} {source}")
    assert rows(analyst, f"SELECT sum(w.coins::numeric + extract(minute FROM a.created_at)) {source}")


def test_more_sets_than_anybody_can_count_are_refused_at_once(analyst: Connection) -> None:
    cube = "CUBE (country, handle, bio, interests, phone, email, full_name, gender)"
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="more than 16 sets of groups"):
        rows(analyst, f"SELECT count(*) FROM accounts GROUP BY {', '.join([cube] * 6)}")


def test_noise_grows_with_how_often_a_set_of_groups_is_shown(served: Served) -> None:
    """Ten counts of everybody, each with noise of its own: a person changes all ten, and their mean is no better."""
    off = []
    with served.connect("lena.koch", grant(served, "lena.koch", noise={"budget": 30_000, "each": 1000})) as connection:
        [(whole,)] = real(served, "SELECT count(*) FROM accounts")
        for _ in range(30):
            found = rows(connection, f"SELECT count(*) FROM accounts GROUP BY GROUPING SETS ({', '.join(['()'] * 10)})")
            off += [abs(count - whole) for (count,) in found]
    assert len(off) == 300
    assert 7 < sum(off) / len(off) < 13, "the scale is 10 / epsilon"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM accounts a, (SELECT n FROM generate_series(1, 1000) n) s",
        "SELECT count(DISTINCT follower_id) FROM follows",  # when one goes away whom they follow, so do many rows
    ],
)
def test_noise_is_refused_where_one_person_changes_more_than_one(served: Served, sql: str) -> None:
    with (
        served.connect("lena.koch", grant(served, "lena.koch", noise={"budget": 1000, "each": 1000})) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="somebody can have several rows"),
    ):
        rows(connection, sql)


def test_null_is_nobody_s_value(served: Served, analyst: Connection) -> None:
    """Of 150 people one is protected as something: a sum of that would be theirs, and so would a count."""
    [(there,)] = real(served, "SELECT count(protected_as) FROM accounts")
    assert 0 < there < 10
    sql = "SELECT sum(length(protected_as)), avg(length(protected_as)), sum(length(bio)) FROM accounts"
    assert rows(analyst, sql) == [(None, None, real(served, sql)[0][2])]
    assert rows(analyst, "SELECT count(*), count(protected_as) FROM accounts") == [(150, None)]
    assert rows(analyst, "SELECT regr_count(length(handle), length(protected_as)) FROM accounts") == [(None,)]


def test_two_sums_of_what_few_have_do_not_tell_on_one_who_has_it(served: Served, analyst: Connection) -> None:
    """The second leaves out one who has a bio and twelve who have none: thirteen people, and one value."""
    [(one,)] = real(served, "SELECT min(id) FROM accounts WHERE bio IS NOT NULL")
    others = ", ".join(str(n) for (n,) in real(served, "SELECT id FROM accounts WHERE bio IS NULL ORDER BY 1 LIMIT 30"))
    sql = "SELECT sum(length(bio)) FROM accounts WHERE id > {}"
    assert rows(analyst, sql.format(0)) == real(served, sql.format(0))
    with pytest.raises(psycopg.errors.ConfigurationLimitExceeded, match="differ by fewer than 10 people"):
        rows(analyst, sql.format(f"0 AND id NOT IN ({one}, {others})"))


def test_a_count_of_values_is_held_against_the_count_of_rows(served: Served, analyst: Connection) -> None:
    """All but a few have a bio: the two counts would say how few have none."""
    few = ", ".join(f"'{at}'" for (at,) in real(served, "SELECT created_at FROM accounts WHERE bio IS NULL LIMIT 4"))
    some = f"FROM accounts WHERE bio IS NOT NULL OR created_at IN ({few})"
    with pytest.raises(psycopg.errors.ConfigurationLimitExceeded, match="two figures of this statistic differ"):
        rows(analyst, f"SELECT count(*), count(bio) {some}")

"""The map against the live database: every name, every key, every type."""

from __future__ import annotations

from dataclasses import replace

import pytest

from seenby.datamap import ColumnFact, DatabaseFacts, TableFact, TableName, check_facts, parse
from seenby.errors import ConfigError

MAP = """
version = 1
[people.account]
table = "accounts"
key = "id"
region_column = "region"
protected = "flag"
[tables.accounts]
key = ["id"]
owners = [{ kind = "account", path = "id" }]
columns = { id = "public", region = "public" }
[tables.posts]
key = ["id"]
owners = [{ kind = "account", path = "account_id" }]
columns = { id = "public" }
[tables.likes]
key = ["post_id", "n"]
owners = [{ kind = "account", path = ["post_id -> posts.id", "account_id"] }]
columns = { n = "public" }
"""


def table(name: str, unique: list[set[str]], **types: str) -> TableFact:
    categories = {"int8": "N", "text": "S", "bool": "B", "float8": "N", "bytea": "U"}
    columns = {n: ColumnFact(n, 20, t, t, t, categories[t], False) for n, t in types.items()}
    return TableFact(TableName("public", name), 1, columns, frozenset(map(frozenset, unique)), frozenset())


ACCOUNTS = table("accounts", [{"id"}], id="int8", region="text", flag="bool")
POSTS = table("posts", [{"id"}], id="int8", account_id="int8")
LIKES = table("likes", [{"post_id", "n"}], post_id="int8", n="int8")


def facts(*tables: TableFact) -> DatabaseFacts:
    return DatabaseFacts("v", {found.name: found for found in tables})


DATAMAP = parse(MAP, source="map.toml", region="eu")


def test_it_agrees() -> None:
    check_facts(DATAMAP, facts(ACCOUNTS, POSTS, LIKES))


def without(fact: TableFact, column: str) -> TableFact:
    return replace(fact, columns={name: found for name, found in fact.columns.items() if name != column})


def typed(fact: TableFact, column: str, base: str) -> TableFact:
    return replace(fact, columns=fact.columns | {column: replace(fact.columns[column], base_name=base, type_name=base)})


@pytest.mark.parametrize(
    ("live", "message"),
    [
        (facts(ACCOUNTS, LIKES), "tables.posts: the database has no such table"),
        (facts(without(ACCOUNTS, "region"), POSTS, LIKES), "table accounts has no column region"),
        (facts(without(ACCOUNTS, "flag"), POSTS, LIKES), "people.account: table accounts has no column flag"),
        (facts(ACCOUNTS, without(POSTS, "account_id"), LIKES), "posts: owners: table posts has no column account_id"),
        (facts(ACCOUNTS, POSTS, without(LIKES, "post_id")), "table likes has no column post_id"),
        (facts(replace(ACCOUNTS, unique=frozenset()), POSTS, LIKES), r"accounts \(id\) is not unique"),
        (facts(ACCOUNTS, replace(POSTS, unique=frozenset()), LIKES), r"posts \(id\) is not unique"),
        (facts(ACCOUNTS, POSTS, replace(LIKES, unique=frozenset())), r"key: likes \(post_id, n\) is not unique"),
        (facts(typed(ACCOUNTS, "id", "float8"), POSTS, LIKES), "of type float8, which cannot name a person"),
        (facts(ACCOUNTS, typed(POSTS, "account_id", "bytea"), LIKES), "of type bytea, which cannot name a person"),
        (facts(ACCOUNTS, typed(POSTS, "id", "uuid"), LIKES), "likes.post_id is of type int8 and posts.id of type uuid"),
        (facts(ACCOUNTS, typed(POSTS, "account_id", "text"), LIKES), "account_id is of type text and accounts.id"),
        (facts(typed(ACCOUNTS, "flag", "int8"), POSTS, LIKES), "people.account: flag is of type int8"),
        (facts(replace(ACCOUNTS, columns=ACCOUNTS.columns | {"region": replace(ACCOUNTS.columns["id"], name="region")}),
               POSTS, LIKES), "region_column region is of type int8"),
    ],
)  # fmt: skip
def test_it_does_not(live: DatabaseFacts, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as refused:
        check_facts(DATAMAP, live)
    assert refused.value.message.startswith("map.toml: ")
    assert refused.value.hint


AGED = MAP.replace(
    'region_column = "region"\n', 'country_column = "region"\ncountries = { eu = ["FR"] }\nbirth_date = "born"\n'
).replace('protected = "flag"', 'minor = "flag"')
DATED = replace(ACCOUNTS, columns=ACCOUNTS.columns | {"born": replace(ACCOUNTS.columns["id"], name="born")})


def test_countries_and_ages() -> None:
    check_facts(parse(AGED, source="map.toml", region="eu"), facts(typed(DATED, "born", "date"), POSTS, LIKES))


@pytest.mark.parametrize(
    ("account", "message"),
    [
        (typed(DATED, "born", "int8"), "people.account: birth_date born is of type int8"),
        (typed(typed(DATED, "born", "date"), "flag", "int8"), "people.account: flag is of type int8"),
        (without(DATED, "region"), "table accounts has no column region"),
        (replace(DATED, columns=DATED.columns | {"region": replace(DATED.columns["id"], name="region")}),
         "country_column region is of type int8"),
    ],
)  # fmt: skip
def test_columns_that_are_neither(account: TableFact, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check_facts(parse(AGED, source="map.toml", region="eu"), facts(account, POSTS, LIKES))

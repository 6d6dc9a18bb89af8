"""Paths from rows to people: every way the rules know, on databases of a few columns."""

from __future__ import annotations

from dataclasses import replace

import pytest

from seenby.attach.inspection import Contained, FoundColumn, Inspection, Trial
from seenby.attach.proposal import Answer, Proposal
from seenby.attach.propose import propose, trials
from seenby.attach.references import Reference, weigh
from seenby.datamap import TableName
from tests.unit.attach.build import database

USERS = "id*, email, password_hash"


def made(inspection: Inspection, **answers: str) -> Proposal:
    given = {subject.replace("__", "."): answer for subject, answer in answers.items()}
    return propose(inspection, {}, {s: Answer(s, a, "ana", "2026-11-29T08:00:00Z") for s, a in given.items()})


def owners(proposal: Proposal, table: str) -> list[str]:
    return [" / ".join(owner.path) for owner in proposal.tables[TableName("public", table)].owners]


def test_foreign_keys_over_several_tables() -> None:
    found = made(
        database(
            users=USERS,
            wallets="id*, user_id -> users.id",
            purchases="id*, wallet_id -> wallets.id",
            refunds="id*, purchase_id -> purchases.id",
        )
    )
    assert owners(found, "refunds") == [
        "purchase_id -> purchases.id / wallet_id -> wallets.id / user_id",
    ]


def test_every_parent_counts_whatever_the_order() -> None:
    """The item's listing is further from its person than its order: the item waits for both."""
    found = made(
        database(
            users=USERS,
            shops="id*, keeper_id -> users.id",
            listings="id*, shop_id -> shops.id",
            orders="id*, buyer_id -> users.id",
            items="id*, order_id -> orders.id, listing_id -> listings.id",
        )
    )
    assert set(owners(found, "items")) == {
        "listing_id -> listings.id / shop_id -> shops.id / keeper_id",
        "order_id -> orders.id / buyer_id",
    }


def test_several_people_of_one_row() -> None:
    found = made(database(users=USERS, messages="id*, sender_id -> users.id, recipient_id -> users.id, body"))
    assert set(owners(found, "messages")) == {"recipient_id", "sender_id"}


def test_circles_end() -> None:
    found = made(
        database(users=USERS, a="id*, b_id -> b.id", b="id*, a_id -> a.id, c_id -> c.id", c="id*, user_id -> users.id")
    )
    assert owners(found, "b") == ["c_id -> c.id / user_id"]
    assert owners(found, "a") == ["b_id -> b.id / c_id -> c.id / user_id"]


def test_sign_in_beside_the_people() -> None:
    """users extend accounts: more tables refer to accounts, and what refers to users goes through them."""
    found = made(
        database(
            accounts="id*, username, display_name",
            users="id*, email, encrypted_password, account_id -> accounts.id",
            posts="id*, account_id -> accounts.id",
            likes="id*, account_id -> accounts.id",
            logins="id*, user_id -> users.id, ip",
        )
    )
    assert found.people[0].table.name == "accounts"
    assert owners(found, "logins") == ["user_id -> users.id / account_id"]


def test_without_foreign_keys() -> None:
    found = made(database(users=USERS, posts="id*, user_id, body", post_likes="id*, post_id", views="id*, viewer_id"))
    assert owners(found, "posts") == ["user_id"]
    assert owners(found, "post_likes") == ["post_id -> posts.id / user_id"]
    assert owners(found, "views") == ["viewer_id"]


def test_one_row_for_each_backwards() -> None:
    inspection = database(accounts="id*, username, password_hash", actors="id*, url")
    name = TableName("public", "accounts")
    table = inspection.tables[name]
    linked = database(accounts="id*, username, password_hash, actor_id -> actors.id", actors="id*, url").tables[name]
    grown = replace(table, columns=linked.columns, unique=(("id",), ("actor_id",)), foreign=linked.foreign)
    tables = {**inspection.tables, name: grown}
    found = made(Inspection("x", "18", tables))
    assert owners(found, "actors") == ["id -> accounts.actor_id / id"]


def test_a_table_in_doubt_takes_those_that_lead_to_it_along() -> None:
    found = made(database(users=USERS, rooms="id*, topic", visits="id*, room_id -> rooms.id"))
    assert "its name says communication" in found.tables[TableName("public", "rooms")].refused
    assert "it leads to rooms" in found.tables[TableName("public", "visits")].refused
    told = made(database(users=USERS, rooms="id*, topic", visits="id*, room_id -> rooms.id"), tables__rooms="nobody")
    assert told.tables[TableName("public", "visits")].nobody


def test_what_is_refused_closes_the_paths_through_it() -> None:
    inspection = database(
        users=USERS,
        posts="id*, user_id -> users.id",
        pictures="id*, post_id -> posts.id",
        tags="id*, picture_id -> pictures.id",
    )
    found = made(inspection, tables__posts="refused").tables
    assert found[TableName("public", "posts")].refused == "refused, said ana"
    for name in ("pictures", "tags"):
        assert found[TableName("public", name)].refused.startswith("its people are found through")
        assert not found[TableName("public", name)].owners


def test_a_name_that_leads_nowhere_is_no_nobody() -> None:
    found = made(database(users=USERS, things="id*, created_by text"))
    assert "created_by seems to name a person" in found.tables[TableName("public", "things")].refused


def test_personal_json_is_not_of_nobody() -> None:
    """Nothing but the values inside says that the rows are about people."""
    inspection, parcels = database(users=USERS, parcels="number*, payload json"), TableName("public", "parcels")
    columns = inspection.tables[parcels].columns
    samples = tuple(f'{{"to": {{"mail": "p{n}@example.org"}}}}' for n in range(9))
    columns["payload"] = replace(columns["payload"], samples=samples)
    assert made(inspection).tables[parcels].refused == "payload may be about a person, but nothing says whom"


def test_an_array_of_people_is_told() -> None:
    inspection = database(users=USERS, chats="id*, opened_by_id -> users.id", clubs="id*")
    many = FoundColumn("member_ids", "bigint[]", "_int8", "b", element="int8")
    tables = {n: replace(t, columns={**t.columns, "member_ids": many}) if n.name != "users" else t
              for n, t in inspection.tables.items()}  # fmt: skip
    found = made(Inspection("x", "18", tables)).tables
    assert "not followed: member_ids may hold keys of people" in found[TableName("public", "chats")].notes[0]
    assert "member_ids may hold keys of people: as its name says" in found[TableName("public", "clubs")].refused


def test_answers_about_references() -> None:
    inspection = database(users=USERS, things="id*, owner int")
    assert owners(made(inspection), "things") == [], "a number called owner may be anything"
    told = made(inspection, references__things__owner="users.id")
    assert owners(told, "things") == ["owner"]
    inspection = database(users=USERS, things="id*, user_id")
    assert owners(made(inspection, references__things__user_id="no"), "things") == []


@pytest.mark.parametrize(
    ("confidence", "seen", "least", "most"),
    [
        (0.85, None, 0.85, 0.85),
        (0.85, Contained(40, 40), 0.95, 0.97),
        (0.85, Contained(40, 30), 0.65, 0.7),
        (0.85, Contained(40, 2), 0.65, 0.65),
        (0.85, Contained(40, 0), 0.0, 0.2),
        (0.85, Contained(40, 0, empty=True), 0.85, 0.85),
        (0.3, Contained(40, 40), 0.8, 0.9),
        (0.3, Contained(40, 39), 0.0, 0.0),
        (0.3, None, 0.0, 0.0),
    ],
)
def test_looked_up_values_decide(confidence: float, seen: Contained | None, least: float, most: float) -> None:
    here, there = TableName("public", "a"), TableName("public", "b")
    weighed = weigh(Reference(here, "x", there, "id", confidence, "name and type"), seen)
    assert least <= weighed.confidence <= most


def test_what_is_looked_up() -> None:
    """Only what a guess rests on, and only columns of which values were sampled."""
    inspection = database(users=USERS, posts="id*, user_id, editor_id -> users.id")
    assert trials(inspection, {}) == [], "no samples"
    table = inspection.tables[TableName("public", "posts")]
    sampled = {n: replace(c, samples=("1", "2", "3")) for n, c in table.columns.items()}
    name = table.name
    filled = Inspection("x", "18", {**inspection.tables, name: replace(table, columns=sampled)})
    assert trials(filled, {}) == [Trial(name, "user_id", TableName("public", "users"), "id")]

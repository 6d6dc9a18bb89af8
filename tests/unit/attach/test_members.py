"""Groups of people: whose is what is said in one? Asked, never assumed; then everybody who reads it is an owner."""

from __future__ import annotations

import pytest

from seenby.attach.inspection import Inspection
from seenby.attach.proposal import Answer, Proposal
from seenby.attach.propose import propose
from seenby.attach.write import to_toml
from seenby.datamap import DataMap, TableName, parse
from tests.unit.attach.build import database

MESSENGER = {
    "accounts": "id*, email, password_hash",
    "chats": "id*, topic",
    "chat_members": "chat_id* -> chats.id, account_id* -> accounts.id",
    "messages": "id*, chat_id -> chats.id, sender_id -> accounts.id, body",
    "attachments": "id*, message_id -> messages.id, file_name",
    "chat_notices": "id*, chat_id -> chats.id, body",
}


def answered(inspection: Inspection, answer: str = "", subject: str = "members.chats") -> Proposal:
    told = {subject: Answer(subject, answer, "ana", "2026-11-29T08:00:00Z")} if answer else {}
    return propose(inspection, {}, told)


def asked(proposal: Proposal) -> list[str]:
    return [one.subject for one in proposal.questions if one.subject.startswith("members.")]


def paths(datamap: DataMap, table: str) -> list[str]:
    return [" / ".join(owner.path) for owner in datamap.tables[TableName("public", table)].owners]


def test_until_somebody_decides_a_message_is_its_senders_and_a_note_says_so() -> None:
    made = answered(database(**MESSENGER))
    assert asked(made) == ["members.chats"]
    messages = made.tables[TableName("public", "messages")]
    assert [owner.path for owner in messages.owners] == [("sender_id",)]
    assert (
        "perhaps of every member of chats too, whom chat_members.account_id names: nobody has said so" in messages.notes
    )


def test_every_member_of_a_group_owns_what_is_said_in_it() -> None:
    """And what hangs on a message, and the group itself: the map is closed."""
    made = answered(database(**MESSENGER), "chat_members.account_id")
    assert asked(made) == []
    datamap = parse(to_toml(made), source="map.toml", region="eu")
    assert paths(datamap, "chats") == ["id <- chat_members.chat_id / account_id"]
    assert paths(datamap, "messages") == [
        "sender_id", "chat_id -> chats.id / id <- chat_members.chat_id / account_id",
    ]  # fmt: skip
    assert paths(datamap, "attachments") == [
        "message_id -> messages.id / sender_id",
        "message_id -> messages.id / chat_id -> chats.id / id <- chat_members.chat_id / account_id",
    ]
    assert paths(datamap, "chat_notices") == ["chat_id -> chats.id / id <- chat_members.chat_id / account_id"]
    assert paths(datamap, "chat_members") == ["account_id"], "that somebody is a member is theirs alone"
    shared = {str(name) for name, table in datamap.tables.items() if table.shared}
    assert shared == {"chats", "messages", "attachments", "chat_notices"}


def test_no_is_an_answer() -> None:
    made = answered(database(**MESSENGER), "no")
    assert asked(made) == []
    messages = made.tables[TableName("public", "messages")]
    assert ([owner.path for owner in messages.owners], messages.notes) == ([("sender_id",)], ())


@pytest.mark.parametrize(
    ("tables", "why"),
    [
        ({"chats": "id*, topic", "messages": "id*, chat_id -> chats.id, sender_id -> accounts.id, body"}, "no members"),
        ({"topics": "id*, user_id -> accounts.id", "topic_users": "topic_id* -> topics.id, user_id* -> accounts.id",
          "posts": "id*, topic_id -> topics.id, user_id -> accounts.id, raw"}, "topics are no groups of people"),
        ({"groups": "id*, name", "group_users": "group_id* -> groups.id, user_id* -> accounts.id",
          "group_colours": "id*, group_id -> groups.id, colour"}, "nothing is said in them"),
        ({"rooms": "id*, name", "bookings": "id*, room_id -> rooms.id, account_id -> accounts.id",
          "messages": "id*, room_id -> rooms.id, account_id -> accounts.id, body"}, "a booking is no membership"),
    ],
)  # fmt: skip
def test_what_is_not_asked(tables: dict[str, str], why: str) -> None:
    assert asked(answered(database(accounts=MESSENGER["accounts"], **tables))) == [], why


def test_a_member_by_the_tables_name_alone() -> None:
    """No key says that a row is one membership, but the name does, and there is one person in it."""
    tables = MESSENGER | {"chat_members": "id*, chat_id -> chats.id, account_id -> accounts.id"}
    assert asked(answered(database(**tables))) == ["members.chats"]
    tables = MESSENGER | {"chat_members": "id*, chat_id -> chats.id, account_id -> accounts.id, by_id -> accounts.id"}
    assert asked(answered(database(**tables))) == [], "which of the two is the member?"


def test_the_creator_of_a_group_is_an_owner_too() -> None:
    tables = MESSENGER | {"chats": "id*, topic, creator_id -> accounts.id"}
    datamap = parse(to_toml(answered(database(**tables), "chat_members.account_id")), source="map.toml", region="eu")
    assert paths(datamap, "chats") == ["creator_id", "id <- chat_members.chat_id / account_id"]


def test_whoever_else_a_membership_names_owns_it_too() -> None:
    """The map is closed: who invited a member stands on the way to that member."""
    tables = MESSENGER | {
        "chat_members": "chat_id* -> chats.id, account_id* -> accounts.id, invited_by_id -> accounts.id"
    }
    datamap = parse(to_toml(answered(database(**tables), "chat_members.account_id")), source="map.toml", region="eu")
    assert paths(datamap, "chats") == [
        "id <- chat_members.chat_id / account_id", "id <- chat_members.chat_id / invited_by_id",
    ]  # fmt: skip


def test_an_answer_about_another_column_decides_nothing() -> None:
    made = answered(database(**MESSENGER), "old.column")
    assert [owner.path for owner in made.tables[TableName("public", "messages")].owners] == [("sender_id",)]

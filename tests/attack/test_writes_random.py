"""Random statements that change something, with the role's own secret: nothing changes beyond the grant."""

from __future__ import annotations

import os
import random
from typing import Any

import psycopg
import pytest

from tests.attack.writes_world import Writable, writable

__all__ = ["writable"]

pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("attack-writes")]

COLUMNS = {
    "videos": ("id", "account_id", "caption", "visibility"),
    "accounts": ("id", "handle", "bio", "home_region"),
    "notes": ("id", "ticket_id", "body", "author", "created_at"),
    "decisions": ("id", "account_id", "video_id", "facts", "decided_by"),
    "links": ("id", "account_id", "network"),
    "follows": ("follower_id", "followee_id", "muted"),
}
MINE = {1, 2}
TRIES = 3000 if os.environ.get("SEENBY_CAMPAIGN") == "long" else 400
State = dict[str, dict[str, dict[str, Any]]]


class Tries:
    """Random statements that change something, over every view, most of them beyond the grant."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)

    def statement(self) -> str:
        table = self.rng.choice(["videos", "follows", "links", "notes", "decisions", *COLUMNS])
        make = {"videos": self.update, "follows": self.update, "links": self.delete}.get(table, self.insert)
        if self.rng.random() < 0.4:
            make = self.rng.choice([self.update, self.delete, self.insert, self.merge])
        return make(table)

    def column(self, table: str) -> str:
        likely = {"videos": "visibility", "follows": "muted"}
        return likely[table] if table in likely and self.rng.random() < 0.7 else self.rng.choice(COLUMNS[table])

    def value(self, column: str, *others: str) -> str:
        if others and self.rng.random() < 0.3:
            other = self.rng.choice(others)
            return f"{other}.{self.rng.choice(COLUMNS[other])}"
        if column == "muted":
            return self.rng.choice(["true", "NOT muted"])
        if column == "visibility":
            return self.rng.choice(["'hidden'", "'public'", "visibility"])
        if column.endswith("id"):
            return self.rng.choice(["1", "2", "3", "5", "NULL", str(self.rng.randint(1, 40))])
        return self.rng.choice(["'x'", "NULL", "now()", f"{column} || 'x'", "DEFAULT"])

    def where(self, table: str) -> str:
        column = self.rng.choice(COLUMNS[table])
        value = str(self.rng.randint(1, 30)) if column.endswith("id") else f"{table}.{column}"
        return self.rng.choice(["", f" WHERE {table}.{column} = {value}", f" WHERE {table}.{column} <> {value}"])

    def update(self, table: str) -> str:
        sets = {self.column(table) for _ in range(self.rng.choice([1, 1, 1, 2]))}
        other = self.rng.choice([one for one in COLUMNS if one != table])
        beside = self.rng.random() < 0.2
        text = ", ".join(f"{column} = {self.value(column, *((other,) if beside else ()))}" for column in sorted(sets))
        return f"UPDATE {table} SET {text}" + (f" FROM {other}" if beside else "") + self.where(table)

    def delete(self, table: str) -> str:
        return f"DELETE FROM {table}" + self.where(table)

    def insert(self, table: str) -> str:
        made = {"notes": ("ticket_id", "body"), "decisions": ("account_id", "video_id", "facts")}
        columns = made[table] if table in made and self.rng.random() < 0.7 else COLUMNS[table]
        listed = ", ".join(columns)
        if self.rng.random() < 0.2:
            source = self.rng.choice(list(COLUMNS))
            return f"INSERT INTO {table} ({listed}) SELECT {', '.join(map(self.value, columns))} FROM {source}"
        return f"INSERT INTO {table} ({listed}) VALUES ({', '.join(map(self.value, columns))})"

    def merge(self, table: str) -> str:
        column = self.column(table)
        source = self.rng.choice(list(COLUMNS))
        return (
            f"MERGE INTO {table} USING {source} s ON {table}.{COLUMNS[table][0]} = s.{COLUMNS[source][0]}"
            f" WHEN MATCHED THEN {self.rng.choice([f'UPDATE SET {column} = {self.value(column)}', 'DELETE'])}"
        )


def state_of(platform: psycopg.Connection[Any]) -> State:
    found: State = {}
    for table in COLUMNS:
        key = "t.follower_id || '-' || t.followee_id" if table == "follows" else "t.id::text"
        found[table] = dict(platform.execute(f"SELECT {key}, to_jsonb(t) FROM {table} t").fetchall())
    return found


def beyond(before: State, after: State) -> list[str]:
    """Every difference that the grant does not give."""
    found = []
    owner_of_ticket: dict[Any, int] = {number: number for number in range(1, 11)}
    owner_of_video: dict[Any, Any] = {row["id"]: row["account_id"] for row in before["videos"].values()}
    for table in COLUMNS:
        for key in before[table].keys() | after[table].keys():
            old, new = before[table].get(key), after[table].get(key)
            if old == new:
                continue
            if old is None and new is not None:
                owners = {
                    "notes": [owner_of_ticket.get(new.get("ticket_id"))],
                    "decisions": [
                        new.get("account_id"),
                        owner_of_video.get(new.get("video_id"), new.get("account_id")),
                    ],
                }.get(table, [None])
                author = new.get("author", new.get("decided_by"))
                if not set(owners) <= MINE or author != "sean":
                    found.append(f"inserted {table} {new}")
            elif new is None and old is not None:
                if table != "links" or old["account_id"] not in MINE:
                    found.append(f"deleted {table} {old}")
            elif old is not None and new is not None:
                differing = {name for name in new if new[name] != old[name]}
                owners = [old["account_id"]] if table == "videos" else [old.get("follower_id"), old.get("followee_id")]
                allowed = {"videos": {"visibility"}, "follows": {"muted"}}.get(table, set())
                if not differing <= allowed or not set(owners) <= MINE:
                    found.append(f"updated {table} {old} -> {new}")
    return found


def test_random_statements_change_nothing_beyond_the_grant(writable: Writable) -> None:
    tries = Tries(int(os.environ["SEENBY_SEED"]))
    done = 0
    with writable.superuser() as platform, writable.role() as role:
        before = state_of(platform)
        for _ in range(TRIES):
            sql = tries.statement()
            try:
                done += role.execute(sql.encode()).rowcount > 0
            except psycopg.Error:
                continue
            after = state_of(platform)
            assert not beyond(before, after), sql
            before = after
    assert done > TRIES / 20, "too little was changed for this to prove anything"


def test_the_judge_judges(writable: Writable) -> None:
    with writable.superuser() as platform:
        before = state_of(platform)
        for wrong in (
            "UPDATE videos SET visibility = 'hidden' WHERE id = 3",
            "UPDATE videos SET caption = 'x' WHERE id = 1",
            "DELETE FROM links WHERE id = 3",
            "INSERT INTO notes (ticket_id, body, author, created_at) VALUES (3, 'x', 'sean', now())",
            "INSERT INTO notes (ticket_id, body, author, created_at) VALUES (1, 'x', 'somebody', now())",
            "INSERT INTO decisions (account_id, video_id, facts, decided_by) VALUES (1, 3, 'x', 'sean')",
        ):
            platform.execute("BEGIN")
            platform.execute(wrong.encode())
            assert beyond(before, state_of(platform)), wrong
            platform.execute("ROLLBACK")

"""UPDATE, DELETE and INSERT: what becomes of them, and what is refused in words that say what would be possible."""

from __future__ import annotations

from dataclasses import replace

import pytest

from seenby.model.plan import RefusedPlan, WriteAction, WritePlan
from seenby.model.shape import ViewWrites
from seenby.sql import analyse
from tests.unit.sql.world import CATALOG, SHAPE

SHAPE_THAT_WRITES = replace(
    SHAPE,
    views=SHAPE.views
    | {
        ("public", "accounts"): replace(
            SHAPE.views["public", "accounts"], writes=ViewWrites(("id",), ("bio",), False, (), ())
        ),
        ("public", "messages"): replace(
            SHAPE.views["public", "messages"],
            writes=ViewWrites(("id",), ("body",), True, ("body", "recipient", "sender"), ("written_by",)),
        ),
    },
    writable={("public", "devices"): (("model",), True, ())},
)


def plan_of(sql: str) -> WritePlan:
    (plan,) = analyse(sql, SHAPE_THAT_WRITES, CATALOG, cap=10)
    assert not isinstance(plan, RefusedPlan), plan.error
    assert isinstance(plan, WritePlan)
    return plan


def test_an_update_gives_each_row_before_and_after() -> None:
    plan = plan_of("UPDATE accounts SET bio = 'x' WHERE id = $1 RETURNING handle, phone")
    row = [
        f'accounts.{name}::text AS "seenby$b{place}"'
        for place, name in enumerate(("id", "handle", "bio", "home", "coins", "joined"), start=2)
    ]
    inner = f'SELECT accounts."seenby$1" AS "seenby$b1", {", ".join(row)}, accounts.id AS "seenby$i1"'
    before = ", ".join(f'"seenby$b"."seenby$b{place}"' for place in range(1, 8))
    after = ", ".join(f"accounts.{name}::text" for name in ("id", "handle", "bio", "home", "coins", "joined"))
    assert plan.sql == (
        "UPDATE seenby_v.accounts accounts SET bio = 'x' "
        f'FROM ({inner} FROM seenby_v.accounts accounts WHERE id = $1 LIMIT 21) "seenby$b" '
        'WHERE accounts.id = "seenby$b"."seenby$i1" '
        f"RETURNING {before}, {after}, handle, phone"
    )
    assert plan.action is WriteAction.UPDATE
    assert (plan.hidden, plan.visible, plan.parameters) == (13, 2, 1)
    assert [name for name, _ in plan.row] == ["id", "handle", "bio", "home", "coins", "joined"]
    assert plan.changed == ("accounts.bio",)
    assert plan.columns == ("accounts.bio", "accounts.handle", "accounts.id")
    assert [(key.kind, [name for name, _ in key.columns]) for key in plan.keys] == [("account", list(plan.columns))]


def test_a_delete_gives_each_row_as_it_was() -> None:
    plan = plan_of("DELETE FROM messages m WHERE m.sender = 4 RETURNING m.id")
    assert plan.sql.startswith("DELETE FROM seenby_v.messages m USING (SELECT ")
    assert plan.sql.endswith('"seenby$b"."seenby$b6", m.id')
    assert (plan.before, plan.after, plan.hidden, plan.visible) == (True, False, 6, 1)
    assert len(plan.keys) == 2
    assert "messages.body" in plan.columns, "all of the row is gone"


def test_an_insert_gives_each_row_as_it_is() -> None:
    plan = plan_of(
        "INSERT INTO messages (sender, recipient, body) VALUES (1, $1, 'x'), (2, 3, 'a' || 'b') RETURNING id"
    )
    assert plan.sql == (
        "INSERT INTO seenby_v.messages AS messages (sender, recipient, body) VALUES (1, $1, 'x'), (2, 3, 'a' || 'b') "
        'RETURNING messages."seenby$1", messages."seenby$2", messages.id::text, messages.sender::text, '
        "messages.recipient::text, messages.body::text, id"
    )
    assert (plan.before, plan.after, plan.hidden, plan.visible, plan.parameters) == (False, True, 6, 1, 1)


@pytest.mark.parametrize(
    "where",
    [
        "id = 1", "1 = id", "id = $1", "id = '1'::bigint", "id IN (1, 2)", "id = ANY ($1)", "id = ANY (ARRAY[1, $1])",
        "id = 1 AND coins > 2", "(handle = 'x' AND (id = 1 AND coins > 2))", "accounts.id = 1",
        "public.accounts.id = 1",
    ],
)  # fmt: skip
def test_rows_are_named_by_their_key(where: str) -> None:
    plan_of(f"UPDATE accounts SET bio = 'x' WHERE {where}")


@pytest.mark.parametrize("where", ["sender = 1", "recipient IN (1, 2)", "id = 1"])
def test_or_by_a_persons_key(where: str) -> None:
    plan_of(f"DELETE FROM messages WHERE {where}")


def test_who_is_examined_when_no_row_fits() -> None:
    plan = plan_of("UPDATE accounts SET bio = 'x' WHERE id = $1 AND coins > 5")
    assert plan.examined == (
        "SELECT DISTINCT kind, key FROM (SELECT 'account'::text, accounts.\"seenby$1\" "
        "FROM seenby_v.accounts accounts WHERE accounts.id = $1) AS c (kind, key) WHERE key IS NOT NULL LIMIT 1001"
    )
    assert plan_of("DELETE FROM messages WHERE sender = 1").examined is None, "it could be about the recipient"
    assert plan_of("UPDATE accounts SET bio = 'x' WHERE id IN (1, $1)").examined is None, "one may have no row here"


@pytest.mark.parametrize(
    "value", ["NULL", "$2", "'x' ", "handle", "CASE WHEN coins > 1 THEN handle ELSE 'x' END", "coalesce(bio, handle)"]
)
def test_new_values_that_cannot_fail(value: str) -> None:
    plan_of(f"UPDATE accounts SET bio = {value} WHERE id = $1")


REFUSED = {
    # not in the grant
    "UPDATE devices SET model = 'x' WHERE id = 1": ("42501", "does not update devices", "--may-update devices.model"),
    "DELETE FROM devices WHERE id = 1": ("42501", "does not delete rows of devices", "--may-delete devices"),
    "DELETE FROM accounts WHERE id = 1": ("42501", "does not delete rows of accounts", "staff change nothing"),
    "INSERT INTO payments (id) VALUES (1)": ("42501", "does not insert rows into payments", "staff change nothing"),
    "UPDATE accounts SET handle = 'x' WHERE id = 1": ("42501", "does not update accounts.handle", "it gives bio"),
    "UPDATE accounts SET bio = 'x', id = 2 WHERE id = 1": ("42501", "does not update accounts.id", "it gives bio"),
    "UPDATE accounts SET nope = 'x' WHERE id = 1": ("42501", "does not update accounts.nope", "has no column nope"),
    'UPDATE accounts SET "seenby$1" = 2 WHERE id = 1': ("42501", "does not update", "it gives bio"),
    "INSERT INTO messages (id) VALUES (1)": ("42501", "a value of id", "it gives body"),
    "INSERT INTO messages (written_by) VALUES ('x')": ("42501", "fills messages.written_by itself", "leave it out"),
    "UPDATE trail SET id = 1": ("42P01", 'relation "trail" does not exist', ""),
    # not named by key
    "UPDATE accounts SET bio = 'x'": ("42501", "must name its rows by their key", "WHERE id = ..."),
    "UPDATE accounts SET bio = 'x' WHERE id > 1": ("42501", "must name its rows", "WHERE id = ..."),
    "UPDATE accounts SET bio = 'x' WHERE id = coins": ("42501", "must name its rows", ""),
    "UPDATE accounts SET bio = 'x' WHERE id = 1 OR id = 2": ("42501", "must name its rows", ""),
    "UPDATE accounts SET bio = 'x' WHERE NOT id = 1": ("42501", "must name its rows", ""),
    "UPDATE accounts SET bio = 'x' WHERE id <> ALL ($1)": ("42501", "must name its rows", ""),
    "UPDATE accounts SET bio = 'x' WHERE id NOT IN (1)": ("42501", "must name its rows", ""),
    "UPDATE accounts SET bio = 'x' WHERE (id = 1) IS NOT FALSE": ("42501", "must name its rows", ""),
    "DELETE FROM messages": ("42501", "must name its rows", "or sender = ..., or recipient = ..."),
    "DELETE FROM messages WHERE body = 'x'": ("42501", "must name its rows", ""),
    # masks and other tables
    "UPDATE accounts SET bio = phone WHERE id = 1": ("42501", "accounts.phone is masked", "--column accounts.phone"),
    "UPDATE accounts SET bio = 'x' WHERE id = 1 AND phone = 'x'": ("42501", "accounts.phone is masked", ""),
    "UPDATE accounts SET bio = card WHERE id = 1": ("42501", "accounts.card is payment data", ""),
    "UPDATE accounts SET bio = 'x' FROM devices d WHERE accounts.id = 1": ("0A000", "with a second table", "SELECT"),
    "DELETE FROM messages USING devices WHERE messages.id = 1": ("0A000", "with a second table", ""),
    "UPDATE accounts SET bio = (SELECT 'x') WHERE id = 1": ("0A000", "a subquery is not used", ""),
    "UPDATE accounts SET bio = 'x' WHERE id = 1 AND EXISTS (SELECT FROM devices)": ("0A000", "a subquery", ""),
    "UPDATE accounts SET bio = 'x' WHERE id = 1 RETURNING (SELECT 1)": ("0A000", "a subquery", ""),
    "UPDATE accounts SET bio = 'x' WHERE id = (SELECT 1)": ("0A000", "a subquery", ""),
    "WITH x AS (SELECT 1) UPDATE accounts SET bio = 'x' WHERE id = 1": ("0A000", "WITH is not used", ""),
    "UPDATE accounts SET bio = max(bio) WHERE id = 1": ("0A000", "max looks at more than one row", ""),
    "UPDATE accounts SET bio = 'x' WHERE id = 1 RETURNING count(*)": ("0A000", "count looks at more", ""),
    "UPDATE accounts SET bio = 'x' WHERE id = 1 RETURNING rank() OVER ()": ("0A000", "rank looks at more", ""),
    "UPDATE accounts SET bio = 'x' WHERE id = 1 RETURNING generate_series(1, 9)": ("0A000", "generate_series", ""),
    # what could fail, depending on the row
    "UPDATE accounts SET bio = (1 / coins)::text WHERE id = 1": ("0A000", "one that cannot fail", "constants"),
    "UPDATE accounts SET bio = handle::int::text WHERE id = 1": ("0A000", "one that cannot fail", ""),
    # forms that are not needed
    "UPDATE accounts SET (bio) = ROW ('x') WHERE id = 1": ("0A000", "SET (a, b)", "write SET a = ..."),
    "UPDATE accounts SET bio = DEFAULT WHERE id = 1": ("0A000", "SET ... = DEFAULT", "write the value"),
    "UPDATE accounts SET bio[1] = 'x' WHERE id = 1": ("0A000", "a part of a column", "a whole value"),
    "UPDATE ONLY accounts SET bio = 'x' WHERE id = 1": ("0A000", "ONLY", "leave ONLY out"),
    "UPDATE accounts SET bio = 'x' WHERE CURRENT OF c": ("0A000", "CURRENT OF", ""),
    "UPDATE accounts SET bio = 'x' WHERE id = 1 RETURNING old.bio": ("42P01", '"old"', ""),
    "UPDATE accounts SET bio = 'x' WHERE id = 1 RETURNING WITH (OLD AS o) o.bio": ("0A000", "RETURNING WITH", ""),
    "INSERT INTO messages VALUES (1)": ("0A000", "names its columns", "INSERT INTO messages (body, recipient, sender)"),
    "INSERT INTO messages DEFAULT VALUES": ("0A000", "names its columns", ""),
    "INSERT INTO messages (sender) SELECT id FROM accounts": ("0A000", "takes VALUES", ""),
    "INSERT INTO messages (sender) VALUES (DEFAULT)": ("0A000", "DEFAULT is not used", ""),
    "INSERT INTO messages (sender) VALUES ((SELECT 1))": ("0A000", "a subquery", ""),
    "INSERT INTO messages (body) VALUES ('a') ON CONFLICT DO NOTHING": ("0A000", "ON CONFLICT", "leave it out"),
    "INSERT INTO messages (body) OVERRIDING SYSTEM VALUE VALUES ('a')": ("42501", "OVERRIDING", "leave it out"),
    f"INSERT INTO messages (body) VALUES {', '.join(['(1)'] * 21)}": ("0A000", "at most 20 rows", "split it"),
    "MERGE INTO messages USING accounts ON true WHEN MATCHED THEN DELETE": ("42501", "MERGE changes", ""),
    "WITH x AS (UPDATE accounts SET bio = 'x' WHERE id = 1 RETURNING id) SELECT * FROM x": ("42501", "WITH may", ""),
    "PREPARE p AS UPDATE accounts SET bio = 'x' WHERE id = 1": ("42501", "PREPARE takes a SELECT only", ""),
    "COPY (UPDATE accounts SET bio = 'x' WHERE id = 1 RETURNING id) TO STDOUT": ("42501", "COPY takes a SELECT", ""),
    "EXPLAIN UPDATE accounts SET bio = 'x' WHERE id = 1": ("0A000", "EXPLAIN", ""),
}  # fmt: skip


@pytest.mark.parametrize("sql", REFUSED)
def test_what_is_refused(sql: str) -> None:
    (plan,) = analyse(sql, SHAPE_THAT_WRITES, CATALOG, cap=10)
    state, words, hint = REFUSED[sql]
    assert isinstance(plan, RefusedPlan), plan
    assert plan.error.state == state, plan.error.message
    assert words in plan.error.message
    assert hint in plan.error.hint
    assert plan.error.hint


def test_without_a_grant_every_table_is_closed() -> None:
    (plan,) = analyse("UPDATE accounts SET bio = 'x' WHERE id = 1", None, CATALOG, cap=10)
    assert isinstance(plan, RefusedPlan)
    assert "no grant is active" in plan.error.message

"""Three small platforms of different style: the guide's commands run on each, and the map says of every person exactly
what a person who knows the platform would say, row by row."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import psycopg
import pytest
from psycopg import sql

from seenby.cli.attach import attach
from seenby.cli.sample import sample
from seenby.datamap import RowScope, TableName, parse
from seenby.errors import NotFound
from seenby.stores.cluster import Cluster

pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("attach")]

SMALL = Path(__file__).parent / "small"
GUIDE = Path(__file__).parents[3] / "docs" / "guide" / "attach.md"
BLOCKS = re.findall(r"```sh\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)

PEOPLE = {
    "village": ("member", "members", "login"),
    "bazaar": ("customer", "customers", "id"),
    "whisper": ("account", "accounts", "id"),
}

THEIRS = {
    "village": """
        SELECT 'members', login FROM members WHERE login = %(who)s
        UNION ALL SELECT 'threads', id FROM threads WHERE starter = %(who)s
        UNION ALL SELECT 'replies', id FROM replies WHERE writer = %(who)s
        UNION ALL SELECT 'reply_pictures', p.id::text FROM reply_pictures p JOIN replies r ON r.id = p.reply_id
                  WHERE r.writer = %(who)s
        UNION ALL SELECT 'thanks', concat_ws(', ', reply_id, login) FROM thanks WHERE login = %(who)s
        UNION ALL SELECT 'letters', id::text FROM letters WHERE %(who)s IN (from_login, to_login)
        UNION ALL SELECT 'visits', concat_ws(', ', who, day) FROM visits WHERE who = %(who)s""",
    "bazaar": """
        WITH mine AS (SELECT id FROM shops WHERE keeper_id::text = %(who)s)
        SELECT 'customers', id::text FROM customers WHERE id::text = %(who)s
        UNION ALL SELECT 'shops', id::text FROM mine
        UNION ALL SELECT 'listings', id::text FROM listings WHERE shop_id IN (SELECT id FROM mine)
        UNION ALL SELECT 'addresses', id::text FROM addresses WHERE owner_type = 'Customer' AND owner_id::text = %(who)s
        UNION ALL SELECT 'addresses', id::text FROM addresses WHERE owner_type = 'Shop'
                  AND owner_id IN (SELECT id FROM mine)
        UNION ALL SELECT 'notices', id::text FROM notices WHERE recipient_type = 'Customer'
                  AND recipient_id::text = %(who)s
        UNION ALL SELECT 'notices', id::text FROM notices WHERE recipient_type = 'Shop'
                  AND recipient_id IN (SELECT id FROM mine)
        UNION ALL SELECT 'orders', concat_ws(', ', id, placed_on) FROM orders WHERE customer_id::text = %(who)s
        UNION ALL SELECT 'order_items', concat_ws(', ', i.order_id, i.placed_on, i.line)
                  FROM order_items i JOIN orders o ON (o.id, o.placed_on) = (i.order_id, i.placed_on)
                  WHERE o.customer_id::text = %(who)s
        UNION ALL SELECT 'order_items', concat_ws(', ', i.order_id, i.placed_on, i.line)
                  FROM order_items i JOIN listings l ON l.id = i.listing_id WHERE l.shop_id IN (SELECT id FROM mine)
        UNION ALL SELECT 'ratings', id::text FROM ratings WHERE writer_id::text = %(who)s""",
    "whisper": """
        SELECT 'accounts', id::text FROM accounts WHERE %(who)s IN (id::text, invited_by_id::text)
        UNION ALL SELECT 'chat_members', concat_ws(', ', chat_id, account_id)
                  FROM chat_members WHERE account_id::text = %(who)s
        UNION ALL SELECT 'messages', id::text FROM messages WHERE sender_id::text = %(who)s
        UNION ALL SELECT 'reactions', concat_ws(', ', message_id, account_id)
                  FROM reactions WHERE account_id::text = %(who)s
        UNION ALL SELECT 'attachments', a.id::text FROM attachments a JOIN messages m ON m.id = a.message_id
                  WHERE m.sender_id::text = %(who)s
        UNION ALL SELECT 'address_book', id::text FROM address_book WHERE account_id::text = %(who)s
        UNION ALL SELECT 'devices', id::text FROM devices WHERE account_id::text = %(who)s
        UNION ALL SELECT 'calls', id::text FROM calls WHERE %(who)s IN (caller_id::text, callee_id::text)
        UNION ALL SELECT 'call_quality', call_id::text FROM call_quality q JOIN calls c ON c.id = q.call_id
                  WHERE %(who)s IN (caller_id::text, callee_id::text)""",
}  # fmt: skip
"""Every row of a person, written by hand for each platform: (table, key)."""


@dataclass(frozen=True)
class Small:
    name: str
    dsn: str
    map: Path

    def people(self) -> list[str]:
        _, table, key = PEOPLE[self.name]
        with psycopg.connect(self.dsn) as connection:
            found = connection.execute(
                sql.SQL("SELECT {key}::text FROM {table} ORDER BY 1").format(
                    key=sql.Identifier(key), table=sql.Identifier(table)
                )
            ).fetchall()
        return [row[0] for row in found]

    def theirs(self, who: str) -> set[tuple[str, str]]:
        with psycopg.connect(self.dsn) as connection:
            return set(connection.execute(THEIRS[self.name].encode(), {"who": who}).fetchall())


@pytest.fixture(scope="module")
def small(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Small]]:
    @cache
    def made(name: str) -> Small:
        with psycopg.connect(cluster.dsn(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE small_{name}".encode())
        dsn = cluster.dsn(f"small_{name}")
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute((SMALL / f"{name}.sql").read_bytes())
            connection.execute("ANALYZE")
        out = tmp_path_factory.mktemp(name) / "datamap.toml"
        attach(dsn, out=out)
        return Small(name, dsn, out)

    yield made
    for name in PEOPLE:
        with psycopg.connect(cluster.dsn(), autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS small_{name} WITH (FORCE)".encode())


@pytest.mark.parametrize("name", PEOPLE)
def test_everything_of_theirs_and_nothing_of_others(
    name: str, small: Callable[[str], Small], capsys: pytest.CaptureFixture[str]
) -> None:
    made = small(name)
    kind = PEOPLE[name][0]
    everybody = made.people()
    for who in everybody[:: len(everybody) // 12]:
        capsys.readouterr()
        sample(f"{kind}:{who}", made.dsn, map_=made.map, json_=True)
        told = json.loads(capsys.readouterr().out)
        found = {(way["table"], key) for way in told["paths"] for key in way["keys"] if not way["view"]}
        theirs = made.theirs(who)
        assert found - theirs == set(), "of others"
        assert theirs - found == set(), "missing"
        assert len(found) > 3


@pytest.mark.parametrize("name", PEOPLE)
def test_the_commands_of_the_guide(name: str, small: Callable[[str], Small], tmp_path: Path) -> None:
    made = small(name)
    program = tmp_path / "seenby"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -c "from seenby.cli import main; main()" "$@"\n')
    program.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "DB": made.dsn,
        "PERSON": f"{PEOPLE[name][0]}:{made.people()[0]}",
        "NO_COLOR": "1",
    }
    assert len(BLOCKS) == 6
    said = {}
    for block in BLOCKS:
        done = subprocess.run(
            ["sh", "-e", "-c", block], cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, check=False,
        )  # fmt: skip
        # The messenger has a SECURITY DEFINER function that everybody may run.
        expected = 1 if "datamap check" in block and name == "whisper" else 0
        assert done.returncode == expected, f"{block}\n{done.stdout}{done.stderr}"
        said[block] = done.stdout
    parse((tmp_path / "datamap.toml").read_text("utf-8"), source="datamap.toml", region="eu")
    assert ElementTree.fromstring((tmp_path / "owners.svg").read_text("utf-8")).tag.endswith("svg")
    assert "## Data subjects" in (tmp_path / "record.md").read_text("utf-8")
    assert "DROP ROLE" in (tmp_path / "detach.sql").read_text("utf-8")
    checked = next(text for block, text in said.items() if "datamap check" in block)
    assert ("nickname_of" in checked) == (name == "whisper")


def test_the_marketplace_in_detail(small: Callable[[str], Small]) -> None:
    """Polymorphic owners are conditions; an order's items follow a key of two columns into the partitions."""
    made = parse(small("bazaar").map.read_text("utf-8"), source="map", region="eu")
    paths = {str(name): [owner.path for owner in table.owners] for name, table in made.tables.items()}
    assert paths["addresses"] == [
        ("owner_id -> customers.id when owner_type = Customer", "id"),
        ("owner_id -> shops.id when owner_type = Shop", "keeper_id"),
    ]
    assert ("order_id, placed_on -> orders.id, placed_on", "customer_id") in paths["order_items"]
    assert made.tables[TableName("public", "currencies")].nobody


def test_the_marketplace_has_a_view(small: Callable[[str], Small], capsys: pytest.CaptureFixture[str]) -> None:
    """Of each customer the sample counts the rows that a view shows of them, and the record names it."""
    made = small("bazaar")
    with psycopg.connect(made.dsn) as connection:
        who, count = connection.execute(
            "SELECT customer_id::text, count(*) FROM open_orders GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 1"
        ).fetchall()[0]
    capsys.readouterr()
    sample(f"customer:{who}", made.dsn, map_=made.map, json_=True)
    told = json.loads(capsys.readouterr().out)["paths"]
    assert [way["rows"] for way in told if way["view"] and way["table"] == "open_orders"] == [count]


def test_every_member_of_a_chat(small: Callable[[str], Small], capsys: pytest.CaptureFixture[str]) -> None:
    """After the review a person's rows are also those that others wrote in their chats, each counted once."""
    made = small("whisper")
    answer = 'subject = "members.chats"\nanswer = "chat_members.account_id"\nby = "ana"\nat = "2026-11-29T08:00:00Z"\n'
    out = made.map.with_name("members.toml")
    out.write_text(f"{made.map.read_text('utf-8')}\n[[answers]]\n{answer}")
    attach(made.dsn, out=out)
    text = f"""{THEIRS["whisper"]}
        UNION SELECT 'chats', chat_id::text FROM chat_members WHERE account_id::text = %(who)s
        UNION SELECT 'messages', m.id::text FROM messages m JOIN chat_members c ON c.chat_id = m.chat_id
              WHERE c.account_id::text = %(who)s
        UNION SELECT 'attachments', a.id::text FROM attachments a JOIN messages m ON m.id = a.message_id
              JOIN chat_members c ON c.chat_id = m.chat_id WHERE c.account_id::text = %(who)s"""
    for who in made.people()[::30]:
        capsys.readouterr()
        sample(f"account:{who}", made.dsn, map_=out, json_=True)
        told = json.loads(capsys.readouterr().out)["paths"]
        with psycopg.connect(made.dsn) as connection:
            theirs = set(connection.execute(text.encode(), {"who": who}).fetchall())
        assert {(way["table"], key) for way in told for key in way["keys"]} == theirs
        assert all(way["rows"] == len(set(way["keys"])) for way in told), "however often they are members"
    loaded = parse(out.read_text("utf-8"), source="map", region="eu")
    assert {str(name) for name, table in loaded.tables.items() if table.shared} == {"chats", "messages", "attachments"}


def test_an_answer_makes_the_mentioned_owners(
    small: Callable[[str], Small], capsys: pytest.CaptureFixture[str]
) -> None:
    """The people in an address book: after the review they own its rows too, and one of the two is enough."""
    made = small("whisper")
    text = made.map.read_text("utf-8")
    answer = 'subject = "tables.address_book"\nanswer = "contact:phone"\nby = "ana"\nat = "2026-11-29T08:00:00Z"\n'
    out = made.map.with_name("answered.toml")
    out.write_text(f"{text}\n[[answers]]\n{answer}")
    attach(made.dsn, out=out)
    loaded = parse(out.read_text("utf-8"), source="map", region="eu")
    book = loaded.tables[TableName("public", "address_book")]
    assert [(owner.kind, owner.column) for owner in book.owners] == [
        ("address_book", "phone"),
        ("account", "account_id"),
    ]
    assert book.scope is RowScope.ANY
    with psycopg.connect(made.dsn) as connection:
        phone, count = connection.execute(
            "SELECT phone, count(*) FROM address_book GROUP BY 1 ORDER BY 1 LIMIT 1"
        ).fetchall()[0]
    capsys.readouterr()
    sample(f"address_book:{phone}", made.dsn, map_=out, json_=True)
    (way,) = json.loads(capsys.readouterr().out)["paths"]
    assert (way["table"], way["rows"]) == ("address_book", count)


def test_somebody_who_is_not_there(small: Callable[[str], Small]) -> None:
    made = small("whisper")
    for key in ("99999", "abc"):
        with pytest.raises(NotFound, match=f"there is no account:{key}"):
            sample(f"account:{key}", made.dsn, map_=made.map)

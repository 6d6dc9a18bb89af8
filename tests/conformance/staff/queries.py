"""Reads the list of queries, and what became of each."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
QUERIES = HERE / "queries"
EXPECTED = HERE / "expected.toml"


@dataclass(frozen=True)
class Query:
    id: str
    role: str
    purpose: str
    question: str
    grant: str
    sql: str


def load_queries(folder: Path = QUERIES) -> list[Query]:
    """All queries of a folder, by role."""
    found: list[Query] = []
    for file in sorted(folder.glob("*.toml")):
        content = tomllib.loads(file.read_text())
        found += [Query(role=content["role"], **entry) for entry in content["query"]]
    assert len({query.id for query in found}) == len(found)
    return found


def load_expected() -> dict[str, str]:
    """Query id -> outcome."""
    expected: dict[str, str] = tomllib.loads(EXPECTED.read_text())
    return expected


def expected_toml(outcomes: dict[str, str]) -> str:
    """The text of ``expected.toml``."""
    lines = [f'{name} = "{outcome}"' for name, outcome in outcomes.items()]
    return "# What becomes of each query. Written by SEENBY_STAFF_WRITE=1; read README.md before changing it.\n" + (
        "\n".join(lines) + "\n"
    )

"""docs/guide/sql.md: every construct with an example that runs; the page is made from what the gateway answers."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from seenby.attribute.cohorts import Memory
from seenby.model.disclosure import EntryBound, QueryDisclosure
from seenby.stores.grouping import Done
from seenby.stores.ledger import Item
from tests.conformance.staff.grants import Kind, make
from tests.fixtures.gateway import Served

pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("served")]

HERE = Path(__file__).parent
PAGE = HERE.parents[2] / "docs" / "guide" / "sql.md"
STAFF = "aoife.byrne"
CLASSES = ("behaviour", "communication", "contact", "device", "identity", "location")

ROWS = Kind("support", CLASSES, None, 5_000, 100_000)
GRANTS = {
    "rows": ROWS,
    "one": replace(ROWS, people=(1_000_000_042,)),
    "statistics": replace(ROWS, answers="statistics"),
    "both": replace(ROWS, answers="both"),
    "closed": replace(ROWS, cells=("contact",)),
}

ANSWERS = {
    "exact": "exactly",
    "upper": "by upper bound",
    "statistic": "as a statistic",
    "nobody": "about nobody",
    "session": "yes",
}


@dataclass(frozen=True)
class Construct:
    section: str
    name: str
    answer: str
    sql: tuple[str, ...]
    grant: str = "rows"
    note: str = ""


def constructs() -> list[Construct]:
    found = []
    for section in tomllib.loads((HERE / "constructs.toml").read_text())["section"]:
        for entry in section["construct"]:
            sql = entry.pop("sql")
            statements = (sql,) if isinstance(sql, str) else tuple(sql)
            found.append(Construct(section["title"], sql=tuple(one.strip() for one in statements), **entry))
    return found


@dataclass
class Answer:
    kind: str
    words: str = ""
    hint: str = ""


class Guide:
    """A session under each kind of grant, and what became of each construct."""

    def __init__(self, served: Served, patch: pytest.MonkeyPatch) -> None:
        self.served = served
        self.found: list[QueryDisclosure] = []
        self.connections: dict[str, psycopg.Connection[Any]] = {}
        submit = served.region.ledger.submit

        def watched(item: Item, done: Done) -> None:
            if isinstance(item, QueryDisclosure):
                self.found.append(item)
            submit(item, done)

        patch.setattr(served.region.ledger, "submit", watched)

    def session(self, grant: str) -> psycopg.Connection[Any]:
        if grant not in self.connections:
            self.connections[grant] = self.served.connect(STAFF, make(self.served, STAFF, GRANTS[grant]))
        return self.connections[grant]

    def ask(self, construct: Construct) -> Answer:
        connection = self.session(construct.grant)
        for access in self.served.region.gateway.grants.accesses(STAFF):
            access.cohorts = Memory()  # no statistic that another test asked for is too close
        self.found.clear()
        try:
            with connection.cursor() as cursor:
                for statement in construct.sql:
                    if statement.startswith("COPY ("):
                        with cursor.copy(statement.encode()) as copy:
                            assert list(copy)
                    else:
                        cursor.execute(statement.encode())
        except psycopg.Error as error:
            connection.rollback()
            diag = error.diag
            return Answer(error.sqlstate or "?", diag.message_primary or "", diag.message_hint or "")
        if not self.found:
            about_the_session = all(not one.lstrip().startswith(("SELECT", "VALUES")) for one in construct.sql)
            return Answer("session" if about_the_session else "nobody")
        return Answer(max(one.bound for one in self.found).name.lower())


@pytest.fixture(scope="module")
def answers(served: Served) -> Iterator[list[tuple[Construct, Answer]]]:
    with pytest.MonkeyPatch.context() as patch:
        guide = Guide(served, patch)
        yield [(construct, guide.ask(construct)) for construct in constructs()]
        for connection in guide.connections.values():
            connection.close()


def page(answers: Sequence[tuple[Construct, Answer]]) -> str:
    """The text of the guide."""
    lines = [(HERE / "head.md").read_text().rstrip()]
    section = ""
    for construct, answer in answers:
        if construct.section != section:
            section = construct.section
            lines += ["", f"## {section}"]
        told = ANSWERS.get(answer.kind, f"refused ({answer.kind})")
        lines += ["", f"**{construct.name}**: {told}{_under(construct)}. {construct.note}".rstrip(), "", "```sql"]
        lines += [f"{statement};" for statement in construct.sql]
        if answer.words:
            lines += [f"-- ERROR:  {answer.words}", *([f"-- HINT:  {answer.hint}"] if answer.hint else [])]
        lines += ["```"]
    return "\n".join(lines) + "\n"


def _under(construct: Construct) -> str:
    if construct.grant == "one":
        return ", under a grant for one person"
    return ""


def test_every_construct_is_answered_as_the_table_says(answers: list[tuple[Construct, Answer]]) -> None:
    wrong = {one.name: (one.answer, answer) for one, answer in answers if one.answer != answer.kind}
    assert wrong == {}


def test_the_page_is_what_the_gateway_answers(answers: list[tuple[Construct, Answer]]) -> None:
    text = page(answers)
    if os.environ.get("SEENBY_WRITE_GUIDE"):
        PAGE.write_text(text)
    assert PAGE.read_text() == text, "run it with SEENBY_WRITE_GUIDE=1"


def test_every_way_of_answering_has_an_example(answers: list[tuple[Construct, Answer]]) -> None:
    kinds = {answer.kind for _, answer in answers}
    assert kinds >= ANSWERS.keys()
    assert {one.name.lower() for one in EntryBound} <= kinds

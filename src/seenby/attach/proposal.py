"""The proposal as values: kinds of people, tables with owners and classes, doubts, questions, and given answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from seenby.attach.classify import Verdict
from seenby.attach.inspection import FoundTable
from seenby.attach.ownership import People
from seenby.attach.references import Reference
from seenby.attach.views import Derived, Known
from seenby.datamap import OwnerPath, TableName
from seenby.model.classes import DataClass


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person decided. ``subject``: ``tables.likes``, ``references.likes.actor_id``, ``people``."""

    subject: str
    answer: str
    by: str
    at: str


def answers_of(data: dict[str, Any]) -> dict[str, Answer]:
    """The answers in a map that was read, by subject; the last of several wins."""
    return {
        one["subject"]: Answer(one["subject"], one["answer"], one["by"], one["at"]) for one in data.get("answers", ())
    }


@dataclass(frozen=True, slots=True)
class Choice:
    """One key of a question, what it stands for, and what it decides: (subject, answer) pairs."""

    key: str
    label: str
    decides: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Question:
    """``value``: how much it decides, for the order. ``subject``: stable from run to run. ``parts``: one for each."""

    subject: str
    text: str
    why: tuple[str, ...]
    choices: tuple[Choice, ...]
    value: float
    parts: tuple[Question, ...] = ()


@dataclass(frozen=True, slots=True)
class ProposedTable:
    """One table. Exactly one of owners, nobody, refused.

    ``refused``: the sentence that says why nobody sees it. ``ask``: an answer could change that.
    ``any_owner``: a row is in scope when one of its owners is: address books, where nobody asks for both.
    """

    found: FoundTable
    area: DataClass | None
    owners: tuple[OwnerPath, ...]
    used: tuple[Reference, ...]
    refused: str
    columns: dict[str, Verdict] = field(hash=False)
    notes: tuple[str, ...] = ()
    ask: bool = True
    any_owner: bool = False

    @property
    def nobody(self) -> bool:
        return not self.owners and not self.refused

    @property
    def known(self) -> Known:
        """For the views over it."""
        classes = {name: verdict.data_class for name, verdict in self.columns.items()}
        return Known(self.owners, classes, bool(self.refused))

    @property
    def name(self) -> TableName:
        return self.found.name

    @property
    def confidence(self) -> float:
        return min((one.confidence for one in self.used), default=1.0)


@dataclass(frozen=True, slots=True)
class Proposal:
    """All of it. ``others``: relations that a map does not hold, with a sentence each."""

    database: str
    people: tuple[People, ...]
    tables: dict[TableName, ProposedTable] = field(hash=False)
    views: tuple[Derived, ...]
    others: tuple[tuple[TableName, str], ...]
    questions: tuple[Question, ...]
    answers: tuple[Answer, ...]

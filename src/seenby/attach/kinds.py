"""The kinds of people of a database: the first table of them, what extends it, others beside it, the mentioned."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from seenby.attach.classify import by_name
from seenby.attach.inspection import FoundTable, Inspection, writable
from seenby.attach.ownership import People
from seenby.attach.people import Candidate, entity, rank
from seenby.attach.proposal import Answer
from seenby.attach.references import Reference
from seenby.attach.vocabulary import BIRTH_WORDS, MINOR_WORDS
from seenby.attach.words import base_words, looks_like_reference, names_people, tokens
from seenby.datamap import TableName
from seenby.errors import ConfigError

SECOND_KIND = 5.0
"""Score from which a table that is not linked to the people is a kind of people of its own."""


class Kinds:
    """Decides them at once.

    Attributes:
        candidates: every table that could list people, best first.
        beside: tables with one row for each person of the first kind.
        people: the kinds, the first one first.

    Raises:
        ConfigError: no table could list people at all.
    """

    def __init__(
        self, inspection: Inspection, prefix: str, foreign: Sequence[Reference], answers: Mapping[str, Answer]
    ) -> None:
        self.inspection = inspection
        self.prefix = prefix
        self.foreign = foreign
        self.answers = answers
        self.candidates = rank(inspection)
        first = self._first()
        self.beside = frozenset(one.table for one in self._linked(first))
        self.people = self._kinds(first)

    def _first(self) -> Candidate:
        told = self.answers.get("people")
        for one in self.candidates:
            if told and str(one.table) == told.answer:
                return one
        if not self.candidates:
            raise ConfigError(
                f"no table of database {self.inspection.database} looks as if it listed people",
                hint="is it the right database, and may this user read its catalogue? A map can also be written by "
                "hand: docs/formats/datamap.md",
            )
        return self.candidates[0]

    def _linked(self, first: Candidate) -> list[Candidate]:
        """Tables of people that extend the first: one row for each person, by a reference of theirs."""
        beside = []
        for one in self.candidates:
            table = self.inspection.tables[one.table]
            forth = [ref for ref in self.foreign if ref.source == one.table and ref.table == first.table]
            shared = [
                name
                for name, column in table.columns.items()
                if names_people(base_words(name)) and table.identifies(name) and looks_like_reference(name)
                and column.family == self.inspection.tables[first.table].columns[first.key].family
            ]  # fmt: skip
            unique = [ref for ref in forth if table.identifies(ref.column)]
            unique += [
                ref
                for ref in self.foreign
                if ref.source == first.table and ref.table == one.table and one.score >= 3.0
                and self.inspection.tables[first.table].identifies(ref.column)
            ]  # fmt: skip
            signs_in = any("a password" in reason for reason in one.reasons)
            if one.table != first.table and (
                unique or (len(forth) == 1 and signs_in and one.score >= 4.0) or (shared and one.score >= 3.0)
            ):
                beside.append(one)
        return beside

    def _kinds(self, first: Candidate) -> tuple[People, ...]:
        rest = [one for one in self.candidates if one.table != first.table and one.table not in self.beside]
        kinds = [first]
        for one in rest:
            linked = any(
                {ref.source, ref.table} == {one.table, first.table}
                or (ref.source == one.table and ref.table in self.beside)
                for ref in self.foreign
            )
            strong = "has" in " ".join(one.reasons) and any(
                "password" in reason or "e-mail" in reason for reason in one.reasons
            )
            reference = any(names_people(base_words(name)) and looks_like_reference(name)
                            for name in self.inspection.tables[one.table].columns)  # fmt: skip
            named = any(reason.startswith("is called") for reason in one.reasons)
            if one.score >= SECOND_KIND and named and strong and not linked and not reference and len(kinds) < 3:
                kinds.append(one)
        people: list[People] = []
        for one in kinds:
            rival = next((other for other in rest if one is first and other.score > 0.8 * one.score), None)
            table = self.inspection.tables[one.table]
            people.append(
                People(
                    kind=self._kind_name(one.table, [other.kind for other in people]),
                    table=one.table,
                    key=one.key,
                    region_column=self._region(table),
                    country_column=self._country(table),
                    birth_date=_called(table, BIRTH_WORDS, frozenset({"date", "timestamp", "timestamptz"})),
                    minor=_called(table, MINOR_WORDS, frozenset({"bool"})),
                    reasons=one.reasons,
                    confidence=0.6 if rival and "people" not in self.answers else 0.95,
                )
            )
        people += self._contacts([one.kind for one in people])
        return tuple(people)

    def _kind_name(self, table: TableName, taken: Sequence[str]) -> str:
        words = "_".join(word for word in entity(table, self.prefix) if word.isascii())
        name = re.sub(r"^[^a-z]+", "", words)[:28] or "person"
        return name if name not in taken else f"{name}_{len(taken) + 1}"

    def _region(self, table: FoundTable) -> str:
        told = self.answers.get(f"people.{table.name}.region")
        if told:
            return told.answer.removeprefix("column:") if told.answer.startswith("column:") else ""
        for name, column in table.columns.items():
            words = tokens(name)
            if not writable(name) or (not column.is_text and column.kind != "e"):
                continue
            if words in {("home", "region"), ("data", "region"), ("region",), ("residency",), ("data", "residency")}:
                values = column.labels or column.samples
                if all(re.fullmatch(r"[a-z][a-z0-9-]{0,30}", value) for value in values) and len(set(values)) <= 20:
                    return name
        return ""

    def _country(self, table: FoundTable) -> str:
        """From an answer only: that somebody's country is where their data belongs is a decision."""
        told = self.answers.get(f"people.{table.name}.region")
        column = told.answer.removeprefix("country:") if told and told.answer.startswith("country:") else ""
        return column if column in table.columns else ""

    def _contacts(self, taken: list[str]) -> list[People]:
        """People without an account: from answers only."""
        found: list[People] = []
        for subject, one in sorted(self.answers.items()):
            if subject.startswith("tables.") and one.answer.startswith("contact:"):
                written = subject.removeprefix("tables.")
                for name, table in self.inspection.base.items():
                    column = one.answer.removeprefix("contact:")
                    if str(name) == written and column in table.columns:
                        kind = self._kind_name(name, [*taken, *(made.kind for made in found)])
                        found.append(People(kind, name, column, account=False, reasons=(f"said {one.by}",)))
        return found


def _called(table: FoundTable, words: frozenset[str], types: frozenset[str]) -> str:
    """The first column of one of the types whose name's most telling word is one of the words; "" if none is."""
    for name, column in table.columns.items():
        named = by_name(name)
        if named and named[1] in words and column.base_name in types and writable(name):
            return name
    return ""

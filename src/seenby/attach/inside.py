"""Keys of people inside values, where no path of a map leads: ``participants int[]``, ``{"sender": {"id": 42}}``.

Found by the names of JSON paths and arrays, and by looking the sampled values up among the people's keys. A column with
such keys tells of people who are not its row's owners, so it stays unclassified until somebody decides.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from seenby.attach.classify import Verdict
from seenby.attach.inspection import JSONS, Contained, FoundColumn, FoundTable, Inspection, Trial
from seenby.attach.proposal import Answer
from seenby.attach.values import json_keys, json_paths
from seenby.attach.words import base_words, looks_like_reference, names_people, singular, tokens
from seenby.datamap import TableName
from seenby.model.classes import DataClass

ENOUGH = 8
"""So many different values must all be keys before values alone, whatever the name, are taken for people."""
KEYS = "{}"
"""The path of an object's own keys, as in ``{"42": true, "43": false}``."""
_FAMILY = {"int": re.compile(r"-?\d{1,18}"), "uuid": re.compile(r"[0-9a-fA-F-]{36}"), "text": re.compile(r".{1,80}")}


@dataclass(frozen=True, slots=True)
class Inside:
    """Values inside a column. ``path``: ``participants[]``, ``sender.id``, ``[]`` of an array.

    ``named``: the name says people. ``alike``: the name says keys, not whose.
    """

    source: TableName
    column: str
    path: str
    values: tuple[str, ...]
    named: bool
    alike: bool


@dataclass(frozen=True, slots=True)
class Held:
    """A column that holds keys of people, with a sentence."""

    table: TableName
    column: str
    reason: str

    @property
    def subject(self) -> str:
        """Of an answer."""
        return f"columns.{self.table}.{self.column}"


def candidates(inspection: Inspection) -> list[Inside]:
    """Everything inside arrays and JSON that could be keys of people."""
    found = []
    for table in inspection.base.values():
        for column in table.columns.values():
            for path, values in _inner(column).items():
                named, alike = _says(column.name, path)
                if named or alike or len(values) >= ENOUGH:
                    found.append(Inside(table.name, column.name, path, tuple(values), named, alike))
    return found


def _inner(column: FoundColumn) -> Mapping[str, Sequence[str]]:
    """Path -> values."""
    if column.element:
        return {"[]": _elements(column.samples)} if column.element in _KEY_ELEMENTS else {}
    written = column.base_name in JSONS or (
        column.is_text and any(value.lstrip().startswith(("{", "[")) for value in column.samples)
    )
    if not written:
        return {}
    found: dict[str, Sequence[str]] = dict(json_paths(column.samples))
    if keys := [key for key in json_keys(column.samples) if key.isdigit() or _FAMILY["uuid"].fullmatch(key)]:
        found = {path: values for path, values in found.items() if not set(path.split(".")) & set(keys)}
        found[KEYS] = keys
    return found


_KEY_ELEMENTS = frozenset({"int2", "int4", "int8", "uuid", "text", "varchar", "bpchar"})


def _elements(samples: Iterable[str]) -> list[str]:
    """Of arrays' texts. The last one of a text that was cut off when it was read may be a part of a value."""
    found: dict[str, None] = {}
    for sample in samples:
        parts = sample.strip("{}").split(",")
        whole = parts if sample.endswith("}") else parts[:-1]
        found |= dict.fromkeys(part.strip('"') for part in whole if part not in {"", "NULL"})
    return list(found)[:40]


def _says(column: str, path: str) -> tuple[bool, bool]:
    """Whether the name says people's keys; whether it says keys at all."""
    steps = [step for step in (column, *path.replace("[]", "").split(".")) if step]
    if path == KEYS:
        steps, many = [column], True
    else:
        many = path.endswith("[]")
    leaf = steps[-1]
    while len(steps) > 1 and tokens(leaf)[-1:] == tokens(leaf) and leaf.lower() in {"id", "ids", "uuid", "key", "pk"}:
        steps.pop()
        leaf, many = f"{steps[-1]}_id", True  # sender.id
    reference = looks_like_reference(leaf) or tokens(leaf)[-1] in {"ids", "uuids"}
    counts = tokens(leaf)[-1] != singular(tokens(leaf)[-1]) and not many and not reference  # followers: 12
    return names_people(base_words(leaf)) and not counts, reference or path == KEYS


def trials(inspection: Inspection, one: Inside, people: Sequence[tuple[TableName, str]]) -> list[Trial]:
    """What to look up in the database: are these values keys, or other unique names, of people?"""
    if not one.values:
        return []
    targets = _targets(inspection, one, people)
    return [Trial(one.source, one.column, table.name, target, one.path) for table, target in targets]


def _targets(
    inspection: Inspection, one: Inside, people: Sequence[tuple[TableName, str]]
) -> Iterable[tuple[FoundTable, str]]:
    for name, key in people:
        table = inspection.tables[name]
        texts = [c for c, column in table.columns.items() if table.identifies(c) and column.family == "text"]
        for target in dict.fromkeys((key, *texts)):
            family = table.columns[target].family
            pattern = _FAMILY.get(family)
            if pattern is None or not all(map(pattern.fullmatch, one.values)):
                continue
            if family != "int" or one.named or one.alike:  # small numbers are somebody's key by chance
                yield table, target


class Insides:
    """The columns of a database that hold keys of people, as far as anybody can tell: doubt counts.

    Args:
        people: the tables of people and their keys.
        seen: what became of ``trials``.
        answers: a column about which somebody decided is open no more.
    """

    def __init__(
        self,
        inspection: Inspection,
        people: Sequence[tuple[TableName, str]],
        seen: Mapping[Trial, Contained],
        answers: Mapping[str, Answer],
    ) -> None:
        self._answers = answers
        self.trials: list[Trial] = []
        paths: dict[tuple[TableName, str], list[str]] = {}
        for one in candidates(inspection):
            mine = trials(inspection, one, people)
            self.trials += mine
            looked = [seen[trial] for trial in mine if trial in seen]
            if told := _judged(one, looked, can_be=not one.values or bool(mine)):
                place = f"at {one.path}, " if one.path != "[]" else ""
                paths.setdefault((one.source, one.column), []).append(f"{place}{told}")
        self.held = {
            key: Held(*key, f"may hold keys of people: {'; '.join(told[:3])}{' and more' if len(told) > 3 else ''}")
            for key, told in paths.items()
        }

    def answer(self, one: Held) -> str:
        """``none``: they are no people. ``owners``: they are, and may be shown. ``refused``. "" where nobody said."""
        told = self._answers.get(one.subject)
        return told.answer if told else ""

    def asked(self) -> list[Held]:
        """What nobody has decided yet."""
        return [one for one in self.held.values() if not self.answer(one)]

    def closed(self, table: TableName) -> list[Held]:
        """The columns of a table that nobody may see."""
        found = [one for one in self.held.values() if one.table == table]
        return [one for one in found if self.answer(one) not in {"none", "owners"}]

    def verdicts(self, table: TableName, columns: Mapping[str, Verdict], about: DataClass) -> dict[str, Verdict]:
        """What changes: no class until somebody decides, then at least that of the rows."""
        changed = {one.column: Verdict(None, 0.3, (one.reason,)) for one in self.closed(table)}
        for one in self.held.values():
            if one.table == table and self.answer(one) == "owners" and columns[one.column].data_class is None:
                changed[one.column] = Verdict(about, 0.7, ("keys of people, which may be shown",))
        return changed


def _judged(one: Inside, looked: Sequence[Contained], *, can_be: bool) -> str:
    """Why these are taken for keys of people, or ""."""
    best = max(looked, key=lambda contained: contained.share, default=None)
    if one.named:
        if not can_be:
            return ""
        if best is None or best.empty or best.tried < 3:
            return "as its name says; no values to check it with"
        return f"as its name says; {best.found} of {best.tried} sampled values are there" if best.found else ""
    if best is not None and best.tried >= ENOUGH and best.share == 1.0:
        return f"all {best.tried} sampled values are there"
    return ""


def sampled(inspection: Inspection, trial: Trial) -> list[str]:
    """The values that a trial looks up."""
    column = inspection.tables[trial.source].columns[trial.column]
    return list(_inner(column).get(trial.path, ())) if trial.path else list(column.samples)

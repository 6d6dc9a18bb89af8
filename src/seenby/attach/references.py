"""Which column of a table leads to which row of another: foreign keys, and what names, types and values say instead."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from seenby.attach.inspection import Contained, FoundColumn, FoundTable, Inspection, Trial, writable
from seenby.attach.people import entity
from seenby.attach.words import (
    NAME_SUFFIXES,
    PEOPLE,
    QUALIFIERS,
    ROLES,
    TYPE_SUFFIXES,
    base_words,
    common_prefix,
    looks_like_reference,
    names_people,
    singular,
    stem,
    tokens,
)
from seenby.datamap import TableName

ACCEPTED = 0.65
"""From here on a reference is in the proposed map; below SURE it is also asked about."""
SURE = 0.8
Add = Callable[[FoundTable, str, float, str], None]


@dataclass(frozen=True, slots=True)
class Reference:
    """One step from a column to a unique column of another table.

    Attributes:
        certain: a foreign key. ``confidence`` is then 1.
        when: (column, value): only of rows where that column has that value.
        more: further columns and targets, of a foreign key of several.
    """

    source: TableName
    column: str
    table: TableName
    target: str
    confidence: float
    reason: str
    certain: bool = False
    when: tuple[str, str] | None = None
    more: tuple[tuple[str, str], ...] = ()

    @property
    def trial(self) -> Trial:
        return Trial(self.source, self.column, self.table, self.target)

    def __str__(self) -> str:
        return f"{self.source}.{self.column} -> {self.table}.{self.target}"


@dataclass(frozen=True, slots=True)
class Polymorphic:
    """A pair of columns: the name of a table, and a key in it. ``targets``: value -> table, as far as known."""

    source: TableName
    type_column: str
    id_column: str
    values: tuple[str, ...]
    targets: tuple[tuple[str, TableName], ...]


def foreign(inspection: Inspection) -> list[Reference]:
    """The foreign keys that one column can stand for."""
    found = []
    for table in inspection.base.values():
        for key in table.foreign:
            target = inspection.tables[key.table]
            if not target.is_table or not all(map(writable, (*key.table, *key.columns, *key.targets))):
                continue
            pairs = list(zip(key.columns, key.targets, strict=True))
            single = [(column, aim) for column, aim in pairs if target.identifies(aim)]
            for column, aim in single:
                found.append(Reference(table.name, column, key.table, aim, 1.0, "foreign key", certain=True))
            if not single:
                (column, aim), *more = pairs
                made = Reference(table.name, column, key.table, aim, 1.0, "foreign key", certain=True, more=tuple(more))
                found.append(made)
    return found


class Guesses:
    """What columns without a foreign key may refer to. ``people``: the people table and its key."""

    def __init__(self, inspection: Inspection, people: Iterable[tuple[TableName, str]]) -> None:
        self._inspection = inspection
        self._people = list(people)
        names = [name.name for name in inspection.base]
        self._prefix = common_prefix(names)
        self._known = {(one.source, one.column) for one in foreign(inspection)}
        self._by_entity: dict[tuple[str, ...], list[FoundTable]] = {}
        for table in inspection.base.values():
            self._by_entity.setdefault(entity(table, self._prefix), []).append(table)
            whole = stem(table.name.name)
            if whole != entity(table, self._prefix):
                self._by_entity.setdefault(whole, []).append(table)
        self._precedents: dict[str, set[tuple[TableName, str]]] = {}
        for one in foreign(inspection):
            if not one.more:
                self._precedents.setdefault(one.column, set()).add((one.table, one.target))

    def all(self) -> list[Reference]:
        found = []
        for table in self._inspection.base.values():
            pairs = {pair.id_column for pair in polymorphic(table, self._inspection, self._prefix)}
            for column in table.columns.values():
                if (table.name, column.name) not in self._known and column.name not in pairs:
                    found += self._of(table, column)
        return found

    def _of(self, table: FoundTable, column: FoundColumn) -> list[Reference]:
        if not column.is_key or column.generated:
            return []
        made: dict[tuple[TableName, str], Reference] = {}

        def add(target: FoundTable, key: str, confidence: float, reason: str) -> None:
            if not key or (target.name == table.name and key == column.name):
                return
            if target.columns[key].family != column.family or not target.identifies(key):
                return
            if table.primary == (column.name,) and not _shared_key(column):
                return
            place = (target.name, key)
            if place not in made or made[place].confidence < confidence:
                made[place] = Reference(table.name, column.name, target.name, key, confidence, reason)

        elsewhere = self._precedents.get(column.name, set())
        if len(elsewhere) == 1:
            ((name, key),) = elsewhere
            told = f"the same name has a foreign key to {name} elsewhere"
            add(self._inspection.tables[name], key, 0.88, told)
        words = base_words(column.name)
        reference = looks_like_reference(column.name)
        named = self._by_words(words) if reference or column.family != "text" or len(words) == 1 else []
        for target, exact in named:
            if words[-1] in ROLES and self._is_between(target):
                continue  # follower_id is a person, although a table is called followers
            if reference:
                known = not set(words[: -len(entity(target, self._prefix))]) - QUALIFIERS
                person = any(target.name == one for one, _ in self._people)
                ending = 0.7 if known or person else 0.6  # status_message_id need not be a message
                add(target, self._key_of(target), 0.85 if exact else ending, "name and type")
            elif column.family != "int":
                sure = 0.66 if exact and column.family == "uuid" else 0.45  # a text may only be called so: status
                add(target, self._key_of(target), sure, "name and type")
            elif exact and words == stem(column.name) == tokens(column.name):  # a plural counts
                add(target, self._key_of(target), 0.68, "name and type")
        if (reference or len(tokens(column.name)) > 1) and not names_people(words):
            # events.event_id <- event_json.event_id
            holders = [one for one in self._inspection.base.values() if one.identifies(column.name)]
            whole = [one for one in holders if words in {entity(one, self._prefix), stem(one.name.name)}]
            part = [one for one in holders if words and words[-1] in entity(one, self._prefix)]
            for target in whole or (part if len(part) == 1 else []):
                if target.name != table.name:
                    add(target, column.name, 0.9 if whole else 0.72, "name and type")
        self._people_by_words(column, words, reference, add)
        return list(made.values())

    def _people_by_words(self, column: FoundColumn, words: tuple[str, ...], reference: bool, add: Add) -> None:
        if not words:
            return
        parts = tokens(column.name)
        many = parts[-1] != singular(parts[-1]) and not reference  # subscribers: how many
        role = names_people(words) and not many
        first = True
        for name, key in self._people:
            people = self._inspection.tables[name]
            if not first and words[-1] not in entity(name, self._prefix):
                continue  # a role is one of the first kind of people
            first = False
            same = people.columns[key].family == column.family
            if parts[0] in {"to", "from"} and len(words) == 1 and reference:
                add(people, key, 0.66, "its name says to or from whom")
            elif parts in {("uid",), ("user",), ("userid",)} and same and column.family in {"int", "uuid"}:
                add(people, key, 0.7, "its name says a person")
            elif words[-1] in PEOPLE and reference:
                add(people, key, 0.78 if words[-1] in entity(name, self._prefix) else 0.7, "its name says a person")
            elif role and (reference or words[-1].endswith("by")):
                add(people, key, 0.72, "its name says a person")
            elif role and same and column.family in {"uuid", "text"}:
                add(people, key, 0.66, "its name says a person")
            elif role and column.family == "int":
                add(people, key, 0.66 if words[-1] in PEOPLE else 0.6, "its name says a person")
            if column.family == "text" and parts[-1] in NAME_SUFFIXES:
                bare = tuple(word for word in words if word not in NAME_SUFFIXES)
                if bare and names_people(bare):
                    self._by_login(people, key, parts[-1], add)

    def _by_login(self, people: FoundTable, key: str, ends: str, add: Add) -> None:
        """``user_name``, ``author_login``: another unique text column of the people, or their key if it is a name."""
        names = {singular(ends), "login", "username", "handle", "nick", "name"}
        for other, found in people.columns.items():
            if people.identifies(other) and found.family == "text":
                says = singular(tokens(other)[-1]) in names
                add(people, other, 0.7 if other == key and says else 0.66 if says else 0.4, "its name says a person")

    def _by_words(self, words: tuple[str, ...]) -> list[tuple[FoundTable, bool]]:
        """Tables that the words name, the whole of them (exact) or their end."""
        for start in range(len(words)):
            rest = words[start:]
            found = self._by_entity.get(rest, [])
            if not found and len(rest) == 1:
                found = [one for key, tables in self._by_entity.items() if "".join(key) == rest[0] for one in tables]
            if found:
                return [(table, start == 0) for table in found]
        if words and len("".join(words)) > 3:  # access_token_id -> oauth_access_tokens, if only one table ends so
            ending = [one for key, tables in self._by_entity.items() if key[-len(words) :] == words for one in tables]
            unique = {one.name for one in ending}
            if len(unique) == 1:
                return [(ending[0], False)]
        return []

    def _is_between(self, table: FoundTable) -> bool:
        """Whether the rows of a table lie between people: it has columns that name two of them, or one and more."""
        return any(
            looks_like_reference(name) and names_people(base_words(name)) and base_words(name) != stem(table.name.name)
            for name in table.columns
        )

    def _key_of(self, table: FoundTable) -> str:
        for name, key in self._people:
            if table.name == name:
                return key
        if len(table.primary) == 1:
            return table.primary[0]
        named = f"{entity(table, self._prefix)[-1]}_id"
        return next((one for one in ("id", named) if table.identifies(one)), "")

    def by_values(self) -> list[Reference]:
        """Text and uuid columns whose names say nothing, but whose values may all be people's keys."""
        found = []
        for name, key in self._people:
            people = self._inspection.tables[name]
            texts = [key, *(one for one, c in people.columns.items() if people.identifies(one) and c.family == "text")]
            for table in self._inspection.base.values():
                for column in table.columns.values():
                    if column.family not in {"text", "uuid"} or len(column.samples) < 8 or column.generated:
                        continue
                    if table.name == name or (table.name, column.name) in self._known:
                        continue
                    if any(len(value) > 80 or "\n" in value for value in column.samples):
                        continue
                    found += [
                        Reference(table.name, column.name, name, one, 0.3, "its values are people's keys")
                        for one in dict.fromkeys(texts)
                        if people.columns[one].family == column.family
                    ]
        return found


def _shared_key(column: FoundColumn) -> bool:
    """A primary key that is another table's too: ``user_id`` of user_settings, never a plain ``id``."""
    return looks_like_reference(column.name) or (column.family == "text" and len(tokens(column.name)) > 1)


def weigh(guess: Reference, seen: Contained | None) -> Reference:
    """The guess after its sampled values were looked up."""
    if seen is None or seen.tried < 3 or seen.empty:
        if guess.confidence < 0.5:
            return replace(guess, confidence=0.0)
        return replace(guess, reason=f"{guess.reason}; no rows to check it with")
    told = f"{guess.reason}; {seen.found} of {seen.tried} sampled values are there"
    if guess.confidence < 0.5:
        sure = 0.82 if seen.share == 1.0 and seen.tried >= 8 else 0.0
        return replace(guess, confidence=sure, reason=told)
    if seen.share >= 0.95:
        return replace(guess, confidence=min(0.97, guess.confidence + 0.2), reason=told)
    if seen.found and guess.confidence >= ACCEPTED:
        # Those who were deleted, or who live on another server, are not in the table any more.
        return replace(guess, confidence=min(guess.confidence, 0.7 if seen.share >= 0.5 else ACCEPTED), reason=told)
    return replace(guess, confidence=0.1, reason=told)


def settle(guesses: Iterable[Reference], seen: Mapping[Trial, Contained]) -> list[Reference]:
    """The best guess of each column, and others that are as good (then nobody is sure)."""
    by_column: dict[tuple[TableName, str], list[Reference]] = {}
    for guess in guesses:
        weighed = weigh(guess, seen.get(guess.trial))
        if weighed.confidence >= 0.5:
            by_column.setdefault((guess.source, guess.column), []).append(weighed)
    settled = []
    for found in by_column.values():
        found.sort(key=lambda one: (-one.confidence, one.table, one.target))
        best = found[0]
        rivals = [one for one in found[1:] if one.confidence > best.confidence - 0.05 and one.table != best.table]
        if rivals:
            other = f"{rivals[0].table}.{rivals[0].target}"
            best = replace(best, confidence=min(best.confidence, 0.6), reason=f"{best.reason}; or is it {other}?")
        settled.append(best)
    return settled


def polymorphic(table: FoundTable, inspection: Inspection, prefix: str = "") -> list[Polymorphic]:
    """Pairs like owner_type and owner_id, and which tables the type's values name."""
    found = []
    foreign_columns = {column for key in table.foreign for column in key.columns}
    for name, column in table.columns.items():
        words = tokens(name)
        if (
            len(words) < 2
            or words[-1] not in TYPE_SUFFIXES
            or not writable(name)
            or not (column.is_text or column.kind == "e")
        ):
            continue
        stemmed = words[:-1]
        for other in table.columns.values():
            theirs = tokens(other.name)
            if theirs[:-1] != stemmed or theirs[-1] not in {"id", "uuid", "key", "pk"} or other.name in foreign_columns:
                continue
            values = column.labels or column.samples
            targets = []
            for value in sorted(set(values)):
                for aim in inspection.base.values():
                    meant = stem(value.rsplit("::", 1)[-1].rsplit("\\", 1)[-1].rsplit(".", 1)[-1])
                    if meant in {entity(aim, prefix), stem(aim.name.name)} and len(aim.primary) == 1:
                        targets.append((value, aim.name))
                        break
            found.append(Polymorphic(table.name, name, other.name, tuple(sorted(set(values))), tuple(targets)))
    return found

"""Groups of people: what is said in one may belong to every member, whom a table between the two lists.

    chats  <-  chat_members (chat_id, account_id)  ->  accounts        messages (chat_id, sender_id, body)

Whether a message belongs to its sender alone, or to all who could read it, no catalogue tells. So it is asked.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from seenby.attach.classify import table_class
from seenby.attach.inspection import Inspection
from seenby.attach.proposal import Answer
from seenby.attach.references import Reference
from seenby.attach.words import stem, word_set
from seenby.datamap import Hop, TableName
from seenby.model.classes import DataClass

_MEMBERS = word_set("""
    member membership participant participation recipient subscriber attendee chatmember roommember occupant
    mitglied teilnehmer membre participante miembro membro lid deelnemer czlonek uczestnik medlem deltagare
    """)
_GROUPS = word_set("""
    chat conversation room channel group thread dialog dialogue huddle inbox mailbox space gespraech unterhaltung raum
    gruppe salon groupe conversacion grupo stanza gruppo sala gesprek groep rozmowa pokoj grupa samtal rum grupp
    """)


@dataclass(frozen=True, slots=True)
class Group:
    """A table of groups.

    Attributes:
        to_group, to_person: from the table that lists members.
        said: from tables of what is said in a group to the group.
    """

    table: TableName
    to_group: Reference
    to_person: Reference
    said: tuple[Reference, ...]

    @property
    def subject(self) -> str:
        """Of an answer."""
        return f"members.{self.table}"

    @property
    def lists(self) -> str:
        return f"{self.to_person.source}.{self.to_person.column}"

    @property
    def hop(self) -> Hop:
        """From a group to its members."""
        return Hop(self.to_group.target, self.to_group.source, self.to_group.column, many=True)


def groups(
    inspection: Inspection,
    accepted: Iterable[Reference],
    people: Mapping[TableName, str],
    persons: Collection[TableName],
) -> list[Group]:
    """Every group in which something is said.

    Args:
        people: tables of people and their keys; ``persons``: these, and what stands beside them.
    """
    plain = [one for one in accepted if one.when is None and not one.more and one.source != one.table]
    by_source: dict[TableName, list[Reference]] = {}
    for one in plain:
        by_source.setdefault(one.source, []).append(one)
    found: dict[TableName, Group] = {}
    for name in sorted(by_source):
        for to_group in by_source[name]:
            table = to_group.table
            if table in persons or name in persons or table in found or not _is_group(inspection, table):
                continue
            to_person = _member(inspection, to_group, by_source[name], people)
            said = tuple(
                one for one in plain
                if one.table == table and one.target == to_group.target and one.source != name
                and one.source not in persons and table_class(inspection.tables[one.source]) is DataClass.COMMUNICATION
                and not _MEMBERS & set(stem(one.source.name))
            )  # fmt: skip
            if to_person is not None and said:
                found[table] = Group(table, to_group, to_person, said)
    return [found[table] for table in sorted(found)]


def confirmed(found: Sequence[Group], answers: Mapping[str, Answer]) -> list[Group]:
    """Those of which somebody said that what is said in them belongs to every member."""
    return [one for one in found if one.subject in answers and answers[one.subject].answer == one.lists]


def _is_group(inspection: Inspection, table: TableName) -> bool:
    return table in inspection.base and bool(_GROUPS & set(stem(table.name)))


def _member(
    inspection: Inspection, to_group: Reference, others: Sequence[Reference], people: Mapping[TableName, str]
) -> Reference | None:
    """The column that names the member, if the table lists members: by its name, or as its key is group and person."""
    table = inspection.tables[to_group.source]
    persons = [one for one in others if people.get(one.table) == one.target]
    keyed = [one for one in persons if any(set(key) == {to_group.column, one.column} for key in table.unique)]
    if len(keyed) == 1:
        return keyed[0]
    named = bool(_MEMBERS & set(stem(table.name.name)))
    return persons[0] if named and len(persons) == 1 else None

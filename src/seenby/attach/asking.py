"""What the proposal is unsure of, as few questions as possible, the most valuable first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from seenby.attach.classify import by_name, by_values
from seenby.attach.countries import are_codes
from seenby.attach.inside import Held
from seenby.attach.inspection import Inspection, listing, writable
from seenby.attach.members import Group
from seenby.attach.ownership import People
from seenby.attach.people import Candidate
from seenby.attach.proposal import Answer, Choice, ProposedTable, Question
from seenby.attach.references import SURE, Reference
from seenby.attach.words import stem, tokens, word_set
from seenby.datamap import TableName
from seenby.model.classes import DataClass

BOOKS = word_set("contact addressbook phonebook invite invitation waitlist lead referral kontakt contato")
_HOMES = word_set("country region residency land pays pais shard cell jurisdiction countrycode")
SHOWN = 15
"""Questions that one review asks."""


def questions(
    inspection: Inspection,
    people: Sequence[People],
    candidates: Sequence[Candidate],
    tables: Mapping[TableName, ProposedTable],
    accepted: Iterable[Reference],
    doubtful: Iterable[Reference],
    held: Iterable[Held],
    groups: Iterable[Group],
    answers: Mapping[str, Answer],
) -> list[Question]:
    """All open ones, most valuable first. What was answered is not asked again."""
    found = [
        *_people(people, candidates, answers),
        *_region(inspection, people, answers),
        *_assumed(tables, accepted, answers),
        *_doubtful(tables, doubtful, answers),
        *_without(tables, doubtful, answers),
        *_mentioned(people, tables, answers),
        *_inside(tables, held),
        *_members(groups, answers),
    ]
    return sorted(found, key=lambda one: (-one.value, one.subject))


def _people(
    people: Sequence[People], candidates: Sequence[Candidate], answers: Mapping[str, Answer]
) -> Iterable[Question]:
    first = people[0]
    if "people" in answers or first.confidence > 0.9:
        return
    choices = [
        Choice(str(place), f"{one.table}: {', '.join(one.reasons)}", (("people", str(one.table)),))
        for place, one in enumerate(candidates[:4], start=1)
    ]
    yield Question("people", "Which table lists the people?", (), tuple(choices), 1000.0)


def _region(inspection: Inspection, people: Sequence[People], answers: Mapping[str, Answer]) -> Iterable[Question]:
    first = people[0]
    subject = f"people.{first.table}.region"
    if first.region_column or subject in answers or not first.account:
        return
    columns = [
        column
        for column in inspection.tables[first.table].columns.values()
        if (column.is_text or column.kind == "e") and writable(column.name) and _HOMES & set(tokens(column.name))
    ]
    if not columns:
        return  # the map says "local", and why
    choices = [Choice("l", "in this database's own region, all of them", ((subject, "local"),))]
    for place, column in enumerate(columns[:4], start=1):
        if are_codes(column.labels or column.samples):
            told = (
                f"column {column.name} is a country: those of the EU and the EEA are region eu, others this database's"
            )
            choices.append(Choice(str(place), told, ((subject, f"country:{column.name}"),)))
        else:
            told = f"column {column.name} holds it (its values must be names of regions)"
            choices.append(Choice(str(place), told, ((subject, f"column:{column.name}"),)))
    yield Question(subject, f"Where are the people of {first.table} at home?", (), tuple(choices), 12.0)


def _assumed(
    tables: Mapping[TableName, ProposedTable], accepted: Iterable[Reference], answers: Mapping[str, Answer]
) -> Iterable[Question]:
    """References that are followed, on their names alone."""
    resting: dict[Reference, int] = {}
    for table in tables.values():
        for one in table.used:
            resting[one] = resting.get(one, 0) + 1
    by_target: dict[tuple[TableName, str], list[Reference]] = {}
    for one in accepted:
        if one.certain or one.confidence >= SURE or one not in resting or one.when is not None:
            continue
        if f"references.{one.source}.{one.column}" not in answers:
            by_target.setdefault((one.table, one.target), []).append(one)
    singles: list[Reference] = []
    for (target, key), found in sorted(by_target.items()):
        if len(found) == 1:
            singles += found
            continue
        value = float(sum(resting[one] for one in found))
        yield _batch(f"references to {target}.{key}", f"Do these lead to {target}.{key}?", found, value)
    if len(singles) > 2:
        value = float(sum(resting[one] for one in singles))
        yield _batch("other references", "Do these lead where their names say?", singles, value)
    else:
        for one in singles:
            yield _one_reference(one, float(resting[one]))


def _batch(subject: str, text: str, found: Sequence[Reference], value: float) -> Question:
    shown = tuple(f"{one}  ({one.reason})" for one in found)
    yes = tuple((f"references.{one.source}.{one.column}", f"{one.table}.{one.target}") for one in found)
    no = tuple((f"references.{one.source}.{one.column}", "no") for one in found)
    return Question(
        subject,
        text,
        shown,
        (Choice("y", "yes, all of them", yes), Choice("n", "no, none", no), Choice("e", "ask for each", ())),
        value,
        tuple(_one_reference(one, 1.0) for one in found),
    )


def _one_reference(one: Reference, value: float) -> Question:
    subject = f"references.{one.source}.{one.column}"
    return Question(
        subject,
        f"Does {one.source}.{one.column} lead to {one.table}.{one.target}?",
        (one.reason,),
        (Choice("y", "yes", ((subject, f"{one.table}.{one.target}"),)), Choice("n", "no", ((subject, "no"),))),
        value,
    )


def _doubtful(
    tables: Mapping[TableName, ProposedTable], doubtful: Iterable[Reference], answers: Mapping[str, Answer]
) -> Iterable[Question]:
    """References too weak to follow, of tables that have no owner without them, or others beside them."""
    found: list[tuple[Reference, float]] = []
    for one in doubtful:
        subject = f"references.{one.source}.{one.column}"
        table = tables[one.source]
        if subject not in answers and (table.refused or table.owners) and f"tables.{one.source}" not in answers:
            depends = sum(1 for other in tables.values() if f"leads to {one.source} " in other.refused)
            found.append((one, (2.0 if table.refused else 0.4) + depends))
    if len(found) > 3:
        told = "Perhaps these lead where it says; they are not followed so far. Do they?"
        yield _batch("doubtful references", told, [one for one, _ in found], sum(value for _, value in found))
    else:
        for one, value in found:
            yield _one_reference(one, value)


def _without(
    tables: Mapping[TableName, ProposedTable], doubtful: Iterable[Reference], answers: Mapping[str, Answer]
) -> Iterable[Question]:
    """Tables that lead to no person. Those that hold nothing personal are asked about together."""
    asked = {one.source for one in doubtful}
    plain: list[ProposedTable] = []
    personal: list[ProposedTable] = []
    for name, table in sorted(tables.items()):
        if not table.refused or f"tables.{name}" in answers or name in asked or not table.ask:
            continue
        contact = [one for one in table.columns if _names_somebody(table, one)]
        if contact:
            yield _whose(table, contact, tables)
        elif "may be about a person" in table.refused:
            personal.append(table)
        else:
            plain.append(table)
    if len(personal) > 3:
        text = "These may be about people, but nothing says whom. Are they about nobody?"
        yield _together("tables that may be about people", text, personal, tables)
    else:
        for table in personal:
            yield _whose(table, [], tables)
    if plain:
        text = "Nothing leads from these tables to a person. Are they about nobody?"
        yield _together("tables about nobody", text, plain, tables)


def _whose(table: ProposedTable, contact: Sequence[str], tables: Mapping[TableName, ProposedTable]) -> Question:
    subject = f"tables.{table.name}"
    choices = [Choice("n", "about nobody: only its public columns are ever shown", ((subject, "nobody"),))]
    choices += [
        Choice(str(place), f"about people without an account, named by {one}", ((subject, f"contact:{one}"),))
        for place, one in enumerate(contact[:3], start=1)
    ]
    choices.append(Choice("r", "leave it refused", ((subject, "refused"),)))
    value = 1.5 + _depending(table, tables)
    return Question(subject, f"Whose are the rows of {table.name}?", (table.refused,), tuple(choices), value)


def _depending(table: ProposedTable, tables: Mapping[TableName, ProposedTable]) -> int:
    """How many tables are refused only because this one is."""
    return sum(1 for other in tables.values() if f"leads to {table.name} " in other.refused)


def _together(
    subject: str, text: str, found: Sequence[ProposedTable], tables: Mapping[TableName, ProposedTable]
) -> Question:
    parts = tuple(_whose(one, [], tables) for one in found)
    if len(parts) == 1:
        return parts[0]
    return Question(
        subject,
        text,
        tuple(f"{one.name}: {one.refused}" for one in found),
        (
            Choice("n", "yes, all: only their public columns are shown", tuple((p.subject, "nobody") for p in parts)),
            Choice("r", "no: leave them refused", tuple((p.subject, "refused") for p in parts)),
            Choice("e", "ask for each", ()),
        ),
        sum(0.9 + _depending(one, tables) for one in found),
        parts,
    )


def _mentioned(
    people: Sequence[People], tables: Mapping[TableName, ProposedTable], answers: Mapping[str, Answer]
) -> Iterable[Question]:
    """Address books and invitations: they belong to an account, and are about somebody who may have none."""
    persons = {kind.table for kind in people}
    for name, table in sorted(tables.items()):
        subject = f"tables.{name}"
        if not table.owners or table.refused or subject in answers or name in persons or not _is_book(name):
            continue
        named = [one for one in table.columns if _names_somebody(table, one)]
        if named:
            choices = [
                Choice(str(place), f"yes, and {one} names them: they become owners too", ((subject, f"contact:{one}"),))
                for place, one in enumerate(named[:3], start=1)
            ]
            choices.append(Choice("n", "no, leave it to its owners", ((subject, "owners"),)))
            text = f"Is {name} also about people who have no account?"
            yield Question(subject, text, (f"it holds {listing(named)}",), tuple(choices), 3.0)


def _members(groups: Iterable[Group], answers: Mapping[str, Answer]) -> Iterable[Question]:
    for one in groups:
        if one.subject in answers:
            continue
        said = listing(str(reference.source) for reference in one.said)
        yield Question(
            one.subject,
            f"Does what is said in {one.table} ({said}) belong to every member too?",
            (f"{one.lists} names them",),
            (
                Choice("n", "no: only to whom its own columns name", ((one.subject, "no"),)),
                Choice("y", "yes: then the record says so, and no grant shows these rows", ((one.subject, one.lists),)),
            ),
            4.0 + len(one.said),
        )


def _inside(tables: Mapping[TableName, ProposedTable], held: Iterable[Held]) -> Iterable[Question]:
    """Columns with keys of people inside their values, in tables that are shown: closed until somebody decides."""
    shown = [one for one in held if not tables[one.table].refused and writable(one.column)]
    parts = [_one_inside(one) for one in sorted(shown, key=lambda one: one.subject)]
    if len(parts) < 3:
        yield from parts
        return
    yield Question(
        "keys of people inside values",
        "These columns hold keys of people, who do not become owners by it. May they be shown with their rows?",
        tuple(f"{one.subject.removeprefix('columns.')} {one.why[0]}" for one in parts),
        (
            Choice("o", "yes, all: their rows' owners are enough", tuple((one.subject, "owners") for one in parts)),
            Choice("r", "no: leave them refused", tuple((one.subject, "refused") for one in parts)),
            Choice("e", "ask for each", ()),
        ),
        0.8 * len(parts),
        tuple(parts),
    )


def _one_inside(one: Held) -> Question:
    subject = one.subject
    choices = (
        Choice("n", "they are no keys of people", ((subject, "none"),)),
        Choice(
            "o", "they are: its rows' owners are enough, and these people learn nothing of it", ((subject, "owners"),)
        ),
        Choice("r", "leave it refused", ((subject, "refused"),)),
    )
    return Question(subject, f"May {one.table}.{one.column} be shown with its rows?", (one.reason,), choices, 0.8)


def _is_book(name: TableName) -> bool:
    parts = stem(name.name)
    return bool(BOOKS & {*parts, *("".join(pair) for pair in pairwise(parts))})


def _names_somebody(table: ProposedTable, column: str) -> bool:
    """E-mail addresses and the like, of a type that can be a key: a person without an account goes by them."""
    found = table.found.columns[column]
    if not found.is_key or found.family == "int":
        return False
    named, seen = by_name(column), by_values(found)
    if seen and seen[1] in {"e-mail addresses", "phone numbers"}:
        return True
    joined = "".join(tokens(column))
    return bool(named and not named[2] and named[0] is DataClass.CONTACT) and any(word in joined for word in _REACHES)


_REACHES = ("mail", "phone", "mobile", "msisdn", "tel", "courriel", "correo", "whatsapp", "jabber", "xmpp", "cell")


def words(question: Question) -> str:
    """One line, for the map's header."""
    return f"{question.text} {listing(question.why, 2)}".strip()

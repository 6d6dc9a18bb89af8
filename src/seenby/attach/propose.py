"""Inspection, looked-up values and answers -> Proposal. The same input gives the same map."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from seenby.attach import asking
from seenby.attach.classify import Verdict, by_name, by_values, classify, harmless_table, table_class
from seenby.attach.inside import Insides
from seenby.attach.inspection import (
    JSONS,
    Contained,
    FoundColumn,
    FoundTable,
    Inspection,
    RelationKind,
    Trial,
    listing,
    writable,
)
from seenby.attach.kinds import Kinds
from seenby.attach.members import confirmed, groups
from seenby.attach.ownership import Owned, Ownership, too_many
from seenby.attach.proposal import Answer, Proposal, ProposedTable
from seenby.attach.references import ACCEPTED, Guesses, Polymorphic, Reference, foreign, polymorphic, settle
from seenby.attach.views import derive
from seenby.attach.words import base_words, common_prefix, looks_like_reference, names_people, stem, tokens, word_set
from seenby.datamap import TableName
from seenby.model.classes import DataClass

_PERSONAL = frozenset(
    {DataClass.CONTACT, DataClass.LOCATION, DataClass.DEVICE, DataClass.IDENTITY, DataClass.BIOMETRIC}
)
_UNWRITABLE = Verdict(None, 0.0, ("its name has a dot, a comma or a space, which a map cannot write",))
_FOREIGN_IDS = word_set("external remote stripe facebook google twitter apple github paypal foreign legacy old")


def trials(inspection: Inspection, answers: Mapping[str, Answer]) -> list[Trial]:
    """What to look up in the database before ``propose``: each guess whose column has sampled values."""
    found = _Proposer(inspection, {}, answers)
    seen = dict.fromkeys(
        guess.trial
        for guess in found.guesses
        if len(inspection.tables[guess.source].columns[guess.column].samples) >= 3
    )
    return [*seen, *found.insides.trials]


def propose(inspection: Inspection, contained: Mapping[Trial, Contained], answers: Mapping[str, Answer]) -> Proposal:
    """Raises ConfigError when no table could list people at all."""
    return _Proposer(inspection, contained, answers).run()


class _Proposer:
    def __init__(
        self, inspection: Inspection, contained: Mapping[Trial, Contained], answers: Mapping[str, Answer]
    ) -> None:
        self.inspection = inspection
        self.answers = answers
        self.prefix = common_prefix([name.name for name in inspection.base])
        self.foreign = foreign(inspection)
        kinds = Kinds(inspection, self.prefix, self.foreign, answers)
        self.candidates, self.beside, self.people = kinds.candidates, kinds.beside, kinds.people
        self.accounts = [(one.table, one.key) for one in self.people if one.account]
        maker = Guesses(inspection, self.accounts)
        self.guesses = [*maker.all(), *maker.by_values()]
        self.contained = contained
        self.insides = Insides(inspection, self.accounts, contained, answers)
        self.pairs = {
            name: found
            for name, table in inspection.base.items()
            if (found := polymorphic(table, inspection, self.prefix))
        }

    # -- references -------------------------------------------------------------------------------------------------

    def _references(self) -> tuple[list[Reference], list[Reference]]:
        """(accepted, doubtful)."""
        accepted, doubtful = list(self.foreign), []
        for guess in settle(self.guesses, self.contained):
            told = self.answers.get(f"references.{guess.source}.{guess.column}")
            if told and told.answer == "no":
                continue
            if told and told.answer in {"yes", f"{guess.table}.{guess.target}"}:
                accepted.append(replace(guess, confidence=0.99, reason=f"said {told.by}"))
            elif guess.confidence >= ACCEPTED:
                accepted.append(guess)
            else:
                doubtful.append(guess)
        for pairs in self.pairs.values():
            accepted += [one for pair in pairs for one in self._conditional(pair)]
        return accepted, doubtful

    def _conditional(self, pair: Polymorphic) -> list[Reference]:
        """A polymorphic pair as one reference for each value, where every value is known."""
        table = self.inspection.tables[pair.source]
        found = []
        for value, name in pair.targets:
            target = self.inspection.tables[name]
            key = target.primary[0]
            same = target.columns[key].family == table.columns[pair.id_column].family
            written = re.fullmatch(r"\S(?:.*\S)?", value) and writable(pair.id_column)
            if same and written and target.identifies(key):
                found.append(
                    Reference(
                        pair.source, pair.id_column, name, key, 0.9,
                        f"{pair.type_column} says which table {pair.id_column} refers to",
                        when=(pair.type_column, value),
                    )
                )  # fmt: skip
        return found

    # -- all --------------------------------------------------------------------------------------------------------

    def run(self) -> Proposal:
        accepted, doubtful = self._references()
        followed = self._followed(accepted)
        persons = {kind.table for kind in self.people} | self.beside
        self.groups = groups(self.inspection, followed, dict(reversed(self.accounts)), persons)
        shared = confirmed(self.groups, self.answers)
        members = {one.table: (one.hop, (one.to_group, one.to_person)) for one in shared}
        said = [one for group in shared for one in group.said]
        owned = Ownership(self.inspection, self.people, followed, self.beside, members, said).solve()
        by_column = {(one.source, one.column): one for one in [*accepted, *doubtful]}
        tables: dict[TableName, ProposedTable] = {}
        for name, table in self.inspection.base.items():
            tables[name] = self._table(table, owned.get(name), accepted, doubtful, by_column)
        self._through(tables)
        self._depending(tables, accepted)
        questions = asking.questions(
            self.inspection,
            self.people,
            self.candidates,
            tables,
            accepted,
            doubtful,
            self.insides.asked(),
            self.groups,
            self.answers,
        )
        return Proposal(
            self.inspection.database, self.people, tables,
            tuple(derive(self.inspection, {name: table.known for name, table in tables.items()})),
            self._others(), tuple(questions), tuple(self.answers[one] for one in sorted(self.answers)),
        )  # fmt: skip

    def _followed(self, accepted: Sequence[Reference]) -> list[Reference]:
        """References on which owners may rest: a polymorphic pair counts where nothing else leads to a person, or
        where its name says a person (recipient_type, recipient_id)."""
        persons = {kind.table for kind in self.people} | self.beside
        direct = {
            one.source for one in accepted if one.table in persons and one.when is None and one.source != one.table
        }
        other = {one.source for one in accepted if one.when is None and one.source != one.table}
        kept = []
        for one in accepted:
            if one.when is not None:
                says = names_people(base_words(one.column))
                if one.source in direct and not says:
                    continue
                if one.source in other and not says and one.source not in direct:
                    continue
            kept.append(one)
        return kept

    def _table(
        self,
        table: FoundTable,
        owned: Owned | None,
        accepted: Sequence[Reference],
        doubtful: Sequence[Reference],
        by_column: Mapping[tuple[TableName, str], Reference],
    ) -> ProposedTable:
        people = table.name in {one.table for one in self.people}
        told = None if people else self.answers.get(f"tables.{table.name}")
        notes = list(owned.notes) if owned else []
        refused = self._impossible(table)
        ask = not refused
        owners = tuple(owned.owners) if owned else ()
        if told and told.answer == "nobody":
            owners, notes = (), [f"about nobody, said {told.by}"]
        elif told and told.answer == "refused":
            refused = refused or f"refused, said {told.by}"
        elif owned is None or not owned.owners:
            refused = refused or self._doubt(table, accepted, doubtful)
        elif problem := too_many(owned):
            refused, owners, ask = problem, (), False
        unresolved = [one for one in doubtful if one.source == table.name and owners]
        for one in unresolved:
            notes.append(f"not followed: {one.column}, perhaps {one.table}.{one.target} ({one.reason})")
        for pair in self.pairs.get(table.name, []):
            if owners and not any(one.when and one.column == pair.id_column for one in (owned.used if owned else [])):
                notes.append(f"not followed: {pair.id_column}, whose table {pair.type_column} names")
        if owners:
            notes += [f"not followed: {one.column} {one.reason}" for one in self.insides.closed(table.name)]
            notes += [
                f"perhaps of every member of {one.table} too, whom {one.lists} names: nobody has said so"
                for one in self.groups
                if one.subject not in self.answers and any(said.source == table.name for said in one.said)
            ]
            lost = [one for one in self._dangling(table, accepted) if (table.name, one) not in by_column]
            lost = [one for one in lost if all(one != pair.id_column for pair in self.pairs.get(table.name, []))]
            if lost:
                notes.append(f"lead to no table that could be found: {listing(lost, 6)}")
        about = self._about(table)
        columns = {
            name: classify(
                table, column, owned=bool(owners) or bool(refused), about=about,
                reference=self._reference(table, column, by_column),
            )
            for name, column in table.columns.items()
        }  # fmt: skip
        columns |= self.insides.verdicts(table.name, columns, about)
        columns |= {name: _UNWRITABLE for name in columns if not writable(name)}
        for kind in self.people:
            if kind.table == table.name and columns[kind.key].data_class is None:
                columns[kind.key] = Verdict(DataClass.IDENTITY, 0.7, ("it names the people",))
        if not refused and not any(verdict.data_class for name, verdict in columns.items() if writable(name)):
            refused, ask = "no column of it is classified yet", False
        area = about if owners else None
        return ProposedTable(
            table,
            area,
            owners,
            tuple(owned.used) if owned and owners else (),
            refused,
            columns,
            tuple(notes),
            ask,
            any_owner=len(owners) > 1 and any(not kind.account and kind.table == table.name for kind in self.people),
        )

    def _reference(
        self, table: FoundTable, column: FoundColumn, by_column: Mapping[tuple[TableName, str], Reference]
    ) -> str:
        one = by_column.get((table.name, column.name))
        if one is not None:
            return str(one.table)
        if any(column.name in key.columns for key in table.foreign):
            return str(next(key.table for key in table.foreign if column.name in key.columns))
        return ""

    def _about(self, table: FoundTable) -> DataClass:
        """What the rows say of their people, for columns that only carry them."""
        if table.name in {one.table for one in self.people if one.account} | self.beside:
            return DataClass.IDENTITY
        return table_class(table) or DataClass.BEHAVIOUR

    def _impossible(self, table: FoundTable) -> str:
        """Why a map cannot hold the table, whoever owns it; or ""."""
        if not all(map(writable, table.name)):
            return "its name has a dot, a comma or a space, which a map cannot write"
        children = [str(name) for name, other in self.inspection.tables.items() if table.name in other.inherits]
        if children:
            return f"{listing(children)} inherit from it, so that its key may occur twice"
        return ""

    def _doubt(self, table: FoundTable, accepted: Sequence[Reference], doubtful: Sequence[Reference]) -> str:
        """Why a table without an owner is not simply about nobody; "" if it is."""
        for one in doubtful:
            if one.source == table.name and one.table in {kind.table for kind in self.people} | self.beside:
                return f"{one.column} may name a person ({one.reason})"
        for held in self.insides.closed(table.name):
            return f"{held.column} {held.reason}; a path cannot follow them"
        pairs = self.pairs.get(table.name, [])
        if pairs:
            unknown = "no rows say which tables" if not pairs[0].values else "some of the tables it names are not known"
            return f"{pairs[0].id_column} refers to a row of the table that {pairs[0].type_column} names; {unknown}"
        known = {one.column for one in accepted if one.source == table.name}
        known |= {column for key in table.foreign for column in key.columns}
        for column in table.columns.values():
            words = base_words(column.name)
            if column.name in known or column.name == "id":
                continue
            if (
                column.is_key
                and names_people(words)
                and (looks_like_reference(column.name) or column.is_text or words[-1] == "by")
            ):
                return f"{column.name} seems to name a person, but leads nowhere"
        personal = self._personal(table)
        if personal and not harmless_table(table):
            return f"{listing(personal)} may be about a person, but nothing says whom"
        if harmless_table(table):
            return ""
        for column_name in self._dangling(table, accepted):
            return f"{column_name} leads to no table that could be found"
        about = table_class(table)
        if about is not None and about is not DataClass.BEHAVIOUR:
            return f"its name says {about.value} data, but nothing in it leads to a person"
        return ""

    def _dangling(self, table: FoundTable, accepted: Sequence[Reference]) -> list[str]:
        """Columns that look like references and are none that could be found."""
        known = {one.column for one in accepted if one.source == table.name}
        known |= {column for key in table.foreign for column in key.columns}
        return [
            column.name
            for column in table.columns.values()
            if column.name not in known
            and table.primary != (column.name,)
            and column.is_key
            and looks_like_reference(column.name)
            and not _FOREIGN_IDS & set(tokens(column.name))
            and tokens(column.name)[:-1] != stem(table.name.name)
        ]

    def _personal(self, table: FoundTable) -> list[str]:
        found = []
        for column in table.columns.values():
            named, seen = by_name(column.name), by_values(column)
            if (named and not named[2] and named[0] in _PERSONAL and column.base_name != "bool") or (
                seen and seen[0] in _PERSONAL
            ):
                found.append(column.name)
            elif column.base_name in JSONS:
                inside = classify(table, column, owned=False, about=DataClass.CONTENT, reference="")
                if inside.data_class in _PERSONAL:
                    found.append(column.name)
        return found

    def _through(self, tables: dict[TableName, ProposedTable]) -> None:
        """A path through a refused table leads nowhere: a map cannot have it."""
        changed = True
        while changed:
            changed = False
            for name, table in tables.items():
                closed = [hop.table for owner in table.owners for hop in owner.hops if tables[hop.table].refused]
                if closed and not table.refused:
                    told = f"its people are found through {closed[0]}, which is refused"
                    tables[name] = replace(table, refused=told, owners=(), used=(), ask=False)
                    changed = True

    def _depending(self, tables: dict[TableName, ProposedTable], accepted: Sequence[Reference]) -> None:
        """A table that leads to a refused one and to nobody else cannot be about nobody for sure."""
        changed = True
        while changed:
            changed = False
            for name, table in tables.items():
                if not table.nobody or f"tables.{name}" in self.answers or harmless_table(table.found):
                    continue
                for one in accepted:
                    if one.source == name and one.table != name and tables[one.table].refused:
                        told = f"it leads to {one.table} (by {one.column}), whose people are not known"
                        tables[name] = self._as_refused(table, told)
                        changed = True
                        break

    def _as_refused(self, table: ProposedTable, refused: str) -> ProposedTable:
        about = self._about(table.found)
        columns = {
            name: classify(table.found, column, owned=True, about=about, reference="")
            for name, column in table.found.columns.items()
        }
        return replace(table, refused=refused, columns=columns, ask=False)

    def _others(self) -> tuple[tuple[TableName, str], ...]:
        """What a map does not hold, each with a sentence."""
        found = []
        for name, table in self.inspection.tables.items():
            if table.kind is RelationKind.FOREIGN:
                found.append((name, "a foreign table: its rows are in another database, map them there"))
        found += [(name, f"belongs to the extension {extension}") for name, extension in self.inspection.left_out]
        if self.inspection.large_objects:
            found.append((TableName("public", "large objects"), "not mapped: nobody sees them through Seenby"))
        return tuple(sorted(found))

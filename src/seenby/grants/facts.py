"""What a decision needs to know of the world beyond the terms: regions, purposes, people, classes of columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from seenby.errors import UnknownColumn, UsageError
from seenby.model.classes import DataClass
from seenby.model.grant import Cell, GrantTerms
from seenby.model.people import Person


@dataclass(frozen=True, slots=True)
class RegionRules:
    """Where the data of a home region's people may be looked at, and by whose employees.

    Attributes:
        countries: ISO 3166-1 alpha-2.
        entities: legal entities, as the directory names them.
    """

    countries: frozenset[str]
    entities: frozenset[str]


@dataclass(frozen=True, slots=True)
class PersonFact:
    """A person who exists: home region ("" when it is unknown), and whether they are protected (a journalist...)."""

    region: str
    protected: bool


@dataclass(frozen=True, slots=True)
class Facts:
    """As of now; gathered by the caller.

    Attributes:
        regions: every region that the organisation has.
        purposes: the words that a request may give as its purpose.
        people: of every person whom the terms name: the facts, or no entry when there is no such person.
        classes: of every column that the terms name: its data class.
    """

    regions: Mapping[str, RegionRules]
    purposes: frozenset[str]
    people: Mapping[Person, PersonFact]
    classes: Mapping[str, DataClass]

    def class_of(self, cell: Cell) -> DataClass:
        """The data class that a cell reveals. Raises UnknownColumn for a column that nobody classified."""
        if cell.what in set(DataClass):
            return DataClass(cell.what)
        try:
            return self.classes[cell.what]
        except KeyError:
            raise UnknownColumn(
                f"no column {cell.what} is in the data map", hint="write TABLE.COLUMN, or ask for a data class"
            ) from None

    def rules_of(self, region: str) -> RegionRules:
        """Raises UsageError for a region that the organisation does not have."""
        try:
            return self.regions[region]
        except KeyError:
            raise UsageError(
                f"there is no region {region!r}", hint=f"known: {', '.join(sorted(self.regions))}"
            ) from None

    def protected_among(self, people: tuple[Person, ...] | None, region: str | None = None) -> tuple[Person, ...]:
        """The protected ones among the people named (of one home region, if given)."""
        found = ((person, self.people.get(person)) for person in people or ())
        return tuple(p for p, fact in found if fact and fact.protected and region in {None, fact.region})

    def strangers(self, terms: GrantTerms) -> tuple[Person, ...]:
        """People whom the terms name, and who do not exist or whose home region no cell names."""
        homes = set(terms.home_regions)
        found = ((person, self.people.get(person)) for person in terms.people or ())
        return tuple(person for person, fact in found if fact is None or fact.region not in homes)

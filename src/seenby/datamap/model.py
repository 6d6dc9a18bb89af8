"""The data map as values: which table, column and row belongs to whom (docs/formats/datamap.md)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from seenby.model.classes import DataClass


class TableName(NamedTuple):
    """A table as Postgres stores its name. Equal to the plain pair ``("public", "accounts")``."""

    schema: str
    name: str

    def __str__(self) -> str:
        return self.name if self.schema == "public" else f"{self.schema}.{self.name}"


class MaskKind(StrEnum):
    """What stands in place of a value that is not revealed. A closed list of functions that cannot fail."""

    NULL = "null"
    EMPTY = "empty"  # '' or an empty array
    ZERO = "zero"  # numbers
    CONSTANT = "constant"  # a fixed value
    YEAR = "year"  # dates and times, truncated
    MONTH = "month"
    DAY = "day"
    LAST4 = "last4"  # text: the last four characters of at least nine
    INITIAL = "initial"  # text: the first character
    EMAIL_DOMAIN = "email-domain"  # text: what follows the @
    NETWORK = "network"  # inet, cidr: /16 of IPv4, /32 of IPv6
    ONE_DECIMAL = "one-decimal"  # numbers: truncated, about 11 km of latitude


@dataclass(frozen=True, slots=True)
class Mask:
    kind: MaskKind
    constant: str = ""


@dataclass(frozen=True, slots=True)
class Countries:
    """Home regions by country.

    Attributes:
        column: of the people's table, with ISO 3166-1 alpha-2 codes, in capitals or not.
        regions: (region, its countries in capitals), sorted. No country stands in two regions.
        rest: the region of everybody whose country is another, or is not known; None: they are at home nowhere, so
            no grant reaches them.
    """

    column: str
    regions: tuple[tuple[str, tuple[str, ...]], ...]
    rest: str | None


@dataclass(frozen=True, slots=True)
class PersonKind:
    """One kind of people: ``account``, ``contact``...

    Attributes:
        table, key: where such people are listed, and the column that names one.
        account: one row of ``table`` is one person, so ``key`` is unique. False: people without an account, who are
            only mentioned, any number of times.
        region_column, countries, region: one of them is not None: the column of ``table`` that holds the home region,
            a column with a country that tells it, or the region of all of them.
        protected, employee, minor: boolean columns of ``table``, or None.
        birth_date: a column of ``table`` that tells how old somebody is, or None.
    """

    name: str
    table: TableName
    key: str
    account: bool
    region_column: str | None
    region: str | None
    protected: str | None = None
    employee: str | None = None
    countries: Countries | None = None
    birth_date: str | None = None
    minor: str | None = None

    @property
    def home_column(self) -> str | None:
        """The column of ``table`` that tells the home region; None: it is one for all."""
        return self.countries.column if self.countries else self.region_column


@dataclass(frozen=True, slots=True)
class Hop:
    """``comment_id -> comments.id``: from a column of the row reached so far to a unique column of another table.

    ``when`` (column, value): only of rows whose ``column`` has that value; others have no such owner.
    ``item_id -> posts.id when item_type = Post``.
    ``more``: further columns and their targets, of a key of several: ``node_id, version -> nodes.id, version``.
    ``many``: the other way round, to all rows of ``table`` that refer to this one: ``id <- chat_members.chat_id``.
    """

    column: str
    table: TableName
    target: str
    when: tuple[str, str] | None = None
    more: tuple[tuple[str, str], ...] = ()
    many: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column, *(column for column, _ in self.more))

    @property
    def targets(self) -> tuple[str, ...]:
        return (self.target, *(target for _, target in self.more))

    def __str__(self) -> str:
        condition = f" when {self.when[0]} = {self.when[1]}" if self.when else ""
        arrow = "<-" if self.many else "->"
        return f"{', '.join(self.columns)} {arrow} {self.table}.{', '.join(self.targets)}{condition}"


@dataclass(frozen=True, slots=True)
class OwnerPath:
    """From a row to one of its owners: the hops, then the column that holds the person's key.

    ``nullable``: a row may have no such owner (a NULL on the way). Without it such a row is in nobody's scope.
    """

    kind: str
    hops: tuple[Hop, ...]
    column: str
    nullable: bool = False

    @property
    def starts(self) -> tuple[str, ...]:
        """The columns of the row itself that lead to the owner, or decide whether they do."""
        if not self.hops:
            return (self.column,)
        first = self.hops[0]
        return first.columns if first.when is None else (*first.columns, first.when[0])

    @property
    def many(self) -> bool:
        """Any number of people own a row by this path: all members of a group."""
        return any(hop.many for hop in self.hops)

    @property
    def path(self) -> tuple[str, ...]:
        return (*(str(hop) for hop in self.hops), self.column)


class RowScope(StrEnum):
    """Whether a row with several owners is in scope when all or when any of them are."""

    ALL = "all"
    ANY = "any"


@dataclass(frozen=True, slots=True)
class MappedColumn:
    """A classified column.

    Attributes:
        mask: None when the column is refused, not masked, where it is not revealed.
        shared: of a place or device: so many people have the same value that it links nobody.
    """

    name: str
    data_class: DataClass
    mask: Mask | None
    shared: bool = False


@dataclass(frozen=True, slots=True)
class StaffWrites:
    """What a grant can let staff change in a table, at most.

    Attributes:
        update: columns to which a new value may be given.
        delete: rows may be deleted.
        insert: columns that a new row may be given; empty: no new rows.
        author, at: columns of a new row that the database fills: who wrote it, and when.
        triggers: the platform's own triggers on the table whose effects are accepted.
    """

    update: tuple[str, ...] = ()
    delete: bool = False
    insert: tuple[str, ...] = ()
    author: str = ""
    at: str = ""
    triggers: tuple[str, ...] = ()

    @property
    def forced(self) -> tuple[str, ...]:
        """The columns of a new row that nobody can choose."""
        return tuple(name for name in (self.author, self.at) if name)


@dataclass(frozen=True, slots=True)
class MappedTable:
    """One table. ``owners`` is empty iff its rows belong to nobody. ``staff`` None: nobody's grant can change it."""

    name: TableName
    key: tuple[str, ...]
    owners: tuple[OwnerPath, ...]
    scope: RowScope
    columns: dict[str, MappedColumn] = field(hash=False)
    staff: StaffWrites | None = None

    @property
    def shared(self) -> bool:
        """Each row belongs to any number of people, so that no grant shows it (docs/adr/0020)."""
        return any(owner.many for owner in self.owners)

    @property
    def nobody(self) -> bool:
        return not self.owners


@dataclass(frozen=True, slots=True)
class MappedView:
    """A view or materialized view of the platform: whose its rows are. No grant shows it (docs/adr/0018).

    Attributes:
        owners: paths from the view's own columns; empty: about nobody.
        stored: its rows are a copy.
    """

    name: TableName
    owners: tuple[OwnerPath, ...]
    columns: dict[str, DataClass] = field(hash=False)
    stored: bool = False


@dataclass(frozen=True, slots=True)
class DataMap:
    """The whole map. What is not in it is refused.

    Attributes:
        source: names the file, for messages.
        linking: purposes under which people may be compared by their places and devices.
    """

    source: str
    kinds: dict[str, PersonKind] = field(hash=False)
    tables: dict[TableName, MappedTable] = field(hash=False)
    linking: tuple[str, ...] = ()
    views: dict[TableName, MappedView] = field(default_factory=dict, hash=False)

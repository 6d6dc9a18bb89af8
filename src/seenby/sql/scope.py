"""What a name can mean: the relations of one FROM clause, their columns, and the keys of the people behind rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING

from postgast import pg_query_pb2 as pb

from seenby.errors import AmbiguousName, SeenbyError, UnknownColumn, UnknownTable
from seenby.model.classes import DataClass, Treatment
from seenby.sql.named import own_name, system_column, whole_row
from seenby.sql.refused import refused_column
from seenby.sql.views import ViewIndex

if TYPE_CHECKING:
    from seenby.sql.blocks import Query, Sublink

SYSTEM_COLUMNS = frozenset({"ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"})

Shown = tuple[str, DataClass]
"""A visible column with its class, as in ("accounts.phone", contact)."""


@dataclass(slots=True, eq=False)
class Key:
    """The key of a person, as a hidden text column ``name`` of ``relation``.

    ``uses`` are the sets of that person's columns that the query looks at, one per table reference; they fill while
    the rest of the statement is read. ``same`` is a key that equals this one wherever this one is there (carry.py).
    ``many``: it holds the keys of several people, as an array's text. ``node``: it is computed, by this expression.
    """

    kind: str
    relation: Relation
    name: str
    uses: list[set[Shown]]
    same: Key | None = None
    many: bool = False
    node: pb.Node | None = None

    @property
    def root(self) -> Key:
        """The key that stands for this one."""
        return self if self.same is None else self.same.root


@dataclass(slots=True, eq=False)
class Level:
    """One SELECT as its subqueries see it.

    Attributes:
        nullable: the relations that an outer join may fill with NULL; known when its conditions were read.
        used: the relations that a subquery being read named, so far.
        open: its FROM is still being read, so that nobody knows what is nullable.
    """

    nullable: int = 0
    used: int = 0
    open: bool = True


@dataclass(slots=True, eq=False)
class Column:
    """A column of a relation, of a join with USING, or of a block's output.

    Attributes:
        name: as users write it.
        real: as the rewritten text writes it.
        relation: where it stands; None for outputs and merged columns.
        bits: the relations of the block that its value depends on (1 << position).
        masked: the label of the masked column that it shows unchanged, or "".
        refused: why it cannot be read at all.
        type_oid: 0 when unknown.
        pin: the person key that holds the same value.
        plain: it shows a column of FROM as it is.
        total: computing it cannot raise an error, whatever the data.
        fragile: what becomes of its value when another person's row goes away, while the row that shows it stays: 0
            nothing, 1 it may turn NULL (the optional side of an outer join), 2 anything (an aggregate).
        strict: False if it can be other than NULL although its relation is NULL-extended (FULL JOIN USING).
        sources: what it was computed from.
        shown: for a column of a view: what to record when it is used.
        possible: though fragile, its values are among those of the rows that FROM and WHERE leave today (min, max,
            what LIMIT or a window leaves of them), so that it can tell which rows of *other* relations matter.
        grows: it counts rows: never more after some are taken away.
        origin, level: for a column that a subquery names of a SELECT around it: that column, and where it belongs.
        shadowed: likewise, and its table's alias means another table here.
    """

    name: str
    real: str
    relation: Relation | None = None
    bits: int = 0
    masked: str = ""
    refused: SeenbyError | None = None
    type_oid: int = 0
    pin: Key | None = None
    plain: bool = True
    total: bool = True
    fragile: int = 0
    strict: bool = True
    sources: tuple[Column, ...] = ()
    shown: Shown | None = None
    used: bool = False
    possible: bool = False
    grows: bool = False
    origin: Column | None = None
    level: Level | None = None
    shadowed: bool = False

    @property
    def fragility(self) -> int:
        """``fragile``, seen from where the column is named."""
        if self.origin is None or self.level is None:
            return self.fragile
        found = max(self.origin.fragility, int(self.level.open))
        if self.origin.bits & self.level.nullable:
            found = max(found, 1 if self.origin.strict else 2)
        return found

    @property
    def base(self) -> Column | None:
        """The column of a relation that it is the same as; None for what FULL JOIN ... USING makes of two."""
        if self.relation is not None or not self.strict:
            return self if self.relation is not None else None
        return next(source.base for source in self.sources if source.bits == self.bits)

    def use(self) -> None:
        """Somebody looks at this column: the record will say so."""
        if self.used:
            return
        self.used = True
        if self.shown is not None and self.relation is not None:
            self.relation.uses.add(self.shown)
        for source in self.sources:
            source.use()


@dataclass(slots=True, eq=False)
class Relation:
    """One entry of a FROM clause: a view of the shape, a subquery, a CTE, or a function.

    Attributes:
        bit: its place in the block.
        query: what a subquery or CTE reads; None for a view and for a function.
        own: the recursive query that it stands for, inside of that query.
        lateral: it may name relations before it.
        needs: those relations of the block that it names.
        total: a function in FROM that cannot fail, whatever the data.
        asked: the subqueries in its arguments.
    """

    alias: str
    bit: int
    node: pb.Node
    index: ViewIndex | None = None
    schema: str = ""  # users may write schema.table.column when there is no alias
    columns: dict[str, Column] = field(default_factory=dict)
    ordered: list[Column] | None = None  # None: as the view has them
    doubled: frozenset[str] = frozenset()  # names that stand for two columns
    keys: list[Key] = field(default_factory=list)
    uses: set[Shown] = field(default_factory=set)
    query: Query | None = None
    own: Query | None = None
    lateral: bool = False
    needs: int = 0
    total: bool = True
    asked: tuple[Sublink, ...] = ()

    @property
    def persons(self) -> bool:
        return bool(self.keys) or (self.query is not None and self.query.persons)

    def find(self, name: str) -> Column | None:
        """The column, or None. A refused one is found too."""
        column = self.columns.get(name)
        if column is not None:
            if name in self.doubled:
                raise AmbiguousName(
                    f'column "{name}" of {self.alias} is ambiguous',
                    hint=f"give the columns of {self.alias} different names with AS",
                )
            return column
        if self.index is None or self.ordered is not None:
            return None
        return self._from_view(name)

    def _from_view(self, name: str) -> Column | None:
        index = self.index
        assert index is not None
        seen = index.columns.get(name)
        if seen is not None:
            label = f"{index.label}.{name}"
            masked = seen.treatment is Treatment.MASK
            column = Column(name, name, self, self.bit, label if masked else "", type_oid=seen.type_oid)
            if not masked or seen.partial:
                column.shown = (label, seen.data_class)
            for place, key in enumerate(index.view.keys):
                if key.pins == name and not column.masked:
                    column.pin = self.keys[place]
        elif name in index.refused:
            nobodys = bool(index.columns) and not index.view.keys
            refusal = refused_column(f"{index.label}.{name}", index.refused[name], index.gives, nobodys=nobodys)
            column = Column(name, name, self, self.bit, refused=refusal)
        else:
            return None
        self.columns[name] = column
        return column

    def rename(self, names: list[str]) -> None:
        """``FROM accounts AS a (x, y)``: the first columns get new names (only for views)."""
        columns = []
        for place, column in enumerate(self.visible()):
            column.name = column.real = names[place] if place < len(names) else column.name
            columns.append(column)
        self.ordered = columns
        self.columns = {column.name: column for column in columns}
        self.doubled = doubled([column.name for column in columns])

    def visible(self) -> list[Column]:
        """What ``*`` stands for."""
        if self.ordered is not None:
            return self.ordered
        assert self.index is not None
        return [column for name in self.index.columns if (column := self.find(name)) is not None]


def doubled(names: list[str]) -> frozenset[str]:
    """The names that stand there more than once."""
    return frozenset(name for name in names if names.count(name) > 1) if len(set(names)) < len(names) else frozenset()


@dataclass(slots=True, eq=False)
class Merged:
    """A column of JOIN ... USING: one name for a column of either side."""

    column: Column
    members: tuple[Relation, ...]


@dataclass(slots=True, eq=False)
class Scope:
    """What can be named at one place: all relations of a join tree, or of a whole FROM clause."""

    relations: dict[str, Relation] = field(default_factory=dict)
    merged: list[Merged] = field(default_factory=list)
    star: list[Column] | None = None  # None: every relation's columns in order
    parent: Scope | None = None  # the SELECT around it
    level: Level = field(default_factory=Level)
    ctes: Mapping[str, object] = field(default_factory=dict)
    _outer: dict[int, Column] = field(default_factory=dict)

    def add(self, other: Scope) -> None:
        """``FROM self, other``."""
        if self.merged or other.merged:
            self.star = self.columns() + other.columns()
        for alias, relation in other.relations.items():
            if alias in self.relations:
                raise AmbiguousName(
                    f'table name "{alias}" specified more than once', hint="give each reference its own alias"
                )
            self.relations[alias] = relation
        self.merged += other.merged

    def columns(self) -> list[Column]:
        """What ``*`` stands for, in Postgres's order."""
        if self.star is not None:
            return self.star
        return [column for relation in self.relations.values() for column in relation.visible()]

    def find(self, name: str) -> Column | None:
        """What ``name`` alone means, or None. Raises AmbiguousName."""
        if len(self.relations) == 1:
            (relation,) = self.relations.values()
            return relation.find(name)
        found: list[Column] = []
        hidden: list[Relation] = []
        for merged in self.merged:
            if merged.column.name == name:
                found.append(merged.column)
                hidden += merged.members
        for relation in self.relations.values():
            if relation not in hidden:
                column = relation.find(name)
                if column is not None:
                    found.append(column)
        if len(found) > 1:
            places = [one.relation.alias for one in found if one.relation is not None]
            hint = f"write {places[0]}.{name}" if places else "qualify it with a table's name"
            raise AmbiguousName(f'column reference "{name}" is ambiguous', hint=hint)
        return found[0] if found else None

    def meaning(self, parts: Sequence[str]) -> Column | None:
        """What ``column``, ``alias.column`` or ``schema.alias.column`` means here or further out, or None."""
        scope: Scope | None = self
        while scope is not None:
            if len(parts) == 1:
                column = scope.find(parts[0])
                if column is not None:
                    return self._seen(column, scope)
            else:
                relation = scope.relations.get(parts[-2])
                if relation is not None and (len(parts) == 2 or relation.schema == parts[0]):
                    column = relation.find(parts[-1])
                    return None if column is None else self._seen(column, scope)
            scope = scope.parent
        return None

    def _seen(self, column: Column, scope: Scope) -> Column:
        """The column of an outer SELECT as it is named here: it belongs to none of the relations here."""
        if scope is self:
            return column
        if scope.level is self.level:  # the same SELECT, further left in its FROM
            return column
        known = self._outer.get(id(column))
        if known is None:
            alias = column.relation.alias if column.relation is not None else ""
            known = self._outer[id(column)] = Column(
                column.name,
                column.real,
                column.relation,
                masked=column.masked,
                refused=column.refused,
                type_oid=column.type_oid,
                total=column.total,
                sources=(column,),
                possible=column.possible,
                origin=column,
                level=scope.level,
                shadowed=self.outwards(alias) is not scope,
            )
        scope.level.used |= column.bits
        return known

    def lookup(self, name: str) -> Column:
        """What ``name`` alone means. Raises if it means nothing, or nothing that the grant shows."""
        column = self.meaning((name,))
        if column is None:
            if name in self.relations:
                raise whole_row(name)
            if name in SYSTEM_COLUMNS:
                raise system_column(name)
            raise _no_column(f'column "{name}" does not exist', name, list(self.relations.values()))
        if column.refused is not None:
            raise column.refused
        return column

    def outwards(self, alias: str) -> Scope:
        """The scope, here or further out, that knows ``alias``; this one if none does."""
        scope: Scope | None = self
        while scope is not None:
            if alias in scope.relations:
                return scope
            scope = scope.parent
        return self

    def relation(self, alias: str, schema: str = "") -> Relation:
        """The relation that ``alias`` (or ``schema.alias``) means."""
        relation = self.relations.get(own_name(alias))
        if relation is None or (schema and relation.schema != schema):
            written = f"{schema}.{alias}" if schema else alias
            hint = "qualify columns with the alias, if the table has one"
            if near := get_close_matches(alias, self.relations, 1, 0.6):
                hint = f"did you mean {near[0]}?"
            raise UnknownTable(f'missing FROM-clause entry for table "{written}"', hint=hint)
        return relation

    def qualified(self, alias: str, name: str, schema: str = "") -> Column:
        """What ``alias.name`` or ``schema.alias.name`` means."""
        column = self.meaning((schema, own_name(alias), name) if schema else (own_name(alias), name))
        if column is None:
            relation = self.outwards(alias).relation(alias, schema)
            if name in SYSTEM_COLUMNS:
                raise system_column(name)
            raise _no_column(f"column {alias}.{name} does not exist", name, [relation])
        if column.refused is not None:
            raise column.refused
        return column


EMPTY = Scope()


def _no_column(message: str, name: str, relations: list[Relation]) -> UnknownColumn:
    names = [
        *(column.name for relation in relations for column in relation.visible()),
        *(refused for relation in relations if relation.index for refused in relation.index.refused),
    ]
    near = get_close_matches(name, names, 1, 0.6)
    hint = f"did you mean {near[0]}?" if near else "name one of: " + ", ".join(sorted(set(names))[:12])
    return UnknownColumn(message, hint=hint if names else "")

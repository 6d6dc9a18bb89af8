"""A grant's terms -> its shape: views, columns, masks, and the SQL that makes them. Pure.

The same tables, columns, masks, regions and fence give the same shape id, whoever holds the grant and whoever its
people are: people stand in a table that the grant's role cannot read, never in a view, whose text everybody reads.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from seenby.datamap import (
    ColumnFact,
    DatabaseFacts,
    DataMap,
    MappedColumn,
    MappedTable,
    MaskKind,
    StaffWrites,
    TableName,
    named_rows,
    nearest,
)
from seenby.errors import UnknownColumn, UsageError
from seenby.guard import names
from seenby.guard.masks import mask_sql
from seenby.guard.quote import ident, literal, qualified
from seenby.guard.rows import BASE, Fence, Rows
from seenby.guard.writes import WriteDesign, asked, design_writes, function_sql, needs_to_reveal, trigger_sql
from seenby.model.classes import LINKING, DataClass, Treatment
from seenby.model.grant import GrantTerms
from seenby.model.shape import KEY_PREFIX, KeyColumn, Shape, ShapeView, ViewColumn

FENCE_LIMIT = 1000
"""Grants with more people than this are not fenced: a point query would read all of them (guard/rows.py)."""

VIEW_FORMAT = 2
"""Part of every shape id; raise it when the SQL made from the same design changes."""


@dataclass(frozen=True, slots=True)
class ShapeDesign:
    """A shape and how to make it.

    Attributes:
        role: the NOLOGIN role that may read the views.
        as_guard: SQL that makes the role.
        as_owner: SQL for seenby_owner, in order: schemas, views, privileges.
        as_writer: then, for seenby_writer: the functions that carry out changes.
        as_owner_again: then, for seenby_owner: what calls them.
        checks: SQL without user data that fails iff a constant mask does not fit its column.
        warnings: tables on which every query of a fenced grant reads the whole table.
    """

    shape: Shape
    fence: Fence
    role: str
    as_guard: tuple[str, ...]
    as_owner: tuple[str, ...]
    as_writer: tuple[str, ...]
    as_owner_again: tuple[str, ...]
    checks: tuple[str, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Column:
    view_column: ViewColumn
    sql: str
    check: str


def design(terms: GrantTerms, datamap: DataMap, facts: DatabaseFacts) -> ShapeDesign:
    """What this grant makes of the database.

    Raises:
        UnknownColumn: a cell names a class or column that the map does not have.
        UsageError: a person is of a kind that the map does not have, a cell is about a table of nobody, or a change
            that it asks for is not possible.
        ConfigError: a mask does not fit its column's type.
    """
    cells = _Cells(terms, datamap)
    fence = _fence(terms, datamap)
    may = asked(terms, datamap, fence)
    tables = sorted(name for name, table in datamap.tables.items() if cells.shows(table))
    for name in sorted(set(may) - set(tables)):
        raise needs_to_reveal(datamap.tables[name], datamap.tables[name].key[0])
    made = {name: _view(datamap.tables[name], datamap, facts, fence, cells, may.get(name)) for name in tables}
    content = {
        "format": VIEW_FORMAT,
        "version": facts.version,
        "fence": fence.value,
        "regions": cells.home_regions,
        "views": {f"{name.schema}.{name.name}": view.select for name, view in made.items()},
    }
    if may:
        content["writes"] = {
            f"{name.schema}.{name.name}": [one.body, one.events, *one.privileges]
            for name, one in ((name, made[name].writes) for name in sorted(may))
            if one
        }
    shape_id = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
    schemas = sorted({name.schema for name in tables}, key=lambda schema: (schema != "public", schema))
    shown = {schema: names.view_schema(shape_id, number) for number, schema in enumerate(schemas)}
    views = {name: made[name].shape_view(shown[name.schema]) for name in tables}
    shape = Shape(
        id=shape_id,
        fenced=fence is Fence.FENCED,
        views=dict(views.items()),
        search_path=("public",) if "public" in schemas or not schemas else (schemas[0],),
        closed={name: _closed(table, facts) for name, table in datamap.tables.items() if name not in made},
        writable={
            name: (table.staff.update, table.staff.delete, table.staff.insert)
            for name, table in datamap.tables.items()
            if table.staff is not None
        },
        linking=datamap.linking,
    )
    as_writer, as_owner_again = _changes(shape, {name: view.writes for name, view in made.items()}, shown)
    return ShapeDesign(
        shape=shape,
        fence=fence,
        role=names.shape_role(shape_id),
        as_guard=(f"CREATE ROLE {ident(names.shape_role(shape_id))} NOLOGIN",),
        as_owner=(
            *_create(shape, {name: view.select for name, view in made.items()}, shown),
            *(
                f"GRANT USAGE, CREATE ON SCHEMA {ident(schema)} TO {names.WRITER}"
                for schema in sorted({shown[name.schema] for name in may})
            ),
        ),
        as_writer=tuple(as_writer),
        as_owner_again=tuple(as_owner_again),
        checks=tuple(sorted({check for view in made.values() for check in view.checks})),
        warnings=tuple(warning for view in made.values() for warning in view.warnings),
    )


def _fence(terms: GrantTerms, datamap: DataMap) -> Fence:
    if terms.people is None:
        return Fence.REGIONS
    for person in terms.people:
        if person.kind not in datamap.kinds:
            raise UsageError(f"there are no people of kind {person.kind}", hint=nearest(person.kind, datamap.kinds))
    return Fence.FENCED if len(terms.people) <= FENCE_LIMIT else Fence.LISTED


def columns_by_name(datamap: DataMap) -> dict[str, tuple[TableName, str]]:
    """Every mapped column as a grant may write it: ``accounts.phone``, ``public.accounts.phone``."""
    return {
        written: (table.name, column)
        for table in datamap.tables.values()
        for column in table.columns
        for written in (f"{table.name}.{column}", f"{table.name.schema}.{table.name.name}.{column}")
    }


class _Cells:
    """The decision matrix: for whose home regions a column is revealed."""

    def __init__(self, terms: GrantTerms, datamap: DataMap) -> None:
        self.home_regions = terms.home_regions
        self.classes: dict[DataClass, set[str]] = {}
        self.columns: dict[tuple[TableName, str], set[str]] = {}
        by_name = columns_by_name(datamap)
        for cell in terms.cells:
            if cell.what in set(DataClass):
                self.classes.setdefault(DataClass(cell.what), set()).update(cell.regions)
            elif cell.what not in by_name:
                known = by_name if "." in cell.what else [one.value for one in DataClass]
                raise UnknownColumn(
                    f"{cell.what} is no data class and no column of the map", hint=nearest(cell.what, known)
                )
            elif datamap.tables[by_name[cell.what][0]].nobody:
                raise UsageError(
                    f"{cell.what} belongs to nobody, so no home region can reveal it",
                    hint="leave it out: public columns of such tables are always shown, the others never",
                )
            elif datamap.tables[by_name[cell.what][0]].shared:
                raise UsageError(
                    f"{cell.what} belongs to all members of a group, and no grant shows such rows",
                    hint="leave it out; docs/formats/datamap.md, Paths, says why",
                )
            else:
                self.columns.setdefault(by_name[cell.what], set()).update(cell.regions)

    def regions(self, table: MappedTable, column: MappedColumn) -> tuple[str, ...]:
        """Home regions whose people's values of this column are revealed, sorted."""
        if column.data_class is DataClass.PUBLIC:
            return self.home_regions
        found = self.classes.get(column.data_class, set()) | self.columns.get((table.name, column.name), set())
        return tuple(sorted(found))

    def table_regions(self, table: MappedTable) -> tuple[str, ...]:
        """Home regions of which a row shows anything; rows of other people are not in the view, not even masked."""
        return tuple(sorted({region for column in table.columns.values() for region in self.regions(table, column)}))

    def shows(self, table: MappedTable) -> bool:
        """A table is shown iff at least one column is revealed to somebody, and its people can be told for each row."""
        if table.shared:
            return False
        if table.nobody:
            return any(column.data_class is DataClass.PUBLIC for column in table.columns.values())
        return bool(self.table_regions(table))


@dataclass(frozen=True, slots=True)
class _View:
    table: MappedTable
    columns: tuple[_Column, ...]
    refused: tuple[tuple[str, DataClass | None], ...]
    keys: tuple[KeyColumn, ...]
    select: str
    warnings: tuple[str, ...]
    writes: WriteDesign | None

    @property
    def checks(self) -> tuple[str, ...]:
        return tuple(column.check for column in self.columns if column.check)

    def shape_view(self, schema: str) -> ShapeView:
        return ShapeView(
            schema=self.table.name.schema,
            table=self.table.name.name,
            view_schema=schema,
            view=self.table.name.name,
            columns=tuple(column.view_column for column in self.columns),
            refused=self.refused,
            keys=self.keys,
            writes=self.writes.writes if self.writes else None,
        )


def _view(
    table: MappedTable,
    datamap: DataMap,
    facts: DatabaseFacts,
    fence: Fence,
    cells: _Cells,
    may: StaffWrites | None,
) -> _View:
    rows = Rows(table, datamap, facts, fence, cells.table_regions(table), names.SCOPE)
    named = named_rows(table, datamap)
    columns: list[_Column] = []
    refused: list[tuple[str, DataClass | None]] = []
    for fact in facts.tables[table.name].columns.values():
        mapped = table.columns.get(fact.name)
        made = _column(mapped, fact, table, rows, cells, named.get(fact.name, "")) if mapped else None
        if made:
            columns.append(made)
        else:
            refused.append((fact.name, mapped.data_class if mapped else None))
    revealed = [c.view_column.name for c in columns if c.view_column.treatment is Treatment.REVEAL]
    keys, outputs = [], [f"{column.sql} AS {ident(column.view_column.name)}" for column in columns]
    for number, owner in enumerate(rows.owners, start=1):
        pins = owner.path.column if not owner.path.hops and owner.path.column in revealed else ""
        kind = datamap.kinds[owner.path.kind]
        lists = kind.account and not owner.path.hops and (table.name, owner.path.column) == (kind.table, kind.key)
        key = KeyColumn(f"{KEY_PREFIX}{number}", owner.path.kind, pins, lists)
        keys.append(key)
        outputs.append(f"{owner.key} AS {ident(key.name)}")
    fence_sql = "\nOFFSET 0" if rows.drives else ""
    key_names = [key.name for key in keys]
    writes = design_writes(table, may, tuple(revealed), rows, datamap, facts, key_names) if may else None
    return _View(
        table=table,
        columns=tuple(columns),
        refused=tuple(refused),
        keys=tuple(keys),
        select="SELECT " + ",\n  ".join(outputs) + rows.from_where() + fence_sql,
        warnings=tuple(
            f"{table.name}: no index leads from {owner.path.kind} by {' / '.join(owner.path.path)} to its rows, so "
            "every query of a fenced grant reads the whole table"
            for owner in rows.drives
            if not rows.indexed(owner)
        ),
        writes=writes,
    )


def _closed(table: MappedTable, facts: DatabaseFacts) -> tuple[tuple[str, DataClass | None], ...]:
    """The columns that other grants may show. Of a table of nobody there are none but public ones."""
    if table.nobody or table.shared:
        return ()
    return tuple(
        (name, table.columns[name].data_class if name in table.columns else None)
        for name in facts.tables[table.name].columns
    )


def _column(
    mapped: MappedColumn, fact: ColumnFact, table: MappedTable, rows: Rows, cells: _Cells, row: str
) -> _Column | None:
    """The column as the view shows it; None: refused.

    Reveal stands in THEN, so that a NULL region masks. A treatment that is the same for all rows in scope folds into
    the plain column (whose index then works) or into the plain mask.
    """
    value = f"{BASE}.{ident(mapped.name)}"
    key = any(not owner.hops and owner.column == mapped.name for owner in table.owners)
    links = mapped.data_class in LINKING and not mapped.shared and not row and not key
    plain = ViewColumn(
        mapped.name, Treatment.REVEAL, mapped.data_class, fact.type_oid, fact.type_name, links=links, row=row
    )
    if table.nobody:
        return _Column(plain, value, "") if mapped.data_class is DataClass.PUBLIC else None
    regions = cells.regions(table, mapped)
    revealed_if = rows.reveals(regions)
    if set(regions) >= set(rows.regions) or revealed_if == "TRUE":
        return _Column(plain, value, "")
    if not regions and mapped.mask is None:
        return None
    place = f"tables.{table.name}.columns.{mapped.name}"
    mask = mask_sql(mapped.mask, fact, value, place) if mapped.mask else f"NULL::{fact.base_type}"
    check = f"SELECT {mask}" if mapped.mask and mapped.mask.kind is MaskKind.CONSTANT else ""
    masked = ViewColumn(
        mapped.name, Treatment.MASK, mapped.data_class, fact.type_oid, fact.type_name, partial=bool(regions),
        links=links, row=row,
    )  # fmt: skip
    if regions:
        # A domain's checks could fail on a mask, so both branches have its base type, which is what clients are told.
        revealed = value if fact.type_name == fact.base_type else f"{value}::{fact.base_type}"
        mask = f"CASE WHEN {revealed_if} THEN {revealed} ELSE {mask} END"
    return _Column(masked, mask + (f" COLLATE {fact.collation}" if fact.collation else ""), check)


def _create(shape: Shape, selects: dict[TableName, str], shown: dict[str, str]) -> list[str]:
    role = ident(names.shape_role(shape.id))
    sql: list[str] = []
    for schema, made in shown.items():
        sql += [
            f"CREATE SCHEMA {ident(made)}",
            f"INSERT INTO {names.SHAPE_SCHEMA} (nspname, shows_as) VALUES ({literal(made)}, {literal(schema)})",
            f"GRANT USAGE ON SCHEMA {ident(made)} TO {role}",
        ]
    for name, select in selects.items():
        view = qualified(shown[name.schema], name.name)
        sql += [
            f"CREATE VIEW {view} WITH (security_barrier = true) AS\n{select}",
            f"GRANT SELECT ON {view} TO {role}",
        ]
    return sql


def _changes(
    shape: Shape, made: dict[TableName, WriteDesign | None], shown: dict[str, str]
) -> tuple[list[str], list[str]]:
    """For the writer, and then for the owner of the views."""
    owner: list[str] = []
    writer: list[str] = []
    role = ident(names.shape_role(shape.id))
    changed = [(name, one) for name, one in made.items() if one is not None]
    for number, (name, one) in enumerate(changed, start=1):
        function = qualified(shown[name.schema], f"seenby$w{number}")
        writer += function_sql(function, one.body)
        owner += trigger_sql(qualified(shown[name.schema], name.name), function, one, role)
    for schema in sorted({shown[name.schema] for name, _ in changed}):
        owner.append(f"REVOKE CREATE ON SCHEMA {ident(schema)} FROM {names.WRITER}")
    return writer, owner

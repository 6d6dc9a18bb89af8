"""Which table a name means, and the grant's view of it."""

from __future__ import annotations

from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING

from seenby.errors import Refused, UnknownTable
from seenby.model.classes import DataClass
from seenby.model.shape import Catalog, KeyColumn, Shape, ShapeView
from seenby.sql.refused import given, partition, unmapped_table

if TYPE_CHECKING:
    from seenby.sql.scope import Column


class ViewIndex:
    """A view of the shape, ready for lookups; made once per shape.

    A table that the grant does not show at all has a view without columns here: whatever is named of it is refused.

    Attributes:
        gives: the classes of which the grant shows anything, for refusals.
    """

    __slots__ = ("columns", "gives", "label", "links", "refused", "view")

    def __init__(self, view: ShapeView, gives: tuple[DataClass, ...]) -> None:
        self.view = view
        self.gives = gives
        self.label = view.table if view.schema == "public" else view.qualified
        self.columns = {column.name: column for column in view.columns}
        self.refused = dict(view.refused)
        self.links = frozenset(column.name for column in view.columns if column.links and view.keys)

    def original(self, column: Column) -> str:
        """The table's own name of one of its columns."""
        return column.name if column.shown is None else column.shown[0].removeprefix(f"{self.label}.")

    def persons(self, column: Column) -> list[str]:
        """What ``column`` is a key of, if it names one person: people of a kind, or rows of a table of one person."""
        if len(self.view.keys) != 1 or column.masked:
            return []
        (key,) = self.view.keys
        name = self.original(column)
        row = self.columns[name].row
        return [one for one in (key.kind if key.pins == name else "", row) if one]


class Views:
    """A shape's views by name, made ready once; ``of`` finds what a table's name means."""

    def __init__(self, shape: Shape, catalog: Catalog) -> None:
        self.shape = shape
        self._catalog = catalog
        self._gives = given(shape)
        self._indexes: dict[tuple[str, str], ViewIndex] = {}

    def of(self, schema: str, table: str) -> ViewIndex:
        """The view, or for a closed table one without columns. Raises Refused for a table that is not in the data map,
        UnknownTable for one that is not there.
        """
        for one in (schema,) if schema else self.shape.search_path:
            index = self._indexes.get((one, table))
            if index is not None:
                return index
            view = self.shape.views.get((one, table)) or self._closed(one, table)
            if view is not None:
                index = self._indexes[one, table] = ViewIndex(self._with_newer(view), self._gives)
                return index
            if (one, table) in self._catalog.partitions:
                raise partition(_written(one, table), _written(*self._catalog.partitions[one, table]))
            if (one, table) in self._catalog.tables:
                raise unmapped_table(_written(one, table))
        written = f"{schema}.{table}" if schema else table
        if schema in {"pg_catalog", "information_schema"} or table in self._catalog.catalog_views:
            raise Refused(
                f"{written} is not shown together with tables of the platform",
                hint="ask the catalog in a query of its own",
            )
        known = [_written(*name) for name in {*self.shape.views, *self._catalog.tables}]
        near = get_close_matches(written, sorted(known), 1, 0.6)
        hint = f"did you mean {near[0]}?" if near else r"\dt lists the tables that this grant shows"
        raise UnknownTable(f'relation "{written}" does not exist', hint=hint)

    def _with_newer(self, view: ShapeView) -> ShapeView:
        """A column that the table has got since the view was made is there, and refused, as in a grant made today."""
        known = {column.name for column in view.columns} | {name for name, _ in view.refused}
        newer = [name for name in self._catalog.tables.get((view.schema, view.table), ()) if name not in known]
        return replace(view, refused=(*view.refused, *((name, None) for name in newer))) if newer else view

    def lists(self, kind: str) -> tuple[ShapeView, KeyColumn] | None:
        """Where such people are listed, if the grant shows that table and its key."""
        for view in self.shape.views.values():
            for key in view.keys:
                if key.kind == kind and key.lists and key.pins:
                    return view, key
        return None

    def _closed(self, schema: str, table: str) -> ShapeView | None:
        columns = self.shape.closed.get((schema, table))
        return None if columns is None else ShapeView(schema, table, "", table, (), columns, ())


def _written(schema: str, table: str) -> str:
    return table if schema == "public" else f"{schema}.{table}"

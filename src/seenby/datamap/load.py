"""TOML text -> DataMap, or a ConfigError that says where and what was meant (docs/formats/datamap.md)."""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from typing import Any, NoReturn

import jsonschema_rs

from seenby.datamap.closed import check_closed
from seenby.datamap.model import (
    Countries,
    DataMap,
    Hop,
    MappedColumn,
    MappedTable,
    MappedView,
    Mask,
    MaskKind,
    OwnerPath,
    PersonKind,
    RowScope,
    StaffWrites,
    TableName,
)
from seenby.datamap.position import position
from seenby.datamap.writable import check_writable
from seenby.errors import ConfigError
from seenby.model.classes import LINKING, DataClass

SCHEMA: dict[str, Any] = json.loads(resources.files("seenby.datamap").joinpath("schema.json").read_text("utf-8"))

_VALIDATOR = jsonschema_rs.Draft202012Validator(SCHEMA)
_TABLE_FIELDS = frozenset({"key", "owners", "scope", "nobody", "refused", "unclassified", "staff_writable", "columns"})
_COLUMNS = r"[^., ]+(?:, *[^., ]+)*"
_HOP = re.compile(
    rf"({_COLUMNS}) +(?:->|(<-)) +((?:[^. ]+\.)?[^. ]+)\.({_COLUMNS})(?: +when +([^. ]+) += +(\S(?:.*\S)?))?"
)


def parse(text: str, *, source: str, region: str) -> DataMap:
    """Reads and checks a data map.

    Args:
        text: TOML.
        source: the file's name, for messages.
        region: the region whose database this is; ``region = "local"`` means it.

    Raises:
        ConfigError: naming the file, the table and the column, with the nearest name that exists.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{source} is not valid TOML: {error}", hint="correct the line it names") from None
    check_shape(data, text, source=source)
    return _Reader(source, region, data, text).read()


def check_shape(data: dict[str, Any], text: str, *, source: str) -> None:
    """Holds a file against the JSON schema. Raises ConfigError with line, column and the nearest name."""
    for problem in _VALIDATOR.iter_errors(data):
        path = [str(step) for step in problem.instance_path]
        raise ConfigError(
            f"{_at(source, text, path)}: {'.'.join(path) or 'the file'}: {_sentence(problem, data)}",
            hint="docs/formats/datamap.md lists every field and its values",
        )


def _at(source: str, text: str, path: Sequence[str]) -> str:
    """``map.toml:12:3``, as editors read it."""
    found = position(text, path)
    return f"{source}:{found[0]}:{found[1]}" if found else source


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint that names the closest of ``known``, or lists the first few."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]}?"
    return f"known: {', '.join(names[:8])}{', ...' if len(names) > 8 else ''}" if names else ""


class _Reader:
    def __init__(self, source: str, region: str, data: Mapping[str, Any], text: str) -> None:
        self.text = text
        self.source = source
        self.region = region
        self.data = data
        self.names = {table_name(name): name for name in data["tables"]}
        self.refused = {name for name, written in self.names.items() if "refused" in data["tables"][written]}
        self.maskable = {DataClass(name) for name in data.get("mask", ())}

    def read(self) -> DataMap:
        if len(self.names) != len(self.data["tables"]):
            self.fail("a table is listed twice, with and without its schema", "keep one of them")
        kinds = {name: self.kind(name, entry) for name, entry in self.data["people"].items()}
        tables = {
            name: self.table(name, self.data["tables"][written], kinds)
            for name, written in self.names.items()
            if name not in self.refused
        }
        for kind in kinds.values():
            if not any(o.kind == kind.name and o.path == (kind.key,) for o in tables[kind.table].owners):
                wanted = f'{{ kind = "{kind.name}", path = "{kind.key}" }}'
                self.fail(
                    f"people.{kind.name}: the rows of {kind.table} do not belong to these people",
                    f"add the owner {wanted} to tables.{kind.table}",
                )
        views = {view.name: view for view in self.views(kinds)}
        made = DataMap(self.source, kinds, tables, tuple(sorted(self.data.get("linking", ()))), views)
        check_closed(made)
        check_writable(made)
        return made

    def fail(self, message: str, hint: str) -> NoReturn:
        place = message.split(": ", maxsplit=1)[0]
        kind, _, rest = place.partition(".")
        named = {"tables": self.names, "views": {table_name(one): one for one in self.data.get("views", ())}}
        steps = [kind, named[kind].get(table_name(rest), rest) if kind in named else rest]
        if message.startswith(f"{place}: owners"):
            steps.append("owners")
        where = _at(self.source, self.text, steps) if kind in {"tables", "people", "views"} else self.source
        raise ConfigError(f"{where}: {message}", hint=hint)

    def known_table(self, written: str, place: str) -> TableName:
        name = table_name(written)
        if name not in self.names:
            self.fail(f"{place}: the map has no table {name}", nearest(str(name), map(str, self.names)))
        if name in self.refused:
            self.fail(f"{place}: the map refuses table {name}", f"say whose rows those of {name} are first")
        return name

    def kind(self, name: str, entry: Mapping[str, Any]) -> PersonKind:
        place = f"people.{name}"
        account = entry.get("account", True)
        for flag in ("protected", "employee", "birth_date", "minor"):
            if flag in entry and not account:
                self.fail(f"{place}: {flag} needs people with an account", f"remove {flag} or account = false")
        region = self.region_name(entry.get("region"))
        countries = self.countries(entry, region, place) if "country_column" in entry else None
        return PersonKind(
            name=name,
            table=self.known_table(entry["table"], place),
            key=entry["key"],
            account=account,
            region_column=entry.get("region_column"),
            region=None if countries else region,
            protected=entry.get("protected"),
            employee=entry.get("employee"),
            countries=countries,
            birth_date=entry.get("birth_date"),
            minor=entry.get("minor"),
        )

    def region_name(self, written: str | None) -> str | None:
        return self.region if written == "local" else written

    def countries(self, entry: Mapping[str, Any], rest: str | None, place: str) -> Countries:
        of: dict[str, str] = {}
        for region, codes in entry["countries"].items():
            for code in codes:
                if code in of:
                    self.fail(f"{place}: country {code} is in {of[code]} and in {region}", "keep one of them")
                of[code] = region
        regions = ((self.region_name(name) or "", tuple(sorted(codes))) for name, codes in entry["countries"].items())
        return Countries(entry["country_column"], tuple(sorted(regions)), rest)

    def table(self, name: TableName, entry: Mapping[str, Any], kinds: Mapping[str, PersonKind]) -> MappedTable:
        place = f"tables.{name}"
        owners = self.owners(place, name, entry, kinds)
        for column in entry.get("unclassified", ()):
            if column in entry["columns"]:
                self.fail(f"{place}: column {column} has a class and is unclassified", "keep one of them")
        if not entry["key"] and "staff_writable" in entry:
            self.fail(f"{place}: staff cannot change a table without a key", "name its key, or remove staff_writable")
        return MappedTable(
            name=name,
            key=tuple(entry["key"]),
            owners=owners,
            scope=RowScope(entry.get("scope", "all")),
            columns={column: self.column(column, value, place) for column, value in entry["columns"].items()},
            staff=_staff(entry["staff_writable"]) if "staff_writable" in entry else None,
        )

    def views(self, kinds: Mapping[str, PersonKind]) -> Iterable[MappedView]:
        seen = set(self.names)
        for written, entry in self.data.get("views", {}).items():
            name, place = table_name(written), f"views.{table_name(written)}"
            if name in seen:
                self.fail(f"{place}: it is listed already, as a table or a view", "keep one of them")
            seen.add(name)
            if "refused" in entry:
                continue
            columns = {column: DataClass(value) for column, value in entry.get("columns", {}).items()}
            for column in entry.get("unclassified", ()):
                if column in columns:
                    self.fail(f"{place}: column {column} has a class and is unclassified", "keep one of them")
            yield MappedView(name, self.owners(place, name, entry, kinds), columns, entry.get("stored", False))

    def owners(
        self, place: str, name: TableName, entry: Mapping[str, Any], kinds: Mapping[str, PersonKind]
    ) -> tuple[OwnerPath, ...]:
        """Of a table or a view. ``place``: ``tables.likes``."""
        owners = tuple(self.owner(f"{place}: owners", name, owner, kinds) for owner in entry.get("owners", ()))
        paths = [(owner.kind, owner.path) for owner in owners]
        for one in paths:
            if paths.count(one) > 1:
                self.fail(f"{place}: the owner {one[0]} by {list(one[1])} is listed twice", "keep one of them")
        return owners

    def owner(
        self, place: str, table: TableName, entry: Mapping[str, Any], kinds: Mapping[str, PersonKind]
    ) -> OwnerPath:
        if entry["kind"] not in kinds:
            self.fail(f"{place}: there are no people of kind {entry['kind']}", nearest(entry["kind"], kinds))
        kind = kinds[entry["kind"]]
        written = [entry["path"]] if isinstance(entry["path"], str) else list(entry["path"])
        *steps, column = written
        hops = tuple(self.hop(step, place) for step in steps)
        if "->" in column or "<-" in column or "." in column or " " in column:
            self.fail(
                f"{place}: the path ends in {column!r}, not in a column",
                "end the path with the column that holds the person's key, as in account_id",
            )
        last = hops[-1].table if hops else table
        if kind.home_column and not kind.account and last != kind.table:
            self.fail(
                f"{place}: the home region of a {kind.name} stands in {kind.table}, where this path does not end",
                f"let the path end in {kind.table}, or give people.{kind.name} a constant region",
            )
        if sum(hop.many for hop in hops) > 1:
            self.fail(f"{place}: the path leads to many rows twice", "let one of its hops be <-")
        if any(hop.when for hop in hops) and not entry.get("nullable", False):
            self.fail(
                f"{place}: a path with a condition leads nowhere for rows that do not meet it", "add nullable = true"
            )
        return OwnerPath(kind.name, hops, column, entry.get("nullable", False))

    def hop(self, step: str, place: str) -> Hop:
        found = _HOP.fullmatch(step.strip())
        if found is None:
            self.fail(
                f"{place}: cannot read the hop {step!r}",
                "write COLUMN -> TABLE.COLUMN, COLUMN -> TABLE.COLUMN when COLUMN = VALUE, or COLUMN <- TABLE.COLUMN",
            )
        when = (found[5], found[6]) if found[5] else None
        if when and found[2]:
            self.fail(f"{place}: the hop {step!r} has a condition and leads to many rows", "leave out one of the two")
        columns, targets = ([one.strip() for one in found[group].split(",")] for group in (1, 4))
        if len(columns) != len(targets):
            self.fail(f"{place}: the hop {step!r} has more columns on one side", "name as many on each side of ->")
        more = tuple(zip(columns[1:], targets[1:], strict=True))
        return Hop(columns[0], self.known_table(found[3], place), targets[0], when, more, bool(found[2]))

    def column(self, name: str, value: str | Mapping[str, Any], place: str) -> MappedColumn:
        entry = {"class": value} if isinstance(value, str) else value
        data_class, shared = DataClass(entry["class"]), bool(entry.get("shared", False))
        if shared and data_class not in LINKING:
            self.fail(
                f"{place}: column {name} is {data_class} data, which links nobody anyway",
                f"remove shared; it is for columns of the classes {' and '.join(sorted(LINKING))}",
            )
        mask = entry.get("mask")
        if mask is None:
            made = Mask(MaskKind.NULL) if data_class in self.maskable else None
        else:
            made = Mask(MaskKind(mask)) if isinstance(mask, str) else Mask(MaskKind.CONSTANT, mask["constant"])
        return MappedColumn(name, data_class, made, shared)


def _staff(entry: Mapping[str, Any]) -> StaffWrites:
    return StaffWrites(
        update=tuple(entry.get("update", ())),
        delete=entry.get("delete", False),
        insert=tuple(entry.get("insert", ())),
        author=entry.get("author", ""),
        at=entry.get("at", ""),
        triggers=tuple(entry.get("triggers", ())),
    )


def table_name(written: str) -> TableName:
    """``accounts`` -> public.accounts; ``billing.invoices`` as it is."""
    schema, dot, name = written.rpartition(".")
    return TableName(schema if dot else "public", name)


def _sentence(problem: jsonschema_rs.ValidationError, data: Mapping[str, Any]) -> str:
    """The validator's message, but the reason behind a ``oneOf`` and the nearest name where it knows one."""
    value: Any = data
    for step in problem.instance_path:
        value = value[step]
    steps = [str(step) for step in problem.instance_path]
    if len(steps) == 4 and steps[0] == "tables" and steps[2] == "columns":
        if isinstance(value, str):
            return f"there is no data class {value!r}; {nearest(value, DataClass)}"
        if isinstance(value, dict) and isinstance(value.get("mask"), str) and value["mask"] not in set(MaskKind):
            return f"there is no mask {value['mask']!r}; {nearest(value['mask'], MaskKind)}"
        return 'write a class, as in "contact", or { class = "contact", mask = "last4" } (public columns have no mask)'
    if len(steps) == 2 and steps[0] == "tables" and isinstance(value, dict):
        unknown = set(value) - _TABLE_FIELDS
        if unknown:
            name = sorted(unknown)[0]
            return f"there is no field {name!r}; {nearest(name, _TABLE_FIELDS)}"
        if "owners" in value and "nobody" in value:
            return "a table has owners or nobody = true, not both"
        if "refused" in value:
            return "a table that is refused has no owners, is not nobody's, and staff cannot change it"
        if "owners" not in value and "nobody" not in value:
            return 'say whose rows these are: owners = [...], nobody = true, or refused = "why"'
        if "nobody" in value and "scope" in value:
            return "a table of nobody has no scope"
    if len(steps) == 2 and steps[0] == "people" and "oneOf" in map(str, problem.schema_path):
        return "give exactly one of region, region_column, and country_column with countries"
    return problem.message

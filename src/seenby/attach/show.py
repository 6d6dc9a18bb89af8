"""The map for people: a picture of who owns what, a record of processing (GDPR, Article 30), and JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from seenby.datamap import DataMap, MappedTable, PersonKind, TableName
from seenby.datamap.load import table_name
from seenby.model.classes import DataClass

COLOURS: dict[DataClass, str] = {
    DataClass.PUBLIC: "#d9d9d9",
    DataClass.CONTENT: "#bcd9ea",
    DataClass.CONTACT: "#fdd49e",
    DataClass.IDENTITY: "#fbb4ae",
    DataClass.LOCATION: "#ccebc5",
    DataClass.DEVICE: "#decbe4",
    DataClass.BEHAVIOUR: "#ffffcc",
    DataClass.COMMUNICATION: "#e5d8bd",
    DataClass.PAYMENT: "#b3e2cd",
    DataClass.BIOMETRIC: "#f4a6c8",
    DataClass.CREDENTIAL: "#f08080",
}
MEANINGS: dict[DataClass, str] = {
    DataClass.PUBLIC: "data that is about nobody, or that people published",
    DataClass.CONTENT: "what people make: posts, pictures, comments",
    DataClass.CONTACT: "how to reach them: e-mail, phone, postal address",
    DataClass.IDENTITY: "who they are: names, birth date, gender, account facts",
    DataClass.LOCATION: "where they are or were: addresses of networks, coordinates",
    DataClass.DEVICE: "their devices and programs",
    DataClass.BEHAVIOUR: "what they do: views, likes, follows, settings",
    DataClass.COMMUNICATION: "what they say to each other and to the platform",
    DataClass.PAYMENT: "what they pay and get paid",
    DataClass.BIOMETRIC: "measures of their bodies (special category, Article 9)",
    DataClass.CREDENTIAL: "what they sign in with",
}
_BOX_W, _BOX_H, _GAP_X, _GAP_Y, _MARGIN = 220, 30, 90, 12, 24


def to_json(datamap: DataMap, written: Mapping[str, Any]) -> str:
    """Everything that the map says, resolved: one object, sorted."""
    return json.dumps(
        {
            "version": 1,
            "people": {
                kind.name: {
                    "table": str(kind.table),
                    "key": kind.key,
                    "account": kind.account,
                    "region": kind.region,
                    "region_column": kind.region_column,
                    "country_column": kind.countries.column if kind.countries else None,
                    "countries": {name: list(codes) for name, codes in kind.countries.regions}
                    if kind.countries
                    else None,
                    "region_of_others": kind.countries.rest if kind.countries else None,
                    "birth_date": kind.birth_date,
                    "minor": kind.minor,
                }
                for kind in datamap.kinds.values()
            },
            "tables": {
                str(table.name): {
                    "key": list(table.key),
                    "owners": [
                        {"kind": owner.kind, "path": list(owner.path), "nullable": owner.nullable}
                        for owner in table.owners
                    ],
                    "scope": table.scope.value,
                    "nobody": table.nobody,
                    "columns": {name: column.data_class.value for name, column in table.columns.items()},
                    "unclassified": list(_entry(written, table.name).get("unclassified", ())),
                }
                for table in sorted(datamap.tables.values(), key=lambda one: one.name)
            },
            "views": {
                str(view.name): {
                    "owners": [
                        {"kind": owner.kind, "path": list(owner.path), "nullable": owner.nullable}
                        for owner in view.owners
                    ],
                    "stored": view.stored,
                    "columns": {name: found.value for name, found in view.columns.items()},
                }
                for view in sorted(datamap.views.values(), key=lambda one: one.name)
            },
            "refused": dict(sorted((_refused(written, "tables") | _refused(written, "views")).items())),
        },
        indent=2,
        ensure_ascii=False,
    )


def to_markdown(datamap: DataMap, written: Mapping[str, Any], *, region: str) -> str:
    """What of a record of processing activities follows from the map. The rest (purposes, recipients) does not."""
    lines = [
        f"# Record of processing: {datamap.source}",
        "",
        "From the data map, for Article 30(1)(c) of the GDPR. Purposes, recipients, transfers and retention do not"
        " stand in a data map: take them from the grants' policy and the log.",
        "",
        "## Data subjects",
        "",
        "| people | listed in | home region | children among them |",
        "|---|---|---|---|",
    ]
    for kind in datamap.kinds.values():
        who = f"{kind.name}, with an account" if kind.account else f"{kind.name}, without an account"
        told = (f"{kind.table}.{kind.key}", _at_home(kind, region), _minors(kind))
        lines.append(f"| {who} | {' | '.join(map(_cell, told))} |")
    lines += ["", "## Categories of personal data", ""]
    for data_class in DataClass:
        places = _places(datamap, data_class)
        if places:
            lines += [
                f"### {data_class.value}",
                "",
                f"{MEANINGS[data_class].capitalize()}.",
                "",
                "| table | columns | of |",
                "|---|---|---|",
            ]
            lines += [
                f"| {_cell(str(name))} | {_cell(', '.join(columns))} | {_cell(who)} |" for name, columns, who in places
            ]
            lines.append("")
    lines += _views_told(datamap, _refused(written, "views"))
    nobody = [str(table.name) for table in sorted(datamap.tables.values(), key=lambda one: one.name) if table.nobody]
    lines += ["## About nobody", "", ", ".join(nobody) or "No table.", "", "## Not decided", ""]
    refused = _refused(written, "tables")
    lines += [f"- {_cell(name)}: {_cell(why)}" for name, why in sorted(refused.items())] or ["Nothing: every table is."]
    unknown = {
        name: entry["unclassified"]
        for name, entry in sorted(written["tables"].items())
        if entry.get("unclassified") and "refused" not in entry
    }
    if unknown:
        lines += ["", "Columns without a class, which nobody sees:", ""]
        lines += [f"- {_cell(name)}: {_cell(', '.join(columns))}" for name, columns in unknown.items()]
    return "\n".join(lines) + "\n"


def _views_told(datamap: DataMap, refused: Mapping[str, str]) -> list[str]:
    """A materialized view is a second copy of people's data: erasure and moves must reach it too."""
    if not datamap.views and not refused:
        return []
    lines = ["## Views", "", "No grant shows them.", "", "| view | a copy | classes | of |", "|---|---|---|---|"]
    for view in sorted(datamap.views.values(), key=lambda one: one.name):
        classes = ", ".join(dict.fromkeys(found.value for found in view.columns.values())) or "not classified"
        who = ", ".join(dict.fromkeys(owner.kind for owner in view.owners)) or "nobody"
        told = (str(view.name), "yes, as of its last refresh" if view.stored else "no", classes, who)
        lines.append(f"| {' | '.join(map(_cell, told))} |")
    lines += [f"| {_cell(name)} | | | not known: {_cell(why)} |" for name, why in sorted(refused.items())]
    return [*lines, ""]


def _at_home(kind: PersonKind, region: str) -> str:
    if kind.region_column:
        return f"column {kind.table}.{kind.region_column}"
    if kind.countries is None:
        return kind.region or region
    listed = "; ".join(f"{name}: {', '.join(codes)}" for name, codes in kind.countries.regions)
    rest = f"; all others: {kind.countries.rest}" if kind.countries.rest else "; others: in no grant"
    return f"by country, column {kind.table}.{kind.countries.column}: {listed}{rest}"


def _minors(kind: PersonKind) -> str:
    """Article 8 and recital 38 of the GDPR ask for it; a map says only where it stands."""
    columns = [f"column {kind.table}.{name}" for name in (kind.minor, kind.birth_date) if name]
    return f"perhaps: by {' and '.join(columns)}" if columns else "the map does not say"


def to_svg(datamap: DataMap) -> str:
    """Tables in columns by their distance from the people; a line for each step of a path. No scripts, no fonts."""
    layers = _layers(datamap)
    places: dict[TableName, tuple[int, int]] = {}
    height = 0
    for number, layer in enumerate(layers):
        for row, name in enumerate(layer):
            places[name] = (_MARGIN + number * (_BOX_W + _GAP_X), _MARGIN + 30 + row * (_BOX_H + _GAP_Y))
        height = max(height, len(layer))
    width = 2 * _MARGIN + len(layers) * (_BOX_W + _GAP_X) - _GAP_X
    tall = 2 * _MARGIN + 30 + height * (_BOX_H + _GAP_Y)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{tall}" viewBox="0 0 {width} {tall}"'
        ' font-family="sans-serif" font-size="12">',
        f"<title>{escape(f'Whose data is where: {datamap.source}')}</title>",
        f'<rect width="{width}" height="{tall}" fill="white"/>',
    ]
    titles = ["people", *(f"{number} step{'s' if number > 1 else ''} away" for number in range(1, len(layers)))]
    for number, title in enumerate(titles):
        x = _MARGIN + number * (_BOX_W + _GAP_X)
        parts.append(f'<text x="{x}" y="{_MARGIN + 10}" font-weight="bold">{title}</text>')
    for source, target, label, dashed in sorted(_edges(datamap)):
        if source in places and target in places and source != target:
            (x1, y1), (x2, y2) = places[source], places[target]
            start, end = (x1, y1 + _BOX_H // 2), (x2 + _BOX_W, y2 + _BOX_H // 2)
            dash = ' stroke-dasharray="4 3"' if dashed else ""
            parts.append(
                f'<path d="M{start[0]} {start[1]} C{start[0] - 40} {start[1]} {end[0] + 40} {end[1]} {end[0]} {end[1]}"'
                f' fill="none" stroke="#777"{dash}><title>{escape(label)}</title></path>'
            )
    for name, (x, y) in places.items():
        table = datamap.tables[name]
        classes = list(dict.fromkeys(column.data_class for column in table.columns.values()))
        colour = COLOURS[_main(table)]
        told = f"{name}: {', '.join(one.value for one in classes)}"
        bold = ' font-weight="bold"' if any(kind.table == name for kind in datamap.kinds.values()) else ""
        parts.append(
            f'<g><title>{escape(told)}</title><rect x={quoteattr(str(x))} y={quoteattr(str(y))} width="{_BOX_W}"'
            f' height="{_BOX_H}" rx="4" fill="{colour}" stroke="#555"/>'
            f'<text x="{x + 8}" y="{y + 20}"{bold}>{escape(_short(str(name)))}</text></g>'
        )
    return "\n".join([*parts, "</svg>", ""])


def _layers(datamap: DataMap) -> list[list[TableName]]:
    kinds = {kind.table for kind in datamap.kinds.values() if kind.account}
    layers: dict[int, list[TableName]] = {0: sorted(kinds)}
    for table in sorted(datamap.tables.values(), key=lambda one: (_main(one), one.name)):
        if table.owners and table.name not in kinds:
            depth = min(len(owner.hops) for owner in table.owners) + 1
            layers.setdefault(depth, []).append(table.name)
    nobody = sorted(table.name for table in datamap.tables.values() if table.nobody)
    found = [layers.get(number, []) for number in range(max(layers) + 1)]
    return [*found, nobody] if nobody and len(found) < 2 else [found[0] + nobody, *found[1:]] if nobody else found


def _edges(datamap: DataMap) -> Iterable[tuple[TableName, TableName, str, bool]]:
    found = set()
    for table in datamap.tables.values():
        for owner in table.owners:
            target = owner.hops[0].table if owner.hops else datamap.kinds[owner.kind].table
            label = f"{table.name}: {' / '.join(owner.path)} = {owner.kind}"
            found.add((table.name, target, label, owner.nullable))
    return found


def _main(table: MappedTable) -> DataClass:
    """The class of most of a table's columns."""
    classes = [column.data_class for column in table.columns.values()]
    return max(dict.fromkeys(classes), key=classes.count)


def _places(datamap: DataMap, data_class: DataClass) -> list[tuple[TableName, list[str], str]]:
    found = []
    for table in sorted(datamap.tables.values(), key=lambda one: one.name):
        columns = [name for name, column in table.columns.items() if column.data_class is data_class]
        if columns and table.owners:
            found.append((table.name, columns, ", ".join(dict.fromkeys(owner.kind for owner in table.owners))))
    return found


def _entry(written: Mapping[str, Any], name: TableName) -> Mapping[str, Any]:
    return next((entry for key, entry in written["tables"].items() if table_name(key) == name), {})


def _refused(written: Mapping[str, Any], what: str) -> dict[str, str]:
    return {name: entry["refused"] for name, entry in written.get(what, {}).items() if "refused" in entry}


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _short(name: str) -> str:
    return name if len(name) <= 30 else f"{name[:29]}…"

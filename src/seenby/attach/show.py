"""The map for people: a record of processing (GDPR, Article 30), and JSON. The picture is in ``picture.py``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from seenby.datamap import DataMap, OwnerPath, PersonKind, TableName
from seenby.datamap.load import table_name
from seenby.model.classes import DataClass

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
                    "owners": _owners(table.owners),
                    "scope": table.scope.value,
                    "nobody": table.nobody,
                    "columns": {name: column.data_class.value for name, column in table.columns.items()},
                    "unclassified": list(_entry(written, table.name).get("unclassified", ())),
                }
                for table in sorted(datamap.tables.values(), key=lambda one: one.name)
            },
            "views": {
                str(view.name): {
                    "owners": _owners(view.owners),
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


def _owners(owners: Iterable[OwnerPath]) -> list[dict[str, Any]]:
    return [{"kind": owner.kind, "path": list(owner.path), "nullable": owner.nullable} for owner in owners]


def to_markdown(datamap: DataMap, written: Mapping[str, Any], *, region: str) -> str:
    """What of a record of processing activities follows from the map. The rest (purposes, recipients) does not."""
    lines = [
        f"# Record of processing: {_cell(datamap.source)}",
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
    nobody = [_cell(str(one.name)) for one in sorted(datamap.tables.values(), key=lambda one: one.name) if one.nobody]
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
    """Names and words of a database in Markdown: neither cells nor tags, links or code of their own."""
    line = "".join(one if one.isprintable() else " " for one in text).replace("&", "&amp;").replace("<", "&lt;")
    return "".join(f"\\{one}" if one in "\\|`[" else one for one in line)

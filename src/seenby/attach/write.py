"""Proposal -> datamap.toml: sorted, stable, with a reason above every table, and one block of text for each table."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterable, Sequence

from seenby.attach import asking
from seenby.attach.classify import Verdict
from seenby.attach.countries import EEA
from seenby.attach.inspection import listing, writable
from seenby.attach.ownership import People
from seenby.attach.proposal import Proposal, ProposedTable
from seenby.attach.references import SURE, Reference
from seenby.attach.views import Derived
from seenby.datamap import OwnerPath, TableName
from seenby.model.classes import DataClass

WIDTH = 118
AREAS: tuple[tuple[DataClass | None, str], ...] = (
    (DataClass.IDENTITY, "who people are"),
    (DataClass.CREDENTIAL, "how they sign in"),
    (DataClass.CONTACT, "how to reach them"),
    (DataClass.BIOMETRIC, "their bodies"),
    (DataClass.DEVICE, "their devices"),
    (DataClass.LOCATION, "where they are"),
    (DataClass.CONTENT, "what they publish"),
    (DataClass.BEHAVIOUR, "what they do"),
    (DataClass.COMMUNICATION, "what they say to each other and to the platform"),
    (DataClass.PAYMENT, "what they pay"),
    (DataClass.PUBLIC, "about nobody"),
    (None, "refused: undecided, or what a map cannot say"),
)
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_MASKS = {
    "e-mail addresses": "email-domain",
    "phone numbers": "last4",
}


def to_toml(proposal: Proposal) -> str:
    """The whole file."""
    parts = [_header(proposal), *(_kind(one) for one in proposal.people)]
    for area, title in AREAS:
        tables = [table for table in proposal.tables.values() if _area(table) == area and _writable(table.name)]
        if tables:
            parts.append(f"# {title} ".ljust(WIDTH, "-") + "\n")
            parts += [_table(table) for table in sorted(tables, key=lambda one: one.name)]
    views = [one for one in proposal.views if _writable(one.name)]
    if views:
        parts.append("# views, which no grant shows: whose rows theirs are ".ljust(WIDTH, "-") + "\n")
        parts += [_view(one) for one in views]
    left = [f"{name}: {why}" for name, why in proposal.others]
    left += [f"{one.name}: {one.refused}" for one in proposal.views if not _writable(one.name)]
    left += [f"{t.name}: {t.refused}" for t in proposal.tables.values() if not _writable(t.name)]
    if left:
        parts.append("# not in this map ".ljust(WIDTH, "-") + "\n" + "".join(_comment(one) for one in sorted(left)))
    for one in proposal.answers:
        pairs = [("subject", one.subject), ("answer", one.answer), ("by", one.by), ("at", one.at)]
        parts.append("[[answers]]\n" + "".join(f"{key} = {_text(value)}\n" for key, value in pairs))
    return "\n".join(parts)


def blocks(text: str) -> dict[str, str]:
    """The file cut at its tables: ``tables.likes`` -> the comment above, the table and its columns.

    What a person changed in one block can so be kept when the rest is written anew.
    """
    found: dict[str, str] = {}
    lines = text.splitlines(keepends=True)
    starts = [
        place
        for place, line in enumerate(lines)
        if re.match(r"\[(tables|people|views)\.", line) and ".columns]" not in line
    ]
    begins = []
    for place in starts:
        first = place
        while first and lines[first - 1].startswith("#") and not lines[first - 1].rstrip().endswith("---"):
            first -= 1
        begins.append((first, place))
    for number, (first, place) in enumerate(begins):
        end = begins[number + 1][0] if number + 1 < len(begins) else len(lines)
        body = lines[first:end]
        for cut, line in enumerate(body):
            if line.startswith("[[") or (line.startswith("#") and line.rstrip().endswith("---")):
                body = body[:cut]
                break
        name = lines[place].split("#")[0].strip().strip("[]")
        found[name] = "".join(body).strip("\n") + "\n"
    return found


def _area(table: ProposedTable) -> DataClass | None:
    if table.refused:
        return None
    return DataClass.PUBLIC if table.nobody else table.area


def _writable(name: TableName) -> bool:
    return all(writable(part) for part in name)


def _header(proposal: Proposal) -> str:
    tables = list(proposal.tables.values())
    owned = [table for table in tables if table.owners and not table.refused]
    nobody = [table for table in tables if table.nobody]
    lines = [
        f"Whose data is where in database {proposal.database}: a proposal of `seenby attach`. Read it, correct it,"
        " review it like code. What it does not name, or names as refused or unclassified, nobody sees through Seenby.",
        f"{len(owned)} tables belong to people, {len(nobody)} are about nobody, "
        f"{len(tables) - len(owned) - len(nobody)} are refused. The format: docs/formats/datamap.md",
    ]
    text = "".join(_comment(line) for line in lines)
    if proposal.questions:
        shown = proposal.questions[: asking.SHOWN]
        more = len(proposal.questions) - len(shown)
        text += "#\n" + _comment(
            f"Open questions, the most valuable first (`seenby attach --review` asks them"
            f"{f'; {more} more are about little' if more else ''}):"
        )
        text += "".join(_comment(f"- {asking.words(one)}", "  ") for one in shown)
    return text + '\nversion = 1\nmask = ["contact", "identity", "location"]\n'


def _kind(kind: People) -> str:
    lines = [f"[people.{kind.kind}]", f"table = {_text(str(kind.table))}", f"key = {_text(kind.key)}"]
    if not kind.account:
        lines.append("account = false")
    if kind.region_column:
        lines.append(f"region_column = {_text(kind.region_column)}")
    elif kind.country_column:
        lines.append(f"country_column = {_text(kind.country_column)}")
        listed = textwrap.fill(_list(EEA)[1:-1], WIDTH - 4, initial_indent="  ", subsequent_indent="  ")
        lines.append(f"countries.eu = [ # the EU and the EEA\n{listed},\n]")
        lines.append('region = "local" # everybody else, also those whose country is not known')
    else:
        lines.append('region = "local" # everybody is at home in the region whose database this is')
    ages = ("birth_date", kind.birth_date), ("minor", kind.minor)
    lines += [f"{field} = {_text(name)}" for field, name in ages if name]
    return _comment(f"{kind.table} {'; '.join(kind.reasons)}.") + "\n".join(lines) + "\n"


def _table(table: ProposedTable) -> str:
    name = f"tables.{_key(str(table.name))}"
    text = "".join(_comment(line) for line in _why(table))
    text += f"[{name}]\nkey = {_list(table.found.key)}\n" if table.found.key else f"[{name}]\nkey = []\n"
    if table.refused:
        text += f"refused = {_text(table.refused[:490])}\n"
    elif table.nobody:
        text += "nobody = true\n"
    else:
        text += 'scope = "any"\n' if table.any_owner else ""
        text += _owners(table.owners)
    named = {one: verdict for one, verdict in table.columns.items() if writable(one)}
    unknown = [one for one, verdict in table.columns.items() if verdict.data_class is None or one not in named]
    for one in unknown:
        text += _comment(f"{one}: {table.columns[one].reason}", "  ")
    if unknown:
        text += _wrapped_list("unclassified", unknown)
    known = {one: verdict for one, verdict in named.items() if verdict.data_class is not None}
    if known:
        text += f"[{name}.columns]\n" + "".join(_column(table, one, verdict) for one, verdict in known.items())
    return text


def _view(view: Derived) -> str:
    name = f"views.{_key(str(view.name))}"
    text = _comment(f"over {listing(view.reads)}") if view.reads else ""
    text += f"[{name}]\n" + ("stored = true\n" if view.stored else "")
    if view.refused:
        return text + f"refused = {_text(view.refused[:490])}\n"
    text += _owners(view.owners) if view.owners else "nobody = true\n"
    unknown = [column for column, found in view.columns.items() if found is None]
    text += _wrapped_list("unclassified", unknown) if unknown else ""
    known = {column: found for column, found in view.columns.items() if found is not None}
    if known:
        text += f"[{name}.columns]\n"
        text += "".join(f"{_key(column)} = {_text(found.value)}\n" for column, found in known.items())
    return text


def _why(table: ProposedTable) -> Iterable[str]:
    found = table.found
    rows = f"about {_round(found.rows):,} rows" if found.rows >= 0 else "rows not counted yet"
    kind = f", {found.partitions} partitions" if found.partitions else ""
    said = textwrap.shorten(found.comment, 100, placeholder=" ...")
    yield f"{rows}{kind}" + (f". {said}" if said else "")
    guessed = [one for one in table.used if not one.certain]
    if table.owners and not table.refused and guessed:
        yield "no foreign key: " + "; ".join(_told(one) for one in guessed[:6])
    yield from table.notes


def _told(one: Reference) -> str:
    sure = f"{one.confidence:.0%} sure" if one.confidence < SURE else f"{one.confidence:.0%}"
    return f"{one} ({sure}: {one.reason})"


def _round(rows: float) -> int:
    """Two digits, so that the map does not change with every row."""
    count = int(rows)
    digits = len(str(count)) - 2
    return count if digits <= 0 else round(count, -digits)


def _owners(owners: Sequence[OwnerPath]) -> str:
    written = [_owner(one) for one in owners]
    if len(written) == 1 and len(written[0]) < WIDTH - 12:
        return f"owners = [{written[0]}]\n"
    return "owners = [\n" + "".join(f"  {one},\n" for one in written) + "]\n"


def _owner(owner: OwnerPath) -> str:
    path = _text(owner.path[0]) if len(owner.path) == 1 else _list(owner.path)
    nullable = ", nullable = true" if owner.nullable else ""
    return f"{{ kind = {_text(owner.kind)}, path = {path}{nullable} }}"


def _column(table: ProposedTable, name: str, verdict: Verdict) -> str:
    assert verdict.data_class is not None
    value = _text(verdict.data_class.value)
    mask = _mask(table, name, verdict)
    if mask:
        value = f'{{ class = {value}, mask = "{mask}" }}'
    line = f"{_key(name)} = {value}"
    if verdict.paths:
        return _comment(f"{name}: {verdict.reason}", "") + line + "\n"
    unsure = verdict.confidence < 0.7 and verdict.data_class is not table.area
    note = f" # {verdict.reason}" if unsure and len(line) + len(verdict.reason) < WIDTH - 3 else ""
    return f"{line}{note}\n"


def _mask(table: ProposedTable, name: str, verdict: Verdict) -> str:
    """A mask that shows a little, where type and class allow one."""
    column = table.found.columns[name]
    if table.nobody or table.refused:
        return ""
    if verdict.data_class is DataClass.CONTACT and column.base_name in {"text", "varchar"}:
        for kind, mask in _MASKS.items():
            if kind in verdict.reason:
                return mask
        if "email" in name.lower() and "hash" not in name.lower():
            return "email-domain"
        return "last4" if "phone" in name.lower() else ""
    if verdict.data_class is DataClass.LOCATION and column.base_name in {"inet", "cidr"}:
        return "network"
    if verdict.data_class is DataClass.IDENTITY and column.base_name in {"date", "timestamp", "timestamptz"}:
        return "year" if "birth" in name.lower() else ""
    return ""


def _comment(text: str, indent: str = "") -> str:
    """``# `` lines of at most WIDTH characters. Text of the database cannot break out of the comment."""
    words = "".join(char if char.isprintable() else " " for char in text).split()
    lines, line = [], ""
    for word in words:
        if line and len(line) + len(word) + 1 > WIDTH - 2 - len(indent):
            lines.append(line)
            line = "  " + word
        else:
            line = f"{line} {word}" if line else word
    return "".join(f"# {indent}{one}\n" for one in [*lines, line] if one)


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _text(name)


def _text(value: str) -> str:
    """A TOML basic string: JSON's escapes are TOML's, but for DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _list(values: Iterable[str]) -> str:
    return "[" + ", ".join(_text(value) for value in values) + "]"


def _wrapped_list(name: str, values: Sequence[str]) -> str:
    line = f"{name} = {_list(values)}\n"
    if len(line) <= WIDTH:
        return line
    return f"{name} = [\n" + "".join(f"  {_text(value)},\n" for value in values) + "]\n"

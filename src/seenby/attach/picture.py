"""The map as a picture (SVG 1.1): a panel for each kind of data, a card for each table, a line for each step of a path.

A card lists the first step of each of its paths: a column, and whom it names (a dark chip) or to which card it leads (a
line). Chip and line are dashed where a row may lack that person. What stands in another panel is repeated as a dashed
card, so that no line leaves a panel. Every shortened text is whole in the tooltip. No scripts, no fonts of its own.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from xml.sax import saxutils

from seenby.attach.write import AREAS
from seenby.datamap import DataMap, MappedTable, MappedView, OwnerPath, TableName
from seenby.datamap.load import table_name
from seenby.model.classes import DataClass

COLOURS: dict[DataClass, str] = {
    DataClass.PUBLIC: "#d9d9d9",
    DataClass.CONTENT: "#bcd9ea",
    DataClass.CONTACT: "#fdd49e",
    DataClass.IDENTITY: "#fbb4ae",
    DataClass.LOCATION: "#ccebc5",
    DataClass.DEVICE: "#decbe4",
    DataClass.BEHAVIOUR: "#ffffb0",
    DataClass.COMMUNICATION: "#e5d8bd",
    DataClass.PAYMENT: "#b3e2cd",
    DataClass.BIOMETRIC: "#f4a6c8",
    DataClass.CREDENTIAL: "#f08080",
}
_CARD, _HEAD, _ROW, _PAD = 272, 26, 20, 6
_GAP_X, _GAP_Y, _MARGIN, _ACROSS = 28, 14, 24, 4
_LINES = 62
"""Between columns of cards that lines join."""
_WIDTH = 2 * _MARGIN + _ACROSS * _CARD + (_ACROSS - 1) * _GAP_X
_TITLES = {area: title for area, title in AREAS if area} | {DataClass.PUBLIC: "what people show everybody"}


@dataclass(frozen=True, slots=True)
class _Step:
    """The first step of a path. ``kind``: the people whom the column names; "" if it leads to ``target``."""

    label: str
    kind: str
    target: TableName | None
    optional: bool
    told: str


@dataclass(slots=True)
class _Card:
    """A table in a panel. ``ghost``: it stands in another one."""

    name: TableName
    steps: tuple[_Step, ...] = ()
    classes: tuple[DataClass, ...] = ()
    ghost: bool = False
    people: bool = False
    note: str = ""
    width: int = _CARD
    x: int = 0
    y: int = 0

    @property
    def height(self) -> int:
        return _HEAD + _ROW * len(self.steps) + (_PAD if self.steps else 0)


@dataclass(slots=True)
class _Panel:
    title: str
    cards: list[_Card] = field(default_factory=list)
    colour: str = "#eeeeee"


def to_svg(datamap: DataMap, written: Mapping[str, Any]) -> str:
    """All tables and views of the map. ``written``: the map as TOML has it, for what it refuses."""
    parts: list[str] = []
    top, width = _legend(datamap, parts), _WIDTH
    for panel in _panels(datamap, written):
        bottom, right = _lay_out(panel, top + 30)
        width = max(width, right + _MARGIN)
        parts += [f'<rect x="{_MARGIN}" y="{top + 4}" width="12" height="12" fill="{panel.colour}" stroke="#555"/>']
        parts.append(f'<text x="{_MARGIN + 20}" y="{top + 15}" font-size="15" font-weight="bold">{panel.title}</text>')
        parts += _drawn(panel)
        top = bottom + 26
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{top}" viewBox="0 0 {width} {top}"'
        ' font-family="sans-serif" font-size="12">'
    )
    title = f"<title>{_escaped(f'Whose data is where: {datamap.source}')}</title>"
    arrow = (
        '<defs><marker id="to" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0 L8 4 L0 8 z" fill="#555"/></marker></defs>'
    )
    return "\n".join([head, title, arrow, f'<rect width="{width}" height="{top}" fill="white"/>', *parts, "</svg>", ""])


def _legend(datamap: DataMap, parts: list[str]) -> int:
    """What the colours and lines mean. Returns where the panels begin."""
    owned = sum(1 for table in datamap.tables.values() if table.owners)
    kinds = ", ".join(f"{kind.name} ({kind.table})" for kind in datamap.kinds.values())
    told = f"{owned} tables belong to people: {kinds}"
    parts.append(f'<text x="{_MARGIN}" y="34" font-size="17" font-weight="bold">Whose data is where</text>')
    parts.append(f'<text x="{_MARGIN}" y="54">{_escaped(_fit(told, _WIDTH - 2 * _MARGIN))}</text>')
    x, y = _MARGIN, 70
    for data_class, colour in COLOURS.items():
        parts.append(f'<rect x="{x}" y="{y}" width="11" height="11" fill="{colour}" stroke="#555"/>')
        parts.append(f'<text x="{x + 16}" y="{y + 10}" font-size="11">{data_class.value}</text>')
        x += 30 + _wide(data_class.value)
    y += 22
    parts += _chip("people", _MARGIN + 52, y, optional=False)
    parts.append(f'<text x="{_MARGIN + 60}" y="{y + 11}" font-size="11">the column names a person</text>')
    parts.append(f'<path d="M{_MARGIN + 240} {y + 8} h40" fill="none" stroke="#555" marker-end="url(#to)"/>')
    parts.append(
        f'<text x="{_MARGIN + 288}" y="{y + 11}" font-size="11">leads to a row of that table, and its people</text>'
    )
    parts.append(f'<path d="M{_MARGIN + 560} {y + 8} h40" fill="none" stroke="#555" stroke-dasharray="4 3"/>')
    parts.append(f'<text x="{_MARGIN + 608}" y="{y + 11}" font-size="11">a row may lack it</text>')
    return y + 38


# -- what stands where ----------------------------------------------------------------------------------------------


def _panels(datamap: DataMap, written: Mapping[str, Any]) -> Iterable[_Panel]:
    areas = {name: _main(table) for name, table in datamap.tables.items() if table.owners}
    for area, _ in AREAS:
        names = sorted(name for name, found in areas.items() if found is area)
        if not names or area is None:
            continue
        cards = {name: _table_card(datamap, name) for name in names}
        for card in list(cards.values()):
            for step in card.steps:
                if step.target is not None and step.target not in cards:
                    elsewhere = _TITLES[areas[step.target]] if step.target in areas else ""
                    cards[step.target] = _Card(step.target, ghost=True, note=elsewhere)
        yield _Panel(_TITLES[area], list(cards.values()), COLOURS[area])
    views = [_view_card(view) for _, view in sorted(datamap.views.items())]
    if views:
        yield _Panel("views, which no grant shows", views)
    nobody = sorted(name for name, table in datamap.tables.items() if table.nobody)
    if nobody:
        yield _Panel("about nobody", [_Card(name) for name in nobody])
    refused = {**_refused(written, "tables"), **_refused(written, "views")}
    if refused:
        wide = _WIDTH - 2 * _MARGIN
        told = [_Card(name, ghost=True, note=why, width=wide) for name, why in sorted(refused.items())]
        yield _Panel("refused: nobody sees them", told, "#ffffff")


def _refused(written: Mapping[str, Any], what: str) -> dict[TableName, str]:
    return {table_name(name): one["refused"] for name, one in written.get(what, {}).items() if "refused" in one}


def _main(table: MappedTable) -> DataClass:
    """The class of most of a table's columns; public only where there is no other."""
    classes = [one.data_class for one in table.columns.values() if one.data_class is not DataClass.PUBLIC]
    return max(dict.fromkeys(classes), key=classes.count) if classes else DataClass.PUBLIC


def _table_card(datamap: DataMap, name: TableName) -> _Card:
    table = datamap.tables[name]
    classes = tuple(sorted({one.data_class for one in table.columns.values()}, key=list(COLOURS).index))
    people = any(kind.table == name for kind in datamap.kinds.values())
    steps = _merged(_step(datamap, owner) for owner in table.owners)
    return _Card(name, steps, classes, people=people)


def _view_card(view: MappedView) -> _Card:
    classes = tuple(sorted(set(view.columns.values()), key=list(COLOURS).index))
    steps = [_Step(", ".join(owner.starts), owner.kind, None, owner.nullable, _told(owner)) for owner in view.owners]
    return _Card(view.name, _merged(steps), classes)


def _step(datamap: DataMap, owner: OwnerPath) -> _Step:
    if not owner.hops:
        return _Step(owner.column, owner.kind, None, owner.nullable, _told(owner))
    hop = owner.hops[0]
    kind = datamap.kinds[owner.kind]
    label = ", ".join(hop.columns) + (f" if {hop.when[1]}" if hop.when else "")
    label += ", any number of" if hop.many else ""
    if len(owner.hops) == 1 and (hop.table, owner.column) == (kind.table, kind.key):
        return _Step(label, owner.kind, None, owner.nullable, _told(owner))
    return _Step(label, "", hop.table, owner.nullable, _told(owner))


def _told(owner: OwnerPath) -> str:
    return f"{' / '.join(owner.path)} = {owner.kind}"


def _merged(steps: Iterable[_Step]) -> tuple[_Step, ...]:
    """Steps that look alike are one; it is optional if all of them are."""
    found: dict[tuple[str, str, TableName | None], _Step] = {}
    for step in steps:
        key = step.label, step.kind, step.target
        same = found.get(key)
        found[key] = (
            step
            if same is None
            else replace(step, optional=same.optional and step.optional, told=f"{same.told}\n{step.told}")
        )
    return tuple(found.values())


def _lay_out(panel: _Panel, top: int) -> tuple[int, int]:
    """Places the cards: those that lines join in columns, the others below, side by side.

    Returns the panel's lower and right edge.
    """
    cards = {card.name: card for card in panel.cards}
    columns: dict[int, list[_Card]] = {}
    for name, number in _columns(cards).items():
        columns.setdefault(number, []).append(cards[name])
    right, bottom = 0, top
    for number, column in sorted(columns.items()):
        x, y = _MARGIN + number * (_CARD + _LINES), top
        for card in sorted(column, key=lambda one: (_aim(one, cards), one.name)):
            card.x, card.y = x, y
            y += card.height + _GAP_Y
        right, bottom = max(right, x + _CARD), max(bottom, y)
    joined = {card.name for column in columns.values() for card in column}
    alone = sorted((one for one in panel.cards if one.name not in joined), key=lambda one: (not one.people, one.name))
    across = max(1, _WIDTH // (alone[0].width + _GAP_X)) if alone else 1
    for start in range(0, len(alone), across):
        row = alone[start : start + across]
        for place, card in enumerate(row):
            card.x, card.y = _MARGIN + place * (card.width + _GAP_X), bottom
        bottom += max(card.height for card in row) + _GAP_Y
    return bottom, right


def _columns(cards: Mapping[TableName, _Card]) -> dict[TableName, int]:
    """The column of each card that a line joins with another: right of all to which it leads, and as close to those
    that lead to it as can be, so that few lines pass behind a card."""
    leads = {card.name: {step.target for step in card.steps if step.target is not None} for card in cards.values()}
    known: dict[TableName, int] = {}

    def depth(name: TableName, above: frozenset[TableName]) -> int:
        """Most lines from the card to one without; a circle counts once."""
        if name not in known:
            targets = leads[name] - above - {name}
            found = max((1 + depth(one, above | {name}) for one in targets), default=0)
            if above and targets != leads[name] - {name}:
                return found  # in a circle: from elsewhere it may be more
            known[name] = found
        return known[name]

    joined = {name for name, targets in leads.items() if targets} | {
        one for targets in leads.values() for one in targets
    }
    columns = {name: depth(name, frozenset()) for name in sorted(joined)}
    for name in sorted(columns, key=lambda one: (-columns[one], one)):
        after = [columns[one] for one, targets in leads.items() if name in targets and columns[one] > columns[name]]
        if after:
            columns[name] = min(after) - 1
    return columns


def _aim(card: _Card, cards: Mapping[TableName, _Card]) -> float:
    """How far down the cards stand to which it leads, so that few lines cross. Cards without lines keep their order."""
    places = [cards[step.target].y for step in card.steps if step.target is not None]
    return sum(places) / len(places) if places else 0


# -- drawing --------------------------------------------------------------------------------------------------------


def _drawn(panel: _Panel) -> Iterable[str]:
    cards = {card.name: card for card in panel.cards}
    for card in panel.cards:
        for number, step in enumerate(card.steps):
            if step.target is not None:
                y = card.y + _HEAD + _ROW * number + _ROW // 2
                yield _line(card.x, y, cards[step.target], step)
    for card in panel.cards:
        yield from _card(card)


def _line(x: int, y: int, target: _Card, step: _Step) -> str:
    end_x, end_y = target.x + _CARD, target.y + _HEAD // 2
    if end_x > x:  # a circle, or the same column: around the left side
        path = f"M{x} {y} C{x - 40} {y} {target.x - 40} {end_y} {target.x} {end_y}"
    else:
        bend = min(_LINES - 12, (x - end_x) // 2)
        path = f"M{x} {y} C{x - bend} {y} {end_x + bend} {end_y} {end_x} {end_y}"
    dash = ' stroke-dasharray="4 3"' if step.optional else ""
    return (
        f'<path d="{path}" fill="none" stroke="#555"{dash} marker-end="url(#to)">'
        f"<title>{_escaped(step.told)}</title></path>"
    )


def _card(card: _Card) -> Iterable[str]:
    stroke = ' stroke-dasharray="5 3"' if card.ghost else ""
    fill = "#fafafa" if card.ghost else "white"
    classes = ", ".join(one.value for one in card.classes)
    told = f"{card.name}: {classes or card.note}" if classes or card.note else str(card.name)
    yield (
        f'<g><title>{_escaped(told)}</title><rect x="{card.x}" y="{card.y}" width="{card.width}" height="{card.height}"'
        f' rx="4" fill="{fill}" stroke="#555"{stroke}/>'
    )
    squares = 13 * len(card.classes)
    bold = ' font-weight="bold"' if card.people else ""
    name = _fit(str(card.name), min(card.width, 400) - 20 - squares)
    yield f'<text x="{card.x + 8}" y="{card.y + 17}"{bold}>{_escaped(name)}</text>'
    aside = max(_wide(name) + 30, _CARD if card.width > _CARD else 0)
    if card.note and card.width - aside > 60:
        note = _fit(card.note, card.width - aside - 8)
        yield f'<text x="{card.x + aside}" y="{card.y + 17}" font-size="11" fill="#666">{_escaped(note)}</text>'
    for number, data_class in enumerate(card.classes):
        x = card.x + _CARD - 6 - squares + 13 * number
        yield f'<rect x="{x}" y="{card.y + 8}" width="11" height="11" fill="{COLOURS[data_class]}" stroke="#777"/>'
    yield "</g>"
    for number, step in enumerate(card.steps):
        y = card.y + _HEAD + _ROW * number
        taken = _wide(step.kind) + 22 if step.kind else 0
        label = _fit(step.label, _CARD - 20 - taken)
        yield f"<g><title>{_escaped(step.told)}</title>"
        yield f'<text x="{card.x + 12}" y="{y + 13}" font-size="11" fill="#333">{_escaped(label)}</text>'
        if step.kind:
            yield from _chip(step.kind, card.x + _CARD - 7, y + 1, optional=step.optional)
        yield "</g>"


def _chip(kind: str, right: int, y: int, *, optional: bool) -> Iterable[str]:
    """Whom a column names; white and dashed where a row may lack it."""
    width = _wide(kind) + 10
    look = 'fill="white" stroke="#444" stroke-dasharray="3 2"' if optional else 'fill="#444" stroke="#444"'
    colour = "#333" if optional else "white"
    yield f'<rect x="{right - width}" y="{y}" width="{width}" height="15" rx="7" {look}/>'
    yield (
        f'<text x="{right - width / 2:g}" y="{y + 11}" font-size="11" fill="{colour}" text-anchor="middle">'
        f"{_escaped(kind)}</text>"
    )


def _escaped(text: str) -> str:
    """Text for XML 1.0, which has no way to write control characters: U+FFFD instead."""
    shown = (one if one.isprintable() or one == "\n" else "\N{REPLACEMENT CHARACTER}" for one in text)
    return saxutils.escape("".join(shown))


def _wide(text: str) -> int:
    """About how wide a text is, in pixels of the 12 pixel font: rather too much."""
    return round(sum(_letter(char) for char in text))


def _letter(char: str) -> float:
    if unicodedata.east_asian_width(char) in "WF" or char in "WMwm@%":
        return 12.5
    return 9.5 if char.isupper() else 7


def _fit(text: str, room: int) -> str:
    """The text, cut where it would not fit."""
    if _wide(text) <= room:
        return text
    while text and _wide(text) + 9 > room:
        text = text[:-1]
    return f"{text}…"

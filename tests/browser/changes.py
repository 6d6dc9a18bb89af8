"""Single changes to a JSON document, at every place of it."""

from __future__ import annotations

import base64
import copy
import random
from collections.abc import Iterator, Sequence
from typing import Any

Place = tuple[str | int, ...]


def places(value: Any, at: Place = ()) -> Iterator[Place]:
    """The way to every value in a document, without the document itself."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in items:
        yield (*at, name)
        yield from places(inner, (*at, name))


def change(
    document: Any, where: Sequence[Place], chance: random.Random, count: int
) -> Iterator[tuple[Place, str, Any]]:
    """``count`` documents, each with one change: (place, what was done, the document)."""
    for place in chance.choices(where, k=count):
        made = copy.deepcopy(document)
        holder = made
        for name in place[:-1]:
            holder = holder[name]
        name = place[-1]
        what = chance.choice(_WAYS[type(holder)])
        if what == "drop":
            del holder[name]
        elif what == "add":
            holder["more"] = 1
        elif what == "null":
            holder[name] = None if holder[name] is not None else 0
        elif what == "duplicate":
            holder.insert(name, holder[name])
        elif what == "swap" and len(holder) > 1:
            other = chance.choice([i for i in range(len(holder)) if holder[i] != holder[name]] or [name])
            holder[name], holder[other] = holder[other], holder[name]
        else:
            what = "another value"
        if made == document:
            what = "another value"
            holder[name] = another(holder[name], chance)
        assert made != document
        yield place, what, made


_WAYS: dict[type, tuple[str, ...]] = {
    dict: ("drop", "add", "null", "another value", "another value", "another value"),
    list: ("drop", "duplicate", "swap", "null", "another value"),
}


def another(value: Any, chance: random.Random) -> Any:
    """A value of the same kind that is not the same."""
    match value:
        case bool() | None:
            return 1
        case int():
            return max(0, value + chance.choice((-1, 1))) if value else 1
        case str():
            try:
                data = bytearray(base64.b64decode(value, validate=True))
            except ValueError:
                data = bytearray()
            if len(data) > 3:  # one bit of what the text stands for, or one byte less
                if chance.random() < 0.2:
                    del data[chance.randrange(len(data))]
                else:
                    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
                return base64.b64encode(data).decode()
            at = chance.randrange(len(value)) if value else 0
            one = chr(chance.randrange(33, 126))
            return f"{value[:at]}{'~' if one == value[at] else one}{value[at + 1 :]}" if value else "x"
        case list():
            return value[:-1] if value else [0]
        case _:
            return [value]

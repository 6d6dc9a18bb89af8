"""A map that people edited, and a newer proposal: what they changed stays, the rest is written anew."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection
from typing import Any

from seenby.attach.write import blocks

_MASK = re.compile(r"^mask = .*?\]$", re.MULTILINE | re.DOTALL)


def merge(old: str, before: str, after: str, *, decided: Collection[str] = ()) -> tuple[str, list[str]]:
    """The new text, and the names of the blocks that were kept from ``old``.

    Args:
        old: the file as it is; ``before``: what a proposal with its own answers would write now.
        after: the new proposal, with more answers. A block that says something else in ``old`` than in ``before``
            was changed by a person (or the database changed since): it is kept.
        decided: tables about which an answer was just given: the answer wins.
    """
    theirs, known = blocks(old), blocks(before)
    kept: list[str] = []
    text = after
    for name, block in theirs.items():
        if name in known and _same(block, known[name]):
            continue
        if name.removeprefix("tables.").strip('"') in decided:
            continue
        mine = blocks(text).get(name)
        if mine is not None and _same(block, mine):
            continue
        kept.append(name)
        text = text.replace(mine, block) if mine is not None else _inserted(text, block)
    masks = _MASK.search(old)
    if masks and not _same(masks[0], _mask_of(before)):
        text = _MASK.sub(lambda _: masks[0], text, count=1)
    return text, kept


def _mask_of(text: str) -> str:
    found = _MASK.search(text)
    return found[0] if found else ""


def _same(one: str, other: str) -> bool:
    """Whether two pieces of TOML say the same; comments do not count."""
    return _read(one) == _read(other)


def _read(text: str) -> dict[str, Any]:
    return tomllib.loads(text)


def _inserted(text: str, block: str) -> str:
    """Before the answers, which stand last."""
    place = text.find("[[answers]]")
    return f"{text}\n{block}" if place < 0 else f"{text[:place]}{block}\n{text[place:]}"

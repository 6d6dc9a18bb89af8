"""A map that people edited, and a newer proposal: what they changed stays, the rest is written anew."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Sequence
from typing import Any

from seenby.attach.write import blocks

_MASK = re.compile(r"^mask = .*?\]$", re.MULTILINE | re.DOTALL)


def merge(old: str, before: Sequence[str], after: str, *, decided: Collection[str] = ()) -> tuple[str, list[str]]:
    """The new text, and the names of the blocks that were kept from ``old``.

    Args:
        old: the file as it is; ``before``: what proposals would write now, with its own answers and without any.
        after: the new proposal, with more answers. A block of ``old`` that says something else than all of
            ``before`` was changed by a person (or the database changed since): it is kept.
        decided: tables about which an answer was just given: the answer wins.
    """
    theirs, known = blocks(old), [blocks(one) for one in before]
    kept: list[str] = []
    text = after
    for name, block in theirs.items():
        if any(name in one and _same(block, one[name]) for one in known):
            continue
        if name.removeprefix("tables.").strip('"') in decided:
            continue
        mine = blocks(text).get(name)
        if mine is not None and _same(block, mine):
            continue
        kept.append(name)
        text = text.replace(mine, block) if mine is not None else _inserted(text, block)
    masks = _MASK.search(old)
    if masks and not any(_same(masks[0], _mask_of(one)) for one in before):
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

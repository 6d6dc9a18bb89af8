"""Where in a map's text something stands: line and column, for messages that an editor can follow.

tomllib keeps no positions, so the text is searched for the header and the key, in the order in which TOML has them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence


def position(text: str, path: Sequence[str]) -> tuple[int, int] | None:
    """Line and column (both from 1) of what ``path`` leads to, or of the nearest that is above it; None if nothing is.

    >>> position('version = 1\\n[tables.a]\\nkey = []\\n', ["tables", "a", "key"])
    (3, 1)
    """
    best: tuple[int, int] | None = None
    header: tuple[str, ...] = ()
    depth = 0
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if depth == 0 and (found := re.fullmatch(r"\[\[?(.+?)\]\]?\s*(#.*)?", stripped)):
            header = tuple(_parts(found[1]))
            names: tuple[str, ...] = header
            column = line.index("[") + 1
        elif depth == 0 and (found := re.match(r"""("(?:[^"\\]|\\.)*"|'[^']*'|[^\s=#]+)\s*=""", stripped)):
            names = (*header, *_parts(found[1]))
            column = len(line) - len(line.lstrip()) + 1
        else:
            names = ()
            column = 0
        if names and tuple(path[: len(names)]) == names and len(names) <= len(path):
            best = (number, column)
            if len(names) < len(path) and (
                inner := re.search(rf"(?<![\w-])({re.escape(path[len(names)])})\b", stripped)
            ):
                best = (number, column + inner.start()) if "=" in stripped else best
            if len(names) == len(path):
                return best
        depth += _opened(stripped)
    return best


def _parts(name: str) -> list[str]:
    """The keys of a dotted one: ``tables."billing.notes"`` -> tables, billing.notes."""
    found = re.findall(r"""\s*(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([^.\s"']+))\s*(?:\.|$)""", name)
    return [double or single or bare for double, single, bare in found]


def _opened(line: str) -> int:
    """How many brackets a value leaves open at the end of its line. Those in strings and comments do not count."""
    bare = re.sub(r""""(?:[^"\\]|\\.)*"|'[^']*'|#.*""", "", line)
    if re.fullmatch(r"\[\[?[^\[\]]+\]\]?", bare.strip()):
        return 0
    return bare.count("[") + bare.count("{") - bare.count("]") - bare.count("}")

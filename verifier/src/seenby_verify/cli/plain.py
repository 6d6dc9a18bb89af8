"""A console on which names of tables, words of a log or a database and other people's texts stay text.

Whoever is being checked, or may name a table, could otherwise steer the terminal of who reads about it, and paint over
what a check found.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, Final, NoReturn

from rich.console import Console
from rich.text import Text

BROKEN_PIPE: Final = 141
"""Exit status: who read what is printed went away, as under a shell (128 and SIGPIPE)."""


class PlainConsole(Console):
    """Shows U+FFFD for every character that moves the cursor, changes colours or turns the direction of writing."""

    def print(self, *objects: Any, **more: Any) -> None:
        super().print(*map(_shown, objects), **more)

    def on_broken_pipe(self) -> NoReturn:
        """rich would end with status 1, which says that something does not hold."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), self.file.fileno())
        raise SystemExit(BROKEN_PIPE)


def sentences(*, stderr: bool = False) -> PlainConsole:
    """One line a sentence, however narrow the terminal is: it folds them itself."""
    return PlainConsole(stderr=stderr, highlight=False, soft_wrap=True)


_PLAIN: Final = {"\n": "\n", "\t": " "}
"""What is not printable and harmless: libpq's messages have tabs."""


def plain(text: str) -> str:
    """
    >>> plain("a\\x1b[2Jb")
    'a\ufffd[2Jb'
    """
    return "".join(_PLAIN.get(one, one if one.isprintable() else "\N{REPLACEMENT CHARACTER}") for one in text)


def cell(value: object) -> Text:
    """One line of a table, never markup; nothing for None."""
    return Text("".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in str(value or "")))


def cells(values: Iterable[object]) -> Text:
    """Several in a table's place, one below the other: no word is cut where a terminal has 80 columns."""
    return Text("\n").join(map(cell, values))


def _shown(one: Any) -> Any:
    if isinstance(one, str):
        return plain(one)
    if isinstance(one, Text):
        one = one.copy()
        one.plain = plain(one.plain)  # as long as before, so that styles stay where they are
    return one

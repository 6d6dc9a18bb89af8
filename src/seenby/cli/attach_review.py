"""``seenby attach --review``: the questions in the terminal, one key each."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Sequence

from rich.console import Console
from rich.text import Text

from seenby.attach.asking import SHOWN
from seenby.attach.proposal import Answer, Question

LINES = 12


class Reviewer:
    """Asks one question after the other. What was skipped is not asked again; ``q`` or the end of input stops.

    Args:
        now: the time, ISO 8601 in UTC.
        key: reads one key; "" at the end of input. Default: from the terminal, or the next line of a pipe.
    """

    def __init__(self, console: Console, by: str, now: Callable[[], str], key: Callable[[], str] | None = None) -> None:
        self._console = console
        self._by = by
        self._now = now
        self._key = key or read_key
        self._skipped: set[str] = set()
        self._parts: deque[Question] = deque()
        self._asked = 0
        self._stopped = False

    def next(self, questions: Sequence[Question]) -> Question | None:
        """The most valuable question that was not skipped, or None."""
        if self._stopped or self._asked >= SHOWN:
            return None
        while self._parts:
            part = self._parts.popleft()
            if part.subject not in self._skipped:
                return part
        return next((one for one in questions if one.subject not in self._skipped), None)

    def ask(self, question: Question, left: int) -> list[Answer]:
        """Shows it and reads one key. An empty list: skipped, or to be asked one by one."""
        part = bool(question.parts) is False and bool(self._parts)
        self._console.print(Text(f"\n{question.text}", style="bold"), Text(f"  ({left} open)" if not part else ""))
        for line in question.why[:LINES]:
            self._console.print(Text(f"  {line}"))
        if len(question.why) > LINES:
            self._console.print(f"  ... and {len(question.why) - LINES} more")
        for choice in question.choices:
            self._console.print(Text(f"  {choice.key}  {choice.label}"))
        self._console.print("  s  skip    q  stop")
        while True:
            pressed = self._key()
            if pressed in {"", "q", "\x03", "\x04"}:
                self._stopped = True
                return []
            if pressed == "s":
                self._skipped.add(question.subject)
                return []
            for choice in question.choices:
                if choice.key == pressed:
                    self._console.print(Text(f"  -> {choice.label}", style="dim"))
                    if not choice.decides:
                        self._skipped.add(question.subject)
                        self._parts.extend(question.parts)
                        return []
                    self._asked += 1
                    at = self._now()
                    return [Answer(subject, answer, self._by, at) for subject, answer in choice.decides]
            self._console.print(f"  press one of {' '.join(choice.key for choice in question.choices)} s q")


def read_key() -> str:
    """One key of the terminal; the first character of the next line where stdin is none."""
    if not sys.stdin.isatty():
        line = sys.stdin.readline()
        return line.strip()[:1] or ("s" if line else "")
    import termios
    import tty

    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor)
        return sys.stdin.read(1)
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)

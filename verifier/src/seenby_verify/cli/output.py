"""How every command speaks: lines that a person reads, or one JSON object; errors as sentences on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from seenby_verify.cli.plain import sentences
from seenby_verify.errors import SeenbyError, UsageError, VerificationError
from seenby_verify.files import write_durably
from seenby_verify.tlog.steps import Step

AS_SAVED: Final = "is it that file, whole and as it was saved? An editor may have changed its line ends"


def console(*, stderr: bool = False) -> Console:
    made = sentences(stderr=stderr)
    if not made.is_terminal:
        made.width = 200  # a pipe has no width; what reads it should not meet broken words
    return made


def fault_of(error: SeenbyError) -> dict[str, Any]:
    where = error.where if isinstance(error, VerificationError) else ""
    return {"where": where, "message": error.message, "hint": error.hint, "detail": error.detail}


def say_error(error: SeenbyError, *, json: bool = False) -> int:
    """Says what happened and what to do next on stderr (and as JSON on stdout); returns the exit status."""
    to = console(stderr=True)
    to.print(f"[bold red]seenby-verify:[/] {escape(error.message)}")
    if error.detail:
        to.print(f"  {error.detail}", markup=False)
    if error.hint:
        to.print(f"  [bold]next:[/] {escape(error.hint)}")
    if json:
        # Of what could not be looked at nobody can say that it does not hold.
        ok = False if isinstance(error, VerificationError) else None
        say_json({"ok": ok, "fault": fault_of(error)})
    return error.exit_code


def say_json(value: dict[str, Any], *, indent: int | None = 2) -> None:
    said = json.dumps(value, indent=indent, ensure_ascii=False)
    try:
        said.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:  # JSON has its own way to write what the stream cannot
        said = json.dumps(value, indent=indent)
    print(said, flush=True)


def write_file(path: Path, data: bytes) -> None:
    """Raises UsageError if it cannot be written there."""
    try:
        write_durably(path, data)
    except (OSError, ValueError) as error:  # the latter: "/" and "." name no file
        why = error.strerror if isinstance(error, OSError) else "it names no file"
        raise UsageError(f"cannot write {path}: {why}", hint="give a file in a directory of yours") from None


@contextmanager
def advising(hint: str) -> Iterator[None]:
    """What to do next about a fault that does not say so itself."""
    try:
        yield
    except VerificationError as error:
        error.hint = error.hint or hint
        raise


def taken(steps: Iterable[Step]) -> tuple[list[Step], VerificationError | None]:
    """The steps that hold, and the fault that ended them."""
    done: list[Step] = []
    try:
        for step in steps:
            done.append(step)
    except VerificationError as error:
        return done, error
    return done, None


def say_steps(
    titles: Sequence[str],
    done: Sequence[Step],
    fault: VerificationError | None,
    *,
    as_json: bool,
    holds: Callable[[], tuple[Sequence[str], dict[str, Any]]],
    advice: str,
) -> int:
    """Tells how a check went; returns the exit status.

    ``holds``: lines, and members for JSON, if everything holds. ``advice``: what to do about a fault that does not say.
    """
    if fault and not fault.hint:
        fault.hint = advice
    if as_json:
        found = fault and {"step": len(done) + 1, "title": titles[len(done)], **fault_of(fault)}
        more = {} if fault else holds()[1]
        say_json({"ok": fault is None, "fault": found, "steps": [_as_json(step) for step in done], **more})
        return fault.exit_code if fault else 0
    to = console()
    width = len(str(len(titles)))
    for step in done:
        detail = f"  [dim]{escape(step.detail)}[/]" if step.detail else ""
        to.print(f"[green]{step.number:>{width}}[/] {escape(step.title)}{detail}")
    if fault:
        number = len(done) + 1
        to.print(f"[bold red]{number:>{width}}[/] {escape(titles[len(done)])}  [bold red]does not hold[/]")
        return say_error(fault)
    first, *others = holds()[0]
    to.print(f"[bold green]{escape(first)}[/]")
    for line in others:
        to.print(line, markup=False)
    return 0


def _as_json(step: Step) -> dict[str, Any]:
    return {"number": step.number, "title": step.title, "detail": step.detail}


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr while something long is looked at, if that is a terminal."""
    to = Console(stderr=True)
    if not to.is_terminal or not sys.stdout.isatty():
        yield lambda _done, _total: None
        return
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=to, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)

"""How a command ends: its exit status means what it says, whatever becomes of the streams that it writes to.

A reader that closes the pipe (``| head -1``), a full disk or an encoding without the letter that is to be printed are
no fault of what was checked: none of them may look like status 1, "it does not hold".
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Callable, Sequence
from typing import Final, NoReturn

from cyclopts import App, CycloptsError

from seenby_verify.cli.plain import BROKEN_PIPE
from seenby_verify.errors import SeenbyError, UsageError

UNWRITTEN: Final = 74
"""Exit status (EX_IOERR): a file or a stream cannot be read or written, and nothing else is known."""


class _Unwritten(SeenbyError):
    exit_code = UNWRITTEN


def run(command_line: Callable[[Sequence[str]], App], say: Callable[[SeenbyError], int]) -> NoReturn:
    """Runs the command that the arguments name. ``say``: tells an error of ours, and returns its exit status."""
    _streams()
    arguments = sys.argv[1:]
    try:
        status = command_line(arguments)(
            arguments, exit_on_error=False, print_error=True, result_action="return_int_as_exit_code_else_zero"
        )
        sys.stdout.flush()
    except CycloptsError:
        status = UsageError.exit_code
    except SeenbyError as error:
        status = _said(say, error)
    except KeyboardInterrupt:
        status = 130
    except BrokenPipeError:
        status = BROKEN_PIPE
    except OSError as error:
        what = f"{error.filename} cannot be read or written" if error.filename else "the output cannot be written"
        hint = "make room, or give another place"
        status = _said(say, _Unwritten(f"{what}: {error.strerror or error}", hint=hint))
    _rest()
    sys.exit(status)


def _said(say: Callable[[SeenbyError], int], error: SeenbyError) -> int:
    """The exit status is the error's, also where nobody can be told."""
    with contextlib.suppress(OSError):
        say(error)
    return error.exit_code


def _streams() -> None:
    """A stream that was closed (``>&-``) leads nowhere; what an encoding lacks is written as \\xe9."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115  # as long as the process
        elif mode == "w" and isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _rest() -> None:
    """What cannot be written any more is not tried again when Python ends, which would be status 120."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            with contextlib.suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())

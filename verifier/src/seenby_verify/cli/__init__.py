"""The ``seenby-verify`` command: one module per subcommand, loaded when it is called."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final, NoReturn

from cyclopts import App, Parameter

from seenby_verify.cli.ends import run
from seenby_verify.cli.output import say_error
from seenby_verify.cli.plain import PlainConsole

COMMANDS: Final = {
    "bundle": ("seenby_verify.cli.bundle:bundle", "Check a person's bundle: is the list of who saw their data whole?"),
    "evidence": ("seenby_verify.cli.evidence:evidence", "Check evidence that a log broke its word."),
    "grant": ("seenby_verify.cli.grant:grant", "What became of one grant, and whose keys signed."),
    "log": ("seenby_verify.cli.log:log", "Check a whole public log."),
    "mine": ("seenby_verify.cli.mine:mine", "Keep receipts of the entries about you, or the log's promises of them."),
    "monitor": ("seenby_verify.cli.monitor:monitor", "Follow a log, remember it, and shout when it cannot be true."),
    "page": ("seenby_verify.cli.page:page", "The page that checks a bundle in a browser."),
    "promise": ("seenby_verify.cli.promise:promise", "Was a promise kept? If not, make evidence of it."),
    "receipt": ("seenby_verify.cli.receipt:receipt", "Check a receipt: is its entry in the log?"),
    "report": ("seenby_verify.cli.report:report", "Hold a daily report against the log."),
    "witness": ("seenby_verify.cli.witness:app", "Cosign logs, so that none of them can show two versions of itself."),
}
"""Where each command is, and its sentence in the list, which is printed without importing them all."""

_HELP: Final = """Check what a Seenby log says, with nothing but files and public keys.

Exit status 0: it holds. 1: it does not; the first fault is named. 64: the command makes no sense. 66: there is no such
file, grant or report. 69: the log or a witness cannot be reached. 74: something cannot be read or written. 75: nobody
can say yet. 130: Ctrl-C."""


def command_line(arguments: Sequence[str]) -> App:
    """The parser. The page of the command that is called comes from its docstring."""
    app = App(
        name="seenby-verify",
        help=_HELP,
        version_flags=["--version"],
        default_parameter=Parameter(negative=""),
        console=PlainConsole(),
        error_console=PlainConsole(stderr=True),
    )
    called = next((one for one in arguments if one in COMMANDS), "")
    for name, (place, sentence) in COMMANDS.items():
        app.command(place, name=name, help=None if name == called else sentence)
    return app


def main() -> NoReturn:
    """Entry point. Every error of ours is a sentence and an exit status (seenby_verify.errors), never a traceback."""
    run(command_line, lambda error: say_error(error, json="--json" in sys.argv))

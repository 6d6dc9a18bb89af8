"""The ``seenby`` command: one module per subcommand, loaded when it is called."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from cyclopts import App, Parameter
from rich.markup import escape

from seenby.errors import SeenbyError
from seenby_verify.cli.ends import run
from seenby_verify.cli.plain import PlainConsole, sentences

COMMANDS = {
    "attach": (
        "seenby.cli.attach:attach",
        "Propose the data map of a database; print the SQL that a DBA runs once in it.",
    ),
    "audit": ("seenby.cli.audit:app", "Auditors' keys; open and read the records of a month; destroy them."),
    "bundle": ("seenby.cli.bundle:bundle", "A person's file: who saw their data, with the proof that all is there."),
    "datamap": ("seenby.cli.datamap:app", "Does the data map still fit the database, and what does it say?"),
    "demo": ("seenby.cli.demo:demo", "An embedded world with two regions, and a guided tour. Start here."),
    "detach": ("seenby.cli.detach:detach", "Print the SQL that takes Seenby out of a database again."),
    "enrol": (
        "seenby.cli.enrol:enrol",
        "Give everybody in the platform's database a key; the log commits to it.",
    ),
    "erase": ("seenby.cli.erase:erase", "Erase people's keys: nothing in the log leads to them any more."),
    "grant": ("seenby.cli.grant:app", "Ask for access to people's data; approve, deny, revoke."),
    "keys": ("seenby.cli.keys:app", "How people's keys are wrapped; renew what wraps them."),
    "migrate": (
        "seenby.cli.migrate:app",
        "Suspend all grants while the platform's schema is changed, and let them go on.",
    ),
    "preview": ("seenby.cli.preview:preview", "Show what a change would do to people's rows, without doing it."),
    "receipts": ("seenby.cli.receipts:receipts", "Keep the receipts of what you did, or the log's promises."),
    "reconcile": ("seenby.cli.reconcile:reconcile", "Who reached the data without Seenby?"),
    "regions": ("seenby.cli.regions:app", "Make and sign the organisation's list of regions."),
    "sample": ("seenby.cli.sample:sample", "For one person, what the data map says is theirs, table by table."),
    "serve": ("seenby.cli.serve:serve", "Run the gateway of one region."),
    "verify": ("seenby.cli.verify:verify", "Check a public log with nothing but its key."),
    "who-saw": ("seenby.cli.who_saw:who_saw", "Who saw this person's data, when and for what?"),
}
"""Where each command is, and its sentence in the list, which is printed without importing them all."""


def command_line(arguments: Sequence[str]) -> App:
    """The parser. The page of the command that is called comes from its docstring."""
    app = App(
        name="seenby",
        help="New here? Run `seenby demo`: two regions, all real, and a guided tour.\n\n"
        "Seenby is a gateway between staff and user data in PostgreSQL: grants that the database enforces, "
        "and a public log that names everybody whose data was shown, before it is shown.",
        version_flags=["--version"],
        default_parameter=Parameter(negative=""),
        console=PlainConsole(),
        error_console=PlainConsole(stderr=True),
    )
    called = next((one for one in arguments if one in COMMANDS), "")
    for name, (place, sentence) in COMMANDS.items():
        app.command(place, name=name, help=None if name == called else sentence)
    return app


def report(error: SeenbyError) -> int:
    """Prints what happened and what to do next to stderr; returns the exit status."""
    console = sentences(stderr=True)
    console.print(f"[bold red]seenby:[/] {escape(error.message)}")
    if error.detail:
        console.print(f"  {error.detail}", markup=False)
    if error.hint:
        console.print(f"  [bold]next:[/] {escape(error.hint)}")
    return error.exit_code


def main() -> NoReturn:
    """Entry point. Every error of ours is a sentence and an exit status (seenby.errors), never a traceback."""
    run(command_line, report)

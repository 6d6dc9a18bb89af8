"""The ``seenby`` command: one module per subcommand, loaded when it is called."""

from __future__ import annotations

import os
import sys

from cyclopts import App
from rich.console import Console
from rich.markup import escape

from seenby.errors import SeenbyError

app = App(
    name="seenby",
    help="New here? Run `seenby demo`: two regions, all real, and a guided tour.\n\n"
    "Seenby is a gateway between staff and user data in PostgreSQL: grants that the database enforces, "
    "and a public log that names everybody whose data was shown, before it is shown.",
    help_format="plaintext",
    version_flags=["--version"],
)
app.command(
    "seenby.cli.attach:attach", name="attach", help="Print the SQL that a DBA runs once in the platform's database."
)
app.command("seenby.cli.demo:demo", name="demo", help="An embedded world with two regions, and a guided tour.")
app.command("seenby.cli.grant:app", name="grant", help="Ask for access to people's data; approve, deny, revoke.")
app.command("seenby.cli.who_saw:who_saw", name="who-saw", help="Who saw this person's data, when and for what?")
app.command("seenby.cli.serve:serve", name="serve", help="Run the gateway of one region.")
app.command("seenby.cli.verify:verify", name="verify", help="Check a public log with nothing but its key.")
app.command("seenby.cli.reconcile:reconcile", name="reconcile", help="Who reached the data without Seenby?")


def report(error: SeenbyError) -> int:
    """Prints what happened and what to do next to stderr; returns the exit status."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(f"[bold red]seenby:[/] {escape(error.message)}")
    if error.detail:
        console.print(f"  {error.detail}", markup=False)
    if error.hint:
        console.print(f"  [bold]next:[/] {escape(error.hint)}")
    return error.exit_code


def main() -> None:
    """Entry point. Every error of ours is a sentence and an exit status (seenby.errors), never a traceback."""
    try:
        app()
    except SeenbyError as error:
        sys.exit(report(error))
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)

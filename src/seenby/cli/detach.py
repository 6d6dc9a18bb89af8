"""``seenby detach``: prints the SQL that undoes what ``seenby attach --config`` had a DBA run."""

from __future__ import annotations

import sys

from seenby.guard.detach import detach_sql


def detach() -> None:
    """Print the SQL that undoes the attaching: Seenby leaves the database as it was.

    Nothing is run. Stop `seenby serve`; then a DBA reads it and runs it as superuser, in the platform's database, in
    one transaction: `seenby detach | psql --single-transaction -v ON_ERROR_STOP=1 PLATFORM`. What attaching took from
    PUBLIC goes back to it, exactly; Seenby's roles, schemas and views go. The platform's tables and rows are not
    touched, nor are the ledger and the keys, which are not in this database. On a managed service, run it as who ran
    the attach script.
    """
    sys.stdout.write(detach_sql())

"""``seenby attach``: prints the SQL that a DBA runs once, before Seenby stands in front of a database."""

from __future__ import annotations

import secrets
import sys
from pathlib import Path

from seenby.gateway.service import read_datamap
from seenby.guard import attach_sql, verifier
from seenby.stores.config import load_config


def attach(*, config: Path) -> None:
    """Print the SQL that prepares a platform's database: roles, Seenby's own schemas, and what PUBLIC loses.

    Nothing is run. A DBA reads it and runs it as superuser, in the platform's database, in one transaction:
    `seenby attach --config seenby.toml | psql --single-transaction -v ON_ERROR_STOP=1 PLATFORM`. It may be run again,
    and must be after the data map names new tables. The control database has to exist before.

    Parameters
    ----------
    config
        The region's seenby.toml. The password of seenby_guard is read from its password_file; only the verifier of it
        is printed.
    """
    settings = load_config(config)
    guard = verifier(settings.database.password(), secrets.token_bytes(16))
    script = attach_sql(read_datamap(settings), database=settings.database.dbname, guard_verifier=guard)
    sys.stdout.write(script)

"""``seenby attach``: proposes the data map of a database, and prints the SQL that a DBA runs once."""

from __future__ import annotations

import getpass
import secrets
import sys
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from seenby.errors import ConfigError, UsageError
from seenby_verify.cli.plain import sentences


def attach(
    dsn: str = "",
    /,
    *,
    out: Path | None = None,
    review: bool = False,
    by: str = "",
    config: Annotated[Path | None, Parameter(name="--config")] = None,
) -> None:
    """Propose the data map of a database; or, with --config, print the SQL that a DBA runs once.

    `seenby attach DSN` looks at a PostgreSQL database (15 or later) as an ordinary role: its catalogue, its
    statistics, and at most some hundred rows of each table. It changes nothing. What comes out is a map that you read
    and correct: whose rows each table's are, which kind of data each column holds, and what could not be told. A file
    that is there already is written anew, except for what people changed in it.

    `seenby attach --config seenby.toml` prints the SQL that prepares the platform's database for Seenby: roles,
    Seenby's own schemas, and what PUBLIC loses. Nothing is run. A DBA reads it and runs it as superuser, in the
    platform's database, in one transaction:
    `seenby attach --config seenby.toml | psql --single-transaction -v ON_ERROR_STOP=1 PLATFORM`.
    It may be run again, and must be after the data map names new tables. The control database has to exist before.
    On a managed service, where nobody is superuser, write `managed = true` under [database]: the script is then one for
    the owner of the database, and what the service lets nobody close is listed.

    Parameters
    ----------
    dsn
        The database, as psql takes it: postgresql://... or "host=... dbname=...". The password is better in PGPASSWORD
        or ~/.pgpass than here.
    out
        The file for the map. Default: it is printed.
    review
        Ask what the proposal is unsure of, one key for each answer, and write the answers into the map.
    by
        Who answers, for the map. Default: the user of this computer.
    config
        The region's seenby.toml. The password of seenby_guard is read from its password_file; only the verifier of it
        is printed.
    """
    if bool(dsn) == bool(config):
        raise UsageError(
            "seenby attach needs a database to look at, or --config FILE to print the SQL for one",
            hint='seenby attach "host=... dbname=..." --out datamap.toml; later: seenby attach --config seenby.toml',
        )
    if config is not None:
        if out or review or by:
            raise UsageError("--out, --review and --by belong to the map", hint="give a database instead of --config")
        _print_sql(config)
    else:
        if review and out is None:
            raise UsageError("--review needs a file for the answers", hint="add --out datamap.toml")
        _propose(dsn, out, review, by or getpass.getuser())


def _print_sql(config: Path) -> None:
    from seenby.gateway.service import read_datamap
    from seenby.guard import attach_sql, verifier
    from seenby.guard.managed import REMAINS_OPEN
    from seenby.stores.config import load_config

    settings = load_config(config)
    guard = verifier(settings.database.password(), secrets.token_bytes(16))
    managed = settings.database.managed
    script = attach_sql(
        read_datamap(settings), database=settings.database.dbname, guard_verifier=guard, managed=managed
    )
    sys.stdout.write(script)
    if managed:
        console = sentences(stderr=True)
        console.print("[bold]This service lets nobody close the following.[/] Whoever has a grant's own password:")
        for one in REMAINS_OPEN:
            console.print(f"- {one.what}: {one.tells}.\n  Instead: {one.instead}.", markup=False)


def _propose(dsn: str, out: Path | None, review: bool, by: str) -> None:
    from seenby.attach.merge import merge
    from seenby.attach.proposal import answers_of
    from seenby.attach.propose import propose, trials
    from seenby.attach.write import to_toml
    from seenby.cli.attach_review import Reviewer
    from seenby.cli.attach_summary import summary
    from seenby.stores.inspect import Inspector

    console = sentences(stderr=True)
    old = _read(out) if out else ""
    answers = answers_of(_parse(old, out)) if old and out else {}
    with Inspector(dsn) as inspector:
        inspection = inspector.inspect()
        contained = inspector.contained(inspection, trials(inspection, answers))
        proposal = propose(inspection, contained, answers)
        before = text = to_toml(proposal)
        decided: set[str] = set()
        if review:
            reviewer = Reviewer(console, by, _now)
            while question := reviewer.next(proposal.questions):
                for answer in reviewer.ask(question, len(proposal.questions)):
                    answers[answer.subject] = answer
                    decided.add(_table_of(answer.subject, [str(name) for name in inspection.tables]))
                contained |= inspector.contained(
                    inspection, [one for one in trials(inspection, answers) if one not in contained]
                )
                proposal = propose(inspection, contained, answers)
            text = to_toml(proposal)
    kept: list[str] = []
    if old:
        without = to_toml(propose(inspection, contained, {}))
        text, kept = merge(old, (before, without), text, decided=decided)
    if out:
        out.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)
    summary(console, proposal, out, kept)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _table_of(subject: str, tables: list[str]) -> str:
    """``references.billing.notes.author_id`` -> billing.notes."""
    rest = subject.split(".", 1)[-1]
    return max((one for one in tables if rest == one or rest.startswith(f"{one}.")), key=len, default="")


def _read(out: Path) -> str:
    try:
        return out.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {out}: {error}", hint="give another file with --out") from None


def _parse(text: str, out: Path) -> dict[str, object]:
    from seenby.datamap.load import check_shape

    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(
            f"{out} is not valid TOML: {error}", hint="correct the line it names, or give another file with --out"
        ) from None
    check_shape(data, text, source=str(out))
    return data

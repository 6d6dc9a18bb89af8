"""``seenby keys``: how old the keys over people's keys are, and new ones in their place."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from seenby.errors import ConfigError
from seenby.stores.config import Config, load_config
from seenby.stores.keystore_open import open_keystore, open_shelf
from seenby.stores.keystore_rotation import DAY, Standing
from seenby.stores.keystore_rotation import status as read_status
from seenby_verify.cli.output import console
from seenby_verify.cli.plain import sentences

app = App(
    name="keys",
    help="How people's keys are kept: look, and renew what wraps them.",
    help_epilogue="Each person's key is wrapped under a generation of the key store. A new generation comes every "
    "[keys] rotate_days; the old one is destroyed destroy_after_days later, and from then on no older backup of the "
    "key store opens. The gateway does all this by itself; these commands are for looking, and for not waiting.",
)

ConfigFile = Annotated[Path, Parameter(name="--config", env_var="SEENBY_CONFIG", help="The region's seenby.toml.")]


@dataclass(frozen=True, slots=True)
class Outlook:
    """Attributes: Unix seconds: when the next rotation is due; when what is erased now is in no backup any more."""

    rotation_due: float
    gone_by: float


def outlook(standings: Sequence[Standing], config: Config, now: float) -> Outlook:
    """An erased key is in backups under the generation that was live; that one ends with the next rotation."""
    due = max(now, standings[-1].generation.made + config.keys.rotate_days * DAY)
    return Outlook(due, due + config.keys.destroy_after_days * DAY)


@app.command
def status(
    *,
    config: ConfigFile,
    json_: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> int:
    """Show every generation of the key store: how many keys are under it, and what has become of it.

    Parameters
    ----------
    json_
        Print JSON instead of a table.
    """
    settings = load_config(config)
    standings = _standings(settings)
    ahead = outlook(standings, settings, time.time())
    if json_:
        print(json.dumps(_told(standings, settings, ahead), indent=2))
        return 0
    to = console()
    table = Table(title=f"Key store of region {settings.region} (days in UTC)", title_justify="left")
    for heading in ("generation", "keys", "made", "closed", "retired", "destroyed"):
        table.add_column(heading, no_wrap=True, justify="right" if heading in ("generation", "keys") else "left")
    for one in standings:
        made = one.generation
        times = (_day(moment)[:10] for moment in (made.made, made.closed, made.retired, made.destroyed))
        table.add_row(str(made.number), f"{one.rows:,}", *times)
    to.print(table)
    for sentence in _sentences(standings, settings, ahead):
        to.print(sentence)
    return 0


def _standings(config: Config) -> list[Standing]:
    shelf = open_shelf(config, read_only=True)
    try:
        standings = read_status(shelf)
    finally:
        shelf.close()
    if not standings:
        raise ConfigError("the key store is empty", hint="start the gateway once: it makes the first keys")
    return standings


def _sentences(standings: Sequence[Standing], config: Config, ahead: Outlook) -> list[str]:
    said = []
    if any(one.generation.closed is not None and one.generation.retired is None for one in standings):
        said.append("A rotation is under way, or broke off: `seenby keys rotate` finishes it.")
    said.append(f"The next rotation is due {_day(ahead.rotation_due)}.")
    for one in standings:
        made = one.generation
        if made.retired is not None and made.destroyed is None:
            due = _day(made.retired + config.keys.destroy_after_days * DAY)
            said.append(f"Generation {made.number} is destroyed from {due} on; until then backups under it open.")
    said.append(f"The key of a person erased now is gone from every backup by {_day(ahead.gone_by)} at the latest.")
    return said


def _told(standings: Sequence[Standing], config: Config, ahead: Outlook) -> dict[str, Any]:
    def one_of(one: Standing) -> dict[str, Any]:
        made = one.generation
        moments = {name: getattr(made, name) for name in ("made", "closed", "retired", "destroyed")}
        told = {name: None if moment is None else _second(moment) for name, moment in moments.items()}
        return {"generation": made.number, "kek": made.kek, "keys": one.rows, **told}

    return {
        "region": config.region,
        "generations": [one_of(one) for one in standings],
        "rotation_due": _second(ahead.rotation_due),
        "erased_now_gone_by": _second(ahead.gone_by),
    }


@app.command
def rotate(
    *,
    config: ConfigFile,
    destroy: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Wrap every key under a new generation now. A rotation that broke off is finished instead.

    The gateway may run meanwhile.

    Parameters
    ----------
    destroy
        Also destroy every older generation now, without waiting: no backup of the key store that was made before this
        moment opens any more, so make a new one.
    """
    settings = load_config(config)
    _standings(settings)  # a wrong --config must not make a new store
    to = sentences()
    keystore = open_keystore(settings)
    try:
        columns = TextColumn("wrapping keys anew"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
        with Progress(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task("", total=None)
            made = keystore.rotate(progress=lambda done, total: bar.update(task, completed=done, total=total))
        to.print(f"All {len(keystore):,} keys are under generation {made.number} now.")
        gone = keystore.destroy_old(0 if destroy else settings.keys.destroy_after_days)
    finally:
        keystore.close()
    for one in gone:
        to.print(f"Generation {one.number} is destroyed: what older backups hold under it opens no more.")
    if destroy and gone:
        to.print("No backup of the key store from before this moment can be restored. Make a new one now.")
    return 0


def _day(moment: float | None) -> str:
    return "" if moment is None else f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M} UTC"


def _second(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")

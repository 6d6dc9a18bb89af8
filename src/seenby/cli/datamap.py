"""``seenby datamap``: does the map still fit the database, and what does it say?"""

from __future__ import annotations

import json
import sys
import tomllib
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter
from rich.text import Text

from seenby.datamap import DataMap, parse
from seenby.errors import ConfigError
from seenby_verify.cli.plain import sentences

app = App(name="datamap", help="Does the data map still fit the database, and what does it say?")


@app.command
def check(
    dsn: str,
    /,
    *,
    map_: Annotated[Path, Parameter(name="--map")],
    region: str = "local",
    strict: bool = False,
    json_: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> int:
    """Hold the map against the database: for CI, and before every change of the schema goes live.

    Finds drift (tables and columns that only one of the two has), columns without a class, tables nobody sees, paths
    from people to rows without an index, and what everybody may do in the database past any map: SECURITY DEFINER
    functions, tables and views granted to PUBLIC. Reads the catalogue only, as an ordinary role.
    Exit status 0: no problem. 1: problems (with --strict: warnings too). 78: the map itself is wrong. 69: no database.

    Parameters
    ----------
    dsn
        The database, as psql takes it.
    map_
        The data map.
    region
        The region whose database this is.
    strict
        Fail on warnings too: paths without an index.
    json_
        Print one JSON object instead of text.
    """
    from seenby.attach.check import Level
    from seenby.attach.check import check as held_against
    from seenby.stores.inspect import Inspector

    datamap, written = read(map_, region)
    with Inspector(dsn) as inspector:
        found = held_against(datamap, written, inspector.inspect(samples=False), inspector.around())
    failing = [one for one in found if one.level is Level.PROBLEM or (strict and one.level is Level.WARNING)]
    if json_:
        print(json.dumps({"ok": not failing, "findings": [asdict(one) for one in found]}, indent=2))
        return 1 if failing else 0
    console = sentences()
    for one in found:
        style = {"problem": "bold red", "warning": "yellow"}.get(one.level.value, "dim")
        console.print(Text(f"{one.level.value:8}", style=style), Text(f"{one.what}: {one.place}: {one.message}"))
        if one.fix and one.level is not Level.NOTE:
            console.print(Text(f"          next: {one.fix}", style="dim"))
    counts = [f"{sum(one.level is level for one in found)} {level.value}s" for level in Level]
    console.print(Text(", ".join(counts), style="bold"))
    return 1 if failing else 0


@app.command
def show(
    map_: Annotated[Path, Parameter(name="--map")],
    /,
    *,
    format_: Annotated[Literal["svg", "md", "json"], Parameter(name="--format")] = "md",
    region: str = "local",
    out: Path | None = None,
) -> None:
    """Show the map: a picture of who owns what (svg), a record of processing (md), or all of it (json).

    Parameters
    ----------
    map_
        The data map.
    format_
        svg: a panel for each kind of data, a card for each table, lines to where its people are found. md: what of a
        record of processing activities (GDPR, Article 30) follows from the map. json: for programs.
    region
        The region whose database this is.
    out
        A file. Default: standard output.
    """
    from seenby.attach import show as shown
    from seenby.attach.picture import to_svg

    datamap, written = read(map_, region)
    if format_ == "svg":
        text = to_svg(datamap, written)
    elif format_ == "json":
        text = shown.to_json(datamap, written) + "\n"
    else:
        text = shown.to_markdown(datamap, written, region=region)
    if out:
        out.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)


def read(path: Path, region: str) -> tuple[DataMap, dict[str, Any]]:
    """The map as the gateway reads it, and as it is written. Raises ConfigError."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the data map {path}: {error}", hint="give --map FILE") from None
    return parse(text, source=str(path), region=region), tomllib.loads(text)

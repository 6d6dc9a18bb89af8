"""``seenby sample``: for one person, what the map says is theirs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.table import Table
from rich.text import Text

from seenby.cli.datamap import read
from seenby.errors import NotFound, Unknown
from seenby.model.people import Person
from seenby_verify.cli.plain import PlainConsole, plain


def sample(
    person: str,
    dsn: str,
    /,
    *,
    map_: Annotated[Path, Parameter(name="--map")],
    region: str = "local",
    json_: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> int:
    """For one person, what the map says is theirs: every table, with the number of rows on each path.

    So that somebody who knows the platform can see whether the map is right: is anything of theirs missing, is
    anything of others there? It shows counts, with --json the keys of the rows, never a value. It asks the database
    itself, as the role that you give, and not through Seenby: nothing of it is in the log. Exit status 66: there is no
    such person.

    Parameters
    ----------
    person
        KIND:KEY, as in user:42.
    dsn
        The database, as psql takes it; the role must be able to read the tables.
    map_
        The data map.
    region
        The region whose database this is.
    json_
        Print one JSON object, with the keys of at most 1,000 rows for each path.
    """
    from seenby.attach.sample import ways
    from seenby.datamap import nearest
    from seenby.stores.inspect import Inspector

    datamap, _ = read(map_, region)
    who = Person.parse(person)
    if who.kind not in datamap.kinds:
        raise Unknown(f"the map has no people of kind {who.kind}", hint=nearest(who.kind, datamap.kinds))
    with Inspector(dsn) as inspector:
        every = ways(datamap, who, inspector.collations())
        found = [(way, *inspector.counted(way.sql, who.key)) for way in every]
    kind = datamap.kinds[who.kind]
    there = any(count for way, count, _ in found if way.table == kind.table and way.path == (kind.key,))
    if not there:
        raise NotFound(f"there is no {who}", hint=f"the key stands in {kind.table}.{kind.key}")
    if json_:
        rows = [
            {"table": str(way.table), "view": way.view, "path": list(way.path), "rows": count, "keys": keys}
            for way, count, keys in found
        ]
        print(json.dumps({"person": str(who), "paths": rows}, indent=2))
        return 0
    console = PlainConsole(highlight=False)
    table = Table("table", "rows", "by", box=None, header_style="bold", pad_edge=False)
    for way, count, _ in found:
        if count != 0:
            told = "too many to count in 5 s: is an index missing?" if count is None else f"{count:,}"
            name = f"{way.table} (view)" if way.view else str(way.table)
            table.add_row(Text(plain(name)), Text(told), Text(plain(" / ".join(way.path))))
    console.print(table)
    empty = sorted({str(way.table) for way, _, _ in found} - {str(way.table) for way, count, _ in found if count != 0})
    if empty:
        console.print(Text(f"Nothing of theirs in: {', '.join(empty)}", style="dim"))
    return 0

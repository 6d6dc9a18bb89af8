"""What of a grant's terms the data map still has, after columns and tables went. Pure.

The terms are signed and never change. What is left is less than what was signed, so it needs no new signature; a
grant that begins is held to all of its terms instead (guard/design.py), because there a name that the map does not
have is a mistake.
"""

from __future__ import annotations

from dataclasses import replace

from seenby.datamap import DataMap
from seenby.errors import UnknownColumn, UnknownTable, UsageError
from seenby.guard.design import columns_by_name
from seenby.guard.rows import Fence
from seenby.guard.writes import asked
from seenby.model.classes import DataClass
from seenby.model.grant import GrantTerms


def what_remains(terms: GrantTerms, datamap: DataMap) -> tuple[GrantTerms, tuple[str, ...]]:
    """(the terms without what is gone, what is gone: ``accounts.phone``, ``update of posts``).

    Raises UnknownColumn when nothing is left that the grant could show.
    """
    known = {*DataClass, *columns_by_name(datamap)}
    cells = tuple(cell for cell in terms.cells if cell.what in known)
    gone = [cell.what for cell in terms.cells if cell not in cells]
    writes = []
    for write in terms.writes:
        try:
            asked(replace(terms, writes=(write,)), datamap, Fence.FENCED)
            writes.append(write)
        except (UnknownTable, UsageError):
            gone.append(f"{write.action} of {write.table}")
    if not cells:
        raise UnknownColumn(f"nothing that this grant shows is left: {', '.join(gone)}", hint="ask for a new grant")
    return replace(terms, cells=cells, writes=tuple(writes)), tuple(gone)

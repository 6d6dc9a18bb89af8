"""Words for a change that a grant does not give: what it gives instead, how to ask for it."""

from __future__ import annotations

from collections.abc import Sequence

from seenby.errors import Refused, SeenbyError, Unsupported
from seenby.model.plan import MAX_WRITTEN, WriteAction
from seenby.model.shape import ViewWrites
from seenby.sql.views import ViewIndex, Views

_ASK = "seenby grant request"
_HELP = "(seenby grant request --help)"


def not_given(action: WriteAction, index: ViewIndex, views: Views) -> SeenbyError:
    """The grant does not have this change: what would be possible."""
    table = index.label
    verb = {
        WriteAction.UPDATE: f"update {table}",
        WriteAction.DELETE: f"delete rows of {table}",
        WriteAction.INSERT: f"insert rows into {table}",
    }[action]
    update, delete, insert = views.shape.writable.get((index.view.schema, index.view.table), ((), False, ()))
    flags = [f"--may-update {table}.{column}" for column in update]
    flags += [f"--may-delete {table}"] if delete else []
    flags += [f"--may-insert {table}"] if insert else []
    hint = (
        f"ask for it: {_ASK} --person KIND:KEY {' '.join(flags)} ... {_HELP}"
        if flags
        else f"by the data map staff change nothing of {table}; use the platform's own tools"
    )
    return Refused(f"this grant does not {verb}: it only reads there", hint=hint)


def column_not_given(what: str, index: ViewIndex, name: str, may: Sequence[str]) -> SeenbyError:
    known = name in index.columns or name in index.refused
    given = f"it gives {', '.join(may)}"
    hint = given if known else f"{index.label} has no column {name} here; {given}"
    return Refused(f"this grant does not {what}", hint=hint)


def not_pinned(index: ViewIndex, writes: ViewWrites) -> SeenbyError:
    pins = [key.pins for key in index.view.keys if key.pins]
    ways = " AND ".join(f"{name} = ..." for name in writes.key)
    either = "".join(f", or {name} = ..." for name in pins if (name,) != writes.key)
    return Refused(
        f"a change of {index.label} must name its rows by their key, or by a person's",
        hint=f"write WHERE {ways}{either}, with constants or parameters",
    )


def too_many() -> SeenbyError:
    return Unsupported(f"one statement changes at most {MAX_WRITTEN} rows", hint="split it")

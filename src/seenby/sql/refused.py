"""Words for what a grant does not show: which class it is, what the grant gives instead, how to ask for it."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from seenby.errors import Refused, Unsupported
from seenby.model.classes import DataClass, Treatment
from seenby.model.shape import Shape

_ASK = "seenby grant request"
_HELP = "(seenby grant request --help)"


def given(shape: Shape) -> tuple[DataClass, ...]:
    """The classes of which the grant shows anything; ``public``, as every grant does, only if there are no others."""
    shown = {
        column.data_class
        for view in shape.views.values()
        for column in view.columns
        if column.treatment is Treatment.REVEAL or column.partial
    }
    return tuple(sorted(shown - {DataClass.PUBLIC} or {DataClass.PUBLIC}))


def refused_column(
    label: str, data_class: DataClass | None, gives: Collection[DataClass], *, nobodys: bool = False
) -> Refused:
    """For ``payments.card_last4``. No class: it is not in the data map. ``nobodys``: of a table of nobody."""
    if data_class is None:
        return Refused(
            f"column {label} is not in the data map, so nobody may see it",
            hint="ask the protection officer to classify it",
        )
    if nobodys:
        return Refused(
            f"column {label} is {data_class} data of nobody in particular, and no grant shows it", hint="leave it out"
        )
    if data_class in gives:  # of this class, but not this column
        return Refused(
            f"column {label} is {data_class} data that this grant does not give",
            hint=f"leave it out, or ask for it: {_ASK} --column {label} ... {_HELP}",
        )
    return Refused(
        f"column {label} is {data_class} data, and this grant gives {_data(gives)}",
        hint=f"leave it out, or ask for it: {_ASK} --class {data_class} ... {_HELP}",
    )


def closed_table(label: str, classes: Iterable[DataClass | None], gives: Collection[DataClass]) -> Refused:
    """For a table of which the grant shows no column. No classes at all: no grant can."""
    holds = sorted({one for one in classes if one is not None})
    if not holds:
        return Refused(f"no grant shows anything of table {label}", hint=r"\dt lists the tables that this grant shows")
    several = "one of these classes: " if len(holds) > 1 else "it: "
    return Refused(
        f"this grant shows nothing of table {label}: it holds {_data(holds)}, and this grant gives {_data(gives)}",
        hint=f"ask for {several}{_ASK} --class {holds[0]} ... {_HELP}",
    )


def partition(label: str, whole: str) -> Refused:
    """A grant shows tables, not the parts in which they are stored."""
    return Refused(f"table {label} is a partition of {whole}, and no grant shows it alone", hint=f"ask {whole}")


def unmapped_table(label: str) -> Refused:
    return Refused(
        f"table {label} is not in the data map, so nobody may see it", hint="ask the protection officer to classify it"
    )


def _data(classes: Collection[DataClass]) -> str:
    """``contact data``; ``contact, device and payment data``."""
    *first, last = [str(one) for one in sorted(classes)]
    return f"{', '.join(first)} and {last} data" if first else f"{last} data"


_IN_WORDS = {
    "grouping_set": "GROUPING SETS, ROLLUP or CUBE",
    "set_to_default": "DEFAULT",
    "xml_expr": "an XML expression",
    "xml_serialize": "XMLSERIALIZE",
    "current_of_expr": "CURRENT OF",
}
_INSTEAD = {
    "grouping_set": "run one query per grouping",
}


def unread(kind: str, use: str) -> Unsupported:
    """A kind of expression that is not read. ``kind``: as libpg_query calls it; ``use``: where it stands."""
    return Unsupported(
        f"{_IN_WORDS.get(kind, kind.replace('_', ' '))} in {use} cannot be attributed to people yet",
        hint=_INSTEAD.get(kind, "write it with joins, functions and operators, or fetch the columns themselves"),
    )

"""Names that cannot stand where they stand: ours, masked columns, whole rows, system columns."""

from __future__ import annotations

from seenby.errors import MaskedUse, Refused, Unsupported
from seenby.model.shape import KEY_PREFIX


def own_name(name: str) -> str:
    """A name that the user made up. Ours may not be imitated."""
    if name.startswith(KEY_PREFIX):
        raise Refused(f'names that start with "{KEY_PREFIX}" are reserved', hint="choose another alias")
    return name


def masked_use(label: str, use: str) -> MaskedUse:
    return MaskedUse(
        f"column {label} is masked under this grant: it may stand in the output only, not in {use}",
        hint=f"ask for it: seenby grant request --column {label} ... (seenby grant request --help)",
    )


def whole_row(alias: str) -> Unsupported:
    return Unsupported(
        f'"{alias}" stands for a whole row here', hint=f"name the columns, or write {alias}.* in the select list"
    )


def system_column(name: str) -> Refused:
    return Refused(f'system column "{name}" is not shown', hint="name the table's own columns")

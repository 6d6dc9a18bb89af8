"""Which types a cast may name."""

from __future__ import annotations

from collections.abc import Iterable

from seenby.guard.functions import HIDDEN_TYPES


def castable(names: Iterable[str]) -> frozenset[str]:
    """All but internals, catalog objects by name (``'accounts'::regclass`` tells whether a table exists) and XML."""
    return frozenset(name for name in names if name not in HIDDEN_TYPES and not name.startswith(("pg_", "reg")))

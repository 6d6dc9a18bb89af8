"""Types that a client may declare for its parameters (Parse, 54.7).

Most clients leave them open or name built-in types. But ``SELECT $1`` with the type regclass and the value 16411 would
print a name out of the whole catalog, past everything that the analysis of the text closes.
"""

from __future__ import annotations

from collections.abc import Iterable

from seenby.errors import Refused
from seenby.model.shape import Shape

FIRST_OWN_OID = 16384
"""FirstNormalObjectId: smaller numbers are Postgres's own objects, the same in every database."""

_LOOK_UP = frozenset(
    {
        *(24, 2202, 2203, 2204, 2205, 2206, 3734, 3769, 4089, 4096, 4191, 8326),  # regproc ... regdatabase
        *(1008, 2207, 2208, 2209, 2210, 2211, 3735, 3770, 4090, 4097, 4192, 8327),  # their arrays
        *(1033, 1034),  # aclitem: names of roles
    }
)
"""Types whose input or output reads the catalog (pg_type.dat)."""


def closed_type(oids: Iterable[int], shape: Shape | None) -> Refused | None:
    """Why these parameter types are not accepted, or None.

    Of the platform's own types, those of columns that the grant has are accepted.
    """
    own = frozenset[int]()
    for oid in oids:
        if oid >= FIRST_OWN_OID and not own and shape is not None:
            own = frozenset(column.type_oid for view in shape.views.values() for column in view.columns)
        if oid in _LOOK_UP or (oid >= FIRST_OWN_OID and oid not in own):
            return Refused(
                f"a parameter of type {oid} would look names up in the whole catalog",
                hint="leave the parameter's type open, and cast it in the statement, as in  $1::text",
            )
    return None

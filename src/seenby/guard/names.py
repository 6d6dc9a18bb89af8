"""Names of what Seenby makes in the user database; every role and schema of ours starts with ``seenby``."""

from __future__ import annotations

OWNER = "seenby_owner"
WRITER = "seenby_writer"
"""Owns the functions behind what grants may change, and may change what the data map says, nothing else."""
GUARD = "seenby_guard"
GRANTS = "seenby_grants"
PLATFORM = "seenby_platform"
"""Holds what attaching takes from PUBLIC; every role of the platform itself is a member."""

SCHEMA = "seenby"
SCOPE = '"seenby"."scope"'
HOLDER = '"seenby"."holder"'
SHAPE_SCHEMA = '"seenby"."shape_schema"'
NO_REWRITE = '"seenby"."no_rewrite"'
GRANT_PREFIX = "seenby_g_"
SHAPE_PREFIX = "seenby_s_"
VIEW_PREFIX = "seenby_v_"


def shape_role(shape_id: str) -> str:
    return SHAPE_PREFIX + shape_id


def view_schema(shape_id: str, number: int) -> str:
    """One per schema of the platform: ``seenby_v_<id>``, then ``seenby_v_<id>_2``..."""
    return VIEW_PREFIX + shape_id + (f"_{number + 1}" if number else "")

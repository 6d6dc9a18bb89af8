"""A grant -> roles, views and masks, as SQL text; the privilege scan; the list of functions. Pure.

The database enforces: a grant's role may read barrier views and nothing else, whatever the gateway's analysis misses.
"""

from __future__ import annotations

from seenby.guard.attach import attach_sql
from seenby.guard.design import FENCE_LIMIT, ShapeDesign, design
from seenby.guard.rows import Fence
from seenby.guard.scan import Finding, refuse_findings, scan_sql
from seenby.guard.scram import verifier

__all__ = [
    "FENCE_LIMIT",
    "Fence",
    "Finding",
    "ShapeDesign",
    "attach_sql",
    "design",
    "refuse_findings",
    "scan_sql",
    "verifier",
]

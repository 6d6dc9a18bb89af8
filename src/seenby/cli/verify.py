"""``seenby verify``: ``seenby-verify log``, for who has the server at hand."""

from __future__ import annotations

from seenby_verify.cli.log import log as verify

__all__ = ["verify"]

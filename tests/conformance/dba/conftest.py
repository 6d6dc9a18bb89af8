"""What a DBA does with an attached database."""

from tests.fixtures.small_platform import platform

__all__ = ["platform"]

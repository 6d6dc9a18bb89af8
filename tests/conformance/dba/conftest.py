"""What a DBA does with an attached database."""

from tests.fixtures.small_platform import managed_platform, platform

__all__ = ["managed_platform", "platform"]

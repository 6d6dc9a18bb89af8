"""The browser, for the tests of this folder alone: nobody else starts one."""

from tests.fixtures.browser import browser

__all__ = ["browser"]

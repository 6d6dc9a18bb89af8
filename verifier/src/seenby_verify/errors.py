"""The errors that the verifier can end with; the server's own tree (seenby.errors) grows out of the same root."""

from __future__ import annotations

from typing import ClassVar


class SeenbyError(Exception):
    """Something a person must be told: what happened, and what to do next.

    Args:
        message: one sentence, no values out of user data.
        hint: what to do next, as an imperative.
        detail: which rule, which place.
    """

    sqlstate: ClassVar[str] = "XX000"
    http: ClassVar[int] = 500
    exit_code: ClassVar[int] = 70
    fatal: ClassVar[bool] = False

    def __init__(self, message: str, *, hint: str = "", detail: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.detail = detail

    @property
    def state(self) -> str:
        """The SQLSTATE to send (an instance may carry Postgres's own)."""
        return self.sqlstate


class UsageError(SeenbyError):
    sqlstate = "22023"
    http = 400
    exit_code = 64


class NotFound(SeenbyError):
    sqlstate = "02000"
    http = 404
    exit_code = 66


class Unavailable(SeenbyError):
    sqlstate = "57P03"
    http = 503
    exit_code = 69
    fatal = True


class VerificationError(SeenbyError):
    """A check failed. ``where`` names the file or the step, so that a stranger can look."""

    sqlstate = "22000"
    http = 422
    exit_code = 1

    def __init__(self, message: str, *, where: str = "", hint: str = "", detail: str = "") -> None:
        super().__init__(message, hint=hint, detail=detail)
        self.where = where

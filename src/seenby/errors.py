"""Every error a user of Seenby can meet, in one tree.

::

    SeenbyError                      SQLSTATE  HTTP  exit   when
    ├── ConfigError                  F0000     500   78     a file of ours is wrong (where, what is expected)
    ├── UsageError                   22023     400   64     the request itself makes no sense
    ├── NotFound                     02000     404   66     there is no such grant, person, file
    ├── AuthFailed                   28P01     401   77     who are you
    ├── NoGrant                      42501     403   77     nobody approved this
    ├── Refused                      42501     403   77     a grant or a rule does not allow it
    │   └── MaskedUse                42501     403   77     a masked column outside the output list
    ├── PolicyDenied                 42501     403   77     the organisation's policy forbids the request
    ├── Unsupported                  0A000     400   65     a kind of statement we cannot attribute (yet)
    ├── Unknown                      42704     400   65     a name that the catalog or the data map does not know
    │   ├── UnknownTable             42P01     400   65
    │   ├── UnknownColumn            42703     400   65
    │   ├── UnknownFunction          42883     400   65
    │   └── AmbiguousName            42702     400   65
    ├── SyntaxFailed                 42601     400   65     Postgres's own parser says no
    ├── TooComplex                   54001     400   65     nested deeper than the analysis can follow
    ├── ParameterFixed               55P02     400   65     a setting that a client may not change
    ├── LimitReached                 53400     429   75     a cap of the grant: people or rows
    ├── GrantEnded                   57P01     403   75     revoked, expired, principal moved: the session is cut
    ├── ServerError                  (its own) 502   69     Postgres refused; its text (it may hold values) is replaced
    ├── ProtocolError                08P01     400   76     bytes that are not the protocol
    ├── Unavailable                  57P03     503   69     Postgres or the control service is not there
    │   └── UnderMigration           57P03     503   75     the platform's schema is being changed: grants wait
    ├── LedgerFailed                 58030     503   74     the entry could not be made durable, so nothing was shown
    ├── VerificationError            22000     422   1      a proof does not hold
    └── Internal                     XX000     500   70     our fault; both sides are closed

Exit statuses are those of ``sysexits.h`` where one fits. SQLSTATEs: PostgreSQL documentation, appendix A.
"""

from __future__ import annotations

from seenby_verify.errors import NotFound, SeenbyError, Unavailable, UsageError, VerificationError

__all__ = ["NotFound", "SeenbyError", "Unavailable", "UsageError", "VerificationError"]
"""Raised by the verifier too; defined there, so that it stands alone. The rest of the tree is below."""


class ConfigError(SeenbyError):
    sqlstate = "F0000"
    exit_code = 78
    fatal = True


class AuthFailed(SeenbyError):
    sqlstate = "28P01"
    http = 401
    exit_code = 77
    fatal = True


class NoGrant(SeenbyError):
    sqlstate = "42501"
    http = 403
    exit_code = 77


class Refused(SeenbyError):
    sqlstate = "42501"
    http = 403
    exit_code = 77


class MaskedUse(Refused):
    """A masked column used in a predicate, join, grouping, ordering or aggregate."""


class PolicyDenied(SeenbyError):
    sqlstate = "42501"
    http = 403
    exit_code = 77


class Unsupported(SeenbyError):
    sqlstate = "0A000"
    http = 400
    exit_code = 65


class Unknown(SeenbyError):
    sqlstate = "42704"
    http = 400
    exit_code = 65


class UnknownTable(Unknown):
    sqlstate = "42P01"


class UnknownColumn(Unknown):
    sqlstate = "42703"


class UnknownFunction(Unknown):
    sqlstate = "42883"


class AmbiguousName(Unknown):
    sqlstate = "42702"


class SyntaxFailed(SeenbyError):
    """Postgres's parser refused the text. ``position`` is 1-based, in characters, 0 when unknown."""

    sqlstate = "42601"
    http = 400
    exit_code = 65

    def __init__(self, message: str, *, hint: str = "", detail: str = "", position: int = 0) -> None:
        super().__init__(message, hint=hint, detail=detail)
        self.position = position


class TooComplex(SeenbyError):
    sqlstate = "54001"
    http = 400
    exit_code = 65


class ParameterFixed(SeenbyError):
    sqlstate = "55P02"
    http = 400
    exit_code = 65


class LimitReached(SeenbyError):
    sqlstate = "53400"
    http = 429
    exit_code = 75


class GrantEnded(SeenbyError):
    sqlstate = "57P01"
    http = 403
    exit_code = 75
    fatal = True


class ServerError(SeenbyError):
    """What Postgres answered, with its texts replaced: they may hold values (tests/attack)."""

    http = 502
    exit_code = 69

    def __init__(self, message: str, *, code: str, hint: str = "", detail: str = "") -> None:
        super().__init__(message, hint=hint, detail=detail)
        self.code = code

    @property
    def state(self) -> str:
        return self.code


class ProtocolError(SeenbyError):
    sqlstate = "08P01"
    http = 400
    exit_code = 76
    fatal = True


class UnderMigration(Unavailable):
    """Grants are suspended while somebody changes the platform's schema (gateway/migration.py)."""

    exit_code = 75
    fatal = True


class LedgerFailed(SeenbyError):
    sqlstate = "58030"
    http = 503
    exit_code = 74
    fatal = True


class Internal(SeenbyError):
    fatal = True

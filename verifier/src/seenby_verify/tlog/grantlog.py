"""What the log's key and grant entries amount to, and whether each may stand where it stands (docs/formats/entries.md).

The same rules for the writer, which refuses an event that breaks them, and for strangers who verify the log. They hold
for what is public: who may approve for whom is in the sealed terms, and ``check_terms`` is for those who hold them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from seenby_verify.errors import VerificationError
from seenby_verify.tlog.entries import (
    VERBS,
    BreakGlass,
    GrantActivated,
    GrantApproved,
    GrantDenied,
    GrantEnded,
    GrantEvent,
    GrantRequest,
    GrantRequested,
    GrantReviewed,
    GrantRevoked,
    KeyAdded,
    KeyEvent,
    KeyRetired,
    SignedGrantEvent,
    grant_message,
    key_id,
)
from seenby_verify.tlog.records import commitment
from seenby_verify.tlog.strict import load_json

GRANT_EVENTS: Final = (*GrantEvent.__args__, *KeyEvent.__args__)
"""The classes that ``GrantLog.apply`` takes."""

REVIEW_VERBS: Final = {"review": True, "review-unjustified": False}
"""What a reviewer may have signed -> was breaking the glass justified? The verdict is in the signature alone."""

State = Literal["requested", "active", "denied", "revoked", "ended"]
OVER: Final = ("denied", "revoked", "ended")


@dataclass(slots=True)
class LoggedGrant:
    """A grant as the log shows it. Indexes are those of the entries in the log.

    Attributes:
        approvals: key id -> index of the approval.
        reviews: index -> whether the reviewer found it justified.
    """

    request: GrantRequest
    requested: int
    state: State = "requested"
    approvals: dict[bytes, int] = field(default_factory=dict)
    reviews: dict[int, bool] = field(default_factory=dict)


@dataclass(slots=True)
class GrantLog:
    """Fed with a region's key and grant entries in order.

    Attributes:
        keys: key id -> the entry that added the key, for the keys that count now.
        grants: grant id (16 bytes) -> what became of it.
        signatures: how many signatures were checked.
    """

    region: str
    keys: dict[bytes, KeyAdded] = field(default_factory=dict)
    grants: dict[bytes, LoggedGrant] = field(default_factory=dict)
    signatures: int = 0

    def apply(self, index: int, event: KeyEvent | GrantEvent) -> None:
        """Takes entry ``index``. Raises VerificationError, and changes nothing, if it may not stand there."""
        match event:
            case KeyAdded():
                if key_id(event.key) in self.keys:
                    raise VerificationError("the key is added a second time")
                self.keys[key_id(event.key)] = event
            case KeyRetired():
                known = self.keys.get(key_id(event.key))
                if known is None or (known.role, known.region) != (event.role, event.region):
                    raise VerificationError("a key is retired that does not count like this")
                del self.keys[key_id(event.key)]
            case GrantRequested() | BreakGlass():
                if event.grant in self.grants:
                    raise VerificationError(f"grant {event.grant.hex()} is requested a second time")
                self._check_signature(event)
                self.grants[event.grant] = LoggedGrant(event, index)
            case _:
                self._advance(index, event)

    def _advance(self, index: int, event: GrantEvent) -> None:
        name = event.grant.hex()
        grant = self.grants.get(event.grant)
        if grant is None:
            raise VerificationError(f"nobody requested grant {name}")
        if event.grant_commit != grant.request.grant_commit:
            raise VerificationError(f"an event of grant {name} is about other terms than the request")
        if grant.state in OVER and not isinstance(event, GrantReviewed):
            raise VerificationError(f"grant {name} was {grant.state} before")
        own = not isinstance(event, GrantActivated | GrantEnded) and event.key_id == grant.request.key_id
        if grant.state != "requested" and isinstance(event, GrantApproved | GrantActivated | GrantDenied):
            raise VerificationError(f"grant {name} is active already")
        match event:
            case GrantApproved():
                if own:
                    raise VerificationError(f"the requester of grant {name} approves it")
                if event.key_id in grant.approvals:
                    raise VerificationError(f"one key approves grant {name} twice")
                self._check_signature(event)
                grant.approvals[event.key_id] = index
            case GrantActivated():
                missing = grant.request.approvals - len(grant.approvals)
                if missing > 0 and not isinstance(grant.request, BreakGlass):
                    raise VerificationError(f"grant {name} is activated, but {missing} approvals are missing")
                grant.state = "active"
            case GrantDenied() | GrantRevoked():
                self._check_signature(event)
                grant.state = "denied" if isinstance(event, GrantDenied) else "revoked"
            case GrantEnded():
                grant.state = "ended"
            case GrantReviewed():
                if own:
                    raise VerificationError(f"the requester of grant {name} reviews it")
                if not isinstance(grant.request, BreakGlass):
                    raise VerificationError(f"a review of grant {name}, which was no break-glass")
                grant.reviews[index] = REVIEW_VERBS[self._check_signature(event)]

    def _check_signature(self, event: SignedGrantEvent) -> str:
        """The verb that was signed. Raises VerificationError."""
        verbs = list(REVIEW_VERBS) if isinstance(event, GrantReviewed) else [VERBS[type(event)]]
        name = event.grant.hex()
        key = self.keys.get(event.key_id)
        if key is None:
            raise VerificationError(f"the signature to {verbs[0]} grant {name} is by a key that does not count here")
        for verb in verbs:
            message = grant_message(verb, self.region, event.grant, event.grant_commit)
            try:
                Ed25519PublicKey.from_public_bytes(key.key).verify(event.signature, message)
            except (InvalidSignature, ValueError):
                continue
            self.signatures += 1
            return verb
        raise VerificationError(f"the signature to {verbs[0]} grant {name} does not match")

    def check_terms(self, grant: bytes, terms: bytes, opening: bytes) -> LoggedGrant:
        """For those who hold a grant's terms (canonical JSON) and their opening: are these the terms in the log?

        Answers what the log says about the grant. Raises VerificationError.
        """
        logged = self.grants.get(grant)
        if logged is None:
            raise VerificationError(f"nobody requested grant {grant.hex()}")
        if commitment(opening, terms) != logged.request.grant_commit:
            raise VerificationError(f"these are not the terms that grant {grant.hex()} was requested with")
        value = load_json(terms, f"the terms of grant {grant.hex()} cannot be read: what was signed", len(terms))
        stated = [value.get(name) for name in ("id", "region", "approvals")] if isinstance(value, dict) else []
        # true is 1 to Python
        if stated != [grant.hex(), self.region, logged.request.approvals] or type(stated[2]) is not int:
            raise VerificationError(f"the log states another region or number of approvals for grant {grant.hex()}")
        return logged


def signer(event: KeyEvent | GrantEvent, log: GrantLog) -> bytes:
    """The id of the key whose act an event is: who signed it; of what nobody signs, who asked for the grant.

    Empty for the events of keys, and for a grant that ``log`` does not know.
    """
    match event:
        case KeyAdded() | KeyRetired():
            return b""
        case GrantActivated() | GrantEnded():
            grant = log.grants.get(event.grant)
            return grant.request.key_id if grant else b""
        case _:
            return event.key_id

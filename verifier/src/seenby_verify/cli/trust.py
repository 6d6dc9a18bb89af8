"""What the user trusts, from the command line: a policy or one key; the files that are given to be checked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, TypeAlias

from cyclopts import Parameter

from seenby_verify.errors import NotFound, UsageError, VerificationError
from seenby_verify.tlog.policy import MAX_BYTES, Policy
from seenby_verify.tlog.vkey import ED25519, VerifierKey

Key: TypeAlias = Annotated[
    str | None,
    Parameter(
        help="The log's verifier key, as in example.org/log+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k. "
        "Get it from somebody other than who runs the log."
    ),
]
PolicyFile: TypeAlias = Annotated[
    Path | None,
    Parameter(help="A trust policy (C2SP tlog-policy): the logs, the witnesses, and how many of them must agree."),
]
Organisation: TypeAlias = Annotated[
    str | None, Parameter(help="The verifier key under which the organisation signs its list of regions.")
]
Json: TypeAlias = Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON object instead of text.")]

MAX_FILE: Final = 256 << 20
_MARKS: Final = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
"""What editors and shells of Windows put before a text."""


def policy_of(key: str | None, policy: Path | None, option: str = "--key") -> Policy:
    """Exactly one of the two. ``option``: what the key is called on the command line. Raises UsageError, NotFound."""
    if key is not None and policy is not None:
        raise UsageError(f"{option} and --policy are both given", hint=f"the policy names the keys: leave {option} out")
    if policy is None:
        if key is None:
            raise UsageError(
                f"say whom you trust: either {option} or --policy", hint=f"{option} takes the log's verifier key"
            )
        return Policy.trusting(parse_key(key, option))
    data = read_file(policy, MAX_BYTES + 1)
    try:
        return Policy.parse(data)
    except VerificationError as error:
        hint = "docs: c2sp.org/tlog-policy"
        if b"\r" in data:
            hint = "save it with plain line ends (LF), not those of Windows"
        elif data.startswith(_MARKS):
            hint = "save it as plain text, in UTF-8 and without a byte order mark"
        raise UsageError(f"{policy}: {error.message}", hint=hint) from None


def organisation_of(key: str | None) -> VerifierKey | None:
    return None if key is None else parse_key(key, "--organisation")


def parse_key(text: str, option: str, type: int = ED25519) -> VerifierKey:
    """Raises UsageError: a key that is misspelt says nothing about a log."""
    try:
        return VerifierKey.parse(text, type)
    except VerificationError as error:
        raise UsageError(f"{option}: {error.message}", hint=error.hint) from None


def read_file(path: Path, limit: int = MAX_FILE) -> bytes:
    """Raises NotFound if it cannot be read, UsageError if it is longer than anything that we check."""
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise NotFound(f"cannot read {path}: {error.strerror}", hint="check the file's name") from None
    if len(data) > limit:
        raise UsageError(f"{path} is longer than {limit} bytes", hint="it is none of the files that can be checked")
    return data

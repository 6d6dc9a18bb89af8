"""What a witness has cosigned, on disk: one file per log, which only ever moves forward.

::

    STATE/witness                       the witness's verifier key: whose state this is
    STATE/lock                          held by the one process that uses it
    STATE/<sha256 of origin>            the last checkpoint that was cosigned, with the cosignature
    STATE/forks/<origin>-<root>.note    a checkpoint that contradicts one that was cosigned: evidence
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import threading
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from seenby_verify.errors import NotFound, Unavailable, UsageError, VerificationError
from seenby_verify.files import write_durably
from seenby_verify.tlog.cosignature import witness_key
from seenby_verify.tlog.vkey import COSIGNATURE, VerifierKey, valid_name
from seenby_verify.witness.decide import Answer, Seen, Submission, Witness

MAX_FORKS: Final = 100
"""Files in ``forks``: two would be enough, and nobody shall fill the disk."""


def origin_hash(origin: str) -> str:
    return hashlib.sha256(origin.encode()).hexdigest()


def make_witness(name: str, key_file: Path, state: Path) -> VerifierKey:
    """A new key, and an empty state that belongs to it. Raises UsageError if either is there already."""
    if not valid_name(name):
        raise UsageError(f"{name!r} cannot be a witness's name", hint="no spaces and no plus sign: witness.example/1")
    # The directory first: a key that belongs to no state would stand in the way of the next attempt.
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(state.iterdir()):
            raise UsageError(f"{state} is not empty", hint="a new witness needs a new state directory")
    except OSError as error:
        raise UsageError(
            f"{state} cannot be a witness's state: {error.strerror}", hint="give a new directory of yours"
        ) from None
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        file = os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise UsageError(f"{key_file} is there already", hint="a key is never written over") from None
    except OSError as error:
        raise UsageError(
            f"cannot write {key_file}: {error.strerror}", hint="give a file in a directory of yours"
        ) from None
    with open(file, "wb") as stream:
        stream.write(pem)
        stream.flush()
        os.fsync(file)
    vkey = witness_key(name, key)
    write_durably(state / "witness", f"{vkey}\n".encode())
    return vkey


def load_key(key_file: Path) -> Ed25519PrivateKey:
    """Raises NotFound, or UsageError if the file is no Ed25519 key or others may read it."""
    try:
        if key_file.stat().st_mode & 0o077:
            raise UsageError(f"{key_file} is readable by others", hint=f"chmod 600 {key_file}")
        key = load_pem_private_key(key_file.read_bytes(), None)
    except OSError as error:
        raise NotFound(f"cannot read {key_file}: {error.strerror}", hint="seenby-verify witness keygen") from None
    except (ValueError, TypeError):
        raise UsageError(f"{key_file} is no private key in PEM") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise UsageError(f"{key_file} is no Ed25519 key")
    return key


class State:
    """The decisions of one witness, each durable before it is told. One per directory: a lock sees to it."""

    def __init__(self, directory: Path, key: Ed25519PrivateKey, logs: list[VerifierKey]) -> None:
        """Raises NotFound without ``keygen``, Unavailable when in use, VerificationError when damaged or foreign."""
        try:
            vkey = VerifierKey.parse((directory / "witness").read_text(), COSIGNATURE)
        except OSError:
            raise NotFound(
                f"{directory} is not a witness's state",
                hint="seenby-verify witness keygen makes one; a witness that lost its state must not go on",
            ) from None
        self.witness = Witness(vkey.name, key, logs)
        if self.witness.vkey != vkey:
            raise VerificationError(
                f"{directory} belongs to the witness key {vkey}", hint="give that key; a new key needs a new state"
            )
        self._directory = directory
        self._locks = {origin: threading.Lock() for origin in self.witness.logs}
        self._broken = ""
        self._lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Unavailable(
                    f"another process uses {directory}", hint="a witness has one process; stop the other first"
                ) from None
            self._seen = {origin: self._load(origin) for origin in self.witness.logs}
        except BaseException:
            os.close(self._lock)
            raise

    def close(self) -> None:
        os.close(self._lock)

    def _load(self, origin: str) -> Seen:
        path = self._directory / origin_hash(origin)
        try:
            stated, seen = self.witness.reopen(path.read_bytes())
        except FileNotFoundError:
            return Seen()
        except VerificationError as error:
            raise VerificationError(
                f"{path} is damaged: {error.message}",
                hint="restore it from a copy that is not older than the last cosignature, or make a new witness",
            ) from None
        if stated != origin:
            raise VerificationError(f"{path} is about the log {stated!r}", hint="restore it from a copy")
        return seen

    def add_checkpoint(self, body: bytes, now: int) -> Answer:
        """The answer to a request; on disk if it holds a cosignature."""
        submission = self.witness.read(body)
        if isinstance(submission, Answer):
            return submission
        with self._locks[submission.checkpoint.origin]:
            return self._answer(submission, now)

    def _answer(self, submission: Submission, now: int) -> Answer:
        origin = submission.checkpoint.origin
        if self._broken:
            return Answer(500, f"{self._broken}\n".encode())
        answer = self.witness.decide(submission, self._seen[origin], now)
        if answer.fork is not None:
            self._keep(origin, submission.checkpoint.root, answer.fork)
        if answer.seen is not None:
            try:
                write_durably(self._directory / origin_hash(origin), answer.seen.note)
            except OSError as error:
                # Nobody knows which of the two states the disk holds now: only a restart tells.
                self._broken = f"this witness cannot write its state: {error.strerror}"
                return Answer(500, f"{self._broken}\n".encode())
            self._seen[origin] = answer.seen
        return answer

    def _keep(self, origin: str, root: bytes, note: bytes) -> None:
        forks = self._directory / "forks"
        path = forks / f"{origin_hash(origin)[:16]}-{root.hex()[:16]}.note"
        try:
            forks.mkdir(exist_ok=True)
            if not path.exists() and len(list(forks.iterdir())) < MAX_FORKS:
                # Both: what contradicts, and what it contradicts.
                write_durably(path.with_suffix(".cosigned"), self._seen[origin].note)
                write_durably(path, note)
        except OSError:
            pass  # the refusal stands without it

    def latest(self, digest: str) -> bytes | None:
        """The last checkpoint cosigned for the log whose ``origin_hash`` this is."""
        for origin, seen in self._seen.items():
            if origin_hash(origin) == digest:
                return seen.note or None
        return None

    @property
    def broken(self) -> str:
        """Why nothing is cosigned until a restart, if so."""
        return self._broken

"""Replays the seals of a log: is each root that of the labels before it (docs/formats/seals.md)?"""

from __future__ import annotations

from collections.abc import Iterable

from seenby_verify.errors import VerificationError
from seenby_verify.tlog.entries import Entry, PersonNamed, Seal
from seenby_verify.tlog.labels import LabelTree


class SealRules:
    """Fed with every entry in order.

    Attributes:
        seals: how many were replayed.
        labels: how many labels the present epoch has.
    """

    def __init__(self) -> None:
        self.seals = 0
        self.labels = 0
        self._epoch = 0
        self._sealed = False
        self._tree = LabelTree()
        self._new: list[bytes] = []

    def resume(self, epoch: int, labels: Iterable[bytes]) -> None:
        """Goes on behind a seal of ``epoch``, which has these labels so far."""
        self._epoch, self._sealed = epoch, epoch > 0
        self._tree = LabelTree(labels)
        self.labels = len(self._tree)

    def take(self, index: int, entry: Entry) -> None:
        """Entry ``index``, whose epoch is not earlier than that of the entry before. Raises VerificationError."""
        if entry.epoch > self._epoch:
            if index and not self._sealed:
                raise VerificationError(
                    f"epoch {entry.epoch} begins, but no seal ends the epoch {self._epoch} before it"
                )
            self._epoch, self._tree, self._new, self.labels = entry.epoch, LabelTree(), [], 0
        self._sealed = isinstance(entry, Seal)
        if isinstance(entry, PersonNamed):
            self._new.append(entry.label)
            self.labels += 1
        elif isinstance(entry, Seal):
            if entry.covers != index:
                raise VerificationError(
                    f"the seal says that it covers {entry.covers} entries, but {index} are before it"
                )
            self._tree.insert(self._new)
            self._new = []
            if entry.root != self._tree.root():
                raise VerificationError(
                    f"the seal's root is not that of the {self.labels} labels that epoch {entry.epoch} has before it",
                    hint="a list of who saw somebody's data, made under this seal, proves nothing",
                )
            self.seals += 1

    def finish(self, size: int) -> None:
        """A checkpoint of this size ends here. Raises VerificationError unless it ends in a seal."""
        if not size:
            raise VerificationError("the checkpoint is over no entries, so it cannot end in a seal")
        if not self._sealed:
            never = "" if self.seals else "; the log has no seal at all"
            raise VerificationError(
                f"the checkpoint does not end in a seal{never}",
                hint="without a seal nobody can check that a list of accesses is complete",
            )

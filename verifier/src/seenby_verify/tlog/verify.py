"""Verifies a whole public log with nothing but its files and a trust policy. Numbered steps; the first fault ends it.

1. checkpoint   signed by the log, over this origin, size and root; cosigned as the policy asks
2. files        every tile and bundle of that size is there
3. hashes       entries -> leaf hashes -> tiles -> the signed root
4. extra        nothing else is there
5. entries      every entry is well formed (docs/formats/entries.md)
6. order        the log starts as it must, epochs never fall, people stand directly after what concerns them
7. signatures   every approval, denial, revocation, review and report is signed by a key that counted there
8. seals        every seal's root is that of the labels before it, every epoch and the checkpoint end in one (seals.md)
9. regions      the lists of regions follow each other, signed by the organisation if its key is given (trust.md)
10. time        no epoch is later than the time at which the checkpoint was cosigned
11. reports     every daily report follows the one before, counts what stands there, and its day is over (reports.md)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from seenby_verify.errors import VerificationError
from seenby_verify.tlog.checkpoint import VerifierKey
from seenby_verify.tlog.entries import (
    AttemptRefused,
    DailyReport,
    GrantActivated,
    LogStarted,
    PersonEnrolled,
    PersonNamed,
    Query,
    Regions,
    Statistic,
)
from seenby_verify.tlog.fsck import CHECKPOINT, Files
from seenby_verify.tlog.policy import Accepted, Policy
from seenby_verify.tlog.reports import Report
from seenby_verify.tlog.rules import EntryRules
from seenby_verify.tlog.steps import Step
from seenby_verify.tlog.tiles import WIDTH, Read, subtree_root
from seenby_verify.tlog.times import clock, month
from seenby_verify.tlog.tree import leaf_hash

TITLES: Final = (
    "checkpoint: signed by the log, cosigned as the policy asks",
    "files: every tile and bundle is there",
    "hashes: entries, tiles and the signed root agree",
    "nothing else is in the directory",
    "entries: every one is well formed",
    "order: people stand where they are named, epochs never fall",
    "signatures: every grant and report is signed by keys that counted there",
    "seals: each is the root of all labels before it, and the checkpoint ends in one",
    "regions: the lists of logs follow each other",
    "time: no entry is of a later month than the checkpoint",
    "reports: every day follows the one before, and its counts are those of the entries",
)
Progress = Callable[[int, int], None]
"""(entries looked at, entries in all)"""


class LogCheck:
    """Checks a log step by step; afterwards the attributes are there.

    Attributes:
        accepted: the checkpoint that was checked.
        rules: what the entries amount to.
        kinds: the kind of every entry, a byte each.
    """

    def __init__(
        self,
        paths: Callable[[int], Iterable[str]],
        read: Read,
        policy: Policy,
        *,
        organisation: VerifierKey | None = None,
        progress: Progress | None = None,
    ) -> None:
        """
        Args:
            paths: every file in the public directory, relative, with "/", of a log with this many entries.
            read: the content of one of them.
            organisation: the key that signs the lists of regions; None: nobody's signature is asked for.
        """
        self._paths = paths
        self._read = read
        self._policy = policy
        self._organisation = organisation
        self._progress = progress
        self.accepted: Accepted
        self.rules: EntryRules
        self.kinds = bytearray()

    def steps(self) -> Iterator[Step]:
        """Yields each step when it holds; raises VerificationError, naming the place, in the one that does not."""
        note = self._read(CHECKPOINT)
        if note is None:
            raise VerificationError(
                "there is no checkpoint", where=CHECKPOINT, hint="give the ledger's public directory, or its URL"
            )
        self.accepted = self._policy.accepts(note)
        checkpoint, key = self.accepted.checkpoint, self.accepted.log
        named = f"{checkpoint.origin}, size {checkpoint.size}, root {checkpoint.root.hex()[:16]}…"
        names = {one.key.name for one in self.accepted.cosignatures}
        yield _step(1, f"{named}, {_count(len(names), 'witness', 'witnesses')}" if names else named)

        files = Files(self._paths(checkpoint.size), self._read, checkpoint)
        yield _step(2, _count(files.missing(), "file", "files"))

        log = self.rules = EntryRules(key, organisation=self._organisation)
        blocks: list[bytes] = []
        edge: list[bytes] = []
        for path, first, entries in files.entries():
            hashes = [leaf_hash(entry) for entry in entries]
            if len(hashes) == WIDTH:
                blocks.append(subtree_root(hashes))
            else:
                edge = hashes
            self.kinds += bytes([entry[1] if len(entry) > 1 else 0 for entry in entries])
            log.take(path, first, entries)
            if self._progress:
                self._progress(len(self.kinds), checkpoint.size)
        files.hashes(blocks, edge)
        yield _step(3, _count(checkpoint.size, "entry", "entries"))

        older = files.extra(key)
        yield _step(
            4,
            _count(older, "partial tile of an earlier checkpoint", "partial tiles of earlier checkpoints")
            if older
            else "",
        )

        # The entries were looked at while they passed, but a fault in their bytes is told first.
        log.finish(checkpoint.size)
        yield from self._entries(log)

    def _entries(self, log: EntryRules) -> Iterator[Step]:
        if log.malformed:
            raise log.malformed
        yield _step(5, _counted(log))
        if log.misplaced:
            raise log.misplaced
        yield _step(6, _count(log.counts[PersonNamed], "person entry", "person entries"))
        if log.unsigned:
            raise log.unsigned
        signatures, grants = log.grants.signatures, len(log.grants.grants)
        reports = log.counts[DailyReport]
        detail = f"{_count(signatures, 'signature', 'signatures')} on {_count(grants, 'grant', 'grants')}"
        yield _step(7, f"{detail}, {_count(reports, 'report', 'reports')}" if reports else detail)
        if log.unsealed:
            raise log.unsealed
        yield _step(8, _count(log.seals.seals, "seal", "seals"))
        if log.unlisted:
            raise log.unlisted
        yield _step(9, _listed(log, self._organisation))
        yield _step(10, check_time(log.place.epoch, self.accepted.time))
        if log.misreported:
            raise log.misreported
        yield _step(11, _reported(log, self.accepted.time))


def verify(
    paths: Iterable[str], read: Read, trusted: VerifierKey | Policy, *, organisation: VerifierKey | None = None
) -> Iterator[Step]:
    """``LogCheck`` for a list of files, and for who trusts one key."""
    listed = list(paths)
    policy = Policy.trusting(trusted) if isinstance(trusted, VerifierKey) else trusted
    return LogCheck(lambda _: listed, read, policy, organisation=organisation).steps()


def check_time(epoch: int, time: int | None) -> str:
    """Raises VerificationError if entries of ``epoch`` cannot be in a tree that was cosigned at ``time``."""
    if time is None:
        return "nobody says when the checkpoint was made: no witness is asked for"
    if epoch > month(time):
        raise VerificationError(
            f"entries of {epoch} stand in a checkpoint that witnesses saw in {month(time)}", where=CHECKPOINT
        )
    return f"witnesses saw it at {clock(time)}"


def _step(number: int, detail: str) -> Step:
    return Step(number, TITLES[number - 1], detail)


def _listed(log: EntryRules, organisation: VerifierKey | None) -> str:
    if log.regions is None:
        return "the log has no list: it stands for a single region"
    names = ", ".join(region for region, _ in log.regions.logs)
    signed = "signed by the organisation" if organisation else "nobody's signature was asked for"
    return f"{_count(log.counts[Regions], 'list', 'lists')}, the newest names {names}; {signed}"


def check_report_time(report: Report, time: float) -> None:
    """Raises VerificationError if a report cannot be in a tree that was seen at ``time``: its day was not over."""
    if report.over > time:
        raise VerificationError(
            f"the report of {report.date} stands in a log that was seen before that day was over", where=CHECKPOINT
        )


def _reported(log: EntryRules, time: int | None) -> str:
    last = log.reports.last
    if last is None:
        return "the log has no daily report"
    if time is not None:
        check_report_time(last, time)
    return f"{_count(len(log.reports.dates), 'day', 'days')}, the last {last.date}; entries {last.end} on are not in it"


def _counted(log: EntryRules) -> str:
    names = (
        (Query, "query", "queries"),
        (Statistic, "statistic", "statistics"),
        (AttemptRefused, "refused attempt", "refused attempts"),
        (PersonEnrolled, "enrolment", "enrolments"),
        (GrantActivated, "grant activated", "grants activated"),
    )
    some = ", ".join(_count(log.counts[kind], one, many) for kind, one, many in names if log.counts[kind])
    return some or ("the log has started" if log.counts[LogStarted] else "")


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"

"""One look at a log: what is new, does it continue what was seen, and may it stand there?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from seenby_verify.client import LogSource
from seenby_verify.errors import Unavailable, UsageError, VerificationError
from seenby_verify.monitor.alarm import Alarm, Kind
from seenby_verify.monitor.compare import contradiction, tells
from seenby_verify.monitor.memory import Memory, Seen
from seenby_verify.tlog.checkpoint import Checkpoint
from seenby_verify.tlog.entries import decode
from seenby_verify.tlog.evidence import Fork
from seenby_verify.tlog.fsck import CHECKPOINT
from seenby_verify.tlog.policy import Accepted, Policy
from seenby_verify.tlog.reports import DAY_SECONDS, ReportRules
from seenby_verify.tlog.rules import EntryRules
from seenby_verify.tlog.tiles import ENTRIES, WIDTH, decode_bundle_prefix, read_tile
from seenby_verify.tlog.times import month
from seenby_verify.tlog.tree import Frontier, leaf_hash
from seenby_verify.tlog.verify import Progress, check_report_time, check_time
from seenby_verify.tlog.vkey import VerifierKey

ALARM: Final = "alarm"
CONTACT: Final = "contact"
UNCOSIGNED: Final = "uncosigned"
REPORT: Final = "report"


@dataclass(frozen=True, slots=True)
class Look:
    """How a look at the log went.

    Attributes:
        size: of the newest tree that holds.
        new: entries that were looked at for the first time.
        time: when witnesses saw it; None if none is asked for.
        waiting: why a newer checkpoint does not count yet, if there is one.
    """

    origin: str
    size: int
    new: int
    time: int | None
    waiting: str = ""


class _Edge(Frontier):
    """A frontier that goes on where another stopped."""

    __slots__ = ()

    def __init__(self, size: int, roots: tuple[bytes, ...]) -> None:
        super().__init__()
        self.size = size
        self._roots = list(roots)

    @property
    def roots(self) -> tuple[bytes, ...]:
        return tuple(self._roots)


class _Late(Exception):
    """The newest checkpoint is the log's, but does not count under the policy (yet)."""

    def __init__(self, error: VerificationError) -> None:
        super().__init__()
        self.error = error


class Follower:
    """Looks at one log again and again."""

    def __init__(
        self,
        source: LogSource,
        memory: Memory,
        policy: Policy,
        *,
        max_delay: float,
        clock: Callable[[], float],
        organisation: VerifierKey | None = None,
        progress: Progress | None = None,
    ) -> None:
        """
        Args:
            max_delay: seconds until an entry must be published and cosigned, and for which a log may be away.
            clock: Unix seconds.
        """
        self.source = source
        self.memory = memory
        self.policy = policy
        self.max_delay = max_delay
        self.clock = clock
        self._organisation = organisation
        self._progress = progress

    def look(self) -> Look:
        """Raises Alarm, and Unavailable while the log is away for no longer than it may be."""
        self._lasting()
        now = self.clock()
        note = self._fetch(now)
        try:
            signed = Policy(self.policy.logs).accepts(note)
        except VerificationError as error:
            raise Alarm(Kind.FILES, error.message, hint=error.hint) from None
        seen = self.memory.seen
        if seen and str(signed.log) != seen.key:
            raise UsageError(
                f"{self.memory.directory} remembers the log {seen.key}", hint="another log needs another --state"
            )
        try:
            with self.memory.look():
                return self._compare(note, signed, seen, now)
        except Alarm as alarm:
            self.remember(alarm)
            raise
        except _Late as late:
            return self._wait(note, signed.checkpoint, seen, now, late.error)

    def _lasting(self) -> None:
        """A fork does not heal: once found, it is told at every look."""
        known = self.memory.fact(ALARM)
        if known:
            evidence = tuple(Path(one) for one in known["evidence"])
            hint = "it was found earlier and does not heal; show the evidence to others"
            raise Alarm(Kind(known["kind"]), known["message"], evidence=evidence, hint=hint)

    def remember(self, alarm: Alarm) -> None:
        """Keeps a fork for every later look."""
        if alarm.kind is Kind.FORK:
            value = {"kind": alarm.kind, "message": alarm.message, "evidence": [str(one) for one in alarm.evidence]}
            with self.memory.look():
                self.memory.set_fact(ALARM, value)

    def _fetch(self, now: float) -> bytes:
        try:
            note = self.source.fresh(CHECKPOINT)
        except Unavailable as error:
            raise self._away(error, now) from None
        except VerificationError as error:
            raise Alarm(Kind.FILES, error.message) from None
        if note is None:
            raise Alarm(Kind.ROLLBACK if self.memory.seen else Kind.FILES, "the log shows no checkpoint")
        with self.memory.look():
            self.memory.set_fact(CONTACT, now)
        return note

    def _away(self, error: Unavailable, now: float) -> Unavailable | Alarm:
        with self.memory.look():
            since = self.memory.fact(CONTACT)
            if since is None:
                self.memory.set_fact(CONTACT, now)
        if since is None or now - since < self.max_delay:
            return error
        return Alarm(
            Kind.UNREACHABLE,
            f"the log has been away for {in_time(now - since)}: {error.message}",
            hint="ask who runs it; who hides a log hides what is in it",
        )

    def _compare(self, note: bytes, signed: Accepted, seen: Seen | None, now: float) -> Look:
        found, size = signed.checkpoint, seen.size if seen else 0
        other = self.memory.contradicting(found.size, found.root)
        if other:
            raise self.fork(Fork(other, note))
        if found.size < size:
            assert seen is not None
            raise Alarm(
                Kind.ROLLBACK,
                f"the log shows {found.size} entries; it showed {size} before, and a log never shrinks",
                evidence=(self.keep(seen.note, seen), self.keep(note, found)),
                hint="perhaps an old copy is served: ask others which checkpoint they see",
            )
        rules = EntryRules(signed.log, self.memory, self._organisation)
        edge = _Edge(size, seen.frontier if seen else ())
        first_epoch = 0
        if found.size > size or not seen:
            first_epoch = self._read_on(note, found, seen, rules, edge)
        try:
            accepted = self.policy.accepts(note)
        except VerificationError as error:
            raise _Late(error) from None
        if found.size > size:
            self._times(note, first_epoch, rules.place.epoch, accepted, seen, now)
            self._reported(note, rules.reports, accepted, now)
        self.memory.add_checkpoint(found.size, found.root, note)
        self.memory.set_fact(UNCOSIGNED, None)
        first = min((one.time for one in accepted.cosignatures), default=0)
        place = seen.place if seen and found.size == size else rules.place
        self.memory.set_seen(Seen(str(signed.log), found.size, found.root, edge.roots, place, now, first, note))
        return Look(found.origin, found.size, found.size - size, accepted.time)

    def _wait(self, note: bytes, found: Checkpoint, seen: Seen | None, now: float, error: VerificationError) -> Look:
        with self.memory.look():
            self.memory.add_checkpoint(found.size, found.root, note)
            since = self.memory.fact(UNCOSIGNED)
            if since is None:
                since = now
                self.memory.set_fact(UNCOSIGNED, now)
        if now - since >= self.max_delay:
            raise Alarm(
                Kind.DELAY,
                f"for {in_time(now - since)} the log has shown no checkpoint that counts: {error.message}",
                hint=f"ask the witnesses whether they refuse it, and why ({error.detail or error.hint})",
            )
        return Look(found.origin, seen.size if seen else 0, 0, None, error.message)

    def _read_on(self, note: bytes, found: Checkpoint, seen: Seen | None, rules: EntryRules, edge: _Edge) -> int:
        """Every new entry: into the tree, and through the rules. Answers the epoch of the first."""
        events: list[tuple[int, bytes]] = []
        first_epoch = 0
        if seen:
            rules.resume(seen.place, self.memory.events(), self.memory.labels(seen.place.epoch), self.memory.kinds())
        start = edge.size
        try:
            for path, first, entries in self._bundles(edge.size, found.size):
                for entry in entries:
                    edge.append(leaf_hash(entry))
                rules.take(path, first, entries)
                if rules.malformed:
                    break
                first_epoch = first_epoch or decode(entries[0]).epoch
                events += [pair for pair in enumerate(entries, first) if rules.remembers(pair[1])]
                if self._progress:
                    self._progress(edge.size, found.size)
        except VerificationError as error:
            raise Alarm(Kind.FILES, error.message, evidence=(self.keep(note, found),), hint=error.hint) from None
        if edge.size == found.size and edge.root() != found.root:
            raise self._other_tree(note, found, seen)
        rules.finish(found.size)
        if rules.fault:
            kept = (self.keep(note, found),)
            raise Alarm(Kind.RULES, rules.fault.message, evidence=kept, hint=rules.fault.hint)
        self.memory.add_events(events)
        reports = rules.reports
        begin = max(start, reports.first)
        self.memory.add_kinds(begin, bytes(reports.kinds[begin - reports.first :]), reports.first)
        return first_epoch

    def _bundles(self, start: int, end: int) -> Iterator[tuple[str, int, list[bytes]]]:
        """(path, index of the first, entries) of everything from ``start`` on."""
        while start < end:
            index, skipped = divmod(start, WIDTH)
            count = min(WIDTH, end - index * WIDTH)
            path, data = read_tile(self.source.read, end, ENTRIES, index)
            yield path, start, decode_bundle_prefix(data, count, index * WIDTH, path)[skipped:]
            start = index * WIDTH + count

    def _other_tree(self, note: bytes, found: Checkpoint, seen: Seen | None) -> Alarm:
        """The new entries do not lead from the tree that was seen to the one that is signed: whose fault is it?"""
        why = "the entries are not those that the log signed"
        if seen:
            try:
                fork = contradiction(_both(seen), (found, note), self.source.read)
            except VerificationError as error:
                why = f"the log does not continue what it showed before, or {tells(error)}"
            else:
                if fork:
                    return self.fork(fork)
        kept = (self.keep(note, found), *((self.keep(seen.note, seen),) if seen else ()))
        return Alarm(Kind.FILES, f"checkpoint of size {found.size}: {why}", evidence=kept)

    def _times(self, note: bytes, first: int, last: int, accepted: Accepted, seen: Seen | None, now: float) -> None:
        """Was what is new written in the months that it says, ``first`` to ``last``?

        It was not in the tree that was seen before, so it was written later than ``max_delay`` before that.
        """
        since = month(max(seen.observed, seen.cosigned) - self.max_delay) if seen else 0
        if seen and first < since:
            raise Alarm(
                Kind.BACKDATED,
                f"entry {seen.size} says that it is from {first}, but was not in the log that was seen in {since}",
                evidence=(self.keep(seen.note, seen), self.keep(note, accepted.checkpoint)),
                hint="an access was hidden, and logged later under an earlier month",
            )
        try:
            check_time(last, accepted.time if accepted.time is not None else int(now + self.max_delay))
        except VerificationError as error:
            raise Alarm(Kind.FUTURE, error.message, evidence=(self.keep(note, accepted.checkpoint),)) from None

    def _reported(self, note: bytes, reports: ReportRules, accepted: Accepted, now: float) -> None:
        """A daily report is written when its day is over, and not before."""
        if reports.last is None:
            return
        try:
            check_report_time(reports.last, now + self.max_delay if accepted.time is None else accepted.time)
        except VerificationError as error:
            raise Alarm(Kind.FUTURE, error.message, evidence=(self.keep(note, accepted.checkpoint),)) from None
        self.memory.set_fact(REPORT, {"date": reports.last.date, "over": reports.last.over})

    def missing_report(self) -> Alarm | None:
        """What to shout if a day's report is late. A log that never had one owes none."""
        last = self.memory.fact(REPORT)
        if last is None:
            return None
        days = int((self.clock() - self.max_delay - last["over"]) // DAY_SECONDS)
        if days < 1:
            return None
        return Alarm(
            Kind.REPORT,
            f"the log's newest daily report is of {last['date']}: {days} that should follow it "
            f"{'is' if days == 1 else 'are'} missing",
            hint="ask who runs it; reports of days on which nothing happened are written too",
        )

    def fork(self, fork: Fork) -> Alarm:
        """Writes it down; what to shout."""
        proves = fork.check(Policy(self.policy.logs))
        data = fork.encode()
        path = self.memory.keep(f"fork-{leaf_hash(data).hex()[:16]}.json", data)
        hint = f"anybody can check it: seenby-verify evidence {path}; show it to others"
        return Alarm(Kind.FORK, proves, evidence=(path,), hint=hint)

    def keep(self, note: bytes, tree: Checkpoint | Seen) -> Path:
        """Writes a signed checkpoint among the evidence."""
        return self.memory.keep(f"{tree.size}-{tree.root.hex()[:16]}.checkpoint", note)


def _both(seen: Seen) -> tuple[Checkpoint, bytes]:
    return Checkpoint(VerifierKey.parse(seen.key).name, seen.size, seen.root), seen.note


def in_time(seconds: float) -> str:
    """
    >>> in_time(90), in_time(7200)
    ('90 s', '120 min')
    """
    return f"{seconds:.0f} s" if seconds < 600 else f"{seconds / 60:.0f} min"

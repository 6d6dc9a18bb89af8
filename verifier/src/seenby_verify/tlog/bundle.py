"""Checks the bundle of a person: is everything here, and was everything logged? (docs/formats/bundle.md)

The eight steps are those of the format's list, each a method of ``BundleCheck``. Whoever holds the file needs nothing
else but the trust policy; no server, no network.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final, TypeVar

from seenby_verify.errors import VerificationError
from seenby_verify.tlog.bundle_format import Bundle, EpochItem, LogItem, ShownItem
from seenby_verify.tlog.bundle_record import HEADS, Shown, open_shown
from seenby_verify.tlog.checkpoint import Checkpoint
from seenby_verify.tlog.entries import (
    Entry,
    LogStarted,
    PersonEnrolled,
    PersonNamed,
    Regions,
    Seal,
    decode,
)
from seenby_verify.tlog.labels import verify_absent
from seenby_verify.tlog.policy import Accepted, Policy
from seenby_verify.tlog.proof import ReceiptCheck
from seenby_verify.tlog.records import PersonCrypto
from seenby_verify.tlog.regions import RegionList
from seenby_verify.tlog.steps import Placed, Step, at, fault
from seenby_verify.tlog.times import LAST_TIME, date_of, month
from seenby_verify.tlog.vkey import VerifierKey

_T = TypeVar("_T")


class BundleCheck:
    """Checks a bundle step by step.

    Args:
        data: the file.
        policy: whom the person trusts; it names every log.
        organisation: the key that signs lists of regions; without it their signatures are not checked.
        receipt: the person's enrolment receipt, a tlog-proof.

    Attributes:
        bundle: the file, parsed; there after step 1.
        shown: what to tell the person; complete after the last step, empty before.
    """

    TITLES: Final = (
        "format: a bundle of a known version",
        "logs: signed and cosigned as the policy asks, and none is missing",
        "regions: the signed list names these logs and no others",
        "enrolment: each key was enrolled in the log",
        "epochs: every month since then is there, closed by a seal",
        "complete: nothing is left out, in no month, region or key",
        "records: each opens with the person's key and is what was logged",
        "time: no seal is dated after the witnesses saw it",
    )

    def __init__(
        self,
        data: bytes,
        policy: Policy,
        *,
        organisation: VerifierKey | None = None,
        receipt: bytes | None = None,
    ) -> None:
        self._data = data
        self._policy = policy
        self._organisation = organisation
        self._receipt = receipt
        self._accepted: list[Accepted] = []
        self._since: dict[int, int] = {}
        self._roots: dict[tuple[str, int], bytes] = {}
        self._cryptos: dict[tuple[int, str, int], PersonCrypto] = {}
        self._opened: list[Shown] = []
        self.bundle: Bundle
        self.shown: tuple[Shown, ...] = ()

    def steps(self) -> Iterator[Step]:
        """Yields each step when it holds; raises VerificationError, naming the place, in the one that does not."""
        checks = (
            self._format,
            self._logs,
            self._regions,
            self._enrolment,
            self._epochs,
            self._complete,
            self._records,
            self._time,
        )
        for number, (title, check) in enumerate(zip(self.TITLES, checks, strict=True), 1):
            yield Step(number, title, check())

    def _format(self) -> str:
        self.bundle = bundle = Bundle.parse(self._data)
        shown = sum(len(log.shown) for log in bundle.logs)
        return f"{_count(len(bundle.keys), 'key')}, {_count(len(bundle.logs), 'log')}, {_count(shown, 'entry')}"

    def _logs(self) -> str:
        origins: set[str] = set()
        regions: set[str] = set()
        for where, log in _places("logs", self.bundle.logs):
            if log.origin in origins or log.region in regions:
                raise fault(where, f"{log.origin!r:.80} or its region is there twice")
            origins.add(log.origin)
            regions.add(log.region)
            try:
                accepted = self._policy.accepts(log.checkpoint)
            except VerificationError as error:
                raise at(f"{where}.checkpoint", error) from None
            if accepted.checkpoint.origin != log.origin:
                raise fault(f"{where}.origin", f"the checkpoint is of {accepted.checkpoint.origin!r:.80}")
            self._accepted.append(accepted)
        missing = sorted({log.key.name for log in self._policy.logs} - origins)
        if missing:
            raise VerificationError(
                f"logs: {missing[0]!r:.80} is in your policy and not in the bundle",
                where="logs",
                hint="ask for a bundle that covers every region",
            )
        return "; ".join(f"{one.checkpoint.origin}, size {one.checkpoint.size}, {_when(one)}" for one in self._accepted)

    def _regions(self) -> str:
        home = self._log(self.bundle.keys[0].region, "keys[0].region")
        logs = {log.region: accepted.log for log, accepted in zip(self.bundle.logs, self._accepted, strict=True)}
        serial = 0
        for (where, log), accepted in zip(_places("logs", self.bundle.logs), self._accepted, strict=True):
            place = f"{where}.regions"
            if log.regions is None:
                if log is home and len(logs) > 1:
                    raise fault(place, "there is more than one log, and no list that names them")
                continue
            entry = self._entry(log.regions, accepted.checkpoint, place)
            if not isinstance(entry, Regions):
                raise fault(place, "the entry is not a list of regions")
            try:
                named = RegionList.open(entry.document, self._organisation)
            except VerificationError as error:
                raise at(place, error) from None
            for region, key in named.logs:
                if logs.get(region) != key:
                    raise fault(place, f"the list names {key.name!r:.80} for region {region}, the bundle does not")
            if log is home:
                serial = named.serial
                if len(named.logs) != len(logs):
                    raise fault(place, f"the list names {len(named.logs)} of the bundle's {len(logs)} logs")
        if not serial:
            return f"{home.region} alone; its log has no list of regions"
        signed = f"signed by {self._organisation.name}" if self._organisation else "signature not checked: no key given"
        return f"list {serial}: {', '.join(sorted(logs))}; {signed}"

    def _enrolment(self) -> str:
        receipt = self._read_receipt()
        held = False
        for where, key in _places("keys", self.bundle.keys):
            log = self._log(key.region, f"{where}.region")
            shown = next((one for one in log.shown if one.entry.index == key.index), None)
            if shown is None or shown.version != key.version or shown.n != 0:
                raise fault(where, f"entry {key.index} of {key.region} is not shown as this key's first")
            entry, head = _decode(shown.entry.entry, where), _decode(shown.head.entry, where)
            if not isinstance(entry, PersonNamed) or entry.epoch != shown.epoch:
                raise fault(where, f"entry {key.index} of {key.region} is no person entry of {shown.epoch}")
            if entry.label != self._crypto(key.version, log, shown.epoch).label(0):
                raise fault(where, f"the label in entry {key.index} of {key.region} was not made with this key")
            if not isinstance(head, PersonEnrolled):
                raise fault(where, f"entry {key.index} of {key.region} does not follow an enrolment")
            self._since[key.version] = shown.epoch
            # Epochs begin with key 1: a key from before would have months that nobody shows.
            if shown.epoch < self._since[1]:
                raise fault(where, f"key {key.version} was enrolled before key 1")
            held = held or receipt == (log.origin, key.index, shown.entry.entry)
        if receipt and not held:
            raise VerificationError(
                "receipt: it is for another entry than those that enrolled the bundle's keys",
                where="receipt",
                hint="somebody may have given you a second key; keep both files and ask why",
            )
        told = f"key 1 in {self._since[1]}, entry {self.bundle.keys[0].index} of {self.bundle.keys[0].region}"
        return f"{told}; {'as in your receipt' if receipt else 'no receipt given'}"

    def _read_receipt(self) -> tuple[str, int, bytes] | None:
        """(origin, index, entry) of a receipt that holds."""
        if self._receipt is None:
            return None
        check = ReceiptCheck(self._receipt, self._policy)
        try:
            for _ in check.steps():
                pass
        except VerificationError as error:
            raise (error if "receipt" in error.message else at("receipt", error)) from None
        return check.accepted.checkpoint.origin, check.proof.index, check.proof.extra or b""

    def _epochs(self) -> str:
        for (where, log), accepted in zip(_places("logs", self.bundle.logs), self._accepted, strict=True):
            if not log.epochs:
                raise fault(f"{where}.epochs", "there is no epoch")
            self._start(f"{where}.start", log, accepted.checkpoint)
            for i, (place, item) in enumerate(_places(f"{where}.epochs", log.epochs)):
                following = log.epochs[i + 1] if i + 1 < len(log.epochs) else None
                self._seal(place, log, item, following, accepted.checkpoint)
        return f"{_count(len(self._roots), 'seal')}, from {min(epoch for _, epoch in self._roots)} on"

    def _start(self, where: str, log: LogItem, checkpoint: Checkpoint) -> None:
        """Does the list of epochs begin early enough?"""
        first = log.epochs[0].epoch
        if first <= self._since[1]:
            if log.start is not None:
                raise fault(where, "is there, and the epochs begin early enough without it")
            return
        if log.start is None:
            raise fault(where, f"the epochs begin with {first}, and nothing says that the log does")
        entry = self._entry(log.start, checkpoint, where)
        if log.start.index != 0 or not isinstance(entry, LogStarted) or entry.epoch != first:
            raise fault(where, f"is not the beginning of the log in {first}")

    def _seal(
        self, where: str, log: LogItem, item: EpochItem, following: EpochItem | None, checkpoint: Checkpoint
    ) -> None:
        seal = self._entry(item.seal, checkpoint, f"{where}.seal")
        if not isinstance(seal, Seal) or seal.epoch != item.epoch:
            raise fault(f"{where}.seal", f"is not a seal of {item.epoch}")
        if seal.covers != item.seal.index:
            raise fault(f"{where}.seal", f"covers {seal.covers} entries, {item.seal.index} stand before it")
        self._roots[log.region, item.epoch] = seal.root
        if following is None:
            if item.next is not None or item.seal.index != checkpoint.size - 1:
                raise fault(
                    f"{where}.seal", f"is the last one shown, and not the log's last entry {checkpoint.size - 1}"
                )
            return
        if item.next is None or item.next.index != item.seal.index + 1:
            raise fault(f"{where}.next", f"is not entry {item.seal.index + 1}, the one behind the seal")
        entry = self._entry(item.next, checkpoint, f"{where}.next")
        if entry.epoch != following.epoch:
            raise fault(f"{where}.next", f"the log goes on with {entry.epoch}, the bundle with {following.epoch}")

    def _complete(self) -> str:
        proofs = 0
        for where, log in _places("logs", self.bundle.logs):
            listed: dict[tuple[int, int, int], tuple[str, ShownItem]] = {}
            for place, shown in _places(f"{where}.shown", log.shown):
                if (name := (shown.version, shown.epoch, shown.n)) in listed:
                    raise fault(place, f"number {shown.n} of {shown.epoch} is there twice")
                listed[name] = place, shown
            for place, item in _places(f"{where}.epochs", log.epochs):
                due = [version for version, since in self._since.items() if since <= item.epoch]
                if [key.version for key in item.keys] != due:
                    raise fault(f"{place}.keys", f"are not the {len(due)} keys that were enrolled by {item.epoch}")
                for spot, key in _places(f"{place}.keys", item.keys):
                    for n in range(key.count):
                        found = listed.pop((key.version, item.epoch, n), None)
                        if found is None:
                            raise fault(spot, f"entry number {n} of key {key.version} in {item.epoch} is not shown")
                        if found[1].entry.index >= item.seal.index:
                            raise fault(found[0], f"stands behind the closing seal of {item.epoch}")
                    absent = self._crypto(key.version, log, item.epoch).label(key.count)
                    try:
                        verify_absent(absent, key.absent, self._roots[log.region, item.epoch])
                    except VerificationError as error:
                        raise VerificationError(
                            f"{spot}: it is not proven that {item.epoch} holds no more than {key.count} entries "
                            f"of key {key.version} in {log.region}",
                            where=spot,
                            detail=error.message,
                            hint="an entry about you may have been left out; ask for it",
                        ) from None
                    proofs += 1
            for place, shown in listed.values():
                raise fault(place, f"no epoch counts number {shown.n} of key {shown.version} in {shown.epoch}")
        return f"{_count(proofs, 'proof')} that nothing follows"

    def _records(self) -> str:
        for (where, log), accepted in zip(_places("logs", self.bundle.logs), self._accepted, strict=True):
            for place, shown in _places(f"{where}.shown", log.shown):
                self._opened.append(self._record(place, log, shown, accepted.checkpoint))
        kinds = Counter(one.how or one.kind for one in self._opened)
        return ", ".join(f"{kinds[kind]} {kind}" for kind in sorted(kinds))

    def _record(self, where: str, log: LogItem, shown: ShownItem, checkpoint: Checkpoint) -> Shown:
        """One entry: it and its head stand where they should in the tree, and both blobs are what they commit to."""
        key = self.bundle.keys[shown.version - 1]
        crypto = self._crypto(key.version, log, shown.epoch)
        entry = self._entry(shown.entry, checkpoint, f"{where}.entry")
        if not isinstance(entry, PersonNamed) or entry.epoch != shown.epoch:
            raise fault(f"{where}.entry", f"is no person entry of {shown.epoch}")
        if entry.label != crypto.label(shown.n):
            raise fault(f"{where}.entry", f"has not the label of number {shown.n}")
        head = self._entry(shown.head, checkpoint, f"{where}.head")
        if not isinstance(head, HEADS) or head.epoch != entry.epoch:
            raise fault(f"{where}.head", f"is no entry of {entry.epoch} that names people")
        if not 1 <= shown.entry.index - shown.head.index < 10**head.bucket:
            raise fault(f"{where}.head", f"names a number of {head.bucket} digits; the entry is not among them")
        return open_shown(where, log.region, shown, entry, head, key, crypto)

    def _time(self) -> str:
        for (where, log), accepted in zip(_places("logs", self.bundle.logs), self._accepted, strict=True):
            if accepted.time is None:
                continue
            now = month(accepted.time)
            for place, item in _places(f"{where}.epochs", log.epochs):
                if item.epoch > now:
                    raise fault(place, f"a seal of {item.epoch} in a checkpoint that was cosigned in {now}")
        self.shown = tuple(self._opened)
        return "; ".join(f"{one.checkpoint.origin}: {_when(one)}" for one in self._accepted)

    def _log(self, region: str, where: str) -> LogItem:
        for log in self.bundle.logs:
            if log.region == region:
                return log
        raise fault(where, f"the log of region {region} is not in the bundle")

    def _crypto(self, version: int, log: LogItem, epoch: int) -> PersonCrypto:
        name = version, log.region, epoch
        if name not in self._cryptos:
            self._cryptos[name] = PersonCrypto(self.bundle.keys[version - 1].key, version, log.region, epoch)
        return self._cryptos[name]

    @staticmethod
    def _entry(placed: Placed, checkpoint: Checkpoint, where: str) -> Entry:
        """The entry, if it is in the tree."""
        placed.check(checkpoint, where)
        return _decode(placed.entry, where)


def _decode(data: bytes, where: str) -> Entry:
    try:
        return decode(data)
    except VerificationError as error:
        raise at(where, error) from None


def _places(name: str, items: tuple[_T, ...]) -> Iterator[tuple[str, _T]]:
    return ((f"{name}[{i}]", item) for i, item in enumerate(items))


def _when(accepted: Accepted) -> str:
    if accepted.time is None:
        return "no witness asked for"
    if month(accepted.time) == month(LAST_TIME):
        return "cosigned in the far future"
    return f"cosigned {date_of(accepted.time):%Y-%m-%d %H:%M} UTC"


def _count(number: int, one: str) -> str:
    many = f"{one[:-1]}ies" if one.endswith("ry") else f"{one}s"
    return f"{number} {one if number == 1 else many}"

"""The monitor: what it remembers, what it reads, and everything at which it shouts."""

from __future__ import annotations

import contextlib
import json
import signal
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from seenby_verify.client import open_log
from seenby_verify.errors import Unavailable, UsageError, VerificationError
from seenby_verify.monitor.alarm import Alarm, Kind
from seenby_verify.monitor.memory import Memory, MemoryLost
from seenby_verify.monitor.witnesses import AskedWitness, ask
from seenby_verify.tlog.entries import PersonNamed, Seal, decode, encode
from seenby_verify.tlog.evidence import parse_evidence
from seenby_verify.tlog.policy import Policy
from seenby_verify.tlog.times import month
from seenby_verify.tlog.vkey import COSIGNATURE, VerifierKey
from seenby_verify.witness.server import WitnessServer
from seenby_verify.witness.state import State, load_key, make_witness
from tests.fixtures.bundles_log import Log, Person, public
from tests.fixtures.public_web import plain_web
from tests.fixtures.watch import DELAY, EPOCH, Counted, Watch
from tests.fixtures.written_logs import SEENBY_VERIFY, new_log, seenby_verify


def other_history(watch: Watch, keep: int) -> Log:
    """The same log, whose entries from index ``keep`` on never were the ones that were shown."""
    other, crowd = new_log(EPOCH)
    assert other.entries == watch.log.entries[: len(other.entries)]
    other.query(*crowd[20:25])
    other.seal()
    assert len(other.entries) > keep
    return other


def test_only_what_is_new_is_read(tmp_path: Path) -> None:
    watch = Watch(tmp_path, people=700)
    watch.publish()
    assert watch.look() == (703, 703)
    watch.log.query(*watch.crowd[:3])
    watch.log.seal()
    watch.publish()
    source = Counted(watch.place)
    assert watch.look(source) == (708, 5)
    assert source.asked == ["tile/entries/002.p/196"]
    assert watch.look() == (708, 0)


def test_a_monitor_that_was_restarted_knows_the_seals_of_the_month(watch: Watch) -> None:
    for size in (38, 43):
        watch.look()
        watch.log.query(*watch.crowd[:3])
        watch.log.seal()
        watch.publish()
        assert watch.look() == (size, 5)


def test_a_fork_at_the_same_size_is_proven_and_never_forgotten(watch: Watch) -> None:
    watch.log.query(*watch.crowd[:5])
    watch.log.seal()
    watch.publish()
    watch.look()
    watch.publish(other_history(watch, 33))
    alarm = watch.shouts()
    assert alarm.kind is Kind.FORK
    assert "signed two histories" in parse_evidence(alarm.evidence[0].read_bytes()).check(watch.policy)
    watch.publish()
    assert watch.shouts().kind is Kind.FORK  # back to the first view: too late


def test_a_fork_that_went_on_is_proven(watch: Watch) -> None:
    watch.log.query(*watch.crowd[:2])
    watch.log.seal()
    watch.publish()
    watch.look()
    watch.publish(other_history(watch, 37))
    alarm = watch.shouts()
    assert alarm.kind is Kind.FORK
    evidence = parse_evidence(alarm.evidence[0].read_bytes())
    assert "disagree about the first 37 entries" in evidence.check(watch.policy)


def test_a_log_that_shrinks_or_is_gone(watch: Watch) -> None:
    watch.look()
    watch.log.query(*watch.crowd[:2])
    watch.log.seal()
    watch.publish()
    watch.look()
    shorter, _ = new_log(EPOCH)
    watch.publish(shorter)
    alarm = watch.shouts()
    assert (alarm.kind, len(alarm.evidence)) == (Kind.ROLLBACK, 2)
    assert "shows 33 entries; it showed 37" in alarm.message
    (watch.place / "checkpoint").unlink()
    assert watch.shouts().kind is Kind.ROLLBACK
    watch.publish()
    assert watch.look() == (37, 0)


def test_an_entry_of_a_month_that_was_over(watch: Watch) -> None:
    """The log was seen in December; an access of November is added under a seal that fits."""
    watch.look()
    watch.now += 15 * 86_400
    assert month(watch.now) == 202612
    watch.look()
    watch.log.query(*watch.crowd[:2])
    watch.log.seal()
    watch.publish()
    alarm = watch.shouts()
    assert alarm.kind is Kind.BACKDATED
    assert "entry 33 says that it is from 202611, but was not in the log that was seen in 202612" in alarm.message


def test_an_entry_that_was_in_time_may_be_late_by_the_delay(watch: Watch) -> None:
    turn = 1_796_083_200  # 2026-12-01 00:00 UTC
    watch.now = turn + DELAY - 1
    watch.look()
    watch.log.query(*watch.crowd[:2])
    watch.log.seal()
    watch.publish()
    assert watch.look() == (37, 4)


def test_an_entry_of_a_month_to_come(watch: Watch) -> None:
    watch.look()
    watch.log.begin(202701)
    watch.log.seal()
    watch.publish()
    assert watch.shouts().kind is Kind.FUTURE


def false_seal(log: Log) -> None:
    seal = decode(log.entries[-1])
    assert isinstance(seal, Seal)
    log.entries[-1] = encode(replace(seal, root=bytes(32)))
    log.nodes.clear()


def no_seal(log: Log) -> None:
    log.entries.pop()
    log.nodes.clear()


def rubbish(log: Log) -> None:
    log.entries[-1] = b"\x01\x7f"
    log.nodes.clear()


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (false_seal, "entry 36: the seal's root is not that of the 32 labels"),
        (no_seal, "entry 35: the checkpoint does not end in a seal"),
        (rubbish, "entry 36: entry kind 0x7f is unknown"),
        (lambda log: log.entries.insert(33, log.entries[2]) or log.nodes.clear(), "entry 33: a person is named where"),
    ],
    ids=["false seal", "no seal", "rubbish", "a person for nothing"],
)
def test_entries_that_may_not_stand_there(watch: Watch, change: Callable[[Log], None], fault: str) -> None:
    watch.look()
    watch.log.query(*watch.crowd[:2])
    watch.log.seal()
    change(watch.log)
    watch.publish()
    for _ in range(2):  # what does not hold is not remembered as if it did
        alarm = watch.shouts()
        assert alarm.kind is Kind.RULES
        assert fault in alarm.message


def test_a_label_of_a_month_before(watch: Watch) -> None:
    watch.log.begin(202612)
    watch.log.seal()
    watch.now += 15 * 86_400
    watch.publish()
    watch.look()
    head = watch.log.query(watch.crowd[0])
    old = decode(watch.log.entries[2])
    new = decode(watch.log.entries[head + 1])
    assert isinstance(old, PersonNamed)
    assert isinstance(new, PersonNamed)
    watch.log.entries[head + 1] = encode(replace(new, label=old.label))
    watch.log.labels[202612] = [old.label]
    watch.log.nodes.clear()
    watch.log.seal()
    watch.publish()
    assert "a label stands in the log twice" in watch.shouts().message


def test_files_that_do_not_give_the_signed_root(watch: Watch) -> None:
    watch.look()
    watch.log.query(*watch.crowd[:2])
    watch.log.seal()
    watch.publish()
    path = watch.place / "tile/entries/000.p/37"
    good = path.read_bytes()
    path.write_bytes(good[:-1] + b"x")
    assert watch.shouts().kind is Kind.FILES
    path.unlink()
    assert watch.shouts().kind is Kind.FILES
    path.write_bytes(good)
    assert watch.look() == (37, 4)


def test_a_checkpoint_that_the_log_did_not_sign(watch: Watch) -> None:
    watch.look()
    note = (watch.place / "checkpoint").read_bytes()
    for bad in (note.replace(b"\n33\n", b"\n34\n"), b"", b"x" * 300_000):
        (watch.place / "checkpoint").write_bytes(bad)
        assert watch.shouts().kind is Kind.FILES


def test_a_log_that_stays_away(watch: Watch) -> None:
    watch.look()
    with open_log("http://127.0.0.1:1/", attempts=1) as source, watch.follower(source) as follower:
        watch.now += DELAY - 1
        with pytest.raises(Unavailable):
            follower.look()
        watch.now += 1
        with pytest.raises(Alarm) as caught:
            follower.look()
    assert (caught.value.kind, caught.value.passing) == (Kind.UNREACHABLE, True)
    assert watch.look() == (33, 0)


def test_a_checkpoint_that_nobody_cosigns(watch: Watch) -> None:
    watch.policy = watch.witnessed()
    watch.publish(cosigners=2)
    assert watch.look() == (33, 33)
    watch.log.query(*watch.crowd[:2])
    watch.log.seal()
    watch.publish(cosigners=1)
    assert watch.look() == (33, 0)
    watch.now += DELAY
    assert watch.shouts().kind is Kind.DELAY
    watch.publish(cosigners=2)
    assert watch.look() == (37, 4)
    grown(watch, watch.crowd[:2])
    watch.publish(cosigners=1)
    assert watch.look() == (37, 0)  # the next one may be late again


def test_one_state_is_for_one_log_and_one_monitor(watch: Watch, tmp_path: Path) -> None:
    watch.look()
    other, _ = new_log(EPOCH, seed=6)
    watch.policy = Policy.trusting(other.vkey)
    watch.publish(other)
    with pytest.raises(UsageError, match="remembers the log"):
        watch.look()
    with Memory(tmp_path / "state"), pytest.raises(Unavailable, match="another monitor uses"):
        Memory(tmp_path / "state")


def test_a_memory_that_is_damaged_is_not_begun_anew(watch: Watch, tmp_path: Path) -> None:
    watch.look()
    (tmp_path / "state" / "monitor.sqlite").write_bytes(b"x" * 4096)
    with pytest.raises(Unavailable, match="cannot be used"):
        watch.look()


def test_a_memory_that_cannot_be_opened_or_read_is_no_fault_of_the_log(watch: Watch, tmp_path: Path) -> None:
    watch.look()
    file = tmp_path / "state" / "monitor.sqlite"
    whole = file.read_bytes()
    for value in ("{", "3", '{"root": ""}'):  # as a restored or edited copy may have it
        with contextlib.closing(sqlite3.connect(file)) as database:
            database.execute("update facts set value = ? where name = 'seen'", (value,))
            database.commit()
        with Memory(tmp_path / "state") as memory, pytest.raises(MemoryLost, match="cannot be used"):
            _ = memory.seen
    file.write_bytes(whole[:8192] + b"\xaa" * (len(whole) - 8192))

    def everything(memory: Memory) -> object:
        return [*memory.events(), *memory.promises(), memory.kinds(), memory.contradicting(1, b""), memory.seen]

    with Memory(tmp_path / "state") as memory, pytest.raises(MemoryLost, match="cannot be used"):
        everything(memory)
    file.unlink()
    file.mkdir()
    with pytest.raises(MemoryLost, match="cannot be used") as error:
        Memory(tmp_path / "state")
    assert error.value.hint.endswith("it is not lost"), "it need not be begun anew"


# Two views of one log, and a witness that both monitors ask


@contextmanager
def witness_of(watch: Watch) -> Iterator[AskedWitness]:
    home = watch.directory
    home.mkdir(exist_ok=True)
    vkey = make_witness("paper.test/w", home / "witness.pem", home / "witness")
    state = State(home / "witness", load_key(home / "witness.pem"), [watch.log.vkey])
    with WitnessServer(("127.0.0.1", 0), state, clock=lambda: watch.now) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            body = b"old 0\n\n" + watch.log.checkpoint(int(watch.now), cosigners=0)
            assert state.add_checkpoint(body, int(watch.now)).status == 200
            yield AskedWitness(f"http://127.0.0.1:{server.server_address[1]}/", vkey)
        finally:
            server.shutdown()
            thread.join()
            state.close()


def grown(watch: Watch, people: list[Person]) -> None:
    watch.log.query(*people)
    watch.log.seal()


@pytest.mark.parametrize(("others", "kind"), [(2, Kind.FORK), (4, Kind.FORK), (9, Kind.DELAY)])
def test_two_views_two_monitors_one_witness(tmp_path: Path, others: int, kind: Kind) -> None:
    """The witness saw view A, with ``others`` people in a query; B hides that query and shows another of 4."""
    a, b = Watch(tmp_path / "a"), Watch(tmp_path / "b")
    grown(a, a.crowd[:others])
    grown(b, b.crowd[20:24])
    a.publish()
    b.publish()
    with witness_of(a) as witness, plain_web(a.place) as url_a, plain_web(b.place) as url_b:
        with open_log(url_a) as source, a.follower(source) as follower:
            follower.look()
            assert ask(witness, follower) == f"it saw the same log, up to entry {35 + others}"
        with open_log(url_b) as source, b.follower(source) as follower:
            follower.look()
            if kind is Kind.DELAY:  # what is longer than our view may only be new
                assert "it saw 44 entries; we are shown 39 so far" in ask(witness, follower)
                b.now += DELAY
            with pytest.raises(Alarm) as caught:
                ask(witness, follower)
            assert caught.value.kind is kind
            if kind is Kind.FORK:
                assert "signed two histories" in parse_evidence(caught.value.evidence[0].read_bytes()).check(b.policy)
                with pytest.raises(Alarm, match="signed two histories"):
                    follower.look()


def test_a_checkpoint_that_did_not_count_still_contradicts(tmp_path: Path) -> None:
    a, b = Watch(tmp_path / "a"), Watch(tmp_path / "b")
    b.policy = b.witnessed()
    b.publish(cosigners=2)
    b.look()
    grown(a, a.crowd[:4])
    grown(b, b.crowd[20:24])
    b.publish()
    assert b.look() == (33, 0)
    with witness_of(a) as witness, b.follower() as follower, pytest.raises(Alarm, match="signed two histories"):
        ask(witness, follower)


def test_a_witness_that_is_another(watch: Watch) -> None:
    with witness_of(watch) as witness, watch.follower() as follower:
        assert ask(witness, follower) == "nothing to compare yet"
        follower.look()
        other = VerifierKey(witness.key.name, public(watch.log.witnesses[0]), COSIGNATURE)
        with pytest.raises(VerificationError, match="has not cosigned"):
            ask(replace(witness, key=other), follower)


def test_it_follows_until_it_is_stopped(tmp_path: Path) -> None:
    watch = Watch(tmp_path)
    watch.log, watch.crowd = new_log(month(time.time()))
    watch.now = time.time()
    watch.publish()
    options = ["--state", str(tmp_path / "s"), "--key", str(watch.log.vkey), "--interval", "0.05", "--json"]
    for sign, status in ((signal.SIGINT, 130), (signal.SIGTERM, 0)):
        running = subprocess.Popen(
            [*SEENBY_VERIFY, "monitor", str(watch.place), *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert running.stdout is not None
        assert json.loads(running.stdout.readline())["event"] == "holds"
        grown(watch, watch.crowd[:1])
        watch.publish()
        while not json.loads(running.stdout.readline())["new"]:
            pass
        running.send_signal(sign)
        _, errors = running.communicate(timeout=60)
        assert (running.returncode, errors) == (status, b"")


def test_the_command_shouts(tmp_path: Path) -> None:
    """As cron runs it: exit status, a loud line, one JSON object a line; against two served views and a witness."""
    epoch = month(time.time())
    watches = []
    for name, people in (("a", slice(0, 4)), ("b", slice(20, 24))):
        watch = Watch(tmp_path / name)
        watch.now = time.time()
        watch.log, watch.crowd = new_log(epoch)
        grown(watch, watch.crowd[people])
        watch.publish()
        watches.append(watch)
    a, b = watches
    with witness_of(a) as witness, plain_web(a.place) as url_a, plain_web(b.place) as url_b:
        options = ["--once", "--key", a.log.vkey, "--witness", witness.url, witness.key]
        said = seenby_verify("monitor", url_a, "--state", tmp_path / "sa", *options)
        assert (said.returncode, said.stderr) == (0, "")
        assert "holds eu.log.platform.example: 39 entries, 39 new" in said.stdout
        assert "paper.test/w: it saw the same log, up to entry 39" in said.stdout
        said = seenby_verify("monitor", url_b, "--state", tmp_path / "sb", *options, "--json")
        events = [json.loads(line) for line in said.stdout.splitlines()]
        assert (said.returncode, [event["event"] for event in events]) == (1, ["holds", "alarm"])
        assert events[1]["kind"] == "fork"
        said = seenby_verify("evidence", events[1]["evidence"][0], "--key", a.log.vkey)
        assert (said.returncode, "signed two histories" in said.stdout) == (0, True)
        said = seenby_verify("monitor", url_b, "--state", tmp_path / "sb", *options)
        assert said.returncode == 1
        assert "FORK" in said.stdout
    said = seenby_verify("monitor", url_a, "--state", tmp_path / "sa", *options)
    assert (said.returncode, "no answer" in said.stdout) == (69, True)

"""A monitor that was given promises: met, not there yet, unmet; and what is unmet becomes evidence."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from seenby_verify.errors import NotFound
from seenby_verify.monitor.alarm import Kind
from seenby_verify.monitor.promises import Judged, collect, judge
from seenby_verify.tlog.evidence import parse_evidence
from seenby_verify.tlog.promise import Verdict
from seenby_verify.tlog.times import month
from seenby_verify.tlog.tree import leaf_hash
from tests.fixtures.bundles_log import Log
from tests.fixtures.watch import Watch
from tests.fixtures.written_logs import new_log, seenby_verify

STRANGE = leaf_hash(b"what was promised")


def given(watch: Watch, index: int, log: Log | None = None, leaf: bytes | None = None) -> Path:
    """A promise of entry ``index``, of now, in the folder that the monitor is given."""
    folder = watch.directory / "promises"
    folder.mkdir(exist_ok=True)
    path = folder / f"{index}.promise"
    path.write_bytes((log or watch.log).promise(index, int(watch.now), leaf=leaf))
    return path


def look(watch: Watch, *places: Path) -> list[Judged]:
    with watch.follower() as follower:
        follower.look()
        assert collect(follower, places or (watch.directory / "promises",)) == []
        return judge(follower)


def verdicts(found: list[Judged]) -> list[tuple[int, str, bool]]:
    return [(one.promise.index, str(one.verdict), one.alarm is not None) for one in found]


def grow(watch: Watch, people: slice = slice(0, 2)) -> None:
    watch.log.query(*watch.crowd[people])
    watch.log.seal()


def test_first_open_then_met_and_asked_no_more(watch: Watch) -> None:
    watch.log.query(*watch.crowd[:2])
    path = given(watch, 33)
    assert verdicts(look(watch)) == [(33, "open", False)]
    watch.log.seal()
    watch.publish()
    assert verdicts(look(watch, path)) == [(33, "kept", False)]
    assert look(watch) == []


def test_new_files_are_found_and_a_file_that_goes_is_not_forgotten(watch: Watch) -> None:
    first = given(watch, 40, leaf=STRANGE)
    assert verdicts(look(watch)) == [(40, "open", False)]
    first.unlink()
    given(watch, 42, leaf=STRANGE)
    assert sorted(verdicts(look(watch))) == [(40, "open", False), (42, "open", False)]


def test_an_unmet_promise_is_evidence_once_witnesses_saw_the_log_without_it(watch: Watch) -> None:
    watch.policy = watch.witnessed()
    watch.publish(cosigners=2)
    given(watch, 37, leaf=STRANGE)
    assert verdicts(look(watch)) == [(37, "open", False)]
    watch.now += 61
    (one,) = look(watch)
    assert (one.verdict, one.alarm is None) == (Verdict.OPEN, False)  # by our clock alone; nobody could prove it
    assert one.alarm
    assert (one.alarm.kind, one.alarm.evidence, one.alarm.passing) == (Kind.PROMISE, (), True)
    watch.now += 120
    grow(watch)  # 33 to 36: the promised 37 is behind the end
    watch.publish(cosigners=2)
    (one,) = look(watch)
    assert one.alarm
    assert one.verdict is Verdict.BROKEN
    (path,) = one.alarm.evidence
    proves = parse_evidence(path.read_bytes()).check(watch.policy)
    assert "promised entry 37" in proves
    assert "its tree ends at 37" in proves
    assert len(look(watch)) == 1  # told at every look, until it is met


def test_another_entry_in_its_place_is_told_at_once(watch: Watch) -> None:
    watch.policy = watch.witnessed()
    given(watch, 33, leaf=STRANGE)
    grow(watch)
    watch.publish(cosigners=2)
    (one,) = look(watch)
    assert one.alarm
    assert "another entry stands there" in one.alarm.message
    assert one.alarm.evidence == ()
    watch.now += 200
    grow(watch, slice(3, 4))
    watch.publish(cosigners=2)
    (one,) = look(watch)
    assert one.alarm
    assert "another entry stands there" in parse_evidence(one.alarm.evidence[0].read_bytes()).check(watch.policy)


def test_what_is_no_promise_of_this_log_is_said(watch: Watch) -> None:
    other, _ = new_log(202611, seed=6)
    path = given(watch, 3, log=other)
    (watch.directory / "promises" / "9.promise").write_bytes(b"rubbish")
    with watch.follower() as follower:
        follower.look()
        told = collect(follower, [path.parent])
        assert [line.split(": ", 1)[0] for line in told] == [str(path), str(path.parent / "9.promise")]
        assert judge(follower) == []
        with pytest.raises(NotFound, match="there is no"):
            collect(follower, [watch.directory / "nowhere"])


def test_the_command_says_met_and_shouts(tmp_path: Path) -> None:
    watch = Watch(tmp_path)
    watch.now = time.time()
    watch.log, watch.crowd = new_log(month(watch.now))
    grow(watch)
    watch.publish()
    given(watch, 33)
    given(watch, 34, leaf=STRANGE)
    options = ["--state", tmp_path / "s", "--key", watch.log.vkey, "--once", "--promise", tmp_path / "promises"]
    said = seenby_verify("monitor", watch.place, *options, "--json")
    events = [json.loads(line) for line in said.stdout.splitlines()]
    assert (events[0]["event"], len(events)) == ("holds", 3)
    (met,) = [event for event in events if event["event"] == "promise"]
    (shout,) = [event for event in events if event["event"] == "alarm"]
    assert (met["index"], met["verdict"]) == (33, "kept")
    assert (shout["kind"], said.returncode) == ("promise", 1)
    said = seenby_verify("monitor", watch.place, *options)
    assert "PROMISE" in said.stdout
    assert "entry 33" not in said.stdout  # it was met, and that was said
    (tmp_path / "promises" / "9.promise").write_bytes(b"rubbish")
    said = seenby_verify("monitor", watch.place, *options)
    assert (said.returncode, "no promise to follow" in said.stdout) == (1, True)

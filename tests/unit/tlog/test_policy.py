"""Trust policies (C2SP tlog-policy), signed notes and cosignatures: the specifications' examples and their limits."""

from __future__ import annotations

import base64
from itertools import combinations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from seenby_verify.errors import VerificationError
from seenby_verify.tlog.checkpoint import Checkpoint, parse_checkpoint, sign_checkpoint
from seenby_verify.tlog.cosignature import cosign, cosigned_message, witness_key
from seenby_verify.tlog.note import MAX_SIGNATURES, Note
from seenby_verify.tlog.policy import MAX_LINES, Policy
from seenby_verify.tlog.vkey import COSIGNATURE, VerifierKey

# https://c2sp.org/signed-note, Verifier keys, Example
VKEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
SIGNED = """\
This is an example message.

— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=
"""
# https://c2sp.org/tlog-cosignature; the keys are not in its text
COSIGNED = """\
example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa \
Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— witness.example.com/w1 \
jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==
"""
# https://c2sp.org/tlog-policy, Example policy, with keys where it elides them
EXAMPLE = """\
log {log}

witness X1 {X1}
witness X2 {X2}
witness X3 {X3}
group X-witnesses 2 X1 X2 X3

witness Y1 {Y1}
witness Y2 {Y2}
witness Y3 {Y3}
group Y-witnesses any Y1 Y2 Y3

group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
"""


def private(number: int) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)


LOG = private(1)
ORIGIN = "log.example"
LOG_KEY = VerifierKey(ORIGIN, LOG.public_key().public_bytes_raw())
WITNESSES = {name: private(10 + n) for n, name in enumerate(("X1", "X2", "X3", "Y1", "Y2", "Y3"))}
KEYS = {name: witness_key(f"{name.lower()}.example", key) for name, key in WITNESSES.items()}
POLICY = EXAMPLE.format(log=LOG_KEY, **KEYS)
CHECKPOINT = Checkpoint(ORIGIN, 7, b"r" * 32)


def cosigned(times: dict[str, int]) -> bytes:
    note = sign_checkpoint(CHECKPOINT, LOG)
    for name, time in times.items():
        note += cosign(CHECKPOINT.text, f"{name.lower()}.example", WITNESSES[name], time)
    return note


# --- what the specifications show


def test_the_example_note_of_signed_note() -> None:
    note = Note.parse(SIGNED.encode())
    assert note.text == b"This is an example message.\n"
    (signature,) = note.signatures([VerifierKey.parse(VKEY)])
    assert str(signature.key) == VKEY
    with pytest.raises(VerificationError, match=r"signature by example\.com/foo is false"):
        Note.parse(SIGNED.replace("example message", "other message").encode()).signatures([VerifierKey.parse(VKEY)])


def test_the_example_of_tlog_cosignature() -> None:
    note = Note.parse(COSIGNED.encode())
    log, witness = note.lines
    assert parse_checkpoint(note.text) == Checkpoint(
        "example.com/behind-the-sofa", 20852163, base64.b64decode("CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=")
    )
    assert (log.name, len(log.raw)) == ("example.com/behind-the-sofa", 64)
    assert (witness.name, len(witness.raw)) == ("witness.example.com/w1", 8 + 64)
    assert int.from_bytes(witness.raw[:8], "big") == 1679315147
    assert cosigned_message(1679315147, note.text).decode() == (
        "cosignature/v1\ntime 1679315147\n"
        "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    )


def test_the_example_of_tlog_policy_for_every_set_of_witnesses() -> None:
    """Two of the Xs, and any Y; the time is that of the cosignature with which this was first true."""
    policy = Policy.parse(POLICY.encode())
    times = {name: 1000 + 10 * n for n, name in enumerate(("Y3", "X2", "X1", "Y1", "X3", "Y2"))}
    for number in range(7):
        for names in combinations(times, number):
            enough = sum(name[0] == "X" for name in names) >= 2 and any(name[0] == "Y" for name in names)
            note = cosigned({name: times[name] for name in sorted(names)})
            if not enough:
                with pytest.raises(VerificationError, match="cosignatures that the policy asks for: 'X-and-Y'"):
                    policy.accepts(note)
                continue
            in_time = sorted(names, key=times.__getitem__)
            first = next(
                n
                for n in range(len(in_time))
                if sum(x[0] == "X" for x in in_time[: n + 1]) >= 2 and any(x[0] == "Y" for x in in_time[: n + 1])
            )
            accepted = policy.accepts(note)
            assert accepted.time == times[in_time[first]]
            assert [one.key.name for one in accepted.cosignatures] == [f"{name.lower()}.example" for name in in_time]
            assert (accepted.checkpoint, accepted.log) == (CHECKPOINT, LOG_KEY)


# --- what counts as a signature


def test_signatures_of_strangers_are_passed_over() -> None:
    """signed-note: they are ignored, also if they share a name or a key id with somebody known."""
    note = cosigned({"X1": 5, "X2": 6, "Y1": 7})
    stranger = private(99)
    note += cosign(CHECKPOINT.text, "x3.example", stranger, 9)
    line = f"— another.example {base64.b64encode(LOG_KEY.id + bytes(64)).decode()}\n"
    accepted = Policy.parse(POLICY.encode()).accepts(note + line.encode())
    assert accepted.time == 7
    assert len(accepted.cosignatures) == 3


def test_a_false_signature_by_somebody_known_refuses_the_note() -> None:
    note = cosigned({"X1": 5, "X2": 6, "Y1": 7})
    for time, text in ((0, CHECKPOINT.text), (5, b"other\n"), (2**63, CHECKPOINT.text)):
        signature = WITNESSES["X3"].sign(cosigned_message(time, text))
        raw = KEYS["X3"].id + time.to_bytes(8, "big") + signature
        line = f"— x3.example {base64.b64encode(raw).decode()}\n".encode()
        with pytest.raises(VerificationError, match=r"signature by x3\.example is false"):
            Policy.parse(POLICY.encode()).accepts(note + line)


def test_one_witness_is_one_however_often_it_signs() -> None:
    note = cosigned({"X1": 5, "Y1": 7}) + cosign(CHECKPOINT.text, "x1.example", WITNESSES["X1"], 8)
    with pytest.raises(VerificationError, match="has not the cosignatures"):
        Policy.parse(POLICY.encode()).accepts(note)


def test_a_witness_key_signs_no_log_and_a_log_key_witnesses_nothing() -> None:
    policy = Policy.parse(f"log {LOG_KEY}\nwitness w {KEYS['X1']}\nquorum w\n".encode())
    as_log = VerifierKey(ORIGIN, KEYS["X1"].key)
    with pytest.raises(VerificationError, match="no signature by a key that you trust"):
        policy.accepts(sign_checkpoint(CHECKPOINT, WITNESSES["X1"]))
    with pytest.raises(VerificationError, match="has not the cosignatures"):
        policy.accepts(sign_checkpoint(CHECKPOINT, LOG))
    assert as_log.id != VerifierKey(ORIGIN, KEYS["X1"].key, COSIGNATURE).id


def test_a_note_may_have_many_signatures_but_not_any_number() -> None:
    line = f"— a.example {base64.b64encode(bytes(68)).decode()}\n"
    note = CHECKPOINT.text.decode() + "\n" + line * MAX_SIGNATURES
    assert len(Note.parse(note.encode()).lines) == MAX_SIGNATURES >= 16
    with pytest.raises(VerificationError, match="more than 64 signatures"):
        Note.parse((note + line).encode())


@pytest.mark.parametrize(
    "note",
    [
        "text\n",
        "text\n\n",
        "text\n— a.example AAAAAAA=\n",
        "text\n\n- a.example AAAAAAA=\n",
        "text\n\n— a.example  AAAAAAA=\n",
        "text\n\n— a+b.example AAAAAAA=\n",
        "text\n\n— a.example AAAA\n",
        "text\n\n— a.example AAAAAAB=\n",
        "text\n\n— a.example AAAAAAA=",
        "text\n\n— a.example AAAAAAA=\n\n",
        "te\txt\n\n— a.example AAAAAAA=\n",
        "te\0xt\n\n— a.example AAAAAAA=\n",
    ],
)
def test_what_is_no_note(note: str) -> None:
    with pytest.raises(VerificationError):
        Note.parse(note.encode())
    with pytest.raises(VerificationError, match="not UTF-8"):
        Note.parse(b"te\xffxt\n\n" + SIGNED.encode())


# --- what a policy file may say


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda t: t[:-1], "does not end in a newline"),
        (lambda t: t.replace("quorum X-and-Y\n", ""), "ends without a quorum line"),
        (lambda t: t + "quorum none\n", "line 15: a second quorum"),
        (lambda t: t.replace("quorum X-and-Y", "quorum Z"), "'Z' is not defined before"),
        (lambda t: t.replace("quorum X-and-Y", "quorum"), "not a log, witness, group or quorum line"),
        (lambda t: t.replace("quorum X-and-Y", "Quorum X-and-Y"), "not a log, witness"),
        (lambda t: t.replace("any Y1", "0 Y1"), "not all, any, or a number from 1 to 3"),
        (lambda t: t.replace("any Y1", "4 Y1"), "not all, any, or a number from 1 to 3"),
        (lambda t: t.replace("2 X1", "02 X1"), "not all, any, or a number"),
        (lambda t: t.replace("any Y1 Y2 Y3", "any"), "not a log, witness"),
        (lambda t: t.replace("any Y1", "any X1"), "already a member"),
        (lambda t: t.replace("any Y1", "any Y2"), "already a member"),
        (lambda t: t.replace("any Y1", "any none"), "'none' is not defined before"),
        (lambda t: t.replace("witness Y1", "witness none"), "'none' cannot be defined"),
        (lambda t: t.replace("witness Y1", "witness X1"), "'X1' is defined twice"),
        (lambda t: t.replace("group X-and-Y all X-witnesses", "group X-and-Y all X-and-Y"), "not defined before"),
        (lambda t: t.replace(str(KEYS["Y1"]), str(KEYS["X1"])), "this public key stands there twice"),
        (lambda t: t.replace(str(KEYS["Y1"]), str(witness_key("other.example", WITNESSES["X1"]))), "twice"),
        (lambda t: f"log {VerifierKey('other.example', LOG_KEY.key)}\n" + t, "stands there twice"),
        (lambda t: t.replace(str(LOG_KEY), str(KEYS["X1"])), "signature type 0x04; a log's is 0x01"),
        (lambda t: t.replace(str(KEYS["X1"]), VKEY), "signature type 0x01; a witness's is 0x04"),
        (lambda t: t.replace(str(LOG_KEY), str(LOG_KEY) + " https://a/ more"), "not a log, witness"),
        (lambda t: t.replace(str(LOG_KEY), f"\u00a0{LOG_KEY}"), "not written as keys are"),
        (lambda t: t.replace(str(LOG_KEY), f"{LOG_KEY}\u00a0"), "not written as keys are"),
        (lambda t: t.replace("log ", "log\r ", 1), "line 1: a control character"),
        (lambda t: t.replace("log ", "log\x7f", 1), "a control character"),
        (lambda t: "# long" * 50_000 + "\n" + t, "longer than"),
        (lambda t: "".join(f"group g{n} 1 none\n" for n in range(3)) + t, "line 1: 'none' is not defined"),
    ],
)
def test_policies_that_are_none(change: object, match: str) -> None:
    text = change(POLICY)  # type: ignore[operator]
    assert text != POLICY
    with pytest.raises(VerificationError, match=match) as told:
        Policy.parse(text.encode())
    assert told.value.where.startswith("policy line ")


def test_whitespace_comments_urls_and_octets_are_allowed() -> None:
    text = POLICY.replace("\n\n", "\n \t \n  # Kelvin: \u212a\n").replace(" ", " \t ")
    text = text.replace(" X1", " \u212a").replace(str(LOG_KEY), f"{LOG_KEY} https://log.example/")
    policy = Policy.parse(text.encode())
    assert policy.witnesses[0].name == "\u212a".encode()
    assert policy.logs[0].url == "https://log.example/"
    assert policy.quorum == b"X-and-Y"
    assert policy.log(ORIGIN) == LOG_KEY
    assert policy.log("other.example") is None
    assert Policy.parse(POLICY.encode().replace(b" X1", b" \xff")).witnesses[0].name == b"\xff"


def test_at_least_32_logs_witnesses_and_groups() -> None:
    keys = [private(number).public_key().public_bytes_raw() for number in range(100, 132)]
    lines = [f"log {VerifierKey(f'{n}.example', key)}\n" for n, key in enumerate(keys)]
    lines += [f"witness w{n} {VerifierKey(f'w{n}.example', key, COSIGNATURE)}\n" for n, key in enumerate(keys)]
    lines += [f"group g{n} all w{n}\n" for n in range(32)]
    policy = Policy.parse("".join([*lines, "quorum g31\n"]).encode())
    assert (len(policy.logs), len(policy.witnesses), len(policy.groups)) == (32, 32, 32)
    assert MAX_LINES >= 32


def test_two_keys_of_one_log() -> None:
    """A log that changed its key is known by both: the origin is one."""
    new = VerifierKey(ORIGIN, private(2).public_key().public_bytes_raw())
    policy = Policy.parse(f"log {LOG_KEY}\nlog {new}\nquorum none\n".encode())
    assert policy.accepts(sign_checkpoint(CHECKPOINT, LOG)).log == LOG_KEY
    assert policy.accepts(sign_checkpoint(CHECKPOINT, private(2))).log == new
    assert policy.accepts(sign_checkpoint(CHECKPOINT, LOG)).time is None


def test_a_log_that_is_not_in_the_policy() -> None:
    with pytest.raises(VerificationError, match=r"the log 'other\.example', which you do not trust"):
        Policy.trusting(LOG_KEY).accepts(sign_checkpoint(Checkpoint("other.example", 1, bytes(32)), LOG))

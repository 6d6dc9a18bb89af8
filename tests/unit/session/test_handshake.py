"""From the first byte to a principal: versions, TLS, SCRAM, options; and who must not get in."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from scramp import ScramClient, ScramMechanism

from seenby.model.principal import Principal
from seenby.session.handshake import Admitted, Handshake, Step, parse_verifier
from seenby.wire import backend, frontend
from seenby.wire.framing import Framer, Message
from seenby.wire.startup import cancel_request, startup_message

SSL = bytes.fromhex("00000008 04d2162f")
GSS = bytes.fromhex("00000008 04d21630")
BINDING = b"hash of the certificate, 32 bytes"
PASSWORD = "correct horse"


def verifier(password: str) -> str:
    salt, stored, server, rounds = ScramMechanism("SCRAM-SHA-256").make_auth_info(password, salt=bytes(range(16)))
    a, b, c = (b64encode(one).decode() for one in (salt, stored, server))
    return f"SCRAM-SHA-256${rounds}:{a}${b}:{c}"


SAM = Principal("sam", "IE", "Orbit Ireland Ltd", "Care", "support", "", bytes(32), verifier(PASSWORD))


def handshake(
    *, tls: bool = False, need_tls: bool = False, lookup: Callable[[str], Principal | None] | None = None
) -> Handshake:
    return Handshake(
        lookup or {"sam": SAM}.get,
        secret=b"secret of the gateway",
        nonce="servernonce123456",
        tls=tls,
        need_tls=need_tls,
        binding=BINDING,
    )


def hello(*, minor: int = 0, user: str = "sam", more: dict[str, str] | None = None) -> bytes:
    return startup_message({"user": user, **(more or {})}, 0x0003_0000 | minor)


def only(steps: list[Step]) -> Step:
    (step,) = steps
    return step


def messages(step: Step) -> list[Message]:
    framer = Framer(10_000)
    cut = framer.feed(step.to_client)
    assert framer.pending == 0
    return cut


def refused(step: Step) -> dict[str, str]:
    ((kind, body),) = messages(step)
    assert kind == backend.ERROR
    assert step.close
    assert step.admitted is None
    return backend.read_report(body)


@dataclass
class Exchange:
    """What each side said of one sign-in; ``last`` is the server's answer to the proof."""

    offer: list[bytes]
    server_first: str
    last: Step


def sign_in(
    server: Handshake,
    *,
    user: str = "sam",
    password: str = PASSWORD,
    mechanism: str = "SCRAM-SHA-256",
    binding: bytes | None = None,
    like_libpq: bool = False,
    start: bytes | None = None,
) -> Exchange:
    kind, body = messages(only(server.data(start if start is not None else hello(user=user))))[-1]
    assert (kind, body[:4]) == (backend.AUTHENTICATION, b"\0\0\0\x0a")
    offer = body[4:].split(b"\0")
    assert offer[-2:] == [b"", b""]
    client = ScramClient(
        [mechanism], user, password, channel_binding=("tls-server-end-point", binding) if binding else None
    )
    first = client.get_client_first()
    if like_libpq:  # 54.3.1: the name stands in the startup message, and libpq sends an empty one here
        first = first.replace(f"n={user}", "n=")
        client.client_first_bare = client.client_first_bare.replace(f"n={user}", "n=")
    raw = first.encode()
    answer = only(server.data(frontend.password(mechanism.encode() + b"\0" + len(raw).to_bytes(4, "big") + raw)))
    ((kind, body),) = messages(answer)
    assert (kind, body[:4]) == (backend.AUTHENTICATION, b"\0\0\0\x0b"), body
    server_first = body[4:].decode()
    client.set_server_first(server_first)
    last = only(server.data(frontend.password(client.get_client_final().encode())))
    if last.admitted is not None:
        final, done = messages(last)
        assert final[1][:4] == b"\0\0\0\x0c"
        client.set_server_final(final[1][4:].decode())  # the server knows the verifier too
        assert done == (backend.AUTHENTICATION, bytes(4))
    return Exchange(offer[:-2], server_first, last)


def secured(server: Handshake) -> Handshake:
    assert only(server.data(SSL)) == Step(b"S", start_tls=True)
    server.secured()
    return server


# ---------------------------------------------------------------- who gets in


@pytest.mark.parametrize("like_libpq", [False, True])
def test_the_right_password(like_libpq: bool) -> None:
    done = sign_in(handshake(), like_libpq=like_libpq)
    assert done.offer == [b"SCRAM-SHA-256"]
    assert done.last.admitted == Admitted(SAM, "sam", (), "", 0)
    assert not done.last.close


@pytest.mark.parametrize("like_libpq", [False, True])
def test_over_tls_with_channel_binding(like_libpq: bool) -> None:
    server = secured(handshake(tls=True, need_tls=True))
    done = sign_in(server, mechanism="SCRAM-SHA-256-PLUS", binding=BINDING, like_libpq=like_libpq)
    assert done.offer == [b"SCRAM-SHA-256-PLUS", b"SCRAM-SHA-256"]
    assert done.last.admitted is not None


def test_over_tls_without_channel_binding() -> None:
    assert sign_in(secured(handshake(tls=True))).last.admitted is not None


def test_another_certificate_in_between_is_noticed() -> None:
    server = secured(handshake(tls=True))
    done = sign_in(server, mechanism="SCRAM-SHA-256-PLUS", binding=b"hash of another certificate")
    assert refused(done.last)["C"] == "28P01"


def test_a_client_that_was_told_there_is_no_binding_is_not_let_in() -> None:
    """``y``: the client could bind and believes that we cannot, so somebody took it off our offer (RFC 5802, 6)."""
    server = secured(handshake(tls=True))
    server.data(hello())
    raw = b"y,,n=sam,r=clientnonce"
    step = only(server.data(frontend.password(b"SCRAM-SHA-256\0" + len(raw).to_bytes(4, "big") + raw)))
    assert refused(step)["C"] == "28P01"


def test_a_wrong_password() -> None:
    report = refused(sign_in(handshake(), password="wrong").last)
    assert (report["V"], report["C"]) == ("FATAL", "28P01")
    assert report["M"] == 'password authentication failed for user "sam"'


def test_a_password_that_was_right_for_somebody_else() -> None:
    ann = replace(SAM, name="ann", scram=verifier("another"))
    people = {"sam": SAM, "ann": ann}
    done = sign_in(handshake(lookup=people.get), user="ann", password=PASSWORD)
    assert refused(done.last)["C"] == "28P01"


def test_an_unknown_name_is_asked_the_same_questions_and_gets_the_same_answer() -> None:
    known = sign_in(handshake(), password="wrong")
    unknown = sign_in(handshake(), user="nobody")
    assert unknown.offer == known.offer

    def shape(first: str) -> list[tuple[str, int]]:
        fields = dict(one.split("=", 1) for one in first.split(","))
        return [(name, len(value)) for name, value in fields.items()]

    assert shape(unknown.server_first) == shape(known.server_first)
    assert refused(unknown.last) == {**refused(known.last), "M": 'password authentication failed for user "nobody"'}


def test_the_salt_of_an_unknown_name_is_the_same_tomorrow_and_differs_between_names() -> None:
    salts = [sign_in(handshake(), user=user).server_first.split(",")[1] for user in ("nobody", "nobody", "somebody")]
    assert salts[0] == salts[1] != salts[2]


def test_a_proof_for_an_unknown_name_never_helps() -> None:
    """Even with the key that stands in for the missing one, an unknown name is not admitted."""
    server = handshake()
    server.data(hello(user="nobody"))
    server._scram.set_client_final = lambda _: None
    server._scram.get_server_final = lambda: "v=AAAA"
    raw = b"n,,n=nobody,r=clientnonce"
    server.data(frontend.password(b"SCRAM-SHA-256\0" + len(raw).to_bytes(4, "big") + raw))
    assert refused(only(server.data(frontend.password(b"c=biws,r=x,p=AAAA"))))["C"] == "28P01"


def test_a_broken_verifier_in_the_directory_lets_nobody_in() -> None:
    server = handshake(lookup=lambda _: replace(SAM, scram="md5abc"))
    server.data(hello())
    raw = b"n,,n=sam,r=clientnonce"
    step = only(server.data(frontend.password(b"SCRAM-SHA-256\0" + len(raw).to_bytes(4, "big") + raw)))
    assert refused(step)["C"] == "28P01"


def test_a_directory_that_raises_ends_the_connection_with_a_sentence() -> None:
    def broken(_: str) -> Principal | None:
        raise RuntimeError("a fault")

    assert refused(only(handshake(lookup=broken).data(hello())))["C"] == "XX000"


def test_verifiers() -> None:
    assert parse_verifier(SAM.scram)[0] == bytes(range(16))
    for text in ("", "md5abc", SAM.scram.replace("SCRAM-SHA-256", "SCRAM-SHA-1"), SAM.scram + "$x"):
        with pytest.raises(ValueError):
            parse_verifier(text)


# ---------------------------------------------------------------- TLS, versions, cancel


def test_without_tls_the_answers_are_no() -> None:
    server = handshake()
    assert [step.to_client for step in server.data(SSL + GSS)] == [b"N", b"N"]
    assert sign_in(server).last.admitted is not None


def test_gssapi_no_then_tls_yes_then_never_tls_twice() -> None:
    server = handshake(tls=True)
    assert only(server.data(GSS)) == Step(b"N")
    secured(server)
    assert only(server.data(SSL)) == Step(b"N")


def test_where_tls_is_needed_nobody_is_asked_for_a_password_without() -> None:
    report = refused(only(handshake(tls=True, need_tls=True).data(hello())))
    assert report["C"] == "28P01"
    assert "TLS" in report["M"]
    assert "sslmode=require" in report["H"]


@pytest.mark.parametrize("split", [False, True])
def test_bytes_injected_before_tls_are_refused(split: bool) -> None:
    """CVE-2021-23214: what came in the clear must not be read as if it had come through TLS."""
    server = handshake(tls=True)
    if split:
        server.data(SSL)
        step = only(server.data(hello()))
    else:
        step = server.data(SSL + hello())[-1]
    assert refused(step)["C"] == "08P01"


@pytest.mark.parametrize(
    ("version", "options", "negotiated", "spoken"),
    [
        (0, {}, None, 0),
        (2, {}, None, 2),
        (9, {}, "00030002 00000000", 2),
        (1, {}, "00030000 00000000", 0),
        (0, {"_pq_.compression": "on"}, "00030000 00000001" + b"_pq_.compression\0".hex(), 0),
        (2, {"_pq_.b": "", "_pq_.a": ""}, "00030002 00000002" + b"_pq_.a\0_pq_.b\0".hex(), 2),
    ],
)
def test_versions(version: int, options: dict[str, str], negotiated: str | None, spoken: int) -> None:
    start = hello(minor=version, more=options)
    got = messages(only(handshake().data(start)))
    assert got[:-1] == ([] if negotiated is None else [(backend.NEGOTIATE, bytes.fromhex(negotiated))])
    admitted = sign_in(handshake(), start=start).last.admitted
    assert admitted is not None
    assert admitted.minor == spoken
    assert admitted.settings == ()


def test_a_cancel_request_is_handed_on_and_closes_whatever_follows() -> None:
    server = handshake(tls=True, need_tls=True)
    step = only(server.data(cancel_request(7, b"key-of-32") + hello()))
    assert step.cancel is not None
    assert (step.cancel.pid, step.cancel.key, step.close, step.to_client) == (7, b"key-of-32", True, b"")
    assert server.data(hello()) == []


def test_byte_by_byte() -> None:
    server = handshake()
    start = hello()
    for at in range(len(start) - 1):
        assert server.data(start[at : at + 1]) == []
    assert only(server.data(start[-1:])).to_client[:1] == b"R"


# ---------------------------------------------------------------- what a client asks for


def settings_of(**parameters: str) -> Admitted:
    admitted = sign_in(handshake(), start=hello(more=parameters)).last.admitted
    assert admitted is not None
    return admitted


def test_database_settings_and_grant() -> None:
    admitted = settings_of(
        database="platform",
        application_name="psql",
        options=r"-c seenby.grant=6F01 -c datestyle=ISO,\ MDY --time-zone=UTC",
    )
    assert admitted.database == "platform"
    assert admitted.grant == "6F01"
    assert admitted.settings == (("application_name", "psql"), ("datestyle", "ISO, MDY"), ("time_zone", "UTC"))


@pytest.mark.parametrize(
    ("options", "pairs"),
    [
        ("", ()),
        ("   ", ()),
        ("-cgeqo=off", (("geqo", "off"),)),
        ("-c a=b=c", (("a", "b=c"),)),
        ("-c a=", (("a", ""),)),
        (r"-c a=\\\ x", (("a", "\\ x"),)),
    ],
)
def test_options(options: str, pairs: tuple[tuple[str, str], ...]) -> None:
    assert settings_of(options=options).settings == pairs


@pytest.mark.parametrize("options", ["-c", "-c geqo", "-B 100", "geqo=off", "-c =x", "--", "-d5"])
def test_options_that_are_not_settings_are_refused(options: str) -> None:
    report = refused(only(handshake().data(hello(more={"options": options}))))
    assert report["C"] == "55P02"
    assert "seenby.grant" in report["H"]


@pytest.mark.parametrize("value", ["true", "database", "on", "1", "yes", "TRUE"])
def test_no_replication(value: str) -> None:
    assert refused(only(handshake().data(hello(more={"replication": value}))))["C"] == "0A000"


def test_a_name_is_needed() -> None:
    for start in (startup_message({"database": "x"}), startup_message({"user": ""})):
        assert refused(only(handshake().data(start)))["C"] == "28P01"


# ---------------------------------------------------------------- what does not belong


@pytest.mark.parametrize(
    "answer",
    [
        frontend.query("select 1"),
        frontend.password(b"SCRAM-SHA-256-PLUS\0\0\0\0\x03n,,"),  # not offered without TLS
        frontend.password(b"SCRAM-SHA-1\0\0\0\0\x03n,,"),
        frontend.password(b"SCRAM-SHA-256\0\xff\xff\xff\xff"),
        frontend.password(b"SCRAM-SHA-256\0\0\0\0\x04n,,"),
        frontend.password(b"SCRAM-SHA-256"),
        frontend.password(b""),
        b"p\0\0\xff\xff",
    ],
)
def test_an_answer_that_does_not_belong_ends_it(answer: bytes) -> None:
    server = handshake()
    server.data(hello())
    assert refused(only(server.data(answer)))["C"] == "08P01"
    assert server.data(answer) == []


def test_a_first_message_that_is_no_scram_is_a_failed_sign_in() -> None:
    for raw in (b"", b"n,,", b"n,,n=sam", b"p=tls-unique,,n=sam,r=x", b"n,a=root,n=sam,r=x", b"n,,n=\xff,r=x"):
        server = handshake()
        server.data(hello())
        step = only(server.data(frontend.password(b"SCRAM-SHA-256\0" + len(raw).to_bytes(4, "big") + raw)))
        assert refused(step)["C"] == "28P01"


def test_nothing_may_follow_the_proof_before_it_is_answered() -> None:
    server = handshake()
    server.data(hello())
    raw = b"n,,n=sam,r=clientnonce"
    server.data(frontend.password(b"SCRAM-SHA-256\0" + len(raw).to_bytes(4, "big") + raw))
    for tail in (frontend.query("select 1"), b"Q", frontend.password(b"again")):
        other = handshake()
        other.data(hello())
        other.data(frontend.password(b"SCRAM-SHA-256\0" + len(raw).to_bytes(4, "big") + raw))
        step = other.data(frontend.password(b"c=biws,r=x,p=AAAA") + tail)[-1]
        assert refused(step)["C"] in {"08P01"}

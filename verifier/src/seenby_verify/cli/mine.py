"""``seenby-verify mine``: a person keeps what proves that the entries about them are in the log."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final

import httpx2
from cyclopts import Parameter

from seenby_verify.cli.output import console, progress, say_json
from seenby_verify.cli.trust import Json, Key, PolicyFile, policy_of, read_file
from seenby_verify.client import open_log
from seenby_verify.errors import NotFound, SeenbyError, Unavailable, UsageError, VerificationError
from seenby_verify.kept import Folder, check_due, collect, in_words
from seenby_verify.labels import Labels, scan
from seenby_verify.patience import Patience
from seenby_verify.tlog.bundle_format import Bundle
from seenby_verify.tlog.records import person_mac
from seenby_verify.tlog.strict import load_json

HEADER: Final = "seenby-person"
TIMEOUT: Final = 30.0
MAX_ANSWER: Final = 4 << 20
LOCAL: Final = ("localhost", "127.0.0.1", "::1")


def mine(
    bundle: Path,
    place: str,
    /,
    *,
    out: Path,
    key: Key = None,
    policy: PolicyFile = None,
    region: str = "",
    wait: float = 60.0,
    scan_log: Annotated[bool, Parameter(name="--scan", negative="")] = False,
    json_: Json = False,
) -> int:
    """Keep receipts of every entry about you: proof that the log holds it, and nothing else in its place.

    The gateway is asked, which a bundle's key opens; your key is not sent. An entry that is not public yet comes as the
    log's signed promise, N.promise; its receipt, N.tlog-proof, takes the promise's place. Run it as often as you like.
    Exit status 0: each was checked and saved. 1: something does not hold, or a promise was broken.

    With --scan nobody is asked: the log's own files are read to their end, wherever a copy lies. That works after your
    key was erased, too, if you kept the bundle.

    Parameters
    ----------
    bundle
        Your bundle, NAME.bundle.json: it holds your keys.
    place
        Where the log is: the URL under which the region serves it; with --scan also a directory.
    out
        The directory for the files; one for each region. It is made if it is not there.
    region
        Which region's log it is. Default: the one in which your newest key was made.
    wait
        How many seconds to wait for receipts of what is only promised. Default: 60, the promise's delay; 0: do not.
    """
    trusted = policy_of(key, policy)
    given = Bundle.parse(read_file(bundle))
    region = region or given.keys[-1].region
    if region not in {log.region for log in given.logs}:
        raise UsageError(f"the bundle is not about region {region}", hint="give --region as the bundle has it")
    labels = Labels([one.key for one in given.keys], region)
    folder = Folder(out, trusted, labels.check)
    if scan_log:
        with open_log(place) as source, progress("entries") as tell:
            scan(source, trusted, labels, folder, tell)
    else:
        ask = _asker(place, given.person, given.keys[-1].key, region)
        collect(ask, "/mine", folder, wait)
    if json_:
        say_json({"ok": True, "fault": None, **folder.to_json()})
    else:
        for sentence in in_words(folder, "everything about you that the log holds"):
            console().print(sentence, markup=False)
    check_due(folder, time.time())
    return 0


def _asker(place: str, person: str, key: bytes, region: str) -> Callable[[str], Any]:
    """Reads a path of the gateway's as this person. Who listens on the way must not learn who asks: TLS, or here."""
    try:
        url = httpx2.URL(place)
    except httpx2.InvalidURL:
        url = httpx2.URL("")
    if url.scheme not in ("http", "https") or not url.host:
        raise UsageError(f"{place} is no URL", hint="give the log's URL, or --scan to read a copy of its files")
    if url.scheme == "http" and url.host not in LOCAL:
        raise UsageError(
            f"{place} would tell everybody on the way which entries are about you",
            hint="give its https:// URL, or --scan",
        )
    name = base64.b64encode(person.encode()).decode()

    def read(path: str) -> Any:
        at = int(time.time())
        # The gateway sees the path behind its own prefix, if a web server stands before it.
        mac = person_mac(key, person, region, path, at).hex()
        try:
            headers = {HEADER: f"{name} {at} {mac}", "accept-encoding": "identity"}
            asked, patience = f"{str(url).rstrip('/')}{path}", Patience()
            with (
                httpx2.Client(timeout=TIMEOUT) as client,
                patience.for_answer(TIMEOUT, MAX_ANSWER),
                client.stream("GET", asked, headers=headers, extensions=patience.extensions) as answer,
            ):
                status, body = answer.status_code, _body(answer)
        except (httpx2.TransportError, httpx2.DecodingError) as error:
            raise Unavailable(f"{place} does not answer: {error}", hint="check the URL, or give --scan") from None
        if status == 200:
            try:
                return load_json(body, "the gateway's answer", MAX_ANSWER)
            except VerificationError as error:
                hint = f"is {place} the region's log? --scan asks nobody"
                raise VerificationError(error.message, where=error.where, hint=hint, detail=error.detail) from None
        raise _refused(place, status, body)

    return read


def _body(answer: httpx2.Response) -> bytes:
    """At most one byte more than an answer may have: whoever answers may be the one who is being checked."""
    body = b""
    for part in answer.iter_bytes(65_536):
        body += part
        if len(body) > MAX_ANSWER:
            break
    return body[: MAX_ANSWER + 1]


def _refused(place: str, status: int, body: bytes) -> SeenbyError:
    try:
        told = load_json(body, "the refusal", MAX_ANSWER)
        message, hint = str(told["error"]), str(told["hint"])
    except (VerificationError, KeyError, TypeError):
        message, hint = f"{place} answers {status}", ""
    if status in (408, 425, 429) or status >= 500:
        return Unavailable(message, hint=hint or "ask again later, or give --scan")
    return NotFound(message, hint=f"{hint or 'check the URL'}; --scan asks nobody")

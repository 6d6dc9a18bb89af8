"""``seenby audit confirm``: an auditor recounts the newest daily report, and signs it."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from seenby.cli.grant import As, ConfigFile, Key, Socket, open_client
from seenby.errors import NotFound, VerificationError
from seenby_verify.cli.plain import sentences
from seenby_verify.cli.reading import checked_log
from seenby_verify.cli.trust import PolicyFile, policy_of


def confirm(
    place: str,
    /,
    *,
    as_: As,
    key: Key,
    config: ConfigFile = None,
    socket: Socket = None,
    log_key: Annotated[str | None, Parameter(help="The log's verifier key, instead of --policy.")] = None,
    policy: PolicyFile = None,
) -> None:
    """Recount the newest daily report, from the log's own files, and put your signature under it.

    Nothing is signed that the files do not say. Purposes and countries of accesses are the gateway's word: of these the
    sums alone can be recounted.

    Parameters
    ----------
    place
        Where the log is: a URL, or a directory with a copy.
    """
    check = checked_log(place, policy_of(log_key, policy, "--log-key"))
    report = check.rules.reports.last
    if report is None:
        raise NotFound("the log has no daily report yet", hint="the first one is written when a day is over (UTC)")
    document = report.encode()
    with open_client(as_, key, config, socket) as client:
        offered = client.read("/reports/newest")
        if client.region != report.region or offered.get("document", "").encode() != document:
            raise VerificationError(
                f"the newest report in {place} is that of {report.date}, and the gateway has another one",
                hint="bring your copy of the log up to date; if it is, keep it, and ask why",
            )
        signature = client.sign_report(offered["epoch"], report.day.day, document)
        body = {"document": document.decode(), "epoch": offered["epoch"], "signature": signature}
        client.post_signed("/reports/newest", body)
    said = f"The report of {report.date} agrees with entries {report.first} to {report.end - 1}."
    sentences().print(f"{said} Your signature is in the log.", markup=False)

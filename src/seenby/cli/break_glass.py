"""``seenby grant break-glass`` and ``seenby grant review``: access at once in an emergency, and the verdict on it."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from typing import Annotated, Literal

from cyclopts import Parameter
from rich.markup import escape

from seenby.cli.control_client import grant_path
from seenby.cli.grant import As, ConfigFile, Id, Json, Key, Socket, ask, open_client
from seenby.cli.grant_view import checked, print_next, print_scope
from seenby.errors import UsageError
from seenby.grants.signing import Verb
from seenby.model.classes import DataClass
from seenby.model.people import Person
from seenby_verify.cli.plain import sentences

MINUTES = 30
ROWS = 1_000

VERDICTS = {"justified": Verb.JUSTIFIED, "unjustified": Verb.UNJUSTIFIED}


def break_glass(
    *,
    as_: As,
    key: Key,
    reason: str,
    class_: Annotated[Sequence[DataClass], Parameter(name="--class", negative="")] = (),
    person: Annotated[Sequence[str], Parameter(negative="")] = (),
    purpose: str = "emergency",
    reference: str = "",
    region: Annotated[Sequence[str], Parameter(negative="")] = (),
    minutes: int = MINUTES,
    max_rows: int = ROWS,
    config: ConfigFile = None,
    socket: Socket = None,
    json_: Json = False,
) -> None:
    """See some data now, without approval: a life is at stake, and nobody can wait for approvers.

    It is loud: the protection officer and every approver are told, the public log says that the glass was broken, and
    approvers review it. While a review is late, or after one that finds it unjustified, you get nothing any more.

    Example, with SEENBY_AS, SEENBY_KEY and SEENBY_CONFIG set:
    seenby grant break-glass --reason "she says goodbye in a live video" --class location --person account:42

    Parameters
    ----------
    reason
        What cannot wait, in one sentence.
    class_
        A kind of data; two at most.
    person
        Whose data, as in account:42. May be given several times.
    purpose
        One word of the organisation's list. Default: emergency.
    reference
        The ticket, case or report, if there is one.
    region
        The home region of these people. Default: the gateway's own.
    minutes
        For how long; 30 at most, and the default.
    max_rows
        How many rows may be shown in all. Default: 1000.
    """
    with open_client(as_, key, config, socket) as client:
        people = sorted({str(Person.parse(text)) for text in person})
        if not class_ or not people:
            raise UsageError("what, and of whom?", hint="give --class CLASS (two at most) and --person KIND:KEY")
        wish = {
            "principal": as_,
            "id": secrets.token_hex(16),
            "purpose": purpose,
            "reference": reference,
            "cells": [[name, sorted(set(region)) or [client.region]] for name in sorted({*map(str, class_)})],
            "people": people,
            "not_before": 0,
            "seconds": minutes * 60,
            "max_people": len(people),
            "max_rows": max_rows,
            "answers": "rows",
            "noise": None,
            "writes": [],
            "reason": reason,
            "emergency": True,
        }
        _, _, view = ask(client, wish, quiet=json_)
    if json_:
        print(json.dumps(view))
        return
    sentences().print(
        "\n[bold red]The glass is broken.[/] Every approver and the protection officer see it; so does the log."
    )
    print_next(sentences(), view, config, socket)


def review(
    id: Id,
    /,
    *,
    as_: As,
    key: Key,
    verdict: Literal["justified", "unjustified"],
    note: str = "",
    config: ConfigFile = None,
    socket: Socket = None,
    json_: Json = False,
) -> None:
    """Say whether breaking the glass was justified, as an approver of the people's region.

    After one "unjustified" its user is locked: no requests, no grants, no sessions. A protection officer who signs
    "justified" after that lifts the lock.

    Parameters
    ----------
    verdict
        justified or unjustified; signed, and in the log for good.
    note
        Why, in one sentence, for the protection officer. It is kept with the notices, not in the log.
    """
    verb = VERDICTS[verdict]
    with open_client(as_, key, config, socket) as client:
        terms, commit = checked(client.read(grant_path(id)))
        if not json_:
            print_scope(sentences(), terms)
        signed = {"signature": client.sign(verb, terms.id, commit), "verdict": str(verb), "note": note}
        view = client.post_signed(f"/grants/{terms.id}/review", signed)
    if json_:
        print(json.dumps(view))
        return
    sentences().print(f"\n{escape(as_)} signed: {verdict}.")
    print_next(sentences(), view, config, socket)

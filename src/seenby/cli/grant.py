"""``seenby grant``: ask for access to data, approve, deny, revoke, look."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter
from rich.markup import escape
from rich.table import Table

from seenby.cli.control_client import ControlClient, grant_path
from seenby.cli.grant_view import break_glass, checked, holds, print_next, print_scope, state, waits_for_review
from seenby.cli.moment import moment
from seenby.errors import UsageError, VerificationError
from seenby.grants.signing import Verb
from seenby.grants.terms import decode_terms, grant_commit, noise_value, writes_value
from seenby.grants.words import approvals, clock, what, whom
from seenby.model.classes import DataClass
from seenby.model.grant import Answers, GrantTerms, Noise, Write, WriteAction
from seenby.model.people import Person
from seenby.stores.config import load_config
from seenby_verify.cli.plain import PlainConsole, sentences

MINUTES = 30
ROWS = 10_000
PEOPLE = 1_000

app = App(
    name="grant",
    help="Ask for access to people's data; approve, deny, revoke, review.",
    help_epilogue="A grant names a purpose, kinds of data, people and a time. It works once as many approvers of the "
    "people's region as the policy asks for have signed it, and ends by itself. All of it is in the region's log.",
    default_parameter=Parameter(show_default=False),
)

for verb, sentence in (
    ("break-glass", "In an emergency: see some data now, without approval, for half an hour at most."),
    ("review", "Say whether breaking the glass was justified, as an approver of the people's region."),
):
    app.command(f"seenby.cli.break_glass:{verb.replace('-', '_')}", name=verb, help=sentence)

As = Annotated[str, Parameter(name="--as", env_var="SEENBY_AS", help="Your name in the directory.")]
Key = Annotated[Path, Parameter(name="--key", env_var="SEENBY_KEY", help="Your private key, a PEM file (mode 600).")]
ConfigFile = Annotated[
    Path | None, Parameter(name="--config", env_var="SEENBY_CONFIG", help="The region's seenby.toml.")
]
Socket = Annotated[Path | None, Parameter(name="--socket", help="The gateway's control socket, instead of --config.")]
Json = Annotated[bool, Parameter(name="--json", negative="", help="Print JSON instead of text.")]
Id = Annotated[str, Parameter(help="The grant's id, or its first digits.")]


def open_client(name: str, key: Path, config: Path | None, socket: Path | None) -> ControlClient:
    """The gateway's control API, as somebody of the directory. Raises UsageError, ConfigError, Unavailable."""
    if socket is None and config is None:
        raise UsageError("which gateway?", hint="give --config FILE (the region's seenby.toml), or --socket FILE")
    return ControlClient(socket or load_config(config or "").control_socket, name, key)


@app.command
def request(
    *,
    as_: As,
    key: Key,
    purpose: str,
    reference: str = "",
    class_: Annotated[Sequence[DataClass], Parameter(name="--class", negative="")] = (),
    column: Annotated[Sequence[str], Parameter(negative="")] = (),
    person: Annotated[Sequence[str], Parameter(negative="")] = (),
    region: Annotated[Sequence[str], Parameter(negative="")] = (),
    minutes: int = 0,
    seconds: int = 0,
    begin: str = "",
    max_people: int = 0,
    max_rows: int = ROWS,
    answers: Answers = Answers.ROWS,
    epsilon: float = 0,
    epsilon_each: float = 0,
    may_update: Annotated[Sequence[str], Parameter(negative="")] = (),
    may_delete: Annotated[Sequence[str], Parameter(negative="")] = (),
    may_insert: Annotated[Sequence[str], Parameter(negative="")] = (),
    reason: str = "",
    config: ConfigFile = None,
    socket: Socket = None,
    json_: Json = False,
) -> None:
    """Ask to see some data of some people for some time.

    Example, with SEENBY_AS, SEENBY_KEY and SEENBY_CONFIG set:
    seenby grant request --purpose support --reference T-1001 --class contact --person account:42

    Parameters
    ----------
    purpose
        One word of the organisation's list, as in support.
    reference
        The ticket, case or report that this is for. Needed for all but public data and content.
    class_
        A kind of data. Several: give it several times. Public columns of the same people are always included.
    column
        A single column, as in accounts.phone. May be given several times.
    person
        Whose data, as in account:42. May be given several times. Without it: everybody of the region.
    region
        The home region of these people. Default: the gateway's own.
    minutes
        For how long. Default: 30 minutes; a week is 10080.
    seconds
        Added to the minutes.
    begin
        From when on, as in 2026-11-22T14:00Z. Default: at once.
    max_people
        How many people may be shown in all. Default: as many as you name, else 1000.
    max_rows
        How many rows may be shown in all. Default: 10000.
    answers
        rows (the default), statistics (figures about many people, never one person's row) or both.
    epsilon
        Statistics with noise: how much all of them may tell about one person, as in 1. Default: no noise.
    epsilon_each
        How much each of them does. Default: a tenth of it.
    may_update
        A column of these people's rows that you must change, as in accounts.email. May be given several times.
    may_delete
        A table whose rows of these people you must delete. May be given several times.
    may_insert
        A table to which you must add rows about these people. May be given several times.
    reason
        One sentence for the approvers.
    """
    with open_client(as_, key, config, socket) as client:
        people = sorted({str(Person.parse(text)) for text in person}) or None
        wish = {
            "principal": as_,
            "id": secrets.token_hex(16),
            "purpose": purpose,
            "reference": reference,
            "cells": [[name, sorted(set(region)) or [client.region]] for name in sorted({*map(str, class_), *column})],
            "people": people,
            "not_before": _begin(begin),
            "seconds": minutes * 60 + seconds or MINUTES * 60,
            "max_people": max_people or (len(people) if people else PEOPLE),
            "max_rows": max_rows,
            "answers": str(answers),
            "noise": _noise(epsilon, epsilon_each),
            "writes": writes_value(_writes(may_update, may_delete, may_insert)),
            "reason": reason,
            "emergency": False,
        }
        if not wish["cells"]:
            raise UsageError(
                "what do you want to see?", hint="give --class CLASS (as in contact) or --column TABLE.COLUMN"
            )
        terms, draft, view = ask(client, wish, quiet=json_)
    if json_:
        print(json.dumps(view))
        return
    to = sentences()
    if terms.approvals:
        to.print(f"\nThe policy allows it once {approvals(terms)} have signed. {escape(' '.join(draft['because']))}")
    else:
        to.print("\nThe policy allows it without approval.")
    print_next(to, view, config, socket)


def ask(client: ControlClient, wish: dict[str, Any], *, quiet: bool) -> tuple[GrantTerms, Any, Any]:
    """Draft, look, sign, send. (terms, the draft, the grant as the gateway answers with it)"""
    draft = client.post("/drafts", wish)
    data = draft["terms"].encode()
    terms = decode_terms(data)
    _check_draft(terms, wish)
    if not quiet:
        print_scope(sentences(), terms)
    opening = secrets.token_bytes(32)
    verb = Verb.BREAK_GLASS if terms.emergency else Verb.REQUEST
    signature = client.sign(verb, terms.id, grant_commit(opening, data))
    return (
        terms,
        draft,
        client.post("/grants", {"terms": data.decode(), "opening": opening.hex(), "signature": signature}),
    )


def _writes(updates: Sequence[str], deletes: Sequence[str], inserts: Sequence[str]) -> list[Write]:
    """What was asked for, in the order of the format. Raises UsageError for an update without a column."""
    columns: dict[str, set[str]] = {}
    for text in updates:
        table, dot, column = text.rpartition(".")
        if not dot:
            raise UsageError(f"{text!r} is not a column", hint="write --may-update TABLE.COLUMN")
        columns.setdefault(table, set()).add(column)
    found = [Write(table, WriteAction.UPDATE, tuple(sorted(names))) for table, names in columns.items()]
    found += [Write(table, WriteAction.DELETE) for table in set(deletes)]
    found += [Write(table, WriteAction.INSERT) for table in set(inserts)]
    return sorted(found, key=lambda write: (write.table, write.action))


def _check_draft(terms: GrantTerms, wish: dict[str, Any]) -> None:
    """Nobody signs what they did not ask for: everything that came back must be what was sent."""
    back = {
        "principal": terms.principal,
        "id": terms.id,
        "purpose": terms.purpose,
        "reference": terms.reference,
        "cells": [[cell.what, list(cell.regions)] for cell in terms.cells],
        "people": None if terms.people is None else [str(person) for person in terms.people],
        "noise": terms.noise and noise_value(terms.noise),
        "not_before": terms.not_before if wish["not_before"] else 0,
        "seconds": terms.not_after - terms.not_before,
        "max_people": terms.max_people,
        "max_rows": terms.max_rows,
        "answers": str(terms.answers),
        "writes": writes_value(terms.writes),
        "reason": terms.reason,
        "emergency": terms.emergency,
    }
    if back != wish:
        raise VerificationError("the gateway changed your request, so it was not signed", hint="tell whoever runs it")


@app.command
def approve(
    id: Id, /, *, as_: As, key: Key, config: ConfigFile = None, socket: Socket = None, json_: Json = False
) -> None:
    """Sign what somebody asks for, as an approver of the people's region."""
    _decide(Verb.APPROVE, id, as_, key, config, socket, json_)


@app.command
def deny(
    id: Id, /, *, as_: As, key: Key, config: ConfigFile = None, socket: Socket = None, json_: Json = False
) -> None:
    """Refuse what somebody asks for, for good, as an approver of the people's region."""
    _decide(Verb.DENY, id, as_, key, config, socket, json_)


@app.command
def revoke(
    id: Id, /, *, as_: As, key: Key, config: ConfigFile = None, socket: Socket = None, json_: Json = False
) -> None:
    """End a grant now, as its requester or an approver: its sessions are cut, also in the middle of a result."""
    _decide(Verb.REVOKE, id, as_, key, config, socket, json_)


def _decide(
    verb: Verb, grant_id: str, name: str, key: Path, config: Path | None, socket: Path | None, as_json: bool
) -> None:
    to = sentences()
    with open_client(name, key, config, socket) as client:
        view = client.read(grant_path(grant_id))
        terms, commit = checked(view)
        if not as_json:
            print_scope(to, terms)
        signed = {"name": name, "signature": client.sign(verb, terms.id, commit)}
        view = client.post(f"/grants/{terms.id}/{verb}", signed)
    if as_json:
        print(json.dumps(view))
        return
    to.print(f"\n{escape(name)} signed: {verb}.")
    print_next(to, view, config, socket)


@app.command(name="list")
def list_(*, as_: As, key: Key, config: ConfigFile = None, socket: Socket = None, json_: Json = False) -> None:
    """The grants that you may see: your own, and those about the people whom you guard."""
    with open_client(as_, key, config, socket) as client:
        views = client.read("/grants")
    if json_:
        print(json.dumps(views))
        return
    if not views:
        sentences().print("No grants that you may see.")
        return
    for view in filter(waits_for_review, views):
        sentences().print(break_glass(view))
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("grant", "state", "who", "why", "sees", "of whom", "until"):
        table.add_column(name, no_wrap=name in {"grant", "state"})
    for view in views:
        terms, _ = checked(view)
        why = f"{terms.purpose} {terms.reference}"
        row = (terms.id[:8], state(view), terms.principal, why, what(terms), whom(terms), clock(terms.not_after))
        table.add_row(*map(escape, row))
    PlainConsole(highlight=False).print(table)


@app.command
def show(
    id: Id, /, *, as_: As, key: Key, config: ConfigFile = None, socket: Socket = None, json_: Json = False
) -> None:
    """A grant in plain words, who signed it, and whether each signature holds."""
    with open_client(as_, key, config, socket) as client:
        view = client.read(grant_path(id))
    if json_:
        print(json.dumps(view))
        return
    terms, commit = checked(view)
    to = sentences()
    print_scope(to, terms)
    to.print(f"  {'state':<10} {escape(state(view))}")
    to.print("\nSignatures, each over these terms (checked here, not believed):")
    for signed in view["signatures"]:
        signer = signed["name"] or "somebody who has left"
        guards = f", guards {signed['region']}" if signed["region"] else ""
        said = "[green]holds[/]" if holds(client.region, terms, commit, signed) else "[bold red]DOES NOT HOLD[/]"
        to.print(f"  {signed['verb']:<10} {escape(signer)}{guards}, key {signed['key_id']}: {said}")
    for problem in view["problems"]:
        to.print(f"  [bold red]problem[/]    {escape(problem)}")
    print_next(to, view, config, socket)


@app.command
def notices(*, as_: As, key: Key, config: ConfigFile = None, socket: Socket = None, json_: Json = False) -> None:
    """What the region's protection officer must know: protected people asked for, and data that somebody changed."""
    with open_client(as_, key, config, socket) as client:
        found = client.read("/notices")
    if json_:
        print(json.dumps(found))
        return
    if not found:
        sentences().print("No notices.")
    for notice in found:
        about = f" (grant {notice['grant'][:8]})" if notice["grant"] else ""
        sentences().print(f"{clock(notice['at'])}  [bold]{escape(notice['kind'])}[/]: {escape(notice['text'])}{about}")


def _noise(epsilon: float, each: float) -> dict[str, int] | None:
    """As the control API takes it, in thousandths."""
    if not epsilon and not each:
        return None
    return noise_value(Noise(round(1000 * epsilon), round(1000 * (each or epsilon / 10))))


def _begin(text: str) -> int:
    """When a grant is to begin, in Unix seconds; 0: at once."""
    at = int(moment(text))
    if text and at < time.time():
        raise UsageError(f"{text} has passed", hint="leave --begin out to begin at once")
    return at

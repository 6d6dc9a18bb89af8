"""``seenby erase``: a person's key goes for good, and with it every link between them and the log."""

from __future__ import annotations

import json
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from seenby.cli.grant import As, ConfigFile, Json, Key, Socket, open_client
from seenby.errors import UsageError
from seenby.grants.words import clock
from seenby.model.people import Person
from seenby_verify.cli.plain import sentences


def erase(
    *people: str,
    as_: As,
    key: Key,
    key_only: Annotated[bool, Parameter(name="--key-only", negative="")] = False,
    now: Annotated[bool, Parameter(name="--now", negative="")] = False,
    status: Annotated[bool, Parameter(name="--status", negative="")] = False,
    config: ConfigFile = None,
    socket: Socket = None,
    json_: Json = False,
) -> None:
    """Erase people's keys: nothing in the log or beside it leads to them any more, and old proofs still hold.

    It cannot be undone. An approver or the protection officer of the people's region signs it. It waits for the next
    batch, so that the time of the log's entry says little about whom it is about.

    Example: seenby erase account:42 --key-only --as dora --key dora.pem --config seenby.toml

    Parameters
    ----------
    people
        Whose keys, as in account:42.
    key_only
        Needed: only the key goes. The person's rows stay in the platform's database until the platform removes them.
    now
        Do not wait for the batch: erases everybody who waits. Who watches the log sees when.
    status
        Who waits, and when the next batch is.
    """
    if status == bool(people):
        raise UsageError(
            "say whose keys" if not people else "--status names nobody", hint="seenby erase account:42 --key-only"
        )
    names = [str(Person.parse(name)) for name in people]
    if names and not key_only:
        raise UsageError(
            "Seenby erases the key, not the person's rows in the platform's database",
            hint="give --key-only if that is what you want; the platform removes the rows itself",
        )
    out = sentences()
    with open_client(as_, key, config, socket) as client:
        if status:
            answer = client.read("/erasures")
        else:
            answer = client.post_signed("/erasures", {"people": names, "now": now})
    if json_:
        print(json.dumps(answer))
        return
    if status:
        _print_status(out, answer)
        return
    for name in answer["without_key"]:
        out.print(f"{escape(name)} has no key: there is nothing to erase.")
    if now and answer["erased"]:
        out.print(f"[bold]Erased[/]: {_keys(answer['erased'])}. Nothing links the log to them any more.")
        out.print("Whoever watches the log saw when it was done, and about how many people it concerned.")
    elif answer["waiting"]:
        out.print(f"{_keys(answer['waiting'])} will be erased at {clock(answer['next'])}, with all that wait then.")
        out.print("Until then their list can still be read. next: seenby erase --status")


def _keys(count: int) -> str:
    return "1 key" if count == 1 else f"{count} keys"


def _print_status(out: Console, answer: dict[str, object]) -> None:
    waiting = answer["waiting"]
    assert isinstance(waiting, list)
    if not waiting:
        out.print("Nobody waits to be erased.")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("person", "asked by", "at", "erased at"):
        table.add_column(name, no_wrap=True)
    for one in waiting:
        table.add_row(escape(one["person"]), escape(one["by"]), clock(one["at"]), clock(one["due"]))
    out.print(table)

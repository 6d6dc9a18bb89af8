"""Grants as the control API answers with them: checked, and in words."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from seenby.errors import ConfigError, SeenbyError, VerificationError
from seenby.grants.signing import verify_grant
from seenby.grants.terms import decode_terms, grant_commit
from seenby.grants.words import clock, scope, who
from seenby.model.grant import GrantTerms
from seenby.stores.config import load_config


def checked(view: dict[str, Any]) -> tuple[GrantTerms, bytes]:
    """Terms and commitment of an answer, computed here: what is signed is what was read."""
    data = view["terms"].encode()
    terms, commit = decode_terms(data), grant_commit(bytes.fromhex(view["opening"]), data)
    if commit.hex() != view["commit"] or terms.id != view["id"]:
        raise VerificationError("the gateway's answer does not fit together", hint="tell whoever runs it")
    return terms, commit


def holds(region: str, terms: GrantTerms, commit: bytes, signed: dict[str, Any]) -> bool:
    """Does this signature of an answer hold over these terms?"""
    try:
        key, signature = bytes.fromhex(signed["key"]), bytes.fromhex(signed["signature"])
        verify_grant(key, signature, signed["verb"], region, terms.id, commit)
    except SeenbyError:
        return False
    return True


def state(view: dict[str, Any]) -> str:
    """Where it stands, and what is missing."""
    said, missing = str(view["state"]), view["missing"]
    because = view["ended_because"] or view["blocked"]
    if missing:
        said = f"{said}: approvals missing: {_needed(missing)}"
    elif because:
        said = f"{said}: {because}"
    return said


def waits_for_review(view: dict[str, Any]) -> bool:
    """Break-glass that approvers still have to review."""
    return bool(view["review"] and view["review"]["missing"])


def break_glass(view: dict[str, Any]) -> str:
    """A line, with markup, about break-glass that waits for its review."""
    review, (terms, _) = view["review"], checked(view)
    needed = f"{_needed(review['missing'])} must review it until {clock(review['due'])}"
    return f"[bold red]BREAK-GLASS[/] {terms.id[:8]} by {escape(terms.principal)}: {needed}, or they are locked"


def _needed(missing: dict[str, int]) -> str:
    return ", ".join(f"{number} of {region}" for region, number in missing.items())


def print_scope(to: Console, terms: GrantTerms) -> None:
    """All that somebody should read before they sign."""
    to.print(f"Grant [bold]{terms.id}[/]")
    for label, sentence in scope(terms):
        to.print(f"  {label:<10} {escape(sentence)}")


def print_next(to: Console, view: dict[str, Any], config: Path | None, socket: Path | None) -> None:
    """Where the grant stands, and the exact command that brings it on."""
    terms, _ = checked(view)
    gateway = f"--config {shlex.quote(str(config))}" if config else f"--socket {shlex.quote(str(socket))}"
    match view["state"]:
        case "requested":
            to.print(f"[bold]Waiting[/] for approvers: {_needed(view['missing'])}. Nothing can be seen before.")
            to.print("next: each of them runs")
            to.print(f"  seenby grant approve {terms.id} --as NAME --key FILE {escape(gateway)}")
        case "approved":
            blocked = view["blocked"] or f"it begins {clock(terms.not_before)}"
            to.print(f"[bold]Approved[/], not active: {escape(blocked)}.")
        case "active":
            to.print(f"[bold green]Active[/] until {clock(terms.not_after)}, for {escape(who(terms))}.")
            if (connection := _connection(terms, config)) is not None:
                to.print(f"next: {escape(connection)}")
        case ended:
            because = f": {view['ended_because']}" if view["ended_because"] else ""
            to.print(f"[bold]It is {ended}[/]{escape(because)}.")
    if waits_for_review(view):
        to.print(f"{break_glass(view)}. Each of them runs")
        verdict = "--verdict justified|unjustified --note TEXT"
        to.print(f"  seenby grant review {terms.id} {verdict} --as NAME --key FILE {escape(gateway)}")


def _connection(terms: GrantTerms, config: Path | None) -> str | None:
    """``psql 'host=... options=-cseenby.grant=ID'`` if the configuration is at hand and says where to go."""
    try:
        settings = load_config(config) if config else None
    except ConfigError:
        return None
    if settings is None:
        return None
    listen = settings.listen
    # The socket first: whoever has the configuration at hand is on the gateway's machine.
    place = f"host={listen.socket_dir or listen.host} port={listen.port} dbname={settings.database.dbname}"
    if listen.tls_cert and not listen.socket_dir:
        place += " sslmode=require"
    return f"psql '{place} user={terms.principal} options=-cseenby.grant={terms.id}'"

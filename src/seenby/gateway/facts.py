"""What records say of grants and of those who ask, in both halves (docs/formats/records.md)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict

from seenby.grants.words import reference_kind
from seenby.model.grant import GrantTerms
from seenby.model.principal import Principal
from seenby.session.record import RecordFacts


def grant_facts(terms: GrantTerms, approvers: Iterable[tuple[str, str]]) -> RecordFacts:
    """What every query record says of the grant. ``approvers``: names and units."""
    names = list(approvers)
    return RecordFacts(
        {
            "approvers": [{"unit": unit} for _, unit in names],
            "cells": [asdict(cell) | {"regions": list(cell.regions)} for cell in terms.cells],
            "grant": terms.id,
            "purpose": terms.purpose,
            "reference": {"kind": reference_kind(terms.reference)},
            "requester": _who(terms),
        }
        | ({"emergency": True} if terms.emergency else {}),
        {
            "approvers": [{"name": name} for name, _ in names],
            "reference": {"id": terms.reference},
            "requester": {"name": terms.principal},
        }
        | ({"reason": terms.reason} if terms.reason else {}),
    )


def session_facts(principal: Principal, region: str, *, network: str = "", application: str = "") -> RecordFacts:
    """What every record of a session says of who asks, and from where. ``network`` empty: not known."""
    client = {"client": {"application": application, "network": network}} if network else {}
    return RecordFacts(
        {"principal": _who(principal), "region": region}, {"principal": {"name": principal.name}, **client}
    )


def _who(stated: Principal | GrantTerms) -> dict[str, str]:
    """A member of staff as of then: as the directory has them now, or as they were when they asked."""
    return {"country": stated.country, "entity": stated.entity, "role": stated.role, "unit": stated.unit}

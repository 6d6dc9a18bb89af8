"""The organisation's policy: Cedar rules in files, and the question "may this be asked for, with how many approvals?".

A rule is a Cedar policy with two annotations, ``@id`` (its name) and ``@says`` (why it refuses, one sentence for the
person refused), and may have a third, ``@next`` (what to do instead)::

    @id("country-unknown")
    @says("Nobody knows which country you are in, and then only public data can be asked for.")
    forbid (principal, action == Action::"request", resource)
    when { resource.class != "public" && principal.country == "" };

A forbid overrides every permit, and without a permit nothing is allowed (https://docs.cedarpolicy.com).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import cedarpy

from seenby.errors import ConfigError, NotFound, PolicyDenied
from seenby.grants.facts import Facts
from seenby.grants.terms import MAX_APPROVALS
from seenby.model.classes import DataClass
from seenby.model.grant import GrantTerms, WriteAction
from seenby.model.principal import Principal

_RULE_START = re.compile(r'^@id\("', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Rule:
    """One policy of a file. ``place`` is ``2-where.cedar:12``."""

    id: str
    says: str
    next: str
    place: str


DEFAULT_DENY = Rule("default-deny", "No rule of the policy permits this.", "ask whoever keeps the policy files", "")


@dataclass(frozen=True, slots=True)
class Allowed:
    """The policy permits the request once ``approvals`` approvers of every home region have signed.

    ``because`` are the rules that asked for approvals, in the order of the files.
    """

    approvals: int
    because: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True)
class Denied:
    """The policy forbids it. ``rules``: all that do, in the order of the files; ``what``: the first thing refused."""

    rules: tuple[Rule, ...]
    what: str

    def error(self, who: str) -> PolicyDenied:
        """The refusal in words."""
        first, *others = self.rules
        place = f" ({first.place})" if first.place else ""
        detail = f"rule {first.id}{place}" + "".join(f"; also {rule.id}: {rule.says}" for rule in others)
        return PolicyDenied(f"policy refuses {who} {self.what}: {first.says}", hint=first.next, detail=detail)


Verdict = Allowed | Denied


class Policies:
    """The rules of some files, checked. Immutable.

    Args:
        files: name -> text of every ``.cedar`` file; rules are reported in this order.
        schema: the Cedar schema that ships with Seenby.

    Raises:
        ConfigError: with file and line, for a rule that does not parse, does not fit the schema, or lacks its
            ``@id`` or ``@says``.
    """

    def __init__(self, files: Mapping[str, str], schema: str) -> None:
        self._schema = cedarpy.Schema.from_str(schema)
        self._rules: dict[str, Rule] = {}
        for name, text in files.items():
            for rule in _rules_of(name, text, self._schema):
                if rule.id in self._rules:
                    raise ConfigError(
                        f"{rule.place}: there is a second rule {rule.id!r}",
                        hint=f"rename one; the first stands at {self._rules[rule.id].place}",
                    )
                self._rules[rule.id] = rule
        if not self._rules:
            raise ConfigError("the policy has no rules", hint="put .cedar files into the folder, or leave it out")
        self._policies = cedarpy.PolicySet.from_str("\n".join(files.values()))

    @property
    def rules(self) -> tuple[Rule, ...]:
        return tuple(self._rules.values())

    def decide_request(self, terms: GrantTerms, principal: Principal, facts: Facts) -> Verdict:
        """May ``principal``, as the directory knows them now, ask for this?

        Raises NotFound when the policy has no objection, but a person named is not there: a refused request must
        not tell who exists.
        """
        cells = _cells(terms, facts)
        refused = self._ask("request", principal, cells, facts, _request_context(terms, facts))
        if refused:
            return refused
        _check_strangers(terms, facts)
        return self.approvals_for(terms, principal, facts)

    def approvals_for(self, terms: GrantTerms, principal: Principal, facts: Facts) -> Verdict:
        """How many approvals such a request needs, from classes and regions alone: tells nothing about people."""
        context = {"named": terms.people is not None, **_asked_facts(terms)}
        return self._smallest("activate", "approvals", 0, terms, principal, facts, context)

    def _smallest(
        self,
        action: str,
        what: str,
        first: int,
        terms: GrantTerms,
        principal: Principal,
        facts: Facts,
        context: Mapping[str, Any],
    ) -> Verdict:
        """The smallest number of signatures that is permitted, from ``first`` on."""
        cells, refused = _cells(terms, facts), None
        because: dict[str, Rule] = {}
        for number in range(first, MAX_APPROVALS + 1):
            asked = {**context, what: number}
            refused = self._ask(action, principal, cells, facts, lambda _, said=asked: said)
            if refused is None:
                return Allowed(number, self._in_order(because) if because else ())
            because |= {rule.id: rule for rule in refused.rules}
        assert refused is not None
        return refused

    def decide_break_glass(self, terms: GrantTerms, principal: Principal, facts: Facts) -> Verdict:
        """May ``principal`` see this at once? What may not even be requested may not be broken open either.

        The answer's ``approvals`` are the reviews needed afterwards. Raises NotFound as ``decide_request`` does.
        """
        shared = _request_context(terms, facts)

        def context(cell: _Cell) -> dict[str, Any]:
            return {name: shared(cell)[name] for name in ("purpose", "purposes", "reference", "people", "protected")}

        cells = _cells(terms, facts)
        asked = self._ask("request", principal, cells, facts, shared)
        broken = self._ask("break-glass", principal, cells, facts, context)
        if asked or broken:
            rules = {rule.id: rule for denied in (asked, broken) if denied for rule in denied.rules}
            return Denied(self._in_order(rules), (asked or broken or Denied((), "")).what)
        _check_strangers(terms, facts)
        return self.reviews_for(terms, principal, facts)

    def reviews_for(self, terms: GrantTerms, principal: Principal, facts: Facts) -> Verdict:
        """How many reviews break-glass needs afterwards, from classes and regions alone. At least 1."""
        return self._smallest("review", "reviews", 1, terms, principal, facts, {})

    def decide_approval(self, terms: GrantTerms, approver: Principal, facts: Facts) -> Denied | None:
        """May ``approver`` approve this? Only the cells of the region that they guard are asked for."""
        cells = [cell for cell in _cells(terms, facts) if cell[2] == approver.region]
        context = {"own": approver.name == terms.principal, "requester_unit": terms.unit}
        return self._ask("approve", approver, cells, facts, lambda _: context)

    def _ask(
        self,
        action: str,
        principal: Principal,
        cells: Iterable[_Cell],
        facts: Facts,
        context: Any,
    ) -> Denied | None:
        """Asks Cedar once per cell. None: every cell is permitted, and there is at least one."""
        cells = list(cells)
        entities, requests = _entities(principal, cells, facts), []
        for number, cell in enumerate(cells):
            requests.append(
                {
                    "principal": {"type": "Staff", "id": principal.name},
                    "action": {"type": "Action", "id": action},
                    "resource": {"type": "Cell", "id": str(number)},
                    "context": context(cell),
                }
            )
        answers = cedarpy.is_authorized_batch(requests, self._policies, entities, self._schema)
        hits: dict[str, Rule] = {}
        what = ""
        for cell, answer in zip(cells, answers, strict=True):
            # Cedar skips a rule that fails while it is evaluated (an overflow, say): a skipped forbid would let
            # things pass, so any error at all refuses.
            if answer.diagnostics.errors:
                raise ConfigError(
                    "the policy could not be evaluated, so the request is refused",
                    hint="have whoever keeps the policy files look at the rule",
                    detail="; ".join(answer.diagnostics.errors),
                )
            if not answer.allowed:
                found = [self._rules[name] for name in answer.diagnostics.id_annotations_by_reason.values()]
                hits |= {rule.id: rule for rule in found or [DEFAULT_DENY]}
                what = what or f"{cell[0]} data of people of {cell[2]}"
        if not cells:
            return Denied((DEFAULT_DENY,), "this")
        return Denied(self._in_order(hits), what) if hits else None

    def _in_order(self, hits: Mapping[str, Rule]) -> tuple[Rule, ...]:
        ordered = [rule for name, rule in self._rules.items() if name in hits]
        return tuple(ordered) or tuple(hits.values())


_Cell = tuple[DataClass, str, str]
"""(class, column or "", home region)"""


def _cells(terms: GrantTerms, facts: Facts) -> list[_Cell]:
    return [
        (facts.class_of(cell), "" if cell.what in set(DataClass) else cell.what, region)
        for cell in terms.cells
        for region in cell.regions
    ]


def _check_strangers(terms: GrantTerms, facts: Facts) -> None:
    if strangers := facts.strangers(terms):
        raise NotFound(
            f"no person {strangers[0]} with home region {' or '.join(terms.home_regions)}",
            hint="check the key, and the --region you gave",
        )


def _asked_facts(terms: GrantTerms) -> dict[str, Any]:
    """How it answers, and what it may change."""
    tables: dict[WriteAction, list[str]] = {action: [] for action in WriteAction}
    for write in terms.writes:
        tables[write.action] += [f"{write.table}.{column}" for column in write.columns] or [write.table]
    return {
        "answers": str(terms.answers),
        "updates": tables[WriteAction.UPDATE],
        "deletes": tables[WriteAction.DELETE],
        "inserts": tables[WriteAction.INSERT],
    }


def _request_context(terms: GrantTerms, facts: Facts) -> Any:
    shared: dict[str, Any] = {
        "purpose": terms.purpose,
        "purposes": sorted(facts.purposes),
        "reference": bool(terms.reference.strip()),
        "named": terms.people is not None,
        "people": len(terms.people or ()),
        "max_people": terms.max_people,
        "max_rows": terms.max_rows,
        "window": terms.not_after - terms.not_before,
        "lead": terms.not_before - terms.requested_at,
        "emergency": terms.emergency,
        **_asked_facts(terms),
    }

    def of(cell: _Cell) -> dict[str, Any]:
        return shared | {"protected": bool(facts.protected_among(terms.people, cell[2]))}

    return of


def _entities(principal: Principal, cells: Iterable[_Cell], facts: Facts) -> str:
    made: list[dict[str, Any]] = [
        _entity(
            "Staff",
            principal.name,
            country=principal.country,
            entity=principal.entity,
            unit=principal.unit,
            role=principal.role,
            region=principal.region,
        )
    ]
    for region in sorted({home for _, _, home in cells}):
        rules = facts.rules_of(region)
        made.append(_entity("Region", region, countries=sorted(rules.countries), entities=sorted(rules.entities)))
    for number, (data_class, column, home) in enumerate(cells):
        region_uid = {"__entity": {"type": "Region", "id": home}}
        attributes: dict[str, Any] = {"class": str(data_class), "column": column, "home": region_uid}
        made.append(_entity("Cell", str(number), **attributes))
    return json.dumps(made)


def _entity(kind: str, name: str, **attributes: Any) -> dict[str, Any]:
    return {"uid": {"type": kind, "id": name}, "attrs": attributes, "parents": []}


def _rules_of(name: str, text: str, schema: cedarpy.Schema) -> Iterable[Rule]:
    """The rules of one file. Each is parsed and validated by itself, so that an error has a line."""
    starts = [match.start() for match in _RULE_START.finditer(text)]
    head = text[: starts[0]] if starts else text
    pieces = [(start, text[start:end]) for start, end in pairwise([*starts, len(text)])]
    for number, (start, piece) in enumerate([(0, head), *pieces]):
        place = f"{name}:{text.count(chr(10), 0, start) + 1}"
        try:
            parsed = json.loads(cedarpy.policies_to_json_str(piece))
        except ValueError as error:
            raise ConfigError(f"{place}: this is not a Cedar policy", detail=str(error)) from None
        policies = list(parsed["staticPolicies"].values())
        if parsed["templates"] or len(policies) != min(number, 1):
            raise ConfigError(
                f'{place}: every rule starts with a line of its own, @id("name"), and is no template',
                hint='write @id("name"), then @says("why it refuses"), then the rule',
            )
        if not policies:
            continue
        problems = cedarpy.validate_policies(piece, schema).errors
        if problems:
            raise ConfigError(
                f"{place}: the rule does not fit the schema",
                hint="seenby.cedarschema lists every name that a rule may use",
                detail="; ".join(problem.error for problem in problems),
            )
        notes = policies[0]["annotations"]
        if not notes.get("id") or not notes.get("says"):
            raise ConfigError(f"{place}: the rule has no @id or no @says", hint='write @says("why it refuses")')
        yield Rule(notes["id"], notes["says"], notes.get("next") or "", place)

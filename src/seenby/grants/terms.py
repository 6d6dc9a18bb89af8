"""The terms of a grant <-> their canonical bytes (docs/formats/grant.md), and the commitment to them.

::

    {"answers":"rows","approvals":2,"cells":[{"regions":["eu"],"what":"contact"}],"country":"IE","emergency":false,
     "entity":"Orbit Ireland Ltd","id":"6f0e...","max_people":1,"max_rows":1000,"not_after":1795305600,
     "not_before":1795303800,"people":["account:42"],"principal":"sam","purpose":"support","reason":"",
     "reference":"T-1","region":"eu","requested_at":1795303800,"role":"support","unit":"Care","v":2,"writes":[]}

Version 1 has no ``answers``, ``emergency``, ``reason`` and ``writes``. It is read for good, and no longer written.
Version 3 has ``"noise":{"budget":1000,"each":100}`` besides; it is written where there is noise.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from seenby.errors import UsageError
from seenby.grants.canonical import decode, encode
from seenby.model.classes import DataClass
from seenby.model.grant import Answers, Cell, GrantTerms, Noise, Write, WriteAction
from seenby.model.people import Person
from seenby_verify.tlog.records import commitment

VERSION = 2
NOISY = 3
"""The version of terms with noise."""
MAX_EPSILON = 100_000
"""Thousandths. Beyond that noise hides nobody."""
MAX_TEXT = 200
MAX_APPROVALS = 9
MAX_BYTES = 60_000
"""Terms stay well below the 65,535 bytes that one ledger entry or message may have."""
EMERGENCY_SECONDS = 1800
EMERGENCY_CLASSES = 2
"""Break-glass works for half an hour, for two data classes: no policy can make it longer or wider."""

_ID = re.compile(r"[0-9a-f]{32}")
_REGION = re.compile(r"[a-z][a-z0-9-]{0,31}")
_COLUMN = re.compile(r"[^\s.\"]{1,63}(\.[^\s.\"]{1,63}){1,2}")
_TABLE = re.compile(r"[^\s.\"]{1,63}(\.[^\s.\"]{1,63})?")
_NAME = re.compile(r"[^\s.\"]{1,63}")
_TEXTS = ("principal", "country", "entity", "unit", "role", "purpose", "reference")
_INTEGERS = ("not_before", "not_after", "max_people", "max_rows", "approvals", "requested_at")
_NEW = frozenset({"answers", "emergency", "reason", "writes"})
"""What version 2 added."""
_KEYS = {NOISY: frozenset(field.name for field in fields(GrantTerms)) | {"v"}}
_KEYS[2] = _KEYS[NOISY] - {"noise"}
_KEYS[1] = _KEYS[2] - _NEW


def encode_terms(terms: GrantTerms) -> bytes:
    """Canonical bytes of version 2, or 3 with noise. Raises UsageError when they make no sense (``check_terms``)."""
    check_terms(terms)
    plain = (*_TEXTS, *_INTEGERS, "id", "region", "emergency", "reason")
    value: dict[str, Any] = {name: getattr(terms, name) for name in plain}
    value["v"] = VERSION
    if terms.noise is not None:
        value["v"] = NOISY
        value["noise"] = noise_value(terms.noise)
    value["cells"] = [{"what": cell.what, "regions": list(cell.regions)} for cell in terms.cells]
    value["people"] = None if terms.people is None else [str(person) for person in terms.people]
    value["answers"] = str(terms.answers)
    value["writes"] = writes_value(terms.writes)
    data = encode(value)
    if len(data) > MAX_BYTES:
        raise UsageError("this grant names too many people to fit", hint="split it into several grants")
    return data


def decode_terms(data: bytes) -> GrantTerms:
    """Terms from canonical bytes of version 1, 2 or 3, with exactly the keys of it. Raises UsageError otherwise."""
    value = decode(data)
    version = value.get("v") if isinstance(value, dict) else None
    if not isinstance(value, dict) or type(version) is not int or version not in _KEYS:
        raise UsageError("these bytes are not the terms of a grant of version 1, 2 or 3")
    if set(value) != _KEYS[version]:
        odd = sorted(set(value) ^ _KEYS[version])
        raise UsageError(f"the terms lack a key or have an unknown one: {', '.join(odd)}")
    return terms_from(value)


def terms_from(value: dict[str, Any]) -> GrantTerms:
    """Terms from parsed JSON with the keys of the format. Raises UsageError for a wrong type or value."""
    try:
        cells = tuple(_cell(item) for item in value["cells"])
        people = None if value["people"] is None else tuple(Person.parse(item) for item in value["people"])
        rest = {name: value[name] for name in (*_TEXTS, *_INTEGERS, "id", "region")}
        if value["v"] != 1:
            rest |= {"emergency": value["emergency"], "reason": value["reason"]}
            rest |= {"answers": answers_from(value["answers"]), "writes": writes_from(value["writes"])}
        if value["v"] == NOISY:
            rest["noise"] = noise_from(value["noise"])
        terms = GrantTerms(cells=cells, people=people, **rest)
    except (KeyError, TypeError, AttributeError):
        raise UsageError("the terms have a key missing or a value of the wrong type") from None
    check_terms(terms)
    return terms


def answers_from(value: object) -> Answers:
    """Raises UsageError for another word."""
    try:
        return Answers(str(value))
    except ValueError:
        raise UsageError(f"a grant does not answer with {value!r}", hint=f"one of {', '.join(Answers)}") from None


def noise_value(noise: Noise) -> dict[str, int]:
    """As the format writes it, and as ``noise_from`` reads it."""
    return {"budget": noise.budget, "each": noise.each}


def noise_from(value: object) -> Noise:
    """Raises UsageError for anything else than two whole numbers. What they may be is ``check_terms``'s business."""
    if not isinstance(value, dict) or set(value) != {"budget", "each"}:
        raise UsageError("noise has a budget, and what each statistic costs of it")
    if any(type(one) is not int for one in value.values()):
        raise UsageError("the budget of noise and what each statistic costs are whole numbers, thousandths of epsilon")
    return Noise(value["budget"], value["each"])


def writes_value(writes: Iterable[Write]) -> list[dict[str, Any]]:
    """As the format writes them, and as ``writes_from`` reads them."""
    return [{"action": str(w.action), "columns": list(w.columns), "table": w.table} for w in writes]


def writes_from(value: object) -> tuple[Write, ...]:
    """Raises UsageError for anything that is not a list of writes. Their order is ``check_terms``'s business."""
    if not isinstance(value, list):
        raise UsageError("writes is a list")
    found = []
    for item in value:
        if not isinstance(item, dict) or set(item) != {"action", "columns", "table"}:
            raise UsageError("a write has a table, an action and columns")
        table, columns, action = item["table"], item["columns"], item["action"]
        if not isinstance(columns, list) or not all(isinstance(text, str) for text in (table, action, *columns)):
            raise UsageError("a write has a table, an action and columns, all of them texts")
        if action not in set(WriteAction):
            raise UsageError(f"nobody can {action!r} rows", hint=f"one of {', '.join(WriteAction)}")
        found.append(Write(table, WriteAction(action), tuple(columns)))
    return tuple(found)


def _cell(item: dict[str, Any]) -> Cell:
    if set(item) != {"what", "regions"} or not isinstance(item["regions"], list | tuple):
        raise TypeError
    if not all(isinstance(text, str) for text in (item["what"], *item["regions"])):
        raise TypeError
    return Cell(item["what"], tuple(item["regions"]))


def check_terms(terms: GrantTerms) -> None:
    """Raises UsageError for terms that no policy could make sense of. One thing has one spelling: lists are sorted."""
    for name in (*_TEXTS, "id", "region", "reason"):
        text = getattr(terms, name)
        if not isinstance(text, str) or len(text) > MAX_TEXT or not text.isprintable():
            raise UsageError(f"{name} must be one line of at most {MAX_TEXT} printable characters")
    for name in _INTEGERS:
        if type(getattr(terms, name)) is not int:
            raise UsageError(f"{name} must be an integer")
    if not _ID.fullmatch(terms.id):
        raise UsageError("the id of a grant is 32 lower-case hex digits")
    if not _REGION.fullmatch(terms.region):
        raise UsageError(f"{terms.region!r} is not the name of a region", hint="as in eu")
    if not terms.principal or not terms.purpose:
        raise UsageError("a grant needs a principal and a purpose", hint="give --as NAME and --purpose WORD")
    if not 0 <= terms.not_before < terms.not_after:
        raise UsageError("the window ends before it begins", hint="give --minutes N, at least 1")
    if terms.max_people < 1 or terms.max_rows < 1:
        raise UsageError("the caps on people and rows are at least 1", hint="give --max-people N and --max-rows N")
    if not 0 <= terms.approvals <= MAX_APPROVALS:
        raise UsageError(f"approvals is a number from 0 to {MAX_APPROVALS}")
    _check_scope(terms)
    _check_noise(terms)
    _check_writes(terms)
    _check_emergency(terms)


def _check_scope(terms: GrantTerms) -> None:
    if not terms.cells:
        raise UsageError("this grant would show nothing", hint="give --class CLASS or --column TABLE.COLUMN")
    for cell in terms.cells:
        if cell.what not in set(DataClass) and not _COLUMN.fullmatch(cell.what):
            known = ", ".join(DataClass)
            raise UsageError(f"{cell.what!r} is no data class and no column", hint=f"classes: {known}; or TABLE.COLUMN")
        for region in cell.regions:
            if not _REGION.fullmatch(region):
                raise UsageError(f"{region!r} is not the name of a region", hint="as in eu")
        if not cell.regions or list(cell.regions) != sorted(set(cell.regions)):
            raise UsageError(f"the home regions of {cell.what} must be given, sorted, each once")
    if [cell.what for cell in terms.cells] != sorted({cell.what for cell in terms.cells}):
        raise UsageError("the cells of a grant must be sorted, each once")
    if terms.people is None:
        return
    names = [str(person) for person in terms.people]
    if not names or names != sorted(set(names)):
        raise UsageError("the people of a grant must be sorted, each once; leave them out to mean a whole region")
    for name in names:
        if len(name) > MAX_TEXT or not name.isprintable():
            raise UsageError("the key of a person must be printable and at most 200 characters")


def _check_noise(terms: GrantTerms) -> None:
    if terms.noise is None:
        return
    if terms.answers is not Answers.STATISTICS:
        raise UsageError("noise is for grants that answer with statistics alone", hint="give --answers statistics")
    if not 1 <= terms.noise.each <= terms.noise.budget <= MAX_EPSILON:
        raise UsageError(
            f"a statistic costs 0.001 of epsilon at least, and no more than the budget; that is {MAX_EPSILON // 1000} "
            "at most",
            hint="give --epsilon 1 --epsilon-each 0.1, say",
        )


def _check_writes(terms: GrantTerms) -> None:
    places = [(write.table, write.action) for write in terms.writes]
    if places != sorted(set(places)):
        raise UsageError("what a grant may change must be sorted by table and action, each once")
    for write in terms.writes:
        if not _TABLE.fullmatch(write.table):
            raise UsageError(f"{write.table!r} is not the name of a table", hint="as in accounts")
        if (write.action is WriteAction.UPDATE) != bool(write.columns):
            raise UsageError(
                f"the {write.action} of {write.table} names the wrong columns",
                hint="an update says which columns (--may-update TABLE.COLUMN); a delete and an insert do not",
            )
        if list(write.columns) != sorted(set(write.columns)) or not all(map(_NAME.fullmatch, write.columns)):
            raise UsageError(f"the columns of {write.table} that may be changed must be names, sorted, each once")
    if terms.writes and terms.people is None:
        raise UsageError("only rows of people named one by one may be changed", hint="give --person KIND:KEY")
    if terms.writes and terms.answers is not Answers.ROWS:
        raise UsageError("who may change rows sees rows", hint="ask for statistics with another grant")


def _check_emergency(terms: GrantTerms) -> None:
    if type(terms.emergency) is not bool:
        raise UsageError("emergency is true or false")
    if not terms.emergency:
        return
    if not terms.reason.strip():
        raise UsageError("break-glass needs a reason", hint="say in one sentence what cannot wait: --reason TEXT")
    if terms.not_before != terms.requested_at or terms.not_after - terms.not_before > EMERGENCY_SECONDS:
        raise UsageError("break-glass begins at once and lasts 30 minutes at most", hint="ask for fewer --minutes")
    if len(terms.cells) > EMERGENCY_CLASSES or not all(cell.what in set(DataClass) for cell in terms.cells):
        raise UsageError("break-glass is for two data classes at most", hint="give --class once or twice")
    if terms.people is None:
        raise UsageError("break-glass is for people named one by one", hint="give --person KIND:KEY")
    if terms.writes or terms.answers is not Answers.ROWS:
        raise UsageError(
            "break-glass shows rows and changes nothing", hint="ask for the rest with `seenby grant request`"
        )
    if terms.approvals < 1:
        raise UsageError(
            "somebody must review break-glass afterwards", hint="sign terms with the number the policy says"
        )


def grant_commit(opening: bytes, terms: bytes) -> bytes:
    """What the ledger says of the terms: HMAC-SHA256(opening, canonical terms), 32 bytes.

    Raises UsageError unless ``opening`` has 32 bytes: a shorter one would let strangers guess the terms.
    """
    if len(opening) != 32:
        raise UsageError("an opening has 32 bytes")
    return commitment(opening, terms)

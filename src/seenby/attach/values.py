"""What sampled values are, by validators that their formats' own libraries have. Values never leave this module."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from stdnum import iban, luhn
from stdnum.br import cpf
from stdnum.es import dni, nie
from stdnum.fr import nir
from stdnum.it import codicefiscale
from stdnum.pl import pesel
from stdnum.us import ssn

from seenby.model.classes import DataClass

ENOUGH = 3
"""Fewer distinct values than this say nothing, unless all of them are of one kind."""
MOST = 0.6
"""Share of the values that must be of one kind. A personal kind is also reported from FEW on, as a doubt."""
FEW = 0.05

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_MAC = re.compile(r"[0-9a-f]{2}([:-][0-9a-f]{2}){5}", re.IGNORECASE)
_AGENT = re.compile(r"(Mozilla/\d|okhttp/|Dalvik/|CFNetwork/|AppleWebKit/|curl/\d|[A-Za-z][\w.-]+/\d[\w.]* \()")
_HASH = re.compile(r"(\$2[abxy]?\$\d\d\$|\$argon2|\$scrypt\$|\$pbkdf2|pbkdf2_sha|\{SSHA|scrypt:\d|\$[156]\$)")
_JWT = re.compile(r"eyJ[\w-]+\.eyJ[\w-]+\.[\w-]*")
_POINT = re.compile(r"\(?\s*-?\d{1,3}\.\d{3,}\s*[,; ]\s*-?\d{1,3}\.\d{3,}\s*\)?|POINT\s*\(.*", re.IGNORECASE)
_IMEI = re.compile(r"\d{15}")
_SEPARATED_PHONE = re.compile(r"\+?[\d ()./-]{7,22}")
_WORDS = re.compile(r"\w+")


def _email(value: str) -> bool:
    if "@" not in value[1:-1]:
        return False
    try:
        validate_email(value, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return False
    return True


def _ip(value: str) -> bool:
    if "." not in value and ":" not in value:
        return False
    try:
        ipaddress.ip_interface(value)
    except ValueError:
        return False
    return True


def _phone(value: str) -> bool:
    if not _SEPARATED_PHONE.fullmatch(value):
        return False
    try:
        # Without + or separators a number is a number: not every integer is somebody's phone.
        region = None if value.startswith("+") else "US"
        if region and value.isdigit():
            return False
        number = phonenumbers.parse(value, region)
    except phonenumbers.NumberParseException:
        return False
    return phonenumbers.is_possible_number(number) if region else phonenumbers.is_valid_number(number)


def _card(value: str) -> bool:
    digits = value.replace(" ", "").replace("-", "")
    return digits.isdigit() and 13 <= len(digits) <= 19 and digits[0] in "3456" and luhn.is_valid(digits)


def _imei(value: str) -> bool:
    return bool(_IMEI.fullmatch(value)) and luhn.is_valid(value)


_NATIONAL = (dni.is_valid, nie.is_valid, nir.is_valid, codicefiscale.is_valid, pesel.is_valid, cpf.is_valid)


def _national(value: str) -> bool:
    if len(value) < 9 or len(value) > 24:
        return False
    return any(valid(value) for valid in _NATIONAL) or ("-" in value and len(value) == 11 and ssn.is_valid(value))


def _matrix(value: str) -> bool:
    return re.fullmatch(r"@[^:\s]+:[\w.:-]+", value) is not None


KINDS: dict[str, tuple[DataClass, Callable[[str], bool]]] = {
    "e-mail addresses": (DataClass.CONTACT, _email),
    "user agents": (DataClass.DEVICE, lambda value: _AGENT.match(value) is not None),
    "password hashes": (DataClass.CREDENTIAL, lambda value: _HASH.match(value) is not None),
    "signed tokens": (DataClass.CREDENTIAL, lambda value: _JWT.fullmatch(value) is not None),
    "IP addresses": (DataClass.LOCATION, _ip),
    "hardware addresses": (DataClass.DEVICE, lambda value: _MAC.fullmatch(value) is not None),
    "bank accounts": (DataClass.PAYMENT, lambda value: len(value) >= 15 and iban.is_valid(value)),
    "card numbers": (DataClass.PAYMENT, _card),
    "device numbers (IMEI)": (DataClass.DEVICE, _imei),
    "phone numbers": (DataClass.CONTACT, _phone),
    "coordinates": (DataClass.LOCATION, lambda value: _POINT.fullmatch(value) is not None),
    "Matrix ids": (DataClass.IDENTITY, _matrix),
    "national ids": (DataClass.IDENTITY, _national),
}
"""In this order: the first kind that accepts a value has it. Integers are tried as text only for cards and the like."""


@cache
def kind_of(value: str) -> str:
    """The name of a value's kind in KINDS, or ""."""
    text = value.strip()
    if not 4 < len(text) <= 200:
        return ""
    return next((name for name, (_, accepts) in KINDS.items() if accepts(text)), "")


def shares(samples: Iterable[str]) -> dict[str, float]:
    """Share of the values of each kind that occurs."""
    values = [value for value in samples if value.strip()]
    counts: dict[str, int] = {}
    for value in values:
        if found := kind_of(value):
            counts[found] = counts.get(found, 0) + 1
    return {name: count / len(values) for name, count in counts.items()}


def main_kind(samples: Sequence[str]) -> tuple[str, float]:
    """The kind that most values are of, and its share; ("", 0) if there is none or too few values to say."""
    found = shares(samples)
    if len(samples) < ENOUGH and set(found.values()) != {1.0}:
        return "", 0.0
    name = max(found, key=lambda one: found[one], default="")
    return (name, found[name]) if name else ("", 0.0)


def prose(samples: Sequence[str]) -> bool:
    """Whether values read like text that people wrote: several words, most of them different."""
    long = [value for value in samples if len(_WORDS.findall(value)) >= 4 and " " in value]
    return len(samples) >= ENOUGH and len(long) >= 0.5 * len(samples)


def json_keys(samples: Iterable[str], depth: int = 4) -> list[str]:
    """The keys of all objects in JSON values, each once, at most some dozens; ids may be among them."""
    found: dict[str, None] = {}

    def walk(value: Any, left: int) -> None:
        if isinstance(value, dict) and left:
            found.update(dict.fromkeys(list(value)[:40]))
        if isinstance(value, dict | list) and left:
            for inner in list(value.values() if isinstance(value, dict) else value)[:40]:
                walk(inner, left - 1)

    for sample in samples:
        try:
            walk(json.loads(sample), depth)
        except (ValueError, RecursionError):
            continue
    return list(found)[:80]


def json_paths(samples: Iterable[str], depth: int = 4) -> dict[str, list[str]]:
    """Leaf paths of JSON values, with their values: ``address.city`` -> [...]. Arrays are [] in a path.

    A value that was cut off when it was read is no JSON any more, and is left out.
    """
    found: dict[str, list[str]] = {}

    def walk(value: Any, path: str, left: int) -> None:
        if isinstance(value, dict) and left:
            for key, inner in value.items():
                walk(inner, f"{path}.{key}" if path else str(key), left - 1)
        elif isinstance(value, list) and left:
            for inner in value[:5]:
                walk(inner, f"{path}[]", left - 1)
        elif value is not None and not (isinstance(value, dict | list) and not value):
            text = value if isinstance(value, str) else json.dumps(value)
            if len(found) < 200 or path in found:
                kept = found.setdefault(path, [])
                if text not in kept and len(kept) < 40:
                    kept.append(text)

    for sample in samples:
        try:
            walk(json.loads(sample), "", depth)
        except (ValueError, RecursionError):
            continue
    return found

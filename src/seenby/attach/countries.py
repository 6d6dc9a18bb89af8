"""Countries as codes (ISO 3166-1 alpha-2), and which of them are one region for data protection."""

from __future__ import annotations

import re
from collections.abc import Iterable

EEA = (
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IS", "IT", "LI",
    "LT", "LU", "LV", "MT", "NL", "NO", "PL", "PT", "RO", "SE", "SI", "SK",
)  # fmt: skip
"""The 27 of the EU (european-union.europa.eu, "EU countries", as of 2026), and Iceland, Liechtenstein and Norway, where
the GDPR holds by the EEA agreement (Joint Committee decision 154/2018)."""

_CODE = re.compile(r"[A-Za-z]{2}\s*")


def are_codes(samples: Iterable[str]) -> bool:
    """Whether all of some sampled values could be countries' codes; of none nobody knows."""
    values = [value for value in samples if value.strip()]
    return bool(values) and all(_CODE.fullmatch(value) for value in values)

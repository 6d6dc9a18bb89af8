"""Masks as SQL: a closed list of expressions that have a value of the column's type for every input.

Total matters more than pretty: Postgres may evaluate a mask for rows outside the scope (a leakproof predicate is pushed
below it together with the mask), and an expression that can fail then prints such a value in its error text. So dates
outside the years 1-9999 and numbers beyond 10^15 become NULL instead of an overflow, and rounding goes towards zero,
which cannot outgrow ``numeric(4,2)``.
"""

from __future__ import annotations

from seenby.datamap import ColumnFact, Mask, MaskKind
from seenby.errors import ConfigError
from seenby.guard.quote import literal

_TEXT = frozenset({"text", "varchar", "bpchar"})
_NUMBERS = frozenset({"int2", "int4", "int8", "numeric", "float4", "float8"})
_TIMES = frozenset({"date", "timestamp", "timestamptz"})

_FITS: dict[MaskKind, frozenset[str]] = {
    MaskKind.ZERO: _NUMBERS,
    MaskKind.YEAR: _TIMES,
    MaskKind.MONTH: _TIMES,
    MaskKind.DAY: _TIMES,
    MaskKind.LAST4: _TEXT,
    MaskKind.INITIAL: _TEXT,
    MaskKind.EMAIL_DOMAIN: _TEXT,
    MaskKind.NETWORK: frozenset({"inet", "cidr"}),
    MaskKind.ONE_DECIMAL: frozenset({"numeric", "float4", "float8"}),
}


def mask_sql(mask: Mask, column: ColumnFact, value: str, place: str) -> str:
    """The mask of one column, cast to its type and typmod (for a domain: to its base type, whose checks cannot fail).

    >>> mask_sql(Mask(MaskKind.LAST4), phone, 't."phone"', "tables.accounts.columns.phone")
    "(CASE WHEN char_length(t.\"phone\") > 8 THEN '****' || right(t.\"phone\", 4) ... END)::character varying(20)"

    Args:
        value: SQL of the plain value.
        place: for the message of ConfigError, when the mask does not fit the type.
    """
    _check_fits(mask, column, place)
    return f"({_expression(mask, column, value)})::{column.base_type}"


def _check_fits(mask: Mask, column: ColumnFact, place: str) -> None:
    kind = mask.kind
    if kind is MaskKind.EMPTY:
        fits = column.base_name in _TEXT | {"bytea"} or column.category == "A"
    elif kind is MaskKind.CONSTANT:
        fits = column.category not in "AC"
    else:
        fits = kind not in _FITS or column.base_name in _FITS[kind]
    if not fits:
        raise ConfigError(
            f"{place}: the mask {kind.value} does not fit the type {column.type_name}",
            hint='use mask = "null", which fits every type',
        )


def _expression(mask: Mask, column: ColumnFact, value: str) -> str:
    text = f"{value}::text"
    match mask.kind:
        case MaskKind.NULL:
            return "NULL"
        case MaskKind.EMPTY:
            return "'{}'" if column.category == "A" else "''"
        case MaskKind.ZERO:
            return "0"
        case MaskKind.CONSTANT:
            return literal(mask.constant)
        case MaskKind.YEAR | MaskKind.MONTH | MaskKind.DAY:
            return _truncated(mask.kind.value, column.base_name, value)
        case MaskKind.LAST4:
            shown = f"'****' || CASE WHEN char_length({text}) > 8 THEN right({text}, 4) ELSE '' END"
            return f"CASE WHEN {text} IS NOT NULL THEN {shown} END"
        case MaskKind.INITIAL:
            return f"CASE WHEN {text} <> '' THEN left({text}, 1) || '***' END"
        case MaskKind.EMAIL_DOMAIN:
            return f"CASE WHEN strpos({text}, '@') > 0 THEN '***@' || split_part({text}, '@', 2) END"
        case MaskKind.NETWORK:
            return f"network(set_masklen({value}::inet, CASE family({value}) WHEN 4 THEN 16 ELSE 32 END))"
        case MaskKind.ONE_DECIMAL:
            return f"CASE WHEN abs({value}) < 1e15 THEN trunc({value}::numeric, 1) END"


def _truncated(unit: str, base_name: str, value: str) -> str:
    if base_name == "timestamptz":
        inside = f"{value} BETWEEN TIMESTAMPTZ '0001-01-02 00:00+00' AND TIMESTAMPTZ '9999-12-30 00:00+00'"
        return f"CASE WHEN {inside} THEN date_trunc({literal(unit)}, {value}, 'UTC') END"
    inside = f"{value} BETWEEN {base_name} '0001-01-01' AND {base_name} '9999-12-30'"
    return f"CASE WHEN {inside} THEN date_trunc({literal(unit)}, {value}::timestamp) END"

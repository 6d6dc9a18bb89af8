"""The one place where names and texts become SQL (PostgreSQL documentation, 4.1.1 and 4.1.2)."""

from __future__ import annotations

from collections.abc import Iterable

from seenby.errors import ConfigError


def ident(name: str) -> str:
    """``ac"count`` -> ``"ac""count"``. Raises ConfigError for what no identifier can hold."""
    if not name or "\0" in name or len(name.encode()) > 63:
        raise ConfigError(f"{name!r} cannot be a name in PostgreSQL", hint="names have 1 to 63 bytes and no NUL")
    return '"' + name.replace('"', '""') + '"'


def qualified(*names: str) -> str:
    """``("public", "accounts")`` -> ``"public"."accounts"``."""
    return ".".join(ident(name) for name in names)


def literal(text: str) -> str:
    """``it's`` -> ``'it''s'``; with a backslash ``E'...'``, right whatever standard_conforming_strings says."""
    if "\0" in text:
        raise ConfigError("a text with a NUL cannot be stored in PostgreSQL", hint="remove the NUL")
    doubled = text.replace("'", "''")
    return "E'" + doubled.replace("\\", "\\\\") + "'" if "\\" in text else f"'{doubled}'"


def literals(texts: Iterable[str]) -> str:
    """``'eu', 'us'``."""
    return ", ".join(literal(text) for text in texts)


def block(body: str) -> str:
    """``DECLARE ... BEGIN ... END`` -> an anonymous block between dollar quotes that nothing in it can end."""
    tag, number = "$$", 0
    while tag in body:
        number += 1
        tag = f"$seenby{number}$"
    return f"DO {tag} {body} {tag};"


def relation_oid(schema: str, name: str) -> str:
    """The oid of a relation, NULL if it is not there. Unlike to_regclass it needs no USAGE on the schema."""
    return (
        "(SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        f" WHERE n.nspname = {literal(schema)} AND c.relname = {literal(name)})"
    )

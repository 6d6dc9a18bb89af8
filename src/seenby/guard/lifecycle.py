"""SQL of a grant's role: making it, ending it, finding the ones that should not be there. Pure text.

Ending has three phases, each in its own transaction (40 sessions are gone in 44 ms, one by one in 4 s):

1. ``cut_off``: no new login, no more privileges. Cursors that are open deliver on, hence
2. ``signal`` all backends at once, again and again until none is left;
3. ``drop`` roles and scope rows, in batches (a drop of 1,500 at once runs out of locks).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from seenby.errors import UsageError
from seenby.guard import names
from seenby.guard.quote import ident, literal, literals
from seenby.model.people import Person

DROP_BATCH = 50

_ROLE = re.compile(names.GRANT_PREFIX + r"[0-9a-z]{8,40}")


def checked_role(role: str) -> str:
    """Raises UsageError unless ``role`` is a name that a grant's role can have."""
    if not _ROLE.fullmatch(role):
        raise UsageError(f"{role!r} is no role of a grant", hint=f"{names.GRANT_PREFIX} and 8 to 40 of 0-9, a-z")
    return role


def create_role(role: str, verifier: str, shape_role: str, connections: int) -> tuple[str, ...]:
    """For seenby_guard. The role may be nobody else (SET FALSE) and owns nothing.

    Args:
        verifier: SCRAM verifier; the password itself never reaches Postgres.
        connections: CONNECTION LIMIT, which the role cannot change (its password and settings it can).
    """
    name = ident(checked_role(role))
    return (
        f"CREATE ROLE {name} LOGIN NOCREATEROLE NOCREATEDB NOREPLICATION NOBYPASSRLS"
        f" CONNECTION LIMIT {connections:d} PASSWORD {literal(verifier)}",
        f"GRANT {ident(shape_role)} TO {name} WITH INHERIT TRUE, SET FALSE",
        f"GRANT {names.GRANTS} TO {name} WITH INHERIT TRUE, SET FALSE",
        f"GRANT {name} TO {names.GUARD} WITH INHERIT TRUE, SET FALSE",  # for DROP OWNED
    )


def add_people(role: str, people: Sequence[Person]) -> str:
    """For seenby_owner: the grant's people into the scope table."""
    values = ", ".join(f"({literal(role)}, {literal(one.kind)}, {literal(one.key)})" for one in sorted(set(people)))
    return f"INSERT INTO {names.SCOPE} (role, kind, person) VALUES {values}"


def add_holder(role: str, principal: str) -> str:
    """For seenby_owner: whose grant it is, for the author of new rows (writes.py)."""
    return f"INSERT INTO {names.HOLDER} (role, principal) VALUES ({literal(role)}, {literal(principal)})"


def people_of(role: str) -> str:
    """For seenby_owner: (kind, person)."""
    return f"SELECT kind, person FROM {names.SCOPE} WHERE role = {literal(role)}"


def odd_keys(base_type: str, keys: Sequence[str]) -> str:
    """Lists keys that Postgres would print otherwise (``042``), which would never match. Fails for what is no key."""
    return f"SELECT k FROM unnest(ARRAY[{literals(keys)}]::text[]) k WHERE k::{base_type}::text <> k"


def cut_off(roles: Sequence[str]) -> str:
    """For seenby_guard. Membership in seenby_grants stays until the end: pg_hba.conf matches by it."""
    sql = [f"ALTER ROLE {ident(checked_role(role))} NOLOGIN" for role in roles]
    shapes = f"""
DO $$ DECLARE pair record; BEGIN
  FOR pair IN SELECT m.roleid::regrole AS shape, m.member::regrole AS role FROM pg_auth_members m
              JOIN pg_roles g ON g.oid = m.member JOIN pg_roles s ON s.oid = m.roleid
              WHERE g.rolname IN ({literals(roles)}) AND starts_with(s.rolname, '{names.SHAPE_PREFIX}') LOOP
    EXECUTE format('REVOKE %s FROM %s', pair.shape, pair.role);
  END LOOP;
END $$"""
    return ";\n".join(sql) + ";" + shapes


def signal(roles: Sequence[str]) -> str:
    return f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename IN ({literals(roles)})"


def existing(roles: Sequence[str]) -> str:
    return f"SELECT rolname FROM pg_roles WHERE rolname IN ({literals(checked_role(role) for role in roles)})"


def remove_people(roles: Sequence[str]) -> str:
    """For seenby_owner."""
    listed = literals(roles)
    return f"DELETE FROM {names.SCOPE} WHERE role IN ({listed}); DELETE FROM {names.HOLDER} WHERE role IN ({listed})"


def drop_roles(roles: Sequence[str]) -> str:
    """For seenby_guard. DROP OWNED: a role may have altered its own default privileges."""
    listed = ", ".join(ident(checked_role(role)) for role in roles)
    return f"DROP OWNED BY {listed}; DROP ROLE {listed}"


GRANT_ROLES = f"SELECT rolname FROM pg_roles WHERE starts_with(rolname, '{names.GRANT_PREFIX}') ORDER BY 1"

UNUSED_SHAPES = f"""
SELECT s.rolname FROM pg_roles s
WHERE starts_with(s.rolname, '{names.SHAPE_PREFIX}')
  AND NOT EXISTS (SELECT FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.member
                  WHERE m.roleid = s.oid AND starts_with(g.rolname, '{names.GRANT_PREFIX}'))
ORDER BY 1"""


def drop_shape_schemas(schemas: Sequence[str]) -> str:
    """For seenby_owner."""
    listed = ", ".join(ident(schema) for schema in schemas)
    return f"DROP SCHEMA {listed} CASCADE; DELETE FROM {names.SHAPE_SCHEMA} WHERE nspname IN ({literals(schemas)})"


def shape_lock(shape_id: str) -> str:
    """Two gateway processes make the same shape once. The number is the shape id, as a signed 64-bit integer."""
    return f"SELECT pg_advisory_xact_lock({int.from_bytes(bytes.fromhex(shape_id), 'big', signed=True)})"

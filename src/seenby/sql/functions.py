"""Which functions, types and operators a statement may name, and what is known of them.

The catalog lists what is safe to call. This module knows more about some of those: which cannot fail, whatever the
data (they may stand in a companion query, which must not fail), and which are strict.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from difflib import get_close_matches

from postgast import pg_query_pb2 as pb

from seenby.errors import Refused, Unknown, UnknownFunction, Unsupported


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


VOLATILE = words("""
    random random_normal clock_timestamp timeofday gen_random_uuid uuidv4 uuidv7 setseed nextval currval lastval
    setval pg_sleep pg_sleep_for pg_sleep_until statement_timestamp txid_current pg_current_xact_id
    """)
"""Answer differently at each call, so a companion query would see something else than the query itself."""

SYNTAX = words("""
    extract position substring overlay btrim ltrim rtrim timezone overlaps normalize is_normalized like_escape
    similar_to_escape
    """)
"""Behind SQL's own spellings, as in ``EXTRACT(year FROM x)``, ``x AT TIME ZONE y``, ``LIKE x ESCAPE y``."""

REG_TYPES = words("""
    regclass regcollation regconfig regdictionary regnamespace regoper regoperator regproc regprocedure regrole
    regtype
    """)
"""Casts to these look names up in the whole catalog, also of what the grant does not show."""

CATALOG_TYPES = words("oid name char bpchar int2vector oidvector pg_node_tree xid")
"""Types that queries over the catalog need, beyond what any query may name."""

TOTAL = words("""
    lower upper initcap length char_length character_length octet_length bit_length btrim ltrim rtrim reverse md5
    strpos starts_with concat concat_ws now transaction_timestamp current_database current_schema version isfinite
    cardinality array_length array_ndims array_upper array_lower jsonb_typeof json_typeof host
    family masklen quote_literal quote_ident quote_nullable left right num_nulls num_nonnulls ascii abbrev
    min max any_value count
    """)
"""Cannot raise an error, whatever the data."""

TOTAL_OF_FIELD = frozenset({"date_trunc", "date_part", "extract"})
"""Cannot raise an error when the first argument is one of ``DATE_FIELDS``."""

DATE_FIELDS = words("""
    century day decade dow doy epoch hour isodow isoyear microseconds millennium milliseconds minute month quarter
    second week year
    """)

STRICT = words("""
    lower upper initcap length char_length character_length btrim ltrim rtrim reverse md5 date_trunc date_part
    extract abs left right substr substring
    """)
"""NULL for a NULL argument."""

ANY_ORDER = words("count min max bool_and bool_or every bit_and bit_or")
"""Aggregates that give the same, in whatever order their rows come. Not sum: of floats, the last digits differ."""

ONE_OF_THEM = words("min max any_value")
"""Aggregates that give the value of one of the rows."""

COMPARISONS = words("= <> != < > <= >=")
"""Strict, and no value of any built-in type makes them fail."""

TOTAL_OPERATORS = COMPARISONS | words("-> ->> @> <@ ? ?| ?& && << >> <<= >>= ^@ #> #>> ~~ !~~ ~~* !~~*")

STRICT_OPERATORS = TOTAL_OPERATORS | words("+ - * / % ~ !~ ~* !~*")

TEXT_TYPES = frozenset({"text", "varchar", "bpchar", "name"})
"""Casts to these cannot fail."""


SERVED = "seenby_catalog"
"""The schema with our own version of the catalog, and of functions that would tell too much of it."""

_PG_CATALOG = pb.Node()
_PG_CATALOG.string.sval = "pg_catalog"


def name_of(parts: Sequence[pb.Node], what: str) -> str:
    """The last part of a possibly qualified name. Refuses every schema but ``pg_catalog``."""
    if len(parts) == 1 or (len(parts) == 2 and parts[0].string.sval == "pg_catalog"):
        name: str = parts[-1].string.sval
        return name
    written = ".".join(part.string.sval for part in parts)
    raise Refused(
        f"{what} {written} is not one of Postgres's own",
        hint=f"use a {what} of pg_catalog; those of the platform's schemas are closed",
    )


def check_function(call: pb.FuncCall, allowed: Collection[str], *more: Collection[str]) -> str:
    """The name of a function that may be called; its call is qualified, so that no other schema can answer it."""
    parts = call.funcname
    name = name_of(parts, "function")
    known = name in allowed or any(name in names for names in more)
    if name in VOLATILE:
        raise Unsupported(
            f"function {name} answers differently at each call",
            hint="compute the value in the client and send it as a constant or parameter",
        )
    if not known and name not in SYNTAX:
        near = get_close_matches(name, allowed, 1, 0.8)
        hint = f"did you mean {near[0]}?" if near else "compute it in the client from the columns you may see"
        raise UnknownFunction(f"function {name} is not on the list of functions that a query may call", hint=hint)
    # unnest(a, b), in FROM, is grammar and no function: only without a schema.
    if len(parts) == 1 and not (name == "unnest" and len(call.args) > 1):
        parts.insert(0, _PG_CATALOG)
    # (x AT TIME ZONE 'UTC')::date would be printed without its parentheses.
    call.funcformat = pb.COERCE_EXPLICIT_CALL
    return name


def served_call(name: str, *arguments: pb.Node) -> pb.FuncCall:
    """A call of our own version of a function."""
    call = pb.FuncCall(args=arguments, funcformat=pb.COERCE_EXPLICIT_CALL)
    for part in (SERVED, name):
        call.funcname.add().string.sval = part
    return call


def serve_keyword(node: pb.Node, rewritten: Collection[str]) -> None:
    """CURRENT_SCHEMA is a call of current_schema() without parentheses; it would print the name of a schema of ours."""
    if node.sqlvalue_function.op == pb.SVFOP_CURRENT_SCHEMA and "current_schema" in rewritten:
        node.func_call.CopyFrom(served_call("current_schema"))


def check_type(type_name: pb.TypeName, allowed: Collection[str]) -> str:
    """The name of a type that a cast may name."""
    name = name_of(type_name.names, "type")
    if type_name.setof or type_name.pct_type:
        raise Unsupported(f"type {name} cannot be written like this here", hint="name a plain type")
    if name in allowed:
        if name == "bpchar" and not type_name.typmods:
            del type_name.names[:-1]  # pg_catalog.bpchar would be printed as char, which is char(1)
        return name
    if name in REG_TYPES:
        raise Refused(
            f"casts to {name} look names up in the whole catalog",
            hint="read the catalog's relations instead, as in  SELECT relname FROM pg_class",
        )
    near = get_close_matches(name, allowed, 1, 0.8)
    hint = f"did you mean {near[0]}?" if near else "cast to a built-in type, as in  x::text"
    raise Unknown(f"type {name} is not on the list of types that a cast may name", hint=hint)


def check_operator(parts: Sequence[pb.Node]) -> str:
    """The operator's name."""
    return name_of(parts, "operator")


def check_collation(parts: Sequence[pb.Node]) -> str:
    return name_of(parts, "collation")

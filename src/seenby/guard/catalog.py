"""``seenby_catalog``: what ``pg_catalog`` and ``information_schema`` look like to a grant.

Clients ask the catalogue before anything else: psql's ``\\d``, type lookups of drivers, ORMs. The real one tells every
role about every table, comment, function body, row estimate and predicate. So the gateway lets a query read catalogue
relations only by rewriting them:

========================================  ============================================================
in the query                              becomes
========================================  ============================================================
``pg_catalog.pg_class``, ``pg_class``     ``seenby_catalog.pg_class`` (names in ``CATALOG_VIEWS``)
``information_schema.tables``             ``seenby_catalog."information_schema.tables" AS tables``
``pg_catalog.format_type(x, y)``, bare    ``seenby_catalog.format_type(x, y)`` (``REWRITTEN_FUNCTIONS``)
``x::regclass``, ``CAST(x AS regclass)``  ``seenby_catalog.regclass(x)`` (types in ``REWRITTEN_FUNCTIONS``)
anything else of the catalogue            refused
========================================  ============================================================

The relations have the columns of the server they are made on, in its order (PostgreSQL 16 to 18). A grant sees

- the views of its shape as ordinary tables of the platform's schema, with NOT NULL, keys, foreign keys and plain
  indexes of the table behind each, where every column that takes part is visible. Constraints and indexes get the
  names Postgres would choose by itself: the real ones may name what is hidden. NOT NULL is said of the table; a masked
  value may still be NULL.
- the types of those columns; of everything else (functions, operators, casts, collations) what initdb made;
- itself as the only role and session, its database as the only one, a short list of settings, time zones.

Nobody sees comments, defaults, checks, predicates, estimates, sizes, privileges, owners, policies, publications,
statistics, function source, view definitions. Functions that print text about an object by its number run against
the *real* catalogue, whatever the query reads; hence ``REWRITTEN_FUNCTIONS``, which know nothing else than
the views here. Casts to reg* types print names of any object and resolve any name; they are rewritten too.
What a shape shows is worked out when the transaction that makes the shape commits (a trigger on
``seenby.shape_schema``) and kept in tables: of the real catalogue one ``\\d`` took 8 s, now 30 ms.
An index that the platform makes later shows when the shape is made again, or the attach script is run again.

The functions that stay real (``pg_function_is_visible`` and its like) tell one bit about a guessed number: that
there is such an operator, collation, ...
"""

from __future__ import annotations

import json
from dataclasses import asdict
from importlib.resources import files

from seenby.guard.catalog_information import INFORMATION_SCHEMA
from seenby.guard.catalog_relations import PG_CATALOG, Relation

RELATIONS: dict[str, Relation] = PG_CATALOG | INFORMATION_SCHEMA
"""Every relation that ``seenby_catalog`` serves. The rest is refused: pg_authid, pg_statistic, pg_hba_file_rules..."""

CATALOG_VIEWS: frozenset[str] = frozenset(RELATIONS)
"""Each is the name of a view in ``seenby_catalog``, "information_schema.tables" with its dot too."""

INFORMATION_SCHEMA_VIEWS: frozenset[str] = frozenset(name for name in RELATIONS if "." in name)
"""The ones of ``information_schema``; the others are relations of ``pg_catalog``."""

_REWRITTEN = """
    acldefault aclexplode col_description obj_description shobj_description pg_describe_object pg_identify_object
    format_type oidvectortypes current_schema current_schemas current_setting set_config
    has_any_column_privilege has_column_privilege has_database_privilege has_function_privilege has_language_privilege
    has_schema_privilege has_sequence_privilege has_table_privilege has_tablespace_privilege has_type_privilege
    pg_has_role
    inet_client_addr inet_client_port inet_server_addr inet_server_port pg_backend_pid pg_blocking_pids
    pg_conf_load_time pg_is_in_recovery pg_is_other_temp_schema pg_my_temp_schema pg_postmaster_start_time
    pg_show_all_settings
    pg_available_extensions pg_column_is_updatable pg_get_constraintdef pg_get_expr pg_get_function_arg_default
    pg_get_function_arguments pg_get_function_identity_arguments pg_get_function_result pg_get_function_sqlbody
    pg_get_functiondef pg_get_indexdef pg_get_partition_constraintdef
    pg_get_partkeydef pg_get_ruledef pg_get_serial_sequence pg_get_statisticsobjdef pg_get_statisticsobjdef_columns
    pg_get_triggerdef pg_get_userbyid pg_get_viewdef
    pg_partition_ancestors pg_partition_tree pg_relation_filenode pg_relation_is_publishable pg_relation_is_updatable
    pg_stat_get_numscans pg_table_is_visible pg_type_is_visible
    pg_database_size pg_indexes_size pg_relation_size pg_table_size pg_tablespace_location pg_tablespace_size
    pg_total_relation_size
    to_regclass to_regnamespace to_regtype ts_token_type
"""
_REG_TYPES = """
    regclass regcollation regconfig regdictionary regnamespace regoper regoperator regproc regprocedure regrole regtype
"""
REG_ARRAYS: frozenset[str] = frozenset(f"{name}[]" for name in _REG_TYPES.split())
"""Names of functions that a cast to an array of such a type goes to."""
REWRITTEN_FUNCTIONS: frozenset[str] = frozenset((_REWRITTEN + _REG_TYPES).split()) | REG_ARRAYS
"""A call of, and a cast to, a name listed here goes to the function of that name in ``seenby_catalog``."""

_HARMLESS = """
    array_agg array_length array_lower array_position array_remove array_to_string array_upper
    btrim concat concat_ws count format generate_series generate_subscripts left length lower max min quote_ident
    quote_literal replace starts_with string_agg substring translate unnest upper
    current_database getdatabaseencoding pg_char_to_encoding pg_client_encoding pg_encoding_max_length
    pg_encoding_to_char pg_get_keywords pg_options_to_table pg_size_bytes pg_size_pretty version
    pg_collation_is_visible pg_conversion_is_visible pg_function_is_visible pg_opclass_is_visible
    pg_operator_is_visible pg_opfamily_is_visible pg_statistics_obj_is_visible pg_ts_config_is_visible
    pg_ts_dict_is_visible pg_ts_parser_is_visible pg_ts_template_is_visible
"""
INFORMATION_FUNCTIONS: frozenset[str] = frozenset(
    f"information_schema.{name}"
    for name in (
        "_pg_char_max_length", "_pg_char_octet_length", "_pg_datetime_precision", "_pg_expandarray",
        "_pg_interval_type", "_pg_numeric_precision", "_pg_numeric_precision_radix",
        "_pg_numeric_scale",
    )
)  # fmt: skip
"""Likewise, of ``information_schema``: they compute from their arguments alone (pgjdbc asks for keys with one)."""
CATALOG_FUNCTIONS: frozenset[str] = REWRITTEN_FUNCTIONS | frozenset(_HARMLESS.split()) | INFORMATION_FUNCTIONS
"""What a query over the catalogue alone may call. Never: what reads files, counts, locks, waits or stops something."""

_SCRIPTS = ("catalog.sql", "catalog_functions.sql", "catalog_shapes.sql")


def catalog_sql() -> str:
    """SQL that makes ``seenby_catalog`` anew; run it at attach, as a superuser, in the platform's database, as one
    transaction. It needs the roles ``seenby_owner`` and ``seenby_grants`` and the table ``seenby.shape_schema``.
    Making or dropping a shape (rows of that table) then keeps what is shown in step, at commit.

    Running it again replaces the schema; sessions with an open transaction that has read it make it wait.
    """
    relations = json.dumps([{"name": name, **asdict(relation)} for name, relation in RELATIONS.items()])
    parts = [files("seenby.guard").joinpath(name).read_text(encoding="utf-8") for name in _SCRIPTS]
    return "".join(parts).replace(":'relations'", f"$relations${relations}$relations$")

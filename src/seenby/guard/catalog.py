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

The relations have the columns of the server they are made on, in its order (PostgreSQL 16 to 18); a ``tableoid``
follows where psql asks for one, because a view has no system columns. A grant sees

- the views of its shape as ordinary tables of the platform's schema, with NOT NULL, keys, foreign keys and plain
  indexes of the table behind each, where every column that takes part is visible. Constraints and indexes get the
  names Postgres would choose by itself: the real ones may name what is hidden. NOT NULL is said of the table; a masked
  value may still be NULL.
- the types of those columns; of everything else (functions, operators, casts, collations) what initdb made;
- itself as the only role, its database as the only one, a short list of settings.

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
from dataclasses import asdict, dataclass, field
from importlib.resources import files

FIRST_NORMAL_OID = 16384
"""Objects below were made by initdb, the same in every database (PostgreSQL source: access/transam.h)."""

SETTINGS = (
    "DateStyle", "IntervalStyle", "TimeZone", "bytea_output", "client_encoding", "default_transaction_isolation",
    "default_transaction_read_only", "extra_float_digits", "integer_datetimes", "jit", "max_identifier_length",
    "max_index_keys", "server_encoding", "server_version", "server_version_num", "standard_conforming_strings",
    "transaction_isolation", "transaction_read_only",
)  # fmt: skip
"""The settings that ``pg_settings`` and ``current_setting`` tell."""


@dataclass(frozen=True, slots=True)
class Relation:
    """How one relation of the catalogue is filled.

    Attributes:
        source: a FROM clause in which the relation itself is ``r``, with WHERE; "" leaves the view empty.
        columns: column -> expression; always wins.
        rest: what the columns not named there hold: True: the real value, but never an owner (10, the bootstrap
            superuser), privileges (aclitem[]), an expression (pg_node_tree) or a sample (anyarray); False: 0, false
            or NULL.
    """

    source: str = ""
    columns: dict[str, str] = field(default_factory=dict)
    rest: bool = False


def _built_in(relation: str, key: str = "oid", **columns: str) -> Relation:
    return Relation(f"pg_catalog.{relation} r WHERE r.{key}::pg_catalog.oid < {FIRST_NORMAL_OID}", columns, rest=True)


def _taken(*names: str, **columns: str) -> dict[str, str]:
    """Real values of the columns ``names``, expressions for ``columns``."""
    return {name: f"r.{name}" for name in names} | columns


_SHAPES = "ANY (ARRAY(SELECT shape FROM seenby_catalog.shown_shape))"


def _shown(*names: str, **columns: str) -> dict[str, str]:
    """Likewise, but values as Seenby shows them."""
    return {name: f"s.{name}" for name in names} | columns


def _kept(relation: str, kept: str, join: str) -> str:
    """The real rows of ``relation`` that ``kept`` names, as ``r`` and ``s``."""
    return f"pg_catalog.{relation} r JOIN seenby_catalog.{kept} s ON {join} WHERE s.shape = {_SHAPES}"


_INFORMATION = {"table_catalog": "current_database()", "table_schema": "n.nspname", "table_name": "c.relname"}
_INFORMATION_CONSTRAINT = {
    "constraint_catalog": "current_database()",
    "constraint_schema": "n.nspname",
    "constraint_name": "k.conname",
}
# Straight from what is kept: of stacked views, each with its own barrier, one list of 3,000 columns took 38 s.
_TABLES = (
    "seenby_catalog.kept_class c JOIN seenby_catalog.kept_namespace n ON n.shape = c.shape AND n.oid = c.relnamespace"
    f"{{}} WHERE c.shape = {_SHAPES} AND c.shape <> '' AND c.relkind = 'r'"
)
_CONSTRAINTS = _TABLES.format(
    " JOIN seenby_catalog.kept_constraint k ON k.shape = c.shape AND k.conrelid = c.oid"
    " JOIN pg_catalog.pg_constraint r ON r.oid = k.oid AND r.contype IN ('p', 'u', 'f'){}"
)

_FILLED: dict[str, Relation] = {
    "pg_class": Relation(
        _kept("pg_class", "kept_class", "s.oid = r.oid"),
        _taken("oid", "reltype", relowner="10", reltuples="-1", relpersistence="'p'", relispopulated="true")
        | _shown("relname", "relnamespace", "relkind", "relam", "relnatts", "relhasindex", relreplident="'d'"),
    ),
    "pg_namespace": Relation(
        _kept("pg_namespace", "kept_namespace", "s.oid = r.oid"), _taken("oid", nspname="s.nspname", nspowner="10")
    ),
    "pg_attribute": Relation(
        _kept("pg_attribute", "kept_attribute", "s.attrelid = r.attrelid AND s.attnum = r.attnum"),
        _taken(
            "attrelid", "atttypid", "attlen", "attnum", "atttypmod", "attndims", "attbyval", "attalign", "attstorage"
        )
        | _taken("attcollation", attcompression="''", attidentity="''", attgenerated="''", attislocal="true")
        | _shown("attname", "attnotnull", attcacheoff="-1", attstattarget="NULL"),
    ),
    "pg_type": Relation(
        _kept("pg_type", "kept_type", "s.oid = r.oid"),
        {"typnamespace": "s.typnamespace", "typdefault": "NULL"},
        rest=True,
    ),
    "pg_index": Relation(
        _kept("pg_index", "kept_index", "s.oid = r.indexrelid"),
        _taken("indexrelid", "indnatts", "indnkeyatts", "indisunique", "indnullsnotdistinct", "indisprimary")
        | _taken("indimmediate", "indcollation", "indclass", "indoption")
        | _shown("indrelid", "indkey", indisvalid="true", indisready="true", indislive="true"),
    ),
    "pg_constraint": Relation(
        _kept("pg_constraint", "kept_constraint", "s.oid = r.oid"),
        _taken("oid", "contype", "condeferrable", "condeferred", "conenforced", "convalidated", "connoinherit")
        | _taken("confupdtype", "confdeltype", "confmatchtype", "conperiod", conislocal="true")
        | _shown("conname", "connamespace", "conrelid", "conindid", "confrelid", "conkey", "confkey"),
    ),
    "pg_enum": Relation(_kept("pg_enum", "kept_type", "s.oid = r.enumtypid"), rest=True),
    "pg_range": Relation(_kept("pg_range", "kept_type", "s.oid = r.rngtypid"), rest=True),
    "pg_collation": Relation(
        f"pg_catalog.pg_collation r WHERE r.oid < {FIRST_NORMAL_OID} OR r.oid IN (SELECT a.attcollation "
        "FROM pg_catalog.pg_attribute a JOIN seenby_catalog.kept_attribute s ON s.attrelid = a.attrelid "
        f"AND s.attnum = a.attnum WHERE s.shape = {_SHAPES})",
        {
            "collnamespace": "COALESCE((SELECT s.oid FROM seenby_catalog.kept_schema s "
            f"WHERE s.base = r.collnamespace AND s.shape = {_SHAPES} LIMIT 1), r.collnamespace)"
        },
        rest=True,
    ),
    "pg_proc": _built_in("pg_proc", prosrc="''", probin="NULL", proconfig="NULL"),
    **{
        name: _built_in(name)
        for name in (
            "pg_am",
            "pg_amop",
            "pg_amproc",
            "pg_cast",
            "pg_conversion",
            "pg_language",
            "pg_opclass",
            "pg_operator",
            "pg_opfamily",
            "pg_ts_config",
            "pg_ts_parser",
            "pg_ts_template",
        )
    },
    "pg_tablespace": _built_in("pg_tablespace", spcoptions="NULL"),
    "pg_ts_dict": _built_in("pg_ts_dict", dictinitoption="NULL"),
    "pg_ts_config_map": _built_in("pg_ts_config_map", "mapcfg"),
    "pg_aggregate": _built_in("pg_aggregate", "aggfnoid"),
    "pg_database": Relation(
        "pg_catalog.pg_database r WHERE r.datname = current_database()",
        _taken("oid", "datname", "encoding", "datlocprovider", "datcollate", "datctype", "datlocale", "daticulocale")
        | {"datdba": "10", "datallowconn": "true", "datconnlimit": "-1", "dattablespace": "1663"},
    ),
    "pg_roles": Relation(
        "pg_catalog.pg_roles r WHERE r.rolname = current_user",
        _taken("oid", "rolname", rolinherit="true", rolcanlogin="true", rolconnlimit="-1", rolpassword="'********'"),
    ),
    "pg_user": Relation(
        "pg_catalog.pg_user r WHERE r.usename = current_user", _taken("usename", "usesysid", passwd="'********'")
    ),
    "pg_settings": Relation(
        f"pg_catalog.pg_settings r WHERE r.name IN {SETTINGS}",
        {"sourcefile": "NULL", "sourceline": "NULL", "reset_val": "NULL"},
        rest=True,
    ),
    "pg_tables": Relation(
        _TABLES.format(""),
        {"schemaname": "n.nspname", "tablename": "c.relname", "tableowner": "'seenby'", "hasindexes": "c.relhasindex"},
    ),
    "pg_indexes": Relation(
        _TABLES.format(
            " JOIN seenby_catalog.kept_index i ON i.shape = c.shape AND i.indrelid = c.oid"
            " JOIN seenby_catalog.kept_class x ON x.shape = c.shape AND x.oid = i.oid"
        ),
        {"schemaname": "n.nspname", "tablename": "c.relname", "indexname": "x.relname", "indexdef": "i.indexdef"},
    ),
    "information_schema.schemata": Relation(
        "seenby_catalog.pg_namespace n",
        {"catalog_name": "current_database()", "schema_name": "n.nspname", "schema_owner": "'seenby'"},
    ),
    "information_schema.tables": Relation(
        _TABLES.format(""),
        _INFORMATION | {"table_type": "'BASE TABLE'", "is_insertable_into": "'NO'", "is_typed": "'NO'"},
    ),
    "information_schema.columns": Relation(
        _TABLES.format(
            """ JOIN seenby_catalog.kept_attribute k ON k.shape = c.shape AND k.attrelid = c.oid
            JOIN pg_catalog.pg_attribute a ON a.attrelid = k.attrelid AND a.attnum = k.attnum
            JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
            JOIN seenby_catalog.kept_type s ON s.shape IN (c.shape, '') AND s.oid = t.oid
            JOIN seenby_catalog.kept_namespace tn ON tn.shape IN (c.shape, '') AND tn.oid = s.typnamespace
            LEFT JOIN pg_catalog.pg_type b ON b.oid = t.typbasetype
            LEFT JOIN seenby_catalog.kept_type bs ON bs.shape IN (c.shape, '') AND bs.oid = b.oid
            LEFT JOIN seenby_catalog.kept_namespace bn ON bn.shape IN (c.shape, '') AND bn.oid = bs.typnamespace
            CROSS JOIN LATERAL (
                SELECT COALESCE(b.oid, t.oid) AS oid, CASE WHEN b.oid IS NULL THEN a.atttypmod ELSE t.typtypmod END
                    AS mod, COALESCE(b.typelem, t.typelem) <> 0 AND COALESCE(b.typlen, t.typlen) = -1 AS is_array
            ) y"""
        ),
        _INFORMATION
        | {
            "column_name": "k.attname",
            "ordinal_position": "k.attnum",
            "is_nullable": "CASE WHEN k.attnotnull THEN 'NO' ELSE 'YES' END",
            "data_type": f"CASE WHEN y.is_array THEN 'ARRAY' WHEN y.oid < {FIRST_NORMAL_OID} "
            "THEN pg_catalog.format_type(y.oid, NULL) ELSE 'USER-DEFINED' END",
            "character_maximum_length": "information_schema._pg_char_max_length(y.oid, y.mod)",
            "character_octet_length": "information_schema._pg_char_octet_length(y.oid, y.mod)",
            "numeric_precision": "information_schema._pg_numeric_precision(y.oid, y.mod)",
            "numeric_precision_radix": "information_schema._pg_numeric_precision_radix(y.oid, y.mod)",
            "numeric_scale": "information_schema._pg_numeric_scale(y.oid, y.mod)",
            "datetime_precision": "information_schema._pg_datetime_precision(y.oid, y.mod)",
            "domain_catalog": "CASE WHEN b.oid IS NOT NULL THEN current_database() END",
            "domain_schema": "CASE WHEN b.oid IS NOT NULL THEN tn.nspname END",
            "domain_name": "CASE WHEN b.oid IS NOT NULL THEN t.typname END",
            "udt_catalog": "current_database()",
            "udt_schema": "COALESCE(bn.nspname, tn.nspname)",
            "udt_name": "COALESCE(b.typname, t.typname)",
            "dtd_identifier": "k.attnum",
            "is_self_referencing": "'NO'",
            "is_identity": "'NO'",
            "is_generated": "'NEVER'",
            "is_updatable": "'NO'",
        },
    ),
    "information_schema.table_constraints": Relation(
        _CONSTRAINTS.format(""),
        _INFORMATION
        | _INFORMATION_CONSTRAINT
        | {
            "constraint_type": "CASE r.contype WHEN 'p' THEN 'PRIMARY KEY' WHEN 'u' THEN 'UNIQUE' "
            "ELSE 'FOREIGN KEY' END",
            "is_deferrable": "CASE WHEN r.condeferrable THEN 'YES' ELSE 'NO' END",
            "initially_deferred": "CASE WHEN r.condeferred THEN 'YES' ELSE 'NO' END",
            "enforced": "'YES'",
        },
    ),
    "information_schema.key_column_usage": Relation(
        _CONSTRAINTS.format(
            " CROSS JOIN LATERAL unnest(k.conkey) WITH ORDINALITY u(attnum, n)"
            " JOIN seenby_catalog.kept_attribute a ON a.shape = c.shape AND a.attrelid = c.oid AND a.attnum = u.attnum"
        ),
        _INFORMATION
        | _INFORMATION_CONSTRAINT
        | {
            "column_name": "a.attname",
            "ordinal_position": "u.n",
            "position_in_unique_constraint": "CASE WHEN r.contype = 'f' THEN u.n END",
        },
    ),
}

_EMPTY = (
    "pg_attrdef", "pg_auth_members", "pg_available_extension_versions", "pg_available_extensions", "pg_cursors",
    "pg_db_role_setting", "pg_default_acl", "pg_depend", "pg_description", "pg_event_trigger", "pg_extension",
    "pg_foreign_data_wrapper", "pg_foreign_server", "pg_foreign_table", "pg_group", "pg_inherits",
    "pg_largeobject_metadata", "pg_matviews", "pg_parameter_acl", "pg_partitioned_table", "pg_policies", "pg_policy",
    "pg_prepared_statements", "pg_prepared_xacts", "pg_publication", "pg_publication_namespace", "pg_publication_rel",
    "pg_publication_tables", "pg_rewrite", "pg_rules", "pg_seclabel", "pg_seclabels", "pg_sequence", "pg_sequences",
    "pg_shdescription", "pg_shseclabel", "pg_statistic_ext", "pg_subscription", "pg_subscription_rel",
    "pg_transform", "pg_trigger", "pg_user_mappings", "pg_views",
    "information_schema.check_constraints", "information_schema.element_types", "information_schema.parameters",
    "information_schema.routines", "information_schema.sequences", "information_schema.triggers",
    "information_schema.views",
)  # fmt: skip

RELATIONS: dict[str, Relation] = _FILLED | dict.fromkeys(_EMPTY, Relation())
"""Every relation that ``seenby_catalog`` serves. The rest is refused: pg_authid, pg_statistic, pg_stat_*..."""

CATALOG_VIEWS: frozenset[str] = frozenset(RELATIONS)
"""Each is the name of a view in ``seenby_catalog``, "information_schema.tables" with its dot too."""

INFORMATION_SCHEMA_VIEWS: frozenset[str] = frozenset(name for name in RELATIONS if "." in name)
"""The ones of ``information_schema``; the others are relations of ``pg_catalog``."""

_REWRITTEN = """
    col_description obj_description shobj_description pg_describe_object
    format_type current_schema current_schemas current_setting set_config
    has_any_column_privilege has_database_privilege has_schema_privilege has_table_privilege pg_has_role
    pg_available_extensions pg_get_constraintdef pg_get_expr pg_get_function_arguments
    pg_get_function_identity_arguments pg_get_function_result pg_get_indexdef pg_get_partition_constraintdef
    pg_get_partkeydef pg_get_ruledef pg_get_serial_sequence pg_get_statisticsobjdef pg_get_statisticsobjdef_columns
    pg_get_triggerdef pg_get_userbyid
    pg_partition_ancestors pg_partition_tree pg_relation_is_publishable pg_table_is_visible pg_type_is_visible
    pg_database_size pg_indexes_size pg_relation_size pg_table_size pg_tablespace_location pg_tablespace_size
    pg_total_relation_size
    to_regclass to_regnamespace to_regtype ts_token_type
    regclass regcollation regconfig regdictionary regnamespace regoper regoperator regproc regprocedure regrole regtype
"""
REWRITTEN_FUNCTIONS: frozenset[str] = frozenset(_REWRITTEN.split())
"""A call of, and a cast to, a name listed here goes to the function of that name in ``seenby_catalog``."""

_HARMLESS = """
    array_agg array_length array_lower array_position array_remove array_to_string array_upper
    btrim concat concat_ws count format generate_series generate_subscripts left length lower max min quote_ident
    quote_literal replace starts_with string_agg substring translate unnest upper
    current_database getdatabaseencoding pg_char_to_encoding pg_encoding_max_length pg_encoding_to_char
    pg_options_to_table pg_size_pretty version
    pg_collation_is_visible pg_conversion_is_visible pg_function_is_visible pg_opclass_is_visible
    pg_operator_is_visible pg_opfamily_is_visible pg_statistics_obj_is_visible pg_ts_config_is_visible
    pg_ts_dict_is_visible pg_ts_parser_is_visible pg_ts_template_is_visible
"""
CATALOG_FUNCTIONS: frozenset[str] = REWRITTEN_FUNCTIONS | frozenset(_HARMLESS.split())
"""What a query over the catalogue alone may call. Never: pg_get_viewdef, pg_get_functiondef, statistics, locks."""

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

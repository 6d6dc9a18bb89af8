"""The relations of ``pg_catalog`` as a grant sees them, each as a FROM clause and expressions (catalog.py says why)."""

from __future__ import annotations

from dataclasses import dataclass, field

FIRST_NORMAL_OID = 16384
"""Objects below were made by initdb, the same in every database (PostgreSQL source: access/transam.h)."""

SETTINGS = (
    "DateStyle", "IntervalStyle", "TimeZone", "application_name", "array_nulls", "block_size", "bytea_output",
    "client_encoding", "default_table_access_method", "default_tablespace", "default_transaction_deferrable",
    "default_transaction_isolation", "default_transaction_read_only", "escape_string_warning", "extra_float_digits",
    "in_hot_standby", "integer_datetimes", "jit", "lc_messages", "lc_monetary", "lc_numeric", "lc_time",
    "max_identifier_length", "max_index_keys", "quote_all_identifiers", "search_path", "server_encoding",
    "server_version", "server_version_num", "standard_conforming_strings", "transaction_deferrable",
    "transaction_isolation", "transaction_read_only", "xmlbinary", "xmloption",
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


SHAPES = "ANY (ARRAY(SELECT shape FROM seenby_catalog.shown_shape))"


def _shown(*names: str, **columns: str) -> dict[str, str]:
    """Likewise, but values as Seenby shows them."""
    return {name: f"s.{name}" for name in names} | columns


def _kept(relation: str, kept: str, join: str) -> str:
    """The real rows of ``relation`` that ``kept`` names, as ``r`` and ``s``."""
    return f"pg_catalog.{relation} r JOIN seenby_catalog.{kept} s ON {join} WHERE s.shape = {SHAPES}"


# Straight from what is kept: of stacked views, each with its own barrier, one list of 3,000 columns took 38 s.
TABLES = (
    "seenby_catalog.kept_class c JOIN seenby_catalog.kept_namespace n ON n.shape = c.shape AND n.oid = c.relnamespace"
    f"{{}} WHERE c.shape = {SHAPES} AND c.shape <> '' AND c.relkind = 'r'"
)
"""Every table shown: ``c`` its class, ``n`` its schema; ``{}`` takes further joins."""

_SETTING = (
    "CASE r.name WHEN 'search_path' THEN (SELECT string_agg(quote_ident(k.shows_as), ', ' ORDER BY u.i) "
    "FROM unnest(current_schemas(false)) WITH ORDINALITY u(name, i) "
    "JOIN seenby_catalog.kept_schema k ON k.nspname = u.name) ELSE r.setting END"
)
"""The search path is written with the schemas that users know."""

_FILLED: dict[str, Relation] = {
    "pg_class": Relation(
        _kept("pg_class", "kept_class", "s.oid = r.oid"),
        _taken("oid", "reltype", relowner="10", reltuples="-1", relpersistence="'p'", relispopulated="true")
        | _shown(
            "relname",
            "relnamespace",
            "relkind",
            "relam",
            "relnatts",
            "relhasindex",
            "relhastriggers",
            relreplident="'d'",
        ),
    ),
    "pg_namespace": Relation(
        _kept("pg_namespace", "kept_namespace", "s.oid = r.oid"), _taken("oid", nspname="s.nspname", nspowner="10")
    ),
    "pg_attribute": Relation(
        _kept("pg_attribute", "kept_attribute", "s.attrelid = r.attrelid AND s.attnum = r.attnum"),
        _taken("attrelid", "atttypid", "attlen", "attnum", "atttypmod", "attbyval", "attalign", "attstorage")
        | _taken("attcollation", attcompression="''", attidentity="''", attgenerated="''", attislocal="true")
        | _shown("attname", "attnotnull", "attndims", attcacheoff="-1", attstattarget="NULL"),
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
        f"AND s.attnum = a.attnum WHERE s.shape = {SHAPES})",
        {
            "collnamespace": "COALESCE((SELECT s.oid FROM seenby_catalog.kept_schema s "
            f"WHERE s.base = r.collnamespace AND s.shape = {SHAPES} LIMIT 1), r.collnamespace)"
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
        {"sourcefile": "NULL", "sourceline": "NULL", "reset_val": "NULL", "setting": _SETTING},
        rest=True,
    ),
    # The session itself; not its statement, its times or the gateway's address.
    "pg_stat_activity": Relation(
        "pg_catalog.pg_database d JOIN pg_catalog.pg_roles u ON u.rolname = current_user"
        " WHERE d.datname = current_database()",
        {
            "datid": "d.oid",
            "datname": "d.datname",
            "pid": "COALESCE(NULLIF(current_setting('seenby.pid', true), '')::integer, 0)",
            "usesysid": "u.oid",
            "usename": "u.rolname",
            "application_name": "current_setting('application_name')",
            "state": "'active'",
            "backend_type": "'client backend'",
        },
    ),
    "pg_stat_gssapi": Relation(
        "pg_catalog.pg_database d WHERE d.datname = current_database()",
        {"pid": "COALESCE(NULLIF(current_setting('seenby.pid', true), '')::integer, 0)"},
    ),
    "pg_timezone_names": Relation("pg_catalog.pg_timezone_names r", rest=True),
    "pg_timezone_abbrevs": Relation("pg_catalog.pg_timezone_abbrevs r", rest=True),
    "pg_tables": Relation(
        TABLES.format(""),
        {"schemaname": "n.nspname", "tablename": "c.relname", "tableowner": "'seenby'", "hasindexes": "c.relhasindex"},
    ),
    "pg_indexes": Relation(
        TABLES.format(
            " JOIN seenby_catalog.kept_index i ON i.shape = c.shape AND i.indrelid = c.oid"
            " JOIN seenby_catalog.kept_class x ON x.shape = c.shape AND x.oid = i.oid"
        ),
        {"schemaname": "n.nspname", "tablename": "c.relname", "indexname": "x.relname", "indexdef": "i.indexdef"},
    ),
}

_EMPTY = (
    "pg_attrdef", "pg_auth_members", "pg_available_extension_versions", "pg_available_extensions", "pg_cursors",
    "pg_db_role_setting", "pg_default_acl", "pg_depend", "pg_description", "pg_event_trigger", "pg_extension",
    "pg_foreign_data_wrapper", "pg_foreign_server", "pg_foreign_table", "pg_group", "pg_inherits", "pg_init_privs",
    "pg_largeobject_metadata", "pg_locks", "pg_matviews", "pg_parameter_acl", "pg_partitioned_table", "pg_policies",
    "pg_policy", "pg_prepared_statements", "pg_prepared_xacts", "pg_publication", "pg_publication_namespace",
    "pg_publication_rel", "pg_publication_tables", "pg_replication_slots", "pg_rewrite", "pg_rules", "pg_seclabel",
    "pg_seclabels", "pg_sequence", "pg_sequences", "pg_shdepend", "pg_shdescription", "pg_shseclabel",
    "pg_stat_all_indexes", "pg_stat_all_tables", "pg_stat_archiver", "pg_stat_bgwriter", "pg_stat_checkpointer",
    "pg_stat_database", "pg_stat_database_conflicts", "pg_stat_progress_analyze",
    "pg_stat_progress_cluster", "pg_stat_progress_copy", "pg_stat_progress_create_index", "pg_stat_progress_vacuum",
    "pg_stat_replication", "pg_stat_ssl", "pg_stat_subscription", "pg_stat_sys_indexes", "pg_stat_sys_tables",
    "pg_stat_user_functions", "pg_stat_user_indexes", "pg_stat_user_tables", "pg_stat_wal_receiver",
    "pg_statio_all_indexes", "pg_statio_all_sequences", "pg_statio_all_tables", "pg_statio_user_indexes",
    "pg_statio_user_sequences", "pg_statio_user_tables", "pg_statistic_ext", "pg_stats", "pg_stats_ext",
    "pg_subscription", "pg_subscription_rel", "pg_transform", "pg_trigger", "pg_user_mappings", "pg_views",
)  # fmt: skip
"""Asked by clients, and nothing may be told: other sessions, estimates, statistics, sizes, texts of the schema."""

PG_CATALOG: dict[str, Relation] = _FILLED | dict.fromkeys(_EMPTY, Relation())
"""Relations of ``pg_catalog``, by name."""

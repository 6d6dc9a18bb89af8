"""The relations of ``information_schema`` as a grant sees them (catalog.py says why)."""

from __future__ import annotations

from seenby.guard.catalog_relations import FIRST_NORMAL_OID, SHAPES, TABLES, Relation

_INFORMATION = {"table_catalog": "current_database()", "table_schema": "n.nspname", "table_name": "c.relname"}
_INFORMATION_CONSTRAINT = {
    "constraint_catalog": "current_database()",
    "constraint_schema": "n.nspname",
    "constraint_name": "k.conname",
}
_CONSTRAINTS = TABLES.format(
    " JOIN seenby_catalog.kept_constraint k ON k.shape = c.shape AND k.conrelid = c.oid"
    " JOIN pg_catalog.pg_constraint r ON r.oid = k.oid AND r.contype IN ('p', 'u', 'f', 'n'){}"
)
_NOT_NULL = _CONSTRAINTS.format(
    " AND r.contype = 'n' JOIN seenby_catalog.kept_attribute a"
    " ON a.shape = c.shape AND a.attrelid = c.oid AND a.attnum = k.conkey[1]"
)
# Of a key: its own table; of a foreign key: the one that it refers to.
_OF_KEYS = (
    "seenby_catalog.kept_constraint k"
    " JOIN seenby_catalog.kept_namespace n ON n.shape = k.shape AND n.oid = k.connamespace"
    " JOIN seenby_catalog.kept_class t ON t.shape = k.shape"
    " AND t.oid = CASE k.confrelid WHEN 0 THEN k.conrelid ELSE k.confrelid END"
    " JOIN seenby_catalog.kept_namespace tn ON tn.shape = t.shape AND tn.oid = t.relnamespace"
    f"{{}} WHERE k.shape = {SHAPES}"
)
_INFORMATION_OF_KEYS = _INFORMATION_CONSTRAINT | {
    "table_catalog": "current_database()",
    "table_schema": "tn.nspname",
    "table_name": "t.relname",
}
_RULE = (
    "CASE {} WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' WHEN 'd' THEN 'SET DEFAULT' "
    "WHEN 'r' THEN 'RESTRICT' ELSE 'NO ACTION' END"
)
_COLUMNS = TABLES.format(" JOIN seenby_catalog.kept_attribute k ON k.shape = c.shape AND k.attrelid = c.oid")
_COLUMN = {"column_name": "k.attname"}
_SELECT = {"grantor": "'seenby'", "grantee": "current_user", "privilege_type": "'SELECT'", "is_grantable": "'NO'"}
_HIERARCHY = {"with_hierarchy": "'YES'"}


_FILLED: dict[str, Relation] = {
    "information_schema.schemata": Relation(
        "seenby_catalog.pg_namespace n",
        {"catalog_name": "current_database()", "schema_name": "n.nspname", "schema_owner": "'seenby'"},
    ),
    "information_schema.tables": Relation(
        TABLES.format(""),
        _INFORMATION | {"table_type": "'BASE TABLE'", "is_insertable_into": "'NO'", "is_typed": "'NO'"},
    ),
    "information_schema.columns": Relation(
        TABLES.format(
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
        _CONSTRAINTS.format(" LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = r.conindid AND r.contype = 'u'"),
        _INFORMATION
        | _INFORMATION_CONSTRAINT
        | {
            "constraint_type": "CASE r.contype WHEN 'p' THEN 'PRIMARY KEY' WHEN 'u' THEN 'UNIQUE' "
            "WHEN 'f' THEN 'FOREIGN KEY' ELSE 'CHECK' END",
            "is_deferrable": "CASE WHEN r.condeferrable THEN 'YES' ELSE 'NO' END",
            "initially_deferred": "CASE WHEN r.condeferred THEN 'YES' ELSE 'NO' END",
            "enforced": "'YES'",
            "nulls_distinct": "CASE WHEN i.indnullsnotdistinct THEN 'NO' WHEN NOT i.indnullsnotdistinct THEN 'YES' END",
        },
    ),
    "information_schema.key_column_usage": Relation(
        _CONSTRAINTS.format(
            " AND r.contype <> 'n' CROSS JOIN LATERAL unnest(k.conkey) WITH ORDINALITY u(attnum, n)"
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
    "information_schema.referential_constraints": Relation(
        _CONSTRAINTS.format(
            " AND r.contype = 'f' LEFT JOIN seenby_catalog.kept_constraint u"
            " ON u.shape = c.shape AND u.conrelid = k.confrelid AND u.conindid = k.conindid AND u.confrelid = 0"
            " LEFT JOIN seenby_catalog.kept_namespace un ON un.shape = c.shape AND un.oid = u.connamespace"
        ),
        _INFORMATION_CONSTRAINT
        | {
            "unique_constraint_catalog": "CASE WHEN un.nspname IS NOT NULL THEN current_database() END",
            "unique_constraint_schema": "un.nspname",
            "unique_constraint_name": "u.conname",
            "match_option": "CASE r.confmatchtype WHEN 'f' THEN 'FULL' WHEN 'p' THEN 'PARTIAL' ELSE 'NONE' END",
            "update_rule": _RULE.format("r.confupdtype"),
            "delete_rule": _RULE.format("r.confdeltype"),
        },
    ),
    "information_schema.check_constraints": Relation(
        _NOT_NULL, _INFORMATION_CONSTRAINT | {"check_clause": "format('%s IS NOT NULL', a.attname)"}
    ),
    "information_schema.constraint_column_usage": Relation(
        _OF_KEYS.format(
            " JOIN seenby_catalog.kept_attribute a ON a.shape = t.shape AND a.attrelid = t.oid"
            " AND a.attnum = ANY (COALESCE(k.confkey, k.conkey))"
        ),
        _INFORMATION_OF_KEYS | {"column_name": "a.attname"},
    ),
    "information_schema.constraint_table_usage": Relation(
        _OF_KEYS.format(" JOIN pg_catalog.pg_constraint r ON r.oid = k.oid AND r.contype IN ('p', 'u', 'f')"),
        _INFORMATION_OF_KEYS,
    ),
    "information_schema.role_table_grants": Relation(TABLES.format(""), _INFORMATION | _SELECT | _HIERARCHY),
    "information_schema.table_privileges": Relation(TABLES.format(""), _INFORMATION | _SELECT | _HIERARCHY),
    "information_schema.role_column_grants": Relation(_COLUMNS, _INFORMATION | _SELECT | _COLUMN),
    "information_schema.column_privileges": Relation(_COLUMNS, _INFORMATION | _SELECT | _COLUMN),
    "information_schema.enabled_roles": Relation(
        "pg_catalog.pg_roles r WHERE r.rolname = current_user", {"role_name": "r.rolname"}
    ),
    "information_schema.information_schema_catalog_name": Relation(
        "pg_catalog.pg_database r WHERE r.datname = current_database()", {"catalog_name": "r.datname"}
    ),
    "information_schema.character_sets": Relation(
        "pg_catalog.pg_database r WHERE r.datname = current_database()",
        {
            "character_set_name": "getdatabaseencoding()",
            "character_repertoire": "CASE getdatabaseencoding() WHEN 'UTF8' THEN 'UCS' ELSE getdatabaseencoding() END",
            "form_of_use": "getdatabaseencoding()",
            "default_collate_catalog": "current_database()",
        },
    ),
    "information_schema.collations": Relation(
        "pg_catalog.pg_collation r JOIN pg_catalog.pg_namespace n ON n.oid = r.collnamespace"
        f" WHERE r.oid < {FIRST_NORMAL_OID} AND r.collencoding IN (-1, pg_char_to_encoding(getdatabaseencoding()))",
        {
            "collation_catalog": "current_database()",
            "collation_schema": "n.nspname",
            "collation_name": "r.collname",
            "pad_attribute": "'NO PAD'",
        },
    ),
}

_EMPTY = """
    administrable_role_authorizations applicable_roles check_constraint_routine_usage column_column_usage column_options
    element_types foreign_data_wrapper_options foreign_data_wrappers foreign_server_options foreign_servers
    foreign_table_options foreign_tables parameters role_routine_grants routine_privileges routines sequences transforms
    triggered_update_columns triggers user_mapping_options user_mappings view_column_usage view_routine_usage
    view_table_usage views
"""

INFORMATION_SCHEMA: dict[str, Relation] = _FILLED | {
    f"information_schema.{name}": Relation() for name in _EMPTY.split()
}
"""By name, as in "information_schema.tables"."""

"""The lists of ``seenby_catalog``: what is served, what stands in front of Postgres's functions, what is never told."""

from __future__ import annotations

import re

import pytest

from seenby.guard.catalog import (
    CATALOG_FUNCTIONS,
    CATALOG_VIEWS,
    INFORMATION_SCHEMA_VIEWS,
    RELATIONS,
    REWRITTEN_FUNCTIONS,
    catalog_sql,
)
from seenby.stores.cluster import BIN

NEVER_SERVED = re.compile(
    r"pg_(authid|shadow|statistic|statistic_ext_data|stats.*|stat_.*|statio_.*|locks|largeobject|user_mapping|hba.*|"
    r"ident.*|file_settings|config|shdepend|init_privs|replication.*|backend_memory.*|shmem.*|aios|wait_events)"
)
OF_THE_SERVER = {"pg_settings", "pg_timezone_names", "pg_timezone_abbrevs"}
NEVER_CALLED = re.compile(
    r"pg_get_(viewdef|functiondef)|pg_stat_.*|pg_read.*|pg_ls.*|pg_sleep.*|pg_.*advisory.*|pg_cancel.*|pg_terminate.*|"
    r"lo_.*|.*_to_xml.*|nextval|dblink.*|pg_current_.*|pg_(xact|last)_.*|txid.*|row_security_active|acl.*|"
    r"pg_(postmaster|conf)_.*|inet_(client|server)_.*|pg_blocking_pids|pg_identify_.*|oidvectortypes"
)


def test_nothing_is_served_that_tells_of_others() -> None:
    """Clients may ask for it and get no rows. Of activity: the session itself."""
    told = {name for name, relation in RELATIONS.items() if relation.source}
    assert {name for name in told if NEVER_SERVED.fullmatch(name)} == {"pg_stat_activity", "pg_stat_gssapi"}
    for name in ("pg_authid", "pg_shadow", "pg_statistic", "pg_hba_file_rules", "pg_largeobject", "pg_user_mapping"):
        assert name not in RELATIONS


def test_functions_that_tell_of_others_are_never_the_real_ones() -> None:
    assert not [name for name in CATALOG_FUNCTIONS - REWRITTEN_FUNCTIONS if NEVER_CALLED.fullmatch(name)]


def test_every_name_in_psql_is_served_or_refused_on_purpose() -> None:
    """The binary holds its queries as text; what it calls pg_catalog.<name> is a relation, a function or a type."""
    names = set(re.findall(rb"pg_catalog\.([a-z_][a-z_0-9]*)", (BIN / "psql").read_bytes()))
    known = CATALOG_VIEWS | CATALOG_FUNCTIONS
    types_and_collations = {"char", "oid", "text", "int2", "trigger", "default"}
    assert {name.decode() for name in names} - known == types_and_collations


@pytest.mark.parametrize("name", ["pg_get_expr", "obj_description", "pg_get_indexdef", "regclass", "pg_table_size"])
def test_functions_that_take_a_number_of_any_object_are_rewritten(name: str) -> None:
    assert name in REWRITTEN_FUNCTIONS


def test_rewritten_functions_may_be_called() -> None:
    assert REWRITTEN_FUNCTIONS <= CATALOG_FUNCTIONS


def test_information_schema_relations_carry_their_schema() -> None:
    assert INFORMATION_SCHEMA_VIEWS
    assert all(name.startswith("information_schema.") for name in INFORMATION_SCHEMA_VIEWS)
    assert all(name.startswith("pg_") for name in CATALOG_VIEWS - INFORMATION_SCHEMA_VIEWS)


@pytest.mark.parametrize("relation", sorted(RELATIONS))
def test_a_relation_that_shows_the_rest_of_its_columns_holds_built_in_or_shown_rows_only(relation: str) -> None:
    """``rest`` passes on every column that is not named, those of later Postgres versions too."""
    spec = RELATIONS[relation]
    if spec.rest:
        assert "< 16384" in spec.source or "kept_type" in spec.source or relation in OF_THE_SERVER


def test_the_script_quotes_the_list_of_relations_once() -> None:
    text = catalog_sql()
    assert text.count("$relations$") == 2
    assert ":'relations'" not in text

"""The functions and types that a query over the oracles' world may name."""

from __future__ import annotations

AGGREGATES = "array_agg avg bool_and bool_or count jsonb_agg max min string_agg sum"
WINDOWS = """cume_dist dense_rank first_value lag last_value lead nth_value ntile percent_rank rank row_number"""
SET_RETURNING = """generate_series generate_subscripts jsonb_array_elements jsonb_array_elements_text jsonb_each
jsonb_each_text jsonb_object_keys regexp_split_to_table string_to_table unnest"""
FUNCTIONS = f"""abs array_length btrim cardinality concat date_part jsonb_array_length left length lower now replace
right strpos string_to_array substr upper {AGGREGATES} {WINDOWS} {SET_RETURNING}"""
TYPES = "int int2 int4 int8 integer bigint numeric text varchar bool boolean date float8 jsonb"

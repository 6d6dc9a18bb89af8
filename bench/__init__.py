"""Measured ratios: direct Postgres against the same work through the gateway."""

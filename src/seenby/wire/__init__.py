"""Bytes <-> PostgreSQL protocol messages. Pure."""

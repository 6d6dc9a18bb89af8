"""Seenby: a gateway between staff and user data in PostgreSQL, with a public, tamper-evident record."""

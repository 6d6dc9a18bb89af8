"""Checks a Seenby log, and what it says of one person, with nothing but files and public keys."""

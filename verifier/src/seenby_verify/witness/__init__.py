"""A witness that any outsider can run: C2SP tlog-witness, add-checkpoint, with cosignature/v1.

``decide`` (pure: request and what was seen -> answer), ``state`` (what was seen, on disk), ``server`` (HTTP).
"""

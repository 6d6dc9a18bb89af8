"""Keys of several people in one column: the texts of arrays, one or more behind each other.

{1000000042,1000000043}    {"o'neill, p","a\"b"}{c}
"""

from __future__ import annotations

import re

from seenby.errors import ProtocolError

_ELEMENT = re.compile(r'[{,](?:"((?:[^"\\]|\\.)*)"|([^",{}\\]*))')


def elements(raw: bytes) -> list[str]:
    """What the arrays hold (PostgreSQL documentation, 8.15.6). They have one dimension, and no NULL.

    Raises ProtocolError for anything else.
    """
    text = raw.decode()
    if '"' not in text:
        text = text.replace("{}", "")
        return text[1:-1].replace("}{", ",").split(",") if text else []
    found = []
    at = 0
    while at < len(text):
        if text[at] == "}":
            at += 1
            continue
        match = _ELEMENT.match(text, at)
        if match is None:
            raise ProtocolError("Postgres sent person keys that are not an array")
        quoted, plain = match.groups()
        if quoted is not None:
            found.append(re.sub(r"\\(.)", r"\1", quoted))
        elif plain:
            found.append(plain)
        at = match.end()
    return found

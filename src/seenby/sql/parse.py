"""Text -> Postgres's own parse trees, and back.

The grammar is PostgreSQL 18's, through libpg_query; trees are its protobuf messages (``pg_query.proto``). They are
parsed once, changed in place, and printed again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message
from postgast import PgQueryError
from postgast import deparse as _deparse
from postgast import parse as _parse
from postgast import pg_query_pb2 as pb

from seenby.errors import Internal, SyntaxFailed, TooComplex, Unsupported

SPLIT_HINT = "split the statement; a long list can be a parameter, as in  id = ANY($1)"


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a text: its tree, and the words it was written in."""

    node: pb.Node
    text: str


def parse(text: str) -> list[Statement]:
    """All statements of ``text``.

    Raises SyntaxFailed with Postgres's own message and position, TooComplex for trees too deep to be decoded.
    """
    if "\0" in text:
        # libpg_query takes a C string: it would not see what follows.
        raise SyntaxFailed("a statement cannot contain a zero byte", hint="remove the zero byte")
    try:
        encoded = text.encode()
    except UnicodeEncodeError:
        raise SyntaxFailed("the statement is not valid UTF-8", hint="send UTF-8") from None
    try:
        tree = _parse(text)
    except PgQueryError as error:
        if error.message.startswith(("stack depth limit", "memory exhausted")):
            raise too_complex() from None
        # As clients expect it: in characters, from 1.
        raise SyntaxFailed(error.message, position=max(error.cursorpos, 0)) from None
    except DecodeError:
        raise too_complex() from None
    if len(tree.stmts) == 1:
        return [Statement(tree.stmts[0].stmt, text)]
    statements = []
    for raw in tree.stmts:
        start = raw.stmt_location
        end = start + raw.stmt_len if raw.stmt_len else len(encoded)
        statements.append(Statement(raw.stmt, encoded[start:end].decode(errors="replace").strip()))
    return statements


def deparse(select: pb.SelectStmt) -> str:
    """The tree as SQL text."""
    try:
        printed: str = _deparse(cast("pb.ParseResult", _Lone(select)))
    except PgQueryError as error:
        if error.message.startswith("stack depth limit"):
            raise too_complex() from None
        raise Internal("a rewritten statement could not be printed", detail=error.message) from None
    return printed


def check_printed(text: str, select: pb.SelectStmt) -> None:
    """Parses ``text`` again. Raises Unsupported if it does not say what the tree says."""
    try:
        again = _parse(text).stmts[0].stmt.select_stmt
    except (PgQueryError, DecodeError):
        again = pb.SelectStmt()
    _forget_places(again)
    printed = pb.SelectStmt.FromString(select.SerializeToString())
    _forget_places(printed)
    if again != printed:
        raise Unsupported(
            "an expression of the statement cannot be written down again without doubt",
            hint="split the expression with the most parentheses: compute its parts in a subquery",
        )


def print_checked(node: pb.Node) -> str:
    """The statement as SQL text, parsed again and compared. Raises Unsupported if it does not say the same."""
    result = pb.ParseResult()
    result.stmts.add().stmt.CopyFrom(node)
    printed = pb.Node.FromString(node.SerializeToString())
    _forget_places(printed)
    try:
        text: str = _deparse(result)
        again = _parse(text).stmts[0].stmt
    except (PgQueryError, DecodeError):
        text, again = "", pb.Node()
    _forget_places(again)
    if again != printed:
        raise Unsupported(
            "an expression of the statement cannot be written down again without doubt",
            hint="split the expression with the most parentheses",
        )
    return text


def _forget_places(message: Message) -> None:
    """Clears all positions in the text."""
    for field, value in message.ListFields():
        if field.name in _PLACES:
            message.ClearField(field.name)
        elif field.message_type is not None:
            for one in value if field.is_repeated else (value,):
                _forget_places(one)


_PLACES = frozenset({"location", "list_start", "list_end", "rexpr_list_start", "rexpr_list_end"})


class _Lone:
    """A ParseResult with one SELECT, encoded around it: copying the tree into a message costs as much as parsing."""

    __slots__ = ("_select",)

    def __init__(self, select: pb.SelectStmt) -> None:
        self._select = select

    def SerializeToString(self) -> bytes:  # what the printer calls
        data: bytes = self._select.SerializeToString()
        for tag in _WRAPPING:
            data = tag + _varint(len(data)) + data
        return data


def _varint(number: int) -> bytes:
    """Protocol Buffers encoding: seven bits a byte, low bits first."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _tag(field: FieldDescriptor) -> bytes:
    return _varint(field.number << 3 | 2)  # wire type 2: length, then bytes


_WRAPPING = (
    _tag(pb.Node.DESCRIPTOR.fields_by_name["select_stmt"]),
    _tag(pb.RawStmt.DESCRIPTOR.fields_by_name["stmt"]),
    _tag(pb.ParseResult.DESCRIPTOR.fields_by_name["stmts"]),
)


def too_complex() -> TooComplex:
    return TooComplex("the statement is nested deeper than the analysis can follow", hint=SPLIT_HINT)

"""FROM and WHERE of a companion query in pieces, and the SELECTs that are made of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from postgast import pg_query_pb2 as pb

from seenby.sql import tree
from seenby.sql.capture import would_mean_others


@dataclass(frozen=True, slots=True)
class Part:
    """A SELECT of some outputs, then of keys ``seenby$k1``, ``seenby$k2`` ... of these ``kinds``."""

    select: pb.SelectStmt
    kinds: tuple[str, ...]


@dataclass(slots=True, eq=False)
class Piece:
    """One entry of FROM: the relations that it gives and names, and the keys in it as (kind, alias, name).

    ``bare``: it may name columns of SELECTs around its own without their tables.
    """

    node: pb.Node
    bits: int
    needs: int
    keys: list[tuple[str, str, str]]
    bare: bool = False


Condition = tuple[pb.Node, int, Piece | None]
"""With the relations and the further entry of FROM that it names."""


def finished(
    targets: list[pb.Node],
    pieces: list[Piece],
    conditions: list[Condition],
) -> Iterator[Part]:
    """The SELECT; without outputs one per group of relations that conditions connect, the others must exist."""
    groups = [(pieces, conditions)] if targets else _connected(pieces, conditions)
    for place, (inside, ours) in enumerate(groups):
        keys = [key for piece in inside for key in piece.keys]
        if not keys:
            continue
        asked = [tree.column_target(alias, name, f"seenby$k{n}") for n, (_, alias, name) in enumerate(keys, 1)]
        there = [
            (tree.exists(select_of([tree.one_target()], *other)), 0, None)
            for number, other in enumerate(groups)
            if number != place and other[0] and not _would_mean_others(other, inside)
        ]
        yield Part(select_of([*targets, *asked], inside, [*ours, *there]), tuple(kind for kind, _, _ in keys))


def select_of(targets: list[pb.Node], pieces: Sequence[Piece], conditions: Sequence[Condition]) -> pb.SelectStmt:
    select = tree.select(targets or [tree.one_target()], [piece.node for piece in pieces])
    if conditions:
        select.where_clause.CopyFrom(tree.conjunction([node for node, _, _ in conditions]))
    return select


def _would_mean_others(moved: tuple[list[Piece], list[Condition]], inside: Sequence[Piece]) -> bool:
    pieces, conditions = moved
    return would_mean_others(
        [piece.node for piece in pieces],
        [node for node, _, _ in conditions],
        [piece.node for piece in inside],
        bare=any(piece.bare for piece in pieces),
    )


def _connected(pieces: Sequence[Piece], conditions: Sequence[Condition]) -> list[tuple[list[Piece], list[Condition]]]:
    """Entries of FROM that conditions or LATERAL connect, with those conditions."""
    root = list(range(len(pieces)))

    def find(place: int) -> int:
        while root[place] != place:
            place = root[place]
        return place

    def join(members: Iterator[int]) -> None:
        first = next(members, None)
        for other in members:
            assert first is not None
            root[find(other)] = find(first)

    def touched(bits: int, extra: Piece | None) -> Iterator[int]:
        return (n for n, piece in enumerate(pieces) if piece.bits & bits or piece is extra)

    for piece in pieces:
        join(touched(piece.needs | piece.bits, piece))
    for _, bits, extra in conditions:
        join(touched(bits, extra))
    groups: dict[int, tuple[list[Piece], list[Condition]]] = {}
    for number, piece in enumerate(pieces):
        groups.setdefault(find(number), ([], []))[0].append(piece)
    for condition in conditions:
        member = next(touched(condition[1], condition[2]), None)
        for place, group in groups.items():
            if member is None or find(member) == place:
                group[1].append(condition)
    return list(groups.values())

"""What the expressions of one SELECT hold besides columns, and how operands are written down without doubt."""

from __future__ import annotations

from dataclasses import dataclass, field

from postgast import pg_query_pb2 as pb

from seenby.sql import functions
from seenby.sql.blocks import Sublink
from seenby.sql.readings import Mixed

TRUTH_VALUES = frozenset({"bool_expr", "null_test", "boolean_test"})


@dataclass(slots=True)
class Found:
    """What expressions of one SELECT hold besides columns; it gathers until somebody takes it.

    Attributes:
        aggregate, window: there is one.
        series: the name of a function that returns a set, or "".
        partitions: per window function the name of its window, or the columns of its PARTITION BY by identity.
        sublinks: subqueries, in the order of their ends.
        mixed: the aggregates and window functions of one expression.
    """

    aggregate: bool = False
    window: bool = False
    series: str = ""
    partitions: list[str | frozenset[int]] = field(default_factory=list)
    sublinks: list[Sublink] = field(default_factory=list)
    mixed: list[Mixed] = field(default_factory=list)

    def add(self, other: Found) -> None:
        self.aggregate |= other.aggregate
        self.window |= other.window
        self.series = self.series or other.series
        self.partitions += other.partitions
        self.sublinks += other.sublinks

    @property
    def computed(self) -> bool:
        """The value is not a function of the columns that are named."""
        return bool(self.aggregate or self.window or self.series or self.sublinks)


def enclose(node: pb.Node) -> bool:
    """Puts an operand that is a truth value into COALESCE(...), and says whether it did."""
    kind = node.WhichOneof("node")
    if kind == "a_expr":
        expr = node.a_expr
        comparison = expr.kind == pb.AEXPR_OP and expr.name[-1].string.sval in functions.COMPARISONS
        enclosed = comparison or expr.kind not in {pb.AEXPR_OP, pb.AEXPR_NULLIF}
    else:
        enclosed = kind in TRUTH_VALUES
    if enclosed:
        inner = pb.Node.FromString(node.SerializeToString())
        node.coalesce_expr.args.append(inner)
    return enclosed


def pattern_cannot_fail(pattern: pb.Node) -> bool:
    """LIKE fails when it meets a pattern's lone backslash at the end."""
    if pattern.WhichOneof("node") != "a_const":
        return False
    text = pattern.a_const.sval.sval
    return (len(text) - len(text.rstrip("\\"))) % 2 == 0


def is_positive(node: pb.Node) -> bool:
    """A number greater than zero: to divide by it cannot fail."""
    kind = node.a_const.WhichOneof("val") if node.WhichOneof("node") == "a_const" else None
    return (kind == "ival" and node.a_const.ival.ival > 0) or (kind == "fval" and float(node.a_const.fval.fval) > 0)

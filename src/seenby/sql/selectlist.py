"""The select list: stars expanded, every output with what is known of its value."""

from __future__ import annotations

from postgast import pg_query_pb2 as pb

from seenby.errors import SyntaxFailed, Unsupported
from seenby.sql import functions, gather, outer
from seenby.sql.blocks import Block
from seenby.sql.conditions import ConditionReader
from seenby.sql.figure import output_name
from seenby.sql.found import Found
from seenby.sql.named import own_name
from seenby.sql.outputs import output, star_target
from seenby.sql.scope import Column, Scope


class SelectListReader(ConditionReader):
    """Reads select lists."""

    @staticmethod
    def unsettle(block: Block, found: Found, windows: dict[str, frozenset[int]], *, sets: bool) -> None:
        """Outputs that tell which rows of FROM made their row, and those that do not."""
        if sets:
            for column in block.outputs:
                column.fragile, column.possible = 2, False
        parts = [windows.get(one, frozenset()) if isinstance(one, str) else one for one in found.partitions]
        if not parts and not block.firsts:
            return
        if block.firsts:
            parts.append(block.firsts)
        # What a window function says of a row depends on all rows of the partition.
        for column in block.outputs:
            if column.fragile < 2 and not (column.plain and all(id(column.sources[0]) in part for part in parts)):
                column.possible = column.fragile == 0
                column.fragile = 2

    def targets(self, select: pb.SelectStmt, block: Block) -> Found:
        expanded = self._expanded(select, block)
        found = Found()
        for node, column in expanded:
            target = node.res_target
            value = target.val
            if column is not None:
                self._shows(column.name, column, block)
            elif value.WhichOneof("node") == "column_ref":
                name = own_name(target.name) or value.column_ref.fields[-1].string.sval
                self._shows(name, self.expressions.resolve(value.column_ref, block.scope), block)
            else:
                block.outputs.append(self._computed(node, block, found))
        return found

    @staticmethod
    def _shows(name: str, column: Column, block: Block) -> None:
        """An entry of the select list that is a column."""
        one = output(name, column)
        if block.delicate:
            one.fragile = outer.fragile(block, (column,), plain=True)
            settled = not column.bits & block.level.nullable
            one.possible = one.fragile == 2 and column.possible and settled
            one.grows = column.grows and settled
        block.outputs.append(one)
        block.names.append({})

    def _expanded(self, select: pb.SelectStmt, block: Block) -> list[tuple[pb.Node, Column | None]]:
        """The select list without stars; for what a star became, its column."""
        expanded: list[tuple[pb.Node, Column | None]] = []
        for node in select.target_list:
            value = node.res_target.val
            if value.WhichOneof("node") == "column_ref" and value.column_ref.fields[-1].WhichOneof("node") == "a_star":
                for column in self._star(value.column_ref, block.scope):
                    expanded.append((star_target(column, block.scope), column))
            else:
                expanded.append((node, None))
        if all(column is None for _, column in expanded):
            return expanded
        nodes = [pb.Node.FromString(node.SerializeToString()) for node, _ in expanded]
        del select.target_list[:]
        select.target_list.extend(nodes)
        return [(node, column) for node, (_, column) in zip(select.target_list, expanded, strict=True)]

    def _computed(self, node: pb.Node, block: Block, found: Found) -> Column:
        """An entry of the select list that is more than a column."""
        expressions = self.expressions
        target = node.res_target
        name = own_name(target.name) or output_name(target.val)
        refs = expressions.read(target.val, block.scope, "an expression")
        if expressions.renamed and not target.name:
            target.name = name
        one = Column(name, name, total=expressions.total, plain=False, sources=tuple(refs))
        expressions.readings[-1].output = one
        one.grows = block.steady and gather.grows_with_rows(target.val)
        if expressions.found.computed:
            one.fragile = 2
            one.possible = self._one_of_them(target.val, refs, block)
            if one.possible:
                block.argued.add(len(block.outputs))
        elif block.delicate:
            one.fragile = outer.fragile(block, refs, plain=False)
            one.possible = one.fragile == 2 and all(
                not column.bits & block.level.nullable and (column.fragility == 0 or column.possible) for column in refs
            )
        found.add(expressions.found)
        block.names.append(expressions.names)
        return one

    def _one_of_them(self, node: pb.Node, refs: list[Column], block: Block) -> bool:
        """The value is that of one of the rows: min(x), max(x)."""
        found = self.expressions.found
        if node.WhichOneof("node") != "func_call" or found.window or found.series or found.sublinks:
            return False
        call = node.func_call
        if call.funcname[-1].string.sval not in functions.ONE_OF_THEM or len(call.args) != 1:
            return False
        return self.expressions.total and all(
            not column.bits & block.level.nullable and (column.fragility == 0 or column.possible) for column in refs
        )

    def _star(self, ref: pb.ColumnRef, scope: Scope) -> list[Column]:
        parts = [part.string.sval for part in ref.fields][:-1]
        if not parts:
            if not scope.relations:
                raise SyntaxFailed("SELECT * with no tables specified is not valid", hint="name the columns")
            return scope.columns()
        if len(parts) > 2:
            raise Unsupported("a column cannot be qualified with a database", hint="write schema.table.* at most")
        return scope.relation(parts[-1], parts[0] if len(parts) == 2 else "").visible()

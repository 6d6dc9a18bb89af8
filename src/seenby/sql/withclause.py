"""WITH: each entry is read once, and copied into every place that names it. WITH RECURSIVE included."""

from __future__ import annotations

from abc import abstractmethod

from postgast import pg_query_pb2 as pb

from seenby.errors import Refused, Unsupported
from seenby.sql.blocks import Query
from seenby.sql.fromclause import Cte, Ctes, FromReader, ancestors, renamed
from seenby.sql.named import own_name
from seenby.sql.outputs import united
from seenby.sql.scope import Column, Level, Relation, Scope
from seenby.sql.tree import table_references

_PLAIN = "write the recursive part as one SELECT from tables and the WITH query itself, without LIMIT or aggregates"


class WithReader(FromReader):
    """Reads WITH clauses."""

    @abstractmethod
    def query(self, select: pb.SelectStmt, ctes: Ctes, parent: Scope | None) -> Query: ...

    def with_clause(self, clause: pb.WithClause, ctes: Ctes, parent: Scope | None) -> Ctes:
        """The queries that can be named behind ``clause``."""
        known = dict(ctes)
        for node in clause.ctes:
            cte = node.common_table_expr
            if cte.ctequery.WhichOneof("node") != "select_stmt":
                raise Refused("WITH may only hold SELECT; a grant only reads", hint="leave the change out")
            name = own_name(cte.ctename)
            select = cte.ctequery.select_stmt
            names = [own_name(one.string.sval) for one in cte.aliascolnames]
            before = self._forget_used(parent)
            if clause.recursive:
                named = {var.relname for var in table_references(select, frozenset()) if not var.schemaname}
                self._check_order(clause, name, named, known)
                if name in named:
                    known[name] = self._recursive(cte, select, names, known, parent)
                    known[name].outwards = self._used(parent, before)
                    continue
            query = self.query(select, known, parent)
            keys = self.carried(query)
            outputs = renamed(query, names, f'WITH query "{name}"')
            known[name] = Cte(query, outputs, keys, outwards=self._used(parent, before))
        return known

    @staticmethod
    def _forget_used(parent: Scope | None) -> dict[int, int]:
        """What was named of the SELECTs around, by level; from here on it is told anew."""
        before = {id(scope.level): scope.level.used for scope in ancestors(parent)}
        for scope in ancestors(parent):
            scope.level.used = 0
        return before

    @staticmethod
    def _used(parent: Scope | None, before: dict[int, int]) -> tuple[tuple[Level, Relation], ...]:
        """What was named of the SELECTs around since then."""
        found = {
            (id(scope.level), relation.bit): (scope.level, relation)
            for scope in ancestors(parent)
            for relation in scope.relations.values()
            if relation.bit & scope.level.used
        }
        for scope in ancestors(parent):
            scope.level.used |= before[id(scope.level)]
        return tuple(found.values())

    @staticmethod
    def _check_order(clause: pb.WithClause, name: str, named: set[str], known: Ctes) -> None:
        for later in (node.common_table_expr.ctename for node in clause.ctes):
            if later in named and later != name and later not in known:
                raise Unsupported(
                    f"WITH query {name} names {later}, which stands behind it",
                    hint="put the WITH queries into the order in which they read each other",
                )

    def _recursive(
        self, cte: pb.CommonTableExpr, select: pb.SelectStmt, names: list[str], known: Ctes, parent: Scope | None
    ) -> Cte:
        """``base UNION step``, where the step reads what is there so far."""
        name = cte.ctename
        if cte.HasField("search_clause") or cte.HasField("cycle_clause"):
            raise Unsupported("SEARCH and CYCLE are not used here", hint="keep the path in an array column")
        if select.op != pb.SETOP_UNION or select.sort_clause or select.HasField("limit_count"):
            raise Unsupported(f"WITH RECURSIVE {name} cannot be attributed to people in this form", hint=_PLAIN)
        base = self.query(select.larg, known, parent)
        outputs = renamed(base, names, f'WITH query "{name}"')
        query = Query(select, list(base.blocks), [select], outputs, "UNION", recursion=name)
        own = [
            Column(one.name, one.real, type_oid=one.type_oid, fragile=2, possible=one.fragile == 0 or one.possible)
            for one in outputs
        ]
        step = self.query(select.rarg, {**known, name: Cte(query, own, [], own=True)}, parent)
        for one, other in zip(outputs, step.outputs, strict=True):
            for part in (one, other):
                if part.masked:
                    raise Unsupported(
                        f"column {part.masked} is masked under this grant: it cannot go through WITH RECURSIVE",
                        hint="leave it out there, and join the table again outside",
                    )
        simple = len(step.blocks) == 1 and not step.limited and not step.obstacles and not base.limited
        block = step.blocks[0]
        steady = all(one.fragile == 0 or one.possible for one in [*outputs, *step.outputs])
        direct = any(relation.own is query for relation in block.relations)
        if not simple or not steady or not direct or block.sublinks or any(one.nullable for one in block.joins):
            raise Unsupported(f"WITH RECURSIVE {name} cannot be attributed to people in this form", hint=_PLAIN)
        query.branches = (base, step)
        query.blocks += step.blocks
        query.outputs = [united(one, other) for one, other in zip(outputs, step.outputs, strict=True)]
        query.obstacles.append("WITH RECURSIVE")
        return Cte(query, query.outputs, [])

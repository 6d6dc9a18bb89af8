"""What a grant may change: privileges on its own views, and one trigger function per view that carries a change out.

::

    UPDATE v.videos SET visibility = 'hidden' WHERE id = 7        the role: UPDATE (visibility) on its view
      -> for each row of the view: UPDATE public.videos ... WHERE id = OLD.id       seenby_writer, in the function

The row that a function finds by its key is one that the view shows, so it is in scope. A new row's owners are looked up
in the scope before anything is written. SESSION_USER is the grant's role: inside the function CURRENT_USER is not.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from seenby.datamap import DatabaseFacts, DataMap, MappedTable, StaffWrites, TableName, nearest
from seenby.errors import UnknownTable, UsageError
from seenby.guard import names
from seenby.guard.quote import ident, literal, qualified
from seenby.guard.rows import BASE, Fence, Rows
from seenby.model.grant import GrantTerms, WriteAction
from seenby.model.shape import ViewWrites

NOTHING = StaffWrites()


@dataclass(frozen=True, slots=True)
class WriteDesign:
    """How one view takes changes.

    Attributes:
        writes: what the shape says of it.
        body: the function's text, without its name.
        events: ``INSERT OR UPDATE``, of the trigger.
        privileges: ``UPDATE ("visibility")``, of the shape's role on the view.
    """

    writes: ViewWrites
    body: str
    events: str
    privileges: tuple[str, ...]


def asked(terms: GrantTerms, datamap: DataMap, fence: Fence) -> dict[TableName, StaffWrites]:
    """What the grant may change, by table.

    Raises:
        UnknownTable: the map has no such table.
        UsageError: the map does not let staff change it, or the grant has no list of people.
    """
    if terms.writes and fence is not Fence.FENCED:
        raise UsageError(
            "a grant that may change rows names its people",
            hint="give --person KIND:KEY, at most 1,000 times",
        )
    by_name = {spelt: name for name in datamap.tables for spelt in (str(name), f"{name.schema}.{name.name}")}
    found: dict[TableName, StaffWrites] = {}
    for write in terms.writes:
        if write.table not in by_name:
            raise UnknownTable(f"the data map has no table {write.table}", hint=nearest(write.table, by_name))
        name = by_name[write.table]
        limit, mine = datamap.tables[name].staff or NOTHING, found.get(name, NOTHING)
        if write.action is WriteAction.DELETE:
            if not limit.delete:
                raise UsageError(f"the data map lets nobody delete rows of {name}", hint=_possible(name, limit))
            found[name] = replace(mine, delete=True)
        elif write.action is WriteAction.UPDATE:
            odd = sorted(set(write.columns) - set(limit.update))
            if odd or not write.columns:
                what = ", ".join(odd) or "anything"
                raise UsageError(f"the data map lets nobody change {what} of {name}", hint=_possible(name, limit))
            found[name] = replace(mine, update=tuple(sorted({*mine.update, *write.columns})))
        else:
            if not limit.insert:
                raise UsageError(f"the data map lets nobody write new rows of {name}", hint=_possible(name, limit))
            found[name] = replace(mine, insert=limit.insert, author=limit.author, at=limit.at)
    return found


def _possible(name: TableName, limit: StaffWrites) -> str:
    """``it lets staff update visibility``."""
    may = [f"update {', '.join(limit.update)}"] if limit.update else []
    may += ["delete rows"] if limit.delete else []
    may += [f"insert rows with {', '.join(limit.insert)}"] if limit.insert else []
    return f"of {name} staff can: {'; '.join(may)}" if may else f"staff change nothing of {name}; leave it out"


def design_writes(
    table: MappedTable,
    may: StaffWrites,
    revealed: tuple[str, ...],
    rows: Rows,
    datamap: DataMap,
    facts: DatabaseFacts,
    keys: Iterable[str],
) -> WriteDesign:
    """The privileges and the function of one view.

    Args:
        revealed: the view's columns that hold the plain value in every row, in order.
        rows: of the view.
        keys: the names of its hidden person keys.

    Raises:
        UsageError: the grant does not reveal a column that the change needs.
    """
    for column in (*table.key, *may.update, *may.insert, *may.forced):
        if column not in revealed:
            raise needs_to_reveal(table, column)
    base = qualified(*table.name)
    here = " AND ".join(f"{BASE}.{ident(key)} = OLD.{ident(key)}" for key in table.key)
    back = (
        f"RETURNING {', '.join(f'{BASE}.{ident(one)}' for one in revealed)}"
        f" INTO {', '.join(f'NEW.{ident(one)}' for one in revealed)}"
    )
    gone = """    IF NOT FOUND THEN
      RAISE EXCEPTION 'the row is gone' USING ERRCODE = '40001';
    END IF;"""
    steps, events, privileges = [], [], []
    if may.update:
        pairs = ", ".join(f"{ident(one)} = NEW.{ident(one)}" for one in may.update)
        steps.append(f"""  IF TG_OP = 'UPDATE' THEN
    UPDATE {base} AS {BASE} SET {pairs} WHERE {here}
      {back};
{gone}
    RETURN NEW;
  END IF;""")
        events.append("UPDATE")
        privileges.append(f"UPDATE ({', '.join(map(ident, may.update))})")
    if may.delete:
        steps.append(f"""  IF TG_OP = 'DELETE' THEN
    DELETE FROM {base} AS {BASE} WHERE {here};
{gone}
    RETURN OLD;
  END IF;""")
        events.append("DELETE")
        privileges.append("DELETE")
    if may.insert:
        steps.append(_insert(table, may, rows, datamap, facts, list(keys), back))
        events.append("INSERT")
        privileges.append(f"INSERT ({', '.join(map(ident, may.insert))})")
    body = "\n".join(
        [
            "DECLARE who text;",
            "BEGIN",
            # Each row is changed as the statement's snapshot has it, or not at all.
            "  IF current_setting('transaction_isolation') NOT IN ('repeatable read', 'serializable') THEN",
            "    RAISE EXCEPTION 'a change needs REPEATABLE READ' USING ERRCODE = '25001';",
            "  END IF;",
            *steps,
            "  RAISE EXCEPTION 'this grant does not change that' USING ERRCODE = '42501';",
            "END",
        ]
    )
    writes = ViewWrites(table.key, may.update, may.delete, may.insert, may.forced)
    return WriteDesign(writes, body, " OR ".join(events), tuple(privileges))


def needs_to_reveal(table: MappedTable, column: str) -> UsageError:
    return UsageError(
        f"to change {table.name} a grant must reveal {table.name}.{column} of everybody in it",
        hint=f"ask for it too: --class {table.columns[column].data_class}, or --column {table.name}.{column}",
    )


def _insert(
    table: MappedTable,
    may: StaffWrites,
    rows: Rows,
    datamap: DataMap,
    facts: DatabaseFacts,
    keys: list[str],
    back: str,
) -> str:
    given = ", ".join(f"NEW.{ident(one)} AS {ident(one)}" for one in _looked_at(table))
    scope = Rows(
        table, datamap, facts, Fence.LISTED, rows.regions, names.SCOPE, base=f"(SELECT {given})", user="SESSION_USER"
    )
    owners = ", ".join(owner.key for owner in scope.owners)
    into = ", ".join(f"NEW.{ident(key)}" for key in keys)
    columns = [*map(ident, may.insert)]
    values = [f"NEW.{ident(one)}" for one in may.insert]
    for column, value in ((may.author, "who"), (may.at, "transaction_timestamp()")):
        if column:
            columns.append(ident(column))
            values.append(value)
    return f"""  IF TG_OP = 'INSERT' THEN
    SELECT {owners} INTO {into}{scope.from_where()};
    IF NOT FOUND THEN
      RAISE EXCEPTION 'the row would belong to somebody outside of the grant' USING ERRCODE = '{NOT_IN_GRANT}';
    END IF;
    SELECT h.principal INTO STRICT who FROM {names.HOLDER} h WHERE h.role = SESSION_USER;
    INSERT INTO {qualified(*table.name)} AS {BASE} ({", ".join(columns)}) VALUES ({", ".join(values)})
      {back};
    RETURN NEW;
  END IF;"""


NOT_IN_GRANT = "44000"
"""with_check_option_violation: what Postgres raises when a new row is outside of the view."""


def _looked_at(table: MappedTable) -> list[str]:
    """The columns of a row from which its owners are found."""
    return sorted({column for owner in table.owners for column in owner.starts})


def function_sql(function: str, body: str) -> tuple[str, ...]:
    """For seenby_writer. ``function``: qualified and quoted."""
    return (
        f"CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER"
        f" SET search_path = pg_catalog, pg_temp AS {literal(body)}",
        f"REVOKE ALL ON FUNCTION {function}() FROM PUBLIC",
        f"GRANT EXECUTE ON FUNCTION {function}() TO {names.OWNER}",
    )


def trigger_sql(view: str, function: str, design: WriteDesign, role: str) -> tuple[str, ...]:
    """For seenby_owner, when the function is there. ``view``, ``role``: quoted."""
    return (
        f'CREATE TRIGGER "seenby$w" INSTEAD OF {design.events} ON {view} FOR EACH ROW EXECUTE FUNCTION {function}()',
        *(f"GRANT {privilege} ON {view} TO {role}" for privilege in design.privileges),
    )

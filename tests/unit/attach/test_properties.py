"""Whatever a database looks like: there is a map, it loads, nothing of people is harmless, and text stays text."""

from __future__ import annotations

import tomllib

from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from seenby.attach.check import check
from seenby.attach.inspection import Contained, ForeignKey, FoundColumn, FoundTable, Inspection, RelationKind
from seenby.attach.merge import merge
from seenby.attach.propose import propose, trials
from seenby.attach.write import blocks, to_toml
from seenby.datamap import TableName, parse
from seenby.errors import ConfigError
from seenby.model.classes import DataClass

ODD = set("., \n")
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
"""No shrinking: a database is large, and to make it smaller took minutes."""
_WORDS = """
user users account member sender_id author_id owner_type owner_id post posts post_id parent_id created_by id name email
Straße lastLoginIP über_id 用户 first\x7fname status type settings value token a.b first-name x $1 "q" 'q' room_id
message body country_id [x] #y \\z"""
WORDS = st.sampled_from([*_WORDS.split(), "", "two words", "\n"]).filter(bool)
TYPES = st.sampled_from(
    ["int4", "int8", "text", "varchar", "uuid", "bool", "timestamptz", "jsonb", "inet", "numeric", "_text", "bytea"]
)
VALUES = st.lists(
    st.sampled_from(
        ["1", "2", "a@example.org", "198.51.100.1", "User", "Post", '{"mail": "x@example.org"}', "[1]", "{", "",
         "two words", "# not a comment", '"""', "x" * 200, "\x00"]
    ),
    max_size=12, unique=True,
)  # fmt: skip


@st.composite
def tables(draw: st.DrawFn) -> Inspection:
    names = draw(
        st.lists(st.tuples(st.sampled_from(["public", "app", "Größe"]), WORDS), min_size=1, max_size=7, unique=True)
    )
    made: dict[TableName, FoundTable] = {}
    for schema, name in names:
        columns = {
            column: FoundColumn(
                column, kind, kind, "b", element=kind[1:] if kind.startswith("_") else "", not_null=draw(st.booleans()),
                comment=draw(st.sampled_from(["", "e-mail of the user", "# \n[tables.x]\nkey = 1"])),
                samples=tuple(draw(VALUES)),
            )
            for column, kind in draw(st.dictionaries(WORDS, TYPES, max_size=6)).items()
        }  # fmt: skip
        order = list(columns)
        unique: list[tuple[str, ...]] = [(one,) for one in order if draw(st.booleans())]
        if len(order) > 1 and draw(st.booleans()):
            unique.append((order[0], order[1]))
        keyed: bool = draw(st.booleans())
        made[TableName(schema, name)] = FoundTable(
            TableName(schema, name),
            draw(st.sampled_from([*[RelationKind.TABLE] * 5, RelationKind.VIEW, RelationKind.PARTITIONED])),
            columns,
            rows=draw(st.sampled_from([-1.0, 0.0, 12345.0])),
            comment=draw(st.sampled_from(["", "of users", "x\n[tables.evil]\nnobody = true"])),
            primary=unique[0] if unique and keyed else (),
            unique=tuple(unique),
        )
    linked = dict(made)
    for place, table in made.items():
        keys = []
        for column in table.columns:
            for other in made.values():
                singles = [one for one in other.unique if len(one) == 1]
                if singles and other.is_table and draw(st.integers(0, 4)) == 0:
                    keys.append(ForeignKey((column,), other.name, singles[0]))
                    break
        linked[place] = FoundTable(
            table.name, table.kind, table.columns, table.rows, table.comment, table.primary, table.unique,
            foreign=tuple(keys),
        )  # fmt: skip
    return Inspection("fuzzed", "18", linked)


PLAIN = Inspection(
    "plain",
    "18",
    {
        TableName("public", "users"): FoundTable(
            TableName("public", "users"),
            RelationKind.TABLE,
            {
                "id": FoundColumn("id", "bigint", "int8", "b", not_null=True),
                "email": FoundColumn("email", "text", "text", "b"),
            },
            primary=("id",),
            unique=(("id",),),
        )
    },
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow], deadline=None, phases=PHASES)
@given(tables(), st.integers(0, 3))
@example(PLAIN, 0)
def test_a_map_for_every_database(inspection: Inspection, luck: int) -> None:
    try:
        seen = {trial: Contained(5, 5 if luck > 1 else luck) for trial in trials(inspection, {})}
        proposal = propose(inspection, seen, {})
    except ConfigError:
        return  # no people
    text = to_toml(proposal)
    assert text == to_toml(propose(inspection, seen, {}))
    written = tomllib.loads(text)
    for table in proposal.tables.values():
        assert bool(table.owners) + bool(table.refused) + table.nobody >= 1
        if not table.nobody:
            classes = {verdict.data_class for verdict in table.columns.values()}
            assert DataClass.PUBLIC not in classes, "nothing of people is harmless"
        for name, verdict in table.columns.items():
            if not table.found.columns[name].samples and verdict.data_class is DataClass.PUBLIC:
                assert table.found.columns[name].base_name != "jsonb"
    writable = {str(name) for name in proposal.tables if not ODD & set(name.name)}
    assert set(written["tables"]) == writable, "no text of the database makes a table"
    try:
        loaded = parse(text, source="fuzzed.toml", region="eu")
    except ConfigError:
        # Only where the people's own table cannot be in a map: its name or its key's has a dot.
        if all(not ODD & set(f"{kind.table.name}{kind.key}") for kind in proposal.people):
            raise
        return
    problems = [one for one in check(loaded, written, inspection, []) if one.level.value == "problem"]
    assert all(ODD & set(one.place) for one in problems), problems


@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow], deadline=None, phases=PHASES)
@given(tables())
def test_writing_it_again_keeps_it(inspection: Inspection) -> None:
    try:
        text = to_toml(propose(inspection, {}, {}))
    except ConfigError:
        return
    assert merge(text, (text,), text) == (text, [])
    named = {name.removeprefix("tables.").strip('"') for name in blocks(text) if name.startswith("tables.")}
    assert len(named) == len(tomllib.loads(text)["tables"])

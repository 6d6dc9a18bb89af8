"""Where a mistake stands in a map: line and column, also in values of several lines and under quoted names."""

from __future__ import annotations

import pytest

from seenby.datamap import parse
from seenby.datamap.position import position
from seenby.errors import ConfigError

TEXT = """version = 1

[people.user]
table = "users" # who [really] is there
key = "id"
region = "local"

# comment [tables.likes]
[tables.users]
key = ["id"]
owners = [
  { kind = "user", path = "id" },
]
[tables.users.columns]
id = "public"
"odd name" = "contact"

[tables."billing.notes"]
  key = ["id"]
nobody = true
columns = { id = "public", body = "publik" }
"""


@pytest.mark.parametrize(
    ("path", "place"),
    [
        (["version"], (1, 1)),
        (["people", "user", "key"], (5, 1)),
        (["tables", "users"], (9, 1)),
        (["tables", "users", "owners"], (11, 1)),
        (["tables", "users", "owners", "0", "kind"], (11, 1)),
        (["tables", "users", "columns", "odd name"], (16, 1)),
        (["tables", "billing.notes", "key"], (19, 3)),
        (["tables", "billing.notes", "columns", "body"], (21, 28)),
        (["tables", "likes"], None),
        ([], None),
    ],
)
def test_positions(path: list[str], place: tuple[int, int] | None) -> None:
    assert position(TEXT, path) == place


def test_messages_begin_with_it() -> None:
    sound = TEXT.replace('"odd name" = "contact"', "")
    with pytest.raises(ConfigError, match=r"^map\.toml:21:28: .*no data class 'publik'; did you mean public"):
        parse(sound, source="map.toml", region="eu")
    with pytest.raises(ConfigError, match=r"^map\.toml:11:1: tables\.users: owners: there are no people of kind usr"):
        parse(
            sound.replace("publik", "public").replace('kind = "user"', 'kind = "usr"'), source="map.toml", region="eu"
        )
    with pytest.raises(ConfigError, match=r"^map\.toml:3:1: people\.user: the map has no table user"):
        parse(sound.replace("publik", "public").replace('"users" #', '"user" #'), source="map.toml", region="eu")

"""What is not Python, but belongs to the package: an installed Seenby finds each of these files."""

from __future__ import annotations

import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
DATA = (
    "seenby/datamap/schema.json",
    "seenby/demo/datamap.toml",
    "seenby/demo/generate.sql",
    "seenby/demo/schema.sql",
    "seenby/grants/policies/1-never.cedar",
    "seenby/grants/policies/2-where.cedar",
    "seenby/grants/policies/3-purpose.cedar",
    "seenby/grants/policies/4-limits.cedar",
    "seenby/grants/policies/5-approvals.cedar",
    "seenby/grants/policies/6-break-glass.cedar",
    "seenby/grants/policies/seenby.cedarschema",
    "seenby/guard/catalog.sql",
    "seenby/guard/catalog_functions.sql",
    "seenby/guard/catalog_shapes.sql",
    "seenby/py.typed",
    "seenby/stores/key_migrations/0001_person_keys.sql",
    "seenby/stores/migrations/0001_grants.sql",
    "seenby/stores/migrations/0002_reviews.sql",
)


@pytest.mark.parametrize("path", DATA)
def test_it_is_there(path: str) -> None:
    _, *parts = path.split("/")
    resource = files("seenby").joinpath(*parts)
    assert resource.is_file()
    assert resource.read_bytes() or path.endswith("py.typed")


def test_the_list_is_whole() -> None:
    found = {path for path in (ROOT / "src/seenby").rglob("*") if path.is_file()}
    others = {path for path in found if path.suffix not in {".py", ".pyc"}}
    assert {str(path.relative_to(ROOT / "src")) for path in others} == set(DATA)


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_none_of_it_is_kept_out_of_a_wheel() -> None:
    """hatchling leaves out what git ignores."""
    paths = [f"src/{path}" for path in DATA]
    ignored = subprocess.run(["git", "check-ignore", *paths], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ignored.stdout == ""

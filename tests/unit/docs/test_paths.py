"""What the documents point at exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_path_a_document_names_exists(document: Path) -> None:
    text = document.read_text()
    links = {link.split("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link}
    missing = {link for link in links if link and not (document.parent / link).exists()}
    in_code = re.findall(r"`((?:src|tests|docs|bench|\.ci)/[\w./-]*)`", text)
    missing |= {path for path in in_code if not (ROOT / path).exists()}
    assert not missing


def test_architecture_names_every_folder_of_the_core() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    folders = {path.name for path in (ROOT / "src/seenby").iterdir() if (path / "__init__.py").exists()}
    assert {name for name in folders if f"src/seenby/{name}/" not in text} <= {"cli", "demo"}

"""Reads policy files: the organisation's folder, or the set that ships with Seenby."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from seenby.errors import ConfigError
from seenby.grants.policy import Policies

_PACKAGED = files("seenby.grants") / "policies"


def load_policies(folder: Path | None = None) -> Policies:
    """Every ``.cedar`` file of ``folder``, in the order of their names; None: the set that ships.

    Raises ConfigError: the folder is not there or empty, or a rule is wrong (file and line).
    """
    schema = (_PACKAGED / "seenby.cedarschema").read_text()
    try:
        entries = list((folder or _PACKAGED).iterdir())
        texts = {entry.name: entry.read_text() for entry in entries if entry.name.endswith(".cedar")}
    except OSError as error:
        raise ConfigError(
            f"cannot read the policy folder {folder}: {error.strerror}",
            hint='name a folder of .cedar files as policies = "..." in seenby.toml, or leave it out',
        ) from None
    return Policies(dict(sorted(texts.items())), schema)

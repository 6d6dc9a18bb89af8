"""What commands share that read a region's ledger and keys beside its gateway."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeAlias

from cyclopts import Parameter

from seenby.stores.config import Config, load_config
from seenby.stores.keystore import KeyStore
from seenby.stores.keystore_open import open_keystore
from seenby_verify.tlog.vkey import VerifierKey

PersonName: TypeAlias = Annotated[str, Parameter(help="KIND:KEY, as in account:42.")]
RegionFile: TypeAlias = Annotated[Path, Parameter(env_var="SEENBY_CONFIG", help="The region's seenby.toml.")]


@dataclass(frozen=True, slots=True)
class Beside:
    """``log``: the verifier key of the region's log. Nothing of this can be written."""

    config: Config
    keystore: KeyStore
    log: VerifierKey


@contextmanager
def beside(file: Path) -> Iterator[Beside]:
    """A region's settings and keys, for reading. Raises ConfigError."""
    config = load_config(file)
    keystore = open_keystore(config, read_only=True)
    try:
        yield Beside(config, keystore, keystore.verifier_key(config.origin))
    finally:
        keystore.close()

"""[keys] of ``seenby.toml``: which KMS, where people's keys lie, how long anything lasts (stores/config.py)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from seenby.errors import ConfigError

if TYPE_CHECKING:
    from seenby.stores.config import Database


@dataclass(frozen=True, slots=True)
class Keys:
    kms: str = "file"
    kms_dir: str = ""  # "" = kms in state
    module: str = ""
    token: str = ""
    pin_file: str = ""
    host: str = ""  # "" = the same server as [database]
    port: int = 0
    dbname: str = ""  # "" = a file in state
    user: str = ""
    password_file: str = ""
    rotate_days: int = 30
    destroy_after_days: int = 30


def resolve(file: Path, keys: Keys, data: Database, state: Path) -> Keys:
    """With absolute paths, and where the database is. Raises ConfigError for what would lie beside what it protects."""

    def path_of(value: str) -> str:
        return str((file.parent / value).resolve()) if value else ""

    if keys.kms not in ("file", "pkcs11"):
        raise ConfigError(f"{file}: keys.kms is {keys.kms!r}", hint='write kms = "file" or kms = "pkcs11"')
    for name in ("module", "token", "pin_file") if keys.kms == "pkcs11" else ():
        if not getattr(keys, name):
            raise ConfigError(f"{file}: keys.{name} is missing", hint=f'kms = "pkcs11" needs {name}')
    if keys.rotate_days < 1 or keys.destroy_after_days < 0:
        raise ConfigError(f"{file}: keys.rotate_days is at least 1, keys.destroy_after_days at least 0")
    kms_dir = Path(path_of(keys.kms_dir) or state / "kms")
    for folder in (state / "keys", state / "ledger"):
        if kms_dir.is_relative_to(folder):
            raise ConfigError(
                f"{file}: keys.kms_dir is inside {folder}", hint="one backup would hold the keys and what they wrap"
            )
    host = path_of(keys.host) if keys.host.startswith((".", "/")) else keys.host
    host, port = host or data.host, keys.port or data.port
    if keys.dbname:
        if not keys.user or not keys.password_file:
            raise ConfigError(f"{file}: keys.user and keys.password_file are missing", hint="keys.dbname needs them")
        if keys.user == data.user:
            raise ConfigError(f"{file}: keys.user is the role of [database]", hint="make a role for the keys alone")
        if (host, port, keys.dbname) == (data.host, data.port, data.dbname):
            raise ConfigError(
                f"{file}: people's keys would lie in the database of their data, and in its backups",
                hint="make a database for the keys alone, and name it in [keys] dbname",
            )
    return replace(
        keys,
        kms_dir=str(kms_dir),
        module=path_of(keys.module),
        pin_file=path_of(keys.pin_file),
        host=host,
        port=port,
        password_file=path_of(keys.password_file),
    )

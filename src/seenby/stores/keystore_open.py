"""The key store that ``seenby.toml`` describes: which KMS, and where people's keys lie."""

from __future__ import annotations

from pathlib import Path

from seenby.stores.config import Config, Database
from seenby.stores.keystore import KeyStore
from seenby.stores.keystore_file import FileShelf
from seenby.stores.keystore_keyring import Shelf
from seenby.stores.keystore_postgres import PostgresShelf
from seenby.stores.keystore_secrets import RegionSecrets
from seenby.stores.kms import Kms
from seenby.stores.kms_file import FileKms
from seenby.stores.kms_pkcs11 import Pkcs11Kms


def open_keystore(config: Config, *, read_only: bool = False) -> KeyStore:
    """The region's key store, made if it is not there; ``read_only``: for tools beside a running gateway.

    Raises ConfigError (missing, damaged, open to others, destroyed), Unavailable (database or KMS is not there).
    """
    kms = open_kms(config)
    shelf = open_shelf(config, read_only=read_only)
    return KeyStore(shelf, kms, RegionSecrets(config.keys_dir, kms, read_only=read_only), read_only=read_only)


def open_kms(config: Config) -> Kms:
    """What [keys] kms names."""
    keys = config.keys
    if keys.kms == "pkcs11":
        return Pkcs11Kms(Path(keys.module), keys.token, Path(keys.pin_file))
    return FileKms(Path(keys.kms_dir or config.state / "kms"))


def open_shelf(config: Config, *, read_only: bool) -> Shelf:
    """Where people's keys lie: the database in [keys], or a file in the state."""
    keys = config.keys
    if keys.dbname:
        database = Database(keys.host, keys.port, keys.dbname, keys.user, keys.password_file)
        return PostgresShelf(database.dsn(), read_only=read_only)
    return FileShelf(config.keys_dir, read_only=read_only)

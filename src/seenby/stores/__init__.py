"""Where things are kept: ledger files, key store, control database, user database, directory."""

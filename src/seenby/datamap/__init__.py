"""Whose data is where: the data map (TOML), its schema and its checks. Pure."""

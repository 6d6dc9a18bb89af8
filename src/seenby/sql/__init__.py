"""Statement text -> a plan: closed list of statements, resolved names, rewritten text. Pure."""

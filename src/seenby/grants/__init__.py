"""A grant's life: canonical bytes, signatures, policy, state. Pure."""

"""The transparency log: leaves, tree, tiles, checkpoints, entries, verification. Pure; stands alone."""

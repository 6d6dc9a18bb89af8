"""The embedded world: two regions, a short-video platform, and the guided tour."""

"""One client connection as a state machine: bytes in, commands out. Pure."""

"""``seenby-verify witness``: cosign other people's logs, so that they cannot show two versions of themselves."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from seenby_verify.cli.trust import parse_key
from seenby_verify.errors import Unavailable, UsageError
from seenby_verify.witness.server import WitnessServer
from seenby_verify.witness.state import State, load_key, make_witness

app = App(name="witness", help="Cosign logs, so that none of them can show two versions of itself.")


@app.command
def keygen(name: str, /, *, key: Path, state: Path) -> None:
    """Make a witness: a key, and the state that belongs to it. Prints the key that others must know.

    Parameters
    ----------
    name
        The witness's name, as in news-witness.example/1. It stands in every cosignature.
    key
        The file for the private key. Whoever has it can cosign in your name.
    state
        A new directory: what this witness has cosigned. Never restore an old copy of it: make a new witness instead.
    """
    print(make_witness(name, key, state))


@app.command
def serve(
    *,
    listen: str,
    key: Path,
    state: Path,
    log: Annotated[list[str], Parameter(negative="")],
) -> None:
    """Answer add-checkpoint (C2SP tlog-witness) until SIGTERM or Ctrl-C. Put a web server with TLS before it.

    Tells one JSON line per request on stderr.

    Parameters
    ----------
    listen
        HOST:PORT, as in 127.0.0.1:8099; port 0 takes a free one.
    key
        The file that keygen made.
    state
        The directory that keygen made.
    log
        The verifier key of a log to watch; give it once for each.
    """
    host, colon, port = listen.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise UsageError(f"{listen} is not HOST:PORT", hint="as in 127.0.0.1:8099")
    kept = State(state, load_key(key), [parse_key(one, "--log") for one in log])
    try:
        try:
            server = WitnessServer((host.strip("[]"), int(port)), kept, told=_tell)
        except OSError as error:
            raise Unavailable(
                f"cannot listen on {listen}: {error.strerror or error}",
                hint="give an address of this machine that is free",
            ) from None
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        with server:
            print(f"{kept.witness.vkey}\nlistening on http://{host}:{server.server_address[1]}/", flush=True)
            server.serve_forever()
    finally:
        kept.close()


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)

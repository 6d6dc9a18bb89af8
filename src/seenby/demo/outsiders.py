"""Who keeps the operator honest: the organisation's list of regions, a newspaper's witness, a stranger's trust policy.

The witness is a process of its own that knows nothing but the logs' keys. In the demo everything runs on one machine;
in the world it is somebody else's.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from seenby.errors import Unavailable
from seenby.stores.cluster import free_port, release_port
from seenby_verify.tlog.regions import RegionList
from seenby_verify.tlog.vkey import VerifierKey
from seenby_verify.witness.state import make_witness

ORGANISATION = "orbit.example"
WITNESS = "newspaper.example/witness"
START_SECONDS = 20.0


class Outsiders:
    """``prepare`` writes the list of regions and the trust policy; ``start`` runs the witness until ``stop``.

    Attributes:
        organisation: the key that signs the list of regions.
        regions_file, policy_file: where they lie.
    """

    def __init__(self, directory: Path) -> None:
        self._key = Ed25519PrivateKey.generate()
        self._folder = directory / "newspaper"
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._logs: list[VerifierKey] = []
        self.organisation = VerifierKey(ORGANISATION, self._key.public_key().public_bytes_raw())
        self.regions_file = directory / "regions"
        self.policy_file = directory / "trust.policy"

    def prepare(self, logs: Iterable[tuple[str, VerifierKey, str]]) -> None:
        """``logs``: region, key and URL of each log, by region."""
        found = list(logs)
        self._logs = [key for _, key, _ in found]
        named = tuple((region, key) for region, key, _ in found)
        self.regions_file.write_bytes(RegionList(ORGANISATION, 1, named).sign(self._key))
        self._folder.mkdir(mode=0o700)
        witness = make_witness(WITNESS, self._folder / "key.pem", self._folder / "state")
        lines = [f"log {key} {url}" for _, key, url in found]
        lines += [f"witness newspaper {witness} http://127.0.0.1:{self._port}/", "quorum newspaper", ""]
        self.policy_file.write_text("\n".join(lines))

    def start(self) -> None:
        """Raises Unavailable if the witness does not come up."""
        if self._process is not None or not self._logs:
            return
        command = [sys.executable, "-c", "from seenby_verify.cli import main; main()", "witness", "serve"]
        command += ["--listen", f"127.0.0.1:{self._port}"]
        command += ["--key", str(self._folder / "key.pem"), "--state", str(self._folder / "state")]
        for key in self._logs:
            command += ["--log", str(key)]
        with (self._folder / "witness.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + START_SECONDS
        while b"listening on" not in (self._folder / "witness.log").read_bytes():
            if self._process.poll() is not None or time.monotonic() > deadline:
                said = (self._folder / "witness.log").read_text(errors="replace")[-2000:]
                self.stop()
                raise Unavailable("the newspaper's witness did not start", detail=said)
            time.sleep(0.02)

    def stop(self) -> None:
        release_port(self._port)
        process, self._process = self._process, None
        if process is not None:
            process.kill()  # a witness's state is whole at any moment
            process.wait()

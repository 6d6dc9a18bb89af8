"""The embedded world: two regions with everything real, in one folder, gone when it stops."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from seenby.demo.certificates import write_certificates
from seenby.demo.generate import REGION_NUMBERS, check_people
from seenby.demo.leftovers import emptied_folder, fresh_folder, remove_folder
from seenby.demo.outsiders import Outsiders
from seenby.demo.people import Cast, Member, directory_toml, hire
from seenby.demo.region import Region

OnProgress = Callable[[str, str, float], None]
"""Called from two threads with region, what is being made, and how much is done (0..1)."""


class World:
    """Both regions with data, staff and certificates. ``build`` it, ``start`` the gateways; ``stop`` removes it all.

    Usable as a context manager, which stops it.

    Attributes:
        directory: holds ``directory.toml``, ``ca.crt``, ``staff/<name>/`` and a folder per region with ``seenby.toml``.
        regions: "eu" and "us".
        staff: members of staff by login name, with passwords and key files.
        cast: the platform's people whom the tour names.
        outsiders: the organisation's list of regions, a witness, and the trust policy of a stranger.
    """

    def __init__(self, directory: Path | None = None, *, durable: bool = True) -> None:
        """Takes the folder.

        Args:
            directory: a folder that is not there, is empty, or was a demo's before (then it is emptied). Default: a
                fresh one among the system's temporary files; what demos that were killed left there is removed.
            durable: False switches the databases' fsync off (tests).

        Raises:
            UsageError: the folder holds something else, or belongs to a demo that still runs.
        """
        if directory is None:
            self.directory, self._lock = fresh_folder()
        else:
            self.directory = directory.expanduser().resolve()
            self._lock = emptied_folder(self.directory)
        self.outsiders = Outsiders(self.directory)
        organisation = self.outsiders.organisation
        self.regions = {
            name: Region(name, self.directory / name, organisation, durable=durable) for name in REGION_NUMBERS
        }
        self.staff: dict[str, Member] = {}
        self.cast = Cast()

    def build(self, *, people: int, seed: int, progress: OnProgress, today: datetime | None = None) -> None:
        """Everything but the gateways.

        Args:
            people: accounts in all; the regions share them evenly.
            seed: the same seed gives the same people on the same day.
            today: default: now.

        Raises:
            UsageError: too few or too many people.
            Unavailable: a server did not start, or was stopped meanwhile.
        """
        check_people(people // len(self.regions))
        now = datetime.now(UTC)
        self.staff = hire(self.directory / "staff")
        (self.directory / "directory.toml").write_text(directory_toml(self.staff))

        def build(region: Region) -> None:
            region.build(
                people=people // len(self.regions),
                seed=seed,
                today=today or now,
                progress=lambda stage, done: progress(region.name, stage, done),
            )

        with ThreadPoolExecutor(len(self.regions)) as pool:
            futures = [pool.submit(build, region) for region in self.regions.values()]
            try:
                for future in futures:
                    future.result()
            except BaseException:
                # Ends the other thread's statements too; leaving the pool then waits for it.
                for region in self.regions.values():
                    region.abandon()
                raise
        write_certificates(self.directory / "ca.crt", {r.name: r.directory / "tls" for r in self.regions.values()}, now)
        self.outsiders.prepare((one.name, one.log_key(), one.log_url) for one in self.regions.values())

    def start(self) -> None:
        """Starts the witness and the gateways that do not run. Raises Unavailable if one does not come up."""
        self.outsiders.start()
        for region in self.regions.values():
            if region.gateway is None:
                region.start_gateway()

    def stop(self) -> None:
        """Ends every process that this world started, and removes its folder. A second signal does not cut it short."""
        with _deaf():
            for region in self.regions.values():
                region.stop()
            self.outsiders.stop()
            remove_folder(self.directory)  # and a server whose start was interrupted: its region does not know it
            self._lock.close()

    def __enter__(self) -> World:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


@contextmanager
def _deaf() -> Iterator[None]:
    """Signals that end a program wait until the end of the block (Python delivers them to the main thread only)."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ending = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, signal.SIG_IGN) for number in ending}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

"""Runs the tour's commands for real and prints what each side saw."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from seenby.demo.people import Member
from seenby.demo.region import Region
from seenby.demo.world import World
from seenby.stores.cluster import BIN

COMMAND_SECONDS = 60
SHOWN_LINES = 16
SCOPE_LINES = 8
"""The terms, which every command about a grant prints first: the tour shows them once."""


class NotAsStated(Exception):
    """A step of the tour did not come out as it says."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def both(self) -> str:
        return self.out + self.err


class Narrator:
    """The tour's hands and voice."""

    def __init__(self, world: World, console: Console) -> None:
        self.world = world
        self.console = console

    def say(self, text: str) -> None:
        self.console.print(f"  {text}", highlight=False)

    def psql(self, region: str, name: str, query: str, *, grant: str = "") -> Said:
        """Runs psql as a member of staff, through the region's gateway, with SCRAM."""
        member = self.world.staff[name]
        conninfo = self.world.regions[region].connection(name, grant=grant, tls=False)
        self._prompt(f"{name} @ {region}", "psql", query)
        command = [str(BIN / "psql"), "-X", "-v", "ON_ERROR_STOP=1", "-P", "pager=off", conninfo, "-c", query]
        return self._run(command, {"PGPASSWORD": member.password})

    def seenby(self, who: str, *arguments: str, shown: tuple[str, ...] | None = None, skip: int = 0) -> Said:
        """Runs the `seenby` command itself. ``shown`` leaves out what a reader need not see, ``skip`` lines above."""
        self._prompt(who, "seenby", shlex.join(shown or arguments))
        command = [sys.executable, "-c", "from seenby.cli import main; main()", *arguments]
        return self._run(command, {"COLUMNS": "110", "NO_COLOR": "1"}, skip=skip)

    def verifier(self, who: str, *arguments: str, shown: tuple[str, ...] | None = None) -> Said:
        """Runs `seenby-verify`, the program that strangers install without the server."""
        self._prompt(who, "seenby-verify", shlex.join(shown or arguments))
        command = [sys.executable, "-c", "from seenby_verify.cli import main; main()", *arguments]
        return self._run(command, {"COLUMNS": "110", "NO_COLOR": "1"})

    def grant(self, region: str, name: str, verb: str, *arguments: str) -> Said:
        """`seenby grant VERB` signed by ``name``."""
        config = str(self.world.regions[region].config_file)
        member = self.world.staff[name]
        signed = ("--as", name, "--key", str(member.key_file))
        return self.seenby(
            f"{name} @ {region}",
            "grant", verb, *arguments, *signed, "--config", config,
            shown=("grant", verb, *arguments),
            skip=SCOPE_LINES if verb in {"approve", "deny", "revoke"} else 0,
        )  # fmt: skip

    def member(self, name: str) -> Member:
        return self.world.staff[name]

    def region(self, name: str) -> Region:
        return self.world.regions[name]

    def expect(self, holds: bool, stated: str) -> None:
        """Ends the step when what was stated does not hold."""
        if not holds:
            raise NotAsStated(stated)

    def _prompt(self, who: str, program: str, text: str) -> None:
        self.console.print(f"  [cyan]{who}[/] [dim]{program}>[/] {escape(text)}", highlight=False, soft_wrap=True)

    def _run(self, command: list[str], environment: dict[str, str], *, skip: int = 0) -> Said:
        done = subprocess.run(
            command,
            env={**os.environ, "PGCONNECT_TIMEOUT": "10", **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=COMMAND_SECONDS,
            cwd=Path(self.world.directory),
        )
        said = Said(done.returncode, done.stdout, done.stderr)
        lines = [line.rstrip() for line in said.both.splitlines() if line.strip()]
        if skip and len(lines) > skip:
            lines = lines[skip:]
        for line in lines[:SHOWN_LINES]:
            colour = "red" if re.match(r"(psql: )?(ERROR|FATAL|error|seenby:)", line) else "white"
            self.console.print(f"      [{colour}]{escape(line)}[/]", highlight=False, soft_wrap=True)
        if len(lines) > SHOWN_LINES:
            self.console.print(f"      [dim]... {len(lines) - SHOWN_LINES} more lines[/]")
        return said

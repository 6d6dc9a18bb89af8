"""node-postgres, pgjdbc and pgx: a small program each, built with what its registry has, in a temporary folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conformance.clients.checks import COPY, ERRORS, HIDDEN, KEYS, LONG, PARAMETERS, STEPS, TABLES, WRITE
from tests.conformance.clients.matrix import DIFFERENCES, VERSIONS, check_client
from tests.conformance.clients.side import Outcomes, Side, Sides, compare
from tests.fixtures.needs import fetched, missing

pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("clients")]

HERE = Path(__file__).parent
MAVEN_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"

ASKED = {
    "tables": TABLES, "parameters": PARAMETERS, "keys": list(KEYS), "errors": ERRORS, "steps": STEPS, "copy": COPY,
    "long": LONG, "change": WRITE, "hidden": HIDDEN,
}  # fmt: skip


def lines() -> str:
    """The same, "kind<tab>text" a line: Java has no JSON reader of its own."""
    told = [f"table\t{table}" for table in TABLES]
    told += [f"parameter\t{type(value).__name__}\t{value}\t{text}" for text, value in PARAMETERS]
    told += [f"key\t{key}" for key in KEYS]
    told += [f"error\t{text}" for text in ERRORS] + [f"step\t{text}" for text in STEPS]
    told += [f"copy\t{COPY}", f"long\t{LONG}", f"change\t{WRITE}", f"hidden\t{HIDDEN}"]
    return "\n".join(told) + "\n"


@dataclass(frozen=True, slots=True)
class Program:
    """Attributes:
    folder: under this one; copied, then built there.
    needs: programs on the path, and where they can be had.
    build, run: commands, in the copy.
    """

    folder: str
    needs: tuple[str, ...]
    how: str
    build: Sequence[str]
    run: Sequence[str]
    asked: Callable[[], str] = lambda: json.dumps(ASKED)


PROGRAMS = {
    "node-postgres": Program(
        "node", ("node", "npm"), "apt-get install nodejs npm",
        ("npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--no-package-lock"), ("node", "checks.mjs"),
    ),
    "pgjdbc": Program(
        "java", ("java", "javac", "mvn"), "apt-get install default-jdk-headless maven",
        ("mvn", "-q", "-B", MAVEN_COPY, f"-Dartifact=org.postgresql:postgresql:{VERSIONS['pgjdbc']}",
         "-DoutputDirectory=.", "-Dmdep.stripVersion=true"),
        ("java", "-cp", "postgresql.jar", "Checks.java"), lines,
    ),
    "pgx": Program(
        "go", ("go",), "https://go.dev/dl, 1.24 or newer",
        ("go", "build", "-gcflags=all=-N -l", "-ldflags=-s -w", "-o", "checks", "."), ("./checks",),
    ),
}  # fmt: skip


def built(program: Program, folder: Path) -> Path:
    """A copy of the program, ready to run."""
    for name in program.needs:
        if shutil.which(name) is None:
            missing(name, program.how)
    made = folder / program.folder
    shutil.copytree(HERE / program.folder, made)
    fetched(f"what {program.folder} needs from its registry", program.build, made, {"CGO_ENABLED": "0"})
    return made


@pytest.mark.parametrize("client", PROGRAMS)
def test_the_same_checks_directly_and_through_the_gateway(sides: Sides, client: str, tmp_path: Path) -> None:
    program = PROGRAMS[client]
    made = built(program, tmp_path)

    def checks(side: Side) -> Outcomes:
        done = subprocess.run(
            program.run, cwd=made, input=program.asked(), env=os.environ | side.environment, capture_output=True,
            text=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]
        found: Outcomes = json.loads(done.stdout)
        return found

    check_client(client, compare(sides, checks, DIFFERENCES[client]))

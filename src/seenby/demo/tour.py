"""The guided tour: what the platform promised, tried for real through real clients. A step that does not come out as
stated makes the demo's exit status 1."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Thread

import psycopg
from rich.console import Console

from seenby.demo.narrator import Narrator, NotAsStated, Said
from seenby.demo.region import CONTROL, OWNER, PLATFORM
from seenby.demo.tour_log import checkable, erased, whole
from seenby.demo.world import World
from seenby.errors import SeenbyError
from seenby.stores.cluster import BIN

STREAM = "SELECT a.body, b.body, c.body FROM comments a, comments b, comments c"
"""A result that would take minutes."""


@dataclass(frozen=True, slots=True)
class StepResult:
    name: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Report:
    """What `--json` writes."""

    steps: tuple[StepResult, ...]
    seconds: float
    entries: int

    @property
    def ok(self) -> bool:
        return all(step.ok for step in self.steps)

    def write(self, file: Path) -> None:
        file.write_text(json.dumps(asdict(self), indent=2) + "\n")


def run(world: World, console: Console) -> Report:
    """Takes the tour. The world's gateways must run."""
    began = time.monotonic()
    narrator = Narrator(world, console)
    results = []
    for number, (title, step) in enumerate(STEPS, 1):
        console.print(f"\n[bold]{number}. {title}[/]", highlight=False)
        try:
            detail = step(narrator)
            ok = True
        except (NotAsStated, SeenbyError, psycopg.Error, OSError) as error:
            detail, ok = f"{error}", False
        console.print(
            f"  [bold {'green' if ok else 'red'}]{'ok' if ok else 'NOT AS STATED'}[/] {detail}", highlight=False
        )
        results.append(StepResult(title, ok, detail))
    entries = sum(log_size(narrator, region) for region in world.regions)
    return Report(tuple(results), round(time.monotonic() - began, 1), entries)


# ---------------------------------------------------------------- helpers


def log_size(tour: Narrator, region: str) -> int:
    """Entries under the newest checkpoint."""
    checkpoint = tour.region(region).directory / "state" / "ledger" / "public" / "checkpoint"
    return int(checkpoint.read_text().splitlines()[1])


def grows(tour: Narrator, region: str, before: int, seconds: float = 15.0) -> int:
    """Waits until the published log is longer than ``before``; returns by how much."""
    deadline = time.monotonic() + seconds
    while (now := log_size(tour, region)) <= before:
        tour.expect(time.monotonic() < deadline, "the published log holds an entry of this")
        time.sleep(0.02)
    return now - before


def request(tour: Narrator, region: str, name: str, *arguments: str) -> str:
    """Asks for a grant; returns its id."""
    said = tour.grant(region, name, "request", *arguments)
    tour.expect(said.code == 0, "the request is accepted")
    found = re.search(r"\b[0-9a-f]{32}\b", said.both)
    tour.expect(found is not None, "the request's answer names the grant")
    assert found is not None
    return found[0]


def approve(tour: Narrator, region: str, grant: str, *names: str) -> None:
    for name in names:
        said = tour.grant(region, name, "approve", grant)
        tour.expect(said.code == 0, f"{name} can approve")


def denied(tour: Narrator, said: Said, *words: str) -> None:
    tour.expect(said.code != 0, "it is refused")
    flat = " ".join(said.both.split())
    for word in words:
        tour.expect(word in flat, f"the refusal says {word!r}")


# ---------------------------------------------------------------- steps


def no_grant(tour: Narrator) -> str:
    before = log_size(tour, "us")
    said = tour.psql("us", "wei.chen", "SELECT handle, phone FROM accounts LIMIT 5")
    denied(tour, said, "no active grant")
    tour.expect("+1" not in said.out, "no phone number comes out")
    grows(tour, "us", before)
    return "refused, and the attempt is in the log"


def wrong_country(tour: Narrator) -> str:
    said = tour.grant(
        "us", "wei.chen", "request",
        "--class", "contact", "--region", "us", "--purpose", "engineering", "--reference", "BUG-7", "--minutes", "60",
    )  # fmt: skip
    denied(tour, said, "country-outside-region")
    tour.say("Public comments and videos are another matter: no approval is needed, and everything is recorded.")
    grant = request(
        tour, "us", "wei.chen",
        "--class", "public", "--region", "us", "--purpose", "engineering", "--reference", "BUG-7", "--minutes", "60",
    )  # fmt: skip
    before = log_size(tour, "us")
    query = "SELECT v.caption, c.body FROM comments c JOIN videos v ON v.id = c.video_id ORDER BY c.id LIMIT 3"
    said = tour.psql("us", "wei.chen", query, grant=grant)
    tour.expect(said.code == 0 and "(3 rows)" in said.out, "three comments come out")
    return f"the policy names its rule; public data works, {grows(tour, 'us', before)} entries in the log"


def one_ticket(tour: Narrator) -> str:
    customer, ticket = tour.world.cast.customer, tour.world.cast.ticket
    grant = request(
        tour, "eu", "aoife.byrne",
        "--class", "contact", "--region", "eu", "--person", str(customer.person),
        "--purpose", "support", "--reference", ticket, "--minutes", "30",
    )  # fmt: skip
    denied(tour, tour.grant("eu", "aoife.byrne", "approve", grant))
    denied(tour, tour.psql("eu", "aoife.byrne", "SELECT phone FROM accounts"), "no active grant")
    approve(tour, "eu", grant, "marta.silva", "jonas.weber")
    said = tour.psql("eu", "aoife.byrne", "SELECT handle, phone, email FROM accounts")
    tour.expect("(1 row)" in said.out and customer.handle in said.out, "exactly the one person comes out")
    said = tour.psql("eu", "aoife.byrne", "SELECT count(*) FROM accounts")
    tour.expect(bool(re.search(r"^\s+1$", said.out, re.M)), "nobody else exists")
    denied(tour, tour.psql("eu", "aoife.byrne", "SELECT card_last4 FROM payments"), "payment")
    return "two approvers signed; one person is seen, nobody else exists, payment data is refused by name"


def journalist(tour: Narrator) -> str:
    protected = tour.world.cast.journalist
    before = log_size(tour, "us")
    said = tour.grant(
        "us", "dana.price", "request",
        "--class", "device", "--class", "location", "--region", "us", "--person", str(protected.person),
        "--purpose", "audit", "--reference", "CASE-12", "--minutes", "60",
    )  # fmt: skip
    denied(tour, said, "protected-people")
    grows(tour, "us", before)
    said = tour.grant("us", "ruth.adeyemi", "notices")
    tour.expect(said.code == 0 and "dana.price" in said.both, "the protection officer is told")
    return "refused, recorded, and the protection officer knows; nobody is exempt"


def cut_off(tour: Narrator) -> str:
    grant = request(
        tour, "eu", "lena.koch",
        "--class", "public", "--region", "eu", "--purpose", "research", "--reference", "R-3", "--minutes", "60",
        "--max-people", "100000000", "--max-rows", "100000000000",
    )  # fmt: skip
    lasted, rows, words = stream_until_revoked(tour, grant)
    when = f"{lasted:.2f} s after the command returned" if lasted else "before the command returned"
    tour.say(f"The stream had shown {rows} rows when it was cut, {when}: {words}")
    tour.expect(lasted < 1.0, "a revoked stream is cut within a second")
    ends = int(time.time()) + 5  # a grant's window is in whole seconds, so it may end up to a second earlier
    grant = request(
        tour, "eu", "lena.koch",
        "--class", "public", "--region", "eu", "--purpose", "research", "--reference", "R-4", "--seconds", "4",
    )  # fmt: skip
    with connect(tour, "eu", "lena.koch", grant) as idle:
        idle.execute("SELECT 1 FROM videos LIMIT 1")
        tour.say("An idle session waits for the end of a grant of four seconds ...")
        late, words = cut_when_idle(idle, ends)
    tour.say(f"... and is cut: {words}")
    tour.expect(late < 1.0, "an idle session is cut within a second of the grant's end")
    return f"a stream {when}, an idle session within a second of its grant's end"


def connect(tour: Narrator, region: str, name: str, grant: str) -> psycopg.Connection[tuple[object, ...]]:
    conninfo = tour.region(region).connection(name, grant=grant)
    return psycopg.connect(conninfo, password=tour.member(name).password, autocommit=True, connect_timeout=10)


def stream_until_revoked(tour: Narrator, grant: str) -> tuple[float, int, str]:
    """(seconds from the revocation to the cut, rows shown before, the words that the client saw)."""
    revoked: list[float] = []

    def revoke() -> None:
        tour.expect(tour.grant("eu", "lena.koch", "revoke", grant).code == 0, "the grant is revoked")
        revoked.append(time.monotonic())

    thread = Thread(target=revoke)
    rows, words = 0, "the stream came to its end"
    cut = 0.0
    with connect(tour, "eu", "lena.koch", grant) as connection, connection.cursor() as cursor:
        try:
            for _ in cursor.stream(STREAM):
                rows += 1
                if rows == 1000:
                    thread.start()
        except psycopg.Error as error:
            cut, words = time.monotonic(), str(error).strip().splitlines()[0]
    tour.expect(rows >= 1000, f"the stream shows rows before it is revoked, not: {words}")
    thread.join()
    tour.expect(cut > 0, "the stream is cut")
    # The command returns after the cut: what counts began at the latest when it returned, so this errs against us.
    return max(cut - revoked[0], 0.0), rows, words


def cut_when_idle(connection: psycopg.Connection[tuple[object, ...]], ends: float) -> tuple[float, str]:
    """(seconds after ``ends`` at which the gateway closed the idle session, its words)."""
    import select

    readable, _, _ = select.select([connection.fileno()], [], [], max(ends + 5 - time.time(), 0))
    if not readable:
        raise NotAsStated("the session is cut without being asked for anything")
    late = time.time() - ends
    try:
        connection.execute("SELECT 1")
    except psycopg.Error as error:
        return late, str(error).strip().splitlines()[0]
    raise NotAsStated("the session is closed")


def master_admin(tour: Narrator) -> str:
    customer = tour.world.cast.customer
    denied(tour, tour.psql("eu", "root.ops", "SELECT phone FROM accounts"), "no active grant")
    denied(
        tour,
        tour.grant(
            "eu", "root.ops", "request",
            "--class", "public", "--region", "eu", "--purpose", "engineering", "--minutes", "10",
        ),
        "operators-see-nothing",
    )  # fmt: skip
    forged_approval(tour)
    region = tour.region("eu")
    query = f"SELECT phone FROM accounts WHERE id = {customer.person.key}"
    tour.say("And with the password of the database's owner, past the gateway:")
    tour.console.print(f"  [cyan]root.ops @ database[/] [dim]psql>[/] {query}", highlight=False)
    with psycopg.connect(region.running.dsn(PLATFORM, OWNER, region.passwords[OWNER]), autocommit=True) as direct:
        direct.execute(query.encode())
    said = tour.seenby("ines.moreau @ eu", "reconcile", "--config", str(region.config_file), shown=("reconcile",))
    tour.expect(said.code == 1, "reconcile finds a connection that was not Seenby's")
    flat = " ".join(said.both.split())
    tour.expect(
        OWNER in flat and "SELECT phone FROM accounts" in flat, "reconcile names the connection and the statement"
    )
    return "nothing through the gateway; a forged approval is worth nothing; the way around is named"


def forged_approval(tour: Narrator) -> None:
    """A request that nobody approved is set to `approved` by SQL, in the control database, by its owner."""
    grant = request(
        tour, "eu", "aoife.byrne",
        "--class", "payment", "--region", "eu", "--person", str(tour.world.cast.customer.person),
        "--purpose", "support", "--reference", "T-1002", "--minutes", "30",
    )  # fmt: skip
    region = tour.region("eu")
    update = f"UPDATE grants SET status = 'approved' WHERE id = '{grant}'"
    tour.console.print(f"  [cyan]root.ops @ control database[/] [dim]psql>[/] {update}", highlight=False)
    dsn = region.running.dsn(CONTROL, "seenby_control", region.passwords["seenby_control"])
    with psycopg.connect(dsn, autocommit=True) as control:
        tour.expect(control.execute(update.encode()).rowcount == 1, "the row is changed")
    said = tour.grant("eu", "ines.moreau", "show", grant)
    tour.expect("requested" in said.both, "the grant is still only requested")
    tour.expect("signature" in said.both or "approv" in said.both, "the missing signatures are named")
    denied(tour, tour.psql("eu", "aoife.byrne", "SELECT 1 FROM payments", grant=grant), "not an active grant")


STEPS: tuple[tuple[str, Callable[[Narrator], str]], ...] = (
    ("An engineer in Beijing queries US phone numbers: no grant, no data", no_grant),
    ("The same engineer asks for contact data: policy refuses; for public data: allowed, recorded", wrong_country),
    ("A support agent with a ticket, one person, thirty minutes, two approvers", one_ticket),
    ("An internal auditor asks for a journalist's IP addresses: nobody is exempt", journalist),
    ("Revoked in the middle of a result, expired while idle: cut", cut_off),
    ("The master admin gets nothing, forges nothing, and is named", master_admin),
    ("Who saw my data? And can a stranger check it?", checkable),
    ("Is the list whole? The person checks alone; the operator hides one access", whole),
    ("The person is erased: old proofs still pass, nothing links", erased),
)


def facts(world: World) -> list[tuple[str, str]]:
    """Ready-to-paste connection strings, by role."""
    lines = []
    for region in world.regions.values():
        for name, member in world.staff.items():
            principal = member.principal
            if principal.region in {"", region.name}:
                lines.append((f"{name} ({principal.role}) @ {region.name}", region.psql(name, member.password)))
    lines.append(("psql", str(BIN / "psql")))
    return lines

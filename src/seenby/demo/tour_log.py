"""The tour's last steps: what the person, a journalist and nobody else can do with the log."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

from seenby.demo.narrator import Narrator, Said
from seenby.errors import VerificationError
from seenby_verify.tlog.policy import Policy


def checkable(tour: Narrator) -> str:
    customer = tour.world.cast.customer
    region = tour.region("eu")
    said = tour.seenby(
        f"{customer.handle} (the person)",
        "who-saw", str(customer.person), "--config", str(region.config_file),
        shown=("who-saw", str(customer.person)),
    )  # fmt: skip
    tour.expect(said.code == 0 and "support" in said.out, "who-saw shows the disclosure and its purpose")
    tour.expect("contact" in said.out, "who-saw says which kind of data")
    policy = str(tour.world.outsiders.policy_file)
    tour.say("The log is a web address; a newspaper's witness has signed it too. A journalist needs no account:")
    said = cosigned_log(tour, "eu")
    tour.expect(said.code == 0, "the log verifies, with the witness's cosignature")
    copy = tour.world.directory / "tampered"
    shutil.copytree(region.directory / "state" / "ledger" / "public", copy)
    place = tamper(copy)
    tour.say(f"One byte of {place} is changed on a copy:")
    said = tour.verifier(
        "a journalist", "log", str(copy), "--policy", policy, shown=("log", "COPY", "--policy", "trust.policy")
    )
    shutil.rmtree(copy)
    tour.expect(said.code == 1, "the check fails on the copy")
    tour.expect(place in " ".join(said.both.split()), "the check names the place")
    return f"the person sees who looked; the log verifies, witnessed; a changed byte is found in {place}"


def cosigned_log(tour: Narrator, region: str, seconds: float = 20.0) -> Said:
    """Verifies a region's log at its address under the policy, which asks for the witness; it may need a moment."""
    url, policy = tour.region(region).log_url, str(tour.world.outsiders.policy_file)
    wait_for_witness(tour, region, seconds)
    return tour.verifier("a journalist", "log", url, "--policy", policy, shown=("log", url, "--policy", "trust.policy"))


def wait_for_witness(tour: Narrator, region: str, seconds: float = 20.0) -> None:
    policy = Policy.parse(tour.world.outsiders.policy_file.read_bytes())
    checkpoint = tour.region(region).directory / "state" / "ledger" / "public" / "checkpoint"
    deadline = time.monotonic() + seconds
    while True:
        try:
            policy.accepts(checkpoint.read_bytes())
        except VerificationError as error:
            tour.expect(time.monotonic() < deadline, f"the witness has cosigned: {error.message}")
            time.sleep(0.05)
        else:
            return


def whole(tour: Narrator) -> str:
    """The person's own file: complete, checkable alone; and what happens when the operator leaves something out."""
    customer = tour.world.cast.customer
    bundle = make_bundle(tour, "clara")
    said = check_bundle(tour, bundle)
    tour.expect(said.code == 0 and "support" in said.out, "the bundle holds and shows the access")
    page = tour.world.directory / "verify.html"
    tour.verifier(customer.handle, "page", str(page), shown=("page", "verify.html"))
    tour.expect(page.is_file(), "the page is written")
    tour.say(f"The same check in a browser, without a network: open {page} and drop these files on it:")
    tour.say(f"{bundle}, {tour.world.outsiders.policy_file}, {receipt_of(bundle)}")
    hidden = bundle.with_name("hidden.bundle.json")
    epoch = hide_one(bundle, hidden)
    tour.say("The operator leaves the access out and counts one less:")
    said = check_bundle(tour, hidden, shown="hidden.bundle.json")
    tour.expect(said.code == 1, "the check fails")
    tour.expect(str(epoch) in said.both, "the check names the epoch")
    return f"the list is whole, provably; leaving one access out is found, in epoch {epoch}"


def make_bundle(tour: Narrator, name: str) -> Path:
    customer = tour.world.cast.customer
    bundle = tour.world.directory / f"{name}.bundle.json"
    for region in tour.world.regions:
        wait_for_witness(tour, region)
    said = tour.seenby(
        customer.handle,
        "bundle", str(customer.person), "--config", str(tour.region("eu").config_file), "--out", str(bundle),
        "--receipt", str(receipt_of(bundle)), "--log", f"us={tour.region('us').log_url}",
        shown=("bundle", str(customer.person), "--out", bundle.name, "--receipt", receipt_of(bundle).name),
    )  # fmt: skip
    tour.expect(said.code == 0, "the bundle is made")
    return bundle


def receipt_of(bundle: Path) -> Path:
    """The enrolment receipt beside a bundle: with it nobody can show the person a second, clean key."""
    return bundle.with_name(bundle.name.split(".")[0] + ".tlog-proof")


def check_bundle(tour: Narrator, bundle: Path, shown: str = "") -> Said:
    outsiders = tour.world.outsiders
    return tour.verifier(
        tour.world.cast.customer.handle,
        "bundle", str(bundle), "--policy", str(outsiders.policy_file), "--organisation", str(outsiders.organisation),
        "--receipt", str(receipt_of(tour.world.directory / "clara.bundle.json")),
        shown=("bundle", shown or bundle.name, "--policy", "trust.policy", "--receipt", "clara.tlog-proof"),
    )  # fmt: skip


def hide_one(bundle: Path, hidden: Path) -> int:
    """What an operator would try: the newest access is not shown and not counted. Answers its epoch."""
    value = json.loads(bundle.read_text())
    log = next(one for one in value["logs"] if one["shown"])
    last = log["shown"].pop()
    for epoch in log["epochs"]:
        for key in epoch["keys"]:
            if epoch["epoch"] == last["epoch"] and key["version"] == last["version"]:
                key["count"] -= 1
    hidden.write_text(json.dumps(value))
    return int(last["epoch"])


def erased(tour: Narrator) -> str:
    customer, region = tour.world.cast.customer, tour.region("eu")
    member = tour.member("ines.moreau")
    said = tour.seenby(
        "ines.moreau @ eu",
        "erase", str(customer.person), "--key-only", "--now", "--as", "ines.moreau", "--key", str(member.key_file),
        "--config", str(region.config_file),
        shown=("erase", str(customer.person), "--key-only", "--now"),
    )  # fmt: skip
    tour.expect(said.code == 0 and "Erased" in said.out, "the key is erased")
    said = tour.seenby(
        customer.handle,
        "who-saw", str(customer.person), "--config", str(region.config_file),
        shown=("who-saw", str(customer.person)),
    )  # fmt: skip
    tour.expect(said.code == 0 and "support" not in said.out, "nothing leads to the person any more")
    tour.say("What was proven before is still proven: the bundle of a minute ago, and the whole log:")
    tour.expect(check_bundle(tour, tour.world.directory / "clara.bundle.json").code == 0, "the old bundle still holds")
    tour.expect(cosigned_log(tour, "eu").code == 0, "the log still verifies")
    return "old proofs still pass, and nothing links the log to the person"


def tamper(log: Path) -> str:
    """Flips one bit in the middle of the first bundle of entries; returns its name within the log."""
    bundle = sorted(path for path in (log / "tile" / "entries").rglob("*") if path.is_file())[0]
    data = bytearray(bundle.read_bytes())
    data[len(data) // 2] ^= 1
    bundle.write_bytes(data)
    return str(bundle.relative_to(log))

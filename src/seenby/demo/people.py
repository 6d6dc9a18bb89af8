"""Who works at the demo's platform, and the few of its people that the tour meets again."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from seenby.demo.generate import account_id
from seenby.grants.facts import RegionRules
from seenby.model.people import Person
from seenby.model.principal import Principal
from seenby.stores.directory import Directory, make_principal, render_directory

IRELAND, AMERICA, BEIJING = "Orbit Ireland Ltd", "Orbit USA Inc", "Orbit Beijing Technology Co Ltd"
ENTITIES = {IRELAND: "IE", AMERICA: "US", BEIJING: "CN"}

PURPOSES = {
    "support": "answer a ticket that the person opened",
    "safety": "decide about a report, or protect somebody from harm",
    "security": "find out about an attack on accounts or on the platform",
    "security-investigation": "find out who is behind an attack, by comparing people's places and devices",
    "engineering": "find and repair a fault",
    "research": "understand how the platform is used",
    "emergency": "protect somebody's life when nobody can wait for approvers",
    "audit": "check that staff kept to the rules",
    "legal": "answer a court or an authority",
}

# The European Economic Area, ISO 3166-1.
EEA = (
    *("AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE"),
    *("IS", "IT", "LI", "LT", "LU", "LV", "MT", "NL", "NO", "PL", "PT", "RO", "SE", "SI", "SK"),
)
REGIONS = {
    "eu": RegionRules(frozenset(EEA), frozenset({IRELAND})),
    "us": RegionRules(frozenset({"US"}), frozenset({AMERICA})),
}

STAFF: tuple[tuple[str, str, str, str, str, str], ...] = (
    # name, country, entity, role, unit, region guarded
    ("wei.chen", "CN", BEIJING, "engineer", "Recommendation", ""),
    ("aoife.byrne", "IE", IRELAND, "support", "Customer Care", ""),
    ("marta.silva", "PT", IRELAND, "approver", "Privacy", "eu"),
    ("jonas.weber", "DE", IRELAND, "approver", "Customer Care", "eu"),
    ("ines.moreau", "FR", IRELAND, "protection-officer", "Data Protection", "eu"),
    ("lena.koch", "DE", IRELAND, "analyst", "Insights", ""),
    ("lotte.maes", "BE", IRELAND, "moderator", "Trust and Safety", ""),
    ("ben.ortiz", "US", AMERICA, "support", "Customer Care", ""),
    ("grace.kim", "US", AMERICA, "approver", "Privacy", "us"),
    ("luis.ortega", "US", AMERICA, "approver", "Customer Care", "us"),
    ("ruth.adeyemi", "US", AMERICA, "protection-officer", "Data Protection", "us"),
    ("dana.price", "US", AMERICA, "auditor", "Internal Audit", ""),
    ("root.ops", "CN", BEIJING, "operator", "Infrastructure", ""),
)


@dataclass(frozen=True, slots=True)
class Member:
    """A member of staff with what only they would have: the password and the key file."""

    principal: Principal
    password: str
    key_file: Path


@dataclass(frozen=True, slots=True)
class Known:
    """One of the platform's people whom the tour names. generate.sql gives them their names."""

    person: Person
    region: str
    handle: str


@dataclass(frozen=True, slots=True)
class Cast:
    """The same in every world, whatever the seed.

    Attributes:
        customer: opened support ticket ``ticket`` (eu).
        journalist: protected (us); ``journalist_eu`` likewise.
    """

    customer: Known = Known(Person("account", str(account_id("eu", 42))), "eu", "clara.novak")
    ticket: str = "T-1001"
    journalist: Known = Known(Person("account", str(account_id("us", 77))), "us", "maya.reports")
    journalist_eu: Known = Known(Person("account", str(account_id("eu", 77))), "eu", "ilse.brandt.news")


def hire(folder: Path) -> dict[str, Member]:
    """Everybody in STAFF with a fresh password and key: ``folder/<name>/key.pem`` and ``.../password``, mode 0600."""
    members = {}
    for name, country, entity, role, unit, region in STAFF:
        own = folder / name
        own.mkdir(parents=True)
        password = secrets.token_urlsafe(12)
        write_secret(own / "password", password)
        principal = make_principal(
            name, password, own / "key.pem", country=country, entity=entity, role=role, unit=unit, region=region
        )
        members[name] = Member(principal, password, own / "key.pem")
    return members


def directory_toml(members: dict[str, Member]) -> str:
    """The text of ``directory.toml``."""
    principals = {name: member.principal for name, member in members.items()}
    return render_directory(Directory(principals, ENTITIES, PURPOSES, REGIONS))


def write_secret(file: Path, text: str) -> None:
    """A new file that only its owner may read."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text + "\n")

"""A principal: a member of staff or a service."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks. ``country`` (where they are) and ``entity`` (who employs them) are two different facts.

    Attributes:
        name: the login name, unique in the directory.
        country: ISO 3166-1 alpha-2, or "" when unknown (then only ``public`` data can be asked for).
        entity: the legal entity, as the directory names it.
        unit: the department.
        role: ``engineer``, ``support``, ``auditor``, ``approver``, ``protection-officer``, ``operator``...
        region: the region whose people an approver guards, else "".
        public_key: Ed25519 public key, 32 bytes, with which the principal signs requests and approvals.
        scram: SCRAM-SHA-256 verifier in Postgres's own form, ``SCRAM-SHA-256$4096:salt$stored:server``.
    """

    name: str
    country: str
    entity: str
    unit: str
    role: str
    region: str
    public_key: bytes
    scram: str

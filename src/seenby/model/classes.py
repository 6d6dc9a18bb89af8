"""Data classes and how a column is treated: the vocabulary of grants, policies and the data map."""

from __future__ import annotations

from enum import StrEnum


class DataClass(StrEnum):
    """What kind of personal data a column holds."""

    PUBLIC = "public"
    CONTENT = "content"
    CONTACT = "contact"
    IDENTITY = "identity"
    LOCATION = "location"
    DEVICE = "device"
    BEHAVIOUR = "behaviour"
    COMMUNICATION = "communication"
    PAYMENT = "payment"
    BIOMETRIC = "biometric"
    CREDENTIAL = "credential"


ABOVE_CONTENT = frozenset(DataClass) - {DataClass.PUBLIC, DataClass.CONTENT}
"""Classes that two approvers of the person's region must agree to, in the default policy."""


LINKING = frozenset({DataClass.LOCATION, DataClass.DEVICE})
"""Classes by whose values people can be compared to find out who met whom."""


class Treatment(StrEnum):
    """What a grant makes of a column."""

    REVEAL = "reveal"
    MASK = "mask"
    REFUSE = "refuse"

"""Every table, imported once, so that ``Base.metadata`` is whole."""

from . import (
    absences,
    alarms,
    audited,
    calendar_versions,
    clocks,
    desk,
    leases,
    ledger,
    links,
    outbox,
    owners,
    published_keys,
    published_years,
    quarantine,
    suggestions,
    ticket,
    undeliverable,
)
from .base import Base

__all__ = [
    "Base",
    "absences",
    "alarms",
    "audited",
    "calendar_versions",
    "clocks",
    "desk",
    "leases",
    "ledger",
    "links",
    "outbox",
    "owners",
    "published_keys",
    "published_years",
    "quarantine",
    "suggestions",
    "ticket",
    "undeliverable",
]

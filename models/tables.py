"""Every table, imported once, so that ``Base.metadata`` is whole."""

from . import (
    alarms,
    audited,
    clocks,
    desk,
    leases,
    ledger,
    links,
    outbox,
    owners,
    published_keys,
    quarantine,
    suggestions,
    ticket,
    undeliverable,
)
from .base import Base

__all__ = [
    "Base",
    "alarms",
    "audited",
    "clocks",
    "desk",
    "leases",
    "ledger",
    "links",
    "outbox",
    "owners",
    "published_keys",
    "quarantine",
    "suggestions",
    "ticket",
    "undeliverable",
]

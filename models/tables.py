"""Every table, imported once, so that ``Base.metadata`` is whole."""

from . import clocks, desk, leases, ledger, links, outbox, owners, ticket
from .base import Base

__all__ = ["Base", "clocks", "desk", "leases", "ledger", "links", "outbox", "owners", "ticket"]

"""One at a time at a ticket: whoever changes it waits for whoever is changing it.

Locks are taken in one order, so that nobody waits in a ring: the ledger entry, the ticket, then its
clocks, mails and run. SQLite needs none of them: its writers queue up when a transaction begins.
"""

from sqlalchemy.orm import Session

from .ticket import Ticket


def hold(session: Session, ticket: Ticket) -> None:
    """Keep a ticket until the transaction ends, and see it as it is now.

    New rows that only refer to it (PostgreSQL: ``FOR KEY SHARE``) wait for nobody.
    """
    session.refresh(ticket, with_for_update={"key_share": True})

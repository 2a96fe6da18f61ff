"""The public keys that came with tickets: when a ticket is forgotten, they are to leave our keyring.

A key names its holder. Which keys came with a ticket is known by keyed digests, so that nothing here says
whose a key is. One that anything still needs stays: another ticket, a mail that has not left, a handler.
"""

import re
from collections.abc import Collection, Iterator
from datetime import datetime, timedelta

from sqlalchemy import ForeignKey, delete, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from .base import Base
from .ledger import LedgerEntry
from .outbox import Mail, MailState
from .owners import Owner
from .ticket import Reporter, Ticket
from .vault import vault

_FINGERPRINT = re.compile(r"\b[0-9A-F]{40}\b")
#: What gpg deletes it overwrites later, when it next tidies up: hours later, while anything runs.
TIDIED_UP = timedelta(days=1)
_LEFT = (MailState.SENT, MailState.CALLED_OFF)


class BroughtKey(Base):
    """A key that came with a ticket; without one, its ticket is forgotten, and the key is to go."""

    __tablename__ = "brought_keys"

    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str]
    ticket_id: Mapped[int | None] = mapped_column(ForeignKey("tickets.id"), index=True)
    gone_at: Mapped[datetime | None]


def note_brought_key(session: Session, ticket: Ticket, fingerprint: str) -> None:
    """Remember that our keyring has a key because of a ticket, whether or not it is pinned."""
    session.flush()
    digest = vault.keyed_digest(fingerprint)
    known = select(BroughtKey.id).where(BroughtKey.ticket_id == ticket.id, BroughtKey.digest == digest)
    if session.scalars(known.limit(1)).first() is None:
        session.add(BroughtKey(digest=digest, ticket_id=ticket.id))


def let_go_of_keys(session: Session, ticket: Ticket) -> None:
    """Have every key that came with a ticket taken out of the keyring; call it while they are known."""
    for fingerprint in set(_known_keys(session, ticket)):
        note_brought_key(session, ticket, fingerprint)
    session.flush()
    session.execute(update(BroughtKey).where(BroughtKey.ticket_id == ticket.id).values(ticket_id=None))


def keys_to_go(session: Session) -> dict[str, datetime | None]:
    """The digests of the keys to take out, and when each was: for a day more, a trace may lie there."""
    found = select(BroughtKey.digest, BroughtKey.gone_at).where(BroughtKey.ticket_id.is_(None))
    return dict(session.execute(found.order_by(BroughtKey.id)).tuples().all())


def are_gone(session: Session, digests: Collection[str], *, now: datetime) -> None:
    """Record that the keyring has these keys no more, or for a reason of its own; forget old records."""
    is_to_go = BroughtKey.ticket_id.is_(None)
    new = update(BroughtKey).where(is_to_go, BroughtKey.gone_at.is_(None), BroughtKey.digest.in_(digests))
    session.execute(new.values(gone_at=now))
    session.execute(delete(BroughtKey).where(is_to_go, BroughtKey.gone_at <= now - TIDIED_UP))


def anything_to_be_judged(session: Session) -> bool:
    """Whether a message waits that may pin a key any moment."""
    waiting = select(LedgerEntry.id).where(LedgerEntry.verdict.is_(None))
    return session.scalars(waiting.limit(1)).first() is not None


def pinned_keys(session: Session) -> set[str]:
    """The fingerprints that tickets, owners and mails which have not left seal to."""
    columns = (
        select(Reporter.fingerprint).where(Reporter.fingerprint.is_not(None)),
        select(Owner.fingerprint),
        select(Mail.fingerprint).where(Mail.state.not_in(_LEFT)),
    )
    return {key for column in columns for key in session.scalars(column) if key}


def keys_of_tickets(session: Session) -> set[str]:
    """The digests of the keys that came with tickets which are not forgotten."""
    return set(session.scalars(select(BroughtKey.digest).where(BroughtKey.ticket_id.is_not(None))))


def _known_keys(session: Session, ticket: Ticket) -> Iterator[str]:
    """What was pinned for a reporter, now or before, and what else the history names."""
    to_reporter = select(Mail.fingerprint).where(Mail.ticket_id == ticket.id, Mail.party == "reporter")
    for text in (ticket.reporter.fingerprint, *session.scalars(to_reporter)):
        if text:
            yield text
    for entry in ticket.history:
        yield from _FINGERPRINT.findall(entry.because)

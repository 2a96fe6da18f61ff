"""Quarantine: the messages that nothing could be made of, until they are opened or a human lets them go.

A message is in quarantine as a whole: its copies (sent again, put back) are one with the first, and
once one of them became something none of them is in quarantine any more.
"""

from datetime import datetime

from sqlalchemy import ColumnElement, ForeignKey, and_, func, or_, select
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column

from .base import Base
from .errors import Refused
from .ledger import LEADS_NOWHERE, LedgerEntry, Verdict
from .vault import SealedText


class Dismissal(Base):
    """A message in quarantine of which a human said that it needs nothing more."""

    __tablename__ = "dismissals"

    ledger_id: Mapped[int] = mapped_column(ForeignKey("ledger.id"), primary_key=True)
    at: Mapped[datetime]
    by: Mapped[str]
    because: Mapped[str] = mapped_column(SealedText)


def in_quarantine(session: Session, *, dismissed: bool = False) -> list[LedgerEntry]:
    """The messages in quarantine, the oldest first: those that wait for a human, or that were let go."""
    waiting = select(LedgerEntry).where(_in_quarantine(dismissed=dismissed))
    return list(session.scalars(waiting.order_by(LedgerEntry.arrived_at, LedgerEntry.id)))


def quarantined_on(session: Session, ticket_id: int) -> int:
    """How many messages with a token of this ticket wait in quarantine for a human."""
    of_it = LedgerEntry.ticket_id == ticket_id
    return session.scalar(select(func.count()).where(of_it, _in_quarantine(dismissed=False))) or 0


def unread_on(session: Session, ticket_id: int) -> list[int]:
    """The messages with a token of this ticket that nobody has read: in quarantine, or to be judged."""
    unread = or_(LedgerEntry.verdict.is_(None), _in_quarantine(dismissed=False))
    found = select(LedgerEntry.id).where(LedgerEntry.ticket_id == ticket_id, unread)
    return list(session.scalars(found.order_by(LedgerEntry.id)))


def _in_quarantine(*, dismissed: bool) -> ColumnElement[bool]:
    copy = aliased(LedgerEntry)
    became_something = select(copy.id).where(
        copy.same_as == LedgerEntry.id, copy.verdict.not_in(LEADS_NOWHERE)
    )
    was_dismissed = select(Dismissal.ledger_id).where(Dismissal.ledger_id == LedgerEntry.id).exists()
    return and_(
        LedgerEntry.verdict == Verdict.QUARANTINED,
        LedgerEntry.same_as.is_(None),
        LedgerEntry.forgotten_at.is_(None),
        ~became_something.exists(),
        was_dismissed if dismissed else ~was_dismissed,
    )


def message_in_quarantine(session: Session, number: int) -> LedgerEntry:
    """The message that a ledger number stands for, also by the number of a copy; raises :class:`Refused`."""
    entry = session.get(LedgerEntry, number)
    if entry is None:
        raise Refused(f"the ledger has no message {number}; `meldbalie quarantine` lists those in quarantine")
    first = session.get_one(LedgerEntry, entry.same_as or entry.id, with_for_update=True)
    if first.forgotten_at is not None:
        raise Refused(f"message {number} was erased with its ticket: nothing of it is left")
    family = or_(LedgerEntry.id == first.id, LedgerEntry.same_as == first.id)
    became = select(LedgerEntry).where(family, LedgerEntry.verdict.not_in(LEADS_NOWHERE))
    if (something := session.scalars(became.limit(1)).first()) is not None and something.verdict:
        raise Refused(f"message {number} is not in quarantine: its verdict is {something.verdict.value}")
    if first.verdict is not Verdict.QUARANTINED:
        stands = f"its verdict is {first.verdict.value}" if first.verdict else "it waits to be judged"
        raise Refused(f"message {number} is not in quarantine: {stands}")
    return first


def judge_again(session: Session, number: int) -> int:
    """Let a message be judged again as if it had just arrived, with all its tries before it.

    Gives the number that it has in the ledger; raises :class:`Refused` when it is not in quarantine.
    """
    entry = message_in_quarantine(session, number)
    entry.verdict = entry.decided_at = entry.next_try_at = entry.problem = None
    entry.tries = 0
    if (dismissal := session.get(Dismissal, entry.id)) is not None:
        session.delete(dismissal)
    return entry.id


def dismiss(session: Session, number: int, *, by: str, because: str, now: datetime) -> int:
    """Let a message go for good, with a reason; it stays in the ledger. Raises :class:`Refused`."""
    if not by.strip() or not because.strip():
        raise Refused(f"message {number} stays in quarantine: say who lets it go, and because of what")
    entry = message_in_quarantine(session, number)
    if (before := session.get(Dismissal, entry.id)) is not None:
        raise Refused(f"message {entry.id} was let go already, by {before.by}")
    session.add(Dismissal(ledger_id=entry.id, at=now, by=by, because=because))
    return entry.id


def dismissal_of(session: Session, entry: LedgerEntry) -> Dismissal | None:
    """Who let a message go, and why."""
    return session.get(Dismissal, entry.id)

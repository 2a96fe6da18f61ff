"""Rungs that reached nobody: they fired, and no mail of theirs has left, or none was written."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from .clocks import Clock, FiredRung
from .outbox import Mail, MailKind, MailState
from .rung_mails import mails_of, rung_of
from .ticket import Ticket

WAITS = (MailState.WAITING, MailState.SENDING, MailState.PARKED, MailState.HELD)


@dataclass(frozen=True, order=True)
class Unreached:
    """A rung of a running clock that nobody has heard of, by the ticket's number."""

    reference: str
    clock: str
    rung: str

    def __str__(self) -> str:
        """As an alarm names it."""
        return f"{self.reference} {self.clock} {self.rung}"


def unreached(session: Session, before: datetime) -> list[Unreached]:
    """The last rungs of running clocks of which no mail has left that should have by an instant."""
    since = func.coalesce(Mail.not_before, Mail.created_at)
    late = select(Mail).where(Mail.kind == MailKind.RUNG, Mail.state.in_(WAITS), since <= before)
    return sorted(set(_unheard(session, session.scalars(late))))


def told_to_nobody(session: Session) -> list[Unreached]:
    """The last rungs of running clocks that named nobody: no mail was written when they fired."""
    alone = select(FiredRung, Ticket.reference).join(Ticket, Ticket.id == FiredRung.ticket_id)
    found = session.execute(alone.where(FiredRung.told_nobody.is_(True))).tuples()
    return sorted(Unreached(number, one.kind, one.rung) for one, number in found if _is_last(session, one))


def _unheard(session: Session, mails: Iterable[Mail]) -> Iterator[Unreached]:
    for mail in mails:
        rung = rung_of(session, mail)
        if rung is None or mail.ticket is None or not _is_last(session, rung) or _has_left(session, mail):
            continue
        yield Unreached(mail.ticket.reference, rung.kind, rung.rung)


def _is_last(session: Session, rung: FiredRung) -> bool:
    """Whether nothing has fired since on the same clock, which still runs."""
    running = select(Clock.round).where(
        Clock.ticket_id == rung.ticket_id, Clock.kind == rung.kind, Clock.next_rung_at.is_not(None)
    )
    fired = select(func.max(FiredRung.id)).where(
        FiredRung.ticket_id == rung.ticket_id,
        FiredRung.kind == rung.kind,
        FiredRung.round == rung.round,
        FiredRung.voided_at.is_(None),
    )
    return session.scalar(running) == rung.round and session.scalar(fired) == rung.id


def _has_left(session: Session, mail: Mail) -> bool:
    """Whether somebody else whom the same rung tells has had their mail."""
    return any(one.state is MailState.SENT for one in mails_of(session, mail))

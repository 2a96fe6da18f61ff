"""Rungs that reached nobody: they fired, and no mail of theirs has left, or none was written."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, exists, func, select
from sqlalchemy.orm import Session

from .clocks import Clock, FiredRung
from .outbox import Mail, MailKind, MailState
from .rung_mails import mails_of
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
    of_clock = and_(
        Clock.ticket_id == FiredRung.ticket_id, Clock.kind == FiredRung.kind, Clock.round == FiredRung.round
    )
    counts = and_(FiredRung.voided_at.is_(None), FiredRung.was_superseded.is_(False))
    last = select(func.max(FiredRung.id)).join(Clock, of_clock).where(Clock.next_rung_at.is_not(None), counts)
    is_mailed = exists().where(
        Mail.ticket_id == FiredRung.ticket_id,
        Mail.kind == MailKind.RUNG,
        Mail.created_at == FiredRung.fired_at,
    )
    alone = (
        select(Ticket.reference, FiredRung.kind, FiredRung.rung)
        .join(FiredRung, FiredRung.ticket_id == Ticket.id)
        .where(FiredRung.id.in_(last.group_by(Clock.id)), ~is_mailed)
    )
    return sorted(Unreached(*named) for named in session.execute(alone).tuples())


def _unheard(session: Session, mails: Iterable[Mail]) -> Iterator[Unreached]:
    for mail in mails:
        facts, ticket = mail.facts or {}, mail.ticket
        if ticket is None or not _is_last(session, mail) or _has_left(session, mail):
            continue
        yield Unreached(ticket.reference, facts["clock"], facts["rung"])


def _is_last(session: Session, mail: Mail) -> bool:
    """Whether nothing has fired since on the same clock, which still runs."""
    facts = mail.facts or {}
    running = select(Clock).where(
        Clock.ticket_id == mail.ticket_id, Clock.kind == facts["clock"], Clock.next_rung_at.is_not(None)
    )
    clock = session.scalars(running).one_or_none()
    if clock is None or clock.round != facts.get("round", 1):
        return False
    fired = select(FiredRung.rung).where(
        FiredRung.ticket_id == mail.ticket_id,
        FiredRung.kind == clock.kind,
        FiredRung.round == clock.round,
        FiredRung.voided_at.is_(None),
    )
    return session.scalars(fired.order_by(FiredRung.id.desc()).limit(1)).first() == facts["rung"]


def _has_left(session: Session, mail: Mail) -> bool:
    """Whether somebody else whom the same rung tells has had their mail."""
    return any(one.state is MailState.SENT for one in mails_of(session, mail))

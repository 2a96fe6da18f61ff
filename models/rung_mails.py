"""What becomes of the mails of a rung: it is acknowledged, or they are called off.

A rung is acknowledged by a link or by an answer to its very mail. Its mails are called off while they
wait, where nobody is to be reminded any more.
"""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from .calendar import Calendar, next_opening
from .clocks import Acknowledgement, Clock, FiredRung
from .holding import hold
from .links import token_hash
from .outbox import Mail, MailKind, MailState
from .ticket import Ticket


def acknowledgement_behind(session: Session, token: str) -> Acknowledgement | None:
    """What a token acknowledges; ``None`` for a wrong one."""
    found = select(Acknowledgement).where(Acknowledgement.token_hash == token_hash(token))
    return session.scalars(found).one_or_none()


def acknowledge(session: Session, token: str, *, now: datetime) -> Ticket | None:
    """Note that a rung was seen, once; the next one fires at its own time. ``None`` for a wrong token."""
    found = acknowledgement_behind(session, token)
    if found is None:
        return None
    ticket = session.get_one(Ticket, found.rung.ticket_id)
    hold(session, ticket)
    _was_seen(session, ticket, found.rung, by=found.who, how="link", now=now)
    return ticket


def acknowledge_by_reply(
    session: Session, ticket: Ticket, number: int, party: str, *, how: str, now: datetime
) -> bool:
    """Note that a rung was seen by whom its mail of this number went to: they have answered it.

    Hold the ticket first. ``how`` they proved themselves is a code, for the history: whoever has the mail can
    answer it. ``False`` when it is no mail of a rung, or not one to this party.
    """
    mail = session.get(Mail, number)
    if mail is None or mail.kind is not MailKind.RUNG or mail.ticket_id != ticket.id or mail.party != party:
        return False
    rung = rung_of(session, mail)
    if rung is None:
        return False
    _was_seen(session, ticket, rung, by=mail.recipient_name, how=how, now=now)
    return True


def _was_seen(session: Session, ticket: Ticket, rung: FiredRung, *, by: str, how: str, now: datetime) -> None:
    session.refresh(rung)
    if rung.acknowledged_at is None:
        rung.acknowledged_at, rung.acknowledged_by = now, by
        ticket.record("acknowledged", by=by, at=now, clock=rung.kind, rung=rung.rung, how=how)


def rung_of(session: Session, mail: Mail) -> FiredRung | None:
    """The rung that a mail speaks of, as it fired last."""
    facts = mail.facts or {}
    found = select(FiredRung).where(
        FiredRung.ticket_id == mail.ticket_id,
        FiredRung.kind == facts.get("clock"),
        FiredRung.round == facts.get("round", 1),
        FiredRung.rung == facts.get("rung"),
    )
    return session.scalars(found.order_by(FiredRung.id.desc()).limit(1)).first()


def is_needless(session: Session, mail: Mail) -> bool:
    """Whether a mail of a rung speaks of a clock that nobody is reminded of now, or of an earlier round."""
    if mail.kind is not MailKind.RUNG or mail.facts is None or mail.sent_at is not None:
        return False
    found = select(Clock).where(Clock.ticket_id == mail.ticket_id, Clock.kind == mail.facts["clock"])
    clock = session.scalars(found.execution_options(populate_existing=True)).one_or_none()
    return clock is None or clock.next_rung_at is None or clock.round != mail.facts.get("round", 1)


def hold_until_open(session: Session, mail: Mail, calendar: Calendar, *, now: datetime) -> bool:
    """Let a reminder that a dead mail server kept past office hours wait for the next ones.

    ``False`` where it may leave: it was not to be held, or it is open now. Waiting costs no try.
    """
    opens_at = next_opening(now, calendar)
    if mail.not_before is None or opens_at <= now:
        return False
    session.refresh(mail, with_for_update=True)
    if mail.state is not MailState.SENDING:
        return False
    mail.state, mail.claimed_until, mail.tries = MailState.WAITING, None, mail.tries - 1
    mail.next_try_at = mail.not_before = opens_at
    return True


def call_off(session: Session, mail: Mail, *, now: datetime) -> bool:
    """Keep a needless mail of a rung from leaving, as the history says; ``False`` where it may leave.

    A rung that nobody has heard of then has not fired: it does, if the clock runs on after all.
    """
    ticket = mail.ticket
    if ticket is None:
        return False
    hold(session, ticket)
    session.refresh(mail, with_for_update=True)
    if mail.state is not MailState.SENDING or not is_needless(session, mail):
        return False
    facts = mail.facts or {}
    mail.state, mail.claimed_until, mail.problem = MailState.CALLED_OFF, None, None
    mail.facts = {name: value for name, value in facts.items() if name != "acknowledge"}
    ticket.record("called_off", by="deliver", at=now, clock=facts["clock"], rung=facts["rung"])
    rung = rung_of(session, mail)
    if rung is not None and all(one.state is MailState.CALLED_OFF for one in mails_of(session, mail)):
        rung.voided_at = now
    return True


def mails_of(session: Session, mail: Mail) -> list[Mail]:
    """All mails of the rung that this one speaks of."""
    about = {name: (mail.facts or {}).get(name) for name in ("clock", "round", "rung", "due_at")}
    rungs = select(Mail).where(Mail.ticket_id == mail.ticket_id, Mail.kind == MailKind.RUNG)
    return [one for one in session.scalars(rungs) if about.items() <= (one.facts or {}).items()]

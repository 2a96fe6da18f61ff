"""What keeps an automatic mail from leaving: too many to one address lately, or an address that fails.

Headers tell most machines that nobody is to be answered. A machine that ignores them is stopped by
counting what we sent: one mail that is not sent is one that is not answered. Nothing is lost by it:
the mail is parked and may be sent again by hand, and what came in is filed. That a mail failed is always
told: there is one such notice for each mail of ours, however much is sent to us.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from .outbox import WRITTEN_BY_HAND, Mail, MailKind, MailState
from .states import TicketState
from .undeliverable import is_undeliverable

TOO_MANY = "too_many"
UNDELIVERABLE = "undeliverable"
#: Marks a mail that a human has sent again: what a human wants is not held back.
BY_HAND = "sent again by hand"
TOLD_AGAIN = timedelta(days=1)
#: What an incoming message makes us write; the others a human or a clock causes.
PROVOKED = (
    MailKind.RECEIPT,
    MailKind.OWNER_REPORT,
    MailKind.HANDLER_REPORT,
    MailKind.MESSAGE,
    MailKind.CANNOT_OPEN,
    MailKind.QUARANTINED,
    MailKind.KEY_REFUSED,
)
#: What is counted together: other mail never keeps an alarm about a key from leaving, nor what tells a
#: handler that their own mail was not followed.
COUNTED = (PROVOKED, (MailKind.KEY_ALARM,), (MailKind.ORDER_REPLY,))


@dataclass(frozen=True)
class Most:
    """So many automatic mails in so much time are enough."""

    mails: int
    within: timedelta


@dataclass(frozen=True)
class Limits:
    """How many automatic mails one address gets at most: on one ticket, and if it wrote to us, in all."""

    per_ticket: Sequence[Most]
    per_address: Sequence[Most]


def why_held_back(session: Session, mail: Mail, limits: Limits) -> str | None:
    """Why a mail is not to leave now, as a code; ``None`` when it may."""
    if mail.problem == BY_HAND or mail.kind in (*WRITTEN_BY_HAND, MailKind.IBD_COPY):
        return None
    if mail.party == "reporter" and is_undeliverable(session, mail.recipient):
        return UNDELIVERABLE
    if not _counted_with(mail):
        return None
    if mail.ticket is not None and _are_reached(limits.per_ticket, mail, _sent_on_ticket(session, mail)):
        return TOO_MANY
    if _wrote_to_us(mail) and _are_reached(limits.per_address, mail, _sent_to(session, mail, limits)):
        return TOO_MANY
    return None


def was_told(session: Session, mail: Mail, problem: str) -> bool:
    """Whether the handlers know already why mail to this address is held back.

    Of what a human wrote and of a closing they hear each time: no clock is left to remind them.
    """
    if mail.kind in WRITTEN_BY_HAND or is_closing(mail):
        return False
    others = select(Mail.id).where(
        Mail.recipient_digest == mail.recipient_digest, Mail.state == MailState.PARKED, Mail.id != mail.id
    )
    if problem == UNDELIVERABLE:
        others = others.where(Mail.ticket_id == mail.ticket_id)
    else:
        lately = Mail.created_at > mail.created_at - TOLD_AGAIN
        others = others.where(Mail.problem == TOO_MANY, Mail.kind.in_(_counted_with(mail)), lately)
    return session.scalars(others.limit(1)).first() is not None


def is_closing(mail: Mail) -> bool:
    """Whether a mail tells the reporter that the ticket is closed."""
    return mail.kind is MailKind.STATE_CHANGED and (mail.facts or {}).get("state") == TicketState.CLOSED


def _counted_with(mail: Mail) -> tuple[MailKind, ...]:
    """The kinds that a mail is counted with; none where it may leave however many have."""
    return next((kinds for kinds in COUNTED if mail.kind in kinds), ())


def _wrote_to_us(mail: Mail) -> bool:
    """Whether the recipient's own message made us write: only then can mail go round.

    What made us write about no ticket at all may have been anybody's.
    """
    if mail.party == "reporter" or mail.ticket is None:
        return True
    return mail.ticket.reporter.address_digest == mail.recipient_digest


def _are_reached(bounds: Sequence[Most], mail: Mail, sent: Sequence[datetime]) -> bool:
    """Whether a mail would be one too many. What an outage kept here is counted when it was written."""
    return any(sum(at > mail.created_at - most.within for at in sent) >= most.mails for most in bounds)


def _sent_on_ticket(session: Session, mail: Mail) -> list[datetime]:
    on_ticket = select(Mail.recipient_digest, Mail.created_at).where(Mail.ticket_id == mail.ticket_id)
    sent = session.execute(on_ticket.where(*_has_left(mail))).tuples()
    return [at for recipient, at in sent if recipient == mail.recipient_digest]


def _sent_to(session: Session, mail: Mail, limits: Limits) -> list[datetime]:
    longest = max((most.within for most in limits.per_address), default=timedelta())
    lately = select(Mail.created_at).where(
        Mail.recipient_digest == mail.recipient_digest, Mail.created_at > mail.created_at - longest
    )
    return list(session.scalars(lately.where(*_has_left(mail))))


def _has_left(mail: Mail) -> tuple[ColumnElement[bool], ...]:
    return Mail.kind.in_(_counted_with(mail)), Mail.sent_at.is_not(None), Mail.id != mail.id

"""A new secret link for a reporter who has lost theirs: the old ones open nothing any more."""

from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from .errors import Refused
from .filing import reporter_of
from .holding import hold
from .links import SecretLink, make_link
from .outbox import Mail, MailKind, MailState, write_mail
from .people import Correspondent
from .restraint import BY_HAND, UNDELIVERABLE
from .ticket import Ticket
from .vault import digest_of

#: Why a mail is parked where the address is at fault, as codes.
REFUSED_THERE = frozenset({"MailRefused", "RecipientRefused", "bounced", UNDELIVERABLE})
ON_ITS_WAY = (MailState.WAITING, MailState.SENDING)


def resend_link(session: Session, ticket: Ticket, *, by: str, now: datetime) -> None:
    """Revoke the links of a ticket and send the reporter a receipt with a new one; raises :class:`Refused`.

    While a receipt is on its way nothing is done: its link is the one that counts. Nor while mail to the
    reporter is parked because of their address: a new one would not arrive either, and the link that they
    may have would open nothing. A receipt that could not be delivered otherwise is called off, for it
    brings a link that opens nothing.
    """
    hold(session, ticket)
    reporter = reporter_of(ticket)
    if ticket.forgotten_at is not None:
        raise Refused(f"{ticket.reference} was forgotten: it is not known any more who reported it")
    if reporter is None:
        raise Refused(
            f"the reporter of {ticket.reference} left no address: nobody can be sent a link, and the one that"
            " they have goes on working"
        )
    _refuse_where_mail_fails(session, ticket, reporter)
    receipts = select(Mail).where(Mail.ticket_id == ticket.id, Mail.kind == MailKind.RECEIPT)
    written = session.scalars(receipts.execution_options(populate_existing=True)).all()
    if any(mail.state in ON_ITS_WAY for mail in written):
        raise Refused(f"a receipt of {ticket.reference} with a link is on its way already")
    for mail in written:
        if mail.state is not MailState.SENT:
            mail.state, mail.problem, mail.facts = MailState.CALLED_OFF, None, None
    valid = update(SecretLink).where(SecretLink.ticket_id == ticket.id, SecretLink.revoked_at.is_(None))
    session.execute(valid.values(revoked_at=now))
    sent = ticket.record("link_renewed", by=by, at=now)
    mail = write_mail(
        session,
        MailKind.RECEIPT,
        reporter,
        party="reporter",
        cause=f"event {sent.seq}",
        now=now,
        ticket=ticket,
        about=ticket.report,
        facts={"link": make_link(session, ticket, at=now), "renewed": True},
    )
    mail.problem = BY_HAND


def _refuse_where_mail_fails(session: Session, ticket: Ticket, reporter: Correspondent) -> None:
    """Refuse over mail that the address did not take, unless a later one arrived there."""
    to_them = select(func.max(Mail.id)).where(Mail.recipient_digest == digest_of(reporter.address))
    parked = to_them.where(Mail.state == MailState.PARKED, Mail.problem.in_(REFUSED_THERE))
    number = session.scalar(parked)
    if number is not None and number > (session.scalar(to_them.where(Mail.state == MailState.SENT)) or 0):
        raise Refused(
            f"mail to the reporter of {ticket.reference} does not arrive: mail {number} is parked. The link"
            f" that they have goes on working. `meldbalie outbox --retry {number}` tries again; once it has"
            " left, a new link can be sent"
        )

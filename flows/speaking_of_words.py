"""What the mails say by which handlers write to the reporter without answering, or to each other; and
what they say of a ticket that changes hands."""

from datetime import date, datetime

from sqlalchemy.orm import Session

from ..mailbox import wording_told as say
from ..models.outbox import Mail
from ..models.ticket import Message, Ticket
from .installation import Installation
from .saved_links import address_of
from .spoken import Spoken


def told(place: Installation, session: Session, mail: Mail) -> Spoken:
    """To the reporter: a message."""
    del place, session
    number = _ticket(mail).reference
    return Spoken(say.Told(ticket=number, message=_message(mail).text), say.ToldPlain(ticket=number))


def asked(place: Installation, session: Session, mail: Mail) -> Spoken:
    """To the reporter: a question."""
    del place, session
    number = _ticket(mail).reference
    return Spoken(say.Asked(ticket=number, message=_message(mail).text), say.AskedPlain(ticket=number))


def embargo(place: Installation, session: Session, mail: Mail) -> Spoken:
    """To the reporter: until when both keep silent."""
    del place, session
    number, facts = _ticket(mail).reference, mail.facts or {}
    proposed = say.Embargo(
        ticket=number,
        ends_at=_instant(facts["ends_at"]),
        was=_instant(facts["was"]),
        reason=facts["because"] or None,
    )
    return Spoken(proposed, say.ToldPlain(ticket=number))


def publication(place: Installation, session: Session, mail: Mail) -> Spoken:
    """To the reporter: on which day we would publish."""
    del place, session
    number, facts = _ticket(mail).reference, mail.facts or {}
    on = date.fromisoformat(facts["on"])
    proposed = say.Publication(ticket=number, on=on, reason=facts["because"] or None)
    return Spoken(proposed, say.AskedPlain(ticket=number))


def assigned(place: Installation, session: Session, mail: Mail) -> Spoken:
    """To a handler: a ticket was given to them."""
    ticket, facts = _ticket(mail), mail.facts or {}
    notice = say.AssignedNotice(ticket=ticket.reference, run_url=address_of(place, session, ticket))
    return Spoken(say.Assigned(**vars(notice), by=facts["by"], reason=facts["because"] or None), notice)


def handed_over(place: Installation, session: Session, mail: Mail) -> Spoken:
    """To the owner that a ticket was taken from: who has it now."""
    del place, session
    notice = say.HandedOverNotice(ticket=_ticket(mail).reference)
    return Spoken(say.HandedOver(**vars(notice), owner=(mail.facts or {})["owner"]), notice)


def _instant(written: str) -> datetime | None:
    return datetime.fromisoformat(written) if written else None


def _ticket(mail: Mail) -> Ticket:
    if mail.ticket is None:
        raise LookupError(f"mail {mail.id} ({mail.kind}) belongs to no ticket")
    return mail.ticket


def _message(mail: Mail) -> Message:
    if mail.message is None:
        raise LookupError(f"mail {mail.id} ({mail.kind}) is about no message")
    return mail.message

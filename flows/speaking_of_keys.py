"""What the mails about keys say; none of them holds anything of a report."""

from datetime import datetime

from sqlalchemy.orm import Session

from ..mailbox import wording_keys as say
from ..models.outbox import Mail
from ..models.ticket import Ticket
from .installation import Installation
from .saved_links import address_of
from .spoken import Spoken


def key_alarm(place: Installation, session: Session, mail: Mail) -> Spoken:
    """To a handler: a correspondent's key on a ticket was changed, or cannot be used any more."""
    ticket, facts = _ticket(mail), mail.facts or {}
    told = say.KeyAlarm(
        ticket=ticket.reference,
        party=facts["party"],
        problem=facts["problem"],
        run_url=address_of(place, session, ticket),
    )
    return Spoken(told, told)


def key_refused(place: Installation, session: Session, mail: Mail) -> Spoken:
    """To a reporter: the key that came along cannot be used."""
    del place, session
    told = say.KeyRefused(ticket=_ticket(mail).reference, problem=(mail.facts or {})["problem"])
    return Spoken(told, told)


def key_warning(place: Installation, session: Session, mail: Mail) -> Spoken:
    """To a handler, or to the holder of a key: it ends, or cannot be used."""
    del place, session
    facts = mail.facts or {}
    told = say.KeyWarning(
        ticket=None,
        holder=facts["holder"],
        fingerprint=facts["fingerprint"],
        problem=facts["problem"],
        ends_at=datetime.fromisoformat(facts["ends_at"]) if facts["ends_at"] else None,
        is_yours=facts["address"] == mail.recipient.lower(),
    )
    return Spoken(told, told)


def _ticket(mail: Mail) -> Ticket:
    if mail.ticket is None:
        raise LookupError(f"mail {mail.id} ({mail.kind}) belongs to no ticket")
    return mail.ticket

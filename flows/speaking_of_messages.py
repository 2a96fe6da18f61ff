"""What the mails about further messages say: who wrote, on which ticket, whether that may be doubted.

What a message quotes is folded: it stands in the conversation already, and all of it in the record.
"""

from collections.abc import Mapping, Set

from sqlalchemy.orm import Session

from ..mailbox import wording_facts as say
from ..mailbox.quoting import folded
from ..models.mail_orders import done_by
from ..models.outbox import Mail
from ..models.suggestions import have_one_reporter, main_ticket
from ..models.ticket import Attachment, Direction, Message, Ticket
from .evidence import as_files, evidence_in, identity_of, listed, without_reporter
from .installation import Installation
from .saved_links import address_of
from .spoken import Spoken

SENDERS: Mapping[Direction, say.Sender] = {
    Direction.FROM_REPORTER: "reporter",
    Direction.FROM_OWNER: "owner",
    Direction.FROM_FORMER_OWNER: "former_owner",
    Direction.FROM_IBD: "ibd",
    Direction.INTERNAL: "staff",
}


def further_message(place: Installation, session: Session, mail: Mail) -> Spoken:
    """To a handler or the owner: a message on a ticket, or on one that was joined with it."""
    if mail.ticket is None or mail.message is None:
        raise LookupError(f"mail {mail.id} ({mail.kind}) is about no message of a ticket")
    ticket, message = mail.ticket, mail.message
    at_work = main_ticket(session, ticket)
    came_on = message.ticket.reference if message.ticket is not ticket else None
    is_handler = any(person.address == mail.recipient for person in place.promise.triage)
    text, files = message.text, message.attachments
    if is_handler:
        text = folded(text, lambda lines: note(lines, message.ticket.reference))
    else:
        text, files = _without_reporters(message, {message.ticket, ticket, at_work})
    notice = say.MessageNotice(
        ticket=ticket.reference,
        sender=SENDERS[message.direction],
        came_on=came_on if is_handler else None,
        joined_with=at_work.reference if at_work is not ticket else None,
        doubt=message.doubt if is_handler else None,
        ordered=done_by(session, message) if is_handler else (),
        received_at=message.at,
        run_url=address_of(place, session, at_work) if is_handler else None,
    )
    is_of_another = came_on is not None and not have_one_reporter(message.ticket, ticket)
    sealed = say.Message(**vars(notice), is_of_another=is_of_another, message=text, attachments=listed(files))
    return Spoken(sealed, notice, as_files(files))


def note(lines: int, number: str) -> str:
    """What stands in the place of quoted lines, for who can look at the whole message."""
    return f"[… {lines} aangehaalde regels / quoted lines: meldbalie show {number} --whole]"


def _without_reporters(message: Message, tickets: Set[Ticket]) -> tuple[str, list[Attachment]]:
    """What the owner reads: neither who reported this ticket, nor who reported the one joined with it."""
    text = folded(message.text, lambda lines: f"[… {lines} aangehaalde regels / quoted lines]")
    files = list(message.attachments)
    for reported in tickets:
        identity = identity_of(reported)
        text = without_reporter(text, identity)
        kept = evidence_in(message, identity)
        files = [file for file in files if file in kept]
    return text, files

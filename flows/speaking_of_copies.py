"""What the copy for the IBD says, and the mail to handlers while it is held.

Both are made of the same facts: what a handler judges is what would leave.
"""

from sqlalchemy.orm import Session

from ..mailbox import wording_facts as say
from ..mailbox import wording_told
from ..mailbox.scrub import Scrubbed, scrub
from ..mailbox.wording_parts import OnRequest
from ..models.outbox import IN_DOUBT, Mail
from ..models.rating import rating_of
from ..models.ticket import Ticket
from .evidence import evidence_in, identity_of, targets_without_reporter, without_reporter
from .installation import Installation
from .saved_links import address_of
from .spoken import Spoken, Withheld


def ibd_copy(place: Installation, session: Session, mail: Mail) -> Spoken:
    """To the IBD; raises :class:`Withheld` until a handler has looked at what may identify the reporter."""
    ticket = _ticket(mail)
    scrubbed = _scrubbed(ticket)
    if scrubbed.doubt and "released" not in (mail.facts or {}):
        raise Withheld(IN_DOUBT)
    return Spoken(_copy(place, session, ticket, scrubbed), None)


def held_copy(place: Installation, session: Session, mail: Mail) -> Spoken:
    """To a handler: the copy as it would leave, and why it does not yet."""
    ticket = _ticket(mail)
    scrubbed = _scrubbed(ticket)
    copy = _copy(place, session, ticket, scrubbed)
    notice = wording_told.HeldCopyNotice(ticket=ticket.reference, run_url=address_of(place, session, ticket))
    return Spoken(wording_told.HeldCopy(**vars(notice), doubts=scrubbed.doubt, copy=copy), notice)


def _copy(place: Installation, session: Session, ticket: Ticket, scrubbed: Scrubbed) -> say.IbdCopy:
    identity, rating = identity_of(ticket), rating_of(ticket)
    return say.IbdCopy(
        ticket=ticket.reference,
        received_at=ticket.arrived_at,
        targets=targets_without_reporter(session, ticket, on=place.promise.local_day(ticket.arrived_at)),
        severity=str(rating) if rating else None,
        report=without_reporter(ticket.report.text, identity),
        on_request=tuple(
            OnRequest(media_type=file.type, size=file.size, sha256=file.sha256)
            for file in evidence_in(ticket.report, identity)
        ),
        removed=dict(scrubbed.removed),
        reporter=None,
    )


def _scrubbed(ticket: Ticket) -> Scrubbed:
    return scrub(ticket.report.text, identity_of(ticket))


def _ticket(mail: Mail) -> Ticket:
    if mail.ticket is None:
        raise LookupError(f"mail {mail.id} ({mail.kind}) belongs to no ticket")
    return mail.ticket

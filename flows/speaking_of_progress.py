"""What the mail says that keeps a reporter informed whose report was joined with another."""

from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from ..mailbox import wording_progress as say
from ..mailbox.wording_parts import Label
from ..models.outbox import Mail
from ..models.progress import LIFTED, MEANINGS, Progress, day_to_publish
from ..models.states import CLOSE_LABELS, STATE_LABELS, TicketState
from .installation import Installation
from .spoken import Spoken


def progress(place: Installation, session: Session, mail: Mail) -> Spoken:
    """To the reporter of a joined ticket: how the problem stands."""
    del session
    if mail.ticket is None or mail.facts is None:
        raise LookupError(f"mail {mail.id} ({mail.kind}) tells of the progress of no ticket")
    number, told = mail.ticket.reference, Progress.read(mail.facts)
    zone = ZoneInfo(place.promise.calendar.zone)
    return Spoken(
        say.Progress(
            ticket=number,
            state=Label(*STATE_LABELS[told.state]),
            meaning=Label(*MEANINGS[told.state]),
            is_closed=told.state is TicketState.CLOSED,
            closed_because=Label(*CLOSE_LABELS[told.close_reason]) if told.close_reason else None,
            expected_fix_on=told.fix_on,
            embargo_ends_at=told.embargo_ends_at,
            embargo_is_lifted=mail.facts.get("embargo") == LIFTED,
            publish_on=day_to_publish(told.publish_on, told.embargo_ends_at, zone),
        ),
        say.ProgressPlain(ticket=number),
    )

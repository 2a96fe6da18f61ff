"""What the mails say of the problem itself: that it is fixed, and, where a report was joined with another,
how it stands."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from ..mailbox import wording_progress as say
from ..mailbox.wording_parts import Label
from ..mailbox.wording_told import Fixed, FixedPlain
from ..models.outbox import Mail
from ..models.progress import FIXED, LIFTED, MEANINGS, WITHDRAWN, Progress, day_to_publish
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
            meaning=Label(*(FIXED if told.fixed_at else MEANINGS[told.state])),
            is_closed=told.state is TicketState.CLOSED,
            closed_because=Label(*CLOSE_LABELS[told.close_reason]) if told.close_reason else None,
            expected_fix_on=told.fix_on,
            fixed_on=_day(place, told.fixed_at),
            was_fixed_in_error=mail.facts.get("fixed_at") == WITHDRAWN,
            embargo_ends_at=told.embargo_ends_at,
            embargo_is_lifted=mail.facts.get("embargo") == LIFTED,
            publish_on=day_to_publish(told.publish_on, told.embargo_ends_at, zone),
        ),
        say.ProgressPlain(ticket=number),
    )


def fixed(place: Installation, session: Session, mail: Mail) -> Spoken:
    """To the reporter: the problem is fixed, or is not after all."""
    del session
    if mail.ticket is None or mail.facts is None:
        raise LookupError(f"mail {mail.id} ({mail.kind}) tells of the fix of no ticket")
    fixed_at = mail.facts["fixed_at"]
    plain = FixedPlain(
        ticket=mail.ticket.reference,
        fixed_on=_day(place, datetime.fromisoformat(fixed_at)) if fixed_at else None,
        expected_fix_on=mail.ticket.expected_fix_on,
    )
    return Spoken(Fixed(**vars(plain)), plain)


def _day(place: Installation, instant: datetime | None) -> date | None:
    return place.promise.local_day(instant) if instant else None

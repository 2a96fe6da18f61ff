"""What the mail about alarms says: kinds and numbers, never a word of a message."""

from datetime import datetime

from sqlalchemy.orm import Session

from ..mailbox import wording_facts as say
from ..mailbox.wording_parts import AlarmLine
from ..models.alarms import raised_at
from ..models.outbox import Mail
from .installation import Installation
from .spoken import Spoken

MOST_NUMBERS = 10


def alarm(place: Installation, session: Session, mail: Mail) -> Spoken:
    """All alarms that were raised in one look."""
    del place
    at = datetime.fromisoformat((mail.facts or {})["raised_at"])
    lines = tuple(
        AlarmLine(kind=kind, number=len(about), about=shortened(about))
        for kind, about in raised_at(session, at).items()
    )
    told = say.Alarm(found_at=at, lines=lines)
    return Spoken(told, told)


def shortened(about: list[str]) -> str:
    """The first of many."""
    return ", ".join(about[:MOST_NUMBERS]) + (", ..." if len(about) > MOST_NUMBERS else "")

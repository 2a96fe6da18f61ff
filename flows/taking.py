"""Taking a message into the ledger, byte for byte, in a commit of its own."""

from sqlalchemy.exc import IntegrityError

from ..mailbox.imap import IntakeMailbox, Waiting
from ..mailbox.letter import Letter
from ..models import ledger
from .installation import Installation


def take(
    place: Installation,
    mailbox: IntakeMailbox,
    where: ledger.Place,
    message: Waiting,
    *,
    lies_away: bool = False,
) -> int | None:
    """Enter a message and give its number; ``None`` when it has gone, or another was first.

    One that ``lies_away`` stays where it is: only the inbox is cleared.
    """
    raw = mailbox.fetch(message.uid)
    if raw is None:
        return None
    now = place.clock()
    try:
        with place.database.unit_of_work() as session:
            entry = ledger.enter(
                session,
                where,
                message.uid,
                raw,
                message_id=Letter.read(raw).message_id,
                arrived_at=message.arrived_at,
                now=now,
            )
            entry.put_away_at = now if lies_away else None
            session.flush()
            return entry.id
    except IntegrityError:
        return None

"""Putting a message into quarantine: handlers are told why, and its sender that it could not be opened."""

from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ..mailbox.opening import Opened
from ..models.filing import decide
from ..models.ledger import LedgerEntry, Verdict
from ..models.outbox import Mail, MailKind, write_mail
from ..models.promise import Correspondent
from ..models.vault import digest_of
from .installation import Installation
from .judging import Judged


def quarantine(place: Installation, session: Session, entry: LedgerEntry) -> None:
    """Decide that nothing can be made of a message for now; handlers are told once."""
    now = place.clock()
    decide(entry, Verdict.QUARANTINED, now=now)
    for handler in place.promise.triage:
        told = write_mail(
            session, MailKind.QUARANTINED, handler, party="staff", cause=str(entry.id), now=now, ticket=None
        )
        told.ledger_id = entry.id


def tell_sender(
    place: Installation, session: Session, entry: LedgerEntry, opened: Opened, judged: Judged
) -> None:
    """Write one safe note, before :func:`quarantine`: who sent it is not proved, so mail could be reflected.

    One per address and day, so many an hour in all, and none when a message is judged again.
    """
    sender, now = opened.letter.sender, place.clock()
    if sender is None or not judged.may_be_answered or _was_judged_before(session, entry):
        return
    lately = select(func.count(Mail.id)).where(
        Mail.kind == MailKind.CANNOT_OPEN, Mail.created_at > now - timedelta(hours=1)
    )
    if session.scalars(lately).one() >= place.config.intake.notes_per_hour:
        return
    told = write_mail(
        session,
        MailKind.CANNOT_OPEN,
        Correspondent("", sender),
        party="reporter",
        cause=f"{digest_of(sender)}/{place.promise.local_day(now)}",
        now=now,
        ticket=None,
    )
    told.ledger_id = told.ledger_id or entry.id


def _was_judged_before(session: Session, entry: LedgerEntry) -> bool:
    told = select(Mail.id).where(Mail.ledger_id == entry.id, Mail.kind == MailKind.QUARANTINED)
    return session.scalars(told.limit(1)).first() is not None

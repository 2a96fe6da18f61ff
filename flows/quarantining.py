"""Putting a message into quarantine: handlers are told why, and its sender that it could not be opened."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ..mailbox.automatic import why_automatic
from ..mailbox.letter import Letter
from ..mailbox.opening import Opened
from ..models.filing import decide
from ..models.holding import hold
from ..models.ledger import LedgerEntry, Verdict
from ..models.outbox import Mail, MailKind, write_mail
from ..models.promise import Correspondent
from ..models.threads import thread_behind
from ..models.vault import digest_of
from .installation import Installation
from .tokens import tokens_in


def give_up(place: Installation, number: int) -> None:
    """Quarantine a message whose tries are used up, and tell its ticket and sender as far as its headers do.

    In two transactions: what reading it may break must not keep it out of quarantine.
    """
    with place.database.unit_of_work() as session:
        entry = session.get_one(LedgerEntry, number, with_for_update=True)
        if entry.verdict is not None:
            return
        entry.problem = entry.problem or "unreadable"
        is_news, raw = quarantine(place, session, entry), entry.raw
    letter = Letter.read(raw, place.limits)
    tokens = tokens_in(Opened(letter), place.config.organisation.address)
    with place.database.unit_of_work() as session:
        entry = session.get_one(LedgerEntry, number, with_for_update=True)
        note_on_its_ticket(session, entry, tokens, place.clock())
        if is_news and why_automatic(letter, loop_marker=place.loop_marker) is None:
            tell_sender(place, session, entry, letter)


def note_on_its_ticket(session: Session, entry: LedgerEntry, tokens: Sequence[str], now: datetime) -> None:
    """Let a ticket know of a message with its token that nobody can open: the card says so."""
    thread = thread_behind(session, tokens)
    if thread is not None and entry.ticket_id is None:
        hold(session, thread.ticket)
        entry.ticket_id = thread.ticket_id
        thread.ticket.record("unopened", by="intake", at=now, party=thread.party)


def quarantine(place: Installation, session: Session, entry: LedgerEntry) -> bool:
    """Decide that nothing can be made of a message for now; handlers are told once.

    Gives whether this is news, or was decided before and the message judged again.
    """
    now, is_news = place.clock(), not _was_judged_before(session, entry)
    decide(entry, Verdict.QUARANTINED, now=now)
    for handler in place.promise.triage:
        told = write_mail(
            session, MailKind.QUARANTINED, handler, party="staff", cause=str(entry.id), now=now, ticket=None
        )
        told.ledger_id = entry.id
    return is_news


def tell_sender(place: Installation, session: Session, entry: LedgerEntry, letter: Letter) -> None:
    """Write one safe note, to a person: who sent the message is not proved, so mail could be reflected.

    One per address and day, and so many an hour in all.
    """
    sender, now = letter.sender, place.clock()
    if sender is None:
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

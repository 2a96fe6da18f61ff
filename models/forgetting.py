"""Forgetting a ticket: what was reported and by whom is erased, what is counted stays.

A while after the closing nothing needs the report any more. What stays is its number, its dates and
clocks, state, closing reason, owner and severity, its history without reasons, and that it was forgotten,
by whom and when. Messages stay in the ledger by what they are, so that one that comes again is known.

All of it is one transaction. Copies in the mailbox and keys in the keyring go afterwards
(``flows/clearing.py``).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Select, bindparam, delete, func, or_, select, update
from sqlalchemy.orm import Session

from .brought_keys import let_go_of_keys
from .confirmations import Confirmation
from .desk import DeskRun
from .errors import Refused
from .holding import hold
from .ledger import LedgerEntry, Verdict
from .likeness import Mark, Sketch
from .links import SecretLink
from .outbox import Mail, MailKind, MailState, Thread
from .quarantine import Dismissal, unread_on
from .states import CloseReason
from .suggestions import joined_with, main_ticket
from .ticket import Attachment, Event, Message, Reporter, Target, Ticket, first_broken_link
from .undeliverable import delivers_again
from .vault import vault


@dataclass(frozen=True)
class Erased:
    """A message of which nothing is left in the ledger, and by which its copy in the mailbox is found."""

    number: int
    digest: str
    size: int
    arrived_at: datetime


def forget(session: Session, ticket: Ticket, *, by: str, now: datetime) -> bool:
    """Erase what a closed ticket says and who reported it; ``False`` when that was done before.

    Raises :class:`Refused` while anything about it is still to be done.
    """
    hold(session, ticket)
    if ticket.forgotten_at is not None:
        return False
    _refuse_unfinished(session, ticket)
    if first_broken_link(ticket) is not None:
        raise Refused(
            f"the history of {ticket.reference} was altered: find out how before it is written anew;"
            " nothing was erased"
        )
    let_go_of_keys(session, ticket)
    _erase_identity(session, ticket)
    _erase_words(session, ticket)
    _erase_mails(session, ticket)
    _erase_bytes(session, _messages_of(ticket.id), now=now)
    _close_doors(session, ticket, now=now)
    ticket.forgotten_at, ticket.routed_because = now, ""
    was = _chain_anew(session, ticket)
    ticket.record("forgotten", by=by, at=now, history_was=was)
    session.flush()
    return True


def forget_due(session: Session, now: datetime, days: int) -> list[str]:
    """The tickets that were closed at least so many days ago and are not forgotten, the oldest first.

    One that an open ticket needs is not due, however long ago it was closed.
    """
    due = select(Ticket.id, Ticket.reference).where(
        Ticket.closed_at <= now - timedelta(days=days), Ticket.forgotten_at.is_(None)
    )
    found = dict(session.execute(due.order_by(Ticket.closed_at, Ticket.id)).tuples().all())
    if not found:
        return []
    needed = _needed_by_open_ones(session)
    return [reference for number, reference in found.items() if number not in needed]


def forget_late_copies(session: Session, *, now: datetime) -> int:
    """Erase the bytes of messages of forgotten tickets that came since, or once more; gives how many."""
    forgotten = select(Ticket.id).where(Ticket.forgotten_at.is_not(None))
    again = select(LedgerEntry.id).where(
        LedgerEntry.ticket_id.in_(forgotten),
        LedgerEntry.verdict.in_((Verdict.REPEATED, Verdict.AUTOMATIC, Verdict.BOUNCED)),
        LedgerEntry.forgotten_at.is_(None),
    )
    return _erase_bytes(session, again, now=now)


def to_be_cleared(session: Session) -> list[Erased]:
    """The erased messages that may still lie in the mailbox."""
    columns = LedgerEntry.id, LedgerEntry.digest, LedgerEntry.size, LedgerEntry.arrived_at
    waiting = select(*columns).where(LedgerEntry.forgotten_at.is_not(None), LedgerEntry.cleared_at.is_(None))
    return [Erased(*row) for row in session.execute(waiting.order_by(LedgerEntry.id)).tuples()]


def were_cleared(session: Session, numbers: Sequence[int], *, now: datetime) -> None:
    """Record that no copy of these messages lies in the mailbox any more."""
    session.execute(update(LedgerEntry).where(LedgerEntry.id.in_(numbers)).values(cleared_at=now))


def _refuse_unfinished(session: Session, ticket: Ticket) -> None:
    """What is open, or is needed by something open, is not forgotten; nor what the IBD is still owed."""
    if ticket.is_open:
        raise Refused(f"{ticket.reference} is open: only what is closed is forgotten")
    for other in _needed_by(session, ticket):
        raise Refused(f"{ticket.reference} belongs to {other.reference}, which is open: close that first")
    if unread := unread_on(session, ticket.id):
        raise Refused(
            f"message {unread[0]} came on the thread of {ticket.reference} and nobody has read it: `meldbalie"
            f" quarantine retry {unread[0]}` judges it again, and `dismiss` lets it go"
        )
    states = set(session.scalars(select(Mail.state).where(Mail.ticket_id == ticket.id)))
    if states & {MailState.WAITING, MailState.SENDING}:
        raise Refused(f"mail about {ticket.reference} is still to be delivered: let it leave first")
    owed = select(Mail.id).where(
        Mail.ticket_id == ticket.id,
        Mail.kind == MailKind.IBD_COPY,
        Mail.state.in_((MailState.HELD, MailState.PARKED)),
    )
    if ticket.close_reason is not CloseReason.SPAM and session.scalars(owed).first() is not None:
        raise Refused(
            f"the IBD has no copy of {ticket.reference} yet: release it, or see what `meldbalie outbox` says"
        )


def _needed_by_open_ones(session: Session) -> set[int | None]:
    """The closed tickets that were joined with an open one, or that an open one goes on from."""
    are_open = select(Ticket.id, Ticket.linked_to).where(Ticket.closed_at.is_(None))
    goes_on_from = dict(session.execute(are_open).tuples().all())
    return {*joined_with(session, goes_on_from.keys()), *goes_on_from.values()}


def _needed_by(session: Session, ticket: Ticket) -> Iterator[Ticket]:
    if (main := main_ticket(session, ticket)).is_open:
        yield main
    linked = select(Ticket).where(Ticket.linked_to == ticket.id, Ticket.closed_at.is_(None))
    yield from session.scalars(linked.order_by(Ticket.id))


def _erase_identity(session: Session, ticket: Ticket) -> None:
    """Who reported it; that mail to them fails is forgotten unless another report of theirs stands."""
    who = ticket.reporter
    elsewhere = select(Reporter.ticket_id).where(
        Reporter.address_digest == who.address_digest, Reporter.ticket_id != ticket.id
    )
    if session.scalars(elsewhere.limit(1)).first() is None:
        delivers_again(session, who.address)
    who.name = who.address = who.address_digest = who.fingerprint = None


def _erase_words(session: Session, ticket: Ticket) -> None:
    """What was said on the ticket, and drafts of it; that something was said, by whom and when, stays."""
    messages = select(Message.id).where(Message.ticket_id == ticket.id)
    session.execute(delete(Attachment).where(Attachment.message_id.in_(messages)))
    for table in (Target, Sketch, Mark):
        session.execute(delete(table).where(table.ticket_id == ticket.id))
    silent = {"subject": "", "text": "", "message_id_digest": None}
    session.execute(update(Message).where(Message.ticket_id == ticket.id).values(silent))
    nothing = {"not_done": None, "refused_because": None, "last_done": None}
    session.execute(update(DeskRun).where(DeskRun.ticket_id == ticket.id).values(nothing))


def _erase_mails(session: Session, ticket: Ticket) -> None:
    """What mails were to say; one that never left is called off, for there is nothing in it now."""
    about = update(Mail).where(Mail.ticket_id == ticket.id)
    session.execute(about.values(facts=None))
    stuck = select(Mail).where(
        Mail.ticket_id == ticket.id, Mail.state.in_((MailState.PARKED, MailState.HELD))
    )
    for mail in session.scalars(stuck.execution_options(populate_existing=True)):
        mail.state = MailState.CALLED_OFF
    nobody = {"recipient": "", "recipient_name": "", "fingerprint": "", "recipient_digest": None}
    session.execute(about.where(Mail.party == "reporter").values(nobody))


def _messages_of(ticket_id: int) -> Select[tuple[int]]:
    """The messages that a ticket has, also those let go unread, with every copy in which they came."""
    first = func.coalesce(LedgerEntry.same_as, LedgerEntry.id)
    firsts = select(first).where(LedgerEntry.ticket_id == ticket_id, LedgerEntry.verdict.is_not(None))
    is_copy = or_(LedgerEntry.id.in_(firsts), LedgerEntry.same_as.in_(firsts))
    return select(LedgerEntry.id).where(is_copy, LedgerEntry.verdict.is_not(None))


def _erase_bytes(session: Session, which: Select[tuple[int]], *, now: datetime) -> int:
    numbers = list(session.scalars(which))
    emptied = {"raw": b"", "message_id": "", "forgotten_at": now}
    session.execute(update(LedgerEntry).where(LedgerEntry.id.in_(numbers)).values(emptied))
    session.execute(update(Dismissal).where(Dismissal.ledger_id.in_(numbers)).values(because=""))
    _erase_notes(session, numbers)
    return len(numbers)


def _erase_notes(session: Session, numbers: Sequence[int]) -> None:
    """What senders were told of messages that nobody could open: a note names its sender, in `once` too."""
    notes = select(Mail).where(Mail.ledger_id.in_(numbers), Mail.kind == MailKind.CANNOT_OPEN)
    for mail in session.scalars(notes.execution_options(populate_existing=True)):
        mail.recipient = mail.recipient_name = mail.fingerprint = ""
        mail.recipient_digest = mail.facts = None
        mail.once = f"{mail.kind}/forgotten/{mail.id}"
        if mail.sent_at is None:
            mail.state = MailState.CALLED_OFF
    session.flush()


def _close_doors(session: Session, ticket: Ticket, *, now: datetime) -> None:
    """No link and no reply leads to the ticket any more, and nothing waits to be confirmed on it."""
    session.execute(delete(Thread).where(Thread.ticket_id == ticket.id))
    valid = update(SecretLink).where(SecretLink.ticket_id == ticket.id, SecretLink.revoked_at.is_(None))
    session.execute(valid.values(revoked_at=now))
    acts = update(Confirmation).where(Confirmation.ticket_id == ticket.id)
    session.execute(acts.values(wanted={}, outcome=None))
    session.execute(acts.where(Confirmation.done_at.is_(None)).values(done_at=now, expires_at=now))


def _chain_anew(session: Session, ticket: Ticket) -> str:
    """Write the history without its reasons, chained anew; gives a keyed digest of how it ended before.

    Around the guard that keeps everybody else from changing history. A plain digest of what was erased
    would let anybody who has the database try out what a reason may have been.
    """
    session.flush()
    was, previous = "", ""
    anew = update(Event).where(Event.id == bindparam("number"))
    for entry in list(ticket.history):
        was = entry.digest
        bare = Event(
            seq=entry.seq,
            at=entry.at,
            kind=entry.kind,
            actor=entry.actor,
            because="",
            facts=entry.facts,
            previous=previous,
        )
        digest = bare.chained_digest(ticket.reference)
        changed = anew.values(because="", previous=previous, digest=digest)
        session.connection().execute(changed, {"number": entry.id})
        previous = digest
    session.expire_all()
    return vault.keyed_digest(was)

"""The audit of the records: ledger against tickets, tickets against outbox, and nothing was altered.

Each check is one question to the database, and gives what is wrong by number. What costs much (every
stored message, every history) is looked at in slices, another one at each turn.
"""

import hashlib
from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import ColumnElement, Select, and_, distinct, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from .alarms import AlarmKind, Look
from .clocks import Clock, ClockKind
from .errors import WrongApplicationKey
from .ledger import LedgerEntry, Place, Verdict
from .outbox import Mail, MailKind, MailState
from .states import CloseReason
from .ticket import Event, Message, Reporter, Ticket, first_broken_link

#: A message with one of these verdicts stands on a ticket.
ON_A_TICKET = (Verdict.OPENED_TICKET, Verdict.JOINED_TICKET, Verdict.UNCLEAR)
MOST_MESSAGES = 500
MOST_BYTES = 256 * 2**20
MOST_HISTORIES = 200


def look_at_records(session: Session, *, before: datetime, now: datetime) -> list[Look]:
    """All that one question each can tell; what began ``before`` should have ended ``now``."""
    return [
        _look(session, AlarmKind.UNDECIDED, _undecided(before)),
        _look(session, AlarmKind.WITHOUT_TICKET, _without_ticket()),
        _look(session, AlarmKind.WITHOUT_VERDICT, _without_verdict()),
        _look(session, AlarmKind.TWO_TICKETS, _on_two_tickets()),
        _look(session, AlarmKind.COPY_MISSING, _without_copy()),
        _look(session, AlarmKind.RECEIPT_MISSING, _without_receipt()),
        _look(session, AlarmKind.CLOCK_MISSING, _without_clocks()),
        _look(session, AlarmKind.MAIL_OVERDUE, _overdue(before, now)),
    ]


def look_at_inbox(session: Session, inbox: Place, *, before: datetime) -> Look:
    """What was decided on long ago and still lies in the inbox, as it is numbered now."""
    left = select(LedgerEntry.id).where(
        LedgerEntry.mailbox == inbox.mailbox,
        LedgerEntry.uidvalidity == inbox.uidvalidity,
        LedgerEntry.put_away_at.is_(None),
        LedgerEntry.decided_at < before,
    )
    return _look(session, AlarmKind.NOT_PUT_AWAY, left)


def look_at_bytes(session: Session, turn: int | None) -> Look:
    """Whether stored messages still are what arrived: all of them, or the slice of a turn."""
    size = session.scalar(select(func.sum(LedgerEntry.size))) or 0
    slices = max(_slices(session, LedgerEntry.id, MOST_MESSAGES), -(-size // MOST_BYTES))
    numbers = _slice(session, LedgerEntry.id, slices, turn)
    wrong = (str(number) for number in numbers if _is_altered(session, number))
    return Look(AlarmKind.BYTES_ALTERED, frozenset(wrong), frozenset(map(str, numbers)))


def look_at_histories(session: Session, turn: int | None) -> Look:
    """Whether the histories of tickets still hang together: all of them, or the slice of a turn."""
    numbers = _slice(session, Ticket.id, _slices(session, Ticket.id, MOST_HISTORIES), turn)
    found = [_history(session, number) for number in numbers]
    wrong = (reference for reference, is_broken in found if is_broken)
    among = frozenset(reference for reference, _ in found)
    return Look(AlarmKind.HISTORY_BROKEN, frozenset(wrong), among)


def tally(session: Session) -> dict[str, int]:
    """How many messages became what (each once, however often it came), tickets, and mails."""
    first = LedgerEntry.same_as.is_(None)
    of_verdict = select(LedgerEntry.verdict, func.count()).where(first).group_by(LedgerEntry.verdict)
    of_state = select(Mail.state, func.count()).group_by(Mail.state)
    messages = {verdict.value if verdict else "undecided": n for verdict, n in session.execute(of_verdict)}
    mails = {f"mails {state.value}": n for state, n in session.execute(of_state)}
    tickets = session.scalar(select(func.count(Ticket.id))) or 0
    return {"messages": sum(messages.values()), **messages, "tickets": tickets, **mails}


def _undecided(before: datetime) -> Select[tuple[int]]:
    return select(LedgerEntry.id).where(LedgerEntry.verdict.is_(None), LedgerEntry.taken_at < before)


def _without_ticket() -> Select[tuple[int]]:
    said = select(Message.id).where(Message.ledger_id == LedgerEntry.id).exists()
    nowhere = or_(LedgerEntry.ticket_id.is_(None), ~said)
    return select(LedgerEntry.id).where(LedgerEntry.verdict.in_(ON_A_TICKET), nowhere)


def _without_verdict() -> Select[tuple[int]]:
    filed = select(LedgerEntry.id).where(LedgerEntry.verdict.in_(ON_A_TICKET))
    by_mail = select(Message.ledger_id).where(Message.ledger_id.is_not(None))
    return by_mail.where(Message.ledger_id.not_in(filed))  # pyright: ignore[reportReturnType]


def _on_two_tickets() -> Select[tuple[int]]:
    first = func.coalesce(LedgerEntry.same_as, LedgerEntry.id)
    filed = select(first).where(LedgerEntry.verdict.in_(ON_A_TICKET))
    return filed.group_by(first).having(func.count() > 1)


def _without_copy() -> Select[tuple[str]]:
    copies = and_(Mail.ticket_id == Ticket.id, Mail.kind == MailKind.IBD_COPY)
    grouped = select(Ticket.reference).outerjoin(Mail, copies).where(_is_no_spam())
    return grouped.group_by(Ticket.reference).having(func.count(Mail.id) != 1)


def _without_receipt() -> Select[tuple[str]]:
    """A machine's report gets none: its copy was held at once, which its history tells."""
    written = select(Mail.id).where(Mail.ticket_id == Ticket.id, Mail.kind == MailKind.RECEIPT)
    held = select(Event.id).where(
        Event.ticket_id == Ticket.id, Event.kind == "undelivered", Event.actor == "intake"
    )
    reachable = select(Ticket.reference).join(Reporter).where(Reporter.address.is_not(None), _is_no_spam())
    return reachable.where(~written.exists(), ~held.exists())


def _without_clocks() -> Select[tuple[str]]:
    of_ticket = and_(Clock.ticket_id == Ticket.id, Clock.kind.in_((ClockKind.RESPONSE, ClockKind.SHARE)))
    grouped = select(Ticket.reference).outerjoin(Clock, of_ticket).group_by(Ticket.reference)
    return grouped.having(func.count(distinct(Clock.kind)) != 2)


def _overdue(before: datetime, now: datetime) -> Select[tuple[int]]:
    """Mails that nobody sends, and those that something of ours hinders again and again."""
    unsent = and_(Mail.state == MailState.WAITING, Mail.next_try_at < before)
    abandoned = and_(Mail.state == MailState.SENDING, Mail.claimed_until < before)
    waits_for_us = and_(Mail.state == MailState.WAITING, Mail.tries == 0, Mail.next_try_at > now)
    since = func.coalesce(Mail.not_before, Mail.created_at)
    return select(Mail.id).where(or_(unsent, abandoned, and_(waits_for_us, since < before)))


def _is_no_spam() -> ColumnElement[bool]:
    return or_(Ticket.close_reason.is_(None), Ticket.close_reason != CloseReason.SPAM)


def _look(session: Session, kind: AlarmKind, wrong: Select[tuple[int]] | Select[tuple[str]]) -> Look:
    found: Iterator[int | str] = iter(session.scalars(wrong))  # pyright: ignore[reportArgumentType]
    return Look(kind, frozenset(map(str, found)))


def _slices(session: Session, column: InstrumentedAttribute[int], most: int) -> int:
    return -(-(session.scalar(select(func.count(column))) or 0) // most)


def _slice(session: Session, column: InstrumentedAttribute[int], slices: int, turn: int | None) -> list[int]:
    """The numbers whose turn it is; ``None`` is everything."""
    numbers = select(column).order_by(column)
    if turn is not None and slices > 1:
        numbers = numbers.where(column % slices == turn % slices)
    return list(session.scalars(numbers))


def _is_altered(session: Session, number: int) -> bool:
    try:
        told = select(LedgerEntry.digest, LedgerEntry.raw, LedgerEntry.forgotten_at)
        digest, raw, forgotten_at = session.execute(told.where(LedgerEntry.id == number)).one()
    except WrongApplicationKey:
        return True
    return raw != b"" if forgotten_at else hashlib.sha256(raw).hexdigest() != digest


def _history(session: Session, number: int) -> tuple[str, bool]:
    """A ticket's reference, and whether its history was altered."""
    reference = session.scalars(select(Ticket.reference).where(Ticket.id == number)).one()
    try:
        return reference, first_broken_link(session.get_one(Ticket, number)) is not None
    except WrongApplicationKey:
        return reference, True
    finally:
        session.expunge_all()

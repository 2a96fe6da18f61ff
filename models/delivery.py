"""How far a mail is: claimed by one worker at a time, sent, tried again, or parked for a handler.

A worker that dies between the server's "accepted" and our commit leaves a claim behind that runs
out; the mail is then sent again with the same Message-ID. A mail is never lost, and at worst it
arrives twice under one Message-ID, which mail programs show once. Of two workers with the same mail
the first to report that it left is right, and nothing that the other says undoes it.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, func, select, update
from sqlalchemy.orm import Session

from .errors import Refused
from .holding import hold
from .outbox import Mail, MailKind, MailState, tell_handlers
from .promise import Promise
from .restraint import BY_HAND, is_closing, was_told
from .states import TicketState
from .ticket import Direction, Message, Ticket, WaitingOn
from .undeliverable import delivers_again, fails
from .winding import wind

CLAIM = timedelta(minutes=5)
#: Facts of a mail that are forgotten once it has left: they open something for whoever has them.
SECRET = frozenset({"link", "acknowledge", "confirm"})
MENDING = timedelta(minutes=5)  # until a mail meets our own installation again
COMES_BACK = timedelta(days=14)  # servers give up after five days or so; two on the way are not unusual
HEARD_FROM = {
    "reporter": Direction.FROM_REPORTER,
    "owner": Direction.FROM_OWNER,
    "ibd": Direction.FROM_IBD,
}


def anything_due(session: Session, now: datetime) -> bool:
    """Whether a mail waits to be sent; asks without taking a lock."""
    found = (select(Mail.id).where(are_due).limit(1) for are_due in (_waiting(now), _abandoned(now)))
    return any(session.scalars(one).first() is not None for one in found)


def claim_next(session: Session, now: datetime) -> int | None:
    """Claim the mail that has waited longest, first of those that a worker left behind.

    ``None`` when nothing is due. Each is the first of an index: it costs the same however many wait.
    """
    for are_due in (_abandoned(now), _waiting(now)):
        longest = select(Mail).where(are_due).order_by(Mail.next_try_at, Mail.id).limit(1)
        mail = session.scalars(longest.with_for_update(skip_locked=True)).one_or_none()
        if mail is not None:
            mail.state, mail.claimed_until, mail.tries = MailState.SENDING, now + CLAIM, mail.tries + 1
            return mail.id
    return None


def _waiting(now: datetime) -> ColumnElement[bool]:
    return and_(Mail.state == MailState.WAITING, Mail.next_try_at <= now)


def _abandoned(now: datetime) -> ColumnElement[bool]:
    return and_(Mail.state == MailState.SENDING, Mail.claimed_until <= now)


def was_delivered(session: Session, mail: Mail, promise: Promise, *, sealed: bool, now: datetime) -> None:
    """Record that the server took the mail, and let happen what depends on it."""
    _hold(session, mail)
    if mail.sent_at is not None:
        return
    told = _told(mail)
    mail.state, mail.sent_at, mail.was_sealed = MailState.SENT, now, sealed
    mail.claimed_until = mail.problem = None
    mail.facts = {name: fact for name, fact in (mail.facts or {}).items() if name not in SECRET} or None
    if mail.ticket is None:
        return
    mail.ticket.record("delivered", by="deliver", at=now, sealed=sealed, **told)
    wind(session, mail.ticket, promise, now=now)


def _told(mail: Mail) -> dict[str, Any]:
    """What the history says of a mail that left: clocks are read off it."""
    facts = mail.facts or {}
    told: dict[str, Any] = {"mail": mail.kind.value, "party": mail.party, "number": mail.id}
    if mail.kind is MailKind.ANSWER:
        promised = mail.ticket.expected_fix_on if mail.ticket else None
        told["fix_on"] = facts.get("fix_on", str(promised or ""))
    if is_closing(mail):
        told["closing"] = True
    return told


def was_not_delivered(
    session: Session,
    mail: Mail,
    problem: str,
    promise: Promise,
    *,
    waits: Sequence[timedelta],
    for_good: bool,
    now: datetime,
) -> None:
    """Record a failure: try again later, or park the mail and tell the handlers."""
    _hold(session, mail)
    if mail.state is not MailState.SENDING:
        return
    mail.claimed_until, mail.problem = None, problem
    if not for_good and mail.tries <= len(waits):
        mail.state, mail.next_try_at = MailState.WAITING, now + waits[mail.tries - 1]
        return
    mail.state = MailState.PARKED
    if problem == "RecipientRefused":
        fails(session, mail.recipient, mail_id=mail.id, now=now)
    tell_handlers(session, mail, problem, promise, by="deliver", now=now)
    if mail.ticket is not None and _wait_no_longer(mail.ticket, mail, by="deliver", now=now):
        wind(session, mail.ticket, promise, now=now)


def _wait_no_longer(ticket: Ticket, mail: Mail, *, by: str, now: datetime) -> bool:
    """A reporter who was never asked is not waited for: clocks would stand still for nobody."""
    state = (mail.facts or {}).get("state")
    asks = mail.kind is MailKind.ASKED or state == TicketState.INVALID.value
    if not asks or not ticket.is_open or ticket.waiting_on is not WaitingOn.REPORTER:
        return False
    ticket.wait_for(WaitingOn.HANDLER, by=by, at=now)
    return True


def was_hindered(
    session: Session, mail: Mail, problem: str, *, now: datetime, wait: timedelta = MENDING
) -> None:
    """Record that the mail was not at fault (our installation was, or the server was out of reach).

    The mail waits, and this try does not count.
    """
    _hold(session, mail)
    if mail.state is not MailState.SENDING:
        return
    mail.state, mail.next_try_at, mail.tries = MailState.WAITING, now + wait, mail.tries - 1
    mail.claimed_until, mail.problem = None, problem


def put_off_all(session: Session, until: datetime) -> None:
    """Let every mail wait that is due earlier: no server takes any of them before."""
    due = update(Mail).where(Mail.state == MailState.WAITING, Mail.next_try_at < until)
    session.execute(due.values(next_try_at=until).execution_options(synchronize_session=False))


def was_held_back(session: Session, mail: Mail, problem: str, promise: Promise, *, now: datetime) -> None:
    """Park a mail that is not to leave by itself, and tell the handlers why unless they know."""
    _hold(session, mail)
    if mail.state is not MailState.SENDING:
        return
    mail.claimed_until, mail.problem, mail.state = None, problem, MailState.PARKED
    if not was_told(session, mail, problem):
        tell_handlers(session, mail, problem, promise, by="deliver", now=now)
    elif mail.ticket is not None:
        mail.ticket.record("undelivered", by="deliver", at=now, mail=mail.kind.value, problem=problem)


def was_held(session: Session, mail: Mail, problem: str, promise: Promise, *, now: datetime) -> None:
    """Record that a mail waits for a human's look, and tell the handlers."""
    _hold(session, mail)
    if mail.state is not MailState.SENDING:
        return
    mail.claimed_until, mail.problem, mail.state = None, problem, MailState.HELD
    tell_handlers(session, mail, problem, promise, by="deliver", now=now)


def try_again(session: Session, number: int, *, now: datetime) -> None:
    """Let a mail leave that was parked or held, with all its tries before it; raises :class:`Refused`."""
    mail = session.get(Mail, number)
    if mail is None:
        raise Refused(f"there is no mail {number}; `meldbalie outbox` lists those that have not left")
    _hold(session, mail)
    if mail.state not in (MailState.PARKED, MailState.HELD):
        raise Refused(f"mail {number} is {mail.state.value}: only a parked or held one can be sent again")
    mail.state, mail.next_try_at, mail.tries = MailState.WAITING, now, 0
    mail.sent_at, mail.problem = None, BY_HAND
    delivers_again(session, mail.recipient)
    if mail.ticket is not None:
        mail.ticket.record("sent_again", by="operator", at=now, mail=mail.kind.value)


def parked(session: Session, problem: str | None = None) -> list[int]:
    """The numbers of the mails that are parked, for one reason or for any."""
    found = select(Mail.id).where(Mail.state == MailState.PARKED).order_by(Mail.id)
    return list(session.scalars(found if problem is None else found.where(Mail.problem == problem)))


def bounced(
    session: Session,
    ticket: Ticket,
    party: str,
    promise: Promise,
    *,
    now: datetime,
    addresses: Collection[str] = (),
    number: int | None = None,
) -> None:
    """Record that a mail to one party came back, and tell the handlers; its address is marked.

    It is the mail of this ``number``. A bounce that names none may be of any that they have not been
    heard from since: all of those count as not delivered, so that no answer counts that may not have
    arrived. ``addresses`` are those that the bounce names; several people share the thread of the staff.
    A clock that a mail had stopped runs on. One that came back before is not told of again.
    """
    hold(session, ticket)
    named = _returned(session, ticket, party, number)
    failed = {address.lower() for address in addresses}
    returned = [named] if named else _may_have_returned(session, ticket, party, failed, now=now)
    lost = [mail for mail in returned if mail.state is MailState.SENT]
    if not lost:
        ticket.record("bounced", by="intake", at=now, party=party)
        return
    for mail in lost:
        sent_at = mail.sent_at.isoformat() if mail.sent_at else None
        kind = mail.kind.value
        ticket.record("bounced", by="intake", at=now, party=party, number=mail.id, mail=kind, sent_at=sent_at)
        mail.state, mail.problem = MailState.PARKED, "bounced"
        tell_handlers(session, mail, "bounced", promise, by="intake", now=now)
        _wait_no_longer(ticket, mail, by="intake", now=now)
    fails(session, lost[-1].recipient, mail_id=lost[-1].id, now=now)
    wind(session, ticket, promise, now=now)


def _hold(session: Session, mail: Mail) -> None:
    """See a mail as it is now, and keep it and its ticket until the transaction ends."""
    if mail.ticket is not None:
        hold(session, mail.ticket)
    session.refresh(mail, with_for_update=True)


def _returned(session: Session, ticket: Ticket, party: str, number: int | None) -> Mail | None:
    """The mail of this number, if it is one to this party about this ticket."""
    theirs = select(Mail).where(Mail.id == number, Mail.ticket_id == ticket.id, Mail.party == party)
    return session.scalars(theirs.execution_options(populate_existing=True)).one_or_none()


def _may_have_returned(
    session: Session, ticket: Ticket, party: str, addresses: Collection[str], *, now: datetime
) -> list[Mail]:
    """The mails that a bounce may be of which names none, in the order in which they left.

    They went to one of these addresses, else to whoever was written to last. The last one is among them,
    and each that left after the party's last message, unless no server can have kept it that long.
    """
    left = select(Mail).where(Mail.ticket_id == ticket.id, Mail.party == party, Mail.sent_at.is_not(None))
    in_order = left.order_by(Mail.sent_at, Mail.id).execution_options(populate_existing=True)
    to_party = session.scalars(in_order).all()
    theirs = [mail for mail in to_party if mail.recipient.lower() in addresses]
    if not theirs:
        last = next((mail for mail in reversed(to_party) if mail.state is MailState.SENT), None)
        theirs = [mail for mail in to_party if last and mail.recipient_digest == last.recipient_digest]
    since = max(_heard_from(session, ticket, party) or now - COMES_BACK, now - COMES_BACK)
    return [mail for mail in theirs if mail is theirs[-1] or (mail.sent_at and mail.sent_at > since)]


def _heard_from(session: Session, ticket: Ticket, party: str) -> datetime | None:
    """When the last message of a party arrived."""
    of_theirs = select(func.max(Message.at)).where(
        Message.ticket_id == ticket.id, Message.direction == HEARD_FROM.get(party)
    )
    return session.scalar(of_theirs)

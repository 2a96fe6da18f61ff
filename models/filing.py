"""How a report becomes a ticket, and a message joins one: one verb each, however it came.

Everything that follows from a report is written in the caller's transaction: the ticket with its
number, its clocks, its history and its route, and an outbox row for every mail that is to leave.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from .holding import hold
from .key_problems import heed_first_key, heed_key
from .ladder import owner_of
from .ledger import LedgerEntry, Verdict
from .likeness import suggest_what_is_alike
from .links import make_link
from .numbering import next_reference
from .outbox import Mail, MailKind, MailState, tell_handlers, write_mail
from .owners import Owner
from .promise import Correspondent, Promise
from .routing import route
from .suggestions import answered_on, main_ticket
from .threads import FORMER_OWNER, Named, Standing
from .ticket import (
    Attachment,
    Direction,
    Event,
    Message,
    Reporter,
    Target,
    Ticket,
    WaitingOn,
)
from .undeliverable import delivers_again
from .vault import digest_of
from .winding import wind

#: A copy that waits until a human has said that a machine's mail is a report.
UNJUDGED = "unjudged"
#: The event that says, on the ticket at work, that the reporter of one joined with it wrote.
MESSAGE_ON_JOINED = "message_on_joined"
_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,126}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}")
_OCTETS = "application/octet-stream"
_DIRECTIONS: Mapping[str, Direction] = {
    "reporter": Direction.FROM_REPORTER,
    "owner": Direction.FROM_OWNER,
    FORMER_OWNER: Direction.FROM_FORMER_OWNER,
    "ibd": Direction.FROM_IBD,
}


@dataclass(frozen=True)
class ReceivedFile:
    """A file that came with a message."""

    name: str
    type: str
    content: bytes
    sha256: str


@dataclass(frozen=True)
class Received:
    """A message as it was opened: what it says, and separately who sent it."""

    arrived_at: datetime
    subject: str
    text: str
    files: tuple[ReceivedFile, ...] = ()
    targets: tuple[str, ...] = ()
    name: str | None = None
    address: str | None = None
    fingerprint: str | None = None
    key_problem: str = ""
    problem_key: str = ""
    was_encrypted: bool = False
    signature: str = "none"
    may_be_answered: bool = True
    message_id: str | None = None
    signer: str | None = None


def open_ticket(
    session: Session,
    received: Received,
    promise: Promise,
    *,
    now: datetime,
    entry: LedgerEntry | None = None,
    linked_to: Ticket | None = None,
    may_belong_to: Iterable[Named] = (),
    given_to: Owner | None = None,
) -> Ticket:
    """Open a ticket for a report, start its clocks, route it and write every mail that follows.

    ``given_to`` is the owner where a handler has said whose it is.
    """
    ticket = Ticket(
        reference=next_reference(session, year=promise.local_day(received.arrived_at).year),
        arrived_at=received.arrived_at,
        opened_at=now,
        was_encrypted=received.was_encrypted,
        signature=received.signature,
        linked_to=linked_to.id if linked_to else None,
    )
    session.add(ticket)
    ticket.reporter = Reporter(
        name=received.name,
        address=received.address,
        address_digest=digest_of(received.address) if received.address else None,
        fingerprint=received.fingerprint,
    )
    ticket.targets = [Target(value=target) for target in received.targets]
    ticket.messages = [_message(received, Direction.FROM_REPORTER, entry)]
    ticket.record("opened", by="intake", at=now, arrived_at=received.arrived_at.isoformat())
    session.flush()
    suggest_what_is_alike(session, ticket, may_belong_to, on=promise.local_day(now), now=now)
    heed_first_key(session, ticket, received, promise, now=now)
    _route(session, ticket, given_to, now=now, promise=promise)
    _write_first_mails(session, ticket, promise, now=now, answerable=received.may_be_answered)
    wind(session, ticket, promise, now=now)
    return ticket


def join_ticket(
    session: Session,
    received: Received,
    standing: Standing,
    promise: Promise,
    *,
    now: datetime,
    entry: LedgerEntry | None = None,
    doubt: str | None = None,
) -> Message:
    """File a further message on its ticket and tell the others; no clock moves by it.

    Handlers read all of it; an owner reads what the reporter writes, not what handlers write. On a
    ticket that was joined with another it is filed as well, and told to those who work on the other: on
    the thread of its own ticket, so that what they reply reaches whom they reply to.
    """
    ticket, direction = standing.ticket, _DIRECTIONS.get(standing.party, Direction.INTERNAL)
    hold(session, ticket)
    message = _message(received, direction, entry)
    message.doubt = _doubt_about(received, ticket, direction) or doubt
    ticket.messages.append(message)
    at_work = main_ticket(session, ticket)
    told = [("staff", handler) for handler in promise.triage]
    if direction is Direction.FROM_REPORTER:
        if at_work is not ticket:
            hold(session, at_work)
        if at_work.waiting_on is WaitingOn.REPORTER:
            at_work.wait_for(WaitingOn.HANDLER, by=direction.value, at=now)
        told += _owner_beside(at_work, promise)
        delivers_again(session, received.address)
    heed_key(session, ticket, received, standing.party, promise, now=now)
    ticket.record("message", by=direction.value, at=now, doubt=message.doubt)
    if at_work is not ticket and direction is Direction.FROM_REPORTER:
        at_work.record(MESSAGE_ON_JOINED, by=direction.value, at=now, other=ticket.reference)
    session.flush()
    for party, person in told:
        heard_on = answered_on(ticket, at_work, party)
        _write(session, MailKind.MESSAGE, heard_on, party, person, message, now=now)
    wind(session, at_work, promise, now=now)
    return message


def _doubt_about(received: Received, ticket: Ticket, direction: Direction) -> str | None:
    """What tells that somebody else may use a token: it can be forwarded. A code for handlers."""
    if direction is Direction.FROM_OWNER:
        owner = owner_of(ticket)
        is_theirs = owner is None or owner.address.lower() == (received.address or "").lower()
        return None if is_theirs else "other_address"
    who = ticket.reporter
    if direction is not Direction.FROM_REPORTER or not who.address:
        return None
    if who.address.lower() != (received.address or "").lower():
        return "other_address"
    return "other_key" if received.signer and who.fingerprint not in (None, received.signer) else None


def reporter_of(ticket: Ticket) -> Correspondent | None:
    """The reporter as somebody who gets mail; ``None`` for one who left no address."""
    who = ticket.reporter
    if not who.address:
        return None
    return Correspondent(who.name or "", who.address, who.fingerprint or "")


def decide(entry: LedgerEntry, verdict: Verdict, *, now: datetime, ticket: Ticket | None = None) -> None:
    """Write down what became of a message."""
    entry.verdict = verdict
    entry.decided_at = now
    if ticket is not None:
        entry.ticket_id = ticket.id


def _write_first_mails(
    session: Session, ticket: Ticket, promise: Promise, *, now: datetime, answerable: bool
) -> None:
    reporter, report = reporter_of(ticket), ticket.report
    if reporter and answerable:
        give_link(session, ticket, reporter, now=now)
    for handler in promise.triage:
        _write(session, MailKind.HANDLER_REPORT, ticket, "staff", handler, report, now=now)
    copy = _write(session, MailKind.IBD_COPY, ticket, "ibd", promise.ibd, report, now=now)
    if not answerable:
        copy.state, copy.problem = MailState.HELD, UNJUDGED
        tell_handlers(session, copy, "in_doubt", promise, by="intake", now=now)


def give_link(session: Session, ticket: Ticket, reporter: Correspondent, *, now: datetime) -> None:
    """Write the receipt with the secret link, unless there is one: without it no answer can be read.

    A ticket that a machine's mail opened has none until a human answers.
    """
    written = select(Mail.id).where(Mail.ticket_id == ticket.id, Mail.kind == MailKind.RECEIPT)
    if session.scalars(written.limit(1)).first() is None:
        link = make_link(session, ticket, at=now)
        facts = {"link": link}
        _write(session, MailKind.RECEIPT, ticket, "reporter", reporter, ticket.report, now=now, facts=facts)


def _write(
    session: Session,
    kind: MailKind,
    ticket: Ticket,
    party: str,
    to: Correspondent,
    about: Message,
    *,
    now: datetime,
    facts: Mapping[str, str] | None = None,
) -> Mail:
    cause = str(about.id)
    return write_mail(
        session, kind, to, party=party, cause=cause, now=now, ticket=ticket, about=about, facts=facts
    )


def _route(
    session: Session, ticket: Ticket, given_to: Owner | None, *, now: datetime, promise: Promise
) -> None:
    ticket.owner = given_to
    if given_to is None:
        targets = [target.value for target in ticket.targets]
        routed = route(session, targets, on=promise.local_day(now))
        ticket.owner, ticket.routed_because = routed.owner, routed.because
    tell_owner(session, ticket, ticket.record("routed", by="intake", at=now, owner=ticket.owner_name))


def tell_owner(session: Session, ticket: Ticket, given: Event) -> None:
    """Give the report to the ticket's owner: once for each time that it was given to them."""
    owner = owner_of(ticket)
    if owner:
        write_mail(
            session,
            MailKind.OWNER_REPORT,
            owner,
            party="owner",
            cause=str(given.seq),
            now=given.at,
            ticket=ticket,
            about=ticket.report,
        )


def _owner_beside(ticket: Ticket, promise: Promise) -> list[tuple[str, Correspondent]]:
    """The owner, unless they are told already as one of the team."""
    owner, team = owner_of(ticket), {handler.address.lower() for handler in promise.triage}
    return [("owner", owner)] if owner and owner.address.lower() not in team else []


def _message(received: Received, direction: Direction, entry: LedgerEntry | None) -> Message:
    return Message(
        ledger_id=entry.id if entry else None,
        at=received.arrived_at,
        direction=direction,
        message_id_digest=digest_of(received.message_id) if received.message_id else None,
        subject=received.subject,
        text=received.text,
        attachments=[
            Attachment(
                name=file.name,
                type=file.type if _MEDIA_TYPE.fullmatch(file.type) else _OCTETS,
                size=len(file.content),
                sha256=file.sha256,
                content=file.content,
            )
            for file in received.files
        ],
    )

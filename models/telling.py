"""Words of the desk that are no answer: to the reporter, or among handlers.

A message to the reporter never stops the response clock: only an answer with the expected fix date,
or with the reason why there is none, keeps that promise. It does end our silence (the update clock).
"""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy.orm import Session

from .errors import Refused
from .filing import give_link, reporter_of
from .holding import hold
from .links import has_link
from .outbox import MailKind, write_mail
from .promise import Promise
from .suggestions import main_ticket
from .ticket import Direction, Message, Ticket, WaitingOn
from .winding import wind


def tell_reporter(
    session: Session, ticket: Ticket, *, text: str, asks: bool, by: str, promise: Promise, now: datetime
) -> Message:
    """Write to the reporter, who never learns which handler did; raises :class:`Refused`.

    With ``asks`` the reporter is the one who is waited for from now on: clocks that may stand still do.
    Whoever reported what was joined with an open ticket can be written to as well; nothing waits for them.
    """
    hold(session, ticket)
    if ticket.forgotten_at is not None or not main_ticket(session, ticket).is_open:
        raise Refused(f"{ticket.reference} is closed: no more than a note can be added to it")
    if not text.strip():
        raise Refused("the message has no text: write what the reporter should read")
    if asks and not can_be_reached(session, ticket):
        raise Refused(
            f"nobody can be asked: the report of {ticket.reference} came without an address, and no link"
            " was given out"
        )
    message = Message(at=now, direction=Direction.TO_REPORTER, text=text)
    ticket.messages.append(message)
    what = "asked" if asks else "told"
    ticket.record(what, by=by, at=now)
    if asks and ticket.is_open:
        ticket.wait_for(WaitingOn.REPORTER, by=by, at=now)
    session.flush()
    mail_reporter(
        session,
        ticket,
        MailKind.ASKED if asks else MailKind.TOLD,
        cause=str(message.id),
        about=message,
        by=by,
        promise=promise,
        now=now,
    )
    return message


def can_be_reached(session: Session, ticket: Ticket) -> bool:
    """Whether the reporter gets mail, or has a link that shows them what is asked."""
    return reporter_of(ticket) is not None or has_link(session, ticket)


def note(session: Session, ticket: Ticket, *, text: str, by: str, now: datetime) -> None:
    """Note something for the team, on a closed ticket as well; the reporter never sees it."""
    hold(session, ticket)
    if not text.strip():
        raise Refused("the note has no text: write what the team should know")
    ticket.record("noted", by=by, at=now, because=text)


def mail_reporter(
    session: Session,
    ticket: Ticket,
    kind: MailKind,
    *,
    cause: str,
    about: Message | None = None,
    facts: Mapping[str, str] | None = None,
    published: Mapping[str, str] | None = None,
    by: str,
    promise: Promise,
    now: datetime,
) -> None:
    """Let what was said reach the reporter: by mail, or on the page of one without an address.

    ``published`` is what the history says of it in the latter case, for the clocks.
    """
    reporter = reporter_of(ticket)
    if reporter is None:
        tell_without_mail(session, ticket, by=by, at=now, what=kind.value, **(published or {}))
    else:
        give_link(session, ticket, reporter, now=now)
        write_mail(
            session,
            kind,
            reporter,
            party="reporter",
            cause=cause,
            now=now,
            ticket=ticket,
            about=about,
            facts=facts,
        )
    wind(session, ticket, promise, now=now)


def tell_without_mail(session: Session, ticket: Ticket, *, by: str, at: datetime, **facts: str) -> None:
    """Of one who left no address: it stands on the page that their link opens, or nobody can be told."""
    ticket.record("published" if has_link(session, ticket) else "unreachable", by=by, at=at, **facts)

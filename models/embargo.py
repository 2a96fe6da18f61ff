"""Until when both keep silent, and when something is published: proposals to the reporter.

Policy: "Verder worden wij graag betrokken bij eventuele publicatie over het probleem, nadat het
probleem is opgelost". So silence can be agreed on at any time, and a day to publish on only once the fix
is deployed. Both are possible on a closed ticket too: that is when most are published. There no reason
need be given to lift an embargo, for acts on closed tickets take no free text.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from .errors import Refused
from .holding import hold
from .milestones import FIX_DEPLOYED, milestones_of
from .outbox import MailKind
from .progress import PROPOSALS, pass_on
from .promise import Promise
from .suggestions import main_ticket
from .telling import mail_reporter
from .ticket import Event, Ticket


def propose_embargo(
    session: Session,
    ticket: Ticket,
    *,
    ends_at: datetime | None,
    text: str,
    by: str,
    promise: Promise,
    now: datetime,
) -> None:
    """Propose until when both keep silent, in the place of what was proposed before; ``None`` lifts it.

    Raises :class:`Refused`.
    """
    hold(session, ticket)
    _refuse_forgotten(ticket)
    was = ticket.embargo_ends_at
    if ends_at is None and was is None:
        raise Refused(f"no embargo was proposed on {ticket.reference}: give the moment that it ends at")
    if ends_at is not None:
        _refuse_joined(session, ticket)
    elif ticket.is_open and not text.strip():
        raise Refused("say why the embargo is lifted: the reporter is told the reason")
    if ends_at is not None and ends_at <= now:
        raise Refused(f"the embargo's end {_in_words(ends_at, promise)} has passed: give a moment to come")
    if ends_at is not None and ends_at == was:
        raise Refused(f"the embargo of {ticket.reference} ends {_in_words(ends_at, promise)} already")
    ticket.embargo_ends_at = ends_at
    facts = {"ends_at": _written(ends_at), "was": _written(was)}
    proposed = ticket.record("embargo_proposed", by=by, at=now, because=text, **facts)
    mail_reporter(
        session,
        ticket,
        MailKind.EMBARGO,
        cause=str(proposed.seq),
        facts=facts | {"because": text},
        by=by,
        promise=promise,
        now=now,
    )
    pass_on(session, ticket, by=by, now=now)


def propose_publication(
    session: Session, ticket: Ticket, *, on: date, text: str, by: str, promise: Promise, now: datetime
) -> None:
    """Propose to the reporter on which day to publish about what they found; raises :class:`Refused`."""
    hold(session, ticket)
    _refuse_forgotten(ticket)
    _refuse_joined(session, ticket)
    if FIX_DEPLOYED not in milestones_of(session, ticket):
        raise Refused(
            f"nothing is published before the problem is solved: note the milestone 'fix deployed' on"
            f" {ticket.reference} first, or propose until when both keep silent"
        )
    if on < promise.local_day(now):
        raise Refused(f"the day of publication {on} has passed: give a day from today on")
    ends_at = ticket.embargo_ends_at
    if ends_at is not None and on < promise.local_day(ends_at):
        raise Refused(
            f"the day of publication {on} lies before the embargo's end, {_in_words(ends_at, promise)}:"
            " give a later day, or propose another end first"
        )
    facts = {"on": on.isoformat()}
    if not text.strip() and _last_proposed(session, ticket) == ("publication_proposed", facts):
        raise Refused(f"{on} was proposed already: give another day, or write why you propose it again")
    proposed = ticket.record("publication_proposed", by=by, at=now, because=text, **facts)
    mail_reporter(
        session,
        ticket,
        MailKind.PUBLICATION,
        cause=str(proposed.seq),
        facts=facts | {"because": text},
        by=by,
        promise=promise,
        now=now,
    )
    pass_on(session, ticket, by=by, now=now)


def _refuse_forgotten(ticket: Ticket) -> None:
    if ticket.forgotten_at is not None:
        raise Refused(f"{ticket.reference} was forgotten: it is not known any more who reported it")


def _refuse_joined(session: Session, ticket: Ticket) -> None:
    """Refuse to propose to one reporter what concerns the others as well; what was proposed can be lifted."""
    if (main := main_ticket(session, ticket)) is not ticket:
        raise Refused(
            f"{ticket.reference} was joined with {main.reference}: propose it on that one, and the reporters"
            " of both are told"
        )


def _last_proposed(session: Session, ticket: Ticket) -> tuple[str, Mapping[str, object]] | None:
    proposed = select(Event.kind, Event.facts).where(Event.ticket_id == ticket.id, Event.kind.in_(PROPOSALS))
    return session.execute(proposed.order_by(Event.seq.desc()).limit(1)).tuples().first()


def _written(instant: datetime | None) -> str:
    return instant.astimezone(UTC).isoformat() if instant else ""


def _in_words(instant: datetime, promise: Promise) -> str:
    zone = promise.calendar.zone
    return f"{instant.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M} ({zone})"

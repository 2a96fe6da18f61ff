"""Until when both keep silent, and when something is published: proposals to the reporter.

Policy: "Verder worden wij graag betrokken bij eventuele publicatie over het probleem, nadat het
probleem is opgelost". So silence can be agreed on at any time, and a day to publish on only once the fix
is deployed. Both are possible on a closed ticket too: that is when most are published.
"""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from .errors import Refused
from .holding import hold
from .milestones import FIX_DEPLOYED, milestones_of
from .outbox import MailKind
from .progress import pass_on
from .promise import Promise
from .telling import mail_reporter
from .ticket import Ticket


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
    was = ticket.embargo_ends_at
    if ends_at is None and was is None:
        raise Refused(f"no embargo was proposed on {ticket.reference}: give the moment that it ends at")
    if ends_at is None and not text.strip():
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


def _written(instant: datetime | None) -> str:
    return instant.astimezone(UTC).isoformat() if instant else ""


def _in_words(instant: datetime, promise: Promise) -> str:
    zone = promise.calendar.zone
    return f"{instant.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M} ({zone})"

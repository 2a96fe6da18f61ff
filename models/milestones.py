"""Milestones: what happened to the vulnerability itself, and when; laws and the fix clock count from them.

A milestone is noted once. Where it was an error it is withdrawn, and both stay in the history. That the
fix is deployed, or is not after all, is told to the reporter of an open ticket; the rest is for us.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from .clock_rules import Statutory
from .errors import Refused
from .holding import hold
from .outbox import MailKind
from .progress import pass_on
from .promise import Promise
from .standing import EXPLOITED, FIX_DEPLOYED, FIX_READY, PUBLIC, standing_milestones
from .telling import mail_reporter
from .ticket import Event, Ticket
from .winding import wind

#: The milestones of every ticket; laws that are configured may name more.
MILESTONES = (FIX_READY, FIX_DEPLOYED, PUBLIC, EXPLOITED)
#: What can only be once another one was.
IMPLIES: Mapping[str, str] = {FIX_DEPLOYED: FIX_READY}


def known_milestones(statutory: tuple[Statutory, ...]) -> list[str]:
    """All that can be noted, without doubles, ours first."""
    of_laws = (name for law in statutory for name in (law.starts_on, law.stops_on))
    return list(dict.fromkeys((*MILESTONES, *of_laws)))


def milestones_of(session: Session, ticket: Ticket) -> dict[str, datetime]:
    """The milestones that stand, each with the instant at which it happened."""
    return standing_milestones(session, ticket.id)


def milestone(
    session: Session,
    ticket: Ticket,
    *,
    what: str,
    happened_at: datetime,
    by: str,
    because: str = "",
    promise: Promise,
    now: datetime,
) -> None:
    """Note that something happened, and when; a deployed fix was ready as well.

    Clocks start and stop at the instant at which it happened, not at the one at which it is noted. The
    reporter is not told why, which is for us.
    Raises :class:`Refused`.
    """
    hold(session, ticket)
    _refuse_unknown(ticket, what, promise)
    if happened_at > now:
        raise Refused(
            f"{_in_words(what)} lies in the future ({_day(happened_at, promise)}): give when it happened"
        )
    standing = milestones_of(session, ticket)
    if what in standing:
        raise Refused(
            f"{_in_words(what)} stands in the history already, for {_day(standing[what], promise)}:"
            " withdraw it first if that is wrong"
        )
    implied = IMPLIES.get(what)
    if implied and standing.get(implied, happened_at) > happened_at:
        raise Refused(
            f"{_in_words(what)} cannot come before {_in_words(implied)}, which stands for"
            f" {_day(standing[implied], promise)}: withdraw that first if it is wrong"
        )
    instant = happened_at.astimezone(UTC).isoformat()
    if implied and implied not in standing:
        ticket.record("milestone", by=by, at=now, because=because, what=implied, happened_at=instant)
    noted = ticket.record("milestone", by=by, at=now, because=because, what=what, happened_at=instant)
    _tell(session, ticket, noted, promise)


def withdraw_milestone(
    session: Session, ticket: Ticket, *, what: str, by: str, because: str, promise: Promise, now: datetime
) -> None:
    """Take a milestone back that was noted in error, and say why; clocks run as if it had not been."""
    hold(session, ticket)
    _refuse_unknown(ticket, what, promise)
    if not because.strip():
        raise Refused(f"say why {_in_words(what)} is withdrawn: the clocks change by it")
    standing = milestones_of(session, ticket)
    if what not in standing:
        raise Refused(f"{_in_words(what)} does not stand in the history: there is nothing to withdraw")
    later = next((name for name, implied in IMPLIES.items() if implied == what and name in standing), None)
    if later:
        raise Refused(f"{_in_words(later)} says that there was {_in_words(what)}: withdraw that first")
    withdrawn = ticket.record("milestone_withdrawn", by=by, at=now, because=because, what=what)
    _tell(session, ticket, withdrawn, promise)


def _tell(session: Session, ticket: Ticket, noted: Event, promise: Promise) -> None:
    """Let the clocks follow, and tell the reporter whether it is fixed.

    On a closed ticket they have had our last word; their page shows it all the same.
    """
    if noted.facts["what"] != FIX_DEPLOYED or not ticket.is_open:
        wind(session, ticket, promise, now=noted.at)
        return
    mail_reporter(
        session,
        ticket,
        MailKind.FIXED,
        cause=str(noted.seq),
        facts={"fixed_at": noted.facts.get("happened_at", "")},
        by=noted.actor,
        promise=promise,
        now=noted.at,
    )
    pass_on(session, ticket, by=noted.actor, now=noted.at)


def _refuse_unknown(ticket: Ticket, what: str, promise: Promise) -> None:
    known = known_milestones(promise.statutory)
    if what not in known:
        raise Refused(f"there is no milestone {what!r} for {ticket.reference}; known are {', '.join(known)}")


def _in_words(what: str) -> str:
    return f"the milestone {what.replace('_', ' ')!r}"


def _day(instant: datetime, promise: Promise) -> str:
    return f"{instant.astimezone(ZoneInfo(promise.calendar.zone)):%Y-%m-%d %H:%M}"

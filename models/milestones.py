"""Milestones: what happened to the vulnerability itself, and when; laws and the fix clock count from them.

A milestone is noted once. Where it was an error it is withdrawn, and both stay in the history.
"""

from collections.abc import Mapping
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from .clock_rules import Statutory
from .errors import Refused
from .holding import hold
from .promise import Promise
from .ticket import Event, Ticket
from .winding import wind

FIX_READY, FIX_DEPLOYED, PUBLIC, EXPLOITED = "fix_ready", "fix_deployed", "public", "exploited"
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
    rows = select(Event.kind, Event.facts).where(
        Event.ticket_id == ticket.id, Event.kind.in_(("milestone", "milestone_withdrawn"))
    )
    standing: dict[str, datetime] = {}
    for kind, facts in session.execute(rows.order_by(Event.seq)):
        standing.pop(facts["what"], None)
        if kind == "milestone":
            standing[facts["what"]] = datetime.fromisoformat(facts["happened_at"])
    return standing


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

    Clocks start and stop at the instant at which it happened, not at the one at which it is noted.
    Raises :class:`Refused`.
    """
    hold(session, ticket)
    _refuse_unknown(ticket, what, promise)
    if happened_at > now:
        raise Refused(f"{_in_words(what)} lies in the future ({_day(happened_at)}): give when it happened")
    standing = milestones_of(session, ticket)
    if what in standing:
        raise Refused(
            f"{_in_words(what)} stands in the history already, for {_day(standing[what])}:"
            " withdraw it first if that is wrong"
        )
    implied = IMPLIES.get(what)
    if implied and standing.get(implied, happened_at) > happened_at:
        raise Refused(
            f"{_in_words(what)} cannot come before {_in_words(implied)}, which stands for"
            f" {_day(standing[implied])}: withdraw that first if it is wrong"
        )
    instant = happened_at.astimezone(UTC).isoformat()
    for each in ([implied] if implied and implied not in standing else []) + [what]:
        ticket.record("milestone", by=by, at=now, because=because, what=each, happened_at=instant)
    wind(session, ticket, promise, now=now)


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
    ticket.record("milestone_withdrawn", by=by, at=now, because=because, what=what)
    wind(session, ticket, promise, now=now)


def _refuse_unknown(ticket: Ticket, what: str, promise: Promise) -> None:
    known = known_milestones(promise.statutory)
    if what not in known:
        raise Refused(f"there is no milestone {what!r} for {ticket.reference}; known are {', '.join(known)}")


def _in_words(what: str) -> str:
    return f"the milestone {what.replace('_', ' ')!r}"


def _day(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M} UTC"

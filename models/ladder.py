"""The escalation ladder: what is due is fired once, and told to people who can act.

After an outage only the highest rung that is due fires; the lower ones are marked superseded.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from .clocks import Clock, FiredRung
from .holding import hold
from .outbox import MailKind, write_mail
from .promise import Correspondent, Promise, RungPlan
from .ticket import Ticket


@dataclass(frozen=True)
class Fired:
    """A rung that fired: on which ticket, which one, and how many people are told of it."""

    reference: str
    rung: str
    told: int


def due_clocks(session: Session, now: datetime, *, at_most: int = 500) -> list[int]:
    """The numbers of the clocks that have a rung due; one indexed query."""
    found = select(Clock.id).where(Clock.next_rung_at <= now).order_by(Clock.next_rung_at)
    return list(session.scalars(found.limit(at_most)))


def climb(session: Session, clock_id: int, promise: Promise, *, now: datetime) -> Fired | None:
    """Fire the highest rung that is due on one clock; ``None`` when another sweeper was first."""
    clock = session.get(Clock, clock_id)
    if clock is None:
        return None
    hold(session, clock.ticket)
    session.refresh(clock)
    if clock.next_rung_at is None or clock.next_rung_at > now:
        return None
    fired_before = _fired_rungs(session, clock)
    passed: list[tuple[RungPlan, datetime]] = []
    for plan, at in promise.rungs(clock.kind, clock.started_at, clock.due_at, since=clock.next_rung_at):
        if at > now:
            clock.next_rung_at = at
            break
        if plan.name not in fired_before:
            passed.append((plan, at))
    if not passed:
        return None
    for plan, at in passed:
        session.add(_row(clock, plan, at, now, superseded=plan is not passed[-1][0]))
    return _tell(session, clock, passed[-1][0], promise, now=now)


def _fired_rungs(session: Session, clock: Clock) -> set[str]:
    fired = select(FiredRung.rung).where(FiredRung.ticket_id == clock.ticket_id, FiredRung.kind == clock.kind)
    return set(session.scalars(fired))


def _row(clock: Clock, plan: RungPlan, at: datetime, now: datetime, *, superseded: bool) -> FiredRung:
    return FiredRung(
        ticket_id=clock.ticket_id,
        kind=clock.kind,
        rung=plan.name,
        due_at=at,
        fired_at=now,
        was_superseded=superseded,
    )


def _tell(session: Session, clock: Clock, plan: RungPlan, promise: Promise, *, now: datetime) -> Fired:
    ticket = clock.ticket
    told = promise.told_by(plan, owner_of(ticket))
    facts = {"clock": clock.kind.value, "rung": plan.name, "share": plan.share}
    cause = f"{clock.kind}/{plan.name}"
    for party, person in told:
        write_mail(
            session, MailKind.RUNG, person, party=party, cause=cause, now=now, ticket=ticket, facts=facts
        )
    breached = clock.due_at <= now
    ticket.record("escalated", by="clock", at=now, clock=clock.kind.value, rung=plan.name, breached=breached)
    return Fired(ticket.reference, plan.name, len(told))


def owner_of(ticket: Ticket) -> Correspondent | None:
    """The owner of the affected system as somebody who gets mail."""
    owner = ticket.owner
    return Correspondent(owner.name, owner.address, owner.fingerprint) if owner else None

"""The escalation ladder: what is due is fired once, and told to people who can act.

After an outage only the highest rung that is due fires; the lower ones are marked superseded.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from .calendar import next_opening
from .calendar_versions import plan_now
from .clocks import Acknowledgement, Clock, ClockKind, FiredRung
from .holding import hold
from .links import new_token, token_hash
from .outbox import MailKind, write_mail
from .promise import Correspondent, Promise, RungPlan, Told
from .ticket import Ticket

SHARE = ClockKind.SHARE


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
    """Fire the highest rung that is due on one clock; ``None`` when another sweeper was first.

    Where nobody has acknowledged the last one in time, the next one fires before its own time.
    """
    clock = session.get(Clock, clock_id)
    if clock is None:
        return None
    hold(session, clock.ticket)
    session.refresh(clock)
    if clock.next_rung_at is None or clock.next_rung_at > now:
        return None
    fired = _fired_rungs(session, clock)
    due = _due_rungs(clock, promise, fired, now=now)
    for plan, at in due:
        session.add(_row(clock, plan, at, now, superseded=plan is not due[-1][0]))
    session.flush()
    clock.next_rung_at = next_rung_at(session, clock, promise)
    return _tell(session, clock, due[-1][0], promise, now=now) if due else None


def next_rung_at(session: Session, clock: Clock, promise: Promise) -> datetime | None:
    """When the ladder of a clock has to be looked at next; ``None`` while nobody is to be told.

    Nobody is reminded of what waits for others, nor to answer a report that is closed: its closing
    is on the way, and handlers hear when that cannot be delivered.
    """
    is_over = not clock.ticket.is_open and clock.kind != SHARE
    if clock.stopped_at is not None or clock.paused_since is not None or is_over:
        return None
    fired = _fired_rungs(session, clock)
    unheard = _unheard(fired)
    _, next_at = _first_unfired(clock, promise, fired)
    return min(next_at, unheard) if unheard else next_at


def _due_rungs(
    clock: Clock, promise: Promise, fired: list[FiredRung], *, now: datetime
) -> list[tuple[RungPlan, datetime]]:
    known = {one.rung for one in fired}
    due: list[tuple[RungPlan, datetime]] = []
    for plan, at in promise.rungs(clock.kind, clock.started_at, clock.due_at, since=clock.next_rung_at):
        if at > now:
            break
        if plan.name not in known:
            due.append((plan, at))
    unheard = _unheard(fired)
    if not due and unheard is not None and unheard <= now:
        due.append(_first_unfired(clock, promise, fired))
    return due


def _first_unfired(clock: Clock, promise: Promise, fired: list[FiredRung]) -> tuple[RungPlan, datetime]:
    known = {one.rung for one in fired}
    since = max((one.due_at for one in fired), default=None)
    rungs = promise.rungs(clock.kind, clock.started_at, clock.due_at, since=since)
    return next((plan, at) for plan, at in rungs if plan.name not in known)


def _unheard(fired: list[FiredRung]) -> datetime | None:
    """When the last rung has to be acknowledged by, unless it was."""
    last = fired[-1] if fired else None
    return last.acknowledge_by if last and last.acknowledged_at is None else None


def _fired_rungs(session: Session, clock: Clock) -> list[FiredRung]:
    """The rungs that have fired on a clock since it was started last, in their order."""
    fired = select(FiredRung).where(
        FiredRung.ticket_id == clock.ticket_id,
        FiredRung.kind == clock.kind,
        FiredRung.round == clock.round,
    )
    return list(session.scalars(fired.order_by(FiredRung.id)))


def _row(clock: Clock, plan: RungPlan, at: datetime, now: datetime, *, superseded: bool) -> FiredRung:
    return FiredRung(
        ticket_id=clock.ticket_id,
        kind=clock.kind,
        round=clock.round,
        rung=plan.name,
        due_at=at,
        fired_at=now,
        was_superseded=superseded,
        acknowledge_by=now + plan.acknowledge if plan.acknowledge and not superseded else None,
    )


def _tell(session: Session, clock: Clock, plan: RungPlan, promise: Promise, *, now: datetime) -> Fired:
    ticket, fired = clock.ticket, _fired_rungs(session, clock)[-1]
    calendar = plan_now(session, promise).calendar
    told = promise.told_by(plan, owner_of(ticket), at=now)
    facts = {"clock": clock.kind, "rung": plan.name, "share": plan.share or 1.0, "words": plan.words}
    for one in told:
        mail = write_mail(
            session,
            MailKind.RUNG,
            one.person,
            party=one.party,
            cause=f"{clock.kind}/{clock.round}/{plan.name}",
            now=now,
            ticket=ticket,
            facts=facts | _acknowledgement(session, fired, one),
        )
        if not (one.is_on_call or plan.at_any_hour):
            mail.next_try_at = next_opening(now, calendar)
    breached = clock.due_at <= now
    ticket.record("escalated", by="clock", at=now, clock=clock.kind, rung=plan.name, breached=breached)
    return Fired(ticket.reference, plan.name, len(told))


def _acknowledgement(session: Session, fired: FiredRung, told: Told) -> dict[str, str]:
    """What the recipient of a rung says with that it was seen; nothing where nobody asks."""
    if fired.acknowledge_by is None:
        return {}
    token = new_token()
    session.add(Acknowledgement(rung_id=fired.id, token_hash=token_hash(token), who=told.person.name))
    return {"acknowledge": token}


def acknowledge(session: Session, token: str, *, now: datetime) -> Ticket | None:
    """Note that a rung was seen, once; the next one fires at its own time. ``None`` for a wrong token."""
    found = session.scalars(
        select(Acknowledgement).where(Acknowledgement.token_hash == token_hash(token))
    ).one_or_none()
    if found is None:
        return None
    rung = found.rung
    ticket = session.get_one(Ticket, rung.ticket_id)
    hold(session, ticket)
    session.refresh(rung)
    if rung.acknowledged_at is None:
        rung.acknowledged_at, rung.acknowledged_by = now, found.who
        ticket.record("acknowledged", by=found.who, at=now, clock=rung.kind, rung=rung.rung)
    return ticket


def owner_of(ticket: Ticket) -> Correspondent | None:
    """The owner of the affected system as somebody who gets mail."""
    owner = ticket.owner
    return Correspondent(owner.name, owner.address, owner.fingerprint) if owner else None

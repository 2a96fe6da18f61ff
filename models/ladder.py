"""The escalation ladder: what is due is fired once, and told to people who can act.

After an outage only the highest rung that is due fires; the lower ones are marked superseded.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from .absences import who_hears
from .calendar import next_opening
from .calendar_versions import plan_now
from .clocks import Acknowledgement, Clock, ClockKind, FiredRung
from .holding import hold
from .links import new_token, token_hash
from .outbox import MailKind, write_mail
from .owners import Owner
from .promise import Correspondent, Promise, RungPlan, Told
from .ticket import Ticket

ENDS_WITH_TICKET = frozenset({ClockKind.RESPONSE, ClockKind.UPDATE, ClockKind.FIX})


@dataclass(frozen=True)
class Fired:
    """A rung that fired: on which ticket, which one, and how many people are told of it."""

    reference: str
    rung: str
    told: int
    clock: str = field(default="", compare=False)


def due_clocks(session: Session, now: datetime) -> list[int]:
    """The numbers of the clocks that have a rung due, the oldest first; one indexed query."""
    found = select(Clock.id).where(Clock.next_rung_at <= now).order_by(Clock.next_rung_at)
    return list(session.scalars(found))


def climb(session: Session, clock_id: int, promise: Promise, *, now: datetime) -> Fired | None:
    """Fire the highest rung that is due on one clock; ``None`` when another sweeper was first.

    Where nobody has acknowledged the last one in time, the next one fires before its own time.
    """
    found = session.get(Clock, clock_id)
    if found is None:
        return None
    hold(session, found.ticket)
    clock = session.get(Clock, clock_id, populate_existing=True)  # gone, if what started it came back
    if clock is None or clock.next_rung_at is None or clock.next_rung_at > now:
        return None
    fired = _fired_rungs(session, clock)
    due = _due_rungs(clock, promise, fired, now=now)
    for plan, at in due:
        session.add(_row(clock, plan, at, now, superseded=plan is not due[-1][0]))
    session.flush()
    told = _tell(session, clock, due[-1][0], promise, now=now) if due else None
    clock.next_rung_at = next_rung_at(session, clock, promise)
    return told


def next_rung_at(session: Session, clock: Clock, promise: Promise) -> datetime | None:
    """When the ladder of a clock has to be looked at next; ``None`` while nobody is to be told.

    Nobody is reminded of what waits for others, nor of what ends with the ticket once it is closed: its
    closing is on the way, and handlers hear when that cannot be delivered. Copies and laws go on.
    """
    is_over = not clock.ticket.is_open and clock.kind in ENDS_WITH_TICKET
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
    for plan, at in promise.rungs(clock.kind, clock.started_at, clock.due_at, since=now):
        if at > now:
            break
        if plan.name not in known:
            due.append((plan, at))
    unheard = _unheard(fired)
    if not due and unheard is not None and unheard <= now:
        due.append(_instead(clock, promise, fired, unheard))
    return due


def _instead(
    clock: Clock, promise: Promise, fired: list[FiredRung], unheard: datetime
) -> tuple[RungPlan, datetime]:
    """What fires for a rung that nobody acknowledged: the next one, before its time.

    Not so the rungs from the moment on that the clock is due, which fire then: those whom the next of
    them tells are told now as well.
    """
    plan, at = _first_unfired(clock, promise, fired)
    if at < clock.due_at:
        return plan, at
    return replace(plan, unheard=fired[-1].rung, acknowledge=None, words="escalation"), unheard


def _first_unfired(clock: Clock, promise: Promise, fired: list[FiredRung]) -> tuple[RungPlan, datetime]:
    known = {one.rung for one in fired}
    since = max((one.due_at for one in fired), default=None)
    rungs = promise.rungs(clock.kind, clock.started_at, clock.due_at, since=since)
    return next(
        (plan, at)
        for plan, at in rungs
        if plan.name not in known and not (plan.day and since and at < since)  # a day that an outage left out
    )


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
        FiredRung.voided_at.is_(None),
    )
    return list(session.scalars(fired.order_by(FiredRung.id)))


def void_since(session: Session, clock: Clock, *, now: datetime) -> None:
    """Let what fired from the moment on that a clock was due fire again: it is due later now."""
    overdue = update(FiredRung).where(
        FiredRung.ticket_id == clock.ticket_id,
        FiredRung.kind == clock.kind,
        FiredRung.round == clock.round,
        FiredRung.voided_at.is_(None),
        FiredRung.due_at >= clock.due_at,
    )
    session.execute(overdue.values(voided_at=now))


def _row(clock: Clock, plan: RungPlan, at: datetime, now: datetime, *, superseded: bool) -> FiredRung:
    return FiredRung(
        ticket_id=clock.ticket_id,
        kind=clock.kind,
        round=clock.round,
        rung=plan.name,
        due_at=at,
        fired_at=now,
        was_superseded=superseded,
    )


def _tell(session: Session, clock: Clock, plan: RungPlan, promise: Promise, *, now: datetime) -> Fired:
    ticket, fired = clock.ticket, _fired_rungs(session, clock)[-1]
    opening = next_opening(now, plan_now(session, promise).calendar)
    told = _told_by(session, ticket, plan, promise, now=now)
    fired.told_nobody = not told
    is_held = {one: not (one.is_on_call or plan.at_any_hour) for one in told}
    if plan.acknowledge:  # nobody can have seen what has not left
        fired.acknowledge_by = (opening if told and all(is_held.values()) else now) + plan.acknowledge
    facts = {
        "clock": clock.kind,
        "round": clock.round,
        "due_at": clock.due_at.isoformat(),
        "rung": plan.name,
        "share": plan.share or _share_run(clock, now),
        "words": plan.words,
    }
    for one in told:
        mail = write_mail(
            session,
            MailKind.RUNG,
            one.person,
            party=one.party,
            cause=f"{clock.kind}/{clock.round}/{plan.name}/{fired.id}",
            now=now,
            ticket=ticket,
            facts=facts | _acknowledgement(session, fired, one),
        )
        if is_held[one]:
            mail.next_try_at = mail.not_before = opening
    breached = clock.due_at <= now
    ticket.record("escalated", by="clock", at=now, clock=clock.kind, rung=plan.name, breached=breached)
    return Fired(ticket.reference, plan.name, len(told), clock.kind)


def _share_run(clock: Clock, now: datetime) -> float:
    runs = clock.due_at - clock.started_at
    return max(0.0, (now - clock.started_at) / runs) if runs else 1.0


def _told_by(
    session: Session, ticket: Ticket, plan: RungPlan, promise: Promise, *, now: datetime
) -> list[Told]:
    """Whom a rung tells; for an owner who is away somebody else, as the history says."""
    owner = ticket.owner
    if owner is None or "owner" not in plan.tell:
        return promise.told_by(plan, owner_of(ticket), at=now)
    hears = who_hears(session, owner, on=promise.local_day(now))
    if hears.is_away:
        stand_in = hears.who.name if hears.who else "handlers"
        ticket.record("stood_in", by="clock", at=now, owner=owner.name, deputy=stand_in)
    if hears.who is None:
        roles = ("handlers" if role == "owner" else role for role in plan.tell)
        plan = replace(plan, tell=tuple(dict.fromkeys(roles)))
    return promise.told_by(plan, _reached(hears.who), at=now)


def _acknowledgement(session: Session, fired: FiredRung, told: Told) -> dict[str, str]:
    """What the recipient of a rung says with that it was seen; nothing where nobody asks."""
    if fired.acknowledge_by is None:
        return {}
    token = new_token()
    session.add(Acknowledgement(rung_id=fired.id, token_hash=token_hash(token), who=told.person.name))
    return {"acknowledge": token, "acknowledge_by": fired.acknowledge_by.isoformat()}


def owner_of(ticket: Ticket) -> Correspondent | None:
    """The owner of the affected system as somebody who gets mail."""
    return _reached(ticket.owner)


def _reached(owner: Owner | None) -> Correspondent | None:
    return Correspondent(owner.name, owner.address, owner.fingerprint) if owner else None

"""``meldbalie clocks NUMBER``: a ticket's clocks explained line by line, as its history says them."""

import argparse
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from ...models.calendar_versions import latest_version
from ...models.clocks import Clock, FiredRung
from ...models.errors import UnknownTicket
from ...models.ticket import Event, Ticket, ticket_called
from ...models.winding import Read, readings
from ..clock_words import length, title
from ..desk import NOBODY
from ..installation import Records, records

At = Callable[[str], str]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("number", help="such as CVD-2026-0042")
    parser.add_argument("--json", action="store_true", help="as JSON, with instants in UTC")


def run(args: argparse.Namespace) -> int:
    """Print why each clock stands as it does; 1 when there is no ticket of that number."""
    place = records()
    try:
        told = explained(place, args.number)
    except UnknownTicket as unknown:
        print(unknown, file=sys.stderr)
        return 1
    if args.json:
        print(json.dumps(told, indent=2))
    else:
        print("\n".join(lines(told, place.clock())))
    return 0


def explained(place: Records, number: str) -> dict[str, Any]:
    """All there is to say about a ticket's clocks."""
    with place.database.reading() as session:
        ticket = ticket_called(session, number)
        version = latest_version(session)
        rows = {clock.kind: clock for clock in ticket.clocks}
        return {
            "ticket": ticket.reference,
            "calendar": version.id if version else 0,
            "zone": place.config.organisation.zone,
            "clocks": [
                _clock(session, ticket, read, rows.get(read.reading.kind))
                for read in readings(session, ticket, place.promise)
            ],
        }


def _clock(session: Session, ticket: Ticket, read: Read, row: Clock | None) -> dict[str, Any]:
    reading = read.reading
    return {
        "clock": reading.kind,
        "round": reading.round,
        "started_at": _utc(reading.started_at),
        "due_at": _utc(reading.due_at),
        "because": _why(read),
        "stopped_at": _utc(reading.stopped_at),
        "paused_since": _utc(reading.paused_since),
        "steps": [{"at": _utc(step.at), "told": step.told} for step in reading.steps],
        "moves": _moves(session, ticket, reading.kind),
        "rungs": [_rung(rung) for rung in _rungs(session, ticket, reading.kind)],
        "next_rung_at": _utc(row.next_rung_at) if row else None,
        "read_by_calendar": read.version,
    }


def _why(read: Read) -> str:
    """Why it is due then: how long it runs, and on what."""
    plan, kind = read.plan, read.reading.kind
    has_stood = any(step.told.startswith("stands still") for step in read.reading.steps)
    still = ", and as much later as it stood still" if has_stood else ""
    match kind:
        case "response":
            return f"{length(plan.response)} after it started"
        case "share":
            return f"{plan.share.total_seconds() / 60:g} minutes after it started, day and night"
        case "update":
            return f"{length(plan.update)} after it started last{still}"
        case "fix":
            return f"the end of the promised day{still}"
        case _:
            hours = next(law.hours for law in plan.statutory if law.name == kind)
            return f"{hours} hours after the milestone, day and night"


def _moves(session: Session, ticket: Ticket, kind: str) -> list[dict[str, Any]]:
    """When the row was read anew to another due instant: after a pause, or by another calendar."""
    found = select(Event.at, Event.facts).where(Event.ticket_id == ticket.id, Event.kind == "clock_moved")
    return [
        {"at": _utc(at), "from": facts["from"], "to": facts["to"]}
        for at, facts in session.execute(found.order_by(Event.seq))
        if facts["clock"] == kind
    ]


def _rungs(session: Session, ticket: Ticket, kind: str) -> list[FiredRung]:
    fired = select(FiredRung).where(FiredRung.ticket_id == ticket.id, FiredRung.kind == kind)
    return list(session.scalars(fired.order_by(FiredRung.id)))


def _rung(rung: FiredRung) -> dict[str, Any]:
    return {
        "rung": rung.rung,
        "round": rung.round,
        "due_at": _utc(rung.due_at),
        "fired_at": _utc(rung.fired_at),
        "was_superseded": rung.was_superseded,
        "voided_at": _utc(rung.voided_at),
        "acknowledge_by": _utc(rung.acknowledge_by),
        "acknowledged_at": _utc(rung.acknowledged_at),
        "acknowledged_by": rung.acknowledged_by,
    }


def lines(told: dict[str, Any], now: datetime) -> list[str]:
    """The explanation for a terminal, in local time."""
    version = f"version {told['calendar']} of the calendar" if told["calendar"] else "the settings"
    found = [f"{told['ticket']}: its clocks by {version}, times in {told['zone']}"]
    for clock in told["clocks"]:
        found += ["", *_clock_lines(clock, told, now)]
    return found


def _clock_lines(clock: dict[str, Any], told: dict[str, Any], now: datetime) -> list[str]:
    zone = ZoneInfo(told["zone"])

    def at(instant: str) -> str:
        return f"{datetime.fromisoformat(instant).astimezone(zone):%a %d %b %Y %H:%M:%S %Z}"

    other = clock["read_by_calendar"] not in (None, told["calendar"])
    by = f" (by version {clock['read_by_calendar']} of the calendar)" if other else ""
    happened = [(step["at"], step["told"]) for step in clock["steps"]]
    happened += [
        (move["at"], f"due moved from {at(move['from'])} to {at(move['to'])}") for move in clock["moves"]
    ]
    happened += [(rung["fired_at"], _heard(rung, clock, at, now)) for rung in clock["rungs"]]
    happened.append((clock["due_at"], f"due: {clock['because']}{by}"))
    if clock["next_rung_at"]:
        is_late = datetime.fromisoformat(clock["next_rung_at"]) <= now
        late = " (at the next sweep)" if is_late else ""
        happened.append((clock["next_rung_at"], f"somebody is told next{late}"))
    happened.sort(key=itemgetter(0))
    name = title(clock["clock"])
    return [
        f"{name} ({clock['clock']}): {_standing(clock, at, now)}",
        *(f"  {at(when)}  {what}" for when, what in happened),
    ]


def _standing(clock: dict[str, Any], at: At, now: datetime) -> str:
    if clock["stopped_at"]:
        in_time = "in time" if clock["stopped_at"] <= clock["due_at"] else "late"
        stops = (step["told"] for step in clock["steps"] if step["at"] == clock["stopped_at"])
        how = NOBODY if any(NOBODY in told for told in stops) else in_time
        return f"stopped {at(clock['stopped_at'])}, {how}"
    if clock["paused_since"]:
        return f"stands still since {at(clock['paused_since'])}"
    if datetime.fromisoformat(clock["due_at"]) < now:
        return f"OVERDUE since {at(clock['due_at'])}"
    return f"runs until {at(clock['due_at'])}"


def _heard(rung: dict[str, Any], clock: dict[str, Any], at: At, now: datetime) -> str:
    """What became of a rung; whose time it was is said where it did not fire then."""
    which = f"rung {rung['rung']!r} fired"
    if rung["round"] != clock["round"]:
        which += ", for an earlier start of this clock"
    if rung["voided_at"]:
        return f"{which}; it counts no more since {at(rung['voided_at'])} and may fire again"
    if rung["was_superseded"]:
        return f"rung {rung['rung']!r} of {at(rung['due_at'])} is passed over: a higher one fires"
    if rung["acknowledged_at"]:
        return f"{which}; {rung['acknowledged_by']} has seen it ({at(rung['acknowledged_at'])})"
    if not rung["acknowledge_by"]:
        return which
    if datetime.fromisoformat(rung["acknowledge_by"]) <= now:
        return f"{which}; nobody said by {at(rung['acknowledge_by'])} to have seen it"
    return f"{which}; somebody has to say by {at(rung['acknowledge_by'])} that they have seen it"


def _utc(instant: datetime | None) -> str | None:
    return instant.astimezone(UTC).isoformat() if instant else None

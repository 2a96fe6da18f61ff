"""``meldbalie clocks NUMBER``: a ticket's clocks explained line by line, as its history says them."""

import argparse
import json
import sys
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from ...models.calendar_versions import latest_version
from ...models.clocks import Clock, FiredRung
from ...models.errors import UnknownTicket
from ...models.ticket import Event, Ticket, ticket_called
from ...models.winding import Read, readings
from ..clock_words import title
from ..installation import Records, records


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
        print("\n".join(lines(told, place.config.organisation.zone)))
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
    by_calendar = f"on the calendar of {plan.calendar.zone}"
    match kind:
        case "response":
            return f"{plan.response} from its start {by_calendar}"
        case "share":
            return f"{plan.share.total_seconds() / 60:g} minutes from its start, day and night"
        case "update":
            return f"{plan.update} from its start {by_calendar}, and as much as it stood still"
        case "fix":
            return f"the end of the promised day in {plan.calendar.zone}, and as much as it stood still"
        case _:
            hours = next(law.hours for law in plan.statutory if law.name == kind)
            return f"{hours} hours from the milestone, day and night"


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
        "acknowledge_by": _utc(rung.acknowledge_by),
        "acknowledged_at": _utc(rung.acknowledged_at),
        "acknowledged_by": rung.acknowledged_by,
    }


def lines(told: dict[str, Any], zone: str) -> list[str]:
    """The explanation for a terminal, in local time."""
    version = f"calendar version {told['calendar']}" if told["calendar"] else "the calendar of the settings"
    found = [f"{told['ticket']}: clocks by {version}, times in {zone}"]
    for clock in told["clocks"]:
        found += ["", *_clock_lines(clock, zone)]
    return found


def _clock_lines(clock: dict[str, Any], zone: str) -> list[str]:
    def at(instant: str) -> str:
        return f"{datetime.fromisoformat(instant).astimezone(ZoneInfo(zone)):%a %d %b %Y %H:%M:%S %Z}"

    found = [f"{title(clock['clock'])} ({clock['clock']}, round {clock['round']}): {_standing(clock, at)}"]
    found += [f"  {at(step['at'])}  {step['told']}" for step in clock["steps"]]
    found += [f"  {at(clock['due_at'])}  due: {clock['because']}"]
    found += [
        f"  {at(move['at'])}  moved from {at(move['from'])} to {at(move['to'])}" for move in clock["moves"]
    ]
    found += [f"  {at(rung['fired_at'])}  rung {rung['rung']} {_heard(rung, at)}" for rung in clock["rungs"]]
    if clock["next_rung_at"]:
        found.append(f"  {at(clock['next_rung_at'])}  somebody is told next")
    return found


def _standing(clock: dict[str, Any], at: Any) -> str:
    if clock["stopped_at"]:
        in_time = clock["stopped_at"] <= clock["due_at"]
        return f"stopped {at(clock['stopped_at'])}, {'in time' if in_time else 'late'}"
    if clock["paused_since"]:
        return f"stands still since {at(clock['paused_since'])}"
    return f"runs until {at(clock['due_at'])}"


def _heard(rung: dict[str, Any], at: Any) -> str:
    which = f"of round {rung['round']}, for {at(rung['due_at'])}"
    if rung["was_superseded"]:
        return f"{which}: superseded by a higher one"
    if rung["acknowledged_at"]:
        return f"{which}: acknowledged {at(rung['acknowledged_at'])} by {rung['acknowledged_by']}"
    if rung["acknowledge_by"]:
        return f"{which}: to be acknowledged by {at(rung['acknowledge_by'])}, and was not"
    return f"{which}: told"


def _utc(instant: datetime | None) -> str | None:
    return instant.astimezone(UTC).isoformat() if instant else None

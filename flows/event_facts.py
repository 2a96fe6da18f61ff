"""How an event of a ticket's history becomes an event of Prefect, ``meldbalie.ticket.<kind>``.

A list of facts may leave, each in its own shape; every other fact, reasons and free text stay. An event that
is sent twice is one event, by an id made of its place in the history. It is not made of its digest, which
is taken over the reason as well: who has a digest can try out guesses at what was said.
"""

import re
from collections.abc import Callable, Generator, Mapping
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from prefect.events.schemas.events import Event as PrefectEvent
from prefect.events.schemas.events import RelatedResource, Resource

from ..models.severity import UNRATED, Severity
from ..models.states import TicketState
from ..models.ticket import Event, Ticket

PREFIX = "meldbalie.ticket"
NAMESPACE = uuid5(NAMESPACE_URL, PREFIX)

Fits = Callable[[Any], bool]
STATES = frozenset({*TicketState, *Severity, UNRATED, ""})
CODE = re.compile(r"[a-z][a-z0-9_]{0,39}")
RUNG = re.compile(r"(?:[0-9.]+%|due [+-] [0-9.]+ h)(?: \+ [0-9]+ days?)?(?:, not acknowledged)?")
REFERENCES = re.compile(r"CVD-[0-9]{4}-[0-9]+(?:, CVD-[0-9]{4}-[0-9]+)*")


def _matches(shape: re.Pattern[str]) -> Fits:
    return lambda value: isinstance(value, str) and shape.fullmatch(value) is not None


def _is_instant(value: Any) -> bool:
    """Whether it is a day or an instant in ISO 8601, or the word for none."""
    try:
        return isinstance(value, str) and (not value or bool(datetime.fromisoformat(value)))
    except ValueError:
        return False


def _is_state(value: Any) -> bool:
    return isinstance(value, str) and value in STATES


def _is_number(value: Any) -> bool:
    return isinstance(value, bool | int | float)


#: All that leaves of an event's facts, by name, and the shape that it leaves in. Beside it the name of an
#: owner under ``OWNERS``, if the directory knows it.
FACTS: Mapping[str, Fits] = {
    **dict.fromkeys(("action", "clock", "doubt", "mail", "party", "problem", "proof"), _matches(CODE)),
    **dict.fromkeys(("what", "why"), _matches(CODE)),
    **dict.fromkeys(("arrived_at", "ends_at", "fix_on", "happened_at", "sent_at", "was"), _is_instant),
    **dict.fromkeys(("breached", "closing", "in_time", "score", "sealed"), _is_number),
    **dict.fromkeys(("from", "to"), lambda value: _is_state(value) or _is_instant(value)),
    "on": lambda value: _matches(CODE)(value) or _is_instant(value),  # whom is waited for, or a day
    "rung": _matches(RUNG),
    "other": _matches(REFERENCES),
}
OWNERS = ("from", "to", "owner", "deputy")


def as_events(entry: Event, run_id: str | None, owners: frozenset[str]) -> Generator[PrefectEvent]:
    """The event itself, and beside it what automations would have to put together: closed, overdue."""
    facts = {name: value for name, value in entry.facts.items() if _may_leave(name, value, owners)}
    yield _as_event(entry, run_id, facts, entry.kind)
    if entry.kind == "moved" and facts.get("to") == TicketState.CLOSED:
        reason = entry.ticket.close_reason
        yield _as_event(entry, run_id, {"reason": reason.value} if reason else {}, "closed")
    if entry.kind == "escalated" and facts.get("breached"):
        yield _as_event(entry, run_id, facts, "overdue")


def _may_leave(name: str, value: Any, owners: frozenset[str]) -> bool:
    fits = FACTS.get(name)
    if fits is not None and fits(value):
        return True
    return name in OWNERS and isinstance(value, str) and value in owners


def _as_event(entry: Event, run_id: str | None, facts: Mapping[str, Any], kind: str) -> PrefectEvent:
    """One event; automations match labels of the resource, so the facts stand there as well."""
    ticket = entry.ticket
    stands = {
        "state": ticket.state.value,
        "owner": ticket.owner_name,
        "severity": (ticket.severity or UNRATED),
        "waiting_on": ticket.waiting_on.value,
    }
    labels = {
        "prefect.resource.id": f"{PREFIX}.{ticket.reference}",
        "prefect.resource.name": ticket.reference,
        **{f"meldbalie.{name}": str(value) for name, value in stands.items()},
        **{f"meldbalie.fact.{name}": _as_label(value) for name, value in facts.items()},
    }
    return PrefectEvent(
        id=uuid5(NAMESPACE, f"{ticket.reference}/{entry.seq}/{entry.at.isoformat()}/{kind}"),
        event=f"{PREFIX}.{kind}",
        occurred=entry.at,  # pyright: ignore[reportArgumentType] - Prefect's own name for datetime
        resource=Resource(labels),
        related=_related(ticket, run_id),
        payload={"reference": ticket.reference, "number": entry.seq, **stands, "facts": dict(facts)},
    )


def _as_label(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _related(ticket: Ticket, run_id: str | None) -> list[RelatedResource]:
    roles = {"owner": (f"meldbalie.owner.{ticket.owner_id or 'triage'}", ticket.owner_name)}
    if run_id:
        roles["flow-run"] = (f"prefect.flow-run.{run_id}", ticket.reference)
    return [
        RelatedResource(
            {"prefect.resource.role": role, "prefect.resource.id": known_as, "prefect.resource.name": name}
        )
        for role, (known_as, name) in roles.items()
    ]

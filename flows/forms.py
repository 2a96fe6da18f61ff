"""The form that a handler fills in on a ticket's run, typed by what the ticket allows now.

Only actions that its state allows are offered, with the fields that these make use of; owners, handlers,
reasons and milestones are offered by name. What a form says of itself (``seen``) tells which card the
handler decided by.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, Field, create_model
from sqlalchemy import select
from sqlalchemy.orm import Session

from ..models import acts
from ..models.desk import DeskRun
from ..models.milestones import FIX_DEPLOYED, known_milestones, milestones_of
from ..models.owners import Owner
from ..models.severity import Severity
from ..models.states import NEXT_STATES, TicketState, reasons_to_close
from ..models.suggestions import open_suggestions
from ..models.ticket import Ticket, WaitingOn
from .acting import DEEDS, Action
from .answer_templates import answer_templates
from .desk import answered, local, response_clock
from .installation import Records


def _as_day(schema: dict[str, Any]) -> None:
    """A day is picked; without a default, because the page refuses to send an empty one."""
    schema["format"] = "date"
    schema.pop("default", None)


#: How Prefect's page asks for a value. A field that may be null would cost a click more.
TEXT_AREA: Mapping[str, Any] = {"json_schema_extra": {"format": "textarea"}}
A_DAY: Mapping[str, Any] = {"json_schema_extra": _as_day}
#: A moment is typed. The page's picker says UTC, or the offset that a zone has today, and asks for no time
#: where there is no mouse.
IN_OUR_TIME = "in our own time, such as 2026-12-01 17:00"


@dataclass(frozen=True)
class Offer:
    """What can be chosen on a ticket now."""

    actions: tuple[Action, ...]
    handlers: tuple[str, ...]
    owners: tuple[str, ...]
    milestones: tuple[str, ...]
    templates: tuple[str, ...]
    reasons_to_close: tuple[str, ...]
    asks_pin: bool
    has_kept_text: bool
    seen: int
    stops: str


def offer(place: Records, session: Session, ticket: Ticket, row: DeskRun) -> Offer:
    """What a ticket's form offers as it stands now."""
    possible = tuple(_actions(session, ticket))
    needs_proof = any(DEEDS[action].needs_proof for action in possible)
    return Offer(
        actions=possible,
        handlers=tuple(person.name for person in place.config.triage),
        owners=tuple(session.scalars(select(Owner.name).order_by(Owner.name))),
        milestones=tuple(known_milestones(place.promise.statutory)),
        templates=tuple(answer_templates(place.config)),
        reasons_to_close=tuple(reason.value for reason in reasons_to_close(ticket.state)),
        asks_pin=needs_proof and place.config.desk.second_factor == "pin",
        has_kept_text=any(one["text"] for one in (row.not_done or {}).values()),
        seen=len(ticket.history),
        stops=_what_an_answer_stops(place, ticket),
    )


def _actions(session: Session, ticket: Ticket) -> Iterator[Action]:
    """What the ticket's state allows, the most likely first."""
    following = NEXT_STATES[ticket.state]
    is_suggested, noted = bool(open_suggestions(session, ticket)), milestones_of(session, ticket)
    if is_suggested:
        yield from (Action.JOIN, Action.KEEP_APART)
    yield from (Action.ANSWER, Action.ASK, Action.TELL)
    if TicketState.VALID in following:
        yield from (Action.CONFIRM, Action.ACCEPT)
    elif TicketState.ACCEPTED in following:
        yield Action.ACCEPT
    if TicketState.INVALID in following:
        yield Action.INVALIDATE
    if TicketState.DEFERRED in following:
        yield Action.DEFER
    yield from (Action.ASSIGN, Action.RATE, Action.NOTE, Action.MILESTONE, Action.WAIT)
    if noted:
        yield Action.WITHDRAW
    yield Action.EMBARGO
    if ticket.embargo_ends_at:
        yield Action.LIFT
    if FIX_DEPLOYED in noted:
        yield Action.PUBLICATION
    if not is_suggested:
        yield Action.JOIN
    if acts.waiting_copy(session, ticket) is not None:
        yield Action.RELEASE
    if ticket.is_open:
        yield Action.CLOSE


def _what_an_answer_stops(place: Records, ticket: Ticket) -> str:
    if done := answered(place, ticket):
        return f"The reporter was {done}. Another answer tells them of another date."
    due = local(place, response_clock(ticket).due_at)
    return f"An answer with a date, or with the reason why there is none, stops the clock due {due}."


def form(offered: Offer) -> type[BaseModel]:
    """The form as a model, of which Prefect is given the JSON schema."""
    used = frozenset[str]().union(*(DEEDS[action].uses for action in offered.actions))
    fields: dict[str, Any] = {
        "action": (_one_of([action.value for action in offered.actions]), Field(description=offered.stops)),
        "who": _who(offered.handlers),
    }
    for name, made in FIELDS.items():
        if name in used:
            fields[name] = made(offered)
        if name == "text" and offered.has_kept_text:
            fields["use_kept_text"] = (
                bool,
                Field(default=False, description="The text of what was refused, as it was written."),
            )
    if offered.asks_pin:
        fields["pin"] = (
            str,
            Field(
                default="",
                title="PIN",
                description="With close, join and release: your own PIN.",
                json_schema_extra={"format": "password"},
            ),
        )
    fields["seen"] = (
        int,
        Field(
            default=offered.seen,
            title="Events on the card",
            description="Leave it as it is: it tells which card you decided by.",
        ),
    )
    return create_model("Form", **fields)


def _who(handlers: Sequence[str]) -> Any:
    about = "Stands in the history. The reporter never sees it."
    if len(handlers) > 1:
        return _one_of(handlers), Field(title="I am", description=about)
    return str, Field(default=handlers[0] if handlers else ..., title="I am", description=about)


def _one_of(values: Sequence[str]) -> Any:
    return Literal[tuple(values)]


def _choice(values: Sequence[str], description: str, **more: Any) -> Any:
    """A list to choose from, or nothing of it."""
    return _one_of(["", *values]), Field(default="", description=description, **more)


def _text(description: str, **more: Any) -> Any:
    return str, Field(default="", description=description, **more)


#: Every field by the name that orders know it by.
FIELDS: Mapping[str, Callable[[Offer], Any]] = {
    "text": lambda _: _text(
        "Sent to the reporter, sealed to their key (of notes, the severity, milestones, waiting and"
        " assigning only handlers read the reason); deleted from Prefect at once.",
        title="Text or reason",
        **TEXT_AREA,
    ),
    "template": lambda offered: _choice(
        offered.templates,
        "With answer, ask and write: a text that goes before your own. One that names the fix date needs it.",
    ),
    "expected_fix_date": lambda _: _text("With an answer: the day by which it will be fixed.", **A_DAY),
    "no_date_because": lambda _: _text("With an answer: why there is no expected fix date yet."),
    "assign_to": lambda offered: _choice(
        list(dict.fromkeys((*offered.owners, *offered.handlers))),
        "With assign: the owner who gets the report, or the handler who works on it.",
    ),
    "severity": lambda _: _choice(
        [severity.value for severity in Severity],
        "With set the severity: how you judge it. Empty: by the vector.",
    ),
    "cvss_vector": lambda _: _text(
        "With set the severity: of CVSS 3.0, 3.1 or 4.0, such as"
        " CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N.",
        title="CVSS vector",
    ),
    "embargo_ends_at": lambda _: _text(
        f"With the embargo's end: until when both sides keep silent, {IN_OUR_TIME}."
    ),
    "publish_on": lambda _: _text(
        "With propose publication: the day that the reporter is asked about.", **A_DAY
    ),
    "belongs_to": lambda _: _text(
        "With join: the number of the other ticket, such as CVD-2026-0042. Empty: the one that is suggested."
    ),
    "close_reason": lambda offered: _choice(
        offered.reasons_to_close,
        "With close: the reason that the reporter is told. That there was a problem is confirmed first.",
    ),
    "milestone": lambda offered: _choice(offered.milestones, "With note or withdraw a milestone: which."),
    "happened_at": lambda _: _text(
        f"With note a milestone: when it happened, {IN_OUR_TIME}. Empty: just now."
    ),
    "wait_for": lambda _: _choice(
        [whom.value for whom in WaitingOn],
        "With wait: who is to act. The update and fix clocks stand still while it is the reporter or a"
        " supplier.",
    ),
}

"""The form that a handler fills in on a ticket's run, and the card above it.

The form is typed by the ticket: only what its state allows is offered, owners and handlers are
offered by name. The card is markdown from our own fields; nothing that a reporter wrote is on it.
"""

from collections.abc import Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Literal

from prefect.input import RunInput
from pydantic import BaseModel, ConfigDict, Field, create_model

from ..models.desk import DeskRun
from ..models.milestones import MILESTONES
from ..models.rating import rating_of
from ..models.severity import UNRATED, Severity
from ..models.states import NEXT_STATES, STATE_LABELS, CloseReason, TicketState
from ..models.suggestions import Suggestion
from ..models.ticket import Ticket, WaitingOn
from .clock_words import clocks_in_words
from .desk import local
from .history_words import told
from .installation import Installation


class Action(StrEnum):
    """What a handler can do."""

    ANSWER = "answer the reporter"
    CONFIRM = "confirm"
    INVALIDATE = "not confirmed"
    ACCEPT = "accept: it will be fixed"
    DEFER = "put on hold"
    ASSIGN = "assign"
    RATE = "set the severity"
    MILESTONE = "note a milestone"
    WITHDRAW = "withdraw a milestone"
    WAIT = "wait for somebody, or go on"
    JOIN = "join: it belongs to another ticket"
    KEEP_APART = "keep apart: it belongs to no other ticket"
    RELEASE = "release the copy for the IBD"
    CLOSE = "close"


class Answer(BaseModel):
    """A filled-in form, checked by us: the server checks no more than the types of its fields."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    action: Action
    who: str = Field(min_length=1)
    text: str = ""
    expected_fix_date: date | None = None
    no_date_because: str = ""
    assign_to: str = ""
    severity: Severity | None = None
    cvss_vector: str = ""
    belongs_to: str = ""
    close_reason: CloseReason | None = None
    milestone: str = ""
    happened_at: datetime | None = None
    wait_for: WaitingOn | None = None


def form(
    ticket: Ticket,
    *,
    handlers: list[str],
    owners: list[str],
    holds_copy: bool,
    card: str,
    suggested: Sequence[Suggestion] = (),
    milestones: Sequence[str] = MILESTONES,
    noted: Sequence[str] = (),
) -> type[RunInput]:
    """The form of a ticket as it stands now; ``noted`` are the milestones that stand."""
    possible = actions(ticket, holds_copy=holds_copy, is_suggested=bool(suggested), has_milestone=bool(noted))
    fields: dict[str, Any] = {
        "action": (_one_of([action.value for action in possible]), Field(description=ACTIONS)),
        "who": _who(handlers),
        "text": (
            str,
            Field(
                default="",
                title="Text or reason",
                description="Sent to the reporter, sealed to their key (of the severity, milestones and"
                " waiting only handlers read the reason); deleted from Prefect at once.",
                json_schema_extra={"format": "textarea"},
            ),
        ),
        "expected_fix_date": (
            date | None,
            Field(default=None, description="With an answer: the day by which it will be fixed."),
        ),
        "no_date_because": (
            str,
            Field(default="", description="With an answer: why there is no expected fix date yet."),
        ),
    }
    if owners:
        fields["assign_to"] = (
            _one_of(["", *owners]),
            Field(default="", description="With assign: the owner who gets the report."),
        )
    fields |= _of_the_severity()
    fields["belongs_to"] = (
        str,
        Field(
            default="",
            description="With join: the number of the other ticket, such as CVD-2026-0042."
            " Empty: the one that is suggested.",
        ),
    )
    fields["close_reason"] = (
        _one_of(["", *(reason.value for reason in CloseReason)]),
        Field(default="", description="With close: the reason that the reporter is told."),
    )
    fields |= _of_clocks(milestones)
    made = create_model("Form", __base__=RunInput, **fields)
    return made.with_initial_data(description=card)


def _of_the_severity() -> dict[str, Any]:
    """The fields by which handlers rate a ticket; one of the two is enough."""
    return {
        "severity": (
            _one_of(["", *(severity.value for severity in Severity)]),
            Field(default="", description="With set the severity: how you judge it. Empty: by the vector."),
        ),
        "cvss_vector": (
            str,
            Field(
                default="",
                title="CVSS vector",
                description="With set the severity: of CVSS 3.0, 3.1 or 4.0, such as"
                " CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N.",
            ),
        ),
    }


def _of_clocks(milestones: Sequence[str]) -> dict[str, Any]:
    """The fields by which handlers say what clocks count from."""
    return {
        "milestone": (
            _one_of(["", *milestones]),
            Field(default="", description="With note or withdraw a milestone: which."),
        ),
        "happened_at": (
            datetime | None,
            Field(default=None, description="With note a milestone: when it happened. Empty: just now."),
        ),
        "wait_for": (
            _one_of(["", *(whom.value for whom in WaitingOn)]),
            Field(
                default="",
                description="With wait: who is to act. The update and fix clocks stand still while it is the"
                " reporter or a supplier.",
            ),
        ),
    }


def _who(handlers: list[str]) -> Any:
    about = "Stands in the history. The reporter never sees it."
    if len(handlers) > 1:
        return _one_of(handlers), Field(title="I am", description=about)
    return str, Field(default=handlers[0] if handlers else ..., title="I am", description=about)


HELD = "- **The copy for the IBD is held:** it may identify the reporter; look at it, then release it"
WHYS = {
    "number": "its number stands in the subject",
    "message_id": "it answers a message of it",
    "sender": "same sender and subject",
}
ACTIONS = "An answer with a date, or with the reason why there is none, stops the response clock."


def actions(
    ticket: Ticket, *, holds_copy: bool, is_suggested: bool = False, has_milestone: bool = False
) -> list[Action]:
    """What the ticket's state allows, the most likely first."""
    following = NEXT_STATES[ticket.state]
    possible = [Action.JOIN, Action.KEEP_APART] if is_suggested else []
    possible.append(Action.ANSWER)
    if TicketState.VALID in following:
        possible += [Action.CONFIRM, Action.ACCEPT]
    elif TicketState.ACCEPTED in following:
        possible.append(Action.ACCEPT)
    if TicketState.INVALID in following:
        possible.append(Action.INVALIDATE)
    if TicketState.DEFERRED in following:
        possible.append(Action.DEFER)
    possible += [Action.ASSIGN, Action.RATE, Action.MILESTONE, Action.WAIT]
    if has_milestone:
        possible.append(Action.WITHDRAW)
    if not is_suggested:
        possible.append(Action.JOIN)
    if holds_copy:
        possible.append(Action.RELEASE)
    if TicketState.CLOSED in following:
        possible.append(Action.CLOSE)
    return possible


def card(
    place: Installation,
    ticket: Ticket,
    row: DeskRun,
    *,
    holds_copy: bool,
    suggested: Sequence[Suggestion] = (),
    joined: Sequence[Ticket] = (),
) -> str:
    """What a handler should know before filling in the form, in markdown."""
    lines = [
        f"## {ticket.reference} · {STATE_LABELS[ticket.state][1]}",
        *([f"> **Not done:** {row.refused_because}", ""] if row.refused_because else []),
        f"*As it stood {local(place, place.clock())}; `meldbalie show` tells what happened since.*",
        "",
        f"- Received {local(place, ticket.arrived_at)}",
        *(f"- {line}" for line in clocks_in_words(place, ticket)),
        f"- Owner: {ticket.owner.name if ticket.owner else 'triage team'}",
        f"- Severity: {rating_of(ticket) or UNRATED}",
        f"- Waiting on the {ticket.waiting_on}",
        f"- Expected fix date: {ticket.expected_fix_on or 'none given yet'}",
        f"- The reporter {_can_be_reached(ticket)}; signature: {ticket.signature}",
        *([HELD] if holds_copy else []),
        *(
            f"- **May belong to {one.other.reference}** ({WHYS[one.why]}): join, or keep apart"
            for one in suggested
        ),
        *(f"- {one.reference} was joined with it" for one in joined),
        f"- The report lies sealed in the handlers' mailboxes; or `meldbalie show {ticket.reference}`",
        f"- Why the clocks stand so: `meldbalie clocks {ticket.reference}`",
        "",
        "**History**",
        *(f"- {local(place, entry.at)} {told(place, entry)}" for entry in ticket.history[-10:]),
    ]
    return "\n".join(lines)


def _can_be_reached(ticket: Ticket) -> str:
    if not ticket.reporter.address:
        return "left no address and reads the status page"
    return "gets sealed mail" if ticket.reporter.fingerprint else "has no key: answers wait at the link"


def _one_of(values: list[str]) -> Any:
    return Literal[tuple(values)]

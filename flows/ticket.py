"""The handlers' run of a ticket: a card and a form, asked again after each answer until it is closed.

The run begins at its first line after every resume, in a new process, so nothing rests on where it
was: the database says which form was asked last and which was applied last. Only the reference
passes through Prefect. A form's answer lies in Prefect until it is applied, and is deleted then.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from prefect import flow, get_run_logger, suspend_flow_run
from prefect.client.schemas.objects import State
from prefect.input.actions import delete_flow_run_input
from prefect.runtime import flow_run
from prefect.states import Completed
from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from ..models import acts, joining
from ..models.desk import DeskRun, desk_run_of
from ..models.errors import Refused
from ..models.milestones import known_milestones, milestone, milestones_of, withdraw_milestone
from ..models.owners import Owner
from ..models.rating import rate
from ..models.suggestions import open_suggestions, tickets_joined_with
from ..models.ticket import Event, Ticket, ticket_called
from . import desk
from .desk import key_of_form, key_of_response
from .discretion import discreet
from .forms import Action, Answer, card, form
from .installation import Installation, installation

DECISIONS = frozenset({"moved", "answered", "assigned", "rated", "milestone", "milestone_withdrawn"})


@flow(name="ticket", flow_run_name="{reference}")
def ticket(reference: str) -> State[Any]:
    """Show one ticket and take what handlers decide, until it is closed."""
    with discreet(reference):
        place = installation()
        for number, response in desk.given_answers(str(flow_run.get_id())):
            get_run_logger().info("%s: %s", reference, take_answer(place, reference, number, response))
            delete_flow_run_input(key_of_response(number))
        if desk.show(place, reference) != flow_run.get_id():
            return Completed(name="Superseded", message=f"{reference} is asked about by another run")
        question = next_form(place, reference)
        if question is None:
            return Completed(name="Closed", message=f"{reference} is closed")
        number, asked_form = question
        suspend_flow_run(wait_for_input=asked_form, timeout=None, key=key_of_form(number))
        raise RuntimeError("the run went on without being resumed")


def take_answer(place: Installation, reference: str, asked: int, response: Any) -> str:
    """Apply a filled-in form once; gives what came of it in a word: applied, refused, or applied before."""
    try:
        with place.database.unit_of_work() as session:
            subject = ticket_called(session, reference)
            _hold_other(session, subject, dict(response))
            row = desk_run_of(session, subject)
            if row.applied == asked:
                return "applied before"
            _refuse_if_decided_since(subject, row, asked)
            row.applied, row.refused_because = asked, None
            _act(place, session, subject, _checked(response))
    except Refused as refusal:
        _note_refusal(place, reference, asked, str(refusal))
        return "refused"
    return "applied"


def _hold_other(session: Session, subject: Ticket, response: Mapping[str, Any]) -> None:
    """A join changes two tickets, and holds both before anything else."""
    if response.get("action") == Action.JOIN:
        joining.hold_both(session, subject, str(response.get("belongs_to") or ""))


def next_form(place: Installation, reference: str) -> tuple[int, Any] | None:
    """Number and make the next form of an open ticket; ``None`` once it is closed."""
    with place.database.unit_of_work() as session:
        subject = ticket_called(session, reference)
        if not subject.is_open:
            return None
        row = desk_run_of(session, subject)
        row.asked += 1
        row.asked_after = len(subject.history)
        owners = list(session.scalars(select(Owner.name).order_by(Owner.name)))
        handlers = [person.name for person in place.promise.triage]
        holds_copy = acts.waiting_copy(session, subject) is not None
        suggested, joined = open_suggestions(session, subject), tickets_joined_with(session, subject)
        description = card(place, subject, row, holds_copy=holds_copy, suggested=suggested, joined=joined)
        asked = form(
            subject,
            handlers=handlers,
            owners=owners,
            holds_copy=holds_copy,
            card=description,
            suggested=suggested,
            milestones=known_milestones(place.promise.statutory),
            noted=list(milestones_of(session, subject)),
        )
        return row.asked, asked


def _act(place: Installation, session: Session, subject: Ticket, answer: Answer) -> None:
    _refuse_what_would_be_lost(answer)
    who: dict[str, Any] = {"by": answer.who, "now": place.clock()}
    moves: dict[str, Any] = who | {"promise": place.promise}
    because = answer.text
    match answer.action:
        case Action.ANSWER:
            acts.answer(
                session,
                subject,
                text=answer.text,
                fix_on=answer.expected_fix_date,
                no_date_because=answer.no_date_because,
                **moves,
            )
        case Action.CONFIRM:
            acts.confirm(session, subject, because=because, **moves)
        case Action.INVALIDATE:
            acts.invalidate(session, subject, because=because, **moves)
        case Action.ACCEPT:
            acts.accept(session, subject, because=because, **moves)
        case Action.DEFER:
            acts.defer(session, subject, because=because, **moves)
        case Action.ASSIGN:
            acts.assign(session, subject, to=answer.assign_to, because=because, **who)
        case Action.RATE:
            rating: dict[str, Any] = {"severity": answer.severity, "vector": answer.cvss_vector}
            rate(session, subject, because=because, **rating, **who)
        case Action.MILESTONE:
            at = _happened_at(place, answer, who["now"])
            milestone(session, subject, what=answer.milestone, happened_at=at, because=because, **moves)
        case Action.WITHDRAW:
            withdraw_milestone(session, subject, what=answer.milestone, because=because, **moves)
        case Action.WAIT:
            if answer.wait_for is None:
                raise Refused("choose who is waited for: clocks stand still or run on by it")
            acts.wait(session, subject, on=answer.wait_for, because=because, **moves)
        case Action.JOIN:
            joining.join(session, subject, to=answer.belongs_to, because=because, **moves)
        case Action.KEEP_APART:
            joining.keep_apart(session, subject, because=because, **who)
        case Action.RELEASE:
            acts.release_copy(session, subject, **who)
        case Action.CLOSE:
            if answer.close_reason is None:
                raise Refused("choose the reason for closing: the reporter is told it")
            acts.close(session, subject, reason=answer.close_reason, because=because, **moves)


def _happened_at(place: Installation, answer: Answer, now: datetime) -> datetime:
    """When a milestone happened; a time without an offset is the organisation's own."""
    given = answer.happened_at
    if given is None:
        return now
    return given if given.tzinfo else given.replace(tzinfo=ZoneInfo(place.config.organisation.zone))


#: The fields that each action makes use of, beside who acts.
USED: Mapping[Action, frozenset[str]] = {
    Action.ANSWER: frozenset({"text", "expected_fix_date", "no_date_because"}),
    Action.CONFIRM: frozenset({"text"}),
    Action.INVALIDATE: frozenset({"text"}),
    Action.ACCEPT: frozenset({"text"}),
    Action.DEFER: frozenset({"text"}),
    Action.ASSIGN: frozenset({"text", "assign_to"}),
    Action.RATE: frozenset({"text", "severity", "cvss_vector"}),
    Action.MILESTONE: frozenset({"text", "milestone", "happened_at"}),
    Action.WITHDRAW: frozenset({"text", "milestone"}),
    Action.WAIT: frozenset({"text", "wait_for"}),
    Action.JOIN: frozenset({"text", "belongs_to"}),
    Action.KEEP_APART: frozenset({"text"}),
    Action.RELEASE: frozenset(),
    Action.CLOSE: frozenset({"text", "close_reason"}),
}


def _refuse_what_would_be_lost(answer: Answer) -> None:
    filled = {name for name, value in answer if value and name not in ("action", "who")}
    unused = sorted(name.replace("_", " ") for name in filled - USED[answer.action])
    if unused:
        raise Refused(
            f"{answer.action.value!r} makes no use of {' and '.join(unused)}, and nothing was done:"
            " leave it empty, or do what it belongs to first"
        )


def _checked(response: Any) -> Answer:
    try:
        return Answer.model_validate({key: value for key, value in dict(response).items() if value != ""})
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}"
            for one in error.errors(include_input=False, include_url=False, include_context=False)
        )
        raise Refused(f"the form cannot be read: {wrong}") from None


def _refuse_if_decided_since(subject: Ticket, row: DeskRun, asked: int) -> None:
    if row.applied > asked:
        raise Refused("a later form was answered before this one; nothing of this one was applied")
    since = [entry for entry in subject.history[row.asked_after :] if entry.kind in DECISIONS]
    if since:
        raise Refused(
            f"{_in_words(since[-1])} while this form was open; nothing of it was applied:"
            " look at the card and decide again"
        )


def _in_words(entry: Event) -> str:
    return f"the ticket was {entry.kind} by {entry.actor} at {entry.at:%Y-%m-%d %H:%M} UTC"


def _note_refusal(place: Installation, reference: str, asked: int, because: str) -> None:
    with place.database.unit_of_work() as session:
        row = desk_run_of(session, ticket_called(session, reference))
        row.applied, row.refused_because = max(row.applied, asked), because

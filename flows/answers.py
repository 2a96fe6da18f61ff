"""What a handler filled in is applied once: checked, proved where it has to be, and carried out.

An answer is known by the number of the form that it answers, and by the history that its handler had
before them (``seen``). The database says which number was applied last, so that what is taken twice, or
after a kill, is applied once; what was decided since is never overruled unseen.
"""

import re
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from sqlalchemy.orm import Session

from ..models import confirmations, joining
from ..models.confirmations import Confirmation
from ..models.desk import DeskRun, desk_run_of
from ..models.errors import Refused
from ..models.ticket import Event, Ticket, ticket_called
from . import bulk_acts
from .accounts import check_account
from .acting import Action, Order, carry_out, needs_proof
from .handlers import handler_called
from .installation import Records
from .proof import ask_for_link, prove

#: What somebody decided: an order that was written without having seen it is refused.
DECISIONS = frozenset(
    {"moved", "answered", "assigned", "rated", "milestone", "milestone_withdrawn", "asked", "told"}
    | {"embargo_proposed", "publication_proposed"}
)
#: Fields that say a day and a time; a number would be read as seconds, and a day alone as its midnight.
MOMENTS = ("embargo_ends_at", "happened_at")
A_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d)?")


def take_answer(place: Records, reference: str, number: int, response: Mapping[str, Any]) -> str:
    """Apply a filled-in form once; gives what came of it in a word or two."""
    given = {key: value for key, value in response.items() if value not in ("", None)}
    pin, account = str(given.pop("pin", "")), str(given.pop("account", ""))
    try:
        with place.database.unit_of_work() as session:
            row = desk_run_of(session, ticket_called(session, reference))
            _take_kept_text(row, given)
        order = _checked(given)
        handler_called(place, order.who)
        check_account(place.config, order.who, account)
        proof = prove(place, order, pin) if needs_proof(order) else ""
        return _apply(place, reference, number, order, seen=given.get("seen"), proof=proof, account=account)
    except Refused as refusal:
        _note_refusal(place, reference, number, str(refusal), draft=str(given.get("text") or ""))
        return "refused"


def _apply(
    place: Records, reference: str, number: int, order: Order, *, seen: Any, proof: str, account: str
) -> str:
    with place.database.unit_of_work() as session:
        subject = ticket_called(session, reference)
        _hold_other(session, subject, order)
        row = desk_run_of(session, subject)
        if row.applied == number:
            return "applied before"
        if row.applied > number:
            raise Refused("a later form was answered before this one; nothing of this one was applied")
        history = int(seen) if seen is not None else row.asked_after
        refuse_if_decided_since(subject, history)
        row.applied, row.refused_because, row.draft = number, None, None
        if needs_proof(order) and not proof:
            ask_for_link(place, session, subject, order, history)
            return "asked for proof"
        carry_out(place, session, subject, order, proof=proof, account=account)
    return "applied"


def carry_out_confirmed(place: Records, number: int) -> str | None:
    """Do what somebody confirmed by the link in their mail; gives the ticket that it is about."""
    with place.database.reading() as session:
        confirmed = session.get_one(Confirmation, number)
        reference = confirmed.ticket.reference if confirmed.ticket else None
        action, wanted, who = confirmed.action, confirmed.wanted, confirmed.who
    try:
        if reference is None:
            _was_done(place, number, bulk_acts.carry_out_confirmed(place, action, wanted, who))
        else:
            _carry_out_confirmed(place, number, reference, Order.model_validate(wanted))
    except Refused as refusal:
        _was_done(place, number, f"not done: {refusal}")
        if reference is not None:
            _note_refusal(place, reference, 0, str(refusal), draft="")
    return reference


def _carry_out_confirmed(place: Records, number: int, reference: str, order: Order) -> None:
    with place.database.unit_of_work() as session:
        subject = ticket_called(session, reference)
        _hold_other(session, subject, order)
        desk_run_of(session, subject).refused_because = None
        confirmed = session.get_one(Confirmation, number, with_for_update=True)
        if confirmed.done_at is not None:
            return
        refuse_if_decided_since(subject, confirmed.seen)
        carry_out(place, session, subject, order, proof="link")
        confirmations.was_done(session, confirmed, "done", now=place.clock())


def _was_done(place: Records, number: int, outcome: str) -> None:
    with place.database.unit_of_work() as session:
        confirmed = session.get_one(Confirmation, number, with_for_update=True)
        confirmations.was_done(session, confirmed, outcome, now=place.clock())


def refuse_if_decided_since(subject: Ticket, seen: int) -> None:
    """Refuse what was ordered by a card that did not show the last decision."""
    since = [entry for entry in subject.history[seen:] if entry.kind in DECISIONS]
    if since:
        raise Refused(
            f"{_in_words(since[-1])} while this form was open; nothing of it was applied:"
            " look at the card and decide again"
        )


def _in_words(entry: Event) -> str:
    kind = entry.kind.replace("_", " ")
    return f"the ticket was {kind} by {entry.actor} at {entry.at:%Y-%m-%d %H:%M} UTC"


def _hold_other(session: Session, subject: Ticket, order: Order) -> None:
    """A join changes two tickets, and holds both before anything else."""
    if order.action is Action.JOIN:
        joining.hold_both(session, subject, order.belongs_to)


def _take_kept_text(row: DeskRun, given: dict[str, Any]) -> None:
    """Put the text of what was refused in the place of one that is typed again."""
    if given.pop("use_kept_text", False) and row.draft:
        given["text"] = "\n\n".join(filter(None, (row.draft, given.get("text"))))


def _checked(given: Mapping[str, Any]) -> Order:
    moments = {name: str(given[name]).strip() for name in MOMENTS if name in given}
    for name, written in moments.items():
        if not A_MOMENT.fullmatch(written):
            raise Refused(f"{name.replace('_', ' ')}: write a day and a time, such as 2026-12-01 17:00")
    try:
        return Order.model_validate({**given, **moments})
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}"
            for one in error.errors(include_input=False, include_url=False, include_context=False)
        )
        raise Refused(f"the form cannot be read: {wrong}") from None


def _note_refusal(place: Records, reference: str, number: int, because: str, *, draft: str) -> None:
    with place.database.unit_of_work() as session:
        row = desk_run_of(session, ticket_called(session, reference))
        if number and row.applied == number:
            return
        row.applied, row.refused_because = max(row.applied, number), because
        row.draft = draft or row.draft

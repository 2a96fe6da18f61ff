"""What a handler filled in is applied once: checked, proved where it has to be, and carried out.

An answer is known by the number of the form that it answers, and by the history that its handler had
before them (``seen``). The database says which number was applied last, so that what is taken twice, or
after a kill, is applied once; what was decided since is never overruled unseen.
"""

import logging
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from ..models import confirmations, joining
from ..models.confirmations import Confirmation
from ..models.desk import DeskRun, desk_run_of
from ..models.errors import Refused
from ..models.milestones import known_milestones
from ..models.outage import outage
from ..models.owners import Owner
from ..models.ticket import Ticket, ticket_called
from . import bulk_acts
from .accounts import check_account
from .acting import Action, Order, carry_out, needs_proof
from .answer_templates import answer_templates
from .decided import refuse_if_closed_after, refuse_if_decided_since
from .discretion import place_of
from .filled_in import NOT_THE_CARDS, as_order, digest, seen_in
from .handlers import handler_called
from .installation import Records
from .proof import ask_for_link, prove
from .shifts import tell

#: What ends a ticket: a word of the reporter in between may say why not to.
ENDS = frozenset({Action.CLOSE, Action.JOIN})
NOT_IN_TIME = "it was not confirmed by the link in time; nothing was applied: ask for it again"


def take_answer(place: Records, reference: str, number: int, response: Mapping[str, Any]) -> str:
    """Apply a filled-in form once; gives what came of it in a word or two."""
    given = {key: value for key, value in response.items() if value not in ("", None)}
    pin, account = str(given.pop("pin", "")), str(given.pop("account", ""))
    submitted = digest(given)
    try:
        with _refusing_the_unforeseen(reference):
            if _was_taken_before(place, reference, number, submitted):
                return "applied before"
            _take_kept_text(place, reference, given)
            order = as_order(given)
            handler_called(place, order.who)
            check_account(place.config, order.who, account)
            _refuse_unoffered(place, order)
            proof = prove(place, order, pin) if needs_proof(order) else ""
            return _apply(
                place,
                reference,
                number,
                order,
                submitted=submitted,
                seen=seen_in(given),
                proof=proof,
                account=account,
            )
    except Refused as refusal:
        _note_refusal(place, reference, number, str(refusal), given)
        return "refused"


def _apply(
    place: Records,
    reference: str,
    number: int,
    order: Order,
    *,
    submitted: str | None,
    seen: int | None,
    proof: str,
    account: str,
) -> str:
    with place.database.unit_of_work() as session:
        subject = ticket_called(session, reference)
        _hold_other(session, subject, order)
        row = desk_run_of(session, subject)
        if _is_of(row, number):
            return "applied before"
        history = _history_before(row, seen)
        refuse_if_decided_since(place, subject, history, ends=order.action in ENDS)
        row.applied = number
        row.was_done(order.who, order.action)
        if needs_proof(order) and not proof:
            ask_for_link(place, session, subject, order, history, account=account)
            return "asked for proof"
        carry_out(place, session, subject, order, proof=proof, account=account)
        row.last_done = submitted
    return "applied"


def _was_taken_before(place: Records, reference: str, number: int, submitted: str | None) -> bool:
    """Whether a form was dealt with already: looked at before its PIN is, so that a wrong one counts once.

    Prefect can say that it could not take an answer which it keeps, and its handler presses again.
    """
    with place.database.unit_of_work() as session:
        row = desk_run_of(session, ticket_called(session, reference))
        if not _is_of(row, number) and submitted and row.last_done == submitted:
            row.applied = number
        return row.applied == number


def _is_of(row: DeskRun, number: int) -> bool:
    """Whether this form is the one that was applied last; raises :class:`Refused` for one out of its turn."""
    if row.applied > number:
        raise Refused("a later form was answered before this one; nothing of this one was applied")
    if number > row.asked:  # our database was restored, and Prefect's was not
        raise Refused("this form is of another time; look at the card and decide again")
    return row.applied == number


def carry_out_confirmed(place: Records, number: int) -> str | None:
    """Do what somebody confirmed by the link in their mail; gives the ticket that it is about."""
    with place.database.reading() as session:
        confirmed = session.get_one(Confirmation, number)
        reference = confirmed.ticket.reference if confirmed.ticket else None
        action, wanted, who = confirmed.action, confirmed.wanted, confirmed.who
    try:
        with _refusing_the_unforeseen(reference or action):
            if reference is None:
                _was_done(place, number, bulk_acts.carry_out_confirmed(place, action, wanted, who))
            else:
                _carry_out_confirmed(place, number, reference, Order.model_validate(wanted))
    except Refused as refusal:
        _was_refused(place, number, str(refusal))
    return reference


def _carry_out_confirmed(place: Records, number: int, reference: str, order: Order) -> None:
    with place.database.unit_of_work() as session:
        subject = ticket_called(session, reference)
        _hold_other(session, subject, order)
        row = desk_run_of(session, subject)
        confirmed = session.get_one(Confirmation, number, with_for_update=True)
        if confirmed.done_at is not None:
            return
        row.was_done(order.who, order.action)
        handler_called(place, order.who)
        refuse_if_decided_since(place, subject, confirmed.seen, ends=order.action in ENDS)
        if order.action is Action.JOIN:
            other = ticket_called(session, order.belongs_to)
            refuse_if_closed_after(place, other, confirmed.made_at)
        carry_out(place, session, subject, order, proof="link", account=confirmed.account)
        confirmations.was_done(session, confirmed, confirmations.DONE, now=place.clock())


@contextmanager
def _refusing_the_unforeseen(work: str) -> Generator[None]:
    """Refuse what fails by an error that nobody foresaw, and tell the operator.

    Else it would be tried for ever, and an answer lie in Prefect as long; an outage passes by itself.
    """
    try:
        yield
    except Refused:
        raise
    except Exception as error:
        if outage(error):
            raise
        kind = type(error).__name__
        tell(f"{work}: {kind} at {place_of(error)}", logging.ERROR)
        raise Refused(f"it could not be applied ({kind}): tell who runs this") from None


def let_expire(place: Records) -> list[str]:
    """Let go of what nobody confirmed in time; gives the tickets whose cards say so, and keep the text."""
    with place.database.unit_of_work() as session:
        expired = confirmations.let_expire(session, place.clock())
        about = [
            (asked, asked.ticket, text) for asked, text in expired if asked.ticket and asked.ticket.is_open
        ]
        for asked, ticket, text in about:
            row = desk_run_of(session, ticket)
            row.was_refused(asked.who, because=NOT_IN_TIME, action=asked.action, text=text)
        return [ticket.reference for _, ticket, _ in about]


def _was_done(place: Records, number: int, outcome: str) -> None:
    with place.database.unit_of_work() as session:
        confirmed = session.get_one(Confirmation, number, with_for_update=True)
        confirmations.was_done(session, confirmed, outcome, now=place.clock())


def _was_refused(place: Records, number: int, because: str) -> None:
    """Record why what somebody confirmed was not done, and keep its text, before that is forgotten."""
    with place.database.unit_of_work() as session:
        confirmed = session.get_one(Confirmation, number)
        if confirmed.ticket is not None:
            row = desk_run_of(session, confirmed.ticket)
            session.refresh(confirmed, with_for_update=True)
            if confirmed.done_at is None:
                _keep_refusal(place, row, because, confirmed.wanted)
        confirmations.was_done(session, confirmed, f"{confirmations.NOT_DONE}{because}", now=place.clock())


def _hold_other(session: Session, subject: Ticket, order: Order) -> None:
    """A join changes two tickets, and holds both before anything else."""
    if order.action is Action.JOIN:
        joining.hold_both(session, subject, order.belongs_to)


def _take_kept_text(place: Records, reference: str, given: dict[str, Any]) -> None:
    """Put the text of what was refused in the place of one that is typed again, for the same act only."""
    if not given.pop("use_kept_text", False):
        return
    with place.database.reading() as session:
        row = session.get(DeskRun, ticket_called(session, reference).id)
        kept = ((row and row.not_done) or {}).get(str(given.get("who")))
    if kept is None or not kept["text"]:
        raise Refused("no text of yours is kept: type it, or untick it")
    if kept["action"] != given.get("action"):
        raise Refused(f"your kept text is for {kept['action']!r}: type another one, or untick it")
    given["text"] = "\n\n".join(filter(None, (kept["text"], given.get("text"))))


def _history_before(row: DeskRun, seen: int | None) -> int:
    """How much of the history the handler had before them; no card showed more than the last one."""
    if seen is None:
        return row.asked_after
    if not 0 <= seen <= row.asked_after:
        raise Refused(NOT_THE_CARDS)
    return seen


def _refuse_unoffered(place: Records, order: Order) -> None:
    """Refuse a name that the form did not offer, without saying it back: whatever was typed may be in it."""
    with place.database.reading() as session:
        owners = set(session.scalars(select(Owner.name)))
    handlers = {person.name for person in place.config.triage}
    known = {
        "assign_to": owners | handlers,
        "milestone": set(known_milestones(place.promise.statutory)),
        "template": set(answer_templates(place.config)),
    }
    for field, names in known.items():
        if getattr(order, field) and getattr(order, field) not in names:
            raise Refused(f"{field.replace('_', ' ')}: choose one of those that the form offers")


def _note_refusal(
    place: Records, reference: str, number: int, because: str, given: Mapping[str, Any]
) -> None:
    """Let the next card say why nothing was done, and keep the text for whoever wrote it."""
    with place.database.unit_of_work() as session:
        row = desk_run_of(session, ticket_called(session, reference))
        if row.applied == number:
            return
        row.asked = max(row.asked, number)
        row.applied = max(row.applied, number)
        _keep_refusal(place, row, because, given)


def _keep_refusal(place: Records, row: DeskRun, because: str, given: Mapping[str, Any]) -> None:
    who, action, text = (str(given.get(name) or "") for name in ("who", "action", "text"))
    if any(person.name == who for person in place.config.triage):
        row.was_refused(who, because=because, action=action, text=text if action in set(Action) else "")
    else:
        row.refused_because = because

"""What is done to many tickets at once, or seldom: each ticket by itself, so that one never stops the others.

A ticket that is as it should be already counts as done, or is refused: to do the same again is harmless,
but a secret link is sent anew as often as it is asked for, each time once the last has left. What cannot be
taken back is confirmed by a link in sealed mail, whatever `desk.second_factor` says: Prefect keeps the
parameters of a run for good, and a PIN among them. The desk carries it out then.
"""

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy.orm import Session

from ..models import acts, again, confirmations, forgetting, joining, resending
from ..models.confirmations import Confirmation
from ..models.duplicates import close_as_duplicate, is_duplicate_of, is_linked_to
from ..models.errors import Refused
from ..models.holding import hold
from ..models.outage import outage
from ..models.suggestions import main_ticket
from ..models.ticket import Ticket, ticket_called
from .acting import Action, carry_out
from .decided import refuse_if_closed_since, refuse_if_decided_since
from .desk import local
from .discretion import WorkFailed, discreet
from .filled_in import as_order
from .handlers import handler_called
from .installation import Records

CLOSE_AS_DUPLICATES, MERGE, FORGET = "close-as-duplicates", "merge", "forget"
LINK = "link"

#: How long the history of each ticket was when somebody asked for what they confirm.
Seen = Mapping[str, int]
#: What is done to a ticket; gives what was done, in words.
Act = Callable[["Doing", Ticket], str]


@dataclass(frozen=True)
class Doing:
    """One ticket's transaction: who does it, and when."""

    place: Records
    session: Session
    who: str
    now: datetime

    @property
    def move(self) -> dict[str, Any]:
        """What most verbs ask for. There is no reason: whoever acts on many tickets gives none in words."""
        return {"by": self.who, "because": "", "promise": self.place.promise, "now": self.now}

    def was_confirmed(self, ticket: Ticket, action: str) -> None:
        """Write into the history how we know who did it."""
        ticket.record("proved", by=self.who, at=self.now, action=action, proof=LINK)


@dataclass
class Outcome:
    """What came of each ticket: a line each, without a word of a report."""

    done: list[str] = field(default_factory=list[str])
    refused: list[str] = field(default_factory=list[str])
    possible: list[str] = field(default_factory=list[str])

    def __str__(self) -> str:
        """All of it, what was refused first."""
        return "\n".join([f"refused: {line}" for line in self.refused] + self.done) or "nothing to do"


def each(place: Records, references: Iterable[str], act: Act, who: str, *, only_try: bool = False) -> Outcome:
    """Do something to each ticket, in a transaction of its own; raises :class:`Refused` when none is named.

    With ``only_try`` all of it is taken back: for what would be refused. An outage of the database is let
    through: what was done until then is done, and to do it again is harmless.
    """
    handler_called(place, who)
    outcome = Outcome()
    for reference in dict.fromkeys(name for one in references if (name := one.strip().upper())):
        try:
            with _by_itself(reference), place.database.unit_of_work() as session:
                trial = session.begin_nested() if only_try else None
                ticket = ticket_called(session, reference)
                done = act(Doing(place, session, who, place.clock()), ticket)
                session.flush()
                if trial is not None:
                    trial.rollback()
        except WorkFailed as failure:
            outcome.refused.append(str(failure))
        else:
            outcome.possible.append(reference)
            outcome.done.append(f"{reference}: {done}")
    if not outcome.possible and not outcome.refused:
        raise Refused("no ticket is named: give their numbers, such as CVD-2026-0042")
    return outcome


@contextmanager
def _by_itself(reference: str) -> Generator[None]:
    """A refusal of ours says why, in words that may stand anywhere; what nobody foresaw, without any."""
    try:
        yield
    except Refused as refusal:
        raise WorkFailed(f"{reference}: {refusal}") from None
    except Exception as error:
        if outage(error):
            raise
        with discreet(reference):
            raise


def ask(place: Records, action: str, wanted: Mapping[str, Any], who: str) -> Confirmation:
    """Mail a handler the link by which this is confirmed; raises :class:`Refused`."""
    lasting = timedelta(hours=place.config.desk.confirm_hours)
    person = handler_called(place, who)
    with place.database.unit_of_work() as session:
        return confirmations.ask(
            session,
            ticket=None,
            who=person,
            action=action,
            wanted={**wanted, "seen": _seen(session, wanted)},
            seen=0,
            now=place.clock(),
            lasting=lasting,
        )


def _seen(session: Session, wanted: Mapping[str, Any]) -> Seen:
    """How long the history of each ticket is now, so that what is decided later is not overruled.

    So also of the one that they are to be joined with, and of the one that handlers work on for it.
    """
    tickets = [ticket_called(session, reference) for reference in tickets_in(wanted)]
    if "belongs_to" in wanted:
        other = ticket_called(session, _number(wanted))
        tickets += [other, main_ticket(session, other)]
    return {ticket.reference: len(ticket.history) for ticket in tickets}


def carry_out_confirmed(place: Records, action: str, wanted: Mapping[str, Any], who: str) -> str:
    """Do what was confirmed by a link; gives what came of it, a line for each ticket.

    Done twice it does nothing the second time. Raises :class:`Refused`, also where nothing was done.
    """
    outcome = each(place, tickets_in(wanted), act_of(action, wanted), who)
    if action == FORGET:
        place.database.empty_log()
    if outcome.refused and not outcome.done:
        raise Refused("\n".join(outcome.refused))
    return f"{confirmations.DONE_IN_PART}{outcome}" if outcome.refused else str(outcome)


def act_of(action: str, wanted: Mapping[str, Any]) -> Act:
    """What is done to each ticket by an act that has to be confirmed."""
    match action:
        case "close-as-duplicates":
            return partial(_close_as_duplicate, of=_number(wanted), seen=wanted.get("seen", {}))
        case "merge":
            return partial(_merge, into=_number(wanted), seen=wanted.get("seen", {}))
        case "forget":
            return _forget
        case _:
            raise Refused(f"{action!r} is nothing that can be confirmed here")


def tickets_in(wanted: Mapping[str, Any]) -> Sequence[str]:
    """The tickets that an act is about."""
    return [str(one) for one in wanted.get("tickets", ())]


def assign(on: Doing, ticket: Ticket, *, owner: str) -> str:
    """Hand a ticket to an owner."""
    if ticket.is_open and ticket.owner_name == owner.strip():
        return f"is with {owner.strip()} already"
    acts.assign(on.session, ticket, to=owner.strip(), by=on.who, because="", now=on.now)
    return f"assigned to {ticket.owner_name}"


def split(on: Doing, ticket: Ticket, *, owner: str) -> str:
    """Split a ticket in two."""
    part = again.split(on.session, ticket, owner_name=owner, **on.move)
    return f"split: {part.reference} is with {part.owner_name}"


def reopen(on: Doing, ticket: Ticket) -> str:
    """Take up a closed ticket again."""
    return f"taken up again as {again.reopen(on.session, ticket, **on.move).reference}"


def resend_link(on: Doing, ticket: Ticket) -> str:
    """Send the reporter a new secret link."""
    resending.resend_link(on.session, ticket, by=on.who, now=on.now)
    return "a new secret link is on its way to the reporter; the earlier ones open nothing any more"


def propose_embargo(on: Doing, ticket: Ticket, *, until: str, lift: bool) -> str:
    """Propose on a closed ticket until when both keep silent, or take back what was proposed."""
    moment = {"embargo_ends_at": until} if until.strip() else {}
    _do_on_closed(on, ticket, Action.LIFT if lift else Action.EMBARGO, **moment)
    if ticket.embargo_ends_at is None:
        return "the embargo is lifted"
    return f"silence is proposed until {local(on.place, ticket.embargo_ends_at)}"


def propose_publication(on: Doing, ticket: Ticket, *, day: str) -> str:
    """Propose on a closed ticket on which day to publish."""
    _do_on_closed(on, ticket, Action.PUBLICATION, publish_on=day)
    return f"{day} is proposed to publish on"


def _do_on_closed(on: Doing, ticket: Ticket, action: Action, **fields: str) -> None:
    """Do without a word of our own what the form does with one, where there is no form any more."""
    hold(on.session, ticket)
    if ticket.is_open:
        raise Refused(f"{ticket.reference} is open: propose it in the form of its run, with your reason")
    carry_out(on.place, on.session, ticket, as_order({"action": action, "who": on.who, **fields}))


def _close_as_duplicate(on: Doing, ticket: Ticket, *, of: str, seen: Seen) -> str:
    if is_duplicate_of(on.session, ticket, of):
        return f"is closed as a duplicate of {of} already"
    _refuse_what_changed_since(on, ticket, of, seen)
    close_as_duplicate(on.session, ticket, of=of, by=on.who, promise=on.place.promise, now=on.now)
    on.was_confirmed(ticket, CLOSE_AS_DUPLICATES)
    return f"closed as a duplicate of {of}"


def _merge(on: Doing, ticket: Ticket, *, into: str, seen: Seen) -> str:
    other = main_ticket(on.session, ticket_called(on.session, into))
    main = main_ticket(on.session, ticket)
    if main is not ticket and main is other:
        return f"is joined with {main.reference} already"
    if is_linked_to(ticket, other):
        return f"is linked to {other.reference} already, which is closed; it goes on by itself"
    _refuse_what_changed_since(on, ticket, into, seen)
    joining.join(on.session, ticket, to=into, **on.move)
    on.was_confirmed(ticket, MERGE)
    if ticket.is_open:
        return f"linked to {into}, which is closed; it goes on by itself"
    return f"joined with {main_ticket(on.session, ticket).reference}"


def _forget(on: Doing, ticket: Ticket) -> str:
    if not forgetting.forget(on.session, ticket, by=on.who, now=on.now):
        return "was forgotten before"
    on.was_confirmed(ticket, FORGET)
    return "forgotten; its copies leave the mailbox with the next audit"


def _refuse_what_changed_since(on: Doing, ticket: Ticket, to: str, seen: Seen) -> None:
    """Refuse to join what was decided on since it was asked, or with what was closed since."""
    joining.hold_both(on.session, ticket, to)
    if ticket.is_open and ticket.reference in seen:
        refuse_if_decided_since(on.place, ticket, seen[ticket.reference], ends=True)
    other = ticket_called(on.session, to)
    for one in (other, main_ticket(on.session, other)):
        if one.reference in seen:
            refuse_if_closed_since(on.place, one, seen[one.reference])


def _number(wanted: Mapping[str, Any]) -> str:
    return str(wanted["belongs_to"]).strip().upper()

"""What a ticket's history tells its reporter: the states, what we proposed, whether the problem is fixed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from ..models.progress import PROPOSALS
from ..models.standing import FIX_DEPLOYED, MILESTONE_EVENTS
from ..models.states import TicketState
from ..models.ticket import Event, Ticket

# The reporter is told why in these; a report that is confirmed or taken up needs no reason.
TOLD_WHY = frozenset({TicketState.INVALID, TicketState.DEFERRED, TicketState.CLOSED})


@dataclass(frozen=True)
class Move:
    """A change of state, with the reason that the reporter is told."""

    at: datetime
    to: TicketState
    because: str


@dataclass(frozen=True)
class Proposal:
    """What we proposed about making things known: silence until an instant, or a day to publish on.

    Neither is given where the silence was taken back.
    """

    at: datetime
    ends_at: datetime | None
    publish_on: date | None
    because: str


@dataclass(frozen=True)
class Fix:
    """That the problem was fixed, and when; no instant where that was taken back as an error."""

    at: datetime
    fixed_at: datetime | None


@dataclass(frozen=True)
class Told:
    """All of it, and why the last answer named no date (or empty)."""

    moves: tuple[Move, ...]
    proposals: tuple[Proposal, ...]
    fixes: tuple[Fix, ...]
    asked_at: frozenset[datetime]
    no_date_because: str

    @property
    def fixed_at(self) -> datetime | None:
        """When the problem was fixed, as it stands now."""
        return self.fixes[-1].fixed_at if self.fixes else None


def told_of(session: Session, ticket: Ticket) -> Told:
    """What the history of a ticket tells its reporter; one query."""
    kinds = ("moved", "answered", "asked", *PROPOSALS, *MILESTONE_EVENTS)
    found = select(Event.at, Event.kind, Event.facts, Event.because).where(
        Event.ticket_id == ticket.id, Event.kind.in_(kinds)
    )
    moves: list[Move] = []
    proposals: list[Proposal] = []
    fixes: list[Fix] = []
    asked_at: set[datetime] = set()
    no_date_because = ""
    for at, kind, facts, because in session.execute(found.order_by(Event.seq)):
        match kind:
            case "answered":
                no_date_because = because
            case "asked":
                asked_at.add(at)
            case "moved":
                to = TicketState(facts["to"])
                moves.append(Move(at, to, because if to in TOLD_WHY else ""))
            case _ if kind in PROPOSALS:
                proposals.append(_proposal(at, facts, because))
            case _ if facts["what"] == FIX_DEPLOYED:
                fixes.append(Fix(at, _instant(facts.get("happened_at"))))
            case _:
                pass
    return Told(_decided(ticket, moves), tuple(proposals), tuple(fixes), frozenset(asked_at), no_date_because)


def _decided(ticket: Ticket, moves: list[Move]) -> tuple[Move, ...]:
    """The changes of state that somebody decided: a ticket passes through others as it is closed."""
    return tuple(move for move in moves if move.to is TicketState.CLOSED or move.at != ticket.closed_at)


def _proposal(at: datetime, facts: Mapping[str, str], because: str) -> Proposal:
    day = facts.get("on")
    return Proposal(
        at=at,
        ends_at=_instant(facts.get("ends_at")),
        publish_on=date.fromisoformat(day) if day else None,
        because=because,
    )


def _instant(written: str | None) -> datetime | None:
    return datetime.fromisoformat(written) if written else None

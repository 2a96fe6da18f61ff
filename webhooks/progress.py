"""A ticket's way as a reporter sees it: the four steps, and what happened, the latest first."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from ..models.states import TicketState
from .status import Move, Proposal, Status

S = TicketState

#: Each step with the state that stands for it, and the one that may take its place.
STEPS: tuple[tuple[TicketState, ...], ...] = (
    (S.RECEIVED,),
    (S.VALID, S.INVALID),
    (S.ACCEPTED, S.DEFERRED),
    (S.CLOSED,),
)


class Place(StrEnum):
    """Where a step lies from here."""

    DONE = "done"
    NOW = "now"
    AHEAD = "ahead"
    PASSED_OVER = "passed_over"


@dataclass(frozen=True)
class Step:
    """One of the four steps, under the label of the state that it had or will have."""

    state: TicketState
    place: Place
    at: datetime | None


class Kind(StrEnum):
    """What sort of thing happened."""

    RECEIVED = "received"
    SHARED = "shared"
    MOVED = "moved"
    SILENCE = "silence"
    SILENCE_LIFTED = "silence_lifted"
    PUBLICATION = "publication"
    FIXED = "fixed"
    NOT_FIXED = "not_fixed"
    WE_WROTE = "we_wrote"
    WE_ASKED = "we_asked"
    YOU_WROTE = "you_wrote"


@dataclass(frozen=True)
class Happening:
    """One thing that happened; ``text`` is our message, or the reason of a move or a proposal."""

    at: datetime
    kind: Kind
    state: TicketState | None = None
    text: str = ""
    until: datetime | None = None
    on: date | None = None


def steps_of(status: Status) -> list[Step]:
    """The four steps from received to closed."""
    here = next(number for number, states in enumerate(STEPS) if status.state in states)
    arrival = Move(status.received_at, S.RECEIVED, "")
    return [_step(number, here, status.state, (arrival, *status.moves)) for number in range(len(STEPS))]


def _step(number: int, here: int, state: TicketState, moves: tuple[Move, ...]) -> Step:
    states = STEPS[number]
    if number > here:
        return Step(states[0], Place.AHEAD, None)
    last = next((move for move in reversed(moves) if move.to in states), None)
    if number == here:
        return Step(state, Place.NOW, last.at if last else None)
    if last is None:
        return Step(states[0], Place.PASSED_OVER, None)
    return Step(last.to, Place.DONE, last.at)


def happenings_of(status: Status) -> list[Happening]:
    """What happened, the latest first; of things at one instant, our words come on top."""
    return sorted(_happenings(status), key=lambda entry: entry.at)[::-1]


def _happenings(status: Status) -> Iterator[Happening]:
    yield Happening(status.received_at, Kind.RECEIVED)
    if status.sharing:
        yield Happening(status.sharing.at, Kind.SHARED)
    for move in status.moves:
        yield Happening(move.at, Kind.MOVED, state=move.to, text=move.because)
    yield from map(_proposed, status.proposals)
    for fix in status.fixes:
        yield Happening(fix.at, Kind.FIXED if fix.fixed_at else Kind.NOT_FIXED, until=fix.fixed_at)
    for letter in status.letters:
        if letter.text is None:
            yield Happening(letter.at, Kind.YOU_WROTE)
        else:
            yield Happening(letter.at, Kind.WE_ASKED if letter.asks else Kind.WE_WROTE, text=letter.text)


def _proposed(one: Proposal) -> Happening:
    if one.publish_on:
        return Happening(one.at, Kind.PUBLICATION, text=one.because, on=one.publish_on)
    kind = Kind.SILENCE if one.ends_at else Kind.SILENCE_LIFTED
    return Happening(one.at, kind, text=one.because, until=one.ends_at)

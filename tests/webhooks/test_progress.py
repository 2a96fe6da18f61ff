"""The four steps, and what happened."""

from datetime import timedelta

import pytest
from meldbalie.models.states import TicketState as S
from meldbalie.tests.webhooks.installation import ARRIVAL
from meldbalie.webhooks.progress import Kind, Place, happenings_of, steps_of
from meldbalie.webhooks.status import Letter, Move, Proposal, Sharing, Status

HOUR = timedelta(hours=1)


def status(
    *states: S,
    letters: tuple[Letter, ...] = (),
    sharing: Sharing | None = None,
    proposals: tuple[Proposal, ...] = (),
) -> Status:
    return Status(
        reference="CVD-2026-0042",
        state=states[-1] if states else S.RECEIVED,
        close_reason=None,
        waiting_on=None,
        received_at=ARRIVAL,
        closed_at=None,
        response=None,
        expected_fix_on=None,
        fix_is_late=False,
        fixed_at=None,
        embargo_ends_at=None,
        embargo_has_ended=False,
        publish_on=None,
        sharing=sharing,
        credit="unasked",
        shares_identity=False,
        moves=tuple(Move(ARRIVAL + n * HOUR, state, "") for n, state in enumerate(states, start=1)),
        proposals=proposals,
        fixes=(),
        letters=letters,
    )


@pytest.mark.parametrize(
    ("states", "steps"),
    [
        ((), "RECEIVED now, VALID ahead, ACCEPTED ahead, CLOSED ahead"),
        ((S.INVALID,), "RECEIVED done, INVALID now, ACCEPTED ahead, CLOSED ahead"),
        ((S.INVALID, S.VALID), "RECEIVED done, VALID now, ACCEPTED ahead, CLOSED ahead"),
        ((S.VALID, S.ACCEPTED), "RECEIVED done, VALID done, ACCEPTED now, CLOSED ahead"),
        ((S.VALID, S.DEFERRED), "RECEIVED done, VALID done, DEFERRED now, CLOSED ahead"),
        ((S.VALID, S.DEFERRED, S.ACCEPTED), "RECEIVED done, VALID done, ACCEPTED now, CLOSED ahead"),
        ((S.INVALID, S.CLOSED), "RECEIVED done, INVALID done, ACCEPTED passed_over, CLOSED now"),
        ((S.VALID, S.ACCEPTED, S.CLOSED), "RECEIVED done, VALID done, ACCEPTED done, CLOSED now"),
    ],
)
def test_the_steps_follow_the_way_that_a_report_took(states: tuple[S, ...], steps: str) -> None:
    found = steps_of(status(*states))

    assert ", ".join(f"{step.state.value} {step.place.value}" for step in found) == steps
    assert all((step.at is None) == (step.place in (Place.AHEAD, Place.PASSED_OVER)) for step in found)


def test_what_happened_is_told_the_latest_first() -> None:
    told = happenings_of(
        status(
            S.VALID,
            letters=(Letter(ARRIVAL + 2 * HOUR, "Dear reporter"), Letter(ARRIVAL + 3 * HOUR, None)),
            sharing=Sharing(ARRIVAL + HOUR / 2, with_identity=False),
        )
    )

    assert [entry.kind for entry in told] == [
        Kind.YOU_WROTE,
        Kind.WE_WROTE,
        Kind.MOVED,
        Kind.SHARED,
        Kind.RECEIVED,
    ]


def test_an_answer_stands_above_the_change_of_state_of_the_same_instant() -> None:
    told = happenings_of(status(S.VALID, letters=(Letter(ARRIVAL + HOUR, "Confirmed, thank you"),)))

    assert [entry.kind for entry in told] == [Kind.WE_WROTE, Kind.MOVED, Kind.RECEIVED]


def test_proposals_stand_among_what_happened_with_their_reasons() -> None:
    until, day = ARRIVAL + 9 * HOUR, (ARRIVAL + 48 * HOUR).date()
    told = happenings_of(
        status(
            proposals=(
                Proposal(ARRIVAL + HOUR, until, None, "to mend it"),
                Proposal(ARRIVAL + 2 * HOUR, None, None, "it is known"),
                Proposal(ARRIVAL + 3 * HOUR, None, day, ""),
            )
        )
    )

    assert [(one.kind, one.until, one.on, one.text) for one in told] == [
        (Kind.PUBLICATION, None, day, ""),
        (Kind.SILENCE_LIFTED, None, None, "it is known"),
        (Kind.SILENCE, until, None, "to mend it"),
        (Kind.RECEIVED, None, None, ""),
    ]

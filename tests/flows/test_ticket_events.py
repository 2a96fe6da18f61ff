"""What happens to tickets reaches Prefect as events: all of it, once, and only what may be known there."""

import socket
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from meldbalie.flows import ticket_events
from meldbalie.flows.desk import prefect_api as prefect_client
from meldbalie.flows.installation import Installation
from meldbalie.flows.ticket_events import AT_A_TIME, NAME, TO_BE_WRITTEN, UNDER_WAY, emit_pending
from meldbalie.models.cursors import Cursor
from meldbalie.models.desk import desk_run_of
from meldbalie.models.migrate import migrate
from meldbalie.models.session import Database
from meldbalie.models.states import CloseReason, TicketState
from meldbalie.models.ticket import Event, Ticket, ticket_called
from meldbalie.tests.flows.glances import goes_round, history, what_prefect_keeps
from meldbalie.tests.flows.world import World
from meldbalie.tests.ports import free_port
from meldbalie.tests.postgres import PostgresServer
from meldbalie.tests.prefect_server import PrefectServer
from meldbalie.tests.waiting import until
from prefect.events.filters import EventFilter, EventNameFilter, EventOccurredFilter
from prefect.events.schemas.events import ReceivedEvent
from prefect.settings import PREFECT_API_URL, temporary_settings
from sqlalchemy import select

FIRST = "CVD-2026-0001"
RUN = "0190b8a0-0000-7000-8000-000000000042"
CANARY = "kanarie-0611"


@pytest.fixture
def told(world: World) -> World:
    """An installation that is followed from now on; of this very moment, for a history of its own."""
    world.present.now = datetime.now(UTC)
    assert emit_pending(world.place) == 0
    return world


def opens(place: Installation, reference: str = FIRST) -> None:
    now = place.clock()
    with place.database.unit_of_work() as session:
        session.add(Ticket(reference=reference, arrived_at=now, opened_at=now, version=1))


def happens(place: Installation, kind: str, reference: str = FIRST, **facts: object) -> None:
    with place.database.unit_of_work() as session:
        ticket_called(session, reference).record(kind, by="Balie", at=place.clock(), **facts)  # type: ignore[arg-type]


def fails_halfway(place: Installation) -> None:
    with place.database.unit_of_work() as session:
        ticket_called(session, FIRST).record("called_spam", by="Balie", at=place.clock())
        session.flush()
        raise ZeroDivisionError


def heard(place: Installation) -> list[ReceivedEvent]:
    """What Prefect has written down of the last hour of this installation, the oldest first."""
    hour = EventOccurredFilter(since=place.clock() - timedelta(hours=1), until=place.clock())
    names = EventNameFilter(prefix=["meldbalie.ticket."])
    with prefect_client() as client:
        found = client.read_events(EventFilter(event=names, occurred=hour), limit=50).events
    with place.database.reading() as session:
        ours = {event.id for one in ticket_events._told(session, after=0) for event in one.events}
    return sorted((event for event in found if event.id in ours), key=lambda event: event.payload["number"])


def hears(place: Installation, number: int) -> list[ReceivedEvent]:
    """The same, once there are so many."""
    return until(lambda: found if len(found := heard(place)) >= number else None, f"{number} events")


def cursor(place: Installation) -> Cursor:
    with place.database.reading() as session:
        return session.get_one(Cursor, NAME)


def test_all_that_happens_to_a_ticket_is_told_with_its_own_time_and_what_it_is_about(told: World) -> None:
    told.arrives(told.reports())
    goes_round(told)
    [reference] = told.tickets()
    with told.place.database.unit_of_work() as session:
        desk_run_of(session, ticket_called(session, reference)).run_id = RUN
    kinds = history(told, reference)

    assert emit_pending(told.place) == len(kinds)
    assert emit_pending(told.place) == 0

    events = hears(told.place, len(kinds))
    assert [event.event for event in events] == [f"meldbalie.ticket.{kind}" for kind in kinds]
    with told.place.database.reading() as session:
        ticket = ticket_called(session, reference)
        assert [event.occurred for event in events] == [entry.at for entry in ticket.history]
        owner = ticket.owner_name
    routed = next(event for event in events if event.event.endswith(".routed"))
    assert (routed.resource.id, routed.resource.name) == (f"meldbalie.ticket.{reference}", reference)
    assert (routed.resource["meldbalie.fact.owner"], routed.payload["facts"]) == (owner, {"owner": owner})
    stands = [routed.resource[f"meldbalie.{what}"] for what in ("state", "owner", "severity", "waiting_on")]
    assert stands == ["RECEIVED", owner, "unrated", "handler"]
    assert {one.role: (one.id, one.name) for one in routed.related} == {
        "owner": ("meldbalie.owner.1", owner),
        "flow-run": (f"prefect.flow-run.{RUN}", reference),
    }


def test_a_closing_and_a_deadline_that_has_passed_have_names_of_their_own(told: World) -> None:
    opens(told.place)
    with told.place.database.unit_of_work() as session:
        ticket = ticket_called(session, FIRST)
        for state in (TicketState.VALID, TicketState.ACCEPTED, TicketState.CLOSED):
            ticket.move_to(state, by="Balie", at=told.present())
        ticket.close_reason = CloseReason.REMEDIATED
    happens(told.place, "escalated", clock="response", rung="80%", breached=False)
    happens(told.place, "escalated", clock="response", rung="100% + 3 days", breached=True)

    assert emit_pending(told.place) == 7

    facts = {event.event.rpartition(".")[2]: event.payload["facts"] for event in hears(told.place, 7)}
    assert facts == {
        "moved": {"from": "ACCEPTED", "to": "CLOSED"},
        "closed": {"reason": "remediated"},
        "escalated": {"clock": "response", "rung": "100% + 3 days", "breached": True},
        "overdue": {"clock": "response", "rung": "100% + 3 days", "breached": True},
    }


def test_what_may_not_be_known_does_not_leave(told: World, prefect_api: PrefectServer) -> None:
    opens(told.place)
    happens(
        told.place,
        "answered",
        because=f"{CANARY} reason",
        text=CANARY,
        problem=f"{CANARY}@onderzoek.example",
        what=f"what {CANARY} said",
        rung=f"80% {CANARY}",
        to=CANARY,
        owner=f"{CANARY} of no directory",
        other=f"{FIRST} {CANARY}",
        on={"of": CANARY},
        score=[CANARY],
        fix_on="2026-12-15",
    )

    assert emit_pending(told.place) == 1

    (event,) = hears(told.place, 1)
    assert event.payload["facts"] == {"fix_on": "2026-12-15"}
    assert CANARY.encode() not in what_prefect_keeps(prefect_api, once_it_has=str(event.id))


def test_a_history_of_before_is_not_told(world: World) -> None:
    world.present.now = datetime.now(UTC)
    opens(world.place)
    happens(world.place, "opened")

    assert emit_pending(world.place) == 0
    happens(world.place, "called_spam")

    assert emit_pending(world.place) == 1
    assert [event.event for event in hears(world.place, 1)] == ["meldbalie.ticket.called_spam"]


def test_a_server_that_is_away_or_hangs_is_told_when_it_is_back(
    told: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ticket_events, "SECONDS", 0.2)
    opens(told.place)
    happens(told.place, "opened")
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        for port in (free_port(), deaf.getsockname()[1]):
            with temporary_settings({PREFECT_API_URL: f"http://127.0.0.1:{port}/api"}):
                for _ in range(2):
                    assert emit_pending(told.place) == 0
                    told.present.passes(seconds=TO_BE_WRITTEN.total_seconds())
    happens(told.place, "called_spam")

    assert emit_pending(told.place) == 2
    assert [event.event.rpartition(".")[2] for event in hears(told.place, 2)] == ["opened", "called_spam"]
    told.present.now += TO_BE_WRITTEN
    assert emit_pending(told.place) == 0
    assert (cursor(told.place).settled, cursor(told.place).sent_at) == (cursor(told.place).sent, None)


def test_what_was_sent_is_looked_for_and_sent_again_only_where_it_is_missing(told: World) -> None:
    opens(told.place)
    happens(told.place, "opened")
    assert emit_pending(told.place) == 1
    hears(told.place, 1)
    with temporary_settings({PREFECT_API_URL: f"http://127.0.0.1:{free_port()}/api"}):
        happens(told.place, "called_spam")
        assert emit_pending(told.place) == 0

    numbers = list[int]()
    for _ in range(3):
        told.present.now += TO_BE_WRITTEN
        numbers.append(emit_pending(told.place))

    assert numbers == [0, 1, 0]
    assert len(hears(told.place, 2)) == 2
    assert cursor(told.place).sent_at is None


def test_an_event_that_is_sent_twice_is_one_event(told: World) -> None:
    opens(told.place)
    for _ in range(2):
        happens(told.place, "opened")
        with told.place.database.unit_of_work() as session:
            row = session.get_one(Cursor, NAME)
            row.settled = row.doubtful = row.sent = 0
            row.sent_at = None
        emit_pending(told.place)

    assert [event.payload["number"] for event in hears(told.place, 2)] == [1, 2]


def test_a_long_history_is_told_in_pieces(told: World) -> None:
    opens(told.place)
    with told.place.database.unit_of_work() as session:
        ticket = ticket_called(session, FIRST)
        for _ in range(AT_A_TIME + 1):
            ticket.record("message", by="from_reporter", at=told.present())

    assert [emit_pending(told.place) for _ in range(3)] == [AT_A_TIME, 1, 0]


def test_a_number_that_postgresql_shows_late_is_told_and_one_that_never_comes_is_passed(
    told: World, postgres_server: PostgresServer
) -> None:
    with ExitStack() as stack:
        database = Database(postgres_server.url(stack.enter_context(postgres_server.new_database())))
        stack.callback(database.close)
        migrate(database)
        place = replace(told.place, database=database)
        assert emit_pending(place) == 0
        for reference in (FIRST, "CVD-2026-0002"):
            opens(place, reference)
        with place.database.unit_of_work() as session:
            ticket_called(session, FIRST).record("opened", by="intake", at=place.clock())
            session.flush()
            happens(place, "opened", "CVD-2026-0002")
            assert [emit_pending(place) for _ in range(2)] == [0, 0]
        assert emit_pending(place) == 2
        hears(place, 2)

        with pytest.raises(ZeroDivisionError):
            fails_halfway(place)
        happens(place, "called_spam", "CVD-2026-0002")
        assert emit_pending(place) == 0
        told.present.now += UNDER_WAY
        assert emit_pending(place) == 1
        with place.database.reading() as session:
            assert cursor(place).sent == max(session.scalars(select(Event.id)))

"""A ticket moves only as the table of states says, and its history shows whatever was done to it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from meldbalie.models.errors import IllegalMove, UnknownTicket
from meldbalie.models.session import Database
from meldbalie.models.states import CLOSE_LABELS, NEXT_STATES, STATE_LABELS, CloseReason, TicketState
from meldbalie.models.ticket import Event, Ticket, first_broken_link, ticket_called
from sqlalchemy import delete, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
NewTicket = Callable[[Session], Ticket]

ALLOWED = {
    "RECEIVED": {"VALID", "INVALID"},
    "INVALID": {"VALID", "CLOSED"},
    "VALID": {"ACCEPTED", "DEFERRED"},
    "ACCEPTED": {"DEFERRED", "CLOSED"},
    "DEFERRED": {"ACCEPTED", "CLOSED"},
    "CLOSED": set[str](),
}


def _ticket(state: TicketState = TicketState.RECEIVED) -> Ticket:
    return Ticket(reference="CVD-2026-0042", state=state, arrived_at=NOW, opened_at=NOW)


@pytest.mark.parametrize("then", TicketState)
@pytest.mark.parametrize("now", TicketState)
def test_a_ticket_moves_where_its_state_leads_and_nowhere_else(now: TicketState, then: TicketState) -> None:
    ticket = _ticket(now)

    if then.value in ALLOWED[now.value]:
        entry = ticket.move_to(then, by="handler", at=NOW, because="seen")
        assert ticket.state is then
        assert (entry.kind, entry.actor, entry.because) == ("moved", "handler", "seen")
        assert entry.facts == {"from": now.value, "to": then.value}
        assert ticket.closed_at == (NOW if then is TicketState.CLOSED else None)
    else:
        with pytest.raises(IllegalMove, match="CVD-2026-0042 is"):
            ticket.move_to(then, by="handler", at=NOW)
        assert (ticket.state, ticket.history, ticket.closed_at) == (now, [], None)


def test_every_state_and_every_close_reason_has_a_label_in_both_languages() -> None:
    assert set(NEXT_STATES) == set(STATE_LABELS) == set(TicketState)
    assert set(CLOSE_LABELS) == set(CloseReason)
    assert all(all(labels) for labels in (*STATE_LABELS.values(), *CLOSE_LABELS.values()))


def test_a_refusal_says_what_is_possible_instead() -> None:
    with pytest.raises(IllegalMove) as from_received:
        _ticket().move_to(TicketState.CLOSED, by="handler", at=NOW)
    with pytest.raises(IllegalMove) as from_closed:
        _ticket(TicketState.CLOSED).move_to(TicketState.VALID, by="handler", at=NOW)

    assert str(from_received.value) == (
        "CVD-2026-0042 is Received and cannot become Closed; it can become Confirmed or Not confirmed"
    )
    assert str(from_closed.value) == "CVD-2026-0042 is Closed; a new message opens a linked ticket"


@pytest.fixture
def with_history(database: Database, new_ticket: NewTicket) -> int:
    """The number of a ticket that five things happened to, told in the organisation's own zone."""
    at = NOW.astimezone(ZoneInfo("Europe/Amsterdam")).replace(microsecond=123456)
    with database.unit_of_work() as session:
        ticket = new_ticket(session)
        ticket.record("opened", by="intake", at=at, arrived_at=at.isoformat())
        ticket.move_to(TicketState.VALID, by="handler", at=at + timedelta(hours=1), because="naïve\ud800")
    with database.unit_of_work() as session:
        ticket = session.get_one(Ticket, ticket.id)
        ticket.move_to(TicketState.DEFERRED, by="handler", at=at + timedelta(days=1))
        ticket.record("message", by="reporter", at=at + timedelta(days=2), number=7, none=None, yes=True)
        ticket.move_to(TicketState.CLOSED, by="handler", at=at + timedelta(days=3))
    return ticket.id


def _broken(database: Database, ticket_id: int) -> int | None:
    with database.reading() as session:
        entry = first_broken_link(session.get_one(Ticket, ticket_id))
        return entry.seq if entry else None


def test_an_untouched_history_holds(database: Database, with_history: int) -> None:
    assert _broken(database, with_history) is None
    with database.reading() as session:
        history = session.get_one(Ticket, with_history).history
        assert [entry.seq for entry in history] == [1, 2, 3, 4, 5]
        assert history[0].at == datetime(2026, 11, 21, 12, 0, 0, 123456, tzinfo=UTC)


@pytest.mark.parametrize(
    ("alteration", "found"),
    [
        ("UPDATE events SET actor = 'nobody' WHERE seq = 3", 3),
        ("UPDATE events SET kind = 'routed' WHERE seq = 1", 1),
        ("UPDATE events SET at = '2026-11-20 12:00:00' WHERE seq = 5", 5),
        ("""UPDATE events SET facts = '{"from": "VALID", "to": "CLOSED"}' WHERE seq = 3""", 3),
        ("UPDATE events SET because = (SELECT because FROM events WHERE seq = 1) WHERE seq = 2", 2),
        ("UPDATE events SET seq = 9 WHERE seq = 4", 5),
        ("UPDATE events SET seq = 9 WHERE seq = 5", 9),
        ("UPDATE events SET digest = previous WHERE seq = 2", 2),
        ("UPDATE events SET previous = digest WHERE seq = 2", 2),
        ("DELETE FROM events WHERE seq = 1", 2),
        ("DELETE FROM events WHERE seq = 3", 4),
        ("UPDATE tickets SET reference = 'CVD-2026-9999'", 1),
    ],
)
def test_what_somebody_altered_in_the_database_is_found(
    database: Database, with_history: int, alteration: str, found: int
) -> None:
    with database.unit_of_work() as session:
        session.execute(text(alteration.replace(":", "\\:")))

    assert _broken(database, with_history) == found


def test_history_can_be_neither_altered_nor_removed(database: Database, with_history: int) -> None:
    def alter(session: Session) -> None:
        session.get_one(Ticket, with_history).history[1].actor = "nobody"

    def remove(session: Session) -> None:
        session.delete(session.get_one(Ticket, with_history).history[1])

    def alter_in_bulk(session: Session) -> None:
        session.execute(update(Event).values(actor="nobody"))

    def remove_in_bulk(session: Session) -> None:
        session.execute(delete(Event).where(Event.seq > 1))

    for act in (alter, remove, alter_in_bulk, remove_in_bulk):
        with pytest.raises(IllegalMove, match="history"), database.unit_of_work() as session:
            act(session)

    assert _broken(database, with_history) is None


def test_of_two_who_move_a_ticket_at_the_same_time_one_is_refused(
    database: Database, new_ticket: NewTicket
) -> None:
    with database.unit_of_work() as session:
        seen_by_one = new_ticket(session)
        assert seen_by_one.history == []
    with database.unit_of_work() as session:
        session.get_one(Ticket, seen_by_one.id).move_to(TicketState.VALID, by="two", at=NOW)

    seen_by_one.move_to(TicketState.INVALID, by="one", at=NOW)
    with pytest.raises(StaleDataError), database.unit_of_work() as session:
        session.add(seen_by_one)

    with database.reading() as session:
        ticket = session.scalars(select(Ticket)).one()
        assert (ticket.state, [entry.actor for entry in ticket.history]) == (TicketState.VALID, ["two"])


def test_two_events_cannot_have_the_same_place_in_a_history(
    database: Database, new_ticket: NewTicket
) -> None:
    with database.unit_of_work() as session:
        seen_by_one = new_ticket(session)
        assert seen_by_one.history == []
    with database.unit_of_work() as session:
        session.get_one(Ticket, seen_by_one.id).record("message", by="two", at=NOW)

    seen_by_one.record("message", by="one", at=NOW)
    with pytest.raises(IntegrityError), database.unit_of_work() as session:
        session.add(seen_by_one)


def test_a_naive_instant_is_refused(database: Database, new_ticket: NewTicket) -> None:
    with pytest.raises(Exception, match="give an aware datetime"), database.unit_of_work() as session:
        new_ticket(session).record("message", by="one", at=NOW.replace(tzinfo=None))


def test_a_ticket_is_found_by_its_reference(database: Database, new_ticket: NewTicket) -> None:
    with database.unit_of_work() as session:
        ticket = new_ticket(session)

        assert ticket_called(session, ticket.reference) is ticket
        with pytest.raises(UnknownTicket, match="there is no ticket CVD-2026-9999"):
            ticket_called(session, "CVD-2026-9999")


def test_a_credit_wish_that_nobody_knows_is_refused_by_the_database(
    database: Database, new_ticket: NewTicket
) -> None:
    with pytest.raises(IntegrityError), database.unit_of_work() as session:
        new_ticket(session).reporter.credit = "fame"


def test_a_reference_is_given_once(database: Database, new_ticket: NewTicket) -> None:
    with database.unit_of_work() as session:
        reference = new_ticket(session).reference

    with pytest.raises(IntegrityError), database.unit_of_work() as session:
        session.add(Ticket(reference=reference, arrived_at=NOW, opened_at=NOW))
    with database.reading() as session:
        assert len(session.scalars(select(Ticket)).all()) == 1

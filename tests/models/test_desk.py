"""Which run shows which ticket, whoever asks first."""

from meldbalie.models.desk import DeskRun, desk_run_of
from meldbalie.models.session import Database
from meldbalie.models.ticket import ticket_called
from meldbalie.tests.models.reports import reported, together
from sqlalchemy import select, text


def ask(database: Database, reference: str) -> int:
    """Number the next form of a ticket."""
    with database.unit_of_work() as session:
        row = desk_run_of(session, ticket_called(session, reference))
        row.asked += 1
        return row.asked


def test_a_ticket_has_one_run_from_the_first_time_that_it_is_asked_for(database: Database) -> None:
    reference = reported(database)

    with database.unit_of_work() as session:
        ticket = ticket_called(session, reference)
        row = desk_run_of(session, ticket)
        assert (row.run_id, row.made, row.asked, row.asked_after, row.applied) == (None, 0, 0, 0, 0)
        assert desk_run_of(session, ticket) is row

    assert [ask(database, reference) for _ in range(3)] == [1, 2, 3]


def test_two_who_ask_for_a_run_at_once_get_the_same(database: Database) -> None:
    reference = reported(database)

    assert sorted(together(lambda: ask(database, reference))) == [1, 2, 3, 4]
    with database.reading() as session:
        assert session.scalars(select(DeskRun)).one().asked == 4


def test_why_a_form_was_refused_does_not_lie_in_the_clear(database: Database) -> None:
    reference = reported(database)
    with database.unit_of_work() as session:
        desk_run_of(session, ticket_called(session, reference)).refused_because = "the kanarie is no owner"

    with database.reading() as session:
        assert "kanarie" not in repr(session.execute(text("SELECT * FROM desk_runs")).one())
        assert desk_run_of(session, ticket_called(session, reference)).refused_because

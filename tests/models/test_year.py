"""A simulated year in small: what it is made of is told in `tests/year`; `make year` lives the whole one."""

from meldbalie.models.session import Database
from meldbalie.tests.year.script import make_script
from meldbalie.tests.year.whole import Lived, live_and_look

TICKETS = 20
KILLS = 0.05  # of all that is ordered


def look(year: Lived) -> None:
    """All that can happen did, and nothing of it went wrong."""
    assert year.found.wrong == []
    assert year.found.counted["tickets"] == TICKETS
    for what in ("rungs that fired", "rungs superseded", "acknowledgements", "mails called off"):
        assert year.found.counted[what] > 0, what
    assert year.diary.counted["kills"] > 0


def test_in_a_year_each_rung_fires_once_and_in_time_however_often_the_sweeper_is_killed(
    sqlite_database: Database,
) -> None:
    look(live_and_look(sqlite_database, seed=1, tickets=TICKETS, response="5d", sweepers=1, kills=KILLS))


def test_in_a_year_two_sweepers_at_once_that_are_both_killed_fire_each_rung_once_and_in_time(
    postgres_database: Database,
) -> None:
    look(live_and_look(postgres_database, seed=3, tickets=TICKETS, response="5wd", sweepers=2, kills=KILLS))


def test_the_same_seed_tells_the_same_year() -> None:
    assert make_script(1, 50) == make_script(1, 50)
    assert make_script(1, 50) != make_script(2, 50)

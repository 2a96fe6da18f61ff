"""A new calendar: who moves, who would, and that it is told once, whatever happens to those who wind."""

import argparse
import os
import signal
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from meldbalie.__main__ import main
from meldbalie.flows.calendars import follow_calendar, wind_anew
from meldbalie.flows.installation import Records, working_time
from meldbalie.flows.operator import calendar as command
from meldbalie.models import acts
from meldbalie.models.calendar import Duration
from meldbalie.models.calendar_versions import (
    CalendarVersion,
    changes,
    latest_version,
    make_version,
    proposed,
)
from meldbalie.models.clocks import Clock, ClockKind
from meldbalie.models.due import calendar_from
from meldbalie.models.rewinding import Moved, would_move
from meldbalie.models.session import Database
from meldbalie.models.ticket import Event, first_broken_link, ticket_called
from meldbalie.models.winding import wind
from meldbalie.settings import Settings, WorkingTime
from meldbalie.tests.models.conftest import (
    application_key,
    database,
    postgres_database,
    postgres_template,
    sqlite_database,
)
from meldbalie.tests.models.reports import ANONYMOUS, PROMISE, clock_of, reported
from sqlalchemy import func, select
from sqlalchemy.orm import Session

__all__ = ["application_key", "database", "postgres_database", "postgres_template", "sqlite_database"]

ARRIVAL = datetime(2026, 12, 21, 9, 0, tzinfo=UTC)  # Monday, 10:00 in Amsterdam
NOW = datetime(2026, 12, 21, 12, 0, tzinfo=UTC)
LATER = datetime(2026, 12, 26, 12, 0, tzinfo=UTC)
#: 22, 23, 24 December, then Christmas and a weekend, 28, 29: the fifth working day.
DUE = datetime(2026, 12, 29, 9, 0, tzinfo=UTC)
#: 22, 23, then closed until 4 January, 4, 5, 6: the fifth.
DUE_WITH_CLOSURE = datetime(2027, 1, 6, 9, 0, tzinfo=UTC)
CLOSURE = {f"2026-12-{day}": "Kerstsluiting" for day in (24, 28, 29, 30, 31)}


def desk_on(database: Database, **time: Any) -> Records:
    """What a command works with, on this database, with a response in five working days."""
    config = Settings(working_time=WorkingTime(**time))
    calendar = calendar_from(working_time(config))
    promise = replace(PROMISE, response=Duration.parse("5wd"), calendar=calendar)
    return Records(config=config, database=database, promise=promise, clock=lambda: NOW)


@pytest.fixture
def place(database: Database) -> Records:
    """A desk with the first version of its calendar."""
    made = desk_on(database)
    assert follow_calendar(made, print) == []
    return made


def arrives(place: Records, many: int = 1) -> list[str]:
    """Reports that arrive on the Monday before Christmas."""
    report = replace(ANONYMOUS, arrived_at=ARRIVAL)
    return [reported(place.database, report, place.promise, now=ARRIVAL, owner=None) for _ in range(many)]


def closes(place: Records, days: dict[str, str]) -> CalendarVersion | None:
    """Somebody says when the organisation is closed."""
    with place.database.unit_of_work() as session:
        return made_by(session, place, days)


def made_by(session: Session, place: Records, days: dict[str, str]) -> CalendarVersion | None:
    settings = working_time(place.config)
    return make_version(session, settings, place.promise, own_days=days, by="Fatima", now=NOW)


def due_of(place: Records, reference: str) -> datetime:
    with place.database.reading() as session:
        return clock_of(session, reference).due_at


def told_moves(place: Records, reference: str) -> list[tuple[str, str]]:
    """The moves that stand in a ticket's history, whose chain must hold."""
    with place.database.reading() as session:
        ticket = ticket_called(session, reference)
        assert first_broken_link(ticket) is None
        moves = [entry.facts for entry in ticket.history if entry.kind == "clock_moved"]
    return [(facts["clock"], facts["to"]) for facts in moves]


def test_a_closure_moves_what_is_open_and_its_removal_moves_it_back(place: Records) -> None:
    [reference] = arrives(place)
    assert due_of(place, reference) == DUE

    closes(place, CLOSURE)
    lines: list[str] = []
    assert wind_anew(place, lines.append) == []

    assert due_of(place, reference) == DUE_WITH_CLOSURE
    assert lines == [
        "CVD-2026-0001  response    due Tue 29 Dec 10:00 2026 -> Wed 06 Jan 10:00 2027",
    ]
    assert told_moves(place, reference) == [("response", DUE_WITH_CLOSURE.isoformat())]

    closes(place, {})
    assert wind_anew(place, lines.append) == []
    assert due_of(place, reference) == DUE
    assert [to for _, to in told_moves(place, reference)] == [DUE_WITH_CLOSURE.isoformat(), DUE.isoformat()]


def test_what_has_been_wound_is_not_wound_again(place: Records) -> None:
    [reference] = arrives(place)
    closes(place, CLOSURE)
    wind_anew(place, print)
    lines: list[str] = []

    assert wind_anew(place, lines.append) == []
    assert follow_calendar(place, lines.append) == []

    assert lines == []
    assert len(told_moves(place, reference)) == 1


def test_a_preview_says_what_an_import_then_does_and_changes_nothing(place: Records) -> None:
    references = arrives(place, 3)
    with place.database.unit_of_work() as session:
        acts.answer(
            session, ticket_called(session, references[0]), text="We fix it.", fix_on=None,
            no_date_because="The supplier", by="Fatima", promise=place.promise, now=NOW,
        )  # fmt: skip
    with place.database.reading() as session:
        content, _ = proposed(None, working_time(place.config), place.promise, CLOSURE)
        foretold = list(would_move(session, content))
        events = session.scalar(select(func.count(Event.id)))

    assert {one.reference for one in foretold} >= set(references[1:])
    assert Moved(references[1], "response", DUE, DUE_WITH_CLOSURE) in foretold
    assert due_of(place, references[1]) == DUE
    closes(place, CLOSURE)
    wind_anew(place, print)
    moves = [(one.reference, one.clock, one.then.isoformat()) for one in foretold]
    assert moves == [(ref, clock, to) for ref in references for clock, to in told_moves(place, ref)]
    with place.database.reading() as session:
        assert session.scalar(select(func.count(Event.id))) == (events or 0) + len(foretold)


def test_a_change_of_the_settings_makes_one_version_however_many_sweep(place: Records) -> None:
    [reference] = arrives(place)
    changed = desk_on(place.database, hours={day: [("09:00", "17:00")] for day in ("mon", "tue")})
    lines: list[str] = []

    with ThreadPoolExecutor(4) as sweepers:
        failed = [
            each.result()
            for each in [sweepers.submit(follow_calendar, changed, lines.append) for _ in "1234"]
        ]

    assert failed == [[]] * 4
    with place.database.reading() as session:
        versions = list(session.scalars(select(CalendarVersion).order_by(CalendarVersion.id)))
    assert [version.made_by for version in versions] == ["settings", "settings"]
    wind_anew(changed, lines.append)
    # Working days are now Mondays and Tuesdays: 22, 28, 29 December, 4 and 5 January.
    assert due_of(place, reference) == datetime(2027, 1, 5, 9, 0, tzinfo=UTC)


def test_a_promise_that_changes_moves_what_runs_and_leaves_what_was_kept(place: Records) -> None:
    """Five working days become two: who was answered in time, was; who was not, is owed it sooner."""
    answered, waiting = arrives(place, 2)
    late = ARRIVAL + timedelta(days=4)
    with place.database.unit_of_work() as session:
        ticket = ticket_called(session, answered)
        ticket.record("published", by="Fatima", at=late, what="answer", fix_on="")
        wind(session, ticket, place.promise, now=late)
    stricter = replace(
        place, promise=replace(place.promise, response=Duration.parse("2wd")), clock=lambda: LATER
    )
    lines: list[str] = []

    follow_calendar(stricter, lines.append)
    wind_anew(stricter, lines.append)

    assert due_of(place, answered) == DUE
    assert due_of(place, waiting) == datetime(2026, 12, 23, 9, 0, tzinfo=UTC)
    with place.database.reading() as session:
        version = latest_version(session)
        assert version is not None
        before = session.get(CalendarVersion, version.id - 1)
        assert list(changes(before, version)) == ["response: 5wd -> 2wd"]
    with place.database.unit_of_work() as session:  # whatever is wound later, that answer was in time
        assert wind(session, ticket_called(session, answered), stricter.promise, now=LATER) == []
    assert due_of(place, answered) == DUE


def test_who_comes_second_waits_and_finds_the_version_made(place: Records) -> None:
    with ThreadPoolExecutor(1) as other:
        with place.database.unit_of_work() as session:
            first = made_by(session, place, CLOSURE)
            second = other.submit(closes, place, CLOSURE)
            with pytest.raises(TimeoutError):
                second.result(timeout=0.5)

        assert first is not None
        assert second.result() is None


def test_several_who_wind_at_once_move_each_clock_once(place: Records) -> None:
    references = arrives(place, 12)
    closes(place, CLOSURE)
    lines: list[str] = []

    with ThreadPoolExecutor(4) as winders:
        failed = [each.result() for each in [winders.submit(wind_anew, place, lines.append) for _ in "1234"]]

    assert failed == [[]] * 4
    assert Counter(line.split()[0] for line in lines) == Counter(references)
    assert all(len(told_moves(place, reference)) == 1 for reference in references)


@pytest.mark.parametrize("commit", [0, 1, 3])
@pytest.mark.parametrize("when", ["before", "after"])
def test_who_is_killed_while_winding_is_gone_on_for(place: Records, commit: int, when: str) -> None:
    references = arrives(place, 4)
    closes(place, CLOSURE)
    place.database.close()

    child = os.fork()
    if not child:
        _wind_and_die(place, commit, when)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL

    moved_before = sum(due_of(place, reference) == DUE_WITH_CLOSURE for reference in references)
    assert moved_before == commit + (when == "after")
    assert wind_anew(place, print) == []
    assert {due_of(place, reference) for reference in references} == {DUE_WITH_CLOSURE}
    assert all(len(told_moves(place, reference)) == 1 for reference in references)


def _wind_and_die(place: Records, commit: int, when: str) -> None:
    """Wind, and die at one commit of a ticket: in a process of its own."""
    dialect = place.database.engine.dialect
    commits = iter(range(100))
    do_commit = type(dialect).do_commit

    def die_at(connection: Any) -> None:
        if next(commits) == commit:
            if when == "after":
                do_commit(dialect, connection)
            os.kill(os.getpid(), signal.SIGKILL)
        do_commit(dialect, connection)

    dialect.do_commit = die_at
    try:
        wind_anew(place, str)
    finally:
        os._exit(1)


def test_a_ticket_that_fails_does_not_stop_the_others(
    place: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = arrives(place, 2)
    closes(place, CLOSURE)
    with place.database.unit_of_work() as session:
        opened = session.scalars(select(Event).where(Event.kind == "opened").order_by(Event.id)).first()
        assert opened
        broken = Event.__table__.update().where(Event.__table__.c.id == opened.id)
        session.connection().execute(broken.values(facts={"arrived_at": "never"}))

    [failed] = wind_anew(place, print)

    assert failed.startswith("clocks of ticket 1: ValueError at ")
    assert due_of(place, first) == DUE
    assert due_of(place, second) == DUE_WITH_CLOSURE


def ran(monkeypatch: pytest.MonkeyPatch, place: Records, *words: str | Path) -> int:
    """Run the command."""
    monkeypatch.setattr(command, "records", lambda: place)
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args([str(word) for word in words]))


@pytest.fixture
def closure(tmp_path: Path) -> Path:
    """The list of the organisation's own days as a file."""
    file = tmp_path / "closed.csv"
    file.write_text("date,name\n" + "".join(f"{day},{name}\n" for day, name in CLOSURE.items()))
    return file


def test_the_command_previews_takes_and_shows(
    place: Records, closure: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arrives(place)

    assert ran(monkeypatch, place, "import", closure, "--preview") == 0
    preview = capsys.readouterr().out.splitlines()
    assert preview[0] == "  closed: 2026-12-24 Kerstsluiting"
    assert preview[-2].startswith("CVD-2026-0001  response    due Tue 29 Dec 10:00 2026 -> Wed 06 Jan")
    assert preview[-1] == "clocks of open tickets that would move: 1; nothing was changed"

    assert ran(monkeypatch, place, "import", closure, "--by", "Fatima") == 0
    taken = capsys.readouterr().out.splitlines()
    assert taken[0] == "version 2 was made"
    assert taken[1:-1] == preview[:-1]
    assert taken[-1] == "clocks of open tickets that moved: 1"
    assert ran(monkeypatch, place, "import", closure, "--by", "Fatima") == 0
    assert "nothing changes" in capsys.readouterr().out

    assert ran(monkeypatch, place) == 0
    shown = capsys.readouterr().out
    assert "zone      Europe/Amsterdam\nmon       09:00-17:00\n" in shown
    holidays = [line.split()[4] for line in shown.splitlines() if line.startswith("holiday")]
    assert set(holidays) == {"2026", "2027"}
    assert "holiday   Fri 25 Dec 2026  " in shown
    assert "05 May" not in shown
    assert "own day   Thu 24 Dec 2026  Kerstsluiting\n" in shown
    assert "version 2  Mon 21 Dec 13:00 2026 by Fatima\n  closed: 2026-12-24 Kerstsluiting\n" in shown
    assert shown.endswith("version 1  Mon 21 Dec 13:00 2026 by settings\n  the first version\n")


def test_each_version_can_be_asked_when_something_is_due(
    place: Records, closure: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran(monkeypatch, place, "import", closure, "--by", "Fatima")
    question = ["due", "--start", "2026-12-21T10:00+01:00", "--duration", "5wd", "--calendar", str(closure)]
    answers: list[str] = []
    for words in (["export"], ["export", "--version", "1"]):
        capsys.readouterr()
        assert ran(monkeypatch, place, *words) == 0
        closure.write_text(capsys.readouterr().out)
        assert main(question) == 0
        answers.append(capsys.readouterr().out.strip())

    assert [datetime.fromisoformat(answer) for answer in answers] == [DUE_WITH_CLOSURE, DUE]
    assert ran(monkeypatch, place, "export", "--version", "9") == 1
    assert "no version 9" in capsys.readouterr().err


def test_the_command_refuses_as_a_whole(
    place: Records, closure: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ran(monkeypatch, place, "import", closure) == 2
    assert "--by NAME" in capsys.readouterr().err
    closure.write_text("date,name\n2026-12-24,Kerstsluiting\n25-12-2026,Kerst\n")
    assert ran(monkeypatch, place, "import", closure, "--by", "Fatima") == 1
    assert "nothing was changed:\nline 3: date '25-12-2026'" in capsys.readouterr().err
    assert ran(monkeypatch, place, "import", closure.with_name("none.csv"), "--preview") == 1
    assert "cannot be read" in capsys.readouterr().err
    with place.database.reading() as session:
        assert session.scalar(select(func.count(CalendarVersion.id))) == 1


def test_a_version_says_what_it_changed(
    place: Records, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    changed = desk_on(
        place.database, good_friday=True, hours={"mon": [("09:00", "12:00"), ("13:00", "24:00")]}
    )
    ran(monkeypatch, changed)
    assert "the settings have changed: the next sweep makes a version" in capsys.readouterr().out

    follow_calendar(changed, print)
    closes(changed, {"2026-12-24": "Kerst"})
    closes(changed, {"2026-12-24": "Kerstavond", "2027-05-07": "Brugdag"})
    closes(changed, {"2027-05-07": "Brugdag"})
    ran(monkeypatch, changed)

    shown = capsys.readouterr().out
    assert "  no longer closed: 2026-12-24 Kerstavond\n" in shown
    assert "  renamed: 2026-12-24 Kerst -> Kerstavond\n  closed: 2027-05-07 Brugdag\n" in shown
    assert "good_friday false, liberation_day false -> country NL, good_friday true," in shown
    assert "-> mon 09:00-12:00+13:00-24:00" in shown


def test_an_answered_clock_is_not_looked_at_for_its_own_sake(place: Records) -> None:
    """A ticket with nothing running is left alone: what is over is over."""
    [reference] = arrives(place)
    with place.database.unit_of_work() as session:
        for clock in ticket_called(session, reference).clocks:
            clock.stopped_at = NOW
    closes(place, CLOSURE)

    lines: list[str] = []
    wind_anew(place, lines.append)

    assert lines == []
    with place.database.reading() as session:
        assert session.scalars(select(Clock.due_at).where(Clock.kind == ClockKind.RESPONSE)).one() == DUE

"""Whom a rung reaches: at night, in a gap of the rota, while the owner is away, and when nothing leaves."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from meldbalie.models import absences
from meldbalie.models.clocks import Clock, ClockKind, FiredRung
from meldbalie.models.due import calendar_from
from meldbalie.models.errors import Refused
from meldbalie.models.ladder import climb, due_clocks
from meldbalie.models.outbox import Mail, MailKind, MailState
from meldbalie.models.owner_import import import_owners
from meldbalie.models.owners import Owner
from meldbalie.models.promise import Correspondent, Promise, RungPlan
from meldbalie.models.rota import OnDuty, Rota
from meldbalie.models.rung_mails import acknowledge, acknowledge_by_reply, call_off, is_needless
from meldbalie.models.session import Database
from meldbalie.models.threads import standing_of, thread_behind, thread_token
from meldbalie.models.ticket import ticket_called
from meldbalie.models.unreached import Unreached, told_to_nobody, unreached
from meldbalie.tests.models.reports import (
    ARRIVED,
    CISO,
    DAY,
    DUE,
    FATIMA,
    HOUR,
    JEROEN,
    LEAD,
    ON_CALL,
    PROMISE,
    REPORT,
    WEB_TEAM,
    add_owner,
    mails,
    reported,
    told,
)
from sqlalchemy import select, update

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
OPEN = calendar_from(
    {
        "zone": "Europe/Amsterdam",
        "hours": {day: [["09:00", "17:00"]] for day in ("mon", "tue", "wed", "thu", "fri")},
        "holidays": {"country": "NL"},
    }
)
BOTH = (RungPlan(0.5, ("lead", "on_call"), acknowledge=HOUR), RungPlan(0.9, ("ciso",)))
OFFICE = replace(PROMISE, calendar=OPEN, ladder=BOTH)
DEPUTY = "network@voorbeeld.example"


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=AMSTERDAM).astimezone(UTC)


def fire(database: Database, now: datetime, promise: Promise = OFFICE) -> str:
    """A ticket whose response clock is half-way now, and has been swept; gives its number."""
    reference = reported(database, replace(REPORT, arrived_at=now - 2.5 * DAY), promise, now=now - 2.5 * DAY)
    with database.unit_of_work() as session:
        session.execute(update(Clock).where(Clock.kind == ClockKind.SHARE).values(next_rung_at=None))
    sweep(database, now, promise)
    return reference


def sweep(database: Database, now: datetime, promise: Promise = OFFICE) -> None:
    with database.reading() as session:
        due = due_clocks(session, now)
    for clock_id in due:
        with database.unit_of_work() as session:
            climb(session, clock_id, promise, now=now)


def rung_mails(database: Database) -> list[Mail]:
    with database.reading() as session:
        return mails(session, MailKind.RUNG)


def leaves_at(database: Database) -> dict[str, datetime]:
    return {mail.recipient: mail.next_try_at for mail in rung_mails(database)}


@pytest.mark.parametrize(
    ("now", "opens"),
    [
        ("2026-11-18 03:00", "2026-11-18 09:00"),  # in the night
        ("2026-11-21 14:00", "2026-11-23 09:00"),  # on a Saturday
        ("2026-04-27 11:00", "2026-04-28 09:00"),  # on King's Day
        ("2026-11-18 17:00", "2026-11-19 09:00"),  # at closing
    ],
)
def test_outside_business_hours_only_the_person_on_call_is_mailed_at_once(
    sqlite_database: Database, now: str, opens: str
) -> None:
    fire(sqlite_database, local(now))

    assert leaves_at(sqlite_database) == {LEAD.address: local(opens), ON_CALL.address: local(now)}


@pytest.mark.parametrize(("now", "at_any_hour"), [("2026-11-18 11:00", False), ("2026-11-19 03:00", True)])
def test_in_business_hours_and_by_a_rung_for_any_hour_all_are_mailed_at_once(
    sqlite_database: Database, now: str, at_any_hour: bool
) -> None:
    fire(sqlite_database, local(now), replace(OFFICE, ladder=(replace(BOTH[0], at_any_hour=at_any_hour),)))

    assert leaves_at(sqlite_database) == {LEAD.address: local(now), ON_CALL.address: local(now)}


def test_a_mail_that_waits_for_the_morning_is_called_off_when_its_clock_stops(
    sqlite_database: Database,
) -> None:
    now = local("2026-11-18 03:00")
    reference = fire(sqlite_database, now)
    with sqlite_database.unit_of_work() as session:
        waits = next(mail for mail in mails(session, MailKind.RUNG) if mail.recipient == LEAD.address)
        waits.state = MailState.SENDING
        assert not is_needless(session, waits)
        assert not call_off(session, waits, now=now)
        running = update(Clock).where(Clock.kind == ClockKind.RESPONSE)
        session.execute(running.values(stopped_at=now, next_rung_at=None))

    with sqlite_database.unit_of_work() as session:
        waits = session.get_one(Mail, waits.id)
        assert is_needless(session, waits)
        assert call_off(session, waits, now=now)

    with sqlite_database.reading() as session:
        waits = session.get_one(Mail, waits.id)
        assert waits.state is MailState.CALLED_OFF
        assert "acknowledge" not in (waits.facts or {})
        assert told(ticket_called(session, reference))[-1] == "called_off"


def test_a_mail_of_an_earlier_round_is_needless(sqlite_database: Database) -> None:
    fire(sqlite_database, local("2026-11-18 03:00"))
    with sqlite_database.unit_of_work() as session:
        session.execute(update(Clock).where(Clock.kind == ClockKind.RESPONSE).values(round=2))

    with sqlite_database.reading() as session:
        assert all(is_needless(session, mail) for mail in mails(session, MailKind.RUNG))


def duty(*shifts: tuple[datetime, datetime, Correspondent]) -> Rota:
    return Rota(tuple(OnDuty(*shift) for shift in shifts))


ANNE = Correspondent("Anne", "anne@voorbeeld.example")


@pytest.mark.parametrize(
    ("promise", "who"),
    [
        (replace(OFFICE, rota=duty((ARRIVED, DUE, ANNE))), [ANNE]),
        (replace(OFFICE, rota=duty((DUE, DUE + DAY, ANNE))), [ON_CALL]),
        (replace(OFFICE, on_call=None, rota=duty((DUE, DUE + DAY, ANNE))), [LEAD]),
        (replace(OFFICE, on_call=None, lead=None, rota=duty((DUE, DUE + DAY, ANNE))), [FATIMA, JEROEN]),
        (replace(OFFICE, on_call=None), [FATIMA, JEROEN]),
    ],
)
def test_in_a_gap_of_the_rota_somebody_is_told(promise: Promise, who: list[Correspondent]) -> None:
    told_now = promise.told_by(RungPlan(0.8, ("on_call",)), None, at=ARRIVED + DAY)

    assert [one.person for one in told_now] == who


def test_whoever_stands_in_for_the_person_on_call_is_mailed_at_night_too(sqlite_database: Database) -> None:
    now = local("2026-11-18 03:00")
    fire(sqlite_database, now, replace(OFFICE, on_call=None, rota=duty((DUE, DUE + DAY, ANNE))))

    assert leaves_at(sqlite_database) == {LEAD.address: now}


def test_nobody_who_has_seen_it_lets_the_next_rung_come_early_and_somebody_who_has_does_not(
    sqlite_database: Database,
) -> None:
    now = local("2026-11-18 11:00")
    fire(sqlite_database, now)
    sweep(sqlite_database, now + HOUR)
    assert [mail.recipient for mail in rung_mails(sqlite_database)] == [
        LEAD.address,
        ON_CALL.address,
        CISO.address,
    ]

    reference = fire(sqlite_database, now + DAY)
    (token, *_) = [(mail.facts or {})["acknowledge"] for mail in rung_mails(sqlite_database)[3:]]
    with sqlite_database.unit_of_work() as session:
        assert acknowledge(session, token, now=now + DAY) is ticket_called(session, reference)
        assert acknowledge(session, token[::-1], now=now + DAY) is None
    sweep(sqlite_database, now + DAY + HOUR)
    assert len(rung_mails(sqlite_database)) == 5


@pytest.mark.parametrize(
    ("tell", "seen_by"), [(("lead",), "2026-11-18 10:00"), (("lead", "on_call"), "2026-11-18 04:00")]
)
def test_the_time_to_say_that_it_was_seen_begins_when_the_first_mail_leaves(
    sqlite_database: Database, tell: tuple[str, ...], seen_by: str
) -> None:
    asked = replace(OFFICE, ladder=(RungPlan(0.5, tell, acknowledge=HOUR), RungPlan(0.9, ("ciso",))))

    fire(sqlite_database, local("2026-11-18 03:00"), asked)

    with sqlite_database.reading() as session:
        clock = session.scalars(select(Clock).where(Clock.kind == ClockKind.RESPONSE)).one()
        fired = session.scalars(select(FiredRung)).one()
        assert clock.next_rung_at == fired.acknowledge_by == local(seen_by)
    said = {(mail.facts or {})["acknowledge_by"] for mail in rung_mails(sqlite_database)}
    assert said == {local(seen_by).isoformat()}


def test_a_reply_to_the_mail_of_a_rung_acknowledges_it_for_its_own_party_only(
    sqlite_database: Database,
) -> None:
    now = local("2026-11-18 11:00")
    reference = fire(sqlite_database, now)
    with sqlite_database.unit_of_work() as session:
        ticket = ticket_called(session, reference)
        every = mails(session)
        rung = next(mail for mail in every if mail.kind is MailKind.RUNG)
        other = next(mail for mail in every if mail.kind is MailKind.HANDLER_REPORT)
        assert not acknowledge_by_reply(session, ticket, other.id, "staff", how="signed_reply", now=now)
        assert not acknowledge_by_reply(session, ticket, rung.id, "reporter", how="signed_reply", now=now)
        assert not acknowledge_by_reply(session, ticket, 4711, "staff", how="signed_reply", now=now)
        assert acknowledge_by_reply(session, ticket, rung.id, "staff", how="signed_reply", now=now)
        fired = session.scalars(select(FiredRung)).one()
        assert (fired.acknowledged_at, fired.acknowledged_by) == (now, LEAD.name)
        assert told(ticket)[-1] == "acknowledged"


def away(database: Database, *people: tuple[str, str | None], first: date, last: date) -> None:
    with database.unit_of_work() as session:
        if session.scalars(select(Owner)).first() is None:
            add_owner(session, "Web team", WEB_TEAM, "formulieren.voorbeeld.example")
            add_owner(session, "Network", DEPUTY, "netwerk.voorbeeld.example")
        for name, deputy in people:
            absences.go_away(session, name, first_day=first, last_day=last, deputy=deputy)


TODAY = date(2026, 11, 18)
OWNER = replace(OFFICE, ladder=(RungPlan(0.5, ("owner",)),))


@pytest.mark.parametrize(
    ("people", "first", "last", "who", "deputy"),
    [
        ([("Web team", "Network")], TODAY, TODAY, [DEPUTY], "Network"),
        ([("Web team", None)], TODAY, TODAY, [FATIMA.address, JEROEN.address], "handlers"),
        (
            [("Web team", "Network"), ("Network", "Web team")],
            TODAY,
            TODAY,
            [FATIMA.address, JEROEN.address],
            "handlers",
        ),
        ([("Web team", "Network")], TODAY + DAY, TODAY + DAY, [WEB_TEAM], None),
        ([("Web team", "Network")], TODAY - DAY, TODAY - DAY, [WEB_TEAM], None),
    ],
)
def test_on_the_days_of_an_absence_somebody_else_hears(
    sqlite_database: Database,
    people: list[tuple[str, str | None]],
    first: date,
    last: date,
    who: list[str],
    deputy: str | None,
) -> None:
    away(sqlite_database, *people, first=first, last=last)

    reference = fire(sqlite_database, local("2026-11-18 11:00"), OWNER)

    assert [mail.recipient for mail in rung_mails(sqlite_database)] == who
    with sqlite_database.reading() as session:
        stood_in = [
            entry.facts for entry in ticket_called(session, reference).history if entry.kind == "stood_in"
        ]
    assert stood_in == ([{"owner": "Web team", "deputy": deputy}] if deputy else [])


def test_handlers_stand_in_for_an_owner_beside_the_others_whom_a_rung_tells(
    sqlite_database: Database,
) -> None:
    away(sqlite_database, ("Web team", None), first=TODAY, last=TODAY)
    both = replace(OFFICE, ladder=(RungPlan(0.5, ("owner", "lead")),))

    fire(sqlite_database, local("2026-11-18 11:00"), both)

    assert set(leaves_at(sqlite_database)) == {FATIMA.address, JEROEN.address, LEAD.address}


def test_what_a_deputy_answers_is_heard_as_from_the_owner(sqlite_database: Database) -> None:
    away(sqlite_database, ("Web team", "Network"), first=TODAY, last=TODAY)
    reference = fire(sqlite_database, local("2026-11-18 11:00"), OWNER)

    with sqlite_database.unit_of_work() as session:
        token = thread_token(session, ticket_called(session, reference), "owner", DEPUTY)
        session.flush()
        thread = thread_behind(session, [token])
        assert thread is not None
        assert standing_of(session, thread).party == "owner"


def test_coming_back_ends_an_absence_and_keeps_the_days_that_were(sqlite_database: Database) -> None:
    away(sqlite_database, ("Web team", "Network"), first=TODAY - DAY, last=TODAY + DAY)
    with sqlite_database.unit_of_work() as session:
        ended = absences.come_back(session, "Web team", today=TODAY)
        assert ended is not None
        assert ended.last_day == TODAY - DAY
        assert absences.absences_ahead(session, TODAY) == []
        assert absences.come_back(session, "Web team", today=TODAY) is None


@pytest.mark.parametrize(
    ("first", "last", "noted"),
    [
        (3, 5, [(1, 2, "Network"), (3, 5, None), (6, 9, "Network")]),
        (0, 3, [(0, 3, None), (4, 9, "Network")]),
        (8, 12, [(1, 7, "Network"), (8, 12, None)]),
        (1, 9, [(1, 9, None)]),
        (0, 12, [(0, 12, None)]),
        (10, 12, [(1, 9, "Network"), (10, 12, None)]),
    ],
)
def test_an_absence_takes_only_its_own_days_from_another(
    database: Database, first: int, last: int, noted: list[tuple[int, int, str | None]]
) -> None:
    away(database, ("Web team", "Network"), first=TODAY + DAY, last=TODAY + 9 * DAY)

    away(database, ("Web team", None), first=TODAY + first * DAY, last=TODAY + last * DAY)

    with database.reading() as session:
        found = absences.absences_ahead(session, TODAY)
        assert [
            ((one.first_day - TODAY).days, (one.last_day - TODAY).days, one.deputy and one.deputy.name)
            for one in found
        ] == noted


def test_coming_back_ends_all_parts_of_an_absence_and_not_the_next_one(sqlite_database: Database) -> None:
    away(sqlite_database, ("Web team", "Network"), first=TODAY - DAY, last=TODAY + 9 * DAY)
    away(sqlite_database, ("Web team", None), first=TODAY + 3 * DAY, last=TODAY + 5 * DAY)
    away(sqlite_database, ("Web team", None), first=TODAY + 20 * DAY, last=TODAY + 20 * DAY)

    with sqlite_database.unit_of_work() as session:
        absences.come_back(session, "Web team", today=TODAY)

    with sqlite_database.reading() as session:
        assert [one.first_day for one in absences.absences_ahead(session, TODAY)] == [TODAY + 20 * DAY]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"name": "Nobody", "first_day": TODAY, "last_day": TODAY}, "no owner is called 'Nobody'"),
        ({"name": "Web team", "first_day": TODAY, "last_day": TODAY - DAY}, "is before --from"),
        (
            {"name": "Web team", "first_day": TODAY, "last_day": TODAY, "deputy": "Web team"},
            "cannot be their own deputy",
        ),
    ],
)
def test_an_absence_that_makes_no_sense_is_refused(
    sqlite_database: Database, arguments: dict[str, object], why: str
) -> None:
    away(sqlite_database, first=TODAY, last=TODAY)

    with sqlite_database.unit_of_work() as session, pytest.raises(Refused, match=why):
        absences.go_away(session, **arguments)  # type: ignore[arg-type]


def test_an_owner_who_leaves_the_directory_takes_their_absences_along(database: Database) -> None:
    away(database, ("Web team", "Network"), ("Network", None), first=TODAY, last=TODAY)

    with database.unit_of_work() as session:
        import_owners(session, b"owner,address,asset\nWeb team,web@voorbeeld.nl,a.voorbeeld.nl\n", on=TODAY)
    with database.reading() as session:
        (left,) = absences.absences_ahead(session, TODAY)
        assert (left.owner.name, left.deputy) == ("Web team", None)


def have_left(database: Database, addresses: Iterable[str], at: datetime) -> None:
    with database.unit_of_work() as session:
        for mail in mails(session, MailKind.RUNG):
            if mail.recipient in addresses:
                mail.state, mail.sent_at = MailState.SENT, at


def missed(database: Database, before: datetime) -> list[Unreached]:
    with database.reading() as session:
        return unreached(session, before)


def test_a_rung_is_unreached_until_one_of_its_mails_has_left(sqlite_database: Database) -> None:
    now = local("2026-11-18 11:00")
    reference = fire(sqlite_database, now)

    assert missed(sqlite_database, now - timedelta.resolution) == []
    assert missed(sqlite_database, now) == [Unreached(reference, "response", "50%")]
    have_left(sqlite_database, [ON_CALL.address], now)
    assert missed(sqlite_database, now) == []


def test_a_rung_that_names_nobody_stands_in_the_records_until_its_clock_stops(database: Database) -> None:
    now = local("2026-11-18 11:00")
    alone = replace(OFFICE, triage=(), ladder=(RungPlan(0.5, ("ciso",)), RungPlan(0.8, ("lead",))))

    def nobody() -> list[Unreached]:
        with database.reading() as session:
            return told_to_nobody(session)

    first = fire(database, now, replace(alone, ciso=None))
    fire(database, now + HOUR, alone)
    assert nobody() == [Unreached(first, "response", "50%")]

    with database.unit_of_work() as session:
        session.execute(update(Clock).values(next_rung_at=None))
    assert nobody() == []


def test_a_mail_that_waits_for_the_morning_is_not_missed_before(sqlite_database: Database) -> None:
    night = local("2026-11-18 03:00")
    reference = fire(sqlite_database, night, replace(OFFICE, ladder=(RungPlan(0.5, ("lead",)),)))

    assert missed(sqlite_database, local("2026-11-18 08:59")) == []
    assert missed(sqlite_database, local("2026-11-18 09:00")) == [Unreached(reference, "response", "50%")]


def test_only_the_last_rung_of_a_clock_that_runs_is_missed(sqlite_database: Database) -> None:
    now = local("2026-11-18 11:00")
    reference = fire(sqlite_database, now)
    sweep(sqlite_database, now + HOUR)
    assert missed(sqlite_database, now + HOUR) == [Unreached(reference, "response", "90%")]

    with sqlite_database.unit_of_work() as session:
        session.execute(update(Clock).values(stopped_at=now, next_rung_at=None))
    assert missed(sqlite_database, now + HOUR) == []

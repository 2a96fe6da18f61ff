"""Alarms: raised once, settled when mended, raised again when it comes back."""

from datetime import datetime

from meldbalie.models.alarms import (
    Alarm,
    AlarmKind,
    Look,
    claim_telling,
    is_anything_wrong,
    note_told,
    open_alarms,
    raised_at,
    take_note,
    tell_of_alarms,
    untold,
)
from meldbalie.models.audited import audited_up_to, note_audited
from meldbalie.models.ledger import Place
from meldbalie.models.outbox import MailKind
from meldbalie.models.session import Database
from meldbalie.tests.models.reports import ARRIVED, FATIMA, HOUR, JEROEN, PROMISE, mails, together
from sqlalchemy import select


def undecided(*numbers: str, among: frozenset[str] | None = None) -> Look:
    return Look(AlarmKind.UNDECIDED, frozenset(numbers), among)


def noted(database: Database, *looks: Look, at: datetime = ARRIVED) -> int:
    with database.unit_of_work() as session:
        return take_note(session, looks, now=at)


def wrong(database: Database) -> list[str]:
    with database.reading() as session:
        return open_alarms(session).get("undecided", [])


def test_what_is_wrong_is_raised_once_and_settled_when_it_is_mended(database: Database) -> None:
    assert noted(database, undecided("7", "9")) == 2
    assert noted(database, undecided("7", "9"), at=ARRIVED + HOUR) == 0
    assert noted(database, undecided("9"), at=ARRIVED + 2 * HOUR) == 0

    assert wrong(database) == ["9"]
    with database.reading() as session:
        [seven] = session.scalars(select(Alarm).where(Alarm.about == "7"))
        assert (seven.raised_at, seven.settled_at) == (ARRIVED, ARRIVED + 2 * HOUR)
        assert session.scalars(select(Alarm.seen_at).where(Alarm.about == "9")).one() == ARRIVED + 2 * HOUR


def test_what_comes_back_is_raised_again(database: Database) -> None:
    noted(database, undecided("7"))
    noted(database, undecided())

    assert noted(database, undecided("7"), at=ARRIVED + HOUR) == 1
    with database.reading() as session:
        [seven] = session.scalars(select(Alarm))
        assert (seven.raised_at, seven.settled_at) == (ARRIVED + HOUR, None)


def test_one_process_tells_of_an_alarm_until_it_was_told(database: Database) -> None:
    noted(database, undecided("7", "9"))
    soon = ARRIVED + HOUR

    def claims(about: str, *, now: datetime = ARRIVED) -> bool:
        with database.unit_of_work() as session:
            return claim_telling(session, AlarmKind.UNDECIDED, about, now=now, until=now + HOUR)

    def still_untold() -> list[str]:
        with database.reading() as session:
            return untold(session, AlarmKind.UNDECIDED)

    assert still_untold() == ["7", "9"]
    assert sorted(together(lambda: claims("7"))) == [False, False, False, True]
    assert still_untold() == ["9", "7"]
    assert claims("7", now=soon)
    with database.unit_of_work() as session:
        note_told(session, AlarmKind.UNDECIDED, "7")
    assert still_untold() == ["9"]
    assert not claims("7", now=soon + HOUR)
    noted(database, undecided("9"), at=soon)
    noted(database, undecided("7"), at=soon + HOUR)
    assert still_untold() == ["7"]
    assert not claims("9", now=soon + HOUR)


def test_what_was_not_looked_at_is_not_settled(database: Database) -> None:
    noted(database, undecided("7", "9"))

    noted(database, undecided(among=frozenset({"9", "11"})))
    noted(database, Look(AlarmKind.COPY_MISSING))

    assert wrong(database) == ["7"]


def test_two_who_see_the_same_raise_it_once(database: Database) -> None:
    def notes() -> int:
        return noted(database, undecided("7", "9"))

    assert sum(together(notes)) == 2
    noted(database, undecided())
    assert sum(together(notes)) == 2
    assert wrong(database) == ["7", "9"]


def test_handlers_get_one_mail_about_all_that_is_new(database: Database) -> None:
    with database.unit_of_work() as session:
        take_note(
            session, [undecided("7", "9"), Look(AlarmKind.JUNK, frozenset({"2026-11-19"}))], now=ARRIVED
        )
        tell_of_alarms(session, PROMISE, now=ARRIVED)
    noted(database, undecided("7", "9", "11"), at=ARRIVED + HOUR)

    with database.reading() as session:
        told = mails(session, MailKind.ALARM)
        assert [mail.recipient for mail in told] == [FATIMA.address, JEROEN.address]
        at = datetime.fromisoformat((told[0].facts or {})["raised_at"])
        assert raised_at(session, at) == {"junk": ["2026-11-19"], "undecided": ["7", "9"]}


def test_a_notice_is_nothing_wrong(database: Database) -> None:
    noted(database, Look(AlarmKind.JUNK, frozenset({"2026-11-19"})))
    with database.reading() as session:
        assert not is_anything_wrong(session)
    noted(database, undecided("7"))
    with database.reading() as session:
        assert is_anything_wrong(session)
    noted(database, undecided())
    with database.reading() as session:
        assert not is_anything_wrong(session)


def test_a_folder_is_compared_upwards_only_and_begins_anew_when_it_is_another(database: Database) -> None:
    archive, anew = Place("cvd@host/Archive", 7), Place("cvd@host/Archive", 4_294_967_295)

    def marks(place: Place, uid: int) -> int:
        with database.unit_of_work() as session:
            note_audited(session, place, uid)
        with database.reading() as session:
            return audited_up_to(session, place)

    with database.reading() as session:
        assert audited_up_to(session, archive) == 0
    assert [marks(archive, uid) for uid in (10, 5, 12)] == [10, 10, 12]
    assert marks(anew, 4_294_967_294) == 4_294_967_294
    together(lambda: marks(Place("cvd@host/Quarantine", 1), 3))

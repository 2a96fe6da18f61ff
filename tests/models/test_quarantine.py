"""What is in quarantine, what leaves it, and that one message stays one whatever its copies do."""

import pytest
from meldbalie.models.errors import Refused
from meldbalie.models.ledger import LedgerEntry, Verdict, became_before, first_arrival, undecided
from meldbalie.models.quarantine import dismiss, dismissal_of, in_quarantine, judge_again
from meldbalie.models.session import Database
from meldbalie.tests.models.reports import ARRIVED, HOUR
from meldbalie.tests.models.test_ledger import NOW, decide, letter, taken


def quarantined(database: Database, uid: int = 1, **more: bytes) -> int:
    number = taken(database, letter(**more), uid)
    decide(database, number, Verdict.QUARANTINED)
    return number


def listed(database: Database, *, dismissed: bool = False) -> list[int]:
    with database.reading() as session:
        return [entry.id for entry in in_quarantine(session, dismissed=dismissed)]


def test_a_message_is_listed_once_however_often_it_came(database: Database) -> None:
    first = quarantined(database)
    quarantined(database, 2)
    other = quarantined(database, 3, body=b"another")

    assert listed(database) == [first, other]


def test_a_message_leaves_the_list_when_a_copy_became_something(database: Database) -> None:
    quarantined(database)
    copy = quarantined(database, 2)
    decide(database, copy, Verdict.OPENED_TICKET)

    assert listed(database) == []
    with database.unit_of_work() as session, pytest.raises(Refused, match="its verdict is opened_ticket"):
        judge_again(session, 1)


def test_a_message_is_judged_again_with_all_its_tries_by_the_number_of_any_copy(database: Database) -> None:
    first = quarantined(database)
    copy = quarantined(database, 2)
    with database.unit_of_work() as session:
        entry = session.get_one(LedgerEntry, first)
        entry.tries, entry.next_try_at, entry.problem = 5, NOW + HOUR, "tampered"

    with database.unit_of_work() as session:
        assert judge_again(session, copy) == first

    with database.reading() as session:
        assert undecided(session, NOW) == [first]
        assert session.get_one(LedgerEntry, first).tries == 0
    with database.unit_of_work() as session, pytest.raises(Refused, match="waits to be judged"):
        judge_again(session, first)


def test_what_a_human_lets_go_is_off_the_list_until_it_is_judged_again(database: Database) -> None:
    number = quarantined(database)
    with database.unit_of_work() as session:
        assert dismiss(session, number, by="Balie", because="Reclame.", now=NOW) == number
    with database.reading() as session:
        gone = dismissal_of(session, session.get_one(LedgerEntry, number))
        assert gone is not None
        assert (gone.at, gone.by, gone.because) == (NOW, "Balie", "Reclame.")
    assert listed(database) == []
    assert listed(database, dismissed=True) == [number]
    with database.unit_of_work() as session, pytest.raises(Refused, match="already, by Balie"):
        dismiss(session, number, by="Piket", because="Reclame.", now=NOW)

    with database.unit_of_work() as session:
        judge_again(session, number)
    decide(database, number, Verdict.QUARANTINED)
    assert listed(database) == [number]


@pytest.mark.parametrize(("by", "because"), [("", "Reclame."), ("Balie", " ")])
def test_nothing_is_let_go_without_a_name_and_a_reason(database: Database, by: str, because: str) -> None:
    number = quarantined(database)

    with database.unit_of_work() as session, pytest.raises(Refused, match="say who"):
        dismiss(session, number, by=by, because=because, now=NOW)

    assert listed(database) == [number]


def test_what_is_not_in_quarantine_is_not_judged_again(database: Database) -> None:
    with database.unit_of_work() as session, pytest.raises(Refused, match="no message 7"):
        judge_again(session, 7)
    number = taken(database, letter(), 1)
    decide(database, number, Verdict.AUTOMATIC)
    with database.unit_of_work() as session, pytest.raises(Refused, match="its verdict is automatic"):
        judge_again(session, number)


def test_a_message_knows_its_first_arrival_and_what_its_copies_became(database: Database) -> None:
    first = quarantined(database)
    copy = taken(database, letter(), 2)
    with database.unit_of_work() as session:
        session.get_one(LedgerEntry, copy).arrived_at = ARRIVED + HOUR

    with database.unit_of_work() as session:
        entry = session.get_one(LedgerEntry, copy)
        assert first_arrival(entry) == first_arrival(session.get_one(LedgerEntry, first)) == ARRIVED
        assert became_before(session, entry) is None
        entry.verdict = Verdict.OPENED_TICKET
    with database.unit_of_work() as session:
        became = became_before(session, session.get_one(LedgerEntry, first))
        assert became is not None
        assert became.id == copy
        assert became_before(session, session.get_one(LedgerEntry, copy)) is None

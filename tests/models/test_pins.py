"""PINs: which are taken, how they lie in the database, and where guessing ends."""

import hashlib
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from meldbalie.models.errors import Refused
from meldbalie.models.pins import COST, LOCK, MOST_FAILURES, Pin, check_pin, pins, remove_pin, set_pin
from meldbalie.models.session import Database
from meldbalie.tests.models.reports import together
from sqlalchemy import text

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
PIN, WRONG = "kat 73 op", "hond 73 op"


@pytest.fixture(autouse=True)
def fatimas(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fatima has a PIN; to hash one costs little here."""
    monkeypatch.setattr("meldbalie.models.pins.COST", 2**4)
    given(database, PIN)


def given(database: Database, pin: str, *, now: datetime = NOW) -> None:
    with database.unit_of_work() as session:
        set_pin(session, "Fatima", pin, now=now)


def tried(database: Database, pin: str, *, now: datetime = NOW, person: str = "Fatima") -> str:
    with database.unit_of_work() as session:
        return check_pin(session, person, pin, now=now)


def kept(database: Database) -> Pin:
    with database.reading() as session:
        return session.get_one(Pin, "Fatima")


def test_only_the_right_pin_is_right(database: Database) -> None:
    assert tried(database, PIN) == ""
    for wrong in ("", PIN + " ", PIN.upper()):
        assert "is not the PIN of Fatima" in tried(database, wrong)
    assert tried(database, PIN) == ""
    assert kept(database).failures == 0


def test_a_sentence_never_repeats_a_pin(database: Database) -> None:
    said = [tried(database, WRONG) for _ in range(MOST_FAILURES + 1)]

    assert not [one for one in said if WRONG in one or PIN in one]


def test_who_has_no_pin_is_told_how_to_get_one(database: Database) -> None:
    assert "meldbalie pins set 'Jan de Boer'" in tried(database, PIN, person="Jan de Boer")
    assert "meldbalie pins set fatima" in tried(database, PIN, person="fatima")


def test_five_wrong_ones_lock_it_for_a_quarter_of_an_hour_and_then_it_opens(database: Database) -> None:
    said = [tried(database, WRONG) for _ in range(MOST_FAILURES)]

    assert ["lock" in one for one in said] == [True] * 5
    assert "4 more wrong ones lock it" in said[0]
    assert "one more wrong one locks it" in said[3]
    assert "locked until 12:15" in said[4]
    assert "locked until 12:15" in tried(database, PIN, now=NOW + LOCK - timedelta(microseconds=1))
    assert tried(database, PIN, now=NOW + LOCK) == ""
    assert kept(database).locked_until is None


def test_a_lock_does_not_grow_while_it_lasts_and_the_next_one_takes_five_again(database: Database) -> None:
    for _ in range(MOST_FAILURES + 3):
        tried(database, WRONG)

    assert kept(database).locked_until == NOW + LOCK
    assert "4 more wrong ones lock it" in tried(database, WRONG, now=NOW + LOCK)


def test_a_right_one_between_wrong_ones_counts_them_anew(database: Database) -> None:
    for pin in [WRONG] * 4 + [PIN] + [WRONG] * 4:
        tried(database, pin)

    assert tried(database, PIN) == ""


def test_who_guesses_in_parallel_gets_no_more_tries(database: Database) -> None:
    said = together(lambda: tried(database, WRONG), times=8)

    assert sum("is not the PIN" in one for one in said) == MOST_FAILURES - 1
    assert sum("locked until" in one for one in said) == 8 - MOST_FAILURES + 1
    assert "locked until" in tried(database, PIN)


def test_the_end_of_a_lock_is_told_in_the_zone_of_who_asks(database: Database) -> None:
    here = NOW.astimezone(ZoneInfo("Europe/Amsterdam"))
    for _ in range(MOST_FAILURES):
        said = tried(database, WRONG, now=here)

    assert "locked until 13:15" in said
    assert "locked until 13:15" in tried(database, PIN, now=here)


def test_another_pin_ends_a_lock(database: Database) -> None:
    for _ in range(MOST_FAILURES):
        tried(database, WRONG)
    given(database, WRONG, now=NOW + timedelta(minutes=1))

    assert tried(database, WRONG, now=NOW + timedelta(minutes=1)) == ""
    assert "is not the PIN" in tried(database, PIN, now=NOW + timedelta(minutes=1))
    assert kept(database).set_at == NOW + timedelta(minutes=1)


@pytest.mark.parametrize(
    "pin", ["", "73915", "777777", "123456", "654321", "012345", "abcdefgh", "121212", "777778", "7" * 129]
)
def test_what_is_guessed_first_is_no_pin(database: Database, pin: str) -> None:
    with pytest.raises(Refused, match=r"give another one|give one that is no row") as refusal:
        given(database, pin)

    assert not pin or pin not in str(refusal.value).replace("no row such as 123456", "")
    assert tried(database, PIN) == ""


@pytest.mark.parametrize(
    "pin", ["739150", "12345x", "été à 5h", "\udc80\udc81\udc82abc", "x" + "yz" * 63 + "z"]
)
def test_what_is_not_is_one(database: Database, pin: str) -> None:
    given(database, pin)

    assert tried(database, pin) == ""


def test_a_pin_lies_salted_and_sealed(database: Database) -> None:
    first = kept(database).hashed
    given(database, PIN)
    assert kept(database).hashed != first
    with database.reading() as session:
        (row,) = session.execute(text("SELECT * FROM pins")).tuples()

    assert first.startswith("scrypt$16$8$3$")
    stored = repr([bytes(one) if isinstance(one, memoryview) else one for one in row])
    for clear in (PIN, "scrypt", first.split("$")[-1], hashlib.sha256(PIN.encode()).hexdigest()):
        assert clear not in stored


def test_what_a_pin_was_made_with_stands_beside_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("meldbalie.models.pins.COST", COST)

    assert tried(database, PIN) == ""
    given(database, WRONG)
    assert kept(database).hashed.startswith("scrypt$32768$8$3$")
    monkeypatch.setattr("meldbalie.models.pins.COST", 2**4)
    assert tried(database, WRONG) == ""


def test_a_pin_is_taken_away(database: Database) -> None:
    with database.unit_of_work() as session:
        assert [pin.person for pin in pins(session)] == ["Fatima"]
        remove_pin(session, "Fatima")

    assert "has no PIN" in tried(database, PIN)
    with database.unit_of_work() as session, pytest.raises(Refused, match="Fatima has no PIN"):
        remove_pin(session, "Fatima")

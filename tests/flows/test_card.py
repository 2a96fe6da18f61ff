"""The card of a ticket, read without Prefect: plain words, nothing untrue, and what waits for somebody."""

import re
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from meldbalie.flows.card import COPY, HELD, IN_DOUBT, card
from meldbalie.flows.duty import duty
from meldbalie.flows.history_words import DOUBTS, WHYS, told
from meldbalie.flows.installation import Records
from meldbalie.flows.open_tickets import WROTE_LAST, open_tickets
from meldbalie.models import embargo, telling
from meldbalie.models.desk import desk_run_of
from meldbalie.models.errors import Refused
from meldbalie.models.filing import join_ticket
from meldbalie.models.milestones import FIX_DEPLOYED, milestone
from meldbalie.models.outbox import Mail, MailKind, MailState
from meldbalie.models.session import Database
from meldbalie.models.threads import Standing
from meldbalie.models.ticket import Ticket, ticket_called
from meldbalie.settings import Settings
from meldbalie.tests.models.conftest import application_key, sqlite_database
from meldbalie.tests.models.reports import ARRIVED, HOUR, PROMISE, REPORT, SENTENCE, reported
from sqlalchemy import select
from sqlalchemy.orm import Session

__all__ = ["application_key", "sqlite_database"]

FIRST = "CVD-2026-0001"
NOW = ARRIVED + HOUR
WHO: dict[str, Any] = {"by": "Fatima", "promise": PROMISE, "now": NOW}


@pytest.fixture
def place(sqlite_database: Database) -> Records:
    """A desk an hour after a report came."""
    reported(sqlite_database, now=ARRIVED)
    return Records(Settings(), sqlite_database, PROMISE, lambda: NOW)


def the_card(place: Records) -> str:
    with place.database.unit_of_work() as session:
        ticket = ticket_called(session, FIRST)
        return card(place, session, ticket, desk_run_of(session, ticket))


def the_pages(place: Records) -> tuple[str, str]:
    with place.database.reading() as session:
        return open_tickets(place, session), duty(place, session, ())


def mail_of(session: Session, kind: MailKind) -> Mail:
    return session.scalars(select(Mail).where(Mail.kind == kind).limit(1)).one()


def line(text: str, begin: str) -> str:
    """The only line that begins so."""
    [found] = [one for one in text.splitlines() if one.startswith(begin)]
    return found


def happens(place: Records, kind: str, by: str = "Fatima", **facts: Any) -> str:
    """What is told of an event."""
    with place.database.unit_of_work() as session:
        return told(place, ticket_called(session, FIRST).record(kind, by=by, at=NOW, **facts))


def test_a_reporter_whose_receipt_was_refused_has_not_been_reached(place: Records) -> None:
    assert line(the_card(place), "- The reporter ") == "- The reporter gets sealed mail"
    with place.database.unit_of_work() as session:
        ticket_called(session, FIRST).reporter.fingerprint = None
    assert "answers wait at the link" in the_card(place)
    with place.database.unit_of_work() as session:
        receipt = mail_of(session, MailKind.RECEIPT)
        receipt.state, number = MailState.PARKED, receipt.id

    shown = the_card(place)

    assert "answers wait at the link" not in shown
    reached = line(shown, "- The reporter ")
    assert "**has not been reached**: the receipt with their link did not arrive" in reached
    assert f"`meldbalie outbox --retry {number}`" in reached
    assert "`meldbalie outbox --retry NUMBER`" in line(shown, "- **1 mail could not be sent:**")


def test_the_sentence_on_the_copy_has_a_verb_however_it_stands() -> None:
    verbs = re.compile(r"(is|was|waits|\*\*could) ")
    for said in (*COPY.values(), *HELD.values(), IN_DOUBT):
        assert verbs.match(said), said


def test_a_word_of_the_reporter_shows_on_the_desk_until_somebody_writes_to_them(place: Records) -> None:
    def shows() -> tuple[bool, bool, bool]:
        marks, today = the_pages(place)
        above = the_card(place).partition("**The last of")[0]
        assert SENTENCE not in marks + today + above
        listed = "## Reporters who wrote and were not answered yet: 1" in today
        return f"| {WROTE_LAST} |" in marks, listed, "**The reporter wrote, not answered yet**" in above

    assert shows() == (False, False, False)
    with place.database.unit_of_work() as session:
        ticket = ticket_called(session, FIRST)
        join_ticket(session, replace(REPORT, message_id=None), Standing(ticket, "reporter"), PROMISE, now=NOW)
    assert shows() == (True, True, True)
    with place.database.unit_of_work() as session:
        telling.tell_reporter(session, ticket_called(session, FIRST), text="Dank.", asks=False, **WHO)
    assert shows() == (False, False, False)


def test_codes_of_the_history_are_told_in_plain_words(place: Records) -> None:
    assert happens(place, "message", by="from_reporter", doubt=None) == "a message by the reporter"
    assert happens(place, "message", by="from_owner", doubt=None) == "a message by the owner"
    filed = "a message by the desk, only filed, since what it says was dealt with before"
    assert happens(place, "message", by="internal", doubt="signed_before") == filed
    suggested = happens(place, "suggested", by="intake", other="CVD-2026-0009", why="same_target")
    assert suggested == "may belong to CVD-2026-0009: about the same system, and alike"
    replied = happens(place, "delivered", by="deliver", mail="order_reply", party="staff", sealed=True)
    assert replied == "sent: what came of their mail to the desk"
    held = happens(place, "undelivered", by="deliver", mail="ibd_copy", problem="held_for_doubt")
    assert held == "NOT sent: copy for the IBD: the copy may still identify the reporter; judge it first"
    waits = happens(place, "waiting", by="from_reporter", on="handler")
    assert waits == "the reporter: waiting for the handler"


def test_every_kind_of_mail_doubt_and_reason_has_plain_words(place: Records) -> None:
    for kind in MailKind:
        assert "_" not in happens(place, "delivered", by="deliver", mail=kind.value, party="staff")
    for doubt in DOUBTS:
        assert "_" not in happens(place, "message", by="internal", doubt=doubt)
    for why in WHYS:
        assert "_" not in happens(place, "suggested", by="intake", other="CVD-2026-0009", why=why)


def test_a_clock_that_moved_by_less_than_a_minute_takes_no_line(place: Records) -> None:
    for moved in (timedelta(seconds=20), timedelta(minutes=5)):
        then = (ARRIVED + moved).isoformat()
        happens(place, "clock_moved", by="clock", clock="update", **{"from": ARRIVED.isoformat(), "to": then})

    moves = [one for one in the_card(place).splitlines() if "due moved" in one]

    assert [one.partition(": due ")[2] for one in moves] == [
        "moved from Thu 19 Nov 14:05 to Thu 19 Nov 14:10"
    ]


def test_a_proposed_publication_stands_beside_the_embargo(place: Records) -> None:
    assert "Publication" not in the_card(place)
    with place.database.unit_of_work() as session:
        ticket = ticket_called(session, FIRST)
        milestone(session, ticket, what=FIX_DEPLOYED, happened_at=ARRIVED, because="", **WHO)
        for day in (date(2026, 12, 1), date(2026, 12, 24)):
            embargo.propose_publication(session, ticket, on=day, text="", **WHO)

    assert line(the_card(place), "- Publication ") == "- Publication proposed on 2026-12-24"


@pytest.mark.parametrize(
    ("verdict", "says"),
    [
        ("good", "signed with the reporter's key"),
        ("none", "not signed"),
        ("unknown_key", "signed with a key that we do not know, which proves nothing"),
        ("bad", "signed, but the signature is not valid"),
    ],
)
def test_how_the_report_was_signed_is_told_in_words(place: Records, verdict: str, says: str) -> None:
    with place.database.unit_of_work() as session:
        session.scalars(select(Ticket)).one().signature = verdict

    assert line(the_card(place), "- The report ") == f"- The report is {says}"


def test_no_name_on_the_card_becomes_a_link(place: Records) -> None:
    """The names of owners come from a CSV file, an account from the proxy; both stand in refusals as well."""
    hostile = "[Portaal](https://x.example) www.x.example ![](https://x.example/a.png)"
    with place.database.unit_of_work() as session:
        ticket = ticket_called(session, FIRST)
        assert ticket.owner is not None
        ticket.owner.name = hostile
        row = desk_run_of(session, ticket)
        row.refused_because = f"{FIRST} is already with {hostile}"
        row.was_refused(hostile, because=f"logged in as {hostile}", action="close", text="Tekst.")
    for kind, facts in {
        "routed": {"owner": hostile},
        "assigned": {"from": hostile, "to": hostile},
        "stood_in": {"owner": hostile, "deputy": hostile},
        "of_tomorrow": {"whom": hostile},
    }.items():
        happens(place, kind, by=hostile, **facts)

    shown = the_card(place)

    assert shown.count("Portaal") == 12
    for linked in ("[Portaal](", "https://", "www.", "!["):
        assert linked not in shown


def test_a_milestone_to_come_is_refused_in_local_time(place: Records) -> None:
    with place.database.unit_of_work() as session:
        ticket = ticket_called(session, FIRST)
        with pytest.raises(Refused, match=r"\(2026-11-19 16:05\)"):
            milestone(session, ticket, what=FIX_DEPLOYED, happened_at=NOW + HOUR, because="", **WHO)

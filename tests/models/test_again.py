"""A closed report is taken up again, and one about two things is split, on both databases."""

from dataclasses import replace
from typing import Any

import pytest
from meldbalie.models import acts
from meldbalie.models.again import earlier_of, reopen, split
from meldbalie.models.clocks import ClockKind
from meldbalie.models.copies import waiting_copy
from meldbalie.models.delivery import claim_next, was_delivered
from meldbalie.models.errors import Refused
from meldbalie.models.filing import UNJUDGED, open_ticket
from meldbalie.models.ladder import climb, due_clocks
from meldbalie.models.outbox import Mail, MailKind, MailState
from meldbalie.models.session import Database
from meldbalie.models.states import CloseReason
from meldbalie.models.ticket import Ticket, ticket_called
from meldbalie.tests.models.reports import (
    ANONYMOUS,
    ARRIVED,
    DAY,
    DUE,
    HOUR,
    PROMISE,
    REPORT,
    WEB_TEAM,
    add_owner,
    clock_of,
    everything_about,
    mails,
    reported,
    together,
    told,
)

FIRST, SECOND, THIRD = "CVD-2026-0001", "CVD-2026-0002", "CVD-2026-0003"
NETWORK_TEAM = "netwerk@voorbeeld.example"
LATER = ARRIVED + 40 * DAY
BY: dict[str, Any] = {"by": "Fatima", "because": "it is back", "promise": PROMISE}


def closed(database: Database, reference: str = FIRST, *, now: Any = ARRIVED + DAY) -> None:
    """Close a ticket as remediated."""
    who = {"by": "Fatima", "because": "", "promise": PROMISE, "now": now}
    with database.unit_of_work() as session:
        ticket = ticket_called(session, reference)
        acts.accept(session, ticket, **who)
        acts.close(session, ticket, reason=CloseReason.REMEDIATED, **who)


def reopened(database: Database, reference: str = FIRST, *, now: Any = LATER) -> str:
    """Take up a ticket again and give the new number."""
    with database.unit_of_work() as session:
        return reopen(session, ticket_called(session, reference), now=now, **BY).reference


def was_split(database: Database, owner: str = "Network team", *, now: Any = ARRIVED + DAY) -> str:
    """Split the first ticket and give the new number."""
    with database.unit_of_work() as session:
        ticket = ticket_called(session, FIRST)
        return split(session, ticket, owner_name=owner, now=now, **BY).reference


def with_network_team(database: Database) -> None:
    """Report something, and have a second owner."""
    reported(database)
    with database.unit_of_work() as session:
        add_owner(session, "Network team", NETWORK_TEAM)


def written(ticket: Ticket, found: list[Mail]) -> list[tuple[MailKind, str]]:
    """What was written about a ticket, and to whom."""
    return [(mail.kind, mail.recipient) for mail in found if mail.ticket_id == ticket.id]


def test_a_reopened_report_is_a_ticket_of_its_own(database: Database) -> None:
    reported(database)
    closed(database)
    assert reopened(database) == "CVD-2026-0002"
    with database.reading() as session:
        first, again = ticket_called(session, FIRST), ticket_called(session, SECOND)
        assert again.linked_to == first.id
        assert again.is_open
        assert not first.is_open
        assert (again.report.text, again.report.subject) == (REPORT.text, REPORT.subject)
        assert [(file.name, file.content) for file in again.report.attachments] == [("proof.png", b"\x89PNG")]
        assert [target.value for target in again.targets] == ["formulieren.voorbeeld.example"]
        who = again.reporter
        assert (who.name, who.address, who.fingerprint) == (REPORT.name, REPORT.address, REPORT.fingerprint)
        assert (again.was_encrypted, again.signature, again.owner_name) == (True, "good", "Web team")
        assert again.report.ledger_id is None
        kinds = [kind for kind, _ in written(again, mails(session))]
        assert sorted(kinds) == ["handler_report", "handler_report", "ibd_copy", "owner_report", "receipt"]
        assert told(first)[-1] == "reopened"
        assert told(again)[-1] == "reopens"
        assert first.history[-1].facts == {"other": SECOND}
        assert first.history[-1].because == "it is back"
        assert (came_from := earlier_of(again)) is not None
        assert came_from.facts == {"other": FIRST}


def test_the_clocks_of_a_reopened_report_run_from_now(database: Database) -> None:
    reported(database)
    closed(database)
    reopened(database)
    with database.reading() as session:
        assert clock_of(session, SECOND).started_at == LATER
        assert clock_of(session, SECOND, ClockKind.SHARE).due_at == LATER + HOUR
        numbers = {clock_of(session, SECOND, kind).id for kind in ("response", "share", "update")}
        assert not numbers & set(due_clocks(session, LATER))


def test_a_reopened_report_goes_to_the_owner_that_a_handler_had_chosen(database: Database) -> None:
    with_network_team(database)
    with database.unit_of_work() as session:
        ticket = ticket_called(session, FIRST)
        acts.assign(session, ticket, to="Network team", by="Fatima", because="", now=ARRIVED)
    closed(database)
    reopened(database)
    with database.reading() as session:
        again = ticket_called(session, SECOND)
        given = [mail for mail in mails(session, MailKind.OWNER_REPORT) if mail.ticket_id == again.id]
        assert [mail.recipient for mail in given] == [NETWORK_TEAM]


def test_the_wishes_of_the_reporter_go_along(database: Database) -> None:
    reported(database)
    with database.unit_of_work() as session:
        who = ticket_called(session, FIRST).reporter
        who.shares_identity, who.credit = True, "name"
    closed(database)
    reopened(database)
    with database.reading() as session:
        who = ticket_called(session, SECOND).reporter
        assert (who.shares_identity, who.credit) == (True, "name")


def test_a_report_of_nobody_is_reopened_without_a_receipt(database: Database) -> None:
    reported(database, ANONYMOUS)
    closed(database)
    reopened(database)
    with database.reading() as session:
        again = ticket_called(session, SECOND)
        assert "receipt" not in [kind for kind, _ in written(again, mails(session))]


def a_machines_mail(database: Database) -> None:
    """A mailing list opened a ticket, and nobody has said that it is a report."""
    reported(database, replace(REPORT, may_be_answered=False))
    with database.unit_of_work() as session:
        add_owner(session, "Network team", NETWORK_TEAM)


def test_a_part_of_what_no_human_has_judged_waits_for_that_as_well(database: Database) -> None:
    a_machines_mail(database)
    assert was_split(database) == SECOND

    with database.reading() as session:
        part = ticket_called(session, SECOND)
        assert MailKind.RECEIPT not in [kind for kind, _ in written(part, mails(session))]
        copy = waiting_copy(session, part)
        assert copy is not None
        assert (copy.state, copy.problem) == (MailState.HELD, UNJUDGED)


def test_once_a_human_has_said_that_it_is_a_report_its_part_is_shared(database: Database) -> None:
    a_machines_mail(database)
    with database.unit_of_work() as session:
        acts.confirm(session, ticket_called(session, FIRST), now=ARRIVED + HOUR, **BY)
    was_split(database)

    with database.reading() as session:
        part = ticket_called(session, SECOND)
        assert MailKind.RECEIPT in [kind for kind, _ in written(part, mails(session))]
        assert waiting_copy(session, part) is None


def test_what_was_called_spam_is_not_shared_because_it_is_taken_up_again(database: Database) -> None:
    reported(database)
    who: dict[str, Any] = {"by": "Fatima", "because": "", "promise": PROMISE, "now": ARRIVED + DAY}
    with database.unit_of_work() as session:
        acts.close(session, ticket_called(session, FIRST), reason=CloseReason.SPAM, **who)
    assert reopened(database) == SECOND

    with database.reading() as session:
        copy = waiting_copy(session, ticket_called(session, SECOND))
        assert copy is not None
        assert copy.problem == UNJUDGED
    with database.unit_of_work() as session:
        acts.confirm(session, ticket_called(session, SECOND), now=LATER + HOUR, **BY)
        assert waiting_copy(session, ticket_called(session, SECOND)) is None


def test_an_open_ticket_is_not_reopened(database: Database) -> None:
    reported(database)
    before = everything_about(database, FIRST)
    with pytest.raises(Refused, match=r"CVD-2026-0001 is open"):
        reopened(database)
    assert everything_about(database, FIRST) == before


def test_a_ticket_is_reopened_once_while_the_second_is_open(database: Database) -> None:
    reported(database)
    closed(database)
    reopened(database)
    with pytest.raises(Refused, match=r"already, as CVD-2026-0002"):
        reopened(database)
    closed(database, SECOND, now=LATER + DAY)
    assert reopened(database, now=LATER + 2 * DAY) == THIRD


def test_a_message_that_opened_a_linked_ticket_is_no_reopening(database: Database) -> None:
    reported(database)
    closed(database)
    with database.unit_of_work() as session:
        open_ticket(session, REPORT, PROMISE, now=LATER, linked_to=ticket_called(session, FIRST))
    assert reopened(database) == THIRD


def test_of_several_who_reopen_at_once_one_does(database: Database) -> None:
    reported(database)
    closed(database)

    def attempt() -> str:
        try:
            return reopened(database)
        except Refused:
            return "refused"

    assert sorted(together(attempt)) == [SECOND, "refused", "refused", "refused"]


def test_a_split_report_has_two_tickets_with_two_owners(database: Database) -> None:
    with_network_team(database)
    assert was_split(database) == SECOND
    with database.reading() as session:
        first, part = ticket_called(session, FIRST), ticket_called(session, SECOND)
        assert (first.owner_name, part.owner_name) == ("Web team", "Network team")
        assert first.is_open
        assert part.is_open
        assert part.linked_to == first.id
        assert part.report.text == REPORT.text
        found = written(part, mails(session))
        assert [to for kind, to in found if kind is MailKind.OWNER_REPORT] == [NETWORK_TEAM]
        assert [kind for kind, _ in found].count(MailKind.RECEIPT) == 1
        assert told(first)[-1] == "split_off"
        assert "split_from" in told(part)
        assert first.history[-1].facts == {"other": SECOND}


def test_the_promise_of_a_split_report_counts_from_its_arrival(database: Database) -> None:
    with_network_team(database)
    was_split(database)
    with database.reading() as session:
        assert ticket_called(session, SECOND).arrived_at == ARRIVED
        clock = clock_of(session, SECOND)
        assert (clock.started_at, clock.due_at) == (ARRIVED, DUE)


def answered(database: Database, *, now: Any) -> None:
    """Answer the first ticket, and let all mail leave."""
    who = {"by": "Fatima", "promise": PROMISE, "now": now}
    with database.unit_of_work() as session:
        ticket = ticket_called(session, FIRST)
        acts.answer(session, ticket, text="Dank.", fix_on=None, no_date_because="wordt bekeken", **who)
        session.flush()
        while (number := claim_next(session, now)) is not None:
            was_delivered(session, session.get_one(Mail, number), PROMISE, sealed=True, now=now)
            session.flush()


def test_a_part_of_what_was_answered_is_owed_an_answer_from_the_split(database: Database) -> None:
    with_network_team(database)
    answered(database, now=ARRIVED + 2 * DAY)
    now = ARRIVED + 12 * DAY
    was_split(database, now=now)
    with database.unit_of_work() as session:
        for number in due_clocks(session, now):
            climb(session, number, PROMISE, now=now)
    with database.reading() as session:
        part = ticket_called(session, SECOND)
        clock = clock_of(session, SECOND)
        assert (clock.started_at, clock.due_at, clock.stopped_at) == (now, now + 5 * DAY, None)
        assert part.arrived_at == ARRIVED
        assert "escalated" not in told(part)
        assert mails(session, MailKind.RUNG) == []
        assert clock_of(session, FIRST).stopped_at == ARRIVED + 2 * DAY


def test_nothing_is_late_at_once_when_a_report_is_split(database: Database) -> None:
    with_network_team(database)
    now = ARRIVED + 4 * DAY
    was_split(database, now=now)
    with database.reading() as session:
        assert clock_of(session, SECOND, ClockKind.SHARE).due_at == now + HOUR
        assert clock_of(session, SECOND, ClockKind.UPDATE).due_at > now + 13 * DAY
        assert clock_of(session, SECOND, ClockKind.SHARE).id not in due_clocks(session, now)


def test_without_a_name_a_part_goes_where_routing_says(database: Database) -> None:
    with_network_team(database)
    with database.unit_of_work() as session:
        ticket = ticket_called(session, FIRST)
        acts.assign(session, ticket, to="Network team", by="Fatima", because="", now=ARRIVED)
    was_split(database, "")
    with database.reading() as session:
        part = ticket_called(session, SECOND)
        assert part.owner_name == "Web team"
        assert (MailKind.OWNER_REPORT, WEB_TEAM) in written(part, mails(session))


@pytest.mark.parametrize(
    ("owner", "why"),
    [
        ("Web team", "is with Web team already"),
        ("", "is with Web team already"),
        ("Nobody", "no owner of that name; known are: Network team, Web team"),
    ],
)
def test_a_report_is_split_for_another_owner_only(database: Database, owner: str, why: str) -> None:
    with_network_team(database)
    before = everything_about(database, FIRST)
    with pytest.raises(Refused, match=why):
        was_split(database, owner)
    assert everything_about(database, FIRST) == before


def test_a_report_is_split_once_for_each_owner(database: Database) -> None:
    with_network_team(database)
    was_split(database)
    with pytest.raises(Refused, match=r"CVD-2026-0002 is with Network team"):
        was_split(database)
    with database.unit_of_work() as session:
        add_owner(session, "Third team", "derde@voorbeeld.example")
    assert was_split(database, "Third team") == THIRD


def test_of_several_who_split_at_once_one_does(database: Database) -> None:
    with_network_team(database)

    def attempt() -> str:
        try:
            return was_split(database)
        except Refused:
            return "refused"

    assert sorted(together(attempt)) == [SECOND, "refused", "refused", "refused"]


def test_a_closed_ticket_is_not_split(database: Database) -> None:
    with_network_team(database)
    closed(database)
    with pytest.raises(Refused, match=r"CVD-2026-0001 is closed"):
        was_split(database)


def test_a_report_in_another_zone_of_the_year_keeps_its_year(database: Database) -> None:
    reported(database, replace(REPORT, arrived_at=ARRIVED + 40 * DAY), now=ARRIVED + 40 * DAY)
    with database.unit_of_work() as session:
        add_owner(session, "Network team", NETWORK_TEAM)
    assert was_split(database, now=ARRIVED + 60 * DAY) == SECOND

"""Until when both keep silent, and when something is published: proposals that the reporter reads."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from meldbalie.models import acts, joining
from meldbalie.models.clocks import ClockKind
from meldbalie.models.delivery import was_delivered
from meldbalie.models.embargo import propose_embargo, propose_publication
from meldbalie.models.errors import Refused
from meldbalie.models.links import make_link
from meldbalie.models.milestones import milestone
from meldbalie.models.outbox import MailKind
from meldbalie.models.session import Database
from meldbalie.models.states import CloseReason
from meldbalie.models.ticket import ticket_called
from meldbalie.tests.models.reports import (
    ADDRESS,
    ANONYMOUS,
    ARRIVED,
    DAY,
    HOUR,
    PROMISE,
    clock_of,
    everything_about,
    mails,
    reported,
    told,
)

NOW = ARRIVED + HOUR
ENDS = datetime(2026, 12, 31, 23, 30, tzinfo=UTC)  # in Amsterdam that is New Year's day, 00:30
LATER = ENDS + timedelta(days=30)
MOVES: dict[str, Any] = {"by": "Fatima", "now": NOW, "promise": PROMISE}


def propose(database: Database, reference: str, ends_at: datetime | None, text: str = "", **how: Any) -> None:
    with database.unit_of_work() as session:
        ticket = ticket_called(session, reference)
        propose_embargo(session, ticket, ends_at=ends_at, text=text, **{**MOVES, **how})


def publish(database: Database, reference: str, on: date, text: str = "", **how: Any) -> None:
    with database.unit_of_work() as session:
        ticket = ticket_called(session, reference)
        propose_publication(session, ticket, on=on, text=text, **{**MOVES, **how})


def fix(database: Database, reference: str) -> None:
    with database.unit_of_work() as session:
        ticket = ticket_called(session, reference)
        milestone(session, ticket, what="fix_deployed", happened_at=NOW, **MOVES)


def refused(database: Database, reference: str, do: Any, *what: Any, **how: Any) -> str:
    """See that something is refused and that nothing of it was done; gives why."""
    before = everything_about(database, reference)
    with pytest.raises(Refused) as refusal:
        do(database, reference, *what, **how)
    assert everything_about(database, reference) == before
    return str(refusal.value)


def test_an_embargo_is_proposed_revised_and_lifted_and_the_history_has_each(database: Database) -> None:
    reference = reported(database)

    propose(database, reference, ENDS)
    propose(database, reference, LATER, "The supplier needs a month.")
    propose(database, reference, None, "It is public already.")

    with database.reading() as session:
        ticket = ticket_called(session, reference)
        assert ticket.embargo_ends_at is None
        proposals = [entry for entry in ticket.history if entry.kind == "embargo_proposed"]
        assert [(one.facts["was"], one.facts["ends_at"]) for one in proposals] == [
            ("", ENDS.isoformat()),
            (ENDS.isoformat(), LATER.isoformat()),
            (LATER.isoformat(), ""),
        ]
        because = ["", "The supplier needs a month.", "It is public already."]
        assert [one.because for one in proposals] == because
        written = mails(session, MailKind.EMBARGO)
        assert [(mail.recipient, mail.party, mail.facts) for mail in written] == [
            (ADDRESS, "reporter", one.facts | {"because": one.because}) for one in proposals
        ]


def test_an_embargo_stands_on_the_ticket_to_the_instant(database: Database) -> None:
    reference = reported(database)

    propose(database, reference, ENDS)

    with database.reading() as session:
        assert ticket_called(session, reference).embargo_ends_at == ENDS


def test_an_embargo_ends_in_the_future_at_another_moment_and_is_lifted_with_a_reason(
    database: Database,
) -> None:
    reference = reported(database)

    assert "no embargo was proposed" in refused(database, reference, propose, None, "why")
    assert "2026-11-19 15:05 (Europe/Amsterdam) has passed" in refused(database, reference, propose, NOW)
    propose(database, reference, ENDS)
    assert "ends 2027-01-01 00:30" in refused(database, reference, propose, ENDS)
    assert "say why" in refused(database, reference, propose, None, " ")


@pytest.mark.parametrize("kind", [MailKind.EMBARGO, MailKind.PUBLICATION])
def test_a_proposal_that_arrived_ends_the_silence_and_is_no_answer(
    database: Database, kind: MailKind
) -> None:
    reference = reported(database)
    fix(database, reference)
    propose(database, reference, ENDS)
    publish(database, reference, date(2027, 1, 1))

    with database.unit_of_work() as session:
        [mail] = mails(session, kind)
        was_delivered(session, mail, PROMISE, sealed=True, now=NOW + HOUR)

    with database.reading() as session:
        assert clock_of(session, reference, ClockKind.UPDATE).started_at == NOW + HOUR
        assert clock_of(session, reference).stopped_at is None


def test_nothing_is_published_before_the_problem_is_solved(database: Database) -> None:
    reference = reported(database)

    assert "fix deployed" in refused(database, reference, publish, date(2027, 2, 1))
    fix(database, reference)
    publish(database, reference, date(2027, 2, 1), "We write a page about it.")

    with database.reading() as session:
        ticket = ticket_called(session, reference)
        assert told(ticket)[-1] == "publication_proposed"
        assert (ticket.history[-1].facts, ticket.history[-1].because) == (
            {"on": "2027-02-01"},
            "We write a page about it.",
        )
        [mail] = mails(session, MailKind.PUBLICATION)
        assert mail.facts == {"on": "2027-02-01", "because": "We write a page about it."}
        assert (mail.recipient, mail.party) == (ADDRESS, "reporter")


def test_nothing_is_published_while_both_keep_silent_nor_yesterday(database: Database) -> None:
    reference = reported(database)
    fix(database, reference)
    propose(database, reference, ENDS)

    before = refused(database, reference, publish, date(2026, 12, 31))
    assert "before the embargo's end, 2027-01-01 00:30 (Europe/Amsterdam)" in before
    publish(database, reference, date(2027, 1, 1))
    propose(database, reference, None, "It is public already.")
    assert "has passed" in refused(database, reference, publish, date(2026, 11, 18))
    publish(database, reference, PROMISE.local_day(NOW))


def test_after_closing_both_can_be_proposed(database: Database) -> None:
    reference = reported(database)
    fix(database, reference)
    with database.unit_of_work() as session:
        ticket = ticket_called(session, reference)
        acts.accept(session, ticket, because="", **MOVES)
        acts.close(session, ticket, reason=CloseReason.REMEDIATED, because="", **MOVES)

    propose(database, reference, ENDS, now=NOW + DAY)
    publish(database, reference, date(2027, 1, 1), now=NOW + DAY)

    with database.reading() as session:
        assert len(mails(session, MailKind.EMBARGO, MailKind.PUBLICATION)) == 2


def is_closed(database: Database, reference: str, *, as_duplicate_of: str = "") -> None:
    with database.unit_of_work() as session:
        ticket = ticket_called(session, reference)
        if as_duplicate_of:
            joining.join(session, ticket, to=as_duplicate_of, because="", **MOVES)
        else:
            acts.accept(session, ticket, because="", **MOVES)
            acts.close(session, ticket, reason=CloseReason.REMEDIATED, because="", **MOVES)


def test_after_closing_an_embargo_is_lifted_in_our_standard_words(database: Database) -> None:
    reference = reported(database)
    propose(database, reference, ENDS)
    is_closed(database, reference)

    propose(database, reference, None)

    with database.reading() as session:
        assert ticket_called(session, reference).embargo_ends_at is None
        assert mails(session, MailKind.EMBARGO)[-1].facts == {
            "ends_at": "",
            "was": ENDS.isoformat(),
            "because": "",
        }


def test_the_same_day_is_proposed_again_only_with_a_word_or_after_another_proposal(
    database: Database,
) -> None:
    reference, day = reported(database), date(2027, 2, 1)
    fix(database, reference)
    publish(database, reference, day)

    assert "2027-02-01 was proposed already" in refused(database, reference, publish, day)
    publish(database, reference, day, "You did not say what you think of it.")
    propose(database, reference, ENDS)
    publish(database, reference, day)

    with database.reading() as session:
        assert len(mails(session, MailKind.PUBLICATION)) == 3


def test_nothing_is_proposed_on_a_ticket_that_was_joined_or_forgotten(database: Database) -> None:
    main, joined, gone = (reported(database) for _ in range(3))
    propose(database, joined, ENDS)
    is_closed(database, joined, as_duplicate_of=main)
    is_closed(database, gone)
    with database.unit_of_work() as session:
        ticket_called(session, gone).forgotten_at = NOW

    for do, what in ((propose, LATER), (publish, date(2027, 2, 1))):
        assert f"was joined with {main}" in refused(database, joined, do, what)
        assert "was forgotten" in refused(database, gone, do, what)
    assert "was forgotten" in refused(database, gone, propose, None)
    propose(database, joined, None)  # what was proposed before it was joined stands on its own page


@pytest.mark.parametrize("has_link", [True, False])
def test_without_an_address_a_proposal_stands_on_the_page_or_nobody_is_told(
    database: Database, has_link: bool
) -> None:
    reference = reported(database, ANONYMOUS)
    if has_link:
        with database.unit_of_work() as session:
            make_link(session, ticket_called(session, reference), at=ARRIVED)

    propose(database, reference, ENDS)

    with database.reading() as session:
        entry = ticket_called(session, reference).history[-1]
        assert entry.kind == ("published" if has_link else "unreachable")
        assert entry.facts == {"what": "embargo"}
        assert clock_of(session, reference).stopped_at is None

"""A reporter who lost the secret link is sent another, and the old one opens nothing."""

import pytest
from meldbalie.models.delivery import claim_next, was_delivered
from meldbalie.models.errors import Refused
from meldbalie.models.links import ticket_behind
from meldbalie.models.outbox import Mail, MailKind, MailState
from meldbalie.models.resending import resend_link
from meldbalie.models.restraint import Limits, why_held_back
from meldbalie.models.session import Database
from meldbalie.models.ticket import ticket_called
from meldbalie.models.undeliverable import fails
from meldbalie.tests.models.reports import (
    ADDRESS,
    ANONYMOUS,
    ARRIVED,
    DAY,
    PROMISE,
    everything_about,
    mails,
    reported,
    together,
    told,
)

FIRST = "CVD-2026-0001"
NOW = ARRIVED + DAY


def link_of(database: Database, number: int = -1) -> str:
    """The token that a receipt brings."""
    with database.reading() as session:
        return (mails(session, MailKind.RECEIPT)[number].facts or {})["link"]


def everything_leaves(database: Database) -> None:
    """Deliver all mail."""
    with database.unit_of_work() as session:
        while (number := claim_next(session, NOW)) is not None:
            was_delivered(session, session.get_one(Mail, number), PROMISE, sealed=True, now=NOW)
            session.flush()


def resent(database: Database) -> None:
    """Send the link again."""
    with database.unit_of_work() as session:
        resend_link(session, ticket_called(session, FIRST), by="Fatima", now=NOW)


def test_a_new_link_takes_the_place_of_the_old_one(database: Database) -> None:
    reported(database)
    old = link_of(database)
    everything_leaves(database)
    resent(database)
    new = link_of(database)
    with database.reading() as session:
        assert ticket_behind(session, old) is None
        assert (opened := ticket_behind(session, new)) is not None
        assert opened.reference == FIRST
        receipts = mails(session, MailKind.RECEIPT)
        assert [(mail.recipient, mail.state) for mail in receipts] == [
            (ADDRESS, MailState.SENT),
            (ADDRESS, MailState.WAITING),
        ]
        ticket = ticket_called(session, FIRST)
        assert "link_renewed" in told(ticket)
        assert ticket.history[-1].actor == "Fatima"


def test_while_a_link_is_on_its_way_there_is_no_other(database: Database) -> None:
    reported(database)
    before = everything_about(database, FIRST)
    with pytest.raises(Refused, match="on its way already"):
        resent(database)
    assert everything_about(database, FIRST) == before


def test_of_several_who_send_it_at_once_one_does(database: Database) -> None:
    reported(database)
    everything_leaves(database)

    def attempt() -> str:
        try:
            resent(database)
        except Refused:
            return "refused"
        return "sent"

    assert sorted(together(attempt)) == ["refused", "refused", "refused", "sent"]
    with database.reading() as session:
        assert len(mails(session, MailKind.RECEIPT)) == 2


def test_nobody_without_an_address_is_sent_a_link(database: Database) -> None:
    reported(database, ANONYMOUS)
    with pytest.raises(Refused, match="left no address"):
        resent(database)


def test_a_receipt_that_could_not_be_delivered_never_brings_its_dead_link(database: Database) -> None:
    reported(database)
    with database.unit_of_work() as session:
        mails(session, MailKind.RECEIPT)[0].state = MailState.PARKED
    resent(database)
    with database.reading() as session:
        first, second = mails(session, MailKind.RECEIPT)
        assert (first.state, first.facts, second.state) == (MailState.CALLED_OFF, None, MailState.WAITING)


def test_a_link_that_a_handler_sends_leaves_to_an_address_that_failed(database: Database) -> None:
    reported(database)
    everything_leaves(database)
    with database.unit_of_work() as session:
        fails(session, ADDRESS, mail_id=mails(session, MailKind.RECEIPT)[0].id, now=NOW)
    resent(database)
    with database.reading() as session:
        assert why_held_back(session, mails(session, MailKind.RECEIPT)[-1], Limits((), ())) is None


@pytest.mark.parametrize("problem", ["RecipientRefused", "MailRefused", "bounced", "undeliverable"])
@pytest.mark.parametrize("kind", [MailKind.RECEIPT, MailKind.HANDLER_REPORT])
def test_where_mail_does_not_arrive_the_old_link_goes_on_working(
    database: Database, problem: str, kind: MailKind
) -> None:
    reported(database)
    old = link_of(database)
    everything_leaves(database)
    with database.unit_of_work() as session:
        failed = mails(session, kind)[0]
        failed.state, failed.problem, number = MailState.PARKED, problem, failed.id

    if kind is not MailKind.RECEIPT:  # it is no mail to the reporter
        resent(database)
        return
    with pytest.raises(Refused, match=f"`meldbalie outbox --retry {number}`"):
        resent(database)
    with database.reading() as session:
        assert ticket_behind(session, old) is not None


def test_a_link_is_sent_to_an_address_that_took_mail_since(database: Database) -> None:
    reported(database)
    everything_leaves(database)
    with database.unit_of_work() as session:
        failed = mails(session, MailKind.RECEIPT)[0]
        failed.state, failed.problem = MailState.PARKED, "bounced"
    reported(database)
    everything_leaves(database)

    resent(database)

    with database.reading() as session:
        assert "link_renewed" in told(ticket_called(session, FIRST))

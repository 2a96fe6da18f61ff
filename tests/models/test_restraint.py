"""What we do not send by ourselves: too much to one address, or anything to one that fails."""

from datetime import datetime, timedelta

import pytest
from meldbalie.models import acts
from meldbalie.models.delivery import (
    bounced,
    claim_next,
    parked,
    put_off_all,
    try_again,
    was_delivered,
    was_held_back,
    was_hindered,
    was_not_delivered,
)
from meldbalie.models.filing import join_ticket
from meldbalie.models.outbox import Mail, MailKind, MailState, write_mail
from meldbalie.models.promise import Correspondent
from meldbalie.models.restraint import BY_HAND, TOO_MANY, UNDELIVERABLE, Limits, Most, why_held_back
from meldbalie.models.session import Database
from meldbalie.models.states import CloseReason, TicketState
from meldbalie.models.threads import Standing
from meldbalie.models.ticket import ticket_called
from meldbalie.models.undeliverable import UndeliverableAddress, is_undeliverable
from meldbalie.tests.models.reports import (
    ADDRESS,
    ARRIVED,
    FATIMA,
    PROMISE,
    REPORT,
    mails,
    reported,
    told,
)
from sqlalchemy.orm import Session

NOW = ARRIVED + timedelta(hours=1)
MINUTE = timedelta(minutes=1)
REPORTER = Correspondent("Sanne", ADDRESS)
NONE = Limits((), ())
FIRST = "CVD-2026-0001"


def limits(*, ticket: tuple[int, int] | None = None, address: tuple[int, int] | None = None) -> Limits:
    """Bounds as so many mails in so many minutes."""
    per_ticket = [Most(ticket[0], ticket[1] * MINUTE)] if ticket else []
    return Limits(per_ticket, [Most(address[0], address[1] * MINUTE)] if address else [])


def written(
    session: Session, cause: int, *, kind: MailKind = MailKind.RECEIPT, party: str = "reporter", to=REPORTER
) -> Mail:
    ticket = ticket_called(session, FIRST)
    mail = write_mail(session, kind, to, party=party, cause=f"x{cause}", now=NOW, ticket=ticket)
    session.flush()
    return mail


def sent(session: Session, number: int, *, at: datetime = NOW, **more) -> None:
    """So many mails that have left already."""
    for one in range(number):
        mail = written(session, one + 100, **more)
        mail.state, mail.created_at, mail.sent_at = MailState.SENT, at, at
    session.flush()


@pytest.mark.parametrize(
    ("party", "bounds", "held"),
    [
        ("reporter", limits(ticket=(3, 10)), True),
        ("reporter", limits(ticket=(4, 10)), False),
        ("reporter", limits(ticket=(3, 9)), False),
        ("reporter", limits(address=(3, 10)), True),
        ("reporter", limits(address=(4, 10)), False),
        ("staff", limits(ticket=(3, 10)), True),
        ("staff", limits(address=(3, 10)), False),  # nothing that they wrote made us write
        ("owner", limits(address=(3, 10)), False),
    ],
)
def test_so_many_in_so_much_time_are_enough(
    database: Database, party: str, bounds: Limits, held: bool
) -> None:
    reported(database)
    to = REPORTER if party == "reporter" else FATIMA
    kind = MailKind.RECEIPT if party == "reporter" else MailKind.MESSAGE

    with database.unit_of_work() as session:
        sent(session, 3, at=NOW - 9 * MINUTE, kind=kind, party=party, to=to)
        mail = written(session, 1, kind=kind, party=party, to=to)
        assert why_held_back(session, mail, bounds) == (TOO_MANY if held else None)


def test_a_handler_who_reported_it_is_counted_as_a_reporter_as_well(database: Database) -> None:
    reported(database, REPORT)
    with database.unit_of_work() as session:
        handler = Correspondent("Sanne", ADDRESS)
        sent(session, 3, kind=MailKind.HANDLER_REPORT, party="staff", to=handler)
        mail = written(session, 1, kind=MailKind.HANDLER_REPORT, party="staff", to=handler)
        assert why_held_back(session, mail, limits(address=(3, 10))) == TOO_MANY


@pytest.mark.parametrize("kind", [MailKind.ANSWER, MailKind.IBD_COPY, MailKind.STATE_CHANGED, MailKind.RUNG])
def test_what_no_message_provoked_is_not_counted(database: Database, kind: MailKind) -> None:
    reported(database)
    with database.unit_of_work() as session:
        sent(session, 5)
        mail = written(session, 1, kind=kind)
        assert why_held_back(session, mail, limits(ticket=(1, 10), address=(1, 10))) is None


def test_that_mail_failed_is_told_however_much_a_reporter_made_us_write(database: Database) -> None:
    reported(database)
    with database.unit_of_work() as session:
        staff = {"party": "staff", "to": FATIMA}
        sent(session, 12, kind=MailKind.MESSAGE, **staff)
        bounds = limits(ticket=(10, 10), address=(10, 10))
        notice = written(session, 1, kind=MailKind.UNDELIVERED, **staff)
        assert why_held_back(session, notice, bounds) is None
        assert why_held_back(session, written(session, 2, kind=MailKind.MESSAGE, **staff), bounds) == TOO_MANY


def test_alarms_about_keys_are_counted_by_themselves_and_the_first_one_too_many_is_told(
    database: Database,
) -> None:
    reported(database)
    staff = {"party": "staff", "to": FATIMA}
    with database.unit_of_work() as session:
        sent(session, 12, kind=MailKind.MESSAGE, **staff)
        parked = written(session, 1, kind=MailKind.MESSAGE, **staff)
        parked.state, parked.problem = MailState.PARKED, TOO_MANY
        for number in range(2, 8):
            mail = written(session, number, kind=MailKind.KEY_ALARM, **staff)
            mail.state = MailState.SENDING
            session.flush()
            if why_held_back(session, mail, limits(ticket=(3, 10))):
                was_held_back(session, mail, TOO_MANY, PROMISE, now=NOW)
            else:
                was_delivered(session, mail, PROMISE, sealed=True, now=NOW)
        states = [mail.state for mail in mails(session, MailKind.KEY_ALARM)]
        assert states == [MailState.SENT] * 3 + [MailState.PARKED] * 3
        assert len(mails(session, MailKind.UNDELIVERED)) == len(PROMISE.triage)


def test_what_a_human_sends_again_is_not_held_back(database: Database) -> None:
    reported(database)
    with database.unit_of_work() as session:
        sent(session, 3)
        mail = written(session, 1)
        mail.state = MailState.PARKED
        session.flush()
        try_again(session, mail.id, now=NOW)
        assert mail.problem == BY_HAND
        assert why_held_back(session, mail, limits(ticket=(3, 10))) is None


def test_handlers_are_told_once_why_mail_to_an_address_is_held_back(database: Database) -> None:
    reported(database)
    with database.unit_of_work() as session:
        for number in range(4):
            mail = written(session, number)
            mail.state = MailState.SENDING
            session.flush()
            was_held_back(session, mail, TOO_MANY, PROMISE, now=NOW)
            assert (mail.state, mail.problem) == (MailState.PARKED, TOO_MANY)
        notices = mails(session, MailKind.UNDELIVERED)
        assert len(notices) == len(PROMISE.triage)
        assert told(ticket_called(session, FIRST)).count("undelivered") == 4


def bounce(database: Database, number: int | None = None, *addresses: str) -> None:
    with database.unit_of_work() as session:
        ticket = ticket_called(session, FIRST)
        bounced(session, ticket, "reporter", PROMISE, now=NOW, addresses=addresses, number=number)


def all_sent(database: Database) -> None:
    with database.unit_of_work() as session:
        while (number := claim_next(session, NOW)) is not None:
            was_delivered(session, session.get_one(Mail, number), PROMISE, sealed=True, now=NOW)


def test_an_address_that_bounced_gets_nothing_from_us_but_what_a_human_writes(database: Database) -> None:
    reported(database)
    all_sent(database)

    bounce(database)

    with database.unit_of_work() as session:
        assert is_undeliverable(session, ADDRESS.upper())
        for kind, why in (
            (MailKind.STATE_CHANGED, UNDELIVERABLE),
            (MailKind.RECEIPT, UNDELIVERABLE),
            (MailKind.ANSWER, None),
        ):
            assert why_held_back(session, written(session, 1, kind=kind), NONE) == why
        to_staff = written(session, 2, kind=MailKind.STATE_CHANGED, party="staff")
        assert why_held_back(session, to_staff, NONE) is None


def test_of_an_address_that_failed_handlers_are_told_once_on_a_ticket(database: Database) -> None:
    reported(database)
    all_sent(database)
    bounce(database)

    with database.unit_of_work() as session:
        before = len(mails(session, MailKind.UNDELIVERED))
        mail = written(session, 1, kind=MailKind.STATE_CHANGED)
        mail.state = MailState.SENDING
        session.flush()
        was_held_back(session, mail, UNDELIVERABLE, PROMISE, now=NOW)
        assert before == len(PROMISE.triage)
        assert len(mails(session, MailKind.UNDELIVERED)) == before


def test_of_a_closing_or_an_answer_that_does_not_leave_handlers_are_told_each_time(
    database: Database,
) -> None:
    reported(database)
    with database.unit_of_work() as session:
        known = written(session, 1)
        known.state, known.problem = MailState.PARKED, UNDELIVERABLE
        for number, (kind, facts) in enumerate(
            [
                (MailKind.STATE_CHANGED, {"state": TicketState.VALID}),
                (MailKind.STATE_CHANGED, {"state": TicketState.CLOSED}),
                (MailKind.STATE_CHANGED, {"state": TicketState.CLOSED}),
                (MailKind.ANSWER, {}),
            ],
            start=2,
        ):
            mail = written(session, number, kind=kind)
            mail.state, mail.facts = MailState.SENDING, facts
            session.flush()
            was_held_back(session, mail, UNDELIVERABLE, PROMISE, now=NOW)
        notices = [mail.facts["mail"] for mail in mails(session, MailKind.UNDELIVERED) if mail.facts]
        assert notices == ["state_changed"] * 2 * len(PROMISE.triage) + ["answer"] * len(PROMISE.triage)


def test_a_closing_that_cannot_leave_since_the_receipt_came_back_is_told_to_handlers(
    database: Database,
) -> None:
    reported(database)
    all_sent(database)
    bounce(database)
    who = {"by": "Fatima", "because": "we cannot see it", "promise": PROMISE, "now": NOW}
    with database.unit_of_work() as session:
        ticket = ticket_called(session, FIRST)
        acts.invalidate(session, ticket, **who)
        acts.close(session, ticket, reason=CloseReason.NOT_REPRODUCIBLE, **who)

    told_before = len(PROMISE.triage)  # of the bounce
    with database.unit_of_work() as session:
        while (number := claim_next(session, NOW)) is not None:
            mail = session.get_one(Mail, number)
            why = why_held_back(session, mail, NONE)
            if why is None:
                was_delivered(session, mail, PROMISE, sealed=True, now=NOW)
            else:
                was_held_back(session, mail, why, PROMISE, now=NOW)

    with database.reading() as session:
        notices = mails(session, MailKind.UNDELIVERED)
        assert len(notices) == told_before + len(PROMISE.triage)
        assert {mail.state for mail in notices} == {MailState.SENT}


@pytest.mark.parametrize("by", ["message", "handler"])
def test_the_mark_goes_when_somebody_there_writes_or_a_handler_tries_again(
    database: Database, by: str
) -> None:
    reported(database)
    all_sent(database)
    bounce(database)

    with database.unit_of_work() as session:
        if by == "handler":
            try_again(session, parked(session, "bounced")[0], now=NOW)
        else:
            standing = Standing(ticket_called(session, FIRST), "reporter")
            join_ticket(session, REPORT, standing, PROMISE, now=NOW)
        assert not is_undeliverable(session, ADDRESS)


def test_a_refused_recipient_is_marked_as_one_that_bounced_is_and_a_refused_mail_is_not(
    database: Database,
) -> None:
    reported(database)
    for problem, is_marked in (("MailRefused", False), ("RecipientRefused", True)):
        with database.unit_of_work() as session:
            mail = written(session, is_marked)
            mail.state = MailState.SENDING
            session.flush()
            was_not_delivered(session, mail, problem, PROMISE, waits=[], for_good=True, now=NOW)
            assert is_undeliverable(session, ADDRESS) is is_marked


def test_a_bounce_that_names_its_mail_is_of_that_one_and_counts_once(database: Database) -> None:
    reported(database)
    all_sent(database)
    with database.unit_of_work() as session:
        [receipt] = mails(session, MailKind.RECEIPT)
        later = written(session, 1, kind=MailKind.STATE_CHANGED)
        later.state, later.sent_at = MailState.SENT, NOW
        [copy] = mails(session, MailKind.IBD_COPY)

    for _ in range(3):
        bounce(database, receipt.id)

    with database.reading() as session:
        assert session.get_one(Mail, receipt.id).problem == "bounced"
        assert session.get_one(Mail, later.id).state is MailState.SENT
        assert len(mails(session, MailKind.UNDELIVERED)) == len(PROMISE.triage)
        assert told(ticket_called(session, FIRST)).count("bounced") == 3
        [mark] = session.query(UndeliverableAddress).all()
        assert (mark.times, mark.mail_id, mark.address) == (1, receipt.id, ADDRESS)

    bounce(database, copy.id)  # of another party: then it is the last one to this party
    with database.reading() as session:
        assert session.get_one(Mail, copy.id).state is MailState.SENT
        assert session.get_one(Mail, later.id).problem == "bounced"


def test_what_is_parked_is_found_by_its_reason(database: Database) -> None:
    reported(database)
    with database.unit_of_work() as session:
        one, other, held = written(session, 1), written(session, 2), written(session, 3)
        one.state, one.problem = MailState.PARKED, TOO_MANY
        other.state, other.problem = MailState.PARKED, UNDELIVERABLE
        held.state = MailState.HELD
        session.flush()
        assert parked(session) == [one.id, other.id]
        assert parked(session, UNDELIVERABLE) == [other.id]
        assert parked(session, "nonsense") == []


def test_an_outage_costs_no_mail_a_try_and_lets_all_of_them_wait(database: Database) -> None:
    reported(database)
    for hour in range(100):
        now = NOW + hour * timedelta(hours=1)
        with database.unit_of_work() as session:
            number = claim_next(session, now)
            assert number is not None
            was_hindered(session, session.get_one(Mail, number), "ServerUnreachable", now=now, wait=MINUTE)
            session.flush()
            put_off_all(session, now + MINUTE)
        with database.unit_of_work() as session:
            assert claim_next(session, now) is None
            assert {mail.tries for mail in mails(session)} == {0}
            assert {mail.state for mail in mails(session)} == {MailState.WAITING}


def test_what_strangers_send_us_does_not_flood_the_handlers(database: Database) -> None:
    """A message that cannot be opened belongs to no ticket; each one writes to each handler."""
    with database.unit_of_work() as session:
        many = [
            write_mail(
                session, MailKind.QUARANTINED, FATIMA, party="staff", cause=str(number), now=NOW, ticket=None
            )
            for number in range(4)
        ]
        session.flush()
        for mail in many[:3]:
            mail.state, mail.sent_at = MailState.SENT, NOW

        assert why_held_back(session, many[3], limits(address=(3, 10))) == TOO_MANY
        assert why_held_back(session, many[3], limits(address=(4, 10))) is None

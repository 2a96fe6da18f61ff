"""How far a mail is: claimed by one worker, sent at least once, recorded once, or parked and told."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from meldbalie.models import acts
from meldbalie.models.clocks import ClockKind
from meldbalie.models.delivery import (
    CLAIM,
    COMES_BACK,
    anything_due,
    bounced,
    claim_next,
    was_delivered,
    was_held,
    was_not_delivered,
)
from meldbalie.models.filing import join_ticket
from meldbalie.models.outbox import Mail, MailKind, MailState
from meldbalie.models.session import Database
from meldbalie.models.states import CloseReason
from meldbalie.models.tables import Base
from meldbalie.models.threads import Standing
from meldbalie.models.ticket import Ticket, ticket_called
from meldbalie.models.undeliverable import UndeliverableAddress
from meldbalie.tests.models.reports import (
    ADDRESS,
    ANONYMOUS,
    ARRIVED,
    DAY,
    DUE,
    FATIMA,
    HOUR,
    JEROEN,
    PROMISE,
    REPORT,
    clock_of,
    mails,
    reported,
    together,
    told,
)
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

NOW = ARRIVED + timedelta(minutes=1)
WAITS = [timedelta(minutes=minutes) for minutes in (1, 5)]
RESPONSE, SHARE = ClockKind.RESPONSE, ClockKind.SHARE


@pytest.fixture
def reference(database: Database) -> str:
    """A ticket whose first mails wait."""
    return reported(database)


def claim(database: Database, now: datetime = NOW) -> int | None:
    with database.unit_of_work() as session:
        return claim_next(session, now)


def delivered(database: Database, number: int, now: datetime = NOW) -> None:
    with database.unit_of_work() as session:
        was_delivered(session, session.get_one(Mail, number), PROMISE, sealed=True, now=now)


def failed(database: Database, number: int, now: datetime = NOW, *, for_good: bool = False) -> None:
    with database.unit_of_work() as session:
        mail = session.get_one(Mail, number)
        was_not_delivered(session, mail, "unreachable", PROMISE, waits=WAITS, for_good=for_good, now=now)


def deliver_all(database: Database, now: datetime = NOW, *, but: MailKind | None = None) -> list[MailKind]:
    """Deliver what is due; gives what left. One kind is refused for good."""
    left: list[MailKind] = []
    while (number := claim(database, now)) is not None:
        with database.reading() as session:
            kind = session.get_one(Mail, number).kind
        if kind is but:
            failed(database, number, now, for_good=True)
        else:
            delivered(database, number, now)
            left.append(kind)
    return left


def came_back(
    database: Database, reference: str, party: str, now: datetime, *addresses: str, number: int | None = None
) -> None:
    with database.unit_of_work() as session:
        ticket = ticket_called(session, reference)
        bounced(session, ticket, party, PROMISE, now=now, addresses=addresses, number=number)


def answer(database: Database, reference: str, now: datetime = NOW) -> None:
    with database.unit_of_work() as session:
        acts.answer(
            session,
            ticket_called(session, reference),
            text="Thank you.",
            fix_on=None,
            no_date_because="we are looking into it",
            by="Fatima",
            now=now,
            promise=PROMISE,
        )


def close(database: Database, reference: str, now: datetime = NOW) -> None:
    who: dict[str, Any] = {"by": "Fatima", "because": "not in scope", "promise": PROMISE, "now": now}
    with database.unit_of_work() as session:
        ticket = ticket_called(session, reference)
        acts.invalidate(session, ticket, **who)
        acts.close(session, ticket, reason=CloseReason.OUT_OF_SCOPE, **who)


def mail_of(session: Session, kind: MailKind) -> Mail:
    return mails(session, kind)[-1]


def stopped(database: Database, reference: str, kind: ClockKind = RESPONSE) -> datetime | None:
    with database.reading() as session:
        return clock_of(session, reference, kind).stopped_at


def history(database: Database, reference: str) -> list[str]:
    with database.reading() as session:
        return told(ticket_called(session, reference))


def test_the_mail_that_has_waited_longest_is_claimed_first(database: Database, reference: str) -> None:
    later = reported(database, now=NOW + HOUR)

    claimed = [claim(database, NOW + HOUR) for _ in range(11)]

    with database.reading() as session:
        of = [session.get_one(Mail, number).ticket for number in claimed if number]
        assert [ticket.reference for ticket in of if ticket] == [reference] * 5 + [later] * 5
    assert claimed[-1] is None


def test_a_mail_is_not_due_before_its_time(database: Database, reference: str) -> None:
    before = NOW - timedelta(microseconds=1)

    with database.reading() as session:
        assert not anything_due(session, before)
        assert anything_due(session, NOW)
    assert claim(database, before) is None
    assert claim(database, NOW) is not None


def test_workers_at_once_claim_different_mails(database: Database, reference: str) -> None:
    claimed = together(lambda: claim(database), 5)

    assert len({number for number in claimed if number}) == len([number for number in claimed if number])
    deliver_all(database)
    with database.reading() as session:
        assert {mail.tries for mail in mails(session)} == {1}


def test_a_claim_does_not_wait_for_another_that_is_not_committed_yet(postgres_database: Database) -> None:
    reported(postgres_database)
    with postgres_database.unit_of_work() as slow, postgres_database.unit_of_work() as quick:
        quick.execute(text("SET LOCAL lock_timeout = '5s'"))
        assert {claim_next(slow, NOW), claim_next(quick, NOW)} == {1, 2}


def test_the_claim_of_a_killed_worker_runs_out(database: Database, reference: str) -> None:
    number = claim(database)
    while claim(database) is not None:
        pass

    assert claim(database, NOW + CLAIM - timedelta(microseconds=1)) is None
    assert claim(database, NOW + CLAIM) == number


def test_a_mail_that_left_is_never_claimed_again(database: Database, reference: str) -> None:
    deliver_all(database)

    with database.reading() as session:
        assert not anything_due(session, NOW + 1000 * DAY)
    assert claim(database, NOW + 1000 * DAY) is None


def test_a_mail_is_tried_again_with_growing_pauses_and_then_parked(
    database: Database, reference: str
) -> None:
    number = claim(database)
    assert number is not None
    tried = [NOW]
    failed(database, number, NOW)
    for wait in WAITS:
        due = tried[-1] + wait
        deliver_all(database, due - timedelta(microseconds=1))
        assert claim(database, due) == number
        failed(database, number, due)
        tried.append(due)

    with database.reading() as session:
        mail = session.get_one(Mail, number)
        assert (mail.state, mail.problem, mail.tries) == (MailState.PARKED, "unreachable", 3)
        facts = {"mail": mail.kind.value, "party": mail.party, "problem": "unreachable"}
        about = [(one.recipient, one.facts) for one in mails(session, MailKind.UNDELIVERED)]
    assert about == [(FATIMA.address, facts), (JEROEN.address, facts)]
    deliver_all(database, NOW + 100 * DAY)
    with database.reading() as session:
        assert len(mails(session, MailKind.UNDELIVERED)) == 2


def test_what_can_never_be_sent_is_parked_at_once(database: Database, reference: str) -> None:
    deliver_all(database, but=MailKind.RECEIPT)

    with database.reading() as session:
        receipt = mail_of(session, MailKind.RECEIPT)
        assert (receipt.state, receipt.tries) == (MailState.PARKED, 1)
        assert receipt.facts  # what it was to say is kept
        assert len(mails(session, MailKind.UNDELIVERED)) == 2


def test_an_undelivered_mail_about_an_undelivered_mail_is_never_written(
    database: Database, reference: str
) -> None:
    deliver_all(database, but=MailKind.RECEIPT)
    deliver_all(database, but=MailKind.UNDELIVERED)
    with database.reading() as session:
        written = len(mails(session))
        assert [mail.kind for mail in mails(session) if mail.state is not MailState.SENT] == [
            MailKind.RECEIPT
        ]

    with database.unit_of_work() as session:
        for mail in mails(session, MailKind.UNDELIVERED):
            mail.state, mail.sent_at = MailState.WAITING, None
    deliver_all(database, but=MailKind.UNDELIVERED)

    with database.reading() as session:
        assert len(mails(session)) == written
        parked = mails(session, MailKind.UNDELIVERED)
        assert {mail.state for mail in parked} == {MailState.PARKED}
    assert history(database, reference).count("undelivered") == 3


def test_the_secret_link_is_erased_from_the_outbox_once_it_has_left(
    database: Database, reference: str
) -> None:
    with database.reading() as session:
        assert mail_of(session, MailKind.RECEIPT).facts["link"]  # pyright: ignore

    deliver_all(database)

    with database.reading() as session:
        receipt = mail_of(session, MailKind.RECEIPT)
        assert (receipt.facts, receipt.sent_at, receipt.was_sealed) == (None, NOW, True)
        assert {str(mail.facts) for mail in mails(session)} == {"None"}


def test_what_a_mail_says_is_kept_so_that_it_can_be_sent_again(database: Database, reference: str) -> None:
    deliver_all(database, but=MailKind.RECEIPT)
    with database.reading() as session:
        said = mail_of(session, MailKind.UNDELIVERED).facts

    deliver_all(database)

    with database.reading() as session:
        again = mail_of(session, MailKind.UNDELIVERED)
        assert (again.state, again.facts) == (MailState.SENT, said)
        assert said


def test_a_mail_that_belongs_to_no_ticket_is_delivered_and_parked_as_well(database: Database) -> None:
    with database.unit_of_work() as session:
        for once in ("one", "two"):
            session.add(
                Mail(
                    once=once,
                    kind=MailKind.CANNOT_OPEN,
                    party="reporter",
                    recipient=ADDRESS,
                    facts={},
                    created_at=NOW,
                    next_try_at=NOW,
                )
            )
    first, second = claim(database), claim(database)
    assert first is not None
    assert second is not None

    delivered(database, first)
    failed(database, second, for_good=True)

    with database.reading() as session:
        assert [mail.state for mail in mails(session, MailKind.CANNOT_OPEN)] == [
            MailState.SENT,
            MailState.PARKED,
        ]
        assert len(mails(session, MailKind.UNDELIVERED)) == 2


def test_what_a_slow_worker_says_late_does_not_undo_what_happened(database: Database, reference: str) -> None:
    number = claim(database)
    assert number is not None
    while claim(database) is not None:
        pass
    assert claim(database, NOW + CLAIM) == number  # the slow one's claim ran out
    delivered(database, number, NOW + CLAIM)

    failed(database, number, NOW + CLAIM + HOUR, for_good=True)
    delivered(database, number, NOW + CLAIM + HOUR)
    with database.unit_of_work() as session:
        was_held(session, session.get_one(Mail, number), "in_doubt", PROMISE, now=NOW + 2 * HOUR)

    with database.reading() as session:
        mail = session.get_one(Mail, number)
        assert (mail.state, mail.sent_at) == (MailState.SENT, NOW + CLAIM)
        assert mails(session, MailKind.UNDELIVERED) == []
    assert history(database, reference).count("delivered") == 1


def test_a_slow_worker_that_succeeds_after_all_is_believed(database: Database, reference: str) -> None:
    number = claim(database)
    assert number is not None
    failed(database, number)

    delivered(database, number, NOW + HOUR)

    assert number not in [claim(database, NOW + DAY) for _ in range(6)]


def test_deliveries_at_once_on_one_ticket_keep_its_history_whole(database: Database, reference: str) -> None:
    numbers = [number for _ in range(5) if (number := claim(database)) is not None]
    waiting = iter(numbers)

    together(lambda: delivered(database, next(waiting)), len(numbers))

    assert history(database, reference).count("delivered") == 5
    with database.reading() as session:
        assert {mail.state for mail in mails(session)} == {MailState.SENT}


def test_one_mail_recorded_by_several_workers_at_once_is_recorded_once(
    database: Database, reference: str
) -> None:
    number = claim(database)
    assert number is not None

    together(lambda: delivered(database, number))

    assert history(database, reference).count("delivered") == 1


def test_a_held_mail_is_told_to_the_handlers_and_leaves_once_it_is_released(
    database: Database, reference: str
) -> None:
    with database.unit_of_work() as session:
        copy = mail_of(session, MailKind.IBD_COPY)
        copy.state = MailState.SENDING
        was_held(session, copy, "in_doubt", PROMISE, now=NOW)

    assert deliver_all(database).count(MailKind.UNDELIVERED) == 2
    assert stopped(database, reference, SHARE) is None

    with database.unit_of_work() as session:
        acts.release_copy(session, ticket_called(session, reference), by="Fatima", now=NOW + HOUR)
        assert mail_of(session, MailKind.IBD_COPY).facts == {"released": True}

    assert deliver_all(database, NOW + HOUR) == [MailKind.IBD_COPY]
    assert stopped(database, reference, SHARE) == NOW + HOUR


def test_a_copy_that_is_parked_again_after_its_release_is_told_again(
    database: Database, reference: str
) -> None:
    for attempt in range(3):
        deliver_all(database, NOW + attempt * HOUR, but=MailKind.IBD_COPY)
        with database.unit_of_work() as session:
            assert len(mails(session, MailKind.UNDELIVERED)) == 2 * (attempt + 1)
            ticket = ticket_called(session, reference)
            acts.release_copy(session, ticket, by="Fatima", now=NOW + (attempt + 1) * HOUR)


def test_the_share_clock_stops_when_the_copy_is_delivered(database: Database, reference: str) -> None:
    deliver_all(database, NOW + HOUR / 2, but=None)

    assert stopped(database, reference, SHARE) == NOW + HOUR / 2
    assert stopped(database, reference) is None


def test_the_receipt_does_not_stop_the_response_clock_and_the_answer_does_when_it_is_delivered(
    database: Database, reference: str
) -> None:
    deliver_all(database)
    answer(database, reference, NOW + HOUR)
    assert stopped(database, reference) is None

    deliver_all(database, NOW + 2 * HOUR)
    answer(database, reference, NOW + 3 * HOUR)
    deliver_all(database, NOW + 4 * HOUR)

    assert stopped(database, reference) == NOW + 2 * HOUR
    with database.reading() as session:
        ticket = ticket_called(session, reference)
        stops = [entry.facts for entry in ticket.history if entry.kind == "clock_stands"]
        assert stops == [{"clock": "share", "in_time": True}, {"clock": "response", "in_time": True}]


@pytest.mark.parametrize(("after", "in_time"), [(timedelta(), True), (timedelta(microseconds=1), False)])
def test_an_answer_is_in_time_up_to_the_instant_that_it_is_due(
    database: Database, reference: str, after: timedelta, in_time: bool
) -> None:
    answer(database, reference)

    deliver_all(database, DUE + after)

    with database.reading() as session:
        ticket = ticket_called(session, reference)
        stops = [entry.facts for entry in ticket.history if entry.kind == "clock_stands"]
        assert {"clock": "response", "in_time": in_time} in stops


def test_a_change_of_state_is_no_answer(database: Database, reference: str) -> None:
    with database.unit_of_work() as session:
        ticket = ticket_called(session, reference)
        acts.accept(session, ticket, by="Fatima", because="", promise=PROMISE, now=NOW)

    assert MailKind.STATE_CHANGED in deliver_all(database)
    assert stopped(database, reference) is None


def test_the_closing_message_is_an_answer_once_it_is_delivered(database: Database, reference: str) -> None:
    close(database, reference)
    with database.reading() as session:
        clock = clock_of(session, reference)
        assert (clock.stopped_at, clock.next_rung_at) == (None, None)

    deliver_all(database, NOW + HOUR)

    assert stopped(database, reference) == NOW + HOUR


def test_a_ticket_whose_closing_message_never_arrived_counts_as_unanswered(
    database: Database, reference: str
) -> None:
    close(database, reference)

    deliver_all(database, but=MailKind.STATE_CHANGED)

    assert stopped(database, reference) is None
    with database.reading() as session:
        assert len(mails(session, MailKind.UNDELIVERED)) == 4  # both messages, both handlers


def test_a_bounce_parks_the_last_mail_to_that_party_and_tells_the_handlers(
    database: Database, reference: str
) -> None:
    deliver_all(database)

    came_back(database, reference, "reporter", NOW + HOUR)

    with database.reading() as session:
        receipt = mail_of(session, MailKind.RECEIPT)
        assert (receipt.state, receipt.problem) == (MailState.PARKED, "bounced")
        assert [mail.recipient for mail in mails(session, MailKind.UNDELIVERED)] == [
            FATIMA.address,
            JEROEN.address,
        ]
    assert history(database, reference)[-2:] == ["bounced", "undelivered"]


def test_a_bounce_of_a_party_that_got_no_mail_is_recorded_and_no_more(
    database: Database, reference: str
) -> None:
    came_back(database, reference, "reporter", NOW)

    assert history(database, reference)[-1] == "bounced"


def test_of_several_handlers_the_one_whose_address_failed_is_meant(
    database: Database, reference: str
) -> None:
    deliver_all(database)

    came_back(database, reference, "staff", NOW + HOUR, FATIMA.address.upper())

    with database.reading() as session:
        parked = [mail.recipient for mail in mails(session) if mail.state is MailState.PARKED]
        assert parked == [FATIMA.address]


def test_bounces_of_mail_about_bounces_come_to_an_end(database: Database, reference: str) -> None:
    deliver_all(database)

    for hour in range(1, 20):
        came_back(database, reference, "staff", NOW + hour * HOUR, FATIMA.address)
        deliver_all(database, NOW + hour * HOUR)

    with database.reading() as session:
        assert len(mails(session, MailKind.UNDELIVERED)) <= 6


def test_an_answer_that_came_back_was_not_delivered_and_the_clock_runs_on(
    database: Database, reference: str
) -> None:
    answer(database, reference)
    deliver_all(database)

    came_back(database, reference, "reporter", NOW + DAY)

    with database.reading() as session:
        clock = clock_of(session, reference)
        assert (clock.stopped_at, clock.next_rung_at) == (None, ARRIVED + 2.5 * DAY)
    assert history(database, reference)[-1] == "clock_runs_on"


def test_after_another_answer_a_bounce_changes_nothing(database: Database, reference: str) -> None:
    for day in (0, 1):
        answer(database, reference, NOW + day * DAY)
        deliver_all(database, NOW + day * DAY)

    with database.reading() as session:
        second = mail_of(session, MailKind.ANSWER).id
    came_back(database, reference, "reporter", NOW + 2 * DAY, number=second)

    assert stopped(database, reference) == NOW
    assert history(database, reference).count("clock_runs_on") == 0


def test_a_closing_message_that_came_back_leaves_the_ticket_unanswered_but_nobody_is_reminded(
    database: Database, reference: str
) -> None:
    close(database, reference)
    deliver_all(database)

    came_back(database, reference, "reporter", NOW + DAY)

    with database.reading() as session:
        clock = clock_of(session, reference)
        assert (clock.stopped_at, clock.next_rung_at) == (None, None)


def answered_and_confirmed(database: Database, reference: str) -> None:
    """The reporter gets the receipt, an hour later an answer, and after another one a change of state."""
    deliver_all(database)
    answer(database, reference, NOW + HOUR)
    deliver_all(database, NOW + HOUR)
    with database.unit_of_work() as session:
        ticket = ticket_called(session, reference)
        acts.confirm(session, ticket, by="Fatima", because="", promise=PROMISE, now=NOW + 2 * HOUR)
    deliver_all(database, NOW + 2 * HOUR)


def that_came_back(database: Database) -> list[MailKind]:
    with database.reading() as session:
        return [mail.kind for mail in mails(session) if mail.problem == "bounced"]


@pytest.mark.parametrize("bounces", [1, 2, 3])
def test_a_bounce_that_does_not_say_of_which_mail_it_is_may_be_of_the_answer(
    database: Database, reference: str, bounces: int
) -> None:
    answered_and_confirmed(database, reference)

    for minute in range(bounces):
        came_back(database, reference, "reporter", NOW + 3 * HOUR + minute * timedelta(minutes=1))

    assert stopped(database, reference) is None
    assert that_came_back(database) == [MailKind.RECEIPT, MailKind.ANSWER, MailKind.STATE_CHANGED]
    with database.reading() as session:
        assert len(mails(session, MailKind.UNDELIVERED)) == 3 * len(PROMISE.triage)
        [mark] = session.scalars(select(UndeliverableAddress))
        assert mark.times == 1
    assert history(database, reference).count("bounced") == 3 + bounces - 1


def test_what_the_reporter_has_written_after_has_arrived(database: Database, reference: str) -> None:
    answered_and_confirmed(database, reference)
    with database.unit_of_work() as session:
        standing = Standing(ticket_called(session, reference), "reporter")
        again = replace(REPORT, arrived_at=NOW + 90 * timedelta(minutes=1))
        join_ticket(session, again, standing, PROMISE, now=NOW + 3 * HOUR)

    for hour in (4, 5):
        came_back(database, reference, "reporter", NOW + hour * HOUR)

    assert that_came_back(database) == [MailKind.STATE_CHANGED]
    assert stopped(database, reference) == NOW + HOUR


def test_what_no_server_can_hold_any_more_has_arrived_and_the_last_mail_always_may_not(
    database: Database, reference: str
) -> None:
    deliver_all(database)
    answer(database, reference, NOW + DAY)
    deliver_all(database, NOW + DAY)

    came_back(database, reference, "reporter", NOW + DAY + COMES_BACK + HOUR)

    assert that_came_back(database) == [MailKind.ANSWER]


def test_a_second_bounce_for_one_handler_is_not_taken_for_another_ones(
    database: Database, reference: str
) -> None:
    deliver_all(database)

    for hour in (1, 2):
        came_back(database, reference, "staff", NOW + hour * HOUR, FATIMA.address)

    with database.reading() as session:
        assert {mail.recipient for mail in mails(session) if mail.problem == "bounced"} == {FATIMA.address}


def test_a_copy_that_came_back_is_due_again(database: Database, reference: str) -> None:
    deliver_all(database)

    came_back(database, reference, "ibd", NOW + DAY)

    with database.reading() as session:
        clock = clock_of(session, reference, SHARE)
        assert (clock.stopped_at, clock.next_rung_at) == (None, ARRIVED + HOUR)
    with database.unit_of_work() as session:
        acts.release_copy(session, ticket_called(session, reference), by="Fatima", now=NOW + DAY)
    deliver_all(database, NOW + DAY)
    assert stopped(database, reference, SHARE) == NOW + DAY


def test_who_left_no_address_is_answered_on_the_page(database: Database) -> None:
    reference = reported(database, ANONYMOUS)

    answer(database, reference, NOW + HOUR)

    assert stopped(database, reference) == NOW + HOUR
    with database.reading() as session:
        assert mails(session, MailKind.ANSWER, MailKind.RECEIPT) == []


class Workers(RuleBasedStateMachine):
    """Workers that claim, send, fail and are killed in any order, and handlers in between."""

    database: Database

    @initialize()
    def begin(self) -> None:
        Base.metadata.drop_all(self.database.engine)
        Base.metadata.create_all(self.database.engine)
        self.now = NOW
        self.reference = reported(self.database, REPORT)
        self.at_work: list[int] = []
        self.recorded: set[int] = set()

    @rule()
    def claims(self) -> None:
        number = claim(self.database, self.now)
        if number is not None:
            assert number not in self.recorded
            self.at_work.append(number)

    @rule(data=st.data(), crashes=st.booleans())  # between the server's word and our commit
    def sends(self, data: st.DataObject, crashes: bool) -> None:
        number = self._one(data)
        if number is None:
            return
        if not crashes:
            delivered(self.database, number, self.now)
            self.recorded.add(number)

    @rule(data=st.data(), for_good=st.booleans())
    def fails(self, data: st.DataObject, for_good: bool) -> None:
        number = self._one(data)
        if number is not None:
            failed(self.database, number, self.now, for_good=for_good)

    @rule(data=st.data())
    def is_killed(self, data: st.DataObject) -> None:
        self._one(data)

    @rule(minutes=st.integers(1, 30))
    def time_goes_by(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @rule()
    def a_handler_answers(self) -> None:
        answer(self.database, self.reference, self.now)

    def _one(self, data: st.DataObject) -> int | None:
        if not self.at_work:
            return None
        return self.at_work.pop(data.draw(st.integers(0, len(self.at_work) - 1)))

    @invariant()
    def the_history_tells_of_each_mail_once(self) -> None:
        with self.database.reading() as session:
            ticket = session.scalars(select(Ticket)).one()
            states = [mail.state for mail in mails(session)]
            assert all(session.get_one(Mail, number).state is MailState.SENT for number in self.recorded)
            assert told(ticket).count("delivered") == states.count(MailState.SENT)
            clock = clock_of(session, self.reference)
            answered = [mail for mail in mails(session, MailKind.ANSWER) if mail.sent_at]
            assert (clock.stopped_at is not None) == bool(answered)

    def teardown(self) -> None:
        """In the end, with a server that takes everything, nothing is left behind."""
        self.now += DAY
        deliver_all(self.database, self.now)
        with self.database.reading() as session:
            waiting = select(func.count()).where(Mail.state.in_((MailState.WAITING, MailState.SENDING)))
            assert session.scalar(waiting) == 0
            parked = [mail for mail in mails(session) if mail.state is MailState.PARKED]
            about = mails(session, MailKind.UNDELIVERED)
            others = [mail for mail in parked if mail.kind is not MailKind.UNDELIVERED]
            assert len(about) >= 2 * len(others)


def test_whatever_happens_to_workers_each_mail_leaves_and_is_recorded_once(
    sqlite_database: Database,
) -> None:
    Workers.database = sqlite_database
    Workers.TestCase.settings = settings(
        max_examples=10,
        stateful_step_count=25,
        deadline=None,
        phases=[Phase.explicit, Phase.reuse, Phase.generate],  # to shrink an example takes minutes
        suppress_health_check=list(HealthCheck),
    )
    Workers.TestCase().runTest()

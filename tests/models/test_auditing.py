"""The audit of the records: whatever is broken on purpose is found, and nothing else."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from meldbalie.models import auditing
from meldbalie.models.alarms import AlarmKind
from meldbalie.models.auditing import (
    look_at_bytes,
    look_at_histories,
    look_at_inbox,
    look_at_records,
    tally,
)
from meldbalie.models.filing import decide, open_ticket
from meldbalie.models.ledger import LedgerEntry, Place, Verdict, enter, were_put_away
from meldbalie.models.outbox import Mail, MailKind, MailState
from meldbalie.models.session import Database
from meldbalie.models.vault import vault
from meldbalie.tests.models.reports import ANONYMOUS, ARRIVED, HOUR, PROMISE, REPORT
from sqlalchemy import delete, select, text, update
from sqlalchemy.orm import Session

INBOX = Place("cvd@127.0.0.1/INBOX", 1)
NOW = ARRIVED + HOUR
BEFORE = ARRIVED + HOUR / 2
FIRST, SECOND = "CVD-2026-0001", "CVD-2026-0002"


def entered(session: Session, uid: int, raw: bytes | None = None, place: Place = INBOX) -> LedgerEntry:
    raw = b"Subject: %d\r\n\r\n" % uid if raw is None else raw
    entry = enter(session, place, uid, raw, message_id=f"<{uid}@x>", arrived_at=ARRIVED, now=ARRIVED)
    session.flush()
    return entry


@pytest.fixture
def desk(database: Database) -> Database:
    """Two tickets, one without an address, a repeated message and one of every other verdict."""
    with database.unit_of_work() as session:
        for uid, received in ((1, REPORT), (2, ANONYMOUS)):
            entry = entered(session, uid)
            ticket = open_ticket(session, received, PROMISE, now=ARRIVED, entry=entry)
            decide(entry, Verdict.OPENED_TICKET, now=ARRIVED, ticket=ticket)
        entered(session, 3, b"Subject: 1\r\n\r\n")
        for uid, verdict in ((4, Verdict.AUTOMATIC), (5, Verdict.BOUNCED), (6, Verdict.QUARANTINED)):
            decide(entered(session, uid), verdict, now=ARRIVED)
        were_put_away(session, list(range(1, 7)), now=ARRIVED)
        session.execute(update(Mail).values(state=MailState.SENT, sent_at=ARRIVED))
    return database


def found(database: Database, *, now: datetime = NOW) -> dict[AlarmKind, set[str]]:
    with database.reading() as session:
        looks = look_at_records(session, before=now - HOUR / 2, now=now)
        looks += [look_at_inbox(session, INBOX, before=now - HOUR / 2)]
        looks += [look_at_bytes(session, None), look_at_histories(session, None)]
    return {look.kind: set(look.wrong) for look in looks if look.wrong}


def test_a_desk_in_order_has_nothing_wrong(desk: Database) -> None:
    assert found(desk) == {}
    with desk.reading() as session:
        counted = tally(session)
    assert counted["messages"] == 5
    assert (counted["tickets"], counted["opened_ticket"], counted["quarantined"]) == (2, 2, 1)


def _execute(statement: str) -> Callable[[Session], object]:
    return lambda session: session.execute(text(statement))


def _without_mail(kind: MailKind) -> Callable[[Session], object]:
    gone = delete(Mail).where(Mail.kind == kind, Mail.ticket_id == 1)
    return lambda session: session.execute(gone)


def _two_copies(session: Session) -> None:
    copy = session.scalars(select(Mail).where(Mail.kind == MailKind.IBD_COPY, Mail.ticket_id == 1)).one()
    again = {"once": "again", "kind": copy.kind, "ticket_id": 1, "party": "ibd", "recipient": "x@y.example"}
    times = {"created_at": ARRIVED, "next_try_at": ARRIVED, "state": MailState.SENT}
    session.add(Mail(**again, **times))


def _second_ticket(session: Session) -> None:
    entry = session.get_one(LedgerEntry, 3)
    ticket = open_ticket(session, ANONYMOUS, PROMISE, now=ARRIVED, entry=entry)
    decide(entry, Verdict.OPENED_TICKET, now=ARRIVED, ticket=ticket)
    session.execute(update(Mail).values(state=MailState.SENT))


def _mail(**values: object) -> Callable[[Session], object]:
    change = update(Mail).where(Mail.id == 1).values(**values)
    return lambda session: session.execute(change)


BROKEN: dict[str, tuple[Callable[[Session], object], dict[AlarmKind, set[str]]]] = {
    "a message that nobody decides on": (lambda session: entered(session, 9), {AlarmKind.UNDECIDED: {"7"}}),
    "a message that lost its ticket": (
        _execute("UPDATE messages SET ledger_id = NULL WHERE ledger_id = 1"),
        {AlarmKind.WITHOUT_TICKET: {"1"}},
    ),
    "a message that names no ticket": (
        _execute("UPDATE ledger SET ticket_id = NULL WHERE id = 1"),
        {AlarmKind.WITHOUT_TICKET: {"1"}},
    ),
    "a ticket of a message that is none": (
        _execute("UPDATE ledger SET verdict = 'automatic' WHERE id = 2"),
        {AlarmKind.WITHOUT_VERDICT: {"2"}},
    ),
    "two tickets of one message": (_second_ticket, {AlarmKind.TWO_TICKETS: {"1"}}),
    "a filed message in the inbox": (
        _execute("UPDATE ledger SET put_away_at = NULL WHERE id = 4"),
        {AlarmKind.NOT_PUT_AWAY: {"4"}},
    ),
    "no copy for the IBD": (_without_mail(MailKind.IBD_COPY), {AlarmKind.COPY_MISSING: {FIRST}}),
    "two copies for the IBD": (_two_copies, {AlarmKind.COPY_MISSING: {FIRST}}),
    "no receipt": (_without_mail(MailKind.RECEIPT), {AlarmKind.RECEIPT_MISSING: {FIRST}}),
    "no share clock": (
        _execute("DELETE FROM clocks WHERE ticket_id = 2 AND kind = 'share'"),
        {AlarmKind.CLOCK_MISSING: {SECOND}},
    ),
    "no clock at all": (
        _execute("DELETE FROM clocks WHERE ticket_id = 2"),
        {AlarmKind.CLOCK_MISSING: {SECOND}},
    ),
    "a mail that nobody sends": (_mail(state=MailState.WAITING), {AlarmKind.MAIL_OVERDUE: {"1"}}),
    "a mail that a dead worker claimed": (
        _mail(state=MailState.SENDING, claimed_until=ARRIVED + timedelta(minutes=5)),
        {AlarmKind.MAIL_OVERDUE: {"1"}},
    ),
    "a mail that something of ours hinders": (
        _mail(state=MailState.WAITING, next_try_at=NOW + HOUR, tries=0),
        {AlarmKind.MAIL_OVERDUE: {"1"}},
    ),
    "an altered history": (
        _execute("UPDATE events SET actor = 'eve' WHERE ticket_id = 2 AND seq = 1"),
        {AlarmKind.HISTORY_BROKEN: {SECOND}},
    ),
    "a history with a gap": (
        _execute("DELETE FROM events WHERE ticket_id = 2 AND seq = 1"),
        {AlarmKind.HISTORY_BROKEN: {SECOND}},
    ),
    "altered bytes": (
        lambda session: session.execute(
            text("UPDATE ledger SET raw = :raw WHERE id = 5"), {"raw": vault.close(b"Subject: 5\r\n\r\nmore")}
        ),
        {AlarmKind.BYTES_ALTERED: {"5"}},
    ),
    "bytes that do not open": (
        lambda session: session.execute(text("UPDATE ledger SET raw = :raw WHERE id = 5"), {"raw": b"rust"}),
        {AlarmKind.BYTES_ALTERED: {"5"}},
    ),
}


@pytest.mark.parametrize(("breaks", "expected"), BROKEN.values(), ids=BROKEN.keys())
def test_what_is_broken_is_found_and_nothing_else(
    desk: Database, breaks: Callable[[Session], object], expected: dict[AlarmKind, set[str]]
) -> None:
    with desk.unit_of_work() as session:
        breaks(session)

    assert found(desk) == expected


def _spam_without_mail(session: Session) -> None:
    for kind in (MailKind.IBD_COPY, MailKind.RECEIPT):
        _without_mail(kind)(session)
    session.execute(text("UPDATE tickets SET close_reason = 'spam', state = 'CLOSED' WHERE id = 1"))


FINE: dict[str, Callable[[Session], object]] = {
    "a mail that waits for its next try": _mail(
        state=MailState.WAITING, next_try_at=NOW + HOUR, tries=2, problem="ServerUnreachable"
    ),
    "a mail that was just claimed": _mail(state=MailState.SENDING, claimed_until=NOW),
    "a mail that waits for a human": _mail(state=MailState.PARKED),
    "spam that is not shared": _spam_without_mail,
    "a message that was decided when the mailbox was another": _execute(
        "UPDATE ledger SET put_away_at = NULL, uidvalidity = 2 WHERE id = 4"
    ),
}


@pytest.mark.parametrize("happens", FINE.values(), ids=FINE.keys())
def test_what_is_under_way_is_not_wrong(desk: Database, happens: Callable[[Session], object]) -> None:
    with desk.unit_of_work() as session:
        happens(session)

    assert found(desk) == {}


def test_what_is_new_has_its_time(desk: Database) -> None:
    with desk.unit_of_work() as session:
        entered(session, 9)
        session.execute(update(Mail).where(Mail.id == 1).values(state=MailState.WAITING))

    assert found(desk, now=ARRIVED + timedelta(minutes=29)) == {}


def test_a_machine_s_report_that_nobody_answered_needs_no_receipt(desk: Database) -> None:
    with desk.unit_of_work() as session:
        entry = entered(session, 9)
        received = REPORT.__class__(**{**vars(REPORT), "may_be_answered": False})
        ticket = open_ticket(session, received, PROMISE, now=ARRIVED, entry=entry)
        decide(entry, Verdict.UNCLEAR, now=ARRIVED, ticket=ticket)
        were_put_away(session, [entry.id], now=ARRIVED)
        session.execute(update(Mail).values(state=MailState.SENT))

    assert found(desk) == {}


def test_every_message_and_every_history_has_its_turn(
    desk: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auditing, "MOST_MESSAGES", 2)
    monkeypatch.setattr(auditing, "MOST_HISTORIES", 1)
    with desk.unit_of_work() as session:
        BROKEN["altered bytes"][0](session)

    with desk.reading() as session:
        bytes_, histories = (
            [look(session, turn) for turn in range(100, 103)] for look in (look_at_bytes, look_at_histories)
        )
    looked = [look.among or frozenset() for look in bytes_]
    assert sorted(number for some in looked for number in some) == ["1", "2", "3", "4", "5", "6"]
    assert max(map(len, looked)) == 2
    assert [look.wrong for look in bytes_].count(frozenset({"5"})) == 1
    assert frozenset().union(*(look.among or frozenset() for look in histories)) == {FIRST, SECOND}
    assert {len(look.among or ()) for look in histories} == {1}

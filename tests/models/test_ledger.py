"""The ledger: what arrived is there once, byte for byte, and no report is taken for another."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from meldbalie.models.ledger import (
    BATCH,
    LedgerEntry,
    Place,
    Verdict,
    enter,
    entered,
    identity_of,
    not_put_away,
    undecided,
    were_put_away,
)
from meldbalie.models.session import Database
from meldbalie.tests.models.reports import ARRIVED, SENTENCE, together
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

INBOX = Place("cvd@127.0.0.1/INBOX", 1)
NOW = ARRIVED + timedelta(minutes=1)

HEADERS = (
    b"Received: from relay.example by mx.voorbeeld.example; Thu, 19 Nov 2026 13:05:01 +0000",
    b"Message-ID: <1@onderzoek.example>",
    b"From: Sanne de Vries <sanne@onderzoek.example>",
    b"To: cvd@voorbeeld.example",
    b"Date: Thu, 19 Nov 2026 14:05:00 +0100",
    b"Subject: XSS in the search form",
    b'Content-Type: text/plain; charset="utf-8"',
    b"Content-Transfer-Encoding: quoted-printable",
)
BODY = b"At https://formulieren.voorbeeld.example/ " + SENTENCE.encode()


def letter(*more: bytes, body: bytes = BODY, headers: tuple[bytes, ...] = HEADERS) -> bytes:
    return b"\r\n".join((*headers, *more, b"", body, b""))


def replaced(name: bytes, by: bytes) -> bytes:
    assert any(header.startswith(name + b":") for header in HEADERS)
    return letter(headers=tuple(by if header.startswith(name + b":") else header for header in HEADERS))


def taken(database: Database, raw: bytes, uid: int, place: Place = INBOX) -> int:
    """Enter a message and give its number."""
    with database.unit_of_work() as session:
        entry = enter(session, place, uid, raw, message_id="<1@x>", arrived_at=ARRIVED, now=NOW)
        session.flush()
        return entry.id


def decide(database: Database, number: int, verdict: Verdict) -> None:
    with database.unit_of_work() as session:
        session.get_one(LedgerEntry, number).verdict = verdict


def verdicts(database: Database) -> list[Verdict | None]:
    with database.reading() as session:
        return list(session.scalars(select(LedgerEntry.verdict).order_by(LedgerEntry.id)))


SAME = {
    "the same bytes": letter(),
    "another way": letter(b"Received: from elsewhere", b"X-Spam-Score: 1", b"DKIM-Signature: v=1"),
    "a way without any trace": letter(headers=HEADERS[1:]),
    "delivered to another of our addresses": letter(b"Delivered-To: security@voorbeeld.example"),
    "judged by another server": letter(b"ARC-Seal: i=1", b"Authentication-Results: mx; spf=pass"),
    "with line feeds": letter().replace(b"\r\n", b"\n"),
    "without the last line end": letter().rstrip(b"\r\n"),
    "headers folded elsewhere": replaced(b"Subject", b"Subject: XSS in\r\n the search\r\n form"),
    "header names in capitals": replaced(b"Subject", b"SUBJECT: XSS in the search form"),
    "headers in another order": letter(headers=HEADERS[::-1]),
    "no blank line before a text that is no header": letter(BODY, body=b""),
}

OTHER = {
    "another body": letter(body=BODY + b"!"),
    "another sender": replaced(b"From", b"From: Eve <eve@onderzoek.example>"),
    "another date": replaced(b"Date", b"Date: Thu, 19 Nov 2026 14:05:01 +0100"),
    "another subject": replaced(b"Subject", b"Subject: SQL injection in the search form"),
    "another number": replaced(b"Message-ID", b"Message-ID: <2@onderzoek.example>"),
    "no number": letter(headers=HEADERS[:1] + HEADERS[2:]),
    "another type": replaced(b"Content-Type", b"Content-Type: text/html; charset=utf-8"),
    "another charset": replaced(b"Content-Type", b"Content-Type: text/plain; charset=utf-7"),
    "another boundary": replaced(b"Content-Type", b"Content-Type: multipart/mixed; boundary=At"),
    "another encoding": replaced(b"Content-Transfer-Encoding", b"Content-Transfer-Encoding: base64"),
    "an answer elsewhere": letter(b"Reply-To: sanne@elders.example"),
    "a key": letter(b"Autocrypt: addr=sanne@onderzoek.example; keydata=AAAA"),
    "a thread": letter(b"In-Reply-To: <CVD-2026-0001.1.aaaa@voorbeeld.example>"),
    "a copy to somebody": letter(b"Cc: press@krant.example"),
    "a second sender before the first": letter(headers=(b"From: Eve <eve@x.example>", *HEADERS)),
    "a second sender behind the first": letter(b"From: Eve <eve@x.example>"),
    "a machine": letter(b"Auto-Submitted: auto-generated"),
    "the subject in the body": letter(
        headers=HEADERS[:5] + HEADERS[6:], body=HEADERS[5] + b"\r\n\r\n" + BODY
    ),
    "the body in a header": letter(b"Comments: " + BODY, body=b""),
    "the body twice": letter(body=BODY + b"\r\n" + BODY),
    "spaces at the end of the text": letter(body=BODY + b"  "),
    "nothing but headers": letter(body=b""),
    "no headers": b"\r\n\r\n" + BODY,
    "a NUL byte": letter(body=BODY + b"\x00"),
    "a carriage return in the text": letter(body=BODY.replace(b"At ", b"At\r")),
}


@pytest.mark.parametrize("copy", SAME.values(), ids=SAME.keys())
def test_two_copies_of_one_message_are_one(copy: bytes) -> None:
    assert identity_of(copy) == identity_of(letter())


def test_different_messages_are_different() -> None:
    identities = {identity_of(raw): why for why, raw in OTHER.items()}

    assert len(identities) == len(OTHER)
    assert identity_of(letter()) not in identities


# Text that mail programs read as the body although it stands where a trace header might.
HIDDEN = {
    "behind a line that is no header": b"A line without what makes a header\r\nReceived: ",
    "behind a blank line": b"\r\nReceived: ",
    "behind a boundary": b"--mark: x\r\nReceived: ",
    "behind a name that is too long": b"N" * 201 + b": x\r\nReceived: ",
    "behind an envelope line": b">From somebody\r\nReceived: ",
}


@pytest.mark.parametrize("before", HIDDEN.values(), ids=HIDDEN.keys())
def test_text_does_not_hide_in_a_trace_header_of_the_body(before: bytes) -> None:
    one, other = (letter(before + said, body=b"") for said in (b"the first report", b"a second report"))

    assert identity_of(one) != identity_of(other)


def test_a_trace_header_has_no_meaning_however_it_is_folded() -> None:
    raw = letter(b"Received: from here\r\n by there\r\n\t; Thu, 19 Nov 2026")

    assert identity_of(raw) == identity_of(letter())


PIECES = st.lists(
    st.sampled_from(
        [b"\r\n", b"\n", b"\r", b" ", b":", b"Subject", b"Received", b"X-A", b"--", b"a", b"\x00"]
    ),
    max_size=20,
).map(b"".join)


@given(PIECES, PIECES)
@example(b"Subject:a\nb", b"Subject:a\n\nb")
def test_what_the_body_says_always_counts(head: bytes, said: bytes) -> None:
    one, other = (head + b"\n\n" + said + end for end in (b"one", b"two"))

    assert identity_of(one) != identity_of(other)


@given(st.binary(max_size=200))
def test_no_bytes_are_too_strange_to_have_an_identity(raw: bytes) -> None:
    assert len(identity_of(raw)) == 64
    assert identity_of(raw) != identity_of(raw + b"\n\n!")


@pytest.mark.timeout(20)
def test_a_huge_message_is_identified_in_one_pass() -> None:
    folded = b"Subject: " + b"x\r\n " * 1_000_000
    many = b"".join(b"A%d: b\r\n" % number for number in range(200_000))

    assert len({identity_of(raw) for raw in (folded, many, b"\n" * 10**7, b"a" * 30_000_000)}) == 4


def test_a_message_is_kept_byte_for_byte(database: Database) -> None:
    raw = letter(body=bytes(range(256)))
    number = taken(database, raw, 1)

    with database.reading() as session:
        entry = session.get_one(LedgerEntry, number)
        assert (entry.raw, entry.size, entry.arrived_at, entry.taken_at) == (raw, len(raw), ARRIVED, NOW)
        stored = session.scalar(text("SELECT raw FROM ledger"))
        assert b"kanarie" not in bytes(stored)
    assert verdicts(database) == [None]


def test_the_same_message_again_is_recorded_and_makes_nothing_new(database: Database) -> None:
    first = taken(database, letter(), 1)
    with database.unit_of_work() as session:
        session.get_one(LedgerEntry, first).verdict = Verdict.OPENED_TICKET

    again = taken(database, SAME["another way"], 2)
    third = taken(database, letter(), 1, Place(INBOX.mailbox, 2))  # the server numbered its messages anew

    assert verdicts(database) == [Verdict.OPENED_TICKET, Verdict.REPEATED, Verdict.REPEATED]
    with database.reading() as session:
        assert [session.get_one(LedgerEntry, number).same_as for number in (again, third)] == [first, first]
        assert undecided(session, NOW) == []


def test_a_message_that_could_not_be_opened_is_judged_again_when_it_is_put_back(database: Database) -> None:
    first = taken(database, letter(), 1)
    decide(database, first, Verdict.QUARANTINED)

    again = taken(database, letter(), 2)
    with database.reading() as session:
        assert undecided(session, NOW) == [again]
        assert session.get_one(LedgerEntry, again).same_as == first
    taken(database, letter(), 3)  # while it waits
    decide(database, again, Verdict.OPENED_TICKET)
    taken(database, letter(), 4)  # when it is a ticket

    assert verdicts(database) == [
        Verdict.QUARANTINED,
        Verdict.OPENED_TICKET,
        Verdict.REPEATED,
        Verdict.REPEATED,
    ]


def test_two_pollers_that_take_the_same_message_take_it_once(database: Database) -> None:
    def take() -> int | None:
        try:
            return taken(database, letter(), 1)
        except IntegrityError:
            return None

    assert len([number for number in together(take) if number]) == 1
    assert verdicts(database) == [None]


def test_two_pollers_that_take_two_copies_at_once_open_one_report_and_lose_none(database: Database) -> None:
    uids = count(1)

    def take() -> int:
        uid = next(uids)
        while True:
            try:
                return taken(database, letter(), uid)
            except IntegrityError:  # the message stays in the inbox and is taken next time
                continue

    together(take)

    decided = verdicts(database)
    assert (decided.count(None), decided.count(Verdict.REPEATED)) == (1, 3)


@dataclass(frozen=True)
class Listed:
    """A message as the server lists it."""

    uid: int
    size: int
    arrived_at: datetime = ARRIVED


def test_another_message_under_an_old_number_is_not_the_one_that_the_ledger_has(database: Database) -> None:
    first = taken(database, letter(), 1)
    size = len(letter())

    with database.reading() as session:
        assert entered(session, INBOX, [Listed(1, size), Listed(2, size)]) == {1}
        assert entered(session, INBOX, [Listed(1, size + 1)]) == set()
        assert entered(session, INBOX, [Listed(1, size, ARRIVED + timedelta(seconds=1))]) == set()
        assert entered(session, Place(INBOX.mailbox, 2), [Listed(1, size)]) == set()
        assert entered(
            session, INBOX, [Listed(1, size), *(Listed(uid, 1) for uid in range(2, 2 * BATCH))]
        ) == {1}
        assert entered(session, INBOX, []) == set()

    second = taken(database, letter(body=BODY + b"!"), 1)
    decide(database, second, Verdict.UNCLEAR)
    with database.reading() as session:
        assert entered(session, INBOX, [Listed(1, size + 1)]) == {1}
        assert not_put_away(session, INBOX) == [(second, 1, Verdict.UNCLEAR)]
        assert session.get_one(LedgerEntry, first).put_away_at == NOW


def test_a_message_that_the_server_tells_another_size_of_is_entered_once(database: Database) -> None:
    taken(database, letter(), 1)

    with pytest.raises(IntegrityError):
        taken(database, letter(), 1)

    assert verdicts(database) == [None]


def test_what_waits_for_a_verdict_comes_oldest_first(database: Database) -> None:
    numbers = [taken(database, letter(body=b"%d" % uid), uid) for uid in range(1, 4)]
    decide(database, numbers[1], Verdict.UNCLEAR)

    with database.reading() as session:
        assert undecided(session, NOW) == [numbers[0], numbers[2]]


def test_what_is_decided_lies_in_the_inbox_until_it_was_put_away(database: Database) -> None:
    filed, failed, _ = (taken(database, letter(body=b"%d" % uid), uid) for uid in (1, 2, 3))
    decide(database, filed, Verdict.OPENED_TICKET)
    decide(database, failed, Verdict.QUARANTINED)

    with database.unit_of_work() as session:
        assert sorted(not_put_away(session, INBOX)) == [
            (filed, 1, Verdict.OPENED_TICKET),
            (failed, 2, Verdict.QUARANTINED),
        ]
        assert not_put_away(session, Place(INBOX.mailbox, 2)) == []
        were_put_away(session, [filed], now=NOW)

    with database.reading() as session:
        assert not_put_away(session, INBOX) == [(failed, 2, Verdict.QUARANTINED)]
        assert session.get_one(LedgerEntry, filed).put_away_at == NOW


@pytest.mark.parametrize("nowhere", [Verdict.AUTOMATIC, Verdict.BOUNCED])
def test_a_copy_of_what_led_nowhere_is_judged(database: Database, nowhere: Verdict) -> None:
    """Headers of the way do not make another message, but may have made it look automatic."""
    first = taken(database, b"X-Autoreply: yes\r\n" + letter(), 1)
    decide(database, first, nowhere)

    copy = taken(database, letter(), 2)

    with database.reading() as session:
        entry = session.get_one(LedgerEntry, copy)
        assert entry.same_as == first
        assert entry.verdict is None

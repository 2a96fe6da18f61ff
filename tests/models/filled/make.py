"""Write down a filled database of the version at hand, for the test that upgrades it later.

    python -m meldbalie.tests.models.filled.make > tests/models/filled/0004.json

Run it before a release, and keep the file: a database of that version is what operators have.
"""

import base64
import json
import sys
import tempfile
from dataclasses import replace
from datetime import datetime
from typing import Any

from meldbalie.models import acts, delivery
from meldbalie.models.brought_keys import are_gone, keys_to_go, note_brought_key
from meldbalie.models.confirmations import DONE, ask, was_done
from meldbalie.models.cursors import Cursor
from meldbalie.models.desk import desk_run_of
from meldbalie.models.embargo import propose_embargo
from meldbalie.models.filing import decide, join_ticket, open_ticket
from meldbalie.models.forgetting import forget, were_cleared
from meldbalie.models.ladder import climb, due_clocks
from meldbalie.models.leases import take_lease
from meldbalie.models.ledger import LedgerEntry, Place, Verdict, enter
from meldbalie.models.mail_orders import note_order, signature_of
from meldbalie.models.migrate import migrate
from meldbalie.models.milestones import PUBLIC, milestone
from meldbalie.models.outbox import Mail
from meldbalie.models.pins import Pin, set_pin
from meldbalie.models.rating import rate
from meldbalie.models.session import Database
from meldbalie.models.severity import Severity
from meldbalie.models.states import CloseReason
from meldbalie.models.threads import standing_of, thread_behind, thread_token
from meldbalie.models.ticket import Ticket, WaitingOn, ticket_called
from meldbalie.models.vault import vault
from meldbalie.tests.models.reports import ANONYMOUS, ARRIVED, DAY, FATIMA, HOUR, PROMISE, REPORT, add_owner
from sqlalchemy import MetaData, Row, select
from sqlalchemy.orm import Session

KEY = "bWVsZGJhbGllLXRlc3RzLW9ubHktbm90LWEtc2VjcmU="
PLACE = Place("intake@mail.voorbeeld.example/INBOX", 1_700_000_000)
RAW = b"From: Sanne <sanne@onderzoek.example>\r\nSubject: XSS\r\n\r\nnumber %d\r\n"
TODAY = ARRIVED.date()


def main() -> None:
    """Fill a database and print its rows."""
    vault.unlock([KEY])
    with tempfile.TemporaryDirectory() as directory:
        database = Database(f"sqlite:///{directory}/meldbalie.db")
        migrate(database)
        fill(database)
        json.dump(rows_of(database), sys.stdout, indent=1, sort_keys=True)
        database.close()
    print()


def fill(database: Database) -> None:
    """A closed ticket, one that is answered, one without an address, mail of every verdict, and a desk."""
    for step in STEPS:
        with database.unit_of_work() as session:
            step(session)


def rows_of(database: Database) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table, as text and numbers; bytes in base64 under the key ``base64``."""
    tables = MetaData()
    tables.reflect(database.engine)
    with database.engine.connect() as connection:
        return {
            table.name: [_plain(row) for row in connection.execute(select(table))]
            for table in tables.sorted_tables
        }


def _plain(row: Row[Any]) -> dict[str, Any]:
    return {name: _value(value) for name, value in row._mapping.items()}


def _value(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    return value if isinstance(value, str | int | float | bool | dict | list | None) else str(value)


def _owners(session: Session) -> None:
    add_owner(session, "Web team", "web@voorbeeld.example", "formulieren.voorbeeld.example")


def _reports(session: Session) -> None:
    for number, report in enumerate((REPORT, ANONYMOUS, replace(REPORT, targets=()))):
        entry = _entry(session, number + 1, RAW % number)
        ticket = open_ticket(session, report, PROMISE, now=ARRIVED, entry=entry)
        decide(entry, Verdict.OPENED_TICKET, now=ARRIVED, ticket=ticket)


def _strays(session: Session) -> None:
    """The first report again, one that could not be opened, and one that is not decided yet."""
    _entry(session, 11, RAW % 0)
    broken = _entry(session, 12, RAW % 12)
    broken.problem = "no_secret_key"
    decide(broken, Verdict.QUARANTINED, now=ARRIVED)
    _entry(session, 13, RAW % 13)


def _answered(session: Session) -> None:
    for number in (1, 2):
        acts.answer(
            session, _ticket(session, number), text="Thank you.", fix_on=TODAY, no_date_because="",
            by="Fatima", now=ARRIVED + HOUR, promise=PROMISE,
        )  # fmt: skip
    _deliver(session, ARRIVED + HOUR)


def _joined(session: Session) -> None:
    token = thread_token(session, _ticket(session, 1), "reporter")
    session.flush()
    thread = thread_behind(session, [token])
    assert thread is not None
    join_ticket(session, REPORT, standing_of(session, thread), PROMISE, now=ARRIVED + DAY)


def _escalated(session: Session) -> None:
    for clock in due_clocks(session, ARRIVED + 4 * DAY):
        climb(session, clock, PROMISE, now=ARRIVED + 4 * DAY)


def _rated(session: Session) -> None:
    """The open ones: one is rated, a milestone was noted, and somebody is waited for."""
    at = ARRIVED + 4 * DAY
    rate(session, _ticket(session, 3), severity=Severity.HIGH, by="Fatima", because="public", now=at)
    milestone(
        session, _ticket(session, 3), what=PUBLIC, happened_at=ARRIVED + DAY, by="Fatima", promise=PROMISE,
        now=at,
    )  # fmt: skip
    acts.wait(
        session, _ticket(session, 2), on=WaitingOn.SUPPLIER, by="Jeroen", because="a patch", promise=PROMISE,
        now=at,
    )  # fmt: skip


def _closed(session: Session) -> None:
    ticket = _ticket(session, 1)
    now = ARRIVED + 5 * DAY
    acts.accept(session, ticket, by="Jeroen", because="", promise=PROMISE, now=now)
    acts.close(
        session,
        ticket,
        reason=CloseReason.REMEDIATED,
        by="Jeroen",
        because="Fixed.",
        promise=PROMISE,
        now=now,
    )
    _deliver(session, now)


def _at_work(session: Session) -> None:
    take_lease(session, "intake", holder="a run", now=ARRIVED, lasting=HOUR)
    session.add(
        Cursor(name="prefect events", settled=1, doubtful=2, sent=3, sent_at=ARRIVED, waiting_since=ARRIVED)
    )
    run = desk_run_of(session, _ticket(session, 3))
    run.run_id, run.made, run.asked, run.asked_after, run.applied = "a run", 1, 2, 3, 1
    run.shown = {"name": "CVD-2026-0003", "state": "Received", "tags": ["triage"], "digest": "a", "number": 2}
    run.shown_until, run.refused_because = ARRIVED + 6 * DAY, "is closed"
    run.was_refused("Fatima", because="is closed", action="close", text="Thank you.")
    run.last_done = "a digest"


def _handled(session: Session) -> None:
    """One is given to a handler, who ordered that by signed mail; silence is proposed."""
    ticket, now = _ticket(session, 3), ARRIVED + 4 * DAY
    acts.assign(session, ticket, to="Fatima", team=PROMISE.triage, by="Jeroen", because="hers", now=now)
    propose_embargo(
        session, ticket, ends_at=now + 30 * DAY, text="Let us wait.", by="Fatima", promise=PROMISE, now=now
    )
    note_order(
        session, ticket.messages[0], signature_of(FATIMA.fingerprint, now), who="Fatima",
        done=["assign: Fatima"], now=now,
    )  # fmt: skip


def _proved(session: Session) -> None:
    """One act waits to be confirmed, one was done; somebody has a PIN, which is locked."""
    now = ARRIVED + 4 * DAY
    for action in ("release the copy for the IBD", "close"):
        asked = ask(
            session, ticket=_ticket(session, 3), who=FATIMA, action=action, wanted={"text": "Fixed."}, seen=3,
            now=now, lasting=DAY,
        )  # fmt: skip
        if action != "close":
            asked.confirmed_at = now
            session.flush()
            was_done(session, asked, DONE, now=now)
    set_pin(session, "Fatima", "kat 73 op", now=now)
    session.get_one(Pin, "Fatima").locked_until = now + HOUR


def _forgotten(session: Session) -> None:
    """A ticket that was closed and forgotten, with its mail and the key that came with it."""
    now = ARRIVED + 5 * DAY
    entry = _entry(session, 14, RAW % 14)
    ticket = open_ticket(session, replace(REPORT, subject="Buy this"), PROMISE, now=ARRIVED, entry=entry)
    decide(entry, Verdict.OPENED_TICKET, now=ARRIVED, ticket=ticket)
    who: dict[str, Any] = {"by": "Jeroen", "because": "advertising", "promise": PROMISE, "now": now}
    acts.invalidate(session, ticket, **who)
    acts.close(session, ticket, reason=CloseReason.SPAM, **who)
    _deliver(session, now)
    for one in (ticket, _ticket(session, 3)):
        note_brought_key(session, one, one.reference.encode().hex())
    forget(session, ticket, by="Fatima", now=now + DAY)
    were_cleared(session, [entry.id], now=now + DAY)
    are_gone(session, keys_to_go(session).keys(), now=now + DAY)


def _deliver(session: Session, now: datetime) -> None:
    """Let all mails leave but one, which is parked."""
    session.flush()
    while (number := delivery.claim_next(session, now)) is not None:
        mail = session.get_one(Mail, number)
        if number % 7 == 3:
            delivery.was_not_delivered(
                session, mail, "mailrefused", PROMISE, waits=[], for_good=True, now=now
            )
        else:
            delivery.was_delivered(session, mail, PROMISE, sealed=True, now=now)
        session.flush()


def _entry(session: Session, uid: int, raw: bytes) -> LedgerEntry:
    arrived = ARRIVED
    entry = enter(session, PLACE, uid, raw, message_id=f"<{uid}@x>", arrived_at=arrived, now=arrived)
    session.flush()
    return entry


def _ticket(session: Session, number: int) -> Ticket:
    return ticket_called(session, f"CVD-2026-{number:04d}")


STEPS = (
    _owners,
    _reports,
    _strays,
    _answered,
    _joined,
    _escalated,
    _rated,
    _closed,
    _at_work,
    _handled,
    _proved,
    _forgotten,
)


if __name__ == "__main__":
    main()

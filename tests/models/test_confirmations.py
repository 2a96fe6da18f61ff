"""Acts that wait to be confirmed: asked by sealed mail, confirmed once, carried out once, forgotten."""

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from typing import Any

import pytest
from meldbalie.models.confirmations import (
    DONE,
    EXPIRED,
    REPLACED,
    TOKEN,
    Confirmation,
    ask,
    confirm,
    confirmation_behind,
    let_expire,
    open_for,
    renew_link,
    to_be_done,
    was_done,
)
from meldbalie.models.delivery import claim_next, was_delivered, was_held
from meldbalie.models.desk import desk_run_of
from meldbalie.models.errors import Refused
from meldbalie.models.links import new_token
from meldbalie.models.outbox import Mail, MailKind, MailState
from meldbalie.models.session import Database
from meldbalie.models.ticket import ticket_called
from meldbalie.models.waiting import asked_for
from meldbalie.tests.models.reports import (
    ARRIVED,
    FATIMA,
    HOUR,
    JEROEN,
    PROMISE,
    everything_about,
    mails,
    reported,
    together,
    told,
)
from sqlalchemy import event, insert, inspect, select, text
from sqlalchemy.orm import ORMExecuteState, Session

NOW = ARRIVED + HOUR
FIRST = "CVD-2026-0001"
WANTED = {
    "action": "close",
    "who": "Fatima",
    "close_reason": "remediated",
    "text": "het kanarie-woord is weg",
}


@pytest.fixture
def reference(database: Database) -> str:
    """A ticket."""
    return reported(database)


def asks(database: Database, reference: str | None, *, now: datetime = NOW, **more: Any) -> str:
    """Fatima wants to close it, for a day; gives the token of the link."""
    given = {"who": FATIMA, "action": "close", "wanted": WANTED, "seen": 3, "lasting": 24 * HOUR} | more
    with database.unit_of_work() as session:
        ticket = ticket_called(session, reference) if reference else None
        asked = ask(session, ticket=ticket, now=now, **given)
        (mail,) = [one for one in mails(session, MailKind.CONFIRM) if of(one) == asked.id]
        return (mail.facts or {})[TOKEN]


def of(mail: Mail) -> int:
    return (mail.facts or {})["confirmation"]


def presses(database: Database, token: str, *, now: datetime = NOW + HOUR) -> bool:
    """Press the button; whether it is confirmed then."""
    with database.unit_of_work() as session:
        found = confirm(session, token, now=now)
        return found is not None and found.confirmed_at is not None


def behind(database: Database, token: str) -> Confirmation:
    with database.reading() as session:
        found = confirmation_behind(session, token)
        assert found is not None
        return found


def waiting(database: Database) -> list[int]:
    with database.reading() as session:
        return to_be_done(session)


def leaves(database: Database, *, now: datetime = NOW) -> None:
    """Every mail is taken by a server."""
    while True:
        with database.unit_of_work() as session:
            number = claim_next(session, now)
            if number is None:
                return
            was_delivered(session, session.get_one(Mail, number), PROMISE, sealed=True, now=now)


def everything_stored(database: Database) -> bytes:
    """Every value of every table, as it lies there."""
    values: list[bytes] = []
    with database.reading() as session:
        for table in inspect(database.engine).get_table_names():
            for row in session.execute(text(f'SELECT * FROM "{table}"')).tuples():
                values += [bytes(v) if isinstance(v, bytes | memoryview) else str(v).encode() for v in row]
    return b"\n".join(values)


@pytest.mark.parametrize(("action", "keeps"), [("release", True), ("close", False)])
def test_the_text_of_another_act_that_was_not_confirmed_is_kept_for_its_writer(
    database: Database, reference: str, action: str, keeps: bool
) -> None:
    asks(database, reference)
    asks(database, reference, action=action, wanted={}, now=NOW + HOUR)

    with database.unit_of_work() as session:
        kept = desk_run_of(session, ticket_called(session, reference)).not_done
    assert (kept is not None) is keeps
    if kept:
        assert (kept["Fatima"]["action"], kept["Fatima"]["text"]) == ("close", WANTED["text"])


def test_asking_writes_one_mail_and_says_so_in_the_history(database: Database, reference: str) -> None:
    token = asks(database, reference)

    asked = behind(database, token)
    assert (asked.who, asked.action, asked.wanted, asked.seen) == ("Fatima", "close", WANTED, 3)
    assert (asked.made_at, asked.expires_at) == (NOW, NOW + 24 * HOUR)
    assert (asked.confirmed_at, asked.done_at, asked.outcome) == (None, None, None)
    with database.reading() as session:
        (mail,) = mails(session, MailKind.CONFIRM)
        assert (mail.recipient, mail.party, mail.fingerprint) == (FATIMA.address, "staff", FATIMA.fingerprint)
        last = ticket_called(session, reference).history[-1]
        assert (last.kind, last.actor, last.at, last.facts) == (
            "proof_asked",
            "Fatima",
            NOW,
            {"action": "close"},
        )
        assert [one.id for one in open_for(session, ticket_called(session, reference), NOW)] == [asked.id]
        assert told(ticket_called(session, reference))
    assert waiting(database) == []


def test_who_has_no_key_is_refused_and_nothing_is_written(database: Database, reference: str) -> None:
    before = everything_about(database, reference)

    with pytest.raises(Refused, match=r"Jeroen has no pinned key.*desk.second_factor"):
        asks(database, reference, who=JEROEN)

    assert everything_about(database, reference) == before


def test_nothing_of_it_lies_in_the_clear_and_the_token_is_gone_once_the_mail_has_left(
    database: Database, reference: str
) -> None:
    token = asks(database, reference)
    assert not [one for one in (token, "kanarie-woord") if one.encode() in everything_stored(database)]

    leaves(database)

    assert token.encode() not in everything_stored(database)
    with database.reading() as session:
        (mail,) = mails(session, MailKind.CONFIRM)
        assert (mail.state, mail.facts) == (MailState.SENT, {"confirmation": 1})
        assert token not in repr([one.facts for one in mails(session)])
    assert presses(database, token)


def test_the_button_confirms_once(database: Database, reference: str) -> None:
    token = asks(database, reference)

    assert presses(database, token)
    assert presses(database, token, now=NOW + 2 * HOUR)

    assert behind(database, token).confirmed_at == NOW + HOUR
    assert waiting(database) == [1]
    with database.reading() as session:
        assert open_for(session, ticket_called(session, reference), NOW + 48 * HOUR)


def test_presses_at_once_confirm_once(database: Database) -> None:
    seconds = count(1)

    def press(token: str) -> datetime | None:
        with database.unit_of_work() as session:
            found = confirm(session, token, now=NOW + timedelta(seconds=next(seconds)))
            return found.confirmed_at if found else None

    for token in [asks(database, None) for _ in range(10)]:
        assert set(together(partial(press, token))) == {behind(database, token).confirmed_at}


def test_a_token_that_is_none_confirms_nothing(database: Database, reference: str) -> None:
    token = asks(database, reference)

    for wrong in (new_token(), token[:-1], token.swapcase(), "", "\udc80"):
        with database.unit_of_work() as session:
            assert confirm(session, wrong, now=NOW) is None
    assert waiting(database) == []


def test_it_expires_at_its_instant_and_is_then_forgotten(database: Database, reference: str) -> None:
    token = asks(database, reference)

    assert not presses(database, token, now=NOW + 24 * HOUR)
    with database.unit_of_work() as session:
        assert open_for(session, ticket_called(session, reference), NOW + 24 * HOUR) == []
        let_expire(session, NOW + 24 * HOUR - timedelta(microseconds=1))
    assert behind(database, token).wanted == WANTED
    with database.unit_of_work() as session:
        let_expire(session, NOW + 24 * HOUR)
    assert (behind(database, token).outcome, behind(database, token).wanted) == (EXPIRED, {})
    assert not presses(database, token)


def test_just_in_time_is_in_time(database: Database, reference: str) -> None:
    token = asks(database, reference)

    assert presses(database, token, now=NOW + 24 * HOUR - timedelta(microseconds=1))
    with database.unit_of_work() as session:
        let_expire(session, NOW + 48 * HOUR)
    assert waiting(database) == [1]


def test_asking_again_replaces_what_the_same_person_asked_on_the_same_ticket(
    database: Database, reference: str
) -> None:
    other = reported(database)
    old = asks(database, reference)
    others = [
        asks(database, other),
        asks(database, reference, who=PROMISE.ibd),
        asks(database, None),
        asks(database, None),
    ]
    new = asks(database, reference, action="release the copy for the IBD", now=NOW + HOUR)

    gone = behind(database, old)
    assert (gone.outcome, gone.done_at, gone.wanted) == (REPLACED, NOW + HOUR, {})
    assert not presses(database, old)
    assert waiting(database) == []
    for token in (*others, new):
        assert presses(database, token)
    with database.reading() as session:
        states = {of(mail): mail for mail in mails(session, MailKind.CONFIRM)}
    assert states[gone.id].state is MailState.CALLED_OFF
    assert states[gone.id].facts == {"confirmation": gone.id}
    assert [mail.state for number, mail in states.items() if number != gone.id] == [MailState.WAITING] * 5


def test_a_mail_that_was_held_for_want_of_a_key_is_called_off_as_well(
    database: Database, reference: str
) -> None:
    asks(database, reference)
    with database.unit_of_work() as session:
        (mail,) = mails(session, MailKind.CONFIRM)
        mail.state = MailState.SENDING
        session.flush()
        was_held(session, mail, "no_usable_key", PROMISE, now=NOW)
    asks(database, reference)

    with database.reading() as session:
        states = [mail.state for mail in mails(session, MailKind.CONFIRM)]
    assert states == [MailState.CALLED_OFF, MailState.WAITING]


def test_what_is_confirmed_already_is_not_replaced(database: Database, reference: str) -> None:
    first = asks(database, reference)
    presses(database, first)
    asks(database, reference)

    assert waiting(database) == [behind(database, first).id]
    assert behind(database, first).wanted == WANTED


def test_asking_several_times_at_once_leaves_one(database: Database, reference: str) -> None:
    tokens = together(lambda: asks(database, reference))

    assert sum(presses(database, token) for token in tokens) == 1


@pytest.mark.parametrize("outcome", [DONE, "not done: it was closed by Jeroen"])
def test_what_was_carried_out_is_forgotten_and_keeps_its_first_outcome(
    database: Database, reference: str, outcome: str
) -> None:
    token = asks(database, reference)
    presses(database, token)
    for said, at in ((outcome, NOW + 2 * HOUR), ("again", NOW + 3 * HOUR)):
        with database.unit_of_work() as session:
            was_done(session, session.get_one(Confirmation, 1), said, now=at)

    done = behind(database, token)
    assert (done.outcome, done.done_at, done.wanted) == (outcome, NOW + 2 * HOUR, {})
    assert waiting(database) == []
    with database.reading() as session:
        assert open_for(session, ticket_called(session, reference), NOW + 3 * HOUR) == []


def test_what_was_confirmed_first_is_carried_out_first(database: Database, reference: str) -> None:
    tokens = [asks(database, reported(database)) for _ in range(3)]
    for token in reversed(tokens):
        presses(database, token)

    assert waiting(database) == [1, 2, 3]


def test_a_mail_that_is_sent_again_brings_a_new_link(database: Database, reference: str) -> None:
    old = asks(database, reference)
    leaves(database)
    with database.unit_of_work() as session:
        (mail,) = mails(session, MailKind.CONFIRM)
        new = renew_link(mail, session.get_one(Confirmation, 1))
    leaves(database)

    with database.reading() as session:
        assert confirmation_behind(session, old) is None
    assert presses(database, new)


@pytest.mark.parametrize("look", [to_be_done, partial(let_expire, now=NOW), partial(asked_for, now=NOW)])
def test_what_is_not_done_is_found_however_much_was_done(
    database: Database, look: Callable[[Session], object]
) -> None:
    done = {"who": "Fatima", "action": "close", "wanted": {}, "made_at": NOW, "expires_at": NOW, "seen": 0}
    rows = [done | {"token_hash": str(n), "confirmed_at": NOW, "done_at": NOW} for n in range(2000)]
    with database.unit_of_work() as session:
        session.execute(insert(Confirmation), rows)
    is_postgresql = database.engine.dialect.name == "postgresql"
    if is_postgresql:
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("ANALYZE confirmations"))

    with database.unit_of_work() as session:
        plans: list[str] = []

        @event.listens_for(session, "do_orm_execute")
        def _explain(asked: ORMExecuteState) -> None:
            if asked.is_select and not plans:
                statement = asked.statement.compile(database.engine, compile_kwargs={"literal_binds": True})
                how = "EXPLAIN" if is_postgresql else "EXPLAIN QUERY PLAN"
                found = session.connection().exec_driver_sql(f"{how} {statement}")
                plans.extend(str(row[-1]) for row in found)

        look(session)
    assert any("ix_confirmations_not_done" in step for step in plans), plans
    assert not any("Seq Scan on confirmations" in step for step in plans), plans


ASKS_AND_DIES = """
import os, sys
from datetime import timedelta
from meldbalie.models.confirmations import ask
from meldbalie.models.session import Database
from meldbalie.models.ticket import ticket_called
from meldbalie.models.vault import vault
from meldbalie.tests.models.reports import FATIMA
from meldbalie.tests.models.test_confirmations import NOW, WANTED
vault.unlock([os.environ["KEY"]])
with Database(sys.argv[1]).unit_of_work() as session:
    ticket = ticket_called(session, sys.argv[2])
    ask(session, ticket=ticket, who=FATIMA, action="close", wanted=WANTED, seen=3,
        now=NOW, lasting=timedelta(hours=1))
    session.flush()
    os.kill(os.getpid(), 9)
"""


def test_who_is_killed_before_the_commit_has_asked_nothing(
    database: Database, reference: str, application_key: str
) -> None:
    before = everything_about(database, reference)
    url = database.engine.url.render_as_string(hide_password=False)
    command = [sys.executable, "-c", ASKS_AND_DIES, url, reference]

    died = subprocess.run(
        command, env=os.environ | {"KEY": application_key}, capture_output=True, check=False
    )

    assert died.returncode == -9, died.stderr
    assert everything_about(database, reference) == before
    with database.reading() as session:
        assert session.scalars(select(Confirmation)).all() == []

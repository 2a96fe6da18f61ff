"""Who acts proves it, by PIN or by link; what would be refused is refused first, and leaves no trace."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from meldbalie.flows.acting import DEEDS, Action, Order, carry_out
from meldbalie.flows.deliver import deliver
from meldbalie.flows.installation import Records, promise
from meldbalie.flows.operator.demo_files import HANDLER
from meldbalie.flows.proof import ask_for_link, prove
from meldbalie.models.confirmations import TOKEN, Confirmation, confirm, confirmation_behind
from meldbalie.models.errors import Refused
from meldbalie.models.outbox import MailKind, MailState
from meldbalie.models.pins import MOST_FAILURES, Pin, set_pin
from meldbalie.models.session import Database
from meldbalie.models.states import CloseReason
from meldbalie.models.suggestions import Suggestion
from meldbalie.models.tables import Base
from meldbalie.models.ticket import ticket_called
from meldbalie.models.vault import vault
from meldbalie.models.wanted import ACT_LABELS
from meldbalie.settings import Settings
from meldbalie.tests.flows.glances import goes_round, outbox, works_with
from meldbalie.tests.flows.world import Present, World
from meldbalie.tests.models.reports import everything_about, mails, reported, together, told
from meldbalie.tests.postgres import PostgresServer
from meldbalie.webhooks.app import create_app
from sqlalchemy import inspect, select
from sqlalchemy.orm import Session

PIN, WRONG = "kat 73 op", "hond 73 op"
TEXT = "het kanarie-woord is weg"
CLOSE = Order(action=Action.CLOSE, who="Fatima", text=TEXT, close_reason=CloseReason.REMEDIATED)
HANDLERS = [
    {"name": "Fatima", "address": "fatima@voorbeeld.example", "fingerprint": "A" * 40},
    {"name": "Jeroen", "address": "jeroen@voorbeeld.example"},
]

Place = Callable[..., Records]


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A fresh database on either kind, with every table."""
    if request.param == "sqlite":
        opened = Database(f"sqlite:///{tmp_path}/meldbalie.db")
        Base.metadata.create_all(opened.engine)
        yield opened
        opened.close()
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    with server.new_database() as name:
        opened = Database(server.url(name))
        Base.metadata.create_all(opened.engine)
        yield opened
        opened.close()


@pytest.fixture
def place(database: Database, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Opens the installation with this second factor."""
    monkeypatch.setattr(vault, "_keys", None)
    monkeypatch.setattr("meldbalie.models.pins.COST", 2**4)
    vault.unlock([Fernet.generate_key().decode()])

    def make(factor: str = "link", **desk: Any) -> Records:
        config = Settings.model_validate({"triage": HANDLERS, "desk": {"second_factor": factor} | desk})
        return Records(config, database, promise(config), Present())

    return make


def accepted(place: Place, database: Database) -> str:
    """A ticket that can be closed."""
    reference = reported(database)
    accepts(place(), reference)
    return reference


def accepts(place: Records, reference: str) -> None:
    with place.database.unit_of_work() as session:
        carry_out(
            place, session, ticket_called(session, reference), Order(action=Action.ACCEPT, who="Jeroen")
        )


def fails_to_prove(place: Records, pin: str, order: Order = CLOSE) -> str:
    try:
        prove(place, order, pin)
    except Refused as refusal:
        return str(refusal)
    return ""


def failures(place: Records) -> int:
    with place.database.reading() as session:
        return session.get_one(Pin, "Fatima").failures


def asks(place: Records, reference: str, order: Order = CLOSE) -> str:
    """Ask for a link, in the transaction of an answer; gives its token."""
    with place.database.unit_of_work() as session:
        asked = ask_for_link(place, session, ticket_called(session, reference), order, 3)
        written = mails(session, MailKind.CONFIRM)[-1].facts or {}
        assert written["confirmation"] == asked.id
        return written[TOKEN]


def test_everything_that_needs_proof_has_a_name_in_both_languages() -> None:
    assert {action.value for action, deed in DEEDS.items() if deed.needs_proof} <= set(ACT_LABELS)


def test_with_links_nobody_proves_anything_by_a_pin(place: Place) -> None:
    assert prove(place("link"), CLOSE, PIN) == ""


@pytest.mark.parametrize("factor", ["link", "pin"])
def test_who_is_no_handler_is_refused(place: Place, database: Database, factor: str) -> None:
    stranger = CLOSE.model_copy(update={"who": "Fatima Zahra"})
    reference = accepted(place, database)

    assert "there is no handler of that name" in fails_to_prove(place(factor), PIN, stranger)
    with pytest.raises(Refused, match="handlers are: Fatima, Jeroen"):
        asks(place(factor), reference, stranger)


def test_a_pin_proves_who_it_is_and_a_wrong_one_counts_whatever_the_caller_does(
    place: Place, database: Database
) -> None:
    desk = place("pin")
    with database.unit_of_work() as session:
        set_pin(session, "Fatima", PIN, now=desk.clock())

    assert prove(desk, CLOSE, PIN) == "pin"
    assert WRONG not in (said := fails_to_prove(desk, WRONG))
    assert "is not the PIN of Fatima" in said
    assert failures(desk) == 1


def test_five_wrong_ones_at_once_lock_it_and_the_end_is_told_in_local_time(
    place: Place, database: Database
) -> None:
    desk = place("pin")
    with database.unit_of_work() as session:
        set_pin(session, "Fatima", PIN, now=desk.clock())

    said = together(lambda: fails_to_prove(desk, WRONG), times=MOST_FAILURES)

    assert sum("locked until 14:20" in one for one in said) == 1  # 13:05 UTC and a quarter, in winter
    assert "locked until 14:20" in fails_to_prove(desk, PIN)
    desk.clock.passes(minutes=15)  # type: ignore[attr-defined] - the present of the tests
    assert prove(desk, CLOSE, PIN) == "pin"


def test_who_has_no_pin_is_told_what_to_do(place: Place) -> None:
    assert "meldbalie pins set Fatima" in fails_to_prove(place("pin"), PIN)


def test_asking_leaves_a_link_and_nothing_of_the_trial(place: Place, database: Database) -> None:
    reference = accepted(place, database)
    columns, clocks, written, happened, said = everything_about(database, reference)

    token = asks(place(confirm_hours=2), reference)

    after = everything_about(database, reference)
    assert after[0] == columns
    assert after[1] == clocks
    assert after[2][:-1] == written
    assert after[3] == [*happened, "proof_asked"]
    assert after[4] == said
    with database.reading() as session:
        asked = confirmation_behind(session, token)
        assert asked is not None
        assert asked.expires_at - asked.made_at == timedelta(hours=2)
        assert asked.seen == 3
        assert Order.model_validate(asked.wanted) == CLOSE
        assert asked.wanted == {
            "action": "close",
            "who": "Fatima",
            "text": TEXT,
            "close_reason": "remediated",
        }


def test_who_confirms_a_join_reads_with_which_ticket(place: Place, database: Database) -> None:
    reference, other = accepted(place, database), accepted(place, database)
    with database.unit_of_work() as session:
        one, main = ticket_called(session, reference), ticket_called(session, other)
        session.add(Suggestion(ticket=one, other=main, why="same_text", made_at=Present()()))

    token = asks(place(), reference, Order(action=Action.JOIN, who="Fatima", text=TEXT))

    with database.reading() as session:
        asked = confirmation_behind(session, token)
        assert asked is not None
        assert asked.wanted["belongs_to"] == other


@pytest.mark.parametrize(
    ("order", "because"),
    [
        ({"close_reason": None}, "choose the reason for closing"),
        ({"action": Action.RELEASE, "text": "", "close_reason": None}, "there is nothing to release"),
        ({"assign_to": "Web team"}, "makes no use of assign to"),
        ({"who": "Jeroen"}, "has no pinned key"),
    ],
)
def test_what_would_be_refused_is_refused_before_anybody_is_asked(
    place: Place, database: Database, order: dict[str, Any], because: str
) -> None:
    reference = accepted(place, database)
    before = everything_about(database, reference)

    with pytest.raises(Refused, match=because):
        asks(place(), reference, CLOSE.model_copy(update=order))

    assert everything_about(database, reference) == before


def test_what_fails_half_way_leaves_nothing_behind_even_if_the_caller_goes_on(
    place: Place, database: Database
) -> None:
    reference, other = accepted(place, database), accepted(place, database)
    join = Order(action=Action.JOIN, who="Fatima", belongs_to=other, text=TEXT)
    with database.unit_of_work() as session:
        carry_out(place(), session, ticket_called(session, other), CLOSE)
    before, of_other = everything_about(database, reference), everything_about(database, other)

    desk = place()
    with database.unit_of_work() as session:
        ticket = ticket_called(session, reference)
        assert ticket.history
        assert ticket.messages
        with pytest.raises(Refused):
            ask_for_link(desk, session, ticket_called(session, other), CLOSE, 3)
        ask_for_link(desk, session, ticket, join, 3)
        ticket.record("note", by="Fatima", at=desk.clock(), because="after the trial")

    after = everything_about(database, reference)
    assert after[0] | {"version": 0} == before[0] | {"version": 0}
    assert after[3] == [*before[3], "proof_asked", "note"]
    assert everything_about(database, other)[3] == of_other[3]
    with database.reading() as session:
        assert told(ticket_called(session, reference))
        assert len(session.scalars(select(Confirmation)).all()) == 1


@pytest.mark.parametrize(
    "order",
    [
        {},
        {"close_reason": CloseReason.SPAM},
        {"action": Action.JOIN, "belongs_to": "CVD-2026-0002", "close_reason": None},
        {"action": Action.RELEASE, "text": "", "close_reason": None},
    ],
    ids=["close", "spam", "join", "release"],
)
def test_after_a_trial_nothing_in_memory_differs_from_the_database(
    place: Place, database: Database, order: dict[str, Any]
) -> None:
    reference, _ = accepted(place, database), accepted(place, database)
    with database.unit_of_work() as session:
        for copy in mails(session, MailKind.IBD_COPY):
            copy.state = MailState.HELD

    with database.unit_of_work() as session:
        before = {thing: attributes(thing) for thing in everything_in(session)}
        ask_for_link(place(), session, ticket_called(session, reference), CLOSE.model_copy(update=order), 3)
        in_memory = {thing: attributes(thing) for thing in before}
        session.expire_all()
        assert in_memory == {thing: attributes(thing) for thing in before}


def everything_in(session: Session) -> list[Base]:
    """Every row of every table."""
    return [row for mapper in Base.registry.mappers for row in session.scalars(select(mapper.class_))]


def attributes(thing: Base) -> dict[str, Any]:
    """All that it says, and all that it leads to."""
    values = {attribute.key: getattr(thing, attribute.key) for attribute in inspect(thing).mapper.attrs}
    return {name: list(one) if isinstance(one, list) else one for name, one in values.items()}


def test_what_was_confirmed_can_be_carried_out_as_it_was_ordered(place: Place, database: Database) -> None:
    reference, desk = accepted(place, database), place()
    token = asks(desk, reference)

    with database.unit_of_work() as session:
        confirmed = confirm(session, token, now=desk.clock())
        assert confirmed is not None
        assert confirmed.ticket is not None
        carry_out(desk, session, confirmed.ticket, Order.model_validate(confirmed.wanted), proof="link")

    with database.reading() as session:
        ticket = ticket_called(session, reference)
        assert ticket.close_reason is CloseReason.REMEDIATED
        (proved,) = [entry for entry in ticket.history if entry.kind == "proved"]
        assert proved.facts == {"action": "close", "proof": "link"}


# --- with real mail ------------------------------------------------------------------------------

FIRST = "CVD-2026-0001"
BALIE = CLOSE.model_copy(update={"who": "Balie"})


@pytest.fixture
def filed(world: World) -> World:
    """A report that was accepted, and the mails about it have left."""
    world.arrives(world.reports())
    goes_round(world)
    accepts(world.place, FIRST)
    deliver(minutes=0)
    return world


def files_of(world: World) -> bytes:
    """All that the database has on the disk."""
    return b"".join(file.read_bytes() for file in world.config_file.parent.glob("meldbalie.db*"))


def test_the_mail_leaves_sealed_and_its_link_confirms(filed: World) -> None:
    token = asks(filed.place, FIRST, BALIE)
    deliver(minutes=0)

    raw = filed.mail.mails(HANDLER)[-1]
    assert not [one for one in (token, TEXT, "remediated") if one.encode() in raw]
    opened = filed.read_by(filed.people.handler)[-1]
    link = f"{filed.place.config.organisation.public_url}/c/{token}"
    assert link in opened.text
    assert TEXT in opened.text
    assert token.encode() not in files_of(filed)
    app = create_app(filed.place.config, clock=filed.present)
    assert app.test_client().post(f"/c/{token}").status_code == 200
    with filed.place.database.reading() as session:
        asked = confirmation_behind(session, token)
        assert asked is not None
        assert asked.confirmed_at == filed.present()
    with app.app_context():
        app.extensions["sqlalchemy"].engine.dispose()


def test_without_a_key_that_can_be_used_it_is_held_and_the_handlers_hear_of_it(
    filed: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    (balie,) = filed.place.config.triage
    config = filed.place.config.model_copy(
        update={"triage": [balie.model_copy(update={"fingerprint": "F" * 40})]}
    )
    works_with(filed, monkeypatch, replace(filed.place, config=config, promise=promise(config)))
    token = asks(filed.place, FIRST, BALIE)
    before = len(filed.mail.mails(HANDLER))
    deliver(minutes=0)

    (mail,) = outbox(filed, MailKind.CONFIRM)
    assert (mail.state.value, mail.problem) == ("held", "no_usable_key")
    (told_of_it,) = filed.mail.mails(HANDLER)[before:]
    assert b"Confirm what you want to do" in told_of_it
    assert not [one for one in (token, TEXT) if one.encode() in told_of_it]


def test_a_link_that_nobody_could_use_any_more_does_not_leave(filed: World) -> None:
    asks(filed.place, FIRST, BALIE)
    filed.present.passes(days=1)
    deliver(minutes=0)

    (mail,) = outbox(filed, MailKind.CONFIRM)
    assert (mail.state.value, mail.problem) == ("held", "link_is_dead")
    assert "can no longer be used" in filed.read_by(filed.people.handler)[-1].text

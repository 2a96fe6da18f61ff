"""The key watch: who is warned of what, once; and our own key as the web app finds it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from meldbalie.flows import key_watch
from meldbalie.flows.deliver import deliver
from meldbalie.flows.key_ends import trouble_with
from meldbalie.flows.key_watch import watch_keys
from meldbalie.flows.sweep import sweep
from meldbalie.mailbox.keyring import Keyring
from meldbalie.models.outbox import MailKind
from meldbalie.models.owners import Owner
from meldbalie.models.published_keys import PublishedKey
from meldbalie.models.ticket import Ticket, ticket_called
from meldbalie.tests.cast import gpg
from meldbalie.tests.flows.glances import goes_round, history, outbox, works_with
from meldbalie.tests.flows.world import REPORT, World
from sqlalchemy import select

FIRST = "CVD-2026-0001"
END = datetime(2100, 1, 1, 13, 5, tzinfo=UTC)  # after any present in which gpg makes a key


@pytest.fixture
def expiring(world: World) -> str:
    """The key of the web team, which ends."""
    with Keyring.throwaway() as theirs:
        key = theirs.make_key("Webteam", world.people.web_team.address, expires=END)
        world.place.keyring.import_public(theirs.export_public(key))
    with world.place.database.unit_of_work() as session:
        owner = session.scalars(select(Owner).where(Owner.name == "Webteam")).one()
        owner.fingerprint = key
    return key


def at(world: World, instant: datetime) -> list[tuple[str, str]]:
    """Watch at an instant; gives who was warned by it, and of what."""
    world.present.now = instant
    before = len(outbox(world, MailKind.KEY_WARNING))
    assert watch_keys(world.place, world.place.keyring) == []
    new = outbox(world, MailKind.KEY_WARNING)[before:]
    return [(mail.recipient, (mail.facts or {})["problem"]) for mail in new]


def test_handlers_and_the_holder_are_warned_at_each_step_and_once(world: World, expiring: str) -> None:
    handler, holder = world.people.handler.address, world.people.web_team.address
    both = [(handler, "expires"), (holder, "expires")]

    assert at(world, END - timedelta(days=30, seconds=1)) == []
    for days in (30, 7, 1):
        assert at(world, END - timedelta(days=days)) == both, days
        assert at(world, END - timedelta(days=days) + timedelta(hours=1)) == []
    assert at(world, END) == [(handler, "expired"), (holder, "expired")]
    assert at(world, END + timedelta(days=90)) == []


def test_after_an_outage_only_the_nearest_step_is_told(world: World, expiring: str) -> None:
    assert [problem for _, problem in at(world, END - timedelta(hours=5))] == ["expires", "expires"]
    assert at(world, END - timedelta(hours=4)) == []


def test_a_longer_life_starts_the_steps_anew(world: World) -> None:
    handler = world.people.handler
    with Keyring(handler.home) as theirs:
        gpg(theirs.home, "--quick-set-expire", handler.fingerprint, "400d")
        world.place.keyring.import_public(theirs.export_public(handler.fingerprint))
        ends = world.place.keyring.facts(handler.fingerprint)
        assert ends
        assert ends.expires_at
        first = at(world, ends.expires_at - timedelta(days=7))
        gpg(theirs.home, "--quick-set-expire", handler.fingerprint, "500d")
        world.place.keyring.import_public(theirs.export_public(handler.fingerprint))
        renewed = world.place.keyring.facts(handler.fingerprint)
        assert renewed
        assert renewed.expires_at
        gpg(theirs.home, "--quick-set-expire", handler.fingerprint, "0")
        nothing = at(world, ends.expires_at)
        again = at(world, renewed.expires_at - timedelta(days=7))

    assert first == again == [(handler.address, "expires")]  # who holds it is a handler: one mail
    assert nothing == []


def test_what_the_mails_say_reaches_both_and_holds_the_whole_fingerprint(world: World, expiring: str) -> None:
    at(world, END - timedelta(days=7))
    deliver(minutes=0)

    to_handler = world.read_by(world.people.handler)[-1].text
    [to_holder] = world.read_by(world.people.web_team)  # sealed to a key that they have lost: not opened
    grouped = " ".join(expiring[start : start + 4] for start in range(0, 40, 4))
    assert "Webteam" in to_handler
    assert grouped in to_handler
    assert "the key expires soon" in to_handler
    assert to_holder.was_encrypted


def test_the_intake_key_the_ibd_and_everybody_on_the_ladder_are_watched(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    people, place = world.people, world.place
    gpg(people.desk.home, "--quick-set-expire", people.desk.fingerprint, "400d")
    gpg(people.desk.home, "--quick-set-expire", people.desk.fingerprint, "400d", "*")
    ends = place.keyring.facts(people.desk.fingerprint)
    assert ends
    assert ends.expires_at
    promise = replace(
        place.promise,
        ibd=replace(place.promise.ibd, fingerprint="A" * 40),
        lead=replace(place.promise.ibd, name="Lead", address="lead@voorbeeld.example", fingerprint="B" * 40),
        ciso=replace(place.promise.ibd, name="CISO", address="ciso@voorbeeld.example", fingerprint=""),
    )
    works_with(world, monkeypatch, replace(place, promise=promise))

    warned = at(world, ends.expires_at - timedelta(days=1))

    handler = people.handler.address
    assert sorted(warned) == sorted(
        [
            (handler, "expires"),  # ours: only handlers are told
            (handler, "missing"),
            (people.ibd.address, "missing"),
            (handler, "missing"),
            ("lead@voorbeeld.example", "missing"),
        ]
    )


def test_a_reporters_key_that_has_ended_is_noted_on_the_open_ticket_once(world: World) -> None:
    with Keyring.throwaway() as theirs:
        key = theirs.make_key("Sanne", world.people.reporter.address, expires=END)
        world.place.keyring.import_public(theirs.export_public(key))
    world.arrives(world.reports(key=False))
    goes_round(world)
    with world.place.database.unit_of_work() as session:
        ticket_called(session, FIRST).reporter.fingerprint = key

    at(world, END - timedelta(seconds=1))
    before = history(world, FIRST)
    for _ in range(2):
        at(world, END)

    assert "key_problem" not in before
    assert history(world, FIRST)[len(before) :] == ["key_problem"]
    [alarm] = outbox(world, MailKind.KEY_ALARM)
    assert alarm.recipient == world.people.handler.address
    assert (alarm.facts or {})["problem"] == "expired"


def two_without_their_keys(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two tickets, of which a sweep looks at one, and whose reporters' keys are not in the keyring."""
    monkeypatch.setattr(key_watch, "TICKETS_AT_ONCE", 1)
    for number in range(2):
        world.arrives(world.reports(key=False, subject=f"Report {number}", text=f"{REPORT} {number}"))
    goes_round(world)
    with world.place.database.unit_of_work() as session:
        for ticket in session.scalars(select(Ticket)):
            ticket.reporter.fingerprint = "0" * 40


def test_sweeps_take_turns_with_the_keys_of_many_reporters(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    two_without_their_keys(world, monkeypatch)

    noted: list[int] = []
    for _ in range(6):
        world.present.passes(minutes=world.place.config.clocks.sweep_minutes)
        at(world, world.present())
        noted.append(sum(history(world, number).count("key_problem") for number in world.tickets()))

    assert sorted({1, 2} & set(noted)) == [1, 2]
    assert noted[-1] == 2


def test_the_command_looks_at_all_reporters_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    two_without_their_keys(world, monkeypatch)

    assert watch_keys(world.place, world.place.keyring, whole=True) == []

    assert ["key_problem" in history(world, number) for number in world.tickets()] == [True, True]


def test_a_sweep_watches_and_publishes_and_fires_its_rungs_though_gpg_fails(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep()
    with world.place.database.reading() as session:
        [published] = session.scalars(select(PublishedKey)).all()
    assert (published.fingerprint, published.is_current) == (world.people.desk.fingerprint, True)
    assert published.published_at == world.present()

    world.arrives(world.reports())
    goes_round(world)
    world.present.passes(days=3)

    def fails(*_: object) -> None:
        raise OSError("no gpg")

    monkeypatch.setattr(world.place.keyring, "all_keys", fails)
    with pytest.raises(Exception, match="key watch"):
        sweep()
    assert [mail.recipient for mail in outbox(world, MailKind.RUNG)] == [world.people.web_team.address]


@pytest.mark.parametrize("steps", [[], [30, 7, 1], [1, 30, 7]])
def test_the_steps_are_settings_in_any_order(world: World, expiring: str, steps: list[int]) -> None:
    facts = world.place.keyring.facts(expiring)

    def step(days: float) -> int | None:
        trouble = trouble_with(facts, END - timedelta(days=days), steps)
        return trouble.step if trouble else None

    found = [step(days) for days in (31, 30, 8, 7, 6.9, 1, 0.1)]

    assert found == ([None, 30, 30, 7, 7, 1, 1] if steps else [None] * 7)

"""The key of a reporter who is forgotten leaves our keyring, and no other key does."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from meldbalie.flows import clearing
from meldbalie.flows.clearing import clear_away
from meldbalie.flows.installation import promise
from meldbalie.mailbox.errors import GpgTimedOut
from meldbalie.mailbox.keyring import Keyring
from meldbalie.models import acts
from meldbalie.models.brought_keys import BroughtKey, note_brought_key
from meldbalie.models.delivery import claim_next, was_delivered
from meldbalie.models.filing import Received, open_ticket
from meldbalie.models.forgetting import forget
from meldbalie.models.ledger import Place, Verdict, enter
from meldbalie.models.outbox import Mail
from meldbalie.models.owners import Owner
from meldbalie.models.states import CloseReason
from meldbalie.models.ticket import ticket_called
from meldbalie.models.vault import vault
from meldbalie.settings import Person
from meldbalie.tests.benchmarks.workbench import records_room
from meldbalie.tests.flows.glances import goes_round
from meldbalie.tests.flows.world import World
from sqlalchemy import select

NAME, ADDRESS, OTHER_ADDRESS = "Sanne de Vries", "sanne@onderzoek.example", "sanne@thuis.example"


@pytest.fixture
def room() -> Iterator[World]:
    with records_room() as room:
        yield room


def brings_key(world: World, address: str = ADDRESS) -> str:
    """Take in a new key of the reporter, as intake does; gives its fingerprint."""
    with Keyring.throwaway() as theirs:
        made = theirs.make_key(NAME, address)
        world.place.keyring.take_in(theirs.export_public(made), only_address=address)
    return made


def closed(world: World, key: str) -> str:
    """A ticket whose reporter has this key, reported and closed; all mail has left."""
    now, place = world.present(), world.place
    how: dict[str, Any] = {"by": "Balie", "because": "", "promise": place.promise, "now": now}
    received = Received(
        arrived_at=now, subject="XSS", text="It reflects.", name=NAME, address=ADDRESS, fingerprint=key
    )
    with place.database.unit_of_work() as session:
        ticket = open_ticket(session, received, place.promise, now=now)
        reference = ticket.reference
        note_brought_key(session, ticket, key)
        acts.accept(session, ticket, **how)
        acts.close(session, ticket, reason=CloseReason.REMEDIATED, **how)
    with place.database.unit_of_work() as session:
        while (number := claim_next(session, now)) is not None:
            was_delivered(session, session.get_one(Mail, number), place.promise, sealed=True, now=now)
            session.flush()
    return reference


def forgets(world: World, reference: str) -> None:
    with world.place.database.unit_of_work() as session:
        assert forget(session, ticket_called(session, reference), by="Balie", now=world.present())


def clears(world: World) -> list[str]:
    """What an audit clears; nothing lies in the mailbox here."""
    return clear_away(world.place)


def has(world: World, key: str) -> bool:
    return world.place.keyring.facts(key) is not None


def test_the_key_of_a_forgotten_reporter_leaves_the_keyring(room: World) -> None:
    key, before = brings_key(room), {one.fingerprint for one in room.place.keyring.all_keys()}
    reference = closed(room, key)
    assert clears(room) == []
    assert has(room, key)

    forgets(room, reference)
    assert clears(room) == []

    assert {one.fingerprint for one in room.place.keyring.all_keys()} == before - {key}
    assert room.place.keyring.keys_of(ADDRESS) == ()
    assert clears(room) == []


def test_it_stays_while_another_ticket_has_it(room: World) -> None:
    key = brings_key(room)
    first, second = closed(room, key), closed(room, key)

    forgets(room, first)
    assert clears(room) == []
    assert has(room, key)

    forgets(room, second)
    assert clears(room) == []
    assert not has(room, key)


def test_another_key_that_came_with_the_ticket_goes_as_well(room: World) -> None:
    """A reporter writes from another address as well: that key is pinned for nobody."""
    key, other = brings_key(room), brings_key(room, OTHER_ADDRESS)
    first, second = closed(room, key), closed(room, key)
    with room.place.database.unit_of_work() as session:
        for reference in (first, second):
            note_brought_key(session, ticket_called(session, reference), other)
    forgets(room, first)
    assert clears(room) == []
    assert has(room, other)

    forgets(room, second)
    assert clears(room) == []
    assert not has(room, other)


def test_a_key_that_was_pinned_before_goes_as_well(room: World) -> None:
    key, later = brings_key(room), brings_key(room, OTHER_ADDRESS)
    reference = closed(room, key)
    with room.place.database.unit_of_work() as session:
        ticket_called(session, reference).reporter.fingerprint = later

    forgets(room, reference)
    assert clears(room) == []
    assert not has(room, key)
    assert not has(room, later)


def test_a_key_that_an_operator_took_in_and_has_not_pinned_yet_stays(room: World) -> None:
    key, imported = brings_key(room), brings_key(room, OTHER_ADDRESS)

    forgets(room, closed(room, key))
    assert clears(room) == []
    assert has(room, imported)


@pytest.mark.parametrize("role", ["triage", "lead", "on_call", "ciso", "people", "shift", "owner", "mail"])
def test_whoever_else_has_the_key_keeps_it(room: World, role: str, tmp_path: Path) -> None:
    key = brings_key(room)
    reference = closed(room, key)
    config, person = room.place.config, Person(name=NAME, address=ADDRESS, fingerprint=key)
    rota = tmp_path / "rota.csv"
    rota.write_text(f"from,until,name,address,fingerprint\n2026-11-01,2027-01-01,{NAME},{ADDRESS},{key}\n")
    match role:
        case "triage":
            config = config.model_copy(update={"triage": [*config.triage, person]})
        case "people":
            config = config.model_copy(update={"rota": config.rota.model_copy(update={"people": [person]})})
        case "shift":
            config = config.model_copy(update={"rota": config.rota.model_copy(update={"file": rota})})
        case "owner":
            with room.place.database.unit_of_work() as session:
                session.add(Owner(name=NAME, address=ADDRESS, fingerprint=key))
        case "mail":
            with room.place.database.unit_of_work() as session:
                mail = session.scalars(select(Mail).where(Mail.party == "owner")).first()
                assert mail is None  # no owner is known of what was reported
                mail = session.scalars(select(Mail).where(Mail.party == "ibd")).one()
                session.add(
                    Mail(
                        once="x", kind=mail.kind, party="staff", recipient=ADDRESS, fingerprint=key,
                        created_at=room.present(), next_try_at=room.present(),
                    )
                )  # fmt: skip
        case _:
            config = config.model_copy(update={role: person})
    room.place = replace(room.place, config=config, promise=promise(config))

    forgets(room, reference)
    assert clears(room) == []
    assert has(room, key)


def test_our_own_key_stays_whoever_sent_it_to_us(room: World) -> None:
    own = room.people.desk.fingerprint

    forgets(room, closed(room, own))
    assert clears(room) == []
    assert has(room, own)
    assert not room.place.keyring.take_out(own)
    assert has(room, own)


def test_nothing_goes_while_a_message_waits_that_may_pin_it(room: World) -> None:
    key, now = brings_key(room), room.present()
    forgets(room, closed(room, key))
    with room.place.database.unit_of_work() as session:
        entry = enter(session, Place("x", 1), 9, b"new", message_id="<9@x>", arrived_at=now, now=now)

    assert clears(room) == []
    assert has(room, key)

    with room.place.database.unit_of_work() as session:
        session.merge(entry).verdict = Verdict.AUTOMATIC
    assert clears(room) == []
    assert not has(room, key)


def test_a_process_that_dies_after_the_commit_or_the_deletion_does_it_again(
    room: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = brings_key(room)
    forgets(room, closed(room, key))
    with monkeypatch.context() as patched, suppress(KeyboardInterrupt):
        patched.setattr(clearing, "are_gone", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        clears(room)
    assert not has(room, key)

    assert clears(room) == []
    with room.place.database.reading() as session:
        assert session.scalars(select(BroughtKey.gone_at)).all() == [room.present()]


def test_a_keyring_that_cannot_be_used_is_named_and_tried_again(
    room: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = brings_key(room)
    forgets(room, closed(room, key))

    def hangs(*_: object) -> bool:
        raise GpgTimedOut("gpg hangs")

    with monkeypatch.context() as patched:
        patched.setattr(Keyring, "take_out", hangs)
        assert clears(room) == ["1 forgotten keys may still be in the keyring (GpgTimedOut)"]
    with monkeypatch.context() as patched:
        patched.setattr(Keyring, "take_out", lambda *_: False)
        assert clears(room) == ["1 forgotten keys are still in the keyring"]

    assert clears(room) == []
    assert not has(room, key)


def test_no_byte_of_the_key_stays_in_the_files_of_the_keyring(room: World) -> None:
    """Gpg only marks what it deletes, and tidies up hours later; it keeps the ring as it was before."""
    key = brings_key(room)
    forgets(room, closed(room, key))
    ring = room.place.keyring.home / "pubring.kbx"
    assert clears(room) == []
    _let_maintenance_be_due(ring)
    assert not has(room, key)  # gpg runs, for whatever reason
    room.present.passes(hours=4)
    assert clears(room) == []

    files = [path for path in ring.parent.glob("*") if path.is_file()]
    assert not [path.name for path in files if ADDRESS.encode() in path.read_bytes()]
    room.present.now += timedelta(days=1)
    assert clears(room) == []
    with room.place.database.reading() as session:
        assert session.scalars(select(BroughtKey)).all() == []


def test_the_key_that_came_with_a_mail_goes_from_the_keyring_when_its_ticket_is_forgotten(
    world: World,
) -> None:
    world.arrives(world.reports())
    goes_round(world)
    key, reference, place = world.people.reporter.fingerprint, "CVD-2026-0001", world.place
    assert has(world, key)
    how: dict[str, Any] = {"by": "Balie", "because": "", "promise": place.promise, "now": world.present()}
    with place.database.unit_of_work() as session:
        ticket = ticket_called(session, reference)
        brought = session.scalars(select(BroughtKey)).one()
        assert (brought.ticket_id, brought.digest) == (ticket.id, vault.keyed_digest(key))
        acts.accept(session, ticket, **how)
        acts.close(session, ticket, reason=CloseReason.REMEDIATED, **how)
    goes_round(world)

    forgets(world, reference)
    assert clears(world) == []
    assert not has(world, key)


def _let_maintenance_be_due(ring: Path) -> None:
    """Say in the header of the ring that gpg tidied it up long ago (kbx/keybox-blob.c)."""
    with ring.open("r+b") as file:
        file.seek(20)
        file.write(b"\0\0\0\1")

"""Quarantine: nothing in it is lost, everything in it can be opened later, and nobody is told too much."""

import threading
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from meldbalie.__main__ import main
from meldbalie.flows.audit import compare, wrong_in
from meldbalie.flows.filing import file_entry
from meldbalie.flows.intake import intake
from meldbalie.flows.operator.quarantine import lines, retry
from meldbalie.mailbox.compose import Draft, sealed
from meldbalie.mailbox.keyring import Keyring
from meldbalie.mailbox.limits import Limits
from meldbalie.models import ledger
from meldbalie.models.ledger import LedgerEntry, Verdict
from meldbalie.models.outbox import MailKind
from meldbalie.models.quarantine import judge_again
from meldbalie.models.ticket import first_broken_link, ticket_called
from meldbalie.tests.cast import gpg
from meldbalie.tests.flows.glances import clocks, goes_round, outbox, states, verdicts
from meldbalie.tests.flows.test_audit import moves
from meldbalie.tests.flows.test_intake_verdicts import tampered
from meldbalie.tests.flows.world import NAME, SENTENCE, START, World

FIRST = "CVD-2026-0001"


@pytest.fixture
def key_to_come() -> Generator[Keyring]:
    """A keyring with a key of the desk that the desk does not have yet."""
    with TemporaryDirectory(prefix="mbq", ignore_cleanup_errors=True) as home, Keyring(Path(home)) as keyring:
        keyring.make_key("CVD-meldpunt", "cvd@voorbeeld.example")
        yield keyring


def sealed_to_it(world: World, keyring: Keyring, number: int = 1) -> bytes:
    """A report sealed to the key that is still to come."""
    [key] = keyring.own_keys()
    reporter = world.people.reporter
    draft = Draft(
        sender_name=reporter.name,
        sender=reporter.address,
        recipient=world.people.desk.address,
        subject="Kanariegeel lek",
        body=f"At https://www.voorbeeld.example/{number} {SENTENCE}",
        message_id=f"<later-{number}@onderzoek.example>",
        date=world.present(),
    )
    return sealed(draft, outer_subject="...", keyring=keyring, to=key.fingerprint, signed_by=None)


def comes(world: World, keyring: Keyring) -> None:
    """The operator takes the key in."""
    [key] = keyring.own_keys()
    secret = gpg(keyring.home, "--export-secret-keys", key.fingerprint)
    gpg(world.people.desk.home, "--import", feed=secret)


def quiet(world: World) -> bool:
    return wrong_in(compare(world.place, whole=True)) == []


def numbers(world: World) -> list[str]:
    """The numbers that the list shows."""
    return [line.split()[0] for line in lines(world.place) if not line.startswith("        ")]


def test_a_report_sealed_to_a_key_that_we_get_later_is_opened_then_and_its_clock_counts_from_its_arrival(
    world: World, key_to_come: Keyring
) -> None:
    world.arrives(sealed_to_it(world, key_to_come))
    goes_round(world)
    assert numbers(world) == ["1"]
    assert "a key that we do not have" in lines(world.place)[0]
    assert "import it into the keyring" in lines(world.place)[1]
    assert states(world, MailKind.CANNOT_OPEN) == ["sent"]
    assert quiet(world)

    world.present.passes(days=2)
    assert retry(world.place, 1)[0] is False
    comes(world, key_to_come)
    assert retry(world.place, 1) == (True, f"message 1: opened_ticket {FIRST}")
    goes_round(world)

    with world.place.database.reading() as session:
        ticket = ticket_called(session, FIRST)
        assert (ticket.arrived_at, ticket.opened_at) == (START, world.present())
        assert first_broken_link(ticket) is None
    assert clocks(world)[0][1] == START + timedelta(days=5)
    assert numbers(world) == ["the"]
    assert states(world, MailKind.RECEIPT) == ["sent"]
    assert states(world, MailKind.CANNOT_OPEN) == ["sent"]
    assert len(outbox(world, MailKind.QUARANTINED)) == 1
    world.present.passes(hours=1)
    assert quiet(world)


def test_the_note_to_a_sender_says_how_to_try_again_and_nothing_of_the_message(
    world: World, key_to_come: Keyring
) -> None:
    world.arrives(sealed_to_it(world, key_to_come))
    goes_round(world)

    [raw] = world.mail.mails(world.people.reporter.address)
    [note] = world.read_by(world.people.reporter)
    desk = world.people.desk
    assert " ".join(desk.fingerprint[start : start + 4] for start in range(0, 40, 4)) in note.text
    assert world.place.config.organisation.policy_url in note.text
    assert "50 MB" in note.text
    assert [key.fingerprints for key in note.keys] == [(desk.fingerprint,)]
    for said in (
        "later-1",
        "kanariegeel",
        SENTENCE,
        "a key that we do not have",
        "geen sleutel",
        "no_secret",
    ):
        assert said.lower() not in note.text.lower()
    assert b"later-1" not in raw


def test_a_message_that_is_too_big_is_kept_whole_and_opened_once_the_limit_allows_it(world: World) -> None:
    report = world.reports(f"{SENTENCE} https://www.voorbeeld.example/", key=False)
    usual = world.place.limits
    world.place = _with_limits(world, Limits(size=len(report) - 1))
    world.arrives(report)
    goes_round_with(world)
    assert "too large" in lines(world.place)[0]
    assert "limits.size" in lines(world.place)[1]
    with world.place.database.reading() as session:
        assert session.get_one(LedgerEntry, 1).raw.replace(b"\r\n", b"\n") == report.replace(b"\r\n", b"\n")

    world.place = _with_limits(world, usual)
    assert retry(world.place, 1) == (True, f"message 1: opened_ticket {FIRST}")


def _with_limits(world: World, limits: Limits):
    return replace(world.place, limits=limits)


def goes_round_with(world: World) -> None:
    """What waits is filed with this world's limits."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("meldbalie.flows.intake.installation", lambda: world.place)
        intake(minutes=0)


def test_what_is_broken_stays_and_neither_its_sender_nor_a_handler_is_told_twice(world: World) -> None:
    world.arrives(tampered(world.reports()))
    goes_round(world)

    for _ in range(3):
        world.present.passes(days=1)
        was_opened, said = retry(world.place, 1)
        goes_round(world)
        assert not was_opened
        assert "stays in quarantine: the encrypted message was damaged or altered (" in said

    assert verdicts(world) == [Verdict.QUARANTINED]
    assert states(world, MailKind.CANNOT_OPEN) == ["sent"]
    assert states(world, MailKind.QUARANTINED) == ["sent"]
    assert numbers(world) == ["1"]
    assert quiet(world)


def test_of_a_message_that_was_quarantined_twice_one_ticket_is_made(
    world: World, key_to_come: Keyring
) -> None:
    world.arrives(sealed_to_it(world, key_to_come))
    goes_round(world)
    moves(world, "Quarantine", "INBOX")
    world.present.passes(days=1)
    goes_round(world)
    assert verdicts(world) == [Verdict.QUARANTINED] * 2
    assert numbers(world) == ["1"]

    comes(world, key_to_come)
    assert retry(world.place, 2) == (True, f"message 1: opened_ticket {FIRST}")
    world.arrives(b"Received: again\r\n" + _raw(world, 1))
    goes_round(world)

    assert world.tickets() == [FIRST]
    assert verdicts(world) == [Verdict.OPENED_TICKET, Verdict.QUARANTINED, Verdict.REPEATED]
    assert numbers(world) == ["the"]
    with pytest.raises(Exception, match="is not in quarantine: its verdict is opened_ticket"):
        retry(world.place, 2)
    world.present.passes(hours=1)
    assert quiet(world)


def test_a_copy_that_is_opened_counts_from_the_first_arrival(world: World, key_to_come: Keyring) -> None:
    world.arrives(sealed_to_it(world, key_to_come))
    goes_round(world)
    world.present.passes(days=1)
    comes(world, key_to_come)
    world.arrives(_raw(world, 1))
    goes_round(world)

    assert verdicts(world) == [Verdict.QUARANTINED, Verdict.OPENED_TICKET]
    assert clocks(world)[0][1] == START + timedelta(days=5)
    assert numbers(world) == ["the"]
    assert quiet(world)


def test_a_copy_and_the_first_that_are_judged_at_once_make_one_ticket(
    world: World, key_to_come: Keyring
) -> None:
    world.arrives(sealed_to_it(world, key_to_come))
    goes_round(world)
    with world.place.database.unit_of_work() as session:
        first = session.get_one(LedgerEntry, 1)
        where = ledger.Place(first.mailbox, first.uidvalidity)
        now = world.present()
        ledger.enter(session, where, 99, first.raw, message_id="<x@y>", arrived_at=now, now=now)
    with world.place.database.unit_of_work() as session:
        judge_again(session, 1)
    comes(world, key_to_come)
    together = threading.Barrier(2, timeout=60)

    def files(number: int) -> Verdict:
        together.wait()
        return file_entry(world.place, number)[0]

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(files, (1, 2))) == [Verdict.OPENED_TICKET, Verdict.REPEATED]
    assert world.tickets() == [FIRST]


def _raw(world: World, number: int) -> bytes:
    with world.place.database.reading() as session:
        return session.get_one(LedgerEntry, number).raw


def test_no_more_senders_are_told_in_an_hour_than_allowed(world: World) -> None:
    config = world.place.config
    limited = config.model_copy(update={"intake": config.intake.model_copy(update={"notes_per_hour": 2})})
    world.place = replace(world.place, config=limited)

    def somebody_writes(number: int) -> None:
        message = tampered(world.reports(f"Number {number}."))
        forged = f"somebody{number}@forged.example".encode()
        world.arrives(message.replace(world.people.reporter.address.encode(), forged))

    for number in range(4):
        somebody_writes(number)
    goes_round_with(world)
    assert len(outbox(world, MailKind.CANNOT_OPEN)) == 2
    world.present.passes(minutes=59)
    somebody_writes(4)
    goes_round_with(world)
    assert len(outbox(world, MailKind.CANNOT_OPEN)) == 2
    world.present.passes(minutes=2)
    somebody_writes(5)
    goes_round_with(world)
    assert len(outbox(world, MailKind.CANNOT_OPEN)) == 3
    assert len(outbox(world, MailKind.QUARANTINED)) == 6


@pytest.fixture
def commanded(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """The command works with this world."""
    for name in ("installation", "records"):
        monkeypatch.setattr(f"meldbalie.flows.operator.quarantine.{name}", lambda: world.place)
    return world


def test_the_command_lists_shows_and_lets_go_without_a_word_of_a_message(
    commanded: World, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    world = commanded
    world.arrives(tampered(world.reports(subject="Kanariegeel")))
    goes_round(world)
    capsys.readouterr()

    assert main(["quarantine"]) == 0
    assert main(["quarantine", "show", "1"]) == 0
    said = capsys.readouterr().out
    for words in ("damaged or altered", "Ask the sender to send it again", "1 try", "sha256", "came 1 times"):
        assert words in said
    for secret in (SENTENCE, NAME, world.people.reporter.address, "Kanariegeel"):
        assert secret not in said

    file = tmp_path / "raw"
    assert main(["quarantine", "show", "1", "--raw", str(file)]) == 0
    assert file.read_bytes() == _raw(world, 1)
    assert file.stat().st_mode & 0o777 == 0o600
    assert main(["quarantine", "show", "1", "--raw", str(file)]) == 1
    assert "name a file that is not there" in capsys.readouterr().err
    assert main(["quarantine", "retry", "all"]) == 1
    assert main(["quarantine", "retry", "7"]) == 1
    assert "the ledger has no message 7" in capsys.readouterr().err
    assert main(["quarantine", "retry", "seven"]) == 1

    assert main(["quarantine", "dismiss", "1", "--because", "Reclame.", "--by", " "]) == 1
    assert main(["quarantine", "dismiss", "1", "--because", "Reclame.", "--by", "Balie"]) == 0
    assert main(["quarantine", "dismiss", "1", "--because", "Reclame.", "--by", "Piket"]) == 1
    capsys.readouterr()
    assert main(["quarantine"]) == 0
    assert "the quarantine is empty" in capsys.readouterr().out
    assert main(["quarantine", "--dismissed"]) == 0
    assert main(["quarantine", "show", "1"]) == 0
    assert "by Balie: Reclame." in capsys.readouterr().out
    assert main(["quarantine", "retry", "1"]) == 1
    assert numbers(world) == ["1"]

"""Machines that answer each other fall silent: by what headers say, and where those lie, by counting."""

import os
import subprocess
from collections.abc import Callable, Generator
from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from itertools import count
from pathlib import Path

import pytest
from meldbalie.flows.deliver import deliver
from meldbalie.flows.installation import Installation, install
from meldbalie.flows.intake import intake
from meldbalie.flows.operator import demo_files
from meldbalie.flows.operator.demo_files import ADDRESSES, CVD, PASSWORD, WEB_TEAM, Person
from meldbalie.flows.operator.mailserver import LocalMailServer
from meldbalie.mailbox.keyring import Keyring
from meldbalie.models.ledger import Verdict
from meldbalie.models.migrate import migrate
from meldbalie.models.outbox import MailKind, MailState
from meldbalie.models.owners import Owner
from meldbalie.settings import Loops, Most, use
from meldbalie.tests.flows.glances import answers, goes_round, history, outbox, states, verdicts, works_with
from meldbalie.tests.flows.world import World
from meldbalie.tests.ports import free_port
from sqlalchemy import update

FIRST = "CVD-2026-0001"
MOST_ROUNDS = 40
SIEVE = """\
require ["vacation"];
vacation :days 1 :addresses ["{address}"] "I am away until Monday.";
discard;
"""
DELIVERY_AGENT = """\

postmaster_address = postmaster@onderzoek.example
hostname = onderzoek.example
submission_host = 127.0.0.1:{port}
protocol lda {{
  mail_plugins = sieve
}}
plugin {{
  sieve = file:{script}
}}
"""

Responder = Callable[[bytes], None]


def rounds_until_silence(world: World, who: str, answered_by: Responder, **pause: float) -> int:
    """Let a machine answer all mail to an address, and us that, until nothing moves; gives the rounds."""
    seen = len(world.mail.mails(who))
    for number in range(MOST_ROUNDS):
        goes_round(world)
        received = world.mail.mails(who)
        if len(received) == seen:
            return number
        for mail in received[seen:]:
            answered_by(mail)
        seen = len(received)
        world.present.passes(**pause or {"seconds": 10})
    raise AssertionError(f"{who} and we still answer each other after {MOST_ROUNDS} rounds")


def bad_responder(world: World, who: str, *, to: str = "Reply-To") -> Responder:
    """A machine that answers everything, says nowhere that it is one, and quotes."""
    numbers = count()

    def answers_it(raw: bytes) -> None:
        mail = message_from_bytes(raw, policy=policy.default)
        answer = EmailMessage()
        answer["From"] = who
        answer["To"] = str(mail[to])
        answer["Subject"] = f"Re: {mail['Subject']}"
        answer["Message-ID"] = f"<{next(numbers)}.answer@onderzoek.example>"
        quoted = "\n".join(f"> {line}" for line in raw.decode("ascii", "replace").splitlines()[:40])
        answer.set_content(f"I have got your mail and shall read it.\n\n{quoted}\n")
        world.mail.deliver(answer.as_bytes(), to=CVD, at=world.present())

    return answers_it


def vacation(world: World, who: str) -> Responder:
    """Dovecot's own delivery agent with a vacation script (Pigeonhole, RFC 5230)."""
    directory = world.mail.directory
    script = directory / "vacation.sieve"
    script.write_text(SIEVE.format(address=who))
    script.chmod(0o644)
    configuration = directory / "lda.conf"
    agent = DELIVERY_AGENT.format(port=world.mail.smtp_port, script=script)
    configuration.write_text((directory / "dovecot.conf").read_text() + agent)
    program = next(Path(place) for place in AGENTS if Path(place).exists())

    def answers_it(raw: bytes) -> None:
        sender = str(message_from_bytes(raw)["Return-Path"]).strip("<>")
        delivered = subprocess.run(
            [program, "-c", configuration, "-d", who, "-f", sender, "-a", who],
            input=raw,
            capture_output=True,
            check=False,
            env={"PATH": os.environ["PATH"]},
        )
        assert delivered.returncode == 0, delivered.stderr.decode() + (directory / "dovecot.log").read_text()

    return answers_it


AGENTS = ("/usr/lib/dovecot/dovecot-lda", "/usr/libexec/dovecot/dovecot-lda")


def bounded(world: World, monkeypatch: pytest.MonkeyPatch, **loops: list[Most]) -> None:
    """Let this world have other bounds on automatic mail."""
    config = world.place.config.model_copy(update={"loops": Loops(**loops)})
    works_with(world, monkeypatch, replace(world.place, config=config))


def test_a_vacation_responder_falls_silent_after_the_first_exchange(world: World) -> None:
    reporter = world.people.reporter.address
    world.arrives(world.reports())

    rounds_until_silence(world, reporter, vacation(world, reporter))
    assert len(world.mail.mails(reporter)) == 1
    assert verdicts(world) == [Verdict.OPENED_TICKET]  # it sees that nobody wrote our receipt

    answers(world, FIRST)
    assert rounds_until_silence(world, reporter, vacation(world, reporter)) == 1
    assert len(world.mail.mails(reporter)) == 2
    assert verdicts(world) == [Verdict.OPENED_TICKET, Verdict.AUTOMATIC]
    [away] = [raw for raw in world.mail.mails(CVD, "Archive") if b"I am away" in raw]
    assert message_from_bytes(away)["Auto-Submitted"].startswith("auto-replied")
    assert world.tickets() == [FIRST]
    assert "message" not in history(world, FIRST)


def test_a_responder_without_any_mark_that_answers_to_our_token_is_answered_once(world: World) -> None:
    reporter = world.people.reporter.address
    world.arrives(world.reports(key=False))

    rounds = rounds_until_silence(world, reporter, bad_responder(world, reporter))

    assert rounds == 1
    assert len(world.mail.mails(reporter)) == 1
    assert verdicts(world) == [Verdict.OPENED_TICKET, Verdict.JOINED_TICKET]


def test_a_responder_that_opens_a_ticket_with_every_answer_is_stopped_by_counting(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    bounded(world, monkeypatch, per_address=[Most(mails=4, minutes=10)])
    reporter = world.people.reporter.address
    world.arrives(world.reports(seals=False, key=False))

    machine = bad_responder(world, reporter, to="From")
    rounds = rounds_until_silence(world, reporter, machine)

    assert rounds == 4
    assert states(world, MailKind.RECEIPT) == ["sent"] * 4 + ["parked"]
    assert len(world.tickets()) == 5  # nothing that came in was lost
    [parked] = [mail for mail in outbox(world, MailKind.RECEIPT) if mail.state is MailState.PARKED]
    assert parked.problem == "too_many"
    told = outbox(world, MailKind.UNDELIVERED)
    assert [mail.state for mail in told] == [MailState.SENT]
    assert "a machine is probably answering it" in world.read_by(world.people.handler)[-1].text

    for _ in range(3):
        machine(world.mail.mails(reporter)[-1])
    goes_round(world)
    assert states(world, MailKind.RECEIPT) == ["sent"] * 4 + ["parked"] * 4
    assert len(outbox(world, MailKind.UNDELIVERED)) == 1
    assert len(world.tickets()) == 8


def test_a_slow_responder_is_stopped_by_the_longer_bound(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    bounds = [Most(mails=4, minutes=10), Most(mails=6, minutes=24 * 60)]
    bounded(world, monkeypatch, per_address=bounds)
    reporter = world.people.reporter.address
    world.arrives(world.reports(seals=False, key=False))

    rounds = rounds_until_silence(world, reporter, bad_responder(world, reporter, to="From"), minutes=15)

    assert rounds == 6
    assert states(world, MailKind.RECEIPT) == ["sent"] * 6 + ["parked"]


def test_a_handler_whose_mailbox_answers_does_not_keep_the_desk_busy(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    bounded(world, monkeypatch, per_ticket=[Most(mails=5, minutes=10)])
    handler = world.people.handler.address
    world.arrives(world.reports())

    rounds_until_silence(world, handler, bad_responder(world, handler))

    held_back = outbox(world, MailKind.UNDELIVERED)  # of messages, and of replies to what was ordered
    assert len(held_back) == 2
    to_them = [mail for mail in outbox(world) if mail.recipient == handler]
    apart = (MailKind.ORDER_REPLY, MailKind.UNDELIVERED)
    for counted in (
        [mail for mail in to_them if mail.kind is MailKind.ORDER_REPLY],
        [mail for mail in to_them if mail.kind not in apart],
    ):
        assert [mail.state.value for mail in counted] == ["sent"] * 5 + ["parked"] * (len(counted) - 5)
        assert {mail.problem for mail in counted if mail.state is MailState.PARKED} == {"too_many"}
    assert world.tickets() == [FIRST]


# Two desks that write to each other.

NEIGHBOUR, THEIR_HANDLER = "melden@buurt.example", "balie@buurt.example"


def neighbour_of(world: World) -> Installation:
    """A second installation, with an address, a key, a database and an outbox of its own."""
    ours = world.config_file.parent
    directory = ours / "buurt"
    directory.mkdir(mode=0o755)
    (directory / "application.keys").write_bytes((ours / "application.keys").read_bytes())
    desk = made_person(directory, "Meldpunt Buurt", NEIGHBOUR)
    with Keyring(world.people.desk.home) as theirs, Keyring(desk.home) as keyring:
        for person in (world.people.handler, world.people.ibd):
            keyring.import_public(theirs.export_public(person.fingerprint))
    people = replace(world.people, desk=desk)
    file = demo_files.write_configuration(
        directory, people, imap_port=world.mail.imap_port, smtp_port=world.mail.smtp_port
    )
    written = file.read_text().replace(CVD, NEIGHBOUR).replace(world.people.handler.address, THEIR_HANDLER)
    file.write_text(written)
    place = install(use(file), clock=world.present)
    migrate(place.database)
    return replace(place, config=place.config.model_copy(update={"prefect": world.place.config.prefect}))


def made_person(directory: Path, name: str, address: str) -> Person:
    home = directory / "keys"
    with Keyring(home) as keyring:
        return Person(name, address, home, keyring.make_key(name, address))


@pytest.fixture
def desks(world: World, monkeypatch: pytest.MonkeyPatch) -> Generator[tuple[World, Callable[[], list[int]]]]:
    """Our world with a neighbour, and a way to let both work until nothing moves."""
    server = LocalMailServer(
        world.mail.directory.parent / "both",
        addresses=[*ADDRESSES, NEIGHBOUR, THEIR_HANDLER],
        password=PASSWORD,
        imap_port=free_port(),
    )
    world.mail.kill()
    server.start()
    world.mail = server
    ports = replace(world.place.imap, port=server.imap_port), replace(world.place.smtp, port=server.smtp_port)
    ours = replace(world.place, imap=ports[0], smtp=ports[1])
    theirs = neighbour_of(world)

    def work() -> list[int]:
        mailed: list[int] = []
        for _ in range(MOST_ROUNDS):
            left = 0
            for place in (theirs, ours):
                works_with(world, monkeypatch, place)
                world.present.passes(seconds=10)
                intake(minutes=0)
                left += deliver(minutes=0)
            works_with(world, monkeypatch, ours)
            if left == 0:
                return mailed
            mailed.append(left)
        raise AssertionError("the two desks do not come to rest")

    works_with(world, monkeypatch, ours)
    yield replace(world, place=ours), work
    theirs.keyring.stop()
    theirs.database.close()
    server.kill()


def between(world: World) -> tuple[int, int]:
    """How many mails the neighbour has sent us, and we them."""
    to_us = [raw for box in ("INBOX", "Archive", "Quarantine") for raw in world.mail.mails(CVD, box)]
    to_them = [raw for box in ("INBOX", "Archive", "Quarantine") for raw in world.mail.mails(NEIGHBOUR, box)]
    return (
        sum(NEIGHBOUR in str(message_from_bytes(raw)["From"]) for raw in to_us),
        sum(CVD in str(message_from_bytes(raw)["From"]) for raw in to_them),
    )


def test_two_desks_fall_silent_after_the_first_exchange(
    desks: tuple[World, Callable[[], list[int]]],
) -> None:
    world, work = desks
    first = EmailMessage()
    first["From"], first["To"], first["Subject"] = CVD, NEIGHBOUR, "A leak at yours"
    first["Message-ID"] = "<by-hand@voorbeeld.example>"
    first.set_content("At https://www.buurt.example/ the parameter q is reflected.\n")
    world.mail.deliver(first.as_bytes(), to=NEIGHBOUR, at=world.present())

    mailed = work()

    assert between(world) == (1, 1)  # their receipt, and the mail that began it
    assert len(mailed) == 1
    assert verdicts(world) == [Verdict.AUTOMATIC]
    assert world.tickets() == []
    [receipt] = world.mail.mails(CVD, "Archive")
    assert message_from_bytes(receipt)["Auto-Submitted"] == "auto-replied"
    assert message_from_bytes(receipt)["In-Reply-To"] == first["Message-ID"]


def test_a_desk_that_is_an_owner_of_another_is_no_machine_that_goes_round(
    desks: tuple[World, Callable[[], list[int]]],
) -> None:
    world, work = desks
    with world.place.database.unit_of_work() as session:
        at_theirs = update(Owner).where(Owner.address == WEB_TEAM)
        session.execute(at_theirs.values(address=NEIGHBOUR, fingerprint=""))
    world.arrives(world.reports())

    work()
    assert between(world) == (0, 1)  # what a machine sends is a ticket there, and is not answered

    answers(world, FIRST)
    work()
    assert between(world) == (0, 1)
    assert world.tickets() == [FIRST]

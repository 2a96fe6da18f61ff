"""A desk whose people answer by mail: real keys, a real mail server and a database, without Prefect."""

import os
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from meldbalie.flows import deliver as delivering
from meldbalie.flows.filing import file_entry
from meldbalie.flows.operator.demo_files import (
    HANDLER,
    PLAIN_REPORTER,
    Person,
    make_people,
)
from meldbalie.mailbox.keyring import Keyring
from meldbalie.mailbox.letter import Letter
from meldbalie.mailbox.opening import Opened, open_letter
from meldbalie.models import ledger
from meldbalie.models.ladder import climb, due_clocks
from meldbalie.models.outbox import Mail, MailKind, Thread
from meldbalie.models.people import Correspondent
from meldbalie.models.ticket import Direction, Event, Message, Ticket, ticket_called
from meldbalie.settings import CONFIG_VARIABLE, settings
from meldbalie.tests.cast import gpg
from meldbalie.tests.flows.world import Present, World, make_world, post_office
from meldbalie.tests.prefect_server import PrefectServer
from sqlalchemy import select

#: Who works on tickets; nothing of it may reach a reporter.
HANNA, BAS, LEAD = "Hanna Verhoeven", "Bas Tuinman", "Femke Oosterhout"
PHONE = "030-123 45 67"


def signature_under(name: str, address: str) -> str:
    """What a mail program puts under a mail."""
    return f"\n-- \n{name}\nAdviseur informatiebeveiliging\nT {PHONE}\n{address}\n"


@dataclass
class Office:
    """An installation, and the people who answer what it sends them."""

    world: World
    second: Person
    reference: str = ""
    numbers: Any = field(default_factory=count)
    fix_on: date = field(init=False)
    """A day by which something is fixed: the same in a whole test, however much time passes in it."""
    _opened: dict[bytes, Opened] = field(default_factory=dict[bytes, Opened])

    def __post_init__(self) -> None:
        self.fix_on = (self.world.present() + timedelta(days=20)).date()

    @property
    def hanna(self) -> Person:
        """A handler."""
        return self.world.people.handler

    @property
    def owner(self) -> Person:
        """The owner of what is reported."""
        return self.world.people.web_team

    def arrives(self, raw: bytes) -> None:
        """A message reaches the mailbox, and is filed."""
        place, number = self.world.place, next(self.numbers) + 1
        self.world.present.passes(minutes=2)
        now = place.clock()
        with place.database.unit_of_work() as session:
            entry = ledger.enter(
                session,
                ledger.Place("INBOX", 1),
                number,
                raw,
                message_id=Letter.read(raw).message_id,
                arrived_at=now,
                now=now,
            )
            session.flush()
            entry_id = entry.id
        file_entry(place, entry_id)

    def delivers(self) -> None:
        """What waits leaves."""
        while (number := delivering._claim(self.world.place)) is not None:
            delivering.send(self.world.place, number)

    def is_reported(self) -> str:
        """A report comes in, and everybody hears of it; gives its number, which is now the ticket."""
        self.arrives(self.world.reports(REPORT))
        self.delivers()
        self.reference = self.world.tickets()[-1]
        return self.reference

    def token(self, party: str = "staff") -> str:
        """The address that a party answers to."""
        with self.world.place.database.reading() as session:
            ticket = ticket_called(session, self.reference)
            theirs = select(Thread.token).where(Thread.ticket_id == ticket.id, Thread.party == party)
            token = session.scalars(theirs.order_by(Thread.id)).first()
        local, _, domain = self.world.people.desk.address.partition("@")
        return f"{local}+{token}@{domain}"

    def signs(self, who: Person, entity: bytes, *, seals: bool = True) -> bytes:
        """An entity signed with somebody's key at this moment, and sealed to the desk."""
        seal = ("--recipient", self.world.people.desk.fingerprint, "--encrypt") if seals else ()
        return gpg(
            who.home,
            *("--armor", "--local-user", who.fingerprint, "--sign", *seal),
            feed=entity,
            at=self.world.present(),
        )

    def mail(
        self,
        who: Person,
        armour: bytes,
        *,
        to: str | None = None,
        name: str = HANNA,
        headers: str = "",
    ) -> bytes:
        """A PGP/MIME mail around armour."""
        return (
            f"From: {name} <{who.address}>\r\nTo: {to or self.token()}\r\nSubject: ...\r\n"
            f"Message-ID: <{next(self.numbers)}@desk.example>\r\nMIME-Version: 1.0\r\n{headers}"
            'Content-Type: multipart/encrypted; protocol="application/pgp-encrypted"; boundary=zegel\r\n\r\n'
            "--zegel\r\nContent-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n"
            "--zegel\r\nContent-Type: application/octet-stream\r\n\r\n"
        ).encode() + armour.replace(b"\n", b"\r\n") + b"\r\n--zegel--\r\n"  # fmt: skip

    def writes(self, who: Person, text: str, *, kind: str = "plain", inside: str = "", **more: Any) -> bytes:
        """A reply as a mail program makes it: a text, signed and sealed."""
        entity = f"Content-Type: text/{kind}; charset=utf-8\r\n{inside}\r\n".encode()
        return self.mail(who, self.signs(who, entity + text.encode().replace(b"\n", b"\r\n")), **more)

    def hands_in(self, text: str, who: Person | None = None, **more: Any) -> Opened:
        """A reply of a handler comes in; gives what its sender hears of it."""
        who = who or self.hanna
        if who is self.owner and "to" not in more:
            more["to"] = self.token("owner")
        self.arrives(self.writes(who, text, **more))
        return self.hears(who)

    def hears(self, who: Person) -> Opened:
        """The last mail by which somebody is told what became of theirs."""
        replies = self.read_by(who, "What your mail did")
        assert replies, "nobody was told"
        return max(replies, key=lambda mail: int(mail.letter.message_id.split(".")[1]))

    def read_by(self, who: Person, subject: str = "") -> list[Opened]:
        """What somebody got about the ticket."""
        self.delivers()
        with Keyring(who.home) as keyring:
            for raw in self.world.mail.mails(who.address):
                if raw not in self._opened:
                    self._opened[raw] = open_letter(raw, keyring)
        theirs = [self._opened[raw] for raw in self.world.mail.mails(who.address)]
        return [mail for mail in theirs if self.reference in mail.subject and subject in mail.subject]

    def outbox(self, *kinds: MailKind) -> list[Mail]:
        """The mails of some kinds about the ticket."""
        with self.world.place.database.reading() as session:
            found = session.scalars(select(Mail).where(Mail.kind.in_(kinds)).order_by(Mail.id))
            return [mail for mail in found if mail.ticket and mail.ticket.reference == self.reference]

    def history(self) -> list[Event]:
        """What happened to the ticket."""
        with self.world.place.database.reading() as session:
            return list(ticket_called(session, self.reference).history)

    def ticket(self) -> Ticket:
        """The ticket as it is now."""
        with self.world.place.database.reading() as session:
            return ticket_called(session, self.reference)

    def said(self) -> list[str]:
        """What stands on the ticket as said to its reporter."""
        with self.world.place.database.reading() as session:
            messages = ticket_called(session, self.reference).messages
            return [one.text for one in messages if one.direction is Direction.TO_REPORTER]

    def deadline_is_told(self) -> None:
        """Eight days go by, whoever is to hear of a deadline is written to, and it is today again."""
        place = self.world.place
        self.world.present.passes(days=8)
        with place.database.unit_of_work() as session:
            for number in due_clocks(session, place.clock()):
                climb(session, number, place.promise, now=place.clock())
        self.world.present.passes(days=-8)

    def reminder(self, address: str) -> str:
        """The header by which somebody at this address answers the mail of a deadline."""
        self.deadline_is_told()
        (mail, *_) = [mail for mail in self.outbox(MailKind.RUNG) if mail.recipient == address]
        local, _, domain = self.token(mail.party).partition("@")
        return f"In-Reply-To: <{self.reference}.{mail.id}.{local.partition('+')[2]}@{domain}>\r\n"

    def seals(self, person: Person, entity: bytes) -> bytes:
        """Something sealed to the desk by somebody, and not signed."""
        desk = self.world.people.desk.fingerprint
        return gpg(person.home, "--armor", "--recipient", desk, "--encrypt", feed=entity)

    def last_message(self) -> Message:
        """The message that was filed last."""
        with self.world.place.database.reading() as session:
            return session.scalars(
                select(Message).where(Message.ledger_id.is_not(None)).order_by(Message.id.desc()).limit(1)
            ).one()

    def to_reporter(self) -> list[str]:
        """Everything that the reporter got about the ticket, in the clear."""
        return [mail.text for mail in self.read_by(self.world.people.reporter)]


@pytest.fixture(scope="module")
def desk(home_of_all: Path) -> Generator[Office]:
    """One installation for all cases of a module, each of which has a ticket of its own."""
    with make_office(home_of_all) as office:
        yield office


@pytest.fixture
def office(desk: Office) -> Office:
    """The module's installation, with a new ticket."""
    desk.is_reported()
    return desk


def words(opened: Opened) -> str:
    """A mail as one line, wherever it was wrapped."""
    return " ".join(opened.text.split())


REPORT = """\
Hello,

At https://www.voorbeeld.example/zoeken the kanarie-parameter reflects what it is given.

Kind regards,
Sanne de Vries
06 12 34 56 78
"""


@contextmanager
def make_office(home: Path, database_url: str | None = None) -> Generator[Office]:
    """A fresh installation with two handlers and a lead; ``home`` has everybody's keys."""
    directory = Path(tempfile.mkdtemp(prefix="mbo"))
    shutil.copytree(home, directory, ignore=shutil.ignore_patterns("S.*"), dirs_exist_ok=True)
    directory.chmod(0o755)
    people = make_people(directory)
    second = _introduced(directory, people.desk, PLAIN_REPORTER)
    for person in (people.handler, people.web_team, people.network_team):
        _knows(person, people.desk)
    before = os.environ.get(CONFIG_VARIABLE)
    mail = post_office(directory)
    present = Present(datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=5))
    mail.start()
    try:
        nowhere = PrefectServer(4200, directory / "prefect", directory / "log")
        place = make_world(directory, people, mail, nowhere, present, database_url=database_url)
        triage = (
            Correspondent(HANNA, HANDLER, people.handler.fingerprint),
            Correspondent(BAS, second.address, second.fingerprint),
        )
        lead = Correspondent(LEAD, "femke@voorbeeld.example", "")
        place = replace(place, promise=replace(place.promise, triage=triage, lead=lead))
        yield Office(World(place, people, mail, present, directory / "meldbalie.toml"), second)
        place.keyring.stop()
        place.database.close()
    finally:
        mail.kill()
        if before is None:
            os.environ.pop(CONFIG_VARIABLE, None)
        settings.cache_clear()
        shutil.rmtree(directory, ignore_errors=True)


def _introduced(directory: Path, desk: Person, address: str) -> Person:
    """A second handler, whose key the desk knows."""
    home = directory / "keys" / "second"
    with Keyring(home) as keyring:
        own = keyring.own_keys()
        person = Person(BAS, address, home, own[0].fingerprint if own else keyring.make_key(BAS, address))
    _knows(desk, person)
    _knows(person, desk)
    return person


def _knows(one: Person, other: Person) -> None:
    with Keyring(other.home) as theirs:
        public = theirs.export_public(other.fingerprint)
    with Keyring(one.home) as keyring:
        if keyring.facts(other.fingerprint) is None:
            keyring.import_public(public)

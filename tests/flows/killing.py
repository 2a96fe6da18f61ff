"""An installation whose intake is killed again and again, and what must be true each time afterwards.

See `dying` for the process that is killed, and `test_crashes` for where.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from meldbalie.flows.operator.demo_files import People, make_people
from meldbalie.models.ledger import LedgerEntry, Verdict
from meldbalie.models.outbox import Mail, MailKind
from meldbalie.models.session import Database
from meldbalie.models.threads import thread_token
from meldbalie.models.ticket import Message, Ticket
from meldbalie.settings import CONFIG_VARIABLE, settings
from meldbalie.tests.flows.world import NAME, SENTENCE, Present, World, make_world, post_office
from meldbalie.tests.packets import altered
from meldbalie.tests.prefect_server import PrefectServer
from sqlalchemy import select

SCENARIOS = ("plain", "sealed", "damaged", "reply", "copy")
Boundary = tuple[str, Any, int]  # file, line, and how often that line was reached; or a commit
SECONDS = 120.0
ENDLESS = str(2**31)


class Dying:
    """A process that takes in mail in children of its own; a context manager."""

    def __init__(self, configuration: Path, log: Path, scratch: Path) -> None:
        self.log = log
        self._arguments = [sys.executable, "-m", "meldbalie.tests.flows.dying", str(configuration)]
        self._environment = {**os.environ, "TMPDIR": str(scratch)}

    def __enter__(self) -> Self:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._arguments,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=self._environment,
                text=True,
            )
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait(SECONDS)
        self._process.stdout.close()

    def start(self, **order: Any) -> int:
        """Begin a round; gives the process that works it."""
        return self._ask(order)

    def wait(self, process: int) -> int:
        """How a round ended: 0, or minus the signal that killed it."""
        return self._ask({"wait": process})

    def round(self, **order: Any) -> int:
        """Work a round to its end, or to its death."""
        status = self.wait(self.start(**order))
        assert status in (0, -signal.SIGKILL), self.log.read_text(encoding="utf-8")[-3000:]
        return status

    def learn(self, **order: Any) -> None:
        """Work a round where it teaches all that come after it."""
        assert self._ask({"learn": True, **order}) == 0, self.log.read_text(encoding="utf-8")[-3000:]

    def _ask(self, order: dict[str, Any]) -> int:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, self.log.read_text(encoding="utf-8")[-3000:]
        return int(json.loads(answer))


@dataclass
class Poller:
    """The intake flow at work, without Prefect."""

    process: int
    room: Path
    dying: Dying

    heard: int = 0

    def says(self, words: str) -> bool:
        """Whether it has said this since it was heard to say it last."""
        said = self.dying.log.read_text(encoding="utf-8")
        found = said.find(words, self.heard)
        self.heard = max(self.heard, found + 1)
        return found >= 0

    def is_heard_from_now_on(self) -> None:
        """Forget what it said so far."""
        self.heard = len(self.dying.log.read_text(encoding="utf-8"))

    def give_room(self, pages: str = ENDLESS) -> None:
        """Let the database grow up to so many pages; the poller never reads half a number."""
        written = self.room.with_suffix(".new")
        written.write_text(pages)
        written.replace(self.room)

    def is_discreet(self) -> None:
        """What it said holds no word of a report, and nothing of who sent it."""
        said = self.dying.log.read_text(encoding="utf-8").lower()
        assert "traceback" not in said
        assert [word for word in (SENTENCE, NAME, "onderzoek.example") if word.lower() in said] == []


@dataclass
class Desk:
    """An installation, its mail server, everything that was sent to it, and the process that dies."""

    world: World
    dying: Dying
    sent: Counter[bytes] = field(default_factory=Counter)
    expected: Counter[str] = field(default_factory=Counter)
    token: str = ""

    @property
    def database(self) -> Database:
        """The database."""
        return self.world.place.database

    def arrives(self, *messages: tuple[bytes, Verdict]) -> None:
        """Put messages into the mailbox, each with what is to become of it."""
        for raw, verdict in messages:
            raw = raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
            verdict = Verdict.REPEATED if raw in self.sent else verdict
            self.world.arrives(raw)
            self.sent[raw] += 1
            self.expected[verdict] += 1

    def round(self, **order: Any) -> int:
        """Work a round now."""
        return self.dying.round(now=self.world.present().isoformat(), **order)

    def boundaries(self) -> list[Boundary]:
        """Work a round unharmed and give the boundaries that it passed."""
        file = self.world.config_file.with_name("passed.json")
        self.settle(passed=str(file))
        return [(name, place, times) for name, place, times in json.loads(file.read_text())]

    def killed_at(self, boundary: Boundary) -> bool:
        """Kill a round there; ``False`` when it did not come there this time."""
        return self.round(end=boundary) == -signal.SIGKILL

    def dies(self, scenario: str, boundary: Boundary) -> bool:
        """Let a message arrive and the round that takes it in die there; then see that nothing came of it."""
        self.prepare(scenario)
        was_killed = self.killed_at(boundary)
        self.settle()
        return was_killed

    @contextmanager
    def poller(self) -> Generator["Poller"]:
        """A poller at work, killed in the end."""
        room = self.world.config_file.with_name("pages")
        room.write_text(ENDLESS)
        process = self.dying.start(now=self.world.present().isoformat(), pages=str(room))
        try:
            yield Poller(process, room, self.dying)
        finally:
            os.killpg(process, signal.SIGKILL)
            said = self.dying.log.read_text(encoding="utf-8")[-3000:]
            assert self.dying.wait(process) == -signal.SIGKILL, said

    def prepare(self, scenario: str) -> None:
        """Let arrive what a scenario begins with."""
        match scenario:
            case "plain":
                self.arrives(self.plain())
            case "sealed":
                self.forget_the_reporters_key()
                self.arrives(self.sealed())
            case "damaged":
                self.arrives(self.damaged())
            case "reply":
                self.arrives(self.reply())
            case "copy":
                report = self.plain()
                self.arrives(report, report)
            case _:
                raise ValueError(scenario)

    def settle(self, **order: Any) -> None:
        """Let the next round do what is left, and look whether all is as it must be."""
        self.world.present.passes(minutes=90)
        assert self.round(**order) == 0
        self.look()

    def look(self) -> None:
        """Nothing is lost, nothing is there twice, and nothing was altered."""
        inbox = self.world.mail.drop.inbox(self.world.people.desk.address)
        assert [*inbox.glob("new/*"), *inbox.glob("cur/*")] == []
        with self.database.reading() as session:
            verdicts = Counter(session.scalars(select(LedgerEntry.verdict)))
            assert verdicts == self.expected
            opened = verdicts[Verdict.OPENED_TICKET]
            assert len(session.scalars(select(Ticket.id)).all()) == opened
            assert len(session.scalars(select(Message.id)).all()) == opened + verdicts[Verdict.JOINED_TICKET]
            mails = Counter(session.execute(select(Mail.kind, Mail.ticket_id)).tuples().all())
        for kind in (MailKind.RECEIPT, MailKind.IBD_COPY, MailKind.HANDLER_REPORT):
            assert [times for (of, _), times in mails.items() if of is kind] == [1] * opened, kind
        told = sum(times for (kind, _), times in mails.items() if kind is MailKind.QUARANTINED)
        assert told == verdicts[Verdict.QUARANTINED]

    def is_done(self) -> bool:
        """Whether nothing waits any more."""
        left = select(LedgerEntry.id).where(LedgerEntry.put_away_at.is_(None))
        with self.database.reading() as session:
            entered = len(session.scalars(select(LedgerEntry.id)).all())
            return entered == self.sent.total() and not session.scalars(left).all()

    def look_at_every_byte(self) -> None:
        """Each message is in the ledger as it was sent, and in one of the two folders once."""
        address = self.world.people.desk.address
        put_away = Counter(
            raw for folder in ("Archive", "Quarantine") for raw in self.world.mail.mails(address, folder)
        )
        assert put_away == self.sent
        with self.database.reading() as session:
            assert Counter(session.scalars(select(LedgerEntry.raw))) == self.sent

    def forget_the_reporters_key(self) -> None:
        """Let the next report bring a key that is not known yet."""
        people = self.world.people
        command = ["gpg", "--homedir", str(people.desk.home), "--batch", "--yes", "--quiet"]
        subprocess.run(
            [*command, "--delete-keys", people.reporter.fingerprint], check=False, capture_output=True
        )

    def plain(self) -> tuple[bytes, Verdict]:
        """A report in the clear."""
        return self.world.reports(seals=False, key=False), Verdict.OPENED_TICKET

    def sealed(self) -> tuple[bytes, Verdict]:
        """A sealed and signed report that brings a key."""
        return self.world.reports(), Verdict.OPENED_TICKET

    def damaged(self) -> tuple[bytes, Verdict]:
        """A sealed report that was altered on its way."""
        report = self.world.reports(key=False)
        return altered(report, report.index(b"-----BEGIN PGP MESSAGE-----") + 400), Verdict.QUARANTINED

    def reply(self) -> tuple[bytes, Verdict]:
        """A message on the first ticket."""
        if not self.token:
            with self.database.unit_of_work() as session:
                first = session.scalars(select(Ticket).order_by(Ticket.id).limit(1)).one()
                self.token = thread_token(session, first, "reporter")
        local, _, domain = self.world.people.desk.address.partition("@")
        to = f"{local}+{self.token}@{domain}"
        return self.world.reports(recipient=to, seals=False, key=False), Verdict.JOINED_TICKET


@contextmanager
def make_desk(home: Path, database_url: str | None = None) -> Generator[Desk]:
    """A fresh installation with real parts but Prefect, on SQLite or on another database.

    ``home`` has everybody's keys and the application keys, which several desks then have in common.
    """
    directory = Path(tempfile.mkdtemp(prefix="mbc"))
    shutil.copytree(home, directory, ignore=shutil.ignore_patterns("S.*"), dirs_exist_ok=True)
    directory.chmod(0o755)
    people: People = make_people(directory)
    scratch = directory / "tmp"
    scratch.mkdir()
    before = os.environ.get(CONFIG_VARIABLE)
    mail = post_office(directory)
    present, nowhere = Present(), PrefectServer(4200, directory / "prefect", directory / "log")
    mail.start()
    try:
        place = make_world(directory, people, mail, nowhere, present, database_url=database_url)
        world = World(place, people, mail, present, directory / "meldbalie.toml")
        with Dying(world.config_file, directory / "dying.log", scratch) as dying:
            desk = Desk(world, dying)
            for scenario in ("plain", "sealed", "reply"):
                desk.prepare(scenario)
                present.passes(minutes=1)
                dying.learn(now=present().isoformat())
                desk.look()
            yield desk
        place.keyring.stop()
        place.database.close()
    finally:
        mail.kill()
        if before is None:
            os.environ.pop(CONFIG_VARIABLE, None)
        settings.cache_clear()
        shutil.rmtree(directory, ignore_errors=True)

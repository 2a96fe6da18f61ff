"""A whole installation for the tests: real keys, a real mail server, a database, and a reporter."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from meldbalie.flows.installation import Installation, install
from meldbalie.flows.operator.demo_files import (
    ADDRESSES,
    CVD,
    PASSWORD,
    People,
    Person,
    owner_directory,
    write_configuration,
)
from meldbalie.flows.operator.mailserver import LocalMailServer
from meldbalie.mailbox.compose import Draft, plain, sealed
from meldbalie.mailbox.keyring import Keyring
from meldbalie.mailbox.opening import Opened, open_letter
from meldbalie.models.migrate import migrate
from meldbalie.models.owner_import import import_owners
from meldbalie.models.pins import set_pin
from meldbalie.models.session import Database
from meldbalie.models.ticket import Ticket
from meldbalie.settings import Prefect, use
from meldbalie.tests.ports import free_port
from meldbalie.tests.prefect_server import PrefectServer
from sqlalchemy import select

START = datetime(2026, 11, 19, 13, 5, tzinfo=UTC)

#: How the handler proves who they are, where a test does not ask for links.
PIN = "58-ganzen"
#: Who the reporter is; no sink but the sealed mail to the reporter may hold any of it.
NAME = "Sanne de Vries"
PHONE = "06 12 34 56 78"
#: What the report says; it may lie nowhere in the clear.
SENTENCE = "the kanarie-parameter of the zoek-formulier reflects what it is given"

REPORT = f"""\
Hello,

At https://formulieren.voorbeeld.example/zoeken {SENTENCE}.

Kind regards,
{NAME}
{PHONE}
"""


class Present:
    """The present, which a test moves."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def passes(self, **time: float) -> None:
        """Let time go by."""
        self.now += timedelta(**time)


@dataclass
class World:
    """An installation and everybody who writes to it."""

    place: Installation
    people: People
    mail: LocalMailServer
    present: Present
    config_file: Path
    _numbers: Any = field(default_factory=count)

    def reports(
        self, text: str = REPORT, *, seals: bool = True, key: bool = True, subject: str = "XSS", **more: Any
    ) -> bytes:
        """A report as the reporter's mail program makes it."""
        reporter = self.people.reporter
        with Keyring(reporter.home) as keyring:
            public = ("key.asc", "application/pgp-keys", keyring.export_public(reporter.fingerprint))
            draft = Draft(
                sender_name=reporter.name,
                sender=reporter.address,
                recipient=more.pop("recipient", CVD),
                subject=subject,
                body=text,
                attachments=(public,) if key else (),
                message_id=f"<{next(self._numbers)}@onderzoek.example>",
                date=self.present(),
                **more,
            )
            if not seals:
                return plain(draft)
            desk = self.people.desk.fingerprint
            return sealed(
                draft, outer_subject="...", keyring=keyring, to=desk, signed_by=reporter.fingerprint
            )

    def arrives(self, message: bytes) -> None:
        """Put a message into the intake mailbox."""
        self.mail.deliver(message, to=CVD, at=self.present())

    def read_by(self, person: Person) -> list[Opened]:
        """A person's mail, opened with that person's key."""
        with Keyring(person.home) as keyring:
            return [open_letter(raw, keyring) for raw in self.mail.mails(person.address)]

    def tickets(self) -> list[str]:
        """The numbers of all tickets."""
        with self.place.database.reading() as session:
            return list(session.scalars(select(Ticket.reference).order_by(Ticket.id)))


@cache
def empty_database() -> bytes:
    """A SQLite database with every table; to migrate takes longer than to copy."""
    with TemporaryDirectory() as directory:
        file = Path(directory, "meldbalie.db")
        made = Database(f"sqlite:///{file}")
        migrate(made)
        made.empty_log()
        made.close()
        return file.read_bytes()


def post_office(directory: Path, **options: Any) -> LocalMailServer:
    """A mail server for everybody, on ports that nobody comes by while it starts, or starts again."""
    return LocalMailServer(
        directory / "mailserver",
        addresses=ADDRESSES,
        password=PASSWORD,
        imap_port=free_port(),
        smtp_port=free_port(),
        **options,
    )


def make_world(
    directory: Path,
    people: People,
    mail: LocalMailServer,
    prefect: PrefectServer,
    present: Callable[[], datetime],
    *,
    database_url: str | None = None,
) -> Installation:
    """Configure and open an installation in a directory, on SQLite unless told otherwise."""
    file = write_configuration(directory, people, imap_port=mail.imap_port, smtp_port=mail.smtp_port)
    written = file.read_text().replace(
        f'[prefect]\nhome = "{directory / "prefect"}"',
        f'[prefect]\napi_url = "{prefect.api_url}"\nhome = "{prefect.home}"',
    )
    if database_url:
        written = written.replace(f"sqlite:///{directory / 'meldbalie.db'}", database_url)
    file.write_text(f'{written}\n[desk]\nsecond_factor = "pin"\n')
    config = use(file)
    assert config.prefect == Prefect(api_url=prefect.api_url, home=prefect.home)
    if database_url is None:
        (directory / "meldbalie.db").write_bytes(empty_database())
    place = install(config, clock=present)
    if database_url is not None:
        migrate(place.database)
    with place.database.unit_of_work() as session:
        import_owners(session, owner_directory(people), on=place.promise.local_day(place.clock()))
        set_pin(session, place.promise.triage[0].name, PIN, now=place.clock())
    return place

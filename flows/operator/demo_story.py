"""The demonstration's story: two people report, and what becomes of it is told and checked."""

import re
import time
import urllib.request
from collections.abc import Callable
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from ...mailbox import smtp
from ...mailbox.compose import Attachment, Draft, plain, sealed
from ...mailbox.keyring import Keyring
from ...mailbox.opening import open_letter
from ...mailbox.smtp import SmtpServer
from ...mailbox.wording import in_words
from ...models.desk import DeskRun
from ...models.ledger import LedgerEntry
from ...models.outbox import Mail, MailKind, MailState
from ...models.ticket import Ticket
from ..desk import response_clock
from ..installation import Installation
from ..saved_links import runs
from .demo_files import CVD, PLAIN_REPORTER, People, Person
from .mailserver import LocalMailServer

PATIENCE_SECONDS = 180.0
LOOK_AGAIN_SECONDS = 0.5
LINK = re.compile(r"https?://\S+/s/[A-Za-z0-9_-]+")

SEALED_REPORT = """\
Hello,

The search form at https://formulieren.voorbeeld.example/zoeken?q= reflects its
parameter without escaping. Proof:

    https://formulieren.voorbeeld.example/zoeken?q=<script>alert(document.domain)</script>

Anybody who follows such a link runs code of an attacker in the session of a citizen.

Kind regards,
Sanne de Vries
"""

PLAIN_REPORT = """\
Goedemiddag,

Op 203.0.113.17 staat poort 9200 open, zonder wachtwoord. Ik heb niets gedownload.

Met vriendelijke groet,
Karel
"""


class DemoFailed(Exception):
    """Something that should have happened did not; the message says what, and where to look."""


class Story:
    """Acts as two reporters, and follows what becomes of what they sent."""

    def __init__(
        self,
        place: Installation,
        people: People,
        mail: LocalMailServer,
        say: Callable[[str], None],
        *,
        stopping: Callable[[], bool],
    ) -> None:
        """Take the installation to report to, the people, and where their mail arrives."""
        self._place = place
        self._people = people
        self._mail = mail
        self._say = say
        self._stopping = stopping
        self._until = time.monotonic() + PATIENCE_SECONDS

    def tell(self) -> None:
        """Report twice, follow both to the end, and check; raises :class:`DemoFailed`."""
        reporter = self._people.reporter
        sealed_id = self._send(
            *self._sealed_report(), reporter.address, "a report, signed and sealed with GnuPG"
        )
        plain_id = self._send(*self._plain_report(), PLAIN_REPORTER, "a report as plain mail")
        first, second = self._follow([sealed_id, plain_id])
        self._check_link(first, reporter)
        self._check_link(second, None)
        self._say_where_to_look()

    def _sealed_report(self) -> tuple[str, bytes]:
        reporter = self._people.reporter
        with Keyring(reporter.home) as keyring:
            public = keyring.export_public(reporter.fingerprint)
            own_key = ("sanne.asc", "application/pgp-keys", public)
            draft = self._draft(
                reporter.address, reporter.name, "XSS in the search form", SEALED_REPORT, own_key
            )
            return draft.message_id, sealed(
                draft,
                outer_subject="...",
                keyring=keyring,
                to=self._people.desk.fingerprint,
                signed_by=reporter.fingerprint,
            )

    def _plain_report(self) -> tuple[str, bytes]:
        draft = self._draft(PLAIN_REPORTER, "Karel", "Open poort", PLAIN_REPORT)
        return draft.message_id, plain(draft)

    def _draft(self, sender: str, name: str, subject: str, body: str, *files: Attachment) -> Draft:
        now = self._place.clock()
        return Draft(
            sender_name=name,
            sender=sender,
            recipient=CVD,
            subject=subject,
            body=body,
            attachments=files,
            message_id=f"<{now.timestamp():.6f}.{sender}>",
            date=now,
        )

    def _send(self, message_id: str, message: bytes, sender: str, what: str) -> str:
        server = SmtpServer(host=self._mail.host, port=self._mail.smtp_port, security="none")
        smtp.send(message, sender=sender, recipient=CVD, via=server)
        self._say(f"a reporter mailed {what} to {CVD}")
        return message_id

    def _follow(self, message_ids: list[str]) -> list[str]:
        """Tell the events of the reports' tickets as they happen, until all their mails have left."""
        told: dict[str, int] = {}
        while True:
            with self._place.database.reading() as session:
                tickets = _tickets_of(session, message_ids)
                for ticket in tickets:
                    self._tell_news(ticket, told)
                if len(tickets) == len(message_ids) and all(_is_settled(session, t) for t in tickets):
                    return [ticket.reference for ticket in tickets]
            self._look_again(f"{len(tickets)} of {len(message_ids)} reports became tickets")

    def _tell_news(self, ticket: Ticket, told: dict[str, int]) -> None:
        for entry in ticket.history[told.get(ticket.reference, 0) :]:
            line = self._line(ticket, entry.kind, entry.facts)
            if line:
                self._say(f"{ticket.reference}: {line}")
        told[ticket.reference] = len(ticket.history)

    def _line(self, ticket: Ticket, kind: str, facts: dict[str, object]) -> str:
        due_at = response_clock(ticket).due_at
        match kind, facts.get("mail"):
            case "opened", _:
                return f"report received; an answer is due {self._in_words(due_at)}"
            case "routed", _:
                return f"owner: {facts['owner']}"
            case "delivered", MailKind.RECEIPT:
                return f"receipt sent to the reporter, {'sealed' if facts['sealed'] else 'without content'}"
            case "delivered", MailKind.IBD_COPY:
                return "copy sent to the IBD, sealed, without the reporter's identity"
            case "delivered", MailKind.OWNER_REPORT:
                return "report sent to the owner, sealed"
            case "undelivered", mail:
                raise DemoFailed(f"{ticket.reference}: {mail} was not delivered ({facts['problem']})")
            case _:
                return ""

    def _in_words(self, instant: datetime) -> str:
        return in_words(instant, self._place.config.organisation.zone, "en")

    def _check_link(self, reference: str, reader: Person | None) -> None:
        address = reader.address if reader else PLAIN_REPORTER
        link = self._link_in_receipt(address, reference, reader)
        with urllib.request.urlopen(link, timeout=10) as page:  # noqa: S310 - our own loopback page
            shown = page.read().decode()
        if reference not in shown:
            raise DemoFailed(f"{reference}: the status page does not show it")
        self._say(f"{reference}: secret link {link}")

    def _link_in_receipt(self, address: str, reference: str, reader: Person | None) -> str:
        while True:
            for raw in reversed(self._mail.mails(address)):
                text = _read(raw, reader)
                if reference in text and (found := LINK.search(text)):
                    return found.group()
            self._look_again(f"no receipt for {reference} in the mailbox of its reporter")

    def _look_again(self, so_far: str) -> None:
        if self._stopping():
            raise DemoFailed(f"stopped before the end of the story: {so_far}")
        if time.monotonic() > self._until:
            logs = self._place.config.logs.directory
            raise DemoFailed(f"after {PATIENCE_SECONDS:.0f} s: {so_far}; the logs in {logs} may say why")
        time.sleep(LOOK_AGAIN_SECONDS)

    def _say_where_to_look(self) -> None:
        handler, root = self._people.handler, self._mail.drop.root
        newest = max((root / handler.address).glob("Maildir/*/*"), key=lambda file: file.stat().st_mtime)
        self._say(f"Prefect UI, the handlers' desk: {runs(self._place)}")
        self._say(f"mails, as they were sent: {root}, a folder for each address")
        self._say("the newest of the handler's, opened with the handler's key:")
        self._say(f"  .venv/bin/meldbalie inspect --gnupghome {handler.home} {newest}")


def _tickets_of(session: Session, message_ids: list[str]) -> list[Ticket]:
    """The tickets that these messages opened, in their order."""
    opened = session.execute(
        select(LedgerEntry.message_id, Ticket).join(Ticket, Ticket.id == LedgerEntry.ticket_id)
    )
    tickets = dict(opened.tuples().all())
    return [tickets[message_id] for message_id in message_ids if message_id in tickets]


def _is_settled(session: Session, ticket: Ticket) -> bool:
    """Whether all its mails have left and the handlers' run of it is made."""
    states = session.scalars(select(Mail.state).where(Mail.ticket_id == ticket.id))
    return all(state is MailState.SENT for state in states) and session.get(DeskRun, ticket.id) is not None


def _read(raw: bytes, reader: Person | None) -> str:
    if reader is None:
        with Keyring.throwaway() as keyring:
            return open_letter(raw, keyring).text
    with Keyring(reader.home) as keyring:
        return open_letter(raw, keyring).text

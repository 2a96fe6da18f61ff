"""One installation with its own SQLite file, real rows full of canaries, and a clock that a test sets."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from cryptography.fernet import Fernet
from meldbalie.models.clocks import Clock, ClockKind
from meldbalie.models.leases import Lease
from meldbalie.models.links import SecretLink, make_link, token_hash
from meldbalie.models.outbox import Mail, MailKind, MailState
from meldbalie.models.owners import Owner
from meldbalie.models.session import Database
from meldbalie.models.states import CloseReason, TicketState
from meldbalie.models.tables import Base
from meldbalie.models.ticket import Attachment, Direction, Message, Reporter, Target, Ticket, WaitingOn
from meldbalie.models.vault import vault
from meldbalie.settings import Settings
from meldbalie.webhooks.app import create_app
from meldbalie.webhooks.site import Site
from sqlalchemy import select, update

ARRIVAL = datetime(2026, 11, 16, 9, 12, tzinfo=UTC)
DUE = ARRIVAL + timedelta(days=5)

#: What a report holds that no page may show.
CANARIES = {
    "report": "CANARY-REPORT the password field takes ' OR 1=1",
    "subject": "CANARY-SUBJECT injection in the parking permits",
    "file": "CANARY-FILE-screenshot-of-jan.png",
    "name": "CANARY-NAME Jan de Vinder",
    "address": "canary-address@vinder.example",
    "fingerprint": "CA9A21FACE" * 4,
    "owner": "CANARY-OWNER Team Parkeren",
    "owner_address": "canary-owner@voorbeeld.example",
    "note": "CANARY-NOTE we think that this is Jan",
    "follow_up": "CANARY-FOLLOW-UP it works on the test server too",
    "target": "canary-target.voorbeeld.example",
    "route": "CANARY-ROUTE under suffix parkeren",
    "handler": "canary-handler",
}


@dataclass
class Installation:
    """The settings, the database, and the present."""

    config: Settings
    database: Database
    now: datetime = ARRIVAL + timedelta(hours=3)
    numbers: Iterator[int] = field(default_factory=lambda: iter(range(42, 10_000)))

    def clock(self) -> datetime:
        """The present, as the app is told it."""
        return self.now

    def report(
        self,
        *moves: tuple[TicketState, datetime] | tuple[TicketState, datetime, str],
        due_at: datetime | None = DUE,
        answered_at: datetime | None = None,
        no_date_because: str = "",
        fix_on: date | None = None,
        close_reason: CloseReason | None = None,
        waiting_on: WaitingOn = WaitingOn.HANDLER,
        shared_at: datetime | None = None,
        shares_identity: bool = False,
        credit: str = "unasked",
        ours: tuple[tuple[datetime, str], ...] = (),
        theirs: tuple[datetime, ...] = (),
    ) -> str:
        """File a report that is full of canaries, let things happen to it, and give the token of its link."""
        with self.database.unit_of_work() as session:
            ticket = canary_ticket(next(self.numbers), credit=credit, shares_identity=shares_identity)
            session.add(ticket)
            ticket.record("note", by=CANARIES["handler"], at=ARRIVAL, because=CANARIES["note"])
            for state, at, *because in moves:
                ticket.move_to(state, by=CANARIES["handler"], at=at, because="".join(because))
            if answered_at:
                ticket.record("answered", by=CANARIES["handler"], at=answered_at, because=no_date_because)
            ticket.expected_fix_on, ticket.close_reason, ticket.waiting_on = fix_on, close_reason, waiting_on
            ticket.messages += [
                Message(at=at, direction=Direction.TO_REPORTER, text=text) for at, text in ours
            ] + [
                Message(at=at, direction=Direction.FROM_REPORTER, text=CANARIES["follow_up"]) for at in theirs
            ]
            if due_at:
                session.add(_response_clock(ticket, due_at, answered_at))
            session.add(_ibd_copy(ticket, shared_at))
            return make_link(session, ticket, at=ARRIVAL)

    def propose(
        self,
        at: datetime,
        *,
        ends_at: datetime | None = None,
        publish_on: date | None = None,
        because: str = "",
    ) -> None:
        """Propose silence until then, to take it back, or a day to publish on, on the one ticket."""
        with self.database.unit_of_work() as session:
            ticket = session.scalars(select(Ticket)).one()
            who = {"by": CANARIES["handler"], "at": at, "because": because}
            if publish_on:
                ticket.record("publication_proposed", **who, on=publish_on.isoformat())
                return
            was, ticket.embargo_ends_at = ticket.embargo_ends_at, ends_at
            facts = {"ends_at": ends_at.isoformat() if ends_at else "", "was": was.isoformat() if was else ""}
            ticket.record("embargo_proposed", **who, **facts)

    def revoke(self, token: str) -> None:
        """Withdraw a link."""
        with self.database.unit_of_work() as session:
            session.execute(
                update(SecretLink)
                .where(SecretLink.token_hash == token_hash(token))
                .values(revoked_at=self.now)
            )

    def lease(self, name: str, expires_at: datetime) -> None:
        """Let a flow hold its lease until an instant."""
        with self.database.unit_of_work() as session:
            session.merge(Lease(name=name, holder="somebody", expires_at=expires_at, worked_until=expires_at))


def canary_ticket(number: int, *, credit: str, shares_identity: bool) -> Ticket:
    return Ticket(
        reference=f"CVD-2026-{number:04}",
        state=TicketState.RECEIVED,
        arrived_at=ARRIVAL,
        opened_at=ARRIVAL,
        routed_because=CANARIES["route"],
        owner=Owner(name=f"{CANARIES['owner']} {number}", address=CANARIES["owner_address"]),
        targets=[Target(value=CANARIES["target"])],
        reporter=Reporter(
            name=CANARIES["name"],
            address=CANARIES["address"],
            fingerprint=CANARIES["fingerprint"],
            credit=credit,
            shares_identity=shares_identity,
        ),
        messages=[
            Message(
                at=ARRIVAL,
                direction=Direction.FROM_REPORTER,
                subject=CANARIES["subject"],
                text=CANARIES["report"],
                attachments=[
                    Attachment(
                        name=CANARIES["file"], type="image/png", size=3, sha256="0" * 64, content=b"png"
                    )
                ],
            ),
            Message(at=ARRIVAL, direction=Direction.INTERNAL, text=CANARIES["note"]),
            Message(at=ARRIVAL, direction=Direction.FROM_OWNER, text=CANARIES["note"]),
        ],
    )


def _response_clock(ticket: Ticket, due_at: datetime, answered_at: datetime | None) -> Clock:
    return Clock(
        ticket=ticket,
        kind=ClockKind.RESPONSE,
        started_at=ARRIVAL,
        due_at=due_at,
        stopped_at=answered_at,
        next_rung_at=None if answered_at else due_at,
    )


def _ibd_copy(ticket: Ticket, shared_at: datetime | None) -> Mail:
    return Mail(
        once=f"ibd/{ticket.reference}",
        kind=MailKind.IBD_COPY,
        ticket=ticket,
        party="ibd",
        recipient="ibd@voorbeeld.example",
        state=MailState.SENT if shared_at else MailState.WAITING,
        created_at=ARRIVAL,
        next_try_at=ARRIVAL,
        sent_at=shared_at,
    )


def install(folder: Path, **sections: object) -> Installation:
    """An empty installation in a folder."""
    keys = folder / "application.keys"
    keys.write_bytes(Fernet.generate_key())
    given = {
        "organisation": {"name": "Gemeente Voorbeeld"},
        "database": {"url": f"sqlite:///{folder}/meldbalie.db", "application_keys_file": str(keys)},
        "web": {"rate_limit": "100000 per minute"},
    }
    config = Settings.model_validate(given | sections)
    database = Database(config.database.url)
    Base.metadata.create_all(database.engine)
    vault.unlock(keys.read_text().split())
    return Installation(config, database)


def closed_app(installation: Installation) -> Iterator[Site]:
    """The app of an installation, whose connections are let go of afterwards."""
    app = create_app(installation.config, clock=installation.clock)
    yield app
    with app.app_context():
        app.extensions["sqlalchemy"].engine.dispose()

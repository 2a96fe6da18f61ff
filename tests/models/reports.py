"""Reports and people for the tests of what happens to a ticket."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any

from meldbalie.models.calendar import Calendar, Duration
from meldbalie.models.clocks import Clock, ClockKind
from meldbalie.models.filing import Received, ReceivedFile, open_ticket
from meldbalie.models.outbox import Mail, MailKind
from meldbalie.models.owners import Asset, AssetKind, Owner
from meldbalie.models.promise import Correspondent, Promise, RungPlan
from meldbalie.models.session import Database
from meldbalie.models.ticket import Ticket, first_broken_link, ticket_called
from sqlalchemy import select
from sqlalchemy.orm import Session

ARRIVED = datetime(2026, 11, 19, 13, 5, tzinfo=UTC)
DUE = datetime(2026, 11, 24, 13, 5, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)

FATIMA = Correspondent("Fatima", "fatima@voorbeeld.example", "A" * 40)
JEROEN = Correspondent("Jeroen", "jeroen@voorbeeld.example")
LEAD = Correspondent("Team lead", "lead@voorbeeld.example")
ON_CALL = Correspondent("On call", "piket@voorbeeld.example")
CISO = Correspondent("CISO", "ciso@voorbeeld.example")
IBD = Correspondent("IBD", "cert@ibd.example", "B" * 40)
WEB_TEAM = "web@voorbeeld.example"

NAME, ADDRESS = "Sanne de Vries", "sanne@onderzoek.example"
SENTENCE = "the kanarie-parameter of the search form reflects what it is given"

PROMISE = Promise(
    response=Duration.parse("5d"),
    share=HOUR,
    calendar=Calendar.from_mapping({"zone": "Europe/Amsterdam"}),
    ladder=(
        RungPlan(0.5, ("owner",)),
        RungPlan(0.8, ("lead", "on_call")),
        RungPlan(1.0, ("ciso",)),
    ),
    triage=(FATIMA, JEROEN),
    ibd=IBD,
    lead=LEAD,
    on_call=ON_CALL,
    ciso=CISO,
)

REPORT = Received(
    arrived_at=ARRIVED,
    subject="XSS in the search form",
    text=f"At https://formulieren.voorbeeld.example/zoeken {SENTENCE}.",
    files=(ReceivedFile(name="proof.png", type="image/png", content=b"\x89PNG", sha256="0" * 64),),
    targets=("formulieren.voorbeeld.example",),
    name=NAME,
    address=ADDRESS,
    fingerprint="C" * 40,
    was_encrypted=True,
    signature="good",
)
ANONYMOUS = replace(REPORT, name=None, address=None, fingerprint=None)


def reported(
    database: Database,
    received: Received = REPORT,
    promise: Promise = PROMISE,
    *,
    now: datetime = ARRIVED + timedelta(minutes=1),
    owner: str | None = WEB_TEAM,
) -> str:
    """Open a ticket for a report, whose target belongs to the web team, and give its number."""
    with database.unit_of_work() as session:
        if owner and session.scalars(select(Owner)).first() is None:
            add_owner(session, "Web team", owner, "formulieren.voorbeeld.example")
        return open_ticket(session, received, promise, now=now).reference


def add_owner(session: Session, name: str, address: str, *hosts: str) -> Owner:
    """Add an owner and the hosts that they answer for."""
    owner = Owner(name=name, address=address)
    owner.assets = [Asset(kind=AssetKind.HOST, value=host) for host in hosts]
    session.add(owner)
    session.flush()
    return owner


def mails(session: Session, *kinds: MailKind) -> list[Mail]:
    """The mails of the outbox, of these kinds or of all, in the order in which they were written."""
    found = session.scalars(select(Mail).order_by(Mail.id))
    return [mail for mail in found if not kinds or mail.kind in kinds]


def clock_of(session: Session, reference: str, kind: ClockKind = ClockKind.RESPONSE) -> Clock:
    """A ticket's clock."""
    ticket = ticket_called(session, reference)
    found = select(Clock).where(Clock.ticket_id == ticket.id, Clock.kind == kind)
    return session.scalars(found).one()


def told(ticket: Ticket) -> list[str]:
    """What the history tells, one word an event; the chain must hold."""
    assert first_broken_link(ticket) is None
    return [entry.kind for entry in ticket.history]


def everything_about(database: Database, reference: str) -> Any:
    """All that an act may change, for seeing that it changed nothing."""
    with database.reading() as session:
        ticket = ticket_called(session, reference)
        columns = {name: getattr(ticket, name) for name in Ticket.__mapper__.columns.keys()}  # noqa: SIM118
        clocks = [(clock.kind, clock.stopped_at, clock.next_rung_at) for clock in ticket.clocks]
        written = [(mail.once, mail.state, mail.facts) for mail in mails(session)]
        return columns, clocks, written, told(ticket), [message.text for message in ticket.messages]


def together(work: Callable[[], Any], times: int = 4) -> list[Any]:
    """Do the same work in several threads at once; gives what each came to."""
    start = Barrier(times)

    def begin() -> Any:
        start.wait()
        return work()

    with ThreadPoolExecutor(times) as threads:
        return [each.result() for each in [threads.submit(begin) for _ in range(times)]]

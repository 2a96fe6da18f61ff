"""Looks at a world from outside: what stands in the outbox, the history, the ledger, Prefect's files."""

from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from meldbalie.flows.answers import take_answer
from meldbalie.flows.deliver import deliver
from meldbalie.flows.desk import prefect_api
from meldbalie.flows.installation import Installation, Records
from meldbalie.flows.intake import intake
from meldbalie.flows.runs import Question
from meldbalie.flows.showing import prepare
from meldbalie.models import acts
from meldbalie.models.clocks import Clock
from meldbalie.models.desk import DeskRun
from meldbalie.models.ledger import LedgerEntry, Verdict
from meldbalie.models.outbox import Mail, MailKind, Thread
from meldbalie.models.ticket import ticket_called
from meldbalie.tests.flows.world import PIN, World
from meldbalie.tests.prefect_server import PrefectServer
from meldbalie.tests.waiting import until
from prefect.client.schemas.objects import FlowRun
from sqlalchemy import select


def goes_round(world: World) -> None:
    """What waits is taken in, and what follows from it leaves."""
    intake(minutes=0)
    deliver(minutes=0)


def outbox(world: World, *kinds: MailKind) -> list[Mail]:
    """The mails of some kinds, or all, in the order in which they were written."""
    with world.place.database.reading() as session:
        found = session.scalars(select(Mail).order_by(Mail.id)).all()
    return [mail for mail in found if not kinds or mail.kind in kinds]


def states(world: World, *kinds: MailKind) -> list[str]:
    """How far these mails are."""
    return [mail.state.value for mail in outbox(world, *kinds)]


def history(world: World, reference: str) -> list[str]:
    """What happened to a ticket, in words."""
    with world.place.database.reading() as session:
        return [entry.kind for entry in ticket_called(session, reference).history]


def clocks(world: World) -> list[tuple[str, datetime, datetime | None, datetime | None]]:
    """Every clock: when it is due, when it stopped, when its next rung is."""
    with world.place.database.reading() as session:
        found = session.scalars(select(Clock).order_by(Clock.id))
        return [(clock.kind, clock.due_at, clock.stopped_at, clock.next_rung_at) for clock in found]


def verdicts(world: World) -> list[Verdict | None]:
    """What became of each message."""
    with world.place.database.reading() as session:
        return list(session.scalars(select(LedgerEntry.verdict).order_by(LedgerEntry.id)))


def reply_address(world: World, reference: str, party: str = "reporter") -> str:
    """The address of a party's thread, as it stands in Reply-To and as envelope sender."""
    with world.place.database.reading() as session:
        ticket = ticket_called(session, reference)
        token = session.scalars(
            select(Thread.token).where(Thread.ticket_id == ticket.id, Thread.party == party)
        ).one()
    local, _, domain = world.people.desk.address.partition("@")
    return f"{local}+{token}@{domain}"


def what_prefect_keeps(server: PrefectServer, *, once_it_has: str) -> bytes:
    """All that the server has written, once it has written something that it will."""
    files = [*server.home.glob("prefect.db*"), *server.home.glob("log/*")]

    def look() -> bytes | None:
        kept = b"".join(_content(file) for file in files)
        return kept if once_it_has.encode() in kept else None

    return until(look, f"{once_it_has!r} in Prefect's files")


def _content(file: Path) -> bytes:
    return file.read_bytes() if file.is_file() else b""


def works_with(world: World, monkeypatch: pytest.MonkeyPatch, place: Installation) -> None:
    """Let this world's flows work with another installation from here on."""
    world.place = place
    for module in ("attend", "audit", "bulk", "dead_man", "deliver", "intake", "sweep", "reconcile"):
        monkeypatch.setattr(f"meldbalie.flows.{module}.installation", lambda: place)


def run_of(world: World, reference: str) -> FlowRun:
    """The run that shows a ticket, as Prefect has it now."""
    with world.place.database.reading() as session:
        row = session.get_one(DeskRun, ticket_called(session, reference).id)
    with prefect_api() as client:
        return client.read_flow_run(UUID(row.run_id))


def form_of(place: Records, reference: str) -> Question:
    """The next form of an open ticket, and the card above it."""
    shown = prepare(place, reference, anyhow=True)
    assert shown is not None
    assert shown.question is not None
    return shown.question


def fills_in(place: Records, reference: str, **answer: Any) -> str:
    """The handler fills in the form, with their PIN; gives what came of it."""
    asked = form_of(place, reference)
    proof = {"pin": PIN} if "pin" in asked.schema["properties"] else {}
    return take_answer(place, reference, asked.number, {"who": "Balie", **proof, **answer})


def answers(world: World, reference: str) -> None:
    """A handler answers the reporter; the answer waits to be delivered."""
    with world.place.database.unit_of_work() as session:
        acts.answer(
            session,
            ticket_called(session, reference),
            text="Dank.",
            fix_on=None,
            no_date_because="wordt bekeken",
            by="Balie",
            now=world.present(),
            promise=world.place.promise,
        )

"""The main job, with real parts: a report arrives by mail, and everybody gets what they should."""

import os
import re
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from meldbalie.flows.deliver import deliver
from meldbalie.flows.intake import intake
from meldbalie.models.ledger import LedgerEntry, Verdict
from meldbalie.models.outbox import Mail
from meldbalie.tests.flows.world import NAME, PHONE, SENTENCE, World
from meldbalie.tests.prefect_server import PrefectServer
from meldbalie.webhooks.app import create_app
from sqlalchemy import select

LINK = re.compile(r"http://\S+(/s/[A-Za-z0-9_-]+)")


def kinds_sent(world: World) -> dict[str, str]:
    """What has left, and how far each mail is."""
    with world.place.database.reading() as session:
        return {mail.kind.value: mail.state.value for mail in session.scalars(select(Mail))}


def test_a_sealed_report_reaches_everybody_under_seal(world: World) -> None:
    world.arrives(world.reports())

    assert intake(minutes=0) == 1
    assert deliver(minutes=0) == 4

    [reference] = world.tickets()
    assert reference == "CVD-2026-0001"
    assert kinds_sent(world) == dict.fromkeys(
        ("receipt", "owner_report", "handler_report", "ibd_copy"), "sent"
    )
    [receipt] = world.read_by(world.people.reporter)
    assert receipt.was_decrypted
    assert receipt.signature.verdict == "good"
    assert reference in receipt.text
    assert "24 November 2026 at 14:05" in receipt.text
    assert "24 november 2026 om 14:05" in receipt.text
    [owner_mail] = world.read_by(world.people.web_team)
    assert owner_mail.was_decrypted
    assert SENTENCE in owner_mail.text
    [copy] = world.read_by(world.people.ibd)
    assert copy.was_decrypted
    assert "TLP:AMBER" in copy.text
    assert SENTENCE in copy.text
    assert world.mail.mails(world.people.desk.address, "INBOX") == []
    assert len(world.mail.mails(world.people.desk.address, "Archive")) == 1


def test_the_link_in_the_receipt_opens_the_status_page(world: World) -> None:
    world.arrives(world.reports())
    intake(minutes=0)
    deliver(minutes=0)

    [receipt] = world.read_by(world.people.reporter)
    path = LINK.search(receipt.text)
    assert path is not None
    app = create_app(world.place.config, clock=world.present)
    page = app.test_client().get(path[1], headers={"Accept-Language": "en"})
    status = app.test_client().get(path[1].replace("/s/", "/api/v1/status/"))

    assert page.status_code == 200
    assert "CVD-2026-0001" in page.text
    assert "24 November 2026" in page.text
    assert status.json["reference"] == "CVD-2026-0001"
    for secret in (SENTENCE, NAME, "onderzoek.example", PHONE, "Webteam"):
        assert secret not in page.text


def test_the_same_message_again_makes_nothing_new(world: World) -> None:
    message = world.reports()
    world.arrives(message)
    intake(minutes=0)
    world.arrives(b"Received: from elsewhere by here; Thu, 19 Nov 2026 14:06:00 +0100\r\n" + message)

    assert intake(minutes=0) == 0

    assert world.tickets() == ["CVD-2026-0001"]
    with world.place.database.reading() as session:
        verdicts = session.scalars(select(LedgerEntry.verdict).order_by(LedgerEntry.id)).all()
        assert len(session.scalars(select(Mail.id)).all()) == 4
    assert verdicts == [Verdict.OPENED_TICKET, Verdict.REPEATED]
    assert len(world.mail.mails(world.people.desk.address, "Archive")) == 2


KILLED = """
import os, signal, sys
from meldbalie.flows import intake as intake_flow
from meldbalie.mailbox.imap import IntakeMailbox

def dies(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

if sys.argv[1] == "before the mailbox is touched":
    IntakeMailbox.put_away = dies
elif sys.argv[1] == "after the ledger was written":
    intake_flow.take_in = dies
else:
    real = IntakeMailbox.put_away
    def moved_and_died(*args):
        real(*args)
        dies()
    IntakeMailbox.put_away = moved_and_died
intake_flow.intake(minutes=0)
"""


@pytest.mark.parametrize(
    "moment",
    ["after the ledger was written", "before the mailbox is touched", "after the mailbox was touched"],
)
def test_a_killed_intake_loses_nothing_and_doubles_nothing(
    world: World, prefect_api: PrefectServer, moment: str
) -> None:
    sent = [world.reports(), world.reports("Iets anders op https://www.voorbeeld.example/", seals=False)]
    for message in sent:
        world.arrives(message)

    killed = subprocess.run(
        [sys.executable, "-c", KILLED, moment],
        env={**os.environ, "PREFECT_API_URL": prefect_api.api_url, "PREFECT_HOME": str(prefect_api.home)},
        check=False,
        capture_output=True,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    # The dead one held its lease by the real clock; this one comes when it has run out.
    world.present.now = datetime.now(UTC) + timedelta(minutes=2)
    intake(minutes=0)
    deliver(minutes=0)

    assert len(world.tickets()) == 2
    with world.place.database.reading() as session:
        raws = [entry.raw for entry in session.scalars(select(LedgerEntry).order_by(LedgerEntry.id))]
    assert all(_lines(raw).endswith(_lines(message)) for raw, message in zip(raws, sent, strict=True))
    assert world.mail.mails(world.people.desk.address, "INBOX") == []
    assert len(world.mail.mails(world.people.desk.address, "Archive")) == 2


def _lines(raw: bytes) -> bytes:
    return raw.replace(b"\r\n", b"\n")

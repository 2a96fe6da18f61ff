"""What leaves, and what becomes of a mail that cannot, with real parts."""

import os
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest
from meldbalie.flows import deliver as delivering
from meldbalie.flows.deliver import OUTAGE, deliver, send
from meldbalie.flows.intake import intake
from meldbalie.flows.operator.demo_files import ADDRESSES
from meldbalie.mailbox.errors import ConnectionNotPrivate, LoginRefused
from meldbalie.mailbox.keyring import Keyring
from meldbalie.models.alarms import open_alarms
from meldbalie.models.delivery import CLAIM, MENDING, claim_next
from meldbalie.models.outbox import MailKind, MailState
from meldbalie.models.owners import Owner
from meldbalie.settings import retry_waits
from meldbalie.tests.cast import gpg
from meldbalie.tests.flows.glances import clocks, goes_round, outbox, states, works_with
from meldbalie.tests.flows.world import NAME, REPORT, SENTENCE, World
from meldbalie.tests.mailserver_fixtures import Liar
from meldbalie.tests.ports import free_port
from meldbalie.tests.prefect_server import PrefectServer
from sqlalchemy import update

EXPIRED_KEY = """\
Key-Type: EDDSA
Key-Curve: ed25519
Key-Usage: sign,cert
Subkey-Type: ECDH
Subkey-Curve: cv25519
Subkey-Usage: encrypt
Name-Real: Netwerkteam
Name-Email: netwerk@voorbeeld.example
Expire-Date: 1y
%no-protection
%commit
"""


@pytest.fixture
def reported(world: World) -> World:
    """The installation with one report, whose four mails wait."""
    world.arrives(world.reports())
    intake(minutes=0)
    return world


def over(world: World, monkeypatch: pytest.MonkeyPatch, **smtp: Any) -> None:
    """Let mail leave over another server, or in another way."""
    works_with(world, monkeypatch, replace(world.place, smtp=replace(world.place.smtp, **smtp)))


def claimed(world: World) -> int:
    """The mail that is due, claimed."""
    with world.place.database.unit_of_work() as session:
        number = claim_next(session, world.present())
    assert number is not None
    return number


def test_while_no_server_is_to_be_reached_all_mail_waits_and_no_try_counts(
    reported: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, up = reported, reported.place.smtp.port
    over(world, monkeypatch, port=free_port())

    for _ in range(2 * len(retry_waits(world.place.config))):
        assert deliver(minutes=0) == 0
        waiting = outbox(world)
        assert {(mail.state, mail.tries) for mail in waiting} == {(MailState.WAITING, 0)}
        assert {mail.next_try_at for mail in waiting} == {world.present() + OUTAGE}
        assert [mail.problem for mail in waiting].count("ServerUnreachable") >= 1
        world.present.passes(days=1)

    [*reports, alarm] = outbox(world)
    assert alarm.kind is MailKind.ALARM
    with world.place.database.reading() as session:
        assert open_alarms(session) == {"mail_server_away": ["ServerUnreachable"]}
    over(world, monkeypatch, port=up)
    assert deliver(minutes=0) == len(reports) + 1 == 5
    assert [mail.problem for mail in outbox(world)] == [None] * 5
    with world.place.database.reading() as session:
        assert open_alarms(session) == {}
    notices = [mail.text for mail in world.read_by(world.people.handler)]
    assert [("mail server was out of reach" in notice) for notice in notices].count(True) == 1


def test_a_mail_that_the_server_takes_later_is_tried_again_with_growing_pauses(
    reported: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = reported
    greylisting = {
        "EHLO": "250 me\r\n",
        "MAIL": "250 ok\r\n",
        "RCPT": "450 4.2.0 later\r\n",
        "NOOP": "250 ok\r\n",
        "QUIT": "221 bye\r\n",
    }
    waits = retry_waits(world.place.config)
    with Liar("220 me\r\n", greylisting) as server:
        over(world, monkeypatch, port=server.port)
        for number, wait in enumerate(waits, 1):
            assert deliver(minutes=0) == 0
            assert {(mail.state, mail.tries) for mail in outbox(world)} == {(MailState.WAITING, number)}
            assert {mail.next_try_at for mail in outbox(world)} == {world.present() + wait}
            world.present.now += wait
        assert deliver(minutes=0) == 0

    assert states(world)[:4] == ["parked"] * 4


def test_an_owner_without_a_usable_key_gets_a_notice_without_content(world: World, tmp_path: Path) -> None:
    home = tmp_path / "k"
    home.mkdir(mode=0o700)
    gpg(home, "--generate-key", feed=EXPIRED_KEY.encode(), at=datetime(2020, 1, 1, tzinfo=UTC))
    with Keyring(home) as keyring:
        [expired] = keyring.own_keys()
        world.place.keyring.import_public(keyring.export_public(expired.fingerprint))
    for owner, fingerprint in (("Webteam", ""), ("Netwerkteam", expired.fingerprint)):
        with world.place.database.unit_of_work() as session:
            session.execute(update(Owner).where(Owner.name == owner).values(fingerprint=fingerprint))
    world.arrives(world.reports())
    world.arrives(world.reports(REPORT.replace("formulieren.voorbeeld.example", "203.0.113.7")))

    goes_round(world)

    assert [mail.was_sealed for mail in outbox(world, MailKind.OWNER_REPORT)] == [False, False]
    for owner, reference in (
        (world.people.web_team, "CVD-2026-0001"),
        (world.people.network_team, "CVD-2026-0002"),
    ):
        [raw] = world.mail.mails(owner.address)
        [notice] = world.read_by(owner)
        assert not notice.was_encrypted
        assert reference in notice.text
        assert notice.attachments == ()
        for secret in (SENTENCE, NAME, "kanarie", "203.0.113.7", "formulieren", "zoeken"):
            assert secret.encode() not in raw


def test_a_copy_for_the_ibd_without_a_key_is_held_and_a_handler_told(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    promise = world.place.promise
    keyless = replace(world.place, promise=replace(promise, ibd=replace(promise.ibd, fingerprint="")))
    works_with(world, monkeypatch, keyless)
    world.arrives(world.reports())

    goes_round(world)

    [copy] = outbox(world, MailKind.IBD_COPY)
    assert (copy.state, copy.problem) == (MailState.HELD, "no_usable_key")
    assert world.mail.mails(world.people.ibd.address) == []
    assert "no usable key of the recipient" in world.read_by(world.people.handler)[-1].text
    assert [stopped for kind, _, stopped, _ in clocks(world) if kind == "share"] == [None]


KILLED = """
import os, signal
from meldbalie.flows import deliver as delivering

def dies(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

delivering.was_delivered = dies
delivering.deliver(minutes=0)
"""


def test_a_mail_whose_sender_was_killed_leaves_again_under_the_same_message_id(
    reported: World, prefect_api: PrefectServer
) -> None:
    world = reported
    killed = subprocess.run(
        [sys.executable, "-c", KILLED],
        env={**os.environ, "PREFECT_API_URL": prefect_api.api_url, "PREFECT_HOME": str(prefect_api.home)},
        check=False,
        capture_output=True,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert sorted(states(world)) == ["sending", "waiting", "waiting", "waiting"]

    # The dead one held its lease and its claim by the real clock.
    world.present.now = datetime.now(UTC) + timedelta(minutes=2)
    assert deliver(minutes=0) == 3
    assert sorted(states(world)) == ["sending", "sent", "sent", "sent"]
    world.present.now += CLAIM
    assert deliver(minutes=0) == 1

    assert states(world) == ["sent"] * 4
    ids = Counter(
        message_from_bytes(raw)["Message-ID"]
        for who in ADDRESSES
        for raw in world.mail.mails(who)
        if b"CVD-2026-0001" in message_from_bytes(raw)["Message-ID"].encode()
    )
    assert sorted(ids.values()) == [1, 1, 1, 2]


def test_a_wrong_password_parks_no_mail_and_fails_the_run(
    reported: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    world, right = reported, reported.place.smtp
    over(world, monkeypatch, user=ADDRESSES[0], password="geheime-kanarie")

    state = deliver(minutes=0, return_state=True)

    assert state.is_failed()
    assert state.message is not None
    assert "mail 1: LoginRefused at smtp.py:" in state.message
    [first, *others] = outbox(world)
    assert (first.state, first.tries, first.problem) == (MailState.WAITING, 0, "LoginRefused")
    assert first.next_try_at == world.present() + MENDING
    assert [mail.tries for mail in others] == [0, 0, 0]  # one refused login a run is enough
    for _ in range(2 * len(world.place.config.smtp.retry_minutes)):
        world.present.now += MENDING
        for _ in outbox(world):
            with pytest.raises(LoginRefused):
                send(world.place, claimed(world))
    over(world, monkeypatch, user="", security="starttls")
    world.present.now += MENDING
    with pytest.raises(ConnectionNotPrivate):
        send(world.place, claimed(world))
    assert states(world) == ["waiting"] * 4

    works_with(world, monkeypatch, replace(world.place, smtp=right))
    world.present.now += MENDING
    assert deliver(minutes=0) == 4
    assert [mail.problem for mail in outbox(world)] == [None] * 4
    assert "geheime-kanarie" not in caplog.text


def test_a_mail_that_no_server_takes_or_nobody_can_write_is_parked_and_stops_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    report = world.reports(seals=False, key=False)
    world.arrives(report.replace(world.people.reporter.address.encode(), b"niemand@weg.example"))
    goes_round(world)
    assert states(world, MailKind.RECEIPT) == ["parked"]
    assert "does not take mail for the recipient" in world.read_by(world.people.handler)[-1].text

    real, unforeseen = delivering.letter, "kanarie in de fout"  # pyright: ignore

    def stumbles(place: Any, session: Any, mail: Any, *, sealed: bool) -> Any:
        if mail.kind is MailKind.IBD_COPY and mail.ticket.reference == "CVD-2026-0002":
            raise LookupError(unforeseen)
        return real(place, session, mail, sealed=sealed)

    monkeypatch.setattr(delivering, "letter", stumbles)
    world.arrives(world.reports())
    intake(minutes=0)
    failures = 0
    for _ in range(2 + len(retry_waits(world.place.config))):
        state = deliver(minutes=0, return_state=True)
        failures += state.is_failed()
        world.present.passes(days=1)

    assert failures == 1 + len(retry_waits(world.place.config))
    copies = outbox(world, MailKind.IBD_COPY)
    assert [mail.state for mail in copies] == [MailState.SENT, MailState.PARKED]
    assert copies[1].problem == "LookupError"
    assert [state for state in states(world) if state != "sent"] == ["parked", "parked"]
    assert "LookupError" in world.read_by(world.people.handler)[-1].text
    assert unforeseen not in caplog.text

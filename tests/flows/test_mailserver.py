"""The local mail server: what it delivers, what it refuses, and what it leaves behind."""

import os
import shutil
import socket
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from meldbalie.flows.operator import certificate
from meldbalie.flows.operator.mailserver import LocalMailServer, MailServerError
from meldbalie.mailbox.errors import RecipientRefused, ServerUnreachable
from meldbalie.mailbox.imap import IntakeMailbox
from meldbalie.mailbox.smtp import check, send
from meldbalie.tests import mailserver_fixtures
from meldbalie.tests.mailserver_fixtures import (
    CVD,
    PASSWORD,
    REPORTER,
    MakeMailServer,
    imap_account,
    is_root,
    smtp_server,
)
from meldbalie.tests.ports import free_port

open_directory = mailserver_fixtures.open_directory
make_mail_server = mailserver_fixtures.make_mail_server
mail_server = mailserver_fixtures.mail_server

MAIL = b"Subject: lek\r\n\r\nHet lek.\r\n"

AS_NOBODY = f"""
import os, ssl, sys, encodings.ascii, encodings.idna, email.base64mime
from pathlib import Path
from meldbalie.tests.mailserver_fixtures import imap_account, smtp_server
from meldbalie.flows.operator.mailserver import LocalMailServer
from meldbalie.mailbox.imap import IntakeMailbox
from meldbalie.mailbox.smtp import send
from cryptography.hazmat.backends import default_backend
default_backend()  # imported before the repository may be out of reach
os.setgroups([]); os.setgid(65534); os.setuid(65534)
with LocalMailServer(
    Path(sys.argv[1]), addresses=[{CVD!r}], password={PASSWORD!r}, security="starttls"
) as server:
    send(b"Subject: x\\r\\n\\r\\n", sender="", recipient={CVD!r}, via=smtp_server(server))
    with IntakeMailbox(imap_account(server)) as mailbox:
        print(len(mailbox.waiting()))
"""

DIES_AT_ONCE = f"""
import os, sys
from pathlib import Path
from meldbalie.flows.operator.mailserver import LocalMailServer
LocalMailServer(
    Path(sys.argv[1]), addresses=[{CVD!r}], password={PASSWORD!r}, imap_port=int(sys.argv[2])
).start()
os._exit(9)
"""


def run(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")


def processes_of(server: LocalMailServer) -> list[int]:
    """Every process in the group of the Dovecot that was started last."""
    group = (server.directory / "dovecot.pid").read_text()
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, of_group = stat.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if of_group == group and state != "Z":
            found.append(int(stat.parent.name))
    return found


def has_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def test_a_mail_sent_by_smtp_waits_in_the_mailbox_with_its_trace(mail_server: LocalMailServer):
    send(MAIL, sender=REPORTER, recipient=CVD, via=smtp_server(mail_server))

    with IntakeMailbox(imap_account(mail_server)) as mailbox:
        fetched = mailbox.fetch(mailbox.waiting()[0].uid)

    assert fetched is not None
    lines = fetched.split(b"\r\n")
    assert lines[:2] == [f"Return-Path: <{REPORTER}>".encode(), f"Delivered-To: {CVD}".encode()]
    assert lines[2].startswith(b"Received: from ")
    assert fetched.endswith(MAIL)
    assert mail_server.mails(CVD) == [fetched]


@pytest.mark.parametrize("recipient", ["cvd+k3Jw9@voorbeeld.example", "CVD@Voorbeeld.Example"])
def test_a_plus_address_and_capitals_lead_to_the_same_mailbox(mail_server: LocalMailServer, recipient: str):
    send(MAIL, sender="", recipient=recipient, via=smtp_server(mail_server))

    (delivered,) = mail_server.wait_for_mail(CVD)
    assert f"Delivered-To: {recipient}\r\n".encode() in delivered


@pytest.mark.parametrize(
    "recipient", ["niemand@voorbeeld.example", "cvd@elders.example", "../cvd@voorbeeld.example"]
)
def test_an_address_without_a_mailbox_is_refused(mail_server: LocalMailServer, recipient: str):
    with pytest.raises(RecipientRefused, match="550"):
        send(MAIL, sender="", recipient=recipient, via=smtp_server(mail_server))
    with pytest.raises(MailServerError, match="no mailbox"):
        mail_server.deliver(MAIL, to=recipient)


def test_mail_that_cannot_be_stored_now_is_to_be_sent_again(
    mail_server: LocalMailServer, monkeypatch: pytest.MonkeyPatch
):
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(mail_server.drop, "deliver", full)

    with pytest.raises(ServerUnreachable, match="451"):
        send(MAIL, sender="", recipient=CVD, via=smtp_server(mail_server))


def test_mails_are_given_in_the_order_of_delivery_from_new_and_read_ones(mail_server: LocalMailServer):
    sent = [b"Subject: %d\r\n\r\n" % number for number in range(12)]
    for message in sent[:6]:
        mail_server.deliver(message, to=CVD)
    with IntakeMailbox(imap_account(mail_server)) as mailbox:
        mailbox.waiting()  # Dovecot moves them from new to cur
    for message in sent[6:]:
        mail_server.deliver(message, to=CVD)

    assert mail_server.mails(CVD) == sent
    assert mail_server.mails(CVD, "Archive") == []


def test_waiting_for_mail_ends_when_it_arrives(mail_server: LocalMailServer):
    arrival = threading.Thread(target=mail_server.deliver, args=(MAIL,), kwargs={"to": CVD})
    arrival.start()

    assert mail_server.wait_for_mail(CVD, 1, timeout=60) == [MAIL]
    arrival.join()


def test_waiting_for_mail_that_does_not_come_says_how_many_there_are(mail_server: LocalMailServer):
    mail_server.deliver(MAIL, to=CVD)

    with pytest.raises(MailServerError, match=r"cvd@voorbeeld\.example has 1 of 2 messages"):
        mail_server.wait_for_mail(CVD, 2, timeout=0.01)


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_ending_leaves_no_process_and_no_port_behind(mail_server: LocalMailServer, end: str):
    with IntakeMailbox(imap_account(mail_server)):
        before = processes_of(mail_server)
        getattr(mail_server, end)()

    assert len(before) > 1
    assert processes_of(mail_server) == []
    assert has_free(mail_server.imap_port)
    assert has_free(mail_server.smtp_port)
    sockets = next(
        line.split("=")[1].strip()
        for line in (mail_server.directory / "dovecot.conf").read_text().splitlines()
        if line.startswith("base_dir")
    )
    assert not Path(sockets).exists()


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_started_again_it_has_the_same_ports_and_the_same_mail(mail_server: LocalMailServer, end: str):
    mail_server.deliver(MAIL, to=CVD)
    ports = (mail_server.imap_port, mail_server.smtp_port)

    getattr(mail_server, end)()
    mail_server.start()

    assert (mail_server.imap_port, mail_server.smtp_port) == ports
    with IntakeMailbox(imap_account(mail_server)) as mailbox:
        assert mailbox.fetch(1) == MAIL
    check(smtp_server(mail_server))


def test_ending_twice_or_before_the_start_is_harmless(mail_server: LocalMailServer, open_directory: Path):
    mail_server.stop()
    mail_server.stop()
    mail_server.kill()
    LocalMailServer(open_directory / "nooit", addresses=[CVD], password=PASSWORD).stop()


@pytest.mark.parametrize("name", ["imap_port", "smtp_port"])
def test_a_port_in_use_is_named_and_nothing_is_left_running(make_mail_server: MakeMailServer, name: str):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        free = {"imap_port": free_port(), "smtp_port": free_port(), name: port}

        with pytest.raises(MailServerError, match=f"port {port} is in use: .*choose another port"):
            make_mail_server(**free)

    assert all(has_free(one) for one in free.values())


def test_without_dovecot_the_way_out_is_told(
    open_directory: Path, make_mail_server: MakeMailServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)

    with pytest.raises(MailServerError, match="Dovecot is not installed: run `make system`"):
        make_mail_server()


def test_a_dovecot_that_does_not_start_is_told_with_its_last_words(
    make_mail_server: MakeMailServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(
        "meldbalie.flows.operator.dovecot._CONFIGURATION", "protocols = geen\nlog_path = {log}\n"
    )

    with pytest.raises(MailServerError, match=r"does not start on port \d+: .*geen"):
        make_mail_server()


def test_two_servers_never_share_a_directory(mail_server: LocalMailServer, make_mail_server: MakeMailServer):
    with pytest.raises(MailServerError, match="already runs in"):
        make_mail_server(directory=mail_server.directory)

    with IntakeMailbox(imap_account(mail_server)) as mailbox:
        assert mailbox.waiting() == []


def test_a_server_whose_program_was_killed_gives_way_to_the_next(
    open_directory: Path, make_mail_server: MakeMailServer
):
    directory, port = open_directory / "wees", free_port()
    assert run(DIES_AT_ONCE, directory, port).returncode == 9
    assert not has_free(port)

    server = make_mail_server(directory=directory, imap_port=port)

    assert server.imap_port == port
    with IntakeMailbox(imap_account(server)) as mailbox:
        assert mailbox.waiting() == []


def test_a_process_that_merely_has_the_old_number_is_left_alone(
    mail_server: LocalMailServer,
):
    mail_server.stop()
    (mail_server.directory / "dovecot.pid").write_text(str(os.getpid()))

    mail_server.start()

    check(smtp_server(mail_server))


@pytest.mark.skipif(not is_root(), reason="only root keeps mail for another account")
def test_a_directory_that_the_keeper_of_the_mail_cannot_enter_is_refused(
    tmp_path: Path, make_mail_server: MakeMailServer
):
    tmp_path.chmod(0o700)

    with pytest.raises(MailServerError, match=r"nobody, which keeps the mail .* cannot enter"):
        make_mail_server(directory=tmp_path / "server")


@pytest.mark.skipif(not is_root(), reason="everybody else runs it like this anyway")
def test_it_runs_without_being_root(open_directory: Path):
    directory = open_directory / "gewoon"
    directory.mkdir()
    os.chown(directory, 65534, 65534)

    ran = run(AS_NOBODY, directory)

    assert (ran.stdout, ran.stderr) == ("1\n", "")


def test_a_long_path_with_odd_characters_is_no_obstacle(
    open_directory: Path, make_mail_server: MakeMailServer
):
    directory = open_directory / "een map met spaties" / "100% é" / ("lang" * 40)

    server = make_mail_server(directory=directory, security="starttls")
    server.deliver(MAIL, to=CVD)

    with IntakeMailbox(imap_account(server)) as mailbox:
        assert mailbox.fetch(1) == MAIL


def test_capabilities_can_be_left_out(make_mail_server: MakeMailServer):
    server = make_mail_server(lacks=("MOVE", "IDLE"))

    with IntakeMailbox(imap_account(server)) as mailbox:
        assert not {"MOVE", "IDLE"} & mailbox.capabilities
        assert "UIDPLUS" in mailbox.capabilities


@pytest.mark.parametrize(
    "options",
    [{"addresses": ["Cvd@x.example"]}, {"addresses": ["../x@y"]}, {"password": "a:b"}, {"password": ""}],
)
def test_addresses_and_passwords_that_dovecot_would_misread_are_refused(
    make_mail_server: MakeMailServer, options: dict[str, object]
):
    with pytest.raises(MailServerError):
        make_mail_server(**options)


def test_the_certificate_stays_the_same_until_it_nears_its_end(
    make_mail_server: MakeMailServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(certificate, "_VALIDITY", timedelta(days=40))
    server = make_mail_server(security="tls")
    assert server.ca_file is not None
    first = server.ca_file.read_bytes()
    server.restart()
    assert server.ca_file.read_bytes() == first

    server.ca_file.unlink()
    monkeypatch.setattr(certificate, "_VALIDITY", timedelta(days=20))
    server.restart()
    short_lived = server.ca_file.read_bytes()
    server.restart()

    assert server.ca_file.read_bytes() != short_lived
    check(smtp_server(server))

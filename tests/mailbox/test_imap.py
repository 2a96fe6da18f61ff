"""The intake mailbox against a real Dovecot, links that fail, and servers that lie."""

import imaplib
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from meldbalie.flows.operator.mailserver import LocalMailServer
from meldbalie.mailbox import imap
from meldbalie.mailbox.errors import (
    ConnectionNotPrivate,
    FolderRefused,
    LoginRefused,
    ServerUnreachable,
)
from meldbalie.mailbox.imap import ImapAccount, IntakeMailbox
from meldbalie.mailbox.imap_session import Client
from meldbalie.tests import mailserver_fixtures
from meldbalie.tests.mailserver_fixtures import (
    CVD,
    PASSWORD,
    FragileLink,
    Liar,
    MakeMailServer,
    imap_account,
)

open_directory = mailserver_fixtures.open_directory
make_mail_server = mailserver_fixtures.make_mail_server
mail_server = mailserver_fixtures.mail_server

REPORT = b"From: melder@elders.example\r\nSubject: lek\r\n\r\nHet lek.\r\n"
SECRET = "geheim-lek"
GREETING = "* OK ready\r\n"
CAPABLE = {"CAPABILITY": "* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n{tag} OK done\r\n"}
REPLIES = {
    **CAPABLE,
    "AUTHENTICATE": "+ \r\n",
    "AGN2ZEB2": "{tag} OK [CAPABILITY IMAP4rev1 MOVE UIDPLUS IDLE] in\r\n",  # base64 of \0cvd@v
    "LOGOUT": "* BYE bye\r\n{tag} OK done\r\n",
    "LIST": "{tag} OK done\r\n",
    "CREATE": "{tag} OK done\r\n",
    "SUBSCRIBE": "{tag} OK done\r\n",
    "SELECT": "* OK [UIDVALIDITY 7] valid\r\n{tag} OK [READ-WRITE] open\r\n",
}


@contextmanager
def handler(server: LocalMailServer) -> Iterator[imaplib.IMAP4]:
    """A person who has the same mailbox open in a mail program."""
    client = imaplib.IMAP4("127.0.0.1", server.imap_port)
    client.authenticate("PLAIN", lambda _: f"\0{CVD}\0{PASSWORD}".encode())
    client.select("INBOX")
    yield client
    client.logout()


def liar_account(liar: Liar, **changes: object) -> ImapAccount:
    options = {"host": "127.0.0.1", "port": liar.port, "security": "none", "user": CVD, "password": PASSWORD}
    return ImapAccount(**{**options, "timeout": 5.0, **changes})


def test_a_message_is_told_with_its_size_and_its_time_of_arrival_in_utc(mail_server: LocalMailServer):
    at = datetime(2026, 7, 1, 12, 30, tzinfo=timezone(timedelta(hours=2)))
    mail_server.deliver(REPORT, to=CVD, at=at)

    with IntakeMailbox(imap_account(mail_server)) as mailbox:
        (waiting,) = mailbox.waiting()

    assert waiting.size == len(REPORT)
    assert waiting.arrived_at == at
    assert waiting.arrived_at.tzinfo is UTC


@pytest.mark.parametrize("hour", [0, 1])
def test_a_time_of_arrival_that_the_clock_showed_twice_is_told_exactly(
    make_mail_server: MakeMailServer, monkeypatch: pytest.MonkeyPatch, hour: int
):
    monkeypatch.setenv("TZ", "Europe/Amsterdam")  # Dovecot tells its local time
    at = datetime(2026, 10, 25, hour, 30, tzinfo=UTC)  # half past two in Amsterdam, both times
    time.tzset()
    try:
        server = make_mail_server()
        server.deliver(REPORT, to=CVD, at=at)
        with IntakeMailbox(imap_account(server)) as mailbox:
            (waiting,) = mailbox.waiting()
    finally:
        monkeypatch.undo()
        time.tzset()

    assert waiting.arrived_at == at


def test_an_empty_inbox_has_nothing_waiting(mail_server: LocalMailServer):
    with IntakeMailbox(imap_account(mail_server)) as mailbox:
        assert mailbox.waiting() == []
        assert mailbox.count("INBOX") == 0
        mailbox.put_away([], "Archive")


def test_a_message_that_came_during_the_session_is_told(mail_server: LocalMailServer):
    with IntakeMailbox(imap_account(mail_server)) as mailbox:
        for number in range(1, 6):
            mail_server.deliver(REPORT, to=CVD)

            assert len(mailbox.waiting()) == number


def test_messages_are_told_whatever_flags_others_set(mail_server: LocalMailServer):
    for _ in range(3):
        mail_server.deliver(REPORT, to=CVD)
    with handler(mail_server) as webmail:
        webmail.store("1", "+FLAGS", "\\Seen \\Answered")
        webmail.store("2", "+FLAGS", "\\Deleted")

    with IntakeMailbox(imap_account(mail_server)) as mailbox:
        uids = [message.uid for message in mailbox.waiting()]

    assert uids == [1, 2, 3]


def test_fetching_leaves_the_flags_alone(mail_server: LocalMailServer):
    mail_server.deliver(REPORT, to=CVD)
    with IntakeMailbox(imap_account(mail_server)) as mailbox:
        mailbox.fetch(1)

    with handler(mail_server) as webmail:
        _, flags = webmail.fetch("1", "(FLAGS)")

    assert b"\\Seen" not in flags[0]


def test_a_message_of_20_megabytes_comes_byte_for_byte(mail_server: LocalMailServer):
    line = bytes(range(33, 127)) + b"\r\n"
    report = REPORT + line * (20 * 2**20 // len(line))
    mail_server.deliver(report, to=CVD)

    with IntakeMailbox(imap_account(mail_server)) as mailbox:
        (waiting,) = mailbox.waiting()
        fetched = mailbox.fetch(waiting.uid)

    assert waiting.size == len(report)
    assert fetched == report


@pytest.mark.parametrize(
    ("stored", "handed_out"),
    [
        (b"Subject: a\n\nbare\nline feeds\n", b"Subject: a\r\n\r\nbare\r\nline feeds\r\n"),
        (b"Subject: a\r\n\r\nnul \x00 here\r\n", b"Subject: a\r\n\r\nnul \x80 here\r\n"),
        (b"Subject: a\r\n\r\n\xff\xfe 8 bit \x01\r\n", b"Subject: a\r\n\r\n\xff\xfe 8 bit \x01\r\n"),
        (b"Subject: a\r\n\r\nno end", b"Subject: a\r\n\r\nno end"),
        (b"Subject: a\r\n\r\n{3}\r\n) A1 OK\r\n", b"Subject: a\r\n\r\n{3}\r\n) A1 OK\r\n"),
        (b"\r\n", b"\r\n"),
    ],
    ids=["bare line feeds", "nul", "8 bit", "no line end", "looks like IMAP", "no header"],
)
def test_odd_bytes_come_as_dovecot_hands_them_out(
    mail_server: LocalMailServer, stored: bytes, handed_out: bytes
):
    mail_server.deliver(stored, to=CVD)

    with IntakeMailbox(imap_account(mail_server)) as mailbox:
        (waiting,) = mailbox.waiting()

        assert mailbox.fetch(waiting.uid) == handed_out
        assert waiting.size == len(handed_out)


@pytest.mark.parametrize("lacks", [(), ("MOVE",)], ids=["MOVE", "UIDPLUS"])
def test_messages_put_away_are_in_the_folder_and_not_in_the_inbox(
    make_mail_server: MakeMailServer, lacks: tuple[str, ...]
):
    server = make_mail_server(lacks=lacks)
    for number in range(3):
        server.deliver(b"Subject: %d\r\n\r\n" % number, to=CVD)

    with IntakeMailbox(imap_account(server)) as mailbox:
        mailbox.put_away([1, 3], "Archive")

        assert [message.uid for message in mailbox.waiting()] == [2]
        assert (mailbox.count("Archive"), mailbox.count("Quarantine")) == (2, 0)
    assert server.mails(CVD) == [b"Subject: 1\r\n\r\n"]
    assert sorted(server.mails(CVD, "Archive")) == [b"Subject: 0\r\n\r\n", b"Subject: 2\r\n\r\n"]


def test_without_move_and_uidplus_messages_put_away_are_no_longer_told(make_mail_server: MakeMailServer):
    server = make_mail_server(lacks=("MOVE", "UIDPLUS"))
    for _ in range(2):
        server.deliver(REPORT, to=CVD)

    with IntakeMailbox(imap_account(server)) as mailbox:
        mailbox.put_away([1], "Quarantine")

        assert [message.uid for message in mailbox.waiting()] == [2]
        assert (mailbox.count("INBOX"), mailbox.count("Quarantine")) == (1, 1)
    assert len(server.mails(CVD)) == 2


@pytest.mark.parametrize("lacks", [(), ("MOVE",), ("MOVE", "UIDPLUS")], ids=["MOVE", "UIDPLUS", "neither"])
def test_what_somebody_else_deleted_is_not_expunged(make_mail_server: MakeMailServer, lacks: tuple[str, ...]):
    server = make_mail_server(lacks=lacks)
    for _ in range(2):
        server.deliver(REPORT, to=CVD)
    with handler(server) as webmail:
        webmail.store("2", "+FLAGS", "\\Deleted")

    with IntakeMailbox(imap_account(server)) as mailbox:
        mailbox.put_away([1], "Archive")

    with handler(server) as webmail:
        _, found = webmail.uid("SEARCH", "UID 2")
    assert found == [b"2"]


@pytest.mark.parametrize("lacks", [(), ("MOVE",)], ids=["MOVE", "UIDPLUS"])
def test_a_message_that_somebody_else_moved_has_vanished_and_disturbs_nothing(
    make_mail_server: MakeMailServer, lacks: tuple[str, ...]
):
    server = make_mail_server(lacks=lacks)
    for _ in range(3):
        server.deliver(REPORT, to=CVD)
    with IntakeMailbox(imap_account(server)) as mailbox, IntakeMailbox(imap_account(server)) as other:
        mailbox.waiting()
        other.put_away([1], "Quarantine")

        assert mailbox.fetch(1) is None
        mailbox.put_away([1, 2, 4711], "Archive")
        mailbox.put_away([1, 2, 4711], "Archive")

        assert [message.uid for message in mailbox.waiting()] == [3]
        assert mailbox.count("Archive") == 1


@pytest.mark.parametrize("code", ["EXPUNGEISSUED", "TRYCREATE"])
def test_a_transfer_that_the_server_refuses_at_first_is_tried_again(code: str):
    answers = [f"{{tag}} NO [{code}] sorry\r\n", "{tag} OK done\r\n"]
    with (
        Liar(GREETING, {"UID MOVE": answers, "NOOP": "{tag} OK done\r\n", **REPLIES}) as liar,
        IntakeMailbox(liar_account(liar)) as mailbox,
    ):
        mailbox.put_away([1, 2], "Archive")

    assert answers == []


def test_a_folder_that_takes_no_messages_is_told_with_its_name():
    replies = {"UID MOVE": "{tag} NO [NOPERM] no\r\n", "NOOP": "{tag} OK done\r\n", **REPLIES}
    with (
        Liar(GREETING, replies) as liar,
        IntakeMailbox(liar_account(liar)) as mailbox,
        pytest.raises(FolderRefused, match=r"put messages into Archive"),
    ):
        mailbox.put_away([1, 2], "Archive")


@pytest.mark.parametrize("first", [[], ["{tag} NO [TRYCREATE] gone\r\n"]], ids=["at once", "made anew"])
def test_a_full_archive_is_worth_another_try(first: list[str]):
    replies = {"UID MOVE": [*first, "{tag} NO [OVERQUOTA] full\r\n"], "NOOP": "{tag} OK done\r\n", **REPLIES}
    with (
        Liar(GREETING, replies) as liar,
        IntakeMailbox(liar_account(liar)) as mailbox,
        pytest.raises(ServerUnreachable, match=r"OVERQUOTA"),
    ):
        mailbox.put_away([1, 2], "Archive")


def test_the_rest_is_put_away_when_the_file_of_one_is_gone(mail_server: LocalMailServer):
    for _ in range(2):
        mail_server.deliver(REPORT, to=CVD)
    with IntakeMailbox(imap_account(mail_server)) as mailbox:
        mailbox.waiting()
        next(mail_server.drop.inbox(CVD).glob("cur/*")).unlink()

        mailbox.put_away([1, 2], "Archive")

        assert mailbox.waiting() == []
        assert mailbox.count("Archive") == 1


def test_more_messages_than_fit_into_one_command_are_told_and_put_away(
    mail_server: LocalMailServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(imap, "_BATCH", 3)
    for _ in range(10):
        mail_server.deliver(REPORT, to=CVD)

    with IntakeMailbox(imap_account(mail_server)) as mailbox:
        uids = [message.uid for message in mailbox.waiting()]
        mailbox.put_away(uids, "Archive")

        assert uids == list(range(1, 11))
        assert mailbox.count("Archive") == 10


def test_missing_folders_are_made_and_subscribed_once(mail_server: LocalMailServer):
    for _ in range(2):
        with IntakeMailbox(imap_account(mail_server)) as mailbox:
            assert sorted(mailbox.folders()) == ["Archive", "INBOX", "Quarantine"]

    with handler(mail_server) as webmail:
        _, subscribed = webmail.lsub()
    assert len(subscribed) == 2


def test_a_folder_that_somebody_removed_is_made_again(mail_server: LocalMailServer):
    mail_server.deliver(REPORT, to=CVD)
    with IntakeMailbox(imap_account(mail_server)) as mailbox:
        with handler(mail_server) as webmail:
            webmail.delete("Archive")

        mailbox.put_away([1], "Archive")

        assert mailbox.count("Archive") == 1


def test_folders_are_named_as_the_server_wants_it(make_mail_server: MakeMailServer):
    server = make_mail_server(folder_prefix="INBOX.")
    server.deliver(REPORT, to=CVD)

    account = imap_account(server, archive="Meldingen/Verwerkt ë")
    with IntakeMailbox(account) as mailbox:
        mailbox.put_away([1], "Meldingen/Verwerkt ë")

        assert "INBOX.Meldingen.Verwerkt ë" in mailbox.folders()
        assert mailbox.count("Meldingen/Verwerkt ë") == 1


def test_uids_mean_the_same_after_the_server_was_away(mail_server: LocalMailServer):
    mail_server.deliver(REPORT, to=CVD)
    with IntakeMailbox(imap_account(mail_server)) as mailbox:
        before = (mailbox.uidvalidity, mailbox.waiting())

    mail_server.restart()

    with IntakeMailbox(imap_account(mail_server)) as mailbox:
        assert (mailbox.uidvalidity, mailbox.waiting()) == before


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_a_private_connection_works_with_the_servers_authority(
    make_mail_server: MakeMailServer, security: str
):
    server = make_mail_server(security=security)
    server.deliver(REPORT, to=CVD)

    with IntakeMailbox(imap_account(server, host="localhost")) as mailbox:
        assert mailbox.fetch(1) == REPORT


@pytest.mark.parametrize("security", ["none", "tls", "starttls"])
def test_a_command_that_leaves_in_two_pieces_waits_for_no_acknowledgement(
    make_mail_server: MakeMailServer, security: str
):
    server = make_mail_server(security=security)

    with IntakeMailbox(imap_account(server)) as mailbox:
        assert mailbox._client
        assert mailbox._client.socket().getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_a_certificate_of_an_unknown_authority_is_refused(make_mail_server: MakeMailServer, security: str):
    server = make_mail_server(security=security)

    with (
        pytest.raises(ConnectionNotPrivate, match=r"not trusted.*ca_file"),
        IntakeMailbox(imap_account(server, ca_file=None)),
    ):
        pass


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_a_certificate_for_another_name_is_refused(make_mail_server: MakeMailServer, security: str):
    server = make_mail_server(security=security)

    with FragileLink(server.imap_port, host="127.0.0.2") as link:
        account = imap_account(server, host="127.0.0.2", port=link.port)
        with pytest.raises(ConnectionNotPrivate, match=r"127\.0\.0\.2"), IntakeMailbox(account):
            pass


def test_without_starttls_no_password_is_sent():
    with (
        Liar(GREETING, CAPABLE) as liar,
        pytest.raises(ConnectionNotPrivate, match="does not offer STARTTLS"),
        IntakeMailbox(liar_account(liar, security="starttls")),
    ):
        pass

    assert not [line for line in liar.heard if "LOGIN" in line or "AUTHENTICATE" in line]


def test_a_server_that_dodges_starttls_gets_no_password():
    replies = {
        "CAPABILITY": "* CAPABILITY IMAP4rev1 AUTH=PLAIN STARTTLS\r\n{tag} OK done\r\n",
        "STARTTLS": "{tag} NO not now\r\n",
    }
    with (
        Liar(GREETING, replies) as liar,
        pytest.raises(ServerUnreachable, match="agreeing on TLS"),
        IntakeMailbox(liar_account(liar, security="starttls")),
    ):
        pass

    assert not [line for line in liar.heard if "LOGIN" in line or "AUTHENTICATE" in line]


def test_a_plain_connection_to_another_machine_is_refused():
    account = ImapAccount("mail.voorbeeld.example", 143, "none", CVD, PASSWORD)

    with (
        pytest.raises(ConnectionNotPrivate, match=r'mail.voorbeeld.example:143 .*"tls"'),
        IntakeMailbox(account),
    ):
        pass


def test_a_wrong_password_is_told_without_it(mail_server: LocalMailServer):
    account = imap_account(mail_server, password="verkeerd é")

    with pytest.raises(LoginRefused, match=CVD) as refused, IntakeMailbox(account):
        pass

    assert "verkeerd" not in str(refused.value) + repr(account)


def test_a_password_that_login_cannot_carry_is_refused_without_it():
    with (
        Liar(GREETING, {"CAPABILITY": "* CAPABILITY IMAP4rev1\r\n{tag} OK done\r\n"}) as liar,
        pytest.raises(LoginRefused) as refused,
        IntakeMailbox(liar_account(liar)),
    ):
        pass

    assert "wachtwoord" not in str(refused.value)


def test_a_login_that_fails_for_now_is_worth_another_try():
    replies = {**CAPABLE, "AUTHENTICATE": "{tag} NO [UNAVAILABLE] come back later\r\n"}
    with (
        Liar(GREETING, replies) as liar,
        pytest.raises(ServerUnreachable, match="UNAVAILABLE"),
        IntakeMailbox(liar_account(liar)),
    ):
        pass


def test_an_inbox_that_does_not_exist_is_told_with_its_name(mail_server: LocalMailServer):
    account = imap_account(mail_server, inbox="Meldingen")

    with pytest.raises(FolderRefused, match="Meldingen"), IntakeMailbox(account):
        pass


def test_a_server_that_is_not_there_is_unreachable(mail_server: LocalMailServer):
    account = imap_account(mail_server)
    mail_server.kill()

    with pytest.raises(ServerUnreachable, match=f"127.0.0.1:{account.port}"), IntakeMailbox(account):
        pass


@pytest.mark.parametrize(
    "attempt",
    [
        lambda mailbox: mailbox.waiting(),
        lambda mailbox: mailbox.fetch(1),
        lambda mailbox: mailbox.put_away([1], "Archive"),
        lambda mailbox: mailbox.wait(5),
        lambda mailbox: mailbox.count("Archive"),
        lambda mailbox: mailbox.folders(),
    ],
    ids=["waiting", "fetch", "put_away", "wait", "count", "folders"],
)
def test_a_server_that_dies_in_the_middle_is_unreachable_and_later_there_again(
    mail_server: LocalMailServer, attempt: Callable[[IntakeMailbox], object]
):
    mail_server.deliver(REPORT, to=CVD)
    mailbox = IntakeMailbox(imap_account(mail_server))
    with mailbox:
        mail_server.kill()
        with pytest.raises(ServerUnreachable):
            attempt(mailbox)

    mail_server.start()

    with mailbox:
        assert len(mailbox.waiting()) == 1


@pytest.mark.parametrize(
    "attempt",
    [lambda mailbox: mailbox.waiting(), lambda mailbox: mailbox.wait(0.1)],
    ids=["waiting", "idling"],
)
def test_a_link_that_has_died_in_silence_is_noticed(
    mail_server: LocalMailServer, attempt: Callable[[IntakeMailbox], object]
):
    with (
        FragileLink(mail_server.imap_port) as link,
        IntakeMailbox(imap_account(mail_server, port=link.port)) as mailbox,
    ):
        is_short_of_patience(mailbox._client)
        link.freeze()
        with pytest.raises(ServerUnreachable, match="no answer in time"):
            attempt(mailbox)


def test_a_link_that_dies_while_idling_is_noticed_when_idling_is_renewed(
    mail_server: LocalMailServer, monkeypatch: pytest.MonkeyPatch
):
    listens = imap.wait_for_words
    monkeypatch.setattr(imap, "_IDLE_SECONDS", 0.2)
    with FragileLink(mail_server.imap_port) as link:

        def dies_meanwhile(client: Client, seconds: float) -> None:
            is_short_of_patience(client)
            link.freeze()
            listens(client, seconds)

        monkeypatch.setattr(imap, "wait_for_words", dies_meanwhile)
        account = imap_account(mail_server, port=link.port)
        with IntakeMailbox(account) as mailbox, pytest.raises(ServerUnreachable, match="no answer in time"):
            mailbox.wait(3600)


def is_short_of_patience(client: Client | None) -> None:
    """Wait for each answer a moment only, once the session is open: to open it may take its time."""
    assert client is not None
    client.socket().settimeout(0.3)


@pytest.mark.parametrize("lacks", [(), ("IDLE",)], ids=["IDLE", "polling"])
@pytest.mark.parametrize("security", ["none", "tls"])
def test_waiting_ends_when_mail_arrives(
    make_mail_server: MakeMailServer, monkeypatch: pytest.MonkeyPatch, lacks: tuple[str, ...], security: str
):
    monkeypatch.setattr(imap, "_POLL_SECONDS", 0.05)
    server = make_mail_server(lacks=lacks, security=security)
    with IntakeMailbox(imap_account(server)) as mailbox:
        mailbox.waiting()
        arrival = threading.Thread(target=server.deliver, args=(REPORT,), kwargs={"to": CVD})
        arrival.start()

        mailbox.wait(3600)  # the test's own timeout is what fails it

        arrival.join()
        assert len(mailbox.waiting()) == 1


def test_waiting_ends_at_once_for_mail_that_came_while_others_were_put_away(mail_server: LocalMailServer):
    mail_server.deliver(REPORT, to=CVD)
    with IntakeMailbox(imap_account(mail_server)) as mailbox:
        mailbox.waiting()
        mail_server.deliver(REPORT, to=CVD)
        mailbox.put_away([1], "Archive")
        mailbox.count("Archive")

        mailbox.wait(3600)

        assert [message.uid for message in mailbox.waiting()] == [2]


def test_waiting_does_not_end_for_messages_that_were_told_already(
    mail_server: LocalMailServer, monkeypatch: pytest.MonkeyPatch
):
    rounds: list[float] = []
    renew = imap._idle
    monkeypatch.setattr(
        imap, "_idle", lambda client, seconds: (rounds.append(seconds), renew(client, seconds))[1]
    )
    monkeypatch.setattr(imap, "_IDLE_SECONDS", 0.05)
    mail_server.deliver(REPORT, to=CVD)
    with IntakeMailbox(imap_account(mail_server)) as mailbox:
        mailbox.waiting()

        mailbox.wait(2)

    assert len(rounds) > 1
    assert sum(rounds) <= 2.01


@pytest.mark.parametrize(
    "answer",
    [
        f"* 1 FETCH (BODY[] {{5}}\r\n{SECRET}\r\n) wat is dit\r\n{SECRET}\r\n",
        f"{{tag}} BAD {SECRET}\r\n",
        f"{{tag}} NO [{SECRET.upper()}] {SECRET}\r\n",
        f"* BYE {SECRET}\r\n",
        f"* SEARCH {SECRET}\r\n{{tag}} OK done\r\n",
    ],
    ids=["nonsense", "BAD", "NO", "BYE", "no number"],
)
def test_no_failure_and_no_log_repeats_what_a_server_says(caplog: pytest.LogCaptureFixture, answer: str):
    caplog.set_level(logging.DEBUG)
    replies = {**REPLIES, "NOOP": "{tag} OK done\r\n", "SEARCH": answer}

    with (
        Liar(GREETING, replies) as liar,
        pytest.raises(ServerUnreachable) as broken,
        IntakeMailbox(liar_account(liar, timeout=0.5)) as mailbox,
    ):
        mailbox.waiting()

    assert SECRET not in str(broken.value).lower()
    assert broken.value.__suppress_context__
    assert caplog.text == ""


def test_a_file_without_certificates_is_told_with_its_name(tmp_path: Path):
    nothing = tmp_path / "leeg.pem"
    nothing.write_text("")

    with (
        pytest.raises(ConnectionNotPrivate, match=r"leeg\.pem"),
        IntakeMailbox(ImapAccount("127.0.0.1", 993, "tls", CVD, PASSWORD, ca_file=nothing)),
    ):
        pass

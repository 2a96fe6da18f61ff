"""The intake mailbox over links that break: whatever is cut, where, and when, no message is lost."""

import threading
from collections.abc import Callable
from contextlib import suppress

import pytest
from meldbalie.flows.operator.mailserver import LocalMailServer
from meldbalie.mailbox import imap
from meldbalie.mailbox.errors import MailboxError, ServerUnreachable
from meldbalie.mailbox.imap import ImapAccount, IntakeMailbox
from meldbalie.tests import mailserver_fixtures
from meldbalie.tests.mailserver_fixtures import CVD, PASSWORD, FragileLink, Liar, MakeMailServer, imap_account

open_directory = mailserver_fixtures.open_directory
make_mail_server = mailserver_fixtures.make_mail_server
mail_server = mailserver_fixtures.mail_server

REPORTS = [b"Subject: lek %d\r\n\r\n%s" % (n, b"Het lek.\r\n" * n * 20) for n in range(1, 4)]
LARGE = b"Subject: groot\r\n\r\n" + b"0123456789abcdef" * 20_000 + b"\r\n"


def held(server: LocalMailServer) -> set[bytes]:
    """Every message that the server still has, wherever it lies."""
    return {mail for folder in ("INBOX", "Archive", "Quarantine") for mail in server.mails(CVD, folder)}


def works(server: LocalMailServer, link: FragileLink, fetched: list[bytes]) -> None:
    """A whole session over a link: look, fetch everything, put one message away."""
    with IntakeMailbox(imap_account(server, port=link.port)) as mailbox:
        waiting = [message.uid for message in mailbox.waiting()]
        for uid in waiting:
            if (raw := mailbox.fetch(uid)) is not None:
                fetched.append(raw)
        mailbox.put_away(waiting[:1], "Archive")


def reads(account: ImapAccount) -> None:
    """Look, and fetch everything."""
    with IntakeMailbox(account) as mailbox:
        for message in mailbox.waiting():
            mailbox.fetch(message.uid)


def bytes_of(server: LocalMailServer, session: Callable[[FragileLink], None]) -> int:
    """How many bytes the server sends in a session that nothing disturbs."""
    with FragileLink(server.imap_port) as link:
        session(link)
        return link.bytes_back


@pytest.mark.parametrize("lacks", [(), ("MOVE",), ("MOVE", "UIDPLUS")], ids=["MOVE", "UIDPLUS", "neither"])
def test_a_link_that_is_cut_after_any_number_of_bytes_loses_nothing(
    make_mail_server: MakeMailServer, lacks: tuple[str, ...]
):
    server = make_mail_server(lacks=lacks)
    for report in REPORTS:
        server.deliver(report, to=CVD)
    whole = bytes_of(server, lambda link: works(server, link, []))
    outcomes, fetched = set[str](), list[bytes]()

    for number in range(1, whole, 37):
        with FragileLink(server.imap_port) as link:
            link.cut_after(number)
            try:
                works(server, link, fetched)
                outcomes.add("got through")
            except ServerUnreachable:
                outcomes.add("cut")

    assert "cut" in outcomes
    assert set(fetched) <= set(REPORTS)  # never a part of one
    assert held(server) == set(REPORTS)


def test_a_link_that_falls_silent_after_any_number_of_bytes_is_noticed(mail_server: LocalMailServer):
    for report in REPORTS:
        mail_server.deliver(report, to=CVD)
    whole = bytes_of(mail_server, lambda link: reads(imap_account(mail_server, port=link.port)))

    for number in range(0, whole - len("* BYE Logging out, OK Logout completed (0.001 secs)."), whole // 12):
        with FragileLink(mail_server.imap_port) as link:
            link.freeze_after(number)
            with pytest.raises(ServerUnreachable, match="no answer in time"):
                reads(imap_account(mail_server, port=link.port, timeout=0.1))

    assert held(mail_server) == set(REPORTS)


@pytest.mark.parametrize("number", [1, 30, 100, 4_096, 65_536, 200_000, 319_000, len(LARGE) - 1, len(LARGE)])
def test_a_fetch_that_is_cut_is_never_a_shorter_message(mail_server: LocalMailServer, number: int):
    mail_server.deliver(LARGE, to=CVD)
    with (
        FragileLink(mail_server.imap_port) as link,
        IntakeMailbox(imap_account(mail_server, port=link.port)) as mailbox,
    ):
        mailbox.waiting()
        link.cut_after(number)
        with pytest.raises(ServerUnreachable):
            mailbox.fetch(1)

    with IntakeMailbox(imap_account(mail_server)) as mailbox:
        assert mailbox.fetch(1) == LARGE


def test_a_server_that_is_restarted_in_the_middle_of_a_fetch_has_the_message_still(
    mail_server: LocalMailServer,
):
    more_than_fits_into_sockets = LARGE + b"0123456789abcd\r\n" * 2**21
    mail_server.deliver(more_than_fits_into_sockets, to=CVD)
    with FragileLink(mail_server.imap_port) as link:
        account = imap_account(mail_server, port=link.port)
        with IntakeMailbox(account) as mailbox:
            mailbox.waiting()
            link.hold_after(100_000)
            restart = threading.Thread(target=lambda: (link.held.wait(), mail_server.kill(), link.go_on()))
            restart.start()
            with pytest.raises(ServerUnreachable):
                mailbox.fetch(1)
            restart.join()
        mail_server.start()
        with IntakeMailbox(account) as mailbox:
            (whole,) = [mailbox.fetch(message.uid) for message in mailbox.waiting()]
    assert whole == more_than_fits_into_sockets


@pytest.mark.parametrize("stop", ["stop", "kill"])
def test_a_server_that_is_restarted_while_we_wait_is_noticed_at_once(
    mail_server: LocalMailServer, monkeypatch: pytest.MonkeyPatch, stop: str
):
    idling = told_when_idling(monkeypatch)
    away = threading.Thread(target=lambda: (idling.wait(), getattr(mail_server, stop)()))
    with suppress(ServerUnreachable), IntakeMailbox(imap_account(mail_server)) as mailbox:
        away.start()
        with pytest.raises(ServerUnreachable):
            mailbox.wait(3600)
    away.join()
    mail_server.start()
    mail_server.deliver(LARGE, to=CVD)

    with IntakeMailbox(imap_account(mail_server)) as mailbox:
        mailbox.wait(3600)
        assert len(mailbox.waiting()) == 1


@pytest.mark.parametrize("number", [0, 1, 5, 10, 20, 40])
def test_a_link_that_is_cut_while_idling_is_noticed_at_once(
    mail_server: LocalMailServer, monkeypatch: pytest.MonkeyPatch, number: int
):
    idling = told_when_idling(monkeypatch)
    with FragileLink(mail_server.imap_port) as link:

        def breaks() -> None:
            idling.wait()
            link.cut() if number == 0 else link.cut_after(number)
            mail_server.deliver(LARGE, to=CVD)  # what the server tells of it is cut in the middle

        cutting = threading.Thread(target=breaks)
        with IntakeMailbox(imap_account(mail_server, port=link.port)) as mailbox:
            cutting.start()
            with pytest.raises(ServerUnreachable):
                waits_until_news(mailbox)
        cutting.join()

    assert held(mail_server) == {LARGE}


def waits_until_news(mailbox: IntakeMailbox) -> None:
    mailbox.wait(3600)
    while mailbox.waiting():  # the cut may come one answer later
        pass


def told_when_idling(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Set as soon as the server has taken the command to idle."""
    idling, wait_for_words = threading.Event(), imap.wait_for_words

    def wait(client: object, seconds: float) -> None:
        idling.set()
        wait_for_words(client, seconds)

    monkeypatch.setattr(imap, "wait_for_words", wait)
    return idling


GREETED = {
    "CAPABILITY": "* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n{tag} OK done\r\n",
    "AUTHENTICATE": "+ \r\n",
    "AGN2ZEB2": "{tag} OK [CAPABILITY IMAP4rev1 MOVE UIDPLUS IDLE] in\r\n",
    "LIST": '* LIST () "/" Archive\r\n* LIST () "/" Quarantine\r\n{tag} OK done\r\n',
    "SELECT": "* OK [UIDVALIDITY 7] valid\r\n{tag} OK [READ-WRITE] open\r\n",
    "NOOP": "{tag} OK done\r\n",
    "SEARCH": "* SEARCH 1\r\n{tag} OK done\r\n",
    "RFC822.SIZE": (
        '* 1 FETCH (UID 1 RFC822.SIZE 9 INTERNALDATE "01-Jul-2026 12:00:00 +0000")\r\n{tag} OK done\r\n'
    ),
    "BODY.PEEK": "* 1 FETCH (UID 1 BODY[] {9}\r\na: b\r\n\r\nc)\r\n{tag} OK done\r\n",
    "MOVE": "{tag} OK done\r\n",
    "IDLE": "+ idling\r\n",
    "DONE": "{tag} OK done\r\n",
    "LOGOUT": "* BYE bye\r\n{tag} OK done\r\n",
}


@pytest.mark.parametrize("word", [word for word in GREETED if word not in ("LOGOUT", "DONE")])
@pytest.mark.parametrize(
    "reply",
    [
        None,
        "* BYE we are closing\r\n",
        "{tag} OK [",
        "* 1 FETCH (UID 1 BODY[] {900}\r\na",
        "\0\0\r\n",
        "\r\n",
    ],
    ids=["hangs up", "BYE", "half a line", "half a literal", "NULs", "nothing"],
)
def test_a_server_that_breaks_off_at_any_command_is_unreachable(word: str, reply: str | None):
    replies = {word: reply, **{other: said for other, said in GREETED.items() if other != word}}
    with Liar("* OK hi\r\n", replies) as liar, pytest.raises(MailboxError) as broken:
        does_everything(at(liar))

    assert type(broken.value) is ServerUnreachable


def test_a_server_that_breaks_off_nowhere_is_fine():
    with Liar("* OK hi\r\n", GREETED) as liar:
        does_everything(at(liar, timeout=5.0))


def at(liar: Liar, timeout: float = 0.2) -> ImapAccount:
    return ImapAccount("127.0.0.1", liar.port, "none", CVD, PASSWORD, timeout=timeout)


def does_everything(account: ImapAccount) -> None:
    """Look, fetch, put away and wait for the next."""
    with IntakeMailbox(account) as mailbox:
        mailbox.waiting()
        mailbox.fetch(1)
        mailbox.put_away([1], "Archive")
        mailbox.wait(0.1)


@pytest.mark.parametrize(
    "greeting", ["", "* BYE busy\r\n", "HTTP/1.1 400 Bad Request\r\n\r\n", "* OK", "\0\r\n"]
)
def test_a_server_that_does_not_greet_is_unreachable(greeting: str):
    with Liar(greeting, {}) as liar, pytest.raises(ServerUnreachable):
        reads(at(liar))

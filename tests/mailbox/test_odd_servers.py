"""The intake mailbox at servers that forbid, lack or change things: no message is lost or stuck."""

import imaplib
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from meldbalie.flows.operator.mailserver import LocalMailServer
from meldbalie.mailbox import imap
from meldbalie.mailbox.errors import FolderRefused, ServerUnreachable
from meldbalie.mailbox.imap import ImapAccount, IntakeMailbox
from meldbalie.tests import mailserver_fixtures
from meldbalie.tests.mailserver_fixtures import CVD, PASSWORD, Liar, MakeMailServer, imap_account

open_directory = mailserver_fixtures.open_directory
make_mail_server = mailserver_fixtures.make_mail_server
mail_server = mailserver_fixtures.mail_server

REPORT = b"Subject: lek\r\n\r\nHet lek.\r\n"
NO_MOVE = pytest.mark.parametrize("lacks", [("MOVE",), ("MOVE", "UIDPLUS")], ids=["UIDPLUS", "neither"])
ANY_WAY = pytest.mark.parametrize(
    "lacks", [(), ("MOVE",), ("MOVE", "UIDPLUS")], ids=["MOVE", "UIDPLUS", "neither"]
)
REPLIES = {
    "CAPABILITY": "* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n{tag} OK done\r\n",
    "AUTHENTICATE": "+ \r\n",
    "AGN2ZEB2": "{tag} OK [CAPABILITY IMAP4rev1 MOVE UIDPLUS IDLE] in\r\n",  # base64 of \0cvd@v
    "LIST": '* LIST () "/" Archive\r\n* LIST () "/" Quarantine\r\n{tag} OK done\r\n',
    "SELECT": "* OK [UIDVALIDITY 7] valid\r\n{tag} OK [READ-WRITE] open\r\n",
    "NOOP": "{tag} OK done\r\n",
    "LOGOUT": "* BYE bye\r\n{tag} OK done\r\n",
}
DATED = 'INTERNALDATE "01-Jul-2026 12:00:00 +0000"'


def at(liar: Liar) -> ImapAccount:
    return ImapAccount("127.0.0.1", liar.port, "none", CVD, PASSWORD, timeout=5.0)


@contextmanager
def handler(server: LocalMailServer) -> Iterator[imaplib.IMAP4]:
    """A person who has the same mailbox open in a mail program."""
    client = imaplib.IMAP4("127.0.0.1", server.imap_port)
    client.authenticate("PLAIN", lambda _: f"\0{CVD}\0{PASSWORD}".encode())
    yield client
    client.logout()


MakeRestricted = Callable[..., LocalMailServer]


@pytest.fixture
def make_restricted(make_mail_server: MakeMailServer, open_directory: Path) -> MakeRestricted:
    """Make a server on which we have no more than these rights (RFC 4314)."""

    def make(rights: str, **options: object) -> LocalMailServer:
        directory = Path(tempfile.mkdtemp(dir=open_directory))
        directory.chmod(0o755)
        (directory / "acl").write_text(rights)
        lines = (
            "mail_plugins = acl\nprotocol imap {\n  mail_plugins = acl imap_acl\n}\n"
            f"plugin {{\n  acl = vfile:{directory / 'acl'}\n}}\n"
        )
        return make_mail_server(dovecot=lines, **options)

    return make


def full_after(kilobytes: int) -> str:
    """The lines by which a Dovecot keeps a quota."""
    rule = f"quota_rule = *:storage={kilobytes}k\n  quota_grace = 0"
    return f"mail_plugins = quota\nplugin {{\n  quota = maildir:User quota\n  {rule}\n}}\n"


def test_an_inbox_that_we_may_only_read_is_told_with_its_name(make_restricted: MakeRestricted):
    server = make_restricted("INBOX owner lr\n")

    with (
        pytest.raises(FolderRefused, match=r"open the folder INBOX for writing.*rights"),
        IntakeMailbox(imap_account(server)),
    ):
        pass


@ANY_WAY
def test_a_folder_that_we_may_not_fill_is_told_and_the_message_stays(
    make_restricted: MakeRestricted, lacks: tuple[str, ...]
):
    server = make_restricted("Archive owner lrwst\n", lacks=lacks)
    server.deliver(REPORT, to=CVD)

    with IntakeMailbox(imap_account(server)) as mailbox:
        for _ in range(2):
            with pytest.raises(FolderRefused, match="put messages into Archive"):
                mailbox.put_away([1], "Archive")

        assert [message.uid for message in mailbox.waiting()] == [1]
        assert mailbox.fetch(1) == REPORT
    assert server.mails(CVD) == [REPORT]


@NO_MOVE
def test_where_we_may_not_delete_nothing_is_copied_again_and_again(
    make_restricted: MakeRestricted, lacks: tuple[str, ...]
):
    server = make_restricted("INBOX owner lrwsie\n", lacks=lacks)
    server.deliver(REPORT, to=CVD)

    with IntakeMailbox(imap_account(server)) as mailbox:
        for _ in range(2):
            with pytest.raises(FolderRefused, match="delete messages from INBOX"):
                mailbox.put_away([1], "Archive")

        assert [message.uid for message in mailbox.waiting()] == [1]
    assert (server.mails(CVD), server.mails(CVD, "Archive")) == ([REPORT], [])


def test_where_messages_may_be_moved_it_does_not_matter_whether_they_may_be_deleted(
    make_restricted: MakeRestricted,
):
    server = make_restricted("INBOX owner lrwsie\n")
    server.deliver(REPORT, to=CVD)

    with IntakeMailbox(imap_account(server)) as mailbox:
        mailbox.put_away([1], "Archive")

        assert mailbox.waiting() == []
    assert server.mails(CVD, "Archive") == [REPORT]


def test_a_folder_that_we_may_not_make_is_told_with_its_name(make_restricted: MakeRestricted):
    server = make_restricted("* owner lrwstie\n")

    with (
        pytest.raises(FolderRefused, match="make the folder Archive"),
        IntakeMailbox(imap_account(server)),
    ):
        pass


@NO_MOVE
def test_a_mailbox_that_is_full_is_told_and_the_message_stays(
    make_mail_server: MakeMailServer, lacks: tuple[str, ...]
):
    server = make_mail_server(dovecot=full_after(3), lacks=lacks)
    report = REPORT + b"x" * 2000 + b"\r\n"
    server.deliver(report, to=CVD)

    with IntakeMailbox(imap_account(server)) as mailbox:
        for _ in range(2):
            with pytest.raises(ServerUnreachable, match=r"OVERQUOTA.*make room"):
                mailbox.put_away([1], "Archive")

        assert [message.uid for message in mailbox.waiting()] == [1]
    assert (server.mails(CVD), server.mails(CVD, "Archive")) == ([report], [])


@pytest.mark.parametrize(
    "lacks",
    [("IDLE", "MOVE", "UIDPLUS", "NAMESPACE", "ESEARCH", "LITERAL+", "SASL-IR", "CHILDREN", "LIST-EXTENDED")],
)
def test_a_server_that_can_next_to_nothing_will_do(
    make_mail_server: MakeMailServer, monkeypatch: pytest.MonkeyPatch, lacks: tuple[str, ...]
):
    monkeypatch.setattr(imap, "_POLL_SECONDS", 0.05)
    server = make_mail_server(lacks=lacks)
    with IntakeMailbox(imap_account(server)) as mailbox:
        arrival = threading.Thread(target=server.deliver, args=(REPORT,), kwargs={"to": CVD})
        arrival.start()
        mailbox.wait(3600)
        arrival.join()
        (waiting,) = mailbox.waiting()
        assert mailbox.fetch(waiting.uid) == REPORT
        mailbox.put_away([waiting.uid], "Archive")

        assert mailbox.waiting() == []
    assert server.mails(CVD, "Archive") == [REPORT]


@pytest.mark.parametrize("answer", ["{tag} NO not today\r\n", "{tag} BAD unknown command\r\n"])
def test_a_server_that_promises_idle_and_refuses_it_is_asked_instead(
    monkeypatch: pytest.MonkeyPatch, answer: str
):
    monkeypatch.setattr(imap, "_POLL_SECONDS", 0.01)
    answers = ["* SEARCH\r\n{tag} OK done\r\n"] * 3 + ["* SEARCH 4\r\n{tag} OK done\r\n"]
    with (
        Liar("* OK hi\r\n", {**REPLIES, "IDLE": answer, "SEARCH": answers}) as liar,
        IntakeMailbox(at(liar)) as mailbox,
    ):
        mailbox.wait(3600)

    assert answers == []
    assert len([line for line in liar.heard if line.endswith(" IDLE")]) == 1


@pytest.mark.parametrize("lacks", [(), ("IDLE",)], ids=["IDLE", "polling"])
def test_a_folder_that_is_deleted_and_made_again_under_us_is_noticed_and_read_anew(
    make_mail_server: MakeMailServer, lacks: tuple[str, ...]
):
    server = make_mail_server(lacks=lacks)
    account = imap_account(server, inbox="Meldingen")
    with handler(server) as webmail:
        webmail.create("Meldingen")
        webmail.append("Meldingen", None, None, b"Subject: oud\r\n\r\n")
        with IntakeMailbox(account) as mailbox:
            mailbox.waiting()
            before = mailbox.uidvalidity
            webmail.delete("Meldingen")
            webmail.create("Meldingen")
            webmail.append("Meldingen", None, None, b"Subject: nieuw\r\n\r\n")
            with suppress(ServerUnreachable):  # Dovecot may go on for a command with what is no more
                mailbox.waiting()
                assert mailbox.fetch(1) in (None, b"Subject: oud\r\n\r\n")
            with suppress(ServerUnreachable):
                mailbox.put_away([1], "Archive")

    with IntakeMailbox(account) as mailbox:
        assert mailbox.uidvalidity != before
        assert [mailbox.fetch(message.uid) for message in mailbox.waiting()] == [b"Subject: nieuw\r\n\r\n"]
        assert mailbox.count("Archive") == 0


def test_a_server_that_has_lost_its_uids_is_noticed_and_read_anew(mail_server: LocalMailServer):
    mail_server.deliver(REPORT, to=CVD)
    mail_server.deliver(b"Subject: a\r\n\r\n", to=CVD)
    with IntakeMailbox(imap_account(mail_server)) as mailbox:
        mailbox.waiting()
        before = mailbox.uidvalidity
        mailbox.put_away([1], "Archive")
        for lost in ("dovecot.index*", "dovecot-uidlist"):
            for file in mail_server.drop.inbox(CVD).glob(lost):
                file.unlink()
        mail_server.deliver(b"Subject: b\r\n\r\n", to=CVD)
        with pytest.raises(ServerUnreachable):
            mailbox.waiting()

    with IntakeMailbox(imap_account(mail_server)) as mailbox:
        assert mailbox.uidvalidity != before
        assert len(mailbox.waiting()) == 2
    assert mail_server.mails(CVD, "Archive") == [REPORT]


@pytest.mark.parametrize(
    "attempt",
    [lambda mailbox: mailbox.waiting(), lambda mailbox: mailbox.put_away([1], "Archive")],
    ids=["waiting", "put_away"],
)
def test_uids_that_mean_something_else_from_now_on_are_not_used(attempt: Callable[[IntakeMailbox], object]):
    replies = {
        **REPLIES,
        "NOOP": "* OK [UIDVALIDITY 8] we had to repair it\r\n{tag} OK done\r\n",
        "SEARCH": "* SEARCH 1\r\n{tag} OK done\r\n",
        "FETCH": f"* 1 FETCH (UID 1 RFC822.SIZE 9 {DATED})\r\n{{tag}} OK done\r\n",
        "MOVE": "{tag} OK done\r\n",
    }
    with (
        Liar("* OK hi\r\n", replies) as liar,
        pytest.raises(ServerUnreachable, match="numbers its messages anew"),
        IntakeMailbox(at(liar)) as mailbox,
    ):
        attempt(mailbox)

    assert not [line for line in liar.heard if "MOVE" in line or "FETCH" in line]


def test_a_message_that_vanishes_between_two_commands_disturbs_nothing():
    replies = {
        **REPLIES,
        "SEARCH": "* SEARCH 1 2 3\r\n{tag} OK done\r\n",
        "RFC822.SIZE": (
            f"* 2 EXPUNGE\r\n* 1 FETCH (UID 1 RFC822.SIZE 9 {DATED})\r\n"
            f"* 2 FETCH (FLAGS (\\Seen) UID 3 RFC822.SIZE 9 {DATED})\r\n{{tag}} OK some are gone\r\n"
        ),
        "UID FETCH 1 ": "{tag} OK nothing left\r\n",
        "UID FETCH 3 ": "* 1 FETCH (UID 3 BODY[] NIL)\r\n{tag} OK done\r\n",
    }
    with Liar("* OK hi\r\n", replies) as liar, IntakeMailbox(at(liar)) as mailbox:
        assert [message.uid for message in mailbox.waiting()] == [1, 3]
        assert mailbox.fetch(1) is None
        assert mailbox.fetch(3) is None


@pytest.mark.parametrize("size", [0, 1, 9, 4_294_967_295])
@pytest.mark.parametrize(
    "raw", [b"a: b\n\nc", b"a: b\r\n\r\n\0\0c", b"\r\n)\r\nA1 OK done\r\n", b"{5}\r\n", b""]
)
def test_a_message_comes_as_the_server_holds_it_whatever_size_it_tells(size: int, raw: bytes):
    replies = {
        **REPLIES,
        "SEARCH": "* SEARCH 1\r\n{tag} OK done\r\n",
        "RFC822.SIZE": f"* 1 FETCH (UID 1 RFC822.SIZE {size} {DATED})\r\n{{tag}} OK done\r\n",
        "BODY.PEEK": f"* 1 FETCH (UID 1 BODY[] {{{len(raw)}}}\r\n{raw.decode()})\r\n{{tag}} OK done\r\n",
    }
    with Liar("* OK hi\r\n", replies) as liar, IntakeMailbox(at(liar)) as mailbox:
        (waiting,) = mailbox.waiting()

        assert waiting.size == size
        assert mailbox.fetch(1) == raw


def test_the_same_mail_in_two_folders_is_told_once_and_lies_twice_at_the_end(mail_server: LocalMailServer):
    mail_server.deliver(REPORT, to=CVD)
    with handler(mail_server) as webmail, IntakeMailbox(imap_account(mail_server)) as mailbox:
        webmail.select("INBOX")
        webmail.copy("1", "Archive")

        assert [message.uid for message in mailbox.waiting()] == [1]
        mailbox.put_away([1], "Archive")
        assert mailbox.waiting() == []

    assert mail_server.mails(CVD, "Archive") == [REPORT, REPORT]


def test_ten_thousand_messages_are_told_waited_behind_and_put_away(mail_server: LocalMailServer):
    for number in range(10_000):
        mail_server.deliver(b"Subject: %d\r\n\r\n" % number, to=CVD)

    with IntakeMailbox(imap_account(mail_server, timeout=60.0)) as mailbox:
        waiting = mailbox.waiting()
        assert len(waiting) == 10_000
        arrival = threading.Thread(target=mail_server.deliver, args=(REPORT,), kwargs={"to": CVD})
        arrival.start()
        mailbox.wait(3600)
        arrival.join()
        assert mailbox.fetch(waiting[-1].uid) is not None
        mailbox.put_away([message.uid for message in waiting], "Archive")

        assert [mailbox.fetch(message.uid) for message in mailbox.waiting()] == [REPORT]
        assert mailbox.count("Archive") == 10_000

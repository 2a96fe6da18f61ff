"""TLS towards mail servers: verified, never dropped, and nothing believed that was said before it."""

import ssl
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from meldbalie.flows.operator import certificate
from meldbalie.flows.operator.certificate import server_context, write_certificate
from meldbalie.mailbox.errors import ConnectionNotPrivate, LoginRefused, MailboxError, ServerUnreachable
from meldbalie.mailbox.imap import ImapAccount, IntakeMailbox
from meldbalie.mailbox.smtp import SmtpServer, check, send
from meldbalie.tests import mailserver_fixtures
from meldbalie.tests.mailserver_fixtures import (
    CVD,
    PASSWORD,
    REPORTER,
    FragileLink,
    Liar,
    MakeMailServer,
    imap_account,
    smtp_server,
)

open_directory = mailserver_fixtures.open_directory
make_mail_server = mailserver_fixtures.make_mail_server

IMAP = {
    "STARTTLS": "{tag} OK go\r\n",
    "CAPABILITY": "* CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN\r\n{tag} OK done\r\n",
    "AUTHENTICATE": "+ \r\n",
    "AGN2ZEB2": "{tag} OK [CAPABILITY IMAP4rev1 MOVE UIDPLUS IDLE NAMESPACE] in\r\n",
    "NAMESPACE": '* NAMESPACE (("" "/")) NIL NIL\r\n{tag} OK done\r\n',
    "LIST": "{tag} OK done\r\n",
    "CREATE": "{tag} OK done\r\n",
    "SUBSCRIBE": "{tag} OK done\r\n",
    "SELECT": "* OK [UIDVALIDITY 7] valid\r\n{tag} OK [READ-WRITE] open\r\n",
    "NOOP": "{tag} OK done\r\n",
    "SEARCH": "* SEARCH\r\n{tag} OK done\r\n",
    "LOGOUT": "* BYE bye\r\n{tag} OK done\r\n",
}
SMTP = {
    "EHLO": "250-liar\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n",
    "STARTTLS": "220 go\r\n",
    "AUTH": "235 in\r\n",
    "NOOP": "250 OK\r\n",
    "QUIT": "221 bye\r\n",
}


def looks_in(account: ImapAccount) -> None:
    with IntakeMailbox(account) as mailbox:
        mailbox.waiting()


def imap_at(liar: Liar, **changes: object) -> ImapAccount:
    options = {"host": "127.0.0.1", "port": liar.port, "security": "starttls", "user": CVD}
    return ImapAccount(**{**options, "password": PASSWORD, "timeout": 5.0, **changes})


def smtp_at(liar: Liar, **changes: object) -> SmtpServer:
    options = {"host": "127.0.0.1", "port": liar.port, "security": "starttls", "user": CVD}
    return SmtpServer(**{**options, "password": PASSWORD, "timeout": 5.0, **changes})


@pytest.fixture
def tls(tmp_path: Path) -> ssl.SSLContext:
    """The server's side of TLS, with a certificate for loopback in ``tmp_path``."""
    write_certificate(tmp_path)
    return server_context(tmp_path)


both_ways_to_tls = pytest.mark.parametrize("security", ["tls", "starttls"])


@both_ways_to_tls
def test_a_certificate_that_has_expired_is_refused(
    make_mail_server: MakeMailServer, monkeypatch: pytest.MonkeyPatch, security: str
):
    monkeypatch.setattr(certificate, "_VALIDITY", timedelta(hours=-1))
    server = make_mail_server(security=security)

    with pytest.raises(ConnectionNotPrivate, match="certificate has expired"):
        looks_in(imap_account(server))
    with pytest.raises(ConnectionNotPrivate, match="certificate has expired"):
        send(b"x\r\n", sender=CVD, recipient=REPORTER, via=smtp_server(server))

    assert server.mails(REPORTER) == []


@both_ways_to_tls
def test_a_certificate_that_is_its_own_authority_is_refused_unless_it_is_named(
    make_mail_server: MakeMailServer, security: str
):
    server = make_mail_server(security=security)

    with pytest.raises(ConnectionNotPrivate, match=r"self.signed certificate"):
        looks_in(imap_account(server, ca_file=None))
    with pytest.raises(ConnectionNotPrivate, match=r"self.signed certificate"):
        check(smtp_server(server, ca_file=None))
    looks_in(imap_account(server))
    check(smtp_server(server))


@both_ways_to_tls
def test_another_authority_is_not_trusted_because_one_is_named(
    make_mail_server: MakeMailServer, tmp_path: Path, security: str
):
    write_certificate(tmp_path)
    server = make_mail_server(security=security)

    with pytest.raises(ConnectionNotPrivate, match="not trusted"):
        looks_in(imap_account(server, ca_file=tmp_path / "server.crt"))
    with pytest.raises(ConnectionNotPrivate, match="not trusted"):
        check(smtp_server(server, ca_file=tmp_path / "server.crt"))


def test_a_server_from_which_starttls_was_taken_gets_no_password(make_mail_server: MakeMailServer):
    server = make_mail_server()

    with pytest.raises(ConnectionNotPrivate, match="does not offer STARTTLS"):
        looks_in(imap_account(server, security="starttls"))
    with pytest.raises(ConnectionNotPrivate, match="does not offer STARTTLS"):
        check(smtp_server(server, security="starttls", user=CVD, password=PASSWORD))
    assert "Login" not in (server.directory / "dovecot.log").read_text()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
@pytest.mark.parametrize("at_once", [True, False], ids=["tls", "starttls"])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_versions_of_tls_that_can_be_broken_are_refused(
    tmp_path: Path, tls: ssl.SSLContext, version: ssl.TLSVersion, at_once: bool
):
    tls.set_ciphers("ALL:@SECLEVEL=0")
    tls.minimum_version, tls.maximum_version = version, version
    assert speaks(tls, version)
    options = {"security": "tls" if at_once else "starttls", "ca_file": tmp_path / "server.crt"}

    with Liar("* OK hi\r\n", IMAP, tls=tls, at_once=at_once) as liar, pytest.raises(MailboxError):
        looks_in(imap_at(liar, **options))
    assert liar.heard_over_tls == []
    with Liar("220 hi\r\n", SMTP, tls=tls, at_once=at_once) as liar, pytest.raises(MailboxError):
        check(smtp_at(liar, **options))
    assert liar.heard_over_tls == []


def speaks(server: ssl.SSLContext, version: ssl.TLSVersion) -> bool:
    """Whether a client that is not particular can talk to this server at all."""
    careless = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    careless.check_hostname, careless.verify_mode = False, ssl.CERT_NONE
    careless.set_ciphers("ALL:@SECLEVEL=0")
    careless.minimum_version = careless.maximum_version = version
    ends = [ssl.MemoryBIO() for _ in range(2)]
    near = careless.wrap_bio(ends[0], ends[1])
    far = server.wrap_bio(ends[1], ends[0], server_side=True)
    for _ in range(5):
        for side in (near, far):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return near.version() is not None


def test_what_was_said_before_tls_is_not_believed_after_it(tmp_path: Path, tls: ssl.SSLContext):
    injected = (
        '* NAMESPACE (("boef." ".")) NIL NIL\r\n'
        '* LIST (\\HasNoChildren) "." "Archive"\r\n'
        "* SEARCH 666\r\n"
        "* CAPABILITY IMAP4rev1 AUTH=PLAIN LOGINDISABLED\r\n"
    )
    replies = {**IMAP, "STARTTLS": injected + IMAP["STARTTLS"]}

    with Liar("* OK hi\r\n", replies, tls=tls) as liar:
        account = imap_at(liar, ca_file=tmp_path / "server.crt")
        with IntakeMailbox(account) as mailbox:
            assert mailbox.waiting() == []

    made = [line.split()[2] for line in liar.heard_over_tls if "CREATE" in line]
    assert made == ["Archive", "Quarantine"] or made == ['"Archive"', '"Quarantine"']
    assert [line.split()[1] for line in liar.heard] == ["CAPABILITY", "STARTTLS"]


@pytest.mark.parametrize("number", range(4))
def test_answers_that_were_slipped_in_behind_starttls_are_thrown_away(
    tmp_path: Path, tls: ssl.SSLContext, number: int
):
    injected = "".join(f"AAAA{n} NO no\r\n{{tag}} BAD no\r\n* BYE x\r\n" for n in range(number))
    replies = {**IMAP, "STARTTLS": f"{IMAP['STARTTLS']}* BYE slipped in\r\n{injected}"}

    with Liar("* OK hi\r\n", replies, tls=tls) as liar:
        looks_in(imap_at(liar, ca_file=tmp_path / "server.crt"))
    assert [line for line in liar.heard_over_tls if "SELECT" in line]


def test_replies_that_were_slipped_in_behind_starttls_are_thrown_away(tmp_path: Path, tls: ssl.SSLContext):
    replies = {**SMTP, "STARTTLS": "220 go\r\n250-liar\r\n250 AUTH NONSENSE\r\n535 no\r\n"}

    with Liar("220 hi\r\n", replies, tls=tls) as liar:
        check(smtp_at(liar, ca_file=tmp_path / "server.crt"))

    assert [line.split()[0].lower() for line in liar.heard] == ["ehlo", "starttls"]
    assert [line.split()[0].lower() for line in liar.heard_over_tls] == ["ehlo", "auth", "noop", "quit"]


def test_a_login_that_was_offered_before_tls_only_is_not_used(tmp_path: Path, tls: ssl.SSLContext):
    replies = {**SMTP, "EHLO": [SMTP["EHLO"], "250 liar\r\n"]}

    with Liar("220 hi\r\n", replies, tls=tls) as liar, pytest.raises(LoginRefused, match="no login"):
        check(smtp_at(liar, ca_file=tmp_path / "server.crt"))


@pytest.mark.parametrize("answer", ["{tag} OK go\r\n", "{tag} NO not now\r\n"])
def test_a_server_that_says_we_are_logged_in_already_dodges_tls(
    tmp_path: Path, tls: ssl.SSLContext, answer: str
):
    with (
        Liar("* PREAUTH you are in\r\n", {**IMAP, "STARTTLS": answer}, tls=tls) as liar,
        pytest.raises(ConnectionNotPrivate, match="before TLS"),
    ):
        looks_in(imap_at(liar, ca_file=tmp_path / "server.crt"))

    assert {line.split()[1] for line in liar.heard} <= {"CAPABILITY", "STARTTLS"}


@pytest.mark.parametrize(
    ("attempt", "greeting", "replies"),
    [
        (lambda liar: looks_in(imap_at(liar)), "* OK hi\r\n", {**IMAP, "STARTTLS": "{tag} NO later\r\n"}),
        (lambda liar: looks_in(imap_at(liar)), "* OK hi\r\n", {**IMAP, "STARTTLS": "{tag} OK go\r\n"}),
        (lambda liar: check(smtp_at(liar)), "220 hi\r\n", {**SMTP, "STARTTLS": "454 4.7.0 later\r\n"}),
        (lambda liar: check(smtp_at(liar)), "220 hi\r\n", {**SMTP, "STARTTLS": "220 go\r\n"}),
    ],
    ids=["IMAP: no", "IMAP: plain", "SMTP: no", "SMTP: plain"],
)
def test_where_tls_does_not_come_about_no_password_is_sent(
    attempt: Callable[[Liar], None], greeting: str, replies: dict[str, str]
):
    with Liar(greeting, replies) as liar, pytest.raises(MailboxError):
        attempt(liar)

    assert not [line for line in liar.heard if "AUTH" in line.upper() or "LOGIN" in line.upper()]


def test_a_password_is_not_sent_where_the_server_forbids_it():
    replies = {**IMAP, "CAPABILITY": "* CAPABILITY IMAP4rev1 LOGINDISABLED\r\n{tag} OK done\r\n"}

    with Liar("* OK hi\r\n", replies) as liar, pytest.raises(LoginRefused, match="only over TLS"):
        looks_in(imap_at(liar, security="none"))

    assert not [line for line in liar.heard if "LOGIN" in line]


def test_a_link_that_is_cut_under_tls_is_no_end_of_an_answer(make_mail_server: MakeMailServer):
    server = make_mail_server(security="tls")
    server.deliver(b"Subject: lek\r\n\r\n" + b"x" * 500_000, to=CVD)
    with (
        FragileLink(server.imap_port) as link,
        IntakeMailbox(imap_account(server, port=link.port)) as mailbox,
    ):
        link.cut_after(100_000)
        with pytest.raises(ServerUnreachable):
            mailbox.fetch(1)

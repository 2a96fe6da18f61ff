"""Mail leaving over SMTP: against a real listener, and against servers that refuse, stall and lie."""

import logging
from collections.abc import Callable
from contextlib import suppress

import pytest
from meldbalie.mailbox.errors import (
    ConnectionNotPrivate,
    LoginRefused,
    MailboxError,
    MailRefused,
    RecipientRefused,
    ServerRefused,
    ServerUnreachable,
)
from meldbalie.mailbox.smtp import SmtpServer, check, send
from meldbalie.tests import mailserver_fixtures
from meldbalie.tests.mailserver_fixtures import (
    CVD,
    PASSWORD,
    REPORTER,
    FragileLink,
    Liar,
    MakeMailServer,
    smtp_server,
)

open_directory = mailserver_fixtures.open_directory
make_mail_server = mailserver_fixtures.make_mail_server
mail_server = mailserver_fixtures.mail_server

MAIL = b"From: cvd@voorbeeld.example\r\nSubject: ontvangen\r\n\r\n.\r\n..\r\n.x\r\nFrom hier\r\n \t\r\n"
HELLO = "250-liar\r\n250 8BITMIME\r\n"
FRIENDLY = {
    "EHLO": HELLO,
    "HELO": None,
    "QUIT": "221 bye\r\n",
    "MAIL": "250 OK\r\n",
    "RCPT": "250 OK\r\n",
    "DATA": "354 go\r\n",
}


def liar_server(liar: Liar, **changes: object) -> SmtpServer:
    options = {"host": "127.0.0.1", "port": liar.port, "security": "none", "timeout": 5.0}
    return SmtpServer(**{**options, **changes})


def send_to(server: SmtpServer, *, recipient: str = REPORTER, message: bytes = MAIL) -> None:
    send(message, sender=CVD, recipient=recipient, via=server)


def body_of(delivered: bytes) -> bytes:
    """What was sent, without the four trace lines that the listener puts in front."""
    return delivered.split(b"\r\n", 4)[4]


def test_a_mail_arrives_byte_for_byte(mail_server: mailserver_fixtures.LocalMailServer):
    send_to(smtp_server(mail_server))

    (delivered,) = mail_server.wait_for_mail(REPORTER)
    assert body_of(delivered) == MAIL
    assert delivered.startswith(b"Return-Path: <cvd@voorbeeld.example>\r\n")


def test_a_mail_with_8_bit_bytes_and_3_megabytes_arrives_byte_for_byte(mail_server):
    message = MAIL + b"\xc3\xa9 \xff\x01\r\n" * (3 * 2**20 // 7)

    send_to(smtp_server(mail_server), message=message)

    (delivered,) = mail_server.wait_for_mail(REPORTER)
    assert body_of(delivered) == message


def test_automatic_mail_leaves_with_an_empty_return_path(mail_server):
    send(MAIL, sender="", recipient=REPORTER, via=smtp_server(mail_server))

    (delivered,) = mail_server.wait_for_mail(REPORTER)
    assert delivered.startswith(b"Return-Path: <>\r\n")


@pytest.mark.parametrize("security", ["none", "starttls", "tls"])
def test_a_login_lets_mail_through(make_mail_server: MakeMailServer, security: str):
    server = make_mail_server(security=security, smtp_login=True)

    check(smtp_server(server, user=CVD, password=PASSWORD))
    send_to(smtp_server(server, user=CVD, password=PASSWORD))

    assert len(server.wait_for_mail(REPORTER)) == 1


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_wrong_password_is_told_without_it(make_mail_server: MakeMailServer, security: str):
    server = make_mail_server(security=security)
    wrong = smtp_server(server, user=CVD, password="verkeerd é")

    with pytest.raises(LoginRefused, match=r"535.*correct the user and the password") as refused:
        check(wrong)

    assert "verkeerd" not in str(refused.value) + repr(wrong)


def test_a_server_that_wants_a_login_refuses_no_mail(make_mail_server: MakeMailServer):
    server = make_mail_server(smtp_login=True)

    with pytest.raises(LoginRefused, match="530"):
        send_to(smtp_server(server))


def test_a_login_at_a_server_that_knows_none_is_refused():
    with Liar("220 hi\r\n", FRIENDLY) as liar, pytest.raises(LoginRefused):
        check(liar_server(liar, user=CVD, password=PASSWORD))


def test_a_login_that_fails_for_now_is_worth_another_try():
    replies = {"EHLO": "250-liar\r\n250 AUTH PLAIN\r\n", "AUTH": "454 4.7.0 later\r\n"}
    with Liar("220 hi\r\n", replies) as liar, pytest.raises(ServerUnreachable, match=r"454 4\.7\.0"):
        check(liar_server(liar, user=CVD, password=PASSWORD))


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_of_an_unknown_authority_is_refused(make_mail_server: MakeMailServer, security: str):
    server = make_mail_server(security=security)

    with pytest.raises(ConnectionNotPrivate, match="not trusted"):
        send_to(smtp_server(server, ca_file=None))

    assert server.mails(REPORTER) == []


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_for_another_name_is_refused(make_mail_server: MakeMailServer, security: str):
    server = make_mail_server(security=security)

    with FragileLink(server.smtp_port, host="127.0.0.2") as link, pytest.raises(ConnectionNotPrivate):
        send_to(smtp_server(server, host="127.0.0.2", port=link.port))


def test_without_starttls_nothing_is_said():
    with Liar("220 hi\r\n", FRIENDLY) as liar, pytest.raises(ConnectionNotPrivate, match="STARTTLS"):
        send_to(liar_server(liar, security="starttls", user=CVD, password=PASSWORD))

    assert [line.split()[0] for line in liar.heard] == ["ehlo"]


def test_a_plain_connection_to_another_machine_is_refused():
    with pytest.raises(ConnectionNotPrivate, match=r"mail\.voorbeeld\.example:25"):
        send_to(SmtpServer("mail.voorbeeld.example", 25, "none"))


def test_an_unknown_recipient_is_refused_without_naming_anybody(mail_server):
    with pytest.raises(RecipientRefused, match=r"550 5\.1\.1") as refused:
        send_to(smtp_server(mail_server), recipient="niemand@elders.example")

    assert "niemand" not in str(refused.value)


@pytest.mark.parametrize(
    ("at", "reply", "outcome"),
    [
        ("MAIL", "550 5.7.1 not from you\r\n", MailRefused),
        ("MAIL", "451 4.3.0 later\r\n", ServerUnreachable),
        ("MAIL", "530 5.7.0 TLS first\r\n", LoginRefused),
        ("RCPT", "550 5.1.1 <melder@elders.example> unknown\r\n", RecipientRefused),
        ("RCPT", "450 4.2.0 greylisted\r\n", ServerUnreachable),
        ("RCPT", "421 4.3.2 closing\r\n", ServerUnreachable),
        ("RCPT", None, ServerUnreachable),
        ("DATA", "554 5.6.0 no\r\n", MailRefused),
        ("DATA", "451 4.3.0 later\r\n", ServerUnreachable),
        ("DATA", None, ServerUnreachable),
        ("DATA", "not a reply at all\r\n", ServerUnreachable),
        ("ontvangen", None, ServerUnreachable),
        ("FINIS", "552 5.3.4 too big\r\n", MailRefused),
        ("FINIS", "450 4.7.1 later\r\n", ServerUnreachable),
        ("EHLO", "421 too many\r\n", ServerUnreachable),
    ],
)
def test_a_reply_means_what_rfc_5321_says(at: str, reply: str | None, outcome: type[MailboxError]):
    replies = {at: reply, **{word: said for word, said in FRIENDLY.items() if word != at}}
    with Liar("220 hi\r\n", replies) as liar, pytest.raises(MailboxError) as raised:
        send_to(liar_server(liar), message=MAIL + b"FINIS\r\n")

    assert type(raised.value) is outcome
    assert "melder" not in str(raised.value)
    assert raised.value.__suppress_context__ or raised.value.__context__ is None


def test_a_mail_that_was_accepted_counts_as_sent_whatever_happens_at_goodbye():
    with Liar("220 hi\r\n", {**FRIENDLY, "FINIS": "250 taken\r\n", "QUIT": None}) as liar:
        send_to(liar_server(liar), message=MAIL + b"FINIS\r\n")

    assert liar.heard[-1] == "quit"


@pytest.mark.parametrize(
    ("greeting", "outcome"),
    [
        ("554 go away\r\n", ServerRefused),
        ("421 busy\r\n", ServerUnreachable),
        ("* OK this is IMAP\r\n", ServerUnreachable),
    ],
)
def test_a_server_that_does_not_greet_is_no_fault_of_the_mail(greeting: str, outcome: type[MailboxError]):
    with Liar(greeting, {}) as liar, pytest.raises(MailboxError) as raised:
        send_to(liar_server(liar))

    assert type(raised.value) is outcome
    assert f"127.0.0.1:{liar.port}" in str(raised.value)


@pytest.mark.parametrize("attempt", [check, send_to], ids=["check", "send"])
def test_a_server_that_is_not_there_is_unreachable(mail_server, attempt: Callable[[SmtpServer], None]):
    away = smtp_server(mail_server)
    mail_server.stop()

    with pytest.raises(ServerUnreachable, match=f"127.0.0.1:{away.port}"):
        attempt(away)


@pytest.mark.parametrize("security", ["none", "starttls"])
def test_a_link_that_is_cut_after_any_number_of_bytes_is_never_the_fault_of_the_mail(
    make_mail_server: MakeMailServer, security: str
):
    server = make_mail_server(security=security, smtp_login=True)
    login = {"user": CVD, "password": PASSWORD}
    with FragileLink(server.smtp_port) as link:
        send_to(smtp_server(server, port=link.port, **login))
        whole, sent = link.bytes_back, 1

    for number in range(0, whole, whole // 25):
        with FragileLink(server.smtp_port) as link:
            link.cut_after(number)
            # A greeting that is cut in the middle offers neither STARTTLS nor a login.
            with suppress(ServerUnreachable, LoginRefused, ConnectionNotPrivate):
                send_to(smtp_server(server, port=link.port, **login))
                sent += 1

    delivered = [body_of(mail) for mail in server.mails(REPORTER)]
    assert sent <= len(delivered) <= sent + 3  # taken, but our link broke before the server could say so
    assert set(delivered) == {MAIL}


def test_a_link_that_has_died_in_silence_is_noticed(mail_server):
    with FragileLink(mail_server.smtp_port) as link:
        link.freeze()
        with pytest.raises(ServerUnreachable, match="no answer in time"):
            send_to(smtp_server(mail_server, port=link.port, timeout=0.3))


@pytest.mark.parametrize(
    "address",
    [
        "geen-adres",
        "a@b.example\r\nRCPT TO:<c@d.example>",
        "a b@c.example",
        "<a@b.example>",
        "a@b.example>",
        "jöé@b.example",
        '"a b"@c.example',
        "",
        "@b.example",
        "a@",
        "a@b..example\n",
    ],
)
def test_an_address_that_smtp_cannot_carry_is_refused_before_anything_is_said(address: str):
    with Liar("220 hi\r\n", FRIENDLY) as liar, pytest.raises(RecipientRefused) as refused:
        send_to(liar_server(liar), recipient=address)

    assert liar.heard == []
    assert not address or address not in str(refused.value)


def test_a_domain_in_another_script_goes_as_punycode():
    with Liar("220 hi\r\n", {**FRIENDLY, "FINIS": "250 taken\r\n"}) as liar:
        send_to(liar_server(liar), recipient="melder@straße.example", message=MAIL + b"FINIS\r\n")

    assert "rcpt TO:<melder@xn--strae-oqa.example>" in liar.heard


@pytest.mark.parametrize("message", [b"a\nb\r\n", b"a\rb\r\n", b"a\r\n.\n\r\n", b"\r", b"\n"])
def test_a_mail_that_two_servers_could_read_as_two_is_refused(message: bytes):
    with Liar("220 hi\r\n", FRIENDLY) as liar, pytest.raises(MailRefused, match="CRLF"):
        send_to(liar_server(liar), message=message)


def test_a_mail_with_8_bit_bytes_is_refused_where_only_7_go():
    with Liar("220 hi\r\n", {**FRIENDLY, "EHLO": "250 liar\r\n"}) as liar, pytest.raises(MailRefused):
        send_to(liar_server(liar), message=b"\xc3\xa9\r\n")


def test_no_log_tells_who_gets_mail(mail_server, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)

    send_to(smtp_server(mail_server))

    assert REPORTER not in caplog.text
    assert "ontvangen" not in caplog.text

"""Logins with an access token: at a real Dovecot for IMAP, at its submission service for SMTP."""

import base64
import logging
import tempfile
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from meldbalie.flows.operator.mailserver import LocalMailServer
from meldbalie.mailbox.access_token import TokenEndpoint, TokenFile
from meldbalie.mailbox.errors import LoginRefused, ServerUnreachable, TokenRefused
from meldbalie.mailbox.imap import ImapAccount, IntakeMailbox
from meldbalie.mailbox.smtp import SmtpServer, check, send
from meldbalie.tests import mailserver_fixtures
from meldbalie.tests.identity_provider import CLIENT, SECRET, IdentityProvider, believing, jwt, submitting
from meldbalie.tests.mailserver_fixtures import (
    CVD,
    PASSWORD,
    REPORTER,
    Liar,
    MakeMailServer,
    imap_account,
)
from meldbalie.tests.ports import free_port

open_directory = mailserver_fixtures.open_directory
make_mail_server = mailserver_fixtures.make_mail_server

MAIL = b"From: cvd@voorbeeld.example\r\nSubject: ontvangen\r\n\r\nx\r\n"


@dataclass
class Provider:
    """A mail provider that takes tokens: its IMAP, its submission, and where mail arrives."""

    mail: LocalMailServer
    submission_port: int

    def imap(self, tokens: object) -> ImapAccount:
        return replace(imap_account(self.mail, host="localhost"), password="", tokens=tokens)

    def smtp(self, tokens: object) -> SmtpServer:
        return SmtpServer(
            host="localhost",
            port=self.submission_port,
            security=self.mail.security,
            user=CVD,
            ca_file=self.mail.ca_file,
            timeout=10.0,
            tokens=tokens,
        )

    def logs_in(self, protocol: str, tokens: object, password: str = "") -> None:
        """Log in by one of the two, and out again."""
        if protocol == "imap":
            looks_in(replace(self.imap(tokens), password=password))
        else:
            check(replace(self.smtp(tokens), password=password))


def looks_in(account: ImapAccount) -> None:
    """Log in for IMAP, and out again."""
    with IntakeMailbox(account):
        pass


def at(liar: Liar, tokens: object) -> ImapAccount:
    """CVD's account at a liar."""
    return ImapAccount("127.0.0.1", liar.port, "none", CVD, "", timeout=5.0, tokens=tokens)


MakeProvider = Callable[..., Provider]


@pytest.fixture
def make_provider(make_mail_server: MakeMailServer, open_directory: Path) -> Iterator[MakeProvider]:
    """Make a provider; the keyword is which mechanisms it takes."""

    def make(mechanisms: str = "xoauth2 oauthbearer", **options: Any) -> Provider:
        directory = Path(tempfile.mkdtemp(dir=open_directory))
        directory.chmod(0o755)
        relay, submission = free_port(), free_port()
        lines = believing(directory, mechanisms=mechanisms) + submitting(port=submission, relay=relay)
        options = {"security": "starttls", **options}
        return Provider(make_mail_server(dovecot=lines, smtp_port=relay, **options), submission)

    return make


def token_file(directory: Path, token: str) -> TokenFile:
    file = directory / "access.token"
    file.write_text(token)
    return TokenFile(file)


def endpoint(provider: IdentityProvider) -> TokenEndpoint:
    return TokenEndpoint(provider.url, CLIENT, SECRET)


both_protocols = pytest.mark.parametrize("protocol", ["imap", "smtp"])
both_mechanisms = pytest.mark.parametrize("mechanism", ["xoauth2", "oauthbearer"])


@both_mechanisms
def test_a_token_opens_the_mailbox_and_sends_mail(
    make_provider: MakeProvider, tmp_path: Path, mechanism: str
):
    provider = make_provider(mechanism)
    tokens = token_file(tmp_path, jwt(CVD))
    provider.mail.deliver(MAIL, to=CVD)

    with IntakeMailbox(provider.imap(tokens)) as mailbox:
        assert len(mailbox.waiting()) == 1
    send(MAIL, sender=CVD, recipient=REPORTER, via=provider.smtp(tokens))

    (arrived,) = provider.mail.wait_for_mail(REPORTER)
    assert arrived.endswith(b"\r\n\r\nx\r\n")


@both_protocols
@both_mechanisms
@pytest.mark.parametrize(
    "token",
    [jwt(CVD, expires=-100), jwt(CVD, key=b"another key"), jwt("iemand@elders.example"), "ya29.geen-jwt"],
    ids=["expired", "forged", "somebody else's", "no JWT"],
)
def test_a_token_that_is_refused_is_told_without_it(
    make_provider: MakeProvider,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    protocol: str,
    mechanism: str,
    token: str,
):
    caplog.set_level(logging.DEBUG)
    provider = make_provider(mechanism)
    tokens = token_file(tmp_path, token)

    with pytest.raises(TokenRefused, match=r"refuses the access token in .*access\.token") as refused:
        provider.logs_in(protocol, tokens)

    told = "".join(traceback.format_exception(refused.value)) + caplog.text
    assert token not in told + repr(provider.imap(tokens)) + repr(provider.smtp(tokens))


@both_protocols
def test_a_token_that_was_withdrawn_before_its_time_is_renewed_once(
    make_provider: MakeProvider, protocol: str
):
    provider = make_provider()
    with IdentityProvider(CVD) as identity:
        tokens = endpoint(identity)
        identity.lasts = -100  # it is said to be good for an hour, and is not
        withdrawn = tokens.current()
        identity.lasts = 3600

        provider.logs_in(protocol, tokens)

        assert len(identity.forms) == 2
        assert tokens.current() != withdrawn


@both_protocols
def test_tokens_that_are_refused_again_and_again_are_not_asked_for_without_end(
    make_provider: MakeProvider, protocol: str
):
    provider = make_provider()
    with IdentityProvider("iemand@elders.example") as identity:
        with pytest.raises(TokenRefused, match=r"of cvd@voorbeeld\.example .*see whether") as refused:
            provider.logs_in(protocol, endpoint(identity))

        assert len(identity.forms) == 2
        assert SECRET not in str(refused.value)


@both_protocols
def test_a_token_is_not_shown_to_a_server_that_takes_none(
    make_provider: MakeProvider, tmp_path: Path, protocol: str
):
    provider = make_provider("plain")

    with pytest.raises(LoginRefused, match=r'takes no access tokens: set login to "password"'):
        provider.logs_in(protocol, token_file(tmp_path, jwt(CVD)))


@both_protocols
def test_a_password_at_a_server_that_takes_tokens_only_is_told_to_be_the_wrong_login(
    make_provider: MakeProvider, protocol: str
):
    provider = make_provider()

    with pytest.raises(LoginRefused, match=r'access tokens only: set login to "token"'):
        provider.logs_in(protocol, None, password=PASSWORD)


def test_without_a_token_no_server_is_asked(tmp_path: Path):
    tokens = TokenFile(tmp_path / "access.token")
    with Liar("", {}) as liar:
        with pytest.raises(LoginRefused, match=r"access\.token cannot be read"):
            looks_in(at(liar, tokens))
        with pytest.raises(LoginRefused, match=r"access\.token cannot be read"):
            check(SmtpServer("127.0.0.1", liar.port, "none", CVD, tokens=tokens))

    assert liar.heard == []


CHALLENGE = base64.b64encode(b'{"status": "insufficient_scope", "scope": "geheim"}').decode()


@pytest.mark.parametrize(("mechanism", "gives_in"), [("XOAUTH2", ""), ("OAUTHBEARER", "AQ==")])
@pytest.mark.parametrize(
    ("challenge", "says"),
    [
        (CHALLENGE, "its scope does not include this service"),
        ("", "it does not say why"),
        (base64.b64encode(b"[1]").decode(), "it does not say why"),
        (base64.b64encode(b'{"status": "geheim"}').decode(), "it does not say why"),
        (base64.b64encode(b"\xff{").decode(), "it does not say why"),
    ],
    ids=["scope", "empty", "no object", "unknown", "no text"],
)
def test_a_challenge_is_answered_as_the_protocol_demands(
    tmp_path: Path, mechanism: str, gives_in: str, challenge: str, says: str
):
    tokens = Renewing()
    said_first = base64.b64encode(b"user=c" if mechanism == "XOAUTH2" else b"n,a=cv").decode()
    replies = {
        "CAPABILITY": f"* CAPABILITY IMAP4rev1 AUTH={mechanism}\r\n{{tag}} OK done\r\n",
        "AUTHENTICATE": "+ \r\n",
        said_first: f"+ {challenge}\r\n",
        gives_in or "\n": "{tag} NO refused\r\n",
    }
    with Liar("* OK hi\r\n", replies) as liar, pytest.raises(TokenRefused) as refused:
        looks_in(at(liar, tokens))

    assert says in str(refused.value)
    assert "geheim" not in str(refused.value)
    assert tokens.asked == 2
    assert liar.heard.count(gives_in) == 2


@pytest.mark.parametrize(("mechanism", "gives_in"), [("XOAUTH2", ""), ("OAUTHBEARER", "AQ==")])
def test_an_smtp_challenge_is_answered_as_the_protocol_demands(mechanism: str, gives_in: str):
    tokens = Renewing()
    replies = {
        "EHLO": f"250-liar\r\n250 AUTH {mechanism}\r\n",
        "AUTH": f"334 {CHALLENGE}\r\n",
        gives_in or "\n": "535 5.7.8 geheim\r\n",
    }
    with Liar("220 hi\r\n", replies) as liar, pytest.raises(TokenRefused, match="its scope") as refused:
        check(SmtpServer("127.0.0.1", liar.port, "none", CVD, timeout=5.0, tokens=tokens))

    assert "geheim" not in str(refused.value)
    assert liar.heard.count(gives_in) == 2


def test_a_refusal_without_a_challenge_is_told_by_its_numbers():
    replies = {"EHLO": "250-liar\r\n250 AUTH XOAUTH2\r\n", "AUTH": "535 5.7.139 geheim is off\r\n"}
    with Liar("220 hi\r\n", replies) as liar, pytest.raises(TokenRefused, match=r"535 5\.7\.139") as refused:
        check(SmtpServer("127.0.0.1", liar.port, "none", CVD, timeout=5.0, tokens=Renewing()))

    assert "geheim" not in str(refused.value)


def test_a_server_that_takes_no_logins_for_now_uses_up_no_token():
    tokens = Renewing()
    replies = {"EHLO": "250-liar\r\n250 AUTH XOAUTH2\r\n", "AUTH": "454 4.7.0 later\r\n"}
    with Liar("220 hi\r\n", replies) as liar, pytest.raises(ServerUnreachable, match=r"454 4\.7\.0"):
        check(SmtpServer("127.0.0.1", liar.port, "none", CVD, timeout=5.0, tokens=tokens))

    replies = {
        "CAPABILITY": "* CAPABILITY IMAP4rev1 AUTH=XOAUTH2\r\n{tag} OK done\r\n",
        "AUTHENTICATE": "{tag} NO [UNAVAILABLE] later\r\n",
    }
    with Liar("* OK hi\r\n", replies) as liar, pytest.raises(ServerUnreachable, match="UNAVAILABLE"):
        looks_in(at(liar, tokens))

    assert tokens.asked == 2


class Renewing:
    """A source that always has another token."""

    asked = 0

    def current(self, *, instead_of: str = "") -> str:
        self.asked += 1
        return f"token-{self.asked}"


def test_where_password_and_token_are_taken_the_setting_decides(make_provider: MakeProvider, tmp_path: Path):
    provider = make_provider("plain xoauth2")
    by_password = replace(provider.imap(None), password=PASSWORD)

    with IntakeMailbox(by_password), IntakeMailbox(provider.imap(token_file(tmp_path, jwt(CVD)))):
        pass
    check(replace(provider.smtp(None), password=PASSWORD))

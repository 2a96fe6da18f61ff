"""How mail leaves: one message to one recipient, over SMTP.

Who retries asks the class: :class:`ServerUnreachable` is worth another try, :class:`MailRefused` and
:class:`RecipientRefused` never for this mail, :class:`LoginRefused` and :class:`ConnectionNotPrivate`
once an operator has acted. No exception repeats an address or what the server said about it.
"""

import re
import smtplib
import socket
import ssl
from base64 import b64decode, b64encode
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import idna

from .access_token import AccessTokens
from .connection import Security, failure, refuse_plaintext_beyond_loopback, verifying_context
from .errors import (
    ConnectionNotPrivate,
    LoginRefused,
    MailboxError,
    MailRefused,
    RecipientRefused,
    ServerRefused,
    ServerUnreachable,
)
from .login import Bearer, logged_in, no_password_login, token_refused

_BARE_LINE_END = re.compile(rb"\r(?!\n)|(?<!\r)\n")
_ADDRESS = re.compile(r"[\x21-\x7e]+@[A-Za-z0-9.\[\]:-]+")
_GOODBYE_SECONDS = 2.0
_NOT_LOGGED_IN = {530, 534, 538}
_GO_ON = 334  # RFC 4954


@dataclass(frozen=True)
class SmtpServer:
    """The submission server or relay that takes our mail; without a user nobody logs in.

    With ``tokens`` we log in with an access token, and the password is not used.
    """

    host: str
    port: int
    security: Security
    user: str = ""
    password: str = field(default="", repr=False)
    ca_file: Path | None = None
    timeout: float = 30.0
    tokens: AccessTokens | None = field(default=None, repr=False)


def send(message: bytes, *, sender: str, recipient: str, via: SmtpServer) -> None:
    """Hand one message over for one recipient, its bytes unchanged.

    ``sender`` is the envelope sender, empty for automatic mail that must not bounce. When the link
    breaks after the last byte nobody knows whether the server took it: that is told as
    :class:`ServerUnreachable`, so a retry may deliver twice, with the same Message-ID.
    """
    if _BARE_LINE_END.search(message):  # what two servers read as two mails (SMTP smuggling)
        raise MailRefused("the mail has a line that does not end in CRLF: compose it anew")
    return_path = _for_the_wire(sender) if sender else ""
    address = _for_the_wire(recipient)
    with _session(via) as server:
        _require(server.mail(return_path, _options(server, message)), via, "naming the sender")
        _require(server.rcpt(address), via, "naming the recipient", RecipientRefused)
        _require(server.data(message), via, "handing the mail over")


def check(via: SmtpServer) -> None:
    """Connect, log in and hang up; raises what :func:`send` would raise."""
    with _session(via) as server:
        _require(server.noop(), via, "asking for an answer")


@contextmanager
def _session(via: SmtpServer) -> Generator[smtplib.SMTP]:
    """A connection that has said EHLO, is private and is logged in."""
    refuse_plaintext_beyond_loopback(via)
    server = logged_in(via, lambda secret: _opened(via, secret)) if via.user else _opened(via, "")
    try:
        with _translated(via, "sending", MailRefused):
            yield server
        with suppress(OSError):  # the mail is accepted by now
            if server.sock is not None:
                server.sock.settimeout(min(via.timeout, _GOODBYE_SECONDS))
            server.quit()
    finally:
        server.close()


def _opened(via: SmtpServer, secret: str) -> smtplib.SMTP:
    context = None if via.security == "none" else verifying_context(via)
    with _translated(via, "connecting"):
        server = _connected(via, context)
    try:
        with _translated(via, "greeting"):
            server.ehlo_or_helo_if_needed()
            if context is not None and via.security == "starttls":
                _start_tls(server, via, context)
            if via.user:
                _log_in(server, via, secret)
    except BaseException:
        server.close()
        raise
    return server


def _connected(via: SmtpServer, context: ssl.SSLContext | None) -> smtplib.SMTP:
    name = socket.gethostname()  # the default asks the DNS, which may take long
    own = name if "." in name else "[127.0.0.1]"
    if context is not None and via.security == "tls":
        return smtplib.SMTP_SSL(via.host, via.port, local_hostname=own, timeout=via.timeout, context=context)
    return smtplib.SMTP(via.host, via.port, local_hostname=own, timeout=via.timeout)


def _start_tls(server: smtplib.SMTP, via: SmtpServer, context: ssl.SSLContext) -> None:
    if not server.has_extn("starttls"):
        raise ConnectionNotPrivate(
            f"{via.host}:{via.port} does not offer STARTTLS, so nothing was sent: set security to"
            ' "tls" if it speaks TLS on this port, or have STARTTLS switched on'
        )
    server.starttls(context=context)
    server.ehlo_or_helo_if_needed()


def _log_in(server: smtplib.SMTP, via: SmtpServer, secret: str) -> None:
    offered = set(str(server.esmtp_features.get("auth", "")).upper().split())
    if via.tokens is not None:
        _show_token(server, via, Bearer.of(via, secret, offered))
        return
    if not offered & {"PLAIN", "LOGIN", "CRAM-MD5"}:
        raise no_password_login(via, offered)
    try:
        if "PLAIN" in offered:
            login = b64encode(f"\0{via.user}\0{secret}".encode()).decode("ascii")
            _require(server.docmd("AUTH PLAIN", login), via, "logging in", LoginRefused)
        else:
            server.login(via.user, secret)
    except smtplib.SMTPAuthenticationError as error:
        raise _meaning(error.smtp_code, b"", via, "logging in", LoginRefused) from None
    except UnicodeEncodeError:  # it quotes the password
        raise LoginRefused(
            f"{via.host}:{via.port} takes no password with other characters than ASCII: change it"
        ) from None


def _show_token(server: smtplib.SMTP, via: SmtpServer, bearer: Bearer) -> None:
    code, text = server.docmd(f"AUTH {bearer.mechanism}", b64encode(bearer.says).decode("ascii"))
    challenge = b""
    if code == _GO_ON:
        with suppress(ValueError):
            challenge = b64decode(text)
        code, text = server.docmd(b64encode(bearer.gives_in).decode("ascii"))
    if 500 <= code < 600:
        raise token_refused(via, challenge, answered=_numbers(code, text))
    _require((code, text), via, "logging in", LoginRefused)


def _options(server: smtplib.SMTP, message: bytes) -> list[str]:
    if message.isascii():
        return []
    if server.has_extn("8bitmime"):
        return ["BODY=8BITMIME"]
    raise MailRefused("the mail has bytes above 127 and the server takes 7-bit mail only: compose it anew")


def _require(
    answer: tuple[int, bytes],
    via: SmtpServer,
    attempted: str,
    refusal: type[ServerRefused] = MailRefused,
) -> None:
    code, text = answer
    if not 200 <= code < 300:
        raise _meaning(code, text, via, attempted, refusal)


def _meaning(
    code: int, text: bytes, via: SmtpServer, attempted: str, refusal: type[ServerRefused]
) -> MailboxError:
    """What a reply code other than 2xx means: 4xx is later, 5xx is never (RFC 5321 4.2.1)."""
    said = f"{via.host}:{via.port} answered {_numbers(code, text)} while {attempted}"
    if code in _NOT_LOGGED_IN:
        return LoginRefused(f"{said}: it wants a login, or TLS before the login")
    if 500 <= code < 600:
        return refusal(f"{said}: {_WAY_OUT[refusal]}")
    return ServerUnreachable(f"{said}: it may take it later")


def _numbers(code: int, text: bytes) -> str:
    enhanced = re.match(rb"[245]\.\d{1,3}\.\d{1,3}\b", text)  # RFC 3463: numbers, never an address
    return f"{code} {enhanced[0].decode('ascii')}" if enhanced else str(code)


_WAY_OUT: dict[type[ServerRefused], str] = {
    ServerRefused: "it serves nobody from here; ask whoever runs it, or name another server",
    LoginRefused: "correct the user and the password in the settings",
    MailRefused: "it does not take this mail; its log says why",
    RecipientRefused: "it takes no mail for this recipient; see whether the address is right",
}


def _for_the_wire(address: str) -> str:
    """The address in ASCII, with the domain in punycode."""
    local, _, domain = address.rpartition("@")
    try:
        wired = f"{local}@{domain if domain.isascii() else idna.encode(domain, uts46=True).decode()}"
    except UnicodeError:
        wired = ""
    if not _ADDRESS.fullmatch(wired) or set(wired) & set('<>\\" ,;'):
        raise RecipientRefused(
            "an address is not one that SMTP carries without extensions: it must be local@domain,"
            " without spaces and quotes, and with ASCII characters only before the @"
        )
    return wired


@contextmanager
def _translated(
    via: SmtpServer, attempted: str, refusal: type[ServerRefused] = ServerRefused
) -> Generator[None]:
    """Turn what smtplib and sockets raise into our own, which quotes no address and no password."""
    try:
        yield
    except smtplib.SMTPResponseException as error:
        text = error.smtp_error if isinstance(error.smtp_error, bytes) else b""
        raise _meaning(error.smtp_code, text, via, attempted, refusal) from None
    except OSError as error:  # smtplib's exceptions are all of this kind, and hide the cause
        hidden = error.__context__ if isinstance(error, smtplib.SMTPException) else None
        raise failure(via, attempted, hidden if isinstance(hidden, OSError) else error) from None

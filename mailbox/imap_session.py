"""An IMAP session that is private and logged in, or one of our own exceptions.

No failure quotes the server: imaplib puts the line that it did not understand into its exceptions,
and such a line is a line of somebody's report.
"""

import logging
import select
import socket
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from ssl import SSLContext, SSLWantReadError
from typing import Any, Protocol, cast

from imapclient import IMAPClient, SocketTimeout
from imapclient.exceptions import IMAPClientAbortError, IMAPClientError, LoginError, ProtocolError

from .access_token import AccessTokens
from .connection import (
    Security,
    failure,
    refuse_plaintext_beyond_loopback,
    response_code,
    verifying_context,
)
from .errors import ConnectionNotPrivate, LoginRefused
from .login import Bearer, logged_in, no_password_login, token_refused

# At level DEBUG it writes every line of every mail into the log.
logging.getLogger("imapclient").setLevel(logging.WARNING)

# The server said no, but may say yes later (RFC 5530).
LATER = {"UNAVAILABLE", "INUSE", "SERVERBUG", "LIMIT", "OVERQUOTA", "EXPUNGEISSUED"}


@dataclass(frozen=True)
class ImapAccount:
    """The account that reports arrive at; the timeout is in seconds, for connecting and each answer.

    With ``tokens`` we log in with an access token, and the password is not used.
    """

    host: str
    port: int
    security: Security
    user: str
    password: str = field(repr=False)
    ca_file: Path | None = None
    timeout: float = 30.0
    inbox: str = "INBOX"
    archive: str = "Archive"
    quarantine: str = "Quarantine"
    junk: str = ""
    tokens: AccessTokens | None = field(default=None, repr=False)


class Client(Protocol):
    """What we use of IMAPClient, with the types that it does not tell."""

    @property
    def welcome(self) -> bytes: ...
    def has_capability(self, capability: str) -> bool: ...
    def starttls(self, ssl_context: SSLContext | None = None) -> None: ...
    def login(self, username: str, password: str) -> object: ...
    def sasl_login(self, mech_name: str, mech_callable: Callable[[bytes], bytes]) -> object: ...
    def capabilities(self) -> Sequence[bytes]: ...
    def namespace(self) -> Sequence[Sequence[tuple[str, str]] | None]: ...
    def list_folders(self) -> list[tuple[Sequence[bytes], bytes, str]]: ...
    def folder_exists(self, folder: str) -> bool: ...
    def create_folder(self, folder: str) -> object: ...
    def subscribe_folder(self, folder: str) -> object: ...
    def select_folder(self, folder: str, readonly: bool = False) -> dict[bytes, Any]: ...
    def find_special_folder(self, folder_flag: bytes) -> str | None: ...
    def folder_status(self, folder: str, what: Sequence[str]) -> dict[bytes, int]: ...
    def search(self, criteria: str) -> list[int]: ...
    def fetch(self, messages: Sequence[int], data: Sequence[str]) -> dict[int, dict[bytes, Any]]: ...
    def copy(self, messages: Sequence[int], folder: str) -> object: ...
    def move(self, messages: Sequence[int], folder: str) -> object: ...
    def add_flags(self, messages: Sequence[int], flags: Sequence[bytes], silent: bool = False) -> object: ...
    def uid_expunge(self, messages: Sequence[int]) -> object: ...
    def noop(self) -> object: ...
    def idle(self) -> None: ...
    def socket(self) -> socket.socket: ...
    def idle_done(self) -> object: ...
    def logout(self) -> object: ...
    def shutdown(self) -> None: ...


def open_session(account: ImapAccount) -> Client:
    """A connection that is private and logged in.

    Raises :class:`ConnectionNotPrivate`, :class:`LoginRefused` or :class:`ServerUnreachable`; a
    password is sent only where TLS protects it, or on loopback when security is "none".
    """
    refuse_plaintext_beyond_loopback(account)
    return logged_in(account, lambda secret: _opened(account, secret))


def _opened(account: ImapAccount, secret: str) -> Client:
    context = None if account.security == "none" else verifying_context(account)
    client = _connected(account, context)
    try:
        with translated(account, "agreeing on TLS"):
            if account.security == "starttls":
                _start_tls(client, account, context)
        with translated(account, "logging in"):
            _log_in(client, account, secret)
    except BaseException:
        close(client)
        raise
    return client


def close(client: Client) -> None:
    """Drop the connection without a word, whatever state it is in."""
    with in_passing():
        client.shutdown()


def is_refusal(error: Exception) -> bool:
    """Whether the server answered with a no that stands; else the link broke, or it means later."""
    broken = isinstance(error, IMAPClientAbortError)
    return isinstance(error, IMAPClientError) and not broken and response_code(error) not in LATER


@contextmanager
def translated(account: ImapAccount, attempted: str) -> Generator[None]:
    """Turn what imaplib and sockets raise into our own, which quotes no mail and no password.

    IMAPClient raises ValueError and its like on an answer that it cannot read.
    """
    try:
        yield
    except (OSError, EOFError, IMAPClientError, ProtocolError, ValueError, LookupError) as error:
        raise failure(account, attempted, error) from None


def in_passing() -> suppress:
    """For what is done in passing: a failure of it changes nothing."""
    return suppress(OSError, EOFError, IMAPClientError, ProtocolError)


def wait_for_words(client: Client, seconds: float) -> None:
    """Return when the server has said something that nobody has read, or after so many seconds.

    IMAPClient's ``idle_check`` looks at the socket only, and so sleeps on words that came along with
    an earlier answer and wait in a buffer of ours or of TLS.
    """
    if not _has_unread(client):
        poll = select.poll()
        poll.register(client.socket(), select.POLLIN)
        poll.poll(seconds * 1000)


def _has_unread(client: Client) -> bool:
    link = client.socket()
    timeout = link.gettimeout()
    link.setblocking(False)
    try:
        return bool(cast("Any", client)._imap.file.peek(1))
    except SSLWantReadError:
        return False
    finally:
        link.settimeout(timeout)


def untagged(client: Client, name: str) -> Callable[[], bool]:
    """A question: has the server volunteered this response since the question was last asked?

    Responses to earlier commands are forgotten. IMAPClient keeps them to itself, imaplib tells.
    """
    told = cast("Callable[[str], tuple[str, list[object]]]", cast("Any", client)._imap.response)
    told(name)
    return lambda: told(name)[1] != [None]


def numbers_anew(client: Client) -> bool:
    """Whether the server told another UIDVALIDITY than that of the folder when it was opened."""
    return len(set(cast("Any", client)._imap.untagged_responses.get("UIDVALIDITY", ()))) > 1


def begin_to_idle(client: Client) -> bool:
    """Begin to idle; ``False`` where the server answers with a no."""
    try:
        client.idle()
    except IMAPClientError:
        inside = cast("Any", client)
        if not inside._imap.tagged_commands.pop(inside._idle_tag, None):
            raise
        return False
    return True


def _connected(account: ImapAccount, context: SSLContext | None) -> Client:
    with translated(account, "connecting"):
        client = IMAPClient(
            account.host,
            account.port,
            ssl=account.security == "tls",
            ssl_context=context,
            timeout=cast("float", SocketTimeout(account.timeout, account.timeout)),  # it takes both
        )
        # IMAPClient sends the end of a line by itself, which would wait 40 ms for an acknowledgement.
        client.socket().setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client.normalise_times = False  # or else times of arrival come without their zone
    return cast("Client", client)


def _start_tls(client: Client, account: ImapAccount, context: SSLContext | None) -> None:
    """Turn private; what was said before came from anybody, and is forgotten (RFC 9051, 6.2.1)."""
    if client.welcome.startswith(b"* PREAUTH"):  # then STARTTLS is not allowed any more
        raise ConnectionNotPrivate(
            f"{account.host}:{account.port} says that we are logged in before TLS, as somebody in between"
            ' would do: set security to "tls" if it speaks TLS on this port'
        )
    if not client.has_capability("STARTTLS"):
        raise ConnectionNotPrivate(
            f"{account.host}:{account.port} does not offer STARTTLS, so no password was sent: set"
            ' security to "tls" if it speaks TLS on this port, or have STARTTLS switched on'
        )
    client.starttls(context)
    cast("Any", client)._imap.untagged_responses.clear()


def _log_in(client: Client, account: ImapAccount, secret: str) -> None:
    told = {name.decode("ascii", "replace").upper() for name in client.capabilities()}
    offered = {name.removeprefix("AUTH=") for name in told if name.startswith("AUTH=")}
    if account.tokens is not None:
        _show_token(client, account, Bearer.of(account, secret, offered))
        return
    if "PLAIN" not in offered and "LOGINDISABLED" in told:
        raise no_password_login(account, offered)
    try:
        if "PLAIN" in offered:
            answer = f"\0{account.user}\0{secret}".encode()
            client.sasl_login("PLAIN", lambda _: answer)
        else:
            client.login(account.user, secret)
    except (LoginError, UnicodeEncodeError) as error:  # the second quotes the password
        if isinstance(error, LoginError) and not _is_a_no(error):
            raise
        raise LoginRefused(
            f"{account.host}:{account.port} refuses the login of {account.user}: correct the user"
            " and the password in the settings, and see whether the account may use IMAP"
        ) from None


def _is_a_no(error: LoginError) -> bool:
    """Whether the server refused the login; IMAPClient says so of a broken link as well."""
    return is_refusal(error) and not isinstance(error.__context__, IMAPClientAbortError)


def _show_token(client: Client, account: ImapAccount, bearer: Bearer) -> None:
    challenges: list[bytes] = []

    def answer(challenge: bytes) -> bytes:
        challenges.append(challenge)
        return bearer.says if len(challenges) == 1 else bearer.gives_in

    try:
        client.sasl_login(bearer.mechanism, answer)
    except LoginError as error:
        if not _is_a_no(error):
            raise
        raise token_refused(account, challenges[-1] if challenges else b"") from None

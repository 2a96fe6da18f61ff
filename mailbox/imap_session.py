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

from .connection import (
    Security,
    failure,
    refuse_plaintext_beyond_loopback,
    response_code,
    verifying_context,
)
from .errors import ConnectionNotPrivate, LoginRefused

# At level DEBUG it writes every line of every mail into the log.
logging.getLogger("imapclient").setLevel(logging.WARNING)

# The server said no, but may say yes later (RFC 5530).
LATER = {"UNAVAILABLE", "INUSE", "SERVERBUG", "LIMIT", "OVERQUOTA", "EXPUNGEISSUED"}


@dataclass(frozen=True)
class ImapAccount:
    """The account that reports arrive at; the timeout is in seconds, for connecting and each answer."""

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


class Client(Protocol):
    """What we use of IMAPClient, with the types that it does not tell."""

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
    def select_folder(self, folder: str) -> dict[bytes, Any]: ...
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
    context = None if account.security == "none" else verifying_context(account)
    client = _connected(account, context)
    try:
        with translated(account, "agreeing on TLS"):
            if account.security == "starttls":
                _start_tls(client, account, context)
        with translated(account, "logging in"):
            _log_in(client, account)
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


def _connected(account: ImapAccount, context: SSLContext | None) -> Client:
    with translated(account, "connecting"):
        client = IMAPClient(
            account.host,
            account.port,
            ssl=account.security == "tls",
            ssl_context=context,
            timeout=cast("float", SocketTimeout(account.timeout, account.timeout)),  # it takes both
        )
    client.normalise_times = False  # or else times of arrival come without their zone
    return cast("Client", client)


def _start_tls(client: Client, account: ImapAccount, context: SSLContext | None) -> None:
    if not client.has_capability("STARTTLS"):
        raise ConnectionNotPrivate(
            f"{account.host}:{account.port} does not offer STARTTLS, so no password was sent: set"
            ' security to "tls" if it speaks TLS on this port, or have STARTTLS switched on'
        )
    client.starttls(context)


def _log_in(client: Client, account: ImapAccount) -> None:
    try:
        if client.has_capability("AUTH=PLAIN"):
            answer = f"\0{account.user}\0{account.password}".encode()
            client.sasl_login("PLAIN", lambda _: answer)
        else:
            client.login(account.user, account.password)
    except (LoginError, UnicodeEncodeError) as error:  # the second quotes the password
        if isinstance(error, LoginError) and not is_refusal(error):
            raise
        raise LoginRefused(
            f"{account.host}:{account.port} refuses the login of {account.user}: correct the user"
            " and the password in the settings, and see whether the account may use IMAP"
        ) from None

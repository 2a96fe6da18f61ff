"""What IMAP and SMTP share: how a connection is kept private, and how a failure is told.

A failure is told in our own words: servers quote addresses, and imaplib quotes the lines it did
not understand, which are lines of a report. None of that may reach a log.
"""

import re
import ssl
from ipaddress import ip_address
from pathlib import Path
from typing import Literal, Protocol

from .errors import ConnectionNotPrivate, MailboxError, ServerUnreachable

Security = Literal["tls", "starttls", "none"]

# Response codes that a server may send (RFC 3501, 5530, 6851, 8474): safe to repeat.
_CODES = re.compile(
    r"\[(ALERT|ALREADYEXISTS|AUTHENTICATIONFAILED|AUTHORIZATIONFAILED|CANNOT|CLIENTBUG|CONTACTADMIN"
    r"|CORRUPTION|EXPIRED|EXPUNGEISSUED|INUSE|LIMIT|NONEXISTENT|NOPERM|OVERQUOTA|PRIVACYREQUIRED"
    r"|SERVERBUG|TRYCREATE|UNAVAILABLE)\]"
)


class Server(Protocol):
    """Where to connect to, and how."""

    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def security(self) -> Security: ...
    @property
    def ca_file(self) -> Path | None: ...


def refuse_plaintext_beyond_loopback(server: Server) -> None:
    """Raise :class:`ConnectionNotPrivate` for ``security = "none"`` to another machine."""
    if server.security == "none" and not _is_loopback(server.host):
        raise ConnectionNotPrivate(
            f"{server.host}:{server.port} is not on this machine, so a connection without TLS would"
            ' show the password and the mail to others: set security to "tls" or "starttls"'
        )


def verifying_context(server: Server) -> ssl.SSLContext:
    """A TLS context that trusts the server's ``ca_file``, or else the system's authorities."""
    try:
        return ssl.create_default_context(cafile=server.ca_file)
    except OSError as error:
        raise ConnectionNotPrivate(
            f"the certificates in {server.ca_file} cannot be read ({reason(error)}): correct the"
            " setting ca_file, or leave it out to trust the system's authorities"
        ) from None


def failure(server: Server, attempted: str, error: Exception) -> MailboxError:
    """Our exception for a broken connection, a silent server or an untrusted certificate."""
    where = f"{server.host}:{server.port}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return ConnectionNotPrivate(
            f"{where} shows a certificate that is not trusted while {attempted}"
            f" ({error.verify_message}): have it replaced, or name its authority in ca_file"
        )
    if isinstance(error, TimeoutError):
        return ServerUnreachable(
            f"{where} gave no answer in time while {attempted}: look whether it runs and whether a"
            " firewall is in between"
        )
    if response_code(error) == "OVERQUOTA":
        return ServerUnreachable(
            f"{where} failed while {attempted} (OVERQUOTA): make room in the mailbox, or raise its quota"
        )
    return ServerUnreachable(
        f"{where} failed while {attempted} ({reason(error)}): look whether it runs, and whether"
        " host, port and security in the settings fit it"
    )


def reason(error: Exception) -> str:
    """Why it failed, in words that cannot come out of a mail."""
    if isinstance(error, ssl.SSLError):
        return f"TLS: {error.reason or 'connection closed'}".replace("_", " ").lower()
    told = error.strerror if isinstance(error, OSError) else response_code(error)
    return told or "the connection broke off or the answer makes no sense"


def response_code(error: Exception) -> str:
    """The response code that an IMAP server put into its refusal, such as ``TRYCREATE``, or ``""``."""
    found = _CODES.search(str(error))
    return found[1] if found else ""


def _is_loopback(host: str) -> bool:
    try:
        return host.lower() == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False

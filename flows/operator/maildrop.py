"""Where the local mail server keeps mail, and the SMTP listener that fills it.

Mail lies in Maildirs, one for each address, in the layout that Dovecot reads (Maildir++: a folder
``Archive`` is the directory ``.Archive``). A message is written to ``tmp`` and then renamed into
``new``, so a reader never sees half of one. This is for a demonstration and for tests: it keeps
what it accepts on disk unencrypted and accepts mail from anybody on the same machine.
"""

import asyncio
import logging
import os
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from hmac import compare_digest
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

# It writes addresses into the log, and at level DEBUG every line of every mail.
logging.getLogger("mail.log").setLevel(logging.ERROR)

_ADDRESS = re.compile(r"[a-z0-9][a-z0-9._-]*@[a-z0-9][a-z0-9.-]*")
_LARGEST_MESSAGE = 64 * 2**20
_SERIAL = count(1)


class MailServerError(Exception):
    """The local mail server cannot do what it was asked; the message says what to do about it."""


class Account(NamedTuple):
    """The account of the operating system that owns the mail."""

    name: str
    group: str
    uid: int
    gid: int


class MailDrop:
    """The Maildirs of a set of addresses."""

    def __init__(self, root: Path, addresses: Iterable[str], owner: Account) -> None:
        """Take the directory that holds one directory for each address; mail belongs to owner."""
        self.root = root
        self.addresses = frozenset(_checked(address) for address in addresses)
        self._owner = owner
        self._arrived = threading.Condition()

    def prepare(self) -> None:
        """Make the Maildirs that do not exist yet."""
        self._make(self.root)
        for address in self.addresses:
            self._make(self.root / address)
            for part in ("", "tmp", "new", "cur"):
                self._make(self.inbox(address) / part)

    def inbox(self, address: str) -> Path:
        """The Maildir of an address."""
        return self.root / address / "Maildir"

    def mailbox_of(self, recipient: str) -> str | None:
        """The address whose mailbox a recipient's mail goes to; ``None`` when there is none.

        ``cvd+token@domain`` goes to ``cvd@domain``.
        """
        local, _, domain = recipient.lower().rpartition("@")
        address = f"{local.partition('+')[0]}@{domain}"
        return address if address in self.addresses else None

    def deliver(self, message: bytes, *, to: str, at: datetime | None = None) -> None:
        """Put a message into the mailbox of an address, as its bytes are.

        ``at`` becomes the time of arrival that IMAP tells (INTERNALDATE); it is now by default.
        """
        address = self.mailbox_of(to)
        if address is None:
            raise MailServerError(f"the local mail server has no mailbox for {to}")
        name = f"{time.time_ns():020d}.P{os.getpid()}Q{next(_SERIAL)}.local,S={len(message)}"
        written = self.inbox(address) / "tmp" / name
        written.write_bytes(message)
        self._hand_over(written, 0o600)
        if at is not None:
            os.utime(written, (at.timestamp(), at.timestamp()))
        written.rename(self.inbox(address) / "new" / name)
        with self._arrived:
            self._arrived.notify_all()

    def mails(self, address: str, folder: str = "INBOX") -> list[bytes]:
        """The messages in a folder of an address, in the order in which they were delivered."""
        maildir = self.inbox(_checked(address))
        if folder != "INBOX":
            maildir /= f".{folder}"
        found = [*maildir.glob("new/*"), *maildir.glob("cur/*")]
        messages = (_read(file) for file in sorted(found, key=lambda file: file.name))
        return [message for message in messages if message is not None]

    def wait_for(self, address: str, number: int, timeout: float) -> list[bytes]:
        """The messages of an address, once there are ``number`` of them; waits ``timeout`` seconds.

        Raises :class:`MailServerError` when they do not arrive in that time.
        """
        end = time.monotonic() + timeout
        with self._arrived:
            while len(messages := self.mails(address)) < number:
                left = end - time.monotonic()
                if left <= 0:
                    raise MailServerError(
                        f"{address} has {len(messages)} of {number} messages after {timeout:g} s"
                    )
                self._arrived.wait(min(left, 0.25))  # Dovecot and others deliver without telling
        return messages

    def _make(self, directory: Path) -> None:
        if not directory.is_dir():
            directory.mkdir(parents=True)
            self._hand_over(directory, 0o700)

    def _hand_over(self, path: Path, mode: int) -> None:
        path.chmod(mode)
        if os.geteuid() == 0:
            os.chown(path, self._owner.uid, self._owner.gid)


def _checked(address: str) -> str:
    if not _ADDRESS.fullmatch(address):
        raise MailServerError(
            f"the local mail server cannot serve {address!r}: give a lower-case address without"
            " a plus sign, such as cvd@voorbeeld.example"
        )
    return address


def _read(file: Path) -> bytes | None:
    """The bytes of a message; ``None`` when it has left the folder.

    Dovecot moves what it has seen from ``new`` to ``cur`` and appends flags to its name.
    """
    seen = file.parent.parent / "cur"
    for _ in range(3):
        for name in (file, *seen.glob(f"{file.name.partition(':')[0]}*")):
            try:
                return name.read_bytes()
            except FileNotFoundError:
                continue
    return None


@dataclass(frozen=True)
class _Acceptance:
    """What the listener does with a mail: the handler of aiosmtpd, which finds the methods by name."""

    drop: MailDrop
    wants_login: bool

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Refuse strangers where a login is wanted, and recipients who have no mailbox here."""
        if self.wants_login and not session.authenticated:
            return "530 5.7.0 log in first"
        if self.drop.mailbox_of(address) is None:
            return "550 5.1.1 no such mailbox here"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(  # noqa: N802
        self, _server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """Deliver to every recipient, with the trace lines that an MTA adds (RFC 5321 4.4)."""
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        sender = (envelope.mail_from or "").strip("<>")  # aiosmtpd hands the null path over as <>
        try:
            for recipient in envelope.rcpt_tos:
                self.drop.deliver(_trace(session, sender, recipient) + content, to=recipient)
        except OSError:
            return "451 4.3.0 cannot store it now"
        return "250 2.0.0 delivered"


def _trace(session: Session, sender: str, recipient: str) -> bytes:
    client = re.sub(r"[^\x21-\x7e]", "?", str(session.host_name or "unknown"))
    lines = (
        f"Return-Path: <{sender}>",
        f"Delivered-To: {recipient}",
        f"Received: from {client} ([127.0.0.1]) by localhost with ESMTP;",
        f" {format_datetime(datetime.now(UTC))}",
    )
    return "".join(f"{line}\r\n" for line in lines).encode()


class SmtpListener:
    """An SMTP server on loopback, in a thread of its own, that fills a :class:`MailDrop`."""

    def __init__(
        self,
        drop: MailDrop,
        *,
        tls: ssl.SSLContext | None = None,
        implicit_tls: bool = False,
        password: str,
        wants_login: bool = False,
    ) -> None:
        """Offer STARTTLS and insist on it when ``tls`` is given, TLS from the first byte if implicit.

        Anybody may log in with an address and the password; with ``wants_login`` everybody must.
        """
        self._drop = drop
        self._tls = tls
        self._implicit = implicit_tls
        self._password = password.encode()
        self._wants_login = wants_login
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def start(self, listening: socket.socket) -> None:
        """Serve on a bound socket, which is closed by :meth:`stop`."""
        loop = asyncio.new_event_loop()
        server = loop.run_until_complete(
            loop.create_server(
                self._protocol(loop),
                sock=listening,
                ssl=self._tls if self._implicit else None,
            )
        )
        self._loop = loop
        self._thread = threading.Thread(target=_serve, args=(loop, server), name="smtp-listener", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the listener and every connection to it."""
        if self._loop is None or self._thread is None:
            return
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop = self._thread = None

    def _protocol(self, loop: asyncio.AbstractEventLoop) -> Callable[[], SMTP]:
        starttls = None if self._implicit else self._tls
        options: dict[str, Any] = {
            "hostname": "localhost",
            "data_size_limit": _LARGEST_MESSAGE,
            "tls_context": starttls,
            "require_starttls": starttls is not None,
            "auth_require_tls": starttls is not None,
            "authenticator": self._authenticate,
            "loop": loop,
        }
        return lambda: SMTP(_Acceptance(self._drop, self._wants_login), **options)

    def _authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, login: object
    ) -> AuthResult:
        known = (
            isinstance(login, LoginPassword)
            and login.login.decode("utf-8", "replace") in self._drop.addresses
            and compare_digest(login.password, self._password)
        )
        return AuthResult(success=known, handled=False)


def _serve(loop: asyncio.AbstractEventLoop, server: asyncio.Server) -> None:
    try:
        loop.run_forever()
    finally:
        server.close()
        loop.run_until_complete(_hang_up(asyncio.all_tasks(loop)))
        loop.close()


async def _hang_up(conversations: set[asyncio.Task[Any]]) -> None:
    for conversation in conversations:
        conversation.cancel()
    await asyncio.gather(*conversations, return_exceptions=True)

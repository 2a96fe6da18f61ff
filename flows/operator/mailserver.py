"""A mail server on this machine: Dovecot for IMAP and an SMTP listener that delivers into it.

For the demonstration and for the tests, which so talk to a real IMAP server. Everything it owns is
in one directory; stopped and started again it has the same mail. It is not for real reports: mail
lies there as it came, and the SMTP listener delivers only to its own addresses.
"""

import errno
import fcntl
import os
import socket
import subprocess
from collections.abc import Collection, Iterable
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from .certificate import server_context, write_certificate
from .dovecot import Dovecot, DovecotOptions, Security, mail_account
from .maildrop import MailDrop, MailServerError, SmtpListener

__all__ = ["LocalMailServer", "MailServerError", "Security"]

HOST = "127.0.0.1"


class LocalMailServer:
    """IMAP and SMTP on loopback for a set of addresses that share one password."""

    def __init__(
        self,
        directory: Path,
        *,
        addresses: Iterable[str],
        password: str,
        imap_port: int = 0,
        smtp_port: int = 0,
        security: Security = "none",
        smtp_login: bool = False,
        lacks: Collection[str] = (),
        folder_prefix: str = "",
        dovecot: str = "",
    ) -> None:
        """Describe the server; nothing runs before :meth:`start`.

        Port 0 means one that is free; it is chosen at the first start and kept. The login name
        is the address, for SMTP as well, which asks for one only with ``smtp_login``.
        ``lacks`` names IMAP capabilities not to offer; ``dovecot`` is more of its configuration.
        """
        self.directory = directory.absolute()
        self.password = password
        self.imap_port = imap_port
        self.smtp_port = smtp_port
        self.security: Security = security
        self.host = HOST
        self._smtp_login = smtp_login
        self.drop = MailDrop(self.directory / "mail", addresses, mail_account())
        self._dovecot = Dovecot(self.directory, DovecotOptions(security, lacks, folder_prefix, dovecot))
        self._smtp: SmtpListener | None = None
        self._lock: IO[str] | None = None

    @property
    def ca_file(self) -> Path | None:
        """The certificate to trust; ``None`` where the server speaks without TLS."""
        return None if self.security == "none" else self.directory / "tls" / "server.crt"

    def start(self) -> None:
        """Start both servers; returns when both answer.

        Raises :class:`MailServerError` when a port is in use, Dovecot is missing, or the
        directory cannot serve; then nothing is left running.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        self._take_lock()
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End both servers; harmless when they do not run."""
        self._end_smtp()
        self._dovecot.stop()
        self._release_lock()

    def kill(self) -> None:
        """End both servers without a word to anybody connected, as a power cut would."""
        self._end_smtp()
        self._dovecot.kill()
        self._release_lock()

    def restart(self) -> None:
        """Stop and start again on the same ports with the same mail."""
        self.stop()
        self.start()

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop."""
        self.stop()

    def deliver(self, message: bytes, *, to: str, at: datetime | None = None) -> None:
        """Put a message into a mailbox without SMTP; see :meth:`MailDrop.deliver`."""
        self.drop.deliver(message, to=to, at=at)

    def mails(self, address: str, folder: str = "INBOX") -> list[bytes]:
        """The messages in a folder of an address, in the order of delivery."""
        return self.drop.mails(address, folder)

    def wait_for_mail(self, address: str, count: int = 1, timeout: float = 10.0) -> list[bytes]:
        """The inbox of an address once it has ``count`` messages; raises after ``timeout`` seconds."""
        return self.drop.wait_for(address, count, timeout)

    def _start(self) -> None:
        self._dovecot.end_orphan()
        self.drop.prepare()
        _require_way_in(self.drop.root)
        if self.security != "none":
            write_certificate(self.directory / "tls")
        listening = _listen(self.smtp_port, "SMTP")
        self.smtp_port = listening.getsockname()[1]
        tls = None if self.security == "none" else server_context(self.directory / "tls")
        self._smtp = SmtpListener(
            self.drop,
            tls=tls,
            implicit_tls=self.security == "tls",
            password=self.password,
            wants_login=self._smtp_login,
        )
        self._smtp.start(listening)
        self.imap_port = _free_port(self.imap_port, "IMAP")
        self._dovecot.start(self.imap_port, self.drop.addresses, self.password)

    def _end_smtp(self) -> None:
        if self._smtp is not None:
            self._smtp.stop()
            self._smtp = None

    def _take_lock(self) -> None:
        lock = (self.directory / "lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise MailServerError(
                f"a mail server already runs in {self.directory}: stop it, or use another directory"
            ) from None
        self._lock = lock

    def _release_lock(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def _listen(port: int, what: str) -> socket.socket:
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
    except OSError as error:
        listening.close()
        raise MailServerError(_why_no_port(port, what, error)) from None
    listening.listen(100)
    return listening


def _free_port(port: int, what: str) -> int:
    with _listen(port, what) as listening:
        return listening.getsockname()[1]


def _why_no_port(port: int, what: str, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"port {port} is in use: stop the program that listens there, or choose another port"
            f" for {what} (0 picks a free one)"
        )
    if error.errno == errno.EACCES:
        return f"port {port} for {what} is for root only: choose one above 1023"
    return f"port {port} for {what} cannot be used: {error.strerror}"


def _require_way_in(mail: Path) -> None:
    """Refuse a directory that the owner of the mail cannot enter."""
    owner = mail_account()
    if os.geteuid() != 0:
        return
    entered = subprocess.run(
        ["test", "-w", str(mail)], user=owner.uid, group=owner.gid, extra_groups=[], check=False
    )
    if entered.returncode != 0:
        raise MailServerError(
            f"the account {owner.name}, which keeps the mail because you are root, cannot enter"
            f" {mail}: use a directory whose parents everybody may enter, such as one in /srv,"
            " or run this as another user"
        )

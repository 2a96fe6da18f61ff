"""Mail servers for the tests: a real Dovecot, a real SMTP listener, links that fail, and liars.

A server of one test is killed at its end, since Dovecot takes a second to say goodbye.
"""

import contextlib
import os
import shutil
import socket
import socketserver
import ssl
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import pytest
from meldbalie.flows.operator.mailserver import LocalMailServer
from meldbalie.mailbox.imap import ImapAccount
from meldbalie.mailbox.smtp import SmtpServer
from meldbalie.tests.ports import free_port

CVD = "cvd@voorbeeld.example"
REPORTER = "melder@elders.example"
PASSWORD = "wachtwoord met één é"

MakeMailServer = Callable[..., LocalMailServer]


@pytest.fixture(scope="session")
def open_directory() -> Iterator[Path]:
    """A short directory that the account which keeps the mail can enter, unlike pytest's own."""
    directory = Path(tempfile.mkdtemp(prefix="mb"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture
def make_mail_server(open_directory: Path) -> Iterator[MakeMailServer]:
    """Make and start a mail server for CVD and REPORTER; keywords are those of LocalMailServer."""
    servers: list[LocalMailServer] = []

    def make(**options: Any) -> LocalMailServer:
        directory = Path(tempfile.mkdtemp(dir=open_directory))
        directory.chmod(0o755)
        ports = {"imap_port": free_port(), "smtp_port": free_port()}  # nobody comes by them while it starts
        options = {"addresses": [CVD, REPORTER], "password": PASSWORD, **ports, **options}
        server = LocalMailServer(options.pop("directory", directory), **options)
        servers.append(server)
        server.start()
        return server

    yield make
    for server in servers:
        server.kill()


@pytest.fixture
def mail_server(make_mail_server: MakeMailServer) -> LocalMailServer:
    """A running mail server without TLS, with empty mailboxes for CVD and REPORTER."""
    return make_mail_server()


def imap_account(server: LocalMailServer, **changes: Any) -> ImapAccount:
    """CVD's account on a server."""
    options = {
        "host": "127.0.0.1",
        "port": server.imap_port,
        "security": server.security,
        "user": CVD,
        "password": PASSWORD,
        "ca_file": server.ca_file,
        "timeout": 10.0,
    }
    return ImapAccount(**{**options, **changes})


def smtp_server(server: LocalMailServer, **changes: Any) -> SmtpServer:
    """The way out over a server, without a login."""
    options = {
        "host": "127.0.0.1",
        "port": server.smtp_port,
        "security": server.security,
        "ca_file": server.ca_file,
        "timeout": 10.0,
    }
    return SmtpServer(**{**options, **changes})


class FragileLink:
    """A port that forwards to another one until it is frozen (silent, but open), held, or cut.

    At once, or when the server has sent so many bytes more.
    """

    def __init__(self, target: int, host: str = "127.0.0.1") -> None:
        self._target = target
        self._frozen = threading.Event()
        self._left: int | None = None
        self._then: Callable[[], None] = self.cut
        self._may_go_on = threading.Event()
        self.held = threading.Event()
        self.bytes_back = 0  # how many the server has sent
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listening = socket.create_server((host, 0))
        self.port: int = self._listening.getsockname()[1]
        self._run(self._accept)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.go_on()
        self.cut()
        for thread in self._threads:
            thread.join()

    def freeze(self) -> None:
        """Forward nothing any more, and tell nobody."""
        self._frozen.set()

    def cut(self) -> None:
        """Close every connection."""
        for end in self._sockets:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def go_on(self) -> None:
        """Let through what was held."""
        self._may_go_on.set()

    def cut_after(self, number: int) -> None:
        """Let so many bytes more through from the server, then cut."""
        self._left, self._then = number, self.cut

    def freeze_after(self, number: int) -> None:
        """Let so many bytes more through from the server, then freeze."""
        self._left, self._then = number, self.freeze

    def hold_after(self, number: int) -> None:
        """Let so many bytes more through from the server, then set ``held`` and wait for go_on()."""
        self._left, self._then = number, lambda: (self.held.set(), self._may_go_on.wait(), None)[2]

    def _run(self, what: Callable[..., None], *given: object) -> None:
        thread = threading.Thread(target=what, args=given, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
                far = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                return
            self._sockets += [near, far]
            self._run(self._forward, near, far)
            self._run(self._hand_back, far, near)

    def _forward(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(65536):
                if not self._frozen.is_set():
                    target.sendall(piece)
            target.shutdown(socket.SHUT_WR)

    def _hand_back(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(65536):
                self.bytes_back += len(piece)
                if not self._frozen.is_set():
                    self._let_through(piece, target)
            target.shutdown(socket.SHUT_WR)

    def _let_through(self, piece: bytes, target: socket.socket) -> None:
        left, self._left = self._left, None
        if left is None or len(piece) < left:  # whoever gets the piece may say anew how many are left
            self._left = None if left is None else left - len(piece)
            target.sendall(piece)
            return
        target.sendall(piece[:left])
        self._then()
        if not self._frozen.is_set():
            target.sendall(piece[left:])


class Liar:
    """A server that greets and then answers each line by a table: first word found in it, then reply.

    In a reply ``{tag}`` stands for the first word of the line, or of the line before where a line is
    one word only (as the answer to AUTHENTICATE is). It keeps what it heard. The reply None hangs
    up, a list of replies is used up one by one, a line that nothing fits is answered with silence.
    With ``tls`` it speaks TLS after it has answered STARTTLS, or from the first byte on.
    """

    def __init__(
        self,
        greeting: str,
        replies: Mapping[str, str | list[str] | None],
        *,
        tls: ssl.SSLContext | None = None,
        at_once: bool = False,
    ) -> None:
        self.heard: list[str] = []
        self.heard_over_tls: list[str] = []
        liar = self

        class Conversation(socketserver.StreamRequestHandler):
            is_private = False

            def handle(self) -> None:
                try:
                    if at_once:
                        self.turn_private()
                    self.wfile.write(greeting.encode())
                    tag = ""
                    while line := self.rfile.readline().decode("utf-8", "replace"):
                        (liar.heard_over_tls if self.is_private else liar.heard).append(line.rstrip("\r\n"))
                        reply = next((r for word, r in replies.items() if word.lower() in line.lower()), "")
                        reply = reply.pop(0) if isinstance(reply, list) else reply
                        if reply is None:
                            return
                        tag = line.split()[0] if " " in line.strip() else tag
                        self.wfile.write(reply.replace("{tag}", tag).encode())
                        if tls and "STARTTLS" in line.upper():
                            self.turn_private()
                except OSError:
                    return

            def turn_private(self) -> None:
                assert tls is not None
                self.connection = tls.wrap_socket(self.connection, server_side=True)
                self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", 0)
                self.is_private = True

            def finish(self) -> None:
                with contextlib.suppress(OSError):
                    super().finish()
                self.connection.close()

        class Threads(socketserver.ThreadingTCPServer):
            daemon_threads = True
            block_on_close = False

        self._server = Threads(("127.0.0.1", 0), Conversation)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def is_root() -> bool:
    """Whether the tests run as root, so that mail is kept by another account."""
    return os.geteuid() == 0

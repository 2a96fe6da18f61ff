"""`meldbalie up`: everything one machine needs, started in order, kept running, stopped in reverse.

What an operator reads here are the supervisor's lines; each process writes to its own log
(``logs.to``). Under systemd use ``Type=notify`` and ``logs.to = "stdout"``.
"""

import argparse
import errno
import fcntl
import os
import signal
import socket
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from ...mailbox.errors import MailboxError
from ...models.errors import Refused
from ...models.migrate import migrate
from ...settings import Settings, settings
from ..installation import open_database, utc_now
from ..publishing import publish_at_start
from .children import flow_runner, prefect_server, web_app
from .logs import Logs
from .supervisor import Child, ChildFailed, Say, Supervisor

OURS_ALONE = 0o077
TOLD_TO_STOP = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PREDECESSOR_SECONDS = 40.0
BEAT_SECONDS = 0.2


class CannotStart(Refused):
    """Nothing was started; the message says what is in the way."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """There are none: the configuration says everything."""
    del parser


def run(args: argparse.Namespace) -> int:
    """Run everything in this directory."""
    del args
    return up(settings())


def up(config: Settings, *, say: Say = print) -> int:
    """Run everything until told to stop; gives the exit status: 0, or 1 when it could not start."""
    os.umask(OURS_ALONE)
    children = children_of(config)
    logs = Logs(config.logs.directory if config.logs.to == "files" else None, config.logs.max_bytes)
    try:
        with locked(config.prefect.home, say) as lock:
            require_free_ports(children)
            _migrate(config, say)
            _run(Supervisor(children, say=say, logs=logs, lock=lock), config, say)
    except (Refused, ChildFailed) as refusal:
        say(str(refusal))
        return 1
    return 0


def children_of(config: Settings) -> list[Child]:
    """The processes of this configuration, in the order to start them in."""
    ours = [] if config.prefect.api_url else [prefect_server(config)]
    return [*ours, flow_runner(config), web_app(config)]


def require_free_ports(children: Iterable[Child]) -> None:
    """Raise :class:`CannotStart` when somebody else listens where a child is to listen."""
    for child in children:
        if child.listens_on and (problem := why_not_free(*child.listens_on)):
            raise CannotStart(
                f"{child.name} cannot listen on port {child.listens_on[1]}: {problem}; stop what uses it,"
                f" or set {child.port_setting} to another port"
            )


def why_not_free(host: str, port: int) -> str:
    """Why nobody can listen there; empty when it is free."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return "it is in use" if error.errno == errno.EADDRINUSE else str(error.strerror)
    return ""


@contextmanager
def locked(home: Path, say: Say = print) -> Generator[int]:
    """Hold the only place of `up` in this directory; gives a descriptor for children to hold too.

    After a kill -9 our own lock is free at once, and the children's when the last of them has
    ended, which is waited for. A file that nobody holds means nothing.
    """
    home.mkdir(parents=True, exist_ok=True)
    with _opened(home / "up.lock") as ours, _opened(home / "children.lock") as childrens:
        if not _is_taken(ours):
            holder = (home / "up.lock").read_text(encoding="ascii").strip() or "unknown"
            raise CannotStart(
                f"Meldbalie already runs here (process {holder} holds {home / 'up.lock'}): stop it first,"
                " or work in another directory"
            )
        os.truncate(ours, 0)
        os.pwrite(ours, f"{os.getpid()}\n".encode("ascii"), 0)
        _wait_for_predecessors(childrens, home, say)
        yield childrens


@contextmanager
def _opened(file: Path) -> Generator[int]:
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _wait_for_predecessors(descriptor: int, home: Path, say: Say) -> None:
    if _is_taken(descriptor):
        return
    say("an earlier Meldbalie was killed; waiting for what it had started to end")
    until = time.monotonic() + PREDECESSOR_SECONDS
    while not _is_taken(descriptor):
        if time.monotonic() > until:
            raise CannotStart(
                f"processes of a killed Meldbalie still hold {home / 'children.lock'}: end them"
            )
        time.sleep(BEAT_SECONDS)


def _is_taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _migrate(config: Settings, say: Say) -> None:
    database = open_database(config)
    applied = migrate(database)
    database.close()
    if applied:
        say(f"database migrated: {', '.join(applied)}")
    with suppress(MailboxError):  # the key watch tries again, and says why it cannot
        publish_at_start(config, now=utc_now())


def _run(supervisor: Supervisor, config: Settings, say: Say) -> None:
    with stopping_on_signals(supervisor, say):
        if config.prefect.api_url:
            say(f"using the Prefect server at {config.prefect_api}")
        with supervisor:
            _tell_systemd("READY=1")
            supervisor.wait()
            _tell_systemd("STOPPING=1")
    say("everything has stopped")


@contextmanager
def stopping_on_signals(supervisor: Supervisor, say: Say = print) -> Generator[None]:
    """Let Ctrl-C, SIGTERM and a closed terminal stop the supervisor in order."""

    def stop(number: int, frame: FrameType | None) -> None:
        del frame
        supervisor.ask_to_stop()
        with suppress(OSError, RuntimeError):  # the terminal is gone, or just being written to
            say(f"{signal.Signals(number).name}: stopping")

    before = {number: signal.signal(number, stop) for number in TOLD_TO_STOP}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _tell_systemd(state: str) -> None:
    """Report to systemd, where it asked for that (sd_notify(3))."""
    if not (address := os.environ.get("NOTIFY_SOCKET")):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as link, suppress(OSError):
        link.connect(address.replace("@", "\0", 1) if address.startswith("@") else address)
        link.sendall(state.encode("ascii"))

"""Keeps a handful of processes running: starts them in order, restarts what dies, stops in reverse.

One thread does everything: the one that calls :meth:`Supervisor.start` must live as long as the
children, because the kernel ends them with it. Each child runs on a leash (:mod:`.leash`) in a
process group of its own, so that Ctrl-C reaches the supervisor only and a killed supervisor leaves
nobody behind.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from .leash import NO_LOCK
from .logs import Logs

RESTART_WAITS = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
STEADY_SECONDS = 60.0  # a child that ran this long begins with the first wait again
LEASH_SECONDS = 5.0  # what the leash may need on top of the child's own grace
BEAT_SECONDS = 0.2
PROGRESS_SECONDS = 10.0
LEASH = Path(__file__).with_name("leash.py")

Say = Callable[[str], None]


def at_once() -> bool:
    """Ready as soon as it runs."""
    return True


@dataclass(frozen=True)
class Child:
    """A process to keep running."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(repr=False)
    is_ready: Callable[[], bool] = at_once
    listens_on: tuple[str, int] | None = None
    port_setting: str = ""
    address: str = ""
    seconds_to_start: float = 120.0
    grace: float = 15.0


class ChildFailed(Exception):
    """A child did not become ready; the message says what it wrote last."""


@dataclass
class _Kept:
    """A child and how it fares."""

    child: Child
    process: subprocess.Popen[bytes] | None = None
    began: float = 0.0
    is_ready: bool = False
    failures: int = 0
    starts_again_at: float = 0.0

    def ran_for(self) -> float:
        return time.monotonic() - self.began

    def has_ended(self) -> bool:
        return self.process is not None and self.process.poll() is not None


class Supervisor:
    """The processes of one installation; use it as a context manager, or call ``stop``."""

    def __init__(
        self,
        children: Sequence[Child],
        *,
        say: Say = print,
        logs: Logs | None = None,
        lock: int = NO_LOCK,
        restart_waits: Sequence[float] = RESTART_WAITS,
    ) -> None:
        """Take the children in the order to start them in, and a descriptor that lives as long as they."""
        self._kept = [_Kept(child) for child in children]
        self._say = say
        self._logs = logs or Logs(None)
        self._lock = lock
        self._restart_waits = restart_waits
        self._asked_to_stop = False

    def start(self) -> None:
        """Start every child and wait until each is ready; raises :class:`ChildFailed`, all stopped."""
        try:
            for kept in self._kept:
                self._start(kept)
                self._until_ready(kept)
        except BaseException:
            self.stop()
            raise

    def wait(self) -> None:
        """Keep the children running until somebody calls :meth:`ask_to_stop`."""
        while not self._asked_to_stop:
            for kept in self._kept:
                self._look_after(kept)
            time.sleep(BEAT_SECONDS)

    @property
    def is_stopping(self) -> bool:
        """Whether somebody has asked to stop."""
        return self._asked_to_stop

    def ask_to_stop(self) -> None:
        """End :meth:`start` and :meth:`wait` soon; safe in a signal handler and from any thread."""
        self._asked_to_stop = True

    def stop(self) -> None:
        """Stop the children, the last one first; harmless when they do not run."""
        self._asked_to_stop = True
        for kept in reversed(self._kept):
            self._stop(kept)

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()

    def _start(self, kept: _Kept) -> None:
        if self._asked_to_stop:
            return
        child, output = kept.child, self._logs.open(kept.child.name)
        leash = [sys.executable, "-I", "-S", str(LEASH), str(os.getpid()), str(child.grace), str(self._lock)]
        try:
            kept.process = subprocess.Popen(
                [*leash, *child.command],
                env=dict(child.environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=None if output is None else subprocess.STDOUT,
                process_group=0,
                pass_fds=() if self._lock == NO_LOCK else (self._lock,),
            )
        finally:
            if output is not None:
                os.close(output)
        kept.began, kept.is_ready = time.monotonic(), False

    def _until_ready(self, kept: _Kept) -> None:
        tell_at = PROGRESS_SECONDS
        while not self._asked_to_stop and not self._has_become_ready(kept):
            if kept.has_ended():
                raise ChildFailed(self._why(kept, f"{_ending(kept)} before it was ready"))
            if kept.ran_for() > kept.child.seconds_to_start:
                raise ChildFailed(self._why(kept, f"is not ready after {kept.child.seconds_to_start:.0f} s"))
            if kept.ran_for() > tell_at:
                tell_at += PROGRESS_SECONDS
                self._tell(kept, f"still starting after {kept.ran_for():.0f} s{self._where(kept)}")
            time.sleep(BEAT_SECONDS)

    def _has_become_ready(self, kept: _Kept) -> bool:
        if not kept.is_ready and not kept.has_ended() and kept.child.is_ready():
            kept.is_ready = True
            where = f": {kept.child.address}" if kept.child.address else ""
            self._tell(kept, f"ready after {kept.ran_for():.0f} s{where}")
        return kept.is_ready

    def _look_after(self, kept: _Kept) -> None:
        self._logs.turn(kept.child.name)
        if kept.process is None:
            if time.monotonic() >= kept.starts_again_at:
                self._start(kept)
        elif kept.has_ended():
            self._plan_restart(kept)
        else:
            self._has_become_ready(kept)

    def _plan_restart(self, kept: _Kept) -> None:
        if kept.ran_for() >= STEADY_SECONDS:
            kept.failures = 0
        wait = self._restart_waits[min(kept.failures, len(self._restart_waits) - 1)]
        self._tell(
            kept,
            f"{_ending(kept)} after {kept.ran_for():.0f} s; starts again in {wait:g} s{self._where(kept)}",
        )
        kept.failures += 1
        kept.starts_again_at = time.monotonic() + wait
        self._clear_away(kept)

    def _stop(self, kept: _Kept) -> None:
        if kept.process is None:
            return
        if not kept.has_ended():
            kept.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                kept.process.wait(kept.child.grace + LEASH_SECONDS)
            self._tell(kept, "stopped" if kept.has_ended() else "killed")
        self._clear_away(kept)

    @staticmethod
    def _clear_away(kept: _Kept) -> None:
        """End what the leash, killed itself, could not."""
        if kept.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(kept.process.pid, signal.SIGKILL)
            kept.process.wait()
            kept.process = None

    def _tell(self, kept: _Kept, what: str) -> None:
        width = max(len(other.child.name) for other in self._kept)
        self._say(f"{kept.child.name:{width}}  {what}")

    def _where(self, kept: _Kept) -> str:
        file = self._logs.file(kept.child.name)
        return f" (see {file})" if file else ""

    def _why(self, kept: _Kept, what: str) -> str:
        last = [f"  {kept.child.name} | {line}" for line in self._logs.last_words(kept.child.name)]
        return "\n".join([f"{kept.child.name} {what}{self._where(kept)}", *last])


def _ending(kept: _Kept) -> str:
    code = kept.process.returncode if kept.process else 0
    number = -code if code < 0 else code - 128
    with suppress(ValueError):
        return (
            f"was killed by {signal.Signals(number).name}"
            if number > 0
            else f"stopped with exit status {code}"
        )
    return f"stopped with exit status {code}"

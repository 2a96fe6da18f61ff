"""Runs one command for the supervisor and sees to it that nothing of it stays behind.

    python leash.py SUPERVISOR_PID GRACE_SECONDS LOCK_DESCRIPTOR COMMAND...

Told to stop (SIGTERM), it stops the command, first kindly, then not. It is told to stop as well when
the supervisor dies of anything, kill -9 included (PR_SET_PDEATHSIG). What the command leaves behind
becomes the leash's own (PR_SET_CHILD_SUBREAPER), processes with a session of their own too, such as
gpg-agent and Prefect's flow runs, and is ended with it. Both calls are Linux's; elsewhere it only
stops the command.

It is run by its path, with the standard library alone, so that it costs some milliseconds.
"""

import ctypes
import os
import signal
import sys
import time
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
NO_LOCK = -1
KINDLY_SECONDS = 5.0
BEAT_SECONDS = 0.05
TOLD = {signal.SIGTERM, signal.SIGCHLD}


def run(supervisor: int, grace: float, lock: int, command: list[str]) -> int:
    """Run the command to its end and give its exit status (128 and the signal's number when killed)."""
    signal.pthread_sigmask(signal.SIG_BLOCK, TOLD)
    _become_leash()
    if os.getppid() != supervisor:
        return 1
    if lock != NO_LOCK:
        os.set_inheritable(lock, False)
    child = os.posix_spawnp(command[0], command, os.environ, setsigmask=())
    status = _until_ended(child, grace)
    _end_what_is_left()
    return os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)


def _become_leash() -> None:
    try:
        prctl = ctypes.CDLL(None).prctl
    except (AttributeError, OSError):  # not Linux
        return
    prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _until_ended(child: int, grace: float) -> int:
    """Wait for the child and give its wait status; pass a request to stop on, and enforce it."""
    killed_at: float | None = None
    while (status := _reaped().get(child)) is None:
        left = None if killed_at is None else max(0.0, killed_at - time.monotonic())
        told = signal.sigwaitinfo(TOLD) if left is None else signal.sigtimedwait(TOLD, left)
        if told is None:
            os.kill(child, signal.SIGKILL)
            killed_at = time.monotonic() + grace
        elif told.si_signo == signal.SIGTERM and killed_at is None:
            os.kill(child, signal.SIGTERM)
            killed_at = time.monotonic() + grace
    return status


def _reaped() -> dict[int, int]:
    """The wait status of every child that has ended, adopted ones too."""
    ended: dict[int, int] = {}
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if pid == 0:
            return ended
        ended[pid] = status


def _end_what_is_left() -> None:
    """End what the command left behind, and what that leaves behind, until there is nothing."""
    kindly_until = time.monotonic() + KINDLY_SECONDS
    asked: set[int] = set()
    while children := _children():
        is_over = time.monotonic() >= kindly_until
        for child in children:
            if is_over or child not in asked:  # once: a second request would disturb what the first began
                os.kill(child, signal.SIGKILL if is_over else signal.SIGTERM)
                asked.add(child)
        signal.sigtimedwait(TOLD, BEAT_SECONDS)
        _reaped()


def _children() -> list[int]:
    own = Path(f"/proc/self/task/{os.getpid()}/children")
    try:
        return [int(pid) for pid in own.read_text(encoding="ascii").split()]
    except OSError:  # not Linux, or a kernel without this list
        return []


if __name__ == "__main__":
    sys.exit(run(int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]))

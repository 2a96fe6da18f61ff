"""How gpg is started and stopped: in a process group of its own, with its status lines on a pipe of
their own."""

import os
import signal
import subprocess
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress

# Every run of gpg: no configuration file, no prompt, no network, no opinion of its own on trust.
ALWAYS = (
    "--no-options",
    "--pinentry-mode=loopback",
    "--trust-model=always",
    "--no-auto-check-trustdb",
    "--no-auto-key-locate",
    "--no-auto-key-retrieve",
    "--disable-dirmngr",
    "--exit-on-status-write-error",
)


def start(command: Sequence[str], given: Sequence[int]) -> "subprocess.Popen[bytes]":
    """Start gpg; its status lines come where its `stderr` is looked for, and what it says to humans
    goes nowhere.

    `given` are descriptors that gpg may read besides; the command's `--status-fd` is filled in here.
    """
    reading, writing = os.pipe()
    arguments = list(command)
    arguments[arguments.index("--status-fd") + 1] = str(writing)
    try:
        process = subprocess.Popen(
            arguments,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=(writing, *given),
            process_group=0,  # no session: a busy Linux lets new ones wait (sched_autogroup)
        )
    except BaseException:
        os.close(reading)
        raise
    finally:
        os.close(writing)
    process.stderr = os.fdopen(reading, "rb")
    return process


def kill(process: "subprocess.Popen[bytes]") -> bool:
    """Kill gpg and everything it started; tells whether it was still running."""
    if process.poll() is not None:
        return False
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    return True


@contextmanager
def filled_pipe(content: bytes) -> Generator[int]:
    """Give a descriptor to read this from, instead of a file; it must fit in a pipe's buffer of
    65,536 bytes."""
    reading, writing = os.pipe()
    try:
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(content)
        yield reading
    finally:
        os.close(reading)

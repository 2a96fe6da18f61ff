"""The directory that gpg works in: where it may lie, what is put into it, and how it goes away
again."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import KeyringUnusable

LONGEST_HOME = 86  # bytes: "/S.gpg-agent.browser" and a NUL must fit behind it in a socket's 108

AGENT_CONFIGURATION = """\
# Written when this home was made; what it says holds for keys that are imported afterwards.
# Every use of a key that has a passphrase derives the passphrase anew: 0.4 s at gpg's calibrated count,
# 0.02 s at this one. The price: a stolen key file is cheaper to guess, so take a long random passphrase.
s2k-count 65536
default-cache-ttl 0
max-cache-ttl 0
disable-scdaemon
allow-loopback-pinentry
"""

# What a home is looked at through, when nothing may be written to it.
_KEY_FILES = ("pubring.kbx", "pubring.gpg", "private-keys-v1.d")


def check_length(home: Path) -> None:
    """Raise `KeyringUnusable` for a path that gpg-agent's sockets do not fit in.

    Gpg itself says nothing of it: it imports no secret key and goes on.
    """
    length = len(os.fsencode(home))
    if length > LONGEST_HOME:
        raise KeyringUnusable(
            f"The keyring's path {home} has {length} bytes, and gpg-agent can use {LONGEST_HOME} at most: "
            "move the keyring, or point to it with a shorter symbolic link."
        )


def prepare(home: Path) -> None:
    """Make the directory (0700) if it is missing, and settle the agent's choices before the first
    key arrives."""
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise KeyringUnusable(f"The keyring {home} cannot be made: {error.strerror}.") from error
    configuration = home / "gpg-agent.conf"
    with suppress(OSError):  # a home that cannot be written to is used as it is
        if not configuration.exists() and not any(home.glob("private-keys-v1.d/*")):
            configuration.write_text(AGENT_CONFIGURATION, encoding="utf-8")


def stop_agent(home: Path, timeout: float) -> None:
    """End the agent of this home, if there is one; says nothing when there is none."""
    with suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(
            ["gpgconf", "--homedir", str(home), "--kill", "gpg-agent"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=timeout,
            check=False,
        )


@contextmanager
def throwaway_home() -> Generator[Path]:
    """Give an empty home with a short path, which is removed afterwards."""
    path = Path(tempfile.mkdtemp(prefix="mb"))
    if len(os.fsencode(path)) > LONGEST_HOME:  # a long TMPDIR
        path.rmdir()
        path = Path(tempfile.mkdtemp(prefix="mb", dir="/tmp"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def home_beside(home: Path) -> Generator[Path]:
    """Give a short-lived home that shares the keys of another one, and leaves that one untouched.

    Only links are made, never copies of keys. It works for a home whose path is too long for gpg-agent,
    or that is read-only; gpg's locks, sockets and settings are all in the short-lived one.
    """
    with throwaway_home() as beside:
        for name in _KEY_FILES:
            original = home.absolute() / name
            if original.exists():
                (beside / name).symlink_to(original)
        yield beside


def ring_stamp(home: Path) -> object:
    """Give something that changes whenever the public keys do, by whatever process."""
    stamps: list[tuple[int, int, int]] = []
    for name in ("pubring.kbx", "pubring.gpg"):
        with suppress(OSError):
            found = os.stat(home / name)
            stamps.append((found.st_ino, found.st_size, found.st_mtime_ns))
    return stamps

"""The `inspect` command: what a letter turns out to be, as one line of JSON.

It says the same that the intake flow sees, changes nothing, and always has a verdict, whatever the
letter.
"""

import argparse
import json
import sys
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Any, BinaryIO

from .errors import MailboxError
from .gpg_home import home_beside, throwaway_home
from .keyring import Keyring
from .limits import Limits
from .opening import Opened, open_letter
from .problem import Problem

_WORKERS = 2
_WAITING = 32  # letters that are read ahead
_KEYS = (
    "message_id",
    "from",
    "subject",
    "encrypted",
    "decrypted",
    "problem",
    "signature",
    "automatic",
    "bounced",
    "text",
    "attachments",
    "keys",
    "targets",
    "partly_encrypted",
    "partly_signed",
)
_DEFAULTS = Limits()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("file", nargs="?", metavar="FILE", help="a mail; - for standard input")
    parser.add_argument(
        "--gnupghome", type=Path, metavar="DIR", help="the keys to open it with; without: none"
    )
    parser.add_argument("--passphrase-file", type=Path, metavar="F", help="its first line opens the keys")
    parser.add_argument("--batch", action="store_true", help="read paths from standard input, one a line")


def run(args: argparse.Namespace, limits: Limits = _DEFAULTS) -> int:
    """Print a verdict for one letter, or for each path on standard input, in order; 2 when the input
    is unusable."""
    if args.batch == bool(args.file):
        return _complain("give one FILE (or - for standard input), or --batch with paths on standard input")
    try:
        with _keyring(args.gnupghome, _passphrase(args.passphrase_file)) as keyring:
            return _batch(keyring, limits) if args.batch else _single(args.file, keyring, limits)
    except (OSError, MailboxError) as error:
        return _complain(str(error))


def _complain(message: str) -> int:
    print(f"meldbalie inspect: {message}", file=sys.stderr)
    return 2


def _passphrase(path: Path | None) -> str | None:
    """Read the first line of the file; a passphrase given as an argument would be seen by everybody."""
    return path.read_text(encoding="utf-8").partition("\n")[0].rstrip("\r") if path is not None else None


@contextmanager
def _keyring(home: Path | None, passphrase: str | None) -> Generator[Keyring]:
    """Give a keyring that looks at the keys through links: a home of any length, also a read-only
    one, will do."""
    if home is not None and not home.is_dir():
        raise NotADirectoryError(f"{home} is no directory with keys")
    with (
        throwaway_home() if home is None else home_beside(home) as path,
        Keyring(path, passphrase=passphrase) as keyring,
    ):
        yield keyring


def _single(name: str, keyring: Keyring, limits: Limits) -> int:
    raw = _read(sys.stdin.buffer, limits) if name == "-" else _read_path(name, limits)
    _print(verdict(open_letter(raw, keyring, limits=limits)))
    return 0


def _read_path(name: str | bytes, limits: Limits) -> bytes:
    with open(name, "rb") as letter:
        return _read(letter, limits)


def _read(stream: BinaryIO, limits: Limits) -> bytes:
    """Read one byte more than is opened at all, so that a file without an end cannot fill the
    memory."""
    return stream.read(limits.size + 1)


def _batch(keyring: Keyring, limits: Limits) -> int:
    """Open the letters on several threads, and print each verdict as soon as those before it are
    printed."""
    waiting: Queue[Future[dict[str, Any]] | None] = Queue(_WAITING)
    printer = Thread(target=_print_in_order, args=(waiting,))
    printer.start()
    with ThreadPoolExecutor(_WORKERS) as pool:
        for line in sys.stdin.buffer:
            path = line.rstrip(b"\r\n")
            if path:
                waiting.put(pool.submit(_verdict_on_path, path, keyring, limits))
        waiting.put(None)
    printer.join()
    return 0


def _print_in_order(waiting: "Queue[Future[dict[str, Any]] | None]") -> None:
    while (future := waiting.get()) is not None:
        _print(future.result())


def _verdict_on_path(path: bytes, keyring: Keyring, limits: Limits) -> dict[str, Any]:
    try:
        raw = _read_path(path, limits)
    except (OSError, ValueError):
        return dict.fromkeys(_KEYS) | {"problem": Problem.UNREADABLE.value}
    return verdict(open_letter(raw, keyring, limits=limits))


def verdict(opened: Opened) -> dict[str, Any]:
    """Give what was found as plain values, with exactly the keys that the command promises."""
    letter = opened.letter
    return {
        "message_id": letter.message_id,
        "from": letter.sender,
        "subject": opened.subject,
        "encrypted": opened.was_encrypted,
        "decrypted": opened.was_decrypted,
        "problem": opened.problem.value if opened.problem else None,
        "signature": {"verdict": opened.signature.verdict.value, "fingerprint": opened.signature.fingerprint},
        "automatic": opened.automatic,
        "bounced": list(opened.bounced),
        "text": opened.text,
        "attachments": [
            {"name": file.name, "type": file.content_type, "size": file.size, "sha256": file.sha256}
            for file in opened.attachments
        ],
        "keys": list(dict.fromkeys(fingerprint for key in opened.keys for fingerprint in key.fingerprints)),
        "targets": list(opened.targets),
        "partly_encrypted": opened.partly_encrypted,
        "partly_signed": opened.partly_signed,
    }


def _print(value: dict[str, Any]) -> None:
    """Print one line of valid UTF-8; what is no character becomes a question mark."""
    line = json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
    sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()

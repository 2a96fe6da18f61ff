"""The only door to gpg: who may read, seal and sign here, and whose keys are known.

Every run of gpg has a clock, its status lines on a pipe of their own, and no network, prompt or
configuration file. Nothing secret is ever in an argument, a temporary file or a log. Keys are named by
full fingerprint only: gpg picks an attacker's key when it is asked for an address.
"""

import io
import logging
import subprocess
import threading
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import gnupg

from .armour import unarmoured, with_known_signatures
from .errors import CannotSeal, KeyRejected, KeyringUnusable, SealRefusal
from .gpg_home import check_length, prepare, stop_agent, throwaway_home
from .gpg_process import ALWAYS, filled_pipe, kill, start
from .gpg_status import GpgRun, Listener, StatusLine, signatures_in
from .gpg_verdicts import (
    Decryption,
    DetachedSignature,
    Verification,
    decryption_problem,
    hidden_key,
    is_sealed,
    needs_second_opinion,
    problem_of,
    was_encrypted,
    why_not_sealed,
)
from .key_intake import key_recipe
from .key_shelf import KeyShelf
from .keys import is_fingerprint
from .packets import is_newer, without_newer
from .problem import Problem

LARGEST_PLAINTEXT = 100 * 1024 * 1024  # bytes; a few kilobytes can unpack to gigabytes
LARGEST_SIGNATURE = 60_000  # bytes: it goes through a pipe, whose buffer holds 65,536
_MARGIN = 1024 * 1024  # gpg stops somewhere in the last 32 KiB before its own limit


# Python-gnupg has no types; what it takes and gives is unknown here, and nowhere else.
# pyright: reportUnknownMemberType=false
class _Gpg(gnupg.GPG):
    """Python-gnupg with a clock on every run, and status lines that nothing else can write to."""

    def __init__(self, home: Path, timeout: float) -> None:
        self.timeout = timeout
        logging.getLogger("gnupg").setLevel(logging.CRITICAL + 1)  # it logs what gpg says of strangers' keys
        super().__init__(gnupghome=str(home), options=list(ALWAYS), encoding="utf-8")

    def _open_subprocess(self, args: list[str], passphrase: bool = False) -> "subprocess.Popen[bytes]":
        """Start gpg with a clock that can stop it; a special file name such as `-&7` gives it a
        descriptor."""
        given = [int(argument[2:]) for argument in args if argument.startswith("-&")]
        return start(self.make_args(args, passphrase), given)

    def _read_response(self, stream: Any, result: Any) -> None:
        """Collect the status lines as bytes; python-gnupg's own reader also ends lines at U+2028 and
        U+0085."""
        for line in iter(stream.stream.readline, b""):
            status = StatusLine.of(line)
            if status is not None and isinstance(result, Listener):
                result.lines.append(status)

    def _collect_output(self, process: Any, result: Any, writer: Any = None, stdin: Any = None) -> int:
        """Collect everything, and kill the whole process group when the time is up."""
        watchdog = threading.Timer(self.timeout, self._kill, (process, result))
        watchdog.daemon = True
        watchdog.start()
        try:
            return super()._collect_output(process, result, writer, stdin)
        finally:
            watchdog.cancel()

    @staticmethod
    def _kill(process: "subprocess.Popen[bytes]", result: Any) -> None:
        result.timed_out = kill(process)

    def call(self, args: Sequence[str], feed: bytes, passphrase: str | None) -> GpgRun:
        """Run gpg once with these arguments and this input."""
        heard = Listener()
        with suppress(BrokenPipeError, ConnectionResetError):  # gpg may stop reading before the end
            self._handle_io(list(args), io.BytesIO(feed), heard, passphrase=passphrase, binary=True)
        return heard.run()


class Keyring(KeyShelf):
    """A gpg home directory, and everything that is done with the keys in it.

    Raises `KeyringUnusable` when the home's path is too long for gpg-agent, or gpg is missing. The
    timeout is in seconds and holds for each run of gpg. Use it as a context manager, or call `stop()`:
    an agent holds keys.
    """

    def __init__(self, home: Path, *, passphrase: str | None = None, timeout: float = 30.0) -> None:
        super().__init__(home.absolute(), timeout)
        check_length(self.home)
        if passphrase is not None and any(end in passphrase for end in "\r\n\0"):
            raise KeyringUnusable("The keyring's passphrase contains a line end: give it without one.")
        self._passphrase = passphrase or None
        prepare(self.home)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End the home's gpg-agent; the next use starts another one."""
        if "_gpg" in self.__dict__:
            stop_agent(self.home, self.timeout)

    @classmethod
    @contextmanager
    def throwaway(cls, *, timeout: float = 30.0) -> Generator[Self]:
        """Give an empty keyring that vanishes afterwards."""
        with throwaway_home() as home, cls(home, timeout=timeout) as keyring:
            yield keyring

    # Reading

    def decrypt(self, ciphertext: bytes, *, at_most: int | None = None) -> Decryption:
        """Open what was sealed to any of our keys, and judge the signatures inside; never gives a
        part of it, nor more than `at_most` bytes."""
        message = unarmoured(ciphertext)
        most = LARGEST_PLAINTEXT if at_most is None else at_most
        limit = ("--max-output", str(most + _MARGIN))
        run = self._run(*limit, "--decrypt", feed=message)
        if first := hidden_key(run):
            limit = (*limit, "--try-secret-key", first)
            run = self._run(*limit, "--decrypt", feed=message)
        encrypted, found, problem = was_encrypted(run), signatures_in(run), decryption_problem(run)
        if len(run.output) > most:
            problem = Problem.TOO_LARGE
        elif needs_second_opinion(run, problem):
            again = self._run(*limit, "--skip-verify", "--decrypt", feed=message)
            problem = decryption_problem(again)
            if problem is None and not again.output.startswith(run.output):
                problem = Problem.TAMPERED
            run = again
        if problem is not None:
            problem = problem_of(message, run, problem, self._own_fingerprints)
            return Decryption(None, problem, was_encrypted=encrypted)
        return Decryption(run.output, None, found, encrypted)

    def verify(self, signature: bytes, data: bytes) -> Verification:
        """Judge a detached signature over exactly these bytes."""
        if len(signature) > LARGEST_SIGNATURE:
            return Verification((), Problem.TOO_LARGE)
        claimed = unarmoured(signature)
        known = without_newer(claimed) if is_newer(claimed) else claimed
        if not known:
            return Verification.of_newer(claimed)
        with filled_pipe(known) as pipe:
            run = self._run("--enable-special-filenames", "--verify", "--", f"-&{pipe}", "-", feed=data)
        if run.has("PLAINTEXT"):  # a whole signed message, posing as a signature over these bytes
            return Verification((), Problem.MALFORMED)
        return Verification.of(run)

    def verify_clearsigned(self, block: bytes) -> Verification:
        """Judge a clear-signed block and give the bytes that the signature covers, which alone may be
        shown.

        Blanks at the end of a line are not covered (RFC 4880, section 7.1), and not given.
        """
        block, claimed = with_known_signatures(block)
        run = self._run("--max-output", str(LARGEST_PLAINTEXT), "--decrypt", feed=block)
        if was_encrypted(run) or len(run.lines("PLAINTEXT")) != 1:
            return Verification((), Problem.TIMEOUT if run.timed_out else Problem.MALFORMED)
        if is_newer(claimed) and not without_newer(claimed):
            return Verification.of_newer(claimed, run.output)
        return Verification.of(run, run.output)

    def _own_fingerprints(self) -> Iterable[str]:
        return [key.fingerprint for own in self.own_keys() for key in own.subkeys]

    # Writing

    def seal(self, plaintext: bytes, *, to: str, signed_by: str | None) -> bytes:
        """Encrypt for the one key with this fingerprint, armoured; raises `CannotSeal` and never gives
        plaintext.

        Seal once per recipient: one expired key spoils a common encryption, and recipients see each
        other's keys.
        """
        signing = ("--sign", "--local-user", signed_by) if signed_by else ()
        for fingerprint in (to, signed_by or to):
            if not is_fingerprint(fingerprint):
                raise CannotSeal(SealRefusal.UNKNOWN_KEY, fingerprint)
        options = ("--no-encrypt-to", "--no-default-recipient", "--compress-algo=none", "--armor")
        run = self._run(*options, *signing, "--encrypt", "--recipient", to, feed=plaintext)
        if is_sealed(run, to, signed_by):
            return run.output
        raise why_not_sealed(run, None if run.timed_out else self._look_up(to), to, signed_by)

    def sign_detached(self, data: bytes, *, by: str) -> DetachedSignature:
        """Sign these exact bytes. Never give it text that a stranger wrote: that makes us vouch for
        it."""
        if not is_fingerprint(by):
            raise CannotSeal(SealRefusal.CANNOT_SIGN, by)
        run = self._run("--armor", "--local-user", by, "--detach-sign", feed=data)
        signature = DetachedSignature.of(run)
        if signature is None:
            raise CannotSeal(SealRefusal.TIMEOUT if run.timed_out else SealRefusal.CANNOT_SIGN, by)
        return signature

    # Making keys

    def make_key(
        self, name: str, address: str, *, passphrase: str | None = None, expires: datetime | None = None
    ) -> str:
        """Make a key pair (ed25519 and cv25519) and give its fingerprint.

        It is protected by the passphrase given, else by the keyring's own, else by none. `expires` is
        aware.
        """
        secret = passphrase or self._passphrase
        recipe = key_recipe(name, address, secret, expires)
        created = self._gpg.call(("--generate-key",), recipe, secret).lines("KEY_CREATED")
        if len(created) != 1:
            raise KeyRejected(f"Gpg made no key for {address}.")
        return created[0].arg(1)

    # Running gpg

    @cached_property
    def _gpg(self) -> _Gpg:
        try:
            gpg = _Gpg(self.home, self.timeout)
        except (OSError, ValueError) as error:
            raise KeyringUnusable(
                f"gpg cannot be run for {self.home}: is GnuPG 2.2 or later installed?"
            ) from error
        if not (self.home / "trustdb.gpg").exists():  # without it, gpg fails at the first expired key
            gpg.call(("--trust-model=pgp", "--import-ownertrust"), b"", None)
        return gpg

    def _run(self, *args: str, feed: bytes = b"") -> GpgRun:
        return self._gpg.call(args, feed, self._passphrase)

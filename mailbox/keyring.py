"""The only door to gpg: who may read, seal and sign here, and whose keys are known.

Every run of gpg has a clock, its status lines on a pipe of their own, and no network, prompt or
configuration file. Nothing secret is ever in an argument, a temporary file or a log. Keys are named by
full fingerprint only: gpg picks an attacker's key when it is asked for an address.
"""

import io
import logging
import subprocess
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import gnupg

from .errors import CannotSeal, GpgTimedOut, KeyRejected, KeyringUnusable, SealRefusal
from .gpg_home import check_length, prepare, ring_stamp, stop_agent, throwaway_home
from .gpg_process import ALWAYS, filled_pipe, kill, start
from .gpg_status import GpgRun, Listener, StatusLine, signatures_in
from .gpg_verdicts import (
    Decryption,
    DetachedSignature,
    Verification,
    decryption_problem,
    is_sealed,
    needs_second_opinion,
    was_encrypted,
    why_not_sealed,
)
from .key_intake import Adopted, Refused, adopt, import_key, key_recipe
from .keys import KeyFacts, is_fingerprint, read_listing
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


class Keyring:
    """A gpg home directory, and everything that is done with the keys in it.

    Raises `KeyringUnusable` when the home's path is too long for gpg-agent, or gpg is missing. The
    timeout is in seconds and holds for each run of gpg. Use it as a context manager, or call `stop()`:
    an agent holds keys.
    """

    def __init__(self, home: Path, *, passphrase: str | None = None, timeout: float = 30.0) -> None:
        self.home = home.absolute()
        check_length(self.home)
        if passphrase is not None and any(end in passphrase for end in "\r\n\0"):
            raise KeyringUnusable("The keyring's passphrase contains a line end: give it without one.")
        self._passphrase = passphrase or None
        self.timeout = timeout
        self._known: dict[str, tuple[object, KeyFacts | None]] = {}
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

    def decrypt(self, ciphertext: bytes) -> Decryption:
        """Open what was sealed to any of our keys, and judge the signatures inside; never gives a
        part of it."""
        limit = ("--max-output", str(LARGEST_PLAINTEXT + _MARGIN))
        run = self._run(*limit, "--decrypt", feed=ciphertext)
        encrypted = was_encrypted(run)
        problem = decryption_problem(run)
        if len(run.output) > LARGEST_PLAINTEXT:
            problem = Problem.TOO_LARGE
        elif problem is None and needs_second_opinion(run):
            again = self._run(*limit, "--skip-verify", "--decrypt", feed=ciphertext)
            if again.returncode != 0 or again.output != run.output:
                problem = Problem.TIMEOUT if again.timed_out else Problem.TAMPERED
        if problem is not None:
            return Decryption(None, problem, was_encrypted=encrypted)
        return Decryption(run.output, None, signatures_in(run), encrypted)

    def verify(self, signature: bytes, data: bytes) -> Verification:
        """Judge a detached signature over exactly these bytes."""
        if len(signature) > LARGEST_SIGNATURE:
            return Verification((), Problem.TOO_LARGE)
        with filled_pipe(signature) as pipe:
            run = self._run("--enable-special-filenames", "--verify", "--", f"-&{pipe}", "-", feed=data)
        if run.has("PLAINTEXT"):  # a whole signed message, posing as a signature over these bytes
            return Verification((), Problem.MALFORMED)
        return Verification.of(run)

    def verify_clearsigned(self, block: bytes) -> Verification:
        """Judge a clear-signed block and give the bytes that the signature covers, which alone may be
        shown.

        Blanks at the end of a line are not covered (RFC 4880, section 7.1), and not given.
        """
        run = self._run("--max-output", str(LARGEST_PLAINTEXT), "--decrypt", feed=block)
        if was_encrypted(run) or len(run.lines("PLAINTEXT")) != 1:
            return Verification((), Problem.TIMEOUT if run.timed_out else Problem.MALFORMED)
        return Verification.of(run, run.output)

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

    # Knowing keys

    def facts(self, fingerprint: str) -> KeyFacts | None:
        """Tell what is known of a key, or None when it is not in this keyring; remembered until the
        ring changes."""
        if not is_fingerprint(fingerprint):
            return None
        stamp = ring_stamp(self.home)
        known = self._known.get(fingerprint)
        if known is None or known[0] != stamp:
            known = (stamp, self._look_up(fingerprint))
            self._known[fingerprint] = known
        return known[1]

    def all_keys(self) -> tuple[KeyFacts, ...]:
        """List every public key."""
        return self._list("--list-keys")

    def own_keys(self) -> tuple[KeyFacts, ...]:
        """List the keys whose secret half is here."""
        return self._list("--list-secret-keys")

    def examine(self, key: bytes) -> tuple[KeyFacts, ...]:
        """Tell what keys these bytes hold, without taking any of them in; their self-signatures are
        not yet proven."""
        return read_listing(self._run("--import-options", "show-only", "--import", feed=key).output)

    def export_public(self, fingerprint: str) -> bytes:
        """Give a public key, armoured, with nothing but its own signatures; empty when it is not
        here."""
        if not is_fingerprint(fingerprint):
            return b""
        options = ("--armor", "--export-options", "export-minimal", "--export", "--")
        return self._run(*options, fingerprint).output

    # Taking keys in

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

    def import_public(self, key: bytes) -> KeyFacts:
        """Take in the one public key that an operator pins; raises `KeyRejected` for anything else."""
        return import_key(self, key, secret=False)

    def import_secret(self, key: bytes) -> str:
        """Take in one key with its secret half, and give its fingerprint; raises `KeyRejected` for
        anything else."""
        return import_key(self, key, secret=True).fingerprint

    def adopt(self, key: bytes, *, address: str) -> Adopted | Refused:
        """Take in the key that the holder of this address offered, if the policy of `key_intake`
        lets it."""
        return adopt(self, key, address)

    def take_in(self, key: bytes, *, only_address: str | None = None) -> None:
        """Import without asking any policy; call `adopt` or `import_public` instead."""
        options = ["--import-options", "import-minimal,no-import-local-sigs"]
        if only_address is not None:
            options += ["--import-filter", f"keep-uid=mbox = {only_address}"]
        self._run(*options, "--import", feed=key)

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

    def _list(self, *args: str) -> tuple[KeyFacts, ...]:
        run = self._run(*args)
        if run.timed_out:
            raise GpgTimedOut(f"gpg did not list the keys of {self.home} within {self.timeout} seconds.")
        return read_listing(run.output)

    def _look_up(self, fingerprint: str) -> KeyFacts | None:
        listed = self._list("--list-keys", "--", fingerprint)
        return next((key for key in listed if key.fingerprint == fingerprint), None)

"""The keys of a gpg home: which are known, how one goes out, how one comes in.

Nothing here opens or signs a letter; `Keyring` adds that, and knows how gpg is run.
"""

from abc import ABC, abstractmethod
from pathlib import Path

from .errors import GpgTimedOut
from .gpg_home import ring_stamp
from .gpg_status import GpgRun
from .key_intake import Adopted, Refused, adopt, alone, import_key
from .keys import KeyFacts, is_fingerprint, read_listing


class KeyShelf(ABC):
    """The public and secret keys of one home."""

    def __init__(self, home: Path, timeout: float) -> None:
        self.home = home
        self.timeout = timeout
        self.adopted: dict[bytes, str] = {}
        """What was offered and taken in, by its digest, and the fingerprint of its key."""
        self._known: dict[str, tuple[object, KeyFacts | None]] = {}

    @abstractmethod
    def _run(self, *args: str, feed: bytes = b"") -> GpgRun:
        """Run gpg once with these arguments and this input."""

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

    def keys_of(self, address: str) -> tuple[KeyFacts, ...]:
        """List the public keys of which a user ID names exactly this address."""
        if not address:
            return ()
        found = self._list("--list-keys", "--", f"*{address}")
        return tuple(key for key in found if key.belongs_to(address))

    def examine(self, key: bytes, *, only_address: str | None = None) -> tuple[KeyFacts, ...]:
        """Tell what keys these bytes hold, without taking any of them in.

        Gpg shows a key as it would take it in: user IDs, subkeys and revocations without a valid
        self-signature are left out.
        """
        return read_listing(self._run(*_taking_in(only_address, "show-only"), "--import", feed=key).output)

    def _list(self, *args: str) -> tuple[KeyFacts, ...]:
        run = self._run(*args)
        if run.timed_out:
            raise GpgTimedOut(f"gpg did not list the keys of {self.home} within {self.timeout} seconds.")
        return read_listing(run.output)

    def _look_up(self, fingerprint: str) -> KeyFacts | None:
        listed = self._list("--list-keys", "--", fingerprint)
        return next((key for key in listed if key.fingerprint == fingerprint), None)

    # Giving keys out

    def export_public(self, fingerprint: str) -> bytes:
        """Give a public key, armoured, with nothing but its own signatures; empty when it is not
        here."""
        if not is_fingerprint(fingerprint):
            return b""
        options = ("--armor", "--export-options", "export-minimal", "--export", "--")
        return self._run(*options, fingerprint).output

    def export_for_publication(self, fingerprint: str, address: str) -> bytes:
        """Give a key as octets, with this address as its only name; empty when it has no such name.

        What another key of this home certifies stays: a new intake key carries the word of the old one.
        """
        facts = self.facts(fingerprint)
        if facts is None or not facts.belongs_to(address):
            return b""
        options = ("--export-options", "export-clean", "--export-filter", f"keep-uid=mbox = {address}")
        return self._run(*options, "--export", "--", fingerprint).output

    def certify(self, fingerprint: str, *, by: str) -> bool:
        """Let one key of ours vouch for another, for whoever trusts the first; tells whether it
        could."""
        if not is_fingerprint(fingerprint) or not is_fingerprint(by):
            return False
        return self._run("--yes", "--local-user", by, "--quick-sign-key", "--", fingerprint).returncode == 0

    # Taking keys in

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

    def take_out(self, fingerprint: str) -> bool:
        """Delete a public key; tells whether it is gone. Keys of our own always stay."""
        if is_fingerprint(fingerprint):
            with alone(self.home):
                self._run("--yes", "--delete-keys", "--", fingerprint)  # refused where a secret half is
        return self.facts(fingerprint) is None

    def drop_backup(self) -> None:
        """Delete the copy that gpg keeps of the ring as it was before the last change."""
        for name in ("pubring.kbx~", "pubring.gpg~"):
            (self.home / name).unlink(missing_ok=True)

    def take_in(self, key: bytes, *, only_address: str | None = None) -> None:
        """Import without asking any policy; call `adopt` or `import_public` instead."""
        self._run(*_taking_in(only_address), "--import", feed=key)


def _taking_in(only_address: str | None, *more: str) -> tuple[str, ...]:
    """Without the signatures of others and without a picture; what is withdrawn by its owner stays so."""
    options = ("--import-options", ",".join((*more, "import-minimal", "no-import-local-sigs")))
    return (
        options if only_address is None else (*options, "--import-filter", f"keep-uid=mbox = {only_address}")
    )

"""The people of the tests, each with an address and real keys, made once per session with a real gpg.

Two keyrings exist. `desk` is ours: the intake's secret key, and the public keys of those whom we know.
`outside` is everybody else's: their secret keys, and our public one. The stranger's key is only
outside. Times are shifted with gpg's own switch, and nothing waits.
"""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from meldbalie.mailbox.keyring import Keyring

_LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Member:
    """Somebody with a key pair."""

    name: str
    address: str
    fingerprint: str

    @property
    def from_header(self) -> bytes:
        """How this member stands in a From header."""
        return f"{self.name} <{self.address}>".encode()


@dataclass(frozen=True)
class Cast:
    """Everybody, and the two keyrings."""

    desk: Keyring
    outside: Keyring
    intake: Member
    reporter: Member
    handler: Member
    second_handler: Member
    owner: Member
    second_owner: Member
    ibd: Member
    stranger: Member
    """Nobody at the desk knows this key."""
    expired: Member
    """A key that expired in 2021."""
    revoked: Member
    """A key that was withdrawn; outside it still signs."""

    def gpg(self, *args: str, feed: bytes = b"", at: datetime | None = None) -> bytes:
        """Run gpg outside, as the senders of letters do, at another time if need be; gives what it
        wrote."""
        return gpg(self.outside.home, *args, feed=feed, at=at)

    def sign(self, data: bytes, by: Member, *, at: datetime | None = None) -> bytes:
        """Give a detached, armoured signature over exactly these bytes."""
        return self.gpg("--armor", "--local-user", by.fingerprint, "--detach-sign", feed=data, at=at)

    def clearsign(self, text: bytes, by: Member) -> bytes:
        """Give a clear-signed block."""
        return self.gpg("--local-user", by.fingerprint, "--clear-sign", feed=text)

    def encrypt(
        self, data: bytes, *, to: Member | None = None, by: Member | None = None, armour: bool = True
    ) -> bytes:
        """Seal for somebody (the intake if nobody is named), signed by somebody or nobody."""
        options = [
            *(["--armor"] if armour else []),
            "--recipient",
            (to or self.intake).fingerprint,
            "--encrypt",
        ]
        return self.gpg(*(["--sign", "--local-user", by.fingerprint] if by else []), *options, feed=data)

    def public_key(self, of: Member) -> bytes:
        """Give somebody's public key, armoured."""
        return self.gpg("--armor", "--export", of.fingerprint)


def gpg(home: Path, *args: str, feed: bytes = b"", at: datetime | None = None) -> bytes:
    """Run gpg in a home, at another time if need be; raises when gpg fails."""
    shifted = [f"--faked-system-time={at:%Y%m%dT%H%M%S}"] if at else []
    command = ["gpg", "--homedir", str(home), "--batch", "--quiet", "--trust-model=always"]
    options = ["--pinentry-mode=loopback", "--passphrase-fd=0", "--no-auto-check-trustdb"]
    done = subprocess.run(
        [*command, *options, *shifted, *args], input=b"\n" + feed, capture_output=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"gpg {' '.join(args)}: {done.stderr.decode(errors='replace')}")
    return done.stdout


@contextmanager
def assembled() -> Iterator[Cast]:
    """Make the keyrings and everybody's keys, in short paths that vanish afterwards."""
    with (
        tempfile.TemporaryDirectory(prefix="mbdesk", ignore_cleanup_errors=True) as desk_home,
        tempfile.TemporaryDirectory(prefix="mbout", ignore_cleanup_errors=True) as outside_home,
        Keyring(Path(desk_home)) as desk,
        Keyring(Path(outside_home)) as outside,
    ):
        yield _introduced(desk, outside)


def _introduced(desk: Keyring, outside: Keyring) -> Cast:
    intake = _born(desk, "Meldpunt", "cvd@gemeente.example")
    outside.import_public(desk.export_public(intake.fingerprint))
    cast = Cast(
        desk=desk,
        outside=outside,
        intake=intake,
        reporter=_born(outside, "Renée Reporter", "renee@melder.example"),
        handler=_born(outside, "Hanna Handler", "hanna@gemeente.example"),
        second_handler=_born(outside, "Hugo Handler", "hugo@gemeente.example"),
        owner=_born(outside, "Otto Owner", "otto@dienst.example"),
        second_owner=_born(outside, "Olga Owner", "olga@leverancier.example"),
        ibd=_born(outside, "IBD", "incident@ibd.example"),
        stranger=_born(outside, "Sam Stranger", "sam@elders.example"),
        expired=_born_long_ago(outside, "Eva Expired", "eva@melder.example"),
        revoked=_born(outside, "Ruud Revoked", "ruud@melder.example"),
    )
    known = (cast.reporter, cast.handler, cast.second_handler, cast.owner, cast.second_owner, cast.ibd)
    for member in (*known, cast.expired, cast.revoked):
        desk.import_public(outside.export_public(member.fingerprint))
    gpg(desk.home, "--import", feed=_revocation(outside, cast.revoked))
    return cast


def _born(keyring: Keyring, name: str, address: str) -> Member:
    return Member(name, address, keyring.make_key(name, address))


def _born_long_ago(keyring: Keyring, name: str, address: str) -> Member:
    recipe = (
        "Key-Type: EDDSA\nKey-Curve: ed25519\nKey-Usage: sign,cert\n"
        "Subkey-Type: ECDH\nSubkey-Curve: cv25519\nSubkey-Usage: encrypt\n"
        f"Name-Real: {name}\nName-Email: {address}\nExpire-Date: 1y\n%no-protection\n%commit\n"
    )
    gpg(keyring.home, "--generate-key", feed=recipe.encode(), at=_LONG_AGO)
    made = next(key for key in keyring.all_keys() if key.belongs_to(address))
    return Member(name, address, made.fingerprint)


def while_it_lasted() -> datetime:
    """Give a time at which the expired key was not yet."""
    return _LONG_AGO + timedelta(days=30)


def _revocation(keyring: Keyring, member: Member) -> bytes:
    certificate = (keyring.home / "openpgp-revocs.d" / f"{member.fingerprint}.rev").read_bytes()
    return certificate.replace(b":-----BEGIN", b"-----BEGIN")

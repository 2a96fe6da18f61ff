"""The policy for taking keys in: what an operator pins, and what a reporter may offer.

A reporter's key arrives by the same mail as the report, so it proves nothing; it only lets us answer
under seal. It therefore never replaces a key, never brings other people's names or signatures, and
never a secret.
"""

import fcntl
import os
import re
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import KeyRejected
from .keys import KeyFacts

if TYPE_CHECKING:
    from .keyring import Keyring

LARGEST_OFFERED_KEY = 512 * 1024  # bytes; an honest one has 1 to 20 KB
# Gpg's filter language has && and ||: an address with these could widen the filter.
_FILTERABLE = re.compile(r"[A-Za-z0-9.!#$%'*+/=?^_`{}~-]{1,64}@[A-Za-z0-9.-]{1,253}")


class RefusalReason(StrEnum):
    """Why a key that somebody offered was not taken in."""

    TOO_LARGE = "too_large"
    """It is larger than `LARGEST_OFFERED_KEY`: somebody flooded it with signatures."""
    MALFORMED = "malformed"
    """There is no key in it that gpg can read."""
    SEVERAL_KEYS = "several_keys"
    """There is more than one key in it, and nothing says which is meant."""
    SECRET_KEY = "secret_key"  # noqa: S105 - a word, no secret
    """The sender has sent a secret key: it is no secret any more, and must be told."""
    OTHER_ADDRESS = "other_address"
    """No valid user ID names the sender's address."""
    CHANGED_KEY = "changed_key"
    """The address has another key already. A human decides: a new laptop, or an attack."""
    REVOKED = "revoked"
    """Its owner has withdrawn it."""
    EXPIRED = "expired"
    """It is past its expiry date."""
    NO_ENCRYPTION_KEY = "no_encryption_key"
    """It has no usable subkey to seal to."""
    WEAK = "weak"
    """It is shorter than 2048 bits."""
    TIMEOUT = "timeout"
    """Gpg was killed because it took too long."""


@dataclass(frozen=True)
class Adopted:
    """The key lies in the keyring; `is_new` is false when only its dates or subkeys were brought up
    to date."""

    key: KeyFacts
    is_new: bool


@dataclass(frozen=True)
class Refused:
    """The keyring is as it was."""

    reason: RefusalReason
    fingerprints: tuple[str, ...] = ()
    """What was offered; and for a changed key, then what we have."""


def key_recipe(name: str, address: str, passphrase: str | None, expires: datetime | None) -> bytes:
    """Write what gpg reads to make an ed25519 key with a cv25519 subkey; raises `KeyRejected` for a
    second line."""
    if not name or any(ord(letter) < 32 for letter in f"{name}{address}{passphrase or ''}"):
        raise KeyRejected(f"A key needs a name, an address and a passphrase of one line each: {address!r}.")
    lines = (
        "Key-Type: EDDSA",
        "Key-Curve: ed25519",
        "Key-Usage: sign,cert",
        "Subkey-Type: ECDH",
        "Subkey-Curve: cv25519",
        "Subkey-Usage: encrypt",
        f"Name-Real: {name}",
        f"Name-Email: {address}",
        f"Expire-Date: {expires.astimezone(UTC):%Y%m%dT%H%M%S}" if expires else "Expire-Date: 0",
        f"Passphrase: {passphrase}" if passphrase else "%no-protection",
        "%commit",
    )
    return "".join(f"{line}\n" for line in lines).encode()


def import_key(keyring: "Keyring", key: bytes, *, secret: bool) -> KeyFacts:
    """Take in the one key in these bytes for an operator; raises `KeyRejected` for none, several, or
    the wrong sort."""
    listed = keyring.examine(key)
    if len(listed) != 1:
        raise KeyRejected(f"Expected one key and found {len(listed)}: export exactly the one that is meant.")
    if listed[0].has_secret != secret:
        expected, got = ("secret", "public") if secret else ("public", "secret")
        raise KeyRejected(f"Expected a {expected} key and found a {got} one: {listed[0].fingerprint}.")
    keyring.take_in(key)
    facts = keyring.facts(listed[0].fingerprint)
    if facts is None or (
        secret and not any(own.fingerprint == facts.fingerprint for own in keyring.own_keys())
    ):
        raise KeyRejected(f"Gpg did not take in {listed[0].fingerprint}: is the passphrase right?")
    return facts


def adopt(keyring: "Keyring", key: bytes, address: str) -> Adopted | Refused:
    """Take in the key that the holder of `address` offered, or say why not.

    The key is first cleaned in a keyring of its own, where its self-signatures are proven; only what
    came through there, and names this address, gets near the real one. One adoption at a time per
    keyring.
    """
    if len(key) > LARGEST_OFFERED_KEY:
        return Refused(RefusalReason.TOO_LARGE)
    if not _FILTERABLE.fullmatch(address):
        return Refused(RefusalReason.OTHER_ADDRESS)
    listed = keyring.examine(key)
    offered = tuple(found.fingerprint for found in listed)
    if any(found.has_secret for found in listed):
        return Refused(RefusalReason.SECRET_KEY, offered)
    if len(listed) != 1:
        return Refused(RefusalReason.SEVERAL_KEYS if listed else RefusalReason.MALFORMED, offered)
    cleaned = _cleaned(keyring, key, address)
    if isinstance(cleaned, RefusalReason):
        return Refused(cleaned, offered)
    with _alone(keyring.home):
        return _take_in(keyring, cleaned, offered[0], address)


def _cleaned(keyring: "Keyring", key: bytes, address: str) -> bytes | RefusalReason:
    with keyring.throwaway(timeout=keyring.timeout) as bench:
        bench.take_in(key, only_address=address)
        proven = bench.all_keys()
        if len(proven) != 1 or not _names_only(proven[0], address):
            return RefusalReason.OTHER_ADDRESS
        return _unfit(proven[0]) or bench.export_public(proven[0].fingerprint)


def _names_only(key: KeyFacts, address: str) -> bool:
    return bool(key.uids) and all(key.belongs_to(address) for _ in key.uids) and len(key.addresses) == 1


def _unfit(key: KeyFacts) -> RefusalReason | None:
    primary = key.subkeys[0]
    if key.revoked:
        return RefusalReason.REVOKED
    if primary.was_expired:
        return RefusalReason.EXPIRED
    sealing = key.sealing_keys()
    if not sealing:
        return RefusalReason.NO_ENCRYPTION_KEY
    return RefusalReason.WEAK if any(sub.is_weak for sub in (primary, *sealing)) else None


def _take_in(keyring: "Keyring", cleaned: bytes, fingerprint: str, address: str) -> Adopted | Refused:
    others = [
        key.fingerprint
        for key in keyring.all_keys()
        if key.belongs_to(address) and key.fingerprint != fingerprint
    ]
    if others:
        return Refused(RefusalReason.CHANGED_KEY, (fingerprint, *others))
    is_new = keyring.facts(fingerprint) is None
    keyring.take_in(cleaned, only_address=address)
    facts = keyring.facts(fingerprint)
    if facts is None or not facts.belongs_to(address):
        return Refused(RefusalReason.MALFORMED, (fingerprint,))
    return Adopted(facts, is_new)


@contextmanager
def _alone(home: Path) -> Generator[None]:
    """Keep other processes of this machine from adopting between our look and our import."""
    lock = os.open(home / ".adopting.lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)

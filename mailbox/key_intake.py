"""The policy for taking keys in: what an operator pins, and what a reporter may offer.

A reporter's key arrives by the same mail as the report, so it proves nothing; it only lets us answer
under seal. It therefore never replaces a key, never brings other people's names or signatures, and
never a secret.
"""

import fcntl
import hashlib
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
    from .key_shelf import KeyShelf

LARGEST_OFFERED_KEY = 512 * 1024  # bytes; an honest one has 1 to 20 KB
MOST_REMEMBERED = 1000
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
    UNSUPPORTED = "unsupported"
    """It is of a newer kind than gpg can use."""
    WEAK = "weak"
    """It is shorter than 2048 bits."""


@dataclass(frozen=True)
class Adopted:
    """The key lies in the keyring; `is_new` is false when only its dates or subkeys were brought up
    to date."""

    key: KeyFacts
    is_new: bool


@dataclass(frozen=True)
class Refused:
    """No key came in; of one that is known, the keyring knows now what its owner has changed."""

    reason: RefusalReason
    fingerprints: tuple[str, ...] = ()
    """What was offered; and for a changed key, then what we have."""
    is_known: bool = False
    """Whether the key was taken in before, and has since been revoked or become unusable."""


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


def import_key(shelf: "KeyShelf", key: bytes, *, secret: bool) -> KeyFacts:
    """Take in the one key in these bytes for an operator; raises `KeyRejected` for none, several, or
    the wrong sort."""
    listed = shelf.examine(key)
    if len(listed) != 1:
        raise KeyRejected(f"Expected one key and found {len(listed)}: export exactly the one that is meant.")
    if listed[0].has_secret != secret:
        expected, got = ("secret", "public") if secret else ("public", "secret")
        raise KeyRejected(f"Expected a {expected} key and found a {got} one: {listed[0].fingerprint}.")
    shelf.take_in(key)
    facts = shelf.facts(listed[0].fingerprint)
    if facts is None or (
        secret and not any(own.fingerprint == facts.fingerprint for own in shelf.own_keys())
    ):
        raise KeyRejected(f"Gpg did not take in {listed[0].fingerprint}: is the passphrase right?")
    return facts


def adopt(shelf: "KeyShelf", key: bytes, address: str) -> Adopted | Refused:
    """Take in the key that the holder of `address` offered, or say why not.

    Only what names this address comes in; of a key that is known already, what its owner has changed:
    dates, subkeys, and that it is revoked. One adoption at a time per keyring.
    """
    if len(key) > LARGEST_OFFERED_KEY:
        return Refused(RefusalReason.TOO_LARGE)
    if not _FILTERABLE.fullmatch(address):
        return Refused(RefusalReason.OTHER_ADDRESS)
    digest = hashlib.sha256(address.lower().encode() + b"\0" + key).digest()
    seen = shelf.facts(shelf.adopted.get(digest, ""))
    if seen is not None and seen.belongs_to(address):
        return _known(seen)
    listed = shelf.examine(key)
    offered = tuple(found.fingerprint for found in listed)
    if any(found.has_secret for found in listed):
        return Refused(RefusalReason.SECRET_KEY, offered)
    if len(listed) != 1:
        return Refused(RefusalReason.SEVERAL_KEYS if listed else RefusalReason.MALFORMED, offered)
    if not _names_only(listed[0], address):
        listed = shelf.examine(key, only_address=address)
        if len(listed) != 1 or not _names_only(listed[0], address):
            return Refused(RefusalReason.OTHER_ADDRESS, offered)
    with alone(shelf.home):
        result = _take_in(shelf, key, listed[0], address)
    if isinstance(result, Adopted):
        _remember(shelf, digest, result.key.fingerprint)
    return result


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


def _take_in(shelf: "KeyShelf", key: bytes, offered: KeyFacts, address: str) -> Adopted | Refused:
    known = shelf.facts(offered.fingerprint)
    if known is not None and known.belongs_to(address):
        if _adds_to(known, offered):
            shelf.take_in(key, only_address=address)
            known = shelf.facts(offered.fingerprint) or known
        return _known(known)
    if reason := _unfit(offered):
        return Refused(reason, (offered.fingerprint,))
    others = tuple(other.fingerprint for other in shelf.keys_of(address))
    if others:
        return Refused(RefusalReason.CHANGED_KEY, (offered.fingerprint, *others))
    shelf.take_in(key, only_address=address)
    taken = shelf.facts(offered.fingerprint)
    if taken is None or not taken.belongs_to(address):
        return Refused(RefusalReason.MALFORMED, (offered.fingerprint,))
    return Adopted(taken, is_new=known is None)


def _known(key: KeyFacts) -> Adopted | Refused:
    reason = _unfit(key)
    return Refused(reason, (key.fingerprint,), is_known=True) if reason else Adopted(key, is_new=False)


def _adds_to(known: KeyFacts, offered: KeyFacts) -> bool:
    """Tell whether the offered key says anything of itself that is not known yet."""
    return not set(offered.subkeys) <= set(known.subkeys) or not set(offered.uids) <= set(known.uids)


def _remember(shelf: "KeyShelf", digest: bytes, fingerprint: str) -> None:
    if len(shelf.adopted) >= MOST_REMEMBERED:
        shelf.adopted.clear()
    shelf.adopted[digest] = fingerprint


@contextmanager
def alone(home: Path) -> Generator[None]:
    """Keep other processes of this machine from adopting between our look and our change."""
    lock = os.open(home / ".adopting.lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)

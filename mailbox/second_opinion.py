"""What another implementation of OpenPGP (Sequoia) reads where gpg 2.2 stops: newer signatures and keys.

It is asked what something is and whom it names. It verifies nothing, decrypts nothing, and is never given
a secret key (docs/adr/0006): a key that gpg cannot hold can be neither pinned nor sealed to.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from pysequoia import Cert, Sig

from .packets import Tag, packets

_Read = TypeVar("_Read")
_KEY_TAGS = frozenset({Tag.PUBLIC_KEY, Tag.SUBKEY, Tag.SIGNATURE, Tag.TRUST, Tag.USER_ID, Tag.USER_ATTRIBUTE})


@dataclass(frozen=True)
class NewerKey:
    """A key that gpg 2.2 does not read; nothing of it is proven."""

    fingerprint: str
    user_ids: tuple[str, ...]


def signers(octets: bytes) -> tuple[tuple[str | None, datetime | None], ...]:
    """Give the fingerprint and the time that each of these signatures claims."""
    found: list[tuple[str | None, datetime | None]] = []
    for packet in packets(octets):
        if packet.tag == Tag.SIGNATURE:
            read = _fenced(lambda one=packet.octets: _signer(Sig.from_bytes(one)))
            found.append(read or (None, None))
    return tuple(found)


def _signer(signature: Sig) -> tuple[str | None, datetime | None]:
    fingerprint = signature.issuer_fingerprint
    return (fingerprint.upper() if fingerprint else None), signature.created


def newer_keys(octets: bytes) -> tuple[NewerKey, ...]:
    """Give the keys in these packets, which must hold nothing else: what is packed is not unpacked."""
    if any(packet.tag not in _KEY_TAGS for packet in packets(octets)):
        return ()
    return _fenced(lambda: tuple(_key(cert) for cert in Cert.split_bytes(octets))) or ()


def _key(cert: Cert) -> NewerKey:
    return NewerKey(cert.fingerprint.upper(), tuple(str(user_id) for user_id in cert.user_ids))


def _fenced(read: Callable[[], _Read]) -> _Read | None:
    """Read what a stranger wrote; None when it cannot be read, also when the library panics over it."""
    try:
        return read()
    except Exception:
        return None
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # of pyo3; it is no Exception, and has no public name
            raise
        return None

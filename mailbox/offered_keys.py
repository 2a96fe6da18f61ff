"""Keys that a sender offers: attached, pasted, or in the Autocrypt header. Offered is not believed,
and not taken in."""

import hashlib
import re
from dataclasses import dataclass, field

from .addresses import same_address
from .keyring import Keyring
from .letter import Letter
from .words import from_base64

_LARGEST = 512 * 1024  # bytes
_ADDR = re.compile(rb"(?:^|;)\s*addr=([^;\s]{1,320})")
_KEYDATA = re.compile(rb"(?:^|;)\s*keydata=([^;]*)\Z")


@dataclass(frozen=True)
class OfferedKey:
    """What was offered, byte for byte, and what gpg reads in it; nothing of it is proven yet."""

    octets: bytes
    fingerprints: tuple[str, ...]
    addresses: tuple[str, ...]


@dataclass
class Offers:
    """The keys of one letter, each counted once; at most `limit` are looked at."""

    limit: int
    octets: dict[bytes, bytes] = field(default_factory=dict[bytes, bytes])

    def add(self, key: bytes) -> None:
        """Remember a key, unless it is too large, or there are too many."""
        if key and len(key) <= _LARGEST and len(self.octets) < self.limit:
            self.octets.setdefault(hashlib.sha256(key).digest(), key)

    def examined(self, keyring: Keyring) -> tuple[OfferedKey, ...]:
        """Give the public keys that gpg can read; a secret key is nothing that is offered."""
        offered: list[OfferedKey] = []
        for octets in self.octets.values():
            keys = [key for key in keyring.examine(octets) if not key.has_secret]
            fingerprints = tuple(dict.fromkeys(key.fingerprint for key in keys))
            addresses = tuple(dict.fromkeys(address for key in keys for address in key.addresses))
            if fingerprints:
                offered.append(OfferedKey(octets, fingerprints, addresses))
        return tuple(offered)


def autocrypt_key(letter: Letter) -> bytes:
    """Give the key of the Autocrypt header, empty when there is none.

    It counts only when it is the only one and names the sender (Autocrypt 1.1, section 2.3).
    """
    headers = letter.root.headers.all("autocrypt")
    if len(headers) != 1 or letter.sender is None:
        return b""
    address, keydata = _ADDR.search(headers[0]), _KEYDATA.search(headers[0])
    if address is None or keydata is None:
        return b""
    names_sender = same_address(address.group(1).decode("utf-8", "replace"), letter.sender)
    return from_base64(b"".join(keydata.group(1).split())) if names_sender else b""

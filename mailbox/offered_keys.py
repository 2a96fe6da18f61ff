"""Keys that a sender offers: attached, pasted, or in the Autocrypt header. Offered is not believed,
and not taken in."""

import hashlib
import re
from dataclasses import dataclass, field

from .addresses import address_of_user_id, same_address
from .keyring import Keyring
from .letter import Letter
from .packets import divided_keys, is_newer
from .parts import Headers
from .second_opinion import NewerKey, newer_keys
from .words import from_base64

_LARGEST = 512 * 1024  # bytes
_ATTRIBUTE = re.compile(rb"\s*([A-Za-z0-9_-]{1,64})=(.*)\Z", re.DOTALL)
_KNOWN = frozenset({b"addr", b"prefer-encrypt", b"keydata"})


@dataclass(frozen=True)
class OfferedKey:
    """What was offered, without its armour, and whom it names; nothing of it is proven yet."""

    octets: bytes
    fingerprints: tuple[str, ...]
    addresses: tuple[str, ...]
    is_newer: bool = False
    """Whether gpg is too old for it, so that it can never be taken in."""


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
        """Give the public keys that can be read; a secret key is nothing that is offered."""
        offered: list[OfferedKey] = []
        for octets in self.octets.values():
            known, newer = divided_keys(octets) if is_newer(octets) else (octets, b"")
            keys = [key for key in keyring.examine(known) if not key.has_secret] if known else []
            fingerprints = tuple(dict.fromkeys(key.fingerprint for key in keys))
            addresses = tuple(dict.fromkeys(address for key in keys for address in key.addresses))
            if fingerprints:
                offered.append(OfferedKey(known, fingerprints, addresses))
            offered += [_offered(key, newer) for key in newer_keys(newer)]
        return tuple(offered)


def _offered(key: NewerKey, octets: bytes) -> OfferedKey:
    named = (address_of_user_id(user_id) for user_id in key.user_ids)
    addresses = tuple(dict.fromkeys(address for address in named if address))
    return OfferedKey(octets, (key.fingerprint,), addresses, is_newer=True)


def autocrypt_key(letter: Letter, inside: Headers | None) -> bytes:
    """Give the key of the Autocrypt header, also of one under the seal; empty when there is none.

    It counts only when it is the only one, names the sender, and asks for nothing that is not known here
    (Autocrypt 1.1, section 2.3).
    """
    for fields in (inside, letter.root.headers):
        headers = fields.all("autocrypt") if fields is not None else ()
        if headers:
            return _key_in(headers[0], letter.sender or "") if len(headers) == 1 else b""
    return b""


def _key_in(header: bytes, sender: str) -> bytes:
    attributes = [_ATTRIBUTE.match(attribute) for attribute in header.split(b";") if attribute.strip()]
    found = {one[1]: one[2] for one in attributes if one and not one[1].startswith(b"_")}
    is_sound = all(attributes) and len(found) == sum(1 for one in attributes if one and one[1] in found)
    if not is_sound or not found.keys() <= _KNOWN or not {b"addr", b"keydata"} <= found.keys():
        return b""
    address = found[b"addr"].strip().decode("utf-8", "replace")
    return from_base64(b"".join(found[b"keydata"].split())) if same_address(address, sender) else b""

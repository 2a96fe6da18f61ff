"""What is known of a key: read from gpg's colon listing, by line feeds only (a user ID may forge other
line ends).

Source: GnuPG's doc/DETAILS, "Format of the colon listings".
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from .addresses import address_of_user_id, same_address

_ESCAPE = re.compile(rb"\\x([0-9a-fA-F]{2})")
_FULL_FINGERPRINT = re.compile(r"[0-9A-F]{40}")
_SHORTEST_RSA = 2048  # bits; also for DSA and ElGamal
_ALGORITHMS: Mapping[int | None, str] = {1: "rsa", 2: "rsa", 3: "rsa", 16: "elg", 17: "dsa", 20: "elg"}
_FACTORED = frozenset({1, 2, 3, 16, 17, 20})  # RSA, ElGamal, DSA: their strength is their length


def is_fingerprint(text: str) -> bool:
    """Tell whether this is a full fingerprint as gpg prints it: 40 hexadecimal digits in capitals."""
    return bool(_FULL_FINGERPRINT.fullmatch(text))


@dataclass(frozen=True)
class Subkey:
    """A key that belongs to a primary key, or the primary key itself, and what it may be used for."""

    fingerprint: str
    can_encrypt: bool
    can_sign: bool
    created_at: datetime
    expires_at: datetime | None
    is_revoked: bool
    was_expired: bool = False
    """Whether gpg called it expired when it was listed."""
    is_weak: bool = False
    """Whether it is an RSA, DSA or ElGamal key of less than 2048 bits."""
    strength: str = ""
    """Its curve, or its algorithm and length: `ed25519`, `rsa4096`."""

    def is_usable(self, now: datetime) -> bool:
        """Tell whether it is neither revoked nor expired at this instant."""
        return not self.is_revoked and (self.expires_at is None or now < self.expires_at)


@dataclass(frozen=True)
class KeyFacts:
    """A key as it lies in a keyring; all instants are UTC-aware."""

    fingerprint: str
    uids: tuple[str, ...]
    """The user IDs as text, without those that were withdrawn or have expired by themselves."""
    created_at: datetime
    expires_at: datetime | None
    revoked: bool
    disabled: bool
    subkeys: tuple[Subkey, ...]
    """The primary key first."""
    has_secret: bool = False

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses of the user IDs; a user ID that names more than one, or hides one, gives
        none."""
        found = (address_of_user_id(uid) for uid in self.uids)
        return tuple(dict.fromkeys(address for address in found if address))

    def belongs_to(self, address: str) -> bool:
        """Tell whether one of the user IDs names exactly this address."""
        return any(same_address(own, address) for own in self.addresses)

    def sealing_keys(self) -> tuple[Subkey, ...]:
        """Give the subkeys that gpg would seal to, judged by gpg's clock when it listed them."""
        return tuple(
            key for key in self.subkeys if key.can_encrypt and not key.is_revoked and not key.was_expired
        )

    def is_usable(self, now: datetime) -> bool:
        """Tell whether the key as a whole is neither revoked, disabled nor expired."""
        return not self.revoked and not self.disabled and self.subkeys[0].is_usable(now)

    def can_encrypt(self, now: datetime) -> bool:
        """Tell whether something can be sealed to this key at this instant."""
        return self.is_usable(now) and any(key.can_encrypt and key.is_usable(now) for key in self.subkeys)

    def can_sign(self, now: datetime) -> bool:
        """Tell whether this key can sign at this instant."""
        return self.is_usable(now) and any(key.can_sign and key.is_usable(now) for key in self.subkeys)


def read_listing(listing: bytes) -> tuple[KeyFacts, ...]:
    """Read the keys of a listing, in order."""
    return tuple(_key(group) for group in _groups(listing))


Record = tuple[bytes, ...]


def _groups(listing: bytes) -> Iterator[list[Record]]:
    group: list[Record] = []
    for line in listing.split(b"\n"):
        record = tuple(line.split(b":"))
        if record[0] in (b"pub", b"sec"):
            if group:
                yield group
            group = []
        if group or record[0] in (b"pub", b"sec"):
            group.append(record)
    if group:
        yield group


def _key(group: list[Record]) -> KeyFacts:
    primary = group[0]
    subkeys = tuple(_subkeys(group))
    # A user ID shares the fate of its key; what was withdrawn by itself is left out.
    own_fate = _field(primary, 1)[:1] if _field(primary, 1)[:1] in (b"r", b"e") else b"-"
    left_out = {b"r", b"e", b"i"} - {own_fate}
    uids = (record for record in group if record[0] == b"uid" and _field(record, 1)[:1] not in left_out)
    return KeyFacts(
        fingerprint=subkeys[0].fingerprint,
        uids=tuple(_text(_field(record, 9)) for record in uids),
        created_at=subkeys[0].created_at,
        expires_at=subkeys[0].expires_at,
        revoked=subkeys[0].is_revoked,
        disabled=b"D" in _field(primary, 11),
        subkeys=subkeys,
        has_secret=primary[0] == b"sec",
    )


def _subkeys(group: list[Record]) -> Iterator[Subkey]:
    current: Record | None = None
    for record in group:
        if record[0] in (b"pub", b"sec", b"sub", b"ssb"):
            current = record
        elif record[0] == b"fpr" and current is not None:
            yield _subkey(current, _field(record, 9).decode("ascii", "replace"))
            current = None


def _subkey(record: Record, fingerprint: str) -> Subkey:
    uses = _field(record, 11)
    return Subkey(
        fingerprint=fingerprint,
        can_encrypt=b"e" in uses,
        can_sign=b"s" in uses,
        created_at=_instant(_field(record, 5)) or datetime.fromtimestamp(0, UTC),
        expires_at=_instant(_field(record, 6)),
        is_revoked=_field(record, 1)[:1] in (b"r", b"i", b"n"),
        was_expired=_field(record, 1)[:1] == b"e",
        is_weak=_number(record, 3) in _FACTORED and (_number(record, 2) or 0) < _SHORTEST_RSA,
        strength=_strength(record),
    )


def _strength(record: Record) -> str:
    curve = _field(record, 16).decode("ascii", "replace")
    return curve or f"{_ALGORITHMS.get(_number(record, 3), 'algorithm ?')}{_number(record, 2) or ''}"


def _field(record: Record, position: int) -> bytes:
    return record[position] if position < len(record) else b""


def _number(record: Record, position: int) -> int | None:
    text = _field(record, position)
    return int(text) if text.isdigit() else None


def _instant(seconds: bytes) -> datetime | None:
    return datetime.fromtimestamp(int(seconds), UTC) if seconds.isdigit() else None


def _text(escaped: bytes) -> str:
    return _ESCAPE.sub(lambda found: bytes([int(found.group(1), 16)]), escaped).decode("utf-8", "replace")

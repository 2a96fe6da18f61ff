"""The outsides of OpenPGP packets: of which sort and version they are. Nothing is unpacked or decrypted.

GnuPG 2.2 reads RFC 4880 and the OCB packets of LibrePGP. What RFC 9580 added (version 6 keys, signatures
and session keys, version 2 of encrypted data) it can only call invalid; here it is told apart from what is
broken.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

_HEAD = 64  # bytes of a body that are looked at
_MOST = 10_000  # packets of a message that are looked at


class Tag(IntEnum):
    """What a packet is (RFC 9580, section 5)."""

    SESSION_KEY = 1
    SIGNATURE = 2
    PASSPHRASE = 3
    ONE_PASS = 4
    SECRET_KEY = 5
    PUBLIC_KEY = 6
    SECRET_SUBKEY = 7
    COMPRESSED = 8
    UNPROTECTED = 9
    TRUST = 12
    USER_ID = 13
    SUBKEY = 14
    USER_ATTRIBUTE = 17
    PROTECTED = 18
    AEAD = 20


_NEW_DIGESTS = (b"\x0c", b"\x0e")  # SHA3-256 and SHA3-512 (RFC 9580, section 9.5)
_OLD_MODES = (b"\1", b"\2")  # EAX and OCB
# RSA, ElGamal, ECDH; X25519 and X448 (RFC 9580); ML-KEM, as numbered in drafts and by LibrePGP.
_SEALING_ALGORITHMS = frozenset(bytes([number]) for number in (1, 2, 8, 16, 18, 20, 25, 26, 29, 35, 36, 105))
# The versions that gpg 2.2 reads. Of the others, those that are not known at all are no OpenPGP.
_OLD = {
    Tag.SESSION_KEY: {2, 3},
    Tag.SIGNATURE: {2, 3, 4},
    Tag.PASSPHRASE: {4, 5},
    Tag.ONE_PASS: {3},
    Tag.SECRET_KEY: {2, 3, 4},
    Tag.PUBLIC_KEY: {2, 3, 4},
    Tag.SECRET_SUBKEY: {2, 3, 4},
    Tag.SUBKEY: {2, 3, 4},
    Tag.PROTECTED: {1},
    Tag.AEAD: {1},
}
_NEW = {
    Tag.SESSION_KEY: {6},
    Tag.SIGNATURE: {5, 6},
    Tag.PASSPHRASE: {6},
    Tag.ONE_PASS: {6},
    Tag.SECRET_KEY: {5, 6},
    Tag.PUBLIC_KEY: {5, 6},
    Tag.SECRET_SUBKEY: {5, 6},
    Tag.SUBKEY: {5, 6},
    Tag.PROTECTED: {2},
    Tag.AEAD: set[int](),
}


@dataclass(frozen=True)
class Packet:
    """One packet: its tag, the start of its body, and its own bytes, header and all."""

    tag: int
    head: bytes
    octets: bytes

    @property
    def is_known(self) -> bool:
        """Tell whether it is something that starts a message, a signature or a key, of any version."""
        return self.tag in _OLD and (self._version in _OLD[Tag(self.tag)] or self.is_newer)

    @property
    def is_session_key(self) -> bool:
        """Tell whether this is a session key sealed to somebody, and can be nothing else."""
        algorithm = self.head[9:10]
        is_old = self._version == 3 and len(self.head) > 10 and algorithm in _SEALING_ALGORITHMS
        return self.tag == Tag.SESSION_KEY and (is_old or self._version == 6)

    @property
    def is_newer(self) -> bool:
        """Tell whether it is OpenPGP that gpg 2.2 does not read."""
        if self.tag not in _NEW:
            return False
        if self.tag == Tag.AEAD:
            return self._version == 1 and self.head[2:3] not in _OLD_MODES
        if self.tag == Tag.SIGNATURE and self._version == 4:
            return self.head[3:4] in _NEW_DIGESTS
        return self._version in _NEW[Tag(self.tag)]

    @property
    def _version(self) -> int:
        return self.head[0] if self.head else 0

    @property
    def recipient(self) -> str | None:
        """The fingerprint to which a new session key is sealed; empty for a hidden one, None when this
        is no new session key."""
        if self.tag != Tag.SESSION_KEY or self._version != 6 or len(self.head) < 2:
            return None
        return self.head[3 : 2 + self.head[1]].hex().upper()


def packets(octets: bytes) -> Iterator[Packet]:
    """Give the packets one after another, up to the first that does not say where it ends."""
    position = 0
    for _ in range(_MOST):
        header = _header(octets, position)
        if header is None:
            return
        tag, body, end = header
        yield Packet(tag, octets[body : min(body + _HEAD, end or len(octets))], octets[position:end])
        if end is None or end >= len(octets):
            return
        position = end


def first_packet(octets: bytes) -> Packet | None:
    """Give the first packet; None when this is no OpenPGP."""
    return next(packets(octets[: 2 * _HEAD]), None)


def is_newer(octets: bytes) -> bool:
    """Tell whether there is a packet in it that gpg 2.2 does not read, though it is OpenPGP."""
    return any(packet.is_newer for packet in packets(octets))


def without_newer(octets: bytes) -> bytes:
    """Leave out the packets that gpg 2.2 does not read: beside an older signature, a newer one counts
    for nothing there (RFC 9580, section 5.2.5)."""
    return b"".join(packet.octets for packet in packets(octets) if not packet.is_newer)


def divided_keys(octets: bytes) -> tuple[bytes, bytes]:
    """Divide a row of keys into those that gpg 2.2 reads, and those that it does not."""
    rows: tuple[list[bytes], list[bytes]] = ([], [])
    row = rows[0]
    for packet in packets(octets):
        if packet.tag == Tag.PUBLIC_KEY:
            row = rows[packet.is_newer]
        row.append(packet.octets)
    return b"".join(rows[0]), b"".join(rows[1])


def _header(octets: bytes, at: int) -> tuple[int, int, int | None] | None:
    """Give a packet's tag, where its body starts, and where it ends if it says so (section 4.2)."""
    start = octets[at : at + 6]
    if len(start) < 2 or not start[0] & 0x80:
        return None
    if not start[0] & 0x40:
        tag, size = (start[0] >> 2) & 0x0F, 1 << (start[0] & 3)
        if size == 8:
            return tag, at + 1, None
        length, body = int.from_bytes(start[1 : 1 + size], "big"), at + 1 + size
    else:
        tag = start[0] & 0x3F
        if start[1] < 192:
            length, body = start[1], at + 2
        elif start[1] < 224:
            length, body = ((start[1] - 192) << 8) + (start[2] if len(start) > 2 else 0) + 192, at + 3
        elif start[1] < 255:  # the first of several lengths
            return tag, at + 2, None
        else:
            length, body = int.from_bytes(start[2:6], "big"), at + 6
    return tag, body, body + length

"""OpenPGP messages that gpg does not make: without integrity protection, with AEAD, or with plaintext
beside the seal.

The session key of a real message is asked from gpg, and its key packet is put before a body of our own.
"""

from cryptography.hazmat.decrepit.ciphers.modes import CFB
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from cryptography.hazmat.primitives.ciphers.aead import AESOCB3
from meldbalie.tests.cast import Cast, gpg


def altered(sealed: bytes, place: int) -> bytes:
    """Flip a bit in three bytes in a row: one byte alone may be a packet's length, which gpg reads
    leniently."""
    changed = bytearray(sealed)
    for at in range(place, place + 3):
        changed[at] ^= 1
    return bytes(changed)


def literal(text: bytes) -> bytes:
    """A literal data packet, readable by everybody."""
    return _packet(11, b"b\0" + bytes(4) + text)


def without_integrity(cast: Cast, text: bytes) -> bytes:
    """A message of the old sort, whose alteration nobody can notice."""
    key_packet, key = _session(cast)
    start = bytes(range(16))
    first = _cfb(key, bytes(16), start + start[-2:])
    return key_packet + _packet(9, first + _cfb(key, first[2:18], literal(text)))


def with_aead(cast: Cast, content: bytes) -> bytes:
    """A message sealed with OCB, in chunks of 64 bytes (RFC 4880bis), around packets such as
    `literal` gives."""
    key_packet, key = _session(cast)
    cipher, nonce, header = AESOCB3(key), bytes(range(15)), bytes([1, 9, 2, 0])
    chunks = [content[at : at + 64] for at in range(0, len(content), 64)]
    body = header + nonce
    for number, chunk in enumerate(chunks):
        body += cipher.encrypt(_nonce(nonce, number), chunk, b"\xd4" + header + number.to_bytes(8, "big"))
    final = b"\xd4" + header + len(chunks).to_bytes(8, "big") + len(content).to_bytes(8, "big")
    return key_packet + _packet(20, body + cipher.encrypt(_nonce(nonce, len(chunks)), b"", final))


def signed_packets(cast: Cast, text: bytes, by: str) -> bytes:
    """The packets of a signed message, as they stand inside a seal."""
    return cast.gpg("--compress-algo", "none", "--local-user", by, "--sign", feed=text)


def _packet(tag: int, body: bytes) -> bytes:
    return bytes([0xC0 | tag, 0xFF]) + len(body).to_bytes(4, "big") + body


def _nonce(start: bytes, number: int) -> bytes:
    return start[:7] + (int.from_bytes(start[7:], "big") ^ number).to_bytes(8, "big")


def _cfb(key: bytes, start: bytes, content: bytes) -> bytes:
    encryptor = Cipher(algorithms.AES(key), CFB(start)).encryptor()
    return encryptor.update(content) + encryptor.finalize()


def _session(cast: Cast) -> tuple[bytes, bytes]:
    """Give the key packet of a message to the intake, and the session key that is in it."""
    message = cast.encrypt(b"x", armour=False)
    said = gpg(cast.desk.home, "--show-session-key", "--status-fd", "1", "--decrypt", feed=message)
    line = next(line for line in said.split(b"\n") if b"SESSION_KEY" in line)
    length = (
        2 + message[1]
        if message[0] & 0x40
        else 1 + (1 << (message[0] & 3)) + int.from_bytes(message[1 : 1 + (1 << (message[0] & 3))], "big")
    )
    return message[:length], bytes.fromhex(line.rpartition(b":")[2].decode())

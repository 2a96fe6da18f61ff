"""OpenPGP messages that gpg does not make: without integrity protection, with AEAD, or with plaintext
beside the seal.

The session key of a real message is asked from gpg, and its key packet is put before a body of our own.
"""

import base64
import hashlib

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
    return packet(11, b"b\0" + bytes(4) + text)


def without_integrity(cast: Cast, text: bytes) -> bytes:
    """A message of the old sort, whose alteration nobody can notice."""
    key_packet, key = _session(cast)
    start = bytes(range(16))
    first = _cfb(key, bytes(16), start + start[-2:])
    return key_packet + packet(9, first + _cfb(key, first[2:18], literal(text)))


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
    return key_packet + packet(20, body + cipher.encrypt(_nonce(nonce, len(chunks)), b"", final))


def signed_packets(cast: Cast, text: bytes, by: str) -> bytes:
    """The packets of a signed message, as they stand inside a seal."""
    return cast.gpg("--compress-algo", "none", "--local-user", by, "--sign", feed=text)


def packet(tag: int, body: bytes) -> bytes:
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


def sealed_with_mdc(cast: Cast, content: bytes) -> bytes:
    """A message of the common sort (SEIPD version 1) around packets of our own."""
    key_packet, key = _session(cast)
    start = bytes(range(16))
    inside = start + start[-2:] + content + b"\xd3\x14"
    return key_packet + packet(18, b"\1" + _cfb(key, bytes(16), inside + hashlib.sha1(inside).digest()))


def packets_of(armour: bytes) -> bytes:
    """The packets in gpg's armour."""
    inside = armour.partition(b"\n\n")[2].partition(b"\n=")[0]
    return base64.b64decode(inside)


def signature_without_proof_of_subkey(key: bytes) -> bytes:
    """A public key whose signing subkey has lost its own signature on the binding (RFC 9580, section
    5.2.1.8), as when somebody binds another's subkey to a key of his own."""
    bare = b""
    while key:
        size = 1 << (key[0] & 3)
        length = int.from_bytes(key[1 : 1 + size], "big")
        body, key_rest = key[1 + size : 1 + size + length], key[1 + size + length :]
        if (key[0] >> 2) & 0x0F == 2 and body[1] == 0x18:
            body = _without_embedded(body)
        bare += bytes([0x80 | (key[0] & 0x3C) | 1]) + len(body).to_bytes(2, "big") + body
        key = key_rest
    return bare


def _without_embedded(signature: bytes) -> bytes:
    """A version 4 signature without the unhashed area, where gpg puts the embedded signature."""
    hashed = 6 + int.from_bytes(signature[4:6], "big")
    unhashed = hashed + 2 + int.from_bytes(signature[hashed : hashed + 2], "big")
    return signature[:hashed] + b"\0\0" + signature[unhashed:]


def with_unhashed(signature: bytes, *subpackets: tuple[int, bytes]) -> bytes:
    """A version 4 signature with these subpackets added where they are not covered by it."""
    size = 1 << (signature[0] & 3)
    body = signature[1 + size :]
    start = 6 + int.from_bytes(body[4:6], "big")
    end = start + 2 + int.from_bytes(body[start : start + 2], "big")
    added = b"".join(
        b"\xff" + (len(content) + 1).to_bytes(4, "big") + bytes([kind]) + content
        for kind, content in subpackets
    )
    area = body[start + 2 : end] + added
    return packet(2, body[:start] + len(area).to_bytes(2, "big") + area + body[end:])


def with_hidden_recipient(message: bytes) -> bytes:
    """A message whose first packet does not say to which key it is sealed (RFC 4880, section 5.1)."""
    at = 2 if message[0] & 0x40 else 1 + (1 << (message[0] & 3))
    return message[: at + 1] + bytes(8) + message[at + 9 :]


def sealed_key_packet(cast: Cast) -> bytes:
    """The session key of a real message to the intake, without the message."""
    return _session(cast)[0]

"""Letters changed at random, in ways that mail is broken: pieces lost, doubled, swapped, cut in two."""

from collections.abc import Callable, Sequence
from random import Random

LONGEST = 64 * 1024
#: What decides how a letter is read.
WORDS: Sequence[bytes] = (
    *(b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"\0", b" ", b"\t", b"--", b"\r\n--b\r\n", b"\r\n--b--\r\n"),
    *(b"Content-Type: ", b"multipart/", b"multipart/mixed; boundary=b", b"multipart/alternative"),
    *(b"multipart/encrypted; protocol=application/pgp-encrypted", b"application/octet-stream"),
    *(b"multipart/signed; protocol=application/pgp-signature", b"application/pgp-signature"),
    *(b"message/rfc822", b"message/partial", b"multipart/report", b"message/delivery-status"),
    *(
        b"text/html",
        b"text/plain; charset=",
        b"utf-16",
        b"utf-7",
        b"iso-2022-jp",
        b"cp037",
        b"unicode_escape",
    ),
    *(b"application/ms-tnef", b"\x78\x9f\x3e\x22\x01\0", b"\xff\xff\xff\xff", b"\1\x03\x90\6\0\x10\0\0\0"),
    *(b"Content-Transfer-Encoding: ", b"base64", b"quoted-printable", b"x-uuencode", b"begin 644 x\n"),
    *(
        b"Content-Disposition: attachment; filename*0*=utf-8''",
        b"; name*",
        b'; boundary="',
        b"=?utf-8?b?",
        b"?=",
    ),
    *(
        b"From: ",
        b"Subject: ",
        b"To: ",
        b"Date: ",
        b"<a@b.example>",
        b"a@b.example, ",
        b"(",
        b'"',
        b"<",
        b"\\",
    ),
    *(
        b"-----BEGIN PGP MESSAGE-----\n",
        b"-----END PGP MESSAGE-----\n",
        b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n",
    ),
    *(b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n", b"-----BEGIN PGP SIGNATURE-----\n\n"),
    *(b"<div style='display:none'>", b"<style>.a{", b"}</style>", b"<table><tr><td>", b"<pre>", b"&#x202e;"),
    *(b"\xff\xfe", b"\xef\xbb\xbf", b"\xe2\x80\xae", b"\xed\xa0\x80", b"hxxps://a[.]nl", b"::1", b"1.2.3.4"),
)


def mutated(seeds: Sequence[bytes], random: Random) -> bytes:
    """One of these letters, changed in up to eight places."""
    letter = random.choice(seeds)
    for _ in range(random.randint(1, 8)):
        letter = random.choice(_WAYS)(letter, seeds, random)[:LONGEST]
    return letter


def _stretch(letter: bytes, random: Random) -> tuple[int, int]:
    start = random.randint(0, len(letter))
    return start, min(len(letter), start + random.choice((1, 4, 16, 64, 256, 4096)))


def _lose(letter: bytes, seeds: Sequence[bytes], random: Random) -> bytes:
    start, end = _stretch(letter, random)
    return letter[:start] + letter[end:]


def _repeat(letter: bytes, seeds: Sequence[bytes], random: Random) -> bytes:
    start, end = _stretch(letter, random)
    return letter[:end] + letter[start:end] * random.choice((1, 2, 10, 1000)) + letter[end:]


def _move(letter: bytes, seeds: Sequence[bytes], random: Random) -> bytes:
    start, end = _stretch(letter, random)
    rest, place = letter[:start] + letter[end:], random.randint(0, len(letter))
    return rest[:place] + letter[start:end] + rest[place:]


def _splice(letter: bytes, seeds: Sequence[bytes], random: Random) -> bytes:
    other = random.choice(seeds)
    return letter[: random.randint(0, len(letter))] + other[random.randint(0, len(other)) :]


def _say(letter: bytes, seeds: Sequence[bytes], random: Random) -> bytes:
    place = random.randint(0, len(letter))
    return letter[:place] + random.choice(WORDS) + letter[place:]


def _instead(letter: bytes, seeds: Sequence[bytes], random: Random) -> bytes:
    start, end = _stretch(letter, random)
    return letter[:start] + random.choice(WORDS) + letter[end:]


def _flip(letter: bytes, seeds: Sequence[bytes], random: Random) -> bytes:
    if not letter:
        return bytes([random.randrange(256)])
    place = random.randrange(len(letter))
    return letter[:place] + bytes([random.randrange(256)]) + letter[place + 1 :]


def _cut(letter: bytes, seeds: Sequence[bytes], random: Random) -> bytes:
    return letter[: random.randint(0, len(letter))]


_WAYS: Sequence[Callable[[bytes, Sequence[bytes], Random], bytes]] = (
    *(_lose, _repeat, _move, _splice, _say, _say, _say, _instead, _instead, _flip, _flip, _cut),
)

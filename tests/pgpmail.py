"""Letters in the shapes that OpenPGP mail comes in, as senders, servers and attackers make them."""

import base64

from meldbalie.tests.cast import Cast, Member

REPORT = b"Lek op https://www.gemeente.example/zoeken, zie C:\\new\\temp\n"
TEXT_PART = b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + REPORT.replace(b"\n", b"\r\n")


def headers(sender: Member | bytes, *more: bytes, subject: bytes = b"...") -> bytes:
    """The outer headers of a letter to the intake."""
    who = sender if isinstance(sender, bytes) else sender.from_header
    lines = (
        b"From: " + who,
        b"To: cvd@gemeente.example",
        b"Message-ID: <1@melder.example>",
        b"Subject: " + subject,
    )
    return b"".join(line + b"\r\n" for line in (*lines, b"MIME-Version: 1.0", *more))


def multipart(kind: bytes, *parts: bytes, boundary: bytes = b"=-grens") -> bytes:
    """An entity with these entities inside."""
    start = b"Content-Type: multipart/" + kind + b'; boundary="' + boundary + b'"\r\n\r\n'
    inside = b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts)
    return start + inside + b"--" + boundary + b"--\r\n"


def plain(text: bytes) -> bytes:
    """A text part."""
    return b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + text


def file(name: bytes, content: bytes, kind: bytes = b"application/octet-stream") -> bytes:
    """An attached file, in base64."""
    start = (
        b"Content-Type: "
        + kind
        + b'; name="'
        + name
        + b'"\r\nContent-Disposition: attachment; filename="'
        + name
    )
    return start + b'"\r\nContent-Transfer-Encoding: base64\r\n\r\n' + base64.encodebytes(content)


def pgp_part(sealed: bytes) -> bytes:
    """A multipart/encrypted around armour (RFC 3156, section 4)."""
    return multipart(
        b'encrypted; protocol="application/pgp-encrypted"',
        b"Content-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n",
        b'Content-Type: application/octet-stream; name="encrypted.asc"\r\n\r\n' + sealed,
        boundary=b"=-zegel",
    )


def encrypted(cast: Cast, inner: bytes, *, by: Member | None = None, to: Member | None = None) -> bytes:
    """An entity sealed to the intake (or somebody else), with the signature inside if there is one."""
    return pgp_part(cast.encrypt(inner, by=by, to=to))


def signed(cast: Cast, part: bytes, by: Member, *beside: bytes, signature: bytes | None = None) -> bytes:
    """A multipart/signed over a part (RFC 3156, section 5); `beside` comes after the signature."""
    made = cast.sign(part, by) if signature is None else signature
    return multipart(
        b'signed; micalg=pgp-sha512; protocol="application/pgp-signature"',
        part,
        b'Content-Type: application/pgp-signature; name="signature.asc"\r\n\r\n' + made,
        *beside,
        boundary=b"=-handtekening",
    )

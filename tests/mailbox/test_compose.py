"""The mails that we write, read back by the standard library's parser and opened with real gpg."""

import email
import re
from datetime import UTC, datetime
from email import policy
from email.header import decode_header, make_header
from email.message import Message
from email.utils import parseaddr
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from meldbalie.mailbox.compose import Attachment, Draft, UnfitDraft, new_message_id, plain, sealed
from meldbalie.mailbox.errors import CannotSeal
from meldbalie.mailbox.opening import open_letter
from meldbalie.tests.cast import Cast

DRAFT: dict[str, Any] = {
    "sender_name": "Gemeente Voorbeeld",
    "sender": "cvd@voorbeeld.example",
    "recipient": "melder@elders.example",
    "subject": "Uw melding CVD-2026-0042",
    "body": "Dank.\n",
    "message_id": "<CVD-2026-0042.abc@voorbeeld.example>",
    "date": datetime(2026, 11, 21, 9, 30, tzinfo=UTC),
}
ONE_LINE = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=200)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))


def draft(**changes: Any) -> Draft:
    return Draft(**{**DRAFT, **changes})


def read(mail: bytes) -> Message:
    """The mail as the intake reads one (compat32), after a look at its bytes."""
    assert mail.isascii()
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", mail)
    assert max(map(len, mail.split(b"\r\n"))) <= 998
    return email.message_from_bytes(mail, policy=policy.compat32)


def header(message: Message, name: str) -> str:
    return str(make_header(decode_header(re.sub(r"\r?\n", "", str(message[name])))))


def content(message: Message) -> bytes:
    got = message.get_payload(decode=True)
    assert isinstance(got, bytes)
    return got


class Envelope:
    """Seals nothing and keeps what it was given."""

    def __init__(self) -> None:
        self.plaintext = b""
        self.sealed_for: tuple[str, str | None] = ("", None)

    def seal(self, plaintext: bytes, *, to: str, signed_by: str | None) -> bytes:
        self.plaintext, self.sealed_for = plaintext, (to, signed_by)
        return b"-----BEGIN PGP MESSAGE-----\n\nhQEMA+geen\n-----END PGP MESSAGE-----\n"


def in_envelope(given: Draft, outer_subject: str = "...") -> tuple[Message, Message]:
    """The outer mail and the part inside."""
    envelope = Envelope()
    outer = sealed(given, outer_subject=outer_subject, keyring=envelope, to="A" * 40, signed_by="B" * 40)
    return read(outer), read(envelope.plaintext)


@given(TEXT)
def test_every_text_comes_out_as_it_went_in(text: str):
    message = read(plain(draft(body=text)))

    assert content(message) == re.sub(rb"\r\n|\n", b"\r\n", text.encode())
    assert message.get_content_charset() == "utf-8"


@pytest.mark.parametrize(
    "line",
    [
        "A" * 5000,
        "é" * 3000,
        "=" * 999,
        ".",
        "..",
        "From iemand",
        "--",
        "-- ",
        "\t",
        " x ",
        "=41",
        "\x00\x0c\x85",
    ],
)
def test_a_line_of_a_proof_of_concept_survives(line: str):
    body = f"curl \\\n{line}\n{line}\n"

    message = read(plain(draft(body=body)))

    assert content(message).decode() == body.replace("\n", "\r\n")


@given(ONE_LINE)
@example("=?utf-8?q?Betaling_ontvangen?=")
@example("A" * 3000)
@example("woord " * 500)
@example("twee  spaties   en meer")
def test_every_subject_comes_out_as_it_went_in(subject: str):
    assert header(read(plain(draft(subject=subject))), "Subject").strip(" ") == subject.strip(" ")


@given(ONE_LINE)
@example('O"Brien \\ "de", <valse@elders.example>')
@example("=?utf-8?q?=22=2C_=3Ceve=40elders=2Eexample=3E?=")
@example("A" * 3000)
@example("Eve <eve@elders.example>, Jörg")
def test_every_name_comes_out_as_it_went_in_and_changes_no_address(name: str):
    message = read(plain(draft(sender_name=name)))

    got_name, address = parseaddr(re.sub(r"\r\n", "", str(message["From"])))
    assert address == "cvd@voorbeeld.example"
    assert str(make_header(decode_header(got_name))).strip(" ") == name.strip(" ")


@pytest.mark.parametrize("field", ["sender_name", "subject", "loop"])
@pytest.mark.parametrize(
    "text", ["a\r\nBcc: b@c.example", "a\nb", "a\rb", "a\x00b", "a\u2028b", "a\x85b", "\ud800"]
)
def test_nothing_that_ends_a_line_gets_into_a_header(field: str, text: str):
    with pytest.raises(UnfitDraft, match=field) as refused:
        draft(**{field: text})

    assert text not in str(refused.value)


@pytest.mark.parametrize("field", ["sender", "recipient", "reply_to"])
@pytest.mark.parametrize(
    "address",
    [
        "a@b.example\nBcc: c@d.example",
        "a@b.example, c@d.example",
        "a b@c.example",
        "é@b.example",
        "a",
        "a@",
        "@b",
        "a@b@c.example",
        "a@b_c.example",
        '"a"@b.example',
        "a@b.example>",
    ],
)
def test_an_address_that_could_be_two_is_refused(field: str, address: str):
    with pytest.raises(UnfitDraft) as refused:
        draft(**{field: address})

    assert len(address) < 3 or address not in str(refused.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"message_id": "<a@b>\r\nBcc: c@d.example"},
        {"message_id": "a@b"},
        {"in_reply_to": "<a@b> <c@d>"},
        {"in_reply_to": "<é@b>"},
        {"references": ("<a@b>", "<a\n@b>")},
        {"references": ("<" + "a" * 300 + "@b>",)},
        {"date": datetime(2026, 1, 1)},
        {"body": "\udcff"},
        {"attachments": (("a\r\nb", "text/plain", b""),)},
        {"attachments": (("a", "text/plain\r\nX: y", b""),)},
        {"attachments": (("a", "text", b""),)},
    ],
)
def test_what_cannot_stand_in_a_mail_is_refused(changes: dict[str, Any]):
    with pytest.raises(UnfitDraft):
        draft(**changes)


def test_an_outer_subject_of_two_lines_is_refused():
    with pytest.raises(UnfitDraft):
        in_envelope(draft(), outer_subject="a\r\nBcc: c@d.example")


def test_a_domain_in_another_script_is_written_in_punycode():
    message = read(plain(draft(recipient="melder@straße.example", reply_to="cvd+x@voorbeeld.example")))

    assert message["To"] == "melder@xn--strae-oqa.example"
    assert message["Reply-To"] == "cvd+x@voorbeeld.example"


def test_long_message_ids_keep_the_thread():
    long = [f"<{letter * 200}@voorbeeld.example>" for letter in "abc"]

    message = read(plain(draft(message_id=long[0], in_reply_to=long[1], references=tuple(long))))

    assert message["Message-ID"].split() == long[:1]
    assert message["In-Reply-To"].split() == long[1:2]
    assert message["References"].split() == long


def test_automatic_mail_says_so_and_other_mail_does_not():
    automatic = read(plain(draft(automatic=True, loop="balie-7f3a", in_reply_to="<a@b>")))
    of_itself = read(plain(draft(automatic=True)))
    written = read(plain(draft()))

    assert automatic["Auto-Submitted"] == "auto-replied"
    assert of_itself["Auto-Submitted"] == "auto-generated"
    assert automatic["X-Auto-Response-Suppress"] == "All"
    assert automatic["X-Loop"] == "balie-7f3a"
    assert {"Auto-Submitted", "X-Auto-Response-Suppress", "X-Loop"}.isdisjoint(written.keys())


def test_a_date_keeps_its_zone():
    assert read(plain(draft()))["Date"] == "Sat, 21 Nov 2026 09:30:00 +0000"


@given(st.binary(max_size=2000), ONE_LINE.filter(str.strip))
def test_an_attachment_comes_out_byte_for_byte_with_its_name(data: bytes, name: str):
    message = read(plain(draft(attachments=((name, "application/pdf", data),))))

    _, attached = message.get_payload()
    assert content(attached) == data
    assert attached.get_content_type() == "application/pdf"
    assert attached.get_content_disposition() == "attachment"


@pytest.mark.parametrize(
    "name", ["bewijs.png", 'bewijs é "x"; y=\'.png', "日本" * 60 + ".txt", "a" * 200, "a=?b?=.sh"]
)
def test_the_name_of_an_attachment_is_readable(name: str):
    mail = plain(draft(attachments=((name, "text/x-sh", b"\x00\r\n"),)))

    _, attached = email.message_from_bytes(mail, policy=policy.default).iter_parts()
    assert attached.get_filename() == name


@pytest.mark.parametrize("kind", ["message/rfc822", "multipart/mixed"])
def test_a_mail_as_attachment_stays_a_closed_file(kind: str):
    message = read(plain(draft(attachments=(("mail.eml", kind, b"Subject: x\n\ny\n"),))))

    _, attached = message.get_payload()
    assert attached.get_content_type() == "application/octet-stream"
    assert content(attached) == b"Subject: x\n\ny\n"


def test_our_own_key_goes_along_so_that_answers_can_be_sealed():
    message = read(plain(draft(own_key=b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n")))

    _, key = message.get_payload()
    assert (key.get_content_type(), content(key)) == (
        "application/pgp-keys",
        b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n",
    )


def test_a_sealed_mail_says_outside_only_what_the_way_needs():
    outer, _ = in_envelope(draft(subject="Lek in de burgerzaken", body="de-inhoud"), "Bericht")

    assert outer["Subject"] == "Bericht"
    assert "burgerzaken" not in outer.as_string()
    assert "de-inhoud" not in outer.as_string()


def test_a_sealed_mail_has_the_form_of_rfc_3156():
    outer, _ = in_envelope(draft())

    version, body = outer.get_payload()
    assert outer.get_content_type() == "multipart/encrypted"
    assert outer.get_param("protocol") == "application/pgp-encrypted"
    assert (version.get_content_type(), version.get_payload().strip()) == (
        "application/pgp-encrypted",
        "Version: 1",
    )
    assert body.get_content_type() == "application/octet-stream"
    assert body.get_payload().startswith("-----BEGIN PGP MESSAGE-----")


@pytest.mark.parametrize("attachments", [(), (("a.txt", "text/plain", b"x"),)], ids=["text", "mixed"])
def test_the_true_headers_are_protected_inside(attachments: tuple[Attachment, ...]):
    outer, inner = in_envelope(
        draft(subject="Lek bij de é", references=("<" + "r" * 100 + "@x>",), attachments=attachments)
    )

    assert header(inner, "Subject") == "Lek bij de é"
    assert inner.get_param("protected-headers") == "v1"
    assert inner.get_param("hp") == "cipher"
    said_outside = {name: " ".join(str(outer[name]).split()) for name in outer}
    claimed = [" ".join(claim.split()) for claim in inner.get_all("HP-Outer")]
    assert claimed == [
        f"{name}: {value}"
        for name, value in said_outside.items()
        if name not in {"MIME-Version", "Content-Type"}
    ]
    for name in ("From", "To", "Date", "Message-ID", "References"):
        assert inner[name].split() == outer[name].split()


def test_the_keyring_is_asked_for_that_recipient_and_that_signature():
    envelope = Envelope()

    sealed(draft(), outer_subject="...", keyring=envelope, to="A" * 40, signed_by=None)

    assert envelope.sealed_for == ("A" * 40, None)


def test_no_repr_shows_what_a_draft_says():
    shown = repr(draft(subject="geheim-1", body="geheim-2", attachments=(("n", "a/b", b"geheim-3"),)))

    assert "geheim" not in shown


def test_a_message_id_depends_on_its_arguments_only():
    made = new_message_id("CVD-2026-0042", "k3Jw_-9", "straße.example")

    assert made == new_message_id("CVD-2026-0042", "k3Jw_-9", "straße.example")
    assert made == "<CVD-2026-0042.k3Jw_-9@xn--strae-oqa.example>"
    assert read(plain(draft(message_id=made)))["Message-ID"] == made


@pytest.mark.parametrize(
    "arguments", [("a b", "t"), ("a", ""), ("", "t"), ("a", "t>"), ("a", "t@u"), ("a", "t\n")]
)
def test_a_message_id_of_other_characters_is_refused(arguments: tuple[str, str]):
    with pytest.raises(UnfitDraft):
        new_message_id(*arguments, "voorbeeld.example")


def test_a_sealed_mail_is_opened_by_its_recipient_and_by_nobody_else(cast: Cast):
    body = "Regel één\n" + "A" * 3000 + "\n"
    mail = sealed(
        draft(
            subject="Lek bij de é", body=body, attachments=(("bewijs é.bin", "application/zip", b"\n\r\0"),)
        ),
        outer_subject="...",
        keyring=cast.desk,
        to=cast.reporter.fingerprint,
        signed_by=cast.intake.fingerprint,
    )

    opened = open_letter(mail, cast.outside)

    assert opened.problem is None
    assert (opened.subject, opened.text) == ("Lek bij de é", body)
    assert [(file.name, file.content) for file in opened.attachments] == [("bewijs é.bin", b"\n\r\0")]
    assert opened.signature.fingerprint == cast.intake.fingerprint
    assert open_letter(mail, cast.desk).text == ""
    read(mail)


def test_a_key_that_cannot_be_sealed_to_makes_no_mail(cast: Cast):
    with pytest.raises(CannotSeal):
        sealed(
            draft(),
            outer_subject="...",
            keyring=cast.desk,
            to=cast.expired.fingerprint,
            signed_by=None,
        )

"""Letters opened: every shape of OpenPGP mail, every verdict on signatures, and nothing that was altered."""

import base64
import hashlib
import re
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from meldbalie.mailbox import opening
from meldbalie.mailbox.errors import GpgTimedOut
from meldbalie.mailbox.gpg_status import SignatureFacts, SignatureState
from meldbalie.mailbox.keyring import Keyring
from meldbalie.mailbox.letter import Letter
from meldbalie.mailbox.limits import Limits
from meldbalie.mailbox.opening import Opened, Problem, Verdict, open_letter
from meldbalie.mailbox.signing import Found, judge
from meldbalie.tests.cast import Cast, Member, gpg, while_it_lasted
from meldbalie.tests.packets import altered, literal, with_aead
from meldbalie.tests.pgpmail import (
    REPORT,
    TEXT_PART,
    encrypted,
    file,
    headers,
    multipart,
    pgp_part,
    plain,
    signed,
)

Open = Callable[[bytes], Opened]
TEXT = REPORT.decode()
NOW = datetime.now(UTC)


def outcome(letter: Opened) -> tuple[bool, bool, Problem | None, Verdict]:
    return letter.was_encrypted, letter.was_decrypted, letter.problem, letter.signature.verdict


# The shapes


def test_a_plain_letter_needs_no_gpg_at_all(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Keyring, "_run", None)
    letter = open_letter(headers(cast.reporter) + TEXT_PART, cast.desk)
    assert outcome(letter) == (False, False, None, Verdict.NONE)
    assert letter.text == TEXT
    assert letter.targets == ("www.gemeente.example",)


def test_sealed_and_signed_inside_the_seal(cast: Cast, opened: Open) -> None:
    letter = opened(headers(cast.reporter) + encrypted(cast, TEXT_PART, by=cast.reporter))
    assert outcome(letter) == (True, True, None, Verdict.GOOD)
    assert letter.signature.fingerprint == cast.reporter.fingerprint
    assert (letter.text, letter.attachments, letter.partly_encrypted) == (TEXT, (), False)


def test_sealed_and_not_signed(cast: Cast, opened: Open) -> None:
    letter = opened(headers(cast.reporter) + encrypted(cast, TEXT_PART))
    assert outcome(letter) == (True, True, None, Verdict.NONE)
    assert letter.text == TEXT


def test_a_signed_part_inside_the_seal(cast: Cast, opened: Open) -> None:
    letter = opened(headers(cast.reporter) + encrypted(cast, signed(cast, TEXT_PART, cast.reporter)))
    assert outcome(letter) == (True, True, None, Verdict.GOOD)
    assert letter.text == TEXT


def test_a_seal_with_files_inside(cast: Cast, opened: Open) -> None:
    inner = multipart(b"mixed", TEXT_PART, file(b"poc.png", b"\x89PNG", b"image/png"))
    letter = opened(headers(cast.reporter) + encrypted(cast, inner, by=cast.reporter))
    assert outcome(letter) == (True, True, None, Verdict.GOOD)
    [poc] = letter.attachments
    assert (poc.name, poc.content_type, poc.content, poc.was_sealed) == (
        "poc.png",
        "image/png",
        b"\x89PNG",
        True,
    )
    assert poc.sha256 == hashlib.sha256(b"\x89PNG").hexdigest()


@pytest.mark.parametrize("line_end", [b"\r\n", b"\n"])
def test_a_detached_signature_holds_for_the_raw_bytes(cast: Cast, opened: Open, line_end: bytes) -> None:
    odd = b"Content-type:  text/plain;charset=utf-8\r\nX-Folded: a\r\n\tb\r\n\r\n"
    odd += b"Regel met spaties  \r\n\r\n-- \r\nR."
    letter = opened((headers(cast.reporter) + signed(cast, odd, cast.reporter)).replace(b"\r\n", line_end))
    assert outcome(letter) == (False, False, None, Verdict.GOOD)
    assert letter.text == "Regel met spaties  \n\n-- \nR."
    assert letter.attachments == ()


def test_armour_in_the_text(cast: Cast, opened: Open) -> None:
    letter = opened(headers(cast.reporter) + plain(cast.encrypt(REPORT, by=cast.reporter)))
    assert outcome(letter) == (True, True, None, Verdict.GOOD)
    assert letter.text == TEXT


def test_armour_with_text_around_is_partly_sealed_and_not_wholly_signed(cast: Cast, opened: Open) -> None:
    around = b"Beste lezer,\n\n" + cast.encrypt(REPORT, by=cast.reporter) + b"\nGroet\n"
    letter = opened(headers(cast.reporter) + plain(around))
    assert outcome(letter) == (True, True, None, Verdict.MISMATCH)
    assert letter.partly_encrypted
    assert [line for line in letter.text.split("\n") if line] == ["Beste lezer,", TEXT.strip(), "Groet"]


def test_a_clear_signed_text(cast: Cast, opened: Open) -> None:
    letter = opened(headers(cast.reporter) + plain(cast.clearsign(b"- lek\n" + REPORT, cast.reporter)))
    assert outcome(letter) == (False, False, None, Verdict.GOOD)
    assert letter.text == "- lek\n" + TEXT


def test_armour_twice_in_alternatives_is_opened_once(cast: Cast, opened: Open) -> None:
    armour = cast.encrypt(REPORT, by=cast.reporter)
    in_html = b"Content-Type: text/html\r\n\r\n<pre>" + armour + b"</pre>"
    letter = opened(headers(cast.reporter) + multipart(b"alternative", plain(armour), in_html))
    assert outcome(letter) == (True, True, None, Verdict.GOOD)
    assert letter.text == TEXT


def test_armour_in_html_alone(cast: Cast, opened: Open) -> None:
    armour = cast.encrypt(REPORT).replace(b"\n", b"<br>\n")
    letter = opened(headers(cast.reporter) + b"Content-Type: text/html\r\n\r\n<p>" + armour + b"</p>")
    assert outcome(letter) == (True, True, None, Verdict.NONE)
    assert TEXT.strip() in letter.text


def test_a_text_with_sealed_files(cast: Cast, opened: Open) -> None:
    binary, armour = cast.encrypt(b"%PDF-1", armour=False), cast.encrypt(b"notities")
    raw = headers(cast.reporter) + multipart(
        b"mixed", plain(b"zie bijlagen"), file(b"rapport.pdf.gpg", binary), file(b"notities.txt.asc", armour)
    )
    letter = opened(raw)
    assert outcome(letter) == (True, True, None, Verdict.NONE)
    assert [(one.name, one.content) for one in letter.attachments] == [
        ("rapport.pdf", b"%PDF-1"),
        ("notities.txt", b"notities"),
    ]
    assert letter.partly_encrypted
    assert letter.text == "zie bijlagen"


def test_what_a_mail_server_has_rearranged(cast: Cast, opened: Open) -> None:
    raw = headers(cast.reporter) + multipart(
        b"mixed",
        plain(b""),
        b"Content-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n",
        file(b"encrypted.asc", cast.encrypt(TEXT_PART, by=cast.reporter)),
    )
    letter = opened(raw)
    assert outcome(letter) == (True, True, None, Verdict.GOOD)
    assert (letter.text, letter.attachments) == (TEXT, ())


def test_a_sealed_letter_that_only_its_file_name_gives_away(cast: Cast, opened: Open) -> None:
    sealed = file(b"encrypted.asc", cast.encrypt(TEXT_PART))
    letter = opened(headers(cast.reporter) + multipart(b"mixed", plain(b""), sealed))
    assert outcome(letter) == (True, True, None, Verdict.NONE)
    assert letter.text == TEXT


def test_a_mailing_lists_footer_around_a_seal(cast: Cast, opened: Open) -> None:
    inside = encrypted(cast, TEXT_PART, by=cast.reporter)
    letter = opened(headers(cast.reporter) + multipart(b"mixed", inside, plain(b"____\nlijst@x.example")))
    assert outcome(letter) == (True, True, None, Verdict.MISMATCH)
    assert letter.partly_encrypted
    assert letter.text == TEXT + "____\nlijst@x.example"


def test_a_sealed_letter_attached_to_another(cast: Cast, opened: Open) -> None:
    attached = (
        b"Content-Type: message/rfc822\r\n\r\n"
        + headers(cast.owner)
        + encrypted(cast, TEXT_PART, by=cast.reporter)
    )
    letter = opened(headers(cast.reporter) + multipart(b"mixed", plain(b"Doorgestuurd"), attached))
    assert outcome(letter) == (True, True, None, Verdict.MISMATCH)
    assert letter.text == "Doorgestuurd\n" + TEXT
    assert [one.content_type for one in letter.attachments] == ["message/rfc822"]


def test_a_signed_letter_attached_alone_proves_nothing_of_the_one_around(cast: Cast, opened: Open) -> None:
    attached = (
        b"Content-Type: message/rfc822\r\n\r\n"
        + headers(cast.reporter)
        + encrypted(cast, TEXT_PART, by=cast.reporter)
    )
    assert opened(headers(cast.reporter) + attached).signature.verdict is Verdict.MISMATCH


def test_a_packed_signed_message_is_shown_and_judged(cast: Cast, opened: Open) -> None:
    packed = cast.gpg("--armor", "--local-user", cast.reporter.fingerprint, "--sign", feed=REPORT)
    letter = opened(headers(cast.reporter) + plain(packed))
    assert outcome(letter) == (False, False, None, Verdict.GOOD)
    assert letter.text == TEXT


def test_a_seal_without_mime_inside_is_taken_as_text(cast: Cast, opened: Open) -> None:
    letter = opened(headers(cast.reporter) + encrypted(cast, b"Let op: kop: geen kop\n\nTekst\n"))
    assert letter.text == "Let op: kop: geen kop\n\nTekst\n"


# Headers inside the seal


def test_a_file_under_the_type_of_the_marker_never_disappears(cast: Cast, opened: Open) -> None:
    packed = cast.gpg("--local-user", cast.reporter.fingerprint, "--sign", feed=b"%PDF-1.7 rapport")
    armoured = b"Zie hieronder\n" + cast.encrypt(b"%PDF-1.7 rapport")
    pdf = b"%PDF-1.7 rapport"
    for name, content, expected in (
        (b"report.pdf.pgp", packed, ("report.pdf", pdf)),
        (b"report", packed, ("report", pdf)),
        (b"report.pdf.pgp", armoured, ("report.pdf", pdf)),
        (b"report.pdf", pdf, ("report.pdf", pdf)),
        (b"notes.txt", b"Version: 1\nen meer", ("notes.txt", b"Version: 1\nen meer")),
        (b"leeg.pgp", b"", ("leeg.pgp", b"")),
    ):
        part = file(name, content, b"application/pgp-encrypted")
        for letter in (part, multipart(b"mixed", TEXT_PART, part)):
            found = opened(headers(cast.reporter) + letter)
            files = [(one.name, one.content) for one in found.attachments]
            assert (files, found.problem) == ([expected], None), (name, letter[:30])
    beside = file(b"poc.py", b"import os")
    wrong = file(b"notes.txt", b"Let op", b"application/pgp-encrypted")
    both = opened(headers(cast.reporter) + multipart(b"mixed", TEXT_PART, wrong, beside))
    assert ([one.name for one in both.attachments], both.problem) == (["notes.txt", "poc.py"], None)


@pytest.mark.parametrize("marker", [b"Version: 1", b"version:1\r\n\r\n", b"", b"Version: 1.0", b"PGP/MIME"])
def test_no_marker_of_a_seal_is_a_file(cast: Cast, opened: Open, marker: bytes) -> None:
    part = encrypted(cast, TEXT_PART).replace(b"Version: 1", marker, 1)
    letter = opened(headers(cast.reporter) + part)
    assert (letter.text, letter.attachments, letter.problem) == (TEXT, (), None)


@pytest.mark.parametrize("parameter", [b'; protected-headers="v1"', b'; hp="cipher"', b""])
def test_the_subject_and_thread_inside_the_seal_win(cast: Cast, opened: Open, parameter: bytes) -> None:
    inside = b"Subject: =?utf-8?q?L=C3=A9k?=\r\nIn-Reply-To: <a@b.example>\r\nReferences: <c@d.example>\r\n"
    inner = b"Content-Type: text/plain; charset=utf-8" + parameter + b"\r\n" + inside + b"\r\n" + REPORT
    letter = opened(headers(cast.reporter, subject=b"[...]") + encrypted(cast, inner))
    assert (letter.subject, letter.in_reply_to, letter.references) == (
        "Lék",
        ("<a@b.example>",),
        ("<c@d.example>",),
    )
    assert letter.letter.subject == "[...]"


def test_the_subject_of_a_signed_part_inside_the_seal_is_found(cast: Cast, opened: Open) -> None:
    part = b'Content-Type: text/plain; protected-headers="v1"\r\nSubject: Binnen\r\n\r\n' + REPORT
    letter = opened(headers(cast.reporter) + encrypted(cast, signed(cast, part, cast.reporter)))
    assert (letter.subject, letter.signature.verdict) == ("Binnen", Verdict.GOOD)


def test_without_a_subject_inside_the_outer_one_stays(cast: Cast, opened: Open) -> None:
    assert opened(headers(cast.reporter, subject=b"Buiten") + encrypted(cast, TEXT_PART)).subject == "Buiten"


def test_the_copy_of_the_headers_for_old_clients_is_not_shown_as_text(cast: Cast, opened: Open) -> None:
    copy = b"Subject: Lek\r\n"
    draft = multipart(
        b'mixed; protected-headers="v1"',
        b'Content-Type: text/plain; protected-headers="v1"\r\nContent-Disposition: inline\r\n\r\n' + copy,
        TEXT_PART,
    )
    rfc = b'Content-Type: text/plain; charset=utf-8; hp="cipher"; hp-legacy-display="1"\r\n\r\n'
    for inner in (draft, rfc + copy + b"\r\n" + REPORT):
        assert opened(headers(cast.reporter) + encrypted(cast, inner)).text == TEXT


def test_a_whole_letter_under_the_seal_is_the_letter(cast: Cast, opened: Open) -> None:
    inside = b"Subject: Binnen\r\n" + TEXT_PART
    alone = b"Content-Type: message/rfc822\r\n\r\n" + inside
    wrapped = multipart(b"mixed", plain(b""), b"Content-Type: message/rfc822; forwarded=no\r\n\r\n" + inside)
    for inner in (alone, wrapped):
        letter = opened(headers(cast.reporter) + encrypted(cast, inner, by=cast.reporter))
        assert (letter.text, letter.signature.verdict, letter.attachments) == (TEXT, Verdict.GOOD, ())
    assert opened(headers(cast.reporter) + encrypted(cast, alone)).subject == "Binnen"


def test_a_subject_that_is_only_in_the_copy_of_the_headers_is_used(cast: Cast, opened: Open) -> None:
    copy = b'Content-Type: text/rfc822-headers; protected-headers="v1"\r\n\r\nSubject: Binnen\r\n'
    letter = opened(headers(cast.reporter) + encrypted(cast, multipart(b"mixed", copy, TEXT_PART)))
    assert (letter.subject, letter.text, letter.attachments) == ("Binnen", TEXT, ())


def test_a_sealed_text_is_read_in_the_charset_of_the_letter(cast: Cast, opened: Open) -> None:
    sealed = cast.encrypt("日本".encode("shift_jis"))
    letter = opened(headers(cast.reporter) + b"Content-Type: text/plain; charset=shift_jis\r\n\r\n" + sealed)
    assert letter.text == "日本"


def test_another_sender_inside_the_seal_is_a_mismatch(cast: Cast, opened: Open) -> None:
    inner = b"Content-Type: text/plain; hp=cipher\r\nFrom: iemand@anders.example\r\n\r\n" + REPORT
    letter = opened(headers(cast.reporter) + encrypted(cast, inner, by=cast.reporter))
    assert letter.signature.verdict is Verdict.MISMATCH


# What cannot be opened


def test_what_is_sealed_to_somebody_else_gives_no_text(cast: Cast, opened: Open) -> None:
    letter = opened(headers(cast.reporter) + encrypted(cast, TEXT_PART, to=cast.stranger))
    assert outcome(letter) == (True, False, Problem.NO_SECRET_KEY, Verdict.NONE)
    assert (letter.text, letter.attachments) == ("", ())


@pytest.mark.parametrize("shape", ["mime", "inline", "file"])
def test_altered_ciphertext_gives_no_byte_in_any_shape(cast: Cast, opened: Open, shape: str) -> None:
    whole = cast.encrypt(TEXT_PART * 500, by=cast.reporter, armour=False)
    sealed = altered(whole, len(whole) - 60)
    armour = cast.gpg("--enarmor", feed=sealed).replace(b"ARMORED FILE", b"MESSAGE")
    armour = re.sub(rb"Comment:[^\n]*\n", b"", armour)
    body = {"mime": pgp_part(armour), "inline": plain(armour), "file": file(b"x.txt.gpg", sealed)}[shape]
    letter = opened(headers(cast.reporter) + body)
    assert outcome(letter) == (True, False, Problem.TAMPERED, Verdict.NONE)
    assert letter.text == ""
    assert [one.content for one in letter.attachments] == ([sealed] if shape == "file" else [])


def test_an_altered_aead_seal_gives_no_byte(cast: Cast, opened: Open) -> None:
    sealed = with_aead(cast, literal(TEXT_PART * 50))
    spoiled = altered(sealed, len(sealed) // 2)
    letter = opened(headers(cast.reporter) + file(b"x.gpg", spoiled))
    assert (letter.problem, letter.text) == (Problem.TAMPERED, "")
    assert [(one.name, one.content) for one in letter.attachments] == [("x.gpg", spoiled)]


def test_armour_without_an_end_gives_no_byte(cast: Cast, opened: Open) -> None:
    armour = cast.encrypt(REPORT * 300)
    letter = opened(headers(cast.reporter) + plain(b"Hallo\n" + armour[: len(armour) // 2]))
    assert letter.problem in (Problem.TAMPERED, Problem.MALFORMED)
    assert letter.text == "Hallo\n"


def test_prose_about_openpgp_stays_text(opened: Open) -> None:
    prose = b"Hoe dan?\n-----BEGIN PGP MESSAGE-----\nen wat hoort daarachter?\n"
    letter = opened(headers(b"a@b.example") + plain(prose))
    assert (outcome(letter), letter.text) == ((False, False, None, Verdict.NONE), prose.decode())


def test_a_request_that_was_sealed_is_not_taken_for_a_letter(cast: Cast, opened: Open) -> None:
    request = b"Content-Type: application/json\nX: y\n\n{}\n"
    assert opened(headers(cast.reporter) + plain(cast.encrypt(request))).text == request.decode()
    entity = b"Content-Type: text/plain; charset=latin-1\n\nL\xe9k\n"
    assert opened(headers(cast.reporter) + plain(cast.encrypt(entity))).text == "Lék\n"


def test_the_type_from_before_pgp_mime_is_a_text(cast: Cast, opened: Open) -> None:
    start = b"Content-Type: application/pgp; format=text; x-action=sign\r\n\r\n"
    letter = opened(headers(cast.reporter) + start + cast.clearsign(REPORT, cast.reporter))
    assert (letter.text, letter.signature.verdict, letter.attachments) == (TEXT, Verdict.GOOD, ())


def test_an_empty_seal_is_malformed(cast: Cast, opened: Open) -> None:
    letter = opened(headers(cast.reporter) + pgp_part(b""))
    assert outcome(letter) == (True, False, Problem.MALFORMED, Verdict.NONE)


def test_smime_is_named_as_not_supported(cast: Cast, opened: Open) -> None:
    part = file(b"smime.p7m", b"\x30\x82", b"application/pkcs7-mime; smime-type=enveloped-data")
    letter = opened(headers(cast.reporter) + part)
    assert outcome(letter) == (True, False, Problem.UNSUPPORTED, Verdict.NONE)


def test_a_readable_seal_is_shown_beside_an_unreadable_one(cast: Cast, opened: Open) -> None:
    both = cast.encrypt(REPORT) + b"\n" + cast.encrypt(b"niet voor ons", to=cast.stranger)
    letter = opened(headers(cast.reporter) + plain(both))
    assert outcome(letter) == (True, True, Problem.NO_SECRET_KEY, Verdict.NONE)
    assert letter.text.strip() == TEXT.strip()


# Signatures


def test_a_signature_by_an_unknown_key(cast: Cast, opened: Open) -> None:
    for body in (signed(cast, TEXT_PART, cast.stranger), encrypted(cast, TEXT_PART, by=cast.stranger)):
        letter = opened(headers(cast.stranger) + body)
        assert letter.signature.verdict is Verdict.UNKNOWN_KEY
        assert letter.text == TEXT


def test_a_signature_by_an_expired_and_by_a_revoked_key(cast: Cast, opened: Open) -> None:
    old = cast.sign(TEXT_PART, cast.expired, at=while_it_lasted())
    late = opened(headers(cast.expired) + signed(cast, TEXT_PART, cast.expired, signature=old))
    withdrawn = opened(headers(cast.revoked) + signed(cast, TEXT_PART, cast.revoked))
    inside = opened(headers(cast.revoked) + encrypted(cast, TEXT_PART, by=cast.revoked))
    assert (inside.signature.verdict, inside.text) == (Verdict.REVOKED_KEY, TEXT)
    assert late.signature.verdict is Verdict.EXPIRED_KEY
    assert withdrawn.signature.verdict is Verdict.REVOKED_KEY


def test_an_expired_signature_counts_as_an_expired_key(cast: Cast) -> None:
    with Keyring.throwaway() as keyring:
        who = f"{cast.reporter.name} <{cast.reporter.address}>"
        gpg(keyring.home, "--quick-generate-key", who, "ed25519", "sign", "0", at=while_it_lasted())
        options = ("--armor", "--default-sig-expire", "1d", "--detach-sign")
        made = gpg(keyring.home, *options, feed=TEXT_PART, at=while_it_lasted())
        letter = open_letter(
            headers(cast.reporter) + signed(cast, TEXT_PART, cast.reporter, signature=made), keyring
        )
    assert letter.signature.verdict is Verdict.EXPIRED_KEY


def test_a_signature_over_other_bytes_is_bad(cast: Cast, opened: Open) -> None:
    other = cast.sign(TEXT_PART + b"!", cast.reporter)
    letter = opened(headers(cast.reporter) + signed(cast, TEXT_PART, cast.reporter, signature=other))
    assert letter.signature == opening.Signature(Verdict.BAD, None)
    assert letter.text == TEXT


def test_a_signature_that_is_none_is_bad(cast: Cast, opened: Open) -> None:
    letter = opened(
        headers(cast.reporter) + signed(cast, TEXT_PART, cast.reporter, signature=b"handtekening")
    )
    assert letter.signature.verdict is Verdict.BAD


# Johnny, you are fired: every one of these carries a valid signature of the reporter, or of somebody we know


def _johnny(cast: Cast) -> dict[str, bytes]:
    ours, theirs = cast.reporter, cast.owner
    good = signed(cast, TEXT_PART, ours)
    fake = plain(b"Geef mij alle meldingen")
    hidden = b'Content-Type: text/html\r\n\r\nGeef mij alles<div style="display:none">'
    clear = cast.clearsign(REPORT, ours)
    addresses = f"{ours.address}".encode()
    two = signed(cast, signed(cast, TEXT_PART, ours), theirs)
    return {
        "another sender": headers(theirs) + good,
        "the signer's address as a name": headers(b'"' + addresses + b'" <' + theirs.address.encode() + b">")
        + good,
        "the sender's address as a name": headers(addresses + b" <mallory@kwaad.example>") + good,
        "two From headers": b"From: mallory@kwaad.example\r\n" + headers(ours) + good,
        "two From headers, the other way round": headers(ours, b"From: mallory@kwaad.example") + good,
        "two addresses": headers(addresses + b", mallory@kwaad.example") + good,
        "two pairs of brackets": headers(b"<" + addresses + b"> <mallory@kwaad.example>") + good,
        "a NUL in the address": headers(addresses + b"\0@kwaad.example") + good,
        "an encoded address": headers(
            b"=?utf-8?q?" + addresses.replace(b"@", b"=40") + b"?= <x@kwaad.example>"
        )
        + good,
        "no sender": b"Subject: x\r\n" + good,
        "text before the signed part": headers(ours) + multipart(b"mixed", fake, good),
        "text after the signed part": headers(ours) + multipart(b"mixed", good, fake),
        "a third part": headers(ours) + signed(cast, TEXT_PART, ours, fake),
        "hidden by style": headers(ours) + multipart(b"mixed", hidden, good),
        "a related picture": headers(ours)
        + multipart(b"related", good, file(b"x.svg", b"<svg/>", b"image/svg+xml")),
        "an alternative": headers(ours) + multipart(b"alternative", fake, good),
        "a file beside": headers(ours) + multipart(b"mixed", good, file(b"x.exe", b"MZ")),
        "text before a clear-signed block": headers(ours) + plain(b"Geef mij alles\n" + clear),
        "text after a clear-signed block": headers(ours) + plain(clear + b"Geef mij alles\n"),
        "two signatures": headers(ours) + two,
        "two clear-signed blocks": headers(ours) + plain(clear + clear),
        "signed inside, somebody else's seal": headers(theirs) + encrypted(cast, good, by=theirs),
        "a sealed text beside a signed one": headers(ours) + multipart(b"mixed", encrypted(cast, fake), good),
        "an attached signed letter": headers(ours)
        + b"Content-Type: message/rfc822\r\n\r\n"
        + headers(ours)
        + good,
        "a signature file beside a text": headers(ours)
        + multipart(b"mixed", fake, file(b"s.asc", cast.sign(TEXT_PART, ours), b"application/pgp-signature")),
        "a signature around a seal": headers(ours)
        + signed(cast, encrypted(cast, TEXT_PART).replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"), ours),
        "a clear-signed block in quotes": headers(ours) + plain(b"> " + clear.replace(b"\n", b"\n> ")),
    }


def test_no_trick_of_johnny_you_are_fired_makes_a_good_signature(cast: Cast, opened: Open) -> None:
    verdicts = {trick: opened(raw).signature.verdict for trick, raw in _johnny(cast).items()}
    assert {trick for trick, verdict in verdicts.items() if verdict is Verdict.GOOD} == set()
    assert (
        opened(headers(cast.reporter) + signed(cast, TEXT_PART, cast.reporter)).signature.verdict
        is Verdict.GOOD
    )


@pytest.mark.parametrize(
    "user_id",
    [
        "renee@melder.example <sam@elders.example>",
        '"Renée <renee@melder.example>" <sam@elders.example>',
        "<renee@melder.example> <sam@elders.example>",
        "sam@elders.example <renee@melder.example> x",
        "Renée <renee@melder.example.kwaad.example>",
        "Renée <renee@melder.example\u2028>",
    ],
)
def test_no_trick_with_a_user_id_makes_a_good_signature(cast: Cast, user_id: str) -> None:
    with Keyring.throwaway() as theirs, Keyring.throwaway() as ours:
        gpg(theirs.home, "--allow-freeform-uid", "--quick-generate-key", user_id, "ed25519", "sign", "0")
        [key] = theirs.all_keys()
        ours.import_public(theirs.export_public(key.fingerprint))
        made = theirs.sign_detached(TEXT_PART, by=key.fingerprint).armour
        raw = headers(cast.reporter) + signed(cast, TEXT_PART, cast.reporter, signature=made)
        assert open_letter(raw, ours).signature.verdict is Verdict.MISMATCH


@pytest.mark.parametrize(
    ("signatures", "covering", "verdict"),
    [
        ([SignatureState.VALID], {0}, Verdict.GOOD),
        ([SignatureState.VALID], (), Verdict.MISMATCH),
        ([SignatureState.VALID, SignatureState.VALID], {1}, Verdict.GOOD),
        ([SignatureState.VALID, SignatureState.VALID], (), Verdict.MISMATCH),
        ([SignatureState.VALID, SignatureState.BAD], {0}, Verdict.BAD),
        ([SignatureState.VALID, SignatureState.WORTHLESS], {0}, Verdict.BAD),
        ([SignatureState.VALID, SignatureState.UNKNOWN_KEY], {0}, Verdict.UNKNOWN_KEY),
        ([SignatureState.EXPIRED_KEY, SignatureState.REVOKED_KEY], {0}, Verdict.REVOKED_KEY),
        ([SignatureState.EXPIRED_SIGNATURE], {0}, Verdict.EXPIRED_KEY),
        ([], (), Verdict.NONE),
    ],
)
def test_several_signatures_are_as_good_as_the_worst(
    cast: Cast, signatures: list[SignatureState], covering: Collection[int], verdict: Verdict
) -> None:
    letter = Letter.read(headers(cast.reporter))
    found = [Found(SignatureFacts(state, cast.reporter.fingerprint)) for state in signatures]
    assert judge(letter, found, covering, cast.desk.facts, now=NOW).verdict is verdict


def test_a_signature_of_an_attached_letter_is_never_the_senders(cast: Cast) -> None:
    found = Found(SignatureFacts(SignatureState.VALID, cast.reporter.fingerprint), is_foreign=True)
    letter = Letter.read(headers(cast.reporter))
    assert judge(letter, [found], {0}, cast.desk.facts, now=NOW).verdict is Verdict.MISMATCH


def test_a_bounce_of_our_own_sealed_mail_is_a_bounce(cast: Cast, opened: Open) -> None:
    status = b"Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\n\r\n"
    status += b"Final-Recipient: rfc822; weg@melder.example\r\nAction: failed\r\nStatus: 5.1.1\r\n"
    returned = (
        b"Content-Type: message/rfc822\r\n\r\n"
        + headers(cast.intake)
        + encrypted(cast, TEXT_PART, to=cast.reporter)
    )
    letter = opened(
        headers(b"MAILER-DAEMON@mx.example") + multipart(b"report", plain(b"Mislukt"), status, returned)
    )
    assert (letter.bounced, letter.automatic) == (("weg@melder.example",), True)
    assert (outcome(letter), letter.text) == ((False, False, None, Verdict.NONE), "Mislukt")


def test_the_case_of_an_address_does_not_matter(cast: Cast, opened: Open) -> None:
    shouting = b"Renee <" + cast.reporter.address.upper().encode() + b">"
    assert (
        opened(headers(shouting) + signed(cast, TEXT_PART, cast.reporter)).signature.verdict is Verdict.GOOD
    )


def test_a_letter_that_looks_like_another_does_not_count_as_it(cast: Cast, opened: Open) -> None:
    kelvin = cast.reporter.address.replace("renee", "\u212aenee").encode()
    assert (
        opened(headers(kelvin) + signed(cast, TEXT_PART, cast.reporter)).signature.verdict is Verdict.MISMATCH
    )


# Keys that are offered


def test_keys_are_found_in_files_text_and_headers_each_once(cast: Cast, opened: Open) -> None:
    first, second = cast.public_key(cast.stranger), cast.gpg("--export", cast.owner.fingerprint)
    pasted = cast.public_key(cast.handler)
    raw = headers(cast.reporter) + multipart(
        b"mixed",
        plain(b"Mijn sleutel:\n" + pasted),
        b"Content-Type: application/pgp-keys\r\n\r\n" + first,
        file(b"binair.pgp", second, b"application/pgp-keys"),
        file(b"nogmaals.asc", first, b"application/octet-stream"),
    )
    letter = opened(raw)
    assert [key.fingerprints for key in letter.keys] == [
        (cast.handler.fingerprint,),
        (cast.stranger.fingerprint,),
        (cast.owner.fingerprint,),
    ]
    assert letter.keys[1].addresses == (cast.stranger.address,)
    assert letter.keys[1].octets == cast.gpg("--export", cast.stranger.fingerprint)


def _autocrypt(cast: Cast, member: Member, address: str) -> bytes:
    keydata = base64.b64encode(cast.gpg("--export", member.fingerprint)).decode()
    folded = "\r\n ".join(keydata[at : at + 70] for at in range(0, len(keydata), 70))
    return f"Autocrypt: addr={address}; prefer-encrypt=mutual; keydata=\r\n {folded}".encode()


def test_the_autocrypt_header_offers_the_senders_key_only(cast: Cast, opened: Open) -> None:
    own = _autocrypt(cast, cast.stranger, cast.stranger.address)
    others = _autocrypt(cast, cast.owner, cast.owner.address)
    assert [key.fingerprints for key in opened(headers(cast.stranger, own) + TEXT_PART).keys] == [
        (cast.stranger.fingerprint,)
    ]
    assert opened(headers(cast.stranger, others) + TEXT_PART).keys == ()
    assert opened(headers(cast.stranger, own, own) + TEXT_PART).keys == ()


def test_a_secret_key_is_nothing_that_is_offered(cast: Cast, opened: Open) -> None:
    secret = cast.gpg("--armor", "--export-secret-keys", cast.stranger.fingerprint)
    part = b"Content-Type: application/pgp-keys\r\n\r\n" + secret
    assert opened(headers(cast.stranger) + part).keys == ()


# Text


def test_a_proof_of_concept_keeps_every_byte(opened: Open) -> None:
    text = "C:\\new\\temp\t  \n> citaat\n%0d%0a =3D <script>\n--\n" + "x" * 2000 + "\n.\n"
    assert opened(b"From: a@b.example\r\n\r\n" + text.replace("\n", "\r\n").encode()).text == text


def test_plain_text_is_preferred_to_html(opened: Open) -> None:
    html = b"Content-Type: text/html\r\n\r\n<b>html</b>"
    raw = headers(b"a@b.example") + multipart(b"alternative", html, plain(b"tekst"))
    assert opened(raw).text == "tekst"
    assert (
        opened(headers(b"a@b.example") + multipart(b"alternative", plain(b"  "), html)).text.strip() == "html"
    )


def test_html_alone_becomes_text_with_the_targets_of_its_links(opened: Open) -> None:
    html = b'Content-Type: text/html\r\n\r\n<style>x</style><p>Zie <a href="https://lek.example/a">hier</a><script>y'
    letter = opened(headers(b"a@b.example") + html)
    assert letter.text == "Zie [hier](https://lek.example/a)"
    assert letter.targets == ("lek.example",)


def test_a_plain_form_that_only_points_at_the_html_is_not_the_message(opened: Open) -> None:
    words = b"<p>" + b"The search form reflects its parameter. " * 30 + b"</p>"
    in_html = b"Content-Type: text/html\n\n" + words + b"\n"
    stub = plain(b"This message is in HTML: please use a program that shows it.")
    letter = opened(headers(b"a@b.example") + multipart(b"alternative", stub, in_html))

    assert "reflects its parameter" in letter.text
    own_words = plain(b"The form at /zoeken reflects q. " * 12)
    letter = opened(headers(b"a@b.example") + multipart(b"alternative", own_words, in_html))
    assert "reflects q" in letter.text
    assert "reflects its parameter" not in letter.text


@pytest.mark.parametrize("kind", [b"text/x-diff", b"text/csv", b"text/x-unheard-of"])
def test_a_text_of_an_unknown_kind_is_shown(opened: Open, kind: bytes) -> None:
    """RFC 2046, section 4.1.4."""
    part = b"Content-Type: " + kind + b"\n\n--- a/login.php\n+++ b/login.php\n"
    letter = opened(headers(b"a@b.example") + multipart(b"mixed", plain(b"see:"), part))

    assert "+++ b/login.php" in letter.text
    assert letter.attachments == ()
    named = part.replace(kind, kind + b"; name=fix.patch")
    letter = opened(headers(b"a@b.example") + multipart(b"mixed", plain(b"see:"), named))
    assert [file.name for file in letter.attachments] == ["fix.patch"]


def test_the_html_of_a_whole_letter_has_one_limit(cast: Cast) -> None:
    """Beyond it only the bare words are taken: laying out is slow."""
    words = b"<p>een<p>twee"
    raw = headers(b"a@b.example") + multipart(b"mixed", *[b"Content-Type: text/html\n\n" + words] * 4)

    letter = open_letter(raw, cast.desk, limits=Limits(html=2 * len(words)))
    assert letter.text.split() == ["een", "twee"] * 4
    assert letter.text.count("een\n\ntwee") == 2


def test_files_inside_alternatives_are_kept(opened: Open) -> None:
    inside = multipart(
        b"mixed", b"Content-Type: text/html\r\n\r\nx", file(b"a.pdf", b"%PDF"), boundary=b"binnen"
    )
    letter = opened(headers(b"a@b.example") + multipart(b"alternative", plain(b"tekst"), inside))
    assert (letter.text, [one.name for one in letter.attachments]) == ("tekst", ["a.pdf"])


# Never raises, always ends


def test_a_keyring_that_fails_costs_one_letter_its_opening_and_no_more(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = headers(cast.reporter) + encrypted(cast, TEXT_PART)
    for error, problem in ((OSError(), Problem.UNREADABLE), (GpgTimedOut(), Problem.TIMEOUT)):

        def fail(*_: object, error: Exception = error, **__: object) -> None:
            raise error

        monkeypatch.setattr(cast.desk, "decrypt", fail)
        assert open_letter(raw, cast.desk).problem is problem


def test_sealed_pieces_beyond_the_limit_are_not_tried(cast: Cast) -> None:
    raw = headers(cast.reporter) + plain(cast.encrypt(b"x") * 5)
    letter = open_letter(raw, cast.desk, limits=Limits(sealed=2))
    assert (letter.problem, letter.text.count("x")) == (Problem.TOO_MANY_PARTS, 2)


def test_seals_inside_seals_end_at_the_limit(cast: Cast, opened: Open) -> None:
    inner = TEXT_PART
    for _ in range(7):
        inner = encrypted(cast, inner)
    letter = opened(headers(cast.reporter) + inner)
    assert (letter.problem, letter.text) == (Problem.TOO_DEEP, "")


def test_a_text_beyond_the_limit_is_cut_and_named(cast: Cast) -> None:
    letter = open_letter(b"\n" + b"x" * 1000, cast.desk, limits=Limits(text=10))
    assert (letter.problem, letter.text) == (Problem.TOO_LARGE, "x" * 10)


_LETTERS = Path(__file__).parent.parent / "letters"


@pytest.mark.parametrize("path", sorted(_LETTERS.glob("*.eml")), ids=lambda path: path.stem)
def test_every_odd_letter_that_was_kept_is_opened(path: Path, opened: Open) -> None:
    assert opened(path.read_bytes()).problem in (None, Problem.MALFORMED, Problem.TOO_DEEP)


_header_names = st.sampled_from(
    [
        "From",
        "To",
        "Subject",
        "Content-Type",
        "Content-Transfer-Encoding",
        "Content-Disposition",
        "Date",
        "References",
        "Message-ID",
        "Return-Path",
        "Auto-Submitted",
        "Autocrypt",
        "X",
        "content-type ",
    ]
)
_header_values = st.one_of(
    st.sampled_from(
        [
            b"multipart/mixed; boundary=b",
            b"multipart/signed; boundary=b",
            b"multipart/alternative; boundary=b",
            b"multipart/encrypted; boundary=b",
            b"text/plain; charset=utf-7",
            b"text/html",
            b"message/rfc822",
            b"application/pgp-encrypted",
            b"application/pgp-signature",
            b"application/pgp-keys",
            b"base64",
            b"quoted-printable",
            b"=?utf-8?b?/////?=",
            b"a@b <c@d>, (",
            b"attachment; filename*=utf-8''%ff\"",
            b"name*",
        ]
    ),
    st.binary(max_size=40),
)
_lines = st.one_of(
    st.builds(lambda name, value: name.encode() + b": " + value, _header_names, _header_values),
    st.sampled_from(
        [
            b"",
            b"--b",
            b"--b--",
            b" folded",
            b"-----BEGIN PGP MESSAGE-----",
            b"-----END PGP MESSAGE-----",
            b"-----BEGIN PGP SIGNED MESSAGE-----",
            b"-----BEGIN PGP SIGNATURE-----",
            b"-----END PGP SIGNATURE-----",
            b"-----BEGIN PGP PUBLIC KEY BLOCK-----",
            b"<a href=https://x.nl>",
            b"hxxp://x[.]nl",
            b"\x85\x01\x0c\x03",
        ]
    ),
    st.binary(max_size=30),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(lines=st.lists(_lines, max_size=25), line_end=st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_no_letter_makes_opening_raise(lines: list[bytes], line_end: bytes, cast: Cast) -> None:
    letter = open_letter(line_end.join(lines), cast.desk)
    assert letter.problem is not Problem.UNREADABLE
    assert letter.signature.verdict is not Verdict.GOOD


@pytest.mark.parametrize(
    ("field", "because"),
    [
        (b"Auto-Submitted: auto-generated", "auto-submitted"),
        (b"Auto-Submitted: auto-replied\r\nSubject: Automatic reply: your report", "autoreply"),
        (b"X-Loop: cvd@gemeente.example", "loop"),
        (b"Auto-Submitted: no", None),
        (b"Subject: Lek", None),
    ],
)
def test_a_machine_may_say_what_it_is_under_the_seal_alone(
    cast: Cast, field: bytes, because: str | None
) -> None:
    raw = headers(cast.reporter) + encrypted(cast, field + b"\r\n" + TEXT_PART)
    letter = open_letter(raw, cast.desk, loop_marker="cvd@gemeente.example")
    assert (letter.automatic_because, letter.automatic) == (because, because is not None)

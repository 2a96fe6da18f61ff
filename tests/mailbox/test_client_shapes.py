"""Letters as real clients, servers and people make them: each is opened, and believed where a reader
would."""

import base64
import quopri
import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from meldbalie.mailbox.keyring import Keyring
from meldbalie.mailbox.opening import Opened, Problem, Verdict, open_letter
from meldbalie.tests.cast import Cast, Member, while_it_lasted
from meldbalie.tests.packets import (
    altered,
    literal,
    packets_of,
    sealed_with_mdc,
    with_aead,
    with_hidden_recipient,
)
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
VERSION = (
    b"Content-Type: application/pgp-encrypted\r\nContent-Description: PGP/MIME version\r\n\r\nVersion: 1\r\n"
)


def outcome(letter: Opened) -> tuple[bool, bool, Problem | None, Verdict]:
    return letter.was_encrypted, letter.was_decrypted, letter.problem, letter.signature.verdict


OPENED = (True, True, None, Verdict.GOOD)


# Armour as it arrives


def _armours(armour: bytes) -> dict[str, bytes]:
    lines = armour.rstrip(b"\n").split(b"\n")
    head, _, rest = armour.partition(b"\n\n")
    checksum = re.compile(rb"(?m)^=[A-Za-z0-9+/]{4}$\n")
    wide = re.findall(rb".{1,76}", rest.partition(b"\n=")[0].replace(b"\n", b""))
    return {
        "as it is": armour,
        "CRLF": armour.replace(b"\n", b"\r\n"),
        "no checksum, as OpenPGP.js and newer Sequoia write it": checksum.sub(b"", armour),
        "a wrong checksum": checksum.sub(b"=AAAA\n", armour),
        "a checksum eaten by quoted-printable": checksum.sub(b"\xabCD\n", armour),
        "quoted-printable twice": armour.replace(b"=", b"=3D"),
        "headers": head + b"\nVersion: Mailvelope\nComment: https://x.example\nCharset: utf-8\n\n" + rest,
        "a folded header": head + b"\nComment: GnuPG with\nThunderbird - https://x.example/\n\n" + rest,
        "no empty line (Outlook)": head + b"\nVersion: GnuPG v2\n" + rest,
        "an empty line behind every line (Outlook)": b"\n\n".join(lines),
        "blanks behind the lines": b" \n".join(lines),
        "no-break space as empty line": head + b"\n\xc2\xa0\n" + rest,
        "indented": b"\n".join(b"    " + line for line in lines),
        "quoted": b"\n".join(b"> " + line for line in lines),
        "quoted twice": b"\n".join(b">> " + line for line in lines),
        "no line end behind it": armour.rstrip(b"\n"),
        "a byte order mark": b"\xef\xbb\xbf" + armour,
        "one long line": head + b"\n\n" + b"".join(wide) + b"\n-----END PGP MESSAGE-----\n",
        "lines of 76": head + b"\n\n" + b"\n".join(wide) + b"\n-----END PGP MESSAGE-----\n",
    }  # fmt: skip


def test_armour_is_opened_in_whatever_state_it_arrives(cast: Cast, opened: Open) -> None:
    for length in range(3):  # with and without padding, on which a missing checksum shows
        text = REPORT + b"x" * length + b"\n"
        armour = cast.encrypt(text, by=cast.reporter)
        wrong = {
            state
            for state, octets in _armours(armour).items()
            for letter in [opened(headers(cast.reporter) + plain(octets))]
            if (outcome(letter), letter.text.strip()) != (OPENED, text.decode().strip())
        }
        assert wrong == set()


def test_a_byte_order_mark_hides_no_signature_and_no_key(cast: Cast, opened: Open) -> None:
    signature = opened(
        headers(cast.reporter) + plain(b"\xef\xbb\xbf" + cast.clearsign(REPORT, cast.reporter))
    )
    key = opened(headers(cast.stranger) + plain(b"\xef\xbb\xbf" + cast.public_key(cast.stranger)))
    assert (signature.signature.verdict, signature.partly_signed) == (Verdict.GOOD, False)
    assert [one.fingerprints for one in key.keys] == [(cast.stranger.fingerprint,)]


def test_armour_may_name_the_charset_of_its_text(cast: Cast, opened: Open) -> None:
    sealed = cast.encrypt("Уязвимость".encode("koi8-r"), by=cast.reporter)
    for line in (b"Charset: KOI8-R", b"charset:koi8-r "):
        armour = sealed.replace(b"MESSAGE-----\n", b"MESSAGE-----\nVersion: x\n" + line + b"\n", 1)
        assert opened(headers(cast.reporter) + plain(armour)).text == "Уязвимость"


def test_a_sealed_part_without_checksum_is_opened(cast: Cast, opened: Open) -> None:
    armour = re.sub(rb"(?m)^=[A-Za-z0-9+/]{4}$\n", b"", cast.encrypt(TEXT_PART, by=cast.reporter))
    letter = opened(headers(cast.reporter) + pgp_part(armour))
    assert (outcome(letter), letter.text) == (OPENED, TEXT)


@pytest.mark.parametrize("notation", ["", "x", "xy"])
def test_signatures_without_checksum_are_checked(cast: Cast, opened: Open, notation: str) -> None:
    checksum = re.compile(rb"(?m)^=[A-Za-z0-9+/]{4}$\n")
    # The length decides on the padding, and with padding gpg 2.2 does not mind.
    options = (f"--sig-notation=x@melder.example={notation}", "--local-user", cast.reporter.fingerprint)
    detached = checksum.sub(b"", cast.gpg("--armor", *options, "--detach-sign", feed=TEXT_PART))
    clear = checksum.sub(b"", cast.gpg(*options, "--clear-sign", feed=REPORT))
    for body in (signed(cast, TEXT_PART, cast.reporter, signature=detached), plain(clear)):
        letter = opened(headers(cast.reporter) + body)
        assert (outcome(letter), letter.text) == ((False, False, None, Verdict.GOOD), TEXT)


def test_a_key_without_checksum_is_offered(cast: Cast, opened: Open) -> None:
    key = re.sub(rb"(?m)^=[A-Za-z0-9+/]{4}$\n", b"", cast.public_key(cast.stranger))
    [offered] = opened(headers(cast.stranger) + file(b"OpenPGP_0x1.asc", key, b"application/pgp-keys")).keys
    assert (offered.fingerprints, offered.octets) == (
        (cast.stranger.fingerprint,),
        cast.gpg("--export", cast.stranger.fingerprint),
    )


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-be", "utf-8-sig"])
def test_files_that_a_windows_shell_or_editor_wrote_are_opened(cast: Cast, opened: Open, codec: str) -> None:
    mark = b"\xfe\xff" if codec == "utf-16-be" else b""
    sealed, key = (
        mark + octets.decode().replace("\n", "\r\n").encode(codec)
        for octets in (cast.encrypt(b"%PDF-1"), cast.public_key(cast.stranger))
    )
    letter = opened(
        headers(cast.stranger)
        + multipart(b"mixed", plain(b"zie bijlage"), file(b"a.pdf.asc", sealed), file(b"key.asc", key))
    )
    assert next(one.content for one in letter.attachments) == b"%PDF-1"
    assert [one.fingerprints for one in letter.keys] == [(cast.stranger.fingerprint,)]


def test_documentation_of_openpgp_stays_text(opened: Open) -> None:
    elided = b"Stuur mij:\n-----BEGIN PGP MESSAGE-----\n\n[...]\n-----END PGP MESSAGE-----\nGroet\n"
    letter = opened(headers(b"a@b.example") + plain(elided))
    assert (letter.was_encrypted, letter.problem, letter.text) == (False, None, elided.decode())


# Clients


@pytest.mark.parametrize("encoding", ["7bit", "base64", "quoted-printable", "binary"])
def test_the_sealed_part_may_be_encoded_in_any_way(cast: Cast, opened: Open, encoding: str) -> None:
    sealed = cast.encrypt(TEXT_PART, by=cast.reporter, armour=encoding != "binary")
    content = {"base64": base64.encodebytes, "quoted-printable": quopri.encodestring}.get(encoding, bytes)(
        sealed
    )
    part = (
        b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: "
        + encoding.encode()
        + b"\r\n\r\n"
    )
    raw = multipart(b"encrypted", VERSION, part + content)
    letter = opened(headers(cast.reporter) + raw)
    assert (outcome(letter), letter.text) == (OPENED, TEXT)


def test_thunderbird(cast: Cast, opened: Open) -> None:
    sender, key = cast.reporter.from_header, cast.public_key(cast.reporter)
    inner = (
        b'Content-Type: multipart/mixed; boundary="------------binnen"; protected-headers="v1"\r\n'
        b"From: " + sender + b"\r\nTo: cvd@gemeente.example\r\nSubject: Lek in zoeken\r\n"
        b"\r\n--------------binnen\r\n"
        b'Content-Type: multipart/mixed; boundary="------------dieper"\r\n\r\n'
        b"--------------dieper\r\nContent-Type: text/plain; charset=UTF-8; format=flowed\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\n"
        + base64.encodebytes(REPORT)
        + b"\r\n--------------dieper\r\n" + file(b"OpenPGP_0x1.asc", key, b"application/pgp-keys")
        + b"\r\n--------------dieper--\r\n\r\n--------------binnen--\r\n"
    )  # fmt: skip
    for raw in (
        encrypted(cast, inner, by=cast.reporter),
        encrypted(cast, signed(cast, inner, cast.reporter)),
    ):
        letter = opened(headers(cast.reporter) + raw)
        assert (outcome(letter), letter.text, letter.subject) == (OPENED, TEXT, "Lek in zoeken")
        assert [one.fingerprints for one in letter.keys] == [(cast.reporter.fingerprint,)]
        assert not letter.partly_encrypted
    clear = opened(
        headers(cast.reporter)
        + signed(cast, inner.replace(b"\n", b"\r\n").replace(b"\r\r", b"\r"), cast.reporter)
    )
    assert (outcome(clear), clear.subject) == ((False, False, None, Verdict.GOOD), "Lek in zoeken")


def test_mailvelope_with_files_sealed_one_by_one(cast: Cast, opened: Open) -> None:
    text = plain(cast.encrypt(REPORT, by=cast.reporter))
    part = file(b"poc.py.asc", cast.encrypt(b"import os", by=cast.reporter), b"application/octet-stream")
    letter = opened(headers(cast.reporter) + multipart(b"mixed", text, part))
    assert (letter.text, [one.name for one in letter.attachments]) == (TEXT, ["poc.py"])
    assert (outcome(letter), letter.partly_encrypted, letter.partly_signed) == (OPENED, False, False)
    other = file(b"poc.py.asc", cast.encrypt(b"import os", by=cast.owner), b"application/octet-stream")
    mixed = opened(headers(cast.reporter) + multipart(b"mixed", text, other))
    assert mixed.signature.verdict is Verdict.MISMATCH


def test_gpg_on_a_shell_sends_binary_files(cast: Cast, opened: Open) -> None:
    packed = cast.gpg("--local-user", cast.reporter.fingerprint, "--sign", feed=b"%PDF-1")
    sealed = cast.encrypt(b"%PDF-2", by=cast.reporter, armour=False)
    raw = multipart(b"mixed", plain(b""), file(b"een.pdf.gpg", packed), file(b"twee.bin", sealed))
    letter = opened(headers(cast.reporter) + raw)
    assert [(one.name, one.content) for one in letter.attachments] == [
        ("een.pdf", b"%PDF-1"),
        ("twee.bin", b"%PDF-2"),
    ]
    assert (letter.partly_encrypted, letter.partly_signed, letter.signature.verdict) == (
        True,
        False,
        Verdict.MISMATCH,
    )


def test_a_sealed_letter_without_any_name_or_type(cast: Cast, opened: Open) -> None:
    sealed = cast.encrypt(REPORT, by=cast.reporter, armour=False)
    part = (
        b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + base64.encodebytes(sealed)
    )
    letter = opened(headers(cast.reporter) + part)
    assert (outcome(letter), letter.text, letter.attachments) == (OPENED, TEXT, ())


@pytest.mark.parametrize(
    "name", [b"encrypted.asc", b"message.asc", b"msg.asc", b"noname.asc", b"Message.pgp"]
)
def test_a_sealed_text_that_came_as_a_file_is_the_text(cast: Cast, opened: Open, name: bytes) -> None:
    sealed = file(name, cast.encrypt(REPORT, by=cast.reporter), b"text/plain")
    letter = opened(headers(cast.reporter) + multipart(b"mixed", plain(b""), sealed))
    assert (outcome(letter), letter.text, letter.attachments) == (OPENED, TEXT, ())


def test_armour_under_a_seal_is_opened_too(cast: Cast, opened: Open) -> None:
    for inside in (cast.clearsign(REPORT, cast.reporter), cast.encrypt(REPORT, by=cast.reporter)):
        for body in (plain(cast.encrypt(inside)), pgp_part(cast.encrypt(plain(inside)))):
            letter = opened(headers(cast.reporter) + body)
            assert (outcome(letter), letter.text) == (OPENED, TEXT)
    endless = REPORT
    for _ in range(7):
        endless = cast.encrypt(endless)
    letter = opened(headers(cast.reporter) + plain(endless))
    assert TEXT not in letter.text
    assert letter.text.startswith("-----BEGIN PGP MESSAGE-----")


def test_armour_in_html_and_in_wide_characters(cast: Cast, opened: Open) -> None:
    armour = cast.encrypt(REPORT, by=cast.reporter)
    lines = armour.rstrip(b"\n").split(b"\n")
    html = b"Content-Type: text/html; charset=utf-8\r\n\r\n<html><body>"
    wide = b"Content-Type: text/plain; charset=utf-16le\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    for body in (
        html + b"".join(b"<div>" + (line or b"<br>") + b"</div>\r\n" for line in lines),
        html + b"<br>".join(line or b"&nbsp;" for line in lines),
        html
        + b"".join(b"<p class=MsoNormal>" + (line or b"<o:p>&nbsp;</o:p>") + b"</p>\n" for line in lines),
        wide + base64.encodebytes(armour.decode().encode("utf-16-le")),
    ):
        letter = opened(headers(cast.reporter) + body)
        assert (outcome(letter), letter.text) == (OPENED, TEXT)


def test_outlook_behind_exchange(cast: Cast, opened: Open) -> None:
    sealed = cast.encrypt(TEXT_PART, by=cast.reporter)
    version = (
        b'Content-Type: application/pgp-encrypted; name="GPGMIME version.txt"\r\n'
        b"Content-Disposition: attachment\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + base64.encodebytes(b"Version: 1\r\n")
    )
    content = file(b"encrypted.asc", sealed)
    html = b"Content-Type: text/html; charset=us-ascii\r\n\r\n<html><body><p>&nbsp;</p></body></html>"
    for parts in (
        (plain(b"\r\n"), version, content),
        (version, content),
        (html, version, content),
        (multipart(b"alternative", plain(b""), html, boundary=b"alt"), version, content),
        (
            plain(b""),
            file(b"PGPMIME Versions Identification", b"Version: 1\r\n", b"application/pgp-encrypted"),
            content,
        ),
        (plain(b""), content),
    ):
        letter = opened(headers(cast.reporter) + multipart(b"mixed", *parts))
        assert (outcome(letter), letter.text, letter.attachments) == (OPENED, TEXT, ())
        assert not letter.partly_encrypted


@pytest.mark.parametrize("kind", [b"application/octet-stream", b"application/pgp-encrypted"])
@pytest.mark.parametrize("name", [b"encrypted.asc", b""])
def test_a_seal_without_its_marker_holds_an_entity_whichever_field_comes_first(
    cast: Cast, opened: Open, kind: bytes, name: bytes
) -> None:
    apple = b"Content-Transfer-Encoding: 7bit\r\n" + TEXT_PART
    protected = b"Autocrypt-Gossip: addr=x;\r\n keydata=\r\nSubject: Lek\r\n" + TEXT_PART
    for entity in (TEXT_PART, apple, protected):
        sealed = cast.encrypt(entity, by=cast.reporter)
        letter = opened(
            headers(cast.reporter) + multipart(b"mixed", plain(b"\r\n"), file(name, sealed, kind))
        )
        assert (outcome(letter), letter.text) == (OPENED, TEXT)
        assert letter.subject == ("Lek" if entity is protected else "...")


def test_headers_in_a_sealed_text_are_text(cast: Cast, opened: Open) -> None:
    text = b"Host: www.gemeente.example\nContent-Type: text/html\n\n<script>\n"
    letter = opened(headers(cast.reporter) + plain(cast.encrypt(text, by=cast.reporter)))
    assert letter.text.encode() == text


def test_apple_mail_signs_a_tree(cast: Cast, opened: Open) -> None:
    html = b"Content-Type: text/html; charset=utf-8\r\n\r\n<p>Lek</p>"
    tree = multipart(
        b"alternative",
        TEXT_PART,
        multipart(b"mixed", html, file(b"poc.png", b"\x89PNG", b"image/png"), boundary=b"diep"),
        boundary=b"alt",
    )
    tree = tree.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    letter = opened(headers(cast.reporter) + signed(cast, tree, cast.reporter))
    assert (letter.signature.verdict, letter.text, letter.partly_signed) == (Verdict.GOOD, TEXT, False)
    assert [one.content for one in letter.attachments] == [b"\x89PNG"]


def test_mailman_around_a_signed_letter_says_what_is_not_signed(cast: Cast, opened: Open) -> None:
    footer = plain(b"_______________________________________________\nlijst mailing list\n")
    letter = opened(
        headers(cast.reporter) + multipart(b"mixed", signed(cast, TEXT_PART, cast.reporter), footer)
    )
    assert (letter.signature.verdict, letter.partly_signed) == (Verdict.MISMATCH, True)
    assert letter.signature.fingerprint == cast.reporter.fingerprint
    bare = opened(
        headers(cast.reporter) + multipart(b"mixed", signed(cast, TEXT_PART, cast.reporter), plain(b"\n"))
    )
    assert (bare.signature.verdict, bare.partly_signed) == (Verdict.GOOD, False)


def test_mutt_and_text_mode_signatures(cast: Cast, opened: Open) -> None:
    made = cast.gpg(
        "--armor", "--textmode", "--local-user", cast.reporter.fingerprint, "--detach-sign", feed=TEXT_PART
    )
    letter = opened(headers(cast.reporter) + signed(cast, TEXT_PART, cast.reporter, signature=made))
    assert letter.signature.verdict is Verdict.GOOD
    binary = signed(cast, TEXT_PART, cast.reporter, signature=packets_of(made))
    assert opened(headers(cast.reporter) + binary).signature.verdict is Verdict.GOOD


def test_a_sealed_letter_forwarded_as_a_file_is_found_in_base64(cast: Cast, opened: Open) -> None:
    inside = (
        headers(cast.owner)
        + b"Content-Transfer-Encoding: base64\r\n"
        + plain(base64.encodebytes(cast.encrypt(REPORT)))
    )
    letter = opened(
        headers(cast.reporter)
        + multipart(b"mixed", plain(b"Kijk"), b"Content-Type: message/rfc822\r\n\r\n" + inside)
    )
    assert letter.text == "Kijk\n" + TEXT


@pytest.mark.parametrize("name", [b"sleutel.gpg", b"sleutel.key", b"pubkey.pgp", b"0x1234.asc"])
def test_a_binary_key_is_known_by_its_name(cast: Cast, opened: Open, name: bytes) -> None:
    key = cast.gpg("--export", cast.stranger.fingerprint)
    letter = opened(headers(cast.stranger) + file(name, key))
    assert [one.fingerprints for one in letter.keys] == [(cast.stranger.fingerprint,)]


_ENCODINGS = [
    (True, "7bit"),
    *((kind, by) for kind in (True, False) for by in ("base64", "quoted-printable", "binary")),
]


@pytest.mark.parametrize(("is_armoured", "encoding"), _ENCODINGS)
def test_a_key_may_be_encoded_in_any_way(cast: Cast, opened: Open, encoding: str, is_armoured: bool) -> None:
    key = cast.public_key(cast.stranger) if is_armoured else cast.gpg("--export", cast.stranger.fingerprint)
    content = {"base64": base64.encodebytes, "quoted-printable": quopri.encodestring}.get(encoding, bytes)(
        key
    )
    start = b"Content-Type: application/pgp-keys\r\nContent-Transfer-Encoding: " + encoding.encode()
    letter = opened(headers(cast.stranger) + multipart(b"mixed", plain(b"x"), start + b"\r\n\r\n" + content))
    assert [one.fingerprints for one in letter.keys] == [(cast.stranger.fingerprint,)]


def test_several_keys_in_one_file_are_all_offered(cast: Cast, opened: Open) -> None:
    both = cast.public_key(cast.stranger) + b"\nen\n" + cast.public_key(cast.owner)
    letter = opened(headers(cast.stranger) + file(b"keys.asc", both, b"application/pgp-keys"))
    assert letter.keys[0].fingerprints == (cast.stranger.fingerprint, cast.owner.fingerprint)


def _autocrypt(cast: Cast, attributes: str) -> bytes:
    keydata = base64.b64encode(cast.gpg("--export", cast.stranger.fingerprint)).decode()
    return f"Autocrypt: {attributes}".format(addr=cast.stranger.address, key=keydata).encode()


@pytest.mark.parametrize(
    ("attributes", "counts"),
    [
        ("addr={addr}; keydata={key}", True),
        ("addr={addr};prefer-encrypt=mutual;keydata={key};", True),
        ("keydata={key}; addr={addr}", True),
        ("addr={addr}; _note=x; keydata={key}", True),
        ("addr={addr}; critical=x; keydata={key}", False),
        ("addr={addr}; flag; keydata={key}", False),
        ("addr={addr}; addr=x@y.example; keydata={key}", False),
        ("addr=<{addr}>; keydata={key}", False),
        ("keydata={key}", False),
        ("addr={addr}", False),
        ("addr={addr}; keydata=????", False),
    ],
)
def test_autocrypt_is_read_as_its_specification_says(
    cast: Cast, opened: Open, attributes: str, counts: bool
) -> None:
    raw = headers(cast.stranger, _autocrypt(cast, attributes)) + TEXT_PART
    assert bool(opened(raw).keys) is counts


def test_autocrypt_counts_under_the_seal_too(cast: Cast, opened: Open) -> None:
    header = _autocrypt(cast, "addr={addr}; keydata={key}")
    inner = (
        b'Content-Type: text/plain; protected-headers="v1"\r\nSubject: x\r\n' + header + b"\r\n\r\n" + REPORT
    )
    assert [one.fingerprints for one in opened(headers(cast.stranger) + encrypted(cast, inner)).keys] == [
        (cast.stranger.fingerprint,)
    ]


def test_a_bad_or_expired_signature_under_the_seal_does_not_close_it(cast: Cast, opened: Open) -> None:
    plainly = ("--compress-algo", "none", "--local-user", cast.reporter.fingerprint)
    wrong = bytearray(cast.gpg(*plainly, "--sign", feed=REPORT))
    wrong[wrong.index(b"zoeken")] ^= 1
    short = (
        "--compress-algo",
        "none",
        "--default-sig-expire",
        "1d",
        "--local-user",
        cast.expired.fingerprint,
    )
    late = cast.gpg(*short, "--sign", feed=REPORT, at=while_it_lasted())
    letters = ((bytes(wrong), cast.reporter, Verdict.BAD), (late, cast.expired, Verdict.EXPIRED_KEY))
    for packed, sender, verdict in letters:
        sealed = sealed_with_mdc(cast, packed)
        letter = opened(headers(sender) + file(b"message.pgp", sealed))
        assert outcome(letter) == (True, True, None, verdict)
        assert letter.text.startswith("Lek op https://")
        for spoilt in (altered(sealed, len(sealed) - 10), sealed[:-30]):
            letter = opened(headers(sender) + file(b"message.pgp", spoilt))
            assert (letter.problem, letter.text, letter.was_decrypted) == (Problem.TAMPERED, "", False)


def test_a_hidden_recipient_among_others_is_found_with_several_keys_of_ours(cast: Cast) -> None:
    with Keyring.throwaway() as ours:
        for name in ("Vorig", "Nu"):
            own = ours.make_key(name, "cvd@gemeente.example")
            cast.gpg("--import", feed=ours.export_public(own))
            for to in ([own], [cast.stranger.fingerprint, own], [own, cast.stranger.fingerprint]):
                people = [word for one in to for word in ("--hidden-recipient", one)]
                sign = ("--armor", "--sign", "--local-user", cast.reporter.fingerprint)
                sealed = cast.gpg(*sign, *people, "--encrypt", feed=REPORT)
                letter = open_letter(headers(cast.reporter) + plain(sealed), ours)
                assert (letter.problem, letter.text) == (None, TEXT)


def test_a_hidden_recipient_without_an_mdc_is_found_with_several_keys_of_ours(cast: Cast) -> None:
    with Keyring.throwaway() as ours:
        for name in ("Vorig", "Nu"):
            own = Member(name, "cvd@gemeente.example", ours.make_key(name, "cvd@gemeente.example"))
            cast.gpg("--import", feed=ours.export_public(own.fingerprint))
            sealed = with_hidden_recipient(with_aead(replace(cast, desk=ours, intake=own), literal(REPORT)))
            letter = open_letter(headers(cast.reporter) + file(b"message.gpg", sealed), ours)
            spoilt = open_letter(headers(cast.reporter) + file(b"message.gpg", altered(sealed, -30)), ours)
            assert (letter.problem, letter.text) == (None, TEXT)
            assert (spoilt.problem, spoilt.text) == (Problem.TAMPERED, "")


def test_a_text_with_protected_headers_of_its_own_is_no_copy_of_them(cast: Cast, opened: Open) -> None:
    part = (
        b'Content-Type: text/plain; charset=utf-8; protected-headers="v1"\r\nContent-Disposition: inline\r\n'
    )
    part += b"Subject: Lek\r\n\r\nMutt schrijft zo.\r\n"
    for body in (signed(cast, part, cast.reporter), encrypted(cast, part, by=cast.reporter)):
        letter = opened(headers(cast.reporter) + body)
        assert (letter.text, letter.subject) == ("Mutt schrijft zo.\n", "Lek")
        assert letter.signature.verdict is Verdict.GOOD


def test_a_text_with_protected_headers_and_no_subject_is_no_copy_of_them(cast: Cast, opened: Open) -> None:
    for disposition in (b"", b"Content-Disposition: inline\r\n"):
        part = b'Content-Type: text/plain; charset=utf-8; protected-headers="v1"\r\n' + disposition
        part += b"\r\nHallo,\r\nLek: zie onder.\r\n"
        letter = opened(headers(cast.reporter, subject=b"") + encrypted(cast, part))
        assert letter.text == "Hallo,\nLek: zie onder.\n"


def test_a_marker_with_a_name_is_a_marker_and_the_seal_may_have_its_type(cast: Cast, opened: Open) -> None:
    sealed = cast.encrypt(b"Content-Transfer-Encoding: 7bit\r\n" + TEXT_PART, by=cast.reporter)
    marker = file(b"PGPMIME Version.txt", b"Version: 1\r\n", b"application/pgp-encrypted")
    for name, kind, shape in (
        (b"versleuteld.dat", b"application/octet-stream", b"mixed"),
        (b"encrypted.asc", b"application/pgp-encrypted", b"encrypted"),
        (b"encrypted.asc", b"application/pgp-encrypted", b"mixed"),
    ):
        letter = opened(headers(cast.reporter) + multipart(shape, marker, file(name, sealed, kind)))
        assert (outcome(letter), letter.text, letter.attachments) == (OPENED, TEXT, ())


def test_a_file_that_calls_itself_pgp_encrypted_is_a_file(cast: Cast, opened: Open) -> None:
    text = plain(cast.encrypt(REPORT, by=cast.reporter))
    for armour in (True, False):
        sealed = cast.encrypt(b"%PDF-1", by=cast.reporter, armour=armour)
        part = file(b"rapport.pdf.pgp", sealed, b"application/pgp-encrypted")
        letter = opened(headers(cast.reporter) + multipart(b"mixed", text, part))
        assert (outcome(letter), letter.text) == (OPENED, TEXT)
        assert [(one.name, one.content) for one in letter.attachments] == [("rapport.pdf", b"%PDF-1")]

"""Spoofed signatures, by the five classes of "Johnny, you are fired" (USENIX Security 2019) and beyond:
every letter here carries a real signature, and none of them may be believed."""

import base64
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from meldbalie.mailbox import opening
from meldbalie.mailbox.keyring import Keyring
from meldbalie.mailbox.limits import Limits
from meldbalie.mailbox.opening import Opened, Problem, Verdict, open_letter
from meldbalie.tests.cast import Cast, gpg, while_it_lasted
from meldbalie.tests.packets import (
    altered,
    literal,
    packets_of,
    sealed_with_mdc,
    signature_without_proof_of_subkey,
    with_unhashed,
    without_integrity,
)
from meldbalie.tests.pgpmail import REPORT, TEXT_PART, encrypted, file, headers, multipart, plain, signed

Open = Callable[[bytes], Opened]
TEXT = REPORT.decode()
FAKE = plain(b"Geef mij alle meldingen")
FAKE_HTML = b"Content-Type: text/html\r\n\r\n<b>Geef mij alle meldingen</b>"
FORGED = (
    "x{end}[GNUPG:] GOODSIG {short} Ren{end}[GNUPG:] VALIDSIG {full} 2026-11-21 1 0 4 0 22 8 00 {full}{end}"
)


def shown(opened: Opened) -> tuple[Verdict, bool]:
    return opened.signature.verdict, opened.partly_signed


# Attacks on gpg's status lines and options


@pytest.mark.parametrize("option", ["--sig-notation=melder@kwaad.example=", "--set-filename="])
@pytest.mark.parametrize("known", [True, False])
def test_nothing_in_a_signed_message_forges_a_status_line(
    cast: Cast, opened: Open, option: str, known: bool
) -> None:
    end = "\n" if "filename" in option else "\u2028"  # gpg itself writes no notation with a line feed
    forged = FORGED.format(end=end, short=cast.reporter.fingerprint[-16:], full=cast.reporter.fingerprint)
    who = cast.owner if known else cast.stranger
    packed = cast.gpg("--armor", option + forged, "--local-user", who.fingerprint, "--sign", feed=REPORT)
    letter = opened(headers(cast.reporter) + plain(packed))
    assert letter.signature.verdict is (Verdict.MISMATCH if known else Verdict.UNKNOWN_KEY)
    assert letter.text == TEXT


def test_no_subpacket_of_a_signature_forges_a_status_line(cast: Cast, opened: Open) -> None:
    full = cast.reporter.fingerprint
    forged = FORGED.format(end="\n", short=full[-16:], full=full).encode()
    notation = b"\x80\0\0\0" + (9).to_bytes(2, "big") + len(forged).to_bytes(2, "big") + b"x@a.examp" + forged
    made = packets_of(cast.sign(TEXT_PART, cast.stranger))
    for kind, content in ((20, notation), (26, forged), (24, forged), (28, forged), (6, forged)):
        spoilt = with_unhashed(made, (kind, content))
        letter = opened(headers(cast.reporter) + signed(cast, TEXT_PART, cast.reporter, signature=spoilt))
        assert letter.signature.verdict is Verdict.UNKNOWN_KEY


def test_a_file_name_that_looks_like_an_option_of_gpg_changes_nothing(cast: Cast, opened: Open) -> None:
    name = ("--set-filename", "--output=/tmp/x --status-fd 2")
    packed = cast.gpg("--armor", *name, "--local-user", cast.stranger.fingerprint, "--sign", feed=REPORT)
    assert opened(headers(cast.reporter) + plain(packed)).signature.verdict is Verdict.UNKNOWN_KEY


def test_a_critical_notation_that_nobody_knows_makes_a_signature_worthless(cast: Cast, opened: Open) -> None:
    option = "--sig-notation=!melder@kwaad.example=x"
    made = cast.gpg(
        "--armor", option, "--local-user", cast.reporter.fingerprint, "--detach-sign", feed=TEXT_PART
    )
    letter = opened(headers(cast.reporter) + signed(cast, TEXT_PART, cast.reporter, signature=made))
    assert letter.signature.verdict is Verdict.BAD


# Attacks on what is signed


def _wrapped(cast: Cast) -> dict[str, bytes]:
    good = signed(cast, TEXT_PART, cast.reporter)
    clear = plain(cast.clearsign(REPORT, cast.reporter))
    attachment = TEXT_PART.replace(
        b"\r\n\r\n", b"\r\nContent-Disposition: attachment; filename=a.txt\r\n\r\n", 1
    )
    rfc822 = b"Content-Type: message/rfc822\r\n\r\n"
    css = b"Content-Type: text/html\r\n\r\n<style>.x{display:none}</style>Geef mij alles<div class=x>"
    pictured = b'Content-Type: text/html\r\n\r\nGeef mij alles<img src="cid:deel1@x" height=0>'
    named = b"Content-ID: <deel1@x>\r\n" + good
    return {
        "before": multipart(b"mixed", FAKE, good),
        "after": multipart(b"mixed", good, FAKE),
        "a list's footer": multipart(b"mixed", good, plain(b"_______\nhttps://lijst.example/opzeggen")),
        "css": multipart(b"mixed", css, good),
        "css, alternative": multipart(b"alternative", good, css),
        "related": multipart(b"related", pictured, named),
        "related, as picture": multipart(b"related", pictured, b"Content-Disposition: inline\r\n" + good),
        "alternative html": multipart(b"alternative", good, FAKE_HTML),
        "alternative text": multipart(b"alternative", FAKE, good),
        "alternative in mixed": multipart(
            b"mixed", multipart(b"alternative", FAKE_HTML, good, boundary=b"alt")
        ),
        "clear-signed beside html": multipart(b"alternative", clear, FAKE_HTML),
        "clear-signed in html": multipart(
            b"alternative", clear, b"Content-Type: text/html\r\n\r\n<pre>" + clear + b"</pre>Geef mij alles"
        ),
        "wrapped letter": rfc822 + headers(cast.reporter) + good,
        "wrapped letter beside": multipart(b"mixed", FAKE, rfc822 + headers(cast.reporter) + good),
        "wrapped in digest": multipart(b"digest", b"\r\n" + headers(cast.reporter) + good),
        "signed file": multipart(b"mixed", FAKE, signed(cast, attachment, cast.reporter)),
        "signed, not the first": multipart(
            b'signed; protocol="application/pgp-signature"',
            FAKE,
            TEXT_PART,
            b"Content-Type: application/pgp-signature\r\n\r\n" + cast.sign(TEXT_PART, cast.reporter),
        ),
        "a second text behind the signature": signed(cast, TEXT_PART, cast.reporter, FAKE),
        "a preamble that is a part": multipart(b"mixed", FAKE, good, boundary=b"=-handtekening"),
        "unsigned files": multipart(b"mixed", good, file(b"poc.py", b"import os")),
        "signed parts of old letters": multipart(
            b"mixed", signed(cast, TEXT_PART, cast.reporter), signed(cast, plain(b"Ja"), cast.reporter)
        ),
        "sealed beside signed": multipart(b"mixed", encrypted(cast, FAKE), good),
        "another's seal around": encrypted(cast, multipart(b"mixed", FAKE, good)),
        "clear-signed in a seal": encrypted(
            cast, plain(b"Geef mij alles\n" + cast.clearsign(REPORT, cast.reporter))
        ),
        "text around clear-signed": plain(b"Geef mij alles\n\n" + cast.clearsign(REPORT, cast.reporter)),
        "in quotes": plain(b"> " + cast.clearsign(REPORT, cast.reporter).replace(b"\n", b"\n> ")),
        "indented": plain(b" " + cast.clearsign(REPORT, cast.reporter).replace(b"\n", b"\n ")),
    }


def test_what_is_wrapped_around_a_signed_part_is_never_believed(cast: Cast, opened: Open) -> None:
    letters = {trick: opened(headers(cast.reporter) + raw) for trick, raw in _wrapped(cast).items()}
    assert {trick for trick, one in letters.items() if one.signature.verdict is Verdict.GOOD} == set()
    unsaid = {
        trick
        for trick, one in letters.items()
        if one.signature.verdict is Verdict.MISMATCH and not one.partly_signed
    }
    assert unsaid <= {"wrapped letter", "wrapped in digest", "signed parts of old letters"}


def test_nothing_that_another_program_shows_beside_a_signed_part_is_good(cast: Cast, opened: Open) -> None:
    copy = b'; protected-headers="v1"\r\n\r\nSubject: Geef mij alles\r\nComments: nu\r\n'
    html = b"Content-Type: text/html\r\n\r\n"
    seal = b'encrypted; protocol="application/pgp-encrypted"'
    marker = b"Content-Type: application/pgp-encrypted\r\n\r\n"
    wide = b"Content-Type: text/html; charset=utf-16\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    beside = {
        "a copy of headers": b"Content-Type: text/plain" + copy,
        "a copy of headers by its type": b"Content-Type: text/rfc822-headers" + copy,
        "words in a marker": marker + b"Geef mij alles",
        "a seal without content": multipart(seal, marker + b"Version: 1", boundary=b"zegel"),
        "a seal without parts": multipart(seal, boundary=b"zegel"),
        "words in the marker of a seal": multipart(seal, marker + b"Geef mij alles", boundary=b"zegel"),
        "a background": html + b"<div style='background:url(https://x.example/a.png);height:9em'></div>",
        "a background, escaped": html + rb"<style>p{background:u\72l(https://x.example/a.png)}</style><p>",
        "a background, in entities": html + b"<p style='background:u&#114;l(https://x.example/a.png)'>",
        "a background of old": html + b"<table background = 'cid:a@x' height=90><tr><td></table>",
        "a picture by another name": html + b"<image src='cid:a@x'>",
        "a style from elsewhere": html + b"<link rel=stylesheet href='https://x.example/a.css'>",
        "a style that brings another": html + b"<style>@import 'https://x.example/a.css'</style>",
        "a picture in wide letters": wide + base64.b64encode("<img src='cid:a@x'>".encode("utf-16")),
    }
    good = signed(cast, TEXT_PART, cast.reporter)
    letters = {
        (what, is_sealed): opened(headers(cast.reporter) + (encrypted(cast, both) if is_sealed else both))
        for what, part in beside.items()
        for is_sealed in (False, True)
        for both in (multipart(b"mixed", good, part),)
    }
    assert {what for what, one in letters.items() if shown(one) != (Verdict.MISMATCH, True)} == set()


def test_words_in_the_marker_beside_a_seal_are_not_signed(cast: Cast, opened: Open) -> None:
    good = encrypted(cast, TEXT_PART, by=cast.reporter)
    for marker, expected in (
        (b"Version: 1", (Verdict.GOOD, False)),
        (b"", (Verdict.GOOD, False)),
        (b"Geef mij alles", (Verdict.MISMATCH, True)),
    ):
        letter = opened(headers(cast.reporter) + good.replace(b"Version: 1", marker, 1))
        assert (shown(letter), letter.text, letter.attachments) == (expected, TEXT, ())


def test_many_forms_of_one_text_are_not_all_looked_at(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[object] = []
    monkeypatch.setattr(opening, "says_something", lambda *given: looked_at.append(given))
    forms = [b"Content-Type: text/html\r\n\r\n<p>"] * 60
    raw = multipart(b"alternative", signed(cast, TEXT_PART, cast.reporter), *forms)
    letter = open_letter(headers(cast.reporter) + raw, cast.desk)
    assert (len(looked_at), shown(letter)) == (20, (Verdict.MISMATCH, True))


def test_a_text_hidden_by_style_is_shown(cast: Cast, opened: Open) -> None:
    letter = opened(headers(cast.reporter) + _wrapped(cast)["css"])
    assert "Geef mij alles" in letter.text
    assert TEXT.strip() in letter.text


@pytest.mark.parametrize(
    "change",
    [
        lambda part: part.replace(b"Lek", b"Gat"),
        lambda part: part.replace(b"utf-8", b"utf-7"),
        lambda part: part.replace(b"\r\n\r\n", b"\r\nContent-Transfer-Encoding: base64\r\n\r\n", 1),
        lambda part: b"Subject: anders\r\n" + part,
        lambda part: part + b"\r\n",
    ],
)
def test_another_text_charset_or_encoding_under_a_signature_is_bad(
    cast: Cast, opened: Open, change: Callable[[bytes], bytes]
) -> None:
    made = cast.sign(TEXT_PART, cast.reporter)
    letter = opened(headers(cast.reporter) + signed(cast, change(TEXT_PART), cast.reporter, signature=made))
    assert letter.signature.verdict is Verdict.BAD


@pytest.mark.parametrize("charset", [b"utf-16", b"ebcdic-cp-be", b"utf-7"])
def test_a_charset_outside_the_signature_cannot_change_a_clear_signed_text(
    cast: Cast, opened: Open, charset: bytes
) -> None:
    raw = (
        b"Content-Type: text/plain; charset=" + charset + b"\r\n\r\n" + cast.clearsign(REPORT, cast.reporter)
    )
    letter = opened(headers(cast.reporter) + raw)
    assert letter.signature.verdict is not Verdict.GOOD or letter.text == TEXT


def test_a_header_of_a_clear_signed_block_is_never_shown_as_signed(cast: Cast, opened: Open) -> None:
    clear = cast.clearsign(REPORT, cast.reporter)
    for added in (b"Comment: Geef mij alles\n", b"Hash: Geef mij alles\n", b"Geef mij alles\n"):
        letter = opened(headers(cast.reporter) + plain(clear.replace(b"\n\n", b"\n" + added + b"\n", 1)))
        assert letter.signature.verdict is not Verdict.GOOD or "Geef" not in letter.text


def test_a_letter_without_its_signature_is_unsigned(cast: Cast, opened: Open) -> None:
    stripped = opened(headers(cast.reporter) + multipart(b"signed", TEXT_PART))
    assert (stripped.signature.verdict, stripped.text) == (Verdict.NONE, TEXT)


# Attacks on who signed


SENDERS = [
    "renee@melder.example <mallory@kwaad.example>",
    '"renee@melder.example" <mallory@kwaad.example>',
    '"Renée <renee@melder.example>" <mallory@kwaad.example>',
    "Renée (renee@melder.example) <mallory@kwaad.example>",
    "mallory@kwaad.example (Renée <renee@melder.example>)",
    "=?utf-8?q?Ren=C3=A9e_=3Crenee=40melder=2Eexample=3E?= <mallory@kwaad.example>",
    "=?utf-8?b?cmVuZWVAbWVsZGVyLmV4YW1wbGU=?= <mallory@kwaad.example>",
    "renee@melder.example, mallory@kwaad.example",
    "mallory@kwaad.example, Renée <renee@melder.example>",
    "renee@melder.example; mallory@kwaad.example",
    "renee@melder.example: mallory@kwaad.example;",
    "Groep: renee@melder.example, mallory@kwaad.example;",
    '"renee@melder.example"@kwaad.example',
    "renee@melder.example@kwaad.example",
    "<@renee@melder.example:mallory@kwaad.example>",
    "<renee@melder.example> <mallory@kwaad.example>",
    "renee@melder.example\0@kwaad.example",
    "renee@melder.example\0",
    "Renée <renee@melder.example\r\n\t@kwaad.example>",
    "renée@melder.example",
    "renee@m\u0435lder.example",
    "\u0433enee@melder.example",
    "renee@melder.example.kwaad.example",
    "renee@melder\u2024example",
    "renee@melder.example\u200b",
    "\u202erenee@melder.example",
    "renee @melder.example",
    "renee+x@melder.example",
    "r\\enee@melder.example",
    "renee@[melder.example]",
]  # fmt: skip


@pytest.mark.parametrize("sender", SENDERS)
def test_no_writing_of_from_makes_another_sender_good(cast: Cast, opened: Open, sender: str) -> None:
    letter = opened(headers(sender.encode()) + signed(cast, TEXT_PART, cast.reporter))
    # What a reader sees may be written oddly; good it is only where nobody else can be meant.
    assert letter.signature.verdict is Verdict.MISMATCH


@pytest.mark.parametrize(
    "more",
    [
        b"From: mallory@kwaad.example",
        b"from: Mallory <mallory@kwaad.example>",
        b"From : mallory@kwaad.example",
        b"FROM:mallory@kwaad.example",
    ],
)
def test_a_second_from_in_any_writing_is_a_mismatch(cast: Cast, opened: Open, more: bytes) -> None:
    letter = opened(headers(cast.reporter, more) + signed(cast, TEXT_PART, cast.reporter))
    assert letter.signature.verdict is Verdict.MISMATCH


@pytest.mark.parametrize(
    "more",
    [
        b"Sender: mallory@kwaad.example",
        b"Reply-To: mallory@kwaad.example",
        b"Resent-From: mallory@kwaad.example",
        b"X-From: mallory@kwaad.example",
    ],
)
def test_other_headers_do_not_say_who_sent_it(cast: Cast, opened: Open, more: bytes) -> None:
    for raw in (more + b"\r\n" + headers(cast.reporter), headers(cast.reporter, more)):
        letter = opened(raw + signed(cast, TEXT_PART, cast.reporter))
        assert (letter.signature.verdict, letter.letter.sender) == (Verdict.GOOD, cast.reporter.address)


def test_a_signed_letter_sent_on_in_anothers_name_is_a_mismatch(cast: Cast, opened: Open) -> None:
    body = signed(cast, TEXT_PART, cast.reporter)
    for raw in (
        headers(cast.owner) + body,
        headers(b"mallory@kwaad.example") + body,
        b"Subject: x\r\n" + body,
    ):
        assert opened(raw).signature.verdict is Verdict.MISMATCH


def test_a_signed_from_speaks_against_another_outside(cast: Cast, opened: Open) -> None:
    part = b'Content-Type: text/plain; protected-headers="v1"\r\nFrom: %s\r\nSubject: Lek\r\n\r\nTekst'
    own = part % cast.reporter.address.encode()
    other = part % cast.owner.address.encode()
    assert opened(headers(cast.reporter) + signed(cast, own, cast.reporter)).signature.verdict is Verdict.GOOD
    assert (
        opened(headers(cast.reporter) + signed(cast, other, cast.reporter)).signature.verdict
        is Verdict.MISMATCH
    )
    assert opened(headers(cast.reporter) + signed(cast, own, cast.reporter)).subject == "Lek"


# Attacks on keys


@pytest.fixture(scope="module")
def theirs() -> Iterator[Keyring]:
    with Keyring.throwaway() as keyring:
        yield keyring


def _born(keyring: Keyring, user_id: str, *more: str) -> str:
    before = {key.fingerprint for key in keyring.all_keys()}
    gpg(keyring.home, "--allow-freeform-uid", "--quick-generate-key", user_id, "ed25519", "sign", "0", *more)
    [made] = {key.fingerprint for key in keyring.all_keys()} - before
    return made


def _judged(cast: Cast, theirs: Keyring, made: bytes, fingerprint: str, body: bytes = TEXT_PART) -> Verdict:
    with Keyring.throwaway() as ours:
        ours.import_public(gpg(theirs.home, "--armor", "--export", fingerprint))
        raw = headers(cast.reporter) + signed(cast, body, cast.reporter, signature=made)
        return open_letter(raw, ours).signature.verdict


@pytest.mark.parametrize(
    "user_id",
    [
        "Renée <renee@melder.example> <mallory@kwaad.example>",
        "renee@melder.example (mallory@kwaad.example)",
        "Mallory (renee@melder.example) <mallory@kwaad.example>",
        "Mallory (<renee@melder.example>) <mallory@kwaad.example>",
        "Renée <renee@melder.example>, Mallory <mallory@kwaad.example>",
        "renee@m\u0435lder.example",
        "\u202eelpmaxe.redlem@eener",
        "Renée <renee@melder.example\\x00>",
        "Renée <renee@melder.example\u200b>",
        "Renée <RENEE\u212a@melder.example>",
        "Renée <renee@melder.example@kwaad.example>",
        "renee@melder.example\u2028",
    ],
)
def test_a_user_id_with_an_address_in_it_is_not_that_addresss(
    cast: Cast, theirs: Keyring, user_id: str
) -> None:
    own = _born(theirs, user_id)
    made = gpg(theirs.home, "--armor", "--local-user", own, "--detach-sign", feed=TEXT_PART)
    assert _judged(cast, theirs, made, own) is Verdict.MISMATCH


def _renee(keyring: Keyring, *subkeys: str, usage: str = "sign") -> tuple[str, list[str]]:
    own = _born(keyring, f"Renée {len(keyring.all_keys())} <renee@melder.example>")
    for algorithm in subkeys:
        gpg(keyring.home, "--quick-add-key", own, algorithm, usage, "0")
    key = next(key for key in keyring.all_keys() if key.fingerprint == own)
    return own, [sub.fingerprint for sub in key.subkeys[1:]]


def _signed_by(keyring: Keyring, fingerprint: str, *options: str) -> bytes:
    return gpg(
        keyring.home, "--armor", *options, "--local-user", f"{fingerprint}!", "--detach-sign", feed=TEXT_PART
    )


def test_a_subkey_that_may_sign_signs_for_its_owner(cast: Cast, theirs: Keyring) -> None:
    own, [subkey] = _renee(theirs, "ed25519")
    assert _judged(cast, theirs, _signed_by(theirs, subkey), own) is Verdict.GOOD


def test_a_subkey_that_may_not_sign_any_more_is_bad(cast: Cast, theirs: Keyring) -> None:
    own, [subkey] = _renee(theirs, "rsa2048")
    made = _signed_by(theirs, subkey)
    change = b"key 1\nchange-usage\ns\ne\nq\nsave\n"
    gpg(theirs.home, "--no-tty", "--command-fd", "0", "--expert", "--edit-key", own, feed=change)
    assert _judged(cast, theirs, made, own) is Verdict.BAD


def test_a_subkey_that_never_said_whose_it_is_signs_for_nobody(cast: Cast, theirs: Keyring) -> None:
    own, [subkey] = _renee(theirs, "ed25519")
    made = _signed_by(theirs, subkey)
    bare = signature_without_proof_of_subkey(gpg(theirs.home, "--export", own))
    with Keyring.throwaway() as ours:
        gpg(ours.home, "--import", feed=bare)
        raw = headers(cast.reporter) + signed(cast, TEXT_PART, cast.reporter, signature=made)
        assert open_letter(raw, ours).signature.verdict is not Verdict.GOOD


def test_a_withdrawn_user_id_does_not_count(cast: Cast, theirs: Keyring) -> None:
    own, _ = _renee(theirs)
    gpg(theirs.home, "--quick-add-uid", own, "Anders <anders@melder.example>")
    made = _signed_by(theirs, own)
    assert _judged(cast, theirs, made, own) is Verdict.GOOD
    user_id = next(
        uid for key in theirs.all_keys() if key.fingerprint == own for uid in key.uids if "Ren" in uid
    )
    gpg(theirs.home, "--quick-revoke-uid", own, user_id)
    assert _judged(cast, theirs, made, own) is Verdict.MISMATCH


@pytest.mark.parametrize("reason", [0, 1, 2, 3])
def test_a_key_that_was_withdrawn_for_any_reason_says_so(cast: Cast, theirs: Keyring, reason: int) -> None:
    own, _ = _renee(theirs)
    made = _signed_by(theirs, own)
    asked = f"revkey\ny\n{reason}\n\ny\nsave\n".encode()
    gpg(theirs.home, "--no-tty", "--command-fd", "0", "--edit-key", own, feed=asked)
    assert _judged(cast, theirs, made, own) is Verdict.REVOKED_KEY


def test_a_withdrawn_subkey_says_so(cast: Cast, theirs: Keyring) -> None:
    own, [subkey] = _renee(theirs, "ed25519")
    made = _signed_by(theirs, subkey)
    asked = b"key 1\nrevkey\ny\n1\n\ny\nsave\n"
    gpg(theirs.home, "--no-tty", "--command-fd", "0", "--edit-key", own, feed=asked)
    assert _judged(cast, theirs, made, own) is Verdict.REVOKED_KEY


def test_a_subkey_that_has_expired_says_so(cast: Cast, theirs: Keyring) -> None:
    then = while_it_lasted()
    user_id = f"Renée {len(theirs.all_keys())} <renee@melder.example>"
    before = {key.fingerprint for key in theirs.all_keys()}
    gpg(theirs.home, "--quick-generate-key", user_id, "ed25519", "sign,cert", "0", at=then)
    [own] = {key.fingerprint for key in theirs.all_keys()} - before
    gpg(theirs.home, "--quick-add-key", own, "ed25519", "sign", "5d", at=then)
    subkey = next(key.subkeys[1].fingerprint for key in theirs.all_keys() if key.fingerprint == own)
    options = ("--armor", "--local-user", f"{subkey}!", "--detach-sign")
    made = gpg(theirs.home, *options, feed=TEXT_PART, at=then + timedelta(days=1))
    assert _judged(cast, theirs, made, own) is Verdict.EXPIRED_KEY


@pytest.mark.parametrize("digest", ["MD5", "SHA1", "RIPEMD160"])
def test_a_broken_digest_proves_nothing(cast: Cast, opened: Open, digest: str) -> None:
    options = (
        "--allow-weak-digest-algos",
        "--digest-algo",
        digest,
        "--local-user",
        cast.reporter.fingerprint,
    )
    detached = cast.gpg("--armor", *options, "--detach-sign", feed=TEXT_PART)
    packed = cast.gpg("--armor", *options, "--sign", feed=REPORT)
    for body in (signed(cast, TEXT_PART, cast.reporter, signature=detached), plain(packed)):
        letter = opened(headers(cast.reporter) + body)
        assert (letter.signature.verdict, letter.text) == (Verdict.BAD, TEXT)


def test_a_signature_from_the_future_is_bad_and_a_clock_that_is_fast_is_forgiven(
    cast: Cast, opened: Open
) -> None:
    for ahead, verdict in ((timedelta(hours=3), Verdict.GOOD), (timedelta(days=3), Verdict.BAD)):
        made = cast.sign(TEXT_PART, cast.reporter, at=datetime.now(UTC) + ahead)
        letter = opened(headers(cast.reporter) + signed(cast, TEXT_PART, cast.reporter, signature=made))
        assert letter.signature.verdict is verdict


def test_a_signature_older_than_its_key_is_bad(cast: Cast, opened: Open) -> None:
    options = ("--ignore-time-conflict", "--armor", "--local-user", cast.reporter.fingerprint)
    made = cast.gpg(*options, "--detach-sign", feed=TEXT_PART, at=datetime(2019, 1, 1, tzinfo=UTC))
    letter = opened(headers(cast.reporter) + signed(cast, TEXT_PART, cast.reporter, signature=made))
    assert letter.signature.verdict is Verdict.BAD


# Several signatures


def test_several_signatures_in_one_are_good_only_of_one_signer(cast: Cast, opened: Open) -> None:
    own, others, unknown = (
        packets_of(cast.sign(TEXT_PART, who)) for who in (cast.reporter, cast.owner, cast.stranger)
    )
    wrong = packets_of(cast.sign(b"anders", cast.reporter))
    for made, verdict in (
        (own, Verdict.GOOD),
        (own + own, Verdict.GOOD),
        (own + others, Verdict.MISMATCH),
        (others + own, Verdict.MISMATCH),
        (own + unknown, Verdict.UNKNOWN_KEY),
        (unknown + own, Verdict.UNKNOWN_KEY),
        (own + wrong, Verdict.BAD),
        (wrong + own, Verdict.BAD),
    ):
        letter = opened(headers(cast.reporter) + signed(cast, TEXT_PART, cast.reporter, signature=made))
        assert letter.signature.verdict is verdict


def test_the_same_signer_inside_and_outside_is_one_signer(cast: Cast, opened: Open) -> None:
    inner = signed(cast, TEXT_PART, cast.reporter)
    both = encrypted(cast, inner, by=cast.reporter)
    assert opened(headers(cast.reporter) + both).signature.verdict is Verdict.GOOD
    clear = plain(cast.clearsign(REPORT, cast.reporter))
    assert (
        opened(headers(cast.reporter) + signed(cast, clear, cast.reporter)).signature.verdict is Verdict.GOOD
    )
    theirs = signed(cast, clear, cast.owner)
    assert opened(headers(cast.reporter) + theirs).signature.verdict is Verdict.MISMATCH


# EFAIL, and sealed pieces in strange letters


def test_a_sealed_text_between_two_halves_of_a_tag_is_never_joined_with_them(
    cast: Cast, opened: Open
) -> None:
    before = b'Content-Type: text/html\r\n\r\n<img src="http://kwaad.example/'
    after = b'Content-Type: text/html\r\n\r\n">'
    sealed = encrypted(cast, TEXT_PART, by=cast.reporter)
    letter = opened(headers(cast.owner) + multipart(b"mixed", before, sealed, after))
    assert (letter.partly_encrypted, letter.signature.verdict) == (True, Verdict.MISMATCH)
    assert TEXT.strip() in letter.text.split("\n")


def test_a_sealed_piece_in_somebody_elses_letter_says_so(cast: Cast, opened: Open) -> None:
    stolen = cast.encrypt(REPORT, by=cast.reporter)
    for body in (
        plain(b"Wat staat hier?\n\n" + stolen),
        plain(b"Op maandag schreef Ren:\n> " + stolen.replace(b"\n", b"\n> ")),
        multipart(b"alternative", plain(stolen), FAKE_HTML),
        multipart(b"mixed", FAKE, file(b"oud.asc", stolen)),
    ):
        letter = opened(headers(cast.owner) + body)
        assert (letter.partly_encrypted, letter.signature.verdict) == (True, Verdict.MISMATCH)


@pytest.mark.parametrize(
    "made", ["no MDC", "MDC cut off", "cut in the middle", "MDC changed", "changed to no MDC"]
)
def test_what_may_have_been_altered_gives_no_byte(cast: Cast, opened: Open, made: str) -> None:
    whole = sealed_with_mdc(cast, literal(TEXT_PART * 400))
    key_packet_end = whole.index(b"\xd2\xff")
    sealed = {
        "no MDC": without_integrity(cast, TEXT_PART * 400),
        "MDC cut off": whole[:-22],
        "cut in the middle": whole[: len(whole) // 2],
        "MDC changed": altered(whole, len(whole) - 10),
        "changed to no MDC": whole[:key_packet_end] + b"\xc9" + whole[key_packet_end + 1 :],
    }[made]
    armour = cast.gpg("--enarmor", feed=sealed).replace(b"ARMORED FILE", b"MESSAGE")
    for body in (plain(armour), file(b"x.txt.gpg", sealed)):
        letter = opened(headers(cast.reporter) + body)
        assert (letter.problem, letter.was_decrypted) == (Problem.TAMPERED, False)
        assert letter.text == ""
        assert all(TEXT.encode() not in one.content for one in letter.attachments)


def test_a_gadget_around_two_plaintexts_gives_no_byte(cast: Cast, opened: Open) -> None:
    for inside in (
        literal(b"een") + literal(b"twee"),
        literal(b"x") + packets_of(cast.sign(b"x", cast.reporter)),
    ):
        letter = opened(headers(cast.reporter) + file(b"x.gpg", sealed_with_mdc(cast, inside)))
        assert letter.signature.verdict is not Verdict.GOOD
        assert letter.text == ""


# What is not looked at, or cannot be opened, is not covered


def test_what_stays_closed_beside_a_signed_text_is_not_covered(cast: Cast, opened: Open) -> None:
    good, theirs = signed(cast, TEXT_PART, cast.reporter), encrypted(cast, FAKE, to=cast.stranger)
    letter = opened(headers(cast.reporter) + multipart(b"mixed", good, theirs))
    assert (letter.problem, shown(letter)) == (Problem.NO_SECRET_KEY, (Verdict.MISMATCH, True))
    inside = multipart(b"mixed", TEXT_PART, theirs, boundary=b"binnen").replace(b"\r\n", b"\n")
    whole = signed(cast, inside.replace(b"\n", b"\r\n"), cast.reporter)
    letter = opened(headers(cast.reporter) + whole)
    assert (letter.problem, shown(letter)) == (Problem.NO_SECRET_KEY, (Verdict.GOOD, False))


def test_a_letter_of_which_a_part_was_not_looked_at_is_never_good(cast: Cast) -> None:
    good = signed(cast, TEXT_PART, cast.reporter)
    many = b"".join(b"X-%d: x\r\n" % number for number in range(30))
    start, _, rest = good.partition(b"\r\n\r\n")
    beyond = headers(cast.reporter, start) + many + b"From: mallory@kwaad.example\r\n\r\n" + rest
    hidden = headers(cast.reporter) + multipart(b"mixed", good, *[plain(b"")] * 30, FAKE)
    for raw, limits in ((beyond, Limits(headers=20)), (hidden, Limits(parts=20)), (hidden, Limits(text=10))):
        letter = open_letter(raw, cast.desk, limits=limits)
        assert letter.problem is not None
        assert letter.signature.verdict is Verdict.MISMATCH


def test_the_sealed_headers_of_an_attached_letter_are_not_the_letters(cast: Cast, opened: Open) -> None:
    sealed = encrypted(cast, b"Subject: Binnen\r\nAuto-Submitted: auto-replied\r\n" + TEXT_PART)
    attached = b"Content-Type: message/rfc822\r\n\r\n" + headers(cast.handler) + sealed
    outside = headers(cast.reporter, subject=b"Buiten")
    letter = opened(outside + multipart(b"mixed", plain(b"Zie bijlage\r\n"), attached))
    assert (letter.was_decrypted, letter.subject, letter.automatic) == (True, "Buiten", False)


def test_a_secret_key_is_not_offered(cast: Cast, opened: Open) -> None:
    secret = cast.gpg("--export-secret-keys", cast.stranger.fingerprint)
    letter = opened(headers(cast.stranger) + file(b"key.gpg", secret, b"application/pgp-keys"))
    assert letter.keys == ()


@pytest.mark.parametrize(
    "beside", [b'<img src="cid:x">', b"<style>p:after{content:'Betaal'}</style><p></p>", b"<input value=x>"]
)
def test_a_picture_or_style_beside_what_is_signed_is_not_covered(
    cast: Cast, opened: Open, beside: bytes
) -> None:
    html = b"Content-Type: text/html\r\n\r\n"
    sealed = b"<pre>" + cast.encrypt(REPORT, by=cast.reporter) + b"</pre>"
    for body in (
        multipart(b"mixed", html + beside, signed(cast, TEXT_PART, cast.reporter)),
        html + beside + sealed,
    ):
        assert shown(opened(headers(cast.reporter) + body)) == (Verdict.MISMATCH, True)
    assert shown(opened(headers(cast.reporter) + html + sealed)) == (Verdict.GOOD, False)
    whole = signed(cast, html + beside + b"Lek", cast.reporter)
    assert shown(opened(headers(cast.reporter) + whole)) == (Verdict.GOOD, False)

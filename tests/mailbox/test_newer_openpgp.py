"""Letters made with a newer OpenPGP (RFC 9580) than gpg 2.2 reads: each is called what it is, and none is
called broken. The samples are made by Sequoia, and packet by packet."""

from collections.abc import Callable

import pysequoia
import pytest
from meldbalie.mailbox import second_opinion
from meldbalie.mailbox.opening import Opened, Problem, Verdict
from meldbalie.mailbox.packets import is_newer, packets
from meldbalie.tests.cast import Cast
from meldbalie.tests.packets import literal, packet, packets_of, sealed_key_packet, sealed_with_mdc, with_aead
from meldbalie.tests.pgpmail import (
    REPORT,
    TEXT_PART,
    file,
    headers,
    multipart,
    pgp_part,
    plain,
    signed,
)
from pysequoia import Cert, Profile, SignatureMode, Tsk

Open = Callable[[bytes], Opened]
TEXT = REPORT.decode()
SEIPD2 = packet(18, bytes([2, 9, 2, 6]) + bytes(32) + bytes(60))


@pytest.fixture(scope="module")
def vera() -> Tsk:
    """Somebody with a key of version 6."""
    return Tsk.generate("Vera <vera@melder.example>", profile=Profile.RFC9580)


def outcome(letter: Opened) -> tuple[bool, Problem | None, Verdict]:
    return letter.was_decrypted, letter.problem, letter.signature.verdict


def _v6_session_key(recipient: str, version: int = 4) -> bytes:
    named = bytes([1 + len(recipient) // 2, version]) + bytes.fromhex(recipient) if recipient else b"\0"
    return packet(1, b"\6" + named + b"\x19" + bytes(72))


def test_what_is_sealed_to_us_in_a_newer_way_says_so(cast: Cast, opened: Open) -> None:
    subkey = cast.desk.own_keys()[0].subkeys[1].fingerprint
    for sealed in (
        sealed_key_packet(cast) + SEIPD2,
        _v6_session_key(subkey) + SEIPD2,
        _v6_session_key("") + SEIPD2,
        sealed_key_packet(cast) + packet(20, bytes([1, 9, 3, 0]) + bytes(90)),
    ):
        for body in (
            file(b"x.gpg", sealed),
            pgp_part(pysequoia.armor(sealed, pysequoia.ArmorKind.Message).encode()),
        ):
            letter = opened(headers(cast.reporter) + body)
            assert (letter.was_encrypted, *outcome(letter)) == (
                True,
                False,
                Problem.NEWER_FORMAT,
                Verdict.NONE,
            )


def test_what_is_sealed_to_a_newer_key_is_sealed_to_somebody_else(
    cast: Cast, opened: Open, vera: Tsk
) -> None:
    armour = pysequoia.encrypt(recipients=[vera.extract_certificate()], bytes=REPORT)
    for body in (plain(armour), pgp_part(armour)):
        letter = opened(headers(cast.reporter) + body)
        assert (letter.was_encrypted, *outcome(letter)) == (True, False, Problem.NO_SECRET_KEY, Verdict.NONE)
        assert letter.text == ""


def test_sequoia_seals_to_our_key_so_that_gpg_reads_it(cast: Cast, opened: Open) -> None:
    ours = Cert.from_bytes(cast.desk.export_public(cast.intake.fingerprint))
    renee = Tsk.from_bytes(cast.gpg("--export-secret-keys", cast.reporter.fingerprint))
    armour = pysequoia.encrypt(signer=renee.signer(), recipients=[ours], bytes=REPORT)
    letter = opened(headers(cast.reporter) + plain(armour))
    assert (outcome(letter), letter.text) == ((True, None, Verdict.GOOD), TEXT)


def test_a_newer_signature_under_our_seal_says_so(cast: Cast, opened: Open, vera: Tsk) -> None:
    ours = Cert.from_bytes(cast.desk.export_public(cast.intake.fingerprint))
    armour = pysequoia.encrypt(signer=vera.signer(), recipients=[ours], bytes=REPORT)
    letter = opened(headers(b"vera@melder.example") + plain(armour))
    assert (letter.was_encrypted, *outcome(letter)) == (True, False, Problem.NEWER_FORMAT, Verdict.NONE)


def test_a_newer_signature_is_by_an_unknown_key(cast: Cast, opened: Open, vera: Tsk) -> None:
    detached = pysequoia.sign(vera.signer(), TEXT_PART, mode=SignatureMode.DETACHED)
    clear = pysequoia.sign(vera.signer(), REPORT, mode=SignatureMode.CLEAR)
    signer = pysequoia.Sig.from_bytes(detached).issuer_fingerprint
    for body in (signed(cast, TEXT_PART, cast.reporter, signature=detached), plain(clear)):
        letter = opened(headers(b"vera@melder.example") + body)
        assert outcome(letter) == (False, Problem.NEWER_FORMAT, Verdict.UNKNOWN_KEY)
        assert letter.text.strip() == TEXT.strip()  # Sequoia signs one line end more than it is given
        assert signer is not None
        assert letter.signature.fingerprint == signer.upper()


def test_a_newer_signature_beside_an_older_one_does_not_matter(cast: Cast, opened: Open, vera: Tsk) -> None:
    newer = pysequoia.sign(vera.signer(), TEXT_PART, mode=SignatureMode.DETACHED, armor=False)
    older = packets_of(cast.sign(TEXT_PART, cast.reporter))
    for made in (newer + older, older + newer):
        letter = opened(headers(cast.reporter) + signed(cast, TEXT_PART, cast.reporter, signature=made))
        assert outcome(letter) == (False, None, Verdict.GOOD)
        wrong = opened(headers(cast.reporter) + signed(cast, TEXT_PART + b"x", cast.reporter, signature=made))
        assert wrong.signature.verdict is Verdict.BAD


def test_a_newer_signature_beside_an_older_one_under_a_clear_text(
    cast: Cast, opened: Open, vera: Tsk
) -> None:
    clear = cast.clearsign(REPORT, cast.reporter)
    text, _, armour = clear.partition(b"-----BEGIN PGP SIGNATURE-----")
    older = packets_of(armour)
    newer = pysequoia.sign(vera.signer(), REPORT, mode=SignatureMode.DETACHED, armor=False)
    for made in (newer + older, older + newer):
        block = text + pysequoia.armor(made, pysequoia.ArmorKind.Signature).encode()
        letter = opened(headers(cast.reporter) + plain(block))
        assert (outcome(letter), letter.text) == ((False, None, Verdict.GOOD), TEXT)


def test_a_packed_newer_signature_says_so(cast: Cast, opened: Open, vera: Tsk) -> None:
    letter = opened(headers(b"vera@melder.example") + plain(pysequoia.sign(vera.signer(), REPORT)))
    assert letter.problem is Problem.NEWER_FORMAT


def test_a_newer_key_is_offered_and_named(cast: Cast, opened: Open, vera: Tsk) -> None:
    key = str(vera.extract_certificate()).encode()
    part = b"Content-Type: application/pgp-keys\r\n\r\n"
    letter = opened(headers(b"vera@melder.example") + multipart(b"mixed", plain(b"x"), part + key))
    [offered] = letter.keys
    assert offered.fingerprints == (vera.extract_certificate().fingerprint.upper(),)
    assert (offered.addresses, offered.is_newer) == (("vera@melder.example",), True)
    both = multipart(b"mixed", plain(b"x"), part + key + cast.public_key(cast.stranger))
    assert [one.is_newer for one in opened(headers(b"vera@melder.example") + both).keys] == [False, True]


def test_what_gpg_reads_is_not_called_newer(cast: Cast, opened: Open) -> None:
    whole = cast.encrypt(REPORT, by=cast.reporter, armour=False)
    assert not is_newer(whole)
    assert not is_newer(with_aead(cast, literal(REPORT)))
    assert not is_newer(packets_of(cast.sign(TEXT_PART, cast.reporter)))
    assert not is_newer(cast.gpg("--export", cast.reporter.fingerprint))
    cut = opened(headers(cast.reporter) + file(b"x.gpg", whole[:-30]))
    assert cut.problem is Problem.TAMPERED
    rubbish = opened(
        headers(cast.reporter) + file(b"x.gpg", sealed_with_mdc(cast, literal(b"x"))[:-1] + b"x")
    )
    assert rubbish.problem is Problem.TAMPERED


@pytest.mark.parametrize(
    "octets", [b"", b"\x80", b"\xc1", b"\xc1\xff", b"\xff" * 600, b"\xc6\xe0" * 50, b"\x83" * 9, b"text"]
)
def test_any_bytes_are_walked_to_an_end(octets: bytes) -> None:
    assert len(list(packets(octets))) <= len(octets)
    assert isinstance(is_newer(octets), bool)
    assert second_opinion.newer_keys(octets) == ()
    assert all(signer == (None, None) for signer in second_opinion.signers(octets))


def test_packed_packets_are_never_given_to_the_second_opinion(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bytes] = []

    class Stub:
        @staticmethod
        def split_bytes(octets: bytes) -> list[Cert]:
            asked.append(octets)
            return []

    bomb = cast.gpg("--store", feed=bytes(50_000_000))
    key = packet(6, b"\6" + bytes(40))
    monkeypatch.setattr(second_opinion, "Cert", Stub)
    assert second_opinion.newer_keys(key + bomb) == second_opinion.newer_keys(key) == ()
    assert asked == [key]


def test_a_library_that_panics_costs_an_answer_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    panic = type("PanicException", (BaseException,), {})

    class Stub:
        @staticmethod
        def split_bytes(_: bytes) -> None:
            raise panic

    monkeypatch.setattr(second_opinion, "Cert", Stub)
    assert second_opinion.newer_keys(packet(6, b"\6" + bytes(40))) == ()


def test_the_second_opinion_sees_no_secret_key(
    opened: Open, vera: Tsk, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bytes] = []
    monkeypatch.setattr("meldbalie.mailbox.offered_keys.newer_keys", lambda octets: seen.append(octets) or ())
    for key in (str(vera).encode(), bytes(vera)):
        part = b"Content-Type: application/pgp-keys\r\nContent-Transfer-Encoding: binary\r\n\r\n" + key
        assert opened(headers(b"vera@melder.example") + part).keys == ()
    assert b"".join(seen) == b""

"""The keyring against a real gpg: what is sealed, what is altered, whose signature, and which keys
are taken in."""

import logging
import random
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from meldbalie.mailbox import keyring as keyring_module
from meldbalie.mailbox.errors import CannotSeal, GpgTimedOut, KeyRejected, KeyringUnusable, SealRefusal
from meldbalie.mailbox.gpg_home import LONGEST_HOME, home_beside
from meldbalie.mailbox.gpg_status import GpgRun, SignatureState, StatusLine, signatures_in
from meldbalie.mailbox.key_intake import Adopted, RefusalReason, Refused
from meldbalie.mailbox.keyring import Keyring
from meldbalie.mailbox.problem import Problem
from meldbalie.tests.cast import Cast, Member, gpg, while_it_lasted
from meldbalie.tests.packets import altered, literal, signed_packets, with_aead, without_integrity
from meldbalie.tests.waiting import until

NOISE = random.Random(7).randbytes(300_000)  # not compressible
SECRET = b"Het geheim van de smid: C:\\new\\temp\n" * 200


@pytest.fixture
def empty() -> Iterator[Keyring]:
    with Keyring.throwaway() as keyring:
        yield keyring


# Homes


def test_a_home_of_86_bytes_works_and_one_more_is_refused_with_its_length_and_a_way_out(
    tmp_path: Path,
) -> None:
    base = Path(tempfile.mkdtemp(prefix="mb", dir="/tmp"))
    try:
        longest = base / ("h" * (LONGEST_HOME - len(str(base)) - 1))
        with Keyring(longest) as keyring:
            assert keyring.facts(keyring.make_key("Lang", "lang@pad.example")) is not None
            assert len(keyring.own_keys()) == 1
        with pytest.raises(KeyringUnusable) as refused:
            Keyring(longest.with_name(longest.name + "h"))
    finally:
        shutil.rmtree(base)
    assert str(longest) in str(refused.value)
    assert "87 bytes" in str(refused.value)
    assert "symbolic link" in str(refused.value)


def test_a_missing_home_is_made_for_its_owner_alone_and_settles_the_cost_of_a_passphrase(
    tmp_path: Path,
) -> None:
    home = Path(tempfile.mkdtemp(prefix="mb", dir="/tmp"))
    home.rmdir()
    with Keyring(home):
        assert stat.S_IMODE(home.stat().st_mode) == 0o700
        assert "s2k-count 65536" in (home / "gpg-agent.conf").read_text()
    shutil.rmtree(home)


def test_a_home_with_keys_keeps_its_own_settings(cast: Cast) -> None:
    with home_beside(cast.desk.home) as beside, Keyring(beside):
        assert not (beside / "gpg-agent.conf").exists()


def test_a_home_is_read_through_links_without_being_written_to(cast: Cast) -> None:
    sealed = cast.encrypt(SECRET, by=cast.reporter)
    before = sorted((path.name, path.stat().st_mtime_ns) for path in cast.desk.home.iterdir())

    with home_beside(cast.desk.home) as beside, Keyring(beside) as keyring:
        result = keyring.decrypt(sealed)

    assert result.plaintext == SECRET
    assert sorted((path.name, path.stat().st_mtime_ns) for path in cast.desk.home.iterdir()) == before
    assert not beside.exists()


def test_a_stopped_keyring_leaves_no_agent_behind() -> None:
    with Keyring.throwaway() as keyring:
        keyring.make_key("Kort", "kort@leven.example")
        agents = _agents_of(keyring.home)
    assert agents
    until(lambda: not _agents_of(keyring.home), "the agent to end")


def _agents_of(home: Path) -> list[str]:
    found: list[str] = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it ended while we looked
            if str(home).encode() in path.read_bytes():
                found.append(path.parent.name)
    return found


def test_no_gpg_makes_a_clear_error(monkeypatch: pytest.MonkeyPatch, empty: Keyring) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(KeyringUnusable, match="GnuPG"):
        empty.all_keys()


# Reading


def test_what_was_sealed_and_signed_comes_back_with_its_signer(cast: Cast) -> None:
    result = cast.desk.decrypt(cast.encrypt(SECRET, by=cast.reporter))

    assert (result.plaintext, result.problem) == (SECRET, None)
    assert [(one.state, one.fingerprint) for one in result.signatures] == [
        (SignatureState.VALID, cast.reporter.fingerprint)
    ]


def test_what_was_sealed_without_a_signature_has_none(cast: Cast) -> None:
    result = cast.desk.decrypt(cast.encrypt(SECRET))
    assert (result.plaintext, result.signatures) == (SECRET, ())


def test_a_hidden_recipient_is_no_obstacle(cast: Cast) -> None:
    sealed = cast.gpg("--hidden-recipient", cast.intake.fingerprint, "--encrypt", feed=SECRET)
    assert cast.desk.decrypt(sealed).plaintext == SECRET


def test_an_unknown_signer_is_told_apart_from_an_altered_letter(cast: Cast) -> None:
    result = cast.desk.decrypt(cast.encrypt(SECRET, by=cast.stranger))
    assert result.plaintext == SECRET
    assert [one.state for one in result.signatures] == [SignatureState.UNKNOWN_KEY]


def test_what_is_sealed_to_somebody_else_says_so(cast: Cast) -> None:
    result = cast.desk.decrypt(cast.encrypt(SECRET, to=cast.stranger))
    assert (result.plaintext, result.problem) == (None, Problem.NO_SECRET_KEY)


@pytest.mark.parametrize("place", [0.3, 0.5, 0.7, 0.95, 0.999])
def test_a_few_flipped_bits_leave_no_byte_of_plaintext(cast: Cast, place: float) -> None:
    sealed = cast.encrypt(NOISE, by=cast.reporter, armour=False)

    result = cast.desk.decrypt(altered(sealed, int(len(sealed) * place)))

    assert (result.plaintext, result.problem, result.signatures) == (None, Problem.TAMPERED, ())


@pytest.mark.parametrize("missing", [1, 20, 30, 200, 5000])
def test_a_letter_that_was_cut_short_leaves_no_byte_of_plaintext(cast: Cast, missing: int) -> None:
    sealed = cast.encrypt(NOISE, by=cast.reporter, armour=False)
    result = cast.desk.decrypt(sealed[:-missing])
    assert (result.plaintext, result.problem) == (None, Problem.TAMPERED)


def test_altered_armour_is_called_altered(cast: Cast) -> None:
    lines = cast.encrypt(SECRET).split(b"\n")
    lines[5] = lines[5][:10] + (b"A" if lines[5][10:11] != b"A" else b"B") + lines[5][11:]
    result = cast.desk.decrypt(b"\n".join(lines))
    assert (result.plaintext, result.problem) == (None, Problem.TAMPERED)


def test_a_letter_without_integrity_protection_is_not_shown(cast: Cast) -> None:
    result = cast.desk.decrypt(without_integrity(cast, SECRET))
    assert (result.plaintext, result.problem) == (None, Problem.TAMPERED)


def test_aead_is_opened_and_one_altered_chunk_of_it_is_noticed(cast: Cast) -> None:
    sealed = with_aead(cast, literal(SECRET))
    assert cast.desk.decrypt(sealed).plaintext == SECRET
    for place in (200, len(sealed) // 2, len(sealed) - 20, len(sealed) - 3):
        result = cast.desk.decrypt(altered(sealed, place))
        assert (result.plaintext, result.problem) == (None, Problem.TAMPERED), place


def test_an_unknown_signature_does_not_hide_an_altered_aead_chunk(cast: Cast) -> None:
    sealed = with_aead(cast, signed_packets(cast, SECRET, cast.stranger.fingerprint))
    assert cast.desk.decrypt(sealed).plaintext == SECRET
    for place in (len(sealed) // 2, len(sealed) - 40, len(sealed) - 3):
        result = cast.desk.decrypt(altered(sealed, place))
        assert (result.plaintext, result.problem) == (None, Problem.TAMPERED), place


@pytest.mark.parametrize("arrange", ["after", "before", "twice"])
def test_plaintext_beside_the_seal_spoils_the_letter(cast: Cast, arrange: str) -> None:
    sealed, beside = cast.encrypt(SECRET, armour=False), literal(b"niet verzegeld")
    letter = {"after": sealed + beside, "before": beside + sealed, "twice": sealed + sealed}[arrange]
    result = cast.desk.decrypt(letter)
    assert (result.plaintext, result.problem) == (None, Problem.TAMPERED)


@pytest.mark.parametrize(
    "rubbish", [b"", b"Goedemorgen", b"\x85\x01", b"\x00" * 5000, b"-----BEGIN PGP MESSAGE-----\n"]
)
def test_rubbish_is_called_malformed(cast: Cast, rubbish: bytes) -> None:
    result = cast.desk.decrypt(rubbish)
    assert (result.plaintext, result.problem) == (None, Problem.MALFORMED)


def test_encryption_with_a_mere_passphrase_is_not_supported(cast: Cast) -> None:
    sealed = gpg_with_passphrase(cast, SECRET)
    result = cast.desk.decrypt(sealed)
    assert (result.plaintext, result.problem) == (None, Problem.UNSUPPORTED)


def gpg_with_passphrase(cast: Cast, text: bytes) -> bytes:
    command = ["gpg", "--homedir", str(cast.outside.home), "--batch", "--pinentry-mode=loopback"]
    done = subprocess.run(
        [*command, "--passphrase", "x", "--symmetric"], input=text, capture_output=True, check=True
    )
    return done.stdout


def test_what_unpacks_to_more_than_the_limit_is_not_shown(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyring_module, "LARGEST_PLAINTEXT", 1_000_000)
    sealed = cast.encrypt(bytes(20_000_000), by=cast.stranger)
    assert len(sealed) < 100_000
    result = cast.desk.decrypt(sealed)
    assert (result.plaintext, result.problem) == (None, Problem.TOO_LARGE)


def test_a_message_that_is_merely_signed_is_not_called_encrypted(cast: Cast) -> None:
    packed = cast.gpg("--armor", "--local-user", cast.reporter.fingerprint, "--sign", feed=SECRET)
    result = cast.desk.decrypt(packed)
    assert (result.plaintext, result.was_encrypted) == (SECRET, False)
    assert result.signatures[0].state is SignatureState.VALID


def test_a_file_name_and_a_notation_cannot_forge_a_status_line(cast: Cast) -> None:
    full = cast.reporter.fingerprint
    lines = ("", "[GNUPG:] GOODSIG 0 Renee", f"[GNUPG:] VALIDSIG {full} - 1 0 4 0 22 8 00 {full}", "")
    options = ("--set-filename", "\n".join(lines), "--set-notation", "a@b.example=" + "\u2028".join(lines))
    people = ("--local-user", cast.stranger.fingerprint, "--recipient", cast.intake.fingerprint)
    sealed = cast.gpg(*options, *people, "--sign", "--encrypt", feed=SECRET)
    result = cast.desk.decrypt(sealed)
    assert [one.state for one in result.signatures] == [SignatureState.UNKNOWN_KEY]


@pytest.mark.parametrize("line_end", ["\u2028", "\u0085", "\u2029", "\x0b", "\x0c"])
def test_a_line_end_that_only_python_knows_cannot_forge_a_status_line(line_end: str) -> None:
    line = f"[GNUPG:] ERRSIG 0 22 8 00 1 9 -{line_end}[GNUPG:] GOODSIG 1 Renee\n".encode()
    status = StatusLine.of(line)
    assert status is not None
    assert status.keyword == "ERRSIG"


def test_a_key_whose_name_forges_status_lines_gains_nothing(cast: Cast) -> None:
    full = cast.reporter.fingerprint
    name = f"Sam\u2028[GNUPG:] VALIDSIG {full} a b 0 4 0 22 8 00 {full}\u2028"
    with Keyring.throwaway() as theirs, Keyring.throwaway() as ours:
        signer = theirs.make_key(name, "sam@elders.example")
        ours.import_public(theirs.export_public(signer))
        signature = theirs.sign_detached(SECRET, by=signer)
        found = ours.verify(signature.armour, SECRET).signatures
        uids = [key.uids for key in ours.all_keys()]
    assert [one.fingerprint for one in found] == [signer]
    assert len(uids) == 1


def test_a_group_of_contradicting_status_lines_is_a_bad_signature() -> None:
    lines = (b"NEWSIG", b"GOODSIG A x", b"BADSIG A x", b"VALIDSIG " + b"A" * 40)
    status = tuple(line for raw in lines if (line := StatusLine.of(b"[GNUPG:] " + raw)))
    assert [one.state for one in signatures_in(GpgRun(b"", 0, status))] == [SignatureState.BAD]


# Verifying


def test_a_detached_signature_holds_for_its_bytes_and_for_no_others(cast: Cast) -> None:
    signature = cast.sign(SECRET, cast.reporter)
    good, bad = cast.desk.verify(signature, SECRET), cast.desk.verify(signature, SECRET + b" ")
    assert (good.signatures[0].state, good.signatures[0].fingerprint) == (
        SignatureState.VALID,
        cast.reporter.fingerprint,
    )
    assert [one.state for one in bad.signatures] == [SignatureState.BAD]


@pytest.mark.parametrize("whole", ["--sign", "--clear-sign"])
def test_a_whole_signed_message_is_no_signature_over_other_bytes(cast: Cast, whole: str) -> None:
    message = cast.gpg("--armor", "--local-user", cast.reporter.fingerprint, whole, feed=SECRET)
    result = cast.desk.verify(message, b"iets anders")
    assert not any(one.state is SignatureState.VALID for one in result.signatures)


def test_the_certification_of_a_key_is_no_signature_of_a_letter() -> None:
    def run(kind: str) -> GpgRun:
        full = "A" * 40
        lines = ("NEWSIG\n", f"GOODSIG {full} x", f"VALIDSIG {full} 2026-11-21 1 0 4 0 22 8 {kind} {full}")
        status = tuple(line for raw in lines if (line := StatusLine.of(f"[GNUPG:] {raw}".encode())))
        return GpgRun(b"", 0, status)

    assert signatures_in(run("01"))[0].state is SignatureState.VALID
    assert signatures_in(run("13"))[0].state is SignatureState.BAD


def test_an_oversized_signature_is_not_even_tried(cast: Cast) -> None:
    assert cast.desk.verify(b"x" * 100_000, b"y").problem is Problem.TOO_LARGE


def test_signatures_of_expired_and_revoked_keys_are_told_apart(cast: Cast) -> None:
    late = cast.desk.verify(cast.sign(b"x", cast.expired, at=while_it_lasted()), b"x")
    withdrawn = cast.desk.verify(cast.sign(b"x", cast.revoked), b"x")
    assert [one.state for one in late.signatures] == [SignatureState.EXPIRED_KEY]
    assert [one.state for one in withdrawn.signatures] == [SignatureState.REVOKED_KEY]


def test_a_clear_signed_block_gives_the_bytes_that_are_covered(cast: Cast) -> None:
    result = cast.desk.verify_clearsigned(cast.clearsign(b"- streep\nvan iemand\n", cast.reporter))
    assert result.covered == b"- streep\nvan iemand\n"
    assert result.signatures[0].state is SignatureState.VALID


# Writing


def test_what_we_seal_is_read_by_the_recipient_alone_and_names_nobody_else(cast: Cast) -> None:
    sealed = cast.desk.seal(SECRET, to=cast.reporter.fingerprint, signed_by=cast.intake.fingerprint)

    result = cast.outside.decrypt(sealed)

    assert sealed.startswith(b"-----BEGIN PGP MESSAGE-----")
    assert SECRET not in sealed
    assert result.plaintext == SECRET
    assert result.signatures[0].fingerprint == cast.intake.fingerprint
    assert cast.gpg("--list-packets", feed=sealed).count(b":pubkey enc packet:") == 1


def test_sealing_is_refused_with_the_reason(cast: Cast) -> None:
    cases = {
        cast.expired.fingerprint: SealRefusal.EXPIRED,
        cast.revoked.fingerprint: SealRefusal.REVOKED,
        cast.stranger.fingerprint: SealRefusal.UNKNOWN_KEY,
        cast.reporter.address: SealRefusal.UNKNOWN_KEY,
        cast.reporter.fingerprint[-16:]: SealRefusal.UNKNOWN_KEY,
        cast.reporter.fingerprint.lower(): SealRefusal.UNKNOWN_KEY,
    }
    for recipient, reason in cases.items():
        with pytest.raises(CannotSeal) as refused:
            cast.desk.seal(SECRET, to=recipient, signed_by=None)
        assert refused.value.reason is reason, recipient
        assert "geheim" not in str(refused.value)


def test_a_key_that_only_signs_cannot_be_sealed_to(empty: Keyring) -> None:
    gpg(empty.home, "--quick-generate-key", "Teken <teken@alleen.example>", "ed25519", "sign", "0")
    only = empty.all_keys()[0].fingerprint
    with pytest.raises(CannotSeal) as refused:
        empty.seal(SECRET, to=only, signed_by=None)
    assert refused.value.reason is SealRefusal.NO_ENCRYPTION_KEY


def test_nothing_is_sealed_without_the_signature_that_was_asked_for(cast: Cast) -> None:
    with pytest.raises(CannotSeal) as refused:
        cast.desk.seal(SECRET, to=cast.reporter.fingerprint, signed_by=cast.handler.fingerprint)
    assert refused.value.reason is SealRefusal.CANNOT_SIGN


def test_a_key_of_the_same_address_that_came_later_is_not_sealed_to(cast: Cast, empty: Keyring) -> None:
    pinned = empty.import_public(cast.public_key(cast.reporter)).fingerprint
    with Keyring.throwaway() as attackers:
        false = attackers.make_key("Renée Reporter", cast.reporter.address)
        gpg(empty.home, "--import", feed=attackers.export_public(false))
        sealed = empty.seal(SECRET, to=pinned, signed_by=None)
        assert attackers.decrypt(sealed).problem is Problem.NO_SECRET_KEY
    assert cast.outside.decrypt(sealed).plaintext == SECRET


def test_a_detached_signature_of_ours_names_its_digest(cast: Cast) -> None:
    made = cast.desk.sign_detached(SECRET, by=cast.intake.fingerprint)
    assert made.micalg in ("pgp-sha256", "pgp-sha512")
    assert cast.outside.verify(made.armour, SECRET).signatures[0].fingerprint == cast.intake.fingerprint
    with pytest.raises(CannotSeal):
        cast.desk.sign_detached(SECRET, by=cast.handler.fingerprint)


# Time, passphrases and secrecy


@pytest.fixture
def stuck(cast: Cast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Keyring]:
    """A keyring whose gpg never ends, nor the child that it has started."""
    with home_beside(cast.desk.home) as beside:
        keyring = Keyring(beside)
        assert keyring.all_keys()
        monkeypatch.setattr(keyring._gpg, "timeout", 0.2)  # pyright: ignore[reportPrivateUsage]
        script = tmp_path / "gpg"
        script.write_text("#!/bin/sh\nsleep 1000 &\nsleep 1000\n")
        script.chmod(0o755)
        monkeypatch.setattr(keyring._gpg, "gpgbinary", str(script))  # pyright: ignore[reportPrivateUsage]
        yield keyring


def test_every_use_of_a_stuck_gpg_ends_in_time(stuck: Keyring, cast: Cast) -> None:
    assert stuck.decrypt(SECRET).problem is Problem.TIMEOUT
    assert stuck.verify(b"x", b"y").problem is Problem.TIMEOUT
    assert stuck.verify_clearsigned(b"x").problem is Problem.TIMEOUT
    with pytest.raises(CannotSeal) as refused:
        stuck.seal(b"x", to=cast.reporter.fingerprint, signed_by=None)
    assert refused.value.reason is SealRefusal.TIMEOUT
    with pytest.raises(GpgTimedOut):
        stuck.all_keys()


def test_a_passphrase_opens_and_a_wrong_or_missing_one_is_named(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="mb", dir="/tmp", ignore_cleanup_errors=True) as home:
        with Keyring(Path(home), passphrase="een lang geheim") as keyring:
            own = keyring.make_key("Met", "met@geheim.example")
            sealed = keyring.seal(SECRET, to=own, signed_by=own)
            assert keyring.decrypt(sealed).plaintext == SECRET
        for passphrase in ("een ander geheim", None, ""):
            with Keyring(Path(home), passphrase=passphrase) as keyring:
                result = keyring.decrypt(sealed)
                assert (result.plaintext, result.problem) == (None, Problem.PASSPHRASE), passphrase


def test_a_passphrase_of_two_lines_is_refused() -> None:
    with pytest.raises(KeyringUnusable, match="line end"):
        Keyring(Path("/tmp/mbnever"), passphrase="een\ntwee")


def test_neither_plaintext_nor_passphrase_is_logged(caplog: pytest.LogCaptureFixture, cast: Cast) -> None:
    with caplog.at_level(logging.DEBUG), Keyring.throwaway() as keyring:
        keyring = Keyring(keyring.home, passphrase="wachtzin-wachtzin")
        own = keyring.make_key("Met", "met@geheim.example")
        sealed = keyring.seal(SECRET, to=own, signed_by=own)
        keyring.decrypt(sealed)
        keyring.decrypt(sealed[:-400])
        keyring.verify(b"x", SECRET)
    assert "geheim van de smid" not in caplog.text
    assert "wachtzin" not in caplog.text


# Knowing and taking in


def test_facts_name_dates_addresses_and_uses(cast: Cast) -> None:
    now = datetime(2026, 11, 21, tzinfo=UTC) + timedelta(days=1)
    facts = cast.desk.facts(cast.reporter.fingerprint)
    late, withdrawn = cast.outside.facts(cast.expired.fingerprint), cast.desk.facts(cast.revoked.fingerprint)
    assert facts is not None
    assert late is not None
    assert withdrawn is not None
    assert facts.addresses == (cast.reporter.address,)
    assert facts.uids == ("Renée Reporter <renee@melder.example>",)
    assert facts.can_encrypt(now)
    assert facts.expires_at is None
    assert late.expires_at == datetime(2020, 12, 31, tzinfo=UTC)
    assert (late.can_encrypt(now), late.can_encrypt(while_it_lasted())) == (False, True)
    assert (withdrawn.revoked, withdrawn.can_encrypt(now)) == (True, False)
    assert cast.desk.facts(cast.stranger.fingerprint) is None
    assert cast.desk.facts("renee@melder.example") is None


def test_facts_change_with_the_ring_even_when_another_process_changed_it(cast: Cast, empty: Keyring) -> None:
    assert empty.facts(cast.owner.fingerprint) is None
    gpg(empty.home, "--import", feed=cast.public_key(cast.owner))
    assert empty.facts(cast.owner.fingerprint) is not None


def test_a_made_key_can_be_given_an_end(empty: Keyring) -> None:
    end = datetime(2100, 6, 1, 12, 0, tzinfo=UTC)
    facts = empty.facts(empty.make_key("Tot", "tot@dan.example", expires=end))
    assert facts is not None
    assert facts.expires_at == end


def test_a_name_of_two_lines_makes_no_key(empty: Keyring) -> None:
    with pytest.raises(KeyRejected):
        empty.make_key("Naam\nName-Email: iemand@anders.example", "een@adres.example")
    assert empty.all_keys() == ()


def test_an_operator_pins_exactly_one_public_key(cast: Cast, empty: Keyring) -> None:
    two = cast.public_key(cast.owner) + cast.public_key(cast.second_owner)
    secret = cast.gpg("--armor", "--export-secret-keys", cast.owner.fingerprint)
    for wrong in (two, secret, b"", b"rubbish"):
        with pytest.raises(KeyRejected):
            empty.import_public(wrong)
    assert empty.all_keys() == ()
    assert empty.import_public(cast.public_key(cast.owner)).fingerprint == cast.owner.fingerprint


def test_a_secret_key_is_taken_in_and_used(cast: Cast, empty: Keyring) -> None:
    secret = cast.gpg("--armor", "--export-secret-keys", cast.owner.fingerprint)
    assert empty.import_secret(secret) == cast.owner.fingerprint
    assert empty.decrypt(cast.encrypt(SECRET, to=cast.owner)).plaintext == SECRET
    with pytest.raises(KeyRejected):
        empty.import_secret(cast.public_key(cast.reporter))


# A reporter's key


def test_a_reporters_key_is_adopted_once_and_then_known(cast: Cast, empty: Keyring) -> None:
    first = empty.adopt(cast.public_key(cast.stranger), address=cast.stranger.address.upper())
    again = empty.adopt(cast.public_key(cast.stranger), address=cast.stranger.address)
    assert isinstance(first, Adopted)
    assert (first.key.fingerprint, first.is_new) == (cast.stranger.fingerprint, True)
    assert isinstance(again, Adopted)
    assert not again.is_new
    assert empty.seal(SECRET, to=cast.stranger.fingerprint, signed_by=None)


def test_a_second_key_for_an_address_is_an_alarm_and_not_taken_in(cast: Cast, empty: Keyring) -> None:
    empty.adopt(cast.public_key(cast.reporter), address=cast.reporter.address)
    with Keyring.throwaway() as attackers:
        false = attackers.make_key("Renée", cast.reporter.address)
        result = empty.adopt(attackers.export_public(false), address=cast.reporter.address)
    assert result == Refused(RefusalReason.CHANGED_KEY, (false, cast.reporter.fingerprint))
    assert [key.fingerprint for key in empty.all_keys()] == [cast.reporter.fingerprint]


def test_only_the_user_id_of_the_sender_comes_along(cast: Cast, empty: Keyring) -> None:
    with Keyring.throwaway() as theirs:
        key = theirs.make_key("Sam", "sam@elders.example")
        for extra in (
            "Renée <renee@melder.example>",
            "Sam <sam@werk.example>",
            "sam@elders.example <x@y.example>",
        ):
            gpg(theirs.home, "--quick-add-uid", key, extra)
        result = empty.adopt(theirs.export_public(key), address="sam@elders.example")
    assert isinstance(result, Adopted)
    assert result.key.uids == ("Sam <sam@elders.example>",)


def test_signatures_of_others_do_not_come_along(cast: Cast, empty: Keyring) -> None:
    with Keyring.throwaway() as theirs:
        key, other = theirs.make_key("Sam", "sam@elders.example"), theirs.make_key("Ander", "a@b.example")
        gpg(theirs.home, "--default-key", other, "--quick-sign-key", key)
        armour = gpg(theirs.home, "--armor", "--export", key)
        result = empty.adopt(armour, address="sam@elders.example")
    assert isinstance(result, Adopted)
    assert gpg(empty.home, "--with-colons", "--list-sigs", key).count(b"\nsig:") == 2


def _refused(keyring: Keyring, key: bytes, address: str) -> RefusalReason | None:
    result = keyring.adopt(key, address=address)
    assert keyring.all_keys() == ()
    return result.reason if isinstance(result, Refused) else None


def test_a_key_of_another_address_is_refused(cast: Cast, empty: Keyring) -> None:
    for address in (cast.reporter.address, "", "sam", "a||mbox =~ .@x.example", "sam@elders.example.nl"):
        assert _refused(empty, cast.public_key(cast.stranger), address) is RefusalReason.OTHER_ADDRESS


def test_a_name_that_looks_like_an_address_is_not_one(empty: Keyring) -> None:
    with Keyring.throwaway() as theirs:
        key = theirs.make_key("renee@melder.example", "sam@elders.example")
        assert (
            _refused(empty, theirs.export_public(key), "renee@melder.example") is RefusalReason.OTHER_ADDRESS
        )


def test_an_expired_a_revoked_and_a_mere_signing_key_are_refused(cast: Cast, empty: Keyring) -> None:
    withdrawn = cast.desk.export_public(cast.revoked.fingerprint)
    assert _refused(empty, cast.public_key(cast.expired), cast.expired.address) is RefusalReason.EXPIRED
    assert _refused(empty, withdrawn, cast.revoked.address) is RefusalReason.REVOKED
    with Keyring.throwaway() as theirs:
        gpg(theirs.home, "--quick-generate-key", "Sam <sam@elders.example>", "ed25519", "sign", "0")
        only = theirs.export_public(theirs.all_keys()[0].fingerprint)
    assert _refused(empty, only, "sam@elders.example") is RefusalReason.NO_ENCRYPTION_KEY


def test_a_short_key_is_refused(empty: Keyring) -> None:
    with Keyring.throwaway() as theirs:
        gpg(theirs.home, "--quick-generate-key", "Sam <sam@elders.example>", "rsa1024", "default", "0")
        key = theirs.all_keys()[0].fingerprint
        gpg(theirs.home, "--quick-add-key", key, "rsa1024", "encrypt", "0")
        assert _refused(empty, theirs.export_public(key), "sam@elders.example") is RefusalReason.WEAK


def test_a_secret_key_several_keys_rubbish_and_a_flood_are_refused(cast: Cast, empty: Keyring) -> None:
    address = cast.stranger.address
    secret = cast.gpg("--armor", "--export-secret-keys", cast.stranger.fingerprint)
    both = cast.gpg("--armor", "--export", cast.stranger.fingerprint, cast.reporter.fingerprint)
    assert _refused(empty, secret, address) is RefusalReason.SECRET_KEY
    assert _refused(empty, both, address) is RefusalReason.SEVERAL_KEYS
    assert _refused(empty, b"rubbish", address) is RefusalReason.MALFORMED
    assert _refused(empty, b"x" * 600_000, address) is RefusalReason.TOO_LARGE
    assert not (empty.home / "private-keys-v1.d").exists() or not any(
        (empty.home / "private-keys-v1.d").iterdir()
    )


def test_a_flipped_byte_in_a_key_is_refused(cast: Cast, empty: Keyring) -> None:
    key = bytearray(cast.gpg("--export", cast.stranger.fingerprint))
    key[len(key) // 4] ^= 1
    assert _refused(empty, bytes(key), cast.stranger.address) is not None


def test_a_member_of_the_cast_is_who_they_say(cast: Cast) -> None:
    member: Member = cast.reporter
    assert member.from_header == "Renée Reporter <renee@melder.example>".encode()

"""Verdicts on gpg's status lines: a sound run is exactly one sequence, and every deviation is
altered mail."""

import pytest
from meldbalie.mailbox.gpg_status import GpgRun, SignatureState, StatusLine, signatures_in
from meldbalie.mailbox.gpg_verdicts import (
    Verification,
    decryption_problem,
    hidden_key,
    is_sealed,
    needs_second_opinion,
)
from meldbalie.mailbox.problem import Problem

A, B = "A" * 40, "B" * 40
SOUND = (
    "ENC_TO 1 18 0",
    "BEGIN_DECRYPTION",
    "DECRYPTION_INFO 2 9 0",
    "PLAINTEXT 62 1 x",
    "DECRYPTION_OKAY",
    "GOODMDC",
    "END_DECRYPTION",
)
SIGNED = ("NEWSIG", f"GOODSIG {A} x", f"VALIDSIG {A} 2026-11-21 1 0 4 0 22 8 00 {A}")


def run(*lines: str, code: int = 0, output: bytes = b"x", timed_out: bool = False) -> GpgRun:
    status = tuple(line for text in lines if (line := StatusLine.of(f"[GNUPG:] {text}\n".encode())))
    return GpgRun(output, code, status, timed_out)


def test_a_sound_run_has_no_problem() -> None:
    assert decryption_problem(run(*SOUND)) is None
    assert decryption_problem(run(*SOUND, code=2)) is Problem.TAMPERED
    assert decryption_problem(run(*SOUND, timed_out=True)) is Problem.TIMEOUT


@pytest.mark.parametrize("position", range(1, len(SOUND)))
def test_a_step_that_is_missing_twice_or_late_means_altered(position: int) -> None:
    step = SOUND[position]
    without = [line for line in SOUND if line != step]
    deviations = [[*without, step], [*SOUND, step], [step, *SOUND]]
    if step != SOUND[-1]:
        assert decryption_problem(run(*deviations[0])) is Problem.TAMPERED
    assert decryption_problem(run(*deviations[1])) is Problem.TAMPERED
    assert decryption_problem(run(*deviations[2])) is Problem.TAMPERED
    assert decryption_problem(run(*without)) in (Problem.TAMPERED, Problem.NO_SECRET_KEY)


@pytest.mark.parametrize(
    "word", ["BADMDC", "DECRYPTION_FAILED", "NODATA 3", "UNEXPECTED 0", "BADARMOR", "ERROR x 1"]
)
def test_a_word_of_failure_means_altered(word: str) -> None:
    assert decryption_problem(run(*SOUND, word)) is Problem.TAMPERED


def test_a_letter_that_ends_behind_its_session_key_was_cut_short() -> None:
    assert decryption_problem(run("ENC_TO 1 18 0", f"DECRYPTION_KEY {A} {A} u", code=2)) is Problem.TAMPERED
    assert decryption_problem(run("ENC_TO 1 18 0", "NO_SECKEY 1", code=2)) is Problem.NO_SECRET_KEY


def test_a_key_that_was_tried_in_vain_does_not_matter() -> None:
    assert decryption_problem(run("ERROR pkdecrypt_failed 67108875", *SOUND)) is None


def test_an_exit_code_is_excused_by_a_failed_signature_only() -> None:
    unknown = ("NEWSIG", f"ERRSIG 1 22 8 00 1 9 {A}")
    late = ("NEWSIG", f"EXPSIG {A} x", *SIGNED[2:])
    assert decryption_problem(run(*SOUND, *unknown, code=2)) is None
    assert decryption_problem(run(*SOUND, *late, code=1)) is None
    assert decryption_problem(run(*SOUND, *SIGNED, code=2)) is Problem.TAMPERED
    assert decryption_problem(run(*SOUND, *unknown, code=139)) is Problem.TAMPERED


def test_only_without_an_mdc_is_a_failed_signature_looked_at_twice() -> None:
    aead = [line.replace("INFO 2", "INFO 0") for line in SOUND]
    assert needs_second_opinion(run(*aead, code=2), None)
    assert not needs_second_opinion(run(*aead), None)
    assert not needs_second_opinion(run(*SOUND, code=2), None)


def test_a_failed_signature_is_looked_behind_only_where_gpg_stopped_at_it() -> None:
    bad, cut = ("NEWSIG", f"BADSIG {A} x"), SOUND[:4]
    assert needs_second_opinion(run(*cut, *bad, code=1), Problem.TAMPERED)
    assert not needs_second_opinion(run(*cut, code=1), Problem.TAMPERED)
    assert not needs_second_opinion(run(*cut, *bad, code=2), Problem.TAMPERED)
    for word in ("DECRYPTION_FAILED", "BADMDC"):
        assert not needs_second_opinion(run(*cut, *bad, word, code=1), Problem.TAMPERED)


def test_only_a_hidden_recipient_under_an_mdc_excuses_an_exit_code() -> None:
    hidden = (SOUND[0].replace("1 18", "0000000000000000 18"), f"DECRYPTION_KEY {A} {A} u", *SOUND[1:])
    aead = [line.replace("INFO 2", "INFO 0") for line in hidden]
    named = (SOUND[0], *hidden[1:])
    assert decryption_problem(run(*hidden, code=2)) is None
    assert decryption_problem(run(*named, code=2)) is Problem.TAMPERED
    assert decryption_problem(run(*aead, code=2)) is Problem.TAMPERED
    assert [hidden_key(run(*lines, code=2)) for lines in (aead, hidden, named)] == [A, None, None]
    assert hidden_key(run(*aead)) is None


def test_signatures_are_judged_one_by_one() -> None:
    several = run(*SIGNED, "NEWSIG", f"BADSIG {B} y", "NEWSIG", f"ERRSIG 1 22 8 00 1 9 {B}", "NEWSIG")
    states = [SignatureState.VALID, SignatureState.BAD, SignatureState.UNKNOWN_KEY, SignatureState.BAD]
    assert [one.state for one in signatures_in(several)] == states
    assert [one.fingerprint for one in signatures_in(several)] == [A, None, B, None]


@pytest.mark.parametrize(
    "lines",
    [
        ("NEWSIG", f"GOODSIG {A} x"),
        ("NEWSIG", f"VALIDSIG {A} 2026-11-21 1 0 4 0 22 8 00 {A}"),
        ("NEWSIG", f"GOODSIG {A} x", f"VALIDSIG {A} 2026-11-21 1 0 4 0 22 8 00 AAAA"),
        ("NEWSIG", f"GOODSIG {A} x", f"VALIDSIG {A} 2026-11-21 1 0 4 0 22 8 10 {A}"),
        ("NEWSIG", f"GOODSIG {A} x", f"GOODSIG {B} x", SIGNED[2]),
        (*SIGNED, SIGNED[2]),
        ("NEWSIG", f"ERRSIG 1 22 8 00 1 4 {A}"),
    ],
)
def test_anything_but_one_verdict_and_one_proof_is_bad(lines: tuple[str, ...]) -> None:
    assert [one.state for one in signatures_in(run(*lines))] == [SignatureState.BAD]


def test_a_verification_that_contradicts_its_exit_code_is_worth_nothing() -> None:
    assert Verification.of(run(*SIGNED)).signatures[0].state is SignatureState.VALID
    assert Verification.of(run(*SIGNED, code=2)) == Verification((), Problem.MALFORMED)
    assert Verification.of(run()) == Verification((), Problem.MALFORMED)


def test_a_seal_to_another_key_than_asked_for_is_none() -> None:
    armour = b"-----BEGIN PGP MESSAGE-----\n"
    assert is_sealed(run(f"KEY_CONSIDERED {A} 0", "END_ENCRYPTION", output=armour), A, None)
    assert not is_sealed(run(f"KEY_CONSIDERED {B} 0", "END_ENCRYPTION", output=armour), A, None)
    assert not is_sealed(run(f"KEY_CONSIDERED {A} 0", "END_ENCRYPTION", output=b"x"), A, None)
    assert not is_sealed(run(f"KEY_CONSIDERED {A} 0", "END_ENCRYPTION", output=armour), A, B)
    assert not is_sealed(run(f"KEY_CONSIDERED {A} 0", output=armour), A, None)
    assert not is_sealed(run(f"KEY_CONSIDERED {A} 0", "END_ENCRYPTION", output=armour, code=2), A, None)

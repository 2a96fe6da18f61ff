"""Verdicts on what gpg did: sound only when every step was reported once, in order, and nothing
contradicts it."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .errors import CannotSeal, SealRefusal
from .gpg_status import GpgRun, SignatureFacts, SignatureState, StatusLine, signatures_in
from .keys import KeyFacts
from .packets import is_newer, packets
from .problem import Problem
from .second_opinion import signers

_MICALGS = {"2": "sha1", "8": "sha256", "9": "sha384", "10": "sha512", "11": "sha224"}  # RFC 4880, 9.4


@dataclass(frozen=True)
class Decryption:
    """What came of decrypting: `plaintext` is None whenever `problem` is set, never a part of it."""

    plaintext: bytes | None
    problem: Problem | None
    signatures: tuple[SignatureFacts, ...] = ()
    was_encrypted: bool = True


@dataclass(frozen=True)
class Verification:
    """What came of verifying: the signatures found, and for a clear-signed block the very bytes they
    cover."""

    signatures: tuple[SignatureFacts, ...]
    problem: Problem | None = None
    covered: bytes | None = None

    @classmethod
    def of(cls, run: GpgRun, covered: bytes | None = None) -> "Verification":
        """Judge a run that only verified."""
        found = signatures_in(run)
        if run.timed_out:
            return cls((), Problem.TIMEOUT)
        if not found or _has_errors(run) or not _returncode_is_explained(run):
            return cls((), Problem.MALFORMED, covered)
        return cls(found, None, covered)

    @classmethod
    def of_newer(cls, signature: bytes, covered: bytes | None = None) -> "Verification":
        """Say whose newer signatures these claim to be; gpg cannot check them, nor hold such keys."""
        unknown = SignatureState.UNKNOWN_KEY
        found = tuple(SignatureFacts(unknown, fingerprint, at) for fingerprint, at in signers(signature))
        return cls(found, Problem.NEWER_FORMAT, covered)


@dataclass(frozen=True)
class DetachedSignature:
    """An armoured signature, and the `micalg` that multipart/signed names (RFC 3156, section 5)."""

    armour: bytes
    micalg: str

    @classmethod
    def of(cls, run: GpgRun) -> "DetachedSignature | None":
        """Read a run that signed, or give None when it made no signature, or several."""
        created = run.lines("SIG_CREATED")
        if run.returncode != 0 or len(created) != 1 or not run.output:
            return None
        micalg = _MICALGS.get(created[0].arg(2))
        return cls(run.output, f"pgp-{micalg}") if micalg else None


def is_sealed(run: GpgRun, to: str, signed_by: str | None) -> bool:
    """Tell whether a run sealed something to this key and to no other, signed as asked.

    Gpg may find a stranger's key by the fingerprint of one of its subkeys, so it must say which key it
    took.
    """
    considered = {line.arg(0) for line in run.lines("KEY_CONSIDERED")}
    return (
        run.returncode == 0
        and run.has("END_ENCRYPTION")
        and run.has("SIG_CREATED") == bool(signed_by)
        and considered <= {to, signed_by}
        and run.output.startswith(b"-----BEGIN PGP MESSAGE-----")
    )


def why_not_sealed(run: GpgRun, key: KeyFacts | None, to: str, signed_by: str | None) -> CannotSeal:
    """Name the reason why a run sealed nothing; `key` is what the keyring knows of the recipient."""
    if run.timed_out:
        return CannotSeal(SealRefusal.TIMEOUT, to)
    if key is None:
        return CannotSeal(SealRefusal.UNKNOWN_KEY, to)
    if key.revoked:
        return CannotSeal(SealRefusal.REVOKED, to)
    if key.subkeys[0].was_expired:
        return CannotSeal(SealRefusal.EXPIRED, to)
    if not key.sealing_keys():
        return CannotSeal(SealRefusal.NO_ENCRYPTION_KEY, to)
    if signed_by and not run.has("SIG_CREATED"):
        return CannotSeal(SealRefusal.CANNOT_SIGN, signed_by)
    return CannotSeal(SealRefusal.FAILED, to)


# What a sound run says once, and in this order; whatever is inside is inside the encryption.
_SOUND = ("BEGIN_DECRYPTION", "DECRYPTION_INFO", "PLAINTEXT", "DECRYPTION_OKAY", "GOODMDC", "END_DECRYPTION")
_FATAL = frozenset(
    {
        "DECRYPTION_FAILED",
        "BADMDC",
        "NODATA",
        "UNEXPECTED",
        "BADARMOR",
        "TRUNCATED",
        "DECRYPTION_COMPLIANCE_ERROR",
    }
)
# Said of keys that were tried in vain before the right one was found.
_HARMLESS_ERRORS = ("pkdecrypt_failed", "symkey_decrypt.maybe_error", "verify.")
_BAD_PASSPHRASE = 11  # gpg-error's codes, in the low 16 bits
_NO_PASSPHRASE = 177


def was_encrypted(run: GpgRun) -> bool:
    """Tell whether there was anything to decrypt; a merely signed or packed message is not
    encrypted."""
    return run.has("ENC_TO", "NEED_PASSPHRASE_SYM", "BEGIN_DECRYPTION", "DECRYPTION_INFO")


def decryption_problem(run: GpgRun) -> Problem | None:
    """Judge a decryption: None only if every step was reported once, in order, and nothing
    contradicts it."""
    if run.timed_out:
        return Problem.TIMEOUT
    if not was_encrypted(run):
        return None if _is_sound_plain(run) else _plain_problem(run)
    if not run.has("DECRYPTION_INFO", "DECRYPTION_KEY"):
        return _locked(run)
    if _is_unread(run):
        return Problem.NEWER_FORMAT
    if not _is_sound(run) or not (_returncode_is_explained(run) or _tried_in_vain(run)):
        return Problem.TAMPERED if not _was_bad_passphrase(run.lines("ERROR")) else Problem.UNSUPPORTED
    return None


def problem_of(message: bytes, run: GpgRun, problem: Problem, own: Callable[[], Iterable[str]]) -> Problem:
    """Tell a message that this gpg is too old for from one that is broken. `own` gives the
    fingerprints of our keys and subkeys."""
    if problem in (Problem.TIMEOUT, Problem.TOO_LARGE, Problem.PASSPHRASE) or not is_newer(message):
        return problem
    sealed_to = [packet.recipient for packet in packets(message) if packet.recipient is not None]
    is_ours = run.has("DECRYPTION_KEY") or "" in sealed_to or not set(sealed_to).isdisjoint(own())
    is_anybodys = run.has("ENC_TO") or bool(sealed_to)
    return Problem.NEWER_FORMAT if is_ours or not is_anybodys else Problem.NO_SECRET_KEY


def hidden_key(run: GpgRun) -> str | None:
    """Give the key of ours that opened a message to a hidden recipient, without an MDC, after others were
    tried in vain. Gpg counts these as errors; only a run that tries this key first has an exit code that
    tells whether the message was altered."""
    opened_by = run.lines("DECRYPTION_KEY")
    is_doubtful = run.returncode == 2 and _is_to_hidden(run) and not _has_mdc(run)
    return opened_by[0].arg(0) if is_doubtful and opened_by else None


def needs_second_opinion(run: GpgRun, problem: Problem | None) -> bool:
    """Tell whether a failed signature may be hiding what became of the seal; it is then opened again
    without looking at signatures.

    Gpg ends at once at a bad or expired signature, before it says a word on the seal. And gpg 2.2 says
    DECRYPTION_OKAY and GOODMDC of an altered AEAD packet: its exit code is the only sign, and an unknown
    signer has the same one.
    """
    if problem is None:
        return run.returncode != 0 and any(line.arg(0) == "0" for line in run.lines("DECRYPTION_INFO"))
    ended_early = run.returncode == 1 and not run.has("DECRYPTION_OKAY", "DECRYPTION_FAILED", "BADMDC")
    return ended_early and run.has("BADSIG", "EXPSIG") and run.has("PLAINTEXT")


def _tried_in_vain(run: GpgRun) -> bool:
    """Tell whether gpg counts the keys that it tried for hidden recipients as errors. Then its exit code
    is worth nothing; with an MDC, the status lines are."""
    return run.returncode == 2 and _is_to_hidden(run) and _has_mdc(run) and run.has("DECRYPTION_KEY")


def _is_to_hidden(run: GpgRun) -> bool:
    return any(not line.arg(0).strip("0") for line in run.lines("ENC_TO"))


def _has_mdc(run: GpgRun) -> bool:
    return all(line.arg(0) == "2" for line in run.lines("DECRYPTION_INFO"))


def _is_sound(run: GpgRun) -> bool:
    seen = [line.keyword for line in run.status if line.keyword in _SOUND]
    return seen == list(_SOUND) and not run.has(*_FATAL) and not _has_errors(run)


def _is_unread(run: GpgRun) -> bool:
    """Tell whether nobody altered it (the MDC says so), and yet gpg found nothing in it that it knows,
    such as a newer signature."""
    seen = [line.keyword for line in run.status if line.keyword in (*_SOUND, "BADMDC", "DECRYPTION_FAILED")]
    is_empty = run.has("NODATA") and not run.output
    return _has_mdc(run) and is_empty and seen == [step for step in _SOUND if step != "PLAINTEXT"]


def _is_sound_plain(run: GpgRun) -> bool:
    counted = Counter(line.keyword for line in run.status)
    return (
        counted["PLAINTEXT"] == 1
        and not run.has(*_FATAL)
        and not _has_errors(run)
        and _returncode_is_explained(run)
    )


def _plain_problem(run: GpgRun) -> Problem:
    # Armour whose checksum is wrong makes gpg stop without a word on its status pipe: it was altered.
    return Problem.TAMPERED if not run.status else Problem.MALFORMED


def _has_errors(run: GpgRun) -> bool:
    return any(not line.arg(0).startswith(_HARMLESS_ERRORS) for line in run.lines("ERROR"))


def _returncode_is_explained(run: GpgRun) -> bool:
    if run.returncode == 0:
        return True
    failed = {SignatureState.BAD, SignatureState.UNKNOWN_KEY, SignatureState.EXPIRED_SIGNATURE}
    return run.returncode in (1, 2) and any(found.state in failed for found in signatures_in(run))


def _locked(run: GpgRun) -> Problem:
    if _was_bad_passphrase(run.lines("ERROR")) or run.has("NEED_PASSPHRASE", "BAD_PASSPHRASE"):
        return Problem.PASSPHRASE
    if run.has("ENC_TO"):
        return Problem.NO_SECRET_KEY
    return Problem.UNSUPPORTED if run.has("NEED_PASSPHRASE_SYM") else Problem.MALFORMED


def _was_bad_passphrase(errors: Iterable[StatusLine]) -> bool:
    for line in errors:
        number = line.arg(1).partition("_")[0]
        if (
            number.isascii()
            and number.isdigit()
            and int(number) & 0xFFFF in (_BAD_PASSPHRASE, _NO_PASSPHRASE)
        ):
            return True
    return False

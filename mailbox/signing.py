"""Whether a signature is the sender's, and covers everything that is shown.

A good signature alone proves little: all the mails of "Johnny, you are fired" (USENIX Security 2019)
carry one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from .gpg_status import SignatureFacts, SignatureState
from .keys import KeyFacts
from .letter import Letter


class Verdict(StrEnum):
    """What a letter's signature is worth."""

    NONE = "none"
    """There is no signature."""
    GOOD = "good"
    """One signature, by a usable key of this keyring, whose address is the one and only From
    address, over everything that is shown. The outer subject is not covered by any signature."""
    MISMATCH = "mismatch"
    """A valid signature by a known key that does not prove the sender, or the whole letter: another
    address, several senders, several signatures, or something beside it that is not signed."""
    BAD = "bad"
    """The signature does not fit what was signed, or cannot be read."""
    UNKNOWN_KEY = "unknown_key"
    """The signer's key is not in this keyring."""
    EXPIRED_KEY = "expired_key"
    """Valid, but the signer's key, or the signature itself, is past its expiry date today."""
    REVOKED_KEY = "revoked_key"
    """Valid, but the signer's key was withdrawn."""


@dataclass(frozen=True)
class Signature:
    """The verdict, and the signer's primary fingerprint (of an unknown key: the one that the
    signature claims)."""

    verdict: Verdict = Verdict.NONE
    fingerprint: str | None = None


UNSIGNED = Signature()


@dataclass(frozen=True)
class Found:
    """A signature in a letter; `is_foreign` when it belongs to a letter that is merely attached."""

    facts: SignatureFacts
    is_foreign: bool = False


_VERDICTS = {
    SignatureState.BAD: Verdict.BAD,
    SignatureState.UNKNOWN_KEY: Verdict.UNKNOWN_KEY,
    SignatureState.REVOKED_KEY: Verdict.REVOKED_KEY,
    SignatureState.EXPIRED_KEY: Verdict.EXPIRED_KEY,
    SignatureState.EXPIRED_SIGNATURE: Verdict.EXPIRED_KEY,
}
# Of several signatures the worst speaks; several valid ones prove no single sender.
_WORST_FIRST = (
    Verdict.BAD,
    Verdict.REVOKED_KEY,
    Verdict.EXPIRED_KEY,
    Verdict.UNKNOWN_KEY,
    Verdict.MISMATCH,
)


def judge(
    letter: Letter,
    found: Sequence[Found],
    covers_everything: bool,
    key_of: Callable[[str], KeyFacts | None],
) -> Signature:
    """Decide what the signatures of a letter prove. `key_of` looks a fingerprint up in the keyring."""
    if not found:
        return UNSIGNED
    verdicts = [_VERDICTS.get(one.facts.state, Verdict.MISMATCH) for one in found]
    worst = min(verdicts, key=_WORST_FIRST.index)
    one = found[verdicts.index(worst)]
    if worst is not Verdict.MISMATCH or len(found) > 1 or one.is_foreign or not covers_everything:
        return Signature(worst, one.facts.fingerprint)
    is_senders = letter.has_one_sender and _is_key_of(letter.sender, one.facts.fingerprint, key_of)
    return Signature(Verdict.GOOD if is_senders else Verdict.MISMATCH, one.facts.fingerprint)


def _is_key_of(sender: str | None, fingerprint: str | None, key_of: Callable[[str], KeyFacts | None]) -> bool:
    key = key_of(fingerprint) if fingerprint else None
    return bool(key and sender and not key.disabled and not key.revoked and key.belongs_to(sender))

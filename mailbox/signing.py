"""Whether a signature is the sender's, and covers everything that is shown.

A good signature alone proves little: all the mails of "Johnny, you are fired" (USENIX Security 2019)
carry one.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from .gpg_status import SignatureFacts, SignatureState
from .keys import KeyFacts
from .letter import Letter


class Verdict(StrEnum):
    """What a letter's signature is worth."""

    NONE = "none"
    """There is no signature."""
    GOOD = "good"
    """Signed by one usable key of this keyring, whose address is the one and only From address, over
    everything that is shown. The outer subject is not covered by any signature."""
    MISMATCH = "mismatch"
    """A valid signature by a known key that does not prove the sender, or the whole letter: another
    address, several senders, several signers, or something beside it that is not signed."""
    BAD = "bad"
    """The signature does not fit what was signed, cannot be read, or proves nothing: its digest is broken
    (SHA-1), it is dated in the future, or its key may not sign (which gpg itself calls an error)."""
    UNKNOWN_KEY = "unknown_key"
    """The signer's key is not in this keyring."""
    EXPIRED_KEY = "expired_key"
    """Valid, but the signer's key, or the signature itself, is past its expiry date today."""
    REVOKED_KEY = "revoked_key"
    """Valid, but the signer's key was withdrawn."""


@dataclass(frozen=True)
class Signature:
    """The verdict, the signer's primary fingerprint (of an unknown key: the one that the signature
    claims), and when a good one was made: `None` where a letter has several of different times."""

    verdict: Verdict = Verdict.NONE
    fingerprint: str | None = None
    signed_at: datetime | None = None


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
    SignatureState.WORTHLESS: Verdict.BAD,
}
_WRONG_CLOCK = timedelta(days=1)  # how far ahead a sender's clock may be
# Of several signatures the worst speaks; valid ones by several keys prove no single sender.
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
    covering: Collection[int],
    key_of: Callable[[str], KeyFacts | None],
    *,
    now: datetime,
) -> Signature:
    """Decide what the signatures of a letter prove. `covering` are the numbers of those that cover
    everything; `key_of` looks a fingerprint up in the keyring."""
    if not found:
        return UNSIGNED
    verdicts = [_verdict(one.facts, now) for one in found]
    worst = min(verdicts, key=_WORST_FIRST.index)
    one = found[verdicts.index(worst)]
    signers = {other.facts.fingerprint for other in found}
    is_whole = bool(covering) and not any(other.is_foreign for other in found)
    if worst is not Verdict.MISMATCH or len(signers) > 1 or not is_whole:
        return Signature(worst, one.facts.fingerprint)
    is_senders = letter.has_one_sender and _is_key_of(letter.sender, one.facts.fingerprint, key_of)
    if not is_senders:
        return Signature(Verdict.MISMATCH, one.facts.fingerprint)
    times = {other.facts.signed_at for other in found}
    return Signature(Verdict.GOOD, one.facts.fingerprint, times.pop() if len(times) == 1 else None)


def _verdict(facts: SignatureFacts, now: datetime) -> Verdict:
    """Judge one signature by itself: a valid one proves nothing yet."""
    is_premature = facts.signed_at is not None and facts.signed_at > now + _WRONG_CLOCK
    if facts.state is SignatureState.VALID:
        return Verdict.BAD if is_premature else Verdict.MISMATCH
    return _VERDICTS[facts.state]


def _is_key_of(sender: str | None, fingerprint: str | None, key_of: Callable[[str], KeyFacts | None]) -> bool:
    key = key_of(fingerprint) if fingerprint else None
    return bool(key and sender and not key.disabled and not key.revoked and key.belongs_to(sender))

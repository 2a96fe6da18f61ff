"""How long mail can be sealed to a key, and which warning is due."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ..mailbox.keys import KeyFacts


@dataclass(frozen=True)
class KeyTrouble:
    """What is wrong with a key, as a code, and since or until when; ``step`` is the warning in days."""

    problem: str
    ends_at: datetime | None = None
    step: int | None = None

    @property
    def is_unusable(self) -> bool:
        """Whether nothing can be sealed to the key."""
        return self.problem != "expires"


def trouble_with(facts: KeyFacts | None, now: datetime, warn_days: Sequence[int]) -> KeyTrouble | None:
    """What is wrong with a key now, if anything.

    Of several warnings only the nearest to the end counts: after an outage one is told, not three.
    """
    if facts is None:
        return KeyTrouble("missing")
    if facts.revoked:
        return KeyTrouble("revoked")
    ends_at = end_of_sealing(facts)
    if ends_at is not None and ends_at <= now:
        return KeyTrouble("expired", ends_at)
    if not facts.can_encrypt(now):
        return KeyTrouble("no_encryption_key")
    steps = [days for days in warn_days if ends_at is not None and ends_at - timedelta(days=days) <= now]
    return KeyTrouble("expires", ends_at, min(steps)) if steps else None


def end_of_sealing(facts: KeyFacts) -> datetime | None:
    """When nothing can be sealed to a key any more: with its primary key, or its last encrypting subkey.

    ``None`` for a key without an end, and for one that cannot encrypt at all.
    """
    encrypting = [key.expires_at for key in facts.subkeys if key.can_encrypt and not key.is_revoked]
    last = None if None in encrypting else max((end for end in encrypting if end), default=None)
    return min((end for end in (facts.expires_at, last) if end), default=None)

"""The keys that came with a letter: which one answers are sealed to, and what is wrong with the others."""

from collections.abc import Iterator
from dataclasses import dataclass

from ..mailbox.key_intake import LARGEST_OFFERED_KEY, RefusalReason, Refused
from ..mailbox.opening import Opened
from ..models.key_problems import ALARMING
from .installation import Installation

PRIVATE = "-----BEGIN PGP PRIVATE KEY BLOCK-----"
KEYS = "application/pgp-keys"
#: Of several refusals the first of these is told.
WORST_FIRST = (
    RefusalReason.CHANGED_KEY,
    RefusalReason.SECRET_KEY,
    RefusalReason.REVOKED,
    RefusalReason.EXPIRED,
    RefusalReason.WEAK,
    RefusalReason.UNSUPPORTED,
    RefusalReason.NO_ENCRYPTION_KEY,
    RefusalReason.SEVERAL_KEYS,
    RefusalReason.TOO_LARGE,
    RefusalReason.MALFORMED,
    RefusalReason.OTHER_ADDRESS,
)


@dataclass(frozen=True)
class KeyOffer:
    """The fingerprint to seal to, if there is one; a code for what is wrong with another key, and that
    key's fingerprint."""

    fingerprint: str | None = None
    problem: str = ""
    about: str = ""


NO_KEY = KeyOffer()


def adopt_key(place: Installation, opened: Opened) -> KeyOffer:
    """Take in a key that came along; failing that, a known one that has signed is sealed to.

    With a good key in hand only what may be an attack is worth a word about the others.
    """
    sender = opened.letter.sender
    if sender is None:
        return NO_KEY
    good: str | None = None
    refused = list(_never_offered(place, opened, sender))
    for offered in opened.keys:
        if place.config.organisation.address in offered.addresses:
            continue  # our own key, sent back to us
        if offered.is_newer:
            refused.append(Refused(RefusalReason.UNSUPPORTED, offered.fingerprints))
            continue
        result = place.keyring.adopt(offered.octets, address=sender)
        if isinstance(result, Refused):
            refused.append(result)
            continue
        good = good or result.key.fingerprint
        if result.is_new:
            break
    if good is None and opened.signature.verdict == "good":
        good = opened.signature.fingerprint
    worst = min(refused, key=lambda one: WORST_FIRST.index(one.reason), default=None)
    if worst is None or (good and worst.reason not in ALARMING):
        return KeyOffer(good)
    return KeyOffer(good, worst.reason.value, next(iter(worst.fingerprints), ""))


def _never_offered(place: Installation, opened: Opened, sender: str) -> Iterator[Refused]:
    """What was meant as a key and is none: the sender's secret key, or a file that nobody can read.

    A secret key of somebody else is what a report may be about.
    """
    texts = [opened.text.encode(), *(file.content for file in opened.attachments)]
    for octets in texts:
        if PRIVATE.encode() not in octets or len(octets) > LARGEST_OFFERED_KEY:
            continue
        for key in place.keyring.examine(octets):
            if key.has_secret and key.belongs_to(sender):
                yield Refused(RefusalReason.SECRET_KEY, (key.fingerprint,))
    sizes = [len(file.content) for file in opened.attachments if file.content_type == KEYS]
    if sizes and not opened.keys:
        is_large = max(sizes) > LARGEST_OFFERED_KEY
        yield Refused(RefusalReason.TOO_LARGE if is_large else RefusalReason.MALFORMED)

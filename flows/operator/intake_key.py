"""Whether the intake key does its work: what is sealed to it opens, and how long that takes."""

import time
from dataclasses import dataclass

from ...mailbox.errors import CannotSeal
from ...mailbox.keyring import Keyring

PROBE = b"Meldbalie tries its own key."
TRIES = 3


@dataclass(frozen=True)
class Trial:
    """What came of sealing something to a key and opening it again."""

    problem: str
    """Empty when it opened."""
    seconds: float
    """The quickest of some openings: most of it is the derivation of the passphrase (s2k)."""


def try_key(keyring: Keyring, fingerprint: str) -> Trial:
    """Seal and sign a probe with the key and open it again, a few times."""
    try:
        sealed = keyring.seal(PROBE, to=fingerprint, signed_by=fingerprint)
    except CannotSeal as error:
        return Trial(error.reason.value.replace("_", " "), 0)
    seconds: list[float] = []
    for _ in range(TRIES):
        began = time.perf_counter()
        opened = keyring.decrypt(sealed)
        seconds.append(time.perf_counter() - began)
        if opened.plaintext != PROBE:
            return Trial(opened.problem.value if opened.problem else "something else came out", 0)
    return Trial("", min(seconds))

"""What a signed letter tells beside its text: what was signed, and who its headers say that signed it.

Whoever has a signed letter can wrap it anew: seal it again, encode it otherwise, give it another number.
The bytes that the signature covers stay the same, so they tell whether it is the same letter.
"""

import hashlib
from dataclasses import dataclass

from .addresses import Mailbox, mailboxes
from .consulting import Consultation
from .findings import Findings, Place
from .keyring import Keyring
from .letter import Letter
from .limits import Limits
from .unsealing import Walk
from .words import decoded

_WHO = ("from", "sender", "reply-to")


@dataclass(frozen=True)
class Signed:
    """What was signed, as a digest: empty where a letter has several signatures over different things.

    ``senders`` are all whom the headers name as its writer, outside and under the seal.
    """

    digest: str = ""
    senders: tuple[Mailbox, ...] = ()


def signed_by(letter: Letter, keyring: Keyring, limits: Limits) -> Signed:
    """Look into a letter once more, for what tells nothing to its reader."""
    walk = _Reading(keyring, limits)
    walk.visit(letter.root, Place())
    headers = [letter.root.headers, *([walk.findings.protected] if walk.findings.protected else [])]
    values = [decoded(value, None) for one in headers for name in _WHO for value in one.all(name)]
    senders = dict.fromkeys(sender for value in values for sender in mailboxes(value, limit=limits.addresses))
    return Signed(walk.digests.pop() if len(walk.digests) == 1 else "", tuple(senders))


class _Reading(Walk):
    """A walk that notes what the signatures on its way cover."""

    def __init__(self, keyring: Keyring, limits: Limits) -> None:
        super().__init__(keyring, limits)
        self.digests = set[str]()
        self._gpg = _Noting(keyring, limits, self.findings, self.digests)


class _Noting(Consultation):
    """What gpg is asked, and the digests of all that is signed."""

    def __init__(self, keyring: Keyring, limits: Limits, findings: Findings, digests: set[str]) -> None:
        super().__init__(keyring, limits, findings)
        self._digests = digests

    def decrypt(self, octets: bytes, place: Place) -> tuple[bytes, bool, frozenset[int]] | None:
        opened = super().decrypt(octets, place)
        if opened is not None and opened[2]:
            self._digests.add(_digest(opened[0]))
        return opened

    def check(self, signature: bytes, data: bytes, place: Place) -> frozenset[int]:
        self._digests.add(_digest(data))
        return super().check(signature, data, place)

    def check_clearsigned(self, block: bytes, place: Place) -> tuple[bytes | None, frozenset[int]] | None:
        checked = super().check_clearsigned(block, place)
        if checked is not None and checked[0] is not None:
            self._digests.add(_digest(checked[0]))
        return checked


def _digest(octets: bytes) -> str:
    """Of the lines without blanks and ends, which some signatures do not cover and anybody can alter."""
    lines = (line.rstrip(b" \t\r") for line in octets.split(b"\n"))
    return hashlib.sha256(b"\n".join(lines).strip(b"\n")).hexdigest()

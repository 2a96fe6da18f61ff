"""What gpg is asked about one letter, and no more than that: so many runs, so much time, so many bytes."""

import time
from dataclasses import replace

from .findings import Findings, Place
from .gpg_status import SignatureFacts, SignatureState
from .gpg_verdicts import Decryption
from .keyring import LARGEST_PLAINTEXT, Keyring
from .limits import Limits
from .problem import Problem
from .signing import Found

_MOST_SECONDS = 60.0  # for all runs of a letter together; each has a clock of its own besides
_NOTHING = frozenset[int]()


class Consultation:
    """The runs of gpg for one letter. What they find is noted at once; what is too much is not asked."""

    def __init__(self, keyring: Keyring, limits: Limits, findings: Findings) -> None:
        self._keyring = keyring
        self._limits = limits
        self._findings = findings
        self._runs = 0
        self._seconds = 0.0
        self._room = LARGEST_PLAINTEXT

    def decrypt(self, octets: bytes, place: Place) -> tuple[bytes, bool, frozenset[int]] | None:
        """Open a sealed piece; None when nothing of it may be shown.

        Else its bytes, whether they were encrypted, and the numbers of the signatures that cover them.
        """
        result = self._decryption(octets)
        if result is None or result.plaintext is None:
            self._findings.closed.append(replace(place, is_sealed=True))
            return None
        numbers = self.note(result.signatures, None, place) if result.signatures else _NOTHING
        return result.plaintext, result.was_encrypted, numbers

    def _decryption(self, octets: bytes) -> Decryption | None:
        findings = self._findings
        if not self._may_run():
            findings.sealed += 1
            return None
        started = time.monotonic()
        result = self._keyring.decrypt(octets, at_most=self._room)
        self._seconds += time.monotonic() - started
        if result.was_encrypted or result.problem:
            findings.sealed += 1
        if result.problem is not None or result.plaintext is None:
            findings.problems.append(result.problem or Problem.MALFORMED)
            return None
        self._room -= len(result.plaintext)
        findings.opened += result.was_encrypted
        return result

    def check(self, signature: bytes, data: bytes, place: Place) -> frozenset[int]:
        """Check a detached signature over the raw bytes, with the line ends of RFC 3156, section 5.

        Some senders sign bare line feeds, or what they have; that is tried when the signature is bad.
        """
        if not self._may_run():
            return _NOTHING
        started = time.monotonic()
        bare = data.replace(b"\r\n", b"\n")
        checked = self._keyring.verify(signature, bare.replace(b"\n", b"\r\n"))
        for other in dict.fromkeys((bare, data)):
            if [one.state for one in checked.signatures] != [SignatureState.BAD]:
                break
            checked = self._keyring.verify(signature, other)
        self._seconds += time.monotonic() - started
        return self.note(checked.signatures, checked.problem, place)

    def check_clearsigned(self, block: bytes, place: Place) -> tuple[bytes | None, frozenset[int]] | None:
        """Check a clear-signed block, and give the bytes that are covered, if any can be told; None when
        it was not looked at."""
        if not self._may_run():
            return None
        started = time.monotonic()
        checked = self._keyring.verify_clearsigned(block)
        self._seconds += time.monotonic() - started
        return checked.covered, self.note(checked.signatures, checked.problem, place)

    def note(
        self, signatures: tuple[SignatureFacts, ...], problem: Problem | None, place: Place
    ) -> frozenset[int]:
        """Keep the signatures that were found, and give their numbers."""
        if problem is not None:
            self._findings.problems.append(problem)
        found = signatures or ((SignatureFacts(SignatureState.BAD),) if problem is not None else ())
        first = len(self._findings.signatures)
        self._findings.signatures += [Found(facts, place.is_foreign) for facts in found]
        return frozenset(range(first, first + len(found)))

    def _may_run(self) -> bool:
        """Tell whether gpg may be asked once more; after it was too slow once, it is not."""
        self._runs += 1
        if self._runs > self._limits.sealed:
            self._findings.problems.append(Problem.TOO_MANY_PARTS)
            return False
        is_late = self._seconds > _MOST_SECONDS or Problem.TIMEOUT in self._findings.problems
        if is_late:
            self._findings.problems.append(Problem.TIMEOUT)
        return not is_late

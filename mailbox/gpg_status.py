"""What gpg says on its status pipe: the only ground on which a letter is called opened, or signed.

The human-readable output of gpg and the summaries of python-gnupg are never read: they call an expired
key's signature "valid", and keep `ok` true for an altered AEAD packet. Source: GnuPG's doc/DETAILS.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum


@dataclass(frozen=True)
class StatusLine:
    """One line that gpg wrote to its status pipe: a keyword and its arguments."""

    keyword: str
    args: tuple[str, ...] = ()

    @classmethod
    def of(cls, line: bytes) -> "StatusLine | None":
        """Read one line, or None when it is not a status line. Only a line feed ends a line: a key's
        name may contain U+2028 or U+0085, which Python's `splitlines` would take for a new (forged)
        status line."""
        words = line.strip(b"\r\n").split(b" ")
        if len(words) < 2 or words[0] != b"[GNUPG:]":
            return None
        keyword, *args = (word.decode("utf-8", "replace") for word in words[1:])
        return cls(keyword, tuple(args))

    def arg(self, position: int) -> str:
        """Give the argument at a position, empty when gpg gave fewer."""
        return self.args[position] if position < len(self.args) else ""


@dataclass(frozen=True)
class GpgRun:
    """What one run of gpg gave back."""

    output: bytes
    returncode: int
    status: tuple[StatusLine, ...]
    timed_out: bool = False

    def lines(self, *keywords: str) -> tuple[StatusLine, ...]:
        """Give the status lines with one of these keywords, in order."""
        return tuple(line for line in self.status if line.keyword in keywords)

    def has(self, *keywords: str) -> bool:
        """Tell whether gpg said any of these keywords."""
        return bool(self.lines(*keywords))


class Listener:
    """Takes what python-gnupg collects from one run."""

    def __init__(self) -> None:
        self.lines: list[StatusLine] = []
        self.data = b""
        self.stderr = ""
        self.returncode = -1
        self.timed_out = False

    def run(self) -> GpgRun:
        """Give what was collected."""
        return GpgRun(self.data, self.returncode, tuple(self.lines), self.timed_out)


class SignatureState(StrEnum):
    """What gpg found out about one signature, before anybody asks whether it is the sender's."""

    VALID = "valid"
    BAD = "bad"
    UNKNOWN_KEY = "unknown_key"
    EXPIRED_KEY = "expired_key"
    EXPIRED_SIGNATURE = "expired_signature"
    REVOKED_KEY = "revoked_key"
    WORTHLESS = "worthless"
    """It fits, but anybody may have made it: its digest is broken."""


_STATES = {
    "GOODSIG": SignatureState.VALID,
    "BADSIG": SignatureState.BAD,
    "ERRSIG": SignatureState.BAD,  # an unsupported algorithm or a broken packet, unless the reason is 9
    "EXPSIG": SignatureState.EXPIRED_SIGNATURE,
    "EXPKEYSIG": SignatureState.EXPIRED_KEY,
    "REVKEYSIG": SignatureState.REVOKED_KEY,
}
_MISSING_KEY = "9"
_DOCUMENT_CLASSES = ("00", "01")  # a certification or revocation is no signature of a letter
_BROKEN_DIGESTS = ("1", "2", "3")  # MD5, SHA-1, RIPEMD-160; gpg 2.2 refuses the first of them only


@dataclass(frozen=True)
class SignatureFacts:
    """One signature: its state, and the primary fingerprint of its key.

    Of an unknown key the fingerprint is what the signature itself claims, and may be a subkey's; of a
    bad signature there is none.
    """

    state: SignatureState
    fingerprint: str | None = None
    signed_at: datetime | None = None


def signatures_in(run: GpgRun) -> tuple[SignatureFacts, ...]:
    """Give every signature of a run, in order; one that gpg began and did not judge is bad."""
    groups: list[list[StatusLine]] = []
    for line in run.status:
        if line.keyword == "NEWSIG":
            groups.append([])
        elif groups:
            groups[-1].append(line)
        elif line.keyword in _STATES or line.keyword == "VALIDSIG":
            groups.append([line])
    return tuple(_signature(group) for group in groups)


def _signature(group: Sequence[StatusLine]) -> SignatureFacts:
    verdicts = [line for line in group if line.keyword in _STATES]
    valid = [line for line in group if line.keyword == "VALIDSIG"]
    if len(verdicts) != 1 or len(valid) > 1:
        return SignatureFacts(SignatureState.BAD)
    verdict = verdicts[0]
    state = _STATES[verdict.keyword]
    if verdict.keyword == "ERRSIG" and verdict.arg(5) == _MISSING_KEY:
        fingerprint = verdict.arg(6)
        return SignatureFacts(SignatureState.UNKNOWN_KEY, fingerprint if _is_full(fingerprint) else None)
    if state is SignatureState.BAD:
        return SignatureFacts(state)
    primary = valid[0].arg(9) if valid else ""
    if not _is_full(primary) or valid[0].arg(8) not in _DOCUMENT_CLASSES:
        return SignatureFacts(SignatureState.BAD)
    if valid[0].arg(7) in _BROKEN_DIGESTS:
        state = SignatureState.WORTHLESS
    return SignatureFacts(state, primary, _instant(valid[0].arg(2)))


def _is_full(fingerprint: str) -> bool:
    return len(fingerprint) == 40 and all(digit in "0123456789ABCDEF" for digit in fingerprint)


def _instant(seconds: str) -> datetime | None:
    return datetime.fromtimestamp(int(seconds), UTC) if seconds.isascii() and seconds.isdigit() else None

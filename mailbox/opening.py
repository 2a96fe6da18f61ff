"""A letter opened: decrypted, verified, made into a text and files, with what is needed to judge it.

`open_letter` never raises and never shows a byte of something that was altered. What it finds is still
a stranger's word; only a verdict of `good` ties it to a key of the keyring.
"""

import hashlib
from dataclasses import dataclass

from .addresses import mailboxes, same_address
from .automatic import bounced_addresses, looks_like_bounce, why_automatic
from .errors import GpgTimedOut
from .findings import Findings, Piece, Place
from .keyring import Keyring
from .letter import Letter, message_ids
from .limits import Limits
from .offered_keys import OfferedKey, autocrypt_key
from .problem import Problem
from .signing import UNSIGNED, Signature, Verdict, judge
from .targets import find_targets
from .unsealing import Walk
from .words import decoded, shown

__all__ = ["Attachment", "OfferedKey", "Opened", "Problem", "Signature", "Verdict", "open_letter"]

_NO_LIMITS = Limits()


@dataclass(frozen=True)
class Attachment:
    """A file of a letter. The name is safe to show, and never to open; the type is what the sender
    says."""

    name: str
    content_type: str
    content: bytes
    was_sealed: bool = False

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.content)

    @property
    def sha256(self) -> str:
        """The SHA-256 of the bytes, in hexadecimal digits."""
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True)
class Opened:
    """What is in a letter. Text and attachments of sealed pieces that could not be opened are
    missing."""

    letter: Letter
    was_encrypted: bool = False
    """Whether anything in it was sealed."""
    was_decrypted: bool = False
    """Whether anything sealed was opened."""
    partly_encrypted: bool = False
    """Whether something that is shown was not sealed, while something else was."""
    problem: Problem | None = None
    """The first thing that kept the letter from being opened in full; None when it was."""
    signature: Signature = UNSIGNED
    subject: str = ""
    """The subject inside the seal if there is one, else the outer one."""
    text: str = ""
    """Line ends are line feeds; nothing else of the sender's text is changed."""
    attachments: tuple[Attachment, ...] = ()
    keys: tuple[OfferedKey, ...] = ()
    automatic: bool = False
    automatic_because: str | None = None
    bounced: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    in_reply_to: tuple[str, ...] = ()
    """The Message-IDs that this answers, inside the seal if they are there."""
    references: tuple[str, ...] = ()


def open_letter(
    raw: bytes, keyring: Keyring, *, limits: Limits = _NO_LIMITS, loop_marker: str | None = None
) -> Opened:
    """Open a letter; never raises. `loop_marker` is the value of our own X-Loop header."""
    letter = Letter.read(raw, limits)
    try:
        return _open(letter, keyring, limits, loop_marker)
    except GpgTimedOut:
        return Opened(letter, problem=letter.problem or Problem.TIMEOUT)
    except Exception:
        return Opened(letter, problem=letter.problem or Problem.UNREADABLE)


def _open(letter: Letter, keyring: Keyring, limits: Limits, loop_marker: str | None) -> Opened:
    walk = Walk(keyring, limits)
    if letter.problem is not Problem.TOO_LARGE or letter.root.children or letter.root.body:
        walk.visit(letter.root, Place())
    findings = walk.findings
    text, is_whole = _text(findings.pieces, limits.text)
    problems = [letter.problem, *findings.problems, None if is_whole else Problem.TOO_LARGE]
    findings.offers.add(autocrypt_key(letter))
    bounced = bounced_addresses(letter)
    because = why_automatic(letter, loop_marker=loop_marker)
    if because is None and bounced and looks_like_bounce(letter):
        because = "bounce"
    subject = _protected(findings, "subject")
    return Opened(
        letter=letter,
        was_encrypted=findings.sealed > 0,
        was_decrypted=findings.opened > 0,
        partly_encrypted=_is_partly_encrypted(findings),
        problem=next((problem for problem in problems if problem), None),
        signature=_signature(letter, findings, keyring),
        subject=shown(subject) if subject is not None else letter.subject,
        text=text,
        attachments=tuple(_attachments(findings.pieces)),
        keys=findings.offers.examined(keyring),
        automatic=because is not None,
        automatic_because=because,
        bounced=bounced,
        targets=find_targets(f"{text}\n{subject or letter.subject}", limit=limits.targets),
        in_reply_to=message_ids(_protected(findings, "in-reply-to") or "") or letter.in_reply_to,
        references=message_ids(_protected(findings, "references") or "") or letter.references,
    )


def _protected(findings: Findings, name: str) -> str | None:
    headers = findings.protected
    return headers.text(name) if headers is not None and headers.has(name) else None


def _text(pieces: list[Piece], limit: int) -> tuple[str, bool]:
    """Join the texts, each on a line of its own; the second value tells whether all of it fits the
    limit."""
    texts = [piece.text for piece in pieces if not piece.is_blank and piece.content is None]
    joined = "".join(text if text.endswith("\n") else f"{text}\n" for text in texts[:-1]) + "".join(
        texts[-1:]
    )
    return joined[:limit], len(joined) <= limit


def _attachments(pieces: list[Piece]) -> list[Attachment]:
    return [
        Attachment(piece.name or "unnamed", piece.content_type, piece.content, piece.place.is_sealed)
        for piece in pieces
        if piece.content is not None
    ]


def _is_partly_encrypted(findings: Findings) -> bool:
    return findings.sealed > 0 and any(
        not piece.is_blank and not piece.place.is_sealed for piece in findings.pieces
    )


def _signature(letter: Letter, findings: Findings, keyring: Keyring) -> Signature:
    covered = {piece.place.signature for piece in findings.pieces if not piece.is_blank}
    covers_everything = covered <= {0} and _is_from_inside(letter, findings)
    return judge(letter, findings.signatures, covers_everything, keyring.facts)


def _is_from_inside(letter: Letter, findings: Findings) -> bool:
    """Tell whether a From inside the seal, if there is one, names the outer sender (RFC 9788,
    section 4.4)."""
    if findings.protected is None:
        return True
    inside = [entry for value in findings.protected.all("from") for entry in mailboxes(decoded(value, None))]
    return all(same_address(entry.address, letter.sender or "") for entry in inside)

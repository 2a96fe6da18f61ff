"""A letter opened: decrypted, verified, made into a text and files, with what is needed to judge it.

`open_letter` never raises and never shows a byte of something that was altered. What it finds is still
a stranger's word; only a verdict of `good` ties it to a key of the keyring.
"""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime

from .addresses import mailboxes, same_address
from .automatic import bounced_addresses, looks_like_bounce, why_automatic
from .errors import GpgTimedOut
from .findings import Findings, Piece, Place
from .keyring import Keyring
from .letter import Letter, message_ids
from .limits import Limits
from .offered_keys import OfferedKey, autocrypt_key
from .parts import Part
from .problem import Problem
from .signing import UNSIGNED, Signature, Verdict, judge
from .targets import find_targets
from .unsealing import Walk, says_something
from .words import decoded, shown

__all__ = ["Attachment", "OfferedKey", "Opened", "Problem", "Signature", "Verdict", "open_letter"]

_NO_LIMITS = Limits()
_MUTED = 20  # forms that are not shown and yet looked at; beyond, each is taken to say something
# What is wrong with a sealed or signed piece. Behind any other problem lies something that was not looked
# at, and that no signature may vouch for.
_OF_A_PIECE = frozenset(
    {
        Problem.NO_SECRET_KEY,
        Problem.PASSPHRASE,
        Problem.TAMPERED,
        Problem.MALFORMED,
        Problem.UNSUPPORTED,
        Problem.NEWER_FORMAT,
    }
)


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
    """Whether something that a reader may be shown was not sealed, while something else was."""
    partly_signed: bool = False
    """Whether something that a reader may be shown was not signed, while something else was."""
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
    meant_for: tuple[str, ...] = ()
    """To whom it was sent, as it stands inside the seal or the signature; empty where nothing does."""


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
    findings.offers.add(autocrypt_key(letter, findings.protected))
    bounced = bounced_addresses(letter)
    because = _why_automatic(letter, findings, loop_marker)
    if because is None and bounced and looks_like_bounce(letter):
        because = "bounce"
    subject = _protected(findings, "subject")
    places = _places(findings, limits)
    return Opened(
        letter=letter,
        was_encrypted=findings.sealed > 0,
        was_decrypted=findings.opened > 0,
        partly_encrypted=findings.sealed > 0 and not all(place.is_sealed for place in places),
        partly_signed=bool(findings.signatures) and not all(place.signatures for place in places),
        problem=next((problem for problem in problems if problem), None),
        signature=_signature(letter, findings, places, problems, keyring),
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
        meant_for=tuple(_meant_for(findings)),
    )


def _why_automatic(letter: Letter, findings: Findings, loop_marker: str | None) -> str | None:
    """Ask the headers outside, then those inside: a sealed answer of a machine may show nothing outside."""
    because = why_automatic(letter, loop_marker=loop_marker)
    if because is None and findings.protected is not None:
        inside = Letter(b"", Part(b"", 0, 0, findings.protected), limits=letter.limits)
        because = why_automatic(inside, loop_marker=loop_marker)
    return because


def _protected(findings: Findings, name: str) -> str | None:
    headers = findings.protected
    return headers.text(name) if headers is not None and headers.has(name) else None


def _meant_for(findings: Findings) -> list[str]:
    headers = findings.protected
    values = [value for name in ("to", "cc") for value in headers.all(name)] if headers else []
    return [entry.address for value in values for entry in mailboxes(decoded(value, None))]


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


def _places(findings: Findings, limits: Limits) -> list[Place]:
    """Give the place of everything that a reader may be shown, also in a form that is not shown here."""
    places = [*(piece.place for piece in findings.pieces if not piece.is_blank), *findings.closed]
    if findings.sealed or findings.signatures:
        looked_at, others = findings.muted[:_MUTED], findings.muted[_MUTED:]
        places += [place for part, place in looked_at if says_something(part, limits)]
        places += [place for _, place in others]
    return places


def _signature(
    letter: Letter,
    findings: Findings,
    places: list[Place],
    problems: Collection[Problem | None],
    keyring: Keyring,
) -> Signature:
    numbers = [place.signatures for place in places]
    covering = frozenset(range(len(findings.signatures))).intersection(*numbers)
    if all(place.is_sealed and place.signatures for place in places):
        # Clients that seal file by file also sign file by file. Who puts old pieces together anew has
        # still only what the signer sealed; clear-signed pieces, which anybody may have, do not count.
        covering = covering.union(*numbers)
    is_all_known = bool(places) and all(problem in _OF_A_PIECE for problem in problems if problem)
    if not is_all_known or not _is_from_inside(letter, findings):
        covering = frozenset[int]()
    return judge(letter, findings.signatures, covering, keyring.facts, now=datetime.now(UTC))


def _is_from_inside(letter: Letter, findings: Findings) -> bool:
    """Tell whether a From inside the seal or the signature, if there is one, names the outer sender
    (RFC 9788, section 4.4)."""
    if findings.protected is None:
        return True
    inside = [entry for value in findings.protected.all("from") for entry in mailboxes(decoded(value, None))]
    return all(same_address(entry.address, letter.sender or "") for entry in inside)

"""Mail addresses as they stand in headers and in the names of keys, read so that nobody is taken for
another.

`email.utils.getaddresses` guesses when a header is ambiguous, and recurses into nested comments; this
reads from left to right, guesses nothing, and says when there was something to guess (RFC 5322, section
3.4).
"""

import re
from dataclasses import dataclass

from .words import shown, unfolded

_PIECE = re.compile(r'"(?:[^"\\]|\\.)*+"?|<[^<>]*>?|\[[^\[\]]*\]?|[(),;:]|[^"<>\[(),;:]+|>', re.DOTALL)
_ADDRESS = re.compile(
    r'(?:"(?:[^"\\\r\n]|\\[^\r\n]){1,320}"|[^\s"@<>(),:;\\]{1,320})'  # RFC 5321 allows 64
    r'@(?:\[[^\[\]\s]+\]|[^\s"@<>(),:;\\\[\]]+)'
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u0080-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True)
class Mailbox:
    """One entry of an address header; `is_ambiguous` when two readers could see two different
    addresses."""

    address: str
    name: str = ""
    is_ambiguous: bool = False


def same_address(one: str, other: str) -> bool:
    """Tell whether two addresses are one, whatever the case of their ASCII letters.

    Other scripts are compared as they are: the Kelvin sign is no k, though Python's `lower()` says so.
    """
    return _folded(one) == _folded(other) and bool(one)


def _folded(address: str) -> str:
    return "".join(letter.lower() if letter.isascii() else letter for letter in address)


def mailboxes(value: str, *, limit: int = 1000) -> tuple[Mailbox, ...]:
    """Give the entries of an address header, at most `limit`; entries without any address are left
    out."""
    found: list[Mailbox] = []
    entry = _Entry()
    depth = 0
    for match in _PIECE.finditer(value):
        piece = match.group()
        if piece in "()":
            depth = max(0, depth + (1 if piece == "(" else -1))
        elif depth:
            continue
        elif piece in ",;":
            found += entry.mailboxes()
            entry = _Entry()
        elif piece == ":":
            entry = _Entry()  # the name of a group, such as "undisclosed-recipients"
        else:
            entry.take(piece)
        if len(found) >= limit:
            return tuple(found[:limit])
    return (*found, *entry.mailboxes())


class _Entry:
    """What was read of one entry so far."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.angles: list[str] = []

    def take(self, piece: str) -> None:
        if piece.startswith("<"):
            inside = piece.strip("<>").strip()
            self.angles.append(
                inside.rpartition(":")[2] if inside.startswith("@") else inside
            )  # an old route
        else:
            self.words.append(piece)

    def mailboxes(self) -> list[Mailbox]:
        words = "".join(self.words).strip()
        candidates = [angle for angle in self.angles if angle] or [words]
        addresses = [text for text in candidates if _ADDRESS.fullmatch(text) and not _CONTROL.search(text)]
        if not addresses:
            return _guessed(candidates)
        unquoted = "".join(word for word in self.words if not word.startswith('"'))
        others = [found.group() for found in _ADDRESS.finditer(unquoted)] if self.angles else []
        doubtful = len(candidates) > 1 or any(not same_address(addresses[0], other) for other in others)
        name = _name(words) if self.angles else ""
        return [Mailbox(address, name, doubtful) for address in addresses]


def _name(words: str) -> str:
    """Give a name as it is meant to be read, in one line that is safe to show."""
    unquoted = re.sub(r'\\(.)|"', r"\1", words)
    return shown(unfolded(unquoted.encode("utf-8", "surrogateescape")), limit=200)


def _guessed(candidates: list[str]) -> list[Mailbox]:
    """Find the one address in an entry that is not written by the rules; it can be answered, but
    proves nothing."""
    found = [match.group() for text in candidates for match in _ADDRESS.finditer(text)]
    return [Mailbox(found[0], is_ambiguous=True)] if len(found) == 1 and not _CONTROL.search(found[0]) else []


def address_of_user_id(user_id: str) -> str | None:
    """Give the one address that a key's user ID names, or None when it names none, or more than one.

    A user ID such as `"alice@x.example" <eve@y.example>` names eve; two pairs of angle brackets name
    nobody.
    """
    if user_id.count("<") > 1 or user_id.count(">") > 1 or _CONTROL.search(user_id):
        return None
    bare = user_id.strip()
    if "<" in bare:
        start = bare.index("<")
        bare = bare[start + 1 : -1] if bare.endswith(">") else ""
    return bare if _ADDRESS.fullmatch(bare) else None

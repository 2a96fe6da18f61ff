"""Readings of a text that remember where each character came from.

A name can hide behind capitals, accents, look-alike letters, invisible characters, percent signs or
entities. A view undoes that, is searched, and maps what was found back to the bytes to remove, so
that everything else stays exactly as it was written.
"""

import html
import re
import unicodedata
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator
from functools import lru_cache

_SPECIAL = {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "\u0131": "i", "æ": "ae", "œ": "oe", "þ": "th"}
# Cyrillic and Greek letters that look Latin; a name of either script folds the same way itself.
_LOOKS_LIKE = dict(zip("аеорсухіјѕһԁԛԝкмтвнοανιρτυχκ", "aeopcyxijshdqwkmtbhoaviptuxk", strict=True))
_INVISIBLE = {"Cf", "Mn", "Me"}
_ROUNDS = 3

_ENCODED = re.compile(
    r"(?:%[0-9a-f]{2})+|(?:=[0-9a-f]{2})+|=\r?\n|(?:\\x[0-9a-f]{2})+|(?:\\u[0-9a-f]{4})+"
    r"|&#x?[0-9a-f]{1,7};|&[a-z]{2,31};",
    re.IGNORECASE,
)
_SEPARATORS = re.compile(r"[\W_]+")


class View:
    """A rewritten text; ``span`` leads from a place in it to the place in the original."""

    def __init__(self, text: str) -> None:
        """Begin with the original itself."""
        self.text = text
        self._parent: View | None = None
        self._at = array("q")
        self._length = array("q")
        self._from = array("q")
        self._to = array("q")

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The original characters behind ``text[start:end]``, which must not be empty."""
        if self._parent is None:
            return start, end
        return self._parent.span(self._origin(start)[0], self._origin(end - 1)[1])

    def _origin(self, place: int) -> tuple[int, int]:
        last = bisect_right(self._at, place) - 1
        if last < 0:
            return place, place + 1
        beyond = place - self._at[last] - self._length[last]
        if beyond < 0:
            return self._from[last], self._to[last]
        return self._to[last] + beyond, self._to[last] + beyond + 1

    def rewritten(self, tokens: re.Pattern[str], rewrite: Callable[[str], str]) -> "View":
        """The view in which each token is replaced; the same view where there is none."""
        child, parts, done, length = View(""), list[str](), 0, 0
        for token in tokens.finditer(self.text):
            new = rewrite(token[0])
            parts += (self.text[done : token.start()], new)
            length += token.start() - done
            child._note(length, len(new), token)
            length += len(new)
            done = token.end()
        if not parts:
            return self
        parts.append(self.text[done:])
        child.text, child._parent = "".join(parts), self
        return child

    def _note(self, at: int, length: int, token: re.Match[str]) -> None:
        self._at.append(at)
        self._length.append(length)
        self._from.append(token.start())
        self._to.append(token.end())

    def folded(self) -> "View":
        """Without case, accents, look-alikes and invisible characters."""
        folds = {character: _fold_character(character) for character in set(self.text)}
        single = {ord(old): new for old, new in folds.items() if len(new) == 1 and new != old}
        child = View(self.text.translate(single))
        child._parent = self
        others = [re.escape(old) for old, new in folds.items() if len(new) != 1]
        if not others:
            return child
        return child.rewritten(re.compile(f"[{''.join(others)}]"), _fold_character)

    def squashed(self) -> "View":
        """Letters and digits only, for a view that is folded."""
        return self.rewritten(_SEPARATORS, lambda _: "")


def fold(text: str) -> str:
    """A text as :meth:`View.folded` shows it."""
    return View(text).folded().text


def squash(text: str) -> str:
    """The folded letters and digits of a text."""
    return _SEPARATORS.sub("", fold(text))


def decodings(text: str) -> Iterator[View]:
    """The text, then what its percent, quoted-printable, escape and entity codes stand for."""
    view = View(text)
    yield view
    for _ in range(_ROUNDS):
        decoded = view.rewritten(_ENCODED, _decoded)
        if decoded.text == view.text:
            return
        view = decoded
        yield view


def _decoded(code: str) -> str:
    if code.startswith("&"):
        return html.unescape(code)
    if code[:2] in ("\\u", "\\U"):
        units = b"".join(int(unit, 16).to_bytes(2, "big") for unit in re.split(r"(?i)\\u", code)[1:])
        return units.decode("utf-16-be", "replace")
    # A soft line break of quoted-printable (RFC 2045, 6.7) is white space here: no bytes at all.
    raw = bytes.fromhex(re.sub(r"(?i)\\x|[%=]", "", code))
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


@lru_cache(maxsize=20_000)
def _fold_character(character: str) -> str:
    lowered = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", character).casefold())
    return "".join(_fold_part(part) for part in lowered)


def _fold_part(part: str) -> str:
    if unicodedata.category(part) in _INVISIBLE:
        return ""
    digit = unicodedata.decimal(part, None)
    if digit is not None:
        return str(digit)
    return _SPECIAL.get(part) or _LOOKS_LIKE.get(part, part)

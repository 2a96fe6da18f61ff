"""The last look at a copy before it leaves: does it still show who the reporter is?

This shares no pattern and no folding with the scrubbing, so that a mistake there is seen here. It
would rather hold a copy that is clean than let one go that is not.
"""

import html
import quopri
import re
import unicodedata
from binascii import a2b_base64
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote

from .scrub_identity import Identity

_MARKER = re.compile(r"\[removed: (?:signature|quote|key|address|phone|handle|name|encoded|number)\]")
_SHORT = 8
_DEPTH = 3
_CONNECTIVES = re.compile(
    r"van|der|den|des|ter|ten|tot|het|von|zum|zur|vom|del|dos|las|los|aan|bij|uit|voor|and|the|und"
    r"|ibn|bin|auf|das|dei|della|degli|bsc|msc|phd|mba|drs|ing|mrs|miss|dhr|prof|mevr|mevrouw"
    r"|meneer|heer|sir|madam|\d+"
)


@dataclass(frozen=True)
class _Marks:
    """What gives somebody away: ``runs`` without any separators, ``words``, mailboxes."""

    runs: frozenset[str]
    words: frozenset[str]
    mailboxes: tuple[re.Pattern[str], ...]


def still_identifies(content: str | bytes, identity: Identity) -> bool:
    """Whether a composed copy shows the identity, in the open or in a usual encoding."""
    marks = _marks(identity)
    text = content if isinstance(content, str) else _text(content)
    return any(_shows(reading, marks) for reading in _readings(text, _DEPTH))


def _text(content: bytes) -> str:
    """The bytes as text, in every reading that mail and its attachments use."""
    readings: list[str] = []
    for octets in {content, content.replace(b"\x00", b"")}:  # UTF-16 is Latin with zeros between
        readings.append(octets.decode("utf-8", "replace"))
        if "\ufffd" in readings[-1]:
            readings.append(octets.decode("latin-1"))
    return "\x00".join(readings)


def _plain(text: str) -> str:
    """Lower case without accents and invisible characters."""
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    if decomposed.isascii():
        return decomposed
    dropped = {ord(c): None for c in set(decomposed) if unicodedata.category(c) in ("Mn", "Cf")}
    return decomposed.translate(dropped)


def _bare(text: str) -> str:
    """Letters and digits only, but for the fence that a removed place leaves."""
    return re.sub(r"[^\w\x00]|_", "", text)


def _marks(identity: Identity) -> _Marks:
    runs = {_bare(_plain(value)) for value in (*identity.names, *identity.addresses)}
    runs |= {_bare(_plain(handle.rpartition("/")[2])) for handle in identity.handles}
    for number in identity.phones:
        digits = re.sub(r"\D", "", _plain(number))
        runs |= {digits, digits[-9:]} if len(digits) >= 7 else set[str]()
    for key in identity.fingerprints:
        digits = _bare(_plain(key)).removeprefix("0x")
        runs |= {digits, digits[-16:], digits[-8:]}
    words = {
        word
        for name in identity.names
        for word in (*re.findall(r"[^\W_]+", _plain(name)), *map(_bare, _plain(name).split()))
        if len(word) >= 3 and not _CONNECTIVES.fullmatch(word)
    }
    mailboxes = tuple(_mailbox(address) for address in identity.addresses if "@" in address)
    return _Marks(frozenset(run for run in runs if len(run) >= 2), frozenset(words), mailboxes)


def _mailbox(address: str) -> re.Pattern[str]:
    """An address without its separators, with whatever a tag or ``[at]`` puts in the middle."""
    local, _, domain = _plain(address).rpartition("@")
    sides = (re.findall(r"[^\W_]+", side) for side in (local.partition("+")[0], domain))
    dots = "(?:dot|punt)?"
    return re.compile(r"[^\W_]{0,40}?".join(dots.join(map(re.escape, side)) for side in sides))


def _readings(text: str, depth: int) -> Iterator[str]:
    """The text and everything that it may decode to, each reading once."""
    seen = set[str]()
    waiting = [text]
    for _ in range(depth):
        fresh = [reading for reading in dict.fromkeys(waiting) if reading not in seen]
        seen.update(fresh)
        yield from fresh
        waiting = [decoded for reading in fresh for decoded in _decodings(reading)]


def _decodings(text: str) -> Iterator[str]:
    if "&" in text:
        yield html.unescape(text)
    if "%" in text:
        yield unquote(text, errors="replace")
    if "=" in text:
        yield _text(quopri.decodestring(text.encode("utf-8", "replace")))
    if "\\" in text:
        yield re.sub(r"(?i)\\(?:u|x(?=[0-9a-f]{2}))([0-9a-f]{4}|[0-9a-f]{2})", _character, text)
    packed = "\x00".join((*_from_base64(text), *_from_hex(text)))
    if packed:
        yield packed


def _character(escape: re.Match[str]) -> str:
    digits = escape[1] if escape[0][1] in "uU" else escape[1][:2]
    return chr(int(digits, 16)) + escape[1][len(digits) :]


def _from_base64(text: str) -> Iterator[str]:
    joined = re.sub(r"(?<=[A-Za-z0-9+/]{40})\r?\n(?=[A-Za-z0-9+/])", "", text)
    for run in re.findall(r"[A-Za-z0-9+/]{8,}", joined.replace("-", "+").replace("_", "/")):
        for skip in range(4):
            letters = run[skip : len(run) - ((len(run) - skip) % 4 == 1)]
            raw = a2b_base64(letters + "=" * (-len(letters) % 4))
            yield from _legible(raw)


def _from_hex(text: str) -> Iterator[str]:
    for run in re.findall(r"(?:(?:0x)?[0-9A-Fa-f]{2}[\s:,-]{0,2}){6,}", text):
        for part in {run, *run.split()}:
            digits = re.sub(r"0x|[^0-9A-Fa-f]", "", part)
            yield from _legible(bytes.fromhex(digits)) if len(digits) % 2 == 0 else ()


def _legible(raw: bytes) -> list[str]:
    """The stretches of at least four readable characters, as ``strings`` shows them."""
    text = raw.replace(b"\x00", b"").decode("utf-8", "replace")
    return re.findall(r"[^\x00-\x08\x0e-\x1f\x7f-\x9f\ufffd]{4,}", text)


def _shows(text: str, marks: _Marks) -> bool:
    plain = _plain(_MARKER.sub("\x00", text))
    bare = _bare(plain)
    if any(run in bare for run in marks.runs if len(run) >= _SHORT):
        return True
    if any(mailbox.search(bare) for mailbox in marks.mailboxes):
        return True
    words = re.findall(r"[^\W_]+|\x00", plain)
    present = set(words) | set(re.findall(r"[^\W\d_]{5,}", plain))
    if any(word in present or f"{word}s" in present for word in marks.words):
        return True
    spaced = "\x01" + "\x01".join(words) + "\x01"
    return any(
        re.search("\x01" + "\x01?".join(map(re.escape, run)) + "\x01", spaced)
        for run in marks.runs
        if len(run) < _SHORT
    )

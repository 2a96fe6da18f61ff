"""Bytes of unknown honesty made into text: charsets that lie, encoded words that are broken, names
that mislead."""

import binascii
import codecs
import re
from encodings import normalize_encoding
from encodings.aliases import aliases
from functools import lru_cache

# The names that Python lacks, and the larger sets that senders mean (https://encoding.spec.whatwg.org).
_ALIASES = {
    "iso-8859-8-i": "iso-8859-8",
    "iso-8859-8-e": "iso-8859-8",
    **dict.fromkeys(("shift_jis", "shift-jis", "sjis", "csshiftjis", "ms_kanji", "x-sjis"), "cp932"),
    **dict.fromkeys(("windows-31j", "cswindows31j", "x-ms-cp932"), "cp932"),
    **dict.fromkeys(("shift_jis_2004", "shift_jisx0213"), "cp932"),  # theirs has a yen sign for a backslash
    **dict.fromkeys(("euc-kr", "ks_c_5601-1987", "ks_c_5601-1989", "ksc5601", "korean"), "cp949"),
    **dict.fromkeys(("x-euc", "x-euc-jp"), "euc_jp"),
    **dict.fromkeys(("iso-8859-11", "tis-620"), "cp874"),
    "big5": "big5hkscs",
    "iso-8859-9": "cp1254",
    "x-gbk": "gb18030",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "windows-874": "cp874",
    "x-mac-roman": "mac_roman",
    "x-mac-cyrillic": "mac_cyrillic",
    "x-mac-greek": "mac_greek",
    "x-mac-turkish": "mac_turkish",
    "x-mac-ce": "mac_latin2",
    "unicode-1-1-utf-7": "utf-7",
    "unicode-1-1-utf-8": "utf-8",
    "latin-1": "cp1252",
    "iso-8859-1": "cp1252",
    "us-ascii": "ascii",
    "ansi_x3.4-1968": "ascii",
}
# Everything that may be looked up: a stranger's name for a charset must not make Python import a module, nor
# be a codec that interprets (`unicode_escape` makes two lines of C:\\new) or is quadratic (`punycode`).
_NAMED = frozenset(aliases) | frozenset(aliases.values())
_UNNAMED = frozenset(
    [
        "cp720",
        "cp737",
        "cp856",
        "cp874",
        "cp875",
        "cp1006",
        "koi8_t",
        "koi8_u",
        "mac_arabic",
        "mac_croatian",
        "mac_farsi",
        "mac_romanian",
    ]
)
_WORD = re.compile(r"=\?([^?\s*]{1,60})(?:\*[^?\s]{0,20})?\?([bBqQ])\?((?:[^\r\n]|\r?\n[ \t]){0,1000}?)\?=")
_FOLD = re.compile(r"\r?\n[ \t]+")
_UNSHOWABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]+"
)


@lru_cache(maxsize=256)
def charset(name: str) -> str | None:
    """Give the codec for a charset's name, or None for one that is unknown or not meant for mail."""
    wanted = name.strip(" \t\r\n'\"").lower()[:60]
    wanted = normalize_encoding(_ALIASES.get(wanted, wanted)).lower()
    if wanted not in _NAMED and wanted not in _UNNAMED:
        return None
    try:
        codec = codecs.lookup(wanted)
    except LookupError:  # it is known, but of another operating system
        return None
    is_for_text: bool = getattr(codec, "_is_text_encoding", True)
    return codec.name if is_for_text else None


@lru_cache(maxsize=256)
def _extends_ascii(codec: str) -> bool:
    try:
        return b"<abc>".decode(codec) == "<abc>"
    except UnicodeError:
        return False


#: Half a letter, which UTF-7 can write and nothing can send.
_SURROGATE = re.compile("[\ud800-\udfff]")


def decoded(octets: bytes, declared: str | None) -> str:
    """Decode with the declared charset if it fits, else as UTF-8 if that fits, else as Windows-1252;
    never raises.

    UTF-16, UTF-32 or EBCDIC that is nothing but ASCII bytes is a false declaration, and read as ASCII.
    """
    codec = charset(declared) if declared else None
    if codec and octets.isascii() and b"\0" not in octets and not _extends_ascii(codec):
        codec = "ascii"
    for attempt in (codec, "utf-8"):
        if attempt:
            try:
                return _SURROGATE.sub("\ufffd", octets.decode(attempt)).removeprefix("\ufeff")
            except (UnicodeError, ValueError):
                continue
    return _mostly(octets, codec if codec not in (None, "ascii") else "utf-8")


def decoded_as(octets: bytes, likely: str, declared: str | None) -> str:
    """Decode with the likely charset if every byte fits it, else as `decoded` does."""
    try:
        return octets.decode(likely)
    except UnicodeError:
        return decoded(octets, declared or likely)


def _mostly(octets: bytes, codec: str) -> str:
    """Keep the charset when single bad bytes spoil the text; take Windows-1252 when little of it
    fits."""
    text = octets.decode(codec, "replace")
    beyond_ascii = sum(letter > "\x7f" for letter in text)
    return text if text.count("\ufffd") * 4 <= beyond_ascii else octets.decode("cp1252", "replace")


def unfolded(value: bytes) -> str:
    """Give a raw header value as one line of text: 8-bit bytes, encoded words and folds resolved; never
    raises.

    Neighbouring encoded words of one charset are joined before they are decoded: some senders cut
    inside a letter.
    """
    text = decoded(value, None)
    pieces: list[str] = []
    name, octets, end = "", b"", 0
    for found in _WORD.finditer(text):
        between = text[end : found.start()]
        is_neighbour = bool(octets) and not between.strip()
        if not is_neighbour or found.group(1).lower() != name:
            pieces.append(decoded(octets, name))
            octets = b""
        if not is_neighbour:
            pieces.append(between)
        name, end = found.group(1).lower(), found.end()
        octets += _word(found.group(2), found.group(3))
    return "".join((*pieces, decoded(octets, name), text[end:])).replace("\r", "").replace("\n", "").strip()


def _word(encoding: str, text: str) -> bytes:
    raw = _FOLD.sub("", text).encode("utf-8", "replace")
    return binascii.a2b_qp(raw, header=True) if encoding in "qQ" else from_base64(raw)


def from_base64(text: bytes) -> bytes:
    """Decode base64, keeping everything that can be decoded; never raises.

    Characters outside the alphabet are passed over, as are lines that are plainly prose (a mailing
    list's footer); padding in the middle ends one run and starts another. What begins with prose and is
    prose for the most part was never encoded, and stays as it is.
    """
    if _SPACED.search(text) and not _GROUPS.fullmatch(text):
        rest = _PROSE.sub(b"", text)
        if _PROSE.match(text.lstrip()) and 2 * len(rest.strip()) < len(text):
            return text
        text = rest
    decoded_runs = bytearray()
    for run in _RUN.finditer(text.translate(None, _NOT_BASE64)):
        decoded_runs += _run(run[0])
    return bytes(decoded_runs)


def from_uuencode(text: bytes) -> bytes:
    """Decode uuencode, from its `begin` line on; lines that are none are left out, and a text without
    any stays as it is."""
    begin = _BEGIN.search(text)
    if begin is None:
        return text
    found = bytearray()
    for line in text[begin.end() :].splitlines():
        if line.rstrip() == b"end":
            break
        try:
            found += binascii.a2b_uu(line)
        except binascii.Error:
            continue
    return bytes(found)


_BEGIN = re.compile(rb"(?m)^begin [0-7]{3,4} [^\n]*\n")
_RUN = re.compile(rb"[^=]+")
_GROUPS = re.compile(rb"(?:[A-Za-z0-9+/]{4}\s*+)*+(?:[A-Za-z0-9+/]{2,3}={0,2}\s*+)?")
_SPACED = re.compile(rb"\S[ \t]+\S")
_PROSE = re.compile(rb"(?m)^[^\n]*?\S[ \t]+\S[^\n]*$")
_NOT_BASE64 = bytes(
    byte
    for byte in range(256)
    if byte not in b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
)


def _run(run: bytes) -> bytes:
    whole = run[:-1] if len(run) % 4 == 1 else run
    return binascii.a2b_base64(whole + b"=" * (-len(whole) % 4))


def shown(text: str, *, limit: int = 1000) -> str:
    """Make a line safe to show: control, invisible and direction-changing characters become spaces."""
    return _UNSHOWABLE.sub(" ", text[: limit * 4]).strip()[:limit]


def file_name(text: str) -> str:
    """Make a file name safe to show, never to open: the last path element, without tricks; empty for
    none."""
    return shown(text.replace("\\", "/").rpartition("/")[2], limit=200).strip(". ")

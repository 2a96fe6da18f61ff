"""The shapes of mail that OpenPGP hides in: RFC 3156, what servers make of it, and what clients add."""

import re
from html import unescape

from .armour import Sort, bare_name, begins_with, has_armour, is_binary_message, is_sealed_file
from .html_text import text_of
from .limits import Limits
from .parts import Part
from .words import decoded

SHOWN_TEXTS = frozenset(
    {"text/plain", "text/html", "text/markdown", "text/enriched", "text/x-markdown", "application/pgp"}
)
SMIME = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})
TEXTS_FOR_PROGRAMS = frozenset(
    {"text/calendar", "text/css", "text/directory", "text/rfc822-headers", "text/vcard", "text/x-vcard"}
)
STUB_WORDS = 30
_NAMES_OF_TEXTS = frozenset(
    {"", "encrypted", "message", "msg", "noname", "openpgp-encrypted-message", "openpgp encrypted message"}
)
_WORDLESS = re.compile(
    r"<(?:img|image|svg|picture|object|embed|iframe|video|canvas|input|button|textarea|link)\b"
    r"|\bcontent\s*:|\bbackground\s*=|\burl\(|image-set\(|@import\b|\\",  # a backslash may hide any of these
    re.IGNORECASE,
)
_MARKER = re.compile(rb"\s*version[ \t]*:[ \t]*1\s*", re.IGNORECASE)
_LONGEST_MARKER = 200  # bytes
_FIELD = rb"[!-9;-~]{1,80}:[^\n]*\n(?:[ \t][^\n]*\n)*+"
_ONLY_FIELDS = re.compile(rb"(?:" + _FIELD + rb"){1,100}+")
_STARTS_ENTITY = rb"(?:mime-version[ \t]*:|content-type[ \t]*:[ \t]*(?:multipart|text|message)/)"
_ENTITY = re.compile(rb"\s{0,4}" + _STARTS_ENTITY, re.IGNORECASE)
_NAMED_ENTITY = re.compile(rb"\s{0,4}(?:" + _FIELD + rb"){0,50}?" + _STARTS_ENTITY, re.IGNORECASE)
LEGACY_DISPLAY = re.compile(r"\A(?:[!-9;-~]+:[^\n]*\n(?:[ \t][^\n]*\n)*)+\n")


def is_unknown_text(part: Part) -> bool:
    """Tell whether a part is a text of a kind that is shown as it stands (RFC 2046, section 4.1.4)."""
    is_text = part.content_type.startswith("text/") and part.content_type not in TEXTS_FOR_PROGRAMS
    return is_text and not part.file_name


def is_stub(form: Part) -> bool:
    """Tell whether a plain form is so short that it may only say that the message is in HTML."""
    if form.content_type != "text/plain" or has_armour(content := form.content()):
        return False
    return len(content.split()) <= STUB_WORDS


def is_undivided_text(part: Part) -> bool:
    """Tell whether a part that calls itself a multipart is just a text: its boundary occurs nowhere."""
    if not part.content_type.startswith("multipart/"):
        return False
    boundary = part.raw_parameter("boundary")
    return not boundary or b"--" + boundary not in part.body


def is_copy_of_headers(part: Part) -> bool:
    """Tell whether a part repeats protected headers for clients that do not know them (the drafts
    before RFC 9788). A part that has a subject of its own is the text itself (mutt)."""
    if not part.parameter("protected-headers"):
        return False
    if part.content_type == "text/rfc822-headers":
        return True
    is_text = part.content_type == "text/plain" and not part.headers.has("subject")
    return is_text and _ONLY_FIELDS.fullmatch(part.content().strip() + b"\n") is not None


def has_protected_headers(part: Part) -> bool:
    """Tell whether the headers of a signed part are the letter's own (RFC 9788, and the drafts before)."""
    return bool(part.parameter("hp") or part.parameter("protected-headers"))


def is_signed(part: Part) -> bool:
    if part.content_type != "multipart/signed" or len(part.children) < 2:
        return False
    protocol = (part.parameter("protocol") or "application/pgp-signature").lower()
    return "pgp" in protocol or part.children[1].content_type == "application/pgp-signature"


def signed_bytes(signed: Part, behind: Part) -> bytes:
    """Give the raw bytes that a detached signature covers: all up to the line end before the delimiter
    (RFC 3156, section 5), the last line of a multipart and what follows it included."""
    covered = signed.raw[signed.start : behind.start]
    return covered[: max(covered.rfind(b"\n--"), 0)].removesuffix(b"\r")


def is_utf8(octets: bytes) -> bool:
    try:
        octets.decode()
    except UnicodeDecodeError:
        return False
    return True


def as_text(part: Part, content: bytes, limits: Limits) -> tuple[bytes, str | None]:
    """Give a text and its charset; HTML becomes text."""
    charset = part.parameter("charset")
    if part.content_type != "text/html":
        is_wide = (charset or "").lower().startswith(("utf-16", "utf-32"))
        return (
            (decoded(content, charset).encode("utf-8", "replace"), "utf-8") if is_wide else (content, charset)
        )
    return text_of(decoded(content, charset), limit=limits.html).encode("utf-8", "replace"), "utf-8"


def shows_without_words(part: Part) -> bool:
    """Tell whether HTML can show something that is no text of it: a picture, a field, a word in its style."""
    if part.content_type != "text/html":
        return False
    return _WORDLESS.search(unescape(decoded(part.content(), part.parameter("charset")))) is not None


def is_entity(content: bytes, name: str | None) -> bool:
    """Tell whether what was sealed is a part with headers. Under a name of RFC 3156's own, any field may
    come first (Apple Mail); a text may start with headers that it is about."""
    is_named = name is not None and name.lower() in _NAMES_OF_TEXTS
    return (_NAMED_ENTITY if is_named else _ENTITY).match(content) is not None


def is_the_text(content: bytes, name: str) -> bool:
    """Tell whether a file that was sealed is the letter's own text, by the names that programs give it."""
    return name.lower() in _NAMES_OF_TEXTS and is_utf8(content) and b"\0" not in content


def ciphertext(part: Part) -> Part | None:
    """Give the part with the sealed content of an RFC 3156 letter, also of one that a mail server
    has rearranged."""
    typed = [child for child in part.children if child.content_type == "application/pgp-encrypted"]
    markers = [child for child in typed if not _is_file_of_its_own(child)]
    if not markers and part.content_type != "multipart/encrypted":
        return None
    others = [child for child in part.children if child not in typed and child.content_type != "text/html"]
    for child in (*others, *markers):
        content = child.content()
        if begins_with(content, Sort.MESSAGE):
            return child
        if child.content_type == "application/octet-stream" and is_binary_message(content):
            return child
    if part.content_type != "multipart/encrypted" and not any(is_marker(child) for child in markers):
        return None
    return next((child for child in others if child.content_type == "application/octet-stream"), None)


def is_marker(part: Part) -> bool:
    """Tell whether a part only says that sealed content follows (RFC 3156, section 4)."""
    return part.content_type == "application/pgp-encrypted" and _MARKER.fullmatch(part.content()) is not None


def is_wrong_marker(part: Part) -> bool:
    """Tell whether a part of a multipart/encrypted stands where the marker belongs, and says something
    else or nothing."""
    content = part.content()
    if part.content_type != "application/pgp-encrypted" or len(content) > _LONGEST_MARKER:
        return False
    return is_utf8(content) and not has_armour(content) and not is_marker(part)


def _is_file_of_its_own(part: Part) -> bool:
    """Tell whether a part is a file that was sealed by itself, such as `report.pdf.pgp`."""
    return "." in bare_name(part.file_name) and is_sealed_file(part.content(), part.file_name)


def best_form(children: list[Part]) -> Part:
    """Choose the form that is shown: plain text, else HTML, else the first."""
    for wanted in ("text/plain", "text/html"):
        for child in children:
            if any(part.content_type == wanted and part.body.strip() for part in child.walk()):
                return child
    return children[0]

"""The shapes of mail that OpenPGP hides in: RFC 3156, what servers make of it, and what clients add."""

import re

from .armour import is_binary_message
from .parts import Part

SHOWN_TEXTS = frozenset(
    {"text/plain", "text/html", "text/markdown", "text/enriched", "text/x-markdown", "application/pgp"}
)
SMIME = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})
LOOKS_LIKE_ENTITY = re.compile(
    rb"\s{0,4}(?:mime-version[ \t]*:|content-type[ \t]*:[ \t]*(?:multipart|text|message)/)", re.IGNORECASE
)
LEGACY_DISPLAY = re.compile(r"\A(?:[!-9;-~]+:[^\n]*\n(?:[ \t][^\n]*\n)*)+\n")


def is_undivided_text(part: Part) -> bool:
    """Tell whether a part that calls itself a multipart is just a text: its boundary occurs nowhere."""
    if not part.content_type.startswith("multipart/"):
        return False
    boundary = part.raw_parameter("boundary")
    return not boundary or b"--" + boundary not in part.body


def is_copy_of_headers(part: Part) -> bool:
    """Tell whether a part repeats protected headers for clients that do not know them (the drafts
    before RFC 9788)."""
    is_text = part.content_type == "text/plain" and part.disposition == "inline"
    return bool(part.parameter("protected-headers")) and (
        is_text or part.content_type == "text/rfc822-headers"
    )


def is_signed(part: Part) -> bool:
    if part.content_type != "multipart/signed" or len(part.children) < 2:
        return False
    protocol = (part.parameter("protocol") or "application/pgp-signature").lower()
    return "pgp" in protocol or part.children[1].content_type == "application/pgp-signature"


def ciphertext(part: Part) -> Part | None:
    """Give the part with the sealed content of an RFC 3156 letter, also of one that a mail server
    has rearranged."""
    markers = [child for child in part.children if child.content_type == "application/pgp-encrypted"]
    if not markers and part.content_type != "multipart/encrypted":
        return None
    others = [child for child in part.children if child not in markers and child.content_type != "text/html"]
    for child in (*others, *markers):
        content = child.content()
        if content[:4096].lstrip().startswith(b"-----BEGIN PGP MESSAGE-----"):
            return child
        if child.content_type == "application/octet-stream" and (is_binary_message(content)):
            return child
    return next((child for child in others if child.content_type == "application/octet-stream"), None)


def best_form(children: list[Part]) -> Part:
    """Choose the form that is shown: plain text, else HTML, else the first."""
    for wanted in ("text/plain", "text/html"):
        for child in children:
            if any(part.content_type == wanted and part.body.strip() for part in child.walk()):
                return child
    return children[0]

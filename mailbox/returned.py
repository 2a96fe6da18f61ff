"""What mail servers say of our mail beside a list of failed addresses: that it waits, or in mere words
that it failed.

Anybody can write such a notice: believe one only if it carries a token that we sent.
"""

import re

from .automatic import looks_like_bounce
from .letter import Letter

_SCANNED = 100_000  # bytes
#: What became of a mail, as RFC 3464 has machines say it (section 2.3.3).
_ACTION = re.compile(rb"^Action:[ \t]*(delayed|delivered|relayed|expanded)\b", re.IGNORECASE | re.MULTILINE)
_DELAYED = re.compile(
    r"delay|warning: (?:message|could not send)|still being (?:re)?tried|vertraag|verz(?:ö|oe)ger|retard",
    re.IGNORECASE,
)
_SERVER = re.compile(r"(?:mailer-?daemon|postmaster|microsoftexchange[0-9a-f]+)@", re.IGNORECASE)


def is_delay(letter: Letter) -> bool:
    """Tell whether a mail server says that it is still trying."""
    said = _said(letter)
    return said == b"delayed" or (said is None and _is_from_server(letter) and _is_about_delay(letter))


def is_failure_in_words(letter: Letter) -> bool:
    """Tell whether a mail server says, in words for people only, that a mail could not be delivered."""
    if _said(letter) is not None or _is_about_delay(letter):
        return False
    return _is_from_server(letter) and looks_like_bounce(letter)


def _said(letter: Letter) -> bytes | None:
    found = _ACTION.search(letter.raw[:_SCANNED])
    return found[1].lower() if found else None


def _is_about_delay(letter: Letter) -> bool:
    return bool(_DELAYED.search(letter.subject))


def _is_from_server(letter: Letter) -> bool:
    if any(value.replace(" ", "") == "<>" for value in letter.headers("return-path")):
        return True
    return bool(_SERVER.match(letter.sender or ""))

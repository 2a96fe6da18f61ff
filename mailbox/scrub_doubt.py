"""What a machine cannot decide about a scrubbed text: reasons to let a human look first."""

import re
from collections.abc import Iterable, Mapping

from .scrub_shapes import ORIGINAL

_FREE_PROVIDERS = (
    r"gmail|googlemail|hotmail|outlook|live|yahoo|icloud|protonmail|proton|pm|tutanota|tuta|gmx"
    r"|mailbox|fastmail|ziggo|kpnmail|xs4all|hetnet|planet|home|casema|upcmail|telfort|freedom|aol"
)
_NAME = r"(?:[A-Z][\w'\u2019-]{1,30}|[A-Z]\.)"

_SHORT_SIGNATURE = 7
_IP = re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])")

# Code of the doubt, and what raises it in the text that is left.
_SIGNS: Mapping[str, re.Pattern[str]] = {
    "introduction": re.compile(
        rf"\b(?:[Ii]k ben|I am|I['\u2019]m|[Dd]it is|[Tt]his is)[ \t]+(?:de[ ]|the[ ])?{_NAME}"
        r"|\b(?i:my name is|mijn naam is|ik heet|also known as|a\.k\.a\.)"
    ),
    "profile": re.compile(
        r"(?:linkedin\.com/in|keybase\.io|hackerone\.com|bugcrowd\.com|intigriti\.com|twitter\.com"
        r"|\bx\.com|facebook\.com|instagram\.com|t\.me|wa\.me|linktr\.ee|bsky\.app|about\.me"
        r"|mastodon\.[a-z]{2,12}|infosec\.exchange|orcid\.org)/[@\w]"
        r"|github\.com/[\w-]{1,39}/?(?![\w/-])"
        r"|\b(?:twitter|mastodon|telegram|discord|linkedin|handle|nick(?:name)?)[ \t]{0,3}[:=][ \t]{0,3}@?\w",
        re.IGNORECASE,
    ),
    "contact": re.compile(
        r"\b(?:call me|bel me|bel mij|reach me|contact me|mail me|e-mail me|bereikbaar (?:op|via)"
        r"|te bereiken (?:op|via)|my (?:phone|number|e-?mail|address)|mijn (?:nummer|telefoon|e-?mail"
        r"|mailadres|adres)|(?:on|via|op) signal|whatsapp|threema)\b",
        re.IGNORECASE,
    ),
    "own_page": re.compile(
        r"\b(?:my|mijn|our|onze)[ ](?:own[ ]|eigen[ ])?(?:cv|r[eé]sum[eé]|blog|website|site|portfolio"
        r"|homepage|profile?|profiel|company|bedrijf|talk|writeup|write-up)\b",
        re.IGNORECASE,
    ),
    "employer": re.compile(
        r"\b(?:i work (?:at|for|as)|i study|i['\u2019]m a (?:student|researcher|pentester)"
        r"|ik werk (?:bij|voor|als)|ik studeer|werkzaam bij|namens|on behalf of"
        r"|student (?:at|of|aan)|my employer|mijn werkgever)\b",
        re.IGNORECASE,
    ),
    "free_address": re.compile(rf"[\w+]@(?:{_FREE_PROVIDERS})\.[a-z]{{2,6}}\b", re.IGNORECASE),
    "mail_header": re.compile(
        r"^(?:from|van):[^\n]{0,200}[@<][^\n]{0,200}\n(?:[\w-]{1,40}:[^\n]{0,400}\n){0,3}"
        r"(?:to|aan|sent|verzonden|date|datum|subject|onderwerp):",
        re.IGNORECASE | re.MULTILINE,
    ),
    "house": re.compile(r"\b[1-9]\d{3}[ ]?(?!SA|SD|SS)[A-Z]{2}\b(?=[ ,]{1,3}[A-Z])"),
}
# One to three words on a line of their own, at the very end: perhaps a name that nobody told us.
_SIGN_OFF = re.compile(
    rf"(?:\n[ \t]*\r?|,[ \t]*\r?)\n[ \t]*(?:[-~][ \t]?)?{_NAME}(?:[ ][\w.'\u2019-]{{1,30}}){{0,2}}\Z"
)


def signs_of_doubt(text: str) -> set[str]:
    """Codes for what still looks like somebody in a text that was scrubbed."""
    codes = {code for code, sign in _SIGNS.items() if sign.search(text)}
    return codes | ({"sign_off"} if _SIGN_OFF.search(text.rstrip()[-300:]) else set())


def doubts_about_cuts(original: str, left: str, signatures: Iterable[str]) -> set[str]:
    """Codes for cuts that may have taken too much or too little of the report."""
    codes = {"quoted_mail"} if ORIGINAL.search(original) else set[str]()
    for signature in signatures:
        lines = [line for line in signature.splitlines() if line.strip()]
        if len(lines) > _SHORT_SIGNATURE or _IP.search(signature):
            codes.add("long_signature")
        rest = left.rpartition("[removed: signature]")[2]
        if re.sub(r"\[removed: \w+\]|\s", "", rest):
            codes.add("after_signature")
    return codes

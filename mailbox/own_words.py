"""What somebody wrote themselves in a reply, and whether it may be passed on without who wrote it.

Mail programs put the mail that is answered below or above a reply, and a signature with a name, an
address and a telephone number under it. None of that is what its writer meant to say, and none of it may
reach somebody who is not to know them. What cannot be told apart for certain is doubt: then nothing is sent.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .quoting import may_quote, unquoted
from .scrub import Identity, scrub
from .scrub_shapes import DELIMITER, FAREWELL
from .scrub_views import decodings

#: What stands where a name, an address or a number was taken out.
LEFT_OUT = "[…]"
_REMOVED = re.compile(r"\[removed: \w+\]")
_MOBILE = re.compile(
    r"\W*(?:(?:verstuurd|verzonden|gestuurd) (?:vanaf|vanuit|met|via)\b.{1,60}"
    r"|sent (?:from|with|via|using)\b.{1,60}|(?:get|download) outlook\b.{0,60}"
    r"|outlook (?:voor|for)\b.{1,40}(?:downloaden|ophalen|verkrijgen))\s*",
    re.IGNORECASE,
)
_DISCLAIMER = re.compile(
    r"\W*(?:disclaimer\b|de informatie (?:verzonden )?(?:in|met) dit\b|denk aan het milieu"
    r"|dit (?:e-?mail)?bericht (?:\(.{0,60}\) )?is (?:uitsluitend|alleen|vertrouwelijk)"
    r"|this (?:e-?mail|message)\b.{0,60}\b(?:confidential|intended|privileged)"
    r"|please consider the environment)",
    re.IGNORECASE,
)
#: Our own mail, which only stands in a reply when a program quoted it in a way that we do not know.
_OUR_MAIL = re.compile(r"\(English text below\.\)|\+[A-Za-z0-9_-]{32}@|TLP:AMBER\s*\n")
#: What nobody begins a text with; "thanks" on a line of its own may be the text.
_SURE_FAREWELL = re.compile(r"groet|regards|hoogachtend|sincerely|faithfully|truly|m\.?v\.?g", re.IGNORECASE)
_SENTENCE = re.compile(r"(?:\S+ ){5}|.*[.?!:;]\s*\Z")
_MOST_LINES = 8
_GREETING = r"(?:beste|geachte|hallo|hoi|dag|dear|hello|hi)\s+(?:(?:heer|mevrouw|mr\.?|mrs\.?|ms\.?)\s+)?"
_FIRST_KEPT, _MOST_KEPT = 0xE000, 1000  # characters of no meaning, which stand for words that stay
_DOT, _AT = (
    r"\s?[\[({]?(?:\.|\bdot\b|\bpunt\b)[\])}]?\s?",
    r"\s?(?:@|[\[({]\s?at\s?[\])}]|\bapenstaart(?:je)?\b)\s?",
)
NOBODY = Identity()
#: Doubts of the scrubber that mean that somebody may still be named, or that words were lost.
_DOUBTS = frozenset(
    {"common_name", "short_name", "sign_off", "free_address", "mail_header", "quoted_mail", "encoded"}
    | {"still_identifies"}
)


@dataclass(frozen=True)
class PassedOn:
    """A text without its writer, whether something was taken out, and codes for what is doubtful."""

    text: str
    was_changed: bool = False
    doubts: tuple[str, ...] = ()


def own_words(text: str, people: Identity) -> str:
    """What is written in a reply, without the mail that it answers, and without a signature."""
    lines = unquoted(text).split("\n")
    end = next((at for at in range(len(lines)) if _ends_here(lines, at, people)), len(lines))
    kept = lines[:end]
    while kept and (not kept[-1].strip() or _is_only_a_name(kept[-1], people)):
        kept.pop()
    return "\n".join(kept).strip("\n")


def passed_on(text: str, people: Identity, reader: Identity = NOBODY) -> PassedOn:
    """The text for somebody who is not to know its writer, nor any of their colleagues.

    What names the reader stays, though a colleague has the same name.
    """
    masked, kept = _without_reader(text, reader)
    scrubbed = scrub(masked, people)
    doubts = _DOUBTS.intersection(scrubbed.doubt) | {"quote", "signature", "key"}.intersection(
        scrubbed.removed
    )
    if _OUR_MAIL.search(text):
        doubts |= {"quote"}
    if may_quote(text):
        doubts |= {"attribution"}
    clean = _REMOVED.sub(LEFT_OUT, scrubbed.text).translate(kept).strip()
    if _signs_above_other_lines(clean):
        doubts |= {"signed_above"}
    last_line = clean.rpartition("\n")[2]
    if LEFT_OUT in last_line and last_line != clean and not _SENTENCE.match(last_line):
        doubts |= {"sign_off"}
    if not any(character.isalnum() for character in clean):
        doubts |= {"nothing_left"}
    return PassedOn(clean, bool(scrubbed.removed), tuple(sorted(doubts)))


def addresses_at(text: str, domains: Iterable[str]) -> list[str]:
    """The addresses at some domains in a text, defanged or not, as they are usually written."""
    hosts = "|".join(_DOT.join(map(re.escape, domain.split("."))) for domain in sorted(domains))
    local = rf"[\w+%'-]{{1,64}}(?:{_DOT}[\w+%'-]{{1,64}}){{0,5}}"
    written = re.compile(rf"(?<![\w.+-])({local}){_AT}({hosts})(?![\w-])", re.IGNORECASE)
    found = (match for view in decodings(text) for match in written.finditer(view.text))
    dots = re.compile(_DOT, re.IGNORECASE)
    return list(dict.fromkeys("@".join(dots.sub(".", side) for side in match.groups()) for match in found))


def _without_reader(text: str, reader: Identity) -> tuple[str, dict[int, str]]:
    """The text with one character for each place that names its reader, and what these stand for.

    A name of one word may be a colleague's as well: it is the reader's only where they are greeted.
    """
    whole = [name for name in reader.names if len(name.split()) > 1]
    parts = [re.escape(word) for name in reader.names for word in name.split()]
    forms = [re.escape(name) for name in (*reader.addresses, *whole) if name]
    if parts:
        one = f"(?:{'|'.join(parts)})"
        forms.insert(0, rf"{_GREETING}{one}(?:\s+{one})*")
    if not forms or re.search(r"[\ue000-\uf8ff]", text):
        return text, {}
    kept: dict[int, str] = {}

    def keep(found: re.Match[str]) -> str:
        if len(kept) == _MOST_KEPT:
            return found[0]
        kept[_FIRST_KEPT + len(kept)] = found[0]
        return chr(_FIRST_KEPT + len(kept) - 1)

    return re.sub(rf"(?<![\w.+-])(?:{'|'.join(forms)})(?![\w-])", keep, text, flags=re.IGNORECASE), kept


def _signs_above_other_lines(clean: str) -> bool:
    """Whether a name that was taken out stood alone near the end: what follows may tell who it was."""
    said = [line for line in clean.split("\n") if line.strip()][-_MOST_LINES:]
    return any(LEFT_OUT in line and not any(map(str.isalnum, line)) for line in said[:-1])


def _ends_here(lines: Sequence[str], at: int, people: Identity) -> bool:
    """Whether a signature begins at a line, or what programs and organisations put under every mail."""
    line = lines[at]
    if DELIMITER.fullmatch(line) or _MOBILE.fullmatch(line) or _DISCLAIMER.match(line):
        return True
    return FAREWELL.match(line) is not None and _is_a_signature(line, lines[at + 1 :], people)


def _is_a_signature(farewell: str, lines: Sequence[str], people: Identity) -> bool:
    """Whether who signs stands under a farewell: a name that we know, or few words that are no sentence.

    What is neither stays, and is doubted: it may be what somebody meant to say.
    """
    said = [line.strip() for line in lines if line.strip()]
    if not said or _is_only_a_name(said[0], people):
        return True
    is_short = len(said) <= _MOST_LINES and not any(_SENTENCE.match(line) for line in said)
    return is_short and _SURE_FAREWELL.search(farewell) is not None


def _is_only_a_name(line: str, people: Identity) -> bool:
    scrubbed = scrub(line, people)
    if not scrubbed.removed:
        return False
    return not any(character.isalnum() for character in _REMOVED.sub("", scrubbed.text))

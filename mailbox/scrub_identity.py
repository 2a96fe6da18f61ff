"""Who a reporter is, and every spelling of it that a text can hold.

What is known (names, addresses, phones, handles, keys) is turned into traces: squashed spellings
that are found with any separators between their letters, and words that are found whole.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Literal

from .scrub_views import fold, squash

Kind = Literal["signature", "quote", "key", "address", "phone", "handle", "name", "encoded", "number"]

# From this length on a spelling counts wherever it stands, even inside a longer word.
LONG = 8
# From this length on a part of a name counts next to digits ("devries88") as well.
BESIDE_DIGITS = 5


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_PARTICLES = _set(
    "aan al am auf bij bin da das de degli dei del della den der des di do dos du el en het ibn"
    " im in la las le les lo los op s t te ten ter tot uit van vom von voor y zu zum zur"
    " and the of und"
)
_TITLES = _set(
    "mr mrs ms miss dr ir ing drs prof dhr mw mevr mevrouw meneer heer sir madam bsc msc ba ma phd mba jr sr"
)
# Mailboxes that name a function; the address is removed, the word alone is not.
_ROLES = _set(
    "abuse admin administrator bounty bug bugs cert contact csirt cvd disclosure email hello help"
    " hi info it mail me meldpunt noreply office post privacy report reports research root sales"
    " sec secops secure security service soc support team test user vulnerability web webmaster"
    " work"
)
# Names that are ordinary words of a report as well: removed, and a human looks at the result.
_ORDINARY = _set(
    "access admin amber api april august auth bank berg bill bos bug bruin cert chance claim code"
    " data dean default dekker desk dev dijk error faith first frank gemeente grant guest guy hack"
    " hacker hand host jack jan june key king kok koning last law link long mark max may melder"
    " melding meer miles name naam null order page pass penny pim port post prince query ray read"
    " reporter rich robin root rose script security server session smit stad state system test"
    " token tom user version visser voorbeeld wall water web west white will wolf wood young"
    " zwart"
)
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa"})


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What is known about a reporter, as it was given: nothing needs to be normalised."""

    names: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    handles: tuple[str, ...] = ()
    fingerprints: tuple[str, ...] = ()


@dataclass
class Traces:
    """What to look for: ``spellings`` are squashed, ``words`` folded, ``mailboxes`` patterns."""

    spellings: dict[str, Kind] = field(default_factory=dict[str, Kind])
    words: set[str] = field(default_factory=set[str])
    mailboxes: list[str] = field(default_factory=list[str])
    locals: set[str] = field(default_factory=set[str])
    domains: set[str] = field(default_factory=set[str])

    def add(self, spelling: str, kind: Kind, *, shortest: int = 2) -> None:
        """Look for a spelling, unless it is too short to mean anybody."""
        if len(spelling) >= shortest:
            self.spellings.setdefault(spelling, kind)


def traces_of(identity: Identity) -> Traces:
    """Every spelling of an identity that is looked for."""
    traces = Traces()
    for name in identity.names:  # first, so that what is a name and a mailbox counts as a name
        if "@" not in name:
            _add_name(traces, name)
    for address in (*identity.addresses, *(name for name in identity.names if "@" in name)):
        _add_address(traces, address)
    for fingerprint in identity.fingerprints:
        _add_key(traces, fingerprint)
    for phone in identity.phones:
        _add_phone(traces, phone)
    for handle in identity.handles:
        _add_handle(traces, handle)
    return traces


def leftovers(text: str, identity: Identity) -> set[str]:
    """Codes for what is left on purpose: names of two letters, and where the address is at home."""
    folded = fold(text)
    short = {word for name in identity.names for word in _words(name) if len(word) == 2}
    found = {word for word in _words(folded) if len(word) == 2} & short - _PARTICLES - _TITLES
    is_at_home = any(domain in folded for domain in traces_of(identity).domains)
    return ({"short_name"} if found else set[str]()) | ({"domain"} if is_at_home else set[str]())


def is_ordinary(word: str) -> bool:
    """Whether a word says so little that removing it may have hurt the report."""
    word = fold(word).removesuffix("s")
    return len(word) <= 3 or word in _ORDINARY or word in _ROLES


def _add_name(traces: Traces, name: str) -> None:
    for spelled in {name, name.casefold().translate(_UMLAUTS)}:
        whole = [word for word in _words(spelled) if word not in _TITLES]
        for form in _forms(whole):
            traces.add(form, "name")
        joined = {squash(word) for word in spelled.split()}  # O'Neill is oneill, not o and neill
        for word in joined - _TITLES - _PARTICLES:
            traces.add(word, "name", shortest=3)
        parts = {*whole, *joined}
        traces.words |= {part for part in parts if _is_telling(part)}


def _words(text: str) -> list[str]:
    return [word for word in re.split(r"[\W_]+", fold(text)) if word]


def _is_telling(part: str) -> bool:
    return len(part) >= 3 and part not in _PARTICLES | _TITLES and not part.isdigit()


def _forms(words: list[str]) -> Iterator[str]:
    """A name in full, last name first, with initials, and as mailboxes and accounts spell it."""
    yield "".join(words)
    if len(words) < 2 or words[0] in _PARTICLES:
        return
    first, middle, last = words[0], words[1:-1], words[-1]
    particles = [word for word in middle if word in _PARTICLES]
    surnames = {("".join((*middle, last))), ("".join((*particles, last))), last}
    for surname, given in product(surnames, (first, first[0])):
        yield given + surname
        yield surname + given
    yield last + first + "".join(middle)
    yield "".join(word[0] for word in words[:-1]) + last
    yield first + "".join(word[0] for word in words[1:])


def _add_address(traces: Traces, address: str) -> None:
    local, _, domain = fold(address).strip(" <>").removeprefix("mailto:").rpartition("@")
    base = local.partition("+")[0]
    if not base or not domain:
        return
    for mailbox in {local, base}:
        traces.add(squash(mailbox + domain), "address", shortest=4)
        traces.mailboxes.append(_mailbox_pattern(mailbox, domain))
    traces.domains.add(domain)
    if _is_telling(squash(base)) and base not in _ROLES:
        traces.locals.add(squash(base))
        traces.add(squash(base), "handle", shortest=3)
        traces.words |= {word for word in _words(base) if _is_own_word(word)}


def _is_own_word(word: str) -> bool:
    return _is_telling(word) and word.isalpha() and word not in _ROLES


def _mailbox_pattern(local: str, domain: str) -> str:
    """An address, defanged or not: ``jan [punt] de [at] voorbeeld (dot) example``."""
    gap = r"[\W_]{0,3}(?:dot|punt|dash|streepje|underscore)?[\W_]{0,3}"
    at = r"(?:\+[\w.+-]{1,64})?[\W_]{0,4}(?:at|ape(?:n)?staart(?:je)?|arroba)?[\W_]{0,4}"
    sides = (gap.join(map(re.escape, _words(side))) for side in (local, domain))
    return rf"(?<![^\W_]){at.join(sides)}(?![^\W_])"


def _add_key(traces: Traces, fingerprint: str) -> None:
    digits = squash(fingerprint).removeprefix("0x")
    for length in (len(digits), 16, 8):
        traces.add(digits[-length:], "key", shortest=8)


def _add_phone(traces: Traces, phone: str) -> None:
    digits = re.sub(r"\D", "", fold(phone))
    traces.add(digits, "phone", shortest=5)
    if len(digits) >= 9:
        traces.add(digits[-9:], "phone")


def _add_handle(traces: Traces, handle: str) -> None:
    nick = fold(handle).strip().rstrip("/").rpartition("/")[2].lstrip("@")
    for part in {nick, nick.partition("@")[0]}:  # @nick@server names both
        traces.add(squash(part), "handle")


def pattern_of_words(words: Iterable[str], *, beside_digits: bool) -> re.Pattern[str] | None:
    """Whole words and their genitives, in a folded text."""
    chosen = sorted(word for word in words if (len(word) >= BESIDE_DIGITS) == beside_digits)
    if not chosen:
        return None
    edge = r"[^\W\d_]" if beside_digits else r"[^\W_]"
    return re.compile(rf"(?<!{edge})(?:{'|'.join(map(re.escape, chosen))})s?(?!{edge})")

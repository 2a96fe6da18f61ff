"""The hosts and addresses that a report is about: found in its text, made comparable, in order of
appearance.

Reporters defang what they write (`hxxps://www[.]example[.]nl`). A mail address is a person, not a
target; a file name that looks like a host is none; and what stands inside of a URL (an open redirect's
destination) is not either.
"""

import ipaddress
import re
from functools import lru_cache

import idna
from publicsuffixlist import PublicSuffixList

from .armour import without_armour

_SCANNED = 1_000_000  # characters of a text
_DOT = re.compile(
    r"[ \t]?(?:\[\.\]|\(\.\)|\{\.\}|\[dot\]|\(dot\)|\{dot\}|\[punt\]|\(punt\))[ \t]?", re.IGNORECASE
)
_COLON = re.compile(r"\[:\]|\(:\)")
_SLASHES = re.compile(r"\[:?//\]")
_AT = re.compile(r"[ \t]?(?:\[at\]|\(at\)|\{at\}|\[@\]|\(@\))[ \t]?", re.IGNORECASE)
_HXXP = re.compile(r"\b(?:hxxp|h\*\*p|httx|htxp|hXXp)(s?)(?=\[?:)", re.IGNORECASE)
_FXP = re.compile(r"\bfxp(?=\[?:)", re.IGNORECASE)

_TAIL = r"(?:[/?#\\][^\s<>\"'`)\]|,]*)?"
_FOUND = re.compile(
    rf"""
    (?P<mail>(?<![\w.%+-])[\w.%+-]{{1,64}}@\[?[\w.-]{{1,253}})
    | \b[a-z][a-z0-9+.-]{{1,15}}://
      (?:[^\s<>"'`/?\#\\@]{{0,200}}@)?
      (?P<url>\[[0-9a-f:.%]{{2,60}}\]|[^\s<>"'`/?\#\\:,;|()\[\]{{}}@]{{1,255}})
      (?::\d{{1,5}})?{_TAIL}
    | \[(?P<bracketed>[0-9a-f:.]{{2,45}})\]
    | (?<![\w:.%/\\$-])
      (?P<v6>(?:[0-9a-f]{{1,4}}:|::)[0-9a-f:]{{1,38}}(?:(?:\d{{1,3}}\.){{3}}\d{{1,3}})?)(?![\w:%]|\.\w)
    | (?<![\w./\\@:$%-])(?P<v4>(?:\d{{1,3}}\.){{3}}\d{{1,3}})(?![\w-]|\.\w)(?::\d{{1,5}}(?!\w))?{_TAIL}
    | (?<![\w./\\@$%-])(?:\*\.)?(?P<host>(?:[\w-]{{1,63}}\.){{1,20}}[\w-]{{2,63}})\.?(?![\w@(\[=-])
      (?::\d{{1,5}}(?!\w))?{_TAIL}
    """,
    re.IGNORECASE | re.VERBOSE,
)
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_VERSION_BEFORE = re.compile(
    r"(?:\bv|\bversion|\bversie|\bver\.?|\brelease|\bbuild|\bfirmware)[ :=]{0,3}\Z", re.IGNORECASE
)

# Endings of files that are top-level domains as well: a bare name is a host only with `www.` in front, or,
# for scripts, with three labels or more.
_SCRIPTS = frozenset({"pl", "rs", "sh", "ps", "cc", "vb", "mk"})
_FILES = frozenset({"py", "md", "zip", "mov", "so"})
# Members of objects in program text that are top-level domains as well, and the objects.
_MEMBERS = frozenset(
    {"name", "host", "email", "open", "map", "id", "call", "link", "new", "is", "to", "run", "show"}
)
_OBJECTS = frozenset(
    {"document", "window", "location", "event", "this", "self", "console", "os", "sys", "math"}
    | {"string", "object", "array", "req", "request", "response", "res", "user", "obj", "data", "item"}
    | {"node", "config", "settings", "app", "system", "std", "json", "params", "args", "key", "value"}
)
_RESERVED = frozenset({"example", "test"})  # RFC 6761: nobody's, but people write them
_NO_HOSTS = frozenset({"localhost.localdomain", "www.w3.org", "schemas.microsoft.com", "schemas.xmlsoap.org"})


def find_targets(text: str, *, limit: int = 200) -> tuple[str, ...]:
    """Give hosts (lower-case, IDNs in their ASCII form) and IP addresses, each once; at most
    `limit`."""
    plain = _fanged(without_armour(text[:_SCANNED]))
    found: dict[str, None] = {}
    for match in _FOUND.finditer(plain):
        target = _target(match, plain)
        if target:
            found[target] = None
        if len(found) >= limit:
            break
    return tuple(found)


def _fanged(text: str) -> str:
    """Undo what reporters do to keep their links from being clicked."""
    for pattern, plain in (
        (_DOT, "."),
        (_COLON, ":"),
        (_SLASHES, "://"),
        (_AT, "@"),
        (_HXXP, r"http\1"),
        (_FXP, "ftp"),
    ):
        text = pattern.sub(plain, text)
    return text


def _target(match: re.Match[str], text: str) -> str | None:
    kind = match.lastgroup
    value = match.group(kind) if kind else ""
    if kind == "url":
        return _ip(value.strip("[]")) or _host(value, is_bare=False)
    if kind in ("bracketed", "v6"):
        return _ip(value) if _is_meant_as_ipv6(value) else None
    if kind == "v4":
        return None if _VERSION_BEFORE.search(text, max(0, match.start() - 12), match.start()) else _ip(value)
    return _host(value, is_bare=True) if kind == "host" else None


def _is_meant_as_ipv6(value: str) -> bool:
    """Tell an address from `std::vector` and `Dead::Beef`."""
    groups = [group for group in value.split(":") if group]
    return value.count(":") >= 2 and len(groups) >= 2 and any(letter.isdigit() for letter in value)


def _ip(value: str) -> str | None:
    try:
        address = ipaddress.ip_address(value.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return None if address.is_loopback or address.is_unspecified or address.is_multicast else str(address)


def _host(value: str, *, is_bare: bool) -> str | None:
    host = _ascii(value.strip(".").removeprefix("*."))
    if host is None or host in _NO_HOSTS:
        return None
    labels = host.split(".")
    if len(labels) < 2 or len(host) > 253 or labels[-1].isdigit() or not all(map(_LABEL.fullmatch, labels)):
        return None
    return host if not is_bare or _is_public(host, labels) else None


def _ascii(value: str) -> str | None:
    if len(value) > 255:
        return None
    if value.isascii():
        return value.lower()
    try:
        return idna.encode(value, uts46=True).decode("ascii").lower()
    except (idna.IDNAError, UnicodeError, IndexError):
        return None


def _is_public(host: str, labels: list[str]) -> bool:
    """Tell whether a bare name can be a host: below a known suffix, and no file or program text."""
    ending = labels[-1]
    if labels[0] == "www":
        return _suffixes().privatesuffix(host) is not None or ending in _RESERVED
    if ending in _FILES or (len(labels) == 2 and _is_program_text(labels)):
        return False
    return ending in _RESERVED or _suffixes().privatesuffix(host) is not None


def _is_program_text(labels: list[str]) -> bool:
    return labels[1] in _SCRIPTS or (labels[1] in _MEMBERS and labels[0] in _OBJECTS)


@lru_cache(maxsize=1)
def _suffixes() -> PublicSuffixList:
    """Give the list that comes with the library; it is never fetched. Only ICANN's part: `github.io`
    is a host."""
    return PublicSuffixList(accept_unknown=False, only_icann=True)

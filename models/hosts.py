"""Host names and addresses as people write them, read into the one form that is compared.

A host is compared in lower case, in ASCII (IDNA 2008 by way of UTS 46) and without the dot at the
end; an IPv4 address inside an IPv6 one (``::ffff:203.0.113.9``) is the IPv4 address.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import idna
from publicsuffixlist import PublicSuffixList

LONGEST_TARGET = 2_000  # characters; more than any browser takes as a URL
LONGEST_HOST = 253  # RFC 1035, 2.3.4, without the dot at the end

_DEFANGED = re.compile(r"[\[({]\s*(?P<mark>\.|:|://|dot)\s*[\])}]", re.IGNORECASE)
_SCHEME = re.compile(r"(?:[a-z][a-z0-9+.-]*:)?//", re.IGNORECASE)
_END_OF_AUTHORITY = re.compile(r"[/?#\\]")  # browsers take a backslash for a slash
_PORT = re.compile(r":[0-9]*")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")  # with the _ of _dmarc and _acme-challenge
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


@dataclass(frozen=True)
class Host:
    """A host name in the form that is compared."""

    name: str

    def __str__(self) -> str:
        """The name."""
        return self.name


@dataclass(frozen=True)
class Unusable:
    """Something that names no host and no address; the reason names it and stays on one line."""

    because: str


def normalise(target: str) -> Host | Address | Unusable:
    """Read the host or address out of a URL, ``host:port``, ``[v6]:port``, mail address or bare name.

    Never raises: what cannot be used says why. ``*.voorbeeld.nl`` is read as ``voorbeeld.nl``, a
    range of one address (``/32``, ``/128``) as that address; a wider range is no target.
    """
    if len(target) > LONGEST_TARGET:
        return Unusable(f"{quoted(target)} is longer than {LONGEST_TARGET} characters")
    written = _DEFANGED.sub(_refanged, target).strip(" \t\r\n<>\"'`,;")
    if not written:
        return Unusable("the target is empty")
    if "/" in written and (network := read_network(written)):
        if network.num_addresses > 1:
            return Unusable(f"{network} is a range of addresses, not one target")
        return network.network_address
    return read_address(written) or _of_authority(_authority_of(written))


def read_address(text: str) -> Address | None:
    """The address that a text is, with or without brackets; ``None`` when it is none."""
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        address = ip_address(bare.partition("%")[0] if ":" in bare else bare)
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address


def read_network(text: str, *, strict: bool = False) -> Network | None:
    """The address range that a text is; ``None`` when it is none, or has host bits set and that is strict."""
    try:
        network = ip_network(text, strict=strict)
    except ValueError:
        return None
    first = network.network_address
    if isinstance(first, IPv6Address) and first.ipv4_mapped and network.prefixlen >= 96:
        return ip_network((first.ipv4_mapped, network.prefixlen - 96))
    return network


def read_host(text: str) -> Host | Unusable:
    """The host that a text is, in the form that is compared; an address is none."""
    try:
        labels = [_ascii_label(label) for label in _mapped(text).removesuffix(".").split(".")]
    except UnicodeError:  # idna.IDNAError is one
        return Unusable(f"{quoted(text)} is not a host name that can exist")
    name = ".".join(labels)
    if _NUMBER.fullmatch(labels[-1]):
        return Unusable(f"{quoted(text)} is neither an address nor a host name: its last part is a number")
    if len(name) > LONGEST_HOST:
        return Unusable(f"{quoted(text)} is longer than the {LONGEST_HOST} characters of a host name")
    return Host(name)


def is_public_suffix(name: str) -> bool:
    """Whether what lies under a domain belongs to many parties (``nl``, ``co.uk``, ``github.io``).

    Both sections of the list count: under ``github.io`` every name is somebody else's, just as under
    ``nl``. A top-level domain that the list does not know (``intern``) is a public suffix too.
    """
    return _public_suffixes().is_public(name)


def parents_of(name: str) -> Iterator[str]:
    """A domain and the domains it lies under, the longest first."""
    labels = name.split(".")
    return (".".join(labels[start:]) for start in range(len(labels)))


def ranges_around(address: Address) -> Iterator[Network]:
    """The ranges that an address lies in, the narrowest first."""
    single = ip_network(address)
    return (single.supernet(new_prefix=length) for length in range(single.max_prefixlen, -1, -1))


def quoted(text: str) -> str:
    """A text as it can stand in a sentence: on one line, printable, and not too long."""
    return repr(text if len(text) <= 80 else text[:77] + "...")


@cache
def _public_suffixes() -> PublicSuffixList:
    return PublicSuffixList()


def _refanged(match: re.Match[str]) -> str:
    return match["mark"].lower().replace("dot", ".")


def _authority_of(written: str) -> str:
    scheme = _SCHEME.match(written)
    rest = written[scheme.end() :] if scheme else written
    return _END_OF_AUTHORITY.split(rest, maxsplit=1)[0].rpartition("@")[2]


def _of_authority(authority: str) -> Host | Address | Unusable:
    if authority.startswith("["):
        inside, _, port = authority[1:].partition("]")
        address = read_address(inside) if ":" in inside and (not port or _PORT.fullmatch(port)) else None
        return address or Unusable(f"{quoted(authority)} is not an address in brackets")
    host, colon, port = authority.partition(":")
    if colon and not _PORT.fullmatch(colon + port):
        return Unusable(f"{quoted(authority)} does not end in a port number")
    return read_address(host) or read_host(host.removeprefix("*."))


def _mapped(text: str) -> str:
    return text.lower() if text.isascii() else idna.uts46_remap(text, std3_rules=False)


def _ascii_label(label: str) -> str:
    if not label.isascii():
        return idna.alabel(label).decode("ascii")
    if not _LABEL.fullmatch(label):
        raise UnicodeError(f"{label!r} is not a label of a host name")
    return label
